"""A device of this process: its driver, memory pool, lock, staging memory, and what has been loaded on it.

`get_device(name)` opens it at first use.  A call holds the lock from its start to its end, but for its host steps.
"""

from __future__ import annotations

import gc
import os
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from tensordsl.base.errors import DeviceError, DeviceLostError
from tensordsl.runtime.device.pool import Block, Pool
from tensordsl.runtime.driver.protocol import Bytes, Driver
from tensordsl.runtime.driver.registry import device_name, open_driver

MAX_STAGED_BYTES = 1 << 24  # larger arrays are uploaded without staging


def bytes_of(array: np.ndarray) -> Bytes:
    """The bytes of a C-contiguous array."""
    return array.reshape(-1).view(np.uint8)


class Module:
    """The kernels of a text, by name; unloaded when nobody has them any more."""

    __slots__ = ("device", "handle", "kernels", "__weakref__")

    def __init__(self, device: Device, text: str, names: Sequence[str]) -> None:
        self.device = device
        self.kernels: dict[str, Any] = {}
        if not names:
            return
        with device.lock:
            device.bury()
            self.handle = device.driver.load(text)
            self.kernels = {name: device.driver.kernel(self.handle, name) for name in names}

    def __del__(self) -> None:
        if hasattr(self, "handle"):
            self.device.retire("unload", self.handle)


class Device:
    """`lock` is held by whoever uses the driver: a call from its start to its end, but for its host steps."""

    def __init__(self, driver: Driver) -> None:
        self.driver, self.name = driver, driver.name
        self.lock = threading.RLock()
        self.hoards: weakref.WeakSet[Any] = (
            weakref.WeakSet()
        )  # objects with `release()`: caches, emptied when memory is short
        self.pool = Pool(driver, self._release)
        self.modules: weakref.WeakValueDictionary[Any, Module] = weakref.WeakValueDictionary()  # for all functions
        self.retired: deque[tuple[str, Any]] = deque()  # finalised objects: (the driver's method, its argument)
        self.look = np.zeros((), np.int64)  # not 0: a call has to `bury`, or is in a forked child
        self._staging: dict[int, list[Bytes]] = {}
        self._lent: list[Bytes] = []
        self._process = os.getpid()
        _opened.add(self)

    @contextmanager
    def held(self) -> Iterator[None]:
        """The lock, and the driver ready for many calls."""
        with self.lock:
            is_first = self.driver.hold()
            try:
                yield
            finally:
                if is_first:
                    self.driver.let_go()

    def _release(self) -> None:
        gc.collect()  # arrays in cycles
        for hoard in list(self.hoards):
            hoard.release()

    def retire(self, method: str, thing: Any) -> None:
        """Have the driver's method called for a finalised object, by `bury`.  Any thread may call this, at any time."""
        self.retired.append((method, thing))
        self.look[...] = 1

    def bury(self) -> None:
        """Free modules and graphs of finalised objects: not in the finaliser, which can run in any thread at any
        time."""
        if not self.retired:
            return
        self.synchronize()  # a failed call may have left work
        self.look[...] = os.getpid() != self._process
        while self.retired:
            method, thing = self.retired.popleft()
            getattr(self.driver, method)(thing)

    def check(self) -> None:
        """DeviceLostError in a child of the process that opened the device: CUDA does not survive fork."""
        if os.getpid() != self._process and self.driver.language == "ptx":
            raise DeviceLostError("A GPU cannot be used in a forked process; use the start method `spawn`.")

    def upload(self, address: int, array: np.ndarray) -> None:
        """Copy a C-contiguous array to the device; the array may change afterwards."""
        if array.nbytes == 0:
            return
        source = bytes_of(array)
        if array.nbytes > MAX_STAGED_BYTES:
            self.driver.upload(address, source)
            self.driver.synchronize()
            return
        staged = self.staged(array.nbytes)
        staged[:] = source
        self.driver.upload(address, staged)

    def staged(self, size: int) -> Bytes:
        """Pinned memory of `size` bytes, the caller's until `synchronize`."""
        block = self.pinned(size)
        self._lent.append(block)
        return block[:size]

    def pinned(self, size: int) -> Bytes:
        """Pinned memory of at least `size` bytes, the caller's until `unpinned`."""
        room = 1 << max(size - 1, 4095).bit_length()
        free = self._staging.setdefault(room, [])
        return free.pop() if free else self.driver.pinned(room)

    def unpinned(self, block: Bytes) -> None:
        self._staging[block.nbytes].append(block)

    def download(self, address: int, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
        """A new C-contiguous array of the memory at an address, after all work before."""
        array = np.empty(shape, dtype)
        if array.nbytes:
            self.driver.download(bytes_of(array), address)
        return array

    def fetched(self, wanted: Sequence[tuple[int, tuple[int, ...], Any]]) -> list[np.ndarray]:
        """New arrays of the memory at addresses, (address, shape, dtype) each, after all work before: one wait for
        all."""
        arrays = [np.empty(shape, dtype) for _, shape, dtype in wanted]
        staged = []
        for array, (address, _, _) in zip(arrays, wanted, strict=True):
            if 0 < array.nbytes <= MAX_STAGED_BYTES:
                staged.append((array, self.staged(array.nbytes)))
                self.driver.fetch(staged[-1][1], address)
            elif array.nbytes:
                self.driver.download(bytes_of(array), address)
        self.driver.synchronize()
        for array, room in staged:
            bytes_of(array)[:] = room
        self._take_back()
        return arrays

    def synchronize(self) -> None:
        """Wait for all work; staging memory is free again."""
        self.driver.synchronize()
        self._take_back()

    def _take_back(self) -> None:
        lent, self._lent = self._lent, []
        for block in lent:
            self.unpinned(block)

    def block_of(self, array: np.ndarray) -> Block:
        """A block with a copy of the array."""
        block = self.pool.take(array.nbytes)
        self.upload(block.address, np.ascontiguousarray(array))
        return block

    def __repr__(self) -> str:
        return f"<device {self.name}: {self.driver.info.name}>"


_opened: weakref.WeakSet[Device] = weakref.WeakSet()
_devices: dict[tuple[str, str], Device] = {}
_lock = threading.Lock()


def get_device(name: str) -> Device:
    """The device of a name (cuda, gpu, cuda1, sim), opened at its first use.  Raises DeviceError, ValueError."""
    from tensordsl.base.config import config

    name = device_name(name)
    if name == "cpu":
        raise ValueError("the CPU is no device of the driver")
    key = name, config.cuda_driver if name != "sim" else ""
    with _lock:
        if key not in _devices:
            _devices[key] = Device(open_driver(*key))
        device = _devices[key]
    device.check()
    return device


def use_driver(driver: Driver) -> Callable[[], None]:
    """Replace the driver of a device by name, for tests; returns a function that undoes it."""
    from tensordsl.base.config import config

    key = driver.name, config.cuda_driver if driver.name != "sim" else ""
    before = _devices.get(key)
    _devices[key] = Device(driver)

    def undo() -> None:
        if before is None:
            _devices.pop(key, None)
        else:
            _devices[key] = before

    return undo


def _after_fork() -> None:
    """In the child every call has to check."""
    for device in list(_opened):
        device.look[...] = 1


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)

__all__ = ["Device", "DeviceError", "get_device", "use_driver"]
