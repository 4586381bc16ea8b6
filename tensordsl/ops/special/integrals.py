"""Dawson's integral, exponential integrals, Owen's T function.

Method     Dawson's integral by Chebyshev sums; the others by quadrature with constant nodes, a reduction over these.
Ref        NIST DLMF 7.2(ii), 7.12 (Dawson), 8.19 (exponential integrals); H. Takahasi and M. Mori, "Double exponential
           formulas for numerical integration" (1974); D. Owen, "Tables for computing bivariate normal probabilities"
           (1956).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tensordsl.graph.variables import apply
from tensordsl.ops.array.reduce import sum as sum_over
from tensordsl.ops.cotangents import Undefined
from tensordsl.ops.math.comparisons import and_, eq, ge, gt, isnan, lt, neq, or_
from tensordsl.ops.math.elementwise import abs_, floor, maximum, minimum, sqr, switch
from tensordsl.ops.math.functions import Unary, erf, exp, log1p, unary
from tensordsl.ops.math.scalars import vectorised
from tensordsl.ops.operands import as_variable
from tensordsl.ops.rows import like
from tensordsl.ops.special import coefficients as tables
from tensordsl.ops.special.chebyshev import chebyshev_sum, power_series, real_row
from tensordsl.ops.special.definitions import by_nodes, defined_row, exp_sinh, legendre, nodes
from tensordsl.ops.special.normal import ndtr


# -- Dawson's integral -----------------------------------------------------------------------------------------------
def _dawsn(b: Any, x: Any) -> Any:
    a = b.abs(x)
    square = b.mul(a, a)
    inverse = b.div(1.0, a)
    value = b.mul(chebyshev_sum(b, square, tables.DAWSON_NEAR), a)
    for table, start in ((tables.DAWSON_1, 2.0**0.5), (tables.DAWSON_2, 2.5), (tables.DAWSON_3, 4.0)):
        value = b.select(b.lt(a, start), value, chebyshev_sum(b, a, table))
    far = b.mul(chebyshev_sum(b, b.mul(inverse, inverse), tables.DAWSON_FAR), inverse)
    return b.copysign(b.select(b.lt(a, 6.0), value, far), x)


def _numpy_dawsn(x: Any) -> Any:
    """Rybicki's sum of exp(-(x - n h)^2) / n over odd n, the power series near 0, the asymptotic one far out."""
    a, n = np.abs(x), np.arange(-111.0, 112.0, 2.0)
    middle = np.sum(np.exp(-np.square(np.minimum(a, 8.0)[..., None] - n * 0.2)) / n, axis=-1) / math.sqrt(math.pi)
    small = np.minimum(a, 0.5)
    near = small * sum((-2 * np.square(small)) ** k / math.prod(range(1, 2 * k + 2, 2)) for k in range(20))
    value = np.where(a < 0.5, near, middle)
    v = 0.5 / np.square(np.maximum(a, 8.0))
    series = sum(math.prod(range(1, 2 * k, 2)) * v**k for k in range(14)) / (2 * np.maximum(a, 8.0))
    return np.copysign(np.where(a < 8, value, series), x)


def _dawsn_gradient(g: Any, out: Any, x: Any) -> Sequence[Any]:
    """1 - 2 x D(x); where that cancels, minus the second term of the asymptotic series on, over x^2."""
    w = 0.5 / sqr(switch(lt(abs_(x), 9), like(9.0, x), x))
    series: Any = like(0.0, x)
    for k in range(14, 0, -1):
        series = (series + math.prod(range(1, 2 * k, 2))) * w
    return (g * switch(lt(abs_(x), 9), 1 - 2 * x * out, -series),)


DAWSN = real_row("dawsn", _dawsn, _numpy_dawsn, _dawsn_gradient, ulp=64)
dawsn: Unary = unary(DAWSN, "Dawson's integral exp(-x ** 2) * integral of exp(t ** 2) from 0 to x.")

# -- exponential integrals -------------------------------------------------------------------------------------------
EULER = 0.57721566490153286061
EXP1_NEAR = tuple((-1.0) ** (k + 1) / (k * math.factorial(k)) for k in range(1, 22))  # of x


