"""arcsin, arccos, arctan, arctan2, arcsinh, arccosh, arctanh.

Method     arctan by one division in all of three ranges; arcsin and arccos by a polynomial in z, of half angles from
           1/2 on; the hyperbolic ones are logarithms of sums in two parts.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tensordsl.codegen.scalar_ir.builder import Builder, Val
from tensordsl.codegen.scalar_ir.math.coefficients import ASIN, ATAN, PI, PI_2
from tensordsl.codegen.scalar_ir.math.floating_point import polynomial, reciprocal_of_double
from tensordsl.codegen.scalar_ir.math.function import FALLING, RISING, Function, SlowTier, ulps
from tensordsl.codegen.scalar_ir.math.logarithm import log_of_sum_parts, log_of_two

MIN_ARGUMENT_WITHOUT_ROOT = {"float64": 2.0**60, "float32": 2.0**30}  # from here on sqrt(1 + x^2) is x
TAN_PI_8 = 0.41421356237309503  # tan(pi/8)


def _arctan_of_ratio(b: Builder, y: Val, x: Val) -> tuple[Val, Val, Val]:
    """(head, tail, the divisor) of arctan(y / x) for y, x >= 0, not both 0 or infinite: one division in all three
    ranges.

    y/x <= tan(pi/8): arctan(y/x);  up to tan(3 pi/8): pi/4 + arctan((y - x)/(y + x));  above: pi/2 - arctan(x/y).
    """
    t = x.type
    low = b.le(y, b.mul(x, TAN_PI_8))
    high = b.gt(b.mul(y, TAN_PI_8), x)
    above = b.select(low, y, b.select(high, b.neg(x), b.sub(y, x)))
    below = b.select(low, x, b.select(high, y, b.add(y, x)))
    q = b.div(above, below)
    z = b.mul(q, q)
    rest = b.mul(b.mul(q, z), polynomial(b, z, ATAN[t]))
    head = b.select(low, 0.0, b.select(high, b.const(PI_2[t][0], t), b.const(PI_2[t][0] / 2, t)))
    tail = b.select(low, 0.0, b.select(high, b.const(PI_2[t][1], t), b.const(PI_2[t][1] / 2, t)))
    s = b.add(head, q)
    error = b.sub(q, b.sub(s, head))  # |head| > |q|, or head is 0
    return s, b.add(error, b.add(rest, tail)), below


def arctan(b: Builder, x: Val) -> Val:
    a = b.abs(x)
    head, tail, _ = _arctan_of_ratio(b, a, b.const(1.0, x.type))
    return b.copysign(b.add(head, tail), x)


# Between these, neither overflows a sum of two nor is subnormal what counts.
ARCTAN2_LIMITS = {"float64": (2.0**-960, 2.0**1000), "float32": (2.0**-90, 2.0**120)}


def arctan2(b: Builder, y: Val, x: Val) -> Val:
    """The angle of (x, y), the larger of them within `ARCTAN2_LIMITS`."""
    return _in_quadrant(b, y, x, *_arctan_of_ratio(b, b.abs(y), b.abs(x))[:2])


def arctan2_is_rare(b: Builder, y: Val, x: Val) -> Val:
    tiny, big = ARCTAN2_LIMITS[x.type]
    _, _, divisor = _arctan_of_ratio(b, b.abs(y), b.abs(x))
    return b.not_(b.and_(b.gt(divisor, tiny), b.lt(divisor, big)))


def slow_arctan2(b: Builder, y: Val, x: Val) -> Val:
    """Both are scaled by a power of two where their sum may overflow or they are subnormal."""
    t, inf = x.type, float("inf")
    v, u = b.abs(y), b.abs(x)
    tiny, big = ARCTAN2_LIMITS[t]
    m, one = b.select(b.gt(v, u), v, u), b.const(1.0, t)
    factor = b.select(b.gt(m, big), b.const(2.0**-10, t), b.select(b.lt(m, tiny), b.const(1 / tiny, t), one))
    both = b.and_(b.eq(v, inf), b.eq(u, inf))
    v = b.select(both, 1.0, b.mul(v, factor))
    u = b.select(both, 1.0, b.mul(u, factor))
    u_or_one = b.select(b.and_(b.eq(v, 0.0), b.eq(u, 0.0)), 1.0, u)
    head, tail, _ = _arctan_of_ratio(b, v, u_or_one)
    one_infinite = b.or_(b.eq(v, inf), b.eq(u, inf))
    head = b.select(one_infinite, b.select(b.eq(v, inf), b.const(PI_2[t][0], t), b.const(0.0, t)), head)
    tail = b.select(one_infinite, b.select(b.eq(v, inf), b.const(PI_2[t][1], t), b.const(0.0, t)), tail)
    return b.select(b.or_(b.isnan(x), b.isnan(y)), b.add(x, y), _in_quadrant(b, y, x, head, tail))


def _in_quadrant(b: Builder, y: Val, x: Val, head: Val, tail: Val) -> Val:
    """The angle of (x, y) from that of their absolute values in two parts."""
    left = b.lt(b.copysign(b.const(1.0, x.type), x), 0.0)
    p, p_low = PI[x.type]
    flipped = b.sub(p, head)
    error = b.sub(b.sub(p, flipped), head)
    reflected = b.add(flipped, b.add(error, b.sub(p_low, tail)))
    return b.copysign(b.select(left, reflected, b.add(head, tail)), y)


def _half_angle_root(b: Builder, a: Val) -> tuple[Val, Val, Val]:
    """For a in [1/2, 1]: z = (1 - a)/2 (exact), s = sqrt(z) and its error, (z - s^2) / (2 s) to a digit."""
    z = b.mul(b.sub(1.0, a), 0.5)
    s = b.sqrt(z)
    return z, s, b.mul(b.fma(b.neg(s), s, z), reciprocal_of_double(b, s))


def arcsin(b: Builder, x: Val) -> Val:
    """|x| < 1/2: x + x z ASIN(z); else pi/2 - 2 arcsin(sqrt((1 - |x|)/2)).  Beyond 1 the root gives nan."""
    t = x.type
    a = b.abs(x)
    small = b.lt(a, 0.5)
    z_large, s, error_of_root = _half_angle_root(b, a)
    z = b.select(small, b.mul(x, x), z_large)
    r = b.mul(z, polynomial(b, z, ASIN[t]))
    inner = b.fma(a, r, a)
    # pi/2 - 2 (s + error_of_root + s r)
    high, low = PI_2[t][:2]
    head = b.sub(high, b.mul(s, 2.0))
    error = b.sub(b.sub(high, head), b.mul(s, 2.0))
    rest = b.add(error, b.sub(low, b.mul(b.fma(s, r, error_of_root), 2.0)))
    return b.copysign(b.select(small, inner, b.add(head, rest)), x)


def arccos(b: Builder, x: Val) -> Val:
    """|x| < 1/2: pi/2 - arcsin(x); to 1: 2 arcsin(sqrt((1 - x)/2)); to -1: pi minus that of -x."""
    t = x.type
    a = b.abs(x)
    small = b.lt(a, 0.5)
    z_large, s, error_of_root = _half_angle_root(b, a)
    z = b.select(small, b.mul(x, x), z_large)
    r = b.mul(z, polynomial(b, z, ASIN[t]))
    # base - (h + h_low): h = x or 2 s, base pi/2 or pi
    h = b.select(small, x, b.mul(s, 2.0))
    h_low = b.select(small, b.mul(x, r), b.mul(b.fma(s, r, error_of_root), 2.0))
    base = b.select(small, b.const(PI_2[t][0], t), b.const(PI[t][0], t))
    base_low = b.select(small, b.const(PI_2[t][1], t), b.const(PI[t][1], t))
    head = b.sub(base, h)
    error = b.sub(b.sub(base, head), h)
    reflected = b.add(head, b.add(error, b.sub(base_low, h_low)))
    near_one = b.and_(b.not_(small), b.gt(x, 0.0))
    return b.select(near_one, b.add(h, h_low), reflected)


def arcsinh(b: Builder, x: Val) -> Val:
    """log(a + s), s = sqrt(1 + a^2); to about 2 with the error of s, (1 + a^2 - s^2) / (2 s), where 1/(2 s) needs two
    digits."""
    a = b.abs(x)
    big = b.ge(a, MIN_ARGUMENT_WITHOUT_ROOT[x.type])
    s = b.sqrt(b.fma(a, a, 1.0))
    more = b.sub(s, 1.0)
    factor = b.fma(more, -0.36, 0.5)
    error_of_root = b.mul(b.fma(b.neg(more), b.add(s, 1.0), b.mul(a, a)), factor)
    error_of_root = b.select(b.gt(factor, 0.0), error_of_root, 0.0)
    s = b.select(big, 0.0, s)
    u = b.add(s, a)
    return b.copysign(log_of_two(b, u, b.add(b.sub(a, b.sub(u, s)), error_of_root), big), x)


def arccosh(b: Builder, x: Val) -> Val:
    """log(x + sqrt(x^2 - 1)); below 1 the root is of a negative number."""
    big = b.ge(x, MIN_ARGUMENT_WITHOUT_ROOT[x.type])
    d = b.sub(x, 1.0)
    s = b.select(big, 0.0, b.sqrt(b.fma(d, b.abs(d), b.add(d, d))))
    u = b.add(x, s)
    return log_of_two(b, u, b.sub(s, b.sub(u, x)), big)


def arctanh(b: Builder, x: Val) -> Val:
    """log1p(2a / (1 - a)) / 2, a = |x|, with the quotient's rounding error; the sum 1 - a has none for a >= 1/2."""
    a = b.abs(x)
    d = b.sub(1.0, a)
    d_low = b.sub(b.sub(1.0, d), a)
    inverse = b.div(1.0, d)
    two_a = b.mul(a, 2.0)
    q = b.mul(two_a, inverse)
    q_low = b.mul(b.fma(b.neg(q), d_low, b.fma(b.neg(q), d, two_a)), inverse)
    return b.copysign(b.mul(log_of_sum_parts(b, q, q_low), 0.5), x)


def _draw_arctan2(rng: Any, bits: Any) -> tuple[Any, ...]:
    normal = rng.normal(size=(2, len(bits)))
    return np.concatenate([normal[0], bits]), np.concatenate([normal[1], rng.permutation(bits)])


FUNCTIONS = (
    Function("arcsin", arcsin, ulps(1), np.arcsin, ((-1, 1),), monotonic=RISING),
    Function("arccos", arccos, ulps(1), np.arccos, ((-1, 1),), monotonic=FALLING),
    Function("arctan", arctan, ulps(2), np.arctan, ((-1, 1), (-10, 10)), monotonic=RISING),
    Function(
        "arctan2", arctan2, ulps(2), np.arctan2, ((-4, 4),), arity=2,
        slow_tier=SlowTier(arctan2_is_rare, slow_arctan2), draw=_draw_arctan2,
    ),
    Function("arcsinh", arcsinh, ulps(2), np.arcsinh, ((-1, 1), (-100, 100)), monotonic=RISING),
    Function("arccosh", arccosh, ulps(2), np.arccosh, ((1, 2), (1, 100)), monotonic=RISING),
    Function("arctanh", arctanh, ulps(1.5), np.arctanh, ((-1, 1),), monotonic=RISING),
)  # fmt: skip
