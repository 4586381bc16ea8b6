"""Calls that need more of the stack than a thread may have: compiling, and functions of thousands of operands.

Threads may have as little as 32 KB (`threading.stack_size`).  Where one has too little, the call is made in another
thread that has enough, while this one waits.
"""

from __future__ import annotations

import _thread
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

Value = TypeVar("Value")

COMPILER_STACK_BYTES = 15 << 16  # for compiling
OTHER_FRAMES_BYTES = 1 << 16  # what else a thread may have on its stack
MAIN_STACK_MIN_BYTES = 1 << 20  # the main thread has these for certain
NEW_STACK_MIN_BYTES = 1 << 26  # of the other thread: the system gives those that are touched


def with_stack(least: int, function: Callable[..., Value], /, *args: Any, **kwargs: Any) -> Value:
    """What the call gives or raises; in this thread or, where that has a stack of less than `least` bytes and some, in
    another one.  Raises RuntimeError if the system has no more threads."""
    from threading import main_thread

    is_main = main_thread().ident == _thread.get_ident()
    needed = least + OTHER_FRAMES_BYTES
    if (is_main and least <= MAIN_STACK_MIN_BYTES) or _stack_bytes(needed) >= needed:
        return function(*args, **kwargs)
    return _in_thread(max(NEW_STACK_MIN_BYTES, 2 * least), lambda: function(*args, **kwargs))


def _in_thread(size: int, call: Callable[[], Value]) -> Value:
    from contextvars import copy_context
    from threading import Thread, stack_size

    done: list[Value] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            done.append(call())
        except BaseException as error:
            failed.append(error)

    thread = Thread(target=copy_context().run, args=(run,), name="tensordsl")
    usual = stack_size(size)
    try:
        thread.start()
    finally:
        stack_size(usual)
    thread.join()
    if failed:
        raise failed.pop()
    return done.pop()


def _stack_bytes(unknown: int) -> int:
    """Of this thread's stack; `unknown` where the system does not tell."""
    thread_stack_bytes = _system()
    return thread_stack_bytes(unknown) if thread_stack_bytes is not None else unknown


@cache
def _system() -> Callable[[int], int] | None:
    import ctypes

    try:
        libc = ctypes.CDLL(None)
        this_thread, attributes_of = libc.pthread_self, libc.pthread_getattr_np
        stack_of, drop = libc.pthread_attr_getstack, libc.pthread_attr_destroy
    except (AttributeError, OSError, TypeError):  # not Linux
        return None
    this_thread.restype = ctypes.c_void_p

    def thread_stack_bytes(unknown: int) -> int:
        attributes, low, size = (ctypes.c_int64 * 32)(), ctypes.c_size_t(), ctypes.c_size_t()
        if attributes_of(ctypes.c_void_p(this_thread()), ctypes.byref(attributes)):
            return unknown
        stack_of(ctypes.byref(attributes), ctypes.byref(low), ctypes.byref(size))
        drop(ctypes.byref(attributes))
        return size.value

    return thread_stack_bytes
