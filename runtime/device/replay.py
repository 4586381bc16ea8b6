"""Recording and replay of a device call: the driver's calls of an earlier one, repeated without the program.

Applies where work depends on shapes and addresses alone (no number that the device computed is read, no host step):
the second such call is recorded with storage of its own, later ones repeat it, as one CUDA graph where the driver has
them.  Variables alternate with their spare storage, outputs left on the device with those of a second recording.
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
from tensordsl.runtime.device.device import MAX_STAGED_BYTES, Device
from tensordsl.runtime.device.pool import Block, Pool
from tensordsl.runtime.device.state import DeviceStorage, commit
from tensordsl.runtime.device.streams import Call, placed, start
from tensordsl.runtime.driver.protocol import Bytes
from tensordsl.runtime.interpreter.runner import COMPARE
from tensordsl.runtime.loading.layout import peek

MAX_RECORDINGS, MAX_CANDIDATES = 8, 64  # of a program: recordings, and calls seen once
MAX_LENDING = 2  # recordings of equal calls that hand out their outputs; another one's outputs are copied
MAX_CALLS = 5000  # of the driver in a recording
MAX_ARGUMENT_BYTES = 1 << 26  # of the host's arguments in a recording, in pinned memory


class Condition(NamedTuple):
    """A condition of a call's commit: `op` between a word of the device and `limit`; else the error of `kind` at
    `site`."""

    op: str
    limit: int
    site: int
    kind: int  # codegen.abi.layouts ERR_*


def first_failed(words: Any, conditions: Sequence[Condition]) -> tuple[int, int, tuple[int, ...]] | None:
    """(kind, site, numbers) of the first condition that does not hold."""
    for word, c in zip(words, conditions, strict=True):
        if not COMPARE[c.op](int(word), c.limit):
            return c.kind, c.site, () if c.kind == layouts.ERR_INDEX else (int(word), c.limit)
    return None


class PrivatePool(Pool):
    """Memory of the recordings of one program, which never run at the same time: blocks return to it, and to the
    device's pool when it is finalised."""

    def __init__(self, parent: Pool) -> None:
        super().__init__(parent.driver)
        self.parent = parent
        self.blocks: list[Block] = []
        self.taken: set[int] = set()  # addresses of blocks taken

    def take(self, size: int) -> Block:
        block = super().take(size)
        self.taken.add(block.address)
        return block

    def _allocate(self, room: int) -> int:
        self.blocks.append(self.parent.take(room))
        return self.blocks[-1].address


class Recorder:
    """A driver that records the calls that it passes on.

    start_of(address): the address of the storage that contains it.  `scope`: storages that launches and products may
    read, and those that they may write, at present.
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

    def fits_recording(self) -> bool:
        """Whether the calls are few and the arguments small enough to be kept."""
        uploads = sum(call.arguments[2].nbytes for call in self.calls if call.name == "upload")
        return len(self.calls) <= MAX_CALLS and uploads <= MAX_ARGUMENT_BYTES

    def uploaded(self, address: int, number: int, array: np.ndarray) -> None:
        """Argument `number`, packed as `array`, has been copied to the device."""
        if array.nbytes:
            self._note("upload", (address, number, array), (), [address])


class Replay:
    """One recording.

    outputs: the call's, in order; on_device: whether each stays there; updates: (number of the shared variable, its new
    value); flags: (address of their words, conditions), tested before the commit; lends: whether outputs that stay are
    handed out, not copied.
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
        self.staged: list[tuple[int, Bytes, np.ndarray]] = []  # argument, pinned memory, as an array
        self.fetched: list[tuple[int, Bytes, np.ndarray]] = []  # output (after the outputs: the words), and the same
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
            if 0 < size <= MAX_STAGED_BYTES and (k == len(outputs) or not on_device[k]):
                reads = said if k == len(outputs) else frozenset([recorder.start_of(address)])
                arguments = self._pinned(self.fetched, k, shape, dtype), address
                self.calls.append(Call("fetch", arguments, reads, frozenset()))
        self.places = placed(self.calls[1:])

    def _pinned(self, kept: list[tuple[int, Bytes, np.ndarray]], number: int, shape: Any, dtype: Any) -> Bytes:
        """Bytes of pinned memory, which are kept as an array of this shape."""
        size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
        pinned = self.device.pinned(size)
        kept.append((number, pinned, pinned[:size].view(dtype).reshape(shape)))
        return pinned[:size]

    def is_lent(self, number: int) -> bool:
        """Whether an output is handed out as it is."""
        return id(self.outputs[number]) in self._lent

    def is_free(self) -> bool:
        """Whether the recording has the only reference to each output that was handed out."""
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
        fetched = {k: room.copy() for k, _, room in self.fetched}
        words = fetched.pop(len(self.outputs), ())
        failed_condition = first_failed(words, self.flags[1])
        if failed_condition:
            raise fail(*failed_condition)
        outputs = [
            staying[k]
            if k in staying
            else fetched[k]
            if k in fetched
            else self.device.download(o.address, o.shape, o.dtype)
            for k, o in enumerate(self.outputs)
        ]
        commit([(storages[k], array) for k, array in self.updates])
        return outputs

    def start(self) -> None:
        """Start the calls in lanes; the first one, which clears the words of the conditions, precedes all others."""
        first, *rest = self.calls
        getattr(self.device.driver, first.name)(*first.arguments)
        start(self.device.driver, rest, self.places)

    def capture(self) -> None:
        """Capture a graph, where the driver has them."""
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
        for _, pinned, _ in (*self.staged, *self.fetched):
            self.device.unpinned(pinned)
        if self.graph is not None:
            self.device.retire("free_graph", self.graph)
