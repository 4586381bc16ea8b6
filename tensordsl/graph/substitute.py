"""Rebuild an expression with some of its variables replaced."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from tensordsl.base.upper import upper
from tensordsl.graph.casting import accumulator, sum_dtype, upcast
from tensordsl.graph.variables import Apply, Elementwise, OpTypeError, Variable, apply, toposort


def substitute(outputs: Iterable[Variable], replacements: Mapping[Any, Any], copy: bool = False) -> list[Any]:
    """`outputs` with every key of `replacements` replaced by its value.

    What does not depend on a key is shared with the old graph, unless `copy`.  The values are taken as they are: keys
    inside them stay.  Loop bodies are closed, so a replacement reaches them through the operands of their loop.
    """
    outputs = list(outputs)
    if not (replacements or copy):
        return outputs
    new: dict[int, Variable] = {id(old): value for old, value in replacements.items()}
    for node in toposort(outputs, stop=replacements):
        operands = tuple(new.get(id(v), v) for v in node.inputs)
        if copy or any(a is not b for a, b in zip(operands, node.inputs, strict=True)):
            for old, fresh in zip(node.outputs, reapply(node, operands), strict=True):
                new.setdefault(id(old), fresh)
    return [new.get(id(v), v) for v in outputs]


def by_keys(outputs: Sequence[Variable], keys: Iterable[Variable]) -> list[Any]:
    """`outputs` for the case that values are given for these variables: gradients in them that stable forms may have
    led past one (`stable_cost`) are built anew and go by it."""
    own = [v for v in keys if v.owner is not None]
    graph = toposort(outputs, stop=own) if own else []
    anew = {v: v.__dict__["_anew"](own) for node in graph for v in node.outputs if "_anew" in v.__dict__}
    return substitute(outputs, anew)


def reapply(node: Apply, operands: Iterable[Variable], attrs: Mapping[str, Any] | None = None) -> tuple[Variable, ...]:
    """The op of `node` on other operands; names, tags and the line of the user's program are kept.

    What a public function has chosen by the dtypes of its operands is chosen anew: the dtype of a sum, and the common
    one of a product's factors.
    """
    operands = tuple(operands)
    if "types" in node.attrs and any(not a.type.accepts(v.type) for a, v in zip(node.inputs, operands, strict=True)):
        row: Any = node.row  # of a custom operation, which says itself what it gives for operands of other types
        return _like_outputs(node, row.custom.make_node(*operands).outputs)
    if attrs is None and any(v.type.ndim != old.type.ndim for v, old in zip(operands, node.inputs, strict=True)):
        attrs = _in_ranks_of(operands, node)
    if "body" in node.attrs and attrs is None:
        operands, attrs = _in_types_of(operands, node)
    if any(v.type.dtype != old.type.dtype for v, old in zip(operands, node.inputs, strict=True)):
        operands = _in_one_dtype(node, operands)
        attrs = _summed_in(node, operands) if attrs is None else attrs
    result = apply(node.row, *operands, **(node.attrs if attrs is None else attrs))
    return _like_outputs(node, result if isinstance(result, tuple) else (result,))


OVER_ALL_AXES = "_over_all_axes"  # in the dictionary of a result: its reduction is over all axes of whatever operand
_OF_ANY_RANK = frozenset(
    "argmax argmin consider_constant disconnected_grad dot grad_clip grad_scale inc_take max min reshape take "
    "undefined_grad zero_grad".split()
)


def _in_ranks_of(operands: Sequence[Variable], node: Apply) -> dict[str, Any]:
    """The attributes of a node for operands of other ranks, as Theano's op would take them.  Raises OpTypeError where
    the axes were fixed when the graph was built."""
    name, rank = node.row.name, operands[0].type.ndim
    if isinstance(node.row.meaning, Elementwise):
        return node.attrs
    if OVER_ALL_AXES in node.outputs[0].__dict__:
        return {**node.attrs, "axis": tuple(range(rank))}
    if name in ("subtensor", "inc_subtensor") and rank >= len(node.attrs["index"]):
        rest = (("slice", None, None, None),) * (rank - len(node.attrs["index"]))
        return {**node.attrs, "index": (*node.attrs["index"], *rest)}
    axes = node.attrs.get("axis", node.attrs.get("axes", ()))
    if name in ("sum", "prod", "all", "any", *_OF_ANY_RANK) and all(axis < rank for axis in axes):
        return node.attrs
    wanted, got = (", ".join(str(v.type) for v in given) for given in (node.inputs, operands))
    raise OpTypeError(f"{name}: its axes were fixed when it was applied to ({wanted}), it cannot take ({got})")


def _like_outputs(node: Apply, outputs: tuple[Variable, ...]) -> tuple[Variable, ...]:
    object.__setattr__(outputs[0].owner, "origin", node.origin)
    for old, fresh in zip(node.outputs, outputs, strict=True):
        if OVER_ALL_AXES in old.__dict__:
            fresh.__dict__[OVER_ALL_AXES] = True
        fresh.name, fresh.origin = old.name, old.origin
        for key, value in vars(old.tag).items():
            if key != "test_value":  # that one follows the operands
                setattr(fresh.tag, key, value)
    return outputs


def _in_one_dtype(node: Apply, operands: tuple[Variable, ...]) -> tuple[Variable, ...]:
    if node.row.name not in ("dot", "batched_dot"):
        return operands
    dtype = upcast(*(v.type.dtype for v in operands))
    return tuple(upper("cast")(v, dtype) for v in operands)


def _in_types_of(operands: tuple[Variable, ...], node: Apply) -> tuple[tuple[Variable, ...], dict[str, Any]]:
    """Operands of a loop, and its attributes with a body for their types.  A carried value that does not keep its
    dtype starts in the common one of what it is and becomes."""
    body = node.attrs["body"]
    n, *given = operands
    parameters = (*body.carried, *body.invariants)
    if all(p.type.dtype == v.type.dtype and p.type.accepts(v.type) for p, v in zip(parameters, given, strict=True)):
        return operands, node.attrs
    count = len(body.carried)
    for _ in range(1 + count):  # a common dtype of one may change that of others
        fresh = [_like_operand(p, v) for p, v in zip(parameters, given, strict=True)]
        made = body.with_expressions(substitute(body.expressions, dict(zip(parameters, fresh, strict=True))))
        drifting = [k for k in range(count) if made.next[k].type.dtype != fresh[k].type.dtype]
        if not drifting:
            break
        for k in drifting:
            given[k] = upper("cast")(given[k], upcast(fresh[k].type.dtype, made.next[k].type.dtype))
    made = replace(made, carried=tuple(fresh[:count]), invariants=tuple(fresh[count:]))
    return (n, *given), {**node.attrs, "body": made}


def _like_operand(parameter: Variable, operand: Variable) -> Variable:
    """The parameter, or one that takes the operand's type as well."""
    own, given = parameter.type, operand.type
    if own.dtype == given.dtype and own.accepts(given):
        return parameter
    shape = tuple(a if a == b else None for a, b in zip(own.shape, given.shape, strict=True))
    fresh: Variable = type(own)(given.dtype, shape)(parameter.name)
    return fresh


