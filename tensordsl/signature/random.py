"""Random numbers as in Theano: streams that give symbolic draws, with state in shared variables.

>>> streams = RandomStreams(seed=1)
>>> x = streams.uniform((2,))
>>> import tensordsl
>>> f = tensordsl.function([], x)
>>> bool((f() != f()).all())
True

Each draw has a state of its own, a shared vector of two uint64: a key and the number of the draw.  A function that uses
the draw counts the number up, by the state's default update.  The numbers are a pure function of the state
(`tensordsl.ops.random.bits`): the same on every machine, and not those of NumPy or Theano for the same seed.
"""

from __future__ import annotations

import secrets
from typing import Any

import numpy as np

from tensordsl.base.errors import flag
from tensordsl.graph.types import INTEGERS
from tensordsl.graph.variables import Constant, apply
from tensordsl.ops.array.arrange import permute_row_elements
from tensordsl.ops.array.creation import arange
from tensordsl.ops.array.cumulative import cumsum
from tensordsl.ops.array.index import take
from tensordsl.ops.array.reduce import sum as total
from tensordsl.ops.array.shape import as_dim, as_dims, reshape, shape_i, shape_padright, shape_tuple
from tensordsl.ops.array.sort import argsort, searchsorted
from tensordsl.ops.array.write import set_subtensor
from tensordsl.ops.control import require
from tensordsl.ops.math.comparisons import eq, ge
from tensordsl.ops.math.elementwise import add, cast, maximum, minimum, mul
from tensordsl.ops.math.functions import log
from tensordsl.ops.operands import as_variable, constant, whole_number
from tensordsl.ops.random import bits as rb
from tensordsl.ops.random import counts as rc
from tensordsl.signature.shared import TensorSharedVariable, shared

__all__ = ["RandomStreams"]

MOST_TRIALS = 1000  # of one binomial or multinomial number: up to so many each trial is drawn


