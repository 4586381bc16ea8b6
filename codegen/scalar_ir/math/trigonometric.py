"""sin, cos, tan for every argument.

Method     x = n pi/2 + r - excess, polynomials for |r| <= pi/4, and n mod 4.  Up to `MAX_FAST_ARGUMENT` by pi/2 in
           three parts (Cody and Waite); in the slow tier by the bits of 2/pi that matter at x's exponent (Payne and
           Hanek).
Ref        W. Cody and W. Waite, "Software manual for the elementary functions", 1980; M. Payne and R. Hanek, 1983.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tensordsl.codegen.scalar_ir.builder import Builder, Val
from tensordsl.codegen.scalar_ir.math.coefficients import (
    COS,
    PI_2,
    PI_2_DOWN,
    SIN,
    TAN_DENOMINATOR,
    TAN_NUMERATOR,
    TWO_OVER_PI,
)
from tensordsl.codegen.scalar_ir.math.floating_point import (
    FORMATS,
    fast_two_sum,
    polynomial,
    round_by_magic,
    two_product,
    two_sum,
)
from tensordsl.codegen.scalar_ir.math.function import Expansion, Function, SlowTier, ulps

# Up to here n pi/2 by three parts of pi/2 is exact to the last place.
MAX_FAST_ARGUMENT = {"float64": 2.0**40, "float32": 2.0**17}
TABLE_STEP_BITS = 25  # bits of 2/pi between two entries of the table

Reduced = tuple[Val, Val, Val]  # r, excess, n (an integer; its two low bits count): x = n pi/2 + r - excess


def reduce_cody_waite(b: Builder, x: Val) -> Reduced:
    """n p0 leaves an exact rest, n p1 is subtracted with its errors, n p2 goes to the excess; that of -0.0 is 0.0."""
    n, bits = round_by_magic(b, x, {"float64": 0.6366197723675814, "float32": 0.6366197466850281}[x.type])
    p0, p1, p2 = PI_2_DOWN[x.type]
    r0 = b.fma(n, -p0, x)
    w, error = two_product(b, n, b.const(p1, x.type))
    r1 = b.sub(r0, w)
    lost = b.sub(b.sub(r0, r1), w)
    return r1, b.fma(n, p2, b.sub(error, lost)), bits


def reduce_payne_hanek(b: Builder, x: Val, chunks: int = 4) -> Reduced:
    """Of float64, finite, |x| >= 2^16.  x times the `chunks` parts of 2/pi that matter, by exact products of which
    multiples of 4 are left out; the closest that a float64 comes to a multiple of pi/2 is 2^-61.

    Part i of `TWO_OVER_PI` holds the 2 TABLE_STEP_BITS bits of 2/pi behind the first i TABLE_STEP_BITS ones.
    """
    t = x.type
    i = b.maximum(b.floor(b.mul(b.sub(b.exponent(x), 55.0), 1.0 / TABLE_STEP_BITS)), 0.0)
    index = b.bitcast(b.add(i, FORMATS[t].magic), FORMATS[t].integer)
    x = b.ldexp(x, b.mul(i, float(-TABLE_STEP_BITS)))  # below 2^80
    products = [two_product(b, x, b.lookup(TWO_OVER_PI, b.add(index, 2 * k))) for k in range(chunks)]
    scaled = [[b.mul(v, 2.0 ** (-2 * TABLE_STEP_BITS * k)) for v in pair] for k, pair in enumerate(products)]
    first, second, third = (_without_multiples_of_4(b, v) for v in (*scaled[0], scaled[1][0]))
    s, low1 = two_sum(b, first, second)
    s, low2 = two_sum(b, s, third)
    n, bits = round_by_magic(b, s, 1.0)
    rest = [scaled[1][1], *(v for pair in scaled[2:] for v in pair)]
    high, low = _sum(b, [b.sub(s, n), rest[1], rest[0], low1, low2, *rest[2:]])
    r, error = two_product(b, high, b.const(PI_2[t][0], t))
    tail = b.add(error, b.fma(high, PI_2[t][1], b.mul(low, PI_2[t][0])))
    r, tail = fast_two_sum(b, r, tail)
    return r, b.neg(tail), bits


def _without_multiples_of_4(b: Builder, x: Val) -> Val:
    """x mod 4, in [-2, 2]; exact."""
    return b.fma(b.rint(b.mul(x, 0.25)), -4.0, x)


def _sum(b: Builder, parts: list[Val]) -> tuple[Val, Val]:
    """The sum of parts of falling size as head and tail."""
    high, tails = parts[-1], []
    for p in reversed(parts[:-1]):
        high, low = two_sum(b, p, high)
        tails.append(low)
    low = tails[0]
    for t in tails[1:]:
        low = b.add(low, t)
    return fast_two_sum(b, high, low)


def sine_correction(b: Builder, r: Val, excess: Val) -> Val:
    """r - sin(r - excess)"""
    z = b.mul(r, r)
    return b.fma(b.mul(r, z), polynomial(b, z, [-c for c in SIN[r.type]]), excess)


def cosine_parts(b: Builder, r: Val, excess: Val) -> tuple[Val, Val]:
    """1 - r^2/2 rounded, and the rest of cos(r - excess)."""
    z = b.mul(r, r)
    h = b.mul(z, 0.5)
    w = b.sub(1.0, h)
    error = b.sub(b.sub(1.0, w), h)
    rest = b.fma(r, excess, b.mul(b.mul(z, z), polynomial(b, z, COS[r.type])))
    return w, b.add(error, rest)


def _odd(b: Builder, n: Val) -> Val:
    return b.ne(b.and_(n, 1), 0)


def _sine_of(b: Builder, reduced: Reduced) -> Val:
    r, excess, n = reduced
    f = FORMATS[r.type]
    y = b.select(_odd(b, n), b.add(*cosine_parts(b, r, excess)), b.sub(r, sine_correction(b, r, excess)))
    sign = b.shl(b.and_(n, 2), f.bits - 2)
    return b.bitcast(b.xor(b.bitcast(y, f.integer), sign), r.type)


def _cosine_of(b: Builder, reduced: Reduced) -> Val:
    r, excess, n = reduced
    return _sine_of(b, (r, excess, b.add(n, 1)))


def _tangent_of(b: Builder, reduced: Reduced) -> Val:
    """tan(r) = r + E/D by polynomials E and D; where n is odd -1/tan(r) = -D/(r D + E), in which an error of D counts
    as little as E.  The excess's factor is D/cos(r)^2, nearly."""
    r, excess, n = reduced
    z, odd = b.mul(r, r), _odd(b, n)
    excess = b.fma(b.mul(z, 0.75), excess, excess)
    e = b.fma(b.mul(r, z), polynomial(b, z, TAN_NUMERATOR[r.type]), b.neg(excess))
    d = polynomial(b, z, (1.0, *TAN_DENOMINATOR[r.type]))
    q = b.div(b.select(odd, b.neg(d), e), b.select(odd, b.fma(r, d, e), d))
    return b.add(b.select(odd, 0.0, r), q)


def _fast(of: Callable[[Builder, Reduced], Val]) -> Expansion:
    return lambda b, x: of(b, reduce_cody_waite(b, x))


def _guard(b: Builder, x: Val) -> Val:
    return b.ge(b.abs(x), MAX_FAST_ARGUMENT[x.type])


def _slow(of: Callable[[Builder, Reduced], Val]) -> Expansion:
    """Right where the guard is true."""

    def expansion(b: Builder, x: Val) -> Val:
        wide = b.cast(x, "float64")
        finite = b.lt(b.abs(wide), float("inf"))
        y = of(b, reduce_payne_hanek(b, b.select(finite, wide, 1e10), 4 if x.type == "float64" else 3))
        return b.cast(b.select(finite, y, float("nan")), x.type)

    return expansion


def _function(name: str, of: Callable[[Builder, Reduced], Val], bound: float) -> Function:
    tier = SlowTier(_guard, _slow(of), is_long=True)
    return Function(name, _fast(of), ulps(bound), getattr(np, name), ((-10, 10), (-1e5, 1e5)), slow_tier=tier)


FUNCTIONS = (_function("sin", _sine_of, 1), _function("cos", _cosine_of, 1), _function("tan", _tangent_of, 2))
