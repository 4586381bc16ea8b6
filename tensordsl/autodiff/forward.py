"""Forward mode for loops: tangents are carried along with the values, so that no round is remembered.

Comes in   outputs, and for some variables their tangents, of their shapes.
Goes out   the tangent of each output: its Jacobian times the tangents.
An operation's tangent is the transpose of its cotangent's map, which is linear; a loop's is a loop that carries the
tangents of what it carries.

Reference: Griewank and Walther, Evaluating Derivatives, chapter 3.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tensordsl.autodiff.reverse import conform, cotangents
from tensordsl.graph.substitute import substitute
from tensordsl.graph.types import CONTINUOUS
from tensordsl.graph.variables import Apply, Variable, apply, toposort
from tensordsl.ops.control import IFELSE, LoopBody, make_loop, parameter_like
from tensordsl.ops.cotangents import ZERO, Undefined, Zero, cotangent_dtype, zeros_like
from tensordsl.ops.math.comparisons import ge
from tensordsl.ops.math.elementwise import add, switch
from tensordsl.ops.operands import constant

Tangent = Variable | Zero | Undefined | None  # None: disconnected


def goes_forward(outputs: Sequence[Variable], wrt: Sequence[Variable]) -> bool:
    """Whether outputs depend on any of `wrt` by a loop, or by an operation with a forward mode of its own."""
    reached = {id(v) for v in wrt}
    for node in toposort(outputs, stop=wrt):
        if any(id(v) in reached for v in node.inputs):
            if "body" in node.attrs or node.row.tangent is not None:
                return True
            reached.update(id(v) for v in node.outputs)
    return False


def tangents(outputs: Sequence[Variable], points: Mapping[Variable, Any]) -> list[Any]:
    """The tangents of `outputs` where those of the keys of `points` are its values."""
    known: dict[int, Any] = {id(v): conform(p, v) for v, p in points.items()}
    for node in toposort(outputs, stop=points):
        given = [known.get(id(v)) for v in node.inputs]
        if all(t is None for t in given):
            continue
        for v, t in zip(node.outputs, _of_node(node, given), strict=True):
            known.setdefault(id(v), t)
    return [known.get(id(v)) for v in outputs]


def _of_node(node: Apply, given: Sequence[Any]) -> Sequence[Any]:
    """The tangents of a node's results from those of its operands."""
    undefined = next((t for t in given if isinstance(t, Undefined)), None)
    if undefined is not None:
        return [undefined] * len(node.outputs)
    if "body" in node.attrs:
        return _of_loop(node, given)
    if node.row.tangent is not None:
        found = node.row.tangent(node, given)
        return [t if t is None else conform(t, v) for t, v in zip(found, node.outputs, strict=True)]
    if node.row.name == "ifelse":
        return _of_branch(node, given)
    return [_of_result(node, k, given) for k in range(len(node.outputs))]


def _of_result(node: Apply, k: int, given: Sequence[Any]) -> Tangent:
    """The transpose of the map from the cotangent of a node's result to those of its operands."""
    out = node.outputs[k]
    wrt = list({id(v): v for v, t in zip(node.inputs, given, strict=True) if t is not None}.values())
    tangent = {id(v): t for v, t in zip(node.inputs, given, strict=True)}
    p = parameter_like(out, cotangent_dtype(out))
    backward = cotangents([(out, p)], wrt, stop=node.inputs)
    for g in backward:
        if isinstance(g, Undefined):
            return g
    seeds = [(g, t) for g, v in zip(backward, wrt, strict=True) if isinstance(t := tangent[id(v)], Variable)
             and isinstance(g, Variable)]  # fmt: skip
    found = cotangents(seeds, [p], stop=[p])[0] if seeds else None
    if not isinstance(found, Variable):
        return found if isinstance(found, Undefined) else ZERO if any(g is not None for g in backward) else None
    tangent_of_out: Variable = substitute([found], {p: zeros_like(out)})[0]  # only its shape is left in the linear map
    return tangent_of_out


