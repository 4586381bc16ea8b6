"""Bessel functions of the orders 0 and 1: J, Y, I, K, and the modified ones without their exponential.

Method     J: near a zero z the product (x - z)(x + z) with a Chebyshev sum of x^2; from 8 on amplitude and phase.  Y:
           log(x) J and a sum.  I below 8 and K below 2: the power series; beyond, sums in 1/x.
Accuracy   relative to the amplitude sqrt(2 / (pi x)) for J and Y, whose zeros beyond the second are no floats.
Ref        NIST DLMF 10.2, 10.8, 10.17 (J, Y), 10.25, 10.31, 10.40 (I, K); derivatives 10.6, 10.29.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tensordsl.graph.variables import Op
from tensordsl.ops.math.comparisons import eq
from tensordsl.ops.math.elementwise import sgn, switch
from tensordsl.ops.math.functions import Unary, unary
from tensordsl.ops.rows import like
from tensordsl.ops.special import coefficients as tables
from tensordsl.ops.special.chebyshev import chebyshev_sum, power_series, real_row

NEAR, MIDDLE = 4.0, 8.0  # ends of the sums around the first and the second zero of J
SUBNORMAL_BELOW = 1e-300  # half of such a number may have lost digits
LARGEST_EXPONENT = 1500.0  # beyond, e^x is inf
EULER = 0.57721566490153286061
I_NEAR = {n: tuple(1 / (math.factorial(k) * math.factorial(k + n)) for k in range(26)) for n in (0, 1)}
_DIGAMMA = [math.fsum([-EULER, *(1 / j for j in range(1, k + 1))]) for k in range(16)]  # at k + 1
K0_NEAR = tuple(_DIGAMMA[k] / math.factorial(k) ** 2 for k in range(13))
K1_NEAR = tuple((_DIGAMMA[k] + _DIGAMMA[k + 1]) / (math.factorial(k) * math.factorial(k + 1)) for k in range(13))


# -- J and Y ---------------------------------------------------------------------------------------------------------
def _amplitude_and_phase(b: Any, n: int, a: Any) -> tuple[Any, Any]:
    """(J, Y) of a >= 8, by (sin(a) +- cos(a)) / sqrt(2) for the functions of a - (2 n + 1) pi / 4."""
    inverse = b.div(1.0, a)
    w = b.mul(inverse, inverse)
    p = chebyshev_sum(b, w, (tables.P0_FAR, tables.P1_FAR)[n])
    q = b.mul(chebyshev_sum(b, w, (tables.Q0_FAR, tables.Q1_FAR)[n]), inverse)
    sin, cos = b.call("sin", a), b.call("cos", a)
    plus, minus = b.add(sin, cos), b.sub(sin, cos)
    cosine, sine = (plus, minus) if n == 0 else (minus, b.neg(plus))
    scale = b.sqrt(b.mul(inverse, 1 / math.pi))
    is_infinite = b.eq(a, math.inf)
    j = b.mul(scale, b.sub(b.mul(p, cosine), b.mul(q, sine)))
    y = b.mul(scale, b.add(b.mul(p, sine), b.mul(q, cosine)))
    return b.select(is_infinite, 0.0, j), b.select(is_infinite, 0.0, y)


def _around_zero(b: Any, n: int, k: int, a: Any) -> Any:
    """J_n by its k-th zero."""
    high, low = getattr(tables, f"J{n}_ZERO_{k}")
    quotient = chebyshev_sum(b, b.mul(a, a), getattr(tables, f"J{n}_{('NEAR', 'MIDDLE')[k - 1]}"))
    result = b.mul(b.mul(b.sub(b.sub(a, high), low), b.add(a, high)), quotient)
    return b.mul(result, a) if n else result


def _j(n: int) -> Callable[[Any, Any], Any]:
    def scalar(b: Any, x: Any) -> Any:
        a = b.abs(x)
        far, _ = _amplitude_and_phase(b, n, a)
        near = b.select(b.lt(a, NEAR), _around_zero(b, n, 1, a), _around_zero(b, n, 2, a))
        value = b.select(b.lt(a, MIDDLE), near, far)
        if n == 0:
            return value
        return b.select(b.eq(x, 0.0), x, b.select(b.lt(x, 0.0), b.neg(value), value))

    return scalar


def _y(n: int) -> Callable[[Any, Any], Any]:
    def scalar(b: Any, x: Any) -> Any:
        _, far = _amplitude_and_phase(b, n, x)
        regular = chebyshev_sum(b, b.mul(x, x), (tables.Y0_NEAR, tables.Y1_NEAR)[n])
        product = b.mul(b.call("log", x), _around_zero(b, n, 1, x))
        if n:
            product, regular = b.sub(product, b.div(1.0, x)), b.mul(regular, x)
        near = b.fma(product, 2 / math.pi, regular)
        middle = chebyshev_sum(b, x, (tables.Y0_MIDDLE, tables.Y1_MIDDLE)[n])
        value = b.select(b.lt(x, NEAR), near, b.select(b.lt(x, MIDDLE), middle, far))
        return b.select(b.eq(x, 0.0), -math.inf, b.select(b.lt(x, 0.0), math.nan, value))

    return scalar


# -- I and K ---------------------------------------------------------------------------------------------------------
def _i_near(b: Any, n: int, a: Any) -> Any:
    half = b.mul(a, 0.5)
    series = power_series(b, b.mul(half, half), I_NEAR[n])
    return b.mul(b.mul(series, a), 0.5) if n else series


def _i(n: int, is_scaled: bool) -> Callable[[Any, Any], Any]:
    def scalar(b: Any, x: Any) -> Any:
        a = b.abs(x)
        near = _i_near(b, n, a)
        far = b.div(chebyshev_sum(b, b.div(1.0, a), (tables.I0_FAR, tables.I1_FAR)[n]), b.sqrt(a))
        if is_scaled:
            near = b.mul(near, b.call("exp", b.neg(a)))
        else:
            root = b.call("exp", b.mul(b.minimum(a, LARGEST_EXPONENT), 0.5))
            far = b.mul(b.mul(root, far), root)
            far = b.select(b.ge(a, LARGEST_EXPONENT), math.inf, far)
        value = b.select(b.lt(a, MIDDLE), near, far)
        return b.copysign(value, x) if n else value

    return scalar


def _k(n: int, is_scaled: bool) -> Callable[[Any, Any], Any]:
    def scalar(b: Any, x: Any) -> Any:
        half = b.mul(x, 0.5)
        t = b.mul(half, half)
        is_tiny = b.lt(x, SUBNORMAL_BELOW)
        log_half = b.select(is_tiny, b.sub(b.call("log", x), math.log(2)), b.call("log", half))
        product = b.mul(log_half, _i_near(b, n, x))
        if n == 0:
            near = b.sub(power_series(b, t, K0_NEAR), product)
        else:
            rest = b.sub(product, b.mul(b.mul(half, 0.5), power_series(b, t, K1_NEAR)))
            near = b.add(b.div(1.0, x), rest)
        far = b.div(chebyshev_sum(b, b.div(1.0, x), (tables.K0_FAR, tables.K1_FAR)[n]), b.sqrt(x))
        if is_scaled:
            near = b.mul(near, b.call("exp", x))
        else:
            far = b.mul(far, b.call("exp", b.neg(x)))
        value = b.select(b.le(x, 2.0), near, far)
        value = b.select(b.lt(x, 0.0), math.nan, b.select(b.eq(x, 0.0), math.inf, value))
        return value

    return scalar


# -- oracles: integrals over a period by equidistant nodes, Neumann's sums, asymptotic series ---------------


def _numpy_j(n: int, x: Any) -> Any:
    """Bessel's integral for moderate x, the power series for small ones, Hankel's series from 30 on."""
    a, sign = np.abs(x), np.where(np.signbit(x), (-1.0) ** n, 1.0)
    theta = (np.arange(128) + 0.5) * (math.pi / 128)
    middle = np.clip(a, 0, 60)[..., None]
    integral = np.mean(np.cos(n * theta - middle * np.sin(theta)), axis=-1)
    half = np.minimum(a, 1.0) / 2
    series = half**n * sum((-1) ** k * half ** (2 * k) / math.factorial(k) / math.factorial(k + n) for k in range(14))
    far, _ = _numpy_hankel(n, a)
    series = np.where(a < 1e-300, a / 2 if n else 1.0, series)
    value = np.where(a < 1, series, np.where(a < 30, integral, far))
    return np.where(np.isnan(x), x, sign * value)


def _numpy_hankel(n: int, a: Any) -> tuple[Any, Any]:
    a = np.maximum(a, 30.0)
    p, q, term = np.zeros_like(a), np.zeros_like(a), np.ones_like(a)
    for k in range(16):
        p, q = (p + (-1) ** (k // 2) * term, q) if k % 2 == 0 else (p, q + (-1) ** (k // 2) * term)
        term = term * (4 * n * n - (2 * k + 1) ** 2) / ((k + 1) * 8 * a)
    sin, cos = np.sin(a), np.cos(a)
    cosine, sine = ((cos + sin), (sin - cos)) if n == 0 else ((sin - cos), -(sin + cos))
    scale = np.sqrt(1 / (math.pi * a))
    is_infinite = np.isinf(a)
    return np.where(is_infinite, 0, scale * (p * cosine - q * sine)), np.where(
        is_infinite, 0, scale * (p * sine + q * cosine)
    )


def _numpy_y(n: int, x: Any) -> Any:
    """Neumann's sums of J of even or odd order (DLMF 10.8 and Abramowitz and Stegun 9.1.88)."""
    a = np.clip(np.where(x > 0, x, 1.0), 5e-324, 40.0)
    log_half = np.log(a) - math.log(2)
    if n == 0:
        rest = sum((-1) ** k * _numpy_j_series(2 * k, a) / k for k in range(1, 40))
        near = 2 / math.pi * ((log_half + EULER) * _numpy_j(0, a) - 2 * rest)
    else:
        rest = sum((-1) ** k * (2 * k + 1) / (k * (k + 1)) * _numpy_j_series(2 * k + 1, a) for k in range(1, 40))
        near = -2 / (math.pi * a) * _numpy_j(0, a)
        near = near + 2 / math.pi * ((log_half + EULER - 1) * _numpy_j(1, a) - rest)
    value = np.where(a < 30, near, _numpy_hankel(n, np.where(x > 0, x, 1.0))[1])
    return np.where(x > 0, value, np.where(x == 0, -math.inf, math.nan))


