"""Pooling: windows over the last axes reduced to their maximum, sum or average, with Theano's lengths.

The gradient of a maximum goes to every element that equals it.  Windows of known lengths are slices that become one
elementwise expression, and so are their gradients; all others are gathered by indices and reduced.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import product
from math import prod
from operator import add, mul
from operator import index as as_index
from typing import Any

import numpy as np

from tensordsl.base.records import record
from tensordsl.graph.casting import float_of
from tensordsl.graph.types import FLOATS, INTEGERS
from tensordsl.graph.variables import Constant, Expand, Op, OpTypeError, Variable, apply
from tensordsl.ops.array import reduce
from tensordsl.ops.array.arrange import moveaxis
from tensordsl.ops.array.creation import arange
from tensordsl.ops.array.index import getitem
from tensordsl.ops.array.shape import broadcast_to, concatenate, dimshuffle, reshape, shape_i, shape_tuple, stack
from tensordsl.ops.array.write import inc_subtensor, set_subtensor
from tensordsl.ops.control import require
from tensordsl.ops.cotangents import ZERO
from tensordsl.ops.lengths import LENGTHS
from tensordsl.ops.math.comparisons import eq, ge, lt
from tensordsl.ops.math.elementwise import cast, maximum, minimum, switch
from tensordsl.ops.operands import as_variable, constant, known_int

MODES = ("max", "sum", "average_inc_pad", "average_exc_pad")
JOINT_ELEMENTS = 16  # windows of more are reduced one axis after the other, where that is the same
UNROLLED_ELEMENTS = 64  # windows of more along an axis, and elements in more windows, are gathered
Length = Any  # an int, or a variable of one


# -- windows ---------------------------------------------------------------------------------------------------------
@record
class Windows:
    """The windows along one axis: `count` of `size` elements, each `stride` behind the last; the first begins `pad`
    before the axis, which has `length` elements."""

    axis: int
    length: Length
    size: Length
    stride: Length
    pad: Length
    count: Length

    @property
    def overlap(self) -> int:
        """How many windows before one may reach into it."""
        return int((self.size - 1) // self.stride)

    @property
    def padded(self) -> Length:
        """A multiple of the stride that has all windows."""
        return (self.count + self.overlap) * self.stride


def window_count(d: Any, length: Any, size: Any, stride: Any, pad: Any, ignore_border: bool) -> Any:
    """How many windows there are along an axis; d: the algebra of lengths (`graph.variables.Dims`)."""
    if ignore_border:
        rest = d.sub(d.add(length, d.mul(2, pad)), size)
        return d.maximum(d.add(d.floordiv(rest, stride), 1), 0)
    if stride >= size:
        return d.add(d.floordiv(d.sub(length, 1), stride), 1)
    rest = d.add(d.sub(length, 1 + size), stride)
    return d.add(d.maximum(d.floordiv(rest, stride), 0), 1)


def _windows(x: Any, window: Any, stride: Any, pad: Any, ignore_border: bool) -> list[Windows]:
    """Of ints or of variables."""
    shape, found, first = shape_tuple(x), [], x.type.ndim - len(window)
    for axis, (k, s, p) in enumerate(zip(window, stride, pad, strict=True), first):
        found.append(Windows(axis, shape[axis], k, s, p, _symbolic_count(shape[axis], k, s, p, ignore_border)))
    return found


def _fitted(x: Any, moves: Sequence[tuple[int, Length, Length, Length]], fill: Any) -> Any:
    """x moved along axes; of each: (axis, by how many elements, its length before, its length then).  What moves in is
    `fill`, what moves out is lost."""
    index, place = [slice(None)] * x.type.ndim, [slice(None)] * x.type.ndim
    shape, is_whole = list(shape_tuple(x)), True
    for axis, by, old, new in moves:
        before, after = (by, 0) if not isinstance(by, int) or by >= 0 else (0, -by)
        kept = LENGTHS.maximum(LENGTHS.minimum(old - after, new - before), 0)
        index[axis], place[axis], shape[axis] = slice(after, after + kept), slice(before, before + kept), new
        is_whole = is_whole and isinstance(by, int) and by <= 0 and isinstance(kept, int) and kept == new
    x = getitem(x, tuple(index))
    if is_whole:
        return x
    around = broadcast_to(cast(as_variable(fill), x.type.dtype), tuple(shape))
    return set_subtensor(getitem(around, tuple(place)), x)


def _padded(x: Any, windows: Sequence[Windows], ignore_border: bool, fill: Any) -> Any:
    """x with `fill` wherever windows reach beyond it."""
    if ignore_border and not any(w.pad for w in windows):
        return x
    return _fitted(x, [(w.axis, w.pad, w.length, w.padded) for w in windows], fill)


def _slices(x: Any, windows: Sequence[Windows]) -> list[Any]:
    """For each position in a window the elements that stand there."""
    found = []
    for at in product(*(range(w.size) for w in windows)):
        index = [slice(None)] * x.type.ndim
        for w, k in zip(windows, at, strict=True):
            index[w.axis] = slice(k, k + w.count * w.stride, w.stride)
        found.append(getitem(x, tuple(index)))
    return found


def _positions(windows: Sequence[Windows]) -> tuple[Any, ...]:
    """An index that gives x's elements by window and position in it: of each axis these two axes."""
    found = []
    for number, w in enumerate(windows):
        at = dimshuffle(arange(w.count), (0, "x")) * w.stride + dimshuffle(arange(w.size), ("x", 0))
        around: list[Any] = ["x"] * (2 * len(windows))
        around[2 * number : 2 * number + 2] = [0, 1]
        found.append(dimshuffle(at, tuple(around)))
    return (Ellipsis, *found)


