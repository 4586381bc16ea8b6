"""Factorisations against NumPy and SciPy, for all dtypes and batches."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg
from matrices import BATCHES, DTYPES, adjoint, assert_like, each, evaluated, positive, random_matrices, regular

import tensordsl
import tensordsl.tensor as T

LA = T.linalg
CASES = [(dtype, batch) for dtype in DTYPES for batch in BATCHES]


@pytest.mark.parametrize(("dtype", "batch"), CASES)
def test_factors_are_numpys(dtype: str, batch: tuple[int, ...]) -> None:
    a, s = regular(dtype, batch), positive(dtype, batch)
    tall, wide = random_matrices(dtype, *batch, 5, 3), random_matrices(dtype, *batch, 3, 5)
    lower = np.linalg.cholesky(s)
    assert_like(LA.cholesky, lower, s)
    assert_like(lambda x: LA.cholesky(x, lower=False), adjoint(lower), s)
    assert_like(lambda x: LA.cholesky(x, upper=True), adjoint(lower), s)
    assert_like(lambda x: LA.cho_factor(x)[0], adjoint(lower), s)
    for x in (a, tall, wide):
        assert_like(LA.qr, tuple(np.linalg.qr(x)), x)
        assert_like(lambda v: LA.qr(v, "complete"), tuple(np.linalg.qr(x, "complete")), x)
        assert_like(lambda v: LA.qr(v, "r"), np.linalg.qr(x, "r"), x)
        assert_like(LA.svd, tuple(np.linalg.svd(x)), x)
        assert_like(lambda v: LA.svd(v, full_matrices=False), tuple(np.linalg.svd(x, full_matrices=False)), x)
        assert_like(LA.svdvals, np.linalg.svd(x, compute_uv=False), x)
    assert_like(LA.eigh, tuple(np.linalg.eigh(s)), s)
    assert_like(LA.eigvalsh, np.linalg.eigvalsh(s), s)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(4, 4), (5, 3), (3, 5), (2, 3, 4, 4), (2, 5, 3), (2, 3, 5), (1, 1)])
def test_lu_is_scipys(dtype: str, shape: tuple[int, ...]) -> None:
    x = random_matrices(dtype, *shape)
    p, lower, upper = each(scipy.linalg.lu, x)
    p = p.real  # as SciPy has it but for matrices of one element
    assert_like(LA.lu, (p, lower, upper), x)
    assert_like(lambda v: LA.lu(v, permute_l=True), (p.astype(dtype) @ lower, upper), x)
    assert_like(lambda v: LA.lu(v, p_indices=True)[0], np.argmax(p, -1), x)
    if shape[-1] == shape[-2]:
        factors, pivots = each(scipy.linalg.lu_factor, x)
        assert_like(LA.lu_factor, (factors, pivots.astype("int32")), x)


@pytest.mark.parametrize(("dtype", "batch"), CASES)
def test_eigenvalues_of_any_matrices_are_complex(dtype: str, batch: tuple[int, ...]) -> None:
    a = random_matrices(dtype, *batch, 4, 4)
    w, v = evaluated(LA.eig, a)
    wide = np.result_type(dtype, "complex64")
    assert w.dtype == v.dtype == wide
    np.testing.assert_allclose(a @ v, v * w[..., None, :], atol=2e-3 if wide == "complex64" else 1e-9)
    np.testing.assert_allclose(np.linalg.norm(v, axis=-2), 1, rtol=1e-4)
    assert_like(LA.eigvals, np.linalg.eigvals(a).astype(wide), a)


@pytest.mark.parametrize("lower", [True, False])
@pytest.mark.parametrize("dtype", ["float64", "complex128"])
def test_only_one_triangle_is_read(dtype: str, lower: bool) -> None:
    s = positive(dtype, (2,))
    other = np.triu(np.full((4, 4), np.nan), 1)
    half = s + (other if lower else other.T)
    triangle = "L" if lower else "U"
    assert_like(lambda x: LA.cholesky(x, lower=lower), evaluated(lambda x: LA.cholesky(x, lower=lower), s), half)
    assert_like(lambda x: LA.eigvalsh(x, triangle), np.linalg.eigvalsh(s), half)
    assert_like(lambda x: LA.eigvalsh(x, lower=lower), np.linalg.eigvalsh(s), half)
    assert_like(lambda x: LA.eigh(x, triangle)[0], np.linalg.eigvalsh(s), half)


@pytest.mark.parametrize("lower", [True, False])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("type", [1, 2, 3])
def test_eigenvectors_of_pairs(dtype: str, lower: bool, type: int) -> None:
    a, b = positive(dtype, (2,)) - np.eye(4, dtype=dtype) * 2, positive(dtype, (2,), seed=5)
    close = 2e-3 if dtype in ("float32", "complex64") else 1e-9
    want = np.array([scipy.linalg.eigvalsh(x, y, type=type) for x, y in zip(a, b, strict=True)])
    w, v = evaluated(lambda x, y: LA.eigh(x, y, lower, type=type), a, b)
    (alone,) = evaluated(lambda x, y: LA.eigvalsh(x, y, lower, type=type), a, b)
    assert v.dtype == dtype and w.dtype == want.dtype
    for values in (w, alone):
        np.testing.assert_allclose(values, want, rtol=close, atol=close * np.abs(want).max())
    left, right = {1: (a @ v, b @ v), 2: (a @ b @ v, v), 3: (b @ a @ v, v)}[type]
    np.testing.assert_allclose(left, right * w[:, None, :], atol=close * np.abs(left).max())
    metric = np.linalg.inv(b) if type == 3 else b
    np.testing.assert_allclose(adjoint(v) @ metric @ v, np.broadcast_to(np.eye(4), v.shape), atol=close)
    other = np.triu(np.full((4, 4), np.nan), 1)
    half = [x + (other if lower else other.T) for x in (a, b)]
    (found,) = evaluated(lambda x, y: LA.eigh(x, y, lower, type=type)[0], *half)
    np.testing.assert_allclose(found, w, rtol=close)


def test_a_pair_with_a_matrix_that_is_not_positive_is_refused() -> None:
    with pytest.raises(np.linalg.LinAlgError, match="cholesky: matrix 1 of the batch is not positive definite"):
        evaluated(LA.eigh, np.stack([np.eye(2)] * 2), np.stack([np.eye(2), -np.eye(2)]))


@pytest.mark.parametrize("lower", [True, False])
@pytest.mark.parametrize("dtype", ["float64", "complex128"])
def test_generalised_eigenvalues(dtype: str, lower: bool) -> None:
    a, b = positive(dtype, (2,)), positive(dtype, (2,), seed=5)
    want = np.array([scipy.linalg.eigvalsh(x, y) for x, y in zip(a, b, strict=True)])
    assert_like(lambda x, y: LA.eigvalsh(x, y, lower), want, a, b)


@pytest.mark.parametrize(("given", "wanted"), [
    ("float16", "float32"), ("bool", "float32"), ("int8", "float32"), ("uint16", "float32"), ("int32", "float64"),
    ("uint64", "float64"), ("float32", "float32"), ("complex64", "complex64"),
])  # fmt: skip
def test_dtypes_of_results(given: str, wanted: str) -> None:
    a = np.eye(2).astype(given) if given == "bool" else np.array([[4, 1], [1, 3]]).astype(given)
    for function in (LA.cholesky, LA.inv, LA.det, LA.pinv, LA.expm, lambda x: LA.solve(x, x), lambda x: LA.qr(x)[0]):
        assert evaluated(function, a)[0].dtype == wanted
    real = wanted.replace("complex64", "float32")
    for function in (LA.svdvals, LA.eigvalsh, lambda x: LA.eigh(x)[0], lambda x: LA.slogdet(x)[1], LA.cond):
        assert evaluated(function, a)[0].dtype == real


@pytest.mark.parametrize("function", [
    LA.cholesky, LA.inv, LA.svdvals, LA.expm, LA.eigvalsh, lambda x: LA.qr(x)[1], lambda x: LA.lu(x)[2], LA.det,
    lambda x: LA.solve(x, x + 1), lambda x: LA.solve_triangular(x, x + 1), LA.pinv,
])  # fmt: skip
def test_any_layout_gives_the_same(function: object) -> None:
    s = positive("float64", (3,))
    assert callable(function)
    want = evaluated(function, s)
    wide = np.zeros((6, 8, 8))
    wide[::2, ::2, ::-2] = s
    column = np.asfortranarray(s)
    for other in (wide[::2, ::2, ::-2], column, s.swapaxes(1, 2).copy().swapaxes(1, 2), s[::-1].copy()[::-1]):
        np.testing.assert_array_equal(evaluated(function, other)[0], want[0])
    one = evaluated(function, np.broadcast_to(s[0], (3, 4, 4)))[0]
    np.testing.assert_array_equal(one, np.broadcast_to(want[0][0], one.shape))


@pytest.mark.parametrize("shape", [(300, 0), (0, 300)])
def test_the_permutation_of_no_elements_is_none(shape: tuple[int, int]) -> None:
    """Rows that nothing exchanges are copied all the same: their storage held something else before."""
    rows = np.arange(shape[0])
    x, junk = T.matrix(), T.vector()
    other = tensordsl.function([junk], T.cumsum(junk) * np.nan)
    f = tensordsl.function([x], [LA.lu(x, p_indices=True)[0], LA.lu(x)[0]])
    for _ in range(5):
        other(np.ones(300))
        indices, matrix = f(np.zeros(shape))
        np.testing.assert_array_equal(indices, rows)
        np.testing.assert_array_equal(matrix, np.eye(shape[0]))


def test_matrices_without_elements() -> None:
    none, flat = np.zeros((0, 0)), np.zeros((0, 3))
    for function in (LA.cholesky, LA.inv, LA.expm, LA.pinv, lambda x: LA.solve(x, x)):
        assert evaluated(function, none)[0].shape == (0, 0)
    assert_like(LA.det, np.float64(1), none)
    assert_like(LA.slogdet, (np.float64(1), np.float64(0)), none)
    for function in (LA.eigvalsh, LA.eigvals, LA.svdvals):
        assert evaluated(function, none)[0].shape == (0,)
    assert_like(LA.svd, tuple(np.linalg.svd(flat)), flat)
    assert_like(LA.qr, tuple(np.linalg.qr(flat)), flat)
    assert_like(LA.pinv, np.linalg.pinv(flat), flat)
    assert [part.shape for part in evaluated(LA.lu, flat)] == [(0, 0), (0, 0), (0, 3)]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(4, 4), (2, 5, 3), (3, 6)])
def test_qr_with_pivots_and_raw(dtype: str, shape: tuple[int, ...]) -> None:
    a = random_matrices(dtype, *shape)
    assert_like(lambda x: LA.qr(x, "raw"), tuple(np.linalg.qr(a, "raw")), a)
    for mode, theirs in (("reduced", "economic"), ("complete", "full"), ("r", "r")):
        want = list(each(lambda x, m=theirs: scipy.linalg.qr(x, mode=m, pivoting=True), a))
        if mode == "r":
            want[0] = want[0][..., : min(shape[-2:]), :]
        assert_like(lambda x, m=mode: LA.qr(x, m, pivoting=True), [*want[:-1], want[-1].astype("int64")], a)
