"""Regression with a Gaussian process: the marginal likelihood of noisy points is maximised by its gradient.

The covariance of the points is a kernel plus noise; its Cholesky factor gives the likelihood, the gradient by the three
hyperparameters, and the posterior at new points.  A value and its gradient share the factor: one call factorises once.

Run: python examples/gaussian_process.py [--points 60] [--steps 150]
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

import tensordsl
import tensordsl.tensor as T
from tensordsl.tensor import slinalg


def kernel(x: Any, z: Any, log_scale: Any, log_length: Any) -> Any:
    """The squared exponential covariance of all pairs of points."""
    squares = T.sqr(x.dimshuffle(0, "x") - z.dimshuffle("x", 0))
    return T.exp(2 * log_scale - 0.5 * squares * T.exp(-2 * log_length))


def log_likelihood(factor: Any, y: Any) -> Any:
    """log N(y; 0, L L') (Rasmussen and Williams: "Gaussian processes for machine learning", 2006, equation 2.30)."""
    white = slinalg.solve_lower_triangular(factor, y)
    return -0.5 * T.sum(T.sqr(white)) - T.sum(T.log(T.diag(factor))) - 0.5 * y.shape[0] * np.log(2 * np.pi)


def adam(cost: Any, parameters: list[Any], rate: float) -> list[tuple[Any, Any]]:
    """Updates by Kingma and Ba's method."""
    time = tensordsl.shared(0.0)
    updates = [(time, time + 1)]
    for p, g in zip(parameters, tensordsl.grad(cost, parameters), strict=True):
        mean, square = (tensordsl.shared(np.zeros_like(p.get_value())) for _ in range(2))
        m, s = 0.9 * mean + 0.1 * g, 0.99 * square + 0.01 * T.sqr(g)
        step = rate * (m / (1 - 0.9 ** (time + 1))) / (T.sqrt(s / (1 - 0.99 ** (time + 1))) + 1e-8)
        updates += [(mean, m), (square, s), (p, p - step)]
    return updates


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--points", type=int, default=60)
    parser.add_argument("--steps", type=int, default=150)
    arguments = parser.parse_args()

    rng = np.random.default_rng(0)
    at = np.sort(rng.uniform(-4, 4, arguments.points))
    seen = np.sin(1.5 * at) + 0.2 * rng.normal(size=arguments.points)

    x, y, new = T.dvectors("x", "y", "new")
    log_scale, log_length, log_noise = hyper = [tensordsl.shared(0.0, name=n) for n in ("scale", "length", "noise")]
    covariance = kernel(x, x, log_scale, log_length) + T.exp(2 * log_noise) * T.eye(x.shape[0])
    factor = slinalg.cholesky(covariance)
    likelihood = log_likelihood(factor, y)
    learn = tensordsl.function([x, y], likelihood, updates=adam(-likelihood, hyper, 0.05))

    cross = kernel(x, new, log_scale, log_length)
    weights = slinalg.solve_lower_triangular(factor, cross)
    white = slinalg.solve_lower_triangular(factor, y)
    variance = T.exp(2 * log_scale) - T.sum(T.sqr(weights), axis=0)
    predict = tensordsl.function([x, y, new], [T.dot(weights.T, white), T.sqrt(variance)])

    trace = [float(learn(at, seen)) for _ in range(arguments.steps)]
    scale, length, noise = (float(np.exp(p.get_value())) for p in hyper)
    print(f"log-likelihood {trace[0]:.2f} -> {trace[-1]:.2f}")
    print(f"scale {scale:.2f}, length {length:.2f}, noise {noise:.3f} (which is 0.2)")

    grid = np.linspace(-3.5, 3.5, 50)
    mean, deviation = predict(at, seen, grid)
    print("   x   sin(1.5 x)  predicted")
    for k in range(0, 50, 7):
        print(f"{grid[k]:5.2f}  {np.sin(1.5 * grid[k]):9.2f}  {mean[k]:5.2f} +- {2 * deviation[k]:.2f}")

    squares = (at[:, None] - at[None]) ** 2
    k = scale**2 * np.exp(-0.5 * squares / length**2) + noise**2 * np.eye(len(at))
    between = scale**2 * np.exp(-0.5 * (at[:, None] - grid[None]) ** 2 / length**2)
    assert np.allclose(mean, between.T @ np.linalg.solve(k, seen)), "the posterior is not that of NumPy"
    assert trace[-1] > trace[0] + 10 and 0.1 < noise < 0.3, "the likelihood was not maximised"
    assert np.mean(np.abs(mean - np.sin(1.5 * grid)) < 3 * deviation) > 0.9, "the prediction is off"


if __name__ == "__main__":
    main()
