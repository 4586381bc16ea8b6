"""Every reducer over every dtype it takes: rows, columns and all elements, against NumPy: NaN rules, identities."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from native import Runner, framed

from tensordsl.codegen.group import Buffer, Group, Out
from tensordsl.codegen.scalar import COMPUTED, INTEGERS, Builder
from tensordsl.ops import reducers

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
