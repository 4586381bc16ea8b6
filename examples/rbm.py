"""A restricted Boltzmann machine learns the bars and stripes of 4 x 4 pictures by contrastive divergence.

Hidden and visible units are drawn from `RandomStreams` in the rounds of a `scan`, which gives the streams' new states
as updates. The chains persist between steps (Tieleman 2008); `consider_constant` keeps gradients out of the sampling.

Run: python examples/rbm.py [--steps 6000] [--sweeps 5]
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

import tensordsl
import tensordsl.tensor as T
from tensordsl.tensor.shared_randomstreams import RandomStreams

SIDE, HIDDEN, CHAINS = 4, 16, 64


def bars_and_stripes() -> np.ndarray:
    """All pictures whose rows are each on or off, or whose columns are: 30 of 65,536."""
    lines = np.array([[(k >> bit) & 1 for bit in range(SIDE)] for k in range(2**SIDE)], dtype=float)
    columns = np.repeat(lines[:, None, :], SIDE, axis=1)
    return np.unique(np.concatenate([columns, columns.transpose(0, 2, 1)]).reshape(-1, SIDE * SIDE), axis=0)


class Machine:
    """Weights, biases, and the two conditional distributions of a restricted Boltzmann machine."""

    def __init__(self, visible: int, hidden: int, seed: int) -> None:
        self.streams = RandomStreams(seed)
        self.weights = tensordsl.shared(
            0.1 * np.random.default_rng(seed).normal(size=(visible, hidden)), name="weights"
        )
        self.visible_bias = tensordsl.shared(np.zeros(visible), name="visible_bias")
        self.hidden_bias = tensordsl.shared(np.zeros(hidden), name="hidden_bias")
        self.params = [self.weights, self.visible_bias, self.hidden_bias]

    def free_energy(self, v: Any) -> Any:
        """-log of the sum over hidden states of the unnormalised probability, one per row of v."""
        inputs = T.dot(v, self.weights) + self.hidden_bias
        return -T.dot(v, self.visible_bias) - T.sum(T.nnet.softplus(inputs), axis=1)

    def sweep(self, v: Any) -> Any:
        """Draw the hidden units given the visible ones, then the visible ones given these."""
        h = self.draw(T.nnet.sigmoid(T.dot(v, self.weights) + self.hidden_bias))
        return self.draw(T.nnet.sigmoid(T.dot(h, self.weights.T) + self.visible_bias))

    def draw(self, probability: Any) -> Any:
        return self.streams.binomial(size=probability.shape, n=1, p=probability, dtype=tensordsl.config.floatX)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--sweeps", type=int, default=5, help="of each chain between two steps")
    arguments = parser.parse_args()

    pictures = bars_and_stripes()
    machine = Machine(SIDE * SIDE, HIDDEN, seed=1)
    chains = tensordsl.shared(np.random.default_rng(2).integers(0, 2, (CHAINS, SIDE * SIDE)).astype(float))

    data, rate, sweeps = T.matrix("data"), T.scalar("rate"), T.iscalar("sweeps")
    states, draws = tensordsl.scan(machine.sweep, outputs_info=chains, n_steps=sweeps)
    dreamt = states[-1]
    cost = T.mean(machine.free_energy(data)) - T.mean(machine.free_energy(dreamt))
    gradients = T.grad(cost, machine.params, consider_constant=[dreamt])
    updates = [(p, p - rate * g) for p, g in zip(machine.params, gradients, strict=True)]
    updates += [*draws.items(), (chains, dreamt)]
    train = tensordsl.function([data, rate, sweeps], dreamt, updates=updates)

    known = {row.tobytes() for row in pictures}
    print(f"chance draws one of the {len(pictures)} pictures {len(pictures) / 2 ** (SIDE * SIDE):.2%} of the time")
    hits: list[bool] = []
    for step in range(1, arguments.steps + 1):
        dreams = train(pictures, 0.1 * (1 - step / (arguments.steps + 1)), arguments.sweeps)
        hits += [row.tobytes() in known for row in dreams]
        if step % (arguments.steps // 6) == 0:
            print(f"step {step:5d}: {np.mean(hits):.0%} of what it draws are bars or stripes")
            share, hits = np.mean(hits), []
    print("the last chains:")
    for row in range(SIDE):
        print("   ".join("".join(".#"[int(p)] for p in dream.reshape(SIDE, SIDE)[row]) for dream in dreams[:10]))
    assert share > 0.5, "nothing was learnt"


if __name__ == "__main__":
    main()
