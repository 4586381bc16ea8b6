"""Stable forms of functions that need more than one row: logarithms of softmax and of sums of exponentials."""

from __future__ import annotations

import math

from tensordsl.codegen.ir import Value
from tensordsl.codegen.passes.context import Context
from tensordsl.codegen.patterns import fit
from tensordsl.ops.comparisons import LT
from tensordsl.ops.elementwise import ABS, ADD, SUB, SWITCH
from tensordsl.ops.functions import EXP, LOG
from tensordsl.ops.reduce import MAX
from tensordsl.types import FLOATS


def log_of_sums(ctx: Context, v: Value) -> Value | None:
    """log(softmax(x)) and log(sum(exp(x))) without underflow or overflow."""
    if v.op != "map" or v.attrs["row"] is not LOG:
        return None
    return _log_softmax(ctx, v) or _log_sum_exp(ctx, v)


def _is_row(v: Value, row: object) -> bool:
    return v.op == "map" and v.attrs["row"] is row


def _strip(v: Value) -> tuple[Value, list[Value]]:
    """v behind its moves and casts between floats, and those, outermost first."""
    chain = []
    while v.op == "move" or (
        v.op == "map" and v.attrs["row"].name == "cast" and {v.dtype, v.operands[0].dtype} <= set(FLOATS)
    ):
        chain.append(v)
        v = v.operands[0]
    return v, chain


def _centred(c: Value) -> bool:
    """Whether c = x - max(x) over some axes."""
    if not _is_row(c, SUB):
        return False
    x, m = c.operands
    m, _ = _strip(m)
    if _is_row(m, SWITCH):  # the maximum, where it is finite (see _log_sum_exp)
        m = m.operands[1]
    return m.op == "reduce" and m.attrs["reducer"].name == "max" and m.operands[0] is x


def _log_softmax(ctx: Context, v: Value) -> Value | None:
    """log(exp(c) / sum(exp(c))) = c - log(sum(exp(c))) for c = x - max(x)."""
    (quotient,) = v.operands
    if not (quotient.op == "map" and quotient.attrs["row"].name == "true_div"):
        return None
    e, s = quotient.operands
    if not _is_row(e, EXP) or not _centred(e.operands[0]):
        return None
    total, _ = _strip(s)
    if total.op != "reduce" or total.attrs["reducer"].name != "sum" or _strip(total.operands[0])[0] is not e:
        return None
    ctx.hit("log(softmax(x)) = logsoftmax(x)")
    return fit(ctx.graph, ctx.graph.map(SUB, e.operands[0], ctx.graph.map(LOG, s)), v)


def _log_sum_exp(ctx: Context, v: Value) -> Value | None:
    """log(sum(exp(x))) = m + log(sum(exp(x - m))), where m = max(x), or 0 where that is no finite number.

    So -inf only gives -inf, one inf gives inf, a nan nan, no elements -inf: as the left side.
    """
    g = ctx.graph
    total, chain = _strip(v.operands[0])
    if total.op != "reduce" or total.attrs["reducer"].name != "sum":
        return None
    e, casts = _strip(total.operands[0])
    if not _is_row(e, EXP) or any(c.op == "move" for c in casts):
        return None
    (x,) = e.operands
    if _centred(x):
        return None
    axes = total.attrs["axes"]
    largest = g.reduce(MAX.meaning, 0, axes, [x])
    finite = g.map(LT, g.map(ABS, largest), g.const(math.inf, x.dtype))
    m = g.map(SWITCH, finite, largest, g.const(0, x.dtype))
    kept = [d for d in range(x.rank) if d not in axes]
    shifted = g.map(EXP, g.map(SUB, x, g.move(m, kept, x.shape)))
    inner = g.cast(shifted, total.operands[0].dtype)
    new = g.make("reduce", (inner,), total.dtype, total.shape, **total.attrs)
    for c in reversed(chain):
        if c.op == "move":
            new, m = g.move(new, c.attrs["map"], c.shape), g.move(m, c.attrs["map"], c.shape)
        else:
            new = g.cast(new, c.dtype)
    ctx.hit("log(sum(exp(x))) = max(x) + log(sum(exp(x - max(x))))")
    return fit(g, g.map(ADD, m, g.map(LOG, new)), v)
