"""Symmetric products (BLAS's syrk): a matrix times its own transpose, symmetric to the last bit, as NumPy's are.

Contract  `gram_<type>`: C = alpha A B where B is A transposed; C is not added to; `mirror_*` copy above the diagonal.
When      from 24 rows and 12 terms on by panels from the diagonal on; by a BLAS from 96 rows on, some rows at a time.
Why       half of the sums are computed; of smaller products only what a BLAS sums in another order is copied.
"""

from __future__ import annotations

from tensordsl.codegen.kernel_ir.ir import Function
from tensordsl.codegen.kernel_ir.language import Kernel, Number, Pointer, kernel
from tensordsl.codegen.kernel_ir.types import Signature, Type, array, i64, signature
from tensordsl.codegen.library.gemm.panels import store_transposed
from tensordsl.codegen.library.gemm.signatures import gemm, gemm_parameters, named
from tensordsl.codegen.library.polls import POLL
from tensordsl.codegen.target.tuning import Tuning

SQUARE_ELEMENTS = 8


def gram_functions(v: Type, t: Tuning) -> list[Function]:
    """`gram_<type>`: C[n, n] = alpha A B, where B is A transposed, by `gemm_<type>`, whose parameters it has;
    `mirror_rest_<type>` and `mirror_all_<type>`: what is copied where sums have been computed twice."""
    return [_mirror(v), _mirror_rest(v, t), _mirror_all(v, t), _gram(v, t)]


def gram_signature(v: Type) -> Signature:
    return signature(named("gram", v), None, gemm_parameters(v))


def _gram(v: Type, t: Tuning) -> Function:
    @kernel(gram_signature(v))
    def gram(f: Kernel, *_: object) -> None:
        n, a, rsa, c, ldc = (f.given[name] for name in ("n", "a", "rsa", "c", "ldc"))
        some = f.max(f.quotient(n, t.gemm.syrk_max_blocks) & -t.gemm.syrk_rows, t.gemm.syrk_rows)
        with f.range(n, step=some) as first:
            rows = f.min(n - first, some)
            f.forward(gemm(v), m=rows, n=first + rows, c=c + first * ldc, a=a + first * rsa)
            _mirror_rows(f, v, first, rows)

    return gram


def mirror_rest_signature(v: Type) -> Signature:
    return signature(named("mirror_rest", v), n=i64, k=i64, c=array(v.scalar), ldc=i64)


def _mirror_rest(v: Type, t: Tuning) -> Function:
    @kernel(mirror_rest_signature(v))
    def mirror_rest(f: Kernel, n: Number, k: Number, c: Pointer, ldc: Number) -> None:
        """Columns behind complete vectors, from the rows that they are."""
        rest = n & (v.lanes - 1)
        with f.when(f.all(k >= t.gemm.thin_min_terms, rest <= v.lanes // 2)):
            _mirror_rows(f, v, n - rest, rest)

    return mirror_rest


def mirror_all_signature(v: Type) -> Signature:
    return signature(named("mirror_all", v), n=i64, k=i64, c=array(v.scalar), ldc=i64)


def _mirror_all(v: Type, t: Tuning) -> Function:
    @kernel(mirror_all_signature(v))
    def mirror_all(f: Kernel, n: Number, k: Number, c: Pointer, ldc: Number) -> None:
        with f.when(k < t.gemm.syrk_min_terms):  # that would take as long as the product
            f.ret()
        with f.range(n, step=SQUARE_ELEMENTS) as first:
            _mirror_rows(f, v, first, f.min(n - first, SQUARE_ELEMENTS))
            f.call(POLL)

    return mirror_all


def _mirror_rows(f: Kernel, v: Type, first: Number, rows: Number) -> None:
    """These rows of C, as far as the diagonal, to the columns that they are."""
    c, ldc = f.given["c"], f.given["ldc"]
    f.call(_mirror_signature(v), rows, first, c + first * ldc, c + first, ldc)


def _mirror_signature(v: Type) -> Signature:
    matrix = array(v.scalar)
    return signature(named("mirror", v), rows=i64, columns=i64, source=matrix, target=matrix, ld=i64)


def _mirror(v: Type) -> Function:
    @kernel(_mirror_signature(v))
    def mirror(f: Kernel, rows: Number, columns: Number, source: Pointer, target: Pointer, ld: Number) -> None:
        """target[j, i] = source[i, j] for j < columns + i; `columns` are complete squares, the leading dimension is
        `ld`."""
        complete = rows & -SQUARE_ELEMENTS
        with f.range(columns, step=SQUARE_ELEMENTS) as j, f.range(complete, step=SQUARE_ELEMENTS) as i:
            store_transposed(v.of(SQUARE_ELEMENTS), source + i * ld + j, ld, target + j * ld + i, ld)

        def across(x: Pointer, y: Pointer, i: Number, j: Number) -> None:
            """y[j, i] = x[i, j]"""
            (y + j * ld)[i] = (x + i * ld)[j]

        with f.range(rows, start=complete) as i, f.range(columns) as j:
            across(source, target, i, j)
        square = source + columns
        with f.range(rows) as i, f.range(i) as j:
            across(square, square, i, j)

    return mirror


def is_gram(f: Kernel, add: Number) -> Number:
    """Is B the transpose of A, and C not added to?"""
    m, n, a, rsa, csa, b, rsb, csb = (f.given[name] for name in ("m", "n", "a", "rsa", "csa", "b", "rsb", "csb"))
    return f.all(a == b, rsa == csb, csa == rsb, m == n, ~add)


def is_large(f: Kernel, t: Tuning, rows: int) -> Number:
    n, k = f.given["n"], f.given["k"]
    return f.all(n >= rows, k >= t.gemm.syrk_min_terms, n * k >= t.gemm.syrk_min_rows_terms)
