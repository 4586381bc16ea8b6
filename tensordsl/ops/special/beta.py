"""The beta function and what is made of quotients of gamma functions: factorials, Pochhammer's symbol.

Method     small arguments by gamma itself, others by differences of Stirling's series in which the large terms are
           cancelled by hand.
Ref        NIST DLMF 5.12, 5.11.1; A. DiDonato and A. Morris, "Significant digit computation of the incomplete beta
           function ratios" (1992), section 4, for the differences.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from tensordsl.graph.variables import apply
from tensordsl.ops.math.comparisons import and_, eq, ge, gt, invert, isnan, le, lt, or_
from tensordsl.ops.math.elementwise import abs_, floor, maximum, minimum, reciprocal, sqr, switch
from tensordsl.ops.math.functions import Unary, exp, log, log1p, unary
from tensordsl.ops.math.gamma import gamma, gammaln, psi
from tensordsl.ops.operands import as_variable
from tensordsl.ops.special.definitions import defined_row

STIRLING_FROM = 10.0
# B_2k / (2k (2k - 1)): log gamma(x) = (x - 1/2) log x - x + log(2 pi) / 2 + sum of these / x^(2k - 1)
STIRLING = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360, 1 / 156, -3617 / 122400)
HALF_LOG_2PI = 0.9189385332046728
LARGEST = 85.0  # gamma of a sum of two such numbers is finite


def stirling_rest(x: Any) -> Any:
    """log gamma(x) - ((x - 1/2) log x - x + log(2 pi) / 2), x >= 10"""
    inverse = reciprocal(x)
    w, series = sqr(inverse), STIRLING[-1]
    for c in STIRLING[-2::-1]:
        series = series * w + c
    return series * inverse


def log_gamma_quotient(a: Any, b: Any) -> Any:
    """log(gamma(b) / gamma(a + b)) for 0 <= a, b >= 10"""
    return a - (b - 0.5) * log1p(a / b) - a * log(a + b) + (stirling_rest(b) - stirling_rest(a + b))


def log_beta(a: Any, b: Any) -> Any:
    """log B(a, b) of float64; |B| where a gamma function is negative."""
    small, large = minimum(a, b), maximum(a, b)
    s, t = maximum(small, STIRLING_FROM), maximum(large, STIRLING_FROM)
    both = (
        HALF_LOG_2PI - 0.5 * log(t) + (s - 0.5) * log(s / (s + t)) - t * log1p(s / t)
        + (stirling_rest(s) + (stirling_rest(t) - stirling_rest(s + t)))
    )  # fmt: skip
    one = gammaln(small) + log_gamma_quotient(maximum(small, 0.0), t)
    poles = gammaln(a) + gammaln(b)
    none = switch(eq(poles, math.inf), poles, poles - gammaln(a + b))
    by_one = switch(and_(ge(small, 0), ge(large, STIRLING_FROM)), one, none)
    value = switch(ge(small, STIRLING_FROM), both, by_one)
    return switch(and_(eq(large, math.inf), gt(small, 0)), -math.inf, value)


def is_pole(x: Any) -> Any:
    """Is x a whole number, not positive?"""
    return and_(le(x, 0), eq(floor(x), x))


def parity(m: Any) -> Any:
    """(-1)^m of whole m."""
    half = m * 0.5
    return switch(eq(floor(half), half), 1.0, -1.0)


def _without_pole(a: Any, b: Any) -> tuple[Any, Any, Any]:
    """(a', b', sign) with B(a, b) = sign B(a', b'): where a is a pole and b whole with a + b <= 0, gamma's poles
    cancel to (-1)^b B(1 - a - b, b)."""
    cancels = and_(and_(is_pole(a), eq(floor(b), b)), and_(gt(b, 0), le(a + b, 0)))
    return switch(cancels, 1 - a - b, a), b, switch(cancels, parity(b), 1.0)


def lost(x: Any, y: Any) -> Any:
    """What the rounding of x + y lost."""
    total = x + y
    part = total - x
    return (x - (total - part)) + (y - part)


def gamma_sign(x: Any) -> Any:
    """The sign of gamma(x)."""
    half = floor(x) * 0.5
    return switch(or_(ge(x, 0), eq(floor(half), half)), 1.0, -1.0)


def _build_betaln(a: Any, b: Any) -> Any:
    a, b, _ = _without_pole(a, b)
    b, a, _ = _without_pole(b, a)
    return log_beta(a, b)


def _build_beta(a: Any, b: Any) -> Any:
    a, b, first = _without_pole(a, b)
    b, a, second = _without_pole(b, a)
    total = a + b
    is_small = lt(maximum(maximum(abs_(a), abs_(b)), abs_(total)), LARGEST)
    u, v = switch(is_small, a, 1.0), switch(is_small, b, 1.0)
    large, small = maximum(u, v), minimum(u, v)
    product = gamma(small) * (gamma(large) / gamma(u + v)) * (1 - lost(u, v) * _slope(u + v))
    sign = gamma_sign(a) * gamma_sign(b) * gamma_sign(total)
    value = switch(is_small, product, sign * exp(log_beta(a, b)))
    return first * second * switch(or_(is_pole(a), is_pole(b)), math.inf, value)


def _slope(x: Any) -> Any:
    """psi(x) to some digits for x >= 1, else 0."""
    return switch(ge(x, 1), log(x) - 0.5 / x, 0.0)


def _build_poch(z: Any, m: Any) -> Any:
    """gamma(z + m) / gamma(z); where both are poles (-1)^m gamma(1 - z) / gamma(1 - z - m), 0 where z alone is."""
    is_zero, sign = is_pole(z), 1.0
    both = and_(is_zero, is_pole(z + m))
    z, sign = switch(both, 1 - z - m, z), switch(both, parity(m), 1.0)
    top = z + m
    is_small = lt(maximum(abs_(top), abs_(z)), 2 * LARGEST)
    s, d = switch(is_small, z, 1.0), switch(is_small, m, 0.0)
    quotient = gamma(s + d) / gamma(s) * (1 + lost(s, d) * _slope(s + d))
    is_large = and_(ge(z, STIRLING_FROM), ge(top, STIRLING_FROM))
    s, t = switch(is_large, z, STIRLING_FROM), switch(is_large, top, STIRLING_FROM)
    d = switch(is_large, m, 0.0)
    stirling = (s - 0.5) * log1p(d / s) + d * log(t) - d + (stirling_rest(t) - stirling_rest(s))
    signs = gamma_sign(top) * gamma_sign(z)
    value = switch(is_small, quotient, switch(is_large, exp(stirling), signs * exp(gammaln(top) - gammaln(z))))
    value = switch(and_(is_pole(top), invert(is_zero)), math.inf, value)
    value = switch(and_(is_zero, invert(both)), switch(isnan(m), math.nan, 0.0), value)
    return switch(eq(m, 0), 1.0, sign * value)


def _build_factorial(n: Any) -> Any:
    """n gamma(n) from 1 on: n + 1 may be rounded."""
    below = lt(n, 1)
    value = gamma(switch(below, n + 1, n)) * switch(below, 1.0, n)
    return switch(lt(n, 0), 0.0, value)


# -- oracles ---------------------------------------------------------------------------------------------------------
def python_stirling_rest(x: float) -> float:
    w = 1 / (x * x)
    return math.fsum(c * w**k for k, c in enumerate(STIRLING)) / x


def python_log_gamma(x: float) -> float:
    if math.isnan(x):
        return x
    if math.isinf(x) or (x <= 0 and x == math.floor(x)):
        return math.inf
    return math.lgamma(x) if abs(x) < 1e305 else math.inf


def python_is_pole(x: float) -> bool:
    return x <= 0 and math.isfinite(x) and x == math.floor(x)


def _python_without_pole(a: float, b: float) -> tuple[float, float, float]:
    if python_is_pole(a) and b > 0 and b == math.floor(b) and a + b <= 0:
        return 1 - a - b, b, -1.0 if b % 2 else 1.0
    return a, b, 1.0


def python_log_beta(a: float, b: float) -> float:
    if math.isnan(a) or math.isnan(b):
        return math.nan
    a, b, _ = _python_without_pole(a, b)
    b, a, _ = _python_without_pole(b, a)
    a, b = min(a, b), max(a, b)
    if a > 0 and b == math.inf:
        return -math.inf
    if python_is_pole(a) or python_is_pole(b) or math.isinf(a):
        return math.inf
    if not a > 0 or not b < math.inf or b < 10:
        total = python_log_gamma(a) + python_log_gamma(b)
        return total - python_log_gamma(a + b)
    rest = (b - 0.5) * math.log1p(a / b) + a * math.log(a + b) - a
    rest += python_stirling_rest(a + b) - python_stirling_rest(b)
    if a < 10:
        return math.lgamma(a) - rest
    d = HALF_LOG_2PI - 0.5 * math.log(b) + (a - 0.5) * math.log(a / (a + b)) - b * math.log1p(a / b)
    return d + python_stirling_rest(a) + python_stirling_rest(b) - python_stirling_rest(a + b)


def python_gamma(x: float) -> float:
    if x == 0:
        return math.copysign(math.inf, x)
    if x == math.floor(x) and x < 0 or x == -math.inf or math.isnan(x):
        return math.nan
    try:
        return math.gamma(x)
    except OverflowError:
        return math.inf


def _python_beta(a: float, b: float) -> float:
    if math.isnan(a) or math.isnan(b):
        return math.nan
    a, b, first = _python_without_pole(a, b)
    b, a, second = _python_without_pole(b, a)
    if python_is_pole(a) or python_is_pole(b):
        return first * second * math.inf
    if math.isinf(a) or math.isinf(b):
        return 0.0 if min(a, b) > 0 else math.inf
    return first * second * _python_plain_beta(a, b)


def _python_plain_beta(a: float, b: float) -> float:
    if max(abs(a), abs(b), abs(a + b)) < LARGEST:
        low, high = min(a, b), max(a, b)
        divisor = python_gamma(a + b)
        return python_gamma(low) * (python_gamma(high) / divisor) if divisor else math.nan
    sign = _python_sign(a) * _python_sign(b) * _python_sign(a + b)
    value = python_log_beta(a, b)
    return sign * (math.exp(value) if value < 709 else math.inf if value >= 709 else math.nan)


def _python_sign(x: float) -> float:
    return 1.0 if not x < 0 or math.isinf(x) or math.floor(x) % 2 == 0 else -1.0


def _python_poch(z: float, m: float) -> float:
    if m == 0:
        return 1.0
    if python_is_pole(z):
        if not python_is_pole(z + m):
            return math.nan if math.isnan(m) else 0.0
        return (-1.0 if m % 2 else 1.0) * _python_poch(1 - z - m, m)
    if python_is_pole(z + m):
        return math.inf
    top = z + m
    if max(abs(z), abs(top)) < 2 * LARGEST:
        divisor = python_gamma(z)
        return python_gamma(top) / divisor if divisor else math.nan
    if z >= 10 and top >= 10:
        d = (z - 0.5) * math.log1p(m / z) + m * math.log(top) - m
        value = d + python_stirling_rest(top) - python_stirling_rest(z)
    else:
        value = python_log_gamma(top) - python_log_gamma(z)
    return _python_sign(top) * _python_sign(z) * (math.exp(value) if value < 709 else math.inf)


def _python_factorial(n: float) -> float:
    return 0.0 if n < 0 else python_gamma(n + 1)


# -- rows ------------------------------------------------------------------------------------------------------------
def _betaln_gradient(g: Any, out: Any, a: Any, b: Any) -> Sequence[Any]:
    total = psi(a + b)
    return g * (psi(a) - total), g * (psi(b) - total)


def _beta_gradient(g: Any, out: Any, a: Any, b: Any) -> Sequence[Any]:
    return _betaln_gradient(g * out, out, a, b)


def _poch_gradient(g: Any, out: Any, z: Any, m: Any) -> Sequence[Any]:
    slope = psi(z + m)
    return g * out * (slope - psi(z)), g * out * slope


BETALN = defined_row("betaln", _build_betaln, python_log_beta, _betaln_gradient, ulp=256, domain=(0.1, 20))
BETA = defined_row("beta", _build_beta, _python_beta, _beta_gradient, ulp=256, domain=(0.1, 20))
POCH = defined_row("poch", _build_poch, _python_poch, _poch_gradient, ulp=256, domain=(0.1, 10))
FACTORIAL = defined_row(
    "factorial", _build_factorial, _python_factorial, lambda g, out, n: (g * out * psi(n + 1),), ulp=64,
    domain=(0.1, 10),
)  # fmt: skip
ROWS = (BETALN, BETA, POCH, FACTORIAL)

factorial: Unary = unary(FACTORIAL, "gamma(n + 1), also between the whole numbers; 0 for n < 0 (SciPy's).")


def betaln(a: Any, b: Any) -> Any:
    """The logarithm of the absolute value of the beta function, gammaln(a) + gammaln(b) - gammaln(a + b), without the
    cancellation of these for large a or b.

    >>> betaln([1.0, 1e10], 2.0).eval().round(6)
    array([ -0.693147, -46.051702])
    """
    return apply(BETALN, as_variable(a), as_variable(b))


def beta(a: Any, b: Any) -> Any:
    """The beta function, gamma(a) gamma(b) / gamma(a + b).

    >>> beta([1.0, 2.0], 2.0).eval().round(6)
    array([0.5     , 0.166667])
    """
    return apply(BETA, as_variable(a), as_variable(b))


def poch(z: Any, m: Any) -> Any:
    """Pochhammer's symbol gamma(z + m) / gamma(z), which for whole m is z (z + 1) ... (z + m - 1).

    >>> poch([1.0, 2.0], 3).eval()
    array([ 6., 24.])
    """
    return apply(POCH, as_variable(z), as_variable(m))
