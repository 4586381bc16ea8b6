"""Loops without rounds: what only a round needs is not computed, so it cannot fail."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tensordsl
import tensordsl.tensor as T
from tensordsl import scan
from tensordsl.compile import FAST_RUN
from tensordsl.ifelse import ifelse
from tensordsl.scan_module import until
from tensordsl.tensor.opt import Assert

s, h, n, m = T.dvector("s"), T.dvector("h"), T.lscalar("n"), T.lscalar("m")
HERE = re.escape(__file__)
MODES = ["FAST_RUN", "FAST_COMPILE", "REFERENCE", FAST_RUN.excluding("eager_invariants"), "DebugMode"]

# What a step makes of a vector x that no round changes; for what x it fails, with which error.
STEPS: dict[str, tuple[Callable[[Any, Any], Any], Any, type[Exception], str]] = {
    "the last element is written": (lambda h, x: T.set_subtensor(h[:1], x[-1]), [], IndexError, "out of bounds"),
    "the last element": (lambda h, x: h + x[-1], [], IndexError, "out of bounds"),
    "an element that data choose": (
        lambda h, x: h + x[T.cast(x.sum() * 0 + 3, "int64")], [1], IndexError, "index 3 is out of bounds"),
    "elements by a vector": (lambda h, x: h + x[T.arange(4)].sum(), [1], IndexError, "out of bounds"),
    "the largest": (lambda h, x: h + x.max(), [], ValueError, "no identity|no elements"),
    "the place of the largest": (lambda h, x: h + T.argmax(x), [], ValueError, "empty sequence"),
    "another shape": (lambda h, x: h + x.reshape((2, 3)).sum(), [1], ValueError, "cannot reshape"),
    "lengths that do not fit": (lambda h, x: h + (x[:-1] + x).sum(), [1], ValueError, "Dimension mismatch"),
    "an assertion": (lambda h, x: h + Assert("too small")(x, x.sum() > 5).sum(), [1], AssertionError, "too small"),
    "a factor": (
        lambda h, x: h + T.linalg.cholesky(T.outer(x, x) - 1).sum(), [1], np.linalg.LinAlgError, "positive definite"),
    "an inverse": (lambda h, x: h + T.linalg.inv(T.outer(x, x)).sum(), [1, 1], np.linalg.LinAlgError, "singular"),
}  # fmt: skip
H = np.array([1.0, 2.0])


@pytest.mark.parametrize("mode", MODES, ids=str)
@pytest.mark.parametrize("step, values, error, message", STEPS.values(), ids=STEPS)
def test_only_a_round_fails(
    step: Callable[[Any, Any], Any], values: Any, error: type[Exception], message: str, mode: Any
) -> None:
    state = tensordsl.shared(0)
    states, _ = scan(step, outputs_info=h, non_sequences=s, n_steps=n)
    f = tensordsl.function([h, s, n], [states, states.sum()], updates=[(state, state + 1)], mode=mode)
    bad = np.array(values, "float64")
    for count in (1, 2):
        rows, total = f(H, bad, 0)
        assert rows.shape[0] == total == 0
        assert state.get_value() == count
        with pytest.raises(error, match=f"(?s){message}.*{HERE}"):
            f(H, bad, 2)
        assert state.get_value() == count


@pytest.mark.parametrize("mode", MODES, ids=str)
@pytest.mark.parametrize("step, values, error, message", STEPS.values(), ids=STEPS)
def test_none_is_known(
    step: Callable[[Any, Any], Any], values: Any, error: type[Exception], message: str, mode: Any
) -> None:
    states, _ = scan(step, outputs_info=h, non_sequences=s, n_steps=0)
    f = tensordsl.function([h, s], states, mode=mode)
    assert f(H, np.array(values, "float64")).shape[0] == 0


@pytest.mark.parametrize("mode", MODES, ids=str)
def test_gradients_without_rounds(mode: Any) -> None:
    states, _ = scan(lambda h, x: h * x[-1], outputs_info=h, non_sequences=s, n_steps=n)
    f = tensordsl.function([h, s, n], T.grad((states**2).sum(), h), mode=mode)
    np.testing.assert_array_equal(f(H, np.zeros(0), 0), [0, 0])
    np.testing.assert_allclose(f(H, np.array([1.0, 3]), 1), [18, 36])


@pytest.mark.parametrize("mode", MODES, ids=str)
def test_what_others_need_fails_all_the_same(mode: Any) -> None:
    last = s[-1]
    states, _ = scan(lambda h, e: h + e, outputs_info=h, non_sequences=last, n_steps=n)
    f = tensordsl.function([h, s, n], [states, last], mode=mode)
    with pytest.raises(IndexError, match="out of bounds"):
        f(H, np.zeros(0), 0)


def scaled(state: Any) -> Any:
    """What fails where s has no element."""
    return state * s[-1]


def counted(rounds: Any) -> Callable[[Any], Any]:
    zero = T.constant(0, dtype="int64")
    return lambda start: tensordsl.while_loop(
        lambda c: c[1] < rounds, lambda c: (scaled(c[0]), c[1] + 1), (start, zero)
    )[0]


LOOPS: dict[str, Callable[[Any], Callable[[Any], Any]]] = {  # of a number of rounds and a start: the last state
    "scan": lambda k: lambda start: tensordsl.loop(lambda c, _: (scaled(c), ()), start, None, k)[0],
    "scan with until": lambda k: (
        lambda start: start + scan(lambda c: (scaled(c), until(c.sum() > 99)), None, start, n_steps=k)[0].sum(axis=0)),
    "while_loop": counted,
    "a branch": lambda k: lambda start: ifelse(k > 0, scaled(start), start),
}  # fmt: skip


def outer(inner: Callable[[Any], Any]) -> Any:
    """The state behind n rounds of `inner`."""
    return tensordsl.loop(lambda c, _: (inner(c), ()), h, None, n)[0]


@pytest.mark.parametrize("mode", MODES, ids=str)
@pytest.mark.parametrize("make", LOOPS.values(), ids=LOOPS)
def test_only_a_round_of_an_inner_loop_fails(make: Callable[[Any], Callable[[Any], Any]], mode: Any) -> None:
    f = tensordsl.function([h, s, n, m], outer(make(m)), mode=mode)
    empty = np.zeros(0)
    for rounds, inner_rounds in ((0, 0), (0, 2), (2, 0)):
        np.testing.assert_array_equal(f(H, empty, rounds, inner_rounds), H)
    with pytest.raises(IndexError, match="out of bounds"):
        f(H, empty, 2, 2)
    np.testing.assert_array_equal(f(H, np.ones(1), 1, 0), H)


@pytest.mark.parametrize("mode", MODES, ids=str)
@pytest.mark.parametrize("make", [LOOPS[k] for k in ("scan", "scan with until", "while_loop")])
def test_only_a_round_fails_of_loops_of_all_kinds(make: Callable[[Any], Callable[[Any], Any]], mode: Any) -> None:
    f = tensordsl.function([h, s, n], make(n)(h), mode=mode)
    np.testing.assert_array_equal(f(H, np.zeros(0), 0), H)
    with pytest.raises(IndexError, match="out of bounds"):
        f(H, np.zeros(0), 1)


@pytest.mark.parametrize("mode", MODES, ids=str)
def test_a_position_in_an_inner_loop_that_never_has_a_round(mode: Any) -> None:
    """The position cannot be read, but no round of the outer loop does."""

    def step(x: Any) -> Any:
        rows, _ = tensordsl.scan(lambda: (s, until(s.sum() > 0)), n_steps=0)
        copies, _ = scan(lambda e: x, h)
        return [rows[2:5][-1], copies, s]

    (_, _, kept), _ = scan(step, h[:0])
    f = tensordsl.function([h, s], kept, mode=mode)
    assert f(H, H).shape[0] == 0
    g = tensordsl.function([h, s], scan(step, h)[0][2], mode=mode)
    np.testing.assert_array_equal(g(H[:0], H), np.zeros((0, 2)))


@pytest.mark.parametrize("mode", MODES, ids=str)
def test_gradients_without_rounds_of_a_loop_that_ends_early(mode: Any) -> None:
    """The loop backwards has the rounds that were, so that both are branches of one condition."""
    states, _ = scan(lambda c: (scaled(c), until(c.sum() > 99)), outputs_info=h, n_steps=n)
    f = tensordsl.function([h, s, n], T.grad((states**2).sum(), h), mode=mode)
    np.testing.assert_array_equal(f(H, np.zeros(0), 0), [0, 0])
    np.testing.assert_allclose(f(H, np.array([1.0, 3]), 1), [18, 36])


@pytest.mark.parametrize("mode", MODES, ids=str)
def test_a_position_in_an_inner_loop_whose_rows_no_round_changes(mode: Any) -> None:
    """The inner loop's rows are all s, so that a pass makes its element of s before the outer loop."""

    def step(state: Any) -> Any:
        rows, _ = scan(lambda _: s, state)
        return [rows[2], h], until(s.sum() > 9)

    (elements, kept), _ = scan(step, outputs_info=[None, h], n_steps=n)
    f = tensordsl.function([h, s, n], [elements, kept], mode=mode)
    elements, kept = f(H, H, 0)
    assert len(elements) == len(kept) == 0
    with pytest.raises(IndexError, match="out of bounds"):
        f(H, H, 1)


