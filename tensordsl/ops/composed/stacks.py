"""Tensors joined and cut under NumPy's names, and the shapes that they have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tensordsl.graph.types import INTEGERS
from tensordsl.graph.variables import STATIC, Constant, OpTypeError, Variable
from tensordsl.ops.array.arrange import atleast_1d, atleast_2d, atleast_nd
from tensordsl.ops.array.creation import arange, full, zeros
from tensordsl.ops.array.index import getitem
from tensordsl.ops.array.masks import flatnonzero
from tensordsl.ops.array.shape import (
    as_dim,
    as_dims,
    broadcast_to,
    concatenate,
    dimshuffle,
    flatten,
    reshape,
    shape_i,
    shape_padleft,
    shape_tuple,
    size,
)
from tensordsl.ops.array.sort import argsort
from tensordsl.ops.array.write import set_subtensor
from tensordsl.ops.control import require
from tensordsl.ops.math.comparisons import and_, eq, ge, le, lt
from tensordsl.ops.math.elementwise import cast, int_div, maximum, minimum, mod, mul, switch
from tensordsl.ops.operands import as_variable, axis_count, broadcast_shapes, normalise_axis, whole_number


# -- joining ---------------------------------------------------------------------------------------------------------
def _tensors(given: Any, what: str) -> list[Any]:
    if isinstance(given, Variable) and not given.type.ndim:
        raise OpTypeError(f"{what}: wants a sequence of tensors, got {given.type}")
    found = [as_variable(x) for x in given]
    if not found:
        raise ValueError(f"{what}: no tensors given")
    return found


def hstack(tup: Sequence[Any], dtype: Any = None) -> Any:
    """Tensors one behind the other along their second axis; vectors along their only one.

    >>> hstack([[1, 2], [3]]).eval()
    array([1, 2, 3])
    """
    parts = [atleast_1d(x) for x in _tensors(tup, "hstack")]
    return _in(concatenate(parts, 0 if parts[0].type.ndim == 1 else 1), dtype)


def vstack(tup: Sequence[Any], dtype: Any = None) -> Any:
    """Tensors one below the other along their first axis; vectors are rows.

    >>> vstack([[1, 2], [3, 4]]).eval()
    array([[1, 2],
           [3, 4]])
    """
    return _in(concatenate([atleast_2d(x) for x in _tensors(tup, "vstack")], 0), dtype)


def dstack(tup: Sequence[Any], dtype: Any = None) -> Any:
    """Tensors joined along their third axis; matrices have length 1 there, vectors are matrices of one row.

    >>> dstack([[1, 2], [3, 4]]).eval()
    array([[[1, 3],
            [2, 4]]])
    """
    parts = []
    for x in _tensors(tup, "dstack"):
        x = dimshuffle(x, ("x", *range(x.type.ndim))) if x.type.ndim < 2 else x
        parts.append(atleast_nd(x, 3, left=False))
    return _in(concatenate(parts, 2), dtype)


def column_stack(tup: Sequence[Any]) -> Any:
    """Vectors as the columns of a matrix; matrices keep theirs.

    >>> column_stack([[1, 2], [3, 4]]).eval()
    array([[1, 3],
           [2, 4]])
    """
    parts = _tensors(tup, "column_stack")
    return concatenate([x if x.type.ndim > 1 else dimshuffle(atleast_1d(x), (0, "x")) for x in parts], 1)


def append(arr: Any, values: Any, axis: int | None = None) -> Any:
    """arr with `values` behind it along an axis; without one both are flat.

    >>> append([1, 2], [[3], [4]]).eval()
    array([1, 2, 3, 4])
    """
    x, y = as_variable(arr), as_variable(values)
    if axis is None:
        x, y, axis = _flat(x), _flat(y), 0
    return concatenate([x, y], normalise_axis(axis, x.type.ndim, "append"))


def _flat(x: Any) -> Any:
    return flatten(x) if x.type.ndim else dimshuffle(x, ("x",))


def _in(x: Any, dtype: Any) -> Any:
    return x if dtype is None else cast(x, dtype)


MOST_NESTED = 32


def block(arrays: Any) -> Any:
    """Nested lists of blocks as one tensor: the innermost lists are joined along the last axis, those around them along
    the one before, and so on.

    >>> block([[np.eye(2), np.zeros((2, 1))], [np.ones((1, 3))]]).eval()
    array([[1., 0., 0.],
           [0., 1., 0.],
           [1., 1., 1.]])
    """
    depth, inner = 0, arrays
    while isinstance(inner, list):
        if not inner:
            raise ValueError("block: a list must not be empty")
        depth, inner = depth + 1, inner[0]
        if depth > MOST_NESTED:
            raise ValueError(f"block: lists are nested more than {MOST_NESTED} deep")
    level = [arrays]
    for _ in range(depth):
        if not all(isinstance(part, list) and part for part in level):
            raise ValueError("block: lists must be nested equally deep everywhere, and not be empty")
        level = [part for parts in level for part in parts]
    if any(isinstance(part, (list, tuple)) for part in level):
        raise TypeError("block: wants lists of tensors, nested equally deep everywhere")
    leaves = iter([as_variable(part) for part in level])
    rank = max([depth, *(np.ndim(part) for part in level if not isinstance(part, Variable))])
    rank = max([rank, *(part.type.ndim for part in level if isinstance(part, Variable))])

    def joined(part: Any, below: int) -> Any:  # at most MOST_NESTED calls deep
        if not below:
            return atleast_nd(next(leaves), rank)
        return concatenate([joined(p, below - 1) for p in part], rank - below)

    return joined(arrays, depth)


def concat_with_broadcast(tensor_list: Sequence[Any], axis: int = 0) -> Any:
    """As `concatenate`, but axes of static length 1, other than the joined one, are stretched to those of the others.

    >>> concat_with_broadcast([np.zeros((1, 1)), np.ones((2, 2))], axis=1).eval().shape
    (2, 3)
    """
    parts = _tensors(tensor_list, "concat_with_broadcast")
    rank = parts[0].type.ndim
    if any(x.type.ndim != rank for x in parts):
        raise OpTypeError("concat_with_broadcast: wants tensors with one number of axes")
    axis = normalise_axis(axis, rank, "concat_with_broadcast")
    shape = _common([dimshuffle(x, [k for k in range(rank) if k != axis] + [axis]) for x in parts], 1)
    wide = [broadcast_to(x, (*shape[:axis], shape_i(x, axis), *shape[axis:])) for x in parts]
    return concatenate(wide, axis)


# -- cutting ---------------------------------------------------------------------------------------------------------
def array_split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    """A tensor cut along an axis: into so many parts, the first ones one longer where the length does not divide; or in
    front of each of the positions in a list.

    >>> [part.eval().tolist() for part in array_split([1, 2, 3, 4, 5], 3)]
    [[1, 2], [3, 4], [5]]
    """
    x = as_variable(ary)
    axis = normalise_axis(axis, x.type.ndim, "array_split")
    n, before = shape_i(x, axis), (slice(None),) * axis
    if isinstance(indices_or_sections, (list, tuple)) or np.ndim(_value(indices_or_sections)):
        inner: list[Any] = as_dims(indices_or_sections)
        ends = [0, *inner, None]
    else:
        count = whole_number(indices_or_sections, "array_split", "the number of parts")
        if not 0 < count <= MOST_PARTS:
            raise ValueError(f"array_split: the number of parts must be 1 to {MOST_PARTS}, got {count}")
        length = x.type.shape[axis]
        if length is None:
            ends = [0, *(k * int_div(n, count) + minimum(k, mod(n, count)) for k in range(1, count)), None]
        else:
            ends = [0, *(k * (length // count) + min(k, length % count) for k in range(1, count)), None]
    return [getitem(x, (*before, slice(a, b))) for a, b in zip(ends[:-1], ends[1:], strict=True)]


MOST_PARTS = 10_000


def _value(x: Any) -> Any:
    return x.data if isinstance(x, Constant) else 0 if isinstance(x, Variable) and not x.type.ndim else x


def split_evenly(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    """`numpy.split`: as `array_split`, but parts of one length, ValueError if the axis has none such.

    >>> [part.eval().tolist() for part in split_evenly([1, 2, 3, 4], 2)]
    [[1, 2], [3, 4]]
    """
    x = as_variable(ary)
    if np.ndim(_value(indices_or_sections)) == 0 and not isinstance(indices_or_sections, (list, tuple)):
        axis = normalise_axis(axis, x.type.ndim, "split")
        count, length = whole_number(indices_or_sections, "split", "the number of parts"), x.type.shape[axis]
        message = "split: array split does not result in an equal division"
        if count < 1 or (length is not None and length % count):
            raise ValueError(message)
        if length is None:
            x = require(x, eq(mod(shape_i(x, axis), count), 0), message)
    return array_split(x, indices_or_sections, axis)


def hsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    """`split_evenly` along the second axis, or of a vector.

    >>> [part.eval().tolist() for part in hsplit([[1, 2], [3, 4]], 2)]
    [[[1], [3]], [[2], [4]]]
    """
    x = as_variable(ary)
    return split_evenly(x, indices_or_sections, 0 if x.type.ndim == 1 else 1)


def vsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    """`split_evenly` of rows.

    >>> [part.eval().tolist() for part in vsplit([[1, 2], [3, 4]], 2)]
    [[[1, 2]], [[3, 4]]]
    """
    x = as_variable(ary)
    if x.type.ndim < 2:
        raise ValueError(f"vsplit: wants two axes or more, got {x.type}")
    return split_evenly(x, indices_or_sections, 0)


def dsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    """`split_evenly` along the third axis.

    >>> [part.eval().shape for part in dsplit(np.zeros((2, 2, 4)), 2)]
    [(2, 2, 2), (2, 2, 2)]
    """
    x = as_variable(ary)
    if x.type.ndim < 3:
        raise ValueError(f"dsplit: wants three axes or more, got {x.type}")
    return split_evenly(x, indices_or_sections, 2)


def unstack(x: Any, axis: int = 0) -> tuple[Any, ...]:
    """The slices of x along an axis, whose length must be known when the graph is built.

    >>> [part.eval().tolist() for part in unstack([[1, 2], [3, 4]])]
    [[1, 2], [3, 4]]
    """
    x = as_variable(x)
    axis = normalise_axis(axis, x.type.ndim, "unstack")
    length = x.type.shape[axis]
    if length is None:
        raise ValueError(
            f"unstack: the length of axis {axis} of {x!r} ({x.type}) must be known when the graph is built: declare it "
            "(shape=, specify_shape), or index it in a loop"
        )
    return tuple(getitem(x, (slice(None),) * axis + (k,)) for k in range(length))


# -- elements more and less ------------------------------------------------------------------------------------------
def _kept(obj: Any, n: Any, what: str) -> Any:
    """The mask of an axis of length n that is false at the positions `obj`."""
    mask = full((n,), np.array(True))
    if not isinstance(obj, (slice, int)):
        obj = as_variable(obj)
        if isinstance(obj, Constant) and not obj.data.size:
            obj = as_variable(np.zeros(0, "int64"))
        if obj.type.dtype != "bool" and obj.type.dtype not in INTEGERS:
            raise OpTypeError(f"{what}: wants integers, a slice or a mask, got {obj.type}")
    return set_subtensor(getitem(mask, (obj,)), np.array(False))


def delete(arr: Any, obj: Any, axis: int | None = None) -> Any:
    """arr without the slices of an axis (by default: the elements of the flat tensor) at positions.

    obj: an integer, a slice, a vector of integers or a mask.  IndexError for a position out of range.

    >>> delete([10, 20, 30], 1).eval()
    array([10, 30])
    """
    x = as_variable(arr)
    if axis is None:
        x, axis = _flat(x), 0
    axis = normalise_axis(axis, x.type.ndim, "delete")
    kept = flatnonzero(_kept(obj, shape_i(x, axis), "delete"))
    return getitem(x, (slice(None),) * axis + (kept,))


def insert(arr: Any, obj: Any, values: Any, axis: int | None = None) -> Any:
    """arr with `values` in front of positions of an axis (by default: of the flat tensor); cast to the dtype of arr.

    obj: an integer, or a vector of integers, for each of which one slice is inserted.  `values` broadcasts to what is
    inserted.

    >>> insert([1, 2, 3], 1, 9).eval()
    array([1, 9, 2, 3])
    >>> insert([1, 2, 3], [0, 3], [8, 9]).eval()
    array([8, 1, 2, 3, 9])
    """
    x = as_variable(arr)
    if axis is None:
        x, axis = _flat(x), 0
    axis = normalise_axis(axis, x.type.ndim, "insert")
    at, values, n = as_variable(obj), as_variable(values), shape_i(x, axis)
    if at.type.dtype not in INTEGERS or at.type.ndim > 1:
        raise OpTypeError(f"insert: wants an integer or a vector of integers as positions, got {at.type}")
    is_one = not at.type.ndim
    at = dimshuffle(cast(at, "int64"), ("x",)) if is_one else cast(at, "int64")
    at = require(at, _all(and_(ge(at, -n), le(at, n))), "insert: a position is out of bounds", "index")
    at = switch(lt(at, 0), at + n, at)
    rest = [k for k in range(x.type.ndim) if k != axis]
    rows = dimshuffle(x, (axis, *rest))
    if is_one and values.type.ndim == x.type.ndim:  # several slices at one position
        values = dimshuffle(values, (axis, *rest))
        made = concatenate(
            [getitem(rows, slice(None, at[0])), _wide_rows(values, rows), getitem(rows, slice(at[0], None))]
        )
    else:
        values = shape_padleft(values, x.type.ndim - values.type.ndim) if values.type.ndim < x.type.ndim else values
        if not is_one:
            values = dimshuffle(values, (axis, *rest))
        count = shape_i(at, 0)
        order = argsort(at)
        places = set_subtensor(getitem(zeros((count,), "int64"), (order,)), getitem(at, (order,)) + arange(count))
        total = n + count
        others = flatnonzero(_kept(places, total, "insert"))
        made = zeros((total, *shape_tuple(rows)[1:]), x.type.dtype)
        made = set_subtensor(getitem(made, (others,)), rows)
        made = set_subtensor(getitem(made, (places,)), cast(values, x.type.dtype))
    return dimshuffle(made, [rest.index(k) + 1 if k != axis else 0 for k in range(x.type.ndim)])


def _wide_rows(values: Any, rows: Any) -> Any:
    return broadcast_to(cast(values, rows.type.dtype), (shape_i(values, 0), *shape_tuple(rows)[1:]))


def _all(x: Any) -> Any:
    from tensordsl.ops.array.reduce import all

    return all(x)


def resize(a: Any, new_shape: Any) -> Any:
    """The elements of a in row-major order, again and again from the first, in another shape; zeros where a has none.

    >>> resize([1, 2, 3], (2, 2)).eval()
    array([[1, 2],
           [3, 1]])
    """
    x, dims = as_variable(a), as_dims(new_shape)
    total = product_of(dims)
    n = size(x)
    padded = concatenate([_flat(x), zeros((1,), x.type.dtype)])  # an element for tensors that have none
    return reshape(getitem(padded, (mod(arange(total), maximum(n, 1)),)), dims, ndim=len(dims))


def product_of(dims: Sequence[Any]) -> Any:
    total: Any = as_dim(1)
    for n in dims:
        n = as_dim(n)
        is_known = isinstance(total, Constant) and isinstance(n, Constant)
        total = as_dim(int(total.data) * int(n.data)) if is_known else mul(total, n)
    return total


# -- common shapes ---------------------------------------------------------------------------------------------------
def _common(variables: Sequence[Any], behind: int = 0) -> list[Any]:
    """The lengths of the broadcast variables without the last axes: ints where known, else of one that decides it."""
    rank = max(v.type.ndim for v in variables) - behind
    static = broadcast_shapes(STATIC, [v.type.shape[: v.type.ndim - behind] for v in variables])
    found = []
    for k, n in enumerate(static):
        own = [(v, k - rank + v.type.ndim - behind) for v in variables if v.type.ndim - behind >= rank - k]
        decides = next((pair for pair in own if pair[0].type.shape[pair[1]] != 1), own[0])
        found.append(shape_i(*decides) if n is None else n)
    return found


def broadcast_arrays(*args: Any, subok: bool = False) -> tuple[Any, ...]:
    """The tensors, each broadcast to the shape that they have together.

    >>> [part.eval().tolist() for part in broadcast_arrays([1, 2], 3)]
    [[1, 2], [3, 3]]
    """
    variables = [as_variable(x) for x in args]
    if not variables:
        return ()
    shape = _common(variables)
    return tuple(broadcast_to(v, shape) if shape else v for v in variables)


def broadcast_shape(*arrays: Any, arrays_are_shapes: bool = False) -> tuple[Any, ...]:
    """The lengths of the broadcast tensors, 0-d int64 each.  arrays_are_shapes: the arguments are shapes.

    >>> [int(n.eval()) for n in broadcast_shape([1, 2], [[3], [4], [5]])]
    [3, 2]
    """
    if arrays_are_shapes:
        return tuple(as_dim(n) for n in broadcast_shapes_of(*arrays))
    return tuple(as_dim(n) for n in _common([as_variable(x) for x in arrays])) if arrays else ()


def broadcast_shapes_of(*shapes: Any) -> tuple[Any, ...]:
    """The shape that tensors of these shapes have together; ints where they are known.

    >>> broadcast_shapes_of((3, 1), (2,))
    (3, 2)
    """
    rows = [[_known(n) for n in (shape if isinstance(shape, (tuple, list)) else as_dims(shape))] for shape in shapes]
    rank = max(map(len, rows), default=0)
    found: list[Any] = []
    for k in range(rank):
        column = [row[k - rank] for row in rows if len(row) >= rank - k]
        wide = [n for n in column if not (isinstance(n, int) and n == 1)]
        known = {n for n in wide if isinstance(n, int)}
        if len(known) > 1:
            raise ValueError(f"broadcast_shapes: lengths {', '.join(map(str, sorted(known)))} do not broadcast")
        found.append(known.pop() if known else wide[0] if wide else 1)
    return tuple(found)


def _known(n: Any) -> Any:
    n = as_dim(n)
    return int(n.data) if isinstance(n, Constant) else n


# -- axes merged and split -------------------------------------------------------------------------------------------
def join_dims(x: Any, start_axis: int = 0, n_axes: int | None = None) -> Any:
    """x with `n_axes` axes from `start_axis` on (by default all) as one.

    >>> join_dims(np.zeros((2, 3, 4)), 1).eval().shape
    (2, 12)
    """
    x = as_variable(x)
    rank = x.type.ndim
    start = whole_number(start_axis, "join_dims", "the axis")
    start = start + rank if start < 0 else start
    count = rank - start if n_axes is None else axis_count(n_axes, "join_dims")
    if not 0 <= start <= rank or start + count > rank:
        raise ValueError(f"join_dims: {count} axes from {start_axis} on are too many for a tensor with {rank} axes")
    dims = shape_tuple(x)
    return reshape(x, (*dims[:start], product_of(dims[start : start + count]), *dims[start + count :]))


def split_dims(x: Any, shape: Any, axis: int = 0) -> Any:
    """x with one axis as several of the lengths `shape`, one of which may be -1.

    >>> split_dims([1, 2, 3, 4], (2, 2)).eval()
    array([[1, 2],
           [3, 4]])
    """
    x = as_variable(x)
    axis = normalise_axis(axis, x.type.ndim, "split_dims")
    dims = shape_tuple(x)
    return reshape(x, (*dims[:axis], *as_dims(shape), *dims[axis + 1 :]))


def _kept_axes(keep_axes: Any, rank: int, what: str) -> tuple[list[int], int]:
    """The axes that stay, in front of the flat one and behind it: (their numbers, how many stand in front)."""
    given = [] if keep_axes is None else [keep_axes] if isinstance(keep_axes, int) else list(keep_axes)
    numbers = [whole_number(k, what, "an axis") for k in given]
    front = sum(k >= 0 for k in numbers)
    axes = [normalise_axis(k, rank, what) for k in numbers]
    if axes != sorted(set(axes)) or any(k != j for j, k in enumerate(axes[:front])):
        raise ValueError(
            f"{what}: keep_axes are the first axes (0, 1, ...) and the last ones (..., -2, -1), got {given}"
        )
    if any(k != rank - len(axes) + j for j, k in enumerate(axes[front:], front)):
        raise ValueError(
            f"{what}: keep_axes are the first axes (0, 1, ...) and the last ones (..., -2, -1), got {given}"
        )
    return axes, front


def pack(*tensors: Any, keep_axes: Any = None) -> tuple[Any, list[Any]]:
    """Tensors of several shapes as one: all axes but `keep_axes` are one flat axis, along which they are joined.

    keep_axes: of the first axes (0, 1, ...) and the last ones (..., -2, -1) those that all tensors share and keep.
    Gives the tensor and, for `unpack`, the shape of each tensor's flat axes, an int64 vector.

    >>> packed, shapes = pack([1, 2], [[3, 4], [5, 6]])
    >>> packed.eval()
    array([1, 2, 3, 4, 5, 6])
    """
    from tensordsl.ops.array.shape import stack

    if not tensors:
        raise ValueError("pack: no tensors given")
    parts, shapes, place = [], [], 0
    for x in map(as_variable, tensors):
        axes, place = _kept_axes(keep_axes, x.type.ndim, "pack")
        behind = len(axes) - place
        dims = shape_tuple(x)
        inner = dims[place : x.type.ndim - behind]
        shapes.append(stack([as_dim(n) for n in inner]) if inner else as_variable(np.zeros(0, "int64")))
        parts.append(reshape(x, (*dims[:place], product_of(inner), *dims[x.type.ndim - behind :])))
    return concatenate(parts, place), shapes


def unpack(packed_input: Any, packed_shapes: Sequence[Any], keep_axes: Any = None) -> list[Any]:
    """The tensors that `pack` made one of, by their shapes and the same `keep_axes`.

    >>> packed, shapes = pack([1, 2], [[3, 4], [5, 6]])
    >>> [part.eval().tolist() for part in unpack(packed, shapes)]
    [[1, 2], [[3, 4], [5, 6]]]
    """
    x = as_variable(packed_input)
    _, place = _kept_axes(keep_axes, x.type.ndim, "unpack")
    dims, start, parts = shape_tuple(x), as_dim(0), []
    for shape in packed_shapes:
        inner = as_dims(shape)
        stop = start + product_of(inner)
        part = getitem(x, (slice(None),) * place + (slice(start, stop),))
        parts.append(reshape(part, (*dims[:place], *inner, *dims[place + 1 :])))
        start = stop
    return parts


def is_flat(var: Any, ndim: int = 1) -> bool:
    """Whether a variable has so many axes.

    >>> is_flat(as_variable([1, 2]))
    True
    """
    return bool(as_variable(var).type.ndim == ndim)


def default(x: Any, d: Any) -> Any:
    """x, or d where x is None.  Raises TypeError where both are there and differ in type.

    >>> default(None, 3).eval()
    array(3, dtype=int8)
    """
    if x is None:
        return as_variable(d)
    if isinstance(x, Variable) and not hasattr(x.type, "numpy_dtype"):
        raise TypeError(f"default: {x!r} is no tensor; a default value of an input is In(x, value=...)")
    x, d = as_variable(x), as_variable(d)
    if x.type.dtype != d.type.dtype or x.type.ndim != d.type.ndim:
        raise TypeError(f"default: both arguments must have the same type, got {x.type} and {d.type}")
    return x


def slice_at_axis(sl: Any, axis: int) -> tuple[Any, ...]:
    """The index that applies a slice to one axis and takes all of the others.

    >>> slice_at_axis(slice(1, 3), 1)
    (slice(None, None, None), slice(1, 3, None))
    """
    axis = whole_number(axis, "slice_at_axis", "the axis")
    axis_count(abs(axis), "slice_at_axis")
    return (slice(None),) * axis + (sl,) if axis >= 0 else (Ellipsis, sl, *(slice(None),) * (-1 - axis))
