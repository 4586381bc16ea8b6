"""gamma, gammaln, digamma, trigamma.

Method     x >= 5/2: Stirling's series in z = x - 1/2, which converges faster than in x; below that polynomials on
           [1, 5/2], to which one step of the recurrence leads from [0, 1]; x < 0 by reflection, in the slow tier.
Why        the fast tier is for positive arguments alone.  float32 is computed in float64, by shorter polynomials.
Ref        NIST DLMF 5.11 (the series), 5.5 (recurrence, reflection).
"""

from __future__ import annotations

import math
from typing import Any

from tensordsl.codegen.scalar_ir.builder import Builder, Val
from tensordsl.codegen.scalar_ir.math.coefficients import (
    DIGAMMA,
    DIGAMMA_ROOT,
    DIGAMMA_SERIES,
    GAMMA,
    GAMMA_SERIES,
    GAMMALN,
    HALF_LOG_2PI,
    PI,
    ROOT_2PI,
    STIRLING,
    TRIGAMMA,
    TRIGAMMA_SERIES,
)
from tensordsl.codegen.scalar_ir.math.exponential import exp_parts
from tensordsl.codegen.scalar_ir.math.floating_point import (
    fast_two_sum,
    polynomial,
    round_by_magic,
    two_product,
    two_sum,
)
from tensordsl.codegen.scalar_ir.math.function import Expansion, Function, SlowTier, ulps
from tensordsl.codegen.scalar_ir.math.logarithm import log, precise_log
from tensordsl.codegen.scalar_ir.math.trigonometric import cosine_parts, sine_correction
from tensordsl.ops.math.scalars import digamma as numpy_digamma
from tensordsl.ops.math.scalars import gamma_function, lgamma, numpy_polygamma, vectorised

INF, NAN = float("inf"), float("nan")
SERIES_MIN_ARGUMENT = 2.5  # from here on Stirling's series, below polynomials
Pair = tuple[Val, Val]  # a number as head and tail

# Arguments between which the fast tiers are right.
FAST_TIER_LIMITS = {
    "gammaln": (1e-300, 2.5e305),
    "digamma": (1e-300, 1e308),
    "trigamma": (1e-150, 1e308),
    "gamma": (1e-300, 171.0),
}


def _sine_cosine_of_pi(b: Builder, x: Val) -> tuple[Pair, Pair]:
    """|sin(pi x)| and, with the sign that makes the quotient cot(pi x), cos(pi x)."""
    fraction = b.sub(x, b.floor(x))
    n, _ = round_by_magic(b, fraction, 2.0)  # 0, 1 or 2
    r = b.sub(fraction, b.mul(n, 0.5))
    angle, error = two_product(b, r, b.const(PI["float64"][0], x.type))
    excess = b.neg(b.fma(r, PI["float64"][1], error))
    s = fast_two_sum(b, angle, b.neg(sine_correction(b, angle, excess)))
    c = fast_two_sum(b, *cosine_parts(b, angle, excess))
    odd, last = b.eq(n, 1.0), b.eq(n, 2.0)
    # n = 0: (s, c); 1: (c, -s); 2: (-s, -c)
    sin = [b.select(odd, v, b.select(last, b.neg(u), u)) for u, v in zip(s, c, strict=True)]
    cos = [b.select(odd, b.neg(u), b.select(last, b.neg(v), v)) for u, v in zip(s, c, strict=True)]
    return (sin[0], sin[1]), (cos[0], cos[1])


def _quotient(b: Builder, x: Pair, y: Pair) -> Pair:
    q = b.div(x[0], y[0])
    error = b.sub(b.add(b.fma(b.neg(q), y[0], x[0]), x[1]), b.mul(q, y[1]))
    return q, b.div(error, y[0])


def _product(b: Builder, x: Pair, y: Pair) -> Pair:
    p, low = two_product(b, x[0], y[0])
    return p, b.add(low, b.fma(x[0], y[1], b.mul(x[1], y[0])))


def _pi(b: Builder) -> Pair:
    return b.const(PI["float64"][0], "float64"), b.const(PI["float64"][1], "float64")


