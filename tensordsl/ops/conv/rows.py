"""Convolutions: correlations of 1 to 3 spatial axes, and their gradients by either operand.

x is (N, C, *S), the weights w are (O, C / groups, *K), the result y and its cotangents (N, O, *Q):
y[n, o, q] = sum over c, k of x[n, c + the first channel of o's group, stride q + dilation k - before] w[o, c, k].
The three rows are closed under differentiation, as each is linear in both of its operands.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from tensordsl.base.records import record
from tensordsl.graph.types import INTEGERS
from tensordsl.graph.variables import Dims, Kernel, Op, apply
from tensordsl.ops.array.shape import shape_i
from tensordsl.ops.lengths import LENGTHS

Padding = str | tuple[tuple[int, int], ...]  # "valid", "half", "full", or what is added before and behind each axis


@record
class Geometry:
    """Where windows lie: the attributes of the three rows.  flip: the taps are read from the last to the first."""

    strides: tuple[int, ...]
    dilation: tuple[int, ...]
    padding: Padding
    groups: int = 1
    flip: bool = False


# -- rules -----------------------------------------------------------------------------------------------------------
def extent_of_taps(d: Dims, k: Any, dilation: int) -> Any:
    """How many elements k taps reach over."""
    return d.add(d.mul(d.sub(k, 1), dilation), 1)


def pads(d: Dims, padding: Padding, axis: int, k: Any, dilation: int) -> tuple[Any, Any]:
    """What is added before and behind an axis, for k taps."""
    if not isinstance(padding, str):
        return padding[axis]
    reach = extent_of_taps(d, k, dilation)
    if padding == "valid":
        return 0, 0
    n = d.floordiv(reach, 2) if padding == "half" else d.sub(reach, 1)
    return n, n


def output_lengths(d: Dims, lengths: Sequence[Any], kernel: Sequence[Any], at: Geometry) -> list[Any]:
    """(n + before + behind - ((k - 1) dilation + 1)) // stride + 1 for each axis."""
    found = []
    for axis, (n, k) in enumerate(zip(lengths, kernel, strict=True)):
        before, behind = pads(d, at.padding, axis, k, at.dilation[axis])
        room = d.sub(d.add(n, d.add(before, behind)), extent_of_taps(d, k, at.dilation[axis]))
        if k == 0 or (isinstance(room, int) and room < 0):
            raise ValueError(
                f"a kernel of length {k} (dilation {at.dilation[axis]}) does not fit into spatial axis {axis}, "
                f"of length {n} with {before} + {behind} elements of padding"
            )
        found.append(d.add(d.floordiv(room, at.strides[axis]), 1))
    return found


def _dtype(x: str, y: str, *lengths: str, **attrs: Any) -> str:
    if x != y or x == "bool":
        raise TypeError(f"wants operands of one dtype other than bool, got {x} and {y}")
    if any(t not in INTEGERS for t in lengths):
        raise TypeError(f"wants integers as lengths, got {', '.join(lengths)}")
    return x


def _axes(d: Dims, operand: Any, at: Geometry, what: str) -> tuple[Any, Any, tuple[Any, ...]]:
    shape = d.shape(operand)
    if len(shape) != len(at.strides) + 2:
        raise ValueError(f"{what} has {len(shape)} axes, where {len(at.strides)} spatial axes behind two are wanted")
    return shape[0], shape[1], shape[2:]


def _of_group(d: Dims, channels: Any, groups: int, what: str) -> Any:
    each = d.floordiv(channels, groups)
    d.same(d.mul(each, groups), channels, f"the {what} are no multiple of the {groups} groups")
    return each


def _conv_shape(d: Dims, x: Any, w: Any, **attrs: Any) -> tuple[Any, ...]:
    at = Geometry(**attrs)
    n, c, lengths = _axes(d, x, at, "the input")
    o, of_group, kernel = _axes(d, w, at, "the array of weights")
    d.same(c, d.mul(of_group, at.groups), f"channels of the input, and of the weights in {at.groups} groups")
    _of_group(d, o, at.groups, "output channels")
    return (n, o, *output_lengths(d, lengths, kernel, at))


def _inputs_shape(d: Dims, w: Any, g: Any, *dims: Any, **attrs: Any) -> tuple[Any, ...]:
    at = Geometry(**attrs)
    n, channels, found = _axes(d, g, at, "the gradient of the result")
    o, of_group, kernel = _axes(d, w, at, "the array of weights")
    d.same(channels, o, "channels of the result, and of the weights")
    _of_group(d, o, at.groups, "output channels")
    lengths = [d.value(n) for n in dims]
    _same_lengths(d, found, output_lengths(d, lengths, kernel, at))
    return (n, d.mul(of_group, at.groups), *lengths)


def _weights_shape(d: Dims, x: Any, g: Any, *dims: Any, **attrs: Any) -> tuple[Any, ...]:
    at = Geometry(**attrs)
    n, c, lengths = _axes(d, x, at, "the input")
    count, o, found = _axes(d, g, at, "the gradient of the result")
    d.same(n, count, "the numbers of inputs and of results")
    of_group = _of_group(d, c, at.groups, "input channels")
    _of_group(d, o, at.groups, "output channels")
    kernel = [d.value(k) for k in dims]
    _same_lengths(d, found, output_lengths(d, lengths, kernel, at))
    return (o, of_group, *kernel)


def _same_lengths(d: Dims, found: Sequence[Any], wanted: Sequence[Any]) -> None:
    for axis, (n, m) in enumerate(zip(found, wanted, strict=True)):
        d.same(n, m, f"spatial axis {axis} of the result has another length than its operands give")


