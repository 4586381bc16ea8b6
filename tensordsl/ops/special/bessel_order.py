"""Bessel functions of every real order: J, I and K, the modified ones also without their exponential.

Method     Integrals by constant nodes, a reduction over these.  K_v(x) = 1/2 e^E times the integral over all s of
           exp(-(w - v) (cosh(s) - 1) - v (e^s - 1 - s)), w = sqrt(x^2 + v^2): its integrand in t = s + arcsinh(v / x),
           where it is largest, so that nothing cancels; trapezoids are exact to the last place there.  I from K by the
           Wronskian and the continued fraction of I_(v+1) / I_v.  J by Schläfli's integral on a path on which the
           integrand is real and falls.
Derivative by the order: the same integrals with t in front; for I the derivative of the Wronskian.
Ref        NIST DLMF 10.32.9, 10.28.2, 10.33.1 (I, K), 10.9.17, 10.20(iii) (J); G. Watson, "A treatise on the theory of
           Bessel functions" (1944), 8.31 (the path).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tensordsl.graph.variables import apply
from tensordsl.ops.array.creation import arange
from tensordsl.ops.array.reduce import bound
from tensordsl.ops.array.reduce import sum as sum_over
from tensordsl.ops.control import loop_index, make_loop, parameter_like
from tensordsl.ops.cotangents import Undefined
from tensordsl.ops.math.comparisons import and_, eq, ge, gt, invert, isnan, le, lt, neq, or_
from tensordsl.ops.math.elementwise import (
    abs_,
    cast,
    ceil,
    clip,
    floor,
    maximum,
    minimum,
    reciprocal,
    sgn,
    sqr,
    sqrt,
    switch,
)
from tensordsl.ops.math.functions import arccosh, arcsinh, cos, cosh, exp, expm1, log, sigmoid, sin, sinh
from tensordsl.ops.math.gamma import gamma, gammaln, psi
from tensordsl.ops.math.ufuncs import hypot
from tensordsl.ops.operands import as_variable
from tensordsl.ops.special.beta import parity
from tensordsl.ops.special.definitions import by_nodes, defined_row, legendre, nodes

COUNT, MOMENT_COUNT = 112, 192  # nodes of K and of its derivatives
FALL = 40.0  # e^-FALL is below the last place
SMALLEST = 1e-4  # below, K is given by the first terms of its series
SERIES_BELOW, SERIES_TERMS = 0.5, 14  # of e^s - 1 - s
CURVE = tuple(1 / math.factorial(k + 2) for k in range(SERIES_TERMS))
LARGE, HANKEL_TERMS = 1e4, 16  # from here on I of low orders by its asymptotic series
MOST_STEPS, FIRST_STEPS, STEPS_PER_ROOT = 1e5, 30.0, 6.5  # of the continued fraction


def largest(x: Any) -> Any:
    """The largest element that is a number, at most 1e9; a scalar."""
    return bound(switch(isnan(x), 0.0, clip(x, 0.0, 1e9)), tuple(range(x.type.ndim))).sum()


def _polynomial(coefficients: Sequence[float], x: Any) -> Any:
    result: Any = coefficients[-1]
    for c in coefficients[-2::-1]:
        result = result * x + c
    return result


# -- K ---------------------------------------------------------------------------------------------------------------
def _k_parts(v: Any, x: Any, moment: int = 0) -> tuple[Any, Any]:
    """(B, S) with e^x K_v(x) = B^v S, or its derivative by v for moment 1; v >= 0, x > 0.  A power, as the error of its
    exponent in e^(v log B) would count."""
    w = hypot(x, v)
    less = x * (x / (w + v))  # w - v
    width = FALL / maximum(v, 1e-300)
    right = arccosh(1 + FALL / w)
    left = minimum(arccosh(1 + FALL / maximum(less, 1e-300)), width / 2 + sqrt(sqr(width / 2) + 2 * width))
    count = MOMENT_COUNT if moment else COUNT
    h = (left + right) / (count - 1)
    v_, less_, h_, left_, start = by_nodes(v, less, h, left, arcsinh(v / x))
    s = h_ * nodes(np.arange(count)) - left_
    is_small = lt(abs_(s), SERIES_BELOW)
    u = switch(is_small, s, SERIES_BELOW)
    curve = switch(is_small, sqr(u) * _polynomial(CURVE, u), expm1(s) - s)
    integrand = exp(-less_ * (sqr(sinh(s * 0.5)) * 2) - v_ * curve)
    if moment:
        integrand = integrand * (s + start) ** moment
    return (v + w) / x * exp(-v / (x + w)), sum_over(integrand, axis=-1) * h * 0.5


def _k_near_zero(v: Any, x: Any) -> Any:
    """e^x K_v(x) to the second order in z = x^2 / 4 (DLMF 10.27.4, 10.25.2).

    With L = log(2 / x) + (log gamma(1 + u) - log gamma(1 - u)) / (2 u), q = 1 / (1 - u^2), C = sqrt(pi u / sin(pi u)):
    v < 1/2, u = v:       C (sinh(u L) / u (1 + z q) + z q cosh(u L))
    v < 3/2, u = v - 1:   C / x (e^(u L) (1 + z q (1 + u)) - 2 z q (sinh(u L) / u + cosh(u L))), from K_v - v/x K_v'
    above:                gamma(v) (2 / x)^v / 2 (1 + z / (1 - v)) + gamma(-v) (x / 2)^v / 2
    """
    logarithm, z = math.log(2) - log(x), sqr(x * 0.5)
    is_low, is_middle = lt(v, 0.5), lt(v, 1.5)
    u = switch(is_low, v, switch(is_middle, v - 1, 0.25))
    size = maximum(abs_(u), 1e-9)
    ratio = (gammaln(1 + size) - gammaln(1 - size)) / (2 * size)
    ratio = switch(lt(size, 1e-4), -0.57721566490153286 - 0.40068563438653143 * sqr(size), ratio)
    q, angle = 1 / (1 - sqr(u)), size * (logarithm + ratio)
    factor, odd, even = sqrt(math.pi * size / sin(math.pi * size)), sinh(angle) / size, cosh(angle)
    low = factor * (odd * (1 + z * q) + z * q * even)
    signed = switch(lt(u, 0), -angle, angle)
    middle = factor / x * (exp(signed) * (1 + z * q * (1 + u)) - 2 * z * q * (odd + even))
    t = switch(is_middle, 1.75, v)
    is_large = gt(t, 150)
    power = gamma(switch(is_large, 1.75, t)) * (2 / x) ** switch(is_large, 1.75, t)
    high = 0.5 * switch(is_large, exp(gammaln(t) + t * logarithm), power) * (1 + z / (1 - t))
    other = minimum(t, 1.9)
    high = high + switch(lt(t, 1.9), 0.5 * gamma(-other) * (x * 0.5) ** other, 0.0)
    return switch(is_low, low, switch(is_middle, middle, high)) * exp(x)


def _k_scaled(v: Any, x: Any) -> Any:
    """e^x K_v(x), x > 0."""
    inside = clip(x, SMALLEST, 1e300)
    base, total = _k_parts(v, inside)
    return switch(lt(x, SMALLEST), _k_near_zero(v, clip(x, 5e-324, SMALLEST)), base**v * total)


def _build_k(is_scaled: bool) -> Any:
    def build(v: Any, x: Any) -> Any:
        a = abs_(v)
        inside = clip(x, SMALLEST, 1e300)
        a = minimum(a, 1e150)
        base, total = _k_parts(a, inside)
        if is_scaled:
            value = base**a * total
        else:  # e^-x within the power where that may overflow
            is_high = gt(a, 1)
            power = (base * switch(is_high, exp(-inside / maximum(a, 1)), 1.0)) ** a
            value = power * switch(is_high, 1.0, exp(-inside)) * total
        value = switch(lt(x, SMALLEST), _k_near_zero(minimum(a, 1e150), clip(x, 5e-324, SMALLEST)), value)
        value = switch(eq(x, 0), math.inf, switch(gt(x, 1e300), 0.0, value))
        return switch(or_(isnan(v), or_(isnan(x), lt(x, 0))), math.nan, value)

    return build


# -- I ---------------------------------------------------------------------------------------------------------------
def _ratio(v: Any, x: Any, has_slope: bool) -> tuple[Any, Any]:
    """I_(v+1) / I_v by its continued fraction 1 / (b_1 + 1 / (b_2 + ...)), b_k = 2 (v + k) / x, from its end; and the
    derivative by v.  The end is the ratio for large orders."""
    n = cast(clip(ceil(STEPS_PER_ROOT * sqrt(largest(x)) + FIRST_STEPS), 0.0, MOST_STEPS), "int64")
    k, f, d = loop_index(), parameter_like(x), parameter_like(x)
    order, scale = v + cast(n - k, "float64"), 2 / x
    following = reciprocal(order * scale + f)
    last = v + (cast(n, "float64") + 1)
    start = x / (last + sqrt(sqr(last) + sqr(x)))
    if not has_slope:
        (value,) = make_loop(n, k, [f], [start], [following])
        return value, value
    slope = -sqr(following) * (scale + d)
    start_slope = -start / sqrt(sqr(last) + sqr(x))
    value, derivative = make_loop(n, k, [f, d], [start, start_slope], [following, slope])
    return value, derivative


def _i_by_series(v: Any, x: Any) -> Any:
    """e^-x I_v(x) for large x: the sum of (-1)^k a_k(v) / x^k, over sqrt(2 pi x) (DLMF 10.40.1)."""
    total: Any = 1.0
    square, w = 4 * sqr(v), reciprocal(8 * x)
    for k in range(HANKEL_TERMS, 0, -1):
        total = 1 - total * (square - (2 * k - 1) ** 2) * w / k
    return total / sqrt(2 * math.pi * x)


def _i_near_zero(v: Any, x: Any) -> Any:
    """I_v(x) to the order z = x^2 / 4: (x / 2)^v / gamma(v + 1) (1 + z / (v + 1))."""
    is_large = gt(v, 150)
    u = switch(is_large, 1.0, v)
    half = x * 0.5
    value = half**u / gamma(1 + u)
    return switch(is_large, exp(v * log(half) - gammaln(1 + v)), value) * (1 + sqr(half) / (v + 1))


def _i_scaled(v: Any, x: Any, scaled_down: Any) -> Any:
    """I_v(x) e^-scaled_down of v >= 0, x > 0."""
    is_far, is_near = and_(gt(x, LARGE), lt(sqr(v), x)), lt(x, SMALLEST)
    far = _i_by_series(switch(is_far, v, 0.0), switch(is_far, x, LARGE))
    u = switch(or_(is_far, is_near), 1.0, x)
    base, total = _k_parts(v, u)
    above, upper = _k_parts(v + 1, u)
    r, _ = _ratio(v, u, False)
    value = exp(u - scaled_down) / base**v / (u * (upper * above * (above / base) ** v + r * total))
    value = switch(is_far, far * exp(x - scaled_down), value)
    return switch(is_near, _i_near_zero(v, minimum(x, SMALLEST)) * exp(-scaled_down), value)


def _build_i(is_scaled: bool) -> Any:
    def build(v: Any, x: Any) -> Any:
        """I_-v = I_v + 2/pi sin(v pi) K_v; of x < 0 for whole orders (-1)^v I_v(-x)."""
        u, a = abs_(v), abs_(x)
        inside = clip(a, 5e-324, 1e300)
        down = inside if is_scaled else inside * 0
        value = _i_scaled(minimum(u, 1e150), inside, down)
        is_whole = eq(floor(v), v)
        sine = sin((u - 2 * floor(u * 0.5)) * math.pi)
        kept = switch(is_whole, 0.0, sine) * (2 / math.pi)
        other = kept * _k_scaled(minimum(u, 1e150), inside) * exp(-inside - down)
        value = switch(and_(lt(v, 0), invert(is_whole)), value + other, value)
        at_zero = switch(eq(v, 0), 1.0, switch(or_(gt(v, 0), is_whole), 0.0, math.inf))
        value = switch(eq(a, 0), at_zero, value)
        value = switch(gt(a, 1e300), 0.0 if is_scaled else math.inf, value)
        value = switch(lt(x, 0), switch(is_whole, parity(v), math.nan) * value, value)
        return switch(or_(isnan(v), isnan(x)), math.nan, value)

    return build


def _i_by_order(v: Any, x: Any) -> Any:
    """The derivative of e^-x I_v(x) by v, x > 0: of 1 / (x (K_(v+1) + r K_v)) for v >= 0; below by the reflection."""
    u = minimum(abs_(v), 1e150)
    x = clip(x, 1e-150, 1e300)
    base, total = _k_parts(u, x)
    above, upper = _k_parts(u + 1, x)
    _, slope = _k_parts(u, x, 1)
    _, upper_slope = _k_parts(u + 1, x, 1)
    r, r_slope = _ratio(u, x, True)
    grown, power = above * (above / base) ** u, base**u
    below = upper * grown + r * total
    falling = upper_slope * grown + r_slope * total + r * slope
    positive = -falling / (power * x * sqr(below))
    angle = (u - 2 * floor(u * 0.5)) * math.pi
    k, k_slope = power * exp(-2 * x) * total, power * exp(-2 * x) * slope
    reflected = -(positive + 2 * cos(angle) * k + (2 / math.pi) * sin(angle) * k_slope)
    return switch(lt(v, 0), reflected, positive)


# -- J ---------------------------------------------------------------------------------------------------------------
PATH_COUNT = 160  # nodes of the path beyond the turning angle
POWER_TERMS = 30  # of the power series, which serves where x^2 / 4 <= v + 1
J_LARGE, ORDER_RATIO, J_TERMS = 25.0, 8.0, 36  # Hankel's series: x from here on, v^2 up to so many times x, terms
TANH_SINH_END, FIRST_NODES, NODES_PER_X, FARTHEST = 3.2, 100.0, 3.0, 1e5


def _turning_angle(q: Any) -> Any:
    """y with sin(y) / y = q, 0 < q <= 1, by Newton's method from the right side, where the difference is concave."""
    y = minimum(math.pi / (1 + q), sqrt(maximum(10 - sqrt(maximum(100 - 120 * (1 - q), 0.0)), 1e-30)))
    y = switch(lt(q, 0.2), math.pi / (1 + q), y)
    for _ in range(7):
        y = y - (sin(y) - q * y) / minimum(cos(y) - q, -1e-15)
    return clip(y, 0.0, math.pi)


