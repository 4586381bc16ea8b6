"""Whole programs as users write them, from an empty compile cache, against NumPy: models, samplers, solvers, networks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import tensordsl as theano
import tensordsl.tensor as T
from tensordsl.functions import native
from tensordsl.ifelse import ifelse
from tensordsl.tensor.shared_randomstreams import RandomStreams

Array = np.ndarray[Any, Any]


@pytest.fixture(scope="module", autouse=True)
def empty_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    native.forget()
    with theano.config.change_flags(compiledir=str(tmp_path_factory.mktemp("cache"))):
        yield


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(3)


def close(got: Any, want: Any, rtol: float = 1e-9, atol: float = 1e-11) -> None:
    np.testing.assert_allclose(got, want, rtol, atol)


def slope(function: Callable[[Array], Any], at: Array, along: Array) -> Any:
    """The derivative by finite differences."""
    return (function(at + 1e-6 * along) - function(at - 1e-6 * along)) / 2e-6


def sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def shared(value: Array, name: str = "") -> Any:
    return theano.shared(value, name=name or None)


def test_a_kalman_filter_and_the_gradient_of_its_likelihood(rng: np.random.Generator) -> None:
    """A tracker of constant velocity; the loop over time is Python's, for symbols and numbers alike."""
    steps, move, see = 20, np.array([[1.0, 1], [0, 1]]), np.array([[1.0, 0]])

    def likelihood(y: Any, noise: Any, x: Any) -> Any:
        mean, cov, total = np.zeros((2, 1)), np.eye(2) * 10, 0.0
        for t in range(steps):
            mean, cov = x.dot(move, mean), x.dot(x.dot(move, cov), move.T) + x.exp(noise[0]) * np.eye(2)
            spread, error = x.dot(x.dot(see, cov), see.T) + x.exp(noise[1]), y[t] - x.dot(see, mean)
            gain = x.dot(cov, see.T) / spread
            mean, cov = mean + x.dot(gain, error), cov - x.dot(x.dot(gain, see), cov)
            total = total - 0.5 * (x.log(2 * np.pi * spread) + error**2 / spread)
        return total.sum()

    y, noise = T.vectors("y", "noise")
    value = likelihood(y, noise, T)
    f = theano.function([y, noise], [value, T.grad(value, noise)])
    data, at = rng.normal(size=steps).cumsum(), np.array([-1.0, 0.3])
    got, gradient = f(data, at)
    close(got, likelihood(data, at, np))
    close(gradient, [slope(lambda n: likelihood(data, n, np), at, e) for e in np.eye(2)], 1e-6)


def test_a_hidden_markov_model_learns_by_gradients_of_its_likelihood(rng: np.random.Generator) -> None:
    """Baum and Welch's expected counts are a parameter times the gradient by it."""
    states, symbols, length = 3, 5, 15
    obs = T.lvector("obs")
    first, move, emit = (
        shared(rng.dirichlet(np.ones(k), size)) for k, size in ((states, None), (states, states), (symbols, states))
    )
    alpha, total = first * emit[:, obs[0]], 0.0
    for t in range(1, length):
        total += T.log(alpha.sum())
        alpha = T.dot(alpha / alpha.sum(), move) * emit[:, obs[t]]
    total += T.log(alpha.sum())
    counts = [p * g for p, g in zip((first, move, emit), T.grad(total, [first, move, emit]), strict=True)]
    updates = [(p, c / c.sum(axis=-1, keepdims=True)) for p, c in zip((first, move, emit), counts, strict=True)]
    step = theano.function([obs], total, updates=updates)

    def by_hand(o: Array, p: Array, a: Array, b: Array) -> tuple[Any, Array, Array, Array]:
        alphas, betas = np.zeros((length, states)), np.ones((length, states))
        alphas[0] = p * b[:, o[0]]
        for t in range(1, length):
            alphas[t] = alphas[t - 1] @ a * b[:, o[t]]
        for t in range(length - 2, -1, -1):
            betas[t] = a @ (b[:, o[t + 1]] * betas[t + 1])
        gamma = alphas * betas / alphas[-1].sum()
        pairs = sum(alphas[t][:, None] * a * (b[:, o[t + 1]] * betas[t + 1]) for t in range(length - 1))
        seen = np.array([[gamma[o == v, k].sum() for v in range(symbols)] for k in range(states)])
        rows = pairs / pairs.sum(1, keepdims=True), seen / seen.sum(1, keepdims=True)
        return np.log(alphas[-1].sum()), gamma[0], *rows

    o = rng.integers(0, symbols, length)
    for _ in range(4):
        value, *wanted = by_hand(o, *(p.get_value() for p in (first, move, emit)))
        close(step(o), value)
        for p, want in zip((first, move, emit), wanted, strict=True):
            close(p.get_value(), want)


