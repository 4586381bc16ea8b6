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
    ERFCX,
    ERFINV_FAR,
    ERFINV_MIDDLE,
    ERFINV_NEAR,
    GAMMA,
    GAMMA_FAR,
    GAMMALN,
    HALF_LOG_2PI,
    LN2,
    LOG_ERFC,
    PER_ROOT_PI,
    PI,
    ROOT_2PI,
    STIRLING,
)
from tensordsl.codegen.math.exponential import LIMITS, exp_moderate, exp_of_sum, exp_parts
from tensordsl.codegen.math.inverse import in_float64
from tensordsl.codegen.math.logarithm import log, precise_log
from tensordsl.codegen.math.parts import fast_two_sum, polynomial, round_by_magic, two_product
from tensordsl.codegen.math.trigonometric import cosine, sine
from tensordsl.codegen.scalar import Builder, Val

ERF_LIMIT = {"float64": 6.0, "float32": 4.0}  # beyond it erf is 1
ERFC_LIMIT = {"float64": 28.0, "float32": 10.5}  # beyond it erfc is 0


def _scaled_erfc(b: Builder, a: Val) -> tuple[Val, Val]:
    """exp(a^2) erfc(a) of a in [0, 28], in two parts: ERFC(t) / (1 + 2 a), t = (a - 4)/(a + 4)."""
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
    return q, b.mul(b.fma(b.neg(q), d2_low, b.add(b.fma(b.neg(q), d2, p), p_low)), r)


def _erfc_positive(b: Builder, a: Val) -> Val:
    """erfc of a in [0, 28]"""
    q, q_low = _scaled_erfc(b, a)
    square, low = two_product(b, a, a)
    head, tail, n = exp_parts(b, b.neg(square), b.neg(low))
    y, y_low = two_product(b, head, q)
    return b.ldexp(b.add(y, b.fma(head, q_low, b.fma(tail, q, y_low))), n)


def erfc(b: Builder, x: Val) -> Val:
    """erfc(-a) = 2 - erfc(a); below 1 from erf's polynomial."""
    a = b.abs(x)
    limit = ERFC_LIMIT[x.type]
    far = _erfc_positive(b, b.select(b.gt(a, limit), limit, a))
    far = b.select(b.lt(x, 0.0), b.sub(2.0, far), far)
    z = b.mul(x, x)
    z = b.select(b.lt(z, 1.0), z, 1.0)
    near = b.fma(b.neg(x), polynomial(b, z, ERF[x.type]), b.sub(1.0, x))
    return b.select(b.lt(a, 0.75), near, far)


def erf(b: Builder, x: Val) -> Val:
    """Below 1: x + x ERF(x^2); beyond: 1 - exp(-LOG_ERFC(|x|)), where the exponential's errors count a sixth or less
    (N. Juffa's form)."""
    t = x.type
    a = b.abs(x)
    limit = ERF_LIMIT[t]
    z = b.mul(x, x)
    near = b.fma(polynomial(b, z, ERF[t]), a, a)
    c = b.select(b.gt(a, limit), limit, a)
    far = b.sub(1.0, exp_moderate(b, b.neg(polynomial(b, c, LOG_ERFC[t]))))
    return b.copysign(b.select(b.ge(a, 1.0), far, near), x)  # near of nan


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


def erfcx(b: Builder, x: Val) -> Val:
    """exp(x^2) erfc(x); below 0.6 a polynomial, beyond 28 the asymptotic series, below 0: 2 exp(a^2) - erfcx(a)."""
    t, a = x.type, b.abs(x)
    q, q_low = _scaled_erfc(b, b.select(b.gt(a, 28.0), 28.0, a))
    middle = b.add(q, q_low)
    # (1 - w + 3 w^2 - 15 w^3 ...) / (sqrt(pi) a), w = 1/(2 a^2)
    high, low = PER_ROOT_PI[t]
    inverse = b.div(1.0, a)
    w = b.mul(b.mul(inverse, inverse), 0.5)
    series = b.fma(b.mul(w, polynomial(b, w, (-1.0, 3.0, -15.0, 105.0, -945.0, 10395.0))), high, low)
    far = b.fma(series, inverse, b.div(high, a))
    positive = b.select(b.gt(a, 28.0), far, middle)
    limit = LIMITS[t][1] ** 0.5
    s = b.select(b.gt(a, limit), limit, a)
    square, square_low = two_product(b, s, s)
    e = exp_of_sum(b, square, square_low)
    negative = b.mul(b.sub(e, b.mul(middle, 0.5)), 2.0)
    near = b.fma(x, polynomial(b, x, ERFCX[t]), 1.0)
    return b.select(b.lt(a, 0.6), near, b.select(b.lt(x, 0.0), negative, positive))


def erfinv(b: Builder, x: Val) -> Val:
    """x and x times a polynomial in w = -log(1 - x^2), beyond w = 6 a polynomial in its root (M. Giles, "Approximating
    the erfinv function", 2010)."""
    t, a = x.type, b.abs(x)
    w = b.neg(log(b, b.mul(b.sub(1.0, a), b.add(a, 1.0))))
    near = b.fma(polynomial(b, b.sub(w, 3.0), ERFINV_NEAR[t]), a, a)
    s = b.sqrt(w)
    y = polynomial(b, b.sub(s, 3.2), ERFINV_MIDDLE[t])
    if t == "float64":
        y = b.select(b.gt(s, 4.1), polynomial(b, b.sub(s, 5.0), ERFINV_FAR[t]), y)
    y = b.select(b.eq(a, 1.0), float("inf"), b.select(b.gt(w, 6.0), y, near))
    return b.copysign(y, x)


