"""NumPy: the reference for every result, with the gradients written by hand."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np

from benchmarks.peers.linalg import numpy as linalg
from benchmarks.peers.loops import numpy as loops
from benchmarks.workloads.foundation import Call, Data, builders, chain
from benchmarks.workloads.peers import CASES, EACH, NAMES, OPERANDS, Case

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


BUILD = builders(call_vector, call_scalar, call_wide, compile_ten_ops, training_step, compile_chain, longest=50_000)


# -- the second suite -------------------------------------------------------------------------------------------------
def erf(x: Any) -> Any:
    try:
        from scipy.special import erf as function
    except ImportError:
        import math

        return np.vectorize(math.erf, otypes=[x.dtype])(x)
    return function(x)


def logsumexp(x: Any, axis: int) -> Any:
    most = x.max(axis, keepdims=True)
    return np.log(np.exp(x - most).sum(axis)) + most.squeeze(axis)


def softmax(x: Any) -> Any:
    each = np.exp(x - x.max(1, keepdims=True))
    each /= each.sum(1, keepdims=True)
    return each


def inc_rows(table: Any, index: Any, rows: Any) -> Any:
    table = table.copy()
    np.add.at(table, index, rows)
    return table


def set_rows(table: Any, index: Any, rows: Any) -> Any:
    table = table.copy()
    table[index] = rows
    return table


M = SimpleNamespace(
    **{name: getattr(np, name) for name in NAMES if hasattr(np, name)},
    erf=erf, logsumexp=logsumexp, softmax=softmax, inc_rows=inc_rows, set_rows=set_rows,
    sigmoid=lambda x: 1 / (1 + np.exp(-x)),
)  # fmt: skip


def case(case: Case, data: Data) -> Call:
    if case.how == "each":
        return Call(EACH, {"f": partial(case.function, M), "calls": data})
    names = dict(zip(OPERANDS, data, strict=False))
    arguments = ", ".join(names)
    if case.how == "expression":
        return Call(f"f({arguments})", {"f": partial(case.function, M), **names})
    if case.how in ("gradients", "updates"):
        return Call(f"f({arguments})", {"f": case.numpy, **names})
    params, rest = [param.copy() for param in data[: case.by]], data[case.by :]
    steps = [np.zeros_like(param) for param in params]

    def train(*rest: Any) -> Any:
        assert case.numpy is not None
        cost, *gradients = case.numpy(*params, *rest)
        for param, step, gradient in zip(params, steps, gradients, strict=True):
            step *= 0.9
            gradient *= 0.01
            step -= gradient
            param += step
        return cost

    return Call("train(*rest)", {"train": train, "rest": rest})


BUILD |= {row.name: partial(case, row) for row in CASES} | loops.BUILD | linalg.BUILD
