"""LU factors, P L U = A, systems with them, and their exchanges; modules `lufactor_*`, `lusolve_*`, `swaprows_*`.

Contract  as SciPy's: L without its ones and U in one matrix, and int32 rows with which each was exchanged.  A zero on
          U's diagonal does not fail a factor; it fails a solution, as does a pivot that is no row.
How       getrf, with its pivots in the scratch buffer.  It wants columns adjacent: square factors in C order are
          transposed in place before it and behind it.
"""

from __future__ import annotations

from typing import Any

from tensordsl.codegen.abi import layouts
from tensordsl.codegen.kernel_ir.ir import Function, Module
from tensordsl.codegen.kernel_ir.language import Kernel, Number, Pointer, kernel
from tensordsl.codegen.kernel_ir.types import i1, i32, i64, ptr, signature
from tensordsl.codegen.library.linalg.batches import (
    COPY_MATRIX,
    FILL_NAN,
    Batch,
    Given,
    Small,
    Work,
    matrix,
    matrix_copies,
    module,
    nans,
    object_text,
)
from tensordsl.codegen.library.linalg.fortran import NUMBERS, Element, Fortran, quotient
from tensordsl.codegen.library.linalg.small import is_small, small_functions, small_signature
from tensordsl.codegen.library.linalg.triangular import HAS_ZERO, Triangles, zero_test
from tensordsl.codegen.target.tuning import Tuning

FACTOR = Batch({"a": 2, "f": 2, "p": 1}, {"m": ("a", 0), "n": ("a", 1)})
SOLVE = Batch({"a": 2, "p": 1, "b": 2, "x": 2}, {"n": ("a", 0), "k": ("b", 1)}, ("transposed",), takes_empty=True)
SWAP = Batch(  # without exchanges the rows are still copied
    {"b": 2, "p": 1, "x": 2}, {"n": ("b", 0), "k": ("b", 1), "few": ("p", 0)}, ("backwards",), takes_empty=True
)
TRANSPOSE = signature("transpose", None, x=ptr, row=i64, n=i64)
HAS_ROWS = signature("has_rows", i1, p=ptr, unit=i64, count=i64, n=i64)
EXCHANGE = signature("exchange", None, matrix("x"), p=ptr, unit=i64, n=i64, k=i64, backwards=i1)


def factor_text(dtype: str, tuning: Tuning) -> str:
    return object_text(factor_module(dtype, tuning))


def solve_text(dtype: str, tuning: Tuning) -> str:
    return object_text(solve_module(dtype, tuning))


def swap_text(dtype: str, tuning: Tuning) -> str:
    return object_text(swap_module(dtype, tuning))


def factor_module(dtype: str, tuning: Tuning) -> Module:
    of = NUMBERS[dtype]

    def each(k: Kernel, run: Given) -> Work:
        fortran, f = Fortran(k, dtype, run.rt), run.f
        in_rows = (f.column == of.size) & (f.row != of.size)  # of square matrices only
        wide = quotient(k, k.select(in_rows, f.row, f.column), of.size)
        m, n = fortran.integer(run.m), fortran.integer(run.n)
        lead = fortran.integer(k.max(wide, run.m))
        least = k.min(run.m, run.n)
        down, along = k.select(in_rows, f.column, f.row), k.select(in_rows, f.row, f.column)
        pivots = run.scratch.bytes(layouts.LINALG_HEAD_BYTES)

        def one(here: Given) -> bool:
            factors = here.f.place
            in_place = (here.a.place == factors) & (here.a.row == f.row) & in_rows
            with k.when(in_place):
                k.call(TRANSPOSE, factors, along, run.n)
            with k.when(~in_place):
                k.call(COPY_MATRIX, *here.a.words, factors, down, along, run.m, run.n)
            fortran.checked("getrf", m, n, factors, lead, pivots)
            with k.when(in_rows):
                k.call(TRANSPOSE, factors, along, run.n)
            with k.range(least) as i:
                pivot = pivots.bytes(i * fortran.int_size).of(i32)[0]
                here.p.place.bytes(i * here.p.unit).of(i32)[0] = pivot - 1
            return False

        return one

    def are_small(k: Kernel, run: Given) -> Any:
        return is_small(k, tuning, run.n) & (run.m == run.n) & (run.p.unit == i32.bytes)

    def operands(run: Given) -> list[Any]:
        return [*run.a.run, *run.f.run, run.p.place, run.p.step, run.n]

    code = small_functions("lu", of, tuning)
    small = Small(are_small, small_signature("lu", of), operands) if code else None
    return module(
        *matrix_copies(of, tuning),
        _transpose(of, tuning.matrices.transposed_block),
        *FACTOR.runs(each, tuning, small),
        *code,
        FACTOR.entry(f"lu_factor_{dtype}"),
    )


