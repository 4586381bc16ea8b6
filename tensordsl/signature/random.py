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
from collections.abc import Callable, Sequence
from inspect import Parameter as Argument
from inspect import Signature
from typing import TYPE_CHECKING, Any

import numpy as np

from tensordsl.base.errors import flag
from tensordsl.graph.types import INTEGERS
from tensordsl.ops.array.arrange import permute_row_elements
from tensordsl.ops.array.cumulative import cumsum
from tensordsl.ops.array.index import take
from tensordsl.ops.array.shape import as_dim, reshape, shape_i, shape_tuple
from tensordsl.ops.array.sort import argsort, searchsorted
from tensordsl.ops.array.write import set_subtensor
from tensordsl.ops.control import require
from tensordsl.ops.math.comparisons import ge
from tensordsl.ops.math.elementwise import cast, maximum, minimum, mul
from tensordsl.ops.operands import as_variable, constant, whole_number
from tensordsl.ops.random import bits as rb
from tensordsl.ops.random.distributions import (
    ALIASES,
    DISTRIBUTIONS,
    REQUIRED,
    Distribution,
    Source,
    drawn,
    probabilities,
    size_dims,
)
from tensordsl.signature.shared import TensorSharedVariable, shared

__all__ = ["MRG_RandomStreams", "RandomStreams"]


