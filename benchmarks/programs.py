"""Whole programs with their gradients, as all kinds of users write them, beside JAX and PyTensor.

    python -m benchmarks.programs [--peers jax,pytensor] [--only mixture ...] [--markdown FILE]

Costs are written once, over a namespace; each library derives the gradient itself.  All are called in one process, in
turns, with one thread (set OMP_NUM_THREADS=1 before), in processor time; results have to agree.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import exp, log
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from benchmarks.peers import XLA_ONE_THREAD

ROUNDS, SECONDS = 12, 0.01


@dataclass(frozen=True, slots=True)
class Program:
    """cost(m, *operands) and random operands; `by`: how many of them are parameters, whose gradient is wanted."""

    name: str
    cost: Callable[..., Any]
    by: int
    operands: Callable[[np.random.Generator], Sequence[Any]]


def log_sum_exp(m: Any, x: Any) -> Any:
    top = x.max(axis=1, keepdims=True)
    return (top + m.log(m.exp(x - top).sum(axis=1, keepdims=True))).sum(axis=1)


def mixture(m: Any, means: Any, spreads: Any, weights: Any, x: Any) -> Any:
    """Of Gaussians, with diagonal covariances."""
    far = ((x[:, None, :] - means[None]) ** 2 * m.exp(-2 * spreads)[None]).sum(axis=2)
    return -log_sum_exp(m, weights[None] - log_sum_exp(m, weights[None])[:, None] - far / 2 - spreads.sum(axis=1)).sum()


def factors(m: Any, users: Any, items: Any, who: Any, what: Any, rating: Any) -> Any:
    """A factorisation of a sparse matrix."""
    error = (users[who] * items[what]).sum(axis=1) - rating
    return (error**2).mean() + 0.01 * ((users**2).sum() + (items**2).sum())


def multilevel(m: Any, mean: Any, spread: Any, raw: Any, slope: Any, group: Any, x: Any, y: Any) -> Any:
    """A logistic regression with an intercept and a slope for each group."""
    logit = (mean + m.exp(spread) * raw)[group] + slope[group] * x
    return (m.log(1 + m.exp(logit)) - y * logit).sum() + 0.5 * ((raw**2).sum() + (slope**2).sum() + mean**2 + spread**2)


def neighbours(m: Any, place: Any, p: Any) -> Any:
    """t-SNE."""
    near = 1 / (1 + ((place[:, None, :] - place[None]) ** 2).sum(axis=2))
    return (p * m.log((p + 1e-12) / (near / near.sum() + 1e-12))).sum()


def process(m: Any, scale: Any, x: Any, y: Any) -> Any:
    """The quadratic form of a Gaussian process."""
    far = ((x[:, None, :] - x[None]) ** 2).sum(axis=2)
    return (y * (m.exp(-0.5 * far * m.exp(-2 * scale)) @ y)).sum()


def convolution(m: Any, kernel: Any, image: Any, target: Any) -> Any:
    total: Any = 0.0
    for i in range(3):
        for j in range(3):
            total = total + kernel[i, j] * image[i : i + 254, j : j + 254]
    return ((m.tanh(total) - target) ** 2).mean()


def attention(m: Any, query: Any, key: Any, value: Any, x: Any) -> Any:
    score = (x @ query) @ (x @ key).T / 8
    e = m.exp(score - score.max(axis=1, keepdims=True))
    return ((e / e.sum(axis=1, keepdims=True) @ (x @ value)) ** 2).sum()


def words(m: Any, into: Any, out: Any, centre: Any, near: Any, others: Any) -> Any:
    """Word vectors with negative samples."""
    v = into[centre]
    good, bad = (v * out[near]).sum(axis=1), (v[:, None, :] * out[others]).sum(axis=2)
    return m.log(1 + m.exp(-good)).sum() + m.log(1 + m.exp(bad)).sum()


def springs(m: Any, place: Any, one: Any, other: Any) -> Any:
    return ((m.sqrt(((place[one] - place[other]) ** 2).sum(axis=1) + 1e-9) - 1) ** 2).sum()


def gravity(m: Any, place: Any) -> Any:
    return (1 / m.sqrt(((place[:, None, :] - place[None]) ** 2).sum(axis=2) + 0.01)).sum()


def rotations(m: Any, matrix: Any, x: Any, target: Any) -> Any:
    return (((matrix * x[:, None, :]).sum(axis=2) - target) ** 2).sum()


def lorenz(m: Any, state: Any, k: Any) -> Any:
    """Three steps of Runge and Kutta's."""

    def change(s: Any) -> Any:
        x, y, z = s[:, 0], s[:, 1], s[:, 2]
        return m.stack([k[0] * (y - x), x * (k[1] - z) - y, x * y - k[2] * z], axis=1)

    for _ in range(3):
        a = change(state)
        b = change(state + 0.005 * a)
        c = change(state + 0.005 * b)
        state = state + 0.01 / 6 * (a + 2 * b + 2 * c + change(state + 0.01 * c))
    return (state**2).sum()


