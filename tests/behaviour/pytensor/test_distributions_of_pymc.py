"""Each of PyMC's distributions: density and gradient by our compiler without steps of Python's, and its draws."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pm = pytest.importorskip("pymc")

from judge import PYTHON, compared, densities  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")
W = np.array([[0, 1, 1], [1, 0, 0], [1, 0, 0.0]])
COV = np.array([[2.0, 0.5], [0.5, 1.0]])
DISTRIBUTIONS: dict[str, Any] = dict(
    AsymmetricLaplace=dict(b=1.0, kappa=2.0, mu=0.5), Beta=dict(alpha=2.0, beta=3.0), Cauchy=dict(alpha=0.5, beta=2.0),
    ChiSquared=dict(nu=3.0), ExGaussian=dict(mu=0.5, sigma=1.0, nu=2.0), Exponential=dict(lam=2.0), Flat=dict(),
    Gamma=dict(alpha=2.0, beta=3.0), Gumbel=dict(mu=0.5, beta=2.0), HalfCauchy=dict(beta=2.0), HalfFlat=dict(),
    HalfNormal=dict(sigma=2.0), HalfStudentT=dict(nu=3.0, sigma=2.0), InverseGamma=dict(alpha=3.0, beta=2.0),
    Interpolated=dict(x_points=np.linspace(-3, 3, 20), pdf_points=np.exp(-np.linspace(-3, 3, 20) ** 2)),
    Kumaraswamy=dict(a=2.0, b=3.0), Laplace=dict(mu=0.5, b=2.0), Logistic=dict(mu=0.5, s=2.0), LogitNormal=dict(mu=0.5, sigma=1.0),
    LogNormal=dict(mu=0.5, sigma=1.0), Moyal=dict(mu=0.5, sigma=1.0), Normal=dict(mu=0.5, sigma=2.0), Pareto=dict(alpha=2.0, m=1.0),
    Rice=dict(nu=2.0, sigma=1.0), SkewNormal=dict(mu=0.5, sigma=1.0, alpha=2.0),
    SkewStudentT=dict(a=2.0, b=3.0, mu=0.5, sigma=1.0), StudentT=dict(nu=3.0, mu=0.5, sigma=2.0),
    Triangular=dict(lower=0.0, c=0.4, upper=1.0), TruncatedNormal=dict(mu=0.5, sigma=1.0, lower=0.0, upper=2.0),
    Uniform=dict(lower=-1.0, upper=2.0), VonMises=dict(mu=0.5, kappa=2.0), Wald=dict(mu=1.0, lam=2.0), Weibull=dict(alpha=2.0, beta=1.5),
    MvNormal=dict(mu=np.zeros(2), cov=COV), MvStudentT=dict(nu=3.0, mu=np.zeros(2), scale=COV), Dirichlet=dict(a=np.array([1.0, 2, 3])),
    LKJCorr=dict(n=3, eta=2.0), MatrixNormal=dict(mu=np.zeros((2, 2)), rowcov=COV, colcov=COV + np.eye(2)),
    KroneckerNormal=dict(mu=np.zeros(4), covs=[COV, COV + np.eye(2)]), CAR=dict(mu=np.zeros(3), W=W, alpha=0.5, tau=1.0),
    ICAR=dict(W=W), StickBreakingWeights=dict(alpha=2.0, K=3), ZeroSumNormal=dict(sigma=1.0, shape=(4,)),
    GaussianRandomWalk=dict(mu=0.1, sigma=1.0, shape=(5,)), AR=dict(rho=[0.5, 0.2], sigma=1.0, shape=(6,)),
    GARCH11=dict(omega=1.0, alpha_1=0.3, beta_1=0.5, initial_vol=0.1, shape=(5,)), MvGaussianRandomWalk=dict(mu=np.zeros(2), cov=COV, shape=(4, 2)),
    EulerMaruyama=dict(dt=0.1, sde_fn=lambda x, a: (-a * x, 0.3), sde_pars=(0.7,), shape=(6,)),
)  # fmt: skip
DISCRETE: dict[str, tuple[dict[str, Any], Any]] = dict(
    Bernoulli=(dict(p=0.3), 1), BetaBinomial=(dict(alpha=2.0, beta=3.0, n=9), 4), Binomial=(dict(n=9, p=0.3), 4), Categorical=(dict(p=[0.2, 0.3, 0.5]), 1),
    DiscreteUniform=(dict(lower=0, upper=9), 4), DiscreteWeibull=(dict(q=0.9, beta=1.1), 3), Geometric=(dict(p=0.3), 3),
    HyperGeometric=(dict(N=20, k=7, n=6), 3), NegativeBinomial=(dict(mu=3.0, alpha=2.0), 4), OrderedLogistic=(dict(eta=0.3, cutpoints=[-1.0, 0, 1]), 2),
    OrderedProbit=(dict(eta=0.3, cutpoints=[-1.0, 0, 1]), 2), Poisson=(dict(mu=3.0), 4), ZeroInflatedPoisson=(dict(psi=0.6, mu=3.0), 0),
    ZeroInflatedBinomial=(dict(psi=0.6, n=9, p=0.3), 0), ZeroInflatedNegativeBinomial=(dict(psi=0.6, mu=3.0, alpha=2.0), 2),
    HurdlePoisson=(dict(psi=0.6, mu=3.0), 0), HurdleNegativeBinomial=(dict(psi=0.6, mu=3.0, alpha=2.0), 2),
    Multinomial=(dict(n=6, p=[0.2, 0.3, 0.5]), [1, 2, 3]), DirichletMultinomial=(dict(n=6, a=[1.0, 2, 3]), [1, 2, 3]),
    OrderedMultinomial=(dict(eta=0.3, cutpoints=[-1.0, 1.0], n=6), [1, 2, 3]), Wishart=(dict(nu=4, V=COV), COV + np.eye(2)),
)  # fmt: skip
CONTINUOUS = {name: options for name, options in DISTRIBUTIONS.items() if hasattr(pm, name)}
LIMITED = {name: pair for name, pair in DISCRETE.items() if hasattr(pm, name)}


@pytest.mark.parametrize("name", CONTINUOUS)
def test_density_and_gradient(name: str) -> None:
    """Of the value, and of a scale that the value's sum is multiplied by."""
    with pm.Model() as model:
        v = getattr(pm, name)("v", **CONTINUOUS[name])
        pm.Normal("seen", v.sum() * pm.Normal("slope", 0, 1), 1, observed=0.3)
    compared(densities(model))


@pytest.mark.parametrize("name", LIMITED)
def test_density_of_observed_values(name: str) -> None:
    """And its gradient by the parameters that are numbers."""
    options, value = LIMITED[name]
    with pm.Model() as model:
        factor = pm.Normal("factor", 0, 0.1)
        more = {k: o * (1 + 0.01 * factor) if isinstance(o, float) else o for k, o in options.items()}
        extra = {"compute_p": False} if name.startswith("Ordered") else {}
        getattr(pm, name)("v", **more, **extra, observed=np.asarray(value))
    compared(densities(model))


@pytest.mark.parametrize("name", [n for n in (*CONTINUOUS, *LIMITED) if n not in ("Flat", "HalfFlat", "ICAR")])
def test_draws(name: str) -> None:
    options = CONTINUOUS[name] if name in CONTINUOUS else LIMITED[name][0]
    variable = getattr(pm, name).dist(**options)
    one, two = (pm.draw(variable, draws=4, random_seed=7, mode=mode) for mode in ("TENSORDSL", PYTHON))
    np.testing.assert_allclose(one, two, rtol=1e-9, atol=1e-12)
