"""The error of sums, never above NumPy's; extrema over lanes that repeat elements."""

from __future__ import annotations

from functools import cache
from typing import Any

import cases
import numpy as np
import pytest
from end_of_memory import End, behind_a_line
from tuned import tuned

import tensordsl
import tensordsl.tensor as T
from tensordsl.codegen.compiler.pipeline import make_program
from tensordsl.codegen.cpu.planner import plan
from tensordsl.codegen.cpu.schedule import line_aligned, line_aligned_total, schedule
from tensordsl.codegen.fusion.group import LineAlignment
from tensordsl.codegen.target.machine import native_width

N = 20_000_000
RNG = np.random.default_rng(8)
DATA = ("equal", "uniform", "normal", "spread")


@cache
def data() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(7)
    return {
        "equal": np.full(N, 0.1, "float32"),
        "uniform": rng.random(N, dtype="float32"),
        "normal": rng.standard_normal(N, dtype="float32"),
        "spread": np.exp(rng.standard_normal(N, dtype="float32") * 3),
    }


def errors(got: Any, exact: Any) -> Any:
    """In units in the last place of float32."""
    return np.abs(got - exact) / np.spacing(np.abs(exact).astype("float32"))


@pytest.mark.parametrize("name", DATA)
def test_large_sums_of_float32_err_less_than_numpys(name: str) -> None:
    x = T.fvector()
    total = tensordsl.function([x], x.sum())
    a = data()[name]
    for part in (a, a[::2], a[3::-1], a[:1000], a[:77]):
        exact = part.sum(dtype="float64")
        assert errors(total(part), exact) <= max(errors(part.sum(), exact), 1)


@pytest.mark.parametrize("shape", [(1000, 1000), (20_000, 100), (100, 20_000), (3, 77), (70, 64), (2, 4200), (1, 1)])
def test_sums_over_an_axis_err_less_than_numpys(shape: tuple[int, int]) -> None:
    x = T.fmatrix()
    sums = tensordsl.function([x], [x.sum(0), x.sum(1), (x * x).sum(1)])
    a = np.random.default_rng(1).random(shape, dtype="float32")
    for layout in (a, a.T.copy().T, np.repeat(a, 2, axis=1)[:, ::2]):
        for got, term, axis in zip(sums(layout), (a, a, a * a), (0, 1, 1), strict=True):
            exact = term.sum(axis, dtype="float64")
            assert errors(got, exact).max() <= max(errors(term.sum(axis), exact).max(), 2)


@pytest.mark.parametrize("dtype", ["int8", "float32", "float64", "complex128"])
def test_sums_over_the_first_axis_of_many_columns(dtype: str) -> None:
    """Longer than a block, and packed in shorter ones where they stand apart."""
    x, y, z = (T.TensorType(dtype, (None, None))(name) for name in "xyz")
    sums = tensordsl.function([x, y, z], [x.sum(0), (x * y * z).sum(0)])
    for n in (255, 257, 2500, 4096, 4097, 9000):
        a, b, c = np.random.default_rng(n).integers(0, 4, (3, 35, n)).astype(dtype)
        for one in (a, np.asfortranarray(a), np.repeat(a, 3, axis=1)[:, ::3], a[::-1, ::-1].copy()[::-1, ::-1]):
            for got, want in zip(sums(one, b, np.repeat(c, 2, axis=1)[:, ::2]), (a, a * b * c), strict=True):
                np.testing.assert_array_equal(got, want.sum(0), err_msg=str(n))


def test_sums_of_no_elements_and_of_what_is_not_finite() -> None:
    x = T.fmatrix()
    sums = tensordsl.function([x], [x.sum(0), x.sum(1), x.sum()])
    for a in (np.zeros((0, 5)), np.zeros((5, 0)), np.full((3, 700), -0.0)):
        got = sums(a.astype("float32"))
        for y, axis in zip(got, (0, 1, None), strict=True):
            np.testing.assert_array_equal(y, a.sum(axis))
    a = np.ones((4, 1500), "float32")
    a[0, 700], a[1, 1499], a[2, 3], a[2, 900] = np.nan, np.inf, np.inf, -np.inf
    np.testing.assert_array_equal(sums(a)[1], [np.nan, np.inf, np.nan, 1500])


