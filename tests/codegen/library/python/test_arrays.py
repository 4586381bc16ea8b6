"""New arrays are NumPy's in everything, but their data start on a cache line."""

from __future__ import annotations

import pickle
import re
import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy._core.multiarray import get_handler_name

import tensordsl.tensor as T
from tensordsl import function, shared
from tensordsl.codegen.abi import layouts
from tensordsl.runtime.loading import library, memory

SHAPES = [(), (1,), (7,), (8,), (1000,), (100_003,), (600_000,), (3, 4), (1, 5), (5, 1), (2, 3, 4)]
EMPTY = [(0,), (0, 3), (3, 0), (2, 0, 4)]


def plus_one(ndim: int, dtype: str = "float64") -> Any:
    x = T.TensorType(dtype, (None,) * ndim)("x")
    return function([x], x + np.dtype(dtype).type(1))


@pytest.fixture(params=["own", "numpy"])
def handler(request: pytest.FixtureRequest) -> Iterator[str]:
    """With the library's handler of data, and as on a NumPy whose arrays have no place for one."""
    plus_one(1)
    entry = layouts.RT["np_handler"] // 8
    old = library._State.table[entry]
    if request.param == "numpy":
        library._State.table[entry] = 0
    yield request.param
    library._State.table[entry] = old


LARGE = 5 << 20  # elements of results whose memory is kept


