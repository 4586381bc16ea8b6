"""Placement of values in kernels: where each value of a group is computed, or loaded from.

Contract  a group, its schedule -> `Values`: text of values in a kernel, and the row kernels that they need.
When      row-level values (along no local axis) that are expensive or depend on a reduction go to scratch.
Why       an expensive value is computed once a row; all others are computed where they are used.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import field
from itertools import accumulate, pairwise

from tensordsl.base.records import record
from tensordsl.codegen.abi import descriptor as nest
from tensordsl.codegen.cpu.gather import Along, gather, narrow, wrapped
from tensordsl.codegen.cpu.kernel import LANES, NO_AREA, ROW, Kernel, in_line
from tensordsl.codegen.cpu.loop_tree import (
    Call,
    Node,
)
from tensordsl.codegen.cpu.operand_tables import Tables
from tensordsl.codegen.cpu.reductions import finished
from tensordsl.codegen.cpu.schedule import (
    has_segmented_rows,
    is_light,
    needed_at_points,
    reach,
)
from tensordsl.codegen.cpu.short_rows import ShortRows
from tensordsl.codegen.fusion.group import Group, Out, Pass, Schedule
from tensordsl.codegen.llvm.emit_scalars import emit_all
from tensordsl.codegen.scalar_ir.builder import ITEMSIZE, LEAVES, Val, is_expensive_op
from tensordsl.codegen.target.tuning import Tuning


@record(eq=False, frozen=False)
class Row:
    """A row kernel to be: behind pass `step` (its reductions `reduces`), at `level`, with stores `outs`."""

    level: int
    reduces: tuple[Val, ...] = ()
    outs: list[Out] = field(default_factory=list)
    demands: dict[int, Val] = field(default_factory=dict)
    nodes: list[Node] = field(default_factory=list)


class Values(Tables):
    """What the kernels of a group, under a schedule, compute for the passes that they are of."""

    def __init__(self, group: Group, schedule: Schedule, name: str, tuning: Tuning) -> None:
        Tables.__init__(self, group, name, tuning)
        self.schedule = schedule
        self.columns = schedule.lane in group.parallel
        self.level = group.levels
        self.steps = group.passes
        self.local = frozenset(a for p in self.steps for a in p.local)
        self.places: dict[int, int] = {}  # row-level values -> area
        self.states: dict[int, list[int]] = {}  # reduce -> areas
        self.results: dict[int, list[Val]] = {}
        self.rows: list[Row] = []
        self.wanted: dict[int, Val] = {}  # what the pass in work needs of values that only points need
        self.number = len(self.steps)  # the pass in work
        self.clamps = self.finishes = False  # do its kernels' dead lanes count; do they do all of a row?
        self.only_reads = False  # are they reductions of a group that writes no elements?
        self.crosses = False  # may their lanes be in another order than elements?
        self.per_row_axis = ""  # of wide rows: the axis along which each of their rows may have values of its own
        self.finishers: dict[int, Kernel] = {}  # by the pass's first reduction
        self.short_rows: dict[str, ShortRows] = {}  # by the names of kernels with such a form
        self.offsets: list[Node] = []
        self.has_heavy: dict[int, bool] = {}
        self.outer = [] if schedule.rows_parallel else [a for a in group.parallel if a != schedule.lane]
        self.total = schedule.rows_parallel or not group.parallel  # are all axes reduced?
        self.others: dict[int, list[int]] = {}  # see `join`
        self.gathers = any(v.op == "load" and v.args for v in group.scalars)  # then dead lanes stay in range
        self.widens, self.guarded = has_segmented_rows(group, schedule, tuning), needed_at_points(group)
        for v in group.scalars:
            self.has_heavy[id(v)] = is_expensive_op(v) or any([self.has_heavy[id(a)] for a in v.args])
            if v.op == "result":
                self.results.setdefault(id(v.args[0]), []).append(v)
        self.kept = {id(v): (v, o) for v, o in zip(schedule.keep, schedule.keep_in, strict=True)}

    # -- kernels, and where values are
    def kernel(self, form: int, width: int = 1, lane: str = "", row: str = "") -> Kernel:
        name = f"{self.name}_{len(self.kernels)}"
        lane_axis, row_axis = self.axis.get(lane, -1), self.axis.get(row, -1)
        self.kernels.append(Kernel(name, form, width, self.tuning, lane_axis, row_axis, self.clamps))
        self.kernels[-1].strided = dict(self.schedule.strided)
        if self.finishes and form == LANES:
            self.kernels[-1].finish_rows()
        return self.kernels[-1]

    def varies(self, v: Val, lane: str) -> bool:
        """True if the value differs between the lanes of a block. In columns mode every result does, by its place; in
        wide rows what their rows have one of."""
        return lane in v.axes or self.per_row_axis in v.axes or (self.columns and self.level[id(v)] > 0)

    def is_row(self, v: Val) -> bool:
        return not (v.axes & self.local)

    def first_use(self, v: Val) -> int:
        return next(k for k, p in enumerate(self.steps) if any(w is v for w in reach(p.roots, self.is_row)))

    def guard(self, kernels: Sequence[Kernel], p: Pass) -> None:
        """Let kernels do nothing where a pass has no points."""
        for k in kernels:
            k.guard([self.integer(k, "extent", self.group.extents[a]) for a in p.local])

    def place(self, v: Val) -> int:
        """The area of a row-level value, which its target row kernel fills, or one before the pass in work."""
        if id(v) not in self.places:
            size = ITEMSIZE[v.type]
            varies = self.columns and self.varies(v, self.schedule.lane)
            self.places[id(v)] = self.area(0, size) if varies else self.area(size)
        (self.wanted if id(v) in self.guarded else self.target(v).demands)[id(v)] = v
        return self.places[id(v)]

    def target(self, v: Val) -> Row:
        if v.op == "result":
            return next(r for r in self.rows if any(q is v.args[0] for q in r.reduces))
        return [r for r in self.rows if r.level == self.level[id(v)]][-1]

    def is_placed(self, v: Val, row: Row | None) -> bool:
        """True if the value is loaded from scratch in a point kernel (row None) or in this row kernel."""
        if v.op in LEAVES or not self.is_row(v) or not isinstance(v.type, str) or (row and id(v) in self.guarded):
            return False
        level = self.level[id(v)]
        if row is None:
            return level > 0 or self.has_heavy[id(v)]
        if v.op == "result" and any(v.args[0] is r for r in row.reduces):
            return False
        return 0 < level < row.level or (v.op == "result" and level == row.level)

    # -- values
    def scalar_values(self, kernel: Kernel, roots: Sequence[Val], row: Row | None) -> None:
        """Compute values that do not vary along the lanes, before the loop."""
        env = kernel.scalars
        values = reach(roots, lambda v: id(v) in env or v.op == "result" or self.is_placed(v, row))
        for v in values:
            if id(v) in env:
                continue
            if self.is_placed(v, row):
                env[id(v)] = kernel.load_scalar(kernel.pointer(nest.INTERNAL, self.place(v)), v.type)
            elif v.op == "result":
                assert row is not None
                self.bind_results(env, v.args[0], finished(kernel, v.args[0], self.states[id(v.args[0])]))
        emit_all(kernel.row_code, values, env, 1, lambda v: self.scalar_leaf(kernel, v))

    def bind_results(self, env: dict[int, str], reduce: Val, names: Sequence[str]) -> None:
        for v in self.results[id(reduce)]:
            env[id(v)] = names[v.attr]

    def scalar_leaf(self, kernel: Kernel, v: Val) -> str:
        if v.op == "extent":
            return self.integer(kernel, "extent", v.attr)
        if v.op == "index":
            return kernel.position(self.axis[v.attr])
        assert v.op == "load", v.op
        operand = self.operand(*v.attr)
        pointer = kernel.pointer(nest.SPLAT, operand, ITEMSIZE[v.type], nest.READ)
        if v.args:
            offset = self.scalar_offset(kernel, v)
            pointer = kernel.row_code.op(f"getelementptr i8, ptr {pointer}, i64 {offset}")
        return kernel.load_scalar(pointer, v.type)

    def scalar_offset(self, kernel: Kernel, v: Val) -> str:
        """Bytes to the element that the indices of an indexed load name; its indices are scalars, computed already."""
        buffer, entries = v.attr
        total, code = "0", kernel.row_code
        for d, m in enumerate(entries):
            if isinstance(m, tuple):
                a = v.args[m[1]]
                extent = self.integer(kernel, "extent", buffer.shape[d])
                index = wrapped(kernel, code, kernel.scalars[id(a)], a.type, extent, 1)
                step = self.integer(kernel, "stride", self.operand(buffer, entries), d)
                total = code.op(f"add i64 {total}, {code.op(f'mul i64 {index}, {step}')}")
        return total

    def vector_calls(
        self, roots: Sequence[Val], lane: str, width: int, row: Row | None, form: int, rows: str
    ) -> list[Call]:
        """Kernels that compute `roots` over a block; the last one has their names in `lanes`.  A pass of too many
        operations is several kernels, with temporaries in scratch.  Before them, in `self.offsets`: the kernel of byte
        offsets."""
        self.pending: list[tuple[Val, int]] = []

        def is_stop(v: Val) -> bool:
            return self.is_leaf(v, lane, row)

        reached = reach(roots, is_stop)
        operations = [v for v in reached if not is_stop(v) and v.op != "index"]
        temporaries: dict[int, int] = {}
        last = {id(a): k for k, v in enumerate(operations) for a in v.args}
        last |= dict.fromkeys(map(id, roots), len(operations))
        ends = _waists(operations, last, self.schedule.max_scalar_ops)
        free: list[tuple[int, int, int]] = []  # (last use, size, area)
        result = []
        for start, end in pairwise([0, *ends]):
            exported = [v for v in operations[start:end] if last.get(id(v), 0) >= end]
            kernel = self.kernel(LANES, width, lane, rows)
            self.vector_values(kernel, exported, lane, row, temporaries)
            for v in exported:
                size_of = ITEMSIZE[v.type]
                old = next((f for f in free if f[0] < start and f[1] == size_of), None)
                area = old[2] if old else self.area(0, size_of)
                if old:
                    free.remove(old)
                free.append((last[id(v)], size_of, area))
                temporaries[id(v)] = area
                kernel.store_area(area, v.type, kernel.lanes[id(v)])
            result.append(Call(kernel))
        kernel = self.kernel(form, width, lane, rows)
        adds_up = row is None and bool(self.steps[self.number].reduces)
        only = not ends and not (adds_up and operations)  # a reduction of what it computes is not bound by loads
        only &= not self.only_reads and any(v.op == "load" for v in reached)  # not of what is in scratch
        light = is_light(operations, [b.type for b, _ in self.buffers], self.tuning.schedule)
        kernel.use_halves(only and light)
        kernel.may_keep_address(adds_up and light and sum(v.op == "load" for v in reached) == 1)
        by_lane = "gathers" not in kernel.body.isa and any(v.op == "load" and v.args for v in reached)
        if not by_lane:  # loads of indices and elements keep memory busy themselves
            kernel.may_prefetch(self.schedule.prefetch or any(is_expensive_op(v) for v in operations))
        if self.crosses and not ends:
            read = [v for v in reached if v.op in ("load", "index") and self.varies(v, lane)]
            kernel.cross({v.type if self.is_vector(v, lane) else "" for v in read})
        self.vector_values(kernel, roots, lane, row, temporaries)
        self.offsets = self.offset_call(row, rows)
        return [*result, Call(kernel)]

    def is_leaf(self, v: Val, lane: str, row: Row | None) -> bool:
        """True if a vector kernel takes the value as it is: constant, placed, scalar, or an operand along the lanes."""
        return (
            v.op in ("const", "result")
            or self.is_placed(v, row)
            or not self.varies(v, lane)
            or self.is_vector(v, lane)
            or self.is_kept(v)
        )

    def is_vector(self, v: Val, lane: str) -> bool:
        return v.op == "load" and not any(self.varies(a, lane) for a in v.args)

    def is_kept(self, v: Val) -> bool:
        """Was the value stored in an output by an earlier pass than the one in work?"""
        return id(v) in self.kept and self.first_use(v) < self.number

    def vector_values(
        self, kernel: Kernel, roots: Sequence[Val], lane: str, row: Row | None, temporaries: dict[int, int]
    ) -> None:
        env = kernel.lanes
        values = reach(roots, lambda v: id(v) in temporaries or self.is_leaf(v, lane, row))
        scalars = [v for v in values if not self.varies(v, lane) and id(v) not in temporaries and v.op != "const"]
        self.scalar_values(kernel, [v for v in scalars if id(v) not in self.guarded], row)
        known, kernel.row_code = kernel.scalars.copy(), kernel.points
        self.scalar_values(kernel, scalars, row)
        kernel.row_code = kernel.before
        for v in values:
            if id(v) in temporaries:
                env[id(v)] = kernel.load_area(temporaries[id(v)], v.type)
            elif v.op == "const":
                continue
            elif not self.varies(v, lane):
                kernel.splat(v)
            elif self.is_placed(v, row):
                env[id(v)] = kernel.load_area(self.place(v), v.type)
            elif self.is_kept(v):
                env[id(v)] = kernel.load_vector(self.outputs[id(self.kept[id(v)][1])], v.type)
            elif self.is_vector(v, lane):
                env[id(v)] = kernel.load_vector(self.operand(*v.attr), v.type, self.offset_area(v))
            elif v.op == "result" and id(v) not in env:
                self.finish_columns(kernel, v.args[0])
        kernel.negate_differences(values, roots)
        emit_all(kernel.body, values, env, kernel.width, lambda v: self.vector_leaf(kernel, v, lane))
        kernel.scalars = known  # all that is there without points

    def finish_columns(self, kernel: Kernel, reduce: Val) -> None:
        types = reduce.attr[0].state(reduce.type)
        state = [kernel.load_area(a, t) for a, t in zip(self.states[id(reduce)], types, strict=True)]
        results = in_line(kernel.body, reduce.attr[0], "finish", reduce.type, state, kernel.width)
        self.bind_results(kernel.lanes, reduce, results)

    def offset_area(self, v: Val) -> int:
        if not v.args:
            return NO_AREA
        for w, area in self.pending:
            if w is v:
                return area
        self.pending.append((v, self.area(8, every=True)))
        return self.pending[-1][1]

    def offset_call(self, row: Row | None, rows: str) -> list[Node]:
        """The kernel that computes the byte offsets of loads along the lanes at indices that are scalars."""
        if not self.pending:
            return []
        kernel = self.kernel(ROW, row=rows)
        for v, area in self.pending:
            self.scalar_values(kernel, v.args, row)
            kernel.store_area(area, "int64", self.scalar_offset(kernel, v))
        if row is None:
            self.guard([kernel], self.steps[self.number])
        return [Call(kernel)]

    def vector_leaf(self, kernel: Kernel, v: Val, lane: str) -> str:
        if v.op == "index" and v.attr != lane:
            return kernel.row_index(self.area(8, 8, numbers=True), self.axis[v.attr])
        if v.op == "index":
            return kernel.lane_index(self.axis[lane], self.gathers)
        assert v.op == "load", v.op
        buffer, entries = v.attr
        operand, places = self.operand(buffer, entries), []
        for d, m in enumerate(entries):
            if isinstance(m, tuple):
                a = narrow(kernel, v.args[m[1]])
                index, checked = kernel.lanes[id(a)], (a.type, self.integer(kernel, "extent", buffer.shape[d]))
            elif m == lane:
                index, checked = kernel.relative(True), ("", "")
            else:
                continue
            places.append(Along(index, self.integer(kernel, "stride", operand, d), *checked))
        return gather(kernel, operand, v.type, places)


def _waists(operations: Sequence[Val], last: Mapping[int, int], size: int) -> list[int]:
    """Where to split more than `size` operations: about evenly, but where few values are needed behind.  So what is
    repeated is split alike, and equal kernels are one.  last: id(value) -> where it is used last."""
    count = len(operations)
    if count <= size * 5 // 4:
        return []
    step = -(-count // -(-count // size))
    ending = Counter(last[id(v)] + 1 for v in operations)
    alive = [*accumulate((1 - ending[k] for k in range(count)), initial=0)]  # before each of them
    ends = [0]
    while count - ends[-1] > step * 5 // 4:
        middle = ends[-1] + step
        near = range(middle - step // 4, min(middle + step // 4, count - step // 4) + 1)
        ends.append(min(near, key=lambda k: (alive[k] - ending[k], abs(k - middle))))  # noqa: B023  # called at once
    return ends[1:]
