"""Special functions against SciPy's: values of each, native and by the oracle, at their ends, in other dtypes."""

from __future__ import annotations

import itertools
from typing import Any

import mpmath as mp
import numpy as np
import pytest
import scipy.special

import tensordsl
import tensordsl.tensor as T

COUNT = 300
POSITIVE, PROBABILITY, REAL = (0.01, 30.0), (0.001, 0.999), (-8.0, 8.0)
# name -> (ranges of the operands, relative error, absolute error): SciPy's own errors are in these numbers.
VALUES: dict[str, tuple[tuple[tuple[float, float], ...], float, float]] = {
    **dict.fromkeys(("j0", "j1"), (((-60.0, 60.0),), 1e-12, 1e-15)),
    **dict.fromkeys(("y0", "y1"), ((POSITIVE,), 1e-12, 1e-14)),
    **dict.fromkeys(("i0", "i1", "i0e", "i1e"), (((-40.0, 40.0),), 1e-14, 0)),
    **dict.fromkeys(("k0", "k1"), ((POSITIVE,), 1e-14, 0)),
    **dict.fromkeys(("iv", "ive", "kv", "kve"), (((0.0, 6.0), POSITIVE), 1e-12, 0)),
    **dict.fromkeys(("jv", "yv"), (((-6.0, 6.0), POSITIVE), 1e-11, 1e-13)),
    "ndtr": (((-30.0, 8.0),), 1e-12, 0),
    "log_ndtr": (((-30.0, 8.0),), 1e-13, 0),
    "ndtri": ((PROBABILITY,), 1e-14, 0),
    "ndtri_exp": (((-50.0, -0.001),), 1e-12, 0),
    "logit": ((PROBABILITY,), 1e-14, 0),
    "expit": ((REAL,), 1e-14, 0),
    "entr": ((POSITIVE,), 1e-14, 0),
    **dict.fromkeys(("rel_entr", "kl_div"), ((POSITIVE, POSITIVE), 1e-12, 1e-15)),
    **dict.fromkeys(("xlogy", "xlog1py"), ((REAL, POSITIVE), 1e-14, 0)),
    "beta": (((0.01, 30.0), (0.01, 30.0)), 1e-13, 0),
    "betaln": ((POSITIVE, POSITIVE), 1e-13, 1e-14),
    "poch": (((0.1, 20.0), (0.1, 20.0)), 1e-12, 0),
    "betainc": ((POSITIVE, POSITIVE, PROBABILITY), 1e-12, 0),
    "betaincinv": ((POSITIVE, POSITIVE, PROBABILITY), 1e-10, 0),
    **dict.fromkeys(("gammaincinv", "gammainccinv"), ((POSITIVE, PROBABILITY), 1e-11, 0)),
    "zeta": (((1.01, 20.0), POSITIVE), 1e-14, 0),
    "exp1": ((POSITIVE,), 1e-14, 0),
    "dawsn": ((REAL,), 1e-13, 0),
    "owens_t": ((REAL, REAL), 1e-13, 1e-20),
    "hyp2f1": (((0.1, 4.0), (0.1, 4.0), (0.1, 8.0), (-3.0, 0.9)), 1e-11, 0),
}
# At which both are asked: everything but what is in `OWN`.
SPECIAL = (0.0, -0.0, 1.0, -1.0, 0.5, 2.0, -3.0, np.inf, -np.inf, np.nan)
# Where SciPy gives nan for want of a limit, or a number without digits, and we the limit.
OWN = {
    **{name: (np.inf, -np.inf) for name in ("j0", "j1", "y0", "i0", "i1", "y1")},
    **dict.fromkeys(("jv", "yv", "iv", "ive", "kv", "kve"), (np.inf, -np.inf, np.nan)),
    **dict.fromkeys(("betaln", "poch", "betaincinv", "zeta"), (np.inf, -np.inf, np.nan)),
    "beta": (0.0, -1.0, -3.0, np.inf, -np.inf, np.nan),  # SciPy gives infinities of both signs at poles
    "xlogy": (np.nan,),
    **dict.fromkeys(("gammaincinv", "gammainccinv", "betainc"), (0.0, np.inf, -np.inf)),
    "hyp2f1": (np.inf, -np.inf, 2.0, -3.0),
}


