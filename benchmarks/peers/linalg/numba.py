"""Explicit loops for small matrices and for triangles, NumPy's functions for larger ones; gradients by hand.  One small
matrix is a batch of one."""

# mypy: ignore-errors
from __future__ import annotations

import math
from functools import partial

import numba
import numpy as np

from benchmarks.peers.linalg import builds
from benchmarks.workloads.foundation import Call
from benchmarks.workloads.linalg import CODES, DIMENSIONS, DRAWN, DRAWS, JITTER, POINTS, SIZES, STEPS

fast = numba.njit(fastmath=True, cache=True)
SMALL, SMALL_GRADIENT = 16, 40  # rows up to which loops are faster than calls of LAPACK and the BLAS


@fast
def factorise(a, out):
    n = len(a)
    for j in range(n):
        total = a[j, j]
        for k in range(j):
            total -= out[j, k] * out[j, k]
        if not total > 0:
            raise ValueError("not positive definite")
        pivot = math.sqrt(total)
        out[j, j] = pivot
        for i in range(j + 1, n):
            total = a[i, j]
            for k in range(j):
                total -= out[i, k] * out[j, k]
            out[i, j] = total / pivot
            out[j, i] = 0


@fast
def cholesky_batch(a):
    out = np.empty_like(a)
    for i in range(len(a)):
        factorise(a[i], out[i])
    return out


@fast
def factor_of(a):
    if len(a) > SMALL:
        return np.linalg.cholesky(a)
    return cholesky_batch(np.expand_dims(a, 0))[0]


@fast
def back_through(factor, w, out):
    """From the gradient by a factor to that by the lower triangle of the matrix."""
    n = len(factor)
    for i in range(n):
        for j in range(n):
            out[i, j] = w[i, j] if j <= i else 0
    for k in range(n - 1, -1, -1):
        for j in range(k + 1, n):
            for i in range(j, n):
                out[i, k] -= out[i, j] * factor[j, k]
                out[j, k] -= out[i, j] * factor[i, k]
        for j in range(k + 1, n):
            out[j, k] /= factor[k, k]
            out[k, k] -= factor[j, k] * out[j, k]
        out[k, k] = 0.5 * out[k, k] / factor[k, k]


@fast
def of_cholesky(factor, w):
    n = len(factor)
    if n <= SMALL_GRADIENT:
        out = np.empty_like(factor)
        back_through(factor, w, out)
        return out
    inner = np.dot(factor.T, w)
    for i in range(n):
        inner[i, i] *= 0.5
        for j in range(i + 1, n):
            inner[i, j] = 0
    inverse = np.ascontiguousarray(np.linalg.inv(factor))
    return np.dot(inverse.T, np.dot(inner, inverse))


@fast
def cholesky_gradient(a, w):
    factor = factor_of(a)
    return (w * factor).sum(), of_cholesky(factor, w)


@fast
def cholesky_batch_gradient(a, w):
    out, factor, cost = np.empty_like(a), np.empty_like(a[0]), 0.0
    for i in range(len(a)):
        factorise(a[i], factor)
        for j in range(len(factor)):
            for k in range(len(factor)):
                cost += w[i, j, k] * factor[j, k]
        back_through(factor, w[i], out[i])
    return cost, out


@fast
def eliminate(lu, pivots):
    n = len(lu)
    for k in range(n):
        row = k
        for i in range(k + 1, n):
            if abs(lu[i, k]) > abs(lu[row, k]):
                row = i
        pivots[k] = row
        if row != k:
            for j in range(n):
                lu[k, j], lu[row, j] = lu[row, j], lu[k, j]
        for i in range(k + 1, n):
            lu[i, k] /= lu[k, k]
            for j in range(k + 1, n):
                lu[i, j] -= lu[i, k] * lu[k, j]


@fast
def by_factors(lu, pivots, x):
    n = len(lu)
    for k in range(n):
        x[k, 0], x[pivots[k], 0] = x[pivots[k], 0], x[k, 0]
    for i in range(n):
        for k in range(i):
            x[i, 0] -= lu[i, k] * x[k, 0]
    for i in range(n - 1, -1, -1):
        for k in range(i + 1, n):
            x[i, 0] -= lu[i, k] * x[k, 0]
        x[i, 0] /= lu[i, i]


