"""Variant selection: the schedules of a group of which a call runs one, as a table.

Contract  a `Site` (a group, its schedules, where its operands are) -> choices (condition, schedule), best last.
When      the lengths or strides that decide are known to the call only; else `cpu.schedule` has decided.
Why       a schedule that is best for long rows takes several times as long on short ones; a comparison takes a ns.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace

from tensordsl.base.records import kept, record
from tensordsl.codegen.cpu.schedule import line_aligned, line_aligned_total, row_by_row, without_short_rows
from tensordsl.codegen.fusion.group import Group, LineAlignment, Schedule
from tensordsl.codegen.program_ir.storage import Ref
from tensordsl.codegen.variants.conditions import (
    Builder,
    Planned,
    has_long_rows,
    has_rows_for_lines,
    is_cached_total,
    is_long,
    is_uncached_total,
    prefers_lanes_across,
    prefers_other_lanes,
    strided_variants,
)

Condition = str | None  # the name of an i64 that is 1 where a schedule is better, or None where it never is


@record(slots=False, eq=False)
class Site:
    """A launch to be: the group, its schedules, where its operands are.  covers_rows: of all rows, not of a block."""

    b: Builder
    group: Group
    planned: Planned
    refs: dict[int, Ref]
    covers_rows: bool = True

    @property
    def usual(self) -> Schedule:
        return self.planned.usual

    @property
    def is_total(self) -> bool:
        return self.covers_rows and not (self.group.parallel or self.group.scatters)

    @kept
    def long_rows(self) -> Condition:
        return is_long(self.b, self.group, self.usual)

    @kept
    def on_lines(self) -> Schedule | None:
        """The schedule whose rows begin on cache lines, if rows are or may be long enough."""
        if self.usual.line_alignment:
            return self.usual
        return line_aligned(self.group, self.usual, self.b.tuning) if self.long_rows else None

    @kept
    def strided(self) -> dict[Schedule, str]:
        return {
            schedule: condition for condition, schedule in strided_variants(self.b, self.group, self.usual, self.refs)
        }


@record
class Variant:
    """name: of its optimisation, by which it is switched; several rows may have one.

    schedules(site): those that the group may have, none where the variant does not apply.
    condition(site, schedule): whether a call should run it.
    when, cost: the condition and what the variant saves or costs, in words.
    is_forcible: results are right wherever there is a schedule, whatever the condition."""

    name: str
    schedules: Callable[[Site], Collection[Schedule]]
    condition: Callable[[Site, Schedule], Condition]
    when: str
    cost: str
    is_forcible: bool = True


def _some(schedule: Schedule | None) -> Collection[Schedule]:
    return (schedule,) if schedule else ()


# A later row's choice goes before those of the rows above it.
VARIANTS = (
    Variant(
        "long_rows",
        lambda s: _some(without_short_rows(s.usual) if s.long_rows else None),
        lambda s, _: s.long_rows,
        when="rows that are reduced have more elements than short rows in lanes may have",
        cost="one kernel without the form for short rows: less code, the same time of long rows",
    ),
    Variant(
        "line_alignment",
        lambda s: _some(s.on_lines if s.long_rows else None),
        lambda s, _: has_rows_for_lines(s.b, s.group, s.usual, False),
        when="rows of sums of floats are long, wherever they are",
        cost="vectors begin where chunks do; chunks are those of the row below, so that sums are the same",
    ),
    Variant(
        "line_alignment",
        lambda s: _some(replace(s.on_lines, line_alignment=LineAlignment.VECTORS) if s.on_lines else None),
        lambda s, _: has_rows_for_lines(s.b, s.group, s.usual, True),
        when="rows of sums of floats are long, and a cache has them",
        cost="no load straddles two lines; two masked vectors a chunk",
    ),
    Variant(
        "line_alignment",
        lambda s: _some(line_aligned_total(s.group, s.usual, s.b.tuning) if s.is_total else None),
        lambda s, _: is_cached_total(s.b, s.group),
        when="a sum over all axes of what a cache has, but not the first one",
        cost="no load straddles two lines; two masked vectors a chunk",
    ),
    Variant(
        "prefetch",
        lambda s: _some(replace(s.usual, prefetch=True) if s.is_total else None),
        lambda s, _: is_uncached_total(s.b, s.group),
        when="a sum over all axes of what no cache has, on processors whose own prefetching does not reach far",
        cost="one instruction a line",
        is_forcible=False,
    ),
    Variant(
        "row_by_row",
        lambda s: _some(row_by_row(s.group, s.usual) if s.covers_rows else None),
        lambda s, _: has_long_rows(s.b, s.group),
        when="there are fewer rows than are shared out among threads, and each is worth several parts",
        cost="states of each part are combined; threads share a row",
    ),
    Variant(
        "other_lanes",
        lambda s: _some(s.planned.other),
        lambda s, other: prefers_other_lanes(s.b, s.group, s.usual, other, s.refs),
        when="the lanes' axis is short and another one long, or elements are adjacent along the other one",
        cost="blocks are transposed, or rows are done side by side",
    ),
    Variant(
        "lanes_across_rows",
        lambda s: s.planned.across[::-1],
        lambda s, across: prefers_lanes_across(s.b, s.group, s.planned, across, s.refs),
        when="all axes but an outer one are short, or elements are adjacent along that one",
        cost="blocks of rows are transposed to scratch and back",
    ),
    Variant(
        "strided_operands",
        lambda s: s.strided if s.covers_rows else (),
        lambda s, schedule: s.strided[schedule],
        when="all operands are slices of adjacent elements with small steps, known to this kernel",
        cost="loads of several vectors and shuffles, in place of a copy",
        is_forcible=False,
    ),
)


def choices(site: Site, rows: Sequence[Variant] = VARIANTS) -> Iterator[tuple[Variant, Condition, Schedule]]:
    """The schedules to choose from besides the usual one, each with its condition; of those whose conditions hold a
    call runs the last.  None: without a condition, since the variant is forced."""
    off, forced = site.b.tuning.off, site.b.tuning.forced
    rows = [row for row in rows if row.name not in off]
    wanted = [row for row in rows if row.is_forcible and row.name in forced and row.schedules(site)]
    for row in wanted or rows:
        for schedule in row.schedules(site):
            condition = None if wanted else row.condition(site, schedule)
            if wanted or condition:
                yield row, condition, schedule