def operands(name: str, dtype: str = "float64", count: int = COUNT) -> list[Any]:
    rng = np.random.default_rng(1)
    return [rng.uniform(low, high, count).astype(dtype) for low, high in VALUES[name][0]]


def compiled(name: str, dtype: str, count: int, mode: Any = None) -> Any:
    variables = [T.TensorType(dtype, (None,))() for _ in range(count)]
    return tensordsl.function(variables, getattr(T, name)(*variables), mode=mode)


@pytest.mark.parametrize("name", VALUES)
def test_is_scipys(name: str) -> None:
    _, relative, absolute = VALUES[name]
    arrays = operands(name)
    found = compiled(name, "float64", len(arrays))(*arrays)
    np.testing.assert_allclose(found, getattr(scipy.special, name)(*arrays), rtol=relative, atol=absolute)


@pytest.mark.parametrize("name", VALUES)
def test_the_oracle_is_scipys(name: str) -> None:
    _, relative, absolute = VALUES[name]
    arrays = operands(name, count=30)
    found = compiled(name, "float64", len(arrays), mode="REFERENCE")(*arrays)
    wanted = getattr(scipy.special, name)(*arrays)
    np.testing.assert_allclose(found, wanted, rtol=max(relative, 1e-11), atol=max(absolute, 1e-14))


@pytest.mark.parametrize("name", VALUES)
def test_float32_is_the_rounded_float64(name: str) -> None:
    arrays = operands(name, "float32", 50)
    found = compiled(name, "float32", len(arrays))(*arrays)
    assert found.dtype == np.float32
    wanted = compiled(name, "float64", len(arrays))(*(x.astype("float64") for x in arrays))
    np.testing.assert_allclose(found, wanted.astype("float32"), rtol=2e-7)


@pytest.mark.parametrize("name", VALUES)
def test_small_integers_and_halves(name: str) -> None:
    count = len(VALUES[name][0])
    assert getattr(T, name)(*(T.bvector() for _ in range(count))).dtype == "float32"
    assert getattr(T, name)(*(T.lvector() for _ in range(count))).dtype == "float64"
    assert getattr(T, name)(*(T.TensorType("float16", (None,))() for _ in range(count))).dtype == "float16"


@pytest.mark.parametrize("name", [name for name in VALUES if len(VALUES[name][0]) < 4])
@pytest.mark.parametrize("mode", [None, "REFERENCE"])
def test_special_values_are_scipys(name: str, mode: Any) -> None:
    count = len(VALUES[name][0])
    skipped = OWN.get(name, ())
    values = [x for x in SPECIAL if not any(x == y or (x != x and y != y) for y in skipped)]
    arrays = [np.array(column) for column in zip(*itertools.product(values, repeat=count), strict=True)]
    found = compiled(name, "float64", count, mode)(*arrays)
    with np.errstate(all="ignore"):
        wanted = getattr(scipy.special, name)(*arrays)
    np.testing.assert_allclose(found, wanted, rtol=1e-10, atol=1e-15)


@pytest.mark.parametrize(
    ("name", "limits"),
    [("j0", 0.0), ("y1", 0.0), ("i0", np.inf), ("i0e", 0.0), ("k0", 0.0), ("dawsn", 0.0), ("exp1", 0.0), ("ndtr", 1.0)],
)
def test_far_out_is_the_limit(name: str, limits: float) -> None:
    assert compiled(name, "float64", 1)(np.array([np.inf]))[0] == limits
    assert np.isnan(compiled(name, "float64", 1)(np.array([np.nan]))[0])


