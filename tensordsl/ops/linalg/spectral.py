"""Eigenvalues and singular values, with their vectors.

Gradients: M. Giles, 2008 (see `solve`); M. Seeger, A. Hetzel, Z. Dai, E. Meissner, N. Lawrence: "Auto-differentiating
linear algebra", 2017 (arXiv:1710.08717); J. Townsend: "Differentiating the singular value decomposition", 2016; Z. Wan,
S. Zhang: "Automatic differentiation for complex valued SVD", 2019 (arXiv:1909.02659); C. Boeddeker, P. Hanebrink,
L. Drude, J. Heymann, R. Haeb-Umbach: "On the computation of complex-valued gradients with application to statistically
optimum beamforming", 2017 (arXiv:1701.00392).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tensordsl.graph.casting import complex_of, real_of
from tensordsl.graph.types import COMPLEX
from tensordsl.graph.variables import Dims, Kernel, apply
from tensordsl.ops.linalg.matrices import (
    adjoint,
    as_column,
    columns_times,
    diagonal_of,
    each,
    folded,
    matrix_row,
    matrix_shape,
    of_lapack,
    offsets,
    over_differences,
    product,
    require_finite,
    skew_over_differences,
    square_shape,
)
from tensordsl.ops.linalg.solve import SOLVE
from tensordsl.ops.math.comparisons import eq
from tensordsl.ops.math.complexes import complex, conj, imag, real
from tensordsl.ops.math.elementwise import cast, sqr, switch
from tensordsl.ops.operands import constant


def _on_diagonal(v: Any, x: Any) -> Any:
    """The matrices with v on their diagonal, of the dtype of x."""
    wide = cast(as_column(v), x.type.dtype)
    return switch(eq(offsets(x), 0), wide, constant(0, dtype=x.type.dtype))


def _sum(a: Any, b: Any) -> Any:
    return b if a is None else a if b is None else a + b


# -- singular values -------------------------------------------------------------------------------------------------
def _svd_dtype(a: str, full_matrices: bool) -> tuple[str, str, str]:
    return of_lapack(a), real_of(a), a


def _svd_shape(d: Dims, a: Any, full_matrices: bool) -> tuple[Any, ...]:
    *batch, m, n = matrix_shape(d, a)
    k = d.minimum(m, n)
    return (*batch, m, m if full_matrices else k), (*batch, k), (*batch, n if full_matrices else k, n)


def numpy_svd(a: Any, full_matrices: bool) -> tuple[Any, Any, Any]:
    u, s, vh = each("svd", lambda x: np.linalg.svd(require_finite(x), full_matrices), a)
    return u, s, vh


def _svd_gradient(g: Any, out: Any, a: Any, full_matrices: bool) -> Sequence[Any]:
    """With F[i, j] = 1 / (s_j^2 - s_i^2), X = U' g_U and Y = V' g_V, U (F o (X - X') s + s F o (Y - Y') + g_s) V';
    and what of g_U and g_V lies outside of the spaces of U and V, divided by s."""
    (of_u, of_s, of_vh), (u, s, vh) = g, out
    m, n = a.type.shape[-2:]
    is_square = m is not None and m == n
    if of_u is None and of_vh is None:
        u, _, vh = apply(SVD, a, full_matrices=False) if full_matrices else out
        return (product(columns_times(u, cast(of_s, a.type.dtype)), vh),)
    if full_matrices and not is_square:
        raise NotImplementedError(
            "svd: with full_matrices there is no gradient by U or V unless the matrices are known to be square (the "
            "columns that complete them are not determined); use full_matrices=False"
        )
    squares, scale = sqr(s), cast(s, a.type.dtype)
    core, left, right = None, None, None
    if of_u is not None:
        x = product(adjoint(u), of_u)
        core = columns_times(skew_over_differences(x, squares), scale)
        if a.type.dtype in COMPLEX:  # the phase of U is free, that of V follows
            turn = imag(diagonal_of(x)) / s
            core = core + _on_diagonal(complex(constant(0, dtype=s.type.dtype), turn), core)
        if not is_square and (m is None or n is None or m > n):
            left = columns_times(of_u - product(u, x), 1 / scale)
    if of_vh is not None:
        y = product(vh, adjoint(of_vh))
        core = _sum(core, as_column(scale) * skew_over_differences(y, squares))
        if not is_square and (m is None or n is None or m < n):
            right = product(u, (of_vh - product(adjoint(y), vh)) / as_column(scale))
    if of_s is not None:
        core = core + _on_diagonal(of_s, core)
    return (_sum(product(_sum(product(u, core), left), vh), right),)


SVD = matrix_row(
    "svd",
    _svd_dtype,
    _svd_shape,
    numpy_svd,
    Kernel("svd"),
    _svd_gradient,
)


def _values_shape(d: Dims, a: Any) -> tuple[Any, ...]:
    *batch, m, n = matrix_shape(d, a)
    return (*batch, d.minimum(m, n))


def _svdvals_gradient(g: Any, out: Any, a: Any) -> Sequence[Any]:
    u, _, vh = apply(SVD, a, full_matrices=False)
    return (product(columns_times(u, cast(g, a.type.dtype)), vh),)


SVDVALS = matrix_row(
    "svdvals", lambda a: real_of(of_lapack(a)), _values_shape,
    lambda a: each("svd", lambda x: np.linalg.svd(x, compute_uv=False), a), Kernel("svdvals"), _svdvals_gradient,
)  # fmt: skip


# -- of Hermitian matrices -------------------------------------------------------------------------------------------
def _eigh_gradient(g: Any, out: Any, a: Any, lower: bool) -> Sequence[Any]:
    """V (g_w + F o (V' g_V)) V' with F[i, j] = 1 / (w_j - w_i), in the triangle that was read; of V' g_V half of its
    skew part counts."""
    (of_w, of_v), (w, v) = g, out
    if of_v is None:
        return (folded(product(columns_times(v, cast(of_w, v.type.dtype)), adjoint(v)), lower),)
    half = constant(0.5, dtype=w.type.dtype)
    core = skew_over_differences(product(adjoint(v), of_v), w) * half
    if of_w is not None:
        core = core + _on_diagonal(of_w, core)
    return (folded(product(v, core, adjoint(v)), lower),)


def numpy_eigh(a: Any, lower: bool) -> tuple[Any, Any]:
    w, v = each("eigh", lambda x: np.linalg.eigh(x, "L" if lower else "U"), a)
    return w, v


def _eigh_shape(d: Dims, a: Any, lower: bool) -> tuple[Any, ...]:
    shape = square_shape(d, a)
    return shape[:-1], shape


EIGH = matrix_row(
    "eigh", lambda a, lower: (real_of(of_lapack(a)), a), _eigh_shape, numpy_eigh, Kernel("eigh"), _eigh_gradient,
)  # fmt: skip


def _eigvalsh_gradient(g: Any, out: Any, a: Any, lower: bool) -> Sequence[Any]:
    return _eigh_gradient((g, None), apply(EIGH, a, lower=lower), a, lower)


EIGVALSH = matrix_row(
    "eigvalsh", lambda a, lower: real_of(of_lapack(a)), lambda d, a, lower: square_shape(d, a)[:-1],
    lambda a, lower: each("eigh", lambda x: np.linalg.eigvalsh(x, "L" if lower else "U"), a), Kernel("eigvalsh"),
    _eigvalsh_gradient,
)  # fmt: skip


# -- of any square matrices ------------------------------------------------------------------------------------------
def numpy_eig(a: Any) -> tuple[Any, Any]:
    dtype = complex_of(str(a.dtype))
    w, v = each("eig", np.linalg.eig, a)
    return w.astype(dtype), v.astype(dtype)


def _eig_gradient(g: Any, out: Any, a: Any) -> Sequence[Any]:
    """V'^-1 (g_w + (X - V' V Re(diag X)) / (w_j - w_i)*) V' with X = V' g_V, for vectors of length 1 whose phase the
    cotangent does not tell apart."""
    (of_w, of_v), (w, v) = g, out
    core = None if of_w is None else _on_diagonal(of_w, v)
    if of_v is not None:
        x = product(adjoint(v), of_v)
        along = cast(real(diagonal_of(x)), v.type.dtype)
        turned = over_differences(x - columns_times(product(adjoint(v), v), along), conj(w))
        core = turned if core is None else core + turned
    return (apply(SOLVE, adjoint(v), product(core, adjoint(v)), trans=0),)


EIG = matrix_row(
    "eig", lambda a: (complex_of(of_lapack(a)),) * 2, lambda d, a: (square_shape(d, a)[:-1], square_shape(d, a)),
    numpy_eig, Kernel("eig"), _eig_gradient,
)  # fmt: skip
EIGVALS = matrix_row(
    "eigvals", lambda a: complex_of(of_lapack(a)), lambda d, a: square_shape(d, a)[:-1],
    lambda a: each("eig", np.linalg.eigvals, a).astype(complex_of(str(a.dtype))), Kernel("eigvals"),
    lambda g, out, a: _eig_gradient((g, None), apply(EIG, a), a),
)  # fmt: skip
ROWS = (SVD, SVDVALS, EIGH, EIGVALSH, EIG, EIGVALS)