def _to_pi(y: Any, q: Any) -> Any:
    """pi - y of the turning angle y; for small q, where the difference has lost digits, of the equation for itself."""
    w = math.pi - y
    is_small = lt(q, 0.5)
    u = switch(is_small, w, 1.0)
    for _ in range(2):
        u = u - (sin(u) - q * (math.pi - u)) / (cos(u) + q)
    return switch(is_small, u, w)


def _j_by_path(v: Any, x: Any, is_slope: bool) -> Any:
    """The integral of e^(x sinh(t) - v t) / (2 pi i) on the path from infinity - pi i to infinity + pi i on which the
    exponent is real: t = tau + i y, x cosh(tau) sin(y) = v y; where that gives no tau, between the turning angles, on
    the imaginary axis.  Its derivative by v has -t in front, and is integrated by parts."""
    q = v / x
    is_low = lt(q, 1)
    inside = switch(is_low, maximum(q, 1e-300), 0.5)
    angle = _turning_angle(inside)
    y0, rest = switch(is_low, angle, 0.0), switch(is_low, _to_pi(angle, inside), math.pi)
    n = cast(ceil(FIRST_NODES + NODES_PER_X * minimum(largest(switch(is_low, x, 0.0)), FARTHEST)), "int64")
    # Between the angles by the tanh-sinh rule.
    v_, x_, y_ = by_nodes(v, x, y0)
    step = 2 * TANH_SINH_END / (cast(n, "float64") - 1)
    u = cast(arange(n), "float64") * step - TANH_SINH_END
    inner = sinh(u) * (math.pi / 2)
    place = sigmoid(2 * inner)
    weight = step * (math.pi / 4) * cosh(u) / sqr(cosh(inner))
    y = y_ * place
    phase = x_ * sin(y) - v_ * y
    between = sum_over((y * sin(phase) if is_slope else cos(phase)) * weight, axis=-1) * y0
    # Beyond by y = y0 + (pi - y0) a^2: tau is like the root of y - y0.
    width = by_nodes(rest)[0]
    places, weights = legendre(PATH_COUNT)
    y = y_ + width * nodes(places**2)
    sine, cosine = maximum(sin(width * nodes(1 - places**2)), 1e-300), cos(y)  # sin(y) = sin(pi - y)
    c = maximum(v_ * y / (x_ * sine), 1.0)
    tau = arccosh(c)
    sinh_tau = sqrt((c - 1) * (c + 1))
    falling = exp(x_ * sinh_tau * cosine - v_ * tau)
    if is_slope:
        ratio = switch(lt(tau, 1e-8), 1.0, tau / switch(lt(tau, 1e-8), 1.0, sinh_tau))
        turn = switch(lt(y, 1e-3), y * (1 / 3), (sine - y * cosine) / sqr(sine))
        by_angle = (x_ * c * cosine - v_) * ratio * (v_ / x_) * turn - x_ * tau * sinh_tau * sine
        falling = falling * y * switch(gt(x_ * sinh_tau, 800), 0.0, by_angle)
    beyond = sum_over(falling * nodes(2 * places * weights), axis=-1) * rest
    return (between + beyond) * (1 / math.pi)


