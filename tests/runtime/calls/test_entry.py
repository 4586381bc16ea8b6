"""The native entry: which arguments the stub takes, what goes to Python, that nothing leaks."""

from __future__ import annotations

import ctypes
import gc
import signal
import subprocess
import sys
import threading
import weakref
from random import Random

import numpy as np
import programs
import pytest

from tensordsl.codegen.abi import layouts
from tensordsl.codegen.scalar_ir.builder import DTYPES
from tensordsl.runtime.calls import entry
from tensordsl.runtime.calls.state import Cell
from tensordsl.runtime.interpreter import runner
from tensordsl.runtime.loading import elf, library, memory
from tensordsl.runtime.loading.executable import Executable
from tensordsl.runtime.loading.layout import peek


@pytest.fixture
def nothing():
    return programs.function(programs.NOTHING)


def test_arrays_are_taken_natively(nothing):
    x = np.ones(8)
    result = nothing(x, x, x[::-1])
    assert result.shape == (8,) and result.dtype == np.float64 and not nothing.slow_calls
    count = sys.getrefcount(result)
    assert result.flags.owndata and count == 2


class Subclass(np.ndarray):
    pass


def misaligned(n):
    return np.frombuffer(bytearray(8 * n + 1), np.uint8)[1:].view("float64")


@pytest.mark.parametrize(
    "value",
    [
        [1.0, 2.0], np.ones(2, "float32"), np.ones(2, ">f8"), np.ones(2).view(Subclass), misaligned(2),
        np.ones(2, "int64"), np.array(["1", "2"]), np.array([1, 2.0], object),
    ],
)  # fmt: skip
def test_whatever_else_goes_to_python(nothing, value):
    x = np.ones(2)
    assert nothing(x, value, x).shape == (2,)
    assert len(nothing.slow_calls) == 1


def test_wrong_numbers_of_arguments_and_keywords_go_to_python(nothing):
    x = np.ones(2)
    for args in ((), (x, x), (x, x, x, x)):
        with pytest.raises(TypeError, match="expected 3"):
            nothing(*args)
    assert nothing(x, x, z=x).shape == (2,)
    assert len(nothing.slow_calls) == 4


def test_a_rank_that_python_lets_through_is_refused_by_the_strict_twin(nothing):
    x = np.ones(2)
    with pytest.raises(RuntimeError, match="internal error"):
        nothing(x, np.ones((2, 2)), x)


def test_static_extents():
    f = programs.function(programs.STATIC)
    assert f(np.ones(3)).shape == (3,)
    with pytest.raises(RuntimeError, match="internal error"):
        f(np.ones(4))


@pytest.mark.parametrize(
    "view",
    [
        lambda x: x, lambda x: x.T, lambda x: x[::-1], lambda x: x[:, ::-2], lambda x: x[2:3], lambda x: x[::3, 1:],
        lambda x: np.broadcast_to(x[:1], x.shape), lambda x: np.asfortranarray(x),
    ],
)  # fmt: skip
def test_strides_of_every_kind(view):
    f = programs.function(programs.CORNERS)
    x = view(np.arange(35).reshape(5, 7))
    assert f(x).tolist() == [x[0, 0], x[-1, -1]] and not f.slow_calls


def test_python_and_numpy_scalars_are_taken_natively():
    f = programs.function(programs.SCALAR)
    for value in (2.5, np.float64(2.5), np.array(2.5), float("nan"), -0.0, 2, 0, -7, 2**53, -(2**53)):
        result = f(value)
        assert result.shape == () and result.tobytes() == np.float64(value).tobytes()
    assert not f.slow_calls
    others = (np.float32(0.5), True, 2**53 + 1, 2**70, -(2**64))
    assert [f(value) for value in others] == [float(value) for value in others] and len(f.slow_calls) == len(others)


@pytest.mark.parametrize("dtype", [name for name in DTYPES if not name.startswith("float")])
def test_numpy_scalars_of_integer_types(dtype):
    f = programs.function(programs.scalar_of(dtype))
    assert f(np.dtype(dtype).type(1)) == 1 and f(np.array(1, dtype)) == 1 and not f.slow_calls


def test_python_integers_are_taken_natively():
    f, g = programs.function(programs.scalar_of("int64")), programs.function(programs.scalar_of("int32"))
    for value in (0, 7, -1, 2**63 - 1, -(2**63)):
        assert f(value) == value
    assert not f.slow_calls
    with pytest.raises(OverflowError):
        f(2**63)
    assert g(7) == 7 and f(np.int32(7)) == 7 and f(True) == 1
    assert (len(f.slow_calls), len(g.slow_calls)) == (3, 1)


def test_a_float_is_not_an_integer_scalar():
    f = programs.function(programs.scalar_of("int64"))
    assert f(7.0) == 7 and len(f.slow_calls) == 1


