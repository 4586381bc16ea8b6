"""Products of vectors and matrices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tensordsl.casting import upcast_min8
from tensordsl.graph import Dims, Kernel, Op, OpShapeError, OpTypeError, apply
from tensordsl.ops.elementwise import cast, mul
from tensordsl.ops.operands import as_variable, normalise_axis
from tensordsl.ops.shape import dimshuffle, reshape, shape_i, shape_padright, transpose


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


DOT = Op("dot", _dot_dtype, _dot_shape, _numpy_dot, Kernel("dot"), _dot_gradient, ulp=64, symbol="\\dot")
ROWS = (DOT,)


def dot(x: Any, y: Any) -> Any:
    """The matrix product; of vectors the inner product; with a scalar the product.

    With more axes it sums over the last axis of x and the second-to-last of y, as `numpy.dot`.

    >>> dot([[1, 2], [3, 4]], [1, 1]).eval()
    array([3, 7])
    """
    x, y = as_variable(x), as_variable(y)
    if x.type.ndim == 0 or y.type.ndim == 0:
        return mul(x, y)
    if x.type.ndim > 2 or y.type.ndim > 2:
        return tensordot(x, y, [[x.type.ndim - 1], [max(y.type.ndim - 2, 0)]])
    dtype = upcast_min8(x.type.dtype, y.type.dtype)
    return apply(DOT, cast(x, dtype), cast(y, dtype))


def outer(x: Any, y: Any) -> Any:
    """x[i] * y[j]; operands with more axes are flattened first.

    >>> outer([1, 2], [1, 10]).eval()
    array([[ 1, 10],
           [ 2, 20]])
    """
    x, y = as_variable(x), as_variable(y)
    x, y = (v if v.type.ndim == 1 else reshape(v, (-1,)) for v in (x, y))
    return mul(dimshuffle(x, (0, "x")), dimshuffle(y, ("x", 0)))


def tensordot(x: Any, y: Any, axes: Any = 2) -> Any:
    """Sum of products over the named axes, as `numpy.tensordot`.

    axes: a number n (the last n of x with the first n of y) or two lists of axes.

    >>> tensordot([[1, 2], [3, 4]], [[1, 1], [1, 1]]).eval()
    array(10)
    """
    x, y = as_variable(x), as_variable(y)
    of_x, of_y = _contracted(x, y, axes)
    free_x = [k for k in range(x.type.ndim) if k not in of_x]
    free_y = [k for k in range(y.type.ndim) if k not in of_y]
    dims = [shape_i(x, k) for k in free_x] + [shape_i(y, k) for k in free_y]
    length = _product_of([shape_i(y, k) for k in of_y])
    left = reshape(transpose(x, free_x + of_x), (_product_of([shape_i(x, k) for k in free_x]), length), ndim=2)
    right = reshape(transpose(y, of_y + free_y), (length, _product_of([shape_i(y, k) for k in free_y])), ndim=2)
    return reshape(dot(left, right), dims, ndim=len(dims))


def _contracted(x: Any, y: Any, axes: Any) -> tuple[list[int], list[int]]:
    if isinstance(axes, int):
        of_x, of_y = list(range(x.type.ndim - axes, x.type.ndim)), list(range(axes))
    else:
        of_x, of_y = ([a] if isinstance(a, int) else list(a) for a in axes)
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


def _product_of(dims: list[Any]) -> Any:
    result: Any = 1
    for n in dims:
        result = n if isinstance(result, int) and result == 1 else mul(result, n)
    return result


def batched_dot(x: Any, y: Any) -> Any:
    """For every k: the dot product of x[k] and y[k].

    >>> batched_dot([[1, 2], [3, 4]], [[1, 1], [1, 1]]).eval()
    array([3, 7])
    """
    from tensordsl.ops.reduce import sum

    x, y = as_variable(x), as_variable(y)
    if x.type.ndim not in (1, 2, 3) or y.type.ndim not in (1, 2, 3):
        raise OpTypeError(f"batched_dot: wants 1 to 3 axes, got {x.type.ndim} and {y.type.ndim}")
    if x.type.ndim == 1:
        return mul(shape_padright(x, y.type.ndim - 1), y)
    if y.type.ndim == 1:
        return mul(x, shape_padright(y, x.type.ndim - 1))
    left = dimshuffle(x, (0, 1, 2, "x")) if x.type.ndim == 3 else dimshuffle(x, (0, "x", 1, "x"))
    right = dimshuffle(y, (0, "x", 1, 2)) if y.type.ndim == 3 else dimshuffle(y, (0, "x", 1, "x"))
    result = sum(mul(left, right), axis=2)
    if y.type.ndim == 2:
        result = dimshuffle_drop(result, 2)
    return dimshuffle_drop(result, 1) if x.type.ndim == 2 else result


def dimshuffle_drop(x: Any, axis: int) -> Any:
    """x without an axis of static length 1."""
    return dimshuffle(x, tuple(k for k in range(x.type.ndim) if k != axis))
