"""Functions of complex numbers as scalar computations on their parts, with the special values of C99's Annex G.

Each takes a scalar builder and real values: the parts (x, y) of z = x + iy; it gives the two parts of the result.  The
parts become rows of their own, and what both need is computed once where they are computed together.
"""

from __future__ import annotations

import math
from typing import Any

INF, LN2 = math.inf, math.log(2)
Pair = tuple[Any, Any]

# dtype -> (least and greatest size whose square is in range, the power of two that brings others there, the argument
# beyond which exp is taken in two halves, that beyond which tanh is 1)
_RANGES = {
    "float32": (2.0**-51, 2.0**62, 2.0**100, 80.0, 10.0),
    "float64": (2.0**-459, 2.0**510, 2.0**600, 700.0, 22.0),
}
# dtype -> (integers of its size, what a number's bits are taken from so that about half of its reciprocal is left)
_HALVES = {"float32": ("int32", 0x7E7311C3), "float64": ("int64", 0x7FCE623822FC16E6)}


# -- sizes -----------------------------------------------------------------------------------------------------------
def _scaled(b: Any, x: Any, y: Any) -> tuple[Any, Any, Any, Any, Any]:
    """(p, q, s, 1 / s, is_infinite): p >= q are the sizes of x and y times s, whose squares are in range."""
    low, high, factor, *_ = _RANGES[x.type]
    x, y = b.abs(x), b.abs(y)
    is_x = b.gt(x, y)  # one of both is nan where a part is
    large, small = b.select(is_x, x, y), b.select(is_x, y, x)

    def chosen(of_large: float, of_small: float) -> Any:
        return b.select(b.gt(large, high), of_large, b.select(b.lt(large, low), of_small, b.const(1.0, x.type)))

    s, back = chosen(1 / factor, factor), chosen(factor, 1 / factor)
    return b.mul(large, s), b.mul(small, s), s, back, b.or_(b.eq(x, INF), b.eq(y, INF))


def hypot(b: Any, x: Any, y: Any) -> Any:
    """sqrt(x^2 + y^2), corrected once (Borges: An improved algorithm for hypot(a, b), 2019), by a few
    digits of what is less than a unit in the last place; inf if a part is."""
    p, q, _, back, is_infinite = _scaled(b, x, y)
    h = b.sqrt(b.fma(p, p, b.mul(q, q)))
    hh, pp = b.mul(h, h), b.mul(p, p)
    error = b.add(b.fma(b.neg(q), q, b.sub(hh, pp)), b.sub(b.fma(h, h, b.neg(hh)), b.fma(p, p, b.neg(pp))))
    return b.select(is_infinite, INF, b.mul(b.sub(h, b.mul(error, _about_half(b, h))), back))


def _about_half(b: Any, x: Any) -> Any:
    """1 / (2 x) within 6%, large of 0: exponents are negated, and digits, as if 1 / x were linear."""
    bits, magic = _HALVES[x.type]
    return b.bitcast(b.sub(b.const(magic, bits), b.bitcast(x, bits)), x.type)


def log_hypot(b: Any, x: Any, y: Any) -> Any:
    """log(sqrt(x^2 + y^2)); next to 1 from x^2 + y^2 - 1 in twice the precision."""
    p, q, s, _, is_infinite = _scaled(b, x, y)
    pp, qq = b.mul(p, p), b.mul(q, q)
    square = b.add(pp, qq)
    far = b.sub(b.mul(b.call("log", square), 0.5), b.call("log", s))
    above = b.sub(pp, 1.0)  # pp - 1 and qq are added without error: Knuth's two-sum
    total = b.add(above, qq)
    other = b.sub(total, above)
    error = b.add(b.sub(above, b.sub(total, other)), b.sub(qq, other))
    error = b.add(error, b.sub(pp, b.add(above, 1.0)))
    error = b.add(error, b.add(b.fma(p, p, b.neg(pp)), b.fma(q, q, b.neg(qq))))
    near = b.mul(b.call("log1p", b.add(total, error)), 0.5)
    is_near = b.and_(b.gt(square, 0.5), b.lt(square, 3.0))
    return b.select(is_infinite, INF, b.select(is_near, near, far))


