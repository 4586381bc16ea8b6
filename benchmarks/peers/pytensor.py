"""PyTensor in its default mode; its own check of the arguments is switched off where arrays are passed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytensor
import pytensor.tensor as pt

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
