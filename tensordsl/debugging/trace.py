"""A function executed node by node on NumPy, by the rows' oracles."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tensordsl.debugging.reports import report
from tensordsl.graph.evaluate import evaluate_node, in_order, taken
from tensordsl.graph.variables import Apply, Constant, Elementwise, Variable

if TYPE_CHECKING:
    from tensordsl.signature.spec import FunctionSpec

Array = np.ndarray[Any, Any]
Values = dict[Variable, Array]
# Called around each node with its position, itself and the arrays of its operands (and results).
Before = Callable[[int, Apply, list[Array]], None]
After = Callable[[int, Apply, list[Array], list[Array]], None]


def trace(
    spec: FunctionSpec,
    values: Values,
    before: Before | None = None,
    after: After | None = None,
    until: Apply | None = None,
    is_silent: bool = False,
) -> None:
    """Evaluate the nodes that the results need, by the rows' oracles, and add what they give to `values`.

    A node runs when its operands are there; of an `ifelse` only the branch taken is needed.  With `until` the operands
    of that node are evaluated, not the node.  An error is raised again as the report of its node.  A silent evaluation
    is one of a call that has been heard already: nothing is printed, no callback called.
    """
    position = {id(node): index for index, node in enumerate(spec.nodes())}
    roots = until.inputs if until is not None else spec.results
    for node in in_order(roots, lambda v: has(v, values), lambda v: value_of(v, values)):
        operands = [value_of(v, values) for v in node.inputs if has(v, values)]
        index = position.get(id(node), -1)
        if before is not None:
            before(index, node, operands)
        try:
            results = compute_silently(node, values) if is_silent else compute(node, values)
        except Exception as error:
            is_users = "printer" in node.attrs  # the error of a function of his, whose frames he wants to see
            raise report(error, spec, node, operands) from (error if is_users else None)
        values.update(zip(node.outputs, results, strict=True))
        if after is not None:
            after(index, node, operands, results)


def has(variable: Variable, values: Values) -> bool:
    return variable in values or isinstance(variable, Constant)


def value_of(variable: Variable, values: Values) -> Array:
    return np.asarray(variable.data) if isinstance(variable, Constant) else values[variable]


def compute(node: Apply, values: Values) -> list[Array]:
    if node.row.name == "ifelse":
        return [value_of(v, values) for v in taken(node, value_of(node.inputs[0], values))]
    operands = [value_of(v, values) for v in node.inputs]
    if isinstance(node.row.meaning, Elementwise) and len(operands) > 1:
        check_broadcast(node, operands)
    return list(evaluate_node(node, operands))


def compute_silently(node: Apply, values: Values) -> list[Array]:
    """`_compute` for a second evaluation, which must not be heard: nothing is printed, no callback called."""
    if node.row.name in ("print", "assert"):
        return [value_of(node.inputs[0], values)]
    if node.row.effect:
        raise RuntimeError(f"{node.row.name} has effects and is not evaluated again")
    return compute(node, values)


def check_broadcast(node: Apply, operands: Sequence[Array]) -> None:
    """Only axes declared to have length 1 broadcast.  Raises ValueError where NumPy would stretch another one."""
    rank = max(array.ndim for array in operands)
    for axis in range(rank):
        lengths = set()
        for variable, array in zip(node.inputs, operands, strict=True):
            k = axis - rank + array.ndim
            if k >= 0 and variable.type.shape[k] != 1:
                lengths.add(array.shape[k])
        if len(lengths) > 1:
            shapes = ", ".join(str(array.shape) for array in operands)
            hint = (
                "; an axis of length 1 broadcasts only if its type says so (T.row, T.col, broadcastable=..., "
                "T.addbroadcast)"
                if 1 in lengths
                else ""
            )
            raise ValueError(f"Dimension mismatch on axis {axis}; shapes are {shapes}{hint}")


def initial_values(spec: FunctionSpec, arrays: Sequence[Array]) -> Values:
    """The values known before a call: its arguments and the shared variables."""
    values: Values = dict(zip(spec.inputs, arrays, strict=True))
    values.update((shared, shared.storage) for shared in spec.shared)
    return values


def finish(spec: FunctionSpec, values: Values) -> list[Array]:
    """Commit the updates and return the outputs, none of them memory of an argument, of the state or of each other."""
    taken = [value for variable, value in values.items() if variable.owner is None]
    outputs: list[Array] = []
    new: list[Array] = []
    for result in spec.results:
        array = _owned(value_of(result, values), taken)
        taken.append(array)
        (outputs if len(outputs) < len(spec.outputs) else new).append(array)
    # Everything that may fail stands before this line: from here on the state changes.
    for (shared, _), array in zip(spec.updates, new, strict=True):
        shared.swap(array)
    return outputs


def _owned(array: Array, taken: list[Array]) -> Array:
    is_own = array.base is None and array.flags.owndata and array.flags.writeable and array.flags.c_contiguous
    return array if is_own and not any(array is other for other in taken) else np.array(array, order="C")