@pytest.mark.parametrize("mode", MODES, ids=str)
def test_numbers_of_rounds_of_numbers_of_rounds(mode: Any) -> None:
    """Each loop ends early, and the next one has as many rounds: which region a length belongs to follows from others."""
    x = T.dmatrix("x")

    def over(rows: Any, start: Any, step: Any = lambda row, state: state * 0.5 + row) -> Any:
        return scan(lambda row, state: (step(row, state), until(state.sum() > 9)), rows, start)[0]

    def nested(depth: int, row: Any, start: Any) -> Any:
        if not depth:
            return over(over(over(x, start), row), start)[-1]
        return over(over(x, row), start, lambda row, state: nested(depth - 1, row, state))[-1]

    f = tensordsl.function([x, h], nested(2, h, h), mode=mode)
    np.testing.assert_allclose(f(np.ones((2, 1)), np.ones(1)), [13.21875])


@pytest.mark.parametrize("mode", MODES, ids=str)
def test_rounds_of_a_loop_that_no_outer_round_needs(mode: Any) -> None:
    """The loop over s is computed before the outer one, as no round changes it; an inner position fails in its rounds."""

    def over_s() -> Any:
        return scan(lambda _, state: scan(lambda c: c * 2, outputs_info=state, n_steps=m)[0][-1], s, h)[0][-1]

    rows, _ = scan(over_s, n_steps=n)
    f = tensordsl.function([h, s, n, m], rows, mode=mode)
    assert f(H, H, 0, 0).shape[0] == 0
    np.testing.assert_array_equal(f(H, np.ones(1), 2, 1), [2 * H, 2 * H])
    with pytest.raises(IndexError, match="out of bounds"):
        f(H, H, 1, 0)


