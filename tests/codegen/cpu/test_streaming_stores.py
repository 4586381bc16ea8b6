"""Kernels with non-temporal stores: the same results, wherever operands begin and whoever computes them."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tuned import HERE, tuned

import tensordsl as td
import tensordsl.tensor as T
from tensordsl.codegen.abi.descriptor import Header
from tensordsl.codegen.compiler.pipeline import make_program
from tensordsl.codegen.llvm.vector_builder import Code
from tensordsl.codegen.target.tuning import close_l3
from tensordsl.functions.native import set_tuning

DTYPES = ["float64", "float32", "int64", "int32", "int16", "complex128", "bool"]
SIZES = [(1,), (63,), (64,), (129,), (1000,), (5000,), (3, 1), (7, 64), (5, 256), (6, 300), (4, 1024), (3, 2, 512)]


def plans(inputs: list[Any], output: Any) -> list[Any]:
    return make_program("f", inputs, [], [output], [], False)[1].plans


def test_kernels_of_few_operations_have_such_stores() -> None:
    x, y, m, row = T.dvector("x"), T.dvector("y"), T.dmatrix("m"), T.dvector("row")
    for inputs, output, has in (
        ([x, y], x * y + x, True),
        ([m, row], (m - row) * 2, True),
        ([x], T.exp(x), False),
        ([x], x > 0, False),  # eight bytes a vector
        ([x], x[:-1] + x[1:], True),
        ([x], x.sum(), False),
        ([m], T.nnet.softmax(m), False),
    ):
        (plan, *_) = plans(inputs, output)
        words = plan.kernels.descriptor
        assert bool(words[Header.STREAMING_STORES] and words[Header.DIRECT_CALL]) == has, output
        assert ("!nontemporal" in "".join(plan.kernels.texts)) == has
        assert words[Header.STREAMABLE] == 1


def test_such_stores_are_of_whole_registers() -> None:
    """Though the kernel itself may compute in half ones: half a line takes as long to write as a whole one."""
    x = T.dvector("x")
    (plan,) = plans([x], x * 2)
    own, past = "".join(plan.kernels.texts).split("define internal")
    lanes = Code().vector_bytes // 8
    assert f"store <{lanes} x double>" in past and past.count("!nontemporal") == past.count("store ")
    assert "vector-width" not in past and "!nontemporal" not in own


@pytest.mark.parametrize("threads", [1, 2])
def test_large_results(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(td.config, "num_threads", threads)
    x, y, z = T.fvector("x"), T.fvector("y"), T.fvector("z")
    f, rng = td.function([x, y, z], x * y + z), np.random.default_rng(0)
    for size in (2_000_003, 3_500_000):
        a, b, c = (rng.normal(size=size + 3).astype("float32")[k:][:size] for k in range(3))
        for _ in range(3):
            np.testing.assert_array_equal(f(a, b, c), a * b + c)
        np.testing.assert_array_equal(f(a[1:], b[:-1], c[:-1]), a[1:] * b[:-1] + c[:-1])
        np.testing.assert_array_equal(f(a[::2], b[::2], c[::-2]), a[::2] * b[::2] + c[::-2])
    m, row = T.fmatrix("m"), T.fvector("row")
    g = td.function([m, row], (m - row) * row)
    for shape in ((9000, 1024), (4000, 2600), (5, 2_000_000)):
        a, b = rng.normal(size=shape).astype("float32"), rng.normal(size=shape[1]).astype("float32")
        for _ in range(2):
            np.testing.assert_array_equal(g(a, b), (a - b) * b)


def test_everything_past_the_caches(tmp_path: Path) -> None:
    """In a process of its own, whose library takes no result for small."""
    flags = {"TENSORDSL_FLAGS": f"compiledir={tmp_path}", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    code = "import test_streaming_stores; test_streaming_stores.check_everything()"
    subprocess.run([sys.executable, "-c", code], env=os.environ | flags, check=True, timeout=600)


def check_everything() -> None:
    limits = {"stream_min_bytes": 1, "stream_threads_min_bytes": 1, "stream_result_min_bytes": 1}
    memory = {"stream_min_points": 1, "stream_min_operand_ratio": 0}
    tasks = {"independent_min_ns": 1, "small_task_ns": 1, "lane_elements": 1}
    set_tuning(tuned(replace(HERE, caches=close_l3()), caches=limits, memory=memory, tasks=tasks))
    rng = np.random.default_rng(3)
    for dtype in DTYPES:
        for ndim in (1, 2, 3):
            check_dtype(dtype, [s for s in SIZES if len(s) == ndim], rng)


def check_dtype(dtype: str, shapes: list[tuple[int, ...]], rng: np.random.Generator) -> None:
    x, y = (T.TensorType(dtype, (False,) * len(shapes[0]))(name) for name in "xy")
    row = T.TensorType(dtype, (False,))("row")
    state = td.shared(np.zeros(shapes[0], dtype))
    both = (lambda a, b: a & b) if dtype == "bool" else (lambda a, b: a * b + a)
    f = td.function([x, y], [both(x, y), both(y, x)])
    g = td.function([x, row], both(x, row))
    step = td.function([x], state, updates=[(state, both(x, state))])
    for shape in shapes:
        a, b, c = (values(rng, (*shape[:-1], shape[-1] + 5), dtype) for _ in range(3))
        a, b, c = a[..., 2:-3], b[..., :-5], c.reshape(-1)[1 : shape[-1] + 1]
        for threads in (1, 2):
            td.config.num_threads = threads
            for first, second in ((a, b), (b[..., ::-1], a), (a.copy(), b.copy()), (a.T.copy().T, b)):
                for got, want in zip(f(first, second), (both(first, second), both(second, first)), strict=True):
                    np.testing.assert_array_equal(got, want)
                np.testing.assert_array_equal(g(first, c), both(first, c))
            state.set_value(b.copy())
            want = b
            for _ in range(3):
                step(a)
                want = both(a, want)
                np.testing.assert_array_equal(state.get_value(), want)


def values(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """Of which products stay small and exact."""
    return rng.integers(0, 2 if dtype == "bool" else 3, size=shape).astype(dtype)
