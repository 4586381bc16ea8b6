"""Shared storage: the update protocol, pins, threads, forks."""

from __future__ import annotations

import ctypes
import gc
import os
import subprocess
import sys
import threading
import weakref

import numpy as np
import programs
import pytest
from checkout import ROOT
from interrupts import interrupted

from tensordsl.codegen.abi import layouts
from tensordsl.runtime.calls import state
from tensordsl.runtime.calls.state import Cell
from tensordsl.runtime.loading import library
from tensordsl.runtime.loading.layout import peek, poke

N = 4
ONES = np.ones(N)


def count(cell):
    """References to the cell's array."""
    return peek(peek(cell.address + layouts.CELL_ARRAY) + layouts.OB_REFCNT, ctypes.c_int32)


def values(cell):
    """Without a reference that pytest would keep until the end of an assertion."""
    return cell.get().tolist()


def spare(cell):
    return peek(cell.address + layouts.CELL_SPARE)


@pytest.fixture
def cell():
    return Cell(np.zeros(N))


def test_an_update_nobody_can_see_is_in_place(cell):
    f, address = programs.function(programs.accumulate(), [cell]), cell.get().ctypes.data
    for i in range(1, 4):
        assert f(ONES).tolist() == [i] * N and values(cell) == [i] * N
    assert count(cell) == 1 and spare(cell) == 0 and cell.get().ctypes.data == address


@pytest.mark.parametrize(
    "hold", [lambda cell: cell.get(), lambda cell: cell.get()[1:], lambda cell: memoryview(cell.get()),
             lambda cell: cell.get().base],
)  # fmt: skip
def test_an_update_that_somebody_could_see_goes_elsewhere(cell, hold):
    f, address = programs.function(programs.accumulate(), [cell]), cell.get().ctypes.data
    held = hold(cell)
    f(ONES)
    assert cell.get().ctypes.data != address and values(cell) == [1] * N
    assert not any(bytes(held))


@pytest.mark.parametrize("flag", ["borrowed memory", "read-only"])
def test_storage_that_is_not_ours_to_write_is_not_written(flag):
    memory = np.zeros(N)
    array = np.frombuffer(bytearray(8 * N)) if flag == "borrowed memory" else memory
    array.flags.writeable = flag == "borrowed memory"
    cell = Cell(array)
    address = array.ctypes.data
    del array, memory
    programs.function(programs.accumulate(), [cell])(ONES)
    assert cell.get().ctypes.data != address and values(cell) == [1] * N


def test_fresh_updates_swap_and_reuse_the_spare(cell):
    f = programs.function(programs.accumulate(fresh=True), [cell])
    addresses = set()
    for i in range(1, 7):
        f(ONES)
        assert values(cell) == [i] * N and count(cell) == 1
        addresses.add(cell.get().ctypes.data)
    assert len(addresses) == 2 and spare(cell) != 0


def test_a_spare_that_somebody_holds_is_not_overwritten(cell):
    f = programs.function(programs.accumulate(fresh=True), [cell])
    held = cell.get()
    for _ in range(3):
        f(ONES)
    assert held.tolist() == [0] * N and values(cell) == [3] * N


