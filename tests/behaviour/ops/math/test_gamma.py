"""polygamma of every order against mpmath, its poles and limits, and what it refuses."""

from __future__ import annotations

import math

import mpmath as mp
import numpy as np
import pytest

import tensordsl
import tensordsl.tensor as T
from tensordsl.graph import OpTypeError

POINTS = (1e-100, 1e-3, 0.3, 1.0, 1.4616, 2.5, 7.0, 30.0, 1e5, -1e-10, -0.4, -0.45, -1.3, -5.7, -20.25)


@pytest.mark.parametrize("mode", ["FAST_RUN", "REFERENCE"])
@pytest.mark.parametrize("n", [1, 2, 3, 4, 7])
def test_polygamma_is_mpmaths(n, mode):
    x = T.dvector("x")
    points = np.array([p for p in POINTS if abs(p) > 1e-20 or n < 2])
    want = [float(mp.polygamma(n, p)) for p in points]
    found = tensordsl.function([x], T.polygamma(n, x), mode=mode)(points)
    # Where the two terms of the reflection cancel their size counts.
    size = [abs(float(mp.polygamma(n, 1 - p))) if p < 0 else 0.0 for p in points]
    assert (np.abs(found - want) <= 4e-15 * (np.maximum(np.abs(want), size) + 1)).all(), found - want


@pytest.mark.parametrize("mode", ["FAST_RUN", "REFERENCE"])
def test_digamma_near_its_root_is_mpmaths(mode):
    """The oracle's terms cancelled there: seed 9637 of the long random programs, at 1.46252."""
    x = T.dvector("x")
    root = 1.4616321449683622
    near = [root + d for k in range(16) for d in (10.0**-k / 3, -(10.0**-k) / 3)]
    points = np.array([root, np.nextafter(root, 2), 1.4625218989938762, np.nextafter(1, 2), np.nextafter(2, 1), *near])
    with mp.workdps(50):
        want = np.array([float(mp.digamma(mp.mpf(float(p)))) for p in points])
    found = tensordsl.function([x], T.psi(x), mode=mode)(points)
    assert (np.abs(found - want) <= 8 * np.spacing(np.abs(want))).all(), found - want


@pytest.mark.parametrize("mode", ["FAST_RUN", "REFERENCE"])
def test_poles_and_limits(mode):
    x = T.dvector("x")
    at = np.array([0.0, -0.0, -3.0, np.inf, -np.inf, np.nan, 1e-200])
    two, three = (tensordsl.function([x], T.polygamma(n, x), mode=mode)(at) for n in (2, 3))
    np.testing.assert_array_equal(two, [-np.inf, -np.inf, np.nan, -0.0, np.nan, np.nan, -np.inf])
    np.testing.assert_array_equal(three, [np.inf, np.inf, np.inf, 0.0, np.nan, np.nan, np.inf])


def test_lower_orders_have_rows_of_their_own():
    x = T.vector("x")
    assert T.polygamma(0, x).owner.op.name == "digamma"
    assert T.polygamma(np.int64(1), x).owner.op.name == "trigamma"
    assert T.polygamma(2, T.fvector()).dtype == T.polygamma(2, T.bvector()).dtype == "float32"


@pytest.mark.parametrize("order", [-1, 1.5, "2", None])
def test_an_order_that_is_not_a_count_is_refused(order):
    with pytest.raises(OpTypeError, match="order"):
        T.polygamma(order, T.vector("x"))


def test_the_third_derivative_of_gammaln():
    x = T.dscalar("x")
    third = T.grad(T.grad(T.grad(T.gammaln(x), x), x), x)
    assert abs(tensordsl.function([x], third)(1.5) - float(mp.polygamma(2, 1.5))) < 1e-14


@pytest.mark.parametrize("n", [21, 22, 100])  # (n - 1)! has more than 64 bits
def test_polygamma_of_high_order(n):
    x = T.dvector("x")
    points = np.array([0.3, 1.5, 7.0, 30.0])
    want = [float(mp.polygamma(n, p)) for p in points]
    found = tensordsl.function([x], T.polygamma(n, x))(points)
    np.testing.assert_allclose(found, want, rtol=2e-14)


@pytest.mark.parametrize("n", [1, 2, 3, 10])
@pytest.mark.parametrize("mode", [None, "REFERENCE"])
def test_polygamma_next_to_its_pole(n, mode):
    """The reflection formula would multiply infinities here."""
    x = T.dvector("x")
    points = np.array([-5e-324, 5e-324, -1e-310, -1e-300, -1e-60, -1e-30, -1e-21, 1e-30])
    with np.errstate(all="ignore"):
        want = (-1.0) ** (n + 1) * math.factorial(n) * (1 / points) ** (n + 1)
    found = tensordsl.function([x], T.polygamma(n, x), mode=mode)(points)
    np.testing.assert_allclose(found, want, rtol=1e-13)
