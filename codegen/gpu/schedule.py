"""GPU schedules of a group: the axis of adjacent threads, threads per row, and whether there is a second stage.

A full reduction has only one row to give to blocks: `stages` rewrites it as two groups, partial states of tiles and
the same reducer over those.  Neither kernel knows of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from tensordsl.base.records import record
from tensordsl.codegen.cpu.schedule import is_short, lane_axis, reach
from tensordsl.codegen.fusion.group import Buffer, Group, Out, Pass, Reducer, Schedule, buffers
from tensordsl.codegen.gpu.accesses import is_crossing_load
from tensordsl.codegen.gpu.builder import THREADS
from tensordsl.codegen.gpu.elementwise import flat_kernel
from tensordsl.codegen.gpu.kernels import TILE_CELLS, Emitter, GpuKernel, module_text
from tensordsl.codegen.gpu.row_in_registers import held_kernel
from tensordsl.codegen.scalar_ir.builder import ITEMSIZE, Builder, Val, walk
from tensordsl.codegen.target.tuning import ScheduleTuning

USUAL = ScheduleTuning()
STEPS_PER_PARTIAL_STATE = 32  # of a thread: keeps sums accurate
COLUMN_THREADS = THREADS // 32  # rows of threads in a tile of 32 columns
TILES, TILE_AXIS = "tiles", "tile"


@record(eq=False)
class GpuPlan:
    """A group's kernels in the order of their launches, the buffers between them, and the module that holds them.

    has_choice: the first kernel does all, or the others do, by the lengths (`gpu.launch.is_first_chosen`).
    """

    group: Group
    kernels: tuple[GpuKernel, ...]
    temporaries: tuple[Buffer, ...]
    text: str
    has_choice: bool = False

    @property
    def buffers(self) -> list[Buffer]:
        """The operands of a launch: the group's inputs and outputs."""
        ins, outs = buffers(self.group)
        return [*ins, *outs]


def schedule(group: Group, fastmath: bool = False, lane: str = "", t: ScheduleTuning = USUAL) -> Schedule:
    """`width`: threads that share a row (rows: at most; the host may choose a warp), or a column.  `lane`: if it is
    known already."""
    if not group.extents:
        return Schedule("", (1,), fastmath=fastmath)
    lane, steps = lane or lane_axis(group, t), group.passes
    crossing = _crossing(group, steps, t)
    if crossing:
        return Schedule(
            crossing[0], (1,) * len(steps), STEPS_PER_PARTIAL_STATE, shared_memory_axis=crossing[1], fastmath=fastmath
        )
    local = any(p.local for p in steps)
    width = 1 if not local else COLUMN_THREADS if lane in group.parallel else THREADS
    return Schedule(lane, (width,) * len(steps), STEPS_PER_PARTIAL_STATE, fastmath=fastmath)


def _crossing(group: Group, steps: Sequence[Pass], t: ScheduleTuning) -> tuple[str, str] | None:
    """(lane, cross): outputs are adjacent along `lane`, some operands that vary along both axes along `cross`."""
    lasts = {o.map[-1] if o.map else 0 for o in group.outs}
    lane: Any = next(iter(lasts))
    if len(lasts) > 1 or lane == 0 or any(p.local for p in steps) or is_short(group, lane, t):
        return None
    count: dict[str, int] = {}
    for v in walk(group.roots):
        if is_crossing_load(v, lane) and not is_short(group, v.attr[1][-1], t):
            count[v.attr[1][-1]] = count.get(v.attr[1][-1], 0) + ITEMSIZE[v.type]
    cross = max(count, key=lambda a: count[a], default="")
    # The operands' tiles stand in shared memory, of which a block has 48 KiB.
    return (lane, cross) if cross and count[cross] * TILE_CELLS <= 48 << 10 else None


