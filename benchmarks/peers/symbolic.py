"""What the adapters of tensordsl and of PyTensor have in common: both speak Theano's language."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from benchmarks.peers.linalg.symbolic import builders as linalg_builders
from benchmarks.peers.loops.symbolic import builders as scan_builders
from benchmarks.workloads.foundation import Build, Call, Data, builders, chain
from benchmarks.workloads.peers import CASES, EACH, OPERANDS, TYPES, Case


@dataclass(frozen=True, slots=True)
class Language:
    """T: the namespace of tensors; m: that of the second suite's cases (`benchmarks.workloads.peers.NAMES`);
    function(inputs, outputs, updates=()), called with arrays; scalar_function, called with Python's numbers;
    tensor(name, dtype, shape) and shared(value, shape or None for the value's rank), where a length is 1 or None;
    change_flags: of the configuration; longest: chain that it compiles; scan, until and checkpoints: of loops, the
    first and the last give a list of results; draw(distribution, parameters, count): the numbers and updates."""

    T: Any
    m: Any
    function: Callable[..., Any]
    scalar_function: Callable[..., Any]
    tensor: Callable[[str, str, tuple[int | None, ...]], Any]
    shared: Callable[[Any, tuple[int | None, ...] | None], Any]
    change_flags: Callable[..., Any]
    longest: int
    scan: Callable[..., list[Any]]
    until: Callable[[Any], Any]
    draw: Callable[[str, tuple[float, ...], int], tuple[Any, Any]]
    checkpoints: Callable[..., list[Any]] | None = None

    def builders(self) -> dict[str, Build]:
        first = (call_vector, call_scalar, call_wide, compile_ten_ops, training_step)
        build = builders(*(partial(f, self) for f in first), partial(compile_chain, self), self.longest)
        build |= {row.name: partial(case, self, row) for row in CASES}
        return build | scan_builders(self) | linalg_builders(self)


def warm_up(T: Any, function: Callable[..., Any]) -> None:
    """Of both types, as some libraries compile matrix products once for each."""
    for dtype in ("float64", "float32"):
        x, y = T.matrix("x", dtype=dtype), T.matrix("y", dtype=dtype)
        ones = np.ones((2, 2), dtype)
        function([x, y], T.dot(x, y) - 3)(ones, ones)


def call_vector(language: Language, data: Data) -> Call:
    x, y, z = language.T.vectors("x", "y", "z")
    f = language.function([x, y, z], x * y + z)
    return Call("f(x, y, z)", {"f": f, **dict(zip("xyz", data, strict=True))})


def call_scalar(language: Language, data: Data) -> Call:
    foo = language.T.scalar("foo")
    return Call("f(foo)", {"f": language.scalar_function([foo], foo**2), "foo": data[0]})


def call_wide(language: Language, data: Data) -> Call:
    a = [language.T.vector(f"a{i}") for i in range(20)]
    f = language.function(a, [a[i] * a[i + 1] + a[i + 2] - a[i + 3] for i in range(0, 20, 4)])
    return Call("f(*data)", {"f": f, "data": data})


def compile_ten_ops(language: Language, data: Data) -> Call:
    T = language.T
    x, y = T.vector("x"), T.vector("y")
    f = language.function([x, y], T.exp(x * y + x) * 2 + T.tanh(y) / (1 + y * y) - x)
    return Call("f(x, y)", {"f": f, "x": data[0], "y": data[1]})


def compile_chain(language: Language, length: int) -> Build:
    def build(data: Data) -> Call:
        x = language.T.vector("x")
        return Call("f(x)", {"f": language.function([x], chain(x, length, language.T.tanh)), "x": data[0]})

    return build


def training_step(language: Language, data: Data) -> Call:
    """The tutorial's network, with momentum."""
    T = language.T
    points, labels, *weights = data
    out = x = T.matrix("x")
    y = T.vector("y")
    params = []
    for values in weights:
        w, b = language.shared(values, None), language.shared(np.ones((len(values), 1)), (None, 1))
        out = T.sigmoid(T.dot(w, out) + b)
        params += [w, b]
    cost = T.sum((out - y) ** 2)
    f = language.function([x, y], cost, updates=momentum(language, cost, params, 0.9, 0.01))
    return Call("train(x, y)", {"train": f, "x": points, "y": labels})


def momentum(language: Language, cost: Any, params: list[Any], keep: Any, rate: Any) -> list[tuple[Any, Any]]:
    updates = []
    for param in params:
        last = language.shared(param.get_value() * 0, param.type.shape)
        step = keep * last - rate * language.T.grad(cost, param)
        updates += [(last, step), (param, param + step)]
    return updates


# -- the second suite -------------------------------------------------------------------------------------------------
def case(language: Language, case: Case, data: Data) -> Call:
    """Python's floats are constants of the case's own type."""
    with language.change_flags(floatX=TYPES[case.dtype].name):
        if case.how == "training":
            return training_case(language, case, data)
        return typed_case(language, case, data)


def symbols_of(language: Language, values: Data) -> list[Any]:
    arrays = map(np.asarray, values)
    return [
        language.tensor(name, a.dtype.name, tuple(1 if n == 1 else None for n in a.shape))
        for name, a in zip(OPERANDS, arrays, strict=False)
    ]


def typed_case(language: Language, case: Case, data: Data) -> Call:
    sample = data[0] if case.how == "each" else data
    symbols = symbols_of(language, sample)
    names = dict(zip(OPERANDS, sample, strict=False))
    if case.how == "updates":
        target = language.shared(data[0], None)
        f = language.function(symbols[1:], [], updates=[(target, case.function(language.m, target, *symbols[1:]))])
        return Call(f"f({', '.join([*names][1:])})", {"f": f, **names}, target.get_value)
    value = case.function(language.m, *symbols)
    outputs = [value, *language.T.grad(value, symbols[: case.by])] if case.how == "gradients" else value
    f = language.function(symbols, list(outputs) if isinstance(outputs, tuple) else outputs)
    if case.how == "each":
        return Call(EACH, {"f": f, "calls": data})
    return Call(f"f({', '.join(names)})", {"f": f, **names})


def training_case(language: Language, case: Case, data: Data) -> Call:
    shapes = [tuple(1 if n == 1 else None for n in value.shape) for value in data[: case.by]]
    params = [language.shared(value, shape) for value, shape in zip(data, shapes, strict=False)]
    symbols, number = symbols_of(language, data)[case.by :], TYPES[case.dtype].type
    cost = case.function(language.m, *params, *symbols)
    f = language.function(symbols, cost, updates=momentum(language, cost, params, number(0.9), number(0.01)))
    return Call("f(*rest)", {"f": f, "rest": data[case.by :]})
