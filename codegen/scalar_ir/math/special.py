"""erf, erfc, erfinv, erfcx.

Method     erf by pieces around points where it is nearly a float; erfc as exp(-a^2) times a polynomial in
           (a - 4)/(a + 4), over 1 + 2 a; erfinv by polynomials in -log(1 - x^2) and in its root.
Ref        S. Gal, 1986 (the pieces); M. Shepherd and J. Laframboise, 1981 (erfc); M. Giles, "Approximating the erfinv
           function", 2010.
"""

from __future__ import annotations

import math
from typing import Any

from tensordsl.codegen.scalar_ir.builder import Builder, Val
from tensordsl.codegen.scalar_ir.math.coefficients import (
    ERF,
    ERF_PIECES,
    ERFC,
    ERFCX,
    ERFINV_CENTER,
    ERFINV_MIDDLE,
    ERFINV_TAIL,
    PER_ROOT_PI,
)
from tensordsl.codegen.scalar_ir.math.exponential import EXP_LIMITS, exp_of_sum, exp_parts
from tensordsl.codegen.scalar_ir.math.floating_point import FORMATS, by_pieces, fast_two_sum, polynomial, two_product
from tensordsl.codegen.scalar_ir.math.function import FALLING, RISING, Function, ulps
from tensordsl.codegen.scalar_ir.math.logarithm import log
from tensordsl.ops.math.scalars import inverse_erf, scaled_erfc, vectorised

MAX_ERF_ARGUMENT = {"float64": 5.95, "float32": 3.96}  # beyond it erf is 1
ERF_PIECE_LENGTH = {"float64": 0.37890625, "float32": 0.51171875}
MAX_ERFC_ARGUMENT = {"float64": 28.0, "float32": 10.5}  # beyond it erfc is 0
MAX_ERFC_POLYNOMIAL_ARGUMENT = {"float64": 0.375, "float32": 0.75}  # up to it the polynomial of erf is used


def _scaled_erfc(b: Builder, a: Val) -> tuple[Val, Val]:
    """exp(a^2) erfc(a) of a in [0, 28], in two parts: ERFC(t) / (1 + 2 a), t = (a - 4)/(a + 4)."""
    one, four = b.const(1.0, a.type), b.const(4.0, a.type)
    # One division for both quotients.
    d1, d2 = b.add(a, four), b.fma(2.0, a, one)
    d2_low = b.sub(one, b.fma(-2.0, a, d2))
    inverse = b.div(one, b.mul(d1, d2))
    u = b.mul(b.sub(a, four), b.mul(inverse, d2))
    first, *rest = ERFC[a.type]
    p, p_low = fast_two_sum(b, b.const(first, a.type), b.mul(u, polynomial(b, u, rest)))
    r = b.mul(inverse, d1)
    q = b.mul(p, r)
    return q, b.mul(b.fma(b.neg(q), d2_low, b.add(b.fma(b.neg(q), d2, p), p_low)), r)


def _erfc_positive(b: Builder, a: Val) -> Val:
    """erfc of a in [0, 28]"""
    q, q_low = _scaled_erfc(b, a)
    square, low = two_product(b, a, a)
    head, tail, n = exp_parts(b, b.neg(square), b.neg(low))
    y, y_low = two_product(b, head, q)
    return b.ldexp(b.add(y, b.fma(head, q_low, b.fma(tail, q, y_low))), n)


def erfc(b: Builder, x: Val) -> Val:
    """erfc(-a) = 2 - erfc(a); around 0 from erf's polynomial."""
    a = b.abs(x)
    limit = MAX_ERFC_ARGUMENT[x.type]
    far = _erfc_positive(b, b.select(b.gt(a, limit), limit, a))
    far = b.select(b.lt(x, 0.0), b.sub(2.0, far), far)
    z = b.mul(x, x)
    near = b.fma(b.neg(x), polynomial(b, z, ERF[x.type]), b.sub(1.0, x))
    return b.select(b.lt(a, MAX_ERFC_POLYNOMIAL_ARGUMENT[x.type]), near, far)


def erf(b: Builder, x: Val) -> Val:
    """By pieces of one length, the first three quarters of it; beyond the last it is 1."""
    t, a = x.type, b.abs(x)
    limit, piece, f = MAX_ERF_ARGUMENT[t], ERF_PIECE_LENGTH[t], FORMATS[t]
    c = b.select(b.gt(a, limit), limit, a)
    shifted = b.fma(b.sub(c, piece / 4), 1 / piece, f.magic)
    return b.copysign(by_pieces(b, c, b.bitcast(shifted, f.integer), b.ne(shifted, f.magic), ERF_PIECES[t]), x)