def hazards(m: Any, weights: Any, x: Any, seen: Any) -> Any:
    """Cox's partial likelihood."""
    risk = x @ weights
    return -(seen * (risk - m.log(m.cumsum(m.exp(risk))))).sum()


def normalised(m: Any, gain: Any, bias: Any, weights: Any, x: Any) -> Any:
    """A layer with batch normalisation."""
    h = x @ weights
    centred = h - h.mean(axis=0)
    return (m.maximum(centred / m.sqrt((centred**2).mean(axis=0) + 1e-5) * gain + bias, 0.0) ** 2).mean()


def classes(m: Any, weights: Any, x: Any, label: Any) -> Any:
    z = x @ weights
    z = z - z.max(axis=1, keepdims=True)
    return -(z - m.log(m.exp(z).sum(axis=1, keepdims=True)))[m.arange(2000), label].mean()


def autoregression(m: Any, phi: Any, x: Any) -> Any:
    return ((x[3:] - phi[0] * x[2:-1] - phi[1] * x[1:-2] - phi[2] * x[:-3]) ** 2).sum()


def logistic(m: Any, x: Any) -> Any:
    return 1 / (1 + m.exp(-x))


def memory(m: Any, into: Any, again: Any, bias: Any, x: Any, target: Any) -> Any:
    """Twelve unrolled steps of an LSTM."""
    h = cell = 0 * target
    for t in range(12):
        z = x[t] @ into + h @ again + bias
        keep, take, give = (logistic(m, z[:, 16 * k : 16 * k + 16]) for k in range(3))
        cell = keep * cell + take * m.tanh(z[:, 48:])
        h = give * m.tanh(cell)
    return ((h - target) ** 2).mean()


def autoencoder(m: Any, weights: Any, hidden: Any, visible: Any, x: Any, noise: Any) -> Any:
    """Of noisy data, with tied weights."""
    z = logistic(m, logistic(m, (x * noise) @ weights + hidden) @ weights.T + visible)
    return -(x * m.log(z) + (1 - x) * m.log(1 - z)).sum(axis=1).mean()


def markov(m: Any, start: Any, change: Any, emit: Any, seen: Any) -> Any:
    """Thirty steps of a hidden Markov model, forward."""
    change = change - log_sum_exp(m, change)[:, None]
    emit = emit - log_sum_exp(m, emit)[:, None]
    state = start + emit[:, seen[0]]
    for t in range(1, 30):
        state = log_sum_exp(m, (state[:, None] + change).T) + emit[:, seen[t]]
    return log_sum_exp(m, state[None]).sum()


def volatility(m: Any, h: Any, spread: Any, keep: Any, y: Any) -> Any:
    """A log-variance that follows itself."""
    rho = m.tanh(keep)
    z = (h[1:] - rho * h[:-1]) * m.exp(-spread)
    return 0.5 * (z**2).sum() + 999 * spread + 0.5 * (h + y**2 * m.exp(-h)).sum()


def outliers(m: Any, slope: Any, scale: Any, freedom: Any, x: Any, y: Any) -> Any:
    """A regression with Student's errors, of unknown degrees of freedom."""
    nu = 1 + m.exp(freedom)
    z = (y - x @ slope) * m.exp(-scale)
    each = m.gammaln((nu + 1) / 2) - m.gammaln(nu / 2) - 0.5 * m.log(nu) - scale
    return (each - (nu + 1) / 2 * m.log1p(z**2 / nu)).sum()