@pytest.fixture
def kept() -> Iterator[int]:
    """The most bytes that a kept block may have."""
    plus_one(1)
    table = library._State.table
    if not table[layouts.RT["np_handler"] // 8] or not table[layouts.RT["kept_bytes"] // 8]:
        pytest.skip("large blocks are not kept here")
    memory.trim()
    yield table[layouts.RT["kept_bytes"] // 8]
    memory.trim()


@pytest.mark.parametrize("dtype", ["float64", "float32", "int8", "bool", "complex128"])
def test_results_look_like_numpys_own(dtype: str, handler: str) -> None:
    for shape in (*SHAPES, *EMPTY):
        result, wanted = plus_one(len(shape), dtype)(np.zeros(shape, dtype)), np.empty(shape, dtype)
        assert result.flags.num == wanted.flags.num and result.strides == wanted.strides
        assert result.base is None and result.shape == shape and (result == np.ones(shape, dtype)).all()


def test_data_start_on_a_line() -> None:
    plus_one(1)
    if not library._State.table[layouts.RT["np_handler"] // 8]:
        pytest.skip("this NumPy's arrays have no place for a handler")
    kept = []
    for shape in SHAPES * 3:
        kept.append(plus_one(len(shape))(np.zeros(shape)))
        assert kept[-1].ctypes.data % 64 == 0
    state = shared(np.zeros(1001))
    step = function([], [], updates=[(state, state + 1)])
    held = state.get_value(borrow=True)  # the new value gets storage of its own
    step()
    new = state.get_value(borrow=True)
    assert new.ctypes.data % 64 == 0 and not np.shares_memory(new, held)


def test_data_of_large_results_start_with_a_page(kept: int) -> None:
    add = plus_one(1)
    for size in (1 << 16, 100_000, 200_000, 1 << 18, LARGE):
        for _ in range(2):
            assert add(np.zeros(size)).ctypes.data % 4096 == 0


def advice(array: Any) -> list[list[str]]:
    """What the system knows of the mappings of the array's data, which have as many huge pages: "hg" where it is asked
    for some, though there may be none left.  They are several where neighbours that were in use before do not merge."""
    huge, found = 1 << 21, []
    first = array.ctypes.data // huge * huge
    end = first + max(array.nbytes // huge, 1) * huge
    with open("/proc/self/smaps") as lines:
        overlaps = False
        for line in lines:
            if match := re.match("([0-9a-f]+)-([0-9a-f]+) ", line):
                overlaps = int(match[1], 16) < end and first < int(match[2], 16)
                found += [[line]] if overlaps else []
            elif overlaps and line.startswith("VmFlags:"):
                found[-1] += line.split()
    return found


def test_large_results_stand_in_huge_pages(kept: int) -> None:
    if not library._State.table[layouts.RT["huge_pages"] // 8] or sys.platform != "linux":
        pytest.skip("nobody asks for huge pages here")
    with open("/sys/kernel/mm/transparent_hugepage/enabled") as file:
        if "[never]" in file.read():
            pytest.skip("the system has no huge pages")
    add, huge = plus_one(1), 1 << 21
    for size in (huge // 8 * 13 // 16, huge // 8, huge // 8 * 5):
        memory.trim()
        result = add(np.zeros(size))
        assert result.ctypes.data % 4096 == 0
        found = [advice(result) for _ in range(3)]  # one that is read while mappings change may lack one
        assert any(there and all("hg" in flags for flags in there) for there in found), found
    del result
    place = (first := add(np.zeros(huge // 8 * 3 // 4))).ctypes.data
    del first
    assert add(np.zeros(huge // 8 * 3 // 4)).ctypes.data == place  # though its block is a third larger


def test_values_of_large_shared_variables_have_the_librarys_memory(kept: int) -> None:
    given = np.arange(4e5).reshape(500, 800).T
    state = shared(given)
    own, copy = state.get_value(borrow=True), state.get_value()
    for array in (own, copy):
        assert array.ctypes.data % 4096 == 0
        assert array.flags.c_contiguous and array.flags.writeable and np.array_equal(array, given)
    assert not np.shares_memory(own, copy)
    assert get_handler_name(np.zeros(1 << 20)) == "default_allocator"  # NumPy's own memory is as ever


def test_results_can_be_resized(handler: str) -> None:
    add = plus_one(1)
    for old, new in ((8, 1000), (1000, 8), (100_000, 700_000), (700_000, 3), (5, 0), (300_000, 280_000), (300_000, 9)):
        result = add(np.arange(float(old)))
        result.resize(new, refcheck=False)
        both = min(old, new)
        assert result.shape == (new,) and (result[:both] == np.arange(1.0, both + 1)).all()
        assert (result[both:] == 0).all() and result.flags.owndata


def test_results_are_pickled_and_copied(handler: str) -> None:
    result = plus_one(2)(np.ones((3, 5)))
    for other in (pickle.loads(pickle.dumps(result)), result.copy(), np.array(memoryview(result))):
        assert (other == 2).all() and other.shape == (3, 5)


def test_memory_is_traced_and_given_back(handler: str) -> None:
    add, x = plus_one(1), np.zeros(100_000)
    add(x)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    result = add(x)
    assert 800_000 <= tracemalloc.get_traced_memory()[0] - before < 810_000
    del result
    assert tracemalloc.get_traced_memory()[0] - before < 10_000
    tracemalloc.stop()


def test_the_memory_of_large_results_is_used_again(kept: int) -> None:
    add, x = plus_one(1), np.arange(float(LARGE))
    first = add(x)
    place, view = first.ctypes.data, first[5:7]
    del first
    assert memory.retained_bytes() == 0  # the view reads it
    second = add(x)
    assert second.ctypes.data != place and view.tolist() == [6, 7]
    del view
    assert memory.retained_bytes() > 8 * LARGE
    third = add(x[: LARGE - LARGE // 8])
    assert third.ctypes.data == place and memory.retained_bytes() == 0
    assert (third == x[: len(third)] + 1).all() and (second == x + 1).all()
    del second
    assert add(x[: LARGE // 2 + LARGE // 4]).ctypes.data not in (place, third.ctypes.data)  # too loose
    assert memory.retained_bytes() > 8 * LARGE


def test_the_memory_of_several_results_is_used_again(kept: int) -> None:
    x = T.dvector()
    f, sizes = function([x], [x + 1, x * 2, x > 0, x - 1]), (1 << 17, 1 << 18, 1 << 19, 1 << 20)
    for n in sizes:
        a = np.arange(float(n))
        results = f(a)
        places = {r.ctypes.data for r in results if r.nbytes > 1 << 19}
        assert len(places) == 3 + (n == 1 << 20)
        del results
        assert places <= {r.ctypes.data for r in f(a)}
    for n in sizes * 3:
        a = np.arange(float(n))
        for found, wanted in zip(f(a), (a + 1, a * 2, a > 0, a - 1), strict=True):
            assert np.array_equal(found, wanted)
    assert memory.retained_bytes() < (layouts.LARGE_SLOTS + layouts.MEDIUM_SLOTS) << 23


def test_only_a_few_large_blocks_are_kept(kept: int) -> None:
    add, x = plus_one(1), np.zeros(LARGE)
    results = [add(x) for _ in range(layouts.LARGE_SLOTS + 2)]
    one = 8 * LARGE
    results.clear()
    assert layouts.LARGE_SLOTS * one < memory.retained_bytes() < layouts.LARGE_SLOTS * (one + 5000)
    table = library._State.table
    memory.trim()
    table[layouts.RT["kept_bytes"] // 8] = one - 1
    add(x)
    table[layouts.RT["kept_bytes"] // 8] = kept
    assert memory.retained_bytes() == 0


def test_large_results_are_resized_before_their_memory_is_used_again(kept: int) -> None:
    add, x = plus_one(1), np.arange(float(LARGE))
    for new in (LARGE + 1, 2 * LARGE, LARGE - 1000, 1000, LARGE // 5 * 4):
        result = add(x)
        result.resize(new, refcheck=False)
        both = min(new, LARGE)
        assert (result[:both] == x[:both] + 1).all() and not result[both:].any()
        del result
        for _ in range(2):
            assert (add(x) == x + 1).all()
    grown = add(np.zeros(10))
    grown.resize(LARGE, refcheck=False)
    del grown
    again = add(x)
    assert again.ctypes.data % 64 == 0 and (again == x + 1).all()


def test_threads_share_what_is_kept(kept: int) -> None:
    add = plus_one(1)
    wrong: list[int] = []

    def run(k: int) -> None:
        x = np.full(LARGE, float(k))
        for _ in range(10):
            if (add(x) != k + 1).any():
                wrong.append(k)

    threads = [threading.Thread(target=run, args=(k,)) for k in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong


def test_kept_memory_is_given_up_where_there_is_no_more(kept: int) -> None:
    text = f"""
import resource, numpy as np, tensordsl.tensor as T
from tensordsl import function
from tensordsl.runtime.loading import memory
x = T.dvector()
n = T.lscalar()
add, ones, a = function([x], x + 1), function([n], T.ones(n)), np.zeros({LARGE})
ones(3)
results = [add(a) for _ in range(4)]
results.clear()
held = memory.retained_bytes()
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (96 << 20),) * 2)
result = ones(3 * {LARGE})
assert held > 0 and memory.retained_bytes() == 0 and (result == 1).all()
"""
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_references_to_the_handler_balance() -> None:
    address = library._State.table[layouts.RT["np_handler"] // 8]
    if not address:
        pytest.skip("this NumPy's arrays have no place for a handler")
    import ctypes

    capsule = ctypes.cast(address, ctypes.py_object).value
    add, x = plus_one(1), np.zeros(9)
    before = sys.getrefcount(capsule)
    for _ in range(100):
        add(x)
    assert sys.getrefcount(capsule) == before


def test_a_result_that_is_too_large_raises_what_numpy_raises(handler: str) -> None:
    m = T.dmatrix()
    make = function([m], T.zeros((m.shape[0] * 2**40, m.shape[1] * 2**30)))
    with pytest.raises(ValueError, match="too big"):
        make(np.ones((3, 3)))
    with pytest.raises(MemoryError):
        function([m], T.zeros((m.shape[0] * 2**20, m.shape[1] * 2**23)))(np.ones((3, 3)))
