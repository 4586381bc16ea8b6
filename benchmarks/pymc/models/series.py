"""Time series."""

from __future__ import annotations

from typing import Any

import numpy as np
import pymc as pm


def stochastic_volatility(data: np.random.Generator) -> Any:
    """A random walk of 400 steps; Student's t."""
    step, nu = pm.Exponential("step", 10), pm.Exponential("nu", 0.1)
    walk = pm.GaussianRandomWalk("walk", sigma=step, init_dist=pm.Normal.dist(0, 100), shape=400)
    return pm.StudentT("y", nu=nu, lam=pm.math.exp(-2 * walk), observed=data.normal(size=400) * 0.02)


def autoregression(data: np.random.Generator) -> Any:
    """Windows of a series."""
    y = data.normal(size=200).cumsum() * 0.1
    rho, sigma = pm.Normal("rho", 0, 0.5, shape=3), pm.HalfNormal("sigma", 1)
    return pm.AR("y", rho, sigma=sigma, constant=True, init_dist=pm.Normal.dist(0, 10), observed=y)


def garch(data: np.random.Generator) -> Any:
    """Volatility by a scan of 200 rounds."""
    omega, alpha, beta = pm.HalfNormal("omega", 1), pm.Uniform("alpha", 0, 1), pm.Uniform("beta", 0, 1)
    y = data.normal(size=200)
    return pm.GARCH11("y", omega=omega, alpha_1=alpha, beta_1=beta, initial_vol=1.0, observed=y)


def walk_with_gaps(data: np.random.Generator) -> Any:
    """A random walk with noise, of which some values are missing: these are parameters."""
    y = data.normal(size=120).cumsum()
    y[data.integers(0, 120, 12)] = np.nan
    start = pm.Normal.dist(0, 5)
    walk = pm.GaussianRandomWalk("walk", sigma=pm.Exponential("step", 1), init_dist=start, shape=120)
    return pm.Normal("y", walk, pm.HalfNormal("noise", 1), observed=np.ma.masked_invalid(y))


MODELS = (stochastic_volatility, autoregression, garch, walk_with_gaps)
