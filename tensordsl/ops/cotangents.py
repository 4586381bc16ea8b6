"""What the gradients of rows are made of: cotangents that are zero, undefined, or bound to a choice.

A row's gradient gives one for each operand; `autodiff.reverse` adds them up.
"""

from __future__ import annotations

from typing import Any

from tensordsl.base.config import config
from tensordsl.base.records import record
from tensordsl.graph.types import CONTINUOUS
from tensordsl.graph.variables import Variable


@record
class Zero:
    """The cotangent of what matters only through steps: connected, and zero almost everywhere."""


@record
class Undefined:
    """The cotangent of what matters through an op without gradient, and the reason."""

    reason: str


@record
class Guard:
    """A condition that must be true (or false): a scalar's, or if `is_pointwise` that of each element."""

    condition: Variable
    is_then: bool
    is_pointwise: bool = False


@record
class Guarded:
    """A cotangent that is `value` where all guards hold, the outermost first, else zero.

    Guards of elements stay while the cotangent passes elementwise ops whose operand has the shape of their result.
    """

    guards: tuple[Guard, ...]
    value: Any


ZERO = Zero()
Guards = tuple[Guard, ...]


def where(condition: Any, g: Any, is_then: bool = True) -> Guarded:
    """The cotangent that is `g` at the elements at which `condition` is true (or false), else zero."""
    return Guarded((Guard(condition, is_then, is_pointwise=True),), g)


def cotangent_dtype(variable: Variable) -> str:
    """The dtype of a gradient: the variable's own if it is a float, else floatX."""
    return variable.type.dtype if variable.type.dtype in CONTINUOUS else str(config.floatX)


def zeros_like(variable: Variable) -> Any:
    """Zeros in the shape of `variable`, in the dtype of its gradient."""
    return _filled(variable, 0.0)


def ones_like(variable: Variable) -> Any:
    return _filled(variable, 1.0)


def _filled(variable: Variable, value: float) -> Any:
    from tensordsl.ops.math.elementwise import second
    from tensordsl.ops.operands import constant

    return second(variable, constant(value, dtype=cotangent_dtype(variable)))
