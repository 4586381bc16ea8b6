"""The table of a run, and what it says of the aims.

Contract  `as_markdown(facts)`: a row a model, geometric means, the worst; a figure that is missing is a dash.
"""

from __future__ import annotations

import math
import platform
from collections.abc import Iterable, Sequence
from datetime import date
from importlib import metadata
from typing import Any

from benchmarks.pymc.worker import OURS

TOLERANCE = 1e-9
PACKAGES = ("tensordsl", "pymc", "pytensor", "numba", "jax", "nutpie", "numpy", "llvmlite")
# Aims: name -> (what, the largest that is allowed)
COLD_SECONDS, WARM_SECONDS, OWN_SECONDS = 1.0, 0.3, 0.03
COLD_RATIO, BARE_RATIO, WORST_BARE_RATIO, NUTPIE_RATIO = 0.25, 0.35, 1.0, 0.25


def facts_of_machine() -> dict[str, Any]:
    """The date, the processor and the versions."""
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    if "tensordsl" not in versions:  # run from its sources
        from tensordsl import __version__

        versions["tensordsl"] = __version__
    return {"date": date.today().isoformat(), "processor": _processor(), "versions": versions}


def _processor() -> str:
    try:
        with open("/proc/cpuinfo") as lines:
            return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def get(found: dict[str, Any], *path: str) -> float | None:
    """A figure of a model's facts, or None."""
    for key in path:
        if not isinstance(found, dict) or key not in found:
            return None
        found = found[key]
    return float(found)  # type: ignore[arg-type]


def ratio(found: dict[str, Any], peer: str, *path: str) -> float | None:
    """Ours by a peer's; `path` has `*` where the peer's name stands."""
    ours = get(found, *(OURS if key == "*" else key for key in path))
    theirs = get(found, *(peer if key == "*" else key for key in path))
    return None if ours is None or not theirs else ours / theirs


def geometric_mean(values: Iterable[float | None]) -> float | None:
    known = [v for v in values if v]
    return math.exp(sum(map(math.log, known)) / len(known)) if known else None


def number(value: float | None, digits: int = 3) -> str:
    if value is None:
        return "-"
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{float(f'{value:.{digits}g}'):g}"


def each(found: dict[str, Any], peers: Sequence[str], *path: str, scale: float = 1) -> str:
    """The figures of all peers, ours first."""
    values = (get(found, *(peer if key == "*" else key for key in path)) for peer in peers)
    return " / ".join(number(None if v is None else v * scale) for v in values)


def difference(found: dict[str, Any]) -> float | None:
    gaps = [v for worst in found.get("differences", {}).values() for v in worst.values()]
    return max(gaps) if gaps else None


def _own(found: dict[str, Any], peers: Sequence[str]) -> str:
    return number(_milliseconds(get(found, "warm", OURS, "own")))


def _milliseconds(value: float | None) -> float | None:
    return None if value is None else 1000 * value


def _without_library(found: dict[str, Any]) -> float | None:
    cold, library = get(found, "cold", OURS, "seconds"), get(found, "cold", OURS, "library")
    return None if cold is None else cold - (library or 0)


