"""A pytest plugin: all memory of the simulator ends at a page that nobody may touch, so that a read past it is a crash.

The simulator sees writes outside of arrays; of reads it sees nothing, and on a GPU they can be the end of the context.
"""

from __future__ import annotations

import ctypes
import mmap
from typing import Any

import numpy as np

from tensordsl.errors import DeviceMemoryError
from tensordsl.runtime.device import pool
from tensordsl.runtime.driver import simulated, simulator
from tensordsl.runtime.driver.simulator import CANARY_VALUE, POISON

PAGE, ACCESS_BYTES = mmap.PAGESIZE, 16  # bytes; of the widest access of a kernel
NOTHING = 0  # PROT_NONE
_protect = ctypes.CDLL(None).mprotect


def frame_of(size: int) -> tuple[np.ndarray, int]:
    """(bytes between two forbidden pages, where `size` of them begin that end with the last one but for alignment)."""
    room = -(-max(size, 1) // PAGE) * PAGE
    region = mmap.mmap(-1, room + 2 * PAGE)
    first = ctypes.addressof(ctypes.c_char.from_buffer(region))
    for page in (first, first + PAGE + room):
        assert _protect(ctypes.c_void_p(page), ctypes.c_size_t(PAGE), NOTHING) == 0
    frame = np.frombuffer(region, np.uint8, room, PAGE)
    frame[:] = CANARY_VALUE
    return frame, room - -(-size // ACCESS_BYTES) * ACCESS_BYTES


def array(self: Any, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """`simulator.Memory.array`."""
    size = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
    frame, first = frame_of(size)
    self._frames.append((frame, first, first + size))
    frame[first : first + size] = POISON
    result: np.ndarray = frame[first : first + size].view(dtype).reshape(shape)
    return result


def alloc(self: Any, size: int) -> int:
    """`driver.simulated.SimDriver.alloc`."""
    if self._used + size > self.info.memory:
        raise DeviceMemoryError(f"The simulated device has no {size} bytes left.")
    frame, first = frame_of(size)
    address = int(frame.ctypes.data) + first
    self._frames[address] = frame, size
    simulated.insort(self._addresses, address)
    self._used += size
    self.view(address, size)[:] = POISON
    return address


simulator.Memory.array = array  # type: ignore[method-assign]
simulated.SimDriver.alloc = alloc  # type: ignore[method-assign]
pool.bin_size = lambda size: max(size, 1)  # blocks are no larger than what is asked for
pool.MIN_BLOCK_BYTES = 1
