"""Kernels that do several vectors or rows together: what they give does not depend on how many fit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tensordsl
import tensordsl.tensor as T

DTYPES = ["float64", "float32", "int32"]


def data(dtype: str, *shape: int) -> np.ndarray:
    return np.random.default_rng(1).integers(-9, 9, shape).astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("columns", [1, 7, 16, 63, 64, 65, 96, 130, 300, 1000])
def test_sums_of_columns(dtype: str, columns: int) -> None:
    x = T.tensor(dtype, (False, False))
    f = tensordsl.function([x], [x.sum(0), x.max(0), (x * x).sum(0), x.argmin(0)])
    for rows in (1, 2, 15, 16, 17, 40):
        a = data(dtype, rows, columns)
        for layout in (a, a.T.copy().T, np.repeat(a, 2, axis=1)[:, ::2], a[::-1]):
            wanted = layout.sum(0, dtype=dtype), layout.max(0), (layout * layout).sum(0, dtype=dtype), layout.argmin(0)
            for got, expected in zip(f(layout), wanted, strict=True):
                np.testing.assert_array_equal(got, expected)


def pairs(dtype: str) -> Any:
    x, y = T.tensor(dtype, (False, False)), T.tensor(dtype, (False, False))
    left, right = x[:, None, :], y[None, :, :]
    return tensordsl.function(
        [x, y],
        [((left - right) ** 2).sum(2), T.maximum(left, right).min(2), (left * right).argmax(2), (left + right).mean(2)],
    )


def expected_pairs(a: np.ndarray, b: np.ndarray) -> list[np.ndarray]:
    left, right = a[:, None, :], b[None, :, :]
    return [
        ((left - right) ** 2).sum(2, dtype=a.dtype),
        np.maximum(left, right).min(2),
        (left * right).argmax(2),
        (left + right).mean(2, dtype="float64"),
    ]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("length", [1, 8, 16, 32, 63, 64, 65, 128, 512, 520, 1024])
def test_rows_that_share_an_operand(dtype: str, length: int) -> None:
    f = pairs(dtype)
    for rows, others in ((1, 1), (1, 9), (5, 1), (3, 4), (2, 7), (2, 66)):
        a, b = data(dtype, rows, length), data(dtype, others, length)[::-1]
        for first, second in ((a, b), (a[:, ::-1], b), (np.asfortranarray(a), b[:1].repeat(others, axis=0))):
            for got, expected in zip(f(first, second), expected_pairs(first, second), strict=True):
                np.testing.assert_allclose(got, expected, rtol=1e-6)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_rows_that_share_an_operand_follow_numpys_rules_for_what_is_not_finite(dtype: str) -> None:
    f, a, b = pairs(dtype), data(dtype, 3, 64), data(dtype, 9, 64)
    a[0, 5], a[1, 7], b[3, 9], b[8, 63] = np.nan, np.inf, -np.inf, np.nan
    for got, expected in zip(f(a, b), expected_pairs(a, b), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-6)


def test_sums_of_rows_done_together_are_those_of_rows_done_alone() -> None:
    x, y = T.fmatrix(), T.fmatrix()
    f = tensordsl.function([x, y], ((x[:, None, :] - y[None, :, :]) ** 2).sum(2))
    random = np.random.default_rng(0)
    a, b = (random.normal(size=(n, 192)).astype("float32") for n in (5, 7))
    alone = np.concatenate([f(a, b[n : n + 1]) for n in range(7)], axis=1)
    np.testing.assert_array_equal(f(a, b), alone)


@pytest.mark.parametrize("dtype", ["float64", "float32", "int32", "int8", "float16"])
def test_rows_end_with_their_last_vector_again(dtype: str) -> None:
    """Elements are added once, whatever the length and the first row's alignment; at most a few vectors and many."""
    x = T.tensor(dtype, (False, False))
    outs = [x.sum(1), (x * x).sum(1), x.max(1) + x.sum(1), x.argmax(1) + x.sum(1), x - x.sum(1, keepdims=True)]
    f = tensordsl.function([x], outs)
    for length in [*range(1, 140), 255, 256, 257, 300, 511, 512, 513, 527, 600, 1025]:
        for rows in (1, 5, 64, 70) if length < 40 or length > 250 else (3,):
            a = (data(dtype, rows, length + 1) % 5).astype(dtype)[:, 1:]
            total = a.sum(1, dtype=outs[0].dtype)
            wanted = (
                total, (a * a).sum(1, dtype=outs[1].dtype), a.max(1) + total, a.argmax(1) + total,
                a - total[:, None],
            )  # fmt: skip
            for got, expected in zip(f(a), wanted, strict=True):
                np.testing.assert_array_equal(got, expected)


def test_what_is_not_finite_counts_once_in_the_last_vector() -> None:
    x = T.fmatrix()
    f = tensordsl.function([x], [x.sum(1), (x * x).sum(1), x.mean(1), x.prod(1)])
    for length in (17, 63, 65, 100, 129, 250):
        for place in range(length):
            for value in (np.inf, -np.inf, np.nan, -0.0, 3.0):
                a = np.ones((2, length), "float32")
                a[1, place] = value
                wanted = a.sum(1), (a * a).sum(1), a.mean(1), a.prod(1)
                for got, expected in zip(f(a), wanted, strict=True):
                    np.testing.assert_allclose(got, expected, rtol=1e-6)


