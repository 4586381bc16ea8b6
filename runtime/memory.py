"""The process's pool of arena blocks and its run-time table: the addresses that emitted code calls."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence

import numpy as np

from tensordsl.codegen import abi
from tensordsl.runtime.layout import (
    api,
    function_address,
    immortalise,
    libc,
    multiarray,
    numpy_api,
    peek,
    poke,
)  # fmt: skip

Table = ctypes.c_void_p * len(abi.RT_NAMES)

_pool = (ctypes.c_int64 * (abi.POOL_SIZE // 8))()
immortalise(_pool)
_NAME = b"mem_handler"  # the capsule keeps its address
_free = libc.free
_free.argtypes = [ctypes.c_void_p]


def new_table() -> ctypes.Array[ctypes.c_void_p]:
    """A table with everything but the library's own functions and the BLAS, which stand as NULL."""
    table = Table()
    immortalise(table)
    for name in abi.CPYTHON_NAMES:
        table[abi.RT[name] // 8] = function_address(api, name)
    for name in abi.LIBC_NAMES:
        table[abi.RT[name] // 8] = function_address(libc, name)
    table[abi.RT["np_type"] // 8] = id(np.ndarray)
    table[abi.RT["int_type"] // 8] = id(int)
    table[abi.RT["np_new"] // 8] = numpy_api()[94]  # PyArray_NewFromDescr
    table[abi.RT["pool"] // 8] = ctypes.addressof(_pool)
    table[abi.RT["huge_pages"] // 8] = _has_huge_pages()
    return table


class _Handler(ctypes.Structure):
    """PyDataMem_Handler: what NumPy calls for the data of the arrays that name it."""

    _fields_ = [
        ("name", ctypes.c_char * 127),
        ("version", ctypes.c_uint8),
        ("context", ctypes.c_void_p),
        ("functions", ctypes.c_void_p * 4),
    ]


def data_handler(table: int, functions: Sequence[int]) -> int:
    """The address of a capsule over `codegen.abi.DATA_FUNCTIONS`, which get `table`; 0 if this NumPy's arrays have no
    place for it.  Arrays hold it for as long as they live, so it stays for good."""
    get = ctypes.PYFUNCTYPE(ctypes.py_object)(numpy_api()[305])  # PyDataMem_GetHandler
    probe = np.zeros(2)
    if peek(id(probe) + abi.ND_HANDLER) != id(get()):
        return 0
    handler = _Handler(b"tensordsl", 1, table, (ctypes.c_void_p * 4)(*functions))
    immortalise(handler)
    make = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)
    capsule = make(("PyCapsule_New", api))(ctypes.addressof(handler), _NAME, None)
    immortalise(capsule)
    return id(capsule)


def _has_huge_pages() -> int:
    """Does NumPy ask for huge pages?"""
    set_huge = getattr(multiarray(), "_set_madvise_hugepage", None)
    if set_huge is None:
        return 0
    old = set_huge(True)
    set_huge(old)
    return int(old)


def _kept() -> list[tuple[int, int]]:
    """(slot's address, block) of the free blocks that the pool holds."""
    start = ctypes.addressof(_pool)
    return [(start + 8 * i, block) for i, block in enumerate(_pool) if block]


def retained_bytes() -> int:
    """Bytes of free blocks that the pool keeps for the next call."""
    return sum(abi.BLOCK_HEAD + (1 << peek(block + abi.BLOCK_CLASS)) for _, block in _kept())


def trim() -> None:
    """Give the pool's free blocks back to the system.  Only while no call runs without the GIL."""
    for slot, block in _kept():
        poke(slot, 0)
        _free(block)
