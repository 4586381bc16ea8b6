"""The inverses of the incomplete gamma functions, and what programs write with these functions: chi2sf, gammal, gammau.

Method     Newton's method on log P or log Q as a function of log x, which is concave, so that it converges from
           everywhere (`codegen.scalar_ir.special.gamma`); for P up to 1/2, else for Q.
Ref        NIST DLMF 8.2; A. DiDonato and A. Morris, "Computation of the incomplete gamma function ratios and their
           inverse", ACM TOMS 12 (1986), for the first values.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from tensordsl.graph.variables import apply
from tensordsl.ops.math.gamma import gamma
from tensordsl.ops.operands import as_variable
from tensordsl.ops.special.chebyshev import loop_row
from tensordsl.ops.special.gamma_incomplete import GAMMAINC_BY_A, density, gammainc, gammaincc, python_gammainc


def _gradient(sign: float) -> Any:
    def gradient(g: Any, out: Any, a: Any, p: Any) -> Sequence[Any]:
        """By the equation P(a, x) = p: 1 / density by p, -dP/da / density by a."""
        slope = g / density(a, out)
        return -slope * apply(GAMMAINC_BY_A, a, out), slope * sign

    return gradient


def _python_inverse(is_lower: bool) -> Any:
    side = 0 if is_lower else 1

    def inverse(a: float, p: float) -> float:
        """By bisection."""
        if not (0 <= p <= 1 and 0 <= a < math.inf):
            return math.nan
        if a == 0 or p in (0, 1):
            return 0.0 if a == 0 or (p == 0) == is_lower else math.inf
        low, high = -745.0, 700.0
        for _ in range(90):
            middle = (low + high) / 2
            is_below = (python_gammainc(side, a, math.exp(middle)) < p) == is_lower
            low, high = (middle, high) if is_below else (low, middle)
        return math.exp(high)

    return inverse


GAMMAINCINV = loop_row(
    "gammaincinv", "gammaincinv", _python_inverse(True), _gradient(1.0), ulp=1e5, domain=(0.1, 0.9)
)  # fmt: skip
GAMMAINCCINV = loop_row(
    "gammainccinv", "gammainccinv", _python_inverse(False), _gradient(-1.0), ulp=1e5, domain=(0.1, 0.9)
)  # fmt: skip
ROWS = (GAMMAINCINV, GAMMAINCCINV)


def gammaincinv(a: Any, p: Any) -> Any:
    """The x with gammainc(a, x) = p; a is positive, p in [0, 1], else nan.

    >>> gammaincinv([1.0, 2.0], 0.5).eval().round(6)
    array([0.693147, 1.678347])
    """
    return apply(GAMMAINCINV, as_variable(a), as_variable(p))


def gammainccinv(a: Any, q: Any) -> Any:
    """The x with gammaincc(a, x) = q; a is positive, q in [0, 1], else nan.

    >>> gammainccinv([1.0, 2.0], 0.5).eval().round(6)
    array([0.693147, 1.678347])
    """
    return apply(GAMMAINCCINV, as_variable(a), as_variable(q))


def gammal(a: Any, x: Any) -> Any:
    """The lower incomplete gamma function, the integral of t^(a - 1) e^-t over t from 0 to x.

    >>> gammal([1.0, 2.0], 1.0).eval().round(6)
    array([0.632121, 0.264241])
    """
    return gammainc(a, x) * gamma(a)


def gammau(a: Any, x: Any) -> Any:
    """The upper incomplete gamma function, the integral of t^(a - 1) e^-t over t from x on.

    >>> gammau([1.0, 2.0], 1.0).eval().round(6)
    array([0.367879, 0.735759])
    """
    return gammaincc(a, x) * gamma(a)


def chi2sf(x: Any, k: Any) -> Any:
    """The probability that a chi-squared number of k degrees of freedom is above x.

    >>> chi2sf([1.0, 2.0], 2.0).eval().round(6)
    array([0.606531, 0.367879])
    """
    return gammaincc(as_variable(k) / 2, as_variable(x) / 2)
