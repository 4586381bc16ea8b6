"""Cholesky factors: L, lower, with A = L L^T, from the lower triangle of A; the modules `cholesky_*`.

Contract  L has adjacent elements in one of its axes, and may be A; zeros above the diagonal.  For upper factors the
          caller exchanges the axes of both.
How       potrf, in place.  To LAPACK, rows are columns: a factor in C order is the upper one of the same matrix, or
          the transpose of its lower one (`mirror`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tensordsl.codegen.library.linalg.batches import (
    copy_text,
    entry_text,
    in_pieces_text,
    module_text,
    nan_text,
    places,
    run_params,
    run_text,
)
from tensordsl.codegen.library.linalg.fortran import NUMBERS, Fortran, either
from tensordsl.codegen.library.linalg.mirror import mirror_text
from tensordsl.codegen.library.linalg.small import is_small, small_text
from tensordsl.codegen.library.linalg.small_values import Lanes
from tensordsl.codegen.llvm.builder import Asm
from tensordsl.codegen.target.machine import CACHE_LINE_BYTES
from tensordsl.codegen.target.tuning import Tuning

OPERANDS = {"a": 2, "l": 2}
SIZES = {"n": ("a", 0)}
PARAMS = run_params(OPERANDS, list(SIZES))


def cholesky_text(dtype: str, tuning: Tuning) -> str:
    """The whole module."""
    of = NUMBERS[dtype]
    kind, size = of.kind, of.size
    is_fast = tuning.allows("mirrored_cholesky") and tuning.machine.vector_bytes == CACHE_LINE_BYTES
    mirrors = is_fast and of.parts == 1

    def each(f: Asm) -> Callable[[Mapping[str, str]], str]:
        fortran = Fortran(f, dtype)
        in_rows = f.eq("%l_column", size)
        wide = f.sdiv(f.choose(in_rows, "%l_row", "%l_column"), size)
        wide = f.call("i64", "@llvm.smax.i64", f"i64 {wide}", "i64 %n")
        n, ld = fortran.integer("%n"), fortran.integer(wide)
        is_mirrored = "false"
        if mirrors:
            least = f.ge("%n", tuning.matrices.mirror_min_rows)
            is_mirrored = f.all(in_rows, f.eq("%a_column", size), least)
        half = either(f, f.all(in_rows, f.negate(is_mirrored)), "U", "L")

        def one(at: Mapping[str, str]) -> str:
            a, l = (f"ptr {at[x]}, i64 %{x}_row, i64 %{x}_column" for x in "al")
            with f.when(f.negate(is_mirrored)):
                f.call("void", "@copy_triangle", a, l, "i64 %n")
            result = f"ptr {at['l']}", "i64 %l_row", "i64 %n"
            if mirrors:
                with f.when(is_mirrored):
                    f.call("void", "@mirror_up", f"ptr {at['a']}", "i64 %a_row", *result)
            failed = fortran.checked("potrf", half, n, at["l"], ld, texts=1)
            if mirrors:
                with f.when(is_mirrored):
                    f.call("void", "@mirror_down", *result)
            with f.when(failed):
                f.call("void", "@fill_nan", l, "i64 %n", "i64 %n")
            return failed

        return one

    def small(f: Asm) -> str:
        return is_small(f, tuning, "cholesky", "%n", "1")

    given = [value for x in OPERANDS for value in places(x)]
    code = small_text("cholesky", of, tuning)
    texts = [
        copy_text(of, tuning),
        nan_text(of),
        run_text("run", PARAMS, each, OPERANDS, small if code else None),
    ]
    if mirrors:
        row = Lanes(kind, Lanes.CHUNK)
        texts += [*([] if code else row.masked_declarations()), mirror_text(kind)]
    if code:
        texts += [code, in_pieces_text("run", PARAMS, f"small_cholesky_{kind}", [*given, "i64 %n"], OPERANDS, tuning)]
    return module_text(*texts, entry_text(f"cholesky_{dtype}", "run", OPERANDS, SIZES))
