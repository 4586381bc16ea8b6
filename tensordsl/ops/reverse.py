"""Reverse mode: one walk backwards over the graph that asks each op's row for the cotangents of its operands.

What a row need not care about is done here, in one place: broadcasting is undone, dtypes are restored, contributions
are added up, and gradients that are zero, undefined or absent are told apart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from tensordsl.config import config
from tensordsl.graph import Apply, Expand, Variable, toposort
from tensordsl.types import FLOATS


@dataclass(frozen=True, slots=True)
class Zero:
    """The cotangent of what matters only through steps: connected, and zero almost everywhere."""


@dataclass(frozen=True, slots=True)
class Undefined:
    """The cotangent of what matters through an op without gradient, and the reason."""

    reason: str


ZERO = Zero()
Cotangent = Variable | Zero | Undefined | None  # None: disconnected


def cotangents(
    seeds: Iterable[tuple[Variable, Any]],
    wrt: Sequence[Variable],
    *,
    constant: Iterable[Variable] = (),
    stop: Iterable[Variable] = (),
    are_final: bool = False,
) -> list[Any]:
    """The cotangent of each of `wrt` from those of the seeds: sum over seeds (y, g) of (dy/dw) transposed times g.

    constant   variables through which nothing flows
    stop       variables whose makers are not looked at
    are_final  a seed's cotangent is complete: nothing is added to it
    """
    seeds = list(seeds)
    outputs = [y for y, _ in seeds]
    order = toposort(outputs, stop)
    wanted = _between(order, wrt)
    closed = {id(v) for v in constant} | ({id(v) for v in outputs} if are_final else set())
    found: dict[int, Cotangent] = {}
    for y, g in seeds:
        found[id(y)] = accumulate(found.get(id(y)), conform(g, y))
    for node in reversed(order):
        if not any(id(v) in wanted for v in node.outputs):
            continue
        needed = [id(v) in wanted and id(v) not in closed for v in node.inputs]
        parts = _parts(node, [found.get(id(v)) for v in node.outputs], needed)
        for operand, part, is_needed in zip(node.inputs, parts, needed, strict=True):
            if is_needed and part is not None:
                if isinstance(part, Variable):
                    part = conform(part, operand)
                found[id(operand)] = accumulate(found.get(id(operand)), part)
    return [found.get(id(v)) for v in wrt]


def _between(order: Sequence[Apply], wrt: Sequence[Variable]) -> set[int]:
    """The variables that depend on any of `wrt`."""
    wanted = {id(v) for v in wrt}
    for node in order:
        if any(id(v) in wanted for v in node.inputs):
            wanted.update(id(v) for v in node.outputs)
    return wanted


def _parts(node: Apply, arriving: Sequence[Cotangent], needed: Sequence[bool]) -> Sequence[Cotangent]:
    """The cotangents of a node's operands, from those of its outputs."""
    if all(g is None for g in arriving) or not any(needed):
        return [None] * len(needed)
    for g in arriving:
        if isinstance(g, Undefined):
            return [g] * len(needed)
    # An integer output moves in steps, whatever cotangent it has.
    is_flat = all(
        not isinstance(g, Variable) or v.type.dtype not in FLOATS for g, v in zip(arriving, node.outputs, strict=True)
    )
    rule = _rule(node)
    if rule is None:
        is_step = is_flat or node.op.no_gradient.startswith("piecewise constant")
        reason = f"{node.op.name} has no gradient: {node.op.no_gradient}"
        return [ZERO if is_step else Undefined(reason)] * len(needed)
    given = [
        zeros_like(v) if g is ZERO or (g is not None and is_flat) else g
        for g, v in zip(arriving, node.outputs, strict=True)
    ]
    parts = rule(given, needed)
    assert len(parts) == len(node.inputs), f"{node.op.name}: its gradient gives {len(parts)} cotangents"
    return [p if p is None or not is_flat else ZERO for p in parts]


