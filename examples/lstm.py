"""An LSTM learns to remember: it reads 10 numbers, two of them marked, and has to give the sum of these two.

The recurrence is a Python loop, unrolled into one graph; gradients go back through all steps, are clipped by their
norm, and move the parameters by Adam. Long memory is needed: without it the error is the variance of the sum, 1/6.

Run: python examples/lstm.py [--steps 600]
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np

import tensordsl
import tensordsl.tensor as T

LENGTH, UNITS, BATCH = 10, 20, 50


def lstm(x: Any, weights: Any, recurrent: Any, bias: Any) -> Any:
    """The last hidden state for sequences x of shape (LENGTH, batch, features)."""
    hidden = memory = T.zeros((x.shape[1], UNITS))
    for t in range(LENGTH):
        z = T.dot(x[t], weights) + T.dot(hidden, recurrent) + bias
        write, keep, show = (T.nnet.sigmoid(z[:, k * UNITS : (k + 1) * UNITS]) for k in range(3))
        memory = keep * memory + write * T.tanh(z[:, 3 * UNITS :])
        hidden = show * T.tanh(memory)
    return hidden


def adam(gradients: list[Any], params: list[Any], rate: float, beta1: float = 0.9, beta2: float = 0.999) -> list[Any]:
    """Updates by Kingma and Ba (2015)."""
    count = tensordsl.shared(np.asarray(0.0, tensordsl.config.floatX), name="count")
    t = count + 1
    step = rate * T.sqrt(1 - beta2**t) / (1 - beta1**t)
    updates = [(count, t)]
    for param, gradient in zip(params, gradients, strict=True):
        first, second = (tensordsl.shared(np.zeros_like(param.get_value())) for _ in range(2))
        new_first = beta1 * first + (1 - beta1) * gradient
        new_second = beta2 * second + (1 - beta2) * gradient**2
        updates += [(first, new_first), (second, new_second)]
        updates += [(param, param - step * new_first / (T.sqrt(new_second) + 1e-8))]
    return updates


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=600)
    arguments = parser.parse_args()
    random = np.random.default_rng(0)
    dtype = tensordsl.config.floatX

    def sequences(count: int) -> tuple[np.ndarray, np.ndarray]:
        """Numbers with their marks, shape (LENGTH, count, 2), and the sums of the marked ones."""
        numbers, marks = random.uniform(size=(LENGTH, count)), np.zeros((LENGTH, count))
        for k in range(count):
            marks[random.choice(LENGTH, 2, replace=False), k] = 1
        return np.stack([numbers, marks], axis=2).astype(dtype), np.sum(numbers * marks, axis=0).astype(dtype)

    def parameter(name: str, *shape: int) -> tensordsl.SharedVariable:
        return tensordsl.shared((random.normal(size=shape) / np.sqrt(shape[0])).astype(dtype), name=name)

    layer = [parameter("weights", 2, 4 * UNITS), parameter("recurrent", UNITS, 4 * UNITS)]
    start = np.repeat([0.0, 1.0, 0.0, 0.0], UNITS).astype(dtype)  # keep everything, at first
    layer.append(tensordsl.shared(start, name="bias"))
    output = [parameter("output", UNITS), tensordsl.shared(np.asarray(1.0, dtype), name="offset")]

    x, target = T.tensor3("x"), T.vector("target")
    guess = T.dot(lstm(x, *layer), output[0]) + output[1]
    cost = T.mean((guess - target) ** 2)
    params = [*layer, *output]
    gradients = T.grad(cost, params)
    norm = T.sqrt(sum(T.sum(g**2) for g in gradients))
    clipped = [g * T.minimum(1.0, 1.0 / norm) for g in gradients]

    began = time.perf_counter()
    train = tensordsl.function([x, target], cost, updates=adam(clipped, params, rate=0.01))
    judge = tensordsl.function([x, target], cost)
    print(f"compiled {LENGTH} steps and their gradient in {time.perf_counter() - began:.2f} s")
    training, unseen = sequences(5000), sequences(250)
    for step in range(1, arguments.steps + 1):
        batch = random.integers(5000, size=BATCH)
        train(training[0][:, batch], training[1][batch])
        if step % (arguments.steps // 6) == 0:
            print(f"step {step:4d}: mean squared error {float(judge(*unseen)):.4f} (1/6 without memory)")
    assert judge(*unseen) < 0.02, "nothing was remembered"


if __name__ == "__main__":
    main()
