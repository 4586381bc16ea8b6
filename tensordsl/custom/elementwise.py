"""A user's own elementwise operation, in one statement: a name, and a derivative, for an expression of scalars.

Contract  `elementwise(fn)` -> a function of variables.  The compiler sees the expression, which it fuses with others;
          gradients, messages and printed graphs see one operation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tensordsl.graph.types import TensorType
from tensordsl.graph.variables import Elementwise, Expand, Movement, Op, Variable, apply, toposort, unwatched
from tensordsl.ops.operands import as_variable, broadcast

Scalar = Callable[..., Any]


class ElementwiseRow(Op):
    """The row of one such operation."""

    def __init__(self, fn: Scalar, name: str, derivative: Scalar | None) -> None:
        self.given = fn, name, derivative
        gradient = None if derivative is None else self._gradient
        super().__init__(name, self._dtype, broadcast, None, Expand(fn), gradient)

    def __reduce__(self) -> tuple[Any, ...]:
        return ElementwiseRow, self.given

    def __repr__(self) -> str:
        return f"elementwise{{{self.name}}}"

    @unwatched()
    def _dtype(self, *dtypes: str) -> str:
        operands = [TensorType(t, ())() for t in dtypes]
        made = self.given[0](*operands)
        if not isinstance(made, Variable):
            raise TypeError(f"the function must give a variable, got {made!r}")
        for node in toposort([made], stop=operands):
            meaning = node.row.meaning
            is_scalar = isinstance(meaning, Elementwise | Movement) or isinstance(node.row, ElementwiseRow)
            if not is_scalar and not isinstance(meaning, Expand):
                raise TypeError(f"the function must be of elementwise operations, got {node.row.name}")
        return str(made.type.dtype)

    def _gradient(self, g: Any, out: Any, *operands: Any) -> list[Any]:
        found = self.given[2](*operands)  # type: ignore[misc]  # a row with a gradient has a derivative
        parts = list(found) if isinstance(found, list | tuple) else [found]
        if len(parts) != len(operands):
            raise ValueError(f"{self.name}: {len(parts)} derivatives for {len(operands)} operands")
        return [None if part is None else g * part for part in parts]


def elementwise(fn: Scalar, *, name: str | None = None, derivative: Scalar | None = None) -> Callable[..., Any]:
    """An elementwise operation of one's own: `fn` at each point of the broadcast operands.

    Parameters
    ----------
    fn : a function of variables that gives a variable, written with elementwise operations.
    name : for messages and printed graphs; that of `fn` if none is given.
    derivative : a function of the same variables that gives the derivative of `fn` by its operand, or a list of those
        by each operand, None for an operand that does not matter.  Without it gradients go through the expression.

    It is compiled as the expression is, so it costs no more.  TypeError where `fn` is not elementwise.

    >>> import tensordsl
    >>> import tensordsl.tensor as T
    >>> squareplus = tensordsl.elementwise(
    ...     lambda x: (x + T.sqrt(x**2 + 4)) / 2, name="squareplus",
    ...     derivative=lambda x: (1 + x / T.sqrt(x**2 + 4)) / 2,
    ... )
    >>> x = T.vector("x")
    >>> tensordsl.pp(squareplus(x))
    'squareplus(x)'
    >>> tensordsl.function([x], [squareplus(x), T.grad(squareplus(x).sum(), x)])([0, 1.5])
    [array([1., 2.]), array([0.5, 0.8])]
    """
    for f, what in ((fn, "the function"), (derivative, "the derivative")):
        if f is not None and not callable(f):
            raise TypeError(f"elementwise: {what} must be a function, got {f!r}")
    own = str(name or getattr(fn, "__name__", "elementwise"))
    row = ElementwiseRow(fn, "elementwise" if own == "<lambda>" else own, derivative)

    def operation(*operands: Any) -> Any:
        return apply(row, *[as_variable(x) for x in operands])

    operation.__name__, operation.__doc__ = row.name, fn.__doc__
    return operation
