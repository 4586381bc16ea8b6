"""Theano's scalar operations of one's own: `UnaryScalarOp`, `BinaryScalarOp`, and `Composite` of an expression.

Contract  `T.Elemwise(op)` is a function of variables.  A class has `impl`, a Python function of numbers, and `grad` if
          wanted; it is called for each element.  An expression is compiled.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tensordsl.custom.elementwise import elementwise
from tensordsl.custom.op import Apply, Op
from tensordsl.custom.rows import default, own
from tensordsl.graph.casting import float_of, upcast
from tensordsl.graph.substitute import substitute
from tensordsl.graph.types import TensorType
from tensordsl.graph.variables import STATIC
from tensordsl.ops.operands import as_variable, broadcast

Preference = Callable[..., Any]


def same_out(*types: Any) -> tuple[str, ...]:
    """The result has the dtype of the first operand."""
    return (str(types[0]),)


def upcast_out(*types: Any) -> tuple[str, ...]:
    """The result has the common dtype of the operands."""
    return (upcast(*map(str, types)),)


def upgrade_to_float(*types: Any) -> tuple[str, ...]:
    """The result has the common dtype of the operands as floats."""
    return (upcast(*(float_of(str(t)) for t in types)),)


class ScalarOp(Op):
    """An operation on numbers: `impl(*numbers)` gives one; `grad(inputs, output_gradients)` is written with variables.

    output_types_preference : a function of the dtypes of the operands that gives that of the result, as
        `upgrade_to_float`; the common one if none is given.

    >>> import tensordsl
    >>> import tensordsl.tensor as T
    >>> class Square(UnaryScalarOp):
    ...     def impl(self, x):
    ...         return x * x
    ...     def grad(self, inputs, output_gradients):
    ...         return [2 * inputs[0] * output_gradients[0]]
    >>> square = T.Elemwise(Square(upgrade_to_float, name="square"))
    >>> x = T.vector("x")
    >>> tensordsl.function([x], [square(x), T.grad(square(x).sum(), x)])([1, 3])
    [array([1., 9.]), array([2., 6.])]
    """

    nin = -1  # any number of operands
    _broadcasts = True  # gradients are summed over the axes over which an operand was repeated

    def __init__(self, output_types_preference: Preference | None = None, name: str | None = None) -> None:
        self.output_types_preference = output_types_preference or upcast_out
        self.name = name or type(self).__name__

    def _parts(self) -> tuple[Any, ...]:
        return self.output_types_preference, self.name, self._props()

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self._parts() == other._parts()

    def __hash__(self) -> int:
        return hash((type(self), self.name))

    @default
    def impl(self, *numbers: Any) -> Any:
        raise NotImplementedError(f"{self.name}: define impl")

    def make_node(self, *inputs: Any) -> Any:
        if own(self, "impl") is None:
            raise NotImplementedError(f"{self.name}: define impl, a function of numbers; C code is not compiled")
        operands = [as_variable(x) for x in inputs]
        if self.nin not in (-1, len(operands)):
            raise ValueError(f"{self.name}: wants {self.nin} operands, got {len(operands)}")
        found = self.output_types_preference(*[v.type.dtype for v in operands])
        dtype = found[0] if isinstance(found, list | tuple) else found
        return Apply(self, operands, [TensorType(str(dtype), broadcast(STATIC, *operands))()])

    def perform(self, node: Any, inputs: Any, output_storage: Any) -> None:
        found = np.frompyfunc(self.impl, len(inputs), 1)(*inputs)
        output_storage[0][0] = np.asarray(found).astype(node.outputs[0].type.dtype)

    def infer_shape(self, node: Any, shapes: Any) -> Any:
        lengths = []
        for axis in range(-node.outputs[0].type.ndim, 0):
            own_lengths = [
                s[axis] for s, v in zip(shapes, node.inputs, strict=True) if len(s) >= -axis and v.type.shape[axis] != 1
            ]
            lengths.append(own_lengths[0] if own_lengths else 1)
        return [tuple(lengths)]

    def elementwise_function(self) -> Callable[..., Any]:
        """What `T.Elemwise` gives."""
        return self


class UnaryScalarOp(ScalarOp):
    """A `ScalarOp` of one operand."""

    nin = 1


class BinaryScalarOp(ScalarOp):
    """A `ScalarOp` of two operands."""

    nin = 2


class Composite:
    """`Composite(inputs, [output])`: an expression of scalars as one operation, for `T.Elemwise`.

    >>> import tensordsl.tensor as T
    >>> a, b = T.dscalars("a", "b")
    >>> product_and_a = T.Elemwise(Composite([a, b], [a * b + a]))
    >>> product_and_a([1.0, 2.0], [3.0, 4.0]).eval()
    array([ 4., 10.])
    """

    def __init__(self, inputs: Sequence[Any], outputs: Sequence[Any], name: str | None = None) -> None:
        if len(outputs) != 1:
            raise NotImplementedError(f"Composite: of one output, got {len(outputs)}; make one for each")
        self.inputs, self.outputs, self.name = list(inputs), list(outputs), name or "Composite"

    def elementwise_function(self) -> Callable[..., Any]:
        """What `T.Elemwise` gives."""
        return elementwise(
            lambda *operands: substitute(self.outputs, dict(zip(self.inputs, operands, strict=True)), copy=True)[0],
            name=self.name,
        )
