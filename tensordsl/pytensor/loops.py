"""Loops and branches: `Scan`, `ScalarLoop` and `IfElse` as the loops and branches of our own.

Contract  PyTensor's `Scan`: outer inputs are the number of steps, sequences, buffers of what is carried with its first
          values, sizes of what is stacked, and what does not vary; outer outputs are the buffers, filled.
Why       the loop carries values and stacks them, and the buffers are what is stacked behind the first values.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tensordsl.ops.control import ifelse, loop_index, make_loop, parameter_like, require
from tensordsl.ops.scalar_loop import is_elementwise
from tensordsl.ops.scalar_loop import scalar_loop as elementwise_loop
from tensordsl.pytensor.conversion import Conversion, T, as_dtype, converts, is_array
from tensordsl.pytensor.objects import Held


@converts("IfElse")
def _branch(c: Conversion, node: Any, inputs: list[Any]) -> Any:
    """Of objects it chooses the numbers."""
    condition, *values = inputs
    half = len(values) // 2
    return _either(c, node, condition, values[:half], values[half:])


@converts("LazyIfElse")
def _branch_of_graphs(c: Conversion, node: Any, inputs: list[Any]) -> Any:
    condition, *given = inputs
    return _either(c, node, condition, *(c.graph(b.fgraph, given) for b in (node.op.true_branch, node.op.false_branch)))


def _either(c: Conversion, node: Any, condition: Any, then: list[Any], orelse: list[Any]) -> list[Any]:
    kinds = [v.type for v in node.outputs]
    one, two = (
        [c.token(v) if isinstance(v, Held) else c.typed(v, k) for v, k in zip(part, kinds, strict=True)]
        for part in (then, orelse)
    )
    made: Any = ifelse(condition, one, two)
    found = made if isinstance(made, list | tuple) else [made]
    return [v if is_array(k) else Held(token=v) for v, k in zip(found, kinds, strict=True)]


def scalar_loop(c: Conversion, op: Any, inputs: list[Any]) -> list[Any]:
    """A loop of scalars, at each point of arrays, each with its own number of rounds."""
    parameters = [T.TensorType(v.dtype, ())() for v in inputs[1:]]
    made = c.pointwise(op.fgraph, parameters)
    if not is_elementwise(made):
        return _together(c, op, inputs)
    *following, until = made if op.is_while else [*made, None]
    return list(elementwise_loop(inputs[0], parameters, inputs[1:], following, until))


def _together(c: Conversion, op: Any, inputs: list[Any]) -> list[Any]:
    """The same of a body with operations that are not elementwise here, as series over nodes: all points in common
    rounds, until all are over; a point that is keeps its values."""
    limit, *rest = inputs
    n = T.max(T.join(0, limit.flatten(), T.zeros((1,), dtype=limit.dtype)))
    count = op.nin - 1 - _constants(op)
    points = [*rest, limit]
    states = [_like_all(v, points) for v in rest[:count]]
    false = _like_all(T.constant(False), points)
    index = loop_index()
    carried, was_done = [parameter_like(v) for v in states], parameter_like(false)
    following = c.pointwise(op.fgraph, [*carried, *rest[count:]])
    done = as_dtype(following.pop(), "bool") if op.is_while else T.constant(False)
    is_over = T.or_(T.ge(index, limit), was_done)
    following = [T.switch(is_over, old, _as(v, old)) for v, old in zip(following, carried, strict=True)]
    done = _as(T.switch(is_over, was_done, done), was_done)
    is_last = T.all(T.or_(done, T.ge(index + 1, limit)))
    _, *finals = make_loop(
        n, index, [*carried, was_done], [*states, false], [*following, done], condition=is_last, name="while"
    )
    return list(finals[: count + bool(op.is_while)])


def _constants(op: Any) -> int:
    """How many inputs of a scalar loop do not vary."""
    return len(op.fgraph.inputs) - (len(op.fgraph.outputs) - bool(op.is_while))


def _like_all(v: Any, others: Sequence[Any]) -> Any:
    """v at every point of the broadcast operands."""
    for other in others:
        v = T.second(other + v if v.dtype != "bool" else other, v) if other.ndim else v
    return v


def _as(v: Any, like: Any) -> Any:
    """v with the dtype, and the axes of length 1, of a carried value."""
    v = as_dtype(v, like.dtype)
    axes = [k for k in range(v.ndim) if like.broadcastable[k] and not v.broadcastable[k]]
    v = T.addbroadcast(v, *axes) if axes else v
    loose = [k for k in range(v.ndim) if v.broadcastable[k] and not like.broadcastable[k]]
    return T.unbroadcast(v, *loose) if loose else v


@converts("Scan")
def _scan(c: Conversion, node: Any, inputs: list[Any]) -> Any:
    """Sequences are read at the number of the round; buffers that rounds read and write anywhere are carried, and so
    are the numbers of objects, as of generators."""
    op, info, n = node.op, node.op.info, inputs[0]
    counts = (
        info.n_seqs, len(info.mit_mot_in_slices), len(info.mit_sot_in_slices), len(info.sit_sot_in_slices),
        int(getattr(info, "n_untraced_sit_sot", 0)), info.n_nit_sot,
    )  # fmt: skip
    groups: list[list[Any]] = []
    at = 1
    for count in counts:
        groups.append(inputs[at : at + count])
        at += count
    sequences, buffers, several, single, untraced, sizes = groups
    fixed = inputs[at:]
    n = as_dtype(n, "int64")
    n = require(n, T.ge(n, 0), "Scan was asked to run for a negative number of steps")
    for k, x in enumerate(sequences):
        n = require(n, T.ge(x.shape[0], n), f"sequence {k} of a scan is shorter than its number of steps")
    index = loop_index()
    kinds = iter(op.fgraph.inputs)
    given = [c.typed(x[index], next(kinds).type) for x in sequences]

    taps_in, taps_out = info.mit_mot_in_slices, info.mit_mot_out_slices
    whole = [parameter_like(_loose(b)) for b in buffers]
    first = [-min(0, *ins, *outs) for ins, outs in zip(taps_in, taps_out, strict=True)]
    for b, ins, start in zip(whole, taps_in, first, strict=True):
        given += [c.typed(b[index + (start + t)], next(kinds).type) for t in ins]

    histories: list[list[Any]] = []  # parameters of what was carried, the oldest first
    starts: list[Any] = []
    depths = [-min(taps) for taps in (*info.mit_sot_in_slices, *info.sit_sot_in_slices)]
    for b, taps, depth in zip(
        (*several, *single), (*info.mit_sot_in_slices, *info.sit_sot_in_slices), depths, strict=True
    ):
        values = [_loose(b[k]) for k in range(depth)]
        parameters = [parameter_like(v) for v in values]
        starts += values
        histories.append(parameters)
        given += [c.typed(parameters[depth + t], next(kinds).type) for t in taps]
    untraced = [c.token(v) if isinstance(v, Held) else _loose(v) for v in untraced]
    others = [parameter_like(v) for v in untraced]
    is_held = []
    for v in others:
        kind = next(kinds).type
        is_held.append(not is_array(kind))
        given.append(Held(token=v) if is_held[-1] else c.typed(v, kind))
    made = c.graph(op.fgraph, [*given, *fixed])

    written = sum(map(len, taps_out))
    into, rest = made[:written], made[written:]
    traced, rest = rest[: len(histories)], rest[len(histories) :]
    stacked, rest = rest[: info.n_nit_sot], rest[info.n_nit_sot :]
    last, rest = rest[: len(others)], rest[len(others) :]
    following: list[Any] = []
    values_of = iter(into)
    for b, outs, start in zip(whole, taps_out, first, strict=True):
        new = b
        for t in outs:
            new = T.set_subtensor(new[index + (start + t)], as_dtype(next(values_of), b.dtype))
        following.append(_as(new, b))
    for parameters, new in zip(histories, traced, strict=True):
        following += [*parameters[1:], _as(new, parameters[-1])]
    following += [
        c.renamed(c.token(v)).token if isinstance(v, Held) else _as(v, p) for v, p in zip(last, others, strict=True)
    ]
    carried = [*whole, *(p for group in histories for p in group), *others]
    inits = [*map(_loose, buffers), *starts, *untraced]
    stacks = [*[_as(v, group[-1]) for v, group in zip(traced, histories, strict=True)], *stacked]
    condition = as_dtype(rest[0], "bool") if info.as_while else None
    found = make_loop(n, index, carried, inits, following, stacks, condition=condition, name=op.name or "scan")
    kept = list(found[1:] if info.as_while else found)
    finals, rows = kept[: len(carried)], kept[len(carried) :]

    results = list(finals[: len(whole)])
    for b, depth, made_rows in zip((*several, *single), depths, rows[: len(histories)], strict=True):
        results.append(_last_rows(T.concatenate([b[:depth], made_rows]), b.shape[0]))
    results += [_last_rows(made_rows, size) for made_rows, size in zip(rows[len(histories) :], sizes, strict=True)]
    untraced = finals[len(carried) - len(others) :]
    return [*results, *(c.renamed(v) if held else v for v, held in zip(untraced, is_held, strict=True))]


def _loose(v: Any) -> Any:
    """v without promises of axes of length 1, which later rounds need not keep."""
    axes = [k for k in range(v.ndim) if v.broadcastable[k]]
    return T.unbroadcast(v, *axes) if axes else v


def _last_rows(v: Any, count: Any) -> Any:
    """So many rows at the end: all where there are no more."""
    return v[T.maximum(v.shape[0] - count, 0) :]
