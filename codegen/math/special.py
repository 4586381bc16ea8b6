"""erf, erfc, the logarithm of the gamma function and its derivative.

gammaln and digamma of float32 are computed in float64.
"""

from __future__ import annotations

from collections.abc import Callable

from tensordsl.codegen.math.coefficients import (
    DIGAMMA,
    DIGAMMA_FAR,
    DIGAMMA_ROOT,
    ERF,
    ERFC,
    GAMMALN,
    HALF_LOG_2PI,
    PI,
    STIRLING,
)
from tensordsl.codegen.math.exponential import exp_parts
from tensordsl.codegen.math.inverse import in_float64
from tensordsl.codegen.math.logarithm import log
from tensordsl.codegen.math.parts import fast_two_sum, polynomial, round_by_magic, scale, two_product
from tensordsl.codegen.math.power import precise_log
from tensordsl.codegen.math.trigonometric import cosine, sine
from tensordsl.codegen.scalar import Builder, Val


def _erfc_positive(b: Builder, a: Val) -> Val:
    """erfc of a in [0, 28]: exp(-a^2) ERFC(t) / (1 + 2 a), t = (a - 4)/(a + 4)."""
    one, four = b.const(1.0, a.type), b.const(4.0, a.type)
    # One division for both quotients.
    d1, d2 = b.add(a, four), b.fma(2.0, a, one)
    d2_low = b.sub(one, b.fma(-2.0, a, d2))
    inverse = b.div(one, b.mul(d1, d2))
    u = b.mul(b.sub(a, four), b.mul(inverse, d2))
    first, *rest = ERFC[a.type]
    p, p_low = fast_two_sum(b, b.const(first, a.type), b.mul(u, polynomial(b, u, rest)))
    r = b.mul(inverse, d1)
    q = b.mul(p, r)
    q_low = b.mul(b.fma(b.neg(q), d2_low, b.add(b.fma(b.neg(q), d2, p), p_low)), r)
    square, low = two_product(b, a, a)
    head, tail, n = exp_parts(b, b.neg(square), b.neg(low))
    y, y_low = two_product(b, head, q)
    return scale(b, b.add(y, b.fma(head, q_low, b.fma(tail, q, y_low))), n)


def erfc(b: Builder, x: Val) -> Val:
    """erfc(-a) = 2 - erfc(a); below 1 from erf's polynomial."""
    a = b.abs(x)
    c = b.select(b.gt(a, 28.0), 28.0, a)
    far = _erfc_positive(b, c)
    far = b.select(b.lt(x, 0.0), b.sub(2.0, far), far)
    z = b.mul(x, x)
    z = b.select(b.lt(z, 1.0), z, 1.0)
    near = b.fma(b.neg(x), polynomial(b, z, ERF[x.type]), b.sub(1.0, x))
    return b.select(b.lt(a, 0.875), near, far)


def erf(b: Builder, x: Val) -> Val:
    """Below 1: x + x ERF(x^2); beyond: 1 - erfc(|x|)."""
    a = b.abs(x)
    z = b.mul(x, x)
    z = b.select(b.lt(z, 1.0), z, 1.0)
    near = b.fma(polynomial(b, z, ERF[x.type]), a, a)
    c = b.select(b.gt(a, 6.0), 6.0, a)
    far = b.sub(1.0, _erfc_positive(b, c))
    return b.copysign(b.select(b.lt(a, 1.0), near, far), x)


def _sine_cosine_of_pi(b: Builder, x: Val) -> tuple[Val, Val]:
    """|sin(pi x)| and, with the sign that makes the quotient cot(pi x), cos(pi x)."""
    n, _ = round_by_magic(b, b.sub(x, b.floor(x)), 2.0)  # the fraction, so that n is 0, 1 or 2
    r = b.sub(b.sub(x, b.floor(x)), b.mul(n, 0.5))
    angle, error = two_product(b, r, b.const(PI[x.type][0], x.type))
    tail = b.fma(r, PI[x.type][1], error)
    s, c = sine(b, angle, tail), cosine(b, angle, tail)
    odd = b.eq(n, 1.0)
    # n = 0: (s, c); 1: (c, -s); 2: (-s, -c)
    sin = b.select(odd, c, b.select(b.eq(n, 2.0), b.neg(s), s))
    cos = b.select(odd, b.neg(s), b.select(b.eq(n, 2.0), b.neg(c), c))
    return sin, cos