def _polynomial_in_two_parts(b: Builder, x: Val, table: tuple[float, ...]) -> Pair:
    """A polynomial as head and tail: the first coefficient is added without an error."""
    first, *rest = table
    return fast_two_sum(b, b.const(first, x.type), b.mul(x, polynomial(b, x, rest)))


def gammaln_parts(b: Builder, x: Val, tables: str) -> Pair:
    """x > 0.  From 5/2 on: z (log z - 1) + log(2 pi)/2 + STIRLING(1/z^2)/z; below: (u - 2)(u - 1) GAMMALN(u - 2) with
    u = x or, for x < 1, x + 1, and then less log(x)."""
    far, below = b.ge(x, SERIES_MIN_ARGUMENT), b.lt(x, 1.0)
    z = b.sub(x, 0.5)
    head, tail = precise_log(b, b.select(far, z, x))
    inverse = b.div(1.0, z)
    series = b.mul(inverse, polynomial(b, b.mul(inverse, inverse), STIRLING[tables]))
    less, less_low = fast_two_sum(b, head, b.const(-1.0, x.type))
    p, p_low = two_product(b, z, less)
    high, low = HALF_LOG_2PI["float64"]
    s, e = two_sum(b, p, b.const(high, x.type))
    s_low = b.add(e, b.add(b.fma(z, b.add(less_low, tail), p_low), b.add(series, low)))
    # For x < 1 the distance from 1 is x itself: 1 + x may have lost bits.
    d, e = b.sub(x, b.select(below, 1.0, b.const(2.0, x.type))), b.select(below, x, b.sub(x, 1.0))
    zero = b.const(0.0, x.type)
    v, v_low = _product(b, _product(b, (d, zero), (e, zero)), _polynomial_in_two_parts(b, d, GAMMALN[tables]))
    minus = b.select(below, b.neg(head), zero)
    n, n_low = two_sum(b, minus, v)
    n_low = b.add(n_low, b.add(v_low, b.select(below, b.neg(tail), zero)))
    return b.select(far, s, n), b.select(far, s_low, n_low)


def gammaln(b: Builder, x: Val, tables: str) -> Val:
    return b.add(*gammaln_parts(b, x, tables))


def slow_gammaln(b: Builder, x: Val) -> Val:
    """x < 0: log(pi / (|x sin(pi x)|)) - gammaln(-x).  Poles give inf."""
    a, high = b.abs(x), FAST_TIER_LIMITS["gammaln"][1]
    usual = b.le(a, high)
    tiny = b.lt(a, 1e-30)  # there log |gamma(x)| is -log |x|
    c = b.select(b.and_(usual, b.not_(tiny)), a, 1.5)
    positive, positive_low = gammaln_parts(b, c, "float64")
    sin, _ = _sine_cosine_of_pi(b, c)
    pole = b.eq(sin[0], 0.0)
    sin = b.select(pole, 1.0, sin[0]), sin[1]
    q, q_low = _quotient(b, _pi(b), _product(b, (c, b.const(0.0, x.type)), sin))
    head, tail = precise_log(b, q)
    s, e = two_sum(b, head, b.neg(positive))
    reflected = b.add(s, b.add(e, b.add(b.sub(tail, positive_low), b.div(q_low, q))))
    reflected = b.select(pole, INF, reflected)
    negative = b.lt(x, 0.0)
    y = b.select(negative, reflected, b.add(positive, positive_low))
    logarithm = log(b, a)
    y = b.select(tiny, b.neg(logarithm), y)
    huge = b.select(negative, b.const(INF, x.type), b.mul(b.sub(logarithm, 1.0), a))
    y = b.select(usual, y, huge)
    y = b.select(b.eq(a, INF), INF, y)
    return b.select(b.isnan(x), x, y)


def _reciprocal(b: Builder, x: Val) -> Pair:
    """1/x and its error."""
    q = b.div(1.0, x)
    return q, b.mul(b.fma(b.neg(q), x, 1.0), q)


