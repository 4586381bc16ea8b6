"""PyMC's samplers and fits by our functions: the numbers that they give by PyTensor's Python."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pm = pytest.importorskip("pymc")

import pytensor  # noqa: E402
import pytensor.tensor as pt  # noqa: E402
from judge import PYTHON, equal  # noqa: E402

import tensordsl.pytensor as linked  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")
R = np.random.default_rng(0)
CHAIN: dict[str, Any] = dict(
    draws=15, tune=15, chains=1, cores=1, random_seed=1, progressbar=False, compute_convergence_checks=False
)


def model(with_counts: bool = False) -> Any:
    with pm.Model() as made:
        place, spread = pm.Normal("place", 0, 1, shape=2), pm.HalfNormal("spread", 1)
        shift = 0.1 * pm.Poisson("count", 3) if with_counts else 0
        pm.Normal("y", place[0] + shift, spread, observed=R.normal(size=20))
    return made


def mixed(mode: Any) -> list[Any]:
    """A gradient's step for numbers, and Metropolis's for counts."""
    found = pm.sample(model=model(with_counts=True), compile_kwargs=dict(mode=mode), **CHAIN).posterior
    return [found["place"].values, found["count"].values]


def slices(mode: Any) -> list[Any]:
    with model():
        return [pm.sample(step=pm.Slice(compile_kwargs=dict(mode=mode)), **CHAIN).posterior["place"].values]


def variational(mode: Any) -> list[Any]:
    with model():
        fit = pm.fit(30, method="advi", random_seed=1, progressbar=False, compile_kwargs=dict(mode=mode))
    return [fit.hist]


def sequential(mode: Any) -> list[Any]:
    options = {k: v for k, v in CHAIN.items() if k != "tune"} | dict(draws=40)
    return [pm.sample_smc(model=model(), compile_kwargs=dict(mode=mode), **options).posterior["place"].values]


def likelihood(mode: Any) -> list[Any]:
    with model():
        chain = pm.sample(compile_kwargs=dict(mode=mode), **CHAIN)
        found = pm.compute_log_likelihood(chain, progressbar=False, compile_kwargs=dict(mode=mode))
    return [found.log_likelihood["y"].values]


@pytest.mark.parametrize("sampler", [mixed, slices, variational, sequential, likelihood], ids=lambda s: s.__name__)
def test_the_numbers_are_pytensors(sampler: Any) -> None:
    global R
    found = []
    for mode in ("TENSORDSL", PYTHON):
        R = np.random.default_rng(0)
        found.append(sampler(mode))
    for one, two in zip(*found, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-6)


def test_the_mode_as_the_default() -> None:
    x = pt.dvector("x")
    with pytensor.config.change_flags(mode=linked.TENSORDSL):
        made = pytensor.function([x], x * 2)
        drawn = pm.draw(pm.Normal.dist(size=3), random_seed=1)
    assert linked.python_steps(made) == ()
    equal(drawn, pm.draw(pm.Normal.dist(size=3), random_seed=1, mode=PYTHON))


def test_a_density_that_is_nowhere_finite_ends_the_sampling() -> None:
    nutpie = pytest.importorskip("nutpie")
    import tensordsl.pymc

    with pm.Model() as broken:
        v = pm.Normal("v", 0, 1)
        pm.Potential("edge", pt.switch(v > 1e9, 0.0, np.nan) * v)
    compiled = tensordsl.pymc.compile(broken)
    with pytest.raises(RuntimeError):
        nutpie.sample(compiled, draws=10, tune=10, chains=1, cores=1, seed=1, progress_bar=False)
