"""Distributions: each against SciPy's, by Kolmogorov and Smirnov's or the chi-square test, with fixed seeds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

import tensordsl
import tensordsl.tensor as T
from tensordsl.ops.random.distributions import ALIASES, DISTRIBUTIONS
from tensordsl.tensor.shared_randomstreams import RandomStreams

N = 20_000

# name: (method, parameters, SciPy's distribution)
CONTINUOUS: dict[str, tuple[str, tuple[Any, ...], Any]] = {
    "uniform": ("uniform", (-1.0, 3.0), stats.uniform(-1, 4)),
    "random": ("random", (), stats.uniform()),
    "normal": ("normal", (2.0, 0.5), stats.norm(2, 0.5)),
    "standard_normal": ("standard_normal", (), stats.norm()),
    "halfnormal": ("halfnormal", (1.0, 2.0), stats.halfnorm(1, 2)),
    "lognormal": ("lognormal", (0.5, 0.7), stats.lognorm(0.7, scale=np.exp(0.5))),
    "truncnorm": ("truncnorm", (-1.0, 2.5, 3.0, 2.0), stats.truncnorm(-1, 2.5, 3, 2)),
    "truncnorm of a tail": ("truncnorm", (5.0, np.inf), stats.truncnorm(5, np.inf)),
    "truncnorm of a short interval far below": ("truncnorm", (-40.0, -39.9), stats.truncnorm(-40, -39.9)),
    "truncnorm to the right": ("truncnorm", (0.5, 9.0), stats.truncnorm(0.5, 9)),
    "truncnorm of everything": ("truncnorm", (-np.inf, np.inf), stats.norm()),
    "exponential": ("exponential", (2.5,), stats.expon(scale=2.5)),
    "standard_exponential": ("standard_exponential", (), stats.expon()),
    "truncexpon": ("truncexpon", (3.0, 1.0, 2.0), stats.truncexpon(3, 1, 2)),
    "gumbel": ("gumbel", (1.0, 2.0), stats.gumbel_r(1, 2)),
    "laplace": ("laplace", (1.0, 2.0), stats.laplace(1, 2)),
    "logistic": ("logistic", (1.0, 2.0), stats.logistic(1, 2)),
    "cauchy": ("cauchy", (1.0, 2.0), stats.cauchy(1, 2)),
    "halfcauchy": ("halfcauchy", (1.0, 2.0), stats.halfcauchy(1, 2)),
    "pareto": ("pareto", (3.0, 2.0), stats.pareto(3, scale=2)),
    "power": ("power", (3.0,), stats.powerlaw(3)),
    "rayleigh": ("rayleigh", (2.0,), stats.rayleigh(scale=2)),
    "weibull": ("weibull", (1.7,), stats.weibull_min(1.7)),
    "triangular": ("triangular", (-1.0, 0.5, 3.0), stats.triang(1.5 / 4, -1, 4)),
    "wald": ("wald", (2.0, 3.0), stats.invgauss(2 / 3, scale=3)),
    "vonmises": ("vonmises", (0.5, 2.0), stats.vonmises(2.0, 0.5)),
    "vonmises, narrow": ("vonmises", (0.0, 3e6), stats.norm(0, 3e6**-0.5)),
    "vonmises, flat": ("vonmises", (0.0, 0.0), stats.uniform(-np.pi, 2 * np.pi)),
    "standard_cauchy": ("standard_cauchy", (), stats.cauchy()),
    "noncentral_f": ("noncentral_f", (3.0, 9.0, 2.0), stats.ncf(3, 9, 2)),
    "asymmetric_laplace": ("asymmetric_laplace", (2.0, 1.5, 0.5), stats.laplace_asymmetric(1.5, 0.5, 1 / 2.0)),
    "skewnormal": ("skewnormal", (1.0, 2.0, -3.0), stats.skewnorm(-3, 1, 2)),
    "exgaussian": ("exgaussian", (1.0, 0.5, 2.0), stats.exponnorm(4.0, 1, 0.5)),
    "kumaraswamy with one shape": ("kumaraswamy", (2.5, 1.0), stats.powerlaw(2.5)),
    "kumaraswamy": ("kumaraswamy", (1.0, 2.5), stats.beta(1, 2.5)),
    "moyal": ("moyal", (1.0, 2.0), stats.moyal(1, 2)),
    "gamma": ("gamma", (2.5, 2.0), stats.gamma(2.5, scale=2)),
    "gamma of a large shape": ("gamma", (1e6,), stats.gamma(1e6)),
    "standard_gamma": ("standard_gamma", (0.3,), stats.gamma(0.3)),
    "invgamma": ("invgamma", (2.5, 2.0), stats.invgamma(2.5, scale=2)),
    "gengamma": ("gengamma", (3.0, 2.0, 1.5), stats.gengamma(3.0 / 2.0, 2.0, scale=1.5)),
    "chisquare": ("chisquare", (3.0,), stats.chi2(3)),
    "noncentral_chisquare": ("noncentral_chisquare", (3.0, 2.0), stats.ncx2(3, 2)),
    "f": ("f", (3.0, 5.0), stats.f(3, 5)),
    "t": ("t", (4.0, 1.0, 2.0), stats.t(4, 1, 2)),
    "standard_t": ("standard_t", (1.5,), stats.t(1.5)),
    "beta": ("beta", (2.0, 3.0), stats.beta(2, 3)),
}
COUNTS: dict[str, tuple[str, tuple[Any, ...], Any]] = {
    "bernoulli": ("bernoulli", (0.3,), stats.bernoulli(0.3)),
    "binomial": ("binomial", (20, 0.3), stats.binom(20, 0.3)),
    "binomial, large": ("binomial", (10**9, 0.3), stats.binom(10**9, 0.3)),
    "binomial, rare": ("binomial", (10**9, 1e-9), stats.binom(10**9, 1e-9)),
    "binomial, nearly sure": ("binomial", (50, 0.97), stats.binom(50, 0.97)),
    "betabinom": ("betabinom", (30, 2.0, 3.0), stats.betabinom(30, 2, 3)),
    "poisson": ("poisson", (3.5,), stats.poisson(3.5)),
    "poisson, rare": ("poisson", (1e-3,), stats.poisson(1e-3)),
    "poisson, large": ("poisson", (1e8,), stats.poisson(1e8)),
    "geometric": ("geometric", (0.2,), stats.geom(0.2)),
    "negative_binomial": ("negative_binomial", (3.5, 0.4), stats.nbinom(3.5, 0.4)),
    "hypergeometric": ("hypergeometric", (30, 40, 35), stats.hypergeom(70, 30, 35)),
    "hypergeometric of a small sample": ("hypergeometric", (40, 30, 5), stats.hypergeom(70, 40, 5)),
    "hypergeometric of nearly all": ("hypergeometric", (40, 30, 65), stats.hypergeom(70, 40, 65)),
    "hypergeometric, large": ("hypergeometric", (10**8, 3 * 10**8, 10**6), stats.hypergeom(4 * 10**8, 10**8, 10**6)),
    "logseries": ("logseries", (0.7,), stats.logser(0.7)),
    "zipf": ("zipf", (2.5,), stats.zipf(2.5)),
    "discrete_weibull": (
        "discrete_weibull",
        (0.8, 1.0),
        stats.geom(0.2, loc=-1),
    ),
    "integers": ("integers", (-3, 4), stats.randint(-3, 4)),
    "categorical": ("categorical", ([0.2, 0.0, 0.5, 0.3],), stats.rv_discrete(values=([0, 2, 3], [0.2, 0.5, 0.3]))),
}
VECTORS = {
    "dirichlet", "multivariate_normal", "multinomial", "multivariate_hypergeometric", "matrix_normal", "wishart",
}  # fmt: skip


def draw(method: str, parameters: tuple[Any, ...], seed: int = 11, **options: Any) -> Any:
    return tensordsl.function([], getattr(RandomStreams(seed), method)((N,), *parameters, **options))()


def test_every_distribution_is_tested() -> None:
    tested = {method for cases in (CONTINUOUS, COUNTS) for method, _, _ in cases.values()} | VECTORS
    assert tested == set(DISTRIBUTIONS) and set(ALIASES.values()) <= tested


@pytest.mark.parametrize("name", CONTINUOUS)
def test_continuous(name: str) -> None:
    method, parameters, law = CONTINUOUS[name]
    x = draw(method, parameters)
    assert x.dtype == "float64" and np.isfinite(x).all()
    assert stats.kstest(x, law.cdf).pvalue > 0.005
    if np.isfinite(law.var()) and method != "vonmises":  # whose mean is that of angles
        assert abs(x.mean() - law.mean()) < 5 * law.std() / N**0.5


def check_counts(x: Any, law: Any) -> None:
    """By the chi-square test over up to 40 intervals of the usual values."""
    low, high = (int(v) for v in law.ppf([1e-3, 1 - 1e-3]))
    edges = np.unique(np.linspace(low - 1, high, min(40, high - low + 2)).astype("int64"))
    wanted = np.diff(law.cdf(edges)) * len(x)
    found = np.histogram(x, edges + 0.5)[0]
    kept = wanted > 8
    assert kept.sum() > 0
    chi = ((found - wanted)[kept] ** 2 / wanted[kept]).sum()
    rest, wanted_rest = len(x) - found[kept].sum(), len(x) - wanted[kept].sum()
    if wanted_rest > 8:
        chi += (rest - wanted_rest) ** 2 / wanted_rest
    assert stats.chi2.sf(chi, max(1, int(kept.sum()) - (wanted_rest <= 8))) > 0.005


@pytest.mark.parametrize("name", COUNTS)
def test_counts(name: str) -> None:
    method, parameters, law = COUNTS[name]
    x = draw(method, parameters)
    assert x.dtype == "int64"
    check_counts(x, law)


@pytest.mark.parametrize("shape", [1e-3, 0.05, 1.0, 1e6])
def test_gamma_of_extreme_shapes(shape: float) -> None:
    """Above the smallest floats, where those of shape 1e-3 are not 0."""
    x, law, least = draw("gamma", (shape,)), stats.gamma(shape), 1e-300
    above = x[x > least]
    assert (x >= 0).all() and abs(len(above) / N - law.sf(least)) < 3 / N**0.5
    assert stats.kstest(above, lambda v: (law.cdf(v) - law.cdf(least)) / law.sf(least)).pvalue > 0.005


def test_beta_of_small_shapes() -> None:
    """Numbers are next to 0 and 1, none is nan."""
    x, law = draw("beta", (0.01, 0.02)), stats.beta(0.01, 0.02)
    for limit in (1e-200, 1e-20, 0.5):
        assert abs((x < limit).mean() - law.cdf(limit)) < 3 / N**0.5
    y = draw("beta", (1e-5, 1e-5))
    assert abs(y.mean() - 0.5) < 3 / N**0.5 and ((y >= 0) & (y <= 1)).all()


def test_dirichlet() -> None:
    alphas = np.array([0.5, 2.0, 3.5])
    x = draw("dirichlet", (alphas,))
    assert x.shape == (N, 3)
    np.testing.assert_allclose(x.sum(1), 1)
    for k, a in enumerate(alphas):
        assert stats.kstest(x[:, k], stats.beta(a, alphas.sum() - a).cdf).pvalue > 0.005
    assert np.isfinite(draw("dirichlet", (np.full(3, 1e-5),))).all()


@pytest.mark.parametrize("n", [1, 7, 5000])
def test_multinomial(n: int) -> None:
    p = np.array([0.1, 0.0, 0.6, 0.3])
    x = draw("multinomial", (n, p))
    assert x.shape == (N, 4) and (x.sum(1) == n).all() and not x[:, 1].any()
    for k in (0, 2, 3):
        check_counts(x[:, k], stats.binom(n, p[k]))
    assert abs(np.cov(x[:, 0], x[:, 2])[0, 1] + n * 0.06) < 5 * n * 0.3 / N**0.5


def test_multivariate_hypergeometric() -> None:
    colors = np.array([10, 0, 25, 15])
    x = draw("multivariate_hypergeometric", (colors, 20))
    assert x.shape == (N, 4) and (x.sum(1) == 20).all() and (x <= colors).all()
    for k in (0, 2, 3):
        check_counts(x[:, k], stats.hypergeom(50, colors[k], 20))


def test_multivariate_normal() -> None:
    mean, cov = np.array([1.0, -2.0]), np.array([[2.0, 0.8], [0.8, 1.0]])
    x = draw("multivariate_normal", (mean, cov))
    white = np.linalg.solve(np.linalg.cholesky(cov), (x - mean).T)
    for row in (*white, white.sum(0) / 2**0.5):
        assert stats.kstest(row, stats.norm().cdf).pvalue > 0.005
    covs = np.stack([cov, np.eye(2)])
    several = tensordsl.function([], RandomStreams(2).multivariate_normal((N, 2), mean, covs))()
    assert several.shape == (N, 2, 2)
    np.testing.assert_allclose(np.cov(several[:, 1].T), np.eye(2), atol=0.05)


def test_matrix_normal() -> None:
    mean, rows = np.arange(6.0).reshape(2, 3), np.array([[2.0, 0.5], [0.5, 1.0]])
    columns = np.array([[1.0, 0.2, 0.0], [0.2, 2.0, 0.3], [0.0, 0.3, 0.5]])
    x = draw("matrix_normal", (mean, rows, columns))
    assert x.shape == (N, 2, 3)
    factor = np.linalg.cholesky(np.kron(rows, columns))
    white = np.linalg.solve(factor, (x - mean).reshape(N, 6).T)
    for row in (*white, white.sum(0) / 6**0.5):
        assert stats.kstest(row, stats.norm().cdf).pvalue > 0.005


def test_wishart() -> None:
    scale, df = np.array([[2.0, 0.5], [0.5, 1.0]]), 5.5
    x = draw("wishart", (df, scale))
    assert x.shape == (N, 2, 2) and np.array_equal(x, x.transpose(0, 2, 1))
    assert stats.kstest(x[:, 0, 0] / 2.0, stats.chi2(df).cdf).pvalue > 0.005
    inner = 1 / np.linalg.inv(x)[:, 1, 1] * np.linalg.inv(scale)[1, 1]  # chi-square of df - 1
    assert stats.kstest(inner, stats.chi2(df - 1).cdf).pvalue > 0.005
    np.testing.assert_allclose(x.mean(0), df * scale, atol=0.15)


def test_integers_of_large_ranges() -> None:
    streams = RandomStreams(3)
    low, high = -(2**62), 2**62 + 3
    x = tensordsl.function([], streams.integers((N,), low, high))()
    assert x.min() >= low and x.max() < high and stats.kstest(x / 2.0**62, stats.uniform(-1, 2).cdf).pvalue > 0.005


def test_draws_of_one_expression_are_independent() -> None:
    """Also the numbers of which one draw is made."""
    s = RandomStreams(8)
    x = tensordsl.function([], T.stack([s.normal((N,)), s.normal((N,)), s.beta((N,), 2.0, 3.0), s.t((N,), 50.0)]))()
    assert np.abs(np.corrcoef(x) - np.eye(4)).max() < 5 / N**0.5
