"""Triangular systems: X with A X = B, A triangular; the modules `triangular_*`, a function for each half and diagonal.

Contract  A and X have adjacent elements in one of their axes; X may be B.  The other half of A is not read, nor is the
          diagonal if it is ones.  A zero on the diagonal fails.
How       trsm, in place, and trsv for one right-hand side: rows of X are columns to them, so in C order it is solved
          from the right.
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
from tensordsl.codegen.library.linalg.fortran import NUMBERS, Fortran, Number, either
from tensordsl.codegen.library.linalg.small import is_small, is_triangle_for_dots, small_text
from tensordsl.codegen.llvm.builder import Asm
from tensordsl.codegen.target.tuning import Tuning

OPERANDS = {"a": 2, "b": 2, "x": 2}
SIZES = {"n": ("a", 0), "k": ("b", 1)}
FLAGS = ("lower", "unit")
PARAMS = run_params(OPERANDS, list(SIZES), FLAGS)
FUNCTIONS = {
    "triangular_lower": ("true", "false"), "triangular_upper": ("false", "false"),
    "triangular_unit_lower": ("true", "true"), "triangular_unit_upper": ("false", "true"),
}  # fmt: skip


class Triangles:
    """Systems with the triangles of a matrix at steps that are the same for all matrices of a run: `solve` writes one.
    Made in a function's entry block, as `Fortran` is."""

    def __init__(self, f: Asm, fortran: Fortran, a: str, x: str, n: str = "%n", k: str = "%k") -> None:
        self.f, self.fortran, self.x, self.k = f, fortran, x, k
        size = fortran.size

        def lead(name: str, length: str) -> tuple[str, str]:
            in_rows = f.eq(f"%{name}_column", size)
            wide = f.sdiv(f.choose(in_rows, f"%{name}_row", f"%{name}_column"), size)
            return in_rows, f.call("i64", "@llvm.smax.i64", f"i64 {wide}", f"i64 {length}")

        self.a_in_rows, lda = lead(a, n)
        self.x_in_rows = f.eq(f"%{x}_column", size)
        ldx = f.sdiv(f.choose(self.x_in_rows, f"%{x}_row", f"%{x}_column"), size)
        ldx = f.call("i64", "@llvm.smax.i64", f"i64 {ldx}", f"i64 {f.choose(self.x_in_rows, k, n)}")
        step = f.sdiv(f"%{x}_row", size)
        step = f.call("i64", "@llvm.smax.i64", f"i64 {step}", "i64 1")
        self.n, self.lda, self.ldx, self.step = (fortran.integer(v) for v in (n, lda, ldx, step))
        self.rows, self.columns = (fortran.integer(f.choose(self.x_in_rows, *v)) for v in ((k, n), (n, k)))
        self.one = fortran.number("1.0")
        self.side = either(f, self.x_in_rows, "R", "L")

    def solve(self, a: str, x: str, lower: str, transposed: str, unit: str) -> None:
        """x = T^-1 x, where T is a half of a matrix, or that transposed; flags are i1."""
        f = self.f
        half = either(f, f.op(f"xor i1 {lower}, {self.a_in_rows}"), "L", "U")
        diagonal = either(f, unit, "U", "N")
        is_transposed = f.op(f"xor i1 {transposed}, {self.a_in_rows}")  # of what LAPACK sees
        one, many, done = f.label("one"), f.label("many"), f.label("solved")
        f.branch(f.eq(self.k, 1), one, many)
        f.place(one)
        how = half, either(f, is_transposed, "T", "N"), diagonal
        self.fortran.call("trsv", *how, self.n, a, self.lda, x, self.step, texts=3)
        f.jump(done)
        f.place(many)
        from_right = f.op(f"xor i1 {is_transposed}, {self.x_in_rows}")
        sided = self.side, half, either(f, from_right, "T", "N"), diagonal
        self.fortran.call("trsm", *sided, self.rows, self.columns, self.one, a, self.lda, x, self.ldx, texts=4)
        f.place(done)


def zero_text(of: Number) -> str:
    """i1 @has_zero: on the diagonal of a matrix of n rows, one `step` bytes behind the other."""
    f = Asm("i1", "has_zero", ("ptr a", "i64 step", "i64 n"), internal=True)
    with f.loop("%n", ("i1", "false")) as loop:
        place = f.gep("%a", f.mul(loop.index, "%step"))
        parts = [f.load(of.part, place, k * of.part_size) for k in range(of.parts)]
        zero = f.all(*(f.op(f"fcmp oeq {of.part} {x}, 0.0") for x in parts))
        loop.next = [f.any(loop.values[0], zero)]
    f.ret("i1", loop.values[0])
    return f.text


def triangular_text(dtype: str, tuning: Tuning) -> str:
    """The whole module."""
    of = NUMBERS[dtype]
    kind, size = of.kind, of.size

    def each(f: Asm) -> Callable[[Mapping[str, str]], str]:
        triangles = Triangles(f, Fortran(f, dtype), "a", "x")
        step = f.add("%a_row", "%a_column")
        rows = f.choose("%unit", 0, "%n")

        def one(at: Mapping[str, str]) -> str:
            moved = (f"ptr {at[x]}, i64 %{x}_row, i64 %{x}_column" for x in "bx")
            failed = f.call("i1", "@has_zero", f"ptr {at['a']}", f"i64 {step}", f"i64 {rows}")
            f.call("void", "@copy_matrix", *moved, "i64 %n", "i64 %k")
            triangles.solve(at["a"], at["x"], "%lower", "false", "%unit")
            with f.when(failed):
                f.call("void", "@fill_nan", f"ptr {at['x']}, i64 %x_row, i64 %x_column, i64 %n, i64 %k")
            return failed

        return one

    def small(f: Asm) -> str:
        is_one_column = is_triangle_for_dots(f, tuning, size)
        return f.any(is_small(f, tuning, "triangular", "%n", "%k"), is_one_column)

    code = small_text("triangular", of, tuning)
    texts = [copy_text(of, tuning), nan_text(of), zero_text(of)]
    texts += [run_text("run", PARAMS, each, OPERANDS, small if code else None)]
    if code:
        given = [x for name in OPERANDS for x in places(name)]
        given += ["i64 %n", "i64 %k", "i1 %lower", "i1 %unit"]
        texts += [code, in_pieces_text("run", PARAMS, f"small_triangular_{kind}", given, OPERANDS, tuning)]
    entries = [entry_text(f"{name}_{dtype}", "run", OPERANDS, SIZES, flags) for name, flags in FUNCTIONS.items()]
    return module_text(*texts, *entries)
