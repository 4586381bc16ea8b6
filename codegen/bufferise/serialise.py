"""Groups and schedules as bytes: what a late plan's kernels are made from, for the executable; or their text.

A flat list of values, operands first, since a group can be deeper than Python's stack.  Equal bytes mean equal kernels.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterable
from dataclasses import fields
from typing import Any

from tensordsl.codegen.fusion.group import Buffer, Group, LineAlignment, Out, Scatter, Schedule
from tensordsl.codegen.program_ir.instructions import Kernels, LaunchPlan
from tensordsl.codegen.scalar_ir.builder import Val
from tensordsl.ops.array.reducers import named_reducer

TEXT = b"text"  # what such bytes begin with


def pack_plans(plans: Iterable[LaunchPlan]) -> list[bytes]:
    """What each plan's kernels are made from: equal bytes for plans that differ in names and unknown lengths alone."""
    writers: dict[Group, _Writer] = {}
    packed = []
    for plan in plans:
        if plan.group is None:
            packed.append(_pack_text(plan.kernels))
            continue
        if plan.group not in writers:
            writers[plan.group] = _Writer(plan.group)
        key = f", {json.dumps(plan.tuning_key)}" if plan.tuning_key else ""
        packed.append(f"[{writers[plan.group].plan(plan)}, {json.dumps(plan.streams)}{key}]".encode())
    return packed


def _pack_text(made: Kernels) -> bytes:
    """Kernels that are made of no group."""
    fields = made.symbols, made.texts, sorted(made.declarations), made.widest_load_bytes
    return TEXT + zlib.compress(json.dumps(fields).encode(), 1)


def unpack_text(data: bytes) -> Kernels | None:
    """The kernels, if they are packed as text."""
    if not data.startswith(TEXT):
        return None
    symbols, texts, declarations, widest = json.loads(zlib.decompress(data[len(TEXT) :]))
    return Kernels(tuple(symbols), tuple(texts), (), frozenset(declarations), (), False, tuple(widest))


def made_from(plan: LaunchPlan) -> str:
    """The same of one plan, but for whether it streams: only a word of the descriptor says that."""
    return _Writer(plan.group).plan(plan) + plan.tuning_key


class _Writer:
    """A group as text, with numbers for values, buffers and unknown lengths."""

    def __init__(self, group: Group) -> None:
        self.outs = group.outs
        self.number: dict[int, int] = {}  # of values
        self.buffers: list[Any] = []
        self._places: dict[int, int] = {}
        self._lengths: dict[Any, str] = {}
        rows = [(v.op, v.type, [self.number[id(a)] for a in v.args], *self.row(v)) for v in group.scalars]
        outs = [(self.buffer(o.buffer), o.map, self.number[id(o.value)]) for o in group.outs]
        extents = [(a, self.length(n)) for a, n in group.extents.items()]
        added = [(self.buffer(s.buffer), self.number[id(s.position)], self.number[id(s.value)]) for s in group.scatters]
        self.text = json.dumps([self.buffers, rows, outs, added, extents, group.parallel], default=int)[1:-1]

    def plan(self, plan: LaunchPlan) -> str:
        chosen = plan.schedule
        own = {f.name: getattr(chosen, f.name) for f in fields(chosen)}
        own["keep"] = [self.number[id(v)] for v in chosen.keep]
        own["keep_in"] = [next(k for k, o in enumerate(self.outs) if o is kept) for kept in chosen.keep_in]
        return f"{self.text}, {json.dumps(own, default=int)}"

    def length(self, n: Any) -> Any:
        return n if isinstance(n, int) else self._lengths.setdefault(n, f"n{len(self._lengths)}")

    def buffer(self, b: Buffer) -> int:
        if id(b) not in self._places:
            self._places[id(b)] = len(self.buffers)
            self.buffers.append((b.type, [self.length(n) for n in b.shape]))
        return self._places[id(b)]

    def row(self, v: Val) -> tuple[Any, list[str]]:
        """The next value's attribute and axes."""
        self.number[id(v)] = len(self.number)
        attr = v.attr
        if v.op == "load":
            attr = self.buffer(attr[0]), attr[1]
        elif v.op == "extent":
            attr = self.length(attr)
        elif v.op == "reduce":
            assert named_reducer(attr[0].name) is attr[0]
            attr = attr[0].name, attr[1]
        return _plain(attr), sorted(v.axes)


def _plain(attr: Any) -> Any:
    """Tuples and floats, whose bits JSON does not keep, are marked."""
    if isinstance(attr, tuple):
        return {"tuple": [_plain(x) for x in attr]}
    return {"bits": struct.pack("<d", attr).hex()} if isinstance(attr, float) else attr


def _attribute(plain: Any) -> Any:
    if not isinstance(plain, dict):
        return plain
    if "bits" in plain:
        return struct.unpack("<d", bytes.fromhex(plain["bits"]))[0]
    return tuple([_attribute(x) for x in plain["tuple"]])


def unpack_plan(data: bytes) -> tuple[Group, Schedule, bool, str]:
    """The group, its schedule, whether the plan `streams`, and the key of its tuning."""
    tables, rows, stored, added, extents, parallel, own, streams, *key = json.loads(data)
    known = [Buffer(f"b{k}", type_, tuple(shape)) for k, (type_, shape) in enumerate(tables)]
    values: list[Val] = []
    for op, type_, args, plain, axes in rows:
        attr = _attribute(plain)
        if op == "load":
            attr = known[attr[0]], attr[1]
        elif op == "reduce":
            attr, type_ = (named_reducer(attr[0]), attr[1]), tuple(type_)
        values.append(Val(op, type_, tuple([values[k] for k in args]), attr, frozenset(axes)))
    outs = tuple(Out(known[b], tuple(entries), values[k]) for b, entries, k in stored)
    scatters = tuple(Scatter(known[b], values[position], values[value]) for b, position, value in added)
    own = {name: tuple(map(_tupled, x)) if isinstance(x, list) else x for name, x in own.items()}
    own["keep"], own["keep_in"] = tuple(values[k] for k in own["keep"]), tuple(outs[k] for k in own["keep_in"])
    own["line_alignment"] = LineAlignment(own["line_alignment"])
    return Group("", dict(extents), tuple(parallel), outs, scatters), Schedule(**own), streams, "".join(key)


def _tupled(x: Any) -> Any:
    return tuple(x) if isinstance(x, list) else x
