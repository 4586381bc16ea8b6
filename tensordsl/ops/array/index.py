"""Indexing: `x[...]` with integers, slices, newaxis, Ellipsis, integer arrays and masks, and setting or adding to it.

A basic index is an attribute with one entry per axis of x: ("int", k) or ("slice", start, stop, step), where each of
k, start, stop, step is None, an int, or ("input", j): operand j of the index, a 0-d integer variable.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tensordsl.graph.types import INTEGERS
from tensordsl.graph.variables import STATIC, Constant, Dims, Kernel, Op, OpShapeError, Variable, apply
from tensordsl.ops.array.creation import arange, zeros_like
from tensordsl.ops.array.last_writes import last_writes
from tensordsl.ops.array.masks import mask_positions, required
from tensordsl.ops.array.reduce import sum as total
from tensordsl.ops.array.reduce import sum_to
from tensordsl.ops.array.shape import (
    broadcast_to,
    dimshuffle,
    shape_i,
    shape_padleft,
    shape_padright,
    stack,
    stacked_scalars,
    steps,
)
from tensordsl.ops.math.elementwise import cast, clip, maximum, minimum, mod, switch
from tensordsl.ops.operands import as_variable, broadcast_shapes, constant, normalise_axis, whole_number

Index = tuple[tuple[Any, ...], ...]
MAX_INDEX = 2**62  # no axis is that long


# -- rules -----------------------------------------------------------------------------------------------------------
def _index_dtype(x: str, *ints: str, index: Index) -> str:
    for t in ints:
        if t not in INTEGERS:
            raise TypeError(f"index must be integers, got {t}")
    return x


def _part_shape(d: Dims, x: Any, *ints: Any, index: Index) -> tuple[Any, ...]:
    shape = d.shape(x)
    if len(index) != len(shape):
        raise ValueError(f"an index of {len(index)} entries for a tensor with {len(shape)} axes")
    return tuple(_entry_length(d, n, e, ints) for n, e in zip(shape, index, strict=True) if e[0] == "slice")


def _entry_length(d: Dims, n: Any, entry: tuple[Any, ...], ints: Sequence[Any]) -> Any:
    """The length of a slice of an axis of length n; None while a bound is unknown (an absent bound is None too)."""
    bounds = [d.value(ints[v[1]]) if isinstance(v, tuple) else v for v in entry[1:]]
    if any(v is None and given is not None for v, given in zip(bounds, entry[1:], strict=True)):
        return None
    return slice_length(d, n, *bounds)


def slice_length(d: Dims, n: Any, start: Any, stop: Any, step: Any) -> Any:
    """The length of `range(n)[start:stop:step]`, for bounds and steps of either sign."""
    if start is None and stop is None and step in (None, 1, -1):
        return n
    step = 1 if step is None else step
    if not isinstance(step, int):
        return _either_length(d, n, start, stop, step)
    if step > 0:
        low = 0 if start is None else _clamp(d, n, start, 0)
        high = n if stop is None else _clamp(d, n, stop, 0)
    else:
        low = d.sub(n, 1) if start is None else _clamp(d, n, start, -1)
        high = -1 if stop is None else _clamp(d, n, stop, -1)
    return steps(d, low, high, step)


def _clamp(d: Dims, n: Any, bound: Any, least: int) -> Any:
    """A bound with negatives counted from the end, within [least, n + least]."""
    if isinstance(bound, int):
        wrapped = bound if bound >= 0 else d.add(n, bound)
    else:
        is_negative = d.minimum(d.maximum(d.sub(0, bound), 0), 1)
        wrapped = d.add(bound, d.mul(n, is_negative))
    return d.minimum(d.maximum(wrapped, least), d.add(n, least))


def _either_length(d: Dims, n: Any, start: Any, stop: Any, step: Any) -> Any:
    """`slice_length` for a step whose sign is not known: the length forwards where it is positive, else backwards."""
    is_negative = d.minimum(d.maximum(d.sub(0, step), 0), 1)

    def ends(least: int, first: Any, last: Any) -> tuple[Any, Any]:
        return (
            first if start is None else _clamp(d, n, start, least),
            last if stop is None else _clamp(d, n, stop, least),
        )

    size = d.maximum(d.maximum(step, d.sub(0, step)), 1)
    forwards = steps(d, *ends(0, 0, n), size)
    low, high = ends(-1, d.sub(n, 1), -1)
    backwards = steps(d, high, low, size)
    return d.add(d.mul(forwards, d.sub(1, is_negative)), d.mul(backwards, is_negative))


def _inc_dtype(x: str, y: str, *ints: str, index: Index, set: bool) -> str:
    return _updated_dtype(x, y, ints)


def _updated_dtype(x: str, y: str, ints: Sequence[str]) -> str:
    if x != y:
        raise TypeError(f"wants x and y of one dtype, got {x} and {y}")
    for t in ints:
        if t not in INTEGERS:
            raise TypeError(f"index must be integers, got {t}")
    return x


def _inc_shape(d: Dims, x: Any, y: Any, *ints: Any, index: Index, set: bool) -> tuple[Any, ...]:
    part = _part_shape(d, x, *ints, index=index)
    _check_fits(d, part, d.shape(y))
    return d.shape(x)


def _check_fits(d: Dims, part: Sequence[Any], y: Sequence[Any]) -> None:
    """y broadcasts to the part it is written to."""
    if len(y) > len(part):
        raise ValueError(f"a value with {len(y)} axes does not fit a part with {len(part)}")
    for n, m in zip(part[len(part) - len(y) :], y, strict=True):
        d.fits(n, m, "the value does not fit the part of x")


def index_place(axes: Sequence[int]) -> int:
    """NumPy's rule: the indices' axes stand where the indexed axes stood if those are neighbours, else in front."""
    return axes[0] if list(axes) == list(range(axes[0], axes[0] + len(axes))) else 0


def take_axes(ndim: int, axes: tuple[int, ...], rank: int) -> list[Any]:
    """What each axis of `take`'s result is: ("index", k) or ("axis", k)."""
    indices = [("index", k) for k in range(rank)]
    rest = [("axis", k) for k in range(ndim) if k not in axes]
    at = index_place(axes)
    return rest[:at] + indices + rest[at:]


