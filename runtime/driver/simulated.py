"""The simulator as a device: its memory is the host's, poisoned and guarded; kernels run as fibres.

For tests and for finding mistakes: every access through the driver is checked, and it is much slower than the CPU.
`order` is the order of threads (`simulator.ORDERS`): results must not depend on it.
"""

from __future__ import annotations

import ctypes
import os
import platform
import weakref
from bisect import bisect_right, insort
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tensordsl.base.errors import DeviceMemoryError, LaunchError, MissingDriverLibraryError
from tensordsl.runtime.driver.protocol import Bytes, DeviceInfo
from tensordsl.runtime.driver.simulator import CANARY_BYTES, CANARY_VALUE, ORDERS, POISON, SimulationError, Simulator

MEMORY_BYTES = 1 << 32


def _put(room: np.ndarray, value: Any) -> None:
    room[...] = value


class SimDriver:
    """A `driver.protocol.Driver` and `LanesDriver`."""

    name, language, stream = "sim", "llvm", 0

    def __init__(self, memory: int = MEMORY_BYTES, multiprocessors: int = 2) -> None:
        if platform.machine().lower() not in ("x86_64", "amd64") or os.name == "nt":
            raise MissingDriverLibraryError("The simulator's fibres are machine code of x86-64, but not for Windows.")
        self.info = DeviceInfo("simulator", (0, 0), multiprocessors, memory, 0)
        self.order = ORDERS[0]
        self._frames: dict[int, tuple[np.ndarray, int]] = {}  # address -> frame, size
        self._addresses: list[int] = []
        self._used = 0
        self._lent: dict[int, tuple[int, int]] = {}
        self.modules: set[int] = set()  # ids of those loaded
        self._lanes: list[
            deque[Callable[[], bool]]
        ] = []  # work between `fork` and `join`; each returns whether it is done
        self._lane = 0

    def hold(self) -> bool:
        return True

    def let_go(self) -> None:
        pass

    def alloc(self, size: int) -> int:
        if self._used + size > self.info.memory:
            raise DeviceMemoryError(f"The simulated device has no {size} bytes left.")
        try:
            frame = np.full(size + 3 * CANARY_BYTES, CANARY_VALUE, np.uint8)
        except MemoryError:
            raise DeviceMemoryError(f"The host has no {size} bytes left for the simulated device.") from None
        address = int(frame.ctypes.data) + CANARY_BYTES
        address += -address % CANARY_BYTES
        self._frames[address] = frame, size
        insort(self._addresses, address)
        self._used += size
        self.view(address, size)[:] = POISON
        return address

    def free(self, address: int) -> None:
        frame, size = self._frames[address]
        self._check_frame(address, frame, size)
        del self._frames[address]
        self._addresses.remove(address)
        self._used -= size

    def check(self) -> None:
        """SimulationError if a kernel wrote outside of a block."""
        for address, (frame, size) in self._frames.items():
            self._check_frame(address, frame, size)

    def _check_frame(self, address: int, frame: np.ndarray, size: int) -> None:
        first = address - int(frame.ctypes.data)
        if (frame[:first] != CANARY_VALUE).any() or (frame[first + size :] != CANARY_VALUE).any():
            raise SimulationError(f"a kernel wrote outside of a block of {size} bytes")

    def view(self, address: int, size: int) -> Bytes:
        """The bytes at an address, all of them in one block."""
        if any(first <= address and address + size <= end for first, end in self._lent.values()):
            return np.ctypeslib.as_array((ctypes.c_uint8 * size).from_address(address))
        k = bisect_right(self._addresses, address) - 1
        frame, room = self._frames[self._addresses[k]] if k >= 0 else (np.empty(0, np.uint8), -1)
        if k < 0 or address + size > self._addresses[k] + room:
            raise LaunchError(f"{size} bytes at {address:#x} are not in the simulated device's memory.")
        first = address - int(frame.ctypes.data)
        return frame[first : first + size]

    def lend(self, first: int, end: int, owner: Any) -> None:
        """Let the device use memory of the host, as long as `owner` lives."""
        self._lent[id(owner)] = first, end
        weakref.finalize(owner, self._lent.pop, id(owner), None)

    def pinned(self, size: int) -> Bytes:
        return np.empty(size, np.uint8)

    def upload(self, address: int, source: Bytes) -> None:
        self._do(lambda: _put(self.view(address, source.nbytes), source))

    def download(self, target: Bytes, address: int) -> None:
        target[:] = self.view(address, target.nbytes)

    def fetch(self, target: Bytes, address: int) -> None:
        self._do(lambda: _put(target, self.view(address, target.nbytes)))

    def copy(self, target: int, source: int, size: int) -> None:
        self._do(lambda: _put(self.view(target, size), self.view(source, size)))

    def fill(self, address: int, value: int, size: int) -> None:
        self._do(lambda: _put(self.view(address, size), value))

    def store(self, address: int, value: bytes) -> None:
        self._do(lambda: _put(self.view(address, len(value)), np.frombuffer(value, np.uint8)))

    def load(self, text: str) -> Simulator:
        module = Simulator(text)
        self.modules.add(id(module))
        return module

    def unload(self, module: Simulator) -> None:
        self.modules.remove(id(module))
        module.close()

    def kernel(self, module: Simulator, name: str) -> tuple[Simulator, str]:
        return module, name

    def launch(self, kernel: Any, grid: int, block: int, arguments: Sequence[int]) -> None:
        module, name = kernel
        if id(module) not in self.modules:
            raise LaunchError(f"the kernel {name} is of a module that was unloaded.")
        self._do(lambda: module.launch(name, grid, block, arguments, self.order))

    # -- lanes: `join` does their work, one lane until it waits, then the next that is ready
    def fork(self, lanes: int) -> None:
        self._lanes, self._lane = [deque() for _ in range(lanes)], 0

    def enter(self, lane: int) -> None:
        self._lane = lane

    def signal(self) -> list[bool]:
        event: list[bool] = []
        self._do(lambda: event.append(True))
        return event

    def wait(self, event: list[bool]) -> None:
        self._lanes[self._lane].append(lambda: bool(event))

    def join(self) -> None:
        lanes, self._lanes = self._lanes, []
        rng = np.random.default_rng(len(lanes))
        while any(lanes):
            order = {"forward": range(len(lanes)), "shuffled": rng.permutation(len(lanes))}
            before = sum(map(len, lanes))
            for k in order.get(self.order, range(len(lanes) - 1, -1, -1)):
                while lanes[k] and lanes[k][0]():
                    lanes[k].popleft()
            if sum(map(len, lanes)) == before:
                raise SimulationError("lanes wait for events that never come")

    def leave(self) -> None:
        self._lanes, self._lane = [], 0

    def _do(self, work: Callable[[], Any]) -> None:
        """Run the work now, or in a lane."""
        if not self._lanes:
            work()
            return

        def done() -> bool:
            work()
            return True

        self._lanes[self._lane].append(done)

    def has_products(self) -> bool:
        return False

    def multiply(self, product: Any) -> None:
        raise NotImplementedError("the simulator has no library of matrix products")

    def synchronize(self) -> None:
        pass

    def wait_for(self, stream: int) -> None:
        pass

    def memory(self) -> tuple[int, int]:
        return self.info.memory - self._used, self.info.memory
