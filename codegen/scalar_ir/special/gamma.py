"""The regularised incomplete gamma functions P and Q = 1 - P, their derivatives by a, and their inverses.

Method     x^a e^-x / gamma(a), its exponent in two parts, times the series of P for x < a + 1, else over Legendre's
           continued fraction of Q; of large a two terms of Temme's expansion (A. DiDonato and A. Morris,
           "Computation of the incomplete gamma function ratios", ACM TOMS 12, 1986).
Derivative of the series and the fraction, term by term (R. Moore, "Algorithm AS 187", 1982); then by moments of log t.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from tensordsl.codegen.scalar_ir.special import pairs, sums
from tensordsl.codegen.scalar_ir.special.pairs import STIRLING_FROM, polynomial
from tensordsl.codegen.scalar_ir.special.rows import loop, once
from tensordsl.codegen.scalar_ir.special.sums import State
from tensordsl.codegen.scalar_ir.terms import Term, repeat, where

Step = tuple[State, Term, Term]
TEMME_FROM = 1e5  # the least a for which two terms of Temme's expansion suffice
C_0 = (  # of the expansion, a polynomial of eta
    -1 / 3, 1 / 12, -2 / 135, 1 / 864, 1 / 2835, -139 / 777600, 1 / 25515, -2.1854485106799921615e-6,
    -1.8540622107151599607e-6, 8.296711340953086005e-7,
)  # fmt: skip
# Of the expansion, a polynomial of eta.
C_1 = (-1 / 540, -1 / 288, 25 / 9450, -0.00099022633744855967078, 0.00020576131687242798354, -4.0187757201646090535e-7)
SERIES_BELOW = 0.2  # a, for which log(gamma(1 + a)) = -gamma a + sum of zeta(k) (-a)^k / k is summed
LOG_GAMMA = (  # of log(gamma(1 + a)) / a
    -0.57721566490153286061, 0.82246703342411321824, -0.40068563438653142847, 0.27058080842778454788,
    -0.20738555102867398527, 0.16955717699740818995, -0.14404989676884611812, 0.12550966952474304242,
    -0.11133426586956469049, 0.10009945751278180853, -0.090954017145829042233, 0.083353840546109004025,
    -0.076932516411352191473, 0.071432946295361336059, -0.066668705882420468033, 0.062500955141213040742,
    -0.058823978658684582339, 0.055555767627403611102, -0.052631679379616660734, 0.05000004769810169364,
)  # fmt: skip
SMALLEST = 1e-290  # parameter of which logarithms of gamma are taken
MOST_TERMS = 10_000  # of sums


# -- x^a e^-x / gamma(a) -----------------------------------------------------------------------------------------------
def _prefix(number: Term, state: State, a: Term, x: Term) -> Step:
    """From STIRLING_FROM on sqrt(a / (2 pi)) exp(-a (u - log(1 + u)) - ...), u = (x - a) / a, by Stirling's series."""
    is_large, b, s = a >= STIRLING_FROM, a.max(STIRLING_FROM), a.max(SMALLEST).min(STIRLING_FROM)
    excess = pairs.excess(pairs.over(pairs.two_sum(x, -b), b))
    large = pairs.plus(pairs.times(pairs.alone(b), excess), pairs.alone(pairs.stirling_rest(b)))
    small = pairs.minus(pairs.times(pairs.alone(s), pairs.log(x)), pairs.alone(x))
    small = pairs.minus(small, pairs.log_gamma(s))
    value = pairs.exp(pairs.choose(is_large, (-large[0], -large[1]), small))
    factor = where(is_large, (b * (0.5 / math.pi)).sqrt(), where(a < SMALLEST, a / SMALLEST, 1.0))
    return (), value * factor, number.is_(0)


# -- series and fraction -----------------------------------------------------------------------------------------------
def _start_series(a: Term, x: Term) -> State:
    one, zero = a.constant(1.0), a.constant(0.0)
    return one, one, zero, zero


def _series(has_slope: bool) -> Callable[..., Step]:
    def step(number: Term, state: State, a: Term, x: Term) -> Step:
        """a P / prefix = sum of T_n = x^n / ((a + 1) ... (a + n)); or minus the derivative of its logarithm, the mean
        of H_n = 1 / (a + 1) + ... + 1 / (a + n)."""
        term, total, harmonic, slope = state
        inverse = 1.0 / (a + (number.cast("float64") + 1.0))
        term = term * x * inverse
        total = total + term
        if not has_slope:
            return (term, total, harmonic, slope), total, ~(term > total * sums.COUNTS)
        harmonic = harmonic + inverse
        slope = slope + term * harmonic
        return (term, total, harmonic, slope), slope / total, ~(term * harmonic > slope * sums.COUNTS)

    return step


