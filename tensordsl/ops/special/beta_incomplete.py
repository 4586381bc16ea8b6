"""The regularised incomplete beta function I_x(a, b), the distribution function of beta distributions, and its inverse.

Method     Loops of one element, `codegen.scalar_ir.special.beta`.
Derivative by a and b of the fraction; of higher order moments of log t and log(1 - t) over the part of the
           distribution up to x, which are each other's derivatives.
Ref        A. DiDonato and A. Morris, "Significant digit computation of the incomplete beta function ratios", ACM TOMS
           18 (1992), equation 9; R. Boik and J. Robinson-Cox, "Derivatives of the incomplete beta function" (1998).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tensordsl.graph.variables import Op, apply
from tensordsl.ops.array.grids import xlogy
from tensordsl.ops.math.functions import exp, log, log1p
from tensordsl.ops.math.gamma import polygamma, psi, tri_gamma
from tensordsl.ops.math.scalars import digamma, numpy_polygamma
from tensordsl.ops.operands import as_variable
from tensordsl.ops.special.beta import log_beta, python_log_beta
from tensordsl.ops.special.chebyshev import loop_row
from tensordsl.ops.special.definitions import central_moment, constant_like, defined_row, legendre
from tensordsl.ops.special.logarithms import xlog1py


# -- derivatives -----------------------------------------------------------------------------------------------------
def _density(a: Any, b: Any, x: Any) -> Any:
    return exp(xlogy(a - 1, x) + xlog1py(b - 1, -x) - log_beta(a, b))


def _betainc_gradient(g: Any, out: Any, a: Any, b: Any, x: Any) -> Sequence[Any]:
    return g * apply(BETAINC_BY_A, a, b, x), g * apply(BETAINC_BY_B, a, b, x), g * _density(a, b, x)


def _betaincinv_gradient(g: Any, out: Any, a: Any, b: Any, p: Any) -> Sequence[Any]:
    """By the equation I_x(a, b) = p: 1 / density by p, -dI/da / density by a."""
    slope = g / _density(a, b, out)
    return -slope * apply(BETAINC_BY_A, a, b, out), -slope * apply(BETAINC_BY_B, a, b, out), slope


def _means(a: Any, b: Any) -> tuple[Any, Any]:
    """Of log t and log(1 - t)."""
    total = psi(a + b)
    return psi(a) - total, psi(b) - total


def _slopes_of_mean(a: Any, b: Any) -> tuple[Any, Any]:
    """The derivatives of the mean of log t by a and b."""
    total = tri_gamma(a + b)
    return tri_gamma(a) - total, -total


def _gradient_by_a(g: Any, out: Any, a: Any, b: Any, x: Any) -> Sequence[Any]:
    value, (by_a, by_b) = apply(BETAINC, a, b, x), _slopes_of_mean(a, b)
    second = apply(BETAINC_MOMENT, a, b, x, j=2, k=0) - by_a * value
    mixed = apply(BETAINC_MOMENT, a, b, x, j=1, k=1) - by_b * value
    return g * second, g * mixed, g * _density(a, b, x) * (log(x) - _means(a, b)[0])


def _gradient_by_b(g: Any, out: Any, a: Any, b: Any, x: Any) -> Sequence[Any]:
    value, (by_b, by_a) = apply(BETAINC, a, b, x), _slopes_of_mean(b, a)
    second = apply(BETAINC_MOMENT, a, b, x, j=0, k=2) - by_b * value
    mixed = apply(BETAINC_MOMENT, a, b, x, j=1, k=1) - by_a * value
    return g * mixed, g * second, g * _density(a, b, x) * (log1p(-x) - _means(a, b)[1])


def _moment_gradient(g: Any, out: Any, a: Any, b: Any, x: Any, j: int, k: int) -> Sequence[Any]:
    """With M_jk the moment: dM_jk/da = M_(j+1)k - j c' M_(j-1)k - k d' M_j(k-1), c and d the means."""

    def moment(j: int, k: int) -> Any:
        return apply(BETAINC_MOMENT, a, b, x, j=j, k=k) if min(j, k) >= 0 else 0.0

    (c_by_a, mixed), (d_by_b, _) = _slopes_of_mean(a, b), _slopes_of_mean(b, a)
    by_a = moment(j + 1, k) - j * c_by_a * moment(j - 1, k) - k * mixed * moment(j, k - 1)
    by_b = moment(j, k + 1) - j * mixed * moment(j - 1, k) - k * d_by_b * moment(j, k - 1)
    c, d = _means(a, b)
    factor: Any = _density(a, b, x)
    for n, difference in ((j, log(x) - c), (k, log1p(-x) - d)):
        factor = factor * difference**n if n else factor
    return g * by_a, g * by_b, g * factor


def _build_moment(a: Any, b: Any, x: Any, j: int, k: int) -> Any:
    def cumulant(p: int, q: int) -> Any:
        n = p + q - 1
        own: Any = (polygamma(n, a) if q == 0 else 0.0) + (polygamma(n, b) if p == 0 else 0.0)
        return own - polygamma(n, a + b)

    full = constant_like(central_moment(j, k, cumulant), x)
    return apply(MOMENT_PART, a, b, x, full, *_means(a, b), constant_like(j, x), constant_like(k, x))


# -- oracles ---------------------------------------------------------------------------------------------------------
def _python_betainc(a: float, b: float, x: float) -> float:
    """Lentz's algorithm on DLMF 8.17.22."""
    if not (a >= 0 and b >= 0 and 0 <= x <= 1) or a == b == 0 or a == b == math.inf:
        return math.nan
    if x == 0 or x == 1:
        return x
    if b == 0 or a == math.inf:
        return 0.0
    if a == 0 or b == math.inf:
        return 1.0
    if x * (a + b + 2) > a + 1:
        return 1 - _python_betainc_below(b, a, 1 - x, x)
    return _python_betainc_below(a, b, x, 1 - x)


