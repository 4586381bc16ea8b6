"""Series along an axis: differences, integrals, convolutions, angles without jumps, polynomials."""

from __future__ import annotations

from typing import Any

import numpy as np

from tensordsl.graph.casting import upcast
from tensordsl.graph.types import COMPLEX, DISCRETE
from tensordsl.ops.array.creation import arange, ones, zeros
from tensordsl.ops.array.cumulative import cumprod, cumsum, diff
from tensordsl.ops.array.index import getitem
from tensordsl.ops.array.reduce import sum
from tensordsl.ops.array.shape import broadcast_to, concatenate, dimshuffle, flatten, shape_i, shape_tuple
from tensordsl.ops.control import loop_index, make_loop, parameter_like, require
from tensordsl.ops.linalg.products import dot
from tensordsl.ops.math.comparisons import and_, eq, ge, gt, lt
from tensordsl.ops.math.elementwise import abs_, cast, maximum, minimum, mod, second, switch
from tensordsl.ops.operands import as_variable, constant, normalise_axes, normalise_axis, whole_number


def _flat(x: Any) -> Any:
    x = as_variable(x)
    return flatten(x) if x.type.ndim else dimshuffle(x, ("x",))


# -- differences and sums --------------------------------------------------------------------------------------------
def ediff1d(ary: Any, to_end: Any = None, to_begin: Any = None) -> Any:
    """The differences of neighbours in the flat tensor, with more numbers before and behind them.

    >>> ediff1d([1, 4, 9], to_begin=0).eval()
    array([0, 3, 5])
    """
    x = _flat(ary)
    made = [diff(x)]
    for given, at in ((to_begin, 0), (to_end, 2)):
        if given is not None:
            given = _flat(given)
            if not np.can_cast(given.type.dtype, x.type.dtype, "same_kind"):
                raise TypeError(
                    f"ediff1d: {given.type.dtype} does not fit beside differences of {x.type.dtype}; cast it"
                )
            made.insert(at, cast(given, made[0 if at or len(made) == 1 else -1].type.dtype))
    return concatenate(made)


def differences(a: Any, n: int = 1, axis: int = -1, prepend: Any = None, append: Any = None) -> Any:
    """`numpy.diff`: differences of neighbours, taken n times, of a with more before and behind it along the axis.

    >>> differences([1, 4, 9], prepend=0).eval()
    array([1, 3, 5])
    """
    x = as_variable(a)
    if not x.type.ndim:
        raise ValueError("diff: wants a tensor with an axis")
    axis = normalise_axis(axis, x.type.ndim, "diff")
    parts = []
    for given in (prepend, append):
        if given is not None:
            given = as_variable(given)
            if not given.type.ndim:
                dims = shape_tuple(x)
                given = broadcast_to(given, (*dims[:axis], 1, *dims[axis + 1 :]))
        parts.append(given)
    joined = [part for part in (parts[0], x, parts[1]) if part is not None]
    return diff(concatenate(joined, axis) if len(joined) > 1 else x, n, axis)


def cumulative_sum(x: Any, axis: int | None = None, dtype: Any = None, include_initial: bool = False) -> Any:
    """The running sums along an axis (of a vector: its only one); include_initial: with 0 in front.

    >>> cumulative_sum([1, 2, 3], include_initial=True).eval()
    array([0, 1, 3, 6])
    """
    return _cumulative(cumsum, x, axis, dtype, include_initial, 0, "cumulative_sum")


def cumulative_prod(x: Any, axis: int | None = None, dtype: Any = None, include_initial: bool = False) -> Any:
    """The running products along an axis (of a vector: its only one); include_initial: with 1 in front.

    >>> cumulative_prod([1, 2, 3]).eval()
    array([1, 2, 6])
    """
    return _cumulative(cumprod, x, axis, dtype, include_initial, 1, "cumulative_prod")


