"""Linear systems, inverses and determinants, by LU factors.

`solve`, `matrix_inverse`, `det` and `slogdet` are rows of their own, made of `lu_factor`, for the sake of their
gradients: these use the factors of the value, and a factorisation is computed once.

Gradients: M. Giles: "Collected matrix derivative results for forward and reverse mode algorithmic differentiation",
2008.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tensordsl.graph.casting import real_of
from tensordsl.graph.types import COMPLEX
from tensordsl.graph.variables import Dims, Expand, Kernel, apply
from tensordsl.ops.array.arrange import matrix_transpose, specify_shape
from tensordsl.ops.array.creation import arange
from tensordsl.ops.array.reduce import prod, sum
from tensordsl.ops.array.shape import shape_i
from tensordsl.ops.linalg.factorise import LU_FACTOR, SWAP_ROWS, numpy_swap_rows
from tensordsl.ops.linalg.matrices import (
    adjoint,
    as_column,
    diagonal_of,
    each,
    failure,
    identity_as,
    matrix_row,
    matrix_shape,
    of_lapack,
    product,
    same_batch,
    square_shape,
    strictly_lower_of,
    upper_of,
)
from tensordsl.ops.linalg.triangular import numpy_solve_triangular
from tensordsl.ops.math.comparisons import neq
from tensordsl.ops.math.complexes import conj
from tensordsl.ops.math.elementwise import abs_, cast, sgn, switch
from tensordsl.ops.math.functions import log
from tensordsl.ops.operands import constant


# -- by factors that are there ---------------------------------------------------------------------------------------
def _lu_solve_dtype(lu: str, pivots: str, b: str, trans: int) -> str:
    if pivots != "int32":
        raise TypeError(f"wants pivots of int32, as lu_factor gives them, got {pivots}")
    return of_lapack(lu, b)


def _lu_solve_shape(d: Dims, lu: Any, pivots: Any, b: Any, trans: int) -> tuple[Any, ...]:
    *batch, n, _ = square_shape(d, lu)
    *some, rows = d.shape(pivots)
    d.same(n, rows, "the number of pivots is not that of rows")
    same_batch(d, tuple(batch), tuple(some))
    *others, rows, columns = matrix_shape(d, b)
    n = d.same(n, rows, "the matrices and the right-hand sides differ in their number of rows")
    return (*same_batch(d, tuple(batch), tuple(others)), n, columns)


def numpy_lu_solve(lu: Any, pivots: Any, b: Any, trans: int) -> Any:
    is_zero = np.any(np.diagonal(lu, axis1=-2, axis2=-1) == 0, -1)
    if b.size and is_zero.any():
        raise failure("lu_solve", tuple(map(int, np.argwhere(is_zero)[0])))
    if trans:
        x = numpy_solve_triangular(lu, b, False, trans, False)
        return numpy_swap_rows(numpy_solve_triangular(lu, x, True, trans, True), pivots, True)
    x = numpy_solve_triangular(lu, numpy_swap_rows(b, pivots, False), True, 0, True)
    return numpy_solve_triangular(lu, x, False, 0, False)


def _lu_solve_gradient(g: Any, out: Any, lu: Any, pivots: Any, b: Any, trans: int) -> Sequence[Any]:
    """The cotangent G of P L U, in terms of both factors: that of L is P' G U', that of U is L' P' G."""
    of_b, of_a = _adjoint_solution(g, out, lambda rhs, flag: apply(LU_SOLVE, lu, pivots, rhs, trans=flag), trans)
    of_a = apply(SWAP_ROWS, of_a, pivots, inverse=False)
    of_lower = strictly_lower_of(product(of_a, adjoint(upper_of(lu))))
    of_upper = upper_of(of_a + product(adjoint(strictly_lower_of(lu)), of_a))
    return of_lower + of_upper, None, of_b


def _adjoint_solution(g: Any, x: Any, solved: Any, trans: int) -> tuple[Any, Any]:
    """The cotangents of b and of A, where op(A) x = b, op as `trans` says, and `solved(rhs, trans)` solves."""
    if trans == 0:
        of_b = solved(g, 2 if x.type.dtype in COMPLEX else 1)
        return of_b, -product(of_b, adjoint(x))
    if trans == 2 or x.type.dtype not in COMPLEX:
        of_b = solved(g, 0)
        return of_b, -product(x, adjoint(of_b))
    of_b = conj(solved(conj(g), 0))
    return of_b, -product(conj(x), matrix_transpose(of_b))


LU_SOLVE = matrix_row(
    "lu_solve", _lu_solve_dtype, _lu_solve_shape, numpy_lu_solve, Kernel("lu_solve"), _lu_solve_gradient,
)  # fmt: skip


# -- solve, inverse --------------------------------------------------------------------------------------------------
def _solve_shape(d: Dims, a: Any, b: Any, trans: int) -> tuple[Any, ...]:
    *batch, n, _ = square_shape(d, a)
    *others, rows, columns = matrix_shape(d, b)
    n = d.same(n, rows, "the matrices and the right-hand sides differ in their number of rows")
    return (*same_batch(d, tuple(batch), tuple(others)), n, columns)


def numpy_solve(a: Any, b: Any, trans: int) -> Any:
    a = np.swapaxes(a, -1, -2) if trans else a
    return each("lu_solve", np.linalg.solve, np.conj(a) if trans == 2 else a, b)


def _solve_gradient(g: Any, out: Any, a: Any, b: Any, trans: int) -> Sequence[Any]:
    of_b, of_a = _adjoint_solution(g, out, lambda rhs, flag: apply(SOLVE, a, rhs, trans=flag), trans)
    return of_a, of_b


SOLVE = matrix_row(
    "solve", lambda a, b, trans: of_lapack(a, b), _solve_shape, numpy_solve,
    Expand(lambda a, b, trans: apply(LU_SOLVE, *apply(LU_FACTOR, a), b, trans=trans)), _solve_gradient,
)  # fmt: skip


def _inverse_gradient(g: Any, out: Any, a: Any) -> Sequence[Any]:
    dual = adjoint(out)
    return (-product(dual, g, dual),)


MATRIX_INVERSE = matrix_row(
    "matrix_inverse", of_lapack, square_shape, lambda a: each("lu_solve", np.linalg.inv, a),
    Expand(lambda a: apply(LU_SOLVE, *apply(LU_FACTOR, a), identity_as(a), trans=0)), _inverse_gradient,
)  # fmt: skip


# -- determinants ----------------------------------------------------------------------------------------------------
def _scalars(d: Dims, a: Any) -> tuple[Any, ...]:
    return square_shape(d, a)[:-2]


def _parity(pivots: Any, dtype: str) -> Any:
    """The sign of the permutation: each exchange with another row counts -1."""
    n = pivots.type.ndim - 1
    moved = neq(pivots, arange(shape_i(pivots, n), dtype="int32"))
    one = constant(1, dtype=dtype)
    return prod(switch(moved, -one, one), axis=n)


def _square_factors(a: Any) -> tuple[Any, Any]:
    """The LU factors of matrices that must be square."""
    lu, pivots = apply(LU_FACTOR, a)
    m, n = a.type.shape[-2:]
    if m is None or m != n:
        lu = specify_shape(lu, [*(None for _ in range(a.type.ndim - 1)), shape_i(lu, a.type.ndim - 2)])
    return lu, pivots


def _build_det(a: Any) -> Any:
    lu, pivots = _square_factors(a)
    return prod(diagonal_of(lu), axis=a.type.ndim - 2) * _parity(pivots, a.type.dtype)


def _det_gradient(g: Any, out: Any, a: Any) -> Sequence[Any]:
    return (as_column(as_column(g * conj(out))) * adjoint(apply(MATRIX_INVERSE, a)),)


DET = matrix_row(
    "det", of_lapack, _scalars, lambda a: np.asarray(np.linalg.det(a)), Expand(_build_det), _det_gradient,
)  # fmt: skip


def _slogdet_dtype(a: str) -> tuple[str, str]:
    return of_lapack(a), real_of(a)


def _numpy_slogdet(a: Any) -> tuple[Any, Any]:
    sign, log_abs = np.linalg.slogdet(a)
    return np.asarray(sign), np.asarray(log_abs)


def _build_slogdet(a: Any) -> tuple[Any, Any]:
    lu, pivots = _square_factors(a)
    diagonal, last = diagonal_of(lu), a.type.ndim - 2
    sign = prod(sgn(diagonal), axis=last) * _parity(pivots, a.type.dtype)
    return sign, sum(log(abs_(diagonal)), axis=last)


def _slogdet_gradient(g: Any, out: Any, a: Any) -> Sequence[Any]:
    """The sign of a real determinant moves in steps, that of a complex one with the imaginary part of d log det."""
    of_sign, of_log = g
    sign, _ = out
    total = None if of_log is None else cast(of_log, a.type.dtype)
    if of_sign is not None and a.type.dtype in COMPLEX:
        along = of_sign * conj(sign)  # d sign = i Im(d log det) sign
        turn = (along - conj(along)) * constant(0.5, dtype=real_of(a.type.dtype))
        total = turn if total is None else total + turn
    if total is None:
        from tensordsl.ops.cotangents import ZERO

        return (ZERO,)
    return (as_column(as_column(total)) * adjoint(apply(MATRIX_INVERSE, a)),)


SLOGDET = matrix_row(
    "slogdet", _slogdet_dtype, lambda d, a: (_scalars(d, a),) * 2, _numpy_slogdet, Expand(_build_slogdet),
    _slogdet_gradient,
)  # fmt: skip
ROWS = (LU_SOLVE, SOLVE, MATRIX_INVERSE, DET, SLOGDET)
