"""Which of the schedules of a group a call runs: what the program compares at run time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from tensordsl.codegen import extents as ex
from tensordsl.codegen.group import Group, Schedule
from tensordsl.codegen.scalar import HEAVY, ITEMSIZE
from tensordsl.codegen.schedule import BESIDE_VECTORS, SHORT, widens, widest_load
from tensordsl.codegen.storage import Ref, Scope, known_at_entry

SHORT_BY_INDEX = 7  # elements of rows at indices: the other way each element is an access of its own
SHORT_IF_HEAVY = 64  # elements of dear functions, of which rows take a whole vector too many


class Builder(Protocol):
    """What is needed of a `bufferise.Bufferiser`."""

    entry: Scope
    scopes: list[Scope]

    def find(self, length: Any) -> Any: ...
    def name(self, length: Any) -> str: ...
    def compared(self, *conditions: tuple[str, Any, Any]) -> str: ...
    def joined(self, op: str, names: Sequence[str]) -> str: ...


def prefers(b: Builder, group: Group, usual: Schedule, other: Schedule, refs: dict[int, Ref]) -> str | None:
    """Whether lanes should run the other way, if that is not known to be worse: the usual lanes' axis is short (and
    several rows are not taken as one), or elements are adjacent along the other; and the other is long.  Known at entry
    where that can be."""
    short = _short(group, usual)
    here, there = (group.extents[s.lane] for s in (usual, other))
    bounds = [("le", here, short)] if not isinstance(here, int) or SHORT < here <= short else []
    together = bool(bounds) and widens(group, usual.lane)
    apart = _apart(b, group, usual, refs) if together else []
    bounds = bounds if apart or not together else []
    load = widest_load(group, (usual.lane, other.lane))
    steps: list[tuple[str, Any, Any]] = []
    if load is not None:
        buffer, entries = load.attr
        size = ITEMSIZE[buffer.type]
        step, turned = (refs[id(buffer)].strides[entries.index(s.lane)] for s in (usual, other))
        steps = [("ne", step, size), ("eq", turned, size)] if step != size else []
    if not bounds and not steps:
        return None
    long = ("ge", there, 2 * other.width[0])
    scopes = b.scopes
    if all(known_at_entry(b.find(n)) for _, *ends in (*bounds, *apart, *steps, long) for n in ends):
        b.scopes = [b.entry]
    reasons = [b.compared(*steps)] if steps else []
    if bounds:
        gaps = [b.joined("max", [b.compared(condition) for condition in apart])] if apart else []
        reasons.append(b.joined("min", [b.compared(*bounds), *gaps]))
    reason = b.joined("max", reasons)
    result = b.joined("min", [reason, b.compared(long)])
    b.scopes = scopes
    return result


def _apart(b: Builder, group: Group, usual: Schedule, refs: dict[int, Ref]) -> list[tuple[str, Any, Any]]:
    """Of a group whose short rows are taken together where they lie one behind the other: each of these shows that
    they do not."""
    rows = {p.local[-1] for p in group.passes if p.local}
    found = []
    for buffer, entries in (v.attr for v in group.scalars if v.op == "load"):
        size, strides = ITEMSIZE[buffer.type], refs[id(buffer)].strides
        length = ex.mul(size, group.extents[usual.lane])
        for far in (strides[d] for d, a in enumerate(entries) if a in rows):
            pairs = (strides[entries.index(usual.lane)], size), (far, length)
            found += [("ne", x, y) for x, y in pairs if b.find(x) != b.find(y)]
    return found


def is_long(b: Builder, group: Group, usual: Schedule) -> str | None:
    """Whether rows are too long to go side by side, if they may be short: then they need no form for that."""
    lanes, here = [n for n in usual.beside if n], group.extents[usual.lane] if usual.lane else 0
    if not lanes or usual.lane in group.parallel or isinstance(here, int) or not known_at_entry(b.find(here)):
        return None
    return b.compared(("ge", here, BESIDE_VECTORS * max(lanes) + 1))


def _short(group: Group, usual: Schedule) -> int:
    """The length of the usual lanes' axis up to which the other way is better.  Blocks are transposed there, which
    costs less than what is left of a vector; twice where results along the axis go back."""
    if usual.lane in group.parallel:
        return usual.width[0] - 1
    if usual.beside:
        return min(lanes for lanes in usual.beside if lanes) // 2
    if any(usual.lane in o.map for o in group.outs):
        by_index = any(v.op == "load" and v.args and usual.lane in v.attr[1] for v in group.scalars)
        return SHORT_BY_INDEX if by_index else SHORT
    is_heavy = any(v.op in HEAVY and v.op != "reduce" for v in group.scalars)
    return max(usual.width[0], SHORT_IF_HEAVY * is_heavy) - 1
