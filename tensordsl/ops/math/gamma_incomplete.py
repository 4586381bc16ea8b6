"""The regularised incomplete gamma functions P(a, x) and Q(a, x) = 1 - P(a, x): both sides of gamma distributions.

The derivative by a is that of the series and the fraction, term by term (R. Moore, "Algorithm AS 187: Derivatives of
the incomplete gamma integral", Applied Statistics 31, 1982).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tensordsl.graph.casting import float_of_all
from tensordsl.graph.variables import Expand, Op, apply
from tensordsl.ops.array.reduce import bound
from tensordsl.ops.control import loop_index, make_loop, parameter_like
from tensordsl.ops.math.comparisons import and_, eq, ge, gt, isnan, lt, or_
from tensordsl.ops.math.elementwise import abs_, cast, ceil, clip, maximum, minimum, second, sqr, sqrt, switch
from tensordsl.ops.math.functions import erfc, exp, expm1, log, log1p
from tensordsl.ops.math.gamma import gammaln, psi
from tensordsl.ops.operands import as_variable, broadcast

LARGE = 1e5  # from here on two terms of Temme's expansion suffice
# Its C_0 and C_1 as polynomials (DiDonato and Morris: Computation of the incomplete gamma function ratios, ACM TOMS 12,
# 1986).
C_0 = (
    -1 / 3, 1 / 12, -2 / 135, 1 / 864, 1 / 2835, -139 / 777600, 1 / 25515, -2.1854485106799921615e-6,
    -1.8540622107151599607e-6, 8.296711340953086005e-7,
)  # fmt: skip
C_1 = (-1 / 540, -1 / 288, 25 / 9450, -0.00099022633744855967078, 0.00020576131687242798354, -4.0187757201646090535e-7)
SMALL = 0.2  # below, log(gamma(1 + a)) = -gamma a + sum of zeta(k) (-a)^k / k is summed: Q is small there
LOG_GAMMA = (
    -0.57721566490153286061, 0.82246703342411321824, -0.40068563438653142847, 0.27058080842778454788,
    -0.20738555102867398527, 0.16955717699740818995, -0.14404989676884611812, 0.12550966952474304242,
    -0.11133426586956469049, 0.10009945751278180853, -0.090954017145829042233, 0.083353840546109004025,
    -0.076932516411352191473, 0.071432946295361336059, -0.066668705882420468033, 0.062500955141213040742,
    -0.058823978658684582339, 0.055555767627403611102, -0.052631679379616660734, 0.05000004769810169364,
)  # fmt: skip
SERIES_BELOW, TERMS = 0.1, 18  # |x / a - 1| below which `_excess` is a series, and of how many terms
COUNT, PER_ROOT = 100.0, 9.0  # how many terms of the series and of the fraction: also so many for each sqrt(a)


def _polynomial(coefficients: Sequence[float], x: Any) -> Any:
    result: Any = coefficients[-1]
    for c in coefficients[-2::-1]:
        result = x * result + c
    return result


def _excess(a: Any, x: Any) -> Any:
    """x / a - 1 - log(x / a), accurate where that is small."""
    mu = (x - a) / a
    series = sqr(mu) * _polynomial([(-1.0) ** k / (k + 2) for k in range(TERMS)], mu)
    return switch(lt(abs_(mu), SERIES_BELOW), series, mu - log(x / a))


def density(a: Any, x: Any) -> Any:
    """x^a e^-x / gamma(a + 1); from a = 10 on by Stirling's series, where powers of large numbers would cancel."""
    b, s = maximum(a, 10.0), minimum(a, 10.0)
    w = 1 / sqr(b)
    rest = (1 / 12 - w * (1 / 360 - w * (1 / 1260 - w * (1 / 1680 - w * (1 / 1188 - w * (691 / 360360)))))) / b
    large = exp(-b * _excess(b, x) - rest) / sqrt(b * (2 * math.pi))
    return switch(lt(a, 10.0), exp(s * log(x) - x - gammaln(s + 1)), large)


def _terms(a: Any) -> Any:
    """How many terms the largest a that is a number needs."""
    largest = bound(switch(isnan(a), 0.0, a), tuple(range(a.type.ndim))).sum()
    return cast(ceil(PER_ROOT * sqrt(clip(largest, 0.0, LARGE)) + COUNT), "int64")


