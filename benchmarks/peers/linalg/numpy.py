"""NumPy, and SciPy's triangular systems where it is there; gradients by hand.  The judge of the suite."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from benchmarks.peers.linalg import builds
from benchmarks.workloads.foundation import Build, Call
from benchmarks.workloads.linalg import CODES, DIMENSIONS, DRAWN, DRAWS, JITTER, POINTS, SIZES, STEPS

Array = Any


def triangular(a: Array, b: Array, transposed: bool = False) -> Array:
    """Of one system by SciPy, of many by NumPy, which has no loop of Python's around them."""
    if a.ndim == 2:
        try:
            from scipy.linalg import solve_triangular
        except ImportError:
            pass
        else:
            return solve_triangular(a, b, lower=True, trans=int(transposed), check_finite=False)
    return np.linalg.solve(a.swapaxes(-1, -2) if transposed else a, b)


def cholesky_gradient(a: Array, w: Array) -> Array:
    factor = np.linalg.cholesky(a)
    return np.sum(w * factor), of_cholesky(factor, w)


def of_cholesky(factor: Array, g: Array) -> Array:
    """By the matrix, as a symmetric one."""
    n = factor.shape[-1]
    inner = np.tril(factor.swapaxes(-1, -2) @ g)
    inner[..., range(n), range(n)] *= 0.5
    if factor.ndim == 2:
        half = triangular(factor, triangular(factor, inner, True).T, True)
    else:
        inverse = np.linalg.inv(factor)
        half = inverse.swapaxes(-1, -2) @ inner @ inverse
    return 0.5 * (half + half.swapaxes(-1, -2))


def solve_gradient(a: Array, b: Array, w: Array) -> Array:
    x = np.linalg.solve(a, b)
    by_b = np.linalg.solve(a.swapaxes(-1, -2), w)
    return np.sum(w * x), -by_b * x.swapaxes(-1, -2), by_b


def triangular_gradient(a: Array, b: Array, w: Array) -> Array:
    x = triangular(a, b)
    by_b = triangular(a, w, True)
    return np.sum(w * x), np.tril(-by_b * x.swapaxes(-1, -2)), by_b


def gaussian_process(x: Array, y: Array, length: Array, amplitude: Array, noise: Array) -> Array:
    squares = ((x[:, None] - x[None, :]) * np.exp(-length)) ** 2
    smooth = np.exp(2 * amplitude - 0.5 * squares)
    n, variance = len(x), np.exp(2 * noise)
    factor = np.linalg.cholesky(smooth + (variance + JITTER) * np.eye(n, dtype=x.dtype))
    white = triangular(factor, y)
    weights = triangular(factor, white, True)
    half = triangular(factor, np.eye(n, dtype=x.dtype))
    g = 0.5 * (np.outer(weights, weights) - half.T @ half)
    density = -0.5 * white @ white - np.log(np.diag(factor)).sum() - 0.5 * n * np.log(2 * np.pi)
    return density, np.sum(g * smooth * squares), 2 * np.sum(g * smooth), 2 * variance * np.trace(g)


def normal_vector(x: Array, mean: Array, covariance: Array) -> Array:
    n, factor = len(x), np.linalg.cholesky(covariance)
    white = triangular(factor, x - mean)
    weights = triangular(factor, white, True)
    half = triangular(factor, np.eye(n, dtype=x.dtype))
    density = -0.5 * white @ white - np.log(np.diag(factor)).sum() - 0.5 * n * np.log(2 * np.pi)
    return density, weights, 0.5 * (np.outer(weights, weights) - half.T @ half)


def kalman(y: Array, a: Array, h: Array, q: Array, r: Array) -> Array:
    mean, spread, density = np.zeros(len(a), a.dtype), np.eye(len(a), dtype=a.dtype), 0.0
    for row in y:
        mean, spread = a @ mean, a @ spread @ a.T + q
        seen = h @ spread
        factor = np.linalg.cholesky(seen @ h.T + r)
        white = triangular(factor, row - h @ mean)
        gain = triangular(factor, seen)
        mean, spread = mean + gain.T @ white, spread - gain.T @ gain
        density -= 0.5 * white @ white + np.log(np.diag(factor)).sum()
    return density


