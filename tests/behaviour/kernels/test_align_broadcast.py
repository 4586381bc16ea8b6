"""Rows that all of a launch share, which the library copies: wherever they lie, and whatever follows them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tensordsl.tensor as T
from tensordsl import function
from tensordsl.config import config


def at(values: Any, place: int) -> Any:
    """The array so many bytes behind the beginning of a page."""
    room = np.zeros(values.nbytes + 8192, "uint8")
    first = -room.ctypes.data % 4096 + place
    moved = room[first : first + values.nbytes].view(values.dtype).reshape(values.shape)
    moved[...] = values
    return moved


@pytest.mark.parametrize("dtype", ["float64", "float32", "int16"])
@pytest.mark.parametrize("shape", [(64, 1024), (100, 1001), (17, 2049), (5, 9, 600), (40, 33), (3, 4000), (300, 300)])
def test_rows_and_columns_wherever_they_lie(dtype: str, shape: tuple[int, ...]) -> None:
    rng, size = np.random.default_rng(len(shape)), np.dtype(dtype).itemsize
    x, column, row = (
        rng.integers(-9, 9, s).astype(dtype) for s in (shape, (*shape[:-1], 1), (1,) * (len(shape) - 1) + shape[-1:])
    )
    types = [T.TensorType(dtype, tuple(n == 1 for n in a.shape)) for a in (x, column, row, row)]
    vx, vc, vr, vl = (t() for t in types)
    f = function([vx, vc, vr, vl], [vc * vr + vl, vx * vr - vl * vc])
    for threads in (1, 3):
        with config.change_flags(num_threads=threads):
            for first, second in ((0, 0), (16, 16), (size, 4096 - size), (64, 2048)):
                a, b = at(row, first), at(row + row.dtype.type(1), second)
                got = f(x, column, a, b)
                np.testing.assert_array_equal(got[0], column * a + b)
                np.testing.assert_array_equal(got[1], x * a - b * column)


def test_rows_with_gaps_and_reversed_ones_beside_shared_ones() -> None:
    x, row = T.matrix(), T.row()
    f = function([x, row], T.exp(x) * row + row[:, ::-1])
    a, b = np.random.default_rng(0).random((60, 2002)), np.random.default_rng(1).random((1, 1001))
    for layout in (a[:, ::2], a[::-1, :1001], np.asfortranarray(a[:, :1001])):
        np.testing.assert_allclose(f(layout, b), np.exp(layout) * b + b[:, ::-1], rtol=1e-14)


def test_updates_in_place_beside_a_shared_row() -> None:
    from tensordsl import shared

    start = np.random.default_rng(2).random((50, 515))
    state, row = shared(start.copy()), T.row()
    f = function([row], [], updates=[(state, state * 0.5 + row)])
    b = np.random.default_rng(3).random((1, 515))
    f(b)
    f(b)
    np.testing.assert_array_equal(state.get_value(), (start * 0.5 + b) * 0.5 + b)
