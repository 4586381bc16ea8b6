"""Every reducer over every dtype it takes: rows, columns and all elements, against NumPy: NaN rules, identities."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from native import Runner, framed

import tensordsl
import tensordsl.tensor as T
from tensordsl.codegen.fusion.group import Buffer, Group, Out
from tensordsl.codegen.scalar_ir.builder import COMPUTED, INTEGERS, Builder
from tensordsl.ops.array import reducers

NUMPY: dict[str, Callable[..., Any]] = {
    "sum": lambda x, axis: x.sum(axis, dtype=x.dtype),
    "prod": lambda x, axis: x.prod(axis, dtype=x.dtype),
    "max": lambda x, axis: x.max(axis),
    "min": lambda x, axis: x.min(axis),
    "argmax": lambda x, axis: x.argmax(axis),
    "argmin": lambda x, axis: x.argmin(axis),
    "any": lambda x, axis: x.any(axis),
    "all": lambda x, axis: x.all(axis),
}
CASES = [
    (r, t)
    for r in reducers.REDUCERS
    for t in ("bool", *INTEGERS, *COMPUTED)
    if (t == "bool") == (r.name in ("any", "all")) or (t == "bool" and r.name in ("max", "min", "argmax", "argmin"))
]
SHAPES = [(1, 1), (3, 5), (2, 64), (3, 129), (70, 3), (2, 4200)]


def reduction(reducer: Any, dtype: str, axis: int) -> Group:
    """Over axis 0 or 1 of a matrix."""
    b, kept, gone = Builder(), "ij"[1 - axis], "ij"[axis]
    operands = [b.load(Buffer("x", dtype, ("n", "m")), "i", "j")]
    if reducer.name.startswith("arg"):
        operands.append(b.index(gone))
    result = b.reduce(reducer, (gone,), *operands)[-1]
    extents = {kept: "nm"[1 - axis], gone: "nm"[axis]}
    out = Out(Buffer("y", result.type, ("nm"[1 - axis],)), (kept,), result)
    return Group(reducer.name, extents, (kept,), (out,))


def values(shape: tuple[int, ...], dtype: str, kind: str, rng: np.random.Generator) -> np.ndarray:
    if dtype == "bool":
        return rng.integers(0, 2, size=shape).astype(bool) if kind == "random" else np.full(shape, kind == "same")
    if dtype in COMPUTED:
        x = rng.standard_normal(shape).astype(dtype)
        if kind == "nan":
            x[rng.random(shape) < 0.05] = np.nan
            x[rng.random(shape) < 0.05] = np.inf
        return np.full(shape, -np.inf, dtype) if kind == "same" else x
    info = np.iinfo(dtype)
    x = rng.integers(info.min, info.max, size=shape, dtype=dtype, endpoint=True)
    return np.full(shape, info.min, dtype) if kind == "same" else x // (3 if kind == "nan" else 1)


@pytest.mark.parametrize(("reducer", "dtype"), CASES, ids=lambda v: getattr(v, "name", v))
def test_reducer_agrees_with_numpy(reducer: Any, dtype: str) -> None:
    rng = np.random.default_rng(1)
    for axis in (0, 1):
        run = Runner(reduction(reducer, dtype, axis))
        for shape in SHAPES:
            for kind in ("random", "nan", "same"):
                x = values(shape, dtype, kind, rng)
                with np.errstate(all="ignore"):
                    expected = NUMPY[reducer.name](x, axis)
                y, intact = framed(expected.shape, str(expected.dtype))
                assert run({"x": x, "y": y}) == 0
                intact()
                if dtype in COMPUTED and expected.dtype == x.dtype:
                    limit = 1e-4 if dtype == "float32" else 1e-10
                    np.testing.assert_allclose(y, expected, rtol=limit, atol=limit)
                else:
                    np.testing.assert_array_equal(y, expected, err_msg=f"{shape} {kind} axis {axis}")


@pytest.mark.parametrize(("reducer", "dtype"), CASES, ids=lambda v: getattr(v, "name", v))
def test_no_elements_give_the_identity(reducer: Any, dtype: str) -> None:
    run = Runner(reduction(reducer, dtype, 1))
    x = np.zeros((3, 0), dtype)
    y, intact = framed((3,), "int64" if reducer.name.startswith("arg") else dtype)
    assert run({"x": x, "y": y}) == 0
    intact()
    expected = 0 if reducer.name.startswith("arg") else reducer.identity((dtype,))[0]
    np.testing.assert_array_equal(y, np.full(3, expected, y.dtype))


def test_full_sums_are_as_exact_as_pairwise_ones() -> None:
    b = Builder()
    for dtype in COMPUTED:
        (s,) = b.reduce(reducers.SUM, ("i",), b.load(Buffer("x", dtype, ("n",)), "i"))
        run = Runner(Group("sum", {"i": "n"}, (), (Out(Buffer("y", dtype, ()), (), s),)))
        x, y = np.random.default_rng(2).random(1_000_000).astype(dtype), np.zeros((), dtype)
        assert run({"x": x, "y": y}) == 0
        exact = x.astype(np.longdouble).sum()
        assert abs(y - exact) <= 4 * np.spacing(np.asarray(exact, dtype))


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint8", "int16", "uint16"])
def test_first_extrema_of_short_integers(dtype: str) -> None:
    """Lanes count vectors in chunks of 255: extrema in each part of a line, several of them, or nothing else."""
    x, rng = T.TensorType(dtype, (False, False))(), np.random.default_rng(11)
    top, low = (True, False) if dtype == "bool" else (np.iinfo(dtype).max, np.iinfo(dtype).min)
    alone = tensordsl.function([x], [x.argmax(1), x.argmin(1)])
    beside = tensordsl.function(
        [x], [x.argmax(1), x.argmin(1), x.max(1), T.cast(x, "float32").sum(1), T.cast(x, "int64").sum(1)]
    )
    for n in (1, 7, 63, 64, 65, 100, 130, 255 * 32, 255 * 64 + 1, 255 * 128 + 77, 100_003):
        for places in ([], [0], [n - 1], [n // 2, n - 1], sorted(rng.integers(0, n, 3))):
            for background, peak in ((low, top), (top, low), (top, top), (low, low)):
                a = np.full((3, n), background, dtype)
                a[1, places] = peak
                for given in (a, a[:, ::-1], np.asfortranarray(a)):
                    wanted = given.argmax(1), given.argmin(1), given.max(1)
                    for f in (alone, beside):
                        for got, want in zip(f(given), wanted, strict=False):
                            np.testing.assert_array_equal(got, want)
        a = rng.integers(low, top, (5, n), endpoint=True).astype(dtype)
        sums = a.astype("float32").sum(1, dtype="float64"), a.sum(1, dtype="int64")
        for got, want in zip(beside(a), (a.argmax(1), a.argmin(1), a.max(1), *sums), strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-6)


LOOKS: dict[str, Any] = {
    "truths": lambda b, x, k: [b.any(), b.all(), b.max(), b.min(), b.argmax(), b.argmin()],
    "one by one": lambda b, x, k: [b.any() & (x.sum() > 0)],
    "computed": lambda b, x, k: [(x > 3).any(), (x * x < 9).all(), (x > 3).argmax()],
    "two of one loop": lambda b, x, k: [(x > 3).any(), (x > 3).argmax(), (x < 4).all()],
    "beside a sum and what is stored": lambda b, x, k: [(x > 3).any(), x.sum(), x * 2],
    "along rows": lambda b, x, k: [(x[None] > 3).any(1), (x[None] > 3).argmax(1)],
}


@pytest.mark.parametrize("name", LOOKS)
def test_truths_that_are_decided_early(name: str) -> None:
    """Of lines that are one chunk, several, and several parts: decided in each of them, or in none."""
    b, x, k = T.TensorType("bool", (False,))(), T.dvector(), T.lvector()
    f = tensordsl.function([b, x, k], LOOKS[name](b, x, k), on_unused_input="ignore")
    for n in (1, 300, 40_000, 3_000_000):
        for place in (None, 0, n // 3, n - 1):
            a = np.zeros(n)
            a[[] if place is None else place] = 5
            for given in (a, a[::-1], np.repeat(a, 2)[::2], 5 - a):
                for truths in (given > 3, given <= 3):
                    for got, want in zip(f(truths, given, []), LOOKS[name](truths, given, []), strict=True):
                        np.testing.assert_array_equal(got, want)


def test_an_index_out_of_range_is_found_behind_what_decides() -> None:
    x, k = T.dvector(), T.lvector()
    for make in (lambda x, k: (x[k] > 3).any(), lambda x, k: (x[k] > 3).argmax(), lambda x, k: (x[k] < 3).all()):
        f = tensordsl.function([x, k], make(x, k))
        for n in (1000, 3_000_000):
            at = np.zeros(n, "int64")
            assert f([5.0], at) == make(np.array([5.0]), at)
            for place in (n // 2, n - 1):
                wrong = at.copy()
                wrong[place] = 1
                with pytest.raises(IndexError):
                    f([5.0], wrong)
