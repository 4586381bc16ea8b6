"""Writes at positions that are bytes, or numbers of two bytes: they keep that dtype."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tensordsl
import tensordsl.tensor as T

DTYPES = ("uint8", "uint16")
COUNTS = (0, 1, 7, 8, 511, 512, 513, 2000, 2048, 5003)


def counted(x: Any, n: Any) -> Any:
    return T.inc_subtensor(T.zeros((n,), dtype="int64")[x], 1)


@pytest.mark.parametrize("mode", ["FAST_RUN", "FAST_COMPILE", "REFERENCE"])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("length", [200, 256, 1 << 16, None])
def test_counts(length: int | None, dtype: str, mode: str) -> None:
    x, n, rng = T.vector("x", dtype=dtype), T.lscalar("n"), np.random.default_rng(1)
    f = tensordsl.function([x, n], counted(x, n if length is None else length), mode=mode, on_unused_input="ignore")
    for count in COUNTS:
        a = rng.integers(0, 200, count).astype(dtype)
        for view in (a, np.repeat(a, 2)[::2], a[::-1]):
            np.testing.assert_array_equal(f(view, 300), np.bincount(view, minlength=length or 300))


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_number_that_is_no_position_is_an_error(dtype: str) -> None:
    x, n = T.vector("x", dtype=dtype), T.lscalar("n")
    f, g = tensordsl.function([x], counted(x, 200)), tensordsl.function([x, n], counted(x, n))
    for wrong in (200, 255):
        a = np.array([3, wrong, 5], dtype)
        with pytest.raises(IndexError):
            f(a)
        with pytest.raises(IndexError):
            g(a, 200)
    with pytest.raises(IndexError):
        g(np.zeros(1, dtype), 0)
    assert g(np.zeros(0, dtype), 0).shape == (0,)


@pytest.mark.parametrize("dtype", DTYPES)
def test_images_in_any_order_and_the_last_of_several_wins(dtype: str) -> None:
    x, y, rng = T.matrix("x", dtype=dtype), T.dmatrix("y"), np.random.default_rng(2)
    outputs = [counted(i, n) for i in (x, x.T, x.flatten()) for n in (256, 1 << 16)]
    outputs += [T.set_subtensor(T.zeros(n)[i], v) for i, v in ((x, y), (x.T, y.T)) for n in (256, 1 << 16)]
    f = tensordsl.function([x, y], outputs)
    for shape in ((3, 5), (40, 30), (0, 4)):
        a, b = rng.integers(0, 256, shape).astype(dtype), rng.standard_normal(shape)
        for u, v in ((a, b), (np.asfortranarray(a), b)):
            *counts, first, _, turned, _ = f(u, v)
            for result in counts:
                np.testing.assert_array_equal(result[:256], np.bincount(a.ravel(), minlength=256))
            for result, i, values in ((first, a, b), (turned, a.T, b.T)):
                wanted = np.zeros(256)
                for at, value in zip(i.ravel(), values.ravel(), strict=True):
                    wanted[at] = value
                np.testing.assert_array_equal(result, wanted)


def test_rows_and_several_axes_of_positions() -> None:
    i, j, rng = T.vector("i", dtype="uint8"), T.lvector("j"), np.random.default_rng(3)
    rows, y = T.dmatrix("rows"), T.dvector("y")
    outputs = [
        T.inc_subtensor(T.zeros((256, 3))[i], rows),
        T.inc_subtensor(T.zeros((256, 9))[i, j], y),
        T.inc_subtensor(T.zeros((9, 256))[j, i], y),
        T.inc_subtensor(T.zeros((100, 256, 2))[i, i + np.uint8(1)], y[:, None]),
    ]
    f = tensordsl.function([i, j, rows, y], outputs)
    for count in (0, 1, 600, 1500):
        a, b = rng.integers(0, 100, count).astype("uint8"), rng.integers(-9, 9, count)
        r, v = rng.standard_normal((count, 3)), rng.standard_normal(count)
        wanted = [np.zeros(s) for s in ((256, 3), (256, 9), (9, 256), (100, 256, 2))]
        np.add.at(wanted[0], a, r)
        np.add.at(wanted[1], (a, b), v)
        np.add.at(wanted[2], (b, a), v)
        np.add.at(wanted[3], (a, a + np.uint8(1)), v[:, None])
        for result, expected in zip(f(a, b, r, v), wanted, strict=True):
            np.testing.assert_allclose(result, expected, rtol=1e-12, atol=1e-14)


def test_positions_that_are_a_shared_variable_which_the_call_changes() -> None:
    first = np.random.default_rng(4).integers(0, 256, 700).astype("uint8")
    s, table = tensordsl.shared(first.copy()), tensordsl.shared(np.zeros(256))
    f = tensordsl.function([], updates=[(table, T.inc_subtensor(table[s], 1.0)), (s, s + np.uint8(7))])
    wanted = np.zeros(256)
    for k in range(3):
        f()
        np.add.at(wanted, first + np.uint8(7 * k), 1)
        np.testing.assert_array_equal(table.get_value(), wanted)


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int32", "uint32", "int64", "uint64"])
def test_bincount_of_every_dtype(dtype: str) -> None:
    x, n = T.vector("x", dtype=dtype), T.lscalar("n")
    f = tensordsl.function([x, n], [T.bincount(x), T.bincount(x, minlength=n), T.bincount(x, weights=x * 0.5)])
    for count in (0, 1, 9, 1000):
        a = np.random.default_rng(5).integers(0, 128, count).astype(dtype)
        plain = a.astype("int64")
        wanted = np.bincount(plain), np.bincount(plain, minlength=99), np.bincount(plain, weights=plain * 0.5)
        for result, expected in zip(f(a, 99), wanted, strict=True):
            np.testing.assert_array_equal(result, expected)
    if dtype.startswith("int"):
        with pytest.raises(ValueError, match="must not be negative"):
            f(np.array([0, -2, 3], dtype), 3)


@pytest.mark.parametrize("dtype", DTYPES)
def test_what_is_computed_from_narrow_numbers_is_another_position(dtype: str) -> None:
    x = T.vector("x", dtype=dtype)
    wide = T.cast(x, "int64")
    positions = [
        wide % 7,
        wide * 3,
        wide + 1,
        300 - wide,
        T.switch(wide > 50, wide, 0),
        T.cast(wide // 2, dtype),
        -1 - wide,
    ]
    f = tensordsl.function([x], [counted(p, 800) for p in positions] + [T.bincount(p) for p in positions[:6]])
    for count in COUNTS[1:]:
        a = np.random.default_rng(6).integers(0, 200, count).astype("int64")
        computed = [a % 7, a * 3, a + 1, 300 - a, np.where(a > 50, a, 0), a // 2, (-1 - a) % 800]
        wanted = [np.bincount(p, minlength=800) for p in computed] + [np.bincount(p) for p in computed[:6]]
        for result, expected in zip(f(a.astype(dtype)), wanted, strict=True):
            np.testing.assert_array_equal(result, expected)


VALUES: dict[str, tuple[float, ...]] = {
    "int8": (1, -3), "uint16": (1, 40_000), "int32": (7, -(2**31)), "uint64": (1, 2**63 + 1), "bool": (True, False),
    "float16": (1, 0.1), "float32": (1, -3, 0.1, 1e5, 2.0**24, np.nan, -0.0, 0.0), "float64": (1, -3, 0.1, 2.0**53, np.inf, -0.0),
}  # fmt: skip


@pytest.mark.parametrize("dtype", VALUES)
def test_one_number_many_times_is_what_one_after_the_other_gives(dtype: str) -> None:
    i, x, v = T.vector("i", dtype="uint8"), T.vector("x", dtype=dtype), T.scalar("v", dtype=dtype)
    f = tensordsl.function([i, x, v], [T.inc_subtensor(x[i], v), T.inc_subtensor(x[::-2][i], v)])
    rng = np.random.default_rng(4)
    starts = [np.zeros(300), -np.zeros(300), rng.integers(0, 100, 300), 2.0 ** rng.integers(20, 54, 300)]
    starts += [np.where(rng.random(300) < 0.1, special, 3) for special in (0.5, np.nan, -np.inf, -0.0)]
    starts = starts if np.dtype(dtype).kind == "f" else starts[:3]
    with np.errstate(over="ignore"):
        starts = [a.astype(dtype) for a in starts]
    for start in starts:
        for value in np.array(VALUES[dtype], dtype):
            for at in (rng.integers(0, 150, 4001), np.full(3000, 7), np.arange(2100) // 100):
                at, expected = at.astype("uint8"), (start.copy(), start[::-2].copy())
                with np.errstate(all="ignore"):
                    np.add.at(expected[0], at, value)
                    np.add.at(expected[1], at, value)
                for got, wanted in zip(f(at, start, value), expected, strict=True):
                    np.testing.assert_array_equal(got, wanted)
                    if got.dtype.kind == "f":
                        np.testing.assert_array_equal(np.signbit(got[got == 0]), np.signbit(wanted[wanted == 0]))
