"""Explicit generators, as in PyTensor: a generator is a variable, and each draw gives the next one beside its numbers.

>>> import tensordsl
>>> rng = default_rng(seed=1)
>>> next_rng, x = rng.normal(loc=10.0, scale=0.1, size=(2,))
>>> f = tensordsl.function([], x, updates={rng: next_rng})
>>> bool((f() != f()).all())
True

The value of a generator is a vector of two uint64: a key and the number of the draw (`ops.random.bits`).  It may be
shared (`default_rng`), an input of a function (`random_generator_type`), carried by a loop, or computed.  Without an
update a generator stays as it is, and gives the same numbers again.  The functions of this module,
`normal(loc, scale, size=...)` and so on for each distribution of docs/random.md, draw of a generator of their own, or
of `rng=`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from inspect import Parameter as Argument
from inspect import Signature
from typing import TYPE_CHECKING, Any

import numpy as np

from tensordsl.base.errors import flag
from tensordsl.graph.types import TensorType
from tensordsl.graph.variables import Variable
from tensordsl.ops.array.shape import shape_i
from tensordsl.ops.operands import as_variable
from tensordsl.ops.random.distributions import ALIASES, DISTRIBUTIONS, Distribution, drawn
from tensordsl.signature import random as streams
from tensordsl.signature.shared import TensorSharedVariable
from tensordsl.tensor.var import TensorVariable

STATE = TensorType("uint64", (2,))
Draw = Callable[[Any], Any]  # of a state

FUNCTIONS = tuple(dict.fromkeys((*DISTRIBUTIONS, *ALIASES, "choice", "permutation", "permuted")))
__all__ = [
    "Draws", "GeneratorVariable", "RandomStream", "as_generator", "default_rng", "random_generator_type", *FUNCTIONS,
]  # fmt: skip


class Draws:
    """The draws of all distributions, with NumPy's names of parameters and their order, then size and dtype.

    Beside the methods below there is one for every row of `ops.random.distributions.TABLE`.
    """

    __slots__ = ()

    def _give(self, draw: Draw) -> Any:
        """The draw of a state, in the form that the user gets it."""
        raise NotImplementedError

    def _of(self, name: str, parameters: Sequence[Any], size: Any = None, dtype: Any = None) -> Any:
        return self._give(lambda state: drawn(DISTRIBUTIONS[name], state, parameters, size, None, dtype))

    def gamma(self, shape: Any, rate: Any = None, scale: Any = None, size: Any = None, dtype: Any = None) -> Any:
        """Gamma numbers of a shape, and a scale or a rate, which is 1 / scale; as a third argument by name only one."""
        if rate is not None and scale is not None:
            raise ValueError("gamma: give the scale or the rate, not both")
        if rate is not None:
            scale = 1 / as_variable(rate)
        return self._of("gamma", (shape, 1.0 if scale is None else scale), size, dtype)

    def integers(
        self, low: Any, high: Any = None, size: Any = None, dtype: Any = "int64", endpoint: bool = False
    ) -> Any:
        """Integers from low to below high, from 0 to below low if that is all; endpoint: high is among them."""
        low, high = (0, low) if high is None else (low, high)
        if flag(endpoint, "integers"):
            high = as_variable(high) + 1
        return self._of("integers", (low, high), size, dtype)

    def choice(self, a: Any, size: Any = None, replace: bool = True, p: Any = None, axis: int = 0) -> Any:
        """Elements of 0, ... a - 1, or of a tensor along an axis; p: their probabilities."""
        return self._give(lambda state: streams.chosen(state, a, size, replace, p, axis))

    def permutation(self, x: Any, axis: int = 0) -> Any:
        """0, ... x - 1, or the parts of a tensor along an axis, in random order."""
        x = as_variable(x)
        if not x.type.ndim:
            return self._give(lambda state: streams.orders(state, [], x))
        return self.choice(x, shape_i(x, axis % x.type.ndim), False, axis=axis)

    def permuted(self, x: Any, axis: int | None = None) -> Any:
        """x with the elements of each line along the axis in an order of its own; for None all of them."""
        return self._give(lambda state: streams.in_random_order(state, x, axis))

    def shuffle(self, x: Any, axis: int = 0) -> Any:
        """As `permutation` of a tensor: nothing is changed in place."""
        return self.permutation(x, axis)

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """The methods that are made of the table."""


class GeneratorVariable(Draws, TensorVariable):
    """A variable that is a generator's state: each draw gives (the next generator, the numbers)."""

    __slots__ = ()

    def _give(self, draw: Draw) -> Any:
        return as_generator(streams.following(self)), draw(self)

    def standing_for(self, parameter: Any) -> Any:
        """The parameter of a loop that stands for this generator is one too."""
        return as_generator(parameter)


class SharedGenerator(GeneratorVariable, TensorSharedVariable):
    """A generator with a value that lives between calls."""

    def _made_anew(self) -> SharedGenerator:
        return SharedGenerator(self.type, np.zeros(2, "uint64"), self.name)

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (self.get_value(), self.name, self.default_update)


def _restored(value: Any, name: str | None, update: Any) -> SharedGenerator:
    rng = SharedGenerator(STATE, value, name)
    rng.default_update = update
    return rng


