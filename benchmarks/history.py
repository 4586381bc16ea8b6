"""What runs found, kept: a JSON file per run, and how the last two compare (`python -m benchmarks.history DIR`)."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

Facts = dict[str, Any]
NOISE = 1.1  # ratios up to here say nothing on a shared machine


def keep(directory: Path, facts: Facts) -> Path:
    """Write a run's facts; files sort by date."""
    directory.mkdir(parents=True, exist_ok=True)
    stamp = facts["date"][:19].replace(":", "").replace("-", "")
    path = directory / f"{stamp}-{facts['commit'] or 'unknown'}.json"
    path.write_text(json.dumps(facts, indent=1) + "\n")
    return path


def minima(facts: Facts) -> dict[tuple[str, str], dict[str, float]]:
    found: dict[tuple[str, str], dict[str, float]] = {}
    for row in facts["results"]:
        if row["minimum"] is not None:
            found.setdefault((row["workload"], row["state"]), {})[row["peer"]] = row["minimum"]
    return found


def relative(peers: dict[str, float]) -> float | None:
    """Our time over NumPy's, or where NumPy compiles nothing over the best other's: the machine's speed cancels."""
    others = [least for peer, least in peers.items() if peer != "tensordsl"]
    ours, numpy = peers.get("tensordsl"), peers.get("numpy")
    if ours is None or not others:
        return None
    return ours / (numpy or min(others))


def comparison(before: Facts, now: Facts) -> str:
    """A table of what both runs measured, the largest change first: our times, and their change relative to the peers'
    times in the same run."""
    old, new = minima(before), minima(now)
    rows = []
    for key in new:
        a, b = old.get(key, {}), new[key]
        if "tensordsl" in a and "tensordsl" in b:
            x, y = relative(a), relative(b)
            rows.append((y / x if x and y else None, b["tensordsl"] / a["tensordsl"], key, a, b))
    rows.sort(key=lambda row: -(row[0] or row[1]))
    lines = [f"{before['commit'] or before['date']} -> {now['commit'] or now['date']}"]
    if before["machine"]["cpu"] != now["machine"]["cpu"]:
        lines.append(f"other machines: {before['machine']['cpu']}, {now['machine']['cpu']}")
    lines.append(f"{'workload':36} {'before':>10} {'now':>10} {'ratio':>6} {'to peers':>8}")
    for to_peers, change, (workload, state), a, b in rows:
        moved = to_peers or change
        mark = " slower" if moved > NOISE else " faster" if moved < 1 / NOISE else ""
        last = "-" if to_peers is None else f"{to_peers:.2f}"
        name = f"{workload} {state}".strip()
        lines.append(f"{name:36} {a['tensordsl']:10.3e} {b['tensordsl']:10.3e} {change:6.2f} {last:>8}{mark}")
    return "\n".join(lines)


def compare_last(directory: Path) -> str:
    paths = sorted(directory.glob("*.json"))
    if len(paths) < 2:
        return f"{len(paths)} run in the history: nothing to compare with"
    return comparison(*(json.loads(path.read_text()) for path in paths[-2:]))


if __name__ == "__main__":
    print(compare_last(Path(sys.argv[1])))
