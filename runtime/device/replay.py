"""Calls that are the same again: the driver's calls of an earlier one, repeated without looking at the program.

A call whose work depends on lengths and places alone (it reads no number that the device computed, and has no host
step) makes the same calls of the driver whenever shapes and addresses are the same.  The second such call is recorded:
its storage is then kept, arguments go through staging memory of its own, and the next one only repeats it.  A driver
that can make one launch of many (CUDA graphs) is given the whole sequence.

The new values of shared variables are written to their spare storage, so that two recordings take turns.  So do two
that leave outputs on the device: an output is handed out as it is, and its recording rests until nobody holds it any
more.  Where both are held, a third one's outputs are copied.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from tensordsl.base.errors import DeviceError
from tensordsl.codegen.abi import layouts
from tensordsl.runtime.device.array import DeviceArray
from tensordsl.runtime.device.device import STAGED, Device
from tensordsl.runtime.device.pool import Block, Pool
from tensordsl.runtime.device.state import DeviceStorage, commit
from tensordsl.runtime.device.streams import Call, placed, start
from tensordsl.runtime.driver.protocol import Bytes
from tensordsl.runtime.interpreter.runner import COMPARE
from tensordsl.runtime.loading.layout import peek

KEPT, SEEN = 8, 64  # places and lengths that a program has recordings of, and calls that may become one
LENDERS = 2  # recordings of a call that hand out their outputs
LONGEST = 5000  # calls of the driver in one
LARGEST = 1 << 26  # bytes of the host's arguments in one: they get pinned memory of their own


class Condition(NamedTuple):
    """What must hold for a call to be committed: `op` between a word of the device and `limit`; else there is an error
    of `kind` at `site`."""

    op: str
    limit: int
    site: int
    kind: int  # codegen.abi.layouts ERR_*


def first_broken(words: Any, conditions: Sequence[Condition]) -> tuple[int, int, tuple[int, ...]] | None:
    """(kind, site, numbers) of the first condition that does not hold."""
    for word, c in zip(words, conditions, strict=True):
        if not COMPARE[c.op](int(word), c.limit):
            return c.kind, c.site, () if c.kind == layouts.ERR_INDEX else (int(word), c.limit)
    return None


class PrivatePool(Pool):
    """Memory that belongs to the recordings of one program, which never run at the same time: blocks go back to it, and
    to the device's pool when it is gone."""

    def __init__(self, parent: Pool) -> None:
        super().__init__(parent.driver)
        self.parent = parent
        self.blocks: list[Block] = []
        self.taken: set[int] = set()  # gets the addresses of what is taken

    def take(self, size: int) -> Block:
        block = super().take(size)
        self.taken.add(block.address)
        return block

    def _allocate(self, room: int) -> int:
        self.blocks.append(self.parent.take(room))
        return self.blocks[-1].address


class Recorder:
    """A driver that notes what it is asked to do.

    start_of(address): where the storage begins that it lies in.  `scope`: what launches and products may read, and what
    they may write, for now.
    """

    def __init__(self, driver: Any, start_of: Callable[[int], int]) -> None:
        self.driver, self.info, self.start_of = driver, driver.info, start_of
        self.calls: list[Call] = []
        self.scope: tuple[set[int], set[int]] = set(), set()

    def _noted(self, name: str, *arguments: Any, reads: Iterable[int] = (), writes: Iterable[int] = ()) -> None:
        getattr(self.driver, name)(*arguments)
        self._note(name, arguments, reads, writes)

    def _note(self, name: str, arguments: tuple[Any, ...], reads: Iterable[int], writes: Iterable[int]) -> None:
        starts = [frozenset(map(self.start_of, some)) for some in (reads, writes)]
        self.calls.append(Call(name, arguments, *starts))

    def copy(self, target: int, source: int, size: int) -> None:
        self._noted("copy", target, source, size, reads=[source], writes=[target])

    def fill(self, address: int, value: int, size: int) -> None:
        self._noted("fill", address, value, size, writes=[address])

    def store(self, address: int, value: bytes) -> None:
        self._noted("store", address, value, writes=[address])

    def launch(self, kernel: Any, grid: int, block: int, arguments: Sequence[int]) -> None:
        reads, writes = self.scope
        self._noted("launch", kernel, grid, block, arguments, reads=reads, writes=writes)

    def has_products(self) -> bool:
        result: bool = self.driver.has_products()
        return result

    def multiply(self, product: Any) -> None:
        reads, writes = self.scope
        self._noted("multiply", product, reads=reads, writes=writes)

    def is_short(self) -> bool:
        """Whether it is worth to be kept."""
        uploads = sum(call.arguments[2].nbytes for call in self.calls if call.name == "upload")
        return len(self.calls) <= LONGEST and uploads <= LARGEST

    def uploaded(self, address: int, number: int, array: np.ndarray) -> None:
        """Argument `number`, packed as `array`, has been copied to the device."""
        if array.nbytes:
            self._note("upload", (address, number, array), (), [address])


