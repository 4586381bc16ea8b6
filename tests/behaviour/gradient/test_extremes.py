"""Gradients where a formula that is right on paper cancels, overflows, or meets infinities."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mpmath as mp
import numpy as np
import pytest

import tensordsl.tensor as T
from tensordsl.function import function
from tensordsl.gradient import grad

EDGE = (1 - 1e-9, 0.99, 0.6, 1e-9)
# the function, its derivative, arguments, the largest relative errors of the first derivative and of the second
CASES: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any], tuple[float, ...], float, float]] = {
    "arcsin": (T.arcsin, lambda x: 1 / mp.sqrt(1 - x * x), EDGE, 1e-15, 1e-14),
    "arccos": (T.arccos, lambda x: -1 / mp.sqrt(1 - x * x), EDGE, 1e-15, 1e-14),
    "arctanh": (T.arctanh, lambda x: 1 / (1 - x * x), EDGE, 1e-15, 1e-14),
    "arccosh": (T.arccosh, lambda x: 1 / mp.sqrt(x * x - 1), (1 + 1e-9, 1.5, 3, 1e9), 1e-15, 1e-14),
    "expm1": (T.expm1, mp.exp, (-300, -40, -1, 1e-9, 3), 1e-15, 1e-15),
    "log1mexp": (T.log1mexp, lambda x: 1 / (1 - mp.exp(-x)), (-800, -40, -1, -1e-9), 1e-15, 1e-14),
    "log(1 - exp(x))": (lambda x: T.log(1 - T.exp(x)), lambda x: 1 / (1 - mp.exp(-x)), (-40, -1, -1e-9), 1e-15, 1e-14),
    "erfcx": (
        T.erfcx, lambda x: 2 * x * mp.exp(x * x) * mp.erfc(x) - 2 / mp.sqrt(mp.pi), (-3, 0, 3, 11, 50, 1e6), 1e-13, 1e-11
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_first_and_second_derivatives_are_accurate(name: str) -> None:
    build, derivative, points, first, second = CASES[name]
    x = T.vector("x")
    slope = grad(build(x).sum(), x)
    got = function([x], [slope, grad(slope.sum(), x)])(np.array(points))
    with mp.workdps(90):
        arguments = [mp.mpf(p) for p in map(float, points)]
        wanted = [float(derivative(p)) for p in arguments], [float(mp.diff(derivative, p)) for p in arguments]
    np.testing.assert_allclose(got[0], wanted[0], rtol=first)
    np.testing.assert_allclose(got[1], wanted[1], rtol=second, atol=1e-300)


def test_inverse_functions_have_vertical_tangents() -> None:
    x = T.vector("x")
    for build, points, slopes in (
        (T.arcsin, [-1, 1], [np.inf, np.inf]),
        (T.arctanh, [-1, 1], [np.inf, np.inf]),
        (T.arccosh, [1], [np.inf]),
    ):
        first = grad(build(x).sum(), x)
        got = function([x], [first, grad(first.sum(), x)])(np.array(points, "float64"))
        np.testing.assert_array_equal(got[0], slopes)
        assert np.isinf(got[1]).all()


def test_the_gradient_of_logaddexp_at_infinities_and_nan() -> None:
    x, y = T.vectors("x", "y")
    cost = T.logaddexp(x, y)
    inf, nan = np.inf, np.nan
    left, right = np.array([0, inf, 0, -inf, -inf, 0, nan, nan]), np.array([inf, 0, -inf, 0, -inf, nan, 0, inf])
    value, dx, dy = function([x, y], [cost, *grad(cost.sum(), [x, y])])(left, right)
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(value, np.logaddexp(left, right))
    np.testing.assert_array_equal(dx[[0, 1, 2, 3, 5, 6, 7]], [0, 1, 1, 0, nan, nan, nan])
    np.testing.assert_array_equal(dx[:5] + dy[:5], 1)
    assert np.isnan(dx[5:]).all() and np.isnan(dy[5:]).all()


def test_forms_of_log1mexp_by_hand() -> None:
    x, y = T.vectors("x", "y")
    high, low = np.array([900.0, -900.0, -np.inf, np.inf, 0.0]), np.array([899.0, -901.0, -np.inf, 3.0, -np.inf])
    value, slope = function([x, y], [d := T.log(T.exp(x) - T.exp(y)), grad(d.sum(), x)])(high, low)
    np.testing.assert_allclose(value, [900 + np.log1p(-np.exp(-1)), -900 + np.log1p(-np.exp(-1)), -np.inf, np.inf, 0])
    np.testing.assert_allclose(slope[:2], 1 / (1 - np.exp(-1.0)), rtol=1e-14)


def test_the_jacobian_of_a_logistic_transform() -> None:
    x = T.vector("x")
    p = T.nnet.sigmoid(x)
    value, slope = function([x], [d := T.log(p * (1 - p)), grad(d.sum(), x)])(np.array([-900.0, 0, 900]))
    np.testing.assert_allclose(value, [-900, -2 * np.log(2), -900], rtol=1e-15)
    np.testing.assert_allclose(slope, [1, 0, -1], atol=1e-15)


def test_the_skew_normal_far_on_its_thin_side() -> None:
    x = T.vector("x")
    value, slope = function([x], [d := T.log(1 + T.erf(x)), grad(d.sum(), x)])(np.array([-7.0, -30.0]))
    with mp.workdps(600):
        tails = [mp.erfc(7), mp.erfc(30)]
        wanted = [float(mp.log(tail)) for tail in tails]
        slopes = [float(2 / mp.sqrt(mp.pi) * mp.exp(-z * z) / tail) for z, tail in zip((7, 30), tails, strict=True)]
    np.testing.assert_allclose(value, wanted, rtol=1e-14)
    np.testing.assert_allclose(slope, slopes, rtol=1e-13)


def test_powers_that_are_0_are_constant_also_at_0() -> None:
    x, y, n = T.vector("x"), T.vector("y"), T.lvector("n")
    degrees = np.arange(4)
    for exponents in (degrees, degrees.astype("float64"), T.arange(4)):
        first = grad((x[:, None] ** exponents).sum(), x)
        got = function([x], [first, grad(first.sum(), x)])(np.array([0.0, 2.0]))
        np.testing.assert_array_equal(got, [[1, 17], [2, 14]])
    for exponent in (y, n):
        got = function([x, exponent], grad((x**exponent).sum(), x))([0, 0, 0, 3], [0, 1, 2, 0])
        np.testing.assert_array_equal(got, [0, 1, 0, 0])
    np.testing.assert_array_equal(function([x], grad((x**0).sum(), x))([0, np.inf]), 0)


def test_quotients_of_large_and_of_small_numbers() -> None:
    for dtype, power in (("float32", 25), ("float64", 200)):
        x, y = T.vectors("x", "y", dtype=dtype)
        numerator = np.array([10.0**power, 10.0**-power, 1], dtype)
        dx, dy = function([x, y], grad((x / y).sum(), [x, y]))(numerator, numerator)
        np.testing.assert_allclose(dx * numerator, 1, rtol=1e-6)
        np.testing.assert_allclose(dy * numerator, -1, rtol=1e-6)


def test_angles_of_far_and_of_near_points() -> None:
    for dtype, power in (("float32", 25), ("float64", 200)):
        x, y = T.vectors("x", "y", dtype=dtype)
        right, up = np.array([3, -3, 4, 3, 0], dtype), np.array([4, 4, -3, 0, 3], dtype)
        f = function([y, x], grad(T.arctan2(y, x).sum(), [y, x]))
        for scale in (np.dtype(dtype).type(10.0**power), np.dtype(dtype).type(10.0**-power)):
            dy, dx = f(up * scale, right * scale)
            np.testing.assert_allclose(dy * scale, right / (right**2 + up**2), rtol=1e-6)
            np.testing.assert_allclose(dx * scale, -up / (right**2 + up**2), rtol=1e-6)
