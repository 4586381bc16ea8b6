"""Functions of complex numbers that are compositions of our own mathematics: exactness and special values."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import mpmath as mp
import numpy as np
import pytest

import tensordsl
import tensordsl.tensor as T
from tensordsl.types import COMPLEX

LN2, LN10 = mp.log(2), mp.log(10)
# name -> (exact function, units in the last place of each part; inf: only the size of the number counts)
EXACT: dict[str, tuple[Callable[[Any], Any], float]] = {
    "exp": (mp.exp, 4), "exp2": (lambda z: mp.exp(z * LN2), np.inf), "expm1": (lambda z: mp.exp(z) - 1, np.inf),
    "log": (mp.log, 4), "log2": (lambda z: mp.log(z) / LN2, 5), "log10": (lambda z: mp.log(z) / LN10, 6),
    "log1p": (lambda z: mp.log(1 + z), np.inf), "sqrt": (mp.sqrt, 4), "sin": (mp.sin, 4), "cos": (mp.cos, 4),
    "tan": (mp.tan, 8), "sinh": (mp.sinh, 4), "cosh": (mp.cosh, 4), "tanh": (mp.tanh, 8),
}  # fmt: skip
INVERSE = {
    "arcsin": mp.asin, "arccos": mp.acos, "arctan": mp.atan,
    "arcsinh": mp.asinh, "arccosh": mp.acosh, "arctanh": mp.atanh,
}  # fmt: skip
EXACT |= {name: (exact, 3) for name, exact in INVERSE.items()}


def arguments() -> Any:
    """Ordinary ones, others next to the unit circle, and some whose parts are of very different sizes."""
    rng = np.random.default_rng(1)
    around = np.exp(1j * rng.uniform(-4, 4, 150)) * (1 + rng.normal(size=150) * 10.0 ** rng.integers(-16, 0, 150))
    mixed = [rng.normal(size=150) * 10.0 ** rng.integers(-10, 1, 150) for _ in range(2)]
    return np.concatenate([rng.normal(size=150) * 3 + 3j * rng.normal(size=150), around, mixed[0] + 1j * mixed[1]])


@pytest.mark.parametrize("dtype", COMPLEX)
@pytest.mark.parametrize("name", EXACT)
def test_is_exact(name: str, dtype: str) -> None:
    exact, limit = EXACT[name]
    a = arguments().astype(dtype)
    z = T.vector("z", dtype=dtype)
    got = tensordsl.function([z], getattr(T, name)(z))(a)
    assert got.dtype == dtype
    with mp.workprec(300):
        for x, y in zip(a.astype(complex), got, strict=True):
            want = exact(mp.mpc(x.real, x.imag))
            eps = float(np.finfo(dtype).eps)
            assert abs(mp.mpc(complex(y)) - want) <= max(4, min(limit, 8)) * eps * (abs(want) + abs(x) * 1e-3), x
            for p, q in ((y.real, want.real), (y.imag, want.imag)):
                assert abs(mp.mpf(float(p)) - q) <= limit * float(np.spacing(np.asarray(abs(float(q)), p.dtype))), x


def hard_arguments() -> Any:
    """Next to the ends of the cuts, on the unit circle, and with parts of all sizes."""
    rng = np.random.default_rng(2)

    def parts(low: float, high: float) -> Any:
        return rng.normal(size=40) * 10.0 ** rng.uniform(low, high, 40)

    cases = [(1 + parts(-16, -1), parts(-18, 0)), (1 + parts(-16, -15), parts(-320, -100))]
    cases += [(parts(*p), parts(*q)) for p, q in product([(-300, 300), (-1, 10), (-300, 0), (5, 11)], repeat=2)]
    a = np.concatenate([x + 1j * y for x, y in cases])
    return np.concatenate([a, 1j * a])


@pytest.mark.parametrize("name", INVERSE)
def test_inverse_functions_are_exact_everywhere(name: str) -> None:
    a, z = hard_arguments(), T.zvector("z")
    got = tensordsl.function([z], getattr(T, name)(z))(a)
    with mp.workprec(2400):
        for x, y in zip(a, got, strict=True):
            want = INVERSE[name](mp.mpc(x.real, x.imag))
            for p, q in ((y.real, want.real), (y.imag, want.imag)):
                assert abs(mp.mpf(float(p)) - q) <= 3 * float(np.spacing(abs(float(q)))), x


def test_both_sides_of_the_cuts() -> None:
    """The sign of a zero says on which side of a cut a number lies."""
    t = np.array([1.0, 1.5, 40.0, 1e20, 1e300, np.inf])
    real = np.concatenate([[complex(s * x, y) for x in t] for s in (1, -1) for y in (0.0, -0.0)])
    imaginary = np.array([complex(v.imag, v.real) for v in real])
    z = T.zvector("z")
    with np.errstate(all="ignore"):
        for name in INVERSE:
            f = tensordsl.function([z], getattr(T, name)(z))
            for a in (real, imaginary, real + 0j):
                got, want = f(a), getattr(np, name)(a)
                for p, q in ((got.real, want.real), (got.imag, want.imag)):
                    np.testing.assert_allclose(p, q, rtol=1e-15, err_msg=name)
                    np.testing.assert_array_equal(np.signbit(p), np.signbit(q), err_msg=name)


SPECIAL = np.array([0.0, -0.0, 1.0, -1.0, 2.5, np.inf, -np.inf, np.nan, 710.0, -710.0, 1e300, 5e-324, -1e160])


def grid(parts: Any) -> Any:
    result = np.empty((len(parts), len(parts)), complex)
    result.real, result.imag = np.meshgrid(parts, parts)
    return result.ravel()


@pytest.mark.parametrize("name", [*EXACT, "sgn", "abs_"])
def test_special_values_are_numpys(name: str) -> None:
    """Signs count too, but for what C leaves open: those of zeros and infinities made of infinities and no numbers."""
    a, z = grid(SPECIAL), T.zvector("z")
    numpy = getattr(np, {"sgn": "sign", "abs_": "abs"}.get(name, name))
    with np.errstate(all="ignore"):
        want, got = numpy(a), tensordsl.function([z], getattr(T, name)(z))(a)
    if name == "arccosh":
        want.imag[(a.real == 0) & np.isnan(a.imag)] = np.pi / 2  # C17, and NumPy from 2.3 on; before: no number
    finite = np.isfinite(a)
    for p, q in ((got.real, want.real), (got.imag, want.imag)):
        open_sign = ~finite & (np.isnan(got) | (q == 0))
        near = np.isclose(np.where(open_sign, np.abs(p), p), np.where(open_sign, np.abs(q), q), 1e-13, 1e-300, True)
        assert near.all(), (a[~near][:4], p[~near][:4], q[~near][:4])
        signs = (np.signbit(p) == np.signbit(q)) | np.isnan(q) | open_sign
        assert signs.all(), (a[~signs][:4], p[~signs][:4], q[~signs][:4])


def test_powers() -> None:
    z, w = T.zvector("z"), T.zvector("w")
    f = tensordsl.function([z, w], z**w)
    rng = np.random.default_rng(2)
    a = rng.normal(size=300) + 1j * rng.normal(size=300)
    for b in (
        rng.normal(size=300) + 1j * rng.normal(size=300),
        rng.integers(-99, 100, 300) + 0j,
        rng.integers(-3, 4, 300) / 2 + 0j,
    ):
        np.testing.assert_allclose(f(a, b), a**b, rtol=2e-14)
    a, b = (v.ravel() for v in np.broadcast_arrays(*np.ix_(*[grid(np.array([0.0, -0.0, 1.0, -2.5]))] * 2)))
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(f(a, b), np.power(a, b), rtol=1e-13)
    np.testing.assert_array_equal(f([1j, 2, 0, 0], [2, 10, 0, 3 + 1j]), [-1, 1024, 1, 0])
    zeros = np.array([0, -0.0, complex(-0.0, -0.0), complex(0, -0.0)])
    for n in (-2, -1, 0, 1, 2, 3, 4):
        with np.errstate(all="ignore"):
            got, want = tensordsl.function([z], z**n)(zeros), np.power(zeros, n)
        np.testing.assert_array_equal(got, want)
        assert n < 0 or not (np.signbit(got.real) | np.signbit(got.imag)).any()


def test_products_overflow_only_where_they_must() -> None:
    z = T.zmatrix("z")
    a = np.array([[1e200 + 1e200j, 1e-200, 1j], [2, 3, np.nan], [1, 1, 1]])
    got = tensordsl.function([z], [T.prod(z, 1), T.prod(z, 0), T.prod(z[:0], 0)])(a)
    with np.errstate(all="ignore"):
        for mine, want in zip(got, (np.prod(a, 1), np.prod(a, 0), np.prod(a[:0], 0)), strict=True):
            np.testing.assert_allclose(mine, want, rtol=1e-14)
