"""Square roots and logarithms of matrices: steps of the host by SciPy, which is an optional part.

Gradients: E. Deadman, N. Higham, R. Ralha: "Blocked Schur algorithms for computing the matrix square root", 2013, for
the equation of the root's derivative; N. Higham: "Functions of matrices", 2008, theorem 3.6, for that of the logarithm.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from tensordsl.graph.variables import HOST, apply
from tensordsl.ops.linalg.equations import SYLVESTER
from tensordsl.ops.linalg.matrices import (
    adjoint,
    as_square,
    matrix_row,
    nan_of,
    of_lapack,
    of_scipy,
    square_shape,
    stacked,
)
from tensordsl.ops.linalg.matrix_functions import by_triangular_blocks

REAL_TOLERANCE = 1e-7  # of an imaginary part, of the largest element: the square root of a float64's rounding


def _by_scipy(name: str, a: Any) -> Any:
    """A function of each matrix, in float64; NaN where a matrix is not finite, or real and its function is complex."""
    function = of_scipy(name, name)

    def one(x: Any) -> Any:
        if not x.size or not np.isfinite(x).all():
            return np.full_like(x, nan_of(x.dtype))
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of singular matrices: the result has infinities
            found = function(x.astype("complex128" if x.dtype.kind == "c" else "float64"))
            if found.dtype.kind == "c" and x.dtype.kind != "c":
                is_real = np.abs(found.imag).max() <= REAL_TOLERANCE * np.abs(found).max()
                found = found.real if is_real else np.full_like(x, np.nan)
            return found.astype(x.dtype)

    return stacked(one, a)[0]


def _sqrtm_gradient(g: Any, out: Any, a: Any) -> Sequence[Any]:
    """S with X' S + S X' = g, the adjoint of X dX + dX X = dA."""
    return (apply(SYLVESTER, adjoint(out), adjoint(out), g),)


def _logm_gradient(g: Any, out: Any, a: Any) -> Sequence[Any]:
    """The block above the diagonal of logm([[a', g], [0, a']])."""
    return (by_triangular_blocks(LOGM, a, g),)


SQRTM = matrix_row("sqrtm", of_lapack, square_shape, lambda a: _by_scipy("sqrtm", a), HOST, _sqrtm_gradient)
LOGM = matrix_row("logm", of_lapack, square_shape, lambda a: _by_scipy("logm", a), HOST, _logm_gradient)
ROWS = (SQRTM, LOGM)


def sqrtm(A: Any) -> Any:
    """The principal square roots of square matrices: X X = A, no eigenvalue of X in the left half plane.

    A  (..., n, n); nan where an element is not finite, and for real matrices whose root is complex: they want a complex
       dtype, as numbers do.  A singular matrix may have no root: the result has infinities
    By SciPy in the call; ImportError without it.

    >>> sqrtm([[4.0, 1.0], [0.0, 4.0]]).eval()
    array([[2.  , 0.25],
           [0.  , 2.  ]])
    """
    return apply(SQRTM, as_square("sqrtm", A))


def logm(A: Any) -> Any:
    """The principal logarithms of square matrices: expm(X) = A, imaginary parts of X's eigenvalues within -pi and pi.

    A  (..., n, n); nan where an element is not finite, and for real matrices whose logarithm is complex: they want a
       complex dtype, as numbers do
    By SciPy in the call; ImportError without it.

    >>> logm([[1.0, 1.0], [0.0, 1.0]]).eval()
    array([[0., 1.],
           [0., 0.]])
    """
    return apply(LOGM, as_square("logm", A))