def _python_betainc_below(a: float, b: float, x: float, y: float) -> float:
    log_y = math.log1p(-x) if x < 0.5 else math.log(y)
    exponent = a * math.log(x) + b * log_y - python_log_beta(a, b) - math.log(a)
    head = math.exp(exponent) if exponent < 709 else math.inf
    c, d, h = 1.0, 0.0, 1.0
    for m in range(1, 200_000):
        k, odd = divmod(m, 2)
        if odd:
            term = -(a + k) * (a + b + k) * x / ((a + 2 * k) * (a + 2 * k + 1))
        else:
            term = k * (b - k) * x / ((a + 2 * k - 1) * (a + 2 * k))
        d = 1 / ((1 + term * d) or 1e-300)
        c = (1 + term / c) or 1e-300
        h *= c * d
        if abs(c * d - 1) < 1e-16 and m > 4:
            break
    return head / h


def _python_betaincinv(a: float, b: float, p: float) -> float:
    """By bisection."""
    if not (a > 0 and b > 0 and 0 <= p <= 1) or math.inf in (a, b):
        return math.nan
    if p == 0 or p == 1:
        return p
    low, high = -740.0, 40.0
    for _ in range(100):
        middle = (low + high) / 2
        is_below = _python_betainc(a, b, 1 / (1 + math.exp(-middle)) if middle > -700 else math.exp(middle)) < p
        low, high = (middle, high) if is_below else (low, middle)
    return math.exp(low) / (1 + math.exp(low))


def _python_betainc_moment(a: float, b: float, x: float, j: int, k: int) -> float:
    """By Gauss rules for log(t / (1 - t)), in pieces that grow with the distance from x, on the side of it that is
    farther from the middle."""
    if not (0 < a < 1e300 and 0 < b < 1e300 and x > 0) or math.isnan(x):
        return 0.0
    psi_a, psi_b, psi_s = map(digamma, (a, b, a + b))

    def cumulant(p: int, q: int) -> float:
        at_a, at_b, at_s = (float(numpy_polygamma(np.float64(v), p + q - 1)) for v in (a, b, a + b))
        return (at_a if q == 0 else 0.0) + (at_b if p == 0 else 0.0) - at_s

    full = float(central_moment(j, k, cumulant))
    if x >= 1:
        return full
    return _python_part(a, b, x, full, psi_a - psi_s, psi_b - psi_s, float(j), float(k))