def test_an_accumulator_of_float64_that_is_asked_for_adds_every_element() -> None:
    x = T.fvector()
    a = np.array([1e8, 1, -1e8], "float32")
    assert tensordsl.function([x], T.sum(x, acc_dtype="float64"))(a) == 1
    assert T.sum(x, acc_dtype="float64").dtype == "float32"
    assert tensordsl.function([x], T.sum(x, dtype="float64"))(a) == 1


def test_sums_of_float64_in_packed_blocks_and_in_place() -> None:
    x = T.vector()
    total = tensordsl.function([x], x.sum())
    a = np.full(2_000_000, 0.1)
    for part in (a, a[::2], a[::-1]):
        assert abs(total(part) - np.float64(0.1) * len(part)) <= 4 * np.spacing(0.1 * len(part))


@pytest.mark.parametrize("dtype", ["float64", "float32", "int16", "bool"])
@pytest.mark.parametrize("n", [1, 5, 64, 65, 127, 300, 1000, 5000])
def test_positions_of_extrema_with_ties_and_nan(dtype: str, n: int) -> None:
    x = T.matrix(dtype=dtype)
    f = tensordsl.function([x], [T.argmax(x, axis=1), T.argmin(x, axis=1), x.max(1), x.min(1)])
    rng = np.random.default_rng(n)
    a = rng.integers(0, 2 if dtype == "bool" else 9, (7, n)).astype(dtype)
    if dtype.startswith("float"):
        a[1] = -np.inf
        a[2] = np.inf
        a[3, rng.integers(0, n, 3)] = np.nan
        a[4] = np.nan
        a[5] = np.where(np.arange(n) % 2, 0.0, -0.0)
    for layout in (a, np.repeat(a, 2, axis=1)[:, ::2], np.asfortranarray(a)):
        for got, want in zip(f(layout), (a.argmax(1), a.argmin(1), a.max(1), a.min(1)), strict=True):
            np.testing.assert_array_equal(got, want)


def test_padded_lanes_repeat_the_position_of_the_last_element() -> None:
    """An extremum of values that grow with their position: the lanes behind the last element must not count."""
    x = T.vector()
    k = T.arange(x.shape[0])
    f = tensordsl.function([x], [T.max(x * k), T.argmax(x * k), T.min(x - k)])
    for n in (1, 3, 17, 70, 300):
        a = np.linspace(1, 2, 2 * n)[::2]
        want = a * np.arange(n)
        got = f(a)
        assert (got[0], got[1], got[2]) == (want.max(), want.argmax(), (a - np.arange(n)).min())


@pytest.mark.parametrize("dtype", ["float64", "float32", "int32", "int8"])
def test_rows_of_every_length_count_each_element_once(dtype: str) -> None:
    """Sums, products and extrema of short and long bodies, alone and together; all results are exact."""
    x, k = T.TensorType(dtype, (None, None))("x"), T.TensorType(dtype, (None,))("k")
    long = T.switch(x > 1, 2, T.switch(x < -1, -1, T.switch(x > 0, 1, T.switch(x < 0, -2, 0)))) * (x + 2) - x
    parts = [x.sum(1), (x * x).sum(1), long.sum(1), T.prod(1 - 2 * (x > 1), axis=1), x.max(1), T.any(x > 2, axis=1)]
    functions = [*(tensordsl.function([x], part) for part in parts), tensordsl.function([x], parts)]
    rows = tensordsl.function([x, k], [(x * k).sum(1), x.min(1)])
    rng = np.random.default_rng(3)
    for n in (*range(1, 70), 127, 128, 129, 255, 257, 511, 513, 640, 1023, 1025, 1100, 2049):
        a = rng.integers(-3, 4, (int(rng.integers(1, 6)), n)).astype(dtype)
        wide = a.astype("int64")
        chosen = np.select([wide > 1, wide < -1, wide > 0, wide < 0], [2, -1, 1, -2], 0) * (wide + 2) - wide
        wanted = [
            wide.sum(1), (wide * wide).sum(1), chosen.sum(1), np.where(wide > 1, -1, 1).prod(1), wide.max(1), (wide > 2).any(1),
        ]  # fmt: skip
        got = [f(a) for f in functions[:-1]]
        for some in (got, functions[-1](a)):
            for one, want in zip(some, wanted, strict=True):
                np.testing.assert_array_equal(one, want.astype(one.dtype), err_msg=str(n))
        factors = rng.integers(-2, 3, n).astype(dtype)
        total, least = rows(a, factors)
        np.testing.assert_array_equal(total, (wide * factors).sum(1).astype(total.dtype))
        np.testing.assert_array_equal(least, wide.min(1))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("n", [256, 257, 513, 1000, 1087, 2111])
