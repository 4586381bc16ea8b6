"""The driver of NVIDIA GPUs by ctypes: no package is needed.

Uses the device's primary context, which cupy, torch and jax share.
Ref: CUDA driver API, docs.nvidia.com/cuda/cuda-driver-api.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from tensordsl.base.errors import NoDeviceError
from tensordsl.runtime.driver.cublas import WithCublas
from tensordsl.runtime.driver.cuda_library import FUNCTIONS, NON_BLOCKING, Calls, WithContext, WithGraphs, load_library
from tensordsl.runtime.driver.protocol import Bytes, DeviceInfo

MAJOR, MINOR, MULTIPROCESSORS = 75, 76, 16  # CUdevice_attribute
ERROR_LOG, ERROR_LOG_SIZE, LOG_BYTES = 5, 6, 8192  # CUjit_option; of the log

_i, _p, _n = ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t


class CtypesDriver(WithContext, WithGraphs, WithCublas):
    """A `driver.protocol.CapturingDriver`.  `library`: instead of the machine's, for tests."""

    language = "ptx"

    def __init__(self, ordinal: int = 0, library: Any = None) -> None:
        self.name = f"cuda{ordinal}"
        super().__init__()
        self.calls = Calls(load_library() if library is None else library, FUNCTIONS)
        self.calls.do("cuInit", 0)
        count = self._number("cuDeviceGetCount")
        if ordinal >= count:
            raise NoDeviceError(f"There is no {self.name}: the driver sees {count} devices.")
        self._device = self._number("cuDeviceGet", ordinal)
        self._context = self._pointer("cuDevicePrimaryCtxRetain", self._device)
        self.info = self._info()
        self.stream = self._used = self.new_stream()

    def _info(self) -> DeviceInfo:
        name, device = ctypes.create_string_buffer(256), self._device
        self.calls.do("cuDeviceGetName", ctypes.addressof(name), 256, device)
        total = _n()
        self.calls.do("cuDeviceTotalMem_v2", ctypes.addressof(total), device)
        major, minor, processors = (
            self._number("cuDeviceGetAttribute", k, device) for k in (MAJOR, MINOR, MULTIPROCESSORS)
        )
        version = self._number("cuDriverGetVersion")
        return DeviceInfo(name.value.decode(), (major, minor), processors, total.value, version)

    # -- calls
    def _number(self, name: str, *arguments: Any) -> int:
        """The integer that a function stores to its first parameter."""
        result = _i()
        self.calls.do(name, ctypes.addressof(result), *arguments)
        return result.value

    def _pointer(self, name: str, *arguments: Any) -> int:
        result = ctypes.c_uint64()
        if name in ("cuDevicePrimaryCtxRetain",):
            self.calls.do(name, ctypes.addressof(result), *arguments)
        else:
            self._run(name, ctypes.addressof(result), *arguments)
        return result.value

    def _run(self, name: str, *arguments: Any, note: str = "") -> None:
        self.within(partial(self.calls.do, note=note), name, *arguments)

    def _push(self) -> None:
        self.calls.do("cuCtxPushCurrent_v2", self._context)

    def _pop(self) -> None:
        old = ctypes.c_uint64()
        self.calls.code("cuCtxPopCurrent_v2", ctypes.addressof(old))  # not instead of the call's own error

    def new_stream(self) -> int:
        return self._pointer("cuStreamCreate", NON_BLOCKING)

    def use_stream(self, stream: int) -> None:
        self._used = stream

    # -- memory
    def alloc(self, size: int) -> int:
        return self._pointer("cuMemAlloc_v2", size)

    def free(self, address: int) -> None:
        self._run("cuMemFree_v2", address)

    def pinned(self, size: int) -> Bytes:
        address = self._pointer("cuMemAllocHost_v2", size)  # kept for the process's life: staging memory is reused
        result: Bytes = np.ctypeslib.as_array((ctypes.c_uint8 * size).from_address(address))
        return result

    def upload(self, address: int, source: Bytes) -> None:
        self._run("cuMemcpyHtoDAsync_v2", address, source.ctypes.data, source.nbytes, self._used)

    def fetch(self, target: Bytes, address: int) -> None:
        self._run("cuMemcpyDtoHAsync_v2", target.ctypes.data, address, target.nbytes, self._used)

    def download(self, target: Bytes, address: int) -> None:
        self.fetch(target, address)
        self.synchronize()

    def copy(self, target: int, source: int, size: int) -> None:
        self._run("cuMemcpyDtoDAsync_v2", target, source, size, self._used)

    def fill(self, address: int, value: int, size: int) -> None:
        self._run("cuMemsetD8Async", address, value, size, self._used)

    def store(self, address: int, value: bytes) -> None:
        name = {1: "cuMemsetD8Async", 2: "cuMemsetD16Async"}.get(len(value), "cuMemsetD32Async")
        for k in range(0, len(value), 4):
            self._run(name, address + k, int.from_bytes(value[k : k + 4], "little"), 1, self._used)

    def memory(self) -> tuple[int, int]:
        free, total = _n(), _n()
        self._run("cuMemGetInfo_v2", ctypes.addressof(free), ctypes.addressof(total))
        return free.value, total.value

    # -- kernels
    def load(self, text: str) -> int:
        code, log = text.encode() + b"\0", ctypes.create_string_buffer(LOG_BYTES)
        keys, values = (_i * 2)(ERROR_LOG, ERROR_LOG_SIZE), (_p * 2)(ctypes.addressof(log), LOG_BYTES)
        try:
            return self._pointer("cuModuleLoadDataEx", code, 2, ctypes.addressof(keys), ctypes.addressof(values))
        except RuntimeError as error:
            if log.value:
                error.args = (f"{error.args[0]}\n{log.value.decode(errors='replace')}",)
            raise

    def unload(self, module: int) -> None:
        self._run("cuModuleUnload", module)

    def kernel(self, module: int, name: str) -> int:
        return self._pointer("cuModuleGetFunction", module, name.encode())

    def launch(self, kernel: int, grid: int, block: int, arguments: Sequence[int]) -> None:
        n = len(arguments)
        words = (ctypes.c_int64 * n)(*arguments)
        first = ctypes.addressof(words)
        places = (_p * n)(*range(first, first + 8 * n, 8))
        self._run(
            "cuLaunchKernel", kernel, grid, 1, 1, block, 1, 1, 0, self._used, ctypes.addressof(places), None,
            note=f" (grid {grid}, block {block}, {n} arguments)",
        )  # fmt: skip

    def synchronize(self) -> None:
        self._run("cuStreamSynchronize", self.stream)

    def wait_for(self, stream: int) -> None:
        self._run("cuStreamSynchronize", stream)
