"""Memory accesses of GPU threads: wide loads, loads across the lane axis, updates in an input's storage.

Answers questions about a group's loads and stores, by their maps alone; `elementwise`, `kernels` and
`row_in_registers` emit what follows from them.  A warp's access is fast where its threads' elements are adjacent.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tensordsl.codegen.cpu.schedule import reach
from tensordsl.codegen.fusion.group import Buffer, Group, Pass, buffers
from tensordsl.codegen.scalar_ir.builder import ITEMSIZE, Val, walk

ACCESS_BYTES = 16  # of the widest access
MAX_LOADS_IN_FLIGHT = 32  # of a thread at a time, each in registers; twice as many where they are adjacent


def elements_per_access(group: Group) -> int:
    """Elements of a wide access: all operands' elements of one thread fit ACCESS_BYTES, and registers."""
    ins, outs = buffers(group)
    vector = max(1, ACCESS_BYTES // max(ITEMSIZE[b.type] for b in [*ins, *outs]))
    return max(1, min(vector, 1 << (2 * MAX_LOADS_IN_FLIGHT // max(1, len(ins))).bit_length() >> 1))


def is_wide(entries: tuple[Any, ...], lane: str) -> bool:
    """Whether adjacent elements along the lane axis may be one access: the lane axis is the last one of the map."""
    rest = entries[:-1]
    return (
        bool(entries) and entries[-1] == lane and lane not in rest and all(isinstance(m, str) or m == 0 for m in rest)
    )


def is_crossing_load(v: Val, lane: str) -> bool:
    """Whether v is a load along both the lane axis and another, last one, along which it is adjacent in memory."""
    if v.op != "load" or v.args or not v.attr[1] or v.attr[1][-1] in (lane, 0):
        return False
    axes = [m for m in v.attr[1] if m != 0]
    return lane in axes and len(set(axes)) == len(axes)


def check_updates(group: Group, steps: Sequence[Pass], tile: str) -> None:
    """Raises ValueError for an output in an input's storage, of which another thread could still read the old value.

    It must be read at the very points that are written: over elements in no later pass, next to rows in that pass only.
    """
    loads = [v for v in walk(group.roots) if v.op == "load"]
    for last, p in enumerate(steps):
        for o in p.outs:
            for v in (v for v in loads if v.attr[0].name == o.buffer.name):
                uses = [k for k, q in enumerate(steps) if any(v is w for w in _values(q))]
                is_own = v.attr == (v.attr[0], o.map) and v.type == o.buffer.type
                is_own = is_own and set(o.map) - {0} == {*group.parallel, *p.local} - {tile}
                if not is_own or max(uses) > last or (min(uses) < last and not p.local):
                    raise ValueError(
                        f"group {group.name}: {o.buffer.name} is read where another thread may have written"
                    )


def _values(p: Pass) -> list[Val]:
    """What a pass computes, with the row's values that it uses."""
    roots = [a for r in p.reduces for a in r.args] + [o.value for o in p.outs]
    return reach(roots, lambda v: v.op == "result")


def mergeable_axes(p: Pass) -> tuple[list[list[str]], list[tuple[Buffer, int]]]:
    """The local axes in runs, along each of which one index can advance, and what this requires: the buffers, and their
    axes whose stride has to equal that of as many elements of the next axis as it has."""
    roots = [a for r in p.reduces for a in r.args] + [o.value for o in p.outs]
    values = reach(roots, lambda v: v.op == "result")
    uses = [v.attr for v in values if v.op == "load"] + [(o.buffer, o.map) for o in p.outs]
    alone = {v.attr for v in values if v.op == "index"}
    runs, together = [[a] for a in p.local[:1]], []
    for a, b in zip(p.local, p.local[1:], strict=False):
        places = [[d for d, m in enumerate(entries) if m in (a, b)] for _, entries in uses]
        follow = [
            not at or (entries[at[0]] == a and entries[at[0] + 1 :][:1] == (b,) and len(at) == 2)
            for at, (_, entries) in zip(places, uses, strict=True)
        ]
        if alone & {a, b} or not all(follow):
            runs.append([b])
            continue
        runs[-1].append(b)
        together += [(buffer, at[0]) for at, (buffer, _) in zip(places, uses, strict=True) if at]
    return runs, together
