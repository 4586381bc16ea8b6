"""exp and its family: exp2, expm1, sinh, cosh, tanh, sigmoid, softplus.

x = n ln2 + r with |r| <= ln2 / 2;  exp(r) = 1 + r + r^2 EXP(r).  r is kept as a head and a tail, and n rides in the low
bits of a magic number, so no conversion instruction is needed.
"""

from __future__ import annotations

from tensordsl.codegen.math.coefficients import EXP, LN2, LN2_FULL, LOG2E, SINH
from tensordsl.codegen.math.logarithm import log1p
from tensordsl.codegen.math.parts import (
    clamp,
    fast_two_sum,
    integer_of_magic,
    polynomial,
    power_of_two,
    round_by_magic,
    scale,
    two_product,
)
from tensordsl.codegen.scalar import Builder, Val

# Beyond these arguments exp is 0 or infinite; between them n stays within what `scale` takes.
LIMITS = {"float64": (-746.0, 710.0), "float32": (-105.0, 89.5)}
EXP2_LIMITS = {"float64": (-1076.0, 1025.0), "float32": (-151.0, 129.0)}
# Below these |x| expm1(x) and sinh(x) are x.
NEGLIGIBLE = {"float64": 2.0**-54, "float32": 2.0**-25}
# Beyond these |x| expm1(-|x|) is -1, tanh is 1.
SATURATED = {"float64": 40.0, "float32": 18.0}


def reduced_rest(b: Builder, r: Val, tail: Val) -> Val:
    """exp(r + tail) - 1 - r."""
    s = b.add(r, tail)
    return b.fma(polynomial(b, s, EXP[r.type]), b.mul(s, s), tail)


def reduce_by_ln2(b: Builder, x: Val) -> tuple[Val, Val, Val]:
    """(r, tail, n): x = n ln2 + r + tail."""
    n, bits = round_by_magic(b, x, LOG2E[x.type][0])
    high, low = LN2[x.type]
    return b.fma(n, -high, x), b.mul(n, -low), integer_of_magic(b, bits, x.type)


def one_plus(b: Builder, r: Val, rest: Val) -> Val:
    """1 + r + rest with the rounding error of 1 + r."""
    head, error = fast_two_sum(b, b.const(1.0, r.type), r)
    return b.add(head, b.add(error, rest))


def exp_parts(b: Builder, x: Val, low: Val | None = None) -> tuple[Val, Val, Val]:
    """(head, tail, n): exp(x + low) = (head + tail) 2^n for |low| far below |x|, head in [0.6, 1.5]."""
    x = clamp(b, x, *LIMITS[x.type])
    r, tail, n = reduce_by_ln2(b, x)
    if low is not None:
        tail = b.add(tail, low)
    head, error = fast_two_sum(b, b.const(1.0, r.type), r)
    return head, b.add(error, reduced_rest(b, r, tail)), n


def exp_of_sum(b: Builder, x: Val, low: Val | None = None) -> Val:
    head, tail, n = exp_parts(b, x, low)
    return scale(b, b.add(head, tail), n)


def exp(b: Builder, x: Val) -> Val:
    return exp_of_sum(b, x)


def exp2(b: Builder, x: Val) -> Val:
    x = clamp(b, x, *EXP2_LIMITS[x.type])
    n, bits = round_by_magic(b, x, 1.0)
    f = b.sub(x, n)  # exact
    high, low = LN2_FULL[x.type]
    r, error = two_product(b, f, b.const(high, x.type))
    tail = b.fma(f, low, error)
    return scale(b, one_plus(b, r, reduced_rest(b, r, tail)), integer_of_magic(b, bits, x.type))


def expm1_parts(b: Builder, x: Val) -> tuple[Val, Val]:
    """(y, e): expm1(x) = y + e for x <= 700, not below -SATURATED; e is at most an ulp of y or so.

    With s = 2^n: (s - 1 + s r) + s rest; the first sum is split exactly since |s - 1| >= |s r| or n = 0.
    """
    r, tail, n = reduce_by_ln2(b, x)
    rest = reduced_rest(b, r, tail)
    s = power_of_two(b, n, x.type)
    y, error = fast_two_sum(b, b.sub(s, 1.0), b.mul(s, r))
    return y, b.fma(s, rest, error)


