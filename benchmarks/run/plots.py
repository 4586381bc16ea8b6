"""Plots of a run of the suite `plots`, as SVG: time against size, compile time against nodes, bandwidth; by Matplotlib,
the extra `plot`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.workloads.peers import BY_CASE, TYPES
from benchmarks.workloads.suites import ROOFLINE

COLOURS = {
    "tensordsl": "#d62728", "numpy": "#1f77b4", "numba": "#2ca02c", "pytensor": "#9467bd", "jax": "#ff7f0e",
    "numexpr": "#8c564b", "blosc2": "#bcbd22", "tinygrad": "#17becf", "torch": "#7f7f7f",
    "alone": "#e377c2",
}  # fmt: skip
ARRAYS = dict(zip(ROOFLINE, (4, 5, 4, 1), strict=True))  # that a call reads or writes
SIZES = {
    "t.axpb.f8": "a * b + c, float64", "t.tanh.f8": "tanh(x), float64", "t.sum.f8": "sum(x), float64",
    "t.layer.f4": "tanh(x @ w + b), n x n, float32",
}  # fmt: skip
Series = dict[str, list[tuple[float, float]]]  # by peer


def series(facts: dict[str, Any], start: str, of: Callable[[str], float], state: str = "") -> Series:
    found: Series = {}
    for row in facts["results"]:
        if row["workload"].startswith(start) and row["state"] == state and row["minimum"] is not None:
            found.setdefault(row["peer"], []).append((of(row["workload"]), row["minimum"]))
    return {peer: sorted(points) for peer, points in found.items()}


def length(workload: str) -> float:
    return float(workload.rsplit(".", 1)[1])


def nodes(workload: str) -> float:
    return float(workload.rsplit("-", 1)[1])


def touched(workload: str) -> float:
    """Bytes that a call of a workload bounded by memory reads or writes."""
    what = workload.rsplit(".", 1)[0]
    case = BY_CASE[workload]
    return float(ARRAYS[what] * TYPES[case.dtype].itemsize * case.make()[-1].size)


def draw(axis: Any, found: Series) -> None:
    style = {"marker": "o", "markersize": 3, "linewidth": 1.2}
    for peer, points in found.items():
        axis.plot(*zip(*points, strict=True), color=COLOURS[peer], label=peer, **style)
    axis.set_xscale("log")
    axis.set_yscale("log")
    axis.minorticks_off()
    axis.grid(alpha=0.25)


def save(figure: Any, path: Path) -> None:
    handles: dict[str, Any] = {}
    for axis in figure.axes:
        handles |= {label: h for h, label in zip(*axis.get_legend_handles_labels(), strict=True)}
    figure.legend(handles.values(), handles.keys(), loc="lower center", ncols=8, fontsize=8, frameon=False)
    figure.tight_layout(rect=(0, 0.07, 1, 1))
    figure.savefig(path, metadata={"Date": None})


def plot(facts: dict[str, Any], directory: Path) -> list[Path]:
    """Write the plots; returns their paths."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams |= {"svg.hashsalt": "tensordsl", "svg.fonttype": "none", "font.size": 8}
    from matplotlib import pyplot

    directory.mkdir(parents=True, exist_ok=True)
    paths = [directory / name for name in ("size.svg", "compile.svg", "bandwidth.svg")]

    figure, axes = pyplot.subplots(1, 4, figsize=(11, 3))
    for axis, (start, title) in zip(axes, SIZES.items(), strict=True):
        draw(axis, series(facts, start, length))
        axis.set(title=title, xlabel="elements" if "layer" not in start else "n", ylabel="seconds per call")
    save(figure, paths[0])

    figure, axes = pyplot.subplots(1, 2, figsize=(8, 3))
    for axis, state in zip(axes, ("cold", "warm"), strict=True):
        found = series(facts, "nodes-", nodes, state)
        draw(axis, {peer: points for peer, points in found.items() if peer != "numpy"})
        axis.set(title=f"chain of operations, {state}", xlabel="operations", ylabel="CPU seconds to the first result")
    save(figure, paths[1])

    figure, axes = pyplot.subplots(1, len(ROOFLINE), figsize=(11, 3), sharey=True)
    for axis, start in zip(axes, ROOFLINE, strict=True):
        found = series(facts, start + ".", touched)
        draw(axis, {peer: [(n, n / t / 1e9) for n, t in points] for peer, points in found.items()})
        triad = sorted((float(n), speed / 1e9) for n, speed in facts["triad"].items())
        if triad:
            axis.plot(*zip(*triad, strict=True), color="black", linestyle="--", linewidth=1, label="triad")
        axis.set(title=start, xlabel="bytes read and written", ylabel="GB/s")
    save(figure, paths[2])
    return paths
