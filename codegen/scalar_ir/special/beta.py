"""The regularised incomplete beta function I_x(a, b), its derivatives by the parameters, and its inverse.

Contract   a, b > 0, 0 < x < 1, y the rounded 1 - x: the smaller one of the two is exact.
Method     x^a y^b / B(a, b) with an exponent in two parts, over a continued fraction: A. DiDonato and A. Morris,
           "Significant digit computation of the incomplete beta function ratios", ACM TOMS 18 (1992), equation 9.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from tensordsl.codegen.scalar_ir.special import pairs, sums
from tensordsl.codegen.scalar_ir.special.pairs import STIRLING_FROM, Pair, stirling_rest
from tensordsl.codegen.scalar_ir.special.rows import loop, once
from tensordsl.codegen.scalar_ir.terms import Term, repeat, where

State = tuple[Term, ...]
Step = tuple[State, Term, Term]
MOST_STEPS = 200_000  # of the fraction: as many as parameters of 1e10 need


def _tails(x: Term, y: Term) -> tuple[Pair, Pair]:
    """x and y with x + y = 1 exactly, from the smaller one."""
    is_left = x < y
    return (x, where(is_left, 0.0, (1.0 - x) - y)), (y, where(is_left, (1.0 - y) - x, 0.0))


# -- x^a y^b / B(a, b) -------------------------------------------------------------------------------------------------
def _prefix(number: Term, state: State, a: Term, b: Term, x: Term, y: Term) -> Step:
    """Where both parameters are large sqrt(a b / (2 pi (a + b))) exp(-a h(-d / a) - b h(d / b)) with h(u) = u - log(1 +
    u), d = a y - b x, and differences of Stirling's series; else by logarithms of gamma functions."""
    u, v = _tails(x, y)
    low, high = a.min(b), a.max(b)
    total, lost = pairs.two_sum(high, low)
    is_large, has_series = low >= STIRLING_FROM, high >= STIRLING_FROM
    s, t, top = low.max(STIRLING_FROM), high.max(STIRLING_FROM), total.max(STIRLING_FROM)
    rest = stirling_rest(top) - stirling_rest(t)
    # Both large.
    p, q = a.max(STIRLING_FROM), b.max(STIRLING_FROM)
    d = pairs.minus(pairs.times(pairs.alone(p), v), pairs.times(pairs.alone(q), u))
    left, right = (
        pairs.times(pairs.alone(w), pairs.excess(pairs.over(signed, w))) for w, signed in ((p, (-d[0], -d[1])), (q, d))
    )
    large = pairs.plus(pairs.plus(left, right), pairs.alone(stirling_rest(s) - rest))
    scale = (s * (0.5 / math.pi) * (t / (s + t))).sqrt()
    # log gamma(a + b) - log gamma(high) by the series, or as it stands.
    ratio = pairs.over(pairs.alone(low), t)
    step = pairs.log(1.0 + ratio[0], (ratio[0] - ((1.0 + ratio[0]) - 1.0)) + ratio[1])
    by_series = pairs.plus(
        pairs.times(pairs.two_sum(t, t.constant(-0.5)), step),
        pairs.times(pairs.alone(low), pairs.plus(pairs.log(top), pairs.alone(low.constant(-1.0)))),
    )
    by_series = pairs.plus(by_series, pairs.alone(rest))
    f, g = where(has_series, 1.0, total), where(has_series, 1.0, high)
    by_gamma = pairs.minus(pairs.log_gamma(f), pairs.log_gamma(g))
    by_gamma = pairs.plus(by_gamma, pairs.alone(lost * pairs.psi_slope(f)))
    small = pairs.minus(pairs.choose(has_series, by_series, by_gamma), pairs.log_gamma(low))
    small = pairs.plus(small, pairs.times(pairs.alone(a), pairs.log(*u)))
    small = pairs.plus(small, pairs.times(pairs.alone(b), pairs.log(*v)))
    value = pairs.exp(pairs.choose(is_large, (-large[0], -large[1]), small))
    return (), value * where(is_large, scale, 1.0), number.is_(0)


# -- the fraction ------------------------------------------------------------------------------------------------------
def _difference(a: Term, b: Term, x: Term, y: Term) -> Term:
    """a y - b x"""
    u, v = _tails(x, y)
    return pairs.minus(pairs.times(pairs.alone(a), v), pairs.times(pairs.alone(b), u))[0]


