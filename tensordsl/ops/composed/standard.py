"""Names of the Python array API standard (2024.12) that are about dtypes: what is known without a graph."""

from __future__ import annotations

from typing import Any

import numpy as np

from tensordsl.graph.casting import upcast
from tensordsl.graph.types import ALL_DTYPES, COMPLEX, FLOATS, SIGNED, UNSIGNED
from tensordsl.graph.variables import Variable
from tensordsl.ops.array.shape import in_dtype
from tensordsl.ops.math.elementwise import cast, tensor_copy
from tensordsl.ops.operands import as_variable, named_dtype

CONSTANTS: dict[str, Any] = {
    "e": np.e, "inf": np.inf, "nan": np.nan, "pi": np.pi, "euler_gamma": np.euler_gamma, "newaxis": None,
}  # fmt: skip
_KINDS: dict[str, tuple[str, ...]] = {
    "bool": ("bool",),
    "signed integer": tuple(SIGNED),
    "unsigned integer": tuple(UNSIGNED),
    "integral": (*SIGNED, *UNSIGNED),
    "real floating": tuple(FLOATS),
    "complex floating": tuple(COMPLEX),
    "numeric": (*SIGNED, *UNSIGNED, *FLOATS, *COMPLEX),
}


def _dtype_of(given: Any) -> str:
    if isinstance(given, Variable):
        return str(given.type.dtype)
    return named_dtype(getattr(given, "dtype", given))


def result_type(*arrays_and_dtypes: Any) -> str:
    """The dtype that operands, or dtypes, promote to; a Python number counts as the constant that it becomes.

    >>> result_type("float32", "int16", "float32")
    'float32'
    """
    if not arrays_and_dtypes:
        raise ValueError("result_type: at least one array or dtype is required")
    names = []
    for given in arrays_and_dtypes:
        is_number = isinstance(given, (bool, int, float, complex)) and not isinstance(given, np.generic)
        names.append(as_variable(given).type.dtype if is_number else _dtype_of(given))
    return upcast(*names)


def can_cast(from_: Any, to: Any, casting: str = "safe") -> bool:
    """Whether a dtype, or that of a variable, can be cast to another by NumPy's rules; by default without loss.

    >>> can_cast("int8", "float32"), can_cast("float64", "float32")
    (True, False)
    """
    return bool(np.can_cast(_dtype_of(from_), _dtype_of(to), casting))  # type: ignore[arg-type]  # NumPy checks the text


def isdtype(dtype: Any, kind: Any) -> bool:
    """Whether a dtype is of a kind: a dtype, "bool", "signed integer", "unsigned integer", "integral", "real floating",
    "complex floating", "numeric", or one of several in a tuple.

    >>> isdtype("float32", "real floating"), isdtype("int8", ("bool", "unsigned integer"))
    (True, False)
    """
    name = _dtype_of(dtype)
    if isinstance(kind, tuple):
        return any(isdtype(name, k) for k in kind)
    if isinstance(kind, str) and kind in _KINDS:
        return name in _KINDS[kind]
    try:
        return name == _dtype_of(kind)
    except TypeError:
        raise ValueError(
            f"isdtype: unknown kind {kind!r}; use a dtype or one of {', '.join(map(repr, _KINDS))}"
        ) from None


def finfo(dtype: Any) -> Any:
    """`numpy.finfo` of a float dtype, or of that of a variable.

    >>> float(finfo("float32").max) == float(np.finfo("float32").max)
    True
    """
    name = _dtype_of(dtype)
    if name not in (*FLOATS, *COMPLEX):
        raise TypeError(f"finfo: wants a float dtype, got {name}")
    return np.finfo(name)


def iinfo(dtype: Any) -> Any:
    """`numpy.iinfo` of an integer dtype, or of that of a variable.

    >>> iinfo("int8").max
    127
    """
    name = _dtype_of(dtype)
    if name not in (*SIGNED, *UNSIGNED):
        raise TypeError(f"iinfo: wants an integer dtype, got {name}")
    return np.iinfo(name)


def astype(x: Any, dtype: Any, copy: bool = True) -> Any:
    """x in another dtype; see `cast`.  copy: accepted as NumPy's.

    >>> astype([1.5], "int8").eval()
    array([1], dtype=int8)
    """
    return cast(x, named_dtype(dtype, "astype"))


def asarray(obj: Any, dtype: Any = None, copy: bool | None = None) -> Any:
    """An array, a number, a list or a variable as a variable; with a dtype cast to it.

    copy: True makes another variable.

    >>> asarray([1, 2], "float32").type
    TensorType(float32, shape=(2,))
    """
    x = as_variable(obj)
    x = x if dtype is None else in_dtype(x, named_dtype(dtype, "asarray"))
    return tensor_copy(x) if copy and isinstance(obj, Variable) else x


DTYPES = {name: name for name in ALL_DTYPES}