def test_a_gaussian_process_with_a_cholesky_loop_of_its_own(rng: np.random.Generator) -> None:
    n = 8
    x, y = T.vectors("x", "y")
    scale, noise = T.scalars("scale", "noise")
    cov = T.exp(-0.5 * T.sqr(x.dimshuffle(0, "x") - x.dimshuffle("x", 0)) / scale**2) + noise * T.eye(x.shape[0])
    root, z = T.zeros((n, n)), T.zeros((n,))
    for j in range(n):
        root = T.set_subtensor(root[j, j], T.sqrt(cov[j, j] - T.sum(root[j, :j] ** 2)))
        below = (cov[j + 1 :, j] - T.dot(root[j + 1 :, :j], root[j, :j])) / root[j, j]
        root = T.set_subtensor(root[j + 1 :, j], below)
        z = T.set_subtensor(z[j], (y[j] - T.dot(root[j, :j], z[:j])) / root[j, j])
    value = -0.5 * T.dot(z, z) - T.sum(T.log(T.diag(root))) - n / 2 * np.log(2 * np.pi)
    f = theano.function([x, y, scale, noise], [value, root, *T.grad(value, [scale, noise])])
    a, b = rng.normal(size=(2, n))

    def kernel(at: Array) -> Array:
        return np.exp(-0.5 * (a[:, None] - a) ** 2 / at[0] ** 2) + at[1] * np.eye(n)

    def wanted(at: Array) -> Any:
        inverse = b @ np.linalg.solve(kernel(at), b)
        return -0.5 * (inverse + np.linalg.slogdet(kernel(at))[1] + n * np.log(2 * np.pi))

    at = np.array([0.7, 0.1])
    got, factor, *gradient = f(a, b, *at)
    close(got, wanted(at))
    close(factor, np.linalg.cholesky(kernel(at)))
    close(gradient, [slope(wanted, at, e) for e in np.eye(2)], 1e-5)


def test_word_vectors_with_negative_samples_are_updated_row_by_row(rng: np.random.Generator) -> None:
    words, size, rate = 50, 6, 0.1
    inner, outer = shared(rng.normal(size=(words, size)) * 0.1), shared(np.zeros((words, size)))
    centre, context, negative = T.lvector("centre"), T.lvector("context"), T.lmatrix("negative")
    c = inner[centre]
    near, far = T.sum(c * outer[context], axis=1), T.sum(outer[negative] * c.dimshuffle(0, "x", 1), axis=2)
    cost = -(T.log(T.nnet.sigmoid(near)).sum() + T.log(T.nnet.sigmoid(-far)).sum())
    updates = {p: p - rate * T.grad(cost, p) for p in (inner, outer)}
    step = theano.function([centre, context, negative], cost, updates=updates)
    v, w = inner.get_value(), outer.get_value()
    for _ in range(4):
        a, b, k = (rng.integers(0, words, shape) for shape in (9, 9, (9, 5)))
        p, n = (v[a] * w[b]).sum(1), (w[k] * v[a][:, None]).sum(2)
        close(step(a, b, k), -(np.log(sigmoid(p)).sum() + np.log(sigmoid(-n)).sum()))
        gp, gn, dv, dw = sigmoid(p)[:, None] - 1, sigmoid(n)[..., None], np.zeros_like(v), np.zeros_like(w)
        np.add.at(dv, a, gp * w[b] + (gn * w[k]).sum(1))
        np.add.at(dw, b, gp * v[a])
        np.add.at(dw, k, gn * v[a][:, None])
        v, w = v - rate * dv, w - rate * dw
        close(inner.get_value(), v)
        close(outer.get_value(), w)


