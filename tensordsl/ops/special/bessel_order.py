"""Bessel functions of every real order: J, Y, I and K, the modified ones also without their exponential.

Method     Loops of one element, `codegen.scalar_ir.special.bessel` and `bessel_waves`.
Derivative by the order: of K and J the same integrals and series, for I that of the Wronskian too.
Ref        NIST DLMF 10.32.9, 10.28.2, 10.33.1, 10.40.1 (I, K), 10.17, 10.9.17 (J, Y); G. Watson, "A treatise on the
           theory of Bessel functions" (1944).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tensordsl.graph.variables import Op, apply
from tensordsl.ops.cotangents import Undefined
from tensordsl.ops.math.comparisons import eq
from tensordsl.ops.math.elementwise import abs_, sgn, switch
from tensordsl.ops.math.functions import exp
from tensordsl.ops.math.scalars import digamma
from tensordsl.ops.operands import as_variable
from tensordsl.ops.special.chebyshev import loop_row
from tensordsl.ops.special.definitions import constant_like, defined_row, legendre


def _build_k_by_order(v: Any, x: Any, moment: int) -> Any:
    """The derivative of e^x K_v(x) by v, `moment` times."""
    return apply(K_MOMENT, v, x, constant_like(moment, x))


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
    if v >= 1e150:
        return 0.0
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
    if math.isinf(v):
        v = math.copysign(1e150, v)
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


def _python_series_by_order(v: float, x: float, sign: float) -> float:
    """The derivative by v of the power series of I (sign 1) or J (-1), v >= 0."""
    logarithm = math.log(x / 2) - digamma(v + 1)
    term, harmonic, terms = 1.0, 0.0, [logarithm]
    for k in range(1, 80):
        term *= sign * x * x / 4 / (k * (v + k))
        harmonic += 1 / (v + k)
        terms.append(term * (logarithm - harmonic))
    exponent = v * math.log(x / 2) - math.lgamma(v + 1)
    return math.fsum(terms) * (math.exp(exponent) if exponent > -745 else 0.0)


def _python_i_by_order(v: float, x: float) -> float:
    """The derivative of DLMF 10.32.4."""
    if not x > 0 or math.isnan(v) or math.isinf(v):
        return math.nan
    if x > 1e300:
        return 0.0
    if v >= 0 and x * x / 4 <= 4 * (v + 1):
        return _python_series_by_order(v, x, 1.0) * math.exp(-x)
    first = (
        _integral(lambda t: t * np.exp(x * (np.cos(t) - 1)) * np.sin(v * t), math.pi, 1 + int(abs(v) / 40)) / math.pi
    )
    end = math.acosh(1 + 45 / x) + abs(v) / 40
    tail = [_integral(lambda t, m=m: t**m * np.exp(-x * (np.cosh(t) + 1) - v * t), end, 12) for m in (0, 1)]
    return -first - math.cos(v * math.pi) * tail[0] + math.sin(v * math.pi) / math.pi * tail[1]


def _python_j(v: float, x: float, is_slope: bool = False) -> float:
    """Schläfli's integral (DLMF 10.9.6), for small x the power series; of negative orders that are not whole with Y."""
    if math.isnan(v) or math.isnan(x) or math.isinf(v):
        return math.nan
    is_whole = v == math.floor(v)
    if x < 0 and not is_whole or is_slope and v < 0 and not is_whole:
        return math.nan
    if v < 0 and not is_whole:
        if x == 0:
            return math.inf * (1.0 if v > -1 or math.floor(v) % 2 else -1.0)
        if x > 1e300:
            return 0.0
        return _of_turns(math.cos, v) * _python_j(-v, x) + _of_turns(math.sin, v) * _python_y(-v, x)
    sign = -1.0 if (v < 0) != (x < 0) and v % 2 else 1.0
    v, x = abs(v), abs(x)
    if x == 0:
        return 1.0 if v == 0 and not is_slope else 0.0
    if x > 1e300:
        return 0.0
    if is_slope and x * x / 4 <= 2 * (v + 1):
        return sign * _python_series_by_order(v, x, -1.0)
    if x * x / 4 <= 2 * (v + 1):
        exponent = v * math.log(x / 2) - math.lgamma(v + 1)
        term, terms = 1.0, [1.0]
        for k in range(1, 60):
            term *= -x * x / 4 / (k * (v + k))
            terms.append(term)
        return sign * math.fsum(terms) * (math.exp(exponent) if exponent > -745 else 0.0)
    if x > 1e5:
        return math.nan if not v * v <= 8 * x else sign * _python_hankel(v, x).real
    pieces = 1 + int((x + v) / 60)
    if is_slope:
        head = _integral(lambda t: -t * np.sin(v * t - x * np.sin(t)), math.pi, pieces) / math.pi
    else:
        head = _integral(lambda t: np.cos(v * t - x * np.sin(t)), math.pi, pieces) / math.pi
    end = math.asinh(45 / x)
    tail = [_integral(lambda t, m=m: t**m * np.exp(-x * np.sinh(t) - v * t), end, 12) for m in (0, 1)]
    if is_slope:
        return sign * (head - _of_turns(math.cos, v) * tail[0] + _of_turns(math.sin, v) / math.pi * tail[1])
    return sign * (head - _of_turns(math.sin, v) / math.pi * tail[0])


def _of_turns(function: Any, v: float) -> float:
    """The sine or cosine of pi v."""
    return float(function(math.pi * (v - 2 * math.floor(v / 2))))


