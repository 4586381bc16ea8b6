"""`numpy.linalg.*` of variables, and the names of Theano's modules and of `T.linalg`."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest
from matrices import assert_like, evaluated, positive, random_matrices, regular

import tensordsl.tensor as T
from tensordsl.tensor import linalg, nlinalg, slinalg

N = np.linalg
SQUARE, WIDE, SPD = regular("float64", (2,)), random_matrices("float64", 2, 3, 5), positive("float64", (2,))
RIGHT = random_matrices("float64", 2, 4, 2)
CALLS: tuple[tuple[Any, tuple[Any, ...]], ...] = (
    (lambda x: N.cholesky(x), (SPD,)), (lambda x: N.cholesky(x, upper=True), (SPD,)), (lambda x: N.cond(x, 1), (SQUARE,)),
    (lambda x: N.det(x), (SQUARE,)), (lambda x: N.diagonal(x, offset=1), (WIDE,)), (lambda x: N.eigh(x), (SPD,)),
    (lambda x: N.eigh(x, UPLO="U"), (SPD,)), (lambda x: N.eigvalsh(x), (SPD,)), (lambda x: N.eigvalsh(x, "U"), (SPD,)),
    (lambda x: N.inv(x), (SQUARE,)), (lambda x, y: N.matmul(x, y), (SQUARE, RIGHT)), (lambda x: N.matrix_norm(x), (WIDE,)),
    (lambda x: N.matrix_power(x, -2), (SQUARE,)), (lambda x: N.matrix_rank(x), (WIDE,)),
    (lambda x: N.matrix_rank(x, tol=2.0), (WIDE,)), (lambda x: N.matrix_transpose(x), (WIDE,)),
    (lambda x, y: N.multi_dot([x, y, x]), (SQUARE[0], SQUARE[1])), (lambda x: N.norm(x), (WIDE,)),
    (lambda x: N.norm(x, "nuc", axis=(1, 2), keepdims=True), (WIDE,)), (lambda x: N.norm(x, 1, 2), (WIDE,)),
    (lambda x: N.outer(x, x), (RIGHT[0, :, 0],)), (lambda x: N.pinv(x), (WIDE,)), (lambda x: N.pinv(x, 0.4), (WIDE,)),
    (lambda x: N.qr(x), (WIDE,)), (lambda x: N.qr(x, "complete"), (np.swapaxes(WIDE, 1, 2),)), (lambda x: N.slogdet(x), (SQUARE,)),
    (lambda x: N.qr(x, mode="r"), (WIDE,)), (lambda x, y: N.solve(x, y), (SQUARE, RIGHT)), (lambda x: N.svd(x), (WIDE,)),
    (lambda x: N.svd(x, full_matrices=False), (WIDE,)), (lambda x: N.svd(x, compute_uv=False), (WIDE,)), (lambda x: N.svdvals(x), (WIDE,)),
    (lambda x, y: N.tensordot(x, y, axes=1), (SQUARE, RIGHT[0])), (lambda x: N.tensorinv(x, ind=1), (SQUARE[0],)),
    (lambda x, y: N.tensorsolve(x, y), (SQUARE[0], RIGHT[0, :, 0])), (lambda x: N.trace(x, offset=-1), (SQUARE,)),
    (lambda x: N.vector_norm(x, axis=1, ord=3), (WIDE,)), (lambda x, y: N.lstsq(x, y)[0], (WIDE[0].T, RIGHT[0, :, 0].repeat(2)[:5])),
)  # fmt: skip


@pytest.mark.parametrize("number", range(len(CALLS)))
def test_functions_of_numpy_linalg_build_expressions(number: int) -> None:
    call, arrays = CALLS[number]
    want = call(*arrays)
    assert_like(call, tuple(want) if isinstance(want, tuple) else want, *arrays, dtypes=False)


def test_eigenvalues_of_numpy_are_complex() -> None:
    assert_like(lambda x: N.eigvals(x), N.eigvals(SQUARE).astype("complex128"), SQUARE)
    assert evaluated(lambda x: N.eig(x)[0], SQUARE)[0].dtype == "complex128"


def test_every_name_of_numpy_linalg_is_there() -> None:
    theirs = {name for name in N.__all__ if not inspect.isclass(getattr(N, name))}
    assert sorted(theirs - set(dir(linalg))) == []


def test_names_of_theano_and_pytensor_are_there() -> None:
    theanos = """AllocDiag Det Eig Eigh EighGrad ExtractDiag MatrixInverse MatrixPinv QRFull QRIncomplete SVD TensorInv
        TensorSolve alloc_diag det diag eig eigh extract_diag lstsq matrix_dot matrix_inverse matrix_power norm pinv qr
        svd tensorinv tensorsolve trace""".split()
    assert [name for name in theanos if not callable(getattr(nlinalg, name))] == []
    solvers = """Cholesky CholeskyGrad Eigvalsh EigvalshGrad Expm ExpmGrad Solve cholesky eigvalsh expm kron solve
        solve_lower_triangular solve_symmetric solve_upper_triangular cho_solve solve_triangular lu lu_factor lu_solve
        block_diag solve_sylvester solve_continuous_lyapunov solve_discrete_lyapunov solve_discrete_are schur qz
        qr""".split()
    assert [name for name in solvers if not callable(getattr(slinalg, name))] == []
    pytensors = """block_diag cho_solve cholesky det eig eigh eigvalsh expm inv kron lstsq lu lu_factor lu_solve matrix_dot
        matrix_inverse matrix_power norm ordqz pinv qr qz schur slogdet solve solve_continuous_lyapunov solve_discrete_are
        solve_discrete_lyapunov solve_sylvester solve_triangular svd tensorinv tensorsolve trace""".split()
    assert [name for name in pytensors if not callable(getattr(linalg, name))] == []


def test_theanos_forms() -> None:
    a, s = SQUARE[0], SPD[0]
    u, w, v = nlinalg.svd(T.constant(WIDE[0]))
    assert isinstance(nlinalg.svd(T.constant(a)), list) and w.eval().shape == (3,)
    np.testing.assert_allclose(nlinalg.svd(T.constant(a), 1, 0).eval(), N.svd(a)[1])
    assert [part.eval().dtype for part in nlinalg.eig(T.constant(a))] == ["float64", "float64"]
    assert nlinalg.eig(T.constant(a + 0j))[0].dtype == "complex128"
    assert_like(lambda x: slinalg.eigvalsh(x, None), N.eigvalsh(s), s)
    assert_like(lambda x: nlinalg.qr(x, "full"), tuple(N.qr(a)), a)
    assert_like(nlinalg.trace, np.trace(a), a)
    assert_like(nlinalg.diag, np.diag(a), a)
    assert_like(nlinalg.diag, np.diag(a[0]), a[0])
    assert_like(lambda x: nlinalg.norm(x, "inf"), N.norm(a, np.inf), a)
    with pytest.raises(TypeError, match="diag requires vector or matrix argument"):
        nlinalg.diag(T.tensor3())


def test_texts_of_ops_are_theanos() -> None:
    x = T.matrix("x")
    for v, text in (
        (slinalg.cholesky(x), "Cholesky{lower=True, destructive=False, on_error='raise'}"),
        (slinalg.solve(x, x), "Solve{A_structure='general', lower=False, overwrite_A=False, overwrite_b=False}"),
        (nlinalg.matrix_inverse(x), "MatrixInverse"), (nlinalg.pinv(x), "MatrixPinv"), (nlinalg.det(x), "Det"),
        (nlinalg.eigh(x)[0], "Eigh{UPLO='L'}"), (nlinalg.svd(x)[0], "SVD{full_matrices=True, compute_uv=True}"),
        (nlinalg.qr(x)[0], "QRFull{mode='reduced'}"), (slinalg.expm(x), "Expm"),
    ):  # fmt: skip
        assert str(v.owner.op) == text
    assert isinstance(slinalg.solve_upper_triangular(x, x).owner.op, slinalg.Solve)
    assert slinalg.solve_upper_triangular(x, x).owner.op.A_structure == "upper_triangular"


def test_results_have_numpys_names() -> None:
    x = T.constant(SPD)
    assert N.svd(x).S.type.ndim == 2 and N.qr(x).R.type == N.qr(x)[1].type
    assert N.slogdet(x).logabsdet.type.ndim == 1 and N.eigh(x).eigenvalues.type.ndim == 2
    assert N.eig(x).eigenvectors.type.dtype == "complex128"
