"""Elementwise GPU kernels: `vector` elements of a thread at a time, by one 128-bit access or one by one.

For groups without reductions.  A launch says how many wide accesses a row of the lane axis has (`vectors`); the tail
of the row, which may be all of it, goes by single elements with a stride of `tail_threads`, so that neighbouring
threads have adjacent elements.  Both are the same code, emitted once in a loop of two iterations.
"""

from __future__ import annotations

from collections.abc import Callable

from tensordsl.base.records import record
from tensordsl.codegen.fusion.group import Buffer, Group, Out, Schedule
from tensordsl.codegen.gpu.accesses import elements_per_access, is_wide
from tensordsl.codegen.gpu.builder import Env, Loop
from tensordsl.codegen.gpu.kernels import Emitter, GpuKernel
from tensordsl.codegen.llvm.vector_builder import llvm_type
from tensordsl.codegen.scalar_ir.builder import walk


def flat_kernel(group: Group, schedule: Schedule, name: str) -> GpuKernel:
    """The kernel of a group without reductions."""
    return _Flat(group, schedule, name, "").run()


def tail_threads(vector: int, rest: int, max_threads: int) -> int:
    """Adjacent threads in a row whose last `rest` elements are single accesses: a power of two; as many as leave few of
    them without elements."""
    counts = [1 << k for k in range(max_threads.bit_length())]
    least = min(chunks(vector, rest, n) for n in counts)
    return max(n for n in counts if 3 * chunks(vector, rest, n) <= 4 * least)


