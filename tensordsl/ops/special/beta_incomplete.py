"""The regularised incomplete beta function I_x(a, b), the distribution function of beta distributions, and its inverse.

Method     The continued fraction of DiDonato and Morris, from its end, by a loop; of x beyond a / (a + b) that of 1 -
           x.  The inverse by Newton's method on log I as a function of log(x / (1 - x)), which is concave, so that it
           converges from everywhere.
Derivative by a and b: of the fraction, by the same loop; it can be derived again.
Ref        A. DiDonato and A. Morris, "Significant digit computation of the incomplete beta function ratios", ACM TOMS
           18 (1992), equation 9; R. Boik and J. Robinson-Cox, "Derivatives of the incomplete beta function" (1998).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from tensordsl.graph.variables import apply
from tensordsl.ops.array.grids import xlogy
from tensordsl.ops.array.reduce import any as any_of
from tensordsl.ops.array.reduce import bound
from tensordsl.ops.control import loop_index, make_loop, parameter_like
from tensordsl.ops.math.comparisons import and_, eq, ge, gt, invert, isnan, le, lt, or_
from tensordsl.ops.math.elementwise import abs_, cast, ceil, clip, maximum, minimum, sqr, sqrt, switch
from tensordsl.ops.math.functions import erfcinv, exp, expm1, log, log1p, sigmoid
from tensordsl.ops.math.gamma import psi, tri_gamma
from tensordsl.ops.operands import as_variable
from tensordsl.ops.special.beta import (
    STIRLING_FROM,
    beta,
    log_beta,
    python_log_beta,
    stirling_rest,
)
from tensordsl.ops.special.definitions import as_doubles, defined_row
from tensordsl.ops.special.logarithms import xlog1py

STEPS, STEPS_PER_ROOT, MOST_STEPS = 40.0, 6.0, 2e5  # of the fraction: also so many for each sqrt(max(a, b))
NEWTON_STEPS, LONGEST_STEP, MOST_FALL = 60, 60.0, 300.0
CLOSE = 1e-8  # of a last step, as the error of the next would be its square


def _steps(*operands: Any) -> Any:
    """How many terms the largest parameter needs."""
    together = operands[0]
    for x in operands[1:]:
        together = maximum(together, x)
    largest = bound(switch(isnan(together), 0.0, clip(together, 0.0, 1e10)), tuple(range(together.type.ndim))).sum()
    return cast(clip(ceil(STEPS_PER_ROOT * sqrt(largest) + STEPS), 0.0, MOST_STEPS), "int64")


def _fraction(a: Any, b: Any, x: Any, y: Any, has_slopes: bool) -> tuple[Any, ...]:
    """F with I_x(a, b) = x^a y^b / (B(a, b) F), x <= a / (a + b), and dF/da, dF/db.  F_m = beta_m + alpha_(m+1) /
    F_(m+1) from m = n down to 0."""
    n = _steps(a, b)
    k, f, by_a, by_b = loop_index(), *(parameter_like(a) for _ in range(3))
    m = cast(n - k, "float64")
    c = a + 2 * m - 1
    alpha = (a + m - 1) / c * ((a + b + m - 1) / c) * m * (b - m) * sqr(x)
    d = c - 2  # of beta_(m-1)
    j = m - 1
    lam = a * y - b * x
    e, s = a + 2 * j + 1, lam + 1 + j * (1 + y)
    middle = switch(eq(j, 0), 0.0, j / switch(eq(j, 0), 1.0, d))
    partial = j + middle * (b - j) * x + (a + j) / e * s
    following = partial + alpha / f
    end = cast(n, "float64")
    start_e = a + 2 * end + 1
    start_middle = end / (a + 2 * end - 1)
    start_s = lam + 1 + end * (1 + y)
    start = end + start_middle * (b - end) * x + (a + end) / start_e * start_s
    if not has_slopes:
        (value,) = make_loop(n, k, [f], [start], [following])
        return (value,)
    down = switch(eq(j, 0), 0.0, middle / switch(eq(j, 0), 1.0, d))
    alpha_a = alpha * (1 / (a + m - 1) + 1 / (a + b + m - 1) - 2 / c)
    alpha_b = alpha / (a + b + m - 1) + (a + m - 1) / c * ((a + b + m - 1) / c) * m * sqr(x)
    partial_a = -down * (b - j) * x + (s + (a + j) * y) / e - (a + j) * s / sqr(e)
    partial_b = middle * x - (a + j) * x / e
    next_a = partial_a + (alpha_a - alpha / f * by_a) / f
    next_b = partial_b + (alpha_b - alpha / f * by_b) / f
    start_a = -start_middle / (a + 2 * end - 1) * (b - end) * x + (start_s + (a + end) * y) / start_e
    start_a = start_a - (a + end) * start_s / sqr(start_e)
    start_b = start_middle * x - (a + end) * x / start_e
    values: tuple[Any, ...] = make_loop(n, k, [f, by_a, by_b], [start, start_a, start_b], [following, next_a, next_b])
    return values


def _excess(u: Any) -> Any:
    """u - log(1 + u), u > -1, accurate near 0."""
    is_near = lt(abs_(u), 0.25)
    v = switch(is_near, u, 0.25)
    series: Any = (-1.0) ** 27 / 27
    for k in range(26, 1, -1):
        series = series * v + (-1.0) ** k / k
    return switch(is_near, sqr(v) * series, u - log1p(u))


def _prefix(a: Any, b: Any, x: Any, y: Any) -> Any:
    """x^a y^b / B(a, b); for large a and b by the distance from the middle: sqrt(a b / (2 pi (a + b))) exp(-a h(u) - b
    h(v)), h(u) = u - log(1 + u), u = -d / a, v = d / b, d = a y - b x."""
    is_large = ge(minimum(a, b), STIRLING_FROM)
    s, t = maximum(a, STIRLING_FROM), maximum(b, STIRLING_FROM)
    d = s * y - t * x
    exponent = -s * _excess(maximum(-d / s, -1.0)) - t * _excess(maximum(d / t, -1.0))
    rest = stirling_rest(s + t) - stirling_rest(s) - stirling_rest(t)
    large = sqrt(s / (2 * math.pi) * (t / (s + t))) * exp(exponent + rest)
    log_y = switch(lt(x, 0.5), log1p(-minimum(x, 0.5)), log(y))
    log_x = switch(lt(y, 0.5), log1p(-minimum(y, 0.5)), log(x))
    # Powers where gamma is finite: the errors of logarithms would count.
    is_small = lt(a + b, 150)
    p, q = switch(is_small, a, 1.0), switch(is_small, b, 1.0)
    by_powers = x**p * exp(q * log_y) / beta(p, q)
    by_logarithms = exp(a * log_x + b * log_y - log_beta(a, b))
    return switch(is_large, large, switch(is_small, by_powers, by_logarithms))


def _sides(a: Any, b: Any, x: Any) -> tuple[Any, ...]:
    """Operands exchanged where x is beyond the middle: (is_beyond, a, b, x, 1 - x)."""
    y = 1 - x
    is_beyond = gt(x * (a + b + 2), a + 1)
    sides = ((a, b), (b, a), (x, y), (y, x))
    return is_beyond, *(switch(is_beyond, other, one) for one, other in sides)


def _inside(a: Any, b: Any, x: Any) -> tuple[Any, Any, Any, Any]:
    """(is x within (0, 1), and are a, b positive and finite; operands that are so)."""
    is_inside = and_(and_(gt(x, 0), lt(x, 1)), and_(and_(gt(a, 0), gt(b, 0)), lt(maximum(a, b), 1e300)))
    p, q, z = (switch(is_inside, v, 0.5) for v in (a, b, x))
    return is_inside, maximum(p, 1e-300), maximum(q, 1e-300), z


def _build_betainc(a: Any, b: Any, x: Any) -> Any:
    is_inside, p, q, z = _inside(a, b, x)
    is_beyond, p, q, z, w = _sides(p, q, z)
    part = _prefix(p, q, z, w) / _fraction(p, q, z, w, False)[0]
    value = switch(is_beyond, maximum(1 - part, 0.0), minimum(part, 1.0))
    # At the ends, and the limits of distributions that are one point.
    is_zero = or_(eq(x, 0), and_(or_(eq(b, 0), eq(a, math.inf)), lt(x, 1)))
    is_one = or_(eq(x, 1), and_(or_(eq(a, 0), eq(b, math.inf)), gt(x, 0)))
    edge = switch(is_zero, 0.0, switch(is_one, 1.0, math.nan))
    both = or_(and_(eq(a, 0), eq(b, 0)), and_(eq(a, math.inf), eq(b, math.inf)))
    is_defined = and_(and_(ge(a, 0), ge(b, 0)), and_(and_(ge(x, 0), le(x, 1)), invert(both)))
    return switch(is_inside, value, switch(is_defined, edge, math.nan))


def _betainc_slopes(a: Any, b: Any, x: Any) -> tuple[Any, Any]:
    """The derivatives by a and b: I (log x + psi(a + b) - psi(a) - F_a / F), and likewise by b."""
    is_inside, p, q, z = _inside(*as_doubles(a, b, x))
    is_beyond, p, q, z, w = _sides(p, q, z)
    f, f_p, f_q = _fraction(p, q, z, w, True)
    part, total = _prefix(p, q, z, w) / f, psi(p + q)
    log_z = switch(lt(w, 0.5), log1p(-minimum(w, 0.5)), log(z))
    log_w = switch(lt(z, 0.5), log1p(-minimum(z, 0.5)), log(w))
    by_p = part * (log_z + total - psi(p) - f_p / f)
    by_q = part * (log_w + total - psi(q) - f_q / f)
    return (
        switch(is_inside, switch(is_beyond, -by_q, by_p), 0.0),
        switch(is_inside, switch(is_beyond, -by_p, by_q), 0.0),
    )


def _density(a: Any, b: Any, x: Any) -> Any:
    return exp(xlogy(a - 1, x) + xlog1py(b - 1, -x) - log_beta(a, b))


def _betainc_gradient(g: Any, out: Any, a: Any, b: Any, x: Any) -> Sequence[Any]:
    by_a, by_b = _betainc_slopes(a, b, x)
    return g * by_a, g * by_b, g * _density(a, b, x)


# -- the inverse -----------------------------------------------------------------------------------------------------
def _build_betaincinv(a: Any, b: Any, p: Any) -> Any:
    """x = sigmoid(u) where p is below that of the mean, else 1 - x from 1 - p.  The first u is that of the tail's
    first term, x^a / (a B(a, b)) = p, or of the normal distribution with the mean and the deviation of u."""
    is_inside, a_, b_, p_ = _inside(a, b, p)
    is_upper = gt(p_, apply(BETAINC, a_, b_, a_ / (a_ + b_)))
    s, t = switch(is_upper, b_, a_), switch(is_upper, a_, b_)
    q = switch(is_upper, 1 - p_, p_)
    log_q = log(q)
    log_x = minimum((log_q + log(s) + log_beta(s, t)) / s, -1e-17)
    tail = log_x - log(-expm1(log_x))
    z = erfcinv(2 * q) * math.sqrt(2)
    normal = psi(s) - psi(t) - z * sqrt(tri_gamma(s) + tri_gamma(t))
    is_normal = or_(gt(log_x, -0.7), and_(gt(minimum(s, t), 1), gt(q, 1e-10)))
    first = clip(switch(is_normal, normal, tail), -740.0, 40.0)
    lowest = log(s / MOST_FALL)  # I, which is like (1 + e^-u)^-s, must not underflow
    k, u = loop_index(), parameter_like(a)
    x, y = sigmoid(u), sigmoid(-u)
    x = maximum(x, 1e-308)
    value = apply(BETAINC, s, t, x)
    below = maximum(value, 1e-308)
    step = (log(below) - log_q) * below / maximum(_prefix(s, t, x, y), 1e-308)
    floor = minimum(u - minimum(LONGEST_STEP, MOST_FALL / s), lowest)
    following = clip(maximum(u - maximum(step, -LONGEST_STEP), floor), -740.0, 40.0)
    moved = any_of(gt(abs_(following - u), CLOSE * (1 + abs_(u))))
    _, u = make_loop(as_variable(NEWTON_STEPS), k, [u], [first], [following], condition=invert(moved))
    small = exp(u) / (1 + exp(u))
    value = switch(is_upper, 1 / (1 + exp(u)), small)
    edge = switch(eq(p, 0), 0.0, switch(eq(p, 1), 1.0, math.nan))
    is_edge = and_(gt(minimum(a, b), 0), lt(maximum(a, b), math.inf))
    return switch(is_inside, value, switch(is_edge, edge, math.nan))


def _betaincinv_gradient(g: Any, out: Any, a: Any, b: Any, p: Any) -> Sequence[Any]:
    """By the equation I_x(a, b) = p: 1 / density by p, -dI/da / density by a."""
    slope = g / _density(a, b, out)
    by_a, by_b = _betainc_slopes(a, b, out)
    return -slope * by_a, -slope * by_b, slope


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


# -- rows ------------------------------------------------------------------------------------------------------------
BETAINC = defined_row("betainc", _build_betainc, _python_betainc, _betainc_gradient, ulp=4096, domain=(0.1, 0.9))
BETAINCINV = defined_row(
    "betaincinv", _build_betaincinv, _python_betaincinv, _betaincinv_gradient, ulp=1e5, domain=(0.1, 0.9)
)  # fmt: skip
ROWS = (BETAINC, BETAINCINV)


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