class RandomStreams:
    """Draws from distributions.  The same seed and the same sequence of calls give the same numbers.

    seed: an integer; None takes one from the operating system.  use_cuda, no_warn: without effect.
    The arguments of the draws: size, an int, a tuple of ints and 0-d variables or an integer vector (then with `ndim`);
    without one the parameters' common shape.  nstreams: without effect.

    A draw is a variable; each call of a function that needs it gives new numbers, the same on every machine.

    >>> import tensordsl
    >>> x = RandomStreams(seed=1).uniform((2, 3))
    >>> draw = tensordsl.function([], x)
    >>> draw().shape, bool((draw() == draw()).any())
    ((2, 3), False)
    """

    def __init__(self, seed: int | None = None, use_cuda: Any = None, no_warn: bool = False) -> None:
        self.state_updates: list[tuple[TensorSharedVariable, Any]] = []
        self._seed = _checked_seed(seed)

    def seed(self, seed: int | None = None) -> None:
        """Start all streams again, from another seed."""
        self._seed = _checked_seed(seed)
        for k, (state, _) in enumerate(self.state_updates):
            state.set_value(self._state(k))

    def updates(self) -> list[tuple[TensorSharedVariable, Any]]:
        """(state, new state) of every draw made so far; a function has them by default."""
        return list(self.state_updates)

    def _state(self, k: int) -> Any:
        """The first state of the k-th stream."""
        key = rb.numpy_philox(np.uint64(k), np.uint64(2**64 - 1), np.uint64(self._seed))
        return np.array([int(key), 0], dtype="uint64")

    def _next(self) -> tuple[TensorSharedVariable, Any]:
        k = len(self.state_updates)
        state = shared(self._state(k), name=f"random_state_{k}")
        new = set_subtensor(state[1], state[1] + constant(1, dtype="uint64"))
        state.default_update = new
        self.state_updates.append((state, new))
        return state, new

    # -- draws
    def uniform(
        self, size: Any = None, low: Any = 0.0, high: Any = 1.0, ndim: int | None = None, dtype: Any = None,
        nstreams: Any = None,
    ) -> Any:  # fmt: skip
        """Numbers between low and high, floats of `dtype` (`config.floatX` if not given)."""
        dtype = rb.float_dtype(dtype, "uniform")
        state, new = self._next()
        words = rb.bits(state, _dims(size, ndim, low, high))
        return _marked(rb.uniform(words, low, high, dtype), state, new)

    def normal(
        self, size: Any = None, avg: Any = 0.0, std: Any = 1.0, ndim: int | None = None, dtype: Any = None,
        nstreams: Any = None,
    ) -> Any:  # fmt: skip
        """Normally distributed numbers with mean `avg` and standard deviation `std`."""
        dtype = rb.float_dtype(dtype, "normal")
        state, new = self._next()
        return _marked(rb.normal(rb.bits(state, _dims(size, ndim, avg, std)), avg, std, dtype), state, new)

    def binomial(
        self, size: Any = None, n: Any = 1, p: Any = 0.5, ndim: int | None = None, dtype: Any = "int64",
        nstreams: Any = None, prob: Any = None,
    ) -> Any:  # fmt: skip
        """How many of n trials succeed, each with probability p; unknown and large n are steps of the host."""
        p, n = as_variable(p if prob is None else prob), _integers(n, "binomial")
        trials = _trials(n, "binomial")
        dims = _dims(size, ndim, n, p)
        state, new = self._next()
        if trials is None:
            return _marked(cast(apply(rc.BINOMIAL, rb.bits(state, dims), n, p), dtype), state, new)
        if trials == 1:
            return _marked(cast(rb.bernoulli(rb.bits(state, dims), p), dtype), state, new)
        hits = rb.bernoulli(rb.bits(state, [*dims, as_dim(trials)]), shape_padright(p))
        return _marked(cast(total(hits, axis=len(dims)), dtype), state, new)

    def random_integers(
        self, size: Any = None, low: Any = 0, high: Any = 1, ndim: int | None = None, dtype: Any = "int64",
        nstreams: Any = None,
    ) -> Any:  # fmt: skip
        """Integers from low to high, both included."""
        low, high = (cast(_integers(v, "random_integers"), "int64") for v in (low, high))
        state, new = self._next()
        found = rb.below(rb.bits(state, _dims(size, ndim, low, high)), high - low + 1)
        return _marked(cast(found + low, dtype), state, new)

    def choice(
        self, size: Any = (), a: Any = 2, replace: bool = True, p: Any = None, ndim: int | None = None,
        dtype: Any = "int64", nstreams: Any = None,
    ) -> Any:  # fmt: skip
        """Elements of the vector `a`, or of 0, ... a - 1; p: their probabilities.

        Without `replace` no element is drawn twice; ValueError at run time if there are too few.
        """
        a = as_variable(a)
        if a.type.ndim > 1 or (not a.type.ndim and a.type.dtype not in INTEGERS):
            raise TypeError(f"choice: `a` must be an integer or a vector, got {a.type}")
        n = as_dim(a) if not a.type.ndim else as_dim(shape_i(a, 0))
        state, new = self._next()
        dims = as_dims(size, ndim)
        found = (
            _with_replacement(state, dims, n, p) if flag(replace, "choice") else _without_replacement(state, dims, n, p)
        )
        return _marked(take(a, found) if a.type.ndim else cast(found, dtype), state, new)

    def permutation(
        self, size: Any = (), n: Any = 1, ndim: int | None = None, dtype: Any = "int64", nstreams: Any = None
    ) -> Any:
        """Permutations of 0, ... n - 1, along a last axis behind those of `size`."""
        state, new = self._next()
        dims = [*as_dims(() if size is None else size, ndim), as_dim(n)]
        return _marked(cast(argsort(rb.bits(state, dims)), dtype), state, new)

    def multinomial(
        self, size: Any = None, n: Any = 1, pvals: Any = (0.5, 0.5), ndim: int | None = None, dtype: Any = "int64",
        nstreams: Any = None,
    ) -> Any:  # fmt: skip
        """How often each of the outcomes, along the last axis of `pvals`, comes out in n trials."""
        pvals, n = as_variable(pvals), _integers(n, "multinomial")
        if not pvals.type.ndim:
            raise TypeError(f"multinomial: pvals must have an axis of outcomes, got {pvals.type}")
        trials = _trials(n, "multinomial")
        rows = shape_tuple(pvals)[:-1]
        dims = as_dims(rows if size is None else size, ndim)
        state, new = self._next()
        if trials is None:
            return _marked(cast(apply(rc.MULTINOMIAL, rb.bits(state, dims), n, pvals), dtype), state, new)
        u = rb.unit(rb.bits(state, [*dims, as_dim(trials), 1]), "float64")
        edges = cumsum(pvals, axis=pvals.type.ndim - 1)[..., :-1]
        edges = edges[..., None, :]
        outcome = total(ge(u, edges), axis=len(dims) + 1)
        hits = eq(shape_padright(outcome), arange(shape_i(pvals, pvals.type.ndim - 1)))
        return _marked(cast(total(hits, axis=len(dims)), dtype), state, new)

    def poisson(
        self, size: Any = None, lam: Any = 1.0, ndim: int | None = None, dtype: Any = "int64", nstreams: Any = None
    ) -> Any:
        """Numbers of events of which `lam` are expected; a step of the host."""
        lam = as_variable(lam)
        state, new = self._next()
        return _marked(cast(apply(rc.POISSON, rb.bits(state, _dims(size, ndim, lam)), lam), dtype), state, new)

    def shuffle_row_elements(self, input: Any) -> Any:
        """`input` with the elements of each of its rows (along the last axis) in random order."""
        input = as_variable(input)
        if not input.type.ndim:
            raise TypeError(f"shuffle_row_elements: wants an axis to shuffle, got {input.type}")
        *rows, n = shape_tuple(input)
        order = self.permutation(tuple(rows), n)
        return _marked(permute_row_elements(input, order), *order.update)

    shuffle = shuffle_row_elements


