"""Inverses, pseudo-inverses and determinants as users call them; what is decided by singular values.

The gradient of the pseudo-inverse: G. Golub, V. Pereyra: "The differentiation of pseudo-inverses and nonlinear least
squares problems whose variables separate", 1973.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from tensordsl.graph.casting import real_of
from tensordsl.graph.types import COMPLEX
from tensordsl.graph.variables import Dims, Expand, apply
from tensordsl.ops.array.reduce import bound, sum
from tensordsl.ops.array.shape import reshape, shape_i
from tensordsl.ops.linalg.matrices import (
    adjoint,
    as_column,
    as_matrices,
    as_square,
    columns_times,
    matrix_row,
    matrix_shape,
    of_lapack,
    product,
    require_finite,
)
from tensordsl.ops.linalg.solve import DET, MATRIX_INVERSE, SLOGDET
from tensordsl.ops.linalg.spectral import SVD, SVDVALS
from tensordsl.ops.math.comparisons import gt
from tensordsl.ops.math.complexes import imag, real
from tensordsl.ops.math.elementwise import cast, maximum, sqr, switch
from tensordsl.ops.operands import as_variable, constant, whole_number


# -- cutoffs ---------------------------------------------------------------------------------------------------------
def relative_cutoff(a: Any, rcond: Any) -> Any:
    """The part of the largest singular value below which others count as 0; None: eps times the larger side of a."""
    dtype = real_of(a.type.dtype)
    if rcond is not None and not (isinstance(rcond, int | float) and rcond == -1):
        return cast(as_variable(rcond), dtype)
    eps = constant(np.finfo(dtype).eps, dtype=dtype)
    if rcond is not None:
        return eps
    rank = a.type.ndim
    return cast(maximum(shape_i(a, rank - 2), shape_i(a, rank - 1)), dtype) * eps


def inverse_above(s: Any, rcond: Any) -> Any:
    """1 / s for those above rcond times the largest one, else 0."""
    is_large = gt(s, rcond * bound(s, -1))
    one, zero = constant(1, dtype=s.type.dtype), constant(0, dtype=s.type.dtype)
    return switch(is_large, 1 / switch(is_large, s, one), zero)


def squared_size(x: Any) -> Any:
    return sqr(real(x)) + sqr(imag(x)) if x.type.dtype in COMPLEX else sqr(x)


# -- the row ---------------------------------------------------------------------------------------------------------
def _pinv_shape(d: Dims, a: Any, rcond: Any) -> tuple[Any, ...]:
    *batch, m, n = matrix_shape(d, a)
    return (*batch, n, m)


def _pinv_dtype(a: str, rcond: str) -> str:
    if rcond != real_of(of_lapack(a)):
        raise TypeError(f"wants the cutoff as {real_of(a)}, got {rcond}")
    return a


def _build_pinv(a: Any, rcond: Any) -> Any:
    u, s, vh = apply(SVD, a, full_matrices=False)
    return product(columns_times(adjoint(vh), cast(inverse_above(s, rcond), a.type.dtype)), adjoint(u))


def _pinv_gradient(g: Any, out: Any, a: Any, rcond: Any) -> Sequence[Any]:
    """With P = pinv(a): -P' g P' + (1 - a P) g' P P' + P' P g' (1 - P a)."""
    dual, turned = adjoint(out), adjoint(g)
    result = -product(dual, g, dual)
    left = turned - product(a, product(out, turned))
    right = turned - product(product(turned, out), a)
    return result + product(product(left, out), dual) + product(dual, product(out, right)), None


PINV = matrix_row(
    "pinv", _pinv_dtype, _pinv_shape, lambda a, rcond: np.linalg.pinv(require_finite(a), float(rcond)),
    Expand(_build_pinv), _pinv_gradient,
)  # fmt: skip
ROWS = (PINV,)


# -- public functions ------------------------------------------------------------------------------------------------
def inv(a: Any) -> Any:
    """The inverses of square matrices.  `T.inv` is another function: 1 / x, as in Theano.

    a  (..., n, n); LinAlgError, with the position in the batch, where a matrix is singular (a pivot is exactly 0)
    To solve a system, `solve(a, b)` is faster and more exact than `inv(a) @ b`.

    >>> inv([[2.0, 0.0], [0.0, 4.0]]).eval()
    array([[0.5 , 0.  ],
           [0.  , 0.25]])
    """
    return apply(MATRIX_INVERSE, as_square("inv", a))


matrix_inverse = inv


def pinv(a: Any, rcond: Any = None, hermitian: bool = False, *, rtol: Any = 1e-15) -> Any:
    """The pseudo-inverses of matrices, by their singular values.

    a      (..., m, n); the result is (..., n, m)
    rcond  singular values up to rcond times the largest one count as 0; by default 1e-15, as in NumPy.  rtol: the same,
           where None means eps times the larger of m and n
    hermitian  accepted as NumPy's; the result is the same

    >>> pinv([[2.0], [0.0]]).eval()
    array([[0.5, 0. ]])
    """
    (a,) = as_matrices("pinv", a)
    return apply(PINV, a, relative_cutoff(a, rtol if rcond is None else rcond))


def det(a: Any) -> Any:
    """The determinants of square matrices.  It over- or underflows for large ones: see `slogdet`.

    a  (..., n, n)
    The gradient is det(a) times the transposed inverse, so LinAlgError where a is singular, as in Theano.

    >>> det([[1.0, 2.0], [3.0, 4.0]]).eval().round(12)
    np.float64(-2.0)
    """
    return apply(DET, as_square("det", a))


class SlogdetResult(NamedTuple):
    """The sign of a determinant and the logarithm of its absolute value."""

    sign: Any
    logabsdet: Any


def slogdet(a: Any) -> SlogdetResult:
    """(sign, log of the absolute value) of the determinants of square matrices; (0, -inf) for singular ones.

    a  (..., n, n); the sign is of a's dtype, the logarithm real
    The gradient of the logarithm is the transposed inverse (M. Giles, 2008), by the same LU factors.

    >>> [part.eval().round(12).item() for part in slogdet([[1.0, 2.0], [3.0, 4.0]])]
    [-1.0, 0.69314718056]
    """
    sign, log_abs = apply(SLOGDET, as_square("slogdet", a))
    return SlogdetResult(sign, log_abs)


def logdet(a: Any) -> Any:
    """log(abs(det(a))), the second result of `slogdet`.

    >>> logdet([[1.0, 0.0], [0.0, 1.0]]).eval()
    array(0.)
    """
    return slogdet(a)[1]


def matrix_rank(A: Any, tol: Any = None, hermitian: bool = False, *, rtol: Any = None) -> Any:
    """How many singular values of each matrix are above a tolerance: int64.

    A    (..., m, n); of fewer axes than two: whether an element is not 0
    tol  the tolerance; by default rtol times the largest singular value, rtol by default eps times the larger of m, n

    >>> matrix_rank([[1.0, 1.0], [1.0, 1.0]]).eval()
    array(1)
    """
    from tensordsl.ops.array.reduce import any
    from tensordsl.ops.math.comparisons import neq

    if tol is not None and rtol is not None:
        raise ValueError("matrix_rank: tol and rtol can't be both set")
    A = as_variable(A)
    if A.type.ndim < 2:
        return cast(any(neq(A, 0)), "int64")
    (a,) = as_matrices("matrix_rank", A)
    s = apply(SVDVALS, a)
    if tol is None:
        limit = relative_cutoff(a, rtol) * bound(s, -1)
    else:
        limit = as_variable(tol)
        limit = as_column(limit) if limit.type.ndim else limit
    return sum(cast(gt(s, limit), "int64"), axis=s.type.ndim - 1)


# -- tensors as matrices ---------------------------------------------------------------------------------------------
def tensorinv(a: Any, ind: int = 2) -> Any:
    """The inverse of a as the map from its last axes to its first `ind` ones, as `numpy.linalg.tensorinv`.

    The products of the lengths of both groups of axes must be equal.

    >>> tensorinv([[[[2.0]]]]).eval()
    array([[[[0.5]]]])
    """
    a, ind = as_variable(a), whole_number(ind, "tensorinv", "ind")
    if not 0 < ind <= a.type.ndim:
        raise ValueError(f"tensorinv: ind must be 1 to {a.type.ndim}, the number of axes of a, got {ind}")
    lengths = [shape_i(a, k) for k in range(a.type.ndim)]
    side = product_of(lengths[ind:])
    matrix = reshape(a, (product_of(lengths[:ind]), side), ndim=2)
    return reshape(inv(matrix), [*lengths[ind:], *lengths[:ind]], ndim=a.type.ndim)


def product_of(lengths: Sequence[Any]) -> Any:
    """The product of lengths of axes."""
    result: Any = 1
    for n in lengths:
        result = n if isinstance(result, int) and result == 1 else result * n
    return result
