"""Bessel functions of real order, J and Y, and the derivative of J by the order.

Method     J by its power series in pairs of numbers where e^34 of it cancels at most; J and Y by Hankel's series for
           large x (NIST DLMF 10.17.3), Y for x < 2 by Temme's (J. Comput. Phys. 19, 1975), else both by Steed's method,
           fractions of J'/J and p + i q, and recurrences in the order (A. Barnett et al., CPC 8, 1974).
Derivative of both series; else Schläfli's integral on a path on which its integrand falls (G. Watson, 8.31).
"""

from __future__ import annotations

import math
from collections.abc import Callable

from tensordsl.codegen.scalar_ir.special import pairs
from tensordsl.codegen.scalar_ir.special.bessel import (
    LARGEST,
    LARGEST_ORDER,
    cosine_of_pi,
    parity,
    power_prefix,
    sine_of_pi,
)
from tensordsl.codegen.scalar_ir.special.pairs import Pair, polynomial
from tensordsl.codegen.scalar_ir.special.rows import loop, once
from tensordsl.codegen.scalar_ir.special.sums import State
from tensordsl.codegen.scalar_ir.terms import Term, repeat, where

Step = tuple[State, Term, Term]
MOST_LOST = 34.0  # logarithm of what may cancel in the power series
SERIES_COUNTS, MOST_TERMS = 2.0**-58, 600  # of the series
HANKEL_FROM, ORDER_RATIO, HANKEL_TERMS = 25.0, 2.0, 60  # the least x; v^2 / x at most; terms
TEMME_TO = 2.0  # the largest x of his series
COUNTS, MOST_STEPS = 2.0**-53, 200_000  # of the fractions
SMALLEST_PART, MOST_GROWTH = 1e-280, 1e270  # of recurrences
MOST_X = 1e5  # x beyond which fractions would need too many steps
# Coefficients of 1 / gamma(1 + u), a power series.
RECIPROCAL_GAMMA = (
    1.0, 0.5772156649015329, -0.6558780715202539, -0.04200263503409524, 0.16653861138229148, -0.04219773455554433,
    -0.009621971527876973, 0.0072189432466631, -0.0011651675918590652, -0.00021524167411495098, 0.0001280502823881162,
    -2.013485478078824e-05, -1.2504934821426706e-06, 1.133027231981696e-06, -2.056338416977607e-07,
    6.116095104481416e-09, 5.002007644469223e-09, -1.18127457048702e-09, 1.0434267116911005e-10, 7.782263439905071e-12,
    -3.696805618642206e-12, 5.100370287454476e-13,
)  # fmt: skip


def _regions(v: Term, x: Term) -> tuple[Term, Term, Term]:
    """(is the power series, is Hankel's, is Steed's method to be taken)"""
    w = (v * v + x * x).sqrt()
    lost = where(x > v, w - v * ((v + w) / x).call("log"), x * x / (v + 1.0) * 0.5)
    is_near = lost <= MOST_LOST
    is_far = ~is_near & (x >= HANKEL_FROM) & (v * v <= ORDER_RATIO * x)
    return is_near, is_far, ~is_near & ~is_far & (x < MOST_X)


# -- the power series --------------------------------------------------------------------------------------------------
def _start_series(v: Term, x: Term) -> State:
    """The pairs term, sum, sum of 1 / (v + k), slope, -x^2 / 4, in parts; and the factor with its logarithm's
    derivative."""
    one, zero = v.constant(1.0), v.constant(0.0)
    z = pairs.two_product(x * 0.5, x * 0.5)
    logarithm = (x * 0.5).call("log") - (v + 1.0).call("digamma")
    return one, zero, one, *(zero,) * 5, -z[0], -z[1], power_prefix(v, x, zero), logarithm


