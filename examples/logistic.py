"""Logistic regression with shared state: one compiled function trains, a second one predicts with the same weights.

Draws a made-up problem (400 points, 20 features, labels from hidden weights and some noise), minimises the regularised
cross-entropy by gradient descent, and shows how well the labels are predicted before and after.

Run: python examples/logistic.py [--iterations 500]
"""

from __future__ import annotations

import argparse

import numpy as np

import tensordsl
import tensordsl.tensor as T


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--iterations", type=int, default=500)
    arguments = parser.parse_args()

    random = np.random.RandomState(1)
    features = random.randn(400, 20).astype(tensordsl.config.floatX)
    noise = random.randn(400)
    labels = (features @ random.randn(20) + noise > 0).astype(tensordsl.config.floatX)

    x, y = T.matrix("x"), T.vector("y")
    w = tensordsl.shared(np.zeros(20, tensordsl.config.floatX), name="w")
    b = tensordsl.shared(np.asarray(0.0, tensordsl.config.floatX), name="b")

    score = T.dot(x, w) + b
    probability = T.nnet.sigmoid(score)
    cross_entropy = -y * T.log(probability) - (1 - y) * T.log(1 - probability)
    cost = T.mean(cross_entropy) + 0.01 * T.sum(w**2)
    gradient_w, gradient_b = T.grad(cost, [w, b])

    train = tensordsl.function([x, y], cost, updates=[(w, w - 0.1 * gradient_w), (b, b - 0.1 * gradient_b)])
    predict = tensordsl.function([x], probability > 0.5)

    print(f"before: {np.mean(predict(features) == labels):.1%} of the labels are right")
    for iteration in range(arguments.iterations):
        current = float(train(features, labels))
        if iteration % 100 == 0:
            print(f"iteration {iteration:4d}: cost {current:.4f}")
    print(f"after:  {np.mean(predict(features) == labels):.1%} of the labels are right, cost {current:.4f}")


if __name__ == "__main__":
    main()