def test_rows_of_known_lengths_are_those_of_unknown_ones(dtype: str, n: int) -> None:
    """Long ones have chunks of twice as many lanes, whether their length is known before the call or not."""
    known, unknown = T.TensorType(dtype, (None, n))("x"), T.TensorType(dtype, (None, None))("x")
    f, g = (tensordsl.function([x], [x.sum(1), x.var(1)]) for x in (known, unknown))
    a = np.random.default_rng(n).integers(-3, 4, (5, n)).astype(dtype)
    for layout in (a, np.repeat(a, 2, axis=1)[:, ::2], a[::-1]):
        for one, other in zip(f(layout), g(layout), strict=True):
            np.testing.assert_array_equal(one, other)
        np.testing.assert_array_equal(f(layout)[0], layout.sum(1))


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16", "bool", "float16"])
def test_short_rows_of_small_elements_at_the_end_of_memory(dtype: str, ends: list[End]) -> None:
    x, w = T.TensorType(dtype, (None, None))(), T.TensorType(dtype, (None,))()
    outputs = [x.any(axis=1), x.all(axis=1), T.max(x, axis=1), T.min(x, axis=1), x.sum(axis=1)]
    numpys = [
        lambda a, b: a.any(1),
        lambda a, b: a.all(1),
        lambda a, b: a.max(1),
        lambda a, b: a.min(1),
        lambda a, b: a.sum(1),
    ]
    if dtype not in ("bool", "float16"):
        outputs += [T.dot(x, w), x.prod(axis=1), T.dot(x[:5], x.T), (x - w).max(axis=1)]
        numpys += [
            lambda a, b: a @ b,
            lambda a, b: a.prod(1),
            lambda a, b: a[:5] @ a.T,
            lambda a, b: (a - b).max(1),
        ]
    f, rng = tensordsl.function([x, w], outputs, on_unused_input="ignore"), np.random.default_rng(4)
    for n in (1, 2, 7, 8, 31, 63, 64, 65, 100, 127, 128, 129, 200, 255, 256, 257, 300):
        for rows in (1, 2, 5, 7, 8, 9, 16, 23):
            values = rng.integers(-3, 100, (rows, n))
            values = (values > 95) if dtype == "bool" else np.minimum(values, 9) if dtype == "float16" else values
            a, b = ends[0].put(values.astype(dtype)), ends[1].put(values[0, ::-1].astype(dtype))
            for name, (ours, numpy) in enumerate(zip(f(a, b), numpys, strict=True)):
                np.testing.assert_array_equal(ours, numpy(a, b), err_msg=f"{name} of {rows} rows of {n}")


