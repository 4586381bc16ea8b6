"""Plain loops over NumPy's arrays, and their gradients by hand; the judge of the suite."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.workloads.foundation import Build, Call
from benchmarks.workloads.loops import MOST_ROUNDS

Array = Any


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def rnn(x: Array, w: Array, u: Array, b: Array) -> Array:
    inputs = x @ u + b
    h = np.zeros_like(inputs[0])
    for row in inputs:
        h = np.tanh(row + h @ w)
    return h


def rnn_gradient(x: Array, w: Array, u: Array, b: Array) -> Array:
    inputs = x @ u + b
    states = np.zeros((len(x) + 1, *inputs.shape[1:]), x.dtype)
    for t, row in enumerate(inputs):
        states[t + 1] = np.tanh(row + states[t] @ w)
    return np.sum(states[-1] ** 2), *recurrent_gradients(x, w, states, rnn_back(w, states))


def rnn_back(w: Array, states: Array) -> Array:
    deltas, g = np.empty_like(states[1:]), 2 * states[-1]
    for t in reversed(range(len(deltas))):
        deltas[t] = g * (1 - states[t + 1] ** 2)
        g = deltas[t] @ w.T
    return deltas


def recurrent_gradients(x: Array, w: Array, states: Array, deltas: Array) -> Array:
    """By the weights and the biases, of what reaches the sums in each round."""
    d = deltas.reshape(-1, deltas.shape[2])
    before, inputs = states[:-1].reshape(len(d), -1), x.reshape(len(d), -1)
    return before.T @ d, inputs.T @ d, d.sum(0)


def lstm(x: Array, w: Array, u: Array, b: Array) -> Array:
    inputs, n = x @ u + b, len(w)
    h = c = np.zeros((x.shape[1], n), x.dtype)
    for row in inputs:
        z = row + h @ w
        write, keep, show = sigmoid(z[:, :n]), sigmoid(z[:, n : 2 * n]), sigmoid(z[:, 3 * n :])
        c = keep * c + write * np.tanh(z[:, 2 * n : 3 * n])
        h = show * np.tanh(c)
    return h


def lstm_gradient(x: Array, w: Array, u: Array, b: Array) -> Array:
    gates, n = x @ u + b, len(w)
    h, c = (np.zeros((len(x) + 1, x.shape[1], n), x.dtype) for _ in range(2))
    for t in range(len(x)):
        z = gates[t] + h[t] @ w
        z[:, 2 * n : 3 * n], z[:, : 2 * n], z[:, 3 * n :] = (
            np.tanh(z[:, 2 * n : 3 * n]),
            sigmoid(z[:, : 2 * n]),
            sigmoid(z[:, 3 * n :]),
        )
        gates[t] = z
        c[t + 1] = z[:, n : 2 * n] * c[t] + z[:, :n] * z[:, 2 * n : 3 * n]
        h[t + 1] = z[:, 3 * n :] * np.tanh(c[t + 1])
    deltas, by_h, by_c = np.empty_like(gates), 2 * h[-1], np.zeros_like(c[0])
    for t in reversed(range(len(x))):
        write, keep, new, show = (gates[t][:, k * n : (k + 1) * n] for k in range(4))
        memory = np.tanh(c[t + 1])
        by_c = by_c + by_h * show * (1 - memory**2)
        deltas[t][:, :n] = by_c * new * write * (1 - write)
        deltas[t][:, n : 2 * n] = by_c * c[t] * keep * (1 - keep)
        deltas[t][:, 2 * n : 3 * n] = by_c * write * (1 - new**2)
        deltas[t][:, 3 * n :] = by_h * memory * show * (1 - show)
        by_h, by_c = deltas[t] @ w.T, by_c * keep
    return np.sum(h[-1] ** 2), *recurrent_gradients(x, w, h, deltas)


def power(a: Array, k: int) -> Array:
    result = np.ones_like(a)
    for _ in range(k):
        result = result * a
    return result


def ten_operations(x: Array, a: Array, b: Array, c: Array, rounds: int) -> Array:
    for _ in range(rounds):
        y = a * x + b
        x = (y - x * c) / (x * x + 1) * 0.9 + y * 0.1
    return x


def density(rest: Array, by_rest: Array, log_spread: Array) -> Array:
    """The log-likelihood of what is left, and its gradient by the logarithm of the spread."""
    squares = np.sum(rest**2) * np.exp(-2 * log_spread)
    return -0.5 * squares - len(rest) * log_spread, *by_rest, squares - len(rest)


def series(u: Array, y: Array, a: Array, b: Array, log_spread: Array) -> Array:
    n = len(y)
    mean = np.zeros(n + 2)
    for t in range(n):
        mean[t + 2] = a * mean[t + 1] + b * mean[t] + u[t]
    rest, back = y - mean[2:], np.zeros(n + 2)
    for t in reversed(range(n)):
        back[t] = rest[t] * np.exp(-2 * log_spread) + a * back[t + 1] + b * back[t + 2]
    return density(rest, (back[:n] @ mean[1:-1], back[:n] @ mean[:-2]), log_spread)


def observed(y: Array, a: Array, b: Array, log_spread: Array) -> Array:
    rest = y[2:] - a * y[1:-1] - b * y[:-2]
    scaled = rest * np.exp(-2 * log_spread)
    return density(rest, (scaled @ y[1:-1], scaled @ y[:-2]), log_spread)


def mandelbrot(re: Array, im: Array) -> Array:
    x, y, re, im = 0.0, 0.0, float(re), float(im)
    count = 0
    while count < MOST_ROUNDS and x * x + y * y <= 4:
        x, y = x * x - y * y + re, 2 * x * y + im
        count += 1
    return count, x, y


def nested(h: Array, w: Array) -> Array:
    """2 rounds of 3 of 4: behind the innermost loop the state shrinks, behind the middle one it is raised."""
    entered, left = [], []
    for t in range(24):
        entered.append(h)
        left.append(np.tanh(h @ w))
        h = left[-1] * (0.9 if t % 4 == 3 else 1.0) + (0.1 if t % 12 == 11 else 0.0)
    g, by_w = 2 * h, np.zeros_like(w)
    for t in reversed(range(24)):
        inner = g * (0.9 if t % 4 == 3 else 1.0) * (1 - left[t] ** 2)
        by_w += np.outer(entered[t], inner)
        g = w @ inner
    return np.sum(h**2), g, by_w


def last(x: Array, a: Array, rounds: int) -> Array:
    for _ in range(rounds):
        x = np.tanh(a * x)
    return x


def last_gradient(x: Array, a: Array, rounds: int) -> Array:
    states = np.empty((rounds + 1, len(x)))
    states[0] = x
    for t in range(rounds):
        states[t + 1] = np.tanh(a * states[t])
    g, by_a = np.ones_like(x), np.zeros_like(a)
    for t in reversed(range(rounds)):
        inner = g * (1 - states[t + 1] ** 2)
        by_a += inner * states[t]
        g = inner * a
    return g, by_a


def calling(function: Callable[..., Any], *names: str) -> Build:
    return lambda data: Call(f"f({', '.join(names)})", {"f": function, **dict(zip(names, data, strict=True))})


NETWORKS = {"rnn": rnn, "rnn_grad": rnn_gradient, "lstm": lstm, "lstm_grad": lstm_gradient}
NETWORK = ("x", "w", "u", "b")
BUILD: dict[str, Build] = {
    **{f"i.{name}.{t}": calling(f, *NETWORK) for t in ("f4", "f8") for name, f in NETWORKS.items()},
    "i.powk.f8": calling(power, "a", "k"),
    "i.ten_ops.f8": calling(ten_operations, "x", "a", "b", "c", "rounds"),
    "i.ar2.f8": calling(series, "u", "y", "a", "b", "s"),
    "i.ar2_observed.f8": calling(observed, "y", "a", "b", "s"),
    "i.mandelbrot.f8": calling(mandelbrot, "re", "im"),
    "compile-rnn": calling(rnn_gradient, *NETWORK),
    "compile-nested": calling(nested, "h", "w"),
    "memory-last": calling(last, "x", "a", "rounds"),
    "memory-gradient": calling(last_gradient, "x", "a", "rounds"),
    "memory-checkpoints": calling(last_gradient, "x", "a", "rounds"),
}