def _summed_in(node: Apply, operands: tuple[Variable, ...]) -> dict[str, Any]:
    attrs = node.attrs
    if node.row.name not in ("sum", "prod"):
        return attrs
    old, new = sum_dtype(node.inputs[0].type.dtype), sum_dtype(operands[0].type.dtype)
    if (attrs["dtype"], attrs["acc_dtype"]) != (old, accumulator(old)):
        return attrs  # the user has asked for these
    return {**attrs, "dtype": new, "acc_dtype": accumulator(new)}


def silenced(outputs: Iterable[Variable]) -> list[Any]:
    """`outputs` with x in the place of every Print(x), in loop bodies too."""
    outputs = list(outputs)
    new: dict[int, Variable] = {}
    for node in toposort(outputs):
        operands = tuple(new.get(id(v), v) for v in node.inputs)
        if node.row.name == "print":
            new[id(node.outputs[0])] = operands[0]
            continue
        attrs = _silenced_body(node.attrs)
        if attrs is not node.attrs or any(a is not b for a, b in zip(operands, node.inputs, strict=True)):
            fresh = reapply(node, operands, attrs)
            new.update((id(old), v) for old, v in zip(node.outputs, fresh, strict=True))
    return [new.get(id(v), v) for v in outputs]


def _silenced_body(attrs: dict[str, Any]) -> dict[str, Any]:
    """The attributes of a node; a loop's with a body that prints nothing (bodies are nested only a few levels deep)."""
    body = attrs.get("body")
    if body is None:
        return attrs
    expressions = silenced(body.expressions)
    if all(a is b for a, b in zip(expressions, body.expressions, strict=True)):
        return attrs
    return {**attrs, "body": body.with_expressions(expressions)}
