"""Threads: the same results for any number of them, from concurrent callers, behind a fork, with errors inside."""

from __future__ import annotations

import ctypes
import os
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import tensordsl as td
import tensordsl.tensor as T
from tensordsl import config
from tensordsl.codegen.abi import layouts
from tensordsl.ifelse import ifelse
from tensordsl.runtime.calls import threads
from tensordsl.runtime.loading import library
from tensordsl.runtime.loading.layout import peek, poke

x, y, v, k = T.matrix("x"), T.matrix("y"), T.vector("v"), T.ivector("k")
EXPRESSIONS: dict[str, tuple[list[Any], Any]] = {
    "flat": ([x, y], T.exp(x) * y + T.sin(x)),
    "broadcast": ([x, v], T.exp(x * v) + v),
    "transposed": ([x, y], T.exp(x.T) * 2),
    "rows": ([x, y], T.exp(x * y).sum(axis=1)),
    "columns": ([x, y], T.exp(x * y).sum(axis=0)),
    "argmax": ([x, y], T.argmax(T.tanh(x) * y, axis=1)),
    "softmax": ([x], T.nnet.softmax(x)),
    "positions": ([x], x + T.exp(T.arange(x.shape[0]).dimshuffle(0, "x") * -0.01)),
    "total": ([x, y], T.exp(x * y).sum()),
    "totals": ([x, y], [T.exp(x), T.exp(x).sum(), (x * y).mean(), T.sqrt((y**2).sum())]),
    "totals of float32": ([x, y], T.sum(T.cast(x, "float32") ** 2) * T.cast(y, "float32").sum()),
    "totals of all kinds": ([x, y], [x.max(), T.argmin(x * y), (x > y).sum(), T.any(x > 5), (1 + x / 1e6).prod()]),
    "totals of totals": ([x], [x.var(), T.log(T.exp(x - x.max()).sum())]),
    "total of taken": ([x, k], T.exp(x[k]).sum()),
    "taken": ([x, k], T.exp(x[k])),
    "few long rows": ([x], [x.var(1), T.log(T.exp(x).sum(1)), x.argmax(1)]),
    "searched": ([x, v], [T.searchsorted(T.sort(v), x), T.searchsorted(T.sort(v), x[::-1, ::2], side="right")]),
    "running": ([x], [T.cumsum(x, 0), T.cumprod(1 + x / 1e3, 1), T.cumsum(x[::-1], 0)[::2], T.cumsum(x)]),
    "sorted": ([x], [T.sort(x, 0), T.argsort(x, 1), T.sort(x.flatten())]),
    "chosen": ([x, v], [x[x > 0.3], T.exp(x[(x < 1).nonzero()]), x[:, (v > 0).nonzero()[0]]]),
}  # fmt: skip
CALLED_LATER: list[Any] = []  # by threads that have its address
SHAPES = [(1000, 257), (1000, 1030), (17, 5003), (3, 30001), (1, 70001), (70001, 3), (100, 257), (2003, 20), (50, 301)]


@pytest.fixture(autouse=True)
def one_thread_afterwards() -> Iterator[None]:
    yield
    config.num_threads = 1


def operands(inputs: list[Any], shape: tuple[int, int]) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    made = {
        id(x): rng.normal(size=shape), id(y): rng.normal(size=shape), id(v): rng.normal(size=shape[1]),
        id(k): rng.integers(-shape[0], shape[0], size=max(shape[0], 200)).astype(np.int32),
    }  # fmt: skip
    return [made[id(i)] for i in inputs]


def threads_started() -> int:
    return int(peek(threads._State.pool + layouts.TH_STARTED)) if threads._State.pool else 0


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_results_do_not_depend_on_the_number_of_threads(name: str) -> None:
    inputs, expression = EXPRESSIONS[name]
    f = td.function(inputs, expression, on_unused_input="ignore")
    for shape in SHAPES:
        given = operands(inputs, shape)
        config.num_threads = 1
        alone = f(*given)
        for count in (2, 3):
            config.num_threads = count
            for _ in range(3):
                for got, want in zip(listed(f(*given)), listed(alone), strict=True):
                    np.testing.assert_array_equal(got, want)


def listed(results: Any) -> list[Any]:
    return results if isinstance(results, list) else [results]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_threads_that_start_before_the_first_job_find_no_work() -> None:
    """In children, whose pools have no threads yet: several of them look for work at once."""
    f, given = td.function([x, y], T.exp(x) * y), operands([x, y], (1000, 257))
    config.num_threads = 9
    want = f(*given)
    for _ in range(30):
        child = os.fork()
        if not child:
            os._exit(0 if np.array_equal(f(*given), want) else 1)
        assert os.waitpid(child, 0)[1] == 0


