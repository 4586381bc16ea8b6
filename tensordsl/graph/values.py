"""Values and variables of a type: checks, conversion, comparison.

`TensorType`'s methods of these names are the public interface.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tensordsl.base.config import config
from tensordsl.base.upper import upper
from tensordsl.graph.conversion import convert
from tensordsl.graph.types import DISCRETE, TensorType
from tensordsl.graph.variables import Variable, constant_array

# Relative and absolute tolerance of a comparison, by the narrower dtype: Theano's.
TOLERANCE = {"float16": (1e-3, 1e-3), "float32": (1e-5, 1e-5), "complex64": (1e-5, 1e-5)}
TOLERANCE_FLOAT64 = (1e-5, 1e-8)


def as_array(a: Any, dtype: Any, order: Any = None) -> np.ndarray[Any, Any]:
    """`numpy.asarray`; "floatX" means `config.floatX`.

    >>> as_array([1], "floatX")
    array([1.])
    """
    return np.asarray(a, dtype=config.floatX if isinstance(dtype, str) and dtype == "floatX" else dtype, order=order)


def tolerance(*dtypes: str) -> tuple[float, float]:
    """How far numbers of these dtypes may be apart to count as equal: relative, absolute.

    >>> tolerance("float32", "float64"), tolerance("int8")
    ((1e-05, 1e-05), (1e-05, 1e-08))
    """
    return max((TOLERANCE.get(dtype, TOLERANCE_FLOAT64) for dtype in dtypes), default=TOLERANCE_FLOAT64)


def are_close(
    a: Any, b: Any, rtol: float | None = None, atol: float | None = None, equal_nan: bool = False
) -> bool:  # fmt: skip
    """Whether all numbers of two arrays are equal but for rounding, in the narrower dtype's tolerance.

    >>> are_close([1.0, 2.0], [1.0, 2.0 + 1e-9]), are_close(1.0, 1.1), are_close(1.0, 1.1, rtol=0.2)
    (True, False, True)
    """
    a, b = np.asarray(a), np.asarray(b)
    relative, absolute = tolerance(a.dtype.name, b.dtype.name)
    with np.errstate(invalid="ignore"):
        return bool(
            np.allclose(
                a, b, relative if rtol is None else rtol, absolute if atol is None else atol, equal_nan=equal_nan
            )
        )


def make_constant(type: TensorType, value: Any, name: str | None = None) -> Any:
    return upper("TensorConstant")(type, constant_array(convert(value, type)), name)


def convert_variable(type: TensorType, variable: Any) -> Any:
    """The variable as one of `type`, where every value of its own type is one of `type`; else None."""
    own = variable.type
    if own == type:
        return variable
    if not isinstance(own, TensorType) or not type.accepts(own):
        return None
    return upper("patternbroadcast")(variable, type.broadcastable)


def filter_variable(type: TensorType, value: Any, allow_convert: bool = True) -> Any:
    if not isinstance(value, Variable):
        return make_constant(type, value)
    found = convert_variable(type, value) if allow_convert or value.type == type else None
    if found is None:
        raise TypeError(
            f"Cannot convert Type {value.type} (of Variable {value!r}) into Type {type}: cast it, or state by "
            "T.addbroadcast or T.specify_shape what is known of its axes"
        )
    return found


def is_valid(type: TensorType, value: Any) -> bool:
    try:
        convert(value, type, strict=True)
    except TypeError:
        return False
    return True


def values_eq(a: Any, b: Any, force_same_dtype: bool = True) -> bool:
    a, b = np.asarray(a), np.asarray(b)
    if a.shape != b.shape or (force_same_dtype and a.dtype != b.dtype):
        return False
    return bool(np.array_equal(a, b, equal_nan=a.dtype.kind in "fc" and b.dtype.kind in "fc"))


def values_eq_approx(
    a: Any, b: Any, allow_remove_inf: bool = False, allow_remove_nan: bool = False,
    rtol: float | None = None, atol: float | None = None,
) -> bool:  # fmt: skip
    a, b = np.asarray(a), np.asarray(b)
    if a.shape != b.shape or a.dtype != b.dtype:
        return False
    if a.dtype.name in DISCRETE:
        return bool(np.array_equal(a, b))
    left_out = np.zeros(a.shape, dtype=bool)
    if allow_remove_nan:
        left_out |= np.isnan(a)
    if allow_remove_inf:
        left_out |= np.isinf(a)
    return are_close(a[~left_out], b[~left_out], rtol, atol, equal_nan=True)
