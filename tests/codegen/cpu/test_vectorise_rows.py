"""Rows at indices: where they are is found in vectors, several at once, and short ones are reduced side by side."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tensordsl
import tensordsl.tensor as T
from tensordsl.codegen.compiler.pipeline import make_program
from tensordsl.codegen.cpu import vectorise_rows

U, V = T.dmatrix("u"), T.dmatrix("v")
COUNTS = (1, 2, 7, 8, 9, 15, 16, 17, 100, 513, 1030)
COLUMNS = (1, 3, 8, 16, 17, 33, 100, 300)


def texts(inputs: list[Any], output: Any) -> str:
    plans = make_program("f", inputs, [], [output], [], True)[1].plans
    return "".join(t for plan in plans for t in plan.kernels.texts)


def test_offsets_are_found_in_vectors() -> None:
    i, j = T.lvector("i"), T.lvector("j")
    for inputs, output in (
        ([U, V, i, j], (U[i] * V[j]).sum(axis=1)),
        ([U, i, j], U[i + j] * 2),
        ([U, i], U[T.arange(i.shape[0]) + i]),
    ):
        assert "vectors.done:" in texts(inputs, output)
    assert "vectors.done:" not in texts([U, V, i], T.exp(U) * V)
    assert ".q = phi" in texts([U, V, i, j], (U[i] * V[j]).sum(axis=1))  # rows side by side


@pytest.mark.parametrize("index", ["int64", "int32", "uint8"])
@pytest.mark.parametrize("dtype", ["float64", "float32", "int64"])
def test_rows_at_indices(dtype: str, index: str) -> None:
    u, v, i, j = (
        T.matrix("u", dtype=dtype),
        T.matrix("v", dtype=dtype),
        T.vector("i", dtype=index),
        T.vector("j", dtype=index),
    )
    outputs = [(u[i] * v[j]).sum(axis=1), u[i].max(axis=1), u[i] - v[j], (u[i] * v).sum(axis=1), u[i].sum(axis=1) * i]
    f = tensordsl.function([u, v, i, j], outputs)
    rng = np.random.default_rng(1)
    for count in COUNTS:
        for columns in COLUMNS:
            a, b = ((rng.normal(size=(rows, columns)) * 9).astype(dtype) for rows in (50, count))
            low = 0 if index[0] == "u" else -min(50, count)
            p, q = (rng.integers(low, min(50, count), count).astype(index) for _ in "ij")
            wanted = (a[p] * b[q]).sum(1), a[p].max(1), a[p] - b[q], (a[p] * b).sum(1), a[p].sum(1) * p
            for result, expected in zip(f(a, b, p, q), wanted, strict=True):
                np.testing.assert_allclose(
                    result,
                    expected,
                    rtol=2e-5 if dtype == "float32" else 1e-12,
                    atol=1e-3 if dtype == "float32" else 1e-11,
                )


def test_indices_and_rows_that_are_views() -> None:
    i, j = T.lvector("i"), T.lvector("j")
    f = tensordsl.function([U, V, i, j], [(U[i] * V[j]).sum(axis=1), U[i] + V[j], U[-j].sum(axis=1)])
    rng = np.random.default_rng(2)
    for count in COUNTS:
        a, b = rng.normal(size=(40, 60))[::-2, 3:45:2], rng.normal(size=(21, 30)).T[4:25]
        p, q = rng.integers(-20, 20, 3 * count)[::3], rng.integers(-19, 20, count)[::-1]
        for result, expected in zip(f(a, b, p, q), ((a[p] * b[q]).sum(1), a[p] + b[q], a[-q].sum(1)), strict=True):
            np.testing.assert_allclose(result, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("wrong", [20, -21, 2**40, -(2**63)])
def test_each_index_is_checked(wrong: int) -> None:
    i, j = T.lvector("i"), T.lvector("j")
    functions = [
        tensordsl.function([U, V, i, j], (U[i] * V[j]).sum(axis=1)),
        tensordsl.function([U, V, i, j], U[i] * V[j]),
    ]
    a, p = np.ones((20, 10)), np.zeros(21, int)
    for f in functions:
        for at in range(21):
            bad = p.copy()
            bad[at] = wrong
            for q in ((bad, p), (p, bad)):
                with pytest.raises(IndexError, match="out of bounds"):
                    f(a, a, *q)
        f(a, a, p, p)


def test_what_has_no_such_form_goes_row_by_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vectorise_rows, "_BINARY", vectorise_rows._STORE)  # additions are not known
    i = T.lvector("i")
    assert "vectors.done:" not in texts([U, i], U[i].sum(axis=1))
    a, p = np.random.default_rng(3).normal(size=(20, 37)), np.array([3, -1, 7] * 5)
    f = tensordsl.function([U, i], U[i].sum(axis=1) * 1.25)
    np.testing.assert_allclose(f(a, p), a[p].sum(1) * 1.25, rtol=1e-13)
