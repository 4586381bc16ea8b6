"""Parts of joins and what is set into slices: computed in their place, the same as if they were copied there."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tensordsl
import tensordsl.tensor as T
from tensordsl.codegen.compiler.pipeline import make_program
from tensordsl.codegen.program_ir import instructions as p
from tensordsl.ifelse import ifelse
from tensordsl.ops.control import loop_index, make_loop

X, Y, M, K = T.dvector("x"), T.dvector("y"), T.dmatrix("m"), T.lscalar("k")


def launches(inputs: list[Any], *outputs: Any) -> tuple[int, int]:
    """How many kernels run, and how many blocks of bytes are copied."""
    _, program, _ = make_program("f", inputs, [], list(outputs), [], False)
    made = list(p.walk_program(program.code))
    return sum(isinstance(i, p.Launch) for i in made), sum(isinstance(i, p.Copy) for i in made)


def stencil(x: Any) -> Any:
    return x[:-2] + x[2:] - 2 * x[1:-1]


def test_computed_parts_are_not_copied() -> None:
    assert launches([X, Y], T.concatenate([T.exp(X), T.sin(Y)])) == (2, 0)
    assert launches([X, Y], T.concatenate([X, T.sin(Y)])) == (2, 0)  # a part that is an argument is
    assert launches([X], T.stack([T.exp(X), T.cumsum(X)])) == (1, 0)
    assert launches([M], T.concatenate([T.exp(M), T.sin(M)], axis=1)) == (1, 0)
    assert launches([X], T.set_subtensor(X[1:-1], stencil(X))) == (4, 0)  # what is around it, or all
    assert launches([X], T.inc_subtensor(X[1:-1], stencil(X))) == (4, 0)


@pytest.mark.parametrize("shape", [(5, 7), (70, 80)])
def test_what_is_set_into_new_values_of_shared_variables(shape: tuple[int, int]) -> None:
    old = np.random.default_rng(6).normal(size=shape)
    for where in (np.s_[-3], np.s_[1:-1], np.s_[1:-1, 1:-1], np.s_[:, 2:]):
        for reads in (False, True):
            state = tensordsl.shared(old)
            new = T.exp(state[where]) if reads else 1.5
            f = tensordsl.function([], [state, state * 2], updates=[(state, T.set_subtensor(state[where], new))])
            wanted = old.copy()
            wanted[where] = np.exp(old[where]) if reads else 1.5
            before, twice = f()
            np.testing.assert_array_equal(before, old)
            np.testing.assert_array_equal(twice, old * 2)
            np.testing.assert_allclose(state.get_value(), wanted, rtol=1e-14)


def test_joins_are_joined_in_their_place() -> None:
    halves = [T.concatenate([M * k, T.exp(M) + k], axis=1) for k in (2, 3)]
    _, copied = launches([M], T.concatenate(halves))
    assert copied == 0
    assert launches([M], T.stack([M * 2, M + 1], axis=-1).reshape((M.shape[0], -1))) == (1, 0)
    a = np.random.default_rng(1).normal(size=(5, 7))
    wanted = np.block([[a * k, np.exp(a) + k] for k in (2, 3)])
    np.testing.assert_allclose(tensordsl.function([M], T.concatenate(halves))(a), wanted, rtol=1e-13)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_joins_beside_each_other_in_a_join(axis: int) -> None:
    a, b = np.random.default_rng(2).normal(size=(2, 5, 70))
    x, y = T.dmatrices("x", "y")
    for m, (u, v) in ((T, (x, y)), (np, (a, b))):
        pairs = [m.stack([u, v], axis=axis), m.stack([v, u * 2], axis=axis)]
        results = [m.stack(pairs, axis=k) for k in range(4)]
        if m is T:
            fs = [tensordsl.function([x, y], r) for r in results]
    for f, wanted in zip(fs, results, strict=True):
        np.testing.assert_array_equal(f(a, b), wanted)


def test_joins_that_are_set_into_what_is_computed_later() -> None:
    first, x, y = X * 2, T.cumsum(T.exp(X)), T.cumsum(T.sin(X))
    for base in (x, y, x + y, T.dot(T.outer(X, X), X)):
        joined = T.set_subtensor(base[1:5], T.concatenate([first[:2], (first * base.sum())[:2]]))
        a = np.random.default_rng(3).normal(size=9)
        f, reference = (tensordsl.function([X], joined, mode=mode) for mode in (None, "REFERENCE"))
        np.testing.assert_allclose(f(a), reference(a), rtol=1e-12)


def test_parts_that_others_need_later_are() -> None:
    part = T.exp(X)
    assert launches([X], T.concatenate([part, X * 2]), part)[1] == 1
    assert launches([X], T.concatenate([part, part])) == (1, 1)


CASES: dict[str, tuple[list[Any], Any, Any]] = {
    "vectors": ([X, Y], T.concatenate([T.exp(X), Y, T.sin(Y)]), lambda x, y: np.concatenate([np.exp(x), y, np.sin(y)])),
    "twice": ([X], T.concatenate([T.exp(X), T.exp(X)]), lambda x: np.tile(np.exp(x), 2)),
    "of a join": (
        [X, Y], T.concatenate([T.concatenate([T.exp(X), T.sin(X)]) * 2, T.exp(Y)]),
        lambda x, y: np.concatenate([2 * np.exp(x), 2 * np.sin(x), np.exp(y)]),
    ),
    "columns": ([M], T.concatenate([T.exp(M), M.T.T * 2], axis=1), lambda m: np.concatenate([np.exp(m), m * 2], 1)),
    "stacked": ([X], T.stack([T.exp(X), T.sin(X), T.cumsum(X)], 1), lambda x: np.stack([np.exp(x), np.sin(x), x.cumsum()], 1)),
    "scalars": ([X], T.stack([X.sum(), (X * X).sum()]), lambda x: np.array([x.sum(), (x * x).sum()])),
    "sorted parts": ([X, Y], T.concatenate([T.sort(X), T.sort(Y)[::-1]]), lambda x, y: np.concatenate([np.sort(x), np.sort(y)[::-1]])),
    "set": ([X], T.set_subtensor(X[1:-1], stencil(X)), lambda x: with_middle(x, stencil(x))),
    "added": ([X], T.inc_subtensor(X[1:-1], stencil(X)), lambda x: with_middle(x, x[1:-1] + stencil(x))),
    "set into what is computed": (
        [X], T.set_subtensor(T.exp(X)[1:-1], stencil(X)), lambda x: with_middle(np.exp(x), stencil(x)),
    ),
    "set from what it is set into": (
        [X], (lambda e: T.set_subtensor(e[1:-1], stencil(e)))(T.exp(X)),
        lambda x: with_middle(np.exp(x), stencil(np.exp(x))),
    ),
    "one after the other": (
        [X], T.set_subtensor(T.set_subtensor(X[1:-1], stencil(X))[:1], T.exp(X[-1:])),
        lambda x: np.concatenate([np.exp(x[-1:]), with_middle(x, stencil(x))[1:]]),
    ),
    "every second backwards": ([X], T.set_subtensor(X[::-2], T.exp(X[::2])), lambda x: every_second(x)),
    "a row": ([M, X], T.set_subtensor(M[-1], T.exp(X)), lambda m, x: np.concatenate([m[:-1], np.exp(x)[None]])),
    "a number for all": ([X], T.set_subtensor(X[1:-1], X.sum()), lambda x: with_middle(x, x.sum())),
}  # fmt: skip


def with_middle(x: Any, value: Any) -> Any:
    x = x.copy()
    x[1:-1] = value
    return x


def every_second(x: Any) -> Any:
    y = x.copy()
    y[::-2] = np.exp(x[::2])
    return y


@pytest.mark.parametrize("name", CASES)
def test_results_are_numpys(name: str) -> None:
    inputs, output, oracle = CASES[name]
    f = tensordsl.function(inputs, [output, output * 2], on_unused_input="ignore")
    g = tensordsl.function(inputs, output)
    for n in (3, 4, 17, 64, 1000, 3001):
        rng = np.random.default_rng(n)
        args = [rng.normal(size=(5, n)) if v.ndim == 2 else rng.normal(size=n) for v in inputs]
        before = [a.copy() for a in args]
        want = oracle(*args)
        for got, times in (*zip(f(*args), (1, 2), strict=True), (g(*args), 1)):
            np.testing.assert_allclose(got, times * want, rtol=1e-13, atol=1e-13)
        for a, b in zip(args, before, strict=True):
            np.testing.assert_array_equal(a, b)


MIDDLES: list[tuple[Any, ...]] = [
    (slice(1, -1), slice(1, -1)), (slice(None), slice(2, None)), (slice(None, -3), slice(None)),
    (slice(4, None), slice(None, -1)), (slice(0, -1), slice(1, -1)), (slice(None), slice(None)), (1, slice(None)),
    (slice(None, None, 2), slice(1, -1)), (slice(5, 5), slice(None)), (slice(1, -1), slice(3, 7)),
]  # fmt: skip


@pytest.mark.parametrize("middle", MIDDLES, ids=str)
def test_what_is_around_a_slice(middle: tuple[Any, ...]) -> None:
    """It alone is copied, where the slice has the most of many elements."""
    x = T.TensorType("float64", (None, None, None))("x")
    of_rows, in_all = middle, (*middle[:1], slice(1, -1), *middle[1:])
    for where, tensor, shapes in (
        (of_rows, M, [(6, 7), (50, 60), (9, 3000), (3000, 9), (200, 90)]),
        (in_all, x, [(6, 7, 8), (20, 11, 60), (6, 70, 90), (3, 4, 900)]),
    ):
        for made in (tensor, T.exp(tensor)):
            f = tensordsl.function([tensor], T.set_subtensor(made[where], made[where] * 2 + 1))
            for shape in shapes:
                a = np.random.default_rng(5).normal(size=shape)
                for given in (a, np.asfortranarray(a), np.repeat(a, 2, axis=-1)[..., ::2]):
                    want = given.copy() if made is tensor else np.exp(given)
                    want[where] = want[where] * 2 + 1
                    np.testing.assert_allclose(f(given), want, rtol=1e-13)
                    np.testing.assert_array_equal(given, a)


def test_empty_parts() -> None:
    f = tensordsl.function([X, Y], T.concatenate([T.exp(X), T.sin(Y), T.exp(Y)]))
    for m, n in ((0, 0), (0, 3), (3, 0)):
        x, y = np.ones(m), np.ones(n)
        np.testing.assert_allclose(f(x, y), np.concatenate([np.exp(x), np.sin(y), np.exp(y)]))


def test_lengths_that_are_known_later() -> None:
    f = tensordsl.function([X, Y], T.concatenate([T.exp(X), Y[Y > 0] * 2, T.exp(Y)]))
    x, y = np.ones(2), np.array([1.0, -1, 3])
    np.testing.assert_allclose(f(x, y), np.concatenate([np.exp(x), y[y > 0] * 2, np.exp(y)]))


def test_in_loops_branches_and_updates() -> None:
    (final,) = make_loop(K, loop_index(), [s := T.dvector("s")], [X], [T.concatenate([T.exp(s[:1]), s[:-1] * 2])])
    f = tensordsl.function([K, X], final)
    want = x = np.array([0.5, 1, 2])
    for _ in range(3):
        want = np.concatenate([np.exp(want[:1]), want[:-1] * 2])
    np.testing.assert_allclose(f(3, x), want)
    g = tensordsl.function([K, X, Y], ifelse(K, T.concatenate([T.exp(X), Y + 1]), T.set_subtensor(X[:2], Y[:2] * 2)))
    np.testing.assert_allclose(g(1, x, x), np.concatenate([np.exp(x), x + 1]))
    np.testing.assert_allclose(g(0, x, 3 * x), [3, 6, 2])
    state = tensordsl.shared(x.copy())
    step = tensordsl.function([], state * 1, updates=[(state, T.inc_subtensor(state[1:-1], stencil(state)))])
    np.testing.assert_array_equal(step(), x)
    np.testing.assert_allclose(state.get_value(), with_middle(x, x[1:-1] + stencil(x)))
    turn = tensordsl.function([], [], updates=[(state, T.concatenate([state[1:] * 2, state[:1] + 1]))])
    before = state.get_value()
    turn()
    np.testing.assert_allclose(state.get_value(), np.concatenate([before[1:] * 2, before[:1] + 1]))
