"""LU factors, P L U = A, systems with them, and their exchanges; modules `lufactor_*`, `lusolve_*`, `swaprows_*`.

Contract  as SciPy's: L without its ones and U in one matrix, and int32 rows with which each was exchanged.  A zero on
          U's diagonal does not fail a factor; it fails a solution, as does a pivot that is no row.
How       getrf, with its pivots in the scratch buffer.  It wants columns adjacent: square factors in C order are
          transposed in place before it and behind it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tensordsl.codegen.abi import layouts
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
from tensordsl.codegen.library.linalg.fortran import NUMBERS, Fortran
from tensordsl.codegen.library.linalg.small import is_small, small_text
from tensordsl.codegen.library.linalg.triangular import Triangles, zero_text
from tensordsl.codegen.llvm.builder import Asm
from tensordsl.codegen.target.tuning import Tuning

FACTOR = {"a": 2, "f": 2, "p": 1}
FACTOR_SIZES = {"m": ("a", 0), "n": ("a", 1)}
FACTOR_PARAMS = run_params(FACTOR, list(FACTOR_SIZES))
SOLVE = {"a": 2, "p": 1, "b": 2, "x": 2}
SOLVE_SIZES = {"n": ("a", 0), "k": ("b", 1)}
SOLVE_PARAMS = run_params(SOLVE, list(SOLVE_SIZES), ("transposed",))
SWAP = {"b": 2, "p": 1, "x": 2}
SWAP_SIZES = {"n": ("b", 0), "k": ("b", 1), "few": ("p", 0)}
SWAP_PARAMS = run_params(SWAP, list(SWAP_SIZES), ("backwards",))


def factor_text(dtype: str, tuning: Tuning) -> str:
    """The whole module."""
    of = NUMBERS[dtype]
    kind, size = of.kind, of.size

    def each(f: Asm) -> Callable[[Mapping[str, str]], str]:
        fortran = Fortran(f, dtype)
        in_rows = f.all(f.eq("%f_column", size), f.ne("%f_row", size))  # of square matrices only
        wide = f.sdiv(f.choose(in_rows, "%f_row", "%f_column"), size)
        m, n = fortran.integer("%m"), fortran.integer("%n")
        ld = fortran.integer(f.call("i64", "@llvm.smax.i64", f"i64 {wide}", "i64 %m"))
        least = f.call("i64", "@llvm.smin.i64", "i64 %m", "i64 %n")
        down, along = (f.choose(in_rows, *v) for v in (("%f_column", "%f_row"), ("%f_row", "%f_column")))
        pivots = f.gep("%scratch", layouts.LINALG_HEAD_BYTES)

        def one(at: Mapping[str, str]) -> str:
            factors = at["f"]
            same = f.all(f.compare("eq", "ptr", at["a"], factors), f.eq("%a_row", "%f_row"))
            turn = f.all(same, in_rows)
            with f.when(turn):
                f.call("void", "@transpose", f"ptr {factors}", f"i64 {along}", "i64 %n")
            with f.when(f.negate(turn)):
                moved = f"ptr {factors}", f"i64 {down}", f"i64 {along}"
                f.call("void", "@copy_matrix", f"ptr {at['a']}, i64 %a_row, i64 %a_column", *moved, "i64 %m", "i64 %n")
            fortran.checked("getrf", m, n, factors, ld, pivots)
            with f.when(in_rows):
                f.call("void", "@transpose", f"ptr {factors}", f"i64 {along}", "i64 %n")
            with f.loop(least) as loop:
                at_pivot = f.gep(pivots, f.mul(loop.index, fortran.int_size))
                pivot = f.op(f"load i32, ptr {at_pivot}, align 4")
                f.store("i32", f.op(f"sub i32 {pivot}, 1"), f.gep(at["p"], f.mul(loop.index, "%p_unit")))
            return "false"

        return one

    def small(f: Asm) -> str:
        return f.all(is_small(f, tuning, "lu", "%n", "1"), f.eq("%m", "%n"), f.eq("%p_unit", 4))

    code = small_text("lu", of, tuning)
    texts = [copy_text(of, tuning), _transpose_text(kind, tuning.matrices.transposed_block)]
    texts += [run_text("run", FACTOR_PARAMS, each, FACTOR, small if code else None)]
    if code:
        given = [*places("a"), *places("f"), "ptr {p}", "i64 %p_step", "i64 %n"]
        texts += [code, _counted(kind), in_pieces_text("run", FACTOR_PARAMS, "small_factors", given, FACTOR, tuning)]
    return module_text(*texts, entry_text(f"lu_factor_{dtype}", "run", FACTOR, FACTOR_SIZES))


def _counted(kind: str) -> str:
    """@small_lu, which never fails, as other runs by code code."""
    params = (
        "ptr a", "i64 a_row", "i64 a_column", "i64 a_step", "ptr f", "i64 f_row", "i64 f_column", "i64 f_step",
        "ptr p", "i64 p_step", "i64 n", "i64 count",
    )  # fmt: skip
    f = Asm("i64", "small_factors", params, internal=True)
    f.call("void", f"@small_lu_{kind}", *(f"{t} %{x}" for t, x in map(str.split, params)))
    f.ret("i64", "-1")
    return f.text


def _transpose_text(kind: str, block: int) -> str:
    """A square matrix changes places with its transpose, by blocks; a row begins `row` bytes behind the one before."""
    f = Asm("void", "transpose", ("ptr x", "i64 row", "i64 n"), internal=True)
    with f.loop("%n", step=block) as high, f.loop("%n", start=high.index, step=block) as wide:
        ends = [f.call("i64", "@llvm.smin.i64", f"i64 {f.add(x.index, block)}", "i64 %n") for x in (high, wide)]
        with f.loop(ends[0], start=high.index) as i:
            right = f.add(i.index, 1)
            right = f.call("i64", "@llvm.smax.i64", f"i64 {right}", f"i64 {wide.index}")
            line, down = f.gep("%x", f.mul(i.index, "%row")), f.gep("%x", i.index, kind)
            with f.loop(ends[1], start=right) as j:
                upper, lower = f.gep(line, j.index, kind), f.gep(down, f.mul(j.index, "%row"))
                values = f.load(kind, upper), f.load(kind, lower)
                f.store(kind, values[1], upper)
                f.store(kind, values[0], lower)
    f.ret()
    return f.text


def solve_text(dtype: str, tuning: Tuning) -> str:
    """The whole module."""
    of = NUMBERS[dtype]
    kind = of.kind

    def each(f: Asm) -> Callable[[Mapping[str, str]], str]:
        triangles = Triangles(f, Fortran(f, dtype), "a", "x")
        step = f.add("%a_row", "%a_column")

        def one(at: Mapping[str, str]) -> str:
            x = f"ptr {at['x']}, i64 %x_row, i64 %x_column"
            pivots = f"ptr {at['p']}", "i64 %p_unit", "i64 %n"
            singular = f.call("i1", "@has_zero", f"ptr {at['a']}", f"i64 {step}", "i64 %n")
            failed = f.any(singular, f.negate(f.call("i1", "@has_rows", *pivots, "i64 %n")))
            bad, good, done = f.label("bad"), f.label("good"), f.label("next")
            f.branch(failed, bad, good)
            f.place(bad)
            f.call("void", "@fill_nan", x, "i64 %n", "i64 %k")
            f.jump(done)
            f.place(good)
            some = f.label("some")
            f.branch(f.all(f.gt("%n", 0), f.gt("%k", 0)), some, done)  # LAPACK refuses strides of no elements
            f.place(some)
            f.call("void", "@copy_matrix", f"ptr {at['b']}, i64 %b_row, i64 %b_column", x, "i64 %n", "i64 %k")
            forward = f.negate("%transposed")
            with f.when(forward):
                f.call("void", "@exchange", x, *pivots, "i64 %k", "i1 false")
                triangles.solve(at["a"], at["x"], "true", "false", "true")
                triangles.solve(at["a"], at["x"], "false", "false", "false")
            with f.when("%transposed"):
                triangles.solve(at["a"], at["x"], "false", "true", "false")
                triangles.solve(at["a"], at["x"], "true", "true", "true")
                f.call("void", "@exchange", x, *pivots, "i64 %k", "i1 true")
            f.place(done)
            return failed

        return one

    def small(f: Asm) -> str:
        return f.all(is_small(f, tuning, "lu", "%n", "%k"), f.eq("%p_unit", 4))

    code = small_text("lu", of, tuning)
    texts = [copy_text(of, tuning), nan_text(of), zero_text(of), _rows_text(), _exchange_text(kind)]
    texts += [run_text("run", SOLVE_PARAMS, each, SOLVE, small if code else None)]
    if code:
        given = [*places("a"), "ptr {p}", "i64 %p_step", *places("b"), *places("x")]
        given += ["i64 %n", "i64 %k", "i1 %transposed"]
        texts += [code, in_pieces_text("run", SOLVE_PARAMS, f"small_lu_solve_{kind}", given, SOLVE, tuning)]
    entries = [
        entry_text(f"{name}_{dtype}", "run", SOLVE, SOLVE_SIZES, (flag,), takes_empty=True)
        for name, flag in (("lu_solve", "false"), ("lu_solve_transposed", "true"))
    ]
    return module_text(*texts, *entries)


def swap_text(dtype: str, tuning: Tuning) -> str:
    """The whole module.  A pivot that is no row fails."""
    of = NUMBERS[dtype]

    def each(f: Asm) -> Callable[[Mapping[str, str]], str]:
        def one(at: Mapping[str, str]) -> str:
            b, x = (f"ptr {at[y]}, i64 %{y}_row, i64 %{y}_column" for y in "bx")
            pivots = f"ptr {at['p']}", "i64 %p_unit", "i64 %few"
            f.call("void", "@copy_matrix", b, x, "i64 %n", "i64 %k")
            is_right = f.call("i1", "@has_rows", *pivots, "i64 %n")
            with f.when(is_right):
                f.call("void", "@exchange", x, *pivots, "i64 %k", "i1 %backwards")
            return f.negate(is_right)

        return one

    texts = [copy_text(of, tuning), _rows_text(), _exchange_text(of.kind), run_text("run", SWAP_PARAMS, each, SWAP)]
    for name, flag in (("swap_rows", "false"), ("swap_rows_back", "true")):
        # Without exchanges the rows are still copied.
        texts.append(entry_text(f"{name}_{dtype}", "run", SWAP, SWAP_SIZES, (flag,), takes_empty=True))
    return module_text(*texts)


def _rows_text() -> str:
    """i1: whether some pivots are rows of a matrix of n rows."""
    f = Asm("i1", "has_rows", ("ptr p", "i64 unit", "i64 count", "i64 n"), internal=True)
    with f.loop("%count", ("i1", "true")) as loop:
        pivot = f.op(f"zext i32 {f.load('i32', f.gep('%p', f.mul(loop.index, '%unit')))} to i64")
        loop.next = [f.all(loop.values[0], f.lt(pivot, "%n"))]
    f.ret("i1", loop.values[0])
    return f.text


def _exchange_text(kind: str) -> str:
    """Rows change places, in order or from the last one."""
    params = ("ptr x", "i64 x_row", "i64 x_column", "ptr p", "i64 unit", "i64 n", "i64 k", "i1 backwards")
    f = Asm("void", "exchange", params, internal=True)
    with f.loop("%n") as loop:
        i = f.choose("%backwards", f.sub(f.sub("%n", 1), loop.index), loop.index)
        pivot = f.op(f"zext i32 {f.load('i32', f.gep('%p', f.mul(i, '%unit')))} to i64")
        with f.when(f.ne(pivot, i)):
            rows = [f.gep("%x", f.mul(r, "%x_row")) for r in (i, pivot)]
            with f.loop("%k") as column:
                at = f.mul(column.index, "%x_column")
                first, second = (f.gep(row, at) for row in rows)
                values = f.load(kind, first), f.load(kind, second)
                f.store(kind, values[1], first)
                f.store(kind, values[0], second)
    f.ret()
    return f.text
