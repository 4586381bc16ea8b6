"""Axes of few elements along which operands are the same: all of their elements are computed at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tensordsl as td
import tensordsl.tensor as T
from tensordsl.codegen.bufferise import launches

DTYPES = ["float64", "float32", "float16", "int64", "int16", "uint8", "bool", "complex128", "complex64"]
SHAPES = [(1, 1, 1), (2, 3, 5), (4, 7, 16), (3, 1, 33), (2, 5, 64), (1, 2, 131), (20, 3, 300), (0, 3, 4), (3, 4, 0)]


def equal(m: Any, x: Any, y: Any) -> Any:
    return T.eq(x, y) if m is T else x == y


def turned(y: Any) -> Any:
    return y.reshape((y.shape[0], y.shape[1], 2, 2, y.shape[3]))


# name -> what is computed of x (a, b, c), of y (a, b, 2, c, 2), and of z (a, b, 2, c)
FORMS: dict[str, Callable[..., Any]] = {
    "columns twice": lambda m, x, y, z: m.repeat(x, 2, axis=2),
    "four times": lambda m, x, y, z: m.repeat(m.repeat(x, 2, axis=2), 2, axis=1),
    "three times": lambda m, x, y, z: m.repeat(x, 3, axis=2),
    "rows thrice": lambda m, x, y, z: m.repeat(x, 3, axis=1),
    "nine times": lambda m, x, y, z: m.repeat(m.repeat(x, 3, axis=2), 3, axis=1),
    "where they are equal": lambda m, x, y, z: equal(m, y, x[:, :, None, :, None]),
    "one of two": lambda m, x, y, z: m.where(equal(m, y, x[:, :, None, :, None]), y, x[:, :, None, :, None]),
    "of rows": lambda m, x, y, z: m.where(equal(m, z, x[:, :, None]), z, x[:, :, None]),
    "beside each other": lambda m, x, y, z: m.transpose(turned(y), (0, 1, 2, 4, 3)) + x[:, :, None, :, None],
    "shuffled": lambda m, x, y, z: m.transpose(turned(y), (0, 2, 1, 4, 3)).reshape(
        (2 * x.shape[0], x.shape[1], 2 * x.shape[2])
    ),
    "rows shuffled": lambda m, x, y, z: m.transpose(turned(y)[:, 0], (0, 1, 3, 2)),
    "by weights": lambda m, x, y, z: x[..., None] * x[0, 0, 0].reshape((1,)) + z[:1, :1, :, :1].reshape((2,)),
}


def data(dtype: str, shape: tuple[int, ...], seed: int) -> np.ndarray:
    values = np.random.default_rng(seed).integers(-3, 4, shape).astype(dtype)
    if values.dtype.kind in "fc" and values.size > 6:
        values.flat[[0, 3, -1]] = np.nan, -0.0, np.inf
    return values


def layouts(a: np.ndarray) -> list[np.ndarray]:
    return [a, np.asfortranarray(a), np.repeat(a, 2, axis=-1)[..., ::2], np.ascontiguousarray(a[:, ::-1])[:, ::-1]]


# there are no sums of truths
CASES = [(name, dtype) for name in FORMS for dtype in DTYPES if (name, dtype) != ("by weights", "bool")]


@pytest.mark.parametrize("name, dtype", CASES)
def test_repeated_operands(name: str, dtype: str) -> None:
    form = FORMS[name]
    x = T.TensorType(dtype, (None, None, None))()
    y, z = T.TensorType(dtype, (None, None, 2, None, 2))(), T.TensorType(dtype, (None, None, 2, None))()
    f = td.function([x, y, z], form(T, x, y, z), on_unused_input="ignore")
    for a, b, c in SHAPES:
        if name == "by weights" and 0 in (a, b, c):
            continue
        given = data(dtype, (a, b, c), 1), data(dtype, (a, b, 2, c, 2), 2), data(dtype, (a, b, 2, c), 3)
        with np.errstate(invalid="ignore"):
            wanted = form(np, *given)
        for arrays in zip(*map(layouts, given), strict=True):
            got = f(*arrays)
            assert got.dtype == wanted.dtype
            np.testing.assert_array_equal(got, wanted, err_msg=f"{(a, b, c)}")
            if dtype.startswith("float"):
                np.testing.assert_array_equal(np.signbit(got), np.signbit(wanted))


def test_where_lanes_go(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not along axes of few elements, where another one is left that may be long."""
    unrolled: list[bool] = []
    unroll = launches.unroll_axes

    def noted(*given: Any) -> Any:
        made = unroll(*given)
        unrolled.append(made is not None)
        return made

    monkeypatch.setattr(launches, "unroll_axes", noted)
    x, row, column = T.TensorType("float32", (None, 2))(), T.fvector(), T.TensorType("float32", (4,))()
    planes, matrices = T.TensorType("float32", (3, None, None))(), T.TensorType("float32", (None, 4, 4))()
    for wanted, inputs, result in (
        (True, [x, row], x * row[:, None]),
        (True, [row, column], row[:, None] * column),
        (True, [planes, x], planes * x[:, :1]),
        (True, [planes], T.transpose(planes.reshape((planes.shape[1], 3, planes.shape[2])), (0, 2, 1)) + 1),
        (False, [x, column], x * column[:2]),
        (False, [matrices, x], matrices * x[:, :1, None]),
        (False, [planes], planes * 2),
        (False, [x, row], T.exp(x) * row[:, None]),
    ):
        unrolled.clear()
        td.function(inputs, result, mode=td.Mode(linker="native", optimizer="fast_run"))
        assert any(unrolled) == wanted, result


@pytest.mark.parametrize("shape", [(6, 2), (2, 40), (50, 3)])
def test_variables_that_are_scaled_in_place(shape: tuple[int, int]) -> None:
    start = np.arange(float(np.prod(shape))).reshape(shape)
    rows, columns = np.arange(1.0, 1 + shape[0])[:, None], np.arange(1.0, 1 + shape[1])[None]
    known = [T.TensorType("float64", tuple(n if n < 4 else None for n in a.shape))() for a in (rows, columns)]
    state = td.shared(start.copy())
    for scaled, wanted in (
        (state * known[0] * known[1], start * rows * columns),
        (state * known[0] * known[1] - state[:, ::-1], start * rows * columns - start[:, ::-1]),
    ):
        state.set_value(start)
        td.function(known, [], updates=[(state, scaled)])(rows, columns)
        np.testing.assert_array_equal(state.get_value(), wanted)
