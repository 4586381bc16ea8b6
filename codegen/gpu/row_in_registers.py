"""Reductions with rows in registers: a kernel of several passes that loads and computes each element once.

For groups of several passes over one axis, of rows no longer than `fits_registers` says; `gpu.launch` takes the kernel
that loops along rows (`gpu.kernels`) for longer ones.  What a later pass needs of an element (softmax: x, then
exp(x - max)) stays in registers.  Which thread has which element depends on the length alone: so do sums.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from typing import Any

from tensordsl.base.records import record
from tensordsl.codegen.cpu.schedule import reach
from tensordsl.codegen.fusion.group import Group, Out, Pass, Schedule
from tensordsl.codegen.gpu.accesses import ACCESS_BYTES, is_wide
from tensordsl.codegen.gpu.builder import WARP, Env, Fold
from tensordsl.codegen.gpu.kernels import HELD, Axes, Emitter, GpuKernel
from tensordsl.codegen.llvm.vector_builder import llvm_type
from tensordsl.codegen.scalar_ir.builder import ITEMSIZE, Val
from tensordsl.graph.casting import real_of

MAX_ACCESS_ELEMENTS = 4  # code is emitted for each of them
RUNS_PER_THREAD = (4, 2)  # of adjacent elements; the most that fit
MAX_BLOCK_THREADS = 512
MAX_REGISTERS = 52  # 4-byte registers of a thread's 128, for kept values and loads in flight


@record
class _Run:
    """`count` neighbouring elements from `first` on; live: whether the row has them; kept: values of each element."""

    first: str
    count: int
    live: str
    kept: tuple[Env, ...] = field(default=())


def held_kernel(group: Group, schedule: Schedule, name: str) -> GpuKernel | None:
    """The kernel of a group of several passes along one axis; None for others, and where registers would not do."""
    steps = [p for p in group.passes if p.local]
    if len(steps) < 2 or any(p.local != (schedule.lane,) for p in steps) or not group.parallel:
        return None
    uses = [*(v.attr for v in group.scalars if v.op == "load"), *((o.buffer, o.map) for o in group.outs)]
    widest = max((ITEMSIZE[b.type] for b, entries in uses if is_wide(entries, schedule.lane)), default=ACCESS_BYTES)
    vector = min(MAX_ACCESS_ELEMENTS, ACCESS_BYTES // widest)
    lives = _lives(steps, schedule.lane)
    most = max(_registers(lives, k, is_behind) for k in range(len(steps)) for is_behind in (False, True))
    runs = next((n for n in RUNS_PER_THREAD if (n * vector + 1) * most <= MAX_REGISTERS), 0)
    return _Held(group, schedule, name, vector, runs, lives).run() if runs else None


def fits_registers(k: GpuKernel, length: int) -> bool:
    """Whether a block's registers hold rows of this length."""
    return length <= k.threads * k.vector * k.runs


