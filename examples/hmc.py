"""Hamiltonian Monte Carlo whose draws are rounds of a loop: a linear regression, whose posterior is known exactly.

A `scan` over draws holds a `scan` over leapfrog steps, with `T.grad` in its step; momenta and decisions come from
`RandomStreams`, whose state the loop advances. One call gives all draws of all chains.

Run: python examples/hmc.py [--draws 1500]
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np

import tensordsl
import tensordsl.tensor as T
from tensordsl.tensor.shared_randomstreams import RandomStreams

CHAINS, NOISE = 10, 0.5


def data(random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """50 rows of three correlated columns, and what is measured of each."""
    x = random.normal(size=(50, 3)) @ [[1.0, 0.6, 0.0], [0.0, 0.8, 0.3], [0.0, 0.0, 1.0]]
    return x, x @ [1.0, -2.0, 0.5] + NOISE * random.normal(size=50)


def sampler(x: np.ndarray, y: np.ndarray, step: float, length: int) -> Any:
    """A function of starts (CHAINS, 3) and a number of draws: all draws, and the share of proposals accepted."""
    streams = RandomStreams(seed=3)

    def log_density(weights: Any) -> Any:
        """Of each chain: a normal prior of spread 1, and the likelihood."""
        rest = y - T.dot(weights, x.T)
        return -0.5 * T.sum(weights**2, axis=1) - 0.5 * T.sum(rest**2, axis=1) / NOISE**2

    def slope(position: Any) -> Any:
        return T.grad(T.sum(log_density(position)), position)

    def leapfrog(position: Any, momentum: Any) -> list[Any]:
        """Half a step of the momentum, a step of the position, half a step of the momentum."""
        momentum = momentum + 0.5 * step * slope(position)
        position = position + step * momentum
        return [position, momentum + 0.5 * step * slope(position)]

    def draw(position: Any) -> Any:
        start = streams.normal((CHAINS, 3))
        (positions, momenta), _ = tensordsl.scan(leapfrog, outputs_info=[position, start], n_steps=length)
        ended, momentum = positions[-1], momenta[-1]
        gain = log_density(ended) - log_density(position) - 0.5 * T.sum(momentum**2 - start**2, axis=1)
        is_accepted = T.log(streams.uniform((CHAINS,))) < gain
        return [T.switch(is_accepted.dimshuffle(0, "x"), ended, position), T.mean(is_accepted)]

    starts, count = T.matrix("starts"), T.iscalar("count")
    (draws, rates), updates = tensordsl.scan(draw, outputs_info=[starts, None], n_steps=count)
    return tensordsl.function([starts, count], [draws, T.mean(rates)], updates=updates)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=1500, help="draws of each chain")
    arguments = parser.parse_args()

    x, y = data(np.random.default_rng(0))
    covariance = np.linalg.inv(np.eye(3) + x.T @ x / NOISE**2)
    mean = covariance @ x.T @ y / NOISE**2
    sample = sampler(x, y, step=0.04, length=5)
    began = time.perf_counter()
    draws, rate = sample(np.zeros((CHAINS, 3)), arguments.draws)
    seconds = time.perf_counter() - began
    kept = draws[arguments.draws // 10 :].reshape(-1, 3)
    print(f"{arguments.draws} draws of {CHAINS} chains in {seconds:.2f} s, {rate:.0%} of the proposals accepted")
    print("weight   sampled           exact")
    for k in range(3):
        spread = np.sqrt(covariance[k, k])
        print(f"{k:6}  {kept[:, k].mean():6.3f} +- {kept[:, k].std():.3f}  {mean[k]:6.3f} +- {spread:.3f}")
        assert abs(kept[:, k].mean() - mean[k]) < 0.1 * spread, "the mean is not that of the posterior"
    assert np.allclose(np.cov(kept.T), covariance, atol=0.1 * np.max(covariance)), "nor is the covariance"


if __name__ == "__main__":
    main()
