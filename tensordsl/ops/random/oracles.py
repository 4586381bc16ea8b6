"""Numbers by rejection once more, by NumPy: the judges of `rejection`.

Contract   (index, draw, key, *parameters): arrays -> array.  Attempt number k of an element has the counter (index,
           draw xor k 2^48), as in native code; where both round differently at acceptance, numbers differ.
Written    apart from native code, in the textbook's form where that does not cancel.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tensordsl.ops.math.scalars import digamma, inverse_erf, vectorised
from tensordsl.ops.random.bits import ATTEMPT_SHIFT, MOST_ATTEMPTS, numpy_philox

Array = Any
MOST = 2.0**53
_inverse_erf = vectorised(inverse_erf)
_digamma = vectorised(lambda x: digamma(float(x)))
_log_factorial = vectorised(lambda k: math.lgamma(max(k, 0.0) + 1))


class _Source:
    """The random numbers of elements: `u(number)` of the first, `v(number)` of the second word of an attempt."""

    def __init__(self, index: Array, draw: Array, key: Array) -> None:
        self.index, self.draw, self.key = index, draw, key

    def of(self, left: Array) -> _Source:
        return _Source(self.index[left], self.draw[left], self.key[left])

    def words(self, number: int, part: int = 0) -> Array:
        return numpy_philox(self.index, self.draw ^ np.uint64(number << ATTEMPT_SHIFT), self.key, part)

    def u(self, number: int, part: int = 0) -> Array:
        return ((self.words(number, part) >> np.uint64(12)).astype("float64") + 0.5) * 2.0**-52

    def v(self, number: int) -> Array:
        return self.u(number, 1)


Attempt = Callable[..., tuple[Array, Array]]  # (source, number, *parameters) -> numbers, which are accepted


def _parts(index: Array, draw: Array, key: Array, *parameters: Array) -> tuple[tuple[int, ...], _Source, list[Array]]:
    """(shape, source, parameters), all flat and as long."""
    words = (np.asarray(w).astype("uint64") for w in (index, draw, key))
    arrays = np.broadcast_arrays(*words, *(np.asarray(p, "float64") for p in parameters))
    flat = [np.ravel(a) for a in arrays]
    return arrays[0].shape, _Source(*flat[:3]), flat[3:]


def _accepted(source: _Source, attempt: Attempt, needed: Array, *parameters: Array) -> Array:
    found, left = np.zeros(needed.shape), np.flatnonzero(needed)
    for number in range(MOST_ATTEMPTS):
        if not left.size:
            break
        with np.errstate(all="ignore"):
            numbers, is_good = attempt(source.of(left), number, *(p[left] for p in parameters))
        found[left] = numbers
        left = left[~is_good]
    return found


# -- continuous ------------------------------------------------------------------------------------------------------
def gamma(index: Array, draw: Array, key: Array, shape: Array) -> Array:
    return _gamma_number(index, draw, key, shape, False)


def log_gamma(index: Array, draw: Array, key: Array, shape: Array) -> Array:
    return _gamma_number(index, draw, key, shape, True)


def _gamma_number(index: Array, draw: Array, key: Array, shape: Array, log: bool) -> Array:
    dims, source, (a,) = _parts(index, draw, key, shape)
    with np.errstate(all="ignore"):
        valid, is_small = (a >= 0) & (a < np.inf), a < 1
        whole = _accepted(source, _gamma, valid, np.where(is_small, a + 1, a))
        factor = np.where(is_small, np.log(source.u(MOST_ATTEMPTS)) / a, 0)
        found = np.log(whole) + factor if log else whole * np.exp(factor)
        return np.where(valid, found, np.where(a > 0, a, np.nan)).reshape(dims)


def _gamma(source: _Source, number: int, a: Array) -> tuple[Array, Array]:
    d = a - 1 / 3
    z = np.sqrt(2) * _inverse_erf(2 * source.u(number) - 1)
    v = (1 + z / np.sqrt(9 * d)) ** 3
    return d * v, (v > 0) & (np.log(source.v(number)) < z * z / 2 + d * (1 - v + np.log(v)))


def gamma_slope(shape: Array, log_x: Array) -> Array:
    """The derivative of log x by the shape, P(shape, x) held: the series in long double, else as `rejection` says."""
    arrays = np.broadcast_arrays(np.asarray(shape, "float64"), np.asarray(log_x, "float64"))
    a, y = np.maximum(arrays[0], 1e-300).astype("longdouble"), arrays[1].astype("longdouble")
    with np.errstate(all="ignore"):
        x, psi = np.exp(y), _digamma(a + 1).astype("longdouble")
        is_large, is_far = a > 4000, x > a + 6 * np.sqrt(a) + 10
        left = (a > 0) & (y > -np.inf) & ~(is_large | is_far)
        total, term = np.zeros_like(a), 1 / a
        for n in range(10_000):
            if not left.any():
                break
            total = np.where(left, total - term * (y - psi), total)
            term, psi = term * x / (a + n + 1), psi + 1 / (a + n + 1)
            left = left & ~((x < a + n + 1) & (term * abs(y - psi) <= 1e-20 * abs(total)))
        t = np.exp(np.clip((y - np.log(a)) / 3, -300, 300))
        large = 1 / a + 3 / t * (1 / (9 * a * a) - (t - 1 + 1 / (9 * a)) / (2 * a))
        far = (y - _digamma(a)) / (x - a + 1)
        found = np.where(is_large, large, np.where(is_far, far, total))
        return np.where((arrays[0] > 0) & ~np.isnan(y), found, np.nan).astype("float64")


def von_mises_slope(kappa: Array, ratio: Array, angle: Array) -> Array:
    """By Gauss' rule, between 0 or pi and the angle as `codegen.scalar_ir.special.von_mises` says."""
    k, r, theta = (np.asarray(v, "float64")[..., None] for v in np.broadcast_arrays(kappa, ratio, angle))
    places, weights = np.polynomial.legendre.leggauss(100)
    with np.errstate(all="ignore"):
        a = np.abs(theta)
        is_left = np.cos(a) > r
        end = np.arccos(np.maximum(np.cos(a) - 45 / k, -1))
        length = np.where(is_left, -a, np.maximum(end - a, 0))
        half = length * (places + 1) / 4
        difference = -2 * np.sin(a + half) * np.sin(half)
        heights = np.exp(k * difference) * (np.cos(a) - r + difference) * length
        found = np.sum(heights * weights, axis=-1) / 2 * np.sign(theta[..., 0])
        return np.where(
            (k[..., 0] > 0) & (k[..., 0] <= 1e6) & (a[..., 0] <= 3.2) & (np.abs(r[..., 0]) <= 1), found, np.nan
        )


