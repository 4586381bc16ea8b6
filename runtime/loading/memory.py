"""The process's pool of arena blocks and its run-time table: the addresses that emitted code calls."""

from __future__ import annotations

import ctypes
import sys
import threading
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from tensordsl.base.limits import memory_bytes
from tensordsl.codegen.abi import layouts
from tensordsl.runtime.loading.layout import (
    api,
    function_address,
    immortalise,
    libc,
    multiarray,
    numpy_api,
    peek,
    poke,
)  # fmt: skip

Table = ctypes.c_void_p * len(layouts.RT_NAMES)

_pool = (ctypes.c_int64 * (layouts.POOL_SIZE // 8))()
_large = (ctypes.c_int64 * layouts.KEPT_SLOTS)()
_alternate_stacks = (ctypes.c_int64 * layouts.ALTERNATE_STACKS)()
for _slots in (_pool, _large, _alternate_stacks):
    immortalise(_slots)
STACK = 8 << 20  # bytes of the main thread's stack that count
_NAME = b"mem_handler"  # the capsule keeps its address
_handlers: list[Any] = []  # the capsule over the library's handler of data, once it is made
_free = libc.free
_free.argtypes = [ctypes.c_void_p]


def new_table() -> ctypes.Array[ctypes.c_void_p]:
    """A table with everything but the library's own functions and the BLAS, which stand as NULL."""
    table = Table()
    immortalise(table)
    for name in layouts.CPYTHON_NAMES:
        table[layouts.RT[name] // 8] = function_address(api, name)
    for name in layouts.LIBC_NAMES:
        table[layouts.RT[name] // 8] = function_address(libc, name)
    for name in layouts.THREAD_NAMES:
        table[layouts.RT[name] // 8] = function_address(libc, name) if hasattr(libc, name) else 0
    table[layouts.RT["np_type"] // 8] = id(np.ndarray)
    table[layouts.RT["int_type"] // 8] = id(int)
    table[layouts.RT["np_new"] // 8] = numpy_api()[94]  # PyArray_NewFromDescr
    table[layouts.RT["pool"] // 8] = ctypes.addressof(_pool)
    table[layouts.RT["huge_pages"] // 8] = _has_huge_pages()
    table[layouts.RT["kept"] // 8] = ctypes.addressof(_large)
    table[layouts.RT["kept_bytes"] // 8] = _most_kept() // layouts.LARGE_SLOTS
    table[layouts.RT["alternate_stacks"] // 8] = ctypes.addressof(_alternate_stacks)
    table[layouts.RT["main_stack"] // 8], table[layouts.RT["main_stack_bytes"] // 8] = _main_stack()
    table[layouts.RT["main_thread"] // 8] = threading.main_thread().ident
    table[layouts.RT["watch_key"] // 8] = _thread_key()
    table[layouts.RT["look_at"] // 8] = -1
    return table


def _thread_key() -> int:
    """A key for a word of each thread's own, NULL at first.  Raises ImportError if the process has no more of them."""
    key = ctypes.c_uint()
    if libc.pthread_key_create(ctypes.byref(key), None):
        raise ImportError("no key is left for words of threads")
    return key.value


class _Handler(ctypes.Structure):
    """PyDataMem_Handler: what NumPy calls for the data of the arrays that name it."""

    _fields_ = [
        ("name", ctypes.c_char * 127),
        ("version", ctypes.c_uint8),
        ("context", ctypes.c_void_p),
        ("functions", ctypes.c_void_p * 4),
    ]


def data_handler(table: int, functions: Sequence[int]) -> int:
    """The address of a capsule over `abi.layouts.DATA_FUNCTIONS`, which get `table`; 0 if this NumPy's arrays have no
    place for it.  Arrays hold it for as long as they live, so it stays for good."""
    get = ctypes.PYFUNCTYPE(ctypes.py_object)(numpy_api()[305])  # PyDataMem_GetHandler
    probe = np.zeros(2)
    if peek(id(probe) + layouts.ND_HANDLER) != id(get()):
        return 0
    handler = _Handler(b"tensordsl", 1, table, (ctypes.c_void_p * 4)(*functions))
    immortalise(handler)
    make = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)
    capsule = make(("PyCapsule_New", api))(ctypes.addressof(handler), _NAME, None)
    immortalise(capsule)
    _handlers.append(capsule)
    return id(capsule)


def copied(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """A copy in C order, in the library's memory where the library is loaded."""
    if not _handlers:
        return np.array(array, order="C")
    use = _set_handler()
    usual = use(_handlers[0])
    try:
        return np.array(array, order="C")
    finally:
        use(usual)


@cache
def _set_handler() -> Any:
    """PyDataMem_SetHandler: gives the handler so far, of this thread's context."""
    return ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.py_object)(numpy_api()[304])


def _has_huge_pages() -> int:
    """Does NumPy ask for huge pages?"""
    set_huge = getattr(multiarray(), "_set_madvise_hugepage", None)
    if set_huge is None:
        return 0
    old = set_huge(True)
    set_huge(old)
    return int(old)


def _main_stack() -> tuple[int, int]:
    """The part of the main thread's stack below which there is much left: address and bytes; nothing if it is small or
    the system does not tell.  No other thread's stack can lie there."""
    try:
        end = ctypes.c_size_t.in_dll(libc, "__libc_stack_end").value
        import resource
    except (ValueError, ImportError):
        return 0, 0
    limit = resource.getrlimit(resource.RLIMIT_STACK)[0]
    most, reserve = STACK if limit == resource.RLIM_INFINITY else min(limit, STACK), layouts.MAIN_STACK_RESERVE_BYTES
    return (end - most + reserve, most - reserve) if most > 2 * reserve else (0, 0)


def _most_kept() -> int:
    """Bytes of large blocks that may be kept: an eighth of the memory that this process may have, where the system may
    take them back."""
    return memory_bytes() // 8 if sys.platform == "linux" else 0


def _kept(slots: ctypes.Array[ctypes.c_int64]) -> list[tuple[int, int]]:
    """(slot's address, block) of the free blocks that are in slots."""
    start = ctypes.addressof(slots)
    return [(start + 8 * i, block) for i, block in enumerate(slots) if block]


def retained_bytes() -> int:
    """Bytes of free blocks that are kept for the next call."""
    small = (layouts.BLOCK_HEAD + (1 << peek(block + layouts.BLOCK_CLASS)) for _, block in _kept(_pool))
    large = (peek(block + layouts.BLOCK_BYTES) for _, block in _kept(_large))
    return int(sum((*small, *large))) + layouts.ALTERNATE_STACK_BYTES * len(_kept(_alternate_stacks))


def trim() -> None:
    """Give the free blocks back to the system.  Only while no call runs without the GIL."""
    for slot, block in _kept(_pool) + _kept(_large) + _kept(_alternate_stacks):
        poke(slot, 0)
        _free(block)
