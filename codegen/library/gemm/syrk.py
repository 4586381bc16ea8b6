"""Symmetric products (BLAS's syrk): a matrix times its own transpose, symmetric to the last bit, as NumPy's are.

Contract  `gram_<type>`: C = alpha A B where B is A transposed; C is not added to; `mirror_*` copy above the diagonal.
When      from 24 rows and 12 terms on by panels from the diagonal on; by a BLAS from 96 rows on, some rows at a time.
Why       half of the sums are computed; of smaller products only what a BLAS sums in another order is copied.
"""

from __future__ import annotations

from tensordsl.codegen.library.gemm.panels import store_transposed
from tensordsl.codegen.library.gemm.text import Vector, element
from tensordsl.codegen.library.signals import poll
from tensordsl.codegen.llvm.builder import Asm, passed
from tensordsl.codegen.target.tuning import Tuning

SQUARE_ELEMENTS = 8
MIRRORED = ("i64 n", "i64 k", "ptr c", "i64 ldc")


def gram_texts(t: Tuning, kind: str, dtype: str, lanes: int, params: tuple[str, ...]) -> list[str]:
    """`gram_<type>`: C[n, n] = alpha A B, where B is A transposed, by `gemm_<type>`, whose parameters it has;
    `mirror_rest_<type>` and `mirror_all_<type>`: what is copied where sums have been computed twice."""
    f = Asm("void", f"gram_{kind}", params, internal=True)
    given = passed(params)
    some = f.and_(f.sdiv("%n", t.gemm.syrk_max_blocks), -t.gemm.syrk_rows)
    some = f.op(f"call i64 @llvm.smax.i64(i64 {some}, i64 {t.gemm.syrk_rows})")
    with f.loop("%n", step=some) as at:
        rows = f.op(f"call i64 @llvm.smin.i64(i64 {f.sub('%n', at.index)}, i64 {some})")
        columns, below = f.add(at.index, rows), element(f, kind, "%c", at.index, "%ldc")
        mine = {"i64 %m": f"i64 {rows}", "i64 %n": f"i64 {columns}", "ptr %c": f"ptr {below}"}
        mine["ptr %a"] = f"ptr {element(f, kind, '%a', at.index, '%rsa')}"
        f.call("void", f"@gemm_{dtype}", *(mine.get(x, x) for x in given))
        _mirror_rows(f, kind, at.index, rows)
    f.ret()
    return [_mirror(t, kind), _mirror_rest(t, kind, lanes), _mirror_all(t, kind), f.text]


def is_gram(f: Asm, add: str) -> str:
    equal = (("ptr", "%a", "%b"), ("i64", "%rsa", "%csb"), ("i64", "%csa", "%rsb"), ("i64", "%m", "%n"))
    return f.all(*(f.compare("eq", *x) for x in equal), f.op(f"xor i1 {add}, true"))


def is_large(f: Asm, t: Tuning, rows: int) -> str:
    least = (("%n", rows), ("%k", t.gemm.syrk_min_terms), (f.mul("%n", "%k"), t.gemm.syrk_min_rows_terms))
    return f.all(*(f.ge(*x) for x in least))


def _mirror_rest(t: Tuning, kind: str, lanes: int) -> str:
    """Columns behind whole vectors, from the rows that they are."""
    f = Asm("void", f"mirror_rest_{kind}", MIRRORED, internal=True)
    rest = f.and_("%n", lanes - 1)
    with f.when(f.all(f.ge("%k", t.gemm.thin_min_terms), f.le(rest, lanes // 2))):
        _mirror_rows(f, kind, f.sub("%n", rest), rest)
    f.ret()
    return f.text


def _mirror_all(t: Tuning, kind: str) -> str:
    f = Asm("void", f"mirror_all_{kind}", MIRRORED, internal=True)
    with f.when(f.lt("%k", t.gemm.syrk_min_terms)):  # that would take as long as the product
        f.ret()
    with f.loop("%n", step=SQUARE_ELEMENTS) as at:
        rows = f.op(f"call i64 @llvm.smin.i64(i64 {f.sub('%n', at.index)}, i64 {SQUARE_ELEMENTS})")
        _mirror_rows(f, kind, at.index, rows)
        poll(f)
    f.ret()
    return f.text


def _mirror_rows(f: Asm, kind: str, first: str, rows: str) -> None:
    """These rows of C, as far as the diagonal, to the columns that they are."""
    below, across = element(f, kind, "%c", first, "%ldc"), f.gep("%c", first, kind)
    f.call("void", f"@mirror_{kind}", f"i64 {rows}", f"i64 {first}", f"ptr {below}", f"ptr {across}", "i64 %ldc")


def _mirror(t: Tuning, kind: str) -> str:
    """to[j, i] = from[i, j] for j < columns + i; `columns` are whole squares, the leading dimension is `ld`."""
    f = Asm("void", f"mirror_{kind}", ("i64 rows", "i64 columns", "ptr from", "ptr to", "i64 ld"), internal=True)
    whole = f.and_("%rows", -SQUARE_ELEMENTS)
    with f.loop("%columns", step=SQUARE_ELEMENTS) as j, f.loop(whole, step=SQUARE_ELEMENTS) as i:
        source = f.gep(element(f, kind, "%from", i.index, "%ld"), j.index, kind)
        target = f.gep(element(f, kind, "%to", j.index, "%ld"), i.index, kind)
        store_transposed(f, Vector(kind, SQUARE_ELEMENTS, t), source, "%ld", target, "%ld")
    with f.loop("%rows", start=whole) as i, f.loop("%columns") as j:
        _across(f, kind, "%from", "%to", i.index, j.index, "%ld")
    square = f.gep("%from", "%columns", kind)
    with f.loop("%rows") as i, f.loop(i.index) as j:
        _across(f, kind, square, square, i.index, j.index, "%ld")
    f.ret()
    return f.text


def _across(f: Asm, kind: str, source: str, target: str, i: str, j: str, ld: str) -> None:
    """target[j, i] = source[i, j]"""
    value = f.load(kind, f.gep(element(f, kind, source, i, ld), j, kind))
    f.store(kind, value, f.gep(element(f, kind, target, j, ld), i, kind))
