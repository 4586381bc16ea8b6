"""Integer positions in tensor IR: of what is written indices are wrapped and checked once and their axes become one; of
what is taken, where the axes of an array go."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tensordsl.codegen.tensor_ir import extents as ex
from tensordsl.codegen.tensor_ir.graph import Graph, Value
from tensordsl.ops.array.index import index_place
from tensordsl.ops.operands import broadcast_shapes


def lower_inc_take(low: Any, node: Any, operands: list[Value]) -> list[Value]:
    """x with y set or added at positions: vectors of one length, in range, which y has as the axis of the indices."""
    g: Graph = low.graph
    x, y, *indices = operands
    axes = node.attrs["axes"]
    node.row.shape(g.extents, *operands, **node.attrs)  # y fits, as a constraint
    indices = [g.cast(i, "int64") for i in indices]
    common = broadcast_shapes(g.extents, [i.shape for i in indices], stretch=True)
    indices = [g.stretched(i, common) for i in indices]
    at = index_place(axes)
    free = [n for d, n in enumerate(x.shape) if d not in axes]
    y = g.stretched(y, (*free[:at], *common, *free[at:]), is_checked=True)
    y = _with_one_axis(g, g.cast(y, x.dtype), x.rank - len(axes), at, common)
    positions = [_positions(g, i, x.shape[d], d, common) for i, d in zip(indices, axes, strict=True)]
    return [g.make("inc_take", (x, y, *positions), x.dtype, x.shape, axes=axes, set=node.attrs["set"])]


def _with_one_axis(g: Graph, y: Value, free: int, at: int, common: Sequence[Any]) -> Value:
    """y with one axis, from number `at` on, in the place of those of the indices: of length 1 if y is the same at all
    positions."""
    rank = len(common)
    y = g.broadcast_to(y, (1,) * (free + rank - y.rank) + y.shape)
    own, rest = y.shape[at : at + rank], (y.shape[:at], y.shape[at + rank :])
    if all(n == 1 for n in own):
        keep = [d if d < at else None if d < at + rank else d + 1 - rank for d in range(y.rank)]
        return g.move(y, keep, (*rest[0], 1, *rest[1]))
    y = g.broadcast_to(y, (*rest[0], *common, *rest[1]))
    return y if rank == 1 else g.reshape(y, (*rest[0], ex.product(common), *rest[1]))


def _positions(g: Graph, i: Value, length: Any, axis: int, common: Sequence[Any]) -> Value:
    """The index as a vector of positions on an axis of this length, which the program checks.

    They are clamped besides: no write goes astray, even if another thread changes an argument after the check.
    """
    from tensordsl.ops.table import OPS  # late: the table imports every row

    find = g.extents.find
    if i.op == "iota" and len(common) == 1 and find(i.shape[0]) == find(length) == find(common[0]):
        return i
    needed = _once_if_any(g, i, common)
    least, most = needed, needed
    if needed.rank:
        least, most = (g.reduce(OPS[name].meaning, 0, range(needed.rank), [needed]) for name in ("min", "max"))
    n = g.extent(length)
    zero, one = g.const(0, "int64"), g.const(1, "int64")
    wrapped = g.map(OPS["switch"], g.map(OPS["lt"], i, zero), g.map(OPS["add"], i, n), i)
    clamped = g.map(OPS["maximum"], g.map(OPS["minimum"], wrapped, g.map(OPS["sub"], n, one)), zero)
    at = g.reshape(g.broadcast_to(clamped, common), (ex.product(common),))
    within = g.within or frozenset()  # what may fail stays inside of a loop that may run zero times
    loops = within.union(*(v.loops for v in (at, least, most)))
    bounds = ((0, g.extents.find(length), 1, True),)
    return g.make("in_bounds", (at, least, most), "int64", at.shape, loops=loops, bounds=bounds, axis=axis)


def _once_if_any(g: Graph, i: Value, common: Sequence[Any]) -> Value:
    """The index, without elements where what it broadcasts to has none: NumPy checks no array of indices then."""
    if not i.rank:
        return i
    own = (1,) * (len(common) - i.rank) + i.shape
    lengths = [ex.minimum(n, 1) if m == 1 else m for m, n in zip(own, common, strict=True)]
    return i if all(n == m for n, m in zip(lengths, own, strict=True)) else g.broadcast_to(i, lengths)


def place_taken(
    rank: int, taken: Sequence[int], index_rank: int, axes: Sequence[Any]
) -> tuple[tuple[Any, ...], dict[int, Any]]:
    """The result's `axes` parted as NumPy does: those of the indices, and where the others of the array's axes went."""
    first = index_place(taken)
    rest = [*axes[:first], *axes[first + index_rank :]]
    free = [d for d in range(rank) if d not in taken]
    return tuple(axes[first : first + index_rank]), dict(zip(free, rest, strict=True))