def _series(has_slope: bool) -> Callable[..., Step]:
    def step(number: Term, state: State, v: Term, x: Term) -> Step:
        """The sum of (-z)^k / (k! (v + 1) ... (v + k)), z = x^2 / 4, in pairs; or its derivative by v with that of
        the power and the gamma function."""
        term, total, harmonic, slope, z, factor, logarithm = _grouped(state)
        k = number.cast("float64") + 1.0
        order = pairs.two_sum(v, k)
        term = pairs.quotient(pairs.times(term, z), pairs.times(order, pairs.alone(k)))
        total = pairs.plus(total, term)
        is_done = ~(abs(term[0]) > abs(total[0]) * SERIES_COUNTS)
        if has_slope:
            harmonic = pairs.plus(harmonic, pairs.quotient(pairs.alone(v.constant(1.0)), order))
            change = pairs.times(term, harmonic)
            slope = pairs.minus(slope, change)
            is_done = is_done & ~(abs(change[0]) > abs(slope[0]) * SERIES_COUNTS)
        value = (total[0] * logarithm + slope[0]) * factor if has_slope else total[0] * factor
        return (*term, *total, *harmonic, *slope, *z, factor, logarithm), value, is_done

    return step


def _grouped(state: State) -> tuple[Pair, Pair, Pair, Pair, Pair, Term, Term]:
    a, b, c, d, e, f, g, h, i, j, factor, logarithm = state
    return (a, b), (c, d), (e, f), (g, h), (i, j), factor, logarithm


# -- Hankel's series ---------------------------------------------------------------------------------------------------
def _wave(v: Term, x: Term) -> tuple[Term, Term]:
    """cos(x - v pi / 2 - pi / 4), sin likewise, times sqrt(2), by sums of what is exact for large x"""
    s, c = x.call("sin"), x.call("cos")
    plus, minus = s + c, s - c
    half = v * 0.5
    cosine, sine = cosine_of_pi(half), sine_of_pi(half)
    return plus * cosine + minus * sine, minus * cosine - plus * sine


def _start_hankel(v: Term, x: Term) -> State:
    one, zero = v.constant(1.0), v.constant(0.0)
    return one, one, zero, zero, zero, zero, v * v * 4.0, 1.0 / (x * 8.0), *_wave(v, x), (1.0 / (math.pi * x)).sqrt()


def _hankel(kind: str) -> Callable[..., Step]:
    def step(number: Term, state: State, v: Term, x: Term) -> Step:
        """sqrt(2 / (pi x)) (P cos(c) - Q sin(c)) for "j", with P + i Q the sum of i^k a_k / x^k; (P sin(c) + Q cos(c))
        for "y"; for "slope" the derivative of the first one by v."""
        term, even, odd, term_slope, even_slope, odd_slope, square, w, cosine, sine, scale = state
        k = number.cast("float64") + 1.0
        step_ = 2.0 * k - 1.0
        factor = (square - step_ * step_) * w / k
        term_slope = term_slope * factor + term * (8.0 * v * w / k)
        term = term * factor
        half, quarter = k * 0.5, (k * 0.5).floor() * 0.5
        is_even, is_minus = half.floor().is_(half), ~quarter.floor().is_(quarter)
        added, added_slope = where(is_minus, -term, term), where(is_minus, -term_slope, term_slope)
        even, odd = even + where(is_even, added, 0.0), odd + where(is_even, 0.0, added)
        even_slope = even_slope + where(is_even, added_slope, 0.0)
        odd_slope = odd_slope + where(is_even, 0.0, added_slope)
        following = term, even, odd, term_slope, even_slope, odd_slope, square, w, cosine, sine, scale
        is_done = ~(abs(term) > COUNTS * 0.25) & ~(abs(term_slope) > COUNTS * 0.25)
        if kind == "j":
            value = even * cosine - odd * sine
        elif kind == "y":
            value = even * sine + odd * cosine
        else:
            value = even_slope * cosine - odd_slope * sine + (even * sine + odd * cosine) * (math.pi / 2)
        return following, value * scale, is_done

    return step


# -- Steed's method ----------------------------------------------------------------------------------------------------
def _start_ratio(v: Term, x: Term) -> State:
    ratio = (v / x).max(1e-30)
    return ratio, ratio, v.constant(0.0), v.constant(1.0)


def _ratio(has_sign: bool) -> Callable[..., Step]:
    def step(number: Term, state: State, v: Term, x: Term) -> Step:
        """J'_v / J_v by its fraction (Lentz' algorithm), or the sign of J_v relative to that of its far end."""
        ratio, c, d, sign = state
        beta = 2.0 * (v + (number.cast("float64") + 1.0)) / x
        d = beta - d
        d = 1.0 / where(abs(d) < 1e-300, 1e-300, d)
        c = beta - 1.0 / c
        c = where(abs(c) < 1e-300, 1e-300, c)
        change = c * d
        sign = where(d < 0.0, -sign, sign)
        return (ratio * change, c, d, sign), sign if has_sign else ratio * change, ~(abs(change - 1.0) > COUNTS * 2.0)

    return step