def _take_shape(d: Dims, x: Any, *indices: Any, axes: tuple[int, ...]) -> tuple[Any, ...]:
    shape = d.shape(x)
    common = broadcast_shapes(d, [d.shape(i) for i in indices], stretch=True)
    return tuple(common[k] if kind == "index" else shape[k] for kind, k in take_axes(len(shape), axes, len(common)))


def _take_dtype(x: str, *ints: str, axes: tuple[int, ...]) -> str:
    return _updated_dtype(x, x, ints)


def _inc_take_dtype(x: str, y: str, *ints: str, axes: tuple[int, ...], set: bool) -> str:
    return _updated_dtype(x, y, ints)


def _inc_take_shape(d: Dims, x: Any, y: Any, *indices: Any, axes: tuple[int, ...], set: bool) -> tuple[Any, ...]:
    _check_fits(d, _take_shape(d, x, *indices, axes=axes), d.shape(y))
    return d.shape(x)


# -- oracles ---------------------------------------------------------------------------------------------------------
def _numpy_index(index: Index, ints: Sequence[Any]) -> Any:
    def value(bound: Any) -> Any:
        return int(ints[bound[1]]) if isinstance(bound, tuple) else bound

    return tuple(value(e[1]) if e[0] == "int" else slice(*map(value, e[1:])) for e in index)


_AT_ONCE = 16_384  # elements of an index of elements, so that it stays near the core


def _numpy_subtensor(x: Any, *ints: Any, index: Index) -> Any:
    return np.asarray(x[_numpy_index(index, ints)])


def _numpy_inc_subtensor(x: Any, y: Any, *ints: Any, index: Index, set: bool) -> Any:
    return _numpy_update(x, y, _numpy_index(index, ints), set)


def _numpy_update(x: Any, y: Any, where: Any, set: bool) -> Any:
    result = np.array(x, order="C")  # of a transposed array, np.array keeps the order, and reshape(-1) would copy
    if not set and result.ndim == 1:  # NumPy 2.4 adds a y of fewer axes than its index as if it had all of them
        y = np.broadcast_to(y, result[where].shape)
    if set:
        result[where] = y
    elif result.dtype == bool:
        np.logical_or.at(result, where, y)
    else:
        with np.errstate(all="ignore"):
            _add_at(result, where, y)
    return result