def digamma(b: Builder, x: Val, tables: str) -> Val:
    """From 5/2 on: log z + DIGAMMA_SERIES(1/z^2)/z^2; below: (u - root) DIGAMMA(u - root), and less 1/x for x < 1."""
    far, below = b.ge(x, SERIES_MIN_ARGUMENT), b.lt(x, 1.0)
    z = b.sub(x, 0.5)
    inverse, error = _reciprocal(b, b.select(far, z, x))
    w = b.mul(inverse, inverse)
    large = b.fma(w, polynomial(b, w, DIGAMMA_SERIES[tables]), log(b, z))
    root, root_low = DIGAMMA_ROOT["float64"]
    # For x < 1 the distance from the root is (1 - root) + x: 1 + x may have lost bits.
    d = b.sub(b.select(below, b.add(x, 1.0 - root), b.sub(x, root)), root_low)
    head, tail = (b.select(below, b.neg(v), 0.0) for v in (inverse, error))
    return b.select(far, large, b.add(head, b.fma(d, polynomial(b, d, DIGAMMA[tables]), tail)))


def slow_digamma(b: Builder, x: Val) -> Val:
    """x < 0: digamma(1 + a) + pi cot(pi a), a = -x, with digamma(1 + a) = digamma(a) + 1/a.

    The poles at the negative integers give nan, zeros an infinity of the other sign, as in SciPy.
    """
    a = b.abs(x)
    pole = b.lt(a, 1e-30)  # there digamma(x) is -1/x
    c = b.select(b.or_(pole, b.not_(b.lt(a, FAST_TIER_LIMITS["digamma"][1]))), 1.5, a)
    positive = digamma(b, c, "float64")
    sin, cos = _sine_cosine_of_pi(b, c)
    cot, cot_low = _quotient(b, _product(b, cos, _pi(b)), sin)
    # Below 1 the two reciprocals would cancel.
    next_ = b.select(b.lt(c, 1.0), digamma(b, b.add(c, 1.0), "float64"), b.add(positive, b.div(1.0, c)))
    reflected = b.add(cot, b.add(cot_low, next_))
    reflected = b.select(b.eq(sin[0], 0.0), NAN, reflected)
    negative = b.lt(x, 0.0)
    y = b.select(negative, reflected, positive)
    y = b.select(b.ge(a, FAST_TIER_LIMITS["digamma"][1]), b.select(negative, b.const(NAN, x.type), log(b, a)), y)
    return b.select(b.isnan(x), x, b.select(pole, b.div(-1.0, x), y))


def _trigamma_parts(b: Builder, x: Val, tables: str) -> Pair:
    """From 5/2 on: (1 + TRIGAMMA_SERIES(1/z^2)/z^2)/z; below: TRIGAMMA(u - 2), and 1/x^2 more for x < 1."""
    far, below = b.ge(x, SERIES_MIN_ARGUMENT), b.lt(x, 1.0)
    inverse, error = _reciprocal(b, b.select(far, b.sub(x, 0.5), x))
    w, w_low = _product(b, (inverse, error), (inverse, error))
    large = b.fma(b.mul(w, inverse), polynomial(b, w, TRIGAMMA_SERIES[tables]), error)
    d = b.sub(x, b.select(below, 1.0, b.const(2.0, x.type)))
    first, second, *rest = TRIGAMMA[tables]
    p, p_low = two_product(b, d, b.const(second, x.type))
    near, near_low = fast_two_sum(b, b.const(first, x.type), p)
    near_low = b.add(near_low, b.fma(b.mul(d, d), polynomial(b, d, rest), p_low))
    head, e = fast_two_sum(b, b.select(below, w, 0.0), near)
    tail = b.add(e, b.add(near_low, b.select(below, w_low, 0.0)))
    return b.select(far, inverse, head), b.select(far, large, tail)


def trigamma(b: Builder, x: Val, tables: str) -> Val:
    return b.add(*_trigamma_parts(b, x, tables))


