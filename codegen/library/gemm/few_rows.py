"""Products of two or three rows: B is read once, as it stands, a few of its rows at a time.

Contract  `few_<type>`: C += alpha A B for m = 2 or 3, with contiguous rows of B of 512 bytes and more.
Why       a BLAS packs all of B for these, or reads it once a row.  Here steps of k add a few rows of B to rows of C
          that stay in the first-level cache, since n goes by blocks.
"""

from __future__ import annotations

from tensordsl.codegen.library.gemm.text import SIZES, Vector, element, over_vectors
from tensordsl.codegen.library.signals import poll_each
from tensordsl.codegen.llvm.function import Function

ROWS = (2, 3)  # of C
STRIDED = ("ptr a", "i64 rsa", "i64 csa", "ptr b", "i64 rsb", "ptr c", "i64 ldc")


def few_texts(v: Vector) -> list[str]:
    """`few_<type>`: C += alpha A B of m rows (`ROWS`), with B's rows contiguous.  Needs `rows_<type>`."""
    return [*(_tile(v, m) for m in ROWS), _driver(v)]


def _terms(v: Vector) -> int:
    """Rows of B at a time: their factors stay in registers, of which there are half as many of half the size."""
    return 8 if v.bytes == 64 else 4


def _tile(v: Vector, rows: int) -> str:
    f = Function("void", f"few_{v.kind}_{rows}", ("i64 n", *STRIDED, f"{v.kind} alpha"), internal=True)
    kind, terms = v.kind, range(_terms(v))
    a = [element(f, kind, "%a", str(r), "%rsa") for r in range(rows)]
    b = [element(f, kind, "%b", str(j), "%rsb") for j in terms]
    c = [element(f, kind, "%c", str(r), "%ldc") for r in range(rows)]
    factors = [
        [v.splat(f, f.op(f"fmul {kind} %alpha, {f.load(kind, element(f, kind, a[r], str(j), '%csa'))}")) for j in terms]
        for r in range(rows)
    ]

    def body(i: str, mask: str) -> None:
        loaded = [v.load(f, f.gep(x, i, kind), mask) for x in b]
        for of_row, row in zip(factors, c, strict=True):
            total = f.op(f"fmul {v.type} {of_row[0]}, {loaded[0]}")
            for factor, x in zip(of_row[1:], loaded[1:], strict=True):
                total = v.fma(f, factor, x, total)
            place = f.gep(row, i, kind)
            v.store(f, f.op(f"fadd {v.type} {v.load(f, place, mask)}, {total}"), place, mask)

    over_vectors(f, v, "%n", body)
    return f.end()


def _driver(v: Vector) -> str:
    kind, terms, block = v.kind, _terms(v), v.tuning.gemm.few_rows_block_bytes // v.align
    f = Function("void", f"few_{kind}", (*SIZES, *STRIDED, f"{kind} alpha"), internal=True)
    whole = f.and_("%k", -terms)
    rest = f.sub("%k", whole)
    with f.loop("%n", step=block) as j:
        n = f.min(f.sub("%n", j.index), block)
        c = f.gep("%c", j.index, kind)

        def operands(p: str) -> tuple[str, ...]:
            a, b = element(f, kind, "%a", p, "%csa"), f.gep(element(f, kind, "%b", p, "%rsb"), j.index, kind)
            given = f"ptr {a}", "i64 %rsa", "i64 %csa", f"ptr {b}", "i64 %rsb", f"ptr {c}", "i64 %ldc"
            return (*given, f"{kind} %alpha")

        for m in ROWS:
            with f.when(f.eq("%m", m)), f.loop(whole, step=terms) as p:
                f.call("void", f"@few_{kind}_{m}", f"i64 {n}", *operands(p.index))
                poll_each(f, p.index, 64, terms)
        with f.when(f.gt(rest, 0)):
            f.call("void", f"@rows_{kind}", "i64 %m", f"i64 {n}", f"i64 {rest}", *operands(whole), "i1 true")
    return f.end()
