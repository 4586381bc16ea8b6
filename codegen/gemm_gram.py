"""Products of a matrix and its own transpose: rows go as far as the diagonal, what is beyond is copied from below it.
As by NumPy, half of the sums are computed, and the result is symmetric to the last bit."""

from __future__ import annotations

from tensordsl.codegen.assembly import Asm, passed
from tensordsl.codegen.gemm_panels import turn
from tensordsl.codegen.gemm_tiles import Vector, element

ROWS, BLOCKS = 64, 12  # of C at a time, at least; and such blocks, at most: for each, B is packed again
# Rows of C, more than `ROWS`, as the first block is such a product again; terms of its sums: from there on half of
# these are more than the copies.
LEAST, LEAST_TERMS = 96, 48
SQUARE = 8


def gram_texts(kind: str, dtype: str, params: tuple[str, ...]) -> list[str]:
    """`gram_<type>`: C[n, n] = alpha A B, where B is A transposed, by `gemm_<type>`, whose parameters it has."""
    f = Asm("void", f"gram_{kind}", params, internal=True)
    given = passed(params)
    some = f.op(f"and i64 {f.op(f'sdiv i64 %n, {BLOCKS}')}, {-ROWS}")
    some = f.op(f"call i64 @llvm.smax.i64(i64 {some}, i64 {ROWS})")
    with f.loop("%n", step=some) as at:
        rows = f.op(f"call i64 @llvm.smin.i64(i64 {f.op(f'sub i64 %n, {at.index}')}, i64 {some})")
        columns, below = f.op(f"add i64 {at.index}, {rows}"), element(f, kind, "%c", at.index, "%ldc")
        mine = {"i64 %m": f"i64 {rows}", "i64 %n": f"i64 {columns}", "ptr %c": f"ptr {below}"}
        mine["ptr %a"] = f"ptr {element(f, kind, '%a', at.index, '%rsa')}"
        f.call("void", f"@gemm_{dtype}", *(mine.get(x, x) for x in given))
        across = f.gep("%c", at.index, kind)
        f.call("void", f"@mirror_{kind}", f"i64 {rows}", f"i64 {at.index}", f"ptr {below}", f"ptr {across}", "i64 %ldc")
        square = f.gep(below, at.index, kind)
        with f.loop(rows) as i, f.loop(i.index) as j:
            _across(f, kind, square, square, i.index, j.index, "%ldc")
    f.ret()
    return [_mirror(kind), f.text]


def is_gram(f: Asm, add: str) -> str:
    """Is it such a product, and large?"""
    equal = (("ptr", "%a", "%b"), ("i64", "%rsa", "%csb"), ("i64", "%csa", "%rsb"), ("i64", "%m", "%n"))
    large = f.compare("sge", "i64", "%n", LEAST), f.compare("sge", "i64", "%k", LEAST_TERMS)
    return f.all(*(f.compare("eq", *x) for x in equal), *large, f.op(f"xor i1 {add}, true"))


def _mirror(kind: str) -> str:
    """to[columns, rows] = from[rows, columns], which is a whole number of squares wide; both in rows of `ld`."""
    f = Asm("void", f"mirror_{kind}", ("i64 rows", "i64 columns", "ptr from", "ptr to", "i64 ld"), internal=True)
    whole = f.op(f"and i64 %rows, {-SQUARE}")
    with f.loop("%columns", step=SQUARE) as j, f.loop(whole, step=SQUARE) as i:
        source = f.gep(element(f, kind, "%from", i.index, "%ld"), j.index, kind)
        target = f.gep(element(f, kind, "%to", j.index, "%ld"), i.index, kind)
        turn(f, Vector(kind, SQUARE), source, "%ld", target, "%ld")
    with f.loop("%rows", start=whole) as i, f.loop("%columns") as j:
        _across(f, kind, "%from", "%to", i.index, j.index, "%ld")
    f.ret()
    return f.text


def _across(f: Asm, kind: str, source: str, target: str, i: str, j: str, ld: str) -> None:
    """target[j, i] = source[i, j]"""
    value = f.load(kind, f.gep(element(f, kind, source, i, ld), j, kind))
    f.store(kind, value, f.gep(element(f, kind, target, j, ld), i, kind))
