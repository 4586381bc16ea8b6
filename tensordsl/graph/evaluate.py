"""The value of an expression by the oracles of its rows: slow, simple, and independent of the compiler."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from tensordsl.base.records import record
from tensordsl.graph.types import TensorType
from tensordsl.graph.variables import Apply, Constant, Expand, Variable, inputs_of, unwatched


@record
class Failed:
    """Stands for a value whose computation has failed, where it may be that nothing needs it: a loop is given what only
    its inner loops and branches read."""

    error: Exception


def evaluate(outputs: Iterable[Variable], values: Mapping[Variable, Any]) -> list[Any]:
    """The arrays of `outputs`, given the arrays of the variables they depend on.

    A value may also be given for a variable in the middle of the graph; what it depends on is then not needed.
    Raises KeyError, naming the variable, where a value is missing.
    """
    outputs = list(outputs)
    known: dict[int, Any] = {id(v): value for v, value in values.items()}

    def look_up(v: Variable) -> Any:
        return _look_up(known, v)

    for node in in_order(outputs, lambda v: isinstance(v, Constant) or id(v) in known, look_up):
        for v, array in zip(node.outputs, evaluate_with(node, look_up), strict=True):
            known.setdefault(id(v), array)
    return [look_up(v) for v in outputs]


def in_order(
    roots: Iterable[Variable], has: Callable[[Variable], bool], value_of: Callable[[Variable], Any]
) -> Iterator[Apply]:
    """The applications that `roots` need, each when its operands have values; the caller evaluates each before the
    next one.  Of an `ifelse` only the branch taken is needed, of a loop without rounds only what it starts with."""
    stack = [v.owner for v in reversed(list(roots)) if v.owner is not None and not has(v)]
    while stack:
        node = stack[-1]
        if all(map(has, node.outputs)):
            stack.pop()
            continue
        missing = [v.owner for v in _needed(node, has, value_of) if v.owner is not None and not has(v)]
        if missing:
            stack += reversed(missing)
            continue
        stack.pop()
        yield node


def _needed(node: Apply, has: Callable[[Variable], bool], value_of: Callable[[Variable], Any]) -> Sequence[Variable]:
    if node.row.name != "ifelse" and "body" not in node.attrs:
        return node.inputs
    first = node.inputs[0]
    if not has(first) and first.owner is not None:  # a shared variable has a value that is not asked for before
        return (first,)
    value = value_of(first)
    if isinstance(value, Failed):
        return (first,)
    if node.row.name == "ifelse":
        return taken(node, value)
    return node.inputs if value > 0 else always_needed(node)


def always_needed(node: Apply) -> Sequence[Variable]:
    """The operands without which a node has no results: of an `ifelse` the condition, of a loop what it starts with."""
    if node.row.name == "ifelse":
        return node.inputs[:1]
    return node.inputs[: 1 + len(node.attrs["body"].carried)] if "body" in node.attrs else node.inputs


def taken(node: Apply, condition: Any) -> tuple[Variable, ...]:
    """The operands of the branch that an `ifelse` takes."""
    count = len(node.outputs)
    start = 1 if bool(condition) else 1 + count
    return node.inputs[start : start + count]


def evaluate_with(node: Apply, value_of: Callable[[Variable], Any]) -> tuple[Any, ...]:
    """The arrays of the outputs of one application; of an `ifelse` the branch not taken has no values."""
    if node.row.name == "ifelse":
        values = map(value_of, taken(node, value_of(node.inputs[0])))
        return tuple(np.asarray(x, dtype=v.type.dtype) for x, v in zip(values, node.outputs, strict=True))
    return evaluate_node(node, operands_of(node, value_of))


def operands_of(node: Apply, value_of: Callable[[Variable], Any]) -> list[Any]:
    """The arrays of a node's operands; of a loop without rounds, what only these would need has no value (KeyError),
    and arrays of its shape stand for it."""
    if "body" not in node.attrs or value_of(node.inputs[0]) > 0:
        return [value_of(v) for v in node.inputs]
    first = 1 + len(node.attrs["body"].carried)
    return [*map(value_of, node.inputs[:first]), *(_value_or_shape(v, value_of) for v in node.inputs[first:])]


def _value_or_shape(v: Variable, value_of: Callable[[Variable], Any]) -> Any:
    """The array of a variable, or one of its shape as far as types tell, else of length 0."""
    from tensordsl.graph.substitute import substitute  # late: it is needed for this alone

    with suppress(KeyError):
        value = value_of(v)
        if not isinstance(value, Failed):
            return value
    shape = v.type.shape
    with unwatched(), suppress(TypeError, ValueError, IndexError, KeyError):  # of what would have failed
        typed: dict[Variable, Variable] = {u: TensorType(u.type.dtype, np.shape(value_of(u)))() for u in inputs_of([v])}
        shape = substitute([v], typed)[0].type.shape
    return np.broadcast_to(np.zeros((), v.type.dtype), [d or 0 for d in shape])


def evaluate_node(node: Apply, operands: Iterable[Any]) -> tuple[Any, ...]:
    """The arrays of the outputs of one application, in the dtypes that its row promises."""
    op = node.row
    if op.oracle is not None:
        result = op.oracle(*operands, **node.attrs)
    else:
        assert isinstance(op.meaning, Expand), f"{op.name} has neither an oracle nor an expansion"
        parameters = [v.type() for v in node.inputs]
        with unwatched():
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


# -- loops -------------------------------------------------------------------------------------------------------------
def run_rounds(
    n: Any, operands: Sequence[Any], body: Any, evaluate: Callable[[Sequence[Variable], Any], list[Any]]
) -> tuple[Any, ...]:
    """The loop by `evaluate(expressions, {parameter: array})` of each round: the number of rounds that were, the last
    carried values, and what is stacked; body: an `ops.control.LoopBody`."""
    count = len(body.carried)
    carried, invariants = list(operands[:count]), dict(zip(body.invariants, operands[count:], strict=True))
    collected: list[list[Any]] = [[] for _ in body.stacked]
    rounds, is_done = 0, False
    while rounds < n and not is_done:
        values = {body.index: np.int64(rounds), **dict(zip(body.carried, carried, strict=True)), **invariants}
        results = evaluate(body.expressions, values)
        if body.condition is not None:
            is_done = bool(results.pop())
        for v, following, old, new in zip(body.carried, body.next, carried, results, strict=False):
            if np.shape(old) != np.shape(new):
                raise ValueError(
                    f"{body.name}: the state {v!r} changed its shape from {np.shape(old)} to {np.shape(new)} in round "
                    f"{rounds} (counted from 0), by {following!r} made at\n  {following.origin}"
                )
        carried = results[:count]
        for column, value in zip(collected, results[count:], strict=True):
            column.append(value)
        rounds += 1
    stacked = [_stack(c, v) if c else _no_rows(v, operands, body) for c, v in zip(collected, body.stacked, strict=True)]
    return (np.int64(rounds), *carried, *stacked)


def _stack(column: Sequence[Any], variable: Variable) -> Any:
    shapes = {np.shape(value): None for value in column}
    if len(shapes) > 1:
        one, other = list(shapes)[:2]
        raise ValueError(f"for: what a loop stacks must have one shape, got {one} and {other}")
    return np.stack(column)


def _no_rows(variable: Variable, operands: Sequence[Any], body: Any) -> Any:
    """What a loop without rounds stacks: rows as long as the types of its parameters tell, else 0."""
    shape = variable.type.shape
    if None in shape:
        from tensordsl.graph.substitute import substitute  # late: it is needed for this alone

        given = zip(body.parameters, (np.int64(0), *operands), strict=True)
        typed = {v: TensorType(v.type.dtype, np.shape(array))() for v, array in given}
        with unwatched(), suppress(TypeError, ValueError, IndexError):  # of rounds that would have failed
            shape = substitute([variable], typed)[0].type.shape
    return np.empty((0, *(d or 0 for d in shape)), variable.type.dtype)
