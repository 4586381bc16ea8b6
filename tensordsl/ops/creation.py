"""Tensors filled with one value, with numbers in steps, and the identity matrix."""

from __future__ import annotations

from typing import Any

import numpy as np

from tensordsl.casting import upcast
from tensordsl.graph import Dims, Kernel, Op, OpTypeError, apply
from tensordsl.ops.comparisons import eq
from tensordsl.ops.elementwise import cast, ceil, second
from tensordsl.ops.operands import as_variable, constant, named_dtype
from tensordsl.ops.shape import BROADCAST_TO, INTEGER_VALUED, as_dim, as_dims, dimshuffle, in_dtype, shape_i, steps
from tensordsl.types import DISCRETE, INTEGERS


def _arange_shape(d: Dims, start: Any, stop: Any, step: Any, dtype: str) -> tuple[Any, ...]:
    return (steps(d, d.value(start), d.value(stop), d.value(step)),)


def _arange_dtype(*dtypes: str, dtype: str) -> str:
    if set(dtypes) != {"int64"} or dtype not in INTEGERS:
        raise TypeError(f"wants int64 operands and an integer result, got {', '.join(dtypes)} and {dtype}")
    return dtype


ARANGE = Op(
    "arange", _arange_dtype, _arange_shape, lambda a, b, c, dtype: np.arange(int(a), int(b), int(c)).astype(dtype),
    Kernel("arange"), no_gradient=INTEGER_VALUED,
)  # fmt: skip
ROWS = (ARANGE,)


def full(shape: Any, fill_value: Any, dtype: str | None = None) -> Any:
    """A tensor of the given shape filled with one value.

    >>> full((2,), 5).eval()
    array([5, 5], dtype=int8)
    """
    value = as_variable(fill_value)
    return apply(BROADCAST_TO, value if dtype is None else in_dtype(value, dtype), *as_dims(shape))


def zeros(shape: Any, dtype: str | None = None) -> Any:
    """A tensor of zeros; dtype: `config.floatX` if not given.

    >>> zeros((2,)).eval()
    array([0., 0.])
    """
    return full(shape, constant(0, dtype=named_dtype(dtype)))


def ones(shape: Any, dtype: str | None = None) -> Any:
    """A tensor of ones; dtype: `config.floatX` if not given.

    >>> ones((2,)).eval()
    array([1., 1.])
    """
    return full(shape, constant(1, dtype=named_dtype(dtype)))


def full_like(a: Any, fill_value: Any, dtype: str | None = None) -> Any:
    """A tensor of the shape of `a` filled with one value.

    >>> full_like([1, 2], 5).eval()
    array([5, 5])
    """
    model = as_variable(a)
    return second(model, in_dtype(as_variable(fill_value), dtype or model.type.dtype))


def zeros_like(model: Any, dtype: str | None = None, opt: bool = False) -> Any:
    """A tensor of zeros of the shape (and, if none is given, the dtype) of `model`.

    >>> zeros_like([5, 6]).eval()
    array([0, 0])
    """
    return full_like(model, 0, dtype)


def ones_like(model: Any, dtype: str | None = None, opt: bool = False) -> Any:
    """A tensor of ones of the shape (and, if none is given, the dtype) of `model`.

    >>> ones_like([5, 6]).eval()
    array([1, 1])
    """
    return full_like(model, 1, dtype)


def arange(start: Any, stop: Any = None, step: Any = 1, dtype: str | None = None) -> Any:
    """start, start + step, ... below stop; `arange(n)` is 0 to n - 1.  Integers give int64 unless a dtype is named;
    start and stop that a call gives beyond 2**62 on either side of 0 are its ValueError.

    >>> arange(1, 7, 2).eval()
    array([1, 3, 5])
    """
    if stop is None:
        start, stop = 0, start
    start, stop, step = (as_variable(v) for v in (start, stop, step))
    for v in (start, stop, step):
        if v.type.ndim:
            raise OpTypeError(f"arange: wants scalars, got {v!r}: {v.type}")
    common = upcast(*(v.type.dtype for v in (start, stop, step)))
    if common in DISCRETE:
        wanted = "int64" if dtype is None else named_dtype(dtype)
        bounds = [as_dim(v) for v in (start, stop, step)]
        result = apply(ARANGE, *bounds, dtype=wanted if wanted in INTEGERS else "int64")
        return cast(result, wanted)
    count = cast(ceil((stop - start) / step), "int64")
    return cast(start + step * arange(count), dtype or common)


def eye(n: Any, m: Any = None, k: Any = 0, dtype: str | None = None) -> Any:
    """Ones on the k-th diagonal of an n by m matrix of zeros.

    >>> eye(2, 3).eval()
    array([[1., 0., 0.],
           [0., 1., 0.]])
    """
    rows, columns = arange(n), arange(n if m is None else m)
    on_diagonal = eq(dimshuffle(rows, (0, "x")), dimshuffle(columns - k, ("x", 0)))
    return cast(on_diagonal, named_dtype(dtype))


def identity_like(x: Any) -> Any:
    """The identity matrix of the shape and dtype of the matrix x.

    >>> identity_like([[1, 2], [3, 4]]).eval()
    array([[1, 0],
           [0, 1]])
    """
    x = as_variable(x)
    return eye(shape_i(x, 0), shape_i(x, 1), dtype=x.type.dtype)
