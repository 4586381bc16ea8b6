"""Models of pymc-extras, where that is installed: state spaces, marginalised mixtures and chains, rarer distributions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pm = pytest.importorskip("pymc")
extras = pytest.importorskip("pymc_extras")

import pytensor.tensor as pt  # noqa: E402
from judge import compared, densities  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")
R = np.random.default_rng(0)
Y = R.normal(size=10)


def local_level() -> Any:
    """A Kalman filter over thirty days, by scan."""
    pandas = pytest.importorskip("pandas")
    from pymc_extras.statespace import structural

    trend = structural.LevelTrendComponent if hasattr(structural, "LevelTrendComponent") else structural.LevelTrend
    built = (trend(order=2, innovations_order=[0, 1]) + structural.MeasurementError()).build(verbose=False)
    days = pandas.date_range("2000-01-01", periods=30, freq="D")
    data = pandas.DataFrame(R.normal(size=30).cumsum(), index=days, columns=["data"])
    with pm.Model(coords=built.coords) as model:
        for name in built.param_names:
            dims = built.param_dims.get(name)
            if name.startswith("P0"):
                pm.Deterministic(name, pt.eye(len(built.coords[dims[0]])) * 5.0, dims=dims)
            elif name.startswith("sigma"):
                pm.Gamma(name, 2, 2, dims=dims)
            else:
                pm.Normal(name, 0, 1, dims=dims)
        built.build_statespace_graph(data)
    return model


def mixture() -> Any:
    with pm.Model() as model:
        which = pm.Bernoulli("which", pm.Beta("p", 2, 2), shape=10)
        pm.Normal("y", pm.Normal("mu", [-1.0, 1.0], 1)[which], 1, observed=Y)
    return extras.marginalize(model, ["which"])


def chain() -> Any:
    with pm.Model() as model:
        moves = pm.Dirichlet("moves", np.ones((2, 2)))
        start = pm.Categorical.dist([0.5, 0.5])
        states = extras.DiscreteMarkovChain("states", P=moves, init_dist=start, steps=9)
        pm.Normal("y", pm.Normal("mu", [-1.0, 1.0], 1)[states], 1, observed=Y)
    return extras.marginalize(model, ["states"])


def extremes() -> Any:
    with pm.Model() as model:
        extras.GenExtreme("g", mu=0, sigma=pm.HalfNormal("s", 1), xi=0.1, observed=Y)
        extras.Chi("chi", nu=3)
        extras.Maxwell("maxwell", a=2.0)
    return model


@pytest.mark.parametrize("build", [local_level, mixture, chain, extremes], ids=lambda build: build.__name__)
def test_density_and_gradient(build: Any) -> None:
    compared(densities(build()))