def _j_by_powers(v: Any, x: Any, is_slope: bool) -> Any:
    """The power series by Horner's rule, and its derivative beside it."""
    z, total, slope = sqr(x * 0.5), 1.0, 0.0
    for k in range(POWER_TERMS, 0, -1):
        factor = z / (k * (v + k))
        slope = factor * (total / (v + k) - slope)
        total = 1 - factor * total
    half = x * 0.5
    head = half**v / gamma(1 + v)
    is_large = gt(v, 100)
    head = switch(
        is_large,
        exp(v * log(half) - gammaln(1 + v)),
        half ** switch(is_large, 1.0, v) / gamma(1 + switch(is_large, 1.0, v)),
    )
    if not is_slope:
        return head * total
    return head * (total * (log(half) - psi(1 + v)) + slope)


def _j_by_hankel(v: Any, x: Any, is_slope: bool) -> Any:
    """sqrt(2 / (pi x)) (P cos(c) - Q sin(c)), c = x - (v / 2 + 1 / 4) pi (DLMF 10.17.3)."""
    square, w = 4 * sqr(v), reciprocal(8 * x)
    # sum of i^k a_k / x^k by Horner: s_k = 1 + i s_(k+1) (4 v^2 - (2 k + 1)^2) / (8 x (k + 1)), as (real, imaginary).
    re, im, re_slope, im_slope = 1.0, 0.0, 0.0, 0.0
    for k in range(J_TERMS - 1, -1, -1):
        c = (square - (2 * k + 1) ** 2) * w / (k + 1)
        d = 8 * v * w / (k + 1)
        re, im, re_slope, im_slope = 1 - c * im, c * re, -(c * im_slope + d * im), c * re_slope + d * re
    turn = (v - 4 * floor(v * 0.25)) * (math.pi / 2)
    # cos(x - v pi / 2 - pi / 4), sin likewise, by sums of what is exact for large x
    s, c = sin(x), cos(x)
    plus, minus = (s + c), (s - c)  # sqrt(2) cos(x - pi/4), sqrt(2) sin(x - pi/4)
    cosine, sine = plus * cos(turn) + minus * sin(turn), minus * cos(turn) - plus * sin(turn)
    scale = sqrt(1 / (math.pi * x))
    if not is_slope:
        return scale * (re * cosine - im * sine)
    return scale * (re_slope * cosine - im_slope * sine + (re * sine + im * cosine) * (math.pi / 2))


