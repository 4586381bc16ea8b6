"""Programs of linear algebra as users write them, against SciPy and NumPy, or by a property."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.linalg
import scipy.stats

import tensordsl as theano
import tensordsl.tensor as T
from tensordsl.tensor import linalg, nlinalg, slinalg

Array = np.ndarray[Any, Any]


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(11)


def close(got: Any, want: Any, rtol: float = 1e-9, atol: float = 1e-11) -> None:
    np.testing.assert_allclose(got, want, rtol, atol)


def slopes(function: Callable[[Array], Any], at: Array, h: float = 1e-6) -> Array:
    """The gradient by central differences."""
    found = np.zeros_like(at)
    for place in np.ndindex(at.shape):
        step = np.zeros_like(at)
        step[place] = h
        found[place] = (function(at + step) - function(at - step)) / (2 * h)
    return found


# -- Gaussian processes ------------------------------------------------------------------------------------------------
def squared_exponential(m: Any, r: Any, length: Any) -> Any:
    return m.exp(-0.5 * (r / length) ** 2)


def matern(m: Any, r: Any, length: Any) -> Any:
    s = 5**0.5 * m.sqrt(r**2 + 1e-12) / length
    return (1 + s + s**2 / 3) * m.exp(-s)


def periodic(m: Any, r: Any, length: Any) -> Any:
    return m.exp(-2 * m.sin(r) ** 2 / length**2)


def rational(m: Any, r: Any, length: Any) -> Any:
    return 1 / (1 + r**2 / (2 * length**2))


@pytest.mark.parametrize("kernel", [squared_exponential, matern, periodic, rational])
def test_the_marginal_likelihood_of_a_gaussian_process(kernel: Any, rng: np.random.Generator) -> None:
    """By a factor, by a solve and a determinant, by an inverse: all three are one number with one gradient."""
    x, y, log_length = T.dvectors("x", "y", "log_length")
    k = kernel(T, x[:, None] - x[None, :], T.exp(log_length[0])) + T.exp(log_length[1]) * T.eye(x.shape[0])
    factor = slinalg.cholesky(k)
    white = slinalg.solve_lower_triangular(factor, y)
    constant = 0.5 * x.shape[0] * np.log(2 * np.pi)
    values = [
        -0.5 * T.sum(white**2) - T.sum(T.log(T.diag(factor))) - constant,
        -0.5 * T.dot(y, linalg.solve(k, y)) - 0.5 * linalg.slogdet(k)[1] - constant,
        -0.5 * T.dot(y, T.dot(nlinalg.matrix_inverse(k), y)) - 0.5 * T.log(nlinalg.det(k)) - constant,
    ]
    f = theano.function([x, y, log_length], [*values, *(T.grad(v, log_length) for v in values)])

    def likelihood(given: Array) -> Any:
        cov = kernel(np, at[:, None] - at[None], np.exp(given[0])) + np.exp(given[1]) * np.eye(len(at))
        return scipy.stats.multivariate_normal.logpdf(seen, np.zeros(len(at)), cov)

    at, seen, given = rng.normal(size=12), rng.normal(size=12), np.array([0.2, -1.0])
    found = f(at, seen, given)
    for got in found[:3]:
        close(got, likelihood(given))
    for got in found[3:]:
        close(got, slopes(likelihood, given), 1e-5)


def test_the_curvature_of_a_likelihood(rng: np.random.Generator) -> None:
    x, y, logs = T.dvectors("x", "y", "logs")
    k = T.exp(-0.5 * T.sqr(x[:, None] - x[None, :]) * T.exp(-2 * logs[0])) + T.exp(logs[1]) * T.eye(x.shape[0])
    cost = 0.5 * T.dot(y, linalg.solve(k, y)) + 0.5 * linalg.slogdet(k)[1]
    by_factor = 0.5 * T.sum(linalg.solve_triangular(linalg.cholesky(k), y, lower=True) ** 2) + T.sum(
        T.log(T.diag(linalg.cholesky(k)))
    )
    outputs = [T.grad(cost, logs), theano.gradient.hessian(cost, logs), theano.gradient.hessian(by_factor, logs)]
    f = theano.function([x, y, logs], outputs)
    at, seen, given = rng.normal(size=6), rng.normal(size=6), np.array([0.1, -0.7])
    gradient, curvature, other = f(at, seen, given)
    differences = [(f(at, seen, given + 1e-5 * e)[0] - f(at, seen, given - 1e-5 * e)[0]) / 2e-5 for e in np.eye(2)]
    close(curvature, differences, 1e-6)
    close(other, curvature, 1e-8)
    assert gradient.shape == (2,)


def test_a_sparse_gaussian_process_by_inducing_points(rng: np.random.Generator) -> None:
    """Woodbury's identity and the determinant lemma: the value of the full matrix from small ones."""
    x, z, y = T.dvectors("x", "z", "y")

    def k(a: Any, b: Any) -> Any:
        return T.exp(-0.5 * T.sqr(a[:, None] - b[None, :]))

    inner, cross, noise = k(z, z) + 1e-6 * T.eye(z.shape[0]), k(z, x), 0.3
    root = linalg.solve_triangular(linalg.cholesky(inner), cross, lower=True)
    small = T.eye(z.shape[0]) + T.dot(root, root.T) / noise
    factor = linalg.cholesky(small)
    white = linalg.solve_triangular(factor, T.dot(root, y), lower=True) / noise
    quadratic = T.dot(y, y) / noise - T.dot(white, white)
    size = 2 * T.sum(T.log(T.diag(factor))) + x.shape[0] * np.log(noise)
    f = theano.function([x, z, y], [quadratic, size])
    at, places, seen = rng.normal(size=20), rng.normal(size=5), rng.normal(size=20)
    m = np.exp(-0.5 * (places[:, None] - places[None]) ** 2) + 1e-6 * np.eye(5)
    c = np.exp(-0.5 * (places[:, None] - at[None]) ** 2)
    full = c.T @ np.linalg.solve(m, c) + noise * np.eye(20)
    close(f(at, places, seen), [seen @ np.linalg.solve(full, seen), np.linalg.slogdet(full)[1]], 1e-6)


