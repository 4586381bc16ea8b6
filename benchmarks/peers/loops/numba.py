"""Explicit loops with fastmath, products by BLAS into arrays that are there, gradients by hand."""

# mypy: ignore-errors
from __future__ import annotations

import math

import numba
import numpy as np

from benchmarks.peers.loops.numpy import NETWORK
from benchmarks.peers.loops.numpy import calling as calling_plain
from benchmarks.workloads.loops import MOST_ROUNDS

fast = numba.njit(fastmath=True, cache=True)


@fast
def inputs_of(x, u, b):
    rows = np.dot(x.reshape(-1, x.shape[2]), u)
    for i in range(rows.shape[0]):
        for j in range(rows.shape[1]):
            rows[i, j] += b[j]
    return rows.reshape(x.shape[0], x.shape[1], u.shape[1])


@fast
def rnn(x, w, u, b):
    inputs = inputs_of(x, u, b)
    h, z = np.zeros_like(inputs[0]), np.empty_like(inputs[0])
    for t in range(len(x)):
        np.dot(h, w, z)
        for i in range(h.shape[0]):
            for j in range(h.shape[1]):
                h[i, j] = math.tanh(inputs[t, i, j] + z[i, j])
    return h


@fast
def weight_gradients(x, states, deltas):
    d = deltas.reshape(-1, deltas.shape[2])
    before = states[:-1].reshape(d.shape[0], states.shape[2])
    return np.dot(before.T, d), np.dot(x.reshape(d.shape[0], x.shape[2]).T, d), d.sum(0)


@fast
def rnn_gradient(x, w, u, b):
    deltas = inputs_of(x, u, b)
    n, batch, hidden = deltas.shape
    states, z = np.zeros((n + 1, batch, hidden), x.dtype), np.empty((batch, hidden), x.dtype)
    for t in range(n):
        np.dot(states[t], w, z)
        for i in range(batch):
            for j in range(hidden):
                states[t + 1, i, j] = math.tanh(deltas[t, i, j] + z[i, j])
    cost, back = (states[n] * states[n]).sum(), np.ascontiguousarray(w.T)
    for i in range(batch):
        for j in range(hidden):
            z[i, j] = states[n, i, j] + states[n, i, j]
    for t in range(n - 1, -1, -1):
        for i in range(batch):
            for j in range(hidden):
                deltas[t, i, j] = z[i, j] * (1 - states[t + 1, i, j] * states[t + 1, i, j])
        np.dot(deltas[t], back, z)
    by_w, by_u, by_b = weight_gradients(x, states, deltas)
    return cost, by_w, by_u, by_b


@fast
def sigmoid(x):
    return 1 / (1 + math.exp(-x))


@fast
def lstm(x, w, u, b):
    inputs, n = inputs_of(x, u, b), w.shape[0]
    h, c, z = np.zeros((x.shape[1], n), x.dtype), np.zeros((x.shape[1], n), x.dtype), np.empty_like(inputs[0])
    for t in range(len(x)):
        np.dot(h, w, z)
        for i in range(h.shape[0]):
            for j in range(n):
                write = sigmoid(inputs[t, i, j] + z[i, j])
                keep = sigmoid(inputs[t, i, n + j] + z[i, n + j])
                new = math.tanh(inputs[t, i, 2 * n + j] + z[i, 2 * n + j])
                show = sigmoid(inputs[t, i, 3 * n + j] + z[i, 3 * n + j])
                c[i, j] = keep * c[i, j] + write * new
                h[i, j] = show * math.tanh(c[i, j])
    return h


