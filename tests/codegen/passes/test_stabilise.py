"""Stable forms of sums of exponentials: what is found, and that a stable form stays as it is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tensordsl.tensor as T
from tensordsl.function import function
from tensordsl.gradient import grad

FAR = np.array([-900.0, 0.0, 40.0, 900.0])
WIDE = np.array([[900.0, -900.0, 1.0], [0.0, 1.0, 2.0]])


@pytest.mark.parametrize("order", ["factor first", "exponential first"])
def test_a_scaled_softmax_is_finite(order: str) -> None:
    x, y = T.dmatrix("x"), T.dvector("y")
    scale = (y / T.exp(x).sum(axis=1)).dimshuffle(0, "x")
    out = scale * T.exp(x) if order == "factor first" else T.exp(x) * scale
    weights = np.exp(WIDE - WIDE.max(axis=1, keepdims=True))
    expected = weights / weights.sum(axis=1, keepdims=True) * np.array([[2.0], [-3.0]])
    np.testing.assert_allclose(function([x, y], out)(WIDE, [2.0, -3.0]), expected, rtol=1e-14)
    plain = function([x, y], out, mode="FAST_COMPILE")(WIDE[1:], [-3.0])
    np.testing.assert_allclose(plain, expected[1:], rtol=1e-14)


def test_the_sum_must_be_of_the_same_exponentials() -> None:
    x, y = T.dvector("x"), T.dvector("y")
    out = T.exp(x) * (1 / T.exp(y).sum())
    np.testing.assert_allclose(
        function([x, y], out)([1.0, 2.0], [0.5, 0.25]), np.exp([1, 2]) / np.exp([0.5, 0.25]).sum()
    )


@pytest.mark.parametrize("is_first", [True, False])
def test_what_is_centred_already_is_not_centred_again(is_first: bool) -> None:
    """By the largest, where that is finite, whichever way the choice is written."""
    x = T.dvector("x")
    largest = T.max(x)
    m = T.switch(T.isinf(largest), 0.0, largest) if is_first else T.switch(~T.isinf(largest), largest, 0.0)
    f = function([x], m + T.log(T.exp(x - m).sum()))
    np.testing.assert_allclose(f(FAR), 900.0)
    assert f(np.full(3, -np.inf)) == -np.inf and f(np.array([1.0, np.inf])) == np.inf


@pytest.mark.parametrize("power", [1.5, -1.5, 0.5, -0.5])
def test_powers_between_whole_numbers(power: float) -> None:
    x = T.dvector("x")
    at = np.array([0.0, -0.0, 1e-150, 0.3, 7.0, 1e150, np.inf, -np.inf, -2.0, np.nan])
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(function([x], x**power)(at), np.power(at, np.full(at.shape, power)), rtol=4e-16)
        slope = function([x], grad((x ** (power + 1)).sum(), x))(at[3:6])
    np.testing.assert_allclose(slope, (power + 1) * at[3:6] ** power, rtol=1e-15)


def test_logarithms_of_squares_and_roots_do_not_overflow() -> None:
    x = T.dvector("x")
    big = np.array([1e300, -1e-300, 0.0, np.inf])
    squared, root = function([x], [T.log(T.sqr(x)), T.log(T.sqrt(x))])(big)
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(squared, 2 * np.log(np.abs(big)))
        np.testing.assert_allclose(root, np.log(np.sqrt(big)))
    logs: Any = function([x], T.log(T.exp(x) ** 2))(FAR)
    np.testing.assert_allclose(logs, 2 * FAR)
