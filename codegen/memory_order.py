"""Results of elementwise launches that keep the order of their operands in memory, as NumPy's do."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tensordsl.codegen import program as p
from tensordsl.codegen.memory_map import names_in
from tensordsl.codegen.program import Instr, Name
from tensordsl.codegen.require import names_defined
from tensordsl.codegen.scalar import ITEMSIZE
from tensordsl.codegen.storage import contiguous

if TYPE_CHECKING:
    from tensordsl.codegen.bufferise import Bufferiser

Strides = tuple[Name | None, ...]  # one per axis
Lengths = Mapping[Any, Any]  # the polynomials behind names


def keep_orders(b: Bufferiser) -> None:
    """Have calls choose the strides of outputs that one launch writes and that nothing else reads, by the strides of
    what it reads: where all that is no scalar has all axes, and nothing is known to be in C order."""
    program, code = b.program, b.program.code
    outs = {i.dst: i for i in code if isinstance(i, p.NewOut) and len(i.dims) > 1}
    if not outs:
        return
    alone, lengths = _written_alone(code, outs), b.lengths()
    places = {name: k for k, i in enumerate(code) for name in names_defined((i,))}
    changed: dict[int, Instr] = {}
    for launch in code:
        if isinstance(launch, p.Launch) and alone.issuperset(launch.writes) and _is_free(program, launch):
            changed |= _followed(b, launch, [outs[name] for name in launch.writes], lengths, places)
    program.code = [changed.get(id(i), i) for i in code]


def _followed(
    b: Bufferiser, launch: p.Launch, made: Sequence[p.NewOut], lengths: Lengths, places: Mapping[Name, int]
) -> dict[int, Instr]:
    """The launch and its outputs, whose strides the call chooses, by id; none where it can't.  `places`: where names
    are defined."""
    plan, strides = b.program.plans[launch.plan], list(launch.strides)
    rows, first = _read(plan, launch, lengths), min(places[out.dst] for out in made)
    needed = [name for row in (*rows, *strides[plan.n_inputs :]) for name in row]
    if not rows or any(name is None or places.get(name, first) >= first for name in needed):
        return {}
    changed: dict[int, Instr] = {}
    for k, out in enumerate(made, plan.n_inputs):
        axes = _axes(b, plan, launch, k, out, lengths)
        if axes is None:
            return {}
        chosen = tuple(b.fresh("s") for _ in axes)
        *likes, usual = (tuple(None if a is None else row[a] for a in axes) for row in (*rows, strides[k]))
        changed[id(out)] = replace(out, likes=tuple(likes), usual=usual, strides=chosen)
        strides[k] = tuple(chosen[axes.index(a)] for a in range(len(plan.axes)))
    return changed | {id(launch): replace(launch, strides=tuple(strides))}


def _written_alone(code: Sequence[Instr], outs: Collection[Name]) -> set[Name]:
    """The outputs that one launch writes, and that nothing else has to do with."""
    found: dict[Name, list[Instr]] = {name: [] for name in outs}
    for i in p.walk_program([*code]):
        for name in found.keys() & set(names_in(i)):
            found[name].append(i)
    users = ((name, i) for name, (_, *others) in found.items() if len(others) == 1 for i in others)
    return {name for name, i in users if isinstance(i, p.Launch) and i.operands.count(name) == 1}


def _is_free(program: p.Program, launch: p.Launch) -> bool:
    """Are its results the same, wherever they stand, and have they all axes?"""
    plans = [program.plans[k] for k in launch.plans]
    steps = [dims for row in plans[0].strides[plans[0].n_inputs :] for dims in row]
    return all(q.is_pointwise and not q.schedule.apart for q in plans) and all(len(dims) == 1 for dims in steps)


def _read(plan: p.LaunchPlan, launch: p.Launch, lengths: Lengths) -> list[Strides]:
    """The strides of what is read and is no scalar; none if some of it is known to be in C order."""
    inputs = zip(launch.strides[: plan.n_inputs], plan.operands, strict=False)
    rows = [(row, ITEMSIZE[o.type]) for row, o in inputs if any(row)]
    return [] if any(lengths.get(row[-1]) == size for row, size in rows) else [row for row, _ in rows]


def _axes(
    b: Bufferiser, plan: p.LaunchPlan, launch: p.Launch, k: int, out: p.NewOut, lengths: Lengths
) -> list[int | None] | None:
    """The launch's axis of each of the output's, None for one of length 1; or None: it is written in another shape."""
    dims = [lengths[n] for n in out.dims]
    strides = map(b.find, contiguous(dims, ITEMSIZE[plan.operands[k].type]))
    written = [(lengths.get(s), lengths.get(n)) for s, n in zip(launch.strides[k], launch.extents, strict=True)]
    places = [place if place[1] != 1 else None for place in zip(strides, dims, strict=True)]
    if len(set(written)) < len(written) or {*written, None} != {*places, None}:
        return None
    return [None if place is None else written.index(place) for place in places]