def _exp1(b: Any, x: Any) -> Any:
    """-gamma - log(x) + the power series up to 1, then e^-x / x times a Chebyshev sum of 1/x."""
    near = b.sub(b.mul(x, power_series(b, x, EXP1_NEAR)), b.add(b.call("log", x), EULER))
    inverse = b.div(1.0, x)
    middle, far = (chebyshev_sum(b, inverse, table) for table in (tables.EXP1_MIDDLE, tables.EXP1_FAR))
    scaled = b.mul(b.mul(b.select(b.lt(x, 4.0), middle, far), b.call("exp", b.neg(x))), inverse)
    value = b.select(b.le(x, 1.0), near, scaled)
    return b.select(b.lt(x, 0.0), math.nan, b.select(b.eq(x, 0.0), math.inf, value))


EXP1 = real_row(
    "exp1", _exp1, vectorised(lambda x: _python_expn(1.0, x)), lambda g, out, x: (-g * exp(-x) / x,), ulp=64,
    domain=(0.1, 20),
)  # fmt: skip
exp1: Unary = unary(EXP1, "The exponential integral E_1(x), of exp(-t) / t over t from x on; nan for x < 0, inf at 0.")

EXP_SINH = 4.6, 231  # the end of the nodes, and how many


def _expn_integral(n: Any, x: Any) -> Any:
    """e^x E_n(x), the integral of e^(-x t) (1 + t)^-n over t > 0 (DLMF 8.19.2), in the unit 1 / (x + n)."""
    places, weights = exp_sinh(*EXP_SINH)
    m, v, r = by_nodes(n, x, x + n)
    t = nodes(places) / r
    return sum_over(exp(-v * t - m * log1p(t)) * nodes(weights), axis=-1) / (x + n)


def _build_expn(n: Any, x: Any) -> Any:
    """The integral from x = 1 on; below by the recurrence (n - 1) E_n = e^-x - x E_(n-1), which makes its error
    small."""
    is_small = and_(lt(x, 1), ge(n, 1.5))
    lower = switch(is_small, maximum(n - 1, 1), maximum(n, 1))
    inside = minimum(maximum(x, 1e-300), 1e300)
    head = exp(-inside)
    value = switch(eq(lower, 1), exp1(inside), head * _expn_integral(lower, inside))
    value = switch(is_small, (head - inside * value) / switch(is_small, n - 1, 1.0), value)
    value = switch(eq(n, 0), exp(-x) / x, value)
    value = switch(eq(x, 0), switch(gt(n, 1), 1 / (switch(gt(n, 1), n, 2.0) - 1), math.inf), value)
    value = switch(gt(x, 1e300), 0.0, value)
    is_wrong = or_(lt(x, 0), or_(lt(n, 0), neq(floor(n), n)))
    return switch(or_(is_wrong, or_(isnan(x), isnan(n))), math.nan, value)


def _python_expn(n: float, x: float) -> float:
    """The power series below 1 (DLMF 8.19.8), else the continued fraction from its end (8.19.17)."""
    if math.isnan(n) or math.isnan(x) or n < 0 or x < 0 or n != math.floor(n):
        return math.nan
    if x == 0 or math.isinf(n):
        return 1 / (n - 1) if n > 1 else math.inf
    if x > 1e300:
        return 0.0
    if n == 0:
        return math.exp(-x) / x
    if x >= 1 or n > 150:
        f = 0.0
        for k in range(400, 0, -1):
            f = k * (n - 1 + k) / (x + n + 2 * k - f)
        return math.exp(-x) / (x + n - f)
    m = round(n)
    rest = math.fsum(-((-x) ** k) / ((k - m + 1) * math.factorial(k)) for k in range(25) if k != m - 1)
    psi = -EULER + math.fsum(1 / j for j in range(1, m))
    return rest + (-x) ** (m - 1) / math.factorial(m - 1) * (psi - math.log(x))


