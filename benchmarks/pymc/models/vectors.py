"""Multivariate normal values, dense and over a neighbourhood."""

from __future__ import annotations

from typing import Any

import numpy as np
import pymc as pm


def multivariate_normal(data: np.random.Generator) -> Any:
    """A covariance by its Cholesky factor: a triangular system of 100 right-hand sides."""
    factor, *_ = pm.LKJCholeskyCov("factor", n=4, eta=2.0, sd_dist=pm.HalfNormal.dist(1.0), compute_corr=True)
    return pm.MvNormal("y", pm.Normal("mu", 0, 1, shape=4), chol=factor, observed=data.normal(size=(100, 4)))


def neighbours(data: np.random.Generator) -> Any:
    """Counts on a ring of 80 regions, each like those beside it."""
    n = 80
    beside = np.roll(np.eye(n), 1, axis=0) + np.roll(np.eye(n), -1, axis=0)
    field = pm.ICAR("field", W=beside, sigma=1.0)
    level, spread = pm.Normal("level", 0, 1), pm.HalfNormal("spread", 1)
    return pm.Poisson("y", mu=pm.math.exp(level + spread * field), observed=data.poisson(3, n))


MODELS = (multivariate_normal, neighbours)
