"""`T.nnet`: functions of neural networks."""

from __future__ import annotations

from tensordsl.ops.elementwise import sigmoid, softplus
from tensordsl.ops.nnet import (
    binary_crossentropy,
    categorical_crossentropy,
    crossentropy_categorical_1hot,
    crossentropy_softmax_argmax_1hot_with_bias,
    elu,
    hard_sigmoid,
    logsigmoid,
    logsoftmax,
    relu,
    selu,
    sigmoid_binary_crossentropy,
    softmax,
    softsign,
)

# Theano's approximations: here the exact function is as fast.
ultra_fast_sigmoid = sigmoid

__all__ = [
    "binary_crossentropy", "categorical_crossentropy", "crossentropy_categorical_1hot",
    "crossentropy_softmax_argmax_1hot_with_bias", "elu", "hard_sigmoid", "logsigmoid", "logsoftmax", "relu", "selu",
    "sigmoid", "sigmoid_binary_crossentropy", "softmax", "softplus", "softsign", "ultra_fast_sigmoid",
]  # fmt: skip