def _j_positive(v: Any, x: Any, is_slope: bool) -> Any:
    """v >= 0, x > 0; nan where the path would need too many nodes."""
    is_small = le(sqr(x) * 0.25, v + 1)
    is_large = and_(ge(x, J_LARGE), le(sqr(v), ORDER_RATIO * x))
    is_other = invert(or_(is_small, is_large))
    by_powers = _j_by_powers(switch(is_small, v, 1.0), switch(is_small, x, 1.0), is_slope)
    by_hankel = _j_by_hankel(switch(is_large, v, 1.0), switch(is_large, x, J_LARGE), is_slope)
    is_inside = and_(is_other, lt(x, FARTHEST))
    by_path = _j_by_path(switch(is_inside, v, 1.0), switch(is_inside, x, 2.0), is_slope)
    by_path = switch(is_inside, by_path, math.nan)
    return switch(is_small, by_powers, switch(is_large, by_hankel, by_path))


def _build_j(is_slope: bool) -> Any:
    def build(v: Any, x: Any) -> Any:
        """Whole orders: J_-n = (-1)^n J_n, J_n(-x) = (-1)^n J_n(x).  Other negative orders: by the two next ones above
        0."""
        u, a = abs_(v), abs_(x)
        inside = clip(a, 5e-324, 1e300)
        is_whole = eq(floor(v), v)
        value = _j_positive(minimum(u, 1e150), inside, is_slope)
        sign = switch(and_(is_whole, neq(lt(v, 0), lt(x, 0))), parity(v), 1.0)
        at_zero = switch(eq(v, 0), 1.0, 0.0)
        value = switch(eq(a, 0), 0.0 if is_slope else at_zero, switch(gt(a, 1e300), 0.0, value))
        is_wrong = and_(or_(lt(x, 0), lt(v, 0)), invert(is_whole))
        return switch(or_(is_wrong, or_(isnan(v), isnan(x))), math.nan, sign * value)

    return build


