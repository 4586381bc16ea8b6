"""Command line of the benchmarks: `python -m benchmarks [--quick] [--only WORKLOAD] [--peers a,b] ...`."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path

from benchmarks.harness import PEERS, QUICK, Plan, benchmark
from benchmarks.report import as_json, as_markdown
from benchmarks.suites import BY_NAME, SUITES

BEGIN, END = "<!-- benchmarks: begin -->", "<!-- benchmarks: end -->"


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure tensordsl beside its peers.")
    parser.add_argument("--quick", action="store_true", help="few and short rounds, no slow workloads")
    parser.add_argument("--processor-time", action="store_true", help="of calls; a busy machine disturbs it less")
    parser.add_argument("--suite", choices=sorted(SUITES), default="foundation", help="which workloads")
    parser.add_argument(
        "--only", action="append", default=[], metavar="NAME", help="a workload, or how names begin; may be repeated"
    )
    parser.add_argument("--peers", default=",".join(PEERS), help=f"comma-separated, of {', '.join(PEERS)}")
    parser.add_argument(
        "--python",
        action="append",
        default=[],
        metavar="PEER=PATH",
        help="interpreter of another environment, for a peer that can't be installed beside tensordsl",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all rounds and the machine's facts")
    parser.add_argument(
        "--markdown", type=Path, metavar="FILE", help="write the table, in README.md between its markers"
    )
    arguments = parser.parse_args()
    arguments.peers = arguments.peers.split(",")
    for start in arguments.only:
        if not any(name.startswith(start) for name in BY_NAME):
            parser.error(f"no workload begins with {start!r}")
    if unknown := set(arguments.peers) - set(PEERS):
        parser.error(f"no such peers: {', '.join(sorted(unknown))}")
    if any("=" not in pair for pair in arguments.python):
        parser.error("--python needs PEER=PATH")
    return arguments


def write_table(path: Path, table: str) -> None:
    """Write the table as a file of its own, or between the two markers of a document that has them."""
    text = path.read_text() if path.exists() else ""
    if BEGIN not in text or END not in text:
        path.write_text(table)
        return
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    path.write_text(f"{before}{BEGIN}\n{table}{END}{after}")


def main() -> int:
    """Run; the status is 1 if a peer gave another result than NumPy, or if ours failed."""
    arguments = parse()
    pythons = dict(pair.split("=", 1) for pair in arguments.python)
    plan = replace(QUICK if arguments.quick else Plan(), processor=arguments.processor_time)
    run, seconds = benchmark(plan, arguments.peers, arguments.only, pythons, arguments.suite)
    table = as_markdown(run, seconds)
    print(table)
    if arguments.json:
        arguments.json.write_text(json.dumps(as_json(run, seconds), indent=1) + "\n")
    if arguments.markdown:
        write_table(arguments.markdown, table)
    wrong = [r for r in run.results if r.error and (r.peer == "tensordsl" or r.error.startswith("wrong result"))]
    ours_is_missing = "tensordsl" in arguments.peers and "tensordsl" in run.missing
    return 1 if wrong or ours_is_missing else 0


if __name__ == "__main__":
    sys.exit(main())