def test_k_means_and_a_mixture_by_expectation_and_maximisation(rng: np.random.Generator) -> None:
    points = np.concatenate([rng.normal(size=(30, 2)) + c for c in ([0, 0], [6, 0], [0, 6])])
    x, centres = T.matrix("x"), shared(points[[0, 30, 60]])
    distance = T.sum((x.dimshuffle(0, "x", 1) - centres.dimshuffle("x", 0, 1)) ** 2, axis=2)
    home = T.argmin(distance, axis=1)
    member = T.eq(home.dimshuffle(0, "x"), T.arange(3)).astype("float64")
    means = T.dot(member.T, x) / member.sum(axis=0).dimshuffle(0, "x")
    step = theano.function([x], [home, distance.min(axis=1).mean()], updates=[(centres, means)])
    for _ in range(3):
        d = ((points[:, None] - centres.get_value()) ** 2).sum(2)
        got, cost = step(points)
        np.testing.assert_array_equal(got, d.argmin(1))
        close(cost, d.min(1).mean())
        close(centres.get_value(), [points[got == k].mean(0) for k in range(3)])

    y, (weight, mean, width) = T.vector("y"), map(shared, (np.full(2, 0.5), np.array([-1.0, 1]), np.ones(2)))
    log_p = T.log(weight) - T.log(width) - 0.5 * ((y[:, None] - mean) / width) ** 2 - 0.5 * np.log(2 * np.pi)
    most = log_p.max(axis=1, keepdims=True)
    total = most + T.log(T.exp(log_p - most).sum(axis=1, keepdims=True))
    share = T.exp(log_p - total)
    count = share.sum(axis=0)
    new = T.dot(share.T, y) / count
    spread = T.sqrt(T.sum(share * (y[:, None] - new) ** 2, axis=0) / count)
    learn = theano.function([y], total.sum(), updates=[(weight, count / y.shape[0]), (mean, new), (width, spread)])
    data = np.r_[rng.normal(size=50), rng.normal(size=80) * 0.5 + 3]
    for _ in range(10):
        w, m, s = (p.get_value() for p in (weight, mean, width))
        p = w * np.exp(-0.5 * ((data[:, None] - m) / s) ** 2) / s / np.sqrt(2 * np.pi)
        close(learn(data), np.log(p.sum(1)).sum())
        r = p / p.sum(1, keepdims=True)
        close(mean.get_value(), r.T @ data / r.sum(0))
        close(width.get_value() ** 2, (r * (data[:, None] - mean.get_value()) ** 2).sum(0) / r.sum(0))


def test_hamiltonian_monte_carlo_takes_the_step_that_it_says() -> None:
    precision, eps = np.array([[2.0, 0.5], [0.5, 1]]), 0.3
    streams, q, taken = RandomStreams(11), shared(np.zeros(2)), theano.shared(0)

    def leap(q: Any, p: Any, force: Callable[[Any], Any]) -> tuple[Any, Any]:
        for _ in range(8):
            p = p - eps / 2 * force(q)
            q = q + eps * p
            p = p - eps / 2 * force(q)
        return q, p

    def energy(q: Any, p: Any, x: Any) -> Any:
        return 0.5 * x.dot(q, x.dot(precision, q)) + 0.5 * (p**2).sum()

    start = streams.normal((2,))
    new, p = leap(q, start, lambda at: T.grad(energy(at, start, T), at))
    gain = energy(q, start, T) - energy(new, p, T)
    accept = T.log(streams.uniform(())) < gain
    updates = [(q, ifelse(accept, new, q)), (taken, taken + T.cast(accept, "int64"))]
    step = theano.function([], [q, start, gain, accept], updates=updates)
    samples, accepted = [], 0
    for k in range(2000):
        old, kick, difference, yes = step()
        accepted += bool(yes)
        if k < 20:
            there, speed = leap(old, kick, lambda at: precision @ at)
            close(difference, energy(old, kick, np) - energy(there, speed, np), 1e-8)
            close(q.get_value(), there if yes else old)
        samples.append(q.get_value())
    assert taken.get_value() == accepted > 1500
    close(np.cov(np.array(samples).T), np.linalg.inv(precision), 0.2, 0.1)


