"""The protocol of devices: memory, copies, modules, launches, and optionally lanes and graphs.

All work goes to one stream in order.  `upload`, `fetch`, `copy`, `fill`, `store` and `launch` may return before it is
done; `download` and `synchronize` return when everything before them is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from tensordsl.base.errors import (
    DeviceError,
    DeviceLostError,
    DeviceMemoryError,
    DriverVersionError,
    LaunchError,
    MissingDriverLibraryError,
    NoDeviceError,
)
from tensordsl.base.records import record

Bytes = np.ndarray  # of uint8, C-contiguous


@record
class DeviceInfo:
    """name: the card's; capability: its compute capability, (9, 0) for sm_90; memory: bytes; version: of CUDA that the
    driver supports, 12040 for 12.4."""

    name: str
    capability: tuple[int, int]
    multiprocessors: int
    memory: int
    version: int


class Driver(Protocol):
    """One device.  Addresses are integers; sizes are bytes.  Raises the subclasses of `errors.DeviceError`.

    `name` is cuda0, cuda1, ... or sim; `language` says what `load` takes: "ptx" or "llvm".
    """

    name: str
    language: str
    info: DeviceInfo
    stream: int  # handle, for other libraries; 0: none

    def hold(self) -> bool:
        """Prepare for many calls of this thread, which has the device's lock; False if it holds the driver already.
        Other libraries may find another current device in this thread until `let_go`."""

    def let_go(self) -> None:
        """End what `hold` began; does nothing if the thread does not hold the driver."""

    def alloc(self, size: int) -> int:
        """A block of memory at a multiple of 256.  DeviceMemoryError if there is none."""

    def free(self, address: int) -> None:
        """Free a block, which nothing in the stream uses any more."""

    def pinned(self, size: int) -> Bytes:
        """Page-locked host memory, from which uploads need not wait."""

    def upload(self, address: int, source: Bytes) -> None:
        """Copy to the device; `source` must not change until the stream has done it."""

    def download(self, target: Bytes, address: int) -> None:
        """Copy from the device, and wait."""

    def fetch(self, target: Bytes, address: int) -> None:
        """Copy from the device to memory of `pinned`, which is valid when the stream has done it."""

    def copy(self, target: int, source: int, size: int) -> None:
        """Copy within the device."""

    def fill(self, address: int, value: int, size: int) -> None:
        """Set `size` bytes to `value`."""

    def store(self, address: int, value: bytes) -> None:
        """Write 1, 2, 4 or 8 bytes."""

    def load(self, text: str) -> Any:
        """The module of a text.  DriverVersionError if the driver does not know its version."""

    def unload(self, module: Any) -> None:
        """Unload a module, whose kernels nobody uses any more."""

    def kernel(self, module: Any, name: str) -> Any:
        """A kernel of a module."""

    def launch(self, kernel: Any, grid: int, block: int, arguments: Sequence[int]) -> None:
        """Start a kernel; each argument is a pointer or an i64."""

    def has_products(self) -> bool:
        """Whether a library of matrix products is installed, and `config` allows it."""

    def multiply(self, product: Any) -> None:
        """Start a product (`cublas.Product`) by that library."""

    def synchronize(self) -> None:
        """Wait for the stream.  LaunchError or DeviceLostError for what went wrong in it."""

    def wait_for(self, stream: int) -> None:
        """Wait for another library's work in a stream of its own."""

    def memory(self) -> tuple[int, int]:
        """(free, all) bytes of the device."""


class LanesDriver(Driver, Protocol):
    """A driver with concurrent lanes (streams) between `fork` and `join`."""

    def fork(self, lanes: int) -> None:
        """From now on calls go to lanes, which begin when all work before is done; lane 0 is the stream."""

    def enter(self, lane: int) -> None:
        """The lane of the next calls."""

    def signal(self) -> Any:
        """An event that fires when the lane's work so far is done."""

    def wait(self, event: Any) -> None:
        """The lane's later work waits for an event."""

    def join(self) -> None:
        """The stream's later work waits for all lanes."""

    def leave(self) -> None:
        """After an error behind `fork`: calls go to the stream again."""


class CapturingDriver(LanesDriver, Protocol):
    """A driver that makes one launch of a sequence of calls (CUDA graphs).

    `calls` has the addresses of the functions of `codegen.abi.layouts.DRIVER_CALLS`, with which native code launches
    one.
    """

    calls: Any

    def has_graphs(self) -> bool:
        """Whether this version of the driver has them."""

    def context(self) -> int:
        """The handle of the context that those functions need to be current."""

    def begin_capture(self) -> None:
        """What follows is recorded, not done."""

    def end_capture(self) -> Any:
        """The graph of what was recorded."""

    def abandon_capture(self) -> None:
        """Leave the recording, after an error in it."""

    def launch_graph(self, graph: Any) -> None:
        """Start all of it."""

    def free_graph(self, graph: Any) -> None:
        """Give a graph back."""


# -- errors ----------------------------------------------------------------------------------------------------------
# CUresult (CUDA driver API) -> exception; all others are LaunchError.
ERROR_OF: dict[int, type[DeviceError]] = {
    2: DeviceMemoryError, **dict.fromkeys((3, 100, 101), NoDeviceError),
    **dict.fromkeys((34, 221), MissingDriverLibraryError),
    **dict.fromkeys((36, 209, 222, 803, 804), DriverVersionError),
    **dict.fromkeys((4, 46, 214, 700, 702, 709, 710, 714, 715, 716, 717, 718, 719, 999), DeviceLostError),
}  # fmt: skip


def error_of(code: int, what: str) -> DeviceError:
    """The exception for a CUresult; `what`: what was tried, and the driver's message."""
    return ERROR_OF.get(code, LaunchError)(f"{what} (CUresult {code}).")
