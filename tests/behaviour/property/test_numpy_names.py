"""Random calls of NumPy's names: operands of any dtype and shape, empty ones, with nan and infinities, against NumPy.

Each entry is called as `f(module, *arrays)`, with `T` and variables, and with NumPy and arrays.  Where NumPy refuses the
operands, nothing is asked but that the refusal here, if there is one, has a message.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

import tensordsl
import tensordsl.tensor as T

Function = Callable[..., Any]
DTYPES = ("bool", "int8", "uint8", "int16", "int32", "int64", "uint64", "float16", "float32", "float64")
REAL = ("float32", "float64")
ALL: dict[str, Function] = {
    "hstack": lambda m, a, b: m.hstack([a, b]),
    "vstack": lambda m, a, b: m.vstack([a, b]),
    "dstack": lambda m, a, b: m.dstack([a, a]),
    "column_stack": lambda m, a, b: m.column_stack([a, a]),
    "append": lambda m, a, b: m.append(a, b),
    "array_split": lambda m, a, b: m.array_split(a, 3, axis=-1),
    "delete": lambda m, a, b: m.delete(a, 0, axis=0),
    "insert": lambda m, a, b: m.insert(a, [0, 0], 1, axis=0),
    "resize": lambda m, a, b: m.resize(a, (2, 3)),
    "flip": lambda m, a, b: m.flip(a),
    "rot90": lambda m, a, b: m.rot90(m.vstack([a, a])),
    "lexsort": lambda m, a, b: m.lexsort((a, a)),
    "isin": lambda m, a, b: m.isin(a, b),
    "union1d": lambda m, a, b: m.union1d(a, b),
    "setdiff1d": lambda m, a, b: m.setdiff1d(a, b),
    "setxor1d": lambda m, a, b: m.setxor1d(a, b),
    "intersect1d": lambda m, a, b: m.intersect1d(a, b),
    "unique": lambda m, a, b: m.unique(a, return_index=True, return_inverse=False, return_counts=True),
    "argwhere": lambda m, a, b: m.argwhere(a),
    "count_nonzero": lambda m, a, b: m.count_nonzero(a, axis=-1),
    "nansum": lambda m, a, b: m.nansum(a, axis=0),
    "nanprod": lambda m, a, b: m.nanprod(a % 3, axis=-1),
    "nancumsum": lambda m, a, b: m.nancumsum(a),
    "nanmax": lambda m, a, b: m.nanmax(a, axis=0),
    "nanmin": lambda m, a, b: m.nanmin(a, axis=-1),
    "fmax": lambda m, a, b: m.fmax(a, b),
    "fmin": lambda m, a, b: m.fmin(a, b),
    "fmod": lambda m, a, b: m.fmod(a, b),
    "copysign": lambda m, a, b: m.copysign(a, b),
    "signbit": lambda m, a, b: m.signbit(a),
    "heaviside": lambda m, a, b: m.heaviside(a, b),
    "logical_xor": lambda m, a, b: m.logical_xor(a, b),
    "logical_and": lambda m, a, b: m.logical_and(a, b),
    "nan_to_num": lambda m, a, b: m.nan_to_num(a),
    "ediff1d": lambda m, a, b: m.ediff1d(a),
    "select": lambda m, a, b: m.select([a > 1, b > 1], [a, b], 1),
    "extract": lambda m, a, b: m.extract(a > 0, a),
    "diagflat": lambda m, a, b: m.diagflat(a),
    "meshgrid": lambda m, a, b: m.meshgrid(a, b),
    "digitize": lambda m, a, b: m.digitize(a, [0, 1, 5]),
    "vander": lambda m, a, b: m.vander(m.append(a, a)[:4], 3),
    "gcd": lambda m, a, b: m.gcd(a, b),
    "bitwise_count": lambda m, a, b: m.bitwise_count(a),
    "frexp": lambda m, a, b: m.frexp(a),
    "modf": lambda m, a, b: m.modf(a),
    "rollaxis": lambda m, a, b: m.rollaxis(a, -1),
    "polyadd": lambda m, a, b: m.polyadd(m.append(a, b), b[..., 0] if b.ndim == 1 else 1),
}  # fmt: skip
# Of floats without special values, where NumPy's own order of operations is not what matters.
SMOOTH: dict[str, Function] = {
    "nanmean": lambda m, a, b: m.nanmean(a, axis=0),
    "nanvar": lambda m, a, b: m.nanvar(a, axis=-1),
    "quantile": lambda m, a, b: m.quantile(a, 0.3, axis=-1),
    "percentile": lambda m, a, b: m.percentile(a, [10, 50], axis=0),
    "average": lambda m, a, b: m.average(a, axis=0),
    "cov": lambda m, a, b: m.cov(m.vstack([a, a])),
    "gradient": lambda m, a, b: m.gradient(a, axis=-1),
    "trapezoid": lambda m, a, b: m.trapezoid(a, axis=0),
    "convolve": lambda m, a, b: m.convolve(m.append(a, 1.0), m.append(b, 2.0)[:3]),
    "correlate": lambda m, a, b: m.correlate(m.append(a, 1.0), m.append(b, 2.0)[:3], "same"),
    "polyval": lambda m, a, b: m.polyval([1.0, -2.0, 0.5], a),
    "interp": lambda m, a, b: m.interp(a, [-1.0, 0.0, 2.0], [3.0, 1.0, 5.0]),
    "histogram": lambda m, a, b: m.histogram(a, 4, (-3, 3))[0],
    "hypot": lambda m, a, b: m.hypot(a, b),
    "logaddexp2": lambda m, a, b: m.logaddexp2(a, b),
    "unwrap": lambda m, a, b: m.unwrap(a),
    "vecdot": lambda m, a, b: m.vecdot(a, a),
    "inner": lambda m, a, b: m.inner(a, a),
    "float_power": lambda m, a, b: m.float_power(a, 2),
    "cumulative_sum": lambda m, a, b: m.cumulative_sum(a, axis=0, include_initial=True),
}  # fmt: skip


def operand(rng: Any, dtype: str, shape: tuple[int, ...], special: bool) -> Any:
    if dtype == "bool":
        return rng.integers(0, 2, shape).astype(bool)
    if not dtype.startswith("float"):
        info = np.iinfo(dtype)
        made = rng.integers(max(info.min, -6), 7, shape).astype(dtype)
        made.reshape(-1)[:2] = [info.max, info.min][: made.size]
        return made
    made = (rng.normal(size=shape) * 2).astype(dtype)
    if special and made.size:
        made.reshape(-1)[rng.integers(0, made.size)] = rng.choice([np.nan, np.inf, -np.inf, -0.0])
    return made


def symbol(array: Any) -> Any:
    return T.TensorType(str(array.dtype), tuple(1 if n == 1 else None for n in array.shape))()


def results(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]


def check(name: str, function: Function, arrays: list[Any]) -> None:
    what = f"{name} of {[(a.dtype, a.shape) for a in arrays]}: {arrays}"
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            wanted = [np.asarray(w) for w in results(function(np, *arrays))]
        except (TypeError, ValueError, IndexError, ZeroDivisionError):
            wanted = []
        variables = [symbol(a) for a in arrays]
        try:
            outputs = [T.as_tensor_variable(v) for v in results(function(T, *variables))]
            found = tensordsl.function(variables, outputs, on_unused_input="ignore")(*arrays)
        except (TypeError, ValueError, IndexError, NotImplementedError) as error:
            assert str(error) and not wanted, f"{what}: {error}"
            return
    if not wanted:
        return
    assert len(found) == len(wanted), what
    for got, want in zip(found, wanted, strict=True):
        assert got.shape == want.shape, f"{what}: {got}, wanted {want}"
        if want.dtype.kind == "f" or got.dtype.kind == "f":
            short = min(np.finfo(t).bits for t in (got.dtype, want.dtype) if t.kind == "f")
            rough = {16: 4e-3, 32: 2e-5, 64: 1e-10}[short]
            wide = want.astype("float64")
            scale = float(np.max(np.abs(np.where(np.isfinite(wide), wide, 0)), initial=1.0))
            np.testing.assert_allclose(got.astype("float64"), wide, rtol=rough, atol=rough * scale, err_msg=what)
        else:
            np.testing.assert_array_equal(got, want, err_msg=what)


def draw(seed: int, table: dict[str, Function], dtypes: tuple[str, ...], special: bool) -> None:
    rng = np.random.default_rng(seed)
    name = list(table)[rng.integers(len(table))]
    shape = tuple(int(n) for n in rng.choice([0, 1, 2, 3, 4], rng.integers(1, 3), p=[0.08, 0.12, 0.3, 0.3, 0.2]))
    other = shape if rng.integers(2) else tuple(1 if rng.integers(3) == 0 else n for n in shape)
    arrays = [operand(rng, str(rng.choice(dtypes)), s, special) for s in (shape, other)]
    check(name, table[name], arrays)


@given(st.integers(0, 2**62))
def test_of_all_dtypes(seed: int) -> None:
    draw(seed, ALL, DTYPES, special=True)


@given(st.integers(0, 2**62))
def test_of_floats(seed: int) -> None:
    draw(seed, SMOOTH, REAL, special=False)
