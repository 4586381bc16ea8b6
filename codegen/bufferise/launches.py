"""Launches of groups: the variants that a call may choose between, with the condition of each.

`launch_of` rewrites the group where axes collapse or unroll, plans each variant once, and emits one `Launch`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tensordsl.codegen.bufferise.collapse_axes import Rewritten, one_axis
from tensordsl.codegen.bufferise.unroll_axes import unroll_axes
from tensordsl.codegen.cpu.planner import plan as plan_kernels
from tensordsl.codegen.cpu.schedule import across_schedules, loads_at_indices, other_schedule, schedule
from tensordsl.codegen.cpu.stencil_offsets import stencil_offsets
from tensordsl.codegen.fusion.group import Buffer, Group, Out, Particulars, Schedule, any_copy, structure
from tensordsl.codegen.program_ir import instructions as p
from tensordsl.codegen.program_ir.storage import Block, Ref, Scope, contiguous
from tensordsl.codegen.scalar_ir.builder import Builder, Val, walk
from tensordsl.codegen.tensor_ir import extents as ex
from tensordsl.codegen.tensor_ir.extents import known_at_entry
from tensordsl.codegen.variants.conditions import Planned, interleaved
from tensordsl.codegen.variants.selection import Site, Variant, choices

if TYPE_CHECKING:
    from tensordsl.codegen.bufferise.bufferiser import Bufferiser


# By their names: a group as another one with fewer axes, or None where it is of another kind.
REWRITES: dict[str, Callable[[Bufferiser, Group, dict[int, Ref]], Rewritten | None]] = {
    "unroll_axes": lambda b, group, refs: unroll_axes(b, group, refs),
    "collapse_axes": lambda b, group, refs: one_axis(b, group, refs),
}


def launch_of(
    b: Bufferiser, group: Group, refs: dict[int, Ref], node: int | None, block: Block | None = None
) -> p.Instr:
    """What runs a group, on a block of its rows if one is given; refs: id(buffer) -> where it is."""
    if b.device or block is not None:
        return _chosen(b, group, refs, node, block)
    if b.tuning.allows("interleaved_outputs"):
        group = interleaved(b, group, refs)
    return _rewritten(b, group, refs, node, [*REWRITES])


def _rewritten(b: Bufferiser, group: Group, refs: dict[int, Ref], node: int | None, names: Sequence[str]) -> p.Instr:
    """The launch of the group as the first rewrite that applies has it, where its condition holds."""
    for k, name in enumerate(names):
        if b.tuning.allows(name) and (made := REWRITES[name](b, group, refs)):
            chosen = _rewritten(b, made.group, made.refs, node, names[k + 1 :])
            if not made.condition:
                return chosen
            return _either(made.condition, chosen, _rewritten(b, group, refs, node, names[k + 1 :]))
    return _chosen(b, group, refs, node)


def _chosen(b: Bufferiser, group: Group, refs: dict[int, Ref], node: int | None, block: Block | None = None) -> p.Instr:
    """The launch that chooses between the group's plans, as `VARIANTS` says."""
    is_copy, covers_rows = group.name == "copy", not b.device and block is None
    made, places = _any_copy(group, refs) if is_copy else (group, refs)
    key, mine = (None, Particulars()) if b.device and not is_copy else structure(made)
    planned = b.planned.get(key) or _planned(b, made)
    if key is not None:
        b.planned[key] = planned
    usual = planned.usual
    if covers_rows and not is_copy and (offsets := stencil_offsets(b, group, usual.lane, refs)):
        usual = replace(usual, stencil_offsets=offsets)
    if not (b.device or is_copy):
        _count_points(b, group, refs, node)
    number, operands, ints = _plan_like(b, planned, usual, made, mine, places)
    site = 0
    if b.program.plans[number].may_fail:
        _check_sources(b, group, refs, node)
        site = b.site("index", node, "index out of bounds")
    launch: p.Instr = _launch(b, number, group, operands, site, block, ints)
    for variant, condition, other in () if b.device else choices(Site(b, group, planned, refs, covers_rows)):
        number, operands, ints = _plan_like(b, planned, other, made, mine, places, variant)
        chosen = _launch(b, number, group, operands, site, block, ints)
        launch = _either(condition, chosen, launch) if condition else chosen
    return launch


