"""Memory order of outputs: results keep the order of their operands' axes, as NumPy's do.

A pass over the finished program: `NewOut` gets the strides of the operands to follow, and its launch a plan whose lanes
run along the resulting inner axis.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tensordsl.base.records import record
from tensordsl.codegen.cpu.planner import plan as plan_kernels
from tensordsl.codegen.cpu.schedule import reach, schedule
from tensordsl.codegen.program_ir import instructions as p
from tensordsl.codegen.program_ir.instructions import Instr, Name
from tensordsl.codegen.program_ir.memory_map import names_in
from tensordsl.codegen.program_ir.storage import contiguous
from tensordsl.codegen.scalar_ir.builder import ITEMSIZE
from tensordsl.codegen.tensor_ir.extents import known_at_entry
from tensordsl.codegen.variants.conditions import Condition
from tensordsl.codegen.variants.guards import names_defined

if TYPE_CHECKING:
    from tensordsl.codegen.bufferise.bufferiser import Bufferiser

Strides = tuple[Name | None, ...]  # one per axis
Axes = list[int | None]  # of a launch, for each of an output; None for one of length 1
Rows = dict[Strides, int]  # with the sizes of elements


@record
class _Known:
    """The polynomials behind names, where these are defined (before `entry`: there), and the plans made here, by the
    usual one and the axis of their lanes."""

    lengths: Mapping[Any, Any]
    places: Mapping[Name, int]
    entry: int
    by_axis: dict[tuple[int, int], int]


def keep_orders(b: Bufferiser, code: Sequence[Instr]) -> dict[int, Instr]:
    """Replacements of some instructions, by id, with which calls choose the strides of outputs that one launch writes
    and nothing else reads, by the strides of that launch's operands."""
    users: dict[Name, list[Instr]] = {i.dst: [] for i in code if isinstance(i, p.NewOut) and len(i.dims) > 1}
    if not users:
        return {}
    for i in p.walk_program([*code]):
        for name in users.keys() & set(names_in(i)):
            users[name].append(i)
    places = {name: k for k, i in enumerate(code) for name in names_defined((i,))}
    known = _Known(b.lengths(), places, len(b.entry.code), {})
    changed: dict[int, Instr] = {}
    for i in code:
        launches = _launches(i)
        if launches and _is_free(b.program, launches[-1]):
            made = _written_alone(launches, users)
            found = _followed(b, known, launches[-1], made, i.cond if isinstance(i, p.If) else None)
            if found and isinstance(i, p.If):
                found[id(i)] = replace(i, orelse=(found[id(launches[-1])],))
            changed |= found
    return changed


def _launches(i: Instr) -> list[p.Launch]:
    """The launch, or the two that a condition chooses from: the first one where axes are one in memory
    (`bufferise.collapse_axes`)."""
    found = (*i.then, *i.orelse) if isinstance(i, p.If) and not i.results else (i,)
    launches = [x for x in found if isinstance(x, p.Launch)]
    return launches if len(launches) == len(found) and len(found) == 1 + isinstance(i, p.If) else []


def _written_alone(launches: Sequence[p.Launch], users: Mapping[Name, Sequence[Instr]]) -> dict[Name, p.NewOut]:
    """The outputs that these launches write, and that nothing else has to do with."""
    made: dict[Name, p.NewOut] = {}
    for name in launches[-1].writes:
        first, *others = users.get(name, [launches[-1]])
        if isinstance(first, p.NewOut) and len(others) == len(launches):
            if all(x.operands.count(name) == 1 for x in launches):
                made[name] = first
    return made


def _followed(
    b: Bufferiser, known: _Known, launch: p.Launch, made: Mapping[Name, p.NewOut], unless: Name | None
) -> dict[int, Instr]:
    """The launch and its outputs, whose strides the call chooses, by id; none where it can't.  unless: they are in C
    order where this holds."""
    plan, strides = b.program.plans[launch.plan], list(launch.strides)
    changed: dict[int, Instr] = {}
    plans: dict[tuple[Name, int], None] = {}
    for k, out in enumerate(map(made.get, launch.writes), plan.n_inputs):
        axes = _axes(b, known, plan, launch, k, out) if out else None
        rows = _read(known, plan, launch, k, axes) if axes else {}
        if not (out and axes and rows) or not _are_known(known, out, unless, (*rows, strides[k])):
            continue
        chosen = tuple(b.fresh("s") for _ in axes)
        usual, likes = tuple(None if a is None else strides[k][a] for a in axes), [*rows]
        if unless and likes[0].count(None) > usual.count(None):
            continue
        if unless:
            pairs = zip(usual, likes[0], strict=True)
            likes[0] = tuple(x and b.once(b.entry, "s", p.Select, unless, x, y) for x, y in pairs)
        changed[id(out)] = replace(out, likes=tuple(likes), usual=usual, strides=chosen)
        strides[k] = tuple(chosen[axes.index(a)] if a in axes else None for a in range(len(plan.axes)))
        plans |= dict.fromkeys(_other_lanes(b, known, launch, axes, rows))
    if changed:
        changed[id(launch)] = replace(launch, strides=tuple(strides), instead=(*launch.instead, *plans))
    return changed


def _is_free(program: p.Program, launch: p.Launch) -> bool:
    """Whether it has axes, and results that do not depend on positions."""
    plans = [program.plans[k] for k in launch.plans]
    return bool(launch.extents) and all(q.is_placeless and not q.schedule.strided for q in plans)