def _start_down(v: Term, x: Term, n: Term, ratio: Term, sign: Term) -> State:
    return sign * SMALLEST_PART, sign * SMALLEST_PART * ratio


def _down(has_ratio: bool) -> Callable[..., Step]:
    def step(number: Term, state: State, v: Term, x: Term, n: Term, ratio: Term, sign: Term) -> Step:
        """(J, J') of the order v - n from those of v, n steps: J' / J there, or that J over that of v."""
        value, slope = state
        i = number.cast("float64")
        order = v - i
        next_value = order / x * value + slope
        next_slope = (order - 1.0) / x * next_value - value
        moves = (i < n) & (abs(next_value) < MOST_GROWTH)
        value, slope = where(moves, next_value, value), where(moves, next_slope, slope)
        safe = where(value.is_(0.0), SMALLEST_PART, value)
        result = slope / safe if has_ratio else value / (sign * SMALLEST_PART)
        return (value, slope), result, ~moves | (i >= n - 1.0)

    return step


def _start_wave_fraction(v: Term, x: Term) -> State:
    a, p, q = 0.25 - v * v, -0.5 / x, v.constant(1.0)
    br, bi = 2.0 * x, v.constant(2.0)
    fact = a / x / (p * p + 1.0)
    cr, ci = br + fact, bi + p * fact
    den = br * br + bi * bi
    dr, di = br / den, -bi / den
    re, im = cr * dr - ci * di, cr * di + ci * dr
    return a, bi, cr, ci, dr, di, p * re - q * im, p * im + q * re


def _wave_fraction(has_q: bool) -> Callable[..., Step]:
    def step(number: Term, state: State, v: Term, x: Term) -> Step:
        """p or q: p + i q = (J' + i Y') / (J + i Y) by its fraction (Lentz' algorithm), x at least about v."""
        a, bi, cr, ci, dr, di, p, q = state
        br = 2.0 * x
        a = a + 2.0 * (number.cast("float64") + 1.0)
        bi = bi + 2.0
        dr, di = a * dr + br, a * di + bi
        fact = a / (cr * cr + ci * ci)
        cr, ci = br + cr * fact, bi - ci * fact
        den = dr * dr + di * di
        dr, di = dr / den, -di / den
        re, im = cr * dr - ci * di, cr * di + ci * dr
        p, q = p * re - q * im, p * im + q * re
        is_done = ~(abs(re - 1.0) + abs(im) > COUNTS * 2.0)
        return (a, bi, cr, ci, dr, di, p, q), q if has_q else p, is_done

    return step


def _start_up(order: Term, x: Term, n: Term, value: Term, following: Term) -> State:
    return value, following


def _up(number: Term, state: State, order: Term, x: Term, n: Term, value: Term, following: Term) -> Step:
    """Y of the order + n from those of the order and the next one."""
    y, next_ = state
    i = number.cast("float64")
    above = 2.0 * (order + i + 1.0) / x * next_ - y
    moves = i < n
    y, next_ = where(moves, next_, y), where(moves, above, next_)
    return (y, next_), y, i >= n - 1.0


def _start_temme(u: Term, x: Term) -> State:
    d = (2.0 / x).call("log")
    e = u * d
    near = abs(u) < 1e-8
    safe = where(near, 1.0, u)
    odd = -polynomial(u * u, RECIPROCAL_GAMMA[1::2])
    even = polynomial(u * u, RECIPROCAL_GAMMA[::2])
    sinc = where(near, 1.0 / math.pi, (safe * math.pi).call("sin") / (safe * math.pi) / math.pi)
    shift = where(abs(e) < 1e-8, 1.0, e.call("sinh") / where(abs(e) < 1e-8, 1.0, e))
    ff = (2 / math.pi**2) / sinc * (odd * e.call("cosh") + even * shift * d)
    grown = e.call("exp")
    p = grown / ((even - u * odd) * math.pi)
    q = 1.0 / (grown * math.pi * (even + u * odd))
    half = safe * (math.pi / 2)
    half_sinc = where(near, 1.0, half.call("sin") / half)
    r = u * half_sinc * half_sinc * (math.pi * math.pi / 2)
    return ff, p, q, u.constant(1.0), ff + r * q, p, r