def sign(b: Any, x: Any, y: Any) -> Pair:
    """z / |z|; of numbers with one infinite part the sign of that part; 0 of 0."""
    h = hypot(b, x, y)
    is_x, is_y = (b.eq(b.abs(v), INF) for v in (x, y))

    def part(v: Any, is_infinite: Any, other_is: Any) -> Any:
        finite = b.select(b.eq(h, 0), 0.0, b.div(v, h))
        alone = b.select(is_infinite, b.sign(v), b.const(0.0, v.type))
        both = b.select(b.and_(is_infinite, other_is), math.nan, alone)
        return b.select(b.eq(h, INF), both, finite)

    return part(x, is_x, is_y), part(y, is_y, is_x)


# -- exponentials and logarithms ---------------------------------------------------------------------------------------
def _grown(b: Any, x: Any, factor: Any, value: Any, trig: Any) -> Any:
    """value trig, where value is about factor e^|x| and may be infinite while the product is not."""
    half = b.call("exp", b.mul(b.abs(x), 0.5))
    is_large = b.gt(b.abs(x), _RANGES[x.type][3])
    return b.select(is_large, b.mul(b.mul(b.mul(half, trig), factor), half), b.mul(value, trig))


def exp(b: Any, x: Any, y: Any) -> Pair:
    size, one = b.call("exp", x), b.const(1.0, x.type)
    re, im = (b.select(b.lt(x, 0), b.mul(size, f), _grown(b, x, one, size, f)) for f in _cos_sin(b, y))
    # e^-inf is 0 in all directions, and a real number has a real power
    is_nothing, is_real = b.eq(x, -INF), b.eq(y, 0)
    re = b.select(b.or_(is_real, b.and_(is_nothing, b.isnan(re))), size, re)
    im = b.select(is_real, y, b.select(b.and_(is_nothing, b.isnan(im)), size, im))
    return b.select(b.and_(b.eq(x, INF), b.isnan(re)), INF, re), im


def _cos_sin(b: Any, y: Any) -> Pair:
    return b.call("cos", y), b.call("sin", y)


def exp2(b: Any, x: Any, y: Any) -> Pair:
    return exp(b, b.mul(x, LN2), b.mul(y, LN2))


def expm1(b: Any, x: Any, y: Any) -> Pair:
    """exp(z) - 1 = expm1(x) cos y - 2 sin(y/2)^2 + i e^x sin y."""
    half = b.call("sin", b.mul(y, 0.5))
    re = b.sub(b.mul(b.call("expm1", x), b.call("cos", y)), b.mul(b.mul(half, half), 2.0))
    return re, b.mul(b.call("exp", x), b.call("sin", y))


def log(b: Any, x: Any, y: Any) -> Pair:
    return log_hypot(b, x, y), b.arctan2(y, x)


def _log_to(base: float) -> Any:
    def function(b: Any, x: Any, y: Any) -> Pair:
        re, im = log(b, x, y)
        return b.mul(re, 1 / math.log(base)), b.mul(im, 1 / math.log(base))

    return function


log2, log10 = _log_to(2.0), _log_to(10.0)


def log1p(b: Any, x: Any, y: Any) -> Pair:
    """log(1 + z), where z is small from |1 + z|^2 - 1 = x (2 + x) + y^2."""
    re, im = log(b, b.add(x, 1.0), y)
    is_small = b.lt(b.maximum(b.abs(x), b.abs(y)), 0.5)
    near = b.mul(b.call("log1p", b.fma(y, y, b.mul(x, b.add(x, 2.0)))), 0.5)
    return b.select(is_small, near, re), im


