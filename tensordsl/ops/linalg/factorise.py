"""Factorisations: Cholesky, LU with row exchanges, QR.

Gradients: I. Murray: "Differentiation of the Cholesky decomposition", 2016 (arXiv:1602.07527); F. de Hoog,
R. Anderssen, M. Lukas: "Differentiation of matrix functionals using triangular factorization", 2011; S. Walter,
L. Lehmann: "Algorithmic differentiation of linear algebra functions", 2010 (arXiv:1001.1654); for wide matrices
D. Roberts, L. Roberts: "QR and LQ decomposition matrix backpropagation algorithms", 2020 (arXiv:2009.10071).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tensordsl.graph.types import COMPLEX
from tensordsl.graph.variables import HOST, Dims, Kernel, Op, apply
from tensordsl.ops.array.arrange import matrix_transpose
from tensordsl.ops.array.index import getitem
from tensordsl.ops.array.shape import INTEGER_VALUED, as_dim, concatenate, shape_i
from tensordsl.ops.array.write import set_subtensor
from tensordsl.ops.control import require
from tensordsl.ops.linalg.matrices import (
    adjoint,
    adjoint_flag,
    failure,
    folded,
    half_diagonal,
    matrix_row,
    matrix_shape,
    nan_of,
    of_lapack,
    product,
    same_batch,
    square_shape,
    strictly_lower_of,
    triangle,
    upper_of,
)
from tensordsl.ops.linalg.triangular import SOLVE_TRIANGULAR, numpy_solve_triangular
from tensordsl.ops.math.comparisons import le
from tensordsl.ops.math.elementwise import minimum, second
from tensordsl.ops.operands import constant


def _from_left(triangle: Any, b: Any, lower: bool, trans: int, unit_diagonal: bool = False) -> Any:
    return apply(SOLVE_TRIANGULAR, triangle, b, lower=lower, trans=trans, unit_diagonal=unit_diagonal)


# -- Cholesky --------------------------------------------------------------------------------------------------------
def numpy_cholesky(a: Any, lower: bool, on_error: str) -> Any:
    """The other triangle is not read."""
    a = np.asarray(a if lower else np.conj(np.swapaxes(a, -1, -2)))
    try:
        found = np.linalg.cholesky(a)
    except np.linalg.LinAlgError:
        found = np.empty_like(a)
        for position in np.ndindex(a.shape[:-2]):
            try:
                found[position] = np.linalg.cholesky(a[position])
            except np.linalg.LinAlgError:
                if on_error == "raise":
                    raise failure("cholesky", position) from None
                found[position] = nan_of(a.dtype)
    return np.ascontiguousarray(found if lower else np.conj(np.swapaxes(found, -1, -2)))


def numpy_cholesky_vjp(factor: Any, g: Any) -> Any:
    """With P the lower half of L' g and half of its diagonal: S + S' of S = L'^-1 P L^-1, folded."""
    half = np.tril(np.matmul(np.swapaxes(np.tril(factor), -1, -2), np.tril(g)))
    half[..., range(half.shape[-1]), range(half.shape[-1])] /= 2
    inner = np.swapaxes(numpy_solve_triangular(factor, half, True, 1, False), -1, -2)
    s = numpy_solve_triangular(factor, inner, True, 1, False)
    result = np.tril(s + np.swapaxes(s, -1, -2))
    result[..., range(half.shape[-1]), range(half.shape[-1])] /= 2
    return result


def _vjp_shape(d: Dims, factor: Any, g: Any) -> tuple[Any, ...]:
    return tuple(
        d.same(m, n, "a cotangent like its factor")
        for m, n in zip(square_shape(d, factor), square_shape(d, g), strict=True)
    )


def _cholesky_vjp_gradient(h: Any, out: Any, factor: Any, g: Any) -> Sequence[Any]:
    """Of S = L'^-1 P L^-1 by P and by L, and of P by L and g."""
    half = half_diagonal(h, le)
    left = _from_left(factor, half + adjoint(half), True, 0)
    of_p = half_diagonal(_from_left(factor, adjoint(left), True, 0), le)
    of_factor = product(triangle(g, True, False), adjoint(of_p)) - product(out + adjoint(out), adjoint(left))
    of_g = product(triangle(factor, True, False), of_p)
    return triangle(of_factor, True, False), triangle(of_g, True, False)


