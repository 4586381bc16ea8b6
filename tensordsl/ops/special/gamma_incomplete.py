"""The regularised incomplete gamma functions P(a, x) and Q(a, x) = 1 - P(a, x): both sides of gamma distributions.

Method     Loops of one element, `codegen.scalar_ir.special.gamma`.
Derivative by a of the series and the fraction, term by term (R. Moore, "Algorithm AS 187: Derivatives of the incomplete
           gamma integral", Applied Statistics 31, 1982); of higher order moments of log t over the part of the
           distribution up to x, which are each other's derivatives.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from tensordsl.graph.variables import Op, apply
from tensordsl.ops.math.functions import exp, log
from tensordsl.ops.math.gamma import gammaln, polygamma, psi, tri_gamma
from tensordsl.ops.math.scalars import digamma, numpy_polygamma
from tensordsl.ops.operands import as_variable
from tensordsl.ops.special.beta import python_stirling_rest
from tensordsl.ops.special.chebyshev import loop_row
from tensordsl.ops.special.definitions import central_moment, constant_like, defined_row, legendre


def density(a: Any, x: Any) -> Any:
    """x^(a - 1) e^-x / gamma(a)"""
    return exp((a - 1) * log(x) - x - gammaln(a))


def _gradient(sign: float) -> Any:
    def gradient(g: Any, out: Any, a: Any, x: Any) -> Sequence[Any]:
        return g * apply(GAMMAINC_BY_A, a, x) * sign, g * density(a, x) * sign

    return gradient


def _gradient_by_a(g: Any, out: Any, a: Any, x: Any) -> Sequence[Any]:
    second = apply(GAMMAINC_MOMENT, a, x, j=2) - tri_gamma(a) * apply(GAMMAINC, a, x)
    return g * second, g * density(a, x) * (log(x) - psi(a))


def _moment_gradient(g: Any, out: Any, a: Any, x: Any, j: int) -> Sequence[Any]:
    """With M_j the moment: dM_j/da = M_(j+1) - j psi'(a) M_(j-1)."""
    by_a = apply(GAMMAINC_MOMENT, a, x, j=j + 1)
    if j:
        by_a = by_a - j * tri_gamma(a) * apply(GAMMAINC_MOMENT, a, x, j=j - 1)
    return g * by_a, g * density(a, x) * (log(x) - psi(a)) ** j


def _build_moment(a: Any, x: Any, j: int) -> Any:
    full = constant_like(central_moment(j, 0, lambda p, _: polygamma(p - 1, a)), x)
    return apply(MOMENT_PART, a, x, full, psi(a), constant_like(j, x))


# -- oracles ---------------------------------------------------------------------------------------------------------
MOST_TERMS = 1e5  # of the oracle's series


def python_gammainc(side: int, a: float, x: float) -> float:
    """By the series of P, or by the continued fraction of Q from its beginning (Lentz's algorithm)."""
    if not (a >= 0 and x >= 0 and a + x > 0 and min(a, x) < math.inf):
        return math.nan
    if x == 0 or a == math.inf:
        return float(side)
    if a == 0 or x == math.inf:
        return 1.0 - side
    if a > MOST_TERMS:
        lower = _python_part(a, x, 1.0, 0.0, 0.0)
        return lower if side == 0 else 1 - lower if x <= a else -_python_part(a, x, 0.0, 0.0, 0.0)
    scale = _python_prefix(a, x)
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


def _python_moment(a: float, x: float, j: int) -> float:
    if not (0 < a < 1e300 and x > 0):
        return 0.0
    full = float(central_moment(j, 0, lambda p, _: float(numpy_polygamma(np.float64(a), p - 1))))
    if x >= 1e300:
        return full
    if a < 100:
        return _python_sum(a, x, full, math.log(x) - digamma(a), j)
    # By the series of log a - psi(a), as the logarithms are large.
    return _python_sum(a, x, full, math.log(x / a) + 1 / (2 * a) + (1 - 1 / (10 * a * a)) / (12 * a * a), j)


def _python_part(a: float, x: float, full: float, mean: float, j: float) -> float:
    if not (0 < a < 1e300 and 0 < x < 1e300):
        return full if x >= 1e300 else 0.0
    return _python_sum(a, x, full, math.log(x) - mean, int(j))


def _python_sum(a: float, x: float, full: float, distance: float, j: int) -> float:
    """By Gauss rules for |log(t / x)|, in pieces that grow, on the side of x that is farther from a."""
    direction = 1.0 if x > a else -1.0
    places, weights = legendre(40)
    end = (45 + x) / a if direction < 0 else min(math.sqrt(90 / x), math.log1p(45 / x) + 1)
    ends = end * 2.0 ** np.arange(-60, 1)
    begins = np.concatenate([[0.0], ends[:-1]])
    v = direction * (begins[:, None] + (ends - begins)[:, None] * places)
    curve = np.where(abs(v) < 1e-4, v * v * (0.5 + v / 6 + v * v / 24), np.expm1(v) - v)
    height = np.exp((a - x) * v - x * curve) * (distance + v) ** j
    total = float(np.sum(height * weights * (ends - begins)[:, None]))
    part = total * _python_prefix(a, x)
    return full - part if direction > 0 else part


def _python_prefix(a: float, x: float) -> float:
    """x^a e^-x / gamma(a)"""
    if a < 10:
        return math.exp(a * math.log(x) - x - math.lgamma(a))
    u = (x - a) / a
    excess = sum((-u) ** k / k for k in range(2, 40)) if abs(u) < 0.1 else u - math.log(x / a)
    exponent = -a * excess - python_stirling_rest(a)
    return math.sqrt(a / (2 * math.pi)) * math.exp(exponent) if exponent > -745 else 0.0


# -- rows ------------------------------------------------------------------------------------------------------------
GAMMAINC, GAMMAINCC = (
    loop_row(
        name, name, partial(python_gammainc, side), _gradient(1.0 - 2 * side), ulp=1024,
        domain=(0.1, 20),
    )
    for side, name in enumerate(("gammainc", "gammaincc"))
)  # fmt: skip
GAMMAINC_BY_A = loop_row(
    "gammainc_by_a", "gammainc_by_a", lambda a, x: _python_moment(a, x, 1), _gradient_by_a, ulp=4096,
    domain=(0.1, 20),
)  # fmt: skip
GAMMAINC_MOMENT = defined_row(
    "gammainc_moment", _build_moment, _python_moment, _moment_gradient, ulp=65536, domain=(0.1, 20)
)  # fmt: skip
MOMENT_PART: Op = loop_row(
    "gammainc_moment_part", "gammainc_moment", _python_part, None,
    no_gradient="its parameters are those of a moment, which has a gradient of its own", ulp=65536, domain=(0.1, 20),
)  # fmt: skip
ROWS = (GAMMAINC, GAMMAINCC, GAMMAINC_BY_A, GAMMAINC_MOMENT, MOMENT_PART)


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