def kalman_gradient(y: Array, a: Array, h: Array, q: Array, r: Array) -> tuple[Any, ...]:
    """Backwards through each step in terms of the inverse of what is observed's covariance."""
    mean, spread, density, steps = np.zeros(len(a)), np.eye(len(a)), 0.0, []
    for row in y:
        before, mean, wide = (mean, spread), a @ mean, a @ spread @ a.T + q
        both = wide @ h.T
        inverse, rest = np.linalg.inv(h @ both + r), row - h @ mean
        white = inverse @ rest
        steps.append((*before, mean, wide, both, inverse, rest, white))
        density -= 0.5 * (rest @ white - np.log(np.linalg.det(inverse)))
        mean, spread = mean + both @ white, wide - both @ inverse @ both.T
    by_a, by_h = np.zeros_like(a), np.zeros_like(h)
    by_mean, by_spread = np.zeros(len(a)), np.zeros_like(a)
    for mean, spread, moved, wide, both, inverse, rest, white in reversed(steps):
        back = both.T @ by_mean
        by_inverse = -both.T @ by_spread @ both - 0.5 * np.outer(rest, rest) + np.outer(back, rest)
        by_seen = -inverse @ by_inverse @ inverse - 0.5 * inverse
        by_both = np.outer(by_mean, white) - 2 * by_spread @ both @ inverse + h.T @ by_seen
        by_rest = inverse @ back - white
        by_wide = by_spread + by_both @ h
        by_wide = 0.5 * (by_wide + by_wide.T)
        by_h += by_seen @ both.T + by_both.T @ wide - np.outer(by_rest, moved)
        by_moved = by_mean - h.T @ by_rest
        by_a += 2 * by_wide @ a @ spread + np.outer(by_moved, mean)
        by_mean, by_spread = a.T @ by_moved, a.T @ by_wide @ a
    return density, by_a, by_h


def hidden(seen: Array, transition: Array, start: Array) -> Array:
    share, density = start, 0.0
    for row in seen:
        share = (share @ transition) * row
        density += np.log(share.sum())
        share = share / share.sum()
    return density


def hidden_gradient(seen: Array, transition: Array, start: Array) -> tuple[Any, ...]:
    shares, totals = [start], []
    for row in seen:
        share = (shares[-1] @ transition) * row
        totals.append(share.sum())
        shares.append(share / totals[-1])
    g, by_transition = np.zeros_like(start), np.zeros_like(transition)
    for k in range(len(seen) - 1, -1, -1):
        g = (g - g @ shares[k + 1] + 1) / totals[k] * seen[k]
        by_transition += np.outer(shares[k], g)
        g = transition @ g
    return np.log(totals).sum(), by_transition


def drawing(name: str, _: Any) -> Call:
    draw = partial(getattr(np.random.default_rng(0), name), *DRAWS[name], size=DRAWN)
    return Call("draw()", {"draw": draw}, is_compared=False)


def calling(function: Callable[..., Any]) -> Build:
    return lambda data: Call("f(*x)", {"f": function, "x": data})


SINGLE: dict[str, Callable[..., Any]] = {
    "cholesky": np.linalg.cholesky, "cholesky_grad": cholesky_gradient,
    "solve": np.linalg.solve, "solve_grad": solve_gradient,
    "triangular": triangular, "triangular_grad": triangular_gradient,
}  # fmt: skip
BUILD = builds({
    **{f"q.{name}.{code}.{size}": calling(f) for name, f in SINGLE.items() for size in SIZES for code in CODES},
    **{f"s.gp.{code}.{n}": calling(gaussian_process) for n in POINTS for code in CODES},
    **{f"s.mvnormal.{code}.{n}": calling(normal_vector) for n in DIMENSIONS for code in CODES},
    **{f"s.kalman.{code}.{STEPS}": calling(kalman) for code in CODES},
    "s.kalman_grad.f8.100": calling(kalman_gradient),
    "s.hmm.f8.200": calling(hidden),
    "s.hmm_grad.f8.200": calling(hidden_gradient),
    **{f"r.{name}.f8.1e6": partial(drawing, name) for name in DRAWS},
    "compile-gp": calling(gaussian_process),
})  # fmt: skip
