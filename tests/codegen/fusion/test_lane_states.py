"""Sums of truths and short integers, which lanes count in integers as short: NumPy's, also where all of them are as
large as they can be, of lengths around what a lane has room for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import tensordsl
import tensordsl.tensor as T
from tensordsl.codegen.compiler.pipeline import make_program
from tensordsl.codegen.fusion.lane_states import counter

DTYPES = ["bool", "int8", "uint8", "int16", "uint16"]
LENGTHS = [1, 2, 63, 65, 130, 253 * 128 + 1, 254 * 64 + 63, 255 * 128 + 77, 256 * 64 + 1, 257 * 128 + 1, 100_003]


@pytest.fixture(autouse=True)
def one_thread_afterwards() -> Iterator[None]:
    yield
    tensordsl.config.num_threads = 1


def extremes(dtype: str) -> tuple[Any, Any]:
    return (False, True) if dtype == "bool" else (np.iinfo(dtype).min, np.iinfo(dtype).max)


def sums(m: Any, x: Any, axis: int | None) -> list[Any]:
    return [x.sum(axis=axis), x.mean(axis=axis), (x > 0).mean(axis=axis), x.sum(axis=axis, dtype="float64")]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("axis", [None, 0, 1])
def test_sums_of_short_integers(dtype: str, axis: int | None) -> None:
    x = T.TensorType(dtype, (None, None))("x")
    functions = [tensordsl.function([x], z) for z in (*sums(T, x, axis), sums(T, x, axis))]
    low, high = extremes(dtype)
    rng = np.random.default_rng(5)
    shapes = (
        [(1, n) for n in LENGTHS] + [(n, 1) for n in LENGTHS] + [(2, 16_300), (300, 20), (5000, 3), (3, 300), (0, 3)]
    )
    for shape in shapes if axis is not None else shapes[:-1]:
        drawn = rng.integers(low, high, shape, endpoint=True).astype(dtype)
        for a in (
            np.full(shape, low, dtype),
            np.full(shape, high, dtype),
            drawn,
            drawn[:, ::-1],
            np.asfortranarray(drawn),
        ):
            if axis == 0 and not shape[0]:
                continue
            wanted = sums(np, a, axis)
            for tensordsl.config.num_threads in (1, 3):
                for got in ([f(a) for f in functions[:-1]], functions[-1](a)):
                    for g, w in zip(got, wanted, strict=True):
                        assert g.dtype == w.dtype
                        np.testing.assert_allclose(g, w, rtol=1e-15, err_msg=f"{shape}")


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "int64", "int16", "uint8"])
def test_counts_of_comparisons(dtype: str) -> None:
    """Also of operands with longer elements than a lane counts in, and beside other reductions."""
    x, y = (T.TensorType(dtype, (None,))(name) for name in "xy")
    z = [T.eq(x, y).sum(), T.mean(T.neq(x, y)), ((x > 0) & (x < y)).sum(), T.cast(x > y, "float32").mean()]
    beside = [*z, x.max(), (x * y).sum(), x.argmin()]
    functions = [tensordsl.function([x, y], outputs) for outputs in (*([a] for a in z), z, beside)]
    rng = np.random.default_rng(6)
    for n in LENGTHS:
        for top in (1, 4):
            a, b = rng.integers(0, top, (2, n)).astype(dtype)
            w = [(a == b).sum(), (a != b).mean(), ((a > 0) & (a < b)).sum(), (a > b).mean(dtype="float64")]
            got = [f(a, b) for f in functions]
            for g in (sum((list(r) for r in got[:4]), []), got[4], got[5][:4]):
                np.testing.assert_allclose(g, w, rtol=1e-6, err_msg=f"{n}")
            np.testing.assert_allclose(got[5][4:], [a.max(), (a * b).sum(), a.argmin()], rtol=1e-6)


@pytest.mark.parametrize("dtype", ["int8", "int16", "uint8"])
def test_positions_beside_sums_around_what_a_lane_can_count(dtype: str) -> None:
    """A row's last vector may be one more than a chunk has."""
    x = T.TensorType(dtype, (None, None))("x")
    others = [T.cast(x, "int64").sum(1), T.cast(x, "int32").sum(1), T.cast(x, "float64").sum(1)]
    functions = [tensordsl.function([x], [x.argmax(1), z]) for z in others]
    for n in (m * lanes + k for m in (254, 255, 256) for lanes in (16, 32, 64, 128) for k in (0, 1, 5)):
        a = np.zeros((2, n), dtype)
        a[1, n - 1] = 7
        for f in functions:
            places, total = f(a)
            assert places.tolist() == [0, n - 1] and total.tolist() == [0, 7]


def test_what_is_counted_and_in_what() -> None:
    x, b, u = T.fmatrix(), T.bmatrix(), T.TensorType("uint8", (None, None))()
    found = {"float32 compared": T.mean(x > 0), "int8": b.sum(), "uint8": u.mean(), "truths": T.neq(u, u[::-1]).sum()}
    counted = {}
    for name, value in found.items():
        (operand,) = tensordsl.graph.inputs_of([value])
        _, program, _ = make_program("f", [operand], [], [value], [], True)
        (reduce,) = {id(v): v for p in program.plans for v in p.group.scalars if v.op == "reduce"}.values()
        counted[name] = counter(reduce)
    assert counted == {
        "float32 compared": ("uint32", 4095),
        "int8": ("int16", 254),
        "uint8": ("uint16", 254),
        "truths": ("uint8", 254),
    }
