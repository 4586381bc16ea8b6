"""Matrix factorisation of ratings by stochastic gradient descent that writes only the rows of its minibatch.

rating[user, item] = mean + user's bias + item's bias + user's factors . item's factors. The update
`(users, T.inc_subtensor(users[u], -rate * gradient))` changes 256 rows of a large table in place: a step costs the same
for a thousand users and for a million.

Run: python examples/factorisation.py [--users 20000]
"""

from __future__ import annotations

import argparse
import time

import numpy as np

import tensordsl
import tensordsl.tensor as T


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--users", type=int, default=20_000)
    parser.add_argument("--items", type=int, default=500)
    parser.add_argument("--steps", type=int, default=6000)
    arguments = parser.parse_args()
    rank, batch, rate, decay = 8, 256, 0.05, 0.02

    random = np.random.default_rng(0)
    hidden = random.normal(size=(arguments.users, 3)), random.normal(size=(arguments.items, 3))

    def ratings(count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Some (user, item, rating) of a made-up world with three hidden tastes and a little noise."""
        u, i = random.integers(arguments.users, size=count), random.integers(arguments.items, size=count)
        return u, i, 3 + np.sum(hidden[0][u] * hidden[1][i], axis=1) + 0.1 * random.normal(size=count)

    def table(rows: int, name: str) -> tensordsl.SharedVariable:
        return tensordsl.shared(0.1 * random.normal(size=(rows, rank)), name=name)

    users, items = table(arguments.users, "users"), table(arguments.items, "items")
    biases = tensordsl.shared(np.zeros(arguments.users)), tensordsl.shared(np.zeros(arguments.items))
    mean = tensordsl.shared(3.0)

    u, i, rating = T.lvector("u"), T.lvector("i"), T.dvector("rating")
    parts = [users[u], items[i], biases[0][u], biases[1][i]]
    error = mean + parts[2] + parts[3] + T.sum(parts[0] * parts[1], axis=1) - rating
    cost = T.sum(error**2) + decay * sum(T.sum(part**2) for part in parts)
    # With respect to the rows that the batch names, not to the tables.
    gradients = T.grad(cost, parts)
    updates = [
        (part.owner.inputs[0], T.inc_subtensor(part, -rate * gradient))
        for part, gradient in zip(parts, gradients, strict=True)
    ]
    train = tensordsl.function([u, i, rating], [], updates=updates)
    judge = tensordsl.function([u, i, rating], T.sqrt(T.mean(error**2)))

    unseen = ratings(20_000)
    print(f"a guess of 3 for everything misses by {np.std(unseen[2]):.3f}")
    spent = 0.0
    for step in range(1, arguments.steps + 1):
        minibatch = ratings(batch)
        start = time.perf_counter()
        train(*minibatch)
        spent += time.perf_counter() - start
        if step % (arguments.steps // 6) == 0:
            print(f"step {step:5d}: ratings that were not seen are missed by {float(judge(*unseen)):.3f}")
    print(f"{spent / arguments.steps * 1e6:.0f} us per step of {batch} ratings, {arguments.users} users")
    assert judge(*unseen) < 0.6 * np.std(unseen[2]), "nothing was learnt"


if __name__ == "__main__":
    main()
