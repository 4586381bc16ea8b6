"""PyMC's models by our compiler: log-densities and gradients, without steps that Python does; nutpie."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

pm = pytest.importorskip("pymc")

from models import MODELS, eight_schools  # noqa: E402

import tensordsl.pytensor as linked  # noqa: E402


def made(build: Any) -> Any:
    with warnings.catch_warnings(), pm.Model() as model:
        warnings.simplefilter("ignore")
        build()
    return model


@pytest.mark.parametrize("build", MODELS, ids=lambda build: build.__name__)
def test_densities_and_gradients_are_pytensors(build: Any) -> None:
    model = made(build)
    found = []
    for mode in ("TENSORDSL", "FAST_COMPILE"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            f = model.logp_dlogp_function(ravel_inputs=True, mode=mode)
        f.set_extra_values({})
        start = np.concatenate([np.ravel(v) for v in model.initial_point().values()])
        found.append(f(start + 0.01 * np.random.default_rng(1).normal(size=start.size)))
        if mode == "TENSORDSL":
            assert linked.python_steps(f._pytensor_function) == ()
    (one, slope), (two, other) = found
    np.testing.assert_allclose(one, two, rtol=1e-9)
    np.testing.assert_allclose(slope, other, rtol=1e-8, atol=1e-9 * np.max(np.abs(other)))


def test_nutpie_samples() -> None:
    nutpie = pytest.importorskip("nutpie")
    import tensordsl.pymc

    compiled = tensordsl.pymc.compile(made(eight_schools))
    options: dict[str, Any] = dict(draws=300, tune=300, chains=2, seed=1, progress_bar=False)
    one, two = (nutpie.sample(compiled, cores=cores, **options).posterior for cores in (1, 2))
    assert one["mu"].shape == (2, 300) and abs(float(one["mu"].mean()) - 4.4) < 1.5
    np.testing.assert_array_equal(one["eta"], two["eta"])


def test_predictive_draws_are_those_of_the_seed() -> None:
    """Those by PyTensor's own Python; its Numba draws other Cauchy numbers."""
    model = made(eight_schools)
    with model, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        one, two = (
            pm.sample_prior_predictive(20, random_seed=3, compile_kwargs={"mode": mode})
            for mode in ("TENSORDSL", "FAST_COMPILE")
        )
    np.testing.assert_allclose(one.prior["mu"], two.prior["mu"])
    np.testing.assert_allclose(one.prior_predictive["y"], two.prior_predictive["y"])


def test_nutpie_begins_at_the_initial_values_of_variables() -> None:
    nutpie = pytest.importorskip("nutpie")
    import tensordsl.pymc

    with pm.Model() as model:
        pm.Normal("x", 0, 1, shape=3, transform=pm.distributions.transforms.ordered, initval=[-1.0, 0.0, 5.0])
    before = dict(model.rvs_to_initial_values)
    compiled = tensordsl.pymc.compile(model, jitter_rvs=set())
    assert before == model.rvs_to_initial_values
    np.testing.assert_allclose(compiled.initial_point_func(1), [-1.0, 0.0, np.log(5.0)])
    trace = nutpie.sample(compiled, draws=50, tune=50, chains=1, seed=1, progress_bar=False)
    assert np.all(np.diff(trace.posterior["x"].values, axis=-1) > 0)


def test_a_point_is_in_the_order_of_the_model() -> None:
    """So that nutpie's options of points, as `init_mean`, and its draws of a seed are those of nutpie's own compilers."""
    pytest.importorskip("nutpie")
    import tensordsl.pymc

    with pm.Model() as model:
        first, second = pm.Normal("first", 0, 1), pm.Normal("second", 0, 1, shape=2)
        pm.Deterministic("difference", first - second)
        pm.Deterministic("both", first + second)
        pm.Normal("y", second.sum(), first**2 + 1, observed=0.3)
    compiled = tensordsl.pymc.compile(model, initial_points={"first": 1.0, "second": [2.0, 3.0]}, jitter_rvs=set())
    np.testing.assert_array_equal(compiled.initial_point_func(1), [1.0, 2.0, 3.0])
    assert list(compiled.shapes) == ["first", "second", "difference", "both"]
