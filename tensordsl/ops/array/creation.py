"""Tensors filled with one value, with numbers in steps, and the identity matrix."""

from __future__ import annotations

from typing import Any

import numpy as np

from tensordsl.graph.casting import accumulator, real_of, upcast
from tensordsl.graph.types import COMPLEX, DISCRETE, FLOATS, INTEGERS
from tensordsl.graph.variables import Constant, Dims, Elementwise, Expand, Kernel, Op, OpTypeError, apply
from tensordsl.ops.array.shape import (
    BROADCAST_TO,
    INTEGER_VALUED,
    as_dim,
    as_dims,
    dimshuffle,
    in_dtype,
    shape_i,
    steps,
)
from tensordsl.ops.control import require
from tensordsl.ops.math.comparisons import and_, eq, gt, lt, or_
from tensordsl.ops.math.elementwise import cast, ceil, maximum, second
from tensordsl.ops.operands import as_variable, broadcast, constant, known_int, named_dtype


def _arange_shape(d: Dims, start: Any, stop: Any, step: Any, dtype: str) -> tuple[Any, ...]:
    if d.value(step) == 0:
        raise ZeroDivisionError("arange: wants a step that is not 0, got a step of 0")
    return (steps(d, d.value(start), d.value(stop), d.value(step)),)


def _arange_dtype(*dtypes: str, dtype: str) -> str:
    if set(dtypes) != {"int64"} or dtype not in INTEGERS:
        raise TypeError(f"wants int64 operands and an integer result, got {', '.join(dtypes)} and {dtype}")
    return dtype


def _range_number_dtype(k: str, start: str, step: str, dtype: str) -> str:
    if k not in INTEGERS or not {start, step, dtype} <= set(FLOATS + INTEGERS):
        raise TypeError(f"wants an integer and real numbers, and a real result, got {k}, {start}, {step} and {dtype}")
    return dtype


def _range_number(b: Any, k: Any, start: Any, step: Any, dtype: str) -> Any:
    """NumPy's first two numbers are start and start + step, cast; the others are start + k times their difference."""
    following = b.cast(b.add(b.wide(start), b.wide(step)), start.type)
    first, second = (b.wide(b.cast(b.wide(x), dtype)) for x in (start, following))
    other = b.add(first, b.mul(b.cast(k, first.type), b.sub(second, first)))
    return b.select(b.eq(k, 0), first, b.select(b.eq(k, 1), second, other))


def _numpy_range_number(k: Any, start: Any, step: Any, dtype: str) -> Any:
    common = np.result_type(start, step)
    with np.errstate(all="ignore"):
        first, second = np.asarray(start).astype(dtype), np.add(start, step, dtype=common).astype(dtype)
        wide = accumulator(dtype) if dtype == "float16" else dtype
        x, y = first.astype(wide), second.astype(wide)
        other = (x + np.asarray(k).astype(wide) * (y - x)).astype(dtype)
    return np.where(np.equal(k, 0), first, np.where(np.equal(k, 1), second, other))


def _range_number_gradient(g: Any, out: Any, k: Any, start: Any, step: Any, dtype: str) -> Any:
    return None, g, g * cast(k, g.type.dtype)


def _range_length_dtype(*dtypes: str, itemsize: int) -> str:
    if len(set(dtypes)) != 1 or dtypes[0] not in FLOATS:
        raise TypeError(f"wants floats of one dtype, got {', '.join(dtypes)}")
    return "int64"


def _numpy_range_length(start: Any, stop: Any, step: Any, itemsize: int) -> Any:
    with np.errstate(all="ignore"):
        span = np.subtract(stop, start)
        count = np.ceil(np.true_divide(span, step))
    got = f"start {start}, stop {stop} and step {step}"
    if step == 0:
        raise ZeroDivisionError(f"arange: wants a step that is not 0, got {got}")
    if np.isnan(count):
        raise ValueError(f"arange: wants numbers that have a length, got {got}")
    if abs(float(count)) >= _most(itemsize):
        raise ValueError(f"arange: the length exceeds the maximum allowed size: got {got}")
    return np.asarray(max(int(count), int(span * np.sign(step) > 0)), "int64")


def _most(itemsize: int) -> float:
    """The number of elements that have no address."""
    return 2.0**63 / itemsize


def _range_length(start: Any, stop: Any, step: Any, itemsize: int) -> Any:
    span = stop - start
    count = ceil(span / step)  # nan, or infinite, where the step is 0
    message = "arange: the step is 0, or the length is none or exceeds the maximum allowed size"
    count = require(count, and_(gt(count, -_most(itemsize)), lt(count, _most(itemsize))), message)
    some = or_(and_(gt(span, 0), gt(step, 0)), and_(lt(span, 0), lt(step, 0)))  # also where the quotient is too small
    return maximum(cast(count, "int64"), cast(some, "int64"))


ARANGE = Op(
    "arange", _arange_dtype, _arange_shape, lambda a, b, c, dtype: np.arange(int(a), int(b), int(c)).astype(dtype),
    Kernel("arange", takes_complex=False), no_gradient=INTEGER_VALUED,
)  # fmt: skip
# range_length(start, stop, step): how many numbers there are, each of `itemsize` bytes.
RANGE_LENGTH = Op(
    "range_length", _range_length_dtype, lambda d, *operands, itemsize: (), _numpy_range_length, Expand(_range_length),
    no_gradient=INTEGER_VALUED, print_name="arange",
)  # fmt: skip
# range_number(k, start, step): number k of a range, bit for bit NumPy's.
RANGE_NUMBER = Op(
    "range_number", _range_number_dtype, broadcast, _numpy_range_number,
    Elementwise(_range_number, lambda k, start, step: ("int64", *(upcast(start, step),) * 2), widens=False),
    _range_number_gradient,
)  # fmt: skip
ROWS = (ARANGE, RANGE_LENGTH, RANGE_NUMBER)


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
    """start, start + step, ... below stop; `arange(n)` is 0 to n - 1.  Integers give int64 unless a dtype is named.

    ZeroDivisionError for a step of 0; ValueError for nan and for what has too many numbers, for integers also for a
    start and a stop that a call gives beyond 2**62 on either side of 0.

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
        if wanted in DISCRETE or (known_int(bounds[0]), known_int(bounds[2])) == (0, 1):
            return cast(result, wanted)
        count = shape_i(result, 0)
    else:
        wanted = common if dtype is None else named_dtype(dtype)
        if common in COMPLEX:
            raise OpTypeError(f"arange: wants real numbers, got {start.type}, {stop.type} and {step.type}")
        bounds = [in_dtype(v, common) for v in (start, stop, step)]
        itemsize = np.dtype(wanted).itemsize
        if all(isinstance(v, Constant) for v in bounds):
            known = [v.data for v in bounds]
            count = constant(_numpy_range_length(known[0], known[1], known[2], itemsize))
        else:
            count = apply(RANGE_LENGTH, *bounds, itemsize=itemsize)
    number = real_of(wanted) if wanted != "bool" else "int8"
    return cast(apply(RANGE_NUMBER, arange(count), bounds[0], bounds[2], dtype=number), wanted)


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
