"""Dtypes and broadcast patterns of results, as Theano 1.0.5 has them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tensordsl.tensor as T
from tensordsl.function import function
from tensordsl.gradient import grad
from tensordsl.types import TensorType


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "int64", "uint8"])
def test_an_inverse_permutation_has_the_dtype_of_the_permutation(dtype: str) -> None:
    p = T.vector("p", dtype=dtype)
    inverse = T.inverse_permutation(p)
    assert inverse.dtype == dtype
    np.testing.assert_array_equal(inverse.eval({p: np.array([2, 0, 3, 1], dtype)}), [1, 3, 0, 2])


def test_inverse_permutations_of_rows() -> None:
    p, x, deep = T.imatrix("p"), T.dmatrix("x"), T.itensor3("deep")
    rows = np.array([[1, 2, 0], [0, 2, 1]], "int32")
    inverse = T.inverse_permutation(p)
    assert inverse.dtype == "int32"
    np.testing.assert_array_equal(inverse.eval({p: rows}), [[2, 0, 1], [0, 2, 1]])
    np.testing.assert_array_equal(T.inverse_permutation(deep).eval({deep: rows[:, None]}), np.argsort(rows)[:, None])
    numbers = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    back = T.permute_row_elements(T.permute_row_elements(x, p), p, inverse=True)
    np.testing.assert_array_equal(back.eval({x: numbers, p: rows}), numbers)


@pytest.mark.parametrize(
    ("product", "shapes"),
    [
        (T.dot, ((3,), (3,))), (T.dot, ((2, 3), (3,))), (T.dot, ((3,), (3, 2))), (T.dot, ((2, 3), (3, 4))),
        (T.batched_dot, ((2, 2, 3), (2, 3, 2))), (lambda x, y: T.tensordot(x, y, 1), ((2, 3, 2), (2, 3))),
        (lambda x, y: x @ y, ((2, 3), (3, 2))), (T.outer, ((2,), (3,))), (T.dot, ((), (3,))),
    ],
)  # fmt: skip
@pytest.mark.parametrize("mode", ["FAST_RUN", "REFERENCE"])
def test_a_product_of_bools_is_whether_a_term_is_true(product: Any, shapes: Any, mode: str) -> None:
    x, y = (TensorType("bool", (None,) * len(shape))() for shape in shapes)
    rng = np.random.default_rng(0)
    a, b = (np.asarray(rng.random(shape) < 0.4) for shape in shapes)
    result = product(x, y)
    assert result.dtype == "bool"
    numbers = product(T.constant(a.astype("int64")), T.constant(b.astype("int64"))).eval()
    np.testing.assert_array_equal(function([x, y], result, mode=mode)(a, b), numbers != 0)


def test_products_of_bools_and_numbers() -> None:
    x, i = T.vector("x", dtype="bool"), T.bvector("i")
    assert T.dot(x, i).dtype == "int8"
    assert T.dot(x, i).eval({x: np.array([True, True]), i: np.array([1, 2], "int8")}) == 3
    many = np.ones(256, bool)
    assert T.dot(x, x).eval({x: many}) == np.True_  # a count in int8 would be 0
    y = T.dvector("y")
    np.testing.assert_array_equal(grad(T.dot(y > 0, y > 1) * y.sum(), y).eval({y: np.array([2.0, 3.0])}), [1, 1])


FLAT: list[tuple[tuple[bool, ...], int, tuple[bool, ...]]] = [
    ((False, True, True, True), 1, (False,)), ((False, True, True, True), 2, (False, True)),
    ((False, True, True, True), 3, (False, True, True)), ((True, True, True, True), 2, (True, True)),
    ((True, True, False, True), 1, (False,)), ((True, True, False, True), 2, (True, False)),
    ((True, True, False, True), 3, (True, True, False)), ((False, False, True), 2, (False, False)),
    ((True, False, True), 2, (True, False)), ((True, True), 1, (True,)), ((False, True), 2, (False, True)),
]  # fmt: skip


@pytest.mark.parametrize(("pattern", "ndim", "wanted"), FLAT)
def test_flatten_keeps_what_is_known_of_merged_axes(
    pattern: tuple[bool, ...], ndim: int, wanted: tuple[bool, ...]
) -> None:
    x = T.TensorType("float64", pattern)("x")
    assert T.flatten(x, ndim).broadcastable == wanted
    a = np.arange(6.0)[:, None, None, None] if pattern[0] is False and len(pattern) == 4 else None
    if a is not None:
        np.testing.assert_array_equal(T.flatten(x, ndim).eval({x: a}), a.reshape(a.shape[: ndim - 1] + (-1,)))


def test_a_flat_column_of_images_broadcasts() -> None:
    """A bias after global pooling, as networks flatten it."""
    x, bias = T.TensorType("float64", (False, True, True, True))("x"), T.dvector("bias")
    scores = T.flatten(x, 2) + bias
    np.testing.assert_array_equal(scores.eval({x: np.ones((2, 1, 1, 1)), bias: np.array([1.0, 2.0])}), [[2, 3], [2, 3]])
