"""Random scans against a Python loop over NumPy, and their gradients against differences."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from scans import Scan, scans

LENGTHS = (0, 1, 2, 17)


@settings(max_examples=60)
@given(scans())
def test_a_scan_is_a_python_loop(scan: Scan) -> None:
    f = scan.function()
    for n in LENGTHS:
        expected, counter = scan.expected(n)
        scan.counter.set_value(0.0)
        found = f(*scan.arguments(n))
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12, strict=True)
        assert scan.counter.get_value() == counter


@settings(max_examples=20)
@given(scans(differentiable=True))
def test_the_gradient_of_a_scan_is_that_of_its_rounds(scan: Scan) -> None:
    n = 4
    scan.counter = None
    f = scan.function(gradient=True)
    arguments = scan.arguments(n)
    scan.counter.set_value(0.0)
    _, rounds, *gradients = f(*arguments)
    r = np.random.default_rng(0)
    direction = [r.normal(size=np.shape(a)) for a in arguments[1:]]
    eps = 1e-5
    costs = []
    for sign in (1, -1):
        scan.counter.set_value(0.0)
        cost, others, *_ = f(
            n, *(np.asarray(a) + sign * eps * d for a, d in zip(arguments[1:], direction, strict=True))
        )
        assume(others == rounds)  # the cost jumps where the number of rounds does
        costs.append(cost)
    slope = sum(float(np.sum(g * d)) for g, d in zip(gradients, direction, strict=True))
    assert slope == pytest.approx((costs[0] - costs[1]) / (2 * eps), rel=1e-4, abs=1e-6)
