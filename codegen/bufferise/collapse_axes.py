"""Axis collapse before reductions: axes that are contiguous in all operands become one.

Short rows that follow each other become a long one, matrices of rows as many rows; under a condition that the call
checks, where strides are known only then.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from tensordsl.base.records import record
from tensordsl.codegen.fusion.group import Buffer, Group, Out
from tensordsl.codegen.program_ir.storage import Ref
from tensordsl.codegen.scalar_ir.builder import Val
from tensordsl.codegen.tensor_ir import extents as ex
from tensordsl.codegen.variants.conditions import Builder, Condition

Operand = tuple[Buffer, tuple[Any, ...]]  # a buffer and the axes that it is read or written along


@record
class Rewritten:
    """The same group with fewer axes, where its operands are then, and the name of whether that is possible and
    better, None if it is known to be."""

    group: Group
    refs: dict[int, Ref]
    condition: str | None


def one_axis(b: Builder, group: Group, refs: dict[int, Ref]) -> Rewritten | None:
    """A group that reduces the same axes in all passes, the last of which may be one, or those of its rows, or others
    that are known to be; None if they can't be."""
    locals_ = {p.local for p in group.passes if p.local}
    if not group.parallel or len(locals_) != 1:
        return None
    operands = [*(v.attr for v in group.scalars if v.op == "load"), *((o.buffer, o.map) for o in group.outs)]
    places = {v.attr for v in group.scalars if v.op == "index"}
    every = [_adjacent(axes, operands) for axes in (group.parallel, *locals_)]

    def conditions_of(axes: Sequence[str]) -> list[Condition]:
        return [c for operand in operands for c in _conditions(b, group, operand, axes, refs)]

    last = [runs[-1] for runs in every]
    known = [axes for runs in every for axes in runs[:-1] if not conditions_of(axes)]
    runs = [axes for axes in (*last, *known) if len(axes) > 1 and not places & set(axes)]
    conditions = [c for axes in runs for c in conditions_of(axes)]
    if not runs or any(isinstance(x, int) and isinstance(y, int) for _, x, y in conditions):
        return None
    for axes in runs:
        group, refs = _with_one_axis(group, axes, refs)
    return Rewritten(group, refs, b.compared(*conditions) if conditions else None)


def _adjacent(local: Sequence[str], operands: Sequence[Operand]) -> list[list[str]]:
    """The axes, split into runs of which every operand has all in sequence, or none."""
    parts = [[local[0]]]
    for outer, inner in zip(local, local[1:], strict=False):
        if all(_follow(entries, outer, inner) for _, entries in operands):
            parts[-1].append(inner)
        else:
            parts.append([inner])
    return parts


def _follow(entries: Sequence[Any], outer: str, inner: str) -> bool:
    places = [d for d, a in enumerate(entries) if a in (outer, inner)]
    return not places or [entries[d] for d in range(places[0], places[0] + len(places))] == [outer, inner]


def _conditions(
    b: Builder, group: Group, operand: Operand, axes: Sequence[str], refs: dict[int, Ref]
) -> list[Condition]:
    """Under which the operand's axes are one."""
    buffer, entries = operand
    if axes[-1] not in entries:
        return []
    strides, first = refs[id(buffer)].strides, entries.index(axes[0])
    pairs = [
        (b.find(strides[first + k]), ex.mul(b.find(strides[first + k + 1]), b.find(group.extents[inner])))
        for k, inner in enumerate(axes[1:])
    ]
    return [("eq", far, line) for far, line in pairs if far != line]


def _with_one_axis(group: Group, axes: Sequence[str], refs: dict[int, Ref]) -> tuple[Group, dict[int, Ref]]:
    *gone, lane = axes
    length = ex.product(group.extents[a] for a in axes)
    buffers: dict[Any, Buffer] = {}
    moved: dict[int, Ref] = {}

    def collapsed(buffer: Buffer, entries: tuple[Any, ...]) -> tuple[Buffer, tuple[Any, ...]]:
        kept = [d for d, a in enumerate(entries) if a not in gone]
        if (id(buffer), entries) not in buffers:
            ref = refs[id(buffer)]

            def lengths(operand_axes: Sequence[Any]) -> tuple[Any, ...]:
                return tuple(length if entries[d] == lane else operand_axes[d] for d in kept)

            made = buffers[id(buffer), entries] = Buffer(buffer.name, buffer.type, lengths(buffer.shape))
            strides = tuple(ref.strides[d] for d in kept)
            moved[id(made)] = replace(ref, dims=lengths(ref.dims), strides=strides)
        return buffers[id(buffer), entries], tuple(entries[d] for d in kept)

    values: dict[int, Val] = {}
    for v in group.scalars:
        attr = v.attr
        if v.op == "load":
            attr = collapsed(*attr)
        elif v.op == "reduce":
            attr = attr[0], tuple(a for a in attr[1] if a not in gone)
        values[id(v)] = Val(v.op, v.type, tuple([values[id(a)] for a in v.args]), attr, v.axes.difference(gone))
    outs = tuple(Out(*collapsed(o.buffer, o.map), values[id(o.value)]) for o in group.outs)
    extents = {a: length if a == lane else n for a, n in group.extents.items() if a not in gone}
    parallel = tuple(a for a in group.parallel if a not in gone)
    return Group(group.name, extents, parallel, outs), moved
