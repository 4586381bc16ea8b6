"""log, log2, log10, log1p and the inverse hyperbolic functions that are logarithms.

x = 2^k m with m in [sqrt(1/2), sqrt(2)), f = m - 1, s = f / (2 + f), z = s^2, h = f^2 / 2:
log(1 + f) = f - h + s (h + z LOG(z)), kept as head f - h and tail.
"""

from __future__ import annotations

from tensordsl.codegen.math.coefficients import LN2, LOG, LOG2E, LOG10_2, LOG10E
from tensordsl.codegen.math.parts import FORMATS, as_float, fast_two_sum, polynomial, two_product
from tensordsl.codegen.scalar import Builder, Val

ROOT_HALF = {"float64": 0x3FE6A09E667F3BCD, "float32": 0x3F3504F3}  # the bits of sqrt(1/2)


def split_exponent(b: Builder, x: Val, low: int | None = None) -> tuple[Val, Val]:
    """(k, m): x = 2^k m for positive x, subnormal too; k an integer, m from the float with bits `low` to twice that."""
    f = FORMATS[x.type]
    low = ROOT_HALF[x.type] if low is None else low
    subnormal = b.lt(x, f.tiny)
    bits = b.bitcast(b.select(subnormal, b.mul(x, 2.0**f.scale_up), x), f.integer)
    k = b.shr(b.sub(bits, low), f.mantissa)
    m = b.bitcast(b.sub(bits, b.shl(k, f.mantissa)), x.type)
    k = b.sub(k, b.select(subnormal, b.const(f.scale_up, f.integer), b.const(0, f.integer)))
    return k, m


def log_of_one_plus(b: Builder, f: Val) -> tuple[Val, Val]:
    """(head, tail) of log(1 + f) for 1 + f in [sqrt(1/2), sqrt(2)]."""
    s = b.div(f, b.add(f, 2.0))
    z = b.mul(s, s)
    h = b.mul(b.mul(f, 0.5), f)
    rest = b.mul(z, polynomial(b, z, LOG[f.type]))
    head = b.sub(f, h)
    error = b.sub(b.sub(f, head), h)
    return head, b.fma(s, b.add(h, rest), error)


def special(b: Builder, x: Val, y: Val) -> Val:
    """A logarithm's results at infinity, zero, negative numbers and nan."""
    inf = float("inf")
    y = b.select(b.lt(x, inf), y, x)
    y = b.select(b.eq(x, 0.0), -inf, y)
    return b.select(b.lt(x, 0.0), float("nan"), y)


def log(b: Builder, x: Val) -> Val:
    k, m = split_exponent(b, x)
    head, tail = log_of_one_plus(b, b.sub(m, 1.0))
    return special(b, x, _plus_multiple(b, as_float(b, k, x.type), LN2[x.type], head, tail))


def _plus_multiple(b: Builder, k: Val, unit: tuple[float, ...], head: Val, tail: Val) -> Val:
    """k unit + head + tail; k unit[0] is exact, and larger than head unless k is 0."""
    high, error = fast_two_sum(b, b.mul(k, unit[0]), head)
    return b.add(high, b.add(error, b.fma(k, unit[1], tail)))


def log2(b: Builder, x: Val) -> Val:
    k, m = split_exponent(b, x)
    head, tail = _times(b, *log_of_one_plus(b, b.sub(m, 1.0)), LOG2E[x.type])
    high, error = fast_two_sum(b, as_float(b, k, x.type), head)
    return special(b, x, b.add(high, b.add(error, tail)))


def log10(b: Builder, x: Val) -> Val:
    k, m = split_exponent(b, x)
    head, tail = _times(b, *log_of_one_plus(b, b.sub(m, 1.0)), LOG10E[x.type])
    return special(b, x, _plus_multiple(b, as_float(b, k, x.type), LOG10_2[x.type], head, tail))


def _times(b: Builder, head: Val, tail: Val, factor: tuple[float, ...]) -> tuple[Val, Val]:
    high = b.const(factor[0], head.type)
    p, error = two_product(b, head, high)
    return p, b.add(error, b.fma(tail, high, b.mul(head, factor[1])))


def log1p(b: Builder, x: Val) -> Val:
    y = log_of_sum_parts(b, x)
    y = b.select(b.lt(x, float("inf")), y, x)
    y = b.select(b.eq(x, -1.0), float("-inf"), y)
    y = b.select(b.lt(x, -1.0), float("nan"), y)
    return b.select(b.lt(b.abs(x), 2.0**-60), x, y)


def log_of_sum_parts(b: Builder, x: Val, low: Val | None = None) -> Val:
    """log(1 + x + low) for finite x > -1: u = 1 + x = 2^k m and f = m - 1 + (the rounding error of u) / 2^k."""
    f, t, one = FORMATS[x.type], x.type, 1.0
    u = b.add(x, one)
    above = b.gt(x, one)
    error = b.sub(b.select(above, one, x), b.sub(u, b.select(above, x, one)))
    error = b.select(b.lt(u, float("inf")), error, 0.0)
    if low is not None:
        error = b.add(error, low)
    bits = b.bitcast(u, f.integer)
    k = b.shr(b.sub(bits, ROOT_HALF[t]), f.mantissa)
    m = b.bitcast(b.sub(bits, b.shl(k, f.mantissa)), t)
    # 2^-k of the largest k is subnormal, but there the error counts for nothing.
    inverse = b.bitcast(b.shl(b.sub(f.bias, b.minimum(k, f.bias - 1)), f.mantissa), t)
    g, rest = fast_two_sum(b, b.sub(m, one), b.mul(error, inverse))
    head, tail = log_of_one_plus(b, g)
    tail = b.add(tail, b.fma(b.neg(rest), g, rest))
    return _plus_multiple(b, as_float(b, k, t), LN2[t], head, tail)
