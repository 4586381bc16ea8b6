"""Cells: the storage of shared variables, seen by native code and by Python.

A cell's memory is a NumPy record: its two object fields are references that NumPy drops with the record, and the
garbage collector neither finalises nor clears arrays, so that functions collected with their cells can use them.
"""

from __future__ import annotations

import ctypes
import os
import time
import weakref
from _thread import get_ident
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from tensordsl.codegen.abi import layouts
from tensordsl.runtime.calls import heap_types
from tensordsl.runtime.loading import library
from tensordsl.runtime.loading.layout import api, peek, poke

MIN_WAIT_SECONDS, MAX_WAIT_SECONDS = 20e-6, 1e-3  # between two tests of a lock
REENTRY = "a shared variable is in use by this very call: a callback or signal handler may not touch it again"

_cells: weakref.WeakSet[Cell]
_decref = ctypes.PYFUNCTYPE(None, ctypes.c_void_p)(("Py_DecRef", api))
_holders: list[type] = []  # the type of holders


_FIELDS = {
    layouts.SRC_DATA: "i8",
    layouts.SRC_DIMS: "i8",
    layouts.SRC_STRIDES: "i8",
    layouts.CELL_LOCK: "i8",
    layouts.CELL_ITEMSIZE: "i8",
}
_FIELDS |= {layouts.CELL_ARRAY: "O", layouts.CELL_SPARE: "O", layouts.CELL_NEXT: "i8"}
_RECORD = np.dtype(
    {
        "names": [f"at{offset}" for offset in _FIELDS],
        "formats": list(_FIELDS.values()),
        "offsets": list(_FIELDS),
        "itemsize": layouts.CELL_SIZE,
    }
)


_SLOTS = ctypes.c_int64 * (layouts.CELL_SIZE // 8)
_NATIVE = frozenset(map(np.dtype, layouts.DTYPES))


class Cell:
    """One shared variable's storage: a C-contiguous, aligned, native array, which compiled functions may replace.

    dtype and rank are fixed.  `address` is where native code finds it (`codegen.abi.layouts`: CELL_*).
    """

    __slots__ = ("address", "dtype", "ndim", "words", "__weakref__")

    def __init__(self, array: np.ndarray) -> None:
        self.dtype, self.ndim = np.dtype(array.dtype.name), array.ndim
        assert self.dtype in _NATIVE, "native dtypes only"
        self.words = np.zeros((), _RECORD)
        self.address = peek(id(self.words) + layouts.ND_DATA)
        slots = _SLOTS.from_address(self.address)
        for k in (layouts.CELL_ARRAY // 8, layouts.CELL_SPARE // 8):
            zero, slots[k] = slots[k], 0
            _decref(zero)  # NumPy's zero of an object field is an object
        slots[layouts.CELL_ITEMSIZE // 8] = self.dtype.itemsize
        self.set(array)
        _cells.add(self)

    def get(self) -> np.ndarray:
        """A view of the value, not a copy; while somebody holds it updates go to other storage."""
        view: np.ndarray = _native()[0](library.table(), self.address)
        return view

    def set(self, array: np.ndarray) -> None:
        """Make the memory of `array`, of the cell's dtype and rank, the storage.  Waits while another thread's call
        uses the cell.

        Raises RuntimeError from within a call (a callback) that uses it itself.
        """
        assert type(array) is np.ndarray and array.dtype == self.dtype
        if array.dtype is not self.dtype:
            array = array.view(self.dtype)
        self._wait_while(lambda: _native()[1](library.table(), self.address, id(array), id(self.dtype), self.ndim))

    def wait(self) -> None:
        """Return when no other thread's call uses the cell, and no thread queued before this one waits for it."""
        if self.locked_by or self._following not in (0, get_ident()):
            self._wait_while(lambda: self.locked_by)

    def _wait_while(self, owner_now: Callable[[], int]) -> None:
        """Queue while somebody owns the cell: calls of other threads that begin meanwhile wait as well."""
        me, wait, is_next = get_ident(), MIN_WAIT_SECONDS, False
        next_up = ctypes.c_int64.from_address(self.address + layouts.CELL_NEXT)
        try:
            while True:
                following = next_up.value
                owner = owner_now() if following in (0, me) or is_next else following
                if not owner:
                    return
                if not next_up.value:  # no Python call from here to the store below: it is atomic under the GIL
                    next_up.value = me
                    is_next = True
                wait = wait_once(owner, wait)
        finally:
            if is_next:
                next_up.value = 0

    @property
    def _following(self) -> int:
        """The thread that gets the cell next, as it waits for it, or 0."""
        return int(peek(self.address + layouts.CELL_NEXT))

    @property
    def locked_by(self) -> int:
        """The identifier of the thread whose call has pinned the cell, or 0."""
        return int(peek(self.address + layouts.CELL_LOCK))


@cache
def _native() -> tuple[Callable[[int, int], Any], Callable[[int, int, int, int, int], int]]:
    """(table, cell) -> a view of the value; and (table, cell, array, dtype, rank) -> 0, or the thread that has locked
    the cell: test and swap.  Each is one step under the GIL."""
    _have_holders()
    get = ctypes.PYFUNCTYPE(ctypes.py_object, *[ctypes.c_void_p] * 2)(library.symbol("cell_get"))
    words = *[ctypes.c_void_p] * 4, ctypes.c_int32
    swap = ctypes.PYFUNCTYPE(ctypes.c_int64, *words)(library.symbol("cell_set"))

    def swap_in(*given: int) -> int:
        answer: int = swap(*given)
        assert answer != layouts.SET_REFUSED, "C-contiguous, aligned arrays of the cell's dtype and rank only"
        return answer

    return get, swap_in


def _have_holders() -> None:
    library.require("native")
    with library.lock():
        if not _holders:
            slots = {
                heap_types.TP_DEALLOC: library.symbol("holder_dealloc"),
                heap_types.BF_GETBUFFER: library.symbol("holder_buffer"),
            }
            _holders.append(heap_types.make_type("tensordsl.Storage", layouts.HOLDER_SIZE, 0, slots, {}))
            library.set_entry("holder_type", id(_holders[0]))


def wait_once(owner: int, wait: float) -> float:
    """Sleep a little for another thread's call; the next time to sleep.  RuntimeError if it is our own call."""
    if owner == get_ident():
        raise RuntimeError(REENTRY)
    time.sleep(wait)
    return min(2 * wait, MAX_WAIT_SECONDS)


def wait_for(cells: tuple[Cell, ...]) -> None:
    """Return when none of the cells is locked."""
    for cell in cells:
        cell.wait()


def _after_fork() -> None:
    """In the child only the forking thread lives: locks of the others are free."""
    for cell in list(_cells):
        if cell.locked_by != get_ident():
            poke(cell.address + layouts.CELL_LOCK, 0)
        poke(cell.address + layouts.CELL_NEXT, 0)


_cells = weakref.WeakSet()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
