"""Fusible constructs: elementwise rows, moves and reductions, which groups compute, and rows that become these."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tensordsl.codegen.fusion.group import region
from tensordsl.codegen.fusion.inline import Axes, Cut, Inliner, aligned, inline
from tensordsl.codegen.scalar_ir.builder import Builder, Val, counted
from tensordsl.codegen.tensor_ir import extents as ex
from tensordsl.codegen.tensor_ir.construct import Expanded, Fusible, Traits, register
from tensordsl.codegen.tensor_ir.graph import Graph, Value, signature
from tensordsl.codegen.tensor_ir.lower import Lowering
from tensordsl.codegen.tensor_ir.lower_complex import by_parts
from tensordsl.codegen.tensor_ir.verify import check, same, same_shape
from tensordsl.graph.casting import accumulator
from tensordsl.graph.variables import Apply

if TYPE_CHECKING:
    from tensordsl.codegen.passes.loops.widen import Widening


@register
class Map(Fusible):
    """map(row, args): operands have the row's loop dtypes; with `pool` it is of slices, instead of a reduction."""

    name, traits = "map", Traits(is_fusible=True, is_computed=True, makes_floats=True)

    def verify(self, graph: Graph, v: Value) -> None:
        dtypes = tuple([o.dtype for o in v.operands])
        loop, dtype = signature(v.attrs["row"], dtypes, v.attrs["args"])
        if loop != dtypes or dtype != v.dtype:
            check(False, v, f"the row's loop wants {loop} and gives {dtype}")
        for o in v.operands:
            if o.shape is v.shape or o.shape == v.shape:
                continue
            lead = len(v.shape) - len(o.shape)
            check(lead >= 0, v, "an operand has more axes than the result")
            for m, n in zip(o.shape, v.shape[lead:], strict=True):
                check(m == n or m == 1 or same(graph, m, n), v, "an operand does not broadcast")

    def needs(self, inliner: Inliner, v: Value, axes: Axes) -> list[tuple[Value, Axes]]:
        return [(o, axes if o.shape is v.shape else aligned(o, axes)) for o in v.operands]

    def widen(self, w: Widening, v: Value, operands: Sequence[Value], is_wide: Sequence[bool]) -> Value | None:
        if "pool" in v.attrs:
            return None
        operands = [w.aligned(o, v.rank) if wide else o for o, wide in zip(operands, is_wide, strict=True)]
        return w.graph.make(self.name, operands, v.dtype, (w.count, *v.shape), **v.attrs)

    def scalar(self, inliner: Inliner, v: Value, axes: Axes, args: list[Val]) -> Val:
        return inliner.b.row(v.attrs["row"], v.dtype, args, v.attrs["args"])


@register
class Move(Fusible):
    """move(map): map[d] is the result's axis that indexes operand axis d, None: an axis of length 1, read at 0."""

    name, traits = "move", Traits(is_fusible=True, is_computed=True)

    def verify(self, graph: Graph, v: Value) -> None:
        (x,) = v.operands
        check(v.dtype == x.dtype and len(v.attrs["map"]) == x.rank, v, "one entry of the map for each axis, same dtype")
        for n, a in zip(x.shape, v.attrs["map"], strict=True):
            if a is None:
                check(same(graph, n, 1), v, "a longer axis than 1 is dropped")
            else:
                check(0 <= a < v.rank and same(graph, n, v.shape[a]), v, "an axis has another length")

    def needs(self, inliner: Inliner, v: Value, axes: Axes) -> list[tuple[Value, Axes]]:
        (x,) = v.operands
        entries = zip(x.shape, v.attrs["map"], strict=True)
        return [(x, tuple([0 if n == 1 or m is None else axes[m] for n, m in entries]))]

    def widen(self, w: Widening, v: Value, operands: Sequence[Value], is_wide: Sequence[bool]) -> Value | None:
        place = [0, *(None if a is None else a + 1 for a in v.attrs["map"])]
        return w.graph.move(operands[0], place, (w.count, *v.shape))

    def scalar(self, inliner: Inliner, v: Value, axes: Axes, args: list[Val]) -> Val:
        return args[0]


@register
class BroadcastTo(Expanded):
    """broadcast_to: x, stretched to lengths that are operands."""

    name = "broadcast_to"
    lower_complex = by_parts

    def lower(self, low: Lowering, node: Apply, operands: list[Value]) -> list[Value]:
        x, *_ = operands
        g = low.graph
        shape = tuple(g.extents.find(n) for n in node.row.shape(g.extents, *operands, **node.attrs))
        for n in shape:
            if not isinstance(n, int) and any(a[0] == "value" for a in ex.atoms(n)):
                g.extents.require(n, 0, "a length", "ge")
        return [g.broadcast_to(g.stretched(x, shape), shape)]


