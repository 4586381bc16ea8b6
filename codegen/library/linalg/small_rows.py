"""Factors of one small matrix, its rows as vectors: Cholesky, and LU with partial pivoting.

Contract  `cholesky`, `lu`: as of `small_factors`, of one matrix with at most `width` rows; `copies`: what they call to
          copy a matrix to rows in scratch and back.
Why       one matrix fills lanes with its columns; operations on a number are those of the other forms, in their order.
How       steps are written in groups of `CHUNK`, which leave out what lies before their diagonal.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tensordsl.codegen.kernel_ir.ir import Function
from tensordsl.codegen.kernel_ir.language import Kernel, Number, Pointer, kernel
from tensordsl.codegen.kernel_ir.transposition import transposed_square
from tensordsl.codegen.kernel_ir.types import Signature, i1, i32, i64, ptr, signature
from tensordsl.codegen.library.linalg.fortran import NAN, Element
from tensordsl.codegen.library.linalg.small_factors import At, Run, Work, reserved
from tensordsl.codegen.library.linalg.small_values import CHUNK, fma, lanes_before, lanes_until, less_product


def cholesky(work: Work, width: int) -> Run:
    """The upper factor in rows: row i of the lower one is its column i."""
    k, n, m = work.k, work.rows, Rows(work, width)

    def step(c: Number, pivot: Number, first: int) -> tuple[Number, Number]:
        """Has it failed, and the next pivot, which is computed for itself too, as everything waits for it."""
        is_bad, below = pivot <= 0.0, c + 1
        root = k.emit("fsqrt", pivot)
        following = m.number(c, below) / root
        following = less_product(following, following, m.number(below, below))
        divisor = k.splat(root, CHUNK)
        upper = [x / divisor for x in m.get(c, first)]
        m.set(c, upper, first)
        m.set_number(c, c, root)
        with k.range(n, start=below) as i:
            left = k.splat(-m.number(c, i), CHUNK)
            m.set(i, [fma(left, x, y) for x, y in zip(upper, m.get(i, first), strict=True)], first)
        return is_bad, following

    def run(at: At) -> Number:
        m.take(at["a"], work.given["a_column"], work.given["a_row"])
        failed, pivot = k.variable(False, i1), k.variable(m.number(0, 0))
        for c, group in m.steps():
            before = failed.value
            is_bad, following = step(c, pivot.value, group)
            failed.set(before | is_bad)
            pivot.set(following)
        other = k.splat(k.select(failed, k.number(NAN, work.lanes.type), 0.0), CHUNK)
        failing = k.splat(failed, CHUNK)
        with k.range(n) as i:
            values = []
            for chunk, x in enumerate(m.get(i, 0)):
                is_upper = m.is_from(chunk, i)
                values.append(k.select((failing ^ is_upper) & is_upper, x, other))
            m.set(i, values, 0)
        m.give(at["l"], work.given["l_column"], work.given["l_row"])
        return failed

    return run


def lu(work: Work, width: int) -> Run:
    k, n, m = work.k, work.rows, Rows(work, width)

    def step(c: Number, pivots: Pointer, group: int) -> None:
        below = c + 1
        best, row = k.variable(k.emit("fabs", m.number(c, c))), k.variable(c)
        with k.range(n, start=below) as i:
            size, largest = k.emit("fabs", m.number(i, c)), best.value
            is_larger = size > largest
            best.set(k.select(is_larger, size, largest))
            row.set(k.select(is_larger, i, row))
        pivot = row.value
        (pivots.of(i32) + c)[0] = pivot.to(i32)
        upper, old = m.get(pivot, 0), m.get(c, 0)
        m.set(pivot, old, 0)
        m.set(c, upper, 0)
        value, upper = m.number(c, c), upper[group:]
        is_zero, is_behind = value == 0.0, m.is_from(group, below)
        with k.range(n, start=below) as i:
            number = m.number(i, c)
            factor = k.select(is_zero, number, number / value)
            left = k.splat(-factor, CHUNK)
            before = m.get(i, group)
            after = [fma(left, x, y) for x, y in zip(upper, before, strict=True)]
            after[0] = k.select(is_behind, after[0], before[0])
            m.set(i, after, group)
            m.set_number(i, c, factor)

    def run(at: At) -> None:
        m.take(at["a"], work.given["a_row"], work.given["a_column"])
        for c, group in m.steps():
            step(c, at["pivots"], group)
        m.give(at["lu"], work.given["lu_row"], work.given["lu_column"])

    return run


class Rows:
    """A matrix in memory of its own, whose rows are chunks; lanes behind their ends, and one row more, are read too."""

    def __init__(self, work: Work, width: int) -> None:
        self.k, self.number_type = work.k, work.lanes.number
        self.width, self.n, self.count = width, work.rows, width // CHUNK
        self.base = reserved(work.k, self.number_type.of(CHUNK), (width + 1) * self.count, anything=True)

    def end(self, group: int) -> Number:
        """Behind the last row of a chunk of them."""
        return self.k.select(self.n < CHUNK * (group + 1), self.n, CHUNK * (group + 1))

    def steps(self) -> Iterator[tuple[Number, int]]:
        """All rows, those of each chunk of the diagonal by a loop of their own."""
        for group in range(self.count):
            with self.k.range(self.end(group), start=CHUNK * group) as c:
                yield c, group

    def row(self, i: Number | int) -> Pointer:
        return self.base.skip(i, self.count)

    def get(self, i: Number, first: int) -> list[Number]:
        """A row's chunks from `first` on."""
        row = self.row(i)
        return [row[c] for c in range(first, self.count)]

    def set(self, i: Number, values: Sequence[Number], first: int) -> None:
        row = self.row(i)
        for c, value in enumerate(values, first):
            row[c] = value

    def number(self, i: Number | int, j: Number | int) -> Number:
        return self.row(i).of(self.number_type)[j]  # type: ignore[no-any-return]  # of any type

    def set_number(self, i: Number, j: Number, value: Number) -> None:
        self.row(i).of(self.number_type)[j] = value

    def is_from(self, chunk: int, column: Number) -> Number:
        """The columns of a chunk from one on."""
        columns = self.k.vector(range(CHUNK * chunk, CHUNK * (chunk + 1)), i64)
        return columns >= self.k.splat(column, CHUNK)

    def take(self, a: Pointer, row: Number, column: Number) -> None:
        """Copy a matrix."""
        self._copy("take", a, row, column)

    def give(self, a: Pointer, row: Number, column: Number) -> None:
        self._copy("give", a, row, column)

    def _copy(self, name: str, a: Pointer, row: Number, column: Number) -> None:
        self.k.call(_copy_signature(name, Element(self.number_type), self.width), self.base, a, row, column, self.n)


