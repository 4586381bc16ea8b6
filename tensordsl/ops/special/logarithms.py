"""Functions of logarithms: logit, x log(1 + y), the entropies; and sinc.

Method     the difference that would cancel is computed as one: logit by arctanh around 1/2, a quotient near 1 by log1p.
Ref        SciPy's definitions, values at 0 and beyond the domain included.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tensordsl.graph.variables import apply
from tensordsl.ops.math.comparisons import lt
from tensordsl.ops.math.elementwise import abs_, round, sqr, switch
from tensordsl.ops.math.functions import Unary, cos, log, log1p, unary
from tensordsl.ops.operands import as_variable
from tensordsl.ops.rows import like
from tensordsl.ops.special.chebyshev import power_series, real_row, real_row_of_two

CLOSE = 0.4  # |x / y - 1| below which the divergence is a series
DIVERGENCE = tuple((-1.0) ** k / (k * (k - 1)) for k in range(2, 44))
SINC_SLOPE = tuple(
    (-1.0) ** (k + 1) * math.pi ** (2 * k + 2) * (2 * k + 2) / math.factorial(2 * k + 3) for k in range(9)
)
PI_HIGH, PI_LOW = math.pi, 1.2246467991473532e-16


def _logit(b: Any, p: Any) -> Any:
    d = b.sub(p, 0.5)
    middle = b.mul(b.call("arctanh", b.add(d, d)), 2.0)
    outer = b.sub(b.call("log", p), b.call("log1p", b.neg(p)))
    return b.select(b.lt(b.abs(d), 0.25), middle, outer)


def _numpy_logit(p: Any) -> Any:
    return np.where(np.abs(p - 0.5) < 0.25, np.log1p((2 * p - 1) / (1 - p)), np.log(p) - np.log1p(-p))


def _xlog1py(b: Any, x: Any, y: Any) -> Any:
    return b.select(b.and_(b.eq(x, 0.0), b.not_(b.isnan(y))), 0.0, b.mul(x, b.call("log1p", y)))


def _numpy_xlog1py(x: Any, y: Any) -> Any:
    return np.where((x == 0) & ~np.isnan(y), 0.0, x * np.log1p(y))


def _log_of_quotient(b: Any, x: Any, y: Any) -> Any:
    d = b.div(b.sub(x, y), y)
    return b.select(b.lt(b.abs(d), 0.5), b.call("log1p", d), b.sub(b.call("log", x), b.call("log", y)))


def _entr(b: Any, x: Any) -> Any:
    product = b.select(b.eq(x, 0.0), 0.0, b.neg(b.mul(x, b.call("log", x))))
    return b.select(b.lt(x, 0.0), -math.inf, product)


def _numpy_entr(x: Any) -> Any:
    return np.where(x < 0, -np.inf, np.where(x == 0, 0.0, -x * np.log(x)))


def _outside(b: Any, x: Any, y: Any, value: Any, at_zero: Any) -> Any:
    """`value` for x, y > 0; `at_zero` for x = 0, y >= 0; nan beside nan, else inf."""
    is_zero = b.and_(b.eq(x, 0.0), b.ge(y, 0.0))
    is_inside = b.and_(b.gt(x, 0.0), b.gt(y, 0.0))
    value = b.select(is_inside, value, b.select(is_zero, at_zero, math.inf))
    return b.select(b.or_(b.isnan(x), b.isnan(y)), math.nan, value)


def _rel_entr(b: Any, x: Any, y: Any) -> Any:
    return _outside(b, x, y, b.mul(x, _log_of_quotient(b, x, y)), b.const(0.0, "float64"))


def _numpy_rel_entr(x: Any, y: Any) -> Any:
    d = (x - y) / y
    logarithm = np.where(np.abs(d) < 0.5, np.log1p(d), np.log(x) - np.log(y))
    value = np.where((x > 0) & (y > 0), x * logarithm, np.where((x == 0) & (y >= 0), 0.0, np.inf))
    return np.where(np.isnan(x) | np.isnan(y), np.nan, value)


def _kl_div(b: Any, x: Any, y: Any) -> Any:
    """x log(x / y) - x + y; near x = y the series y sum (-d)^k / (k (k - 1)) of d = x / y - 1."""
    d = b.div(b.sub(x, y), y)
    near = b.mul(y, b.mul(b.mul(d, d), power_series(b, d, DIVERGENCE)))
    far = b.add(b.sub(b.mul(x, _log_of_quotient(b, x, y)), x), y)
    return _outside(b, x, y, b.select(b.lt(b.abs(d), CLOSE), near, far), y)


def _numpy_kl_div(x: Any, y: Any) -> Any:
    d = (x - y) / y
    small, series = np.clip(d, -CLOSE, CLOSE), 0.0
    for c in reversed(DIVERGENCE):
        series = series * small + c
    series = y * small * small * series
    far = np.where(np.abs(d) < 0.5, x * np.log1p(d), x * (np.log(x) - np.log(y))) - x + y
    value = np.where(np.abs(d) < CLOSE, series, far)
    value = np.where((x > 0) & (y > 0), value, np.where((x == 0) & (y >= 0), y, np.inf))
    return np.where(np.isnan(x) | np.isnan(y), np.nan, value)


def _sinc(b: Any, x: Any) -> Any:
    """sin(pi r) of r = x minus the nearest whole number n, with (-1)^n, over pi x."""
    n = b.rint(x)
    r = b.sub(x, n)
    angle = b.mul(r, PI_HIGH)
    error = b.fma(r, PI_LOW, b.fma(r, PI_HIGH, b.neg(angle)))
    sine = b.fma(error, b.call("cos", angle), b.call("sin", angle))
    half = b.mul(n, 0.5)
    sine = b.select(b.eq(b.floor(half), half), sine, b.neg(sine))
    return b.select(b.lt(b.abs(x), 1e-160), 1.0, b.div(sine, b.mul(x, PI_HIGH)))


def _numpy_sinc(x: Any) -> Any:
    n = np.rint(x)
    return np.where(np.abs(x) < 1e-160, 1.0, np.where(n % 2 == 0, 1, -1) * np.sin(np.pi * (x - n)) / (np.pi * x))


def _sinc_gradient(g: Any, out: Any, x: Any) -> Sequence[Any]:
    """(cos(pi x) - sinc(x)) / x, near 0 its series."""
    is_near = lt(abs_(x), 0.4)
    u = switch(is_near, x, 0.25)
    series: Any = like(SINC_SLOPE[-1], x)
    for c in SINC_SLOPE[-2::-1]:
        series = series * sqr(u) + like(c, x)
    v = switch(is_near, 0.5, x)
    far = (cos((v - round(v * 0.5) * 2) * like(math.pi, x)) - out) / v
    return (g * switch(is_near, u * series, far),)


LOGIT = real_row("logit", _logit, _numpy_logit, lambda g, out, p: (g / (p * (1 - p)),), ulp=16, domain=(0.05, 0.95))
XLOG1PY = real_row_of_two(
    "xlog1py", _xlog1py, _numpy_xlog1py, lambda g, out, x, y: (g * log1p(y), g * x / (y + 1)), ulp=16, domain=(0.1, 5)
)  # fmt: skip
ENTR = real_row("entr", _entr, _numpy_entr, lambda g, out, x: (g * (-log(x) - 1),), ulp=16, domain=(0.1, 5))
REL_ENTR = real_row_of_two(
    "rel_entr", _rel_entr, _numpy_rel_entr, lambda g, out, x, y: (g * (log(x / y) + 1), -g * x / y), ulp=16,
    domain=(0.1, 5),
)  # fmt: skip
KL_DIV = real_row_of_two(
    "kl_div", _kl_div, _numpy_kl_div, lambda g, out, x, y: (g * log(x / y), g * (1 - x / y)), ulp=64, domain=(0.1, 5)
)  # fmt: skip
SINC = real_row("sinc", _sinc, _numpy_sinc, _sinc_gradient, ulp=256, domain=(-6, 6))
ROWS = (LOGIT, XLOG1PY, ENTR, REL_ENTR, KL_DIV, SINC)

logit: Unary = unary(LOGIT, "log(p / (1 - p)), the inverse of sigmoid; nan beyond 0 and 1.")
entr: Unary = unary(ENTR, "-x log(x): 0 at 0, -inf below.")
sinc: Unary = unary(SINC, "sin(pi x) / (pi x), 1 at 0 (NumPy's).")


def xlog1py(x: Any, y: Any) -> Any:
    """x log(1 + y), 0 where x is 0 and y is a number.

    >>> xlog1py([0.0, 2.0], [-1.0, 1e-20]).eval()
    array([0.e+00, 2.e-20])
    """
    return apply(XLOG1PY, as_variable(x), as_variable(y))


def rel_entr(x: Any, y: Any) -> Any:
    """x log(x / y) for x, y > 0; 0 for x = 0, y >= 0; else inf (SciPy's).

    >>> rel_entr([0.0, 1.0, -1.0], 1.0).eval()
    array([ 0.,  0., inf])
    """
    return apply(REL_ENTR, as_variable(x), as_variable(y))


def kl_div(x: Any, y: Any) -> Any:
    """x log(x / y) - x + y for x, y > 0, accurate near x = y; y for x = 0, y >= 0; else inf (SciPy's).

    >>> kl_div([0.0, 1.0, -1.0], 1.0).eval()
    array([ 1.,  0., inf])
    """
    return apply(KL_DIV, as_variable(x), as_variable(y))
