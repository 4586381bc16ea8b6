"""Schur and generalised Schur factors, sorted too, against SciPy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.linalg
from matrices import DTYPES, adjoint, evaluated, random_matrices

import tensordsl.tensor as T

LA = T.linalg
SORTS: dict[str, Callable[[Any], Any]] = {
    "lhp": lambda w: w.real < 0, "rhp": lambda w: w.real > 0, "iuc": lambda w: abs(w) < 1, "ouc": lambda w: abs(w) > 1,
}  # fmt: skip


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


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("sort", [None, *SORTS])
@pytest.mark.parametrize("output", ["real", "complex"])
def test_sorted_schur_factors(dtype: str, sort: str | None, output: str) -> None:
    a, b = random_matrices(dtype, 2, 5, 5), random_matrices(dtype, 2, 5, 5, seed=3)
    close = 2e-3 if dtype in ("float32", "complex64") else 1e-9
    s, t, alpha, beta, q, z = evaluated(lambda x, y: LA.ordqz(x, y, sort, output), a, b)
    np.testing.assert_allclose(q @ s @ adjoint(z), a, atol=close)
    np.testing.assert_allclose(q @ t @ adjoint(z), b, atol=close)
    assert alpha.dtype.kind == "c" and s.dtype == t.dtype == q.dtype == z.dtype
    want = np.linalg.eigvals(np.linalg.solve(b, a))
    for part in (np.real, np.imag):
        found = np.sort(part(alpha / beta), 1)
        np.testing.assert_allclose(found, np.sort(part(want), 1), atol=1e-2 if close > 1e-6 else 1e-8)
    of_qz = evaluated(lambda x, y: LA.qz(x, y, output, sort, return_eigenvalues=True), a, b)
    for one, other in zip(of_qz, (s, t, alpha, beta, q, z), strict=True):
        np.testing.assert_array_equal(one, other)
    r, u = evaluated(lambda x: LA.schur(x, output, sort), a)
    np.testing.assert_allclose(u @ r @ adjoint(u), a, atol=close)
    if sort is not None:
        for chosen in SORTS[sort](alpha / beta):
            assert chosen[: chosen.sum()].all()
        if output == "complex":
            for chosen in SORTS[sort](np.diagonal(r, axis1=1, axis2=2)):
                assert chosen[: chosen.sum()].all()


def test_unsorted_generalised_schur_factors_are_scipys() -> None:
    a, b = random_matrices("float64", 4, 4), random_matrices("float64", 4, 4, seed=3)
    for got, want in zip(evaluated(LA.qz, a, b), scipy.linalg.qz(a, b), strict=True):
        np.testing.assert_allclose(got, want, atol=1e-12)
