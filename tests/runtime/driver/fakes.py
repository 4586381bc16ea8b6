"""Stand-ins for NVIDIA's driver library and for pycuda: memory and kernels are the simulator's, every call is noted.

`refuse(n, code)` makes the n-th call from now on fail.  Modules are LLVM text, not PTX: `compiled_as_llvm`.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tensordsl.codegen.abi.layouts import DRIVER_CALLS
from tensordsl.errors import DeviceMemoryError
from tensordsl.runtime.device.device import get_device, use_driver
from tensordsl.runtime.driver.cublas import FUNCTIONS as CUBLAS
from tensordsl.runtime.driver.cublas import WORKSPACE_BYTES
from tensordsl.runtime.driver.cuda_ctypes import CtypesDriver
from tensordsl.runtime.driver.cuda_library import FUNCTIONS
from tensordsl.runtime.driver.cuda_pycuda import PycudaDriver
from tensordsl.runtime.driver.protocol import Driver
from tensordsl.runtime.driver.simulated import SimDriver
from tensordsl.runtime.driver.simulator import Simulator

WORDS = {2: b"out of memory", 100: b"no CUDA-capable device is detected", 222: b"the provided PTX was compiled with an "
         b"unsupported toolchain.", 700: b"an illegal memory access was encountered", 1: b"invalid argument"}  # fmt: skip


@contextmanager
def device(driver: Driver) -> Iterator[Driver]:
    """`driver` is what its name means."""
    undo = use_driver(driver)
    try:
        yield driver
    finally:
        undo()


def sim() -> Any:
    """The driver of the device `sim`."""
    return get_device("sim").driver


def compiled_as_llvm(monkeypatch: pytest.MonkeyPatch) -> None:
    import tensordsl.functions.device_calls

    monkeypatch.setattr(tensordsl.functions.device_calls, "kernel_code", lambda text, target: text)


# What pycuda calls beside `FUNCTIONS`: name -> types of the parameters.
_i, _p, _n, _u, _d = ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_uint, ctypes.c_uint64
PYCUDAS: dict[str, tuple[Any, ...]] = {
    "cuDeviceComputeCapability": (_p, _p, _i), "cuCtxGetDevice": (_p,), "cuCtxSynchronize": (),
    "cuDevicePrimaryCtxRelease_v2": (_i,), "cuMemHostAlloc": (_p, _n, _u), "cuFuncSetBlockShape": (_p, _i, _i, _i),
}  # fmt: skip


class Refusal(Exception):
    def __init__(self, code: int) -> None:
        self.code = code


class _Core:
    """The machine behind both."""

    def __init__(self) -> None:
        self.sim = SimDriver()
        self.calls: list[str] = []
        self.countdown, self.code = -1, 0
        self.lost = 0  # the code that every call gives from now on
        self.capability = 8, 0
        self.kept: list[Any] = []  # objects by their handle - 1
        self.recording: list[Callable[[], None]] | None = None
        self.depth, self.pushes = 0, 0
        self.streams = 0

    def refuse(self, n: int, code: int) -> None:
        self.countdown, self.code = n, code

    def note(self, name: str) -> None:
        self.calls.append(name)
        if self.lost and name not in ("cuCtxPushCurrent_v2", "cuCtxPopCurrent_v2"):
            raise Refusal(self.lost)
        if self.countdown == 0:
            self.countdown = -1
            raise Refusal(self.code)
        self.countdown -= self.countdown > 0

    def keep(self, thing: Any) -> int:
        self.kept.append(thing)
        return len(self.kept)

    def now(self, work: Callable[[], None]) -> None:
        """Done now, or recorded."""
        if self.recording is not None:
            self.recording.append(work)
        else:
            work()


def _put(address: int, value: int, kind: Any = ctypes.c_uint64) -> None:
    kind.from_address(address).value = value


def _host(address: int, size: int) -> np.ndarray:
    return np.ctypeslib.as_array((ctypes.c_uint8 * size).from_address(address))


class FakeLibrary(_Core):
    """libcuda.so.1: attributes are functions that take ctypes' arguments and give a CUresult."""

    devices = 2

    def __init__(self, core: _Core | None = None) -> None:
        super().__init__()
        if core is not None:
            self.__dict__ = core.__dict__  # one machine, two ways to it
        self.problems: list[str] = []  # what `libcuda` could not raise
        for name, types in {**FUNCTIONS, **PYCUDAS}.items():
            function = self._function(name, len(types))
            setattr(self, name, self._native(name, function, types) if name in DRIVER_CALLS else function)

    def _native(self, name: str, function: Any, types: tuple[Any, ...]) -> Any:
        """The same as machine code, for callers that are no Python."""

        def call(*arguments: Any) -> int:
            try:
                code: int = function(*[a or 0 for a in arguments])
            except Exception as error:  # ctypes would print it and go on
                self.problems.append(f"{name}{arguments}: {error!r}")
                return 1
            return code

        return ctypes.CFUNCTYPE(_i, *types)(call)

    def _function(self, name: str, n: int) -> Any:
        act = getattr(self, "do_" + name.removesuffix("_v2"), None)

        def function(*arguments: Any) -> int:
            assert len(arguments) == n, (name, arguments)
            try:
                if name != "cuGetErrorString":
                    self.note(name)
                if act is not None:
                    act(*arguments)
            except Refusal as error:
                if (refused := getattr(self, f"refused_{name}", None)) is not None:
                    refused(*arguments)
                return error.code
            except DeviceMemoryError:
                return 2
            return 0

        return function

    def do_cuGetErrorString(self, code: int, place: int) -> None:
        text = ctypes.create_string_buffer(WORDS.get(code, b"some error"))
        self.kept.append(text)
        _put(place, ctypes.addressof(text))

    def do_cuDeviceComputeCapability(self, major: int, minor: int, device: int) -> None:
        _put(major, self.capability[0], ctypes.c_int)
        _put(minor, self.capability[1], ctypes.c_int)

    def do_cuCtxGetDevice(self, place: int) -> None:
        _put(place, 0, ctypes.c_int)

    def do_cuDriverGetVersion(self, place: int) -> None:
        _put(place, 12040, ctypes.c_int)

    def do_cuDeviceGetCount(self, place: int) -> None:
        _put(place, self.devices, ctypes.c_int)

    def do_cuDeviceGet(self, place: int, ordinal: int) -> None:
        _put(place, ordinal, ctypes.c_int)

    def do_cuDeviceGetName(self, place: int, size: int, device: int) -> None:
        ctypes.memmove(place, b"Fake GPU\0", 9)

    def do_cuDeviceGetAttribute(self, place: int, what: int, device: int) -> None:
        _put(place, {75: self.capability[0], 76: self.capability[1], 16: 4}[what], ctypes.c_int)

    def do_cuDeviceTotalMem(self, place: int, device: int) -> None:
        _put(place, 1 << 32)

    def do_cuDevicePrimaryCtxRetain(self, place: int, device: int) -> None:
        _put(place, 77)

    def do_cuCtxPushCurrent(self, context: int) -> None:
        assert context == 77
        self.depth += 1
        self.pushes += 1

    def do_cuCtxPopCurrent(self, place: int) -> None:
        self.depth -= 1

    def do_cuCtxGetCurrent(self, place: int) -> None:
        _put(place, 77)

    def do_cuStreamCreate(self, place: int, flags: int) -> None:
        assert flags == 1, "not blocked by the default stream"
        self.streams += 1
        _put(place, 54 + self.streams)

    def do_cuEventCreate(self, place: int, flags: int) -> None:
        _put(place, self.keep("event"))

    def do_cuEventRecord(self, event: int, stream: int) -> None:
        assert self.kept[event - 1] == "event" and 55 <= stream < 55 + self.streams

    def do_cuStreamWaitEvent(self, stream: int, event: int, flags: int) -> None:
        assert self.kept[event - 1] == "event" and 55 <= stream < 55 + self.streams

    def do_cuEventDestroy(self, event: int) -> None:
        self.kept[event - 1] = None

    def do_cuMemAlloc(self, place: int, size: int) -> None:
        _put(place, self.sim.alloc(size))

    def do_cuMemFree(self, address: int) -> None:
        self.sim.free(address)

    def do_cuMemAllocHost(self, place: int, size: int) -> None:
        room = np.empty(size, np.uint8)
        self.kept.append(room)
        _put(place, room.ctypes.data)

    def do_cuMemHostAlloc(self, place: int, size: int, flags: int) -> None:
        self.do_cuMemAllocHost(place, size)

    def do_cuMemGetInfo(self, free: int, total: int) -> None:
        for place, value in zip((free, total), self.sim.memory(), strict=True):
            _put(place, value)

    def do_cuMemcpyHtoDAsync(self, target: int, source: int, size: int, stream: int) -> None:
        self.now(lambda: self.sim.upload(target, _host(source, size)))

    def do_cuMemcpyDtoHAsync(self, target: int, source: int, size: int, stream: int) -> None:
        self.now(lambda: self.sim.download(_host(target, size), source))

    def do_cuMemcpyDtoDAsync(self, target: int, source: int, size: int, stream: int) -> None:
        self.now(lambda: self.sim.copy(target, source, size))

    def do_cuMemsetD8Async(self, target: int, value: int, size: int, stream: int) -> None:
        self.now(lambda: self.sim.fill(target, value, size))

    def do_cuMemsetD16Async(self, target: int, value: int, size: int, stream: int) -> None:
        self.now(lambda: self.sim.store(target, value.to_bytes(2, "little") * size))

    def do_cuMemsetD32Async(self, target: int, value: int, size: int, stream: int) -> None:
        self.now(lambda: self.sim.store(target, value.to_bytes(4, "little") * size))

    def do_cuModuleLoadDataEx(self, place: int, code: bytes, n: int, keys: int, values: int) -> None:
        assert code.endswith(b"\0")
        _put(place, self.keep(Simulator(code[:-1].decode())))

    def refused_cuModuleLoadDataEx(self, place: int, code: bytes, n: int, keys: int, values: int) -> None:
        """The error log, as CUjit_option 5 and 6 want it."""
        options = dict(
            zip((ctypes.c_int * n).from_address(keys), (ctypes.c_uint64 * n).from_address(values), strict=False)
        )
        words = b"jit: cannot\0"
        assert options[6] > len(words)
        ctypes.memmove(options[5], words, len(words))
        for k, key in enumerate((ctypes.c_int * n).from_address(keys)):
            if key in (4, 6):  # how much was written
                _put(values + 8 * k, len(words) - 1 if key == 6 else 0)

    def do_cuModuleUnload(self, module: int) -> None:
        self.kept[module - 1].close()
        self.kept[module - 1] = None

    def do_cuModuleGetFunction(self, place: int, module: int, name: bytes) -> None:
        _put(place, self.keep((self.kept[module - 1], name.decode())))

    def do_cuLaunchKernel(self, kernel: int, *rest: Any) -> None:
        grid, gy, gz, block, by, bz, shared, stream, places, extra = rest
        assert (gy, gz, by, bz, shared) == (1, 1, 1, 1, 0) and 55 <= stream < 55 + self.streams, rest
        module, name = self.kept[kernel - 1]
        n = module.kernels[name]
        if extra:  # CU_LAUNCH_PARAM_BUFFER_POINTER, _SIZE and _END
            keys = (ctypes.c_uint64 * 5).from_address(extra)
            size = ctypes.c_size_t.from_address(keys[3]).value
            assert (keys[0], keys[2], keys[4], size) == (1, 2, 0, 8 * n), list(keys)
            arguments = list((ctypes.c_int64 * n).from_address(keys[1]))
        else:
            pointers = (ctypes.c_void_p * n).from_address(places)
            arguments = [ctypes.c_int64.from_address(p).value for p in pointers]
        self.now(lambda: module.launch(name, grid, block, arguments))

    def do_cuStreamBeginCapture(self, stream: int, mode: int) -> None:
        self.recording = []

    def do_cuStreamEndCapture(self, stream: int, place: int) -> None:
        _put(place, self.keep(self.recording))
        self.recording = None

    def do_cuGraphInstantiateWithFlags(self, place: int, graph: int, flags: int) -> None:
        _put(place, graph)

    def do_cuGraphLaunch(self, graph: int, stream: int) -> None:
        assert self.depth and stream == 55
        for work in self.kept[graph - 1]:
            work()


