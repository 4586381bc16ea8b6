"""Prefix scans on the GPU: running sums and products, positions of masks, repeated positions.

Functions of `LibraryCall` on lines (`gpu.lines`), in one of three forms that `choose` takes by lengths and strides:
line, ordered, segment.  Segments depend on lengths alone, so results are the same from run to run; sums and products
of floats differ from NumPy's by order, but not in where they overflow (`gpu.scan_values`).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from math import prod

from tensordsl.base.records import record
from tensordsl.codegen.gpu.builder import SHARED, THREADS, WARP, Loop
from tensordsl.codegen.gpu.kernels import module_text
from tensordsl.codegen.gpu.launch import Launch, Operand
from tensordsl.codegen.gpu.lines import LineCode, LineKernel, launch, line_values, scalar
from tensordsl.codegen.gpu.scan_values import Monoid, Totals, has_first_overflow, state_of, wide_of
from tensordsl.codegen.llvm.vector_builder import llvm_type
from tensordsl.codegen.scalar_ir.builder import ITEMSIZE
from tensordsl.graph.types import COMPLEX

WARPS = THREADS // WARP
MIN_LINES_OF_THREADS = 1024  # lines, each scanned by one thread
MIN_ELEMENTS, MAX_SEGMENTS = 4096, 1024  # of a segment; of a line
MIN_LINES_UNSPLIT = 64  # lines that fill a GPU unsplit


@record(eq=False)
class Scan:
    """The kernels of a function of lines, by name (line, ordered, totals, firsts, segment), and their module."""

    function: str
    result: str
    kernels: dict[str, LineKernel]
    text: str

    @property
    def all_kernels(self) -> tuple[LineKernel, ...]:
        return tuple(self.kernels.values())


@record
class Choice:
    """stages: kernels, in order.  parts: segments of a line, of `size` elements each.  scratch: bytes."""

    stages: tuple[str, ...]
    segments: int
    size: int
    scratch: int


@lru_cache(maxsize=128)
def scan(function: str, dtype: str, result: str, rank: int) -> Scan:
    """cumsum, cumprod, true_positions or repeated_positions of lines that `rank` axes number."""
    name = f"{function}_{dtype}_{result}_{rank}"
    by_blocks = ("ordered",) if _is_ordered(function, result) else _segment_stages(function, result)
    stages = (*(("line",) * function.startswith("cum")), *by_blocks)
    kernels = {s: getattr(_Scan(function, dtype, result, rank, f"{name}_{s}"), s)() for s in stages}
    return Scan(function, result, kernels, module_text(list(kernels.values())))


def choose(function: str, result: str, x: Operand) -> Choice:
    """The form for an operand x, whose first axis is scanned.

    line: many lines, or short ones, whose neighbours are adjacent: a thread walks along a line, in NumPy's order.
    ordered: products of complex numbers, of which no factor may overflow alone: a block loads a line, one thread of it
    computes, in NumPy's order.
    segment: otherwise a block scans a segment of a line, 256 elements at a time, by shuffles and in shared memory;
    where a line has several segments, a first kernel has summed each of them, and a second one, `firsts`, finds
    overflows.
    """
    n, lines = x.shape[0], prod(x.shape[1:])
    adjacent = min((abs(s) for s, m in zip(x.strides[1:], x.shape[1:], strict=True) if m > 1), default=0)
    if function.startswith("cum") and (n <= WARP or (lines >= MIN_LINES_OF_THREADS and adjacent < abs(x.strides[0]))):
        return Choice(("line",), 1, n, 0)
    if _is_ordered(function, result):
        return Choice(("ordered",), 1, n, 0)
    segments = 1 if lines >= MIN_LINES_UNSPLIT else max(1, min(-(-n // MIN_ELEMENTS), MAX_SEGMENTS))
    size = -(-n // segments)
    size += -size % THREADS
    segments = max(1, -(-n // size)) if size else 1
    if segments == 1:
        return Choice(("segment",), segments, size, 0)
    stages, item = _segment_stages(function, result), ITEMSIZE[state_of(function, result)]
    return Choice(stages, segments, size, lines * segments * (item + ITEMSIZE[wide_of(result)] * ("firsts" in stages)))


def launches(
    made: Scan, choice: Choice, x: Operand, y: Operand, scratch: int, multiprocessors: int = 132
) -> list[Launch]:
    """In order; x and y: axis of the lines first.  y may be x, laid out alike."""
    n, lines = x.shape[0], prod(x.shape[1:])
    if not n * lines:
        return []
    values = line_values(x.shape[1:], x=x, y=y)
    values |= {"n": n, "lines": lines, "parts": choice.segments, "part": choice.size}
    firsts = scratch + lines * choice.segments * ITEMSIZE[state_of(made.function, made.result)]
    pointers = {"x": x.address, "y": y.address, "totals": scratch, "firsts": firsts}
    blocks = -(-lines // THREADS) if choice.stages == ("line",) else lines * choice.segments
    return [launch(made.kernels[s], blocks, pointers, values, multiprocessors) for s in choice.stages]


def _is_ordered(function: str, result: str) -> bool:
    return function == "cumprod" and result in COMPLEX


def _segment_stages(function: str, result: str) -> tuple[str, ...]:
    return ("totals", *(("firsts",) * has_first_overflow(function, result)), "segment")


class _Scan:
    def __init__(self, function: str, dtype: str, result: str, rank: int, name: str) -> None:
        self.function, self.dtype, self.result = function, dtype, result
        self.code = LineCode(name, ("x", "y", "totals", "firsts"), rank)
        self.sums = Totals(self.code, function, result)
        self.type = self.sums.type

    # -- memory
    def element(self, offset: str, at: str) -> str:
        c = self.code
        value = c.load(c.element("x", self.dtype, offset, at, c.param("x_step")), self.dtype)
        if self.dtype in COMPLEX:
            return value
        return scalar(c, lambda b, v: b.cast(v, self.sums.wide), (self.dtype,), value)

    def store(self, offset: str, at: str, value: str, element: str) -> None:
        """Store what the running total after an element gives; `element`: the element."""
        c, step = self.code, self.code.param("y_step")
        if self.function.startswith("cum"):
            if self.sums.wide != self.result:
                value = scalar(c, lambda b, v: b.cast(v, self.result), (self.sums.wide,), value)
            c.store(value, c.element("y", self.result, offset, at, step), self.result)
            return
        loop = Loop(c, c.arith("sub", value, element), value)  # once for a mask
        c.store(at, c.element("y", "int64", offset, loop.index, step), "int64")
        loop.end(1)

    # -- a thread for each line
    def line(self) -> LineKernel:
        c = self.code
        first = c.arith("add", c.arith("mul", c.block_number, THREADS), c.tid)
        lines = Loop(c, first, c.param("lines"))
        x, y = c.offsets(lines.index, "x", "y")
        loop = Loop(c, "0", c.param("n"), [(self.type, self.sums.identity)])
        element = self.element(x, loop.index)
        total = self.sums.following(loop.values[0], element, loop.index)
        value = self.sums.rounded(total)
        self.store(y, loop.index, value, element)
        loop.end(1, [self.sums.kept(value, total)])
        lines.end(c.arith("mul", c.blocks, THREADS))
        return c.made()

    # -- a block for each line
    def ordered(self) -> LineKernel:
        c, one_more = self.code, str(THREADS)
        cells = c.cells(c.name, self.result, THREADS + 1)  # a tile's elements, and the total before it
        is_first = c.test("eq", c.tid, 0)

        def put(value: str, k: str) -> None:
            c.store(value, c.at(cells, self.result, k, SHARED), self.result, SHARED)

        def get(k: str) -> str:
            return c.load(c.at(cells, self.result, k, SHARED), self.result, SHARED)

        def walk(first: str, count: str) -> None:
            loop = Loop(c, "0", count, [(self.type, get(one_more))])
            total = self.sums.following(loop.values[0], get(loop.index), c.arith("add", first, loop.index))
            put(total, loop.index)
            loop.end(1, [total])
            put(loop.values[0], one_more)

        lines = Loop(c, c.block_number, c.param("lines"))
        x, y = c.offsets(lines.index, "x", "y")
        c.when(is_first, lambda: put(self.sums.identity, one_more))
        tile = Loop(c, "0", c.param("n"))
        at, rest = c.arith("add", tile.index, c.tid), c.arith("sub", c.param("n"), tile.index)
        live = c.test("slt", at, c.param("n"))
        c.when(live, lambda: put(self.element(x, at), c.tid))
        c.barrier()
        c.when(is_first, lambda: walk(tile.index, c.min(rest, THREADS)))
        c.barrier()
        c.when(live, lambda: self.store(y, at, get(c.tid), ""))  # the next tile's cell is written by the same thread
        tile.end(THREADS)
        lines.end(c.blocks)
        return c.made()

    # -- a block for each segment
    def totals(self) -> LineKernel:
        c, kind = self.code, self.sums.monoid
        segments, x, low, high, _, _ = self._segments()
        total = self._total(kind, low, high, lambda at: self.sums.lifted(self.element(x, at)))
        self._store_totals("totals", kind, segments, total)
        return c.made()

    def firsts(self) -> LineKernel:
        segments, x, low, high, number, _ = self._segments()
        before = self._earlier("totals", self.sums.monoid, segments, number)
        first = self._results(x, low, high, before, self.sums.identity, lambda *_: None)
        self._store_totals("firsts", self.sums.first_monoid, segments, first)
        return self.code.made()

    def segment(self) -> LineKernel:
        segments, x, low, high, number, y = self._segments()
        before = self._earlier("totals", self.sums.monoid, segments, number)
        first = self.sums.identity
        if self.sums.has_first_overflow:
            first = self._earlier("firsts", self.sums.first_monoid, segments, number)
        self._results(x, low, high, before, first, lambda *what: self.store(y, *what))
        segments.end(self.code.blocks)
        return self.code.made()

    def _segments(self) -> tuple[Loop, str, str, str, str, str]:
        """(loop over the block's segments, line in x, first element, end, number in its line, line in y)."""
        c, count, size = self.code, self.code.param("parts"), self.code.param("part")
        loop = Loop(c, c.block_number, c.arith("mul", c.param("lines"), count))
        x, y = c.offsets(c.arith("udiv", loop.index, count), "x", "y")
        number = c.arith("urem", loop.index, count)
        low = c.arith("mul", number, size)
        return loop, x, low, c.min(c.arith("add", low, size), c.param("n")), number, y

    def _store_totals(self, pointer: str, kind: Monoid, segments: Loop, value: str) -> None:
        """Store each segment's value, by one thread."""
        c = self.code
        place = c.element(pointer, kind.dtype, "0", segments.index)
        c.when(c.test("eq", c.tid, 0), lambda: c.store(value, place, kind.dtype))
        segments.end(c.blocks)

    def _earlier(self, pointer: str, kind: Monoid, segments: Loop, number: str) -> str:
        """The combined values of the line's segments before the `number`-th."""
        c, begin = self.code, self.code.arith("sub", segments.index, number)
        return self._total(kind, "0", number, lambda at: c.load(c.element(pointer, kind.dtype, begin, at), kind.dtype))

    def _total(self, kind: Monoid, low: str, high: str, load: Callable[[str], str]) -> str:
        """load(index) combined over [low, high), in all threads."""
        loop = Loop(self.code, low, high, [(llvm_type(kind.dtype), kind.identity)])
        element, _, _ = self._thread_element(kind, loop, high, load)
        _, block_total = self._scan_block(kind, element, loop.values[0])
        loop.end(THREADS, [block_total])
        return loop.values[0]

    def _results(
        self, x: str, low: str, high: str, before: str, first: str, store: Callable[[str, str, str], None]
    ) -> str:
        """store(index, running total, element) for [low, high); returns the first total that is not finite."""
        c, kind = self.code, self.sums.monoid
        loop = Loop(c, low, high, [(llvm_type(self.sums.state), before), (self.type, first)])
        element, at, live = self._thread_element(kind, loop, high, lambda at: self.sums.lifted(self.element(x, at)))
        state, block_total = self._scan_block(kind, element, loop.values[0], not self.sums.has_first_overflow)
        value, first = self.sums.rounded(self.sums.value(state)), loop.values[1]
        if self.sums.has_first_overflow:
            element_first, first = self._scan_block(self.sums.first_monoid, value, first, False)
            value = self.sums.behind(element_first, value, state)
        c.when(live, lambda: store(at, value, element))
        loop.end(THREADS, [block_total, first])
        return loop.values[1]

    def _thread_element(self, kind: Monoid, loop: Loop, high: str, load: Callable[[str], str]) -> tuple[str, str, str]:
        """(a thread's element, its index, whether it exists)."""
        c = self.code
        at = c.arith("add", loop.index, c.tid)
        live = c.test("slt", at, high)
        t, element = llvm_type(kind.dtype), load(c.min(at, c.arith("sub", high, 1)))
        return c.op(f"select i1 {live}, {t} {element}, {t} {kind.identity}"), at, live

    def _scan_block(self, kind: Monoid, element: str, initial: str, needs_barrier: bool = True) -> tuple[str, str]:
        """(total after a thread's element, total after the block's last); needs_barrier: no other barrier separates
        this from the next use of the same shared memory."""
        c, t = self.code, llvm_type(kind.dtype)
        cells = c.cells(c.name, kind.dtype, WARPS)
        lane, warp = c.arith("and", c.tid, WARP - 1), c.arith("lshr", c.tid, 5)
        prefix = total = element
        for distance in (1, 2, 4, 8, 16):
            other = c.shuffle(total, kind.dtype, distance)
            upper = c.test("ne", c.arith("and", lane, distance), 0)
            below = kind.combine(other, total)
            prefix = c.op(f"select i1 {upper}, {t} {kind.combine(other, prefix)}, {t} {prefix}")
            total = c.op(f"select i1 {upper}, {t} {below}, {t} {kind.combine(total, other)}")
        is_first = c.test("eq", lane, 0)
        c.when(is_first, lambda: c.store(total, c.at(cells, kind.dtype, warp, SHARED), kind.dtype, SHARED))
        c.barrier()
        before = block_total = initial
        for k in range(WARPS):
            of_warp = c.load(c.at(cells, kind.dtype, str(k), SHARED), kind.dtype, SHARED)
            block_total = kind.combine(block_total, of_warp)
            before = c.op(f"select i1 {c.test('ugt', warp, k)}, {t} {block_total}, {t} {before}")
        if needs_barrier:
            c.barrier()  # before the next elements' totals are written
        return kind.combine(before, prefix), block_total