def sums(x: Any, y: Any) -> list[Any]:
    more = [x.mean(axis=1), x.var(axis=1), ((x - y) ** 2).sum(axis=1), (x * x).mean()]
    totals = [x.sum(), (x * y).sum(), ((x - y) ** 2).sum(), abs(x - y).mean(), x.var()]
    return [x.sum(axis=1), (x * y).sum(axis=1), *totals, *more]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_sums_are_the_same_wherever_in_a_cache_line_rows_begin(dtype: str) -> None:
    x, y = (T.TensorType(dtype, (None, None))(name) for name in "xy")
    functions, rng = (
        [tensordsl.function([x, y], z, on_unused_input="ignore") for z in sums(x, y)],
        np.random.default_rng(3),
    )
    for shape in (
        (3, 511),
        (7, 257),
        (20, 300),
        (2, 513),
        (5, 1000),
        (2, 1024),
        (1, 1025),
        (1, 63),
        (1, 64),
        (4, 16),
        (2, 3105),
        (1, 30001),
    ):
        a, b = rng.normal(size=(2, *shape)).astype(dtype)
        wanted = [f(behind_a_line(a, 0), behind_a_line(b, 0)) for f in functions]
        for got, exact in zip(wanted, sums(a.astype(np.longdouble), b.astype(np.longdouble)), strict=True):
            np.testing.assert_allclose(
                got, exact.astype("float64"), rtol=1e-5, atol=3e-3 if dtype == "float32" else 1e-11
            )
        for away in range(a.itemsize, 64, a.itemsize):
            here = behind_a_line(a, away), behind_a_line(b, 3 * away % 64)
            for f, want in zip(functions, wanted, strict=True):
                np.testing.assert_array_equal(f(*here), want, err_msg=f"{shape} {away}")


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_sums_of_rows_are_the_same_however_many_rows_there_are(dtype: str) -> None:
    x = T.TensorType(dtype, (None, None))()
    f = tensordsl.function([x], [x.sum(axis=1), x.var(axis=1)])
    a = np.random.default_rng(5).random((2200, 1000)).astype(dtype)
    for one, other in zip(f(a), f(a[:40]), strict=True):
        np.testing.assert_array_equal(one[:40], other)


def test_sums_of_rows_that_begin_or_end_where_memory_does(ends: list[End]) -> None:
    x, y = T.dmatrix(), T.dmatrix()
    functions, rng = (
        [tensordsl.function([x, y], z, on_unused_input="ignore") for z in sums(x, y)],
        np.random.default_rng(4),
    )
    for shape in ((1, 9), (1, 100), (5, 261), (2, 517), (3, 1000), (1, 1023), (1, 4099), (3, 3001)):
        a, b = rng.normal(size=(2, *shape))
        wanted = sums(a, b)
        for place in ("put", "put_first"):
            here = getattr(ends[0], place)(a), getattr(ends[1], place)(b)
            for f, want in zip(functions, wanted, strict=True):
                np.testing.assert_allclose(f(*here), want, rtol=1e-12, atol=1e-12)


def test_long_rows_of_floats_have_a_schedule_for_cache_lines() -> None:
    """Those of float32 where loads that straddle lines are dear."""
    for dtype, found in (("float32", False), ("float32", True), ("float64", True)):
        wide = tuned(machine={"vector_bytes": 64, "prefers_halves": found})
        narrow = tuned(wide, machine={"vector_bytes": 32})
        group = cases.meanvar(dtype)
        chosen = line_aligned(group, schedule(group, wide), wide)
        assert bool(chosen) == found and not line_aligned(group, schedule(group, wide), narrow)
        if chosen and native_width() == 64:
            assert chosen.line_alignment == LineAlignment.CHUNKS and all(
                "masked.load" in t for t in plan(group, chosen, "k", wide).kernels.texts if "\nloop:" in t
            )
    assert line_aligned(cases.argmax("float64"), schedule(cases.argmax("float64"), wide), wide) is None


