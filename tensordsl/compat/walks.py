"""`gof.graph`: Theano's walks over graphs, under its names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tensordsl.functions.clone import clone
from tensordsl.graph.variables import Apply, Variable, inputs_of
from tensordsl.ops.operands import as_variable

__all__ = ["ancestors", "equal_computations", "inputs", "io_toposort", "is_same_graph"]


def inputs(variable_list: Iterable[Variable], blockers: Iterable[Variable] | None = None) -> list[Variable]:
    """The variables without owner that `variable_list` depends on, constants included; not beyond `blockers`.

    The order is that of `ancestors`: the order of a network's parameters, by which programs save and load them.
    """
    return [v for v in ancestors(variable_list, blockers) if v.owner is None]


def ancestors(variable_list: Iterable[Variable], blockers: Iterable[Variable] | None = None) -> list[Variable]:
    """Every variable that `variable_list` depends on, themselves included; not beyond `blockers`.

    In Theano's order, depth first: from the last of the list to the first, a variable before its operands, and of these
    the first before the others.

    >>> import tensordsl.tensor as T
    >>> a, b, c = T.scalars("a", "b", "c")
    >>> ancestors([c, b, a])
    [a, b, c]
    """
    found: dict[Variable, None] = {}
    closed = set(blockers or ())
    waiting = list(variable_list)
    while waiting:
        v = waiting.pop()
        if v not in found:
            found[v] = None
            if v.owner is not None and v not in closed:
                waiting += reversed(v.owner.inputs)
    return list(found)


def io_toposort(inputs: Iterable[Variable], outputs: Iterable[Variable]) -> list[Apply]:
    """The applications between `inputs` and `outputs`, operands before users.

    In Theano's order: depth first from each of `outputs`, and from the last operand of each application to its first.
    """
    ends = set(inputs)
    begun: set[Apply] = set()
    order: list[Apply] = []
    waiting: list[Variable | Apply] = []  # an application: its operands are done
    waiting += list(outputs)[::-1]
    while waiting:
        top = waiting.pop()
        if isinstance(top, Apply):
            order.append(top)
        elif top not in ends and top.owner is not None and top.owner not in begun:
            begun.add(top.owner)
            waiting += (top.owner, *top.owner.inputs)
    return order


def is_same_graph(var1: Variable, var2: Variable, givens: Mapping[Any, Any] | None = None) -> bool:
    """Whether both are the same expression of the same variables, after the replacements `givens`.

    Raises TypeError where an expression holds a Python callable, which cannot be compared.
    """
    from tensordsl.codegen.compiler.graph_key import graph_key  # late: it loads the compiler's package

    one, two = clone([var1, var2], replace=dict(givens or {}), strict=False)
    leaves = inputs_of([one, two])
    keys = [graph_key(leaves, (), [v]) for v in (one, two)]
    if None in keys:
        raise TypeError("is_same_graph: a graph that calls Python cannot be compared")
    return keys[0] == keys[1]


def equal_computations(
    xs: Iterable[Any],
    ys: Iterable[Any],
    in_xs: Iterable[Variable] | None = None,
    in_ys: Iterable[Variable] | None = None,
    strict_dtype: bool = True,
) -> bool:
    """`scan_utils`: whether `xs` compute the same of `in_xs` as `ys` do of `in_ys`; values count as constants.

    `strict_dtype`: accepted; dtypes are compared.

    >>> import tensordsl.tensor as T
    >>> a, b = T.scalars("a", "b")
    >>> equal_computations([a + 1], [b + 1]), equal_computations([a + 1], [b + 1], [a], [b])
    (False, True)
    """
    xs, ys = list(map(as_variable, xs)), list(map(as_variable, ys))
    replaced = dict(zip(in_xs or (), in_ys or (), strict=True))
    return len(xs) == len(ys) and all(is_same_graph(x, y, replaced) for x, y in zip(xs, ys, strict=True))
