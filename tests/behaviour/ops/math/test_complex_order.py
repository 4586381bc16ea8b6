"""The order of complex numbers: comparisons, choices and extremes are NumPy's, also of no numbers and zeros."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest

import tensordsl
import tensordsl.tensor as T
from tensordsl.types import COMPLEX

PARTS = [0.0, -0.0, 1.0, 2.0, np.nan, np.inf, -np.inf]
NUMBERS = np.array([complex(*parts) for parts in product(PARTS, PARTS)])
PAIRS = {
    "<": (T.lt, np.less), "<=": (T.le, np.less_equal), ">": (T.gt, np.greater), ">=": (T.ge, np.greater_equal),
    "maximum": (T.maximum, np.maximum), "minimum": (T.minimum, np.minimum),
}  # fmt: skip
EXTREMA = {
    "max": (T.max, np.max), "min": (T.min, np.min), "argmax": (T.argmax, np.argmax), "argmin": (T.argmin, np.argmin),
}  # fmt: skip


def same(got: Any, want: Any) -> None:
    """Equal in dtype, shape and every bit, but for the kind of a nan."""
    want = np.asarray(want)
    assert got.dtype == want.dtype and got.shape == want.shape
    for part in ("real", "imag"):
        g, w = getattr(got, part), getattr(want, part)
        np.testing.assert_array_equal(g, w)
        if g.dtype.kind == "f":
            np.testing.assert_array_equal(np.signbit(g[w == w]), np.signbit(w[w == w]))


@pytest.mark.parametrize("dtype", COMPLEX)
@pytest.mark.parametrize("mode", [None, "REFERENCE"])
def test_of_two(dtype: str, mode: str | None) -> None:
    x, y = T.matrix(dtype=dtype), T.row(dtype=dtype)
    f = tensordsl.function([x, y], [ours(x, y) for ours, _ in PAIRS.values()], mode=mode)
    a, b = NUMBERS[:, None].astype(dtype), NUMBERS[None].astype(dtype)
    for got, (_, judge) in zip(f(a.repeat(len(NUMBERS), 1), b), PAIRS.values(), strict=True):
        with np.errstate(all="ignore"):
            want = judge(a, b)
        same(got, want)


def test_operands_of_other_dtypes() -> None:
    x, y, n = T.cvector("x"), T.dvector("y"), T.ivector("n")
    a, b, c = np.array([1 + 1j, 2, 0], "complex64"), np.array([1.0, 2.5, -1]), np.array([1, 2, 0], "int32")
    f = tensordsl.function([x, y, n], [x > y, T.maximum(y, x), n <= x, T.minimum(x, 1)])
    for got, want in zip(f(a, b, c), [a > b, np.maximum(b, a), c <= a, np.minimum(a, 1)], strict=True):
        same(got, want)


@pytest.mark.parametrize("dtype", COMPLEX)
@pytest.mark.parametrize("mode", [None, "REFERENCE"])
def test_extremes(dtype: str, mode: str | None) -> None:
    x = T.matrix("x", dtype=dtype)
    outputs = [ours(x, axis=axis) for ours, _ in EXTREMA.values() for axis in (None, 0, -1)]
    f = tensordsl.function([x], outputs, mode=mode)
    rng = np.random.default_rng(0)
    few, finite = rng.integers(0, 3, (2, 40, 70)), np.isfinite(NUMBERS)
    for a in (
        few[0] + 1j * few[1],
        rng.choice(NUMBERS[finite], (33, 5)),
        rng.choice(NUMBERS, (5, 33)),
        np.where(rng.random((50, 50)) < 0.01, rng.choice(NUMBERS[~finite], (50, 50)), rng.normal(size=(50, 50))),
        rng.choice(NUMBERS, (1, 1)),
    ):
        others = (np.asfortranarray(a), np.repeat(a, 2, 1)[::-1, ::2]) if mode is None else ()
        for v in (a, *others):  # NumPy goes through these in the order of memory
            v = v.astype(dtype)
            results = iter(f(v))
            for _, judge in EXTREMA.values():
                for axis in (None, 0, -1):
                    same(next(results), judge(np.ascontiguousarray(v), axis=axis))


def test_forms() -> None:
    x = T.ztensor3("x")
    few = np.random.default_rng(1).integers(0, 3, (2, 4, 3, 5))
    a = few[0] + 1j * few[1]
    forms: list[tuple[Callable[[Any], Any], Callable[[Any], Any]]] = [
        (lambda x: x.max((0, 2)), lambda x: x.max((0, 2))),
        (lambda x: x.min(axis=(1, 2), keepdims=True), lambda x: x.min((1, 2), keepdims=True)),
        (lambda x: x.argmax(1, keepdims=True), lambda x: x.argmax(1, keepdims=True)),
        (lambda x: x.ptp(axis=1), lambda x: np.ptp(x, 1)),
        (lambda x: T.max_and_argmax(x, 2)[0], lambda x: x.max(2)),
        (lambda x: T.median(x, 0), lambda x: np.median(x, 0)),
        (lambda x: T.isclose(x, x + 1e-12), lambda x: np.isclose(x, x + 1e-12)),
        (lambda x: (x > 1).sum(), lambda x: (x > 1).sum()),
        (lambda x: T.max(x[0, 0, 0]), lambda x: x[0, 0, 0].max()),
    ]
    for mode in (None, "DebugMode"):
        got = tensordsl.function([x], [ours(x) for ours, _ in forms], mode=mode)(a)
        for value, (_, judge) in zip(got, forms, strict=True):
            same(value, judge(a))


def test_gradients_go_to_what_was_chosen() -> None:
    x, y = T.zvector("x"), T.zvector("y")
    a, b = np.array([1 + 2j, 1 - 1j, 3]), np.array([1 + 1j, 2, 3 + 1j])
    weights = np.array([1, 2, 4j])

    def slopes(chosen: Any) -> Any:
        return tensordsl.function(
            [x, y], T.grad((T.real(chosen * weights)).sum(), [x, y], disconnected_inputs="ignore")
        )

    conjugate = weights.conj()
    for got, want in (
        (slopes(T.maximum(x, y))(a, b), ([conjugate[0], 0, 0], [0, *conjugate[1:]])),
        (slopes(T.minimum(x, y))(a, b), ([0, *conjugate[1:]], [conjugate[0], 0, 0])),
        (slopes(T.max(x))(a, b), ([0, 0, conjugate.sum()], [0, 0, 0])),
        (slopes(T.min(y))(a, b), ([0, 0, 0], [conjugate.sum(), 0, 0])),
    ):
        for g, w in zip(got, want, strict=True):
            np.testing.assert_array_equal(g, w)


def test_what_numpy_or_theano_refuses_is_refused() -> None:
    x = T.zvector("x")
    for wrong in (T.floor, T.ceil, T.trunc, T.erf, T.nnet.softmax, T.nnet.sigmoid, T.invert):
        with pytest.raises(TypeError, match="not defined for complex operands"):
            wrong(x)
    for pair in (T.mod, T.int_div, T.arctan2, T.and_):
        with pytest.raises(TypeError, match="not defined for complex operands"):
            pair(x, x)
    for numbers in ((x, 0, 1), (T.dvector(), 1j, 2), (T.dvector(), 0, x)):
        with pytest.raises(TypeError, match="not defined for complex operands"):
            T.clip(*numbers)
