"""The options `cast_policy` and `warn_float64`, and what they do to new applications of ops."""

from __future__ import annotations

import warnings
from typing import Any

from tensordsl.base.config import config
from tensordsl.graph import variables
from tensordsl.graph.types import DISCRETE, FLOATS
from tensordsl.graph.variables import Apply, Elementwise, Op, Variable


def use_cast_policy(_: Any = None) -> None:
    """Follow `config.cast_policy` and `config.floatX`: under "numpy+floatX" with a floatX below float64, an integer
    beside a float of floatX counts as one too (NumPy's promotion would widen both)."""
    _switch(variables._OPERAND_HOOKS, _keep_floatx, config.cast_policy == "numpy+floatX" and config.floatX != "float64")


def use_float64_warnings(setting: str) -> None:
    """Follow `config.warn_float64`."""
    _switch(variables._APPLY_HOOKS, _report_float64, setting != "ignore")


def _switch(hooks: list[Any], hook: Any, is_on: bool) -> None:
    if is_on and hook not in hooks:
        hooks.append(hook)
    elif not is_on and hook in hooks:
        hooks.remove(hook)


def _keep_floatx(op: Op, operands: tuple[Variable, ...]) -> tuple[Variable, ...]:
    dtypes = {v.type.dtype for v in operands}
    floats = dtypes & set(FLOATS)
    is_mixed = floats == {config.floatX} and len(dtypes) > 1
    if not is_mixed or not isinstance(op.meaning, Elementwise):
        return operands
    from tensordsl.ops.math.elementwise import cast  # late: rows stand above the graph

    return tuple(cast(v, config.floatX) if v.type.dtype in DISCRETE and v.type.dtype != "bool" else v for v in operands)


def _report_float64(node: Apply) -> None:
    if not any(v.type.dtype == "float64" for v in node.outputs):
        return
    made = f"{node.row.name}({', '.join(map(repr, node.inputs))})"
    text = (
        f"You are creating a float64 variable: {made} gives {node.outputs[0].type}; the option "
        f"warn_float64={config.warn_float64} asked to be told\n  {node.origin}"
    )
    if config.warn_float64 == "raise":
        raise TypeError(text)
    if config.warn_float64 == "pdb":
        import pdb

        pdb.set_trace()
    warnings.warn(text, stacklevel=variables.user_level())
