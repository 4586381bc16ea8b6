"""Random scans as data: built symbolically, and run by NumPy in a Python loop."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from hypothesis import strategies as st

import tensordsl
import tensordsl.tensor as T
from tensordsl.scan_module import until

BINARY = ("add", "sub", "mul", "maximum", "minimum")
UNARY = ("tanh", "sin", "abs_", "neg", "half", "pick", "whole")
TABLE = np.arange(5.0) / 5


def apply(where: Any, op: tuple[Any, ...], values: list[Any]) -> Any:
    """One operation of a program, by NumPy or symbolically.  where: `np` or `T`."""
    name, *places = op
    a = values[places[0] % len(values)]
    if name in BINARY:
        b = values[places[1] % len(values)]
        if name in ("maximum", "minimum"):
            return getattr(where, name)(a, b)
        return {"add": lambda: a + b, "sub": lambda: a - b, "mul": lambda: a * b}[name]()
    if name in ("pick", "whole"):  # an element at a position that depends on the round; an integer
        bounded = abs(where.tanh(a)) * 4
        whole = bounded.astype("int64")
        if name == "whole":
            return whole % 3
        return TABLE[whole] if where is np else T.constant(TABLE)[whole]
    if name == "half":
        return a * 0.5
    if name in ("abs_", "neg"):
        return abs(a) if name == "abs_" else -a
    return getattr(where, name)(a)


@dataclass
class Scan:
    """A scan: taps of its sequences and states, the operations of its step, and what it returns."""

    sequence_taps: list[list[int]]
    state_taps: list[list[int] | None]  # one for each result
    operations: list[tuple[Any, ...]]
    results: list[int]  # places in the list of values
    width: int | None  # length of rows; None: rows are scalars
    others: int
    go_backwards: bool
    has_counter: bool
    limit: float | None  # until the sum of the first result's absolute values is larger
    seed: int
    lengths: list[int] = field(default_factory=list)

    def step(self, where: Any, arguments: list[Any]) -> list[Any]:
        values = list(arguments)
        for op in self.operations:
            values.append(apply(where, op, values))
        return [where.tanh(values[k % len(values)]) if tap is not None else values[k % len(values)] * 1.0
                for k, tap in zip(self.results, self.state_taps, strict=True)]  # fmt: skip

    # -- symbolically
    def function(self, mode: Any = None, gradient: bool = False) -> Any:
        kind = T.dvector if self.width is None else T.dmatrix
        row = T.dscalar if self.width is None else T.dvector
        xs = [kind(f"x{k}") for k in range(len(self.sequence_taps))]
        ss = [(row if taps == [-1] else kind)(f"s{k}") for k, taps in enumerate(self.state_taps) if taps is not None]
        os = [row(f"o{k}") for k in range(self.others)]
        n = T.lscalar("n")
        waiting = iter(ss)
        infos = [None if taps is None else dict(initial=next(waiting), taps=taps) for taps in self.state_taps]
        self.counter = tensordsl.shared(0.0)

        def step(*arguments: Any) -> Any:
            given = list(arguments)
            if self.has_counter:
                given.append(given[0] * 0 + self.counter)
            results = self.step(T, given)
            end = [] if self.limit is None else [until(T.sum(abs(results[0])) > self.limit)]
            return (results, {self.counter: self.counter + 1} if self.has_counter else {}, *end)

        outputs, updates = tensordsl.scan(
            step, [dict(input=x, taps=taps) for x, taps in zip(xs, self.sequence_taps, strict=True)], infos, os, n,
            go_backwards=self.go_backwards, return_list=True,
        )  # fmt: skip
        inputs = [n, *xs, *ss, *os]
        if gradient:
            cost = sum(T.sum(T.sqr(out)) for out in outputs)
            gradients = T.grad(cost, [*xs, *ss, *os], disconnected_inputs="ignore")
            found = [cost, outputs[0].shape[0], *gradients]
            return tensordsl.function(inputs, found, updates=updates, on_unused_input="ignore", mode=mode)
        return tensordsl.function(inputs, outputs, updates=updates, on_unused_input="ignore", mode=mode)

    # -- by NumPy
    def arguments(self, n: int) -> list[Any]:
        r = np.random.default_rng(self.seed + n)
        shape = () if self.width is None else (self.width,)
        xs = [r.normal(size=(n + max(0, *t) - min(0, *t) + k % 2, *shape)) for k, t in enumerate(self.sequence_taps)]
        ss = [r.normal(size=shape if t == [-1] else (-min(t), *shape)) for t in self.state_taps if t is not None]
        return [n, *xs, *ss, *(r.normal(size=shape) for _ in range(self.others))]

    def expected(self, n: int) -> tuple[list[Any], float]:
        """The results of n rounds, and the counter behind them."""
        _, *given = self.arguments(n)
        xs, rest = given[: len(self.sequence_taps)], given[len(self.sequence_taps) :]
        states = [t for t in self.state_taps if t is not None]
        ss, os = rest[: len(states)], rest[len(states) :]
        waiting = iter(ss)
        histories = [[] if t is None else [next(waiting)] if t == [-1] else [*next(waiting)] for t in self.state_taps]
        found: list[list[Any]] = [[] for _ in self.state_taps]
        counter = 0.0
        for i in range(n):
            arguments = []
            for x, taps in zip(xs, self.sequence_taps, strict=True):
                low, high = min(0, *taps), max(0, *taps)
                for k in taps:
                    x_k = x[k - low : len(x) - (high - k)]
                    arguments.append(x_k[::-1][i] if self.go_backwards else x_k[i])
            for history, taps in zip(histories, self.state_taps, strict=True):
                arguments += [] if taps is None else [history[k] for k in taps]
            arguments += os
            if self.has_counter:
                arguments.append(arguments[0] * 0 + counter)
                counter += 1
            results = self.step(np, arguments)
            for history, column, value in zip(histories, found, results, strict=True):
                history.append(value)
                column.append(value)
            if self.limit is not None and np.sum(abs(results[0])) > self.limit:
                break
        shape = () if self.width is None else (self.width,)
        return [np.array(column).reshape(len(column), *shape) for column in found], counter


def scans(differentiable: bool = False) -> st.SearchStrategy[Scan]:
    place = st.integers(0, 40)
    unary = st.sampled_from(("tanh", "sin", "half", "neg") if differentiable else UNARY)
    binary = st.sampled_from(("add", "sub", "mul") if differentiable else BINARY)
    operation = st.one_of(st.tuples(unary, place), st.tuples(binary, place, place))
    taps = st.lists(st.integers(-2, 3), min_size=1, max_size=2, unique=True)
    state = st.one_of(st.none(), st.just([-1]), st.lists(st.integers(-4, -1), min_size=1, max_size=2, unique=True))

    @st.composite
    def draw(draw: Any) -> Scan:
        states = draw(st.lists(state, min_size=1, max_size=3))
        sequences = draw(st.lists(taps, min_size=0 if any(t is not None for t in states) else 1, max_size=2))
        return Scan(
            sequences, states, draw(st.lists(operation, max_size=6)),
            draw(st.lists(place, min_size=len(states), max_size=len(states))), draw(st.sampled_from((None, 1, 3))),
            draw(st.integers(0, 2)), draw(st.booleans()), draw(st.booleans()),
            draw(st.sampled_from((None, None, 0.5, 2.0))), draw(st.integers(0, 2**31)),
        )  # fmt: skip

    return draw()