def counts(m: Any, slope: Any, shape: Any, zeros: Any, x: Any, y: Any) -> Any:
    """A negative binomial regression, inflated at 0."""
    mean, a, p = m.exp(0.3 * (x @ slope)), m.exp(shape), logistic(m, zeros)
    each = m.gammaln(y + a) - m.gammaln(a) - m.gammaln(y + 1) + a * m.log(a / (a + mean)) + y * m.log(mean / (a + mean))
    return m.where(y > 0, m.log(1 - p) + each, m.log(p + (1 - p) * m.exp(each))).sum()


def grades(m: Any, slope: Any, scale: Any, cuts: Any, x: Any, y: Any) -> Any:
    """An ordinal regression."""
    place = x @ slope * m.exp(scale)
    ends = m.concatenate([0 * cuts[:1] - 30, m.sort(cuts), 0 * cuts[:1] + 30])
    return m.log(logistic(m, ends[y + 1] - place) - logistic(m, ends[y] - place) + 1e-12).sum()


def options(m: Any, price: Any, strike: Any, rate: Any, spread: Any, time: Any) -> Any:
    """Black and Scholes's, with all of their sensitivities."""
    width = spread * m.sqrt(time)
    far = (m.log(price / strike) + (rate + spread * spread / 2) * time) / width

    def below(z: Any) -> Any:
        return 0.5 * (1 + m.erf(z / np.sqrt(2)))

    return (price * below(far) - strike * m.exp(-rate * time) * below(far - width)).sum()


def returns(m: Any, x: Any) -> Any:
    """Sharpe's ratio in a rolling window, by running sums."""
    zero = 0 * x[:1]
    one, two = (m.concatenate([zero, m.cumsum(s)]) for s in (x, x**2))
    mean = (one[50:] - one[:-50]) / 50
    return (mean / m.sqrt((two[50:] - two[:-50]) / 50 - mean**2 + 1e-8)).mean()


def smoothing(m: Any, image: Any) -> Any:
    """A bilateral filter of 3 x 3."""
    weight, total = 0.0, 0.0
    for i in range(3):
        for j in range(3):
            near = image[i : i + 198, j : j + 298]
            w = m.exp(-10 * (near - image[1:-1, 1:-1]) ** 2)
            weight, total = weight + w, total + w * near
    return ((total / weight) ** 2).sum()


def transport(m: Any, cost: Any, mass: Any) -> Any:
    """Ten rounds of Sinkhorn's."""
    kernel, p = m.exp(-5 * cost), m.exp(mass) / m.exp(mass).sum()
    u = 0 * mass + 1
    for _ in range(10):
        v = 1 / (kernel.T @ u)
        u = p / (kernel @ v)
    return (u[:, None] * kernel * v[None, :] * cost).sum()


def waves(m: Any, u: Any) -> Any:
    """Five steps of the wave equation, around a torus."""
    before = u
    for _ in range(5):
        around = m.roll(u, 1, axis=0) + m.roll(u, -1, axis=0) + m.roll(u, 1, axis=1) + m.roll(u, -1, axis=1)
        u, before = 1.6 * u - before + 0.1 * around, u
    return (u**2).sum()


def ranking(m: Any, score: Any, better: Any, worse: Any) -> Any:
    ahead = score[better] - score[worse]
    return m.maximum(1 - ahead, 0.0).mean() + m.log1p(m.exp(-ahead)).mean()


def pairs(m: Any, a: Any, b: Any, heat: Any) -> Any:
    """A contrastive loss, in both directions."""
    a, b = (x / m.sqrt((x**2).sum(axis=1, keepdims=True)) for x in (a, b))
    alike = a @ b.T * m.exp(heat)
    right = (a * b).sum(axis=1) * m.exp(heat)
    return (log_sum_exp(m, alike) + log_sum_exp(m, alike.T) - 2 * right).mean()


def images(m: Any, kernel: Any, bias: Any, x: Any) -> Any:
    """A convolution by one product, and pooling."""
    parts = m.stack([x[:, :, i : i + 18, j : j + 18] for i in range(3) for j in range(3)], axis=2)
    y = parts.transpose((0, 3, 4, 1, 2)).reshape((4 * 18 * 18, 27)) @ kernel + bias
    return (m.maximum(y, 0.0).reshape((4, 9, 2, 9, 2, 8)).max(axis=(2, 4)) ** 2).mean()