class RandomStreams:
    """Draws from distributions.  The same seed and the same sequence of calls give the same numbers.

    seed: an integer, or a sequence of some; None takes one from the operating system.  use_cuda, no_warn: without
    effect.
    The arguments of the draws: size, an int, a tuple of ints and 0-d variables or an integer vector (then with `ndim`);
    without one the parameters' common shape.  Parameters are repeated to it.  dtype: of floats `config.floatX`, or that
    of the parameters if it is wider.  nstreams: without effect.  ValueError for parameters that the distribution does
    not have, in the call or where they are known when the expression is built.

    A draw is a variable; each call of a function that needs it gives new numbers, the same on every machine.  Beside
    the methods below there is one for every distribution of docs/random.md, `gamma(size, shape, scale)` and so on.

    >>> import tensordsl
    >>> x = RandomStreams(seed=1).uniform((2, 3))
    >>> draw = tensordsl.function([], x)
    >>> draw().shape, bool((draw() == draw()).any())
    ((2, 3), False)
    >>> RandomStreams(seed=1).gamma((2, 3), shape=2.5).type
    TensorType(float64, shape=(2, 3))
    """

    def __init__(self, seed: Any = None, use_cuda: Any = None, no_warn: bool = False) -> None:
        self.state_updates: list[tuple[TensorSharedVariable, Any]] = []
        self._seed = checked_seed(seed, type(self).__name__)
        self._seedgen: Any = None

    def seed(self, seed: Any = None) -> None:
        """Start all streams again, from another seed."""
        self._seed = checked_seed(seed, type(self).__name__)
        for k, (state, _) in enumerate(self.state_updates):
            state.set_value(first_state(self._seed, k))

    def updates(self) -> list[tuple[TensorSharedVariable, Any]]:
        """(state, new state) of every draw made so far; a function has them by default."""
        return list(self.state_updates)

    @property
    def default_instance_seed(self) -> int:
        """The seed."""
        return self._seed

    @property
    def gen_seedgen(self) -> Any:
        """A NumPy RandomState of the seed, as Theano draws the seeds of its streams from: draws do not depend on it."""
        if self._seedgen is None:
            self._seedgen = np.random.RandomState(self._seed % 2**32)
        return self._seedgen

    def __getitem__(self, item: Any) -> Any:
        """The value of the state of a draw x, by `streams[x.rng]`.  KeyError for what is none of these streams'."""
        return self._state(item).get_value()

    def __setitem__(self, item: Any, value: Any) -> None:
        """Let a draw go on from another state: of another stream, or a NumPy RandomState, which stands for one.

        >>> streams, others = RandomStreams(1), RandomStreams(2)
        >>> x, y = streams.uniform((2,)), others.uniform((2,))
        >>> others[y.rng] = streams[x.rng]
        >>> bool((x.eval() == y.eval()).all())
        True
        """
        self._state(item).set_value(value)

    def _state(self, item: Any) -> TensorSharedVariable:
        found: TensorSharedVariable | None = next((state for state, _ in self.state_updates if state is item), None)
        if found is None:
            raise KeyError(f"{item!r} is no state of a draw of these streams: x.rng is that of the draw x")
        return found

    def gen(self, op: Any, *args: Any, **keywords: Any) -> Any:
        """The draw of a function of `raw_random`, or of a `RandomFunction`: op(state, ...) gives (new state, draw).

        >>> from tensordsl.signature.raw_random import normal
        >>> RandomStreams(1).gen(normal, (3,)).type
        TensorType(float64, shape=(3,))
        """
        return self.by(lambda state: op(state, *args, **keywords)[1])

    def _next(self) -> tuple[TensorSharedVariable, Any]:
        k = len(self.state_updates)
        state = shared(first_state(self._seed, k), name=f"random_state_{k}")
        new = following(state)
        state.default_update = new
        self.state_updates.append((state, new))
        return state, new

    def by(self, draw: Callable[[Any], Any]) -> Any:
        """The draw of a state of its own."""
        state, new = self._next()
        return _marked(draw(state), state, new)

    def _draw(
        self, name: str, parameters: Sequence[Any], size: Any = None, ndim: int | None = None, dtype: Any = None
    ) -> Any:
        return self.by(lambda state: drawn(DISTRIBUTIONS[name], state, parameters, size, ndim, dtype))

    # -- draws
    def uniform(
        self, size: Any = None, low: Any = 0.0, high: Any = 1.0, ndim: int | None = None, dtype: Any = None,
        nstreams: Any = None,
    ) -> Any:  # fmt: skip
        """Numbers between low and high."""
        return self._draw("uniform", (low, high), size, ndim, dtype)

    def normal(
        self, size: Any = None, avg: Any = 0.0, std: Any = 1.0, ndim: int | None = None, dtype: Any = None,
        nstreams: Any = None,
    ) -> Any:  # fmt: skip
        """Normally distributed numbers with mean `avg` and standard deviation `std`."""
        return self._draw("normal", (avg, std), size, ndim, dtype)

    def binomial(
        self, size: Any = None, n: Any = 1, p: Any = 0.5, ndim: int | None = None, dtype: Any = "int64",
        nstreams: Any = None, prob: Any = None,
    ) -> Any:  # fmt: skip
        """How many of n trials succeed, each with probability p."""
        return self._draw("binomial", (n, p if prob is None else prob), size, ndim, dtype)

    def random_integers(
        self, size: Any = None, low: Any = 0, high: Any = 1, ndim: int | None = None, dtype: Any = "int64",
        nstreams: Any = None,
    ) -> Any:  # fmt: skip
        """Integers from low to high, both included."""
        low, high = (as_integers(v, "random_integers") for v in (low, high))
        return self._draw("integers", (low, high + 1), size, ndim, dtype)

    def choice(
        self, size: Any = (), a: Any = 2, replace: bool = True, p: Any = None, ndim: int | None = None,
        dtype: Any = "int64", nstreams: Any = None, axis: int = 0,
    ) -> Any:  # fmt: skip
        """Elements of the vector `a`, or of 0, ... a - 1, or parts of a tensor along an axis; p: their probabilities.

        Without `replace` no element is drawn twice; ValueError at run time if there are too few.
        """
        return self.by(lambda state: chosen(state, a, size, replace, p, axis, ndim, dtype))

    def permutation(
        self, size: Any = (), n: Any = 1, ndim: int | None = None, dtype: Any = "int64", nstreams: Any = None
    ) -> Any:
        """Permutations of 0, ... n - 1, along a last axis behind those of `size`."""
        dims = size_dims(() if size is None else size, ndim, "permutation")
        return self.by(lambda state: cast(orders(state, dims, n), dtype))

    def multinomial(
        self, size: Any = None, n: Any = 1, pvals: Any = (0.5, 0.5), ndim: int | None = None, dtype: Any = "int64",
        nstreams: Any = None,
    ) -> Any:  # fmt: skip
        """How often each of the outcomes, along the last axis of `pvals`, comes out in n trials."""
        return self._draw("multinomial", (n, pvals), size, ndim, dtype)

    def poisson(
        self, size: Any = None, lam: Any = 1.0, ndim: int | None = None, dtype: Any = "int64", nstreams: Any = None
    ) -> Any:
        """Numbers of events of which `lam` are expected."""
        return self._draw("poisson", (lam,), size, ndim, dtype)

    def shuffle_row_elements(self, input: Any) -> Any:
        """`input` with the elements of each of its rows (along the last axis) in random order."""
        input = as_variable(input)
        if not input.type.ndim:
            raise TypeError(f"shuffle_row_elements: wants an axis to shuffle, got {input.type}")
        *rows, n = shape_tuple(input)
        order = self.permutation(tuple(rows), n)
        return _marked(permute_row_elements(input, order), *order.update)

    shuffle = shuffle_row_elements

    def permuted(self, x: Any, axis: int | None = None) -> Any:
        """x with its elements along the axis in random order, in another one for each line; all of them for None."""
        return self.by(lambda state: in_random_order(state, x, axis))

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """The methods that `_add_methods` makes of the table."""


