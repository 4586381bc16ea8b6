"""The planner: a scheduled group as kernels and the descriptor of the loops around them, a `LaunchPlan`.

Contract  `plan`: a group, its schedule and a tuning -> a plan, whose kernels are made when they are needed.
When      of every group that the CPU computes.
Why       the innermost loop around a kernel is in the kernel: it gets many rows at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from tensordsl.codegen.abi import descriptor as nest
from tensordsl.codegen.cpu.kernel import COLUMNS, LANES, ROW, SCALAR, Kernel
from tensordsl.codegen.cpu.kernel_text import finish
from tensordsl.codegen.cpu.loop_tree import (
    Blocks,
    Call,
    Fill,
    Level,
    Loop,
    Node,
    all_nodes,
    axis_pairs,
    calls,
    descriptor,
    is_direct,
    layout,
    parallel_axes,
    pattern,
)
from tensordsl.codegen.cpu.operand_tables import Tables
from tensordsl.codegen.cpu.planner_values import Row, Values
from tensordsl.codegen.cpu.prefetch import prefetch_next_rows
from tensordsl.codegen.cpu.reductions import accumulate, deciding_value, is_float_sum, join, kept_state
from tensordsl.codegen.cpu.scatter_add import scatter
from tensordsl.codegen.cpu.schedule import (
    PLAIN,
    has_per_row_values,
    is_transposed,
    lane_of_pass,
    narrow_index,
    price_of,
    reach,
    reads,
    shared_loads,
    stores,
)
from tensordsl.codegen.cpu.short_rows import ShortRows
from tensordsl.codegen.fusion.group import Group, Out, Pass, Schedule
from tensordsl.codegen.llvm.emit_scalars import emit, splat
from tensordsl.codegen.program_ir.instructions import Kernels, LaunchPlan
from tensordsl.codegen.scalar_ir.builder import ITEMSIZE, Val, is_function
from tensordsl.codegen.target.tuning import Tuning

ORDER = (nest.SPLAT, nest.INTEGER, nest.FLAG)  # of a kernel without axes
LAST_LEVEL = 1 << 30  # of the row kernel behind all passes


def plan(group: Group, schedule: Schedule, name: str, tuning: Tuning) -> LaunchPlan:
    """A group under a schedule; the symbols of its kernels are `name_0`, `name_1` and so on."""
    return Tables(group, name, tuning).launch_plan(
        schedule, cache(lambda: _Planner(group, schedule, name, tuning).run())
    )


class _Planner(Values):
    """The loops are one ordered tree for both modes:

        rows     outer axes { per pass: fill states; sequential axes { blocks of lanes { kernels } }; row kernel }
        columns  outer axes { blocks of lanes { per pass: fill states; sequential axes { kernels }; row kernel } }

    The innermost loop around a kernel, if it has nothing but kernels in it, is in the kernel: it gets many rows at
    once. Point kernels do a pass's steps and stores; a row kernel finishes the reductions before it, computes what
    later kernels need of them and stores row-level outputs (`cpu.planner_values`): with one lane in rows mode, over
    the block's lanes in columns mode.
    """

    def row_axis(self, p: Pass | None) -> str:
        """The axis of the innermost loop around a pass's kernels, or around those between passes."""
        lane = self.lane_of(p) if p else self.schedule.lane
        sequential = [a for a in p.local if a != lane] if p else []
        outer = [a for a in self.group.parallel if a != self.schedule.lane]
        if sequential:
            return sequential[-1]
        alone = not any(len(q.local) > (0 if self.columns else 1) for q in self.steps)
        return outer[-1] if outer and alone else ""

    # -- the plan
    def run(self) -> Kernels:
        if not self.axes:
            return self.scalar_plan()
        return self.finish(*self.tree())

    def tree(self) -> tuple[list[Node], list[Level]]:
        """The loops around the kernels; or what comes before them, and levels, where all axes are reduced."""
        lane = self.schedule.lane
        points = [(k, p) for k, p in enumerate(self.steps) if p.local]
        rows = self.rows = self.row_kernels(points)
        for _, p in points:
            for r in p.reduces:
                self.states[id(r)] = self.state_areas(r)
        bodies = [self.point_nodes(k, p) for k, p in points]
        if not self.columns and not self.total:
            is_expensive = any(is_function(v) and lane in v.axes for v in self.group.scalars)
            prefetch_next_rows([[c.kernel for c in calls(nodes)] for nodes in bodies], is_expensive, self.tuning)
        for row in reversed(rows):  # a row kernel may need values of earlier ones
            self.row_nodes(row)
        if self.total:
            joined = [self.join(p) for _, p in points]
            rows[-2].nodes += rows[-1].nodes
            triples = zip(bodies, rows[1:-1], joined, strict=True)
            return rows[0].nodes, [Level(nodes, row.nodes, other) for nodes, row, other in triples]
        body: list[Node] = list(rows[0].nodes)
        for nodes, row in zip(bodies, rows[1:-1], strict=True):
            body += [*nodes, *row.nodes]
        body += rows[-1].nodes
        if self.columns:
            body = [Blocks(self.axis[lane], min(self.schedule.width), body)]
        for a in reversed(self.outer):
            body = [Loop(self.axis[a], body)]
        return body, []

    def row_kernels(self, points: list[tuple[int, Pass]]) -> list[Row]:
        """[before all passes, one behind each point pass, behind all passes].  What waits for all passes joins the
        kernel behind the last one, if there is one that knows all it needs."""
        first, last = Row(0), Row(LAST_LEVEL)
        behind = [Row(max((self.level[id(r)] + 1 for r in p.reduces), default=-1), p.reduces) for _, p in points]
        rows = [first, *behind, last]
        for p in self.steps:
            for o in p.outs if not p.local else ():
                if not points:
                    home = first
                else:
                    level = self.level[id(o.value)]
                    at = max((k for k, r in enumerate(rows[:-1]) if r.level == level and k), default=len(rows) - 1)
                    others = [x.value for x in self.group.outs if x is not o]
                    waits = any(reads(roots, o) for roots in (others, *(p.roots for _, p in points[at:])))
                    home = rows[at] if level and not waits else last
                home.outs.append(o)
        final = rows[-2]
        if final.level > 0 and all(self.level[id(o.value)] <= final.level for o in last.outs):
            final.outs += last.outs
            last.outs = []
        return rows

    def state_areas(self, reduce: Val) -> list[int]:
        state = kept_state(reduce, not self.columns)
        if self.columns:
            return [self.area(0, ITEMSIZE[t], identity=pattern(x, t)) for t, x in state]
        return [self.area(ITEMSIZE[t]) for t, _ in state]

    def join(self, p: Pass) -> list[Node]:
        """Where all axes are reduced: the states of another part of a pass into those of the parts before it."""
        kernel = self.kernel(ROW)
        for r in p.reduces:
            self.others[id(r)] = self.state_areas(r)
            join(kernel, r, self.states[id(r)], self.others[id(r)])
        return [Call(kernel)]

    # -- point kernels
    def lane_of(self, p: Pass) -> str:
        return lane_of_pass(p, self.schedule.lane, self.columns)

    def stepped(self, reduce: Val, lane: str) -> tuple[Val, ...]:
        """The operands of a reduction that its kernel computes as they stand."""
        return reduce.args[:1] if not self.columns and narrow_index(reduce, lane) else reduce.args

    def point_nodes(self, number: int, p: Pass) -> list[Node]:
        """Fills, loops and calls of a pass."""
        self.number = number
        lane = self.lane_of(p)
        width = min(self.schedule.width) if self.columns else self.schedule.width[number]
        outs = stores(self.steps, number)
        keeps = [(v, o) for v, o in self.kept.values() if self.first_use(v) == number]
        added = [v for s in p.scatters for v in (s.position, s.value)]
        stepped = [a for r in p.reduces for a in self.stepped(r, lane)]
        roots = [*stepped, *added, *(o.value for o in outs), *(v for v, _ in keeps)]
        form = COLUMNS if self.columns and p.reduces else LANES
        self.crosses = not self.columns and not self.kept and roots == [a for r in p.reduces for a in r.args]
        self.clamps = any(r.attr[0].idempotent for r in p.reduces)
        writes = bool(self.group.scatters) or any(lane in o.map for o in self.group.outs)
        self.only_reads = bool(p.reduces) and not writes
        self.finishes = not self.columns and len(p.local) == 1 and bool(p.reduces) and not self.total
        swept = self.vector_calls(roots, lane, width, None, form, self.row_axis(p))
        kernel = swept[-1].kernel
        kernel.unroll_jam = self.schedule.unroll_jam[number] if form == COLUMNS else 1
        if self.widens and len(swept) == 1 and not self.offsets:
            swept = [self.widened(swept[0], p, roots, outs, keeps)]
        if self.finishes and self.schedule.unroll_jam:
            self.add_short_rows(kernel, p, self.schedule.unroll_jam[number])
        self.finish_point(kernel, p, outs, keeps)
        if self.finishes:
            self.finishers[id(p.reduces[0])] = kernel
        blocks = swept if self.columns else [Blocks(self.axis[lane], width, swept)]
        body: list[Node] = [*self.offsets, *blocks]
        for a in reversed([a for a in p.local if a != lane]):
            body = [Loop(self.axis[a], body, price_of(p, self.local, self.tuning.costs) if self.columns else 0)]
        fills = []
        for r in p.reduces if not self.finishes else ():
            state = kept_state(r, not self.columns)
            fills += [Fill(a, t, i) for a, (t, i) in zip(self.states[id(r)], state, strict=False)]
        self.clamps = self.finishes = self.crosses = self.only_reads = False
        return [*self.guarded_nodes(p), *fills, *body]

    def widened(self, call: Call, p: Pass, roots: Sequence[Val], outs: list[Out], keeps: list[tuple[Val, Out]]) -> Call:
        """The call where several short rows may be one, with a kernel of its own for these if rows have own values."""
        lane = self.schedule.lane
        if not (is_own := has_per_row_values(reach(roots), p.local[-1], lane)):
            call.kernel.segment_rows()
        if not is_own:
            return call
        self.per_row_axis, known = p.local[-1], len(self.kernels)
        form = COLUMNS if p.reduces else LANES
        wide, *more = self.vector_calls(roots, lane, call.kernel.width, None, form, self.per_row_axis)
        self.per_row_axis = ""
        if more:  # what rows have one of is vectors in it: too many operations for one kernel
            del self.kernels[known:]
            return call
        wide.kernel.segment_rows()
        self.finish_point(wide.kernel, p, outs, keeps)
        return Call(call.kernel, wide.kernel)

    def finish_point(self, kernel: Kernel, p: Pass, outs: list[Out], keeps: list[tuple[Val, Out]]) -> None:
        """Steps of the reductions, then all stores: nothing of a block is read after something of it was written."""
        kernel.writes = bool(outs or keeps or p.scatters)
        only = self.total and not (kernel.writes or kernel.fails)
        kernel.stops = only and all(deciding_value(r) is not None for r in p.reduces)
        kernel.may_repeat(r.attr[0].idempotent for r in p.reduces)
        if p.reduces and all(r.attr[0].idempotent for r in p.reduces) and not kernel.writes:
            kernel.may_align_vectors()
        if self.schedule.line_alignment and p.reduces and all(is_float_sum(r) for r in p.reduces) and not kernel.writes:
            kernel.may_align_chunks(self.schedule.line_alignment)
        for k, r in enumerate(p.reduces):
            operands = [kernel.lanes[id(a)] for a in self.stepped(r, self.lane_of(p))]
            accumulate(kernel, k, r, operands, self.states[id(r)])
        for v, o in [*keeps, *((o.value, o) for o in outs)]:
            kernel.store_vector(self.outputs[id(o)], v.type, kernel.lanes[id(v)])
        for s in p.scatters:
            scatter(kernel, self.outputs[id(s)], s)

    def add_short_rows(self, kernel: Kernel, p: Pass, width: int) -> None:
        """The form of a kernel for short rows, each of vectors of `width` lanes."""
        lane, row = self.lane_of(p), self.row_axis(p)
        halves = self.is_sum_of_loads(p) and kernel.adds_by_halves()
        one = Kernel(kernel.name, LANES, width // 2 if halves else width, self.tuning, kernel.lane, kernel.row)
        one.entries = kernel.entries
        roots = [a for r in p.reduces for a in r.args]
        self.vector_values(one, roots, lane, None, {})
        kernel.short_rows = self.short_rows[kernel.name] = short = ShortRows(kernel, one, width)
        kernel.half_registers = halves
        for r in p.reduces:
            short.accumulate(r, [one.lanes[id(a)] for a in r.args])
        for v in shared_loads(roots, self.is_row, row, self.tuning.schedule):
            short.shared.add(one.pointer(nest.VECTOR, self.operand(*v.attr), ITEMSIZE[v.type]))

    def is_sum_of_loads(self, p: Pass) -> bool:
        """True if a pass's reductions are sums of what it loads, in a group of floats alone (see `is_light`)."""
        floats = all(v.type in PLAIN for v in self.group.scalars if isinstance(v.type, str) and v.op != "extent")
        return floats and all(is_float_sum(r) and r.args[0].op == "load" for r in p.reduces)

    # -- row kernels
    def row_nodes(self, row: Row) -> None:
        """Emit a row kernel into its nodes, if there is anything for it to do."""
        roots = [*row.demands.values(), *(o.value for o in row.outs)]
        if not roots:
            return
        if self.columns:
            lane, width = self.schedule.lane, min(self.schedule.width)
            swept = self.vector_calls(roots, lane, width, row, LANES, self.row_axis(None))
            kernel = swept[-1].kernel
            kernel.stencil_offsets = self.schedule.stencil_offsets
            for v in row.demands.values():
                if self.varies(v, lane):
                    kernel.store_area(self.places[id(v)], v.type, kernel.lanes[id(v)])
                else:
                    kernel.store_row(self.places[id(v)], v.type, kernel.scalars[id(v)])
            stored = [(self.outputs[id(o)], o.buffer.type, kernel.lanes[id(o.value)]) for o in row.outs]
            kernel.store_vectors(stored, self.schedule.interleaved_outputs)
            row.nodes = [*self.offsets, *swept]
            return
        finisher = self.finishers.get(id(row.reduces[0])) if row.reduces else None
        kernel = finisher or self.kernel(ROW, row=self.row_axis(None))
        kernel.row_code = kernel.final if finisher else kernel.before
        self.scalar_values(kernel, roots, row)
        for v in row.demands.values():
            kernel.store_row(self.places[id(v)], v.type, kernel.scalars[id(v)])
        for o in row.outs:
            kernel.store_scalar(self.outputs[id(o)], o.buffer.type, kernel.scalars[id(o.value)])
        if finisher and (short := self.short_rows.get(finisher.name)):
            self.finish_short_rows(finisher, short, roots, row)
        row.nodes = [] if finisher else [Call(kernel)]

    def finish_short_rows(self, kernel: Kernel, short: ShortRows, roots: Sequence[Val], row: Row) -> None:
        """The same as the row kernel, of several rows in the lanes of a vector."""
        env = short.lanes
        for v in reach(roots, lambda v: v.op == "result" or self.is_placed(v, row)):
            if self.is_placed(v, row):
                env[id(v)] = short.load(kernel.pointer(nest.INTERNAL, self.place(v)), v.type)
            elif v.op == "result" and id(v) not in env:
                self.bind_results(env, v.args[0], short.finished(v.args[0]))
        emit(short.final, roots, env, short.rows, lambda v: self.short_rows_leaf(kernel, short, v))
        for v in row.demands.values():
            short.store(kernel.pointer(nest.INTERNAL, self.place(v)), v.type, env[id(v)])
        for o in row.outs:
            pointer = kernel.pointer(nest.SPLAT, self.outputs[id(o)], ITEMSIZE[o.buffer.type], nest.WRITE)
            short.store(pointer, o.buffer.type, env[id(o.value)])

    def short_rows_leaf(self, kernel: Kernel, short: ShortRows, v: Val) -> str:
        if v.op == "extent":
            return splat(short.final, self.integer(short.one, "extent", v.attr), "int64", short.rows)
        assert v.op == "load" and not v.args, v.op
        pointer = kernel.pointer(nest.SPLAT, self.operand(*v.attr), ITEMSIZE[v.type], nest.READ)
        return short.load(pointer, v.type)

    def guarded_nodes(self, p: Pass) -> list[Node]:
        """What a pass needs for its points alone."""
        row = Row(max((self.level[k] for k in self.wanted), default=0) + 1, demands=self.wanted)
        self.wanted = {}
        self.row_nodes(row)
        self.guard([c.kernel for c in calls(row.nodes)], p)
        return row.nodes

    # -- results
    def scalar_plan(self) -> Kernels:
        """A group without axes: one kernel of one lane; P is the operands, the integers, then the flag."""
        kernel = self.kernel(SCALAR)
        self.rows = [Row(0)]
        self.scalar_values(kernel, self.group.roots, self.rows[0])
        for o in self.group.outs:
            kernel.store_vector(self.outputs[id(o)], o.buffer.type, kernel.scalars[id(o.value)])
        kernel.entries = dict(sorted(kernel.entries.items(), key=lambda e: (ORDER.index(e[0][0]), e[0][1])))
        return self.kernels_made(())

    def finish(self, tree: Sequence[Node], levels: Sequence[Level]) -> Kernels:
        for k in self.kernels:
            finish(k)
        width = max(k.width for k in self.kernels)
        rows = [self.axis[a] for a in self.group.parallel]
        parallel, alone = ((), rows) if self.total else (self.group.parallel, ())
        states = [a for t in (self.states, self.others) for areas in t.values() for a in areas if self.total]
        first = [*states, *self.places.values()] if self.total else []
        nodes = [*tree, *all_nodes(levels)]
        where = layout(
            nodes, self.areas, self.schedule.block_elements, width, [] if self.total else rows, self.tuning, first
        )
        numbers = {k.name: i for i, k in enumerate(self.kernels)}
        swaps, merges = axis_pairs(self.group, self.schedule.lane, [entries for _, entries in self.buffers])
        swaps = [] if self.schedule.strided else swaps  # along another axis strides are others
        sizes = len(self.buffers), self.n_inputs, len(self.axes)
        sharing = (
            sum(price for price, _ in self.group.work(self.tuning.costs)),
            *parallel_axes(self.group, self.schedule.lane, parallel),
        )
        across = is_transposed(self.group, self.schedule.lane, is_direct(tree), self.tuning.schedule)
        own = where.offsets[states[len(states) // 2]] - where.offsets[states[0]] if states else 0
        rest = levels, own, across, self.taken(), alone
        return self.kernels_made(descriptor(tree, where, swaps, merges, sizes, numbers, sharing, *rest))