def test_totals_are_shared_out_and_right() -> None:
    config.num_threads = 2
    f = td.function([x, y], [T.exp(x * y).sum(), x.sum(), (x * y).sum()])
    a, b = operands([x, y], (400, 500))
    for given in ((a, b), (a.T, b.T), (a[::-1, ::2], b[::-1, ::2]), (np.asfortranarray(a), b)):
        wanted = [np.exp(given[0] * given[1]).sum(), given[0].sum(), (given[0] * given[1]).sum()]
        np.testing.assert_allclose(f(*given), wanted, rtol=1e-12)
    a[399, 499] = np.inf
    assert f(a, b)[1] == np.inf
    a[0, 0] = -np.inf
    assert np.isnan(f(a, b)[1])


def test_threads_are_started_when_there_is_work() -> None:
    f = td.function([x], T.exp(x))
    config.num_threads = 3
    small, large = np.ones((3, 3)), np.ones((500, 500))
    before = threads_started()
    f(small)
    assert threads_started() == before
    f(large)
    assert threads_started() == max(before, 2)
    np.testing.assert_array_equal(f(large), np.full((500, 500), f(small)[0, 0]))


def test_two_threads_have_as_many_parts_each() -> None:
    """An odd number would leave one of them without work at the end."""
    config.num_threads = 2
    a, b = T.fvectors("a", "b")
    f = td.function([a, b], a * b + b)
    counts: set[int] = set()
    ones = np.ones(5_000_000, np.float32)
    for _ in range(50):
        for n in (5_000_000, *range(60_000, 400_000, 10_000)):  # the first wakes threads, and most find them so
            f(ones[:n], ones[:n])
            counts.add(int(peek(threads._State.pool + layouts.TH_N)))
        if len(counts) > 1:  # else the system had the threads' cores
            break
    assert all(n % 2 == 0 for n in counts)
    assert len(counts) > 1


def test_small_jobs_are_for_threads_that_are_awake() -> None:
    """Which they are, too, where the last job to ask came shortly before."""
    config.num_threads = 2
    pool = _pool()
    is_awake = ctypes.CFUNCTYPE(ctypes.c_bool, ctypes.c_void_p, ctypes.c_int64)(library.address("threads", "is_awake"))
    hour = 3600 * 10**9
    kept = [peek(pool + word) for word in (layouts.TH_STARTED, layouts.TH_SLEEPERS)]
    poke(pool + layouts.TH_STARTED, 1)
    try:
        poke(pool + layouts.TH_REQUESTED, 0)  # long ago
        for sleepers, work, answer in ((0, 0, True), (1, 0, False), (1, hour, True), (1, -hour, False)):
            poke(pool + layouts.TH_SLEEPERS, sleepers)
            assert is_awake(pool, work) == answer
    finally:
        for word, value in zip((layouts.TH_STARTED, layouts.TH_SLEEPERS), kept, strict=True):
            poke(pool + word, value)


def _pool() -> int:
    """The pool, without anybody in it: threads of earlier tests sleep."""
    pool = threads._State.pool
    while peek(pool + layouts.TH_SLEEPERS) < threads_started():
        time.sleep(0.001)
    return pool


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="Linux's sets of cores")
@pytest.mark.parametrize("is_bound", [False, True])
def test_threads_keep_the_cores_that_they_may_use(is_bound: bool) -> None:
    """Whoever wakes on the caller's core leaves it, if there is another one."""
    f, given = td.function([x, y], T.exp(x) * y), operands([x, y], (1000, 257))
    want = f(*given)
    child = os.fork()
    if not child:
        try:
            if is_bound:
                os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
            config.num_threads = 3
            same = [np.array_equal(f(*given), want) for _ in range(8) if time.sleep(0.005) is None]
            tasks = [int(task) for task in os.listdir("/proc/self/task")]
            cores = {frozenset(os.sched_getaffinity(task)) for task in tasks}
            os._exit(0 if all(same) and threads_started() >= 2 and cores == {frozenset(os.sched_getaffinity(0))} else 1)
        finally:
            os._exit(2)
    assert os.waitpid(child, 0)[1] == 0