def normal_tail(index: Array, draw: Array, key: Array, low: Array, width: Array) -> Array:
    dims, source, (low, width) = _parts(index, draw, key, low, width)
    valid = (low > 0) & (low < np.inf) & (width >= 0)
    return np.where(valid, _accepted(source, _normal_tail, valid, low, width), np.nan).reshape(dims)


def _normal_tail(source: _Source, number: int, low: Array, width: Array) -> tuple[Array, Array]:
    root = low + np.sqrt(low * low + 4)
    x = np.minimum(-np.log1p(source.u(number) * np.expm1(-root / 2 * width)) / (root / 2), width)
    top = np.minimum(width, 2 / root)
    return low + x, np.log(source.v(number)) <= -(x - top) * (x + top - 4 / root) / 2


def von_mises(index: Array, draw: Array, key: Array, kappa: Array) -> Array:
    dims, source, (kappa,) = _parts(index, draw, key, kappa)
    valid = (kappa > 0) & (kappa <= 1e6)
    return np.where(valid, _accepted(source, _von_mises, valid, kappa), np.nan).reshape(dims)


def _von_mises(source: _Source, number: int, kappa: Array) -> tuple[Array, Array]:
    r = 1 + np.sqrt(1 + 4 * kappa * kappa)
    rho = 2 * kappa / (r + np.sqrt(2 * r))
    t, v = (1 - rho) / (1 + rho) * np.tan(np.pi / 2 * source.u(number)), source.v(number)
    y = kappa * ((1 - rho) ** 2 + ((1 + rho) * t) ** 2) / (2 * rho * (1 + t * t))
    angle = 2 * np.arctan(t)
    return np.where(source.words(number) & np.uint64(1), -angle, angle), np.log(y / v) + 1 - y >= 0


# -- counts ----------------------------------------------------------------------------------------------------------
def _searched(u: Array, needed: Array, first: Array, following: Callable[[int], Array]) -> Array:
    """The least k whose running sum of probabilities exceeds u; following(k) = P(k) / P(k - 1)."""
    term, total, found = first.copy(), first.copy(), np.zeros(u.shape)
    for k in range(1, 400):
        below = needed & (u > total) & (term >= 1e-20)
        if not below.any():
            break
        found += below
        term = term * following(k)
        total = total + term
    return found


def _deviance(x: Array, mean: Array) -> Array:
    """x log(x / mean) + mean - x"""
    y = (mean - x) / x
    return np.where(x > 0, x * (y - np.log1p(y)), mean)


def _stirling(k: Array) -> Array:
    """log(k!) - (k log(k) - k)"""
    small = _log_factorial(np.minimum(k, 30)) - np.where(k > 0, k * np.log(k) - k, 0)
    w = 1 / np.maximum(k, 30) ** 2
    large = np.log(2 * np.pi * k) / 2 + (1 / 12 - w * (1 / 360 - w / 1260)) / k
    return np.where(k < 30, small, large)


def poisson(index: Array, draw: Array, key: Array, mean: Array) -> Array:
    dims, source, (mean,) = _parts(index, draw, key, mean)
    with np.errstate(all="ignore"):
        valid, is_small = (mean >= 0) & (mean < MOST), mean < 10
        few = _searched(source.u(0), valid & is_small, np.exp(-mean), lambda k: mean / k)
        many = _accepted(source, _poisson, valid & ~is_small, mean)
    return (few + many).astype("int64").reshape(dims)


