"""Hurwitz' zeta function, the sum of (q + k)^-s over k >= 0, and Riemann's, which is that for q = 1, of every real s.

Method     Euler and Maclaurin: N terms of the sum, the integral of the rest and some corrections; Riemann's by a loop
           of one element, `codegen.scalar_ir.special.zeta`.
Derivative by q: -s zeta(s + 1, q); by s: of the same sums, term by term; for s < 0 of Riemann's equation.
Ref        NIST DLMF 25.11.5, 25.11.20, 25.4.1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from tensordsl.graph.variables import apply
from tensordsl.ops.math.comparisons import and_, eq, gt, isnan, le, lt, neq, or_
from tensordsl.ops.math.elementwise import clip, floor, switch
from tensordsl.ops.math.functions import cos, exp, log, sin
from tensordsl.ops.math.gamma import gammaln, psi
from tensordsl.ops.operands import as_variable
from tensordsl.ops.special.chebyshev import loop_row
from tensordsl.ops.special.definitions import as_doubles, constant_like, defined_row

N = 12
# B_2k / (2k)!
CORRECTIONS = (
    1 / 12, -1 / 720, 1 / 30240, -1 / 1209600, 1 / 47900160, -691 / 1307674368000, 1 / 74724249600,
    -3617 / 10670622842880000, 43867 / 5109094217170944000, -174611 / 802857662698291200000,
)  # fmt: skip
LARGEST_EXPONENT = 1e6  # beyond, only the first term counts


def _sums(s: Any, q: Any) -> tuple[Any, Any]:
    """zeta(s, q) and its derivative by s, s > 1, q > 0."""
    total, slope = 0.0, 0.0
    for k in reversed(range(N)):
        power = (q + float(k)) ** -s
        total, slope = total + power, slope - log(q + float(k)) * power
    t = q + float(N)
    power, logarithm = t**-s, log(t)
    factor, factor_slope = s / t, 1 / t  # (s)_(2k - 1) / t^(2k - 1), and its derivative
    rest, rest_slope = 0.5 + t / (s - 1), -t / ((s - 1) * (s - 1))
    for k, c in enumerate(CORRECTIONS):
        rest, rest_slope = rest + c * factor, rest_slope + c * factor_slope
        first, second = s + float(2 * k + 1), s + float(2 * k + 2)
        ratio, ratio_slope = (first / t) * (second / t), (first + second) / t / t
        factor, factor_slope = factor * ratio, factor_slope * ratio + factor * ratio_slope
    return total + power * rest, slope + power * (rest_slope - logarithm * rest)


def _inside(s: Any, q: Any) -> tuple[Any, Any, Any]:
    is_inside = and_(gt(s, 1), and_(gt(q, 0), lt(q, 1e300)))
    return is_inside, clip(switch(is_inside, s, 2.0), 1.0, LARGEST_EXPONENT), switch(is_inside, q, 1.0)


def _build(s: Any, q: Any) -> Any:
    is_inside, t, r = _inside(s, q)
    value = switch(gt(s, LARGEST_EXPONENT), r ** -switch(is_inside, s, 2.0), _sums(t, r)[0])
    is_pole = or_(eq(s, 1), and_(le(q, 0), eq(floor(q), q)))
    edge = switch(is_pole, math.inf, switch(gt(q, 1), 0.0, math.nan))
    is_defined = and_(and_(or_(gt(s, 1), eq(s, 1)), or_(gt(q, 0), eq(floor(q), q))), neq(q, -math.inf))
    value = switch(is_inside, value, switch(is_defined, edge, math.nan))
    return switch(or_(isnan(s), isnan(q)), math.nan, value)


def _gradient(g: Any, out: Any, s: Any, q: Any) -> Sequence[Any]:
    is_inside, t, r = _inside(*as_doubles(s, q))
    return g * switch(is_inside, _sums(t, r)[1], math.nan), -g * s * zeta(s + 1, q)


def _python_zeta(s: float, q: float) -> float:
    if math.isnan(s) or math.isnan(q) or s < 1 or q == -math.inf or (q <= 0 and q != math.floor(q)):
        return math.nan
    if s == 1 or q <= 0:
        return math.inf
    if q >= 1e300:
        return 0.0
    if s > 1e5:
        return _python_power(q, -s)
    t = q + 30
    rest = 0.5 + t / (s - 1)
    factor = s / t
    for k, c in enumerate(CORRECTIONS):
        rest += c * factor
        factor *= (s + 2 * k + 1) * (s + 2 * k + 2) / (t * t)
    return math.fsum([*(_python_power(q + k, -s) for k in range(30)), _python_power(t, -s) * rest])


def _python_power(x: float, y: float) -> float:
    try:
        return float(x**y)
    except OverflowError:
        return math.inf


ZETA = defined_row("zeta", _build, _python_zeta, _gradient, ulp=64, domain=(1.5, 20))


# -- Riemann's -------------------------------------------------------------------------------------------------------
REFLECTED_BELOW = -0.5  # s


def _riemann_gradient(g: Any, out: Any, s: Any) -> Sequence[Any]:
    (x,) = as_doubles(s)
    is_low = lt(x, REFLECTED_BELOW)
    t, u = switch(is_low, 2.0, x), switch(is_low, 1 - x, 2.0)
    one = constant_like(1.0, x)
    _, slope = _sums(t, one)
    value, other = _sums(u, one)
    # With A = 2 (2 pi)^(s - 1) gamma(1 - s): zeta(s) = A sin(pi s / 2) zeta(1 - s).
    angle = (math.pi / 2) * (x - 4 * floor(x * 0.25))
    sine, cosine = sin(angle), cos(angle)
    factor = 2 * exp(gammaln(u) - math.log(2 * math.pi) * u)
    reflected = factor * (value * ((math.pi / 2) * cosine + (math.log(2 * math.pi) - psi(u)) * sine) - sine * other)
    return (g * switch(is_low, reflected, slope),)


def _python_riemann(s: float) -> float:
    if math.isnan(s) or s == -math.inf:
        return math.nan
    if s > 1.5:
        return _python_zeta(s, 1.0) if s < 1e5 else 1.0
    if s == 1:
        return math.inf
    if s >= -0.5:
        return _python_alternating(s) / -math.expm1((1 - s) * math.log(2))
    sine = math.sin(math.pi / 2 * (s - 4 * math.floor(s / 4)))
    if s == math.floor(s) and s % 2 == 0:
        return 0.0
    exponent = math.lgamma(1 - s) - (1 - s) * math.log(2 * math.pi) if s > -1e300 else math.inf
    return (
        math.copysign(math.exp(exponent) if exponent < 709 else math.inf, sine) * 2 * abs(sine) * _python_riemann(1 - s)
    )


def _python_alternating(s: float) -> float:
    """The sum of (-1)^k / (k + 1)^s by Borwein's weights."""
    n = 28
    weights = [
        n * math.factorial(n + i - 1) * 4**i / (math.factorial(n - i) * math.factorial(2 * i)) for i in range(n + 1)
    ]
    sums = [math.fsum(weights[: k + 1]) for k in range(n + 1)]
    return -math.fsum((-1) ** k * (sums[k] - sums[n]) / (k + 1) ** s for k in range(n)) / sums[n]


RIEMANN_ZETA = loop_row(
    "riemann_zeta", "riemann_zeta", lambda s: _python_riemann(s), _riemann_gradient, ulp=4096, domain=(-10, 20)
)  # fmt: skip
ROWS = (ZETA, RIEMANN_ZETA)


def zeta(s: Any, q: Any = None) -> Any:
    """Hurwitz' zeta function, the sum of (q + k)^-s over k = 0, 1, ...: inf for s = 1 and for q = 0, -1, ..., nan for
    s < 1 and other negative q.  Without q Riemann's, that for q = 1, of every s.

    >>> zeta([2.0, 3.0, -1.0]).eval().round(6)
    array([ 1.644934,  1.202057, -0.083333])
    """
    if q is None:
        return apply(RIEMANN_ZETA, as_variable(s))
    return apply(ZETA, as_variable(s), as_variable(q))
