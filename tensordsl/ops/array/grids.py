"""Tensors of numbers by rule: ranges of floats, grids of coordinates, triangles and diagonals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tensordsl.base.config import config
from tensordsl.graph.casting import accumulator, float_of, float_of_all
from tensordsl.graph.types import INTEGERS
from tensordsl.graph.variables import Expand, Op, OpTypeError, apply
from tensordsl.ops.array.creation import arange, zeros
from tensordsl.ops.array.shape import alloc, as_dim, concatenate, dimshuffle, shape_i
from tensordsl.ops.control import require
from tensordsl.ops.math.comparisons import and_, eq, ge, le
from tensordsl.ops.math.elementwise import cast, maximum, minimum, sub, switch
from tensordsl.ops.math.elementwise import pow as power
from tensordsl.ops.math.functions import log, log10
from tensordsl.ops.operands import as_variable, broadcast, constant, normalise_axis, whole_number


# -- ranges ----------------------------------------------------------------------------------------------------------
def linspace(
    start: Any, stop: Any, num: Any = 50, endpoint: bool = True, retstep: bool = False, dtype: str | None = None,
    axis: int = 0,
) -> Any:  # fmt: skip
    """`num` numbers at equal distances from start to stop; without `endpoint` stop is left out.

    start, stop: tensors that broadcast give so many numbers of each element, along a new `axis` of the result.
    retstep: also give the distance.  The last number is `stop` itself.

    >>> linspace(0, 1, 5).eval()
    array([0.  , 0.25, 0.5 , 0.75, 1.  ])
    >>> linspace([0, 1], [2, 3], 3, axis=-1).eval()
    array([[0., 1., 2.],
           [1., 2., 3.]])
    """
    start, stop, num = as_variable(start), as_variable(stop), as_dim(num)
    wide = float_of_all(start.type.dtype, stop.type.dtype, "float64")
    start, stop = cast(start, wide), cast(stop, wide)
    gaps = num - 1 if endpoint else num
    step = (stop - start) / cast(gaps, wide)
    k = _along_first(num, step.type.ndim)
    inside = switch(eq(gaps, 0), start, start + cast(k, wide) * step)
    result = switch(eq(k, maximum(gaps, 1)), stop, inside)
    result = _with_axis(result if dtype is None else cast(result, dtype), axis, "linspace")
    return (result, step) if retstep else result


def _along_first(num: Any, rank: int) -> Any:
    """0, ... num - 1 along the first axis, before `rank` others."""
    return dimshuffle(arange(num), (0, *("x",) * rank))


def _with_axis(x: Any, axis: Any, what: str) -> Any:
    """x with its first axis at the place `axis`."""
    place = normalise_axis(axis, x.type.ndim, what)
    return dimshuffle(x, (*range(1, place + 1), 0, *range(place + 1, x.type.ndim))) if place else x


def logspace(
    start: Any, stop: Any, num: Any = 50, endpoint: bool = True, base: Any = 10.0, dtype: str | None = None,
    axis: int = 0,
) -> Any:  # fmt: skip
    """base ** linspace(start, stop, num, endpoint), along a new `axis` where these are tensors.

    >>> logspace(0, 2, 3).eval().round(12)
    array([  1.,  10., 100.])
    """
    result = power(cast(as_variable(base), "float64"), linspace(start, stop, num, endpoint))
    return _with_axis(result if dtype is None else cast(result, dtype), axis, "logspace")


def geomspace(
    start: Any, stop: Any, num: Any = 50, endpoint: bool = True, dtype: str | None = None, axis: int = 0
) -> Any:
    """`num` numbers of equal ratios from start to stop, both of one sign, along a new `axis` where these are tensors;
    the first and the last are exact.

    >>> geomspace(1, 8, 4).eval().round(12)
    array([1., 2., 4., 8.])
    """
    start, stop, num = as_variable(start), as_variable(stop), as_dim(num)
    start, stop = cast(start, "float64"), cast(stop, "float64")
    sign = switch(ge(start, 0), 1.0, -1.0)
    k = _along_first(num, max(start.type.ndim, stop.type.ndim))
    result = sign * logspace(log10(sign * start), log10(sign * stop), num, endpoint)
    result = switch(eq(k, 0), start, result)
    if endpoint:
        result = switch(eq(k, maximum(num - 1, 1)), stop, result)
    return _with_axis(result if dtype is None else cast(result, dtype), axis, "geomspace")


class _Grid:
    """`mgrid[0:3, 0:1:5j]`: coordinates of a grid, one range for each axis; an imaginary step is a number of points."""

    def __init__(self, sparse: bool) -> None:
        self.sparse = sparse

    def __getitem__(self, key: Any) -> Any:
        single = not isinstance(key, tuple)
        slices = (key,) if single else key
        ranges = [_range_of(s) for s in slices]
        if single:
            return ranges[0]
        ndim = len(ranges)
        sparse = [dimshuffle(r, ["x"] * k + [0] + ["x"] * (ndim - 1 - k)) for k, r in enumerate(ranges)]
        if self.sparse:
            return sparse
        lengths = [shape_i(r, 0) for r in ranges]
        from tensordsl.ops.array.shape import stack

        return stack([alloc(s, *lengths) for s in sparse])


def _range_of(s: Any) -> Any:
    if not isinstance(s, slice):
        raise TypeError(f"mgrid: wants slices, got {s!r}")
    start = 0 if s.start is None else s.start
    if isinstance(s.step, complex):
        return linspace(start, s.stop, int(abs(s.step)))
    return arange(start, s.stop, 1 if s.step is None else s.step)


mgrid = _Grid(sparse=False)
ogrid = _Grid(sparse=True)


# -- triangles and diagonals -----------------------------------------------------------------------------------------
def _offsets(rows: Any, columns: Any) -> Any:
    """The matrix of column number - row number."""
    return sub(dimshuffle(arange(columns), ("x", 0)), dimshuffle(arange(rows), (0, "x")))


def tri(N: Any, M: Any = None, k: Any = 0, dtype: str | None = None) -> Any:
    """An N by M matrix: ones at and below the k-th diagonal, else zeros.

    >>> tri(2, 3).eval()
    array([[1., 0., 0.],
           [1., 1., 0.]])
    """
    dtype = config.floatX if dtype is None else dtype
    return cast(le(_offsets(N, N if M is None else M), k), dtype)


def _triangle(x: Any, keeps: Any, k: Any) -> Any:
    x = as_variable(x)
    if x.type.ndim < 2:
        raise OpTypeError(f"tril and triu want a matrix, got {x.type}")
    inside = keeps(_offsets(shape_i(x, x.type.ndim - 2), shape_i(x, x.type.ndim - 1)), k)
    return switch(inside, x, constant(0, dtype=x.type.dtype))


def tril(m: Any, k: Any = 0) -> Any:
    """m with zeros above the k-th diagonal of its last two axes.

    >>> tril([[1, 2], [3, 4]]).eval()
    array([[1, 0],
           [3, 4]])
    """
    return _triangle(m, le, k)


def triu(m: Any, k: Any = 0) -> Any:
    """m with zeros below the k-th diagonal of its last two axes.

    >>> triu([[1, 2], [3, 4]]).eval()
    array([[1, 2],
           [0, 4]])
    """
    return _triangle(m, ge, k)


def diag(v: Any, k: int = 0) -> Any:
    """The matrix with the vector v on its k-th diagonal; of a matrix: that diagonal.

    >>> diag([1, 2]).eval()
    array([[1, 0],
           [0, 2]])
    """
    from tensordsl.ops.array.index import diagonal

    v = as_variable(v)
    if v.type.ndim == 2:
        return diagonal(v, k)
    if v.type.ndim != 1:
        raise OpTypeError(f"diag: wants a vector or a matrix, got {v.type}")
    nothing = constant(0, dtype=v.type.dtype)
    k = whole_number(k, "diag", "k")
    if k:
        padding = zeros((abs(k),), v.type.dtype)
        v = concatenate([padding, v] if k > 0 else [v, padding])
    n = shape_i(v, 0)
    return switch(eq(_offsets(n, n), k), dimshuffle(v, ("x", 0)), nothing)


def alloc_diag(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """The tensor with the last axis of `a` on a diagonal of two new axes, and zeros elsewhere.

    a  (..., n); the new axes, both of length n + |offset|, stand at axis1 and axis2 of the result.

    >>> alloc_diag([[1, 2], [3, 4]], axis1=1, axis2=2).eval()
    array([[[1, 0],
            [0, 2]],
    <BLANKLINE>
           [[3, 0],
            [0, 4]]])
    """
    from tensordsl.ops.array.arrange import moveaxis  # late: it stands beside this

    x, k = as_variable(a), whole_number(offset, "alloc_diag", "the offset")
    if not x.type.ndim:
        raise OpTypeError(f"alloc_diag: wants an axis or more, got {x.type}")
    last = x.type.ndim - 1
    if k:
        padding = zeros((*(shape_i(x, d) for d in range(last)), abs(k)), x.type.dtype)
        x = concatenate([padding, x] if k > 0 else [x, padding], axis=last)
    n = shape_i(x, last)
    wide = dimshuffle(x, (*range(last), "x", last))
    made = switch(eq(_offsets(n, n), k), wide, constant(0, dtype=x.type.dtype))
    axes = tuple(normalise_axis(axis, last + 2, "alloc_diag") for axis in (axis1, axis2))
    if axes[0] == axes[1]:
        raise ValueError(f"alloc_diag: axis1 and axis2 must be different axes, got {axis1} and {axis2}")
    return made if axes == (last, last + 1) else moveaxis(made, (last, last + 1), axes)


def fill_diagonal(a: Any, val: Any) -> Any:
    """The tensor a with the scalar `val` at a[i, i, ..., i].

    a: a matrix; or of more axes, all of one length, else ValueError, in the call where only that knows.

    >>> fill_diagonal([[1, 2], [3, 4]], 0).eval()
    array([[0, 2],
           [3, 0]])
    >>> fill_diagonal(zeros((2, 2, 2)), 1).eval().ravel()
    array([1., 0., 0., 0., 0., 0., 0., 1.])
    """
    a, val = as_variable(a), as_variable(val)
    if a.type.ndim < 3:
        return fill_diagonal_offset(a, val, 0)
    if val.type.ndim:
        raise OpTypeError(f"fill_diagonal: wants a tensor and a scalar, got {a.type} and {val.type}")
    wrong = "fill_diagonal: all axes of a tensor of more than two must have one length"
    if len(set(a.type.shape) - {None}) > 1:
        raise ValueError(f"{wrong}, got {a.type}")
    lengths = [shape_i(a, k) for k in range(a.type.ndim)]
    if len(set(a.type.shape)) > 1 or None in a.type.shape:
        for n in lengths[1:]:
            a = require(a, eq(n, lengths[0]), wrong)
    first, *others = [
        dimshuffle(arange(n), ("x",) * k + (0,) + ("x",) * (a.type.ndim - 1 - k)) for k, n in enumerate(lengths)
    ]
    hit = eq(others[0], first)
    for other in others[1:]:
        hit = and_(hit, eq(other, first))
    return switch(hit, cast(val, a.type.dtype), a)


def fill_diagonal_offset(a: Any, val: Any, offset: Any) -> Any:
    """The matrix a with `val` at a[i, i + offset].

    >>> fill_diagonal_offset([[1, 2], [3, 4]], 0, 1).eval()
    array([[1, 0],
           [3, 4]])
    """
    a, val, offset = as_variable(a), as_variable(val), as_variable(offset)
    if a.type.ndim != 2 or val.type.ndim:
        raise OpTypeError(f"fill_diagonal: wants a matrix and a scalar, got {a.type} and {val.type}")
    if offset.type.ndim or offset.type.dtype not in INTEGERS:
        raise OpTypeError(f"fill_diagonal_offset: the offset must be an integer without axes, got {offset.type}")
    hit = eq(_offsets(shape_i(a, 0), shape_i(a, 1)), offset)
    return switch(hit, cast(val, a.type.dtype), a)


# -- closeness and extremes of several -------------------------------------------------------------------------------
def isclose(a: Any, b: Any, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> Any:
    """Whether |a - b| <= atol + rtol * |b| at each point; equal infinities are close, nans only if `equal_nan`.

    >>> isclose([1.0, 2.0], [1.0 + 1e-9, 2.1]).eval()
    array([ True, False])
    """
    from tensordsl.ops.math.comparisons import and_, isfinite, isnan, or_
    from tensordsl.ops.math.elementwise import abs_

    x, y = as_variable(a), as_variable(b)
    wide = float_of_all(x.type.dtype, y.type.dtype, "float64")
    x, y = cast(x, wide), cast(y, wide)
    near = and_(le(abs_(x - y), atol + rtol * abs_(y)), isfinite(y))
    result = or_(near, eq(x, y))
    return or_(result, and_(isnan(x), isnan(y))) if equal_nan else result


def allclose(a: Any, b: Any, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> Any:
    """Whether `isclose` holds everywhere, a 0-d bool.

    >>> allclose([1.0], [1.0 + 1e-9]).eval()
    array(True)
    """
    from tensordsl.ops.array.reduce import all

    return all(isclose(a, b, rtol, atol, equal_nan))


def smallest(*tensors: Any) -> Any:
    """The elementwise minimum of all arguments.

    >>> smallest([1, 5], 3, [4, 0]).eval()
    array([1, 0])
    """
    return _folded(minimum, tensors)


def largest(*tensors: Any) -> Any:
    """The elementwise maximum of all arguments.

    >>> largest([1, 5], 3, [4, 0]).eval()
    array([4, 5])
    """
    return _folded(maximum, tensors)


def _folded(function: Any, tensors: Any) -> Any:
    first, *rest = tensors
    result = as_variable(first)
    for t in rest:
        result = function(result, t)
    return result


def _build_xlogy(x: Any, y: Any) -> Any:
    x, y = (cast(v, float_of_all(x.type.dtype, y.type.dtype)) for v in (x, y))
    return switch(eq(x, 0), constant(0, dtype=x.type.dtype), x * log(y))


def _numpy_xlogy(x: Any, y: Any) -> Any:
    dtype = float_of_all(str(x.dtype), str(y.dtype))
    with np.errstate(all="ignore"):
        x, y = (np.asarray(v, accumulator(dtype)) for v in (x, y))
        return np.asarray(np.where(x == 0, 0, x * np.log(y))).astype(dtype)


def _xlogy_gradient(g: Any, out: Any, x: Any, y: Any) -> Sequence[Any]:
    are_zero = and_(eq(x, 0), eq(y, 0))
    return g * log(y), g * x / switch(are_zero, constant(1, dtype=y.type.dtype), y)


# Rows, because gradients through the choice at 0 would be those of a constant there.
XLOGY = Op("xlogy", float_of_all, broadcast, _numpy_xlogy, Expand(_build_xlogy), _xlogy_gradient, ulp=8)
XLOGX = Op(
    "xlogx", float_of, broadcast, lambda x: _numpy_xlogy(x, x), Expand(lambda x: _build_xlogy(x, x)),
    lambda g, out, x: (g * (log(x) + 1),), ulp=8,
)  # fmt: skip
ROWS = (XLOGY, XLOGX)


def xlogx(x: Any) -> Any:
    """x * log(x), 0 at 0.

    >>> xlogx([0.0, 1.0]).eval()
    array([0., 0.])
    """
    return apply(XLOGX, as_variable(x))


def xlogy(x: Any, y: Any) -> Any:
    """x * log(y), 0 where x is 0, also for y == 0.

    >>> xlogy([0, 2], [0, 1]).eval()
    array([0., 0.])
    """
    x, y = as_variable(x), as_variable(y)
    return apply(XLOGX, x) if x is y else apply(XLOGY, x, y)
