"""Mixtures, and counts with more zeros than their distribution has."""

from __future__ import annotations

from typing import Any

import numpy as np
import pymc as pm

from benchmarks.pymc.models.ordering import ordered


def normal_mixture(data: np.random.Generator) -> Any:
    """A simplex, an ordered vector, logsumexp."""
    y = np.concatenate([data.normal(-2, 1, 200), data.normal(3, 0.5, 300)])
    w = pm.Dirichlet("w", np.ones(3))
    mu = pm.Normal("mu", 0, 5, shape=3, transform=ordered(), initval=[-1.0, 0, 1])
    return pm.NormalMixture("y", w=w, mu=mu, sigma=pm.HalfNormal("sigma", 2, shape=3), observed=y)


def mixture_of_vectors(data: np.random.Generator) -> Any:
    """Two multivariate normal densities with factors of their own."""
    w, mu = pm.Dirichlet("w", np.ones(2)), pm.Normal("mu", 0, 2, shape=(2, 3))
    parts = []
    for k in range(2):
        factor, *_ = pm.LKJCholeskyCov(f"factor_{k}", n=3, eta=2.0, sd_dist=pm.HalfNormal.dist(1.0), compute_corr=True)
        parts.append(pm.MvNormal.dist(mu[k], chol=factor))
    return pm.Mixture("y", w=w, comp_dists=parts, observed=data.normal(size=(80, 3)))


def zero_inflated_poisson(data: np.random.Generator) -> Any:
    """logaddexp of each point."""
    x, y = data.normal(size=400), data.poisson(2, 400) * data.integers(0, 2, 400)
    psi, a, b = pm.Beta("psi", 1, 1), pm.Normal("a", 0, 1), pm.Normal("b", 0, 1)
    return pm.ZeroInflatedPoisson("y", psi=psi, mu=pm.math.exp(a + b * x), observed=y)


def zero_inflated_negative_binomial(data: np.random.Generator) -> Any:
    """logaddexp and gammaln of each point."""
    x, y = data.normal(size=300), data.poisson(3, 300) * data.integers(0, 2, 300)
    psi, alpha = pm.Beta("psi", 2, 2), pm.Exponential("alpha", 1)
    mu = pm.math.exp(pm.Normal("a", 0, 1) + pm.Normal("b", 0, 1) * x)
    return pm.ZeroInflatedNegativeBinomial("y", psi=psi, mu=mu, alpha=alpha, observed=y)


MODELS = (normal_mixture, mixture_of_vectors, zero_inflated_poisson, zero_inflated_negative_binomial)