@pytest.mark.parametrize("count", [1, 2, 3, 7, 200])
def test_the_caller_goes_through_the_chunks_from_the_first_and_others_from_the_last(count: int) -> None:
    config.num_threads = 3
    done: list[tuple[int, int]] = []
    prototype = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 3, ctypes.c_int64)
    parallel_for = prototype(library.address("threads", "parallel_for"))
    chunk = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64)(
        lambda job, index: (done.append((threading.get_native_id(), index)), time.sleep(0.0005))[1]
    )
    for _ in range(20):
        done.clear()
        parallel_for(threads._State.pool, ctypes.cast(chunk, ctypes.c_void_p), None, count)
        assert sorted(index for _, index in done) == list(range(count))
        mine = [index for who, index in done if who == threading.get_native_id()]
        others = [index for who, index in done if who != threading.get_native_id()]
        assert mine == list(range(len(mine))) and sorted(others) == list(range(len(mine), count))


def test_threads_that_look_for_work_give_their_turn_away() -> None:
    """As others may have work, and fewer cores than there are threads."""
    config.num_threads = 3
    given = operands([x, y], (1000, 257))
    td.function([x, y], T.exp(x) * y)(*given)
    callers, others, end = set(), threads_started(), time.monotonic() + 60
    sched_yield = ctypes.CFUNCTYPE(ctypes.c_int)(lambda: callers.add(threading.get_native_id()) or 0)
    CALLED_LATER.append(sched_yield)
    word = _pool() + layouts.TH["sched_yield"]
    kept = peek(word)
    poke(word, ctypes.cast(sched_yield, ctypes.c_void_p).value or 0)
    try:
        td.function([x, y], T.exp(x) * y)(*given)
        while len(callers - {threading.get_native_id()}) < others and time.monotonic() < end:
            time.sleep(0.001)
    finally:
        poke(word, kept)
    assert len(callers - {threading.get_native_id()}) == others


def test_updates_in_place_and_bad_indices() -> None:
    config.num_threads = 2
    w = td.shared(np.zeros((600, 300)), borrow=True)
    step = td.function([x], [], updates=[(w, w * 0.5 + T.exp(x))])
    a = np.random.default_rng(1).normal(size=(600, 300))
    expected = np.zeros((600, 300))
    for _ in range(4):
        step(a)
        expected = expected * 0.5 + np.exp(a)
    np.testing.assert_allclose(w.get_value(), expected, rtol=1e-13)
    take = td.function([x, k], T.exp(x[k]))
    bad = np.zeros(3000, np.int32)
    bad[2999] = 600
    with pytest.raises(IndexError):
        take(a, bad)
    assert take(a, bad[:2999]).shape == (2999, 300)


