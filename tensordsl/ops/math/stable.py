"""Equations of real numbers whose right side is the more accurate one in floating point.

The compiler applies them to what it compiles (`passes.rules`); the gradient applies them to what it differentiates,
because the derivative of an unstable form overflows where that of the stable one does not: d log(1 / (1 + exp(-x)))
would divide an infinity by its square.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any

import numpy as np

from tensordsl.graph.substitute import reapply
from tensordsl.graph.types import FLOATS, TensorType
from tensordsl.graph.variables import Constant, apply, toposort, unwatched
from tensordsl.ops.math.comparisons import and_, eq, isinf
from tensordsl.ops.math.elementwise import abs_, maximum, reciprocal, sqr, sqrt, switch
from tensordsl.ops.math.functions import (
    erf,
    erfc,
    erfcx,
    exp,
    expm1,
    log,
    log1mexp,
    log1p,
    sigmoid,
    softplus,
    tanh,
)  # fmt: skip
from tensordsl.ops.math.shifts import other_axes, with_constant_shift
from tensordsl.ops.operands import constant

Side = Callable[..., Any]  # of as many variables as the equation has
_Equation = tuple[Any, Sequence[Any], Side]  # the left side, its variables, the right side


def _log_erfc(x: Any) -> Any:
    """Right of 26 erfc(x) is less than any float64."""
    return switch(x < 0.5, log1p(-erf(x)), log(erfcx(maximum(x, 0.5))) - sqr(x))


def _log_half_erfc(x: Any) -> Any:
    """The logarithm of a normal distribution's tail; the other tail is near 1."""
    return switch(x < 0, log1p(erfc(-x) * -0.5), log(erfcx(maximum(x, 0)) * 0.5) - sqr(x))


def log_add_exp(x: Any, y: Any) -> Any:
    """By choices whose gradients add up to one where x = y, unlike those of a maximum and an absolute value."""
    is_left = x > y
    high, low = switch(is_left, x, y), switch(is_left, y, x)
    is_same_infinity = and_(eq(low, high), isinf(high))  # whose difference would be nan
    return high + log1p(exp(switch(is_same_infinity, 0, low - high)))


def _log_sub_exp(x: Any, y: Any) -> Any:
    return x + log1mexp(y - switch(eq(x, -np.inf), 0, x))  # -inf + inf would be nan