def _expn_gradient(g: Any, out: Any, n: Any, x: Any) -> Sequence[Any]:
    """-E_(n-1)(x), of E_0(x) itself -(1 + 1/x) e^-x / x."""
    slope = switch(ge(n, 1), expn(maximum(n - 1, 0), x), (1 + 1 / x) * out)
    return Undefined("exponential integrals have no gradient with respect to their order"), -g * slope


EXPN = defined_row("expn", _build_expn, _python_expn, _expn_gradient, ulp=1024, domain=(0.1, 20))


def expn(n: Any, x: Any) -> Any:
    """The exponential integral E_n(x), the integral of exp(-x t) / t ** n over t from 1 on, for whole n >= 0 and x >=
    0; nan for other operands.

    >>> expn([1, 2], 1.0).eval().round(6)
    array([0.219384, 0.148496])
    """
    return apply(EXPN, as_variable(n), as_variable(x))


# -- Owen's T function -----------------------------------------------------------------------------------------------
COUNT = 40  # nodes
PER_TWO_PI = 1 / (2 * math.pi)
CUT = 9.0  # e^(-CUT^2 / 2) is below the last place


def _by_legendre(h: Any, a: Any) -> Any:
    """The integral of e^(-h^2 (1 + t^2) / 2) / (1 + t^2) over t from 0 to a <= 1, over 2 pi."""
    end = minimum(a, CUT / maximum(h, 1e-300))
    places, weights = legendre(COUNT)
    u, e = by_nodes(h, end)
    square = sqr(e * nodes(places))
    total = sum_over(exp(sqr(u) * square * -0.5) / (square + 1) * nodes(weights), axis=-1)
    return total * end * exp(sqr(h) * -0.5) * PER_TWO_PI


def _build_owens_t(h: Any, a: Any) -> Any:
    """For a > 1 by T(h, a) = (Q(h) + Q(a h)) / 2 - Q(h) Q(a h) - T(a h, 1 / a), Q the upper tail, h >= 0."""
    u, v = abs_(h), abs_(a)
    is_steep = gt(v, 1)
    product = switch(eq(u, 0), 0.0, u * v)
    part = _by_legendre(switch(is_steep, minimum(product, 1e3), minimum(u, 1e3)), switch(is_steep, 1 / v, v))
    q, r = ndtr(-u), ndtr(-product)
    value = switch(is_steep, (q + r) * 0.5 - q * r - part, part)
    value = switch(or_(isnan(h), isnan(a)), math.nan, value)
    return switch(lt(a, 0), -value, value)


def _python_owens_t(h: float, a: float) -> float:
    """By composite Gauss rules for the integral over the angle."""
    if math.isnan(h) or math.isnan(a):
        return math.nan
    if abs(h) > 60 or a == 0:
        return 0.0 * a if math.isfinite(a) else 0.0
    end = math.atan(abs(a))
    x, w = legendre(24)
    pieces = 12 + int(4 * abs(h))
    total = 0.0
    for k in range(pieces):
        t = end * (k + x) / pieces
        total += float(np.sum(w * np.exp(-0.5 * (h / np.cos(t)) ** 2))) * end / pieces
    return math.copysign(total * PER_TWO_PI, a)


def _owens_t_gradient(g: Any, out: Any, h: Any, a: Any) -> Sequence[Any]:
    density = exp(sqr(h) * -0.5)
    root = like(math.sqrt(0.5), g)
    by_h = density * erf(a * h * root) * like(-0.5 / math.sqrt(2 * math.pi), g)
    return g * by_h, g * density * exp(sqr(a * h) * -0.5) / (sqr(a) + 1) * like(PER_TWO_PI, g)


OWENS_T = defined_row("owens_t", _build_owens_t, _python_owens_t, _owens_t_gradient, ulp=1024, domain=(-3, 3))
ROWS = (DAWSN, EXP1, EXPN, OWENS_T)


def owens_t(h: Any, a: Any) -> Any:
    """Owen's T function: the probability that X > h and 0 < Y < a X, X and Y standard normal.

    >>> owens_t([0.0, 1.0], 1.0).eval().round(6)
    array([0.125   , 0.066742])
    """
    return apply(OWENS_T, as_variable(h), as_variable(a))
