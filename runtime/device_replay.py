"""Calls that are the same again: the driver's calls of an earlier one, repeated without looking at the program.

A call whose work depends on lengths and places alone (it reads no number that the device computed, and has no host
step) makes the same calls of the driver whenever shapes and addresses are the same.  The second such call is recorded:
its storage is then kept, arguments go through staging memory of its own, and the next one only repeats it.  A driver
that can make one launch of many (CUDA graphs) is given the whole sequence.

The new values of shared variables are written to their spare storage, so that two recordings take turns.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tensordsl.errors import DeviceError
from tensordsl.runtime.device import Device
from tensordsl.runtime.device_array import DeviceArray
from tensordsl.runtime.device_state import DeviceStorage, commit
from tensordsl.runtime.driver import Bytes
from tensordsl.runtime.pool import Block, Pool

KEPT, SEEN = 8, 64  # recordings of a program, and calls that may become one
LONGEST = 5000  # calls of the driver in one


class PrivatePool(Pool):
    """Memory that belongs to one recording: blocks go back to it, and to the device's pool when it is gone."""

    def __init__(self, parent: Pool) -> None:
        super().__init__(parent.driver)
        self.parent = parent
        self.blocks: list[Block] = []

    def _allocate(self, room: int) -> int:
        self.blocks.append(self.parent.take(room))
        return self.blocks[-1].address


class Recorder:
    """A driver that notes what it is asked to do; `calls`: (method, arguments)."""

    def __init__(self, driver: Any) -> None:
        self.driver, self.info = driver, driver.info
        self.calls: list[tuple[str, tuple[Any, ...]]] = []

    def _noted(self, name: str, *arguments: Any) -> None:
        getattr(self.driver, name)(*arguments)
        self.calls.append((name, arguments))

    def copy(self, target: int, source: int, size: int) -> None:
        self._noted("copy", target, source, size)

    def fill(self, address: int, value: int, size: int) -> None:
        self._noted("fill", address, value, size)

    def store(self, address: int, value: bytes) -> None:
        self._noted("store", address, value)

    def launch(self, kernel: Any, grid: int, block: int, arguments: Sequence[int]) -> None:
        self._noted("launch", kernel, grid, block, arguments)

    def has_products(self) -> bool:
        result: bool = self.driver.has_products()
        return result

    def multiply(self, product: Any) -> None:
        self._noted("multiply", product)

    def uploaded(self, address: int, number: int, array: np.ndarray) -> None:
        """Argument `number`, packed as `array`, has been copied to the device."""
        if array.nbytes:
            self.calls.append(("upload", (address, number, array)))


class Replay:
    """One recording.

    outputs: the call's, in order; on_device: whether each stays there; updates: (number of the shared variable, its new
    value); flags: (address, sites) of launches that may find an index out of range.
    """

    def __init__(
        self,
        device: Device,
        recorder: Recorder,
        pool: PrivatePool,
        outputs: Sequence[DeviceArray],
        on_device: Sequence[bool],
        updates: Sequence[tuple[int, DeviceArray]],
        flags: tuple[int, Sequence[int]],
    ) -> None:
        self.device, self.pool, self.outputs, self.on_device = device, pool, outputs, on_device
        self.updates, self.flags = updates, flags
        self.graph: Any = None
        self.staged: list[tuple[int, Bytes, np.ndarray]] = []  # argument, pinned memory, its part as an array
        self.calls: list[tuple[Callable[..., None], tuple[Any, ...]]] = []
        for name, arguments in recorder.calls:
            if name == "upload":
                address, number, array = arguments
                whole = device.pinned(array.nbytes)
                room = whole[: array.nbytes]
                self.staged.append((number, whole, room.view(array.dtype).reshape(array.shape)))
                arguments = address, room
            self.calls.append((getattr(device.driver, name), arguments))

    def run(
        self, args: Sequence[Any], storages: Sequence[DeviceStorage], fail: Callable[[int], Exception]
    ) -> list[Any]:
        """The outputs of a call with these arguments, of the shapes and at the addresses that were recorded."""
        for number, _, room in self.staged:
            np.copyto(room, args[number])
        driver: Any = self.device.driver
        if hasattr(driver, "has_graphs") and driver.has_graphs():
            self._launch_graph()
        else:
            for call, arguments in self.calls:
                call(*arguments)
        outputs: list[Any] = [self._output(o, stays) for o, stays in zip(self.outputs, self.on_device, strict=False)]
        address, sites = self.flags
        if sites:
            words = self.device.download(address, (len(sites),), np.int64)
            bad = [site for site, word in zip(sites, words, strict=True) if word]
            if bad:
                raise fail(bad[0])
        self.device.synchronize()
        commit([(storages[k], array) for k, array in self.updates])
        return outputs

    def _output(self, array: DeviceArray, stays: bool) -> Any:
        return array.copy() if stays else self.device.download(array.address, array.shape, array.dtype)

    def _launch_graph(self) -> None:
        driver: Any = self.device.driver
        if self.graph is None:
            driver.begin_capture()
            try:
                for call, arguments in self.calls:
                    call(*arguments)
            except DeviceError:
                driver.abandon_capture()
                raise
            self.graph = driver.end_capture()
        driver.launch_graph(self.graph)

    def __del__(self) -> None:
        if sys is None or sys.is_finalizing():  # the driver ends with the process
            return
        for _, whole, _ in self.staged:
            self.device.unpinned(whole)
        if self.graph is not None:
            self.device.retired.append(("free_graph", self.graph))