class FakeCublas:
    """libcublas.so: products of the memory of a stand-in for a driver, done now or recorded by it."""

    def __init__(self, core: _Core) -> None:
        self.core = core
        self.version = 0
        for name in CUBLAS:
            setattr(self, name, self._function(name))

    def _function(self, name: str) -> Any:
        act = getattr(self, "do_" + name.removesuffix("_v2"))

        def function(*arguments: Any) -> int:
            assert len(arguments) == len(CUBLAS[name]), (name, arguments)
            assert self.core.depth == 1, "outside of the context"
            try:
                self.core.note(name)
                act(*arguments)
            except Refusal as error:
                return error.code
            return 0

        return function

    def do_cublasCreate(self, place: int) -> None:
        _put(place, 99)

    def do_cublasSetStream(self, handle: int, stream: int) -> None:
        assert (handle, stream) == (99, 55)

    def do_cublasSetWorkspace(self, handle: int, address: int, size: int) -> None:
        assert handle == 99 and size == WORKSPACE_BYTES and address % 256 == 0

    def do_cublasSgemm(self, *arguments: Any) -> None:
        self._multiply(np.dtype("float32"), ctypes.c_float, *arguments)

    def do_cublasDgemm(self, *arguments: Any) -> None:
        self._multiply(np.dtype("float64"), ctypes.c_double, *arguments)

    def do_cublasSgemmStridedBatched(self, *arguments: Any) -> None:
        self._several(np.dtype("float32"), ctypes.c_float, *arguments)

    def do_cublasDgemmStridedBatched(self, *arguments: Any) -> None:
        self._several(np.dtype("float64"), ctypes.c_double, *arguments)

    def _several(self, dtype: Any, scalar: Any, *arguments: Any) -> None:
        *head, a, lda, a_step, b, ldb, b_step, beta, c, ldc, c_step, count = arguments
        for k in range(count):
            x, y, z = (p + k * step * dtype.itemsize for p, step in ((a, a_step), (b, b_step), (c, c_step)))
            self._multiply(dtype, scalar, *head, x, lda, y, ldb, beta, z, ldc)

    def _multiply(
        self, dtype: Any, scalar: Any, handle: int, ta: int, tb: int, m: int, n: int, k: int, *rest: Any
    ) -> None:
        alpha, a, lda, b, ldb, beta, c, ldc = rest
        factors = scalar.from_address(alpha).value, scalar.from_address(beta).value

        def matrix(address: int, rows: int, columns: int, step: int) -> np.ndarray:
            size = ((columns - 1) * step + rows) * dtype.itemsize
            data = self.core.sim.view(address, size).view(dtype)
            return np.lib.stride_tricks.as_strided(data, (rows, columns), (dtype.itemsize, step * dtype.itemsize))

        def work() -> None:
            x = matrix(a, *((k, m) if ta else (m, k)), lda)
            y = matrix(b, *((n, k) if tb else (k, n)), ldb)
            z = matrix(c, m, n, ldc)
            product = factors[0] * ((x.T if ta else x) @ (y.T if tb else y))
            z[...] = product + factors[1] * z if factors[1] else product

        self.core.now(work)