@register
class Reduce(Fusible):
    """reduce(reducer, axes, result, with_index): operands are of one shape; with_index adds the position to them."""

    name, traits = "reduce", Traits(is_fusible=True, is_computed=True, makes_floats=True)

    def verify(self, graph: Graph, v: Value) -> None:
        axes, x = v.attrs["axes"], v.operands[0]
        check(all(0 <= a < x.rank for a in axes) and list(axes) == sorted(set(axes)), v, "axes in order, each once")
        check(all(same_shape(graph, o.shape, x.shape) for o in v.operands), v, "operands of one shape")
        check(same_shape(graph, [n for d, n in enumerate(x.shape) if d not in axes], v.shape), v, "the axes left")
        types = tuple(o.dtype for o in v.operands) + (("int64",) if v.attrs["with_index"] else ())
        check(v.attrs["reducer"].result(types)[v.attrs["result"]] == v.dtype, v, "the reducer's dtype")

    def needs(self, inliner: Inliner, v: Value, axes: Axes) -> list[tuple[Value, Axes]]:
        inner = inliner.inner_axes(v, axes)
        return [(o, inner) for o in v.operands]

    def widen(self, w: Widening, v: Value, operands: Sequence[Value], is_wide: Sequence[bool]) -> Value | None:
        operands = [o if wide else w.repeated(o) for o, wide in zip(operands, is_wide, strict=True)]
        axes = tuple(a + 1 for a in v.attrs["axes"])
        return w.graph.make(self.name, operands, v.dtype, (w.count, *v.shape), **{**v.attrs, "axes": axes})

    def scalar(self, inliner: Inliner, v: Value, axes: Axes, args: list[Val]) -> Val:
        inner = inliner.inner_axes(v, axes)
        reducer, k = v.attrs["reducer"], v.attrs["result"]
        local = [a for d, a in enumerate(inner) if d in v.attrs["axes"] and a != 0]
        if v.attrs["with_index"]:
            args = [*args, inliner.b.index(local[0]) if local else inliner.b.const(0, "int64")]
        args = [inliner.b.operand(x) for x in args]
        reducer, args = counted(reducer, args)
        given = frozenset().union(*(x.axes for x in args))
        if not given >= {a for a in axes if a}:  # its rows would all be one: load the operand at its own axes instead
            raise Cut(v.operands[0], "R3")
        if not local:
            results = _one_element(inliner.b, reducer, args)
        else:
            results = inliner.b.reduce(reducer, local, *args)
        return inliner.b.cast(results[k], v.dtype)


def _one_element(b: Builder, reducer: Any, args: Sequence[Val]) -> Sequence[Val]:
    """The reduction of a single element: finish(step(identity, x)), inlined."""
    types = tuple(a.type for a in args)
    state = [b.const(c, t) for c, t in zip(reducer.identity(types), reducer.state(types), strict=True)]
    state = inline(b, region(reducer, "step", types), [*state, *args])
    return inline(b, region(reducer, "finish", types), state)


@register
class Fold(Expanded):
    """fold: the sum over axes that are 1 in the result and were stretched, which only the run decides."""

    name = "fold"
    lower_complex = by_parts

    def lower(self, low: Lowering, node: Apply, operands: list[Value]) -> list[Value]:
        from tensordsl.ops.table import OPS  # late: the table imports every row

        x, *_ = operands
        g = low.graph
        shape = [g.extents.find(n) for n in node.row.shape(g.extents, *operands, **node.attrs)]
        wide = map(g.extents.find, x.shape)
        pairs = [
            (n,) if m == n or g.extents.are_agreed((m, n)) else (m, ex.floordiv(n, m))
            for m, n in zip(shape, wide, strict=True)
        ]
        if all(len(pair) == 1 for pair in pairs):
            return [x]
        split = g.reshape(x, [n for pair in pairs for n in pair])
        ends = [sum(map(len, pairs[: d + 1])) - 1 for d, pair in enumerate(pairs) if len(pair) == 2]
        summed = g.cast(split, accumulator(x.dtype) if x.dtype == "float16" else x.dtype)
        return [g.cast(g.reduce(OPS["sum"].meaning, 0, ends, [summed]), x.dtype)]
