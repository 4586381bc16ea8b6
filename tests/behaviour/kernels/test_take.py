"""Columns and rows at indices, copied alone: by the library's own loop, or by the group's kernels."""

from __future__ import annotations

import numpy as np
import pytest
from end_of_memory import End

import tensordsl
import tensordsl.tensor as T

RNG = np.random.default_rng(3)
DTYPES = ("bool", "int8", "uint16", "float16", "float32", "int64", "float64", "complex64", "complex128")
SHAPES = [(0, 5), (1, 5), (3, 5), (4, 5), (70, 3), (65, 40), (600, 9), (9, 600)]


def layouts(a: np.ndarray) -> list[np.ndarray]:
    wide = np.empty((2 * a.shape[0], 3 * a.shape[1]), a.dtype)
    result = [a, np.asfortranarray(a), wide[::2, ::3], wide[::-2, ::-3], np.broadcast_to(a[:1], a.shape)]
    for view in result[2:4]:
        view[...] = a
    return result


def values(shape: tuple[int, ...], dtype: str) -> np.ndarray:
    a = RNG.normal(size=shape) * 50
    return (a + 1j * RNG.normal(size=shape) if dtype.startswith("complex") else a).astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_columns_of_any_layout(dtype: str) -> None:
    x, i = T.TensorType(dtype, (None, None))("x"), T.lvector("i")
    f = tensordsl.function([x, i], [x[:, i]])
    for shape in SHAPES:
        for a in layouts(values(shape, dtype)):
            for n in (0, 1, 3, 4, 7, 8, 255, 256, 259, 520):
                at = RNG.integers(-shape[1], shape[1], 2 * n)[::2]
                np.testing.assert_array_equal(f(a, at)[0], a[:, at])