def test_a_large_spare_is_dropped():
    cell = Cell(np.zeros(layouts.SPARE_LIMIT // 8 + 1))
    f = programs.function(programs.accumulate(fresh=True), [cell])
    f(np.ones(layouts.SPARE_LIMIT // 8 + 1))
    assert spare(cell) == 0 and cell.get()[-1] == 1


def test_a_failed_call_changes_nothing(cell):
    f = programs.function(programs.accumulate(), [cell])
    before = values(cell)
    for _ in range(100):
        with pytest.raises(ValueError):
            f(np.ones(N + 1))
    assert values(cell) == before and count(cell) == 1 and cell.locked_by == 0


def test_pinned_calls_without_the_gil(cell):
    f = programs.function(programs.accumulate(programs.ALWAYS), [cell])
    for i in range(1, 100):
        assert f(ONES).tolist() == [i] * N
    assert count(cell) == 1 and cell.locked_by == 0


def test_set_replaces_the_storage_and_drops_the_spare(cell):
    programs.function(programs.accumulate(fresh=True), [cell])(ONES)
    new = np.arange(6.0)
    before = sys.getrefcount(new)
    cell.set(new)
    after = sys.getrefcount(new)
    assert after == before and count(cell) == 2 and spare(cell) == 0 and np.shares_memory(cell.get(), new)
    del new
    assert count(cell) == 1
    assert programs.function(programs.accumulate(), [cell])(np.ones(6)).tolist() == [1, 2, 3, 4, 5, 6]


def test_a_cell_gives_up_its_arrays():
    memory = (ctypes.c_double * N)()
    reference = weakref.ref(memory)
    cell = Cell(np.frombuffer(memory))
    del memory
    assert reference() is not None
    del cell
    assert reference() is None


def test_a_function_keeps_its_cells_storage():
    cell = Cell(np.zeros(N))
    f = programs.function(programs.accumulate(), [cell])
    del cell
    gc.collect()
    assert f(ONES).tolist() == [1] * N and f(ONES).tolist() == [2] * N


@pytest.mark.parametrize("touch", ["call", "set"])
def test_reentry_through_a_callback_raises(cell, touch):
    def host():
        f(ONES) if touch == "call" else cell.set(np.ones(N))
        return []

    f = programs.function(programs.accumulate(programs.ALWAYS, host=True), [cell], hosts=[host])
    with pytest.raises(RuntimeError, match="in use by this very call"):
        f(ONES)
    assert values(cell) == [0] * N and cell.locked_by == 0 and count(cell) == 1


def test_a_callback_may_read_the_state(cell):
    seen = []
    f = programs.function(
        programs.accumulate(programs.ALWAYS, host=True), [cell], hosts=[lambda: seen.append(cell.get().copy()) or []]
    )
    f(ONES)
    f(ONES)
    assert [s.tolist() for s in seen] == [[0] * N, [1] * N]


def test_a_host_call_that_has_not_pinned_is_our_error(cell):
    f = programs.function(programs.accumulate(host=True), [cell], hosts=[lambda: []])
    with pytest.raises(ValueError) as caught:
        f(ONES)
    assert caught.value.args[1:] == (layouts.ERR_INTERNAL, (0, 0), ()) and values(cell) == [0] * N


@pytest.mark.parametrize("threshold", [programs.NEVER, programs.ALWAYS])
def test_busy_cells_are_waited_for(cell, threshold):
    f = programs.function(programs.accumulate(threshold), [cell])
    poke(cell.address + layouts.CELL_LOCK, 12345)  # another thread's call
    timer = threading.Timer(0.05, poke, [cell.address + layouts.CELL_LOCK, 0])
    timer.start()
    assert f(ONES).tolist() == [1] * N
    timer.join()


def test_set_waits_for_other_threads(cell):
    poke(cell.address + layouts.CELL_LOCK, 12345)
    timer = threading.Timer(0.05, poke, [cell.address + layouts.CELL_LOCK, 0])
    timer.start()
    cell.set(np.ones(N))
    timer.join()
    assert values(cell) == [1] * N


def run_together(*works):
    errors = []

    def guarded(work):
        try:
            work()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(work,)) for work in works]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not errors


def test_concurrent_updates_are_none_lost():
    """Two functions that pin and one that does not, in four threads: every value of the sum comes exactly once."""
    n, rounds = 20_000, 150
    cell = Cell(np.zeros(n))
    pinned = [programs.function(programs.accumulate(programs.ALWAYS), [cell]) for _ in range(2)]
    kept = programs.function(programs.accumulate(), [cell])
    x, seen = np.ones(n), []

    def work(f):
        def steps():
            for _ in range(rounds):
                result = f(x)
                assert result[0] == result[-1] == result[n // 2]
                seen.append(result[0])

        return steps

    run_together(work(pinned[0]), work(pinned[1]), work(kept), work(pinned[0]))
    assert sorted(seen) == list(range(1, 4 * rounds + 1)) and values(cell)[0] == 4 * rounds
    assert count(cell) == 1 and cell.locked_by == 0


def test_set_and_get_race_with_updates():
    n, rounds = 20_000, 150
    cell = Cell(np.zeros(n))
    f = programs.function(programs.accumulate(programs.ALWAYS), [cell])
    x = np.ones(n)

    def calls():
        for _ in range(rounds):
            result = f(x)
            assert result[0] == result[-1]

    def sets():
        for i in range(rounds):
            cell.set(np.full(n, float(i)))

    def gets():
        for _ in range(rounds):
            value = cell.get()
            assert value[0] == value[-1] and (value == value[0]).all()

    run_together(calls, calls, sets, gets)
    assert cell.locked_by == 0


def test_a_fork_frees_what_other_threads_had_locked(cell):
    poke(cell.address + layouts.CELL_LOCK, 12345)
    child = os.fork()
    if child == 0:
        cell.set(np.ones(N))
        f = programs.function(programs.accumulate(), [cell])
        os._exit(0 if f(ONES).tolist() == [2] * N and not library._State.lock.locked() else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert cell.locked_by == 12345
    poke(cell.address + layouts.CELL_LOCK, 0)


def test_who_is_interrupted_while_waiting_is_next_no_more(cell, monkeypatch):
    naps = []

    def nap(seconds):
        naps.append(seconds)
        if len(naps) == 3:
            poke(cell.address + layouts.CELL_LOCK, 0)

    def wait():
        naps.clear()
        poke(cell.address + layouts.CELL_LOCK, 12345)
        cell.wait()

    monkeypatch.setattr(state.time, "sleep", nap)
    for _ in interrupted(wait):
        assert peek(cell.address + layouts.CELL_NEXT) == 0
    assert len(naps) == 3
    poke(cell.address + layouts.CELL_LOCK, 0)


@pytest.mark.parametrize("mode", ["threads", "signals"])
def test_a_slice_of_the_stress_programs_finds_nothing(mode):
    command = [sys.executable, "tools/stress_state.py", mode, "--seconds", "2", "--seed", "1"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment)
    assert done.returncode == 0 and " 0 errors" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize(
    "array", [np.zeros((2, 3)).T, np.zeros(3, ">f8"), np.zeros(6)[::2], np.zeros((2, 2)), np.zeros(3, "float32")]
)
def test_only_arrays_of_its_kind_stand_in_a_cell(cell, array):
    with pytest.raises(AssertionError):
        cell.set(array)
