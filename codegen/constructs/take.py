"""take, inc_take, in_bounds: elements that are read, set or added to at integer positions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tensordsl.codegen.bufferise.bufferiser import Bufferiser
from tensordsl.codegen.bufferise.scatter import emit_scatter, over
from tensordsl.codegen.constructs.subtensor import index_bounds
from tensordsl.codegen.fusion.inline import Axes, Cut, Inliner, aligned, take_axes
from tensordsl.codegen.program_ir import instructions as p
from tensordsl.codegen.scalar_ir.builder import Val
from tensordsl.codegen.tensor_ir import extents as ex
from tensordsl.codegen.tensor_ir.construct import IN_BOUNDS, PART, Construct, Fusible, Traits, register
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
    from tensordsl.codegen.passes.loops.widen import Widening

POSITIONS = ("int64", "uint8", "uint16")


@register
class Take(Fusible):
    """take(axes, prefix): x indexed at `axes` by integer operands that broadcast against each other; prefix: the axes
    whose positions are 0, 1, ... and within."""

    name, traits = "take", Traits(is_fusible=True)
    missing = {k: reason for k, reason in Fusible.missing.items() if k != "lower_complex"}
    lower_complex = by_parts

    def lower(self, low: Lowering, node: Apply, operands: list[Value]) -> list[Value]:
        x, *indices = operands
        g = low.graph
        shape = node.row.shape(g.extents, *operands, **node.attrs)
        axes, rank = node.attrs["axes"], max(i.rank for i in indices)
        common = shape[index_place(axes) :][:rank]
        indices = [g.stretched(i, common) for i in indices]
        prefix = [d for d, i in zip(axes, indices, strict=True) if _is_prefix(g, i, x.shape[d], indices)]
        attrs: dict[str, Any] = {"prefix": tuple(prefix)} if prefix else {}
        if not g.extents.conditional:
            for d, i in zip(axes, indices, strict=True):  # NumPy checks single integers even if the arrays have none
                if not i.rank:
                    index_bounds(g, ("int", ("input", 0)), x.shape[d], [g.cast(i, "int64")])
        return [g.make(self.name, (x, *(g.cast(i, "int64") for i in indices)), x.dtype, shape, axes=axes, **attrs)]

    def verify(self, graph: Graph, v: Value) -> None:
        x, *indices = v.operands
        check(x.dtype == v.dtype, v, "the operand's dtype")
        check(all(i.dtype == "int64" for i in indices), v, "int64 indices")
        check(len(indices) == len(v.attrs["axes"]), v, "one index for each axis")

    def widen(self, w: Widening, v: Value, operands: Sequence[Value], is_wide: Sequence[bool]) -> Value | None:
        """Of a wide tensor at wide positions: at the number of the round as well."""
        g, n, axes = w.graph, w.count, v.attrs["axes"]
        x, *indices = operands
        rank = max(i.rank for i in v.operands[1:])
        indices = [w.aligned(i, rank) if wide else i for i, wide in zip(indices, is_wide[1:], strict=True)]
        taken = axes
        if is_wide[0]:
            taken = tuple(d + 1 for d in axes)
        if all((is_wide[0], any(is_wide[1:]))):
            taken, indices = (0, *taken), [w.aligned(g.iota(n), rank), *indices]
        positions = ["rounds", *range(rank)] if any(is_wide[1:]) else [*range(rank)]
        names = _named_axes(taken, positions, ["rounds", *range(-x.rank + 1, 0)] if is_wide[0] else range(-x.rank, 0))
        wanted = ["rounds", *_named_axes(axes, [*range(rank)], range(-v.operands[0].rank, 0))]
        lengths = dict(zip(wanted, (n, *v.shape), strict=True))
        made = g.make(self.name, (x, *indices), v.dtype, [lengths[a] for a in names], axes=taken)
        return g.move(made, [wanted.index(a) for a in names], (n, *v.shape))

    def needs(self, inliner: Inliner, v: Value, axes: Axes) -> list[tuple[Value, Axes]]:
        x, *indices = v.operands
        if inliner.buffer_of(x) is None:
            raise Cut(x, "R4")
        placed, _ = take_axes(v, axes)
        return [(i, aligned(i, placed)) for i in indices]

    def scalar(self, inliner: Inliner, v: Value, axes: Axes, args: list[Val]) -> Val:
        """The positions along an axis that is as long as x there are no indices to be checked, but that axis."""
        x = v.operands[0]
        block, free = take_axes(v, axes)
        index = dict(zip(v.attrs["axes"], args, strict=True))
        entries = [index[d] if d in index else (0 if n == 1 else free[d]) for d, n in enumerate(x.shape)]
        for d, i in index.items():
            if i.op == "index" and i.attr not in entries and inliner.extents[i.attr] == inliner.find(x.shape[d]):
                entries[d] = i.attr
        buffer = inliner.buffer_of(x.operands[0] if x.op == PART else x)
        assert buffer is not None
        own = frozenset[str]().union(*(e.axes for e in entries if isinstance(e, Val)))
        value = inliner.b.load(buffer, *entries, along=tuple(a for a in block if a and a not in own))
        return inliner.b.part(value, x.attrs["k"]) if x.op == PART else value


def _is_prefix(g: Graph, index: Value, length: Any, indices: Sequence[Value]) -> bool:
    """Whether `index` is 0, 1, ... within the axis: made sure of at entry, where every position is read."""
    if index.op != "iota" or g.extents.conditional or any(i.rank != 1 for i in indices):
        return False
    positions, length = g.extents.find(index.shape[0]), g.extents.find(length)
    if isinstance(positions, int) and isinstance(length, int):
        return positions <= length
    if positions != length:
        g.extents.require(length, positions, "index is out of bounds: the length of the axis", "ge")
    return True


def _named_axes(taken: Sequence[int], positions: Sequence[Any], axes: Sequence[Any]) -> list[Any]:
    """The names of a result's axes, of those of the positions and of the tensor."""
    rest = [a for d, a in enumerate(axes) if d not in taken]
    first = index_place(tuple(taken))
    return [*rest[:first], *positions, *rest[first:]]


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