@pytest.mark.parametrize("kind", ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64"])
def test_indices_of_all_dtypes(kind: str) -> None:
    x, i = T.dmatrix("x"), T.TensorType(kind, (None,))("i")
    f = tensordsl.function([x, i], x[:, i])
    lowest, highest = np.iinfo(kind).min, np.iinfo(kind).max
    for n in (1, 127, 128, 129, 255, 256, 257):
        a = RNG.normal(size=(6, n))
        at = np.minimum(RNG.integers(0, n, 300), highest).astype(kind)
        at[7] = max(-n, lowest)
        np.testing.assert_array_equal(f(a, at), a[:, at])
        np.testing.assert_array_equal(f(a, at[::-3]), a[:, at[::-3]])
        for wrong in {min(n, highest), max(-n - 1, lowest), highest, lowest}:
            at[280] = wrong
            if not -n <= wrong < n:
                with pytest.raises(IndexError, match=f"index {wrong} is out of bounds for axis 1 with size {n}"):
                    f(a, at)


def test_axes_around_are_taken_as_one_where_they_are() -> None:
    x, i = T.tensor4("x"), T.lvector("i")
    f = tensordsl.function([x, i], x[:, :, :, i])
    a, at = RNG.normal(size=(4, 3, 5, 6)).astype(x.dtype), np.array([5, 0, -1, 2, 2])
    for order in ((0, 1, 2, 3), (1, 0, 2, 3), (2, 1, 0, 3), (3, 2, 1, 0), (1, 2, 3, 0)):
        for b in (a.transpose(order), a[:1].transpose(order), a[:, ::2].transpose(order), a[:, :, :1].transpose(order)):
            index = at % b.shape[-1]
            np.testing.assert_array_equal(f(b, index), b[..., index])


@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32", "complex128"])
def test_what_axes_behind_have_is_one_run_of_any_length(dtype: str) -> None:
    x, i = T.TensorType(dtype, (None, None, None))("x"), T.lvector("i")
    f = tensordsl.function([x, i], x[:, i])
    at = np.array([5, 0, -1, 2, 2, -6, 1])
    for n in (0, *range(1, 20), 31, 32, 33, 63, 64, 65, 127, 128, 129, 300):
        a = values((9, 6, 2 * n), dtype)
        for b in (a, a[:, :, :n], a[::-1, :, ::2], a[:, ::-1, ::-1], a.transpose(1, 0, 2).copy().transpose(1, 0, 2)):
            np.testing.assert_array_equal(f(b, at), b[:, at])
    with pytest.raises(IndexError, match="index 6 is out of bounds for axis 1 with size 6"):
        f(a, at + 1)


@pytest.mark.parametrize("dtype", ["float64", "float32", "int8"])
def test_computations_on_few_columns_have_lanes_along_the_rows(dtype: str) -> None:
    x, i, y = T.TensorType(dtype, (None, None))("x"), T.lvector("i"), T.TensorType(dtype, (None,))("y")
    f = tensordsl.function([x, i, y], [x[:, i] * 2 + y, x[:, [1, 0]] * 3, x[:, (i * 3) % 5] - y])
    for rows in (1, 15, 16, 17, 130, 600):
        for a in layouts(RNG.integers(-9, 9, (rows, 5)).astype(dtype)):
            for n in (1, 2):
                at, b = RNG.integers(-5, 5, n), RNG.integers(-9, 9, n).astype(dtype)
                scaled, two, less = f(a, at, b)
                np.testing.assert_array_equal(scaled, a[:, at] * np.array(2, dtype) + b)
                np.testing.assert_array_equal(two, a[:, [1, 0]] * np.array(3, dtype))
                np.testing.assert_array_equal(less, a[:, at * 3 % 5] - b)
        with pytest.raises(IndexError, match="index -6 is out of bounds for axis 1 with size 5"):
            f(a, np.array([-6]), b[:1])


def test_columns_that_go_into_a_part_of_another_array() -> None:
    x, y, i = T.dmatrix("x"), T.dmatrix("y"), T.lvector("i")
    f = tensordsl.function([x, y, i], [T.concatenate([y, x[:, i]], axis=1), T.set_subtensor(y[::-1, 1:4], x[:, i])])
    a, b, at = RNG.normal(size=(70, 6)), RNG.normal(size=(70, 5)), np.array([5, 0, -2])
    joined, written = f(a, b, at)
    np.testing.assert_array_equal(joined, np.concatenate([b, a[:, at]], axis=1))
    b[::-1, 1:4] = a[:, at]
    np.testing.assert_array_equal(written, b)


def test_columns_of_a_shared_variable_take_its_place() -> None:
    s, i = tensordsl.shared(RNG.normal(size=(30, 6))), T.lvector("i")
    f, before = tensordsl.function([i], updates=[(s, s[:, i])]), s.get_value()
    at = np.array([3, 1, 0, 2, 5, -2])
    f(at)
    np.testing.assert_array_equal(s.get_value(), before[:, at])
    with pytest.raises(IndexError):
        f(at + 6)
    np.testing.assert_array_equal(s.get_value(), before[:, at])


def test_nothing_behind_the_operands_is_read(ends: list[End]) -> None:
    x, i = T.fmatrix("x"), T.TensorType("int16", (None,))("i")
    f = tensordsl.function([x, i], x[:, i])
    for shape in ((5, 3), (64, 17)):
        a, at = values(shape, "float32"), RNG.integers(-3, 3, 21).astype("int16")
        got = f(ends[0].put(a), ends[1].put(at))
        np.testing.assert_array_equal(got, a[:, at])


@pytest.mark.parametrize("dtype", DTYPES)
def test_short_rows_of_any_layout(dtype: str) -> None:
    """Of some bytes more than two elements, and less than a cache line."""
    x, i = T.TensorType(dtype, (None, None))("x"), T.lvector("i")
    f = tensordsl.function([x, i], [x[i], T.set_subtensor(T.zeros_like(x[i])[::-1], x[i])])
    for width in (*range(18), 31, 32, 63, 64, 65):
        for a in layouts(values((9, width), dtype)):
            for n in (0, 1, 7, 8, 9, 255, 256, 259, 520):
                for at in (RNG.integers(-9, 9, 2 * n)[::2], RNG.integers(-9, 9, n)[::-1]):
                    taken, backwards = f(a, at)
                    np.testing.assert_array_equal(taken, a[at])
                    np.testing.assert_array_equal(backwards, a[at][::-1])


@pytest.mark.parametrize("kind", ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64"])
def test_indices_of_short_rows(kind: str, ends: list[End]) -> None:
    x, i = T.fmatrix("x"), T.TensorType(kind, (None,))("i")
    f = tensordsl.function([x, i], x[i])
    lowest, highest = np.iinfo(kind).min, np.iinfo(kind).max
    for n in (1, 127, 128, 129, 257):
        a = values((n, 5), "float32")
        at = np.minimum(RNG.integers(0, n, 300), highest).astype(kind)
        at[7] = max(-n, lowest)
        np.testing.assert_array_equal(f(ends[0].put(a), ends[1].put(at)), a[at])
        np.testing.assert_array_equal(f(a, at[::-3]), a[at[::-3]])
        for wrong in {min(n, highest), max(-n - 1, lowest), highest, lowest}:
            at[280] = wrong
            if not -n <= wrong < n:
                with pytest.raises(IndexError, match=f"index {wrong} is out of bounds for axis 0 with size {n}"):
                    f(a, at)


def test_short_rows_of_several_axes() -> None:
    x, i = T.tensor3("x"), T.lvector("i")
    f = tensordsl.function([x, i], x[i])
    at = RNG.integers(-6, 6, 40)
    for shape in ((6, 2, 3), (6, 1, 5), (6, 5, 1), (6, 0, 3), (6, 3, 9)):
        a = RNG.normal(size=shape).astype(x.dtype)
        for b in (a, a[::-1], a[:, ::-1], np.asfortranarray(a), a.transpose(0, 2, 1).copy().transpose(0, 2, 1)):
            np.testing.assert_array_equal(f(b, at), b[at])


def test_short_rows_of_a_shared_variable_take_its_place() -> None:
    s, i = tensordsl.shared(RNG.normal(size=(300, 5))), T.lvector("i")
    f, before = tensordsl.function([i], updates=[(s, s[i])]), s.get_value()
    at = RNG.permutation(300)
    for _ in range(3):
        f(at)
        before = before[at]
        np.testing.assert_array_equal(s.get_value(), before)
    with pytest.raises(IndexError):
        f(at + 1)
    np.testing.assert_array_equal(s.get_value(), before)


def test_threads_share_short_rows(fresh_code: pytest.MonkeyPatch) -> None:
    x, i = T.matrix("x"), T.lvector("i")
    f = tensordsl.function([x, i], x[i])
    a, at = RNG.normal(size=(5000, 5)).astype(x.dtype), RNG.integers(-5000, 5000, 300_001)
    tensordsl.config.num_threads = 2
    np.testing.assert_array_equal(f(a, at), a[at])
    at[-3] = 5000
    with pytest.raises(IndexError, match="index 5000 is out of bounds for axis 0 with size 5000"):
        f(a, at)
