"""Schedules of the CPU: lane axis, lanes of each pass, block size, and values stored instead of recomputed.

Contract  a group and a tuning -> a `Schedule`, and further ones, of which a call runs the best (`variants`).
When      rows mode: the lane axis is reduced; columns mode: it is parallel, and states are arrays along it.
Why       the lane axis should have stride 1 in most operands: a wrong guess costs speed, not correctness.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from tensordsl.codegen.fusion.group import Group, LineAlignment, Out, Pass, Schedule, price, stored
from tensordsl.codegen.fusion.lane_states import kept_in_lanes
from tensordsl.codegen.scalar_ir.builder import ITEMSIZE, LEAVES, Val, is_expensive_op, is_function, unwidened
from tensordsl.codegen.scalar_ir.repetition import named
from tensordsl.codegen.target.machine import CACHE_LINE_BYTES
from tensordsl.codegen.target.tuning import CostTuning, ScheduleTuning, Tuning
from tensordsl.graph.casting import real_of
from tensordsl.graph.types import COMPLEX

MAX_LANES = 128  # kernels compare lane numbers as bytes
PLAIN = frozenset(("float32", "float64"))
QUICK = frozenset(("add", "sub", "mul", "neg", "abs", "sqr", "maximum", "minimum"))
CHAINS = frozenset(("exp", "sigmoid", "softplus"))  # without tables: four registers of 32 bytes are faster than two


def schedule(group: Group, tuning: Tuning, lane: str = "") -> Schedule:
    """The CPU's schedule of a group; lanes run along `lane`, if it is given."""
    t = tuning.schedule
    if not group.extents:
        return Schedule("", (1,), 1, max_scalar_ops=t.max_scalar_ops)
    best, steps = lane_axis(group, t), group.passes
    lane = lane or best
    pairs = kept(group) if tuning.allows("stored_values") else []
    keep, keep_in = tuple(v for v, _ in pairs), tuple(o for _, o in pairs)
    widths = [_lanes(group, p, lane, tuning) for p in steps]
    if lane not in group.parallel:
        least = min(w for w, p in zip(widths, steps, strict=True) if p.local)
        widths = [min(w, least) for w in widths]  # no pass packs rows that fill a vector of another
        unroll_jam, extent = tuple(_short_row_lanes(group, p, lane, tuning) for p in steps), group.extents[lane]
        every = all(n for n, p in zip(unroll_jam, steps, strict=True) if p.local)
        unroll_jam = unroll_jam if every else ()
        usual = Schedule(lane, tuple(widths), t.row_block_elements, keep, keep_in, t.max_scalar_ops, unroll_jam)
        if not every or not isinstance(extent, int) or extent <= max_short_row_elements(max(usual.unroll_jam), t):
            return usual
        on_lines = line_aligned(group, usual, tuning) if extent >= min_aligned_row_elements(tuning) else None
        return on_lines or (without_short_rows(usual) if tuning.allows("long_rows") else usual)
    packs = any(is_short(group, a, t) for a in group.extents) or lane != best
    if packs or sum(bool(p.local) for p in steps) > 1:
        block = t.reread_block_elements
    elif any(p.reduces for p in steps):
        block = t.sum_block_elements
    else:
        block = max(t.column_block_elements, t.min_block_bytes // _widest(group))
    width = min(widths)
    # Of few operations, unless packed blocks go through expensive functions in other passes.
    expensive = packs and any(is_function(v) for v in group.scalars)
    unroll_jam = tuple(w // width if w // width > 2 and not expensive else 1 for w in widths)
    same = (width,) * len(widths)
    return Schedule(lane, same, max(block, *widths), keep, keep_in, t.max_scalar_ops, unroll_jam)


def max_short_row_elements(lanes: int, t: ScheduleTuning) -> int:
    """Elements of short rows in lanes, at most, by vectors of so many."""
    return min(t.short_row_max_vectors * lanes * states_of_short_row(lanes), t.short_row_max_elements)


def states_of_short_row(lanes: int) -> int:
    """States of a short row in lanes, each a vector of so many lanes: several for narrow vectors, which
    alternate."""
    return max(8 // lanes, 1)


def min_aligned_row_elements(tuning: Tuning) -> int:
    """Elements of rows whose vectors should begin on cache lines: of all that are no short rows in lanes, where loads
    that straddle lines are expensive (`Machine.prefers_halves`)."""
    t = tuning.schedule
    return t.short_row_max_elements + 1 if tuning.machine.prefers_halves else t.long_row_min_elements


def without_short_rows(usual: Schedule) -> Schedule:
    """The schedule where rows are too long for the form for short rows."""
    return replace(usual, unroll_jam=())


def line_aligned(group: Group, usual: Schedule, tuning: Tuning) -> Schedule | None:
    """The schedule of rows of `min_aligned_row_elements` and more, if only floats of one dtype are summed there and
    vectors are as long as cache lines (`cpu.aligned_rows`). Doubling the lanes halves the chunks of a float64 row, and
    each lane adds up no more. For float32, whose chunks are shorter, it pays only if loads that straddle lines are
    expensive."""
    sums = {(r.attr[0].name, r.type[0]) for p in group.passes for r in p.reduces}
    may = tuning.allows("line_alignment") and tuning.machine.vector_bytes >= CACHE_LINE_BYTES
    if not (usual.unroll_jam and may):
        return None
    if sums == {("sum", "float64")}:
        return replace(
            without_short_rows(usual),
            width=tuple(min(2 * n, MAX_LANES) for n in usual.width),
            line_alignment=LineAlignment.CHUNKS,
        )
    is_expensive = sums == {("sum", "float32")} and tuning.machine.prefers_halves
    return replace(without_short_rows(usual), line_alignment=LineAlignment.CHUNKS) if is_expensive else None


def line_aligned_total(group: Group, usual: Schedule, tuning: Tuning) -> Schedule | None:
    """The same of sums over all axes that a cache holds: of what is loaded or products of it, of float32 with as many
    lanes, and where loads that straddle lines are expensive, of few other operations on floats."""
    reduces = [r for p in group.passes for r in p.reduces]
    may = tuning.allows("line_alignment") and tuning.machine.vector_bytes >= CACHE_LINE_BYTES
    if group.parallel or group.scatters or not (reduces and may):
        return None
    if is_sum_of_products(group):
        doubled = reduces[0].type == ("float64",) and reduces[0].args[0].op == "load"
        return replace(
            usual,
            width=tuple(min(2**doubled * n, MAX_LANES) for n in usual.width),
            line_alignment=LineAlignment.VECTORS,
        )
    fits = tuning.machine.prefers_halves and all(_adds_few(r, tuning.schedule) for r in reduces)
    return replace(usual, line_alignment=LineAlignment.VECTORS) if fits else None


def is_sum_of_products(group: Group) -> bool:
    """True for one sum of floats as they are loaded, or of products of two of them."""
    reduces = [r for p in group.passes for r in p.reduces]
    if len(reduces) != 1 or sum(bool(p.local) for p in group.passes) != 1:
        return False
    (term,) = reduces[0].args[:1]
    factors = term.args if term.op == "mul" else (term,)
    return _is_plain_sum(reduces[0]) and all(a.op == "load" and not a.args for a in factors)


def _adds_few(reduce: Val, t: ScheduleTuning) -> bool:
    """True for a sum of floats, of few operations on adjacent ones and on what all have in common."""
    values = [v for v in reach(list(reduce.args), _is_common) if not _is_common(v)]
    loads, computed = [v for v in values if v.op == "load"], [v for v in values if v.op not in LEAVES]
    adjacent = loads and not any(v.args for v in loads) and all(v.type == reduce.type[0] for v in values)
    few = len(computed) <= t.shared_max_operations and all(v.op in QUICK for v in computed)
    return bool(_is_plain_sum(reduce) and adjacent and few)


def _is_common(v: Val) -> bool:
    return not v.axes


def _is_plain_sum(reduce: Val) -> bool:
    return reduce.attr[0].name == "sum" and reduce.type[0] in PLAIN


def row_by_row(group: Group, usual: Schedule) -> Schedule | None:
    """The schedule where there are few rows, each worth several tasks. None if the passes do not go along the same axes
    of a row, or use the row's position."""
    spaces = {p.local for p in group.passes if p.local}
    placed = any(v.op == "index" and v.attr in group.parallel for v in group.scalars)
    if not group.parallel or usual.lane in group.parallel or len(spaces) != 1 or placed:
        return None
    return replace(without_short_rows(usual) if usual.unroll_jam else usual, rows_parallel=True)


def other_schedule(group: Group, usual: Schedule, tuning: Tuning) -> Schedule | None:
    """A schedule of a reduction with lanes along rows instead of their elements, or the reverse: better at run time
    where the usual lane axis is found to be short, or elements to be adjacent along the other one. Also of
    computations at indices whose lane axis is short. None if there is no other axis, or it is known to be worse."""
    lane = usual.lane
    reduced = [a for p in group.passes for a in p.local]
    if not lane:
        return None
    if not reduced:
        by_index = any(v.op == "load" and any(a.axes == {lane} for a in v.args) for v in group.scalars)
        other = lane_across(group, tuning.schedule) if by_index and not row_gather(group) else ""
        return schedule(group, tuning, other) if other not in ("", lane) else None
    if not group.parallel:
        long = next((a for a in reduced if not is_short(group, a, tuning.schedule)), lane)
        return schedule(group, tuning, long) if long != lane and _has_rows(group) else None
    if lane in group.parallel:
        return schedule(group, tuning, reduced[-1])
    other = lane_axis(group, tuning.schedule, (lane,))
    runs = other in group.parallel or has_separate_rows(group, lane)
    return schedule(group, tuning, other) if runs else None


def has_separate_rows(group: Group, lane: str) -> bool:
    """True if rows that are reduced together cannot be collapsed into one: some operand is the same along the lanes but
    not along all reduced axes, or another axis is between these."""
    reduced = set(group.extents) - set(group.parallel)

    def is_split(entries: tuple[Any, ...]) -> bool:
        if lane not in entries:
            return bool(reduced & set(entries))
        outer = entries[: entries.index(lane)]
        return bool(reduced & set(outer)) and outer[-1] not in reduced

    return any(is_split(v.attr[1]) for v in group.scalars if v.op == "load")


def _has_rows(group: Group) -> bool:
    """True if operands keep axes from being collapsed: loads at indices, or what is the same in several rows."""
    loads = [v for v in group.scalars if v.op == "load"]
    return any(v.args or 0 < len({a for a in v.attr[1] if a}) < len(group.extents) for v in loads)


def across_schedules(group: Group, others: Collection[str], tuning: Tuning) -> tuple[Schedule, ...]:
    """Schedules whose lanes run along an outer parallel axis, for calls in which all other axes are short: the library
    transposes blocks of rows for them. `others`: axes that have schedules."""
    t = tuning.schedule
    lanes = [a for a in lanes_across(group, t) if a not in others and _fits_lanes_across(group, a, t)]
    return tuple(schedule(group, tuning, a) for a in lanes)


def _fits_lanes_across(group: Group, lane: str, t: ScheduleTuning) -> bool:
    """True if rows have no form of their own: most elementwise groups, and rows of one axis, have one."""
    reads = {v.attr for v in group.scalars if v.op == "index"}
    by_index = any(v.op == "load" and v.args for v in group.scalars)
    reduces = len(group.parallel) < len(group.extents)
    if lane in reads or any(lane not in o.map for o in group.outs):
        return False
    if not (reduces or by_index or has_uncollapsible_rows(group, t)):
        return False
    if reduces and any(v.op == "load" and v.args and lane in v.attr[1] for v in group.scalars):
        return False
    taken = row_gather(group)
    return not taken or taken[1].attr[1] != (list(group.extents)[-1],)


def is_transposed(group: Group, lane: str, direct: bool, t: ScheduleTuning) -> bool:
    """True if the library transposes blocks of rows for lanes along `lane`. direct: one kernel does all, for which the
    library has shorter forms, where these apply."""
    is_read = any(v.op == "index" and v.attr == lane for v in group.scalars)
    return lane in lanes_across(group, t) and not is_read and (not direct or has_uncollapsible_rows(group, t))


def has_uncollapsible_rows(group: Group, t: ScheduleTuning) -> bool:
    """True if operands of an elementwise group vary along different axes, so that rows can neither be collapsed nor
    overlap (`short_rows.pack`, `short_rows.overlap`), or would compute far more than their elements."""
    return _differ(group, t) or has_padded_rows(group, t)


def has_padded_rows(group: Group, t: ScheduleTuning) -> bool:
    """True for elementwise groups of expensive functions, in rows that have a number each: rows are computed one by
    one, at least a vector of each."""
    *outer, last = group.extents
    rows = [v for v in group.scalars if v.op == "load" and last not in v.attr[1] and {*outer[-1:]} & {*v.attr[1]}]
    is_expensive = any(is_expensive_op(v) and last in v.axes for v in group.scalars)
    return (
        bool(rows) and is_expensive and lane_axis(group, t) == last and is_elementwise(group) and not _differ(group, t)
    )


def _differ(group: Group, t: ScheduleTuning) -> bool:
    """True if rows have numbers of their own next to operands that are the same along the outermost axis, or there are
    more than two axes around the lanes."""
    axes, lane = list(group.extents), lane_axis(group, t)
    sets = {frozenset(v.attr[1]) & set(axes) for v in group.scalars if v.op == "load"}
    if not is_elementwise(group) or not any(s and lane not in s for s in sets):
        return False
    pairs = zip(axes, axes[1:], strict=False)
    first, *inner = [axes[0], *(b for a, b in pairs if any((a in s) != (b in s) for s in sets))]
    rows = set(inner[:-1])
    return len(rows) > 1 or any(lane in s and first not in s and s & rows for s in sets)


def is_elementwise(group: Group) -> bool:
    """True without reductions and loads at indices."""
    by_index = any(v.op == "load" and v.args for v in group.scalars)
    return len(group.parallel) == len(group.extents) and not by_index


def lane_across(group: Group, t: ScheduleTuning) -> str:
    """The outermost parallel axis that is not known to be short, or ""."""
    return next(iter(lanes_across(group, t)), "")


def lanes_across(group: Group, t: ScheduleTuning) -> list[str]:
    """That axis, and of operands with very different axes the next one, for calls in which it is short itself; never
    the innermost one."""
    lanes = [a for a in group.parallel if not is_short(group, a, t)]
    return lanes[:1] + [a for a in lanes[1:2] if has_uncollapsible_rows(group, t) and a != group.parallel[-1]]


def widest_load(group: Group, axes: Collection[str]) -> Val | None:
    """A load of the highest rank among those along both axes, at no indices."""
    loads = [v for v in group.scalars if v.op == "load" and not v.args and set(axes) <= set(v.attr[1])]
    return max(loads, key=lambda v: len(v.attr[1]), default=None)


def has_segmented_rows(group: Group, usual: Schedule, tuning: Tuning) -> bool:
    """True if passes along rows, with lanes along columns, may take several short rows as one
    (`short_rows.reduce_wide`): each pass is one kernel, no positions of columns are used, and only reductions use the
    row's."""
    lane, extent = usual.lane, group.extents[usual.lane] if usual.lane else 0
    if not tuning.allows("segmented_reductions"):
        return False
    if lane not in group.parallel or (isinstance(extent, int) and extent > tuning.loops.wide_max_columns):
        return False
    for p in group.passes:
        values = reach(p.roots)
        if p.local:
            differs = any(lane not in o.map for o in p.outs)
            differs = differs or (not p.reduces and any(v.op == "index" for v in values))
            if differs or sum(not v.axes.isdisjoint(p.local) for v in values) > tuning.schedule.max_scalar_ops:
                return False
        places = (lane, *p.local[:-1])  # in a wide row they are others
        if any(v.op == "index" and v.attr in places or v.op == "load" and v.args for v in values):
            return False
    return any(p.local and p.reduces for p in group.passes)


def has_per_row_values(values: Iterable[Val], row: str, lane: str) -> bool:
    """True if rows, which the lanes run along, have a number or a position each, the same for all lanes."""
    return any(v.op in ("load", "index") and row in v.axes and lane not in v.axes for v in values)


def stores(steps: Sequence[Pass], number: int) -> list[Out]:
    """The outputs that a pass stores: its own, unless a later pass reads what may be their storage."""
    points = [(k, q) for k, q in enumerate(steps) if q.local]
    mine = []
    for k, q in points:
        for o in q.outs:
            readers = [j for j, s in points if j > k and reads(s.roots, o)]
            same = [j for j, s in points if readers and j >= readers[-1] and s.local == q.local]
            if number == (same[0] if same else k):
                mine.append(o)
    return mine


def lane_axis(group: Group, t: ScheduleTuning, short: Collection[str] = ()) -> str:
    """The last axis of most operands, of which those of higher rank weigh more; of equals the innermost. Next to
    reductions an axis of a known small length is taken only if there is no other: a packed block along a long axis
    beats many short rows by far."""
    order = list(group.extents)
    count = dict.fromkeys(order, 0)
    loads = [v.attr[1] for v in group.scalars if v.op == "load"]
    maps = [*loads, *(o.map for o in group.outs)]
    for entries in maps:
        if entries and isinstance(entries[-1], str):
            count[entries[-1]] += t.axis_weight_per_rank ** len(entries)
    used = {a for entries in maps for a in entries}
    reduces = len(group.parallel) < len(order)
    long = [a for a in order if a in used and not (reduces and (a in short or is_short(group, a, t)))]
    return max(long or order, key=lambda a: (count[a], order.index(a)))


def is_short(group: Group, axis: str, t: ScheduleTuning) -> bool:
    extent = group.extents[axis]
    return isinstance(extent, int) and extent <= t.max_short_axis_elements


def is_light(operations: Collection[Val], operands: Sequence[str], t: ScheduleTuning) -> bool:
    """True for a loop over operands of these dtypes that is bound by its loads and stores, of float arithmetic alone:
    LLVM makes instructions for complete registers of integers first, and ends the process where it cannot split
    them."""
    is_short = len(operations) <= t.light_max_operations_per_operand * len(operands) and not any(
        is_expensive_op(v) for v in operations
    )
    return is_short and PLAIN.issuperset(operands) and PLAIN.issuperset(v.type for v in operations if v.type != "bool")


def reach(roots: Iterable[Val], stop: Callable[[Val], bool] = lambda v: False) -> list[Val]:
    """`scalar_ir.builder.walk`, but not below values where `stop` holds."""
    order: dict[Val, None] = {}
    stack: list[Val | None] = [*reversed([*roots])]
    waiting: list[Val] = []  # as in `scalar_ir.builder.walk`
    while stack:
        v = stack.pop()
        if v is None:
            v = waiting.pop()
        elif v in order:
            continue
        elif v.args:
            needed = [a for a in v.args if a not in order]
            if needed and not stop(v):
                waiting.append(v)
                stack.append(None)
                stack += needed[::-1]
                continue
        order[v] = None
    return list(order)


def reads(roots: Sequence[Val], o: Out) -> bool:
    """True if values may read the output's storage: an operand of its type at the same points."""
    loads = (v.attr for v in reach(roots) if v.op == "load")
    return any(buffer.type == o.buffer.type and entries == o.map for buffer, entries in loads)


def price_of(p: Pass, local: Collection[str], costs: CostTuning) -> int:
    """ns of 1,000 points of a pass over the axes `local`, roughly."""
    values = [v for v in reach(p.roots, lambda v: not v.axes & set(local)) if v.axes & set(local)]
    computed = sum(price(v, costs) for v in (*values, *p.reduces))
    return int(computed + sum(stored(o, costs) for o in p.outs) + costs.scatter_ns_per_1000 * len(p.scatters))


def loads_at_indices(group: Group) -> list[tuple[Val, tuple[str, ...]]]:
    """The loads at indices, each with the axes of a space at whose points it is needed."""
    found: dict[tuple[int, tuple[str, ...]], Val] = {}
    for p in group.passes:
        for v in reach(p.roots, lambda v: v.op == "result"):
            if v.op == "load" and v.args:
                found[id(v), (*group.parallel, *p.local)] = v
    return [(v, axes) for (_, axes), v in found.items()]


def row_gather(group: Group) -> tuple[Val, Val] | None:
    """(the load, its index) of a group that only copies rows at indices along one axis, the same at all places of the
    axes around it; else None."""
    if len(group.outs) != 1 or group.scatters:
        return None
    (out,), axes = group.outs, list(group.extents)
    if out.value.op != "load" or len(out.value.args) != 1 or len(group.parallel) < len(axes):
        return None
    entries, index = out.value.attr[1], unwidened(out.value.args[0])
    is_row = index.op == "load" and not index.args and len(index.attr[1]) == 1
    along = index.attr[1][0] if is_row else 0
    return (out.value, index) if len(axes) > 1 and along in axes and along not in entries else None


def has_rows_at_indices(group: Group, t: ScheduleTuning) -> bool:
    """True for elementwise groups of few operations on rows some of which are at indices."""
    if len(group.extents) < 2 or any(is_expensive_op(v) for v in group.scalars):
        return False
    indices = [a for v in group.scalars if v.op == "load" for a in v.args]
    if not indices:
        return False
    lane = lane_axis(group, t)
    return all(lane not in a.axes for a in indices)


def needed_at_points(group: Group) -> set[int]:
    """The ids of what is read at indices, or computed from it, and needed for points of the local axes only: where
    these are empty the indices may be out of range."""
    found: set[int] = set()
    for v in group.scalars:
        if v.op != "result" and ((v.op == "load" and v.args) or any(id(a) in found for a in v.args)):
            found.add(id(v))
    roots = [o.value for p in group.passes if not p.local for o in p.outs]
    return found - {id(v) for v in reach(roots, lambda v: v.op == "result")}


def kept(group: Group) -> list[tuple[Val, Out]]:
    """(value, output): expensive values that several passes need, stored in an output until its own pass.

    softmax: exp(x - max) is written to y by the pass that sums it, and the last pass divides y.  Only where no later
    pass reads an operand that may be the output's storage: one of its type at the same points.
    """
    level, steps = group.levels, [p for p in group.passes if p.local]
    local = {a for p in steps for a in p.local}

    def is_row(v: Val) -> bool:
        return not (v.axes & local)

    result: list[tuple[Val, Out]] = []
    for last, p in list(enumerate(steps))[1:]:
        for o in p.outs:
            for first, v in _shared(steps[: last + 1], is_row):
                entries = {m for m in o.map if isinstance(m, str)}
                if first == last or v.type != o.buffer.type or v.axes != entries or any(v is w for w, _ in result):
                    continue
                later = [w for q in steps[first + 1 :] for w in _values(q, v, is_row)]
                # The stores of earlier passes may wait for later ones.
                waiting = [x.value for q in steps[: first + 1] for x in q.outs if x is not o]
                later += reach(waiting, partial(_is_or, v, is_row))
                reads = [w for w in later if w.op == "load" and w.attr[0].type == o.buffer.type and w.attr[1] == o.map]
                used = [q for q in steps[last + 1 :] if any(w is v for w in reach(q.roots, is_row))]
                if not reads and not used and level[id(v)] < level[id(o.value)]:
                    result.append((v, o))
                    break
    return result


def _values(p: Pass, known: Val, is_row: Callable[[Val], bool]) -> list[Val]:
    """What a pass computes if `known` and row-level values are given."""
    return reach(p.roots, lambda w: w is known or is_row(w))


def _shared(steps: list[Pass], is_row: Callable[[Val], bool]) -> list[tuple[int, Val]]:
    """(first pass, value) of the expensive values which the last of these passes and an earlier one compute."""
    sets = [reach(p.roots, is_row) for p in steps]
    seen: dict[int, int] = {}
    for k, values in reversed(list(enumerate(sets))):
        for v in values:
            if is_expensive_op(v) and not is_row(v):
                seen[id(v)] = k
    return [(seen[id(v)], v) for v in sets[-1] if id(v) in seen]


def lane_of_pass(p: Pass, lane: str, columns: bool) -> str:
    """The axis that the lanes of a pass with local axes run along."""
    return lane if columns or lane in p.local else p.local[-1]


def shared_loads(roots: list[Val], is_row: Callable[[Val], bool], row: str, t: ScheduleTuning) -> list[Val]:
    """The operands of a pass of few operations that its rows, along the axis `row`, have in common; none if they have
    all, or some are read at indices."""
    values = [v for v in reach(roots, is_row) if not is_row(v)]
    loads = [v for v in values if v.op == "load"]
    still = [v for v in loads if row not in v.attr[1]]
    expensive = sum(v.op not in LEAVES for v in values) > t.shared_max_operations
    return [] if not row or expensive or len(still) == len(loads) or any(v.args for v in loads) else still


def narrow_index(reduce: Val, lane: str) -> bool:
    """True if the second argument is the position along the lane axis, which the step only selects: a block's state
    then counts positions in int32 from the block's start."""
    positional = reduce.attr[0].name in ("argmax", "argmin")
    return positional and reduce.args[1].op == "index" and reduce.args[1].attr == lane


def short_rows_at_once(vector_bytes: int) -> int:
    """Short rows that are done at once: as many as a vector has lanes of float64."""
    return max(vector_bytes // 8, 4)


def _short_row_lanes(group: Group, p: Pass, lane: str, tuning: Tuning) -> int:
    """Lanes of a row in the form for short rows (`cpu.short_rows`), or 0 where a pass has none: it has a few operations
    on elements of 4 or 8 bytes, reduced along the lanes and not stored."""
    if p.local != (lane,) or not group.parallel or not p.reduces or p.outs:
        return 0
    if not tuning.allows("short_rows_in_lanes"):
        return 0
    most, vector_bytes = tuning.schedule.short_row_max_operations, tuning.machine.vector_bytes
    local = {a for q in group.passes for a in q.local}
    values = [v for v in reach(p.roots, lambda v: not v.axes & local) if v.axes & local]
    few = sum(v.op not in LEAVES for v in values) <= most and not any(is_expensive_op(v) for v in values)
    known = not any(v.op == "index" or _is_element(v, lane) or v.type in COMPLEX for v in group.scalars)
    sizes = [ITEMSIZE[v.type] for v in values if v.op == "load"]
    sizes += [ITEMSIZE[t] for r in p.reduces for t in kept_in_lanes(r)]
    lanes = max(_native(p, values, False, vector_bytes), short_rows_at_once(vector_bytes))
    return lanes if few and known and (min(sizes) >= 4 or vector_bytes == 64) else 0


def _is_element(v: Val, lane: str) -> bool:
    """True for a load at indices that is no row of lanes."""
    return v.op == "load" and bool(v.args) and (lane not in v.attr[1] or any(lane in a.axes for a in v.args))


def _widest(group: Group) -> int:
    """Bytes of the largest elements of operands."""
    loads = (v.attr[0] for v in group.scalars if v.op == "load")
    return max(ITEMSIZE[buffer.type] for buffer in (*loads, *(o.buffer for o in group.outs)))


def _native(p: Pass, values: Sequence[Val], narrow: bool, vector_bytes: int) -> int:
    """Lanes of the widest type of a pass that computes `values`; `narrow`: with positions in int32."""
    types: list[Any] = [v.type for v in values if v.op not in ("const", "extent") and isinstance(v.type, str)]
    types += [t for r in p.reduces for t in kept_in_lanes(r)]
    types += [*(o.buffer.type for o in p.outs), *(s.buffer.type for s in p.scatters)]
    types = ["int32" if t == "int64" and narrow else real_of(t) for t in types]
    return max(vector_bytes // max(map(ITEMSIZE.__getitem__, types), default=8), 2)


def _lanes(group: Group, p: Pass, along: str, tuning: Tuning) -> int:
    """Lanes of a pass: native ones of the widest type, times a factor.  Long loops of one element: 1, as all lanes are
    done when the last one is.  Expensive functions: 2, as their long chains of operations overlap; 4 where there are
    many, which are calls, or few of some kinds in short registers.  Reductions: 2 or 4, since the fewer other
    operations there are, the more accumulators hide the latency of additions.  Each doubling doubles what LLVM has to
    compile.
    """
    t, vector_bytes = tuning.schedule, tuning.machine.vector_bytes
    local = {a for q in group.passes for a in q.local}
    columns = along in group.parallel
    lane = lane_of_pass(p, along, columns) if p.local else ""

    def is_row(v: Val) -> bool:
        return bool(local) and bool(p.local) and not (v.axes & local)

    values = reach(p.roots, is_row)
    narrow = not columns and any(narrow_index(r, lane) for r in p.reduces)
    rows = len(group.extents) == 2 and has_rows_at_indices(group, t)
    native = _native(p, [v for v in values if along in v.axes] if rows else values, narrow, vector_bytes)
    native = min(native, t.max_taken_lanes) if rows else native
    states = max((len(r.attr[0].state(r.type)) for r in p.reduces), default=0)
    expensive = [v.op for v in values if is_function(v)]
    operations = sum(v.op not in LEAVES and not is_row(v) for v in values)
    if any(v.op == "repeat" and named(v.attr)[0].is_long for v in values):
        factor = 1
    elif expensive:
        few = vector_bytes == 32 and len(expensive) < 3 and CHAINS.issuperset(expensive)
        factor = 4 if few or len(expensive) > t.inline_functions else 2
    elif not p.reduces or operations > 8:
        factor = 1
    else:
        factor = 2 if operations > 2 or (states > 1 and not narrow) else 4
    truths = any("bool" in r.attr[0].state(r.type) for r in p.reduces)
    return min(
        native * factor, vector_bytes if truths and not columns and vector_bytes < t.mask_max_bytes else MAX_LANES
    )


def _is_or(v: Val, condition: Callable[[Val], bool], w: Val) -> bool:
    return w is v or condition(w)