# -- normal distributions ----------------------------------------------------------------------------------------------
def test_densities_of_many_normal_distributions(rng: np.random.Generator) -> None:
    """A batch of covariances, each with a point of its own."""
    x, mean = T.dmatrices("x", "mean")
    cov = T.dtensor3("cov")
    factor = linalg.cholesky(cov)
    white = linalg.solve_triangular(factor, (x - mean)[:, :, None], lower=True)[:, :, 0]
    diagonals = T.diagonal(factor, 0, 1, 2)
    value = -0.5 * T.sum(white**2, 1) - T.sum(T.log(diagonals), 1) - 0.5 * x.shape[1] * np.log(2 * np.pi)
    f = theano.function([x, mean, cov], [value, *T.grad(value.sum(), [x, mean, cov])])
    halves = rng.normal(size=(5, 3, 3))
    at, centres, covs = rng.normal(size=(5, 3)), rng.normal(size=(5, 3)), halves @ halves.swapaxes(1, 2) + np.eye(3)
    got, of_x, of_mean, of_cov = f(at, centres, covs)
    for k in range(5):
        close(got[k], scipy.stats.multivariate_normal.logpdf(at[k], centres[k], covs[k]))
        inverse = np.linalg.inv(covs[k])
        a = inverse @ (at[k] - centres[k])
        close(of_x[k], -a)
        close(of_mean[k], a)
        symmetric = 0.5 * (np.outer(a, a) - inverse)  # along symmetric directions
        along = rng.normal(size=(3, 3))
        along = along + along.T
        close(np.sum(of_cov[k] * along), np.sum(symmetric * along), 1e-8)


def test_mahalanobis_distances_in_batches(rng: np.random.Generator) -> None:
    x, cov = T.dtensor3("x"), T.dtensor3("cov")
    by_solve = T.sum(x * linalg.solve(cov, x.dimshuffle(0, 2, 1)).dimshuffle(0, 2, 1), axis=2)
    by_factor = T.sum(linalg.solve_triangular(linalg.cholesky(cov), x.dimshuffle(0, 2, 1), lower=True) ** 2, axis=1)
    by_inverse = T.sum(T.batched_dot(x, linalg.inv(cov)) * x, axis=2)
    f = theano.function([x, cov], [by_solve, by_factor, by_inverse])
    halves, points = rng.normal(size=(4, 3, 3)), rng.normal(size=(4, 7, 3))
    covs = halves @ halves.swapaxes(1, 2) + np.eye(3)
    want = np.einsum("bni,bij,bnj->bn", points, np.linalg.inv(covs), points)
    for got in f(points, covs):
        close(got, want)


