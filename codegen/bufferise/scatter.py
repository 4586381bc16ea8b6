"""Scatters in program IR: the check of the indices, and the write itself, which cannot fail.

`build_inc_take` emits both; a group may begin the result before the check.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tensordsl.codegen.bufferise.bufferiser import Bufferiser
from tensordsl.codegen.fusion.group import Buffer, Group, Out
from tensordsl.codegen.passes.patterns import is_zero
from tensordsl.codegen.program_ir import instructions as p
from tensordsl.codegen.program_ir.storage import Ref, contiguous
from tensordsl.codegen.scalar_ir.builder import FLOATS, ITEMSIZE, Builder
from tensordsl.codegen.tensor_ir import extents as ex
from tensordsl.codegen.tensor_ir.graph import Value
from tensordsl.graph.casting import real_of
from tensordsl.graph.types import COMPLEX
from tensordsl.ops.array.index import index_place


def begin_scatter(b: Bufferiser, v: Value) -> Ref:
    """The Ref to whose elements a group adds at positions; before these are checked, but not if it is empty."""
    x, _, at, *_ = v.operands
    b.check_source(b.find(ex.product(map(b.find, v.shape))), b.find(at.shape[0]), b.node_of(v))
    return over(b, v, x)


def begin_with(b: Bufferiser, x: Value, target: Ref, part: Callable[[Ref], Ref] = lambda ref: ref) -> None:
    """target = x, or a part of both."""
    own, item = part(target), ITEMSIZE[x.dtype]
    rows = zip(own.dims, own.strides, contiguous(own.dims, item), strict=True)
    if is_zero(x) and all(n == 1 or step == dense for n, step, dense in rows):
        b.emit(p.Fill(own.ptr, b.name(ex.mul(item, ex.product(own.dims)))))
    else:
        b.copy(part(b.ref(x)), own, x.dtype)


def over(b: Bufferiser, v: Value, x: Value, begin: Callable[[Bufferiser, Value, Ref], None] = begin_with) -> Ref:
    """The storage in which v is computed from a copy of x, as far as `begin` copies it."""
    if v.number in b.in_place and v.number not in b.targets:
        return b.ref(x)
    ref = b.destination(v, v.dtype, v.shape)
    if is_zero(x) or b.place(b.ref(x).ptr) != b.place(ref.ptr):
        begin(b, x, ref)
        return ref
    return b.ref(x) if b.has_claims else ref


def emit_scatter(b: Bufferiser, v: Value, x: Ref, y: Ref, positions: Sequence[Ref]) -> None:
    """On the CPU complex numbers are rows of their two parts."""
    axes, in_parts = v.attrs["axes"], v.dtype in COMPLEX and not b.device
    at, dtype = index_place(axes), real_of(v.dtype) if in_parts else v.dtype
    free = [d for d in range(v.rank) if d not in axes]
    y_strides = [0 if n == 1 else s for n, s in zip(y.dims, y.strides, strict=True)]
    of_block = zip(free, (*y_strides[:at], *y_strides[at + 1 :]), strict=True)
    parts = [(2, ITEMSIZE[dtype], ITEMSIZE[dtype])] if in_parts else []
    block = collapsed([*((x.dims[d], x.strides[d], s) for d, s in of_block), *parts])
    dims, x_steps, y_steps = (tuple(map(b.name, part)) for part in zip(*block, strict=True)) if block else ((), (), ())
    b.emit(
        p.Scatter(
            dtype, v.attrs["set"], x.ptr, y.ptr, tuple(r.ptr for r in positions),
            tuple(b.name(x.strides[d]) for d in axes), b.name(positions[0].dims[0]), b.name(y_strides[at]),
            dims, x_steps, y_steps, is_row=bool(block) and block[-1][1] == ITEMSIZE[dtype],
            lengths=tuple(b.name(x.dims[d]) for d in axes) if b.device else (),
            types=tuple(i.dtype for i in v.operands[2:]),
        )
    )  # fmt: skip


def collapsed(axes: Any) -> list[tuple[Any, Any, Any]]:
    """(length, stride of x, stride of y) per axis, with axes that are walked alike as one."""
    result: list[tuple[Any, Any, Any]] = []
    for n, x, y in axes:
        if n == 1:
            continue
        if result and result[-1][1] == ex.mul(n, x) and result[-1][2] == ex.mul(n, y):
            n, *_ = ex.mul(result.pop()[0], n), None
        result.append((n, x, y))
    return result


def accumulate(b: Bufferiser, source: Ref, target: Ref, dtype: str, to_zeros: bool = False) -> None:
    """target += source, pointwise; `to_zeros`: target is known to be 0 and is not read."""
    to_zeros &= dtype not in COMPLEX
    if to_zeros and dtype not in FLOATS:
        b.copy(source, target, dtype)
        return
    b.agree_all(source.dims, target.dims)
    s = Builder()
    axes: list[Any] = [0 if n == 1 else f"a{d}" for d, n in enumerate(target.dims)]
    entries = [0 if r == 0 else a for a, r in zip(axes, source.strides, strict=True)]
    shape = tuple(1 if e == 0 else n for e, n in zip(entries, target.dims, strict=True))
    x, old, new = Buffer("x", dtype, shape), Buffer("t", dtype, target.dims), Buffer("t", dtype, target.dims)
    a, c = s.load(old, *axes), s.load(x, *entries)
    value = s.or_(a, c) if dtype == "bool" else s.add(s.const(0.0, dtype) if to_zeros else a, c)
    extents = {a: n for a, n in zip(axes, target.dims, strict=True) if a}
    group = Group("accumulate", extents, tuple(extents), (Out(new, tuple(axes), value),))
    refs = {id(x): source, id(new): target} if to_zeros else {id(x): source, id(old): target, id(new): target}
    b.launch(group, refs, None)
