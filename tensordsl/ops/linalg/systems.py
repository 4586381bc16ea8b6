"""Linear systems as users call them: general, triangular, by factors that are there, least squares."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tensordsl.graph.casting import real_of
from tensordsl.graph.types import COMPLEX
from tensordsl.graph.variables import Dims, Expand, OpTypeError, apply
from tensordsl.ops.array.arrange import matrix_transpose
from tensordsl.ops.array.index import getitem
from tensordsl.ops.array.reduce import bound, sum
from tensordsl.ops.array.shape import broadcast_to, reshape, shape_i, transpose
from tensordsl.ops.linalg.decompositions import hermitian_from
from tensordsl.ops.linalg.factorise import CHOLESKY
from tensordsl.ops.linalg.inverses import PINV, inverse_above, product_of, relative_cutoff, squared_size
from tensordsl.ops.linalg.matrices import (
    adjoint,
    as_column,
    as_matrices,
    check_square,
    finite,
    flag,
    kept,
    lower_of,
    matrix_row,
    matrix_shape,
    of_lapack,
    one_of,
    product,
    require_finite,
    same_batch,
    strictly_lower_of,
    strictly_upper_of,
    upper_of,
)
from tensordsl.ops.linalg.products import dimshuffle_drop
from tensordsl.ops.linalg.solve import LU_SOLVE, SOLVE
from tensordsl.ops.linalg.spectral import SVD
from tensordsl.ops.linalg.triangular import SOLVE_TRIANGULAR
from tensordsl.ops.math.comparisons import eq, gt
from tensordsl.ops.math.elementwise import cast
from tensordsl.ops.operands import as_variable, normalise_axis


# -- operands --------------------------------------------------------------------------------------------------------
def _system(what: str, a: Any, b: Any, b_ndim: int | None) -> tuple[Any, Any, bool]:
    """The matrices, the right-hand sides as matrices, and whether these were vectors."""
    b = as_variable(b)
    one_of(what, "b_ndim", b_ndim, (None, 1, 2))
    is_vector = b.type.ndim == 1 if b_ndim is None else b_ndim == 1
    if is_vector and not b.type.ndim:
        raise OpTypeError(f"{what}: wants a vector or a matrix as b, got {b.type}")
    a, b = as_matrices(what, a, as_column(b) if is_vector else b)
    check_square(what, a)
    return a, b, is_vector


def _solution(x: Any, is_vector: bool) -> Any:
    return dimshuffle_drop(x, x.type.ndim - 1) if is_vector else x


_TRANS: dict[Any, int] = {0: 0, "N": 0, "n": 0, 1: 1, "T": 1, "t": 1, 2: 2, "C": 2, "c": 2, "H": 2}


def _trans(what: str, trans: Any, x: Any) -> int:
    found = _TRANS[one_of(what, "trans", trans, _TRANS)]
    return 1 if found == 2 and x.type.dtype not in COMPLEX else found


# -- by structure ----------------------------------------------------------------------------------------------------
_STRUCTURES: dict[Any, str] = {
    **dict.fromkeys((None, "gen", "general"), "general"), **dict.fromkeys(("sym", "symmetric"), "symmetric"),
    **dict.fromkeys(("her", "hermitian"), "hermitian"), **dict.fromkeys(("pos", "positive definite"), "positive"),
    "diagonal": "diagonal", **dict.fromkeys(("tridiagonal", "banded"), "general"),
    **dict.fromkeys(("lower triangular", "lower_triangular"), "lower"),
    **dict.fromkeys(("upper triangular", "upper_triangular"), "upper"),
}  # fmt: skip


def solve(
    a: Any, b: Any, *, lower: bool = False, overwrite_a: bool = False, overwrite_b: bool = False,
    check_finite: bool = False, assume_a: str | None = "gen", transposed: bool = False, b_ndim: int | None = None,
) -> Any:  # fmt: skip
    """x with a x = b, by LU factors with row exchanges, or as the structure of a allows.

    a           (..., n, n)
    b           (n,), or (..., n, k); axes before broadcast.  b_ndim=1: (..., n), a batch of vectors
    assume_a    "gen"; "sym", "her": one triangle of a is read; "pos": that of a positive definite matrix, by Cholesky;
                "diagonal"; "tridiagonal", "banded": as "gen"; "lower triangular", "upper triangular"
    lower       which triangle "sym", "her" and "pos" read; "her" and "pos" read of the diagonal the real part
    transposed  solve a.T x = b
    Returns the shape of b, with the axes of batches, in float32, float64 or complex.  LinAlgError, with the position in
    the batch, where a is singular (a pivot is exactly 0).  check_finite: ValueError for infinite elements and nan.
    Gradient: that of b solves a' g_b = g by the same factors, that of a is -g_b x' (M. Giles, 2008).  Where a triangle
    is read, that of a lies in it: its elements off the diagonal stand for two.

    >>> solve([[2.0, 0.0], [1.0, 4.0]], [2.0, 9.0]).eval()
    array([1., 2.])
    """
    one_of("solve", "assume_a", assume_a, _STRUCTURES)
    lower = flag("solve", "lower", lower)
    a, b, is_vector = _system("solve", a, b, b_ndim)
    a, b = finite("solve", a, check_finite), finite("solve", b, check_finite)
    structure, trans = _STRUCTURES[assume_a], int(flag("solve", "transposed", transposed))
    if structure in ("lower", "upper"):
        x = apply(SOLVE_TRIANGULAR, a, b, lower=structure == "lower", trans=trans, unit_diagonal=False)
    elif structure == "diagonal":
        x = apply(SOLVE_TRIANGULAR, kept(a, eq), b, lower=True, trans=0, unit_diagonal=False)
    elif structure == "positive" and not (trans and a.type.dtype in COMPLEX):
        x = _by_cholesky(apply(CHOLESKY, a, lower=lower, on_error="raise"), b, lower)
    elif structure == "general":
        x = apply(SOLVE, a, b, trans=trans)
    else:
        is_plain = structure == "symmetric" and a.type.dtype in COMPLEX
        x = apply(SOLVE, _symmetric_from(a, lower) if is_plain else hermitian_from(a, lower), b, trans=trans)
    return _solution(x, is_vector)


def _symmetric_from(a: Any, lower: bool) -> Any:
    if lower:
        return lower_of(a) + matrix_transpose(strictly_lower_of(a))
    return upper_of(a) + matrix_transpose(strictly_upper_of(a))


def solve_triangular(
    a: Any, b: Any, trans: int | str = 0, lower: bool = False, unit_diagonal: bool = False, overwrite_b: bool = False,
    check_finite: bool = False, b_ndim: int | None = None,
) -> Any:  # fmt: skip
    """x with op(a) x = b for triangular matrices a, of which only that triangle is read.

    a              (..., n, n), upper triangular unless `lower`
    b              (n,), or (..., n, k); axes before broadcast.  b_ndim=1: (..., n), a batch of vectors
    trans          op(a) is a (0 or "N"), its transpose (1, "T") or its conjugate transpose (2, "C")
    unit_diagonal  the diagonal counts as ones and is not read
    LinAlgError, with the position in the batch, for a 0 on the diagonal.

    >>> solve_triangular([[2.0, 0.0], [1.0, 4.0]], [2.0, 9.0], lower=True).eval()
    array([1., 2.])
    """
    a, b, is_vector = _system("solve_triangular", a, b, b_ndim)
    a, b = finite("solve_triangular", a, check_finite), finite("solve_triangular", b, check_finite)
    attrs: dict[str, Any] = {
        "lower": flag("solve_triangular", "lower", lower),
        "unit_diagonal": flag("solve_triangular", "unit_diagonal", unit_diagonal),
    }
    return _solution(apply(SOLVE_TRIANGULAR, a, b, trans=_trans("solve_triangular", trans, a), **attrs), is_vector)


def solve_lower_triangular(a: Any, b: Any) -> Any:
    """`solve_triangular` with the lower triangle of a.

    >>> solve_lower_triangular([[2.0, 0.0], [1.0, 4.0]], [2.0, 9.0]).eval()
    array([1., 2.])
    """
    return solve_triangular(a, b, lower=True)


def solve_upper_triangular(a: Any, b: Any) -> Any:
    """`solve_triangular` with the upper triangle of a.

    >>> solve_upper_triangular([[4.0, 1.0], [0.0, 2.0]], [9.0, 2.0]).eval()
    array([2., 1.])
    """
    return solve_triangular(a, b, lower=False)


# -- by factors ------------------------------------------------------------------------------------------------------
def _by_cholesky(factor: Any, b: Any, lower: bool) -> Any:
    """With L y = b and L' x = y."""
    flag = 2 if factor.type.dtype in COMPLEX else 1
    first, last = (0, flag) if lower else (flag, 0)
    attrs: dict[str, Any] = {"lower": lower, "unit_diagonal": False}
    return apply(
        SOLVE_TRIANGULAR, factor, apply(SOLVE_TRIANGULAR, factor, b, trans=first, **attrs), trans=last, **attrs
    )


