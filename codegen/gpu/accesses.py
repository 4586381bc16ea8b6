"""How threads may read and write a group's operands: several elements at a time, across, in an input's place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tensordsl.codegen.cpu.schedule import reach
from tensordsl.codegen.fusion.group import Buffer, Group, Pass, buffers
from tensordsl.codegen.scalar_ir.builder import ITEMSIZE, Val, walk

ACCESS = 16  # bytes of the widest access
IN_FLIGHT = 32  # loads of a thread at a time that are worth registers; twice as many where they are adjacent


def flat_vector(group: Group) -> int:
    """Elements of a wide access: all operands' elements of one thread fit ACCESS bytes, and registers."""
    ins, outs = buffers(group)
    vector = max(1, ACCESS // max(ITEMSIZE[b.type] for b in [*ins, *outs]))
    return max(1, min(vector, 1 << (2 * IN_FLIGHT // max(1, len(ins))).bit_length() >> 1))


def is_wide(entries: tuple[Any, ...], lane: str) -> bool:
    """May neighbours along the lane axis be one access, if they are adjacent in memory?"""
    rest = entries[:-1]
    return (
        bool(entries) and entries[-1] == lane and lane not in rest and all(isinstance(m, str) or m == 0 for m in rest)
    )


def crosses(v: Val, lane: str) -> bool:
    """Is this a load along both the lane axis and another, last one, along which its neighbours are adjacent?"""
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


def merging(p: Pass) -> tuple[list[list[str]], list[tuple[Buffer, int]]]:
    """The local axes in runs, along each of which one number can walk, and what this wants: the buffers, and their axes
    whose steps have to be those of as many elements of the next axis as it has."""
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