def test_a_correlation_matrix_from_free_numbers(rng: np.random.Generator) -> None:
    """Partial correlations by tanh, row by row (Lewandowski, Kurowicka and Joe, 2009): a factor with rows of length 1."""
    free, n = T.dvector("free"), 4
    z, rows, k = T.tanh(free), [T.stack([T.constant(1.0), *[T.constant(0.0)] * 3])], 0
    for i in range(1, n):
        left, row = T.constant(1.0), []
        for _ in range(i):
            row.append(z[k] * T.sqrt(left))
            left, k = left * (1 - z[k] ** 2), k + 1
        rows.append(T.stack([*row, T.sqrt(left), *[T.constant(0.0)] * (n - i - 1)]))
    factor = T.tril(T.stack(rows))
    correlations = T.dot(factor, factor.T)
    size = linalg.slogdet(correlations)[1]
    f = theano.function([free], [correlations, size, T.grad(size, free), linalg.cholesky(correlations)])
    at = rng.normal(size=6)
    found, value, gradient, again = f(at)
    close(np.diag(found), np.ones(4))
    assert (np.linalg.eigvalsh(found) > 0).all()
    close(value, np.linalg.slogdet(found)[1])
    close(gradient, slopes(lambda v: f(v)[1], at), 1e-6)
    close(again, np.linalg.cholesky(found))


def test_a_kalman_filter_by_scan(rng: np.random.Generator) -> None:
    move, see = np.array([[1.0, 1], [0, 0.9]]), np.array([[1.0, 0.3]])
    y, logs = T.dmatrix("y"), T.dvector("logs")

    def step(seen: Any, mean: Any, cov: Any, logs: Any) -> Any:
        mean, cov = T.dot(move, mean), T.dot(T.dot(move, cov), move.T) + T.exp(logs[0]) * np.eye(2)
        spread, error = T.dot(T.dot(see, cov), see.T) + T.exp(logs[1]) * np.eye(1), seen - T.dot(see, mean)
        gain = T.dot(T.dot(cov, see.T), linalg.inv(spread))
        density = -0.5 * (T.dot(error, linalg.solve(spread, error)) + linalg.slogdet(2 * np.pi * spread)[1])
        return mean + T.dot(gain, error), cov - T.dot(T.dot(gain, see), cov), density

    (_, _, densities), _ = theano.scan(step, [y], [T.zeros(2), T.eye(2), None], [logs])
    f = theano.function([y, logs], [densities.sum(), T.grad(densities.sum(), logs)])
    seen, at = rng.normal(size=(15, 1)), np.array([-0.5, 0.2])

    def likelihood(given: Array) -> Any:
        """All of it as one normal distribution."""
        n = len(seen)
        powers = [np.linalg.matrix_power(move, k) for k in range(n + 1)]
        covs = [powers[t] @ powers[t].T for t in range(n + 1)]
        for t in range(1, n + 1):
            covs[t] = move @ covs[t - 1] @ move.T + np.exp(given[0]) * np.eye(2)
        full = np.empty((n, n))
        for i in range(n):
            for j in range(n):
                low, high = min(i, j) + 1, max(i, j) + 1
                full[i, j] = (see @ powers[high - low] @ covs[low] @ see.T)[0, 0]
        return scipy.stats.multivariate_normal.logpdf(seen[:, 0], np.zeros(n), full + np.exp(given[1]) * np.eye(n))

    value, gradient = f(seen, at)
    close(value, likelihood(at))
    close(gradient, slopes(likelihood, at), 1e-5)


# -- regression --------------------------------------------------------------------------------------------------------
def test_least_squares_four_times(rng: np.random.Generator) -> None:
    x, y = T.dmatrix("x"), T.dvector("y")
    q, r = linalg.qr(x)
    u, s, vh = linalg.svd(x, full_matrices=False)
    outputs = [
        linalg.lstsq(x, y)[0],
        linalg.solve(T.dot(x.T, x), T.dot(x.T, y)),
        linalg.solve_triangular(r, T.dot(q.T, y), lower=False),
        T.dot(vh.T, T.dot(u.T, y) / s),
        T.dot(linalg.pinv(x), y),
    ]
    data, target = rng.normal(size=(20, 4)), rng.normal(size=20)
    want = np.linalg.lstsq(data, target, rcond=None)[0]
    for got in theano.function([x, y], outputs)(data, target):
        close(got, want, 1e-8)