@fast
def by_transposed_factors(lu, pivots, x):
    n = len(lu)
    for i in range(n):
        for k in range(i):
            x[i, 0] -= lu[k, i] * x[k, 0]
        x[i, 0] /= lu[i, i]
    for i in range(n - 1, -1, -1):
        for k in range(i + 1, n):
            x[i, 0] -= lu[k, i] * x[k, 0]
    for k in range(n - 1, -1, -1):
        x[k, 0], x[pivots[k], 0] = x[pivots[k], 0], x[k, 0]


@fast
def solve_batch(a, b):
    x, lu, pivots = b.copy(), np.empty_like(a[0]), np.empty(a.shape[1], np.int64)
    for i in range(len(a)):
        lu[:] = a[i]
        eliminate(lu, pivots)
        by_factors(lu, pivots, x[i])
    return x


@fast
def solve(a, b):
    if len(a) > SMALL:
        return np.linalg.solve(a, b)
    return solve_batch(np.expand_dims(a, 0), np.expand_dims(b, 0))[0]


@fast
def solve_batch_gradient(a, b, w):
    lu, pivots, cost = np.empty_like(a[0]), np.empty(a.shape[1], np.int64), 0.0
    x, by_a, by_b = np.empty_like(b[0]), np.empty_like(a), w.copy()
    for i in range(len(a)):
        lu[:], x[:] = a[i], b[i]
        eliminate(lu, pivots)
        by_factors(lu, pivots, x)
        by_transposed_factors(lu, pivots, by_b[i])
        for j in range(len(x)):
            cost += w[i, j, 0] * x[j, 0]
            for k in range(len(x)):
                by_a[i, j, k] = -by_b[i, j, 0] * x[k, 0]
    return cost, by_a, by_b


@fast
def solve_gradient(a, b, w):
    if len(a) > SMALL:
        x, by_b = np.linalg.solve(a, b), np.linalg.solve(a.T.copy(), w)
        return (w * x).sum(), -by_b * x.T, by_b
    cost, by_a, by_b = solve_batch_gradient(np.expand_dims(a, 0), np.expand_dims(b, 0), np.expand_dims(w, 0))
    return cost, by_a[0], by_b[0]


@fast
def substitute(a, x):
    for i in range(len(a)):
        total = x[i, 0]
        for k in range(i):
            total -= a[i, k] * x[k, 0]
        x[i, 0] = total / a[i, i]


@fast
def substitute_back(a, x):
    """By the transposed matrix, row by row."""
    for i in range(len(a) - 1, -1, -1):
        x[i, 0] /= a[i, i]
        for k in range(i):
            x[k, 0] -= a[i, k] * x[i, 0]


@fast
def lower_product(x, y, out):
    """-x y' below and on the diagonal."""
    for i in range(len(x)):
        for j in range(len(y)):
            out[i, j] = -x[i, 0] * y[j, 0] if j <= i else 0


@fast
def triangular_batch(a, b):
    x = b.copy()
    for i in range(len(a)):
        substitute(a[i], x[i])
    return x


@fast
def triangular_batch_gradient(a, b, w):
    x, by_b, by_a, cost = np.empty_like(b[0]), w.copy(), np.empty_like(a), 0.0
    for i in range(len(a)):
        x[:] = b[i]
        substitute(a[i], x)
        substitute_back(a[i], by_b[i])
        lower_product(by_b[i], x, by_a[i])
        for j in range(len(x)):
            cost += w[i, j, 0] * x[j, 0]
    return cost, by_a, by_b


@fast
def triangular(a, b):
    return triangular_batch(np.expand_dims(a, 0), np.expand_dims(b, 0))[0]


@fast
def triangular_gradient(a, b, w):
    cost, by_a, by_b = triangular_batch_gradient(np.expand_dims(a, 0), np.expand_dims(b, 0), np.expand_dims(w, 0))
    return cost, by_a[0], by_b[0]


@fast
def inverse_of(factor):
    """Of a lower triangle."""
    n = len(factor)
    if n > SMALL_GRADIENT:
        return np.ascontiguousarray(np.linalg.inv(factor))
    out = np.zeros_like(factor)
    for i in range(n):
        for k in range(i):
            scale = factor[i, k]
            for j in range(k + 1):
                out[i, j] -= scale * out[k, j]
        for j in range(i):
            out[i, j] /= factor[i, i]
        out[i, i] = 1 / factor[i, i]
    return out