def _build_k_by_order(v: Any, x: Any, moment: int) -> Any:
    """The derivative of e^x K_v(x) by v, `moment` times."""
    a = minimum(abs_(v), 1e150)
    base, total = _k_parts(a, clip(x, 1e-150, 1e300), moment)
    value = base**a * total
    value = switch(lt(v, 0), -value, value) if moment % 2 else value
    return switch(or_(le(x, 0), or_(isnan(v), isnan(x))), math.nan, switch(gt(x, 1e300), 0.0, value))


def _build_i_by_order(v: Any, x: Any) -> Any:
    return switch(or_(le(x, 0), or_(isnan(v), isnan(x))), math.nan, _i_by_order(v, x))


# -- oracles: other integrals, power series ----------------------------------------------------------------------------


def _integral(f: Any, end: float, pieces: int = 1) -> float:
    """Of f from 0 to end by a composite Gauss rule."""
    places, weights = legendre(200)
    edges = np.linspace(0, end, pieces + 1)
    t = edges[:-1, None] + np.diff(edges)[:, None] * places
    return float(np.sum(f(t) * weights) * (end / pieces))


def _python_k(v: float, x: float, is_scaled: bool, moment: int = 0) -> float:
    """DLMF 10.32.9, by the exponent less its largest value."""
    if math.isnan(v) or math.isnan(x) or x < 0:
        return math.nan
    if x == 0 or x > 1e300:
        return math.inf if x == 0 else 0.0
    v, sign = abs(v), -1.0 if v < 0 and moment % 2 else 1.0
    peak = math.asinh(v / x)
    highest = v * peak - x * (math.cosh(peak) - 1) if peak < 700 else math.inf
    if highest > 1400:
        return math.inf
    end = peak + math.acosh(1 + 45 / math.hypot(v, x))

    def f(t: Any) -> Any:
        exponent = v * t - 2 * x * np.sinh(t / 2) ** 2 - highest
        return t**moment * (np.exp(exponent) + (-1) ** moment * np.exp(exponent - 2 * v * t)) / 2

    value = _integral(f, end, 12)
    down = highest if is_scaled else highest - x
    return sign * value * (math.exp(down) if down < 709 else math.inf)