# -- the same in NumPy: one tap after the other ------------------------------------------------------------------------
def _wide(dtype: Any) -> Any:
    return np.result_type(dtype, "float64") if np.dtype(dtype).kind in "fc" else np.dtype(dtype)


def _taps(at: Geometry, kernel: Sequence[int], result: Sequence[int]) -> Any:
    """Each tap, and the elements of the padded input that it meets."""
    for tap in itertools.product(*map(range, kernel)):
        where = [slice(None), slice(None), slice(None)]
        for k, count, n, s, dilation in zip(tap, kernel, result, at.strides, at.dilation, strict=True):
            first = (count - 1 - k if at.flip else k) * dilation
            where.append(slice(first, first + (n - 1) * s + 1 if n else first, s))
        yield tap, tuple(where)


def _padded(x: Any, kernel: Sequence[int], at: Geometry) -> tuple[Any, list[tuple[int, int]]]:
    around = [pads(LENGTHS, at.padding, a, k, at.dilation[a]) for a, k in enumerate(kernel)]
    least = [(max(before, 0), max(behind, 0)) for before, behind in around]
    x = np.asarray(x, _wide(x.dtype))
    wide = np.pad(x, [(0, 0), (0, 0), *least])
    return wide.reshape(x.shape[0], at.groups, -1 if x.size else x.shape[1] // at.groups, *wide.shape[2:]), around


def _numpy_conv(x: Any, w: Any, **attrs: Any) -> Any:
    at, kernel, shape = Geometry(**attrs), w.shape[2:], _conv_shape(LENGTHS, x, w, **attrs)
    found = shape[2:]
    wide, _ = _padded(x, kernel, at)
    parts = np.asarray(w, wide.dtype).reshape(at.groups, w.shape[0] // at.groups, *w.shape[1:])
    y = np.zeros((x.shape[0], at.groups, w.shape[0] // at.groups, *found), wide.dtype)
    with np.errstate(all="ignore"):
        for tap, where in _taps(at, kernel, found):
            y += np.einsum("ngc...,goc->ngo...", wide[where], parts[(..., *tap)])
        return y.reshape(shape).astype(x.dtype)


def _numpy_inputs(w: Any, g: Any, *lengths: Any, **attrs: Any) -> Any:
    at, kernel, sizes = Geometry(**attrs), w.shape[2:], [int(n) for n in lengths]
    x = np.zeros(_inputs_shape(LENGTHS, w, g, *sizes, **attrs), w.dtype)
    wide, around = _padded(x, kernel, at)
    each = w.shape[0] // at.groups
    parts = np.asarray(w, wide.dtype).reshape(at.groups, each, *w.shape[1:])
    upper = np.asarray(g, wide.dtype).reshape(g.shape[0], at.groups, each, *g.shape[2:])
    with np.errstate(all="ignore"):
        for tap, where in _taps(at, kernel, g.shape[2:]):
            wide[where] += np.einsum("ngo...,goc->ngc...", upper, parts[(..., *tap)])
        inner = tuple(slice(before, before + n) for (before, _), n in zip(around, sizes, strict=True))
        return wide[(slice(None), slice(None), slice(None), *inner)].reshape(x.shape).astype(w.dtype)


def _numpy_weights(x: Any, g: Any, *lengths: Any, **attrs: Any) -> Any:
    at, kernel = Geometry(**attrs), [int(k) for k in lengths]
    shape = _weights_shape(LENGTHS, x, g, *kernel, **attrs)
    wide, _ = _padded(x, kernel, at)
    of_group, each = x.shape[1] // at.groups, g.shape[1] // at.groups
    w = np.zeros((at.groups, each, of_group, *kernel), wide.dtype)
    upper = np.asarray(g, wide.dtype).reshape(g.shape[0], at.groups, each, *g.shape[2:])
    with np.errstate(all="ignore"):
        for tap, where in _taps(at, kernel, g.shape[2:]):
            w[(..., *tap)] = np.einsum("ngcz,ngoz->goc", *(v.reshape(*v.shape[:3], -1 if v.size else 0)
                                                          for v in (wide[where], upper)))  # fmt: skip
        return w.reshape(shape).astype(x.dtype)


# -- gradients ---------------------------------------------------------------------------------------------------------
def lengths_of(x: Any) -> list[Any]:
    return [shape_i(x, k) for k in range(2, x.type.ndim)]


def _conv_gradient(g: Any, out: Any, x: Any, w: Any, **attrs: Any) -> Sequence[Any]:
    return apply(CONV_INPUTS, w, g, *lengths_of(x), **attrs), apply(CONV_WEIGHTS, x, g, *lengths_of(w), **attrs)


def _inputs_gradient(t: Any, out: Any, w: Any, g: Any, *lengths: Any, **attrs: Any) -> Sequence[Any]:
    by_weights = apply(CONV_WEIGHTS, t, g, *lengths_of(w), **attrs)
    return by_weights, apply(CONV, t, w, **attrs), *(None for _ in lengths)


def _weights_gradient(t: Any, out: Any, x: Any, g: Any, *lengths: Any, **attrs: Any) -> Sequence[Any]:
    return apply(CONV_INPUTS, t, g, *lengths_of(x), **attrs), apply(CONV, x, t, **attrs), *(None for _ in lengths)


CONV = Op("conv", _dtype, _conv_shape, _numpy_conv, Kernel("conv"), _conv_gradient, ulp=64)
CONV_INPUTS = Op("conv_inputs", _dtype, _inputs_shape, _numpy_inputs, Kernel("conv_inputs"), _inputs_gradient, ulp=64)
CONV_WEIGHTS = Op(
    "conv_weights", _dtype, _weights_shape, _numpy_weights, Kernel("conv_weights"), _weights_gradient, ulp=64
)
ROWS = (CONV, CONV_INPUTS, CONV_WEIGHTS)
