"""Fresh input variables: `scalar("x")`, `fmatrix()`, `vectors("a", "b")`, for each rank and dtype."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tensordsl.base.config import config
from tensordsl.base.refusals import named
from tensordsl.graph.types import TensorType, tensor_type

# rank name -> shape; a static 1 broadcasts
RANKS: dict[str, tuple[int | None, ...]] = {
    "scalar": (), "vector": (None,), "matrix": (None, None), "row": (1, None), "col": (None, 1),
    **{f"tensor{n}": (None,) * n for n in range(3, 8)},
}  # fmt: skip
PLURALS = {"matrix": "matrices", **{name: name + "s" for name in RANKS if name != "matrix"}}
PREFIXES = {"": None, "b": "int8", "w": "int16", "i": "int32", "l": "int64", "f": "float32", "d": "float64",
            "c": "complex64", "z": "complex128"}  # fmt: skip


MOST_VARIABLES = 100_000


def tensor(
    dtype: str | None = None,
    broadcastable: Sequence[bool] | None = None,
    name: str | None = None,
    shape: Sequence[int | None] | None = None,
) -> Any:
    """A variable of any type; `broadcastable`: for each axis whether its length is 1; or `shape`: ints and None.

    >>> tensor("float64", (False, True)).type
    TensorType(float64, col)
    """
    if shape is None:
        return TensorType(dtype or config.floatX, broadcastable=broadcastable or ())(name)
    return TensorType(dtype or config.floatX, shape)(name)


def _constructor(rank: str) -> Callable[..., Any]:
    """The function that makes variables of a rank."""

    def make(name: str | None = None, dtype: str | None = None, shape: Sequence[int | None] | None = None) -> Any:
        return TensorType(dtype or config.floatX, RANKS[rank])(name, shape=shape)

    make.__doc__ = f"""A {rank} variable of `dtype` (config.floatX if not given); `shape`: known lengths, or None.

    >>> {rank}("x").ndim
    {len(RANKS[rank])}
    """
    return _public(make, rank)


def _plural(single: Callable[..., Any], name: str, function_name: str) -> Callable[..., Any]:
    def make(*names: Any, **keywords: Any) -> Any:
        if len(names) == 1 and isinstance(names[0], int):
            if not 0 <= names[0] <= MOST_VARIABLES:
                raise ValueError(f"{function_name}: makes 0 to {MOST_VARIABLES} variables at once, got {names[0]}")
            return [single(**keywords) for _ in range(names[0])]
        if len(names) == 1:
            (names,) = names
            is_list = isinstance(names, list | tuple) and len(names) != 1
            if not is_list and not isinstance(names, str):
                raise TypeError(f"{function_name}: wants several names, or a number of variables, got {names!r}")
        return single(*names, **keywords) if len(names) == 1 else [single(name, **keywords) for name in names]

    make.__doc__ = f"""As many variables as there are names, or as the given number says; see `{name}`.

    A single string has a name in each of its letters; one variable alone is given as such, not in a list.

    >>> {function_name}("x", "y"), {function_name}("xy"), len({function_name}(3)), {function_name}("x")
    ([x, y], [x, y], 3, x)
    """
    return _public(make, function_name)


def _public(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    function.__name__ = function.__qualname__ = name
    result = named(function, name)
    result.__module__ = "tensordsl.tensor"  # where pickles look for them
    return result


def _constructors() -> dict[str, Any]:
    made: dict[str, Any] = {}
    for rank, shape in RANKS.items():
        for prefix, dtype in PREFIXES.items():
            name, plural = prefix + rank, prefix + PLURALS[rank]
            made[name] = _constructor(rank) if dtype is None else tensor_type(dtype, shape)
            made[plural] = _plural(made[name], name, plural)
    return made


# Names without prefix are functions, by `config.floatX`; the others are types, which make variables where called.
CONSTRUCTORS = _constructors()
