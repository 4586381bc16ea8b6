"""Types of variables: a dtype, and a shape with possibly unknown extents."""

from __future__ import annotations

import operator
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from tensordsl.base.config import config
from tensordsl.base.errors import flags
from tensordsl.base.upper import upper

if TYPE_CHECKING:
    from tensordsl.graph.variables import Variable

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
        is_variable = not isinstance(dtype, str) and isinstance(getattr(dtype, "dtype", None), str)
        return "" if is_variable else str(np.dtype(dtype).name)
    except (TypeError, ValueError):
        return ""


def _dtype_name(dtype: Any) -> str:
    """The name of a dtype given as NumPy's object or class, as a string of NumPy's, or as "floatX"."""
    if isinstance(dtype, str) and dtype == "floatX":
        return str(config.floatX)
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


def _values() -> Any:
    from tensordsl.graph import values  # late: it stands on this module

    return values


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
        if not isinstance(given, Iterable) or getattr(given, "ndim", 1) != 1 or hasattr(given, "owner"):
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

    def __setstate__(self, state: Any) -> None:
        """What a pickle has: the fields, or of a type of Theano's a dictionary with the same names."""
        if isinstance(state, dict):
            state = state["dtype"], tuple(map(_dim, state["broadcastable"]))
        for name, value in zip(("dtype", "shape"), state, strict=True):
            object.__setattr__(self, name, value)

    @property
    def filter_checks_isfinite(self) -> bool:
        """False: arguments may hold nan and infinities; the mode NanGuardMode refuses them."""
        return False

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def broadcastable(self) -> tuple[bool, ...]:
        return tuple(d == 1 for d in self.shape)

    @property
    def numpy_dtype(self) -> np.dtype[Any]:
        return np.dtype(self.dtype)

    def __call__(
        self, name: str | None = None, dtype: str | None = None, shape: Iterable[Dim] | None = None
    ) -> Variable:  # fmt: skip
        """A fresh variable of this type, named `name`; `shape`: lengths that are known of its axes, else None.

        >>> TensorType("float64", (None, None))("x", shape=(2, None)).type
        TensorType(float64, shape=(2, ?))
        """
        if dtype is not None and numpys_name(dtype) != self.dtype:
            raise TypeError(f"{self}: makes variables of dtype {self.dtype}, got dtype={dtype!r}")
        type = self if shape is None else TensorType(self.dtype, shape)
        if type.ndim != self.ndim:
            raise ValueError(f"{self}: a shape of {type.ndim} lengths for {self.ndim} axes")
        variable: Variable = upper("TensorVariable")(type, name=name)
        return variable

    make_variable = __call__

    def output(self, owner: Any, index: int) -> Variable:
        """The variable that stands for output `index` of the application `owner`."""
        variable: Variable = upper("TensorVariable")(self, owner=owner, index=index)
        return variable

    def clone(self, dtype: str | None = None, broadcastable: Iterable[bool] | None = None) -> TensorType:
        """The type with another dtype or pattern of axes of length 1.

        >>> TensorType("float64", (None,)).clone("float32")
        TensorType(float32, vector)
        """
        return TensorType(dtype or self.dtype, self.shape if broadcastable is None else tuple(broadcastable))

    def make_constant(self, value: Any, name: str | None = None) -> Any:
        """A constant of this very type.  Raises TypeError for a value that is none of it.

        >>> TensorType("float64", (None,)).make_constant([1, 2])
        TensorConstant{[1. 2.]}
        """
        return _values().make_constant(self, value, name)

    def filter(self, data: Any, strict: bool = False, allow_downcast: bool | None = None) -> np.ndarray[Any, Any]:
        """`data` as an array of this type: itself where it is one, else converted where nothing is lost (with
        `allow_downcast` also where digits are).  Raises TypeError; with `strict` for all but arrays of this type.

        >>> TensorType("float64", (None,)).filter([1, 2])
        array([1., 2.])
        """
        array: np.ndarray[Any, Any] = _values().convert(data, self, strict, allow_downcast)
        return array

    def filter_variable(self, other: Any, allow_convert: bool = True) -> Any:
        """`other` as a variable of this type: a value as a constant, a variable as `convert_variable` gives it.
        Raises TypeError for what is none.

        >>> TensorType("float64", (None,)).filter_variable([1, 2])
        TensorConstant{[1. 2.]}
        """
        return _values().filter_variable(self, other, allow_convert)

    def convert_variable(self, var: Any) -> Any:
        """`var` as a variable of this type, where every value of its own type is one of this; else None.

        >>> row, matrix = TensorType("float64", (1, None)), TensorType("float64", (None, None))
        >>> matrix.convert_variable(row("x")).type, row.convert_variable(matrix("x"))
        (TensorType(float64, matrix), None)
        """
        return _values().convert_variable(self, var)

    def is_valid_value(self, a: Any) -> bool:
        """Whether it is an array of exactly this type.

        >>> TensorType("float64", (None,)).is_valid_value([1.0])
        False
        """
        return bool(_values().is_valid(self, a))

    @staticmethod
    def values_eq(a: Any, b: Any, force_same_dtype: bool = True) -> bool:
        """Whether two arrays have the same dtype, shape and numbers; nan equals nan.

        >>> TensorType.values_eq(np.array([1, np.nan]), np.array([1, np.nan]))
        True
        """
        return bool(_values().values_eq(a, b, force_same_dtype))

    @staticmethod
    def values_eq_approx(
        a: Any, b: Any, allow_remove_inf: bool = False, allow_remove_nan: bool = False,
        rtol: float | None = None, atol: float | None = None,
    ) -> bool:  # fmt: skip
        """As `values_eq`, but floats may differ by rounding; `allow_remove_inf`, `allow_remove_nan`: but for the
        places where `a` is so.

        >>> TensorType.values_eq_approx(np.array([1.0]), np.array([1.0 + 1e-9]))
        True
        """
        return bool(_values().values_eq_approx(a, b, allow_remove_inf, allow_remove_nan, rtol, atol))

    @staticmethod
    def may_share_memory(a: Any, b: Any) -> bool:
        """Whether two arrays may lie in the same memory.

        >>> TensorType.may_share_memory(np.zeros(2), np.zeros(2))
        False
        """
        return np.may_share_memory(a, b)

    def value_zeros(self, shape: Any) -> np.ndarray[Any, Any]:
        """An array of this dtype that is zero.

        >>> TensorType("int8", (None,)).value_zeros(2)
        array([0, 0], dtype=int8)
        """
        return np.zeros(shape, dtype=self.dtype)

    def accepts(self, other: TensorType) -> bool:
        """Whether every value of type `other` is a value of this type."""
        return (
            self.dtype == other.dtype
            and self.ndim == other.ndim
            and all(a is None or a == b for a, b in zip(self.shape, other.shape, strict=True))
        )

    is_super = accepts

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