def attitudes(m: Any, v: Any, q: Any, target: Any) -> Any:
    """Rotations by quaternions."""
    q = q / m.sqrt((q**2).sum(axis=1, keepdims=True))

    def cross(a: Any, b: Any) -> Any:
        around = [a[:, i] * b[:, j] - a[:, j] * b[:, i] for i, j in ((1, 2), (2, 0), (0, 1))]
        return m.stack(around, axis=1)

    twice = 2 * cross(q[:, 1:], v)
    return ((v + q[:, 0][:, None] * twice + cross(q[:, 1:], twice) - target) ** 2).sum()


def covariances(m: Any, weights: Any, means: Any, roots: Any, x: Any) -> Any:
    """A mixture of Gaussians of three dimensions, with an inverse written by hand."""
    c = (roots[:, :, None, :] * roots[:, None, :, :]).sum(axis=3) + 0.5 * m.eye(3)

    def minor(i: int, j: int, k: int, l: int) -> Any:
        return c[:, i, j] * c[:, k, l] - c[:, i, l] * c[:, k, j]

    rows = (
        (minor(1, 1, 2, 2), minor(0, 2, 2, 1), minor(0, 1, 1, 2)),
        (minor(1, 2, 2, 0), minor(0, 0, 2, 2), minor(0, 2, 1, 0)),
        (minor(1, 0, 2, 1), minor(0, 1, 2, 0), minor(0, 0, 1, 1)),
    )
    size = sum(c[:, 0, k] * row[0] for k, row in enumerate(rows))
    inverse = m.stack([m.stack(row, axis=1) for row in rows], axis=1) / size[:, None, None]
    d = x[:, None, :] - means[None]
    far = (d[:, :, :, None] * inverse[None] * d[:, :, None, :]).sum(axis=(2, 3))
    share = weights - m.log(m.exp(weights).sum())
    return -log_sum_exp(m, share - 0.5 * far - 0.5 * m.log(size)[None, :]).sum()


def triangular(m: Any, a: Any, b: Any) -> Any:
    """Many Gaussian densities of four dimensions, by Cholesky's factors written by hand."""
    root: dict[tuple[int, int], Any] = {}
    solved: list[Any] = []
    for i in range(4):
        for j in range(i + 1):
            rest = (a[:, i, :] * a[:, j, :]).sum(axis=1) + float(i == j)
            rest = rest - sum(root[i, k] * root[j, k] for k in range(j))
            root[i, j] = m.sqrt(rest) if i == j else rest / root[j, j]
        solved.append((b[:, i] - sum(root[i, k] * solved[k] for k in range(i))) / root[i, i])
    return sum(v**2 / 2 + m.log(root[i, i]) for i, v in enumerate(solved)).sum()


def graphs(m: Any, first: Any, second: Any, x: Any, near: Any, label: Any) -> Any:
    """Two layers over the four neighbours of each node."""
    h = m.tanh((x @ first)[near].mean(axis=1))
    z = (h @ second)[near].mean(axis=1)
    return (log_sum_exp(m, z) - z[m.arange(5000), label]).mean()


def interpolation(m: Any, image: Any, at: Any, target: Any) -> Any:
    low = m.floor(at)
    parts, place = at - low, low.astype("int64")
    dy, dx, i, j = parts[:, 0], parts[:, 1], place[:, 0], place[:, 1]
    above = (1 - dx) * image[i, j] + dx * image[i, j + 1]
    below = (1 - dx) * image[i + 1, j] + dx * image[i + 1, j + 1]
    return (((1 - dy) * above + dy * below - target) ** 2).mean()


def edges(m: Any, image: Any) -> Any:
    """Sobel's filter."""
    left, right = image[:, :-2], image[:, 2:]
    across = right[:-2] + 2 * right[1:-1] + right[2:] - left[:-2] - 2 * left[1:-1] - left[2:]
    above, below = image[:-2], image[2:]
    down = below[:, :-2] + 2 * below[:, 1:-1] + below[:, 2:] - above[:, :-2] - 2 * above[:, 1:-1] - above[:, 2:]
    return m.sqrt(across**2 + down**2 + 1e-6).mean()


