"""Reductions over the first axis of few columns, several rows of which are taken as one."""

from __future__ import annotations

import re
from typing import Any

import cases
import numpy as np
import pytest
from end_of_memory import End
from native import Runner, framed
from tuned import HERE, WIDE

import tensordsl
import tensordsl.tensor as T
from tensordsl.codegen.compiler.pipeline import make_program, optimise_lowered
from tensordsl.codegen.cpu.schedule import has_segmented_rows, schedule
from tensordsl.codegen.fusion.placement import plan_regions
from tensordsl.codegen.tensor_ir.lower import lower

COLUMNS = [
    1,
    2,
    3,
    5,
    7,
    8,
    10,
    16,
    17,
    31,
    32,
    33,
    50,
    63,
    64,
    65,
    100,
    127,
    192,
    HERE.loops.wide_max_columns,
    HERE.loops.wide_max_columns + 1,
]
ROWS = [0, 1, 2, 7, 8, 9, 15, 31, 64, 100, 257, 1000]
SPECIAL = (np.nan, np.inf, -np.inf, 0.0, -0.0)
KINDS: dict[str, Any] = {
    "sum": lambda x: x.sum(0),
    "prod": lambda x: (1 + x / 100).prod(0),
    "mean": lambda x: x.mean(0),
    "var": lambda x: x.var(0),
    "squares": lambda x: ((x - x[0]) ** 2).sum(0),
    "max": lambda x: x.max(0),
    "min": lambda x: x.min(0),
}
"""Those of columns that need no elements."""
EMPTY = ("sum", "prod")


