"""Exponentials, powers, chains, matrix equations and structured matrices against NumPy and SciPy."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import scipy.linalg
from matrices import DTYPES, adjoint, assert_like, each, evaluated, positive, random_matrices, regular

import tensordsl
import tensordsl.tensor as T
from tensordsl.types import TensorType

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


ROUNDING = {"float32": 6e-8, "float64": 1.1e-16, "complex64": 6e-8, "complex128": 1.1e-16}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [1, 3, 20])
def test_exponentials_of_all_sizes(dtype: str, n: int) -> None:
    """Of norms around those at which the order changes, in one batch and each by itself."""
    sizes = np.array([0, 1e-30, 1e-3, 0.014, 0.016, 0.25, 0.26, 0.42, 0.43, 0.95, 1.88, 2.09, 2.1, 3.9, 5.3, 5.4, 9])
    a = random_matrices("complex128" if dtype.startswith("complex") else "float64", len(sizes), n, n)
    a = (a * (sizes / np.abs(a).sum(1).max(1))[:, None, None]).astype(dtype)
    want = each(scipy.linalg.expm, a.astype("complex128" if dtype.startswith("complex") else "float64"))
    (whole,) = evaluated(LA.expm, a)
    assert whole.dtype == dtype
    x = TensorType(dtype, (None, None))()
    f = tensordsl.function([x], LA.expm(x))
    for k, size in enumerate(sizes):
        for got in (whole[k], f(a[k])):
            scale = np.abs(want[k]).max(initial=1) * (1 + size) * n
            np.testing.assert_allclose(got, want[k], rtol=0, atol=20 * ROUNDING[dtype] * scale)


def test_exponentials_of_matrices_far_from_normal() -> None:
    """Their norm would ask for squarings that lose digits."""
    for large in (1e6, 1e12):
        (found,) = evaluated(LA.expm, np.array([[1, large], [0, -1]]))
        np.testing.assert_allclose(found, [[np.e, large * np.sinh(1)], [0, 1 / np.e]], rtol=1e-14)
    (found,) = evaluated(LA.expm, np.array([[0, 1e250], [0, 0]]))
    np.testing.assert_allclose(found, [[1, 1e250], [0, 1]])
    a = np.triu(random_matrices("float64", 20, 20), 1) * 100
    want, term = np.eye(20), np.eye(20)
    for k in range(1, 20):
        term = term @ a / k
        want = want + term
    np.testing.assert_allclose(evaluated(LA.expm, a)[0], want, rtol=0, atol=1e-14 * np.abs(want).max())


def test_exponentials_of_huge_matrices() -> None:
    for size in (1e30, 1e170, 1e300):
        a = np.array([[-size, 1], [1, -size]])
        (found,) = evaluated(LA.expm, np.stack([a, np.zeros((2, 2))]))
        np.testing.assert_array_equal(found, [np.zeros((2, 2)), np.eye(2)])
    rows = np.stack([np.full((2, 2), np.nan), np.array([[np.inf, 0], [0, 0]]), np.eye(2)])
    (found,) = evaluated(LA.expm, rows)
    assert np.isnan(found[:2]).all()
    np.testing.assert_allclose(found[2], np.e * np.eye(2))


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


@pytest.mark.parametrize("scale", [1e-300, 1e290, 1e300])
def test_equations_of_huge_and_tiny_right_hand_sides(scale: float) -> None:
    """LAPACK solves for a fraction of these, which it tells; SciPy's own function multiplies by it."""
    a, b, q = regular("float64"), regular("float64", seed=2), regular("float64", seed=3)
    one, other = (evaluated(LA.solve_sylvester, a, b, x)[0] for x in (q, q * scale))
    np.testing.assert_allclose(other / scale, one, rtol=1e-12)


def test_equations_without_scipy(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b, q = regular("float64", (), 3), positive("float64", (), 2), random_matrices("float64", 3, 2)
    want = scipy.linalg.solve_sylvester(a, b, q)
    monkeypatch.setitem(sys.modules, "scipy.linalg", None)
    assert_like(LA.solve_sylvester, want, a, b, q)
    with pytest.raises(ImportError, match="schur is computed by SciPy, which is not installed: pip install scipy"):
        evaluated(LA.schur, a)


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