# By the op at the left side's root; of one root the first that fits is applied.
_BY_ROOT: dict[str, tuple[tuple[str, Side, Side], ...]] = {
    "log": (
        # By themselves these sums stay as they are: erfc takes twice the time of erf.
        ("log(1 + erf(x)) = log(erfc(-x))", lambda x: log(1 + erf(x)), lambda x: _log_erfc(-x)),
        ("log((1 + erf(x)) * 0.5)", lambda x: log((1 + erf(x)) * 0.5), lambda x: _log_half_erfc(-x)),
        ("log((1 + erf(x)) / 2)", lambda x: log((1 + erf(x)) / 2), lambda x: _log_half_erfc(-x)),
        ("log(1 + x) = log1p(x)", lambda x: log(1 + x), log1p),
        ("log(1 - x) = log1p(-x)", lambda x: log(1 - x), lambda x: log1p(-x)),
        ("log(exp(x)) = x", lambda x: log(exp(x)), lambda x: x),
        ("log(sqr(x)) = 2 log(abs(x))", lambda x: log(sqr(x)), lambda x: log(abs_(x)) * 2),
        ("log(sqrt(x)) = log(x) / 2", lambda x: log(sqrt(x)), lambda x: log(x) * 0.5),
        ("log(sigmoid(x)) = -softplus(-x)", lambda x: log(sigmoid(x)), lambda x: -softplus(-x)),
        ("log(1 - sigmoid(x)) = -softplus(x)", lambda x: log(1 - sigmoid(x)), lambda x: -softplus(x)),
        ("log(erfc(x)) = log(erfcx(x)) - sqr(x)", lambda x: log(erfc(x)), _log_erfc),
        ("log(erfc(x) * 0.5) = log(erfcx(x) * 0.5) - sqr(x)", lambda x: log(erfc(x) * 0.5), _log_half_erfc),
        ("log(erfc(x) / 2) = log(erfcx(x) * 0.5) - sqr(x)", lambda x: log(erfc(x) / 2), _log_half_erfc),
        ("log(exp(x) + exp(y)) = logaddexp(x, y)", lambda x, y: log(exp(x) + exp(y)), log_add_exp),
        ("log(exp(x) - exp(y)) = x + log1mexp(y - x)", lambda x, y: log(exp(x) - exp(y)), _log_sub_exp),
        ("log(-expm1(x)) = log1mexp(x)", lambda x: log(-expm1(x)), log1mexp),
        (
            "log(sigmoid(x) * (1 - sigmoid(x))) = -softplus(x) - softplus(-x)",
            lambda x: log(sigmoid(x) * (1 - sigmoid(x))),
            lambda x: -softplus(x) - softplus(-x),
        ),
    ),
    "sub": (
        ("exp(x) - 1 = expm1(x)", lambda x: exp(x) - 1, expm1),
        ("1 - exp(x) = -expm1(x)", lambda x: 1 - exp(x), lambda x: -expm1(x)),
        ("1 - sigmoid(x) = sigmoid(-x)", lambda x: 1 - sigmoid(x), lambda x: sigmoid(-x)),
        ("1 - erf(x) = erfc(x)", lambda x: 1 - erf(x), erfc),
        ("1 - erfc(x) = erf(x)", lambda x: 1 - erfc(x), erf),
        ("erf(x) - 1 = -erfc(x)", lambda x: erf(x) - 1, lambda x: -erfc(x)),
    ),
    "add": (("exp(x) + -1 = expm1(x)", lambda x: exp(x) + -1, expm1),),
    "log1p": (
        ("log1p(expm1(x)) = x", lambda x: log1p(expm1(x)), lambda x: x),
        ("log1p(-exp(x)) = log1mexp(x)", lambda x: log1p(-exp(x)), log1mexp),
        ("log1p(exp(x)) = softplus(x)", lambda x: log1p(exp(x)), softplus),
        ("log1p(-sigmoid(x)) = -softplus(x)", lambda x: log1p(-sigmoid(x)), lambda x: -softplus(x)),
    ),
    "true_div": (
        ("1 / (1 + exp(-x)) = sigmoid(x)", lambda x: 1 / (1 + exp(-x)), sigmoid),
        ("1 / (1 + exp(x)) = sigmoid(-x)", lambda x: 1 / (1 + exp(x)), lambda x: sigmoid(-x)),
        ("exp(x) / (1 + exp(x)) = sigmoid(x)", lambda x: exp(x) / (1 + exp(x)), sigmoid),
        (
            "(exp(x) - exp(-x)) / (exp(x) + exp(-x)) = tanh(x)",
            lambda x: (exp(x) - exp(-x)) / (exp(x) + exp(-x)),
            tanh,
        ),
    ),
    "reciprocal": (
        ("reciprocal(1 + exp(-x)) = sigmoid(x)", lambda x: reciprocal(1 + exp(-x)), sigmoid),
        ("reciprocal(1 + exp(x)) = sigmoid(-x)", lambda x: reciprocal(1 + exp(x)), lambda x: sigmoid(-x)),
    ),
    "sqrt": (("sqrt(sqr(x)) = abs(x)", lambda x: sqrt(sqr(x)), abs_),),
}
EQUATIONS = tuple(equation for equations in _BY_ROOT.values() for equation in equations)

# sqrt(sqr(x)) has another derivative at 0 than |x|, and the sums below are stable without their partner.
_NOT_FOR_GRADIENTS = frozenset(("sqrt(sqr(x)) = abs(x)", "1 - sigmoid(x) = sigmoid(-x)"))


