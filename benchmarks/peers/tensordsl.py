"""tensordsl itself, used as a user would."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np

import tensordsl
import tensordsl.tensor as T
from benchmarks import peers_workloads
from benchmarks.peers_workloads import CASES, EACH, OPERANDS, TYPES, Case
from benchmarks.workloads import CHAINS, Call, Data, chain
from tensordsl import native

PACKAGES = ("tensordsl", "llvmlite")


def warm_up() -> None:
    """Load LLVM and the precompiled library kernels, which a machine compiles once."""
    x, y = T.matrix("x"), T.matrix("y")
    tensordsl.function([x, y], T.dot(x, y) - 3)(np.ones((2, 2)), np.ones((2, 2)))


def forget() -> None:
    """Drop the code that the process keeps, so that the disk cache is asked."""
    native.forget()


def call_vector(data: Data) -> Call:
    x, y, z = T.vectors("x", "y", "z")
    return Call("f(x, y, z)", {"f": tensordsl.function([x, y, z], x * y + z), **dict(zip("xyz", data, strict=True))})


def call_scalar(data: Data) -> Call:
    foo = T.scalar("foo")
    return Call("f(foo)", {"f": tensordsl.function([foo], foo**2), "foo": data[0]})


def call_wide(data: Data) -> Call:
    a = [T.vector(f"a{i}") for i in range(20)]
    f = tensordsl.function(a, [a[i] * a[i + 1] + a[i + 2] - a[i + 3] for i in range(0, 20, 4)])
    return Call("f(*data)", {"f": f, "data": data})


def compile_ten_ops(data: Data) -> Call:
    x, y = T.vector("x"), T.vector("y")
    f = tensordsl.function([x, y], T.exp(x * y + x) * 2 + T.tanh(y) / (1 + y * y) - x)
    return Call("f(x, y)", {"f": f, "x": data[0], "y": data[1]})


def training_step(data: Data) -> Call:
    points, labels, *weights = data
    out = x = T.matrix("x")
    y = T.vector("y")
    params = []
    for values in weights:
        w = tensordsl.shared(values, name="w")
        b = tensordsl.shared(np.ones((len(values), 1)), name="b", broadcastable=(False, True))
        out = T.nnet.sigmoid(T.dot(w, out) + b)
        params += [w, b]
    cost = T.sum((out - y) ** 2)
    updates = []
    for param in params:
        last = tensordsl.shared(param.get_value() * 0.0, broadcastable=param.broadcastable)
        step = 0.9 * last - 0.01 * T.grad(cost, param)
        updates += [(last, step), (param, param + step)]
    return Call("train(x, y)", {"train": tensordsl.function([x, y], cost, updates=updates), "x": points, "y": labels})


def compile_chain(length: int) -> Any:
    def build(data: Data) -> Call:
        x = T.vector("x")
        return Call("f(x)", {"f": tensordsl.function([x], chain(x, length, T.tanh)), "x": data[0]})

    return build


BUILD = {
    "call-vector": call_vector,
    "call-scalar": call_scalar,
    "call-wide": call_wide,
    "compile-ten-ops": compile_ten_ops,
    "compile-train": training_step,
    "train-step": training_step,
    "memory-chain": compile_chain(9),
    **{name: compile_chain(length) for name, length in CHAINS.items()},
}


# -- the second suite -------------------------------------------------------------------------------------------------
M = SimpleNamespace(
    **{name: getattr(T, name) for name in peers_workloads.NAMES if hasattr(T, name)},
    softmax=T.nnet.softmax,
    pick=lambda x, columns: x[T.arange(x.shape[0]), columns],
    inc_rows=lambda table, index, rows: T.inc_subtensor(table[index], rows),
    set_rows=lambda table, index, rows: T.set_subtensor(table[index], rows),
)


def symbol(name: str, value: Any) -> Any:
    value = np.asarray(value)
    return T.tensor(value.dtype.name, [n == 1 for n in value.shape], name)


def case(case: Case, data: Data) -> Call:
    """Python's floats are constants of the case's own type."""
    with tensordsl.config.change_flags(floatX=TYPES[case.dtype].name):
        return typed_case(case, data)


def typed_case(case: Case, data: Data) -> Call:
    sample = data[0] if case.how == "each" else data
    symbols = [symbol(name, value) for name, value in zip(OPERANDS, sample, strict=False)]
    names = dict(zip(OPERANDS, sample, strict=False))
    if case.how == "training":
        return training_case(case, data, symbols)
    if case.how == "updates":
        target = tensordsl.shared(data[0])
        f = tensordsl.function(symbols[1:], [], updates=[(target, case.function(M, target, *symbols[1:]))])
        return Call("f(b, c, d)", {"f": f, **names}, target.get_value)
    value = case.function(M, *symbols)
    outputs = [value, *T.grad(value, symbols[: case.by])] if case.how == "gradients" else value
    f = tensordsl.function(symbols, list(outputs) if isinstance(outputs, tuple) else outputs)
    if case.how == "each":
        return Call(EACH, {"f": f, "calls": data})
    return Call(f"f({', '.join(names)})", {"f": f, **names})


def training_case(case: Case, data: Data, symbols: list[Any]) -> Call:
    params = [tensordsl.shared(value) for value in data[: case.by]]
    cost = case.function(M, *params, *symbols[case.by :])
    updates = []
    for param in params:
        last = tensordsl.shared(param.get_value() * 0)
        step = np.float32(0.9) * last - np.float32(0.01) * T.grad(cost, param)
        updates += [(last, step), (param, param + step)]
    f = tensordsl.function(symbols[case.by :], cost, updates=updates)
    return Call("f(*rest)", {"f": f, "rest": data[case.by :]})


BUILD |= {row.name: partial(case, row) for row in CASES}