def _python_i_positive(v: float, x: float) -> float:
    """e^-x I_v(x) by the power series or, for large x, the asymptotic one."""
    if x > max(700.0, v * v):
        total, term = 0.0, 1.0
        for k in range(20):
            total += term
            term *= -(4 * v * v - (2 * k + 1) ** 2) / (8 * x * (k + 1))
        return total / math.sqrt(2 * math.pi * x)
    # From the largest term in both directions.
    z, k = x * x / 4, 0
    k = max(0, int((-v + math.sqrt(v * v + x * x)) / 2))
    exponent = (v + 2 * k) * math.log(x / 2) - math.lgamma(k + 1) - math.lgamma(v + k + 1) - x
    total = term = 1.0
    for j in range(k + 1, k + 5000):
        term *= z / (j * (v + j))
        total += term
        if term < total * 1e-18:
            break
    term = 1.0
    for j in range(k, 0, -1):
        term *= j * (v + j) / z
        total += term
    return total * math.exp(exponent) if exponent > -745 else 0.0


def _python_i(v: float, x: float, is_scaled: bool) -> float:
    if math.isnan(v) or math.isnan(x):
        return math.nan
    is_whole = v == math.floor(v)
    if x == 0:
        return 1.0 if v == 0 else 0.0 if v > 0 or is_whole else math.inf
    sign = 1.0
    if x < 0:
        if not is_whole:
            return math.nan
        sign, x = -1.0 if v % 2 else 1.0, -x
    if x > 1e300:
        return sign * (0.0 if is_scaled else math.inf)
    value = _python_i_positive(abs(v), x)
    if v < 0 and not is_whole:
        turns = math.sin(math.pi * (-v - 2 * math.floor(-v / 2)))
        value += 2 / math.pi * turns * _python_k(v, x, True) * math.exp(-2 * x)
    return (
        sign
        * value
        * (1.0 if is_scaled else math.exp(x) if x < 709 else math.exp(x / 2) ** 2 if x < 1400 else math.inf)
    )


