"""Loops of equal ranges become one where they may; what it hands on from round to round needs no history."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tensordsl
import tensordsl.tensor as T
from tensordsl.codegen.compiler.pipeline import make_program
from tensordsl.codegen.program_ir import instructions as p
from tensordsl.codegen.program_ir.instructions import walk_program
from tensordsl.ifelse import ifelse
from tensordsl.signature.modes import FAST_RUN

X, A, W = T.dmatrix("x"), T.dvector("a"), T.dmatrix("w")
ARGUMENTS = np.arange(12.0).reshape(4, 3) / 12, np.ones(3) / 3, np.eye(3) - 0.2


def merged(outputs: list[Any], *arguments: Any) -> int:
    """How many loops are left; the results are those of loops that are not merged."""
    inputs = [X, A, W]
    _, program, _ = make_program("f", inputs, [], outputs, [], False)
    found = tensordsl.function(inputs, outputs, on_unused_input="ignore")
    wanted = tensordsl.function(inputs, outputs, mode=FAST_RUN.excluding("merge_loops"), on_unused_input="ignore")
    for n in (0, 1, 4):
        given = ARGUMENTS[0][:n], *ARGUMENTS[1:]
        for one, other in zip(found(*given), wanted(*given), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-14, strict=True)
    return sum(isinstance(i, p.For) for i in walk_program(program.code))


def states(x: Any, start: Any = A) -> Any:
    return tensordsl.scan(lambda a, s: T.tanh(a + s), x, start)[0]


def mixed(x: Any, start: Any = A) -> Any:
    return tensordsl.scan(lambda a, s: T.tanh(a + T.dot(s, W)), x, start)[0]


def test_a_loop_over_what_another_one_stacks() -> None:
    h = states(X)
    assert merged([states(h).sum()]) == 1
    assert merged([h, states(h).sum(), states(states(h)).sum()]) == 1
    assert merged([mixed(states(mixed(X))).sum()]) == 1


def test_the_history_between_them_is_not_kept() -> None:
    last = tensordsl.scan(lambda a, s: T.tanh(a + s), mixed(X), A)[0][-1]
    stored = []
    for mode in (FAST_RUN, FAST_RUN.excluding("merge_loops")):
        _, program, _ = make_program("f", [X, A, W], [], [last], [], True, mode=mode)
        stored.append(len(program.stacks))
    assert stored == [0, 1]


def test_elementwise_loops_beside_each_other() -> None:
    assert merged([states(X), states(X, 2 * A)]) == 1
    assert merged([states(X), states(X[::-1])]) == 1
    assert merged([mixed(X), states(X)]) == 2


def test_what_reads_more_than_one_row_comes_behind() -> None:
    h = states(X)
    assert merged([states(h[::-1])]) == 2
    assert merged([states(h / h.sum())]) == 2
    assert merged([states(h, h.sum(axis=0))]) == 2
    taps = tensordsl.scan(lambda a, b, s: T.tanh(a * b + s), {"input": h, "taps": [-1, 0]}, A)[0]
    assert merged([taps]) == 2


def test_a_value_between_two_loops_keeps_them_apart() -> None:
    h = mixed(X)
    assert merged([mixed(T.dot(h, W))]) == 2


def test_loops_of_other_counts_are_two() -> None:
    assert merged([states(X), states(W)]) == 2


def test_loops_in_branches_stay_there() -> None:
    h = states(X)
    chosen = ifelse(T.gt(A[0], 5), states(h).sum(), T.constant(0.0))
    assert merged([h, chosen]) == 2


@pytest.mark.parametrize("inner", [states, mixed])
def test_loops_within_a_loop(inner: Any) -> None:
    def outer(a: Any, s: Any) -> Any:
        h = inner(X, a + s)
        return inner(h, s)[-1]

    y, _ = tensordsl.scan(outer, X, A)
    assert merged([y]) == 2


def test_gradients_of_merged_loops() -> None:
    h = states(X)
    cost = (states(h) ** 2).sum()
    assert merged([cost, *T.grad(cost, [X, A])]) <= 3


def test_results_that_nobody_reads_are_not_computed() -> None:
    def step(a: Any, s: Any, r: Any) -> Any:
        return [T.tanh(a + s), r + T.exp(s), T.sin(a) * r]

    (s, _, _), _ = tensordsl.scan(step, X, [A, A, None])
    _, program, _ = make_program("f", [X, A], [], [s], [], True)
    (loop,) = (i for i in walk_program(program.code) if isinstance(i, p.For))
    assert sum(isinstance(i, p.Launch) for i in loop.body) == 1
    assert merged([s]) == 1


def test_indices_and_windows_in_the_second_loop() -> None:
    h = states(X)

    def step(t: Any, s: Any) -> Any:
        return s + h[t] * T.cast(t, "float64") + X[t]

    y, _ = tensordsl.scan(step, T.arange(X.shape[0]), A)
    assert merged([y, h]) <= 2


def test_a_loop_without_some_of_its_states_is_merged() -> None:
    (_, s), _ = tensordsl.scan(lambda a, r, s: [r * a + 1, T.tanh(a + s)], X, [A, A])
    (r, t), _ = tensordsl.scan(lambda a, r, t: [T.sin(r + a), T.cos(t * r)], s, [A, 2 * A])
    assert merged([r, t]) == 1
