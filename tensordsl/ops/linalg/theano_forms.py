"""Functions of Theano's modules `nlinalg` and `slinalg` that differ from those of `T.linalg`, and makers of its ops."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tensordsl.graph.types import COMPLEX
from tensordsl.graph.variables import OpTypeError
from tensordsl.ops.array import grids, index
from tensordsl.ops.linalg import decompositions, inverses, matrix_functions, systems
from tensordsl.ops.math.complexes import real
from tensordsl.ops.math.elementwise import pow as power
from tensordsl.ops.operands import as_variable, whole_number

MATRIX_STRUCTURES = (
    "general", "symmetric", "lower_triangular", "upper_triangular", "hermitian", "banded", "diagonal", "toeplitz",
)  # fmt: skip
imported_scipy = True


def svd(a: Any, full_matrices: Any = 1, compute_uv: Any = 1) -> Any:
    """[U, s, V] of a matrix, or s alone.  See `T.linalg.svd`.

    >>> svd([[3.0]], compute_uv=0).eval()
    array([3.])
    """
    found = decompositions.svd(a, full_matrices, compute_uv)
    return list(found) if compute_uv else found


def qr(a: Any, mode: str = "reduced") -> Any:
    """[Q, R] of a matrix, or R alone (mode "r").  As in NumPy of Theano's time, "full" is "reduced".

    >>> qr([[3.0]], "r").eval()
    array([[3.]])
    """
    found = decompositions.qr(a, "reduced" if isinstance(mode, str) and mode in ("full", "f") else mode)
    return list(found) if isinstance(found, tuple) else found


def eigh(a: Any, UPLO: str = "L") -> list[Any]:
    """[w, V] of a Hermitian matrix.  See `T.linalg.eigh`.

    >>> eigh([[3.0]])[0].eval()
    array([3.])
    """
    return list(decompositions.eigh(a, UPLO))


def eig(a: Any) -> list[Any]:
    """[w, V] of a square matrix, of the dtype of the matrix: of real matrices the real parts, as Theano has them.

    `T.linalg.eig` gives complex ones.

    >>> eig([[0.0, -1.0], [1.0, 0.0]])[0].eval()
    array([0., 0.])
    """
    w, v = decompositions.eig(a)
    return [w, v] if as_variable(a).type.dtype in COMPLEX else [real(w), real(v)]


def trace(X: Any) -> Any:
    """The sum of the diagonal of a matrix.

    >>> trace([[1, 2], [3, 4]]).eval()
    array(5)
    """
    return index.trace(X)


def diag(x: Any) -> Any:
    """The matrix with a vector on its diagonal; of a matrix: its diagonal.

    >>> diag([[1, 2], [3, 4]]).eval()
    array([1, 4])
    """
    x = as_variable(x)
    if x.type.ndim not in (1, 2):
        raise OpTypeError(f"diag requires vector or matrix argument, got {x.type}")
    return grids.diag(x)


def eigvalsh(a: Any, b: Any, lower: bool = True) -> Any:
    """The w with a v = w b v (b None: of a alone).  See `T.linalg.eigvalsh`.

    >>> eigvalsh([[3.0]], None).eval()
    array([3.])
    """
    return decompositions.eigvalsh(a, b, lower)


# -- of theano.sandbox.linalg ----------------------------------------------------------------------------------------
def psd(v: Any) -> Any:
    """v: Theano's hint that it is positive semidefinite has no effect; `T.linalg.solve(assume_a="pos")` uses that.

    >>> psd([[1.0]]).eval()
    array([[1.]])
    """
    return as_variable(v)


def spectral_radius_bound(X: Any, log2_exponent: int) -> Any:
    """An upper bound of the largest eigenvalue of a symmetric matrix with eigenvalues of 0 or more: the 2^k-th root of
    the trace of X to the power 2^k, k = `log2_exponent`.

    >>> spectral_radius_bound([[2.0, 0.0], [0.0, 1.0]], 3).eval().round(4)
    np.float64(2.001)
    """
    k = whole_number(log2_exponent, "spectral_radius_bound", "log2_exponent")
    if k <= 0:
        raise ValueError(f"spectral_radius_bound: log2_exponent must be positive, got {k}")
    return power(index.trace(matrix_functions.matrix_power(X, 2**k)), 2.0**-k)


# -- makers of functions, for Theano's classes of ops ----------------------------------------------------------------
def solve(A: Any, b: Any) -> Any:
    """x with A x = b, whatever the structure of A.  See `T.linalg.solve`.

    >>> solve([[2.0]], [4.0]).eval()
    array([2.])
    """
    return systems.solve(A, b)


solve_symmetric = solve


def solver(
    A_structure: str = "general", lower: bool = False, overwrite_A: bool = False, overwrite_b: bool = False
) -> Callable[[Any, Any], Any]:
    """`Solve(A_structure)`: a function of A and b; all structures but the triangular ones are solved as general ones.

    >>> solver("lower_triangular")([[2.0]], [4.0]).eval()
    array([2.])
    """
    if not isinstance(A_structure, str) or A_structure not in MATRIX_STRUCTURES:
        raise ValueError(
            f"Invalid matrix structure argument {A_structure!r}; use one of {', '.join(MATRIX_STRUCTURES)}"
        )
    if A_structure in ("lower_triangular", "upper_triangular"):
        return lambda A, b: systems.solve_triangular(A, b, lower=A_structure == "lower_triangular")
    return solve


def least_squares(*arguments: Any) -> Callable[..., Any]:
    """`lstsq()`: a function of x, y and rcond that gives the solution, residuals, rank and singular values.

    >>> least_squares()([[2.0]], [[4.0]], 0.1)[0].eval()
    array([[2.]])
    """
    return lambda x, y, rcond: list(systems.lstsq(x, y, rcond))


def values_of_pair(lower: bool = True) -> Callable[..., Any]:
    """`Eigvalsh(lower)`: a function of a and b.

    >>> values_of_pair()([[3.0]], None).eval()
    array([3.])
    """
    return lambda a, b=None: decompositions.eigvalsh(a, b, lower)


def inverse_of_tensor(ind: int = 2) -> Callable[[Any], Any]:
    """`TensorInv(ind)`: a function of a.

    >>> inverse_of_tensor(1)([[2.0]]).eval()
    array([[0.5]])
    """
    return lambda a: inverses.tensorinv(a, ind)


def no_op_of_gradient(*arguments: Any, **keywords: Any) -> Any:
    """For the classes of ops that only Theano's gradients made."""
    raise NotImplementedError("gradients are expressions of other operations here; T.grad makes them")
