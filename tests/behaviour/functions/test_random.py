"""Random streams: known answers of the generator, state, distributions, wrong arguments."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from scipy import stats

import tensordsl as theano
import tensordsl.tensor as T
from tensordsl.ops.random.bits import PHILOX, numpy_philox
from tensordsl.sandbox.rng_mrg import MRG_RandomStreams
from tensordsl.tensor.shared_randomstreams import RandomStreams

N = 20_000


@pytest.mark.parametrize(
    ("counter", "key", "words"),
    [
        ((0, 0), 0, 0xE169C58D6627E8D5),
        ((2**64 - 1, 2**64 - 1), 2**64 - 1, 0x41C83B0E408F276D),
        ((0x85A308D3243F6A88, 0x0370734413198A2E), 0x299F31D0A4093822, 0x94FDCCEBD16CFE09),
    ],
)
def test_known_answers_of_philox(counter: tuple[int, int], key: int, words: int) -> None:
    """The vectors that its authors publish, by the oracle and by native code."""
    values = [np.uint64(v) for v in (*counter, key)]
    assert int(numpy_philox(*values)) == words
    variables = [T.TensorType("uint64", ())() for _ in values]
    assert int(theano.function(variables, PHILOX(*variables))(*values)) == words


def test_draws_go_on_from_call_to_call_and_a_seed_repeats_them() -> None:
    first, second = (theano.function([], RandomStreams(seed=234).uniform((3,))) for _ in range(2))
    a, b = first(), first()
    assert not np.array_equal(a, b)
    assert np.array_equal(second(), a) and np.array_equal(second(), b)
    other = theano.function([], RandomStreams(seed=235).uniform((3,)))
    assert not np.array_equal(other(), a)


def test_each_draw_has_a_stream_of_its_own() -> None:
    streams = RandomStreams(1)
    x, y = streams.uniform((4,)), streams.uniform((4,))
    a, b, c = theano.function([], [x, y, x + 0])()
    assert not np.array_equal(a, b) and np.array_equal(a, c)  # one variable is one draw
    assert len(streams.updates()) == 2 and x.update[0] is x.rng is streams.state_updates[0][0]


def test_updates_can_be_left_out_given_and_taken_back() -> None:
    streams = RandomStreams(7)
    x = streams.normal((2,))
    still = theano.function([], x, no_default_updates=True)
    assert np.array_equal(still(), still())
    moving = theano.function([], x, updates=streams.updates())
    before = x.rng.get_value()
    a, b = moving(), moving()
    assert not np.array_equal(a, b) and np.array_equal(still(), moving())
    x.rng.set_value(before)
    assert np.array_equal(moving(), a)
    streams.seed(7)
    assert np.array_equal(moving(), a)
    streams.seed(8)
    assert not np.array_equal(moving(), a)


def test_a_function_with_draws_is_copied_and_pickled_with_its_state() -> None:
    f = theano.function([], RandomStreams(3).uniform((2,)))
    f()
    g = pickle.loads(pickle.dumps(f))
    assert np.array_equal(f(), g())


DISTRIBUTIONS: dict[str, tuple[Any, Any]] = {
    "uniform": (lambda s: s.uniform((N,), -1.0, 3.0), stats.uniform(-1, 4)),
    "uniform float32": (lambda s: s.uniform((N,), dtype="float32"), stats.uniform()),
    "uniform float16": (lambda s: s.uniform((500,), dtype="float16"), stats.uniform()),
    "normal": (lambda s: s.normal((N,), avg=2.0, std=0.5), stats.norm(2, 0.5)),
    "normal float32": (lambda s: s.normal((N,), dtype="float32"), stats.norm()),
}


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_continuous_distributions(name: str) -> None:
    build, wanted = DISTRIBUTIONS[name]
    drawn = theano.function([], build(MRG_RandomStreams(11)))()
    assert drawn.dtype == (name.split()[1] if " " in name else "float64")
    assert np.isfinite(drawn).all() and stats.kstest(drawn, wanted.cdf).pvalue > 0.01


COUNTS: dict[str, tuple[Any, dict[int, float]]] = {
    "binomial": (lambda s: s.binomial((N,), p=0.3), {0: 0.7, 1: 0.3}),
    "binomial of three": (
        lambda s: s.binomial((N,), n=3, p=0.5), {0: 0.125, 1: 0.375, 2: 0.375, 3: 0.125},
    ),
    "random_integers": (lambda s: s.random_integers((N,), 2, 5), dict.fromkeys((2, 3, 4, 5), 0.25)),
    "choice": (lambda s: s.choice((N,), a=4), dict.fromkeys(range(4), 0.25)),
    "choice of elements": (lambda s: s.choice((N,), a=[7, 9]), {7: 0.5, 9: 0.5}),
    "choice with probabilities": (lambda s: s.choice((N,), a=3, p=[0.2, 0.0, 0.8]), {0: 0.2, 2: 0.8}),
    "permutation": (lambda s: s.permutation((N,), n=3)[:, 0], dict.fromkeys(range(3), 1 / 3)),
    "multinomial": (lambda s: T.argmax(s.multinomial((N,), pvals=[0.1, 0.6, 0.3]), axis=1), {0: 0.1, 1: 0.6, 2: 0.3}),
    "choice without replacement": (
        lambda s: T.stack([s.choice((1,), a=3, replace=False, p=[0.5, 0.3, 0.2])[0] for _ in range(300)]),
        {0: 0.5, 1: 0.3, 2: 0.2},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", COUNTS)
def test_discrete_distributions(name: str) -> None:
    build, wanted = COUNTS[name]
    values, counts = np.unique(theano.function([], build(RandomStreams(5)))(), return_counts=True)
    assert values.tolist() == sorted(wanted)
    assert stats.chisquare(counts, [wanted[v] * counts.sum() for v in values.tolist()]).pvalue > 0.01


def test_rows_and_lengths_that_are_not_known() -> None:
    streams = RandomStreams(2)
    x, n = T.matrix("x"), T.lscalar("n")
    parts = [
        streams.shuffle_row_elements(x), streams.permutation(n=n), streams.multinomial(n=10, pvals=x),
        streams.choice((n,), a=x[0], replace=False), streams.uniform(x.shape), streams.normal(avg=x, std=1e-9),
        streams.uniform((n, 2), low=0.0, high=n), streams.binomial(x.shape, p=0.5),
    ]  # fmt: skip
    a = np.array([[0.25, 0.75], [0.5, 0.5], [1.0, 0.0]])
    shuffled, order, counts, chosen, u, z, v, hits = theano.function([x, n], parts)(a, 2)
    assert np.array_equal(np.sort(shuffled), np.sort(a)) and sorted(order) == [0, 1]
    assert counts.shape == a.shape and counts.sum(1).tolist() == [10, 10, 10] and counts[2, 1] == 0
    assert sorted(chosen) == [0.25, 0.75] and u.shape == hits.shape == (3, 2) and v.shape == (2, 2)
    np.testing.assert_allclose(z, a, atol=1e-7)


def test_gradients_go_through_the_parameters() -> None:
    avg, std = T.scalar("avg"), T.scalar("std")
    z = RandomStreams(1).normal((5,), avg, std)
    draw, by_avg, by_std = theano.function([avg, std], [z, *T.grad(T.sum(z), [avg, std])])(1.0, 2.0)
    np.testing.assert_allclose([by_avg, by_std], [5.0, np.sum((draw - 1) / 2)])


def test_floatX_is_the_dtype_where_none_is_named() -> None:
    with theano.config.change_flags(floatX="float32"):
        streams = RandomStreams(1)
        assert streams.uniform((2,)).dtype == streams.normal((2,)).dtype == "float32"
    assert streams.uniform((2,), dtype="float64").dtype == "float64"
    assert streams.binomial((2,), dtype="int8").dtype == "int8"


@pytest.mark.parametrize("mode", ["FAST_COMPILE", "REFERENCE", "DebugMode"])
def test_every_mode_draws_the_same(mode: str) -> None:
    with theano.config.change_flags(mode=mode):
        other = theano.function([], RandomStreams(9).normal((4,)))()
    np.testing.assert_allclose(theano.function([], RandomStreams(9).normal((4,)))(), other, rtol=1e-13)


@pytest.mark.parametrize(
    ("wrong", "error", "text"),
    [
        (lambda s: s.uniform((2,), dtype="int32"), TypeError, "uniform: draws floats"),
        (lambda s: s.binomial((2,), n=1.5), TypeError, "binomial: wants integers"),
        (lambda s: s.binomial((2,), n=-1), ValueError, "binomial: n must be 0 or more"),
        (lambda s: s.binomial((2,), n=5000, p=1.5).eval(), ValueError, "p within 0 and 1"),
        (lambda s: s.poisson((2,), lam=-1.0).eval(), ValueError, "poisson: a mean must be 0 or more"),
        (lambda s: s.choice((2,), a=1.5), TypeError, "choice: `a` must be an integer or a vector"),
        (lambda s: s.random_integers((2,), low=0.5), TypeError, "random_integers: wants integers"),
        (lambda s: s.multinomial((2,), pvals=0.5), TypeError, "multinomial: pvals must have an axis"),
        (lambda s: s.shuffle_row_elements(1), TypeError, "wants an axis to shuffle"),
        (lambda s: s.seed(1.5), TypeError, "the seed must be an integer"),
        (lambda s: s.uniform(-1), ValueError, "must be 0 or more"),
        (lambda s: s.choice((4,), a=3, replace=False).eval(), ValueError, "choice: more elements than there are"),
    ],
)
def test_wrong_arguments(wrong: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        wrong(RandomStreams(1))


BINOMIALS = ((5, 0.3), (30, 0.9), (1000, 0.004), (2000, 0.5), (2000, 0.999), (10**6, 0.3))


@pytest.mark.parametrize(
    "law", [*(stats.poisson(m) for m in (0.3, 9.99, 10.0, 25.5, 300.0)), *(stats.binom(*b) for b in BINOMIALS)]
)
def test_counts_of_any_size(law: Any) -> None:
    """Both ways of drawing them, in the means' neighbourhood of the change; n known when the function is called."""
    s, n = MRG_RandomStreams(3), T.lscalar("n")
    if law.dist.name == "poisson":
        drawn = theano.function([], s.poisson((20_000,), law.args[0]))()
    else:
        drawn = theano.function([n], s.binomial((20_000,), n=n, p=law.args[1]))(law.args[0])
    low, high = law.ppf([1e-3, 1 - 1e-3]).astype(int)
    edges = np.unique(np.linspace(low, high, 40).astype(int))
    wanted = np.diff(law.cdf(edges)) * len(drawn)
    found = np.histogram(drawn, edges + 0.5)[0]
    kept = wanted > 8
    chi = ((found - wanted)[kept] ** 2 / wanted[kept]).sum()
    assert stats.chi2.sf(chi, kept.sum() - 1) > 1e-3


def test_counts_that_cannot_vary() -> None:
    s, n = RandomStreams(4), T.lscalar("n")
    draws = [
        s.poisson((5,), 0.0), s.binomial((5,), n=n, p=0.5), s.binomial((5,), n=2000, p=1.0), s.binomial((0,), n=2000),
        s.multinomial(n=n, pvals=np.array([[0.0, 1.0], [1.0, 0.0]])), s.multinomial((4,), n=5000, pvals=[0.1, 0.6, 0.3]).sum(axis=1),
    ]  # fmt: skip
    f = theano.function([n], draws)
    got = f(0)
    assert not got[0].any() and not got[1].any() and (got[2] == 2000).all() and got[3].shape == (0,)
    assert f(7)[4].tolist() == [[0, 7], [7, 0]] and (got[5] == 5000).all()
    assert all(v.dtype == "int64" for v in got)


def test_counts_are_the_same_in_every_mode() -> None:
    lam = np.array([[0.5], [20.0], [1e6]])
    draws = [
        theano.function([], RandomStreams(5).poisson((3, 4), lam), mode=mode)()
        for mode in (None, "REFERENCE", "DebugMode")
    ]
    assert all((draw == draws[0]).all() for draw in draws) and draws[0].shape == (3, 4)
