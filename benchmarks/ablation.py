"""What each optimisation earns: the suites with one of them left out at a time.

    python -m benchmarks.ablation [--only NAME ...] [--suite peers corners] [--workloads START ...] [--quick]
                                  [--json FILE] [--markdown]

Each optimisation of `python -m tensordsl.passes` is left out by `TENSORDSL_FLAGS=optimizer_excluding=NAME` in a process
of its own, with an empty kernel cache, one thread, and processor time.  Runs of all optimisations come first and last;
a ratio is the time without one over the better of these.  Objects: how many of those that are compiled, the library's
among them, are others without it; none: the suite does not reach it.  On a shared machine means within 0.02 of 1 and
single ratios below 1.25 are noise.  `--markdown` keeps what was found as docs/ablation.json and writes
docs/optimisations.md from it; optimisations that were not measured keep what they had.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.run.harness import THREADS

ROOT = Path(__file__).resolve().parents[1]
KEPT = ROOT / "docs" / "ablation.json"
SLOWER = 1.25  # ratio from which a call is named
NAMED = 3  # of the slowest calls
ALL = "all of them"
TOO_LONG = ("p.stack", "o.sort.f8.1e6", "o.argsort.f8.1e6")  # workloads that take long; and those of 1e7 elements
SECONDS = {"peers": (0.06, 0.02), "corners": (1.5e-3, 5e-4)}  # of measuring a call; with --quick
QUICK_SHAPES = slice(None, None, 5)
Call = tuple[str, Callable[[], float]]  # a name, and what compiles and measures it: processor seconds


# -- in the process that measures -------------------------------------------------------------------------------------
def peers_calls(quick: bool) -> Iterator[Call]:
    from benchmarks.peers import tensordsl as peer
    from benchmarks.run import worker
    from benchmarks.workloads import peers as peers_workloads

    def measured(name: str) -> float:
        worker.CALLS[name] = worker.build(peer, name)
        worker.CALLS[name].evaluate()
        seconds = worker.measure(peer, name, SECONDS["peers"][quick], processor=True)["value"]
        del worker.CALLS[name]
        return float(seconds)

    for workload in peers_workloads.WORKLOADS:
        if not (workload.name.startswith(TOO_LONG) or "1e7" in workload.name or (quick and "1e6" in workload.name)):
            yield workload.name, lambda name=workload.name: measured(name)


def corners_calls(quick: bool) -> Iterator[Call]:
    from benchmarks import corners, programs

    numbers = np.random.default_rng(0)
    made: dict[tuple[str, int, str], Any] = {}

    def measured(name: str, form: Any, shape: tuple[int, ...], dtype: str) -> float:
        key = name, len(shape), dtype
        if key not in made:
            made[key] = corners.calls(form, (), len(shape), dtype, tolerance=1e-3)
        call = made[key](numbers.normal(size=shape).astype(dtype))
        return programs.measured(call, SECONDS["corners"][quick])["tensordsl"]

    for forms, shapes in ((corners.OF_MATRICES, corners.MATRICES), (corners.OF_STACKS, corners.STACKS)):
        for name, form in forms.items():
            for dtype in ("float32",) if quick else ("float32", "float64"):
                for shape in shapes[QUICK_SHAPES] if quick else shapes:
                    yield (
                        f"{name} {dtype} {'x'.join(map(str, shape))}",
                        lambda given=(name, form, shape, dtype): measured(*given),
                    )


SUITES: dict[str, Callable[[bool], Iterator[Call]]] = {"peers": peers_calls, "corners": corners_calls}


def measure(suites: Sequence[str], starts: Sequence[str], quick: bool) -> dict[str, Any]:
    """The processor seconds of each call of each suite, and the digests of all objects that were compiled for it."""
    from tensordsl.codegen.llvm import compile as llvm

    objects: Counter[str] = Counter()
    usual = llvm.compile_object

    def noted(*given: Any) -> bytes:
        made = usual(*given)
        objects[hashlib.sha256(made).hexdigest()[:16]] += 1
        return made

    setattr(llvm, "compile_object", noted)  # noqa: B010  # all call it by its module
    found: dict[str, Any] = {}
    for suite in suites:
        objects.clear()
        times: dict[str, float | None] = {}
        for name, call in SUITES[suite](quick):
            if starts and not name.startswith(tuple(starts)):
                continue
            try:
                times[name] = call()
            except Exception as error:  # noqa: BLE001  # a call that fails without an optimisation is a finding
                times[name] = None
                print(f"{name}: {type(error).__name__}: {str(error)[:100]}", file=sys.stderr)
        found[suite] = {"times": times, "objects": dict(objects)}
    return found


# -- in the process that compares -------------------------------------------------------------------------------------
def run(excluded: Sequence[str], suites: Sequence[str], starts: Sequence[str], quick: bool) -> dict[str, Any]:
    """`measure` in a process of its own, without some optimisations."""
    with tempfile.TemporaryDirectory() as folder:
        flags = f"compiledir={folder}/cache,optimizer_excluding={':'.join(excluded)}"
        environment = {**os.environ, **dict.fromkeys(THREADS, "1"), "TENSORDSL_FLAGS": flags, "PYTHONHASHSEED": "0"}
        result = Path(folder, "found.json")
        command = [sys.executable, "-m", "benchmarks.ablation", "--measure", str(result), "--suite", *suites]
        command += [part for start in starts for part in ("--workloads", start)] + ["--quick"] * quick
        subprocess.run(command, env=environment, cwd=ROOT, check=True)
        return dict(json.loads(result.read_text()))


def compared(base: dict[str, float], without: dict[str, float | None]) -> dict[str, Any]:
    """The geometric mean and the median of the ratios, the slowest calls, and those that failed."""
    ratios = {name: t / base[name] for name, t in without.items() if t and name in base}
    slowest = sorted(ratios.items(), key=lambda item: -item[1])
    return {
        "calls": len(ratios),
        "mean": round(math.exp(statistics.fmean(map(math.log, ratios.values()))), 3) if ratios else None,
        "median": round(statistics.median(ratios.values()), 3) if ratios else None,
        "slower": sum(ratio > SLOWER for ratio in ratios.values()),
        "worst": [[name, round(ratio, 2)] for name, ratio in slowest[:NAMED]],
        "failed": sorted(name for name, t in without.items() if t is None and name in base),
    }


def better(first: dict[str, float | None], last: dict[str, float | None]) -> dict[str, float]:
    return {name: min(t, last.get(name) or t) for name, t in first.items() if t}


def table(names: Sequence[str], suites: Sequence[str], starts: Sequence[str], quick: bool) -> dict[str, Any]:
    """name -> suite -> what leaving it out costs (`compared`), with the number of objects that are others."""
    runs = {}
    every = [name for name in names if name != ALL]
    for label in ("base", *names, "base again"):
        excluded = [] if label.startswith("base") else every if label == ALL else [label]
        runs[label] = run(excluded, suites, starts, quick)
        print(f"measured: {label}", file=sys.stderr, flush=True)
    rows: dict[str, Any] = {}
    for suite in suites:
        first, last = runs["base"][suite], runs["base again"][suite]
        base, objects = better(first["times"], last["times"]), Counter(first["objects"])
        for label, found in runs.items():
            row = compared(base, found[suite]["times"])
            others = objects - Counter(found[suite]["objects"])
            row["objects"] = [sum(others.values()), sum(objects.values())]
            rows.setdefault(label, {})[suite] = row
    return rows


def lines_of(file: str) -> int:
    return sum(1 for _ in (ROOT / file).open())


def text(rows: dict[str, Any], files: dict[str, str]) -> Iterator[str]:
    head = "without", "suite", "calls", "mean", "median", "slower", "objects", "lines", "worst"
    yield "{:22} {:8} {:>5} {:>6} {:>6} {:>6} {:>9} {:>5}  {}".format(*head)
    for name, suites in rows.items():
        for suite, row in suites.items():
            worst = ", ".join(f"{call} {ratio:.2f}" for call, ratio in row["worst"] if ratio > SLOWER)
            failed = f"; failed: {', '.join(row['failed'])}" if row["failed"] else ""
            changed, every = row["objects"]
            lines = lines_of(files[name]) if name in files else ""
            yield (
                f"{name:22} {suite:8} {row['calls']:5} {row['mean'] or 0:6.3f} {row['median'] or 0:6.3f} "
                f"{row['slower']:6} {f'{changed}/{every}':>9} {lines:>5}  {worst}{failed}"
            )


def keep(rows: dict[str, Any]) -> None:
    """Keep the rows of optimisations, and write the catalogue from what is kept."""
    from tensordsl.codegen.target.machine import processor

    known = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    made = {"date": time.strftime("%Y-%m-%d"), "processor": processor()[0]}
    known |= {name: {**made, **suites} for name, suites in rows.items() if not name.startswith("base")}
    KEPT.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n")
    command = [sys.executable, str(ROOT / "tools" / "optimisation_table.py")]
    paths = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    environment = {**os.environ, "PYTHONPATH": paths}
    page = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE).stdout
    (ROOT / "docs" / "optimisations.md").write_bytes(page)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ablation", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="optimisations; default: each, then all")
    parser.add_argument("--suite", nargs="+", choices=SUITES, default=list(SUITES), help="default: both")
    parser.add_argument("--workloads", action="append", default=[], metavar="START", help="calls whose names begin so")
    parser.add_argument("--quick", action="store_true", help="a part of the calls, each measured shortly")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what was found")
    parser.add_argument("--markdown", action="store_true", help="keep it for docs/optimisations.md, and write that")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.measure:
        options.measure.write_text(json.dumps(measure(options.suite, options.workloads, options.quick)))
        return
    from tensordsl.codegen.compiler.optimisations import check_names, optimisations

    check_names(options.only, are_flags=True)
    known = {name: row for name, row in optimisations().items() if not row.is_required}
    rows = table(options.only or [*known, ALL], options.suite, options.workloads, options.quick)
    print("\n".join(text(rows, {name: row.file for name, row in known.items()})))
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n")
    if options.markdown:
        keep(rows)


if __name__ == "__main__":
    main()
