"""Device programs as bytes, for the disk cache: what a warm start needs instead of the compiler.

A program, its `GpuStep`s and the kernels' text; of reducers only the names, since launches read maps and lengths alone.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from tensordsl.codegen.fusion.group import Buffer, Group, Out, Reducer
from tensordsl.codegen.gpu.program import GpuStep
from tensordsl.codegen.gpu.schedule import GpuPlan
from tensordsl.codegen.program_ir.instructions import Program
from tensordsl.codegen.scalar_ir.builder import Val

MAX_BYTES = 64 << 20  # larger programs, which hold large constants, are not cached


def to_bytes(program: Program, steps: Sequence[GpuStep], text: str) -> bytes | None:
    """A program, its steps and the text of its kernels; None if it is too large."""
    plans = [replace(plan, group=None) for plan in program.plans]
    bare = []
    for plan, step in zip(plans, steps, strict=True):
        transposes = tuple(replace(transpose, copy=_bare(transpose.copy)) for transpose in step.transposes)
        bare.append(GpuStep(plan, _bare(step.kernels), transposes))
    out = io.BytesIO()
    _Pickler(out, pickle.HIGHEST_PROTOCOL).dump((replace(program, plans=plans), bare, text))
    return out.getvalue() if out.tell() <= MAX_BYTES else None


def _bare(plan: GpuPlan) -> GpuPlan:
    """A plan without its kernels' texts."""
    kernels = tuple(replace(k, text="", declarations=frozenset(), functions={}) for k in plan.kernels)
    return replace(plan, kernels=kernels, text="")


def from_bytes(blob: bytes) -> tuple[Program, list[GpuStep], str]:
    """The inverse of `to_bytes`."""
    program, steps, text = pickle.loads(blob)
    return program, steps, text


def _reducer(name: str) -> Reducer:
    def none(*_: Any) -> Any:
        raise AssertionError(f"the reduction {name} of a stored program has no text")

    return Reducer(name, none, none, none, none)


class _Pickler(pickle.Pickler):
    """Groups flat, as a list of values, operands first, since a group can be deeper than Python's stack; buffers
    without what the compiler hangs on them."""

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, Group):
            return _group, (obj.name, obj.extents, obj.parallel, *_flat(obj))
        if isinstance(obj, Buffer):
            return Buffer, (obj.name, obj.type, obj.shape)
        if isinstance(obj, Reducer):
            return _reducer, (obj.name,)
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
