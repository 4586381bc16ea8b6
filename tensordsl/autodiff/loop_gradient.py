"""The gradient of a loop: a loop that runs backwards over histories of what its rounds have computed.

What the backward rounds read of a forward round is either kept, a row of a history, or computed again of what is kept:
products, reductions and functions are kept, and cheap elementwise ones of a single kept value are not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from tensordsl.autodiff.reverse import add_cotangents, conform, cotangents, is_zeros
from tensordsl.graph.substitute import silenced, substitute
from tensordsl.graph.types import CONTINUOUS
from tensordsl.graph.variables import Apply, Variable, apply, toposort
from tensordsl.ops.control import FOR, WHILE, LoopBody, loop_index, make_loop, parameter_like
from tensordsl.ops.cotangents import Undefined, cotangent_dtype, zeros_like
from tensordsl.ops.math.comparisons import ge
from tensordsl.ops.math.elementwise import minimum, switch


def loop_gradient(
    g: Any, n: Any, operands: Sequence[Any], body: LoopBody, needed: Sequence[bool] | None = None, limit: Any = None
) -> list[Any]:
    """The cotangents of `n` and `operands` of a loop from those of its results (None: disconnected).  limit: of a loop
    that ends early, the most rounds that there may be; `n` is then how many there were.

    Step t of the loop is (carried[t + 1], stacked[t]) = body(t, carried[t], invariants).  For t = n - 1, ..., 0 the new
    loop carries the cotangents of the carried values and the sums of those of the invariants:

        dcarried, dinvariants = vjp of the body at t (dcarried, dstacked[t]);   sums += dinvariants

    Truncated, it ends after so many steps; what the initial values have got is theirs only if these were all.
    """
    count = len(body.carried)
    g = _last_rows(list(g) if isinstance(g, tuple) else [g], body)
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
        results = _run_backwards(n, steps, limit, operands, body, slices, running)
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
    limit: Any,
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
    arriving = [*(p for _, p, *_ in running), *slices]
    remembered = tuple(_remembered(following, body, arriving))
    histories: Sequence[Any] = ()
    if remembered:
        keeping = replace(body, stacked=remembered)
        first = len(body.carried)
        if not body.stacked or body.condition is None:  # room for the rounds that were, which are run again
            histories = apply(FOR, n, *operands, body=replace(keeping, condition=None))[first:]
        else:
            histories = apply(WHILE, limit, *operands, body=keeping)[1 + first :]
    step = loop_index()
    t = (n - 1) - step
    replacements: dict[Variable, Variable] = {body.index: t}
    # The first of these are for shapes alone.
    replacements.update(zip((*body.carried, *body.invariants), operands, strict=True))
    if body.truncate < 0:
        replacements.update((v, history[t]) for v, history in zip(remembered, histories, strict=True))
    else:  # of these rows alone the loop before keeps its values
        lasts = [history[n - steps :] for history in histories]
        replacements.update((v, rows[(steps - 1) - step]) for v, rows in zip(remembered, lasts, strict=True))
    replacements.update((v, stacked[t]) for v, stacked in slices.items())
    parameters = [p for _, p, *_ in running]
    initial = [value for _, _, value, _ in running]
    again = silenced(substitute(following, replacements))  # what is computed again was printed in the rounds forward
    # Less may be known of the lengths of a start than of those of the carried value that it begins.
    values = [conform(v, p) for v, p in zip(again, parameters, strict=True)]
    return make_loop(steps, step, parameters, initial, values, name=gradient_name(body.name))


def gradient_name(name: str) -> str:
    return f"the gradient of {name}"


# -- what is kept of the forward rounds ------------------------------------------------------------------------------
_CHEAP = frozenset(
    "add sub mul true_div neg abs sgn sqr sqrt reciprocal floor ceil trunc round maximum minimum switch clip second "
    "identity cast eq neq lt le gt ge isnan isinf and_ or_ xor left_shift right_shift invert relu range_number "
    "dimshuffle specify_shape mask_shape shape_i reshape broadcast_to subtensor real imag complex arange range_length "
    "consider_constant zero_grad disconnected_grad undefined_grad grad_clip grad_scale".split()
)
_MAX_SOURCES = 4  # kept values that a cheap one is traced to; of more it is kept itself


def _remembered(following: Sequence[Variable], body: LoopBody, arriving: Sequence[Variable]) -> list[Variable]:
    """The values of a forward round to be kept, so that what `following` reads of it is known or cheap.

    sources[v]: the values of which v is computed by cheap operations; none where v is the same in all rounds, or is of
    the index alone.  A value whose shape is another from round to round is never kept, since a history has one shape.
    """
    sources: dict[int, dict[Variable, None]] = {id(v): {v: None} for v in body.carried}
    backward = {id(v) for v in arriving}
    read: dict[Variable, None] = dict.fromkeys(v for v in following if id(v) in sources)
    ragged: set[int] = set()  # ids of values whose shape may vary with the round
    rounds = {id(v) for v in (body.index, *body.carried)}  # ids of what varies with it
    for node in toposort(following, stop=[*body.parameters, *arriving]):
        # Where only the shape of an input is read, that of a ragged one still depends on the round's elements.
        used = [v for k, v in enumerate(node.inputs) if id(v) in ragged or not _is_shape_only(node, k)]
        if any(id(v) in backward for v in node.inputs):
            backward.update(id(v) for v in node.outputs)
            read.update((v, None) for v in used if id(v) in sources)
            continue
        of: dict[Variable, None] = {}
        for v in used:
            of.update(sources.get(id(v), {}))
        is_ragged = _has_ragged_shape(node, ragged, rounds)
        ragged.update(id(v) for v in node.outputs if is_ragged and v.type.ndim)
        rounds.update(id(v) for v in node.outputs if not rounds.isdisjoint(map(id, node.inputs)))
        if any(id(v) in sources for v in node.inputs):
            is_cheap = body.recomputes or (node.row.name in _CHEAP and len(of) <= _MAX_SOURCES)
            sources.update((id(v), of if is_cheap or id(v) in ragged else {v: None}) for v in node.outputs)
    read.update((v, None) for v in following if id(v) in sources and id(v) not in backward)
    kept: dict[Variable, None] = {}
    for v in sorted(read, key=lambda v: len(sources[id(v)])):
        missing = [u for u in sources[id(v)] if u not in kept]
        is_smaller = any(v.type.ndim < u.type.ndim for u in missing)
        is_kept = (len(missing) > 1 or is_smaller) and not (body.recomputes or id(v) in ragged)
        kept.update({v: None} if is_kept else dict.fromkeys(missing))
    return list(kept)


# Rows whose result has another shape for other numbers of its operands: of all of them, or of those from one on.
_MEASURED = {
    "arange": 0, "range_length": 0, "for": 0, "while": 0, "true_positions": 0, "repeated_positions": 0, "reshape": 1,
    "broadcast_to": 1, "poisson": 0, "binomial": 0, "multinomial": 0,
}  # fmt: skip


def _has_ragged_shape(node: Apply, ragged: set[int], rounds: set[int]) -> bool:
    """Whether the shape of a node's results may vary with the round, where the `ragged` values' shapes do and those of
    `rounds` have other elements."""
    if any(id(v) in ragged for v in node.inputs):
        return True
    if node.row.name == "subtensor":
        bounds = [k[1] for entry in node.attrs["index"] for k in entry[1:] if entry[0] == "slice" and _is_input(k)]
        return any(id(node.inputs[1 + k]) in rounds for k in bounds)
    first = _MEASURED.get(node.row.name)
    return first is not None and any(id(v) in rounds for v in node.inputs[first:])


def _is_input(bound: Any) -> bool:
    return isinstance(bound, tuple) and bound[0] == "input"


def _is_shape_only(node: Apply, k: int) -> bool:
    """Whether a node needs no elements of its operand k."""
    return node.row.name == "shape_i" or (node.row.name == "second" and k == 0)


def _last_rows(g: list[Any], body: LoopBody) -> list[Any]:
    """The cotangents of a loop's results, with those of the last rows of what is stacked and carried as cotangents of
    what is carried at the end: no stack of zeros is filled and read for one row."""
    count = len(body.carried)
    for k, v in enumerate(body.stacked):
        j = next((j for j, following in enumerate(body.next) if following is v), None)
        while j is not None and (last := _of_last_row(g[count + k])) is not None:
            g[count + k], row = last
            g[j] = row if g[j] is None else add_cotangents(g[j], row)
    return g


def _of_last_row(g: Any) -> tuple[Any, Any] | None:
    """(the cotangent of all rows but for what is added to the last one, None if it is zeros; what is added there)."""
    node = g.owner if isinstance(g, Variable) else None
    if node is None or node.row.name != "inc_subtensor" or node.attrs["set"]:
        return None
    first, *others = node.attrs["index"]
    if first != ("int", -1):
        return None
    rest: Any = node.inputs[0]
    row, *ints = node.inputs[1:]
    if any(entry != ("slice", None, None, None) for entry in others):
        zeros = zeros_like(rest[-1])
        row = apply(node.row, zeros, row, *ints, index=tuple(others), set=False)
    return (None if is_zeros(rest) else rest), row


def _is_continuous(variable: Variable) -> bool:
    return variable.type.dtype in CONTINUOUS
