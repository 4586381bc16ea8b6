"""The elements of tensors in another order: turned, reversed, partly sorted; orders by several keys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tensordsl.graph.types import COMPLEX, DISCRETE
from tensordsl.graph.variables import Constant, OpTypeError, Variable
from tensordsl.ops.array.arrange import flip, moveaxis, take_along_axis
from tensordsl.ops.array.creation import arange
from tensordsl.ops.array.index import getitem
from tensordsl.ops.array.shape import as_dim, broadcast_to, dimshuffle, flatten, shape_i, shape_tuple, swapaxes
from tensordsl.ops.array.sort import argsort, sort
from tensordsl.ops.control import loop_index, make_loop, parameter_like
from tensordsl.ops.math.elementwise import cast
from tensordsl.ops.operands import as_variable, normalise_axis, whole_number


def flipud(m: Any) -> Any:
    """m with its first axis reversed.

    >>> flipud([[1, 2], [3, 4]]).eval()
    array([[3, 4],
           [1, 2]])
    """
    return flip(m, 0)


def fliplr(m: Any) -> Any:
    """m with its second axis reversed.

    >>> fliplr([[1, 2], [3, 4]]).eval()
    array([[2, 1],
           [4, 3]])
    """
    return flip(m, 1)


def rot90(m: Any, k: int = 1, axes: Sequence[int] = (0, 1)) -> Any:
    """m turned by 90 degrees k times, from the first of two axes towards the second.

    >>> rot90([[1, 2], [3, 4]]).eval()
    array([[2, 4],
           [1, 3]])
    """
    x = as_variable(m)
    if len(axes) != 2:
        raise ValueError(f"rot90: wants two axes, got {axes!r}")
    a, b = (normalise_axis(axis, x.type.ndim, "rot90") for axis in axes)
    if a == b:
        raise ValueError("rot90: the axes must be different")
    k = whole_number(k, "rot90", "k") % 4
    if k % 2:
        return swapaxes(flip(x, b), a, b) if k == 1 else flip(swapaxes(x, a, b), b)
    return flip(x, (a, b)) if k else x


def rollaxis(a: Any, axis: int, start: int = 0) -> Any:
    """a with an axis moved back until it stands in front of the axis `start`; see `moveaxis`.

    >>> import numpy as np
    >>> rollaxis(np.zeros((2, 3, 4)), 2).eval().shape
    (4, 2, 3)
    """
    x = as_variable(a)
    rank = x.type.ndim
    axis = normalise_axis(axis, rank, "rollaxis")
    start = whole_number(start, "rollaxis", "start")
    start = start + rank if start < 0 else start
    if not 0 <= start <= rank:
        raise ValueError(f"rollaxis: start {start} is out of bounds for a tensor with {rank} axes")
    return moveaxis(x, axis, start - 1 if axis < start else start)


def lexsort(keys: Any, axis: int = -1) -> Any:
    """The int64 positions that sort by several keys along an axis: by the last key, equal ones by the one before, ...

    keys: tensors of one shape, or one tensor whose first axis counts them, of any length.

    >>> lexsort(([1, 0, 0], [5, 7, 5])).eval()
    array([2, 0, 1])
    """
    if isinstance(keys, Variable) and not isinstance(keys, Constant) and keys.type.shape[:1] == (None,):
        return _lexsort_by_rounds(keys, axis)
    if isinstance(keys, Variable):
        if not keys.type.ndim:
            raise OpTypeError(f"lexsort: wants several keys, got {keys.type}")
        keys = [getitem(keys, k) for k in range(keys.type.shape[0] or 0)]
    variables = [as_variable(key) for key in keys]
    if not variables:
        raise TypeError("lexsort: needs a key")
    if len({v.type.ndim for v in variables}) > 1 or not variables[0].type.ndim:
        raise OpTypeError(f"lexsort: wants keys of one number of axes, got {', '.join(str(v.type) for v in variables)}")
    axis = normalise_axis(axis, variables[0].type.ndim, "lexsort")
    order = argsort(variables[0], axis)
    for key in variables[1:]:
        order = _then_by(key, order, axis)
    return order


def _then_by(key: Any, order: Any, axis: int) -> Any:
    """The order by `key`, equal ones in the order that there was."""
    return take_along_axis(order, argsort(take_along_axis(key, order, axis), axis), axis)


def _lexsort_by_rounds(keys: Any, axis: int) -> Any:
    if keys.type.ndim < 2:
        raise OpTypeError(f"lexsort: wants a tensor of keys, got {keys.type}")
    axis = normalise_axis(axis, keys.type.ndim - 1, "lexsort")
    dims = shape_tuple(keys)[1:]
    shuffled = arange(as_dim(dims[axis]))
    start = broadcast_to(_along(shuffled, axis, len(dims)), dims)
    k, order = loop_index(), parameter_like(start)
    (result,) = make_loop(shape_i(keys, 0), k, [order], [start], [_then_by(getitem(keys, (k,)), order, axis)])
    return result


def _along(v: Any, axis: int, rank: int) -> Any:
    return dimshuffle(v, ["x"] * axis + [0] + ["x"] * (rank - axis - 1))


def _checked(kth: Any, x: Any, axis: int, what: str) -> None:
    """kth is a position of the axis, where both are known."""
    numbers = kth if isinstance(kth, (list, tuple)) else [kth]
    length = x.type.shape[axis]
    for k in numbers:
        if isinstance(k, Variable) and not isinstance(k, Constant):
            continue
        n = whole_number(k, what, "kth")
        if length is not None and not -length <= n < length:
            raise ValueError(f"{what}: kth {n} is out of bounds for an axis of length {length}")


def partition(a: Any, kth: Any, axis: int | None = -1) -> Any:
    """a with the element at position kth in its place, smaller ones before it, larger ones behind it along an axis.

    Here all elements are sorted, which is one of the answers that `numpy.partition` may give.

    >>> partition([3, 1, 2], 1).eval()
    array([1, 2, 3])
    """
    x = as_variable(a)
    x, axis = (flatten(x), 0) if axis is None else (x, normalise_axis(axis, x.type.ndim, "partition"))
    _checked(kth, x, axis, "partition")
    return sort(x, axis)


def argpartition(a: Any, kth: Any, axis: int | None = -1) -> Any:
    """The int64 positions that make `partition`.

    >>> argpartition([3, 1, 2], 1).eval()
    array([1, 2, 0])
    """
    x = as_variable(a)
    x, axis = (flatten(x), 0) if axis is None else (x, normalise_axis(axis, x.type.ndim, "argpartition"))
    _checked(kth, x, axis, "argpartition")
    return argsort(x, axis)


def sort_complex(a: Any) -> Any:
    """The elements sorted along the last axis, as complex numbers.

    >>> sort_complex([3, 1]).eval()
    array([1.+0.j, 3.+0.j])
    """
    x = as_variable(a)
    if x.type.dtype in COMPLEX:
        return sort(x)
    small = x.type.dtype in DISCRETE and x.type.dtype in ("int8", "int16", "uint8", "uint16")
    return cast(sort(x), "complex64" if small or x.type.dtype in ("float16", "float32") else "complex128")
