"""`lax.scan`, with the products of the whole sequence before the loop, `fori_loop` and `while_loop`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from benchmarks.workloads.foundation import Build, Call, Data
from benchmarks.workloads.loops import KEPT_ROUNDS, MOST_ROUNDS


def rnn(x: Any, w: Any, u: Any, b: Any) -> Any:
    inputs = x @ u + b
    start = jnp.zeros_like(inputs[0])
    return lax.scan(lambda h, row: (jnp.tanh(row + h @ w), None), start, inputs)[0]


def lstm(x: Any, w: Any, u: Any, b: Any) -> Any:
    inputs = x @ u + b

    def step(carry: Any, row: Any) -> Any:
        h, c = carry
        write, keep, new, show = jnp.split(row + h @ w, 4, axis=1)
        c = jax.nn.sigmoid(keep) * c + jax.nn.sigmoid(write) * jnp.tanh(new)
        return (jax.nn.sigmoid(show) * jnp.tanh(c), c), None

    start = jnp.zeros((x.shape[1], len(w)), x.dtype)
    return lax.scan(step, (start, start), inputs)[0][0]


def squared(network: Callable[..., Any]) -> Callable[..., Any]:
    return with_gradients(lambda *x: jnp.sum(network(*x) ** 2), (1, 2, 3))


def with_gradients(cost: Callable[..., Any], by: tuple[int, ...]) -> Callable[..., Any]:
    both = jax.value_and_grad(cost, by)
    return lambda *x: jax.tree.leaves(both(*x))


def power(a: Any, k: Any) -> Any:
    return lax.fori_loop(0, k, lambda _, last: last * a, jnp.ones_like(a))


def ten_operations(x: Any, a: Any, b: Any, c: Any, rounds: Any) -> Any:
    def step(_: Any, x: Any) -> Any:
        y = a * x + b
        return (y - x * c) / (x * x + 1) * 0.9 + y * 0.1

    return lax.fori_loop(0, rounds, step, x)


def density(rest: Any, log_spread: Any) -> Any:
    return -0.5 * jnp.sum(rest**2) * jnp.exp(-2 * log_spread) - len(rest) * log_spread


def series(u: Any, y: Any, a: Any, b: Any, log_spread: Any) -> Any:
    def step(carry: Any, u: Any) -> Any:
        mean = a * carry[0] + b * carry[1] + u
        return (mean, carry[0]), mean

    return density(y - lax.scan(step, (0.0, 0.0), u)[1], log_spread)


def observed(y: Any, a: Any, b: Any, log_spread: Any) -> Any:
    return density(y[2:] - a * y[1:-1] - b * y[:-2], log_spread)


def mandelbrot(re: Any, im: Any) -> Any:
    def goes_on(state: Any) -> Any:
        count, x, y = state
        return (count < MOST_ROUNDS) & (x * x + y * y <= 4)

    def step(state: Any) -> Any:
        count, x, y = state
        return count + 1, x * x - y * y + re, 2 * x * y + im

    return lax.while_loop(goes_on, step, (0, 0.0, 0.0))


def nested(h: Any, w: Any) -> Any:
    def loop(step: Callable[[Any], Any], h: Any, rounds: int) -> Any:
        return lax.scan(lambda h, _: (step(h), None), h, None, rounds)[0]

    def middle(h: Any) -> Any:
        return 0.9 * loop(lambda h: jnp.tanh(h @ w), h, 4)

    def outer(h: Any) -> Any:
        return 0.1 + loop(middle, h, 3)

    return jnp.sum(loop(outer, h, 2) ** 2)


def last(rounds: int, x: Any, a: Any) -> Any:
    return lax.scan(lambda x, _: (jnp.tanh(a * x), None), x, None, rounds)[0]


def last_gradient(rounds: int, x: Any, a: Any) -> Any:
    return jax.grad(lambda x, a: jnp.sum(last(rounds, x, a)), (0, 1))(x, a)


def calling(function: Callable[..., Any]) -> Build:
    def build(data: Data) -> Call:
        arguments = [jnp.asarray(x) for x in data]
        return Call(
            "wait(f(*x))", {"f": jax.jit(lambda *x: function(*x)), "wait": jax.block_until_ready, "x": arguments}
        )

    return build


def for_each_count(function: Callable[..., Any]) -> Build:
    """Compiled beforehand for both counts, as a count is a constant of a loop that has a gradient."""

    def build(data: Data) -> Call:
        *operands, few = data
        x, a = map(jnp.asarray, operands)
        compiled = {n: jax.jit(partial(function, n)).lower(x, a).compile() for n in (few, KEPT_ROUNDS)}
        names = {"f": compiled, "rounds": few, "x": x, "a": a}
        return Call("wait(f[rounds](x, a))", {**names, "wait": jax.block_until_ready})

    return build


NETWORKS = {"rnn": rnn, "rnn_grad": squared(rnn), "lstm": lstm, "lstm_grad": squared(lstm)}
BUILD: dict[str, Build] = {
    **{f"i.{name}.{t}": calling(f) for t in ("f4", "f8") for name, f in NETWORKS.items()},
    "i.powk.f8": calling(power),
    "i.ten_ops.f8": calling(ten_operations),
    "i.ar2.f8": calling(with_gradients(series, (2, 3, 4))),
    "i.ar2_observed.f8": calling(with_gradients(observed, (1, 2, 3))),
    "i.mandelbrot.f8": calling(mandelbrot),
    "compile-rnn": calling(squared(rnn)),
    "compile-nested": calling(with_gradients(nested, (0, 1))),
    "memory-last": for_each_count(last),
    "memory-gradient": for_each_count(last_gradient),
}
