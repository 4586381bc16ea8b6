"""Cholesky factors of larger matrices, which are computed as their transposes, in every order of memory."""

from __future__ import annotations

import numpy as np
import pytest

import tensordsl as td
import tensordsl.tensor as T


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_factors_in_every_order(dtype: str) -> None:
    x, stack = T.TensorType(dtype, (None, None))("x"), T.TensorType(dtype, (None, None, None))("stack")
    lower, upper = (td.function([x], T.linalg.cholesky(x, lower=lower)) for lower in (True, False))
    in_place, many = td.function([x], T.linalg.cholesky(2 * x)), td.function([stack], T.linalg.cholesky(stack))
    tolerance = 1e-4 if dtype == "float32" else 1e-10
    for n in (47, 48, 50, 55, 56, 57, 101):
        a = np.random.default_rng(n).normal(size=(3, n, n)).astype(dtype)
        a = a @ a.swapaxes(1, 2) + n * np.eye(n, dtype=dtype)
        wanted = np.linalg.cholesky(a)
        a[:, *np.triu_indices(n, 1)] = np.nan  # is not read
        wide = np.full((2 * n, 2 * n), np.nan, dtype)
        wide[::2, :n] = a[0]
        for found in (lower(a[0]), lower(np.asfortranarray(a[0])), lower(wide[::2, :n]), in_place(a[0] / 2)):
            np.testing.assert_allclose(found, wanted[0], rtol=tolerance, atol=n * tolerance)
        for given in (a[0].T, np.ascontiguousarray(a[0].T)):
            np.testing.assert_allclose(upper(given), wanted[0].T, rtol=tolerance, atol=n * tolerance)
        np.testing.assert_allclose(many(a), wanted, rtol=tolerance, atol=n * tolerance)
        a[1, n - 1, n - 1] = -1
        with pytest.raises(np.linalg.LinAlgError):
            many(a)