class MRG_RandomStreams(RandomStreams):
    """`RandomStreams` with what Theano's MRG streams have beside it; the numbers are those of `RandomStreams`.

    >>> import tensordsl
    >>> x = MRG_RandomStreams(seed=1).normal((1000,), truncate=True)
    >>> bool(abs(tensordsl.function([], x)()).max() <= 2)
    True
    """

    def __init__(self, seed: Any = 12345, use_cuda: Any = None, no_warn: bool = False) -> None:
        super().__init__(seed, use_cuda, no_warn)

    def set_rstate(self, seed: Any) -> None:
        """As `seed`."""
        self.seed(seed)

    def n_streams(self, size: Any) -> int:
        """How many streams Theano takes for a draw of this size; here without effect."""
        known = [d for d in size if isinstance(d, int)] if isinstance(size, (tuple, list)) else []
        count = int(np.prod(known)) if known and len(known) == len(size) else 60 * 256
        return max(1, min(count, 60 * 256))

    def normal(
        self, size: Any = None, avg: Any = 0.0, std: Any = 1.0, ndim: int | None = None, dtype: Any = None,
        nstreams: Any = None, truncate: bool = False,
    ) -> Any:  # fmt: skip
        """Normally distributed numbers; truncate: none is further from the mean than twice the standard deviation."""
        if flag(truncate, "normal"):
            return self.truncated_normal(size, avg, std, ndim, dtype)
        return super().normal(size, avg, std, ndim, dtype)

    def truncated_normal(
        self, size: Any = None, avg: Any = 0.0, std: Any = 1.0, ndim: int | None = None, dtype: Any = None,
        nstreams: Any = None,
    ) -> Any:  # fmt: skip
        """Normally distributed numbers, none further from the mean than twice the standard deviation."""
        return self._draw("truncnorm", (-2.0, 2.0, avg, std), size, ndim, dtype)

    def choice(
        self, size: Any = 1, a: Any = None, replace: bool = True, p: Any = None, ndim: int | None = None,
        dtype: Any = "int64", nstreams: Any = None, axis: int = 0,
    ) -> Any:  # fmt: skip
        """As `RandomStreams.choice`; of a matrix p, without `replace`: `size` outcomes of each row, none twice."""
        p = None if p is None else as_variable(p)
        if p is None or p.type.ndim != 2:
            if a is None and p is None:
                raise TypeError("choice: wants `a`, or probabilities p")
            a = shape_i(p, 0) if a is None else a
            return super().choice(size, a, replace, p, ndim, dtype, nstreams, axis)
        if flag(replace, "choice"):
            raise ValueError("choice: of a matrix p only without replacement; multinomial draws with it")
        if a is not None:
            raise TypeError("choice: of a matrix p the outcomes are the numbers of its columns, `a` must be left out")
        return self.by(lambda state: cast(of_rows(state, p, size), dtype))

    def multinomial_wo_replacement(
        self, size: Any = None, n: Any = 1, pvals: Any = None, ndim: int | None = None, dtype: Any = "int64",
        nstreams: Any = None,
    ) -> Any:  # fmt: skip
        """n outcomes of each row of the matrix pvals, none twice: `choice(n, replace=False, p=pvals)`."""
        if size is not None:
            raise ValueError("multinomial_wo_replacement: size follows from pvals; leave it out")
        return self.choice(n, None, False, pvals, ndim, dtype)


