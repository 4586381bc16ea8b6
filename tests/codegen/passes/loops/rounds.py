"""Random rounds of products, sums and slices as data: built symbolically, and run by NumPy in a Python loop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st

import tensordsl
import tensordsl.tensor as T

N = 3  # all values of a round are N x N, so that every operation takes all of them
UNARY = ("tanh", "neg", "transpose", "row", "column", "join", "sum", "softmax", "reverse", "pick", "square")
BINARY = ("add", "sub", "mul", "dot", "dot", "outer", "set", "maximum")


def apply(m: Any, op: tuple[Any, ...], values: list[Any], t: Any) -> Any:
    """One operation on the values so far; m: `np` or `T`, t: the number of the round."""
    name, *places = op
    a, b = (values[k % len(values)] for k in (*places, places[0])[:2])
    if name == "neg":
        return -a
    if name == "transpose":
        return a.T
    if name == "row":
        return a[1] + a * 0
    if name == "column":
        return a[:, -1:][:, 0][:, None] * 0.5 + a
    if name == "join":
        return m.concatenate([a[1:], b[:1] * 2], 0)
    if name == "sum":
        return a.sum(0) / 4 - a.mean(1)[:, None]
    if name == "softmax":
        e = m.exp(a - a.max(1)[:, None])
        return e / e.sum(1)[:, None]
    if name == "reverse":
        return a[::-1].reshape((N * N,))[::-1].reshape((N, N))
    if name == "pick":
        return a[a.argmax(0)] + a[:, t % N][:, None]
    if name == "square":
        return a * a * 0.25
    if name == "dot":
        return m.tanh(m.dot(a, b))
    if name == "outer":
        return m.outer(a[0], b[:, 1])
    if name == "set":
        if m is np:
            a = a.copy()
            a[t % N] = b[0]
            return a
        return T.set_subtensor(a[t % N], b[0])
    if name in ("add", "sub", "mul"):
        return {"add": a + b, "sub": a - b, "mul": a * b}[name]
    return getattr(m, name)(a) if name == "tanh" else getattr(m, name)(a, b)


@dataclass
class Rounds:
    """A loop over two sequences with a state, sums, and results of the rounds; None as its state: it has none."""

    operations: list[tuple[Any, ...]]
    state: int | None
    sums: list[int]
    results: list[int]
    back: bool
    n_steps: bool
    lengths_known: bool
    seed: int

    def step(self, m: Any, given: list[Any], t: Any) -> tuple[list[Any], list[Any], list[Any]]:
        """(the next state, what is added to the sums, results) of a round."""
        values = list(given)
        for op in self.operations:
            values.append(apply(m, op, values, t))
        state = [] if self.state is None else [m.tanh(values[self.state % len(values)])]
        return state, [values[k % len(values)] for k in self.sums], [values[k % len(values)] for k in self.results]

    def function(self, mode: Any = None, gradient: bool = False) -> Any:
        length = N if self.lengths_known else None
        x, y = (T.TensorType("float64", (None, length, length))(name) for name in "xy")
        w, h = (T.TensorType("float64", (length, length))(name) for name in "wh")
        n = T.lscalar("n")
        number = 0 if self.state is None else 1

        def step(a: Any, b: Any, t: Any, *others: Any) -> Any:
            states, totals = others[:number], others[number : number + len(self.sums)]
            state, added, results = self.step(T, [a, b, w, *states], t)
            return [*state, *(s + v for s, v in zip(totals, added, strict=True)), *results]

        infos = [*([h] * number), *([T.zeros_like(w)] * len(self.sums)), *([None] * len(self.results))]
        found, _ = tensordsl.scan(
            step, [x, y, T.arange(x.shape[0])], infos, None, n if self.n_steps else None,
            go_backwards=self.back, return_list=True,
        )  # fmt: skip
        totals = [v[-1] for v in found[number : number + len(self.sums)]]
        outputs = [*totals, *found[number + len(self.sums) :], *found[:number]]
        inputs = [x, y, w, h, n]
        if gradient:
            cost = sum(T.sqr(v).sum() for v in outputs)
            outputs = [cost, *T.grad(cost, inputs[:4], disconnected_inputs="ignore")]
        return tensordsl.function(inputs, outputs, on_unused_input="ignore", mode=mode)

    def arguments(self, n: int) -> list[Any]:
        r = np.random.default_rng([self.seed, n])
        more = int(self.n_steps)
        return [*(r.normal(size=(n + k, N, N)) / 2 for k in (more, 2 * more)), *(r.normal(size=(2, N, N)) / 2), n]

    def expected(self, n: int) -> list[Any]:
        x, y, w, h, _ = self.arguments(n)
        x, y, numbers = (v[::-1] if self.back else v for v in (x, y, np.arange(len(x))))
        totals = [np.zeros((N, N)) for _ in self.sums]
        states, columns = [], [[] for _ in self.results]
        for k in range(n):
            given = [x[k], y[k], w, *([] if self.state is None else [h])]
            state, added, results = self.step(np, given, numbers[k])
            for s in state:
                states.append(h := s)
            totals = [s + v for s, v in zip(totals, added, strict=True)]
            for column, value in zip(columns, results, strict=True):
                column.append(value)
        stacked = [np.array(c).reshape(n, N, N) for c in (*columns, *([] if self.state is None else [states]))]
        return [*totals, *stacked]


def rounds(differentiable: bool = False) -> st.SearchStrategy[Rounds]:
    place = st.integers(0, 30)
    unary = [u for u in UNARY if not (differentiable and u == "pick")]
    operation = st.one_of(
        st.tuples(st.sampled_from(unary), place), st.tuples(st.sampled_from(BINARY), place, place)
    )  # fmt: skip
    return st.builds(
        Rounds, st.lists(operation, min_size=1, max_size=8), st.one_of(st.none(), place),
        st.lists(place, max_size=2), st.lists(place, min_size=1, max_size=2), st.booleans(), st.booleans(),
        st.booleans(), st.integers(0, 1 << 30),
    )  # fmt: skip