def fields(m: Any, u: Any, before: Any) -> Any:
    """What a wave in three dimensions comes to in a step."""
    inner = slice(1, -1)
    around: Any = -6 * u[inner, inner, inner]
    for axis in range(3):
        for side in (slice(2, None), slice(None, -2)):
            around = around + u[tuple(side if d == axis else inner for d in range(3))]
    return ((2 * u[inner, inner, inner] - before[inner, inner, inner] + 0.1 * around) ** 2).sum()


def correlations(m: Any, x: Any) -> Any:
    centred = x - x.mean(axis=0)
    z = centred / m.sqrt((centred**2).mean(axis=0) + 1e-6)
    return ((z.T @ z / x.shape[0]) ** 2).sum()


def flows(m: Any, u: Any, w: Any, b: Any, z: Any) -> Any:
    """Four planar layers of a normalising flow."""
    total: Any = 0.0
    for k in range(4):
        a = m.tanh(z @ w[k] + b[k])
        total = total + m.log(m.abs(1 + (1 - a**2) * (u[k] * w[k]).sum()) + 1e-6)
        z = z + u[k] * a[:, None]
    return (0.5 * (z**2).sum(axis=1) - total).mean()


def simplex(r: np.random.Generator) -> np.ndarray:
    p = r.random((300, 300))
    return np.asarray(p / p.sum())


