"""Stable forms of functions of several rows: softmax, its logarithm, and the logarithm of sums of exponentials.

Without underflow or overflow for all finite operands; `patterns` cannot express them, as they match reductions.
"""

from __future__ import annotations

import math

import numpy as np

from tensordsl.codegen.passes.context import Context
from tensordsl.codegen.passes.patterns import fit
from tensordsl.codegen.scalar_ir.builder import Builder, Val
from tensordsl.codegen.tensor_ir.graph import Value
from tensordsl.graph.types import FLOATS
from tensordsl.ops.array.reduce import MAX
from tensordsl.ops.math.comparisons import LT
from tensordsl.ops.math.elementwise import ABS, ADD, MUL, SUB, SWITCH, TRUE_DIV
from tensordsl.ops.math.functions import EXP, LOG
from tensordsl.ops.rows import PIECEWISE, row


def _fraction(b: Builder, numerator: Val, denominator: Val) -> Val:
    """numerator / denominator for 0 <= numerator <= denominator, which is 0, normal or infinite, by the denominator's
    inverse, which all of a row share.  The quotient errs by up to 1.5 ulp, and by no more than a division after the
    remainder. Ref: P. Markstein, "Computation of elementary functions on the IBM RISC System/6000 processor", 1990.
    """
    inverse = b.div(1.0, denominator)
    quotient = b.mul(numerator, inverse)
    finite = b.select(b.lt(denominator, math.inf), denominator, 0.0)
    return b.fma(b.fma(b.neg(quotient), finite, numerator), inverse, quotient)


SHARE = row("share", _fraction, np.true_divide, no_gradient=PIECEWISE)


def of_exponentials(ctx: Context, v: Value) -> Value | None:
    """exp(x) / sum(exp(x)), with a factor too, log(softmax(x)) and log(sum(exp(x))) without underflow or overflow."""
    if v.op != "map":
        return None
    if v.attrs["row"] is TRUE_DIV:
        return _softmax(ctx, v)
    if v.attrs["row"] is MUL:
        return _scaled_softmax(ctx, v)
    if v.attrs["row"] is not LOG:
        return None
    return _log_softmax(ctx, v) or _log_sum_exp(ctx, v)


def _is_row(v: Value, row: object) -> bool:
    return v.op == "map" and v.attrs["row"] is row


def _strip(v: Value) -> tuple[Value, list[Value]]:
    """(v without its moves and casts between floats, those, outermost first)."""
    chain = []
    while v.op == "move" or (
        v.op == "map" and v.attrs["row"].name == "cast" and {v.dtype, v.operands[0].dtype} <= set(FLOATS)
    ):
        chain.append(v)
        v = v.operands[0]
    return v, chain


def _centred(c: Value, axes: object = None) -> bool:
    """Whether c = x - max(x) over some axes, or over the given ones and without a rounding cast."""
    if not _is_row(c, SUB):
        return False
    x, m = c.operands
    m, chain = _strip(m)
    choices = m.operands[1:] if _is_row(m, SWITCH) else (m,)  # the maximum, where it is finite (see _log_sum_exp)
    for choice in choices:
        largest, moves = _strip(choice)
        if largest.op == "reduce" and largest.attrs["reducer"].name == "max" and largest.operands[0] is x:
            return axes is None or (axes == largest.attrs["axes"] and _only_moves(chain + moves))
    return False


def _only_moves(chain: list[Value]) -> bool:
    return all(c.op == "move" for c in chain)


def _summed_exp(s: Value) -> tuple[Value, list[Value]] | None:
    """(sum(exp(x)), the moves and casts around it) if s is such a sum and x is not yet centred."""
    total, chain = _strip(s)
    if total.op != "reduce" or total.attrs["reducer"].name != "sum":
        return None
    e, casts = _strip(total.operands[0])
    if not _is_row(e, EXP) or any(c.op == "move" for c in casts) or _centred(e.operands[0]):
        return None
    return total, chain


def _centred_sum(ctx: Context, total: Value, chain: list[Value]) -> tuple[Value, Value]:
    """(sum(exp(x - m)), m) for sum(exp(x)), where m = max(x), or 0 where that is no finite number; both moved."""
    g = ctx.graph
    (x,) = _strip(total.operands[0])[0].operands
    axes = total.attrs["axes"]
    largest = g.reduce(MAX.meaning, 0, axes, [x])
    finite = g.map(LT, g.map(ABS, largest), g.const(math.inf, x.dtype))
    m = g.map(SWITCH, finite, largest, g.const(0, x.dtype))
    kept = [d for d in range(x.rank) if d not in axes]
    wide = g.move(m, kept, [1 if d in axes else n for d, n in enumerate(x.shape)])
    shifted = g.map(EXP, g.map(SUB, x, wide))
    inner = g.cast(shifted, total.operands[0].dtype)
    new = g.make("reduce", (inner,), total.dtype, total.shape, **total.attrs)
    for c in reversed(chain):
        if c.op == "move":
            new, m = g.move(new, c.attrs["map"], c.shape), g.move(m, c.attrs["map"], c.shape)
        else:
            new = g.cast(new, c.dtype)
    return new, m


