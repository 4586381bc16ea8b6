"""Additions at positions that a group does itself: bit by bit what one after the other gives, and checked all the same."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tensordsl
import tensordsl.tensor as T
from tensordsl.codegen.abi.layouts import USUAL_LENGTHS
from tensordsl.codegen.compiler.pipeline import make_program
from tensordsl.codegen.program_ir import instructions as p
from tensordsl.gradient import grad

X, W, V, S = T.dvector("x"), T.dvector("w"), T.dvector("v"), T.dscalar("s")
I, J = T.lvector("i"), T.lvector("j")
LENGTHS = (1, 2, 7, 8, 9, 64, 127, 128, 129, 255, 256, 257, 1000, 5000)


def steps(inputs: list[Any], *outputs: Any) -> tuple[int, int]:
    """How many launches of groups with axes there are, and how many additions by themselves."""
    _, program, _ = make_program("f", inputs, [], list(outputs), [], False, small=(USUAL_LENGTHS,))
    made = list(p.walk_program(program.code))
    return sum(isinstance(i, p.Launch) and bool(i.extents) for i in made), sum(isinstance(i, p.Scatter) for i in made)


def added(x: Any, i: Any, w: Any) -> Any:
    result = x.copy()
    with np.errstate(invalid="ignore"):
        np.add.at(result, i, w)
    return result


def indices(rng: Any, count: int, length: int) -> Any:
    return rng.integers(-length, length, count)


def polynomial(w: Any, v: Any) -> Any:
    """More operations than a kernel has."""
    total = v
    for k in range(32):
        total = total * w + k * v
    return total


def test_which_are_parts_of_groups() -> None:
    zeros = T.zeros_like(X)
    assert steps([X, I, W], T.inc_subtensor(zeros[I], W)) == (1, 0)
    assert steps([X, I, W], T.inc_subtensor(X[I], W * 2)) == (2, 0)  # a copy of x, which may be no vector in memory
    assert steps([X, I, W, V], T.inc_subtensor(zeros[I], W), T.inc_subtensor(zeros[I], W * V), (W * V).sum()) == (1, 0)
    assert steps([X, I, W], T.inc_subtensor((X * X)[I], W), (X * X).sum() + W.sum()) == (3, 0)
    assert steps([X, I, W], T.inc_subtensor(zeros[I], T.exp(W))) == (2, 1)  # worth several threads
    assert steps([X, I, W], T.set_subtensor(X[I], W)) == (2, 1)
    assert steps([X, I, W, V], T.inc_subtensor(zeros[I], polynomial(W, V))) == (1, 0)
    assert steps([X, I, J, W], T.inc_subtensor(T.inc_subtensor(zeros[I], W)[J], 2 * W)) == (2, 0)


@pytest.mark.parametrize("dtype", ["float64", "float32", "int64", "int32", "int16", "uint8"])
@pytest.mark.parametrize("index", ["int64", "int32", "uint32"])
def test_each_dtype(dtype: str, index: str) -> None:
    x, i, w = T.vector("x", dtype=dtype), T.vector("i", dtype=index), T.vector("w", dtype=dtype)
    f = tensordsl.function(
        [x, i, w], [T.inc_subtensor(x[i], w), T.inc_subtensor(T.zeros_like(x)[i], w * w + w), w.sum()]
    )
    rng = np.random.default_rng(1)
    for count in LENGTHS:
        for length in (1, 3, 85, 4000):
            values, terms = ((rng.normal(size=n) * 40).astype(dtype) for n in (length, count))
            at = indices(rng, count, length) if index[0] == "i" else rng.integers(0, length, count)
            at = at.astype(index)
            first, second, _ = f(values, at, terms)
            np.testing.assert_array_equal(first, added(values, at, terms))
            np.testing.assert_array_equal(second, added(np.zeros_like(values), at, terms * terms + terms))


@pytest.mark.parametrize("threads", [1, 2])
def test_a_regression_with_groups(threads: int) -> None:
    rest = (W - X[I] - S * V) * T.exp(-S)
    density = -0.5 * (rest**2).sum() - S * V.shape[0] - 0.5 * (X**2).sum()
    assert steps([X, S, I, V, W], density, *grad(density, [X, S]))[1] == 0
    f = tensordsl.function([X, S, I, V, W], [density, *grad(density, [X, S])])
    slow = tensordsl.function([X, S, I, V, W], [density, *grad(density, [X, S])], mode="REFERENCE")
    rng = np.random.default_rng(2)
    with tensordsl.config.change_flags(num_threads=threads):
        for count in (*LENGTHS, 300_000):
            data = rng.normal(size=85), 0.25, indices(rng, count, 85), rng.normal(size=count), rng.normal(size=count)
            for result, wanted in zip(f(*data), slow(*data), strict=True):
                np.testing.assert_allclose(result, wanted, rtol=1e-9, atol=1e-9)


def test_signs_of_zero_and_what_is_not_finite() -> None:
    f = tensordsl.function([X, I, W], [T.inc_subtensor(X[I], W), T.inc_subtensor(T.zeros_like(X)[I], -W)])
    values = np.array([-0.0, 0.0, -0.0, 1.0, np.nan, np.inf, -0.0])
    for count in LENGTHS:
        at = np.resize([0, 1, 3, 4, 5], count)  # at 2 and 6 nothing is added: -0 stays
        w = np.resize([-0.0, 0.0, np.inf, -np.inf, np.nan, 1e-310], count)
        for result, wanted in zip(f(values, at, w), (added(values, at, w), added(np.zeros(7), at, -w)), strict=True):
            assert result.tobytes() == wanted.tobytes()


def test_operands_that_are_views() -> None:
    f = tensordsl.function([X, I, W, V], [T.inc_subtensor(X[I], W * V), (W * V).sum()])
    rng = np.random.default_rng(3)
    x, i, w, v = (
        rng.normal(size=40)[::-2],
        indices(rng, 999, 20)[::3],
        rng.normal(size=666)[::2],
        rng.normal(size=333)[::-1],
    )
    before = [a.copy() for a in (x, i, w, v)]
    np.testing.assert_array_equal(f(x, i, w, v)[0], added(x, i, w * v))
    for a, b in zip((x, i, w, v), before, strict=True):
        np.testing.assert_array_equal(a, b)
    same = np.arange(5.0)
    at = np.arange(5)[::-1]
    np.testing.assert_array_equal(f(same, at, same, same)[0], added(same, at, same * same))


def test_one_term_at_all_positions() -> None:
    f = tensordsl.function(
        [X, I, S], [T.inc_subtensor(X[I], S), T.inc_subtensor(X[I], 2), T.inc_subtensor(X[I[:1]], 3)]
    )
    rng = np.random.default_rng(4)
    for count in LENGTHS:
        x, i = rng.normal(size=9), indices(rng, count, 9)
        for result, wanted in zip(f(x, i, 0.1), [added(x, i, 0.1), added(x, i, 2), added(x, i[:1], 3)], strict=True):
            np.testing.assert_array_equal(result, wanted)


def test_terms_and_positions_that_others_read() -> None:
    terms, z = W * V, T.zeros_like(X)
    outputs = [T.inc_subtensor(z[I], terms), terms, T.inc_subtensor(z[I], V), X[I] * terms, T.set_subtensor(X[I], 1)]
    f = tensordsl.function([X, I, W, V], outputs)
    rng = np.random.default_rng(5)
    for count in LENGTHS:
        x, i, w, v = rng.normal(size=30), indices(rng, count, 30), rng.normal(size=count), rng.normal(size=count)
        ones = x.copy()
        ones[i] = 1
        wanted = added(np.zeros(30), i, w * v), w * v, added(np.zeros(30), i, v), x[i] * (w * v), ones
        for result, expected in zip(f(x, i, w, v), wanted, strict=True):
            np.testing.assert_array_equal(result, expected)


def test_beside_all_kinds_of_reductions() -> None:
    """Some go on with a row's last whole vector, others count in lanes, and a long term is of several kernels."""
    long = polynomial(W, V)
    z, f = T.zeros_like(X), []
    for more in (
        [(W > 0).sum()],
        [W.argmax(), V.min()],
        [T.any(W > 2)],
        [W.prod()],
        [(W - W.mean()).std()],
        [T.dot(W, V)],
    ):
        f.append(tensordsl.function([X, I, W, V], [T.inc_subtensor(z[I], W), T.inc_subtensor(z[I], long), *more]))
    rng = np.random.default_rng(7)
    for count in LENGTHS:
        x, i, w, v = np.zeros(30), indices(rng, count, 30), rng.uniform(-1, 1, count), rng.normal(size=count)
        total = polynomial(w, v)
        others = np.sum(w > 0), np.argmax(w), np.any(w > 2), np.prod(w), np.std(w - w.mean()), w @ v
        for function, other in zip(f, others, strict=True):
            first, second, result, *_ = function(x, i, w, v)
            np.testing.assert_array_equal(first, added(x, i, w))
            np.testing.assert_allclose(second, added(x, i, total), rtol=1e-9, atol=1e-9)
            np.testing.assert_allclose(result, other, rtol=1e-9, atol=1e-12)