def test_reference_counts_over_many_calls():
    x, y = np.ones(4), 0.1 + 0.2
    before = sys.getrefcount(x), sys.getrefcount(y), sys.getrefcount(x.dtype)
    f, g = programs.function(programs.NOTHING), programs.function(programs.SCALAR)
    for _ in range(100_000):
        f(x, x, x)
        g(y)
    assert (sys.getrefcount(x), sys.getrefcount(y), sys.getrefcount(x.dtype)) == before


def test_a_failed_call_reports_and_leaks_nothing():
    f = programs.function(programs.CHECKED)
    x, y = np.ones(3), np.ones(4)
    with pytest.raises(ValueError) as caught:
        f(x, y)
    assert caught.value.args[:2] == (7, layouts.ERR_CHECK) and caught.value.args[2][:2] == (3, 4)
    del caught
    gc.collect()
    retained = memory.retained_bytes()
    before = sys.getrefcount(x), len(gc.get_objects())
    for _ in range(3000):
        with pytest.raises(ValueError):
            f(x, y)
    gc.collect()
    assert memory.retained_bytes() == retained and sys.getrefcount(x) == before[0]
    assert len(gc.get_objects()) < before[1] + 500


@pytest.mark.parametrize("n", range(5))
@pytest.mark.parametrize("m", range(5))
def test_of_many_failures_the_first_is_reported(n, m):
    """Straight-line code asks for all of them at once; the plan runner stops at the first."""
    operands = np.ones(n), np.ones(m)
    try:
        runner.run(programs.REASONS, operands, fail=lambda kind, site, values: ValueError(site, kind, values))
        expected = ()
    except ValueError as error:
        expected = error.args
    try:
        programs.function(programs.REASONS)(*operands)
        got = ()
    except ValueError as error:
        got = error.args
    assert got[:2] == expected[:2] and (not got or got[1] == layouts.ERR_OVERFLOW or got[2][:2] == expected[2])
    site = 1 if n >= 3 else 2 if n == 2 or m >= 2 else 3 if n != m else 5 if n == 0 else 0
    assert expected[:1] == ((site,) if site else ())


def test_a_product_fails_where_it_does_not_fit_and_nowhere_else():
    """Programs ask whether factors are small, and only then whether products fit."""
    f, random = programs.function(programs.PRODUCTS), Random(3)
    failed = dict.fromkeys(range(5), 0)
    for _ in range(4000):
        a, b, c = (random.choice((-1, 1)) * random.getrandbits(random.randint(0, 62)) for _ in range(3))
        first = (a + b) * c
        every = (first, first * a, first * a * 8, min(first * a * 8, a) * c)
        site = next((k for k, x in enumerate(every, 1) if not -(2**63) <= x < 2**63), 0)
        failed[site] += 1
        if not site:
            assert f(a, b, c) == every[-1]
            continue
        with pytest.raises(ValueError) as caught:
            f(a, b, c)
        assert caught.value.args[:2] == (site, layouts.ERR_OVERFLOW)
    assert all(failed.values())


def test_an_output_too_large_is_a_python_error():
    """A vector of 2^50 elements that are one; NumPy has no memory for the output."""
    f = programs.function(programs.NOTHING)
    huge = np.lib.stride_tricks.as_strided(np.ones(1), (2**50,), (0,))
    with pytest.raises(MemoryError):
        f(huge, huge, huge)


@pytest.mark.parametrize("lengths", [(1 << 50, 3), (3, 1 << 50), (1 << 50, 1 << 51)])
def test_of_several_storages_any_may_fail(lengths):
    f = programs.function(programs.STORAGES)
    retained = memory.retained_bytes()
    for _ in range(20):
        with pytest.raises(MemoryError):
            f(*lengths)
    assert memory.retained_bytes() == retained and len(f(3, 4)[1]) == 4


def test_an_arena_too_large_is_an_error():
    f = programs.function(programs.arenas([1 << 46]))
    with pytest.raises(ValueError) as caught:
        f()
    assert caught.value.args[1] == layouts.ERR_MEMORY


def test_attributes_weak_references_and_collection():
    f = programs.function(programs.NOTHING)
    f.name = "f"
    assert f.name == "f" and type(f) is entry.function_type() and callable(f)
    reference = weakref.ref(f)
    del f
    assert reference() is None  # by reference counting alone


def test_functions_in_cycles_are_collected():
    class Marker:
        pass

    f = programs.function(programs.NOTHING)
    f.myself, f.marker = f, Marker()
    references = weakref.ref(f), weakref.ref(f.marker)
    del f
    assert references[0]() is not None
    gc.collect()
    assert [r() for r in references] == [None, None]


def test_a_finaliser_of_the_cycle_may_still_call():
    results = []

    class Last:
        def __init__(self, f):
            self.f = f

        def __del__(self):
            results.append(self.f(np.ones(2)).tolist())

    f = programs.function(programs.accumulate(), [Cell(np.zeros(2))])
    f.last = Last(f)
    del f
    gc.collect()
    assert results == [[1.0, 1.0]]


def test_a_function_that_the_collector_has_cleared_raises():
    """A finaliser that runs while a cycle is broken up may still call."""
    f = programs.function(programs.NOTHING)
    clear = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.py_object)
    clear(library.symbol("tp_clear"))(f)
    x = np.ones(2)
    with pytest.raises(RuntimeError, match="garbage collector"):
        f(x, x, x)


