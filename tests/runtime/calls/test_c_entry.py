"""C functions and the stacks of the threads that call them: what is left is judged, and the system asked once a thread."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

import tensordsl
import tensordsl.tensor as T
from tensordsl.codegen.abi import layouts
from tensordsl.runtime.loading.layout import peek, poke

SMALL, LARGE = 1 << 16, 1 << 22


def in_thread(work: Callable[[], Any], stack_bytes: int) -> Any:
    found: list[Any] = []
    before = threading.stack_size(stack_bytes)
    try:
        thread = threading.Thread(target=lambda: found.append(work()))
        thread.start()
        thread.join()
    finally:
        threading.stack_size(before)
    return found[0]


def density() -> Any:
    """A log-density of so many instructions that its call needs tens of KB of the stack."""
    x = T.dvector("x")
    matrix = T.eye(3) * 9 + T.outer(x, x)
    value = sum(T.log(T.linalg.det(matrix + k)) for k in range(40))
    return tensordsl.function([x], [value, T.grad(value, x)]).c_function("nutpie.logp")


def calls(c: Any, count: int) -> list[tuple[int, float]]:
    found, call = [], c.ctypes
    for k in range(count):
        x, gradient, value = np.arange(3.0) + k, np.zeros(3), np.zeros(1)
        status = call(3, x.ctypes.data, gradient.ctypes.data, value.ctypes.data, c.handle)
        found.append((status, value[0]))
    return found


def test_a_thread_asks_for_its_stack_once() -> None:
    c = density()
    here = calls(c, 4)
    word = peek(c.handle + layouts.CTX_RT) + layouts.RT["pthread_getattr_np"]
    kind = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_uint64, ctypes.c_void_p)
    before, asked = peek(word), []
    original = kind(before)

    @kind
    def counted(thread: int, attributes: int) -> int:
        asked.append(thread)
        return int(original(thread, attributes))

    poke(word, ctypes.cast(counted, ctypes.c_void_p).value)
    try:
        for count in (1, 2):
            assert in_thread(lambda: calls(c, 4), LARGE) == here
            assert len(asked) == count
    finally:
        poke(word, before)


def test_a_thread_with_a_small_stack_is_refused_also_after_one_with_a_large_one() -> None:
    c = density()
    ((_, value),) = calls(c, 1)
    for size in (LARGE, SMALL, LARGE, SMALL):
        found = in_thread(lambda: calls(c, 2), size)
        assert found[0] == ((0, value) if size == LARGE else (layouts.FAILED, 0))
        assert [status for status, _ in found] == [found[0][0]] * 2
