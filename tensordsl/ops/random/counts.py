"""Counts at random, steps of the host: Poisson, and binomial and multinomial numbers of any number of trials.

Each element has 64 random bits of its own, the key of a generator from which it takes as many numbers as it needs.  So
the draws are a pure function of their operands, the same on every machine.  Small means are looked up in the running
sums of probabilities; others come by transformed rejection, of 1.2 attempts or so (W. Hörmann: "The transformed
rejection method for generating Poisson random variables", 1993; "The generation of binomial random variates", 1993).
Probabilities are exact to about the mean times the rounding of a float64.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tensordsl.graph.types import COMPLEX, DISCRETE
from tensordsl.graph.variables import Dims, Kernel, Op
from tensordsl.ops.array.shape import INTEGER_VALUED
from tensordsl.ops.operands import broadcast
from tensordsl.ops.random.bits import numpy_philox

SMALL = 10  # means below are looked up
MOST = 2.0**53
_FACTORIALS = np.array([math.lgamma(k + 1) for k in range(20)])


def _uniform(keys: Any, number: int) -> Any:
    """The number-th random number in (0, 1) of each key."""
    words = numpy_philox(np.uint64(number), np.uint64(2**64 - 2), keys)
    return ((words >> np.uint64(12)).astype("float64") + 0.5) * 2.0**-52


def _log_factorial(k: Any) -> Any:
    """log(k!): a table, from 20 on Stirling's series."""
    x = np.maximum(k, 19.0) + 1
    series = (x - 0.5) * np.log(x) - x + 0.5 * math.log(2 * math.pi) + (1 / 12 - (1 / 360 - 1 / 1260 / x**2) / x**2) / x
    return np.where(k < 20, _FACTORIALS[np.clip(k, 0, 19).astype(int)], series)


def _looked_up(keys: Any, first: Any, following: Callable[[int], Any]) -> Any:
    """The least k whose running sum of probabilities exceeds u; following(k) = P(k) / P(k - 1)."""
    u, term = _uniform(keys, 0), np.array(first)
    total, found = term.copy(), np.zeros(keys.shape, "int64")
    for k in range(1, 200):
        below = u > total
        if not below.any():
            break
        found += below
        term *= following(k)
        total += term
    return found


def _accepted(keys: Any, attempt: Callable[[Any, Any, Any], tuple[Any, Any]], *parameters: Any) -> Any:
    """attempt(u, v, parameters) -> (numbers, which are accepted), repeated for those that are not."""
    found, left, number = np.zeros(keys.shape, "int64"), np.arange(keys.size), 0
    while left.size:
        here = [p[left] for p in parameters]
        u, v = _uniform(keys[left], number) - 0.5, _uniform(keys[left], number + 1)
        k, is_good = attempt(u, v, here)
        found[left[is_good]] = k[is_good]
        left, number = left[~is_good], number + 2
    return found


def _poisson_attempt(u: Any, v: Any, parameters: Any) -> tuple[Any, Any]:
    (mean,) = parameters
    b = 0.931 + 2.53 * np.sqrt(mean)
    a = -0.059 + 0.02483 * b
    s = 0.5 - np.abs(u)
    k = np.floor((2 * a / s + b) * u + mean + 0.43)
    is_inside = (k >= 0) & ((s >= 0.013) | (v <= s))
    height = np.log(v * (1.1239 + 1.1328 / (b - 3.4)) / (a / (s * s) + b))
    is_below = height <= k * np.log(mean) - mean - _log_factorial(np.maximum(k, 0))
    return k, ((s >= 0.07) & (v <= 0.9277 - 3.6224 / (b - 2))) | (is_inside & is_below)


def _binomial_attempt(u: Any, v: Any, parameters: Any) -> tuple[Any, Any]:
    n, p = parameters
    spread = np.sqrt(n * p * (1 - p))
    b = 1.15 + 2.53 * spread
    a = -0.0873 + 0.0248 * b + 0.01 * p
    s = 0.5 - np.abs(u)
    k = np.floor((2 * a / s + b) * u + n * p + 0.5)
    is_inside = (k >= 0) & (k <= n)
    mode, within = np.floor((n + 1) * p), np.clip(k, 0, n)
    height = np.log(v * (2.83 + 5.1 / b) * spread / (a / (s * s) + b))
    top = _log_factorial(mode) + _log_factorial(n - mode) + (within - mode) * np.log(p / (1 - p))
    is_below = height <= top - _log_factorial(within) - _log_factorial(n - within)
    return k, is_inside & (((s >= 0.07) & (v <= 0.92 - 4.2 / b)) | is_below)


