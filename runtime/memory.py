"""The process's pool of arena blocks and its run-time table: the addresses that emitted code calls."""

from __future__ import annotations

import ctypes

import numpy as np

from tensordsl.codegen import abi
from tensordsl.runtime.layout import api, function_address, immortalise, libc, numpy_api, peek, poke

Table = ctypes.c_void_p * len(abi.RT_NAMES)

_pool = (ctypes.c_int64 * (abi.POOL_SIZE // 8))()
immortalise(_pool)
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
    return table


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