def checked_seed(seed: Any, what: str) -> int:
    if seed is None:
        return secrets.randbits(64)
    if isinstance(seed, (tuple, list, np.ndarray)) and np.ndim(seed) == 1 and len(seed):
        mixed = np.uint64(0)
        for k, part in enumerate(seed):
            word = np.uint64(whole_number(part, what, "each part of the seed") % 2**64)
            mixed = rb.numpy_philox(np.uint64(k), word, mixed)[()]
        return int(mixed)
    return whole_number(seed, what, "the seed") % 2**64


def first_state(seed: int, k: int) -> Any:
    """The first state of the k-th stream of a seed."""
    key = rb.numpy_philox(np.uint64(k), np.uint64(2**64 - 1), np.uint64(seed))
    return np.array([int(key), 0], dtype="uint64")


def following(state: Any) -> Any:
    """The state after one draw."""
    return set_subtensor(state[1], state[1] + constant(1, dtype="uint64"))


def _marked(draw: Any, state: Any, new: Any) -> Any:
    """The draw with Theano's attributes: `rng`, its state, and `update`, the pair that counts it up."""
    draw.rng, draw.update = state, (state, new)
    return draw


def as_integers(x: Any, what: str) -> Any:
    x = as_variable(x)
    if x.type.dtype not in INTEGERS:
        raise TypeError(f"{what}: wants integers, got {x.type}")
    return x


# -- orders and choices ------------------------------------------------------------------------------------------------
def orders(state: Any, dims: Sequence[Any], n: Any) -> Any:
    """Permutations of 0, ... n - 1: the order of random words."""
    return argsort(Source(state[0], state[1], [*dims, as_dim(n)]).words())


def in_random_order(state: Any, x: Any, axis: int | None) -> Any:
    """x with the elements of every line along the axis in an order of its own; for None all of them."""
    from tensordsl.ops.array.arrange import take_along_axis  # late: few draws need it

    x = as_variable(x)
    if not x.type.ndim:
        raise TypeError(f"permuted: wants an axis, got {x.type}")
    if axis is None:
        order = argsort(reshape(Source(state[0], state[1], shape_tuple(x)).words(), (-1,)))
        return reshape(take(reshape(x, (-1,)), order), shape_tuple(x), ndim=x.type.ndim)
    return take_along_axis(x, argsort(Source(state[0], state[1], shape_tuple(x)).words(), axis=axis), axis)


def chosen(
    state: Any, a: Any, size: Any, replace: Any, p: Any, axis: int, ndim: int | None = None, dtype: Any = "int64"
) -> Any:
    """Elements of 0, ... a - 1, or of a tensor along an axis."""
    a = as_variable(a)
    if not a.type.ndim and a.type.dtype not in INTEGERS:
        raise TypeError(f"choice: `a` must be an integer or a vector, got {a.type}")
    n = as_dim(a) if not a.type.ndim else as_dim(shape_i(a, axis % a.type.ndim))
    dims = size_dims(() if size is None else size, ndim, "choice")
    p = None if p is None else probabilities("choice", p, n)
    places = _with_replacement(state, dims, n, p) if flag(replace, "choice") else _without(state, dims, n, p)
    return take(a, places, axis=axis) if a.type.ndim else cast(places, dtype)


def _with_replacement(state: Any, dims: list[Any], n: Any, p: Any) -> Any:
    source = Source(state[0], state[1], dims)
    if p is None:
        n = require(as_variable(n), ge(n, 1), "choice: there is nothing to choose from")
        return cast(source.below(n), "int64")
    return minimum(searchsorted(cumsum(p), source.unit(), "right"), n - 1)