def stable(outputs: Sequence[Any], opaque: Iterable[Any] = ()) -> list[Any]:
    """`outputs` with the unstable forms in them replaced, down to the variables of `opaque`.

    Where there is nothing to replace the variables are returned as they are.
    """
    blocked = {id(v) for v in opaque}
    nodes = toposort(outputs, opaque)
    if not any(node.row.name in _ROOTS for node in nodes):
        return list(outputs)
    new: dict[int, Any] = {}
    for node in nodes:
        fresh = node.outputs
        if new and any(id(v) in new for v in node.inputs):
            fresh = reapply(node, tuple(new.get(id(v), v) for v in node.inputs))
            new.update((id(old), v) for old, v in zip(node.outputs, fresh, strict=True))
        if node.row.name in _ROOTS and len(fresh) == 1 and id(node.outputs[0]) not in blocked:
            better = _better(fresh[0], blocked)
            if better is not fresh[0]:
                new[id(node.outputs[0])] = better
    return [new.get(id(v), v) for v in outputs]


def has_stable_log(x: Any) -> bool:
    """Whether log(x) has a form that is more accurate than the logarithm of x's values."""
    with unwatched():
        plain = log(x)
        return _better(plain, set()) is not plain


def _better(v: Any, blocked: set[int]) -> Any:
    """v by the equations, until none applies."""
    for _ in range(4):
        if v.owner is None:
            return v
        v = with_constant_shift(_of_sums(v, blocked), blocked)
        for left, variables, right in _patterns(v.owner.row.name):
            env: dict[int, Any] = {}
            if _matches(left, v, env, blocked, True):
                found = right(*(env[id(x)] for x in variables))
                if found.type == v.type:
                    v = found
                    break
        else:
            return v
    return v


# -- softmax and logarithms of sums of exponentials ------------------------------------------------------------------
def _of_sums(v: Any, blocked: set[int]) -> Any:
    """log(softmax(x)) = logsoftmax(x), log(sum(exp(x))) = logsumexp(x), also where elements are picked before the
    logarithm; exp(x) / sum(exp(x)) = softmax(x)."""
    from tensordsl.ops.array.reduce import logsumexp
    from tensordsl.ops.nnet import LOGSOFTMAX, SOFTMAX  # late: that table is made of this one's rows

    if v.owner.row.name == "true_div":
        found = _softmax_of(v, blocked)
        return v if found is None or _is_centred(found[0]) else apply(SOFTMAX, found[0], axis=found[1])
    if v.owner.row.name != "log":
        return v
    if (of_det := _log_of_determinant(v, blocked)) is not None:
        return of_det
    y, moves = v.owner.inputs[0], []
    while y.owner is not None and y.owner.row.name in _MOVES and id(y) not in blocked:
        moves.append(y.owner)
        y = y.owner.inputs[0]
    if y.owner is None or id(y) in blocked:
        return v
    if (found := _softmax_of(y, blocked)) is not None:
        result = apply(LOGSOFTMAX, found[0], axis=found[1])
    elif (summed := _summed_exp(y, blocked)) is not None and not _is_centred(summed[0]):
        result = logsumexp(*summed)
    elif (mean := _log_of_mean(y, blocked)) is not None:
        result = mean
    else:
        return v
    for node in reversed(moves):
        (result,) = reapply(node, (result, *node.inputs[1:]))
    return result if result.type == v.type else v


def _log_of_determinant(v: Any, blocked: set[int]) -> Any:
    """log(abs(det(A))) and log(det(A)) by `slogdet`, None for other logarithms."""
    from tensordsl.ops.linalg.solve import SLOGDET  # late: that table is made of this one's rows

    (y,) = v.owner.inputs
    is_size = y.owner is not None and y.owner.row.name == "abs" and id(y) not in blocked
    det = y.owner.inputs[0] if is_size else y
    if det.owner is None or det.owner.row.name != "det" or id(det) in blocked or det.type.dtype not in FLOATS:
        return None
    sign, size = apply(SLOGDET, *det.owner.inputs)
    result = size if is_size else switch(sign < 0, constant(np.nan, dtype=size.type.dtype), size)
    return result if result.type == v.type else None


