"""Operands and results whose elements stand a known number of elements apart: slices with steps of adjacent ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from end_of_memory import End
from tuned import HERE

import tensordsl as td
import tensordsl.tensor as T
from tensordsl.codegen.library.loops.pack.strided import strided_texts
from tensordsl.codegen.variants import selection

DTYPES = ["float64", "float32", "float16", "int64", "int16", "uint8", "bool", "complex128", "complex64"]
LENGTHS = [0, 1, 7, 31, 32, 33, 63, 65, 127, 128, 129, 255, 256, 257, 515, 1030, 2100]
STEPS = [-4, -3, -2, -1, 2, 3, 4, 5]


def data(dtype: str, n: int) -> np.ndarray:
    random = np.random.default_rng(n)
    values = random.integers(-90, 90, n).astype(dtype)
    if values.dtype.kind in "fc" and n > 6:
        values[[0, 2, n // 2, n - 1]] = np.nan, -0.0, np.inf, -0.0
    return values


def equal(got: Any, wanted: np.ndarray) -> bool:
    """The same bits, but for those of nan."""
    got = np.asarray(got)
    assert got.dtype == wanted.dtype
    real = [(got, wanted)] if got.dtype.kind != "c" else [(got.real, wanted.real), (got.imag, wanted.imag)]
    return all(np.array_equal(a, b, equal_nan=a.dtype.kind == "f") and signs(a) == signs(b) for a, b in real)


def signs(x: np.ndarray) -> bytes:
    return np.signbit(x[x == 0]).tobytes() if x.dtype.kind == "f" else b""


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("step", STEPS)
def test_slices_with_steps(dtype: str, step: int, ends: list[End]) -> None:
    x, y = T.tensor(dtype, (False,)), T.tensor(dtype, (False,))
    one = np.ones((), dtype)
    taken, joined = x[::step], T.stack([x, x[::-1]], axis=-1)
    f = td.function([x, y], [taken, taken | y if dtype == "bool" else taken + y, joined])
    g = td.function([x, y], [T.set_subtensor(x[::step], y), T.set_subtensor(x[::step], one)])
    for n in LENGTHS:
        a = data(dtype, n)
        b = data(dtype, len(a[::step]))
        every = a[::step], a[::step] + b, np.stack([a, a[::-1]], -1)
        for layout in (a, np.repeat(a, 2)[::2], a[::-1].copy()[::-1]):
            assert all(equal(got, wanted) for got, wanted in zip(f(layout, b), every, strict=True))
            values, ones = a.copy(), a.copy()
            values[::step], ones[::step] = b, 1
            assert all(equal(got, wanted) for got, wanted in zip(g(layout, b), (values, ones), strict=True))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("count", [2, 3, 4, 5])
def test_stacks_along_a_last_axis(dtype: str, count: int, ends: list[End]) -> None:
    x, y, z = (T.tensor(dtype, (False,)) for _ in range(3))
    several = [x, y[::2], x[::-1], T.zeros_like(x) + z[0], y[1::2]][:count]
    f = td.function(
        [x, y, z], [T.stack(several, axis=-1), T.stack([x + x, *several[1:]], axis=-1)], on_unused_input="ignore"
    )
    for n in LENGTHS:
        a, b, c = data(dtype, n), data(dtype, 2 * n), data(dtype, 1)
        parts = [a, b[::2], a[::-1], np.full(n, c[0]), b[1::2]][:count]
        for layout in (ends[0].put(a), np.repeat(a, 3)[::3]):
            one, other = f(layout, ends[1].put(b), c)
            assert equal(one, np.stack(parts, -1)) and equal(other, np.stack([a + a, *parts[1:]], -1))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("step", STEPS)
def test_rows_of_slices(dtype: str, step: int, ends: list[End]) -> None:
    """Of whole vectors, halves, and less."""
    x = T.tensor(dtype, (False, False, False))
    taken = x[::-1, 1:, ::step]
    f = td.function([x], [taken | taken if dtype == "bool" else taken + taken, T.stack([taken, taken], axis=-1)])
    for n in (*range(1, 10), 15, 16, 17, 24, 31, 32, 33, 47, 64, 65, 130):
        a = ends[0].put(data(dtype, 9 * n * abs(step)).reshape(3, 3, -1))
        part = a[::-1, 1:, ::step]
        with np.errstate(invalid="ignore"):
            wanted = part + part, np.stack([part, part], -1)
        assert all(equal(got, expected) for got, expected in zip(f(a), wanted, strict=True))


def test_shorter_rows_have_kernels_of_narrower_vectors(monkeypatch: pytest.MonkeyPatch) -> None:
    widths: list[int] = []
    choose = selection.strided_variants

    def noted(*given: Any) -> Any:
        made = choose(*given)
        widths.extend(schedule.width[0] for _, schedule in made)
        return made

    monkeypatch.setattr(selection, "strided_variants", noted)
    x = T.fmatrix()
    td.function([x], x[:, ::2] + x[:, 1::2], mode=td.Mode(linker="native", optimizer="fast_run"))
    assert len(widths) > 1 and widths == [widths[0] >> k for k in range(len(widths))]


def test_stacks_of_matrices() -> None:
    x, y = T.matrix(), T.matrix()
    f = td.function(
        [x, y], [T.stack([x, y.T], axis=-1), T.stack([x, y.T], axis=1), T.stack([x[:, :1], x[:, 1:2]], axis=2)]
    )
    for rows, columns in ((1, 40), (3, 50), (200, 2), (60, 70)):
        a, b = np.random.default_rng(0).normal(size=(2, rows, columns))
        for first, second in ((a, b.T), (np.asfortranarray(a), b.T.copy()), (a[::-1], b[::-1].T)):
            got = f(first, second)
            assert np.array_equal(got[0], np.stack([first, second.T], -1))
            assert np.array_equal(got[1], np.stack([first, second.T], 1))
            assert np.array_equal(got[2], np.stack([first[:, :1], first[:, 1:2]], 2))


@pytest.mark.parametrize("step", [-1, 2, 3])
def test_rows_of_which_a_slice_is_taken(step: int) -> None:
    x, y, z = T.matrix(), T.vector(), T.matrix()
    f = td.function([x, y, z], x[:, ::step] * y + z.T)
    for rows in (1, 2, 9):
        for n in (5, 40, 97, 300):
            a = np.random.default_rng(n).normal(size=(rows, n))
            count = len(a[0, ::step])
            b, c = np.arange(float(count)), np.arange(float(rows * count)).reshape(count, rows)
            for layout in (a, np.asfortranarray(a), a[::-1]):
                assert np.array_equal(f(layout, b, c), layout[:, ::step] * b + c.T)
                assert np.array_equal(f(layout, b[::-1], c.T.copy().T), layout[:, ::step] * b[::-1] + c.T)


def test_parts_for_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(td.config, "num_threads", 3)
    x = T.vector()
    f = td.function([x], T.exp(x[::2]) + x[1::2])
    a = np.random.default_rng(0).normal(size=2 * 40_009)
    np.testing.assert_allclose(f(a), np.exp(a[::2]) + a[1::2], atol=1e-14)


def test_results_that_are_larger_than_the_caches() -> None:
    x, y = T.vector(dtype="float32"), T.vector(dtype="float32")
    f = td.function([x, y], [x[::2] + y, T.set_subtensor(x[::2], y + 1)])
    n = (1 << 23) + 3
    a, b = np.arange(2.0 * n, dtype="float32"), np.arange(1.0 * n, dtype="float32")
    wanted = a.copy()
    wanted[::2] = b + 1
    got = f(a, b)
    assert np.array_equal(got[0], a[::2] + b) and np.array_equal(got[1], wanted)


def test_an_update_in_place_does_no_element_twice() -> None:
    x = T.vector()
    for n in (7, 33, 65, 130, 1030):
        state = td.shared(np.ones(n))
        f = td.function([x], updates=[(state, state * 2 + x[::2])])
        g = td.function([x], updates=[(state, T.inc_subtensor(state[::2], x[: (n + 1) // 2 * 2 : 2]))])
        a = np.arange(2.0 * n + 2)
        f(a[: 2 * n])
        g(a)
        wanted = 2 + a[: 2 * n : 2]
        wanted[::2] += a[: (n + 1) // 2 * 2 : 2]
        assert np.array_equal(state.get_value(), wanted)


@pytest.mark.parametrize("dtype", ["float64", "float32", "int16", "int8", "complex64"])
def test_arguments_whose_elements_are_apart(dtype: str, ends: list[End]) -> None:
    x, y, z = T.tensor(dtype, (False,)), T.tensor(dtype, (False,)), T.tensor(dtype, (False, False))
    f = td.function([x, y, z], [x + y * z[0, 0] + z[:, 1], T.set_subtensor(z[:, 0], x + y)])
    for n in (*LENGTHS[1:], 70_003):
        a, b, c = data(dtype, 7 * n), data(dtype, n), data(dtype, 3 * n).reshape(n, 3)
        if dtype[0] in "fc":
            a, b, c = (np.nan_to_num(v, posinf=3) for v in (a, b, c))
        for step in (-7, -1, 1, 2, 3, 4, 5):
            last = a[: abs(step) * (n - 1) + 1]
            first = (last if n > 70_000 else ends[0].put(last))[::step]
            second = np.repeat(b, abs(step))[:: abs(step)]
            written = c.copy()
            written[:, 0] = first + second
            got = f(first, second, c if n > 70_000 else ends[1].put(c))
            assert np.array_equal(got[0], first + second * c[0, 0] + c[:, 1])
            assert np.array_equal(got[1], written)


@pytest.mark.parametrize(("size", "count"), [(8, 8), (4, 16)])
def test_lines_are_read_in_their_order(size: int, count: int) -> None:
    [text] = [text for text in strided_texts(HERE.without("prefetch")) if f"@strided{size}(" in text.partition("\n")[0]]
    assert text.count(" load volatile ") == count == text.count(" load ")


@pytest.mark.parametrize("dtype", ["float64", "float32", "int32", "int8", "bool"])
@pytest.mark.parametrize("step", [-2, -1, 2, 3, 4])
def test_reductions_of_slices(dtype: str, step: int) -> None:
    x, y = T.tensor(dtype, (False, False)), T.tensor(dtype, (False,))
    rows, line = x[:, ::step], y[::step]
    f = td.function(
        [x, y], [rows.sum(1), rows.max(1), rows.argmin(1), (rows & line if dtype == "bool" else rows * line).sum(1)]
    )
    h = td.function([x], [rows.sum(0), rows.max(0), rows.argmin(0), (rows * rows).sum(0)])
    g = td.function([x, y], [rows.sum(), line.sum(), rows.max(), line.argmax(), (line * T.cast(2, dtype)).sum()])
    for count in (1, 3, 20):
        for n in (1, 30, 64, 130, 300, 517, 2500):
            random = np.random.default_rng(n)
            a, b = random.integers(0, 2, (count, n)).astype(dtype), random.integers(0, 2, n).astype(dtype)
            p, q = a[:, ::step], b[::step]
            wanted = [p.sum(1), p.max(1), p.argmin(1), (p * q).sum(1)]
            for layout in (a, np.asfortranarray(a), a[::-1].copy()[::-1], np.repeat(a, 2, axis=1)[:, ::2]):
                assert all(np.array_equal(u, v) for u, v in zip(f(layout, b), wanted, strict=True))
                columns = p.sum(0), p.max(0), p.argmin(0), (p * p).sum(0)
                assert all(np.array_equal(u, v) for u, v in zip(h(layout), columns, strict=True))
                total = [p.sum(), q.sum(), p.max(), q.argmax(), (q * np.array(2, dtype)).sum()]
                assert all(np.array_equal(u, v) for u, v in zip(g(layout, b), total, strict=True))


@pytest.mark.parametrize("dtype", ["float64", "float32", "int16", "uint8"])
def test_reductions_of_arguments_whose_elements_are_apart(dtype: str, ends: list[End]) -> None:
    x, y = T.tensor(dtype, (False, False)), T.tensor(dtype, (False, False))
    f = td.function([x, y], [x.sum(0), x.sum(1), x.argmax(0), x.argmin(1), (x * y.T).sum(0), (x * y.T).sum(1)])
    g = td.function([x], [x[:, ::2].sum(0), x[:, ::2].max(1)])
    for rows, n in ((2, 9), (9, 600), (70, 130), (300, 37), (1030, 20)):
        for step in (-2, -1, 1, 2, 3, 5):
            random = np.random.default_rng(n)
            every = random.integers(0, 9, (rows, (n - 1) * abs(step) + 1)).astype(dtype)
            p, q = ends[0].put(every)[:, ::step], random.integers(0, 9, (n, rows)).astype(dtype)
            product = p * q.T
            wanted = [p.sum(0), p.sum(1), p.argmax(0), p.argmin(1), product.sum(0), product.sum(1)]
            assert all(np.array_equal(u, v) for u, v in zip(f(p, q), wanted, strict=True))
            assert all(np.array_equal(u, v) for u, v in zip(g(p), (p[:, ::2].sum(0), p[:, ::2].max(1)), strict=True))


def test_several_passes_over_slices() -> None:
    x = T.matrix()
    part = x[:, ::2]
    f = td.function(
        [x], [(part - part.mean(1, keepdims=True)) / part.std(1, keepdims=True), part.var(), T.nnet.softmax(part)]
    )
    for count, n in ((1, 500), (7, 130), (40, 70), (3, 9000)):
        a = np.random.default_rng(n).normal(size=(count, n))
        b = a[:, ::2]
        e = np.exp(b - b.max(1, keepdims=True))
        wanted = (b - b.mean(1, keepdims=True)) / b.std(1, keepdims=True), b.var(), e / e.sum(1, keepdims=True)
        for got, expected in zip(f(a), wanted, strict=True):
            np.testing.assert_allclose(got, expected, rtol=1e-9)