@pytest.mark.parametrize("mode", MODES, ids=str)
def test_a_known_number_of_rounds_in_a_loop_that_is_known_to_have_none(mode: Any) -> None:
    """A pass writes out the rounds that are known, of which the position fails, before the outer loop."""
    x, y = T.dmatrix("x"), T.dscalar("y")

    def last_but_one(state: Any) -> Any:
        return [scan(lambda _: y, state)[0][:-1][-1], h]

    def step(row: Any) -> Any:
        (kept, _), _ = scan(last_but_one, outputs_info=[None, s], n_steps=1)
        return [kept, row]

    (_, rows), _ = scan(step, x, n_steps=0)
    f = tensordsl.function([h, s, x, y], rows, mode=mode, on_unused_input="ignore")
    assert f(H[:1], H[:1], np.ones((1, 1)), 3).shape[0] == 0


@pytest.mark.parametrize("mode", MODES, ids=str)
def test_an_inner_loop_of_which_no_outer_round_changes_more_than_the_number_of_rounds(mode: Any) -> None:
    """All rows of a matrix are of one length, so the compiler sees that the inner loop is the same in all rounds."""
    x = T.dmatrix("x")

    def over(row: Any) -> Any:
        return scan(lambda _, state: scan(lambda c: c * 2, outputs_info=state, n_steps=m)[0][-1], row, h)[0][-1]

    rows, _ = scan(over, x)
    f = tensordsl.function([h, x, m], rows, mode=mode)
    assert f(H, np.zeros((0, 1)), 0).shape[0] == 0
    np.testing.assert_array_equal(f(H, np.ones((2, 1)), 1), [2 * H, 2 * H])
    with pytest.raises(IndexError, match="out of bounds"):
        f(H, np.ones((1, 1)), 0)
