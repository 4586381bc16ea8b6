"""Products of vectors and matrices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tensordsl.graph.casting import upcast
from tensordsl.graph.variables import Dims, Kernel, Op, OpShapeError, OpTypeError, apply
from tensordsl.ops.array.arrange import specify_shape
from tensordsl.ops.array.shape import (
    broadcast_to,
    dimshuffle,
    reshape,
    shape_i,
    shape_padleft,
    shape_padright,
    transpose,
)
from tensordsl.ops.math.comparisons import neq
from tensordsl.ops.math.elementwise import cast, mul
from tensordsl.ops.operands import as_variable, axis_count, normalise_axis


def _dot_dtype(x: str, y: str) -> str:
    if x != y or x == "bool":
        raise TypeError(f"wants operands of one dtype other than bool, got {x} and {y}")
    return x


def _dot_shape(d: Dims, x: Any, y: Any) -> tuple[Any, ...]:
    a, b = d.shape(x), d.shape(y)
    if not (1 <= len(a) <= 2 and 1 <= len(b) <= 2):
        raise ValueError(f"wants vectors or matrices, got {len(a)} and {len(b)} axes")
    d.same(a[-1], b[0], "Shape mismatch: the last axis of x and the first of y differ in length")
    return a[:-1] + b[1:]


def _dot_gradient(g: Any, out: Any, x: Any, y: Any) -> Sequence[Any]:
    ranks = x.type.ndim, y.type.ndim
    if ranks == (1, 1):
        return g * y, g * x
    if ranks == (2, 1):
        return outer(g, y), dot(transpose(x), g)
    if ranks == (1, 2):
        return dot(y, g), outer(x, g)
    return dot(g, transpose(y)), dot(transpose(x), g)


def _numpy_dot(x: Any, y: Any) -> Any:
    with np.errstate(all="ignore"):
        return np.asarray(np.dot(x, y))


def _batched_shape(d: Dims, x: Any, y: Any) -> tuple[Any, ...]:
    a, b = d.shape(x), d.shape(y)
    if len(a) != 3 or len(b) != 3:
        raise ValueError(f"wants two tensors with three axes, got {len(a)} and {len(b)}")
    d.same(a[2], b[1], "Shape mismatch: the last axis of x and the middle one of y differ in length")
    return d.same(a[0], b[0], "the first axes differ in length"), a[1], b[2]


def _batched_gradient(g: Any, out: Any, x: Any, y: Any) -> Sequence[Any]:
    return _batched(g, dimshuffle(y, (0, 2, 1))), _batched(dimshuffle(x, (0, 2, 1)), g)


def _numpy_batched(x: Any, y: Any) -> Any:
    with np.errstate(all="ignore"):
        return np.matmul(x, y)


BATCHED_DOT = Op("batched_dot", _dot_dtype, _batched_shape, _numpy_batched, Kernel("dot"), _batched_gradient, ulp=64)
DOT = Op("dot", _dot_dtype, _dot_shape, _numpy_dot, Kernel("dot"), _dot_gradient, ulp=64, symbol="\\dot")
ROWS = (DOT, BATCHED_DOT)


def dot(a: Any, b: Any) -> Any:
    """The matrix product: (n, k) by (k, m) gives (n, m); of vectors the inner product; with a scalar the product.

    With more axes it sums over the last axis of a and the second-to-last of b, as `numpy.dot`.  dtypes are promoted; of
    bools: whether some product is true.  ValueError where the lengths of the axis that is summed over differ: when the
    expression is built if they are known, else in the call.

    >>> dot([[1, 2], [3, 4]], [1, 1]).eval()
    array([3, 7])
    """
    x, y = as_variable(a), as_variable(b)
    if x.type.ndim == 0 or y.type.ndim == 0:
        return mul(x, y)
    if x.type.ndim > 2 or y.type.ndim > 2:
        return tensordot(x, y, [[x.type.ndim - 1], [max(y.type.ndim - 2, 0)]])
    return _in_common_dtype(DOT, x, y)


def _in_common_dtype(op: Op, x: Any, y: Any) -> Any:
    """The product; of bools, whose sum is `or`, whether some term is true."""
    dtype = upcast(x.type.dtype, y.type.dtype)
    if dtype == "bool":
        counts = apply(op, cast(x, "float32"), cast(y, "float32"))  # many are inexact, but not 0
        return neq(counts, 0)
    return apply(op, cast(x, dtype), cast(y, dtype))


def outer(x: Any, y: Any) -> Any:
    """x[i] * y[j]; operands with more axes are flattened first.

    >>> outer([1, 2], [1, 10]).eval()
    array([[ 1, 10],
           [ 2, 20]])
    """
    x, y = as_variable(x), as_variable(y)
    x, y = (v if v.type.ndim == 1 else reshape(v, (-1,)) for v in (x, y))
    return mul(dimshuffle(x, (0, "x")), dimshuffle(y, ("x", 0)))


def kron(a: Any, b: Any) -> Any:
    """The Kronecker product, as `numpy.kron`: b in the place of each element of a, multiplied by it.

    >>> kron([1, 10], [[1, 2]]).eval()
    array([[ 1,  2, 10, 20]])
    """
    x, y = as_variable(a), as_variable(b)
    rank = max(x.type.ndim, y.type.ndim)
    x, y = (shape_padleft(v, rank - v.type.ndim) for v in (x, y))
    wide = mul(*(dimshuffle(v, [n for k in range(rank) for n in order(k)]) for v, order in (
        (x, lambda k: (k, "x")), (y, lambda k: ("x", k)),
    )))  # fmt: skip
    return reshape(wide, [_product_of([shape_i(x, k), shape_i(y, k)]) for k in range(rank)], ndim=rank)


def tensordot(a: Any, b: Any, axes: Any = 2) -> Any:
    """Sum of products over the named axes, as `numpy.tensordot`.

    axes: a number n (the last n of a with the first n of b) or two lists of axes.

    >>> tensordot([[1, 2], [3, 4]], [[1, 1], [1, 1]]).eval()
    array(10)
    """
    x, y = as_variable(a), as_variable(b)
    of_x, of_y = _contracted(x, y, axes)
    y = with_lengths_of(x, of_x, y, of_y)
    free_x = [k for k in range(x.type.ndim) if k not in of_x]
    free_y = [k for k in range(y.type.ndim) if k not in of_y]
    dims = [shape_i(x, k) for k in free_x] + [shape_i(y, k) for k in free_y]
    length = _product_of([shape_i(y, k) for k in of_y])
    left = reshape(transpose(x, free_x + of_x), (_product_of([shape_i(x, k) for k in free_x]), length), ndim=2)
    right = reshape(transpose(y, of_y + free_y), (length, _product_of([shape_i(y, k) for k in free_y])), ndim=2)
    return reshape(dot(left, right), dims, ndim=len(dims))


def _is_list(value: Any) -> bool:
    return isinstance(value, list | tuple) or (isinstance(value, np.ndarray) and value.ndim > 0)


def _axis_lists(axes: Any, what: str) -> tuple[list[int], list[int]]:
    """A pair of axes or of lists of axes as two lists."""
    if not _is_list(axes) or len(axes) != 2:
        raise TypeError(f"{what}: axes must be a number or a pair of lists of axes, got {axes!r}")
    of_x, of_y = (list(a) if _is_list(a) else [a] for a in axes)
    return of_x, of_y


def _contracted(x: Any, y: Any, axes: Any) -> tuple[list[int], list[int]]:
    if isinstance(axes, int):
        axes = axis_count(axes, "tensordot")
        of_x, of_y = list(range(x.type.ndim - axes, x.type.ndim)), list(range(axes))
    else:
        of_x, of_y = _axis_lists(axes, "tensordot")
    if len(of_x) != len(of_y):
        raise OpTypeError(f"tensordot: {len(of_x)} axes of x against {len(of_y)} of y")
    if len(of_x) > min(x.type.ndim, y.type.ndim):
        raise OpShapeError(f"tensordot: {len(of_x)} axes of tensors with {x.type.ndim} and {y.type.ndim} axes")
    of_x = [normalise_axis(a, x.type.ndim, "tensordot") for a in of_x]
    of_y = [normalise_axis(a, y.type.ndim, "tensordot") for a in of_y]
    for a, b in zip(of_x, of_y, strict=True):
        m, n = x.type.shape[a], y.type.shape[b]
        if m is not None and n is not None and m != n:
            raise OpShapeError(f"tensordot: axis {a} of x has length {m}, axis {b} of y has length {n}")
    return of_x, of_y


def with_lengths_of(x: Any, of_x: list[int], y: Any, of_y: list[int]) -> Any:
    """y, whose axes must be as long as those of x: of several, lengths that differ may have the same product."""
    if len(of_x) < 2:
        return y
    lengths: list[Any] = [None] * y.type.ndim
    for a, b in zip(of_x, of_y, strict=True):
        lengths[b] = shape_i(x, a)
    return specify_shape(y, lengths)


def _product_of(dims: list[Any]) -> Any:
    result: Any = 1
    for n in dims:
        result = n if isinstance(result, int) and result == 1 else mul(result, n)
    return result


def batched_dot(a: Any, b: Any) -> Any:
    """For every k: the dot product of a[k] and b[k], as `dot` has it: a's last axis by b's last but one.

    >>> batched_dot([[1, 2], [3, 4]], [[1, 1], [1, 1]]).eval()
    array([3, 7])
    """
    x, y = as_variable(a), as_variable(b)
    if not x.type.ndim or not y.type.ndim:
        raise OpTypeError(f"batched_dot: wants an axis or more, got {x.type.ndim} and {y.type.ndim}")
    if x.type.ndim == 1:
        return mul(shape_padright(x, y.type.ndim - 1), y)
    if y.type.ndim == 1:
        return mul(x, shape_padright(y, x.type.ndim - 1))
    if max(x.type.ndim, y.type.ndim) > 3:
        return batched_tensordot(x, y, [[x.type.ndim - 1], [max(y.type.ndim - 2, 1)]])
    left = x if x.type.ndim == 3 else dimshuffle(x, (0, "x", 1))
    right = y if y.type.ndim == 3 else dimshuffle(y, (0, 1, "x"))
    result = _batched(left, right)
    result = dimshuffle_drop(result, 2) if y.type.ndim == 2 else result
    return dimshuffle_drop(result, 1) if x.type.ndim == 2 else result


def _batched(x: Any, y: Any) -> Any:
    return _in_common_dtype(BATCHED_DOT, x, y)


def batched_tensordot(x: Any, y: Any, axes: Any = 2) -> Any:
    """For every k: `tensordot(x[k], y[k])`; the axes are counted in x and y, the first of which may not be named.

    >>> batched_tensordot([[1, 2], [3, 4]], [[1, 1], [1, 1]], 1).eval()
    array([3, 7])
    """
    x, y = as_variable(x), as_variable(y)
    if isinstance(axes, int):
        axes = axis_count(axes, "batched_tensordot")
        of_x, of_y = list(range(x.type.ndim - axes, x.type.ndim)), list(range(1, axes + 1))
    else:
        of_x, of_y = _axis_lists(axes, "batched_tensordot")
    of_x = [normalise_axis(a, x.type.ndim, "batched_tensordot") for a in of_x]
    of_y = [normalise_axis(a, y.type.ndim, "batched_tensordot") for a in of_y]
    if len(of_x) != len(of_y) or 0 in of_x or 0 in of_y:
        raise OpTypeError(f"batched_tensordot: wants as many axes of x as of y, none of them 0, got {of_x} and {of_y}")
    y = with_lengths_of(x, of_x, y, of_y)
    free_x = [k for k in range(1, x.type.ndim) if k not in of_x]
    free_y = [k for k in range(1, y.type.ndim) if k not in of_y]
    n, length = shape_i(x, 0), _product_of([shape_i(x, k) for k in of_x])
    rows, columns = (_product_of([shape_i(v, k) for k in free]) for v, free in ((x, free_x), (y, free_y)))
    left = reshape(transpose(x, [0, *free_x, *of_x]), (n, rows, length), ndim=3)
    right = reshape(transpose(y, [0, *of_y, *free_y]), (shape_i(y, 0), length, columns), ndim=3)
    dims = [n, *(shape_i(x, k) for k in free_x), *(shape_i(y, k) for k in free_y)]
    return reshape(_batched(left, right), dims, ndim=len(dims))


def matmul(x1: Any, x2: Any) -> Any:
    """`x1 @ x2`, as `numpy.matmul`: the products of the matrices in the last two axes; the axes before broadcast.

    >>> matmul([[[1, 2]], [[3, 4]]], [1, 1]).eval()
    array([[3],
           [7]])
    """
    x, y = as_variable(x1), as_variable(x2)
    if not x.type.ndim or not y.type.ndim:
        raise OpTypeError(f"matmul: wants vectors or more axes, got {x.type} and {y.type}; use * for scalars")
    if x.type.ndim <= 2 and y.type.ndim <= 2:
        return dot(x, y)
    left = x if x.type.ndim > 1 else dimshuffle(x, ("x", 0))
    right = y if y.type.ndim > 1 else dimshuffle(y, (0, "x"))
    result = _matmul(left, right)
    result = dimshuffle_drop(result, result.type.ndim - 2) if x.type.ndim == 1 else result
    return dimshuffle_drop(result, result.type.ndim - 1) if y.type.ndim == 1 else result


def _matmul(x: Any, y: Any) -> Any:
    rank = max(x.type.ndim, y.type.ndim) - 2
    x, y = (shape_padleft(v, rank + 2 - v.type.ndim) for v in (x, y))
    if all(n == 1 for n in y.type.shape[:rank]):  # one matrix for all: one product
        count = _product_of([shape_i(x, k) for k in range(rank + 1)])  # -1 would be 0 rows of none
        rows = dot(reshape(x, (count, shape_i(x, rank + 1)), ndim=2), dimshuffle(y, (rank, rank + 1)))
        return reshape(rows, [*(shape_i(x, k) for k in range(rank + 1)), shape_i(y, rank + 1)], ndim=rank + 2)
    batch = [shape_i(x, k) if m != 1 else shape_i(y, k) for k, m in enumerate(x.type.shape[:rank])]
    wide = []
    for v in (x, y):
        dims = [shape_i(v, rank), shape_i(v, rank + 1)]
        v = broadcast_to(v, [*batch, *dims])
        wide.append(reshape(v, (_product_of(batch), *dims), ndim=3))
    return reshape(_batched(*wide), [*batch, shape_i(x, rank), shape_i(y, rank + 1)], ndim=rank + 2)


def dimshuffle_drop(x: Any, axis: int) -> Any:
    """x without an axis of static length 1."""
    return dimshuffle(x, tuple(k for k in range(x.type.ndim) if k != axis))
