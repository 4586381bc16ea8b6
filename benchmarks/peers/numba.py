"""Numba: functions over whole arrays, compiled without fastmath and cached on disk; gradients written by hand."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from benchmarks.peers import numba_loops
from benchmarks.peers.linalg import numba as linalg
from benchmarks.peers.loops import numba as loops
from benchmarks.workloads.foundation import Call, Data, builders, chain

PACKAGES = ("numba", "llvmlite")

jit = numba.njit(cache=True)


def trivial(x, y):  # type: ignore[no-untyped-def]
    return np.dot(x, y) - 3


def axpb(x, y, z):  # type: ignore[no-untyped-def]
    return x * y + z


def square(foo):  # type: ignore[no-untyped-def]
    return foo**2


def wide(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t):  # type: ignore[no-untyped-def]
    return a * b + c - d, e * f + g - h, i * j + k - l, m * n + o - p, q * r + s - t


def ten_ops(x, y):  # type: ignore[no-untyped-def]
    return np.exp(x * y + x) * 2 + np.tanh(y) / (1 + y * y) - x


def train(x, y, w1, b1, w2, b2, u1, c1, u2, c2):  # type: ignore[no-untyped-def]
    """One momentum step in place: weights w, biases b, and their last steps u and c."""
    hidden = 1 / (1 + np.exp(-(np.dot(w1, x) + b1)))
    out = 1 / (1 + np.exp(-(np.dot(w2, hidden) + b2)))
    error = out - y
    delta2 = 2 * error * out * (1 - out)
    delta1 = np.dot(w2.T, delta2) * hidden * (1 - hidden)
    u1[:] = 0.9 * u1 - 0.01 * np.dot(delta1, x.T)
    c1[:, 0] = 0.9 * c1[:, 0] - 0.01 * delta1.sum(1)
    u2[:] = 0.9 * u2 - 0.01 * np.dot(delta2, hidden.T)
    c2[:, 0] = 0.9 * c2[:, 0] - 0.01 * delta2.sum(1)
    w1 += u1
    b1 += c1
    w2 += u2
    b2 += c2
    return np.sum(error**2)


def warm_up() -> None:
    jit(trivial)(np.ones((2, 2)), np.ones((2, 2)))


def call_vector(data: Data) -> Call:
    return Call("f(x, y, z)", {"f": jit(axpb), **dict(zip("xyz", data, strict=True))})


def call_scalar(data: Data) -> Call:
    return Call("f(foo)", {"f": jit(square), "foo": data[0]})


def call_wide(data: Data) -> Call:
    return Call("f(*data)", {"f": jit(wide), "data": data})


def compile_ten_ops(data: Data) -> Call:
    return Call("f(x, y)", {"f": jit(ten_ops), "x": data[0], "y": data[1]})


def training_step(data: Data) -> Call:
    points, labels, w1, w2 = data
    params = [w1.copy(), np.ones((4, 1)), w2.copy(), np.ones((1, 1))]
    state = params + [np.zeros_like(param) for param in params]
    return Call("train(x, y, *state)", {"train": jit(train), "x": points, "y": labels, "state": state})


class Source:
    """Stands for a value while `chain` runs, and collects the statements of a Python function."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def then(self, expression: str) -> Source:
        self.lines.append(f"    x = {expression}")
        return self

    def __mul__(self, factor: float) -> Source:
        return self.then(f"x * {factor!r}")

    def __add__(self, term: float) -> Source:
        return self.then(f"x + {term!r}")


def scalar_chain(length: int) -> Any:
    """The chain as a compiled ufunc; source that was made at run time can't be cached on disk."""

    def build(data: Data) -> Call:
        lines = chain(Source(), length, lambda x: x.then("tanh(x)")).lines
        names: dict[str, Any] = {"tanh": np.tanh}
        exec("\n".join(["def body(x):", *lines, "    return x"]), names)
        return Call("f(x)", {"f": numba.vectorize(["float64(float64)"])(names["body"]), "x": data[0]})

    return build


BUILD = builders(
    call_vector, call_scalar, call_wide, compile_ten_ops, training_step, scalar_chain, longest=1_000
)  # longer chains take minutes

BUILD |= numba_loops.BUILD | loops.BUILD | linalg.BUILD