@fast
def log_density(factor, rest):
    """And the inverse of the matrix times the rest, and half of the gradient by the matrix twice."""
    n = len(rest)
    inverse = inverse_of(factor)
    white = np.dot(inverse, rest)
    weights = np.dot(inverse.T, white)
    density = -0.5 * np.dot(white, white) - 0.5 * n * math.log(2 * math.pi)
    for i in range(n):
        density -= math.log(factor[i, i])
    g = np.dot(inverse.T, inverse)
    for i in range(n):
        for j in range(n):
            g[i, j] = 0.5 * (weights[i] * weights[j] - g[i, j])
    return density, weights, g


@fast
def gaussian_process(x, y, length, amplitude, noise):
    length, amplitude, noise, n = length[()], amplitude[()], noise[()], len(x)
    shrink, scale, variance = math.exp(-2 * length), math.exp(2 * amplitude), math.exp(2 * noise)
    covariance = np.empty((n, n), x.dtype)
    for i in range(n):
        for j in range(n):
            covariance[i, j] = scale * math.exp(-0.5 * shrink * (x[i] - x[j]) ** 2)
    factor = covariance.copy()
    for i in range(n):
        factor[i, i] += variance + JITTER
    density, _, g = log_density(np.linalg.cholesky(factor), y)
    by_length, by_amplitude, by_noise = 0.0, 0.0, 0.0
    for i in range(n):
        by_noise += g[i, i]
        for j in range(n):
            product = g[i, j] * covariance[i, j]
            by_amplitude += product
            by_length += product * shrink * (x[i] - x[j]) ** 2
    return density, by_length, 2 * by_amplitude, 2 * variance * by_noise


@fast
def normal_vector(x, mean, covariance):
    return log_density(factor_of(covariance), x - mean)


@fast
def kalman(y, a, h, q, r):
    states, observed = len(a), len(h)
    mean, spread, density = np.zeros(states, a.dtype), np.eye(states, dtype=a.dtype), 0.0
    seen, inner = np.empty((observed, states), a.dtype), np.empty((observed, observed), a.dtype)
    rest, factor, before = np.empty(observed, a.dtype), np.empty((observed, observed), a.dtype), np.empty_like(mean)
    half = np.empty_like(spread)
    for t in range(len(y)):
        before[:] = mean
        for i in range(states):
            mean[i] = 0.0
            for k in range(states):
                mean[i] += a[i, k] * before[k]
            for j in range(states):
                half[i, j] = 0.0
                for k in range(states):
                    half[i, j] += a[i, k] * spread[k, j]
        for i in range(states):
            for j in range(states):
                spread[i, j] = q[i, j]
                for k in range(states):
                    spread[i, j] += half[i, k] * a[j, k]
        for i in range(observed):
            rest[i] = y[t, i]
            for j in range(states):
                rest[i] -= h[i, j] * mean[j]
                seen[i, j] = 0.0
                for k in range(states):
                    seen[i, j] += h[i, k] * spread[k, j]
        for i in range(observed):
            for j in range(observed):
                inner[i, j] = r[i, j]
                for k in range(states):
                    inner[i, j] += seen[i, k] * h[j, k]
        factorise(inner, factor)
        for i in range(observed):
            for k in range(i):
                rest[i] -= factor[i, k] * rest[k]
                for j in range(states):
                    seen[i, j] -= factor[i, k] * seen[k, j]
            rest[i] /= factor[i, i]
            for j in range(states):
                seen[i, j] /= factor[i, i]
            density -= 0.5 * rest[i] * rest[i] + math.log(factor[i, i])
        for i in range(states):
            for k in range(observed):
                mean[i] += seen[k, i] * rest[k]
                for j in range(states):
                    spread[i, j] -= seen[k, i] * seen[k, j]
    return density


@fast
def multiply(a, b, out):
    for i in range(len(a)):
        for j in range(b.shape[1]):
            total = 0.0
            for k in range(len(b)):
                total += a[i, k] * b[k, j]
            out[i, j] = total


