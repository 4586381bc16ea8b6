"""Products that sum over axes, beside those of `ops.linalg.products`: of last axes, of stacks, cross products."""

from __future__ import annotations

from typing import Any

from tensordsl.graph.casting import upcast
from tensordsl.graph.types import COMPLEX
from tensordsl.graph.variables import OpTypeError
from tensordsl.ops.array.arrange import moveaxis
from tensordsl.ops.array.index import getitem
from tensordsl.ops.array.reduce import sum
from tensordsl.ops.array.shape import dimshuffle, flatten, stack
from tensordsl.ops.composed.stacks import broadcast_arrays
from tensordsl.ops.linalg.products import dot, matmul, tensordot
from tensordsl.ops.math.elementwise import cast, mul
from tensordsl.ops.operands import as_variable, normalise_axis


def _conjugate(x: Any) -> Any:
    if x.type.dtype not in COMPLEX:
        return x
    from tensordsl.ops.math.complexes import conj

    return conj(x)


def inner(a: Any, b: Any) -> Any:
    """The sums of products over the last axes of both; the product with a scalar.

    >>> inner([[1, 2], [3, 4]], [1, 10]).eval()
    array([21, 43])
    """
    x, y = as_variable(a), as_variable(b)
    if not x.type.ndim or not y.type.ndim:
        return mul(x, y)
    return tensordot(x, y, [[x.type.ndim - 1], [y.type.ndim - 1]])


def vdot(a: Any, b: Any) -> Any:
    """The product of two flat tensors, the first one conjugated.

    >>> vdot([[1, 2], [3, 4]], [[1, 1], [1, 1]]).eval()
    array(10)
    """
    x, y = (flatten(v) if v.type.ndim else dimshuffle(v, ("x",)) for v in (as_variable(a), as_variable(b)))
    return dot(_conjugate(x), y)


def vecdot(x1: Any, x2: Any, axis: int = -1) -> Any:
    """The products of vectors along an axis, the first one conjugated; other axes broadcast.

    >>> vecdot([[1, 2], [3, 4]], [1, 10]).eval()
    array([21, 43])
    """
    x, y = as_variable(x1), as_variable(x2)
    if not x.type.ndim or not y.type.ndim:
        raise OpTypeError(f"vecdot: wants tensors with an axis, got {x.type} and {y.type}")
    x, y = (moveaxis(v, normalise_axis(axis, v.type.ndim, "vecdot"), -1) for v in (x, y))
    if x.type.ndim == y.type.ndim == 1:
        return dot(_conjugate(x), y)
    dtype = upcast(x.type.dtype, y.type.dtype)
    if dtype == "bool":
        from tensordsl.ops.array.reduce import any

        return any(mul(_conjugate(x), y), -1)
    wide = mul(_conjugate(x), y)
    return sum(wide, wide.type.ndim - 1, dtype=dtype)


def matvec(x1: Any, x2: Any) -> Any:
    """The products of the matrices in the last two axes with the vectors in the last axis; other axes broadcast.

    >>> matvec([[1, 2], [3, 4]], [1, 10]).eval()
    array([21, 43])
    """
    x, y = as_variable(x1), as_variable(x2)
    if x.type.ndim < 2 or not y.type.ndim:
        raise OpTypeError(f"matvec: wants matrices and vectors, got {x.type} and {y.type}")
    if y.type.ndim == 1:
        return matmul(x, y)
    result = matmul(x, dimshuffle(y, (*range(y.type.ndim), "x")))
    return dimshuffle(result, tuple(range(result.type.ndim - 1)))


def vecmat(x1: Any, x2: Any) -> Any:
    """The products of the vectors in the last axis, conjugated, with the matrices in the last two axes.

    >>> vecmat([1, 10], [[1, 2], [3, 4]]).eval()
    array([31, 42])
    """
    x, y = as_variable(x1), as_variable(x2)
    if not x.type.ndim or y.type.ndim < 2:
        raise OpTypeError(f"vecmat: wants vectors and matrices, got {x.type} and {y.type}")
    x = _conjugate(x)
    if x.type.ndim == 1:
        return matmul(x, y)
    result = matmul(dimshuffle(x, (*range(x.type.ndim - 1), "x", x.type.ndim - 1)), y)
    rank = result.type.ndim
    return dimshuffle(result, (*range(rank - 2), rank - 1))


def cross(a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None) -> Any:
    """The cross products of vectors of 3 elements along an axis; a length of 2 stands for a third element of 0.

    Two vectors of 2 elements give the third element alone.  The lengths must be known when the graph is built.
    axis: that of both operands and the result, in the place of axisa, axisb and axisc.

    >>> cross([1, 2, 3], [4, 5, 6]).eval()
    array([-3,  6, -3])
    """
    if axis is not None:
        axisa = axisb = axisc = axis
    x, y = as_variable(a), as_variable(b)
    if not x.type.ndim or not y.type.ndim:
        raise ValueError(f"cross: wants tensors with an axis, got {x.type} and {y.type}")
    x = moveaxis(x, normalise_axis(axisa, x.type.ndim, "cross"), -1)
    y = moveaxis(y, normalise_axis(axisb, y.type.ndim, "cross"), -1)
    lengths = x.type.shape[-1], y.type.shape[-1]
    if not set(lengths) <= {2, 3}:
        raise ValueError(
            f"cross: vectors must have 2 or 3 elements, known when the graph is built, got {x.type} and {y.type}\n"
            f"  hint: T.specify_shape(x, (None, 3)) declares it"
        )
    dtype = upcast(x.type.dtype, y.type.dtype)
    if dtype == "bool":
        raise OpTypeError("cross: not defined for bools")
    x, y = cast(x, dtype), cast(y, dtype)
    x0, x1, *xs = (getitem(x, (Ellipsis, k)) for k in range(lengths[0] or 0))
    y0, y1, *ys = (getitem(y, (Ellipsis, k)) for k in range(lengths[1] or 0))
    third = x0 * y1 - x1 * y0
    if not xs and not ys:
        return third
    if xs and ys:
        parts = [x1 * ys[0] - xs[0] * y1, xs[0] * y0 - x0 * ys[0], third]
    elif ys:
        parts = [x1 * ys[0], -(x0 * ys[0]), third]
    else:
        parts = [-(xs[0] * y1), xs[0] * y0, third]
    result = stack(list(broadcast_arrays(*parts)), axis=-1)
    return moveaxis(result, -1, normalise_axis(axisc, result.type.ndim, "cross"))