def test_new_values_of_shared_variables_are_written_when_all_is_checked() -> None:
    rng = np.random.default_rng(6)
    table, i, w = rng.normal(size=50), indices(rng, 300, 50), rng.normal(size=300)
    state = tensordsl.shared(table)
    f = tensordsl.function([I, W], (W * W).sum(), updates=[(state, T.inc_subtensor(state[I], W * W))])
    g = tensordsl.function([I, W], T.inc_subtensor(T.zeros_like(state)[I], W), updates=[(state, state + W.sum())])
    f(i, w)
    np.testing.assert_array_equal(state.get_value(), added(table, i, w * w))
    before = state.get_value()
    for wrong in (50, -51, 2**62, -(2**63)):
        bad = i.copy()
        bad[17] = wrong
        for function in (f, g):
            with pytest.raises(IndexError, match="out of bounds"):
                function(bad, w)
        np.testing.assert_array_equal(state.get_value(), before)
    np.testing.assert_array_equal(g(i, w), added(np.zeros(50), i, w))


def test_nothing_is_added_to_nothing() -> None:
    f = tensordsl.function([X, I, W], T.inc_subtensor(X[I], W * 2))
    none, no_index = np.zeros(0), np.zeros(0, int)
    assert f(none, no_index, none).shape == (0,)
    assert T.bincount(no_index).eval().shape == (0,)
    assert tensordsl.function([X, I], T.inc_subtensor(X[I], 1))(none, no_index).shape == (0,)
    np.testing.assert_array_equal(f(np.ones(3), no_index, none), np.ones(3))
    with pytest.raises(IndexError):
        f(none, np.zeros(1, int), np.zeros(1))
    with pytest.raises(IndexError):
        f(none, np.zeros(100, int), np.zeros(100))