def plan(
    group: Group, name: str = "", two_stages: bool | None = None, fastmath: bool = False, held: bool = True
) -> GpuPlan:
    """The kernels of a group: `name` (by default the group's), or `name_1` and `name_2` if there are two stages.

    By default a full reduction has two, and other groups whose one pass reduces have both forms, since few long rows or
    columns do not fill a GPU.  Groups of several passes have `name_held` too, unless `held` says otherwise.
    `fastmath`: float32 functions by approximate instructions (`gpu.fastmath`).
    """
    name = name or group.name
    possible = len([p for p in group.passes if p.local]) == 1 and any(p.reduces for p in group.passes)
    assert possible or not two_stages, "a later pass needs the results of the first one"
    has_two = possible and two_stages is not False
    has_one = not has_two or (two_stages is None and bool(group.parallel))
    kernels: list[GpuKernel] = []
    temporaries: tuple[Buffer, ...] = ()
    if has_one:
        kernels.append(_kernel(group, schedule(group, fastmath), name))
    in_registers = held_kernel(group, kernels[0].schedule, name + "_held") if held and not possible else None
    kernels += [in_registers] if in_registers is not None else []
    if has_two:
        first, second = stages(group)
        kernels.append(_kernel(first, schedule(first, fastmath, lane_axis(group, USUAL)), name + "_1", TILE_AXIS))
        kernels.append(_kernel(second, schedule(second, fastmath), name + "_2"))
        temporaries = tuple(o.buffer for o in first.outs if o.buffer.shape[:1] == (TILES,))
    return GpuPlan(group, tuple(kernels), temporaries, module_text(kernels), has_one and len(kernels) > 1)


def _kernel(group: Group, chosen: Schedule, name: str, tile: str = "") -> GpuKernel:
    is_flat = not chosen.shared_memory_axis and not any(p.local for p in group.passes)
    return flat_kernel(group, chosen, name) if is_flat else Emitter(group, chosen, name, tile).run()


def stages(group: Group) -> tuple[Group, Group]:
    """A reduction of one pass as two groups, with buffers of partial states in between."""
    (step,) = (p for p in group.passes if p.local)
    rows = group.parallel
    lengths = {a: group.extents[a] for a in rows}
    b, last, results = Builder(), Builder(), {}
    states_out: list[Out] = []
    for k, r in enumerate(step.reduces):
        reducer, axes = r.attr
        types = reducer.state(r.type)
        cells = [Buffer(f"state{k}_{n}", t, (TILES, *lengths.values())) for n, t in enumerate(types)]
        partial = b.reduce(_unfinished(reducer), axes, *r.args)
        states_out += [Out(cell, (TILE_AXIS, *rows), v) for cell, v in zip(cells, partial, strict=True)]
        states = [last.load(cell, TILE_AXIS, *rows) for cell in cells]
        results[id(r)] = last.reduce(_combining(reducer, r.type), (TILE_AXIS,), *states)
    extents = {TILE_AXIS: TILES, **group.extents}
    # What the pass stores over elements is stored by the tiles.
    first = Group(group.name + "_1", extents, (TILE_AXIS, *rows), (*states_out, *step.outs))
    values: dict[int, Val] = {}
    behind = [o for o in group.outs if not any(o is x for x in step.outs)]
    for v in reach([o.value for o in behind], lambda v: v.op == "result"):
        if v.op == "result":
            values[id(v)] = results[id(v.args[0])][v.attr]
        else:
            values[id(v)] = last.make(v.op, v.type, [values[id(a)] for a in v.args], v.attr, v.axes)
    rest = tuple(Out(o.buffer, o.map, values[id(o.value)]) for o in behind)
    return first, Group(group.name + "_2", {**lengths, TILE_AXIS: TILES}, rows, rest)


@lru_cache(maxsize=64)
def _unfinished(reducer: Reducer) -> Reducer:
    """The same reduction; its results are the states."""
    return Reducer(reducer.name, reducer.state, reducer.identity, reducer.step, reducer.combine)


@lru_cache(maxsize=64)
def _combining(reducer: Reducer, types: tuple[str, ...]) -> Reducer:
    """Reduces states of a reduction over arguments of `types`."""

    def identity(states: tuple[str, ...]) -> tuple[Any, ...]:
        return reducer.identity(types)

    def result(states: tuple[str, ...]) -> tuple[str, ...]:
        return reducer.result(types)

    return Reducer(
        reducer.name, lambda states: states, identity, reducer.combine, reducer.combine, reducer.finish, result
    )
