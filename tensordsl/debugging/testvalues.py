"""Test values: expressions evaluated while they are built, so that a mistake shows on the line that makes it."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from tensordsl.base.config import config
from tensordsl.debugging.reports import node_text, rounds_text, same_class
from tensordsl.debugging.trace import Array, Reported, Rounds, Tracer, Values, value_of
from tensordsl.graph import variables
from tensordsl.graph.conversion import convert
from tensordsl.graph.printing import variable_text
from tensordsl.graph.variables import Apply, Constant, Variable, user_level
from tensordsl.signature.shared import SharedVariable, TensorSharedVariable


def use_test_values(setting: str) -> None:
    """Follow `config.compute_test_value`: compute the test value of each new Apply, or stop doing so."""
    if setting == "off":
        if _compute_test_values in variables._APPLY_HOOKS:
            variables._APPLY_HOOKS.remove(_compute_test_values)
    elif _compute_test_values not in variables._APPLY_HOOKS:
        variables._APPLY_HOOKS.append(_compute_test_values)


def _compute_test_values(node: Apply) -> None:
    """Give the outputs of a new node their test values; errors are raised in the user's own line."""
    setting = config.compute_test_value
    values: Values = {}
    for position, variable in enumerate(node.inputs):
        value = stand_in(variable)
        if value is None:
            return _report_missing(position, variable, node, setting)
        values[variable] = value
    try:
        results = Tracer(_explained).compute(node, values, ())
    except Exception as error:
        if setting == "pdb":
            import pdb

            pdb.post_mortem(error.__traceback__)
        if isinstance(error, Reported):  # in a round of a loop
            raise error.error from None
        raise _explained(error, node, [value_of(v, values) for v in node.inputs], ()) from None
    for variable, result in zip(node.outputs, results, strict=True):
        variable.tag.test_value = result
    return None


def _explained(error: Exception, node: Apply, operands: list[Array], rounds: Rounds) -> Exception:
    """The error of a node on its operands; inside of a loop with the round, and the line where the node was made."""
    shapes = ", ".join(f"{variable_text(v)}: shape {a.shape}" for v, a in zip(node.inputs, operands, strict=False))
    where = f"\n  in {rounds_text(rounds)} (rounds count from 0)\n  {node.origin}" if rounds else ""
    return same_class(error, f"{error}\n  in {node_text(node)} on the test values of {shapes}{where}")


def stand_in(variable: Variable) -> Array | None:
    """What stands for `variable` while test values are computed.  Raises TypeError if it does not fit the type."""
    if isinstance(variable, Constant):
        return np.asarray(variable.data)
    value = getattr(variable.tag, "test_value", None)
    if value is None:
        return variable.storage if isinstance(variable, TensorSharedVariable) else None
    try:
        return convert(value, variable.type, allow_downcast=None)
    except TypeError as error:
        raise TypeError(f"the test value of {variable_text(variable)} does not fit: {error}") from None


def _report_missing(position: int, variable: Variable, node: Apply, setting: str) -> None:
    text = (
        f"Cannot compute the test value: input {position} ({variable_text(variable)}) of {node_text(node)} has none; "
        f"set {variable_text(variable)}.tag.test_value"
    )
    if setting in ("raise", "pdb"):
        raise ValueError(text)
    # What depends on a variable without test value has none either: said once is enough.
    if setting == "warn" and variable.owner is None and not isinstance(variable, SharedVariable):
        warnings.warn(text, stacklevel=user_level())


def get_test_value(value: Any) -> Array:
    """The test value of a variable.  Raises AttributeError if it has none."""
    found = stand_in(value) if isinstance(value, Variable) else np.asarray(value)
    if found is None:
        raise AttributeError(f"{variable_text(value)} has no test value")
    return found


def get_debug_values(*args: Any) -> list[Any]:
    """`for a, b in get_debug_values(x, y)`: their test values, once, or nothing where they have none.

    Raises ValueError for a missing one if `config.compute_test_value` is "raise".
    """
    setting = config.compute_test_value
    if setting == "off":
        return []
    found: list[Array] = []
    for value in args:
        try:
            found.append(get_test_value(value))
        except AttributeError as error:
            if setting in ("raise", "pdb"):
                raise ValueError(str(error)) from None
            if setting == "warn":
                warnings.warn(str(error), stacklevel=2)
            return []
    return found if len(found) == 1 else [tuple(found)]


def debug_assert(condition: Any, msg: str | None = None) -> None:
    """Raise AssertionError (or warn, as `config.compute_test_value` says) if a condition on test values is false."""
    if condition:
        return
    text = msg or "debug_assert failed"
    if config.compute_test_value in ("raise", "ignore", "pdb"):
        raise AssertionError(text)
    if config.compute_test_value == "warn":
        warnings.warn(text, stacklevel=2)
