"""Reductions of operands whose elements stand apart: blocks of rows are copied first, and nothing else changes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from end_of_memory import End

import tensordsl
import tensordsl.tensor as T
from tensordsl import config

RNG = np.random.default_rng(2)
SHAPES = [(0, 3), (1, 1), (3, 0), (7, 5), (8, 8), (9, 20), (70, 31), (50, 33), (40, 200), (600, 7)]


def layouts(a: np.ndarray) -> list[np.ndarray]:
    """The same values, adjacent, apart, backwards, and with every fifth column of a wide array."""
    wide = np.zeros((2 * a.shape[0], 5 * a.shape[1]), a.dtype)
    result = [a, np.asfortranarray(a), np.repeat(a, 2, axis=1)[:, ::2], a[:, ::-1].copy()[:, ::-1], wide[::2, ::5]]
    result[-1][...] = a
    return result


def programs(x: Any, v: Any) -> dict[str, Any]:
    return {
        "sums": x.sum(axis=1),
        "a weight": (x * v).sum(axis=1),
        "extrema": [x.max(axis=1, keepdims=True) - x, x.min(axis=1)],
        "between all rows": ((x[:9, None] - x[None, :]) ** 2).sum(axis=2),
        "products": T.dot(x[:7], x.T),
        "of columns": T.dot(x.T, x[:, :9]),
        "a row of each": [(x * x[:, 0][:, None]).sum(axis=1), x.sum(axis=0)],
    }


@pytest.mark.parametrize("dtype", ["int8", "uint16", "int32", "int64"])
def test_integers_are_those_of_adjacent_elements(dtype: str) -> None:
    x, v = T.TensorType(dtype, (None, None))("x"), T.TensorType(dtype, (None,))("v")
    for name, outputs in programs(x, v).items():
        f = tensordsl.function([x, v], outputs, on_unused_input="ignore")
        slow = tensordsl.function([x, v], outputs, on_unused_input="ignore", mode="REFERENCE")
        for shape in SHAPES:
            if 0 in shape and name in ("extrema", "a row of each"):
                continue
            a = RNG.integers(0, 100, shape).astype(dtype)
            w = np.repeat(a[:1].sum(axis=0).astype(dtype), 3)[::3]
            wanted = slow(a, w)
            for b in layouts(a):
                for got, want in zip(_list(f(b, w)), _list(wanted), strict=True):
                    np.testing.assert_array_equal(got, want, err_msg=f"{name} of {shape}")


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex128"])
def test_results_do_not_depend_on_threads(dtype: str) -> None:
    """Their parts are other rows than those that are copied together."""
    x, v = T.TensorType(dtype, (None, None))("x"), T.TensorType(dtype, (None,))("v")
    outputs = [
        (x * v).sum(axis=1),
        abs(x - v).sum(axis=1),
        abs(x - v).sum(axis=0),
        (x * x[:, :3].sum(axis=1, keepdims=True)).sum(axis=0),
    ]
    outputs += [abs(x[:60, None] - x[None, :999]).sum(axis=2)]
    f = tensordsl.function([x, v], outputs)
    try:
        for shape in ((30_011, 7), (9_001, 20), (5_003, 32), (2_003, 65)):
            a = (RNG.normal(size=shape) * np.exp(RNG.normal(size=shape))).astype(dtype)
            w = RNG.normal(size=2 * shape[1]).astype(dtype)[::2]
            for b in layouts(a)[2:]:
                config.num_threads = 1
                alone = f(b, w)
                np.testing.assert_allclose(alone[0], (a * w).sum(axis=1), rtol=1e-3, atol=1e-3)
                for config.num_threads in (2, 3):
                    for got, want in zip(f(b, w), alone, strict=True):
                        np.testing.assert_array_equal(got, want)
    finally:
        config.num_threads = 1


@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32", "float64", "complex128"])
def test_elementwise_work_on_rows_that_have_a_number_each(dtype: str) -> None:
    x, v, b = T.TensorType(dtype, (None, None))("x"), T.TensorType(dtype, (None,))("v"), T.bvector("b")
    c = v[:, None]
    outputs = [x + c, T.switch(b[:, None], x, 0), x[:, :, None] * x[:, None, :3] + c[:, :, None], (x * c).T - v]
    f = tensordsl.function([x, v, b], outputs)
    try:
        for shape in [*SHAPES, (5_000, 7), (3_001, 20)]:
            a = RNG.integers(0, 100, shape).astype(dtype)
            w, which = RNG.integers(0, 9, 2 * shape[0]).astype(dtype)[::2], RNG.integers(0, 2, shape[0]).astype("int8")
            for given in (*layouts(a), np.ascontiguousarray(a[::-1])[::-1], np.broadcast_to(a[:, :1], shape)):
                row, zero = w[:, None], a.dtype.type(0)
                outer = given[:, :, None] * given[:, None, :3] + row[:, :, None]
                wanted = [given + row, np.where(which[:, None], given, zero), outer, (given * row).T - w]
                for config.num_threads in (1, 2):
                    for got, want in zip(f(given, w, which), wanted, strict=True):
                        np.testing.assert_array_equal(got, want, err_msg=str(shape))
    finally:
        config.num_threads = 1


def test_nothing_behind_the_operands_is_read(ends: list[End]) -> None:
    x, y = T.dmatrix("x"), T.dmatrix("y")
    f = tensordsl.function([x, y], ((x[:, None] - y[None]) ** 2).sum(axis=2))
    for shape in ((5, 3), (20, 8), (9, 40)):
        a, b = RNG.normal(size=shape), RNG.normal(size=shape)
        placed = ends[0].put(a)[::-1, ::-1], ends[1].put(np.repeat(b, 2, axis=1)[:, 1:])[:, ::2]
        got = f(*placed)
        np.testing.assert_allclose(got, ((a[::-1, None, ::-1] - b[None]) ** 2).sum(axis=2), rtol=1e-12)


def _list(results: Any) -> list[Any]:
    return results if isinstance(results, list) else [results]
