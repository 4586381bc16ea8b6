"""Factorisations as users call them: `cholesky`, `lu`, `qr`, `svd`, eigenvalues."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from tensordsl.graph.casting import real_of
from tensordsl.graph.types import COMPLEX
from tensordsl.graph.variables import apply
from tensordsl.ops.array.arrange import take_along_axis
from tensordsl.ops.array.creation import arange
from tensordsl.ops.array.index import getitem
from tensordsl.ops.array.shape import broadcast_to, dimshuffle, shape_i
from tensordsl.ops.linalg.factorise import CHOLESKY, COLUMN_ORDER, LU_FACTOR, QR, QR_RAW, SWAP_ROWS
from tensordsl.ops.linalg.matrices import (
    adjoint,
    as_matrices,
    as_square,
    check_square,
    finite,
    flag,
    identity_as,
    kept,
    lower_of,
    offsets,
    one_of,
    product,
    strictly_lower_of,
    strictly_upper_of,
    upper_of,
)
from tensordsl.ops.linalg.products import dimshuffle_drop
from tensordsl.ops.linalg.spectral import EIG, EIGH, EIGVALS, EIGVALSH, SVD, SVDVALS
from tensordsl.ops.linalg.triangular import SOLVE_TRIANGULAR
from tensordsl.ops.math.comparisons import eq
from tensordsl.ops.math.complexes import real
from tensordsl.ops.math.elementwise import cast, minimum


class QRResult(NamedTuple):
    """Q and R of a = Q R."""

    Q: Any
    R: Any


class SVDResult(NamedTuple):
    """U, S and Vh of a = U diag(S) Vh."""

    U: Any
    S: Any
    Vh: Any


class EigResult(NamedTuple):
    """Eigenvalues, and the eigenvectors in columns."""

    eigenvalues: Any
    eigenvectors: Any


class EighResult(NamedTuple):
    """Eigenvalues, the smallest first, and the eigenvectors in columns."""

    eigenvalues: Any
    eigenvectors: Any


def cholesky(
    a: Any, lower: bool = True, *, upper: bool = False, on_error: str = "raise", check_finite: bool = False,
    overwrite_a: bool = False,
) -> Any:  # fmt: skip
    """The lower triangular L with L L' = a, for Hermitian positive definite matrices a; U with U' U = a if not `lower`.

    a         (..., n, n); its lower triangle is read (the upper one if not `lower`), of the diagonal the real part
    on_error  "raise": LinAlgError, with the position in the batch, for a matrix that is not positive definite; "nan":
              the factor of such a matrix is full of nan
    Returns (..., n, n), float32, float64 or complex (of small integers and float16 float32, of other integers float64).
    The cotangent of a lies in the triangle that is read: its elements off the diagonal stand for two (I. Murray, 2016,
    arXiv:1602.07527).  upper: as NumPy names it; check_finite: ValueError if an element is infinite or nan.

    >>> cholesky([[4.0, 2.0], [2.0, 5.0]]).eval()
    array([[2., 0.],
           [1., 2.]])
    """
    one_of("cholesky", "on_error", on_error, ("raise", "nan"))
    lower = flag("cholesky", "lower", lower) and not flag("cholesky", "upper", upper)
    a = finite("cholesky", as_square("cholesky", a), check_finite)
    return apply(CHOLESKY, a, lower=lower, on_error=on_error)


def lu_factor(a: Any, *, check_finite: bool = False, overwrite_a: bool = False) -> tuple[Any, Any]:
    """(LU, pivots) of a = P L U: U and, below its diagonal, L without its ones; row k was exchanged with pivots[k].

    a  (..., m, n)
    Returns (..., m, n), and int32 of (..., min(m, n)), for `lu_solve`.  A singular matrix has a 0 on U's diagonal.

    >>> [part.eval() for part in lu_factor([[1.0, 2.0], [4.0, 4.0]])]
    [array([[4.  , 4.  ],
           [0.25, 1.  ]]), array([1, 1], dtype=int32)]
    """
    (a,) = as_matrices("lu_factor", a)
    lu, pivots = apply(LU_FACTOR, finite("lu_factor", a, check_finite))
    return lu, pivots


def lu(
    a: Any, permute_l: bool = False, check_finite: bool = False, p_indices: bool = False, overwrite_a: bool = False
) -> tuple[Any, ...]:
    """(P, L, U) with a = P L U: a permutation, L lower triangular with ones on the diagonal, U upper triangular.

    a          (..., m, n); L is (..., m, k) and U (..., k, n) with k = min(m, n)
    permute_l  give (P L, U) instead
    p_indices  P as int64 numbers p of rows: a = L[p] U

    >>> [part.eval().tolist() for part in lu([[1.0, 2.0], [4.0, 4.0]])]
    [[[0.0, 1.0], [1.0, 0.0]], [[1.0, 0.0], [0.25, 1.0]], [[4.0, 4.0], [0.0, 1.0]]]
    """
    permute_l, p_indices = flag("lu", "permute_l", permute_l), flag("lu", "p_indices", p_indices)
    (a,) = as_matrices("lu", a)
    a = finite("lu", a, check_finite)
    factors, pivots = apply(LU_FACTOR, a)
    m, n = a.type.shape[-2:]
    rank = a.type.ndim
    k = minimum(shape_i(a, rank - 2), shape_i(a, rank - 1))
    is_square = m is not None and m == n
    left = factors if is_square else getitem(factors, (..., slice(k)))
    upper = upper_of(factors if is_square else getitem(factors, (..., slice(k), slice(None))))
    lower = strictly_lower_of(left) + cast(eq(offsets(left), 0), left.type.dtype)
    if permute_l:
        return apply(SWAP_ROWS, lower, pivots, inverse=True), upper
    if p_indices:
        rows = dimshuffle(arange(shape_i(a, rank - 2)), (0, "x"))
        batch = [shape_i(a, d) for d in range(rank - 2)]
        rows = broadcast_to(rows, [*batch, shape_i(a, rank - 2), 1]) if batch else rows
        return dimshuffle_drop(apply(SWAP_ROWS, rows, pivots, inverse=True), rank - 1), lower, upper
    return apply(SWAP_ROWS, identity_as(a, real_of(a.type.dtype)), pivots, inverse=True), lower, upper


_QR_MODES = {"reduced": "reduced", "economic": "reduced", "r": "reduced", "complete": "complete", "full": "complete"}


def qr(a: Any, mode: str = "reduced", *, overwrite_a: bool = False, pivoting: bool = False, lwork: Any = None) -> Any:
    """(Q, R) with a = Q R: orthonormal columns, and an upper triangular matrix.

    a     (..., m, n); with k = min(m, n)
    mode  "reduced" (or "economic"): Q is (..., m, k), R (..., k, n); "complete" (or "full", as SciPy has it): Q is
          (..., m, m), R (..., m, n); "r": only the R of "reduced"; "raw": (h, tau), LAPACK's reflectors as NumPy has
          them, without gradient
    pivoting  give a third result, int64 numbers p of columns, with a[..., p] = Q R and the diagonal of R decreasing
    The gradient of "complete" is refused where there are more rows than columns: nothing determines the other columns
    (S. Walter, L. Lehmann, 2010; for wide matrices D. Roberts, L. Roberts, 2020).

    >>> q, r = qr([[1.0, 2.0], [3.0, 4.0]])
    >>> (q @ r).eval().round(12)
    array([[1., 2.],
           [3., 4.]])
    """
    one_of("qr", "mode", mode, (*_QR_MODES, "raw"))
    (a,) = as_matrices("qr", a)
    order = None
    if flag("qr", "pivoting", pivoting):
        order = apply(COLUMN_ORDER, a)
        a = take_along_axis(a, dimshuffle(order, (*range(a.type.ndim - 2), "x", a.type.ndim - 2)), a.type.ndim - 1)
    if mode == "raw":
        return (*apply(QR_RAW, a), *(() if order is None else (order,)))
    q, r = apply(QR, a, mode=_QR_MODES[mode])
    if order is not None:
        return (r, order) if mode == "r" else (q, r, order)
    return r if mode == "r" else QRResult(q, r)


def svd(a: Any, full_matrices: bool = True, compute_uv: bool = True, hermitian: bool = False) -> Any:
    """(U, s, Vh) with a = U diag(s) Vh: orthonormal columns and rows, and the singular values, the largest first.

    a              (..., m, n); with k = min(m, n)
    full_matrices  U is (..., m, m) and Vh (..., n, n); else U is (..., m, k) and Vh (..., k, n)
    compute_uv     if not, only s, a real (..., k)
    hermitian      accepted as NumPy's; the result is the same
    The gradient by U and Vh with `full_matrices` is refused unless the matrices are square.  It is infinite where two
    singular values are equal, unless the cost depends on their common space alone (J. Townsend, 2016; Z. Wan, S. Zhang,
    2019, arXiv:1909.02659).  LinAlgError if the method does not converge, as for nan.

    >>> svd([[3.0, 0.0], [0.0, 4.0]], compute_uv=False).eval()
    array([4., 3.])
    """
    full_matrices = flag("svd", "full_matrices", full_matrices)
    (a,) = as_matrices("svd", a)
    if not flag("svd", "compute_uv", compute_uv):
        return apply(SVDVALS, a)
    u, s, vh = apply(SVD, a, full_matrices=full_matrices)
    return SVDResult(u, s, vh)


def svdvals(x: Any) -> Any:
    """The singular values of the matrices, the largest first.  See `svd`.

    >>> svdvals([[3.0, 0.0], [0.0, 4.0]]).eval()
    array([4., 3.])
    """
    return svd(x, compute_uv=False)


def _reads_lower(what: str, triangle: Any) -> bool:
    return bool(one_of(what, "UPLO", triangle, ("L", "U", "l", "u")) in ("L", "l"))


def eigh(a: Any, b: Any = None, lower: bool = True, UPLO: str | None = None, type: int = 1) -> EighResult:
    """(w, V) of Hermitian matrices: the eigenvalues, the smallest first, and in the columns of V the eigenvectors.

    a     (..., n, n); its lower triangle is read (or the upper one)
    b     (..., n, n), Hermitian positive definite: that triangle of it is read.  Or, as NumPy has its second argument,
          the triangle "L" or "U"
    type  with b, w and v are those of 1: a v = w b v, 2: a b v = w v, 3: b a v = w v.  Of types 1 and 2 V' b V = 1, of
          type 3 V' b^-1 V = 1
    Returns real (..., n) and (..., n, n).  The cotangent of a lies in the triangle that is read; by V it is infinite
    where two eigenvalues are equal, unless the cost depends on their common space alone (M. Giles, 2008).

    >>> w, v = eigh([[2.0, 1.0], [1.0, 2.0]])
    >>> w.eval()
    array([1., 3.])
    >>> w, v = eigh([[2.0, 0.0], [0.0, 3.0]], [[1.0, 0.0], [0.0, 4.0]])
    >>> w.eval()
    array([0.75, 2.  ])
    """
    a, b, lower = _hermitian("eigh", a, b, lower, UPLO)
    if b is None:
        w, v = apply(EIGH, a, lower=lower)
        return EighResult(w, v)
    reduced, vectors = _of_pair("eigh", a, b, lower, type)
    w, v = apply(EIGH, reduced, lower=lower)
    return EighResult(w, vectors(v))


def eigvalsh(a: Any, b: Any = None, lower: bool = True, UPLO: str | None = None, type: int = 1) -> Any:
    """The eigenvalues of Hermitian matrices, the smallest first.  See `eigh`.

    >>> eigvalsh([[2.0, 1.0], [1.0, 2.0]]).eval()
    array([1., 3.])
    >>> eigvalsh([[2.0, 0.0], [0.0, 3.0]], [[1.0, 0.0], [0.0, 2.0]]).eval()
    array([1.5, 2. ])
    """
    a, b, lower = _hermitian("eigvalsh", a, b, lower, UPLO)
    return apply(EIGVALSH, a if b is None else _of_pair("eigvalsh", a, b, lower, type)[0], lower=lower)


def _hermitian(what: str, a: Any, b: Any, lower: Any, triangle: str | None) -> tuple[Any, Any, bool]:
    """The matrices, and whether their lower triangles are read."""
    if isinstance(b, str):
        b, triangle = None, b
    lower = _reads_lower(what, triangle) if triangle is not None else flag(what, "lower", lower)
    if b is None:
        return as_square(what, a), None, lower
    a, b = as_matrices(what, a, b)
    check_square(what, a)
    check_square(what, b)
    return a, b, lower


def _of_pair(what: str, a: Any, b: Any, lower: bool, type: int) -> tuple[Any, Callable[[Any], Any]]:
    """The Hermitian matrices with the eigenvalues of a pair, and how their eigenvectors become those of the pair."""
    one_of(what, "type", type, (1, 2, 3))
    factor = apply(CHOLESKY, b, lower=lower, on_error="raise")
    whole, flags = hermitian_from(a, lower), (0, 2 if b.type.dtype in COMPLEX else 1)

    def solved(x: Any, is_adjoint: bool) -> Any:
        """L^-1 x, or L'^-1 x, where b = L L'."""
        trans = flags[is_adjoint == lower]
        return apply(SOLVE_TRIANGULAR, factor, x, lower=lower, trans=trans, unit_diagonal=False)

    if type == 1:
        return solved(adjoint(solved(whole, False)), False), lambda y: solved(y, True)
    left = factor if lower else adjoint(factor)
    return product(adjoint(left), whole, left), lambda y: solved(y, True) if type == 2 else product(left, y)


def hermitian_from(a: Any, lower: bool) -> Any:
    """The Hermitian matrices of which a triangle is given, and the real part of the diagonal."""
    half = strictly_lower_of(a) if lower else strictly_upper_of(a)
    if a.type.dtype not in COMPLEX:
        return (lower_of(a) if lower else upper_of(a)) + adjoint(half)
    return half + adjoint(half) + kept(cast(real(a), a.type.dtype), eq)


def eig(a: Any) -> EigResult:
    """(w, V) of square matrices: the eigenvalues, in no order, and in the columns of V eigenvectors of length 1.

    a  (..., n, n)
    Returns complex (..., n) and (..., n, n), also where all are real (NumPy's dtype would depend on the numbers).
    The gradient by V is that of a cost which does not depend on the phase of the vectors (C. Boeddeker et al., 2017,
    arXiv:1701.00392).

    >>> eig([[0.0, -1.0], [1.0, 0.0]])[0].eval()
    array([0.+1.j, 0.-1.j])
    """
    w, v = apply(EIG, as_square("eig", a))
    return EigResult(w, v)


def eigvals(a: Any) -> Any:
    """The eigenvalues of square matrices, complex, in no order.  See `eig`.

    >>> eigvals([[0.0, -1.0], [1.0, 0.0]]).eval()
    array([0.+1.j, 0.-1.j])
    """
    return apply(EIGVALS, as_square("eigvals", a))


def cho_factor(a: Any, lower: bool = False, overwrite_a: bool = False, check_finite: bool = False) -> tuple[Any, bool]:
    """(c, lower): the Cholesky factor of a and whether it is the lower one, for `cho_solve`.  See `cholesky`.

    The other triangle of c is zeros.

    >>> cho_factor([[4.0]])[0].eval()
    array([[2.]])
    """
    lower = flag("cho_factor", "lower", lower)
    return cholesky(a, lower, check_finite=flag("cho_factor", "check_finite", check_finite)), lower
