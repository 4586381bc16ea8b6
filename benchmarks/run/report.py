"""What a run found, as JSON with the facts of the machine, and as a Markdown table."""

from __future__ import annotations

import math
import os
import platform
import subprocess
from datetime import UTC, datetime
from typing import Any

from benchmarks.run.harness import ALONE, MACHINE, PEERS, ROOT, Result, Run
from benchmarks.workloads.foundation import Target
from benchmarks.workloads.suites import BY_NAME

OURS = "tensordsl"
APART = (OURS, MACHINE, ALONE)  # who is no rival
LONG = 1e-3  # seconds of one thread, from where on it is told how much less several take
Minima = dict[tuple[str, str, str], float | None]  # by workload, state and peer


def machine() -> dict[str, Any]:
    """The kind of machine, without its name or paths."""
    model = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo") as lines:
            model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), model)
    except OSError:
        pass
    return {
        "cpu": model,
        "architecture": platform.machine(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2),
        "system": f"{platform.system()} {platform.release().split('-')[0]}",
        "python": platform.python_version(),
    }


def commit() -> str:
    """The commit that was measured, with a mark where files differ from it; "" outside of a checkout."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout.strip()
    except OSError:
        return ""


def best(run: Run) -> Minima:
    return {(result.workload, result.state, result.peer): result.minimum for result in run.results}


def ratio(above: float | None, below: float | None) -> float | None:
    return above / below if above is not None and below else None


def is_met(target: Target, key: tuple[str, str], minima: Minima) -> bool | None:
    """Whether our best round reaches the target; None where it can't be said."""
    ours = minima.get((*key, OURS))
    bounds = [(ours, target.at_most)]
    bounds += [(ratio(ours, minima.get((*key, "numpy"))), target.ratio_to_numpy)]
    if target.ratio_to is not None:
        other, factor = target.ratio_to
        bounds += [(ratio(ours, minima.get((other, key[1], OURS))), factor)]
    rivals = [t for (*at, peer), t in minima.items() if tuple(at) == key and peer not in APART and t]
    fastest = min(rivals, default=None)
    if target.ratio_to_best is not None:
        bounds += [(ratio(ours, fastest), target.ratio_to_best)]
    if target.beyond_best is not None:
        bounds += [(None if ours is None or fastest is None else ours - fastest, target.beyond_best)]
    bounds += [(ratio(ours, minima.get((*key, MACHINE))), target.ratio_to_machine)]
    bounds = [bound for bound in bounds if bound[1] is not None]
    if any(value is None for value, _ in bounds):
        return None
    return all(value <= most for value, most in bounds if value is not None and most is not None)


def as_json(run: Run, seconds: float) -> dict[str, Any]:
    minima = best(run)
    rows = []
    for result in run.results:
        key = (result.workload, result.state)
        target = BY_NAME[result.workload].targets.get(result.state)
        has_target = result.peer == OURS and target is not None
        rows.append(
            {
                "workload": result.workload,
                "kind": BY_NAME[result.workload].kind,
                "state": result.state,
                "peer": result.peer,
                "minimum": result.minimum,
                "median": result.median,
                "to_numpy": ratio(result.minimum, minima.get((*key, "numpy"))),
                "to_tensordsl": ratio(result.minimum, minima.get((*key, OURS))),
                "rounds": result.values,
                "error": result.error,
                "target": described(target, BY_NAME[result.workload].kind) if has_target else "",
                "is_met": is_met(target, key, minima) if has_target and target else None,
            }
        )
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "processor_time": run.plan.processor,
        "avx2": run.plan.avx2,
        "triad": {str(size): speed for size, speed in run.triad.items()},
        "machine": machine(),
        "threads": run.plan.threads,
        "versions": {name: facts["versions"] for name, facts in run.peers.items()},
        "missing": run.missing,
        "seconds": round(seconds, 1),
        "results": rows,
    }


def quantity(value: float | None, kind: str) -> str:
    if value is None:
        return "-"
    if kind == "memory":
        return f"{value:.2f}"
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value * 1e9:.3g} ns"


