"""Equations of real numbers whose right side is the more accurate one in floating point.

The compiler applies them to what it compiles (`codegen.rules`); the gradient applies them to what it differentiates,
because the derivative of an unstable form overflows where that of the stable one does not: d log(1 / (1 + exp(-x)))
would divide an infinity by its square.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any

from tensordsl.graph import Apply, Constant, Variable, apply, toposort, unwatched
from tensordsl.ops.elementwise import abs_, reciprocal, sqr, sqrt  # fmt: skip
from tensordsl.ops.functions import erf, erfc, exp, expm1, log, log1p, sigmoid, softplus, tanh  # fmt: skip
from tensordsl.ops.substitute import reapply
from tensordsl.types import FLOATS, TensorType

Side = Callable[[Any], Any]

EQUATIONS: tuple[tuple[str, Side, Side], ...] = (
    ("log(1 + x) = log1p(x)", lambda x: log(1 + x), log1p),
    ("log(1 - x) = log1p(-x)", lambda x: log(1 - x), lambda x: log1p(-x)),
    ("exp(x) - 1 = expm1(x)", lambda x: exp(x) - 1, expm1),
    ("exp(x) + -1 = expm1(x)", lambda x: exp(x) + -1, expm1),
    ("1 - exp(x) = -expm1(x)", lambda x: 1 - exp(x), lambda x: -expm1(x)),
    ("log(exp(x)) = x", lambda x: log(exp(x)), lambda x: x),
    ("log1p(expm1(x)) = x", lambda x: log1p(expm1(x)), lambda x: x),
    ("log1p(exp(x)) = softplus(x)", lambda x: log1p(exp(x)), softplus),
    ("log(sigmoid(x)) = -softplus(-x)", lambda x: log(sigmoid(x)), lambda x: -softplus(-x)),
    ("log(1 - sigmoid(x)) = -softplus(x)", lambda x: log(1 - sigmoid(x)), lambda x: -softplus(x)),
    ("log1p(-sigmoid(x)) = -softplus(x)", lambda x: log1p(-sigmoid(x)), lambda x: -softplus(x)),
    ("1 - sigmoid(x) = sigmoid(-x)", lambda x: 1 - sigmoid(x), lambda x: sigmoid(-x)),
    ("1 / (1 + exp(-x)) = sigmoid(x)", lambda x: 1 / (1 + exp(-x)), sigmoid),
    ("1 / (1 + exp(x)) = sigmoid(-x)", lambda x: 1 / (1 + exp(x)), lambda x: sigmoid(-x)),
    ("reciprocal(1 + exp(-x)) = sigmoid(x)", lambda x: reciprocal(1 + exp(-x)), sigmoid),
    ("reciprocal(1 + exp(x)) = sigmoid(-x)", lambda x: reciprocal(1 + exp(x)), lambda x: sigmoid(-x)),
    ("exp(x) / (1 + exp(x)) = sigmoid(x)", lambda x: exp(x) / (1 + exp(x)), sigmoid),
    (
        "(exp(x) - exp(-x)) / (exp(x) + exp(-x)) = tanh(x)",
        lambda x: (exp(x) - exp(-x)) / (exp(x) + exp(-x)),
        tanh,
    ),
    ("1 - erf(x) = erfc(x)", lambda x: 1 - erf(x), erfc),
    ("1 - erfc(x) = erf(x)", lambda x: 1 - erfc(x), erf),
    ("sqrt(sqr(x)) = abs(x)", lambda x: sqrt(sqr(x)), abs_),
)

# sqrt(sqr(x)) has another derivative at 0 than |x|, and the sums below are stable without their partner.
_NOT_FOR_GRADIENTS = frozenset(("sqrt(sqr(x)) = abs(x)", "1 - sigmoid(x) = sigmoid(-x)"))


def stable(outputs: Sequence[Any], opaque: Iterable[Any] = ()) -> list[Any]:
    """`outputs` with the unstable forms in them replaced; no form is looked for across a variable of `opaque`.

    Where there is nothing to replace the variables are returned as they are.
    """
    blocked = {id(v) for v in opaque}
    table = _by_root()
    nodes = toposort(outputs)
    if not any(node.op.name in _ROOTS for node in nodes):
        return list(outputs)
    new: dict[int, Any] = {}
    for node in nodes:
        operands = tuple(new.get(id(v), v) for v in node.inputs)
        changed = any(a is not b for a, b in zip(operands, node.inputs, strict=True))
        fresh = reapply(node, operands) if changed else node.outputs
        if changed:
            new.update((id(old), v) for old, v in zip(node.outputs, fresh, strict=True))
        if len(fresh) == 1 and id(node.outputs[0]) not in blocked:
            better = _better(fresh[0], table, blocked)
            if better is not fresh[0]:
                new[id(node.outputs[0])] = better
    return [new.get(id(v), v) for v in outputs]


def _better(v: Any, table: dict[str, list[tuple[Any, Any, Side]]], blocked: set[int]) -> Any:
    """v by the equations, until none applies."""
    for _ in range(4):
        if v.owner is None:
            return v
        if v.owner.op.name == "log":
            v = _log_of_softmax(v, blocked)
        for left, x, right in table.get(v.owner.op.name, ()):
            env: dict[int, Any] = {}
            if _matches(left, v, x, env, blocked, True):
                found = right(env[id(x)])
                if found.type == v.type:
                    v = found
                    break
        else:
            return v
    return v


def _log_of_softmax(v: Any, blocked: set[int]) -> Any:
    """log(softmax(x)) = logsoftmax(x): a probability that underflows has a gradient all the same."""
    from tensordsl.ops.nnet import LOGSOFTMAX  # late: that table is made of this one's rows

    inner = v.owner.inputs[0]
    if inner.owner is None or inner.owner.op.name != "softmax" or id(inner) in blocked:
        return v
    return apply(LOGSOFTMAX, inner.owner.inputs[0], **inner.owner.attrs)


def _matches(pattern: Any, v: Any, x: Any, env: dict[int, Any], blocked: set[int], is_root: bool) -> bool:
    """Whether v has the pattern's form, at most a few levels deep; `env` gets what stands for x."""
    if pattern is x:
        return v.type.dtype in FLOATS and env.setdefault(id(x), v) is v
    if isinstance(pattern, Constant):
        return isinstance(v, Constant) and v.type.ndim == 0 and bool(v.data == pattern.data)
    if v.owner is None or v.owner.op is not pattern.owner.op or (id(v) in blocked and not is_root):
        return False
    pairs = list(zip(pattern.owner.inputs, v.owner.inputs, strict=True))
    orders = [pairs]
    if pattern.owner.op.commutative and len(pairs) == 2:
        orders.append([(pairs[0][0], pairs[1][1]), (pairs[1][0], pairs[0][1])])
    for order in orders:
        trial = dict(env)
        if all(_matches(p, w, x, trial, blocked, False) for p, w in order):
            env.update(trial)
            return True
    return False


@cache
def _by_root() -> dict[str, list[tuple[Any, Any, Side]]]:
    """root op -> (left side, its x, right side)."""
    table: dict[str, list[tuple[Any, Any, Side]]] = {}
    for name, left, right in EQUATIONS:
        if name not in _NOT_FOR_GRADIENTS:
            x: Variable = TensorType("float64", ())("x")
            with unwatched():
                pattern = left(x)
            owner: Apply = pattern.owner
            table.setdefault(owner.op.name, []).append((pattern, x, right))
    return table


_ROOTS = frozenset(("log", "log1p", "true_div", "reciprocal", "sub", "add"))
