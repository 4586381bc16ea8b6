"""Cholesky factors: L, lower, with A = L L^T, from the lower triangle of A; the modules `cholesky_*`.

Contract  L has adjacent elements in one of its axes, and may be A; zeros above the diagonal.  For upper factors the
          caller exchanges the axes of both.
How       potrf, in place.  To LAPACK, rows are columns: a factor in C order is the upper one of the same matrix, or
          the transpose of its lower one (`mirror`).
"""

from __future__ import annotations

from typing import Any

from tensordsl.codegen.kernel_ir.ir import Module
from tensordsl.codegen.kernel_ir.language import Kernel, Number
from tensordsl.codegen.kernel_ir.types import i1
from tensordsl.codegen.library.linalg.batches import (
    COPY_TRIANGLE,
    FILL_NAN,
    Batch,
    Given,
    Small,
    Work,
    module,
    nans,
    object_text,
    triangle_copies,
)
from tensordsl.codegen.library.linalg.fortran import NUMBERS, Fortran, either, quotient
from tensordsl.codegen.library.linalg.mirror import MIRROR_DOWN, MIRROR_UP, mirrors
from tensordsl.codegen.library.linalg.small import is_small, small_functions, small_signature
from tensordsl.codegen.target.machine import CACHE_LINE_BYTES
from tensordsl.codegen.target.tuning import Tuning

BATCH = Batch({"a": 2, "l": 2}, {"n": ("a", 0)})


def cholesky_text(dtype: str, tuning: Tuning) -> str:
    return object_text(cholesky_module(dtype, tuning))


def cholesky_module(dtype: str, tuning: Tuning) -> Module:
    of = NUMBERS[dtype]
    is_fast = tuning.allows("mirrored_cholesky") and tuning.machine.vector_bytes == CACHE_LINE_BYTES
    has_mirrors = is_fast and of.parts == 1

    def each(k: Kernel, run: Given) -> Work:
        fortran, l = Fortran(k, dtype, run.rt), run.l
        in_rows = l.column == of.size
        wide = k.max(quotient(k, k.select(in_rows, l.row, l.column), of.size), run.n)
        n, lead = fortran.integer(run.n), fortran.integer(wide)
        is_mirrored = k.number(False, i1)
        if has_mirrors:
            is_large = run.n >= tuning.matrices.mirror_min_rows
            is_mirrored = in_rows & (run.a.column == of.size) & is_large
        half = either(k, in_rows & ~is_mirrored, "U", "L")

        def one(here: Given) -> Number:
            factor = here.l.place
            with k.when(~is_mirrored):
                k.call(COPY_TRIANGLE, *here.a.words, *here.l.words, run.n)
            if has_mirrors:
                with k.when(is_mirrored):
                    k.call(MIRROR_UP, here.a.place, here.a.row, factor, l.row, run.n)
            failed = fortran.checked("potrf", half, n, factor, lead, texts=1)
            if has_mirrors:
                with k.when(is_mirrored):
                    k.call(MIRROR_DOWN, factor, l.row, run.n)
            with k.when(failed):
                k.call(FILL_NAN, *here.l.words, run.n, run.n)
            return failed

        return one

    def are_small(k: Kernel, run: Given) -> Number:
        return is_small(k, tuning, run.n)

    def operands(run: Given) -> list[Any]:
        return [*run.a.run, *run.l.run, run.n]

    code = small_functions("cholesky", of, tuning)
    small = Small(are_small, small_signature("cholesky", of), operands) if code else None
    return module(
        *triangle_copies(of, tuning),
        nans(of),
        *BATCH.runs(each, tuning, small),
        *(mirrors(of) if has_mirrors else []),
        *code,
        BATCH.entry(f"cholesky_{dtype}"),
    )