def slow_trigamma(b: Builder, x: Val) -> Val:
    """x < 0: (pi / sin(pi a))^2 - trigamma(1 + a), a = -x, with trigamma(1 + a) = trigamma(a) - 1/a^2.

    Poles give inf, as in SciPy.
    """
    a = b.abs(x)
    tiny = b.lt(a, 1e-20)  # there trigamma(x) is 1/x^2
    usual = b.lt(a, INF)
    c = b.select(b.and_(usual, b.not_(tiny)), a, 1.5)
    positive = trigamma(b, c, "float64")
    sin, _ = _sine_cosine_of_pi(b, c)
    pole = b.eq(sin[0], 0.0)
    q = _quotient(b, _pi(b), (b.select(pole, 1.0, sin[0]), sin[1]))
    p, p_low = _product(b, q, q)
    below = b.lt(c, 1.0)
    inverse = b.div(1.0, c)
    next_ = trigamma(b, b.select(below, b.add(c, 1.0), c), "float64")
    next_ = b.select(below, next_, b.fma(b.neg(inverse), inverse, next_))
    s, e = fast_two_sum(b, p, b.neg(next_))
    reflected = b.select(pole, INF, b.add(s, b.add(e, p_low)))
    negative = b.lt(x, 0.0)
    y = b.select(negative, reflected, positive)
    y = b.select(b.or_(usual, b.isnan(x)), y, b.select(negative, b.const(NAN, x.type), b.div(1.0, a)))
    inverse = b.div(1.0, a)
    y = b.select(tiny, b.mul(inverse, inverse), y)
    return b.select(b.isnan(x), x, y)


def _gamma_parts(b: Builder, x: Val, tables: str) -> tuple[Val, Val, Val]:
    """(head, tail, n): gamma(x) = (head + tail) 2^n of 0 < x < 300.

    From 5/2 on: sqrt(2 pi) exp(z (log z - 1)) (1 + GAMMA_SERIES(1/z)/z); below: GAMMA on [3/2, 5/2], or that over x
    or x (x + 1).
    """
    far, zero = b.ge(x, SERIES_MIN_ARGUMENT), b.const(0.0, x.type)
    once, twice = b.lt(x, 1.5), b.lt(x, 0.5)
    next_ = b.add(x, 1.0)
    d, d_low = two_product(b, x, next_)
    d_low = b.fma(x, b.sub(x, b.sub(next_, 1.0)), d_low)
    divisor = b.select(twice, d, b.select(once, x, 1.0)), b.select(twice, d_low, zero)
    shift = b.select(twice, x, b.select(once, b.sub(x, 1.0), b.sub(x, 2.0)))
    near, near_low = _quotient(b, _polynomial_in_two_parts(b, shift, GAMMA[tables]), divisor)
    z = b.sub(b.select(far, x, SERIES_MIN_ARGUMENT), 0.5)
    head, tail = precise_log(b, z)
    less, less_low = fast_two_sum(b, head, b.const(-1.0, x.type))
    p, p_low = two_product(b, z, less)
    high, low, n = exp_parts(b, p, b.fma(z, b.add(less_low, tail), p_low))
    w = b.div(1.0, z)
    root = b.const(ROOT_2PI["float64"][0], x.type), b.const(ROOT_2PI["float64"][1], x.type)
    correction = b.mul(b.mul(w, polynomial(b, w, GAMMA_SERIES[tables])), b.add(high, low))
    high, low = fast_two_sum(b, high, b.add(low, correction))
    g, g_low = _product(b, root, (high, low))
    return b.select(far, g, near), b.select(far, g_low, near_low), b.select(far, n, zero)


def gamma(b: Builder, x: Val, tables: str) -> Val:
    head, tail, n = _gamma_parts(b, x, tables)
    return b.ldexp(b.add(head, tail), n)


def slow_gamma(b: Builder, x: Val) -> Val:
    """x < 0: -pi / (a sin(pi a) gamma(a)), a = -x.  Poles give nan, zeros an infinity of their sign."""
    a = b.abs(x)
    tiny = b.lt(a, 1e-17)
    c = b.select(tiny, 1.5, b.select(b.lt(a, 190.0), a, 190.0))
    head, tail, n = _gamma_parts(b, c, "float64")
    sin, _ = _sine_cosine_of_pi(b, c)
    q, q_low = _quotient(b, _pi(b), _product(b, _product(b, (c, b.const(0.0, x.type)), sin), (head, tail)))
    down = b.sub(c, b.mul(b.floor(b.mul(c, 0.5)), 2.0))
    sign = b.select(b.ge(down, 1.0), b.const(1.0, x.type), b.const(-1.0, x.type))
    reflected = b.ldexp(b.mul(b.add(q, q_low), sign), b.neg(n))
    reflected = b.select(b.or_(b.eq(b.floor(x), x), b.not_(b.lt(a, INF))), NAN, reflected)
    negative = b.lt(x, 0.0)
    y = b.select(negative, reflected, b.ldexp(b.add(head, tail), n))
    far_down = b.and_(negative, b.and_(b.gt(a, 185.0), b.ne(b.floor(x), x)))
    y = b.select(far_down, _underflow(b, x), y)
    y = b.select(b.gt(x, 172.0), INF, b.select(tiny, b.div(1.0, x), y))
    return b.select(b.isnan(x), x, y)


