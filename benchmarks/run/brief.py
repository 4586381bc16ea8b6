"""A run as a table of six columns, for docs/performance.md: ours, NumPy's, and the best of the others.

`python -m benchmarks --brief --markdown docs/performance.md` writes it between the page's markers; of the suite `peers`
it is a row per group of workloads, then a row per library.
"""

from __future__ import annotations

from benchmarks.run.harness import PEERS, Result, Run
from benchmarks.run.report import (
    APART,
    OURS,
    as_json,
    best,
    caption,
    described,
    geometric_mean,
    heading,
    is_met,
    quantity,
    ratio,
    row,
    two_digits,
)
from benchmarks.workloads.suites import BY_NAME

HEAD = ("workload", "tensordsl", "NumPy", "best other", "that / ours", "target")
# What begins a workload's name in the suite `peers`.
GROUPS = {
    "a": "calls",
    "b": "bounded by memory",
    "c": "functions",
    "d": "broadcasting, strides, transposes",
    "e": "reductions",
    "f": "Black-Scholes",
    "g": "networks",
    "h": "logistic regression",
    "j": "heat equation",
    "l": "changing lengths, chains",
    "m": "rows by index",
    "n": "log-densities with gradients",
    "o": "sorting, running sums",
    "p": "stacks of products",
}


def as_brief(run: Run, seconds: float) -> str:
    """Single workloads as one row each; those of the suite `peers` by group and by library."""
    is_grouped = all(result.workload.split(".")[0] in GROUPS for result in run.results)
    lines = grouped(run) if is_grouped else single(run)
    about = caption(as_json(run, seconds)).replace("Minimum (median)", "Minimum")
    return "\n".join([about, "", *lines]) + "\n"


def single(run: Run) -> list[str]:
    minima = best(run)
    found = {(result.workload, result.state, result.peer): result for result in run.results}
    lines = heading(*HEAD)
    for workload, state in dict.fromkeys((result.workload, result.state) for result in run.results):
        kind = BY_NAME[workload].kind
        ours, numpy = (found.get((workload, state, peer)) for peer in (OURS, "numpy"))
        rivals = [r for (*at, peer), r in found.items() if at == [workload, state] and peer not in APART]
        others = [r for r in rivals if r.minimum is not None and (kind == "call" or r.peer != "numpy")]
        first = min(others, key=lambda result: result.minimum or 0.0, default=None)
        target = BY_NAME[workload].targets.get(state)
        met = is_met(target, (workload, state), minima) if target else None
        lines.append(
            row(
                f"{BY_NAME[workload].what}{f', {state}' if state else ''}",
                least(ours, kind),
                "-" if kind == "compile" else least(numpy, kind),  # an eager library compiles nothing
                f"{first.peer} {least(first, kind)}" if first else "-",
                two_digits(ratio(first.minimum if first else None, ours.minimum if ours else None)),
                described(target, kind) + {True: ": met", False: ": missed", None: ""}[met],
            )
        )
    return lines


def least(result: Result | None, kind: str) -> str:
    return quantity(result.minimum if result else None, kind)


def grouped(run: Run) -> list[str]:
    calls = {(r.workload, r.peer): r.minimum for r in run.results if r.minimum}
    ours = {workload: least for (workload, peer), least in calls.items() if peer == OURS}
    others = {peer: {w: t for (w, p), t in calls.items() if p == peer and w in ours} for peer in PEERS}
    others = {peer: times for peer, times in others.items() if times and peer not in APART}
    ratios = {w: t / min(times[w] for times in others.values() if w in times) for w, t in ours.items()}
    lines = heading("group", "workloads", "ours / the best other", "worst")
    for letter, title in [*GROUPS.items(), ("", "all")]:
        members = [w for w in ratios if w.startswith(letter)]
        if members:
            worst = max(members, key=ratios.__getitem__)
            mean = two_digits(geometric_mean([ratios[w] for w in members]))
            lines.append(row(title, str(len(members)), mean, f"{two_digits(ratios[worst])}, `{worst}`"))
    lines += ["", *heading("library", "workloads that it has", "ours / its time", "worst")]
    for peer, times in others.items():
        beside = [ours[w] / t for w, t in times.items()]
        lines.append(row(peer, str(len(times)), two_digits(geometric_mean(beside)), two_digits(max(beside))))
    return lines
