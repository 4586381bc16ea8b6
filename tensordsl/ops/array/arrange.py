"""The elements of tensors arranged anew: repeated, rolled, stacked, with axes moved; composed of other functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from tensordsl.base.errors import LengthError
from tensordsl.graph.types import INTEGERS
from tensordsl.graph.variables import Constant, Dims, Movement, Op, OpShapeError, OpTypeError, apply
from tensordsl.ops.array.creation import arange
from tensordsl.ops.array.index import getitem
from tensordsl.ops.array.masks import check_mask_length, repeated, required
from tensordsl.ops.array.shape import (
    as_dim,
    as_dims,
    broadcast_to,
    concatenate,
    dimshuffle,
    flatten,
    reshape,
    shape_i,
    shape_padaxis,
    shape_padleft,
    shape_tuple,
    stack,
    swapaxes,
)
from tensordsl.ops.array.write import set_subtensor
from tensordsl.ops.control import require
from tensordsl.ops.math.comparisons import ge
from tensordsl.ops.math.elementwise import cast, int_div, mod, mul
from tensordsl.ops.operands import as_variable, axis_count, int64, normalise_axes, normalise_axis


# -- a row -----------------------------------------------------------------------------------------------------------
def _specified_dtype(x: str, *dims: str, axes: tuple[int, ...]) -> str:
    for t in dims:
        if t not in INTEGERS:
            raise TypeError(f"a dimension must be an integer, got one of dtype {t}")
    return x


def _specified_shape(d: Dims, x: Any, *dims: Any, axes: tuple[int, ...]) -> tuple[Any, ...]:
    shape = list(d.shape(x))
    for k, n in zip(axes, dims, strict=True):
        shape[k] = d.same(shape[k], d.value(n), f"specify_shape: axis {k} has not the length that was said")
    return tuple(shape)


def _numpy_specified(x: Any, *dims: Any, axes: tuple[int, ...]) -> Any:
    for k, n in zip(axes, dims, strict=True):
        if x.shape[k] != n:
            raise LengthError(f"specify_shape: axis {k} has length {x.shape[k]}, not {n}")
    return x


def _numpy_mask(x: Any, *dims: Any, axes: tuple[int, ...]) -> Any:
    for k, n in zip(axes, dims, strict=True):
        check_mask_length(x.shape[k], int(n), k)
    return x


SPECIFY_SHAPE = Op(
    "specify_shape", _specified_dtype, _specified_shape, _numpy_specified,
    Movement(lambda ndim, axes: tuple(range(ndim))), lambda g, out, x, *dims, axes: (g, *(None for _ in dims)),
)  # fmt: skip
# The same for a mask, of which another shape is an IndexError.
MASK_SHAPE = replace(SPECIFY_SHAPE, name="mask_shape", oracle=_numpy_mask)
ROWS = (SPECIFY_SHAPE, MASK_SHAPE)


def specify_shape(x: Any, shape: Any) -> Any:
    """x, with the lengths of its axes declared (checked at run time); None for an axis of which nothing is said.

    >>> specify_shape([[1, 2]], (1, None)).eval()
    array([[1, 2]])
    """
    x = as_variable(x)
    lengths = list(shape) if isinstance(shape, (tuple, list)) else as_dims(shape, x.type.ndim)
    if len(lengths) != x.type.ndim:
        raise LengthError(f"specify_shape: {len(lengths)} lengths for a tensor with {x.type.ndim} axes")
    axes = tuple(k for k, n in enumerate(lengths) if n is not None)
    try:
        return apply(SPECIFY_SHAPE, x, *as_dims([lengths[k] for k in axes]), axes=axes)
    except OpShapeError as error:
        raise LengthError(str(error)) from None


def fitting_mask(mask: Any, x: Any) -> Any:
    """The mask, whose axes must measure what the first axes of x do (IndexError at run time)."""
    axes = tuple(range(mask.type.ndim))
    return apply(MASK_SHAPE, mask, *as_dims([shape_i(x, k) for k in axes]), axes=axes)


# -- axes ------------------------------------------------------------------------------------------------------------
def expand_dims(a: Any, axis: Any) -> Any:
    """a with a new axis of length 1 at each position of the result that is named.

    >>> expand_dims([1, 2], 1).eval().shape
    (2, 1)
    """
    x = as_variable(a)
    count = 1 if isinstance(axis, int) else len(axis)
    ndim = x.type.ndim + count
    new = normalise_axes(axis, ndim, "expand_dims")
    old = iter(range(x.type.ndim))
    return dimshuffle(x, tuple("x" if k in new else next(old) for k in range(ndim)))


def moveaxis(a: Any, source: Any, destination: Any) -> Any:
    """a with the axes `source` moved to the positions `destination`; the others keep their order.

    >>> moveaxis([[[1, 2, 3], [4, 5, 6]]], 0, -1).eval().shape
    (2, 3, 1)
    """
    x = as_variable(a)
    ndim = x.type.ndim
    olds, news = (
        [normalise_axis(k, ndim, "moveaxis") for k in ((axes,) if isinstance(axes, int) else axes)]
        for axes in (source, destination)
    )
    if len(olds) != len(news) or len(set(olds)) != len(olds) or len(set(news)) != len(news):
        raise ValueError(f"moveaxis: source {source} and destination {destination} must name as many different axes")
    order = [k for k in range(ndim) if k not in olds]
    for new, old in sorted(zip(news, olds, strict=True)):
        order.insert(new, old)
    return dimshuffle(x, order)


def atleast_nd(x: Any, n: int, left: bool = True) -> Any:
    """x with axes of length 1 added in front (or, `left` false, at the end) until it has n.

    >>> atleast_nd([1, 2], 2).eval()
    array([[1, 2]])
    """
    x = as_variable(x)
    missing = max(axis_count(n, "atleast_nd") - x.type.ndim, 0)
    axes: list[Any] = list(range(x.type.ndim))
    return dimshuffle(x, ["x"] * missing + axes if left else axes + ["x"] * missing)


def atleast_1d(x: Any) -> Any:
    """x with one axis at least; see `atleast_nd`.

    >>> atleast_1d(3.0).eval().shape
    (1,)
    """
    return atleast_nd(x, 1)


def atleast_2d(x: Any) -> Any:
    """x with two axes at least; see `atleast_nd`.

    >>> atleast_2d([1, 2]).eval().shape
    (1, 2)
    """
    return atleast_nd(x, 2)


def atleast_3d(x: Any) -> Any:
    """x with three axes at least, new ones in front; see `atleast_nd`.

    >>> atleast_3d([1, 2]).eval().shape
    (1, 1, 2)
    """
    return atleast_nd(x, 3)


def matrix_transpose(x: Any) -> Any:
    """x with its last two axes exchanged.

    >>> matrix_transpose([[1, 2, 3]]).eval().shape
    (3, 1)
    """
    return swapaxes(x, -1, -2)


# -- copies ----------------------------------------------------------------------------------------------------------
def repeat(x: Any, repeats: Any, axis: int | None = None) -> Any:
    """Each element (along an axis, by default of the flat tensor) `repeats` times: one number, or one for each.

    >>> repeat([1, 2], [3, 1]).eval()
    array([1, 1, 1, 2])
    """
    x = as_variable(x)
    repeats = as_variable(repeats)
    if repeats.type.dtype not in INTEGERS or repeats.type.ndim > 1:
        raise OpTypeError(f"repeat: the counts must be integers, a scalar or a vector, got {repeats.type}")
    if axis is None:
        x, axis = flatten(x), 0
    axis = normalise_axis(axis, x.type.ndim, "repeat")
    n = shape_tuple(x)
    if repeats.type.ndim == 1:
        counts = broadcast_to(repeats, (n[axis],))
        return getitem(x, (slice(None),) * axis + (repeated(counts),))
    count = as_dim(repeats)
    wide = broadcast_to(shape_padaxis(x, axis + 1), (*n[: axis + 1], count, *n[axis + 1 :]))
    return reshape(wide, (*n[:axis], _times(n[axis], count), *n[axis + 1 :]))


def tile(x: Any, reps: Any, ndim: int | None = None) -> Any:
    """x repeated as a whole `reps[k]` times along axis k.

    >>> tile([1, 2], 2).eval()
    array([1, 2, 1, 2])
    """
    x = as_variable(x)
    counts = as_dims(reps, ndim)
    rank = max(len(counts), x.type.ndim, axis_count(ndim or 0, "tile"))
    counts = [int64(1)] * (rank - len(counts)) + counts
    x = shape_padleft(x, rank - x.type.ndim) if rank > x.type.ndim else x
    n = shape_tuple(x)
    pairs = [d for pair in zip(counts, n, strict=True) for d in pair]
    wide = broadcast_to(dimshuffle(x, [d for k in range(rank) for d in ("x", k)]), pairs)
    return reshape(wide, [_times(d, r) for r, d in zip(counts, n, strict=True)], ndim=rank)


def _times(a: Any, b: Any) -> Any:
    """The product of two lengths, an int where both are known."""
    a, b = as_dim(a), as_dim(b)
    if isinstance(a, Constant) and isinstance(b, Constant):
        return int(a.data) * int(b.data)
    return mul(a, b)


def roll(x: Any, shift: Any, axis: Any = None) -> Any:
    """x with its elements moved on by `shift` places along an axis; what leaves at the end enters at the start.

    Without an axis the flat tensor is rolled, and shaped as x again.  Several axes: each by its own of as many shifts,
    or all by one.

    >>> roll([1, 2, 3, 4], 1).eval()
    array([4, 1, 2, 3])
    """
    x = as_variable(x)
    if axis is None:
        flat = x if x.type.ndim == 1 else flatten(x)
        rolled = roll(flat, shift, 0)
        return rolled if x.type.ndim == 1 else reshape(rolled, shape_tuple(x), ndim=x.type.ndim)
    if isinstance(axis, (tuple, list)):
        shifts = list(shift) if isinstance(shift, (tuple, list)) else [shift] * len(axis)
        if len(shifts) != len(axis):
            raise ValueError(f"roll: {len(shifts)} shifts for {len(axis)} axes")
        for places, k in zip(shifts, axis, strict=True):
            x = roll(x, places, normalise_axis(k, x.type.ndim, "roll"))
        return x
    axis = normalise_axis(axis, x.type.ndim, "roll")
    if isinstance(shift, int) and shift == 0:
        return x
    before = (slice(None),) * axis
    n = shape_i(x, axis)
    at = -shift if isinstance(shift, int) and abs(shift) == 1 else n - mod(cast(as_variable(shift), "int64"), n)
    return concatenate([getitem(x, (*before, slice(at, None))), getitem(x, (*before, slice(None, at)))], axis)


def flip(arr: Any, axis: Any = None) -> Any:
    """arr with the order of the elements reversed along the named axes, by default along all.

    >>> flip([[1, 2], [3, 4]], 1).eval()
    array([[2, 1],
           [4, 3]])
    """
    x = as_variable(arr)
    axes = normalise_axes(axis, x.type.ndim, "flip")
    return getitem(x, tuple(slice(None, None, -1) if k in axes else slice(None) for k in range(x.type.ndim)))


# -- joining and splitting -------------------------------------------------------------------------------------------
def stacklists(arg: Any) -> Any:
    """Nested lists of tensors of one shape as one tensor, the outermost list along the first axis.

    >>> stacklists([[1, 2], [3, 4]]).eval()
    array([[1, 2],
           [3, 4]], dtype=int8)
    """
    if isinstance(arg, (list, tuple)):
        return stack([stacklists(t) for t in arg])
    return as_variable(arg)


def horizontal_stack(*matrices: Any) -> Any:
    """Matrices side by side.

    >>> horizontal_stack([[1], [2]], [[3, 4], [5, 6]]).eval()
    array([[1, 3, 4],
           [2, 5, 6]])
    """
    return _stacked(matrices, 1, "horizontal_stack")


def vertical_stack(*matrices: Any) -> Any:
    """Matrices one below the other.

    >>> vertical_stack([[1, 2]], [[3, 4]]).eval()
    array([[1, 2],
           [3, 4]])
    """
    return _stacked(matrices, 0, "vertical_stack")


def _stacked(matrices: Sequence[Any], axis: int, what: str) -> Any:
    variables = [as_variable(m) for m in matrices]
    if len(variables) < 2 or any(v.type.ndim != 2 for v in variables):
        raise OpTypeError(f"{what}: wants two or more matrices, got {', '.join(str(v.type) for v in variables)}")
    return concatenate(variables, axis)


def split(x: Any, splits_size: Any, n_splits: int, axis: int = 0) -> list[Any]:
    """x cut along an axis into `n_splits` parts of the lengths in `splits_size`, which must add up to the axis.

    >>> [p.eval().tolist() for p in split([1, 2, 3], [1, 2], 2)]
    [[1], [2, 3]]
    """
    x = as_variable(x)
    axis = normalise_axis(axis, x.type.ndim, "split")
    sizes = as_dims(splits_size, n_splits)
    if len(sizes) != n_splits:
        raise ValueError(f"split: {n_splits} parts, but {len(sizes)} lengths")
    for n in sizes:
        if not isinstance(n, Constant):
            x = require(x, ge(n, 0), "split: a length must not be negative")
        elif n.data < 0:
            raise ValueError(f"split: a length must not be negative, got {int(n.data)}")
    total: Any = sizes[0] if sizes else int64(0)
    for n in sizes[1:]:
        total = total + n
    x = specify_shape(x, [total if k == axis else None for k in range(x.type.ndim)])
    parts = []
    start: Any = 0
    for n in sizes:
        parts.append(getitem(x, (slice(None),) * axis + (slice(start, start + n),)))
        start = start + n
    return parts


# -- positions -------------------------------------------------------------------------------------------------------
def unravel_index(indices: Any, dims: Any, order: str = "C", ndim: int | None = None) -> tuple[Any, ...]:
    """For each axis of a tensor with the lengths `dims`: the positions on it of positions in the flat tensor.

    ValueError at run time for a position that is not in the tensor.

    >>> [p.eval().tolist() for p in unravel_index([2, 4], (2, 3))]
    [[0, 1], [2, 1]]
    """
    lengths = _in_order(as_dims(dims, ndim), order)
    total: Any = int64(1)
    for n in lengths:
        total = _times(total, n)
    flat = required(_integers(indices, "unravel_index"), total, "unravel_index: a position is out of bounds")
    found = []
    for n in reversed(lengths[1:]):
        found.append(mod(flat, n))
        flat = int_div(flat, n)
    return tuple(_in_order([flat, *reversed(found)], order))


def ravel_multi_index(multi_index: Any, dims: Any, mode: str = "raise", order: str = "C") -> Any:
    """The inverse of `unravel_index`.  mode: for positions out of range, "raise" ValueError, "wrap" or "clip".

    >>> ravel_multi_index(([0, 1], [2, 1]), (2, 3)).eval()
    array([2, 4])
    """
    from tensordsl.ops.array.index import within

    positions = _in_order([_integers(i, "ravel_multi_index") for i in multi_index], order)
    lengths = _in_order(as_dims(dims, len(positions)), order)
    if len(lengths) != len(positions) or not lengths:
        raise ValueError(f"ravel_multi_index: {len(positions)} index arrays for {len(lengths)} dimensions")
    flat: Any = 0
    for axis, (i, n) in enumerate(zip(positions, lengths, strict=True)):
        if mode == "raise":
            i = required(i, n, f"ravel_multi_index: a position on axis {axis} is out of bounds")
        flat = flat * n + within(i, n, mode, "ravel_multi_index")
    return flat


def _integers(x: Any, what: str) -> Any:
    x = as_variable(x)
    if x.type.dtype not in INTEGERS:
        raise OpTypeError(f"{what}: wants integer positions, got {x.type}")
    return x


def _in_order(axes: Sequence[Any], order: str) -> list[Any]:
    if order not in ("C", "F"):
        raise ValueError(f"order must be 'C' or 'F', got {order!r}")
    return list(axes) if order == "C" else list(axes)[::-1]


def inverse_permutation(perm: Any) -> Any:
    """The vector p of the dtype of perm with p[perm[k]] == k; with more axes, along the last one.

    >>> inverse_permutation([2, 0, 1]).eval()
    array([1, 2, 0])
    """
    perm = as_variable(perm)
    positions = cast(arange(shape_i(perm, -1)), perm.type.dtype)
    if perm.type.ndim == 1:
        return set_subtensor(getitem(perm, perm), positions)
    rows = reshape(perm, (-1, shape_i(perm, -1)), ndim=2)
    row = dimshuffle(arange(shape_i(rows, 0)), (0, "x"))
    return reshape(set_subtensor(getitem(rows, (row, rows)), positions), shape_tuple(perm), perm.type.ndim)


def permute_row_elements(x: Any, y: Any, inverse: bool = False) -> Any:
    """x with the elements of its last axis in the order y[..., k] (a vector: the same for all rows); or back again.

    >>> permute_row_elements([[1, 2, 3], [4, 5, 6]], [2, 0, 1]).eval()
    array([[3, 1, 2],
           [6, 4, 5]])
    """
    x, y = as_variable(x), as_variable(y)
    if inverse:
        y = inverse_permutation(y)
    return take_along_axis(x, y if y.type.ndim == x.type.ndim else shape_padleft(y, x.type.ndim - y.type.ndim), -1)


def take_along_axis(arr: Any, indices: Any, axis: int = 0) -> Any:
    """The elements of arr at positions along an axis; `indices` has the rank of arr and broadcasts with its other axes.

    >>> take_along_axis([[1, 2], [3, 4]], [[0], [1]], axis=1).eval()
    array([[1],
           [4]])
    """
    x, indices = as_variable(arr), as_variable(indices)
    if x.type.ndim != indices.type.ndim:
        raise OpTypeError(f"take_along_axis: x has {x.type.ndim} axes, the indices {indices.type.ndim}")
    axis = normalise_axis(axis, x.type.ndim, "take_along_axis")
    where: list[Any] = []
    for k, n in enumerate(x.type.shape):
        others = ["x"] * x.type.ndim
        others[k] = 0  # type: ignore[call-overload]  # an order mixes "x" and axes
        where.append(indices if k == axis else 0 if n == 1 and indices.type.shape[k] == 1 else
                     dimshuffle(arange(shape_i(x, k)), others))  # fmt: skip
    return getitem(x, tuple(where))


def vector_length(v: Any) -> int:
    """The length of a vector where it is certain when the graph is built, else ValueError.

    >>> vector_length([1, 2, 3])
    3
    """
    from tensordsl.ops.array.shape import vector_parts

    v = as_variable(v)
    parts = vector_parts(v) if v.type.ndim == 1 else None
    if parts is None:
        raise ValueError(f"the length of {v!r} ({v.type}) is not known before run time")
    return len(parts)
