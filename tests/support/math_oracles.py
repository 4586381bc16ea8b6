"""What elementary functions are measured against: arguments where it is hard, and errors in ulp by their oracles."""

from __future__ import annotations

from typing import Any

import mpmath as mp
import numpy as np

from tensordsl.codegen.scalar_ir.math import FUNCTIONS
from tensordsl.codegen.scalar_ir.math.function import Function

BITS = {"float32": np.uint32, "float64": np.uint64}
SPECIAL = (
    0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, -1.0, 0.5, -0.5, 2.0, -2.0, 3.0, 8.0, 10.0, 27.0, 64.0, 100.0, 1000.0,
    5e-324, -5e-324, 1e-310, -1e-310, 1e-40, -1e-40, 1e-30, 1e-20, -1e-20, 1e-7, 1e5, 1e15, 1e22, 2.0**27, 2.0**31,
    1e38, -1e38, 1e300, -1e308, 709.78, 709.79, 710.5, -708.4, -745.13, -745.2, 88.72, 88.73, -87.3, -103.9, -104.0,
    1023.9, 1024.0, -1074.0, -1075.5, 127.9, 128.0, -149.0,
)  # fmt: skip


def samples(name: str, dtype: str, count: int, seed: int = 0) -> tuple[Any, ...]:
    """Operands: special values, random bit patterns, uniform in the function's domain, geometric towards 0 and 1."""
    with np.errstate(all="ignore"):
        return _samples(FUNCTIONS[name], dtype, count, np.random.default_rng(seed))


def _samples(f: Function, dtype: str, count: int, rng: Any) -> tuple[Any, ...]:
    bits = rng.integers(0, np.iinfo(BITS[dtype]).max, count, dtype=BITS[dtype]).view(dtype)
    if f.draw is not None:
        return tuple(x.astype(dtype) for x in f.draw(rng, bits))
    if f.oracle is not None:
        bits = bits[abs(bits) < 1e6]
    parts = [np.array(SPECIAL), bits, *(rng.uniform(low, high, count) for low, high in f.domain)]
    parts.append(1 + rng.choice([-1, 1], count) * np.exp(rng.uniform(-36, 0, count)))
    parts.append(rng.choice([-1, 1], count) * np.exp(rng.uniform(-60, 1, count)))
    x = np.concatenate(parts).astype(dtype)
    return x, *(rng.permutation(x) for _ in range(f.arity - 1))


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
    f = FUNCTIONS[name]
    with np.errstate(all="ignore"):
        return _long_double_errors(f, dtype, x, y) if f.oracle is None else _precise_errors(f, dtype, x, y)


def _long_double_errors(f: Function, dtype: str, x: tuple[Any, ...], y: Any) -> Any:
    """glibc's functions of long double have errors far below an ulp of float64."""
    exact = f.interpret(*(v.astype(np.longdouble) for v in x))
    wanted = exact.astype(dtype)
    error = abs(y.astype(np.longdouble) - exact) / np.spacing(abs(wanted)).astype(np.longdouble)
    same = (y == wanted) | (np.isnan(y) & np.isnan(wanted))
    finite = np.isfinite(wanted) & np.isfinite(y)
    signs = np.isnan(wanted) | (np.signbit(y) == np.signbit(wanted)) | (wanted != 0)
    return np.where(finite, np.where(signs, error, np.inf), np.where(same, 0.0, np.inf)).astype(float)


def _precise_errors(f: Function, dtype: str, x: tuple[Any, ...], y: Any) -> Any:
    with mp.workprec(120):
        rows = zip(y.tolist(), *(v.tolist() for v in x), strict=True)
        return np.array([_precise_error(f, dtype, *row) for row in rows])


def _precise_error(f: Function, dtype: str, y: float, *x: float) -> float:
    assert f.oracle is not None
    exact = mp.nan if np.isnan(x).any() else f.oracle(mp, *x)
    with np.errstate(over="ignore"):
        wanted = np.array(float(exact)).astype(dtype)
    if not np.isfinite(wanted) or not np.isfinite(y):
        return 0.0 if y == wanted or (np.isnan(y) and np.isnan(wanted)) else np.inf
    unit = mp.mpf(float(np.spacing(abs(wanted))))
    if f.slope is not None:
        unit = max(unit, float(np.finfo(dtype).eps) * abs(x[0] * f.slope(mp, x[0])))
    return float(abs(mp.mpf(y) - exact) / unit)
