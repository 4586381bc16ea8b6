"""Viterbi's algorithm: the most probable path through a hidden Markov model, which a cheating casino's dice are.

The forward loop keeps, for each state, the best score of a path that ends there and by `argmax` whence it came; a
second `scan` with `go_backwards` follows these marks from the end. Beside it the forward algorithm gives each throw's
posterior as the gradient of the likelihood.

Run: python examples/viterbi.py [--throws 2000]
"""

from __future__ import annotations

import argparse
from itertools import product
from typing import Any

import numpy as np

import tensordsl
import tensordsl.tensor as T

# A fair die and two loaded ones: how the casino changes between them, and what they show.
CHANGES = np.array([[0.94, 0.03, 0.03], [0.08, 0.92, 0.0], [0.08, 0.0, 0.92]])
FACES = np.array([[1 / 6] * 6, [0.08] * 5 + [0.6], [0.6] + [0.08] * 5])
FIRST = np.array([1.0, 0.0, 0.0])


def throws(count: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Which die was thrown, and what it showed."""
    dice = [0]
    for _ in range(count - 1):
        dice.append(random.choice(3, p=CHANGES[dice[-1]]))
    return np.array(dice), np.array([random.choice(6, p=FACES[die]) for die in dice])


def best_path(scores: Any, changes: Any, first: Any) -> tuple[Any, Any]:
    """The most probable states, and the logarithm of their probability.

    scores: (n, states), of what was seen; changes: (from, to); first: (states,); all logarithms."""

    def forward(score: Any, best: Any) -> list[Any]:
        paths = best.dimshuffle(0, "x") + changes
        return [T.max(paths, axis=0) + score, T.argmax(paths, axis=0)]

    def backward(came_from: Any, state: Any) -> Any:
        return came_from[state]

    start = first + scores[0]
    (bests, marks), _ = tensordsl.scan(forward, scores[1:], outputs_info=[start, None])
    ends = T.concatenate([start.dimshuffle("x", 0), bests])[-1]
    end = T.argmax(ends)
    states, _ = tensordsl.scan(backward, marks, outputs_info=end, go_backwards=True)
    return T.concatenate([states[::-1], end.dimshuffle("x")]), T.max(ends)


def log_likelihood(scores: Any, changes: Any, first: Any) -> Any:
    def forward(score: Any, before: Any) -> Any:
        paths = before.dimshuffle(0, "x") + changes
        top = T.max(paths, axis=0)
        return top + T.log(T.sum(T.exp(paths - top), axis=0)) + score

    sums, _ = tensordsl.scan(forward, scores[1:], outputs_info=first + scores[0])
    return T.log(T.sum(T.exp(sums[-1] - T.max(sums[-1])))) + T.max(sums[-1])


def by_trial(scores: np.ndarray, changes: np.ndarray, first: np.ndarray) -> tuple[float, tuple[int, ...]]:
    """The best of all paths."""

    def score(path: tuple[int, ...]) -> float:
        steps = sum(changes[a, b] for a, b in zip(path, path[1:], strict=False))
        return float(first[path[0]] + steps + sum(row[state] for row, state in zip(scores, path, strict=True)))

    return max((score(path), path) for path in product(range(3), repeat=len(scores)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--throws", type=int, default=2000)
    arguments = parser.parse_args()

    dice, shown = throws(arguments.throws, np.random.default_rng(0))
    changes, first, faces = (np.log(np.maximum(p, 1e-300)) for p in (CHANGES, FIRST, FACES))
    scores, faces_seen = T.matrix("scores"), faces.T[shown]
    decode = tensordsl.function([scores], best_path(scores, changes, first))
    posterior = tensordsl.function([scores], T.grad(log_likelihood(scores, changes, first), scores))

    path, score = decode(faces_seen[:8])
    best, best_states = by_trial(faces_seen[:8], changes, first)
    assert np.isclose(score, best) and tuple(path) == best_states, "a better path was there"
    path, _ = decode(faces_seen)
    probable = posterior(faces_seen)
    assert np.allclose(np.sum(probable, axis=1), 1), "the posteriors are no probabilities"
    names = np.array(list(".61"))
    for title, line in (("shown", shown + 1), ("thrown", names[dice]), ("decoded", names[path])):
        print(f"{title:8}", "".join(map(str, line[:90])))
    right, likely = np.mean(path == dice), np.mean(np.argmax(probable, axis=1) == dice)
    print(f"{right:.0%} of the dice are found by the best path, {likely:.0%} by the largest posterior")
    assert right > 0.75 and likely >= right - 0.02, "too few were found"


if __name__ == "__main__":
    main()
