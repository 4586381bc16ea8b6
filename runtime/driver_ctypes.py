"""NVIDIA's driver library by ctypes (CUDA driver API, docs.nvidia.com/cuda/cuda-driver-api): no package is needed.

Unlike pycuda it has CUDA graphs.  The device's primary context is used, which cupy, torch and jax share.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from tensordsl.errors import DeviceError, MissingDriverLibraryError, NoDeviceError
from tensordsl.runtime.cublas import WithCublas
from tensordsl.runtime.driver import Bytes, DeviceInfo, error_of

LIBRARY = "libcuda.so.1"
MAJOR, MINOR, MULTIPROCESSORS = 75, 76, 16  # CUdevice_attribute
NON_BLOCKING = 1  # CU_STREAM_NON_BLOCKING
RELAXED = 2  # CU_STREAM_CAPTURE_MODE_RELAXED
ERROR_LOG, ERROR_LOG_SIZE, LOG = 5, 6, 8192  # CUjit_option; bytes

_i, _p, _n, _u = ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_uint
_d = ctypes.c_uint64  # CUdeviceptr
# name -> types of the parameters; all give a CUresult
FUNCTIONS: dict[str, tuple[Any, ...]] = {
    "cuInit": (_u,), "cuDriverGetVersion": (_p,), "cuDeviceGetCount": (_p,), "cuDeviceGet": (_p, _i),
    "cuDeviceGetName": (_p, _i, _i), "cuDeviceGetAttribute": (_p, _i, _i), "cuDeviceTotalMem_v2": (_p, _i),
    "cuDevicePrimaryCtxRetain": (_p, _i), "cuCtxPushCurrent_v2": (_p,), "cuCtxPopCurrent_v2": (_p,),
    "cuGetErrorString": (_i, _p), "cuStreamCreate": (_p, _u), "cuStreamSynchronize": (_p,),
    "cuMemAlloc_v2": (_p, _n), "cuMemFree_v2": (_d,), "cuMemAllocHost_v2": (_p, _n), "cuMemFreeHost": (_p,),
    "cuMemGetInfo_v2": (_p, _p), "cuMemcpyHtoDAsync_v2": (_d, _p, _n, _p), "cuMemcpyDtoHAsync_v2": (_p, _d, _n, _p),
    "cuMemcpyDtoDAsync_v2": (_d, _d, _n, _p), "cuMemsetD8Async": (_d, ctypes.c_ubyte, _n, _p),
    "cuMemsetD16Async": (_d, ctypes.c_ushort, _n, _p), "cuMemsetD32Async": (_d, _u, _n, _p),
    "cuModuleLoadDataEx": (_p, _p, _u, _p, _p), "cuModuleGetFunction": (_p, _p, ctypes.c_char_p),
    "cuLaunchKernel": (_p, _u, _u, _u, _u, _u, _u, _u, _p, _p, _p),
    "cuStreamBeginCapture_v2": (_p, _i), "cuStreamEndCapture": (_p, _p),
    "cuGraphInstantiateWithFlags": (_p, _p, ctypes.c_ulonglong), "cuGraphLaunch": (_p, _p), "cuGraphDestroy": (_p,),
    "cuGraphExecDestroy": (_p,),
}  # fmt: skip


def load_library() -> Any:
    """NVIDIA's driver library.  Raises MissingDriverLibraryError."""
    try:
        return ctypes.CDLL(LIBRARY)
    except OSError as error:
        raise MissingDriverLibraryError(f"NVIDIA's driver library cannot be loaded ({error}).") from error