def _python_i_by_order(v: float, x: float) -> float:
    """The derivative of DLMF 10.32.4."""
    if not x > 0 or math.isnan(v):
        return math.nan
    first = (
        _integral(lambda t: t * np.exp(x * (np.cos(t) - 1)) * np.sin(v * t), math.pi, 1 + int(abs(v) / 40)) / math.pi
    )
    end = math.acosh(1 + 45 / x) + abs(v) / 40
    tail = [_integral(lambda t, m=m: t**m * np.exp(-x * (np.cosh(t) + 1) - v * t), end, 12) for m in (0, 1)]
    return -first - math.cos(v * math.pi) * tail[0] + math.sin(v * math.pi) / math.pi * tail[1]


def _python_j(v: float, x: float, is_slope: bool = False) -> float:
    """Schläfli's integral (DLMF 10.9.6), for small x the power series."""
    if math.isnan(v) or math.isnan(x):
        return math.nan
    is_whole = v == math.floor(v)
    if (v < 0 or x < 0) and not is_whole:
        return math.nan
    sign = -1.0 if (v < 0) != (x < 0) and v % 2 else 1.0
    v, x = abs(v), abs(x)
    if x == 0:
        return 1.0 if v == 0 and not is_slope else 0.0
    if x > 1e300:
        return 0.0
    if not is_slope and x * x / 4 <= 2 * (v + 1):
        exponent = v * math.log(x / 2) - math.lgamma(v + 1)
        term, terms = 1.0, [1.0]
        for k in range(1, 60):
            term *= -x * x / 4 / (k * (v + k))
            terms.append(term)
        return sign * math.fsum(terms) * (math.exp(exponent) if exponent > -745 else 0.0)
    if x > 1e5:
        return math.nan if not v * v <= 8 * x else sign * _python_hankel(v, x)
    pieces = 1 + int((x + v) / 60)
    if is_slope:
        head = _integral(lambda t: -t * np.sin(v * t - x * np.sin(t)), math.pi, pieces) / math.pi
    else:
        head = _integral(lambda t: np.cos(v * t - x * np.sin(t)), math.pi, pieces) / math.pi
    end = math.asinh(45 / x)
    tail = [_integral(lambda t, m=m: t**m * np.exp(-x * np.sinh(t) - v * t), end, 12) for m in (0, 1)]
    turns = math.sin(math.pi * (v - 2 * math.floor(v / 2)))
    if is_slope:
        return sign * (head - math.cos(math.pi * v) * tail[0] + turns / math.pi * tail[1])
    return sign * (head - turns / math.pi * tail[0])


def _python_hankel(v: float, x: float) -> float:
    total, term = 0j, 1 + 0j
    for k in range(12):
        total += term
        term *= 1j * (4 * v * v - (2 * k + 1) ** 2) / (8 * x * (k + 1))
    turn = complex(math.cos(math.pi / 2 * (v % 4)), -math.sin(math.pi / 2 * (v % 4)))
    wave = complex(math.cos(x) + math.sin(x), math.sin(x) - math.cos(x)) * turn
    return math.sqrt(1 / (math.pi * x)) * (total * wave).real


# -- rows ------------------------------------------------------------------------------------------------------------
def _over(v: Any, out: Any, x: Any) -> Any:
    """v out / x, at 0 its limit: 1/2 for the order 1."""
    return switch(eq(x, 0), switch(eq(abs_(v), 1), 0.5, 0.0), v * out / x)


def _kve_gradient(g: Any, out: Any, v: Any, x: Any) -> Sequence[Any]:
    return g * apply(KVE_BY_ORDER, v, x, moment=1), g * (out + v / x * out - kve(v + 1, x))


def _kv_gradient(g: Any, out: Any, v: Any, x: Any) -> Sequence[Any]:
    return g * exp(-x) * apply(KVE_BY_ORDER, v, x, moment=1), g * (v / x * out - kv(v + 1, x))


def _kve_by_order_gradient(g: Any, out: Any, v: Any, x: Any, moment: int) -> Sequence[Any]:
    below, above = (apply(KVE_BY_ORDER, order, x, moment=moment) for order in (v - 1, v + 1))
    return g * apply(KVE_BY_ORDER, v, x, moment=moment + 1), g * (out - (below + above) / 2)


