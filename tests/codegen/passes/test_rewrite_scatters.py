"""What is added to slices of zeros, as gradients of slices are: nothing of the zeros is read."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tensordsl as td
import tensordsl.tensor as T
from tensordsl.codegen.compiler import pipeline
from tensordsl.codegen.tensor_ir.graph import toposort

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


def writes(cost: Any, wrt: Any, *others: Any) -> int:
    """Of the gradient's program."""
    lowered, _, _ = pipeline.make_program("f", [wrt, *others], (), [T.grad(cost, wrt)], (), False)
    return sum(v.op == "inc_subtensor" for v in toposort(lowered.outputs))


def test_what_is_added_to_one_slice_is_summed_first() -> None:
    x = T.tensor3("x")
    pairs = [(x[:, i] * x[:, j]).sum(axis=1) for i in range(4) for j in range(i + 1)]
    cost = T.sqr(sum(T.sqr(p) for p in pairs)).sum()
    assert writes(cost, x) == 4
    a = np.random.default_rng(0).normal(size=(50, 4, 3))
    products = np.tril(a @ a.swapaxes(1, 2))
    total = np.square(products).sum(axis=(1, 2))
    weights = 4 * total[:, None, None] * products
    wanted = (weights + weights.swapaxes(1, 2)) @ a
    np.testing.assert_allclose(td.function([x], T.grad(cost, x))(a), wanted, rtol=1e-11)


def test_sums_that_are_added_to_one_element_are_not() -> None:
    """They are parts of the loops that compute what they add up."""
    x, k = T.matrix("x"), T.vector("k")
    y = x
    for _ in range(5):
        y = T.tanh(k[0] * y + k[1])
    assert writes(y.sum(), k, x) == 10


def test_slices_with_elements_in_common_keep_their_order() -> None:
    x, y = T.vector(), T.vector()
    for parts in ([np.s_[:4], np.s_[3:7], np.s_[:4]], [np.s_[:4], np.s_[4:], np.s_[:4]]):
        result, values = T.zeros_like(x), [1e16 * y, -1e16 * y, y + 1]
        for where, value in zip(parts, values, strict=True):
            result = T.inc_subtensor(result[where], value)
        a, b = np.zeros(8), np.arange(1.0, 5.0)
        computed = (1e16 * b, -1e16 * b, b + 1)
        wanted = added("float64", 8, *zip(parts, computed, strict=True))
        np.testing.assert_array_equal(td.function([x, y], result)(a, b), wanted)
