"""`scan` of tensordsl and of PyTensor: all work is in the step, and what leaves it is the compiler's business."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.workloads.foundation import Build, Call, Data
from benchmarks.workloads.loops import BLOCK, MOST_ROUNDS, TYPES

if TYPE_CHECKING:
    from benchmarks.peers.symbolic import Language

Program = Callable[..., Any]  # of the language and of symbols: the results


def rnn(language: Language, x: Any, w: Any, u: Any, b: Any) -> Any:
    T = language.T

    def step(row: Any, h: Any) -> Any:
        return T.tanh(T.dot(row, u) + T.dot(h, w) + b)

    (states,) = language.scan(step, sequences=x, outputs_info=T.zeros((x.shape[1], w.shape[0])))
    return states[-1]


def lstm(language: Language, x: Any, w: Any, u: Any, b: Any) -> Any:
    T, n = language.T, w.shape[0]

    def step(row: Any, h: Any, c: Any) -> Any:
        z = T.dot(row, u) + T.dot(h, w) + b
        write, keep, show = T.sigmoid(z[:, :n]), T.sigmoid(z[:, n : 2 * n]), T.sigmoid(z[:, 3 * n :])
        c = keep * c + write * T.tanh(z[:, 2 * n : 3 * n])
        return show * T.tanh(c), c

    start = T.zeros((x.shape[1], n))
    states, _ = language.scan(step, sequences=x, outputs_info=[start, start])
    return states[-1]


def squared(network: Program) -> Program:
    """The sum of squares of what a network gives, and its gradients by all but the sequence."""

    def program(language: Language, x: Any, *params: Any) -> Any:
        cost = (network(language, x, *params) ** 2).sum()
        return cost, *language.T.grad(cost, list(params))

    return program


def power(language: Language, a: Any, k: Any) -> Any:
    (powers,) = language.scan(
        lambda last, a: last * a, outputs_info=language.T.ones_like(a), non_sequences=a, n_steps=k
    )
    return powers[-1]


def ten_operations(language: Language, x: Any, a: Any, b: Any, c: Any, rounds: Any) -> Any:
    def step(x: Any) -> Any:
        y = a * x + b
        return (y - x * c) / (x * x + 1) * 0.9 + y * 0.1

    (states,) = language.scan(step, outputs_info=x, n_steps=rounds)
    return states[-1]


def with_gradients(language: Language, rest: Any, a: Any, b: Any, log_spread: Any) -> Any:
    T = language.T
    density = -0.5 * (rest**2).sum() * T.exp(-2 * log_spread) - rest.shape[0] * log_spread
    return density, *T.grad(density, [a, b, log_spread])


def series(language: Language, u: Any, y: Any, a: Any, b: Any, log_spread: Any) -> Any:
    (means,) = language.scan(
        lambda u, last, last_but_one: a * last + b * last_but_one + u,
        sequences=u,
        outputs_info=dict(initial=language.T.zeros(2), taps=[-1, -2]),
    )
    return with_gradients(language, y - means, a, b, log_spread)


def observed(language: Language, y: Any, a: Any, b: Any, log_spread: Any) -> Any:
    (rest,) = language.scan(
        lambda y, last, last_but_one: y - a * last - b * last_but_one,
        sequences=dict(input=y, taps=[0, -1, -2]),
        outputs_info=[None],
    )
    return with_gradients(language, rest, a, b, log_spread)


def mandelbrot(language: Language, re: Any, im: Any) -> Any:
    def step(x: Any, y: Any) -> Any:
        x, y = x * x - y * y + re, 2 * x * y + im
        return [x, y], language.until(x * x + y * y > 4)

    zero = language.T.zeros(())
    xs, ys = language.scan(step, outputs_info=[zero, zero], n_steps=MOST_ROUNDS)
    return xs.shape[0], xs[-1], ys[-1]


def nested(language: Language, h: Any, w: Any) -> Any:
    def loop(step: Callable[[Any], Any], h: Any, rounds: int) -> Any:
        return language.scan(step, outputs_info=h, n_steps=rounds)[0][-1]

    def innermost(h: Any) -> Any:
        return language.T.tanh(language.T.dot(h, w))

    def middle(h: Any) -> Any:
        return 0.9 * loop(innermost, h, 4)

    def outer(h: Any) -> Any:
        return 0.1 + loop(middle, h, 3)

    cost = (loop(outer, h, 2) ** 2).sum()
    return cost, *language.T.grad(cost, [h, w])


def last(language: Language, x: Any, a: Any, rounds: Any) -> Any:
    (states,) = language.scan(lambda x: language.T.tanh(a * x), outputs_info=x, n_steps=rounds)
    return states[-1]


def last_gradient(language: Language, x: Any, a: Any, rounds: Any) -> Any:
    return tuple(language.T.grad(last(language, x, a, rounds).sum(), [x, a]))


def gradient_with_checkpoints(language: Language, x: Any, a: Any, rounds: Any) -> Any:
    T = language.T
    (states,) = language.checkpoints(lambda x: T.tanh(a * x), outputs_info=[x], n_steps=rounds, save_every_N=BLOCK)
    return tuple(T.grad(states[-1].sum(), [x, a]))


def build(language: Language, program: Program, names: tuple[str, ...], dtype: str, data: Data) -> Call:
    with language.change_flags(floatX=TYPES[dtype].name):
        arrays = map(np.asarray, data)
        symbols = [language.tensor(n, x.dtype.name, (None,) * x.ndim) for n, x in zip(names, arrays, strict=True)]
        results = program(language, *symbols)
        f = language.function(symbols, list(results) if isinstance(results, tuple) else results)
    return Call(f"f({', '.join(names)})", {"f": f, **dict(zip(names, map(np.asarray, data), strict=True))})


NETWORKS = {"rnn": rnn, "rnn_grad": squared(rnn), "lstm": lstm, "lstm_grad": squared(lstm)}
PROGRAMS: dict[str, tuple[Program, tuple[str, ...]]] = {
    **{f"i.{name}.{t}": (program, ("x", "w", "u", "b")) for t in TYPES for name, program in NETWORKS.items()},
    "i.powk.f8": (power, ("a", "k")),
    "i.ten_ops.f8": (ten_operations, ("x", "a", "b", "c", "rounds")),
    "i.ar2.f8": (series, ("u", "y", "a", "b", "s")),
    "i.ar2_observed.f8": (observed, ("y", "a", "b", "s")),
    "i.mandelbrot.f8": (mandelbrot, ("re", "im")),
    "compile-rnn": (squared(rnn), ("x", "w", "u", "b")),
    "compile-nested": (nested, ("h", "w")),
    "memory-last": (last, ("x", "a", "rounds")),
    "memory-gradient": (last_gradient, ("x", "a", "rounds")),
}
CHECKPOINTS = {"memory-checkpoints": (gradient_with_checkpoints, ("x", "a", "rounds"))}


def builders(language: Language) -> dict[str, Build]:
    return {
        name: partial(build, language, program, names, "f4" if name.endswith("f4") else "f8")
        for name, (program, names) in (PROGRAMS | (CHECKPOINTS if language.checkpoints else {})).items()
    }
