"""Sample a posterior whose likelihood is a black box: NumPy integrates a differential equation, and gives its gradient.

A population grows logistically, dp/dt = r p (1 - p / K), and is counted with noise. The likelihood of (r, K) is a class
derived from Op, as Theano's and PyMC's programs have it; its gradient is an operation too, which solves the equation
of the sensitivities. The priors are expressions, and Langevin steps with the gradient of the whole are compiled into
one function.

Run: python examples/black_box.py [--draws 4000]
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

import tensordsl
import tensordsl.tensor as T

START, STEP, STEPS = 0.1, 0.1, 80


def populations(r: float, k: float) -> tuple[np.ndarray, np.ndarray]:
    """The population at each step, by Euler's method, and its derivatives by r and k."""
    p, dp = START, np.zeros(2)
    values, slopes = np.empty(STEPS), np.empty((STEPS, 2))
    for t in range(STEPS):
        dp = dp + STEP * (r * (1 - 2 * p / k) * dp + np.array([p * (1 - p / k), r * p * p / k**2]))
        p = p + STEP * r * p * (1 - p / k)
        values[t], slopes[t] = p, dp
    return values, slopes


class LogLikelihood(tensordsl.Op):
    """Of counts with Gaussian noise, given (r, K)."""

    itypes = (T.dvector,)
    otypes = (T.dscalar,)

    def __init__(self, counts: np.ndarray, noise: float) -> None:
        self.counts, self.noise = counts, noise
        self.slope = LogLikelihoodGradient(counts, noise)

    def perform(self, node: Any, inputs: Any, output_storage: Any) -> None:
        rest = self.counts - populations(*inputs[0])[0]
        output_storage[0][0] = np.asarray(-0.5 * np.sum((rest / self.noise) ** 2))

    def grad(self, inputs: Any, output_gradients: Any) -> Any:
        return [output_gradients[0] * self.slope(inputs[0])]


class LogLikelihoodGradient(tensordsl.Op):
    itypes = (T.dvector,)
    otypes = (T.dvector,)

    def __init__(self, counts: np.ndarray, noise: float) -> None:
        self.counts, self.noise = counts, noise

    def perform(self, node: Any, inputs: Any, output_storage: Any) -> None:
        values, slopes = populations(*inputs[0])
        output_storage[0][0] = slopes.T @ (self.counts - values) / self.noise**2

    def infer_shape(self, node: Any, shapes: Any) -> Any:
        return shapes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=4000, help="steps of the sampler")
    parser.add_argument("--noise", type=float, default=0.05, help="standard deviation of the counts")
    arguments = parser.parse_args()

    rng = np.random.default_rng(0)
    truth = np.array([1.2, 2.0])
    counts = populations(*truth)[0] + rng.normal(0, arguments.noise, STEPS)

    # Positive parameters by their logarithms, with normal priors; the density is that of the logarithms.
    logs = T.dvector("logs")
    posterior = LogLikelihood(counts, arguments.noise)(T.exp(logs)) - 0.5 * T.sum(logs**2)
    slope = T.grad(posterior, logs)
    evaluate = tensordsl.function([logs], [posterior, slope])

    # Steps along the gradient with noise, accepted by Metropolis's rule (MALA); the scales are those of the posterior.
    scale = np.array([0.008, 0.008])
    here = np.log(truth * 1.02)
    value, gradient = evaluate(here)
    draws, accepted = np.empty((arguments.draws, 2)), 0
    for n in range(arguments.draws):
        there = here + 0.5 * scale**2 * gradient + scale * rng.normal(size=2)
        proposed, back = evaluate(there)
        forth = np.sum(((there - here - 0.5 * scale**2 * gradient) / scale) ** 2)
        reverse = np.sum(((here - there - 0.5 * scale**2 * back) / scale) ** 2)
        if np.log(rng.random()) < proposed - value - 0.5 * (reverse - forth):
            here, value, gradient, accepted = there, proposed, back, accepted + 1
        draws[n] = np.exp(here)
    kept = draws[arguments.draws // 4 :]
    mean, deviation = kept.mean(axis=0), kept.std(axis=0)
    print(f"accepted {accepted / arguments.draws:.0%} of {arguments.draws} steps")
    for name, m, s, t in zip("rK", mean, deviation, truth, strict=True):
        print(f"{name} = {m:.3f} +- {s:.3f} (the data were made with {t})")
    T.verify_grad(LogLikelihood(counts, arguments.noise), [truth], rng=rng)
    assert np.all(np.abs(mean - truth) < 5 * deviation), "the posterior is away from the truth"


if __name__ == "__main__":
    main()
