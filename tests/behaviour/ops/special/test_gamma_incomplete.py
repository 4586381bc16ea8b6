"""The incomplete gamma functions against SciPy's, at their ends, and their gradients."""

from __future__ import annotations

from typing import Any

import mpmath as mp
import numpy as np
import pytest
import scipy.special

import tensordsl
import tensordsl.tensor as T


def compiled(mode: Any = None) -> Any:
    a, x = T.dvector("a"), T.dvector("x")
    return tensordsl.function([a, x], [T.gammainc(a, x), T.gammaincc(a, x)], mode=mode)


@pytest.mark.parametrize(("low", "high"), [(-8, 0), (0, 3), (3, 5)])
def test_are_scipys(low: float, high: float) -> None:
    """Both tails, near the middle and where they are small."""
    rng = np.random.default_rng(0)
    a = 10.0 ** rng.uniform(low, high, 400)
    x = a * np.exp(rng.normal(size=400) * 3 / np.sqrt(a + 0.3))
    for found, wanted in zip(
        compiled()(a, x), (scipy.special.gammainc(a, x), scipy.special.gammaincc(a, x)), strict=True
    ):
        np.testing.assert_allclose(found, wanted, rtol=1e-11, atol=1e-290)


def test_large_arguments() -> None:
    """SciPy's are wrong here: against the integral by mpmath."""
    a = np.repeat([1e5, 3e6, 7e7, 1e9], 4)
    x = a + np.sqrt(a) * np.tile([-9.0, -1.0, 0.5, 6.0], 4)
    below, above = compiled()(a, x)
    with mp.workdps(40):
        for k, (u, v) in enumerate(zip(map(mp.mpf, a), map(mp.mpf, x), strict=True)):
            width = mp.sqrt(u)

            def density(t: Any, u: Any = u) -> Any:
                return mp.exp(u * mp.log(t) - t - mp.loggamma(u)) / t

            side = -1 if v < u else 1
            ends = sorted(v + side * width * step for step in range(0, 16, 2))
            tail = mp.quad(density, ends)
            assert abs((below, above)[side > 0][k] / tail - 1) < 1e-11
            assert abs((above, below)[side > 0][k] / (1 - tail) - 1) < 1e-11


@pytest.mark.parametrize("mode", [None, "REFERENCE"])
def test_at_the_ends(mode: str | None) -> None:
    inf, nan = np.inf, np.nan
    rows = [
        (0, 1, 1, 0), (1, 0, 0, 1), (0, 0, nan, nan), (1, inf, 1, 0), (inf, 1, 0, 1), (inf, inf, nan, nan),
        (-1, 1, nan, nan), (1, -1, nan, nan), (nan, 1, nan, nan), (1, nan, nan, nan), (1, 1e-310, 1e-310, 1),
    ]  # fmt: skip
    a, x, p, q = (np.array(v, dtype=float) for v in zip(*rows, strict=True))
    for found, wanted in zip(compiled(mode)(a, x), (p, q), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-320)


def test_shapes_and_dtypes() -> None:
    a, x = T.fcol("a"), T.ivector("x")
    f = tensordsl.function([a, x], T.gammainc(a, x))
    found = f(np.array([[0.5], [2.0]], "float32"), np.arange(4, dtype="int32"))
    np.testing.assert_allclose(found, scipy.special.gammainc([[0.5], [2.0]], np.arange(4)), rtol=1e-14)
    assert found.dtype == "float64" and T.gammainc(T.fscalar(), T.fscalar()).dtype == "float32"
    assert f(np.zeros((2, 1), "float32"), np.zeros(0, "int32")).shape == (2, 0)
    assert float(T.gammaincc(np.float64(2.5), 1.0).eval()) == pytest.approx(
        scipy.special.gammaincc(2.5, 1.0), rel=1e-14
    )


def test_gradients() -> None:
    a, x = T.dscalar("a"), T.dscalar("x")
    for function, sign in ((T.gammainc, 1), (T.gammaincc, -1)):
        g = T.grad(function(a, x), x)
        assert float(g.eval({a: 2.0, x: 1.5})) == pytest.approx(sign * 1.5 * np.exp(-1.5), rel=1e-14)
        assert float(T.grad(g, x).eval({a: 2.0, x: 1.5})) == pytest.approx(sign * -0.5 * np.exp(-1.5), rel=1e-13)


@pytest.mark.parametrize("low, high", [(0.01, 1.0), (1.0, 30.0), (30.0, 3000.0), (1.1e5, 1.2e5)])
def test_the_derivative_by_the_first_argument(low: float, high: float) -> None:
    a, x = T.dvector("a"), T.dvector("x")
    slopes = tensordsl.function([a, x], [T.grad(T.sum(f(a, x)), a) for f in (T.gammainc, T.gammaincc)])
    first = np.geomspace(low, high, 12)
    second = np.maximum(first + np.sqrt(first) * np.tile([-2.0, 0.3, 3.0], 4), first / 10)
    below, above = slopes(first, second)
    np.testing.assert_array_equal(below, -above)
    with mp.workdps(60):
        step = mp.mpf(10) ** -20
        for found, u, v in zip(below.tolist(), first.tolist(), second.tolist(), strict=True):
            ends = [mp.gammainc(u + h, 0, v, regularized=True) for h in (-step, step)]
            assert found == pytest.approx(float((ends[1] - ends[0]) / (2 * step)), rel=1e-12 if u < 1e5 else 1e-8)
