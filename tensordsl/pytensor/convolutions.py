"""Convolutions: a loop over the kernel's elements, each a multiple of a window of the input.

Contract  `Convolve1d`, `Convolve2d`: two arrays, and whether the result is the full one, as of SciPy's `convolve`.
"""

from __future__ import annotations

import functools
import operator
from typing import Any

from tensordsl.graph.variables import Constant
from tensordsl.ops.control import ifelse, loop_index, make_loop, parameter_like, require
from tensordsl.pytensor.conversion import Conversion, Missing, T, as_dtype, converts


@converts("Convolve1d", "Convolve2d")
def _convolution(c: Conversion, node: Any, inputs: list[Any]) -> Any:
    dtype, (x, y, full) = node.outputs[0].type.dtype, inputs
    if dtype == "bool":
        raise Missing
    x, y = as_dtype(x, dtype), as_dtype(y, dtype)
    for v in (x, y):
        x = require(x, T.all([T.gt(v.shape[k], 0) for k in range(v.ndim)]), "convolve: an input is empty")
    if isinstance(full, Constant):
        return _full(x, y) if bool(full.data) else _valid(x, y)
    return _either(full, _full(x, y), _valid(x, y))


def _either(condition: Any, then: Any, orelse: Any) -> Any:
    found = ifelse(condition, [then], [orelse])
    return found[0] if isinstance(found, list | tuple) else found


def _full(x: Any, y: Any) -> Any:
    axes = range(x.ndim)
    margins = [y.shape[k] - 1 for k in axes]
    room = T.zeros([x.shape[k] + 2 * m for k, m in zip(axes, margins, strict=True)], dtype=x.dtype)
    place = tuple([slice(m, m + x.shape[k]) for k, m in zip(axes, margins, strict=True)])
    return _windows(T.set_subtensor(room[place], x), y)


def _valid(x: Any, y: Any) -> Any:
    """The smaller one is the kernel."""
    axes = range(x.ndim)
    larger = T.all([T.ge(x.shape[k], y.shape[k]) for k in axes])
    smaller = T.all([T.le(x.shape[k], y.shape[k]) for k in axes])
    x = require(x, T.or_(larger, smaller), "convolve: in mode 'valid' one input must be at least as large on all axes")
    return _either(larger, _windows(x, y), _windows(y, x))


def _windows(x: Any, y: Any) -> Any:
    """The sums over the kernel y at all places where it lies within x."""
    axes = range(x.ndim)
    lengths = [T.maximum(x.shape[k] - y.shape[k] + 1, 0) for k in axes]
    start = T.zeros(lengths, dtype=x.dtype)
    index, total = loop_index(), parameter_like(start)
    at: Any = index
    places: list[Any] = []
    for k in reversed(axes):
        places.insert(0, at % y.shape[k])
        at = at // y.shape[k]
    starts = [y.shape[k] - 1 - p for k, p in zip(axes, places, strict=True)]
    window = x[tuple([slice(s, s + n) for s, n in zip(starts, lengths, strict=True)])]
    count = functools.reduce(operator.mul, [y.shape[k] for k in axes])
    (found,) = make_loop(count, index, [total], [start], [total + y[tuple(places)] * window], name="convolve")
    return found
