"""Scans: running sums and products along one axis, in NumPy's order (`cumsum_*`, `cumprod_*`).

Contract  a `LibraryCall`'s lines; float16 is added in float32 and rounded after each element; complex is two lanes.
How       each value waits for the one before, so vectors and independent chains run along the other axes; eight lines
          of adjacent elements are transposed in registers to vectors of columns, and back.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tensordsl.codegen.kernel_ir.float16 import Float16
from tensordsl.codegen.kernel_ir.ir import Function, Module
from tensordsl.codegen.kernel_ir.language import Kernel, Number, Pointer, kernel
from tensordsl.codegen.kernel_ir.transposition import SIDE, transposed_square
from tensordsl.codegen.kernel_ir.types import Kind, Signature, array, i64, memory_type, ptr, signature
from tensordsl.codegen.library.polls import given_lines, line_walk, polled_range, walk_signature
from tensordsl.codegen.llvm.kernel_text import module_text
from tensordsl.codegen.scalar_ir.builder import SIGNED
from tensordsl.codegen.target.tuning import Tuning
from tensordsl.graph.casting import real_of, sum_dtype
from tensordsl.graph.types import COMPLEX

CHAINS = (8, 4, 2, 1)  # independent scalar chains
VECTORS = (2, 1)  # of lines at once
IDENTITY = {"fadd": -0.0, "fmul": 1.0, "add": 0, "mul": 1}  # which changes no first element
UNROLLED_VECTORS = 4  # of a row that goes through memory, in one round of the loop


class Cumulate:
    """The functions of one operation on one dtype."""

    def __init__(self, function: str, dtype: str, tuning: Tuning) -> None:
        self.name, self.tuning = f"{function}_{dtype}", tuning
        self.parts = 2 if dtype in COMPLEX else 1
        self.is_float16 = real_of(dtype) == "float16"
        self.is_bool = dtype == "bool"
        self.is_signed = real_of(dtype) in SIGNED
        self.x, self.y = (memory_type(real_of(t)) for t in (dtype, sum_dtype(dtype)))  # of a part, in memory
        self.x_size, self.y_size = self.parts * self.x.bytes, self.parts * self.y.bytes
        self.lanes = max(
            2, tuning.machine.vector_bytes // self.y_size
        )  # elements of a vector; alone they have other steps
        parts_of_vector = [self.lanes >> k for k in range(self.lanes.bit_length() - 2, 0, -1)]  # of two elements on
        self.narrows = [
            *((2, many) for many in parts_of_vector),
            *((k, self.lanes) for k in range(2, self.tuning.arrays.scan_wide_vectors + 1)),
        ]
        self.is_complex_product = self.parts == 2 and function == "cumprod"
        self.word = ("f" if self.y.is_float or self.is_float16 else "") + ("add" if function == "cumsum" else "mul")
        self.transposes = (
            tuning.allows("transposed_scans") and self.x == self.y and not self.is_float16 and self.parts == 1
        )

    def functions(self) -> list[Function]:
        blocks = [self.block(k, 1) for k in CHAINS] + [self.block(k, self.lanes) for k in VECTORS]
        narrows = [self.narrow(k, many) for k, many in self.narrows]
        squares = [self.squares()] if self.transposes else []
        return [*blocks, *narrows, *squares, self.panel(), self.plane(), self.walk(), self.entry()]

    # -- signatures ----------------------------------------------------------------------------------------------------
    @property
    def line(self) -> dict[str, Kind]:
        """x, y; length and steps of the axis."""
        return dict(x=array(self.x), y=array(self.y), n=i64, x_step=i64, y_step=i64)

    def of_lines(self, name: str, **more: Kind) -> Signature:
        """The steps of one other axis come last."""
        return signature(f"{self.name}.{name}", None, {**self.line, "x_unit": i64, "y_unit": i64, **more})

    def of_row(self, name: str) -> Signature:
        """m: adjacent elements of a row."""
        return signature(f"{self.name}.{name}", None, self.line, m=i64)

    # -- elements ------------------------------------------------------------------------------------------------------
    def advance(self, k: Kernel, state: Number | None, source: Pointer, target: Pointer, many: int) -> Number:
        """The running values after one more of so many adjacent elements, which are stored; the first are x."""
        half = Float16(k, self.tuning.machine.isa)
        value = self.widened(half, source[0 : many * self.parts])
        if state is not None:
            value = _complex_product(k, state, value) if self.is_complex_product else k.emit(self.word, state, value)
        if self.is_float16:
            value = half.rounded(value)
        self.keep(k, half.narrowed(value) if self.is_float16 else value, target)
        return value

    def keep(self, k: Kernel, value: Number, target: Pointer) -> None:
        """Store register by register: LLVM stores the end of a longer vector first, and Intel's cores are slow at cache
        lines that are written from their end by vectors that straddle them."""
        many, in_register = value.type.lanes, self.tuning.machine.vector_bytes // self.y.bytes
        if many <= in_register:
            target[0:many] = value
            return
        for first in range(0, many, in_register):
            piece = k.shuffle(value, None, range(first, first + in_register))
            (target + first)[0:in_register] = piece

    def widened(self, half: Float16, x: Number) -> Number:
        if self.is_float16:
            return half.widened(x)
        if self.is_bool:
            x = x != 0
        return x.to(self.y) if self.is_signed else x.unsigned(self.y)

    # -- lines ---------------------------------------------------------------------------------------------------------
    def block_signature(self, chains: int, many: int) -> Signature:
        return self.of_lines(f"{chains}.{many}")

    def block(self, chains: int, many: int) -> Function:
        @kernel(self.block_signature(chains, many))
        def block(
            k: Kernel, x: Pointer, y: Pointer, n: Number, x_step: Number, y_step: Number, x_unit: Any, y_unit: Any
        ) -> None:
            """Independent chains of `many` elements, from the first to the last element of the axis, if it has any."""
            if many > 1:
                x_unit, y_unit = many * self.x_size, many * self.y_size
            sources = [x.bytes(x_unit * j) for j in range(chains)]
            targets = [y.bytes(y_unit * j) for j in range(chains)]
            self.chains(k, sources, targets, many, n, (x_step, y_step))

        return block

    def narrow(self, vectors: int, many: int) -> Function:
        @kernel(self.of_row(f"narrow.{vectors}.{many}"))
        def narrow(k: Kernel, x: Pointer, y: Pointer, n: Number, x_step: Number, y_step: Number, m: Number) -> None:
            """m adjacent elements of each row as vectors of `many`, of which the last two may have some in common."""
            firsts = [*(j * many for j in range(vectors - 1)), m - many]
            places = [self.elements(x, y, at) for at in firsts]
            self.chains(k, [s for s, _ in places], [t for _, t in places], many, n, (x_step, y_step))

        return narrow

    def chains(
        self, k: Kernel, sources: Sequence[Pointer], targets: Sequence[Pointer], many: int, n: Number,
        steps: tuple[Number, Number],
    ) -> None:  # fmt: skip
        """From the first row to the last one, of `many` adjacent elements at each place."""
        states = [k.variable(self.advance(k, None, x, y, many)) for x, y in zip(sources, targets, strict=True)]
        x_at, y_at = map(k.variable, steps)
        with polled_range(k, n, start=1):
            for state, x, y in zip(states, sources, targets, strict=True):
                state.set(self.advance(k, state, x.bytes(x_at), y.bytes(y_at), many))
            x_at += steps[0]
            y_at += steps[1]

    def elements(self, x: Pointer, y: Pointer, at: Any) -> tuple[Pointer, Pointer]:
        """Where elements, of one or two parts, stand."""
        return x.skip(at, self.parts), y.skip(at, self.parts)

    def panel(self) -> Function:
        @kernel(self.of_row("panel"))
        def panel(k: Kernel, x: Pointer, y: Pointer, n: Number, x_step: Number, y_step: Number, m: Number) -> None:
            """Rows of m adjacent elements, whole vectors, one after the other: the running values are the row above."""
            with k.range(m, step=self.lanes) as column:
                self.advance(k, None, *self.elements(x, y, column), self.lanes)
            unrolled = m & -UNROLLED_VECTORS * self.lanes
            x_row, y_row = k.variable(x), k.variable(y)
            with polled_range(k, n, start=1):
                x_here, above = x_row.bytes(x_step), y_row.value
                y_here = above.bytes(y_step)
                for first, end, vectors in ((0, unrolled, UNROLLED_VECTORS), (unrolled, m, 1)):
                    with k.range(end, start=first, step=vectors * self.lanes) as column:
                        for j in range(vectors):
                            at = column + j * self.lanes
                            state = self.running(above.skip(at, self.parts))
                            self.advance(k, state, *self.elements(x_here, y_here, at), self.lanes)
                x_row.set(x_here)
                y_row.set(y_here)

        return panel

    def running(self, place: Pointer) -> Number:
        """A vector of running values."""
        value: Number = place[0 : self.lanes * self.parts]
        return Float16(place.k, self.tuning.machine.isa).widened(value) if self.is_float16 else value

    def squares(self) -> Function:
        @kernel(self.of_lines("squares"))
        def squares(
            k: Kernel, x: Pointer, y: Pointer, n: Number, x_step: Number, y_step: Number, x_unit: Number, y_unit: Number
        ) -> None:
            """SIDE lines of n adjacent elements, in squares of as many columns; then those behind the last one."""
            xs = [x.bytes(x_unit * j) for j in range(SIDE)]
            ys = [y.bytes(y_unit * j) for j in range(SIDE)]
            whole = n & -SIDE
            state = k.variable(k.number(IDENTITY[self.word], self.y.of(SIDE)))
            with polled_range(k, whole, step=SIDE) as i:
                columns = []
                for column in transposed_square(k, [row[i : i + SIDE] for row in xs]):
                    state.set(k.emit(self.word, state, column))
                    columns.append(state.value)
                for row, values in zip(ys, transposed_square(k, columns), strict=True):
                    row[i : i + SIDE] = values
            with k.range(n, start=whole) as i:
                for x_row, y_row in zip(xs, ys, strict=True):
                    before = (y_row + i)[-1]
                    y_row[i] = k.emit(self.word, before, x_row[i])

        return squares

    # -- axes ----------------------------------------------------------------------------------------------------------
    def plane(self) -> Function:
        arrays = self.tuning.arrays

        @kernel(self.of_lines("plane", m=i64))
        def plane(
            k: Kernel, x: Pointer, y: Pointer, n: Number, x_step: Number, y_step: Number, x_unit: Number,
            y_unit: Number, m: Number,
        ) -> None:  # fmt: skip
            """All lines along one other axis, of m elements: vectors where its elements are adjacent, then chains.

            Wide rows go through memory one after the other, narrow ones are walked down with the running values in
            registers."""
            is_adjacent = (x_unit == self.x_size) & (y_unit == self.y_size)
            can_overlap = k.all(is_adjacent, x != y, m >= 2)
            with k.when(can_overlap):
                for vectors, many in self.narrows:
                    with k.when(m <= vectors * many):
                        k.call(self.of_row(f"narrow.{vectors}.{many}"), x, y, n, x_step, y_step, m)
                        k.ret()
            most = k.select(is_adjacent, m, 0)
            is_wide = most >= arrays.scan_wide_vectors * self.lanes
            wide = k.select(is_wide, most, 0)
            done, room = wide & -self.lanes, arrays.scan_panel_vectors * self.lanes
            with k.range(done, step=room) as i:
                left = done - i
                size = k.select(left < room, left, room)
                k.call(self.of_row("panel"), *self.elements(x, y, i), n, x_step, y_step, size)

            def at_line(s: Signature, index: Number) -> None:
                k.call(s, x.bytes(index * x_unit), y.bytes(index * y_unit), n, x_step, y_step, x_unit, y_unit)

            def in_blocks(s: Signature, many: int, done: Number, limit: Number) -> Number:
                """As many lines at a time as there are before number `limit`; how many are done then."""
                more = limit - done
                more = k.select(more > 0, more, 0)  # others may have gone on
                end = done + k.unsigned("udiv", more, many) * many
                with k.range(end, start=done, step=many) as i:
                    at_line(s, i)
                return end

            with k.when(k.all(can_overlap, done > 0, done < m)):
                at_line(self.block_signature(1, self.lanes), m - self.lanes)
                k.ret()
            for vectors in VECTORS:
                done = in_blocks(self.block_signature(vectors, self.lanes), vectors * self.lanes, done, most)
            if self.transposes:
                is_line = k.all(x_step == self.x_size, y_step == self.y_size, n >= SIDE)
                done = in_blocks(self.of_lines("squares"), SIDE, done, k.select(is_line, m, 0))
            for chains in CHAINS:
                done = in_blocks(self.block_signature(chains, 1), chains, done, m)

        return plane

    def walk(self) -> Function:
        """The other axes but the last one by one, and for each the plane with that one."""

        def body(k: Kernel, line: Sequence[Any], axes: Sequence[Any]) -> None:
            dims, xs, ys, _, last = axes
            m, x_unit, y_unit = dims[last], xs[last], ys[last]
            k.call(self.of_lines("plane", m=i64), *line, x_unit, y_unit, m)

        return line_walk(self.name, self.line, body)

    def entry(self) -> Function:
        @kernel(signature(self.name, internal=False, bases=array(ptr), words=array(i64), rank=i64))
        def entry(k: Kernel, bases: Pointer, words: Pointer, rank: Number) -> None:
            line, axes = given_lines(k, bases, words, rank)
            with k.when(line[2] == 0):  # lines begin with their first element
                k.ret()
            last = rank - 1
            with k.when(last == 0):
                k.call(self.block_signature(1, 1), *line, 0, 0)
                k.ret()
            k.call(walk_signature(self.name, self.line), *line, *axes, last)

        return entry


def _complex_product(k: Kernel, x: Number, y: Number) -> Number:
    """(a + bi)(c + di) = (ac - bd) + (bc + ad)i of lanes in pairs."""
    W = x.type.lanes

    def pairs(value: Number, first: int, second: int) -> Number:
        return k.shuffle(value, None, [n + at for n in range(0, W, 2) for at in (first, second)])

    straight = x * pairs(y, 0, 0)
    crossed = pairs(x, 1, 0) * pairs(y, 1, 1)
    return k.shuffle(straight - crossed, straight + crossed, [n if n % 2 == 0 else W + n for n in range(W)])


def cumulate_text(dtype: str, tuning: Tuning) -> str:
    """The module of a dtype."""
    return module_text(cumulate_module(dtype, tuning))


def cumulate_module(dtype: str, tuning: Tuning) -> Module:
    return Module([f for name in ("cumsum", "cumprod") for f in Cumulate(name, dtype, tuning).functions()])