def test_weighted_ridge_regression_and_its_leverages(rng: np.random.Generator) -> None:
    x, y, w = T.dmatrix("x"), T.dvector("y"), T.dvector("w")
    weighted = T.dot(x.T, T.dot(T.diag(w), x)) + 0.5 * T.eye(x.shape[1])
    beta = T.dot(linalg.inv(weighted), T.dot(x.T, w * y))
    hat = T.dot(x, T.dot(linalg.inv(weighted), T.dot(x.T, T.diag(w))))
    f = theano.function([x, y, w], [beta, T.diag(hat), T.trace(hat)])
    data, target, weights = rng.normal(size=(9, 3)), rng.normal(size=9), rng.uniform(0.5, 2, 9)
    a = data.T @ (weights[:, None] * data) + 0.5 * np.eye(3)
    full = data @ np.linalg.solve(a, data.T * weights)
    got = f(data, target, weights)
    close(got[0], np.linalg.solve(a, data.T @ (weights * target)))
    close(got[1], np.diag(full))
    close(got[2], np.trace(full))


def test_laplaces_approximation_of_logistic_regression(rng: np.random.Generator) -> None:
    """Newton's steps to the most probable weights, then the evidence by the determinant of the curvature."""
    x, y, start = T.dmatrix("x"), T.dvector("y"), T.dvector("start")

    def cost(w: Any) -> Any:
        return T.sum(T.nnet.softplus(T.dot(x, w)) - y * T.dot(x, w)) + 0.5 * T.dot(w, w)

    def curvature(w: Any) -> Any:
        p = T.nnet.sigmoid(T.dot(x, w))
        return T.dot(x.T, (p * (1 - p))[:, None] * x) + T.eye(x.shape[1])

    def newton(w: Any) -> Any:
        return w - linalg.solve(curvature(w), T.grad(cost(w), w), assume_a="pos")

    ws, _ = theano.scan(newton, outputs_info=[start], n_steps=8)
    mode = ws[-1]
    evidence = -cost(mode) - 0.5 * linalg.slogdet(curvature(mode))[1]
    f = theano.function([x, y, start], [mode, evidence, curvature(mode)])
    data, labels = rng.normal(size=(30, 3)), (rng.uniform(size=30) < 0.4).astype(float)
    best, value, bent = f(data, labels, np.zeros(3))
    p = 1 / (1 + np.exp(-data @ best))
    close(data.T @ (p - labels) + best, np.zeros(3), atol=1e-10)  # it is the mode
    loss = np.sum(np.logaddexp(0, data @ best) - labels * (data @ best)) + 0.5 * best @ best
    close(value, -loss - 0.5 * np.linalg.slogdet(bent)[1])


def test_a_natural_gradient(rng: np.random.Generator) -> None:
    """The mean and the log-scales of a normal distribution move by their Fisher information's inverse."""
    theta = theano.shared(np.array([2.0, -1.0]))
    data = T.dvector("data")
    mean, scale = theta[0], T.exp(theta[1])
    cost = T.mean(0.5 * ((data - mean) / scale) ** 2 + theta[1])
    information = T.diag(T.stack([1 / scale**2, 2 + 0 * scale]))
    step = T.dot(linalg.inv(information), T.grad(cost, theta))
    learn = theano.function([data], cost, updates=[(theta, theta - 0.5 * step)])
    seen = rng.normal(3, 0.7, size=500)
    for _ in range(80):
        learn(seen)
    close(theta.get_value(), [seen.mean(), np.log(seen.std())], 1e-5)


# -- orthogonal matrices -----------------------------------------------------------------------------------------------
def test_orthogonal_matrices_from_random_ones(rng: np.random.Generator) -> None:
    x = T.dmatrix("x")
    q, r = linalg.qr(x)
    unique = q * T.sgn(T.diag(r))
    u, _, vh = linalg.svd(x, full_matrices=False)
    f = theano.function([x], [unique, T.dot(u, vh), linalg.inv(T.dot(u, vh)), linalg.slogdet(q)[1]])
    value = rng.normal(size=(6, 6))
    by_qr, polar, inverse, size = f(value)
    for found in (by_qr, polar):
        close(found.T @ found, np.eye(6), atol=1e-12)
    close(polar, scipy.linalg.polar(value)[0], 1e-8)
    close(inverse, polar.T, atol=1e-12)
    close(size, 0, atol=1e-12)