def test_one_nan_leaves_its_neighbours_alone() -> None:
    """Loops run as often as the largest parameter asks: nan is none."""
    a, x = np.array([np.nan, 2.0, 40.0]), np.array([0.3, 0.3, 0.3])
    np.testing.assert_allclose(compiled("betainc", "float64", 3)(a, a[::-1].copy(), x)[1], 0.216, rtol=1e-12)
    for name in ("iv", "jv", "gammaincinv", "gammainc"):
        both = compiled(name, "float64", 2)
        np.testing.assert_allclose(both(a, x)[1:], both(a[1:], x[1:]), rtol=1e-14)
        assert np.isnan(both(a, x)[0])


@pytest.mark.parametrize("name", ["betainc", "betaincinv", "gammaincinv", "jv", "iv", "kv", "hyp2f1", "zeta", "expn"])
def test_empty_and_scalar_operands(name: str) -> None:
    count = 4 if name == "hyp2f1" else 3 if name.startswith("beta") else 2
    assert compiled(name, "float64", count)(*(np.empty(0) for _ in range(count))).shape == (0,)
    scalars = [T.dscalar() for _ in range(count)]
    value = tensordsl.function(scalars, getattr(T, name)(*scalars))(*(1 for _ in range(count - 1)), 0.5)
    assert value.shape == ()


def test_broadcasts() -> None:
    a, x = T.dcol("a"), T.dvector("x")
    found = tensordsl.function([a, x], [T.kv(a, x), T.betainc(a, 2.0, x / 9), T.gammaincinv(a, x / 9), T.zeta(a, x)])
    orders, points = np.array([[1.5], [2.0]]), np.array([0.5, 1.0, 4.0])
    wanted = [
        scipy.special.kv(orders, points), scipy.special.betainc(orders, 2.0, points / 9),
        scipy.special.gammaincinv(orders, points / 9), scipy.special.zeta(orders, points),
    ]  # fmt: skip
    for value, want in zip(found(orders, points), wanted, strict=True):
        np.testing.assert_allclose(value, want, rtol=1e-12)


def test_riemanns_zeta_is_scipys() -> None:
    s = np.concatenate([np.linspace(-40.3, 30.2, 200), np.arange(-12.0, 12.0), [1 - 1e-9, 1 + 1e-9, 1e-300, -1e-300]])
    s = np.concatenate([s, [-200.5, -300.1, 1e300, np.inf, -np.inf, np.nan]])
    variable = T.dvector("s")
    for mode in (None, "REFERENCE"):
        found = tensordsl.function([variable], T.zeta(variable), mode=mode)(s)
        np.testing.assert_allclose(found, scipy.special.zeta(s), rtol=1e-13, atol=1e-300)
    slope = tensordsl.function([variable], T.grad(T.sum(T.zeta(variable)), variable))
    at = np.array([-20.5, -4.0, -3.0, -0.6, -0.4, 0.0, 0.3, 0.9, 1.1, 3.0, 12.0])
    with mp.workdps(40):
        wanted = [float(mp.diff(mp.zeta, mp.mpf(x))) for x in at.tolist()]
    np.testing.assert_allclose(slope(at), wanted, rtol=1e-12)


def test_whole_orders_of_exponential_integrals() -> None:
    n, x = np.repeat(np.arange(0.0, 40.0), 30), np.tile(np.geomspace(1e-6, 200, 30), 40)
    np.testing.assert_allclose(compiled("expn", "float64", 2)(n, x), scipy.special.expn(n, x), rtol=1e-12, atol=1e-300)
    assert np.isnan(compiled("expn", "float64", 2)(np.array([0.5, -1.0]), np.array([1.0, 1.0]))).all()


def test_orders_and_arguments_below_zero() -> None:
    v, x = (np.array(c) for c in zip(*itertools.product((-3.0, -2.0, 0.0, 1.0), (-4.0, -0.5, 0.0, 3.0)), strict=True))
    for name in ("jv", "iv", "ive"):
        np.testing.assert_allclose(
            compiled(name, "float64", 2)(v, x), getattr(scipy.special, name)(v, x), rtol=1e-12, atol=1e-16
        )
    w = np.array([-0.3, -1.7, -2.5])
    for name in ("iv", "ive", "kv", "kve"):
        wanted = getattr(scipy.special, name)(w, 1.3)
        np.testing.assert_allclose(compiled(name, "float64", 2)(w, np.full(3, 1.3)), wanted, rtol=1e-12)


