"""Lambert's W function, the inverse of w e^w, on its principal real branch.

Method     Near -1/e the series in p = sqrt(2 (e x + 1)); elsewhere two steps of fourth order from a start of some
           digits.
Ref        R. Corless, G. Gonnet, D. Hare, D. Jeffrey and D. Knuth, "On the Lambert W function" (1996), 4.22-4.24; F.
           Fritsch, R. Shafer and W. Crowley, "Solution of the transcendental equation w e^w = x" (1973).
"""

from __future__ import annotations

import math
from typing import Any

from tensordsl.ops.math.functions import Unary, exp, unary
from tensordsl.ops.math.scalars import vectorised
from tensordsl.ops.special.chebyshev import exact_product, power_series, real_row

E_HIGH, E_LOW = math.e, 1.4456468917292502e-16
SERIES_BELOW = 0.3  # of p


def _branch_series(count: int) -> tuple[float, ...]:
    """The coefficients of W in powers of p."""
    m, a = [-1.0, 1.0], [2.0, -1.0]
    for k in range(2, count):
        a.append(math.fsum(m[j] * m[k + 1 - j] for j in range(2, k)))
        m.append((k - 1) / (k + 1) * (m[k - 2] / 2 + a[k - 2] / 4) - a[k] / 2 - m[k - 1] / (k + 1))
    return tuple(m)


BRANCH = _branch_series(24)


def _lambertw(b: Any, x: Any) -> Any:
    above = b.fma(x, E_LOW, b.fma(x, E_HIGH, 1.0))  # e x + 1
    p = b.sqrt(b.mul(b.maximum(above, 0.0), 2.0))
    near = power_series(b, p, BRANCH)
    # log(1 + x) less a correction for large x; up to e two terms that fit at the branch point and far out.
    logarithm = b.call("log", b.maximum(x, 2.0))
    large = b.sub(logarithm, b.call("log", logarithm))
    quotient = b.div(p, b.fma(p, 1 / 3, 1.0))
    middle = b.sub(quotient, 1.0)
    w = b.select(b.gt(x, 3.0), large, b.select(b.lt(b.abs(x), 0.1), b.fma(b.neg(x), x, x), middle))
    for _ in range(3):
        next_ = b.add(w, 1.0)
        z = b.sub(b.call("log", b.div(x, w)), w)
        q = b.mul(b.mul(next_, 2.0), b.fma(z, 2 / 3, next_))
        step = b.mul(b.div(z, next_), b.div(b.sub(q, z), b.sub(q, b.add(z, z))))
        w = b.fma(w, step, w)
    value = b.select(b.lt(p, SERIES_BELOW), near, w)
    value = b.select(b.lt(b.abs(x), 1e-9), b.fma(b.neg(x), x, x), value)
    value = b.select(b.eq(x, math.inf), math.inf, value)
    return b.select(b.lt(above, -1e-16), math.nan, b.select(b.isnan(x), x, value))


def _python_lambertw(x: float) -> float:
    """By Newton's method on w + log(w / x) or, for x < 1, on w e^w - x."""
    above = math.fsum([x * E_LOW, math.fsum([1.0, *exact_product(x, E_HIGH)])]) if abs(x) < 1e290 else x
    if math.isnan(x) or above < -1e-16:
        return math.nan
    if x == 0 or x == math.inf or abs(x) < 1e-9:
        return x - x * x if x != math.inf else x
    p = math.sqrt(2 * max(above, 0.0))
    if p < 0.3:
        return math.fsum(c * p**k for k, c in enumerate(BRANCH))
    w = math.log1p(x) if x > -0.3 else p - 1
    for _ in range(60):
        if x > 1:
            w *= (1 + math.log(x / w)) / (1 + w)
        else:
            w -= (w - x * math.exp(-w)) / (1 + w)
    return w


LAMBERTW = real_row(
    "lambertw", _lambertw, vectorised(_python_lambertw), lambda g, out, x: (g * exp(-out) / (1 + out),), ulp=64,
    domain=(0.0, 10),
)  # fmt: skip
ROWS = (LAMBERTW,)

lambertw: Unary = unary(LAMBERTW, "The w >= -1 with w exp(w) = x; nan below -1/e.")