def _beside_positions(x: Any, windows: Sequence[Windows]) -> Any:
    """What there is of each window, for all positions in it."""
    first = windows[0].axis
    return dimshuffle(x, (*range(first), *(a for w in windows for a in (w.axis, "x"))))


def _position_axes(windows: Sequence[Windows]) -> tuple[int, ...]:
    return tuple(windows[0].axis + 2 * k + 1 for k in range(len(windows)))


def _combined(combine: Callable[[Any, Any], Any], values: Sequence[Any]) -> Any:
    values = list(values)
    while len(values) > 1:
        pairs = zip(values[::2], values[1::2], strict=False)
        values = [*(combine(a, b) for a, b in pairs), *values[len(values) // 2 * 2 :]]
    return values[0]


def _reduced(x: Any, windows: Sequence[Windows], is_max: bool) -> Any:
    """The maximum or sum of each window of x, which has room for all."""
    if prod(w.size for w in windows) > JOINT_ELEMENTS and len(windows) > 1:
        for w in reversed(windows):
            x = _reduced(x, [w], is_max)
        return x
    if windows[0].size <= UNROLLED_ELEMENTS:
        return _combined(maximum if is_max else add, _slices(x, windows))
    return _along_last(x, windows[0], lambda x, w: _of_positions(getitem(x, _positions([w])), [w], is_max))


def _along_last(x: Any, w: Windows, function: Callable[[Any, Windows], Any]) -> Any:
    """function(x, w), where w is along the last axis of x."""
    last = x.type.ndim - 1
    if w.axis == last:
        return function(x, w)
    return moveaxis(function(moveaxis(x, w.axis, last), replace(w, axis=last)), last, w.axis)


def _of_positions(x: Any, windows: Sequence[Windows], is_max: bool) -> Any:
    axes = _position_axes(windows)
    return reduce.max(x, axes) if is_max else reduce.sum(x, axes, dtype=x.type.dtype)


def _counts(windows: Sequence[Windows], ignore_border: bool, mode: str, ndim: int, dtype: str) -> Any:
    """How many elements each window has, where averages divide by it."""
    with_pad = mode == "average_inc_pad"
    known, counts = 1, []
    for w in windows:
        is_int = all(isinstance(n, int) for n in (w.size, w.pad))
        if ignore_border and is_int and (with_pad or w.pad == 0):
            known *= w.size
            continue
        begin = arange(w.count) * w.stride - w.pad
        low, high = (begin, w.length + w.pad) if with_pad else (maximum(begin, 0), w.length)
        count = cast(minimum(begin + w.size, high) - low, dtype)
        counts.append(dimshuffle(count, tuple(0 if a == w.axis else "x" for a in range(ndim))))
    return _combined(mul, [*counts, constant(known, dtype=dtype)])


# -- rules -----------------------------------------------------------------------------------------------------------
Attributes = Any


def _dtype(x: str, *, mode: str, **others: Attributes) -> str:
    if x not in FLOATS and x not in INTEGERS:
        raise TypeError(f"pool: wants real numbers, got {x}")
    return float_of(x) if mode.startswith("average") else x


def _shape(
    d: Any, x: Any, *, window: Any, stride: Any, pad: Any, ignore_border: bool, mode: str = ""
) -> tuple[Any, ...]:
    shape = d.shape(x)
    first = len(shape) - len(window)
    counts = [
        window_count(d, n, k, s, p, ignore_border)
        for n, k, s, p in zip(shape[first:], window, stride, pad, strict=True)
    ]
    return (*shape[:first], *counts)


def _wide(x: Any, is_max: bool = False) -> Any:
    """x in the dtype in which it is added up."""
    return cast(x, "float32") if x.type.dtype == "float16" and not is_max else x


def _build_pool(x: Any, *, window: Any, stride: Any, pad: Any, ignore_border: bool, mode: str) -> Any:
    windows, is_max = _windows(x, window, stride, pad, ignore_border), mode == "max"
    dtype = _dtype(x.type.dtype, mode=mode)
    x = _wide(cast(x, dtype), is_max)
    pooled = _reduced(_padded(x, windows, ignore_border, _lowest(dtype) if is_max else 0), windows, is_max)
    if mode.startswith("average"):
        pooled = pooled / _counts(windows, ignore_border, mode, x.type.ndim, x.type.dtype)
    return cast(pooled, dtype)


def _lowest(dtype: str) -> Any:
    value = -np.inf if dtype in FLOATS else np.iinfo(dtype).min
    return constant(value, dtype=dtype)


def _spread(terms: Callable[..., Any], windows: Sequence[Windows], x: Any, pooled: Sequence[Any]) -> Any:
    """For each element the sum over its windows of terms(its x, its window's values of `pooled`); x: None, or what
    windows are of, with room for all.

    Along an axis an element stands at stride * q + r, in the windows q, q - 1, ... q - more, of which some have r.
    """
    if not any(w.overlap for w in windows):
        return _spread_apart(terms, windows, x, pooled)
    room = [(w.axis, w.overlap, w.count, w.count + 2 * w.overlap) for w in windows]
    pooled = [_fitted(v, room, 0) for v in pooled]
    ndim, dtype = pooled[0].type.ndim, pooled[-1].type.dtype
    lead = shape_tuple(pooled[0])[: windows[0].axis]
    counts = tuple(w.count + w.overlap for w in windows)
    phases: list[Any] = []
    for phase in product(*(range(w.stride) for w in windows)):
        place, found = [slice(None)] * ndim, []
        for w, r in zip(windows, phase, strict=True):
            place[w.axis] = slice(r, None, w.stride)
        own = getitem(x, tuple(place)) if x is not None else None
        inside = [range(-(-(w.size - r) // w.stride)) for w, r in zip(windows, phase, strict=True)]
        for behind in product(*inside):
            index = [slice(None)] * ndim
            for w, j, n in zip(windows, behind, counts, strict=True):
                index[w.axis] = slice(w.overlap - j, w.overlap - j + n)
            found.append(terms(own, *(getitem(v, tuple(index)) for v in pooled)))
        phases.append(_combined(add, found or [broadcast_to(constant(0, dtype=dtype), (*lead, *counts))]))
    for number, w in reversed(list(enumerate(windows))):
        shape = (*lead, *counts[:number], *(v.padded for v in windows[number:]))
        groups = [phases[first : first + w.stride] for first in range(0, len(phases), w.stride)]
        phases = [reshape(stack(g, axis=w.axis + 1), shape) if len(g) > 1 else g[0] for g in groups]
    return phases[0]


def _spread_apart(terms: Callable[..., Any], windows: Sequence[Windows], x: Any, pooled: Sequence[Any]) -> Any:
    """The same where no element is in two windows."""
    first = windows[0].axis
    lead = shape_tuple(pooled[0])[:first]
    phases = (*lead, *(n for w in windows for n in (w.count, w.stride)))
    total = terms(x if x is None else reshape(x, phases), *(_beside_positions(v, windows) for v in pooled))
    for number, w in enumerate(windows):
        if w.stride > w.size:
            along = [1] * len(phases)
            along[first + 2 * number + 1] = w.stride
            inside = constant((np.arange(w.stride) < w.size).reshape(along))
            total = switch(inside, total, constant(0, dtype=total.type.dtype))
    return reshape(broadcast_to(total, phases), (*lead, *(w.padded for w in windows)))


def _room_for_all(x: Any, windows: Sequence[Windows], ignore_border: bool) -> Any:
    """x, in the lengths of all windows with what is between them."""
    if ignore_border and all(not w.pad and w.stride == w.size for w in windows):
        first = windows[0].axis
        return getitem(x, (slice(None),) * first + tuple(slice(0, w.padded) for w in windows))
    return _fitted(x, [(w.axis, w.pad, w.length, w.padded) for w in windows], 0)


def _unpadded(x: Any, windows: Sequence[Windows], ignore_border: bool) -> Any:
    """x without the padding, and with zeros where no window is."""
    x = _cut(x, windows)
    for w in reversed(windows):
        if not ignore_border and w.stride <= w.size:
            continue  # windows reach to the end
        if isinstance(w.length, int) and isinstance(w.padded, int) and w.padded - w.pad >= w.length:
            continue
        shape = list(shape_tuple(x))
        shape[w.axis] = w.length - shape[w.axis]
        x = concatenate([x, broadcast_to(constant(0, dtype=x.type.dtype), tuple(shape))], w.axis)
    return x


def _if_largest(x: Any, out: Any, g: Any) -> Any:
    return switch(eq(x, out), g, constant(0, dtype=g.type.dtype))


def _build_max_gradient(x: Any, out: Any, g: Any, *, window: Any, stride: Any, pad: Any, ignore_border: bool) -> Any:
    windows, dtype = _windows(x, window, stride, pad, ignore_border), g.type.dtype
    g, x = _wide(g), _room_for_all(x, windows, ignore_border)
    if not any(w.overlap for w in windows) or prod(window) <= UNROLLED_ELEMENTS:
        spread = _spread(_if_largest, windows, x, (out, g))
    else:
        spread = _spread_to_largest(x, windows, out, g)
    return cast(_unpadded(spread, windows, ignore_border), dtype)


def _build_max_at(x: Any, out: Any, g: Any, *, window: Any, stride: Any, pad: Any, ignore_border: bool) -> Any:
    windows, dtype = _windows(x, window, stride, pad, ignore_border), g.type.dtype
    x, g = (_padded(v, windows, ignore_border, 0) for v in (x, _wide(g)))
    if prod(window) <= UNROLLED_ELEMENTS:
        pairs = zip(_slices(x, windows), _slices(g, windows), strict=True)
        return cast(_combined(add, [_if_largest(a, out, b) for a, b in pairs]), dtype)
    at = _positions(windows)
    values = _if_largest(getitem(x, at), _beside_positions(out, windows), getitem(g, at))
    return cast(_of_positions(values, windows, False), dtype)


def _build_sum_gradient(x: Any, g: Any, *, window: Any, stride: Any, pad: Any, ignore_border: bool, mode: str) -> Any:
    windows, dtype = _windows(x, window, stride, pad, ignore_border), g.type.dtype
    g = _wide(g)
    if mode.startswith("average"):
        g = g / _counts(windows, ignore_border, mode, x.type.ndim, g.type.dtype)
    if not any(w.overlap for w in windows) or prod(window) <= JOINT_ELEMENTS:
        return cast(_unpadded(_spread(_of_window, windows, None, (g,)), windows, ignore_border), dtype)
    for w in windows:
        g = _along_last(g, w, _spread_sum)
    return cast(_unpadded(g, windows, ignore_border), dtype)


def _spread_sum(g: Any, w: Windows) -> Any:
    """For each element along the last axis the sum over its windows."""
    if not w.overlap or w.size <= UNROLLED_ELEMENTS:
        return _spread(_of_window, [w], None, (g,))
    return _added(_beside_positions(g, [w]), [w], (*shape_tuple(g)[:-1], w.padded))


def _of_window(x: None, g: Any) -> Any:
    return g


def _spread_to_largest(x: Any, windows: Sequence[Windows], out: Any, g: Any) -> Any:
    """For each element of x, which has room for all windows, the sum of g over those whose maximum it is."""
    values = _if_largest(
        getitem(x, _positions(windows)), _beside_positions(out, windows), _beside_positions(g, windows)
    )
    return _added(values, windows, shape_tuple(x))


def _added(values: Any, windows: Sequence[Windows], shape: Sequence[Length]) -> Any:
    """Zeros of a shape, to which the values of all windows and positions in them are added where they stand."""
    zeros = broadcast_to(constant(0, dtype=values.type.dtype), tuple(shape))
    return inc_subtensor(getitem(zeros, _positions(windows)), values)


# -- oracles ---------------------------------------------------------------------------------------------------------
def _numpy_windows(shape: Sequence[int], window: Any, stride: Any, pad: Any, ignore_border: bool) -> Any:
    """The lengths of the result, and for each of its elements (place, slices of what its window has of the image, how
    many elements it has with those of the padding)."""
    lead, counts, axes = shape[: len(shape) - len(window)], [], []
    for n, k, s, p in zip(shape[len(lead) :], window, stride, pad, strict=True):
        if ignore_border:
            counts.append(max(0, (n + 2 * p - k) // s + 1))
        else:
            counts.append((n - 1) // s + 1 if s >= k else max(0, (n - 1 - k + s) // s) + 1)
        starts = [i * s - p for i in range(counts[-1])]
        axes.append([(slice(max(a, 0), max(min(a + k, n), 0)), min(a + k, n + p) - a) for a in starts])
    places = [
        (
            (Ellipsis, *at),
            (Ellipsis, *(axes[d][i][0] for d, i in enumerate(at))),
            prod(axes[d][i][1] for d, i in enumerate(at)),
        )
        for at in np.ndindex(*counts)
    ]
    return (*lead, *counts), places


def _numpy_pool(x: Any, *, window: Any, stride: Any, pad: Any, ignore_border: bool, mode: str) -> Any:
    x = np.asarray(x)
    shape, places = _numpy_windows(x.shape, window, stride, pad, ignore_border)
    out = np.zeros(shape, _dtype(str(x.dtype), mode=mode))
    axes = tuple(range(-len(window), 0))
    with np.errstate(all="ignore"):
        for place, inside, count in places:
            part = x[inside]
            if mode == "max":
                out[place] = part.max(axes, initial=-np.inf if out.dtype.kind == "f" else np.iinfo(out.dtype).min)
                continue
            total = part.sum(axes, dtype="float64" if out.dtype.kind == "f" else out.dtype)
            real = prod(part.shape[a] for a in axes)
            out[place] = total if mode == "sum" else total / np.float64(count if mode == "average_inc_pad" else real)
    return out


def _numpy_max_gradient(x: Any, out: Any, g: Any, *, window: Any, **how: Any) -> Any:
    result = np.zeros(x.shape, "float64")
    for place, inside, _ in _numpy_windows(x.shape, window, **how)[1]:
        wide = (..., *(None,) * len(window))
        result[inside] += np.where(x[inside] == out[place][wide], g[place][wide].astype("float64"), 0)
    return result.astype(g.dtype)


def _numpy_max_at(x: Any, out: Any, g: Any, *, window: Any, **how: Any) -> Any:
    result = np.zeros(out.shape, "float64")
    wide, axes = (..., *(None,) * len(window)), tuple(range(-len(window), 0))
    for place, inside, _ in _numpy_windows(x.shape, window, **how)[1]:
        result[place] = np.where(x[inside] == out[place][wide], g[inside].astype("float64"), 0).sum(axes)
    return result.astype(g.dtype)


def _numpy_sum_gradient(x: Any, g: Any, *, window: Any, mode: str, **how: Any) -> Any:
    result = np.zeros(x.shape, "float64")
    wide, axes = (..., *(None,) * len(window)), tuple(range(-len(window), 0))
    with np.errstate(all="ignore"):
        for place, inside, count in _numpy_windows(x.shape, window, **how)[1]:
            real = prod(x[inside].shape[a] for a in axes)
            over = {"sum": 1, "average_inc_pad": count}.get(mode, real)
            result[inside] += g[place][wide].astype("float64") / np.float64(over)
    return result.astype(g.dtype)


# -- rows ------------------------------------------------------------------------------------------------------------
def _pool_gradient(g: Any, out: Any, x: Any, *, mode: str, **how: Any) -> Sequence[Any]:
    return (apply(MAX_POOL_GRAD, x, out, g, **how) if mode == "max" else apply(POOL_GRAD, x, g, mode=mode, **how),)


def _max_gradient_gradient(gg: Any, result: Any, x: Any, out: Any, g: Any, **how: Any) -> Sequence[Any]:
    return ZERO, ZERO, apply(MAX_POOL_AT, x, out, gg, **how)


def _max_at_gradient(gg: Any, result: Any, x: Any, out: Any, g: Any, **how: Any) -> Sequence[Any]:
    return ZERO, ZERO, apply(MAX_POOL_GRAD, x, out, gg, **how)


def _sum_gradient_gradient(gg: Any, result: Any, x: Any, g: Any, **how: Any) -> Sequence[Any]:
    return ZERO, apply(POOL, gg, **how)


def _same(d: Any, a: Sequence[Any], b: Sequence[Any], what: str) -> tuple[Any, ...]:
    if len(a) != len(b):
        raise ValueError(f"{what}: {len(a)} axes, wanted {len(b)}")
    return tuple(d.same(m, n, what) for m, n in zip(a, b, strict=True))


def _shape_of_max_gradient(d: Any, x: Any, out: Any, g: Any, **how: Any) -> tuple[Any, ...]:
    wanted = _shape(d, x, **how)
    _same(d, d.shape(out), wanted, "max_pool_grad: lengths of the maxima")
    _same(d, d.shape(g), wanted, "max_pool_grad: lengths of what windows get")
    return tuple(d.shape(x))


def _shape_of_max_at(d: Any, x: Any, out: Any, g: Any, **how: Any) -> tuple[Any, ...]:
    _same(d, d.shape(g), d.shape(x), "max_pool_at: lengths of the image and its values")
    return _same(d, d.shape(out), _shape(d, x, **how), "max_pool_at: lengths of the maxima")


def _shape_of_sum_gradient(d: Any, x: Any, g: Any, **how: Any) -> tuple[Any, ...]:
    _same(d, d.shape(g), _shape(d, x, **how), "pool_grad: lengths of what windows get")
    return tuple(d.shape(x))


def _dtype_of_last(*dtypes: str, **how: Any) -> str:
    return dtypes[-1]


POOL = Op("pool", _dtype, _shape, _numpy_pool, Expand(_build_pool), _pool_gradient, ulp=16)
MAX_POOL_GRAD = Op(
    "max_pool_grad", _dtype_of_last, _shape_of_max_gradient, _numpy_max_gradient, Expand(_build_max_gradient),
    _max_gradient_gradient, ulp=64,
)  # fmt: skip
MAX_POOL_AT = Op(
    "max_pool_at", _dtype_of_last, _shape_of_max_at, _numpy_max_at, Expand(_build_max_at), _max_at_gradient, ulp=64
)
POOL_GRAD = Op(
    "pool_grad", _dtype_of_last, _shape_of_sum_gradient, _numpy_sum_gradient, Expand(_build_sum_gradient),
    _sum_gradient_gradient, ulp=64,
)  # fmt: skip
ROWS = (POOL, MAX_POOL_GRAD, MAX_POOL_AT, POOL_GRAD)


# -- public functions ------------------------------------------------------------------------------------------------
def pool_2d(
    input: Any, ws: Any = None, ignore_border: bool | None = None, stride: Any = None, pad: Any = (0, 0),
    mode: str = "max", ds: Any = None, st: Any = None, padding: Any = None,
) -> Any:  # fmt: skip
    """The maximum, sum or average of each window over the last two axes.

    Parameters
    ----------
    input : a tensor of real numbers with two axes or more.
    ws : the windows' two lengths, ints or symbolic ones.
    ignore_border : whether only complete windows count.  None is False, with a warning.
    stride : how far each window is behind the last; by default `ws`.
    pad : how many elements are added before and behind both axes, less than `ws`; only with ignore_border.  Maxima and
        sums are of the others alone.
    mode : "max", "sum", "average_inc_pad" or "average_exc_pad": whether averages count what was added.
    ds, st, padding : old names of ws, stride and pad.

    The gradient of a maximum goes to every element that equals it.  Maxima, sums and their gradients keep the dtype;
    averages of integers are floats.

    >>> x = as_variable(np.arange(15.0).reshape(3, 5))
    >>> pool_2d(x, (2, 2), ignore_border=True).eval()
    array([[6., 8.]])
    >>> pool_2d(x, (2, 2), ignore_border=False).eval()
    array([[ 6.,  8.,  9.],
           [11., 13., 14.]])
    >>> pool_2d(x, (3, 3), True, stride=(1, 2), pad=(1, 1), mode="average_exc_pad").eval()
    array([[ 3. ,  4.5,  6. ],
           [ 5.5,  7. ,  8.5],
           [ 8. ,  9.5, 11. ]])
    """
    return _pool_nd("pool_2d", 2, input, ws, ignore_border, stride, pad, mode, ds, st, padding)


def pool_3d(
    input: Any, ws: Any = None, ignore_border: bool | None = None, stride: Any = None, pad: Any = (0, 0, 0),
    mode: str = "max", ds: Any = None, st: Any = None, padding: Any = None,
) -> Any:  # fmt: skip
    """The same as `pool_2d` over the last three axes.

    >>> pool_3d(np.arange(16.0).reshape(2, 2, 4), (2, 2, 2), ignore_border=True).eval()
    array([[[13., 15.]]])
    """
    return _pool_nd("pool_3d", 3, input, ws, ignore_border, stride, pad, mode, ds, st, padding)


def max_pool_2d_same_size(input: Any, patch_size: Any) -> Any:
    """input, with zeros where an element is less than the maximum of its patch, over the last two axes; incomplete
    patches become zeros.

    >>> max_pool_2d_same_size([[1.0, 5.0, 2.0], [3.0, 4.0, 9.0]], (2, 2)).eval()
    array([[0., 5., 0.],
           [0., 0., 0.]])
    """
    input = as_variable(input)
    output = _pool_nd("max_pool_2d_same_size", 2, input, patch_size, True, None, (0, 0), "max")
    return max_pool_grad(input, output, output, patch_size, ignore_border=True)


def pool(
    x: Any, ws: Any, stride: Any = None, pad: Any = None, ignore_border: bool = False, mode: str = "max", ndim: int = 2
) -> Any:
    """Windows over the last `ndim` axes, as `pool_2d`.

    >>> pool([1.0, 4.0, 2.0, 3.0], (2,), ndim=1).eval()
    array([4., 3.])
    """
    return _pool_nd("pool", ndim, x, ws, ignore_border, stride, pad, mode)


def max_pool_grad(
    x: Any, maxout: Any, gz: Any, ws: Any, stride: Any = None, pad: Any = None, ignore_border: bool = False,
    ndim: int = 2,
) -> Any:  # fmt: skip
    """For each element of x the sum of gz over the windows whose maximum, in maxout, equals it.

    >>> max_pool_grad([1.0, 4.0, 3.0, 3.0], [4.0, 3.0], [1.0, 2.0], (2,), ndim=1).eval()
    array([0., 1., 2., 2.])
    """
    x, how = _images("max_pool_grad", x, ndim), _arguments("max_pool_grad", ndim, ws, stride, pad, ignore_border)
    maxout, gz = (_of_windows("max_pool_grad", v, x, how) for v in (maxout, gz))
    if _is_known(how):
        return apply(MAX_POOL_GRAD, x, maxout, gz, **how)
    padded, windows = _of_symbolic(x, how, _lowest(x.type.dtype))
    return _cut(_spread_to_largest(padded, windows, maxout, gz), windows)


def average_pool_grad(
    x: Any, gz: Any, ws: Any, stride: Any = None, pad: Any = None, ignore_border: bool = False,
    mode: str = "average_inc_pad", ndim: int = 2,
) -> Any:  # fmt: skip
    """For each element of x the sum of gz over its windows, in averages divided by their numbers of elements.

    >>> average_pool_grad([0.0, 0.0, 0.0], [1.0, 2.0], (2,), ndim=1).eval()
    array([0.5, 0.5, 2. ])
    """
    if mode not in MODES[1:]:
        raise ValueError(f"average_pool_grad: unknown mode {mode!r}; use one of {', '.join(map(repr, MODES[1:]))}")
    x = _images("average_pool_grad", x, ndim)
    how = _arguments("average_pool_grad", ndim, ws, stride, pad, ignore_border)
    gz = _of_windows("average_pool_grad", gz, x, how)
    if _is_known(how):
        return apply(POOL_GRAD, x, gz, mode=mode, **how)
    padded, windows = _of_symbolic(x, how, 0)
    if mode.startswith("average"):
        gz = gz / _counts(windows, ignore_border, mode, x.type.ndim, gz.type.dtype)
    return _cut(_added(_beside_positions(gz, windows), windows, shape_tuple(padded)), windows)


def pool_shape(
    imgshape: Sequence[Any], ws: Any = None, ignore_border: bool = False, stride: Any = None, pad: Any = None,
    ndim: int = 2, ds: Any = None, st: Any = None, padding: Any = None,
) -> list[Any]:  # fmt: skip
    """The shape of the result for images of `imgshape`, whose lengths may be symbolic: `Pool.out_shape`.

    >>> pool_shape((8, 3, 7, 7), (3, 3), stride=(2, 2), ignore_border=True)
    [8, 3, 3, 3]
    """
    ws, stride, pad = _renamed("out_shape", ndim, ws, stride, pad, ds, st, padding)
    how = _arguments("out_shape", ndim, ws, stride, pad, ignore_border)
    if len(imgshape) < ndim:
        raise TypeError(f"out_shape: wants {ndim} lengths or more, got {imgshape}")
    lead, lengths = list(imgshape[: len(imgshape) - ndim]), [_number(n) for n in imgshape[-ndim:]]
    found = zip(lengths, how["window"], how["stride"], how["pad"], strict=True)
    return [*lead, *(_symbolic_count(n, k, s, p, ignore_border) for n, k, s, p in found)]


# -- arguments -------------------------------------------------------------------------------------------------------
def _renamed(
    name: str, ndim: int, ws: Any, stride: Any, pad: Any, ds: Any, st: Any, padding: Any
) -> tuple[Any, Any, Any]:
    """ws, stride and pad, from their old names where these are given."""
    found = []
    for new, value, old, other in (
        ("ws", ws, "ds", ds),
        ("stride", stride, "st", st),
        ("pad", pad, "padding", padding),
    ):
        is_given = value is not None and not (new == "pad" and not isinstance(value, Variable) and not np.any(value))
        if other is not None and is_given:
            raise ValueError(f"{name}: {old!r} is the old name of {new!r}; give one of both")
        found.append(value if other is None else other)
    if found[0] is None:
        raise ValueError(f"{name}: ws is missing, the {ndim} lengths of the windows")
    return found[0], found[1], found[2]


def _pool_nd(
    name: str, ndim: int, x: Any, ws: Any, ignore_border: bool | None, stride: Any, pad: Any, mode: str,
    ds: Any = None, st: Any = None, padding: Any = None,
) -> Any:  # fmt: skip
    ws, stride, pad = _renamed(name, ndim, ws, stride, pad, ds, st, padding)
    if mode not in MODES:
        raise ValueError(f"{name}: unknown mode {mode!r}; use one of {', '.join(map(repr, MODES))}")
    if ignore_border is None:
        message = f"{name}: ignore_border is not given; it is False, and windows at the border are counted. Give it"
        warnings.warn(message, stacklevel=3)
        ignore_border = False
    x, how = _images(name, x, ndim), _arguments(name, ndim, ws, stride, pad, ignore_border)
    if _is_known(how):
        return apply(POOL, x, mode=mode, **how)
    dtype, is_max = _dtype(x.type.dtype, mode=mode), mode == "max"
    x = _wide(cast(x, dtype), is_max)
    padded, windows = _of_symbolic(x, how, _lowest(dtype) if is_max else 0)
    pooled = _of_positions(getitem(padded, _positions(windows)), windows, is_max)
    if mode.startswith("average"):
        pooled = pooled / _counts(windows, bool(ignore_border), mode, x.type.ndim, x.type.dtype)
    return cast(pooled, dtype)


def _images(name: str, x: Any, ndim: int) -> Any:
    x = as_variable(x)
    if x.type.ndim < ndim or x.type.dtype not in (*FLOATS, *INTEGERS):
        raise OpTypeError(f"{name}: wants real numbers with {ndim} axes or more, got {x.type}; cast bools")
    return x


def _number(value: Any) -> Any:
    """An int where it is known, else a variable of one."""
    if isinstance(value, Variable):
        if value.type.ndim or value.type.dtype not in INTEGERS:
            raise TypeError(f"pool: wants integers as lengths, got {value.type}")
        known = known_int(value)
        return cast(value, "int64") if known is None else known
    return as_index(value)


def _arguments(name: str, ndim: int, ws: Any, stride: Any, pad: Any, ignore_border: bool) -> dict[str, Any]:
    """The attributes of a row, of numbers that are known or variables.  Raises for those that are no windows."""
    stride = ws if stride is None else stride
    found: dict[str, Any] = {}
    for key, given in (("ws", ws), ("stride", stride), ("pad", (0,) * ndim if pad is None else pad)):
        if isinstance(given, Variable):
            if given.type.ndim != 1 or given.type.shape[0] not in (None, ndim):
                raise TypeError(f"{name}: wants a vector of {ndim} integers as {key}, got {given.type}")
            if given.type.shape[0] is None:
                given = require(given, eq(shape_i(given, 0), ndim), f"{name}: {key} wants {ndim} numbers")
            given = given.data.tolist() if isinstance(given, Constant) else [getitem(given, k) for k in range(ndim)]
        try:
            numbers = tuple(_number(n) for n in given)
        except TypeError as error:
            raise TypeError(f"{name}: wants {ndim} integers as {key}, got {given!r}") from error
        if len(numbers) != ndim:
            raise ValueError(f"{name}: wants {ndim} integers as {key}, got {given!r}")
        found[key] = numbers
    for key, least in (("ws", 1), ("stride", 1), ("pad", 0)):
        found[key] = tuple(_at_least(name, key, n, least) for n in found[key])
    if any(not isinstance(p, int) or p for p in found["pad"]) and not ignore_border:
        raise NotImplementedError(f"{name}: padding works only with ignore_border=True")
    window = found.pop("ws")
    found["pad"] = tuple(_less(name, p, k) for p, k in zip(found["pad"], window, strict=True))
    return {"window": window, **found, "ignore_border": bool(ignore_border)}


def _at_least(name: str, key: str, n: Any, least: int) -> Any:
    message = f"{name}: wants {key} of {least} or more"
    if isinstance(n, int):
        if n < least:
            raise ValueError(f"{message}, got {n}")
        return n
    return require(n, ge(n, least), message)


def _less(name: str, p: Any, k: Any) -> Any:
    message = f"{name}: pad must be less than ws"
    if isinstance(p, int) and isinstance(k, int):
        if p >= k:
            raise NotImplementedError(f"{message}, got pad {p} and ws {k}")
        return p
    return p if isinstance(p, int) and p == 0 else require(p, lt(p, k), message)


def _is_known(how: dict[str, Any]) -> bool:
    return all(isinstance(n, int) for key in ("window", "stride", "pad") for n in how[key])


def _of_windows(name: str, v: Any, x: Any, how: dict[str, Any]) -> Any:
    """v, if it has one element for each window of x: else an error, at the latest in the call."""
    v, first = as_variable(v), x.type.ndim - len(how["window"])
    if v.type.ndim != x.type.ndim:
        raise OpTypeError(f"{name}: wants one number for each window, with {x.type.ndim} axes, got {v.type}")
    wanted_shape = (*shape_tuple(x)[:first], *(w.count for w in _windows(x, **how)))
    for axis, (wanted, own) in enumerate(zip(wanted_shape, shape_tuple(v), strict=True)):
        message = f"{name}: wants one number for each window, but axis {axis} has another length than there are windows"
        if isinstance(wanted, int) and isinstance(own, int):
            if wanted != own:
                raise ValueError(f"{message}: {own}, not {wanted}")
        else:
            v = require(v, eq(own, wanted), message)
    return v


def _symbolic_count(n: Any, k: Any, s: Any, p: Any, ignore_border: bool) -> Any:
    if ignore_border or (isinstance(k, int) and isinstance(s, int)):
        return window_count(LENGTHS, n, k, s, p, ignore_border)
    covered = LENGTHS.maximum((n - 1 - k + s) // s, 0) + 1
    return switch(ge(s, k), (n - 1) // s + 1, covered)


def _of_symbolic(x: Any, how: dict[str, Any], fill: Any) -> tuple[Any, list[Windows]]:
    """x with room for all windows, and these."""
    windows = _windows(x, **how)
    return _fitted(x, [(w.axis, w.pad, w.length, _room(w)) for w in windows], fill), windows


def _room(w: Windows) -> Any:
    return LENGTHS.maximum(w.count * w.stride + w.size, w.length + 2 * w.pad)


def _cut(x: Any, windows: Sequence[Windows]) -> Any:
    """x without what was added to give room."""
    return getitem(x, (Ellipsis, *(slice(w.pad, w.pad + w.length) for w in windows)))
