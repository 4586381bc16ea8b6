"""`T.nnet`: functions of neural networks."""

from __future__ import annotations

from typing import Any

from tensordsl.base.refusals import name_functions as _name_functions
from tensordsl.ops.conv.functions import (
    causal_conv1d,
    conv2d,
    conv2d_grad_wrt_inputs,
    conv2d_grad_wrt_weights,
    conv2d_transpose,
    conv3d,
    conv3d_grad_wrt_inputs,
    conv3d_grad_wrt_weights,
    separable_conv2d,
    separable_conv3d,
)
from tensordsl.ops.kinds import functions_as_ops as _functions_as_ops
from tensordsl.ops.kinds import kinds_at as _kinds_at
from tensordsl.ops.math import functions as _functions
from tensordsl.ops.math.functions import sigmoid, softplus
from tensordsl.ops.nnet import (
    binary_crossentropy,
    categorical_crossentropy,
    confusion_matrix,
    crossentropy_categorical_1hot,
    crossentropy_softmax_1hot,
    crossentropy_softmax_1hot_with_bias,
    crossentropy_softmax_argmax_1hot_with_bias,
    crossentropy_softmax_max_and_argmax_1hot,
    crossentropy_softmax_max_and_argmax_1hot_with_bias,
    elu,
    h_softmax,
    hard_sigmoid,
    logsigmoid,
    logsoftmax,
    prepend_0_to_each_row,
    prepend_1_to_each_row,
    prepend_scalar_to_each_row,
    relu,
    selu,
    sigmoid_binary_crossentropy,
    softmax,
    softmax_with_bias,
    softsign,
    ultra_fast_sigmoid,
)
from tensordsl.ops.normalise import batch_normalization, batch_normalization_test, batch_normalization_train

abstract_conv2d = conv2d
softmax_graph = softmax_op = softmax
logsoftmax_op, sigmoid_inplace = logsoftmax, sigmoid

__all__ = [
    "abstract_conv2d", "batch_normalization", "batch_normalization_test", "batch_normalization_train",
    "binary_crossentropy", "categorical_crossentropy", "causal_conv1d", "confusion_matrix", "conv2d",
    "conv2d_grad_wrt_inputs", "conv2d_grad_wrt_weights", "conv2d_transpose", "conv3d", "conv3d_grad_wrt_inputs",
    "conv3d_grad_wrt_weights", "crossentropy_categorical_1hot", "crossentropy_softmax_1hot",
    "crossentropy_softmax_1hot_with_bias", "crossentropy_softmax_argmax_1hot_with_bias",
    "crossentropy_softmax_max_and_argmax_1hot", "crossentropy_softmax_max_and_argmax_1hot_with_bias", "elu",
    "h_softmax", "hard_sigmoid", "logsigmoid", "logsoftmax", "logsoftmax_op", "prepend_0_to_each_row",
    "prepend_1_to_each_row", "prepend_scalar_to_each_row", "relu", "selu", "separable_conv2d", "separable_conv3d",
    "sigmoid", "sigmoid_binary_crossentropy", "sigmoid_inplace", "softmax", "softmax_graph", "softmax_op",
    "softmax_with_bias", "softplus", "softsign", "ultra_fast_sigmoid",
]  # fmt: skip

_name_functions(globals(), __all__, f"{__name__}.nnet")
_functions_as_ops(globals(), _functions)
globals().update(_kinds_at("tensor.nnet"))


def __getattr__(name: str) -> Any:
    from tensordsl.base.aliases import module_below  # late: the table is loaded at the first name that is not here

    return module_below(__name__, name, globals())
