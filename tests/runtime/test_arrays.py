"""New arrays are NumPy's in everything, but their data start on a cache line."""

from __future__ import annotations

import pickle
import sys
import tracemalloc
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import tensordsl.tensor as T
from tensordsl import function, shared
from tensordsl.codegen import abi
from tensordsl.runtime import library

SHAPES = [(), (1,), (7,), (8,), (1000,), (100_003,), (600_000,), (3, 4), (1, 5), (5, 1), (2, 3, 4)]
EMPTY = [(0,), (0, 3), (3, 0), (2, 0, 4)]


def plus_one(ndim: int, dtype: str = "float64") -> Any:
    x = T.TensorType(dtype, (None,) * ndim)("x")
    return function([x], x + np.dtype(dtype).type(1))


@pytest.fixture(params=["own", "numpy"])
def handler(request: pytest.FixtureRequest) -> Iterator[str]:
    """With the library's handler of data, and as on a NumPy whose arrays have no place for one."""
    plus_one(1)
    entry = abi.RT["np_handler"] // 8
    old = library._State.table[entry]
    if request.param == "numpy":
        library._State.table[entry] = 0
    yield request.param
    library._State.table[entry] = old


@pytest.mark.parametrize("dtype", ["float64", "float32", "int8", "bool", "complex128"])
def test_results_look_like_numpys_own(dtype: str, handler: str) -> None:
    for shape in (*SHAPES, *EMPTY):
        result, wanted = plus_one(len(shape), dtype)(np.zeros(shape, dtype)), np.empty(shape, dtype)
        assert result.flags.num == wanted.flags.num and result.strides == wanted.strides
        assert result.base is None and result.shape == shape and (result == np.ones(shape, dtype)).all()


def test_data_start_on_a_line() -> None:
    plus_one(1)
    if not library._State.table[abi.RT["np_handler"] // 8]:
        pytest.skip("this NumPy's arrays have no place for a handler")
    kept = []
    for shape in SHAPES * 3:
        kept.append(plus_one(len(shape))(np.zeros(shape)))
        assert kept[-1].ctypes.data % 64 == 0
    state = shared(np.zeros(1001))
    step = function([], [], updates=[(state, state + 1)])
    held = state.get_value(borrow=True)  # the new value gets storage of its own
    step()
    assert state.get_value(borrow=True).ctypes.data % 64 == 0 and held is not state.get_value(borrow=True)


def test_results_can_be_resized(handler: str) -> None:
    add = plus_one(1)
    for old, new in ((8, 1000), (1000, 8), (100_000, 700_000), (700_000, 3), (5, 0)):
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


def test_references_to_the_handler_balance() -> None:
    address = library._State.table[abi.RT["np_handler"] // 8]
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