def _rule(node: Apply) -> Callable[[Sequence[Any], Sequence[bool]], Sequence[Any]] | None:
    """The gradient of the node's row as a function of the outputs' cotangents and of what is needed, if it has one."""
    op = node.op
    if op.name == "for":
        from tensordsl.ops.loop_gradient import loop_gradient

        n, *operands = node.inputs
        return lambda given, needed: loop_gradient(tuple(given), n, operands, node.attrs["body"], needed[1:])
    gradient = op.gradient
    if gradient is not None:
        several = len(node.outputs) > 1
        out: Any = node.outputs if several else node.outputs[0]
        return lambda given, needed: gradient(tuple(given) if several else given[0], out, *node.inputs, **node.attrs)
    if isinstance(op.meaning, Expand) and not op.no_gradient:
        return lambda given, needed: _through_expansion(node, given)
    return None


def _through_expansion(node: Apply, given: Sequence[Any]) -> Sequence[Any]:
    """The gradient of an op that is defined by other ops: that of its definition."""
    assert isinstance(node.op.meaning, Expand)
    built = node.op.meaning.build(*node.inputs, **node.attrs)
    outputs = built if isinstance(built, tuple | list) else (built,)
    seeds = [(y, g) for y, g in zip(outputs, given, strict=True) if g is not None]
    return cotangents(seeds, node.inputs, stop=node.inputs)


# -- the types of cotangents -----------------------------------------------------------------------------------------
def cotangent_dtype(variable: Variable) -> str:
    """The dtype of a gradient: the variable's own if it is a float, else floatX."""
    return variable.type.dtype if variable.type.dtype in FLOATS else str(config.floatX)


def conform(g: Any, like: Variable) -> Any:
    """`g` with the shape of `like` and its float dtype.

    Axes over which `like` was repeated are summed, axes along which `g` was not spread out are repeated.
    """
    from tensordsl.ops.elementwise import cast, second
    from tensordsl.ops.reduce import sum as sum_
    from tensordsl.ops.shape import dimshuffle

    lead = g.type.ndim - like.type.ndim
    repeated = tuple(k for k, n in enumerate(g.type.shape) if k < lead or (like.type.shape[k - lead] == 1 and n != 1))
    if repeated:
        g = sum_(g, axis=repeated, keepdims=True)
    if lead > 0:
        g = dimshuffle(g, tuple(range(lead, g.type.ndim)))
    dtype = cotangent_dtype(like)
    if g.type.dtype != dtype:
        g = cast(g, dtype)
    if g.type.ndim < like.type.ndim or any(
        _is_vaguer(n, m) for n, m in zip(g.type.shape, like.type.shape, strict=True)
    ):
        g = second(like, g)
    return g


def _is_vaguer(n: int | None, m: int | None) -> bool:
    """Whether the length n must still be made m: a 1 to be repeated, or unknown where m is known."""
    return n != m and (n == 1 or n is None)


def zeros_like(variable: Variable) -> Any:
    """Zeros in the shape of `variable`, in the dtype of its gradient."""
    return _filled(variable, 0.0)


def ones_like(variable: Variable) -> Any:
    return _filled(variable, 1.0)


def _filled(variable: Variable, value: float) -> Any:
    from tensordsl.ops.elementwise import second
    from tensordsl.ops.operands import constant

    return second(variable, constant(value, dtype=cotangent_dtype(variable)))


def accumulate(old: Cotangent, new: Any) -> Any:
    """The sum of two contributions to one cotangent."""
    if old is None or isinstance(new, Undefined):
        return new
    if new is None or new is ZERO or isinstance(old, Undefined):
        return old
    if old is ZERO:
        return new
    return _sum(old, new)


def _sum(a: Any, b: Any) -> Any:
    """a + b.

    Where one of them is zeros with a slice added, the slice is added to the other instead: reading a sequence element
    by element must not cost its whole length at each step.
    """
    from tensordsl.ops.elementwise import add

    for other, sparse in ((a, b), (b, a)):
        node = sparse.owner
        if (
            node is not None
            and node.op.name in ("inc_subtensor", "inc_take")
            and _is_zeros(node.inputs[0])
            and other.type.shape == sparse.type.shape == node.inputs[0].type.shape
        ):
            from tensordsl.graph import apply

            return apply(node.op, other, *node.inputs[1:], **node.attrs)
    return add(a, b)


def _is_zeros(variable: Variable) -> bool:
    from tensordsl.graph import Constant

    while variable.owner is not None and variable.owner.op.name in ("second", "broadcast_to", "dimshuffle", "cast"):
        variable = variable.owner.inputs[1 if variable.owner.op.name == "second" else 0]
    return isinstance(variable, Constant) and not variable.data.any()
