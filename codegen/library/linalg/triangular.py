"""Triangular systems: X with A X = B, A triangular; the modules `triangular_*`, a function for each half and diagonal.

Contract  A and X have adjacent elements in one of their axes; X may be B.  The other half of A is not read, nor is the
          diagonal if it is ones.  A zero on the diagonal fails.
How       trsm, in place, and trsv for one right-hand side: rows of X are columns to them, so in C order it is solved
          from the right.
"""

from __future__ import annotations

from typing import Any

from tensordsl.codegen.kernel_ir.ir import Function, Module
from tensordsl.codegen.kernel_ir.language import Kernel, Number, Pointer, kernel
from tensordsl.codegen.kernel_ir.types import i1, i64, ptr, signature
from tensordsl.codegen.library.linalg.batches import (
    COPY_MATRIX,
    FILL_NAN,
    Batch,
    Given,
    Operand,
    Small,
    Work,
    matrix_copies,
    module,
    nans,
    object_text,
)
from tensordsl.codegen.library.linalg.fortran import NUMBERS, Element, Fortran, either, quotient
from tensordsl.codegen.library.linalg.small import is_small, is_triangle_for_dots, small_functions, small_signature
from tensordsl.codegen.target.tuning import Tuning

BATCH = Batch({"a": 2, "b": 2, "x": 2}, {"n": ("a", 0), "k": ("b", 1)}, ("lower", "unit"))
FUNCTIONS = {
    "triangular_lower": (True, False), "triangular_upper": (False, False),
    "triangular_unit_lower": (True, True), "triangular_unit_upper": (False, True),
}  # fmt: skip
HAS_ZERO = signature("has_zero", i1, a=ptr, step=i64, n=i64)


class Triangles:
    """Systems with the triangles of a matrix at steps that are the same for all matrices of a run: `solve` writes one.
    Made in a function's entry block, as `Fortran` is."""

    def __init__(self, k: Kernel, fortran: Fortran, a: Operand, x: Operand, rows: Number, columns: Number) -> None:
        self.k, self.fortran, self.count = k, fortran, columns
        size = fortran.size
        self.a_in_rows = a.column == size
        lda = k.max(quotient(k, k.select(self.a_in_rows, a.row, a.column), size), rows)
        self.x_in_rows = x.column == size
        ldx = quotient(k, k.select(self.x_in_rows, x.row, x.column), size)
        ldx = k.max(ldx, k.select(self.x_in_rows, columns, rows))
        step = k.max(quotient(k, x.row, size), 1)
        self.n, self.lda, self.ldx, self.step = (fortran.integer(v) for v in (rows, lda, ldx, step))
        self.rows = fortran.integer(k.select(self.x_in_rows, columns, rows))
        self.columns = fortran.integer(k.select(self.x_in_rows, rows, columns))
        self.one = fortran.number(1.0)
        self.side = either(k, self.x_in_rows, "R", "L")

    def solve(
        self, a: Pointer, x: Pointer, lower: Number | bool, transposed: Number | bool, unit: Number | bool
    ) -> None:
        """x = T^-1 x, where T is a half of a matrix, or that transposed."""
        k = self.k
        half = either(k, k.number(lower, i1) ^ self.a_in_rows, "L", "U")
        diagonal = either(k, k.number(unit, i1), "U", "N")
        is_transposed = k.number(transposed, i1) ^ self.a_in_rows  # of what LAPACK sees
        with k.when(self.count == 1):
            form = half, either(k, is_transposed, "T", "N"), diagonal
            self.fortran.call("trsv", *form, self.n, a, self.lda, x, self.step, texts=3)
        with k.otherwise():
            from_right = is_transposed ^ self.x_in_rows
            sided = self.side, half, either(k, from_right, "T", "N"), diagonal
            self.fortran.call("trsm", *sided, self.rows, self.columns, self.one, a, self.lda, x, self.ldx, texts=4)


def zero_test(of: Element) -> Function:
    @kernel(HAS_ZERO)
    def has_zero(k: Kernel, a: Pointer, step: Number, n: Number) -> None:
        """On the diagonal of a matrix of n rows, one `step` bytes behind the other."""
        found = k.variable(False, i1)
        with k.range(n) as i:
            found |= k.all(*(part == 0.0 for part in of.load(a.bytes(i * step))))
        k.ret(found)

    return has_zero


def triangular_text(dtype: str, tuning: Tuning) -> str:
    return object_text(triangular_module(dtype, tuning))


def triangular_module(dtype: str, tuning: Tuning) -> Module:
    of = NUMBERS[dtype]

    def each(k: Kernel, run: Given) -> Work:
        triangles = Triangles(k, Fortran(k, dtype, run.rt), run.a, run.x, run.n, run.k)
        step = run.a.row + run.a.column
        rows = k.select(run.unit, 0, run.n)

        def one(here: Given) -> Number:
            failed: Number = k.call(HAS_ZERO, here.a.place, step, rows)
            k.call(COPY_MATRIX, *here.b.words, *here.x.words, run.n, run.k)
            triangles.solve(here.a.place, here.x.place, run.lower, False, run.unit)
            with k.when(failed):
                k.call(FILL_NAN, *here.x.words, run.n, run.k)
            return failed

        return one

    def are_small(k: Kernel, run: Given) -> Number:
        is_for_dots = is_triangle_for_dots(k, tuning, run, of.size)
        return is_small(k, tuning, run.n, run.k) | is_for_dots

    def operands(run: Given) -> list[Any]:
        return [*run.a.run, *run.b.run, *run.x.run, run.n, run.k, run.lower, run.unit]

    code = small_functions("triangular", of, tuning)
    small = Small(are_small, small_signature("triangular", of), operands) if code else None
    return module(
        *matrix_copies(of, tuning),
        nans(of),
        zero_test(of),
        *BATCH.runs(each, tuning, small),
        *code,
        *(BATCH.entry(f"{name}_{dtype}", flags) for name, flags in FUNCTIONS.items()),
    )
