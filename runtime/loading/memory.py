"""The pool of arena blocks, the run-time table that generated code calls through, and NumPy's data handler.

One of each per process: `new_table` fills in addresses of CPython, NumPy, libc and of the pools; `data_handler` lets
NumPy allocate and free array data by the library's functions.
"""

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
_large_blocks = (ctypes.c_int64 * layouts.KEPT_SLOTS)()
# NumPy's dtypes are single objects, which live as long as the process.
_dtypes = (ctypes.c_int64 * (2 * len(layouts.DTYPES)))(
    *(x for t in map(np.dtype, layouts.DTYPES) for x in (id(t), t.itemsize))
)
_alternate_stacks = (ctypes.c_int64 * layouts.ALTERNATE_STACKS)()
for _slots in (_pool, _large_blocks, _alternate_stacks, _dtypes):
    immortalise(_slots)
MAX_MAIN_STACK_BYTES = 8 << 20  # of the main thread's stack that are used
_NAME = b"mem_handler"  # static: the capsule keeps its address
_handlers: list[Any] = []  # the capsule of the library's data handler, once made
_free = libc.free
_free.argtypes = [ctypes.c_void_p]


def new_table() -> ctypes.Array[ctypes.c_void_p]:
    """A table with everything but the library's functions and the BLAS, which are NULL."""
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
    table[layouts.RT["list_type"] // 8] = id(list)
    table[layouts.RT["tuple_type"] // 8] = id(tuple)
    table[layouts.RT["dtypes"] // 8] = ctypes.addressof(_dtypes)
    table[layouts.RT["np_new"] // 8] = numpy_api()[94]  # PyArray_NewFromDescr
    table[layouts.RT["pool"] // 8] = ctypes.addressof(_pool)
    table[layouts.RT["huge_pages"] // 8] = _has_huge_pages()
    table[layouts.RT["kept"] // 8] = ctypes.addressof(_large_blocks)
    table[layouts.RT["kept_bytes"] // 8] = _max_kept_bytes() // layouts.LARGE_SLOTS
    table[layouts.RT["alternate_stacks"] // 8] = ctypes.addressof(_alternate_stacks)
    table[layouts.RT["main_stack"] // 8], table[layouts.RT["main_stack_bytes"] // 8] = _main_stack()
    table[layouts.RT["main_thread"] // 8] = threading.main_thread().ident
    for name in ("watch_key", "stack_key"):
        table[layouts.RT[name] // 8] = _thread_key()
    table[layouts.RT["look_at"] // 8] = -1
    return table


def _thread_key() -> int:
    """A key of thread-local words, NULL at first.  Raises ImportError if the process has no keys left."""
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
    field for it.  Arrays hold it as long as they live, so it is never freed."""
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
    """PyDataMem_SetHandler: sets the handler of this thread's context and returns the previous one."""
    return ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.py_object)(numpy_api()[304])


def _has_huge_pages() -> int:
    """1 if NumPy requests huge pages, else 0."""
    set_huge = getattr(multiarray(), "_set_madvise_hugepage", None)
    if set_huge is None:
        return 0
    old = set_huge(True)
    set_huge(old)
    return int(old)


def _main_stack() -> tuple[int, int]:
    """(address, bytes) of the part of the main thread's stack below which a reserve is left; zeros if it is small or
    the system does not say.  No other thread's stack can lie there."""
    try:
        end = ctypes.c_size_t.in_dll(libc, "__libc_stack_end").value
        import resource
    except (ValueError, ImportError):
        return 0, 0
    limit = resource.getrlimit(resource.RLIMIT_STACK)[0]
    most, reserve = (
        MAX_MAIN_STACK_BYTES if limit == resource.RLIM_INFINITY else min(limit, MAX_MAIN_STACK_BYTES),
        layouts.MAIN_STACK_RESERVE_BYTES,
    )
    return (end - most + reserve, most - reserve) if most > 2 * reserve else (0, 0)


def _max_kept_bytes() -> int:
    """Bytes of large blocks that may be kept: an eighth of the memory available to this process, where the system can
    reclaim them."""
    return memory_bytes() // 8 if sys.platform == "linux" else 0


def _kept(slots: ctypes.Array[ctypes.c_int64]) -> list[tuple[int, int]]:
    """(slot's address, block) of each free block in the slots."""
    start = ctypes.addressof(slots)
    return [(start + 8 * i, block) for i, block in enumerate(slots) if block]


def retained_bytes() -> int:
    """Bytes of free blocks that are kept for the next call."""
    small = (layouts.BLOCK_HEAD + (1 << peek(block + layouts.BLOCK_CLASS)) for _, block in _kept(_pool))
    large = (peek(block + layouts.BLOCK_BYTES) for _, block in _kept(_large_blocks))
    return int(sum((*small, *large))) + layouts.ALTERNATE_STACK_BYTES * len(_kept(_alternate_stacks))


def trim() -> None:
    """Give the free blocks back to the system.  Only while no call runs without the GIL."""
    for slot, block in _kept(_pool) + _kept(_large_blocks) + _kept(_alternate_stacks):
        poke(slot, 0)
        _free(block)
