"""The NumPy evaluator: the value of a graph by the rows' oracles, one op at a time.  Slow, obvious, and the judge."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tensordsl.graph.evaluate import evaluate_with, in_order
from tensordsl.graph.variables import Apply, Constant, Variable


def evaluate(outputs: Any, values: Mapping[Variable, Any] | None = None) -> Any:
    """The arrays of `outputs` (a variable, or a list of them), given the arrays of the variables in `values`.

    A value may also be given for a variable in the middle of the graph; shared variables have their own.
    Raises KeyError naming a variable without value, ValueError where a shape contradicts a static type.

    >>> import tensordsl.tensor as T
    >>> x = T.vector("x")
    >>> evaluate(x + 1, {x: [1, 2]})
    array([2., 3.])
    """
    single = isinstance(outputs, Variable)
    wanted = [outputs] if single else list(outputs)
    known: dict[int, Any] = {}
    for v, value in (values or {}).items():
        array = np.asarray(value).astype(v.type.dtype, copy=False)
        _check_shape(repr(v), array, v)
        known[id(v)] = array

    def value_of(v: Variable) -> Any:
        return _value_of(v, known)

    for node in in_order(wanted, lambda v: isinstance(v, Constant) or id(v) in known, value_of):
        for v, array in zip(node.outputs, evaluate_with(node, value_of), strict=True):
            _check_shape(_describe(node), array, v)
            known.setdefault(id(v), array)
    results = [value_of(v) for v in wanted]
    return results[0] if single else results


def _value_of(v: Variable, known: Mapping[int, Any]) -> Any:
    if isinstance(v, Constant):
        return v.data
    if id(v) in known:
        return known[id(v)]
    get_value = getattr(v, "get_value", None)
    if get_value is None:
        raise KeyError(f"no value was given for {v!r} of type {v.type}")
    return get_value(borrow=True)


def _check_shape(what: str, array: Any, v: Variable) -> None:
    wanted = v.type.shape
    if array.ndim != len(wanted):
        raise ValueError(f"{what}: wrong number of axes: wanted {v.type}, got shape {array.shape}")
    for k, (got, want) in enumerate(zip(array.shape, wanted, strict=True)):
        if want is not None and got != want:
            raise ValueError(f"{what}: axis {k} has length {got}, but the type says {want} ({v.type})")


def _describe(node: Apply) -> str:
    return f"{node.row.name} at {node.origin}" if node.origin is not None else node.row.name
