"""Derivatives of special functions by their parameters against mpmath's, and those that there are none of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mpmath as mp
import numpy as np
import pytest

import tensordsl
import tensordsl.tensor as T
from tensordsl.gradient import NullTypeGradError

POINTS = 12
Case = tuple[Callable[..., Any], Callable[..., Any], tuple[tuple[float, float], ...], float]
CASES: dict[str, Case] = {
    "jv": (T.jv, mp.besselj, ((0.1, 5.0), (0.2, 20.0)), 1e-11),
    "iv": (T.iv, mp.besseli, ((-3.0, 5.0), (0.2, 20.0)), 1e-11),
    "ive": (T.ive, lambda v, x: mp.besseli(v, x) * mp.exp(-x), ((0.1, 5.0), (0.2, 20.0)), 1e-11),
    "kv": (T.kv, mp.besselk, ((-3.0, 5.0), (0.2, 20.0)), 1e-12),
    "kve": (T.kve, lambda v, x: mp.besselk(v, x) * mp.exp(x), ((0.1, 5.0), (0.2, 20.0)), 1e-12),
    "betainc": (
        T.betainc, lambda a, b, x: mp.betainc(a, b, 0, x, regularized=True), ((0.2, 9.0), (0.2, 9.0), (0.1, 0.9)), 1e-10,
    ),
    "gammaincc": (T.gammaincc, lambda a, x: mp.gammainc(a, x, regularized=True), ((0.2, 9.0), (0.2, 9.0)), 1e-11),
    "zeta": (T.zeta, mp.zeta, ((1.2, 9.0), (0.2, 9.0)), 1e-12),
    "beta": (T.beta, mp.beta, ((0.2, 9.0), (0.2, 9.0)), 1e-12),
    "hyp2f1": (T.hyp2f1, mp.hyp2f1, ((0.2, 3.0), (0.2, 3.0), (0.2, 5.0), (-2.0, 0.9)), 1e-10),
}  # fmt: skip


def by_mpmath(function: Callable[..., Any], operands: tuple[float, ...], k: int) -> float:
    with mp.workdps(50):
        h = mp.mpf(10) ** -16
        up, down = (function(*(mp.mpf(x) + s * h * (j == k) for j, x in enumerate(operands))) for s in (1, -1))
        return float(mp.re((up - down) / (2 * h)))


@pytest.mark.parametrize("name", CASES)
def test_derivatives_are_mpmaths(name: str) -> None:
    ours, exact, ranges, relative = CASES[name]
    rng = np.random.default_rng(3)
    operands = [rng.uniform(low, high, POINTS) for low, high in ranges]
    variables = [T.dvector() for _ in ranges]
    slopes = tensordsl.function(variables, T.grad(T.sum(ours(*variables)), variables))(*operands)
    for k, found in enumerate(slopes):
        wanted = [by_mpmath(exact, row, k) for row in zip(*(x.tolist() for x in operands), strict=True)]
        np.testing.assert_allclose(found, wanted, rtol=relative, atol=1e-13)


@pytest.mark.parametrize(
    ("inverse", "forward"),
    [
        (lambda p: T.betaincinv(p[0], p[1], 0.3), lambda p, x: T.betainc(p[0], p[1], x)),
        (lambda p: T.gammaincinv(p[0] + p[1], 0.3), lambda p, x: T.gammainc(p[0] + p[1], x)),
        (lambda p: T.gammainccinv(p[0] * p[1], 0.3), lambda p, x: T.gammaincc(p[0] * p[1], x)),
    ],
)
def test_the_inverse_follows_its_parameters(inverse: Any, forward: Any) -> None:
    """forward(p, inverse(p)) is 0.3, whatever the parameters are."""
    p = T.dvector("p")
    total = forward(p, inverse(p))
    value, slope = tensordsl.function([p], [total, T.grad(total, p)])([1.3, 2.4])
    assert value == pytest.approx(0.3, rel=1e-14)
    np.testing.assert_allclose(slope, 0, atol=1e-13)


def test_kv_has_derivatives_of_every_order_by_its_order() -> None:
    v, x = T.dscalar("v"), T.dscalar("x")
    third = T.grad(T.grad(T.grad(T.kv(v, x), v), v), v)
    with mp.workdps(40):
        wanted = float(mp.diff(lambda t: mp.besselk(t, mp.mpf("0.7")), mp.mpf("1.3"), 3))
    assert float(tensordsl.function([v, x], third)(1.3, 0.7)) == pytest.approx(wanted, rel=1e-11)


@pytest.mark.parametrize(
    ("function", "exact", "points"),
    [
        (T.betainc, CASES["betainc"][1], [(1.3, 2.4, 0.3), (0.2, 5.0, 0.7), (30.0, 4.0, 0.9), (40.0, 60.0, 0.35)]),
        (T.gammainc, lambda a, x: mp.gammainc(a, 0, x, regularized=True), [(0.3, 0.2), (2.5, 4.0), (50.0, 45.0)]),
    ],
)
def test_derivatives_of_higher_order_are_mpmaths(function: Any, exact: Any, points: Any) -> None:
    variables = [T.dscalar() for _ in points[0]]
    firsts = T.grad(function(*variables), variables)
    seconds = [T.grad(slope, variables) for slope in firsts]
    third = T.grad(seconds[0][0], variables[0])
    compiled = tensordsl.function(variables, [*(slope for row in seconds for slope in row), third])
    for point in points:
        *found, cube = compiled(*point)
        with mp.workdps(60):
            orders = np.eye(len(point), dtype=int)
            wanted = [mp.diff(exact, point, tuple(map(int, u + v))) for u in orders for v in orders]
            highest = mp.diff(exact, point, (3, *(0 for _ in point[1:])))
        np.testing.assert_allclose(found, [float(w) for w in wanted], rtol=1e-9, atol=1e-13)
        assert cube == pytest.approx(float(highest), rel=1e-9, abs=1e-13)


def test_what_has_no_derivative_says_so() -> None:
    v, x = T.dscalar("v"), T.dscalar("x")
    for function in (T.jv, T.iv, T.ive):
        with pytest.raises(NullTypeGradError, match="second derivative with respect to its order"):
            T.grad(T.grad(function(v, x), v), v)
    with pytest.raises(NullTypeGradError, match="order"):
        T.grad(T.expn(v, x), v)
    with pytest.raises(NullTypeGradError, match="hyp2f1 has no second derivative"):
        T.grad(T.grad(T.hyp2f1(v, 1.0, 2.0, x), v), v)


def test_slopes_at_the_ends() -> None:
    x = T.dvector("x")
    slope = tensordsl.function([x], T.grad(T.sum(T.betainc(1.0, 2.0, x)), x))
    np.testing.assert_allclose(slope([0.0, 0.5, 1.0]), [2.0, 1.0, 0.0], rtol=1e-15)
    for function, wanted in ((T.j1, 0.5), (T.i1, 0.5), (T.sinc, 0.0), (T.lambertw, 1.0), (T.dawsn, 1.0)):
        found = tensordsl.function([x], T.grad(T.sum(function(x)), x))([0.0])
        np.testing.assert_allclose(found, wanted, atol=1e-15)