def test_lasso_by_two_algorithms_has_one_solution(rng: np.random.Generator) -> None:
    a, b, weight = rng.normal(size=(30, 10)), rng.normal(size=30), 3.0
    inverse = np.linalg.inv(a.T @ a + 10 * np.eye(10))
    x, z, u = (shared(np.zeros(10), name) for name in "xzu")
    new_x = T.dot(inverse, T.dot(a.T, b) + 10 * (z - u))
    new_z = T.sgn(new_x + u) * T.maximum(abs(new_x + u) - weight / 10, 0)
    admm = theano.function([], [], updates=[(x, new_x), (z, new_z), (u, u + new_x - new_z)])
    w, rate = shared(np.zeros(10), "w"), T.scalar("rate")
    moved = w - rate * T.grad(0.5 * T.sum((T.dot(a, w) - b) ** 2), w)
    shrunk = T.switch(moved > weight * rate, moved - weight * rate, T.minimum(moved + weight * rate, 0))
    ista = theano.function([rate], [], updates=[(w, shrunk)])
    for _ in range(1000):
        admm()
        ista(0.01)
    solution = z.get_value()
    slopes = a.T @ (a @ solution - b)
    close(slopes[solution != 0], -weight * np.sign(solution[solution != 0]), 1e-6)
    assert (solution == 0).any() and (np.abs(slopes) <= weight + 1e-6).all()
    close(w.get_value(), solution, 1e-6, 1e-8)


def test_heat_waves_and_a_boundary_value_problem(rng: np.random.Generator) -> None:
    line, dt = shared(np.exp(-(np.linspace(-4, 4, 64) ** 2))), T.scalar("dt")
    bend = T.set_subtensor(T.zeros_like(line)[1:-1], line[2:] - 2 * line[1:-1] + line[:-2])
    heat = theano.function([dt], [], updates=[(line, line + dt * bend)])
    now, before = shared(rng.normal(size=(16, 16))), shared(np.zeros((16, 16)))
    around = sum(T.roll(now, s, axis=axis) for s in (1, -1) for axis in (0, 1)) - 4 * now
    wave = theano.function([], [], updates=[(now, 2 * now - before + 0.1 * around), (before, now)])
    plate = shared(np.zeros((10, 12)))
    mean = 0.25 * (plate[:-2, 1:-1] + plate[2:, 1:-1] + plate[1:-1, :-2] + plate[1:-1, 2:])
    relaxed = T.set_subtensor(T.set_subtensor(plate[1:-1, 1:-1], mean)[0], 1.0)
    jacobi = theano.function([], abs(relaxed - plate).max(), updates=[(plate, relaxed)])
    u, p, q, v = (s.get_value() for s in (line, now, before, plate))
    for _ in range(30):
        heat(0.2), wave()
        u[1:-1] += 0.2 * (u[2:] - 2 * u[1:-1] + u[:-2])
        p, q = 2 * p - q + 0.1 * (sum(np.roll(p, s, axis) for s in (1, -1) for axis in (0, 1)) - 4 * p), p
        old, v = v, v.copy()
        v[1:-1, 1:-1] = 0.25 * (old[:-2, 1:-1] + old[2:, 1:-1] + old[1:-1, :-2] + old[1:-1, 2:])
        v[0] = 1
        close(jacobi(), abs(v - old).max())
    for s, want in ((line, u), (now, p), (before, q), (plate, v)):
        close(s.get_value(), want)


