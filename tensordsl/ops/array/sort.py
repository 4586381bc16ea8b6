"""Order: sorted tensors and the positions that sort them, the largest elements, medians, counts, sorted search.

The order is NumPy's, with nan behind everything else; equal elements keep theirs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tensordsl.graph.types import CONTINUOUS, INTEGERS
from tensordsl.graph.variables import Constant, Dims, Kernel, Op, OpTypeError, Variable, apply
from tensordsl.ops.array.arrange import take_along_axis
from tensordsl.ops.array.creation import arange, zeros
from tensordsl.ops.array.cumulative import cumsum, diff
from tensordsl.ops.array.index import getitem
from tensordsl.ops.array.masks import mask_positions
from tensordsl.ops.array.reduce import all, any, as_one_axis, bound, mean
from tensordsl.ops.array.shape import (
    INTEGER_VALUED,
    as_dim,
    as_dims,
    concatenate,
    dimshuffle,
    flatten,
    reshape,
    shape_i,
    shape_tuple,
)
from tensordsl.ops.array.write import inc_subtensor, set_subtensor
from tensordsl.ops.control import ifelse, require
from tensordsl.ops.math.comparisons import and_, eq, ge, gt, invert, isnan, le, lt, neq, or_
from tensordsl.ops.math.elementwise import abs_, cast, int_div, maximum, mul, sgn, switch
from tensordsl.ops.operands import as_variable, int64, known_int, normalise_axes, normalise_axis, shape_of_first


# -- rows ------------------------------------------------------------------------------------------------------------
def _sort_gradient(g: Any, out: Any, x: Any, axis: int) -> Sequence[Any]:
    """Each cotangent goes back to where its element came from."""
    return (take_along_axis(g, argsort(argsort(x, axis), axis), axis),)


def _search_dtype(x: str, v: str, side: str) -> str:
    return "int64"


def _search_shape(d: Dims, x: Any, v: Any, side: str) -> tuple[Any, ...]:
    if len(d.shape(x)) != 1:
        raise ValueError(f"wants a sorted vector, got a tensor with {len(d.shape(x))} axes")
    return d.shape(v)


SORT = Op(
    "sort", lambda x, axis: x, shape_of_first, lambda x, axis: np.sort(x, axis, kind="stable"), Kernel("along"),
    _sort_gradient,
)  # fmt: skip
ARGSORT = Op(
    "argsort", lambda x, axis: "int64", shape_of_first,
    lambda x, axis: np.argsort(x, axis, kind="stable").astype("int64"), Kernel("along"), no_gradient=INTEGER_VALUED,
)  # fmt: skip
SEARCHSORTED = Op(
    "searchsorted", _search_dtype, _search_shape,
    lambda x, v, side: np.asarray(np.searchsorted(x, v, side)).astype("int64"), Kernel("searchsorted"),
    no_gradient=INTEGER_VALUED,
)  # fmt: skip
ROWS = (SORT, ARGSORT, SEARCHSORTED)


# -- public functions ------------------------------------------------------------------------------------------------
def _ordered(op: Op, x: Any, axis: Any, kind: str, order: None) -> Any:
    if order is not None:
        raise TypeError(f"{op.name}: `order` names fields of structured arrays, which tensors do not have")
    if kind not in ("quicksort", "mergesort", "heapsort", "stable"):
        raise ValueError(f"{op.name}: unknown kind {kind!r}; use 'quicksort', 'mergesort', 'heapsort' or 'stable'")
    x = as_variable(x)
    if axis is None:
        x, axis = flatten(x), 0
    if isinstance(axis, Variable) and not isinstance(axis, Constant):
        return _along_one_of(op, x, axis)
    return apply(op, x, axis=normalise_axis(axis, x.type.ndim, op.name))


def _along_one_of(op: Op, x: Any, axis: Any) -> Any:
    """Along an axis that a call names: one of as many branches as there are axes."""
    ndim = x.type.ndim
    if axis.type.ndim or axis.type.dtype not in INTEGERS or not ndim:
        raise OpTypeError(f"{op.name}: wants an integer, the number of an axis of {x.type}, got {axis.type}")
    k, message = cast(axis, "int64"), f"{op.name}: the axis is out of bounds for a tensor with {ndim} axes"
    x = require(x, and_(ge(k, -ndim), lt(k, ndim)), message)
    k = switch(lt(k, 0), k + ndim, k)
    result = apply(op, x, axis=ndim - 1)
    for other in reversed(range(ndim - 1)):
        result = ifelse(eq(k, other), apply(op, x, axis=other), result)
    return result


def sort(a: Any, axis: Any = -1, kind: str = "quicksort", order: None = None) -> Any:
    """a with its elements in increasing order along an axis (None: of the flat tensor), nan at the end.

    axis: an integer, which may be symbolic.  kind: accepted as NumPy's, but the order is always the stable one.

    >>> sort([3, 1, 2]).eval()
    array([1, 2, 3])
    """
    return _ordered(SORT, a, axis, kind, order)


def argsort(a: Any, axis: Any = -1, kind: str = "quicksort", order: None = None) -> Any:
    """The int64 positions that sort a along an axis; of equal elements the earlier one comes first.  See `sort`.

    >>> argsort([3, 1, 2]).eval()
    array([1, 2, 0])
    """
    return _ordered(ARGSORT, a, axis, kind, order)


def argtopk(x: Any, kth: Any, axis: int | None = -1, sorted: bool = True, idx_dtype: str = "int64") -> Any:
    """The positions of the `kth` largest elements along an axis, the largest first; of the smallest for kth < 0.

    kth: an integer, not 0, that may be symbolic; ValueError if the axis is shorter.  nan counts as largest.
    sorted: the result is always sorted.

    >>> argtopk([3, 9, 4, 7], 2).eval(), argtopk([3, 9, 4, 7], -2).eval()
    (array([1, 3]), array([0, 2]))
    """
    return topk_and_argtopk(x, kth, axis, sorted, idx_dtype)[1]


def topk(x: Any, kth: Any, axis: int | None = -1, sorted: bool = True, idx_dtype: str = "int64") -> Any:
    """The `kth` largest elements along an axis, the largest first; the smallest for kth < 0.  See `argtopk`.

    >>> topk([3, 9, 4, 7], 2).eval()
    array([9, 7])
    """
    return topk_and_argtopk(x, kth, axis, sorted, idx_dtype)[0]


def topk_and_argtopk(
    x: Any, kth: Any, axis: int | None = -1, sorted: bool = True, idx_dtype: str = "int64"
) -> tuple[Any, Any]:
    """(topk, argtopk).

    >>> [part.eval().tolist() for part in topk_and_argtopk([3, 9, 4, 7], 2)]
    [[9, 7], [1, 3]]
    """
    if idx_dtype not in INTEGERS:
        raise TypeError(f"topk: idx_dtype must be an integer dtype, got {idx_dtype!r}")
    x = as_variable(x)
    if axis is None:
        x, axis = flatten(x), 0
    axis = normalise_axis(axis, x.type.ndim, "topk")
    k, n = as_dim(kth), as_dim(shape_i(x, axis))
    known, length = known_int(k), known_int(n)
    if known == 0 or (known is not None and length is not None and abs(known) > length):
        raise ValueError(f"topk: kth is {known}, it must not be 0 and the axis has {'?' if length is None else length}")
    message = "topk: kth must not be 0, nor larger than the length of the axis"
    k = require(k, and_(neq(k, 0), le(abs_(k), n)), message)
    start = n - k if known is not None and known > 0 else 0 if known else (n - k) * cast(gt(k, 0), "int64")
    before = (slice(None),) * axis
    chosen = getitem(argsort(x, axis), (*before, slice(start, start + abs_(k))))
    chosen = getitem(chosen, (*before, slice(None, None, -sgn(k) if known is None else -1 if known > 0 else 1)))
    return take_along_axis(x, chosen, axis), cast(chosen, idx_dtype)


def median(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The middle element in order over `axis`, the mean of the two middle ones of an even number; nan if there is one.

    >>> median([[3, 1], [7, 5]], axis=0).eval()
    array([5., 3.])
    """
    x = as_variable(x)
    axes = normalise_axes(axis, x.type.ndim, "median")
    kept = tuple(k for k in range(x.type.ndim) if k not in axes)
    line, at = (x, axes[0]) if len(axes) == 1 else (as_one_axis(x, axes), len(kept))
    n = shape_i(line, at)
    middle = (slice(None),) * at + (slice(int_div(n - 1, 2), int_div(n, 2) + 1),)
    result = mean(getitem(sort(line, at), middle), axis=at)
    if x.type.dtype in CONTINUOUS:
        result = switch(any(isnan(line), axis=at), np.array(np.nan, result.type.dtype), result)
    if not keepdims:
        return result
    return dimshuffle(result, tuple("x" if k in axes else kept.index(k) for k in range(x.type.ndim)))


