"""pow, with all special cases of C99, and cbrt.

Method     pow: y log(x), the logarithm as head and tail, then exp of both; where |y log(x)| is large, or x is not
           positive and finite, by the slow tier.  cbrt: a polynomial for v^(-1/3), then Newton's method.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tensordsl.codegen.scalar_ir.builder import Builder, Val
from tensordsl.codegen.scalar_ir.math.coefficients import CBRT_PIECES, RECIPROCAL_CBRT
from tensordsl.codegen.scalar_ir.math.exponential import EXP_LIMITS, exp_of_sum, moderate_exp_of_sum
from tensordsl.codegen.scalar_ir.math.floating_point import FORMATS, clamp, polynomial, two_product
from tensordsl.codegen.scalar_ir.math.function import RISING, Function, SlowTier, ulps
from tensordsl.codegen.scalar_ir.math.logarithm import precise_log

# Where |y log(x)| is below these, neither the result nor its parts overflow or are subnormal.
MAX_MODERATE_EXPONENT = {"float64": 700.0, "float32": 86.0}


def _product(b: Builder, x: Val, y: Val) -> tuple[Val, Val]:
    """y log(x), x > 0, rounded, and its error."""
    head, tail = precise_log(b, x)
    p, error = two_product(b, y, head)
    return p, b.fma(y, tail, error)


def fast_pow(b: Builder, x: Val, y: Val) -> Val:
    """For positive finite x where the result is neither large nor small; see `slow_pow`."""
    return moderate_exp_of_sum(b, *_product(b, x, y))


def pow_is_rare(b: Builder, x: Val, y: Val) -> Val:
    """The logarithm of zeros, infinities and negative numbers is a nan here."""
    p, _ = _product(b, x, y)
    return b.not_(b.lt(b.abs(p), MAX_MODERATE_EXPONENT[x.type]))


def slow_pow(b: Builder, x: Val, y: Val) -> Val:
    """All cases of C99."""
    p, low = _product(b, b.abs(x), y)
    # Beyond the limits the lower part may be large or nan.
    low = b.select(b.lt(b.abs(p), EXP_LIMITS[x.type][1] + 40.0), low, 0.0)
    return _special(b, x, y, exp_of_sum(b, clamp(b, p, *EXP_LIMITS[x.type]), low))


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


def _parabola(b: Builder, j: Val, at1: float, at2: float) -> Val:
    """1, at1, at2 for j = 0, 1, 2"""
    second = (at2 - 2 * at1 + 1) / 2
    return b.fma(b.fma(j, second, at1 - 1 - second), j, 1.0)


def cbrt(b: Builder, x: Val) -> Val:
    """|x| = 8^q 2^j m, j in 0..2, m in [1, 2): y about v^(-1/3), v = 2^j m, from a polynomial and a step of third
    order, at float32 from 32 lines; t = v y^2 and a step of Newton's method with y^2 for 1/t^2."""
    t = x.type
    a = b.abs(x)
    k = b.exponent(a)  # infinite or nan of a zero, an infinity, a nan: they are their own roots
    m = b.significand(a)
    q = b.floor(b.fma(k, 1.0 / 3.0, 0.1))
    j = b.fma(q, -3.0, k)
    if t == "float64":
        v, factor = b.ldexp(m, j), _parabola(b, j, 2.0 ** (-1 / 3), 2.0 ** (-2 / 3))
        y = b.mul(polynomial(b, m, RECIPROCAL_CBRT[t]), factor)
        h = b.fma(b.neg(b.mul(v, y)), b.mul(y, y), 1.0)
        y = b.fma(b.mul(y, h), b.fma(h, 2 / 9, 1 / 3), y)
    else:
        index = b.bitcast(b.add(j, FORMATS[t].magic), "int32")
        v = b.mul(m, b.lookup([2.0**i for i in range(8)], index))
        factor = b.lookup([2.0 ** (-i / 3) for i in range(8)], index)
        value, slope = (b.lookup(column, b.shr(b.bitcast(m, "int32"), 18)) for column in CBRT_PIECES[t])
        y = b.mul(b.fma(m, slope, value), factor)
    square = b.mul(y, y)
    root = b.mul(v, square)
    rest = b.fma(b.neg(b.mul(root, root)), root, v)
    root = b.fma(b.mul(rest, square), 1 / 3, root)
    return b.select(b.lt(b.abs(k), float("inf")), b.copysign(b.ldexp(root, q), x), x)


def _draw_pow(rng: Any, bits: Any) -> tuple[Any, ...]:
    count = len(bits)
    x = [np.exp(rng.uniform(-20, 20, count)), 1 + 1e-3 * rng.normal(size=count), abs(bits)]
    y = [rng.uniform(-30, 30, count), rng.uniform(-1e5, 1e5, count), rng.uniform(-2, 2, count)]
    return np.concatenate(x), np.concatenate(y)


FUNCTIONS = (
    Function(
        "pow", fast_pow, ulps(1), np.power, ((0, 4),), arity=2, slow_tier=SlowTier(pow_is_rare, slow_pow),
        draw=_draw_pow,
    ),
    Function("cbrt", cbrt, ulps(1), np.cbrt, ((-10, 10), (-1e9, 1e9)), monotonic=RISING, steps_back=1),
)  # fmt: skip