def _of_branch(node: Apply, given: Sequence[Any]) -> Sequence[Any]:
    condition, *values = node.inputs
    half = len(values) // 2
    pairs = [(given[1 + k], given[1 + half + k]) for k in range(half)]
    live = [k for k, pair in enumerate(pairs) if any(isinstance(t, Variable) for t in pair)]
    answer: list[Any] = [None if a is None and b is None else ZERO for a, b in pairs]
    if live:
        sides = [
            [t if isinstance(t, Variable) else zeros_like(values[side * half + k]) for k in live
             for t in (pairs[k][side],)]
            for side in (0, 1)
        ]  # fmt: skip
        for k, t in zip(live, apply(IFELSE, condition, *sides[0], *sides[1]), strict=True):
            answer[k] = t
    return answer


# -- loops -------------------------------------------------------------------------------------------------------------
def _of_loop(node: Apply, given: Sequence[Any]) -> Sequence[Any]:
    """A loop of as many rounds that carries the tangents as well:

    dcarried[t + 1], dstacked[t] = the tangents of the body at t, of dcarried[t] and of those of the invariants
    """
    body: LoopBody = node.attrs["body"]
    is_counted = body.condition is None
    n, *operands = node.inputs
    rounds = n if is_counted else node.outputs[0]
    count = len(body.carried)
    starts, fixed = given[1 : 1 + count], given[1 + count :]
    parameters, found = _in_a_round(body, starts, fixed)
    for t in found:
        if isinstance(t, Undefined):
            return [t] * len(node.outputs)
    stacked = {k: t for k, t in enumerate(found[count:]) if isinstance(t, Variable)}
    following = [t if isinstance(t := found[k], Variable) else zeros_like(p) for k, p in parameters.items()]
    if body.truncate >= 0:  # what rounds before the last ones do has no effect
        is_late = ge(add(body.index, constant(body.truncate, dtype="int64")), rounds)
        following = [switch(is_late, t, zeros_like(t)) for t in following]
        stacked = {k: switch(is_late, t, zeros_like(t)) for k, t in stacked.items()}
    inits = [t if isinstance(t := starts[k], Variable) else zeros_like(operands[k]) for k in parameters]
    inits = [conform(t, p) for t, p in zip(inits, parameters.values(), strict=True)]
    # The values are carried as far as tangents are made of them, and dead ones cost nothing.
    expressions = substitute(
        [*body.next, *following, *stacked.values()], dict(zip(body.invariants, operands[count:], strict=True))
    )
    first, last = expressions[: count + len(following)], expressions[count + len(following) :]
    made = make_loop(
        rounds, body.index, [*body.carried, *parameters.values()], [*operands[:count], *inits], first, last,
        recomputes=body.recomputes, name=f"the tangents of {body.name}",
    )  # fmt: skip
    answer = [found[k] if k >= count else None for k in range(len(body.results))]
    answer[:count] = [ZERO if t is not None else None for t in starts]
    for k, t in zip(parameters, made[count:], strict=False):
        answer[k] = t
    for k, t in zip(stacked, made[count + len(parameters) :], strict=True):
        answer[count + k] = t
    return answer if is_counted else [ZERO, *answer]


def _in_a_round(body: LoopBody, starts: Sequence[Any], fixed: Sequence[Any]) -> tuple[dict[int, Variable], list[Any]]:
    """Parameters for the tangents of carried values, by their numbers, and the tangents of the body's results.

    A carried value that starts without one may get one in a round, hence the iteration.
    """
    points: dict[Variable, Any] = {v: t for v, t in zip(body.invariants, fixed, strict=True) if isinstance(t, Variable)}
    new = [k for k, t in enumerate(starts) if isinstance(t, Variable)]
    parameters: dict[int, Variable] = {}
    while True:
        parameters.update((k, parameter_like(v := body.carried[k], cotangent_dtype(v))) for k in new)
        found = tangents(body.results, {**points, **{body.carried[k]: p for k, p in parameters.items()}})
        new = [
            k
            for k, v in enumerate(body.carried)
            if k not in parameters and isinstance(found[k], Variable) and v.type.dtype in CONTINUOUS
        ]
        if not new:
            return dict(sorted(parameters.items())), found
