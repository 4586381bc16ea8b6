"""A step of a loop: the user's function called once on parameters, and what it returns.

Comes in   the function and its arguments: parameters that stand for one round's elements and states.
Goes out   `Step`: results, updates of shared variables, and the condition that ends the loop.  Shared variables whose
           default update the results use (random streams) are states as those are that the step updates itself.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tensordsl.base.records import record
from tensordsl.graph.variables import Variable, ancestors
from tensordsl.ops.operands import as_variable
from tensordsl.signature.shared import SharedVariable
from tensordsl.signature.updates import OrderedUpdates

RETURNS = (
    "a step returns its results (a variable or a list of them), then updates (a dictionary, or a list of pairs), then "
    "until(condition); each may be left out"
)


@record
class until:
    """Ends a scan behind the round in which `condition` is not zero; a step returns it last.

    >>> import tensordsl, tensordsl.tensor as T
    >>> values, _ = tensordsl.scan(lambda a: (a * 2, until(a > 4)), outputs_info=T.ones(()), n_steps=100)
    >>> values.eval()
    array([ 2.,  4.,  8., 16.])
    """

    condition: Any


@record
class Step:
    """What one call of a step gave: results, new values of shared variables, and the condition of `until`."""

    results: tuple[Any, ...]
    updates: dict[Any, Any]
    condition: Any


def call_step(fn: Callable[..., Any], arguments: Sequence[Any], where: str, others: Sequence[Any] = ()) -> Step:
    """Call the step and read what it returns.  where: the loop, for errors; others: those of the arguments that are the
    same in all rounds, what they are made of included (random numbers that were drawn before).  Raises TypeError and
    ValueError."""
    if not callable(fn):
        raise TypeError(f"{where}: the step must be a function, got {fn!r}")
    _check_arguments(fn, arguments, where)
    returned = fn(*arguments)
    results, updates, condition = _split_returned(returned, where)
    values = tuple(results) if isinstance(results, list | tuple) else () if results is None else (results,)
    for k, value in enumerate(values):
        if value is None:
            raise ValueError(f"{where}: result {k} of the step is None; {RETURNS}")
    pairs: dict[Any, Any] = {}
    for target, value in updates.items() if isinstance(updates, Mapping) else updates:
        if not isinstance(target, SharedVariable):
            raise TypeError(f"{where}: the step updates {target!r}, which is no shared variable")
        if target in pairs:
            raise ValueError(f"{where}: the step updates {target!r} twice")
        pairs[target] = _new_value(target, value, where)
    made = tuple(as_operand(v, f"{where}: result {k} of the step", RETURNS) for k, v in enumerate(values))
    return Step(made, _with_defaults(values, pairs, condition, others), condition)


def as_operand(value: Any, what: str, hint: str = "") -> Any:
    """A value that a user gives as a variable; TypeError with what it is for where it cannot be one."""
    try:
        return as_variable(value)
    except TypeError as error:
        raise TypeError(f"{what}: {error}" + (f"; {hint}" if hint else "")) from None


def _check_arguments(fn: Callable[..., Any], arguments: Sequence[Any], where: str) -> None:
    """Raise TypeError if the step does not take so many arguments."""
    try:
        signature = inspect.signature(fn)
    except (TypeError, ValueError):  # of a built-in function nothing is known
        return
    try:
        signature.bind(*arguments)
    except TypeError as error:
        given = ", ".join(v.name or str(v.type) for v in arguments)
        raise TypeError(
            f"{where}: the step {getattr(fn, '__name__', fn)!r} takes {signature}, but gets {len(arguments)} arguments "
            f"({given}): {error}; they are the elements of the sequences, the states, then the non_sequences"
        ) from None


def _new_value(target: Any, value: Any, where: str) -> Any:
    """The new value of a shared variable, which must have its dtype and as many axes."""
    value = as_operand(value, f"{where}: the new value of {target!r}")
    if value.type.dtype != target.type.dtype:
        raise TypeError(
            f"{where}: the new value of {target!r} has dtype {value.type.dtype}, but the shared variable has "
            f"{target.type.dtype}: let the step return T.cast(value, {target.type.dtype!r}){made_at(value)}"
        )
    if value.type.ndim != target.type.ndim:
        raise TypeError(
            f"{where}: the new value of {target!r} has {value.type.ndim} axes, but the shared variable has "
            f"{target.type.ndim}{made_at(value)}"
        )
    return value


def made_at(value: Any) -> str:
    """Where the user's program makes a value, as the end of a message."""
    node = value.owner
    return f"\n  made by {node.row.name} at {node.origin}" if node is not None and node.origin is not None else ""


def get_updates_and_outputs(returned: Any) -> tuple[Any, list[Any], OrderedUpdates]:
    """What a step returned as (condition, outputs, updates), Theano's order; the condition is None without `until`.

    >>> import tensordsl.tensor as T
    >>> x = T.vector("x")
    >>> get_updates_and_outputs((x, until(x.sum() > 1)))[1]
    [x]
    """
    results, updates, condition = _split_returned(returned, "scan")
    outputs = list(results) if isinstance(results, list | tuple) else [] if results is None else [results]
    return condition, outputs, OrderedUpdates(updates)


def has_until(returned: Any) -> bool:
    """Whether what a step returned ends its loop."""
    return isinstance(returned, until) or (
        isinstance(returned, list | tuple) and any(isinstance(part, until) for part in returned)
    )


def _split_returned(returned: Any, where: str) -> tuple[Any, Any, Any]:
    """Results, updates and the condition of what a step returned."""
    if returned is None:
        raise ValueError(f"{where}: the step returned None; {RETURNS}")
    if isinstance(returned, until):
        return None, {}, as_variable(returned.condition)
    if _is_updates(returned):
        return None, returned, None
    if not isinstance(returned, list | tuple):
        return returned, {}, None
    parts = list(returned)
    condition = None
    if parts and isinstance(parts[-1], until):
        condition = as_variable(parts.pop().condition)
    if any(isinstance(part, until) for part in parts):
        raise ValueError(f"{where}: until(condition) must be the last that the step returns; {RETURNS}")
    updates: Any = {}
    if parts and _is_updates(parts[-1]):
        updates = parts.pop()
    if any(isinstance(part, Mapping) for part in parts):
        raise ValueError(f"{where}: updates must follow the results; {RETURNS}")
    if len(parts) == 1 and isinstance(parts[0], list | tuple):  # ([a, b], updates)
        return parts[0], updates, condition
    return parts, updates, condition


def _is_updates(part: Any) -> bool:
    """Whether it is updates: a dictionary, or pairs of a shared variable and its new value."""
    if isinstance(part, Mapping):
        return True
    return (
        isinstance(part, list | tuple)
        and len(part) > 0
        and all(isinstance(pair, list | tuple) and len(pair) == 2 for pair in part)
        and all(isinstance(target, SharedVariable) for target, _ in part)
    )


def _with_defaults(
    values: Sequence[Any], updates: dict[Any, Any], condition: Any, others: Sequence[Any]
) -> dict[Any, Any]:
    """The updates, and the default ones of shared variables that anything of the step reads."""
    updates = dict(updates)
    while True:
        roots = [v for v in (*values, *updates.values(), condition) if isinstance(v, Variable)]
        fresh = [
            v
            for v in ancestors(roots, others)
            if isinstance(v, SharedVariable) and v.default_update is not None and v not in updates
        ]
        if not fresh:
            return updates
        updates.update((v, as_variable(v.default_update)) for v in fresh)