def chunks(vector: int, rest: int, threads: int) -> int:
    """Threads that such a row has."""
    return -(-rest // (vector * threads)) * threads


@record
class _Points:
    """A thread's elements along the lane axis: from `first`, `stride` steps from each to the next, below `remaining`.
    is_adjacent: they are one access, and complete."""

    first: str
    stride: str
    remaining: str
    is_adjacent: str


class _Flat(Emitter):
    def __init__(self, group: Group, schedule: Schedule, name: str, tile: str) -> None:
        super().__init__(group, schedule, name, tile)
        self.vector = elements_per_access(group) if self.lane else 1

    def body(self) -> None:
        c = self.code
        tid, ntid, cta, ncta = self.thread()
        self.start, self.step = c.arith("add", c.arith("mul", cta, ntid), tid), c.arith("mul", ntid, ncta)
        outer = [a for a in self.group.parallel if a != self.lane]
        self.axes, self.lengths = outer + [self.lane][: bool(self.lane)], [self.length(a) for a in outer]
        if self.vector == 1:
            loop = self._loop(self.length(self.lane) if self.lane else "1")
            self._store_group({}, self.group.outs)
            loop.end(self.step)
            return
        half = Loop(c, "0", "2")
        is_adjacent, vectors = c.test("eq", half.index, 0), self.param("vectors")
        done = c.arith("mul", vectors, self.vector)

        def either(x: str, y: str) -> str:
            return c.op(f"select i1 {is_adjacent}, i64 {x}, i64 {y}")

        stride, begin = either("1", self.param("across")), either("0", done)
        end = either(done, self.length(self.lane))
        loop = self._loop(either(vectors, self.param("chunks")))
        at = self.position[self.lane]
        member = c.arith("and", at, c.arith("sub", stride, 1))
        own = c.arith("add", c.arith("mul", c.arith("sub", at, member), self.vector), member)
        first = c.arith("add", begin, own)
        points = _Points(first, stride, c.arith("sub", end, first), is_adjacent)
        c.when(c.test("sgt", points.remaining, 0), lambda: self._several(points))
        loop.end(self.step)
        half.end(1)

    def _loop(self, along: str) -> Loop:
        """Over the elements, `along` of them in each row of the lane axis; at the position of one."""
        lengths = [*self.lengths, along] if self.lane else []
        loop = Loop(self.code, self.start, self.code.product(lengths))
        self.decompose(loop.index, self.axes, lengths)
        return loop

    def _store_group(self, env: Env, outs: tuple[Out, ...]) -> None:
        for o in outs:
            self.values([o.value], env)
        for o in outs:
            self.store(o, env)

    def _several(self, points: _Points) -> None:
        """What the lane axis does not change is computed once; an element beyond the end repeats the first one's
        values."""
        c = self.code
        common: Env = {}
        self.position[self.lane] = points.first
        self.values([v for v in walk(self.group.roots) if self.lane not in v.axes], common)
        lanes: list[Env] = [dict(common) for _ in range(self.vector)]
        self._load(points, lanes)
        for k, env in enumerate(lanes):
            self.position[self.lane] = points.first
            if k:
                place = c.arith("add", points.first, c.arith("mul", points.stride, k))
                self.position[self.lane] = c.op(
                    f"select i1 {self._is_live(points, k)}, i64 {place}, i64 {points.first}"
                )
            self.values(self.group.roots, env)
        for o in self.group.outs:
            self._store(o, points, lanes)

    def _is_live(self, points: _Points, k: int) -> str:
        return self.code.test("slt", self.code.arith("mul", points.stride, k), points.remaining)

    def _load(self, points: _Points, lanes: list[Env]) -> None:
        c, n = self.code, self.vector
        loads = [v for v in walk(self.group.roots) if v.op == "load" and is_wide(v.attr[1], self.lane)]

        def adjacent() -> list[str]:
            places = [self.address(v.attr[0], v.attr[1], (), unit=True) for v in loads]
            return [x for v, at in zip(loads, places, strict=True) for x in c.load_many(at, v.type, n)]

        def single() -> list[str]:
            places = [self.address(v.attr[0], v.attr[1], ()) for v in loads]
            found = [[c.load(at, v.type)] for v, at in zip(loads, places, strict=True)]
            for k in range(1, n):
                places = [self._next(v.attr[0], at, points) for v, at in zip(loads, places, strict=True)]
                first = [(llvm_type(v.type), values[0]) for v, values in zip(loads, found, strict=True)]

                def read(places: list[str] = places) -> list[str]:
                    return [c.load(at, v.type) for v, at in zip(loads, places, strict=True)]

                for values, x in zip(found, c.either(self._is_live(points, k), first, read), strict=True):
                    values.append(x)
            return [x for values in found for x in values]

        kinds = [llvm_type(v.type) for v in loads for _ in range(n)]
        values = c.fork(points.is_adjacent, kinds, adjacent, single)
        for number, v in enumerate(loads):
            for k, env in enumerate(lanes):
                env[id(v)] = values[number * n + k]

    def _next(self, buffer: Buffer, place: str, points: _Points) -> str:
        """The address of a thread's next element, from that of one of an operand that the lane axis runs along last."""
        c, k = self.code, self.number[id(buffer)]
        stride = self.param("stride", k, len(self.buffers[k].shape) - 1)
        return c.at(place, self.buffers[k].type, c.arith("mul", points.stride, stride))

    def _store(self, o: Out, points: _Points, lanes: list[Env]) -> None:
        c = self.code
        self.position[self.lane] = points.first

        def adjacent() -> list[str]:
            address = self.address(o.buffer, o.map, (), unit=True)
            c.store_many([env[id(o.value)] for env in lanes], address, o.buffer.type)
            return []

        def single() -> list[str]:
            place = self.address(o.buffer, o.map, ())
            for k, value in enumerate(env[id(o.value)] for env in lanes):
                if k:
                    place = self._next(o.buffer, place, points)
                self._where(points, k, lambda x=value, at=place: c.store(x, at, o.buffer.type))  # type: ignore[misc]
            return []

        def anywhere() -> None:
            for k, env in enumerate(lanes):
                self.position[self.lane] = self._place(points, k)
                self._where(points, k, lambda env=env: self.store(o, env))  # type: ignore[misc]

        if is_wide(o.map, self.lane):
            c.fork(points.is_adjacent, (), adjacent, single)
        else:
            anywhere()

    def _where(self, points: _Points, k: int, body: Callable[[], None]) -> None:
        """For point number k, if the thread has it."""
        if k:
            self.code.when(self._is_live(points, k), body)
        else:
            body()

    def _place(self, points: _Points, k: int) -> str:
        c = self.code
        return c.arith("add", points.first, c.arith("mul", points.stride, k)) if k else points.first
