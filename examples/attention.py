"""Attention learns to look things up: from a list of keys and values it fetches the value of the key that is asked for.

One layer with two heads, layer normalisation and a residual connection reads 10 pairs of symbols and a question, and
names one of 16 values. Nothing but the batch size is left open; softmax, its gradient and the cross-entropy are fused.

Run: python examples/attention.py [--steps 48]
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

import tensordsl
import tensordsl.tensor as T

PAIRS, KEYS, VALUES, WIDTH, HEADS = 10, 16, 16, 32, 2


def layer_norm(x: Any) -> Any:
    centred = x - x.mean(axis=-1, keepdims=True)
    return centred / T.sqrt(T.mean(centred**2, axis=-1, keepdims=True) + 1e-5)


def heads_of(x: Any) -> Any:
    """(batch, length, WIDTH) -> (batch * HEADS, length, WIDTH / HEADS)."""
    parts = x.reshape((x.shape[0], x.shape[1], HEADS, WIDTH // HEADS)).dimshuffle(0, 2, 1, 3)
    return parts.reshape((x.shape[0] * HEADS, x.shape[1], WIDTH // HEADS))


def attend(question: Any, memory: Any, to_query: Any, to_key: Any, to_value: Any) -> tuple[Any, Any]:
    """(what each question finds in the memory, the weights with which it looks)."""
    query, key, value = heads_of(T.dot(question, to_query)), heads_of(T.dot(memory, to_key)), T.dot(memory, to_value)
    score = T.batched_dot(query, key.dimshuffle(0, 2, 1)) / np.sqrt(WIDTH / HEADS)
    weight = T.nnet.softmax(score, axis=2)
    found = T.batched_dot(weight, heads_of(value))
    found = found.reshape((question.shape[0], HEADS, question.shape[1], WIDTH // HEADS)).dimshuffle(0, 2, 1, 3)
    return found.reshape(question.shape), weight


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=48)
    arguments = parser.parse_args()
    random = np.random.default_rng(0)
    dtype = tensordsl.config.floatX

    def parameter(*shape: int) -> tensordsl.SharedVariable:
        return tensordsl.shared((random.normal(size=shape) / np.sqrt(shape[0])).astype(dtype))

    def problems(count: int) -> tuple[np.ndarray, ...]:
        """PAIRS different keys with their values, the position of the key in question, and its value."""
        keys = np.argsort(random.uniform(size=(count, KEYS)), axis=1)[:, :PAIRS]
        values, asked = random.integers(VALUES, size=(count, PAIRS)), random.integers(PAIRS, size=count)
        every = np.arange(count)
        return keys, values, keys[every, asked], values[every, asked]

    of_key, of_value = parameter(KEYS, WIDTH), parameter(VALUES, WIDTH)
    projections, readout = [parameter(WIDTH, WIDTH) for _ in range(3)], parameter(WIDTH, VALUES)
    params = [of_key, of_value, *projections, readout]

    keys, values, asked, answer = T.lmatrix("keys"), T.lmatrix("values"), T.lvector("asked"), T.lvector("answer")
    question = of_key[asked].dimshuffle(0, "x", 1)
    memory = layer_norm(of_key[keys] + of_value[values])
    found, weight = attend(layer_norm(question), memory, *projections)
    belief = T.nnet.softmax(T.dot(layer_norm(question + found)[:, 0], readout))
    cost = T.nnet.categorical_crossentropy(belief, answer).mean()
    accuracy = T.mean(T.eq(T.argmax(belief, axis=1), answer))

    updates = []
    for param, gradient in zip(params, T.grad(cost, params), strict=True):
        average = tensordsl.shared(np.zeros_like(param.get_value()))
        squares = 0.95 * average + 0.05 * gradient**2
        updates += [(average, squares), (param, param - 0.01 * gradient / (T.sqrt(squares) + 1e-6))]
    train = tensordsl.function([keys, values, asked, answer], cost, updates=updates)
    judge = tensordsl.function([keys, values, asked, answer], accuracy)
    look = tensordsl.function([keys, values, asked], weight)

    unseen = problems(200)
    for step in range(1, arguments.steps + 1):
        train(*problems(50))
        if step % (arguments.steps // 6) == 0:
            print(f"step {step:4d}: {float(judge(*unseen)):.0%} of unseen questions are answered (chance: 6%)")
    weights = look(*(array[:1] for array in unseen[:3]))
    print(f"keys  {' '.join(f'{k:3d}' for k in unseen[0][0])}   asked: {unseen[2][0]}")
    for head, row in enumerate(weights[:, 0]):
        print(f"head {head} {' '.join(f'{w:3.0%}'.rjust(3) for w in row)}")
    assert judge(*unseen) > 0.9, "nothing was learnt"


if __name__ == "__main__":
    main()
