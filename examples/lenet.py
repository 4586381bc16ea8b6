"""LeNet's layers tell bars, crosses and boxes apart: two convolutions with pooling, trained on pictures it makes up.

A layer is `pool_2d(tanh(conv2d(x, w) + b))`; value, gradients and updates are one native function. The pictures are
noisy, and none is seen twice in the test.

Run: python examples/lenet.py [--epochs 25]
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

import tensordsl
import tensordsl.tensor as T
from tensordsl.tensor.signal.pool import pool_2d

SIDE, SIZE, BATCH, PICTURES = 20, 7, 32, 1024
KINDS = ("a row", "a column", "a cross", "a box")
RATE = np.float32(0.2)


def pictures(random: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """(count, 1, SIDE, SIDE) pictures and the numbers of their kinds."""
    labels = random.integers(len(KINDS), size=count)
    found = 0.3 * random.normal(size=(count, 1, SIDE, SIDE))
    for picture, label in zip(found[:, 0], labels, strict=True):
        y, x = random.integers(SIDE - SIZE, size=2)
        place = picture[y : y + SIZE, x : x + SIZE]
        rows, columns = {0: ([3], []), 1: ([], [3]), 2: ([3], [3]), 3: ([0, -1], [0, -1])}[int(label)]
        place[rows] += 1.5
        place[:, columns] += 1.5
    return found.astype("float32"), labels.astype("int32")


class Network:
    """Two layers of convolution and pooling, and a softmax over the kinds."""

    def __init__(self, random: np.random.Generator) -> None:
        def shared(*shape: int, inputs: int) -> Any:
            return tensordsl.shared((random.normal(size=shape) / np.sqrt(inputs)).astype("float32"))

        self.kernels = [shared(8, 1, 5, 5, inputs=25), shared(16, 8, 5, 5, inputs=200)]
        self.biases = [tensordsl.shared(np.zeros(len(w.get_value()), "float32")) for w in self.kernels]
        self.weights = shared(16 * 2 * 2, len(KINDS), inputs=64)
        self.params = [*self.kernels, *self.biases, self.weights]

    def __call__(self, x: Any) -> Any:
        for w, b in zip(self.kernels, self.biases, strict=True):
            x = pool_2d(T.tanh(T.nnet.conv2d(x, w) + b.dimshuffle("x", 0, "x", "x")), (2, 2), ignore_border=True)
        return T.nnet.softmax(T.dot(x.flatten(2), self.weights))


def main() -> None:
    parser = argparse.ArgumentParser(description="A small convolutional network on pictures of four kinds.")
    parser.add_argument("--epochs", type=int, default=25)
    epochs = parser.parse_args().epochs
    random = np.random.default_rng(0)
    network = Network(random)

    x, y = T.ftensor4("x"), T.ivector("y")
    chances = network(x)
    cost = T.nnet.categorical_crossentropy(chances, y).mean()
    steps = zip(network.params, T.grad(cost, network.params), strict=True)
    train = tensordsl.function([x, y], cost, updates=[(w, w - RATE * g) for w, g in steps])
    accuracy = tensordsl.function([x, y], T.eq(T.argmax(chances, axis=1), y).mean())

    seen, kinds = pictures(random, PICTURES)
    for epoch in range(epochs):
        costs = [train(seen[k : k + BATCH], kinds[k : k + BATCH]) for k in range(0, PICTURES, BATCH)]
        print(f"epoch {epoch + 1}: cost {np.mean(costs):.3f}")
    right = float(accuracy(*pictures(random, PICTURES)))
    print(f"{100 * right:.1f} % of {PICTURES} new pictures are told apart: {', '.join(KINDS)}")
    assert epochs < 25 or right > 0.95


if __name__ == "__main__":
    main()
