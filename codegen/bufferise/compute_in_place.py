"""In-place computation: operands of joins, and values set into slices, are computed in the result's storage.

Applies where the operand has no later use and its place is known at entry; then nothing is copied.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, partial
from typing import Any

from tensordsl.codegen.bufferise.bufferiser import Bufferiser
from tensordsl.codegen.bufferise.scatter import begin_with, over
from tensordsl.codegen.fusion.group import INTERLEAVE, Buffer, Group, Out
from tensordsl.codegen.fusion.placement import Step
from tensordsl.codegen.passes.patterns import is_zero_at
from tensordsl.codegen.program_ir import instructions as p
from tensordsl.codegen.program_ir.storage import Ref, Scope
from tensordsl.codegen.scalar_ir.builder import ITEMSIZE, Builder
from tensordsl.codegen.tensor_ir import extents as ex
from tensordsl.codegen.tensor_ir.construct import CONCATENATE
from tensordsl.codegen.tensor_ir.extents import known_at_entry
from tensordsl.codegen.tensor_ir.graph import Value
from tensordsl.graph.types import COMPLEX

# Bytes of a tensor, and of a slice's rows, from which copying the rest of the tensor takes less time than copying all.


def place_parts(b: Bufferiser, steps: Sequence[Step], last: dict[int, list[int]]) -> None:
    """Give the values that die in a join or in a slice their place there, where that is known at entry."""
    if b.graph.extents.assumed or not b.tuning.allows("compute_in_place"):
        return
    at = {n: k for k, s in enumerate(steps) for n in s.gives}
    for k, step in enumerate(steps):
        v = step.value
        if v is None:
            continue
        parts = [(j, under(v.operands[j])) for j in v.construct.parts(b, v, at)]
        if not parts or not all(known_at_entry(b.find(n)) for n in _lengths(v)):
            continue
        for j, (x, _) in parts:
            is_free = x.number in last.get(k, ()) and x.number not in b.targets and x.dtype == v.dtype
            if is_free and x.number in at and _can_be_placed(x, steps[at[x.number]], v):
                b.targets[x.number] = [cache(partial(_place, b, v, j))]  # one place for all users


def _lengths(v: Value) -> list[object]:
    bounds = [n for bound in v.attrs.get("bounds", ()) for n in bound[:3]]
    return [*bounds, *v.shape, *(n for o in v.operands for n in o.shape)]


def _can_be_placed(x: Value, step: Step, v: Value) -> bool:
    """A join is not in a slice: its parts may be there before the rest can have been copied.  What a group adds to at
    positions lies in C order."""
    if step.value is None:
        return step.fused is not None and x not in step.scatters
    return step.value.traits.fits_any_place or step.value.op == v.op == CONCATENATE


def under(v: Value) -> tuple[Value, tuple[int, ...]]:
    """(the value, which axis of v each of its axes is), through moves that only add axes of length 1; or v itself."""
    itself = v, tuple(range(v.rank))
    x, axes = itself
    while x.op == "move":
        inner, (y,) = x.attrs["map"], x.operands
        lengths = dict(zip(inner, y.shape, strict=True))
        if len(lengths) < y.rank or tuple(lengths.get(a, 1) for a in range(x.rank)) != x.shape or None in lengths:
            return itself
        x, axes = y, tuple(axes[a] for a in inner)
    return x, axes


def _place(b: Bufferiser, v: Value, j: int) -> Ref:
    x, axes = under(v.operands[j])
    ref = v.construct.place(b, v, j)
    return Ref(ref.ptr, tuple(map(b.find, x.shape)), tuple(ref.strides[a] for a in axes), ref.base)


def join_places(b: Bufferiser, v: Value) -> tuple[Ref, list[Ref]]:
    """Where a join and its parts are.  Each part begins where the one before it ends: a sum for each start would have
    as many terms as parts before."""
    if v.number not in b.places:
        axis, places = v.attrs["axis"], []
        ref = b.destination(v, v.dtype, v.shape)
        ptr = ref.ptr
        for part in v.operands:
            dims = tuple(map(b.find, part.shape))
            strides = tuple(0 if n == 1 else s for n, s in zip(dims, ref.strides, strict=True))
            places.append(Ref(ptr, dims, strides, ref.base))
            if len(places) < len(v.operands) and dims[axis] != 0:
                offset = ex.mul(dims[axis], ref.strides[axis])
                b.emit(p.Offset(end := b.fresh("p"), ptr, b.name(offset)))
                b.behind[end] = ptr, offset
                ptr = end
        b.places[v.number] = ref, places
    return b.places[v.number]


def interleave(b: Bufferiser, moves: Sequence[tuple[Ref, Ref]], dtype: str) -> None:
    """Copy values to interleaved places: a few by one group, which joins them in registers."""
    target = moves[0][1]
    joins = not b.device and b.tuning.allows("interleaved_outputs")
    fits = 1 < len(moves) <= b.tuning.strided.max_stride_elements and any(n != 1 for n in target.dims)
    if not (joins and fits):
        for source, place in moves:
            b.copy(source, place, dtype)
        return
    axes: list[Any] = [0 if n == 1 else f"a{d}" for d, n in enumerate(target.dims)]
    s, outs = Builder(), []
    refs: dict[int, Ref] = {}
    for k, (source, place) in enumerate(moves):
        entries = [0 if step == 0 else a for a, step in zip(axes, source.strides, strict=True)]
        shape = tuple(1 if e == 0 else n for e, n in zip(entries, target.dims, strict=True))
        x, y = Buffer(f"x{k}", dtype, shape), Buffer(f"y{k}", dtype, target.dims)
        outs.append(Out(y, tuple(axes), s.load(x, *entries)))
        refs |= {id(x): source, id(y): place}
    extents = {a: n for a, n in zip(axes, target.dims, strict=True) if a}
    b.launch(Group(INTERLEAVE, extents, tuple(extents), tuple(outs)), refs, None)


def slice_place(b: Bufferiser, v: Value) -> tuple[Ref, Ref]:
    """The Refs of the result and of its slice that is set; the rest of the result is copied first."""
    if v.number not in b.places:
        x, bounds = v.operands[0], v.attrs["bounds"]
        is_set = v.attrs["set"] or v.dtype not in COMPLEX and is_zero_at(b.graph, x, bounds)
        is_own = b.device or v.number in b.late  # of new values in the old one's storage, one copy is no copy there
        ref = over(b, v, x, partial(_begin_around, bounds) if is_set and not is_own else begin_with)
        b.places[v.number] = ref, [sliced(b, ref, bounds)]
    ref, (target,) = b.places[v.number]
    return ref, target


def _begin_around(bounds: Sequence[Any], b: Bufferiser, x: Value, target: Ref) -> None:
    """target = x but for a slice that is set afterwards, or all of it where that takes no longer."""
    if any(step != 1 for _, _, step, _ in bounds):
        return begin_with(b, x, target)
    inner = [(b.find(start), b.find(n) if keeps else 1) for start, n, _, keeps in bounds]
    item, every, own = ITEMSIZE[x.dtype], ex.product(target.dims), ex.product([n for _, n in inner])
    t, row = b.tuning.axes, inner[-1][1] if inner else 0
    large = ("ge", ex.mul(item, every), t.overlapping_min_bytes), ("ge", ex.mul(item, row), t.overlapping_min_row_bytes)
    pays = b.compared(*large, ("ge", ex.mul(2, own), every))
    b.ref(x)  # for both branches, and what follows
    b.scopes.append(Scope())
    for d, (start, n) in enumerate(inner):
        behind = ex.add(start, n)
        for first, length in ((0, start), (behind, ex.sub(target.dims[d], behind))):
            if length != 0:
                part = [*inner[:d], (first, length), *((0, m) for m in target.dims[d + 1 :])]
                begin_with(b, x, target, partial(sliced, b, bounds=[(k, m, 1, True) for k, m in part]))
    around = b.close_scope()
    b.scopes.append(Scope())
    begin_with(b, x, target)
    b.emit(p.If(pays, around, b.close_scope()))


def sliced(b: Bufferiser, ref: Ref, bounds: Sequence[Any]) -> Ref:
    """The view of a basic slice: (start, length, step, keeps its axis) per axis."""
    offset, dims, strides = slice_layout(b, ref.strides, bounds)
    if offset == 0:
        return Ref(ref.ptr, dims, strides, ref.base)
    ptr = b.fresh("p")
    b.emit(p.Offset(ptr, ref.ptr, b.name(offset)))
    b.behind[ptr] = ref.ptr, offset
    return Ref(ptr, dims, strides, ref.base)


def slice_layout(
    b: Bufferiser, steps: Sequence[Any], bounds: Sequence[Any]
) -> tuple[Any, tuple[Any, ...], tuple[Any, ...]]:
    """Byte offset, lengths and byte strides of a slice of a tensor with byte strides `steps`."""
    offset: Any = 0
    dims, strides = [], []
    for (start, length, step, keeps), stride in zip(bounds, steps, strict=True):
        offset = ex.add(offset, ex.mul(b.find(start), stride))
        if keeps:
            dims.append(b.find(length))
            strides.append(0 if length == 1 else ex.mul(b.find(step), stride))
    return offset, tuple(dims), tuple(strides)