def _gammaln_positive(b: Builder, x: Val) -> Val:
    """x >= 8: Stirling's series.  Else the recurrence brings x to [1, 2.5]; its product goes into one logarithm."""
    t = x.type
    far = b.ge(x, 8.0)
    near = b.lt(x, 1.0)
    u = b.select(far, 2.0, b.select(near, b.add(x, 1.0), x))
    product = b.select(near, x, b.const(1.0, t))
    for _ in range(6):
        above = b.gt(u, 2.5)
        u = b.select(above, b.sub(u, 1.0), u)
        product = b.select(above, b.mul(product, u), product)
    # A quotient's logarithm for x < 1: lgamma(x) = lgamma(1 + x) - log(x)
    head, tail = precise_log(b, b.select(far, x, product))
    # For x < 1 the distance from 1 is x itself: 1 + x may have lost bits.
    d = b.select(near, b.sub(x, 1.0), b.sub(u, 2.0))
    e = b.select(near, x, b.sub(u, 1.0))
    polynomial_part = b.mul(b.mul(d, e), polynomial(b, d, GAMMALN[t]))
    close = b.add(b.select(near, b.neg(head), head), b.add(b.select(near, b.neg(tail), tail), polynomial_part))
    inverse = b.div(1.0, x)
    series = b.mul(inverse, polynomial(b, b.mul(inverse, inverse), STIRLING[t]))
    # (x - 1/2)(head + tail) - x + log(2 pi)/2 = (x - 1/2)(head - 1 + tail) + (log(2 pi) - 1)/2
    less, less_low = fast_two_sum(b, head, b.const(-1.0, t))
    less_low = b.add(less_low, tail)
    y = b.sub(x, 0.5)
    p, p_low = two_product(b, y, less)
    rest = b.add(b.fma(y, less_low, p_low), b.add(series, HALF_LOG_2PI[t][0] - 0.5))
    return b.select(far, b.add(p, rest), close)


def gammaln(b: Builder, x: Val) -> Val:
    """log |gamma(x)|; x < 0 by reflection: log(pi / (|x sin(pi x)|)) - gammaln(-x).  Poles give inf."""
    inf = float("inf")
    a = b.abs(x)
    largest = 1e307
    c = b.select(b.le(a, largest), b.select(b.eq(a, 0.0), 1.0, a), 1.0)
    positive = _gammaln_positive(b, c)
    sin, _ = _sine_cosine_of_pi(b, c)
    # pi / (a |sin(pi a)|) may overflow for the smallest a: there gammaln is -log(a).
    tiny = b.lt(a, 1e-30)
    reflected = b.sub(log(b, b.div(PI[x.type][0], b.mul(b.select(tiny, 1.0, c), b.select(tiny, 1.0, sin)))), positive)
    reflected = b.select(tiny, positive, reflected)
    reflected = b.select(b.eq(sin, 0.0), inf, reflected)
    y = b.select(b.lt(x, 0.0), reflected, positive)
    # The largest x: (log x - 1) x
    huge = b.mul(b.sub(log(b, a), 1.0), a)
    y = b.select(b.le(a, largest), y, b.select(b.lt(x, 0.0), b.const(inf, x.type), huge))
    y = b.select(b.or_(b.eq(a, 0.0), b.eq(a, inf)), inf, y)
    return b.select(b.isnan(x), x, y)


def _digamma_positive(b: Builder, x: Val) -> Val:
    """x >= 10: log(x) - 1/(2x) - series; else by the recurrence from [1, 2], its sum as one quotient."""
    t = x.type
    far = b.ge(x, 10.0)
    near = b.lt(x, 1.0)
    u = b.select(far, 2.0, b.select(near, b.add(x, 1.0), x))
    numerator = b.select(near, b.const(-1.0, t), b.const(0.0, t))
    denominator = b.select(near, x, b.const(1.0, t))
    for _ in range(9):
        above = b.gt(u, 2.0)
        u = b.select(above, b.sub(u, 1.0), u)
        numerator = b.select(above, b.fma(numerator, u, denominator), numerator)
        denominator = b.select(above, b.mul(denominator, u), denominator)
    root, root_low = DIGAMMA_ROOT[t]
    # For x < 1 the distance from the root is (1 - root) + x: 1 + x may have lost bits.
    d = b.sub(b.select(near, b.add(x, 1.0 - root), b.sub(u, root)), root_low)
    inverse = b.div(1.0, b.select(far, x, denominator))
    sum_ = b.mul(numerator, inverse)
    sum_low = b.mul(b.fma(b.neg(sum_), denominator, numerator), inverse)
    close = b.add(sum_, b.fma(d, polynomial(b, d, DIGAMMA[t]), sum_low))
    square = b.mul(inverse, inverse)
    series = b.fma(square, polynomial(b, square, DIGAMMA_FAR[t]), b.mul(inverse, 0.5))
    return b.select(far, b.sub(log(b, x), series), close)


def digamma(b: Builder, x: Val) -> Val:
    """x < 0 by reflection: digamma(1 + a) + pi cot(pi a), a = -x, with digamma(1 + a) = digamma(a) + 1/a.

    The poles at the negative integers give nan, zeros an infinity of the other sign, as in SciPy.
    """
    t, inf = x.type, float("inf")
    a = b.abs(x)
    pole = b.lt(a, 1e-30)  # there digamma(x) is -1/x
    c = b.select(b.or_(pole, b.eq(a, inf)), 1.0, a)
    negative = b.lt(x, 0.0)
    positive = _digamma_positive(b, c)
    sin, cos = _sine_cosine_of_pi(b, c)
    cot = b.div(b.mul(cos, PI[t][0]), sin)
    reflected = b.add(positive, b.add(b.div(1.0, c), cot))
    reflected = b.select(b.eq(sin, 0.0), float("nan"), reflected)
    y = b.select(negative, reflected, positive)
    y = b.select(b.eq(a, inf), b.select(negative, b.const(float("nan"), t), x), y)
    y = b.select(pole, b.div(-1.0, x), y)
    return b.select(b.isnan(x), x, y)


EXPANSIONS: dict[str, Callable[..., Val]] = {
    "erf": erf, "erfc": erfc, "gammaln": in_float64(gammaln), "digamma": in_float64(digamma),
}  # fmt: skip