def _any_copy(group: Group, refs: dict[int, Ref]) -> tuple[Group, dict[int, Ref]]:
    """The group of all copies of this dtype and pattern, which are planned once, and where its operands are."""
    general = any_copy(group)
    pairs = zip(general.outs, group.outs, strict=True)
    return general, {
        id(x): refs[id(y)] for g, o in pairs for x, y in ((g.value.attr[0], o.value.attr[0]), (g.buffer, o.buffer))
    }


def _count_points(b: Bufferiser, group: Group, refs: dict[int, Ref], node: int | None) -> None:
    """Refuse lengths whose product overflows, of axes that one loop covers, unless an array has an element for each
    point, so that memory bounds them."""
    operands = [*((o.buffer, o.map) for o in group.outs), *(v.attr for v in group.scalars if v.op == "load")]
    names = list(group.extents)
    for _, numbers in group.work(b.tuning.costs):
        axes = [names[k] for k in numbers]
        whole = [refs[id(buffer)] for buffer, given in operands if set(axes) <= set(given)]
        if len(axes) < 2 or any(0 not in r.strides for r in whole):
            continue
        lengths = [b.find(group.extents[a]) for a in axes]
        scope = b.entry if all(map(known_at_entry, lengths)) else b.scopes[-1]
        site = b.site("overflow", node, "the number of elements does not fit 63 bits")
        b.program.sites[site]["names"] = "one length or product of lengths", "the next one"
        points, *others = [b.name(n) for n in lengths]
        for name in others:
            scope.code.append(p.Mul(product := b.fresh("m"), points, name, site))
            points = product


def _either(condition: str, chosen: p.Instr, other: p.Instr) -> p.Instr:
    """Where two launches differ in their plans alone, the program chooses between these."""
    if isinstance(chosen, p.Launch) and isinstance(other, p.Launch) and not chosen.instead:
        if replace(other, plan=chosen.plan, instead=()) == chosen:
            return replace(other, instead=(*other.instead, (condition, chosen.plan)))
    return p.If(condition, (chosen,), (other,))


def _planned(b: Bufferiser, group: Group) -> Planned:
    usual = schedule(group, b.tuning)
    if b.device or group.name == "copy":
        return Planned(usual, None, ())
    other = other_schedule(group, usual, b.tuning)
    lanes = [s.lane for s in (usual, other) if s]
    return Planned(usual, other, across_schedules(group, lanes, b.tuning))


def _plan_like(
    b: Bufferiser, planned: Planned, chosen: Schedule, group: Group, mine: Particulars, refs: dict[int, Ref],
    variant: Variant | None = None,
) -> tuple[int, list[Ref], list[str]]:  # fmt: skip
    """The plan of the group, or of an earlier one of its structure, its operands, and the names of its integers."""
    if chosen not in planned.plans:
        planned.plans[chosen] = _plan(b, group, chosen, variant), mine
    number, theirs = planned.plans[chosen]
    same = {id(x): refs[id(y)] for x, y in zip(theirs.buffers, mine.buffers, strict=True)} or refs
    lengths = dict(zip(theirs.lengths, mine.lengths, strict=True))
    plan = b.program.plans[number]
    operands = [same[id(x)] for x in plan.operands]
    return number, operands, [_int(b, i, operands, lengths) for i in plan.ints]


def _plan(b: Bufferiser, group: Group, chosen: Schedule, variant: Variant | None) -> int:
    number = len(b.program.plans)
    name = f"k{number}"
    if b.device:
        from tensordsl.codegen.gpu.program import device_plan  # late: most functions run on the CPU

        plan = device_plan(group, name)
    else:
        plan = plan_kernels(group, chosen, name, b.tuning)
        plan.variant, plan.when = (variant.name, variant.when) if variant else ("", "")
    b.program.plans.append(plan)
    return number


def _launch(
    b: Bufferiser, number: int, group: Group, operands: Sequence[Ref], site: int, block: Block | None = None,
    ints: Sequence[str] = (),
) -> p.Launch:  # fmt: skip
    plan = b.program.plans[number]
    if block is not None:
        operands = _shifted_operands(b, block, plan, operands)
    strides = tuple(
        tuple(_stride(b, r, dims) for dims in per_axis) for r, per_axis in zip(operands, plan.strides, strict=True)
    )
    lengths = group.extents.items() if plan.axes else ()
    extents = tuple(block.here if block and block.axis == a else b.name(e) for a, e in lengths)
    writes = tuple(r.ptr for r in operands[plan.n_inputs :])
    return p.Launch(number, tuple(r.ptr for r in operands), strides, extents, tuple(ints), writes, site)


