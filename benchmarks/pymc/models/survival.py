"""Data that are cut off."""

from __future__ import annotations

from typing import Any

import numpy as np
import pymc as pm


def censored_survival(data: np.random.Generator) -> Any:
    """Times until an end of observation, with a predictor."""
    t, x = np.minimum(data.exponential(5, 300) + 0.01, 8.0), data.normal(size=300)
    a, b, shape = pm.Normal("a", 0, 2, initval=1.5), pm.Normal("b", 0, 1), pm.HalfNormal("shape", 2)
    times = pm.Weibull.dist(alpha=shape, beta=pm.math.exp(a + b * x))
    return pm.Censored("t", times, lower=None, upper=8.0, observed=t)


def censored_and_truncated(data: np.random.Generator) -> Any:
    """Normal values of which only positive ones are seen, and those of a meter that ends."""
    mu, sigma = pm.Normal("mu", 1, 1), pm.HalfNormal("sigma", 1)
    positive = np.abs(data.normal(1, 1, 200))
    pm.Truncated("positive", pm.Normal.dist(mu, sigma), lower=0, observed=positive)
    return pm.Censored("y", pm.Normal.dist(mu, sigma), lower=-0.5, upper=2.0, observed=np.clip(positive, -0.5, 2.0))


MODELS = (censored_survival, censored_and_truncated)
