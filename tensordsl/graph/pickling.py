"""Graphs as pickles: what is stored of variables, applications, ops and lines, and how they are made again.

An application refers to others by position and is stored after them (`chain`), so that the depth of a graph is no depth
of recursion.  Copies (`copy.deepcopy`) go the same way.
"""

from __future__ import annotations

from collections.abc import Iterable
from pickle import PicklingError
from types import SimpleNamespace
from typing import Any

import numpy as np

from tensordsl.base.upper import upper
from tensordsl.graph.types import TensorType
from tensordsl.graph.variables import Apply, Op, SavedOrigin, Variable, constant_array, toposort


# -- what is stored --------------------------------------------------------------------------------------------------
def chain(variables: Iterable[Variable]) -> list[Apply]:
    """The applications behind `variables`, operands first: stored first, so that each finds its operands stored."""
    return toposort(variables)


def reduce_op(op: Op) -> tuple[Any, ...]:
    if rows().get(op.name) is not op:
        raise PicklingError(f"the op {op.name} is no row of the table and cannot be pickled")
    return row, (op.name,)


def reduce_apply(node: Apply) -> tuple[Any, ...]:
    inputs = tuple(v if v.owner is None else (v.owner, v.index) for v in node.inputs)
    outputs = tuple((v.type, v.name, _tag(v)) for v in node.outputs)
    return apply_again, (node.row, inputs, node.attrs, node.origin, outputs)


def reduce_variable(variable: Variable) -> tuple[Any, ...]:
    """The variable, by its application or by itself; its value and functions kept for `eval` are not stored."""
    if variable.owner is not None:
        return output_of, (chain([variable]), variable.owner, variable.index)
    return leaf, (type(variable), variable.type, variable.name, variable.origin, _tag(variable))


def reduce_constant(constant: Any) -> tuple[Any, ...]:
    return constant_again, (type(constant), constant.type, constant.data, constant.name)


def _tag(variable: Variable) -> dict[str, Any]:
    return vars(variable.tag)


# -- how it is made again ----------------------------------------------------------------------------------------------
def rows() -> dict[str, Op]:
    table: dict[str, Op] = upper("OPS")
    return table


def row(name: str) -> Op:
    """The row of that name.  Raises ValueError if this version has none."""
    found = rows().get(name)
    if found is None:
        raise ValueError(f"the pickle was written by another version: there is no op {name!r}")
    return found


def apply_again(
    op: Op,
    inputs: tuple[Any, ...],
    attrs: dict[str, Any],
    origin: SavedOrigin | None,
    outputs: tuple[tuple[TensorType, str | None, dict[str, Any]], ...],
) -> Apply:
    operands = tuple(v[0].outputs[v[1]] if isinstance(v, tuple) else v for v in inputs)
    node = Apply(op, operands, attrs, origin)
    made = tuple(type.output(node, k) for k, (type, _, _) in enumerate(outputs))
    for v, (_, name, tag) in zip(made, outputs, strict=True):
        v.name, v.tag = name, SimpleNamespace(**tag)
    object.__setattr__(node, "outputs", made)
    return node


def output_of(nodes: list[Apply], node: Apply, index: int) -> Variable:
    return node.outputs[index]


def leaf(kind: Any, type: TensorType, name: str | None, origin: SavedOrigin | None, tag: dict[str, Any]) -> Variable:
    variable: Variable = kind(type, name=name)
    variable.origin, variable.tag = origin, SimpleNamespace(**tag)
    return variable


def constant_again(kind: Any, type: TensorType, data: Any, name: str | None) -> Any:
    data.flags.writeable = False
    return kind(type, data, name)


# -- Theano's pickles --------------------------------------------------------------------------------------------------
class SavedContainer:
    """`gof.link.Container`: what Theano's pickles keep a shared variable's value in."""

    storage: list[Any]
    strict: bool = False
    allow_downcast: bool | None = None


def take_theanos_state(variable: Any, state: dict[str, Any]) -> None:
    """Make a variable, so far without anything, what a pickle of Theano's says: an input, a constant or a shared one.
    Raises ValueError for a result of an operation."""
    if state.get("owner") is not None:
        raise ValueError(
            "a pickle of Theano's that holds expressions cannot be read; its shared variables and data can"
        )
    kind, type, name = variable.__class__, state["type"], state["name"]
    if "container" in state:
        saved = state["container"]
        value = np.array(saved.storage[0], order="C")
        kind.__init__(variable, type, value, name, saved.strict, saved.allow_downcast)
    elif "data" in state:
        kind.__init__(variable, type, constant_array(state["data"]), name)
    else:
        kind.__init__(variable, type, name=name)
    variable.tag = SimpleNamespace(**{key: value for key, value in vars(state["tag"]).items() if key != "trace"})
