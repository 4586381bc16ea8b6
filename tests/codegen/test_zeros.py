"""What is added to slices of zeros, as gradients of slices are: nothing of the zeros is read."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tensordsl as td
import tensordsl.tensor as T
from tensordsl.codegen import pipeline
from tensordsl.codegen.ir import toposort

SLICES: list[Any] = [
    np.s_[::2], np.s_[::-1], np.s_[1:], np.s_[:], np.s_[3:5], np.s_[-1:], np.s_[::-3], np.s_[2], np.s_[:0],
]  # fmt: skip
DTYPES = ["float64", "float32", "float16", "int32", "uint8", "bool", "complex128"]


def added(dtype: str, n: int, *parts: tuple[Any, np.ndarray]) -> np.ndarray:
    result = np.zeros(n, dtype)
    for where, values in parts:
        result[where] += values
    return result


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("where", SLICES)
def test_a_slice(dtype: str, where: Any) -> None:
    x, y = T.tensor(dtype, (False,)), T.tensor(dtype, (False,))
    part = T.zeros_like(x)[where]
    value = y if isinstance(where, slice) else y[0]
    computed = value & value if dtype == "bool" else value * np.ones((), dtype)
    f = td.function([x, y], [T.inc_subtensor(part, value), T.inc_subtensor(part, computed)])
    for n in (7, 8, 40, 131):
        a = np.zeros(n, dtype)
        b = np.arange(np.size(a[where])).astype(dtype)
        b[::2] *= np.array(-1.0 if b.dtype.kind in "fc" else 1).astype(dtype)
        wanted = added(dtype, n, (where, b if isinstance(where, slice) else b[0]))
        for got in f(a, b):
            assert got.tobytes() == wanted.tobytes()  # -0 + 0 is 0


@pytest.mark.parametrize("dtype", DTYPES)
def test_several_slices_with_and_without_elements_in_common(dtype: str) -> None:
    x, y = T.tensor(dtype, (False,)), T.tensor(dtype, (False,))
    cases = [
        [np.s_[::2], np.s_[1::2]],
        [np.s_[::2], np.s_[::2]],
        [np.s_[::3], np.s_[1::3], np.s_[1::2]],
        [np.s_[0], np.s_[2], np.s_[0]],
        [np.s_[0], np.s_[-1]],
        [np.s_[::2], np.s_[::-2]],
        [np.s_[:3], np.s_[3:]],
        [np.s_[:4], np.s_[3:]],
    ]
    for slices in cases:
        values, result = T.stack([y, y + y], axis=0), T.zeros_like(x)
        for k, where in enumerate(slices):
            result = T.inc_subtensor(result[where], values[k % 2, 0])
        f = td.function([x, y], result)
        for n in (3, 10, 97, 98):
            b = np.array([1, 2, 3], dtype)
            wanted = added(dtype, n, *((s, (b, b + b)[k % 2][0]) for k, s in enumerate(slices)))
            assert np.array_equal(f(np.zeros(n, dtype), b), wanted)


@pytest.mark.parametrize("columns", [1, 2, 3, 5, 9])
def test_gradients_of_columns(columns: int) -> None:
    x, w = T.matrix(), T.vector()
    first, last = x[:, 0], x[:, -1]
    f = td.function([x, w], T.grad((first * last * w + x[:, ::2].sum(1) * w + T.sqr(x[::-1, 0])).sum(), x))
    for rows in (1, 4, 33, 500):
        a, b = np.random.default_rng(0).normal(size=(rows, columns)), np.arange(float(rows))
        wanted = np.zeros_like(a)
        wanted[:, 0] += a[:, -1] * b + 2 * a[:, 0]
        wanted[:, -1] += a[:, 0] * b
        wanted[:, ::2] += b[:, None]
        np.testing.assert_allclose(f(a, b), wanted, rtol=1e-12)


def test_gradients_of_shifted_slices_are_results_of_one_group() -> None:
    x = T.matrix("x")
    parts = [x[i : i + x.shape[0] - 2, j : j + x.shape[1] - 2] for i in range(3) for j in range(3)]
    cost = T.sqr(sum(T.exp(-T.sqr(p - parts[4])) for p in parts)).sum()
    lowered, _, _ = pipeline.make_program("f", [x], (), [T.grad(cost, x)], (), False)
    assert not [v for v in toposort(lowered.outputs) if v.op == "inc_subtensor" and v.attrs["set"]]
