"""Tensors with more elements around them: `numpy.pad`, written with indexing and joining."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tensordsl.graph.types import DISCRETE
from tensordsl.graph.variables import Variable
from tensordsl.ops.array import reduce
from tensordsl.ops.array.creation import arange
from tensordsl.ops.array.grids import linspace
from tensordsl.ops.array.index import getitem
from tensordsl.ops.array.shape import as_dim, broadcast_to, concatenate, dimshuffle, shape_i, shape_tuple
from tensordsl.ops.array.sort import median
from tensordsl.ops.array.write import set_subtensor
from tensordsl.ops.control import require
from tensordsl.ops.math.comparisons import and_, eq, ge, gt, lt, or_
from tensordsl.ops.math.elementwise import cast, floor, int_div, maximum, minimum, mod, round_half_to_even, switch
from tensordsl.ops.math.elementwise import clip as clipped
from tensordsl.ops.operands import as_variable, constant, known_int, normalise_axis

Pairs = list[tuple[Any, Any]]  # for each axis: before, behind
_STATISTICS = ("maximum", "mean", "median", "minimum")
MODES = ("constant", "edge", "empty", "linear_ramp", *_STATISTICS, "reflect", "symmetric", "wrap")


def pad(
    x: Any, pad_width: Any, mode: str = "constant", constant_values: Any = 0, end_values: Any = 0,
    stat_length: Any = None, reflect_type: str = "even",
) -> Any:  # fmt: skip
    """x with more elements before and behind those of each axis, as `numpy.pad`.

    Parameters
    ----------
    pad_width : a number, a pair (before, behind), a pair for each axis, or a dictionary of these by axis; the numbers
        may be symbolic.
    mode : "constant"; the last element again ("edge"); mirrored at it ("reflect") or behind it ("symmetric"); from the
        other end ("wrap"); in equal steps towards a value ("linear_ramp"); the "maximum", "minimum", "mean" or "median"
        of each line; or "empty", whose elements mean nothing.  Axes are padded one after the other.
    constant_values, end_values : of "constant" and "linear_ramp": one, a pair, or a pair for each axis.
    stat_length : of how many elements at each end the maximum, ... is, in the form of pad_width; None: of all.
    reflect_type : "odd": what is mirrored is taken from twice the element at the edge.

    Of integers ramps are rounded down, means and medians to the nearest.  Raises ValueError where an axis has too few
    elements, TypeError for a function as mode, which would write into values.

    >>> pad([1, 2, 3], (2, 1)).eval()
    array([0, 0, 1, 2, 3, 0])
    >>> pad([1, 2, 3], 2, mode="reflect").eval()
    array([3, 2, 1, 2, 3, 2, 1])
    >>> pad([1, 2, 3], 2, mode="reflect", reflect_type="odd").eval()
    array([-1,  0,  1,  2,  3,  4,  5])
    >>> pad([1.0, 2.0, 6.0], (1, 2), mode="linear_ramp", end_values=4).eval()
    array([4., 1., 2., 6., 5., 4.])
    """
    if callable(mode):
        raise TypeError("pad: a function as mode writes into values, which expressions have not; name a mode")
    if mode not in MODES:
        raise ValueError(f"pad: unknown mode {mode!r}; use one of {', '.join(map(repr, MODES))}")
    if reflect_type not in ("even", "odd"):
        raise ValueError(f"pad: reflect_type must be 'even' or 'odd', got {reflect_type!r}")
    x = as_variable(x)
    widths = [(_width(n), _width(m)) for n, m in _pairs(_by_axis(pad_width, x.type.ndim), x.type.ndim, "pad_width")]
    values = _pairs(end_values if mode == "linear_ramp" else constant_values, x.type.ndim, "the values")
    counts = _pairs(stat_length, x.type.ndim, "stat_length")
    padded = [axis for axis, pair in enumerate(widths) if any(known_int(n) != 0 for n in pair)]
    if mode in ("constant", "empty") and len(padded) > 1 and _is_frame(widths, values):
        return _framed(x, widths, values[0][0])
    for axis in padded:
        if mode in ("constant", "empty"):
            x = _joined(x, axis, widths[axis], values[axis])
        elif mode == "linear_ramp":
            x = _ramped(x, axis, widths[axis], values[axis])
        elif mode in _STATISTICS:
            x = _summarised(x, axis, widths[axis], counts[axis], mode)
        else:
            x = _repeated(x, axis, widths[axis], mode, reflect_type == "odd")
    return x


def _by_axis(widths: Any, ndim: int) -> Any:
    """Widths that a dictionary has by axis, as a list."""
    if not isinstance(widths, dict):
        return widths
    found: list[Any] = [(0, 0)] * ndim
    for axis, pair in widths.items():
        found[normalise_axis(axis, ndim, "pad")] = pair if isinstance(pair, list | tuple) else (pair, pair)
    return found


def _pairs(given: Any, ndim: int, what: str) -> Pairs:
    """(before, behind) for each axis."""
    if isinstance(given, np.ndarray):
        given = given.tolist()
    if isinstance(given, Variable) and given.type.ndim:
        raise TypeError(f"pad: {what} is a number, a pair or a pair for each axis; tensors have to be taken apart")
    rows = list(given) if isinstance(given, (list, tuple)) else [given]
    if rows and not any(isinstance(row, (list, tuple)) for row in rows):
        rows = [rows]
    pairs = [tuple(row) if isinstance(row, (list, tuple)) else (row,) for row in rows]
    if len(pairs) not in (1, ndim) or not all(len(p) in (1, 2) for p in pairs):
        raise ValueError(f"pad: {what} is a number, a pair or a pair for each of {ndim} axes, got {given!r}")
    return [(p[0], p[-1]) for p in pairs] * (1 if len(pairs) == ndim else ndim)


def _width(n: Any) -> Any:
    n = as_dim(n)
    known = known_int(n)
    if known is None:
        return require(n, ge(n, 0), "pad: a width must not be negative")
    if known < 0:
        raise ValueError(f"pad: a width must not be negative, got {known}")
    return n


def _is_frame(widths: Pairs, values: Pairs) -> bool:
    """Whether all widths are known, and all constants are one."""
    constants = [c for pair in values for c in pair]
    return all(known_int(n) is not None for pair in widths for n in pair) and all(c is constants[0] for c in constants)


def _framed(x: Any, widths: Pairs, constant: Any) -> Any:
    """x set into the constant, which takes one copy; joining takes one for each axis."""
    known = [(known_int(before) or 0, known_int(behind) or 0) for before, behind in widths]
    lengths = zip(shape_tuple(x), x.type.shape, known, strict=True)
    shape = [(n if length is None else length) + before + behind for n, length, (before, behind) in lengths]
    around = broadcast_to(cast(as_variable(constant), x.type.dtype), tuple(shape))
    middle = tuple(slice(before, -behind if behind else None) for before, behind in known)
    return set_subtensor(getitem(around, middle), x)


def _joined(x: Any, axis: int, widths: tuple[Any, Any], constants: tuple[Any, Any]) -> Any:
    shape = shape_tuple(x)
    before, behind = (
        broadcast_to(cast(as_variable(c), x.type.dtype), (*shape[:axis], n, *shape[axis + 1 :]))
        for n, c in zip(widths, constants, strict=True)
    )
    return concatenate([before, x, behind], axis)


def _around(x: Any, axis: int, widths: tuple[Any, Any], make: Any) -> Any:
    """x between what make(end, width) gives for its two ends, 0 and 1; nothing where a width is known to be 0."""
    sides = [[] if known_int(width) == 0 else [make(end, width)] for end, width in enumerate(widths)]
    return concatenate([*sides[0], x, *sides[1]], axis)


def _ramped(x: Any, axis: int, widths: tuple[Any, Any], values: tuple[Any, Any]) -> Any:
    x, n = _not_empty(x, axis, widths, "linear_ramp")
    whole = x.type.dtype in DISCRETE

    def ramp(end: int, width: Any) -> Any:
        edge = getitem(x, (slice(None),) * axis + (n - 1 if end else 0,))
        made = linspace(as_variable(values[end]), edge, width, endpoint=False, axis=axis)
        made = cast(floor(made) if whole else made, x.type.dtype)
        return getitem(made, (slice(None),) * axis + (slice(None, None, -1),)) if end else made

    return _around(x, axis, widths, ramp)


def _summarised(x: Any, axis: int, widths: tuple[Any, Any], counts: tuple[Any, Any], mode: str) -> Any:
    x, n = _not_empty(x, axis, widths, mode)
    functions: list[Any] = [reduce.max, reduce.mean, median, reduce.min]
    statistic = dict(zip(_STATISTICS, functions, strict=True))[mode]

    def value(end: int, width: Any) -> Any:
        part = x
        if counts[end] is not None:
            count = minimum(_count(counts[end]), n)
            part = getitem(x, (slice(None),) * axis + (slice(n - count, None) if end else slice(None, count),))
        found = statistic(part, axis=axis)
        if x.type.dtype in DISCRETE and mode in ("mean", "median"):
            found = round_half_to_even(found)
        wide = dimshuffle(cast(found, x.type.dtype), (*range(axis), "x", *range(axis, x.type.ndim - 1)))
        lengths = shape_tuple(x)
        return broadcast_to(wide, (*lengths[:axis], width, *lengths[axis + 1 :]))

    return _around(x, axis, widths, value)


def _count(n: Any) -> Any:
    """How many elements a statistic is of: one or more."""
    n = as_dim(n)
    known, wrong = known_int(n), "pad: stat_length must be 1 or more"
    if known is not None and known < 1:
        raise ValueError(f"{wrong}, got {known}")
    return n if known is not None else require(n, ge(n, 1), wrong)


def _not_empty(x: Any, axis: int, widths: tuple[Any, Any], mode: str) -> tuple[Any, Any]:
    """x and the length of the axis, which has elements if any are added.  Raises ValueError, in the call."""
    n, (before, behind) = shape_i(x, axis), widths
    is_possible = or_(gt(n, 0), and_(eq(before, 0), eq(behind, 0)))
    message = f"pad: an axis without elements has none for mode {mode!r}"
    if x.type.shape[axis] is None:
        x = require(x, is_possible, message)
    return x, require(n, is_possible, message)


def _repeated(x: Any, axis: int, widths: tuple[Any, Any], mode: str, is_odd: bool) -> Any:
    """x with elements of its own before and behind it: all but these are a copy."""
    x, n = _not_empty(x, axis, widths, mode) if is_odd else (x, _not_empty(x, axis, widths, mode)[1])

    def repeated(end: int, width: Any) -> Any:
        at = arange(n, n + width) if end else arange(0 - width, 0)
        inside = getitem(x, (slice(None),) * axis + (_positions(at, n, mode),))
        return _turned(x, axis, inside, at, n, mode) if is_odd and mode in _PERIODS else inside

    return _around(x, axis, widths, repeated)


_PERIODS: dict[str, Callable[[Any], Any]] = {"symmetric": lambda n: 2 * n, "reflect": lambda n: maximum(2 * n - 2, 1)}


def _turned(x: Any, axis: int, mirrored: Any, at: Any, n: Any, mode: str) -> Any:
    """What the even reflection gives as the odd one: each end is a centre of symmetry, so a period adds twice the
    difference of both, and the second half of one is taken from twice the last element."""
    with_axis = (*range(axis), "x", *range(axis, x.type.ndim - 1))
    first, last = (dimshuffle(getitem(x, (slice(None),) * axis + (k,)), with_axis) for k in (0, n - 1))
    period = _PERIODS[mode](n)
    along = tuple(0 if k == axis else "x" for k in range(x.type.ndim))
    periods = cast(dimshuffle(int_div(at, period), along), x.type.dtype)
    is_turned = dimshuffle(ge(mod(at, period), n), along)
    two = constant(2, dtype=x.type.dtype)
    return cast(switch(is_turned, two * last - mirrored, mirrored) + periods * two * (last - first), x.type.dtype)


def _positions(at: Any, n: Any, mode: str) -> Any:
    """Where on an axis of length n the elements are that stand at `at` of an endless one."""
    if mode == "edge":
        return clipped(at, 0, n - 1)
    if mode == "wrap":
        return mod(at, n)
    period = _PERIODS[mode](n)
    at = mod(at, period)
    return switch(lt(at, n), at, period - at - (1 if mode == "symmetric" else 0))
