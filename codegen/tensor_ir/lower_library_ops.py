"""Steps that the library has functions for, as tensor IR: running sums, sorting, positions that data decide."""

from __future__ import annotations

from typing import Any

from tensordsl.codegen.tensor_ir.graph import Graph, Value
from tensordsl.graph.casting import upcast
from tensordsl.ops.array.masks import check_mask_length


def lower_along(low: Any, node: Any, operands: list[Value]) -> list[Value]:
    """x is read in its own dtype: the library widens what it loads."""
    (x,) = operands
    dtype, axis = node.outputs[0].type.dtype, node.attrs["axis"]
    return [low.graph.make("along", (x,), dtype, x.shape, function=node.row.name, axis=axis)]


def lower_search(low: Any, node: Any, operands: list[Value]) -> list[Value]:
    """Both operands in their common dtype, as NumPy compares them."""
    g: Graph = low.graph
    dtype = upcast(*(o.dtype for o in operands))
    x, v = (g.cast(o, dtype) for o in operands)
    return [g.make("searchsorted", (x, v), "int64", v.shape, side=node.attrs["side"])]


def lower_repeated(low: Any, node: Any, operands: list[Value]) -> list[Value]:
    """The program checks the least count."""
    from tensordsl.ops.table import OPS  # late: the table imports every row

    g: Graph = low.graph
    counts, total = operands
    least = g.reduce(OPS["min"].meaning, 0, (0,), [counts])
    shape = node.row.shape(g.extents, *operands)
    loops = loops_of_step(g, operands)
    return [g.make(node.row.name, (counts, total, least), "int64", shape, loops=loops)]


def loops_of_step(g: Graph, operands: list[Value]) -> frozenset[int]:
    """Where a step that may fail belongs: it stays inside of a loop that may run zero times."""
    return (g.within or frozenset()).union(*(v.loops for v in operands))


def lower_true(low: Any, node: Any, operands: list[Value]) -> list[Value]:
    """Operands: a mask, how many positions there are, and what the mask's axes must measure."""
    g: Graph = low.graph
    x, total, *lengths = operands
    e = g.extents
    bounds, axes = [], []
    for axis, length in enumerate(lengths):
        n, wanted = e.find(x.shape[axis]), e.find(e.value(length))
        if n == wanted:
            continue
        if isinstance(n, int) and isinstance(wanted, int):
            check_mask_length(n, wanted, axis)
        bounds.append((n, wanted, 1, True))
        axes.append(axis)
    loops = loops_of_step(g, operands) if bounds else None
    shape = node.row.shape(e, *operands)
    return [g.make(node.row.name, (x, total), "int64", shape, loops=loops, bounds=tuple(bounds), axes=tuple(axes))]