def _are_known(known: _Known, out: p.NewOut, unless: Name | None, rows: Iterable[Strides]) -> bool:
    """Whether names are defined before the output, with a condition at entry."""
    place = known.entry if unless else known.places[out.dst]
    return all(known.places.get(name, place) < place for row in (*rows, (unless,)) for name in row if name)


def _read(known: _Known, plan: p.LaunchPlan, launch: p.Launch, k: int, axes: Axes) -> Rows:
    """The strides, along the axes of operand k, of the operands read for its elements, those with most axes first; but
    for vectors, which have no order, and for operands of reductions only.  Nothing if some of it is known to be in C
    order."""
    value, numbers = plan.group.outs[k - plan.n_inputs].value, {}
    for number, (buffer, steps) in enumerate(zip(plan.operands, plan.strides, strict=True)):
        numbers[id(buffer), steps] = number
    rows: Rows = {}
    for v in reach([value], lambda v: v.op == "result"):
        if v.op == "load":
            buffer, entries = v.attr
            steps = tuple(tuple(d for d, m in enumerate(entries) if m == a) for a in plan.axes)
            row = launch.strides[numbers[id(buffer), steps]]
            rows[tuple(None if a is None else row[a] for a in axes)] = ITEMSIZE[buffer.type]
    every = sum(a is not None for a in axes)
    count = {row: len(row) - row.count(None) for row in rows}
    if any(count[row] == every and known.lengths.get(row[-1]) == size for row, size in rows.items()):
        return {}
    return {row: rows[row] for row in sorted(rows, key=count.__getitem__, reverse=True) if count[row] > 1}


def _axes(b: Bufferiser, known: _Known, plan: p.LaunchPlan, launch: p.Launch, k: int, out: p.NewOut) -> Axes | None:
    """The launch's axis of each of the output's, None for one of length 1; or None: it is written in another shape."""
    dims = [known.lengths[n] for n in out.dims]
    strides = map(b.find, contiguous(dims, ITEMSIZE[plan.operands[k].type]))
    pairs = zip(launch.strides[k], launch.extents, strict=True)
    written = [(known.lengths.get(s), known.lengths.get(n)) if s else None for s, n in pairs]
    places = [place if place[1] != 1 else None for place in zip(strides, dims, strict=True)]
    long = [place for place in written if place]
    if len(set(long)) < len(long) or {*long, None} != {*places, None}:
        return None
    return [None if place is None else written.index(place) for place in places]


def _other_lanes(b: Bufferiser, known: _Known, launch: p.Launch, axes: Axes, rows: Rows) -> Iterator[tuple[Name, int]]:
    """Plans with lanes along another axis of an output, and the condition of each: operands have smaller strides along
    that axis (of more than one: 1), and not 1 along the usual one."""
    plan, length = b.program.plans[launch.plan], known.lengths
    lane = plan.axes.index(plan.schedule.lane)
    for place, axis in enumerate(axes):
        if axis in (None, lane) or lane not in axes or (place and not plan.is_pointwise):
            continue
        pairs = [(row[place], row[axes.index(lane)], size) for row, size in rows.items()]
        pairs = [(near, far, size) for near, far, size in pairs if near and far]
        conditions: list[Condition] = [("ne", length[far], size) for _, far, size in pairs[:1]]
        if len(axes) == 2:
            conditions += [("lt", length[near], length[far]) for near, far, _ in pairs]
        else:
            conditions += [("eq", length[near], size) for near, _, size in pairs]
        if plan.is_pointwise and len(axes) > 2:  # beside more axes no library function takes short rows together
            conditions += [
                ("ge", length[launch.extents[axis]], b.tuning.machine.vector_bytes // size) for _, _, size in pairs[:1]
            ]
        is_known = all(known_at_entry(b.find(n)) for _, *ends in conditions for n in ends)
        number = (_along if plan.is_pointwise else _by_rows)(b, known, launch, axis) if pairs and is_known else None
        if number is not None:
            yield b.compared(*conditions), number


def _by_rows(b: Bufferiser, known: _Known, launch: p.Launch, axis: int) -> int | None:
    """Of a launch that reduces its lanes' axis, the plan whose lanes run along this one, if that is not reduced.
    (Else rows may be short: the usual choice is right.)"""
    plans, parallel = b.program.plans, b.program.plans[launch.plan].group.parallel
    lane = plans[launch.plan].axes[axis]
    fits = lane in parallel and plans[launch.plan].schedule.lane not in parallel
    return next((k for k in launch.plans if fits and plans[k].schedule.lane == lane), None)


def _along(b: Bufferiser, known: _Known, launch: p.Launch, axis: int) -> int | None:
    """The plan whose lanes run along this axis, the first one by loops in reversed order, if lanes can't be exchanged
    since operands have different axes."""
    plan = b.program.plans[launch.plan]
    lane = plan.axes.index(plan.schedule.lane)
    if all(bool(row[axis]) == bool(row[lane]) for row in launch.strides):
        return None
    if (launch.plan, axis) not in known.by_axis:
        parallel, number = plan.group.parallel, len(b.program.plans)
        group = replace(plan.group, parallel=parallel if axis else parallel[::-1])
        chosen = schedule(group, b.tuning, plan.axes[axis])
        made = plan_kernels(group, chosen, f"k{number}", b.tuning)
        made.variant, made.when = "output_order", "elements are adjacent along this axis, in operands and result"
        b.program.plans.append(made)
        known.by_axis[launch.plan, axis] = number
    return known.by_axis[launch.plan, axis]