def _poisson(source: _Source, number: int, mean: Array) -> tuple[Array, Array]:
    b = 0.931 + 2.53 * np.sqrt(mean)
    a = -0.059 + 0.02483 * b
    u = source.u(number) - 0.5
    s = 0.5 - np.abs(u)
    k = np.floor((2 * a / s + b) * u + mean + 0.43)
    height = np.log(source.v(number) * (1.1239 + 1.1328 / (b - 3.4)) / (a / (s * s) + b))
    return k, (k >= 0) & (height <= -_deviance(k, mean) - _stirling(k))


def _count(x: Array) -> Array:
    with np.errstate(all="ignore"):
        return np.asarray(x).astype("int64")


def binomial(index: Array, draw: Array, key: Array, n: Array, p: Array) -> Array:
    dims, source, (n, p) = _parts(index, draw, key, _count(n), p)
    with np.errstate(all="ignore"):
        valid = (n >= 0) & (n < MOST) & (p >= 0) & (p <= 1)
        less = np.minimum(p, 1 - p)
        is_small, odds = n * less < 10, less / (1 - less)
        first = np.exp(n * np.log1p(-less))
        few = _searched(source.u(0), valid & is_small, first, lambda k: np.maximum(n - k + 1, 0) / k * odds)
        found = few + _accepted(source, _binomial, valid & ~is_small, n, less)
        return np.where(valid, np.where(p > 0.5, n - found, found), 0).astype("int64").reshape(dims)


def _binomial(source: _Source, number: int, n: Array, p: Array) -> tuple[Array, Array]:
    spread = np.sqrt(n * p * (1 - p))
    b = 1.15 + 2.53 * spread
    a = -0.0873 + 0.0248 * b + 0.01 * p
    u = source.u(number) - 0.5
    s = 0.5 - np.abs(u)
    k = np.floor((2 * a / s + b) * u + n * p + 0.5)
    height = np.log(source.v(number) * (2.83 + 5.1 / b) * spread / (a / (s * s) + b))

    def weight(k: Array) -> Array:
        return -_deviance(k, n * p) - _deviance(n - k, n * (1 - p)) - _stirling(k) - _stirling(n - k)

    return k, (k >= 0) & (k <= n) & (height <= weight(np.clip(k, 0, n)) - weight(np.floor((n + 1) * p)))


def hypergeometric(index: Array, draw: Array, key: Array, good: Array, bad: Array, sample: Array) -> Array:
    dims, source, (good, bad, sample) = _parts(index, draw, key, *map(_count, (good, bad, sample)))
    with np.errstate(all="ignore"):
        all = good + bad
        valid = (good >= 0) & (bad >= 0) & (sample >= 0) & (sample <= all) & (all < MOST)
        few, many, size = np.minimum(good, bad), np.maximum(good, bad), np.minimum(sample, all - sample)
        left = few.copy()
        for k in range(10):
            left -= (k < size) & (source.u(k) * (all - k) < left)
        large = _accepted(source, _hypergeometric, valid & ~(size < 10), few, many, size)
        found = np.where(size < 10, few - left, large)
        found = np.where(good > bad, size - found, found)
        return np.where(valid, np.where(sample > all - sample, good - found, found), 0).astype("int64").reshape(dims)


def _hypergeometric(source: _Source, number: int, few: Array, many: Array, size: Array) -> tuple[Array, Array]:
    all = few + many
    share = few / all
    deviation = np.sqrt((all - size) * size * share * (1 - share) / (all - 1) + 0.5)
    center = size * share + 0.5
    u, v = source.u(number), source.v(number)
    w = center + (2 * np.sqrt(2 / np.e) * deviation + 3 - 2 * np.sqrt(3 / np.e)) * (v - 0.5) / u
    mode = np.floor((size + 1) * (few + 1) / (all + 2))
    end = np.minimum(np.minimum(size, few) + 1, np.floor(center + 16 * deviation))

    def weight(k: Array) -> Array:
        return sum(-_log_factorial(x) for x in (k, few - k, size - k, many - size + k))

    k = np.clip(np.floor(w), 0, np.minimum(size, few))
    return k, (w >= 0) & (w < end) & (2 * np.log(u) <= weight(k) - weight(mode))


def zeta(index: Array, draw: Array, key: Array, a: Array) -> Array:
    dims, source, (a,) = _parts(index, draw, key, a)
    return _accepted(source, _zeta, a > 1, a).astype("int64").reshape(dims)


def _zeta(source: _Source, number: int, a: Array) -> tuple[Array, Array]:
    less = np.minimum(a - 1, 1000)
    least = 2.0 ** (-63 * less)
    x = np.floor(np.exp(-np.log(least + source.u(number) * (1 - least)) / less))
    t, power = (1 + 1 / x) ** less, 2.0**less
    return x, (source.v(number) * x * (t - 1) / (power - 1) <= t / power) & (x < 2.0**63)
