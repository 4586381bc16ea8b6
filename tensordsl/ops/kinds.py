"""Theano's classes of ops, as kinds of rows: `isinstance(v.owner.op, T.Elemwise)`, `T.nnet.Softmax()(x)`.

Here an op is a row and not an object of a class of its own; what programs ask of the classes is answered all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tensordsl.graph import Elementwise, Op
from tensordsl.ops.elementwise import IDENTITY
from tensordsl.ops.functions import SIGMOID, SOFTPLUS
from tensordsl.ops.index import INC_SUBTENSOR, SUBTENSOR
from tensordsl.ops.nnet import LOGSOFTMAX, SOFTMAX, logsoftmax, softmax
from tensordsl.ops.operands import as_variable
from tensordsl.ops.reduce import SUM
from tensordsl.ops.reduce import sum as total
from tensordsl.ops.shape import DIMSHUFFLE, RESHAPE, addbroadcast, dimshuffle, reshape, unbroadcast


class OpKind:
    """Rows that Theano has as one class.  `isinstance(op, kind)`; a call gives a function of variables.

    >>> x = as_variable([1.0, 2.0])
    >>> isinstance((x + x).owner.op, Elemwise), isinstance((x + x).owner.op, DimShuffle)
    (True, False)
    """

    def __init__(self, name: str, holds: Callable[[Op], bool], make: Callable[..., Callable[..., Any]]) -> None:
        self.__name__, self._holds, self._make = name, holds, make

    def __call__(self, *arguments: Any, **keywords: Any) -> Callable[..., Any]:
        return self._make(*arguments, **keywords)

    def __instancecheck__(self, op: Any) -> bool:
        return isinstance(op, Op) and self._holds(op)

    def __repr__(self) -> str:
        return f"<kind of ops {self.__name__}>"

    def __reduce__(self) -> str:
        return self.__name__


def _one(name: str, row: Op, function: Callable[..., Any] | None = None) -> OpKind:
    """The kind of a single row; its ops take any arguments of construction, such as a name, which mean nothing here."""
    return OpKind(name, lambda op: op is row, lambda *arguments, **keywords: function or _function(row))


def _function(row: Op) -> Callable[..., Any]:
    def function(*operands: Any) -> Any:
        return row(*map(as_variable, operands))

    function.__name__ = row.name
    return function


def _elemwise(scalar_op: Any, inplace_pattern: Any = None, name: str | None = None, **others: Any) -> Any:
    """The elementwise function of a row of `tensordsl.scalar`; `inplace_pattern` is without effect."""
    if not isinstance(scalar_op, Op) or not isinstance(scalar_op.meaning, Elementwise):
        raise TypeError(f"Elemwise: wants an elementwise row of tensordsl.scalar, got {scalar_op!r}")
    return _function(scalar_op)


def _dim_shuffle(input_broadcastable: Sequence[bool], new_order: Sequence[Any], inplace: bool = True) -> Any:
    """`dimshuffle` to `new_order` of a tensor with this pattern of axes of length 1."""
    if not isinstance(input_broadcastable, list | tuple) or not all(
        isinstance(b, int | np.bool_) for b in input_broadcastable
    ):
        raise TypeError(f"DimShuffle: wants a list of booleans, got {input_broadcastable!r}")
    pattern = tuple(map(bool, input_broadcastable))

    def function(x: Any) -> Any:
        x = as_variable(x)
        if x.type.broadcastable != pattern:
            raise TypeError(f"DimShuffle: wants the broadcast pattern {pattern}, got {x.type}")
        return dimshuffle(x, tuple(new_order))

    return function


def _rebroadcast(*axes: tuple[int, bool]) -> Any:
    """Each (axis, flag): whether the axis shall broadcast."""

    def function(x: Any) -> Any:
        x = addbroadcast(x, *(axis for axis, flag in axes if flag))
        return unbroadcast(x, *(axis for axis, flag in axes if not flag))

    return function


def _indexing(*arguments: Any, **keywords: Any) -> Any:
    raise NotImplementedError("an index is written x[...], a change of a part T.set_subtensor(x[...], y)")


Elemwise = OpKind("Elemwise", lambda op: isinstance(op.meaning, Elementwise), _elemwise)
DimShuffle = OpKind("DimShuffle", lambda op: op is DIMSHUFFLE, _dim_shuffle)
Rebroadcast = OpKind("Rebroadcast", lambda op: False, _rebroadcast)
Reshape = OpKind("Reshape", lambda op: op is RESHAPE, lambda ndim, name=None: lambda x, shape: reshape(x, shape, ndim))
Sum = OpKind("Sum", lambda op: op is SUM, lambda axis=None, dtype=None, acc_dtype=None: (
    lambda x: total(x, axis, dtype, acc_dtype=acc_dtype)))  # fmt: skip
Subtensor = OpKind("Subtensor", lambda op: op is SUBTENSOR, _indexing)
IncSubtensor = OpKind("IncSubtensor", lambda op: op is INC_SUBTENSOR, _indexing)
Softmax = _one("Softmax", SOFTMAX, softmax)
LogSoftmax = _one("LogSoftmax", LOGSOFTMAX, logsoftmax)
ScalarSigmoid = _one("ScalarSigmoid", SIGMOID)
ScalarSoftplus = _one("ScalarSoftplus", SOFTPLUS)
Identity = _one("Identity", IDENTITY)


def hashtype(x: Any) -> int:
    """A hash of the class of x, the same in one process.

    >>> hashtype(1) == hashtype(2)
    True
    """
    return hash((type(x).__module__, type(x).__qualname__))