@cache
def scattered(is_weighted: bool) -> Any:
    term, *more = (W * V - W, V.sum()) if is_weighted else (W,)
    return tensordsl.function([X, I, W, V], [T.inc_subtensor((X * 3)[I], term), *more], on_unused_input="ignore")


@given(st.integers(0, 700), st.integers(1, 90), st.integers(0, 2**32 - 1), st.booleans())
def test_any_lengths(count: int, length: int, seed: int, is_weighted: bool) -> None:
    rng = np.random.default_rng(seed)
    i, w, v = indices(rng, count, length), rng.normal(size=count), rng.normal(size=count)
    x = rng.normal(size=length)
    f = scattered(is_weighted)
    terms = w * v - w if is_weighted else w
    np.testing.assert_array_equal(f(x, i, w, v)[0], added(x * 3, i, terms))


def test_elements_of_matrices_and_higher() -> None:
    m, c = T.dmatrix("m"), T.dtensor3("c")
    f = tensordsl.function(
        [m, c, I, J, W],
        [T.inc_subtensor(m[I, J], W), T.inc_subtensor(T.zeros_like(c)[J, 1, I], W * 2), T.inc_subtensor(m.T[J, I], W)],
    )
    assert steps([m, I, J, W], T.inc_subtensor(m[I, J], W)) == (2, 0)
    rng = np.random.default_rng(8)
    for count in LENGTHS:
        x, y = rng.normal(size=(7, 11))[:, ::-1], np.zeros((11, 2, 7))
        i, j, w = indices(rng, count, 7), indices(rng, count, 11), rng.normal(size=count)
        first, second, third = f(x, y, i, j, w)
        np.testing.assert_array_equal(first, added(x, (i, j), w))
        np.testing.assert_array_equal(second, added(y, (j, np.ones_like(j), i), w * 2))
        np.testing.assert_array_equal(third, added(x, (i, j), w).T)
        for bad in ((np.append(i[1:], 7), j), (i, np.append(j[1:], -12))):
            with pytest.raises(IndexError, match="out of bounds"):
                f(x, y, *bad, w)
    none = np.zeros(0, int)
    f(np.zeros((0, 3)), np.zeros((3, 2, 0)), none, none, np.zeros(0))
    with pytest.raises(IndexError):
        f(np.zeros((0, 3)), np.zeros((3, 2, 0)), np.zeros(9, int), np.zeros(9, int), np.zeros(9))


