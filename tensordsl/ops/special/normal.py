"""The standard normal distribution: its function, the logarithm of that, and the inverses of both.

Method     erfc of x / sqrt(2) with the quotient's rounding error, which far out would count x^2 times.
Ref        NIST DLMF 7.17, 7.20; derivatives by the density.
"""

from __future__ import annotations

import math
from typing import Any

from tensordsl.ops.math.elementwise import sqr
from tensordsl.ops.math.functions import Unary, erfcx, exp, unary
from tensordsl.ops.math.scalars import erfcinv, erfcinv_of_log, inverse_erfc, scaled_erfc, vectorised
from tensordsl.ops.rows import like
from tensordsl.ops.special.chebyshev import exact_product, real_row

HALF_ROOT, HALF_ROOT_LOW = 0.7071067811865476, -4.833646656726457e-17  # 1 / sqrt(2) in two parts
FARTHEST = 40.0  # beyond, the tail is 0
LOG_SMALL = math.log(0.05)  # below, the inverse is computed from the logarithm
ROOT_TWO, ROOT_TWO_PI = math.sqrt(2), math.sqrt(2 * math.pi)


def _ndtr(b: Any, x: Any) -> Any:
    x = b.maximum(b.minimum(x, FARTHEST), -FARTHEST)
    q = b.mul(x, HALF_ROOT)
    error = b.fma(x, HALF_ROOT_LOW, b.fma(x, HALF_ROOT, b.neg(q)))
    slope = b.mul(b.call("exp", b.neg(b.mul(q, q))), 2 / math.sqrt(math.pi))
    return b.mul(b.fma(slope, error, b.call("erfc", b.neg(q))), 0.5)


def _log_ndtr(b: Any, x: Any) -> Any:
    """Below -1 log(erfcx(-x / sqrt(2)) / 2) - x^2 / 2."""
    far = b.call("log", b.mul(b.call("erfcx", b.mul(b.minimum(x, -1.0), -HALF_ROOT)), 0.5))
    far = b.sub(far, b.mul(b.mul(x, x), 0.5))
    positive = b.call("log1p", b.neg(_ndtr(b, b.neg(x))))
    near = b.select(b.lt(x, 0.0), b.call("log", _ndtr(b, x)), positive)
    return b.select(b.lt(x, -1.0), far, near)


def _ndtri(b: Any, p: Any) -> Any:
    return b.mul(erfcinv(b, b.add(p, p)), -ROOT_TWO)


def _ndtri_exp(b: Any, y: Any) -> Any:
    """Of -expm1(y) with the other sign for p above 0.95, of y itself below 0.05."""
    upper = b.gt(y, math.log1p(-0.05))
    p = b.select(upper, b.sub(0.0, b.call("expm1", y)), b.call("exp", b.maximum(y, LOG_SMALL)))
    middle = _ndtri(b, p)
    middle = b.select(upper, b.neg(middle), middle)
    low = b.mul(erfcinv_of_log(b, b.add(b.minimum(y, LOG_SMALL), math.log(2))), -ROOT_TWO)
    low = b.select(b.eq(y, -math.inf), -math.inf, low)
    return b.select(b.isnan(y), y, b.select(b.lt(y, LOG_SMALL), low, middle))


def _python_ndtr(x: float) -> float:
    """erfc(t) / 2 of t = -x / sqrt(2), with the first derivative for what the rounding of t lost."""
    if not abs(x) < FARTHEST:
        return 1.0 if x > 0 else 0.0 if x < 0 else x
    t = -x * HALF_ROOT
    lost = exact_product(-x, HALF_ROOT)[1] - x * HALF_ROOT_LOW
    return math.erfc(t) / 2 - lost * math.exp(-t * t) / math.sqrt(math.pi)


def _numpy_log_ndtr(x: float) -> float:
    if x < -1:
        return math.log(scaled_erfc(-x / ROOT_TWO) / 2) - x * x / 2 if x > -1e200 else -math.inf
    return math.log1p(-_python_ndtr(-x))


def _numpy_ndtri_exp(y: float) -> float:
    """By bisection of log_ndtr."""
    if not y <= 0 or y == -math.inf:
        return math.nan if y != -math.inf else y
    if y == 0:
        return math.inf
    if y > -0.05:
        return ROOT_TWO * inverse_erfc(-2 * math.expm1(y))
    low, high = -math.sqrt(-2 * y) - 3, 3.0
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if _numpy_log_ndtr(middle) < y else (low, middle)
    return low


NDTR = real_row(
    "ndtr", _ndtr, vectorised(_python_ndtr),
    lambda g, out, x: (g * exp(sqr(x) * -0.5) * like(1 / ROOT_TWO_PI, g),), ulp=64, domain=(-5, 5),
)  # fmt: skip
LOG_NDTR = real_row(
    "log_ndtr", _log_ndtr, vectorised(_numpy_log_ndtr),
    lambda g, out, x: (g * like(math.sqrt(2 / math.pi), g) / erfcx(x * like(-HALF_ROOT, x)),), ulp=64, domain=(-8, 5),
)  # fmt: skip
NDTRI = real_row(
    "ndtri", _ndtri, vectorised(lambda p: -ROOT_TWO * inverse_erfc(2 * p)),
    lambda g, out, p: (g * exp(sqr(out) * 0.5) * like(ROOT_TWO_PI, g),), ulp=64, domain=(0.01, 0.99),
)  # fmt: skip
NDTRI_EXP = real_row(
    "ndtri_exp", _ndtri_exp, vectorised(_numpy_ndtri_exp),
    lambda g, out, y: (g * like(math.sqrt(math.pi / 2), g) * erfcx(out * like(-HALF_ROOT, out)),), ulp=256,
    domain=(-8, -0.3),
)  # fmt: skip
ROWS = (NDTR, LOG_NDTR, NDTRI, NDTRI_EXP)

ndtr: Unary = unary(NDTR, "The distribution function of the standard normal distribution.")
log_ndtr: Unary = unary(LOG_NDTR, "log(ndtr(x)), also where ndtr(x) underflows.")
ndtri: Unary = unary(NDTRI, "The inverse of ndtr; nan beyond 0 and 1.")
ndtri_exp: Unary = unary(NDTRI_EXP, "The inverse of log_ndtr, ndtri(exp(x)); nan above 0.")
