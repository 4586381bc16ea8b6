"""Reductions with lanes along columns, in parts of their rows or columns: NumPy's results, and the same bits for any
number of threads, whatever the layout."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_loop_nests import check_groups
from tuned import tuned

import tensordsl as td
import tensordsl.tensor as T
from tensordsl.functions.native import set_tuning

SHAPES = [(700_001, 1), (50_000, 17), (12_011, 64), (6000, 129), (5001, 250), (800, 700)]
CUBES = [(50_000, 2, 8), (20_000, 16, 3), (100, 130, 64), (4, 5000, 40), (2, 1000, 400), (15, 40, 513)]
SMALL = [(300, 1), (211, 3), (150, 17), (90, 64), (61, 128), (60, 129), (270, 250), (50, 300), (40, 600), (20, 2001)]
SMALL_CUBES = [(60, 16, 8), (50, 3, 33), (12, 33, 64), (4, 99, 30), (2, 70, 150), (17, 20, 129), (5, 40, 513)]
AXES: list[tuple[int, ...]] = [(0,), (1,), (0, 1), (0, 2)]
KINDS: dict[str, Any] = {
    "sums": lambda m, x, a: [x.sum(a), x.mean(a), (x > 0.3).sum(a)],
    "moments": lambda m, x, a: [x.var(a), ((x - x.mean(a, keepdims=True)) ** 3).sum(a)],
    "extrema": lambda m, x, a: [x.max(a), x.min(a), m.argmax(x, a[0]), m.argmin(m.round(3 * x), a[0])],
    "products": lambda m, x, a: [(1 + x / 100).prod(a), m.any(x > 2, a), m.all(x < 9, a)],
    "logsumexp": lambda m, x, a: [m.log(m.exp(x - x.max(a, keepdims=True)).sum(a)) + x.max(a)],
    "softmax": lambda m, x, a: [softmax(m.exp(x - x.max(a, keepdims=True)), a)],
    "places": lambda m, x, a: [(x * column(m, x)).sum(a), (x * m.arange(x.shape[-1])).max(a), x * 2 + x.sum(a, keepdims=True)],
}  # fmt: skip


def softmax(e: Any, axes: tuple[int, ...]) -> Any:
    return e / e.sum(axes, keepdims=True)


def column(m: Any, x: Any) -> Any:
    return m.arange(x.shape[0]).reshape((-1,) + (1,) * (x.ndim - 1))


@pytest.fixture(autouse=True)
def one_thread_afterwards() -> Iterator[None]:
    yield
    td.config.num_threads = 1


def layouts(rng: np.random.Generator, shape: tuple[int, ...]) -> Iterator[np.ndarray]:
    """The same numbers, but for the last one, in other orders, with steps, backwards, behind others and as one row."""
    a = rng.normal(size=shape)
    yield a
    yield np.asfortranarray(a)
    yield np.repeat(a, 2, -1)[..., ::-2]
    yield np.moveaxis(np.ascontiguousarray(np.moveaxis(a, 0, 1)), 0, 1)[::-1]
    yield np.pad(a, [(0, 0)] * (a.ndim - 1) + [(1, 2)])[..., 1:-2]
    yield np.broadcast_to(a[:1], shape)


def check(f: Any, x: np.ndarray, wanted: list[Any], tolerance: float) -> None:
    runs = []
    for td.config.num_threads in (1, 2, 3):
        runs.append([np.array(r) for r in f(x)])
    for got, want in zip(runs[0], wanted, strict=True):
        scale = 1 + np.nanmax(np.abs(want)) if want.dtype.kind == "f" else 0
        np.testing.assert_allclose(got, want, rtol=tolerance, atol=tolerance * scale)
    for run in runs[1:]:
        assert [r.tobytes() for r in run] == [r.tobytes() for r in runs[0]]


def check_columns(kind: str, dtype: str, shapes: Sequence[tuple[int, int]]) -> None:
    x, rng, make = T.matrix("x", dtype=dtype), np.random.default_rng(1), KINDS[kind]
    f = td.function([x], make(T, x, (0,)))
    for shape in shapes:
        for a in layouts(rng, shape):
            given = a.astype(dtype)
            check(f, given, make(np, given.astype("float64"), (0,)), 1e-11 if dtype == "float64" else 2e-5)


def check_axes(kind: str, axes: tuple[int, ...], shapes: Sequence[tuple[int, int, int]]) -> None:
    x, rng, make = T.dtensor3("x"), np.random.default_rng(2), KINDS[kind]
    f = td.function([x], make(T, x, axes))
    for shape in shapes:
        for a in layouts(rng, shape):
            check(f, a, make(np, a, axes), 1e-11)


@pytest.mark.parametrize("kind", ["moments", "extrema"])
def test_columns_of_every_layout(kind: str) -> None:
    check_columns(kind, "float64", SHAPES)


@pytest.mark.parametrize("axes", AXES)
def test_axes_of_three(axes: tuple[int, ...]) -> None:
    check_axes("softmax", axes, CUBES)


@pytest.mark.parametrize("part", range(2))
def test_every_kind_in_the_smallest_parts(part: int, tmp_path: Path) -> None:
    """In a process of its own, whose library is another one."""
    code = f"import test_parallel_rows; test_parallel_rows.check_smallest_parts({part})"
    flags = {"TENSORDSL_FLAGS": f"compiledir={tmp_path}", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    subprocess.run([sys.executable, "-c", code], env=os.environ | flags, check=True, timeout=600)


def check_smallest_parts(part: int) -> None:
    tasks = {"parallel_min_ns": 1, "independent_min_ns": 1, "wake_min_ns": 1}  # threads need not be awake
    set_tuning(tuned(tasks=tasks, loops={"task_ns": 1, "shared_rows": 4}))
    if part:
        for kind, axes in product(("sums", "extrema", "softmax"), AXES):
            check_axes(kind, axes, SMALL_CUBES)
        return
    for kind in KINDS:
        check_columns(kind, "float64", SMALL)
    for kind in ("sums", "extrema", "softmax"):
        check_columns(kind, "float32", SMALL)


@pytest.mark.parametrize("dtype", ["bool", "int8", "int64", "uint16"])
def test_discrete_types(dtype: str) -> None:
    x, rng = T.TensorType(dtype, (None, None))("x"), np.random.default_rng(3)
    kinds = [lambda x: x.sum(0), lambda x: x.any(0), lambda x: x.max(0), lambda x: x.min(0)]
    f = td.function([x], [kind(x) for kind in kinds])
    for shape in SHAPES[1:]:
        a = rng.integers(0, 100, (shape[0] * 2, shape[1])).astype(dtype)
        check(f, a[::2], [kind(a[::2]) for kind in kinds], 0)


def test_what_is_not_finite_stays_in_its_column() -> None:
    x, rng = T.dmatrix("x"), np.random.default_rng(4)
    f = td.function([x], [x.sum(0), x.max(0), x.argmax(0), x.var(0)])
    for shape in SHAPES:
        a = rng.normal(size=shape)
        for value in (np.nan, np.inf, -np.inf, -0.0):
            a[rng.integers(shape[0]), rng.integers(shape[1])] = value
        with np.errstate(invalid="ignore"):
            wanted = [a.sum(0), a.max(0), a.argmax(0), a.var(0)]
        for got, want in zip(f(a), wanted, strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-9)
        runs = []
        for td.config.num_threads in (1, 2, 3):
            runs.append([r.tobytes() for r in f(a)])
        assert runs[0] == runs[1] == runs[2]


def test_indices_out_of_range_are_found_in_every_part() -> None:
    x, v, k = T.dmatrix("x"), T.dvector("v"), T.lvector("k")
    f = td.function([x, v, k], (T.exp(x) * v[k][:, None]).sum(0))
    a, weights, places = np.ones((9000, 70)), np.arange(50.0), np.arange(9000) % 50
    for td.config.num_threads in (1, 3):
        np.testing.assert_allclose(f(a, weights, places), np.full(70, np.e * weights[places].sum()))
        for wrong in (0, 4500, 8999):
            bad = places.copy()
            bad[wrong] = 50
            with pytest.raises(IndexError):
                f(a, weights, bad)


@pytest.mark.parametrize("shared_rows", [2, 16])
def test_groups_in_the_smallest_parts(shared_rows: int) -> None:
    tasks = {"parallel_min_ns": 1, "independent_min_ns": 1}
    check_groups(tuned(tasks=tasks, loops={"task_ns": 1, "shared_rows": shared_rows}))