# -- powers ------------------------------------------------------------------------------------------------------------
def sqrt(b: Any, x: Any, y: Any) -> Pair:
    """The root in the right half plane: t = sqrt((|x| + |z|) / 2) and y / (2 t), at a scale where they are in range."""
    low, high, factor, *_ = _RANGES[x.type]
    size = b.maximum(b.abs(x), b.abs(y))
    one = b.const(1.0, x.type)
    s = b.select(b.gt(size, high), 1 / factor, b.select(b.lt(size, low), factor, one))
    back = b.select(b.gt(size, high), math.sqrt(factor), b.select(b.lt(size, low), 1 / math.sqrt(factor), one))
    u, v = b.mul(x, s), b.mul(y, s)
    t = b.sqrt(b.mul(b.add(b.abs(u), hypot(b, u, v)), 0.5))
    t = b.mul(t, back)
    other = b.div(y, b.mul(t, 2.0))
    is_right = b.or_(b.ge(x, 0), b.isnan(x))
    re = b.select(is_right, t, b.abs(other))
    im = b.select(is_right, other, b.copysign(t, y))
    # infinite, real and no numbers
    to_right, to_left = b.eq(x, INF), b.eq(x, -INF)
    re = b.select(to_right, INF, b.select(b.and_(to_left, b.eq(y, y)), 0.0, re))
    im = b.select(b.and_(to_right, b.eq(y, y)), b.copysign(b.const(0.0, x.type), y), im)
    im = b.select(to_left, b.copysign(b.const(INF, x.type), y), im)
    is_zero, is_up = b.and_(b.eq(x, 0), b.eq(y, 0)), b.eq(b.abs(y), INF)
    return b.select(is_zero, 0.0, b.select(is_up, INF, re)), b.select(b.or_(is_zero, is_up), y, im)


def times(b: Any, u: Pair, v: Pair) -> Pair:
    return b.sub(b.mul(u[0], v[0]), b.mul(u[1], v[1])), b.add(b.mul(u[0], v[1]), b.mul(u[1], v[0]))


def power(b: Any, x: Any, y: Any, n: Any, m: Any) -> Pair:
    """z^w for w = n + im: exp(w log z); by products where w is a whole number below 100, as NumPy has it."""
    re, im = exp(b, *times(b, (n, m), log(b, x, y)))
    count = b.abs(n)
    is_whole = b.and_(b.eq(m, 0), b.and_(b.lt(count, 100.0), b.eq(b.trunc(n), n)))
    u, v = _whole_power(b, x, y, b.cast(b.select(is_whole, count, 0.0), "int64"))
    p, q = reciprocal(b, u, v)
    is_negative = b.lt(n, 0)
    re = b.select(is_whole, b.select(is_negative, p, u), re)
    im = b.select(is_whole, b.select(is_negative, q, v), im)
    at_zero = b.and_(b.eq(x, 0), b.eq(y, 0))
    of_zero = b.select(b.gt(n, 0), b.const(0.0, x.type), math.nan)
    is_one = b.and_(b.eq(n, 0), b.eq(m, 0))
    re, im = b.select(at_zero, of_zero, re), b.select(at_zero, of_zero, im)
    return b.select(is_one, 1.0, re), b.select(is_one, 0.0, im)


def _whole_power(b: Any, x: Any, y: Any, count: Any) -> Pair:
    """z^count for 0 <= count < 128, from its binary digits; the first factor is not multiplied by 1."""
    square, found = (x, y), (b.const(1.0, x.type), b.const(0.0, x.type))
    begun = b.const(False, "bool")
    for k in range(7):
        is_set = b.ne(b.and_(count, 1 << k), 0)
        product = times(b, found, square)
        new = (b.select(begun, p, q) for p, q in zip(product, square, strict=True))
        re, im = (b.select(is_set, p, q) for p, q in zip(new, found, strict=True))
        found, begun = (re, im), b.or_(begun, is_set)
        square = times(b, square, square)
    return found


def reciprocal(b: Any, x: Any, y: Any) -> Pair:
    """1 / z by Smith's algorithm."""
    is_wide = b.ge(b.abs(x), b.abs(y))
    large, small = b.select(is_wide, x, y), b.select(is_wide, y, x)
    ratio = b.div(small, large)
    below = b.add(large, b.mul(small, ratio))
    one, other = b.div(1.0, below), b.div(ratio, below)
    return b.select(is_wide, one, other), b.neg(b.select(is_wide, other, one))


# -- hyperbolic and trigonometric functions ----------------------------------------------------------------------------
def _is_endless(b: Any, x: Any, y: Any) -> Any:
    """Whether x is infinite and y no number or infinite."""
    return b.and_(b.eq(b.abs(x), INF), b.isnan(b.sub(y, y)))


def _half_sign(b: Any, x: Any) -> Any:
    return b.copysign(b.const(0.5, x.type), x)


def sinh(b: Any, x: Any, y: Any) -> Pair:
    """sinh x cos y + i cosh x sin y."""
    c, s = _cos_sin(b, y)
    re = _grown(b, x, _half_sign(b, x), b.call("sinh", x), c)
    im = _grown(b, x, b.const(0.5, x.type), b.call("cosh", x), s)
    re = b.select(b.and_(b.or_(b.eq(x, 0), b.eq(b.abs(x), INF)), b.isnan(re)), x, re)
    return re, b.select(b.eq(y, 0), y, im)