def _by_sums(a: Any, x: Any) -> tuple[Any, Any]:
    """(P, Q) for 0 < a < LARGE, x > 0: for x < a + 1 the series of P, for small a that of Q beside it; else Legendre's
    continued fraction of Q, from its end (Abramowitz and Stegun 6.5.29, 6.5.31)."""
    is_left = lt(x, a + 1)
    u, v, w = switch(is_left, x, 0.0), switch(is_left, a + 2, x), minimum(x, 1 + SMALL)
    n = _terms(a)
    k, (term, total, power, other, fraction) = loop_index(), (parameter_like(a) for _ in range(5))
    i, back = cast(k, "float64") + 1, cast(n - k, "float64")
    following, beside = term * u / (a + i), power * -w / i
    partial = v + (2 * back - 1) - a - back * (back - a) / fraction
    one, none = second(a, np.float64(1)), second(a, np.float64(0))
    _, total, _, other, fraction = make_loop(
        n, k, [term, total, power, other, fraction], [one, one, one, none, v + (2 * cast(n, "float64") + 1) - a],
        [following, total + following, beside, other + beside / (a + i), partial],
    )  # fmt: skip
    d = density(a, x)
    left, right = d * total, d * a / fraction
    logarithm = a * log(w) - a * _polynomial(LOG_GAMMA, minimum(a, SMALL))
    rest = switch(lt(a, SMALL), -expm1(logarithm) - a * exp(logarithm) * other, 1 - left)
    return switch(is_left, left, 1 - right), switch(is_left, rest, right)


def _by_erfc(a: Any, x: Any) -> tuple[Any, Any]:
    """(P, Q) for a >= LARGE by Temme's expansion, which is uniform in x."""
    half = _excess(a, x)
    eta = switch(lt(x, a), -sqrt(half * 2), sqrt(half * 2))
    bounded = clip(eta, -0.2, 0.2)  # its effect vanishes beyond
    rest = exp(-a * half) / sqrt(a * (2 * math.pi)) * (_polynomial(C_0, bounded) + _polynomial(C_1, bounded) / a)
    argument = eta * sqrt(a * 0.5)
    return erfc(-argument) * 0.5 - rest, erfc(argument) * 0.5 + rest


def _build(side: int, a: Any, x: Any) -> Any:
    dtype = float_of_all(a.type.dtype, x.type.dtype)
    a, x = cast(a, "float64"), cast(x, "float64")
    a, x = second(x, a), second(a, x)
    is_large = ge(a, LARGE)
    u, v = clip(a, 5e-324, 1e300), clip(x, 5e-324, 1e300)
    sums = _by_sums(switch(is_large, 1.0, u), switch(is_large, 1.0, v))[side]
    value = switch(is_large, _by_erfc(maximum(u, LARGE), v)[side], sums)
    at_zero, at_end = (0.0, 1.0) if side == 0 else (1.0, 0.0)
    value = switch(or_(eq(x, 0), gt(a, 1e300)), at_zero, switch(or_(eq(a, 0), gt(x, 1e300)), at_end, value))
    is_sure = and_(and_(ge(a, 0), ge(x, 0)), or_(gt(a, 0), gt(x, 0)))
    return cast(switch(and_(is_sure, lt(minimum(a, x), math.inf)), value, math.nan), dtype)


def _slope_of_sums(a: Any, x: Any) -> Any:
    """dP/da for 0 < a < LARGE: of the series and of the fraction, by the loop that sums them."""
    is_left = lt(x, a + 1)
    u, v = switch(is_left, x, 0.0), switch(is_left, a + 2, x)
    n = _terms(a)
    k, (term, term_slope, total, slope, fraction, fraction_slope) = loop_index(), (parameter_like(a) for _ in range(6))
    i, back = cast(k, "float64") + 1, cast(n - k, "float64")
    factor = u / (a + i)
    following = term * factor
    following_slope = term_slope * factor - following / (a + i)
    quotient = back * (back - a) / fraction
    partial = v + (2 * back - 1) - a - quotient
    partial_slope = (back + quotient * fraction_slope) / fraction - 1
    one, none = second(a, np.float64(1)), second(a, np.float64(0))
    _, _, total, slope, fraction, fraction_slope = make_loop(
        n, k, [term, term_slope, total, slope, fraction, fraction_slope],
        [one, none, one, none, v + (2 * cast(n, "float64") + 1) - a, -one],
        [following, following_slope, total + following, slope + following_slope, partial, partial_slope],
    )  # fmt: skip
    d, logarithm = density(a, x), log(x)
    left = d * (slope + total * (logarithm - psi(a + 1)))
    right = d * a / fraction * (fraction_slope / fraction - logarithm + psi(a))
    return switch(is_left, left, right)