def cell(result: Result | None, kind: str) -> str:
    if result is None:
        return "-"
    if result.minimum is None:
        return "failed" if result.error else "-"
    text = f"{quantity(result.minimum, kind)} ({quantity(result.median, kind)})"
    return text + (" *failed later*" if result.error else "")


def described(target: Target | None, kind: str) -> str:
    if target is None:
        return ""
    parts = [quantity(target.at_most, kind)] if target.at_most is not None else []
    if target.ratio_to_numpy is not None:
        parts.append(f"{target.ratio_to_numpy:g}x NumPy")
    if target.ratio_to_best is not None:
        parts.append(f"{target.ratio_to_best:g}x the best")
    if target.beyond_best is not None:
        parts.append(f"{quantity(target.beyond_best, kind)} more than the best")
    if target.ratio_to_machine is not None:
        parts.append(f"{target.ratio_to_machine:g}x the machine")
    if target.ratio_to is not None:
        parts.append(f"{target.ratio_to[1]:g}x the {BY_NAME[target.ratio_to[0]].what}")
    return ", ".join(parts)


def as_markdown(run: Run, seconds: float) -> str:
    """One row per workload and state; each cell is the minimum of the rounds and, in brackets, their median."""
    facts = as_json(run, seconds)
    measured = {result.peer for result in run.results}
    names = [name for name in PEERS if name in measured]
    found = {(result.workload, result.state, result.peer): result for result in run.results}
    minima = best(run)
    head = ["workload", *names, "ours / NumPy", "best other / ours", "target", "met"]
    lines = heading(*head)
    for workload, state in dict.fromkeys((result.workload, result.state) for result in run.results):
        results = {name: found.get((workload, state, name)) for name in names}
        lines.append(row(*cells(workload, state, results, minima)))
    notes = [f"- {name} was not measured: {reason}" for name, reason in run.missing.items()]
    notes += [f"- {r.workload} {r.state} on {r.peer}: {r.error}" for r in run.results if r.error]
    return "\n".join([caption(facts), "", *lines, *(["", *notes] if notes else [])]) + "\n"


def caption(facts: dict[str, Any]) -> str:
    about = facts["machine"]
    versions = ", ".join(" with ".join(" ".join(part) for part in used.items()) for used in facts["versions"].values())
    threads = f"{facts['threads']} thread{'s' * (facts['threads'] > 1)}"
    text = (
        f"{about['cpu']}, {about['cores']} cores, {about['system']}, Python {about['python']}, {threads}, "
        f"{facts['date'][:10]}; {versions}. Minimum (median) of interleaved rounds, every result checked against NumPy."
    )
    speeds = [f"{speed / 1e9:.0f} GB/s of {quantity_of_bytes(int(size))}" for size, speed in facts["triad"].items()]
    text += " Processor time." * facts["processor_time"] + " All held to AVX2." * facts["avx2"]
    return text + (f" Triad in the same run: {', '.join(speeds)}." if speeds else "")


def quantity_of_bytes(size: int) -> str:
    return f"{size / 1e6:.3g} MB"


