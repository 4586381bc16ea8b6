"""JAX on the CPU in double precision; arguments are put on its device beforehand, state is passed and returned."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from benchmarks.workloads import CHAINS, Call, Data, chain

PACKAGES = ("jax", "jaxlib")


def warm_up() -> None:
    jax.jit(lambda x, y: x @ y - 3)(jnp.ones((2, 2)), jnp.ones((2, 2))).block_until_ready()


def waiting(function: Any, **arguments: Any) -> Call:
    """A call of the compiled `function` on its device's arrays that ends when the result is there."""
    names = {name: jnp.asarray(value) for name, value in arguments.items()}
    return Call(
        f"wait(f({', '.join(names)}))",
        {"f": jax.jit(function), "wait": jax.block_until_ready, "put": jnp.asarray, **names},
    )


def call_vector(data: Data) -> Call:
    return waiting(lambda x, y, z: x * y + z, **dict(zip("xyz", data, strict=True)))


def call_scalar(data: Data) -> Call:
    return Call("wait(f(foo))", {"f": jax.jit(lambda foo: foo**2), "wait": jax.block_until_ready, "foo": data[0]})


def call_wide(data: Data) -> Call:
    return waiting(
        lambda *a: [a[i] * a[i + 1] + a[i + 2] - a[i + 3] for i in range(0, 20, 4)],
        **{f"a{i}": value for i, value in enumerate(data)},
    )


def compile_ten_ops(data: Data) -> Call:
    return waiting(lambda x, y: jnp.exp(x * y + x) * 2 + jnp.tanh(y) / (1 + y * y) - x, x=data[0], y=data[1])


def training_step(data: Data) -> Call:
    points, labels, w1, w2 = (jnp.asarray(value) for value in data)
    params = [w1, jnp.ones((4, 1)), w2, jnp.ones((1, 1))]
    state = [params, [jnp.zeros_like(param) for param in params]]

    def cost(params: Any, x: Any, y: Any) -> Any:
        hidden = jax.nn.sigmoid(params[0] @ x + params[1])
        return jnp.sum((jax.nn.sigmoid(params[2] @ hidden + params[3]) - y) ** 2)

    def step(state: Any, x: Any, y: Any) -> Any:
        params, steps = state
        value, gradients = jax.value_and_grad(cost)(params, x, y)
        steps = [0.9 * last - 0.01 * gradient for last, gradient in zip(steps, gradients, strict=True)]
        return value, [[param + move for param, move in zip(params, steps, strict=True)], steps]

    compiled = jax.jit(step)

    def train(x: Any, y: Any) -> Any:
        value, state[:] = compiled(state, x, y)
        return jax.block_until_ready(value)

    return Call("train(x, y)", {"train": train, "x": points, "y": labels})


def compile_chain(length: int) -> Any:
    return lambda data: waiting(lambda x: chain(x, length, jnp.tanh), x=data[0])


BUILD = {
    "call-vector": call_vector,
    "call-scalar": call_scalar,
    "call-wide": call_wide,
    "compile-ten-ops": compile_ten_ops,
    "compile-train": training_step,
    "train-step": training_step,
    "memory-chain": compile_chain(9),
    "compile-chain-1000": compile_chain(CHAINS["compile-chain-1000"]),
    "compile-chain-10000": compile_chain(CHAINS["compile-chain-10000"]),
}