def _start_fraction(has_slope: bool) -> Callable[..., State]:
    def start(a: Term, x: Term) -> State:
        return sums.start_fraction((x - a) + 1.0, a.constant(-1.0) if has_slope else None)

    return start


def _fraction(has_slope: bool) -> Callable[..., Step]:
    def step(number: Term, state: State, a: Term, x: Term) -> Step:
        """F = prefix / Q = x + 1 - a + 1 (a - 1) / (x + 3 - a + 2 (a - 2) / ...), or the derivative of its
        logarithm."""
        m, is_first = number.cast("float64") + 1.0, number.is_(0)
        alpha, beta = m * (a - m), (x - a) + (2.0 * m + 1.0)
        if not has_slope:
            state, is_done = sums.add_fraction(is_first, state, alpha, beta)
            return state, state[0], is_done
        state, is_done = sums.add_fraction_with_slope(is_first, state, alpha, beta, m, m.constant(-1.0))
        return state, state[3] / state[0], is_done

    return step


def _start_rest(a: Term, x: Term) -> State:
    return a.constant(1.0), a.constant(0.0)


def _rest(number: Term, state: State, a: Term, x: Term) -> Step:
    """The sum of (-x)^n / (n! (a + n)), n >= 1, of x up to 2."""
    power, total = state
    n = number.cast("float64") + 1.0
    power = power * (-x / n)
    total = total + power / (a + n)
    return (power, total), total, ~(abs(power) > abs(total) * sums.COUNTS)


def _upper_of_small(needed: Term, a: Term, x: Term) -> Term:
    """Q for a < 1, x < a + 1: 1 - x^a / gamma(1 + a) (1 + a sum)."""
    s, w = a.min(1.0), x.min(2.0)
    log_gamma = where(s < SERIES_BELOW, s * polynomial(s.min(SERIES_BELOW), LOG_GAMMA), (s + 1.0).call("gammaln"))
    logarithm = s * w.call("log") - log_gamma
    return -logarithm.call("expm1") - s * logarithm.call("exp") * repeat("gamma_rest", needed, s, w)


# -- large parameters --------------------------------------------------------------------------------------------------
def _temme(a: Term, x: Term) -> tuple[Term, ...]:
    """(mu = x / a - 1, mu - log(1 + mu), eta, its sign that of mu, with eta^2 / 2 that excess)"""
    u = pairs.over(pairs.two_sum(x, -a), a)
    half = pairs.excess(u)[0].max(0.0)
    root = (half * 2.0).sqrt()
    return u[0], half, where(x < a, -root, root)


def _by_erfc(a: Term, x: Term) -> tuple[Term, Term]:
    """(P, Q)"""
    _, half, eta = _temme(a, x)
    bounded = eta.max(-0.2).min(0.2)  # its effect vanishes beyond
    scale = (-a * half).call("exp") / (a * (2 * math.pi)).sqrt()
    rest = scale * (polynomial(bounded, C_0) + polynomial(bounded, C_1) / a)
    argument = eta * (a * 0.5).sqrt()
    return (-argument).call("erfc") * 0.5 - rest, argument.call("erfc") * 0.5 + rest


def _slope_of_erfc(a: Term, x: Term) -> Term:
    """dP/da of the expansion: d(a eta^2 / 2)/da = -log(x / a), d eta/da = -mu / (a eta)."""
    mu, half, eta = _temme(a, x)
    logarithm = mu.max(-0.5).call("log1p")  # its factor is 0 below
    is_middle = abs(eta) < 1e-7
    safe = where(is_middle, 1.0, eta)
    per_eta, mu_per_eta = where(is_middle, 1.0, logarithm / safe), where(is_middle, 1.0, mu / safe)
    bounded = eta.max(-0.2).min(0.2)
    slopes = tuple(k * c for k, c in enumerate(C_0))[1:]
    rest = polynomial(bounded, C_0) * (logarithm - 0.5 / a) - polynomial(bounded, slopes) * mu_per_eta / a
    return (-a * half).call("exp") / (a * (2 * math.pi)).sqrt() * (-per_eta - rest)


# -- P and Q -----------------------------------------------------------------------------------------------------------
def _inside(a: Term, x: Term) -> State:
    is_inside = (a > 0.0) & (x > 0.0) & (a < 1e300) & (x < 1e300)
    return is_inside, where(is_inside, a, 1.0), where(is_inside, x, 1.0)


def _sums(needed: Term, a: Term, x: Term) -> tuple[Term, Term]:
    """(x < a + 1, P there, else Q) for a < TEMME_FROM"""
    is_left = x < a + 1.0
    series = repeat("gamma_series", needed & is_left, a, x)
    fraction = repeat("gamma_fraction", needed & ~is_left, a, x)
    prefix = repeat("gamma_prefix", needed, a, x)
    return is_left, where(is_left, prefix / a * series, prefix / fraction)


