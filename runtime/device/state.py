"""The value of a shared variable on a device, and the commit: all new values of a call appear together.

A call never writes to a value's array: new values go elsewhere, and `commit` exchanges references.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from tensordsl.runtime.calls.state import MIN_WAIT_SECONDS, wait_once
from tensordsl.runtime.device.array import DeviceArray, to_device
from tensordsl.runtime.device.device import Device


class DeviceStorage:
    """`array`: the value, C-contiguous; `spare`: what the last call replaced, into which the next one writes; `mirror`:
    the value on the host, if it was requested; `lock`: the thread whose call uses it in a host step, or 0.

    A call never writes to `array`: new values go elsewhere, and `commit` exchanges references.
    """

    __slots__ = ("array", "spare", "mirror", "lock", "is_shown", "is_copy", "is_left", "__weakref__")

    def __init__(self, array: DeviceArray) -> None:
        self.array = array
        self.spare: DeviceArray | None = None
        self.mirror: np.ndarray | None = None
        self.lock = 0
        self.is_copy = False  # the variable belongs to CPU functions, which get its new value back
        self.is_left = False  # the variable has moved elsewhere
        self.is_shown = False  # others may hold `array`: it is never written to
        array.device.hoards.add(self)

    @staticmethod
    def of(value: np.ndarray, device: Device) -> DeviceStorage:
        """The storage of a copy of `value`."""
        return DeviceStorage(to_device(value, device))

    @property
    def device(self) -> Device:
        return self.array.device

    def release(self) -> None:
        """Drop the spare and the mirror, when memory is short."""
        self.spare = None

    def get(self) -> np.ndarray:
        """The value on the host, read-only."""
        with self.device.lock:
            mirror, array = self.mirror, self.array
            if mirror is None:
                mirror = array.get()
                mirror.flags.writeable = False
                self.mirror = mirror
            return mirror.view()

    def show(self) -> DeviceArray:
        """The storage itself, for a user; it keeps its value."""
        with self.device.lock:
            self.is_shown = True
            return self.array

    def set(self, value: np.ndarray) -> None:
        """Make a copy of `value` the value.  Waits while another thread's call uses the variable."""
        wait = MIN_WAIT_SECONDS
        while owner := self.lock:
            wait = wait_once(owner, wait)
        device = self.device
        with device.lock:
            commit([(self, to_device(value, device))])
            self.spare = None

    def place(self, shape: tuple[int, ...]) -> DeviceArray:
        """Storage for the next value: the spare array where it has this shape, else new."""
        spare, array = self.spare, self.array
        if spare is not None and spare.shape == shape:
            return spare
        size = int(np.prod(shape, dtype=np.int64)) * array.dtype.itemsize
        block = self.device.pool.take(size)
        return DeviceArray(self.device, block.address, shape, array.dtype, block)


def commit(values: Iterable[tuple[DeviceStorage, DeviceArray]]) -> None:
    """Make the arrays the values of the variables: all, or none if a signal interrupts.

    What CPU functions will get is downloaded first, while nothing has changed.
    """
    values = list(values)
    fetched = [array.get() if s.is_copy else None for s, array in values]
    before = [(s, s.array, s.spare, s.mirror, s.is_shown) for s, _ in values]
    try:
        for (s, array), mirror in zip(values, fetched, strict=True):
            s.spare = None if s.is_shown else s.array
            s.mirror, s.array, s.is_shown = mirror, array, False
    except BaseException:
        for s, array, spare, mirror, is_shown in before:
            s.array, s.spare, s.mirror, s.is_shown = array, spare, mirror, is_shown
        raise


def owner_of(storages: Sequence[DeviceStorage]) -> int:
    """The thread whose call uses one of them in a host step, or 0."""
    return next((storage.lock for storage in storages if storage.lock), 0)
