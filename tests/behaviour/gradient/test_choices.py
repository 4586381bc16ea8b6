"""The side that a choice by elements does not take has no part in the gradient, not even by 0 / 0 or 0 * inf."""

from __future__ import annotations

import numpy as np
import pytest

import tensordsl.tensor as T
from tensordsl.function import function
from tensordsl.gradient import grad, hessian, verify_grad

POINTS = np.array([-2.0, 0.0, 0.25, 4.0])
MODES = ["FAST_RUN", "FAST_COMPILE", "REFERENCE"]

# (what is chosen, its derivative at POINTS)
CHOICES = {
    "a logarithm": (lambda x: T.switch(x > 0, T.log(x), 0), [0, 0, 4, 0.25]),
    "a root of a product": (lambda x: T.switch(x <= 0, x, T.sqrt(x * 4)), [1, 1, 2, 0.5]),
    "behind several functions": (lambda x: T.switch(x > 0, T.exp(-1 / x) ** 2, 0.0) * 3, None),
    "a side used twice": (lambda x: T.switch(x > 0, T.log(x) * T.sqrt(x) + 1 / x, x), None),
    "nested": (lambda x: T.switch(x > 0, T.switch(x > 1, T.sqrt(x - 1), -x), T.exp(x)), None),
    "the larger one": (lambda x: T.maximum(T.sqrt(T.maximum(x, 0)), 0.1), [0, 0, 1, 0.25]),
    "the smaller one": (lambda x: T.minimum(T.sqrt(T.maximum(1 / x**2, 1)), 3), [0, 0, 0, 0]),
    "clipped": (lambda x: T.clip(T.sqrt(T.clip(x, 0, 9)), 0.1, 1), [0, 0, 1, 0]),
    "a scalar side": (lambda x: T.switch(x > 0, x[2] * 2, x), [1, 1, 4, 0]),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", CHOICES)
def test_the_other_side_is_not_looked_at(name: str, mode: str) -> None:
    build, want = CHOICES[name]
    x = T.vector("x")
    cost = build(x).sum()
    with np.errstate(all="ignore"):
        gradient = function([x], grad(cost, x), mode=mode)(POINTS)
    if want is None:
        f, step = function([x], cost, mode=mode), np.eye(4) * 1e-6
        with np.errstate(all="ignore"):
            want = [float(f(POINTS + h) - f(POINTS - h)) / 2e-6 for h in step]
        smooth = np.isfinite(want) & (POINTS != 0)
        assert np.isfinite(gradient[smooth]).all() and smooth.sum() >= 2
        np.testing.assert_allclose(gradient[smooth], np.array(want)[smooth], rtol=1e-6, atol=1e-8)
    else:
        np.testing.assert_allclose(gradient, want)


@pytest.mark.parametrize("mode", MODES)
def test_pairs_of_points_without_the_diagonal(mode: str) -> None:
    x = T.matrix("x")
    distance = T.sqrt(T.sum((x[None] - x[:, None]) ** 2, axis=2))
    energy = T.sum(T.switch(T.eye(3), 0.0, 1 / distance))
    points = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 2.0]])
    with np.errstate(all="ignore"):
        force = function([x], grad(energy, x), mode=mode)(points)
    want = np.zeros((3, 2))
    for i, j in ((0, 1), (0, 2), (1, 2)):
        between = points[j] - points[i]
        pull = 2 * between / np.linalg.norm(between) ** 3
        want[i] += pull
        want[j] -= pull
    np.testing.assert_allclose(force, want, atol=1e-12)


def test_second_derivatives_too() -> None:
    x = T.vector("x")
    f = function([x], hessian(T.switch(x > 0, T.log(x), x**2).sum(), x))
    np.testing.assert_allclose(f(POINTS), np.diag([2, 2, -16, -1 / 16]))


def test_conditions_and_sides_that_broadcast() -> None:
    c, s = np.array([[True], [False]]), np.array(2.0)
    for sides in ((lambda x, y: (x, y)), (lambda x, y: (y, x)), (lambda x, y: (T.exp(x) * y, T.log(y)))):
        verify_grad(lambda x, y, sides=sides: T.switch(c, *sides(x, y)), [POINTS + 3, s])
        verify_grad(lambda x, y, sides=sides: T.switch(c[:, 0], *sides(x[:2], y)), [POINTS + 3, s])


def test_of_equal_operands_the_first_gets_the_gradient() -> None:
    """As in Theano: both would count it twice, and the derivative of maximum(x, x) would be 2."""
    x, y = T.dvectors("x", "y")
    for f in (T.maximum, T.minimum):
        gradients = T.grad(f(x, y).sum(), [x, y])
        at = np.array([1.0, 2.0, -0.0]), np.array([1.0, 3.0, 0.0])
        first, second = function([x, y], gradients)(*at)
        np.testing.assert_array_equal(first + second, 1)
        assert first[0] == 1 and first[2] == 1
        assert function([x], T.grad(f(x, x).sum(), x))([3.0]) == 1