class Replay:
    """One recording.

    outputs: the call's, in order; on_device: whether each stays there; updates: (number of the shared variable, its new
    value); flags: (address of their words, conditions) to be looked at before anything is committed; lends: whether
    outputs that stay are handed out, not copied.
    """

    def __init__(
        self,
        device: Device,
        recorder: Recorder,
        pool: PrivatePool,
        outputs: Sequence[DeviceArray],
        on_device: Sequence[bool],
        updates: Sequence[tuple[int, DeviceArray]],
        flags: tuple[int, Sequence[Condition]],
        lends: bool = False,
    ) -> None:
        self.device, self.pool, self.outputs, self.on_device = device, pool, outputs, on_device
        self.updates, self.flags = updates, flags
        staying = [id(o) for k, o in enumerate(outputs) if on_device[k]]
        is_single = len({*staying, *(id(array) for _, array in updates)}) == len(staying) + len(updates)
        self._lent = staying if lends and is_single else []
        self.graph: Any = None
        self.staged: list[tuple[int, Bytes, np.ndarray]] = []  # argument, pinned memory, its part as an array
        self.fetched: list[tuple[int, Bytes, np.ndarray]] = []  # output (behind them the words), and the same
        self.calls: list[Call] = []
        for call in recorder.calls:
            if call.name == "upload":
                address, number, array = call.arguments
                call = replace(call, arguments=(address, self._pinned(self.staged, number, array.shape, array.dtype)))
            self.calls.append(call)
        address, conditions = flags
        said = frozenset(address + 8 * k for k in range(len(conditions)))
        words = address, (len(conditions),), np.dtype(np.int64)
        for k, (address, shape, dtype) in enumerate([*((o.address, o.shape, o.dtype) for o in outputs), words]):
            size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
            if 0 < size <= STAGED and (k == len(outputs) or not on_device[k]):
                reads = said if k == len(outputs) else frozenset([recorder.start_of(address)])
                arguments = self._pinned(self.fetched, k, shape, dtype), address
                self.calls.append(Call("fetch", arguments, reads, frozenset()))
        self.places = placed(self.calls[1:])

    def _pinned(self, kept: list[tuple[int, Bytes, np.ndarray]], number: int, shape: Any, dtype: Any) -> Bytes:
        """Bytes of pinned memory, which are kept as an array of this shape."""
        size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
        whole = self.device.pinned(size)
        kept.append((number, whole, whole[:size].view(dtype).reshape(shape)))
        return whole[:size]

    def is_lent(self, number: int) -> bool:
        """Whether an output is handed out as it is."""
        return id(self.outputs[number]) in self._lent

    def is_free(self) -> bool:
        """Whether nobody holds an output that was handed out: the recording's own is the only reference."""
        weak = DeviceArray.__weakrefoffset__
        return all(peek(o + layouts.OB_REFCNT, ctypes.c_int32) == 1 and not peek(o + weak) for o in self._lent)

    def left(self, number: int) -> DeviceArray:
        """An output that stays on the device, for the caller."""
        output = self.outputs[number]
        return output if self.is_lent(number) else output.copy()

    def run(self, args: Sequence[Any], storages: Sequence[DeviceStorage], fail: Callable[..., Exception]) -> list[Any]:
        """The outputs of a call with these arguments, of the shapes and at the addresses that were recorded."""
        for number, _, room in self.staged:
            np.copyto(room, args[number])
        driver: Any = self.device.driver
        if not hasattr(driver, "has_graphs"):
            self.start()
        elif driver.has_graphs():
            self.capture()
            driver.launch_graph(self.graph)
        else:
            for call in self.calls:
                getattr(driver, call.name)(*call.arguments)
        staying = {k: self.left(k) for k in range(len(self.outputs)) if self.on_device[k]}
        self.device.synchronize()
        home = {k: room.copy() for k, _, room in self.fetched}
        words = home.pop(len(self.outputs), ())
        broken = first_broken(words, self.flags[1])
        if broken:
            raise fail(*broken)
        outputs = [
            staying[k] if k in staying else home[k] if k in home else self.device.download(o.address, o.shape, o.dtype)
            for k, o in enumerate(self.outputs)
        ]
        commit([(storages[k], array) for k, array in self.updates])
        return outputs

    def start(self) -> None:
        """The calls in lanes; the first one, which clears the words of the conditions, comes before all others."""
        first, *rest = self.calls
        getattr(self.device.driver, first.name)(*first.arguments)
        start(self.device.driver, rest, self.places)

    def capture(self) -> None:
        """Have a graph, where the driver has them."""
        driver: Any = self.device.driver
        if self.graph is not None or not hasattr(driver, "has_graphs") or not driver.has_graphs():
            return
        driver.begin_capture()
        try:
            self.start()
        except DeviceError:
            driver.abandon_capture()
            raise
        self.graph = driver.end_capture()

    def __del__(self) -> None:
        if sys is None or sys.is_finalizing():  # the driver ends with the process
            return
        for _, whole, _ in (*self.staged, *self.fetched):
            self.device.unpinned(whole)
        if self.graph is not None:
            self.device.retire("free_graph", self.graph)
