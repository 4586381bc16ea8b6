"""Reductions over the first axis whose vectors begin on cache lines: the same bits wherever operands begin."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

import tensordsl as td
import tensordsl.tensor as T

LINE = 64
DTYPES = ["float64", "float32", "int64", "int32", "uint8"]


def placed(rows: np.ndarray, offset: int, pitch: int) -> np.ndarray:
    """The same numbers, from `offset` bytes behind a line on, in rows `pitch` bytes apart, between others."""
    count, size = rows.shape[0], rows.dtype.itemsize
    room = np.full(count * pitch + 2 * LINE, 0x7F, np.uint8)
    start = -room.ctypes.data % LINE + offset
    view = room[start : start + count * pitch].reshape(count, pitch)[:, : rows.shape[1] * size].view(rows.dtype)
    view[...] = rows
    return view


def places(rows: np.ndarray) -> Iterator[np.ndarray]:
    size = rows.dtype.itemsize
    row = -(-rows.shape[1] * size // LINE) * LINE
    for offset in {0, size, 16, 24, LINE - size}:
        for more in (7 * LINE, 7 * LINE + 32, 7 * LINE + 16):  # no multiple of a page, of which fewer rows go together
            yield placed(rows, offset - offset % size, row + more)


def numbers(rng: np.random.Generator, dtype: str, shape: tuple[int, int]) -> np.ndarray:
    if dtype.startswith("float"):
        x = rng.normal(size=shape).astype(dtype)
        x[rng.integers(0, shape[0], 3), rng.integers(0, shape[1], 3)] = [np.nan, np.inf, -0.0]
        return x
    return rng.integers(0, 100, shape).astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("columns", [37, 64, 100, 129, 300, 1000])
def test_columns_from_a_line_on(dtype: str, columns: int) -> None:
    x, w = T.matrix("x", dtype), T.vector("w", dtype)
    f = td.function([x, w], [x.sum(0), x.max(0), x.argmin(0), x.mean(0), T.neq(x, w).sum(0), (x - w).max(0)])
    rng = np.random.default_rng(columns)
    for rows in (1, 7, 40):
        a, b = numbers(rng, dtype, (rows, columns)), numbers(rng, dtype, (4, columns))[0]
        runs = [[r.tobytes() for r in f(view, b)] for view in places(a)]
        assert all(run == runs[0] for run in runs)
        total, most, least, mean, others, _ = f(a, b)
        rtol = 1e-4 if dtype == "float32" else 1e-12
        np.testing.assert_allclose(total, a.sum(0, dtype=total.dtype), rtol=rtol, atol=rtol * 10)
        np.testing.assert_array_equal(most, a.max(0))
        np.testing.assert_array_equal(least, a.argmin(0))
        np.testing.assert_allclose(mean, a.mean(0), rtol=rtol, atol=rtol * 10)
        np.testing.assert_array_equal(others, (a != b).sum(0))


def test_columns_of_two_operands_that_begin_elsewhere() -> None:
    x, y = T.dmatrices("x", "y")
    f = td.function([x, y], [(x * y).sum(0), T.exp(x - y).max(0), ((x - y) ** 2).mean(0)])
    rng = np.random.default_rng(3)
    a, b = rng.normal(size=(2, 50, 203))
    runs = [[r.tobytes() for r in f(left, right)] for left in places(a) for right in places(b)]
    assert all(run == runs[0] for run in runs)
    np.testing.assert_allclose(f(a, b)[0], (a * b).sum(0), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("threads", [1, 2])
def test_many_rows_of_columns_from_a_line_on(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """They go by turns, whose states are folded, and memory is asked for what follows."""
    monkeypatch.setattr(td.config, "num_threads", threads)
    x = T.fmatrix("x")
    f = td.function([x], [x.sum(0), x.var(0)])
    a = np.random.default_rng(4).normal(size=(5000, 320)).astype(np.float32)
    runs = [[r.tobytes() for r in f(view)] for view in places(a)]
    assert all(run == runs[0] for run in runs)
    np.testing.assert_allclose(f(a)[0], a.sum(0, dtype=np.float64), rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(f(a)[1], a.var(0, dtype=np.float64), rtol=1e-4)
