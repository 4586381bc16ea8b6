"""Regressions: a linear predictor, a link, a distribution."""

from __future__ import annotations

from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt

from benchmarks.pymc.models.ordering import ordered


def logistic(data: np.random.Generator) -> Any:
    """A product of a matrix and a vector."""
    x, y = data.normal(size=(1000, 10)), data.integers(0, 2, 1000)
    a, b = pm.Normal("a", 0, 2), pm.Normal("b", 0, 1, shape=10)
    return pm.Bernoulli("y", logit_p=a + pt.dot(x, b), observed=y)


def negative_binomial(data: np.random.Generator) -> Any:
    """gammaln and digamma of each point."""
    x, y = data.normal(size=(500, 5)), data.poisson(3, 500)
    a, b = pm.Normal("a", 0, 2), pm.StudentT("b", nu=4, mu=0, sigma=1, shape=5)
    return pm.NegativeBinomial("y", mu=pm.math.exp(a + x @ b), alpha=pm.Exponential("alpha", 1), observed=y)


def ordinal(data: np.random.Generator) -> Any:
    """Ordered cuts; probabilities that are gathered."""
    x, y = data.normal(size=400), data.integers(0, 5, 400)
    b = pm.Normal("b", 0, 1)
    cut = pm.Normal("cut", 0, 3, shape=4, transform=ordered(), initval=np.arange(4.0) - 2)
    return pm.OrderedLogistic("y", eta=b * x, cutpoints=cut, observed=y)


def softmax_regression(data: np.random.Generator) -> Any:
    """softmax along an axis; gathers."""
    x, y = data.normal(size=(150, 4)), data.integers(0, 3, 150)
    a, b = pm.Normal("a", 0, 5, shape=3), pm.Normal("b", 0, 5, shape=(4, 3))
    return pm.Categorical("y", p=pm.math.softmax(a + pt.dot(x, b), axis=1), observed=y)


def network(data: np.random.Generator) -> Any:
    """A small network with a prior: products of matrices, tanh."""
    x = data.normal(size=(200, 2))
    first, second = pm.Normal("first", 0, 1, shape=(2, 5)), pm.Normal("second", 0, 1, shape=(5, 5))
    last = pm.Normal("last", 0, 1, shape=5)
    hidden = pm.math.tanh(pm.math.tanh(x @ first) @ second)
    return pm.Bernoulli("y", pm.math.sigmoid(hidden @ last), observed=(x[:, 0] * x[:, 1] > 0).astype("int64"))


def dirichlet_regression(data: np.random.Generator) -> Any:
    """Shares that depend on a predictor: gammaln along rows."""
    x, y = data.normal(size=(120, 2)), data.dirichlet([2, 3, 4], 120)
    b = pm.Normal("b", 0, 1, shape=(2, 3))
    return pm.Dirichlet("y", a=pm.math.exp(pt.dot(x, b)), observed=y)


def horseshoe(data: np.random.Generator) -> Any:
    """Coefficients that shrink to zero, errors with heavy tails."""
    x, y = data.normal(size=(200, 15)), data.normal(size=200)
    scale, local = pm.HalfCauchy("scale", 0.1), pm.HalfStudentT("local", nu=3, sigma=1, shape=15)
    b = pm.Deterministic("b", pm.Normal("z", 0, 1, shape=15) * scale * local)
    nu = pm.Gamma("nu", 2, 0.1)
    return pm.StudentT("y", nu=nu, mu=x @ b, sigma=pm.HalfNormal("sigma", 1), observed=y)


MODELS = (logistic, negative_binomial, ordinal, softmax_regression, network, dirichlet_regression, horseshoe)
