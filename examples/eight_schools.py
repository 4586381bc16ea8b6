"""A hierarchical Bayesian model, sampled by Hamiltonian Monte Carlo: eight schools and the effect of their coaching.

School j reports an effect y[j] with a known standard error; its true effect is mu + tau * eta[j] with eta ~ N(0, 1).
The log-density is an expression, its gradient comes from `T.grad`, and a whole trajectory of leapfrog steps with its
accept-or-reject is one compiled function on shared state, its random numbers included.

Run: python examples/eight_schools.py [--draws 4000]
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

import tensordsl
import tensordsl.tensor as T
from tensordsl.tensor.shared_randomstreams import RandomStreams

EFFECT = np.array([28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0])  # Rubin (1981)
ERROR = np.array([15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0])
SCHOOLS = len(EFFECT)


def school_effects(q: Any) -> Any:
    """The true effects, one row per chain.  A row of q is mu, log(tau), eta[0], ..., eta[7]."""
    mu, log_tau, eta = q[:, :1], q[:, 1:2], q[:, 2:]
    return T.addbroadcast(mu, 1) + T.exp(T.addbroadcast(log_tau, 1)) * eta


def log_density(q: Any) -> Any:
    """The logarithm of prior times likelihood for each row of q, up to a constant."""
    mu, log_tau, eta = q[:, 0], q[:, 1], q[:, 2:]
    prior = -0.5 * (mu / 5) ** 2 - T.log1p((T.exp(log_tau) / 5) ** 2) + log_tau - 0.5 * T.sum(eta**2, axis=1)
    return prior - 0.5 * T.sum(((EFFECT - school_effects(q)) / ERROR) ** 2, axis=1)


def hamiltonian_step(q: Any, streams: RandomStreams, step: float, length: int) -> tuple[Any, Any]:
    """(where the chains go from q, how many of them accepted their proposal)."""

    def slope(position: Any) -> Any:
        return T.grad(log_density(position).sum(), position)

    start = streams.normal(q.shape)
    position, momentum = q, start + 0.5 * step * slope(q)
    for k in range(length):
        position = position + step * momentum
        momentum = momentum + (step if k < length - 1 else 0.5 * step) * slope(position)
    gain = log_density(position) - log_density(q) - 0.5 * T.sum(momentum**2 - start**2, axis=1)
    is_accepted = T.log(streams.uniform((q.shape[0],))) < gain
    return T.switch(is_accepted.dimshuffle(0, "x"), position, q), T.mean(is_accepted)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=4000, help="draws of each chain")
    parser.add_argument("--chains", type=int, default=8)
    arguments = parser.parse_args()

    initial = 0.1 * np.random.default_rng(0).normal(size=(arguments.chains, 2 + SCHOOLS))
    q = tensordsl.shared(initial, name="q")
    moved, acceptance = hamiltonian_step(q, RandomStreams(seed=1), step=0.3, length=6)
    advance = tensordsl.function([], [moved, school_effects(moved), acceptance], updates=[(q, moved)])

    accepted, mu, tau, effects = [], [], [], []
    for draw in range(arguments.draws):
        state, effect, rate = advance()
        if draw >= arguments.draws // 5:  # the first fifth has not forgotten where it began
            accepted.append(rate)
            mu.append(state[:, 0])
            tau.append(np.exp(state[:, 1]))
            effects.append(effect)

    print(f"{arguments.chains} chains, {len(mu)} draws each, {np.mean(accepted):.0%} of the proposals accepted")
    print(f"mu  = {np.mean(mu):5.2f} +- {np.std(mu):.2f}\ntau = {np.mean(tau):5.2f} +- {np.std(tau):.2f}")
    print("school  reported  posterior")
    for j, (mean, deviation) in enumerate(zip(np.mean(effects, (0, 1)), np.std(effects, (0, 1)), strict=True)):
        print(f"{'ABCDEFGH'[j]:>6}  {EFFECT[j]:4.0f} +- {ERROR[j]:2.0f}  {mean:5.2f} +- {deviation:.2f}")
    assert abs(np.mean(mu) - 4.4) < 1 and abs(np.mean(tau) - 3.6) < 1, "the posterior is not that of the literature"


if __name__ == "__main__":
    main()
