"""Explicit generators, T.random, raw_random and MRG's streams."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest
from scipy import stats

import tensordsl
import tensordsl.tensor as T
from tensordsl.sandbox.rng_mrg import MRG_RandomStreams
from tensordsl.tensor import raw_random
from tensordsl.tensor.shared_randomstreams import RandomStreams


def test_a_draw_gives_the_next_generator_beside_its_numbers() -> None:
    rng = tensordsl.random.default_rng(seed=3)
    next_rng, x = rng.normal(10.0, 0.1, size=(4,))
    still = tensordsl.function([], x)
    assert np.array_equal(still(), still())
    moving = tensordsl.function([], x, updates={rng: next_rng})
    a, b = moving(), moving()
    assert not np.array_equal(a, b) and abs(a - 10).max() < 1
    again = tensordsl.random.default_rng(seed=3)
    following, y = again.normal(10.0, 0.1, (4,))  # the size behind the parameters, as in NumPy
    _, z = following.normal(10.0, 0.1, size=(4,))
    one, two = tensordsl.function([], [y, z])()
    assert np.array_equal(one, a) and np.array_equal(two, b)


def test_a_generator_is_an_input_of_a_function() -> None:
    rng = T.random.random_generator_type("rng")
    following, k = rng.integers(0, 100, size=5)
    last, u = following.random(size=2)
    f = tensordsl.function([rng], [last, k, u])
    value = T.random.default_rng(1).get_value()
    state, first, _ = f(value)
    assert np.array_equal(f(value)[1], first) and not np.array_equal(f(state)[1], first)
    assert state[0] == value[0] and state[1] == value[1] + 2


def test_generators_are_carried_by_loops_and_updated_by_them() -> None:
    rng = T.random.default_rng(1)

    def carried(x: Any, r: Any) -> Any:
        r, move = r.normal()
        return x + move, r

    (path, states), _ = tensordsl.scan(carried, outputs_info=[T.constant(0.0, dtype="float64"), rng], n_steps=5)
    values, last = tensordsl.function([], [path, states[-1]])()
    assert last[1] == 5 and len(np.unique(np.diff(values))) == 4

    def updated(x: Any) -> Any:
        r, move = rng.normal()
        return x + move, {rng: r}

    other, updates = tensordsl.scan(updated, outputs_info=[T.constant(0.0, dtype="float64")], n_steps=5)
    f = tensordsl.function([], other, updates=updates)
    np.testing.assert_allclose(f(), values, rtol=1e-12)
    assert rng.get_value()[1] == 5 and not np.allclose(f(), values)


def test_generators_are_copied_and_pickled() -> None:
    rng = T.random.default_rng(7, name="mine")
    next_rng, x = rng.exponential(2.0, size=3)
    f = tensordsl.function([], x, updates={rng: next_rng})
    f()
    for other in (pickle.loads(pickle.dumps(rng)), copy.copy(rng)):
        assert other.name == "mine" and np.array_equal(other.get_value(), rng.get_value())
        assert np.array_equal(other.normal()[1].eval(), rng.normal()[1].eval())
    g = pickle.loads(pickle.dumps(f))
    assert np.array_equal(f(), g())


def test_functions_draw_of_a_generator_of_their_own_or_a_given_one() -> None:
    x = T.random.beta(2.0, 3.0, size=(3,), name="x")
    f = tensordsl.function([], x)
    assert x.name == "x" and not np.array_equal(f(), f())
    rng = T.random.default_rng(2)
    y = T.random.normal(0.0, 1.0, size=(3,), rng=rng)
    next_rng, z = T.random.normal(0.0, 1.0, size=(3,), rng=rng, return_next_rng=True)
    one, two = tensordsl.function([], [y, z], updates={rng: next_rng})()
    assert np.array_equal(one, two) and rng.get_value()[1] == 1 and y.update[0] is rng


def test_streams_as_pytensors() -> None:
    streams = T.random.RandomStream(seed=5)
    draws = [streams.normal(2.0, 0.5, size=(3,)), streams.gen(T.random.poisson, 4.0, size=2), streams.gen("t", 5.0)]
    f = tensordsl.function([], draws)
    first, second = f(), f()
    assert not np.array_equal(first[0], second[0]) and len(streams.updates()) == len(streams.state_updates) == 3
    streams.seed(5)
    assert np.array_equal(f()[0], first[0])


@pytest.mark.parametrize(
    ("draw", "error", "text"),
    [
        (lambda r: r.gamma(1.0, rate=1.0, scale=1.0), ValueError, "the scale or the rate, not both"),
        (lambda r: r.normal(0.0, 1.0, (2,), "float64", 5), TypeError, "normal: takes 2 parameters, got 3"),
        (lambda r: r.normal(0.0, sigma=1.0), TypeError, "normal: sigma is no parameter; there are loc, scale"),
        (lambda r: r.normal(0.0, loc=1.0), TypeError, "normal: loc is given twice"),
        (lambda r: r.beta(1.0), TypeError, "beta: beta is missing"),
        (lambda r: r.normal(dtype="int32"), TypeError, "normal: draws floats"),
        (lambda r: r.poisson(1j), TypeError, "poisson: wants real numbers for lam"),
        (lambda r: r.integers(5, 5), ValueError, "low must be below high"),
        (lambda r: T.random.as_generator(T.vector()), TypeError, "a generator's state is a vector of two uint64"),
        (lambda r: T.random.normal(rng=3), TypeError, "a generator's state is a vector of two uint64, got 3"),
        (lambda r: T.random.default_rng(1.5), TypeError, "default_rng: the seed must be an integer"),
        (lambda r: r.choice(3, p=[0.5, 0.4, 0.3]), ValueError, "choice: p must sum to 1"),
        (lambda r: r.choice(3, p=[0.5, 0.5]), ValueError, "`a` and p must have one length, got 3 and 2"),
    ],
)
def test_wrong_calls(draw: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        draw(T.random.default_rng(1))


def test_choices_and_orders() -> None:
    streams, table = RandomStreams(4), np.arange(12).reshape(3, 4)
    rng = T.random.default_rng(1)
    draws = [
        streams.choice((5,), table), streams.choice((2, 2), table, axis=1), streams.permuted(table, axis=1),
        streams.permuted(table), rng.permutation(table)[1], rng.permutation(6)[1], rng.choice(5, 3, replace=False)[1],
        rng.permutation(table, axis=1)[1], rng.permuted(table, axis=0)[1],
    ]  # fmt: skip
    rows, columns, lines, every, order, numbers, some, moved, of_columns = tensordsl.function([], draws)()
    assert rows.shape == (5, 4) and {tuple(r) for r in rows} <= {tuple(r) for r in table}
    assert columns.shape == (3, 2, 2) and np.array_equal(columns[1] - columns[0], np.full((2, 2), 4))
    assert np.array_equal(np.sort(lines, 1), table) and not np.array_equal(lines, table)
    assert np.array_equal(np.sort(every, None), np.arange(12))
    assert np.array_equal(order[np.argsort(order[:, 0])], table) and sorted(numbers) == list(range(6))
    assert len(set(some)) == 3 and np.array_equal(moved[2] - moved[0], np.full(4, 8))
    assert np.array_equal(np.sort(of_columns, 0), table)


def test_raw_random_gives_the_new_state_and_the_draw() -> None:
    state = raw_random.random_state_type("state")
    value = raw_random.seeded_state(3)
    pairs = [
        raw_random.uniform(state, (2,), -1.0, 1.0), raw_random.normal(state, (2,), 1.0, 0.1),
        raw_random.binomial(state, (2,), 5, 0.5), raw_random.poisson(state, (2,), 3.0),
        raw_random.random_integers(state, (2,), 3, 4), raw_random.multinomial(state, (2,), 5, [0.5, 0.5]),
        raw_random.choice(state, (2,), 4), raw_random.permutation(state, (2,), 3),
    ]  # fmt: skip
    f = tensordsl.function([state], [v for pair in pairs for v in pair])
    got = f(value)
    assert all(np.array_equal(new, value + np.array([0, 1], "uint64")) for new in got[::2])
    assert [x.shape for x in got[1::2]] == [(2,)] * 5 + [(2, 2), (2,), (2, 3)]
    assert not np.array_equal(f(got[0])[1], got[1])
    with pytest.raises(TypeError, match="a generator's state"):
        raw_random.normal(T.vector(), (2,))


def test_mrg_streams() -> None:
    streams = MRG_RandomStreams(seed=[1, 2, 3, 4, 5, 6])
    p = np.array([[0.1, 0.2, 0.7], [0.5, 0.5, 0.0]])
    draws = [
        streams.normal((20_000,), 1.0, 2.0, truncate=True), streams.truncated_normal((20_000,), 1.0, 2.0),
        streams.choice(2, p=p, replace=False), streams.multinomial_wo_replacement(n=2, pvals=p), streams.choice(4, 9),
        streams.uniform((3,), nstreams=7, ndim=1),
    ]  # fmt: skip
    z, y, chosen, drawn, usual, u = tensordsl.function([], draws)()
    law = stats.truncnorm(-2, 2, 1, 2)
    assert stats.kstest(z, law.cdf).pvalue > 0.01 and stats.kstest(y, law.cdf).pvalue > 0.01
    for rows in (chosen, drawn):
        assert rows.shape == (2, 2) and rows[0, 0] != rows[0, 1] and sorted(rows[1]) == [0, 1]
    assert usual.shape == (4,) and u.shape == (3,) and streams.n_streams((4, 5)) == 20
    for wrong in (lambda: streams.choice(2, p=p), lambda: streams.multinomial_wo_replacement((2,), pvals=p)):
        with pytest.raises(ValueError):
            wrong()
    with pytest.raises(ValueError, match="more elements than there are"):
        streams.choice(4, p=p, replace=False).eval()
    other = MRG_RandomStreams(seed=[1, 2, 3, 4, 5, 7])
    assert not np.array_equal(other.uniform((3,)).eval(), MRG_RandomStreams([1, 2, 3, 4, 5, 6]).uniform((3,)).eval())