def cosh(b: Any, x: Any, y: Any) -> Pair:
    """cosh x cos y + i sinh x sin y."""
    c, s = _cos_sin(b, y)
    re = _grown(b, x, b.const(0.5, x.type), b.call("cosh", x), c)
    im = _grown(b, x, _half_sign(b, x), b.call("sinh", x), s)
    nothing = b.mul(b.copysign(b.const(1.0, x.type), x), b.copysign(b.const(0.0, x.type), y))
    is_nothing = b.and_(b.or_(b.eq(y, 0), b.eq(x, 0)), b.isnan(im))
    return b.select(_is_endless(b, x, y), INF, re), b.select(is_nothing, nothing, im)


def tanh(b: Any, x: Any, y: Any) -> Pair:
    """(sinh x cosh x + i sin y cos y) / (sinh^2 x + cos^2 y); +-1 + 4 i sin y cos y e^(-2 |x|) for large |x|."""
    c, s = _cos_sin(b, y)
    is_large = b.gt(b.abs(x), _RANGES[x.type][4])
    u = b.select(is_large, 0.0, x)
    sh, product = b.call("sinh", u), b.mul(s, c)
    below = b.fma(sh, sh, b.mul(c, c))
    one = b.copysign(b.const(1.0, x.type), x)
    one = b.select(b.and_(b.isnan(c), b.lt(b.abs(x), INF)), c, one)
    re = b.select(is_large, one, b.div(b.mul(sh, b.call("cosh", u)), below))
    size = b.call("exp", b.mul(b.abs(x), -2.0))
    im = b.select(is_large, b.mul(b.mul(product, 4.0), size), b.div(product, below))
    im = b.select(b.or_(b.eq(y, 0), _is_endless(b, x, y)), b.copysign(b.const(0.0, x.type), y), im)
    return b.select(b.eq(x, 0), x, re), im


def sin(b: Any, x: Any, y: Any) -> Pair:
    """-i sinh(iz)."""
    re, im = sinh(b, b.neg(y), x)
    return im, b.neg(re)


def cos(b: Any, x: Any, y: Any) -> Pair:
    """cosh(iz)."""
    return cosh(b, b.neg(y), x)


def tan(b: Any, x: Any, y: Any) -> Pair:
    """-i tanh(iz)."""
    re, im = tanh(b, b.neg(y), x)
    return im, b.neg(re)


# -- their inverses ----------------------------------------------------------------------------------------------------
MIN_INFINITE = 2.0**28  # from here on arcsin z is that of an infinite z, but for what rounding takes


def _arcsin_parts(b: Any, x: Any, y: Any) -> tuple[Any, Any, Any]:
    """(p, q, v) for x and y without signs: arcsin z = atan(p / q) + iv, arccos z = atan(q / p) - iv.

    After Hull, Fairgrieve and Tang: Implementing the complex arcsine and arccosine functions using exception handling
    (ACM TOMS 23, 1997).  r and s are the distances from -1 and 1, a their mean; p = x, q^2 = (a + x)(a - x), and
    v = arccosh a = log1p(a - 1 + sqrt((a - 1)(a + 1))), with a - x and a - 1 as sums of terms that are not negative.
    """
    above, below = b.add(x, 1.0), b.sub(1.0, x)
    r, s = hypot(b, above, y), hypot(b, below, y)
    a = b.mul(b.add(r, s), 0.5)
    is_left, yy = b.le(x, 1.0), b.mul(y, y)
    beyond = b.div(1.0, b.add(r, above))
    other = b.add(s, b.abs(below))
    both = b.add(beyond, b.div(1.0, other))  # times y^2 / 2: a - 1 if x < 1, a - x if x > 1
    mixed = b.add(b.mul(yy, beyond), other)  # twice the other one, which may be too small
    apart, more = b.mul(b.add(a, x), 0.5), b.mul(b.add(a, 1.0), 0.5)
    q = b.select(is_left, b.sqrt(b.mul(apart, mixed)), b.mul(y, b.sqrt(b.mul(apart, both))))
    is_inside = b.lt(x, 1.0)
    root = b.select(is_inside, b.mul(y, b.sqrt(b.mul(more, both))), b.sqrt(b.mul(more, mixed)))
    t = b.fma(b.select(is_inside, b.mul(yy, both), mixed), 0.5, root)
    # far from 0: log(2 |z|), at a scale where |z| is in range
    size = b.maximum(x, y)
    is_far = b.or_(b.gt(size, MIN_INFINITE), b.or_(b.eq(x, INF), b.eq(y, INF)))
    scale = b.select(b.gt(size, MIN_INFINITE * MIN_INFINITE), 1 / (MIN_INFINITE * MIN_INFINITE), b.const(1.0, x.type))
    t = b.select(is_far, b.sub(b.mul(hypot(b, b.mul(x, scale), b.mul(y, scale)), 2.0), 1.0), t)
    v = b.add(b.call("log1p", t), b.select(b.gt(size, MIN_INFINITE * MIN_INFINITE), 56 * LN2, b.const(0.0, x.type)))
    return x, b.select(is_far, y, q), v


