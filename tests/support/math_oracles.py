"""What the vector mathematics is measured against: long double or mpmath, arguments where it is hard, errors in ulp."""

from __future__ import annotations

from typing import Any

import mpmath as mp
import numpy as np

BITS = {"float32": np.uint32, "float64": np.uint64}
SPECIAL = (
    0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, -1.0, 0.5, -0.5, 2.0, -2.0, 3.0, 8.0, 10.0, 27.0, 64.0, 100.0, 1000.0,
    5e-324, -5e-324, 1e-310, -1e-310, 1e-40, -1e-40, 1e-30, 1e-20, -1e-20, 1e-7, 1e5, 1e15, 1e22, 2.0**27, 2.0**31,
    1e38, -1e38, 1e300, -1e308, 709.78, 709.79, 710.5, -708.4, -745.13, -745.2, 88.72, 88.73, -87.3, -103.9, -104.0,
    1023.9, 1024.0, -1074.0, -1075.5, 127.9, 128.0, -149.0,
)  # fmt: skip

# Functions that NumPy has for long double; glibc's have errors far below an ulp of double.
LONG_DOUBLE = {
    name: getattr(np, name)
    for name in (
        "exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sin", "cos", "tan", "arcsin", "arccos", "arctan",
        "arctan2", "sinh", "cosh", "tanh", "arcsinh", "arccosh", "arctanh", "cbrt",
    )
}  # fmt: skip
LONG_DOUBLE["pow"] = np.power
LONG_DOUBLE["sigmoid"] = lambda x: np.where(x < 0, np.exp(-abs(x)), 1) / (1 + np.exp(-abs(x)))
LONG_DOUBLE["softplus"] = lambda x: np.maximum(x, 0) + np.log1p(np.exp(-abs(x)))

PRECISE = {
    "erf": lambda x: mp.erf(max(min(x, 40), -40)),  # mpmath fails for huge arguments
    "erfc": lambda x: mp.erfc(max(min(x, 40), -40)),
    "gammaln": lambda x: mp.re(mp.loggamma(x)),
    "digamma": mp.digamma,
    "trigamma": lambda x: mp.psi(1, x) if x > 0 else (mp.pi / mp.sinpi(x)) ** 2 - mp.psi(1, 1 - x),
    "log1mexp": lambda x: mp.log(-mp.expm1(x)) if x > -1 else mp.log1p(-mp.exp(x)),
    "erfinv": lambda x: erfinv(x),
    "erfcx": lambda x: (
        mp.exp(mp.mpf(x) ** 2) * mp.erfc(x)
        if abs(x) < 1000
        else (1 - 1 / (2 * mp.mpf(x) ** 2) + 3 / (4 * mp.mpf(x) ** 4)) / (mp.sqrt(mp.pi) * x)
        if x > 0
        else mp.inf
    ),
    "gamma": mp.gamma,
}


def erfinv(x: Any) -> Any:
    """Newton's method on the logarithm of erfc, |x| < 1."""
    a = abs(mp.mpf(x))
    if a < 0.9:
        return mp.erfinv(x)
    y = mp.sqrt(-mp.log(1 - a))
    for _ in range(8):
        c = mp.erfc(y)
        y += (mp.log(c) - mp.log(1 - a)) * c * mp.sqrt(mp.pi) / 2 * mp.exp(y * y)
    return mp.sign(x) * y


# name -> intervals where arguments are drawn uniformly; below, around and beyond the borders of the expansions
RANGES: dict[str, tuple[tuple[float, float], ...]] = {
    "exp": ((-1, 1), (-750, 712)), "exp2": ((-1, 1), (-1080, 1026)), "expm1": ((-1, 1), (-50, 712)),
    "log": ((0.5, 2), (0, 100)), "log2": ((0.5, 2), (0, 100)), "log10": ((0.5, 2), (0, 100)),
    "log1p": ((-1, 1), (0, 100)),
    "sin": ((-10, 10), (-1e5, 1e5)), "cos": ((-10, 10), (-1e5, 1e5)), "tan": ((-10, 10), (-1e5, 1e5)),
    "arcsin": ((-1, 1),), "arccos": ((-1, 1),), "arctan": ((-1, 1), (-10, 10)), "arctanh": ((-1, 1),),
    "sinh": ((-2, 2), (-720, 720)), "cosh": ((-2, 2), (-720, 720)), "tanh": ((-1, 1), (0.17, 0.35), (-25, 25)),
    "arcsinh": ((-1, 1), (-100, 100)), "arccosh": ((1, 2), (1, 100)), "cbrt": ((-10, 10), (-1e9, 1e9)),
    "sigmoid": ((-5, 5), (-750, 40)), "softplus": ((-5, 5), (-750, 40)),
    "erf": ((-1.2, 1.2), (-7, 7)), "erfc": ((-2, 6), (0, 28)),
    "log1mexp": ((-1, 0), (-800, 0)), "erfinv": ((-1, 1), (0.9, 1), (0.99999, 1)), "erfcx": ((-2, 6), (-27, 1000)),
    "gamma": ((0, 3), (-5, 20), (-186, 172)),
    **dict.fromkeys(("gammaln", "digamma", "trigamma"), ((0, 3), (-5, 20))),
}  # fmt: skip


def samples(name: str, dtype: str, count: int, seed: int = 0) -> tuple[Any, ...]:
    """Arguments: special values, random bit patterns, uniform in `RANGES`, geometric towards 0 and 1."""
    with np.errstate(all="ignore"):
        return _samples(name, dtype, count, np.random.default_rng(seed))


