"""Rows that several passes read: the last one asks for those of the next turn, which changes nothing else."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from end_of_memory import End

import tensordsl.tensor as T
from tensordsl import function
from tensordsl.codegen.compiler.pipeline import make_program
from tensordsl.config import config

x, y = T.matrix("x"), T.matrix("y")


def along_rows(output: Any) -> list[str]:
    """The texts of the kernels along rows, of the first plan that has some."""
    plans = make_program("f", [x, y], [], [output], [], False)[1].plans
    return next([*plan.kernels.texts] for plan in plans if plan.schedule.lane not in plan.group.parallel)


def asking(output: Any) -> list[bool]:
    """Which of them ask for other rows?"""
    return [bool(re.search(r"call void @llvm.prefetch.p0\(ptr %a\.\d+\.l", text)) for text in along_rows(output)]


def side_by_side(output: Any) -> list[int]:
    """Behind how many rows of a group of short ones do they ask?"""
    asked = re.compile(r"call void @llvm.prefetch.p0\(ptr %a\.\d+\.x\d+\.l0,")
    return [len(asked.findall(text)) for text in along_rows(output)]


def centred(a: Any) -> Any:
    return a - a.mean(axis=1)[:, None]


CASES: dict[str, tuple[Any, Any]] = {
    "variance": (T.var(x, axis=1), lambda a, b: a.var(1)),
    "covariance": (
        T.mean(centred(x) * (y - y.mean(1, keepdims=True)), axis=1),
        lambda a, b: (centred(a) * centred(b)).mean(1),
    ),
    "by the largest": (x / x.max(axis=1, keepdims=True), lambda a, b: a / a.max(1, keepdims=True)),
    "softmax": (T.nnet.softmax(x), lambda a, b: (e := np.exp(a - a.max(1, keepdims=True))) / e.sum(1, keepdims=True)),
    "norms": (
        x / T.sqrt((x * x + y).sum(1, keepdims=True)),
        lambda a, b: a / np.sqrt((a * a + b).sum(1, keepdims=True)),
    ),
}


def test_the_last_that_reads_what_others_have_read_asks() -> None:
    assert asking(T.var(x, axis=1)) == [False, True]
    assert asking(x / x.max(axis=1, keepdims=True)) == [False, True]
    assert asking(T.nnet.softmax(x)) == [False, True, False]  # the last pass divides what stands in the result
    assert asking(x.sum(axis=1)) == [False]


def test_short_rows_ask_one_by_one() -> None:
    assert side_by_side(T.var(x, axis=1))[0] == 0 < side_by_side(T.var(x, axis=1))[1]
    assert side_by_side(x.sum(axis=1)) == [0]


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(
    "shape", [(300, 301), (1000, 1000), (5000, 17), (3000, 47), (1200, 130), (2, 60_000), (400, 2048)]
)
def test_rows_wherever_they_lie(case: str, shape: tuple[int, int]) -> None:
    output, expected = CASES[case]
    f, rng = function([x, y], output, on_unused_input="ignore"), np.random.default_rng(0)
    a, b = rng.uniform(1, 2, (2, *shape))
    wide = rng.uniform(1, 2, (shape[0], shape[1] + 3))
    for first, second in ((a, b), (wide[:, 2:-1], b), (a[::-1], b[:, ::-1]), (np.broadcast_to(a[:1], shape), b)):
        got = []
        for threads in (1, 3):
            with config.change_flags(num_threads=threads):
                got.append(f(first, second))
        np.testing.assert_allclose(got[0], expected(first, second), rtol=1e-12, atol=1e-15)
        np.testing.assert_array_equal(got[0], got[1])


def test_nothing_is_read_where_memory_ends() -> None:
    f, a = function([x], [T.var(x, axis=1), x.sum(1)]), np.random.default_rng(0).normal(size=(120, 1000))
    for got, expected in zip(f(End().put(a)), (a.var(1), a.sum(1)), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-12)