@pytest.mark.parametrize(("v", "x"), [(0.0, 2000.0), (40.0, 2000.0), (200.0, 500.0), (300.0, 280.0), (90.0, 100.0)])
def test_large_orders_and_arguments(v: float, x: float) -> None:
    for name in ("jv", "ive", "kve"):
        found = compiled(name, "float64", 2)(np.array([v]), np.array([x]))
        np.testing.assert_allclose(found, getattr(scipy.special, name)(v, x), rtol=1e-11, atol=1e-15)


def test_sinc_is_numpys_with_exact_zeros() -> None:
    x = np.concatenate([np.linspace(-5.2, 5.3, 99), [0.0, -0.0, np.nan]])
    found = compiled("sinc", "float64", 1)(x)
    np.testing.assert_allclose(found, np.sinc(x), rtol=1e-12, atol=1e-16)
    assert (compiled("sinc", "float64", 1)(np.array([1.0, -7.0, 1e9])) == 0).all()
    np.testing.assert_allclose(T.sinc(x).eval(), np.sinc(x), atol=1e-15)


def test_lambertw_is_scipys_real_branch() -> None:
    x = np.concatenate([-np.exp(-1) + np.geomspace(1e-12, 0.36, 99), np.geomspace(1e-9, 1e300, 99)])
    found = compiled("lambertw", "float64", 1)(x)
    np.testing.assert_allclose(found, scipy.special.lambertw(x).real, rtol=1e-9)
    np.testing.assert_allclose(found * np.exp(found) / x, 1, rtol=1e-12 * 700)
    assert np.isnan(compiled("lambertw", "float64", 1)(np.array([-0.4, -np.inf, np.nan]))).all()


def test_what_is_written_with_others() -> None:
    x = np.array([0.3, 1.5, 4.0])
    np.testing.assert_allclose(T.gammal(2.0, x).eval(), scipy.special.gammainc(2, x), rtol=1e-13)
    np.testing.assert_allclose(T.gammau(3.0, x).eval(), scipy.special.gammaincc(3, x) * 2, rtol=1e-13)
    np.testing.assert_allclose(T.chi2sf(x, 3.0).eval(), scipy.special.chdtrc(3, x), rtol=1e-13)
    np.testing.assert_allclose(T.factorial(x).eval(), scipy.special.factorial(x), rtol=1e-13)
    assert T.factorial(-1.0).eval() == 0 and T.factorial(5).eval() == 120
    assert T.jn is T.jv and T.kn is T.kv


def test_softmax_has_scipys_axes() -> None:
    x = np.random.default_rng(0).normal(size=(2, 3, 4)) * 50
    for axis in (None, 0, 1, -1):
        np.testing.assert_allclose(T.special.softmax(x, axis=axis).eval(), scipy.special.softmax(x, axis), rtol=1e-12)
        found = T.special.log_softmax(x, axis=axis).eval()
        np.testing.assert_allclose(found, scipy.special.log_softmax(x, axis), rtol=1e-12)


def test_the_module_special_has_the_names() -> None:
    for name in (*VALUES, "sinc", "softmax", "log_softmax", "logsumexp", "erfcx", "log1mexp", "log1pexp", "polygamma"):
        assert callable(getattr(T.special, name)), name


def test_scipys_functions_take_variables() -> None:
    x = T.dvector("x")
    for name in ("j0", "i0e", "ndtr", "logit", "exp1"):
        value = getattr(scipy.special, name)(x)
        assert value.owner.row.name == name
    assert np.sinc(x).owner.row.name == "sinc" and np.i0(x).owner.row.name == "i0"