def _numpy_j_series(n: int, a: Any) -> Any:
    """Bessel's integral, which for high orders is exact to the last place of 1."""
    theta = (np.arange(160) + 0.5) * (math.pi / 160)
    return np.mean(np.cos(n * theta - a[..., None] * np.sin(theta)), axis=-1)


def _numpy_ie(n: int, x: Any) -> Any:
    """e^-|x| I_n(x) by the integral of e^(x (cos(t) - 1)) cos(n t), the power series, or the asymptotic series."""
    a = np.abs(x)
    theta = (np.arange(256) + 0.5) * (math.pi / 256)
    middle = np.clip(a, 0, 500)[..., None]
    integral = np.mean(np.exp(-2 * middle * np.sin(theta / 2) ** 2) * np.cos(n * theta), axis=-1)
    half = np.minimum(a, 1.0) / 2
    series = half**n * sum(half ** (2 * k) / math.factorial(k) / math.factorial(k + n) for k in range(14))
    far, term, large = np.zeros_like(a), np.ones_like(a), np.maximum(a, 300.0)
    for k in range(9):
        far = far + term
        term = -term * (4 * n * n - (2 * k + 1) ** 2) / ((k + 1) * 8 * large)
    far = far / np.sqrt(2 * math.pi * large)
    series = np.where(a < 1e-300, a / 2 if n else 1.0, series * np.exp(-np.minimum(a, 1.0)))
    value = np.where(a < 1, series, np.where(a < 300, integral, far))
    return np.where(np.signbit(x), (-1.0) ** n, 1.0) * np.where(np.isnan(x), x, value)


