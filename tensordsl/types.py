"""What is known of a value before its contents: a dtype and a shape with possibly unknown extents."""

from __future__ import annotations

import operator
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from tensordsl.errors import flags

if TYPE_CHECKING:
    from tensordsl.graph import Variable

SIGNED = ("int8", "int16", "int32", "int64")
UNSIGNED = ("uint8", "uint16", "uint32", "uint64")
INTEGERS = SIGNED + UNSIGNED
FLOATS = ("float16", "float32", "float64")
DTYPES = ("bool", *INTEGERS, *FLOATS)  # the real ones
COMPLEX = ("complex64", "complex128")
ALL_DTYPES = (*DTYPES, *COMPLEX)
CONTINUOUS = (*FLOATS, *COMPLEX)
DISCRETE = ("bool", *INTEGERS)

MOST_AXES = 32  # what NumPy allowed before its version 2

Dim = int | None
_RANK_NAMES = {
    (): "scalar", (False,): "vector", (False, False): "matrix", (True, False): "row", (False, True): "col",
    (True,): "(True,)",
}  # fmt: skip


def numpys_name(dtype: Any) -> str:
    """NumPy's name of a dtype, "" for what is none: NumPy before 2.3 takes a variable for its own."""
    try:
        return "" if isinstance(getattr(dtype, "dtype", None), str) else str(np.dtype(dtype).name)
    except (TypeError, ValueError):
        return ""


def _dtype_name(dtype: Any) -> str:
    """The name of a dtype given as NumPy's object or class, or as a string of NumPy's."""
    name = str(dtype) if isinstance(dtype, str) else "" if dtype is None else numpys_name(dtype)
    if name not in ALL_DTYPES:
        raise TypeError(f"unsupported dtype {dtype!r}; supported: {', '.join(ALL_DTYPES)}")
    return name


def _dim(d: Any) -> Dim:
    """A length, None, or a boolean that says whether the axis broadcasts."""
    if d is None or isinstance(d, bool | np.bool_):
        return 1 if d else None
    try:
        return operator.index(d)
    except TypeError:
        raise TypeError(f"TensorType: a shape must be of integers and None, got {d!r}") from None


@cache
def _variable_class() -> Any:
    from tensordsl.tensor.var import TensorVariable  # late: the variable class stands above this floor

    return TensorVariable


@dataclass(frozen=True, slots=True, init=False)
class TensorType:
    """The type of a tensor: `dtype` (a NumPy name) and `shape`, one int or None (unknown until run time) per axis.

    An axis of static length 1 broadcasts; an unknown one never does (as in Theano).  Theano's patterns of booleans,
    given as `shape` or `broadcastable`, mean length 1 or unknown.  Raises TypeError.

    >>> TensorType("float64", (None, 1))
    TensorType(float64, col)
    >>> TensorType("float64", (None, 1)).broadcastable
    (False, True)
    >>> TensorType("float64", broadcastable=(False, True)) == TensorType("float64", (None, 1))
    True
    """

    dtype: str
    shape: tuple[Dim, ...] = ()

    def __init__(
        self, dtype: str, shape: Iterable[Dim] = (), name: str | None = None, *,
        broadcastable: Iterable[bool] | None = None,
    ) -> None:  # fmt: skip
        if type(dtype) is not str or dtype not in ALL_DTYPES:  # NumPy's dtypes compare equal to their names
            dtype = _dtype_name(dtype)
        given: Any = shape if broadcastable is None else broadcastable
        if not isinstance(given, Iterable) or getattr(given, "ndim", 1) != 1:
            raise TypeError(f"TensorType: a shape must be a sequence of integers and None, got {given!r}")
        shape = tuple(given) if broadcastable is None else flags(given, "TensorType: broadcastable")
        for d in shape:
            if d is not None and type(d) is not int:
                shape = tuple(map(_dim, shape))
                break
        if len(shape) > MOST_AXES:
            raise ValueError(f"a tensor has at most {MOST_AXES} axes, got {len(shape)}")
        object.__setattr__(self, "dtype", dtype)
        object.__setattr__(self, "shape", shape)

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def broadcastable(self) -> tuple[bool, ...]:
        return tuple(d == 1 for d in self.shape)

    @property
    def numpy_dtype(self) -> np.dtype[Any]:
        return np.dtype(self.dtype)

    def __call__(self, name: str | None = None) -> Variable:
        """A fresh variable of this type, named `name`."""
        variable: Variable = _variable_class()(self, name=name)
        return variable

    def make_variable(self, owner: Any, index: int) -> Variable:
        """The variable that stands for output `index` of the application `owner`."""
        variable: Variable = _variable_class()(self, owner=owner, index=index)
        return variable

    def accepts(self, other: TensorType) -> bool:
        """Whether every value of type `other` is a value of this type."""
        return (
            self.dtype == other.dtype
            and self.ndim == other.ndim
            and all(a is None or a == b for a, b in zip(self.shape, other.shape, strict=True))
        )

    def __str__(self) -> str:
        known = self.broadcastable
        if any(d not in (None, 1) for d in self.shape):
            lengths = ", ".join("?" if d is None else str(d) for d in self.shape)
            kind = f"shape=({lengths}{',' * (self.ndim == 1)})"
        elif known in _RANK_NAMES:
            kind = _RANK_NAMES[known]
        else:
            kind = f"{self.ndim}D" if not any(known) else str(known)
        return f"TensorType({self.dtype}, {kind})"

    __repr__ = __str__


@lru_cache(1 << 12)
def tensor_type(dtype: str, shape: tuple[Dim, ...]) -> TensorType:
    """The type of these, one object for equal ones: a graph has few types.

    >>> tensor_type("float64", (None,)) is tensor_type("float64", (None,))
    True
    """
    return TensorType(dtype, shape)
