"""NumPy: the reference for every result, with the gradients written by hand."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.workloads import CHAINS, Call, Data, chain

PACKAGES = ("numpy",)


def warm_up() -> None:
    np.tanh(np.ones((2, 2)) @ np.ones((2, 2)) + 1)


def call_vector(data: Data) -> Call:
    return Call("x * y + z", dict(zip("xyz", data, strict=True)))


def call_scalar(data: Data) -> Call:
    # A 0-d array in, as a compiled function gives one out: NumPy's own work, not Python's float.
    return Call("foo ** 2", {"foo": np.asarray(data[0])})


def wide(*a: Any) -> list[Any]:
    return [a[i] * a[i + 1] + a[i + 2] - a[i + 3] for i in range(0, 20, 4)]


def call_wide(data: Data) -> Call:
    return Call("f(*data)", {"f": wide, "data": data})


def compile_ten_ops(data: Data) -> Call:
    return Call("np.exp(x * y + x) * 2 + np.tanh(y) / (1 + y * y) - x", {"np": np, "x": data[0], "y": data[1]})


def training_step(data: Data) -> Call:
    points, labels, w1, w2 = data
    params = [w1.copy(), np.ones((4, 1)), w2.copy(), np.ones((1, 1))]
    steps = [np.zeros_like(param) for param in params]

    def train(x: Any, y: Any) -> Any:
        hidden = 1 / (1 + np.exp(-(params[0] @ x + params[1])))
        out = 1 / (1 + np.exp(-(params[2] @ hidden + params[3])))
        error = out - y
        delta2 = 2 * error * out * (1 - out)
        delta1 = (params[2].T @ delta2) * hidden * (1 - hidden)
        gradients = (delta1 @ x.T, delta1.sum(1, keepdims=True), delta2 @ hidden.T, delta2.sum(1, keepdims=True))
        for param, step, gradient in zip(params, steps, gradients, strict=True):
            step *= 0.9
            step -= 0.01 * gradient
            param += step
        return np.sum(error**2)

    return Call("train(x, y)", {"train": train, "x": points, "y": labels})


def compile_chain(length: int) -> Any:
    return lambda data: Call(
        "chain(x, length, tanh)", {"chain": chain, "x": data[0], "length": length, "tanh": np.tanh}
    )


def memory_chain(data: Data) -> Call:
    return Call("chain(x, 9, tanh)", {"chain": chain, "x": data[0], "tanh": np.tanh})


BUILD = {
    "call-vector": call_vector,
    "call-scalar": call_scalar,
    "call-wide": call_wide,
    "compile-ten-ops": compile_ten_ops,
    "compile-train": training_step,
    "train-step": training_step,
    "memory-chain": memory_chain,
    **{name: compile_chain(length) for name, length in CHAINS.items()},
}
