"""take: elements at integer positions, which groups load (`fusion.inline`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tensordsl.codegen.constructs.subtensor import index_bounds
from tensordsl.codegen.fusion.inline import Axes, Cut, Inliner, aligned, take_axes
from tensordsl.codegen.scalar_ir.builder import Val
from tensordsl.codegen.tensor_ir.construct import PART, Fusible, Traits, register
from tensordsl.codegen.tensor_ir.graph import Graph, Value
from tensordsl.codegen.tensor_ir.lower import Lowering
from tensordsl.codegen.tensor_ir.lower_complex import by_parts
from tensordsl.codegen.tensor_ir.verify import check
from tensordsl.graph.variables import Apply
from tensordsl.ops.array.index import index_place

if TYPE_CHECKING:
    from tensordsl.codegen.passes.loops.widen import Widening


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
