"""Unrolling of short axes: elementwise groups compute all elements along axes of few elements at once.

For operands that are repeated along them, as in gradients of pooling and in upsampling, or interleaved with strides.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

from tensordsl.codegen.bufferise.collapse_axes import Rewritten
from tensordsl.codegen.fusion.group import INTERLEAVE, Buffer, Group, Out
from tensordsl.codegen.program_ir import instructions as p
from tensordsl.codegen.program_ir.storage import Ref
from tensordsl.codegen.scalar_ir.builder import ITEMSIZE, Builder, Val, is_expensive_op
from tensordsl.codegen.target.tuning import Tuning
from tensordsl.codegen.tensor_ir import extents as ex
from tensordsl.codegen.variants.conditions import may_overwrite

if TYPE_CHECKING:
    from tensordsl.codegen.bufferise.bufferiser import Bufferiser

Place = dict[str, int]  # a position along each of these axes


def unroll_axes(b: Bufferiser, group: Group, refs: dict[int, Ref]) -> Rewritten | None:
    """The group without these axes, one output for each of their elements; None if it is of another kind."""
    loads = [v for v in group.scalars if v.op == "load"]
    if len(group.outs) != 1 or len(group.parallel) < len(group.extents):
        return None
    if any(v.args for v in loads) or any(is_expensive_op(v) for v in group.scalars):
        return None
    condition = None
    axes, joined = _repeated_axes(group, loads, b.tuning)
    if not axes:
        axes, joined = _strided_axis(group, loads, refs, b.tuning)
        if axes and len(group.extents) > b.tuning.axes.short_row_max_axes:  # rows are not one
            row, size = group.extents[[*group.extents][-2]], ITEMSIZE[group.outs[0].buffer.type]
            condition = b.compared(("ge", row, b.tuning.machine.vector_bytes // size))
    target = refs[id(group.outs[0].buffer)]
    if not axes or may_overwrite(b, [refs[id(v.attr[0])] for v in loads], [target]):
        return None
    size, rest = ITEMSIZE[group.outs[0].buffer.type], [a for a in group.extents if a not in axes]
    lane = group.outs[0].map.index(rest[-1])
    if target.strides[lane] != joined * size or (joined > 1 and target.strides[-1] != size):
        return None
    made, moved = Builder(), dict[int, Ref]()
    places = [dict(zip(axes, place, strict=True)) for place in product(*(range(group.extents[a]) for a in axes))]
    outs = tuple(_at(b, made, group, place, refs, moved) for place in places)
    name = INTERLEAVE if joined > 1 else "unrolled"
    return Rewritten(Group(name, {a: group.extents[a] for a in rest}, tuple(rest), outs), moved, condition)


def _repeated_axes(group: Group, loads: list[Val], tuning: Tuning) -> tuple[list[str], int]:
    """(axes of few elements along which some operand with others is constant, the last ones if all are too many; how
    many outputs are interleaved)."""
    t, most = tuning.axes, tuning.strided.max_stride_elements
    order, found, count, joined = [*group.extents], list[str](), 1, 1
    for axis in reversed(order):
        n, is_last = group.extents[axis], len(found) == len(order) - 1 - order.index(axis)
        is_read = any(axis in v.attr[1] and not v.axes <= {axis, *found} for v in loads)
        if not isinstance(n, int) or not 1 < n <= most or not any(axis not in v.attr[1] and v.axes for v in loads):
            continue
        if count * n > t.unroll_max_elements or count * n * len(group.scalars) > t.unroll_max_values:
            continue
        if is_last and joined * n > (t.unroll_max_shuffled if is_read else most):
            break
        found, count, joined = [axis, *found], count * n, joined * n if is_last else joined
    rest = [n for a, n in group.extents.items() if a not in found]
    is_short = bool(rest) and isinstance(rest[-1], int) and rest[-1] < t.short_row_elements
    has_own_ways = is_short and (joined > 1 or len(rest) < t.short_row_max_axes)
    return ([], 1) if not rest or has_own_ways else (found, joined)


def _strided_axis(group: Group, loads: list[Val], refs: dict[int, Ref], tuning: Tuning) -> tuple[list[str], int]:
    """The same for the last axis, if it is short and operands have strides along it but are adjacent along the one
    before, as `x.reshape((h, 2, 2, w)).swapaxes(2, 3)`."""
    t, most = tuning.axes, tuning.strided.max_stride_elements
    if len(group.extents) < t.short_row_max_axes or not loads:
        return [], 1
    *_, lane, last = group.extents
    n, row = group.extents[last], group.extents[lane]
    if not isinstance(n, int) or not 1 < n <= most or n * len(group.scalars) > t.unroll_max_values:
        return [], 1
    if isinstance(row, int) and row < t.short_row_elements:
        return [], 1
    steps = [(_step(v, lane, refs), _step(v, last, refs), ITEMSIZE[v.type]) for v in loads]
    return ([last], n) if all(near == size != far for near, far, size in steps) else ([], 1)


def _step(v: Val, axis: str, refs: dict[int, Ref]) -> Any:
    buffer, entries = v.attr
    return ex.total(s for s, a in zip(refs[id(buffer)].strides, entries, strict=True) if a == axis)


def _at(b: Bufferiser, made: Builder, group: Group, place: Place, refs: dict[int, Ref], moved: dict[int, Ref]) -> Out:
    """The output at one position along the axes."""
    buffers: dict[Any, Buffer] = {}

    def operand(buffer: Buffer, entries: tuple[Any, ...]) -> tuple[Buffer, tuple[Any, ...]]:
        ref = refs[id(buffer)]
        rest = [d for d, a in enumerate(entries) if a not in place]
        kept = tuple(entries[d] for d in rest)
        if len(rest) == len(entries):
            moved[id(buffer)] = ref
            return buffer, entries
        key = id(buffer), entries
        if key not in buffers:
            name = f"{buffer.name}.{'.'.join(str(place[a]) for a in entries if a in place)}"
            new = buffers[key] = Buffer(name, buffer.type, tuple(buffer.shape[d] for d in rest))
            offset = ex.total(ex.mul(place[a], ref.strides[d]) for d, a in enumerate(entries) if a in place)
            dims, strides = (tuple(x[d] for d in rest) for x in (ref.dims, ref.strides))
            moved[id(new)] = Ref(_behind(b, ref.ptr, offset), dims, strides, ref.base)
        return buffers[key], kept

    values: dict[int, Val] = {}
    for v in group.scalars:
        if v.op == "load":
            buffer, entries = operand(*v.attr)
            values[id(v)] = made.load(buffer, *entries)
        elif v.op == "index" and v.attr in place:
            values[id(v)] = made.const(place[v.attr], v.type)
        else:
            values[id(v)] = made.make(v.op, v.type, [values[id(a)] for a in v.args], v.attr, None if v.args else v.axes)
    (out,) = group.outs
    return Out(*operand(out.buffer, out.map), values[id(out.value)])


def _behind(b: Bufferiser, ptr: str, offset: Any) -> str:
    if offset == 0:
        return ptr
    b.emit(p.Offset(place := b.fresh("p"), ptr, b.name(offset)))
    return place
