"""Inverses, determinants, ranks, norms and condition numbers against NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from matrices import BATCHES, DTYPES, assert_like, evaluated, random_matrices, regular

import tensordsl.tensor as T

LA = T.linalg
CASES = [(dtype, batch) for dtype in DTYPES for batch in BATCHES]


@pytest.mark.parametrize(("dtype", "batch"), CASES)
def test_inverses_and_determinants_are_numpys(dtype: str, batch: tuple[int, ...]) -> None:
    a, wide = regular(dtype, batch), random_matrices(dtype, *batch, 3, 5)
    assert_like(LA.inv, np.linalg.inv(a), a)
    assert_like(LA.det, np.linalg.det(a), a)
    assert_like(LA.slogdet, tuple(np.linalg.slogdet(a)), a)
    assert_like(LA.logdet, np.linalg.slogdet(a)[1], a)
    for x in (wide, np.swapaxes(wide, -1, -2)):
        assert_like(LA.pinv, np.linalg.pinv(x), x)
        assert_like(lambda v: LA.pinv(v, 0.5), np.linalg.pinv(x, 0.5), x)
        assert_like(lambda v: LA.pinv(v, rtol=None), np.linalg.pinv(x, rtol=None), x)
        assert_like(LA.matrix_rank, np.linalg.matrix_rank(x), x)
        assert_like(lambda v: LA.matrix_rank(v, 2.0), np.linalg.matrix_rank(x, 2.0), x)


def test_the_reciprocal_is_another_function() -> None:
    a = regular("float64")
    assert_like(T.inv, 1 / a, a)
    assert_like(T.nlinalg.matrix_inverse, np.linalg.inv(a), a)


def test_singular_matrices_have_determinants() -> None:
    a = np.stack([np.ones((3, 3)), np.eye(3), np.zeros((3, 3))])
    assert_like(LA.det, [0.0, 1.0, 0.0] @ np.eye(3), a)
    sign, log = evaluated(LA.slogdet, a)
    np.testing.assert_array_equal(sign, [0, 1, 0])
    np.testing.assert_array_equal(log, [-np.inf, 0, -np.inf])
    big = np.eye(400) * 1e3
    assert evaluated(LA.slogdet, big)[1] == pytest.approx(400 * np.log(1e3))


@pytest.mark.parametrize(("dtype", "batch"), [case for case in CASES if 0 not in case[1]])
@pytest.mark.parametrize("keepdims", [True, False])
def test_norms_are_numpys(dtype: str, batch: tuple[int, ...], keepdims: bool) -> None:
    x = random_matrices(dtype, *batch, 3, 5)
    for ord in (None, 2, -2, 1, -1, np.inf, -np.inf, "fro", "nuc"):
        want = np.linalg.norm(x, ord, axis=(-2, -1), keepdims=keepdims)
        assert_like(lambda v, p=ord: LA.norm(v, p, axis=(-2, -1), keepdims=keepdims), want, x)
        assert_like(lambda v, p=ord: LA.matrix_norm(v, ord=p or "fro", keepdims=keepdims), want, x)
        other = np.linalg.norm(x, ord, axis=(-1, -2), keepdims=keepdims)
        assert_like(lambda v, p=ord: LA.norm(v, p, axis=(-1, -2), keepdims=keepdims), other, x)
    for ord in (None, 2, -2, 1, -1, 0, 3, 0.5, np.inf, -np.inf):
        want = np.linalg.norm(x, ord, axis=-1, keepdims=keepdims)
        assert_like(lambda v, p=ord: LA.norm(v, p, axis=-1, keepdims=keepdims), want, x)
    assert_like(lambda v: LA.norm(v, keepdims=keepdims), np.linalg.norm(x, keepdims=keepdims), x)
    assert_like(
        lambda v: LA.vector_norm(v, axis=(-1, -2), keepdims=keepdims),
        np.linalg.vector_norm(x, axis=(-1, -2), keepdims=keepdims), x,
    )  # fmt: skip


@pytest.mark.parametrize("p", [None, 2, -2, 1, -1, np.inf, -np.inf, "fro", "nuc"])
def test_condition_numbers_are_numpys(p: Any) -> None:
    for dtype in DTYPES:
        a = regular(dtype, (2,))
        assert_like(lambda x: LA.cond(x, p), np.linalg.cond(a, p), a)
    if p in (None, 2):
        assert_like(LA.cond, np.linalg.cond(np.diag([1.0, 0.0])), np.diag([1.0, 0.0]))
        assert_like(LA.cond, np.linalg.cond(np.zeros((2, 2))), np.zeros((2, 2)))


@pytest.mark.parametrize("shape", [(0, 0), (0, 2), (2, 0)])
def test_norms_of_no_elements_are_zero(shape: tuple[int, int]) -> None:
    x = np.zeros(shape)
    for ord in (2, 1, np.inf, "fro", "nuc"):
        assert_like(lambda v, p=ord: LA.norm(v, p), 0.0, x)
    assert_like(lambda v: LA.norm(v, np.inf), 0.0, x[0] if len(x) else np.zeros(0))
    for p in (None, -2, 1, "fro"):
        with pytest.raises(np.linalg.LinAlgError, match="cond: matrices without elements"):
            evaluated(lambda v, p=p: LA.cond(v, p), x)


def test_integers_have_norms_in_float64() -> None:
    x = np.array([[3, -4], [127, 1]], "int8")
    for ord in (None, 1, 2, np.inf, "nuc"):
        assert_like(lambda v, p=ord: LA.norm(v, p), np.linalg.norm(x, ord), x)
