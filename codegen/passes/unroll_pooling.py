"""Unrolled pooling: reductions over axes of few elements become elementwise operations on slices.

    max(x.reshape((n, h, 2, w, 2)), axes 2 and 4) = maximum of four slices

Then lanes run along the remaining axes.  Not for rows where lanes run across them (`pack.transpose_blocks`).
"""

from __future__ import annotations

from itertools import product
from math import prod
from typing import Any

from tensordsl.codegen.passes.context import Context
from tensordsl.codegen.passes.sink_slices import push
from tensordsl.codegen.tensor_ir.construct import RESHAPE
from tensordsl.codegen.tensor_ir.graph import Value
from tensordsl.graph.types import FLOATS, INTEGERS
from tensordsl.ops.math.elementwise import ADD
from tensordsl.ops.table import OPS

ROWS = {"max": "maximum", "min": "minimum", "sum": "add"}
DTYPES = frozenset(("float32", "float64", *INTEGERS))


def unroll_pools(ctx: Context, v: Value) -> Value | None:
    """max(x.reshape((n, h, 2, w, 2)), axes 2 and 4) is the maximum of four slices, along any other adjacent axes; sums
    are pairwise.  Also of values repeated along the axes."""
    name, axes = v.attrs["reducer"].name, v.attrs["axes"]
    if name not in ROWS or v.attrs["with_index"] or not v.rank or v.dtype not in DTYPES:
        return None
    (x,) = v.operands
    lengths = [x.shape[a] for a in axes]
    known = [n for n in lengths if isinstance(n, int)]
    if len(known) < len(axes) or not 1 < prod(known) <= ctx.tuning.pool_max_elements or x.dtype != v.dtype:
        return None
    is_pool = _is_pool(ctx, x, axes, prod(known)) and not _is_reduced_again(ctx, v)
    if not is_pool and not _has_repeated(ctx, x, axes):
        return None
    values = [push(ctx, x, _bounds(x, axes, place), ()) for place in product(*map(range, known))]
    if not is_pool and len({*values}) > 1:
        return None
    ctx.hit(f"{name}(x.reshape(s)) = {ROWS[name]} of slices")
    while len(values) > 1:
        pairs = zip(values[::2], values[1::2], strict=False)
        values = [*(ctx.graph.map(OPS[ROWS[name]], a, b) for a, b in pairs), *values[len(values) // 2 * 2 :]]
    (pool,) = values
    if not is_pool:  # a sum begins with 0, which matters if it is -0
        return ctx.graph.map(ADD, pool, ctx.graph.const(0.0, v.dtype)) if name == "sum" and v.dtype in FLOATS else pool
    return ctx.graph.make("map", pool.operands, pool.dtype, pool.shape, **pool.attrs, pool=True)


def _is_reduced_again(ctx: Context, v: Value) -> bool:
    """Whether another reduction has the same axes, as in a softmax or a variance: they share one loop."""
    others = ctx.partial(v.operands[0].shape)
    return any(r.number != v.number and r.attrs["axes"] == v.attrs["axes"] for r in others)


def _is_pool(ctx: Context, x: Value, axes: tuple[int, ...], count: int) -> bool:
    t = ctx.tuning
    most = t.pool_max_strided_elements if x.rank - 1 in axes else t.pool_max_elements
    return count <= most and not _has_strided_short_rows(ctx, x, axes) and _is_reshaped(ctx, x)


def _has_repeated(ctx: Context, x: Value, axes: tuple[int, ...]) -> bool:
    """Whether it is computed from a value that is repeated along all of these axes."""
    leaves = _leaves(ctx, x)
    return any(v.op == "move" and not {*axes} & {*v.attrs["map"]} for v in leaves)


def _has_strided_short_rows(ctx: Context, x: Value, axes: tuple[int, ...]) -> bool:
    """Whether elements of the slices would have strides, in rows that are short or the only ones."""
    if x.rank - 1 not in axes:
        return False
    row = x.shape[-2]
    return len(axes) == 1 or (isinstance(row, int) and row < ctx.tuning.pool_short_row_elements)


def _is_reshaped(ctx: Context, x: Value) -> bool:
    """Whether it is a reshape, or a few operations on reshapes and on values that need no computation."""
    leaves = _leaves(ctx, x)
    is_plain = all(v.traits.is_given or v.op in ("move", RESHAPE) or not v.rank for v in leaves)
    return is_plain and any(v.op == RESHAPE for v in leaves)


def _leaves(ctx: Context, x: Value) -> list[Value]:
    """The operands of the few operations that compute it."""
    operations, leaves, stack = set[int](), list[Value](), [x]
    while stack:
        v = stack.pop()
        if v.op == "map" and v.rank and (len(operations) < ctx.tuning.pool_max_operations or v.number in operations):
            stack += v.operands if v.number not in operations else ()
            operations.add(v.number)
        else:
            leaves.append(v)
    return leaves


def _bounds(x: Value, axes: tuple[int, ...], place: tuple[int, ...]) -> Any:
    at = dict(zip(axes, place, strict=True))
    return tuple((at.get(d, 0), 1 if d in at else n, 1, d not in at) for d, n in enumerate(x.shape))
