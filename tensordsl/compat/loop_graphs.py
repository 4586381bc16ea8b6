"""`scan_utils`: functions on graphs that programs which write their own loops use, under Theano's names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from tensordsl.functions.clone import clone
from tensordsl.graph.substitute import reapply, substitute
from tensordsl.graph.variables import Apply, Constant, Variable, toposort
from tensordsl.ops.array.creation import zeros
from tensordsl.ops.array.shape import concatenate, shape_tuple
from tensordsl.ops.control import make_loop
from tensordsl.ops.operands import as_variable

__all__ = [
    "expand_empty", "forced_replace", "infer_shape", "isNaN_or_Inf_or_None", "map_variables", "reconstruct_graph",
    "safe_new",
]  # fmt: skip


def infer_shape(outs: Iterable[Any], inputs: Sequence[Any], input_shapes: Sequence[Any]) -> list[tuple[Any, ...]]:
    """The shapes of `outs` where those of `inputs` are `input_shapes`, tuples of integers or 0-d variables.

    >>> import tensordsl.tensor as T
    >>> x, y, n = T.vector("x"), T.vector("y"), T.lscalar("n")
    >>> ((rows, columns),) = infer_shape([T.outer(x, y)], [x, y], [(n,), (3,)])
    >>> int(rows.eval({n: 5})), int(columns.eval({n: 5}))
    (5, 3)
    """
    shaped = {
        x: zeros([as_variable(n) for n in shape], dtype=x.type.dtype)
        for x, shape in zip(inputs, input_shapes, strict=True)
        if shape is not None
    }
    return [tuple(map(as_variable, substitute(map(as_variable, shape_tuple(out)), shaped))) for out in outs]


def map_variables(
    replacer: Callable[[Any], Any], graphs: Sequence[Any], additional_inputs: Sequence[Any] = ()
) -> list[Any]:
    """`graphs` with replacer(v) in the place of each of their variables v, those in the steps of loops among them.

    What a replacement depends on may be used in steps, too; `additional_inputs` need not name it.  TypeError for what
    is no variable.

    >>> import tensordsl, tensordsl.tensor as T
    >>> x, s = T.vector("x"), tensordsl.shared(3.0, "s")
    >>> (twice,) = map_variables(lambda v: v * 2 if v.name == "s" else v, [x * s])
    >>> twice.eval({x: [1, 2]})
    array([ 6., 12.])
    """
    new: dict[int, Any] = {}

    def replaced(v: Any) -> Any:
        found = replacer(v)
        if not isinstance(found, Variable):
            raise TypeError(f"map_variables: the replacer gave {found!r} for {v!r}, which is no variable")
        return found

    def of(v: Variable) -> Any:
        if id(v) not in new:
            new[id(v)] = v if isinstance(v, Constant) else replaced(v)
        return new[id(v)]

    for node in toposort(graphs):
        operands = [of(v) for v in node.inputs]
        made = _with_mapped_body(node, operands, replacer) if "body" in node.attrs else None
        is_same = all(a is b for a, b in zip(operands, node.inputs, strict=True))
        if made is None:
            made = node.outputs if is_same else reapply(node, operands)
        new.update((id(old), replaced(fresh)) for old, fresh in zip(node.outputs, made, strict=True))
    return [of(v) for v in graphs]


def _with_mapped_body(node: Apply, operands: Sequence[Any], replacer: Callable[[Any], Any]) -> Sequence[Any] | None:
    """A loop of these operands with mapped expressions; None if they stay."""
    body = node.attrs["body"]
    parameters = {id(v) for v in body.parameters}
    mapped = map_variables(lambda v: v if id(v) in parameters else replacer(v), body.expressions)
    if all(a is b for a, b in zip(mapped, body.expressions, strict=True)):
        return None
    n, *given = operands
    count = len(body.carried)
    mapped = substitute(mapped, dict(zip(body.invariants, given[count:], strict=True)))
    return make_loop(
        n, body.index, body.carried, given[:count], mapped[:count], mapped[count : count + len(body.stacked)],
        body.truncate, mapped[-1] if body.condition is not None else None, body.recomputes, body.name,
    )  # fmt: skip


def expand_empty(tensor_var: Any, size: Any) -> Any:
    """A tensor with `size` more rows behind its own, whose elements are not to be read; they are zeros."""
    if isinstance(size, int) and size == 0:
        return tensor_var
    x = as_variable(tensor_var)
    return concatenate([x, zeros((size, *shape_tuple(x)[1:]), dtype=x.type.dtype)])


def forced_replace(out: Any, x: Any, y: Any) -> Any:
    """`out` with y in the place of x, of whatever type."""
    return None if out is None else clone(out, replace={x: y}, strict=False)


def reconstruct_graph(inputs: Sequence[Any], outputs: Sequence[Any], tag: str | None = None) -> tuple[Any, Any]:
    """(inputs, outputs): a copy of a graph with inputs of its own, whose names end with `tag`."""
    own = [safe_new(v, "" if tag is None else tag) for v in inputs]
    return own, clone(list(outputs), replace=dict(zip(inputs, own, strict=True)), strict=False)


def safe_new(x: Any, tag: str = "", dtype: Any = None) -> Any:
    """A variable of the type of x, or with another dtype, without owner; a constant as it is."""
    if isinstance(x, Constant):
        return x if dtype is None or dtype == x.type.dtype else as_variable(x.data.astype(dtype))
    name = None if x.name is None else x.name + tag
    return type(x.type)(dtype or x.type.dtype, x.type.shape)(name)


def isNaN_or_Inf_or_None(x: Any) -> bool:
    """Whether x is None, or a number that is not finite.

    >>> isNaN_or_Inf_or_None(None), isNaN_or_Inf_or_None(float("inf")), isNaN_or_Inf_or_None(3)
    (True, True, False)
    """
    if x is None:
        return True
    try:
        return not bool(np.all(np.isfinite(x)))
    except TypeError:
        return False
