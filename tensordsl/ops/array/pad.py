"""Tensors with more elements around them: `numpy.pad`, written with indexing and joining."""

from __future__ import annotations

from typing import Any

import numpy as np

from tensordsl.graph.variables import Variable
from tensordsl.ops.array.creation import arange
from tensordsl.ops.array.index import getitem
from tensordsl.ops.array.shape import as_dim, broadcast_to, concatenate, shape_i, shape_tuple
from tensordsl.ops.array.write import set_subtensor
from tensordsl.ops.control import require
from tensordsl.ops.math.comparisons import and_, eq, ge, gt, lt, or_
from tensordsl.ops.math.elementwise import cast, maximum, mod, switch
from tensordsl.ops.math.elementwise import clip as clipped
from tensordsl.ops.operands import as_variable, known_int

Pairs = list[tuple[Any, Any]]  # for each axis: before, behind
MODES = ("constant", "edge", "reflect", "symmetric", "wrap")


def pad(x: Any, pad_width: Any, mode: str = "constant", constant_values: Any = 0) -> Any:
    """x with more elements before and behind those of each axis, as `numpy.pad`.

    pad_width: a number, a pair (before, behind), or a pair for each axis; the numbers may be symbolic.
    mode: "constant"; the last element again ("edge"); mirrored at it ("reflect") or behind it ("symmetric"); or from
    the other end ("wrap").  constant_values: one, a pair, or a pair for each axis; in the dtype of x.

    >>> pad([1, 2, 3], (2, 1)).eval()
    array([0, 0, 1, 2, 3, 0])
    >>> pad([1, 2, 3], 2, mode="reflect").eval()
    array([3, 2, 1, 2, 3, 2, 1])
    """
    if mode not in MODES:
        raise ValueError(f"pad: unknown mode {mode!r}; use one of {', '.join(map(repr, MODES))}")
    x = as_variable(x)
    widths = [(_width(n), _width(m)) for n, m in _pairs(pad_width, x.type.ndim, "pad_width")]
    values = _pairs(constant_values, x.type.ndim, "constant_values")
    padded = [axis for axis, pair in enumerate(widths) if any(known_int(n) != 0 for n in pair)]
    if mode == "constant" and len(padded) > 1 and _is_frame(widths, values):
        return _framed(x, widths, values[0][0])
    for axis in padded:
        if mode == "constant":
            x = _joined(x, axis, widths[axis], values[axis])
        else:
            x = _repeated(x, axis, widths[axis], mode)
    return x


def _pairs(given: Any, ndim: int, what: str) -> Pairs:
    """(before, behind) for each axis."""
    if isinstance(given, np.ndarray):
        given = given.tolist()
    if isinstance(given, Variable) and given.type.ndim:
        raise TypeError(f"pad: {what} is a number, a pair or a pair for each axis; tensors have to be taken apart")
    rows = list(given) if isinstance(given, (list, tuple)) else [given]
    if not any(isinstance(row, (list, tuple)) for row in rows):
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


def _repeated(x: Any, axis: int, widths: tuple[Any, Any], mode: str) -> Any:
    """x with elements of its own before and behind it: all but these are a copy."""
    n, (before, behind) = shape_i(x, axis), widths
    is_possible = or_(gt(n, 0), and_(eq(before, 0), eq(behind, 0)))
    n = require(n, is_possible, f"pad: an axis without elements has none for mode {mode!r}")
    around = []
    for width, first, last in ((before, 0 - before, 0), (behind, n, n + behind)):
        at = _positions(arange(first, last), n, mode)
        around.append([] if known_int(width) == 0 else [getitem(x, (slice(None),) * axis + (at,))])
    return concatenate([*around[0], x, *around[1]], axis)


def _positions(at: Any, n: Any, mode: str) -> Any:
    """Where on an axis of length n the elements are that stand at `at` of an endless one."""
    if mode == "edge":
        return clipped(at, 0, n - 1)
    if mode == "wrap":
        return mod(at, n)
    period = 2 * n if mode == "symmetric" else maximum(2 * n - 2, 1)
    at = mod(at, period)
    return switch(lt(at, n), at, period - at - (1 if mode == "symmetric" else 0))