def row_threads(k: GpuKernel, length: int) -> int:
    """Threads that share a row, a power of two: those of a warp before a second run of each."""
    v = k.vector
    wanted = -(-length // (v * k.runs)) if length > WARP * v * k.runs else min(WARP, max(-(-length // v), length % v))
    return 1 << max(0, wanted - 1).bit_length()


def _lives(steps: Sequence[Pass], lane: str) -> list[tuple[Val, int, int]]:
    """(value, number of the pass that computes it, and of the last one that uses it) of what varies along the rows."""
    first: dict[int, int] = {}
    last: dict[int, int] = {}
    values = []
    for k, p in enumerate(steps):
        for v in _inner(p, lane, set(first)):
            if id(v) not in first:
                values.append(v)
            last[id(v)] = k
        first |= {id(v): k for v in values if id(v) not in first}
    return [(v, first[id(v)], last[id(v)]) for v in values]


def _inner(p: Pass, lane: str, known: set[int]) -> list[Val]:
    """What a pass computes or, if it is known, uses at each element; positions are computed anew."""
    roots = [a for r in p.reduces for a in r.args] + [o.value for o in p.outs]
    inner = reach(roots, lambda v: id(v) in known or v.op == "result")
    return [v for v in inner if lane in v.axes and v.op not in ("index", "result")]


def _registers(lives: Sequence[tuple[Val, int, int]], k: int, is_behind: bool) -> int:
    """4-byte registers of an element when pass k begins, for kept values and loads in flight; is_behind: when it
    ends."""
    total = 0
    for v, first, last in lives:
        real = ITEMSIZE[real_of(v.type)]
        words = ITEMSIZE[v.type] // real * max(1, real // 4)
        before = first < k <= last or (first == k and v.op == "load")
        total += words * (first <= k < last if is_behind else before)
    return total


class _Held(Emitter):
    """The kernel's text.  A thread has `runs` runs of `vector` adjacent elements of its row, each one 128-bit access
    where operands are aligned for it, and one of the elements after the last complete run."""

    def __init__(self, group: Group, schedule: Schedule, name: str, vector: int, runs: int, lives: list[Any]) -> None:
        super().__init__(group, schedule, name, "")
        self.pattern, self.vector, self.runs, self.block = HELD, vector, runs, MAX_BLOCK_THREADS
        local = [p for p in self.steps if p.local]
        self.kept = {id(p): [v for v, first, last in lives if first == k < last] for k, p in enumerate(local)}

    def body(self) -> None:
        self._rows()

    def _before_rows(self) -> None:
        c, v, n = self.code, self.vector, self.length(self.lane)
        self.aligned = c.test("ne", self.param("aligned"), 0)
        whole = c.arith("udiv", n, v)
        self.parts = []
        for k in range(self.runs):
            number = c.arith("add", self.member, c.arith("mul", self.threads, k)) if k else self.member
            self.parts.append(self._run(c.arith("mul", number, v), v, c.test("slt", number, whole)))
        if v > 1:
            last = c.arith("add", c.arith("mul", whole, v), self.member)
            self.parts.append(self._run(last, 1, c.test("slt", last, n)))

    def _run(self, first: str, count: int, live: str) -> _Run:
        return _Run(first, count, live, tuple({} for _ in range(count)))

    def _sweep(self, p: Pass, folds: list[Fold], axes: Axes, low: str, high: str, stores: str) -> list[str]:
        """The pass over a thread's elements: its loads are in flight together."""
        known = set(self.parts[0].kept[0])
        loads = [v for v in _inner(p, self.lane, known) if v.op == "load" and not v.args and id(v) not in known]
        for run in self.parts:
            self._load(run, loads)
        state = [x for f in folds for _, x in f.identity]
        for run in self.parts:
            state = self._visit(run, p, folds, state, stores)
        return state

    def _load(self, run: _Run, loads: list[Val]) -> None:
        c, count = self.code, run.count
        wide = [v for v in loads if count > 1 and is_wide(v.attr[1], self.lane)]
        ordered = wide + [v for v in loads if not any(v is w for w in wide)]
        kinds = [llvm_type(v.type) for v in ordered for _ in range(count)]

        def adjacent() -> list[str]:
            self._move_to(run, 0)
            places = [self.address(v.attr[0], v.attr[1], (), unit=True) for v in wide]
            return [x for v, at in zip(wide, places, strict=True) for x in c.load_many(at, v.type, count)]

        def single(values: list[Val]) -> list[str]:
            found = []
            for v in values:
                for k in range(count):
                    self._move_to(run, k)
                    found.append(self.leaf(v, {}))
            return found

        def body() -> list[str]:
            first = c.fork(self.aligned, kinds[: len(wide) * count], adjacent, lambda: single(wide)) if wide else []
            return first + single(ordered[len(wide) :])

        values = c.either(run.live, [(kind, "zeroinitializer") for kind in kinds], body)
        for n, v in enumerate(ordered):
            for k, env in enumerate(run.kept):
                env[id(v)] = values[n * count + k]

    def _visit(self, run: _Run, p: Pass, folds: list[Fold], state: list[str], stores: str) -> list[str]:
        """The states after a run's elements; what later passes use is kept."""
        c, kinds = self.code, [kind for f in folds for kind, _ in f.identity]
        kept = [v for v in self.kept[id(p)] if id(v) not in run.kept[0]]

        def body() -> list[str]:
            after, envs = state, [{**self.env, **known} for known in run.kept]
            for k, env in enumerate(envs):
                self._move_to(run, k)
                after = self._stepped(folds, after, env)
                self.values([o.value for o in p.outs], env)
            if p.outs:
                c.when(stores, lambda: self._store_run(run, p.outs, envs))
            return after + [env[id(v)] for v in kept for env in envs]

        nothing = [(llvm_type(v.type), "zeroinitializer") for v in kept for _ in run.kept]
        values = c.either(run.live, [*zip(kinds, state, strict=True), *nothing], body)
        state, values = values[: len(state)], values[len(state) :]
        for n, v in enumerate(kept):
            for k, known in enumerate(run.kept):
                known[id(v)] = values[n * run.count + k]
        return state

    def _store_run(self, run: _Run, outs: Sequence[Out], envs: list[Env]) -> None:
        c = self.code

        def adjacent(o: Out) -> list[str]:
            self._move_to(run, 0)
            c.store_many(
                [env[id(o.value)] for env in envs], self.address(o.buffer, o.map, (), unit=True), o.buffer.type
            )
            return []

        def single(o: Out) -> list[str]:
            for k, env in enumerate(envs):
                self._move_to(run, k)
                self.store(o, env)
            return []

        for o in outs:
            if run.count > 1 and is_wide(o.map, self.lane):
                c.fork(self.aligned, (), lambda o=o: adjacent(o), lambda o=o: single(o))  # type: ignore[misc]
            else:
                single(o)

    def _move_to(self, run: _Run, k: int) -> None:
        """Set the lane's index to the run's element number k."""
        self.position[self.lane] = self.code.arith("add", run.first, k) if k else run.first
