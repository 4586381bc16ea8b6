"""Extrema and where they first stand, in rows that begin anywhere in a cache line: by whole vectors, or searched."""

from __future__ import annotations

import re
from typing import Any

import cases
import numpy as np
import pytest
from end_of_memory import End, behind_a_line
from tuned import WIDE

import tensordsl as td
import tensordsl.tensor as T
from tensordsl.codegen.cpu.planner import plan
from tensordsl.codegen.cpu.schedule import schedule, without_short_rows

LENGTHS = (1, 7, 31, 64, 129, 255, 300, 1000, 1025)
SPECIAL = (np.nan, np.inf, -np.inf, 0.0, -0.0)


def extrema(x: Any, axis: int | None) -> list[Any]:
    return [x.argmax(axis=axis), x.argmin(axis=axis), x.max(axis=axis), x.min(axis=axis)]


@pytest.mark.parametrize("dtype", ["float64", "float32", "int64", "int16"])
def test_rows_anywhere_in_a_line(dtype: str) -> None:
    x, rng = T.TensorType(dtype, (None, None))(), np.random.default_rng(1)
    apart = [td.function([x], y) for axis in (1, None) for y in extrema(x, axis)]
    for n in LENGTHS:
        a = rng.integers(-20, 20, (3, n)).astype(dtype)
        for away in (0, 8, 16, 40):
            here = behind_a_line(a, away)
            for f, want in zip(apart, [*extrema(a, 1), *extrema(a, None)], strict=True):
                np.testing.assert_array_equal(f(here), want, err_msg=f"{n} {away}")


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
def test_first_of_what_compares_with_nothing_or_is_equal(dtype: str, ends: list[End]) -> None:
    x, rng = T.TensorType(dtype, (None, None))(), np.random.default_rng(2)
    functions = [td.function([x], y) for axis in (1, None) for y in extrema(x, axis)]
    both = td.function([x], list(T.max_and_argmax(x, axis=1)))
    for n in LENGTHS:
        for k in range(12):
            a = rng.choice([0, 1, -1], (4, n)).astype(dtype)
            places = rng.integers(0, n, (4, k % 4))
            np.put_along_axis(a, places, rng.choice(SPECIAL, places.shape).astype(dtype), 1)
            a[0] = SPECIAL[k % 5]
            a = ends[0].put(a)
            for f, want in zip(functions, [*extrema(a, 1), *extrema(a, None)], strict=True):
                np.testing.assert_array_equal(f(a), want)
            for got, want in zip(both(a), (a.max(axis=1), a.argmax(axis=1)), strict=True):
                np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("make", [cases.argmax, cases.greatest])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_vectors_of_long_rows_are_compared_with_the_best_once(make: Any, dtype: str) -> None:
    group = make(dtype)
    (text,) = plan(group, without_short_rows(schedule(group, WIDE)), "k", WIDE).kernels.texts
    loop = text.split("\nloop:")[1].split("\nends:")[0]
    compared = [int(n) for n in re.findall(r" = fcmp \w+ <(\d+) x ", loop)]
    width = max(int(n) for n in re.findall(r"load <(\d+) x ", loop))
    assert sum(compared) < 2 * width


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("axis", [0, 1, None])
def test_positions_in_what_the_same_loop_writes_anew(dtype: str, axis: int | None) -> None:
    rng = np.random.default_rng(3)
    for n in (2, 17, 72, 300, 1025):
        first = rng.normal(size=(3, n)).astype(dtype)
        state = td.shared(first)
        f = td.function([], extrema(state, axis), updates=[(state, state * state - 1)])
        for got, want in zip(f(), extrema(first, axis), strict=True):
            np.testing.assert_array_equal(got, want, err_msg=str(n))
        np.testing.assert_array_equal(state.get_value(), first * first - 1)