def _fraction(by: str) -> tuple[Callable[..., State], Callable[..., Step]]:
    """(start, step) of F / a, I_x(a, b) = prefix / F = prefix / (beta_0 + alpha_1 / (beta_1 + ...)), x at most about
    the mean; or of the derivative of log(F / a) by "a" or "b"."""

    def start(a: Term, b: Term, x: Term, y: Term) -> State:
        d, inverse = _difference(a, b, x, y), 1.0 / (a + 1.0)
        first = inverse * (d + 1.0)
        slope = (y - first) * inverse if by == "a" else -x * inverse
        return d, inverse, *sums.start_fraction(first, slope if by else None)

    def step(number: Term, state: State, a: Term, b: Term, x: Term, y: Term) -> Step:
        d, r, *carried = state
        m, is_first = number.cast("float64") + 1.0, number.is_(0)
        following = 1.0 / (a + (2.0 * m + 1.0))  # r = 1 / (a + 2 m - 1)
        factor = where(is_first, 1.0, a + (m - 1.0))  # a itself is in front of the fraction
        by_factor, by_sum, less = factor * r, (a + b + (m - 1.0)) * r, b - m
        rest = (less * x) * (m * x)
        alpha = by_factor * by_sum * rest
        middle = m * r * x
        s, end = d + 1.0 + m * (y + 1.0), (a + m) * following
        beta = m + middle * less + end * s
        if not by:
            terms, is_done = sums.add_fraction(is_first, tuple(carried), alpha, beta)
            return (d, following, *terms), terms[0], is_done
        if by == "a":
            alpha_slope = (where(is_first, 0.0, r * by_sum) + by_factor * r * (1.0 - 2.0 * by_sum)) * rest
            beta_slope = following * (s + (a + m) * y - end * s) - middle * less * r
        else:
            alpha_slope = by_factor * (by_sum + less * r) * ((m * x) * x)
            beta_slope = middle - end * x
        terms, is_done = sums.add_fraction_with_slope(is_first, tuple(carried), alpha, beta, alpha_slope, beta_slope)
        return (d, following, *terms), terms[3] / terms[0], is_done

    return start, step


# -- I_x(a, b) ---------------------------------------------------------------------------------------------------------
def _sides(a: Term, b: Term, x: Term, y: Term) -> tuple[Term, ...]:
    """(is x beyond the middle, and the operands, exchanged there)."""
    is_beyond = x * (a + b + 2.0) > a + 1.0
    pairs_ = (a, b), (b, a), (x, y), (y, x)
    return is_beyond, *(where(is_beyond, other, one) for one, other in pairs_)


def _smaller_part(needed: Term, a: Term, b: Term, x: Term, y: Term) -> Term:
    return repeat("beta_prefix", needed, a, b, x, y) / a / repeat("beta_fraction", needed, a, b, x, y)


def _value(number: Term, state: State, a: Term, b: Term, x: Term, y: Term) -> Step:
    is_beyond, p, q, z, w = _sides(a, b, x, y)
    part = _smaller_part(number.is_(0), p, q, z, w)
    value = where(is_beyond, (1.0 - part).max(0.0), part.min(1.0))
    return (), value, number.is_(0)


def _inside(a: Term, b: Term, x: Term) -> State:
    """(is x within (0, 1), and are a, b positive and finite; operands that are so)."""
    is_inside = (x > 0.0) & (x < 1.0) & (a > 0.0) & (b > 0.0) & (a < 1e300) & (b < 1e300)
    p, q, z = (where(is_inside, v, 0.5) for v in (a, b, x))
    return is_inside, p.max(1e-300), q.max(1e-300), z


def _betainc(number: Term, state: State, a: Term, b: Term, x: Term) -> Step:
    """At the ends of x, and of parameters for which the distribution is one point, the limits."""
    is_inside, p, q, z = _inside(a, b, x)
    value = repeat("beta_value", is_inside, p, q, z, 1.0 - z)
    is_zero = x.is_(0.0) | ((b.is_(0.0) | a.is_(math.inf)) & (x < 1.0))
    is_one = x.is_(1.0) | ((a.is_(0.0) | b.is_(math.inf)) & (x > 0.0))
    edge = where(is_zero, 0.0, where(is_one, 1.0, a.constant(math.nan)))
    both = (a.is_(0.0) & b.is_(0.0)) | (a.is_(math.inf) & b.is_(math.inf))
    is_defined = (a >= 0.0) & (b >= 0.0) & (x >= 0.0) & (x <= 1.0) & ~both
    return (), where(is_inside, value, where(is_defined, edge, math.nan)), number.is_(0)


def _betainc_by_a(number: Term, state: State, a: Term, b: Term, x: Term) -> Step:
    is_inside, p, q, z = _inside(a, b, x)
    return (), repeat("beta_slope", is_inside, p, q, z, 1.0 - z), number.is_(0)


def _betainc_by_b(number: Term, state: State, a: Term, b: Term, x: Term) -> Step:
    """I_x(a, b) = 1 - I_(1 - x)(b, a)"""
    is_inside, p, q, z = _inside(a, b, x)
    return (), -repeat("beta_slope", is_inside, q, p, 1.0 - z, z), number.is_(0)


