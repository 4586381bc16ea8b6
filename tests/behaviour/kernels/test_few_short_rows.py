"""Few short rows of two axes: lanes that go across them in scratch, where their number need not fill a vector."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from end_of_memory import End

import tensordsl as td
import tensordsl.tensor as T

ROWS = (1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33, 70, 100, 265, 530)
LENGTHS = (1, 2, 3, 5, 8, 10, 17, 33)


def softmax(m: Any, x: Any, axis: int) -> Any:
    e = m.exp(x - x.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def normalised(m: Any, x: Any, axis: int) -> Any:
    d = x - x.mean(axis=axis, keepdims=True)
    return d / m.sqrt((d * d).mean(axis=axis, keepdims=True) + 1)


def layouts(x: np.ndarray, end: End) -> Iterator[np.ndarray]:
    """The same array in other memory: where memory ends, its transpose there, with gaps, backwards, rows repeated."""
    yield end.put(x)
    yield end.put(x.T).T
    yield np.repeat(np.repeat(x, 2, axis=0), 3, axis=1)[::2, ::3]
    yield np.ascontiguousarray(x[::-1, ::-1])[::-1, ::-1]
    yield np.broadcast_to(x[:1], x.shape)
    yield np.broadcast_to(x[:, :1], x.shape)


@pytest.mark.parametrize("dtype", ["float64", "float32", "int64", "int8"])
def test_every_number_of_rows_and_elements(dtype: str, ends: list[End]) -> None:
    rng, x = np.random.default_rng(1), T.TensorType(dtype, (None,) * 2)()
    w, g = T.TensorType(dtype, (None,))(), T.TensorType(dtype, (None,))()

    def forms(m: Any, x: Any, w: Any, g: Any) -> list[Any]:
        results = [f for axis in (0, 1) for f in (x.max(axis=axis), x.argmin(axis=axis), (x > 3).any(axis=axis))]
        results += [(x - x.min(axis=1, keepdims=True)) * g + w[:, None], (x * w[:, None]).sum(axis=0)]
        if dtype.startswith("f"):
            results += [f for axis in (0, 1) for f in (softmax(m, x, axis), normalised(m, x, axis))]
            results += [softmax(m, x, 0) * w[:, None], m.log(m.exp(x).sum(axis=1))]
        return results

    f = td.function([x, w, g], forms(T, x, w, g))
    for n in ROWS:
        for k in LENGTHS:
            a, b, c = (rng.integers(1, 7, shape).astype(dtype) for shape in ((n, k), n, k))
            b, c = ends[1].put(b), ends[2].put(c)
            for rows in layouts(a, ends[0]):
                before = rows.copy()
                for found, wanted in zip(f(rows, b, c), forms(np, rows, b, c), strict=True):
                    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5, err_msg=f"{n} rows of {k}")
                np.testing.assert_array_equal(rows, before)


def test_classes_of_rows(ends: list[End]) -> None:
    """Each row's own element is read where it stands, of rows that are there only."""
    x, y = T.dmatrix(), T.lvector()
    cost = T.nnet.categorical_crossentropy(T.nnet.softmax(x), y)
    f, rng = td.function([x, y], [cost, T.grad(cost.sum(), x)]), np.random.default_rng(2)
    for n in ROWS:
        for k in LENGTHS:
            a, at = ends[0].put(rng.normal(size=(n, k))), ends[1].put(rng.integers(0, k, n))
            p = softmax(np, a, 1)
            found, slope = f(a, at)
            np.testing.assert_allclose(found, -np.log(p[np.arange(n), at]), rtol=1e-9, atol=1e-9)
            np.testing.assert_allclose(slope, p - np.eye(k)[at], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("kind", ["what is not finite", "nothing"])
def test_rows_of(kind: str) -> None:
    x, rng = T.dmatrix(), np.random.default_rng(3)
    f = td.function([x], [x.max(axis=1), x.argmax(axis=1), x.min(axis=1), x.argmin(axis=1)])
    g = td.function([x], [x.sum(axis=1), x - x.prod(axis=1, keepdims=True), x.sum(axis=0)])
    values = [np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0]
    with np.errstate(all="ignore"):
        for n in (0, *ROWS):
            for k in (0,) if kind == "nothing" else LENGTHS:
                a = rng.choice(values, p=[0.04, 0.06, 0.1, 0.3, 0.3, 0.2], size=(n, k))
                wanted = [a.sum(axis=1), a - a.prod(axis=1, keepdims=True), a.sum(axis=0)]
                for found, w in zip(g(a), wanted, strict=True):
                    np.testing.assert_array_equal(found, w)
                if k:
                    wanted = [a.max(axis=1), a.argmax(axis=1), a.min(axis=1), a.argmin(axis=1)]
                    for found, w in zip(f(a), wanted, strict=True):
                        np.testing.assert_array_equal(found, w)


def test_updates_in_place() -> None:
    rng = np.random.default_rng(4)
    for n in ROWS:
        for k in (3, 10):
            a, b = rng.normal(size=(2, n, k))
            s, t = td.shared(a), td.shared(b)
            new = softmax(T, s, 1) + t
            f = td.function([], new.max(axis=1), updates={s: new, t: t - new.sum(axis=1, keepdims=True)})
            for _ in range(3):
                wanted = softmax(np, a, 1) + b
                np.testing.assert_allclose(f(), wanted.max(axis=1), rtol=1e-12, atol=1e-12)
                a, b = wanted, b - wanted.sum(axis=1, keepdims=True)
                np.testing.assert_allclose(s.get_value(), a, rtol=1e-12, atol=1e-12)
                np.testing.assert_allclose(t.get_value(), b, rtol=1e-12, atol=1e-12)