CHOLESKY_VJP = matrix_row(
    "cholesky_vjp", of_lapack, _vjp_shape, numpy_cholesky_vjp, Kernel("cholesky_vjp"), _cholesky_vjp_gradient,
)  # fmt: skip


def _cholesky_gradient(g: Any, out: Any, a: Any, lower: bool, on_error: str) -> Sequence[Any]:
    """Of complex numbers, with P the lower half of L' g and half of its diagonal: S = L'^-1 P L^-1, two solves and no
    inverse."""
    if out.type.dtype not in COMPLEX:
        found = apply(CHOLESKY_VJP, *(x if lower else matrix_transpose(x) for x in (out, g)))
        return (found if lower else matrix_transpose(found),)
    flag = adjoint_flag(out) if lower else 0
    inner = product(adjoint(out), g) if lower else product(out, adjoint(g))
    p = half_diagonal(inner, le)
    s = _from_left(out, adjoint(_from_left(out, p, lower, flag)), lower, flag)
    return (folded(s, lower),)


CHOLESKY = matrix_row(
    "cholesky", lambda a, lower, on_error: of_lapack(a), lambda d, a, lower, on_error: square_shape(d, a),
    numpy_cholesky, Kernel("cholesky"), _cholesky_gradient,
)  # fmt: skip


# -- LU --------------------------------------------------------------------------------------------------------------
def _size(a: Any) -> Any:
    """By which LAPACK chooses pivots."""
    return np.abs(a.real) + np.abs(a.imag) if a.dtype.kind == "c" else np.abs(a)


def numpy_lu_factor(a: Any) -> tuple[Any, Any]:
    """Elimination with partial pivoting, all matrices of a batch at once."""
    *batch, m, n = a.shape
    lu = np.array(a).reshape(math.prod(batch), m, n)
    pivots, every = np.zeros((len(lu), min(m, n)), "int32"), np.arange(len(lu))
    with np.errstate(all="ignore"):
        for k in range(min(m, n) if len(lu) else 0):
            pivots[:, k] = best = k + np.argmax(_size(lu[:, k:, k]), 1)
            chosen, moved = lu[every, best].copy(), lu[:, k].copy()
            lu[every, best], lu[:, k] = moved, chosen
            pivot = lu[:, k, k]
            lu[:, k + 1 :, k] /= np.where(pivot == 0, 1, pivot)[:, None]
            lu[:, k + 1 :, k + 1 :] -= lu[:, k + 1 :, k, None] * lu[:, k, None, k + 1 :]
    return lu.reshape(a.shape), pivots.reshape(*batch, min(m, n))


def _lu_shape(d: Dims, a: Any) -> tuple[Any, ...]:
    *batch, m, n = matrix_shape(d, a)
    return (*batch, m, n), (*batch, d.minimum(m, n))