@fast
def invert(a, out):
    """Gauss and Jordan, of a positive definite matrix; its determinant."""
    n, determinant = len(a), 1.0
    out[:] = a
    for k in range(n):
        pivot = out[k, k]
        determinant *= pivot
        out[k, k] = 1.0
        for j in range(n):
            out[k, j] /= pivot
        for i in range(n):
            if i != k:
                factor = out[i, k]
                out[i, k] = 0.0
                for j in range(n):
                    out[i, j] -= factor * out[k, j]
    return determinant


@fast
def kalman_gradient(y, a, h, q, r):
    steps, states, observed = len(y), len(a), len(h)
    means, spreads = np.zeros((steps + 1, states)), np.zeros((steps + 1, states, states))
    moveds, wides = np.empty((steps, states)), np.empty((steps, states, states))
    boths, inverses = np.empty((steps, states, observed)), np.empty((steps, observed, observed))
    rests, whites = np.empty((steps, observed)), np.empty((steps, observed))
    half, seen = np.empty((states, states)), np.empty((observed, observed))
    gain = np.empty((states, observed))
    for i in range(states):
        spreads[0, i, i] = 1.0
    density = 0.0
    for t in range(steps):
        mean, spread, moved, wide = means[t], spreads[t], moveds[t], wides[t]
        both, inverse, rest, white = boths[t], inverses[t], rests[t], whites[t]
        multiply(a, spread, half)
        multiply(half, a.T, wide)
        for i in range(states):
            total = 0.0
            for j in range(states):
                total += a[i, j] * mean[j]
                wide[i, j] += q[i, j]
            moved[i] = total
        multiply(wide, h.T, both)
        multiply(h, both, seen)
        for i in range(observed):
            total = y[t, i]
            for j in range(states):
                total -= h[i, j] * moved[j]
            rest[i] = total
            for j in range(observed):
                seen[i, j] += r[i, j]
        density -= 0.5 * math.log(invert(seen, inverse))
        for i in range(observed):
            total = 0.0
            for j in range(observed):
                total += inverse[i, j] * rest[j]
            white[i] = total
            density -= 0.5 * rest[i] * total
        multiply(both, inverse, gain)
        for i in range(states):
            total = moved[i]
            for k in range(observed):
                total += both[i, k] * white[k]
            means[t + 1, i] = total
            for j in range(states):
                total = wide[i, j]
                for k in range(observed):
                    total -= gain[i, k] * both[j, k]
                spreads[t + 1, i, j] = total
    by_a, by_h = np.zeros((states, states)), np.zeros((observed, states))
    by_mean, by_spread, by_moved = np.zeros(states), np.zeros((states, states)), np.empty(states)
    by_both, by_wide = np.empty((states, observed)), np.empty((states, states))
    back, by_rest, by_seen = np.empty(observed), np.empty(observed), np.empty((observed, observed))
    left, right = np.empty((states, observed)), np.empty((observed, observed))
    for t in range(steps - 1, -1, -1):
        both, inverse, rest, white = boths[t], inverses[t], rests[t], whites[t]
        multiply(by_spread, both, left)
        for i in range(observed):
            total = 0.0
            for k in range(states):
                total += both[k, i] * by_mean[k]
            back[i] = total
        for i in range(observed):
            for j in range(observed):
                total = (back[i] - 0.5 * rest[i]) * rest[j]
                for k in range(states):
                    total -= both[k, i] * left[k, j]
                seen[i, j] = total
        multiply(inverse, seen, right)
        multiply(right, inverse, by_seen)
        for i in range(observed):
            total = -white[i]
            for j in range(observed):
                by_seen[i, j] = -by_seen[i, j] - 0.5 * inverse[i, j]
                total += inverse[i, j] * back[j]
            by_rest[i] = total
        for i in range(states):
            for j in range(observed):
                total = by_mean[i] * white[j]
                for k in range(observed):
                    total += h[k, i] * by_seen[k, j] - 2 * left[i, k] * inverse[k, j]
                by_both[i, j] = total
        for i in range(states):
            total = by_mean[i]
            for k in range(observed):
                total -= h[k, i] * by_rest[k]
            by_moved[i] = total
            for j in range(states):
                total = by_spread[i, j]
                for k in range(observed):
                    total += 0.5 * (by_both[i, k] * h[k, j] + by_both[j, k] * h[k, i])
                by_wide[i, j] = total
        for i in range(observed):
            for j in range(states):
                total = -by_rest[i] * moveds[t, j]
                for k in range(observed):
                    total += by_seen[i, k] * both[j, k]
                for k in range(states):
                    total += by_both[k, i] * wides[t, k, j]
                by_h[i, j] += total
        multiply(by_wide, a, half)
        for i in range(states):
            for j in range(states):
                total = by_moved[i] * means[t, j]
                for k in range(states):
                    total += 2 * half[i, k] * spreads[t, k, j]
                by_a[i, j] += total
        multiply(a.T, half, by_spread)
        for i in range(states):
            total = 0.0
            for k in range(states):
                total += a[k, i] * by_moved[k]
            by_mean[i] = total
    return density, by_a, by_h