def _log_of_mean(v: Any, blocked: set[int]) -> Any:
    """log(sum(exp(x)) / n) = logsumexp(x) - log(n), None if v is no such quotient."""
    if v.owner.row.name != "true_div":
        return None
    total, n = v.owner.inputs
    plain = log(total)
    better = _of_sums(plain, blocked)
    return None if better is plain else better - log(n)


def _softmax_of(v: Any, blocked: set[int]) -> tuple[Any, int] | None:
    """(x, axis) if v = softmax(x), or exp(x) / sum(exp(x)) along one axis."""
    if v.owner is None or v.owner.row.name == "softmax":
        return None if v.owner is None else (v.owner.inputs[0], v.owner.attrs["axis"])
    if v.owner.row.name != "true_div":
        return None
    e, total = v.owner.inputs
    rank, order = total.type.ndim, tuple(range(total.type.ndim))
    if total.owner is not None and total.owner.row.name == "dimshuffle" and id(total) not in blocked:
        order, total = total.owner.attrs["order"], total.owner.inputs[0]
    found = None if id(total) in blocked else _summed_exp(total, blocked)
    if found is None or len(found[1]) != 1 or e.owner is None or e.owner.row.name != "exp" or id(e) in blocked:
        return None
    x, (axis,) = found
    wanted = other_axes(x, (axis,))
    lead = x.type.ndim - rank
    is_kept = order == wanted[lead:] and all(k == "x" for k in wanted[:lead])
    return (x, axis) if is_kept and e.owner.inputs[0] is x else None


def _summed_exp(v: Any, blocked: set[int]) -> tuple[Any, tuple[int, ...]] | None:
    """(x, axes) if v = sum(exp(x)) over these axes, in x's own dtype."""
    if v.owner is None or v.owner.row.name != "sum":
        return None
    (e,) = v.owner.inputs
    if e.owner is None or e.owner.row.name != "exp" or id(e) in blocked or e.type.dtype != v.type.dtype:
        return None
    (x,) = e.owner.inputs
    return (x, v.owner.attrs["axis"]) if x.type.dtype in FLOATS and x.type.dtype == v.type.dtype else None


def _is_centred(x: Any) -> bool:
    """Whether x = y - max(y), or less: such a form is stable."""
    if x.owner is None or x.owner.row.name != "sub":
        return False
    y, m = x.owner.inputs
    while m.owner is not None and m.owner.row.name in ("dimshuffle", "switch", "disconnected_grad"):
        m = m.owner.inputs[1 if m.owner.row.name == "switch" else 0]
    return m.owner is not None and m.owner.row.name == "max" and m.owner.inputs[0] is y


def _matches(pattern: Any, v: Any, env: dict[int, Any], blocked: set[int], is_root: bool) -> bool:
    """Whether v has the pattern's form, at most a few levels deep; `env` gets what stands for its variables."""
    node, own = pattern.owner, v.owner
    if node is None:
        if isinstance(pattern, Constant):
            return isinstance(v, Constant) and v.type.ndim == 0 and bool(v.data == pattern.data)
        return v.type.dtype in FLOATS and env.setdefault(id(pattern), v) is v
    if own is None or own.row is not node.row or (id(v) in blocked and not is_root):
        return False
    parts = node.inputs
    for operands in (own.inputs, own.inputs[::-1]) if node.row.commutative and len(parts) == 2 else (own.inputs,):
        trial = dict(env)
        if all(_matches(p, o, trial, blocked, False) for p, o in zip(parts, operands, strict=True)):
            env.update(trial)
            return True
    return False


@cache
def _patterns(root: str) -> Sequence[_Equation]:
    """The equations whose left side has this op at its root."""
    patterns = []
    for name, left, right in _BY_ROOT.get(root, ()):
        if name not in _NOT_FOR_GRADIENTS:
            variables = [TensorType("float64", ())(name) for name in left.__code__.co_varnames]
            with unwatched():
                patterns.append((left(*variables), variables, right))
    return patterns


_MOVES = frozenset(("dimshuffle", "reshape", "subtensor", "take"))
_ROOTS = frozenset(_BY_ROOT) - {"sqrt"}
