"""Small models of PyMC's families, each with what it asks of a compiler."""

from __future__ import annotations

from typing import Any

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt

R = np.random.default_rng(0)


def hierarchical() -> Any:
    """Slices of one vector."""
    y, s = np.array([28.0, 8, -3, 7, -1, 1, 18, 12]), np.array([15.0, 10, 16, 11, 9, 11, 10, 18])
    mu, tau, eta = pm.Normal("mu", 0, 5), pm.HalfCauchy("tau", 5), pm.Normal("eta", 0, 1, shape=8)
    return pm.Normal("y", mu + tau * eta, s, observed=y)


def groups() -> Any:
    """Gathers, and their scattered gradient."""
    group, x = R.integers(0, 6, 50), R.normal(size=50)
    a, b = pm.Normal("a", 0, pm.Exponential("sd", 1), shape=6), pm.Normal("b", 0, 1, shape=6)
    return pm.Normal("y", a[group] + b[group] * x, 1, observed=R.normal(size=50))


def negative_binomial() -> Any:
    """gammaln, digamma; products."""
    x = R.normal(size=(60, 3))
    b = pm.StudentT("b", nu=4, mu=0, sigma=1, shape=3)
    return pm.NegativeBinomial("y", mu=pm.math.exp(x @ b), alpha=pm.Exponential("alpha", 1), observed=R.poisson(3, 60))


def zero_inflated_negative_binomial() -> Any:
    psi, mu, alpha = pm.Beta("psi", 2, 2), pm.Exponential("mu", 0.3), pm.Exponential("alpha", 1)
    return pm.ZeroInflatedNegativeBinomial("y", psi=psi, mu=mu, alpha=alpha, observed=R.poisson(2, 40))


def ordered_logistic() -> Any:
    """An ordered transform; a Cholesky factor of correlations."""
    cut = pm.Normal("cut", 0, 2, shape=3, transform=pm.distributions.transforms.ordered, initval=[-1.0, 0, 1])
    chol, *_ = pm.LKJCholeskyCov("chol", n=2, eta=2.0, sd_dist=pm.Exponential.dist(1.0), compute_corr=True)
    z = pm.Normal("z", 0, 1, shape=(2, 5))
    effect = pt.dot(chol, z)[0]
    return pm.OrderedLogistic("y", eta=effect[R.integers(0, 5, 40)], cutpoints=cut, observed=R.integers(0, 4, 40))


def dirichlet_regression() -> Any:
    """softmax; a simplex as data."""
    x, y = R.normal(size=(30, 2)), R.dirichlet([2, 3, 4], 30)
    b = pm.Normal("b", 0, 1, shape=(2, 3))
    return pm.Dirichlet("y", a=pm.math.exp(pt.dot(x, b)), observed=y)


def approximated_process() -> Any:
    """A Hilbert space's approximation of a Gaussian process: spectra and products."""
    x = np.linspace(0, 5, 40)[:, None]
    length, scale = pm.InverseGamma("length", 3, 2), pm.Exponential("scale", 1)
    gp = pm.gp.HSGP(m=[10], c=1.5, cov_func=scale**2 * pm.gp.cov.Matern52(1, ls=length))
    return pm.Normal("y", gp.prior("f", X=x), 0.3, observed=np.sin(x[:, 0]))


def process() -> Any:
    """A Gaussian process's marginal likelihood: a factor, triangular systems, and their gradients."""
    x = np.linspace(0, 5, 20)[:, None]
    length, scale = pm.Gamma("length", 2, 1), pm.HalfNormal("scale", 2)
    gp = pm.gp.Marginal(cov_func=scale**2 * pm.gp.cov.ExpQuad(1, length))
    return gp.marginal_likelihood("y", X=x, y=np.sin(x[:, 0]), sigma=pm.HalfNormal("noise", 1))


def censored_and_truncated() -> Any:
    mu, sigma = pm.Normal("mu", 1, 1), pm.HalfNormal("sigma", 1)
    pm.Truncated("t", pm.Normal.dist(mu, sigma), lower=0, observed=np.abs(R.normal(1, 1, 30)))
    return pm.Censored("y", pm.Weibull.dist(1.5, sigma + 0.1), lower=None, upper=2.0, observed=R.uniform(0.1, 2.0, 30))


def mixture_of_vectors() -> Any:
    """Multivariate normal densities, logsumexp."""
    w, mu = pm.Dirichlet("w", np.ones(2)), pm.Normal("mu", 0, 2, shape=(2, 3))
    parts = [pm.MvNormal.dist(mu[k], cov=np.eye(3) * (k + 1)) for k in range(2)]
    return pm.Mixture("y", w=w, comp_dists=parts, observed=R.normal(size=(20, 3)))


def walk_with_gaps() -> Any:
    """A random walk; missing data are parameters."""
    y = R.normal(size=25).cumsum()
    y[[3, 7, 8]] = np.nan
    walk = pm.GaussianRandomWalk("walk", sigma=pm.Exponential("step", 1), init_dist=pm.Normal.dist(0, 5), shape=25)
    return pm.Normal("y", walk, 0.5, observed=np.ma.masked_invalid(y))


def hidden_states() -> Any:
    """The forward algorithm by scan, in logarithms."""
    y = np.concatenate([R.normal(-2, 1, 20), R.normal(2, 1, 20)])
    p, mu = pm.Dirichlet("p", np.ones((2, 2)) * 2, shape=(2, 2)), pm.Normal("mu", [-1.0, 1.0], 1, shape=2)
    logs = -0.5 * (pt.as_tensor(y)[:, None] - mu[None]) ** 2

    def step(now: Any, before: Any, transition: Any) -> Any:
        return now + pt.logsumexp(before[:, None] + pt.log(transition), axis=0)

    alphas = pytensor.scan(step, logs[1:], logs[0], [p])
    alphas = alphas[0] if isinstance(alphas, tuple | list) else alphas
    return pm.Potential("forward", pt.logsumexp(alphas[-1]))


def growth() -> Any:
    """An ordinary differential equation by Runge-Kutta steps in a scan."""
    rate, limit = pm.LogNormal("rate", 0, 0.5), pm.LogNormal("limit", 1, 0.5)

    def slope(u: Any, rate: Any, limit: Any) -> Any:
        return rate * u * (1 - u / limit)

    def step(u: Any, *parameters: Any) -> Any:
        middle = u + 0.05 * slope(u, *parameters)
        return u + 0.1 * slope(middle, *parameters)

    values = pytensor.scan(step, outputs_info=pt.as_tensor(np.float64(0.1)), non_sequences=[rate, limit], n_steps=30)
    values = values[0] if isinstance(values, tuple | list) else values
    return pm.Normal("y", values, 0.1, observed=1 / (1 + 9 * np.exp(-np.arange(30) * 0.1)))


MODELS = (
    hierarchical, groups, negative_binomial, zero_inflated_negative_binomial, ordered_logistic, dirichlet_regression,
    approximated_process, process, censored_and_truncated, mixture_of_vectors, walk_with_gaps, hidden_states, growth,
)  # fmt: skip
