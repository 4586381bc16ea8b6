"""The driver of NVIDIA GPUs through pycuda, the default.

Uses the device's primary context, which cupy, torch and jax share; it is current only during calls of the driver, or
of a function.  Ref: documen.tician.de/pycuda.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from tensordsl.base.errors import (
    DeviceError,
    DeviceLostError,
    DeviceMemoryError,
    DriverVersionError,
    LaunchError,
    MissingDriverLibraryError,
    MissingDriverPackageError,
    NoDeviceError,
)
from tensordsl.runtime.driver.cublas import WithCublas
from tensordsl.runtime.driver.cuda_library import GRAPHS, NON_BLOCKING, Calls, WithContext, WithGraphs, load_library
from tensordsl.runtime.driver.protocol import Bytes, DeviceInfo

# Error by the driver's message: pycuda's exceptions have no codes.
WORDS: tuple[tuple[str, type[DeviceError]], ...] = (
    ("out of memory", DeviceMemoryError),
    ("unsupported toolchain", DriverVersionError), ("no kernel image", DriverVersionError),
    ("insufficient", DriverVersionError), ("unsupported ptx", DriverVersionError),
    ("no cuda-capable device", NoDeviceError), ("invalid device", NoDeviceError), ("not initialized", NoDeviceError),
    ("illegal", DeviceLostError), ("unspecified launch failure", DeviceLostError), ("launch failed", DeviceLostError),
    ("misaligned", DeviceLostError), ("launch timed out", DeviceLostError), ("deinitialized", DeviceLostError),
    ("context is destroyed", DeviceLostError), ("unknown error", DeviceLostError), ("uncorrectable", DeviceLostError),
    ("busy or unavailable", DeviceLostError),
)  # fmt: skip


def load_pycuda() -> Any:
    """The module `pycuda.driver`.  Raises MissingDriverPackageError, MissingDriverLibraryError."""
    try:
        import pycuda.driver as cuda  # type: ignore[import-not-found,import-untyped,unused-ignore]  # an extra
    except ModuleNotFoundError as error:
        raise MissingDriverPackageError(f"pycuda is not installed ({error}).") from error
    except ImportError as error:
        if "libcuda" in str(error):
            raise MissingDriverLibraryError(f"pycuda finds no driver of NVIDIA ({error}).") from error
        if "undefined symbol: cu" in str(error):
            raise DriverVersionError(f"pycuda was built for a newer CUDA than the driver's ({error}).") from error
        raise MissingDriverPackageError(f"pycuda was built for another machine ({error}).") from error
    return cuda


class _Module:
    """A module with its kernels: pycuda unloads it with the last reference."""

    def __init__(self, module: Any) -> None:
        self.module = module
        self.kernels: list[_Kernel] = []

    def clear(self) -> None:
        for kernel in self.kernels:
            kernel.function = None
        self.module, self.kernels = None, []


class _Kernel:
    __slots__ = ("function", "is_prepared")

    def __init__(self, function: Any) -> None:
        self.function, self.is_prepared = function, False


class PycudaDriver(WithContext, WithGraphs, WithCublas):
    """A `driver.protocol.CapturingDriver`; CUDA graphs are called in NVIDIA's library, as pycuda has none.

    `cuda`, `library`: instead of `pycuda.driver` and the machine's, for tests.
    """

    language = "ptx"

    def __init__(self, ordinal: int = 0, cuda: Any = None, library: Any = None) -> None:
        self.name = f"cuda{ordinal}"
        self._cuda = load_pycuda() if cuda is None else cuda
        super().__init__()
        self.calls = Calls(load_library() if library is None else library, GRAPHS)
        self._error = self._cuda.Error
        self._checked(self._cuda.init)
        count = self._checked(self._cuda.Device.count)
        if ordinal >= count:
            raise NoDeviceError(f"There is no {self.name}: the driver sees {count} devices.")
        device = self._checked(self._cuda.Device, ordinal)
        self._context = self._checked(device.retain_primary_context)
        self.info = DeviceInfo(
            device.name(), tuple(device.compute_capability()), device.get_attribute(
                self._cuda.device_attribute.MULTIPROCESSOR_COUNT
            ), device.total_memory(), self._cuda.get_driver_version(),
        )  # fmt: skip
        self._streams: dict[int, Any] = {}  # pycuda's objects by their handles: it makes none of a handle
        self.stream = self.new_stream()
        self.use_stream(self.stream)
        self._blocks: dict[int, Any] = {}

    def _checked(self, call: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return call(*arguments)
        except self._error as error:
            raise self._translated(error) from error

    def _translated(self, error: Exception) -> DeviceError:
        text = str(error).rstrip(".") + "."
        if isinstance(error, self._cuda.MemoryError):
            return DeviceMemoryError(text)
        if isinstance(error, self._cuda.LaunchError):
            return DeviceLostError(text)
        return next((kind for words, kind in WORDS if words in text.lower()), LaunchError)(text)

    def _run(self, call: Callable[..., Any], *arguments: Any) -> Any:
        return self.within(self._checked, call, *arguments)

    def _push(self) -> None:
        self._checked(self._context.push)

    def _pop(self) -> None:
        with suppress(self._error):  # not instead of the call's own error
            self._cuda.Context.pop()

    def new_stream(self) -> int:
        stream = self._run(self._cuda.Stream, NON_BLOCKING)
        self._streams[int(stream.handle)] = stream
        return int(stream.handle)

    def use_stream(self, stream: int) -> None:
        self._used = self._streams[stream]

    # -- memory
    def alloc(self, size: int) -> int:
        block = self._run(self._cuda.mem_alloc, size)
        self._blocks[int(block)] = block
        return int(block)

    def free(self, address: int) -> None:
        self._run(self._blocks.pop(address).free)

    def pinned(self, size: int) -> Bytes:
        import numpy as np

        result: Bytes = self._run(self._cuda.pagelocked_empty, size, np.uint8)
        return result

    def upload(self, address: int, source: Bytes) -> None:
        self._run(self._cuda.memcpy_htod_async, address, source, self._used)

    def fetch(self, target: Bytes, address: int) -> None:
        self._run(self._cuda.memcpy_dtoh_async, target, address, self._used)

    def download(self, target: Bytes, address: int) -> None:
        self.fetch(target, address)
        self.synchronize()

    def copy(self, target: int, source: int, size: int) -> None:
        self._run(self._cuda.memcpy_dtod_async, target, source, size, self._used)

    def fill(self, address: int, value: int, size: int) -> None:
        self._run(self._cuda.memset_d8_async, address, value, size, self._used)

    def store(self, address: int, value: bytes) -> None:
        name = {1: "memset_d8_async", 2: "memset_d16_async"}.get(len(value), "memset_d32_async")
        for k in range(0, len(value), 4):
            word = int.from_bytes(value[k : k + 4], "little")
            self._run(getattr(self._cuda, name), address + k, word, 1, self._used)

    def memory(self) -> tuple[int, int]:
        free, total = self._run(self._cuda.mem_get_info)
        return int(free), int(total)

    # -- kernels
    def load(self, text: str) -> _Module:  # pycuda's error has the assembler's log
        return _Module(self._run(self._cuda.module_from_buffer, text.encode() + b"\0"))

    def unload(self, module: _Module) -> None:
        self._run(module.clear)

    def kernel(self, module: _Module, name: str) -> _Kernel:
        module.kernels.append(_Kernel(self._run(module.module.get_function, name)))
        return module.kernels[-1]

    def launch(self, kernel: _Kernel, grid: int, block: int, arguments: Sequence[int]) -> None:
        # "q": pointers and i64 alike are 8 bytes, and strides may be negative
        if not kernel.is_prepared:
            self._run(kernel.function.prepare, "q" * len(arguments))
            kernel.is_prepared = True
        self._run(kernel.function.prepared_async_call, (grid, 1), (block, 1, 1), self._used, *arguments)

    def synchronize(self) -> None:
        self._run(self._streams[self.stream].synchronize)

    def wait_for(self, stream: int) -> None:
        self._run(self._cuda.Context.synchronize)  # pycuda makes no stream of a handle