def _add_at(x: Any, where: Any, y: Any) -> None:
    """`np.add.at`; rows of a matrix as its elements one by one, for which NumPy has a much faster loop."""
    index: Any
    index, *others = where or (None,)
    is_rows = isinstance(index, np.ndarray) and index.ndim == 1
    is_rows = is_rows and all(isinstance(i, slice) and i == slice(None) for i in others)
    if x.ndim < 2 or not x.size or not is_rows or (len(index) and not -len(x) <= index.min() <= index.max() < len(x)):
        np.add.at(x, where, y)
        return
    width = x[0].size
    y = np.broadcast_to(y, (len(index), *x.shape[1:]))
    columns, chunk = np.arange(width), max(1, _AT_ONCE // width)
    for k in range(0, len(index), chunk):
        rows = index[k : k + chunk] % len(x)
        np.add.at(x.reshape(-1), (rows[:, None] * width + columns).reshape(-1), y[k : k + chunk].reshape(-1))


def _full_index(ndim: int, axes: tuple[int, ...], indices: Sequence[Any]) -> Any:
    where: list[Any] = [slice(None)] * ndim
    for axis, i in zip(axes, indices, strict=True):
        where[axis] = np.asarray(i)
    return tuple(where)


def _numpy_take(x: Any, *indices: Any, axes: tuple[int, ...]) -> Any:
    return np.asarray(x[_full_index(np.ndim(x), axes, indices)])


def _numpy_inc_take(x: Any, y: Any, *indices: Any, axes: tuple[int, ...], set: bool) -> Any:
    return _numpy_update(x, y, _full_index(np.ndim(x), axes, indices), set)


# -- gradients -------------------------------------------------------------------------------------------------------
def _subtensor_gradient(g: Any, out: Any, x: Any, *ints: Any, index: Index) -> Sequence[Any]:
    if index == full_index(x):
        return (g,)
    zeros = zeros_like(x, g.type.dtype)
    return apply(INC_SUBTENSOR, zeros, g, *ints, index=index, set=False), *(None for _ in ints)


def _inc_subtensor_gradient(g: Any, out: Any, x: Any, y: Any, *ints: Any, index: Index, set: bool) -> Sequence[Any]:
    part = apply(SUBTENSOR, g, *ints, index=index)
    gx = apply(INC_SUBTENSOR, g, constant(0, dtype=g.type.dtype), *ints, index=index, set=True) if set else g
    return gx, sum_to(part, y), *(None for _ in ints)


def _take_gradient(g: Any, out: Any, x: Any, *indices: Any, axes: tuple[int, ...]) -> Sequence[Any]:
    zeros = zeros_like(x, g.type.dtype)
    return apply(INC_TAKE, zeros, g, *indices, axes=axes, set=False), *(None for _ in indices)


def _inc_take_gradient(
    g: Any, out: Any, x: Any, y: Any, *indices: Any, axes: tuple[int, ...], set: bool
) -> Sequence[Any]:
    part = apply(TAKE, g, *indices, axes=axes)
    stay = last_writes(x, indices, axes) if set else None
    if stay is not None:
        kinds = take_axes(x.type.ndim, axes, stay.type.ndim)
        stay = dimshuffle(stay, *(k if kind == "index" else "x" for kind, k in kinds))
        part = switch(stay, part, constant(0, dtype=g.type.dtype))
    gx = apply(INC_TAKE, g, constant(0, dtype=g.type.dtype), *indices, axes=axes, set=True) if set else g
    return gx, sum_to(part, y), *(None for _ in indices)


def _columns(
    dtype: Callable[..., Any], shape: Callable[..., Any], oracle: Callable[..., Any], gradient: Any, name: str
) -> Op:
    return Op(name, dtype, shape, oracle, Kernel(name), gradient)


SUBTENSOR = _columns(_index_dtype, _part_shape, _numpy_subtensor, _subtensor_gradient, "subtensor")
INC_SUBTENSOR = _columns(_inc_dtype, _inc_shape, _numpy_inc_subtensor, _inc_subtensor_gradient, "inc_subtensor")
TAKE = _columns(_take_dtype, _take_shape, _numpy_take, _take_gradient, "take")
INC_TAKE = _columns(_inc_take_dtype, _inc_take_shape, _numpy_inc_take, _inc_take_gradient, "inc_take")
ROWS = (SUBTENSOR, INC_SUBTENSOR, TAKE, INC_TAKE)


# -- reading ---------------------------------------------------------------------------------------------------------
def getitem(x: Any, index: Any) -> Any:
    """`x[index]`, with NumPy's meaning.  Bounds may be symbolic integers, index arrays integer or bool variables.

    Raises IndexError for too many indices or one that is known to be out of bounds, TypeError for what is no index.
    """
    x = as_variable(x)
    whole, (x, items) = x, _items(x, index)
    scalar = _of_stack(x, items)
    if scalar is not None:
        return scalar
    if any(isinstance(i, Variable) and i.type.ndim for i in items):
        part = _by_arrays(x, items)
    elif None in items and all(i is None or i == slice(None) for i in items):
        part = _newaxes(x, items)
    else:
        part = _newaxes(_basic(x, [i for i in items if i is not None]), items)
    if None in items or part.owner.inputs[0] is not whole:
        part.tag.indexed = whole  # for set_subtensor: where the nodes of this indexing begin
    return part


def _by_arrays(x: Any, items: list[Any]) -> Any:
    """Slices first, then newaxes, then integers and arrays together, as NumPy."""
    slices = [i if isinstance(i, slice) else slice(None) for i in items if i is not None]
    if any(i != slice(None) for i in slices):
        x = _basic(x, slices)
    part = _newaxes(x, [i if i is None else slice(None) for i in items])
    at = [k for k, i in enumerate(items) if i is not None and not isinstance(i, slice)]
    return apply(TAKE, part, *(cast(items[k], "int64") for k in at), axes=tuple(at))


def _of_stack(x: Any, items: list[Any]) -> Any:
    """The scalar that `stack` put at a known position, so that `x.shape[0]` is one node.

    Of integers alone: a gradient by a stack of others must find what reads it.
    """
    if len(items) != 1 or x.type.ndim != 1 or x.owner is None or x.type.dtype not in INTEGERS:
        return None
    if isinstance(items[0], slice):
        bounds = [_bound(v, []) for v in (items[0].start, items[0].stop, items[0].step)]
        scalars = stacked_scalars(x) if not any(isinstance(v, tuple) for v in bounds) else None
        chosen = scalars[slice(*bounds)] if scalars else None
        return stack(chosen) if chosen else None
    k = _known(items[0])
    if k is None:
        return None
    scalars = stacked_scalars(x)
    return scalars[k] if scalars and -len(scalars) <= k < len(scalars) else None


def _known(item: Any) -> int | None:
    if isinstance(item, int):
        return item
    return int(item.data) if isinstance(item, Constant) and item.type.ndim == 0 else None


def _items(x: Any, index: Any) -> tuple[Any, list[Any]]:
    """x, with a new axis for each mask without axes, and the index as a list of int, slice, None and integer variables,
    one (newaxis apart) for each axis of that."""
    is_list = isinstance(index, list) and any(i is None or isinstance(i, (slice, type(Ellipsis))) for i in index)
    raw = list(index) if isinstance(index, tuple) or is_list else [index]  # a list with slices is a tuple, as in Theano
    items = [i if i is Ellipsis else _item(i) for i in raw]
    used = sum(_axes_of(i) for i in items if i is not None and i is not Ellipsis)
    ndim = x.type.ndim
    if used > ndim:
        raise IndexError(f"too many indices: {used} for {x!r}, a tensor with {ndim} axes ({x.type})")
    dots = [k for k, i in enumerate(items) if i is Ellipsis]
    if len(dots) > 1:
        raise IndexError("an index can have only one ellipsis ('...')")
    at = dots[0] if dots else len(items)
    rest = items[at + 1 :] if dots else []
    x, items = _with_axes_for_masks(x, items[:at] + [slice(None)] * (ndim - used) + rest)
    return x, _without_masks(x, items)


def _with_axes_for_masks(x: Any, items: list[Any]) -> tuple[Any, list[Any]]:
    """A mask without axes picks from a new axis of length 1: it is there, or has no elements."""
    if not any(_is_mask(i) and not i.type.ndim for i in items):
        return x, items
    axes, order = iter(range(x.type.ndim)), list[Any]()
    for item in (i for i in items if i is not None):
        is_new = _is_mask(item) and not item.type.ndim
        order += ["x"] if is_new else [next(axes) for _ in range(_axes_of(item))]
    return dimshuffle(x, order), [shape_padleft(i) if _is_mask(i) and not i.type.ndim else i for i in items]


def _is_mask(item: Any) -> bool:
    return isinstance(item, Variable) and item.type.dtype == "bool"


def _axes_of(item: Any) -> int:
    """How many axes of x one item of an index takes."""
    return item.type.ndim if _is_mask(item) else 1


def _without_masks(x: Any, items: list[Any]) -> list[Any]:
    """The index with the positions where a mask is true, one vector per axis, in the place of the mask."""
    if not any(map(_is_mask, items)):
        return items
    result: list[Any] = []
    axis = 0
    for item in items:
        if _is_mask(item):
            axes = range(axis, axis + item.type.ndim)
            result += mask_positions(item, [shape_i(x, k) for k in axes])
        else:
            result.append(item)
        axis += 0 if item is None else _axes_of(item)
    return result


def _item(item: Any) -> Any:
    if item is None or isinstance(item, slice):
        return item
    if isinstance(item, bool):
        raise TypeError("index must be integers, not a bool (== and != compare variables themselves: T.eq, T.neq)")
    if isinstance(item, (int, np.integer)):
        return int(item)
    variable = as_variable(item)
    if isinstance(item, list) and isinstance(variable, Constant) and not variable.data.size:
        return constant(variable.data.astype("int64"))  # a list of no numbers is one of no integers
    if variable.type.dtype == "bool":
        return variable
    if variable.type.dtype not in INTEGERS:
        raise TypeError(f"index must be integers, got {item!r} of dtype {variable.type.dtype}")
    if isinstance(variable, Constant) and not variable.type.ndim:
        return int(variable.data)
    return variable


def _basic(x: Any, items: list[Any]) -> Any:
    """x indexed by ints and slices, one for each axis."""
    ints: list[Any] = []
    index = tuple(_entry(i, ints) for i in items)
    _check_bounds(x, index)
    return apply(SUBTENSOR, x, *ints, index=index)


def full_index(x: Any) -> Index:
    return (("slice", None, None, None),) * x.type.ndim  # type: ignore[no-any-return]


def _entry(item: Any, ints: list[Any]) -> tuple[Any, ...]:
    if not isinstance(item, slice):
        return ("int", _bound(item, ints))
    if _bound(item.step, []) == 0:
        raise ValueError("slice step cannot be zero")
    return ("slice", _bound(item.start, ints), _bound(item.stop, ints), _bound(item.step, ints))


def _bound(value: Any, ints: list[Any]) -> Any:
    """None, an int (within what a length may be), or ("input", j) for a variable, operand j of the index then."""
    if isinstance(value, Constant) and value.type.ndim == 0 and value.type.dtype in INTEGERS:
        value = int(value.data)
    if isinstance(value, Variable):
        if value.type.ndim or value.type.dtype not in INTEGERS:
            raise TypeError(f"index must be integers: {value!r} in a slice is {value.type}")
        ints.append(cast(value, "int64"))
        return "input", len(ints) - 1
    if value is None:
        return None
    if isinstance(value, (bool, float)) or not hasattr(value, "__index__"):
        raise TypeError(f"index must be integers, got {value!r}")
    return max(-MAX_INDEX, min(value.__index__(), MAX_INDEX))


def _check_bounds(x: Any, index: Index) -> None:
    for axis, (n, entry) in enumerate(zip(x.type.shape, index, strict=True)):
        k = entry[1]
        if entry[0] == "int" and n is not None and isinstance(k, int) and not -n <= k < n:
            raise IndexError(f"index {k} is out of bounds for axis {axis} with size {n} of {x!r} ({x.type})")


def _newaxes(part: Any, items: list[Any]) -> Any:
    """`part` with an axis of length 1 wherever the index has None (ints have lost their axis)."""
    if None not in items:
        return part
    axes = iter(range(part.type.ndim))
    return dimshuffle(part, tuple("x" if i is None else next(axes) for i in items if i is None or isinstance(i, slice)))


def take(a: Any, indices: Any, axis: int | None = None, mode: str = "raise") -> Any:
    """The elements (of the flat tensor) or slices (along an axis) at integer positions.

    mode: what is done with a position out of range: "raise" IndexError, "wrap" around, or "clip" to the ends.

    >>> take([10, 20, 30], [2, 0]).eval()
    array([30, 10])
    """
    from tensordsl.ops.array.shape import flatten

    x = as_variable(a)
    if axis is None:
        x, axis = flatten(x), 0
    axis = normalise_axis(axis, x.type.ndim, "take")
    return getitem(x, (slice(None),) * axis + (within(indices, shape_i(x, axis), mode, "take"),))


def within(indices: Any, n: Any, mode: str, what: str) -> Any:
    """Integer positions on an axis of length n as `mode` wants them; see `take`."""
    if mode == "raise":
        return indices
    if mode == "wrap":
        return mod(as_variable(indices), n)
    if mode == "clip":
        return clip(cast(as_variable(indices), "int64"), 0, n - 1)
    raise ValueError(f"{what}: unknown mode {mode!r}; use 'raise', 'wrap' or 'clip'")


_NO_CHOICE = "choose: a number in `a` is negative, or not less than the number of choices"


def choose(a: Any, choices: Any, out: None = None, mode: str = "raise") -> Any:
    """At each point the element of choices[a] there: `a` holds numbers of choices, with which it broadcasts.

    choices: a list of tensors, or one tensor whose first axis counts them.  mode: as in `take`; "raise" a ValueError.

    >>> choose([0, 1, 0], [[1, 2, 3], [4, 5, 6]]).eval()
    array([1, 5, 3])
    """
    if out is not None:
        raise TypeError("choose: `out` is not supported: the result is always a new tensor")
    a = as_variable(a)
    if isinstance(choices, (list, tuple)):
        parts = [as_variable(c) for c in choices]
        rank = max([a.type.ndim, *(c.type.ndim for c in parts)])
        parts = [shape_padleft(c, rank - c.type.ndim) for c in parts]
        common = _common(broadcast_shapes(STATIC, [c.type.shape for c in parts]), parts)
        choices = stack([broadcast_to(c, common) for c in parts])
    choices = as_variable(choices)
    if not choices.type.ndim or a.type.dtype not in INTEGERS:
        raise TypeError(f"choose: wants integers and choices with an axis, got {a.type} and {choices.type}")
    count = shape_i(choices, 0)
    rank = choices.type.ndim - 1
    if mode != "raise":
        a = within(a, count, mode, "choose")
    else:
        a = required(a, count, _NO_CHOICE, [shape_i(choices, k + 1) for k in range(rank)])
    others = [
        0 if n == 1 else shape_padright(arange(shape_i(choices, k + 1)), rank - 1 - k)
        for k, n in enumerate(choices.type.shape[1:])
    ]
    return getitem(choices, (a, *others))


def _common(static: Sequence[Any], variables: Sequence[Any]) -> list[Any]:
    """The lengths of the broadcast variables, all of one rank: ints, or the length of the first that decides it."""
    found = []
    for k, n in enumerate(static):
        first = next((v for v in variables if v.type.shape[k] != 1), variables[0])
        found.append(shape_i(first, k) if n is None else n)
    return found


def diagonal(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """The elements a[i, i + offset] of two axes, as the last axis of the result.

    >>> diagonal([[1, 2], [3, 4]]).eval()
    array([1, 4])
    """
    x = as_variable(a)
    if x.type.ndim < 2:
        raise OpShapeError(f"diagonal: wants a tensor with two axes or more, got {x.type}")
    one, two = (normalise_axis(k, x.type.ndim, "diagonal") for k in (axis1, axis2))
    if one == two:
        raise ValueError("diagonal: axis1 and axis2 must be different axes")
    offset = whole_number(offset, "diagonal", "the offset")
    rest = [k for k in range(x.type.ndim) if k not in (one, two)]
    k = arange(maximum(minimum(shape_i(x, one) + min(offset, 0), shape_i(x, two) - max(offset, 0)), 0))
    found = getitem(dimshuffle(x, (one, two, *rest)), (k - min(offset, 0), k + max(offset, 0)))
    return dimshuffle(found, (*range(1, len(rest) + 1), 0))


def trace(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """The sum over a diagonal.

    >>> trace([[1, 2], [3, 4]]).eval()
    array(5)
    """
    found = diagonal(a, offset, axis1, axis2)
    return total(found, axis=found.type.ndim - 1)