def program(seed: int, mode: str | None) -> Any:
    """A random program of tables, of which points read and to which they add."""
    rng = np.random.default_rng(seed)
    tables, points, numbers = [X, T.zeros_like(X), X * 2], [W, V, W * V], [S]

    def pick(pool: list[Any]) -> Any:
        return pool[rng.integers(len(pool))]

    for _ in range(int(rng.integers(3, 12))):
        i, kind = pick([I, J, I + J, -J]), rng.integers(7)
        if kind < 2:
            tables.append(T.inc_subtensor(pick(tables)[i], pick(points) if rng.integers(4) else pick(numbers)))
        elif kind == 2:
            points.append(pick(tables)[i] * pick(points))
        elif kind == 3:
            points.append(pick([T.add, T.sub, T.maximum])(pick(points), pick([*points, *numbers])))
        elif kind == 4:
            numbers.append(pick([T.sum, T.max, T.mean])(pick([*points, *tables])))
        elif kind == 5:
            tables.append(pick(tables) * pick([*tables, *numbers]))
        else:
            points.append(T.tanh(pick(points)))
    state = tensordsl.shared(np.linspace(-1, 1, 12))
    updates = [(state, T.inc_subtensor(state[I], pick(points)))] if rng.integers(2) else []
    outputs = [tables[-1], points[-1], numbers[-1], pick(tables), state * 2]
    f = tensordsl.function([X, I, J, W, V, S], outputs, updates=updates, mode=mode, on_unused_input="ignore")
    return lambda *args: (*f(*args), state.get_value())


@pytest.mark.parametrize("seed", range(30))
def test_random_programs(seed: int) -> None:
    ours, oracle, rng = program(seed, None), program(seed, "REFERENCE"), np.random.default_rng(seed)
    for count in (1, 5, 8, 100, 600):
        i, j = (rng.integers(-5, 6, count) for _ in "ij")  # the sum of both is in range as well
        data = rng.normal(size=12), i, j, rng.normal(size=count), rng.normal(size=count), 0.5
        for result, wanted in zip(ours(*data), oracle(*data), strict=True):
            np.testing.assert_allclose(result, wanted, rtol=1e-7, atol=1e-7)
    bad = np.where(np.arange(600) == 399, 99, i)
    try:
        oracle(data[0], bad, *data[2:])
    except IndexError:
        with pytest.raises(IndexError):
            ours(data[0], bad, *data[2:])
        for result, wanted in zip(ours(*data), oracle(*data), strict=True):  # nothing was added to the state
            np.testing.assert_allclose(result, wanted, rtol=1e-7, atol=1e-7)
