"""log, log2, log10, log1p; and `precise_log`, the logarithm in two parts that pow and the gamma functions need.

Method     x = 2^k m: a table gives r for the leading bits of m, so that f = m r - 1 is exact and below 1/16; then
           k log 2 - log r, in heads that are added without an error, and log(1 + f).  Around 1 f alone decides.
Ref        P. Tang, "Table-driven implementation of the logarithm function", 1990; the choice of r is ours.
"""

from __future__ import annotations

import numpy as np

from tensordsl.codegen.scalar_ir.builder import Builder, Val
from tensordsl.codegen.scalar_ir.math import coefficients as c
from tensordsl.codegen.scalar_ir.math.floating_point import FORMATS, fast_two_sum, polynomial, two_product
from tensordsl.codegen.scalar_ir.math.function import RISING, Function, ulps

INF = float("inf")


def table_index(b: Builder, m: Val, entries: int) -> Val:
    """The leading bits of a significand; `lookup` takes it modulo the number of entries."""
    f = FORMATS[m.type]
    return b.shr(b.bitcast(m, f.integer), f.mantissa - (entries.bit_length() - 1))


def reciprocals(t: str, tables: str = "") -> tuple[float, ...]:
    """The r whose logarithms the tables have.  Around 1, r is 1 (1/2 below 1) and the heads' sum 0; elsewhere that
    is at least 4/3 of log(1 + f), whose rounding counts little."""
    return c.RECIPROCAL[len(getattr(c, tables + "LN_HEADS")[t])]


def reduced(b: Builder, x: Val, tables: str = "") -> tuple[Val, Val, Val]:
    """(k, index, f)"""
    m = b.significand(x)
    r = reciprocals(x.type, tables)
    index = table_index(b, m, len(r))
    return b.exponent(x), index, b.fma(m, b.lookup(r, index), -1.0)


def multiple(b: Builder, k: Val, index: Val, base: str = "LN", tables: str = "") -> tuple[Val, Val]:
    """k log(2) - log(r) in a base, as head and tail; both are infinite with k."""
    t = k.type
    head, tail = (b.lookup(getattr(c, f"{tables}{base}_{part}")[t], index) for part in ("HEADS", "TAILS"))
    if base == "LOG2":
        return b.add(k, head), tail
    high, low = (c.LN2 if base == "LN" else c.LOG10_2)[t]
    return b.fma(k, high, head), b.fma(k, low, tail)


def _logarithm(b: Builder, x: Val, base: str, unit: float) -> Val:
    """Also of 0, infinity (f is 0 there) and negative numbers (f is a nan)."""
    k, index, f = reduced(b, x)
    head, tail = multiple(b, k, index, base)
    rest = b.fma(b.mul(f, f), polynomial(b, f, getattr(c, base)[x.type]), tail)
    return b.add(head, b.add(f, rest) if unit == 1.0 else b.fma(f, unit, rest))


def log(b: Builder, x: Val) -> Val:
    return _logarithm(b, x, "LN", 1.0)


def log2(b: Builder, x: Val) -> Val:
    return _logarithm(b, x, "LOG2", c.LOG2E[x.type][0])


def log10(b: Builder, x: Val) -> Val:
    return _logarithm(b, x, "LOG10", c.LOG10E[x.type][0])


def log1p(b: Builder, x: Val) -> Val:
    return b.copysign(log_of_sum_parts(b, x), x)  # for the sign of zero


def log_of_sum_parts(b: Builder, x: Val, low: Val | None = None) -> Val:
    """log(1 + x + low), special values as log1p.  The rounding error of 1 + x is exact where it is not negligible."""
    u = b.add(x, 1.0)
    error = b.sub(x, b.sub(u, 1.0))
    return log_of_two(b, u, error if low is None else b.add(error, low))


def log_of_two(b: Builder, u: Val, error: Val, doubled: Val | None = None) -> Val:
    """log(u + error), of twice that where `doubled`, for |error| of the order of an ulp of u: log(1 + f + e) with
    f = m r - 1, e = r 2^-k error."""
    t = u.type
    k, index, f = reduced(b, u)
    e = b.mul(b.ldexp(error, b.neg(k)), b.lookup(reciprocals(t), index))
    head, tail = multiple(b, k if doubled is None else b.select(doubled, b.add(k, 1.0), k), index)
    g = b.add(f, e)
    rest = b.add(f, b.fma(b.mul(g, g), polynomial(b, g, c.LN[t]), b.add(e, tail)))
    return b.select(b.lt(b.abs(k), INF), b.add(head, rest), b.add(head, f))


def log1p_up_to_1(b: Builder, x: Val) -> Val:
    """log(1 + x) of x in [0, 1].  float32: a polynomial.  float64: as log(d + low) of d = 1 + x, below 2."""
    t = x.type
    if t == "float32":
        return b.fma(b.mul(x, x), polynomial(b, x, c.LOG1P[t]), x)
    d, below_2 = b.add(x, 1.0), 2.0 - 2.0**-52
    d = b.select(b.gt(d, below_2), below_2, d)
    low = b.sub(x, b.sub(d, 1.0))
    r = reciprocals(t)
    index = table_index(b, d, len(r))
    f, e = b.fma(d, b.lookup(r, index), -1.0), b.mul(low, b.lookup(r, index))
    g = b.add(f, e)
    tail = b.add(e, b.lookup(c.LN_TAILS[t], index))
    return b.add(b.lookup(c.LN_HEADS[t], index), b.add(f, b.fma(b.mul(g, g), polynomial(b, g, c.LN[t]), tail)))


def precise_log(b: Builder, x: Val) -> tuple[Val, Val]:
    """log(x) of positive x as head and tail, to 2^-64 (float32: 2^-34) of it; float32's tail is up to 2^-10 of the
    head."""
    t = x.type
    k, index, f = reduced(b, x, "FINE_")
    base, tail = multiple(b, k, index, "LN", "FINE_")
    # f - f^2/2 with its errors, f^3 (1/3 ...) rounded
    half = b.mul(f, 0.5)
    p, p_low = two_product(b, half, f)
    s, e1 = fast_two_sum(b, base, f)
    head = b.sub(s, p)
    e2 = b.sub(b.sub(s, head), p)
    cubic = b.mul(p, f)
    tail = b.add(b.add(e1, e2), b.fma(cubic, polynomial(b, f, c.LOG_POW[t]), b.sub(tail, p_low)))
    return fast_two_sum(b, head, tail) if t == "float64" else (head, tail)


FUNCTIONS = (
    Function("log", log, ulps(1), np.log, ((0.5, 2), (0, 100)), monotonic=RISING),
    Function("log2", log2, ulps(1), np.log2, ((0.5, 2), (0, 100)), monotonic=RISING),
    Function("log10", log10, ulps(1), np.log10, ((0.5, 2), (0, 100)), monotonic=RISING),
    Function("log1p", log1p, ulps(1), np.log1p, ((-1, 1), (0, 100)), monotonic=RISING),
)
