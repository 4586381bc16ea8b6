"""A pool of device memory: bins of similar sizes, each with a list of free blocks that are kept for later calls.

All work on a device is in one stream, so a block may be handed out again while earlier work still uses it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from tensordsl.base.errors import DeviceMemoryError
from tensordsl.base.records import record
from tensordsl.runtime.driver.protocol import Driver

MIN_BLOCK_BYTES = 256  # of the smallest bin: the alignment of device memory
BINS_PER_DOUBLING = 4  # bins: at most a quarter of a block is unused


@record
class Statistics:
    """Bytes handed out, kept free, and the peak taken from the driver; blocks taken from the driver, and from the
    pool."""

    used: int
    kept: int
    peak: int
    misses: int
    hits: int


class Block:
    """Memory of a device; it goes back to the pool with the last reference."""

    __slots__ = ("address", "size", "pool", "__weakref__")

    def __init__(self, address: int, size: int, pool: Pool) -> None:
        self.address, self.size, self.pool = address, size, pool

    def __del__(self) -> None:
        self.pool.give(self.address, self.size)


class Pool:
    """The blocks of one device.  `on_pressure` frees caches before memory counts as exhausted."""

    def __init__(self, driver: Driver, on_pressure: Callable[[], None] = lambda: None) -> None:
        self.driver, self.on_pressure = driver, on_pressure
        self._free: dict[int, deque[int]] = {}
        self._taken = self._peak = self._misses = self._hits = 0

    def take(self, size: int) -> Block:
        """A block of at least `size` bytes with any content.

        Where the driver has no memory left, all free blocks go back and it is tried again: then DeviceMemoryError.
        """
        room = bin_size(size)
        free = self._free.get(room)
        if free is None:
            free = self._free.setdefault(room, deque())
        try:
            address = free.pop()  # atomic: any thread may return blocks, at any time
            self._hits += 1
        except IndexError:
            address = self._allocate(room)
        return Block(address, room, self)

    def _allocate(self, room: int) -> int:
        try:
            address = self.driver.alloc(room)
        except DeviceMemoryError:
            self.on_pressure()
            self.trim()
            try:
                address = self.driver.alloc(room)
            except DeviceMemoryError as error:
                used = self.statistics().used
                raise DeviceMemoryError(f"{error.args[0]} {room} bytes wanted, {used} in use.") from None
        self._misses += 1
        self._taken += room
        self._peak = max(self._peak, self._taken)
        return address

    def give(self, address: int, size: int) -> None:
        """Return a block of `take`.  Any thread may call this, even a collection inside of `take`."""
        self._free[size].append(address)

    def trim(self) -> None:
        """Give all free blocks back to the driver."""
        if any(self._free.values()):
            self.driver.synchronize()
        for size, free in list(self._free.items()):
            while free:
                try:
                    address = free.pop()
                except IndexError:
                    break
                self._taken -= size
                self.driver.free(address)

    def statistics(self) -> Statistics:
        kept = sum(size * len(free) for size, free in list(self._free.items()))
        return Statistics(self._taken - kept, kept, self._peak, self._misses, self._hits)


def bin_size(size: int) -> int:
    """`size` rounded up to LEAST, or to a quarter of a power of two.

    >>> [bin_size(n) for n in (0, 1, 256, 257, 320, 321, 1000, 5000)]
    [256, 256, 256, 320, 320, 384, 1024, 5120]
    """
    if size <= MIN_BLOCK_BYTES:
        return MIN_BLOCK_BYTES
    step = 1 << max((size - 1).bit_length() - 1, 0)  # the largest power of two below
    step //= BINS_PER_DOUBLING
    return -(-size // step) * step
