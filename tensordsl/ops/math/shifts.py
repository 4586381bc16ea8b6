"""Softmax and logarithms of sums of exponentials written by hand do not depend on the maximum that they subtract.

So to the gradient that maximum is a constant.  Through it the gradient would get a term that is 0 but for rounding: one
minus the sum of the probabilities, where x is its own maximum.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tensordsl.base.records import record
from tensordsl.graph.substitute import reapply
from tensordsl.graph.variables import Apply, Constant, apply

Order = tuple[Any, ...]  # of a dimshuffle
LONGEST = 10  # nodes of a form


@record
class _Sum:
    """f(sum(w exp(x - m))) with at most a logarithm, quotients and moves around the sum.

    nodes: from the outermost one to the exponential; log: how many of them are logarithms; order: where the sum's axes
    are in the end; wide: where they are in x; shift: m as x - m has it; top: the maximum, behind its moves.
    """

    nodes: list[Apply]
    log: int
    order: Order
    wide: Order
    shift: Any
    top: Any


def with_constant_shift(v: Any, blocked: set[int]) -> Any:
    """v with m as a constant if v does not depend on it: m + log(sum(exp(x - m))), exp(x - m) / sum(exp(x - m)) or
    x - m - log(sum(exp(x - m))), where m = max(x); the sums may have weights, or be means.  Else v."""
    node = v.owner
    if node.row.name not in ("add", "sub", "true_div") or len(node.inputs) != 2:
        return v
    for k in (1, 0) if node.row.name == "add" else (1,):
        found = _sum_in(node.inputs[k], blocked)
        other = node.inputs[1 - k]
        if found is None or found.log != (node.row.name != "true_div"):
            continue
        new = _with_constant(found)
        if node.row.name == "add":
            if not _is_top(other, found, blocked):
                continue
            from tensordsl.ops.control import DISCONNECTED_GRAD  # late: it stands on this table's rows

            operands = {k: new[id(node.inputs[k])], 1 - k: apply(DISCONNECTED_GRAD, other)}
        elif found.order == found.wide and (part := _counterpart(other, found, blocked)) is not None:
            operands = {k: new[id(node.inputs[k])], 1 - k: new[id(part)]}
        else:
            continue
        return reapply(node, (operands[0], operands[1]))[0]
    return v


def _sum_in(v: Any, blocked: set[int]) -> _Sum | None:
    nodes: list[Apply] = []
    order: Order = tuple(range(v.type.ndim))
    axes = None
    log = 0
    while v.owner is not None and id(v) not in blocked and len(nodes) < LONGEST:
        node = v.owner
        name, operand = node.row.name, node.inputs[0]
        if name == "dimshuffle" and axes is None:
            order = _composed(order, node.attrs["order"])
        elif name == "log" and axes is None and not log:
            log = 1
        elif name == "sum" and axes is None:
            axes = node.attrs["axis"]
        elif name == "mul" and axes is not None and len(node.inputs) == 2:
            operand = next((o for o in node.inputs if o.owner is not None and o.owner.row.name == "exp"), operand)
        elif name == "exp" and axes is not None:
            return _around(operand, [*nodes, node], log, order, axes, blocked)
        elif name != "true_div":
            return None
        nodes.append(node)
        v = operand
    return None


def _around(c: Any, nodes: list[Apply], log: int, order: Order, axes: Sequence[int], blocked: set[int]) -> _Sum | None:
    """The sum over `axes` if c = x - m."""
    if c.owner is None or c.owner.row.name != "sub" or id(c) in blocked:
        return None
    x, shift = c.owner.inputs
    top, place = _unshuffled(shift, blocked)
    if top is None or top.owner is None or top.owner.row.name != "max" or top.owner.inputs[0] is not x:
        return None
    along = top.owner.attrs["axis"]
    is_one = not top.type.ndim  # subtracted everywhere
    if not (is_one or (place == other_axes(x, along) and set(axes) == set(along))):
        return None
    return _Sum(nodes, log, order, other_axes(x, axes), shift, top)


def _is_top(v: Any, found: _Sum, blocked: set[int]) -> bool:
    """Whether v is the maximum, each at its own sum."""
    top, order = _unshuffled(v, blocked)
    return top is not None and _is_same(top, found.top, blocked) and (order == found.order or not top.type.ndim)


def _counterpart(v: Any, found: _Sum, blocked: set[int]) -> Any:
    """What v is of the sum: x - m or a summand; None if it is neither."""
    c, *others = found.nodes[-1].inputs[0], *(n.outputs[0] for n in reversed(found.nodes))
    summed = next(k for k, n in enumerate(reversed(found.nodes)) if n.row.name == "sum")
    return next((o for o in [c] * found.log or others[:summed] if _is_same(v, o, blocked)), None)


def _is_same(a: Any, b: Any, blocked: set[int], depth: int = 6) -> bool:
    """Whether a and b are one value, written once or twice, by nodes of the same kinds."""
    if a is b:
        return True
    if isinstance(a, Constant) and isinstance(b, Constant):
        return a.type == b.type and not a.type.ndim and bool(a.data == b.data)
    if not depth or a.owner is None or b.owner is None or {id(a), id(b)} & blocked:
        return False
    m, n = a.owner, b.owner
    if m.row is not n.row or m.attrs != n.attrs or len(m.inputs) != len(n.inputs) or len(m.outputs) > 1:
        return False
    return all(_is_same(x, y, blocked, depth - 1) for x, y in zip(m.inputs, n.inputs, strict=True))


def _with_constant(found: _Sum) -> dict[int, Any]:
    """Of the values from x - m on: what they become."""
    from tensordsl.ops.control import DISCONNECTED_GRAD

    c: Any = found.nodes[-1].inputs[0]
    (centred,) = reapply(c.owner, (c.owner.inputs[0], apply(DISCONNECTED_GRAD, found.shift)))
    new = {id(c): centred}
    for node in reversed(found.nodes):
        (value,) = reapply(node, tuple(new.get(id(o), o) for o in node.inputs))
        new[id(node.outputs[0])] = value
    return new


def _unshuffled(v: Any, blocked: set[int]) -> tuple[Any, Order]:
    """What v moves the axes of, None if something blocked is between, and where they are."""
    order: Order = tuple(range(v.type.ndim))
    while id(v) not in blocked and v.owner is not None and v.owner.row.name == "dimshuffle":
        order, v = _composed(order, v.owner.attrs["order"]), v.owner.inputs[0]
    return (None if id(v) in blocked else v), order


def _composed(order: Order, inner: Order) -> Order:
    return tuple(k if k == "x" else inner[k] for k in order)


def other_axes(x: Any, axes: Sequence[int]) -> Order:
    """The places of a reduction's axes that keep it aligned with x."""
    left = iter(range(x.type.ndim))
    return tuple("x" if k in axes else next(left) for k in range(x.type.ndim))
