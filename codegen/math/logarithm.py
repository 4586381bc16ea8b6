"""log, log2, log10, log1p, and the logarithm in two parts that pow and gammaln need.

x = 2^k m with m in [3/4, 3/2).  The leading bits of m's significand choose r from a table, so that f = m r - 1 is exact
and below 1/16, and the logarithm is k log 2 - log r + log(1 + f), the first two in heads that are added without an
error.  Around 1, r is 1 and k is 0: there f alone decides (P. Tang, "Table-driven implementation of the logarithm
function", 1990; the choice of r is ours).
"""

from __future__ import annotations

from tensordsl.codegen.math import coefficients as c
from tensordsl.codegen.math.parts import FORMATS, fast_two_sum, polynomial, two_product
from tensordsl.codegen.scalar import Builder, Val

INF = float("inf")


def table_index(b: Builder, m: Val, entries: int) -> Val:
    """The leading bits of a significand; `lookup` takes it modulo the number of entries."""
    f = FORMATS[m.type]
    return b.shr(b.bitcast(m, f.integer), f.mantissa - (entries.bit_length() - 1))


def split(b: Builder, x: Val) -> tuple[Val, Val]:
    """(k, m): x = 2^k m, m in [3/4, 3/2), for positive x, subnormal too; k is -inf of 0 and inf of inf, then m is 1."""
    m = b.significand(x)
    k = b.exponent(x)
    return b.select(b.lt(m, 1.0), b.add(k, 1.0), k), m


def reduced(b: Builder, x: Val) -> tuple[Val, Val, Val]:
    """(k, index, f)"""
    k, m = split(b, x)
    table = c.RECIPROCAL[x.type]
    index = table_index(b, m, len(table))
    return k, index, b.fma(m, b.lookup(table, index), -1.0)


def _plus_multiple(
    b: Builder, k: Val, index: Val, f: Val, rest: Val, unit: tuple[float, ...], heads: tuple[float, ...],
    tails: tuple[float, ...], factor: tuple[float, ...] = (1.0, 0.0),
) -> Val:  # fmt: skip
    """k unit + (the table's entry) + f factor + rest; the sum of heads is 0 or not below f.  Of infinite k: k + f."""
    base, low = b.fma(k, unit[0], b.lookup(heads, index)), b.lookup(tails, index)
    rest = b.add(rest, b.fma(k, unit[1], low) if unit[1] else low)
    head = b.fma(f, factor[0], base)
    error = b.fma(f, factor[0], b.sub(base, head))
    return b.add(head, b.select(b.lt(b.abs(k), INF), b.add(error, rest), 0.0))


def _rest(b: Builder, f: Val) -> Val:
    """log(1 + f) - f"""
    return b.mul(b.mul(f, f), polynomial(b, f, c.LOG[f.type]))


def log(b: Builder, x: Val) -> Val:
    t = x.type
    k, index, f = reduced(b, x)
    return _plus_multiple(b, k, index, f, _rest(b, f), c.LN2[t], c.LN_HEADS[t], c.LN_TAILS[t])


def log2(b: Builder, x: Val) -> Val:
    t, factor = x.type, c.LOG2E[x.type]
    k, index, f = reduced(b, x)
    rest = b.fma(b.mul(f, f), polynomial(b, f, c.LOG2[t]), b.mul(f, factor[1]))
    return _plus_multiple(b, k, index, f, rest, (1.0, 0.0), c.LOG2_HEADS[t], c.LOG2_TAILS[t], factor)


def log10(b: Builder, x: Val) -> Val:
    t, factor = x.type, c.LOG10E[x.type]
    k, index, f = reduced(b, x)
    rest = b.fma(b.mul(f, f), polynomial(b, f, c.LOG10[t]), b.mul(f, factor[1]))
    return _plus_multiple(b, k, index, f, rest, c.LOG10_2[t], c.LOG10_HEADS[t], c.LOG10_TAILS[t], factor)


def log1p(b: Builder, x: Val) -> Val:
    return b.copysign(log_of_sum_parts(b, x), x)  # for the sign of zero


def log_of_sum_parts(b: Builder, x: Val, low: Val | None = None) -> Val:
    """log(1 + x + low), special values as log1p.  The rounding error of 1 + x is exact where it is not negligible."""
    u = b.add(x, 1.0)
    error = b.sub(x, b.sub(u, 1.0))
    return log_of_two(b, u, error if low is None else b.add(error, low))


def log_of_two(b: Builder, u: Val, error: Val) -> Val:
    """log(u + error) for |error| of the order of an ulp of u: log(1 + f + e) with f = m r - 1, e = r 2^-k error."""
    t = u.type
    k, m = split(b, u)
    table = c.RECIPROCAL[t]
    index = table_index(b, m, len(table))
    r = b.lookup(table, index)
    f = b.fma(m, r, -1.0)
    e = b.mul(b.ldexp(error, b.neg(k)), r)
    rest = b.add(_rest(b, f), b.fma(b.neg(f), e, e))
    return _plus_multiple(b, k, index, f, rest, c.LN2[t], c.LN_HEADS[t], c.LN_TAILS[t])


def precise_log(b: Builder, x: Val) -> tuple[Val, Val]:
    """log(x) of positive x as head and tail, to 2^-64 (float32: 2^-34) of it."""
    t = x.type
    k, m = split(b, x)
    name = "FINE_" if t == "float64" else ""
    r, heads, tails = (getattr(c, name + table)[t] for table in ("RECIPROCAL", "LN_HEADS", "LN_TAILS"))
    index = table_index(b, m, len(r))
    f = b.fma(m, b.lookup(r, index), -1.0)
    high, low = c.LN2[t]
    base = b.fma(k, high, b.lookup(heads, index))
    tail = b.fma(k, low, b.lookup(tails, index))
    # f - f^2/2 with its errors, f^3 (1/3 ...) rounded
    half = b.mul(f, 0.5)
    p, p_low = two_product(b, half, f)
    s, e1 = fast_two_sum(b, base, f)
    head = b.sub(s, p)
    e2 = b.sub(b.sub(s, head), p)
    cubic = b.mul(p, f)
    tail = b.add(b.add(e1, e2), b.fma(cubic, polynomial(b, f, c.LOG_POW[t]), b.sub(tail, p_low)))
    return fast_two_sum(b, head, tail)