def close(result: np.ndarray, wanted: np.ndarray) -> None:
    single = wanted.dtype == np.float32
    np.testing.assert_allclose(result, wanted, rtol=2e-5 if single else 1e-12, atol=1e-5 if single else 1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_number_of_rows_and_columns_agrees_with_numpy(kind: str, dtype: str) -> None:
    x, rng, end = T.matrix("x", dtype=dtype), np.random.default_rng(1), End()
    f = tensordsl.function([x], KINDS[kind](x))
    for n in ROWS if kind in EMPTY else ROWS[1:]:
        for k in COLUMNS:
            a = end.put(rng.standard_normal((n, k)).astype(dtype))
            kept = a.copy()
            close(f(a), KINDS[kind](a.astype("float64")).astype(dtype))
            np.testing.assert_array_equal(a, kept)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_places_of_columns_are_those_in_their_rows(dtype: str) -> None:
    x, w, i, rng = T.matrix("x", dtype=dtype), T.dvector("w"), T.lvector("i"), np.random.default_rng(2)
    columns = T.arange(x.shape[1])
    by_place = [(x * columns).sum(0), T.switch(columns > 1, x, 0).max(0), (x * w[i]).sum(0), (x - x[:, i]).sum(0)]
    f = tensordsl.function([x, w, i], by_place)
    for n in ROWS[1:]:
        for k in COLUMNS:
            a, weights, order = (
                rng.standard_normal((n, k)).astype(dtype),
                rng.standard_normal(k + 2),
                rng.permutation(k),
            )
            a64, at = a.astype("float64"), np.arange(k)
            wanted = (
                (a64 * at).sum(0),
                np.where(at > 1, a64, 0).max(0),
                (a64 * weights[order]).sum(0),
                (a64 - a64[:, order]).sum(0),
            )
            for got, want in zip(f(a, weights, order), wanted, strict=True):
                np.testing.assert_allclose(got, want, rtol=2e-5, atol=2e-3 if dtype == "float32" else 1e-9)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_each_row_counts_once(dtype: str) -> None:
    x = T.matrix("x", dtype=dtype)
    f = tensordsl.function([x], x.sum(0))
    for k in range(1, 40):
        for n in range(8, 150):
            a = np.arange(n * k, dtype=dtype).reshape(n, k) % 1024
            np.testing.assert_array_equal(f(a), a.sum(0))


@pytest.mark.parametrize("kind", ["sum", "max", "min", "mean"])
def test_what_is_not_finite_stays_in_its_column(kind: str) -> None:
    x, rng = T.dmatrix("x"), np.random.default_rng(2)
    f = tensordsl.function([x], KINDS[kind](x))
    for k in (1, 3, 10, 33, 50):
        for n in (8, 40, 700):
            for value in SPECIAL:
                a = rng.standard_normal((n, k))
                a[rng.integers(n), rng.integers(k)] = value
                close(f(a), KINDS[kind](a))


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint16", "int32", "int64", "float16"])
def test_discrete_and_narrow_types(dtype: str) -> None:
    x, rng = T.TensorType(dtype, (None, None))("x"), np.random.default_rng(3)
    kinds = [lambda x: x.any(0), lambda x: x.all(0), lambda x: x.max(0), lambda x: x.min(0)]
    if dtype != "float16":
        kinds.append(lambda x: x.sum(0))
    f = tensordsl.function([x], [kind(x) for kind in kinds])
    for k in (1, 3, 10, 33, 100, 128, 250):
        for n in (8, 64, 300):
            a = rng.integers(0, 100, (n, k)).astype(dtype)
            a[rng.random((n, k)) < 1e-2] = 0
            for result, kind in zip(f(a), kinds, strict=True):
                np.testing.assert_array_equal(result, kind(a))


def test_division_by_elements_of_no_row_does_not_happen() -> None:
    x, y = T.lmatrix("x"), T.lmatrix("y")
    f, rng = tensordsl.function([x, y], (x // y).sum(0)), np.random.default_rng(4)
    for n in (8, 33, 517):
        a, b = rng.integers(-99, 99, (n, 7)), rng.integers(1, 9, (n, 7))
        np.testing.assert_array_equal(f(a, b), (a // b).sum(0))


def test_rows_that_do_not_lie_one_behind_the_other() -> None:
    x, y = T.dmatrix("x"), T.dmatrix("y")
    f, rng = tensordsl.function([x, y], ((x - y) ** 2).sum(0)), np.random.default_rng(5)
    whole = rng.standard_normal((700, 24))
    views = [
        whole[:, :10],
        whole[::2, :10],
        whole[:, ::-1][:, :10],
        np.asfortranarray(whole)[:, :10],
        whole[::-1, 5:15],
    ]
    for a in views:
        for b in (
            *views,
            np.ascontiguousarray(a[::-1]),
            np.broadcast_to(a[:1], a.shape),
            np.broadcast_to(a[:, :1], a.shape),
        ):
            n = min(len(a), len(b))
            close(f(a[:n], b[:n]), ((a[:n] - b[:n]) ** 2).sum(0))


def test_more_axes_and_operands_that_rows_share() -> None:
    x, w, v = T.dtensor3("x"), T.dmatrix("w"), T.dvector("v")
    rng = np.random.default_rng(6)
    formulas = [
        lambda x, w, v: (x * w).sum((0, 1)),
        lambda x, w, v: (x * v).sum(1),
        lambda x, w, v: (x - v).max((0, 1)),
        lambda x, w, v: x.sum(0) * w,
    ]
    f = tensordsl.function([x, w, v], [g(x, w, v) for g in formulas])
    for shape in ((9, 40, 3), (1, 100, 10), (50, 8, 33), (100, 1, 3), (3, 500, 50)):
        a, b, c = rng.standard_normal(shape), rng.standard_normal(shape[1:]), rng.standard_normal(shape[2])
        for result, g in zip(f(a, b, c), formulas, strict=True):
            close(result, g(a, b, c))


@pytest.mark.parametrize("columns", [3, 10, 33, 100])
def test_a_bias_is_updated_in_place(columns: int) -> None:
    b = tensordsl.shared(np.ones(columns))
    g = T.dmatrix("g")
    f = tensordsl.function([g], [], updates=[(b, b - 0.1 * g.sum(0))])
    wanted, rng = np.ones(columns), np.random.default_rng(7)
    for n in (8, 31, 200, 5000):
        a = rng.standard_normal((n, columns))
        f(a)
        wanted -= 0.1 * a.sum(0)
        close(b.get_value(), wanted)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_columns_are_standardised(dtype: str) -> None:
    x, g = T.matrix("x", dtype=dtype), T.matrix("g", dtype=dtype)
    rng, end = np.random.default_rng(11), End()
    scaled = (x - x.mean(0)) / T.sqrt(x.var(0) + 1)
    f = tensordsl.function([x], [scaled, x - x.max(0)])
    gradient = tensordsl.function([x, g], T.grad((scaled * g).sum(), x))
    for n in ROWS[1:]:
        for k in COLUMNS[::2]:
            a, b = (rng.standard_normal((n, k)).astype(dtype) for _ in "ab")
            wide, u = a.astype("float64"), b.astype("float64")
            root = np.sqrt(wide.var(0) + 1)
            y = (wide - wide.mean(0)) / root
            for result, wanted in zip(f(end.put(a)), (y, wide - wide.max(0)), strict=True):
                close(result, wanted.astype(dtype))
            close(gradient(a, b), ((u - u.mean(0) - y * (u * y).mean(0)) / root).astype(dtype))


def test_rows_load_nothing_that_is_the_same_in_all_of_them() -> None:
    x = T.dmatrix("x")
    plans = make_program("f", [x], [], [((x - x.mean(0)) ** 2).sum(0)], [], False)[1].plans
    texts = [text for plan in plans for text in plan.kernels.texts if "%folds" in text]
    rows = [re.findall(r"^(?:row|across):$(.*?)^\w+:$", text, re.DOTALL | re.MULTILINE) for text in texts]
    assert [[row.count(" load ") for row in loops] for loops in rows] == [[4, 1], [4, 1]]


@pytest.mark.parametrize("dtype", ["float32", "float64", "int8", "int64"])
def test_the_first_extremum_of_each_column_is_found(dtype: str) -> None:
    x, w = T.TensorType(dtype, (None, None))("x"), T.vector("w", dtype=dtype)
    rng, end = np.random.default_rng(16), End()
    places = (
        T.argmax(x, axis=0),
        T.argmin(x, axis=0),
        T.argmax(x * w[:, None], axis=0),
        (x * T.arange(x.shape[0])[:, None]).sum(0),
    )
    f = tensordsl.function([x, w], [*places])
    for n in ROWS[1:]:
        for k in COLUMNS:
            a = end.put(rng.integers(-9, 9, (n, k)).astype(dtype))
            b = rng.integers(-3, 3, n).astype(dtype)
            wanted = a.argmax(0), a.argmin(0), (a * b[:, None]).argmax(0), (a * np.arange(n)[:, None]).sum(0)
            for result, want in zip(f(a, b), wanted, strict=True):
                np.testing.assert_array_equal(result, want)


def test_the_first_nan_of_each_column_is_found() -> None:
    x, rng = T.dmatrix("x"), np.random.default_rng(17)
    f = tensordsl.function([x], [x.argmax(0), x.argmin(0)])
    for n in (8, 40, 700):
        for k in (1, 3, 10, 64):
            for value in SPECIAL:
                a = np.round(rng.standard_normal((n, k)))
                a[rng.integers(n, size=5), rng.integers(k, size=5)] = value
                a[:, -1] = value
                for result, want in zip(f(a), (a.argmax(0), a.argmin(0)), strict=True):
                    np.testing.assert_array_equal(result, want)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_rows_have_weights(dtype: str) -> None:
    x, w, c = T.tensor3("x", dtype=dtype), T.vector("w", dtype=dtype), T.vector("c", dtype=dtype)
    rng, end = np.random.default_rng(18), End()

    def formulas(x: Any, w: Any, c: Any, exp: Any) -> list[Any]:
        each = w[:, None]
        each_row = [(x * each).sum(1), ((x - c) * exp(each)).sum(1), (x - each).max(1), exp((x - each) / 8).sum(1)]
        return [*each_row, (x * each).sum((0, 1))]

    f = tensordsl.function([x, w, c], formulas(x, w, c, T.exp))
    for n in (1, 8, 9, 100, 257, 1000):
        for k in (1, 2, 3, 5, 7, 8, 10, 15, 16, 17, 31, 40, 65, 129):
            a, b = rng.standard_normal((2, n, k)).astype(dtype), end.put(rng.standard_normal(n).astype(dtype))
            d = rng.standard_normal(k).astype(dtype)
            wanted = formulas(a.astype("float64"), b.astype("float64"), d.astype("float64"), np.exp)
            for weights in (b, np.repeat(b, 2)[::2], b[::-1].copy()[::-1], np.broadcast_to(b[:1], n)):
                if weights.strides == (0,):
                    wanted = formulas(a.astype("float64"), weights.astype("float64"), d.astype("float64"), np.exp)
                for result, want in zip(f(a, weights, d), wanted, strict=True):
                    rough = dict(float16=2e-2, float32=1e-4, float64=1e-10)[dtype]
                    np.testing.assert_allclose(result, want.astype(dtype), rtol=rough, atol=rough * 20)


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_rows_of_complex_numbers_have_weights(dtype: str) -> None:
    x, w = T.TensorType(dtype, (None, None))("x"), T.TensorType(dtype, (None,))("w")
    products, rng = x * w[:, None], np.random.default_rng(21)
    f = tensordsl.function([x, w], [products.sum(0), T.exp(products / 8).sum(0), x.argmax(0)])
    for n in (8, 9, 100, 1000):
        for k in (1, 2, 3, 5, 8, 16, 17, 33):
            a = (rng.standard_normal((n, k)) + 1j * rng.standard_normal((n, k))).astype(dtype)
            b = (rng.standard_normal(n) + 1j * rng.standard_normal(n)).astype(dtype)
            total, dear, first = f(a, b)
            rough = dict(complex64=1e-3, complex128=1e-9)[dtype]
            np.testing.assert_allclose(dear, np.exp(a * b[:, None] / 8).sum(0), rtol=rough, atol=rough)
            np.testing.assert_allclose(total, (a.astype("complex128") * b[:, None]).sum(0), rtol=rough, atol=rough)
            np.testing.assert_array_equal(first, a.argmax(0))


def test_what_has_weights_is_stored_by_later_passes_too() -> None:
    x, w, rng = T.dmatrix("x"), T.dcol("w"), np.random.default_rng(20)
    e = T.exp(x) * w
    f = tensordsl.function([x, w], [e.sum(0), e, softmax(x), softmax(x) * w])
    for n in (8, 9, 33, 300):
        for k in (1, 2, 3, 10):
            a, b = rng.standard_normal((n, k)), rng.standard_normal((n, 1))
            each, y = np.exp(a) * b, softmax(a, np)
            for result, want in zip(f(a, b), (each.sum(0), each, y, y * b), strict=True):
                close(result, want)


WEIGHED: dict[str, Any] = {
    "shares": lambda m, x, w, v: softmax(x, m) * w[:, None],
    "standard": lambda m, x, w, v: (x - x.mean(0)) / m.sqrt(x.var(0) + 1) * w[:, None] + v,
    "weights twice": lambda m, x, w, v: (x - (x * w[:, None]).sum(0)) * w[:, None] - v * x,
    "of whole numbers": lambda m, x, w, v: m.where(w[:, None] > 0, x - x.max(0), -1),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", WEIGHED)
def test_what_is_stored_is_weighed_by_rows(kind: str, dtype: str) -> None:
    x, w, v = T.matrix("x", dtype=dtype), T.vector("w", dtype=dtype), T.vector("v", dtype=dtype)
    rng, ends = np.random.default_rng(11), [End() for _ in range(3)]
    f = tensordsl.function([x, w, v], WEIGHED[kind](T, x, w, v), on_unused_input="ignore")
    s = tensordsl.shared(np.zeros((1, 1), dtype))
    g = tensordsl.function([w, v], updates=[(s, WEIGHED[kind](T, s, w, v))], on_unused_input="ignore")
    for n in ROWS[1:]:
        for k in COLUMNS:
            given = [rng.standard_normal(shape).astype(dtype) for shape in ((n, k), (n,), (k,))]
            wanted = WEIGHED[kind](np, *(a.astype("float64") for a in given))
            places = [end.put(a) for end, a in zip(ends, given, strict=True)]
            apart = [np.asfortranarray(given[0]), np.repeat(given[1], 2)[::2], given[2][::-1].copy()[::-1]]
            for operands in (places, apart):
                np.testing.assert_allclose(f(*operands), wanted, rtol=2e-4, atol=1e-4)
            s.set_value(given[0])
            g(*given[1:])
            np.testing.assert_allclose(s.get_value(), wanted, rtol=2e-4, atol=1e-4)


def test_passes_that_store_by_weights_take_rows_together() -> None:
    x, w = T.matrix("x", dtype="float32"), T.vector("w", dtype="float32")
    weighed, placed = softmax(x) * w[:, None], softmax(x) * T.cast(T.arange(x.shape[0]), "float32")[:, None]
    for e, together in ((weighed, True), (placed, False)):
        lowered = lower([x, w], [], [e], [])
        optimise_lowered(lowered)
        (group,) = [s.fused.group for s in plan_regions(lowered.graph, lowered.outputs)[()].steps if s.fused]
        assert has_segmented_rows(group, schedule(group, WIDE), WIDE) == together


def test_division_by_what_no_row_has_does_not_happen() -> None:
    x, w, rng = T.lmatrix("x"), T.lvector("w"), np.random.default_rng(19)
    f = tensordsl.function([x, w], (x // w[:, None]).sum(0))
    for n in (8, 33, 517):
        for k in (1, 3, 7):
            a, b = rng.integers(-99, 99, (n, k)), rng.integers(1, 9, n)
            np.testing.assert_array_equal(f(a, b), (a // b[:, None]).sum(0))


def softmax(x: Any, xp: Any = T) -> Any:
    e = xp.exp(x - x.max(0))
    return e / e.sum(0)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_passes_that_reduce_what_they_store(dtype: str) -> None:
    x = T.matrix("x", dtype=dtype)
    rng, end = np.random.default_rng(13), End()
    e = T.exp(x)
    f = tensordsl.function([x], [softmax(x), e, e.sum(0), x * 2, (x * 2).max(0)])
    for n in ROWS[1:]:
        for k in COLUMNS:
            a = end.put(rng.standard_normal((n, k)).astype(dtype))
            u = a.astype("float64")
            wanted = softmax(u, np), np.exp(u), np.exp(u).sum(0), u * 2, (u * 2).max(0)
            for result, w in zip(f(a), wanted, strict=True):
                close(result, w.astype(dtype))


def test_passes_that_reduce_what_they_store_in_place_and_into_parts_of_others() -> None:
    rng = np.random.default_rng(14)
    for shape in ((8, 3), (700, 10), (333, 33), (40, 100), (64, 64)):
        a = rng.standard_normal(shape)
        x, total = tensordsl.shared(a.copy()), tensordsl.shared(np.zeros(shape[1]))
        f = tensordsl.function([], updates=[(x, softmax(x)), (total, T.exp(x).sum(0))])
        y, z = T.dmatrix("y"), T.dmatrix("z")
        g = tensordsl.function([y, z], T.concatenate([softmax(y), softmax(z)], axis=1))
        close(g(a, a[::-1]), np.concatenate([softmax(a, np), softmax(a[::-1], np)], 1))
        for _ in range(2):
            f()
            close(total.get_value(), np.exp(a).sum(0))
            a = softmax(a, np)
            close(x.get_value(), a)


@pytest.mark.parametrize("value", SPECIAL)
def test_softmax_of_what_is_not_finite(value: float) -> None:
    x, rng = T.dmatrix("x"), np.random.default_rng(15)
    f = tensordsl.function([x], softmax(x))
    for shape in ((8, 3), (300, 10), (100, 64)):
        a = rng.standard_normal(shape)
        a[rng.integers(shape[0]), 1] = value
        with np.errstate(invalid="ignore"):
            close(f(a), softmax(a, np))


def test_columns_are_standardised_in_place_and_into_parts_of_others() -> None:
    rng = np.random.default_rng(12)
    for shape in ((8, 3), (700, 10), (333, 33), (40, 100)):
        a = rng.standard_normal(shape)
        x = tensordsl.shared(a.copy())
        f = tensordsl.function([], updates=[(x, (x - x.mean(0)) * 2)])
        y, z = T.dmatrix("y"), T.dmatrix("z")
        g = tensordsl.function([y, z], T.concatenate([y - y.max(0), z - z.sum(0)], axis=1))
        close(g(a, a[::-1]), np.concatenate([a - a.max(0), a[::-1] - a.sum(0)], 1))
        for _ in range(2):
            f()
            a = (a - a.mean(0)) * 2
            close(x.get_value(), a)


@pytest.mark.parametrize("shape", [(70, 70), (200, 65), (300, 130), (255, 255)])
def test_blocks_of_many_operands_have_fewer_columns_than_rows(shape: tuple[int, int]) -> None:
    rng, xs, y = np.random.default_rng(18), [T.dmatrix(f"x{k}") for k in range(12)], T.dmatrix("y")
    total = sum(xs[1:], xs[0])
    f = tensordsl.function([*xs, y], T.set_subtensor(y[: total.shape[0]], total - total.min(0)))
    arrays, rest = [rng.standard_normal(shape) for _ in xs], rng.standard_normal((shape[0] + 9, shape[1]))
    wanted = rest.copy()
    wanted[: shape[0]] = sum(arrays) - np.min(sum(arrays), axis=0)
    close(f(*arrays, rest), wanted)


def test_results_do_not_depend_on_threads() -> None:
    x = T.fmatrix("x")
    f, a = tensordsl.function([x], x.sum(0)), np.random.default_rng(8).standard_normal((50_000, 10)).astype("float32")
    one = f(a)
    with tensordsl.config.change_flags(num_threads=2):
        np.testing.assert_array_equal(tensordsl.function([x], x.sum(0))(a), one)


def test_sums_are_at_least_as_exact_as_numpys() -> None:
    rng = np.random.default_rng(9)
    for dtype in ("float32", "float64"):
        x = T.matrix("x", dtype=dtype)
        f = tensordsl.function([x], x.sum(0))
        for make in (rng.random, rng.standard_normal, lambda shape: np.full(shape, 0.1)):
            a = np.asarray(make((100_000, 3))).astype(dtype)
            exact = a.astype("longdouble").sum(0)
            assert abs(f(a) - exact).max() <= abs(a.sum(0) - exact).max()


@pytest.mark.parametrize("vector_bytes", [16, 32])
def test_narrower_vectors(vector_bytes: int) -> None:
    rng = np.random.default_rng(10)
    for dtype in ("float32", "float64"):
        run = Runner(cases.colsum(dtype), vector_bytes=vector_bytes)
        for k in (1, 3, 10, 17, 33, 100):
            for n in (8, 9, 64, 700):
                a = rng.standard_normal((n, k)).astype(dtype)
                y, is_whole = framed((k,), dtype)
                run({"x": a, "y": y})
                is_whole()
                close(y, a.astype("float64").sum(0).astype(dtype))