def _cumulative(running: Any, x: Any, axis: int | None, dtype: Any, with_first: bool, first: int, what: str) -> Any:
    x = as_variable(x)
    if axis is None:
        if x.type.ndim != 1:
            raise ValueError(f"{what}: for a tensor of other than one axis, `axis` must be given")
        axis = 0
    axis = normalise_axis(axis, x.type.ndim, what)
    result = running(x, axis, dtype)
    if not with_first:
        return result
    dims = shape_tuple(x)
    start = broadcast_to(constant(first, dtype=result.type.dtype), (*dims[:axis], 1, *dims[axis + 1 :]))
    return concatenate([start, result], axis)


def _at(x: Any, axis: int, start: Any, stop: Any) -> Any:
    return getitem(x, (slice(None),) * axis + (slice(start, stop),))


def trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Any:
    """The integral along an axis by the trapezoidal rule.  x: the points, else they are `dx` apart.

    >>> trapezoid([1.0, 2.0, 3.0], x=[4.0, 6.0, 8.0]).eval()
    array(8.)
    """
    y = as_variable(y)
    axis = normalise_axis(axis, y.type.ndim, "trapezoid")
    if x is None:
        d = as_variable(dx)
    else:
        x = as_variable(x)
        d = diff(x, axis=0) if x.type.ndim == 1 else diff(x, axis=axis)
        if x.type.ndim == 1:
            d = dimshuffle(d, tuple(0 if k == axis else "x" for k in range(y.type.ndim)))
    y = cast(y, "float64") if y.type.dtype in DISCRETE else y
    return sum(d * (_at(y, axis, 1, None) + _at(y, axis, None, -1)) / 2, axis)


def gradient(f: Any, *varargs: Any, axis: Any = None, edge_order: int = 1) -> Any:
    """The derivative of f along its axes by central differences, one-sided at the ends, as `numpy.gradient`.

    varargs: nothing; one distance for all axes; or for each axis a distance or a vector of coordinates.  A list for
    several axes, else a tensor.  edge_order: 1, or 2 for differences of second order at the ends.

    >>> gradient([1.0, 4.0, 9.0]).eval()
    array([3., 4., 5.])
    """
    y = as_variable(f)
    axes = normalise_axes(axis, y.type.ndim, "gradient") if not isinstance(axis, (list, tuple)) else tuple(
        normalise_axis(k, y.type.ndim, "gradient") for k in axis
    )  # fmt: skip
    if edge_order not in (1, 2):
        raise ValueError(f"gradient: edge_order must be 1 or 2, got {edge_order!r}")
    if not varargs:
        spaces: list[Any] = [as_variable(1.0)] * len(axes)
    elif len(varargs) == 1 and np.ndim(varargs[0]) == 0 and as_variable(varargs[0]).type.ndim == 0:
        spaces = [as_variable(varargs[0])] * len(axes)
    elif len(varargs) == len(axes):
        spaces = [as_variable(v) for v in varargs]
    else:
        raise TypeError(f"gradient: wants none, one or {len(axes)} distances, got {len(varargs)}")
    y = cast(y, "float64") if y.type.dtype in DISCRETE else y
    found = [_gradient_along(y, k, space, edge_order) for k, space in zip(axes, spaces, strict=True)]
    return found[0] if len(found) == 1 else found