def gamma(b: Builder, x: Val) -> Val:
    """x >= 8: Stirling's form with the power in two parts; below by the recurrence from [2, 3]; x < 0 by reflection:
    -pi / (a sin(pi a) gamma(a)).  Poles give nan, zeros an infinity of their sign."""
    t, inf = x.type, float("inf")
    a = b.abs(x)
    c = b.select(b.gt(a, 185.0), 185.0, a)
    tiny = b.lt(a, 1e-17)
    c = b.select(tiny, 1.0, c)
    # [2, 3]: products and quotients of at most five factors, with their errors
    u, product, lack = c, b.const(1.0, t), b.const(0.0, t)
    for _ in range(5):
        above = b.gt(u, 3.0)
        u = b.select(above, b.sub(u, 1.0), u)
        p, e = two_product(b, product, u)
        lack = b.select(above, b.fma(lack, u, e), lack)
        product = b.select(above, p, product)
    below_one, below_two = b.lt(u, 1.0), b.lt(u, 2.0)
    d, d_low = two_product(b, u, b.add(u, 1.0))
    d_low = b.fma(u, b.sub(u, b.sub(b.add(u, 1.0), 1.0)), d_low)
    divisor = b.select(below_one, d, b.select(below_two, u, 1.0))
    divisor_low = b.select(below_one, d_low, 0.0)
    shift = b.select(below_one, b.sub(u, 0.5), b.select(below_two, b.sub(u, 1.5), b.sub(u, 2.5)))
    first, *rest = GAMMA[t]
    g, g_low = fast_two_sum(b, b.const(first, t), b.mul(shift, polynomial(b, shift, rest)))
    n, n_low = two_product(b, g, product)
    n_low = b.add(n_low, b.fma(g, lack, b.mul(g_low, product)))
    q = b.div(n, divisor)
    q_low = b.div(b.add(b.fma(b.neg(q), divisor, n), b.fma(b.neg(q), divisor_low, n_low)), divisor)
    # Stirling: exp((c - 1/2) log(c) - c) sqrt(2 pi) GAMMA_FAR(1/c)
    head, tail = precise_log(b, c)
    y = b.sub(c, 0.5)
    p, p_low = two_product(b, y, head)
    exponent, e = fast_two_sum(b, p, b.neg(c))
    low = b.fma(y, tail, b.add(p_low, e))
    # Beyond 170 in units of 2^100: gamma overflows, but its reciprocal does not.
    huge = b.gt(c, 170.0)
    unit, unit_low = (b.select(huge, b.const(100 * v, t), b.const(0.0, t)) for v in LN2[t])
    exponent, e = fast_two_sum(b, exponent, b.neg(unit))
    low = b.add(low, b.sub(e, unit_low))
    first, *rest = GAMMA_FAR[t]
    w = b.div(1.0, c)
    correction = b.mul(w, polynomial(b, w, rest))  # the first coefficient is 1
    power = exp_of_sum(b, exponent, low)
    high, high_low = ROOT_2PI[t]
    large = b.fma(power, b.fma(correction, high, high_low), b.mul(power, high))
    far = b.ge(c, 8.0)
    positive, positive_low = b.select(far, large, q), b.select(far, 0.0, q_low)
    sin, _ = _sine_cosine_of_pi(b, c)
    down = b.sub(c, b.mul(b.floor(b.mul(c, 0.5)), 2.0))
    sign = b.select(b.ge(down, 1.0), b.const(1.0, t), b.const(-1.0, t))
    reflected = b.div(b.mul(b.div(PI[t][0], b.mul(c, sin)), sign), b.add(positive, positive_low))
    reflected = b.select(b.eq(sin, 0.0), float("nan"), reflected)
    reflected = b.mul(reflected, b.select(huge, b.const(2.0**-100, t), b.const(1.0, t)))
    whole = b.mul(b.add(positive, positive_low), b.select(huge, b.const(2.0**100, t), b.const(1.0, t)))
    result = b.select(b.lt(x, 0.0), reflected, whole)
    result = b.select(b.and_(b.ge(x, 172.0), b.le(x, inf)), inf, result)
    result = b.select(b.lt(x, -184.0), b.select(b.eq(b.floor(x), x), b.const(float("nan"), t), _zero(b, x)), result)
    result = b.select(tiny, b.div(1.0, x), result)
    return b.select(b.isnan(x), x, result)


def _zero(b: Builder, x: Val) -> Val:
    """What gamma underflows to: 0.0 where floor(x) is even, else -0.0."""
    half = b.mul(b.floor(x), 0.5)
    return b.select(b.eq(b.floor(half), half), b.const(0.0, x.type), b.const(-0.0, x.type))


EXPANSIONS: dict[str, Callable[..., Val]] = {
    "erf": erf, "erfc": erfc, "gammaln": in_float64(gammaln), "digamma": in_float64(digamma),
    "erfinv": erfinv, "erfcx": erfcx, "gamma": in_float64(gamma),
}  # fmt: skip
