"""A Kalman filter by `scan`: a track from noisy positions, and the sizes of both noises by the likelihood's gradient.

The state is position and velocity in two dimensions.  Each step predicts, weighs what was seen by a Cholesky factor of
its covariance, and adds to the log-likelihood; `T.grad` goes back through all steps.

Run: python examples/kalman.py [--steps 100] [--rounds 60]
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

import tensordsl
import tensordsl.tensor as T
from tensordsl.tensor import linalg

MOVE = np.kron(np.array([[1.0, 1.0], [0.0, 1.0]]), np.eye(2))  # x, y, and their velocities
SEE = np.eye(2, 4)
DRIFT = np.diag([0.25, 0.25, 1.0, 1.0])


def filter_step(seen: Any, mean: Any, cov: Any, log_drift: Any, log_error: Any) -> tuple[Any, Any, Any]:
    """(mean and covariance of the state after what is seen, the log-density of what is seen)."""
    mean = T.dot(MOVE, mean)
    cov = T.dot(T.dot(MOVE, cov), MOVE.T) + T.exp(2 * log_drift) * DRIFT
    spread = T.dot(T.dot(SEE, cov), SEE.T) + T.exp(2 * log_error) * np.eye(2)
    factor = linalg.cholesky(spread)
    error = seen - T.dot(SEE, mean)
    gain = linalg.cho_solve((factor, True), T.dot(SEE, cov))  # the gain's transpose
    white = linalg.solve_triangular(factor, error, lower=True)
    density = -0.5 * T.sum(T.sqr(white)) - T.sum(T.log(T.diag(factor))) - np.log(2 * np.pi)
    return mean + T.dot(gain.T, error), cov - T.dot(gain.T, T.dot(SEE, cov)), density


def numpy_likelihood(seen: Any, log_drift: float, log_error: float) -> float:
    """The same by NumPy's solve and determinant, in a Python loop."""
    mean, cov, total = np.zeros(4), 10 * np.eye(4), 0.0
    for y in seen:
        mean, cov = MOVE @ mean, MOVE @ cov @ MOVE.T + np.exp(2 * log_drift) * DRIFT
        spread, error = SEE @ cov @ SEE.T + np.exp(2 * log_error) * np.eye(2), y - SEE @ mean
        gain = cov @ SEE.T @ np.linalg.inv(spread)
        total -= 0.5 * (error @ np.linalg.solve(spread, error) + np.linalg.slogdet(2 * np.pi * spread)[1])
        mean, cov = mean + gain @ error, cov - gain @ SEE @ cov
    return float(total)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=60)
    arguments = parser.parse_args()

    rng = np.random.default_rng(2)
    state, track = np.array([0.0, 0, 0.5, 0.2]), []
    for _ in range(arguments.steps):
        state = MOVE @ state + 0.1 * np.sqrt(np.diag(DRIFT)) * rng.normal(size=4)
        track.append(state)
    truth = np.array(track)
    positions = truth[:, :2] + 0.8 * rng.normal(size=(arguments.steps, 2))

    seen = T.dmatrix("seen")
    log_drift, log_error = sizes = [tensordsl.shared(0.0, name=name) for name in ("drift", "error")]
    (means, _, densities), _ = tensordsl.scan(
        filter_step, sequences=[seen], outputs_info=[T.zeros(4), 10 * T.eye(4), None], non_sequences=sizes
    )
    likelihood = densities.sum()
    slopes = tensordsl.grad(likelihood, sizes)
    look = tensordsl.function([seen], [means, likelihood, *slopes])
    # Newton's direction by the expected curvature of log-scales is near the slope over the number of what was seen.
    moved = [(p, p + T.clip(g / arguments.steps, -0.3, 0.3)) for p, g in zip(sizes, slopes, strict=True)]
    learn = tensordsl.function([seen], likelihood, updates=moved)

    _, start, *slopes_at_start = look(positions)
    h = 1e-5
    differences = [
        (numpy_likelihood(positions, *(h * e)) - numpy_likelihood(positions, *(-h * e))) / (2 * h) for e in np.eye(2)
    ]
    assert np.isclose(start, numpy_likelihood(positions, 0, 0)), "the likelihood is not that of NumPy"
    assert np.allclose(slopes_at_start, differences, rtol=1e-5), "the gradient is not that of differences"

    for _ in range(arguments.rounds):
        learn(positions)
    found, end, *_ = look(positions)
    drift, error = (float(np.exp(p.get_value())) for p in sizes)
    print(f"log-likelihood {start:.1f} -> {end:.1f}; drift {drift:.2f} (0.1), error {error:.2f} (0.8)")
    raw, filtered = (np.sqrt(np.mean((p - truth[:, :2]) ** 2)) for p in (positions, found[:, :2]))
    print(f"error of a position: seen {raw:.2f}, filtered {filtered:.2f}")
    assert end > start and 0.5 < error < 1.0 and filtered < 0.8 * raw, "the filter does not help"


if __name__ == "__main__":
    main()
