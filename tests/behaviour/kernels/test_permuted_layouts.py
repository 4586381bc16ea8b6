"""Reductions and broadcasts of arrays in any order of memory, with axes shorter than a vector, against NumPy."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest

import tensordsl as td
import tensordsl.tensor as T

x, row, column = T.matrix("x"), T.vector("row"), T.vector("column")
SHAPES = [(0, 5), (5, 0), (1, 1), (200, 1), (1, 200), (300, 3), (3, 300), (300, 10), (97, 33), (40, 130), (64, 64)]


def softmax(a: np.ndarray) -> np.ndarray:
    e = np.exp(a - a.max(1, keepdims=True))
    return np.asarray(e / e.sum(1, keepdims=True))


CASES: dict[str, tuple[Any, Any]] = {
    "sum0": (x.sum(axis=0), lambda a, r, c: a.sum(0)),
    "sum1": (x.sum(axis=1), lambda a, r, c: a.sum(1)),
    "weighted": ((x * row).sum(axis=1), lambda a, r, c: (a * r).sum(1)),
    "max0": (T.max(x, axis=0), lambda a, r, c: a.max(0)),
    "argmax0": (T.argmax(x, axis=0), lambda a, r, c: a.argmax(0)),
    "argmin1": (T.argmin(x, axis=1), lambda a, r, c: a.argmin(1)),
    "variance": (T.var(x, axis=1), lambda a, r, c: a.var(1)),
    "softmax": (T.nnet.softmax(x), lambda a, r, c: softmax(a)),
    "centred": (x - x.mean(axis=0), lambda a, r, c: a - a.mean(0)),
    "running0": (T.cumsum(x * 2, axis=0), lambda a, r, c: np.cumsum(a * 2, 0)),
    "running1": (T.cumsum(x * 2, axis=1), lambda a, r, c: np.cumsum(a * 2, 1)),
    "powers": (T.cumprod(T.tanh(x) + 1, axis=0), lambda a, r, c: np.cumprod(np.tanh(a) + 1, 0)),
    "bias": (x + row, lambda a, r, c: a + r),
    "tanh": (T.tanh(x * 2 + row), lambda a, r, c: np.tanh(a * 2 + r)),
    "both": (x * row + column.dimshuffle(0, "x"), lambda a, r, c: a * r + c[:, None]),
    "turned": (x.T * column, lambda a, r, c: a.T * c),
}
NEEDS_ELEMENTS = {"max0": 0, "argmax0": 0, "argmin1": 1, "softmax": 1, "variance": 1, "centred": 0}


def orders(a: np.ndarray) -> list[np.ndarray]:
    wide = np.repeat(np.repeat(a, 2, 0), 3, 1)
    return [a, np.asfortranarray(a), wide[::2, ::3], np.asfortranarray(a[::-1])[::-1], a[:, ::-1].copy()[:, ::-1]]


@pytest.mark.parametrize("name", CASES)
def test_every_order_of_memory_gives_numpys_result(name: str) -> None:
    expression, oracle = CASES[name]
    f = td.function([x, row, column], expression, on_unused_input="ignore")
    rng = np.random.default_rng(0)
    for shape in SHAPES:
        if name in NEEDS_ELEMENTS and not shape[NEEDS_ELEMENTS[name]]:
            continue
        a = rng.normal(size=shape)
        if a.size > 20:
            a.flat[7] = a.flat[9]
        r, c = rng.normal(size=shape[1]), rng.normal(size=shape[0])
        want = oracle(a, r, c)
        for given in orders(a):
            np.testing.assert_allclose(f(given, r, c), want, rtol=1e-11, atol=1e-12)
        np.testing.assert_allclose(f(a, r[::-1].copy()[::-1], np.repeat(c, 2)[::2]), want, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("kind", ["uniform", "equal", "normal", "many exponents"])
def test_sums_are_as_exact_as_numpys(kind: str) -> None:
    """At most two units in the last place of the sum of absolute values worse."""
    rng, n = np.random.default_rng(0), 3_000_001
    makers = {
        "uniform": lambda: rng.random(n), "equal": lambda: np.full(n, 0.1), "normal": lambda: rng.normal(size=n),
        "many exponents": lambda: np.exp(rng.normal(0, 5, size=n)),
    }  # fmt: skip
    a = makers[kind]()
    for dtype in ("float64", "float32"):
        v = T.vector("v", dtype=dtype)
        b = a.astype(dtype)
        exact, unit = math.fsum(b.tolist()), float(np.spacing(np.dtype(dtype).type(np.abs(b).sum(dtype="float64"))))
        for acc in ("float64", dtype):
            got = td.function([v], T.sum(v, acc_dtype=acc))(b)
            assert abs(float(got) - exact) <= abs(float(b.sum()) - exact) + 2 * unit


def test_sums_of_infinities_and_overflow() -> None:
    v = T.vector("v")
    f = td.function([v], [v.sum(), v.mean()])
    for extra in ([np.inf], [-np.inf], [np.inf, -np.inf], [np.nan], [1e308] * 4):
        a = np.ones(5000)
        a[np.arange(len(extra)) * 700] = extra
        with np.errstate(all="ignore"):
            for got, want in zip(f(a), (a.sum(), a.mean()), strict=True):
                np.testing.assert_array_equal(got, want)


REDUCED = [0, 1, 2, (0, 1), (0, 2), (1, 2)]


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "uint8"])
@pytest.mark.parametrize("axis", REDUCED, ids=str)
def test_reductions_of_three_axes_that_lie_in_any_order(dtype: str, axis: Any) -> None:
    y, rng = T.TensorType(dtype, (None,) * 3)("y"), np.random.default_rng(1)
    f = td.function([y], [y.sum(axis=axis), y.max(axis=axis), y - y.min(axis=axis, keepdims=True)])
    for shape in [(70, 3, 9), (9, 70, 3), (3, 9, 70), (33, 130, 2), (2, 33, 130), (130, 2, 33), (17, 16, 15)]:
        a = rng.integers(0, 9, shape).astype(dtype)
        for order in itertools.permutations(range(3)):
            turned = np.ascontiguousarray(a.transpose(order)).transpose(np.argsort(order))
            for step in (1, -1):
                found, given = f(turned[::step]), a[::step]
                wanted = given.sum(axis), given.max(axis), given - given.min(axis, keepdims=True)
                for name, ours, numpys in zip(("sum", "max", "range"), found, wanted, strict=True):
                    np.testing.assert_array_equal(ours, numpys, err_msg=f"{name} {shape} {order}")


def test_heavy_reductions_of_three_axes_that_lie_in_any_order() -> None:
    rng, x = np.random.default_rng(2), T.dtensor3()
    for axis in REDUCED:
        f = td.function([x], [T.exp(x).sum(axis=axis), x.var(axis=axis), x - x.mean(axis=axis, keepdims=True)])
        for shape in [(70, 3, 9), (9, 70, 3), (33, 130, 2), (17, 16, 15), (1, 40, 40)]:
            a = rng.normal(size=shape)
            wanted = np.exp(a).sum(axis), a.var(axis), a - a.mean(axis, keepdims=True)
            for order in itertools.permutations(range(3)):
                turned = np.ascontiguousarray(a.transpose(order)).transpose(np.argsort(order))
                for ours, numpys in zip(f(turned), wanted, strict=True):
                    np.testing.assert_allclose(ours, numpys, rtol=1e-12, atol=1e-13, err_msg=f"{shape} {order}")