def test_concurrent_callers() -> None:
    config.num_threads = 2
    f = td.function([x, y], T.exp(x * y).sum(axis=1))
    data = [operands([x, y], (400 + 7 * i, 300)) for i in range(4)]
    wanted, wrong = [f(*d) for d in data], []

    def run(i: int) -> None:
        for _ in range(40):
            if not np.array_equal(f(*data[i]), wanted[i]):
                wrong.append(i)

    callers = [threading.Thread(target=run, args=(i,)) for i in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert not wrong


@pytest.mark.parametrize("name", ["columns", "softmax", "branches", "static"])
def test_other_threads_go_on_during_a_long_call(name: str) -> None:
    """They get no turns of Python's own in the meantime."""
    static = T.TensorType("float64", (1000, 500))("static")
    given = np.random.default_rng(3).normal(size=(1000, 500))
    inputs, expression = {
        "columns": ([x], T.exp(x).sum(axis=0)), "softmax": ([x], T.nnet.softmax(x)),
        "branches": ([x], ifelse(x[0, 0] > 9, x + 1, T.exp(T.sin(x)))), "static": ([static], T.exp(static)),
    }[name]  # fmt: skip
    f = td.function(inputs, expression)
    f(given)
    started, turns, ends, interval = threading.Event(), [0], [False], sys.getswitchinterval()

    def count() -> None:
        started.set()
        while not ends[0]:
            time.sleep(1e-5)  # waits without the GIL
            turns[0] += 1

    other = threading.Thread(target=count)
    other.start()
    started.wait()
    sys.setswitchinterval(1000)
    try:
        before, calls = turns[0], 0
        while turns[0] == before and calls < 1000:
            f(given)
            calls += 1
        assert turns[0] > before
    finally:
        sys.setswitchinterval(interval)
        ends[0] = True
        other.join()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_child_has_threads_of_its_own() -> None:
    config.num_threads = 2
    f = td.function([x], T.exp(x) * 3)
    a = np.random.default_rng(2).normal(size=(700, 300))
    wanted = f(a)
    assert threads_started() >= 1
    child = os.fork()
    if not child:
        good = threads_started() == 0 and all(np.array_equal(f(a), wanted) for _ in range(5))
        os._exit(0 if good and threads_started() == 1 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    np.testing.assert_array_equal(f(a), wanted)


def test_one_thread_has_no_pool() -> None:
    config.num_threads = 2
    td.function([x], x + 1)
    assert peek(library.table() + layouts.RT["threads"])
    config.num_threads = 1
    assert not peek(library.table() + layouts.RT["threads"])


@pytest.mark.parametrize("threads", [1, 2])
def test_new_values_larger_than_the_caches(threads: int) -> None:
    """They are written by non-temporal stores, in blocks: every element once, also those behind the last block."""
    n = (1 << 22) + 77
    a = np.random.default_rng(0).random(n)
    big, small = td.shared(np.zeros(n)), td.shared(np.zeros(n, np.int16))
    step = td.function([v], [], updates=[(big, v * 2 + 1), (small, T.cast(v * 100, "int16"))])
    in_place = td.function([v], [], updates=[(big, big * 0.5 + v)])
    config.num_threads = threads
    for k in (1, 2):
        step(a * k)
        np.testing.assert_array_equal(big.get_value(), a * k * 2 + 1)
        np.testing.assert_array_equal(small.get_value(), (a * k * 100).astype(np.int16))
    in_place(a)
    np.testing.assert_array_equal(big.get_value(), (a * 4 + 1) * 0.5 + a)
    in_place(a[::-1])
    np.testing.assert_array_equal(big.get_value(), ((a * 4 + 1) * 0.5 + a) * 0.5 + a[::-1])
    short = a.astype("float32").repeat(2)
    narrow, flags = td.shared(short), td.shared(np.zeros(2 * n, bool))
    w = T.fvector()
    td.function([w], [], updates=[(narrow, w * 2), (flags, w > 0.5)])(short)
    np.testing.assert_array_equal(narrow.get_value(), short * 2)
    np.testing.assert_array_equal(flags.get_value(), short > 0.5)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("shape", [(3, 1_500_001), (1_500_001, 3), (2100, 2101)])
def test_results_larger_than_the_caches(shape: tuple[int, int], threads: int) -> None:
    """Of several dtypes, along rows and columns, over operands in another order."""
    m, row, column = T.dmatrix(), T.drow(), T.dcol()
    outputs = [
        m * 2 + row,
        (m + column) * row,
        T.cast(m * 100, "int8"),
        m > column,
        T.cast(m, "float32") * np.float32(3),
    ]
    f, one = td.function([m, row, column], outputs), td.function([m, row], T.complex(m, m * row))
    config.num_threads = threads
    a = np.random.default_rng(0).random(shape)
    r, c = a[:1] + 1, a[:, :1] - 1
    for x in (a, np.ascontiguousarray(a.T).T, a[::-1, ::-1]):
        wanted = [x * 2 + r, (x + c) * r, (x * 100).astype("int8"), x > c, x.astype("float32") * np.float32(3)]
        for got, w in zip(f(x, r, c), wanted, strict=True):
            assert got.dtype == w.dtype
            np.testing.assert_allclose(got, w, rtol=1e-15)
        np.testing.assert_allclose(one(x, r), x + 1j * (x * r), rtol=1e-15)


def test_calls_without_end_let_others_have_the_state() -> None:
    state = td.shared(np.ones((2000, 400)))
    call, step = td.function([], T.exp(state).sum()), td.function([], T.exp(state).sum(), updates=[(state, state * 1)])
    call(), step()
    is_done, counts = threading.Event(), [0, 0]

    def again_and_again(number: int, function: Any) -> None:
        while not is_done.is_set():
            function()
            counts[number] += 1

    def replace() -> None:
        for _ in range(5):
            state.set_value(np.ones((2000, 400)))
            before = list(counts)
            while min(after - n for after, n in zip(counts, before, strict=True)) < 2:
                time.sleep(1e-3)
        is_done.set()

    jobs: list[tuple[Any, tuple[Any, ...]]] = [
        (replace, ()),
        (again_and_again, (0, call)),
        (again_and_again, (1, step)),
    ]
    workers = [threading.Thread(target=job, args=args, daemon=True) for job, args in jobs]
    for worker in workers:
        worker.start()
    is_in_time = is_done.wait(60)
    is_done.set()
    for worker in workers:
        worker.join(60)
    assert is_in_time
