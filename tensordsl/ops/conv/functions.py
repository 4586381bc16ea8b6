"""Layers of convolutions: `conv2d`, `conv3d`, their gradients and transposes, as Theano has them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tensordsl.graph.casting import upcast
from tensordsl.graph.types import COMPLEX, FLOATS
from tensordsl.graph.variables import OpShapeError, OpTypeError, apply
from tensordsl.ops.array.arrange import specify_shape
from tensordsl.ops.array.shape import as_dims, dimshuffle
from tensordsl.ops.conv.rows import CONV, CONV_INPUTS, CONV_WEIGHTS
from tensordsl.ops.conv.shapes import groups_of, hint_of, padding_of, steps_of
from tensordsl.ops.math.elementwise import cast
from tensordsl.ops.operands import as_variable, known_int


def _attributes(rank: int, border_mode: Any, subsample: Any, flip: Any, dilation: Any, groups: Any) -> dict[str, Any]:
    return {
        "strides": steps_of(subsample, rank, "subsample"), "dilation": steps_of(dilation, rank, "filter_dilation"),
        "padding": padding_of(border_mode, rank), "groups": groups_of(groups), "flip": bool(flip),
    }  # fmt: skip


def _operands(what: str, rank: int, **given: Any) -> list[Any]:
    """Operands, each with the shape that is said of it, in their common dtype."""
    found = []
    for name, (value, shape) in given.items():
        v = as_variable(value)
        if v.type.ndim != rank + 2:
            raise OpShapeError(f"{what}: {name} must have {rank + 2} axes, got {v.type}")
        hint = hint_of(shape, rank + 2, f"{what}: the shape of {name}")
        found.append(v if hint is None or not any(n is not None for n in hint) else _of_shape(v, hint, what, name))
    dtype = upcast(*(v.type.dtype for v in found))
    if dtype not in FLOATS and dtype not in COMPLEX:
        dtypes = " and ".join(v.type.dtype for v in found)
        raise OpTypeError(f"{what}: wants floats, got {dtypes}: cast the pictures, as by x.astype(config.floatX)")
    return [cast(v, dtype) for v in found]


def _of_shape(v: Any, hint: Sequence[int | None], what: str, name: str) -> Any:
    try:
        return specify_shape(v, hint)
    except ValueError:
        raise OpShapeError(f"{what}: {name} is said to have the shape {tuple(hint)}, but is {v.type}") from None


def _no_unshared(what: str, unshared: bool) -> None:
    if unshared:
        raise NotImplementedError(f"{what}: unshared weights are not built yet")


def _image_shape(what: str, input_shape: Any, image_shape: Any, others: dict[str, Any]) -> Any:
    if others:
        raise ValueError(f"{what}: takes no {', '.join(others)}: shapes are input_shape and filter_shape")
    if None not in (input_shape, image_shape):
        raise ValueError(f"{what}: image_shape is the old name of input_shape: give one of them")
    return image_shape if input_shape is None else input_shape


def conv2d(
    input: Any, filters: Any, input_shape: Any = None, filter_shape: Any = None, border_mode: Any = "valid",
    subsample: Any = (1, 1), filter_flip: bool = True, image_shape: Any = None, filter_dilation: Any = (1, 1),
    num_groups: int = 1, unshared: bool = False, **kwargs: Any,
) -> Any:  # fmt: skip
    """Convolutions of pictures (batch, channels, rows, columns) with filters (outputs, channels, rows, columns).

    Parameters
    ----------
    input_shape, filter_shape : the shapes, with None for lengths that are not known; calls check them.
    border_mode : "valid"; "half": as many zeros around as half of a filter has; "full": one less than a filter has;
        a number of zeros, one for each axis, or a pair (before, behind) for each.
    subsample : steps between windows.   filter_dilation : steps between the elements of a filter.
    filter_flip : True: filters are read backwards, as a convolution in mathematics; False: correlation.
    num_groups : channels and filters in so many groups, each by itself; filters have the channels of one group.

    The result has (n + before + behind - ((k - 1) dilation + 1)) // step + 1 rows and columns.  Raises ValueError where
    shapes contradict each other or filters do not fit, TypeError for integers.

    >>> x, w = as_variable([[[[1.0, 2.0, 3.0]]]]), as_variable([[[[1.0, 10.0]]]])
    >>> conv2d(x, w).eval(), conv2d(x, w, filter_flip=False, border_mode=(0, 1)).eval()
    (array([[[[12., 23.]]]]), array([[[[10., 21., 32.,  3.]]]]))
    """
    input_shape = _image_shape("conv2d", input_shape, image_shape, kwargs)
    _no_unshared("conv2d", unshared)
    x, w = _operands("conv2d", 2, input=(input, input_shape), filters=(filters, filter_shape))
    return apply(CONV, x, w, **_attributes(2, border_mode, subsample, filter_flip, filter_dilation, num_groups))


def conv3d(
    input: Any, filters: Any, input_shape: Any = None, filter_shape: Any = None, border_mode: Any = "valid",
    subsample: Any = (1, 1, 1), filter_flip: bool = True, filter_dilation: Any = (1, 1, 1), num_groups: int = 1,
) -> Any:  # fmt: skip
    """`conv2d` of volumes (batch, channels, depth, rows, columns).

    >>> conv3d(as_variable([[[[[1.0, 2.0]]]]]), as_variable([[[[[3.0]]]]])).eval()
    array([[[[[3., 6.]]]]])
    """
    x, w = _operands("conv3d", 3, input=(input, input_shape), filters=(filters, filter_shape))
    return apply(CONV, x, w, **_attributes(3, border_mode, subsample, filter_flip, filter_dilation, num_groups))


def _lengths(what: str, shape: Any, rank: int) -> list[Any]:
    """The last lengths of a shape, whose entries, if it is a sequence, may be None."""
    if isinstance(shape, tuple | list):
        shape = tuple(shape)[-rank:]
        if len(shape) != rank or any(n is None for n in shape):
            raise ValueError(f"{what}: the last {rank} lengths of the result's shape must be given, got {shape!r}")
        return as_dims(shape)
    shape = as_variable(shape)
    if shape.type.ndim != 1:
        raise OpShapeError(f"{what}: a shape must be a sequence or a vector, got {shape.type}")
    return [shape[k - rank] for k in range(rank)]


def _of_channels(found: Any, shape: Any, what: str) -> Any:
    """A result, where the shape that is said of it is a sequence: with its first two lengths as a call checks them."""
    if not isinstance(shape, tuple | list) or len(shape) != found.type.ndim:
        return found
    hint = [known_int(n) if hasattr(n, "type") else n for n in shape[:2]]
    if all(n is None for n in hint):
        return found
    return _of_shape(found, (*hint, *(None for _ in shape[2:])), what, "the result")


def _by_inputs(
    what: str, rank: int, output_grad: Any, filters: Any, input_shape: Any, filter_shape: Any, **attrs: Any
) -> Any:
    w, g = _operands(what, rank, filters=(filters, filter_shape), output_grad=(output_grad, None))
    return _of_channels(apply(CONV_INPUTS, w, g, *_lengths(what, input_shape, rank), **attrs), input_shape, what)


def _by_weights(
    what: str, rank: int, input: Any, output_grad: Any, filter_shape: Any, input_shape: Any, **attrs: Any
) -> Any:
    x, g = _operands(what, rank, input=(input, input_shape), output_grad=(output_grad, None))
    return _of_channels(apply(CONV_WEIGHTS, x, g, *_lengths(what, filter_shape, rank), **attrs), filter_shape, what)


def conv2d_grad_wrt_inputs(
    output_grad: Any, filters: Any, input_shape: Any, filter_shape: Any = None, border_mode: Any = "valid",
    subsample: Any = (1, 1), filter_flip: bool = True, filter_dilation: Any = (1, 1), num_groups: int = 1,
    unshared: bool = False,
) -> Any:  # fmt: skip
    """The gradient of `conv2d` by its input, from that of its result; input_shape: the shape of the input.

    >>> g, w = as_variable([[[[1.0, 2.0]]]]), as_variable([[[[1.0, 10.0]]]])
    >>> conv2d_grad_wrt_inputs(g, w, (1, 1, 1, 3), filter_flip=False).eval()
    array([[[[ 1., 12., 20.]]]])
    """
    what = "conv2d_grad_wrt_inputs"
    _no_unshared(what, unshared)
    attrs = _attributes(2, border_mode, subsample, filter_flip, filter_dilation, num_groups)
    return _by_inputs(what, 2, output_grad, filters, input_shape, filter_shape, **attrs)


def conv3d_grad_wrt_inputs(
    output_grad: Any, filters: Any, input_shape: Any, filter_shape: Any = None, border_mode: Any = "valid",
    subsample: Any = (1, 1, 1), filter_flip: bool = True, filter_dilation: Any = (1, 1, 1), num_groups: int = 1,
) -> Any:  # fmt: skip
    """`conv2d_grad_wrt_inputs` of volumes.

    >>> g, w = as_variable([[[[[1.0, 2.0]]]]]), as_variable([[[[[1.0, 10.0]]]]])
    >>> conv3d_grad_wrt_inputs(g, w, (1, 1, 1, 1, 3), filter_flip=False).eval()
    array([[[[[ 1., 12., 20.]]]]])
    """
    attrs = _attributes(3, border_mode, subsample, filter_flip, filter_dilation, num_groups)
    return _by_inputs("conv3d_grad_wrt_inputs", 3, output_grad, filters, input_shape, filter_shape, **attrs)


def conv2d_grad_wrt_weights(
    input: Any, output_grad: Any, filter_shape: Any, input_shape: Any = None, border_mode: Any = "valid",
    subsample: Any = (1, 1), filter_flip: bool = True, filter_dilation: Any = (1, 1), num_groups: int = 1,
    unshared: bool = False,
) -> Any:  # fmt: skip
    """The gradient of `conv2d` by its filters, from that of its result; filter_shape: the shape of the filters.

    >>> x, g = as_variable([[[[1.0, 2.0, 3.0]]]]), as_variable([[[[1.0, 10.0]]]])
    >>> conv2d_grad_wrt_weights(x, g, (1, 1, 1, 2), filter_flip=False).eval()
    array([[[[21., 32.]]]])
    """
    what = "conv2d_grad_wrt_weights"
    _no_unshared(what, unshared)
    attrs = _attributes(2, border_mode, subsample, filter_flip, filter_dilation, num_groups)
    return _by_weights(what, 2, input, output_grad, filter_shape, input_shape, **attrs)


def conv3d_grad_wrt_weights(
    input: Any, output_grad: Any, filter_shape: Any, input_shape: Any = None, border_mode: Any = "valid",
    subsample: Any = (1, 1, 1), filter_flip: bool = True, filter_dilation: Any = (1, 1, 1), num_groups: int = 1,
) -> Any:  # fmt: skip
    """`conv2d_grad_wrt_weights` of volumes.

    >>> x, g = as_variable([[[[[1.0, 2.0, 3.0]]]]]), as_variable([[[[[1.0, 10.0]]]]])
    >>> conv3d_grad_wrt_weights(x, g, (1, 1, 1, 1, 2), filter_flip=False).eval()
    array([[[[[21., 32.]]]]])
    """
    attrs = _attributes(3, border_mode, subsample, filter_flip, filter_dilation, num_groups)
    return _by_weights("conv3d_grad_wrt_weights", 3, input, output_grad, filter_shape, input_shape, **attrs)


def conv2d_transpose(
    input: Any, filters: Any, output_shape: Any, filter_shape: Any = None, border_mode: Any = "valid",
    input_dilation: Any = (1, 1), filter_flip: bool = True, filter_dilation: Any = (1, 1), num_groups: int = 1,
    unshared: bool = False,
) -> Any:  # fmt: skip
    """A transposed convolution: what `conv2d` with these filters (channels of the input first) would give the input of.

    output_shape: (batch, channels, rows, columns), of which the last two are needed.   input_dilation: the steps of
    that convolution.

    >>> x, w = as_variable([[[[1.0, 2.0]]]]), as_variable([[[[1.0, 10.0, 100.0]]]])
    >>> conv2d_transpose(x, w, (None, None, 1, 5), input_dilation=(1, 2), filter_flip=False).eval()
    array([[[[  1.,  10., 102.,  20., 200.]]]])
    """
    _no_unshared("conv2d_transpose", unshared)
    attrs = _attributes(2, border_mode, input_dilation, filter_flip, filter_dilation, num_groups)
    return _by_inputs("conv2d_transpose", 2, input, filters, output_shape, filter_shape, **attrs)


def separable_conv2d(
    input: Any, depthwise_filters: Any, pointwise_filters: Any, num_channels: int, input_shape: Any = None,
    depthwise_filter_shape: Any = None, pointwise_filter_shape: Any = None, border_mode: Any = "valid",
    subsample: Any = (1, 1), filter_flip: bool = True, filter_dilation: Any = (1, 1),
) -> Any:  # fmt: skip
    """A filter for each of num_channels channels, then one of 1 x 1 over all channels.

    >>> x, w = as_variable([[[[1.0, 2.0]], [[3.0, 4.0]]]]), as_variable([[[[1.0]]], [[[10.0]]]])
    >>> separable_conv2d(x, w, as_variable([[[[1.0]], [[1.0]]]]), 2).eval()
    array([[[[31., 42.]]]])
    """
    deep = conv2d(
        input, depthwise_filters, input_shape, depthwise_filter_shape, border_mode, subsample, filter_flip,
        filter_dilation=filter_dilation, num_groups=num_channels,
    )  # fmt: skip
    return conv2d(deep, pointwise_filters, None, pointwise_filter_shape, filter_flip=filter_flip)


def separable_conv3d(
    input: Any, depthwise_filters: Any, pointwise_filters: Any, num_channels: int, input_shape: Any = None,
    depthwise_filter_shape: Any = None, pointwise_filter_shape: Any = None, border_mode: Any = "valid",
    subsample: Any = (1, 1, 1), filter_flip: bool = True, filter_dilation: Any = (1, 1, 1),
) -> Any:  # fmt: skip
    """`separable_conv2d` of volumes.

    >>> x, w = as_variable([[[[[1.0, 2.0]]], [[[3.0, 4.0]]]]]), as_variable([[[[[1.0]]]], [[[[10.0]]]]])
    >>> separable_conv3d(x, w, as_variable([[[[[1.0]]], [[[1.0]]]]]), 2).eval()
    array([[[[[31., 42.]]]]])
    """
    deep = conv3d(
        input, depthwise_filters, input_shape, depthwise_filter_shape, border_mode, subsample, filter_flip,
        filter_dilation, num_channels,
    )  # fmt: skip
    return conv3d(deep, pointwise_filters, None, pointwise_filter_shape, filter_flip=filter_flip)


def causal_conv1d(
    input: Any, filters: Any, filter_shape: Any, input_shape: Any = None, subsample: int = 1,
    filter_flip: bool = True, filter_dilation: int = 1, num_groups: int = 1, unshared: bool = False,
) -> Any:  # fmt: skip
    """Convolutions of sequences (batch, channels, time) with filters (output channels, channels, time), in which no
    result depends on what comes later: zeros stand before the input.  filter_shape: that of the filters.

    >>> x, w = as_variable([[[1.0, 2.0, 3.0]]]), as_variable([[[1.0, 10.0]]])
    >>> causal_conv1d(x, w, (1, 1, 2)).eval()
    array([[[ 1., 12., 23.]]])
    """
    _no_unshared("causal_conv1d", unshared)
    hint = hint_of(filter_shape, 3, "causal_conv1d: filter_shape")
    x, w = _operands("causal_conv1d", 1, input=(input, input_shape), filters=(filters, filter_shape))
    taps = hint[2] if hint is not None and hint[2] is not None else w.type.shape[2]
    if taps is None:
        raise ValueError(f"causal_conv1d: filter_shape must tell the length of the filters, got {filter_shape!r}")
    (dilation,) = steps_of(filter_dilation, 1, "filter_dilation")
    before = ((max(taps - 1, 0) * dilation, 0),)
    return apply(CONV, x, w, **_attributes(1, before, subsample, filter_flip, dilation, num_groups))


def conv3d_of_frames(
    signals: Any, filters: Any, signals_shape: Any = None, filters_shape: Any = None, border_mode: Any = "valid"
) -> Any:
    """`conv3d` with time before channels, as Theano's `conv3d2d`: signals (batch, time, channels, rows, columns),
    filters (outputs, time, channels, rows, columns).

    >>> conv3d_of_frames(as_variable([[[[[1.0, 2.0]]]]]), as_variable([[[[[3.0]]]]])).eval()
    array([[[[[3., 6.]]]]])
    """
    order, moved = (0, 2, 1, 3, 4), []
    for name, value, shape in (("signals", signals, signals_shape), ("filters", filters, filters_shape)):
        v = as_variable(value)
        if v.type.ndim != len(order):
            raise OpShapeError(f"conv3d: {name} must have 5 axes, got {v.type}")
        hint = hint_of(shape, len(order), f"conv3d: {name}_shape")
        moved.append((dimshuffle(v, order), None if hint is None else [hint[k] for k in order]))
    (x, x_hint), (w, w_hint) = moved
    return dimshuffle(conv3d(x, w, x_hint, w_hint, border_mode), order)
