"""Draws of PyMC's models, and generators: the numbers of PyTensor's Python, whatever carries the generator.

Numba, the newest PyTensor's default, draws other numbers of some distributions (Cauchy): the judge is PyTensor's Python.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
from typing import Any

import numpy as np
import pytest

pm = pytest.importorskip("pymc")

import pytensor.tensor as pt  # noqa: E402
from judge import PYTHON, equal  # noqa: E402
from models import SMALL, R  # noqa: E402
from pytensor import function, scan, shared  # noqa: E402

import tensordsl.pytensor  # noqa: E402, F401  # the mode

pytestmark = pytest.mark.filterwarnings("ignore")
QUIET = dict(progressbar=False, random_seed=3)


def regression() -> Any:
    x = pm.Data("x", R.normal(size=(20, 2)))
    slopes = pm.Normal("slopes", 0, 1, shape=2)
    mean = pm.Deterministic("mean", x @ slopes)
    sigma = pm.HalfNormal("sigma", 1)
    return pm.Normal("y", mean, sigma, observed=R.normal(size=20), shape=mean.shape)


def walk() -> Any:
    return pm.GaussianRandomWalk(
        "walk", mu=0.1, sigma=pm.Exponential("step", 1), init_dist=pm.Normal.dist(0, 5), shape=6
    )


FAMILIES = [regression, walk, *SMALL]


def built(build: Any) -> Any:
    with pm.Model() as model:
        build()
    return model


def both(draw: Any) -> None:
    """What a function of a mode draws is the same by both."""
    one, two = draw("TENSORDSL"), draw(PYTHON)
    assert set(one) == set(two)
    for name in one:
        np.testing.assert_allclose(one[name], two[name], rtol=1e-9, err_msg=str(name))


@pytest.mark.parametrize("build", FAMILIES, ids=lambda build: build.__name__)
def test_prior_predictive(build: Any) -> None:
    model = built(build)

    def draw(mode: Any) -> Any:
        with model:
            found = pm.sample_prior_predictive(15, random_seed=3, compile_kwargs=dict(mode=mode))
        groups = [getattr(found, name, None) for name in ("prior", "prior_predictive")]
        return {name: v.values for group in groups if group is not None for name, v in group.data_vars.items()}

    both(draw)


@pytest.mark.parametrize("build", FAMILIES, ids=lambda build: build.__name__)
def test_posterior_predictive_and_deterministics(build: Any) -> None:
    model = built(build)
    with model:
        given = pm.sample_prior_predictive(15, random_seed=5, compile_kwargs=dict(mode=PYTHON)).prior
    names = [v.name for v in model.observed_RVs] or [model.free_RVs[-1].name]

    def draw(mode: Any) -> Any:
        found = pm.sample_posterior_predictive(
            given, model=model, var_names=names, predictions=False, compile_kwargs=dict(mode=mode), **QUIET
        )
        group = found.posterior_predictive if hasattr(found, "posterior_predictive") else found
        return {name: v.values for name, v in group.data_vars.items()}

    both(draw)
    if model.deterministics:

        def compute(mode: Any) -> Any:
            found = pm.compute_deterministics(given, model=model, progressbar=False, compile_kwargs=dict(mode=mode))
            return {name: v.values for name, v in found.data_vars.items()}

        both(compute)


def test_a_regression_at_other_points() -> None:
    """`set_data` changes lengths, and the function is the same."""
    model = built(regression)
    with model:
        given = pm.sample_prior_predictive(10, random_seed=5, compile_kwargs=dict(mode=PYTHON)).prior
        pm.set_data({"x": np.ones((7, 2))})

    def draw(mode: Any) -> Any:
        found = pm.sample_posterior_predictive(given, model=model, compile_kwargs=dict(mode=mode), **QUIET)
        return {"y": found.posterior_predictive["y"].values}

    both(draw)
    assert draw("TENSORDSL")["y"].shape == (1, 10, 7)


DISTRIBUTIONS: dict[str, Any] = {
    "normal": lambda: pm.Normal.dist(1, 2, size=(3, 2)), "gamma": lambda: pm.Gamma.dist(2, 3, size=4),
    "dirichlet": lambda: pm.Dirichlet.dist([1.0, 2, 3], size=2), "categorical": lambda: pm.Categorical.dist([0.2, 0.8], size=9),
    "multivariate": lambda: pm.MvNormal.dist([1.0, 2], np.eye(2) + 1, size=3),
    "mixture": lambda: pm.Mixture.dist([0.3, 0.7], [pm.Normal.dist(-5, 1), pm.Normal.dist(5, 1)], size=6),
    "truncated": lambda: pm.Truncated.dist(pm.Normal.dist(0, 1), lower=0.5, size=5),
    "censored": lambda: pm.Censored.dist(pm.Normal.dist(0, 1), lower=-0.5, upper=0.5, size=5),
    "correlations": lambda: pm.LKJCholeskyCov.dist(n=3, eta=2, sd_dist=pm.Exponential.dist(1.0), compute_corr=False),
    "hurdle": lambda: pm.HurdlePoisson.dist(psi=0.5, mu=3, size=8), "series": lambda: pm.AR.dist([0.5, 0.2], sigma=1, shape=(6,), init_dist=pm.Normal.dist(0, 1, shape=2)),
    "garch": lambda: pm.GARCH11.dist(1.0, 0.3, 0.5, 0.1, shape=(5,)), "stick": lambda: pm.StickBreakingWeights.dist(2.0, K=4),
    "zero sum": lambda: pm.ZeroSumNormal.dist(1.0, shape=(3, 4)), "discretised": lambda: pm.DiscreteWeibull.dist(0.9, 1.1, size=5),
    "graph": lambda: pm.CAR.dist(np.zeros(3), np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0.0]]), alpha=0.5, tau=1.0),
}  # fmt: skip


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_draws_of_distributions(name: str) -> None:
    variable = DISTRIBUTIONS[name]()
    one, two = (pm.draw(variable, draws=3, random_seed=7, mode=mode) for mode in ("TENSORDSL", PYTHON))
    np.testing.assert_allclose(one, two, rtol=1e-9)


def test_draws_of_a_scan() -> None:
    def draw(mode: Any) -> Any:
        def step(before: Any) -> Any:
            noise = pm.Normal.dist(before, 1)
            return noise, pm.pytensorf.collect_default_updates([noise])

        values, updates = scan(step, outputs_info=[pt.constant(np.float64(0))], n_steps=5)
        return pm.draw(values, draws=3, random_seed=7, mode=mode)

    np.testing.assert_allclose(draw("TENSORDSL"), draw(PYTHON), rtol=1e-12)


# -- what carries a generator ------------------------------------------------------------------------------------------
def drawing(seed: int = 1) -> tuple[Any, Any]:
    rng = shared(np.random.default_rng(seed), name="rng")
    following, draw = pt.random.normal(size=(3,), rng=rng).owner.outputs
    return function([], draw, updates={rng: following}, mode="TENSORDSL"), rng


def numbers(count: int, seed: int = 1) -> list[Any]:
    own = np.random.default_rng(seed)
    return [own.normal(size=3) for _ in range(count)]


def test_the_generator_of_a_container_is_what_is_drawn_from() -> None:
    made, rng = drawing()
    first = made()
    equal(first, numbers(1)[0])
    rng.set_value(np.random.default_rng(9))
    equal(made(), numbers(1, 9)[0])
    state = rng.get_value()
    state.normal(size=100)  # a copy: what is done to it is not seen
    equal(made(), numbers(2, 9)[1])


def test_a_generator_that_is_an_input_is_left_alone() -> None:
    rng = pt.random.type.random_generator_type("rng")
    following, draw = pt.random.normal(size=(3,), rng=rng).owner.outputs
    made = function([rng], [draw, following], mode="TENSORDSL")
    own = np.random.default_rng(1)
    first, after = made(own)
    equal(first, numbers(1)[0])
    equal(own, np.random.default_rng(1))
    equal(made(after)[0], numbers(2)[1])


def test_copies_share_a_generator_or_have_their_own() -> None:
    made, rng = drawing()
    other = made.copy(share_memory=True)
    equal(made(), numbers(1)[0])
    equal(other(), numbers(2)[1])
    fresh = shared(np.random.default_rng(1))
    swapped = made.copy(swap={rng: fresh})
    equal(swapped(), numbers(1)[0])
    equal(made(), numbers(3)[2])


def test_a_pickled_function_goes_on_where_it_was() -> None:
    made, _ = drawing()
    made()
    other = pickle.loads(pickle.dumps(made))
    equal(other(), numbers(2)[1])
    equal(made(), numbers(2)[1])


def answer(made: Any, queue: Any) -> None:
    queue.put([np.asarray(made()) for _ in range(2)])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_forked_function_draws_the_same_numbers_in_both() -> None:
    made, _ = drawing()
    made()
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=answer, args=(made, queue))
    child.start()
    there = queue.get(timeout=60)
    child.join(60)
    for one, two in zip(there, numbers(3)[1:], strict=True):
        equal(one, two)
    equal(made(), numbers(2)[1])
