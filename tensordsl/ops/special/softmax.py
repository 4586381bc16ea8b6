"""Softmax and its logarithm with SciPy's axes: `T.special` of PyTensor; those with Theano's rule are in `ops.nnet`."""

from __future__ import annotations

from typing import Any

from tensordsl.ops import nnet
from tensordsl.ops.array.shape import flatten, reshape, shape
from tensordsl.ops.operands import as_variable


def softmax(x: Any, axis: int | None = None) -> Any:
    """exp(x) / sum(exp(x)) along `axis`, or over all elements; without overflow.

    >>> softmax([[0.0, 0.0], [0.0, 0.0]]).eval()
    array([[0.25, 0.25],
           [0.25, 0.25]])
    """
    return _along(nnet.softmax, x, axis)


def log_softmax(x: Any, axis: int | None = None) -> Any:
    """log(softmax(x)), also where softmax(x) underflows; along `axis`, or over all elements.

    >>> log_softmax([0.0, 1000.0]).eval()
    array([-1000.,     0.])
    """
    return _along(nnet.logsoftmax, x, axis)


def _along(function: Any, x: Any, axis: int | None) -> Any:
    x = as_variable(x)
    if axis is not None:
        return function(x, axis=axis)
    if x.type.ndim == 1:
        return function(x, axis=0)
    return reshape(function(flatten(x), axis=0), shape(x), ndim=x.type.ndim)
