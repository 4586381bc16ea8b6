"""The storage of shared variables, seen by native code and by Python."""

from __future__ import annotations

import ctypes
import os
import time
import weakref
from _thread import get_ident
from collections.abc import Callable
from functools import cache

import numpy as np

from tensordsl.codegen import abi
from tensordsl.runtime import library
from tensordsl.runtime.layout import api, peek, poke

WAIT, LONGEST_WAIT = 20e-6, 1e-3  # seconds between two looks at a lock
REENTRY = "a shared variable is in use by this very call: a callback or signal handler may not touch it again"

_cells: weakref.WeakSet[Cell]
_incref, _decref = (ctypes.PYFUNCTYPE(None, ctypes.c_void_p)((name, api)) for name in ("Py_IncRef", "Py_DecRef"))


# A cell's memory is a NumPy record: its two object fields are references that NumPy drops with the record, and the
# garbage collector neither finalises nor clears arrays, so that functions collected with their cells can use them to
# the end.
_FIELDS = {abi.SRC_DATA: "i8", abi.SRC_DIMS: "i8", abi.SRC_STRIDES: "i8", abi.CELL_LOCK: "i8", abi.CELL_ITEMSIZE: "i8"}
_FIELDS |= {abi.CELL_ARRAY: "O", abi.CELL_SPARE: "O", abi.CELL_NEXT: "i8"}
_RECORD = np.dtype(
    {
        "names": [f"at{offset}" for offset in _FIELDS],
        "formats": list(_FIELDS.values()),
        "offsets": list(_FIELDS),
        "itemsize": abi.CELL_SIZE,
    }
)


_SLOTS, _HEADER = (ctypes.c_int64 * (size // 8) for size in (abi.CELL_SIZE, abi.ND_STRIDES + 8))
_NATIVE = frozenset(map(np.dtype, abi.DTYPES))


class Cell:
    """One shared variable's storage: a C-contiguous, aligned, native array, which compiled functions may replace.

    dtype and rank are fixed.  `address` is where native code finds it (`codegen.abi`: CELL_*).
    """

    __slots__ = ("address", "dtype", "ndim", "words", "__weakref__")

    def __init__(self, array: np.ndarray) -> None:
        self.dtype, self.ndim = array.dtype, array.ndim
        self._check(array)
        self.words = np.zeros((), _RECORD)
        self.address = peek(id(self.words) + abi.ND_DATA)
        slots, header = _SLOTS.from_address(self.address), _HEADER.from_address(id(array))
        for offset in (abi.CELL_ARRAY, abi.CELL_SPARE):
            _decref(slots[offset // 8])  # NumPy's zero of an object field is an object
        _incref(id(array))
        slots[abi.CELL_ARRAY // 8], slots[abi.CELL_SPARE // 8] = id(array), 0
        slots[abi.CELL_ITEMSIZE // 8] = array.dtype.itemsize
        for source, field in (
            (abi.SRC_DATA, abi.ND_DATA), (abi.SRC_DIMS, abi.ND_DIMS), (abi.SRC_STRIDES, abi.ND_STRIDES),
        ):  # fmt: skip
            slots[source // 8] = header[field // 8]
        _cells.add(self)

    def get(self) -> np.ndarray:
        """The array itself, not a copy; while somebody holds it updates go to other storage."""
        array = ctypes.cast(peek(self.address + abi.CELL_ARRAY), ctypes.py_object).value
        assert isinstance(array, np.ndarray)
        return array

    def set(self, array: np.ndarray) -> None:
        """Make `array` the storage, without a copy.  Waits while another thread's call uses the cell.

        Raises RuntimeError from within a call (a callback) that uses it itself.
        """
        self._check(array)
        swap = _native_set()
        self._wait_while(lambda: swap(library.table(), self.address, id(array)))

    def wait(self) -> None:
        """Return when no other thread's call uses the cell, and none waits for it that came before."""
        if self.locked_by or self._following not in (0, get_ident()):
            self._wait_while(lambda: self.locked_by)

    def _wait_while(self, owner_now: Callable[[], int]) -> None:
        """Wait in turn while somebody owns the cell: calls in other threads that begin meanwhile wait as well."""
        me, wait, is_next = get_ident(), WAIT, False
        next_up = ctypes.c_int64.from_address(self.address + abi.CELL_NEXT)
        try:
            while True:
                following = next_up.value
                owner = owner_now() if following in (0, me) or is_next else following
                if not owner:
                    return
                if not next_up.value:  # no call up to here, nor below: no other thread and no signal comes in between
                    next_up.value = me
                    is_next = True
                wait = wait_once(owner, wait)
        finally:
            if is_next:
                next_up.value = 0

    @property
    def _following(self) -> int:
        """The thread that is to have the cell next, as it waits for it, or 0."""
        return int(peek(self.address + abi.CELL_NEXT))

    @property
    def locked_by(self) -> int:
        """The identifier of the thread whose call has pinned the cell; 0: nobody's."""
        return int(peek(self.address + abi.CELL_LOCK))

    def _check(self, array: np.ndarray) -> None:
        assert type(array) is np.ndarray and array.dtype == self.dtype and array.ndim == self.ndim
        assert array.dtype in _NATIVE, "native dtypes only"
        assert array.flags.c_contiguous and array.flags.aligned


@cache
def _native_set() -> Callable[[int, int, int], int]:
    """(table, cell, array) -> 0, or the thread that has locked the cell: test and swap in one step under the GIL."""
    return ctypes.PYFUNCTYPE(ctypes.c_int64, *[ctypes.c_void_p] * 3)(library.symbol("cell_set"))


def wait_once(owner: int, wait: float) -> float:
    """Sleep a little for another thread's call; the next time to sleep.  RuntimeError if it is our own call."""
    if owner == get_ident():
        raise RuntimeError(REENTRY)
    time.sleep(wait)
    return min(2 * wait, LONGEST_WAIT)


def wait_for(cells: tuple[Cell, ...]) -> None:
    """Return when none of the cells is locked."""
    for cell in cells:
        cell.wait()


def _after_fork() -> None:
    """In the child only the forking thread lives: what others had locked is free."""
    for cell in list(_cells):
        if cell.locked_by != get_ident():
            poke(cell.address + abi.CELL_LOCK, 0)
        poke(cell.address + abi.CELL_NEXT, 0)


_cells = weakref.WeakSet()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
