"""Products of two or three rows: B is read once, as it stands, a few of its rows at a time.

Contract  `few_<type>`: C += alpha A B for m = 2 or 3, with contiguous rows of B of 512 bytes and more.
Why       a BLAS packs all of B for these, or reads it once a row.  Here steps of k add a few rows of B to rows of C
          that stay in the first-level cache, since n goes by blocks.
"""

from __future__ import annotations

from typing import Any

from tensordsl.codegen.kernel_ir.ir import Function
from tensordsl.codegen.kernel_ir.language import Kernel, Number, Pointer, kernel
from tensordsl.codegen.kernel_ir.types import Kind, Signature, Type, array, i64, signature
from tensordsl.codegen.library.gemm.signatures import SIZES, named
from tensordsl.codegen.library.gemm.tiles import Mask, over_vectors, rows_signature
from tensordsl.codegen.library.polls import poll_each
from tensordsl.codegen.target.tuning import Tuning

ROWS = (2, 3)  # of C


def few_functions(v: Type, t: Tuning) -> list[Function]:
    """`few_<type>`: C += alpha A B of m rows (`ROWS`), with B's rows contiguous.  Needs `rows_<type>`."""
    return [*(_tile(v, m) for m in ROWS), _few(v, t)]


def _terms(v: Type) -> int:
    """Rows of B at a time: their factors stay in registers, of which there are half as many of half the size."""
    return 8 if v.bytes == 64 else 4


def _operands(v: Type) -> dict[str, Kind]:
    matrix = array(v.scalar)
    return dict(a=matrix, rsa=i64, csa=i64, b=matrix, rsb=i64, c=matrix, ldc=i64, alpha=v.scalar)


def few_signature(v: Type) -> Signature:
    return signature(named("few", v), None, {**SIZES, **_operands(v)})


def _tile_signature(v: Type, rows: int) -> Signature:
    return signature(f"{named('few', v)}_{rows}", None, {"n": i64, **_operands(v)})


def _tile(v: Type, rows: int) -> Function:
    @kernel(_tile_signature(v, rows))
    def tile(
        f: Kernel, n: Number, a: Pointer, rsa: Number, csa: Number, b: Pointer, rsb: Number, c: Pointer, ldc: Number,
        alpha: Number,
    ) -> None:  # fmt: skip
        terms = range(_terms(v))
        rows_of_a = [a + r * rsa for r in range(rows)]
        rows_of_b = [b + j * rsb for j in terms]
        rows_of_c = [c + r * ldc for r in range(rows)]
        factors = [[f.splat(alpha * (row + j * csa)[0], v.lanes) for j in terms] for row in rows_of_a]

        def body(i: Number, mask: Mask) -> None:
            loaded = [(row + i).load(v.lanes, mask) for row in rows_of_b]
            for of_row, row in zip(factors, rows_of_c, strict=True):
                total = of_row[0] * loaded[0]
                for factor, x in zip(of_row[1:], loaded[1:], strict=True):
                    total = f.fma(factor, x, total)
                place = row + i
                place.store(place.load(v.lanes, mask) + total, mask)

        over_vectors(f, v.lanes, n, body)

    return tile


def _few(v: Type, t: Tuning) -> Function:
    terms, block = _terms(v), t.gemm.few_rows_block_bytes // v.scalar.bytes

    @kernel(few_signature(v))
    def few(
        f: Kernel, m: Number, n: Number, k: Number, a: Pointer, rsa: Number, csa: Number, b: Pointer, rsb: Number,
        c: Pointer, ldc: Number, alpha: Number,
    ) -> None:  # fmt: skip
        complete = k & -terms
        rest = k - complete
        with f.range(n, step=block) as j:
            columns, below = f.min(n - j, block), c + j

            def from_term(p: Number) -> dict[str, Any]:
                return {"n": columns, "a": a + p * csa, "b": b + p * rsb + j, "c": below}

            for rows in ROWS:
                with f.when(m == rows), f.range(complete, step=terms) as p:
                    f.forward(_tile_signature(v, rows), **from_term(p))
                    poll_each(f, p, 64, terms)
            with f.when(rest > 0):
                f.forward(rows_signature(v), k=rest, add=True, **from_term(complete))

    return few
