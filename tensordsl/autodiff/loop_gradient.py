"""The gradient of a loop: a loop that runs backwards over the history of the carried values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tensordsl.autodiff.reverse import add_cotangents, conform, cotangents
from tensordsl.graph.substitute import substitute
from tensordsl.graph.types import CONTINUOUS
from tensordsl.graph.variables import Variable, apply, inputs_of
from tensordsl.ops.control import FOR, LoopBody, loop_index, make_loop, parameter_like
from tensordsl.ops.cotangents import Undefined, cotangent_dtype, zeros_like
from tensordsl.ops.math.comparisons import ge
from tensordsl.ops.math.elementwise import minimum, switch


def loop_gradient(
    g: Any, n: Any, operands: Sequence[Any], body: LoopBody, needed: Sequence[bool] | None = None
) -> list[Any]:
    """The cotangents of `n` and `operands` of a loop from those of its results (None: disconnected).

    Step t of the loop is (carried[t + 1], stacked[t]) = body(t, carried[t], invariants).  For t = n - 1, ..., 0 the new
    loop carries the cotangents of the carried values and the sums of those of the invariants:

        dcarried, dinvariants = vjp of the body at t (dcarried, dstacked[t]);   sums += dinvariants

    Truncated, it ends after so many steps; what the initial values have got is theirs only if these were all.
    """
    g = g if isinstance(g, tuple) else (g,)
    count = len(body.carried)
    needed = [True] * len(operands) if needed is None else needed
    summed = [v for v, is_needed in zip(body.invariants, needed[count:], strict=True) if is_needed]
    arriving, parts = _body_cotangents(g, body, summed)
    for v in body.carried:
        if isinstance(parts.get(v), Undefined):
            return [parts[v]] * (1 + len(operands))

    outer = dict(zip((*body.carried, *body.invariants), operands, strict=True))
    answer: dict[Variable, Any] = {v: part for v, part in parts.items() if not isinstance(part, Variable)}
    running: list[tuple[Variable, Variable, Any, Any]] = []  # (of what, parameter, initial value, next value)
    for k, v in enumerate(body.carried):
        if k in arriving:
            initial = g[k] if g[k] is not None else zeros_like(outer[v])
            part = parts.get(v)
            running.append((v, arriving[k], initial, part if isinstance(part, Variable) else zeros_like(outer[v])))
    for v in summed:
        if isinstance(parts.get(v), Variable):
            total = parameter_like(v, cotangent_dtype(v))
            running.append((v, total, zeros_like(outer[v]), conform(add_cotangents(total, parts[v]), v)))
    steps = n if body.truncate < 0 else minimum(n, body.truncate)
    if running:
        slices = {arriving[k]: g[k] for k in arriving if k >= count}
        results = _run_backwards(n, steps, operands, body, slices, running)
        answer.update(zip((v for v, *_ in running), results, strict=True))
    if body.truncate >= 0:
        for v in body.carried:
            if isinstance(part := answer.get(v), Variable):
                answer[v] = switch(ge(steps, n), part, zeros_like(outer[v]))
    return [None, *(answer.get(v) for v in outer)]


def _body_cotangents(
    g: Sequence[Any], body: LoopBody, summed: Sequence[Variable]
) -> tuple[dict[int, Variable], dict[Variable, Any]]:
    """Parameters for the cotangents that arrive at the body's results (by position), and what follows from them.

    A carried value whose cotangent is zero at the end of the loop may get one in the steps before, hence the iteration.
    """
    wrt = [*body.carried, *summed]
    arriving: dict[int, Variable] = {}
    new = [k for k, c in enumerate(g) if c is not None]
    parts: dict[Variable, Any] = {}
    while new:
        arriving.update(
            (k, parameter_like(body.results[k], cotangent_dtype(body.results[k])))
            for k in new
            if _is_continuous(body.results[k])
        )
        seeds = [(body.results[k], p) for k, p in sorted(arriving.items())]
        parts = dict(zip(wrt, cotangents(seeds, wrt, stop=body.parameters), strict=True))
        new = [
            k
            for k, v in enumerate(body.carried)
            if k not in arriving and isinstance(parts[v], Variable) and _is_continuous(v)
        ]
    return arriving, parts


def _run_backwards(
    n: Any,
    steps: Any,
    operands: Sequence[Any],
    body: LoopBody,
    slices: dict[Variable, Any],
    running: Sequence[tuple[Variable, Variable, Any, Any]],
) -> Sequence[Any]:
    """The loop over t = n - 1, ..., n - steps.

    The expressions in `running` are in the parameters of the body at t and in those of `slices`, which stand for the
    elements t of its values.
    """
    following = [value for *_, value in running]
    used = {id(v) for v in inputs_of(following)}
    remembered = tuple(v for v in body.carried if id(v) in used)
    histories: Sequence[Any] = ()
    if remembered:
        again = LoopBody(body.index, body.carried, body.invariants, body.next, remembered, body.truncate, body.name)
        histories = apply(FOR, n, *operands, body=again)[len(body.carried) :]
    step = loop_index()
    t = (n - 1) - step
    replacements: dict[Variable, Variable] = {body.index: t}
    replacements.update(zip(body.invariants, operands[len(body.carried) :], strict=True))
    replacements.update((v, history[t]) for v, history in zip(remembered, histories, strict=True))
    replacements.update((v, stacked[t]) for v, stacked in slices.items())
    parameters = [p for _, p, *_ in running]
    initial = [value for _, _, value, _ in running]
    return make_loop(
        steps, step, parameters, initial, substitute(following, replacements), name=gradient_name(body.name)
    )


def gradient_name(name: str) -> str:
    return f"the gradient of {name}"


def _is_continuous(variable: Variable) -> bool:
    return variable.type.dtype in CONTINUOUS