class CtypesDriver(WithCublas):
    """See `driver.CapturingDriver`.  `library`: another one than the machine's, for tests."""

    language = "ptx"

    def __init__(self, ordinal: int = 0, library: Any = None) -> None:
        self.name = f"cuda{ordinal}"
        self._library = load_library() if library is None else library
        self._functions = {name: self._function(name, types) for name, types in FUNCTIONS.items()}
        self._do("cuInit", 0)
        count = self._number("cuDeviceGetCount")
        if ordinal >= count:
            raise NoDeviceError(f"There is no {self.name}: the driver sees {count} devices.")
        self._device = self._number("cuDeviceGet", ordinal)
        self._context = self._pointer("cuDevicePrimaryCtxRetain", self._device)
        self.info = self._info()
        self.stream = self._pointer("cuStreamCreate", NON_BLOCKING)

    def _function(self, name: str, types: tuple[Any, ...]) -> Any:
        try:
            function = getattr(self._library, name)
        except AttributeError:
            return None  # a driver without graphs
        function.argtypes, function.restype = types, _i
        return function

    def _info(self) -> DeviceInfo:
        name, device = ctypes.create_string_buffer(256), self._device
        self._do("cuDeviceGetName", ctypes.addressof(name), 256, device)
        total = _n()
        self._do("cuDeviceTotalMem_v2", ctypes.addressof(total), device)
        major, minor, processors = (
            self._number("cuDeviceGetAttribute", k, device) for k in (MAJOR, MINOR, MULTIPROCESSORS)
        )
        version = self._number("cuDriverGetVersion")
        return DeviceInfo(name.value.decode(), (major, minor), processors, total.value, version)

    # -- calls
    def _do(self, name: str, *arguments: Any, note: str = "") -> None:
        function = self._functions[name]
        if function is None:
            raise error_of(36, f"NVIDIA's driver has no {name}")
        code = function(*arguments)
        if code:
            raise error_of(code, f"{name} failed: {self._words(code)}{note}")

    def _words(self, code: int) -> str:
        text = ctypes.c_char_p()
        self._functions["cuGetErrorString"](code, ctypes.addressof(text))
        return (text.value or b"unknown error").decode()

    def _number(self, name: str, *arguments: Any) -> int:
        """The integer that a function writes to its first parameter."""
        result = _i()
        self._do(name, ctypes.addressof(result), *arguments)
        return result.value

    def _pointer(self, name: str, *arguments: Any) -> int:
        result = ctypes.c_uint64()
        if name in ("cuDevicePrimaryCtxRetain",):
            self._do(name, ctypes.addressof(result), *arguments)
        else:
            self._run(name, ctypes.addressof(result), *arguments)
        return result.value

    def _run(self, name: str, *arguments: Any, note: str = "") -> None:
        self.within(partial(self._do, note=note), name, *arguments)

    def within(self, call: Callable[..., Any], *arguments: Any) -> Any:
        """A call in our context; the thread's own is current again afterwards."""
        self._do("cuCtxPushCurrent_v2", self._context)
        try:
            return call(*arguments)
        finally:
            old = ctypes.c_uint64()
            self._functions["cuCtxPopCurrent_v2"](ctypes.addressof(old))

    # -- memory
    def alloc(self, size: int) -> int:
        return self._pointer("cuMemAlloc_v2", size)

    def free(self, address: int) -> None:
        self._run("cuMemFree_v2", address)

    def pinned(self, size: int) -> Bytes:
        address = self._pointer("cuMemAllocHost_v2", size)  # kept for the life of the process: staging is used again
        result: Bytes = np.ctypeslib.as_array((ctypes.c_uint8 * size).from_address(address))
        return result

    def upload(self, address: int, source: Bytes) -> None:
        self._run("cuMemcpyHtoDAsync_v2", address, source.ctypes.data, source.nbytes, self.stream)

    def download(self, target: Bytes, address: int) -> None:
        self._run("cuMemcpyDtoHAsync_v2", target.ctypes.data, address, target.nbytes, self.stream)
        self.synchronize()

    def copy(self, target: int, source: int, size: int) -> None:
        self._run("cuMemcpyDtoDAsync_v2", target, source, size, self.stream)

    def fill(self, address: int, value: int, size: int) -> None:
        self._run("cuMemsetD8Async", address, value, size, self.stream)

    def store(self, address: int, value: bytes) -> None:
        name = {1: "cuMemsetD8Async", 2: "cuMemsetD16Async"}.get(len(value), "cuMemsetD32Async")
        for k in range(0, len(value), 4):
            self._run(name, address + k, int.from_bytes(value[k : k + 4], "little"), 1, self.stream)

    def memory(self) -> tuple[int, int]:
        free, total = _n(), _n()
        self._run("cuMemGetInfo_v2", ctypes.addressof(free), ctypes.addressof(total))
        return free.value, total.value

    # -- kernels
    def load(self, text: str) -> int:
        code, log = text.encode() + b"\0", ctypes.create_string_buffer(LOG)
        keys, values = (_i * 2)(ERROR_LOG, ERROR_LOG_SIZE), (_p * 2)(ctypes.addressof(log), LOG)
        try:
            return self._pointer("cuModuleLoadDataEx", code, 2, ctypes.addressof(keys), ctypes.addressof(values))
        except RuntimeError as error:
            if log.value:
                error.args = (f"{error.args[0]}\n{log.value.decode(errors='replace')}",)
            raise

    def kernel(self, module: int, name: str) -> int:
        return self._pointer("cuModuleGetFunction", module, name.encode())

    def launch(self, kernel: int, grid: int, block: int, arguments: Sequence[int]) -> None:
        n = len(arguments)
        words = (ctypes.c_int64 * n)(*arguments)
        first = ctypes.addressof(words)
        places = (_p * n)(*range(first, first + 8 * n, 8))
        self._run(
            "cuLaunchKernel", kernel, grid, 1, 1, block, 1, 1, 0, self.stream, ctypes.addressof(places), None,
            note=f" (grid {grid}, block {block}, {n} arguments)",
        )  # fmt: skip

    def synchronize(self) -> None:
        self._run("cuStreamSynchronize", self.stream)

    def wait_for(self, stream: int) -> None:
        self._run("cuStreamSynchronize", stream)

    # -- graphs
    def begin_capture(self) -> None:
        self._run("cuStreamBeginCapture_v2", self.stream, RELAXED)

    def end_capture(self) -> int:
        graph = ctypes.c_uint64()
        self._run("cuStreamEndCapture", self.stream, ctypes.addressof(graph))
        try:
            return self._pointer("cuGraphInstantiateWithFlags", graph.value, 0)
        finally:
            self._run("cuGraphDestroy", graph.value)

    def abandon_capture(self) -> None:
        graph = ctypes.c_uint64()
        try:
            self._run("cuStreamEndCapture", self.stream, ctypes.addressof(graph))
        except DeviceError:
            return  # the error that made it invalid has been raised already
        self._run("cuGraphDestroy", graph.value)

    def launch_graph(self, graph: int) -> None:
        self._run("cuGraphLaunch", graph, self.stream)

    def free_graph(self, graph: int) -> None:
        self._run("cuGraphExecDestroy", graph)