def _both(needed: Term, a: Term, x: Term) -> tuple[Term, Term]:
    """(P, Q)"""
    is_large = a >= TEMME_FROM
    b, y = where(is_large, 1.0, a), where(is_large, 1.0, x)
    is_left, part = _sums(needed & ~is_large, b, y)
    is_small = is_left & (b < 1.0)
    other = where(is_small, _upper_of_small(needed & is_small, b, y), 1.0 - part)
    lower, upper = _by_erfc(a.max(TEMME_FROM), x)
    return where(is_large, lower, where(is_left, part, other)), where(is_large, upper, where(is_left, other, part))


def _value(is_upper: bool) -> Callable[..., Step]:
    def step(number: Term, state: State, a: Term, x: Term) -> Step:
        return (), _both(number.is_(0), a, x)[is_upper], number.is_(0)

    return step


def _with_ends(is_upper: bool) -> Callable[..., Step]:
    def step(number: Term, state: State, a: Term, x: Term) -> Step:
        """At the ends the limits."""
        is_inside, b, y = _inside(a, x)
        value = repeat("gamma_upper" if is_upper else "gamma_lower", is_inside, b, y)
        at_zero, at_end = (1.0, 0.0) if is_upper else (0.0, 1.0)
        is_zero, is_end = x.is_(0.0) | (a > 1e300), a.is_(0.0) | (x > 1e300)
        edge = where(is_zero, at_zero, where(is_end, at_end, a.constant(math.nan)))
        is_defined = (a >= 0.0) & (x >= 0.0) & ((a > 0.0) | (x > 0.0)) & ((a < math.inf) | (x < math.inf))
        return (), where(is_inside, value, where(is_defined, edge, math.nan)), number.is_(0)

    return step


def _by_a(number: Term, state: State, a: Term, x: Term) -> Step:
    """dP/da: P (log x - psi(a + 1) - mean of H_n); -Q (log x - psi(a) - d log F / da).  From STIRLING_FROM on log x -
    psi(a) is log(1 + (x - a) / a) and the series of log a - psi(a)."""
    is_inside, b, y = _inside(a, x)
    is_large = b >= TEMME_FROM
    s, z = where(is_large, 1.0, b), where(is_large, 1.0, y)
    needed = is_inside & ~is_large
    is_left, part = _sums(needed, s, z)
    has_series, t = s >= STIRLING_FROM, s.max(STIRLING_FROM)
    by_series = pairs.log_of_ratio((z - t) / t, z / t) + pairs.psi_excess(t) - where(is_left, 1.0 / t, 0.0)
    plain = z.call("log") - where(is_left, s + 1.0, s).call("digamma")
    logarithm = where(has_series, by_series, plain)
    series = repeat("gamma_series_by_a", needed & is_left, s, z)
    fraction = repeat("gamma_fraction_by_a", needed & ~is_left, s, z)
    slope = part * where(is_left, logarithm - series, fraction - logarithm)
    value = where(is_large, _slope_of_erfc(b.max(TEMME_FROM), y), slope)
    return (), where(is_inside, value, 0.0), number.is_(0)


# -- moments of the logarithm ------------------------------------------------------------------------------------------
def _start_moment(a: Term, x: Term, direction: Term, *others: Term) -> State:
    scale = 1.0 / (abs(x - a) + x.min(a).sqrt())
    right = (90.0 / x).sqrt().min((sums.FALL / x + 1.0).call("log") + 1.0)
    return x.call("log"), *sums.start_nodes(scale, where(direction > 0.0, right, (sums.FALL + x) / a))


def _moment(number: Term, state: State, a: Term, x: Term, direction: Term, c: Term, j: Term) -> Step:
    """The integral of (log t - c)^j t^(a - 1) e^-t over t from x on, or with a negative direction up to x, over x^a
    e^-x; in u = |log(t / x)|."""
    log_x, *carried = state
    u = sums.place(number, tuple(carried))
    v = u * direction
    height = (a * v - x * v.call("expm1")).call("exp") * sums.power(log_x + v - c, j)
    terms, total = sums.add_node(tuple(carried), u, height)
    return (log_x, *terms), total, number >= sums.NODES - 1


def _gammainc_moment(number: Term, state: State, a: Term, x: Term, full: Term, c: Term, j: Term) -> Step:
    """The integral of (log t - c)^j over the part of the distribution up to x; beyond a what is left of the whole."""
    is_inside, b, y = _inside(a, x)
    is_beyond = y > b
    direction = where(is_beyond, b.constant(1.0), -1.0)
    part = repeat("gamma_prefix", is_inside, b, y) * repeat("gamma_moment", is_inside, b, y, direction, c, j)
    value = where(is_beyond, full - part, part)
    return (), where(is_inside, value, where(x >= 1e300, full, 0.0)), number.is_(0)