def _samples(name: str, dtype: str, count: int, rng: Any) -> tuple[Any, ...]:
    bits = rng.integers(0, np.iinfo(BITS[dtype]).max, count, dtype=BITS[dtype]).view(dtype)
    if name == "pow":
        x = np.concatenate([np.exp(rng.uniform(-20, 20, count)), 1 + 1e-3 * rng.normal(size=count), abs(bits)])
        y = np.concatenate([rng.uniform(-30, 30, count), rng.uniform(-1e5, 1e5, count), rng.uniform(-2, 2, count)])
        return x.astype(dtype), y.astype(dtype)
    if name == "arctan2":
        other = rng.permutation(bits)
        normal = rng.normal(size=(2, count))
        return np.concatenate([normal[0], bits]).astype(dtype), np.concatenate([normal[1], other]).astype(dtype)
    if name in PRECISE:
        bits = bits[abs(bits) < 1e6]
    parts = [np.array(SPECIAL), bits, *(rng.uniform(low, high, count) for low, high in RANGES[name])]
    if name in ("log", "log2", "log10", "arccosh", "gammaln", "digamma", "trigamma"):
        parts.append(1 + rng.choice([-1, 1], count) * np.exp(rng.uniform(-36, 0, count)))
    parts.append(rng.choice([-1, 1], count) * np.exp(rng.uniform(-60, 1, count)))
    return (np.concatenate(parts).astype(dtype),)


def grid(dtype: str) -> tuple[Any, Any]:
    """All pairs of special values, for functions of two arguments."""
    with np.errstate(all="ignore"):
        values = np.array([*SPECIAL, -3.0, 2.5, -2.5, 2.0**53 + 2, -(2.0**53) - 2, 1e15 + 1, -1e15 - 1, 0.1]).astype(
            dtype
        )
    x, y = np.meshgrid(values, values)
    return x.ravel(), y.ravel()


def errors(name: str, dtype: str, x: tuple[Any, ...], y: Any) -> Any:
    """|y - f(x)| in ulp of the result; inf where special results (nan, infinities, overflow) differ."""
    with np.errstate(all="ignore"):
        return _long_double_errors(name, dtype, x, y) if name in LONG_DOUBLE else _precise_errors(name, dtype, x[0], y)


def _long_double_errors(name: str, dtype: str, x: tuple[Any, ...], y: Any) -> Any:
    exact = LONG_DOUBLE[name](*(v.astype(np.longdouble) for v in x))
    wanted = exact.astype(dtype)
    error = abs(y.astype(np.longdouble) - exact) / np.spacing(abs(wanted)).astype(np.longdouble)
    return _with_specials(error, wanted, y)


def _with_specials(error: Any, wanted: Any, y: Any) -> Any:
    same = (y == wanted) | (np.isnan(y) & np.isnan(wanted))
    finite = np.isfinite(wanted) & np.isfinite(y)
    signs = np.isnan(wanted) | (np.signbit(y) == np.signbit(wanted)) | (wanted != 0)
    return np.where(finite, np.where(signs, error, np.inf), np.where(same, 0.0, np.inf)).astype(float)


def _precise_errors(name: str, dtype: str, x: Any, y: Any) -> Any:
    out = np.zeros(x.size)
    with mp.workprec(120):
        for i, (a, b) in enumerate(zip(x.tolist(), y.tolist(), strict=True)):
            out[i] = _precise_error(name, dtype, a, b)
    return out


# Limits and poles; the poles as C99 (gammaln) and SciPy (digamma) have them.
AT = {
    "erf": {np.inf: 1.0, -np.inf: -1.0},
    "erfc": {np.inf: 0.0, -np.inf: 2.0},
    "gammaln": {np.inf: np.inf, -np.inf: np.inf, 0.0: np.inf},
    "digamma": {np.inf: np.inf, -np.inf: np.nan},
    "trigamma": {np.inf: 0.0, -np.inf: np.nan, 0.0: np.inf},
    "gamma": {np.inf: np.inf, -np.inf: np.nan},
    "log1mexp": {0.0: -np.inf, -np.inf: 0.0, np.inf: np.nan},
    "erfinv": {1.0: np.inf, -1.0: -np.inf, np.inf: np.nan, -np.inf: np.nan},
    "erfcx": {np.inf: 0.0, -np.inf: np.inf},
}


def _precise_error(name: str, dtype: str, x: float, y: float) -> float:
    if np.isnan(x):
        return 0.0 if np.isnan(y) else np.inf
    pole = name in ("gammaln", "digamma", "trigamma", "gamma") and x < 0 and x == np.floor(x)
    outside = (name == "log1mexp" and x > 0) or (name == "erfinv" and abs(x) > 1)
    if x in AT[name] or pole or outside or (name in ("digamma", "gamma") and x == 0.0):
        zero = np.copysign(np.inf, x if name == "gamma" else -x)
        wanted = AT[name].get(x, np.inf if name in ("gammaln", "trigamma") else np.nan if pole or outside else zero)
        return 0.0 if y == wanted or (np.isnan(y) and np.isnan(wanted)) else np.inf
    exact = PRECISE[name](mp.mpf(x))
    with np.errstate(over="ignore"):
        wanted = np.array(float(exact)).astype(dtype)
    if not np.isfinite(wanted) or not np.isfinite(y):
        return 0.0 if y == wanted else np.inf
    return float(
        abs(mp.mpf(y) - exact) / max(mp.mpf(float(np.spacing(abs(wanted)))), _conditioned_unit(name, dtype, x))
    )


def _conditioned_unit(name: str, dtype: str, x: float) -> Any:
    eps = mp.mpf(float(np.finfo(dtype).eps))
    if name not in ("gammaln", "digamma"):
        return mp.mpf(0)
    slope = mp.digamma(x) if name == "gammaln" else mp.psi(1, x)
    return eps * abs(mp.mpf(x) * slope)
