"""Counts by rejection: Poisson, binomial, hypergeometric, zeta; small ones by searching the distribution function.

Contract   given: index, draw, key (`sampling.bits`), then valid parameters in float64.  The results are whole float64.
Exact      logarithms of probabilities are made of `deviance`, whose terms are as small as the result's spread, instead
           of logarithms of factorials, which are as large as the mean (C. Loader, 2000).
"""

from __future__ import annotations

import math

from tensordsl.codegen.scalar_ir.builder import Builder, Val
from tensordsl.codegen.scalar_ir.repetition import Repetition, State
from tensordsl.codegen.scalar_ir.sampling.bits import MOST_ATTEMPTS, attempt_words, unit
from tensordsl.codegen.scalar_ir.sampling.continuous import Step


def _stirling_error(k: int) -> float:
    return math.lgamma(k + 1) - ((k + 0.5) * math.log(k) - k + 0.5 * math.log(2 * math.pi)) if k else 0.0


STIRLING_ERRORS = tuple(_stirling_error(k) for k in range(16))


def stirling_error(b: Builder, k: Val) -> Val:
    """log(k!) - log(sqrt(2 pi k) (k/e)^k) of a whole k >= 1, 0 for 0: a table, from 16 on the series."""
    known = b.lookup(STIRLING_ERRORS, b.cast(b.minimum(k, 15.0), "int64"))
    inverse = b.div(1.0, b.maximum(k, 1.0))
    square = b.mul(inverse, inverse)
    series = b.mul(inverse, b.sub(1 / 12, b.mul(square, b.sub(1 / 360, b.mul(square, 1 / 1260)))))
    return b.select(b.lt(k, 16.0), known, series)


def deviance(b: Builder, x: Val, mean: Val) -> Val:
    """x log(x / mean) + mean - x = x (y - log1p(y)), y = (mean - x) / x, of x >= 0 (C. Loader, "Fast and accurate
    computation of binomial probabilities", 2000)."""
    y = b.div(b.sub(mean, x), x)
    return b.select(b.gt(x, 0.0), b.mul(x, b.sub(y, b.call("log1p", y))), mean)


def root_factor(b: Builder, k: Val) -> Val:
    """2 pi k, or 1 for 0: the square of Stirling's factor."""
    return b.select(b.gt(k, 0.0), b.mul(k, 2 * math.pi), 1.0)


def _inside(b: Builder, k: Val, high: Val) -> tuple[Val, Val]:
    """Whether a count is at least 0 and at most `high`; and the nearest one that is."""
    inside = b.and_(b.ge(k, 0.0), b.le(k, high))
    clipped = b.select(b.gt(k, 0.0), k, 0.0)
    return inside, b.select(b.lt(clipped, high), clipped, high)


# -- searches: the least k whose running sum of probabilities exceeds u ----------------------------------------------
def _start_search(b: Builder, index: Val, draw: Val, key: Val, first: Val, *ratio: Val) -> State:
    """(u, P(0), the sum so far)"""
    word, _ = attempt_words(b, 0, index, draw, key)
    return unit(b, word), first, first


def _search(b: Builder, number: Val, state: State, following: Val) -> Step:
    """Beyond a term of 1e-20, which stands behind the mode, the distribution function does not grow."""
    u, term, total = state
    is_found = b.or_(b.not_(b.gt(u, total)), b.lt(term, 1e-20))
    term = b.mul(term, following)
    return (u, term, b.add(total, term)), b.cast(number, "float64"), is_found


def _first_poisson(b: Builder, index: Val, draw: Val, key: Val, mean: Val) -> State:
    return index, draw, key, b.call("exp", b.neg(mean)), mean


def _search_poisson(
    b: Builder, number: Val, state: State, index: Val, draw: Val, key: Val, first: Val, mean: Val
) -> Step:
    """P(k + 1) = P(k) mean / (k + 1)."""
    return _search(b, number, state, b.div(mean, b.add(b.cast(number, "float64"), 1.0)))


def _first_binomial(b: Builder, index: Val, draw: Val, key: Val, n: Val, p: Val) -> State:
    first = b.call("exp", b.mul(n, b.call("log1p", b.neg(p))))
    return index, draw, key, first, n, b.div(p, b.sub(1.0, p))


def _search_binomial(
    b: Builder, number: Val, state: State, index: Val, draw: Val, key: Val, first: Val, n: Val, odds: Val
) -> Step:
    """P(k + 1) = P(k) (n - k) / (k + 1) p / (1 - p)."""
    k = b.cast(number, "float64")
    left = b.maximum(b.sub(n, k), 0.0)
    return _search(b, number, state, b.mul(b.div(left, b.add(k, 1.0)), odds))