# -- inverses ----------------------------------------------------------------------------------------------------------
NEWTON_STEPS, LONGEST_STEP, MOST_FALL = 80, 60.0, 300.0  # rounds; of log x; of log P
CLOSE = 1e-10  # of a last step, as the error of the next would be its square
LINEAR_BELOW = -40.0  # of log x: log P is linear there
LOWEST, HIGHEST = -745.0, 700.0  # of log x


def _start_inverse(a: Term, p: Term, q: Term) -> State:
    """log x to begin with; log of the smaller probability; log x of P = x^a / gamma(a + 1).  Left of the root: that, or
    by the cube root of a normal number; right of it: Q <= exp(-(x - c - c log(x / c))), c = max(a, 1), by three steps
    of Newton's method."""
    is_lower = p <= q
    small = where(is_lower, p, q)
    log_small = small.call("log")
    head = (log_small + (a + 1.0).call("gammaln")) / a
    deviation = (1.0 - 2.0 * small).call("erfinv") * math.sqrt(2.0)
    third = 1.0 - 1.0 / (9.0 * a) - deviation / (3.0 * a.sqrt())
    cube = where((a > 0.5) & (third > 0.3), a.call("log") + 3.0 * third.max(0.3).call("log"), head)
    c, fall = a.max(1.0), (-log_small).max(1e-3)
    bound = c + (2.0 * c * fall).sqrt() + fall
    for _ in range(3):
        bound = bound - (bound - c - c * (bound / c).call("log") - fall) / (1.0 - c / bound)
    return where(is_lower, head.max(cube), bound.call("log")), log_small, head


def _inverse(number: Term, state: State, a: Term, p: Term, q: Term) -> Step:
    """Newton's method on log P, or log Q if that is smaller, as a function of u = log x, which is concave; the result
    is the last x moved by its step."""
    u, log_small, head = state
    is_lower = p <= q
    x = u.call("exp")
    needed = ~(x > math.inf)
    lower, upper = _both(needed, a, x)
    value = where(is_lower, lower, upper).max(5e-324)
    prefix = repeat("gamma_prefix", needed, a, x).max(5e-324)
    step = (value.call("log") - log_small) * (value / prefix)
    step = where(is_lower, step, -step).max(-LONGEST_STEP).min((MOST_FALL / a).min(LONGEST_STEP))
    is_linear = is_lower & (head < LINEAR_BELOW)
    following = where(is_linear, head, (u - step).max(LOWEST).min(HIGHEST))
    result = where(is_linear, head.call("exp"), x * (-step).call("exp"))
    return (following, log_small, head), result, ~(abs(following - u) > CLOSE)


def _inverse_with_ends(is_upper: bool) -> Callable[..., Step]:
    def step(number: Term, state: State, a: Term, p: Term) -> Step:
        is_inside = (p > 0.0) & (p < 1.0) & (a > 0.0) & (a < 1e300)
        s, t = where(is_inside, a, 1.0), where(is_inside, p, 0.5)
        value = repeat("gamma_inverse", is_inside, s, *((1.0 - t, t) if is_upper else (t, 1.0 - t)))
        zero, one = (math.inf, 0.0) if is_upper else (0.0, math.inf)
        edge = where(p.is_(0.0), zero, where(p.is_(1.0), one, p.constant(math.nan)))
        edge = where(a.is_(0.0) & (p >= 0.0) & (p <= 1.0), 0.0, edge)
        return (), where(is_inside, value, where((a >= 0.0) & (a < math.inf), edge, math.nan)), number.is_(0)

    return step


REPETITIONS = (
    loop("gamma_series", _start_series, _series(False), MOST_TERMS),
    loop("gamma_series_by_a", _start_series, _series(True), MOST_TERMS),
    loop("gamma_fraction", _start_fraction(False), _fraction(False), MOST_TERMS),
    loop("gamma_fraction_by_a", _start_fraction(True), _fraction(True), MOST_TERMS),
    loop("gamma_rest", _start_rest, _rest, MOST_TERMS),
    loop("gamma_moment", _start_moment, _moment, sums.NODES),
    loop("gamma_inverse", _start_inverse, _inverse, NEWTON_STEPS),
    once("gamma_prefix", _prefix),
    once("gamma_lower", _value(False)),
    once("gamma_upper", _value(True)),
    once("gammainc", _with_ends(False)),
    once("gammaincc", _with_ends(True)),
    once("gammainc_by_a", _by_a),
    once("gammainc_moment", _gammainc_moment),
    once("gammaincinv", _inverse_with_ends(False)),
    once("gammainccinv", _inverse_with_ends(True)),
)