def _temme(is_next: bool) -> Callable[..., Step]:
    def step(number: Term, state: State, u: Term, x: Term) -> Step:
        """Y_u or Y_(u + 1), |u| <= 1/2, x <= 2."""
        ff, p, q, c, total, next_, r = state
        i = number.cast("float64") + 1.0
        ff = (i * ff + p + q) / (i * i - u * u)
        c = c * (-(x * 0.5) * (x * 0.5)) / i
        p, q = p / (i - u), q / (i + u)
        change = c * (ff + r * q)
        total, next_ = total + change, next_ + (c * p - i * change)
        is_done = ~(abs(change) * (i + 1.0) > (abs(total) + 1.0) * COUNTS * 0.1)
        return (ff, p, q, c, total, next_, r), -next_ * (2.0 / x) if is_next else -total, is_done

    return step


def _steed(needed: Term, v: Term, x: Term) -> tuple[Term, Term, Term, Term, Term]:
    """(mu, n, J_v, Y_mu, Y_(mu + 1)), v = mu + n, x >= 2"""
    n = (v - x + 1.5).floor().max(0.0)
    mu = v - n
    ratio, sign = (repeat(name, needed, v, x) for name in ("bessel_ratio_of_j", "bessel_sign_of_j"))
    falls = needed & (n > 0.0)
    f = where(n > 0.0, repeat("bessel_down_ratio", falls, v, x, n, ratio, sign), ratio)
    quotient = where(n > 0.0, repeat("bessel_down", falls, v, x, n, ratio, sign), 1.0)
    p, q = repeat("bessel_wave_p", needed, mu, x), repeat("bessel_wave_q", needed, mu, x)
    gamma = (p - f) / q
    size = ((2 / math.pi) / x / ((p - f) * gamma + q)).sqrt()
    j = where((sign < 0.0) ^ (quotient < 0.0), -size, size)
    y = j * gamma
    slope = j * (gamma * p + q)
    return mu, n, j / quotient, y, mu / x * y - slope


def _j_positive(number: Term, state: State, v: Term, x: Term) -> Step:
    """J_v(x), v >= 0, x > 0; nan where the fractions would need too many steps."""
    needed = number.is_(0)
    is_near, is_far, is_other = _regions(v, x)
    near = repeat("bessel_j_series", needed & is_near, v, x)
    far = repeat("bessel_j_hankel", needed & is_far, v, x)
    other = _steed(needed & is_other, v, x)[2]
    return (), where(is_near, near, where(is_far, far, where(is_other, other, math.nan))), needed


def _y_positive(number: Term, state: State, v: Term, x: Term) -> Step:
    """Y_v(x), v >= 0, x > 0"""
    needed = number.is_(0)
    is_far = (x >= HANKEL_FROM) & (v * v <= ORDER_RATIO * x)
    is_small = x < TEMME_TO
    is_other = ~is_far & ~is_small & (x < MOST_X)
    far = repeat("bessel_y_hankel", needed & is_far, v, x)
    steps = (v + 0.5).floor()
    first, second = (
        repeat(name, needed & is_small, v - steps, x) for name in ("bessel_y_temme", "bessel_y_temme_next")
    )
    mu, n, _, y, next_ = _steed(needed & is_other, v, x)
    order, count = where(is_small, v - steps, mu), where(is_small, steps, n)
    y, next_ = where(is_small, first, y), where(is_small, second, next_)
    rises = needed & (is_small | is_other) & (count > 0.0)
    other = where(count > 0.0, repeat("bessel_up", rises, order, x, count, y, next_), y)
    other = where(other.is_(other), other, -math.inf)  # a difference of infinities
    return (), where(is_far, far, where(is_small | is_other, other, math.nan)), needed


# -- all orders --------------------------------------------------------------------------------------------------------
def _known(v: Term, x: Term) -> tuple[Term, Term, Term, Term]:
    """(are both numbers, is |x| inside of the range, |v|, |x|)"""
    is_number = (v * 0.0).is_(0.0) & x.is_(x)
    u, a = abs(v), abs(x)
    is_inside = is_number & (a > 0.0) & (a < LARGEST)
    return is_number, is_inside, where(is_inside, u, 1.0).min(LARGEST_ORDER), where(is_inside, a, 1.0)