def numpy_poisson(words: Any, mean: Any) -> Any:
    keys, mean = np.broadcast_arrays(words, np.asarray(mean, "float64"))
    words, mean = np.ravel(keys), np.ravel(mean)
    if not np.all((mean >= 0) & (mean < MOST)):
        raise ValueError("poisson: a mean must be 0 or more, and below 2^53")
    found, is_small = np.zeros(words.shape, "int64"), mean < SMALL
    if is_small.any():
        small = mean[is_small]
        found[is_small] = _looked_up(words[is_small], np.exp(-small), lambda k: small / k)
    found[~is_small] = _accepted(words[~is_small], _poisson_attempt, mean[~is_small])
    return found.reshape(keys.shape)


def numpy_binomial(words: Any, n: Any, p: Any) -> Any:
    keys, n, p = np.broadcast_arrays(words, np.asarray(n, "float64"), np.asarray(p, "float64"))
    if not np.all((n >= 0) & (n < MOST) & (p >= 0) & (p <= 1)):
        raise ValueError("binomial: n must be 0 or more, and p within 0 and 1")
    words, n, p = np.ravel(keys), np.ravel(n), np.ravel(p)
    less = np.minimum(p, 1 - p)
    found, is_small = np.zeros(words.shape, "int64"), n * less < SMALL
    if is_small.any():
        trials, q = n[is_small], less[is_small]
        first, odds = np.exp(trials * np.log1p(-q)), q / (1 - q)
        found[is_small] = _looked_up(words[is_small], first, lambda k: np.maximum(trials - k + 1, 0) / k * odds)
    found[~is_small] = _accepted(words[~is_small], _binomial_attempt, n[~is_small], less[~is_small])
    return np.where(p > 0.5, n.astype("int64") - found, found).reshape(keys.shape)


def numpy_multinomial(words: Any, n: Any, pvals: Any) -> Any:
    """One binomial number after the other, of the trials that are left."""
    pvals = np.broadcast_to(np.asarray(pvals, "float64"), (*words.shape, np.shape(pvals)[-1]))
    left, rest = np.broadcast_to(np.asarray(n, "int64"), words.shape), np.ones(words.shape)
    found = np.zeros(pvals.shape, "int64")
    for j in range(pvals.shape[-1] - 1):
        share = np.clip(np.where(rest > 0, pvals[..., j] / np.where(rest > 0, rest, 1), 0), 0, 1)
        keys = numpy_philox(np.uint64(j), np.uint64(2**64 - 3), words)
        found[..., j] = numpy_binomial(keys, left, share)
        left, rest = left - found[..., j], rest - pvals[..., j]
    if pvals.shape[-1]:
        found[..., -1] = left
    return found


# -- rows ------------------------------------------------------------------------------------------------------------
def _counts(words: str, *parameters: str) -> str:
    if words != "uint64" or any(t in COMPLEX for t in parameters):
        raise TypeError(f"wants words of 64 random bits and real parameters, got {', '.join((words, *parameters))}")
    return "int64"


def _trials_first(words: str, n: str, p: str) -> str:
    if n not in DISCRETE:
        raise TypeError(f"the number of trials must be an integer, got {n}")
    return _counts(words, n, p)


def _multinomial_shape(d: Dims, words: Any, n: Any, pvals: Any) -> tuple[Any, ...]:
    return (*d.shape(words), d.shape(pvals)[-1])


CALL = Kernel("host", takes_complex=False, calls_python=True)
POISSON = Op("poisson", _counts, broadcast, numpy_poisson, CALL, no_gradient=INTEGER_VALUED)
BINOMIAL = Op("binomial", _trials_first, broadcast, numpy_binomial, CALL, no_gradient=INTEGER_VALUED)
MULTINOMIAL = Op(
    "multinomial",
    _trials_first,
    _multinomial_shape,
    numpy_multinomial,
    CALL,
    no_gradient=INTEGER_VALUED,
)
ROWS = (POISSON, BINOMIAL, MULTINOMIAL)
