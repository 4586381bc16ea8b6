"""Elementwise work on rows shorter than a vector, in two and three axes: results, and no access behind an operand."""

from __future__ import annotations

import numpy as np
import pytest
from end_of_memory import End

import tensordsl as td
import tensordsl.tensor as T
from tensordsl import config


def values(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    return rng.integers(-50, 50, shape).astype(dtype)


LENGTHS = (1, 2, 3, 5, 7, 8, 9, 15, 17, 31)
DTYPES = ("float64", "float32", "int8", "complex128", "bool")


@pytest.mark.parametrize("dtype", DTYPES)
def test_three_axes(dtype: str, ends: list[End]) -> None:
    a, b, c = T.TensorType(dtype, (None,) * 3)(), *(T.TensorType(dtype, (None,) * 2)() for _ in range(2))
    plus = (lambda x, y: x ^ y) if dtype == "bool" else (lambda x, y: x + y)
    forms = [
        lambda a, b, c: plus(a, b[:, None, :]), lambda a, b, c: plus(plus(a, b[None]), c[:, :, None]),
        lambda a, b, c: plus(b[:, None, :], c[:, :, None]), lambda a, b, c: plus(a, c[:, :, None]),
        lambda a, b, c: plus(plus(a, a), b[:, None, :]),
    ]  # fmt: skip
    rng = np.random.default_rng(0)
    for k, form in enumerate(forms):
        f = td.function([a, b, c], form(a, b, c), on_unused_input="ignore")
        for n in LENGTHS:
            for rows, many in ((1, 40), (2, 1), (3, 37), (n, 5), (50, 2)):
                x = ends[0].put(values(rng, (many, rows, n), dtype))
                y = ends[1].put(values(rng, (rows if k == 1 else many, n), dtype))
                z = ends[2].put(values(rng, (many, rows), dtype))
                np.testing.assert_array_equal(f(x, y, z), form(x, y, z))


@pytest.mark.parametrize("dtype", DTYPES)
def test_rows_of_wider_arrays(dtype: str, ends: list[End]) -> None:
    """Strided, backwards, with columns between, transposed, and broadcast by stride 0."""
    a, b = (T.TensorType(dtype, (None,) * 2)() for _ in range(2))
    plus = T.xor if dtype == "bool" else T.add
    f = td.function([a, b], [plus(a, b), plus(b, a)])
    rng = np.random.default_rng(1)
    for n in LENGTHS:
        for many in (1, 4, 40):
            wide = ends[0].put(values(rng, (2 * many, n + 3), dtype))
            other = ends[1].put(values(rng, (many, n), dtype))
            for x in (wide[:many, :n], wide[many:, 3:], wide[::2, :n], wide[::-2, 3:], wide[:many, n - 1 :: -1]):
                for y in (other, other[::-1], np.broadcast_to(other[-1], other.shape), np.asfortranarray(other)):
                    wanted = x ^ y if dtype == "bool" else x + y
                    for found in f(x, y):
                        np.testing.assert_array_equal(found, wanted)


def test_several_results_of_several_sizes(ends: list[End]) -> None:
    a, b, i = T.dtensor3(), T.dmatrix(), T.imatrix()
    f = td.function([a, b, i], [a * b[:, None, :], a > i[:, :, None], T.cast(a, "int16") + i[:, :, None]])
    rng = np.random.default_rng(2)
    for n in LENGTHS:
        x, y = ends[0].put(values(rng, (23, 4, n), "float64")), ends[1].put(values(rng, (23, n), "float64"))
        j = ends[2].put(values(rng, (23, 4), "int32"))
        wanted = x * y[:, None, :], x > j[:, :, None], x.astype("int16") + j[:, :, None]
        for found, w in zip(f(x, y, j), wanted, strict=True):
            np.testing.assert_array_equal(found, w)


@pytest.mark.parametrize("threads", [1, 2])
def test_state_in_place_and_shared_out(threads: int) -> None:
    rng = np.random.default_rng(3)
    b, c = T.dmatrix(), T.dmatrix()
    config.num_threads = threads
    try:
        for n in (2, 3, 7):
            start, y, z = rng.random((60_000 // n, 5, n)), rng.random((60_000 // n, n)), rng.random((60_000 // n, 5))
            state = td.shared(start)
            step = td.function([b, c], [], updates=[(state, state * b[:, None, :] + c[:, :, None])])
            wanted = start
            for _ in range(3):
                step(y, z)
                wanted = wanted * y[:, None, :] + z[:, :, None]
            np.testing.assert_allclose(state.get_value(), wanted, rtol=1e-14)
            f = td.function([b, c], T.exp(b[:, None, :] * c[:, :, None]) - b[:, None, :])
            np.testing.assert_allclose(f(y, z), np.exp(y[:, None] * z[:, :, None]) - y[:, None], atol=1e-14)
    finally:
        config.num_threads = 1


def test_division_by_what_stands_behind_a_row() -> None:
    """Zeros in the next row are divided by, and thrown away."""
    a, b = T.ltensor3(), T.lmatrix()
    f = td.function([a, b], a // b[:, None, :])
    x, y = np.arange(1, 601).reshape(50, 4, 3), np.ones((50, 3), int)
    y[1::2] = 0
    assert (f(x, y)[::2] == x[::2]).all()


@pytest.mark.parametrize("threads", [1, 2])
def test_positions(threads: int, ends: list[End]) -> None:
    """Of lanes and rows, also behind rows that are done otherwise, in parts, and of rows around these."""
    x, y = T.TensorType("float32", (None,) * 2)(), T.TensorType("int16", (None,) * 3)()
    rng = np.random.default_rng(5)
    config.num_threads = threads
    try:
        f = td.function([x], [T.tril(x), T.triu(x, 1), x * T.arange(x.shape[0])[:, None], x - T.arange(x.shape[1])])
        g = td.function([y], [T.tril(y), y * T.arange(y.shape[0])[:, None, None] - T.arange(y.shape[1])[:, None]])
        for n in LENGTHS:
            for shape in ((1, n), (3, n), (n, n), (40, n), (30_000 if n == 5 else 500, n)):
                wide = ends[0].put(values(rng, (2 * shape[0], n + 2), "float32"))
                for a in (wide[: shape[0], 2:], wide[::2, :n], wide[::-2, 2:], np.broadcast_to(wide[-1:, 2:], shape)):
                    i, j = np.indices(shape)
                    wanted = np.tril(a), np.triu(a, 1), a * i, a - j
                    for found, right in zip(f(a), wanted, strict=True):
                        np.testing.assert_array_equal(found, right)
            for around in ((3, n), (40, n), (2, 50), (60, 2)):
                a = ends[1].put(values(rng, (*around, n), "int16"))
                i, j, _ = np.indices(a.shape)
                for found, right in zip(g(a), (np.tril(a), a * i - j), strict=True):
                    np.testing.assert_array_equal(found, right)
    finally:
        config.num_threads = 1