@fast
def hidden(seen, transition, start):
    states, density = len(start), 0.0
    share, after = start.copy(), np.empty(states)
    for t in range(len(seen)):
        total = 0.0
        for j in range(states):
            after[j] = 0.0
            for i in range(states):
                after[j] += share[i] * transition[i, j]
            after[j] *= seen[t, j]
            total += after[j]
        density += math.log(total)
        for j in range(states):
            share[j] = after[j] / total
    return density


@fast
def hidden_gradient(seen, transition, start):
    steps, states, density = len(seen), len(start), 0.0
    shares, totals = np.empty((steps + 1, states)), np.empty(steps)
    shares[0] = start
    for t in range(steps):
        total = 0.0
        for j in range(states):
            value = 0.0
            for i in range(states):
                value += shares[t, i] * transition[i, j]
            shares[t + 1, j] = value * seen[t, j]
            total += shares[t + 1, j]
        density += math.log(total)
        totals[t] = total
        for j in range(states):
            shares[t + 1, j] /= total
    g, back, by_transition = np.zeros(states), np.empty(states), np.zeros((states, states))
    for t in range(steps - 1, -1, -1):
        common = 1.0
        for j in range(states):
            common -= g[j] * shares[t + 1, j]
        for j in range(states):
            back[j] = (g[j] + common) / totals[t] * seen[t, j]
        for i in range(states):
            total = 0.0
            for j in range(states):
                by_transition[i, j] += shares[t, i] * back[j]
                total += transition[i, j] * back[j]
            g[i] = total
    return density, by_transition


def drawing(name, _):
    """Numba's own generation of NumPy's streams, an array at once."""
    numbers = ", ".join(map(repr, DRAWS[name] or (0.0, 1.0)))
    names = {}
    exec(f"def draw(random):\n    return random.{name}({numbers}, {DRAWN})", names)
    compiled = numba.njit(names["draw"])
    return Call("f(random)", {"f": compiled, "random": np.random.default_rng(0)}, is_compared=False)


def calling(function):
    """A function that the process has not compiled yet, as others make theirs anew."""
    return lambda data: Call("f(*x)", {"f": fast(function.py_func), "x": data})


SINGLE = {
    "cholesky": factor_of, "cholesky_grad": cholesky_gradient, "solve": solve, "solve_grad": solve_gradient,
    "triangular": triangular, "triangular_grad": triangular_gradient,
}  # fmt: skip
BATCHES = {
    "cholesky": cholesky_batch, "cholesky_grad": cholesky_batch_gradient, "solve": solve_batch,
    "solve_grad": solve_batch_gradient, "triangular": triangular_batch, "triangular_grad": triangular_batch_gradient,
}  # fmt: skip
BUILD = builds({
    **{
        f"q.{name}.{code}.{size}": calling((SINGLE if len(shape) == 2 else BATCHES)[name])
        for name in SINGLE
        for code in CODES
        for size, shape in SIZES.items()
    },
    **{f"s.gp.{code}.{n}": calling(gaussian_process) for n in POINTS for code in CODES},
    **{f"s.mvnormal.{code}.{n}": calling(normal_vector) for n in DIMENSIONS for code in CODES},
    **{f"s.kalman.{code}.{STEPS}": calling(kalman) for code in CODES},
    "s.kalman_grad.f8.100": calling(kalman_gradient),
    "s.hmm.f8.200": calling(hidden),
    "s.hmm_grad.f8.200": calling(hidden_gradient),
    **{f"r.{name}.f8.1e6": partial(drawing, name) for name in DRAWS},
    "compile-gp": calling(gaussian_process),
})  # fmt: skip