@fast
def lstm_gradient(x, w, u, b):
    gates, n, rounds, batch = inputs_of(x, u, b), w.shape[0], x.shape[0], x.shape[1]
    h, c = np.zeros((rounds + 1, batch, n), x.dtype), np.zeros((rounds + 1, batch, n), x.dtype)
    memory, z = np.empty((rounds, batch, n), x.dtype), np.empty_like(gates[0])
    for t in range(rounds):
        np.dot(h[t], w, z)
        for i in range(batch):
            for j in range(n):
                write = gates[t, i, j] = sigmoid(gates[t, i, j] + z[i, j])
                keep = gates[t, i, n + j] = sigmoid(gates[t, i, n + j] + z[i, n + j])
                new = gates[t, i, 2 * n + j] = math.tanh(gates[t, i, 2 * n + j] + z[i, 2 * n + j])
                show = gates[t, i, 3 * n + j] = sigmoid(gates[t, i, 3 * n + j] + z[i, 3 * n + j])
                c[t + 1, i, j] = keep * c[t, i, j] + write * new
                memory[t, i, j] = math.tanh(c[t + 1, i, j])
                h[t + 1, i, j] = show * memory[t, i, j]
    cost, back = (h[rounds] * h[rounds]).sum(), np.ascontiguousarray(w.T)
    by_h, by_c = h[rounds] + h[rounds], np.zeros((batch, n), x.dtype)
    for t in range(rounds - 1, -1, -1):
        for i in range(batch):
            for j in range(n):
                write, keep = gates[t, i, j], gates[t, i, n + j]
                new, show, m = gates[t, i, 2 * n + j], gates[t, i, 3 * n + j], memory[t, i, j]
                inner = by_c[i, j] + by_h[i, j] * show * (1 - m * m)
                gates[t, i, j] = inner * new * write * (1 - write)
                gates[t, i, n + j] = inner * c[t, i, j] * keep * (1 - keep)
                gates[t, i, 2 * n + j] = inner * write * (1 - new * new)
                gates[t, i, 3 * n + j] = by_h[i, j] * m * show * (1 - show)
                by_c[i, j] = inner * keep
        np.dot(gates[t], back, by_h)
    by_w, by_u, by_b = weight_gradients(x, h, gates)
    return cost, by_w, by_u, by_b


@fast
def power(a, k):
    result = np.ones_like(a)
    for _ in range(k):
        for i in range(len(a)):
            result[i] *= a[i]
    return result


@fast
def ten_operations(start, a, b, c, rounds):
    x = start.copy()
    for _ in range(rounds):
        for i in range(len(x)):
            y = a[i] * x[i] + b[i]
            x[i] = (y - x[i] * c[i]) / (x[i] * x[i] + 1) * 0.9 + y * 0.1
    return x


@fast
def series(u, y, a, b, log_spread):
    a, b, log_spread, n = a[()], b[()], log_spread[()], len(u)
    precision, last, before = math.exp(-2 * log_spread), 0.0, 0.0
    means, squares = np.empty(n), 0.0
    for t in range(n):
        last, before = a * last + b * before + u[t], last
        means[t] = last
        squares += (y[t] - last) * (y[t] - last)
    by_a = by_b = after = last_after = 0.0
    for t in range(n - 1, -1, -1):
        g = (y[t] - means[t]) * precision + a * after + b * last_after
        if t > 0:
            by_a += g * means[t - 1]
        if t > 1:
            by_b += g * means[t - 2]
        after, last_after = g, after
    squares *= precision
    return -0.5 * squares - n * log_spread, by_a, by_b, squares - n


@fast
def observed(y, a, b, log_spread):
    a, b, log_spread, n = a[()], b[()], log_spread[()], len(y) - 2
    precision, squares, by_a, by_b = math.exp(-2 * log_spread), 0.0, 0.0, 0.0
    for t in range(n):
        rest = y[t + 2] - a * y[t + 1] - b * y[t]
        squares += rest * rest
        by_a += rest * y[t + 1]
        by_b += rest * y[t]
    squares *= precision
    return -0.5 * squares - n * log_spread, by_a * precision, by_b * precision, squares - n


@fast
def mandelbrot(re, im):
    x, y, re, im, count = 0.0, 0.0, re[()], im[()], 0
    while count < MOST_ROUNDS:
        x, y = x * x - y * y + re, 2 * x * y + im
        count += 1
        if x * x + y * y > 4:
            break
    return count, x, y


@fast
def last(start, a, rounds):
    x = start.copy()
    for _ in range(rounds):
        for i in range(len(x)):
            x[i] = math.tanh(a[i] * x[i])
    return x


def calling(function, *names):
    """A function that the process has not compiled yet, as others make theirs anew."""
    return lambda data: calling_plain(fast(function.py_func), *names)(data)


NETWORKS = {"rnn": rnn, "rnn_grad": rnn_gradient, "lstm": lstm, "lstm_grad": lstm_gradient}
BUILD = {
    **{f"i.{name}.{t}": calling(f, *NETWORK) for t in ("f4", "f8") for name, f in NETWORKS.items()},
    "i.powk.f8": calling(power, "a", "k"),
    "i.ten_ops.f8": calling(ten_operations, "x", "a", "b", "c", "rounds"),
    "i.ar2.f8": calling(series, "u", "y", "a", "b", "s"),
    "i.ar2_observed.f8": calling(observed, "y", "a", "b", "s"),
    "i.mandelbrot.f8": calling(mandelbrot, "re", "im"),
    "compile-rnn": calling(rnn_gradient, *NETWORK),
    "memory-last": calling(last, "x", "a", "rounds"),
}