def searchsorted(x: Any, v: Any, side: str = "left", sorter: Any = None) -> Any:
    """Where in the sorted vector x each element of v would have to stand: int64 positions.

    side: before ("left") or behind ("right") the elements equal to it.  sorter: positions that sort x.

    >>> searchsorted([1, 3, 5], [3, 4]).eval()
    array([1, 2])
    """
    x, v = as_variable(x), as_variable(v)
    if side not in ("left", "right"):
        raise ValueError(f"searchsorted: side must be 'left' or 'right', got {side!r}")
    return apply(SEARCHSORTED, x if sorter is None else getitem(x, (as_variable(sorter),)), v, side=side)


def bincount(x: Any, weights: Any = None, minlength: Any = None, assert_nonneg: bool = False) -> Any:
    """How often each number 0, 1, ... max(x) (at least up to minlength - 1) stands in the integer vector x: int64.

    weights: a vector; then its elements where a number stands are summed.  ValueError for a negative number.

    >>> bincount([1, 3, 1]).eval()
    array([0, 2, 0, 1])
    """
    x = as_variable(x)
    if x.type.ndim != 1 or x.type.dtype not in INTEGERS:
        raise OpTypeError(f"bincount: wants a vector of integers, got {x.type}")
    small = x.type.dtype in ("uint8", "uint16")  # what has no sign and fits into int32
    x = cast(x, "int64")
    largest = cast(bound(cast(x, "int32") if small else x, 0), "int64")
    length = maximum(dimshuffle(largest, ()), as_dim(0 if minlength is None else minlength) - 1) + 1
    if not small:
        length = require(length, all(ge(x, 0)), "bincount: the numbers must not be negative")
    if weights is None:
        return inc_subtensor(getitem(zeros(as_dims(length), "int64"), (x,)), 1)
    weights = as_variable(weights)
    if weights.type.ndim != 1:
        raise OpTypeError(f"bincount: the weights must be a vector, got {weights.type}")
    return inc_subtensor(getitem(zeros(as_dims(length), weights.type.dtype), (x,)), weights)


