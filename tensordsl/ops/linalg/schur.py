"""Schur and generalised Schur factors: steps of the host by SciPy, which is an optional part."""

from __future__ import annotations

from typing import Any

import numpy as np

from tensordsl.graph.casting import complex_of, real_of
from tensordsl.graph.types import COMPLEX
from tensordsl.graph.variables import HOST, Dims, apply
from tensordsl.ops.linalg.matrices import (
    as_matrices,
    as_square,
    check_square,
    flag,
    matrix_row,
    of_lapack,
    of_scipy,
    one_of,
    same_batch,
    square_shape,
    stacked,
)

SORTS = ("lhp", "rhp", "iuc", "ouc")
_NO_GRADIENT = "the factors of a Schur decomposition are not differentiated; eigh and eig are"


# -- rows ------------------------------------------------------------------------------------------------------------
def numpy_schur(a: Any, output: str, sort: str | None) -> Any:
    schur = of_scipy("schur", "schur")
    return stacked(lambda x: schur(x, output, sort=sort)[:2], a)


def numpy_qz(a: Any, b: Any, output: str, sort: str | None) -> Any:
    ordered, dtypes = of_scipy("qz", "ordqz"), _qz_dtype(a.dtype.name, b.dtype.name, output, sort)
    first = sort or (lambda alpha, beta: np.ones(alpha.shape, bool))  # all of them are: nothing is moved

    def one(x: Any, y: Any) -> Any:
        with np.errstate(all="ignore"):
            return [part.astype(t) for part, t in zip(ordered(x, y, first, output), dtypes, strict=True)]

    return stacked(one, a, b)


def _dtype(a: str, output: str) -> str:
    return complex_of(a) if output == "complex" else of_lapack(a)


def _qz_dtype(a: str, b: str, output: str, sort: str | None) -> tuple[str, ...]:
    dtype = _dtype(of_lapack(a, b), output)
    of_beta = dtype if output == "complex" else real_of(dtype)
    return dtype, dtype, complex_of(dtype), of_beta, dtype, dtype


def _qz_shape(d: Dims, a: Any, b: Any, output: str, sort: str | None) -> tuple[Any, ...]:
    *batch, n, _ = square_shape(d, a)
    *others, k, _ = square_shape(d, b)
    n, of_all = d.same(n, k, "a and b differ in size"), same_batch(d, tuple(batch), tuple(others))
    matrices, values = (*of_all, n, n), (*of_all, n)
    return matrices, matrices, values, values, matrices, matrices


SCHUR = matrix_row(
    "schur", lambda a, output, sort: (_dtype(of_lapack(a), output),) * 2,
    lambda d, a, output, sort: (square_shape(d, a),) * 2, numpy_schur, HOST, no_gradient=_NO_GRADIENT,
)  # fmt: skip
QZ = matrix_row("qz", _qz_dtype, _qz_shape, numpy_qz, HOST, no_gradient=_NO_GRADIENT)
ROWS = (SCHUR, QZ)


# -- functions -------------------------------------------------------------------------------------------------------
def _form(what: str, output: str, sort: str | None, dtype: str) -> dict[str, str | None]:
    one_of(what, "output", output, ("real", "complex"))
    one_of(what, "sort", sort, (None, *SORTS))
    return {"output": "complex" if dtype in COMPLEX else output, "sort": sort}


def schur(a: Any, output: str = "real", sort: str | None = None) -> tuple[Any, Any]:
    """(T, Z) with a = Z T Z': Z unitary, T upper triangular, or of real matrices with blocks of 2 by 2 on its diagonal.

    a       (..., n, n)
    output  "real"; or "complex", for a triangular T of real matrices too
    sort    which eigenvalues come first: "lhp" and "rhp", those of the left and of the right half plane; "iuc" and
            "ouc", those inside and outside of the unit circle
    By SciPy in the call; ImportError without it.  It has no gradient.

    >>> schur([[1.0, 2.0], [0.0, 3.0]])[0].eval()
    array([[1., 2.],
           [0., 3.]])
    >>> schur([[1.0, 2.0], [0.0, -3.0]], sort="lhp")[0].diagonal().eval()
    array([-3.,  1.])
    """
    a = as_square("schur", a)
    t, z = apply(SCHUR, a, **_form("schur", output, sort, a.type.dtype))
    return t, z


def qz(
    A: Any, B: Any, output: str = "real", sort: str | None = None, return_eigenvalues: bool = False
) -> tuple[Any, ...]:
    """(S, T, Q, Z) with A = Q S Z' and B = Q T Z': the generalised Schur decomposition.  See `schur`.

    return_eigenvalues  the result is that of `ordqz`

    >>> [part.type.ndim for part in qz([[1.0]], [[2.0]])]
    [2, 2, 2, 2]
    """
    found = _ordered("qz", A, B, sort, output)
    return found if flag("qz", "return_eigenvalues", return_eigenvalues) else (*found[:2], *found[4:])


def ordqz(A: Any, B: Any, sort: str | None = "lhp", output: str = "real") -> tuple[Any, ...]:
    """(S, T, alpha, beta, Q, Z): `qz` with the eigenvalues alpha / beta in two parts, those that `sort` says first.

    alpha, beta  (..., n); alpha is complex

    >>> S, T, alpha, beta, Q, Z = ordqz([[2.0, 0.0], [0.0, -3.0]], [[1.0, 0.0], [0.0, 1.0]])
    >>> (alpha / beta).eval().real
    array([-3.,  2.])
    """
    return _ordered("ordqz", A, B, sort, output)


def _ordered(what: str, A: Any, B: Any, sort: str | None, output: str) -> tuple[Any, ...]:
    A, B = as_matrices(what, A, B, names="A B")
    check_square(what, A)
    check_square(what, B)
    return tuple(apply(QZ, A, B, **_form(what, output, sort, A.type.dtype)))
