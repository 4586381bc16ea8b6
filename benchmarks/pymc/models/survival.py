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


def _seen_up_to(times: Any, data: np.ndarray[Any, Any], end: float) -> Any:
    """Of times beyond the end nothing but that is known."""
    return pm.Censored("t", times, lower=None, upper=end, observed=np.minimum(data, end))


def censored_gamma(data: np.random.Generator) -> Any:
    """The derivative of an incomplete gamma function by its shape: a loop of scalars at each point."""
    x, shape = data.normal(size=300), pm.HalfNormal("shape", 2)
    mean = pm.math.exp(pm.Normal("a", 0, 2, initval=1.0) + pm.Normal("b", 0, 1) * x)
    return _seen_up_to(pm.Gamma.dist(alpha=shape, beta=shape / mean), data.gamma(2, 1.5, 300), 6.0)


def censored_inverse_gamma(data: np.random.Generator) -> Any:
    """The same of the upper tail, at one end for all points."""
    shape, scale = pm.HalfNormal("shape", 4), pm.HalfNormal("scale", 4)
    return _seen_up_to(pm.InverseGamma.dist(alpha=shape, beta=scale), 1 / data.gamma(3, 0.5, 300), 1.5)


def censored_student(data: np.random.Generator) -> Any:
    """The derivatives of an incomplete beta function by the degrees of freedom."""
    x, nu = data.normal(size=300), pm.Gamma("nu", 2, 0.1)
    mu, sigma = pm.Normal("a", 0, 2) + pm.Normal("b", 0, 1) * x, pm.HalfNormal("sigma", 2)
    return _seen_up_to(pm.StudentT.dist(nu=nu, mu=mu, sigma=sigma), 1 + 0.5 * x + data.standard_t(4, 300), 2.0)


def censored_counts(data: np.random.Generator) -> Any:
    """The derivatives of an incomplete beta function by the dispersion."""
    x, alpha = data.normal(size=300), pm.Exponential("alpha", 1)
    mu = pm.math.exp(pm.Normal("a", 0, 2, initval=1.0) + pm.Normal("b", 0, 1) * x)
    return _seen_up_to(pm.NegativeBinomial.dist(mu=mu, alpha=alpha), data.poisson(data.gamma(2, 2, 300)), 8)


def censored_shares(data: np.random.Generator) -> Any:
    """The derivatives of an incomplete beta function by both parameters, on either side of the mean."""
    shares = pm.Beta.dist(alpha=pm.HalfNormal("alpha", 4), beta=pm.HalfNormal("beta", 4))
    ends: dict[str, Any] = {"lower": 0.2, "upper": data.uniform(0.4, 0.8, 300)}
    return pm.Censored("y", shares, **ends, observed=np.clip(data.beta(2, 3, 300), ends["lower"], ends["upper"]))


MODELS = (
    censored_survival,
    censored_and_truncated,
    censored_gamma,
    censored_inverse_gamma,
    censored_student,
    censored_counts,
    censored_shares,
)
