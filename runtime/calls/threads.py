"""The thread pool of native code: how many threads a call may use, and its state after a fork.

Threads start when a call first has tasks for them (`codegen.library.python.thread_pool`).
"""

from __future__ import annotations

import ctypes
import os

from tensordsl.codegen.abi import layouts
from tensordsl.runtime.loading import library
from tensordsl.runtime.loading.layout import function_address, immortalise, libc, poke

_SYSTEM = (
    "pthread_create", "pthread_detach", "pthread_mutex_lock", "pthread_mutex_unlock", "pthread_cond_wait",
    "pthread_cond_broadcast", "pthread_sigmask", "sched_yield", "sched_getcpu", "sched_getaffinity",
    "sched_setaffinity", "clock_gettime",
)  # fmt: skip
MAX_THREADS = 512  # in the pool


class _State:
    pool = 0  # its address; 0: not made yet
    max_threads = 1


def set_threads(count: int) -> None:
    """Let a call use up to `count` threads, the calling one among them."""
    _State.max_threads = min(count, MAX_THREADS)
    if count > 1 and not _State.pool:
        _State.pool = _new_pool()
    if _State.pool:
        poke(_State.pool + layouts.TH_WANTED, _State.max_threads - 1)
    if count > 1:
        library.require("threads")
        for name in ("worker", "parallel_for", "is_awake"):
            poke(_State.pool + layouts.TH[name], library.address("threads", name))
    library.set_entry("threads", _State.pool if count > 1 else 0)


def _new_pool() -> int:
    """A pool without threads, never freed: threads use it after the interpreter has ended."""
    import signal  # late: few processes need it

    words = (ctypes.c_int64 * ((layouts.TH_SIZE + 64) // 8))()
    immortalise(words)
    start = -(-ctypes.addressof(words) // 64) * 64
    for name in _SYSTEM:
        poke(start + layouts.TH[name], function_address(libc, name))
    ctypes.memset(start + layouts.TH_SIGNALS, 0xFF, layouts.TH_LOCK_SIZE)
    poke(start + layouts.TH_HOW, int(signal.SIG_BLOCK))
    _reset(start)
    return start


def _reset(pool: int) -> None:
    """No threads, no jobs, new locks."""
    for offset in (
        layouts.TH_BUSY,
        layouts.TH_SLEEPERS,
        layouts.TH_STARTED,
        layouts.TH_OWNER,
        layouts.TH_MINE,
        layouts.TH_STOP,
    ):
        poke(pool + offset, 0)
    poke(pool + layouts.TH_TICKET, layouts.TH_SPARE)  # threads look for work before the first job exists
    for offset, name in ((layouts.TH_MUTEX, "pthread_mutex_init"), (layouts.TH_COND, "pthread_cond_init")):
        ctypes.memset(pool + offset, 0, layouts.TH_LOCK_SIZE)
        getattr(libc, name)(ctypes.c_void_p(pool + offset), None)


def _after_fork() -> None:
    if _State.pool:
        _reset(_State.pool)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
