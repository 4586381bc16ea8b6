"""Conditions of variants: whether a call is better off with another schedule of a group.

Contract  a builder, a group, its schedules and where operands are -> the name of an i64 that is 1 where the schedule is
          better, or None where it never is.
When      lengths or strides that decide are not known when the function is compiled.
Why       a comparison at run time takes a nanosecond; the wrong lanes cost factors.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import field, replace
from typing import Any, Protocol

from tensordsl.base.records import record
from tensordsl.codegen.cpu.loop_tree import axis_pairs
from tensordsl.codegen.cpu.schedule import (
    has_padded_rows,
    has_segmented_rows,
    has_separate_rows,
    has_uncollapsible_rows,
    is_sum_of_products,
    max_short_row_elements,
    min_aligned_row_elements,
    states_of_short_row,
    widest_load,
)
from tensordsl.codegen.fusion.group import INTERLEAVE, Group, Own, Schedule
from tensordsl.codegen.program_ir import instructions as p
from tensordsl.codegen.program_ir.storage import Ref, Scope
from tensordsl.codegen.scalar_ir.builder import ITEMSIZE, is_function
from tensordsl.codegen.target.tuning import Tuning, VariantTuning
from tensordsl.codegen.tensor_ir import extents as ex
from tensordsl.codegen.tensor_ir.extents import known_at_entry

Condition = tuple[str, Any, Any]  # (eq ne lt le gt ge, length, length)


@record
class Planned:
    """The schedules of a group, and its plans by their schedules, with what their group has of its own."""

    usual: Schedule
    other: Schedule | None
    across: tuple[Schedule, ...]
    plans: dict[Schedule, tuple[int, Own]] = field(default_factory=dict)


class Builder(Protocol):
    """What is needed of a `bufferise.bufferiser.Bufferiser`."""

    entry: Scope
    scopes: list[Scope]
    behind: dict[str, tuple[str, Any]]
    of_last_axes: set[Any]
    tuning: Tuning

    def find(self, length: Any) -> Any: ...
    def name(self, length: Any) -> str: ...
    def compared(self, *conditions: Condition) -> str: ...
    def joined(self, op: str, names: Sequence[str]) -> str: ...
    def once(self, scope: Scope, prefix: str, make: Callable[..., p.Instr], *operands: Any) -> str: ...


def prefers_other_lanes(b: Builder, group: Group, usual: Schedule, other: Schedule, refs: dict[int, Ref]) -> str | None:
    """Whether lanes should run along the other axis, if that is not known to be worse: the usual lanes' axis is short
    (and several rows are not taken as one) and the other is long, or elements are adjacent along the other. Known at
    entry where that can be."""
    bounds = _bounds(group, usual, b.tuning)
    together = bool(bounds) and has_segmented_rows(group, usual, b.tuning)
    apart = _rows_apart(b, group, usual, refs) if together else []
    bounds = bounds if apart or not together else []
    few = _few_rows(group, usual, other, b.tuning)
    reasons = [_adjacent(b, group, usual, other, a, refs, few) for a in _exchanged(group, other)]
    if bounds and not _is_short_row(group, other, other.lane, b.tuning.variants):
        is_placed = other.lane in group.parallel and any(v.op == "index" for v in group.scalars)
        long, fewer = ("ge", group.extents[other.lane], _enough(group, other)), few
        if is_placed and not few:
            long, fewer = _beside_positions(group, usual, other, b.tuning.variants)
        some = _long_or_few(b, long, fewer)
        reasons.append(b.joined("min", [_all(b, bounds, apart), some]))
    return _any(b, reasons)


def _exchanged(group: Group, other: Schedule) -> list[str]:
    """The axis of other lanes, and those that the library exchanges with it at run time where strides along them are
    smaller."""
    if other.lane in group.parallel:
        return [other.lane]
    maps, axes = _maps(group), list(group.extents)
    return [other.lane, *(axes[a] for a, _ in axis_pairs(group, other.lane, maps)[0])]


def _long_or_few(b: Builder, long: Condition, few: Sequence[Condition]) -> str:
    return b.joined("max", [b.compared(long), *([b.compared(*few)] if few else [])])


def _adjacent(
    b: Builder,
    group: Group,
    usual: Schedule,
    other: Schedule,
    axis: str,
    refs: dict[int, Ref],
    few: Sequence[Condition] = (),
) -> str | None:
    """Whether elements of the largest operand are adjacent along an axis, and not along the usual lanes'. The axis has
    enough elements for other lanes (a vector where short rows are in lanes, or columns leave one result each; what pays
    where rows are stored) or `few` hold."""
    if (load := widest_load(group, (usual.lane, axis))) is None:
        return None
    buffer, entries = load.attr
    size = ITEMSIZE[buffer.type]
    here, there = (refs[id(buffer)].strides[entries.index(a)] for a in (usual.lane, axis))
    if here == size:
        return None
    is_light = not _stores_rows(group, usual) if other.lane in group.parallel else other.unroll_jam
    long = _enough(group, other) if axis == other.lane else 2 * _enough(group, other)
    least = min(long, b.tuning.machine.vector_bytes // size) if is_light else long
    steps, enough = [("ne", here, size), ("eq", there, size)], ("ge", group.extents[axis], least)
    reasons = [b.compared(*steps), _long_or_few(b, enough, few)]
    if _stores_rows(group, other):
        if _is_short_row(group, other, axis, b.tuning.variants):
            return None
        length, (most, whole) = group.extents[axis], _short_row(group, other, b.tuning.variants)
        pays = [("gt", length, most), *(("eq", length, n) for n in whole)]
        reasons.append(b.joined("max", [b.compared(condition) for condition in pays]))
    return b.joined("min", reasons)


def _enough(group: Group, other: Schedule) -> int:
    """Elements of an axis along which other lanes may run in any case."""
    if group.parallel and other.lane not in group.parallel:
        return other.width[0] // 4
    return (2 if group.parallel else 1) * other.width[0]


def _beside_positions(
    group: Group, usual: Schedule, other: Schedule, t: VariantTuning
) -> tuple[Condition, list[Condition]]:
    """Enough, and few, of other lanes where positions are used: the usual schedule does short rows one by one then."""
    here, there = group.extents[usual.lane], group.extents[other.lane]
    least = t.min_crossed_vector_rows
    return ("ge", there, max(other.width[0], least)), [("ge", there, least), ("le", here, least)]


def _few_rows(group: Group, usual: Schedule, other: Schedule, tuning: Tuning) -> list[Condition]:
    """Of a group of two axes: all of these hold where lanes may go across fewer rows than vectors have elements, since
    the rows are short (`loops.small_transposed`)."""
    across = other.lane in group.parallel and usual.lane not in group.parallel
    if not across or len(group.extents) != 2 or usual.unroll_jam:
        return []
    operands = {id(v.attr[0]): v.type for v in group.scalars if v.op == "load" and len(v.attr[1]) == 2}
    sizes = [ITEMSIZE[t] for t in operands.values()] + [ITEMSIZE[o.buffer.type] for o in group.outs if len(o.map) == 2]
    here, there = group.extents[usual.lane], group.extents[other.lane]
    most = tuning.loops.transposed_bytes // (2 * other.width[0] * max(sum(sizes), 1))
    return [("le", here, most), ("le", here, ex.mul(tuning.variants.max_elements_per_row, there))]


def _has_rows_at_indices(group: Group, usual: Schedule) -> bool:
    return any(v.op == "load" and v.args and usual.lane in v.attr[1] for v in group.scalars)


def _any(b: Builder, names: Sequence[str | None]) -> str | None:
    """Whether one of them holds, of those that there are."""
    known = [name for name in names if name]
    return b.joined("max", known) if known else None


def _all(b: Builder, conditions: Sequence[Condition], some: Sequence[Condition]) -> str:
    """Whether all of the conditions hold, and one of `some`, if there are any."""
    one = [b.joined("max", [b.compared(condition) for condition in some])] if some else []
    return b.joined("min", [b.compared(*conditions), *one])


def _rows_apart(b: Builder, group: Group, usual: Schedule, refs: dict[int, Ref]) -> list[Condition]:
    """Of a group whose short rows are collapsed where they lie one behind the other: each of these shows that they do
    not."""
    rows = {p.local[-1] for p in group.passes if p.local}
    found: list[Condition] = []
    operands = [*(v.attr for v in group.scalars if v.op == "load"), *((o.buffer, o.map) for o in group.outs)]
    for buffer, entries in operands:
        size, strides = ITEMSIZE[buffer.type], refs[id(buffer)].strides
        length = ex.mul(size, group.extents[usual.lane])
        if usual.lane not in entries:
            continue
        pairs = [(strides[d], length) for d, a in enumerate(entries) if a in rows]
        pairs.append((strides[entries.index(usual.lane)], size))
        found += [("ne", x, y) for x, y in pairs if b.find(x) != b.find(y)]
    return found


def prefers_lanes_across(
    b: Builder, group: Group, planned: Planned, across: Schedule, refs: dict[int, Ref]
) -> str | None:
    """Whether lanes should run across rows, if that is not known to be worse: elements of a reduction's operand are
    adjacent along that axis, or all others are short."""
    usual = planned.usual
    reasons = [_short_rows(b, group, planned, across, refs)]
    if len(group.parallel) < len(group.extents):
        adjacent = _adjacent(b, group, usual, across, across.lane, refs)
        if adjacent and any(a in group.extents and a not in group.parallel for o in group.outs for a in o.map):
            limit = _half(b.tuning) // _block_size(group, across)  # of what is transposed back, block by block
            adjacent = b.joined("min", [adjacent, b.compared(("le", _rest(b, group, across, limit), limit))])
        reasons.append(adjacent)
    return _any(b, reasons)


def _half(tuning: Tuning) -> int:
    """Bytes of a block from which on lanes along rows are as fast, but for short ones."""
    return tuning.loops.transposed_max_bytes // 2


def _short_rows(b: Builder, group: Group, planned: Planned, across: Schedule, refs: dict[int, Ref]) -> str | None:
    """Whether all other axes are short, those of other lanes too short for these, and rows that could be in lanes do
    not lie one behind the other."""
    usual, other = planned.usual, planned.other
    here, there, enough = group.extents[usual.lane], group.extents[across.lane], _enough_across(b, group, usual, across)
    least = min(enough, _vector_rows(b, group, usual))
    conditions = [("ge", there, least)]
    if other and other.lane in group.parallel:
        conditions.append(("lt", group.extents[other.lane], 2 * other.width[0]))
    apart = _gaps(b, group, refs) if usual.unroll_jam else []
    if apart is None:
        return None
    needed = [_all(b, conditions, apart), _other_axes_short(b, group, usual, across)]
    if least < enough:  # few, each shorter than a vector
        most = across.width[0] if len(group.parallel) < len(group.extents) else across.width[0] // 2
        needed.append(b.joined("max", [b.compared(("ge", there, enough)), b.compared(("lt", here, most))]))
    reasons = [b.joined("min", needed)]
    if group.parallel[-1] == usual.lane and _becomes_vectors(group, usual, across, b.tuning):
        reasons.append(_all(b, _few_but_merged(b, group, usual, across), apart))
    return b.joined("max", reasons)


def _becomes_vectors(group: Group, usual: Schedule, across: Schedule, tuning: Tuning) -> bool:
    """True if axes of two lanes may be collapsed, of what takes no short rows as one or has expensive functions in
    them."""
    merges = all(across.lane in m or usual.lane not in m for m in _maps(group))
    return merges and (not has_segmented_rows(group, usual, tuning) or any(is_function(v) for v in group.scalars))


def _few_but_merged(b: Builder, group: Group, usual: Schedule, across: Schedule) -> list[Condition]:
    """All of these hold where the usual lanes are no vector of a row, but with those across, in one block, they are."""
    here, there, t = group.extents[usual.lane], group.extents[across.lane], b.tuning.variants
    most = b.tuning.loops.transposed_max_bytes // _point_size(group, across)
    every = ex.mul(ex.minimum(there, most), _rest(b, group, across, most))
    full, few = ("ge", ex.mul(here, there), across.width[0]), ("lt", here, usual.width[0])
    return [
        ("ge", there, t.min_crossed_rows if has_padded_rows(group, b.tuning.schedule) else t.min_merged_rows),
        few,
        full,
        ("le", every, most),
    ]


def _other_axes_short(b: Builder, group: Group, usual: Schedule, across: Schedule) -> str:
    """Whether a lane across has few elements; or more of them, but usual lanes would be no whole vector of each row."""
    t, half, mixed, size = (
        b.tuning.variants,
        _half(b.tuning),
        has_uncollapsible_rows(group, b.tuning.schedule),
        _block_size(group, across),
    )
    here, padded = (
        group.extents[usual.lane],
        usual.width[0] // 2 if has_padded_rows(group, b.tuning.schedule) else usual.width[0] - 1,
    )
    others = t.max_crossed_parted_elements if has_separate_rows(group, usual.lane) else t.max_crossed_row_elements
    limit = min(half // size, (t.max_mixed_row_elements if len(group.extents) == 3 else half) if mixed else others)
    # A vector of which a part is wasted costs as much as all of it.
    short = max(b.tuning.schedule.max_short_axis_elements, padded * _is_heavy(group, usual))
    most = max(padded, t.max_taken_row_elements) if _has_rows_at_indices(group, usual) else padded if mixed else short
    lane = _bounds(group, usual, b.tuning) if _stores_rows(group, usual) else [("le", here, most)]
    reasons = [b.compared(("le", _rest(b, group, across, limit), limit), *lane)]
    longer = min(b.tuning.loops.transposed_max_bytes // size, t.max_crossed_parted_elements)
    if (
        usual.lane in group.parallel
        and limit < longer
        and _enough_across(b, group, usual, across) > t.min_crossed_rows_and_axis
    ):
        reasons.append(b.compared(("le", _rest(b, group, across, longer), longer), ("le", here, padded)))
    longer = min(longer, _longer_rows(b, group))
    if limit < longer:
        many = ("ge", group.extents[across.lane], t.min_crossed_rows)
        reasons.append(b.compared(("le", _rest(b, group, across, longer), longer), many, *lane))
    return b.joined("max", reasons)


def _longer_rows(b: Builder, group: Group) -> int:
    """Elements of a row which lanes reduce across, at most, where there are many rows; 0 where lanes are few."""
    t = b.tuning.variants
    lanes = b.tuning.machine.vector_bytes // max((ITEMSIZE[v.type] for v in group.scalars if v.op == "load"), default=8)
    if lanes < 8 or len(group.parallel) == len(group.extents):
        return 0
    return min(t.min_row_elements_per_lane * lanes, t.max_crossed_parted_elements)


def _enough_across(b: Builder, group: Group, usual: Schedule, across: Schedule) -> int:
    """Rows that lanes go across, at least: a few where another axis merges with theirs, else half a vector."""
    t = b.tuning.variants
    inner = group.parallel[group.parallel.index(across.lane) + 1 :]
    maps = _maps(group)
    merges = all({across.lane, *inner[-1:]} <= set(entries) for entries in maps if entries)
    if inner and merges:
        return t.min_crossed_rows_and_axis
    return max(t.min_crossed_rows, across.width[0] // (1 if usual.unroll_jam else 2))


def _vector_rows(b: Builder, group: Group, usual: Schedule) -> int:
    """Rows shorter than a vector that lanes go across alone, at least: a vector, or half of one where columns are added
    up, or rows that are reduced go back."""
    t = b.tuning.variants
    if has_padded_rows(group, b.tuning.schedule):
        return t.min_crossed_rows
    is_column = usual.lane in group.parallel and len(group.parallel) < len(group.extents)
    sizes = (ITEMSIZE[v.type] for v in group.scalars if v.op == "load")
    is_few = is_column or _stores_rows(group, usual)
    least = t.min_crossed_vector_rows
    return least if is_few else max(least, b.tuning.machine.vector_bytes // min(sizes, default=8))


def _maps(group: Group) -> list[tuple[Any, ...]]:
    return [*(v.attr[1] for v in group.scalars if v.op == "load"), *(o.map for o in group.outs)]


def _point_size(group: Group, across: Schedule) -> int:
    """Bytes of what a block may have for a point."""
    operands = {v.attr for v in group.scalars if v.op == "load" and across.lane in v.attr[1]}
    return sum(ITEMSIZE[b.type] for b, _ in (*operands, *((o.buffer, o.map) for o in group.outs)))


def _block_size(group: Group, across: Schedule) -> int:
    """Bytes of one vector of all operands along the lanes; of those with fewer axes, half as many."""
    operands = {v.attr for v in group.scalars if v.op == "load" and across.lane in v.attr[1]}
    operands |= {(o.buffer, o.map) for o in group.outs}
    halves = (ITEMSIZE[b.type] * (2 if len(entries) == len(group.extents) else 1) for b, entries in operands)
    return across.width[0] * sum(halves) // 2


def _rest(b: Builder, group: Group, across: Schedule, limit: int) -> Any:
    """Elements of a row that lanes go across, or more than the limit."""
    return ex.product(ex.minimum(b.find(n), limit + 1) for a, n in group.extents.items() if a != across.lane)


def _gaps(b: Builder, group: Group, refs: dict[int, Ref]) -> list[Condition] | None:
    """Of which one holds where rows do not lie one behind the other: none if some operand is the same in several of
    them, so that they never do.  None if it is known that they do."""
    loads = [v.attr for v in group.scalars if v.op == "load"]
    if any(set(group.extents) - set(entries) for _, entries in loads):
        return []
    result = []
    for buffer, entries in loads:
        strides, axes = refs[id(buffer)].strides, [a for a in entries if a in group.parallel]
        for outer, inner in zip(axes, axes[1:], strict=False):
            step, far = (b.find(strides[entries.index(a)]) for a in (inner, outer))
            count = b.find(group.extents[inner])
            result += [("ne", ex.floordiv(far, step), count)] if far != ex.mul(step, count) else []
    return result or None


def interleaved(b: Builder, group: Group, refs: dict[int, Ref]) -> Group:
    """The group, its outputs in their order in memory, where they are the columns of one join."""
    places = {refs[id(o.buffer)].ptr: o for o in group.outs}
    alike = {(o.map, o.buffer.type, refs[id(o.buffer)].strides) for o in group.outs}
    if (
        not 1 < len(places) <= b.tuning.variants.max_joined_columns
        or len(alike) > 1
        or len(group.parallel) < len(group.extents)
    ):
        return group
    ((entries, dtype, strides),) = alike
    size = ITEMSIZE[dtype]
    if entries[-1:] != tuple(group.extents)[-1:] or strides[-1:] != (len(places) * size,):
        return group
    following = {b.behind[ptr]: ptr for ptr in places if ptr in b.behind}
    ordered = [ptr for ptr in places if ptr not in b.behind or b.behind[ptr][0] not in places][:1]
    while ordered and (place := following.get((ordered[-1], size))) is not None:
        ordered.append(place)
    if len(ordered) < len(group.outs):
        return group
    return Group(INTERLEAVE, group.extents, group.parallel, tuple([places[ptr] for ptr in ordered]))


def strided_variants(b: Builder, group: Group, usual: Schedule, refs: dict[int, Ref]) -> list[tuple[str, Schedule]]:
    """(whether all operands are slices of adjacent elements along the lanes, so that nothing need be packed; a schedule
    of kernels that take their strides), if that may be and some are not adjacent. Shorter rows have kernels of narrower
    vectors. Several operands of one stride may be columns of matrices that have few of them: rows are read complete
    then, as memory gives them."""
    lane, loads = usual.lane, {v.attr: v for v in group.scalars if v.op == "load"}
    reduces = len(group.parallel) < len(group.extents)
    across = reduces and (lane in group.parallel or usual.keep)
    if not lane or across or any(v.args for v in loads.values()) or len(group.scalars) > usual.max_scalar_ops:
        return []  # more are several kernels
    strides = [_along(b, refs[id(buffer)], entries, lane) for buffer, entries in loads]
    fewest = max((strides.count(s) for s in strides if _may_be_column(b, s, strides)), default=1)
    columns = range(fewest, b.tuning.strided.max_stride_elements + 1) if fewest > 1 and not reduces else ()
    choices = _strided_by(b, group, usual, refs, 1)
    for n in columns:
        choices += _strided_by(b, group, usual, refs, n)
    return choices


def _strided_by(
    b: Builder, group: Group, usual: Schedule, refs: dict[int, Ref], columns: int
) -> list[tuple[str, Schedule]]:
    """The same, where what may be columns of a matrix has so many next to it, or 1: then it may be adjacent."""
    lane, reduces = usual.lane, len(group.parallel) < len(group.extents)
    found = _steps_and_conditions(b, group, usual, refs, columns)
    if found is None:
        return []
    steps, conditions = found
    here, whole = group.extents[lane], max(usual.width)
    t = b.tuning.variants
    least = whole if reduces else max(whole * t.min_vector_bytes // b.tuning.machine.vector_bytes, 2)
    if isinstance(here, int) and here < least:
        return []
    chosen = replace(usual, unroll_jam=(), strided=tuple(steps))
    if group.name == INTERLEAVE:
        whole = min(whole, b.tuning.machine.vector_bytes // ITEMSIZE[group.outs[0].buffer.type])
        chosen = replace(chosen, interleaved_outputs=steps[-1][1], width=tuple(min(n, whole) for n in usual.width))
    if not reduces and not all(0 < step <= t.near_stride_elements for _, step in steps):
        least = max(least, whole // 2)
    few = max(whole, t.min_rows_of_few_columns) if columns > 1 else whole
    choices = [(b.compared(("ge", here, few), *conditions), chosen)]
    if columns > 1 or chosen.interleaved_outputs > b.tuning.strided.max_stride_elements:
        return choices
    while (lanes := choices[-1][1].width[0] // 2) >= least and not (isinstance(here, int) and here >= 2 * lanes):
        lengths = ("ge", here, lanes), ("lt", here, 2 * lanes)
        choices.append((b.compared(*lengths, *conditions), replace(chosen, width=(lanes,) * len(usual.width))))
    return choices


def _steps_and_conditions(
    b: Builder, group: Group, usual: Schedule, refs: dict[int, Ref], columns: int
) -> tuple[list[tuple[int, int]], list[Condition]] | None:
    """(operand, elements from lane to lane) of those with other steps than 1, and where that holds."""
    lane, loads = usual.lane, [*{v.attr: v for v in group.scalars if v.op == "load"}]
    joins, t = group.name == INTERLEAVE, b.tuning.strided
    masked = 1 if b.tuning.machine.vector_bytes == 64 else t.masked_store_min_bytes
    strides = [_along(b, refs[id(buffer)], entries, lane) for buffer, entries in loads]
    steps, conditions = list[tuple[int, int]](), list[Condition]()
    for k, (buffer, entries) in enumerate((*loads, *((o.buffer, o.map) for o in group.outs))):
        if lane not in entries:
            continue
        stride, size, is_out = _along(b, refs[id(buffer)], entries, lane), ITEMSIZE[buffer.type], k >= len(loads)
        step = _step(stride, size)
        step = columns if _may_be_column(b, stride, strides) else step
        is_near = 0 < abs(step) <= (b.tuning.variants.max_joined_columns if joins and is_out else t.max_stride_elements)
        if not is_near or (is_out and not joins and step not in (1, -1) and size < masked):
            return None
        steps += [(k, step)] if step != 1 else []
        conditions += [("eq", stride, step * size)] if not isinstance(stride, int) else []
    known = all(known_at_entry(b.find(n)) for _, *ends in conditions for n in ends)
    inputs, outputs = [refs[id(x)] for x, _ in loads], [refs[id(o.buffer)] for o in group.outs]
    return (steps, conditions) if steps and known and not may_overwrite(b, inputs, outputs) else None


def _may_be_column(b: Builder, stride: Any, strides: Sequence[Any]) -> bool:
    """True for a stride of a matrix that is an argument, if other operands have it too."""
    is_one = not isinstance(stride, int) and _step(stride, 1) == 1 and stride not in b.of_last_axes
    return is_one and strides.count(stride) > 1


def _along(b: Builder, ref: Ref, entries: Sequence[Any], lane: str) -> Any:
    return b.find(ex.total(ref.strides[d] for d, a in enumerate(entries) if a == lane))


def may_overwrite(b: Builder, inputs: Sequence[Ref], outputs: Sequence[Ref]) -> bool:
    """True if an output may be an input, as new values of shared variables are."""
    shared = {name for key, name in b.entry.names.items() if isinstance(key, tuple) and key[:2] == ("data", "shared")}
    pairs = ((i, o) for i in inputs for o in outputs)
    return any(i.ptr == o.ptr or (i.ptr in shared and i.strides == o.strides) for i, o in pairs)


def _step(stride: Any, size: int) -> int:
    """Elements from lane to lane, if the operand is a slice of adjacent ones; or 0."""
    if isinstance(stride, int):
        return stride // size if stride % size == 0 else 0
    ((monomial, coefficient), *more) = stride.terms
    return coefficient if not more and [a[0] for a in monomial] == ["stride"] else 0


def is_long(b: Builder, group: Group, usual: Schedule) -> str | None:
    """Whether rows are too long for the form for short rows, if they may be short."""
    if not usual.unroll_jam or usual.lane in group.parallel:
        return None
    here = group.extents[usual.lane]
    if isinstance(here, int) or not known_at_entry(b.find(here)):
        return None
    return b.compared(("ge", here, max_short_row_elements(max(usual.unroll_jam), b.tuning.schedule) + 1))


def has_rows_for_lines(b: Builder, group: Group, usual: Schedule, near: bool) -> str | None:
    """Whether rows have `min_aligned_row_elements`, and, `near`, stand in a cache: then they wait for loads that
    straddle its lines, rather than for memory."""
    row, points = (b.find(n) for n in (group.extents[usual.lane], ex.product(group.extents.values())))
    conditions = [
        ("ge", row, min_aligned_row_elements(b.tuning)),
        *([("lt", points, b.tuning.variants.near_points)] if near else ()),
    ]
    if not known_at_entry(row) or (near and not known_at_entry(points)):
        return None
    return b.compared(*conditions)


def is_cached_total(b: Builder, group: Group) -> str:
    """Whether all that is added up stands in a cache, but not in the first one, or there where loads that straddle
    lines are expensive. Compared where the launch is, so that calls require no kernels: the library has those of loads
    and of products; others should be worth compiling."""
    fewer = (8 if is_sum_of_products(group) else 2) if b.tuning.machine.prefers_halves else 1
    least = b.tuning.variants.aligned_total_min_elements // fewer
    return _has_points(b, group, ("ge", least), ("lt", _max_cached_points(group, b.tuning)))


def is_uncached_total(b: Builder, group: Group) -> str | None:
    """Whether that waits for memory, on a processor that does not look far ahead; of what the library has."""
    asks = b.tuning.machine.prefers_halves and is_sum_of_products(group)
    return _has_points(b, group, ("ge", _max_cached_points(group, b.tuning))) if asks else None


def _max_cached_points(group: Group, tuning: Tuning) -> int:
    size = sum(ITEMSIZE[v.type] for v in group.scalars if v.op == "load")
    return min(tuning.variants.near_points, tuning.caches.align_total_max_bytes // size)


def _has_points(b: Builder, group: Group, *limits: tuple[str, int]) -> str:
    points = b.name(ex.product(group.extents.values()))
    return b.joined("min", [b.once(b.scopes[-1], "q", p.Compare, op, points, b.name(n)) for op, n in limits])


def has_long_rows(b: Builder, group: Group) -> str | None:
    """Whether there are fewer rows than are shared out among threads, each with enough work for several tasks, if that
    may be."""
    rows = b.find(ex.product(group.extents[a] for a in group.parallel))
    points = b.find(ex.product(n for a, n in group.extents.items() if a not in group.parallel))
    t = b.tuning.loops
    long_row_ns = 2 * t.single_thread_task_ratio * t.task_ns
    most = 1000 * long_row_ns // max(sum(price for price, _ in group.work(b.tuning.costs)), 1) - 1
    known = [isinstance(rows, int) and rows >= t.shared_rows, isinstance(points, int) and points <= most]
    if any(known) or not (known_at_entry(rows) and known_at_entry(points)):
        return None
    return b.compared(("lt", rows, t.shared_rows), ("gt", points, most))


def _stores_rows(group: Group, usual: Schedule) -> bool:
    """True if rows along which lanes run, of a reduction, are stored."""
    return usual.lane not in group.parallel and any(usual.lane in o.map for o in group.outs)


def _is_short_row(group: Group, schedule: Schedule, axis: str, t: VariantTuning) -> bool:
    """True if rows along a reduced axis are stored and known to be too short for lanes along them."""
    length, (most, whole) = group.extents[axis], _short_row(group, schedule, t)
    return _stores_rows(group, schedule) and isinstance(length, int) and length <= most and length not in whole


def _bounds(group: Group, usual: Schedule, tuning: Tuning) -> list[Condition]:
    """Of the usual lanes' axis: all of these hold where other lanes are better. Blocks are transposed there, which
    costs less than what is left of a vector, or more where results along the axis are stored."""
    here = group.extents[usual.lane]
    most, whole = _short_row(group, usual, tuning.variants)
    least = tuning.schedule.max_short_axis_elements if len(group.parallel) < len(group.extents) else 0
    if isinstance(here, int) and not least < here <= most:
        return []
    return [("le", here, most), *(("ne", here, n) for n in whole)]


def _is_heavy(group: Group, usual: Schedule) -> bool:
    """True if each element of a row takes an expensive function."""
    return any(is_function(v) and usual.lane in v.axes for v in group.scalars)


def _short_row(group: Group, usual: Schedule, t: VariantTuning) -> tuple[int, list[int]]:
    """Elements of a row for which lanes along it are worse, at most; shorter ones for which they are better."""
    width = usual.width[0]
    is_heavy = _is_heavy(group, usual)
    whole: list[int] = []
    if usual.lane in group.parallel:
        most = width - 1
    elif usual.unroll_jam:
        most = min(lanes * states_of_short_row(lanes) for lanes in usual.unroll_jam if lanes) // 2
    elif not _stores_rows(group, usual):
        heavy = t.expensive_row_elements // (
            2 if _has_rows_at_indices(group, usual) else 1
        )  # there all elements are accesses
        most = max(width, heavy * is_heavy) - 1
    elif _has_rows_at_indices(group, usual):
        most = max(t.max_taken_row_elements, (width - 1) * is_heavy)
    else:
        size = max(ITEMSIZE[o.buffer.type] for o in group.outs if usual.lane in o.map)
        most = t.expensive_row_bytes // size if is_heavy else width * 5 // 4
        whole = [*range(width, most + 1, width)] if not is_heavy or width * size >= t.expensive_vector_bytes else []
    return most, whole
