"""The cotangent of a symmetric matrix from that of its Cholesky factor; the modules `choleskyvjp_*`.

Contract  the lower triangles of L and G -> a lower triangle, whose elements off the diagonal count for both of the
          matrix's; L and the result in C order, the result may be G.
How       the factorisation's blocks backwards, a sixth of the multiplications of two triangular solves and a product.
Ref       I. Murray: "Differentiation of the Cholesky decomposition", 2016 (arXiv:1602.07527), sections 4 and 5.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tensordsl.codegen.abi import layouts
from tensordsl.codegen.library.linalg.batches import (
    copy_text,
    entry_text,
    in_pieces_text,
    module_text,
    places,
    run_params,
    run_text,
)
from tensordsl.codegen.library.linalg.fortran import NUMBERS, Fortran, letter
from tensordsl.codegen.library.linalg.small import is_small, small_text
from tensordsl.codegen.llvm.builder import Asm, passed
from tensordsl.codegen.target.tuning import Tuning

OPERANDS = {"l": 2, "g": 2, "o": 2}
SIZES = {"n": ("l", 0)}
PARAMS = run_params(OPERANDS, list(SIZES))
_AXES = ("ptr", ""), ("i64", "_row"), ("i64", "_column"), ("i64", "_step")
SEVERAL = (*(f"{t} {x}{axis}" for x in OPERANDS for t, axis in _AXES), "i64 n", "i64 count")


def cholesky_vjp_text(dtype: str, tuning: Tuning) -> str:
    """The whole module."""
    of = NUMBERS[dtype]
    kind, size = of.kind, of.size
    block = tuning.matrices.vjp_block_rows

    def each(f: Asm) -> Callable[[Mapping[str, str]], str]:
        blocks = _Blocks(f, Fortran(f, dtype))

        def one(at: Mapping[str, str]) -> str:
            f.call("void", "@copy_triangle", *_moved(at["g"], at["o"]), "i64 %n")
            with f.loop("%n", step=block) as loop:
                end = f.sub("%n", loop.index)
                start = f.call("i64", "@llvm.smax.i64", f"i64 {f.sub(end, block)}", "i64 0")
                blocks.write(at["l"], at["o"], start, end)
            return "false"

        return one

    def small(f: Asm) -> str:
        return f.le("%n", block)

    lanes = tuning.machine.vector_bytes // size
    given = [value for x in OPERANDS for value in places(x)]
    texts = [copy_text(of, tuning), _columns_text(kind, lanes), _symmetric_text(kind), _singly_text()]
    texts += [run_text("run", PARAMS, each, OPERANDS, small)]
    texts += [in_pieces_text("run", PARAMS, "several", [*given, "i64 %n"], OPERANDS, tuning)]
    texts += [small_text("cholesky_vjp", of, tuning), _several_text(kind, tuning)]
    return module_text(*texts, entry_text(f"cholesky_vjp_{dtype}", "run", OPERANDS, SIZES, (), True))


def _moved(g: str, o: str) -> tuple[str, ...]:
    return f"ptr {g}, i64 %g_row, i64 %g_column", f"ptr {o}, i64 %o_row, i64 %o_column"


class _Blocks:
    """A block of rows from `start` to `end`, by Murray's names: of L before the diagonal block D, R, and below R and D,
    B and C.  To BLAS all are their transposes."""

    def __init__(self, f: Asm, fortran: Fortran) -> None:
        self.f, self.fortran, self.size = f, fortran, fortran.size
        self.lead_l, self.lead_o = (fortran.integer(f.sdiv(f"%{x}_row", self.size)) for x in "lo")
        self.one, self.minus = fortran.number("1.0"), fortran.number("-1.0")
        self.rows, self.before, self.below = (fortran.integer(0) for _ in range(3))
        self.sum = f.gep("%scratch", layouts.LINALG_HEAD_BYTES)

    def write(self, l: str, o: str, start: str, end: str) -> None:
        f, call = self.f, self.fortran.call
        rows, below = f.sub(end, start), f.sub("%n", end)
        for value, word in ((rows, self.rows), (start, self.before), (below, self.below)):
            f.store("i64", value, word)
        column = f.mul(start, self.size)

        def parts(matrix: str, step: str) -> tuple[str, str, str, str]:
            """R, D, B, C"""
            row, under = f.gep(matrix, f.mul(start, step)), f.gep(matrix, f.mul(end, step))
            return row, f.gep(row, column), under, f.gep(under, column)

        (r, d, b, c), (of_r, of_d, of_b, of_c) = parts(l, "%l_row"), parts(o, "%o_row")
        no, to = letter("N"), letter("T")
        ld, lo, minus, one = self.lead_l, self.lead_o, self.minus, self.one
        with f.when(f.gt(below, 0)):
            call("trsm", letter("L"), letter("U"), no, no, self.rows, self.below, one, d, ld, of_c, lo, texts=4)
            with f.when(f.gt(start, 0)):
                call("gemm", no, no, self.before, self.below, self.rows, minus, r, ld, of_c, lo, one, of_b, lo, texts=2)
                call("gemm", no, to, self.before, self.rows, self.below, minus, b, ld, of_c, lo, one, of_r, lo, texts=2)
            call("gemm", no, to, self.rows, self.rows, self.below, minus, c, ld, of_c, lo, one, of_d, lo, texts=2)
        f.call("void", "@columns", f"ptr {d}", "i64 %l_row", f"ptr {of_d}", "i64 %o_row", f"i64 {rows}")
        f.call("void", "@symmetric", f"ptr {of_d}", "i64 %o_row", f"ptr {self.sum}", f"i64 {rows}")
        with f.when(f.gt(start, 0)):
            call(
                "gemm", no, no, self.before, self.rows, self.rows, minus, r, ld, self.sum, self.rows, one, of_r, lo,
                texts=2,
            )  # fmt: skip


def _several_text(kind: str, tuning: Tuning) -> str:
    """i64 @several: a run of matrices of a block at most, by code of their own or column by column; none fails."""
    f = Asm("i64", "several", SEVERAL, internal=True)
    with f.when(is_small(f, tuning, "cholesky_vjp", "%n", "1")):
        if tuning.allows("small_matrices"):
            f.ret("i64", f.call("i64", f"@small_cholesky_vjp_{kind}", *passed(SEVERAL)))
    f.ret("i64", f.call("i64", "@singly", *passed(SEVERAL)))
    return f.text


def _singly_text() -> str:
    """i64 @singly: a run of small matrices; none fails."""
    f = Asm("i64", "singly", SEVERAL, internal=True)
    with f.loop("%count", *(("ptr", f"%{x}") for x in OPERANDS)) as loop:
        l, g, o = loop.values
        f.call("void", "@copy_triangle", *_moved(g, o), "i64 %n")
        f.call("void", "@columns", f"ptr {l}", "i64 %l_row", f"ptr {o}", "i64 %o_row", "i64 %n")
        loop.next = [f.gep(p, f"%{x}_step") for p, x in zip(loop.values, OPERANDS, strict=True)]
    f.ret("i64", "-1")
    return f.text


def _columns_text(kind: str, lanes: int) -> str:
    """@columns: all columns of a block, from the last; from row to row of L `l_row` bytes, of its cotangent `o_row`."""
    f = Asm("void", "columns", ("ptr l", "i64 l_row", "ptr o", "i64 o_row", "i64 n"), internal=True)
    with f.loop("%n") as loop:
        k = f.sub(f.sub("%n", 1), loop.index)
        below = f.add(k, 1)
        row_l, row_o = f.gep("%l", f.mul(k, "%l_row")), f.gep("%o", f.mul(k, "%o_row"))
        at_diagonal, column_l = f.gep(row_o, k, kind), f.gep("%l", k, kind)
        column_o = f.gep("%o", k, kind)
        inverse = f.op(f"fdiv {kind} 1.0, {f.load(kind, f.gep(row_l, k, kind))}")
        with f.loop("%n", (kind, f.load(kind, at_diagonal)), start=below) as i:
            place = f.gep(column_o, f.mul(i.index, "%o_row"))
            c = f.op(f"fmul {kind} {f.load(kind, place)}, {inverse}")
            f.store(kind, c, place)
            product = f.op(f"fmul {kind} {c}, {f.load(kind, f.gep(column_l, f.mul(i.index, '%l_row')))}")
            i.next = [f.op(f"fsub {kind} {i.values[0]}, {product}")]
        d = f.op(f"fmul {kind} {i.values[0]}, {inverse}")
        rows = f"ptr {row_l}", f"ptr {row_o}", "ptr %l", "i64 %l_row", "ptr %o", "i64 %o_row"
        sizes = f"ptr {column_o}", f"i64 {below}", "i64 %n", f"{kind} {d}"
        width, done = lanes, "0"
        while width:
            some = f.and_(k, -width)
            with f.loop(some, start=done, step=width) as j:
                f.call("void", f"@chunk{width}", *rows, *sizes, f"i64 {j.index}")
            width, done = width // 2, some
        f.store(kind, f.op(f"fmul {kind} {d}, 0.5"), at_diagonal)
    f.ret()
    widths = [lanes >> k for k in range(lanes.bit_length())]
    return "".join([*(_chunk_text(kind, width) for width in widths), f.text])


def _chunk_text(kind: str, width: int) -> str:
    """@chunk: some numbers of a row, and what is below them, for one column."""
    params = (
        "ptr row_l", "ptr row_o", "ptr l", "i64 l_row", "ptr o", "i64 o_row", "ptr column", "i64 below", "i64 n",
        f"{kind} d", "i64 j",
    )  # fmt: skip
    f, size = Asm("void", f"chunk{width}", params, internal=True), 8 if kind == "double" else 4
    t = kind if width == 1 else f"<{width} x {kind}>"

    def splat(x: str) -> str:
        if width == 1:
            return x
        one = f.op(f"insertelement {t} poison, {kind} {x}, i32 0")
        return f.op(f"shufflevector {t} {one}, {t} poison, <{width} x i32> zeroinitializer")

    def get(place: str) -> str:
        return f.op(f"load {t}, ptr {place}, align {size}")

    def less(x: str, factor: str, y: str) -> str:
        return f.op(f"fsub contract {t} {x}, {f.op(f'fmul contract {t} {factor}, {y}')}")

    row, place = get(f.gep("%row_l", "%j", kind)), f.gep("%row_o", "%j", kind)
    first = less(get(place), splat("%d"), row)
    begin = [f.gep(f.gep(f"%{x}", "%j", kind), f.mul("%below", f"%{x}_row")) for x in "lo"]
    at_column = f.gep("%column", f.mul("%below", "%o_row"))
    carried = [(t, first), *(("ptr", x) for x in (*begin, at_column))]
    with f.loop("%n", *carried, start="%below") as i:
        total, l, o, column = i.values
        c = splat(f.load(kind, column))
        f.do(f"store {t} {less(get(o), c, row)}, ptr {o}, align {size}")
        i.next = [less(total, c, get(l)), f.gep(l, "%l_row"), f.gep(o, "%o_row"), f.gep(column, "%o_row")]
    f.do(f"store {t} {i.values[0]}, ptr {place}, align {size}")
    f.ret()
    return f.text


def _symmetric_text(kind: str) -> str:
    """@symmetric: the sum of a triangle and its transpose; zeros above the diagonal of the triangle itself."""
    f = Asm("void", "symmetric", ("ptr x", "i64 x_row", "ptr y", "i64 n"), internal=True)
    with f.loop("%n") as i:
        row, to = f.gep("%x", f.mul(i.index, "%x_row")), f.gep("%y", f.mul(i.index, "%n"), kind)
        with f.loop(i.index) as j:
            value = f.load(kind, f.gep(row, j.index, kind))
            f.store(kind, value, f.gep(to, j.index, kind))
            f.store(kind, value, f.gep(f.gep("%y", i.index, kind), f.mul(j.index, "%n"), kind))
        value = f.load(kind, f.gep(row, i.index, kind))
        f.store(kind, f.op(f"fadd {kind} {value}, {value}"), f.gep(to, i.index, kind))
        with f.loop("%n", start=f.add(i.index, 1)) as j:
            f.store(kind, "0.0", f.gep(row, j.index, kind))
    f.ret()
    return f.text
