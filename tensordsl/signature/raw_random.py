"""Theano's `tensor.raw_random`: draws of an explicit state, which give the new state and the numbers.

>>> import tensordsl
>>> state = random_state_type("state")
>>> new_state, x = uniform(state, (2,), -1.0, 1.0)
>>> f = tensordsl.function([state], [new_state, x])
>>> first, _ = f(seeded_state(7))
>>> bool((f(first)[1] != f(seeded_state(7))[1]).all())
True

A state is a vector of two uint64 (`signature.generators`), not NumPy's RandomState: `seeded_state` makes one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tensordsl.ops.array.shape import as_dims
from tensordsl.ops.math.elementwise import cast
from tensordsl.ops.random.distributions import DISTRIBUTIONS, drawn
from tensordsl.signature import random as streams
from tensordsl.signature.generators import as_generator
from tensordsl.signature.generators import random_generator_type as random_state_type

__all__ = [
    "binomial", "choice", "multinomial", "normal", "permutation", "poisson", "random_integers", "random_state_type",
    "seeded_state", "uniform",
]  # fmt: skip


def seeded_state(seed: Any = None) -> Any:
    """The value of a state, an array: of an integer, a sequence of some, or the operating system's."""
    return streams.first_state(streams.checked_seed(seed, "seeded_state"), 0)


def _given(random_state: Any, draw: Callable[[Any], Any]) -> tuple[Any, Any]:
    state = as_generator(random_state)
    return as_generator(streams.following(state)), draw(state)


def _drawn(random_state: Any, name: str, parameters: Any, size: Any, ndim: int | None, dtype: Any) -> tuple[Any, Any]:
    return _given(random_state, lambda state: drawn(DISTRIBUTIONS[name], state, parameters, size, ndim, dtype))


def uniform(
    random_state: Any, size: Any = None, low: Any = 0.0, high: Any = 1.0, ndim: int | None = None, dtype: Any = None
) -> tuple[Any, Any]:
    """(new state, numbers between low and high)"""
    return _drawn(random_state, "uniform", (low, high), size, ndim, dtype)


def normal(
    random_state: Any, size: Any = None, avg: Any = 0.0, std: Any = 1.0, ndim: int | None = None, dtype: Any = None
) -> tuple[Any, Any]:
    """(new state, normally distributed numbers)"""
    return _drawn(random_state, "normal", (avg, std), size, ndim, dtype)


def binomial(
    random_state: Any, size: Any = None, n: Any = 1, p: Any = 0.5, ndim: int | None = None, dtype: Any = "int64",
    prob: Any = None,
) -> tuple[Any, Any]:  # fmt: skip
    """(new state, how many of n trials succeed)"""
    return _drawn(random_state, "binomial", (n, p if prob is None else prob), size, ndim, dtype)


def poisson(
    random_state: Any, size: Any = None, lam: Any = 1.0, ndim: int | None = None, dtype: Any = "int64"
) -> tuple[Any, Any]:
    """(new state, numbers of events of which `lam` are expected)"""
    return _drawn(random_state, "poisson", (lam,), size, ndim, dtype)


def random_integers(
    random_state: Any, size: Any = None, low: Any = 0, high: Any = 1, ndim: int | None = None, dtype: Any = "int64"
) -> tuple[Any, Any]:
    """(new state, integers from low to high, both included)"""
    low, high = (streams.as_integers(v, "random_integers") for v in (low, high))
    return _drawn(random_state, "integers", (low, high + 1), size, ndim, dtype)


def multinomial(
    random_state: Any, size: Any = None, n: Any = 1, pvals: Any = (0.5, 0.5), ndim: int | None = None,
    dtype: Any = "int64",
) -> tuple[Any, Any]:  # fmt: skip
    """(new state, how often each outcome comes out in n trials)"""
    return _drawn(random_state, "multinomial", (n, pvals), size, ndim, dtype)


def choice(
    random_state: Any, size: Any = None, a: Any = 2, replace: bool = True, p: Any = None, ndim: int | None = None,
    dtype: Any = "int64",
) -> tuple[Any, Any]:  # fmt: skip
    """(new state, elements of 0, ... a - 1 or of a vector)"""
    return _given(random_state, lambda state: streams.chosen(state, a, size, replace, p, 0, ndim, dtype))


def permutation(
    random_state: Any, size: Any = None, n: Any = 1, ndim: int | None = None, dtype: Any = "int64"
) -> tuple[Any, Any]:
    """(new state, permutations of 0, ... n - 1)"""
    dims = as_dims(() if size is None else size, ndim)
    return _given(random_state, lambda state: cast(streams.orders(state, dims, n), dtype))