def _gradient_along(y: Any, axis: int, space: Any, edge_order: int) -> Any:
    n = y.type.shape[axis]
    message = "gradient: an axis must have at least edge_order + 1 elements"
    if n is None:
        y = require(y, ge(shape_i(y, axis), edge_order + 1), message)
    elif n < edge_order + 1:
        raise ValueError(message)
    before, here, behind = _at(y, axis, None, -2), _at(y, axis, 1, -1), _at(y, axis, 2, None)

    def end(k: int) -> Any:
        return _at(y, axis, k, k + 1 if k != -1 else None)

    if space.type.ndim:
        if space.type.ndim != 1:
            raise ValueError(f"gradient: coordinates must be a vector, got {space.type}")
        space = cast(space, "float64") if space.type.dtype in DISCRETE else space
        gaps = dimshuffle(diff(space), tuple(0 if k == axis else "x" for k in range(y.type.ndim)))
        left, right = _at(gaps, axis, None, -1), _at(gaps, axis, 1, None)
        total = left + right
        inner = (
            -right / (left * total) * before + (right - left) / (left * right) * here + left / (right * total) * behind
        )
        first, last = _at(gaps, axis, 0, 1), _at(gaps, axis, -1, None)
        if edge_order == 2:
            second_gap, before_last = _at(gaps, axis, 1, 2), _at(gaps, axis, -2, -1)
    else:
        space = cast(space, y.type.dtype)
        inner = (behind - before) / (space * 2)
        first = last = second_gap = before_last = space
    if edge_order == 1:
        start, stop = (end(1) - end(0)) / first, (end(-1) - end(-2)) / last
        return concatenate([start, inner, stop], axis)
    a, b = first, second_gap
    start = -(2 * a + b) / (a * (a + b)) * end(0) + (a + b) / (a * b) * end(1) - a / (b * (a + b)) * end(2)
    a, b = before_last, last
    stop = b / (a * (a + b)) * end(-3) - (a + b) / (a * b) * end(-2) + (2 * b + a) / (b * (a + b)) * end(-1)
    return concatenate([start, inner, stop], axis)


def unwrap(p: Any, discont: Any = None, axis: int = -1, period: float = 6.283185307179586) -> Any:
    """p with multiples of the period added along an axis, so that neighbours differ by at most half of it.

    discont: jumps up to this size stay.

    >>> unwrap([0.0, 3.0, -3.0]).eval().round(4)
    array([0.    , 3.    , 3.2832])
    """
    x = as_variable(p)
    axis = normalise_axis(axis, x.type.ndim, "unwrap")
    if (
        isinstance(period, bool)
        or not isinstance(period, (int, float, np.integer, np.floating))
        or not 0 < period < 2**62
    ):
        raise ValueError(f"unwrap: the period must be a positive number, got {period!r}")
    d = diff(x, axis=axis)
    discont = period / 2 if discont is None else discont
    dtype = upcast(d.type.dtype, "float64") if d.type.dtype in DISCRETE and int(period) != period else d.type.dtype
    half = period / 2 if dtype not in DISCRETE else int(period) // 2
    whole = constant(np.asarray(period).astype(dtype))
    high = constant(np.asarray(half).astype(dtype))
    low = -high
    d = cast(d, dtype)
    turned = mod(d - low, whole) + low
    is_even = dtype not in DISCRETE or int(period) % 2 == 0
    if is_even:
        turned = switch(and_(eq(turned, low), gt(d, 0)), high, turned)
    correction = switch(lt(abs_(d), discont), constant(0, dtype=dtype), turned - d)
    moved = _at(x, axis, 1, None) + cast(cumsum(correction, axis), dtype)
    return concatenate([cast(_at(x, axis, None, 1), moved.type.dtype), moved], axis)


# -- convolutions ----------------------------------------------------------------------------------------------------
def _vector(x: Any, what: str) -> Any:
    x = as_variable(x)
    if x.type.ndim > 1:
        raise ValueError(f"{what}: wants vectors, got {x.type}")
    return x if x.type.ndim else dimshuffle(x, ("x",))


def _full_convolution(x: Any, y: Any, what: str) -> Any:
    """sum_j x[k - j] y[j] for every k, a product of the windows of x with y."""
    dtype = upcast(x.type.dtype, y.type.dtype)
    x, y = cast(x, dtype), cast(y, dtype)
    n, m = shape_i(x, 0), shape_i(y, 0)
    message = f"{what}: a vector must not be empty"
    if 0 in (*x.type.shape, *y.type.shape):
        raise ValueError(message)
    if None in (*x.type.shape, *y.type.shape):
        m = require(m, and_(gt(n, 0), gt(m, 0)), message)
    around = zeros((maximum(m - 1, 0),), dtype)
    padded = concatenate([around, x, around])
    places = dimshuffle(arange(maximum(n + m - 1, 0)), (0, "x")) + dimshuffle(arange(m), ("x", 0))
    return dot(getitem(padded, (places,)), getitem(y, slice(None, None, -1)))


