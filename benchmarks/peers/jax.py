"""JAX on the CPU in double precision; arguments are put on its device beforehand, state is passed and returned."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp

from benchmarks.peers.linalg import jax as linalg
from benchmarks.peers.loops import jax as loops
from benchmarks.workloads.foundation import Call, Data, builders, chain
from benchmarks.workloads.peers import CASES, NAMES, OPERANDS, Case, as_stored

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


BUILD = builders(call_vector, call_scalar, call_wide, compile_ten_ops, training_step, compile_chain, longest=10_000)


# -- the second suite -------------------------------------------------------------------------------------------------
M = SimpleNamespace(
    **{name: getattr(jnp, name) for name in NAMES if hasattr(jnp, name)},
    erf=jax.scipy.special.erf,
    logsumexp=jax.scipy.special.logsumexp,
    sigmoid=jax.nn.sigmoid,
    softmax=lambda x: jax.nn.softmax(x, axis=1),
    pick=lambda x, columns: x[jnp.arange(x.shape[0]), columns],
    inc_rows=lambda table, index, rows: table.at[index].add(rows),
    set_rows=lambda table, index, rows: table.at[index].set(rows),
)


def case(case: Case, data: Data) -> Call:
    function = partial(case.function, M)
    if case.how == "each":
        calls = [tuple(map(jnp.asarray, operands)) for operands in data]
        return Call(
            "[wait(f(*c)) for c in calls]", {"f": jax.jit(function), "wait": jax.block_until_ready, "calls": calls}
        )
    if case.how == "training":
        return training_case(case, data)
    if case.how == "gradients":
        both = jax.value_and_grad(function, tuple(range(case.by)))
        return waiting(lambda *x: jax.tree.leaves(both(*x)), **dict(zip(OPERANDS, data, strict=False)))
    stored, view = as_stored(data)
    return waiting(lambda *x: function(*view(*x)), **dict(zip(OPERANDS, stored, strict=False)))


def training_case(case: Case, data: Data) -> Call:
    params, rest = [jnp.asarray(x) for x in data[: case.by]], [jnp.asarray(x) for x in data[case.by :]]
    state = [params, [jnp.zeros_like(param) for param in params]]
    both = jax.value_and_grad(partial(case.function, M), tuple(range(case.by)))

    def step(state: Any, *rest: Any) -> Any:
        params, steps = state
        value, gradients = both(*params, *rest)
        steps = [0.9 * last - 0.01 * gradient for last, gradient in zip(steps, gradients, strict=True)]
        return value, [[param + move for param, move in zip(params, steps, strict=True)], steps]

    compiled = jax.jit(step, donate_argnums=0)

    def train() -> Any:
        value, state[:] = compiled(state, *rest)
        return jax.block_until_ready(value)

    return Call("train()", {"train": train})


BUILD |= {row.name: partial(case, row) for row in CASES} | loops.BUILD | linalg.BUILD
