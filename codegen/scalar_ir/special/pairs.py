"""Numbers as head and tail, of about 104 bits: what exponents of large powers need, whose errors their results have.

Contract   a pair is two float64 terms, the tail at most about a unit in the head's last place; heads must be finite.
Ref        T. Dekker, "A floating-point technique for extending the available precision" (1971); D. Knuth (two_sum).
"""

from __future__ import annotations

from tensordsl.codegen.scalar_ir.math.exponential import exp_of_sum
from tensordsl.codegen.scalar_ir.math.gamma import gammaln_parts
from tensordsl.codegen.scalar_ir.math.logarithm import precise_log
from tensordsl.codegen.scalar_ir.special.rows import loop
from tensordsl.codegen.scalar_ir.terms import Term, where

Pair = tuple[Term, Term]
LOWEST, HIGHEST = -760.0, 720.0  # exponents beyond give 0 and infinity
SERIES_BELOW, SERIES_TERMS = 0.125, 19  # |u| below which u - log(1 + u) is a series, and of how many terms
EXCESS = tuple((-1.0) ** k / (k + 3) for k in range(SERIES_TERMS))  # of u^3, less the sign: u^2/2 - u^3/3 + ...
# B_2k / (2k (2k - 1)): log gamma(x) = (x - 1/2) log x - x + log(2 pi) / 2 + sum of these / x^(2k - 1)
STIRLING = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360, 1 / 156, -3617 / 122400)
STIRLING_FROM = 10.0  # the least x of which that is summed
# B_2k / 2k: psi(x) = log x - 1 / (2 x) - sum of these / x^(2k)
PSI = (1 / 12, -1 / 120, 1 / 252, -1 / 240, 1 / 132, -691 / 32760, 1 / 12)


def two_sum(x: Term, y: Term) -> Pair:
    s = x + y
    t = s - x
    return s, (x - (s - t)) + (y - t)


def two_product(x: Term, y: Term) -> Pair:
    p = x * y
    return p, x.fma(y, -p)


def plus(x: Pair, y: Pair) -> Pair:
    s, e = two_sum(x[0], y[0])
    return renewed(s, e + (x[1] + y[1]))


def minus(x: Pair, y: Pair) -> Pair:
    return plus(x, (-y[0], -y[1]))


def times(x: Pair, y: Pair) -> Pair:
    p, e = two_product(x[0], y[0])
    return renewed(p, e + x[0].fma(y[1], x[1] * y[0]))


def over(x: Pair, y: Term) -> Pair:
    q = x[0] / y
    return q, ((-q).fma(y, x[0]) + x[1]) / y


def quotient(x: Pair, y: Pair) -> Pair:
    q = x[0] / y[0]
    p, e = two_product(q, y[0])
    return renewed(q, (((x[0] - p) - e) + x[1] - q * y[1]) / y[0])


def renewed(head: Term, tail: Term) -> Pair:
    """The same sum with a small tail."""
    s = head + tail
    return s, tail - (s - head)


def choose(condition: Term, x: Pair, y: Pair) -> Pair:
    return where(condition, x[0], y[0]), where(condition, x[1], y[1])


def alone(x: Term) -> Pair:
    return x, x.constant(0.0)


def log(x: Term, tail: Term | None = None) -> Pair:
    """The logarithm of a positive number, or of a pair."""
    head, low = precise_log(x.b, x.value)
    rest = Term(x.b, low)
    return Term(x.b, head), rest if tail is None else rest + tail / x


def log_gamma(x: Term) -> Pair:
    """log gamma(x), x > 0."""
    head, tail = gammaln_parts(x.b, x.value, "float64")
    return Term(x.b, head), Term(x.b, tail)


def exp(x: Pair) -> Term:
    head = x[0].max(LOWEST).min(HIGHEST)
    tail = where(abs(x[1]) < 0.1, x[1], 0.0)
    return Term(head.b, exp_of_sum(head.b, head.value, tail.value))


def polynomial(x: Term, coefficients: tuple[float, ...]) -> Term:
    """Lowest power first."""
    result = x.constant(coefficients[-1])
    for c in coefficients[-2::-1]:
        result = result.fma(x, c)
    return result


def excess(u: Pair) -> Pair:
    """u - log(1 + u), u > -1: near 0 the series u^2 / 2 - u^3 / 3 + ..."""
    head, tail = u
    is_near = abs(head) < SERIES_BELOW
    v = where(is_near, head, 0.0)
    square, low = two_product(v, v)
    near = renewed(square * 0.5, v.fma(tail, low * 0.5) - square * v * polynomial(v, EXCESS))
    r = where(is_near, 0.0, head)
    w = r + 1.0
    is_zero = w <= 0.0
    rest = where(is_zero, 0.0, (r - (w - 1.0)) + tail)
    return choose(is_near, near, minus((r, tail), log(where(is_zero, tail.max(1e-300), w), rest)))


def log_of_ratio(u: Term, ratio: Term) -> Term:
    """log(1 + u), 1 + u = ratio, of which u is exact near 0."""
    return where(u < -0.5, ratio.call("log"), u.max(-0.5).call("log1p"))


def stirling_rest(x: Term) -> Term:
    """log gamma(x) - ((x - 1/2) log x - x + log(2 pi) / 2), x >= 10"""
    inverse = 1.0 / x
    return polynomial(inverse * inverse, STIRLING) * inverse


def psi_excess(x: Term) -> Term:
    """log(x) - psi(x), x >= 10"""
    inverse = 1.0 / x
    square = inverse * inverse
    return inverse * 0.5 + square * polynomial(square, PSI)


def psi_slope(x: Term) -> Term:
    """psi(x) to some digits, x > 0: what an error of x changes in log gamma(x)."""
    inverse = 1.0 / (x + 1.0)
    return (x + 1.0).call("log") - inverse * (inverse * (1 / 12) + 0.5) - 1.0 / x


# -- psi(a + b) - psi(a), which cancels for small b ------------------------------------------------------------------
RISE_TERMS = 10  # of the sum


def _start_rise(a: Term, b: Term) -> tuple[Term, ...]:
    """From both arguments plus RISE_TERMS on: log(1 + b / a) and the differences of the series."""
    x, y = a + float(RISE_TERMS), a + b + float(RISE_TERMS)
    p, q = 1.0 / x, 1.0 / y
    s, t = p * p, q * q
    # p^2k - q^2k = (p^2 - q^2) times the sum of products of powers.
    step = (p + q) * (b * p * q)
    total, power, other = a.constant(0.0), a.constant(1.0), a.constant(1.0)
    for c in PSI[:-1]:
        total = total + other * c
        power = power * s
        other = other.fma(t, power)
    return ((b / x).call("log1p") + b * p * q * 0.5 + step * total,)


def _rise(number: Term, state: tuple[Term, ...], a: Term, b: Term) -> tuple[tuple[Term, ...], Term, Term]:
    """Terms b / ((a + k) (a + b + k)) from the last one, which is small, on."""
    k = float(RISE_TERMS - 1) - number.cast("float64")
    total = state[0] + b / ((a + k) * (a + b + k))
    return (total,), total, k <= 0.0


REPETITIONS = (loop("psi_rise", _start_rise, _rise, RISE_TERMS),)