PROGRAMS = (
    Program("mixture", mixture, 3, lambda r: (*r.normal(size=(2, 8, 4)), r.normal(size=8), r.normal(size=(5000, 4)))),
    Program("factors", factors, 2, lambda r: (
        r.normal(size=(2000, 16)), r.normal(size=(1000, 16)), *r.integers(0, 1000, (2, 20_000)),
        r.normal(size=20_000))),
    Program("multilevel", multilevel, 4, lambda r: (
        np.array(0.1), np.array(0.2), *r.normal(size=(2, 85)), r.integers(0, 85, 919), r.normal(size=919),
        r.integers(0, 2, 919).astype(float))),
    Program("neighbours", neighbours, 1, lambda r: (r.normal(size=(300, 2)), simplex(r))),
    Program("process", process, 1, lambda r: (np.array(0.1), r.normal(size=(300, 3)), r.normal(size=300))),
    Program("convolution", convolution, 2, lambda r: (
        r.normal(size=(3, 3)), r.normal(size=(256, 256)), r.normal(size=(254, 254)))),
    Program("attention", attention, 3, lambda r: (*0.1 * r.normal(size=(3, 64, 64)), r.normal(size=(128, 64)))),
    Program("words", words, 2, lambda r: (
        *0.1 * r.normal(size=(2, 5000, 64)), *r.integers(0, 5000, (2, 512)), r.integers(0, 5000, (512, 5)))),
    Program("springs", springs, 1, lambda r: (r.normal(size=(2000, 3)), *r.integers(0, 2000, (2, 20_000)))),
    Program("gravity", gravity, 1, lambda r: (r.normal(size=(300, 3)),)),
    Program("rotations", rotations, 2, lambda r: (r.normal(size=(5000, 3, 3)), *r.normal(size=(2, 5000, 3)))),
    Program("lorenz", lorenz, 2, lambda r: (r.normal(size=(5000, 3)), np.array([10.0, 28.0, 8 / 3]))),
    Program("hazards", hazards, 1, lambda r: (
        0.1 * r.normal(size=8), r.normal(size=(5000, 8)), r.integers(0, 2, 5000).astype(float))),
    Program("normalised", normalised, 3, lambda r: (
        np.ones(128), np.zeros(128), 0.1 * r.normal(size=(64, 128)), r.normal(size=(512, 64)))),
    Program("classes", classes, 1, lambda r: (
        0.1 * r.normal(size=(20, 5)), r.normal(size=(2000, 20)), r.integers(0, 5, 2000))),
    Program("memory", memory, 3, lambda r: (
        0.3 * r.normal(size=(8, 64)), 0.3 * r.normal(size=(16, 64)), np.zeros(64), r.normal(size=(12, 20, 8)),
        r.normal(size=(20, 16)))),
    Program("autoencoder", autoencoder, 3, lambda r: (
        0.1 * r.normal(size=(100, 40)), np.zeros(40), np.zeros(100), r.random((200, 100)),
        r.integers(0, 2, (200, 100)).astype(float))),
    Program("markov", markov, 3, lambda r: (
        r.normal(size=3), r.normal(size=(3, 3)), r.normal(size=(3, 5)), r.integers(0, 5, 30))),
    Program("volatility", volatility, 3, lambda r: (
        0.1 * r.normal(size=1000), np.array(-1.0), np.array(1.5), r.normal(size=1000))),
    Program("outliers", outliers, 3, lambda r: (
        r.normal(size=6), np.array(0.2), np.array(1.1), r.normal(size=(3000, 6)), r.standard_t(3, size=3000))),
    Program("counts", counts, 3, lambda r: (
        r.normal(size=5), np.array(0.3), np.array(0.5), r.normal(size=(2000, 5)), r.poisson(2, 2000).astype(float))),
    Program("grades", grades, 3, lambda r: (
        r.normal(size=4), np.array(0.1), np.array([-1, -0.2, 0.3, 0.9]), r.normal(size=(1500, 4)),
        r.integers(0, 5, 1500))),
    Program("options", options, 5, lambda r: (
        *r.uniform(80, 120, (2, 20_000)), np.array(0.03), r.uniform(0.1, 0.4, 20_000), r.uniform(0.1, 2, 20_000))),
    Program("returns", returns, 1, lambda r: (0.01 * r.normal(size=5000),)),
    Program("smoothing", smoothing, 1, lambda r: (r.random((200, 300)),)),
    Program("transport", transport, 2, lambda r: (r.uniform(0.1, 1, (64, 64)), r.normal(size=64))),
    Program("waves", waves, 1, lambda r: (r.normal(size=(100, 100)),)),
    Program("ranking", ranking, 1, lambda r: (r.normal(size=300), *r.integers(0, 300, (2, 2000)))),
    Program("pairs", pairs, 3, lambda r: (*r.normal(size=(2, 100, 32)), np.array(0.1))),
    Program("images", images, 2, lambda r: (r.normal(size=(27, 8)), np.zeros(8), r.normal(size=(4, 3, 20, 20)))),
    Program("attitudes", attitudes, 2, lambda r: (
        r.normal(size=(500, 3)), r.normal(size=(500, 4)), r.normal(size=(500, 3)))),
    Program("covariances", covariances, 3, lambda r: (
        r.normal(size=4), r.normal(size=(4, 3)), r.normal(size=(4, 3, 3)), r.normal(size=(1000, 3)))),
    Program("triangular", triangular, 2, lambda r: (r.normal(size=(1000, 4, 4)), r.normal(size=(1000, 4)))),
    Program("graphs", graphs, 2, lambda r: (
        0.3 * r.normal(size=(8, 16)), 0.3 * r.normal(size=(16, 4)), r.normal(size=(5000, 8)),
        r.integers(0, 5000, (5000, 4)), r.integers(0, 4, 5000))),
    Program("interpolation", interpolation, 2, lambda r: (
        r.normal(size=(64, 64)), r.uniform(1, 62, (20_000, 2)), r.normal(size=20_000))),
    Program("edges", edges, 1, lambda r: (r.random((300, 400)),)),
    Program("fields", fields, 1, lambda r: (*r.normal(size=(2, 48, 48, 48)),)),
    Program("correlations", correlations, 1, lambda r: (r.normal(size=(5000, 20)),)),
    Program("flows", flows, 3, lambda r: (
        *0.3 * r.normal(size=(2, 4, 5)), r.normal(size=4), r.normal(size=(20_000, 5)))),
    Program("autoregression", autoregression, 1, lambda r: (r.normal(size=3), r.normal(size=10_003))),
)  # fmt: skip


# -- libraries --------------------------------------------------------------------------------------------------------
Call = Callable[[], Any]  # gives the cost and its gradients


def in_tensordsl(program: Program, operands: Sequence[np.ndarray]) -> Call:
    import tensordsl
    import tensordsl.tensor as T

    symbols = [T.TensorType(x.dtype.name, (None,) * x.ndim)() for x in operands]
    cost = program.cost(T, *symbols)
    f = tensordsl.function(symbols, [cost, *tensordsl.grad(cost, symbols[: program.by])])
    return lambda: f(*operands)


