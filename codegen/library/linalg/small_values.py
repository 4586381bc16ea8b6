"""Values and matrices of small linear algebra: one algorithm's text, for one matrix or many, of known or any length.

Contract  `Lanes`: a value is a number of each of W matrices, loaded from and stored to memory with a step from one
          matrix to the next.  `Walk`: loops over known bounds are written out, others are loops.  `Registers`,
          `Scratch`: a matrix by (row, column), known places in registers, others in memory.
Why       the order of operations on a matrix is the same in every form, so its result is the same to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from tensordsl.codegen.llvm.builder import Asm

Number = int | str  # known, or the name of an i64
NAN = "0x7FF8000000000000"


class Adjacent:
    """The step of lanes that are adjacent in memory; mask: those that are there."""

    def __init__(self, mask: str) -> None:
        self.mask = mask


Step = str | list[str] | Adjacent  # of all lanes, or of each behind the first


class Lanes:
    """The type of a number of each of `lanes` matrices, and operations on it."""

    CHUNK = 8  # numbers of one row, or of one column, in a vector

    def __init__(self, kind: str, lanes: int) -> None:
        self.kind, self.lanes = kind, lanes
        self.item = 8 if kind == "double" else 4
        self.bytes = self.item * lanes
        self.scalar = f"i{8 * self.item}"  # an integer as wide
        self.type, self.integer, self.mask = (
            x if lanes == 1 else f"<{lanes} x {x}>" for x in (kind, self.scalar, "i1")
        )
        self.mangled = f"{'' if lanes == 1 else f'v{lanes}'}f{8 * self.item}"

    def declarations(self) -> list[str]:
        t = self.type
        unary = [f"declare {t} @llvm.{name}.{self.mangled}({t})\n" for name in ("fabs", "sqrt")]
        return [*unary, f"declare {t} @llvm.fma.{self.mangled}({t}, {t}, {t})\n"]

    def masked_declarations(self) -> list[str]:
        t = self.type
        return [
            f"declare {t} @llvm.masked.load.{self.mangled}.p0(ptr, i32, {self.mask}, {t})\n",
            f"declare void @llvm.masked.store.{self.mangled}.p0({t}, ptr, i32, {self.mask})\n",
        ]

    def masked_load(self, f: Asm, pointer: str, mask: str) -> str:
        operands = f"ptr {pointer}, i32 {self.item}, {self.mask} {mask}, {self.type} zeroinitializer"
        return f.op(f"call {self.type} @llvm.masked.load.{self.mangled}.p0({operands})")

    def masked_store(self, f: Asm, value: str, pointer: str, mask: str) -> None:
        operands = f"{self.type} {value}, ptr {pointer}, i32 {self.item}, {self.mask} {mask}"
        f.do(f"call void @llvm.masked.store.{self.mangled}.p0({operands})")

    def constant(self, number: str) -> str:
        return self.each_lane(self.kind, number)

    def each_lane(self, kind: str, number: str) -> str:
        return number if self.lanes == 1 else f"<{', '.join([f'{kind} {number}'] * self.lanes)}>"

    def splat(self, f: Asm, number: str, kind: str = "") -> str:
        if self.lanes == 1:
            return number
        kind = kind or self.kind
        wide = f"<{self.lanes} x {kind}>"
        one = f.op(f"insertelement {wide} poison, {kind} {number}, i64 0")
        return f.op(f"shufflevector {wide} {one}, {wide} poison, <{self.lanes} x i32> zeroinitializer")

    def places(self, f: Asm, number: Number) -> str:
        """A place as an `integer` in all lanes."""
        if isinstance(number, int):
            return self.each_lane(self.scalar, str(number))
        if self.scalar != "i64":
            number = f.op(f"trunc i64 {number} to {self.scalar}")
        return self.splat(f, number, self.scalar)

    def fma(self, f: Asm, x: str, y: str, z: str) -> str:
        return f.call(self.type, f"@llvm.fma.{self.mangled}", *(f"{self.type} {v}" for v in (x, y, z)))

    def less_product(self, f: Asm, x: str, y: str, z: str) -> str:
        """z - x y, rounded once."""
        return self.fma(f, f.op(f"fneg {self.type} {x}"), y, z)

    def divide(self, f: Asm, x: str, y: str) -> str:
        return f.op(f"fdiv {self.type} {x}, {y}")

    def unary(self, f: Asm, name: str, x: str) -> str:
        return f.call(self.type, f"@llvm.{name}.{self.mangled}", f"{self.type} {x}")

    def compare(self, f: Asm, condition: str, x: str, y: str) -> str:
        return f.op(f"fcmp {condition} {self.type} {x}, {y}")

    def choose(self, f: Asm, mask: str, x: str, y: str, kind: str = "") -> str:
        kind = kind or self.type
        return f.op(f"select {self.mask} {mask}, {kind} {x}, {kind} {y}")

    def either(self, f: Asm, x: str, y: str) -> str:
        return f.op(f"or {self.mask} {x}, {y}")

    def get(self, f: Asm, pointer: str) -> str:
        return f.op(f"load {self.type}, ptr {pointer}, align {self.bytes if self.lanes > 1 else self.item}")

    def put(self, f: Asm, value: str, pointer: str) -> None:
        f.do(f"store {self.type} {value}, ptr {pointer}, align {self.bytes if self.lanes > 1 else self.item}")

    def load(self, f: Asm, pointer: str, step: Step) -> str:
        """Of W matrices, each so many bytes behind the one before."""
        if self.lanes == 1:
            return f.op(f"load {self.kind}, ptr {pointer}, align {self.item}")
        if isinstance(step, Adjacent):
            return self.masked_load(f, pointer, step.mask)
        value = "poison"
        for lane in range(self.lanes):
            pointer = f.gep(pointer, _of(step, lane)) if lane else pointer
            number = f.op(f"load {self.kind}, ptr {pointer}, align {self.item}")
            value = f.op(f"insertelement {self.type} {value}, {self.kind} {number}, i64 {lane}")
        return value

    def store(self, f: Asm, value: str, pointer: str, step: Step) -> None:
        if self.lanes == 1:
            f.do(f"store {self.kind} {value}, ptr {pointer}, align {self.item}")
            return
        if isinstance(step, Adjacent):
            self.masked_store(f, value, pointer, step.mask)
            return
        for lane in range(self.lanes):
            pointer = f.gep(pointer, _of(step, lane)) if lane else pointer
            number = f.op(f"extractelement {self.type} {value}, i64 {lane}")
            f.do(f"store {self.kind} {number}, ptr {pointer}, align {self.item}")

    def store_place(self, f: Asm, places: str, pointer: str, step: str) -> None:
        """int32 numbers, each of its matrix."""
        for lane in range(self.lanes):
            pointer = f.gep(pointer, step) if lane else pointer
            number = places if self.lanes == 1 else f.op(f"extractelement {self.integer} {places}, i64 {lane}")
            if self.scalar != "i32":
                number = f.op(f"trunc {self.scalar} {number} to i32")
            f.do(f"store i32 {number}, ptr {pointer}, align 4")

    def load_place(self, f: Asm, pointer: str, step: str) -> str:
        value = "poison"
        for lane in range(self.lanes):
            pointer = f.gep(pointer, step) if lane else pointer
            number = f.op(f"load i32, ptr {pointer}, align 4")
            if self.scalar != "i32":
                number = f.op(f"sext i32 {number} to {self.scalar}")
            if self.lanes == 1:
                return number
            value = f.op(f"insertelement {self.integer} {value}, {self.scalar} {number}, i64 {lane}")
        return value

    def first(self, f: Asm, mask: str) -> str:
        """The number of the first lane whose i1 is true, of which there is one."""
        if self.lanes == 1:
            return "0"
        bits = f.op(f"bitcast {self.mask} {mask} to i{self.lanes}")
        wide = bits if self.lanes == 64 else f.op(f"zext i{self.lanes} {bits} to i64")
        return f.call("i64", "@llvm.cttz.i64", f"i64 {wide}", "i1 true")

    def until(self, f: Asm, count: str) -> str:
        """The first `count` lanes."""
        numbers = ", ".join(f"i64 {k}" for k in range(self.lanes))
        wide = f"<{self.lanes} x i64>"
        return f.op(f"icmp slt {wide} <{numbers}>, {self.splat(f, count, 'i64')}")

    def any(self, f: Asm, mask: str) -> str:
        if self.lanes == 1:
            return mask
        bits = f.op(f"bitcast {self.mask} {mask} to i{self.lanes}")
        return f.op(f"icmp ne i{self.lanes} {bits}, 0")


def _of(step: str | list[str], lane: int) -> str:
    return step if isinstance(step, str) else step[lane - 1]


class Walk:
    """Loops and whole numbers, of which some are known while the text is written."""

    def __init__(self, f: Asm) -> None:
        self.f = f

    def plus(self, x: Number, y: Number) -> Number:
        if isinstance(x, int) and isinstance(y, int):
            return x + y
        return x if y == 0 else y if x == 0 else self.f.add(x, y)

    def minus(self, x: Number, y: Number) -> Number:
        if isinstance(x, int) and isinstance(y, int):
            return x - y
        return x if y == 0 else self.f.sub(x, y)

    def times(self, x: Number, y: Number) -> Number:
        if isinstance(x, int) and isinstance(y, int):
            return x * y
        return 0 if 0 in (x, y) else x if y == 1 else y if x == 1 else self.f.mul(x, y)

    def each(self, start: Number, stop: Number, body: Callable[[Number], None]) -> None:
        if isinstance(start, int) and isinstance(stop, int):
            for i in range(start, stop):
                body(i)
            return
        with self.f.loop(stop, start=start) as loop:
            body(loop.index)

    def fold(
        self, start: Number, stop: Number, state: Sequence[tuple[str, str]],
        body: Callable[[Number, list[str]], list[str]],
    ) -> list[str]:  # fmt: skip
        """The state, (type, value) of each, behind all steps."""
        if isinstance(start, int) and isinstance(stop, int):
            values = [value for _, value in state]
            for i in range(start, stop):
                values = body(i, values)
            return values
        with self.f.loop(stop, *state, start=start) as loop:
            loop.next = body(loop.index, loop.values)
        return loop.values


class Matrix(Protocol):
    """Numbers by row and column."""

    def get(self, i: Number, j: Number) -> str: ...
    def set(self, i: Number, j: Number, value: str) -> None: ...


class Registers:
    """A matrix whose places are all known."""

    def __init__(self) -> None:
        self.values: dict[tuple[Number, Number], str] = {}

    def get(self, i: Number, j: Number) -> str:
        return self.values[i, j]

    def set(self, i: Number, j: Number, value: str) -> None:
        self.values[i, j] = value


class Scratch:
    """A matrix in memory of its own, in rows of `columns` values."""

    def __init__(self, walk: Walk, lanes: Lanes, base: str, columns: int) -> None:
        self.walk, self.lanes, self.base, self.columns = walk, lanes, base, columns

    def place(self, i: Number, j: Number) -> str:
        offset = self.walk.plus(self.walk.times(i, self.columns), j)
        return self.walk.f.gep(self.base, offset, self.lanes.type)

    def get(self, i: Number, j: Number) -> str:
        return self.lanes.get(self.walk.f, self.place(i, j))

    def set(self, i: Number, j: Number, value: str) -> None:
        self.lanes.put(self.walk.f, value, self.place(i, j))


class Strided:
    """The matrices of a stack where they are: at `base`, with steps in bytes."""

    def __init__(self, walk: Walk, lanes: Lanes, base: str, row: str, column: str, step: Step) -> None:
        self.walk, self.lanes, self.base = walk, lanes, base
        self.row, self.column, self.step = row, column, step

    def place(self, i: Number, j: Number) -> str:
        w = self.walk
        return w.f.gep(self.base, w.plus(w.times(i, self.row), w.times(j, self.column)))

    def get(self, i: Number, j: Number) -> str:
        return self.lanes.load(self.walk.f, self.place(i, j), self.step)

    def set(self, i: Number, j: Number, value: str) -> None:
        self.lanes.store(self.walk.f, value, self.place(i, j), self.step)