def test_the_orthogonal_procrustes_problem(rng: np.random.Generator) -> None:
    a, b = T.dmatrices("a", "b")
    u, s, vh = linalg.svd(T.dot(a.T, b))
    f = theano.function([a, b], [T.dot(u, vh), s.sum()])
    left, right = rng.normal(size=(10, 3)), rng.normal(size=(10, 3))
    rotation, scale = scipy.linalg.orthogonal_procrustes(left, right)
    got = f(left, right)
    close(got[0], rotation, 1e-8)
    close(got[1], scale)


@pytest.mark.parametrize("how", ["eigh", "cholesky", "svd"])
def test_whitening(how: str, rng: np.random.Generator) -> None:
    x = T.dmatrix("x")
    centred = x - x.mean(0)
    cov = T.dot(centred.T, centred) / x.shape[0]
    if how == "eigh":
        w, v = nlinalg.eigh(cov)
        white = T.dot(centred, v / T.sqrt(w))
    elif how == "cholesky":
        white = linalg.solve_triangular(linalg.cholesky(cov), centred.T, lower=True).T
    else:
        white = nlinalg.svd(centred, full_matrices=False)[0] * T.sqrt(x.shape[0])
    data = rng.normal(size=(40, 4)) @ rng.normal(size=(4, 4)) + 3
    got = theano.function([x], white)(data)
    close(got.T @ got / 40, np.eye(4), atol=1e-10)


# -- dynamics and graphs -----------------------------------------------------------------------------------------------
def test_a_stationary_distribution(rng: np.random.Generator) -> None:
    """Of a Markov chain: by a system, and by a high power."""
    p = T.dmatrix("p")
    n = p.shape[0]
    by_system = linalg.solve(T.eye(n) - p.T + T.ones((n, n)), T.ones(n))
    by_power = nlinalg.matrix_power(p, 200)[0]
    moves = rng.dirichlet(np.ones(4), 4)
    for found in theano.function([p], [by_system, by_power])(moves):
        close(found @ moves, found, 1e-8)
        close(found.sum(), 1)


def test_a_linear_differential_equation(rng: np.random.Generator) -> None:
    """Its solution by the exponential, and its long-run covariance by a Lyapunov equation written as one system."""
    a, x = T.dmatrix("a"), T.dvector("x")
    n = 3
    big = T.kron(a, T.eye(n)) + T.kron(T.eye(n), a)
    cov = linalg.solve(big, -T.eye(n).reshape((n * n,))).reshape((n, n))
    f = theano.function([a, x], [T.dot(slinalg.expm(a), x), cov])
    drift, start = rng.normal(size=(3, 3)) - 3 * np.eye(3), rng.normal(size=3)
    moved, found = f(drift, start)
    close(moved, scipy.linalg.expm(drift) @ start)
    close(found, scipy.linalg.solve_continuous_lyapunov(drift, -np.eye(3)))


def test_a_network_of_resistances_and_its_gradient(rng: np.random.Generator) -> None:
    """Potentials by the inverse of a graph's Laplacian with one grounded node; a current's derivative by a conductance."""
    g = T.dmatrix("g")
    symmetric = g + g.T
    laplacian = T.diag(symmetric.sum(1)) - symmetric
    potentials = linalg.solve(laplacian[1:, 1:], T.as_tensor_variable(np.array([1.0, 0, 0])))
    f = theano.function([g], [potentials, T.grad(potentials[0], g)])

    def potential(value: Array) -> Any:
        whole = value + value.T
        inner = (np.diag(whole.sum(1)) - whole)[1:, 1:]
        return np.linalg.solve(inner, [1.0, 0, 0])[0]

    value = rng.uniform(0.5, 2, (4, 4)) * (1 - np.eye(4))
    found, gradient = f(value)
    close(found[0], potential(value))
    close(gradient, slopes(potential, value), 1e-5, 1e-8)