def _checked_seed(seed: int | None) -> int:
    if seed is None:
        return secrets.randbits(64)
    return whole_number(seed, "RandomStreams", "the seed") % 2**64


def _marked(draw: Any, state: Any, new: Any) -> Any:
    """The draw with Theano's attributes: `rng`, its state, and `update`, the pair that counts it up."""
    draw.rng, draw.update = state, (state, new)
    return draw


def _dims(size: Any, ndim: int | None, *parameters: Any) -> list[Any]:
    """The dimensions of a draw: `size`, or those of the parameters together."""
    variables = [as_variable(v) for v in parameters]
    if size is not None and not (isinstance(size, (tuple, list)) and not size):
        return as_dims(size, ndim)
    together = variables[0]
    for v in variables[1:]:
        together = add(together, v)
    return as_dims(shape_tuple(together))


def _trials(n: Any, what: str) -> int | None:
    """n, if it is a known number of which each trial may be drawn."""
    if not isinstance(n, Constant) or n.type.ndim:
        return None
    if n.data < 0:
        raise ValueError(f"{what}: n must be 0 or more, got {n!r}")
    return int(n.data) if 1 <= n.data <= MOST_TRIALS else None


def _integers(x: Any, what: str) -> Any:
    x = as_variable(x)
    if x.type.dtype not in INTEGERS:
        raise TypeError(f"{what}: wants integers, got {x.type}")
    return x


def _with_replacement(state: Any, dims: list[Any], n: Any, p: Any) -> Any:
    words = rb.bits(state, dims)
    if p is None:
        return rb.below(words, n)
    edges = cumsum(as_variable(p))
    return minimum(searchsorted(edges, rb.unit(words, "float64"), "right"), n - 1)


def _without_replacement(state: Any, dims: list[Any], n: Any, p: Any) -> Any:
    """The first of all positions in random order; with probabilities in the order of times of decay (Efraimidis and
    Spirakis, "Weighted random sampling with a reservoir", 2006)."""
    words = rb.bits(state, [n])
    waiting = words if p is None else -log(rb.unit(words, "float64")) / as_variable(p)
    count: Any = as_dim(1)
    for d in dims:
        count = mul(count, d)
    count = require(count, ge(n, maximum(count, 0)), "choice: more elements than there are, without replacement")
    return reshape(argsort(waiting)[:count], dims, ndim=len(dims))