@pytest.mark.parametrize("dtype", ["float64", "float32", "int16", "int8"])
@pytest.mark.parametrize("length", [1, 2, 5, 8, 9, 16, 20, 31, 33, 47, 63])
def test_short_rows_go_side_by_side_or_are_transposed_in_scratch(dtype: str, length: int) -> None:
    x, y = T.tensor(dtype, (False, False)), T.tensor(dtype, (False, False))
    f = tensordsl.function([x, y], [x.sum(1), (x * y).sum(1), (x - y).max(1), x.argmax(1)])
    for rows in (40, 257, 300, 1111):
        a, b = data(dtype, rows, length), data(dtype, rows, length + 1)[:, 1:]
        for first, second in ((a, b), (b, np.asfortranarray(a)), (a[::-1], b), (a[:, ::-1], b)):
            product, less = first * second, first - second
            wanted = first.sum(1), product.sum(1), less.max(1), first.argmax(1)
            for got, expected in zip(f(first, second), wanted, strict=True):
                np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("dtype", ["float64", "float32", "int64", "int32"])
@pytest.mark.parametrize("length", [*range(1, 20), 31, 32, 33, 63, 64, 65, 100, 127, 128, 129, 255, 257, 511, 513])
def test_rows_side_by_side(dtype: str, length: int) -> None:
    """As many rows as one group has, fewer, and some behind whole groups; several reductions, operands and results."""
    x, y, v = T.tensor(dtype, (False, False)), T.tensor(dtype, (False, False)), T.tensor(dtype, (False,))
    outs = [x.sum(1) * 2 + v, (x - y).max(1), x.min(1) - v, (x * y).prod(1), T.all(x > y, axis=1)]
    f = tensordsl.function([x, y, v], outs)
    for rows in (1, 2, 5, 7, 8, 9, 15, 16, 17, 63, 64, 65, 100):
        a, b = (data(dtype, rows, length + 1) % 3)[:, 1:].astype(dtype), data(dtype, rows, length)
        b[:, 1:] = b[:, 1:] % 2 + 1
        w = np.arange(2 * rows).astype(dtype)
        for c in (w[::2], w[::-2], w[:rows]):
            wanted = a.sum(1) * 2 + c, (a - b).max(1), a.min(1) - c, (a * b).prod(1), (a > b).all(1)
            for got, expected in zip(f(a, b, c), wanted, strict=True):
                np.testing.assert_array_equal(got, expected.astype(got.dtype))


def test_an_update_in_place_takes_each_row_side_by_side_once() -> None:
    """The last group of rows begins among rows that are written already."""
    x = T.matrix()
    for rows in (1, 7, 8, 9, 13, 16, 23, 70, 135):
        for length in (1, 3, 9, 20, 100, 300):
            state = tensordsl.shared(np.arange(float(rows)))
            step = tensordsl.function([x], [], updates=[(state, state * 2 + x.sum(1))])
            a = data("float64", rows, length)
            step(a)
            step(a)
            np.testing.assert_array_equal(state.get_value(), np.arange(rows) * 4 + 3 * a.sum(1))


def test_a_row_gives_the_same_among_any_others() -> None:
    x = T.fmatrix()
    f = tensordsl.function([x], [x.sum(1), (x * x).sum(1), x.var(1)])
    for length in (1, 9, 20, 33, 100, 255, 300, 511, 600):
        a = np.random.default_rng(length).normal(size=(70, length)).astype("float32")
        alone = [np.concatenate(results) for results in zip(*(f(a[n : n + 1]) for n in range(70)), strict=True)]
        for rows in (1, 3, 8, 11, 64, 70):
            for got, expected in zip(f(a[:rows]), alone, strict=True):
                np.testing.assert_array_equal(got, expected[:rows])


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_what_is_not_finite_stays_in_its_row(dtype: str) -> None:
    x = T.tensor(dtype, (False, False))
    f = tensordsl.function([x], [x.sum(1), x.max(1), x.min(1), x.prod(1), x.mean(1)])
    for length in (1, 7, 8, 17, 40, 130):
        for value in (np.nan, np.inf, -np.inf, -0.0):
            a = np.ones((19, length), dtype)
            places = np.arange(0, 19, 3), np.arange(0, 19, 3) * 5 % length
            a[places] = value
            wanted = a.sum(1), a.max(1), a.min(1), a.prod(1), a.mean(1)
            for got, expected in zip(f(a), wanted, strict=True):
                np.testing.assert_array_equal(got, expected)


def test_rows_of_more_than_two_axes_that_share_operands_go_side_by_side() -> None:
    x, y = T.tensor3(), T.matrix()
    f = tensordsl.function([x, y], [(x * y[None]).sum(2), (x - y[:, None, :]).max(2), T.sum(y[None] + x, axis=(1, 2))])
    for rows, length in ((3, 5), (1, 20), (9, 1), (9, 20), (20, 17), (2, 100)):
        a, b = data("float64", rows, rows, length), data("float64", rows, length)
        for c in (a, np.asfortranarray(a), a[::-1, ::-1]):
            wanted = (c * b[None]).sum(2), (c - b[:, None, :]).max(2), (b[None] + c).sum((1, 2))
            for got, expected in zip(f(c, b), wanted, strict=True):
                np.testing.assert_array_equal(got, expected)