def cho_solve(
    c_and_lower: tuple[Any, bool], b: Any, overwrite_b: bool = False, check_finite: bool = False,
    b_ndim: int | None = None,
) -> Any:  # fmt: skip
    """x with a x = b, by the Cholesky factor of a.

    c_and_lower  (c, lower): the factor, of `cholesky` or `cho_factor`, and whether it is the lower one
    b            (n,), or (..., n, k); axes before broadcast.  b_ndim=1: (..., n), a batch of vectors

    >>> from tensordsl.ops.linalg.decompositions import cholesky
    >>> cho_solve((cholesky([[4.0, 2.0], [2.0, 5.0]]), True), [8.0, 8.0]).eval()
    array([1.5, 1. ])
    """
    if not isinstance(c_and_lower, tuple | list) or len(c_and_lower) != 2:
        raise TypeError(f"cho_solve: wants a pair (factor, lower) first, got {c_and_lower!r}")
    factor, b, is_vector = _system("cho_solve", c_and_lower[0], b, b_ndim)
    factor, b = finite("cho_solve", factor, check_finite), finite("cho_solve", b, check_finite)
    return _solution(_by_cholesky(factor, b, flag("cho_solve", "lower", c_and_lower[1])), is_vector)


def lu_solve(
    lu_and_piv: tuple[Any, Any], b: Any, trans: int | bool = 0, b_ndim: int | None = None, check_finite: bool = False,
    overwrite_b: bool = False,
) -> Any:  # fmt: skip
    """x with op(a) x = b, by the factors and pivots that `lu_factor` gives.

    b      (n,), or (..., n, k); axes before broadcast.  b_ndim=1: (..., n), a batch of vectors
    trans  op(a) is a (0), its transpose (1) or its conjugate transpose (2)

    >>> from tensordsl.ops.linalg.decompositions import lu_factor
    >>> lu_solve(lu_factor([[0.0, 2.0], [1.0, 4.0]]), [2.0, 5.0]).eval()
    array([1., 1.])
    """
    if not isinstance(lu_and_piv, tuple | list) or len(lu_and_piv) != 2:
        raise TypeError(f"lu_solve: wants a pair (factors, pivots) first, got {lu_and_piv!r}")
    lu, b, is_vector = _system("lu_solve", lu_and_piv[0], b, b_ndim)
    lu, b = finite("lu_solve", lu, check_finite), finite("lu_solve", b, check_finite)
    pivots = cast(as_variable(lu_and_piv[1]), "int32")
    if pivots.type.ndim < lu.type.ndim - 1:
        pivots = broadcast_to(pivots, [shape_i(lu, k) for k in range(lu.type.ndim - 1)])
    return _solution(apply(LU_SOLVE, lu, pivots, b, trans=_trans("lu_solve", trans, lu)), is_vector)