def expm1(b: Builder, x: Val) -> Val:
    t = x.type
    high = {"float64": 709.8, "float32": 88.8}[t]
    c = clamp(b, x, -SATURATED[t] - 5.0, high)
    r, tail, n = reduce_by_ln2(b, c)
    rest = reduced_rest(b, r, tail)
    # Half of everything, doubled at the end: 2^n itself may overflow.
    s = power_of_two(b, b.sub(n, 1), t)
    y, error = fast_two_sum(b, b.sub(s, 0.5), b.mul(s, r))
    result = b.mul(b.add(y, b.fma(s, rest, error)), 2.0)
    result = b.select(b.gt(x, high), float("inf"), result)
    return b.select(b.lt(b.abs(x), NEGLIGIBLE[t]), x, result)


def tanh(b: Builder, x: Val) -> Val:
    """-E / (E + 2), E = expm1(-2|x|), with all rounding errors put back in."""
    a = b.abs(x)
    saturated = b.gt(a, SATURATED[x.type] / 2)
    c = b.mul(b.select(saturated, SATURATED[x.type] / 2, a), -2.0)
    y, e = expm1_parts(b, c)
    y, e = fast_two_sum(b, y, e)
    d, d_low = fast_two_sum(b, b.const(2.0, x.type), y)
    q = b.div(y, d)
    # (y + e) / (d + d_low + e) = q + (y - q d - q d_low + e (1 - q)) / d
    residual = b.fma(b.neg(q), d_low, b.fma(e, b.sub(1.0, q), b.fma(b.neg(q), d, y)))
    q = b.fma(residual, _half_reciprocal(b, y), q)
    result = b.copysign(q, x)
    return b.select(b.eq(x, 0.0), x, result)


def _half_reciprocal(b: Builder, y: Val) -> Val:
    """About 1 / (2 + y) for y in [-1, 0]: enough for a correction."""
    return b.fma(y, b.fma(y, 0.25, -0.25), 0.5)


def sinh(b: Builder, x: Val) -> Val:
    """|x| < 1: a polynomial; else (E - 1/E) / 2 with E = exp(|x|), halved before it overflows."""
    a = b.abs(x)
    z = b.mul(x, x)
    small = b.fma(b.mul(a, z), polynomial(b, z, SINH[x.type]), a)
    e = _half_exp(b, a)
    large = b.sub(e, b.div(0.25, e))
    return b.copysign(b.select(b.lt(a, 1.0), small, large), x)


def cosh(b: Builder, x: Val) -> Val:
    e = _half_exp(b, b.abs(x))
    return b.add(e, b.div(0.25, e))


def _half_exp(b: Builder, x: Val) -> Val:
    """exp(x) / 2 for x >= 0, without overflow before it must."""
    c = b.select(b.gt(x, LIMITS[x.type][1] + 1.0), LIMITS[x.type][1] + 1.0, x)
    r, tail, n = reduce_by_ln2(b, c)
    return scale(b, one_plus(b, r, reduced_rest(b, r, tail)), b.sub(n, 1))


def sigmoid(b: Builder, x: Val) -> Val:
    """1 / (1 + exp(-x)) as E / (1 + E) or 1 / (1 + E) with E = exp(-|x|) <= 1: right also where it is subnormal."""
    e = exp(b, b.neg(b.abs(x)))
    one = b.const(1.0, x.type)
    negative = b.lt(x, 0.0)
    d, d_low = fast_two_sum(b, one, e)
    q = b.div(b.select(negative, e, one), d)
    # minus q d_low / d, where 1/d is q for x >= 0 and 1 - q else
    return b.fma(b.mul(q, b.neg(d_low)), b.select(negative, b.sub(1.0, q), q), q)


def softplus(b: Builder, x: Val) -> Val:
    """log(1 + exp(x)) = max(x, 0) + log1p(exp(-|x|))"""
    rest = log1p(b, exp(b, b.neg(b.abs(x))))
    return b.add(b.select(b.lt(x, 0.0), 0.0, x), rest)