def _python_y(v: float, x: float) -> float:
    """DLMF 10.9.7, of negative orders with J."""
    if math.isnan(v) or math.isnan(x) or math.isinf(v) or x < 0:
        return math.nan
    if x == 0:
        return math.inf if v < 0 and _of_turns(math.cos, v) < -1e-9 else -math.inf
    if x > 1e300:
        return 0.0
    if v < 0:
        if v == math.floor(v):
            return (-1.0 if v % 2 else 1.0) * _python_y(-v, x)
        return -_of_turns(math.sin, v) * _python_j(-v, x) + _of_turns(math.cos, v) * _python_y(-v, x)
    if x > 1e5:
        return math.nan if not v * v <= 8 * x else _python_hankel(v, x).imag
    head = _integral(lambda t: np.sin(x * np.sin(t) - v * t), math.pi, 1 + int((x + v) / 60)) / math.pi
    # e^(v t) + e^(-v t) cos(pi v) by the exponent less its largest value
    peak = math.asinh(v / x)
    highest = v * peak - x * math.sinh(peak) if peak < 700 else math.inf
    if highest > 700:
        return -math.inf
    end = max(math.asinh(90 / x), peak + math.acosh(1 + 60 / math.hypot(v, x))) + 1

    def f(t: Any) -> Any:
        exponent = v * t - x * np.sinh(t) - highest
        return np.exp(exponent) + np.exp(exponent - 2 * v * t) * _of_turns(math.cos, v)

    return head - _integral(f, end, 24) * math.exp(highest) / math.pi


def _python_hankel(v: float, x: float) -> complex:
    """J + i Y"""
    total, term = 0j, 1 + 0j
    for k in range(12):
        total += term
        term *= 1j * (4 * v * v - (2 * k + 1) ** 2) / (8 * x * (k + 1))
    turn = complex(math.cos(math.pi / 2 * (v % 4)), -math.sin(math.pi / 2 * (v % 4)))
    wave = complex(math.cos(x) + math.sin(x), math.sin(x) - math.cos(x)) * turn
    return math.sqrt(1 / (math.pi * x)) * total * wave


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


def _yv_gradient(g: Any, out: Any, v: Any, x: Any) -> Sequence[Any]:
    return Undefined("yv has no derivative with respect to its order"), g * (v / x * out - yv(v + 1, x))


def _jv_by_order_gradient(g: Any, out: Any, v: Any, x: Any) -> Sequence[Any]:
    above = apply(JV_BY_ORDER, v + 1, x)
    return Undefined(TWICE.format("jv")), g * (jv(v, x) / x + v / x * out - above)


TWICE = "{} has no second derivative with respect to its order"
OPERANDS: dict[str, Any] = {"ulp": 4096, "domain": (0.5, 10)}
KVE = loop_row("kve", "kve", lambda v, x: _python_k(v, x, True), _kve_gradient, **OPERANDS)
KV = loop_row("kv", "kv", lambda v, x: _python_k(v, x, False), _kv_gradient, **OPERANDS)
KVE_BY_ORDER = defined_row(
    "kve_by_order", _build_k_by_order, lambda v, x, moment: _python_k(v, x, True, moment), _kve_by_order_gradient,
    **OPERANDS,
)  # fmt: skip
K_MOMENT: Op = loop_row(
    "kve_moment", "kve_by_order", lambda v, x, m: _python_k(v, x, True, int(m)), None,
    no_gradient="kve_by_order, of which it is a part, has one", **OPERANDS,
)  # fmt: skip
IVE = loop_row("ive", "ive", lambda v, x: _python_i(v, x, True), _ive_gradient, **OPERANDS)
IV = loop_row("iv", "iv", lambda v, x: _python_i(v, x, False), _iv_gradient, **OPERANDS)
# The integrals of the oracle have errors of the amplitude: near zeros these are many units.
WAVES: dict[str, Any] = {"ulp": 2.0**20, "domain": (0.5, 10)}
IVE_BY_ORDER = loop_row("ive_by_order", "ive_by_order", _python_i_by_order, _ive_by_order_gradient, **WAVES)
JV = loop_row("jv", "jv", lambda v, x: _python_j(v, x), _jv_gradient, **WAVES)
JV_BY_ORDER = loop_row(
    "jv_by_order", "jv_by_order", lambda v, x: _python_j(v, x, True), _jv_by_order_gradient, **WAVES
)  # fmt: skip
YV = loop_row("yv", "yv", lambda v, x: _python_y(v, x), _yv_gradient, **WAVES)
ROWS = (KVE, KV, KVE_BY_ORDER, K_MOMENT, IVE, IV, IVE_BY_ORDER, JV, JV_BY_ORDER, YV)


def jv(v: Any, x: Any) -> Any:
    """The Bessel function of the first kind of real order v.  Of negative x where the order is whole, else nan; nan
    too for x >= 1e5 where the order is above sqrt(8 x).

    >>> jv([0.5, 2.0], 1.0).eval().round(6)
    array([0.671397, 0.114903])
    """
    return apply(JV, as_variable(v), as_variable(x))


def yv(v: Any, x: Any) -> Any:
    """The Bessel function of the second kind of real order v; nan for x < 0, -inf at 0; nan too for x >= 1e5 where the
    order is above sqrt(8 x).

    >>> yv([0.5, 2.0], 1.0).eval().round(6)
    array([-0.431099, -1.650683])
    """
    return apply(YV, as_variable(v), as_variable(x))


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
