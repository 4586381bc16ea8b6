"""Operands that are contiguous along different axes, and last vectors that are computed twice, through functions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tensordsl
import tensordsl.tensor as T

SHAPES = [(37, 53), (300, 7), (5, 2000), (64, 64), (130, 257), (16, 1), (1, 40), (0, 9), (9, 0)]
ORDERS = ["C", "F"]


@pytest.mark.parametrize("dtype", ["float64", "float32", "int16", "int8"])
@pytest.mark.parametrize("shape", SHAPES)
def test_one_kernel_over_operands_of_both_orders(dtype: str, shape: tuple[int, int]) -> None:
    random = np.random.default_rng(0)
    x, y = T.tensor(dtype, (False, False)), T.tensor(dtype, (False, False))
    f = tensordsl.function([x, y], x * y + y)
    for first in ORDERS:
        for second in ORDERS:
            a, b = (np.asarray(random.integers(-9, 9, shape), dtype, order=o) for o in (first, second))
            assert np.array_equal(f(a, b), a * b + b)
            assert np.array_equal(f(a[::-1], b[:, ::-1]), a[::-1] * b[:, ::-1] + b[:, ::-1])


def test_three_axes_of_which_one_operand_has_two_exchanged() -> None:
    random = np.random.default_rng(0)
    x, y = T.tensor3(), T.tensor3()
    f = tensordsl.function([x, y], x * 2 + y)
    a = random.normal(size=(3, 33, 41))
    for axes in ((0, 2, 1), (2, 1, 0), (1, 0, 2)):
        back = np.argsort(axes)
        b = np.ascontiguousarray(random.normal(size=a.shape).transpose(axes)).transpose(back)
        assert np.array_equal(f(a, b), a * 2 + b)
        assert np.array_equal(f(b, a), b * 2 + a)


@pytest.mark.parametrize("dtype", ["float64", "float32", "int8"])
@pytest.mark.parametrize("n", [1, 2, 3, 7, 8, 9, 15, 17, 31, 33, 63, 65, 129, 131, 257])
def test_exchanged_axes_of_every_length(n: int, dtype: str) -> None:
    random = np.random.default_rng(n)
    x, y, k, table = T.tensor3(dtype=dtype), T.tensor3(dtype=dtype), T.ltensor3(), T.lvector()
    f = tensordsl.function([x, y, k, table], [x * 2, x + y, table[k]])
    for m in (1, 2, 3, 9, 17, 33):
        a, b = (random.integers(-9, 9, (2, m, n)).astype(dtype) for _ in range(2))
        where, values = random.integers(0, 5, (2, m, n)), np.arange(5) * 7
        for axes in ((0, 2, 1), (1, 2, 0), (2, 1, 0)):
            back = np.argsort(axes)
            first, second, third = (np.ascontiguousarray(v.transpose(axes)).transpose(back) for v in (a, b, where))
            found = f(first, b, third, values)
            for value, wanted in zip(found, (a * 2, a + b, values[where]), strict=True):
                assert np.array_equal(value, wanted)
            assert np.array_equal(f(a[..., ::-1], second, where, values)[1], a[..., ::-1] + b)


@pytest.mark.parametrize("n", [1, 2, 5, 9, 17, 40])
def test_exchanged_axes_beside_rows_of_smaller_elements(n: int) -> None:
    x, y, z = T.tensor3(), T.vector(dtype="int16"), T.vector(dtype="int8")
    f = tensordsl.function([x, y, z], x * y + z)
    b, c = np.arange(n, dtype="int16"), np.arange(n, dtype="int8")
    for m in (1, 2, 3, 9, 33):
        a = np.asfortranarray(np.arange(5.0 * m * n).reshape(5, m, n))
        assert np.array_equal(f(a, b, c), a * b + c)
        assert np.array_equal(f(a[:1], b[::-1], c), a[:1] * b[::-1] + c)


@pytest.mark.parametrize("n", [3, 8, 9, 31, 65, 131])
def test_an_update_in_place_by_other_axes_does_no_element_twice(n: int) -> None:
    x = T.matrix()
    state = tensordsl.shared(np.ones((19, n)))
    f = tensordsl.function([x], updates=[(state, state * 2 + x.T)])
    a = np.arange(19.0 * n).reshape(n, 19)
    f(a)
    assert np.array_equal(state.get_value(), 2 + a.T)


@pytest.mark.parametrize("n", [7, 8, 9, 31, 63, 65, 100, 511, 513, 1000])
def test_an_update_in_place_does_no_element_twice(n: int) -> None:
    x = T.matrix()
    state = tensordsl.shared(np.ones((3, n)))
    f = tensordsl.function([x], T.sum(state, axis=1), updates=[(state, state * 2 + x)])
    a = np.arange(3.0 * n).reshape(3, n)
    f(a)
    assert np.array_equal(state.get_value(), 2 + a)


@pytest.mark.parametrize("n", [7, 8, 9, 31, 63, 65, 100, 511, 513, 1000, 4097])
@pytest.mark.parametrize("dtype", ["float64", "float32", "int8"])
def test_a_reduction_counts_each_element_once(n: int, dtype: str) -> None:
    x = T.tensor(dtype, (False, False))
    a = np.random.default_rng(n).integers(-100, 100, (3, n)).astype(dtype)
    found = tensordsl.function([x], [T.sum(x, axis=1), T.max(x, axis=1), T.argmax(x, axis=1), T.argmin(x, axis=1)])(a)
    for value, expected in zip(found, (a.sum(1), a.max(1), a.argmax(1), a.argmin(1)), strict=True):
        assert np.array_equal(value, expected)
    e = np.exp(np.float64(a) - a.max(1, keepdims=True).astype(float))
    assert np.allclose(
        tensordsl.function([x], T.nnet.softmax(x))(a), e / e.sum(1, keepdims=True), rtol=1e-4, atol=1e-30
    )


def layouts(a: np.ndarray) -> list[np.ndarray]:
    """Matrices of one shape in memory of every kind: also with rows or columns that overlap."""
    m, n = a.shape
    flat = np.arange(float(m + n))
    step = flat.itemsize
    window = np.lib.stride_tricks.as_strided
    return [
        a, np.asfortranarray(a), a[::-1], a[:, ::-1], np.repeat(a, 2, axis=1)[:, ::2], np.repeat(a, 2, axis=0)[::2],
        np.asfortranarray(a)[::-1], np.broadcast_to(a[:1], a.shape), np.broadcast_to(a[:, :1], a.shape),
        np.broadcast_to(a[:1, :1], a.shape), np.repeat(a[:, :1], 3, axis=1)[:, 1:2].repeat(n, axis=1).T.copy().T,
        window(flat, a.shape, (step, step)), window(flat[m - 1 :], a.shape, (-step, step)),
    ]  # fmt: skip


@pytest.mark.parametrize("m, k, n", [(33, 33, 33), (9, 40, 12), (1, 17, 20), (20, 17, 1), (30, 1, 30), (3, 2, 64)])
def test_products_of_matrices_in_any_memory(m: int, k: int, n: int) -> None:
    random = np.random.default_rng(0)
    x, y, v = T.matrix(), T.matrix(), T.vector()
    f = tensordsl.function([x, y], [T.dot(x, y), T.dot(y.T, x.T)])
    g = tensordsl.function([x, v], T.dot(x, v))
    for a in layouts(random.normal(size=(m, k))):
        for b in layouts(random.normal(size=(k, n))):
            product, turned = f(a, b)
            np.testing.assert_allclose(product, a @ b, rtol=1e-11, atol=1e-11)
            np.testing.assert_allclose(turned, (a @ b).T, rtol=1e-11, atol=1e-11)
            np.testing.assert_allclose(g(a, b[:, 0]), a @ b[:, 0], rtol=1e-11, atol=1e-11)


def test_products_of_what_does_not_vary_along_an_axis() -> None:
    """Broadcast values are views with a stride of 0, which a BLAS reads only from a packed copy."""
    x, v = T.matrix(), T.vector()
    columns = T.switch(x, v.dimshuffle(0, "x"), v.dimshuffle(0, "x"))
    f = tensordsl.function([x, v], T.dot(columns.T, x.T))
    a, b = np.random.default_rng(0).normal(size=(33, 33)), np.arange(33.0)
    for _ in range(200):
        product = f(a, b)
    np.testing.assert_allclose(product, np.broadcast_to(b[:, None], (33, 33)).T @ a.T, rtol=1e-11)


@pytest.mark.parametrize("dtype", ["float64", "float32", "int16"])
def test_sums_of_rows_that_share_numbers_which_stand_apart(dtype: str) -> None:
    """What all rows of a block share is packed once, what each has of its own for each."""
    rng, x, w = np.random.default_rng(5), T.tensor(dtype, (None, None)), T.tensor(dtype, (None, None))

    def forms(m: Any, x: Any, w: Any) -> list[Any]:
        first, last = w[:, 0][:, None], w[:, 2][:, None]
        return [
            (x * first).sum(),
            (x * first - last * first).sum(),
            (x * first + last).max(),
            (x * x[:, 1][:, None]).sum(),
        ]

    f = tensordsl.function([x, w], forms(T, x, w))
    for n in (1, 15, 64, 65, 300, 1500):
        for k in (3, 8, 9, 17, 33):
            a, b = (rng.integers(-9, 9, (n, width)).astype(dtype) for width in (k, 3))
            for given in (a, np.asfortranarray(a), np.repeat(a, 2, axis=1)[:, ::2]):
                for weights in (b, b[::-1], np.asfortranarray(b), np.broadcast_to(b[:1], b.shape)):
                    for found, wanted in zip(f(given, weights), forms(np, given, weights), strict=True):
                        assert found == wanted, (given.shape, given.strides, weights.strides)