def _ive_gradient(g: Any, out: Any, v: Any, x: Any) -> Sequence[Any]:
    return g * apply(IVE_BY_ORDER, v, x), g * (ive(v + 1, x) + _over(v, out, x) - sgn(x) * out)


def _iv_gradient(g: Any, out: Any, v: Any, x: Any) -> Sequence[Any]:
    return g * exp(x) * apply(IVE_BY_ORDER, v, x), g * (iv(v + 1, x) + _over(v, out, x))


def _ive_by_order_gradient(g: Any, out: Any, v: Any, x: Any) -> Sequence[Any]:
    above = apply(IVE_BY_ORDER, v + 1, x)
    return Undefined(TWICE.format("ive")), g * (above + v / x * out + ive(v, x) / x - out)


def _jv_gradient(g: Any, out: Any, v: Any, x: Any) -> Sequence[Any]:
    return g * apply(JV_BY_ORDER, v, x), g * (_over(v, out, x) - jv(v + 1, x))


def _jv_by_order_gradient(g: Any, out: Any, v: Any, x: Any) -> Sequence[Any]:
    above = apply(JV_BY_ORDER, v + 1, x)
    return Undefined(TWICE.format("jv")), g * (jv(v, x) / x + v / x * out - above)


TWICE = "{} has no second derivative with respect to its order"
OPERANDS: dict[str, Any] = {"ulp": 4096, "domain": (0.5, 10)}
KVE = defined_row("kve", _build_k(True), lambda v, x: _python_k(v, x, True), _kve_gradient, **OPERANDS)
KV = defined_row("kv", _build_k(False), lambda v, x: _python_k(v, x, False), _kv_gradient, **OPERANDS)
KVE_BY_ORDER = defined_row(
    "kve_by_order", _build_k_by_order, lambda v, x, moment: _python_k(v, x, True, moment), _kve_by_order_gradient,
    **OPERANDS,
)  # fmt: skip
IVE = defined_row("ive", _build_i(True), lambda v, x: _python_i(v, x, True), _ive_gradient, **OPERANDS)
IV = defined_row("iv", _build_i(False), lambda v, x: _python_i(v, x, False), _iv_gradient, **OPERANDS)
IVE_BY_ORDER = defined_row(
    "ive_by_order", _build_i_by_order, _python_i_by_order, _ive_by_order_gradient, **OPERANDS
)  # fmt: skip
JV = defined_row("jv", _build_j(False), _python_j, _jv_gradient, **OPERANDS)
JV_BY_ORDER = defined_row(
    "jv_by_order", _build_j(True), lambda v, x: _python_j(v, x, True), _jv_by_order_gradient, **OPERANDS
)  # fmt: skip
ROWS = (KVE, KV, KVE_BY_ORDER, IVE, IV, IVE_BY_ORDER, JV, JV_BY_ORDER)


def jv(v: Any, x: Any) -> Any:
    """The Bessel function of the first kind of real order v.  Of negative x and of negative orders only where the
    order is whole, else nan; nan too for x >= 1e5 where the order is above sqrt(8 x).

    >>> jv([0.5, 2.0], 1.0).eval().round(6)
    array([0.671397, 0.114903])
    """
    return apply(JV, as_variable(v), as_variable(x))


def iv(v: Any, x: Any) -> Any:
    """The modified Bessel function of the first kind of real order v; of negative x where the order is whole, else nan.

    >>> iv([0.5, 2.0], 1.0).eval().round(6)
    array([0.937675, 0.135748])
    """
    return apply(IV, as_variable(v), as_variable(x))


def ive(v: Any, x: Any) -> Any:
    """exp(-abs(x)) * iv(v, x), which does not overflow.

    >>> ive([0.5, 2.0], 1e4).eval().round(6)
    array([0.003989, 0.003989])
    """
    return apply(IVE, as_variable(v), as_variable(x))


def kv(v: Any, x: Any) -> Any:
    """The modified Bessel function of the second kind of real order v; nan for x < 0, inf at 0.

    >>> kv([0.5, 2.0], 1.0).eval().round(6)
    array([0.461069, 1.624839])
    """
    return apply(KV, as_variable(v), as_variable(x))


def kve(v: Any, x: Any) -> Any:
    """exp(x) * kv(v, x), which does not underflow.

    >>> kve([0.5, 2.0], 1e4).eval().round(6)
    array([0.012533, 0.012535])
    """
    return apply(KVE, as_variable(v), as_variable(x))
