"""pow with all special cases of C99, and the cube root.

float64: y log(x) with the logarithm as head and tail (relative error below 2^-66), then exp of head and tail.
float32: in float64 without tails.
"""

from __future__ import annotations

from tensordsl.codegen.math.coefficients import CBRT, EXP2_SHORT, LN2, LOG2_SHORT, LOG_POW, TWO_THIRDS
from tensordsl.codegen.math.exponential import exp_of_sum
from tensordsl.codegen.math.logarithm import ROOT_HALF, split_exponent
from tensordsl.codegen.math.parts import (
    FORMATS,
    as_float,
    clamp,
    fast_two_sum,
    polynomial,
    round_by_magic,
    two_product,
    two_sum,
)
from tensordsl.codegen.scalar import Builder, Val

TWO_THIRDS_BITS = 0x3FE5555555555555


def precise_log(b: Builder, x: Val) -> tuple[Val, Val]:
    """log(x) of positive float64 as head and tail.

    m in [2/3, 4/3), s = (m - 1)/(m + 1), log(m) = 2s + s^3 (2/3 + s^2 LOG_POW(s^2)).
    """
    k_bits, m = split_exponent(b, x, TWO_THIRDS_BITS)
    k = as_float(b, k_bits, x.type)
    f, d = b.sub(m, 1.0), b.add(m, 1.0)
    lost = b.sub(m, b.sub(d, 1.0))
    inverse = b.div(1.0, d)
    s = b.mul(f, inverse)
    rest = b.fma(b.neg(s), lost, b.fma(b.neg(s), d, f))
    s_low = b.mul(rest, inverse)
    z, z_low = two_product(b, s, s)
    z_low = b.fma(b.mul(s, 2.0), s_low, z_low)
    c, c_low = TWO_THIRDS[x.type]
    p = b.mul(z, polynomial(b, z, LOG_POW[x.type]))
    t = b.add(p, c)
    t_low = b.add(b.add(b.sub(c, t), p), c_low)
    u, u_low = two_product(b, z, t)
    u_low = b.fma(z_low, t, b.fma(z, t_low, u_low))
    v, v_low = two_product(b, s, u)
    v_low = b.fma(s_low, u, b.fma(s, u_low, v_low))
    high, low = LN2[x.type]
    head, e1 = two_sum(b, b.mul(k, high), b.mul(s, 2.0))
    head, e2 = fast_two_sum(b, head, v)
    tail = b.add(b.add(b.add(e1, e2), b.fma(s_low, 2.0, v_low)), b.mul(k, low))
    return fast_two_sum(b, head, tail)


def pow_(b: Builder, x: Val, y: Val) -> Val:
    if x.type == "float32":
        return _special(b, x, y, _short_power(b, b.abs(x), y))
    head, tail = precise_log(b, b.abs(x))
    p, error = two_product(b, y, head)
    low = b.fma(y, tail, error)
    low = b.select(b.lt(b.abs(p), 800.0), low, 0.0)  # beyond, it may be nan
    return _special(b, x, y, exp_of_sum(b, p, low))


def _short_power(b: Builder, x: Val, y: Val) -> Val:
    """2^(y log2(x)) of float32, x > 0, in float64 to 2^-35 or so.

    Subnormal float32 are normal here, and the last cast rounds once, also to subnormal results.
    """
    f = FORMATS["float64"]
    bits = b.bitcast(b.cast(x, "float64"), f.integer)
    k = b.shr(b.sub(bits, ROOT_HALF["float64"]), f.mantissa)
    m = b.bitcast(b.sub(bits, b.shl(k, f.mantissa)), "float64")
    s = b.div(b.sub(m, 1.0), b.add(m, 1.0))
    log2 = b.fma(s, polynomial(b, b.mul(s, s), LOG2_SHORT["float64"]), as_float(b, k, "float64"))
    p = clamp(b, b.mul(b.cast(y, "float64"), log2), -200.0, 200.0)
    n, rounded = round_by_magic(b, p, 1.0)
    power = polynomial(b, b.sub(p, n), EXP2_SHORT["float64"])
    # 2^n: n stands in the low bits of `rounded`, which the shift moves to the exponent's place.
    return b.cast(b.bitcast(b.add(b.bitcast(power, f.integer), b.shl(rounded, f.mantissa)), "float64"), "float32")


