"""Arrays that end where memory ends, or begin where it begins: whoever reads beyond ends the process."""

from __future__ import annotations

import ctypes
import mmap

import numpy as np

PAGES = 1024


class End:
    """Memory between two pages which nobody may touch."""

    def __init__(self) -> None:
        self.space = mmap.mmap(-1, PAGES * mmap.PAGESIZE)
        self.bytes = np.frombuffer(self.space, np.uint8)
        first = self.bytes.ctypes.data
        self.closed = first, first + (PAGES - 1) * mmap.PAGESIZE
        self.protect(0)

    def protect(self, access: int) -> None:
        mprotect = ctypes.CDLL(None).mprotect
        for page in self.closed:
            assert mprotect(ctypes.c_void_p(page), ctypes.c_size_t(mmap.PAGESIZE), access) == 0

    def put(self, a: np.ndarray) -> np.ndarray:
        """A copy of `a` whose last byte is the last one there is."""
        stop = (PAGES - 1) * mmap.PAGESIZE
        copy: np.ndarray = self.bytes[stop - a.nbytes : stop].view(a.dtype).reshape(a.shape)
        copy[...] = a
        return copy

    def put_first(self, a: np.ndarray) -> np.ndarray:
        """A copy of `a` whose first byte is the first one there is."""
        copy: np.ndarray = self.bytes[mmap.PAGESIZE : mmap.PAGESIZE + a.nbytes].view(a.dtype).reshape(a.shape)
        copy[...] = a
        return copy


def behind_a_line(a: np.ndarray, away: int) -> np.ndarray:
    """A copy that begins so many bytes behind the beginning of a cache line."""
    raw = np.full(a.nbytes + 128, 255, np.uint8)
    first = -raw.ctypes.data % 64 + away
    copy = raw[first : first + a.nbytes].view(a.dtype).reshape(a.shape)
    copy[...] = a
    return copy
