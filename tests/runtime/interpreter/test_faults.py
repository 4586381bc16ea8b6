"""A call that fails leaves everything as it was, wherever it fails: both executors, real errors, threads."""

from __future__ import annotations

import ctypes
import gc
import signal
import sys
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from hand_programs import CASES, N, function, listed, native, native_kernels, numpy_kernels, spin

from tensordsl.codegen.abi import layouts
from tensordsl.codegen.program_ir import instructions as p
from tensordsl.codegen.program_ir.verify import faults
from tensordsl.codegen.tensor_ir.construct import interpret
from tensordsl.runtime.calls.state import Cell
from tensordsl.runtime.interpreter import runner
from tensordsl.runtime.interpreter.faults import Injected, every_fault, snapshot
from tensordsl.runtime.loading import library, memory
from tensordsl.runtime.loading.layout import peek, poke

NAMES = sorted(CASES)


def count(name: str) -> int:
    return len(faults(CASES[name].make()))


def context(f: Any) -> int:
    return int(peek(id(f) + layouts.FN_CTX))


def inject(f: Any, ordinal: int) -> None:
    poke(context(f) + layouts.CTX_INJECT, ordinal)


def observed(cells: list[Cell], args: list[Any]) -> Callable[[], Any]:
    """Bytes, place, locks and reference counts of state and arguments."""

    def observe() -> Any:
        gc.collect(0)
        counts = [peek(id(a) + layouts.OB_REFCNT, ctypes.c_int32) for a in args]
        counts += [peek(peek(c.address + layouts.CELL_ARRAY) + layouts.OB_REFCNT, ctypes.c_int32) for c in cells]
        return snapshot([c.get() for c in cells] + args), [c.locked_by for c in cells], counts

    return observe