# -- transformed rejection -----------------------------------------------------------------------------------------
def _proposed(b: Builder, u: Val, a: Val, spread: Val, center: Val) -> tuple[Val, Val]:
    """A count, and a / s^2 + b of s = 1/2 - |u - 1/2|."""
    centered = b.sub(u, 0.5)
    s = b.sub(0.5, b.abs(centered))
    k = b.floor(b.fma(b.add(b.div(b.mul(a, 2.0), s), spread), centered, center))
    return k, b.add(b.div(a, b.mul(s, s)), spread)


def _poisson_constants(b: Builder, index: Val, draw: Val, key: Val, mean: Val) -> State:
    spread = b.fma(b.sqrt(mean), 2.53, 0.931)
    a = b.fma(spread, 0.02483, -0.059)
    scale = b.add(b.div(1.1328, b.sub(spread, 3.4)), 1.1239)
    return index, draw, key, mean, spread, a, scale


def _poisson(
    b: Builder, number: Val, state: State, index: Val, draw: Val, key: Val, mean: Val, spread: Val, a: Val, scale: Val
) -> Step:
    """PTRS, of a mean of 10 or more (W. Hoermann, "The transformed rejection method for generating Poisson random
    variables", 1993)."""
    first, second = attempt_words(b, number, index, draw, key)
    v = unit(b, second)
    k, factor = _proposed(b, unit(b, first), a, spread, b.add(mean, 0.43))
    inside, k = _inside(b, k, b.const(2.0**62, "float64"))
    height = b.mul(b.div(b.mul(v, scale), factor), b.sqrt(root_factor(b, k)))
    below = b.le(b.call("log", height), b.neg(b.add(deviance(b, k, mean), stirling_error(b, k))))
    return (), k, b.and_(inside, below)


def _binomial_constants(b: Builder, index: Val, draw: Val, key: Val, n: Val, p: Val) -> State:
    mean, rest = b.mul(n, p), b.mul(n, b.sub(1.0, p))
    deviation = b.sqrt(b.mul(mean, b.sub(1.0, p)))
    spread = b.fma(deviation, 2.53, 1.15)
    a = b.fma(p, 0.01, b.fma(spread, 0.0248, -0.0873))
    scale = b.mul(b.add(b.div(5.1, spread), 2.83), deviation)
    mode = b.floor(b.mul(b.add(n, 1.0), p))
    return index, draw, key, n, mean, rest, spread, a, scale, log_binomial(b, mode, n, mean, rest)


def _binomial(
    b: Builder, number: Val, state: State, index: Val, draw: Val, key: Val, n: Val, mean: Val, rest: Val, spread: Val,
    a: Val, scale: Val, top: Val,
) -> Step:  # fmt: skip
    """BTRS, of p <= 1/2 and n p >= 10; top: of the mode (W. Hoermann, "The generation of binomial random variates",
    1993)."""
    first, second = attempt_words(b, number, index, draw, key)
    v = unit(b, second)
    k, factor = _proposed(b, unit(b, first), a, spread, b.add(mean, 0.5))
    inside, k = _inside(b, k, n)
    height = b.div(b.mul(v, scale), factor)
    below = b.le(b.call("log", height), b.sub(log_binomial(b, k, n, mean, rest), top))
    return (), k, b.and_(inside, below)


def log_binomial(b: Builder, k: Val, n: Val, mean: Val, rest: Val) -> Val:
    """The logarithm of the binomial probability of k, but for a constant that n gives (Loader)."""
    other = b.sub(n, k)
    root = b.call("log", b.mul(root_factor(b, k), root_factor(b, other)))
    tail = b.add(stirling_error(b, k), stirling_error(b, other))
    return b.neg(b.add(b.add(deviance(b, k, mean), deviance(b, other, rest)), b.fma(root, 0.5, tail)))


# -- hypergeometric ------------------------------------------------------------------------------------------------
def log_factorial(b: Builder, k: Val) -> Val:
    root = b.call("log", root_factor(b, k))
    log = b.select(b.gt(k, 0.0), b.call("log", k), 0.0)
    return b.add(b.fma(root, 0.5, b.mul(k, b.sub(log, 1.0))), stirling_error(b, k))


def log_hypergeometric(b: Builder, k: Val, few: Val, many: Val, sample: Val) -> Val:
    """But for a constant: of k successes in a sample out of `few` successes and `many` others."""
    parts = (k, b.sub(few, k), b.sub(sample, k), b.add(b.sub(many, sample), k))
    a, c, d, e = (log_factorial(b, x) for x in parts)
    return b.neg(b.add(b.add(a, c), b.add(d, e)))


