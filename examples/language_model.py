"""Two language models, of LSTM and of GRU cells, read generated sentences letter by letter and come near their entropy.

`scan` walks over the letters; its states go on from one piece of text to the next in shared variables, which is
backpropagation through time cut at the pieces' ends. The sentences are drawn from a grammar, so it is known how many
bits a letter carries: no model can have a smaller loss.

Run: python examples/language_model.py [--steps 400]
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np

import tensordsl
import tensordsl.tensor as T

NAMES, VERBS = ("ann", "bob", "eve", "tom"), ("sees", "likes", "calls")
LENGTH, STREAMS, UNITS = 25, 20, 48


def sentences(letters: int, random: np.random.Generator) -> tuple[str, float]:
    """A text of about so many letters, and the nats that each of them carries: nobody speaks of himself."""
    parts, nats = [], 0.0
    while sum(map(len, parts)) < letters:
        subject, verb = random.choice(NAMES), random.choice(VERBS)
        other = random.choice([name for name in NAMES if name != subject])
        parts.append(f"{subject} {verb} {other}.")
        nats += np.log(len(NAMES) * len(VERBS) * (len(NAMES) - 1))
    return "".join(parts), nats / sum(map(len, parts))


def parts_of(z: Any, count: int) -> list[Any]:
    """The columns of z, in as many equal parts."""
    return [z[:, k * UNITS : (k + 1) * UNITS] for k in range(count)]


def lstm(x: Any, hidden: Any, memory: Any, weights: Any, bias: Any) -> list[Any]:
    write, keep, show, new = parts_of(x + T.dot(hidden, weights) + bias, 4)
    memory = T.nnet.sigmoid(keep + 1) * memory + T.nnet.sigmoid(write) * T.tanh(new)
    return [T.nnet.sigmoid(show) * T.tanh(memory), memory]


def gru(x: Any, hidden: Any, weights: Any, bias: Any) -> list[Any]:
    from_x, from_hidden = parts_of(x + bias, 3), parts_of(T.dot(hidden, weights), 3)
    reset, update = (T.nnet.sigmoid(a + b) for a, b in zip(from_x[:2], from_hidden[:2], strict=True))
    new = T.tanh(from_x[2] + reset * from_hidden[2])
    return [update * hidden + (1 - update) * new]


CELLS = {"lstm": (lstm, 4, 2), "gru": (gru, 3, 1)}  # the step, how many gates, how many states


def model(kind: str, letters: int, random: np.random.Generator) -> Any:
    """A function that learns from a piece of text (LENGTH + 1, STREAMS) and gives its loss in nats per letter."""
    cell, gates, count = CELLS[kind]

    def shared(*shape: int) -> Any:
        return tensordsl.shared(random.normal(size=shape) / np.sqrt(shape[0]), borrow=True)

    embedding, weights, output = shared(letters, gates * UNITS), shared(UNITS, gates * UNITS), shared(UNITS, letters)
    bias, offset = tensordsl.shared(np.zeros(gates * UNITS)), tensordsl.shared(np.zeros(letters))
    states = [tensordsl.shared(np.zeros((STREAMS, UNITS))) for _ in range(count)]
    text = T.lmatrix("text")
    histories, _ = tensordsl.scan(
        cell, embedding[text[:-1]], outputs_info=states, non_sequences=[weights, bias], return_list=True
    )
    guesses = T.nnet.softmax(T.dot(histories[0], output).reshape((-1, letters)) + offset)
    loss = T.mean(T.nnet.categorical_crossentropy(guesses, text[1:].flatten()))
    params = [embedding, weights, output, bias, offset]
    updates = adam(T.grad(loss, params), params, 0.01)
    updates += [(state, history[-1]) for state, history in zip(states, histories, strict=True)]
    return tensordsl.function([text], loss, updates=updates)


def adam(gradients: list[Any], params: list[Any], rate: float) -> list[Any]:
    count = tensordsl.shared(0.0)
    t, updates = count + 1, [(count, count + 1)]
    for param, gradient in zip(params, gradients, strict=True):
        first, second = (tensordsl.shared(np.zeros_like(param.get_value())) for _ in range(2))
        new_first, new_second = 0.9 * first + 0.1 * gradient, 0.99 * second + 0.01 * gradient**2
        step = rate * new_first / (1 - 0.9**t) / (T.sqrt(new_second / (1 - 0.99**t)) + 1e-8)
        updates += [(first, new_first), (second, new_second), (param, param - step)]
    return updates


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=400)
    arguments = parser.parse_args()
    random = np.random.default_rng(0)
    text, least = sentences(STREAMS * (arguments.steps * LENGTH + 1), random)
    alphabet = {letter: k for k, letter in enumerate(sorted(set(text)))}
    streams = np.array([alphabet[letter] for letter in text])[: len(text) // STREAMS * STREAMS].reshape(STREAMS, -1).T
    print(f"{text[:50]}...\n{len(alphabet)} letters; one carries {least:.3f} nats")
    for kind in CELLS:
        began = time.perf_counter()
        learn = model(kind, len(alphabet), random)
        losses = [float(learn(streams[k * LENGTH : (k + 1) * LENGTH + 1])) for k in range(arguments.steps)]
        late = np.mean(losses[-20:])
        print(f"{kind}: loss {losses[0]:.3f}, then {late:.3f}, in {time.perf_counter() - began:.1f} s")
        assert late < 1.1 * least, f"the {kind} did not find the grammar"


if __name__ == "__main__":
    main()
