"""Convolutions as products: the windows of an input, read by places of its padded planes, times the weights.

In         variables, lengths as variables, a `rows.Geometry`.
Out        the same as the three rows give, of other rows; of all dtypes, any lengths, and differentiable by hand.
Windows are one tensor of (channels and taps) by (images and positions), as large as the input times the taps.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tensordsl.base.records import record
from tensordsl.ops.array.creation import arange, zeros
from tensordsl.ops.array.index import getitem
from tensordsl.ops.array.pad import pad
from tensordsl.ops.array.shape import dimshuffle, reshape, shape_i
from tensordsl.ops.array.write import inc_subtensor
from tensordsl.ops.control import require
from tensordsl.ops.conv.rows import Geometry, lengths_of, output_lengths, pads
from tensordsl.ops.lengths import LENGTHS
from tensordsl.ops.linalg.products import batched_dot, dot
from tensordsl.ops.math.comparisons import and_, ge
from tensordsl.ops.operands import known_int


@record
class Windows:
    """`places` (taps, positions): where each tap at each position of the result lies in a padded plane of `lengths`;
    `around` is the padding."""

    places: Any
    around: Any
    lengths: Any


def windows(lengths: Sequence[Any], kernel: Sequence[Any], result: Sequence[Any], at: Geometry) -> Windows:
    """Of variables."""
    rank = len(kernel)
    around = [pads(LENGTHS, at.padding, a, k, at.dilation[a]) for a, k in enumerate(kernel)]
    padded = [n + before + behind for n, (before, behind) in zip(lengths, around, strict=True)]
    places: Any = 0
    for axis, (k, q) in enumerate(zip(kernel, result, strict=True)):
        taps = arange(k) if not at.flip else k - 1 - arange(k)
        order = ["x"] * (2 * rank)
        order[axis] = 0  # type: ignore[call-overload]
        taps = dimshuffle(taps * at.dilation[axis], order)
        order[axis], order[rank + axis] = "x", 0  # type: ignore[call-overload]
        places = places * padded[axis] + (taps + dimshuffle(arange(q) * at.strides[axis], order))
    return Windows(reshape(places, (_product(kernel), _product(result)), ndim=2), around, padded)


def _product(lengths: Sequence[Any]) -> Any:
    total = lengths[0]
    for n in lengths[1:]:
        total = total * n
    return total


def _fitting(x: Any, lengths: Sequence[Any], kernel: Sequence[Any], at: Geometry) -> Any:
    """x, where a call makes sure that kernels have taps and fit."""
    for axis, (n, k) in enumerate(zip(lengths, kernel, strict=True)):
        if known_int(n) is not None and known_int(k) is not None:
            continue  # the shape rule has looked
        before, behind = pads(LENGTHS, at.padding, axis, k, at.dilation[axis])
        fits = and_(ge(k, 1), ge(n + before + behind, (k - 1) * at.dilation[axis] + 1))
        x = require(x, fits, f"convolution: a kernel is empty, or does not fit into padded spatial axis {axis}")
    return x


def _columns(x: Any, wins: Windows, groups: int) -> Any:
    """(groups, channels of a group and taps, images and positions): what each row of weights is multiplied by."""
    x = pad(x, [(0, 0), (0, 0), *wins.around]) if any(known_pad != (0, 0) for known_pad in wins.around) else x
    n, c = shape_i(x, 0), shape_i(x, 1)
    planes = reshape(x, (n, c, _product(wins.lengths)), ndim=3)
    taken = dimshuffle(getitem(planes, (slice(None), slice(None), wins.places)), (1, 2, 0, 3))
    taps, positions = shape_i(wins.places, 0), shape_i(wins.places, 1)
    return reshape(taken, (groups, c // groups * taps, n * positions), ndim=3)


def _rows_of(y: Any, groups: int) -> Any:
    """(groups, channels of a group, images and positions) of (N, O, *Q)."""
    n, o = shape_i(y, 0), shape_i(y, 1)
    positions = _product(lengths_of(y))
    flat = dimshuffle(reshape(y, (n, o, positions), ndim=3), (1, 0, 2))
    return reshape(flat, (groups, o // groups, n * positions), ndim=3)


def _matrix_of(w: Any, groups: int) -> Any:
    """(groups, output channels, channels and taps) of a group."""
    o = shape_i(w, 0)
    return reshape(w, (groups, o // groups, shape_i(w, 1) * _product(lengths_of(w))), ndim=3)


def _times(x: Any, y: Any, groups: int) -> Any:
    if groups > 1:
        return batched_dot(x, y)
    return dimshuffle(dot(getitem(x, 0), getitem(y, 0)), ("x", 0, 1))


def conv_of_windows(x: Any, w: Any, **attrs: Any) -> Any:
    """`conv` by a product of the weights with all windows."""
    at = Geometry(**attrs)
    kernel, n, o = lengths_of(w), shape_i(x, 0), shape_i(w, 0)
    x = _fitting(x, lengths_of(x), kernel, at)
    result = output_lengths(LENGTHS, lengths_of(x), kernel, at)
    wins = windows(lengths_of(x), kernel, result, at)
    y = _times(_matrix_of(w, at.groups), _columns(x, wins, at.groups), at.groups)
    y = dimshuffle(reshape(y, (o, n, _product(result)), ndim=3), (1, 0, 2))
    return reshape(y, (n, o, *result), ndim=2 + len(result))


def inputs_of_windows(w: Any, g: Any, *lengths: Any, **attrs: Any) -> Any:
    """`conv_inputs`: what every window gets, added where it lies."""
    at = Geometry(**attrs)
    kernel, n, of_group = lengths_of(w), shape_i(g, 0), shape_i(w, 1)
    g = _fitting(g, lengths, kernel, at)
    wins = windows(lengths, kernel, lengths_of(g), at)
    matrix = dimshuffle(_matrix_of(w, at.groups), (0, 2, 1))
    columns = _times(matrix, _rows_of(g, at.groups), at.groups)
    taps, positions, c = shape_i(wins.places, 0), shape_i(wins.places, 1), of_group * at.groups
    columns = dimshuffle(reshape(columns, (c, taps, n, positions), ndim=4), (2, 0, 1, 3))
    planes = zeros((n, c, _product(wins.lengths)), w.type.dtype)
    planes = inc_subtensor(getitem(planes, (slice(None), slice(None), wins.places)), columns)
    wide = reshape(planes, (n, c, *wins.lengths), ndim=2 + len(kernel))
    inner = [slice(before, before + size) for (before, _), size in zip(wins.around, lengths, strict=True)]
    return getitem(wide, (slice(None), slice(None), *inner))


def weights_of_windows(x: Any, g: Any, *lengths: Any, **attrs: Any) -> Any:
    """`conv_weights`: a product of the gradient with all windows."""
    at = Geometry(**attrs)
    o, c = shape_i(g, 1), shape_i(x, 1)
    x = _fitting(x, lengths_of(x), lengths, at)
    wins = windows(lengths_of(x), lengths, lengths_of(g), at)
    columns = dimshuffle(_columns(x, wins, at.groups), (0, 2, 1))
    w = _times(_rows_of(g, at.groups), columns, at.groups)
    return reshape(w, (o, c // at.groups, *lengths), ndim=2 + len(lengths))