def _lu_factor_gradient(g: Any, out: Any, a: Any) -> Sequence[Any]:
    """That of the square part; what is below or right of it follows from it by a solve."""
    g, (lu, pivots) = g[0], out
    if g is None:
        return (None,)
    m, n = a.type.shape[-2:]
    side = minimum(*(as_dim(shape_i(a, a.type.ndim - k)) for k in (2, 1)))
    head, tail = (slice(None, side),), (slice(side, None),)
    is_tall, is_wide = (m is None or n is None or m > n), (m is None or n is None or m < n)
    square = getitem(lu, (..., *head, *head)) if is_tall or is_wide else lu
    of_square = getitem(g, (..., *head, *head)) if is_tall or is_wide else g
    flag = adjoint_flag(a)
    of_lower, of_upper = strictly_lower_of(of_square), upper_of(of_square)
    below = right = None
    if is_tall:
        low = getitem(lu, (..., *tail, *head))
        below = adjoint(_from_left(square, adjoint(getitem(g, (..., *tail, *head))), False, 0))
        of_upper = of_upper - upper_of(product(adjoint(low), below))
    if is_wide:
        high = getitem(lu, (..., *head, *tail))
        right = _from_left(square, getitem(g, (..., *head, *tail)), True, flag, True)
        of_lower = of_lower - strictly_lower_of(product(right, adjoint(high)))
    unit = strictly_lower_of(square)
    inner = strictly_lower_of(product(adjoint(unit), of_lower) + of_lower) + upper_of(
        product(of_upper, adjoint(upper_of(square)))
    )
    left = _from_left(square, inner, True, flag, True)
    result = adjoint(_from_left(square, adjoint(left), False, 0))
    if is_tall or is_wide:
        whole = second(a, constant(0, dtype=a.type.dtype))
        result = set_subtensor(getitem(whole, (..., *head, *head)), result)
    if below is not None:
        result = set_subtensor(getitem(result, (..., *tail, *head)), below)
    if right is not None:
        result = set_subtensor(getitem(result, (..., *head, *tail)), right)
    return (apply(SWAP_ROWS, result, pivots, inverse=True),)


LU_FACTOR = matrix_row(
    "lu_factor", lambda a: (of_lapack(a), "int32"), _lu_shape, numpy_lu_factor, Kernel("lu_factor"),
    _lu_factor_gradient,
)  # fmt: skip


# -- exchanges of rows -----------------------------------------------------------------------------------------------
def _swap_shape(d: Dims, b: Any, pivots: Any, inverse: bool) -> tuple[Any, ...]:
    shape, of_pivots = matrix_shape(d, b), d.shape(pivots)
    same_batch(d, shape[:-2], of_pivots[:-1])
    return shape


def numpy_swap_rows(b: Any, pivots: Any, inverse: bool) -> Any:
    """Row k with row pivots[k], for k = 0, 1, ... or the other way round."""
    *batch, m, n = b.shape
    count = math.prod(batch)
    rows, swaps = np.array(b).reshape(count, m, n), pivots.reshape(count, pivots.shape[-1])
    every = np.arange(len(rows))
    for k in reversed(range(swaps.shape[1])) if inverse else range(swaps.shape[1]):
        chosen, moved = rows[every, swaps[:, k]].copy(), rows[:, k].copy()
        rows[every, swaps[:, k]], rows[:, k] = moved, chosen
    return rows.reshape(b.shape)


SWAP_ROWS: Op = matrix_row(
    "swap_rows", lambda b, pivots, inverse: b, _swap_shape, numpy_swap_rows, Kernel("swap_rows"),
    lambda g, out, b, pivots, inverse: (apply(SWAP_ROWS, g, pivots, inverse=not inverse), None),
)  # fmt: skip


# -- QR --------------------------------------------------------------------------------------------------------------
def _qr_shape(d: Dims, a: Any, mode: str) -> tuple[Any, ...]:
    *batch, m, n = matrix_shape(d, a)
    k = m if mode == "complete" else d.minimum(m, n)
    return (*batch, m, k), (*batch, k, n)


def numpy_qr(a: Any, mode: str) -> tuple[Any, Any]:
    q, r = np.linalg.qr(a, "complete" if mode == "complete" else "reduced")
    return q, r