def erfcx(b: Builder, x: Val) -> Val:
    """exp(x^2) erfc(x); below 0.6 a polynomial, beyond 28 the asymptotic series, below 0: 2 exp(a^2) - erfcx(a)."""
    t, a = x.type, b.abs(x)
    q, q_low = _scaled_erfc(b, b.select(b.gt(a, 28.0), 28.0, a))
    middle = b.add(q, q_low)
    # (1 - w + 3 w^2 - 15 w^3 ...) / (sqrt(pi) a), w = 1/(2 a^2)
    high, low = PER_ROOT_PI[t]
    inverse = b.div(1.0, a)
    w = b.mul(b.mul(inverse, inverse), 0.5)
    series = b.fma(b.mul(w, polynomial(b, w, (-1.0, 3.0, -15.0, 105.0, -945.0, 10395.0))), high, low)
    far = b.fma(series, inverse, b.div(high, a))
    positive = b.select(b.gt(a, 28.0), far, middle)
    limit = EXP_LIMITS[t][1] ** 0.5
    s = b.select(b.gt(a, limit), limit, a)
    square, square_low = two_product(b, s, s)
    e = exp_of_sum(b, square, square_low)
    negative = b.mul(b.sub(e, b.mul(middle, 0.5)), 2.0)
    near = b.fma(x, polynomial(b, x, ERFCX[t]), 1.0)
    return b.select(b.lt(a, 0.6), near, b.select(b.lt(x, 0.0), negative, positive))


def erfinv(b: Builder, x: Val) -> Val:
    """x and x times a polynomial in w = -log(1 - x^2), beyond w = 6 a polynomial in its root (M. Giles, "Approximating
    the erfinv function", 2010)."""
    t, a = x.type, b.abs(x)
    w = b.neg(log(b, b.mul(b.sub(1.0, a), b.add(a, 1.0))))
    near = b.fma(polynomial(b, b.sub(w, 3.0), ERFINV_CENTER[t]), a, a)
    s = b.sqrt(w)
    y = polynomial(b, b.sub(s, 3.2), ERFINV_MIDDLE[t])
    if t == "float64":
        y = b.select(b.gt(s, 4.1), polynomial(b, b.sub(s, 5.0), ERFINV_TAIL[t]), y)
    y = b.select(b.eq(a, 1.0), float("inf"), b.select(b.gt(w, 6.0), y, near))
    return b.copysign(y, x)


def _exact_erf(mp: Any, x: float) -> Any:
    return mp.erf(max(min(x, 40.0), -40.0))  # mpmath fails for huge arguments


def _exact_erfc(mp: Any, x: float) -> Any:
    return mp.erfc(max(min(x, 40.0), -40.0))


def _exact_erfinv(mp: Any, x: float) -> Any:
    """From 0.9 on by Newton's method on the logarithm of erfc."""
    a = abs(mp.mpf(x))
    if not a < 1:
        return mp.sign(x) * mp.inf if a == 1 else mp.nan
    if a < 0.9:
        return mp.erfinv(x)
    y = mp.sqrt(-mp.log(1 - a))
    for _ in range(8):
        c = mp.erfc(y)
        y += (mp.log(c) - mp.log(1 - a)) * c * mp.sqrt(mp.pi) / 2 * mp.exp(y * y)
    return mp.sign(x) * y


def _exact_erfcx(mp: Any, x: float) -> Any:
    """Beyond 1000 by the asymptotic series."""
    square = mp.mpf(x) ** 2
    if abs(x) < 1000:
        return mp.exp(square) * mp.erfc(x)
    return (1 - 1 / (2 * square) + 3 / (4 * square**2)) / (mp.sqrt(mp.pi) * x) if x > 0 else mp.inf


FUNCTIONS = (
    Function("erf", erf, ulps(1.5), vectorised(math.erf), ((-1.2, 1.2), (-7, 7)), _exact_erf, monotonic=RISING),
    Function(
        "erfc", erfc, ulps(2), vectorised(math.erfc), ((-2, 6), (0, 28)), _exact_erfc, monotonic=FALLING, steps_back=1
    ),
    Function(
        "erfinv", erfinv, ulps(2), vectorised(inverse_erf), ((-1, 1), (0.9, 1), (0.99999, 1)), _exact_erfinv,
        monotonic=RISING, steps_back=1,
    ),
    Function(
        "erfcx", erfcx, ulps(2), vectorised(scaled_erfc), ((-2, 6), (-27, 1000)), _exact_erfcx, monotonic=FALLING,
        steps_back=1,
    ),
)  # fmt: skip