def default_rng(seed: Any = None, name: str | None = None) -> Any:
    """A shared generator; seed: an integer or a sequence of some, None takes one from the operating system.

    >>> rng = default_rng(3)
    >>> next_rng, k = rng.integers(0, 10, size=5)
    >>> k.type, next_rng.type
    (TensorType(int64, shape=(5,)), TensorType(uint64, shape=(2,)))
    """
    if isinstance(seed, GeneratorVariable):
        return seed
    return SharedGenerator(STATE, streams.first_state(streams.checked_seed(seed, "default_rng"), 0), name)


def random_generator_type(name: str | None = None) -> Any:
    """A generator that is an input of a function; `default_rng(seed).get_value()` is a value for it."""
    return as_generator(STATE(name))


def as_generator(state: Any) -> Any:
    """A state, a vector of two uint64, as a generator: what a loop carries, or a program has computed."""
    if isinstance(state, GeneratorVariable):
        return state
    is_state = isinstance(state, Variable) and state.type.dtype == "uint64" and state.type.ndim == 1
    if not is_state or state.type.shape[0] not in (2, None):
        got = state.type if isinstance(state, Variable) else repr(state)
        raise TypeError(f"a generator's state is a vector of two uint64, got {got}; default_rng(seed) makes one")
    if type(state) is not TensorVariable:
        state = state[:2]
    state.__class__ = GeneratorVariable
    return state


class RandomStream(Draws):
    """Streams as PyTensor's: every draw has a shared state of its own, which functions count up by default.

    >>> import tensordsl
    >>> x = RandomStream(seed=1).exponential(scale=2.0, size=(3,))
    >>> f = tensordsl.function([], x)
    >>> bool((f() != f()).all())
    True
    """

    __slots__ = ("_streams",)

    def __init__(self, seed: Any = None) -> None:
        self._streams = streams.RandomStreams(seed)

    @property
    def state_updates(self) -> list[tuple[Any, Any]]:
        return self._streams.state_updates

    def seed(self, seed: Any = None) -> None:
        """Start all streams again, from another seed."""
        self._streams.seed(seed)

    def updates(self) -> list[tuple[Any, Any]]:
        """(state, new state) of every draw made so far; a function has them by default."""
        return self._streams.updates()

    def gen(self, op: Any, *args: Any, **keywords: Any) -> Any:
        """The draw of a function of this module: `gen(normal, 0.0, 1.0, size=3)`."""
        return getattr(self, op if isinstance(op, str) else op.__name__)(*args, **keywords)

    def _give(self, draw: Draw) -> Any:
        return self._streams.by(draw)


class _Once(Draws):
    """Draws of one generator, for functions: the numbers alone, or the next generator beside them."""

    __slots__ = ("rng", "gives_next")

    def __init__(self, rng: Any, gives_next: bool) -> None:
        self.rng, self.gives_next = rng, gives_next

    def _give(self, draw: Draw) -> Any:
        if self.rng is None and not self.gives_next:
            return streams.RandomStreams().by(draw)
        rng = default_rng() if self.rng is None else as_generator(self.rng)
        x, new = draw(rng), as_generator(streams.following(rng))
        x.rng, x.update = rng, (rng, new)
        return (new, x) if self.gives_next else x


def _method(name: str, row: Distribution) -> Any:
    """The method with the parameters in NumPy's order."""

    def method(self: Draws, *args: Any, size: Any = None, dtype: Any = None, **keywords: Any) -> Any:
        count = len(row.parameters)
        if len(args) > count and size is None:  # as NumPy, the size behind the parameters
            args, (size, *rest) = args[:count], args[count:]
            dtype = rest.pop(0) if rest and dtype is None else dtype
            args = (*args, *rest)
        return self._of(row.name, streams.values_of(row, name, args, keywords), size, dtype)

    rest = [Argument(k, Argument.POSITIONAL_OR_KEYWORD, default=None) for k in ("size", "dtype")]
    first = Argument("self", Argument.POSITIONAL_OR_KEYWORD, default=None)
    method.__name__, method.__qualname__ = name, f"Draws.{name}"
    signature = Signature([first, *streams.arguments_of(row), *rest])
    method.__signature__ = signature  # type: ignore[attr-defined]  # for help()
    method.__doc__ = streams.described(row)
    return method


def _function(name: str) -> Any:
    """The function of a method: of `rng`, or of a generator of its own, which functions count up."""
    method = getattr(Draws, name)

    def function(*args: Any, rng: Any = None, return_next_rng: bool = False, name: Any = None, **keywords: Any) -> Any:
        draw = method(_Once(rng, flag(return_next_rng, "return_next_rng")), *args, **keywords)
        if name is not None:
            (draw[1] if return_next_rng else draw).name = name
        return draw

    function.__name__ = function.__qualname__ = name
    function.__doc__ = method.__doc__
    function.__module__ = __name__
    return function


for _name in (*DISTRIBUTIONS, *ALIASES):
    if _name not in vars(Draws):
        setattr(Draws, _name, _method(_name, DISTRIBUTIONS[ALIASES.get(_name, _name)]))
for _name in FUNCTIONS:
    globals()[_name] = _function(_name)
