"""The NumPy evaluator: the value of a graph by the rows' oracles, one op at a time. Slow, obvious, and the judge."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tensordsl.graph import Apply, Constant, Expand, Variable, toposort

Values = dict[int, Any]  # id of a variable -> its array
Evaluator = Callable[[Apply, Sequence[Any]], Any]

# Kernels that need more than arrays (a loop needs the body's graph): name -> evaluator, put here by the op's module.
EVALUATORS: dict[str, Evaluator] = {}


def evaluate(outputs: Any, values: Mapping[Variable, Any] | None = None) -> Any:
    """The arrays of `outputs` (a variable, or a list of them), given the arrays of the variables in `values`.

    Any variable, not only a leaf, may be given.  Raises KeyError naming a leaf that has no value, ValueError where the
    shape of a result contradicts its static type.
    """
    single = isinstance(outputs, Variable)
    wanted = [outputs] if single else list(outputs)
    known: Values = {}
    given = dict(values or {})
    for v, value in given.items():
        known[id(v)] = np.asarray(value).astype(v.type.dtype, copy=False)
    for node in toposort(wanted, stop=given):
        run(node, known)
    results = [value_of(v, known) for v in wanted]
    return results[0] if single else results


def run(node: Apply, known: Values) -> None:
    """Compute the outputs of one application into `known`."""
    operands = [value_of(v, known) for v in node.inputs]
    for v, result in zip(node.outputs, results_of(node, operands), strict=True):
        known.setdefault(id(v), _checked(node, v, result))


def results_of(node: Apply, operands: Sequence[Any]) -> Sequence[Any]:
    """The arrays of all outputs of one application, from the arrays of its operands."""
    op = node.op
    evaluator = EVALUATORS.get(op.name)
    if evaluator is not None:
        result = evaluator(node, operands)
    elif op.oracle is not None:
        result = op.oracle(*operands, **node.attrs)
    else:
        assert isinstance(op.meaning, Expand), f"{op.name} has neither an oracle nor an evaluator"
        built = op.meaning.build(*node.inputs, **node.attrs)
        result = evaluate(_as_list(built), dict(zip(node.inputs, operands, strict=True)))
    return result if isinstance(result, (tuple, list)) else (result,)


def value_of(v: Variable, known: Values) -> Any:
    if isinstance(v, Constant):
        return v.data
    if id(v) in known:
        return known[id(v)]
    get_value = getattr(v, "get_value", None)
    if get_value is not None:
        return get_value(borrow=True)
    raise KeyError(f"no value given for {v!r}: {v.type}")


def _as_list(built: Any) -> list[Any]:
    return [built] if isinstance(built, Variable) else list(built)


def _checked(node: Apply, v: Variable, result: Any) -> Any:
    """The result, which must be what the row's type rules promised."""
    result = np.asarray(result)
    assert result.dtype == v.type.dtype, f"{node.op.name}: the oracle gives {result.dtype}, the type rule {v.type.dtype}"
    assert result.ndim == v.type.ndim, f"{node.op.name}: the oracle gives shape {result.shape}, the rule {v.type}"
    for k, (got, want) in enumerate(zip(result.shape, v.type.shape, strict=True)):
        if want is not None and got != want:
            raise ValueError(f"{node.op.name}: axis {k} has length {got}, but its type says {want} ({v.type})")
    return result


