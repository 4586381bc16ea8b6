"""Pooling: reductions over axes of few elements, element by element."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tensordsl as td
import tensordsl.tensor as T
from tensordsl.codegen.compiler.pipeline import optimise
from tensordsl.codegen.tensor_ir.graph import toposort
from tensordsl.codegen.tensor_ir.lower import lower

SHAPES = ((1, 2, 2, 1), (2, 6, 10, 3), (3, 4, 8, 16), (2, 16, 4, 20), (5, 2, 34, 7), (0, 4, 4, 2))


def last(x: Any) -> Any:
    return x.reshape((x.shape[0], x.shape[1] // 2, 2, x.shape[2] // 2, 2, x.shape[3]))


def first(x: Any) -> Any:
    return x.reshape((x.shape[0], x.shape[1] // 2, 2, x.shape[2], x.shape[3] // 2, 2))


def times(x: Any) -> Any:
    return x.reshape((x.shape[0], x.shape[1], x.shape[2] // 2, 2, x.shape[3]))


def larger(x: Any, k: int) -> Any:
    h, w = x.shape[1] // k, x.shape[2] // k
    return x[:, : h * k, : w * k].reshape((x.shape[0], h, k, w, k, x.shape[3]))


POOLS: dict[str, Callable[..., Any]] = {
    "max": lambda m, x, b: last(x).max(axis=(2, 4)),
    "min": lambda m, x, b: last(x).min(axis=(2, 4)),
    "sum": lambda m, x, b: last(x).sum(axis=(2, 4)),
    "along a line": lambda m, x, b: times(x).max(axis=3),
    "of nine": lambda m, x, b: larger(x, 3).max(axis=(2, 4)),
    "of sixteen": lambda m, x, b: larger(x, 4).sum(axis=(2, 4)),
    "computed": lambda m, x, b: m.maximum(last(x) + b, 1).max(axis=(2, 4)),
    "computed from": lambda m, x, b: last(x).max(axis=(2, 4)) * 2 + b,
    "read again": lambda m, x, b: last(x) - last(x).max(axis=(2, 4), keepdims=True),
    "the largest": lambda m, x, b: m.minimum(last(x + b), last(x + b).max(axis=(2, 4), keepdims=True) - 1),
    "channels first": lambda m, x, b: first(x[:, :, :, : x.shape[3] // 2 * 2]).max(axis=(2, 5)),
}
OTHERS: dict[str, Callable[..., Any]] = {
    "reduced again": lambda m, x, b: (last(x) - last(x).max(axis=(2, 4), keepdims=True)).min(axis=(2, 4)),
    "rows": lambda m, x, b: x.reshape((x.shape[0], x.shape[1] * x.shape[2] * x.shape[3] // 2, 2)).max(axis=2),
    "where": lambda m, x, b: times(x).argmax(axis=3),
}


@pytest.mark.parametrize("dtype", ["float64", "float32", "int64", "int8"])
@pytest.mark.parametrize("name", [*POOLS, *OTHERS])
def test_pools_of_every_layout(name: str, dtype: str) -> None:
    form, rng = {**POOLS, **OTHERS}[name], np.random.default_rng(1)
    x, b = T.TensorType(dtype, (None,) * 4)(), T.TensorType(dtype, (None,))()
    f = td.function([x, b], form(T, x, b), on_unused_input="ignore")
    for shape in SHAPES:
        a, c = rng.integers(-9, 9, shape).astype(dtype), rng.integers(-9, 9, shape[3]).astype(dtype)
        for given in (a, np.asfortranarray(a), np.repeat(a, 2, axis=3)[..., ::2], a[:, ::-1]):
            np.testing.assert_array_equal(f(given, c), form(np, given, c), err_msg=f"{shape}")
    if dtype.startswith("float") and name in POOLS:
        a = rng.choice([1.0, -0.0, np.inf, -np.inf, np.nan], (3, 8, 8, 5)).astype(dtype)
        with np.errstate(invalid="ignore"):
            np.testing.assert_array_equal(f(a, c[:1] + np.zeros(5, dtype)), form(np, a, c[:1] + np.zeros(5, dtype)))


def test_what_is_unrolled() -> None:
    x, b = T.ftensor4(), T.fvector()
    means = last(x).mean(axis=(2, 4))
    added_up = (means**2).sum()
    for unrolled, results in (
        (True, [[form(T, x, b)] for form in POOLS.values()]),
        (False, [[form(T, x, b)] for form in OTHERS.values()]),
        (True, [[added_up], [added_up, T.grad(added_up, x)]]),
    ):
        for outputs in results:
            lowered = lower([x, b], [], outputs, [])
            roots = optimise(lowered.graph, lowered.outputs)
            pools = [v for v in toposort(roots) if v.op == "reduce" and v.rank]
            assert (not pools) == unrolled, outputs


def test_gradients_of_pools() -> None:
    x = T.dtensor4()
    rng = np.random.default_rng(2)
    a = rng.normal(size=(2, 6, 10, 3))
    means = td.function([x], T.grad((last(x).mean(axis=(2, 4)) ** 2).sum(), x))(a)
    wanted = np.repeat(np.repeat(last(a).mean(axis=(2, 4)), 2, axis=1), 2, axis=2) / 2
    np.testing.assert_allclose(means, wanted, rtol=1e-12)
    largest = td.function([x], T.grad(last(x).max(axis=(2, 4)).sum(), x))(a)
    np.testing.assert_array_equal(last(largest), last(a) == last(a).max(axis=(2, 4), keepdims=True))


@pytest.mark.parametrize("channels_first", [False, True])
def test_gradients_of_normalised_pools(channels_first: bool) -> None:
    x, w = T.dtensor4(), T.dtensor4()
    pools, axes = (first(x).max(axis=(2, 5)), (0, 1, 3)) if channels_first else (last(x).max(axis=(2, 4)), (0, 1, 2))
    away = pools - pools.mean(axis=axes, keepdims=True)
    cost = (away / T.sqrt((away**2).mean(axis=axes, keepdims=True) + 1) * w).sum()
    f, g = td.function([x, w], cost), td.function([x, w], T.grad(cost, x))
    slow = td.function([x, w], T.grad(cost, x), mode="REFERENCE")
    rng = np.random.default_rng(3)
    for shape in ((2, 4, 6, 4), (3, 8, 16, 16), (1, 2, 2, 40)):
        a = rng.normal(size=shape)
        b = rng.normal(size=(first(a).max(axis=(2, 5)) if channels_first else last(a).max(axis=(2, 4))).shape)
        np.testing.assert_allclose(g(a, b), slow(a, b), rtol=1e-9, atol=1e-12)
        assert np.isfinite(f(a, b))
