"""Launches that go through memory there and back in turn: the same results, whichever way."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from end_of_memory import End
from tuned import HERE, tuned

import tensordsl as td
import tensordsl.tensor as T
from tensordsl.codegen.abi import layouts
from tensordsl.codegen.target.tuning import close_l3, distant_l3
from tensordsl.functions.native import set_tuning
from tensordsl.runtime.loading import library

SHAPES = [(1, 1), (3, 2000), (40, 300), (257, 65), (2000, 3), (1, 9001), (0, 5), (70, 700)]


def ways() -> int:
    return library._State.table[layouts.RT["traversals"] // 8] or 0


@pytest.mark.parametrize("third", ["near", "far", "whole"])
def test_small_parts_both_ways(third: str, tmp_path: Path) -> None:
    """In a process of its own, whose library is another one."""
    flags = {"TENSORDSL_FLAGS": f"compiledir={tmp_path}", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    code = f"import test_traversal_order; test_traversal_order.check_small_parts({third!r})"
    subprocess.run([sys.executable, "-c", code], env=os.environ | flags, check=True, timeout=600)


def check_small_parts(third: str) -> None:
    """`whole`: parts of rows are never worth it, and memory is asked for all rows."""
    usual = close_l3() if third == "near" else distant_l3(1 << 21, 1 << 26)
    limits = replace(
        usual, alternate_min_bytes=1, alternate_far_max_bytes=1 << 62, split_rows_min_bytes=1,
        alternate_far_read_min_bytes=1, alternate_far_min_bytes=1, task_min_ns=1,
    )  # fmt: skip
    if third != "near":
        limits = replace(
            limits, alternate_far_threads_min_bytes=1, mixed_read_min_bytes=1, mixed_read_max_bytes=1 << 62
        )
    if third == "whole":
        limits = replace(limits, split_rows_max_state_bytes=0, prefetch_rows_min_bytes=0)
    tasks = {"parallel_min_ns": 1, "independent_min_ns": 1, "split_rows_column_bytes": 1}
    memory = {} if third == "near" else {"mixed_read_period": 2}
    set_tuning(tuned(replace(HERE, caches=limits), tasks=tasks, memory=memory, loops={"shared_rows": 2}))
    x, k, rng = T.dmatrix("x"), T.lvector("k"), np.random.default_rng(5)
    results = [
        x.sum(), x.var(), x.max(), x.argmax(), T.isnan(x).any(), (x * x[::-1]).sum(), T.logsumexp(x),
        x.sum(1), T.nnet.softmax(x), T.exp(x) - x[::-1], x[:, ::-1] + x, x.std(), x - x.sum(), x.mean(0),
        x - x.mean(0), x.max(0), x.argmin(0), x.var(0), T.exp(x).sum(0),
    ]  # fmt: skip
    f = td.function([x], results)
    state = td.shared(np.zeros((1, 1)))
    step = td.function([x], [state.sum(), state * 2], updates=[(state, T.exp(-x) + state[::-1] * 0.5)])
    pick = td.function([x, k], T.exp(x)[k] * 2)
    turns = turns_of_two = 0
    for shape in SHAPES:
        a = rng.normal(size=shape)
        if a.size:
            check_calls(f, step, state, a)
            turns += ways() != 0
            td.config.num_threads = 2
            turned = ways()
            runs = [[r.tobytes() for r in f(a)] for _ in range(3)]
            turns_of_two += ways() != turned
            td.config.num_threads = 1
            assert all(run == [r.tobytes() for r in f(a)] for run in runs)
            for _ in range(3):
                np.testing.assert_allclose(pick(a, np.arange(len(a))[::-1]), np.exp(a)[::-1] * 2)
                with pytest.raises(IndexError):
                    pick(a, np.arange(len(a)) + 1)
    assert turns and turns_of_two
    check_ends_of_memory(rng)


def check_ends_of_memory(rng: np.random.Generator) -> None:
    """Of what both threads read."""
    x, y = T.dmatrix("x"), T.dmatrix("y")
    f = td.function([x, y], [x.sum(), x.sum(1), x * 2 + y[:, 0, None]])
    td.config.num_threads = 2
    for shape in ((90, 70), (70, 33), (64, 1), (2, 2000)):
        values = rng.integers(-9, 9, shape).astype(float)
        rows, columns = shape
        for a in (End().put(values), End().put_first(values)):
            for b in (a, a[::-1], a[:, ::-1], a[:, : columns // 2 + 1], a[rows // 2 :, columns // 2 :]):
                for _ in range(6):
                    total, sums, both = f(b, b)
                    assert total == b.sum() and (sums == b.sum(1)).all() and (both == b * 2 + b[:, :1]).all()


def check_calls(f: td.compile.Function, step: td.compile.Function, state: td.Variable, a: np.ndarray) -> None:
    runs = [[r.tobytes() for r in f(a)] for _ in range(4)]
    assert all(run == runs[0] for run in runs)
    total, variance, *_, mean, _, _, least, _, _ = f(a)
    np.testing.assert_allclose([total, variance], [a.sum(), a.var()], rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(mean, a.mean(0), rtol=1e-9, atol=1e-12)
    np.testing.assert_array_equal(least, a.argmin(0))
    want = np.zeros(a.shape)
    state.set_value(want)
    for _ in range(4):
        got_sum, got = step(a)
        np.testing.assert_allclose(got_sum, want.sum(), rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(got, want * 2)
        want = np.exp(-a) + want[::-1] * 0.5


def test_large_operands_turn() -> None:
    """80 MB that are never written, so that memory has them once."""
    zeros = np.broadcast_to(np.float32(0), (20_000_000,))
    x = T.fvector("x")
    a = np.zeros(20_000_000, np.float32)
    total, variance = td.function([x], x.sum()), td.function([x], x.var())
    seen = []
    for call in (total, total, variance, total):
        assert call(a) == 0
        seen.append(ways())
    first, second, third, fourth = seen
    assert first != second == third != fourth == first
    before = ways()
    total(zeros)
    total(a[:1000])
    assert ways() == before


def does_turn(bytes_: int, threads: int, is_read: bool) -> bool:
    here = HERE.caches
    from_here = is_read and here.alternate_min_bytes <= bytes_ < here.alternate_max_bytes
    least = here.alternate_far_read_min_bytes if is_read else here.alternate_far_min_bytes
    from_there = bytes_ >= (least if threads == 1 else max(least, here.alternate_far_threads_min_bytes))
    return from_here or (from_there and (is_read or bytes_ < here.alternate_far_max_bytes))


@pytest.mark.parametrize("size", [200_000, 600_000, 2_000_000, 5_000_000, 10_000_000])
@pytest.mark.parametrize("threads", [1, 2])
def test_operands_of_a_third_cache(size: int, threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(td.config, "num_threads", threads)
    x = T.fvector("x")
    a, turns = np.zeros(size, np.float32), does_turn(4 * size, threads, True)
    for f in (td.function([x], x.sum()), td.function([x], T.neg(x[:-1] * x[1:]).max())):
        before = ways()
        assert f(a) == 0
        assert (ways() != before) == turns
    u, v, w = T.dvectors("u", "v", "w")
    before, small = ways(), [np.zeros(size // 8) for _ in "uvw"]  # of which the result is the fourth
    assert not td.function([u, v, w], u * v + w)(*small).any()
    assert (ways() != before) == does_turn(4 * size, threads, False)
    before, powers = ways(), td.function([x], T.exp(x))
    assert (powers(a[:5_000_000]) == 1).all()
    assert (ways() != before) == does_turn(8 * min(size, 5_000_000), threads, False)


def test_threads_and_what_no_cache_keeps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(td.config, "num_threads", 2)
    x = T.fvector("x")
    before = ways()
    assert td.function([x], x.sum())(np.zeros(20_000_000, np.float32)) == 0
    assert (ways() != before) == does_turn(80_000_000, 2, True)