def unique(
    ar: Any,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: int | None = None,
) -> Any:
    """The distinct elements of ar in increasing order, a vector; nans are one element.

    With a flag a tuple of the elements and, of those asked for, in this order: where each is first in the flat ar; for
    each element of the flat ar the number of its value; how often each value is there.
    axis: the distinct slices along it, in the order of their first elements that differ; those with nan are all kept.

    >>> unique([3, 1, 3]).eval()
    array([1, 3])
    >>> [part.eval().tolist() for part in unique([3, 1, 3], return_inverse=True)]
    [[1, 3], [1, 0, 1]]
    """
    x, order = as_variable(ar), None
    if axis is not None:
        axis = normalise_axis(axis, x.type.ndim, "unique")
        x = dimshuffle(x, (axis, *(k for k in range(x.type.ndim) if k != axis)))
        order, is_new = _order_of_slices(x)
    else:
        x = x if x.type.ndim == 1 else flatten(x) if x.type.ndim else dimshuffle(x, ("x",))
        if not (return_index or return_inverse or return_counts):
            values = sort(x)
            return getitem(values, (_differs_from_last(values),))
        order = argsort(x)
        is_new = _differs_from_last(getitem(x, (order,)))
    n = shape_i(x, 0)
    first = mask_positions(is_new)[0]
    values = getitem(x, (getitem(order, (first,)),))
    if axis is not None:
        values = dimshuffle(values, (*range(1, axis + 1), 0, *range(axis + 1, x.type.ndim)))
    parts = [values]
    if not (return_index or return_inverse or return_counts):
        return values
    if return_index:
        parts.append(getitem(order, (first,)))
    if return_inverse:
        parts.append(set_subtensor(getitem(zeros(as_dims(n), "int64"), (order,)), cumsum(is_new) - 1))
    if return_counts:
        parts.append(diff(concatenate([first, dimshuffle(n, ("x",))])))
    return tuple(parts)


def _order_of_slices(x: Any) -> tuple[Any, Any]:
    """The positions that sort the slices of the first axis, and where one differs from the one before it."""
    from tensordsl.ops.composed.turns import lexsort  # late: it stands on this module

    dims = shape_tuple(x)
    width: Any = int64(1)
    for n in dims[1:]:
        width = mul(width, as_dim(n))
    rows = reshape(x, (dims[0], width), ndim=2)
    k = arange(as_dim(dims[0]))
    order = (
        k if 0 in x.type.shape[1:] else lexsort(dimshuffle(getitem(rows, (slice(None), slice(None, None, -1))), (1, 0)))
    )
    rows = getitem(rows, (order,))
    return order, or_(eq(k, 0), any(neq(rows, getitem(rows, (maximum(k - 1, 0),))), axis=1))


def _differs_from_last(x: Any) -> Any:
    """Where an element of a vector is the first, or not equal to the one before it; nans are equal."""
    k = arange(shape_i(x, 0))
    last = getitem(x, (maximum(k - 1, 0),))
    differs = neq(x, last)
    if x.type.dtype in CONTINUOUS:
        differs = and_(differs, invert(and_(isnan(x), isnan(last))))
    return or_(eq(k, 0), differs)
