"""A multivariate normal distribution by its Cholesky factor: density, draws, and parameters from draws by gradients.

The factor is a triangle whose diagonal is positive, so that every vector of parameters is a covariance.  The density
needs a triangular solve and the factor's diagonal; a draw is a product with normal numbers.

Run: python examples/multivariate_normal.py [--draws 4000] [--dimension 4]
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

import tensordsl
import tensordsl.tensor as T
from tensordsl.tensor import linalg
from tensordsl.tensor.shared_randomstreams import RandomStreams


def log_density(x: Any, mean: Any, factor: Any) -> Any:
    """log N(x; mean, L L') of each row of x."""
    white = linalg.solve_triangular(factor, (x - mean).T, lower=True)
    constant = 0.5 * x.shape[1] * np.log(2 * np.pi)
    return -0.5 * T.sum(T.sqr(white), axis=0) - T.sum(T.log(T.diag(factor))) - constant


def triangle(free: Any) -> Any:
    """A factor from any square matrix: what is above the diagonal does not count."""
    return T.tril(free, -1) + T.diag(T.exp(T.diag(free)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=4000)
    parser.add_argument("--dimension", type=int, default=4)
    arguments = parser.parse_args()
    n = arguments.dimension

    rng = np.random.default_rng(1)
    half = rng.normal(size=(n, n))
    covariance, centre = half @ half.T + np.eye(n), rng.normal(size=n)

    mean, cov, x = T.dvector("mean"), T.dmatrix("cov"), T.dmatrix("x")
    factor = linalg.cholesky(cov)
    normals = RandomStreams(seed=3).normal((arguments.draws, n))
    draw = tensordsl.function([mean, cov], mean + T.dot(normals, factor.T))
    density = tensordsl.function([x, mean, cov], log_density(x, mean, factor))

    seen = draw(centre, covariance)
    deviations = seen - centre
    by_numpy = -0.5 * np.sum(deviations * np.linalg.solve(covariance, deviations.T).T, axis=1)
    by_numpy -= 0.5 * np.linalg.slogdet(2 * np.pi * covariance)[1]
    assert np.allclose(density(seen, centre, covariance), by_numpy), "the density is not that of NumPy"
    print(f"{len(seen)} draws in {n} dimensions; mean log-density {by_numpy.mean():.3f}")

    location, free = tensordsl.shared(np.zeros(n)), tensordsl.shared(np.zeros((n, n)))
    cost = -T.mean(log_density(x, location, triangle(free)))
    slopes = tensordsl.grad(cost, [location, free])
    momenta = [tensordsl.shared(np.zeros_like(p.get_value())) for p in (location, free)]
    updates = []
    for p, m, g in zip((location, free), momenta, slopes, strict=True):
        moved = 0.9 * m - 0.03 * g
        updates += [(m, moved), (p, p + moved)]
    learn = tensordsl.function([x], cost, updates=updates)
    for step in range(301):
        value = learn(seen)
        if step % 100 == 0:
            print(f"step {step:4d}: mean negative log-likelihood {value:.4f}")

    found = tensordsl.function([], T.dot(triangle(free), triangle(free).T))()
    print("covariance of the draws, and by the gradient:")
    print(np.array2string(np.hstack([np.cov(seen.T, bias=True), found]), precision=2, suppress_small=True))
    # the most probable parameters are the mean and the covariance of the sample
    assert np.allclose(location.get_value(), seen.mean(0), atol=2e-2), "the mean is not that of the sample"
    assert np.allclose(found, np.cov(seen.T, bias=True), atol=5e-2 * np.trace(covariance)), "nor is the covariance"


if __name__ == "__main__":
    main()
