"""Linear systems and least squares against NumPy and SciPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.linalg
from matrices import (
    BATCHES,
    DTYPES,
    adjoint,
    assert_like,
    each,
    evaluated,
    positive,
    random_matrices,
    regular,
)

import tensordsl.tensor as T

LA = T.linalg
CASES = [(dtype, batch) for dtype in DTYPES for batch in BATCHES]


@pytest.mark.parametrize(("dtype", "batch"), CASES)
def test_solve_is_numpys(dtype: str, batch: tuple[int, ...]) -> None:
    a, b, v = regular(dtype, batch), random_matrices(dtype, *batch, 4, 2), random_matrices(dtype, 4)
    assert_like(LA.solve, np.linalg.solve(a, b), a, b)
    assert_like(LA.solve, np.linalg.solve(a, np.broadcast_to(v[:, None], (*batch, 4, 1)))[..., 0], a, v)
    assert_like(lambda x, y: LA.solve(x, y, transposed=True), np.linalg.solve(np.swapaxes(a, -1, -2), b), a, b)
    rows = random_matrices(dtype, *batch, 4)
    want = np.linalg.solve(a, rows[..., None])[..., 0]
    assert_like(lambda x, y: LA.solve(x, y, b_ndim=1), want, a, rows)
    assert_like(lambda x, y: LA.lu_solve(LA.lu_factor(x), y, b_ndim=1), want, a, rows)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("lower", [True, False])
def test_solve_reads_what_the_structure_says(dtype: str, lower: bool) -> None:
    s, b = positive(dtype, (2,)), random_matrices(dtype, 2, 4, 3)
    dark = np.triu(np.ones((4, 4)), 1).astype(dtype)
    half = s + 100 * (dark if lower else dark.T)
    want = np.linalg.solve(s, b)
    for assume in ("pos", "her", "hermitian", "positive definite"):
        assert_like(lambda x, y, a=assume: LA.solve(x, y, assume_a=a, lower=lower), want, half, b)
    plain = regular(dtype, (2,))
    plain = (plain + np.swapaxes(plain, -1, -2)).astype(dtype)
    half = plain + 100 * (dark if lower else dark.T)
    assert_like(lambda x, y: LA.solve(x, y, assume_a="sym", lower=lower), np.linalg.solve(plain, b), half, b)
    diagonal = np.diagonal(s, axis1=-2, axis2=-1)[..., None]
    assert_like(lambda x, y: LA.solve(x, y, assume_a="diagonal"), b / diagonal, s, b)
    for name, keep in (("lower triangular", np.tril), ("upper triangular", np.triu)):
        assert_like(lambda x, y, a=name: LA.solve(x, y, assume_a=a), np.linalg.solve(keep(s), b), s, b)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("trans", [0, 1, 2, "N", "T", "C"])
@pytest.mark.parametrize("lower", [True, False])
@pytest.mark.parametrize("unit", [True, False])
def test_solve_triangular_is_scipys(dtype: str, trans: Any, lower: bool, unit: bool) -> None:
    a, b = regular(dtype, (2, 1)), random_matrices(dtype, 2, 1, 4, 3)
    if unit:
        a[..., range(4), range(4)] = np.nan
    other = np.triu(np.full((4, 4), np.nan), 1)
    read = np.nan_to_num(a, nan=1)
    want = each(lambda x, y: scipy.linalg.solve_triangular(x, y, trans, lower, unit), read, b).astype(dtype)
    a = (a + (other if lower else other.T)).astype(dtype)
    assert_like(lambda x, y: LA.solve_triangular(x, y, trans=trans, lower=lower, unit_diagonal=unit), want, a, b)


@pytest.mark.parametrize("dtype", DTYPES)
def test_factors_solve(dtype: str) -> None:
    s, b = positive(dtype, (2,)), random_matrices(dtype, 2, 4, 3)
    want = np.linalg.solve(s, b)
    for lower in (True, False):
        assert_like(lambda x, y, k=lower: LA.cho_solve((LA.cholesky(x, lower=k), k), y), want, s, b)
        assert_like(lambda x, y, k=lower: LA.cho_solve(LA.cho_factor(x, k), y), want, s, b)
    a = regular(dtype, (2,))
    for trans, of_a in ((0, a), (1, np.swapaxes(a, -1, -2)), (2, adjoint(a)), (True, np.swapaxes(a, -1, -2))):
        assert_like(lambda x, y, t=trans: LA.lu_solve(LA.lu_factor(x), y, t), np.linalg.solve(of_a, b), a, b)
    one = regular(dtype)
    assert_like(lambda x, y: LA.lu_solve(LA.lu_factor(x), y), np.linalg.solve(one, b), one, b)


def test_batches_broadcast() -> None:
    a, b = regular("float64", (3, 1)), random_matrices("float64", 2, 4, 2)
    x, y = T.tensor(shape=(3, 1, 4, 4), dtype="float64"), T.tensor3()
    assert LA.solve(x, y).type.ndim == 4
    np.testing.assert_allclose(T.linalg.solve(x, y).eval({x: a, y: b}), np.linalg.solve(a, b))
    lower = np.tril(a)
    want = np.linalg.solve(lower, np.broadcast_to(b, (3, 2, 4, 2)))
    np.testing.assert_allclose(LA.solve_lower_triangular(x, y).eval({x: a, y: b}), want)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(5, 3), (3, 5), (4, 4)])
def test_lstsq_is_numpys(dtype: str, shape: tuple[int, int]) -> None:
    a, b, v = (
        random_matrices(dtype, *shape),
        random_matrices(dtype, shape[0], 2, seed=4),
        random_matrices(dtype, shape[0]),
    )
    for right in (b, v):
        x, rest, rank, s = np.linalg.lstsq(a, right, rcond=None)
        assert_like(LA.lstsq, (x, rest, np.int64(rank), s), a, right)
    flawed = a.copy()
    flawed[:, 1] = flawed[:, 0]
    x, rest, rank, s = np.linalg.lstsq(flawed, b, rcond=1e-3)
    assert_like(lambda p, q: LA.lstsq(p, q, 1e-3)[:3], (x, rest, np.int64(rank)), flawed, b)
    np.testing.assert_allclose(
        evaluated(lambda p, q: LA.lstsq(p, q)[0], np.stack([a, 2 * a]), np.stack([b, b]))[0],
        np.stack([np.linalg.lstsq(m, b, None)[0] for m in (a, 2 * a)]), rtol=5e-3, atol=5e-3,
    )  # fmt: skip


def test_tensors_as_matrices() -> None:
    a, b = random_matrices("float64", 2, 3, 6), random_matrices("float64", 2, 3)
    assert_like(LA.tensorsolve, np.linalg.tensorsolve(a, b), a, b)
    moved = np.moveaxis(a, -1, 0)
    assert_like(lambda x, y: LA.tensorsolve(x, y, axes=(0,)), np.linalg.tensorsolve(moved, b, axes=(0,)), moved, b)
    assert_like(LA.tensorinv, np.linalg.tensorinv(a), a)
    square = random_matrices("float64", 6, 2, 3)
    assert_like(lambda x: LA.tensorinv(x, ind=1), np.linalg.tensorinv(square, ind=1), square)
