"""Loops and branches: `Scan`, `ScalarLoop` and `IfElse` as the loops and branches of our own.

Contract  PyTensor's `Scan`: outer inputs are the number of steps, sequences, buffers of what is carried with its first
          values, sizes of what is stacked, and what does not vary; outer outputs are the buffers, filled.
Why       the loop carries values and stacks them, and the buffers are what is stacked behind the first values.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tensordsl.ops.control import ifelse, loop_index, make_loop, parameter_like, require
from tensordsl.pytensor.conversion import Conversion, Held, Missing, T, as_dtype, converts


@converts("IfElse")
def _branch(c: Conversion, node: Any, inputs: list[Any]) -> Any:
    condition, *values = inputs
    if any(isinstance(v, Held) for v in values):
        raise Missing
    half = len(values) // 2
    kinds = [v.type for v in node.outputs]
    then, orelse = (
        [c.typed(v, k) for v, k in zip(part, kinds, strict=True)] for part in (values[:half], values[half:])
    )
    return ifelse(condition, then, orelse)


def scalar_loop(c: Conversion, op: Any, inputs: list[Any]) -> list[Any]:
    """A loop of scalars, at each point of arrays; where it ends early, at each point when that is done."""
    n, *rest = inputs
    if n.ndim:
        raise Missing
    states = rest[: op.nin - 1 - _constants(op)]
    count = len(states)
    shape_of = [v for v in rest if v.ndim]
    if shape_of:
        states = [_like_all(v, rest) for v in states]
    index = loop_index()
    carried = [parameter_like(v) for v in states]
    made = c.graph(op.fgraph, [*carried, *rest[count:]])
    if not op.is_while:
        found = make_loop(n, index, carried, states, [_as(v, p) for v, p in zip(made, carried, strict=True)])
        return list(found[:count])
    *following, done = made
    start = _like_all(T.constant(True), rest) if shape_of else T.constant(True)
    ended = parameter_like(T.zeros_like(start))
    following = [T.switch(ended, old, _as(v, old)) for v, old in zip(following, carried, strict=True)]
    over = T.or_(ended, as_dtype(done, "bool"))
    first = T.zeros_like(start)
    found = make_loop(
        n, index, [*carried, ended], [*states, first], [*following, over], condition=T.all(over), name="while"
    )
    _, *finals = found
    return [*finals[:count], T.switch(T.le(n, 0), start, finals[count])]


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
    """Sequences are read at the number of the round; buffers that rounds read and write anywhere are carried."""
    if any(isinstance(v, Held) for v in inputs) or any(not hasattr(v.type, "dtype") for v in node.op.fgraph.inputs):
        raise Missing
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
    others = [parameter_like(_loose(v)) for v in untraced]
    given += [c.typed(v, next(kinds).type) for v in others]
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
    following += [_as(v, p) for v, p in zip(last, others, strict=True)]
    carried = [*whole, *(p for group in histories for p in group), *others]
    inits = [*map(_loose, buffers), *starts, *map(_loose, untraced)]
    stacks = [*[_as(v, group[-1]) for v, group in zip(traced, histories, strict=True)], *stacked]
    condition = as_dtype(rest[0], "bool") if info.as_while else None
    found = make_loop(n, index, carried, inits, following, stacks, condition=condition, name=op.name or "scan")
    kept = list(found[1:] if info.as_while else found)
    finals, rows = kept[: len(carried)], kept[len(carried) :]

    results = list(finals[: len(whole)])
    for b, depth, made_rows in zip((*several, *single), depths, rows[: len(histories)], strict=True):
        results.append(_last_rows(T.concatenate([b[:depth], made_rows]), b.shape[0]))
    results += [_last_rows(made_rows, size) for made_rows, size in zip(rows[len(histories) :], sizes, strict=True)]
    return [*results, *finals[len(carried) - len(others) :]]


def _loose(v: Any) -> Any:
    """v without promises of axes of length 1, which later rounds need not keep."""
    axes = [k for k in range(v.ndim) if v.broadcastable[k]]
    return T.unbroadcast(v, *axes) if axes else v


def _last_rows(v: Any, count: Any) -> Any:
    """So many rows at the end: all where there are no more."""
    return v[T.maximum(v.shape[0] - count, 0) :]
