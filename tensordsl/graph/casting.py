"""The dtype rules: promotion of operands, the smallest dtype of a literal, the accumulators of reductions.

They are Theano's "custom" policy (`config.cast_policy`; under "numpy+floatX" literals are int64 and floatX): arrays and
typed variables promote as NumPy arrays do; a Python literal takes the smallest dtype that holds its *value*, so that
`bvector + 1` stays int8 and `fvector + 1.5` float32.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from tensordsl.base.config import config
from tensordsl.base.errors import RangeError
from tensordsl.graph.types import ALL_DTYPES, COMPLEX, CONTINUOUS, DISCRETE, SIGNED, UNSIGNED

__all__ = [
    "accumulator", "dtype_name", "float_of", "float_of_all", "literal_dtype", "sum_dtype", "to_array", "true_div_dtype",
    "upcast",
    "upcast_min8",
]  # fmt: skip

# Functions that give floats compute small integers in float32: all their values are exact there.
_FLOAT_OF = {
    **dict.fromkeys(("bool", "int8", "uint8", "int16", "uint16", "float32"), "float32"),
    **dict.fromkeys(("int32", "uint32", "int64", "uint64", "float64"), "float64"),
    "float16": "float16", "complex64": "complex64", "complex128": "complex128",
}  # fmt: skip
_SUM = {"bool": "int64", **dict.fromkeys(SIGNED, "int64"), **dict.fromkeys(UNSIGNED, "uint64"),
        **{t: t for t in CONTINUOUS}}  # fmt: skip
NAMES = {np.dtype(t): t for t in ALL_DTYPES}  # np.dtype.name is slow
_LARGEST = {t: float(np.finfo(t).max) for t in ("float16", "float32")}
_INT_RANGES = [(t, -(2 ** (n - 1)), 2 ** (n - 1) - 1) for t, n in zip(SIGNED, (8, 16, 32, 64), strict=True)]


@cache
def upcast(*dtypes: str) -> str:
    """The dtype that NumPy's promotion of arrays gives.

    >>> upcast("float32", "int32"), upcast("int16", "float32"), upcast("int64", "uint64")
    ('float64', 'float32', 'float64')
    """
    return str(np.result_type(*dtypes))


def upcast_min8(*dtypes: str) -> str:
    """As `upcast`, but never bool: for operations that are arithmetic on bools too (`//`, `%`, `**`)."""
    result = upcast(*dtypes)
    return "int8" if result == "bool" else result


def float_of(dtype: str) -> str:
    """The dtype in which a real function of a `dtype` operand is computed."""
    return _FLOAT_OF[dtype]


@cache
def float_of_all(*dtypes: str) -> str:
    """As `float_of`, for functions of several operands."""
    return _FLOAT_OF[upcast(*dtypes)]


def true_div_dtype(*dtypes: str) -> str:
    """`/`: floats promote, two integers give float64 (the public function casts them to floatX first)."""
    result = upcast(*dtypes)
    return "float64" if result in DISCRETE else result


def sum_dtype(dtype: str) -> str:
    """The result of a sum or product: 64-bit integers of the same signedness, or the same float."""
    return _SUM[dtype]


def accumulator(dtype: str) -> str:
    """The dtype in which a sum or product whose result is `dtype` is accumulated."""
    return {"float16": "float32", "float32": "float64", "complex64": "complex128"}.get(dtype, dtype)


def real_of(dtype: str) -> str:
    """The dtype of the parts of a complex `dtype`, else `dtype`."""
    return {"complex64": "float32", "complex128": "float64"}.get(dtype, dtype)


def complex_of(dtype: str) -> str:
    """The complex dtype whose parts have the float dtype of `dtype`.

    >>> complex_of("float32"), complex_of("int64")
    ('complex64', 'complex128')
    """
    return "complex64" if upcast(dtype, "complex64") == "complex64" else "complex128"


def literal_dtype(value: bool | int | float) -> str:
    """The dtype of a Python literal.

    Integers: the smallest signed dtype that holds the value (uint64 above int64).  Floats: `config.floatX` if that is
    float16 or float32, else float32 if that is exact, else float64.

    >>> literal_dtype(1), literal_dtype(300), literal_dtype(1.5), literal_dtype(True)
    ('int8', 'int16', 'float32', 'bool')
    """
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        if config.cast_policy == "numpy+floatX" and -(2**63) <= value < 2**63:
            return "int64"
        for dtype, low, high in _INT_RANGES:
            if low <= value <= high:
                return dtype
        if 0 <= value < 2**64:
            return "uint64"
        raise RangeError(f"the integer {value} fits no dtype; write it as a float, or split it")
    if config.cast_policy == "numpy+floatX":
        return str(config.floatX)
    if config.floatX != "float64":
        return str(config.floatX)
    if value != value or abs(value) == np.inf:
        return "float32"
    return "float32" if abs(value) <= _LARGEST["float32"] and float(np.float32(value)) == value else "float64"


def to_array(value: Any, dtype: str | None = None) -> np.ndarray[Any, Any]:
    """`value` (literal, nested list, NumPy scalar or array) as a private read-only array of a supported dtype.

    With a `dtype`, integers must fit it.
    Raises TypeError for what is no number, OverflowError for integers beyond 64 bits.
    """
    if isinstance(value, (bool, int, float)) and not isinstance(value, np.generic):
        data = _of_literal(value, literal_dtype(value) if dtype is None else None)
    else:
        data = _as_array(value)
        if data.size == 0 and not hasattr(value, "dtype"):
            data = data.astype(config.floatX)
    if dtype is not None and data.dtype.kind in "buifcO":
        data = _checked_cast(data, dtype)
    if data.dtype not in NAMES:
        data = _native(data, value)
    data.flags.writeable = False
    return data


def _of_literal(value: Any, dtype: str | None) -> np.ndarray[Any, Any]:
    if abs(value) <= _LARGEST["float16"]:
        return np.array(value, dtype)
    with np.errstate(over="ignore"):  # 1e300 is inf where floatX is float32
        return np.array(value, dtype)


def _as_array(value: Any) -> np.ndarray[Any, Any]:
    try:
        return np.array(value, order="C")
    except ValueError as error:
        raise ValueError(f"cannot make a tensor of {_describe(value)}: {error}") from None


def dtype_name(data: np.ndarray[Any, Any]) -> str:
    """The dtype of an array made by `to_array`."""
    return NAMES[data.dtype]


def _native(data: np.ndarray[Any, Any], value: Any) -> np.ndarray[Any, Any]:
    """The array in the machine's byte order, if its dtype is one of ours."""
    if data.dtype.name not in ALL_DTYPES:
        raise TypeError(
            f"cannot make a tensor of {_describe(value)} (dtype {data.dtype}); supported dtypes: "
            f"{', '.join(ALL_DTYPES)}"
        )
    return data.astype(data.dtype.newbyteorder("="))


def _checked_cast(data: np.ndarray[Any, Any], dtype: str) -> np.ndarray[Any, Any]:
    """Cast, but refuse integers that the wanted integer dtype cannot hold."""
    if dtype not in ALL_DTYPES:
        raise TypeError(f"unsupported dtype {dtype!r}; supported: {', '.join(ALL_DTYPES)}")
    if data.dtype.kind == "c" and dtype not in COMPLEX:
        raise TypeError(f"cannot make a {dtype} of the complex {_describe(data)}: take its real or imaginary part")
    try:
        with np.errstate(all="ignore"):
            result = data.astype(dtype)
    except OverflowError:  # Python integers beyond 64 bits
        raise RangeError(f"{data!r} does not fit {dtype}") from None
    if data.dtype.kind in "iuO" and result.dtype.kind in "iu" and not np.array_equal(result, data):
        raise RangeError(f"{data!r} does not fit {dtype}")
    return result


def _describe(value: Any) -> str:
    text = repr(value)
    return f"{type(value).__name__} {text if len(text) <= 60 else text[:57] + '...'}"