@contextmanager
def own_table(f: Any) -> Iterator[Any]:
    """A copy of the run-time table for one function, with a pool of its own; entries may be replaced."""
    real = library.table()
    table = memory.Table.from_buffer_copy((ctypes.c_char * ctypes.sizeof(memory.Table)).from_address(real))
    pool = (ctypes.c_int64 * (layouts.POOL_SIZE // 8))()
    table[layouts.RT["pool"] // 8] = ctypes.addressof(pool)
    poke(context(f) + layouts.CTX_RT, ctypes.addressof(table))
    yield table, pool
    poke(context(f) + layouts.CTX_RT, real)


# -- every ordinal --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("hold", [False, True], ids=["unshared", "shared"])
@pytest.mark.parametrize("name", NAMES)
def test_plan_runner_leaves_the_state_at_every_fault(name: str, hold: bool) -> None:
    case = CASES[name]
    program, args = case.make(), case.arguments()
    storages = [runner.Storage(a) for a in case.state()]
    kernels = numpy_kernels(name, program)
    held = [s.array for s in storages] if hold else []

    def attempt(ordinal: int) -> None:
        runner.run(program, args, storages, kernels, case.hosts, library=interpret, inject=ordinal)

    def observe() -> Any:
        return snapshot([s.array for s in storages] + args), [s.lock for s in storages]

    assert every_fault(count(name), attempt, observe, (Injected,)) == []
    got = listed(runner.run(program, args, storages, kernels, case.hosts, library=interpret))
    want, state = case.expected(args, case.state())
    assert all(np.allclose(a, b) for a, b in zip(got, want, strict=True))
    assert all(np.allclose(s.array, b) for s, b in zip(storages, state, strict=True))
    assert all((a == b).all() for a, b in zip(held, case.state(), strict=False)), "what a user holds was written"


@pytest.mark.parametrize("hold", [False, True], ids=["unshared", "shared"])
@pytest.mark.parametrize("name", NAMES)
def test_native_code_leaves_the_state_at_every_fault(name: str, hold: bool) -> None:
    case = CASES[name]
    args, cells = case.arguments(), [Cell(a) for a in case.state()]
    f = function(name, cells, faults=True)
    held = [c.get() for c in cells] if hold else []

    def attempt(ordinal: int) -> None:
        inject(f, ordinal)
        f(*args)

    with own_table(f) as (table, pool):
        blocks = counted_allocations(table)
        assert every_fault(count(name), attempt, observed(cells, args), (Injected,)) == []
        assert blocks() == sum(map(bool, pool)), "an arena block was lost"
        inject(f, -1)
        got = listed(f(*args))
        assert blocks() == sum(map(bool, pool))
    want, state = case.expected(args, case.state())
    assert all(np.allclose(a, b) for a, b in zip(got, want, strict=True))
    assert all(np.allclose(c.get(), b) for c, b in zip(cells, state, strict=True))
    assert all((a == b).all() for a, b in zip(held, case.state(), strict=False)), "what a user holds was written"


def counted_allocations(table: Any, fail_at: int = -1) -> Callable[[], int]:
    """Arena blocks allocated and not freed; the allocation number `fail_at` gives NULL."""
    word, pointer = ctypes.c_size_t, ctypes.c_void_p
    allocate, release = layouts.RT["aligned_alloc"] // 8, layouts.RT["free"] // 8
    real_allocate = ctypes.CFUNCTYPE(pointer, word, word)(table[allocate])
    real_free = ctypes.CFUNCTYPE(None, pointer)(table[release])
    balance, calls = [0], [0]

    def allocated(alignment: int, size: int) -> int:
        calls[0] += 1
        if calls[0] - 1 == fail_at:
            return 0
        balance[0] += 1
        return int(real_allocate(alignment, size))

    def freed(block: int) -> None:
        balance[0] -= 1
        real_free(block)

    kept = ctypes.CFUNCTYPE(pointer, word, word)(allocated), ctypes.CFUNCTYPE(None, pointer)(freed)
    table[allocate], table[release] = (ctypes.cast(k, pointer).value for k in kept)
    return lambda _=kept: balance[0]


def test_the_production_program_does_not_look_at_the_injected_number() -> None:
    case = CASES["in_place"]
    f = function("in_place", [Cell(a) for a in case.state()])
    inject(f, 0)
    f(*case.arguments())


# -- the production program with failing helpers --------------------------------------------------------------------
@pytest.mark.parametrize("name", ["in_place", "loop", "host"])
def test_out_of_memory_for_any_arena_block_leaves_the_state(name: str) -> None:
    case = CASES[name]
    args, cells = case.arguments(), [Cell(a) for a in case.state()]
    f = function(name, cells)
    for k in range(3 if name == "loop" else 1):
        with own_table(f) as (table, pool):
            blocks = counted_allocations(table, fail_at=k)
            observe = observed(cells, args)
            before = observe()
            with pytest.raises(MemoryError):
                f(*args)
            assert observe() == before
            assert blocks() == sum(map(bool, pool)) == k


@pytest.mark.parametrize("name", NAMES)
def test_out_of_memory_for_any_new_array_leaves_the_state(name: str) -> None:
    """The failing allocator sets no exception, unlike NumPy's: the interpreter complains of that."""
    case = CASES[name]
    args, cells = case.arguments(), [Cell(a) for a in case.state()]
    f = function(name, cells)
    held = [c.get() for c in cells]
    entry = layouts.RT["np_new"] // 8
    pointer = ctypes.c_void_p
    kind = ctypes.PYFUNCTYPE(pointer, pointer, pointer, ctypes.c_int, pointer, pointer, pointer, ctypes.c_int, pointer)
    program = CASES[name].make()
    operands = sum(len(i.inputs) for i in program.code if isinstance(i, p.HostCall))
    arrays = len(program.outputs) + len(cells) + operands
    for k in range(arrays + 1):
        with own_table(f) as (table, _):
            real, calls = kind(table[entry]), [0]

            def new(*a: Any, real: Any = real, calls: list[int] = calls, k: int = k) -> Any:
                calls[0] += 1
                if calls[0] - 1 != k:
                    return real(*a)
                ctypes.pythonapi.Py_DecRef(pointer(a[1]))  # the reference that NumPy would have taken
                return 0

            failing = kind(new)
            table[entry] = ctypes.cast(failing, pointer).value
            observe = observed(cells, args)
            before = observe()
            if k < arrays:
                with pytest.raises(SystemError):
                    f(*args)
                assert observe() == before
            else:
                f(*args)
                assert calls[0] == arrays
    assert len(held) == len(cells)


# -- real errors ----------------------------------------------------------------------------------------------------
def test_an_index_out_of_range_leaves_the_state() -> None:
    case = CASES["indexed"]
    cells = [Cell(a) for a in case.state()]
    f, program = function("indexed", cells), case.make()
    storages = [runner.Storage(a) for a in case.state()]
    for bad in (len(cells[0].get()), -len(cells[0].get()) - 1, 2**62):
        args = [np.array([0, bad, 1])]
        observe = observed(cells, args)
        before = observe()
        with pytest.raises(IndexError):
            f(*args)
        assert observe() == before
        with pytest.raises(IndexError):
            runner.run(program, args, storages, native_kernels("indexed", program))
        assert (storages[0].array == case.state()[0]).all()


@pytest.mark.parametrize("name", ["in_place", "fresh", "loop", "host", "kept"])
def test_a_failing_check_leaves_the_state(name: str) -> None:
    case = CASES[name]
    args, cells = [np.zeros(5)], [Cell(a) for a in case.state()]
    f, program = function(name, cells), case.make()
    observe = observed(cells, args)
    before = observe()
    with pytest.raises(ValueError, match=r"\(5, 11\)"):
        f(*args)
    assert observe() == before
    with pytest.raises(ValueError, match=r"\(5, 11\)"):
        runner.run(program, args, [runner.Storage(a) for a in case.state()], (), case.hosts, library=interpret)


def bad_hosts() -> dict[str, tuple[Callable[..., Any], type[Exception]]]:
    def raises(x: Any) -> Any:
        raise KeyError("from the callback")

    return {
        "raises": (raises, KeyError),
        "dtype": (lambda x: [x.astype("float32")], TypeError),
        "number": (lambda x: [x, x], TypeError),
        "shape": (lambda x: [x[1:]], ValueError),
    }


@pytest.mark.parametrize("kind", sorted(bad_hosts()))
def test_a_host_function_that_fails_leaves_the_state(kind: str) -> None:
    host, expected = bad_hosts()[kind]
    case = CASES["host"]
    args, cells = case.arguments(), [Cell(a) for a in case.state()]
    f, program = function("host", cells, hosts=[host]), case.make()
    observe = observed(cells, args)
    before = observe()
    with pytest.raises(expected):
        f(*args)
    assert observe() == before
    storages = [runner.Storage(a) for a in case.state()]
    with pytest.raises(expected):
        runner.run(program, args, storages, numpy_kernels("host", program), [host])
    assert (storages[0].array == case.state()[0]).all() and not storages[0].lock


def test_an_interrupt_ends_a_long_loop_and_leaves_the_state() -> None:
    def stop(number: int, frame: Any) -> None:
        raise KeyboardInterrupt

    args, cells = [np.zeros(N)], [Cell(a) for a in CASES["loop"].state()]
    f = native(spin(), cells)
    observe = observed(cells, args)
    before, handler = observe(), signal.signal(signal.SIGALRM, stop)
    try:
        with own_table(f) as (table, pool):
            blocks = counted_allocations(table)
            signal.setitimer(signal.ITIMER_REAL, 0.05)
            with pytest.raises(KeyboardInterrupt):
                f(*args)
            assert blocks() == sum(map(bool, pool))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
    assert observe() == before


def test_a_host_function_may_not_call_its_function_again() -> None:
    case = CASES["host"]
    args, cells = case.arguments(), [Cell(a) for a in case.state()]
    made: list[Any] = []
    made.append(function("host", cells, hosts=[lambda x: [made[0](x)]]))
    observe = observed(cells, args)
    before = observe()
    with pytest.raises(RuntimeError, match="in use by this very call"):
        made[0](*args)
    assert observe() == before
    program, storages = case.make(), [runner.Storage(a) for a in case.state()]

    def again(x: Any) -> Any:
        return [runner.run(program, [x], storages, numpy_kernels("host", program), [again])]

    with pytest.raises(RuntimeError, match="in use by this very call"):
        again(args[0])
    assert not storages[0].lock and (storages[0].array == case.state()[0]).all()


def test_what_a_host_function_keeps_is_its_own() -> None:
    kept: list[Any] = []

    def host(x: Any) -> list[Any]:
        kept.append(x)
        return [np.sin(x)]

    case = CASES["host"]
    args, cells = case.arguments(), [Cell(a) for a in case.state()]
    function("host", cells, hosts=[host])(*args)
    assert (kept[0] == args[0]).all() and kept[0].flags.owndata and not np.shares_memory(kept[0], args[0])


# -- threads and leaks ----------------------------------------------------------------------------------------------
def in_threads(work: Callable[[int], None], n: int = 2) -> None:
    errors: list[BaseException] = []

    def guarded(k: int) -> None:
        try:
            work(k)
        except BaseException as e:
            errors.append(e)

    threads = [threading.Thread(target=guarded, args=(k,)) for k in range(n)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not errors, errors


def after(name: str, calls: int) -> list[Any]:
    """The state after so many successful calls."""
    case = CASES[name]
    args, state = case.arguments(), case.state()
    for _ in range(calls):
        state = case.expected(args, state)[1]
    return state


ROUNDS = 60


@pytest.mark.parametrize("name", ["in_place", "host", "loop"])
def test_two_threads_of_native_calls_some_of_which_fail(name: str) -> None:
    case, n = CASES[name], count(name)
    args, cells = case.arguments(), [Cell(a) for a in case.state()]
    functions = [function(name, cells, faults=True) for _ in range(2)]
    done = [0, 0]

    def work(k: int) -> None:
        for i in range(ROUNDS):
            inject(functions[k], i % (n + 3) - 2)
            try:
                functions[k](*args)
                done[k] += 1
            except Injected:
                pass

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        in_threads(work)
    finally:
        sys.setswitchinterval(interval)
    assert sum(done) == 2 * sum(i % (n + 3) < 2 or i % (n + 3) - 2 >= n for i in range(ROUNDS))
    assert [c.locked_by for c in cells] == [0] * len(cells)
    assert all(np.allclose(c.get(), s) for c, s in zip(cells, after(name, sum(done)), strict=True))


@pytest.mark.parametrize("name", ["in_place", "host"])
def test_two_threads_of_plan_runs_some_of_which_fail(name: str) -> None:
    case, n = CASES[name], count(name)
    program, args = case.make(), case.arguments()
    storages, kernels, done = [runner.Storage(a) for a in case.state()], numpy_kernels(name, program), [0, 0]

    def work(k: int) -> None:
        for i in range(ROUNDS // 2):
            try:
                runner.run(program, args, storages, kernels, case.hosts, library=interpret, inject=i % (n + 2) - 1)
                done[k] += 1
            except Injected:
                pass

    in_threads(work)
    assert [s.lock for s in storages] == [0] * len(storages)
    assert all(np.allclose(s.array, b) for s, b in zip(storages, after(name, sum(done)), strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_failing_calls_leak_nothing(name: str) -> None:
    case, n = CASES[name], count(name)
    args, cells = case.arguments(), [Cell(a) for a in case.state()]
    f = function(name, cells, faults=True)

    def rounds(times: int) -> None:
        for i in range(times * n):
            inject(f, i % n)
            try:
                f(*args)
            except Injected:
                pass

    held = [c.get() for c in cells]
    rounds(10)
    grown = []
    for _ in range(2):  # a leak grows each time, what Python itself keeps (a table that doubles) does not
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        rounds(200)
        gc.collect()
        grown.append(tracemalloc.get_traced_memory()[0] - before)
        tracemalloc.stop()
    assert min(grown) < 200 * 8 * 11, f"{grown} bytes"  # less than one small array in each round
    assert len(held) == len(cells)