def test_the_type_makes_no_instances():
    with pytest.raises(TypeError):
        entry.function_type()()


def test_making_and_dropping_functions_returns_their_memory():
    def pages() -> int:
        with open("/proc/self/maps") as file:
            return sum(1 for _ in file)

    item = programs.executable(programs.NOTHING)
    x, before = np.ones(2), pages()
    for _ in range(300):
        copy = Executable.from_bytes(item.to_bytes())
        entry.make_function(copy, (), slow=print, on_error=print)(x, x, x)
    assert pages() < before + 20


def test_functions_of_one_executable_share_its_code():
    item = programs.executable(programs.NOTHING)
    f, g = (entry.make_function(item, (), slow=print, on_error=print) for _ in range(2))
    assert peek(peek(id(f) + layouts.FN_CTX) + layouts.CTX_PROGRAM) == peek(
        peek(id(g) + layouts.FN_CTX) + layouts.CTX_PROGRAM
    )
    assert item.load()[0] is not None and isinstance(item.load()[0][0], elf.Code)


def test_host_calls():
    f = programs.function(programs.HOSTED, hosts=[lambda x: [2 * x]])
    x = np.arange(5.0)
    assert np.array_equal(f(x), 2 * x)
    seen: list[np.ndarray] = []
    g = programs.function(programs.HOSTED, hosts=[lambda x: seen.append(x) or [x]])
    g(x)
    seen[0][...] = 7.0  # the host owns what it got
    assert x.tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    "host, error",
    [
        (lambda x: 1 / 0, ZeroDivisionError), (lambda x: x, TypeError), (lambda x: [x, x], TypeError),
        (lambda x: [x.astype("float32")], TypeError), (lambda x: [x[1:]], ValueError), (lambda x: [None], TypeError),
    ],
)  # fmt: skip
def test_host_calls_that_fail(host, error):
    f, x = programs.function(programs.HOSTED, hosts=[host]), np.arange(5.0)
    before = sys.getrefcount(x)
    for _ in range(100):
        with pytest.raises(error):
            f(x)
    assert sys.getrefcount(x) == before


def test_control_c_ends_a_loop():
    f = programs.function(programs.LOOP)
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    with pytest.raises(KeyboardInterrupt):
        f(np.int64(1 << 50))
    signal.signal(signal.SIGALRM, before)
    assert f(np.int64(1000)) == 1000


def test_control_c_ends_a_loop_without_the_gil_and_other_threads_go_on():
    f = programs.function(programs.LOOP_RELEASED)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a process in the background ignores it
    timer = threading.Timer(0.05, signal.raise_signal, [signal.SIGINT])
    timer.start()  # runs only because the loop does not hold the GIL
    with pytest.raises(KeyboardInterrupt):
        f(np.int64(1 << 50))
    timer.join()
    signal.signal(signal.SIGINT, before)
    assert f(1000) == 1000


def test_arenas_come_from_a_pool_and_return_to_it():
    sizes = [0, 1, 64, 4095, 4096, 4097, 5000, 100_000, 100_000, 100_000]
    f = programs.function(programs.arenas(sizes))
    f()
    retained = memory.retained_bytes()
    assert retained > 0
    for _ in range(100):
        f()
    assert memory.retained_bytes() == retained
    memory.trim()
    assert memory.retained_bytes() == 0
    f()


def test_a_few_large_blocks_are_kept():
    memory.trim()
    large = (1 << layouts.POOL_LAST) + 1
    programs.function(programs.arenas([large]))()
    kept = memory.retained_bytes()
    assert kept in (0, (large + layouts.BLOCK_HEAD + 63) & -64)  # 0 where the system cannot take them back
    f = programs.function(programs.arenas([large] * (layouts.LARGE_SLOTS + 2)))
    for _ in range(3):
        f()
        assert memory.retained_bytes() == kept * layouts.LARGE_SLOTS
    memory.trim()
    assert memory.retained_bytes() == 0
    f()
    memory.trim()


def test_the_interpreter_ends_while_a_thread_is_in_native_code():
    """Code is never unmapped at the end: a daemon thread may be in it."""
    script = f"""
import sys, threading, time
sys.path[:0] = {sys.path!r}
import numpy as np, programs
from tensordsl.codegen.compiler.library_build import library_objects
from tensordsl.runtime.loading import library
from tensordsl.runtime.calls.state import Cell
library.install(library_objects, "tests")
cell = Cell(np.zeros(200_000))
f = programs.function(programs.accumulate(programs.ALWAYS), [cell])
x = np.ones(200_000)
def work():
    while True:
        f(x)
for _ in range(2):
    threading.Thread(target=work, daemon=True).start()
time.sleep(0.2)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and "Error" not in done.stderr, done.stderr


def test_dtype_codes_are_those_of_the_scalar_vocabulary():
    assert layouts.DTYPES == (*DTYPES, "complex64", "complex128")
