"""What a call leaves out can't fail: branches that are not taken, and bodies of loops without iterations."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tensordsl
import tensordsl.tensor as T
from tensordsl.ifelse import ifelse
from tensordsl.ops.control import loop_index, make_loop

C, N, K = T.iscalar("c"), T.lscalar("n"), T.lscalar("k")
X, Y, M = T.dvector("x"), T.dvector("y"), T.dmatrix("m")
THREE, TWO = [1.0, 2.0, 3.0], [1.0, 2.0]


def function(*args: Any, **options: Any) -> Any:
    return tensordsl.function(*args, on_unused_input="ignore", **options)


# branch, what fails there, arguments that fail, arguments that do not, the value that they give
BRANCHES: dict[str, tuple[Any, Any, str, dict[Any, Any], dict[Any, Any], Any]] = {
    "lengths": (X + Y, ValueError, "add: Dimension mismatch", {X: THREE, Y: TWO}, {X: TWO, Y: TWO}, [2, 4]),
    "heavy": (T.exp(X) * Y, ValueError, "mul: Dimension mismatch", {X: THREE, Y: TWO}, {X: [0], Y: [4]}, [4]),
    "row": (
        (M - X).sum(axis=0), ValueError, "sub: Dimension mismatch", {M: [TWO], X: THREE}, {M: [TWO, TWO], X: TWO}, [0, 0],
    ),
    "index": (X[K] * Y, IndexError, "out of bounds", {X: THREE, K: 3}, {X: THREE, K: -1, Y: TWO}, [3, 6]),
    "constant_index": (X[5] + Y, IndexError, "index 5 is out of bounds", {X: THREE}, {X: np.arange(6.0), Y: TWO}, [6, 7]),
    "slice_of_sum": ((X + Y)[1:], ValueError, "add: Dimension mismatch", {X: THREE, Y: TWO}, {X: TWO, Y: TWO}, [4]),
    "gather": (
        T.exp(X)[T.cast(Y, "int64")], IndexError, "out of bounds", {X: THREE, Y: [3]}, {X: [0.0, 9], Y: [0.0]}, [1],
    ),
    "reshape": (
        X.reshape((K, 2)).sum(axis=1), ValueError, "cannot reshape array of size 3 into shape", {X: THREE, K: 4},
        {X: [1, 2, 3, 4], K: 2}, [3, 7],
    ),
    "negative_length": (T.zeros((K,)), ValueError, "negative dimensions", {K: -2}, {K: 2}, [0, 0]),
    "dot": (T.dot(M, X), ValueError, "dot: shapes", {M: [TWO], X: THREE}, {M: [TWO], X: TWO}, [5]),
    "join": (
        T.concatenate([M, X.dimshuffle("x", 0)], axis=0).sum(axis=0), ValueError, "concatenate", {M: [TWO], X: THREE}, {M: [TWO], X: TWO}, [2, 4],
    ),
    "write": (
        T.set_subtensor(X[:2], Y), ValueError, "broadcast", {X: THREE, Y: THREE}, {X: THREE, Y: [7.0, 8]}, [7, 8, 3],
    ),
}  # fmt: skip
EMPTY: dict[Any, Any] = {C: 0, K: 0, X: [], Y: [], M: np.zeros((0, 0))}


@pytest.mark.parametrize("name", BRANCHES)
def test_a_branch_fails_only_when_it_is_taken(name: str) -> None:
    value, error, text, bad, good, want = BRANCHES[name]
    f = function(list(EMPTY), ifelse(C, value, T.constant([42.0])))
    bad, good = EMPTY | bad, EMPTY | good
    assert f(*(bad | {C: 0}).values()).tolist() == [42]
    with pytest.raises(error, match=text):
        f(*(bad | {C: 1}).values())
    np.testing.assert_allclose(f(*(good | {C: 1}).values()), want)
    assert f(*(good | {C: 0}).values()).tolist() == [42]


def test_the_failure_reported_is_that_of_the_branch_taken() -> None:
    f = function([C, X], ifelse(C, X[5], X[7]))
    for c, index in ((1, 5), (0, 7)):
        with pytest.raises(IndexError, match=f"index {index} is out of bounds"):
            f(c, TWO)
    assert f(1, np.arange(6.0)) == 5


def test_what_both_branches_or_others_need_fails_always() -> None:
    both = function([C, X, Y], ifelse(C, T.exp(X + Y), T.sqrt(X + Y)))
    beside = function([C, X, Y], [ifelse(C, X + Y, X), X - Y])
    for f in (both, beside):
        for c in (0, 1):
            with pytest.raises(ValueError, match="Dimension mismatch"):
                f(c, THREE, TWO)
    np.testing.assert_allclose(both(0, TWO, TWO), np.sqrt([2, 4]))


def test_what_branches_of_several_conditions_need_is_computed_before_them() -> None:
    f = function([C, K, X, Y], [ifelse(C, X + Y, X), ifelse(K, T.exp(X + Y), Y)])
    with pytest.raises(ValueError, match="Dimension mismatch"):
        f(0, 0, THREE, TWO)
    got = f(1, 1, TWO, TWO)
    np.testing.assert_allclose(got[1], np.exp(got[0]))


def test_branches_inside_of_branches() -> None:
    f = function([C, K, X, Y], ifelse(C, ifelse(K > 0, X + Y, X * 3), X))
    assert f(0, 1, TWO, THREE).tolist() == TWO
    assert f(1, 0, TWO, THREE).tolist() == [3, 6]
    assert f(1, 1, TWO, TWO).tolist() == [2, 4]
    with pytest.raises(ValueError, match="Dimension mismatch"):
        f(1, 1, TWO, THREE)


def test_a_failing_branch_leaves_the_state() -> None:
    state = tensordsl.shared(np.array(THREE), name="state")
    other = tensordsl.shared(np.array(TWO), name="other")
    f = function([C, X], [], updates=[(other, other * 2), (state, ifelse(C, state + X, state * 2))])
    with pytest.raises(ValueError, match="Dimension mismatch"):
        f(1, TWO)
    assert state.get_value().tolist() == THREE and other.get_value().tolist() == TWO
    f(0, TWO)
    f(1, THREE)
    assert state.get_value().tolist() == [3, 6, 9] and other.get_value().tolist() == [4, 8]


def test_gradients_of_branches() -> None:
    z = ifelse(C, T.sum(T.exp(X) * Y), T.sum(X**2))
    f = function([C, X, Y], tensordsl.grad(z, [X, Y]))
    np.testing.assert_allclose(f(1, TWO, [3.0, 4]), [np.exp(TWO) * [3, 4], np.exp(TWO)])
    np.testing.assert_allclose(f(0, TWO, [3.0, 4]), [[2, 4], [0, 0]])


def test_the_body_of_a_loop_fails_only_when_it_runs() -> None:
    i, v = loop_index(), T.dvector("v")
    (final,) = make_loop(N, i, [v], [X], [v + Y])
    f = function([N, X, Y], final)
    for n in (0, -1):
        assert f(n, THREE, TWO).tolist() == THREE
    with pytest.raises(ValueError, match=r"on axis 0; shapes are \(3,\), \(2,\)\nHappened in round 0 of for"):
        f(1, THREE, TWO)
    assert f(2, TWO, [10.0, 20]).tolist() == [21, 42]


def test_a_carried_value_that_changes_its_length() -> None:
    i, v = loop_index(), T.dvector("v")
    (final,) = make_loop(N, i, [v], [X], [T.tanh(T.dot(v, M))])
    f = function([N, X, M], final)
    wide = np.ones((2, 3))
    assert f(0, TWO, wide).tolist() == TWO
    with pytest.raises(ValueError, match="shape"):
        f(1, TWO, wide)
    np.testing.assert_allclose(f(1, TWO, np.eye(2)), np.tanh(TWO))


def test_a_loop_inside_of_a_loop_and_a_branch_inside_of_that() -> None:
    i, j, v, w = loop_index(), loop_index(), T.dvector("v"), T.dvector("w")
    (inner,) = make_loop(K, j, [w], [v], [ifelse(T.eq(i, 1), w + Y, w * 2)])
    (outer,) = make_loop(N, i, [v], [X], [inner])
    f = function([N, K, X, Y], outer)
    assert f(1, 2, TWO, THREE).tolist() == [4, 8]
    assert f(2, 0, TWO, THREE).tolist() == TWO
    assert f(2, 1, TWO, TWO).tolist() == [3, 6]
    with pytest.raises(ValueError):
        f(2, 1, TWO, THREE)


def test_a_loop_of_a_known_number_of_iterations_always_runs() -> None:
    i, v = loop_index(), T.dvector("v")
    f = function([X, Y], make_loop(3, i, [v], [X], [v + Y])[0])
    assert f(TWO, TWO).tolist() == [4, 8]
    with pytest.raises(ValueError):
        f(THREE, TWO)


def test_a_gradient_leaves_out_what_its_branch_leaves_out() -> None:
    inner = T.dot(M, X) * Y
    cost = ifelse(C, T.sum(T.exp(inner)), T.sum(X * 3) + T.sum(M))
    f = function([C, X, Y, M], [cost, *T.grad(cost, [X, M])])
    m, x, y = np.array([[1.0, 2], [3, 4], [0, 1]]), np.array([0.1, -0.2]), np.array([1.0, 0.5, 2])
    value, gx, gm = f(1, x, y, m)
    e = np.exp((m @ x) * y)
    np.testing.assert_allclose(value, e.sum())
    np.testing.assert_allclose(gx, m.T @ (e * y))
    np.testing.assert_allclose(gm, np.outer(e * y, x))
    for other in (np.zeros(5), y):  # lengths that the other branch could not use
        value, gx, gm = f(0, x, other, m)
        np.testing.assert_allclose(value, 3 * x.sum() + m.sum())
        assert gx.tolist() == [3, 3] and gm.tolist() == [[1, 1]] * 3
    with pytest.raises(ValueError, match="mul: "):
        f(1, x, np.zeros(5), m)


def test_choices_that_depend_on_each_other_share_what_they_need() -> None:
    value = T.exp(X) * Y
    first = ifelse(C, value, X)
    second = ifelse(C, value + first.sum(), X - 1)
    third = ifelse(C, T.sqr(value + first.sum()) + second, X * second)
    f = function([C, X, Y], [first, second, third])
    x, y = np.array([0.5, 1.0, -1]), np.array([1.0, 2, 3])
    v = np.exp(x) * y
    for got, want in zip(f(1, x, y), (v, v + v.sum(), (v + v.sum()) ** 2 + v + v.sum()), strict=True):
        np.testing.assert_allclose(got, want)
    for got, want in zip(f(0, x, y[:2]), (x, x - 1, x * (x - 1)), strict=True):
        np.testing.assert_allclose(got, want)


def test_loops_that_only_branches_of_several_choices_need() -> None:
    i, s = loop_index(), T.dvector()
    (final,) = make_loop(3, i, [s], [X], [s * Y])
    cost = ifelse(C, T.sum(final), T.sum(X))
    f = function([C, X, Y], [cost, T.grad(cost, X), ifelse(C, final * 2, X)])
    x, y = np.array([0.5, 1.0, -1]), np.array([1.0, 2, 3])
    for got, want in zip(f(1, x, y), ((x * y**3).sum(), y**3, 2 * x * y**3), strict=True):
        np.testing.assert_allclose(got, want)
    for got, want in zip(f(0, x, y), (x.sum(), np.ones(3), x), strict=True):
        np.testing.assert_allclose(got, want)