@pytest.mark.parametrize("is_dear", [False, True])
@pytest.mark.parametrize("dtype", ["float64", "float32", "int64"])
def test_totals_have_a_schedule_for_cache_lines(dtype: str, is_dear: bool) -> None:
    """Of what is loaded and of products; of few operations where loads that straddle lines are dear."""
    wide = tuned(machine={"vector_bytes": 64, "prefers_halves": is_dear})
    narrow = tuned(wide, machine={"vector_bytes": 32})
    x, k = T.TensorType(dtype, (None, None))("x"), T.lvector("k")
    has, few = (x.sum(), x.mean(), (x**2).sum()), ((x + x * x).sum(), x.var(), ((x - x[0, 0]) ** 2).mean())
    none = x.sum(1), x.max(), (x * x).prod(), T.exp(x).sum(), (x / x).sum(), x[k, k].sum(), T.arange(x.shape[0]).sum()
    for z, found in (*((z, True) for z in has), *((z, is_dear) for z in few), *((z, False) for z in none)):
        _, program, _ = make_program("f", [x, k], [], [z], [], True)
        group = list({id(made.group): made.group for made in program.plans}.values())[-1]
        chosen = line_aligned_total(group, schedule(group, wide), wide)
        assert bool(chosen) == (found and dtype != "int64")
        assert line_aligned_total(group, schedule(group, wide), narrow) is None
        if chosen and native_width() == 64:
            assert any("masked.load" in t for t in plan(group, chosen, "k", wide).kernels.texts)


def of_steps(terms: list[Any]) -> Any:
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total


def reductions(outputs: list[Any], *inputs: Any) -> int:
    program = make_program("f", inputs, (), outputs, (), False)[1]
    return sum(v.op == "reduce" for p in program.plans[:1] for v in p.group.scalars)


X, Y = T.dmatrix("x"), T.dvector("y")


def test_many_sums_that_are_added_are_one() -> None:
    terms = [T.tanh(X * float(k)).sum(0) for k in range(40)]
    assert reductions([of_steps(terms)], X) == 1
    assert reductions([of_steps(terms[:8])], X) == 8
    x = RNG.normal(size=(13, 7))
    got = tensordsl.function([X], [of_steps(terms), terms[3]])(x)
    np.testing.assert_allclose(got[0], sum(np.tanh(x * k).sum(0) for k in range(40)), rtol=1e-12)
    np.testing.assert_allclose(got[1], np.tanh(x * 3).sum(0), rtol=1e-12)


@pytest.mark.parametrize(
    "terms",
    [
        [(X * float(k)).sum(k % 2) for k in range(30)],
        [(X * float(k)).sum(0) if k % 5 else (Y * X[k % 3]) for k in range(30)],
        [T.cast(X * float(k), "int32").sum(0) for k in range(30)],
        [X[k % 3 :].sum(0) * float(k) + X[: k % 2 + 1].sum(0) for k in range(30)],
        [(X[k % 3 :] * float(k)).sum(0) for k in range(30)],
        [(X.T * float(k)).sum(k % 2) for k in range(3)] + [(X * float(k)).sum(0) for k in range(30)],
    ],
)
def test_sums_of_other_axes_lengths_and_dtypes_are_added_as_they_are(terms: list[Any]) -> None:
    x, y = RNG.normal(size=(5, 5)), RNG.normal(size=5)
    got = tensordsl.function([X, Y], of_steps(terms), on_unused_input="ignore")(x, y)
    want = tensordsl.function([X, Y], of_steps(terms), on_unused_input="ignore", mode="REFERENCE")(x, y)
    np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-12)


def test_what_one_of_few_sums_cancels_meets_no_other_elements() -> None:
    z = T.dvector()
    f = tensordsl.function([Y, z], Y.sum() + z.sum())
    assert f([1e20, -1e20], [1.0, 1.0]) == 2
    assert f([1.7e308, -1.7e308], [1.7e308, -1.7e308]) == 0


def test_sums_in_the_loop_of_a_jacobian() -> None:
    first = [(X * float(k)).sum(0) for k in range(12)]
    values = of_steps([*[T.tanh(X * Y * float(k)).sum(0) for k in range(12)], *first])
    outputs = [values, T.jacobian(values * values, Y), T.jacobian((values**2).sum() * Y, Y)]
    x, y = RNG.normal(size=(5, 5)) * 0.1, RNG.normal(size=5)
    for got, want in zip(
        *(tensordsl.function([X, Y], outputs, mode=m)(x, y) for m in (None, "REFERENCE")), strict=True
    ):
        np.testing.assert_allclose(got, want, rtol=1e-11)