class FakePycuda(_Core):
    """The module `pycuda.driver`; `library`: the driver's under it, for what pycuda lacks."""

    class Error(Exception):
        pass

    class MemoryError(Error):
        pass

    class LaunchError(Error):
        pass

    device_attribute = SimpleNamespace(MULTIPROCESSOR_COUNT=16)

    def __init__(self) -> None:
        super().__init__()
        core = self
        self.library = FakeLibrary(self)
        context = SimpleNamespace(push=lambda: core.push())
        self.Context = SimpleNamespace(pop=lambda: core.pop(), synchronize=self._call("context", lambda: None))
        device = SimpleNamespace(
            name=lambda: "Fake GPU", compute_capability=lambda: (9, 0), get_attribute=lambda what: 4,
            total_memory=lambda: 1 << 32, retain_primary_context=self._call("retain", lambda: context),
        )  # fmt: skip

        class Device:
            count = staticmethod(self._call("count", lambda: 2))

            def __new__(cls, ordinal: int) -> Any:
                return device

        self.Device = Device
        self.init = self._call("init", lambda: None)
        self.get_driver_version = lambda: 13000
        self.Stream = self._call("Stream", self._stream)
        self.mem_alloc = self._call("mem_alloc", self._alloc)
        self.pagelocked_empty = self._call("pagelocked_empty", np.empty)
        self.memcpy_htod_async = self._call("htod", lambda a, source, s: self.now(lambda: self.sim.upload(a, source)))
        self.memcpy_dtoh_async = self._call("dtoh", lambda target, a, s: self.now(lambda: self.sim.download(target, a)))
        self.memcpy_dtod_async = self._call("dtod", lambda t, a, n, s: self.now(lambda: self.sim.copy(t, a, n)))
        self.memset_d8_async = self._call("d8", lambda a, x, n, s: self.now(lambda: self.sim.fill(a, x, n)))
        self.memset_d16_async = self._call(
            "d16", lambda a, x, n, s: self.now(lambda: self.sim.store(a, x.to_bytes(2, "little") * n))
        )
        self.memset_d32_async = self._call(
            "d32", lambda a, x, n, s: self.now(lambda: self.sim.store(a, x.to_bytes(4, "little") * n))
        )
        self.mem_get_info = self._call("mem_get_info", self.sim.memory)
        self.module_from_buffer = self._call("load", self._load)

    def _stream(self, flags: int) -> Any:
        assert flags == 1, "not blocked by the default stream"
        self.streams += 1
        return SimpleNamespace(handle=54 + self.streams, synchronize=self._call("synchronize", lambda: None))

    def push(self) -> None:
        self.depth += 1
        self.pushes += 1

    def pop(self) -> None:
        self.depth -= 1

    def _call(self, name: str, act: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **more: Any) -> Any:
            try:
                self.note(name)
                return act(*arguments, **more)
            except Refusal as error:
                kind = self.MemoryError if error.code == 2 else self.Error
                raise kind(f"{name} failed: {WORDS[error.code].decode()}") from None
            except DeviceMemoryError:
                raise self.MemoryError(f"{name} failed: out of memory") from None

        return call

    def _alloc(self, size: int) -> Any:
        address = self.sim.alloc(size)

        class Block:
            free = staticmethod(self._call("free", lambda: self.sim.free(address)))

            def __int__(self) -> int:
                return address

        return Block()

    def _load(self, code: bytes) -> Any:
        module = Simulator(code[:-1].decode())

        def get_function(name: str) -> Any:
            def launch(grid: Any, block: Any, stream: Any, *arguments: int) -> None:
                self.now(lambda: module.launch(name, grid[0], block[0], arguments))

            class Function:
                prepare = staticmethod(self._call("prepare", lambda kinds: kinds))
                prepared_async_call = staticmethod(self._call("launch", launch))

            return Function()

        return SimpleNamespace(get_function=self._call("get_function", get_function))


class FaultyDriver(SimDriver):
    """The simulator, of which call number `fails` (from 0) raises `error`; `count` says how many there were."""

    METHODS = (
        "alloc",
        "free",
        "pinned",
        "upload",
        "fetch",
        "download",
        "copy",
        "fill",
        "store",
        "launch",
        "synchronize",
    )

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self.count, self.fails = 0, -1
        self.error: Callable[[], Exception] = lambda: RuntimeError("injected")
        for name in self.METHODS:
            setattr(self, name, self._counted(getattr(self, name)))

    def _counted(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            number, self.count = self.count, self.count + 1
            if number == self.fails:
                raise self.error()
            return method(*arguments)

        return call


def with_cublas(kind: str) -> tuple[Any, Any]:
    """(a stand-in of a GPU's library, the driver of `config.cuda_driver=kind` over it), with cuBLAS."""
    fake: Any = FakeLibrary() if kind == "ctypes" else FakePycuda()
    driver: Any = CtypesDriver(0, fake) if kind == "ctypes" else PycudaDriver(0, fake, fake.library)
    driver.library = FakeCublas(fake)
    return fake, driver