def convolve(a: Any, v: Any, mode: str = "full") -> Any:
    """sum_j a[k - j] v[j], of two vectors, as `numpy.convolve`.

    mode: "full" for every k at which they overlap; "same" for as many as the longer one has elements, in the middle;
    "valid" where they overlap whole.

    >>> convolve([1, 2, 3], [0, 1, 10]).eval()
    array([ 0,  1, 12, 23, 30])
    """
    x, y = _vector(a, "convolve"), _vector(v, "convolve")
    full = _full_convolution(x, y, "convolve")
    n, m = shape_i(x, 0), shape_i(y, 0)
    least, most = minimum(n, m), maximum(n, m)
    return _middle(full, mode, least - 1, most - least + 1, (least - 1) // 2, most, "convolve")


def _middle(full: Any, mode: str, valid_start: Any, valid: Any, same_start: Any, same: Any, what: str) -> Any:
    if mode == "full":
        return full
    if mode == "valid":
        return getitem(full, slice(valid_start, valid_start + valid))
    if mode == "same":
        return getitem(full, slice(same_start, same_start + same))
    raise ValueError(f"{what}: mode must be 'full', 'same' or 'valid', got {mode!r}")


def correlate(a: Any, v: Any, mode: str = "valid") -> Any:
    """sum_j a[k + j] conj(v[j]), of two vectors, as `numpy.correlate`; modes as in `convolve`.

    >>> correlate([1, 2, 3], [0, 1, 10]).eval()
    array([32])
    """
    x, y = _vector(a, "correlate"), _vector(v, "correlate")
    if y.type.dtype in COMPLEX:
        from tensordsl.ops.math.complexes import conj

        y = conj(y)
    full = _full_convolution(x, getitem(y, slice(None, None, -1)), "correlate")
    n, m = shape_i(x, 0), shape_i(y, 0)
    least, most = minimum(n, m), maximum(n, m)
    start = switch(ge(n, m), (m - 1) // 2, n // 2)
    return _middle(full, mode, least - 1, most - least + 1, start, most, "correlate")


def convolve1d(in1: Any, in2: Any, mode: str = "full") -> Any:
    """`convolve`, but "same" has the length of the first vector, which may be the shorter one; as PyTensor and SciPy.

    >>> convolve1d([1, 2, 3], [0, 1, 10], mode="same").eval()
    array([ 1, 12, 23])
    """
    if mode != "same":
        return convolve(in1, in2, mode)
    x, y = _vector(in1, "convolve1d"), _vector(in2, "convolve1d")
    start = (shape_i(y, 0) - 1) // 2
    return getitem(_full_convolution(x, y, "convolve1d"), slice(start, start + shape_i(x, 0)))


# -- polynomials: vectors of coefficients, the highest first -----------------------------------------------------------
def _polynomial(p: Any, what: str) -> Any:
    p = as_variable(p)
    if p.type.ndim > 1:
        raise ValueError(f"{what}: wants a vector of coefficients, got {p.type}")
    return p if p.type.ndim else dimshuffle(p, ("x",))


MOST_WRITTEN_OUT = 64  # coefficients of which each is an operation


def polyval(p: Any, x: Any) -> Any:
    """p[0] x^(n-1) + ... + p[n-1] by Horner's rule; 0 for no coefficients.

    >>> polyval([1, 0, 2], [1, 2, 3]).eval()
    array([ 3,  6, 11])
    """
    p, x = _polynomial(p, "polyval"), as_variable(x)
    dtype = upcast(p.type.dtype, x.type.dtype)
    dtype = "int64" if dtype == "bool" else dtype
    p, x = cast(p, dtype), cast(x, dtype)
    start = second(x, constant(0, dtype=dtype))
    length = p.type.shape[0]
    if length is not None and length <= MOST_WRITTEN_OUT:
        result = start
        for k in range(length):
            result = result * x + getitem(p, k)
        return result
    k, value = loop_index(), parameter_like(start)
    (result,) = make_loop(shape_i(p, 0), k, [value], [start], [second(x, value * x + getitem(p, k))])
    return result


def polyadd(a1: Any, a2: Any) -> Any:
    """The sum of two polynomials.

    >>> polyadd([1, 2], [9, 5, 4]).eval()
    array([9, 6, 6])
    """
    return _aligned(a1, a2, 1, "polyadd")


def polysub(a1: Any, a2: Any) -> Any:
    """The difference of two polynomials.

    >>> polysub([2, 10, -2], [3, 10]).eval()
    array([  2,   7, -12])
    """
    return _aligned(a1, a2, -1, "polysub")


def _aligned(a1: Any, a2: Any, sign: int, what: str) -> Any:
    x, y = _polynomial(a1, what), _polynomial(a2, what)
    n, m = shape_i(x, 0), shape_i(y, 0)
    x = concatenate([zeros((maximum(m - n, 0),), x.type.dtype), x])
    y = concatenate([zeros((maximum(n - m, 0),), y.type.dtype), y])
    return x + y if sign > 0 else x - y


def polymul(a1: Any, a2: Any) -> Any:
    """The product of two polynomials; leading zeros stay, which NumPy drops.

    >>> polymul([1, 2], [1, 3]).eval()
    array([1, 5, 6])
    """
    return convolve(_polynomial(a1, "polymul"), _polynomial(a2, "polymul"))


def _times(n: Any, what: str) -> int:
    count = whole_number(n, what, "the order")
    if not 0 <= count <= MOST_WRITTEN_OUT:
        raise ValueError(f"{what}: the order must be 0 to {MOST_WRITTEN_OUT}, got {count}")
    return count


def polyder(p: Any, m: int = 1) -> Any:
    """The m-th derivative of a polynomial.

    >>> polyder([1, 1, 1, 1]).eval()
    array([3, 2, 1])
    """
    p = _polynomial(p, "polyder")
    for _ in range(_times(m, "polyder")):
        n = shape_i(p, 0)
        exponents = arange(n - 1, 0, -1)
        p = getitem(p, slice(None, -1)) * exponents
    return p


def polyint(p: Any, m: int = 1, k: Any = None) -> Any:
    """The m-th antiderivative of a polynomial.  k: the constants of integration, 0 by default; a number or m of them.

    >>> polyint([3.0, 2.0, 1.0], k=7.0).eval()
    array([1., 1., 1., 7.])
    """
    p, m = _polynomial(p, "polyint"), _times(m, "polyint")
    constants = [0.0] * m if k is None else list(k) if isinstance(k, (list, tuple, np.ndarray)) else [k] * m
    if len(constants) == 1 and m > 1:
        constants *= m
    if len(constants) < m:
        raise ValueError(f"polyint: {len(constants)} constants for an integral of order {m}")
    p = cast(p, "float64") if p.type.dtype in DISCRETE else p
    for c in constants[:m]:
        n = shape_i(p, 0)
        tail = dimshuffle(cast(as_variable(c), p.type.dtype), ("x",))
        p = concatenate([p / cast(arange(n, 0, -1), "float64"), tail])
    return p


def poly(seq_of_zeros: Any) -> Any:
    """The polynomial with these zeros and 1 as its first coefficient; their number must be known.

    >>> poly([2.0, 3.0]).eval()
    array([ 1., -5.,  6.])
    """
    x = as_variable(seq_of_zeros)
    if x.type.ndim != 1 or x.type.shape[0] is None:
        raise ValueError(f"poly: wants a vector of zeros whose length is known when the graph is built, got {x.type}")
    if x.type.shape[0] > MOST_WRITTEN_OUT:
        raise ValueError(f"poly: the number of zeros must not be above {MOST_WRITTEN_OUT}, got {x.type.shape[0]}")
    x = cast(x, "float64") if x.type.dtype in DISCRETE else x
    result = ones((1,), x.type.dtype)
    none = zeros((1,), x.type.dtype)
    for k in range(x.type.shape[0]):
        result = concatenate([result, none]) - getitem(x, k) * concatenate([none, result])
    return result