def test_a_block_of_a_transformer_with_padding(rng: np.random.Generator) -> None:
    batch, length, width, heads = 3, 5, 8, 2
    shapes = {"q": (8, 8), "k": (8, 8), "v": (8, 8), "o": (8, 8), "up": (8, 16), "down": (16, 8)}
    values = {name: rng.normal(size=shape) * 0.3 for name, shape in shapes.items()}
    data, keep = rng.normal(size=(batch, length, width)), np.arange(length) < np.array([[3], [1], [5]])

    def block(x: Any, keep: Any, p: Any, dot: Any, move: Any, choose: Any, softmax: Any, sqrt: Any) -> Any:
        def split(y: Any) -> Any:
            return move(y.reshape((x.shape[0], x.shape[1], heads, width // heads)), (0, 2, 1, 3))

        def norm(y: Any) -> Any:
            return (y - y.mean(axis=-1, keepdims=True)) / sqrt(y.var(axis=-1, keepdims=True) + 1e-5)

        q, k, v = (split(dot(x, p[name])) for name in "qkv")
        scores = dot(q, move(k, (0, 1, 3, 2))) / np.sqrt(width // heads)
        weights = softmax(choose(keep[:, None, None, :], scores, -1e9))
        y = norm(x + dot(move(dot(weights, v), (0, 2, 1, 3)).reshape(x.shape), p["o"]))
        return norm(y + dot(choose(dot(y, p["up"]) > 0, dot(y, p["up"]), 0.0), p["down"]))

    def numbers(p: dict[str, Array]) -> Array:
        def softmax(s: Array) -> Array:
            e = np.exp(s - s.max(-1, keepdims=True))
            return e / e.sum(-1, keepdims=True)

        result: Array = block(data, keep, p, np.matmul, np.transpose, np.where, softmax, np.sqrt)
        return result

    x, mask, params = T.tensor3("x"), T.matrix("mask", dtype="bool"), {n: shared(v, n) for n, v in values.items()}
    y = block(x, mask, params, T.matmul, T.transpose, T.switch, lambda s: T.nnet.softmax(s, axis=-1), T.sqrt)
    out, *gradients = theano.function([x, mask], [y, *T.grad(T.sum(y[:, 0] ** 3), list(params.values()))])(data, keep)
    close(out, numbers(values))
    for name, gradient in zip(values, gradients, strict=True):
        way = rng.normal(size=values[name].shape)
        want = slope(lambda v, name=name: (numbers(values | {name: v})[:, 0] ** 3).sum(), values[name], way)
        close((gradient * way).sum(), want, 1e-5, 1e-8)


def test_a_recurrent_network_over_ragged_sequences_with_clipped_gradients(rng: np.random.Generator) -> None:
    symbols, size, length = 7, 6, 9
    values = [rng.normal(size=s) * 0.3 for s in ((symbols, size), (size, 3 * size), (size, 3 * size), (size, symbols))]
    ids = rng.integers(0, symbols, (5, length)).astype("int32")
    keep = (np.arange(length) < np.array([[3], [9], [5], [4], [7]])).astype("float64")

    def loss(ids: Any, keep: Any, p: Any, x: Any, sig: Any, log_softmax: Any, rows: Any) -> Any:
        embed, recur, enter, leave = p
        h, total = x.zeros((5, size)), 0.0
        for t in range(length - 1):
            given, kept = x.dot(embed[ids[:, t]], enter), x.dot(h, recur)
            reset, stay = (sig(given[:, s] + kept[:, s]) for s in (slice(0, size), slice(size, 2 * size)))
            new = x.tanh(given[:, 2 * size :] + reset * kept[:, 2 * size :])
            h = keep[:, t][:, None] * ((1 - stay) * new + stay * h) + (1 - keep[:, t][:, None]) * h
            total -= (log_softmax(x.dot(h, leave))[rows, ids[:, t + 1]] * keep[:, t + 1]).sum()
        return total / keep[:, 1:].sum()

    def numbers(p: Any) -> Any:
        return loss(ids, keep, p, np, sigmoid, lambda z: z - np.log(np.exp(z).sum(1, keepdims=True)), np.arange(5))

    seq, mask, params = T.imatrix("seq"), T.matrix("mask"), [shared(v) for v in values]
    cost = loss(seq, mask, params, T, T.nnet.sigmoid, lambda z: T.log(T.nnet.softmax(z)), T.arange(5))
    gradients = T.grad(cost, params)
    norm = T.sqrt(sum(T.sum(g**2) for g in gradients))
    clipped = [T.switch(norm > 0.1, 0.1 * g / norm, g) for g in gradients]
    updates = [(p, p - 0.5 * g) for p, g in zip(params, clipped, strict=True)]
    step = theano.function([seq, mask], [cost, norm], updates=updates, name="gru")
    first, length_of = step(ids, keep)
    close(first, numbers(values))
    assert length_of > 0.1
    for k, value in enumerate(values):
        gradient = (value - params[k].get_value()) / 0.5 * length_of / 0.1
        way = rng.normal(size=value.shape)
        want = slope(lambda v, k=k: numbers([*values[:k], v, *values[k + 1 :]]), value, way)
        close((gradient * way).sum(), want, 1e-5, 1e-8)
    for _ in range(30):
        last, _ = step(ids, keep)
    assert last < first


def test_a_variational_autoencoder_in_float32_with_weight_decay(rng: np.random.Generator) -> None:
    """Weight decay over matrices of many shapes: each of its sums walks axes of its own."""
    data = (rng.random((40, 12)) < 0.4).astype("float32")
    with theano.config.change_flags(floatX="float32"):
        shapes = ((12, 8), (8,), (8, 3), (8, 3), (3, 8), (8,), (8, 12), (12,))
        params = [shared((rng.normal(size=s) * 0.1).astype("float32")) for s in shapes]
        enter, b1, to_mean, to_log, back, b2, leave, b3 = params
        x = T.matrix("x")
        hidden = T.tanh(T.dot(x, enter) + b1)
        mean, log_width = T.dot(hidden, to_mean), T.dot(hidden, to_log)
        noise = RandomStreams(5).normal(mean.shape)
        code = mean + T.exp(log_width) * noise
        y = T.nnet.sigmoid(T.dot(T.nnet.relu(T.dot(code, back) + b2), leave) + b3)
        divergence = 0.5 * T.sum(mean**2 + T.exp(2 * log_width) - 1 - 2 * log_width, axis=1)
        decay = 0.01 * sum(T.sum(p**2) for p in params)
        cost = T.mean(T.nnet.binary_crossentropy(y, x).sum(axis=1) + divergence) + decay
        updates = [(p, p - 0.05 * g) for p, g in zip(params, T.grad(cost, params), strict=True)]
        step = theano.function([x], [cost, noise, decay], updates=updates)
    costs = []
    for _ in range(50):
        e, b, m, s, k, c, w, d = (p.get_value().astype("float64") for p in params)
        got, drawn, small = step(data)
        h = np.tanh(data @ e + b)
        z = h @ m + np.exp(h @ s) * drawn
        p = sigmoid(np.maximum(z @ k + c, 0) @ w + d)
        fit = -(data * np.log(p) + (1 - data) * np.log(1 - p)).sum(1)
        kl = 0.5 * ((h @ m) ** 2 + np.exp(2 * h @ s) - 1 - 2 * h @ s).sum(1)
        close(got, (fit + kl).mean() + small, 1e-5)
        close(small, 0.01 * sum((v**2).sum() for v in (e, b, m, s, k, c, w, d)), 1e-5)
        costs.append(got)
    assert got.dtype == drawn.dtype == "float32" and costs[-1] < costs[0]


def test_ragged_batches_and_batches_of_nothing(rng: np.random.Generator) -> None:
    x, n = T.tensor3("x"), T.ivector("n")
    mask = T.lt(T.arange(x.shape[1])[None, :], n[:, None])
    mean = T.switch(mask[:, :, None], x, 0).sum(axis=1) / T.maximum(n, 1)[:, None]
    last, flat = x[T.arange(x.shape[0]), n - 1], x[mask]
    gradient = T.grad(mean.sum() + (last**2).sum() + flat.sum(), x)
    f = theano.function([x, n], [mean, last, flat, gradient])
    for batch, length in ((4, 6), (1, 1), (3, 2), (0, 3)):
        a, k = rng.normal(size=(batch, length, 2)), rng.integers(1, length + 1, batch).astype("int32")
        inside, rows = np.arange(length) < k[:, None], np.arange(batch)
        want = inside[:, :, None] / k[:, None, None] + inside[:, :, None] * np.ones(2)
        want[rows, k - 1] += 2 * a[rows, k - 1]
        sums = (a * inside[:, :, None]).sum(1) / k[:, None]
        for got, wanted in zip(f(a, k), (sums, a[rows, k - 1], a[inside], want), strict=True):
            close(got, wanted)