def as_summary(run: Run, seconds: float) -> str:
    """Per group of workloads: how many, the geometric mean of our time over that of the best other, the worst of them;
    the same per peer; then every workload in which another is faster, and what stands beside the least that the machine
    takes, or beside one thread."""
    minima, medians = best(run), {(r.workload, r.peer): r.median for r in run.results}
    calls = [(w, peer, least) for (w, _, peer), least in minima.items() if least and BY_NAME[w].kind == "call"]
    ours = {w: least for w, peer, least in calls if peer == OURS}
    others: dict[str, tuple[float, str]] = {}
    for workload, peer, least in calls:
        if peer not in APART:
            others[workload] = min(others.get(workload, (math.inf, "")), (least, peer))
    ratios = {w: ours[w] / others[w][0] for w in ours if w in others}
    behind = sorted((w for w in ratios if ratios[w] > 1), key=ratios.__getitem__, reverse=True)
    machine, alone = ({w: t for w, peer, t in calls if peer == name and w in ours} for name in (MACHINE, ALONE))
    tables = [
        group_rows(ratios),
        peer_rows(ours, calls, others),
        [
            *heading("another is faster", "ours", "best other", "ours / best other", "of medians"),
            *(
                row(w, *beside(ours[w], *others[w]), two_digits(ratio(medians[w, OURS], medians[w, others[w][1]])))
                for w in behind
            ),
        ],
        [
            *heading("beside the machine", "ours", "the machine's least", "ours / that"),
            *(row(w, *beside(ours[w], least, "")) for w, least in machine.items()),
        ],
        [
            *heading("beside one thread", "ours", "of one thread", "ours / that"),
            *(row(w, *beside(ours[w], least, "")) for w, least in alone.items() if least >= LONG),
        ],
    ]
    return "\n\n".join([caption(as_json(run, seconds)), *("\n".join(lines) for lines in tables if lines[2:])]) + "\n"


def row(*columns: str) -> str:
    return f"| {' | '.join(columns)} |"


def heading(*columns: str) -> list[str]:
    return [row(*columns), row(*["---"] * len(columns))]


def two_digits(number: float | None) -> str:
    return "-" if number is None else f"{number:.2f}"


def beside(ours: float, least: float, peer: str) -> tuple[str, str, str]:
    return quantity(ours, "call"), f"{peer} {quantity(least, 'call')}".strip(), two_digits(ours / least)


def geometric_mean(numbers: list[float]) -> float:
    return math.exp(sum(map(math.log, numbers)) / len(numbers))


def peer_rows(
    ours: dict[str, float], calls: list[tuple[str, str, float]], others: dict[str, tuple[float, str]]
) -> list[str]:
    lines = heading("peer", "workloads", "ours / its time", "worst", "the best of all in")
    for name in (name for name in PEERS if name not in APART):
        ratios = {w: ours[w] / least for w, peer, least in calls if peer == name and w in ours}
        if ratios:
            mean, worst = geometric_mean([*ratios.values()]), max(ratios.values())
            first = sum(others[w][1] == name for w in ratios)
            lines.append(row(name, str(len(ratios)), two_digits(mean), two_digits(worst), str(first)))
    return lines


def group_rows(ratios: dict[str, float]) -> list[str]:
    lines = heading("group", "workloads", "ours / best other, geometric mean", "worst")
    groups: dict[str, list[str]] = {}
    for workload in ratios:
        groups.setdefault(workload.split(".")[0], []).append(workload)
    for name, members in [*groups.items(), *([("all", list(ratios))] if ratios else [])]:
        mean, worst = geometric_mean([ratios[w] for w in members]), max(members, key=ratios.__getitem__)
        lines.append(row(name, str(len(members)), two_digits(mean), f"{worst}: {ratios[worst]:.2f}"))
    return lines


def cells(workload: str, state: str, results: dict[str, Result | None], minima: Minima) -> list[str]:
    kind = BY_NAME[workload].kind
    target = BY_NAME[workload].targets.get(state)
    ours, numpy = results.get(OURS), results.get("numpy")
    our_best = ours.minimum if ours else None
    # A compiled function against an eager one: comparing their compile times says nothing.
    to_numpy = ratio(our_best, numpy.minimum) if numpy and kind == "call" else None
    no_rivals = APART if kind == "call" else (*APART, "numpy")
    rivals = [r.minimum for name, r in results.items() if r and name not in no_rivals and r.minimum is not None]
    to_ours = ratio(min(rivals, default=None), our_best)
    met = is_met(target, (workload, state), minima) if target else None
    return [
        f"{BY_NAME[workload].what}{f', {state}' if state else ''}",
        *(cell(result, kind) for result in results.values()),
        two_digits(to_numpy),
        two_digits(to_ours),
        described(target, kind),
        {True: "yes", False: "no", None: ""}[met],
    ]
