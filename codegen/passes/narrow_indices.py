"""Narrow positions of writes: indices of an unsigned dtype whose every value is in range are used as they are.

As int64 they would be up to eight times as long, and a loop would store them for the write to load.
"""

from __future__ import annotations

from collections.abc import Sequence

from tensordsl.codegen.tensor_ir import extents as ex
from tensordsl.codegen.tensor_ir.construct import IN_BOUNDS, INC_TAKE
from tensordsl.codegen.tensor_ir.graph import Graph, Value, rewrite
from tensordsl.ops.table import OPS

MAX_VALUE = {"uint8": (1 << 8) - 1, "uint16": (1 << 16) - 1}


def narrow_positions(graph: Graph, roots: Sequence[Value]) -> list[Value]:
    """The roots, with positions as narrow as their indices."""
    if not any(v.op == INC_TAKE for v in graph.values):
        return list(roots)
    return rewrite(graph, roots, lambda v: _narrowed(graph, v), ops=(INC_TAKE,))


def _narrowed(g: Graph, v: Value) -> Value | None:
    x, y, *positions = v.operands
    new = [_positions(g, p) if p.op == IN_BOUNDS and p.dtype == "int64" else p for p in positions]
    if new == positions:
        return None
    return g.make(INC_TAKE, (x, y, *new), v.dtype, v.shape, loops=v.loops, **v.attrs)


def _positions(g: Graph, p: Value) -> Value:
    """Positions that were wrapped, clamped and checked, from the indices themselves: they need no wrapping."""
    find, ((_, length, _, _),) = g.extents.find, p.attrs["bounds"]
    indices = _indices(p.operands[2])
    if indices is None or find(ex.product(indices.shape)) != find(p.shape[0]):
        return p
    most, n = MAX_VALUE[indices.dtype], find(length)
    if isinstance(n, int) and n > most and _is_kept(indices):
        return g.reshape(indices, p.shape) if indices.rank != 1 else indices
    zero, one, top = (g.const(k, "int64") for k in (0, 1, most))
    last = g.map(OPS["minimum"], g.map(OPS["maximum"], g.map(OPS["sub"], g.extent(n), one), zero), top)
    clamped = g.map(OPS["minimum"], indices, g.cast(last, indices.dtype))
    at = g.reshape(clamped, p.shape) if indices.rank != 1 else clamped
    greatest = g.cast(g.reduce(OPS["max"].meaning, 0, range(indices.rank), [g.cast(indices, "int32")]), "int64")
    return g.make(IN_BOUNDS, (at, zero, greatest), indices.dtype, p.shape, loops=p.loops, **p.attrs)


def _indices(greatest: Value) -> Value | None:
    """The narrow numbers, equal to the indices, whose greatest one is this value."""
    if greatest.op != "reduce" or greatest.attrs["reducer"].name != "max":
        return None
    (v,) = greatest.operands
    is_cast = v.op == "map" and v.attrs["row"] is OPS["cast"]
    return v.operands[0] if is_cast and v.operands[0].dtype in MAX_VALUE else None


def _is_kept(v: Value) -> bool:
    """Whether its memory is not written before it is read: it is computed, or an argument."""
    while v.op == "move" or (v.traits.is_view and v.traits.moves_only):
        v = v.operands[0]
    return v.op in ("map", "arg")
