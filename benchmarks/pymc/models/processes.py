"""Gaussian processes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pymc as pm


def latent_process(data: np.random.Generator) -> Any:
    """Counts over a process at 60 points: a Cholesky factor and its gradient."""
    x = np.linspace(0, 10, 60)[:, None]
    length, scale = pm.Gamma("length", 2, 1), pm.HalfNormal("scale", 2)
    f = pm.gp.Latent(cov_func=scale**2 * pm.gp.cov.Matern52(1, length)).prior("f", X=x)
    return pm.Poisson("y", pm.math.exp(f), observed=data.poisson(2, 60))


def marginal_process(data: np.random.Generator) -> Any:
    """The process integrated out: a factor, triangular systems, diagonals."""
    x = np.linspace(0, 10, 60)[:, None]
    length, scale = pm.Gamma("length", 2, 1), pm.HalfNormal("scale", 2)
    process = pm.gp.Marginal(cov_func=scale**2 * pm.gp.cov.ExpQuad(1, length))
    return process.marginal_likelihood("y", X=x, y=np.sin(x[:, 0]), sigma=pm.HalfNormal("noise", 1))


def sparse_process(data: np.random.Generator) -> Any:
    """The process by 10 inducing points: two factors, products of tall matrices."""
    x = np.linspace(0, 10, 150)[:, None]
    length, scale = pm.Gamma("length", 2, 1), pm.HalfNormal("scale", 2)
    process = pm.gp.MarginalApprox(cov_func=scale**2 * pm.gp.cov.ExpQuad(1, length), approx="VFE")
    y, points = np.sin(x[:, 0]) + 0.1 * data.normal(size=150), np.linspace(0, 10, 10)[:, None]
    return process.marginal_likelihood("y", X=x, Xu=points, y=y, sigma=pm.HalfNormal("noise", 1))


def hilbert_space_process(data: np.random.Generator) -> Any:
    """The process by sines: a spectral density, products."""
    x = np.linspace(0, 5, 200)[:, None]
    length, scale = pm.InverseGamma("length", 3, 2), pm.Exponential("scale", 1)
    process = pm.gp.HSGP(m=[25], c=1.5, cov_func=scale**2 * pm.gp.cov.Matern52(1, ls=length))
    return pm.Normal("y", process.prior("f", X=x), pm.HalfNormal("noise", 1), observed=np.sin(x[:, 0]))


MODELS = (latent_process, marginal_process, sparse_process, hilbert_space_process)