def _j_with_ends(number: Term, state: State, v: Term, x: Term) -> Step:
    """Whole orders: J_-n = (-1)^n J_n, J_n(-x) = (-1)^n J_n(x); other negative orders: J_-v = cos(v pi) J_v - sin(v pi)
    Y_v, x > 0."""
    is_number, is_inside, u, a = _known(v, x)
    value = repeat("bessel_j", is_inside, u, a)
    is_whole = v.floor().is_(v)
    has_other = is_inside & (v < 0.0) & ~is_whole
    other = repeat("bessel_y", has_other, u, a)
    value = where(has_other, cosine_of_pi(u) * value - sine_of_pi(u) * other, value)
    value = where(is_whole & ((v < 0.0) ^ (x < 0.0)), parity(v) * value, value)
    pole = where(parity(v.floor()) < 0.0, v.constant(-math.inf), math.inf)  # the sign of gamma(v + 1)
    pole = where(v > -1.0, math.inf, -pole)
    at_zero = where(v.is_(0.0), 1.0, where((v > 0.0) | is_whole, 0.0, pole))
    value = where(is_inside, value, where(x.is_(0.0), at_zero, 0.0))
    is_wrong = ~is_number | ((x < 0.0) & ~is_whole)
    return (), where(is_wrong, math.nan, value), number.is_(0)


def _y_with_ends(number: Term, state: State, v: Term, x: Term) -> Step:
    """Y_-v = sin(v pi) J_v + cos(v pi) Y_v; an infinity at 0."""
    is_number, is_inside, u, a = _known(v, x)
    value = repeat("bessel_y", is_inside, u, a)
    is_whole = v.floor().is_(v)
    has_other = is_inside & (v < 0.0) & ~is_whole
    other = repeat("bessel_j", has_other, u, a)
    value = where(has_other, sine_of_pi(u) * other + cosine_of_pi(u) * value, value)
    value = where(is_whole & (v < 0.0), parity(v) * value, value)
    at_zero = where((v < 0.0) & (cosine_of_pi(v) < 0.0), v.constant(math.inf), -math.inf)
    value = where(is_inside, value, where(x.is_(0.0), at_zero, 0.0))
    return (), where(is_number & (x >= 0.0), value, math.nan), number.is_(0)


# -- the derivative by the order ---------------------------------------------------------------------------------------
END, FIRST_NODES, NODES_PER_X = 3.2, 100.0, 3.0  # of the tanh-sinh rule; how many of its nodes


def _turning_angle(q: Term) -> tuple[Term, Term]:
    """(y with sin(y) / y = q, 0 < q < 1, pi - y), by Newton's method from the right side, where the difference is
    concave; of small q of the equation for the rest."""
    start = (10.0 - (100.0 - 120.0 * (1.0 - q)).max(0.0).sqrt()).max(1e-30).sqrt().min(math.pi / (1.0 + q))
    y = where(q < 0.2, math.pi / (1.0 + q), start)
    for _ in range(7):
        y = y - (y.call("sin") - q * y) / (y.call("cos") - q).min(-1e-15)
    y = y.max(0.0).min(math.pi)
    is_small, rest = q < 0.5, math.pi - y
    u = where(is_small, rest, 1.0)
    for _ in range(2):
        u = u - (u.call("sin") - q * (math.pi - u)) / (u.call("cos") + q)
    return y, where(is_small, u, rest)


def _start_path(v: Term, x: Term) -> State:
    q = v / x
    is_low = q < 1.0
    angle, rest = _turning_angle(where(is_low, q.max(1e-300), 0.5))
    n = (where(is_low, x, 0.0) * NODES_PER_X + FIRST_NODES).floor()
    return where(is_low, angle, 0.0), where(is_low, rest, math.pi), n, v.constant(0.0)


