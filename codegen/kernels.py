"""A scheduled group as flat kernels and the descriptor by which the nest library runs them: a `LaunchPlan`.

The loops are one ordered tree for both modes:

    rows     outer axes { per pass: fill states; sequential axes { blocks of the lane axis { kernels } }; row kernel }
    columns  outer axes { blocks of the lane axis { per pass: fill states; sequential axes { kernels }; row kernel } }

The innermost loop around a kernel, if it has nothing but kernels in it, is the kernel's own: it gets many rows at once.

A value is *row-level* if it varies along no local axis, else *point-level*.  Point kernels do a pass's steps and
stores; a row kernel finishes the reductions before it, computes what later kernels need of them and stores row-level
outputs: with one lane in rows mode, over the block's lanes in columns mode.  Row-level values that are dear or depend
on a reduction get a place in scratch; all others are computed where they are used.  What is read at indices for points
alone is read only if there are some (`guarded`): without them its indices may be out of range.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache

from tensordsl.codegen import nest_words as nest
from tensordsl.codegen.accumulate import accumulate, finished, join, kept_state
from tensordsl.codegen.ahead import ask_ahead
from tensordsl.codegen.descriptor import (
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
    parted_axes,
)
from tensordsl.codegen.flat import COLUMNS, LANES, NO_AREA, ROW, SCALAR, Kernel, in_line, pattern
from tensordsl.codegen.gathers import Along, gather, narrow, wrapped
from tensordsl.codegen.group import Group, Out, Pass, Schedule
from tensordsl.codegen.plan_tables import Tables
from tensordsl.codegen.program import Kernels, LaunchPlan
from tensordsl.codegen.scalar import HEAVY, ITEMSIZE, LEAVES, Val
from tensordsl.codegen.schedule import (
    for_points,
    has_own,
    is_light,
    narrow_index,
    pass_lane,
    pass_roots,
    price_of,
    reach,
    reads,
    shared_loads,
    stores,
    transposes,
    widens,
)
from tensordsl.codegen.side_by_side import SideBySide
from tensordsl.codegen.text import emit, emit_all, splat

ORDER = (nest.SPLAT, nest.INTEGER, nest.FLAG)  # of a kernel without axes
LAST_LEVEL = 1 << 30  # of the row kernel behind all passes


@dataclass(slots=True)
class _Row:
    """A row kernel to be: behind pass `step` (its reductions `reduces`), at `level`, with stores `outs`."""

    level: int
    reduces: tuple[Val, ...] = ()
    outs: list[Out] = field(default_factory=list)
    demands: dict[int, Val] = field(default_factory=dict)
    nodes: list[Node] = field(default_factory=list)


def plan(group: Group, schedule: Schedule, name: str) -> LaunchPlan:
    """A group under a schedule; the symbols of its kernels are `name_0`, `name_1` and so on."""
    return Tables(group, name).launch_plan(schedule, cache(lambda: _Planner(group, schedule, name).run()))


class _Planner(Tables):
    def __init__(self, group: Group, schedule: Schedule, name: str) -> None:
        Tables.__init__(self, group, name)
        self.schedule = schedule
        self.columns = schedule.lane in group.parallel
        self.level = group.levels
        self.steps = group.passes
        self.local = frozenset(a for p in self.steps for a in p.local)
        self.places: dict[int, int] = {}  # row-level values -> area
        self.states: dict[int, list[int]] = {}  # reduce -> areas
        self.results: dict[int, list[Val]] = {}
        self.rows: list[_Row] = []
        self.wanted: dict[int, Val] = {}  # what the pass in work needs of values that only points need
        self.number = len(self.steps)  # the pass in work
        self.clamps = self.finishes = False  # do its kernels' dead lanes count; do they do all of a row?
        self.crosses = False  # may their lanes be in another order than elements?
        self.own_axis = ""  # of wide rows: the axis along which each of their rows may have values of its own
        self.finishers: dict[int, Kernel] = {}  # by the pass's first reduction
        self.offsets: list[Node] = []
        self.has_heavy: dict[int, bool] = {}
        self.outer = [] if schedule.alone else [a for a in group.parallel if a != schedule.lane]
        self.total = schedule.alone or not group.parallel  # are all axes reduced?
        self.others: dict[int, list[int]] = {}  # see `join`
        self.gathers = any(v.op == "load" and v.args for v in group.scalars)  # then dead lanes stay in range
        self.widens, self.guarded = widens(group, schedule), for_points(group)
        for v in group.scalars:
            self.has_heavy[id(v)] = v.op in HEAVY or any([self.has_heavy[id(a)] for a in v.args])
            if v.op == "result":
                self.results.setdefault(id(v.args[0]), []).append(v)
        self.kept = {id(v): (v, o) for v, o in zip(schedule.keep, schedule.keep_in, strict=True)}

    # -- tables
    def kernel(self, form: int, width: int = 1, lane: str = "", row: str = "") -> Kernel:
        name = f"{self.name}_{len(self.kernels)}"
        self.kernels.append(Kernel(name, form, width, self.axis.get(lane, -1), self.axis.get(row, -1), self.clamps))
        self.kernels[-1].apart = dict(self.schedule.apart)
        if self.finishes and form == LANES:
            self.kernels[-1].finish_rows()
        return self.kernels[-1]

    def row_axis(self, p: Pass | None) -> str:
        """The axis of the innermost loop around a pass's kernels, or around those between passes."""
        lane = self.lane_of(p) if p else self.schedule.lane
        sequential = [a for a in p.local if a != lane] if p else []
        outer = [a for a in self.group.parallel if a != self.schedule.lane]
        if sequential:
            return sequential[-1]
        alone = not any(len(q.local) > (0 if self.columns else 1) for q in self.steps)
        return outer[-1] if outer and alone else ""

    def varies(self, v: Val, lane: str) -> bool:
        """Does the value differ between the lanes of a block?  In columns mode every result does, by its place; in wide
        rows what their rows have one of."""
        return lane in v.axes or self.own_axis in v.axes or (self.columns and self.level[id(v)] > 0)

    def is_row(self, v: Val) -> bool:
        return not (v.axes & self.local)

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
            ask_ahead([[c.kernel for c in calls(nodes)] for nodes in bodies])
        for row in reversed(rows):  # a row kernel may ask earlier ones for values
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

    def row_kernels(self, points: list[tuple[int, Pass]]) -> list[_Row]:
        """[before all passes, one behind each point pass, behind all passes].  What waits for all passes joins the
        kernel behind the last one, if there is one that knows all it needs."""
        first, last = _Row(0), _Row(LAST_LEVEL)
        behind = [_Row(max((self.level[id(r)] + 1 for r in p.reduces), default=-1), p.reduces) for _, p in points]
        rows = [first, *behind, last]
        for p in self.steps:
            for o in p.outs if not p.local else ():
                if not points:
                    home = first
                else:
                    level = self.level[id(o.value)]
                    at = max((k for k, r in enumerate(rows[:-1]) if r.level == level and k), default=len(rows) - 1)
                    others = [x.value for x in self.group.outs if x is not o]
                    waits = any(reads(roots, o) for roots in (others, *(pass_roots(p) for _, p in points[at:])))
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
        return pass_lane(p, self.schedule.lane, self.columns)

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
        roots = [a for r in p.reduces for a in self.stepped(r, lane)] + [o.value for o in outs] + [v for v, _ in keeps]
        form = COLUMNS if self.columns and p.reduces else LANES
        self.crosses = not self.columns and not self.kept and roots == [a for r in p.reduces for a in r.args]
        self.clamps = any(r.attr[0].idempotent for r in p.reduces)
        self.finishes = not self.columns and len(p.local) == 1 and bool(p.reduces) and not self.total
        swept = self.vector_calls(roots, lane, width, None, form, self.row_axis(p))
        kernel = swept[-1].kernel
        kernel.beside = self.schedule.beside[number] if form == COLUMNS else 1
        if self.widens and len(swept) == 1 and not self.offsets:
            swept = [self.widened(swept[0], p, roots, outs, keeps)]
        if self.finishes and self.schedule.beside:
            self.side_by_side(kernel, p, self.schedule.beside[number])
        self.finish_point(kernel, p, outs, keeps)
        if self.finishes:
            self.finishers[id(p.reduces[0])] = kernel
        blocks = swept if self.columns else [Blocks(self.axis[lane], width, swept)]
        body: list[Node] = [*self.offsets, *blocks]
        for a in reversed([a for a in p.local if a != lane]):
            body = [Loop(self.axis[a], body, price_of(p, self.local) if self.columns else 0)]
        fills = []
        for r in p.reduces if not self.finishes else ():
            state = kept_state(r, not self.columns)
            fills += [Fill(a, t, i) for a, (t, i) in zip(self.states[id(r)], state, strict=False)]
        self.clamps = self.finishes = self.crosses = False
        return [*self.guarded_nodes(p), *fills, *body]

    def widened(self, call: Call, p: Pass, roots: Sequence[Val], outs: list[Out], keeps: list[tuple[Val, Out]]) -> Call:
        """The call where several short rows may be one, with a kernel of its own for these if rows have own values."""
        lane = self.schedule.lane
        if not (is_own := has_own(reach(roots), p.local[-1], lane)):
            call.kernel.widen()
        if not is_own or not p.reduces:
            return call
        self.own_axis, known = p.local[-1], len(self.kernels)
        wide, *more = self.vector_calls(roots, lane, call.kernel.width, None, COLUMNS, self.own_axis)
        self.own_axis = ""
        if more:  # what rows have one of is vectors in it: too many operations for one kernel
            del self.kernels[known:]
            return call
        wide.kernel.widen()
        self.finish_point(wide.kernel, p, outs, keeps)
        return Call(call.kernel, wide.kernel)

    def first_use(self, v: Val) -> int:
        return next(k for k, p in enumerate(self.steps) if any(w is v for w in reach(pass_roots(p), self.is_row)))

    def finish_point(self, kernel: Kernel, p: Pass, outs: list[Out], keeps: list[tuple[Val, Out]]) -> None:
        """Steps of the reductions, then all stores: nothing of a block is read after something of it was written."""
        kernel.may_repeat(r.attr[0].idempotent for r in p.reduces)
        for k, r in enumerate(p.reduces):
            operands = [kernel.lanes[id(a)] for a in self.stepped(r, self.lane_of(p))]
            accumulate(kernel, k, r, operands, self.states[id(r)])
        for v, o in [*keeps, *((o.value, o) for o in outs)]:
            kernel.store_vector(self.outputs[id(o)], v.type, kernel.lanes[id(v)])

    def side_by_side(self, kernel: Kernel, p: Pass, width: int) -> None:
        """The form of a kernel for short rows, each of vectors of `width` lanes."""
        lane, row = self.lane_of(p), self.row_axis(p)
        one = Kernel(kernel.name, LANES, width, kernel.lane, kernel.row)
        one.entries = kernel.entries
        roots = [a for r in p.reduces for a in r.args]
        self.vector_values(one, roots, lane, None, {})
        kernel.side = side = SideBySide(kernel, one)
        kernel.halves = False
        for r in p.reduces:
            side.accumulate(r, [one.lanes[id(a)] for a in r.args])
        for v in shared_loads(roots, self.is_row, row):
            side.shared.add(one.pointer(nest.VECTOR, self.operand(*v.attr), ITEMSIZE[v.type]))

    # -- row kernels
    def row_nodes(self, row: _Row) -> None:
        """Emit a row kernel into its nodes, if there is anything for it to do."""
        roots = [*row.demands.values(), *(o.value for o in row.outs)]
        if not roots:
            return
        if self.columns:
            lane, width = self.schedule.lane, min(self.schedule.width)
            swept = self.vector_calls(roots, lane, width, row, LANES, self.row_axis(None))
            kernel = swept[-1].kernel
            for v in row.demands.values():
                if self.varies(v, lane):
                    kernel.store_area(self.places[id(v)], v.type, kernel.lanes[id(v)])
                else:
                    kernel.store_row(self.places[id(v)], v.type, kernel.scalars[id(v)])
            stored = [(self.outputs[id(o)], o.buffer.type, kernel.lanes[id(o.value)]) for o in row.outs]
            kernel.store_vectors(stored, self.schedule.joins)
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
        if finisher and finisher.side:
            self.finish_side(finisher, finisher.side, roots, row)
        row.nodes = [] if finisher else [Call(kernel)]

    def finish_side(self, kernel: Kernel, side: SideBySide, roots: Sequence[Val], row: _Row) -> None:
        """The same as the row kernel, of several rows in the lanes of a vector."""
        env = side.lanes
        for v in reach(roots, lambda v: v.op == "result" or self.is_placed(v, row)):
            if self.is_placed(v, row):
                env[id(v)] = side.load(kernel.pointer(nest.INTERNAL, self.place(v)), v.type)
            elif v.op == "result" and id(v) not in env:
                self.bind_results(env, v.args[0], side.finished(v.args[0]))
        emit(side.final, roots, env, side.rows, lambda v: self.side_leaf(kernel, side, v))
        for v in row.demands.values():
            side.store(kernel.pointer(nest.INTERNAL, self.place(v)), v.type, env[id(v)])
        for o in row.outs:
            pointer = kernel.pointer(nest.SPLAT, self.outputs[id(o)], ITEMSIZE[o.buffer.type], nest.WRITE)
            side.store(pointer, o.buffer.type, env[id(o.value)])

    def side_leaf(self, kernel: Kernel, side: SideBySide, v: Val) -> str:
        if v.op == "extent":
            return splat(side.final, self.integer(side.one, "extent", v.attr), "int64", side.rows)
        assert v.op == "load" and not v.args, v.op
        pointer = kernel.pointer(nest.SPLAT, self.operand(*v.attr), ITEMSIZE[v.type], nest.READ)
        return side.load(pointer, v.type)

    def guarded_nodes(self, p: Pass) -> list[Node]:
        """What a pass asked for that only its points need."""
        row = _Row(max((self.level[k] for k in self.wanted), default=0) + 1, demands=self.wanted)
        self.wanted = {}
        self.row_nodes(row)
        self.guard([c.kernel for c in calls(row.nodes)], p)
        return row.nodes

    def guard(self, kernels: Sequence[Kernel], p: Pass) -> None:
        """Let kernels do nothing where a pass has no points."""
        for k in kernels:
            k.guard([self.integer(k, "extent", self.group.extents[a]) for a in p.local])

    def place(self, v: Val) -> int:
        """The area of a row-level value, which its home row kernel is asked to fill, or one before the pass in work."""
        if id(v) not in self.places:
            size = ITEMSIZE[v.type]
            varies = self.columns and self.varies(v, self.schedule.lane)
            self.places[id(v)] = self.area(0, size) if varies else self.area(size)
        (self.wanted if id(v) in self.guarded else self.home(v).demands)[id(v)] = v
        return self.places[id(v)]

    def home(self, v: Val) -> _Row:
        if v.op == "result":
            return next(r for r in self.rows if any(q is v.args[0] for q in r.reduces))
        return [r for r in self.rows if r.level == self.level[id(v)]][-1]

    def is_placed(self, v: Val, row: _Row | None) -> bool:
        """Is the value loaded from scratch in a point kernel (row None) or in this row kernel?"""
        if v.op in LEAVES or not self.is_row(v) or not isinstance(v.type, str) or (row and id(v) in self.guarded):
            return False
        level = self.level[id(v)]
        if row is None:
            return level > 0 or self.has_heavy[id(v)]
        if v.op == "result" and any(v.args[0] is r for r in row.reduces):
            return False
        return 0 < level < row.level or (v.op == "result" and level == row.level)

    # -- values
    def scalar_values(self, kernel: Kernel, roots: Sequence[Val], row: _Row | None) -> None:
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
        self, roots: Sequence[Val], lane: str, width: int, row: _Row | None, form: int, rows: str
    ) -> list[Call]:
        """Kernels that compute `roots` over a block; the last one has their names in `lanes`.  A pass of too many
        operations is several kernels, with temporaries in scratch.  Before them, in `self.offsets`: the kernel of byte
        offsets."""
        self.pending: list[tuple[Val, int]] = []

        def is_stop(v: Val) -> bool:
            return self.is_leaf(v, lane, row)

        operations = [v for v in reach(roots, is_stop) if not is_stop(v) and v.op != "index"]
        size = self.schedule.split
        parts = -(-len(operations) // size) if len(operations) > size * 5 // 4 else 1
        step = -(-len(operations) // parts) if parts > 1 else 0
        temporaries: dict[int, int] = {}
        last = {id(a): k for k, v in enumerate(operations) for a in v.args}
        last |= dict.fromkeys(map(id, roots), len(operations))
        free: list[tuple[int, int, int]] = []  # (part of the last use, size, area)
        result = []
        for k in range(parts - 1):
            end = (k + 1) * step
            exported = [v for v in operations[k * step : end] if last.get(id(v), 0) >= end]
            kernel = self.kernel(LANES, width, lane, rows)
            self.vector_values(kernel, exported, lane, row, temporaries)
            for v in exported:
                size_of = ITEMSIZE[v.type]
                old = next((f for f in free if f[0] < k and f[1] == size_of), None)
                area = old[2] if old else self.area(0, size_of)
                if old:
                    free.remove(old)
                free.append((last[id(v)] // step, size_of, area))
                temporaries[id(v)] = area
                kernel.store_area(area, v.type, kernel.lanes[id(v)])
            result.append(Call(kernel))
        kernel = self.kernel(form, width, lane, rows)
        adds_up = row is None and bool(self.steps[self.number].reduces)
        only = parts == 1 and not (adds_up and operations)  # a reduction of what it computes is not bound by loads
        kernel.use_halves(only and is_light(operations, [b.type for b, _ in self.buffers]))
        if self.crosses and parts == 1:
            read = [v for v in reach(roots, is_stop) if v.op in ("load", "index") and self.varies(v, lane)]
            kernel.cross({v.type if self.is_vector(v, lane) else "" for v in read})
        self.vector_values(kernel, roots, lane, row, temporaries)
        self.offsets = self.offset_call(row, rows)
        return [*result, Call(kernel)]

    def is_leaf(self, v: Val, lane: str, row: _Row | None) -> bool:
        """Does a vector kernel take the value as it is: constant, placed, scalar, or an operand along the lanes?"""
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
        self, kernel: Kernel, roots: Sequence[Val], lane: str, row: _Row | None, temporaries: dict[int, int]
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
        kernel.turn_differences(values, roots)
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

    def offset_call(self, row: _Row | None, rows: str) -> list[Node]:
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

    # -- results
    def scalar_plan(self) -> Kernels:
        """A group without axes: one kernel of one lane; P is the operands, the integers, then the flag."""
        kernel = self.kernel(SCALAR)
        self.rows = [_Row(0)]
        self.scalar_values(kernel, self.group.roots, self.rows[0])
        for o in self.group.outs:
            kernel.store_vector(self.outputs[id(o)], o.buffer.type, kernel.scalars[id(o.value)])
        kernel.entries = dict(sorted(kernel.entries.items(), key=lambda e: (ORDER.index(e[0][0]), e[0][1])))
        return self.kernels_made(())

    def finish(self, tree: Sequence[Node], levels: Sequence[Level]) -> Kernels:
        for k in self.kernels:
            k.finish()
        width = max(k.width for k in self.kernels)
        rows = [self.axis[a] for a in self.group.parallel]
        parallel, alone = ((), rows) if self.total else (self.group.parallel, ())
        states = [a for t in (self.states, self.others) for areas in t.values() for a in areas if self.total]
        first = [*states, *self.places.values()] if self.total else []
        nodes = [*tree, *all_nodes(levels)]
        where = layout(nodes, self.areas, self.schedule.block, width, [] if self.total else rows, first)
        numbers = {k.name: i for i, k in enumerate(self.kernels)}
        swaps, merges = axis_pairs(self.group, self.schedule.lane, [entries for _, entries in self.buffers])
        swaps = [] if self.schedule.apart else swaps  # along another axis elements are not as far apart
        sizes = len(self.buffers), self.n_inputs, len(self.axes)
        sharing = sum(price for price, _ in self.group.work), *parted_axes(self.group, self.schedule.lane, parallel)
        across = transposes(self.group, self.schedule.lane, is_direct(tree))
        own = where.offsets[states[len(states) // 2]] - where.offsets[states[0]] if states else 0
        rest = levels, own, across, self.taken(), alone
        return self.kernels_made(descriptor(tree, where, swaps, merges, sizes, numbers, sharing, *rest))
