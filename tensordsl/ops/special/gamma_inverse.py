"""The inverses of the incomplete gamma functions, and what programs write with these functions: chi2sf, gammal, gammau.

Method     Newton's method on log P or log Q as a function of log x, which is concave, so that it converges from
           everywhere; for P below its value at x = a, else for Q.
Ref        NIST DLMF 8.2; A. DiDonato and A. Morris, "Computation of the incomplete gamma function ratios and their
           inverse", ACM TOMS 12 (1986), for the first values.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from tensordsl.graph.variables import apply
from tensordsl.ops.array.reduce import any as any_of
from tensordsl.ops.control import loop_index, make_loop, parameter_like
from tensordsl.ops.math.comparisons import and_, eq, ge, gt, invert, le, lt
from tensordsl.ops.math.elementwise import abs_, clip, maximum, minimum, sqrt, switch
from tensordsl.ops.math.functions import erfcinv, exp, log
from tensordsl.ops.math.gamma import gamma, gammaln
from tensordsl.ops.math.gamma_incomplete import (
    GAMMAINC,
    GAMMAINCC,
    density,
    gammainc,
    gammaincc,
    slope_by_a,
)
from tensordsl.ops.operands import as_variable
from tensordsl.ops.special.definitions import defined_row

NEWTON_STEPS, LONGEST_STEP, MOST_FALL = 60, 60.0, 300.0
CLOSE = 1e-8  # of a last step, as the error of the next would be its square
SMALLEST = 5e-324


def _solve(a: Any, p: Any, q: Any) -> Any:
    """x with P(a, x) = p, Q(a, x) = q, p + q = 1, 0 < p, q, a."""
    is_lower = le(p, apply(GAMMAINC, a, a))
    small = switch(is_lower, p, q)
    log_small = log(small)
    # Left of the root: P <= x^a / gamma(a + 1); or by the cube root of a normal number.
    head = (log_small + gammaln(a + 1)) / a
    third = 1 - 1 / (9 * a) - erfcinv(2 * small) * math.sqrt(2) / (3 * sqrt(a))
    cube = switch(and_(gt(a, 0.5), gt(third, 0.3)), log(a) + 3 * log(maximum(third, 0.3)), head)
    # Right of it: Q <= exp(-(x - c - c log(x / c))), c = max(a, 1), by three steps of Newton's method for its root.
    c, fall = maximum(a, 1.0), maximum(-log_small, 1e-3)
    bound = c + sqrt(2 * c * fall) + fall
    for _ in range(3):
        bound = bound - (bound - c - c * log(bound / c) - fall) / (1 - c / bound)
    k, u = loop_index(), parameter_like(a)
    x = exp(u)
    value = maximum(switch(is_lower, apply(GAMMAINC, a, x), apply(GAMMAINCC, a, x)), SMALLEST)
    step = (log(value) - log_small) * value / maximum(density(a, x) * a, SMALLEST)
    step = clip(switch(is_lower, step, -step), -LONGEST_STEP, minimum(LONGEST_STEP, MOST_FALL / a))
    # Far down log P is linear in u: there the first value is the solution.
    following = switch(and_(is_lower, lt(head, -40.0)), head, clip(u - step, -745.0, 700.0))
    first = switch(is_lower, maximum(head, cube), log(bound))
    moved = any_of(gt(abs_(following - u), CLOSE * (1 + abs_(u))))
    _, u = make_loop(as_variable(NEWTON_STEPS), k, [u], [first], [following], condition=invert(moved))
    return exp(u)


def _build(is_lower: bool) -> Any:
    def build(a: Any, p: Any) -> Any:
        is_inside = and_(and_(gt(p, 0), lt(p, 1)), and_(gt(a, 0), lt(a, 1e300)))
        s, t = switch(is_inside, a, 1.0), switch(is_inside, p, 0.5)
        value = _solve(s, t, 1 - t) if is_lower else _solve(s, 1 - t, t)
        zero, one = (0.0, math.inf) if is_lower else (math.inf, 0.0)
        edge = switch(eq(p, 0), zero, switch(eq(p, 1), one, math.nan))
        edge = switch(and_(eq(a, 0), and_(ge(p, 0), le(p, 1))), 0.0, edge)
        return switch(is_inside, value, switch(and_(ge(a, 0), lt(a, math.inf)), edge, math.nan))

    return build


def _gradient(sign: float) -> Any:
    def gradient(g: Any, out: Any, a: Any, p: Any) -> Sequence[Any]:
        """By the equation P(a, x) = p: 1 / density by p, -dP/da / density by a."""
        slope = g / exp((a - 1) * log(out) - out - gammaln(a))
        return -slope * slope_by_a(a, out), slope * sign

    return gradient


def _python_inverse(is_lower: bool) -> Any:
    row = GAMMAINC if is_lower else GAMMAINCC

    def inverse(a: float, p: float) -> float:
        """By bisection."""
        if not (0 <= p <= 1 and 0 <= a < math.inf):
            return math.nan
        if a == 0 or p in (0, 1):
            return 0.0 if a == 0 or (p == 0) == is_lower else math.inf
        assert row.oracle is not None
        low, high = -745.0, 700.0
        for _ in range(90):
            middle = (low + high) / 2
            is_below = (float(row.oracle(a, math.exp(middle))) < p) == is_lower
            low, high = (middle, high) if is_below else (low, middle)
        return math.exp(high)

    return inverse


GAMMAINCINV = defined_row(
    "gammaincinv", _build(True), _python_inverse(True), _gradient(1.0), ulp=1e5, domain=(0.1, 0.9)
)  # fmt: skip
GAMMAINCCINV = defined_row(
    "gammainccinv", _build(False), _python_inverse(False), _gradient(-1.0), ulp=1e5, domain=(0.1, 0.9)
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
