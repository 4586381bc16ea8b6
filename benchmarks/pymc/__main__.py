"""Command line: `python -m benchmarks.pymc [--only MODEL] [--peers numba,jax] [--measures compile,calls,...] ...`."""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.pymc.report import as_markdown, facts_of_machine
from benchmarks.pymc.worker import MEASURES, OURS

NEEDED = ("pymc", "pytensor", "numba")
PEERS = ("numba", "jax")
ROOT = Path(__file__).resolve().parents[2]


def missing(names: Sequence[str]) -> list[str]:
    return [name for name in names if importlib.util.find_spec(name) is None]


def environment(caches: Path) -> dict[str, str]:
    """Of a worker: its caches, one thread for each library; bytecode is written, as where packages are installed."""
    flags = ",".join(f for f in (os.environ.get("TENSORDSL_FLAGS", ""), f"compiledir={caches / 'tensordsl'}") if f)
    of_pytensor = os.environ.get("PYTENSOR_FLAGS", "")
    return {
        **{key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"},
        "PYTHONPATH": os.pathsep.join(p for p in (str(ROOT), os.environ.get("PYTHONPATH", "")) if p),
        "TENSORDSL_FLAGS": flags,
        "PYTENSOR_FLAGS": ",".join(f for f in (of_pytensor, f"base_compiledir={caches / 'pytensor'}") if f),
        "NUMBA_CACHE_DIR": str(caches / "numba"),
        "JAX_COMPILATION_CACHE_DIR": str(caches / "jax"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PLATFORMS": "cpu",
        **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1"),
    }


def ask(caches: Path, limit: float, *command: str) -> dict[str, Any]:
    """What a worker answers.  Its CPU time is bounded by its wall time."""
    try:
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.pymc.worker", *command],
            cwd=ROOT, env=environment(caches), capture_output=True, text=True, timeout=limit,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return {"error": f"more than {limit:g} s"}
    try:
        answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    except (IndexError, json.JSONDecodeError):
        return {"error": f"ended with status {done.returncode}: {done.stderr.strip().splitlines()[-1:]}"}
    return answer


def least(answers: Sequence[dict[str, Any]], key: str = "seconds") -> dict[str, Any]:
    """The answer that took least; one that failed only if all did."""
    good = [a for a in answers if "error" not in a]
    return min(good, key=lambda a: a[key]) if good else answers[0]


def measure(name: str, peers: Sequence[str], chosen: argparse.Namespace) -> dict[str, Any]:
    """All of one model: cold with caches of its own, then warm with these, then calls with what they hold."""
    found: dict[str, Any] = {"model": name}
    with tempfile.TemporaryDirectory(prefix="benchmarks-pymc-") as folder:
        caches = {peer: Path(folder) / peer for peer in peers}
        if "compile" in chosen.measures:
            cold: dict[str, list[dict[str, Any]]] = {peer: [] for peer in peers}
            warm: dict[str, list[dict[str, Any]]] = {peer: [] for peer in peers}
            for k in range(chosen.colds):
                for peer in peers:
                    caches[peer] = Path(folder) / f"{peer}-{k}"
                    cold[peer].append(ask(caches[peer], chosen.limit, "compile", name, peer))
            for _ in range(chosen.warms):
                for peer in peers:
                    warm[peer].append(ask(caches[peer], chosen.limit, "compile", name, peer))
            found["cold"] = {peer: least(answers) for peer, answers in cold.items()}
            found["warm"] = {peer: least(answers) for peer, answers in warm.items()}
        if "calls" in chosen.measures:
            full = caches[peers[-1]] if "compile" in chosen.measures else Path(folder) / "calls"
            found |= ask(full, chosen.limit, "calls", name, *peers)
        if "nutpie" in chosen.measures:
            found["nutpie"] = {
                peer: ask(Path(folder) / f"nutpie-{peer}", chosen.limit, "nutpie", name, peer, str(chosen.draws))
                for peer in peers
            }
    return found


def brief(found: dict[str, Any]) -> str:
    """A line of progress."""
    parts = []
    for state in ("cold", "warm", "nutpie"):
        if state in found:
            each = (f"{peer} {a['seconds']:.2f}" if "seconds" in a else f"{peer} ?" for peer, a in found[state].items())
            parts.append(f"{state} s: {', '.join(each)}")
    if "calls" in found:
        parts.append("call us: " + ", ".join(f"{p} {1e6 * c['bare']:.2f}" for p, c in found["calls"].items()))
    if "error" in found:
        parts.append(found["error"])
    return f"{found['model']}: {'; '.join(parts)}"


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pymc", description=__doc__)
    parser.add_argument("--only", action="append", default=[], metavar="MODEL", help="or how names begin; repeatable")
    parser.add_argument("--peers", default=",".join(PEERS), help=f"comma-separated, of {', '.join(PEERS)}; none: ''")
    parser.add_argument("--measures", default=",".join(MEASURES), help=f"comma-separated, of {', '.join(MEASURES)}")
    parser.add_argument("--colds", type=int, default=1, metavar="N", help="compilations with empty caches")
    parser.add_argument("--warms", type=int, default=3, metavar="N", help="with full ones")
    parser.add_argument("--draws", type=int, default=1000, metavar="N", help="of each of two chains of nutpie")
    parser.add_argument("--limit", type=float, default=300, metavar="SECONDS", help="of a process")
    parser.add_argument("--list", action="store_true", help="say the models' names and what they ask of a compiler")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all facts; written after each model")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the table, in a page between its markers")
    parser.add_argument("--from-json", type=Path, metavar="FILE", help="measure nothing: make the table of these facts")
    chosen = parser.parse_args(arguments)
    chosen.peers = [p for p in chosen.peers.split(",") if p and p != OURS]
    chosen.measures = [m for m in chosen.measures.split(",") if m]
    if unknown := sorted(set(chosen.peers) - set(PEERS) | set(chosen.measures) - set(MEASURES)):
        parser.error(f"no such peers or measures: {', '.join(unknown)}")
    return chosen


def write(path: Path, table: str) -> None:
    from benchmarks.__main__ import write_table

    write_table(path, table, "pymc")


def main(arguments: Sequence[str] | None = None) -> int:
    """The status is 1 if a model failed or differs, 2 if what it takes is not installed."""
    chosen = parse(arguments)
    if chosen.from_json:
        facts = json.loads(chosen.from_json.read_text())
    else:
        if absent := missing(NEEDED):
            print(
                f"benchmarks.pymc: {', '.join(absent)} is not installed; pip install 'tensordsl[pymc]' numba jax",
                file=sys.stderr,
            )
            return 2
        from benchmarks.pymc.models import BY_NAME  # late: it imports PyMC

        if chosen.list:
            for name, build in BY_NAME.items():
                print(f"{name}: {(build.__doc__ or '').splitlines()[0]}")
            return 0
        for start in chosen.only:
            if not any(name.startswith(start) for name in BY_NAME):
                print(f"benchmarks.pymc: no model begins with {start!r}", file=sys.stderr)
                return 2
        names = [n for n in BY_NAME if not chosen.only or n.startswith(tuple(chosen.only))]
        peers = [p for p in chosen.peers if not missing((p,))]
        for peer in set(chosen.peers) - set(peers):
            print(f"benchmarks.pymc: {peer} is not installed and left out; pip install {peer}", file=sys.stderr)
        if "nutpie" in chosen.measures and missing(("nutpie",)):
            print("benchmarks.pymc: nutpie is not installed and left out; pip install nutpie", file=sys.stderr)
            chosen.measures.remove("nutpie")
        facts = {**facts_of_machine(), "peers": [OURS, *peers], "models": []}
        with tempfile.TemporaryDirectory() as folder:  # not counted: it writes the bytecode of all that is imported
            for peer in facts["peers"]:
                ask(Path(folder), chosen.limit, "compile", "eight_schools", peer)
        for k, name in enumerate(names):
            begin = time.perf_counter()
            facts["models"].append(measure(name, facts["peers"], chosen))
            line = brief(facts["models"][-1])
            print(f"[{k + 1}/{len(names)}, {time.perf_counter() - begin:.0f} s] {line}", file=sys.stderr, flush=True)
            if chosen.json:
                chosen.json.write_text(json.dumps(facts, indent=1) + "\n")
    table = as_markdown(facts)
    print(table)
    if chosen.markdown:
        write(chosen.markdown, table)
    return 1 if any("error" in found for found in facts["models"]) else 0


if __name__ == "__main__":
    raise SystemExit(main())
