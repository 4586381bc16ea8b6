"""What each optimisation earns: the suites with one of them left out at a time.

    python -m benchmarks.ablation [--only NAME ...] [--suite peers corners] [--workloads START ...] [--quick]
                                  [--json FILE] [--markdown]

Each optimisation of `python -m tensordsl.passes` is left out by `TENSORDSL_FLAGS=optimizer_excluding=NAME` in a process
of its own, with an empty kernel cache, one thread, and processor time.  Runs of all optimisations come first and last;
a ratio is the time without one over the better of these.  A function whose code is the same to the bit, and that calls
no object of the library with the technique, is not measured again: its ratio is 1.  Changed: how many functions have
other objects without it, or call such an object; none: the suite does not reach it.  On a shared machine single ratios
below 1.25 are noise.  `--markdown` keeps what was found as docs/ablation.json and writes docs/optimisations.md from it;
optimisations that were not measured keep what they had.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
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


@dataclass(frozen=True, slots=True)
class Unit:
    """What is compiled together: `prepare` compiles it; the calls, by name, measure their processor seconds then."""

    name: str
    prepare: Callable[[], None]
    calls: dict[str, Callable[[], float]]


# -- in the process that measures -------------------------------------------------------------------------------------
def peers_units(quick: bool) -> Iterator[Unit]:
    from benchmarks.peers import tensordsl as peer
    from benchmarks.run import worker
    from benchmarks.workloads import peers as peers_workloads

    def prepare(name: str) -> None:
        worker.CALLS.clear()
        worker.CALLS[name] = worker.build(peer, name)
        worker.CALLS[name].evaluate()

    def measured(name: str) -> float:
        return float(worker.measure(peer, name, SECONDS["peers"][quick], processor=True)["value"])

    for workload in peers_workloads.WORKLOADS:
        name = workload.name
        if not (name.startswith(TOO_LONG) or "1e7" in name or (quick and "1e6" in name)):
            yield Unit(name, partial(prepare, name), {name: partial(measured, name)})


def corners_units(quick: bool) -> Iterator[Unit]:
    from benchmarks import corners, programs

    made: dict[str, Any] = {}

    def prepare(form: Any, axes: int, dtype: str) -> None:
        made["calls"] = corners.calls(form, (), axes, dtype, tolerance=1e-3)

    def measured(shape: tuple[int, ...], dtype: str) -> float:
        call = made["calls"](np.random.default_rng(len(shape)).normal(size=shape).astype(dtype))
        return programs.measured(call, SECONDS["corners"][quick])["tensordsl"]

    for forms, shapes in ((corners.OF_MATRICES, corners.MATRICES), (corners.OF_STACKS, corners.STACKS)):
        for name, form in forms.items():
            for dtype in ("float32",) if quick else ("float32", "float64"):
                label = f"{name} {dtype} {len(shapes[0])}d"
                some = shapes[QUICK_SHAPES] if quick else shapes
                calls = {f"{name} {dtype} {'x'.join(map(str, s))}": partial(measured, s, dtype) for s in some}
                yield Unit(label, partial(prepare, form, len(shapes[0]), dtype), calls)


SUITES: dict[str, Callable[[bool], Iterator[Unit]]] = {"peers": peers_units, "corners": corners_units}


class Code:
    """The executables of the functions that are compiled from now on."""

    def __init__(self) -> None:
        from tensordsl.functions import native

        self.executables: list[Any] = []
        usual = native.compile_spec

        def noted(*given: Any, **named: Any) -> Any:
            made = usual(*given, **named)
            self.executables.append(made.executable)
            return made

        native.compile_spec = noted  # type: ignore[assignment]  # all import it late

    def text(self) -> str:
        """The same for equal code of the functions, with the kernels that calls may require."""
        from tensordsl.codegen.compiler.modules import late_kernels, module_text

        parts = []
        for e in self.executables:
            late = module_text(late_kernels([part for part in e.late if part])).encode()
            plans = repr([plan and plan[0] for plan in e.meta["plans"]]).encode()
            parts += [e.kernels, e.program, *e.constants, late, plans]
        return digest(b"".join(digest(part).encode() for part in parts))

    def libraries(self) -> set[str]:
        """The first words of the objects of the library that the functions call."""
        return {"nest", *(name.partition("_")[0] for e in self.executables for name in e.meta["libraries"])}


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


def measure(
    suites: Sequence[str], starts: Sequence[str], quick: bool, known: dict[str, Any], words: Collection[str]
) -> dict[str, Any]:
    """Of each suite: the processor seconds of calls, but of units whose code is `known` and that call no object of the
    library whose name begins with one of `words`; the code of all units, and which were measured."""
    code, found = Code(), dict[str, Any]()
    for suite in suites:
        times: dict[str, float | None] = {}
        units, changed = dict[str, str](), list[str]()
        for unit in SUITES[suite](quick):
            calls = {name: call for name, call in unit.calls.items() if not starts or name.startswith(tuple(starts))}
            code.executables.clear()
            try:
                if calls:
                    unit.prepare()
                    units[unit.name] = code.text()
            except Exception as error:  # a function that fails without an optimisation is a finding
                tell(unit.name, error)
                times |= dict.fromkeys(calls, None)
                continue
            if calls and known.get(suite, {}).get(unit.name) == units[unit.name] and code.libraries().isdisjoint(words):
                continue
            changed += [unit.name] if calls else []
            for name, call in calls.items():
                try:
                    times[name] = call()
                except Exception as error:
                    tell(name, error)
                    times[name] = None
        found[suite] = {"times": times, "units": units, "changed": changed}
    return found


def tell(name: str, error: Exception) -> None:
    print(f"{name}: {type(error).__name__}: {str(error)[:100]}", file=sys.stderr)


# -- in the process that compares -------------------------------------------------------------------------------------
def run(
    excluded: Sequence[str], suites: Sequence[str], starts: Sequence[str], quick: bool, base: dict[str, Any]
) -> dict[str, Any]:
    """`measure` in a process of its own, without some optimisations; base: what it found with all of them."""
    from tensordsl.codegen.compiler.optimisations import ROWS

    words = sorted({word for name in excluded if name in ROWS for word in ROWS[name].objects})
    with tempfile.TemporaryDirectory() as folder:
        given, result = Path(folder, "given.json"), Path(folder, "found.json")
        known = {suite: found["units"] for suite, found in base.items()}
        given.write_text(json.dumps([suites, starts, quick, known, words]))
        flags = f"compiledir={folder}/cache,optimizer_excluding={':'.join(excluded)}"
        environment = {**os.environ, **dict.fromkeys(THREADS, "1"), "TENSORDSL_FLAGS": flags, "PYTHONHASHSEED": "0"}
        command = [sys.executable, "-m", "benchmarks.ablation", "--measure", str(given), str(result)]
        subprocess.run(command, env=environment, cwd=ROOT, check=True)
        return dict(json.loads(result.read_text()))


def compared(base: dict[str, float], without: dict[str, float | None]) -> dict[str, Any]:
    """The geometric mean of the ratios, 1 where nothing was measured; how many were, the slowest calls, and those that
    failed."""
    ratios = {name: t / base[name] for name, t in without.items() if t and name in base}
    every = len(base.keys() - {name for name, t in without.items() if t is None})
    slowest = sorted(ratios.items(), key=lambda item: -item[1])
    return {
        "calls": every,
        "measured": len(ratios),
        "mean": round(math.exp(sum(map(math.log, ratios.values())) / every), 3) if every else None,
        "slower": sum(ratio > SLOWER for ratio in ratios.values()),
        "worst": [[name, round(ratio, 2)] for name, ratio in slowest[:NAMED]],
        "failed": sorted(name for name, t in without.items() if t is None and name in base),
    }


def better(first: dict[str, float | None], last: dict[str, float | None]) -> dict[str, float]:
    return {name: min(t, last.get(name) or t) for name, t in first.items() if t}


def table(names: Sequence[str], suites: Sequence[str], starts: Sequence[str], quick: bool) -> dict[str, Any]:
    """name -> suite -> what leaving it out costs (`compared`), with the number of functions that are others."""
    runs: dict[str, Any] = {}
    every = [name for name in names if name != ALL]
    for label in ("base", *names, "base again"):
        excluded = [] if label.startswith("base") else every if label == ALL else [label]
        runs[label] = run(excluded, suites, starts, quick, runs["base"] if excluded else {})
        print(f"measured: {label}", file=sys.stderr, flush=True)
    rows: dict[str, Any] = {}
    for suite in suites:
        first, last = runs["base"][suite], runs["base again"][suite]
        base = better(first["times"], last["times"])
        for label, found in runs.items():
            row = compared(base, found[suite]["times"])
            row["changed"] = [0 if label.startswith("base") else len(found[suite]["changed"]), len(first["units"])]
            rows.setdefault(label, {})[suite] = row
    return rows


def lines_of(file: str) -> int:
    return sum(1 for _ in (ROOT / file).open())


def text(rows: dict[str, Any], files: dict[str, str]) -> Iterator[str]:
    head = "without", "suite", "calls", "measured", "mean", "slower", "changed", "lines", "worst"
    yield "{:24} {:8} {:>5} {:>8} {:>6} {:>6} {:>9} {:>5}  {}".format(*head)
    for name, suites in rows.items():
        for suite, row in suites.items():
            worst = ", ".join(f"{call} {ratio:.2f}" for call, ratio in row["worst"] if ratio > SLOWER)
            failed = f"; failed: {', '.join(row['failed'])}" if row["failed"] else ""
            changed, every = row["changed"]
            lines = lines_of(files[name]) if name in files else ""
            yield (
                f"{name:24} {suite:8} {row['calls']:5} {row['measured']:8} {row['mean'] or 0:6.3f} {row['slower']:6} "
                f"{f'{changed}/{every}':>9} {lines:>5}  {worst}{failed}"
            )


def keep(rows: dict[str, Any]) -> None:
    """Keep the rows of optimisations, and write the catalogue from what is kept."""
    from tensordsl.codegen.target.machine import processor

    known = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    made = {"date": time.strftime("%Y-%m-%d"), "processor": processor()[0]}
    known |= {name: {**made, **suites} for name, suites in rows.items() if not name.startswith("base")}
    lines = (f"{json.dumps(name)}: {json.dumps(known[name], sort_keys=True)}" for name in sorted(known))
    KEPT.write_text("{\n" + ",\n".join(lines) + "\n}\n")
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
    parser.add_argument("--measure", type=Path, nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.measure:
        given, found = options.measure
        found.write_text(json.dumps(measure(*json.loads(given.read_text()))))
        return
    from tensordsl.codegen.compiler.optimisations import known_names, optimisations

    known_names(options.only, "excluding", are_flags=True)
    known = {name: row for name, row in optimisations().items() if not row.is_required}
    rows = table(options.only or [*known, ALL], options.suite, options.workloads, options.quick)
    print("\n".join(text(rows, {name: row.file for name, row in known.items()})))
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n")
    if options.markdown:
        keep(rows)


if __name__ == "__main__":
    main()
