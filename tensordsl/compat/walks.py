"""`gof.graph`: Theano's walks over graphs, under its names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tensordsl import graph
from tensordsl.clone import clone
from tensordsl.graph import Apply, Variable, inputs_of, toposort

__all__ = ["ancestors", "inputs", "io_toposort", "is_same_graph"]


def inputs(variable_list: Iterable[Variable], blockers: Iterable[Variable] | None = None) -> list[Variable]:
    """The variables without owner that `variable_list` depends on, constants included; not beyond `blockers`."""
    every = graph.ancestors(variable_list, stop=blockers or ())
    return [v for v in every if v.owner is None]


def ancestors(variable_list: Iterable[Variable], blockers: Iterable[Variable] | None = None) -> list[Variable]:
    """Every variable that `variable_list` depends on, themselves included; not beyond `blockers`."""
    return graph.ancestors(variable_list, stop=blockers or ())


def io_toposort(inputs: Iterable[Variable], outputs: Iterable[Variable]) -> list[Apply]:
    """The applications between `inputs` and `outputs`, operands before users."""
    return toposort(outputs, stop=inputs)


def is_same_graph(var1: Variable, var2: Variable, givens: Mapping[Any, Any] | None = None) -> bool:
    """Whether both are the same expression of the same variables, after the replacements `givens`.

    Raises TypeError where an expression holds a Python callable, which cannot be compared.
    """
    from tensordsl.codegen.graph_key import graph_key  # late: it loads the compiler's package

    one, two = clone([var1, var2], replace=dict(givens or {}), strict=False)
    leaves = inputs_of([one, two])
    keys = [graph_key(leaves, (), [v]) for v in (one, two)]
    if None in keys:
        raise TypeError("is_same_graph: a graph that calls Python cannot be compared")
    return keys[0] == keys[1]
