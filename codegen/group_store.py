"""Groups as bytes, for the disk cache: flat, as a list of values, operands first, since a group can be deeper than
Python's stack.  It is a pickle, read from a cache that trusts its own files only."""

from __future__ import annotations

import io
import pickle
from dataclasses import replace
from typing import Any

from tensordsl.codegen.group import Buffer, Group, Out, Schedule
from tensordsl.codegen.program import LaunchPlan
from tensordsl.codegen.scalar import Val
from tensordsl.ops.reducers import Reducer, named_reducer


class GroupPickler(pickle.Pickler):
    """`reducer` makes a reducer again from its name; buffers lose what the compiler hangs on them."""

    reducer = staticmethod(named_reducer)

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, Group):
            return _group, (obj.name, obj.extents, obj.parallel, *_flat(obj))
        if isinstance(obj, Buffer):
            return Buffer, (obj.name, obj.type, obj.shape)
        if isinstance(obj, Reducer):
            return self.reducer, (obj.name,)
        return NotImplemented


def _flat(group: Group) -> tuple[list[Any], list[Any]]:
    number = {id(v): k for k, v in enumerate(group.scalars)}
    rows = [(v.op, v.type, tuple([number[id(a)] for a in v.args]), v.attr, v.axes) for v in group.scalars]
    return rows, [(o.buffer, o.map, number[id(o.value)]) for o in group.outs]


def _group(name: str, extents: dict[str, Any], parallel: tuple[str, ...], rows: list[Any], outs: list[Any]) -> Group:
    values: list[Val] = []
    for op, type_, args, attr, axes in rows:
        values.append(Val(op, type_, tuple([values[k] for k in args]), attr, axes))
    return Group(name, extents, parallel, tuple(Out(b, m, values[k]) for b, m, k in outs))


def pack_plan(plan: LaunchPlan) -> bytes:
    """What a plan's kernels are made from: equal bytes for plans that differ in names and unknown lengths alone."""
    group, chosen = plan.group, plan.schedule
    number = {id(x): k for k, x in enumerate((*group.scalars, *group.outs))}
    keep, keep_in = (tuple([number[id(x)] for x in kept]) for kept in (chosen.keep, chosen.keep_in))
    out = io.BytesIO()
    GroupPickler(out, pickle.HIGHEST_PROTOCOL).dump(
        (_Numbered().group(group), replace(chosen, keep=keep, keep_in=keep_in), plan.streams)
    )
    return out.getvalue()


def unpack_plan(data: bytes) -> tuple[Group, Schedule, bool]:
    """The group, its schedule, and whether the plan `streams`."""
    group, chosen, streams = pickle.loads(data)
    known = (*group.scalars, *group.outs)
    keep, keep_in = (tuple([known[k] for k in kept]) for kept in (chosen.keep, chosen.keep_in))
    return group, replace(chosen, keep=keep, keep_in=keep_in), streams


class _Numbered:
    """A group with numbers for its unknown lengths."""

    def __init__(self) -> None:
        self.lengths: dict[Any, Any] = {}
        self.buffers: dict[int, Buffer] = {}

    def length(self, n: Any) -> Any:
        return n if isinstance(n, int) else self.lengths.setdefault(n, f"n{len(self.lengths)}")

    def buffer(self, b: Buffer) -> Buffer:
        if id(b) not in self.buffers:
            self.buffers[id(b)] = Buffer(b.name, b.type, tuple(map(self.length, b.shape)))
        return self.buffers[id(b)]

    def group(self, group: Group) -> Group:
        made: dict[int, Val] = {}
        for v in group.scalars:
            attr = v.attr
            if v.op == "load":
                attr = self.buffer(attr[0]), attr[1]
            elif v.op == "extent":
                attr = self.length(attr)
            made[id(v)] = Val(v.op, v.type, tuple([made[id(a)] for a in v.args]), attr, v.axes)
        extents = {a: self.length(n) for a, n in group.extents.items()}
        outs = tuple(Out(self.buffer(o.buffer), o.map, made[id(o.value)]) for o in group.outs)
        return Group("", extents, group.parallel, outs)