def as_markdown(facts: dict[str, Any]) -> str:
    """The table, with a line of versions above and of aims below."""
    peers, models = facts["peers"], facts["models"]
    names = " / ".join("ours" if peer == OURS else peer for peer in peers)
    head = ["model (parameters)"]
    columns = []
    if any("cold" in m for m in models):
        head += [
            f"compile, cold, s: {names}",
            "ours without parts of the library",
            f"warm, s: {names}",
            "of it this library, ms",
        ]
        columns += [
            lambda m: each(m, peers, "cold", "*", "seconds"), lambda m: number(_without_library(m)),
            lambda m: each(m, peers, "warm", "*", "seconds"), lambda m: _own(m, peers),
        ]  # fmt: skip
    if any("calls" in m for m in models):
        head += [
            f"bare call, us: {names}",
            "ratio to Numba",
            f"whole call, us: {names}",
            "largest difference",
            "steps of Python",
        ]
        columns += [
            lambda m: each(m, peers, "calls", "*", "bare", scale=1e6),
            lambda m: number(ratio(m, "numba", "calls", "*", "bare"), 2),
            lambda m: each(m, peers, "calls", "*", "whole", scale=1e6),
            lambda m: "-" if difference(m) is None else f"{difference(m):.0e}",
            lambda m: str(len(m["python_steps"])) if "python_steps" in m else "-",
        ]  # fmt: skip
    if any("nutpie" in m for m in models):
        head += [f"nutpie, cold, with compiling, s: {names}", f"draws per second: {names}"]
        columns += [
            lambda m: each(m, peers, "nutpie", "*", "seconds"),
            lambda m: each(m, peers, "nutpie", "*", "draws_per_second"),
        ]  # fmt: skip
    lines = [_versions(facts), "", "| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    for m in models:
        size = f" ({m['parameters']})" if "parameters" in m else ""
        lines.append("| " + " | ".join([m["model"] + size, *(column(m) for column in columns)]) + " |")
    return "\n".join([*lines, "", *aims(facts), *notes(facts)]) + "\n"


def _versions(facts: dict[str, Any]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    return f"{facts['date']}, {facts['processor']}, one thread, CPU time, minima. {versions}."


def aims(facts: dict[str, Any]) -> list[str]:
    """What is wanted beside what is found, with the models that miss it."""
    models = facts["models"]
    rows = ["| what | wanted | found | models beyond |", "| --- | --- | --- | --- |"]

    def of_each(what: str, limit: float, value: Any) -> None:
        known = {m["model"]: v for m in models if (v := value(m)) is not None}
        if known:
            beyond = [f"{name} {number(v, 2)}" for name, v in known.items() if v > limit]
            worst = max(known.values())
            rows.append(f"| {what}, each | {limit:g} | at most {number(worst)} | {', '.join(beyond) or 'none'} |")

    def of_all(what: str, limit: float, value: Any) -> None:
        mean = geometric_mean(value(m) for m in models)
        if mean is not None:
            rows.append(f"| {what}, geometric mean | {limit:g} | {number(mean)} | |")

    of_each("compile cold, s", COLD_SECONDS, lambda m: get(m, "cold", OURS, "seconds"))
    of_each("compile cold without parts of the library, s", COLD_SECONDS, _without_library)
    of_each("compile warm, s", WARM_SECONDS, lambda m: get(m, "warm", OURS, "seconds"))
    of_each("of it this library, s", OWN_SECONDS, lambda m: get(m, "warm", OURS, "own"))
    for peer in facts["peers"][1:]:
        of_all(f"compile cold, to {peer}", COLD_RATIO, lambda m: ratio(m, peer, "cold", "*", "seconds"))  # noqa: B023
        of_all(f"compile warm, to {peer}", 1, lambda m: ratio(m, peer, "warm", "*", "seconds"))  # noqa: B023
        of_all(f"bare call, to {peer}", BARE_RATIO, lambda m: ratio(m, peer, "calls", "*", "bare"))  # noqa: B023
        of_each(f"bare call, to {peer}", WORST_BARE_RATIO, lambda m: ratio(m, peer, "calls", "*", "bare"))  # noqa: B023
        of_all(f"whole call, to {peer}", 1, lambda m: ratio(m, peer, "calls", "*", "whole"))  # noqa: B023
        of_all(f"nutpie with compiling, to {peer}", NUTPIE_RATIO, lambda m: ratio(m, peer, "nutpie", "*", "seconds"))  # noqa: B023
    of_each("difference", TOLERANCE, difference)
    of_each("steps of Python", 0, lambda m: len(m["python_steps"]) if "python_steps" in m else None)
    return rows if len(rows) > 2 else []


def notes(facts: dict[str, Any]) -> list[str]:
    """What failed, by model and peer."""
    found = []
    for m in facts["models"]:
        if "error" in m:
            found.append(f"{m['model']}: {m['error']}")
        found += [f"{m['model']}, {peer}: {why}" for peer, why in m.get("missing", {}).items()]
        for state in ("cold", "warm", "nutpie"):
            answers = m.get(state, {}).items()
            found += [f"{m['model']}, {peer}, {state}: {a['error']}" for peer, a in answers if "error" in a]
    return ["", *(f"- {line}" for line in found)] if found else []