def arcsin(b: Any, x: Any, y: Any) -> Pair:
    p, q, v = _arcsin_parts(b, b.abs(x), b.abs(y))
    return b.select(b.eq(x, 0), x, b.copysign(b.arctan2(p, q), x)), b.copysign(v, y)


def arccos(b: Any, x: Any, y: Any) -> Pair:
    p, q, v = _arcsin_parts(b, b.abs(x), b.abs(y))
    return b.select(b.eq(x, 0), math.pi / 2, b.arctan2(q, b.copysign(p, x))), b.neg(b.copysign(v, y))


def arcsinh(b: Any, x: Any, y: Any) -> Pair:
    """i arcsin(-iz)."""
    re, im = arcsin(b, y, x)
    return im, re


def arccosh(b: Any, x: Any, y: Any) -> Pair:
    """The one of +-i arccos z in the right half plane."""
    re, im = arccos(b, x, y)
    return b.abs(im), b.copysign(re, y)


def arctanh(b: Any, x: Any, y: Any) -> Pair:
    """log1p(4 x / ((1 - x)^2 + y^2)) / 4 + i atan2(2 y, (1 - x)(1 + x) - y^2) / 2 (Kahan: Branch cuts for complex
    elementary functions, 1987); next to +-1 log(2 / |y|) / 2, and 1 / z + i pi / 2 far from 0."""
    low, high, factor, *_ = _RANGES[x.type]
    u, v, half_pi = b.abs(x), b.abs(y), b.const(math.pi / 2, x.type)
    is_far = b.or_(b.gt(u, high), b.gt(v, high))
    is_pole = b.and_(b.eq(u, 1.0), b.lt(v, 2.0**-30))
    above, below = b.add(u, 1.0), b.sub(1.0, u)
    t = b.div(b.mul(u, 4.0), b.fma(below, below, b.mul(v, v)))
    t = b.select(is_far, b.mul(reciprocal(b, u, v)[0], 4.0), t)
    is_tiny = b.lt(v, low * low)
    at_pole = b.sub(b.div(2.0, b.mul(v, b.select(is_tiny, factor, b.const(1.0, x.type)))), 1.0)
    size = b.call("log1p", b.select(is_pole, at_pole, t))
    rest = b.select(is_tiny, math.log(factor), b.const(0.0, x.type))
    re = b.select(is_pole, b.mul(b.add(size, rest), 0.5), b.mul(size, 0.25))
    is_endless = b.or_(b.eq(u, INF), b.eq(v, INF))
    re = b.select(b.or_(is_endless, b.eq(u, 0)), 0.0, re)
    across = b.sub(b.mul(below, above), b.mul(v, v))
    im = b.select(is_far, half_pi, b.mul(b.arctan2(b.mul(v, 2.0), across), 0.5))
    is_lost = b.or_(b.isnan(y), b.and_(b.isnan(x), b.lt(v, INF)))
    im = b.select(b.and_(b.eq(v, 0), b.le(u, 1.0)), v, b.select(is_lost, math.nan, im))
    return b.copysign(re, x), b.copysign(im, y)


def arctan(b: Any, x: Any, y: Any) -> Pair:
    """-i arctanh(iz)."""
    re, im = arctanh(b, y, x)
    return im, re
