"""Functions of neural networks: softmax and its logarithm, losses and activations, in stable forms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tensordsl.base.config import config
from tensordsl.graph.casting import float_of
from tensordsl.graph.variables import Elementwise, Expand, Op, OpTypeError, apply
from tensordsl.ops.array.creation import arange
from tensordsl.ops.array.index import getitem
from tensordsl.ops.array.reduce import argmax, bound, max, sum
from tensordsl.ops.array.shape import broadcast_to, concatenate, dimshuffle, reshape, shape_i, shape_padleft, transpose
from tensordsl.ops.array.sort import unique
from tensordsl.ops.linalg.products import batched_dot, dot, tensordot
from tensordsl.ops.math.comparisons import eq, gt, lt
from tensordsl.ops.math.elementwise import abs_, as_real, cast, clip, int_div, mod, sgn, switch
from tensordsl.ops.math.functions import SIGMOID, exp, expm1, log, softplus
from tensordsl.ops.math.stable import has_stable_log, log_add_exp
from tensordsl.ops.operands import as_variable, broadcast, constant, normalise_axis, shape_of_first


# -- rules -----------------------------------------------------------------------------------------------------------
def _float_dtype(x: str, axis: int) -> str:
    return float_of(x)


def _build_softmax(x: Any, axis: int) -> Any:
    x = cast(x, float_of(x.type.dtype))
    e = exp(x - bound(x, axis))
    return e / sum(e, axis, keepdims=True)


def _build_logsoftmax(x: Any, axis: int) -> Any:
    x = cast(x, float_of(x.type.dtype))
    centred = x - bound(x, axis)
    return centred - log(sum(exp(centred), axis, keepdims=True))


def _numpy_softmax(x: Any, axis: int) -> Any:
    with np.errstate(all="ignore"):
        wide = np.asarray(x, "float64")
        e = np.exp(wide - wide.max(axis, keepdims=True, initial=-np.inf))
        return (e / e.sum(axis, keepdims=True)).astype(float_of(str(np.asarray(x).dtype)))


def _numpy_logsoftmax(x: Any, axis: int) -> Any:
    with np.errstate(all="ignore"):
        wide = np.asarray(x, "float64")
        centred = wide - wide.max(axis, keepdims=True, initial=-np.inf)
        result = centred - np.log(np.exp(centred).sum(axis, keepdims=True))
        return result.astype(float_of(str(np.asarray(x).dtype)))


def _softmax_gradient(g: Any, out: Any, x: Any, axis: int) -> Sequence[Any]:
    return (out * (g - sum(g * out, axis, keepdims=True)),)


def _logsoftmax_gradient(g: Any, out: Any, x: Any, axis: int) -> Sequence[Any]:
    return (g - exp(out) * sum(g, axis, keepdims=True),)


def _build_ultra_fast_sigmoid(x: Any) -> Any:
    dtype = float_of(x.type.dtype)

    def number(value: float) -> Any:
        return constant(value, dtype=dtype)

    half = cast(x, dtype) * number(0.5)
    a = abs_(half)
    line = number(0.935409070603099) + number(0.0458812946797165) * (a - number(1.7))
    inner = switch(lt(a, number(1.7)), number(1.5) * a / (1 + a), switch(lt(a, 3), line, number(0.99505475368673)))
    return number(0.5) * (switch(lt(half, 0), -inner, inner) + 1)


def _numpy_ultra_fast_sigmoid(x: Any) -> Any:
    half = np.asarray(x, "float64") * 0.5
    a = np.abs(half)
    line = 0.935409070603099 + 0.0458812946797165 * (a - 1.7)
    with np.errstate(all="ignore"):
        inner = np.where(a < 1.7, 1.5 * a / (1 + a), np.where(a < 3, line, 0.99505475368673))
    return (0.5 * (np.where(half < 0, -inner, inner) + 1)).astype(float_of(str(x.dtype)))


def _numpy_relu(x: Any) -> Any:
    return np.maximum(x, np.zeros((), x.dtype))


SOFTMAX = Op(
    "softmax", _float_dtype, shape_of_first, _numpy_softmax, Expand(_build_softmax), _softmax_gradient, ulp=32,
)  # fmt: skip
LOGSOFTMAX = Op(
    "logsoftmax", _float_dtype, shape_of_first, _numpy_logsoftmax, Expand(_build_logsoftmax), _logsoftmax_gradient,
    ulp=64,
)  # fmt: skip
# At 0 the gradient is half of g, as that of Theano's (x + |x|) / 2.
RELU = Op(
    "relu", lambda x: x, broadcast, _numpy_relu,
    Elementwise(lambda b, x: x if x.type == "bool" else b.maximum(x, b.const(0, x.type)), lambda x: (x,)),
    lambda g, out, x: (g * ((sgn(x) + 1) * 0.5),),
)  # fmt: skip
ULTRA_FAST_SIGMOID = Op(
    "ultra_fast_sigmoid", float_of, broadcast, _numpy_ultra_fast_sigmoid, Expand(_build_ultra_fast_sigmoid),
    lambda g, out, x: (g * out * (1 - out),), ulp=8,
)  # fmt: skip
ROWS = (SOFTMAX, LOGSOFTMAX, RELU, ULTRA_FAST_SIGMOID)


# -- softmax ---------------------------------------------------------------------------------------------------------
def _along(op: Op, x: Any, axis: int | None) -> Any:
    x = as_variable(x)
    if axis is not None:
        return apply(op, x, axis=normalise_axis(axis, x.type.ndim, op.name))
    if x.type.ndim not in (1, 2):
        raise OpTypeError(f"{op.name}: wants a vector or a matrix, got {x.type}; for other ranks name the axis")
    x = shape_padleft(x) if x.type.ndim == 1 else x
    return apply(op, x, axis=1)


def softmax(x: Any, axis: int | None = None) -> Any:
    """exp(x) / sum(exp(x)) along `axis`, computed from x - max(x).

    Without an axis (Theano's rule): of each row of a matrix; a vector gives a matrix of one row.

    >>> softmax([[1.0, 1.0], [5.0, 5.0]]).eval()
    array([[0.5, 0.5],
           [0.5, 0.5]])
    """
    return _along(SOFTMAX, x, axis)


def logsoftmax(x: Any, axis: int | None = None) -> Any:
    """log(softmax(x)), accurate where softmax(x) underflows; axes as in `softmax`.

    >>> logsoftmax([[1.0, 1.0]]).eval()
    array([[-0.69314718, -0.69314718]])
    """
    return _along(LOGSOFTMAX, x, axis)


def log_of_softmax(p: Any) -> Any:
    """log(p), by `logsoftmax` if p is the result of a softmax."""
    if p.owner is not None and p.owner.row is SOFTMAX:
        return apply(LOGSOFTMAX, p.owner.inputs[0], **p.owner.attrs)
    return log(p)


# -- losses ----------------------------------------------------------------------------------------------------------
def categorical_crossentropy(coding_dist: Any, true_dist: Any) -> Any:
    """-sum(true * log(coding)) over the last axis; or -log(coding[i, true[i]]) if `true_dist` holds class numbers.

    Computed without underflow if `coding_dist` comes from `softmax`.

    >>> categorical_crossentropy([[0.5, 0.5], [0.5, 0.5]], [0, 1]).eval()
    array([0.69314718, 0.69314718])
    """
    coding, true = as_variable(coding_dist), as_variable(true_dist)
    if true.type.ndim == coding.type.ndim:
        return -sum(true * log_of_softmax(coding), axis=coding.type.ndim - 1)
    if true.type.ndim == coding.type.ndim - 1 == 1:
        picked = arange(shape_i(coding, 0)), true
        if has_stable_log(coding):
            return -getitem(log_of_softmax(coding), picked)
        return -log(getitem(coding, picked))  # the gradient of elements that are not picked is 0, not 0 / 0
    raise OpTypeError(
        f"categorical_crossentropy: wants distributions of the rank of coding_dist ({coding.type}) or a vector of "
        f"class numbers, got {true.type}"
    )


def crossentropy_categorical_1hot(coding_dist: Any, true_one_of_n: Any) -> Any:
    """-log(coding_dist[i, true_one_of_n[i]]) for every row i.

    >>> crossentropy_categorical_1hot([[0.5, 0.5], [0.5, 0.5]], [0, 1]).eval()
    array([0.69314718, 0.69314718])
    """
    return categorical_crossentropy(coding_dist, true_one_of_n)


def crossentropy_softmax_argmax_1hot_with_bias(x: Any, b: Any, y_idx: Any) -> tuple[Any, Any, Any]:
    """(cross-entropy of each row, softmax, argmax) of x + b against the class numbers y_idx.

    >>> crossentropy_softmax_argmax_1hot_with_bias([[0.0, 0.0]], [1.0, 2.0], [1])[2].eval()
    array([1])
    """
    score = _with_bias(x, b)
    probability = softmax(score)
    return categorical_crossentropy(probability, y_idx), probability, argmax(score, axis=1)


def binary_crossentropy(output: Any, target: Any) -> Any:
    """-(target * log(output) + (1 - target) * log(1 - output)) at each point.

    Computed without overflow if `output` comes from `sigmoid`.

    >>> binary_crossentropy(0.5, 1.0).eval()
    array(0.6931472, dtype=float32)
    """
    (output,), (target,) = as_real(output), as_real(target)
    if output.owner is not None and output.owner.row is SIGMOID:
        return sigmoid_binary_crossentropy(output.owner.inputs[0], target)
    return -(target * log(output) + (1 - target) * log(1 - output))


def sigmoid_binary_crossentropy(output: Any, target: Any) -> Any:
    """`binary_crossentropy(sigmoid(output), target)`: softplus(x) - x * target.

    >>> sigmoid_binary_crossentropy([0.0], [1.0]).eval()
    array([0.69314718])
    """
    (output,), (target,) = as_real(output), as_real(target)
    return target * softplus(-output) + (1 - target) * softplus(output)


# -- activations -----------------------------------------------------------------------------------------------------
def relu(x: Any, alpha: Any = 0) -> Any:
    """max(x, 0); with `alpha`, alpha * x for x < 0.  The gradient at 0 is the mean of both sides'.

    >>> relu([-1.5, 2.0]).eval()
    array([0., 2.])
    """
    if isinstance(alpha, (int, float)) and alpha == 0:
        return apply(RELU, as_variable(x))
    (x,), alpha = as_real(x), as_variable(alpha)
    return 0.5 * (1 + alpha) * x + 0.5 * (1 - alpha) * abs_(x)


def elu(x: Any, alpha: Any = 1) -> Any:
    """x for x > 0, else alpha * (exp(x) - 1).

    >>> elu([2.0, 0.0]).eval()
    array([2., 0.])
    """
    x = as_variable(x)
    is_positive = gt(x, 0)
    # expm1 of large x would be inf, and its gradient nan after the switch.
    return switch(is_positive, x, as_variable(alpha) * expm1(switch(is_positive, 0, x)))


def selu(x: Any) -> Any:
    """The scaled elu of Klambauer et al. (2017), "Self-Normalizing Neural Networks".

    >>> selu([0.0]).eval()
    array([0.])
    """
    x = as_variable(x)
    scale, alpha = 1.0507009873554804934193349852946, 1.6732632423543772848170429916717
    dtype = float_of(x.type.dtype)
    return constant(scale, dtype=dtype) * elu(x, constant(alpha, dtype=dtype))


def hard_sigmoid(x: Any) -> Any:
    """0.2 * x + 0.5 limited to [0, 1].

    >>> hard_sigmoid([-4.0, 0.0, 4.0]).eval()
    array([0. , 0.5, 1. ])
    """
    x = as_variable(x)
    dtype = float_of(x.type.dtype)
    return clip(x * constant(0.2, dtype=dtype) + 0.5, 0.0, 1.0)


def softsign(x: Any) -> Any:
    """x / (1 + |x|).

    >>> softsign([1.0, -1.0]).eval()
    array([ 0.5, -0.5])
    """
    (x,) = as_real(x)
    return x / (1.0 + abs_(x))


def logsigmoid(x: Any) -> Any:
    """log(sigmoid(x)), without underflow.

    >>> logsigmoid([0.0]).eval()
    array([-0.69314718])
    """
    (x,) = as_real(x)
    return -softplus(-x)


def log1pexp(x: Any) -> Any:
    """log(1 + exp(x)): `softplus`."""
    return softplus(x)


def ultra_fast_sigmoid(x: Any) -> Any:
    """Theano's approximation s of `sigmoid`: a hyperbola, a line and a constant; off by at most 0.03.

    The gradient is s (1 - s), as where Theano's rewrite puts it into the place of `sigmoid`.

    >>> ultra_fast_sigmoid([-2.0, 0.0, 2.0]).eval()
    array([0.125, 0.5  , 0.875])
    """
    return apply(ULTRA_FAST_SIGMOID, as_variable(x))


def logaddexp(x: Any, y: Any) -> Any:
    """log(exp(x) + exp(y)), without overflow.

    >>> logaddexp(1000.0, 1000.0).eval().round(4)
    np.float32(1000.6932)
    """
    return log_add_exp(*as_real(x, y))


def to_one_hot(y: Any, nb_class: Any, dtype: str | None = None) -> Any:
    """A matrix with a row for each class number in the vector y: 1 at that class, else 0.

    >>> to_one_hot([2, 0], 3).eval()
    array([[0., 0., 1.],
           [1., 0., 0.]])
    """
    hit = eq(dimshuffle(as_variable(y), (0, "x")), dimshuffle(arange(nb_class), ("x", 0)))
    return cast(hit, dtype or config.floatX)


# -- softmax and losses in one ---------------------------------------------------------------------------------------
def _with_bias(x: Any, b: Any) -> Any:
    x, b = as_real(x, b)
    return x + b


def softmax_with_bias(x: Any, b: Any) -> Any:
    """softmax(x + b) of each row.

    >>> softmax_with_bias([[1.0, 0.0]], [0.0, 1.0]).eval()
    array([[0.5, 0.5]])
    """
    return softmax(_with_bias(x, b))


def crossentropy_softmax_1hot(x: Any, y_idx: Any, **keywords: Any) -> tuple[Any, Any]:
    """(cross-entropy of each row, softmax) of x against the class numbers y_idx.

    >>> crossentropy_softmax_1hot([[0.0, 0.0]], [1])[0].eval().round(4)
    array([0.6931])
    """
    probability = softmax(x)
    return categorical_crossentropy(probability, y_idx), probability


def crossentropy_softmax_1hot_with_bias(x: Any, b: Any, y_idx: Any, **keywords: Any) -> tuple[Any, Any]:
    """As `crossentropy_softmax_1hot`, of x + b.

    >>> crossentropy_softmax_1hot_with_bias([[0.0, 0.0]], [1.0, 1.0], [1])[0].eval().round(4)
    array([0.6931])
    """
    return crossentropy_softmax_1hot(_with_bias(x, b), y_idx)


def crossentropy_softmax_max_and_argmax_1hot(x: Any, y_idx: Any, **keywords: Any) -> tuple[Any, Any, Any, Any]:
    """(cross-entropy of each row, softmax, its maximum, its argmax) of x against the class numbers y_idx.

    >>> crossentropy_softmax_max_and_argmax_1hot([[0.0, 1.0]], [1])[3].eval()
    array([1])
    """
    loss, probability = crossentropy_softmax_1hot(x, y_idx)
    return loss, probability, max(probability, axis=1), argmax(as_variable(x), axis=1)


def crossentropy_softmax_max_and_argmax_1hot_with_bias(
    x: Any, b: Any, y_idx: Any, **keywords: Any
) -> tuple[Any, Any, Any, Any]:
    """As `crossentropy_softmax_max_and_argmax_1hot`, of x + b.

    >>> crossentropy_softmax_max_and_argmax_1hot_with_bias([[0.0, 1.0]], [2.0, 0.0], [1])[3].eval()
    array([0])
    """
    return crossentropy_softmax_max_and_argmax_1hot(_with_bias(x, b), y_idx)


def h_softmax(
    x: Any, batch_size: Any, n_outputs: Any, n_classes: Any, n_outputs_per_class: Any, W1: Any, b1: Any, W2: Any,
    b2: Any, target: Any = None,
) -> Any:  # fmt: skip
    """Softmax in two levels: of the class of an output, then of the output within its class.

    x (batch, features); W1 (features, classes), b1 (classes,); W2 (classes, features, outputs of a class), b2
    (classes, outputs of a class).  Gives (batch, n_outputs), or with `target` (batch,) the probability of that output.

    >>> w2 = [[[0.0, 0.0]], [[0.0, 0.0]]]
    >>> h_softmax([[1.0]], 1, 3, 2, 2, [[0.0, 0.0]], [0.0, 0.0], w2, [[0.0, 0.0], [0.0, 0.0]]).eval()
    array([[0.25, 0.25, 0.25]])
    """
    x, W2, b2 = as_variable(x), as_variable(W2), as_variable(b2)  # noqa: N806  Theano's names
    classes = softmax(dot(x, W1) + b1)
    if target is None:
        scores = dimshuffle(tensordot(x, W2, [[1], [1]]), (0, 1, 2)) + b2
        inside = softmax(scores, axis=2) * dimshuffle(classes, (0, 1, "x"))
        return getitem(reshape(inside, (batch_size, -1), ndim=2), (slice(None), slice(None, n_outputs)))
    target = as_variable(target)
    of_class, within = int_div(target, n_outputs_per_class), mod(target, n_outputs_per_class)
    rows = arange(shape_i(x, 0))
    scores = batched_dot(x, getitem(W2, of_class)) + getitem(b2, of_class)
    return getitem(classes, (rows, of_class)) * getitem(softmax(scores), (rows, within))


# -- counts and rows -------------------------------------------------------------------------------------------------
def confusion_matrix(actual: Any, pred: Any) -> list[Any]:
    """[matrix, order]: how often class order[i] was predicted as order[j]; `order`: the class numbers that occur.

    >>> [v.eval().tolist() for v in confusion_matrix([0, 1, 1], [0, 0, 1])]
    [[[1, 0], [1, 1]], [0, 1]]
    """
    actual, pred = as_variable(actual), as_variable(pred)
    if actual.type.ndim != 1 or pred.type.ndim != 1:
        raise OpTypeError(f"confusion_matrix: wants vectors, got {actual.type} and {pred.type}")
    order = unique(concatenate([actual, pred]))
    row = dimshuffle(order, ("x", 0))
    hits = [cast(eq(dimshuffle(v, (0, "x")), row), "int64") for v in (actual, pred)]
    return [dot(transpose(hits[0]), hits[1]), order]


def prepend_scalar_to_each_row(val: Any, mat: Any) -> Any:
    """The matrix with a first column of `val`.

    >>> prepend_scalar_to_each_row(7, [[1, 2]]).eval()
    array([[7, 1, 2]])
    """
    mat, val = as_variable(mat), as_variable(val)
    if mat.type.ndim != 2 or val.type.ndim:
        raise OpTypeError(f"prepend_scalar_to_each_row: wants a scalar and a matrix, got {val.type} and {mat.type}")
    return concatenate([broadcast_to(val, (shape_i(mat, 0), 1)), mat], axis=1)


def prepend_0_to_each_row(mat: Any) -> Any:
    """The matrix with a first column of zeros.

    >>> prepend_0_to_each_row([[1, 2]]).eval()
    array([[0, 1, 2]])
    """
    return prepend_scalar_to_each_row(0, mat)


def prepend_1_to_each_row(mat: Any) -> Any:
    """The matrix with a first column of ones.

    >>> prepend_1_to_each_row([[1, 2]]).eval()
    array([[1, 1, 2]])
    """
    return prepend_scalar_to_each_row(1, mat)
