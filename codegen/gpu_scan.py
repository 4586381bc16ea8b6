"""Running sums and products on the GPU, and what is made of running counts: positions of masks, repeated positions.

    line      many lines whose neighbours are adjacent: a thread walks along a line, in NumPy's order
    ordered   products of floats and of complex numbers, of which no part may overflow alone, and float16, which rounds
              each sum: a block walks along a line, and one thread of it computes, in NumPy's order
    segment   otherwise: a block walks along a part of a line, 256 elements at a time, which meet by shuffles and in
              shared memory; where a line has several parts, a first kernel has summed each of them

The parts depend on lengths alone, so results are the same from run to run; sums of floats differ from NumPy's by order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from tensordsl.casting import real_of
from tensordsl.codegen.code import constant, llvm_type
from tensordsl.codegen.gpu_kernels import THREADS, module_text
from tensordsl.codegen.gpu_launch import Launch, Operand
from tensordsl.codegen.gpu_lines import LineCode, LineKernel, launch, line_values, scalar, value_type
from tensordsl.codegen.gpu_text import SHARED, WARP, Loop
from tensordsl.codegen.scalar import FLOATS, ITEMSIZE, Builder, Val
from tensordsl.types import COMPLEX

WARPS = THREADS // WARP
MANY_LINES = 1024  # lines that are worth a thread each
PART, MAX_PARTS, ENOUGH = 4096, 1024, 64  # elements of a part at least; parts; lines that need none


@dataclass(frozen=True, eq=False, slots=True)
class Scan:
    """The kernels of a function of lines, by name (line, ordered, totals, segment), and their module."""

    function: str
    result: str
    kernels: dict[str, LineKernel]
    text: str

    @property
    def parts(self) -> tuple[LineKernel, ...]:
        return tuple(self.kernels.values())


@dataclass(frozen=True, slots=True)
class Choice:
    """stages: kernels, in order.  parts: of a line, of `part` elements.  scratch: bytes."""

    stages: tuple[str, ...]
    parts: int
    part: int
    scratch: int


@lru_cache(maxsize=128)
def scan(function: str, dtype: str, result: str, rank: int) -> Scan:
    """cumsum, cumprod, true_positions or repeated_positions of lines that `rank` axes number."""
    name = f"{function}_{dtype}_{result}_{rank}"
    stages = (*(("line",) * function.startswith("cum")),
              *(("ordered",) if _is_ordered(function, result) else ("totals", "segment")))  # fmt: skip
    kernels = {s: getattr(_Scan(function, dtype, result, rank, f"{name}_{s}"), s)() for s in stages}
    return Scan(function, result, kernels, module_text(list(kernels.values())))


def choose(function: str, result: str, x: Operand) -> Choice:
    n, lines = x.shape[0], _product(x.shape[1:])
    adjacent = min((abs(s) for s, m in zip(x.strides[1:], x.shape[1:], strict=True) if m > 1), default=0)
    if function.startswith("cum") and (n <= WARP or (lines >= MANY_LINES and adjacent < abs(x.strides[0]))):
        return Choice(("line",), 1, n, 0)
    if _is_ordered(function, result):
        return Choice(("ordered",), 1, n, 0)
    parts = 1 if lines >= ENOUGH else max(1, min(-(-n // PART), MAX_PARTS))
    part = -(-n // parts)
    part += -part % THREADS
    parts = max(1, -(-n // part)) if part else 1
    stages = ("totals", "segment") if parts > 1 else ("segment",)
    return Choice(stages, parts, part, lines * parts * ITEMSIZE[result] if parts > 1 else 0)


def launches(
    made: Scan, choice: Choice, x: Operand, y: Operand, scratch: int, multiprocessors: int = 132
) -> list[Launch]:
    """In order; x and y: axis of the lines first.  y may be x, laid out alike."""
    n, lines = x.shape[0], _product(x.shape[1:])
    if not n * lines:
        return []
    values = line_values(x.shape[1:], x=x, y=y)
    values |= {"n": n, "lines": lines, "parts": choice.parts, "part": choice.part}
    pointers = {"x": x.address, "y": y.address, "totals": scratch}
    blocks = -(-lines // THREADS) if choice.stages == ("line",) else lines * choice.parts
    return [launch(made.kernels[s], blocks, pointers, values, multiprocessors) for s in choice.stages]


def _is_ordered(function: str, result: str) -> bool:
    return result == "float16" or (function == "cumprod" and result in (*FLOATS, *COMPLEX))


def _product(lengths: Sequence[int]) -> int:
    result = 1
    for n in lengths:
        result *= n
    return result


class _Scan:
    def __init__(self, function: str, dtype: str, result: str, rank: int, name: str) -> None:
        self.function, self.dtype, self.result = function, dtype, result
        self.code = LineCode(name, ("x", "y", "totals"), rank)
        self.type = value_type(result)
        # adding -0.0 changes nothing, 0.0 the sign of a zero
        number: Any = 1 if function == "cumprod" else 0 if result not in (*FLOATS, *COMPLEX) else -0.0
        self.identity = constant(number, real_of(result))
        if result in COMPLEX:  # a product begins with the first number: 1 times infinity would be NaN
            part = f"{llvm_type(real_of(result))} {self.identity}"
            self.identity = f"<{part}, {part}>"

    def together(self, x: str, y: str) -> str:
        if self.result in COMPLEX:
            return self._complex(x, y)

        def make(b: Builder, x: Val, y: Val) -> Val:
            combine = b.mul if self.function == "cumprod" else b.add
            return b.cast(combine(b.wide(x), b.wide(y)), self.result)

        return scalar(self.code, make, (self.result, self.result), x, y)

    def _complex(self, x: str, y: str) -> str:
        c = self.code
        if self.function == "cumsum":
            return c.op(f"fadd {self.type} {x}, {y}")
        (a, b), (p, q), t = c.parts(x, self.result), c.parts(y, self.result), llvm_type(real_of(self.result))
        ap, bq, aq, bp = (c.op(f"fmul {t} {u}, {v}") for u, v in ((a, p), (b, q), (a, q), (b, p)))
        return c.pair(self.result, c.op(f"fsub {t} {ap}, {bq}"), c.op(f"fadd {t} {aq}, {bp}"))

    def following(self, total: str, own: str, at: str) -> str:
        """The total behind the element at a position."""
        c, result = self.code, self.together(total, own)
        if not (self.function == "cumprod" and self.result in COMPLEX):
            return result
        return c.op(f"select i1 {c.test('eq', at, 0)}, {self.type} {own}, {self.type} {result}")

    def element(self, offset: str, at: str) -> str:
        c = self.code
        value = c.load(c.element("x", self.dtype, offset, at, c.param("x_step")), self.dtype)
        if self.dtype in COMPLEX:
            return value
        return scalar(c, lambda b, v: b.cast(v, self.result), (self.dtype,), value)

    def store(self, offset: str, at: str, value: str, own: str) -> None:
        """What the running total behind an element says; `own`: the element."""
        c, step = self.code, self.code.param("y_step")
        if self.function.startswith("cum"):
            c.store(value, c.element("y", self.result, offset, at, step), self.result)
            return
        loop = Loop(c, c.arith("sub", value, own), value)  # once for a mask
        c.store(at, c.element("y", "int64", offset, loop.index, step), "int64")
        loop.end(1)

    # -- a thread for each line
    def line(self) -> LineKernel:
        c = self.code
        first = c.arith("add", c.arith("mul", c.block_number, THREADS), c.tid)
        lines = Loop(c, first, c.param("lines"))
        x, y = c.offsets(lines.index, "x", "y")
        loop = Loop(c, "0", c.param("n"), [(self.type, self.identity)])
        own = self.element(x, loop.index)
        total = self.following(loop.values[0], own, loop.index)
        self.store(y, loop.index, total, own)
        loop.end(1, [total])
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
            total = self.following(loop.values[0], get(loop.index), c.arith("add", first, loop.index))
            put(total, loop.index)
            loop.end(1, [total])
            put(loop.values[0], one_more)

        lines = Loop(c, c.block_number, c.param("lines"))
        x, y = c.offsets(lines.index, "x", "y")
        c.when(is_first, lambda: put(self.identity, one_more))
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

    # -- a block for each part
    def totals(self) -> LineKernel:
        c = self.code
        parts, x, low, high, _, _ = self._part()
        total = self._walk(low, high, self.identity, lambda at: self.element(x, at), None)
        is_first = c.test("eq", c.tid, 0)
        c.when(is_first, lambda: c.store(total, c.element("totals", self.result, "0", parts.index), self.result))
        parts.end(c.blocks)
        return c.made()

    def segment(self) -> LineKernel:
        c = self.code
        parts, x, low, high, number, y = self._part()
        begin = c.arith("sub", parts.index, number)

        def total(at: str) -> str:
            return c.load(c.element("totals", self.result, begin, at), self.result)

        before = self._walk("0", number, self.identity, total, None)
        self._walk(low, high, before, lambda at: self.element(x, at), lambda *what: self.store(y, *what))
        parts.end(c.blocks)
        return c.made()

    def _part(self) -> tuple[Loop, str, str, str, str, str]:
        """(loop over the block's parts, line in x, first element, behind the last, number in its line, line in y)."""
        c, count, size = self.code, self.code.param("parts"), self.code.param("part")
        loop = Loop(c, c.block_number, c.arith("mul", c.param("lines"), count))
        x, y = c.offsets(c.arith("udiv", loop.index, count), "x", "y")
        number = c.arith("urem", loop.index, count)
        low = c.arith("mul", number, size)
        return loop, x, low, c.min(c.arith("add", low, size), c.param("n")), number, y

    def _walk(
        self, low: str, high: str, start: str, load: Callable[[str], str], store: Callable[..., None] | None
    ) -> str:
        """The total behind [low, high), in all threads; store(position, running total, element)."""
        c, t = self.code, self.type
        cells = c.cells(c.name, self.result, WARPS)
        lane, warp = c.arith("and", c.tid, WARP - 1), c.arith("lshr", c.tid, 5)
        loop = Loop(c, low, high, [(t, start)])
        at = c.arith("add", loop.index, c.tid)
        live = c.test("slt", at, high)
        own = load(c.min(at, c.arith("sub", high, 1)))
        own = c.op(f"select i1 {live}, {t} {own}, {t} {self.identity}")
        prefix = total = own
        for distance in (1, 2, 4, 8, 16):
            other = c.shuffle(total, self.result, distance)
            upper = c.test("ne", c.arith("and", lane, distance), 0)
            below = self.together(other, total)
            prefix = c.op(f"select i1 {upper}, {t} {self.together(other, prefix)}, {t} {prefix}")
            total = c.op(f"select i1 {upper}, {t} {below}, {t} {self.together(total, other)}")
        is_first = c.test("eq", lane, 0)
        c.when(is_first, lambda: c.store(total, c.at(cells, self.result, warp, SHARED), self.result, SHARED))
        c.barrier()
        before = whole = loop.values[0]
        for k in range(WARPS):
            of_warp = c.load(c.at(cells, self.result, str(k), SHARED), self.result, SHARED)
            whole = self.together(whole, of_warp)
            before = c.op(f"select i1 {c.test('ugt', warp, k)}, {t} {whole}, {t} {before}")
        c.barrier()  # before the next elements' totals are written
        if store is not None:
            behind = self.together(before, prefix)
            c.when(live, lambda: store(at, behind, own))
        loop.end(THREADS, [whole])
        return loop.values[0]