def _hypergeometric_constants(b: Builder, index: Val, draw: Val, key: Val, few: Val, many: Val, sample: Val) -> State:
    all = b.add(few, many)
    part = b.div(few, all)
    center = b.fma(sample, part, 0.5)
    variance = b.div(b.mul(b.mul(b.mul(b.sub(all, sample), sample), part), b.sub(1.0, part)), b.sub(all, 1.0))
    deviation = b.sqrt(b.add(variance, 0.5))
    width = 2 * math.sqrt(2 / math.e)
    spread = b.fma(deviation, width, 3 - 2 * math.sqrt(3 / math.e))
    mode = b.floor(b.div(b.mul(b.add(sample, 1.0), b.add(few, 1.0)), b.add(all, 2.0)))
    end = b.minimum(b.add(b.minimum(sample, few), 1.0), b.floor(b.fma(deviation, 16.0, center)))
    return index, draw, key, few, many, sample, center, spread, end, log_hypergeometric(b, mode, few, many, sample)


def _hypergeometric(
    b: Builder, number: Val, state: State, index: Val, draw: Val, key: Val, few: Val, many: Val, sample: Val,
    center: Val, spread: Val, end: Val, top: Val,
) -> Step:  # fmt: skip
    """HRUA, the ratio of uniform numbers, of a sample that is no more than half of all (E. Stadlober, "The ratio of
    uniforms approach for generating discrete random variates", 1990)."""
    first, second = attempt_words(b, number, index, draw, key)
    u, v = unit(b, first), unit(b, second)
    w = b.fma(spread, b.div(b.sub(v, 0.5), u), center)
    k = b.floor(w)
    inside = b.and_(b.ge(w, 0.0), b.lt(w, end))
    fits = b.minimum(few, sample)
    inside_, k = _inside(b, k, fits)
    below = b.le(b.mul(b.call("log", u), 2.0), b.sub(log_hypergeometric(b, k, few, many, sample), top))
    return (), k, b.and_(b.and_(inside, inside_), below)


def _start_sampling(b: Builder, index: Val, draw: Val, key: Val, few: Val, many: Val, sample: Val) -> State:
    return (few,)


def _sampling(
    b: Builder, number: Val, state: State, index: Val, draw: Val, key: Val, few: Val, many: Val, sample: Val
) -> Step:
    """One after the other without replacement, of a small sample: few - left successes so far."""
    (left,) = state
    first, _ = attempt_words(b, number, index, draw, key)
    k = b.cast(number, "float64")
    hit = b.and_(b.lt(k, sample), b.lt(b.mul(unit(b, first), b.sub(b.add(few, many), k)), left))
    left = b.select(hit, b.sub(left, 1.0), left)
    return (left,), b.sub(few, left), b.ge(b.add(k, 1.0), sample)


# -- zeta ------------------------------------------------------------------------------------------------------------
def _zeta_constants(b: Builder, index: Val, draw: Val, key: Val, exponent: Val) -> State:
    """a - 1, at most 1000, where no number but 1 has a chance; 2^(a - 1); u of the largest number, 2^63."""
    less = b.minimum(b.sub(exponent, 1.0), 1000.0)
    return index, draw, key, less, b.call("exp2", less), b.call("exp2", b.mul(less, -63.0))


def _zeta(
    b: Builder, number: Val, state: State, index: Val, draw: Val, key: Val, less: Val, power: Val, least: Val
) -> Step:
    """x = floor(u^(-1/(a-1))) where v x (t - 1)/(2^(a-1) - 1) <= t / 2^(a-1), t = (1 + 1/x)^(a-1) (L. Devroye,
    "Non-uniform random variate generation", 1986, chapter X.6)."""
    first, second = attempt_words(b, number, index, draw, key)
    u = b.fma(unit(b, first), b.sub(1.0, least), least)
    x = b.floor(b.call("exp", b.div(b.neg(b.call("log", u)), less)))
    more = b.call("expm1", b.mul(less, b.call("log1p", b.div(1.0, x))))
    left = b.mul(b.mul(unit(b, second), x), b.div(more, b.sub(power, 1.0)))
    return (), x, b.and_(b.le(left, b.div(b.add(more, 1.0), power)), b.lt(x, 2.0**63))


REPETITIONS = (
    Repetition("poisson_search", "float64", _search_poisson, 400, _first_poisson, _start_search),
    Repetition("binomial_search", "float64", _search_binomial, 400, _first_binomial, _start_search),
    Repetition("poisson_number", "float64", _poisson, MOST_ATTEMPTS, _poisson_constants),
    Repetition("binomial_number", "float64", _binomial, MOST_ATTEMPTS, _binomial_constants),
    Repetition("hypergeometric_number", "float64", _hypergeometric, MOST_ATTEMPTS, _hypergeometric_constants),
    Repetition("hypergeometric_sampling", "float64", _sampling, 16, start=_start_sampling),
    Repetition("zeta_number", "float64", _zeta, MOST_ATTEMPTS, _zeta_constants),
)
