"""inc_take: a tensor that is set or added to at integer positions, which in_bounds has checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tensordsl.codegen.bufferise.bufferiser import Bufferiser
from tensordsl.codegen.bufferise.scatter import emit_scatter, over
from tensordsl.codegen.program_ir import instructions as p
from tensordsl.codegen.tensor_ir import extents as ex
from tensordsl.codegen.tensor_ir.construct import IN_BOUNDS, Construct, Traits, register
from tensordsl.codegen.tensor_ir.graph import Graph, Value
from tensordsl.codegen.tensor_ir.indexing import place_taken
from tensordsl.codegen.tensor_ir.lower import Lowering
from tensordsl.codegen.tensor_ir.lower_complex import by_parts
from tensordsl.codegen.tensor_ir.verify import check, same_shape
from tensordsl.graph.variables import Apply
from tensordsl.ops.array.index import index_place
from tensordsl.ops.operands import broadcast_shapes

if TYPE_CHECKING:
    from tensordsl.codegen.mlir.writer import Writer

POSITIONS = ("int64", "uint8", "uint16")


@register
class IncTake(Construct):
    """inc_take(axes, set): y has one axis for the vectors of positions, in the place of `axes`."""

    name = "inc_take"
    traits = Traits(
        is_contiguous=True, stores_operands=True, moves_only=True, data_operands=2, makes_floats=True,
        writes_into=True, begins_with=0,
    )  # fmt: skip
    lower_complex = by_parts

    def lower(self, low: Lowering, node: Apply, operands: list[Value]) -> list[Value]:
        """x with y set or added at positions: vectors of one length, within, for which y has one axis."""
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
        return [g.make(self.name, (x, y, *positions), x.dtype, x.shape, axes=axes, set=node.attrs["set"])]

    def verify(self, graph: Graph, v: Value) -> None:
        x, y, *positions = v.operands
        check(x.dtype == y.dtype == v.dtype, v, "the operands' dtype")
        check(same_shape(graph, x.shape, v.shape), v, "the shape of x")
        check(len(positions) == len(v.attrs["axes"]), v, "positions for each axis")
        check(all(i.dtype in POSITIONS and i.rank == 1 for i in positions), v, "vectors of positions")
        check(y.rank == x.rank - len(positions) + 1, v, "one axis of y for the positions")

    def bufferise(self, b: Bufferiser, v: Value) -> None:
        x, y, *positions = v.operands
        ref = over(b, v, x)
        emit_scatter(b, v, ref, b.ref(y), [b.packed(b.ref(i), i.dtype) for i in positions])
        b.finish(v, ref)

    def mlir(self, e: Writer, v: Value) -> None:
        """x with y written or added at indexed positions, one after the other: they may repeat."""
        from tensordsl.codegen.mlir.scalars import TYPE  # late: for exports only
        from tensordsl.codegen.mlir.slices import addition
        from tensordsl.codegen.mlir.writer import loops

        x, y, *indices = v.operands
        taken = v.attrs["axes"]
        axes = [f"%s{v.number}_{d}" for d in range(x.rank - len(taken) + 1)]
        placed, free = place_taken(x.rank, taken, 1, axes)
        lengths = _scatter_lengths(e, x, indices, placed, free, axes)
        for n in x.shape:
            e.index(n)
        operands, t = [e.value(o) for o in (y, *indices)], e.type_of(x)

        def one(positions: list[str], known: list[str]) -> list[str]:
            here = dict(zip(axes, positions, strict=True))
            item = _item(e, y, operands[0], positions)
            at = {d: here[a] for d, a in free.items()}
            for d, i, name in zip(taken, indices, operands[1:], strict=True):
                at[d] = e.op(f"arith.index_cast {_item(e, i, name, [here[a] for a in placed])} : i64 to index")
            where = ", ".join(at[d] for d in range(x.rank))
            if not v.attrs["set"]:
                old = e.op(f"tensor.extract {known[0]}[{where}] : {t}")
                item = e.op(f"{addition(x.dtype)} {old}, {item} : {TYPE[x.dtype]}")
            return [e.op(f"tensor.insert {item} into {known[0]}[{where}] : {t}")]

        e.values[v.number] = loops(e, lengths, ((e.value(x), t),), one)[0]


@register
class InBounds(Construct):
    """in_bounds(bounds, axis): its first operand, positions, after a check of their least and greatest index."""

    name, traits = "in_bounds", Traits(is_view=True, has_lengths=True)
    missing = {"lower_complex": "no row: `inc_take` makes it, of integers"}

    def verify(self, graph: Graph, v: Value) -> None:
        at, least, most = v.operands
        check(v.rank == 1 and same_shape(graph, at.shape, v.shape), v, "a vector of positions")
        check(not least.rank and not most.rank, v, "two scalars")
        check(at.dtype == v.dtype and v.dtype in POSITIONS, v, "positions")
        check(least.dtype == most.dtype == "int64", v, "int64")

    def bufferise(self, b: Bufferiser, v: Value) -> None:
        at, least, most = v.operands
        ((_, n, _, _),) = v.attrs["bounds"]
        site = b.site("index", b.node_of(v), f"index is out of bounds for axis {v.attrs['axis']}")
        for value, relation, limit in ((least, "ge", ex.mul(-1, b.find(n))), (most, "lt", n)):
            index = b.fresh("q")
            b.emit(p.LoadScalar(index, b.ref(value).ptr, "int64"))
            b.emit(p.Check(relation, index, b.name(limit), site))
        if at.number not in b.unstored:
            b.view(v, b.packed(b.ref(at), v.dtype))  # one number may stand for all positions

    def mlir(self, e: Writer, v: Value) -> None:
        at, least, most = v.operands
        if e.checks:
            ((_, n, _, _),) = v.attrs["bounds"]
            for value, relation, limit in ((least, "sge", ex.mul(-1, e.find(n))), (most, "slt", n)):
                item = e.op(f"tensor.extract {e.value(value)}[] : tensor<i64>")
                index = e.op(f"arith.index_cast {item} : i64 to index")
                holds = e.op(f"arith.cmpi {relation}, {index}, {e.index(limit)} : index")
                e.put(f'cf.assert {holds}, "index is out of bounds for axis {v.attrs["axis"]}"')
        e.values[v.number] = e.value(at)


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
    return g.make(IN_BOUNDS, (at, least, most), "int64", at.shape, loops=loops, bounds=bounds, axis=axis)


def _once_if_any(g: Graph, i: Value, common: Sequence[Any]) -> Value:
    """The index, without elements where what it broadcasts to has none: NumPy checks no array of indices then."""
    if not i.rank:
        return i
    own = (1,) * (len(common) - i.rank) + i.shape
    lengths = [ex.minimum(n, 1) if m == 1 else m for m, n in zip(own, common, strict=True)]
    return i if all(n == m for n, m in zip(lengths, own, strict=True)) else g.broadcast_to(i, lengths)


def _scatter_lengths(
    e: Writer, x: Value, indices: Sequence[Value], placed: Sequence[str], free: Mapping[int, str], axes: Sequence[str]
) -> list[str]:
    """The length of each of `axes`, which run over the indices' common shape and the axes of x that are not indexed."""
    length: dict[str, Any] = {a: x.shape[d] for d, a in free.items()}
    for i in indices:
        for a, n in zip(reversed(placed), reversed(i.shape), strict=False):
            if a not in length or n != 1:
                length[a] = n
    return [e.index(length[a]) for a in axes]


def _item(e: Writer, v: Value, name: str, axes: Sequence[str]) -> str:
    """The element of v, broadcast from the right, at a position."""
    own = axes[len(axes) - v.rank :]
    places = [e.index(0) if e.find(n) == 1 else a for n, a in zip(v.shape, own, strict=True)]
    return e.op(f"tensor.extract {name}[{', '.join(places)}] : {e.type_of(v)}")
