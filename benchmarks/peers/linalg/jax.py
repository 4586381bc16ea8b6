"""JAX's own linear algebra and random numbers; a key is split for each call."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.scipy.linalg import solve_triangular

from benchmarks.peers.linalg import builds
from benchmarks.workloads.foundation import Build, Call, Data
from benchmarks.workloads.linalg import CODES, DIMENSIONS, DRAWN, DRAWS, JITTER, POINTS, SIZES, STEPS

cholesky = partial(jnp.linalg.cholesky, symmetrize_input=False)
triangular = partial(solve_triangular, lower=True)
OPERATIONS: dict[str, Callable[..., Any]] = {
    "cholesky": cholesky, "solve": jnp.linalg.solve, "triangular": triangular,
}  # fmt: skip


def with_gradients(cost: Callable[..., Any], by: tuple[int, ...]) -> Callable[..., Any]:
    both = jax.value_and_grad(cost, by)
    return lambda *x: jax.tree.leaves(both(*x))


def weighted(operation: Callable[..., Any]) -> Callable[..., Any]:
    def function(*x: Any) -> Any:
        return with_gradients(lambda *x: jnp.sum(x[-1] * operation(*x[:-1])), tuple(range(len(x) - 1)))(*x)

    return function


def log_density(factor: Any, rest: Any) -> Any:
    white = triangular(factor, rest)
    return -0.5 * white @ white - jnp.sum(jnp.log(jnp.diag(factor))) - 0.5 * len(rest) * jnp.log(2 * jnp.pi)


def gaussian_process(x: Any, y: Any, length: Any, amplitude: Any, noise: Any) -> Any:
    squares = ((x[:, None] - x[None, :]) * jnp.exp(-length)) ** 2
    covariance = jnp.exp(2 * amplitude - 0.5 * squares) + (jnp.exp(2 * noise) + JITTER) * jnp.eye(len(x), dtype=x.dtype)
    return log_density(cholesky(covariance), y)


def normal_vector(x: Any, mean: Any, covariance: Any) -> Any:
    return log_density(cholesky(covariance), x - mean)


def kalman(y: Any, a: Any, h: Any, q: Any, r: Any) -> Any:
    def step(state: Any, row: Any) -> Any:
        mean, spread, density = state
        mean, spread = a @ mean, a @ spread @ a.T + q
        seen = h @ spread
        factor = cholesky(seen @ h.T + r)
        white, gain = triangular(factor, row - h @ mean), triangular(factor, seen)
        density = density - 0.5 * white @ white - jnp.sum(jnp.log(jnp.diag(factor)))
        return (mean + gain.T @ white, spread - gain.T @ gain, density), None

    return lax.scan(step, (jnp.zeros(len(a), a.dtype), jnp.eye(len(a), dtype=a.dtype), jnp.zeros((), a.dtype)), y)[0][2]


def hidden(seen: Any, transition: Any, start: Any) -> Any:
    def step(state: Any, row: Any) -> Any:
        share, density = state
        share = (share @ transition) * row
        return (share / share.sum(), density + jnp.log(share.sum())), None

    return lax.scan(step, (start, 0.0), seen)[0][1]


def drawing(name: str, _: Data) -> Call:
    draw, shape = getattr(jax.random, name), (DRAWN,)
    parameters = DRAWS[name][:1] if name == "gamma" else DRAWS[name]  # of scale one
    state = [jax.random.key(0)]

    @jax.jit
    def following(key: Any) -> Any:
        key, own = jax.random.split(key)
        return key, draw(own, *parameters, shape=shape)

    def once() -> Any:
        state[0], values = following(state[0])
        return jax.block_until_ready(values)

    return Call("draw()", {"draw": once}, is_compared=False)


def calling(function: Callable[..., Any]) -> Build:
    def build(data: Data) -> Call:
        arguments = [jnp.asarray(x) for x in data]
        compiled = jax.jit(lambda *x: function(*x))
        return Call("wait(f(*x))", {"f": compiled, "wait": jax.block_until_ready, "x": arguments})

    return build


BUILD = builds({
    **{
        f"q.{name}{kind}.{code}.{size}": calling(f)
        for name, operation in OPERATIONS.items()
        for kind, f in (("", operation), ("_grad", weighted(operation)))
        for code in CODES
        for size in SIZES
    },
    **{f"s.gp.{code}.{n}": calling(with_gradients(gaussian_process, (2, 3, 4))) for n in POINTS for code in CODES},
    **{f"s.mvnormal.{code}.{n}": calling(with_gradients(normal_vector, (1, 2))) for n in DIMENSIONS for code in CODES},
    **{f"s.kalman.{code}.{STEPS}": calling(kalman) for code in CODES},
    "s.kalman_grad.f8.100": calling(with_gradients(kalman, (1, 2))),
    "s.hmm.f8.200": calling(hidden),
    "s.hmm_grad.f8.200": calling(with_gradients(hidden, (1,))),
    **{f"r.{name}.f8.1e6": partial(drawing, name) for name in DRAWS},
    "compile-gp": calling(with_gradients(gaussian_process, (2, 3, 4))),
})  # fmt: skip
