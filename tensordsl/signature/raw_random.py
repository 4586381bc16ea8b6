"""Theano's `tensor.raw_random`: draws of an explicit state, which give the new state and the numbers.

>>> import tensordsl
>>> state = random_state_type("state")
>>> new_state, x = uniform(state, (2,), -1.0, 1.0)
>>> f = tensordsl.function([state], [new_state, x])
>>> first, _ = f(seeded_state(7))
>>> bool((f(first)[1] != f(seeded_state(7))[1]).all())
True

A state is a vector of two uint64 (`signature.generators`): `seeded_state` makes one, and a function takes NumPy's
RandomState for one, from which it makes a key.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tensordsl.graph.conversion import is_random_state
from tensordsl.ops.math.elementwise import cast
from tensordsl.ops.random.distributions import DISTRIBUTIONS, drawn, size_dims
from tensordsl.signature import random as streams
from tensordsl.signature.generators import STATE, as_generator, random_generator_type

__all__ = [
    "RandomFunction", "RandomStateType", "binomial", "choice", "multinomial", "normal", "permutation", "poisson",
    "random_integers", "random_state_type", "seeded_state", "uniform",
]  # fmt: skip


class RandomStateType:
    """The type of states: a call gives an input of a function.

    A value of it is a vector of two uint64, or a NumPy RandomState, which stands for one and is not changed:
    what a function gives back is a vector.

    >>> import numpy as np
    >>> RandomStateType().filter(np.random.RandomState(3)).shape
    (2,)
    """

    __slots__ = ()

    def __call__(self, name: str | None = None) -> Any:
        return random_generator_type(name)

    make_variable = __call__

    def filter(self, data: Any, strict: bool = False, allow_downcast: bool | None = None) -> Any:
        """`data` as a vector of two uint64.  Raises TypeError."""
        return STATE.filter(data, False, allow_downcast)

    def is_valid_value(self, a: Any) -> bool:
        """Whether it is a state, or a NumPy RandomState."""
        return is_random_state(a) or STATE.is_valid_value(a)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RandomStateType)

    def __hash__(self) -> int:
        return hash(RandomStateType)

    def __repr__(self) -> str:
        return "RandomStateType"


random_state_type = RandomStateType()


class RandomFunction:
    """An op that draws: `RandomFunction("uniform", T.dvector)(state, size, *parameters)` is (new state, numbers).

    fn        the name of a distribution (docs/random.md), by NumPy's name
    outtype   the type of the numbers: dtype and rank
    args      parameters for calls that give none, in NumPy's order
    NotImplementedError for a function of NumPy's generators: state and numbers are another algorithm's here.

    >>> import tensordsl.tensor as T
    >>> _, x = RandomFunction("uniform", T.dvector)(random_state_type(), (3,), 2.0, 4.0)
    >>> x.type
    TensorType(float64, shape=(3,))
    """

    def __init__(
        self, fn: Any, outtype: Any, *args: Any, inplace: bool = False, ndim_added: int = 0, **keywords: Any
    ) -> None:
        if not isinstance(fn, str):
            raise NotImplementedError(
                "RandomFunction: wants the name of a distribution; a function that draws from NumPy's generator cannot "
                "be one, as states here are not NumPy's. Draw by NumPy in an Op of your own (docs/custom-ops.md)"
            )
        self.name = {"random_integers": "integers", "randint": "integers"}.get(fn, fn)
        if self.name not in DISTRIBUTIONS:
            raise ValueError(f"RandomFunction: no distribution {fn!r}; there are {', '.join(sorted(DISTRIBUTIONS))}")
        self.fn, self.outtype, self.args, self.keywords = fn, outtype, args, keywords
        self.inplace, self.ndim_added = inplace, ndim_added

    def __call__(self, r: Any, size: Any = None, *args: Any, ndim: int | None = None, **keywords: Any) -> Any:
        row = DISTRIBUTIONS[self.name]
        given = streams.values_of(row, self.fn, args or self.args, {**self.keywords, **keywords})
        if self.fn == "random_integers":
            given[1] = streams.as_integers(given[1], self.fn) + 1
        ndim = self.outtype.ndim - row.core if ndim is None and size is not None else ndim
        new, draw = _drawn(r, self.name, given, size, ndim, self.outtype.dtype)
        if draw.type.ndim != self.outtype.ndim:
            raise ValueError(f"{self}: draws {draw.type}, outtype is {self.outtype}")
        return new, draw

    def __repr__(self) -> str:
        return f"RandomFunction{{{self.fn}}}"

    __str__ = __repr__


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
    dims = size_dims(() if size is None else size, ndim, "permutation")
    return _given(random_state, lambda state: cast(streams.orders(state, dims, n), dtype))