def _log_quotient(needed: Term, a: Term, b: Term, x: Term, y: Term, is_beyond: Term) -> Term:
    """log x + psi(a + b) - psi(a), beyond the middle, before it - psi(a + 1); of large parameters log(1 - d / a), d = a
    y - b x, and the differences of psi from logarithms."""
    logarithm = where(x < 0.5, x.call("log"), (-y).call("log1p"))
    is_small, is_large = b < 1.0, (a >= STIRLING_FROM) & (b >= STIRLING_FROM)
    # Of small b psi(a + b) - psi(a + 1) = psi(a + b + 1) - psi(a + 1) - 1 / (a + b).
    rise = repeat("psi_rise", needed & ~is_large, where(is_beyond, a, a + 1.0), where(is_beyond | is_small, b, b - 1.0))
    rise = rise - where(is_small & ~is_beyond, 1.0 / (a + b), 0.0)
    p, q = a.max(STIRLING_FROM), b.max(STIRLING_FROM)
    u = -_difference(p, q, x, y) / p
    large = (
        pairs.log_of_ratio(u, x * ((p + q) / p))
        + (pairs.psi_excess(p) - pairs.psi_excess(p + q))
        - where(is_beyond, 0.0, 1.0 / p)
    )
    return where(is_large, large, logarithm + rise)


def _slope(number: Term, state: State, a: Term, b: Term, x: Term, y: Term) -> Step:
    """dI/da = I (log x + psi(a + b) - psi(a + 1) - d log(F / a) / da); beyond the middle minus the derivative of the
    other part, by its second parameter."""
    needed = number.is_(0)
    is_beyond, p, q, z, w = _sides(a, b, x, y)
    by_first = repeat("beta_fraction_by_a", needed & ~is_beyond, p, q, z, w)
    by_second = repeat("beta_fraction_by_b", needed & is_beyond, p, q, z, w)
    slope = _log_quotient(needed, a, b, x, y, is_beyond) - where(is_beyond, by_second, by_first)
    return (), _smaller_part(needed, p, q, z, w) * where(is_beyond, -slope, slope), needed


# -- moments of logarithms ---------------------------------------------------------------------------------------------
def _start_moment(a: Term, b: Term, x: Term, y: Term, *others: Term) -> State:
    """log x, log y, and the state of the sum"""
    scale = 1.0 / (abs(_difference(a, b, x, y)) + ((a + b) * x * y).sqrt())
    logs = where(x < 0.5, x.call("log"), (-y).call("log1p")), where(y < 0.5, y.call("log"), (-x).call("log1p"))
    end = (sums.FALL - (a + b) * logs[1]) / a  # where a u + (a + b) log(1 - x) is so large
    return *logs, *sums.start_nodes(scale, end)


def _moment(number: Term, state: State, a: Term, b: Term, x: Term, y: Term, c: Term, e: Term, j: Term, k: Term) -> Step:
    """The integral of (log t - c)^j (log(1 - t) - e)^k t^(a - 1) (1 - t)^(b - 1) over t from 0 to x, over x^a y^b, as
    one over u = log(x / (1 - x)) - log(t / (1 - t))."""
    log_x, log_y, *carried = state
    u = sums.place(number, tuple(carried))
    rest = (x * (-u).call("expm1")).call("log1p")  # log(1 - x + x e^-u)
    first, second = log_x - u - rest - c, log_y - rest - e
    height = (-(a * u) - (a + b) * rest).call("exp") * sums.power(first, j) * sums.power(second, k)
    terms, total = sums.add_node(tuple(carried), u, height)
    return (log_x, log_y, *terms), total, number >= sums.NODES - 1


def _betainc_moment(
    number: Term, state: State, a: Term, b: Term, x: Term, full: Term, c: Term, e: Term, j: Term, k: Term
) -> Step:
    """The integral of (log t - c)^j (log(1 - t) - e)^k over the part of the distribution up to x; beyond the mean what
    is left of the whole, `full`."""
    is_inside, p, q, z = _inside(a, b, x)
    is_beyond, p, q, z, w = _sides(p, q, z, 1.0 - z)
    exchanged = (where(is_beyond, v, u) for u, v in ((c, e), (e, c), (j, k), (k, j)))
    part = repeat("beta_prefix", is_inside, p, q, z, w) * repeat("beta_moment", is_inside, p, q, z, w, *exchanged)
    value = where(is_beyond, full - part, part)
    edge = where(x >= 1.0, full, 0.0)
    return (), where(is_inside, value, edge), number.is_(0)


