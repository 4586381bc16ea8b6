"""conv, conv_inputs, conv_weights: convolutions and their gradients by either operand, as products of windows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from tensordsl.codegen.tensor_ir.construct import Expanded, register
from tensordsl.codegen.tensor_ir.graph import Value
from tensordsl.codegen.tensor_ir.lower import Lowering
from tensordsl.graph.variables import Apply
from tensordsl.ops.conv.windows import conv_of_windows, inputs_of_windows, weights_of_windows


class _Convolution(Expanded):
    """One of the three, by `definition`, other rows; the row's own rule checks the lengths."""

    definition: ClassVar[Callable[..., Any]]

    def lower(self, low: Lowering, node: Apply, operands: list[Value]) -> Sequence[Value]:
        node.row.shape(low.graph.extents, *operands, **node.attrs)
        return low.run([type(self).definition(*node.inputs, **node.attrs)])

    lower_complex = lower


@register
class Conv(_Convolution):
    """conv(strides, dilation, padding, groups, flip): sums of products of weights with the windows of an input."""

    name, definition = "conv", staticmethod(conv_of_windows)


@register
class ConvInputs(_Convolution):
    """conv_inputs: the gradient of `conv` by its input, which is a transposed convolution."""

    name, definition = "conv_inputs", staticmethod(inputs_of_windows)


@register
class ConvWeights(_Convolution):
    """conv_weights: the gradient of `conv` by its weights."""

    name, definition = "conv_weights", staticmethod(weights_of_windows)
