"""Exponentials, powers, chains, matrix equations and structured matrices against NumPy and SciPy."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import scipy.linalg
from matrices import DTYPES, adjoint, assert_like, each, evaluated, positive, random_matrices, regular

import tensordsl.tensor as T

LA = T.linalg


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("scale", [1e-8, 0.3, 1, 5])
def test_the_exponential_is_scipys(dtype: str, scale: float) -> None:
    a = (random_matrices(dtype, 2, 3, 3) * scale).astype(dtype)
    a[0] *= 0.01  # each matrix has its own number of squarings
    assert_like(LA.expm, each(scipy.linalg.expm, a).astype(dtype), a)
    assert_like(LA.expm, scipy.linalg.expm(a[1]).astype(dtype), a[1])


def test_exponentials_of_special_matrices() -> None:
    assert_like(LA.expm, np.eye(3), np.zeros((3, 3)))
    assert_like(LA.expm, np.array([[np.e**-700.0]]), np.array([[-700.0]]))
    assert np.isnan(evaluated(LA.expm, np.array([[np.nan, 1], [0, 1]]))[0]).all()
    assert np.isinf(evaluated(LA.expm, np.array([[1e5]]))[0]).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_powers_and_chains_are_numpys(dtype: str) -> None:
    a = regular(dtype, (2,), 3) / 4
    for n in (-3, -1, 0, 1, 2, 3, 7, 10):
        assert_like(lambda x, k=n: LA.matrix_power(x, k), np.linalg.matrix_power(a, n), a)
    x, y, z = (random_matrices(dtype, *shape) for shape in ((2, 6), (6, 3), (3, 4)))
    assert_like(lambda *v: LA.multi_dot(v), np.linalg.multi_dot([x, y, z]), x, y, z)
    assert_like(lambda *v: LA.matrix_dot(*v), x @ y @ z, x, y, z)
    u, w = random_matrices(dtype, 6), random_matrices(dtype, 4)
    assert_like(lambda *v: LA.multi_dot(v), np.linalg.multi_dot([u, y, z, w]), u, y, z, w)
    whole = np.array([[1, 2], [3, 4]])
    assert_like(lambda v: LA.matrix_power(v, 5), np.linalg.matrix_power(whole, 5), whole)


def test_a_chain_takes_the_order_of_the_fewest_multiplications() -> None:
    shapes = ((2, 100), (100, 3), (3, 50), (50, 1))
    factors = [T.tensor(shape=shape, dtype="float64") for shape in shapes]
    found = LA.multi_dot(factors)
    assert found.type.shape == (2, 1)
    arrays = [random_matrices("float64", *shape) for shape in shapes]
    want = np.linalg.multi_dot(arrays)
    np.testing.assert_allclose(found.eval(dict(zip(factors, arrays, strict=True))), want)
    left, right = found.owner.inputs
    assert left is factors[0] and right.type.shape == (100, 1)


@pytest.mark.parametrize("dtype", DTYPES)
def test_equations_are_solved(dtype: str) -> None:
    a, b, q = regular(dtype, (2,), 3), positive(dtype, (2,), 2), random_matrices(dtype, 2, 3, 2)
    assert_like(LA.solve_sylvester, each(scipy.linalg.solve_sylvester, a, b, q), a, b, q)
    s = positive(dtype, (2,), 3)
    assert_like(LA.solve_continuous_lyapunov, each(scipy.linalg.solve_continuous_lyapunov, a, s), a, s)
    small = (a / 9).astype(dtype)
    for method in ("direct", "bilinear"):
        (x,) = evaluated(lambda v, w, m=method: LA.solve_discrete_lyapunov(v, w, m), small, s)
        np.testing.assert_allclose(small @ x @ adjoint(small) - x, -s, atol=1e-3 if x.dtype.itemsize < 16 else 1e-9)
    if np.dtype(dtype).kind == "f":
        r = positive(dtype, (2,), 2)
        want = each(scipy.linalg.solve_discrete_are, a, q, s, r).astype(dtype)
        assert_like(LA.solve_discrete_are, want, a, q, s, r)


def test_equations_without_scipy(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b, q = regular("float64", (), 3), positive("float64", (), 2), random_matrices("float64", 3, 2)
    want = scipy.linalg.solve_sylvester(a, b, q)
    monkeypatch.setitem(sys.modules, "scipy.linalg", None)
    assert_like(LA.solve_sylvester, want, a, b, q)
    with pytest.raises(ImportError, match="schur is computed by SciPy, which is not installed: pip install scipy"):
        evaluated(LA.schur, a)


@pytest.mark.parametrize("dtype", DTYPES)
def test_schur_factors(dtype: str) -> None:
    a, b = random_matrices(dtype, 2, 4, 4), random_matrices(dtype, 2, 4, 4, seed=3)
    close = 1e-3 if dtype in ("float32", "complex64") else 1e-9
    for output in ("real", "complex"):
        t, z = evaluated(lambda x, o=output: LA.schur(x, o), a)
        np.testing.assert_allclose(z @ t @ adjoint(z), a, atol=close)
        assert t.dtype.kind == ("c" if output == "complex" or np.dtype(dtype).kind == "c" else "f")
        s, t, q, z = evaluated(lambda x, y, o=output: LA.qz(x, y, o), a, b)
        np.testing.assert_allclose(q @ s @ adjoint(z), a, atol=close)
        np.testing.assert_allclose(q @ t @ adjoint(z), b, atol=close)


@pytest.mark.parametrize("dtype", ["int32", "float64", "complex64"])
def test_structured_matrices_are_scipys(dtype: str) -> None:
    c, r = (10 * random_matrices("float64", 4)).astype(dtype), np.arange(1, 4).astype(dtype)
    assert_like(LA.toeplitz, scipy.linalg.toeplitz(c, r), c, r)
    assert_like(LA.toeplitz, scipy.linalg.toeplitz(c), c)
    assert_like(LA.hankel, scipy.linalg.hankel(c, r), c, r)
    assert_like(LA.hankel, scipy.linalg.hankel(c), c)
    assert_like(LA.circulant, scipy.linalg.circulant(c), c)
    a, b = np.arange(6).reshape(2, 3).astype(dtype), np.arange(4).reshape(4, 1).astype(dtype)
    assert_like(LA.block_diag, scipy.linalg.block_diag(a, b, a), a, b, a)
    stacked = np.stack([a, 2 * a])
    want = np.stack([scipy.linalg.block_diag(x, b) for x in stacked])
    assert_like(LA.block_diag, want, stacked, np.stack([b, b]))
    assert_like(LA.kron, np.kron(a, b), a, b)
    x = np.arange(24).reshape(2, 3, 4).astype(dtype)
    assert_like(lambda v: LA.diagonal(v, offset=-1), np.linalg.diagonal(x, offset=-1), x)
    assert_like(lambda v: LA.trace(v, offset=1), np.linalg.trace(x, offset=1), x)
    assert_like(LA.matrix_transpose, np.linalg.matrix_transpose(x), x)


@pytest.mark.parametrize("offset", [-2, 0, 1])
def test_diagonals_of_batches(offset: int) -> None:
    x = random_matrices("float64", 2, 3)
    want = np.stack([np.diag(v, offset) for v in x])
    assert_like(lambda v: T.alloc_diag(v, offset, -2, -1), want, x)
    assert_like(lambda v: T.alloc_diag(v, offset), np.moveaxis(want, 0, 2), x)
    assert_like(lambda v: T.alloc_diag(v, offset, 0, 2), np.moveaxis(want, 1, 0), x)
    assert_like(lambda v: T.AllocDiag(offset, 1, 0)(v), np.diag(x[0], offset).T, x[0])