def _transpose(of: Element, block: int) -> Function:
    @kernel(TRANSPOSE)
    def transpose(k: Kernel, x: Pointer, row: Number, n: Number) -> None:
        """A square matrix changes places with its transpose, by blocks; a row begins `row` bytes behind the last."""
        with k.range(n, step=block) as high, k.range(n, start=high, step=block) as wide:
            end_of_rows, end_of_columns = k.min(high + block, n), k.min(wide + block, n)
            with k.range(end_of_rows, start=high) as i:
                right = k.max(i + 1, wide)
                line, down = x.bytes(i * row), x.of(of.part).skip(i, of.parts)
                with k.range(end_of_columns, start=right) as j:
                    _exchange_numbers(of, line.of(of.part).skip(j, of.parts), down.bytes(j * row))

    return transpose


def _exchange_numbers(of: Element, x: Pointer, y: Pointer) -> None:
    first, second = of.load(x), of.load(y)
    of.store(x, second)
    of.store(y, first)


def solve_module(dtype: str, tuning: Tuning) -> Module:
    of = NUMBERS[dtype]

    def each(k: Kernel, run: Given) -> Work:
        triangles = Triangles(k, Fortran(k, dtype, run.rt), run.a, run.x, run.n, run.k)
        step = run.a.row + run.a.column

        def one(here: Given) -> Number:
            a, x, pivots = here.a.place, here.x, (here.p.place, here.p.unit, run.n)
            singular = k.call(HAS_ZERO, a, step, run.n)
            failed: Number = singular | ~k.call(HAS_ROWS, *pivots, run.n)
            with k.when(failed):
                k.call(FILL_NAN, *x.words, run.n, run.k)
            with k.otherwise(), k.when((run.n > 0) & (run.k > 0)):  # LAPACK refuses strides of no elements
                k.call(COPY_MATRIX, *here.b.words, *x.words, run.n, run.k)
                with k.when(~run.transposed):
                    k.call(EXCHANGE, *x.words, *pivots, run.k, False)
                    triangles.solve(a, x.place, True, False, True)
                    triangles.solve(a, x.place, False, False, False)
                with k.when(run.transposed):
                    triangles.solve(a, x.place, False, True, False)
                    triangles.solve(a, x.place, True, True, True)
                    k.call(EXCHANGE, *x.words, *pivots, run.k, True)
            return failed

        return one

    def are_small(k: Kernel, run: Given) -> Any:
        return is_small(k, tuning, run.n, run.k) & (run.p.unit == i32.bytes)

    def operands(run: Given) -> list[Any]:
        return [*run.a.run, run.p.place, run.p.step, *run.b.run, *run.x.run, run.n, run.k, run.transposed]

    code = small_functions("lu", of, tuning)
    small = Small(are_small, small_signature("lu_solve", of), operands) if code else None
    return module(
        *matrix_copies(of, tuning),
        nans(of),
        zero_test(of),
        _rows_test(),
        _exchange(of),
        *SOLVE.runs(each, tuning, small),
        *code,
        SOLVE.entry(f"lu_solve_{dtype}", [False]),
        SOLVE.entry(f"lu_solve_transposed_{dtype}", [True]),
    )


def swap_module(dtype: str, tuning: Tuning) -> Module:
    """A pivot that is no row fails."""
    of = NUMBERS[dtype]

    def each(k: Kernel, run: Given) -> Work:
        def one(here: Given) -> Number:
            pivots = here.p.place, here.p.unit, run.few
            k.call(COPY_MATRIX, *here.b.words, *here.x.words, run.n, run.k)
            is_right: Number = k.call(HAS_ROWS, *pivots, run.n)
            with k.when(is_right):
                k.call(EXCHANGE, *here.x.words, *pivots, run.k, run.backwards)
            return ~is_right

        return one

    return module(
        *matrix_copies(of, tuning),
        _rows_test(),
        _exchange(of),
        *SWAP.runs(each, tuning),
        SWAP.entry(f"swap_rows_{dtype}", [False]),
        SWAP.entry(f"swap_rows_back_{dtype}", [True]),
    )


def _rows_test() -> Function:
    @kernel(HAS_ROWS)
    def has_rows(k: Kernel, p: Pointer, unit: Number, count: Number, n: Number) -> None:
        """Whether some pivots are rows of a matrix of n rows."""
        answer = k.variable(True, i1)
        with k.range(count) as i:
            answer &= p.bytes(i * unit).of(i32)[0].unsigned(i64) < n
        k.ret(answer)

    return has_rows


def _exchange(of: Element) -> Function:
    @kernel(EXCHANGE)
    def exchange(
        k: Kernel, x: Pointer, x_row: Number, x_column: Number, p: Pointer, unit: Number, n: Number, columns: Number,
        backwards: Number,
    ) -> None:  # fmt: skip
        """Rows change places, in order or from the last one."""
        with k.range(n) as step:
            i = k.select(backwards, n - 1 - step, step)
            pivot = p.bytes(i * unit).of(i32)[0].unsigned(i64)
            with k.when(pivot != i):
                first, second = x.bytes(i * x_row), x.bytes(pivot * x_row)
                with k.range(columns) as j:
                    at = j * x_column
                    _exchange_numbers(of, first.bytes(at), second.bytes(at))

    return exchange
