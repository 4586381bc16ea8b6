"""Schur and generalised Schur factors: steps of the host by SciPy, which is an optional part."""

from __future__ import annotations

from typing import Any

import numpy as np

from tensordsl.graph.casting import complex_of
from tensordsl.graph.types import COMPLEX
from tensordsl.graph.variables import Dims, apply
from tensordsl.ops.linalg.matrices import (
    HOST,
    as_matrices,
    as_square,
    check_square,
    matrix_row,
    of_lapack,
    one_of,
    same_batch,
    square_shape,
)

_NO_GRADIENT = "the factors of a Schur decomposition are not differentiated; eigh and eig are"


def _scipy(what: str) -> Any:
    try:
        import scipy.linalg  # type: ignore[import-untyped]  # it has no stubs
    except ImportError:
        raise ImportError(f"{what} is computed by SciPy, which is not installed: pip install scipy") from None
    return scipy.linalg


def _each(function: Any, *arrays: Any) -> list[Any]:
    """Of batches of matrices: the results, stacked."""
    batch = arrays[0].shape[:-2]
    found = [function(*(a[position] for a in arrays)) for position in np.ndindex(batch)]
    if not found:
        found = [function(*(np.eye(a.shape[-1], dtype=a.dtype) for a in arrays))]
        return [np.empty((*batch, *part.shape), part.dtype) for part in found[0]]
    return [np.stack(parts).reshape(*batch, *parts[0].shape) for parts in zip(*found, strict=True)]


def numpy_schur(a: Any, output: str) -> Any:
    return _each(lambda x: _scipy("schur").schur(x, output), a)


def numpy_qz(a: Any, b: Any, output: str) -> Any:
    return _each(lambda x, y: _scipy("qz").qz(x, y, output), a, b)


def _dtype(a: str, output: str) -> str:
    return complex_of(a) if output == "complex" else of_lapack(a)


def _two(d: Dims, a: Any, b: Any, output: str) -> tuple[Any, ...]:
    *batch, n, _ = square_shape(d, a)
    *others, k, _ = square_shape(d, b)
    n = d.same(n, k, "a and b differ in size")
    return ((*same_batch(d, tuple(batch), tuple(others)), n, n),) * 4


SCHUR = matrix_row(
    "schur", lambda a, output: (_dtype(of_lapack(a), output),) * 2, lambda d, a, output: (square_shape(d, a),) * 2,
    numpy_schur, HOST, no_gradient=_NO_GRADIENT,
)  # fmt: skip
QZ = matrix_row(
    "qz", lambda a, b, output: (_dtype(of_lapack(a, b), output),) * 4, _two, numpy_qz, HOST, no_gradient=_NO_GRADIENT,
)  # fmt: skip
ROWS = (SCHUR, QZ)


def _form(what: str, output: str, dtype: str) -> str:
    one_of(what, "output", output, ("real", "complex"))
    return "complex" if dtype in COMPLEX else output


def schur(a: Any, output: str = "real", sort: None = None) -> tuple[Any, Any]:
    """(T, Z) with a = Z T Z': Z unitary, T upper triangular, or of real matrices with blocks of 2 by 2 on its diagonal.

    a       (..., n, n)
    output  "real"; or "complex", for a triangular T of real matrices too
    By SciPy in the call; ImportError without it.  It has no gradient.

    >>> schur([[1.0, 2.0], [0.0, 3.0]])[0].eval()
    array([[1., 2.],
           [0., 3.]])
    """
    if sort is not None:
        raise NotImplementedError("schur: eigenvalues are not sorted; sort must be None")
    a = as_square("schur", a)
    t, z = apply(SCHUR, a, output=_form("schur", output, a.type.dtype))
    return t, z


def qz(A: Any, B: Any, output: str = "real", sort: None = None) -> tuple[Any, Any, Any, Any]:
    """(S, T, Q, Z) with A = Q S Z' and B = Q T Z': the generalised Schur decomposition.  See `schur`.

    >>> [part.type.ndim for part in qz([[1.0]], [[2.0]])]
    [2, 2, 2, 2]
    """
    if sort is not None:
        raise NotImplementedError("qz: eigenvalues are not sorted; sort must be None")
    A, B = as_matrices("qz", A, B, names="A B")
    check_square("qz", A)
    check_square("qz", B)
    s, t, q, z = apply(QZ, A, B, output=_form("qz", output, A.type.dtype))
    return s, t, q, z
