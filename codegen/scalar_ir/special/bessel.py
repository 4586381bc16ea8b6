"""Modified Bessel functions of real order, I and K, with and without their exponential, and derivatives by the order.

Method     K_v(x) by the integral of t^m exp(v t - x cosh(t)) over all t, m = 0, by trapezoids, which are exact to the
           last place for steps of a fifth (NIST DLMF 10.32.9); I by its power series, by the asymptotic one (10.40.1),
           or from K by the Wronskian and the continued fraction of I_(v+1) / I_v (10.28.2, 10.33.1).
Derivative by the order: m = 1; for I that of the Wronskian.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from tensordsl.codegen.scalar_ir.special import pairs
from tensordsl.codegen.scalar_ir.special.pairs import Pair, polynomial
from tensordsl.codegen.scalar_ir.special.rows import loop, once
from tensordsl.codegen.scalar_ir.special.sums import COUNTS, State
from tensordsl.codegen.scalar_ir.terms import Term, repeat, where

Step = tuple[State, Term, Term]
FALL = 42.0  # e^-FALL is below the last place
FREQUENCY_SQUARE, SQUARE_PER_W = 900.0, 90.0  # (2 pi / step)^2, for which the Fourier transform is below the last place
MOST_NODES = 8000  # those of x = 1e-300
SERIES_BELOW, SERIES_TERMS = 0.5, 14  # s for which e^s - 1 - s is a series, and of how many terms
CURVE = tuple(1 / math.factorial(k + 2) for k in range(SERIES_TERMS))  # of s^2
LARGEST, SMALLEST = 1e300, 1e-300  # arguments, beyond which functions are at their limits
LARGEST_ORDER = 1e150  # whose square is finite


def sine_of_pi(v: Term) -> Term:
    """sin(pi v), 0 for whole v"""
    rest = v - (v * 0.5).floor() * 2.0  # in [0, 2)
    less = where(rest > 1.0, rest - 1.0, rest)  # the sine is symmetric about 1/2
    sine = (where(less > 0.5, 1.0 - less, less) * math.pi).call("sin")
    return where(rest > 1.0, -sine, sine)


def cosine_of_pi(v: Term) -> Term:
    return sine_of_pi(abs(v) + 0.5)


def parity(n: Term) -> Term:
    """(-1)^n of whole n"""
    half = n * 0.5
    return where(half.floor().is_(half), n.constant(1.0), -1.0)


# -- K -----------------------------------------------------------------------------------------------------------------
def _distance(v: Term, x: Term) -> Pair:
    """w = sqrt(x^2 + v^2), of numbers whose squares may leave the range."""
    large = v.max(x)
    scale = where(large > 1e140, 2.0**-600, where(large < 1e-140, large.constant(2.0**600), 1.0))
    square = pairs.plus(*(pairs.two_product(u * scale, u * scale) for u in (v, x)))
    root = square[0].sqrt()
    rest = ((-root).fma(root, square[0]) + square[1]) / (root * 2.0)
    return root / scale, rest / scale


def _start_k(v: Term, x: Term, down: Term, m: Term) -> State:
    """(step, t of the first node, its s, how many, w - v, the logarithm of the factor, the sum)"""
    w = _distance(v, x)
    less = x * (x / (w[0] + v))
    both = pairs.plus(w, pairs.alone(v))
    start = pairs.minus(pairs.log(*both), pairs.log(x))
    square = pairs.times(pairs.alone(v), pairs.alone(v))
    total = pairs.plus(w, pairs.alone(x))
    drop = pairs.over(square, total[0])
    drop = pairs.plus(drop, pairs.alone(-(drop[0] * (total[1] / total[0]))))
    height = pairs.minus(pairs.minus(pairs.times(pairs.alone(v), start), drop), pairs.alone(down))
    right = (FALL / w[0] + 1.0).call("arccosh")
    width = FALL / v.max(1e-300)
    left = (FALL / less.max(1e-300) + 1.0).call("arccosh").min(width * 0.5 + (width * (width * 0.25 + 2.0)).sqrt())
    h = where(m > 0.0, 0.8 * 2 * math.pi, 2 * math.pi) / (w[0] * SQUARE_PER_W + FREQUENCY_SQUARE).sqrt()
    kept = left.min(start[0])
    return h, (start[0] - left).max(0.0), -kept, (kept + right) / h + m * 2.0, less, *height, v.constant(0.0)


def _k(number: Term, state: State, v: Term, x: Term, down: Term, m: Term) -> Step:
    """The derivative by the order, m times, of K_v(x) e^(x - down): half of the integral over t > 0 of t^m (e^(v t) +-
    e^(-v t)) e^(-x cosh(t)).  Of its largest value exp(-(w - v) (cosh(s) - 1) - v (e^s - 1 - s)) is left, s = t -
    start, so that nothing cancels."""
    h, first, left, count, less, high, low, total = state
    k = number.cast("float64")
    t, s = k.fma(h, first), k.fma(h, left)
    grown = abs(s).call("expm1")
    fallen = grown / (grown + 1.0)
    is_small = abs(s) < SERIES_BELOW
    u = where(is_small, s, 0.0)
    curve = where(is_small, u * u * polynomial(u, CURVE), where(s < 0.0, -fallen, grown) - s)
    bend = grown * fallen * 0.5  # cosh(s) - 1
    is_even = parity(m) > 0.0
    other = (v * (-2.0 * t)).call("exp")
    both = where(is_even, other + 1.0, -(v * (-2.0 * t)).call("expm1"))
    weight = both * where(m > 0.0, where(m > 1.0, t.call("pow", m), t), where(t > 0.0, 1.0, t.constant(0.5)))
    total = total + (-less * bend - v * curve).call("exp") * weight
    return (h, first, left, count, less, high, low, total), pairs.exp((high, low)) * (total * h * 0.5), ~(k < count)


def _k_at(v: Term, x: Term, is_scaled: bool, m: Term) -> Term:
    """e^x K_v(x), or K_v(x), derived m times by v."""
    is_number = v.is_(v)
    is_inside = (x > 0.0) & (x < LARGEST) & is_number
    a = where(is_inside, abs(v), 1.0).min(LARGEST_ORDER)
    y = where(is_inside, x, 1.0).max(SMALLEST)
    value = repeat("bessel_k", is_inside, a, y, y * 0.0 if is_scaled else y, m)
    value = where((v < 0.0) & (parity(m) < 0.0), -value, value)
    edge = where(x.is_(0.0), math.inf, where(x >= LARGEST, 0.0, math.nan))
    return where(is_inside, value, where((x >= 0.0) & is_number, edge, math.nan))


def _k_function(is_scaled: bool) -> Callable[..., Step]:
    def step(number: Term, state: State, v: Term, x: Term) -> Step:
        return (), _k_at(v, x, is_scaled, v.constant(0.0)), number.is_(0)

    return step


def _k_by_order(number: Term, state: State, v: Term, x: Term, m: Term) -> Step:
    return (), _k_at(v, x, True, m), number.is_(0)


# -- I -----------------------------------------------------------------------------------------------------------------
ASYMPTOTIC_FROM, ASYMPTOTIC_TERMS = 50.0, 60  # the least x of the asymptotic series, for v^2 <= x, and how many terms
SERIES_TO, MOST_TERMS = 1000.0, 4000  # the largest x of the power series, and how many terms
FIRST_STEPS, STEPS_PER_ROOT, MOST_STEPS = 30.0, 6.5, 100_000  # of the fraction: a few, more for each sqrt(x), at most


def power_prefix(v: Term, x: Term, down: Term) -> Term:
    """(x / 2)^v e^-down / gamma(v + 1)"""
    u = v.max(1e-290)
    log_gamma = pairs.plus(pairs.log_gamma(u), pairs.log(u))
    power = pairs.times(pairs.alone(v), pairs.log(x * 0.5))
    return pairs.exp(pairs.minus(pairs.minus(power, log_gamma), pairs.alone(down)))


def _start_series(v: Term, x: Term, down: Term) -> State:
    one = v.constant(1.0)
    z, lost = pairs.two_product(x * 0.5, x * 0.5)
    return one, one, v.constant(0.0), power_prefix(v, x, down), z, lost / z.max(SMALLEST)


def _series(number: Term, state: State, v: Term, x: Term, down: Term) -> Step:
    """I_v(x) e^-down: the sum of z^k / (k! (v + 1) ... (v + k)), z = x^2 / 4; what the rounding of z changes is the sum
    of k times the terms."""
    term, total, slope, factor, z, lost = state
    k = number.cast("float64") + 1.0
    term = term * (z / (k * (v + k)))
    total, slope = total + term, slope + term * k
    value = slope.fma(lost, total) * factor
    return (term, total, slope, factor, z, lost), value, ~(term * k > total * COUNTS)


def _start_series_by_order(v: Term, x: Term) -> State:
    one, zero = v.constant(1.0), v.constant(0.0)
    logarithm = (x * 0.5).call("log") - (v + 1.0).call("digamma")
    return one, one, zero, zero, power_prefix(v, x, x), x * 0.5 * (x * 0.5), logarithm


def _series_by_order(number: Term, state: State, v: Term, x: Term) -> Step:
    """The derivative of I_v(x) e^-x: of the power and of gamma(v + 1), and of the terms."""
    term, total, harmonic, slope, factor, z, logarithm = state
    k = number.cast("float64") + 1.0
    inverse = 1.0 / (v + k)
    term, harmonic = term * (z * inverse / k), harmonic + inverse
    total, slope = total + term, slope + term * harmonic
    state = term, total, harmonic, slope, factor, z, logarithm
    return state, (total * logarithm - slope) * factor, ~(term > total * COUNTS)


def _start_asymptotic(v: Term, x: Term) -> State:
    one, zero = v.constant(1.0), v.constant(0.0)
    return one, one, zero, zero, v * v * 4.0, 1.0 / (x * 8.0)


def _asymptotic(has_slope: bool) -> Callable[..., Step]:
    def step(number: Term, state: State, v: Term, x: Term) -> Step:
        """I_v(x) e^-x sqrt(2 pi x): the sum of (-1)^k a_k(v) / x^k; or its derivative by v."""
        term, total, term_slope, slope, square, w = state
        k = number.cast("float64") + 1.0
        odd = 2.0 * k - 1.0
        factor = (odd * odd - square) * w / k
        term_slope = term_slope * factor - term * (8.0 * v * w / k)
        term = term * factor
        total, slope = total + term, slope + term_slope
        following = term, total, term_slope, slope, square, w
        is_done = ~(abs(term) > total * COUNTS)
        if has_slope:
            return following, slope, is_done & ~(abs(term_slope) > abs(slope) * COUNTS)
        return following, total, is_done

    return step


def _start_ratio(v: Term, x: Term) -> State:
    """(number of steps, and from the end, where it is that for large orders, the ratio, its derivative by v)"""
    n = ((x.sqrt() * STEPS_PER_ROOT + FIRST_STEPS).floor()).min(float(MOST_STEPS - 1))
    last = v + (n + 1.0)
    root = (last * last + x * x).sqrt()
    ratio = x / (last + root)
    return n, ratio, -ratio / root


def _ratio(has_slope: bool) -> Callable[..., Step]:
    def step(number: Term, state: State, v: Term, x: Term) -> Step:
        """I_(v+1) / I_v = 1 / (b_1 + 1 / (b_2 + ...)), b_k = 2 (v + k) / x, from its end; or the derivative by v."""
        n, ratio, slope = state
        i = number.cast("float64")
        scale = 2.0 / x
        ratio = 1.0 / ((v + (n - i)) * scale + ratio)
        if has_slope:
            slope = -(ratio * ratio) * (scale + slope)
        return (n, ratio, slope), slope if has_slope else ratio, i >= n - 1.0

    return step


def _regions(v: Term, x: Term, series_to: Term) -> tuple[Term, Term]:
    """(is the asymptotic series, is the power series to be taken)"""
    is_far = (x >= ASYMPTOTIC_FROM) & (v * v <= x)
    return is_far, ~is_far & (x <= series_to)


def _i_positive(number: Term, state: State, v: Term, x: Term, down: Term) -> Step:
    """I_v(x) e^-down for v >= 0, x > 0: by the Wronskian 1 / (x (K_(v+1) + K_v I_(v+1) / I_v)) where no series
    serves."""
    needed = number.is_(0)
    is_far, is_near = _regions(v, x, (v * SERIES_TO).sqrt().max(SERIES_TO))
    is_other = needed & ~is_far & ~is_near
    far = repeat("bessel_i_far", needed & is_far, v, x)
    scaled = (x - down).call("exp")
    half = ((x - down) * 0.5).call("exp")  # whose square may be finite where a factor is small
    far = half * (far / (x * (2 * math.pi)).sqrt()) * half
    series = repeat("bessel_i_series", needed & is_near, v, x, down)
    zero = v * 0.0
    k, next_ = (repeat("bessel_k", is_other, u, x, zero, zero) for u in (v, v + 1.0))
    other = scaled / (x * (next_ + k * repeat("bessel_ratio", is_other, v, x)))
    return (), where(is_far, far, where(is_near, series, other)), needed


def _i_function(is_scaled: bool) -> Callable[..., Step]:
    def step(number: Term, state: State, v: Term, x: Term) -> Step:
        """I_-v = I_v + 2 / pi sin(v pi) K_v; of x < 0 for whole orders (-1)^v I_v(-x)."""
        u, a = abs(v), abs(x)
        is_number = v.is_(v) & x.is_(x)
        is_inside = is_number & (a > 0.0) & (a < LARGEST)
        order, y = where(is_inside, u, 1.0).min(LARGEST_ORDER), where(is_inside, a, 1.0)
        down = y if is_scaled else y * 0.0
        value = repeat("bessel_i", is_inside, order, y, down)
        is_whole = v.floor().is_(v)
        has_other = is_inside & (v < 0.0) & ~is_whole
        other = repeat("bessel_k", has_other, order, y.max(SMALLEST), y + down, v * 0.0)
        value = where(has_other, value + sine_of_pi(order) * (2 / math.pi) * other, value)
        at_zero = where(v.is_(0.0), 1.0, where((v > 0.0) | is_whole, 0.0, math.inf))
        edge = where(a.is_(0.0), at_zero, 0.0 if is_scaled else math.inf)
        value = where(is_inside, value, edge)
        value = where(x < 0.0, where(is_whole, parity(v), math.nan) * value, value)
        return (), where(is_number, value, math.nan), number.is_(0)

    return step


def _i_by_order(number: Term, state: State, v: Term, x: Term) -> Step:
    """The derivative of e^-x I_v(x), x > 0: of the series where they do not cancel, else of the Wronskian for v > 0;
    below of the reflection, by which it is -K_0(x) at v = 0."""
    is_inside = (x > 0.0) & (v * 0.0).is_(0.0)
    u, y = where(is_inside, abs(v), 1.0).min(LARGEST_ORDER), where(is_inside, x, 1.0).max(SMALLEST).min(LARGEST)
    zero, one = y * 0.0, y * 0.0 + 1.0
    is_far, is_near = _regions(u, y, u + 1.0)
    far = repeat("bessel_i_far_by_order", is_inside & is_far, u, y) / (y * (2 * math.pi)).sqrt()
    near = repeat("bessel_i_series_by_order", is_inside & is_near, u, y)
    is_other = is_inside & ~is_far & ~is_near
    with_k = is_other | (is_inside & (v <= 0.0))
    k, k_slope = repeat("bessel_k", with_k, u, y, zero, zero), repeat("bessel_k", with_k, u, y, zero, one)
    next_, next_slope = (repeat("bessel_k", is_other, u + 1.0, y, zero, m) for m in (zero, one))
    ratio, ratio_slope = repeat("bessel_ratio", is_other, u, y), repeat("bessel_ratio_by_order", is_other, u, y)
    value = 1.0 / (y * (next_ + ratio * k))
    other = -(value * y) * ((next_slope + ratio_slope * k + ratio * k_slope) * value)
    positive = where(is_far, far, where(is_near, near, other))
    down = (-2.0 * y).call("exp")
    reflected = 2.0 * cosine_of_pi(u) * (k * down) + (2 / math.pi) * sine_of_pi(u) * (k_slope * down)
    slope = where(v < 0.0, -(positive + reflected), where(v.is_(0.0), -(k * down), positive))
    return (), where(is_inside, slope, math.nan), number.is_(0)


REPETITIONS = (
    loop("bessel_k", _start_k, _k, MOST_NODES),
    loop("bessel_i_series", _start_series, _series, MOST_TERMS),
    loop("bessel_i_series_by_order", _start_series_by_order, _series_by_order, MOST_TERMS),
    loop("bessel_i_far", _start_asymptotic, _asymptotic(False), ASYMPTOTIC_TERMS),
    loop("bessel_i_far_by_order", _start_asymptotic, _asymptotic(True), ASYMPTOTIC_TERMS),
    loop("bessel_ratio", _start_ratio, _ratio(False), MOST_STEPS),
    loop("bessel_ratio_by_order", _start_ratio, _ratio(True), MOST_STEPS),
    once("bessel_i", _i_positive),
    once("kv", _k_function(False)),
    once("kve", _k_function(True)),
    once("kve_by_order", _k_by_order),
    once("iv", _i_function(False)),
    once("ive", _i_function(True)),
    once("ive_by_order", _i_by_order),
)