# Copies between memory with any strides and rows


def _copy_signature(name: str, of: Element, width: int) -> Signature:
    return signature(f"{name}_rows_{of.kind}.{width}", None, rows=ptr, a=ptr, row=i64, column=i64, n=i64)


def copies(of: Element, width: int, has_masks: bool) -> list[Function]:
    """has_masks: parts of vectors are loaded and stored as fast as complete ones."""
    return [_copy(of, width, is_taken, has_masks) for is_taken in (True, False)]


def _copy(of: Element, width: int, is_taken: bool, has_masks: bool) -> Function:
    count, chunk = width // CHUNK, of.part.of(CHUNK)

    def move(k: Kernel, place: Pointer, address: Pointer, mask: Number) -> None:
        if is_taken:
            place[0] = k.masked_load(address, mask, 0.0)
        else:
            k.masked_store(address, mask, place[0])

    def by_rows(k: Kernel, rows: Pointer, a: Pointer, row: Number, n: Number, masks: Sequence[Number]) -> None:
        with k.range(n) as i:
            place, address = rows.skip(i, count), a.bytes(i * row)
            for c in range(count):
                move(k, place + c, address + CHUNK * c, masks[c])

    def by_columns(k: Kernel, rows: Pointer, a: Pointer, column: Number, n: Number) -> None:
        """Columns of the matrix are rows of its transpose."""
        for c in range(count):
            with k.when(n > CHUNK * c), k.range(n, step=CHUNK) as i:
                _move_square(k, rows, a, column, n, c, i, count, is_taken)

    @kernel(_copy_signature("take" if is_taken else "give", of, width))
    def copy(k: Kernel, rows: Pointer, a: Pointer, row: Number, column: Number, n: Number) -> None:
        rows, a = rows.of(chunk, chunk.bytes), a.of(of.part)
        if has_masks:
            masks = [lanes_before(k, CHUNK * c, n, CHUNK) for c in range(count)]
            with k.when(column == of.size):
                by_rows(k, rows, a, row, n, masks)
                k.ret()
            with k.when(row == of.size):
                by_columns(k, rows, a, column, n)
                k.ret()
        with k.range(n) as i:
            place, address = rows.skip(i, count).of(of.part), k.variable(a.bytes(i * row))
            with k.range(n) as j:
                here, number = address.value, place + j
                if is_taken:
                    number[0] = here[0]
                else:
                    here[0] = number[0]
                address.set(here.bytes(column))

    return copy


def _move_square(
    k: Kernel, rows: Pointer, a: Pointer, column: Number, n: Number, c: int, first: Number, count: int, is_taken: bool
) -> None:
    """Rows `first` to first + 7 and columns 8 c to 8 c + 7, of which rows are adjacent in memory."""
    is_row, columns = lanes_until(k, n - first, CHUNK), []
    for j in range(CHUNK * c, CHUNK * (c + 1)):
        mask = k.select(n > j, is_row, k.number(False, i1.of(CHUNK)))
        columns.append((a.bytes(column * j) + first, mask))
    places = [rows.skip(first + i, count) + c for i in range(CHUNK)]
    if is_taken:
        values = transposed_square(k, [k.masked_load(*x, 0.0) for x in columns])
        for value, place in zip(values, places, strict=True):
            place[0] = value
        return
    for value, line in zip(transposed_square(k, [place[0] for place in places]), columns, strict=True):
        k.masked_store(*line, value)