# -- least squares ---------------------------------------------------------------------------------------------------
def _lstsq_shape(d: Dims, a: Any, b: Any, rcond: Any) -> tuple[Any, ...]:
    *batch, m, n = matrix_shape(d, a)
    *others, rows, columns = matrix_shape(d, b)
    d.same(m, rows, "the matrices and the right-hand sides differ in their number of rows")
    return (*same_batch(d, tuple(batch), tuple(others)), n, columns)


def _lstsq_dtype(a: str, b: str, rcond: str) -> str:
    if rcond != real_of(a):
        raise TypeError(f"wants the cutoff as {real_of(a)}, got {rcond}")
    return of_lapack(a, b)


def numpy_lstsq(a: Any, b: Any, rcond: Any) -> Any:
    found = np.zeros((*a.shape[:-2], a.shape[-1], b.shape[-1]), a.dtype)
    for position in np.ndindex(a.shape[:-2]):
        found[position] = np.linalg.lstsq(require_finite(a[position]), b[position], float(rcond))[0]
    return found


def _build_lstsq(a: Any, b: Any, rcond: Any) -> Any:
    u, s, vh = apply(SVD, a, full_matrices=False)
    rows = product(adjoint(u), b)
    return product(adjoint(vh), rows * as_column(cast(inverse_above(s, rcond), a.type.dtype)))


