"""GPU kernels of a group: LLVM text in one of five thread patterns, which the schedule's lane axis decides.

A `Group` and its `Schedule` become a `GpuKernel` (patterns: `GpuKernel.pattern`).  States combine in an order that
depends on the extents only: there are no atomics, and results do not depend on timing.  Parameters are pointers and
i64; `params` says what each one is (see `codegen.gpu.launch`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tensordsl.base.records import record
from tensordsl.codegen.cpu.schedule import needed_at_points, reach
from tensordsl.codegen.fusion.group import Buffer, Group, Out, Pass, Schedule, buffers
from tensordsl.codegen.gpu.accesses import (
    ACCESS_BYTES,
    MAX_LOADS_IN_FLIGHT,
    check_updates,
    is_crossing_load,
    mergeable_axes,
)
from tensordsl.codegen.gpu.builder import (
    GLOBAL,
    MAX_INLINED_MATH,
    SHARED,
    THREADS,
    WARP,
    Env,
    Fold,
    GpuCode,
    Kernel,
    Loop,
    evaluate,
)
from tensordsl.codegen.gpu.fastmath import FAST
from tensordsl.codegen.llvm.vector_builder import llvm_type
from tensordsl.codegen.scalar_ir.builder import ITEMSIZE, Val, is_function, walk

UNROLL, UNROLL_WITH_MATH = 4, 2  # steps, without and with mathematical functions; powers of two
MAX_ADDRESSES = 8  # in registers between steps; with more loads they are computed at each step
FLAT, CROSSED, ROWS, HELD, COLUMNS = "flat", "crossed", "rows", "held", "columns"
MASKS = (16, 8, 4, 2, 1)  # of the butterfly shuffles of a warp
PITCH = WARP + 1  # elements from row to row of a tile in shared memory: no bank conflicts along rows or columns
TILE_CELLS = WARP * PITCH

Axes = dict[str, str]  # axis -> length, outermost first


@record(eq=False)
class GpuKernel(Kernel):
    """A group's kernel.  `tile`: the axis whose index says which tile of the local index space is reduced, or "".

    pattern:
      flat     no reductions: some elements of a thread at a time, grid-stride (`gpu.elementwise`)
      crossed  no reductions, but operands that are adjacent along the schedule's `cross` axis: a block is a tile of
               32 by 32 points; those operands are read along `cross` into shared memory, then along the lane axis
      rows     the lane axis is reduced: `team` threads share a row, a fraction of a warp, a warp or the block; a thread
               has each team-th element; states combine by shuffles, then through shared memory
      held     rows of several passes whose elements stay in registers between passes (`gpu.row_in_registers`)
      columns  the lane axis is parallel: a block is a tile of 32 columns, its `width` rows of threads share a column;
               states combine in shared memory, in order
    """

    group: Group
    schedule: Schedule
    pattern: str
    tile: str
    vector: int  # elements of a wide access (flat, held), else 1
    runs: int  # of adjacent elements of a thread (held)
    merges: tuple[tuple[int, int], ...]  # (operand, axis): its stride is a complete row of the next one, if `merged`
    buffers: tuple[Buffer, ...]
    params: tuple[tuple[Any, ...], ...]


def module_text(kernels: Sequence[Kernel]) -> str:
    """One LLVM module, for NVPTX once it has the triple."""
    declarations = sorted({d for k in kernels for d in k.declarations})
    functions = {name: text for k in kernels for name, text in k.functions.items()}
    notes = []
    for k in kernels:
        # Without a number of blocks ptxas limits registers for an occupancy of its own choice, and spills.
        limits = (("maxntidx", k.threads), ("minctasm", k.resident))
        notes += [f'!{{ptr @{k.name}, !"{limit}", i32 {value}}}' for limit, value in limits]
    numbered = [f"!{n} = {note}" for n, note in enumerate(notes)]
    listing = f"!nvvm.annotations = !{{{', '.join(f'!{n}' for n in range(len(notes)))}}}"
    return "\n".join([*declarations, *functions.values(), *(k.text for k in kernels), listing, *numbered, ""])


class Emitter:
    """The text of a kernel under construction.  With a `tile` axis, the one pass covers `tile` (a parameter) elements
    from there on."""

    def __init__(self, group: Group, schedule: Schedule, name: str, tile: str) -> None:
        self.group, self.schedule, self.name, self.tile = group, schedule, name, tile
        self.code = GpuCode(fastmath=schedule.fastmath)
        self.steps = group.passes
        self.lane = schedule.lane
        has_local = any(p.local for p in self.steps)
        self.pattern = COLUMNS if self.lane in group.parallel else ROWS
        if not has_local:
            self.pattern = CROSSED if schedule.shared_memory_axis else FLAT
        ins, outs = buffers(group)
        self.buffers = tuple({id(b): b for b in [*ins, *outs]}.values())
        self.number = {id(b): k for k, b in enumerate(self.buffers)}
        self.written = {id(b) for b in outs}
        updated = {b.name for b in ins} & {b.name for b in outs}
        self.updated = {id(b) for b in self.buffers if b.name in updated}
        check_updates(group, self.steps, tile)
        self.params: dict[tuple[Any, ...], str] = {("pointer", k): f"%p{k}" for k in range(len(self.buffers))}
        self.status = self.param("status")
        self.position: dict[str, str] = {}
        self.env: Env = {}  # of the point, or of the row where there are local axes
        count = sum(is_function(v) and not self.is_fast(v) for v in reach(group.roots))
        self.is_inlined = count <= MAX_INLINED_MATH
        has_few_loads = sum(v.op == "load" for v in walk(group.roots)) <= MAX_ADDRESSES
        self.is_kept = has_few_loads and self.pattern != COLUMNS  # addresses of columns need two indices in registers
        self.single = sum(len(p.reduces) for p in self.steps) == 1
        self.guarded = needed_at_points(group)
        self.block, self.vector, self.runs = THREADS, 1, 1
        self.merges: set[tuple[int, int]] = set()
        self.results: dict[int, list[Val]] = {}
        for v in walk(group.roots):
            if v.op == "result":
                self.results.setdefault(id(v.args[0]), []).append(v)

    def run(self) -> GpuKernel:
        self.body()
        c = self.code
        c.do("ret void")
        head = f"define ptx_kernel void @{self.name}({', '.join(self.kinds())}) nounwind {{"
        return self.made("".join(c.shared) + f"{head}\nentry:\n{c.text}\n}}\n")

    def body(self) -> None:
        {CROSSED: self._crossed, ROWS: self._rows, COLUMNS: self._columns}[self.pattern]()

    def kinds(self) -> list[str]:
        """The parameters, for a head."""
        kinds = []
        for key, p in self.params.items():
            if key[0] == "pointer":
                number = id(self.buffers[key[1]])
                reads = "" if number in self.written | self.updated else " readonly"
                kinds.append(f"ptr{GLOBAL}{'' if number in self.updated else ' noalias'}{reads} {p}")
            else:
                kinds.append(f"ptr{GLOBAL} noalias {p}" if key == ("status",) else f"i64 {p}")
        return kinds

    def made(self, text: str) -> GpuKernel:
        declared, pattern = frozenset(self.code.declarations.values()), self.pattern
        return GpuKernel(
            self.name, text, declared, self.code.functions, 1, self.group, self.schedule, pattern, self.tile,
            self.vector, self.runs, tuple(sorted(self.merges)), self.buffers, tuple(self.params), threads=self.block,
        )  # fmt: skip

    def is_fast(self, v: Val) -> bool:
        return self.schedule.fastmath and v.type == "float32" and v.op in FAST

    # -- parameters, positions
    def param(self, *key: Any) -> str:
        return self.params.setdefault(key, f"%p{len(self.params)}")

    def extent(self, extent: Any) -> str:
        return str(extent) if isinstance(extent, int) else self.param("extent", extent)

    def length(self, axis: str) -> str:
        return self.extent(self.group.extents[axis])

    def thread(self) -> tuple[str, str, str, str]:
        """(thread, threads of a block, block, blocks) as i64."""
        c = self.code
        names = ("tid.x", "ntid.x", "ctaid.x", "nctaid.x")
        a, b, d, e = (c.op(f"zext i32 {c.register(n)} to i64") for n in names)
        return a, b, d, e

    def decompose(self, number: str, axes: Sequence[str], lengths: Sequence[str]) -> None:
        """Positions along `axes`, the last one fastest, of a point's number."""
        c = self.code
        if not self.is_kept:
            number = c.opaque(number)
        for k in range(len(axes) - 1, -1, -1):
            if k == 0:
                self.position[axes[k]] = number
            elif lengths[k] == "1":
                self.position[axes[k]] = "0"
            else:
                self.position[axes[k]] = c.arith("urem", number, lengths[k])
                number = c.arith("udiv", number, lengths[k])

    # -- memory
    def address(self, buffer: Buffer, entries: Sequence[Any], indices: Sequence[str], unit: bool = False) -> str:
        """Of one element; `unit`: the stride along the lane axis is 1."""
        c, k, offset = self.code, self.number[id(buffer)], "0"
        for d, m in enumerate(entries):
            if m == 0 and not isinstance(m, tuple):
                continue
            at = self.position[m] if isinstance(m, str) else self.clamped(indices[m[1]], buffer.shape[d])
            if not (unit and m == self.lane):
                at = c.arith("mul", at, self.param("stride", k, d)) if at != "0" else "0"
            offset = at if offset == "0" else offset if at == "0" else c.arith("add", offset, at)
        return c.at(self.param("pointer", k), buffer.type, offset)

    def clamped(self, index: str, extent: Any) -> str:
        """NumPy's meaning of negative indices; one out of range is flagged and replaced by a valid one."""
        c, n = self.code, self.extent(extent)
        wrapped = c.op(f"select i1 {c.test('slt', index, 0)}, i64 {c.arith('add', index, n)}, i64 {index}")
        bad = c.test("uge", wrapped, n)
        c.when(bad, lambda: c.do(f"store i64 1, ptr{GLOBAL} {self.status}, align 8"))
        return c.op(f"select i1 {bad}, i64 0, i64 {wrapped}")

    def values(self, roots: Sequence[Val], env: Env) -> None:
        evaluate(self.code, roots, env, lambda v: self.leaf(v, env), self.is_inlined)

    def leaf(self, v: Val, env: Env) -> str:
        if v.op == "index":
            return self.position[v.attr]
        if v.op == "extent":
            return self.extent(v.attr)
        assert v.op == "load", v.op
        indices = [self._as_int64(a, env) for a in v.args]
        return self.code.load(self.address(v.attr[0], v.attr[1], indices), v.type)

    def _as_int64(self, index: Val, env: Env) -> str:
        x, size = env[id(index)], ITEMSIZE[index.type]
        if size == 8:
            return x
        return self.code.op(f"{'zext' if index.type[0] == 'u' else 'sext'} i{8 * size} {x} to i64")

    def store(self, o: Out, env: Env) -> None:
        self.values([o.value], env)
        self.code.store(env[id(o.value)], self.address(o.buffer, o.map, ()), o.buffer.type)

    def _stores(self, outs: Sequence[Out], env: Env, condition: str) -> None:
        """Of values that `env` has, by the threads for which the condition holds; "" is all."""

        def body() -> None:
            for o in outs:
                self.store(o, env)

        if outs and condition:
            self.code.when(condition, body)
        else:
            body()

    # -- crossed
    def _crossed(self) -> None:
        c, lane, cross = self.code, self.lane, self.schedule.shared_memory_axis
        tid, _, cta, ncta = self.thread()
        x, y = c.arith("and", tid, WARP - 1), c.arith("lshr", tid, 5)
        outer = [a for a in self.group.parallel if a not in (lane, cross)]
        tiles = [c.arith("lshr", c.arith("add", self.length(a), WARP - 1), 5) for a in (cross, lane)]
        lengths = [*(self.length(a) for a in outer), *tiles]
        loop = Loop(c, cta, c.product(lengths))
        self.decompose(loop.index, [*outer, cross, lane], lengths)
        first = {a: c.arith("mul", self.position[a], WARP) for a in (cross, lane)}
        loads = [v for v in walk(self.group.roots) if is_crossing_load(v, lane) and v.attr[1][-1] == cross]
        cells = [c.cells(self.name, v.type, TILE_CELLS) for v in loads]
        rows = [y if k == 0 else c.arith("add", y, k) for k in range(0, WARP, THREADS // WARP)]
        self._into_tiles(loads, cells, first, x, rows)
        c.barrier()
        inside = c.test("slt", c.arith("add", first[lane], x), self.length(lane))
        for row in rows:
            self.position |= {lane: c.arith("add", first[lane], x), cross: c.arith("add", first[cross], row)}
            live = c.op(f"and i1 {inside}, {c.test('slt', self.position[cross], self.length(cross))}")
            c.when(live, lambda row=row: self._from_tiles(loads, cells, x, row))  # type: ignore[misc]
        c.barrier()  # before the next tile is written
        loop.end(ncta)

    def _into_tiles(self, loads: list[Val], cells: list[str], first: dict[str, str], x: str, rows: list[str]) -> None:
        """Loads along the cross axis; threads beyond an end repeat the last element."""
        c, lane, cross = self.code, self.lane, self.schedule.shared_memory_axis
        last = {a: c.arith("sub", self.length(a), 1) for a in (cross, lane)}
        self.position[cross] = c.min(c.arith("add", first[cross], x), last[cross])
        values = []
        for row in rows:  # all loads are in flight together
            self.position[lane] = c.min(c.arith("add", first[lane], row), last[lane])
            values.append([self.leaf(v, {}) for v in loads])
        for row, loaded in zip(rows, values, strict=True):
            at = c.arith("add", c.arith("mul", row, PITCH), x)
            for v, cell, value in zip(loads, cells, loaded, strict=True):
                c.store(value, c.at(cell, v.type, at, SHARED), v.type, SHARED)

    def _from_tiles(self, loads: list[Val], cells: list[str], x: str, row: str) -> None:
        c = self.code
        at = c.arith("add", c.arith("mul", x, PITCH), row)
        env = {
            id(v): c.load(c.at(cell, v.type, at, SHARED), v.type, SHARED) for v, cell in zip(loads, cells, strict=True)
        }
        self.values(self.group.roots, env)
        for o in self.group.outs:
            self.store(o, env)

    # -- rows
    def _rows(self) -> None:
        c = self.code
        tid, ntid, cta, ncta = self.thread()
        team = self.param("team")
        self.member, self.threads = c.arith("and", tid, c.arith("sub", team, 1)), team
        per, own, side = c.arith("udiv", ntid, team), c.arith("udiv", tid, team), self.param("side")
        beside = c.arith("and", own, c.arith("sub", side, 1))
        first = c.arith("add", c.arith("mul", cta, per), c.arith("sub", own, beside))
        self.warp, self.warps = c.arith("lshr", tid, 5), c.arith("lshr", ntid, 5)
        self.in_warp, self.is_wide = c.arith("and", tid, WARP - 1), c.test("ugt", team, WARP)
        self.team_i32 = c.op(f"trunc i64 {team} to i32")
        self._before_rows()
        axes = self.group.parallel
        lengths = [self.length(a) for a in axes]
        rows = c.product(lengths)
        loop = Loop(c, first, rows)
        row = c.arith("add", loop.index, beside)
        live = c.test("slt", row, rows)
        # Teams beyond the last row repeat it: all threads of a warp must come to its shuffles.
        self.decompose(c.min(row, c.arith("sub", rows, 1)), axes, lengths)
        for p in self.steps:
            self._pass(p, c.op(f"and i1 {live}, {c.test('eq', self.member, 0)}"), live)
        loop.end(c.arith("mul", per, ncta))

    def _before_rows(self) -> None:
        """What does not vary with the row, emitted before the loop over rows."""

    def _combine_rows(self, f: Fold, state: list[str]) -> list[str]:
        """The team's states combined, in all its threads."""
        c = self.code
        for mask in MASKS:
            inside, unshuffled = c.test("ugt", self.team_i32, mask, "i32"), state
            state = [
                c.op(f"select i1 {inside}, {k} {x}, {k} {y}")
                for (k, _), x, y in zip(f.identity, self._shuffled(f, state, mask), unshuffled, strict=True)
            ]
        of_warp = [(kind, x) for (kind, _), x in zip(f.identity, state, strict=True)]
        return c.either(self.is_wide, of_warp, lambda: self._combine_warps(f, state))

    def _shuffled(self, f: Fold, state: list[str], mask: int) -> list[str]:
        other = [self.code.shuffle(x, t, mask) for t, x in zip(f.state, state, strict=True)]
        return f.apply(self.code, "combine", state, other)

    def _combine_warps(self, f: Fold, state: list[str]) -> list[str]:
        """The states of a block's warps combined through shared memory: each warp combines all of them by shuffles."""
        c = self.code
        cells = [c.cells(self.name, t, self.block // WARP) for t in f.state]

        def write() -> None:
            for cell, t, x in zip(cells, f.state, state, strict=True):
                c.store(x, c.at(cell, t, self.warp, SHARED), t, SHARED)

        c.when(c.test("eq", self.in_warp, 0), write)
        c.barrier()

        def read() -> list[str]:
            return [
                c.load(c.at(cell, t, self.in_warp, SHARED), t, SHARED) for cell, t in zip(cells, f.state, strict=True)
            ]

        state = c.either(c.test("ult", self.in_warp, self.warps), f.identity, read)
        for mask in MASKS:
            state = self._shuffled(f, state, mask)
        if self.single:
            c.barrier()  # before the next row is stored; another reduction's barrier serves as well
        return state

    # -- columns
    def _columns(self) -> None:
        c = self.code
        tid, ntid, cta, ncta = self.thread()
        self.x, self.tid = c.arith("and", tid, WARP - 1), tid
        self.member, self.threads = c.arith("lshr", tid, 5), c.arith("lshr", ntid, 5)
        width = self.length(self.lane)
        tiles = c.arith("lshr", c.arith("add", width, WARP - 1), 5)
        outer = [a for a in self.group.parallel if a != self.lane]
        lengths = [self.length(a) for a in outer]
        loop = Loop(c, cta, c.product([*lengths, tiles]))
        self.decompose(loop.index, [*outer, self.lane], [*lengths, tiles])
        column = c.arith("add", c.arith("mul", self.position[self.lane], WARP), self.x)
        live = c.test("slt", column, width)
        # Threads beyond the last column repeat it: all threads of a block must come to its barriers.
        self.position[self.lane] = c.min(column, c.arith("sub", width, 1))
        for p in self.steps:
            self._pass(p, c.op(f"and i1 {live}, {c.test('eq', self.member, 0)}"), live)
        loop.end(ncta)

    def _combine_columns(self, f: Fold, state: list[str]) -> list[str]:
        """States of a column's threads through shared memory, combined in order."""
        c = self.code
        cells = [c.cells(self.name, t, THREADS) for t in f.state]
        for cell, t, x in zip(cells, f.state, state, strict=True):
            c.store(x, c.at(cell, t, self.tid, SHARED), t, SHARED)
        c.barrier()
        loop = Loop(c, "0", self.threads, f.identity)
        at = c.arith("add", c.arith("mul", loop.index, WARP), self.x)
        other = [c.load(c.at(cell, t, at, SHARED), t, SHARED) for cell, t in zip(cells, f.state, strict=True)]
        loop.end(1, f.apply(c, "combine", loop.values, other))
        if self.single:
            c.barrier()  # as of warps
        return loop.values

    # -- passes
    def _pass(self, p: Pass, row_stores: str, point_stores: str) -> None:
        c = self.code
        if not p.local:
            self.values([o.value for o in p.outs], self.env)  # uniform over the threads
            self._stores(p.outs, self.env, row_stores)
            return
        folds, axes = [Fold(v) for v in p.reduces], {a: self.length(a) for a in p.local}
        roots = [a for f in folds for a in f.value.args] + [o.value for o in p.outs]
        rows = [v for v in reach(roots, lambda v: v.op == "result") if not v.axes & set(p.local)]
        total, low = c.product(axes.values()), "0"
        self.values([v for v in rows if id(v) not in self.guarded], self.env)
        guarded = [v for v in rows if id(v) in self.guarded]
        self._if_points(c.test("sgt", total, 0), guarded)
        if self.tile:
            size = self.param("tile")
            low = c.arith("mul", self.position[self.tile], size)
            total = c.min(c.arith("add", low, size), total)
        states = self._along(p, folds, axes, low, total, point_stores)
        for f in folds:
            state, states = states[: len(f.state)], states[len(f.state) :]
            state = self._combine_columns(f, state) if self.pattern == COLUMNS else self._combine_rows(f, state)
            finished = f.apply(c, "finish", state)
            for v in self.results.get(id(f.value), []):
                self.env[id(v)] = finished[v.attr]
        for v in guarded:
            del self.env[id(v)]

    def _if_points(self, some: str, values: list[Val]) -> None:
        """Values of a row that are loaded at indices for its points alone: without points, indices may be out of
        range."""
        if not values:
            return

        def read() -> list[str]:
            self.values(values, self.env)
            return [self.env[id(v)] for v in values]

        nothing = [(llvm_type(v.type), "zeroinitializer") for v in values]
        self.env.update(zip(map(id, values), self.code.either(some, nothing, read), strict=True))

    def _along(self, p: Pass, folds: list[Fold], axes: Axes, low: str, high: str, stores: str) -> list[str]:
        """The loop over local axes; over fewer where operands allow it (the launch says so): each run of axes is
        one."""
        runs, together = mergeable_axes(p)
        if not together:
            return self._sweep(p, folds, axes, low, high, stores)
        self.merges |= {(self.number[id(b)], d) for b, d in together}

        def along_runs() -> list[str]:
            self.position |= dict.fromkeys(p.local, "0")
            merged = {run[-1]: self.code.product(axes[a] for a in run) for run in runs}
            return self._sweep(p, folds, merged, low, high, stores)

        condition = self.code.test("ne", self.param("merged"), 0)
        kinds = [kind for f in folds for kind, _ in f.identity]
        return self.code.fork(condition, kinds, along_runs, lambda: self._sweep(p, folds, axes, low, high, stores))

    def _sweep(self, p: Pass, folds: list[Fold], axes: Axes, low: str, high: str, stores: str) -> list[str]:
        """A thread's states over its share of [low, high): partial states of `block` steps keep sums accurate."""
        c = self.code
        if not folds:
            self._span(p, [], axes, low, high, stores)
            return []
        span = c.arith("mul", self.threads, self.schedule.block_elements)
        outer = Loop(c, low, high, [x for f in folds for x in f.identity])
        end = c.min(c.arith("add", outer.index, span), high)
        totals, whole, part = [], outer.values, self._span(p, folds, axes, outer.index, end, stores)
        for f in folds:
            n = len(f.state)
            totals += f.apply(c, "combine", whole[:n], part[:n])
            whole, part = whole[n:], part[n:]
        outer.end(span, totals)
        return outer.values

    def _span(self, p: Pass, folds: list[Fold], axes: Axes, low: str, high: str, stores: str) -> list[str]:
        """The same without partial states: unrolled, with the loads in flight together; then the remainder."""
        c, count = self.code, self._at_a_time(p)
        chunk = c.arith("mul", self.threads, count)  # a power of two
        whole = c.arith("and", c.arith("sub", high, low), c.arith("sub", 0, chunk))
        middle = c.arith("add", low, whole) if count > 1 else low
        carried = [x for f in folds for x in f.identity]
        for start, limit, n in ((low, middle, count), (middle, high, 1))[count == 1 :]:
            loop = Loop(c, c.arith("add", start, self.member), limit, carried)
            after = self._steps(p, folds, axes, loop, n, stores)
            loop.end(chunk if n > 1 else self.threads, after)
            carried = [(kind, x) for (kind, _), x in zip(carried, loop.values, strict=True)]
        return loop.values

    def _inner(self, p: Pass) -> list[Val]:
        """What a pass computes at each element."""
        roots = [a for r in p.reduces for a in r.args] + [o.value for o in p.outs]
        return reach(roots, lambda v: id(v) in self.env or v.op == "result")

    def _at_a_time(self, p: Pass) -> int:
        """Steps: a power of two."""
        inner = self._inner(p)
        loads = [ITEMSIZE[v.type] for v in inner if v.op == "load" and id(v) not in self.env]
        count = UNROLL_WITH_MATH if any(is_function(v) and not self.is_fast(v) for v in inner) else UNROLL
        if count * sum(loads) <= ACCESS_BYTES and count == UNROLL:
            count *= 2  # 32 bytes in flight a thread are 32 KiB of a multiprocessor, which hide memory's latency
        elif 2 * count * sum(loads) <= ACCESS_BYTES and sum(bool(q.local) for q in self.steps) == 1:
            count *= 2  # half of that where functions take time; later passes read from caches
        while count > 1 and count * len(loads) > MAX_LOADS_IN_FLIGHT:
            count //= 2
        return count

    def _steps(self, p: Pass, folds: list[Fold], axes: Axes, loop: Loop, count: int, stores: str) -> list[str]:
        """`count` steps of a thread from the loop's position on: all direct loads, then steps and stores in order."""
        c, points, row = self.code, [], dict(self.position)
        loads = [v for v in self._inner(p) if v.op == "load" and not v.args and id(v) not in self.env]
        places: list[str] = []
        for k in range(count):
            number = loop.index if k == 0 else c.arith("add", loop.index, c.arith("mul", self.threads, k))
            self.decompose(number, [*axes], [*axes.values()])
            if not self.is_kept:
                self.position |= {a: c.opaque(row[a]) for a in self.group.parallel if a in row}
            places = [self._element(v, axes, *places[n : n + 1]) for n, v in enumerate(loads)]
            env = self.env | {id(v): c.load(at, v.type) for v, at in zip(loads, places, strict=True)}
            points.append((env, dict(self.position)))
        state = loop.values
        for env, position in points:
            self.position |= position
            state = self._stepped(folds, state, env)
            self.values([o.value for o in p.outs], env)
            self._stores(p.outs, env, stores)
        self.position = row
        return state

    def _element(self, v: Val, axes: Axes, before: str = "") -> str:
        """The address of a load's element; `before`: of the thread's previous one, from which it is one step along one
        axis."""
        buffer, entries = v.attr
        if not before or not self.is_kept or len(axes) > 1 or entries.count(*axes) != 1:
            return self.address(buffer, entries, ())
        stride = self.param("stride", self.number[id(buffer)], entries.index(*axes))
        return self.code.at(before, v.type, self.code.arith("mul", self.threads, stride))

    def _stepped(self, folds: list[Fold], state: list[str], env: Env) -> list[str]:
        """The states after one element more."""
        after: list[str] = []
        for f in folds:
            self.values(f.value.args, env)
            after += f.apply(self.code, "step", state[: len(f.state)], [env[id(a)] for a in f.value.args])
            state = state[len(f.state) :]
        return after