def _numpy_i(n: int, x: Any) -> Any:
    half = np.exp(np.abs(x) / 2)
    return np.where(np.isinf(x), np.where(x < 0, (-1.0) ** n, 1) * np.inf, half * _numpy_ie(n, x) * half)


def _numpy_ke(n: int, x: Any) -> Any:
    """e^x K_n(x) by the integral of e^(-x (cosh(t) - 1)) cosh(n t) (DLMF 10.32.9)."""
    a = np.where(x > 0, np.minimum(x, 1e300), 1.0)
    small = np.maximum(a, 1e-8)
    end = np.arccosh(1 + 750 / small)[..., None]
    t = np.arange(401) / 400 * end
    weights = np.where((np.arange(401) == 0), 0.5, 1.0)
    integrand = np.exp(-2 * small[..., None] * np.sinh(t / 2) ** 2) * np.cosh(n * t)
    value = np.sum(weights * integrand, axis=-1) * end[..., 0] / 400
    at_zero = math.log(2) - np.log(a) - EULER if n == 0 else 1 / a
    value = np.where(a < 1e-8, at_zero, value)
    far = np.sqrt(math.pi / 2 / a) * (1 + (4 * n * n - 1) / 8 / a * (1 + (4 * n * n - 9) / 16 / a))
    value = np.where(a > 1e6, far, value)
    return np.where(x == np.inf, 0.0, np.where(x > 0, value, np.where(x == 0, np.inf, np.nan)))