def _waiting(source: Source, p: Any) -> Any:
    """Times of decay: outcomes in their order are drawn one after the other without replacement (Efraimidis and
    Spirakis, "Weighted random sampling with a reservoir", 2006)."""
    return source.words() if p is None else source.exponential() / p


def _without(state: Any, dims: list[Any], n: Any, p: Any) -> Any:
    """The first of all positions in random order."""
    count: Any = as_dim(1)
    for d in dims:
        count = mul(count, d)
    count = require(count, ge(n, maximum(count, 0)), "choice: more elements than there are, without replacement")
    order = argsort(_waiting(Source(state[0], state[1], [n]), p))
    return reshape(order[:count], dims, ndim=len(dims))


def of_rows(state: Any, p: Any, count: Any) -> Any:
    """`count` outcomes of each row of probabilities, none twice."""
    p = probabilities("choice", p, None)
    n = as_dim(shape_i(p, p.type.ndim - 1))
    count = as_dim(count[0] if isinstance(count, (tuple, list)) else count)
    count = require(count, ge(n, maximum(count, 0)), "choice: more elements than there are, without replacement")
    return argsort(_waiting(Source(state[0], state[1], shape_tuple(p)), p), axis=-1)[..., :count]


# -- methods of the table ----------------------------------------------------------------------------------------------
def described(row: Distribution) -> str:
    """The docstring of a method."""
    parameters = ", ".join(row.names) or "none"
    checks = "".join(f"  {check.text}." for check in row.checks)
    return (
        f"Draws of {row.name.replace('_', ' ')}.\n\nParameters: {parameters}.  Method: {row.method}.  Gradient: "
        f"{row.gradient}.\nRaises ValueError for others:{checks or '  none are wrong.'}\n"
    )


def arguments_of(row: Distribution) -> list[Argument]:
    """Of a signature for help(); what has no default stands as None there, as an argument before it has one."""
    return [
        Argument(p.name, Argument.POSITIONAL_OR_KEYWORD, default=None if p.default is REQUIRED else p.default)
        for p in row.parameters
    ]


def values_of(row: Distribution, what: str, args: Sequence[Any], keywords: dict[str, Any]) -> list[Any]:
    """The parameters of a call, by position and name; TypeError for what is missing, or too much."""
    if len(args) > len(row.parameters):
        raise TypeError(f"{what}: takes {len(row.parameters)} parameters, got {len(args)}")
    given = dict(zip(row.names, args, strict=False))
    for name in keywords:
        if name not in row.names or name in given:
            why = "is given twice" if name in given else f"is no parameter; there are {', '.join(row.names) or 'none'}"
            raise TypeError(f"{what}: {name} {why}")
    given |= keywords
    return [given.get(p.name, p.default) for p in row.parameters]


def _theanos_method(name: str, row: Distribution) -> Any:
    """The method with the order of Theano's arguments: size first, then the parameters."""

    def method(
        self: RandomStreams, size: Any = None, *args: Any, ndim: int | None = None, dtype: Any = None,
        nstreams: Any = None, **keywords: Any,
    ) -> Any:  # fmt: skip
        return self._draw(row.name, values_of(row, name, args, keywords), size, ndim, dtype)

    rest = [Argument(k, Argument.KEYWORD_ONLY, default=None) for k in ("ndim", "dtype", "nstreams")]
    first = [Argument(k, Argument.POSITIONAL_OR_KEYWORD, default=None) for k in ("self", "size")]
    method.__name__, method.__qualname__ = name, f"RandomStreams.{name}"
    method.__signature__ = Signature([*first, *arguments_of(row), *rest])  # type: ignore[attr-defined]  # for help()
    method.__doc__ = described(row)
    return method


for _name in (*DISTRIBUTIONS, *ALIASES):
    if _name not in vars(RandomStreams):
        setattr(RandomStreams, _name, _theanos_method(_name, DISTRIBUTIONS[ALIASES.get(_name, _name)]))
