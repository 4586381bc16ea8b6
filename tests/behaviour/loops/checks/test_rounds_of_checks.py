"""Loops that end early, of which only the number of rounds is needed: for a check of a position, or as a length."""

import numpy as np
import pytest

import tensordsl
import tensordsl.tensor as T
from tensordsl.scan_module import until

x, y, z = T.dmatrix("x"), T.dmatrix("y"), T.dmatrix("z")
w = T.dvector("w")
n = T.lscalar("n")
X = np.array([[1.0], [2.0], [3.0], [4.0]])


def test_a_loop_of_which_only_the_last_position_is_checked_reads_another_loop() -> None:
    """The delayed state of the first loop is read by the second one alone, whose own rows nobody needs."""
    (_, delayed), _ = tensordsl.scan(lambda a, s: [s, s], y, [None, dict(initial=x, taps=[-2])])
    last = delayed[-1]
    short, _ = tensordsl.scan(lambda: (last, until(w.sum() > 0)), n_steps=1)
    states, _ = tensordsl.scan(lambda s: last, outputs_info=[dict(initial=z, taps=[-4])], n_steps=5)
    cost = (short[-1] ** 2).sum() + (states[-1] ** 2).sum()
    f = tensordsl.function([x, y, z, w], T.grad(cost, z, disconnected_inputs="ignore"), on_unused_input="ignore")
    np.testing.assert_array_equal(f(X, X[:1], X, np.ones(1)), np.zeros((4, 1)))


def test_the_last_row_of_no_rounds_of_what_another_loop_gave() -> None:
    (states, products), _ = tensordsl.scan(lambda s: [s, T.dot(s, y)], outputs_info=[x, None], n_steps=5)
    last = states[-1].T

    def outer():
        none, _ = tensordsl.scan(lambda: (last, until(last.sum() > 2)), n_steps=n)
        return [w, none[-1]]

    (rows, _), _ = tensordsl.scan(outer, n_steps=1)
    f = tensordsl.function([x, y, w, n], [rows[:2], products])
    with pytest.raises(IndexError, match="size 0"):
        f(X[:1], X[:1], np.ones(1), 0)


def test_the_length_of_a_loop_in_a_loop_that_hands_its_state_on() -> None:
    """The inner loop reads the state only for rows that nobody needs."""

    def outer(_, s):
        (found, _), _ = tensordsl.scan(lambda a: ([w[0], a], until(w.sum() > 3)), sequences=[s])
        return [s, found.shape[0]]

    (_, lengths), _ = tensordsl.scan(outer, sequences=[x], outputs_info=[w, None])
    f = tensordsl.function([x, w], lengths)
    np.testing.assert_array_equal(f(X, np.ones(3)), [3] * 4)
    np.testing.assert_array_equal(f(X, np.ones(5)), [1] * 4)


def test_a_position_in_no_rounds_of_what_reads_a_state_that_nobody_needs() -> None:
    def outer(_, delayed):
        def inner(s):
            shifted = y * 0.5 + delayed
            (none, _), _ = tensordsl.scan(lambda a: ([a, shifted], until(w.sum() > 2)), [], [w, None], n_steps=n)
            return [s, none[-1]]

        (states, _), _ = tensordsl.scan(inner, outputs_info=[x, None], n_steps=1)
        return [states[-1], w]

    (states, _), _ = tensordsl.scan(outer, outputs_info=[None, dict(initial=z, taps=[-3, -1])], n_steps=1)
    f = tensordsl.function([x, y, z, w, n], states)
    with pytest.raises(IndexError, match="size 0"):
        f(X, X, X, np.ones(1), 0)


def test_a_number_of_rounds_in_a_loop_whose_body_a_pass_has_rewritten() -> None:
    """A pass replaces what the innermost loop reads by something that no more varies with the loop around it."""

    def outer(_, delayed):
        def middle(s):
            (rows, _), _ = tensordsl.scan(lambda a: [a, s], outputs_info=[w, None], n_steps=5)
            _, (_, copies) = tensordsl.loop(lambda _, __: ((), (T.dot(rows[0], w), w)), (), None, length=5)
            shifted = copies * 0.5 + delayed
            (none, _), _ = tensordsl.scan(lambda a: ([a, shifted], until(w.sum() > 2)), [], [w, None], n_steps=n)
            return [s, none[-1]]

        (states, _), _ = tensordsl.scan(middle, outputs_info=[x, None], n_steps=1)
        return [states[-1], w]

    (states, _), _ = tensordsl.scan(outer, outputs_info=[None, dict(initial=z, taps=[-3, -1])], n_steps=1)
    f = tensordsl.function([x, w, z, n], states)
    with pytest.raises(IndexError, match="size 0"):
        f(X, np.ones(1), X, 0)


def test_a_number_of_rounds_whose_loop_is_rebuilt_for_branches() -> None:
    """Both loops may have no round, so that their results are branches.  The call fails; the
    function is compiled again to name the step at fault, and this compile did not end."""

    def first(_, b, before, s):
        return [b, T.nnet.sigmoid(s), s * 0.5 + before]

    (_, rows, _), _ = tensordsl.scan(first, sequences=[x, y], outputs_info=[w, None, w])

    def second(_, s):
        return s + 0.25, until(s.sum() > 0)

    states, _ = tensordsl.scan(second, sequences=[z], outputs_info=[rows.sum(axis=0)], n_steps=3)
    cost = (T.cos(states[1]) * states[1]).sum()
    f = tensordsl.function([x, y, z, w], T.grad(cost, y, disconnected_inputs="ignore"), on_unused_input="ignore")
    with pytest.raises(IndexError, match="index 1 is out of bounds for axis 0 with size 1"):
        f(X, X, X, np.ones(1))


@pytest.mark.parametrize("mode", ["FAST_RUN", "REFERENCE"])
def test_a_gradient_where_inner_loops_end_in_different_rounds(mode: str) -> None:
    """The inner loop ends by the outer state's elements: each backward round needs the state of its own round."""
    s, t = T.dvector("s"), T.dvector("t")

    def outer(state):
        rows, _ = tensordsl.scan(lambda: (t, until(state.sum() > 0.9)), n_steps=2)
        return [rows[-1], rows[-1]]

    (rows, _), _ = tensordsl.scan(outer, outputs_info=[None, s], n_steps=2)
    for row in (0, 1):
        f = tensordsl.function([s, t], T.grad((rows[row] ** 2).sum(), t), mode=mode, on_unused_input="ignore")
        for start in (0.0, 1.0):
            for value in (0.5, 1.0):
                np.testing.assert_array_equal(f(np.array([start]), np.array([value])), [2 * value])