def _shifted_operands(b: Bufferiser, block: Block, plan: p.LaunchPlan, operands: Sequence[Ref]) -> list[Ref]:
    at, result = plan.axes.index(block.axis), []
    for buffer, r, per_axis in zip(plan.operands, operands, plan.strides, strict=True):
        dims = per_axis[at] or (d for k, d in block.by_position.items() if k == id(buffer))
        result.append(replace(r, ptr=b.shifted(block, r, ex.total(r.strides[d] for d in dims))))
    return result


def _stride(b: Bufferiser, ref: Ref, dims: Sequence[int]) -> str | None:
    total: Any = 0
    for d in dims:
        total = ex.add(total, ref.strides[d])
    return None if total == 0 else b.name(total)


def _int(b: Bufferiser, entry: tuple[Any, ...], ptrs: Sequence[Ref], lengths: Mapping[Any, Any]) -> str:
    if entry[0] == "extent":
        return b.name(lengths.get(entry[1], entry[1]))
    return b.name(ptrs[entry[1]].strides[entry[2]])


def _check_sources(b: Bufferiser, group: Group, refs: dict[int, Ref], node: int | None) -> None:
    """An indexed load clamps into its source, which must not be empty where there is a point to compute."""
    for v, axes in loads_at_indices(group):
        points, (buffer, entries) = ex.product(group.extents[a] for a in axes), v.attr
        for d, entry in enumerate(entries):
            n = refs[id(buffer)].dims[d]
            if isinstance(entry, tuple):
                b.check_source(n, points, node)


def check_unread(b: Bufferiser, group: Group, refs: dict[int, Ref], node: int | None) -> None:
    """NumPy's rule: indices are checked also where another axis has no point, so that the group reads nothing there.
    They are then read by a group of their own, which loads a zero at each.  The program gets it when a call has such
    lengths, where that shows at entry."""
    for v in {id(v): v for v, _ in loads_at_indices(group)}.values():
        own = _axes_of_indices(v)
        others = [n for a, n in group.extents.items() if a not in own]
        if any(n == 0 for n in others):
            _check_indices(b, group, v, refs, node)
        elif unknown := [n for n in others if not isinstance(n, int)]:
            is_empty = b.joined("max", [b.compared(("eq", n, 0)) for n in unknown])
            if b.are_usual and is_empty in b.early:
                b.outgrown.append(is_empty)
                continue
            b.scopes.append(Scope())
            _check_indices(b, group, v, refs, node)
            b.emit(p.If(is_empty, b.close_scope(), ()))


def _axes_of_indices(load: Val) -> frozenset[str]:
    """The axes of the common shape of a load's indices."""
    along = (e[2:] for e in load.attr[1] if isinstance(e, tuple))
    return frozenset[str]().union(*along, *(i.axes for i in load.args))


def _check_indices(b: Bufferiser, group: Group, load: Val, refs: dict[int, Ref], node: int | None) -> None:
    source, entries = load.attr
    own = tuple(a for a in group.extents if a in _axes_of_indices(load))
    reduced = {a for v in walk(load.args) if v.op == "reduce" for a in v.attr[1]}
    extents = {a: n for a, n in group.extents.items() if a in own or a in reduced}
    dims = tuple(n if isinstance(e, tuple) else 1 for n, e in zip(refs[id(source)].dims, entries, strict=True))
    zeros, result = Buffer("z", "uint8", dims), Buffer("r", "uint8", tuple(extents[a] for a in own))
    zero, kept = b.allocate((), "int64"), b.fresh("b")
    b.emit(p.StoreScalar(zero.ptr, b.name(0), "int64"))
    b.emit(p.Arena(((kept, b.name(ex.product(result.shape))),), b.common_site("memory")))
    where = refs | {
        id(zeros): Ref(zero.ptr, dims, (0,) * len(dims), zero.base),
        id(result): Ref(kept, result.shape, contiguous(result.shape, 1), kept),
    }
    at = (load.args[e[1]] if isinstance(e, tuple) else 0 for e in entries)
    value = Builder().load(zeros, *at)
    b.emit(launch_of(b, Group("indices", extents, own, (Out(result, own, value),)), where, node))
