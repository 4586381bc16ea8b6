"""Reductions over everything, or several axes, of slices with short rows: some rows are copied together, and taken as
one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from end_of_memory import End

import tensordsl
import tensordsl.tensor as T
from tensordsl import config

SHAPES = [
    (1, 1),
    (2, 1),
    (1, 7),
    (2, 3),
    (5, 2),
    (40, 6),
    (1000, 6),
    (333, 19),
    (70, 31),
    (30, 33),
    (20, 130),
    (9, 600),
]


def programs(m: Any, x: Any, v: Any) -> dict[str, Any]:
    return {
        "sum": x.sum(),
        "extrema": [x.max(), x.min(), x.argmax(), x.argmin()],
        "weighted": (x * v).sum(),
        "of rows": (x * x[:, 0][:, None]).sum(),
        "neighbours": (x[:, 1:] * x[:, :-1]).sum(),
        "counts": [(x > 20).sum(), (x > 95).any(), (x >= 0).all()],
        "all but ends": x[:, :, None].sum(axis=(1, 2)) if m is np else x.dimshuffle(0, 1, "x").sum(axis=(1, 2)),
    }


def slices(a: np.ndarray, end: End) -> list[np.ndarray]:
    """The same values with a column before, between and behind them, backwards, and in Fortran's order."""
    rows, n = a.shape
    wide = np.zeros((rows, 2 * n + 1), a.dtype)
    wide[:, 1::2] = a
    before, behind = np.zeros((rows, n + 1), a.dtype), np.zeros((rows, n + 3), a.dtype)
    before[:, 1:], behind[:, :n] = a, a
    end_of = end.put(before)
    return [
        a,
        end_of[:, 1:],
        behind[:, :n],
        wide[:, 1::2],
        a[:, ::-1].copy()[:, ::-1],
        np.asfortranarray(wide)[:, 1::2],
    ]


@pytest.mark.parametrize("dtype", ["uint8", "int16", "int64", "float32", "float64", "complex128"])
def test_slices_with_short_rows(dtype: str, ends: list[End]) -> None:
    x, v, rng = T.TensorType(dtype, (None, None))(), T.TensorType(dtype, (None,))(), np.random.default_rng(0)
    made = programs(T, x, v)
    names = ["sum", "weighted", "of rows", "neighbours", "all but ends"] if dtype[0] == "c" else list(made)
    functions = {name: tensordsl.function([x, v], made[name], on_unused_input="ignore") for name in names}
    for shape in SHAPES:
        a, w = rng.integers(0, 100, shape).astype(dtype), rng.integers(0, 9, shape[1]).astype(dtype)
        wanted = programs(np, a, w)
        for given in slices(a, ends[0]):
            for name, f in functions.items():
                found, numpys = f(given, w), wanted[name]
                for ours, theirs in zip(_list(found), _list(numpys), strict=True):
                    np.testing.assert_allclose(ours, theirs, rtol=1e-6, err_msg=f"{name} of {shape}")


def test_slices_of_three_axes() -> None:
    x, rng = T.dtensor3(), np.random.default_rng(1)
    outputs = [x.sum(), x.sum(axis=(1, 2)), x.max(axis=(0, 2)), x.var(), T.exp(-x).sum(axis=(0, 1)), x.argmax()]
    f = tensordsl.function([x], outputs)
    for shape in ((3, 4, 5), (20, 9, 7), (2, 300, 3), (50, 2, 20)):
        wide = rng.random((shape[0] + 1, shape[1] + 2, shape[2] + 1))
        for a in (wide[1:, 1:-1, 1:], wide[:-1, :-2, :-1], wide[1:, 1:-1, 1:][:, ::-1, ::-1], wide[:-1, 2:, ::2]):
            wanted = [a.sum(), a.sum((1, 2)), a.max((0, 2)), a.var(), np.exp(-a).sum((0, 1)), a.argmax()]
            for ours, numpys in zip(f(a), wanted, strict=True):
                np.testing.assert_allclose(ours, numpys, rtol=1e-12)


def test_what_is_not_finite_in_slices() -> None:
    x = T.dmatrix()
    f = tensordsl.function([x], [x.sum(), x.max(), x.min(), x.argmax(), x.prod()])
    for value in (np.nan, np.inf, -np.inf, -0.0):
        for at in ((0, 1), (0, 6), (99, 1), (99, 6), (50, 3)):
            wide = np.ones((100, 8))
            wide[:, (0, 7)] = np.nan  # outside
            wide[at] = value
            a = wide[:, 1:7]
            for ours, numpys in zip(f(a), [a.sum(), a.max(), a.min(), a.argmax(), a.prod()], strict=True):
                np.testing.assert_array_equal(ours, numpys)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_threads_change_nothing(dtype: str) -> None:
    x, rng = T.TensorType(dtype, (None, None))(), np.random.default_rng(2)
    f = tensordsl.function([x], [x.sum(), x.var(), T.exp(x).sum(), x.argmax()])
    a = rng.normal(size=(60_000, 8)).astype(dtype)
    try:
        for given in (a[:, 1:], a[:, :5], a[1:, ::-1]):
            config.num_threads = 1
            alone = f(given)
            for config.num_threads in (2, 3):
                for ours, one in zip(f(given), alone, strict=True):
                    np.testing.assert_array_equal(ours, one)
            np.testing.assert_allclose(alone[0], given.sum(dtype="float64"), rtol=1e-4)
    finally:
        config.num_threads = 1


def _list(results: Any) -> list[Any]:
    return results if isinstance(results, list) else [results]