def _python_part(a: float, b: float, x: float, full: float, c: float, d: float, j: float, k: float) -> float:
    if not (0 < a < 1e300 and 0 < b < 1e300 and x > 0) or x >= 1:
        return full if x >= 1 else 0.0
    y = 1 - x
    if x * (a + b + 2) > a + 1:
        return full - _python_lower_part(b, a, y, x, d, c, k, j)
    return _python_lower_part(a, b, x, y, c, d, j, k)


def _python_lower_part(a: float, b: float, x: float, y: float, c: float, d: float, j: float, k: float) -> float:
    places, weights = legendre(40)
    log_x, log_y = (math.log(v) if v < 0.5 else math.log1p(-u) for u, v in ((y, x), (x, y)))
    ends = (45 - (a + b) * log_y) / a * 2.0 ** np.arange(-60, 1)
    begins = np.concatenate([[0.0], ends[:-1]])
    s = begins[:, None] + (ends - begins)[:, None] * places
    rest = np.log1p(x * np.expm1(-s))
    height = np.exp(-a * s - (a + b) * rest) * (log_x - s - rest - c) ** int(j) * (log_y - rest - d) ** int(k)
    total = float(np.sum(height * weights * (ends - begins)[:, None]))
    exponent = a * log_x + b * log_y - python_log_beta(a, b)
    return total * math.exp(exponent)


# -- rows ------------------------------------------------------------------------------------------------------------
PLACES: dict[str, Any] = {"domain": (0.1, 0.9)}
BETAINC = loop_row("betainc", "betainc", _python_betainc, _betainc_gradient, ulp=4096, **PLACES)
BETAINC_BY_A = loop_row(
    "betainc_by_a", "betainc_by_a", lambda a, b, x: _python_betainc_moment(a, b, x, 1, 0), _gradient_by_a,
    ulp=4096, **PLACES,
)  # fmt: skip
BETAINC_BY_B = loop_row(
    "betainc_by_b", "betainc_by_b", lambda a, b, x: _python_betainc_moment(a, b, x, 0, 1), _gradient_by_b,
    ulp=4096, **PLACES,
)  # fmt: skip
BETAINC_MOMENT = defined_row(
    "betainc_moment", _build_moment, _python_betainc_moment, _moment_gradient, ulp=65536, **PLACES
)  # fmt: skip
MOMENT_PART: Op = loop_row(
    "betainc_moment_part", "betainc_moment", _python_part, None,
    no_gradient="its parameters are those of a moment, which has a gradient of its own", ulp=65536, **PLACES,
)  # fmt: skip
BETAINCINV = loop_row(
    "betaincinv", "betaincinv", _python_betaincinv, _betaincinv_gradient, ulp=1e5, **PLACES
)  # fmt: skip
ROWS = (BETAINC, BETAINC_BY_A, BETAINC_BY_B, BETAINC_MOMENT, MOMENT_PART, BETAINCINV)


def betainc(a: Any, b: Any, x: Any) -> Any:
    """The regularised incomplete beta function I_x(a, b), the integral of t^(a - 1) (1 - t)^(b - 1) over t from 0 to
    x, divided by beta(a, b); a and b are not negative, x is in [0, 1], else nan.

    >>> betainc([0.5, 2.0], 2.0, 0.5).eval().round(6)
    array([0.883883, 0.5     ])
    """
    return apply(BETAINC, as_variable(a), as_variable(b), as_variable(x))


def betaincinv(a: Any, b: Any, p: Any) -> Any:
    """The x with betainc(a, b, x) = p; a and b are positive, p is in [0, 1], else nan.

    >>> betaincinv([0.5, 2.0], 2.0, 0.5).eval().round(6)
    array([0.120615, 0.5     ])
    """
    return apply(BETAINCINV, as_variable(a), as_variable(b), as_variable(p))