def _special(b: Builder, x: Val, y: Val, power: Val) -> Val:
    """pow(x, y) from pow(|x|, y) for finite positive |x|."""
    f, inf = FORMATS[x.type], float("inf")
    whole = b.eq(b.trunc(y), y)  # also the infinities
    half = b.mul(y, 0.5)
    odd = b.and_(whole, b.ne(b.trunc(half), half))
    a = b.abs(x)
    # |x| is 0 or infinite
    zero, infinite, up = b.eq(a, 0.0), b.eq(a, inf), b.gt(y, 0.0)
    edge = b.select(b.eq(up, infinite), b.const(inf, x.type), b.const(0.0, x.type))
    power = b.select(b.or_(zero, infinite), edge, power)
    # y is infinite: 1 at |x| = 1, else by whether |x| > 1
    limit = b.select(b.eq(b.gt(a, 1.0), up), b.const(inf, x.type), b.const(0.0, x.type))
    limit = b.select(b.eq(a, 1.0), 1.0, limit)
    power = b.select(b.eq(b.abs(y), inf), limit, power)
    # the sign: -0.0 and -inf too
    bits = b.bitcast(x, f.integer)
    sign = b.select(odd, b.and_(bits, -1 << (f.bits - 1)), b.const(0, f.integer))
    power = b.bitcast(b.or_(b.bitcast(power, f.integer), sign), x.type)
    negative = b.and_(b.lt(x, 0.0), b.gt(x, -inf))
    power = b.select(b.and_(negative, b.not_(whole)), float("nan"), power)
    power = b.select(b.or_(b.isnan(x), b.isnan(y)), b.add(x, y), power)
    return b.select(b.or_(b.eq(y, 0.0), b.eq(x, 1.0)), 1.0, power)


def cbrt(b: Builder, x: Val) -> Val:
    """|x| = 8^q 2^j m, j in 0..2, m in [1, 2): a polynomial for the root of m, a step of Halley's method, and one
    of Newton's with the residual in two parts."""
    a = b.abs(x)
    ok = b.and_(b.gt(a, 0.0), b.lt(a, float("inf")))
    k, m = split_exponent(b, b.select(ok, a, 1.0), FORMATS[x.type].bias << FORMATS[x.type].mantissa)
    # q = floor(k / 3), exact for |k| < 2^11
    third = as_float(b, k, x.type)
    q = b.floor(b.mul(b.add(third, 0.25), 1.0 / 3.0))
    j = b.sub(third, b.mul(q, 3.0))
    v = b.select(b.eq(j, 0.0), m, b.select(b.eq(j, 1.0), b.mul(m, 2.0), b.mul(m, 4.0)))
    factor = b.select(
        b.eq(j, 0.0), 1.0, b.select(b.eq(j, 1.0), b.const(2.0 ** (1 / 3), x.type), b.const(2.0 ** (2 / 3), x.type))
    )
    t = b.mul(polynomial(b, m, CBRT[x.type]), factor)
    if x.type == "float64":  # from 19 bits to 57; float32 has enough after Newton's step
        t3 = b.mul(b.mul(t, t), t)
        t = b.mul(t, b.div(b.fma(2.0, v, t3), b.fma(2.0, t3, v)))
    square, square_low = two_product(b, t, t)
    rest = b.fma(b.neg(t), square_low, b.fma(b.neg(t), square, v))
    t = b.add(t, b.div(rest, b.mul(square, 3.0)))
    f = FORMATS[x.type]
    exponent = b.bitcast(b.add(q, f.magic), f.integer)
    size = b.bitcast(b.shl(b.add(exponent, f.bias), f.mantissa), x.type)
    return b.select(ok, b.copysign(b.mul(t, size), x), x)
