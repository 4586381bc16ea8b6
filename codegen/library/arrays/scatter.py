"""Scatter: setting and adding to blocks of an array at positions, in their order (`scatter_*`).

Contract  `program_ir.instructions.Scatter` says what a symbol of `abi.layouts.SCATTERS` computes.
How       axes of a block that are not its row are walked outside of the positions, so that each walk over these writes
          one part of the array; offsets of 512 positions are computed at once, and rows to come are prefetched.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tensordsl.base.records import record
from tensordsl.codegen.abi import layouts
from tensordsl.codegen.kernel_ir.float16 import Float16
from tensordsl.codegen.kernel_ir.ir import Function, Module
from tensordsl.codegen.kernel_ir.language import Kernel, Number, Pointer, kernel
from tensordsl.codegen.kernel_ir.types import (
    INTEGER_OF_BYTES,
    Kind,
    Signature,
    Type,
    array,
    f32,
    f64,
    i8,
    i16,
    i32,
    i64,
    ptr,
    signature,
)  # fmt: skip
from tensordsl.codegen.library.arrays.histogram import MAX_COUNT, count_bytes, counted, counted_signature
from tensordsl.codegen.library.polls import POLL, line_walk, polled_range, walk_signature
from tensordsl.codegen.llvm.kernel_text import module_text
from tensordsl.codegen.target.machine import ALIAS_BYTES, CACHE_LINE_BYTES
from tensordsl.codegen.target.tuning import Tuning

TYPES = {"i8": i8, "i16": i16, "i32": i32, "i64": i64, "float": f32, "double": f64}
UNROLL = 4  # vectors of a row in one round of the loop
OFFSETS_AT_ONCE, OFFSETS_PER_VECTOR = 512, 8  # positions whose offsets are found at once; in a vector
IS_COLUMN = 2  # of `is_row`: what is written at each position are strided elements
OFFSETS = signature(
    "offsets", positions=array(ptr), sizes=array(i64), steps=array(i64), k=i64, start=i64, count=i64, room=array(i64),
)  # fmt: skip


def scatter_text(t: Tuning) -> str:
    """The whole module."""
    return module_text(scatter_module(t))


def scatter_module(t: Tuning) -> Module:
    vector_bytes = t.machine.vector_bytes
    functions = [count_bytes, offsets, _sum_of_halves(t, 1), _sum_of_halves(t, vector_bytes // 2)]
    for name in layouts.SCATTERS:
        operation, _, word = name.rpartition("_")
        functions += Scatter(name, operation.partition("_")[0], TYPES[word], t).functions()
    return Module(functions)


def _add_offsets(k: Kernel, positions: Pointer, step: Number, count: Number, room: Pointer) -> None:
    W = OFFSETS_PER_VECTOR
    whole, steps = count & -W, k.splat(step, W)
    with k.range(whole, step=W) as i:
        at = positions[i : i + W].unsigned(i64)
        room[i : i + W] = room[i : i + W] + at * steps
    with k.range(count, start=whole) as i:
        at = positions[i].unsigned(i64)
        room[i] = room[i] + at * step


@kernel(OFFSETS)
def offsets(
    k: Kernel, positions: Pointer, sizes: Pointer, steps: Pointer, arrays: Number, start: Number, count: Number,
    room: Pointer,
) -> None:  # fmt: skip
    """The byte offsets of `count` positions from number `start` on, of integers of `sizes` bytes in several arrays."""
    with k.range(count, step=OFFSETS_PER_VECTOR) as i:
        room[i : i + OFFSETS_PER_VECTOR] = 0
    with k.range(arrays) as a:
        integers, size, step = positions[a], sizes[a], steps[a]
        first = integers.bytes(size * start)
        for bytes in (1, 2, 8):
            with k.when(size == bytes):
                _add_offsets(k, first.of(INTEGER_OF_BYTES[bytes], align=1), step, count, room)


def _halves_signature(lanes: int) -> Signature:
    return signature(
        "sum_of_halves" if lanes == 1 else "sums_of_halves", i16.of(lanes), x=i16.of(lanes), y=i16.of(lanes)
    )


def _sum_of_halves(t: Tuning, lanes: int) -> Function:
    @kernel(_halves_signature(lanes))
    def sum_of_halves(k: Kernel, x: Number, y: Number) -> None:
        """x + y of float16, rounded once."""
        half = Float16(k, "half" if t.machine.has_half else "")
        k.ret(half.narrowed(half.rounded(half.widened(x) + half.widened(y))))

    return sum_of_halves


@record(eq=False)
class Scatter:
    """The functions of an operation, which is "set", "half" (adds float16), or an op of elements."""

    name: str
    operation: str
    element: Type
    tuning: Tuning

    @property
    def places(self) -> dict[str, Kind]:
        e = array(self.element)
        return dict(x=e, y=e, positions=array(i64), step=i64, count=i64, y_step=i64)

    @property
    def counts(self) -> bool:
        return self.operation == "add" and self.tuning.allows("histogram_scatter")

    def functions(self) -> list[Function]:
        bodies = [self.elements(), self.columns(), self.rows(), self.walk(), self.entry()]
        return bodies + ([counted(self.name, self.element)] if self.counts else [])

    # -- signatures
    def elements_signature(self) -> Signature:
        return signature(f"elements_{self.name}", None, self.places)

    def columns_signature(self) -> Signature:
        return signature(f"columns_{self.name}", None, self.places, width=i64, x_unit=i64, y_unit=i64)

    def rows_signature(self) -> Signature:
        return signature(f"rows_{self.name}", None, self.places, width=i64, y_unit=i64)

    # -- elements
    def put(self, k: Kernel, target: Pointer, source: Pointer, lanes: int = 1) -> None:
        """One element, or one vector, of x from one of y."""
        value = source[0:lanes]
        if self.operation == "half":
            value = k.call(_halves_signature(lanes), target[0:lanes], value)
        elif self.operation != "set":
            old = target[0:lanes]
            value = old + value if self.operation == "add" else k.emit(self.operation, old, value)
        target[0:lanes] = value

    def elements(self) -> Function:
        @kernel(self.elements_signature())
        def elements(
            k: Kernel, x: Pointer, y: Pointer, positions: Pointer, step: Number, count: Number, y_step: Number
        ) -> None:
            """One element at each position."""
            whole = count & -UNROLL
            with polled_range(k, whole, step=UNROLL) as first:
                each = [first + n for n in range(UNROLL)]
                pairs = [(x.bytes(positions[i] * step), y.bytes(i * y_step)) for i in each]
                for target, source in pairs:  # in order: they may be one element
                    self.put(k, target, source)
            with k.range(count, start=whole) as i:
                self.put(k, x.bytes(positions[i] * step), y.bytes(i * y_step))

        return elements

    def columns(self) -> Function:
        @kernel(self.columns_signature())
        def columns(
            k: Kernel, x: Pointer, y: Pointer, positions: Pointer, step: Number, count: Number, y_step: Number,
            width: Number, x_unit: Number, y_unit: Number,
        ) -> None:  # fmt: skip
            """At each position `width` strided elements."""
            block = self.tuning.arrays.scatter_block_rows
            with k.range(width, step=block) as first:
                left = width - first
                some = k.select(left < block, left, block)
                x_first, y_first = first * x_unit, first * y_unit
                with polled_range(k, count) as i:
                    target = k.variable(x.bytes(positions[i] * step).bytes(x_first))
                    source = k.variable(y.bytes(i * y_step).bytes(y_first))
                    with k.range(some):
                        self.put(k, target.value, source.value)
                        target.set(target.bytes(x_unit))
                        source.set(source.bytes(y_unit))

        return columns

    def rows(self) -> Function:
        arrays, size = self.tuning.arrays, self.element.bytes
        lanes = self.tuning.machine.vector_bytes // size

        @kernel(self.rows_signature())
        def rows(
            k: Kernel, x: Pointer, y: Pointer, positions: Pointer, step: Number, count: Number, y_step: Number,
            width: Number, y_unit: Number,
        ) -> None:  # fmt: skip
            """A row of `width` adjacent elements at each position; y's stride is `y_unit` bytes.  Rows shorter than a
            vector have a loop of their own."""
            last, end = count - 1, width * size - 1
            starts = range(0, arrays.scatter_prefetch_lines * CACHE_LINE_BYTES, CACHE_LINE_BYTES)
            lines = [k.select(end < at, end, at) for at in starts]
            is_adjacent, complete = y_unit == size, width & -lanes

            def fetch(i: Number, lines: Sequence[Any]) -> None:
                """Some of what is written a few positions later, which is no more than the last one's."""
                if self.tuning.allows("prefetch_blocks"):
                    later = i + arrays.scatter_prefetch_rows
                    row = x.bytes(positions[k.select(later < last, later, last)] * step)
                    for at in lines:
                        k.prefetch(row.bytes(at), for_writing=True)

            def each(lines: Sequence[Any], complete: Any) -> None:
                with polled_range(k, count) as i:
                    fetch(i, lines)
                    self.put_row(k, x.bytes(positions[i] * step), y.bytes(i * y_step), width, complete, lanes)
                k.ret()

            with k.when(is_adjacent):
                with k.when(complete == 0):
                    each([0], 0)
                each(lines, complete)
            with polled_range(k, count) as i:
                target, source = (k.variable(p) for p in (x.bytes(positions[i] * step), y.bytes(i * y_step)))
                fetch(i, lines)
                with k.range(width):
                    self.put(k, target.value, source.value)
                    target.set(target + 1)
                    source.set(source.bytes(y_unit))

        return rows

    def put_row(self, k: Kernel, row: Pointer, source: Pointer, width: Number, complete: Any, lanes: int) -> None:
        """Whole vectors, and what is left by halves, quarters and so on; of float16 one by one, as sums are functions.
        complete: the elements in complete vectors."""
        if isinstance(complete, Number):
            with k.range(complete, step=lanes) as i:
                self.put(k, row + i, source + i, lanes)
        if self.operation == "half":
            with k.range(width, start=complete) as i:
                self.put(k, row + i, source + i)
            return
        count = lanes // 2
        while count:
            with k.when((width & count) != 0):
                at = width & -2 * count
                self.put(k, row + at, source + at, count)
            count //= 2

    # -- axes
    def walk(self) -> Function:
        def body(k: Kernel, places: Sequence[Any], axes: Sequence[Any]) -> None:
            *places, is_row = places
            dims, xs, ys, _, last = axes
            with k.when(is_row == 0):
                k.call(self.elements_signature(), *places)
                k.ret()
            width, x_unit, y_unit = dims[last], xs[last], ys[last]
            with k.when(is_row == IS_COLUMN):
                k.call(self.columns_signature(), *places, width, x_unit, y_unit)
                k.ret()
            k.call(self.rows_signature(), *places, width, y_unit)

        return line_walk(self.name, {**self.places, "is_row": i64}, body)

    def entry(self) -> Function:
        arrays, walk = self.tuning.arrays, walk_signature(self.name, {**self.places, "is_row": i64})

        @kernel(signature(self.name, internal=False, bases=array(ptr), words=array(i64), k=i64, rank=i64, is_row=i64))
        def scatter(
            k: Kernel, bases: Pointer, words: Pointer, many_positions: Number, rank: Number, is_row: Number
        ) -> None:
            """bases: x, y, positions; words: count, y_step, steps, dims, strides of x and of y, bytes of positions."""
            x, y, positions = bases[0].of(self.element), bases[1].of(self.element), bases + 2
            count, y_step, steps = words[0], words[1], words + 2
            dims = steps + many_positions
            xs = dims + rank
            ys = xs + rank
            row_step = xs[rank - 1]
            aliased = row_step & (ALIAS_BYTES // 2 - 1)
            is_few = k.all(is_row == 0, rank > 0, aliased != 0, count <= arrays.scatter_few_positions)
            kind = k.select(is_few, IS_COLUMN, is_row)
            outer = rank - is_few.unsigned(i64) - is_row
            sizes = ys + rank
            with k.when((many_positions == 1) & (sizes[0] == i64.bytes)):
                with k.when(count > 0):
                    given = positions[0].of(i64), steps[0], count, y_step, kind
                    k.call(walk, x, y, *given, dims, xs, ys, 0, outer)
                k.ret()
            if self.counts:
                size = sizes[0]
                is_many = count >= arrays.histogram_min_positions, count < MAX_COUNT
                is_one = many_positions == 1, rank == 0, y_step == 0, size == 1
                with k.when(k.all(*is_one, *is_many)):
                    is_done = k.call(counted_signature(self.name, self.element), x, y, positions[0], steps[0], count)
                    with k.when(is_done):
                        k.ret()
            room = k.alloca(i64, OFFSETS_AT_ONCE, align=64)
            with k.range(count, step=OFFSETS_AT_ONCE) as first:
                left = count - first
                some = k.select(left < OFFSETS_AT_ONCE, left, OFFSETS_AT_ONCE)
                k.call(OFFSETS, positions, sizes, steps, many_positions, first, some, room)
                k.call(walk, x, y.bytes(y_step * first), room, 1, some, y_step, kind, dims, xs, ys, 0, outer)
                k.call(POLL)

        return scatter
