"""Where loops keep carried and stacked values: each technique on and off, and what rounds no longer copy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tensordsl
import tensordsl.tensor as T
from tensordsl.codegen.compiler.optimisations import switches
from tensordsl.codegen.compiler.pipeline import make_program
from tensordsl.codegen.program_ir import instructions as p
from tensordsl.codegen.program_ir.instructions import walk_program
from tensordsl.ifelse import ifelse
from tensordsl.signature.modes import FAST_RUN

X, A, B = T.dmatrix("x"), T.dvector("a"), T.dvector("b")
NAMES = "states_in_stacks", "joint_histories", "written_over", "merge_equal_loops", "index_ranges"


def rounds(inputs: list[Any], outputs: list[Any]) -> list[p.For]:
    _, program, _ = make_program("f", inputs, [], outputs, [], False)
    return [i for i in walk_program(program.code) if isinstance(i, p.For)]


def copies(loop: p.For) -> int:
    return sum(isinstance(i, p.Copy) for i in walk_program(loop.body))


def check(inputs: list[Any], outputs: list[Any], *arguments: Any) -> list[Any]:
    """Results that are the same whatever is left out."""
    wanted = tensordsl.function(inputs, outputs, mode=FAST_RUN.excluding(*NAMES))(*arguments)
    for off in ((), *((name,) for name in NAMES)):
        found = tensordsl.function(inputs, outputs, mode=FAST_RUN.excluding(*off))(*arguments)
        for one, other in zip(found, wanted, strict=True):
            np.testing.assert_array_equal(one, other, err_msg=str(off))
    return list(wanted)


@pytest.mark.parametrize("n", [0, 1, 2, 9])
def test_stacked_states_are_read_where_they_are(n: int) -> None:
    y, _ = tensordsl.scan(lambda a, s: T.tanh(a + s), X, A)
    (loop,) = rounds([X, A], [y])
    assert copies(loop) == 0 and len(loop.carried) == 1
    check([X, A], [y, y.sum(), *T.grad(y.sum(), [X, A])], np.ones((n, 3)), np.ones(3))


@pytest.mark.parametrize("n", [0, 1, 2, 3, 9])
@pytest.mark.parametrize("stacked", [False, True])
def test_deep_taps_move_by_their_addresses(n: int, stacked: bool) -> None:
    start = T.dmatrix("start")
    y, _ = tensordsl.scan(
        lambda a, p3, p1: a + 0.5 * p3 - p1, X, [{"initial": start, "taps": [-3, -1]}], n_steps=X.shape[0]
    )
    outputs = [y] if stacked else [T.concatenate([start, y])[-1]]
    for loop in rounds([X, start], outputs):
        assert copies(loop) == 0
    x, s = np.arange(3.0 * n).reshape(n, 3), np.arange(9.0).reshape(3, 3)
    values = list(s)
    for row in x:
        values.append(row + 0.5 * values[-3] - values[-1])
    (found,) = check([X, start], outputs, x, s)
    np.testing.assert_allclose(found, np.array(values[3:]).reshape(n, 3) if stacked else values[-1])


def test_states_that_change_places() -> None:
    """Neither is computed: a round exchanges addresses."""
    (p_, q), _ = tensordsl.scan(lambda a, b: [b, a], outputs_info=[A, B], n_steps=5)
    (loop,) = rounds([A, B], [p_[-1], q[-1]])
    assert copies(loop) == 0
    found = check([A, B], [p_[-1], q[-1], p_], np.zeros(3), np.ones(3))
    np.testing.assert_array_equal(found[0], np.ones(3))


@pytest.mark.parametrize("n", [3, 8, 17, 1000])
def test_states_computed_of_each_other_in_their_places(n: int) -> None:
    (p_, q), _ = tensordsl.scan(lambda a, b: [0.5 * b, 0.2 * a + 1], outputs_info=[A, B], n_steps=5)
    (r, s), _ = tensordsl.scan(lambda a, b: [0.5 * b + a.sum(), 0.2 * a[::-1] + b], outputs_info=[A, B], n_steps=5)
    a, b = np.linspace(0, 1, n), np.linspace(2, 5, n)
    found = check([A, B], [p_[-1], q[-1], r[-1], s[-1]], a, b)
    u, v, w, z = a, b, a, b
    for _ in range(5):
        u, v = 0.5 * v, 0.2 * u + 1
        w, z = 0.5 * z + w.sum(), 0.2 * w[::-1] + z
    for got, want in zip(found, (u, v, w, z), strict=True):
        np.testing.assert_allclose(got, want)


def test_a_row_that_is_set_costs_a_row() -> None:
    rows = T.arange(X.shape[0])
    table, _ = tensordsl.scan(lambda t, s: T.set_subtensor(s[t], X[t] + s[t - 1]), rows, T.zeros_like(X))
    steps = []
    for mode in (FAST_RUN, FAST_RUN.excluding("written_over")):
        _, program, _ = make_program("f", [X], [], [table[-1]], [], False, mode=mode, tuning=switches(mode).tuned(None))
        (loop,) = (i for i in walk_program(program.code) if isinstance(i, p.For))
        steps.append(sum(isinstance(i, p.Copy | p.Launch) for i in walk_program(loop.body)))
    assert steps[0] < steps[1]
    x = np.arange(12.0).reshape(4, 3)
    (found,) = check([X], [table[-1]], x)
    np.testing.assert_array_equal(found, np.cumsum(x, axis=0))


def test_what_reads_the_old_value_comes_first() -> None:
    """Other results of the round are of the state before, through views and loops and branches, too."""

    def step(t: Any, s: Any) -> Any:
        inner, _ = tensordsl.scan(lambda r, u: u + r, s.T[:2], T.zeros_like(s[:, 0]))
        chosen = ifelse(T.gt(t, 1), s[0].sum(), s[1].sum())
        return [T.set_subtensor(s[t], s[t] * 2 + 1), inner[-1], chosen, s[::-1][0], s[0]]

    results, _ = tensordsl.scan(step, T.arange(X.shape[0]), [X, None, None, None, None])
    x = np.arange(12.0).reshape(4, 3)
    found = check([X], [results[0][-1], *results[1:]], x)
    s = x.copy()
    for t in range(4):
        np.testing.assert_array_equal(found[1][t], s[:, 0] + s[:, 1])
        assert found[2][t] == (s[0].sum() if t > 1 else s[1].sum())
        np.testing.assert_array_equal(found[3][t], s[-1])
        np.testing.assert_array_equal(found[4][t], s[0])
        s[t] = s[t] * 2 + 1
    np.testing.assert_array_equal(found[0], s)


def test_a_value_that_needs_the_new_one_and_the_old_one_gets_both() -> None:
    def step(t: Any, s: Any) -> Any:
        new = T.set_subtensor(s[t], 7.0)
        return [new, (new - s).sum()]

    (table, change), _ = tensordsl.scan(step, T.arange(A.shape[0]), [A, None])
    found = check([A], [table[-1], change], np.arange(4.0))
    np.testing.assert_array_equal(found[1], [7, 6, 5, 4])


def test_histories_of_what_rounds_begin_and_end_with_are_one() -> None:
    w = T.dmatrix("w")
    y, _ = tensordsl.scan(lambda a, s: T.tanh(a + T.dot(s, w)), X, A)
    outputs = [(y**2).sum(), *T.grad((y**2).sum(), [w, A])]
    forward, _ = rounds([X, A, w], outputs)
    assert copies(forward) == 0 and len(forward.carried) == 1
    x = np.arange(12.0).reshape(4, 3) / 12
    check([X, A, w], outputs, x, np.ones(3), np.eye(3))
    check([X, A, w], [y, *outputs], x, np.ones(3), np.eye(3))


def test_the_arguments_of_a_call_are_left_as_they_are() -> None:
    table, _ = tensordsl.scan(lambda s: s * 2, outputs_info=A, n_steps=3)
    f = tensordsl.function([A], table[-1])
    a = np.ones(5)
    np.testing.assert_array_equal(f(a), np.full(5, 8.0))
    np.testing.assert_array_equal(a, np.ones(5))


def test_memory_does_not_grow_with_rounds_of_which_the_last_value_is_asked() -> None:
    n = T.lscalar("n")
    y, _ = tensordsl.scan(lambda s: s * 0.5, outputs_info=A, n_steps=n)
    _, program, _ = make_program("f", [A, n], [], [y[-1]], [], True)
    arenas = [i for i in walk_program(program.code) if isinstance(i, p.Arena)]
    assert not arenas


def test_several_writes_to_one_state_are_in_its_place() -> None:
    def step(t: Any, s: Any) -> Any:
        once = T.set_subtensor(s[t], X[t] + s[t - 1])
        return T.inc_subtensor(once[t - 1], once[t] * 2)

    table, _ = tensordsl.scan(step, T.arange(X.shape[0]), T.zeros_like(X))
    (loop,) = rounds([X], [table[-1]])
    assert not loop.carried
    x = np.arange(12.0).reshape(4, 3)
    (found,) = check([X], [table[-1]], x)
    s = np.zeros((4, 3))
    for t in range(4):
        s[t] = x[t] + s[t - 1]
        s[t - 1] += s[t] * 2
    np.testing.assert_array_equal(found, s)


def test_cotangents_of_taps_are_added_where_they_belong() -> None:
    """No round makes zeros as long as the sequence, nor a copy of what it adds to."""
    y, _ = tensordsl.scan(lambda a, b, s: T.tanh(a * b + s), {"input": X, "taps": [-1, 2]}, A)
    outputs = T.grad((y**2).sum(), [X, A])
    _, backward = rounds([X, A], outputs)
    assert copies(backward) == 0 and not any(isinstance(i, p.Fill) for i in walk_program(backward.body))
    check([X, A], outputs, np.arange(18.0).reshape(6, 3) / 18, np.ones(3))
