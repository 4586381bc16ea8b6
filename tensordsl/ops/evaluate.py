"""The value of an expression by the oracles of its rows: slow, simple, and independent of the compiler."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from tensordsl.graph import Apply, Constant, Expand, Variable, toposort


def evaluate(outputs: Iterable[Variable], values: Mapping[Variable, Any]) -> list[Any]:
    """The arrays of `outputs`, given the arrays of the variables they depend on.

    A value may also be given for a variable in the middle of the graph; what it depends on is then not needed.
    Raises KeyError, naming the variable, where a value is missing.
    """
    outputs = list(outputs)
    known: dict[int, Any] = {id(v): value for v, value in values.items()}
    for node in toposort(outputs, stop=values):
        operands = [_look_up(known, v) for v in node.inputs]
        for v, array in zip(node.outputs, evaluate_node(node, operands), strict=True):
            known.setdefault(id(v), array)
    return [_look_up(known, v) for v in outputs]


def evaluate_node(node: Apply, operands: Iterable[Any]) -> tuple[Any, ...]:
    """The arrays of the outputs of one application, in the dtypes that its row promises."""
    op = node.op
    if op.oracle is not None:
        result = op.oracle(*operands, **node.attrs)
    else:
        assert isinstance(op.meaning, Expand), f"{op.name} has neither an oracle nor an expansion"
        parameters = [v.type() for v in node.inputs]
        built = op.meaning.build(*parameters, **node.attrs)
        several = built if isinstance(built, tuple) else (built,)
        result = tuple(evaluate(several, dict(zip(parameters, operands, strict=True))))
    results = result if isinstance(result, tuple) else (result,)
    return tuple(np.asarray(r, dtype=v.type.dtype) for r, v in zip(results, node.outputs, strict=True))


def _look_up(known: Mapping[int, Any], variable: Variable) -> Any:
    if isinstance(variable, Constant):
        return variable.data
    if id(variable) in known:
        return known[id(variable)]
    raise KeyError(f"no value was given for {variable!r} of type {variable.type}")