# -- the inverse -------------------------------------------------------------------------------------------------------
NEWTON_STEPS, LONGEST_STEP, MOST_FALL = 80, 60.0, 300.0  # rounds; of log(x / (1 - x)); of log I
SUBNORMAL_FROM = 700.0  # |u| beyond which x or 1 - x is below the normal numbers
CLOSE = 1e-10  # of a last step, as the error of the next would be its square


def _lower(a: Term, b: Term, p: Term) -> State:
    """(is the probability above 1/2, and the operands, exchanged there)"""
    is_upper = p > 0.5
    return is_upper, where(is_upper, b, a), where(is_upper, a, b), where(is_upper, 1.0 - p, p)


def _start_inverse(a: Term, b: Term, p: Term) -> State:
    """log(x / (1 - x)) of the tail's first term, x^a / (a B(a, b)) = p, or of the normal distribution with its mean and
    deviation; and log p, and the least of it, as I, which is like (1 + e^-u)^-a, must not underflow."""
    _, a, b, p = _lower(a, b, p)
    log_p = p.call("log")
    low, high = a.min(b), a.max(b)
    log_beta = low.call("gammaln") + (high.call("gammaln") - (a + b).call("gammaln"))
    log_x = ((log_p + a.call("log") + log_beta) / a).min(-1e-17)
    tail = log_x - (-log_x.call("expm1")).call("log")
    z = (1.0 - 2.0 * p).call("erfinv") * math.sqrt(2.0)
    normal = a.call("digamma") - b.call("digamma") - z * (a.call("trigamma") + b.call("trigamma")).sqrt()
    is_normal = (log_x > -0.7) | ((low > 1.0) & (p > 1e-10))
    first = where(is_normal, normal, tail).max(-740.0).min(740.0)
    return first, log_p, (a / MOST_FALL).call("log")


def _inverse(number: Term, state: State, a: Term, b: Term, p: Term) -> Step:
    """Newton's method on log I as a function of u = log(x / (1 - x)), which is concave; the result is the last x moved
    by its step, or 1 - x likewise."""
    u, log_p, lowest = state
    is_upper, a, b, p = _lower(a, b, p)
    x, y = 1.0 / ((-u).call("exp") + 1.0), 1.0 / (u.call("exp") + 1.0)
    is_left = u < 0.0  # the smaller one counts as exact
    x, y = where(is_left, x.max(1e-308), 1.0 - y), where(is_left, 1.0 - x, y.max(1e-308))
    needed = ~(u > math.inf)
    below = repeat("beta_value", needed, a, b, x, y).max(1e-308)
    prefix = repeat("beta_prefix", needed, a, b, x, y).max(1e-308)
    step = (below.call("log") - log_p) * (below / prefix)
    floor = (u - (MOST_FALL / a).min(LONGEST_STEP)).min(lowest)
    following = (u - step.max(-LONGEST_STEP)).max(floor).max(-740.0).min(740.0)
    last = where(abs(step) < 1e-3, step, 0.0)
    moved = where(is_upper, y / (x * (-last).call("expm1") + 1.0), x / (y * last.call("expm1") + 1.0))
    end = where(u < 0.0, following, -following).call("exp")  # of the smaller one
    result = where(abs(u) > SUBNORMAL_FROM, where(is_upper, where(u < 0.0, 1.0, end), where(u < 0.0, end, 1.0)), moved)
    return (following, log_p, lowest), result, ~(abs(following - u) > CLOSE)


def _betaincinv(number: Term, state: State, a: Term, b: Term, p: Term) -> Step:
    is_inside, s, t, q = _inside(a, b, p)
    value = repeat("beta_inverse", is_inside, s, t, q)
    edge = where(p.is_(0.0), 0.0, where(p.is_(1.0), 1.0, p.constant(math.nan)))
    is_edge = (a > 0.0) & (b > 0.0) & (a < math.inf) & (b < math.inf)
    return (), where(is_inside, value, where(is_edge, edge, math.nan)), number.is_(0)


REPETITIONS = (
    *pairs.REPETITIONS,
    loop("beta_fraction", *_fraction(""), MOST_STEPS),
    loop("beta_fraction_by_a", *_fraction("a"), MOST_STEPS),
    loop("beta_fraction_by_b", *_fraction("b"), MOST_STEPS),
    loop("beta_moment", _start_moment, _moment, sums.NODES),
    loop("beta_inverse", _start_inverse, _inverse, NEWTON_STEPS),
    once("beta_prefix", _prefix),
    once("beta_value", _value),
    once("beta_slope", _slope),
    once("betainc", _betainc),
    once("betainc_by_a", _betainc_by_a),
    once("betainc_by_b", _betainc_by_b),
    once("betainc_moment", _betainc_moment),
    once("betaincinv", _betaincinv),
)
