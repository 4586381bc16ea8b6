"""Command line of the benchmarks: `python -m benchmarks [--quick] [--only WORKLOAD] [--peers a,b] ...`."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path

from benchmarks.history import compare_last, keep
from benchmarks.run.brief import as_brief
from benchmarks.run.harness import ALONE, PEERS, QUICK, Plan, benchmark
from benchmarks.run.report import as_json, as_markdown, as_summary
from benchmarks.workloads.suites import BY_NAME, SUITES

END = "<!-- benchmarks: end -->"


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure tensordsl beside its peers.")
    parser.add_argument("--quick", action="store_true", help="few and short rounds, no slow workloads")
    parser.add_argument("--processor-time", action="store_true", help="of calls; a busy machine disturbs it less")
    parser.add_argument(
        "--processes", type=int, default=1, metavar="N", help="of each library for the calls of each workload, in turn"
    )
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="that each library may take")
    parser.add_argument("--avx2", action="store_true", help="hold every library to AVX2")
    parser.add_argument("--suite", choices=sorted(SUITES), default="foundation", help="which workloads")
    parser.add_argument(
        "--only", action="append", default=[], metavar="NAME", help="a workload, or how names begin; may be repeated"
    )
    usual = ",".join(name for name in PEERS if name != ALONE)
    parser.add_argument("--peers", default=usual, help=f"comma-separated, of {', '.join(PEERS)}")
    parser.add_argument(
        "--python",
        action="append",
        default=[],
        metavar="PEER=PATH",
        help="interpreter of another environment, for a peer that can't be installed beside tensordsl",
    )
    parser.add_argument("--history", type=Path, metavar="DIR", help="keep the run in DIR and compare it with the last")
    parser.add_argument("--plots", type=Path, metavar="DIR", help="write the plots of the suite `plots` as SVG")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all rounds and the machine's facts")
    parser.add_argument(
        "--markdown", type=Path, metavar="FILE", help="write the table, in a page with markers between these"
    )
    parser.add_argument("--summary", action="store_true", help="the table has a row per group, and those behind")
    parser.add_argument("--brief", action="store_true", help="the table has six columns, as in docs/performance.md")
    arguments = parser.parse_args()
    if arguments.threads > 1 and arguments.processor_time:
        parser.error("the processor time of several threads is their sum: leave --processor-time out")
    arguments.peers = arguments.peers.split(",")
    for start in arguments.only:
        if not any(name.startswith(start) for name in BY_NAME):
            parser.error(f"no workload begins with {start!r}")
    if unknown := set(arguments.peers) - set(PEERS):
        parser.error(f"no such peers: {', '.join(sorted(unknown))}")
    if any("=" not in pair for pair in arguments.python):
        parser.error("--python needs PEER=PATH")
    return arguments


def write_table(path: Path, table: str, suite: str = "foundation") -> None:
    """Write the table as a file of its own, or between the suite's two markers of a document that has them."""
    begin = "<!-- benchmarks: begin -->" if suite == "foundation" else f"<!-- benchmarks: begin {suite} -->"
    text = path.read_text() if path.exists() else ""
    before, found, after = text.partition(begin)
    if not found or END not in after:
        path.write_text(table)
        return
    path.write_text(f"{before}{begin}\n{table}{END}{after.split(END, 1)[1]}")


def main() -> int:
    """Run; the status is 1 if a peer gave another result than NumPy, or if ours failed."""
    arguments = parse()
    pythons = dict(pair.split("=", 1) for pair in arguments.python)
    plan = replace(
        QUICK if arguments.quick else Plan(),
        processes=arguments.processes,
        threads=arguments.threads,
        processor=arguments.processor_time,
        avx2=arguments.avx2,
    )
    run, seconds = benchmark(plan, arguments.peers, arguments.only, pythons, arguments.suite)
    written = as_brief if arguments.brief else as_summary if arguments.summary else as_markdown
    table = written(run, seconds)
    facts = as_json(run, seconds)
    print(table)
    if arguments.json:
        arguments.json.write_text(json.dumps(facts, indent=1) + "\n")
    if arguments.markdown:
        write_table(arguments.markdown, table, arguments.suite)
    if arguments.history:
        keep(arguments.history, facts)
        print(compare_last(arguments.history))
    if arguments.plots:
        from benchmarks.run.plots import plot  # late: an extra

        plot(facts, arguments.plots)
    wrong = [r for r in run.results if r.error and (r.peer == "tensordsl" or r.error.startswith("wrong result"))]
    ours_is_missing = "tensordsl" in arguments.peers and "tensordsl" in run.missing
    return 1 if wrong or ours_is_missing else 0


if __name__ == "__main__":
    sys.exit(main())
