"""PyTensor in its default mode; its own check of the arguments is switched off where arrays are passed."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytensor
import pytensor.tensor as pt

from benchmarks import peers_workloads
from benchmarks.peers_workloads import CASES, EACH, OPERANDS, TYPES, Case
from benchmarks.workloads import CHAINS, Call, Data, chain

PACKAGES = ("pytensor", "numba", "llvmlite")


def trusting(inputs: Any, outputs: Any, **options: Any) -> Any:
    function = pytensor.function(inputs, outputs, **options)
    function.trust_input = True
    return function


def warm_up() -> None:
    x, y = pt.matrix("x"), pt.matrix("y")
    pytensor.function([x, y], pt.dot(x, y) - 3)(np.ones((2, 2)), np.ones((2, 2)))


def call_vector(data: Data) -> Call:
    x, y, z = pt.vectors("x", "y", "z")
    return Call("f(x, y, z)", {"f": trusting([x, y, z], x * y + z), **dict(zip("xyz", data, strict=True))})


def call_scalar(data: Data) -> Call:
    foo = pt.scalar("foo")
    return Call("f(foo)", {"f": pytensor.function([foo], foo**2), "foo": data[0]})


def call_wide(data: Data) -> Call:
    a = [pt.vector(f"a{i}") for i in range(20)]
    f = trusting(a, [a[i] * a[i + 1] + a[i + 2] - a[i + 3] for i in range(0, 20, 4)])
    return Call("f(*data)", {"f": f, "data": data})


def compile_ten_ops(data: Data) -> Call:
    x, y = pt.vector("x"), pt.vector("y")
    f = trusting([x, y], pt.exp(x * y + x) * 2 + pt.tanh(y) / (1 + y * y) - x)
    return Call("f(x, y)", {"f": f, "x": data[0], "y": data[1]})


def training_step(data: Data) -> Call:
    points, labels, *weights = data
    out = x = pt.matrix("x")
    y = pt.vector("y")
    params = []
    for values in weights:
        w = pytensor.shared(values, name="w")
        b = pytensor.shared(np.ones((len(values), 1)), name="b", shape=(None, 1))
        out = pt.sigmoid(pt.dot(w, out) + b)
        params += [w, b]
    cost = pt.sum((out - y) ** 2)
    updates = []
    for param in params:
        last = pytensor.shared(param.get_value() * 0.0, shape=param.type.shape)
        step = 0.9 * last - 0.01 * pt.grad(cost, param)
        updates += [(last, step), (param, param + step)]
    return Call("train(x, y)", {"train": trusting([x, y], cost, updates=updates), "x": points, "y": labels})


def compile_chain(length: int) -> Any:
    def build(data: Data) -> Call:
        x = pt.vector("x")
        return Call("f(x)", {"f": trusting([x], chain(x, length, pt.tanh)), "x": data[0]})

    return build


BUILD = {
    "call-vector": call_vector,
    "call-scalar": call_scalar,
    "call-wide": call_wide,
    "compile-ten-ops": compile_ten_ops,
    "compile-train": training_step,
    "train-step": training_step,
    "memory-chain": compile_chain(9),
    # Longer chains overflow its recursion.
    "compile-chain-1000": compile_chain(CHAINS["compile-chain-1000"]),
}


# -- the second suite -------------------------------------------------------------------------------------------------
M = SimpleNamespace(
    **{name: getattr(pt, name) for name in peers_workloads.NAMES if hasattr(pt, name)},
    softmax=lambda x: pt.special.softmax(x, axis=1),
    pick=lambda x, columns: x[pt.arange(x.shape[0]), columns],
    inc_rows=lambda table, index, rows: pt.inc_subtensor(table[index], rows),
    set_rows=lambda table, index, rows: pt.set_subtensor(table[index], rows),
)


def symbol(name: str, value: Any) -> Any:
    value = np.asarray(value)
    return pt.TensorType(value.dtype.name, tuple(1 if n == 1 else None for n in value.shape))(name)


def case(case: Case, data: Data) -> Call:
    """Python's floats are constants of the case's own type."""
    with pytensor.config.change_flags(floatX=TYPES[case.dtype].name):
        return typed_case(case, data)


def typed_case(case: Case, data: Data) -> Call:
    sample = data[0] if case.how == "each" else data
    symbols = [symbol(name, value) for name, value in zip(OPERANDS, sample, strict=False)]
    names = dict(zip(OPERANDS, sample, strict=False))
    if case.how == "updates":
        target = pytensor.shared(data[0])
        f = trusting(symbols[1:], [], updates=[(target, case.function(M, target, *symbols[1:]))])
        return Call("f(b, c, d)", {"f": f, **names}, target.get_value)
    if case.how == "training":
        params = [pytensor.shared(value) for value in data[: case.by]]
        cost = case.function(M, *params, *symbols[case.by :])
        updates = []
        for param in params:
            last = pytensor.shared(param.get_value() * 0)
            step = np.float32(0.9) * last - np.float32(0.01) * pt.grad(cost, param)
            updates += [(last, step), (param, param + step)]
        return Call("f(*rest)", {"f": trusting(symbols[case.by :], cost, updates=updates), "rest": data[case.by :]})
    value = case.function(M, *symbols)
    outputs = [value, *pt.grad(value, symbols[: case.by])] if case.how == "gradients" else value
    f = trusting(symbols, list(outputs) if isinstance(outputs, tuple) else outputs)
    if case.how == "each":
        return Call(EACH, {"f": f, "calls": data})
    return Call(f"f({', '.join(names)})", {"f": f, **names})


BUILD |= {row.name: partial(case, row) for row in CASES}
