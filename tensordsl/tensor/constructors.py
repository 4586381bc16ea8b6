"""Fresh input variables: `scalar("x")`, `fmatrix()`, `vectors("a", "b")`, one function for each rank and dtype."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tensordsl.config import config
from tensordsl.tensor.refusals import named
from tensordsl.types import TensorType

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


def _constructor(rank: str, fixed: str | None, function_name: str) -> Callable[..., Any]:
    def make(name: str | None = None, dtype: str | None = None, shape: Sequence[int | None] | None = None) -> Any:
        if fixed and dtype not in (None, fixed):
            raise TypeError(f"{function_name}: makes variables of dtype {fixed}, got dtype={dtype!r}")
        if shape is not None and len(shape) != len(RANKS[rank]):
            raise ValueError(f"{function_name}: a shape of {len(shape)} lengths for {len(RANKS[rank])} axes")
        return TensorType(fixed or dtype or config.floatX, RANKS[rank] if shape is None else shape)(name)

    make.__name__ = make.__qualname__ = function_name
    of = fixed or "`dtype` (config.floatX if not given)"
    make.__doc__ = f"""A {rank} variable of dtype {of}; `shape`: known lengths, or None.

    >>> {function_name}("x").ndim
    {len(RANKS[rank])}
    """
    return make


def _plural(single: Callable[..., Any], function_name: str) -> Callable[..., Any]:
    def make(*names: Any, **keywords: Any) -> Any:
        if len(names) == 1 and isinstance(names[0], int):
            if not 0 <= names[0] <= MOST_VARIABLES:
                raise ValueError(f"{function_name}: makes 0 to {MOST_VARIABLES} variables at once, got {names[0]}")
            return [single(**keywords) for _ in range(names[0])]
        return [single(name, **keywords) for name in names]

    make.__name__ = make.__qualname__ = function_name
    make.__doc__ = f"""As many variables as there are names, or as the given number says; see `{single.__name__}`.

    >>> {function_name}("x", "y"), len({function_name}(3))
    ([x, y], 3)
    """
    return make


def _constructors() -> dict[str, Callable[..., Any]]:
    made: dict[str, Callable[..., Any]] = {}
    for rank in RANKS:
        for prefix, dtype in PREFIXES.items():
            name, plural = prefix + rank, prefix + PLURALS[rank]
            made[name] = _constructor(rank, dtype, name)
            made[plural] = _plural(made[name], plural)
    result = {name: named(function, name) for name, function in made.items()}
    for function in result.values():
        function.__module__ = "tensordsl.tensor"  # where pickles look for them
    return result


CONSTRUCTORS = _constructors()
