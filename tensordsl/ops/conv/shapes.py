"""Lengths of convolutions as numbers, under Theano's names; and what callers say of strides, padding and shapes."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

from tensordsl.graph.variables import Variable
from tensordsl.ops.conv.rows import Padding, extent_of_taps, pads
from tensordsl.ops.lengths import LENGTHS
from tensordsl.ops.operands import known_int

Shape = tuple[int | None, ...]
MODES = ("valid", "half", "full")


# -- what callers say ------------------------------------------------------------------------------------------------
def padding_of(border_mode: Any, rank: int) -> Padding:
    """`border_mode` as a row has it: a mode, a number, a number for each axis, or pairs (before, behind).

    >>> padding_of(1, 2), padding_of((0, (1, 2)), 2), padding_of("half", 2)
    (((1, 1), (1, 1)), ((0, 0), (1, 2)), 'half')
    """
    wanted = f"'valid', 'full', 'half', an integer, or {rank} integers or pairs of integers"
    if isinstance(border_mode, str):
        if border_mode not in MODES:
            raise ValueError(f"border_mode must be {wanted}, got {border_mode!r}")
        return border_mode
    each = border_mode if isinstance(border_mode, tuple | list) else (border_mode,) * rank
    if len(each) != rank:
        raise ValueError(f"border_mode must be {wanted}, got {border_mode!r}")
    found = []
    for entry in each:
        pair = entry if isinstance(entry, tuple | list) else (entry, entry)
        if len(pair) != 2:
            raise ValueError(f"border_mode must be {wanted}, got {border_mode!r}")
        try:
            before, behind = map(operator.index, pair)
        except TypeError:
            raise ValueError(f"border_mode must be {wanted}, got {border_mode!r}") from None
        if before < 0 or behind < 0:
            raise ValueError(f"border_mode must be >= 0, got {border_mode!r}")
        found.append((before, behind))
    return tuple(found)


def steps_of(value: Any, rank: int, what: str) -> tuple[int, ...]:
    """Strides or dilations: positive numbers, one for each axis, or one for all.

    >>> steps_of((2, 1), 2, "subsample"), steps_of(3, 2, "subsample")
    ((2, 1), (3, 3))
    """
    each = tuple(value) if isinstance(value, tuple | list) else (value,) * rank
    numbers = tuple([known_int(n) if isinstance(n, Variable) else n for n in each])
    if len(each) != rank or not all(hasattr(n, "__index__") for n in numbers):
        raise ValueError(f"{what} must be {rank} integers, got {value!r}")
    found = tuple([int(n.__index__()) for n in numbers if n is not None])
    if min(found) < 1:
        raise ValueError(f"{what} must be at least 1, got {value!r}")
    return found


def groups_of(num_groups: Any) -> int:
    (n,) = steps_of((num_groups,), 1, "num_groups")
    return n


def hint_of(shape: Any, rank: int, what: str) -> Shape | None:
    """A shape that a caller says an operand has; None: says nothing.  Lengths that are not known are None."""
    if shape is None:
        return None
    entries = tuple(shape)
    if len(entries) != rank:
        raise ValueError(f"{what} must have {rank} entries, got {shape!r}")
    found = []
    for n in entries:
        n = known_int(n) if isinstance(n, Variable) else n
        if n is not None and not (hasattr(n, "__index__") and n.__index__() >= 0):
            raise ValueError(f"{what} must consist of lengths or None, got {shape!r}")
        found.append(n if n is None else int(n.__index__()))
    return tuple(found)


# -- Theano's functions of shapes ------------------------------------------------------------------------------------
def border_mode_to_pad(mode: Any, convdim: int, kshp: Sequence[int]) -> tuple[tuple[int, int], ...]:
    """The padding before and behind each axis for kernels of these (dilated) lengths.

    >>> border_mode_to_pad("half", 2, (3, 5))
    ((1, 1), (2, 2))
    """
    padding = padding_of(mode, convdim)
    return tuple([pads(LENGTHS, padding, axis, k, 1) for axis, k in enumerate(kshp)])


def get_conv_shape_1axis(
    image_shape: Any, kernel_shape: Any, border_mode: Any, subsample: Any, dilation: Any = 1
) -> Any:
    """The length of the result along an axis, from numbers or 0-d variables; None where one is not known.

    >>> get_conv_shape_1axis(10, 3, "valid", 2), get_conv_shape_1axis(None, 3, "half", 1)
    (4, None)
    """
    if None in (image_shape, kernel_shape, subsample, dilation):
        return None
    pair = isinstance(border_mode, tuple | list)
    padding = padding_of((tuple(border_mode),) if pair else border_mode, 1)
    before, behind = pads(LENGTHS, padding, 0, kernel_shape, dilation)
    room = image_shape + before + behind - extent_of_taps(LENGTHS, kernel_shape, dilation)
    return room // subsample + 1


def _each_axis(one: Any, lengths: Any, others: Any, border_mode: Any, subsample: Any, dilation: Any) -> tuple[Any, ...]:
    rank = len(subsample)
    dilation = (1,) * rank if dilation is None else dilation
    modes: Any = border_mode
    if isinstance(border_mode, str) or not isinstance(border_mode, tuple | list):
        modes = (border_mode,) * rank
    rows = zip(lengths[-rank:], others[-rank:], modes, subsample, dilation, strict=True)
    return tuple([one(n, k, mode, s, d) for n, k, mode, s, d in rows])


def get_conv_output_shape(
    image_shape: Any, kernel_shape: Any, border_mode: Any, subsample: Any, filter_dilation: Any = None
) -> tuple[Any, ...]:
    """The shape of a convolution's result from those of the input and the weights; None where it is not known.

    >>> get_conv_output_shape((8, 3, 32, None), (16, 3, 5, 5), "half", (2, 2))
    (8, 16, 16, None)
    """
    lengths = _each_axis(get_conv_shape_1axis, image_shape, kernel_shape, border_mode, subsample, filter_dilation)
    return (image_shape[0], kernel_shape[0], *lengths)


def get_conv_gradweights_shape_1axis(
    image_shape: Any, top_shape: Any, border_mode: Any, subsample: Any, dilation: Any = 1
) -> Any:
    """The length of the kernel along an axis from those of input and result; None where that is not certain.

    >>> get_conv_gradweights_shape_1axis(10, 8, "valid", 1)
    3
    """
    if None in (image_shape, top_shape, border_mode, subsample, dilation) or subsample != 1 or border_mode == "half":
        return None
    if border_mode == "full":
        reach = top_shape - image_shape
    else:
        pair = isinstance(border_mode, tuple | list)
        padding = padding_of((tuple(border_mode),) if pair else border_mode, 1)
        before, behind = pads(LENGTHS, padding, 0, 1, 1)
        reach = image_shape + before + behind - top_shape
    return reach // dilation + 1


def get_conv_gradweights_shape(
    image_shape: Any, top_shape: Any, border_mode: Any, subsample: Any, filter_dilation: Any = None,
    num_groups: int = 1, unshared: bool = False,
) -> tuple[Any, ...]:  # fmt: skip
    """The shape of the weights from those of the input and the result; None where it is not certain.

    >>> get_conv_gradweights_shape((8, 4, 10, 10), (8, 6, 8, 8), "valid", (1, 1), num_groups=2)
    (6, 2, 3, 3)
    """
    lengths = _each_axis(
        get_conv_gradweights_shape_1axis, image_shape, top_shape, border_mode, subsample, filter_dilation
    )
    channels = None if image_shape[1] is None else image_shape[1] // num_groups
    return (top_shape[1], *(top_shape[-len(lengths) :] if unshared else ()), channels, *lengths)


def get_conv_gradinputs_shape_1axis(
    kernel_shape: Any, top_shape: Any, border_mode: Any, subsample: Any, dilation: Any = 1
) -> Any:
    """The length of the input along an axis from those of kernel and result; None where that is not certain.

    >>> get_conv_gradinputs_shape_1axis(3, 8, "valid", 1)
    10
    """
    if None in (kernel_shape, top_shape, border_mode, subsample, dilation) or subsample != 1:
        return None
    pair = isinstance(border_mode, tuple | list)
    padding = padding_of((tuple(border_mode),) if pair else border_mode, 1)
    before, behind = pads(LENGTHS, padding, 0, kernel_shape, dilation)
    return top_shape - 1 + extent_of_taps(LENGTHS, kernel_shape, dilation) - before - behind


def get_conv_gradinputs_shape(
    kernel_shape: Any, top_shape: Any, border_mode: Any, subsample: Any, filter_dilation: Any = None,
    num_groups: int = 1,
) -> tuple[Any, ...]:  # fmt: skip
    """The shape of the input from those of the weights and the result; None where it is not certain.

    >>> get_conv_gradinputs_shape((6, 2, 3, 3), (8, 6, 8, 8), "valid", (1, 1), num_groups=2)
    (8, 4, 10, 10)
    """
    lengths = _each_axis(
        get_conv_gradinputs_shape_1axis, kernel_shape, top_shape, border_mode, subsample, filter_dilation
    )
    of_group = kernel_shape[-len(lengths) - 1]
    return (top_shape[0], None if of_group is None else of_group * num_groups, *lengths)


def check_conv_gradinputs_shape(
    image_shape: Any,
    kernel_shape: Any,
    output_shape: Any,
    border_mode: Any,
    subsample: Any,
    filter_dilation: Any = None,
) -> bool:
    """Whether an input of a shape gives a result of another; lengths that are None fit.

    >>> check_conv_gradinputs_shape((8, 4, 10, 10), (6, 4, 3, 3), (8, 6, 8, 8), "valid", (1, 1))
    True
    """
    rank = len(subsample)
    image, kernel, output = map(tuple, (image_shape, kernel_shape, output_shape))
    if not len(image) == len(output) == rank + 2 or len(kernel) < rank + 2:
        return False
    found = get_conv_output_shape(image, kernel, border_mode, subsample, filter_dilation)
    return all(None in (a, b) or (a == b and b >= 0) for a, b in zip(found, output, strict=True))