def _numpy_k(n: int, x: Any) -> Any:
    return np.where(x == np.inf, 0.0, _numpy_ke(n, x) * np.exp(-np.where(x > 0, x, 0.0)))


# -- rows ------------------------------------------------------------------------------------------------------------
def _over(out: Any, x: Any, at_zero: float) -> Any:
    """out / x, where that is 0 / 0 its limit."""
    return switch(eq(x, 0), like(at_zero, out), out / x)


def _row(name: str, n: int, scalar: Any, numpy: Any, gradient: Any, **columns: Any) -> Op:
    def oracle(x: Any) -> Any:
        return numpy(n, np.asarray(x))

    columns.setdefault("domain", (-20, 20))
    return real_row(name, scalar, oracle, gradient, **{"ulp": 64, **columns})


POSITIVE = {"domain": (0.1, 20)}
J0 = _row("j0", 0, _j(0), _numpy_j, lambda g, out, x: (-g * j1(x),), ulp=256)
J1 = _row("j1", 1, _j(1), _numpy_j, lambda g, out, x: (g * (j0(x) - _over(out, x, 0.5)),), ulp=256)
Y0 = _row("y0", 0, _y(0), _numpy_y, lambda g, out, x: (-g * y1(x),), ulp=4096, **POSITIVE)
Y1 = _row("y1", 1, _y(1), _numpy_y, lambda g, out, x: (g * (y0(x) - out / x),), ulp=4096, **POSITIVE)
I0 = _row("i0", 0, _i(0, False), _numpy_i, lambda g, out, x: (g * i1(x),))
I1 = _row("i1", 1, _i(1, False), _numpy_i, lambda g, out, x: (g * (i0(x) - _over(out, x, 0.5)),))
I0E = _row("i0e", 0, _i(0, True), _numpy_ie, lambda g, out, x: (g * (i1e(x) - sgn(x) * out),))
I1E = _row("i1e", 1, _i(1, True), _numpy_ie, lambda g, out, x: (g * (i0e(x) - _over(out, x, 0.5) - sgn(x) * out),))
K0 = _row("k0", 0, _k(0, False), _numpy_k, lambda g, out, x: (-g * k1(x),), **POSITIVE)
K1 = _row("k1", 1, _k(1, False), _numpy_k, lambda g, out, x: (-g * (k0(x) + out / x),), **POSITIVE)
K0E = _row("k0e", 0, _k(0, True), _numpy_ke, lambda g, out, x: (g * (out - k1e(x)),), **POSITIVE)
K1E = _row("k1e", 1, _k(1, True), _numpy_ke, lambda g, out, x: (g * (out - k0e(x) - out / x),), **POSITIVE)
ROWS: Sequence[Op] = (J0, J1, Y0, Y1, I0, I1, I0E, I1E, K0, K1, K0E, K1E)

j0: Unary = unary(J0, "The Bessel function of the first kind of order 0.")
j1: Unary = unary(J1, "The Bessel function of the first kind of order 1.")
y0: Unary = unary(Y0, "The Bessel function of the second kind of order 0; nan for x < 0, -inf at 0.")
y1: Unary = unary(Y1, "The Bessel function of the second kind of order 1; nan for x < 0, -inf at 0.")
i0: Unary = unary(I0, "The modified Bessel function of the first kind of order 0.")
i1: Unary = unary(I1, "The modified Bessel function of the first kind of order 1.")
i0e: Unary = unary(I0E, "exp(-abs(x)) * i0(x), which does not overflow.")
i1e: Unary = unary(I1E, "exp(-abs(x)) * i1(x), which does not overflow.")
k0: Unary = unary(K0, "The modified Bessel function of the second kind of order 0; nan for x < 0, inf at 0.")
k1: Unary = unary(K1, "The modified Bessel function of the second kind of order 1; nan for x < 0, inf at 0.")
k0e: Unary = unary(K0E, "exp(x) * k0(x), which does not underflow.")
k1e: Unary = unary(K1E, "exp(x) * k1(x), which does not underflow.")
