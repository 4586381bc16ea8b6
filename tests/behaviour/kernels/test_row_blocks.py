"""Reductions along rows that all positions of a loop share, which the library copies in blocks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from end_of_memory import End

import tensordsl.tensor as T
from tensordsl import config, function, shared

LENGTHS = (8, 15, 16, 17, 20, 33, 64, 100, 200, 300)
SHAPES = ((16, 1), (40, 7), (16, 40), (100, 70), (17, 200))
CLOSE = {"float32": {"rtol": 2e-5, "atol": 1e-4}, "float64": {"rtol": 1e-11, "atol": 1e-12}}
Form = Callable[[Any, Any, Any], Any]
FORMS: dict[str, Form] = {
    "distances": lambda m, a, b: m.sum((a[:, None] - b[None]) ** 2, axis=2),
    "largest differences": lambda m, a, b: m.max(abs(a[:, None] - b[None]), axis=2),
    "means and variances": lambda m, a, b: m.mean(a[:, None] * b[None], axis=2) + m.var(a[:, None] * b[None], axis=2),
    "the nearest column": lambda m, a, b: m.argmin(abs(a[:, None] - b[None]), axis=2),
    "of rows that are weighed": lambda m, a, b: (
        m.sum((a[:, None] - b[None]) ** 2 * b[0], axis=2) * b[:, 0] + a[:, 1][:, None]
    ),
    "of two shared operands": lambda m, a, b: m.sum((a[:, None] - b[None]) * b[::-1], axis=2),
    "of products of powers": lambda m, a, b: m.log(m.sum(m.exp(a[:, None] * b[None] / 9), axis=2)),
}


def at(values: np.ndarray, place: int) -> np.ndarray:
    """The array so many bytes behind the beginning of a cache line."""
    room = np.zeros(values.nbytes + 128, "uint8")
    first = -room.ctypes.data % 64 + place
    moved: np.ndarray = room[first : first + values.nbytes].view(values.dtype).reshape(values.shape)
    moved[...] = values
    return moved


def operands(dtype: str, *shapes: tuple[int, ...]) -> list[np.ndarray]:
    rng = np.random.default_rng(sum(map(sum, shapes)))
    return [rng.normal(size=shape).astype(dtype) for shape in shapes]


def compiled(form: Form, dtype: str) -> Any:
    a, b = T.matrix(dtype=dtype), T.matrix(dtype=dtype)
    return function([a, b], form(T, a, b))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", FORMS)
def test_forms_of_many_turns_give_what_they_give_in_few(name: str, dtype: str) -> None:
    """In a call of few rows nothing is copied."""
    f = compiled(FORMS[name], dtype)
    for n in LENGTHS:
        for turns, rows in SHAPES:
            a, b = operands(dtype, (turns, n), (rows, n))
            want = FORMS[name](np, *(x.astype("float64") for x in (a, b)))
            for threads in (1, 3):
                with config.change_flags(num_threads=threads):
                    got = f(a, b)
                    np.testing.assert_allclose(got, want, **CLOSE[dtype])
                    if rows > 40:  # of fewer lanes may go across
                        np.testing.assert_array_equal(got[-15:], f(a[-15:], b))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("turns", "rows", "n"), [(700, 130, 33), (1100, 1000, 16), (1100, 1000, 70)])
def test_results_that_no_cache_has_room_for(turns: int, rows: int, n: int, dtype: str) -> None:
    f, (a, b) = compiled(FORMS["distances"], dtype), operands(dtype, (turns, n), (rows, n))
    got = f(a, b)
    for first in range(0, turns, 100):
        few = slice(first, first + 15)
        np.testing.assert_array_equal(got[few], f(a[few], b))
        np.testing.assert_allclose(got[few], FORMS["distances"](np, a[few], b), **CLOSE[dtype])


@pytest.mark.parametrize("dtype", ["float64", "float32", "int32"])
def test_results_are_the_same_wherever_operands_begin(dtype: str) -> None:
    f, size = compiled(FORMS["distances"], dtype), np.dtype(dtype).itemsize
    for n in LENGTHS:
        a, b = (9 * x for x in operands("float64", (20, n), (50, n)))
        a, b = a.astype(dtype), b.astype(dtype)
        want = f(a, b)
        for place in range(0, 64, size):
            for other in (0, place, 48):
                np.testing.assert_array_equal(f(at(a, other), at(b, place)), want)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_rows_of_other_layouts(dtype: str) -> None:
    for name in ("distances", "of two shared operands"):
        f = compiled(FORMS[name], dtype)
        for n in (16, 37, 130):
            a, wide = operands(dtype, (40, n), (160, 2 * n))
            for b in (
                wide[::2, :n],
                wide[::-1, n:],
                wide[:, ::2],
                wide[:, n - 1 :: -1],
                np.broadcast_to(wide[3, :n], (70, n)),
            ):
                for left in (a, a[::-1], np.asfortranarray(a), np.broadcast_to(a[3], (30, n))):
                    want = FORMS[name](np, left.astype("float64"), b.astype("float64"))
                    np.testing.assert_allclose(f(left, b), want, **CLOSE[dtype])


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_nothing_beyond_rows_is_read(dtype: str, ends: list[End]) -> None:
    f = compiled(FORMS["distances"], dtype)
    for n in LENGTHS:
        for rows in (1, 7, 8, 50):
            a, b = operands(dtype, (20, n), (rows, n))
            want = f(a, b)
            np.testing.assert_array_equal(f(ends[0].put(a), ends[1].put(b)), want)
            np.testing.assert_array_equal(f(ends[0].put_first(a), ends[1].put_first(b)), want)


def test_numbers_that_are_none_stay_in_their_rows() -> None:
    for dtype in ("float64", "float32"):
        for name in ("distances", "largest differences"):
            f = compiled(FORMS[name], dtype)
            for n in (16, 20, 67):
                a, b = operands(dtype, (30, n), (45, n))
                b[3, n - 1], b[7, 0], b[44, 5], a[2, 1], a[29, n - 1] = np.nan, np.inf, -np.inf, np.nan, np.inf
                with np.errstate(invalid="ignore"):
                    want = FORMS[name](np, a, b)
                np.testing.assert_allclose(f(a, b), want, rtol=1e-5 if dtype == "float32" else 1e-13)


def test_no_rows_and_rows_of_no_elements() -> None:
    f = compiled(FORMS["distances"], "float64")
    for turns, rows, n in ((0, 5, 20), (20, 0, 20), (20, 5, 0), (0, 0, 0), (16, 1, 1)):
        a, b = operands("float64", (turns, n), (rows, n))
        np.testing.assert_allclose(f(a, b), FORMS["distances"](np, a, b), rtol=1e-14)


def test_loops_around_the_loop_and_rows_of_their_own() -> None:
    a, b, d, w = T.dtensor3(), T.dtensor3(), T.dtensor3(), T.dmatrix()

    def form(m: Any, a: Any, b: Any, d: Any, w: Any) -> Any:
        own = m.sum((a[:, :, None] - b[:, None]) ** 2 * w[:, None, None], axis=3)
        return own * d + m.sum(d, axis=2)[:, :, None]

    f = function([a, b, d, w], form(T, a, b, d, w))
    for batch, turns, rows, n in ((3, 20, 30, 17), (2, 16, 5, 64), (1, 100, 70, 100)):
        given = operands("float64", (batch, turns, n), (batch, rows, n), (batch, turns, rows), (batch, n))
        np.testing.assert_allclose(f(*given), form(np, *given), rtol=1e-12)


def test_positions_of_rows_and_turns() -> None:
    a, b = T.dmatrix(), T.dmatrix()
    i, j, k = T.arange(a.shape[0])[:, None, None], T.arange(b.shape[0])[None, :, None], T.arange(a.shape[1])
    f = function([a, b], ((a[:, None] - b[None]) * (i + 100 * j + 10000 * k)).sum(2))
    for turns, rows, n in ((20, 30, 16), (70, 100, 33), (33, 200, 100)):
        x, y = (np.round(8 * v) for v in operands("float64", (turns, n), (rows, n)))
        at = np.ogrid[:turns, :rows, :n]
        want = ((x[:, None] - y[None]) * (at[0] + 100 * at[1] + 10000 * at[2])).sum(2)
        np.testing.assert_array_equal(f(x, y), want)


UPDATES: list[Callable[..., tuple[Any, dict[int, Any]]]] = [  # a result, and new values of some of the variables
    lambda far, a, b, d: (far(a, b), {0: a * 2}),
    lambda far, a, b, d: (far(a, b), {1: b * 0.5 + a, 2: d * 0.5 + far(a, b)}),
    lambda far, a, b, d: (far(a, b), {0: b - a, 1: a - b, 2: far(b, a)}),
    lambda far, a, b, d: (far(d, d), {2: far(d, d)}),
    lambda far, a, b, d: (d.sum(), {2: d + far(d, d) / 9}),
    lambda far, a, b, d: (d.sum(), {2: d + far(d, d[::-1]) * d}),
]


@pytest.mark.parametrize("n", [16, 50])
@pytest.mark.parametrize("step", UPDATES)
def test_updates_read_what_was_there_before(step: Any, n: int) -> None:
    def far(m: Any) -> Callable[[Any, Any], Any]:
        return lambda a, b: FORMS["distances"](m, a, b)

    values = operands("float64", (60, n), (60, n), (60, 60))
    variables = [shared(x) for x in values]
    result, new = step(far(T), *variables)
    f = function([], result, updates=[(variables[k], x) for k, x in new.items()])
    for _ in range(2):
        result, new = step(far(np), *values)
        np.testing.assert_allclose(f(), result, rtol=1e-10)
        values = [new.get(k, x) for k, x in enumerate(values)]
        for variable, x in zip(variables, values, strict=True):
            np.testing.assert_allclose(variable.get_value(), x, rtol=1e-10)


def test_a_matrix_beside_itself() -> None:
    for dtype in ("float64", "float32"):
        x, s = T.matrix(dtype=dtype), shared(operands(dtype, (50, 24))[0])
        near = function([x], T.sum((x[:, None] - x[None]) ** 2, axis=2))
        (a,) = operands(dtype, (50, 24))
        got = near(a)
        np.testing.assert_array_equal(got, got.T)
        assert not np.diag(got).any()
        pull = T.sum((s[:, None] - s[None]) ** 2, axis=2).sum(1)[:, None] * s
        f = function([], [], updates=[(s, pull)])
        f()
        want = ((a[:, None].astype("float64") - a) ** 2).sum(2).sum(1)[:, None] * a
        np.testing.assert_allclose(s.get_value(), want, rtol=1e-5 if dtype == "float32" else 1e-13)