def _slope_of_erfc(a: Any, x: Any) -> Any:
    """dP/da for a >= LARGE, of Temme's expansion: with mu = x / a - 1, d(a eta^2 / 2)/da = -log(x / a), d eta/da = -mu
    / (a eta)."""
    mu = (x - a) / a
    half, logarithm = _excess(a, x), log1p(maximum(mu, -1.0))
    eta = switch(lt(x, a), -sqrt(half * 2), sqrt(half * 2))
    is_middle = lt(abs_(eta), 1e-7)
    safe = switch(is_middle, 1.0, eta)
    per_eta, mu_per_eta = switch(is_middle, 1.0, logarithm / safe), switch(is_middle, 1.0, mu / safe)
    bounded = clip(eta, -0.2, 0.2)
    slopes = [k * c for k, c in enumerate(C_0)][1:]
    rest = _polynomial(C_0, bounded) * (logarithm - 0.5 / a) - _polynomial(slopes, bounded) * mu_per_eta / a
    return exp(-a * half) / sqrt(a * (2 * math.pi)) * (-per_eta - rest)


def slope_by_a(a: Any, x: Any) -> Any:
    """The derivative of P(a, x) by a in float64, which can be derived again."""
    a, x = cast(a, "float64"), cast(x, "float64")
    a, x = second(x, a), second(a, x)
    is_inside = and_(and_(gt(a, 0), gt(x, 0)), and_(lt(a, 1e300), lt(x, 1e300)))
    is_large = and_(is_inside, ge(a, LARGE))
    is_small = and_(is_inside, lt(a, LARGE))
    sums = _slope_of_sums(switch(is_small, a, 1.0), switch(is_small, x, 1.0))
    far = _slope_of_erfc(switch(is_large, a, LARGE), switch(is_large, x, LARGE))
    return switch(is_large, far, switch(is_small, sums, 0.0))


def _gradient(sign: float) -> Any:
    def gradient(g: Any, out: Any, a: Any, x: Any) -> Sequence[Any]:
        dtype = float_of_all(a.type.dtype, x.type.dtype)
        a, x = cast(a, dtype), cast(x, dtype)  # a number beside a float64 is a small float
        slope = exp((a - 1) * log(x) - x - gammaln(a))
        return g * slope_by_a(a, x) * sign, g * slope * sign

    return gradient


def _reference(side: int, a: float, x: float) -> float:
    """By the series of P, or by the continued fraction of Q from its beginning (Lentz's algorithm)."""
    if not (a >= 0 and x >= 0 and a + x > 0 and min(a, x) < math.inf):
        return math.nan
    if x == 0 or a == math.inf:
        return float(side)
    if a == 0 or x == math.inf:
        return 1.0 - side
    scale = math.exp(a * math.log(x) - x - math.lgamma(a))
    if x < a + 1:
        term = total = 1 / a
        n = 0
        while term > total * 1e-17:
            n += 1
            term *= x / (a + n)
            total += term
        return scale * total if side == 0 else 1 - scale * total
    b, c, n, step = x + 1 - a, 1e300, 0, 0.0
    d = h = 1 / b
    while abs(step - 1) > 1e-16 and n < 100_000:
        n += 1
        b += 2
        d = 1 / (b - n * (n - a) * d)
        c = b - n * (n - a) / c
        step = c * d
        h *= step
    return 1 - scale * h if side == 0 else scale * h


def _oracle(side: int) -> Any:
    def reference(a: float, x: float) -> float:
        return _reference(side, a, x)

    def oracle(a: Any, x: Any) -> Any:
        with np.errstate(all="ignore"):
            values = np.frompyfunc(reference, 2, 1)(np.asarray(a, "float64"), np.asarray(x, "float64"))
        return np.asarray(values).astype(float_of_all(str(np.asarray(a).dtype), str(np.asarray(x).dtype)))

    return oracle


def _row(name: str, side: int) -> Op:
    return Op(
        name, float_of_all, broadcast, _oracle(side), Expand(lambda a, x: _build(side, a, x)),
        _gradient(1.0 - 2 * side), ulp=256, domain=(0.1, 20),
    )  # fmt: skip


GAMMAINC, GAMMAINCC = _row("gammainc", 0), _row("gammaincc", 1)
ROWS = (GAMMAINC, GAMMAINCC)


def gammainc(a: Any, x: Any) -> Any:
    """P(a, x), the integral of t^(a - 1) e^-t over t from 0 to x, divided by gamma(a); a and x are not negative.

    >>> gammainc([1.0, 2.0], 1.0).eval().round(6)
    array([0.632121, 0.264241])
    """
    return apply(GAMMAINC, as_variable(a), as_variable(x))


def gammaincc(a: Any, x: Any) -> Any:
    """Q(a, x) = 1 - P(a, x), accurate where that is small.

    >>> import numpy as np
    >>> (gammaincc([1.0, 2.0], 50.0) * np.exp(50.0)).eval().round(9)
    array([ 1., 51.])
    """
    return apply(GAMMAINCC, as_variable(a), as_variable(x))
