"""Partial sorts: of a sorted vector of which only some positions are used, as the ten largest, only these are found.

Slices of `sort` and `argsort` -> `sort_part` and `argsort_part`, by selection in linear time (`library/sort/select`).
"""

from __future__ import annotations

from typing import Any

from tensordsl.codegen.passes.context import Context
from tensordsl.codegen.tensor_ir import extents as ex
from tensordsl.codegen.tensor_ir.construct import ALONG, INC_TAKE, SUBTENSOR
from tensordsl.codegen.tensor_ir.graph import Value
from tensordsl.graph.types import COMPLEX


def ranks(ctx: Context, v: Value) -> Value | None:
    """argsort(argsort(x)) of a vector: the inverse permutation, a write of 0, 1, ... at its positions."""
    x = v.operands[0]
    is_order = x.op == ALONG and x.attrs["function"] == "argsort" and "part" not in x.attrs
    if v.attrs["function"] != "argsort" or "part" in v.attrs or not is_order or v.rank > 1:
        return None
    ctx.hit("argsort(argsort(x)) = zeros[argsort(x)] = 0, 1, ...")
    g = ctx.graph
    zeros = g.broadcast_to(g.const(0, "int64"), v.shape)
    return g.make(INC_TAKE, (zeros, g.iota(v.shape[0]), x), "int64", v.shape, loops=v.loops, axes=(0,), set=True)


def part_of_order(ctx: Context, v: Value) -> Value | None:
    """sort(x)[a:b], or sort(x)[::-1][a:b], or of argsort: the other positions stay unwritten, as nothing reads them."""
    slices = _slices(ctx, v)
    order = slices[-1].operands[0]
    if order.op != ALONG or order.attrs["function"] not in ("sort", "argsort") or "part" in order.attrs:
        return None
    if not ctx.is_sole(order) and not _has_few_readers(ctx, order):
        return None
    x, axis = order.operands[0], order.attrs["axis"]
    if x.dtype in COMPLEX or any(s.attrs["checks"] or not s.loops <= order.loops for s in slices):
        return None
    places = _places(slices, axis)
    if places is None or places[1] == order.shape[axis]:
        return None
    ctx.hit(f"{order.attrs['function']}(x)[a:b] = part of it")
    ints = [i for s in slices for i in s.operands[1:]]
    part = tuple(map(ctx.graph.extents.find, places))
    result = ctx.graph.make(ALONG, (x, *ints), order.dtype, order.shape, **order.attrs, part=part)
    for s in reversed(slices):
        result = ctx.graph.make(SUBTENSOR, (result, *s.operands[1:]), s.dtype, s.shape, loops=s.loops, **s.attrs)
    return result


def _has_few_readers(ctx: Context, order: Value) -> bool:
    """Whether a sorted vector is read at few positions only, as by quartiles: each selects its own.  Lines of tensors
    of more axes are often short, and are sorted once."""
    if (
        order.rank > 1
        or order.attrs["function"] != "sort"
        or ctx.users[order.number] > ctx.tuning.partial_sort_max_readers
    ):
        return False
    readers = [v for v in ctx.order if v.op == SUBTENSOR and v.operands[0] is order]
    lengths = [v.attrs["bounds"][0][1] for v in readers]
    most = ctx.tuning.partial_sort_max_places
    return len(readers) >= ctx.users[order.number] and all(isinstance(n, int) and n <= most for n in lengths)


def _slices(ctx: Context, v: Value) -> list[Value]:
    """A slice, the one that it is a slice of, and so on, as long as they keep all axes and have no other users."""
    slices = [v]
    while (x := slices[-1].operands[0]).op == SUBTENSOR and ctx.is_sole(x) and all(b[3] for b in x.attrs["bounds"]):
        slices.append(x)
    return slices


def _places(slices: list[Value], axis: int) -> tuple[Any, Any] | None:
    """(the first position, the number of positions) along the axis; None if they are not adjacent."""
    start: Any = 0
    length: Any = None
    step = 1
    for s in reversed(slices):
        first, length, by, _ = s.attrs["bounds"][axis]
        if by not in (1, -1):
            return None
        start, step = ex.add(start, ex.mul(step, first)), step * by
    return (start if step == 1 else ex.sub(ex.add(start, 1), length)), length