def _underflow(b: Builder, x: Val) -> Val:
    """What gamma underflows to: 0.0 where floor(x) is even, else -0.0."""
    half = b.mul(b.floor(x), 0.5)
    return b.select(b.eq(b.floor(half), half), b.const(0.0, x.type), b.const(-0.0, x.type))


def _wide(function: Expansion) -> Expansion:
    """Of float32 in float64, by the tables of float32."""

    def expansion(b: Builder, x: Val) -> Val:
        return b.cast(function(b, b.cast(x, "float64"), x.type), x.type)

    return expansion


def _guard(name: str) -> Expansion:
    low, high = FAST_TIER_LIMITS[name]

    def expansion(b: Builder, x: Val) -> Val:
        wide = b.cast(x, "float64")
        return b.not_(b.and_(b.gt(wide, low), b.lt(wide, high)))

    return expansion


def _is_pole(x: float) -> bool:
    return x <= 0 and x == math.floor(x)


def _exact_gammaln(mp: Any, x: float) -> Any:
    return mp.inf if math.isinf(x) or _is_pole(x) else mp.re(mp.loggamma(x))


def _exact_digamma(mp: Any, x: float) -> Any:
    """At 0 an infinity of the other sign; nan at the other poles and at -inf."""
    if x == 0:
        return math.copysign(math.inf, -x)
    return mp.nan if x == -math.inf or _is_pole(x) else mp.digamma(x)


def _exact_trigamma(mp: Any, x: float) -> Any:
    """inf at the poles, nan at -inf."""
    if math.isinf(x) or _is_pole(x):
        return 0.0 if x > 0 else mp.nan if math.isinf(x) else mp.inf
    return mp.psi(1, x) if x > 0 else (mp.pi / mp.sinpi(x)) ** 2 - mp.psi(1, 1 - x)


def _exact_gamma(mp: Any, x: float) -> Any:
    """At 0 an infinity of its sign; nan at the other poles and at -inf."""
    if x == 0:
        return math.copysign(math.inf, x)
    return mp.nan if x == -math.inf or _is_pole(x) else mp.gamma(x)


def _function(
    name: str, tiers: tuple[Expansion, Expansion], bound: dict[str, float], interpret: Any, oracle: Any, **columns: Any
) -> Function:
    fast, slow = tiers
    tier = SlowTier(_guard(name), _wide(lambda b, x, _: slow(b, x)), is_long=True)
    domain = columns.pop("domain", ((0, 3), (-5, 20)))
    return Function(name, _wide(fast), bound, interpret, domain, oracle, slow_tier=tier, **columns)


FUNCTIONS = (
    _function(
        "gammaln", (gammaln, slow_gammaln), ulps(2, 1), vectorised(lgamma), _exact_gammaln,
        slope=lambda mp, x: mp.digamma(x),
    ),
    _function(
        "digamma", (digamma, slow_digamma), ulps(2, 1), vectorised(numpy_digamma), _exact_digamma,
        slope=lambda mp, x: mp.psi(1, x),
    ),
    _function(
        "trigamma", (trigamma, slow_trigamma), ulps(2, 1), lambda x: numpy_polygamma(x, 1), _exact_trigamma
    ),
    _function(
        "gamma", (gamma, slow_gamma), ulps(2, 1), vectorised(gamma_function), _exact_gamma,
        domain=((0, 3), (-5, 20), (-186, 172)),
    ),
)  # fmt: skip