def in_pytensor(program: Program, operands: Sequence[np.ndarray]) -> Call:
    import pytensor
    import pytensor.tensor as pt

    symbols = [pt.TensorType(x.dtype.name, shape=(None,) * x.ndim)() for x in operands]
    cost = program.cost(pt, *symbols)
    f = pytensor.function(symbols, [cost, *pytensor.grad(cost, symbols[: program.by])], trust_input=True)
    return lambda: f(*operands)


def in_jax(program: Program, operands: Sequence[np.ndarray]) -> Call:
    import jax

    jax.config.update("jax_enable_x64", True)
    m = SimpleNamespace(**vars(jax.numpy), erf=jax.scipy.special.erf, gammaln=jax.scipy.special.gammaln)

    def both(*values: Any) -> Any:
        parameters = tuple(range(program.by))
        cost, gradients = jax.value_and_grad(lambda *v: program.cost(m, *v), argnums=parameters)(*values)
        return cost, *gradients

    f, there = jax.jit(both), [jax.numpy.asarray(x) for x in operands]
    return lambda: jax.block_until_ready(f(*there))


LIBRARIES = {"tensordsl": in_tensordsl, "jax": in_jax, "pytensor": in_pytensor}


# -- measuring --------------------------------------------------------------------------------------------------------
def measured(calls: dict[str, Call], seconds: float = SECONDS) -> dict[str, float]:
    """Processor seconds of a call: the least of a few rounds, in each of which all take their turn of `seconds`."""
    best = dict.fromkeys(calls, float("inf"))
    for _ in range(ROUNDS):
        for name, call in calls.items():
            count, start = 0, time.process_time()
            while not count or time.process_time() - start < seconds:  # other threads' time counts, too
                call()
                count += 1
            best[name] = min(best[name], (time.process_time() - start) / count)
    return best


def agree(calls: dict[str, Call]) -> None:
    first, *others = ([np.asarray(x) for x in call()] for call in calls.values())
    for other in others:
        for a, b in zip(first, other, strict=True):
            scale = float(np.abs(b).max(initial=1e-300))
            np.testing.assert_allclose(a, b, rtol=1e-7, atol=1e-9 * scale)


def row(program: Program, libraries: Sequence[str]) -> tuple[str, float]:
    operands = [np.asarray(x) for x in program.operands(np.random.default_rng(0))]
    calls, compiled = {}, {}
    for name in libraries:
        start = time.process_time()
        calls[name] = LIBRARIES[name](program, operands)
        calls[name]()
        compiled[name] = time.process_time() - start
    agree(calls)
    times = measured(calls)
    ratio = times["tensordsl"] / min(t for n, t in times.items() if n != "tensordsl") if len(times) > 1 else 1.0
    cells = [f"{1e6 * times[n]:.4g} µs" for n in libraries] + [f"{ratio:.2f}"]
    cells += [f"{1e3 * compiled[n]:.0f} ms" for n in libraries]
    return f"| {program.name} | {' | '.join(cells)} |", ratio


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Whole programs with their gradients.")
    parser.add_argument("--peers", default="jax", help="of jax, pytensor")
    parser.add_argument("--only", action="append", default=[])
    parser.add_argument("--markdown", type=Path, help="a file to write the table to")
    options = parser.parse_args(arguments)
    os.environ.setdefault("XLA_FLAGS", XLA_ONE_THREAD)
    libraries = ["tensordsl", *(n for n in options.peers.split(",") if n)]
    in_tensordsl(PROGRAMS[-1], [np.asarray(x) for x in PROGRAMS[-1].operands(np.random.default_rng(0))])()
    heads = [*libraries, "ours / best other", *(f"compile, {n}" for n in libraries)]
    lines = [f"| gradient of | {' | '.join(heads)} |", "|---" * (len(heads) + 1) + "|"]
    ratios = []
    for program in PROGRAMS:
        if not options.only or program.name in options.only:
            line, ratio = row(program, libraries)
            lines.append(line)
            ratios.append(ratio)
            print(line, file=sys.stderr, flush=True)
    lines.append(f"\nGeometric mean {exp(sum(map(log, ratios)) / len(ratios)):.2f}.")
    print("\n".join(lines))
    if options.markdown:
        options.markdown.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
