"""Lengths and ranges: a length as a value, 0, 1, 2, ..., and the rows made of them."""

from __future__ import annotations

from tensordsl.codegen.fusion.inline import Axes, Inliner
from tensordsl.codegen.scalar_ir.builder import Val
from tensordsl.codegen.tensor_ir.construct import Expanded, Fusible, Traits, register
from tensordsl.codegen.tensor_ir.graph import Graph, Value
from tensordsl.codegen.tensor_ir.lower import Lowering, required
from tensordsl.codegen.tensor_ir.verify import check
from tensordsl.graph.variables import Apply

MAX_BOUND = 1 << 62  # from 0, of the bounds of a range: differences fit
NO_NUMBERS = "it gives integers, of integers"


@register
class Extent(Fusible):
    """extent(extent): a length known at run time."""

    name, traits = "extent", Traits(is_fusible=True, has_lengths=True)

    def verify(self, graph: Graph, v: Value) -> None:
        check(v.dtype == "int64" and not v.rank, v, "a 0-d int64")

    def scalar(self, inliner: Inliner, v: Value, axes: Axes, args: list[Val]) -> Val:
        return inliner.b.extent(v.attrs["extent"])


@register
class Iota(Fusible):
    """iota: 0, 1, 2, ... along the only axis."""

    name, traits = "iota", Traits(is_fusible=True)

    def verify(self, graph: Graph, v: Value) -> None:
        check(v.dtype == "int64" and v.rank == 1, v, "a vector of int64")

    def scalar(self, inliner: Inliner, v: Value, axes: Axes, args: list[Val]) -> Val:
        return inliner.b.const(0, "int64") if axes == (0,) else inliner.b.index(axes[0])


@register
class ShapeI(Expanded):
    """shape_i(axis): the length of an axis."""

    name = "shape_i"

    def lower(self, low: Lowering, node: Apply, operands: list[Value]) -> list[Value]:
        return [low.graph.extent(operands[0].shape[node.attrs["axis"]])]

    lower_complex = lower


@register
class Arange(Expanded):
    """arange: start, start + step, ... before stop."""

    name = "arange"
    missing = {**Expanded.missing, "lower_complex": NO_NUMBERS}

    def lower(self, low: Lowering, node: Apply, operands: list[Value]) -> list[Value]:
        from tensordsl.ops.table import OPS  # late: the table imports every row

        start, stop, step = operands
        g = low.graph
        if (g.extents.value(start), g.extents.value(step)) != (0, 1):
            for bound in map(g.extents.value, (start, stop)):
                if not isinstance(bound, int):  # what lies between must fit, and what is added to it
                    g.extents.require(bound, -MAX_BOUND, "arange: a bound lies below -2**62", "ge")
                    g.extents.require(bound, MAX_BOUND, "arange: a bound does not lie below 2**62", "lt")
        (n,) = node.row.shape(g.extents, *operands, **node.attrs)
        dtype = node.outputs[0].type.dtype
        positions, by = g.iota(g.extents.find(n)), g.extents.value(step)
        if not isinstance(by, int):
            positions = required(g, positions, by, 0, "ne", "arange: the step is 0")
        positions = g.cast(positions, dtype)
        if (g.extents.value(start), g.extents.value(step)) == (0, 1):
            return [positions]
        steps = g.map(OPS["mul"], positions, g.cast(step, dtype))
        return [g.cast(g.map(OPS["add"], g.cast(start, dtype), steps), dtype)]
