"""The cotangent of a symmetric matrix from that of its Cholesky factor; the modules `choleskyvjp_*`.

Contract  the lower triangles of L and G -> a lower triangle, whose elements off the diagonal count for both of the
          matrix's; L and the result in C order, the result may be G.
How       the factorisation's blocks backwards, a sixth of the multiplications of two triangular solves and a product.
Ref       I. Murray: "Differentiation of the Cholesky decomposition", 2016 (arXiv:1602.07527), sections 4 and 5.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from tensordsl.codegen.abi import layouts
from tensordsl.codegen.kernel_ir.ir import Function, Module
from tensordsl.codegen.kernel_ir.language import Kernel, Number, Pointer, kernel
from tensordsl.codegen.kernel_ir.types import Kind, Signature, i64, ptr, signature
from tensordsl.codegen.library.linalg.batches import (
    COPY_TRIANGLE,
    Batch,
    Given,
    Small,
    Work,
    module,
    object_text,
    stack,
    triangle_copies,
)
from tensordsl.codegen.library.linalg.fortran import NUMBERS, Element, Fortran, letter, quotient
from tensordsl.codegen.library.linalg.small import is_small, small_functions, small_signature
from tensordsl.codegen.target.tuning import Tuning

BATCH = Batch({"l": 2, "g": 2, "o": 2}, {"n": ("l", 0)}, has_scratch=True)
SEVERAL = signature("several", i64, {**stack("l", "g", "o"), "n": i64, "count": i64})
SINGLY = signature("singly", i64, dict(SEVERAL.parameters))
_TRIANGLES: dict[str, Kind] = {"l": ptr, "l_row": i64, "o": ptr, "o_row": i64}
COLUMNS = signature("columns", None, _TRIANGLES, n=i64)
SYMMETRIC = signature("symmetric", None, x=ptr, x_row=i64, y=ptr, n=i64)


def cholesky_vjp_text(dtype: str, tuning: Tuning) -> str:
    return object_text(cholesky_vjp_module(dtype, tuning))


def cholesky_vjp_module(dtype: str, tuning: Tuning) -> Module:
    of = NUMBERS[dtype]
    block = tuning.matrices.vjp_block_rows

    def each(k: Kernel, run: Given) -> Work:
        blocks = _Blocks(k, Fortran(k, dtype, run.rt), run)

        def one(here: Given) -> bool:
            k.call(COPY_TRIANGLE, *here.g.words, *here.o.words, run.n)
            with k.range(run.n, step=block) as done:
                end = run.n - done
                blocks.write(here.l.place, here.o.place, k.max(end - block, 0), end)
            return False

        return one

    def are_small(k: Kernel, run: Given) -> Any:
        return run.n <= block

    def operands(run: Given) -> list[Any]:
        return [*run.l.run, *run.g.run, *run.o.run, run.n]

    return module(
        *triangle_copies(of, tuning),
        *_columns(of, tuning.machine.vector_bytes // of.size),
        _symmetric(of),
        _singly(),
        *BATCH.runs(each, tuning, Small(are_small, SEVERAL, operands)),
        *small_functions("cholesky_vjp", of, tuning),
        _several(of, tuning),
        BATCH.entry(f"cholesky_vjp_{dtype}"),
    )


class _Blocks:
    """A block of rows from `start` to `end`, by Murray's names: of L before the diagonal block D, R, and below R and D,
    B and C.  To BLAS all are their transposes."""

    def __init__(self, k: Kernel, fortran: Fortran, run: Given) -> None:
        self.k, self.fortran, self.size, self.run = k, fortran, fortran.size, run
        self.lead_l, self.lead_o = (fortran.integer(quotient(k, x.row, self.size)) for x in (run.l, run.o))
        self.one, self.minus = fortran.number(1.0), fortran.number(-1.0)
        self.rows, self.before, self.below = (fortran.integer(0) for _ in range(3))
        self.sum = run.scratch.bytes(layouts.LINALG_HEAD_BYTES)

    def write(self, l: Pointer, o: Pointer, start: Number, end: Number) -> None:
        k, call, run = self.k, self.fortran.call, self.run
        rows, below = end - start, run.n - end
        for value, word in ((rows, self.rows), (start, self.before), (below, self.below)):
            word[0] = value
        column = start * self.size

        def parts(matrix: Pointer, step: Number) -> tuple[Pointer, Pointer, Pointer, Pointer]:
            """R, D, B, C"""
            row, under = matrix.bytes(start * step), matrix.bytes(end * step)
            return row, row.bytes(column), under, under.bytes(column)

        (r, d, b, c), (of_r, of_d, of_b, of_c) = parts(l, run.l.row), parts(o, run.o.row)
        no, to = letter(k, "N"), letter(k, "T")
        ld, lo, minus, one = self.lead_l, self.lead_o, self.minus, self.one
        with k.when(below > 0):
            sides = letter(k, "L"), letter(k, "U")
            call("trsm", *sides, no, no, self.rows, self.below, one, d, ld, of_c, lo, texts=4)
            with k.when(start > 0):
                call("gemm", no, no, self.before, self.below, self.rows, minus, r, ld, of_c, lo, one, of_b, lo, texts=2)
                call("gemm", no, to, self.before, self.rows, self.below, minus, b, ld, of_c, lo, one, of_r, lo, texts=2)
            call("gemm", no, to, self.rows, self.rows, self.below, minus, c, ld, of_c, lo, one, of_d, lo, texts=2)
        k.call(COLUMNS, d, run.l.row, of_d, run.o.row, rows)
        k.call(SYMMETRIC, of_d, run.o.row, self.sum, rows)
        with k.when(start > 0):
            call(
                "gemm", no, no, self.before, self.rows, self.rows, minus, r, ld, self.sum, self.rows, one, of_r, lo,
                texts=2,
            )  # fmt: skip


def _several(of: Element, tuning: Tuning) -> Function:
    @kernel(SEVERAL)
    def several(k: Kernel, *values: Any) -> None:
        """A run of matrices of a block at most, by code of their own or column by column; none fails."""
        given = dict(zip(dict(SEVERAL.parameters), values, strict=True))
        if tuning.allows("small_matrices"):
            with k.when(is_small(k, tuning, given["n"])):
                k.ret(k.call(small_signature("cholesky_vjp", of), *values))
        k.ret(k.call(SINGLY, *values))

    return several


def _singly() -> Function:
    @kernel(SINGLY)
    def singly(k: Kernel, *values: Any) -> None:
        """A run of small matrices; none fails."""
        given = SimpleNamespace(**dict(zip(dict(SINGLY.parameters), values, strict=True)))
        places = [k.variable(x) for x in (given.l, given.g, given.o)]
        with k.range(given.count):
            l, g, o = here = [place.value for place in places]
            k.call(COPY_TRIANGLE, g, given.g_row, given.g_column, o, given.o_row, given.o_column, given.n)
            k.call(COLUMNS, l, given.l_row, o, given.o_row, given.n)
            for place, before, step in zip(places, here, (given.l_step, given.g_step, given.o_step), strict=True):
                place.set(before.bytes(step))
        k.ret(-1)

    return singly


def _columns(of: Element, lanes: int) -> list[Function]:
    t = of.part

    @kernel(COLUMNS)
    def columns(k: Kernel, l: Pointer, l_row: Number, o: Pointer, o_row: Number, n: Number) -> None:
        """All columns of a block, from the last; from row to row of L `l_row` bytes, of its cotangent `o_row`."""
        l, o = l.of(t), o.of(t)
        with k.range(n) as step:
            c = n - 1 - step
            below = c + 1
            row_l, row_o = l.bytes(c * l_row), o.bytes(c * o_row)
            diagonal, column_l, column_o = row_o + c, l + c, o + c
            inverse = k.number(1.0, t) / row_l[c]
            total = k.variable(diagonal[0])
            with k.range(n, start=below) as i:
                place = column_o.bytes(i * o_row)
                value = place[0] * inverse
                place[0] = value
                total -= value * column_l.bytes(i * l_row)[0]
            d = total * inverse
            width, done = lanes, k.number(0, i64)
            while width:
                some = c & -width
                with k.range(some, start=done, step=width) as j:
                    k.call(_chunk_signature(of, width), row_l, row_o, l, l_row, o, o_row, column_o, below, n, d, j)
                width, done = width // 2, some
            diagonal[0] = d * 0.5

    widths = [lanes >> shift for shift in range(lanes.bit_length())]
    return [*(_chunk(of, width) for width in widths), columns]


def _chunk_signature(of: Element, width: int) -> Signature:
    rows: dict[str, Kind] = {"row_l": ptr, "row_o": ptr, **_TRIANGLES}
    return signature(f"chunk{width}", None, rows, column=ptr, below=i64, n=i64, d=of.part, j=i64)


def _chunk(of: Element, width: int) -> Function:
    t = of.part

    def less(x: Number, factor: Number, y: Number) -> Number:
        """x - factor y, rounded once or twice."""
        product = x.k.emit("fmul", factor, y, contract=True)
        return x.k.emit("fsub", x, product, contract=True)

    @kernel(_chunk_signature(of, width))
    def chunk(
        k: Kernel, row_l: Pointer, row_o: Pointer, l: Pointer, l_row: Number, o: Pointer, o_row: Number,
        column: Pointer, below: Number, n: Number, d: Number, j: Number,
    ) -> None:  # fmt: skip
        """Some numbers of a row, and what is below them, for one column."""
        row, place = (row_l.of(t) + j)[0:width], row_o.of(t) + j
        total = k.variable(less(place[0:width], k.splat(d, width), row))
        of_l, of_o = ((x.of(t) + j).bytes(below * step) for x, step in ((l, l_row), (o, o_row)))
        places = [k.variable(x) for x in (of_l, of_o, column.of(t).bytes(below * o_row))]
        with k.range(n, start=below):
            before, (in_l, in_o, in_column) = total.value, [x.value for x in places]
            c = k.splat(in_column[0], width)
            in_o[0:width] = less(in_o[0:width], c, row)
            total.set(less(before, c, in_l[0:width]))
            for x, here, step in zip(places, (in_l, in_o, in_column), (l_row, o_row, o_row), strict=True):
                x.set(here.bytes(step))
        place[0:width] = total.value

    return chunk


def _symmetric(of: Element) -> Function:
    t = of.part

    @kernel(SYMMETRIC)
    def symmetric(k: Kernel, x: Pointer, x_row: Number, y: Pointer, n: Number) -> None:
        """The sum of a triangle and its transpose; zeros above the diagonal of the triangle itself."""
        x, y = x.of(t), y.of(t)
        with k.range(n) as i:
            row, to = x.bytes(i * x_row), y + i * n
            with k.range(i) as j:
                value = row[j]
                to[j] = value
                (y + i)[j * n] = value
            value = row[i]
            to[i] = value + value
            with k.range(n, start=i + 1) as j:
                row[j] = 0.0

    return symmetric
