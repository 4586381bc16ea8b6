"""Models of groups: parameters of groups around parameters of all."""

from __future__ import annotations

from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt

from benchmarks.pymc.models.ordering import ordered


def eight_schools(data: np.random.Generator) -> Any:
    """Slices of one vector."""
    effect, error = np.array([28.0, 8, -3, 7, -1, 1, 18, 12]), np.array([15.0, 10, 16, 11, 9, 11, 10, 18])
    mu, tau = pm.Normal("mu", 0, 5), pm.HalfCauchy("tau", 5)
    eta = pm.Normal("eta", 0, 1, shape=8)
    return pm.Normal("y", mu + tau * eta, error, observed=effect)


def radon(data: np.random.Generator) -> Any:
    """Intercepts and slopes of groups: gathers, and their scattered gradient; data that can be replaced."""
    houses, counties = 919, 85
    county = pm.Data("county", data.integers(0, counties, houses))
    floor = pm.Data("floor", data.integers(0, 2, houses).astype("float64"))
    levels = []
    for name in "ab":
        mean, spread = pm.Normal(f"mean_{name}", 0, 1), pm.Exponential(f"spread_{name}", 1)
        offset = pm.Normal(f"offset_{name}", 0, 1, shape=counties)
        levels.append(pm.Deterministic(name, mean + spread * offset))
    a, b = levels
    sigma = pm.Exponential("sigma", 1)
    return pm.Normal("y", a[county] + b[county] * floor, sigma, observed=data.normal(size=houses))


def correlated_effects(data: np.random.Generator) -> Any:
    """A prior of correlations by their Cholesky factor: a packed triangle; gathers."""
    groups, n = 20, 300
    group, x = data.integers(0, groups, n), data.normal(size=n)
    factor, *_ = pm.LKJCholeskyCov("factor", n=2, eta=2.0, sd_dist=pm.Exponential.dist(1.0), compute_corr=True)
    z = pm.Normal("z", 0, 1, shape=(groups, 2))
    effects = pm.Normal("mu", 0, 5, shape=2) + pt.dot(z, factor.T)
    sigma = pm.Exponential("sigma", 1)
    return pm.Normal("y", effects[group, 0] + effects[group, 1] * x, sigma, observed=data.normal(size=n))


def ordered_effects(data: np.random.Generator) -> Any:
    """Ordered categories whose effects of groups are correlated."""
    groups, n = 12, 250
    group, x = data.integers(0, groups, n), data.normal(size=n)
    cut = pm.Normal("cut", 0, 2, shape=3, transform=ordered(), initval=[-1.0, 0, 1])
    factor, *_ = pm.LKJCholeskyCov("factor", n=2, eta=2.0, sd_dist=pm.Exponential.dist(1.0), compute_corr=True)
    effects = pt.dot(factor, pm.Normal("z", 0, 1, shape=(2, groups)))
    eta = effects[0, group] + effects[1, group] * x
    return pm.OrderedLogistic("y", eta=eta, cutpoints=cut, observed=data.integers(0, 4, n))


def item_response(data: np.random.Generator) -> Any:
    """Answers of persons to items, of two parameters each: three gathers."""
    persons, items, n = 60, 20, 1200
    person, item = np.arange(n) // items, np.arange(n) % items
    ability = pm.Normal("ability", 0, 1, shape=persons)
    difficulty = pm.Normal("difficulty", 0, 2, shape=items)
    slope = pm.LogNormal("slope", 0, 0.5, shape=items)
    logit = slope[item] * (ability[person] - difficulty[item])
    return pm.Bernoulli("y", logit_p=logit, observed=data.integers(0, 2, n))


MODELS = (eight_schools, radon, correlated_effects, ordered_effects, item_response)
