"""Command line of the benchmarks: `python -m benchmarks [--quick] [--only WORKLOAD] [--peers a,b] ...`."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from benchmarks.harness import PEERS, QUICK, Plan, benchmark
from benchmarks.report import as_json, as_markdown
from benchmarks.workloads import BY_NAME


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure tensordsl beside its peers.")
    parser.add_argument("--quick", action="store_true", help="few and short rounds, no slow workloads")
    parser.add_argument("--only", action="append", default=[], choices=sorted(BY_NAME), help="may be repeated")
    parser.add_argument("--peers", default=",".join(PEERS), help=f"comma-separated, of {', '.join(PEERS)}")
    parser.add_argument(
        "--python",
        action="append",
        default=[],
        metavar="PEER=PATH",
        help="interpreter of another environment, for a peer that can't be installed beside tensordsl",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all rounds and the machine's facts")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the table; it is printed in any case")
    arguments = parser.parse_args()
    arguments.peers = arguments.peers.split(",")
    if unknown := set(arguments.peers) - set(PEERS):
        parser.error(f"no such peers: {', '.join(sorted(unknown))}")
    if any("=" not in pair for pair in arguments.python):
        parser.error("--python needs PEER=PATH")
    return arguments


def main() -> int:
    """Run; the status is 1 if a peer gave another result than NumPy, or if ours failed."""
    arguments = parse()
    pythons = dict(pair.split("=", 1) for pair in arguments.python)
    run, seconds = benchmark(QUICK if arguments.quick else Plan(), arguments.peers, arguments.only, pythons)
    table = as_markdown(run, seconds)
    print(table)
    if arguments.json:
        arguments.json.write_text(json.dumps(as_json(run, seconds), indent=1) + "\n")
    if arguments.markdown:
        arguments.markdown.write_text(table)
    wrong = [r for r in run.results if r.error and (r.peer == "tensordsl" or r.error.startswith("wrong result"))]
    ours_is_missing = "tensordsl" in arguments.peers and "tensordsl" in run.missing
    return 1 if wrong or ours_is_missing else 0


if __name__ == "__main__":
    sys.exit(main())