def _lstsq_gradient(g: Any, out: Any, a: Any, b: Any, rcond: Any) -> Sequence[Any]:
    """With P the pseudo-inverse, y = P' g and r = b - a x: -y x' + r (P y)' + (P' x) (g - a' y)' (G. Golub,
    V. Pereyra, 1973)."""
    p = apply(PINV, a, rcond)
    y = product(adjoint(p), g)
    rest = b - product(a, out)
    of_a = product(rest, adjoint(product(p, y))) - product(y, adjoint(out))
    of_a = of_a + product(product(adjoint(p), out), adjoint(g - product(adjoint(a), y)))
    return of_a, y, None


LSTSQ = matrix_row(
    "lstsq",
    _lstsq_dtype,
    _lstsq_shape,
    numpy_lstsq,
    Expand(_build_lstsq),
    _lstsq_gradient,
)
ROWS = (LSTSQ,)


def lstsq(a: Any, b: Any, rcond: Any = None) -> tuple[Any, Any, Any, Any]:
    """(x, residuals, rank, s): the x of least length among those with the least |b - a x|, for each column of b.

    a      (..., m, n);  b  (m,) or (..., m, k)
    rcond  singular values up to rcond times the largest one count as 0; None: eps times the larger of m and n
    Returns x (n,) or (..., n, k); the sums of squares |b - a x|^2 of each column (k,), or of b a vector (1,), and none,
    (0,), if the rank is less than n or m is at most n; the rank, an int64; the singular values.  Of batches the
    residuals are always there, (..., k).

    >>> lstsq([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]], [1.0, 3.0, 5.0])[0].eval().round(12)
    array([1., 2.])
    """
    b = as_variable(b)
    is_vector = b.type.ndim == 1
    a, b = as_matrices("lstsq", a, as_column(b) if is_vector else b)
    s, cutoff = apply(SVD, a, full_matrices=False)[1], relative_cutoff(a, rcond)
    x = apply(LSTSQ, a, b, cutoff)
    rank = sum(cast(gt(s, cutoff * bound(s, -1)), "int64"), axis=s.type.ndim - 1)
    rest = sum(squared_size(b - product(a, x)), axis=b.type.ndim - 2)
    if a.type.ndim == 2:
        m, n = shape_i(a, 0), shape_i(a, 1)
        rest = getitem(rest, (slice(shape_i(rest, 0) * cast(eq(rank, n) & gt(m, n), "int64")),))
    return _solution(x, is_vector), rest, rank, s


def tensorsolve(a: Any, b: Any, axes: Any = None) -> Any:
    """x with tensordot(a, x, x.ndim) = b, as `numpy.linalg.tensorsolve`.

    a     of the axes of b, then those of x, whose lengths have the same product
    axes  of a, which are moved to the end first

    >>> tensorsolve([[[2.0, 0.0]], [[0.0, 4.0]]], [[2.0], [8.0]]).eval()
    array([1., 2.])
    """
    a, b = as_variable(a), as_variable(b)
    if axes is not None:
        axes = [axes] if not isinstance(axes, tuple | list) else axes
        last = [normalise_axis(k, a.type.ndim, "tensorsolve") for k in axes]
        if len(set(last)) != len(last):
            raise ValueError(f"tensorsolve: the axes {tuple(axes)} name one axis twice")
        a = transpose(a, [*(k for k in range(a.type.ndim) if k not in last), *last])
    if a.type.ndim <= b.type.ndim:
        raise OpTypeError(f"tensorsolve: a must have more axes than b, got {a.type} and {b.type}")
    lengths = [shape_i(a, k) for k in range(b.type.ndim, a.type.ndim)]
    side = product_of(lengths)
    x = solve(reshape(a, (-1, side), ndim=2), reshape(b, (-1,), ndim=1))
    return reshape(x, lengths, ndim=len(lengths))