def _softmax(ctx: Context, v: Value) -> Value | None:
    """exp(x) / sum(exp(x)) = exp(x - m) / sum(exp(x - m))."""
    e, s = v.operands
    found = _summed_exp(s) if _is_row(e, EXP) else None
    if found is None or _strip(found[0].operands[0])[0] is not e:
        return None
    g = ctx.graph
    total, m = _centred_sum(ctx, *found)
    ctx.hit("exp(x) / sum(exp(x)) = softmax(x)")
    return fit(g, g.map(TRUE_DIV, g.map(EXP, g.map(SUB, e.operands[0], m)), total), v)


def _scaled_softmax(ctx: Context, v: Value) -> Value | None:
    """exp(x) * (y / sum(exp(x))) = exp(x - m) * (y / sum(exp(x - m))): the derivative of log(sum(exp(x))), by y."""
    g = ctx.graph
    for e, quotient in (v.operands, v.operands[::-1]):
        scale, moves = _strip(quotient)
        if not _is_row(e, EXP) or not _is_row(scale, TRUE_DIV) or not _only_moves(moves):
            continue
        y, s = scale.operands
        found = _summed_exp(s) if s.shape == scale.shape else None
        if found is None or _strip(found[0].operands[0])[0] is not e:
            continue
        total, m = _centred_sum(ctx, *found)
        scale = g.map(TRUE_DIV, y, total)
        for c in reversed(moves):
            scale, m = g.move(scale, c.attrs["map"], c.shape), g.move(m, c.attrs["map"], c.shape)
        ctx.hit("exp(x) * (y / sum(exp(x))) = y * softmax(x)")
        return fit(g, g.map(MUL, g.map(EXP, g.map(SUB, e.operands[0], m)), scale), v)
    return None


def _log_softmax(ctx: Context, v: Value) -> Value | None:
    """log(exp(c) / sum(exp(c))) = c - log(sum(exp(c))) for c = x - max(x), also of elements picked from it."""
    quotient, chain = v.operands[0], []
    while quotient.op in ("move", "take") or (quotient.traits.is_view and quotient.traits.moves_only):
        chain.append(quotient)
        quotient = quotient.operands[0]
    if not _is_row(quotient, TRUE_DIV):
        return None
    e, s = quotient.operands
    if not _is_row(e, EXP) or not _centred(e.operands[0]):
        return None
    total, _ = _strip(s)
    if total.op != "reduce" or total.attrs["reducer"].name != "sum" or _strip(total.operands[0])[0] is not e:
        return None
    ctx.hit("log(softmax(x)) = logsoftmax(x)")
    g = ctx.graph
    new = fit(g, g.map(SUB, e.operands[0], g.map(LOG, s)), quotient)
    for c in reversed(chain):
        new = None if new is None else g.make(c.op, (new, *c.operands[1:]), c.dtype, c.shape, **c.attrs)
    return new


def _log_sum_exp(ctx: Context, v: Value) -> Value | None:
    """log(sum(exp(x))) = m + log(sum(exp(x - m))), also of a mean, which is such a sum by a number.

    So -inf only gives -inf, one inf gives inf, a nan nan, no elements -inf: as the left side.
    """
    s, by = v.operands[0], None
    if _is_row(s, TRUE_DIV):
        s, by = s.operands
    found = _summed_exp(s)
    if found is None:
        return None
    total, m = _centred_sum(ctx, *found)
    if by is not None:
        total = ctx.graph.map(TRUE_DIV, total, by)
    ctx.hit("log(sum(exp(x))) = max(x) + log(sum(exp(x - max(x))))")
    return fit(ctx.graph, ctx.graph.map(ADD, m, ctx.graph.map(LOG, total)), v)


def divide_once(ctx: Context, v: Value) -> Value | None:
    """exp(c) / sum(exp(c)) by the inverse of the sum, for c = x - max(x) over the same axes: divisions would dominate
    the last pass of a softmax."""
    if v.attrs["row"] is not TRUE_DIV or v.dtype not in ("float32", "float64"):
        return None
    e, s = v.operands
    total, chain = _strip(s)
    if not _is_row(e, EXP) or total.op != "reduce" or total.operands[0] is not e or not _only_moves(chain):
        return None
    c = e.operands[0]
    if total.attrs["reducer"].name != "sum" or not _centred(c, total.attrs["axes"]):
        return None
    ctx.hit("exp(c) / sum(exp(c)) by the inverse of the sum")
    return ctx.graph.map(SHARE, e, s)