def _qr_gradient(g: Any, out: Any, a: Any, mode: str) -> Sequence[Any]:
    """Of m by n matrices: for m >= n that of Walter and Lehmann; else Q and the first m columns of R are the
    factorisation of the first m columns of A, and the others of R are Q' times those of A."""
    (of_q, of_r), (q, r) = g, out
    m, n = a.type.shape[-2:]
    if mode == "complete" and not (m is not None and n is not None and m <= n):
        if m is not None and n is not None:
            raise NotImplementedError(
                f"qr: with mode 'complete' there is no gradient for matrices of more rows than columns ({m} by {n}): "
                "the columns that complete Q are not determined; use mode='reduced'"
            )
        is_wide = le(shape_i(a, a.type.ndim - 2), shape_i(a, a.type.ndim - 1))
        q = require(q, is_wide, "qr: with mode 'complete' there is no gradient for more rows than columns")
    rest = None
    if m is None or n is None or m < n:
        side = minimum(*(as_dim(shape_i(a, a.type.ndim - k)) for k in (2, 1)))
        head, tail = slice(None, side), slice(side, None)
        right = getitem(a, (..., slice(None), tail))
        if of_r is not None:
            outer = getitem(of_r, (..., slice(None), tail))
            more = product(right, adjoint(outer))
            of_q = more if of_q is None else of_q + more
            rest = product(q, outer)
            of_r = getitem(of_r, (..., slice(None), head))
        r = getitem(r, (..., slice(None), head))
    inner = None  # R g_R' - g_Q' Q, whose lower half counts
    if of_r is not None:
        inner = product(r, adjoint(of_r))
    if of_q is not None:
        other = product(adjoint(of_q), q)
        inner = -other if inner is None else inner - other
    half = half_diagonal(inner, le)
    whole = product(q, half + adjoint(half))
    whole = whole if of_q is None else whole + of_q
    result = adjoint(_from_left(r, adjoint(whole), False, 0))
    if rest is None and (m is None or n is None or m < n):
        rest = second(right, constant(0, dtype=a.type.dtype))
    return (result if rest is None else concatenate([result, rest], axis=a.type.ndim - 1),)


QR = matrix_row(
    "qr", lambda a, mode: (of_lapack(a),) * 2, _qr_shape, numpy_qr, Kernel("qr"), _qr_gradient,
)  # fmt: skip


# -- QR in other forms -------------------------------------------------------------------------------------------------
def _raw_shape(d: Dims, a: Any) -> tuple[Any, ...]:
    *batch, m, n = matrix_shape(d, a)
    return (*batch, n, m), (*batch, d.minimum(m, n))


def numpy_qr_raw(a: Any) -> tuple[Any, Any]:
    h, tau = np.linalg.qr(a, "raw")
    return h, tau


QR_RAW = matrix_row(
    "qr_raw", lambda a: (of_lapack(a),) * 2, _raw_shape, numpy_qr_raw, HOST,
    no_gradient="LAPACK's reflectors are not differentiated; Q and R are",
)  # fmt: skip


def numpy_column_order(a: Any) -> Any:
    """Each column is the one with the largest rest, after reflections for those before it."""
    found = np.zeros((*a.shape[:-2], a.shape[-1]), "int64")
    for position in np.ndindex(a.shape[:-2]):
        found[position] = _order_of_columns(np.array(a[position]))
    return found


def _order_of_columns(rest: Any) -> Any:
    m, n = rest.shape
    order = np.arange(n)
    with np.errstate(all="ignore"):
        for k in range(min(m, n)):
            best = k + int(np.argmax((np.abs(rest[k:, k:]) ** 2).sum(0)))
            rest[:, [k, best]], order[[k, best]] = rest[:, [best, k]], order[[best, k]]
            v = rest[k:, k].copy()
            size = np.linalg.norm(v)
            if size and np.isfinite(size):
                v[0] += size * (v[0] / abs(v[0]) if v[0] else 1)
                v /= np.linalg.norm(v)
                rest[k:, k:] -= 2 * np.outer(v, np.conj(v) @ rest[k:, k:])
    return order


def _order_shape(d: Dims, a: Any) -> tuple[Any, ...]:
    *batch, _, n = matrix_shape(d, a)
    return (*batch, n)


COLUMN_ORDER = matrix_row(
    "column_order", lambda a: "int64" if of_lapack(a) else "", _order_shape, numpy_column_order, HOST,
    no_gradient=INTEGER_VALUED,
)  # fmt: skip
ROWS = (CHOLESKY, CHOLESKY_VJP, LU_FACTOR, SWAP_ROWS, QR, QR_RAW, COLUMN_ORDER)