def _path(number: Term, state: State, v: Term, x: Term) -> Step:
    """The derivative by v of the integral of e^(x sinh(t) - v t) / (2 pi i) from infinity - pi i to infinity + pi i:
    between the angles where v y = x sin(y) on the imaginary axis; beyond on t = tau + i y, x cosh(tau) sin(y) = v y,
    where the exponent is real, with y = y0 + (pi - y0) a^2, by parts."""
    y0, width, n, total = state
    distance = 2 * END / (n - 1.0)
    u = number.cast("float64") * distance - END
    inner = u.call("sinh") * (math.pi / 2)
    place, other = (inner * 2.0).call("sigmoid"), (inner * -2.0).call("sigmoid")
    weight = distance * (math.pi / 4) * u.call("cosh") / inner.call("cosh") / inner.call("cosh")
    y = y0 * place
    between = y * (x * y.call("sin") - v * y).call("sin") * y0
    y = y0 + width * (place * place)
    sine = (width * other * (place + 1.0)).call("sin").max(1e-300)  # of pi - y
    cosine = y.call("cos")
    c = (v * y / (x * sine)).max(1.0)
    tau, sinh_tau = c.call("arccosh"), ((c - 1.0) * (c + 1.0)).sqrt()
    is_flat = tau < 1e-8
    quotient = where(is_flat, 1.0, tau / where(is_flat, 1.0, sinh_tau))
    bend = where(y < 1e-3, y * (1 / 3), (sine - y * cosine) / (sine * sine))
    by_angle = (x * c * cosine - v) * quotient * (v / x) * bend - x * tau * sinh_tau * sine
    falling = (x * sinh_tau * cosine - v * tau).call("exp") * y
    beyond = falling * where(x * sinh_tau > 800.0, 0.0, by_angle) * (2.0 * place) * width
    total = total + (between + where(beyond.is_(beyond), beyond, 0.0)) * weight
    return (y0, width, n, total), total * (1 / math.pi), number.cast("float64") >= n - 1.0


def _j_by_order(number: Term, state: State, v: Term, x: Term) -> Step:
    """The derivative of J_v(x) by v >= 0, or v whole."""
    is_number, is_inside, u, a = _known(v, x)
    is_near, is_far, is_other = _regions(u, a)
    near = repeat("bessel_j_series_by_order", is_inside & is_near, u, a)
    far = repeat("bessel_j_hankel_by_order", is_inside & is_far, u, a)
    other = repeat("bessel_j_path", is_inside & is_other, u, a)
    value = where(is_near, near, where(is_far, far, where(is_other, other, math.nan)))
    is_whole = v.floor().is_(v)
    value = where(is_whole & ((v < 0.0) ^ (x < 0.0)), parity(v) * value, value)
    is_wrong = ~is_number | (((x < 0.0) | (v < 0.0)) & ~is_whole)
    return (), where(is_wrong, math.nan, where(is_inside, value, 0.0)), number.is_(0)


REPETITIONS = (
    loop("bessel_j_series", _start_series, _series(False), MOST_TERMS),
    loop("bessel_j_series_by_order", _start_series, _series(True), MOST_TERMS),
    loop("bessel_j_hankel", _start_hankel, _hankel("j"), HANKEL_TERMS),
    loop("bessel_y_hankel", _start_hankel, _hankel("y"), HANKEL_TERMS),
    loop("bessel_j_hankel_by_order", _start_hankel, _hankel("slope"), HANKEL_TERMS),
    loop("bessel_ratio_of_j", _start_ratio, _ratio(False), MOST_STEPS),
    loop("bessel_sign_of_j", _start_ratio, _ratio(True), MOST_STEPS),
    loop("bessel_down_ratio", _start_down, _down(True), MOST_STEPS),
    loop("bessel_down", _start_down, _down(False), MOST_STEPS),
    loop("bessel_wave_p", _start_wave_fraction, _wave_fraction(False), MOST_STEPS),
    loop("bessel_wave_q", _start_wave_fraction, _wave_fraction(True), MOST_STEPS),
    loop("bessel_up", _start_up, _up, MOST_STEPS),
    loop("bessel_y_temme", _start_temme, _temme(False), MOST_TERMS),
    loop("bessel_y_temme_next", _start_temme, _temme(True), MOST_TERMS),
    loop("bessel_j_path", _start_path, _path, MOST_STEPS * 2),
    once("bessel_j", _j_positive),
    once("bessel_y", _y_positive),
    once("jv", _j_with_ends),
    once("yv", _y_with_ends),
    once("jv_by_order", _j_by_order),
)
