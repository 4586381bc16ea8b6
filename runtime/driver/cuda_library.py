"""NVIDIA's driver library by ctypes: types of its functions, loading, contexts, and CUDA graphs.

The base of both CUDA drivers; pycuda has no graphs, so that they come from here there, too.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Iterable
from typing import Any

from tensordsl.base.errors import DeviceError, DriverVersionError, MissingDriverLibraryError
from tensordsl.runtime.driver.protocol import error_of

LIBRARY = "libcuda.so.1"
RELAXED = 2  # CU_STREAM_CAPTURE_MODE_RELAXED
NON_BLOCKING = 1  # CU_STREAM_NON_BLOCKING
NO_TIMES = 2  # CU_EVENT_DISABLE_TIMING

_i, _p, _n, _u = ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_uint
_d = ctypes.c_uint64  # CUdeviceptr
GRAPHS: dict[str, tuple[Any, ...]] = {
    "cuStreamBeginCapture_v2": (_p, _i), "cuStreamEndCapture": (_p, _p),
    "cuGraphInstantiateWithFlags": (_p, _p, ctypes.c_ulonglong), "cuGraphLaunch": (_p, _p), "cuGraphDestroy": (_p,),
    "cuGraphExecDestroy": (_p,), "cuEventCreate": (_p, _u), "cuEventRecord": (_p, _p),
    "cuEventDestroy_v2": (_p,), "cuStreamWaitEvent": (_p, _p, _u), "cuGetErrorString": (_i, _p),
    "cuCtxPushCurrent_v2": (_p,), "cuCtxPopCurrent_v2": (_p,), "cuCtxGetCurrent": (_p,), "cuStreamSynchronize": (_p,),
}  # fmt: skip
# name -> types of the parameters; all give a CUresult
FUNCTIONS: dict[str, tuple[Any, ...]] = {
    "cuInit": (_u,), "cuDriverGetVersion": (_p,), "cuDeviceGetCount": (_p,), "cuDeviceGet": (_p, _i),
    "cuDeviceGetName": (_p, _i, _i), "cuDeviceGetAttribute": (_p, _i, _i), "cuDeviceTotalMem_v2": (_p, _i),
    "cuDevicePrimaryCtxRetain": (_p, _i), "cuStreamCreate": (_p, _u),
    "cuMemAlloc_v2": (_p, _n), "cuMemFree_v2": (_d,), "cuMemAllocHost_v2": (_p, _n),
    "cuMemGetInfo_v2": (_p, _p), "cuMemcpyHtoDAsync_v2": (_d, _p, _n, _p), "cuMemcpyDtoHAsync_v2": (_p, _d, _n, _p),
    "cuMemcpyDtoDAsync_v2": (_d, _d, _n, _p), "cuMemsetD8Async": (_d, ctypes.c_ubyte, _n, _p),
    "cuMemsetD16Async": (_d, ctypes.c_ushort, _n, _p), "cuMemsetD32Async": (_d, _u, _n, _p),
    "cuModuleLoadDataEx": (_p, _p, _u, _p, _p), "cuModuleGetFunction": (_p, _p, ctypes.c_char_p),
    "cuModuleUnload": (_p,), "cuLaunchKernel": (_p, _u, _u, _u, _u, _u, _u, _u, _p, _p, _p), **GRAPHS,
}  # fmt: skip


def load_library() -> Any:
    """NVIDIA's driver library.  Raises MissingDriverLibraryError."""
    try:
        return ctypes.CDLL(LIBRARY)
    except OSError as error:
        raise MissingDriverLibraryError(f"NVIDIA's driver library cannot be loaded ({error}).") from error


class Calls:
    """Functions of the library by their names; `do` raises subclasses of DeviceError."""

    def __init__(self, library: Any, wanted: dict[str, tuple[Any, ...]]) -> None:
        self._functions = {name: _typed(library, name, types) for name, types in wanted.items()}

    def has(self, names: Iterable[str]) -> bool:
        """Whether the library has all of them."""
        return all(self._functions[name] is not None for name in names)

    def code(self, name: str, *arguments: Any) -> int:
        """The CUresult of a function."""
        function = self._functions[name]
        if function is None:
            raise DriverVersionError(f"NVIDIA's driver has no {name}.")
        result: int = function(*arguments)
        return result

    def do(self, name: str, *arguments: Any, note: str = "") -> None:
        code = self.code(name, *arguments)
        if code:
            raise self.error(name, code, note)

    def error(self, name: str, code: int, note: str = "") -> DeviceError:
        """The exception for a function's CUresult."""
        return error_of(code, f"{name} failed: {self._words(code)}{note}")

    def address(self, name: str) -> int:
        """The address of a function, for native code."""
        return ctypes.cast(self._functions[name], ctypes.c_void_p).value or 0

    def _words(self, code: int) -> str:
        text = ctypes.c_char_p()
        function = self._functions["cuGetErrorString"]
        if function is not None:
            function(code, ctypes.addressof(text))
        return (text.value or b"unknown error").decode().rstrip(".")


def _typed(library: Any, name: str, types: tuple[Any, ...]) -> Any:
    function = getattr(library, name, None)  # None: a driver that is older than the function
    if function is not None:
        function.argtypes, function.restype = types, _i
    return function


class WithContext:
    """The mixin of NVIDIA's drivers that makes their context current: for one call of the driver, or from `hold` to
    `let_go`. `_push` raises subclasses of DeviceError; `_pop` does not: it follows a commit."""

    _push: Callable[[], None]
    _pop: Callable[[], None]
    _holder = 0  # the thread that holds it: set and cleared under the device's lock

    def hold(self) -> bool:
        if self._holder == threading.get_ident():
            return False
        self._push()
        self._holder = threading.get_ident()
        return True

    def let_go(self) -> None:
        if self._holder == threading.get_ident():
            self._holder = 0
            self._pop()

    def within(self, call: Callable[..., Any], *arguments: Any) -> Any:
        """A call in our context; the thread's own is current again afterwards, or after `let_go`."""
        if self._holder == threading.get_ident():
            return call(*arguments)
        self._push()
        try:
            return call(*arguments)
        finally:
            self._pop()


class WithGraphs:
    """The mixin of NVIDIA's drivers that makes one launch of a sequence (see `driver.protocol.CapturingDriver`).

    `calls` has `GRAPHS`; `within` makes a call in the driver's context; `stream` is the handle of its stream;
    `new_stream` makes another one, `use_stream` redirects the driver's calls to one.
    """

    calls: Calls
    stream: int
    within: Callable[..., Any]
    new_stream: Callable[[], int]
    use_stream: Callable[[int], None]

    def __init__(self) -> None:
        self._lanes: list[int] = []  # streams
        self._lane, self._forked = 0, 1
        self._events: list[int] = []

    def has_graphs(self) -> bool:
        """Whether the driver is new enough (CUDA 11.4)."""
        return self.calls.has(GRAPHS)

    # -- lanes: streams of their own, which captured become branches of the graph
    def fork(self, lanes: int) -> None:
        while len(self._lanes) < lanes - 1:
            self._lanes.append(self.new_stream())
        self._free_events()
        self._lane, self._forked = 0, lanes
        begin = self.signal() if lanes > 1 else None
        for lane in range(1, lanes):
            self.enter(lane)
            self.wait(begin)
        self.enter(0)

    def enter(self, lane: int) -> None:
        self._lane = lane
        self.use_stream(self._lanes[lane - 1] if lane else self.stream)

    def _current(self) -> int:
        return self._lanes[self._lane - 1] if self._lane else self.stream

    def signal(self) -> int:
        event = self._made("cuEventCreate", NO_TIMES)
        self._events.append(event)
        self._do("cuEventRecord", event, self._current())
        return event

    def wait(self, event: Any) -> None:
        self._do("cuStreamWaitEvent", self._current(), event, 0)

    def join(self) -> None:
        ends = []
        for lane in range(1, self._forked):
            self.enter(lane)
            ends.append(self.signal())
        self.enter(0)
        for event in ends:
            self.wait(event)

    def leave(self) -> None:
        self.enter(0)

    def _free_events(self) -> None:
        """Not while they are recorded: they may be nodes of a graph that is being captured."""
        events, self._events = self._events, []
        for event in events:
            self._do("cuEventDestroy_v2", event)

    def _made(self, name: str, *arguments: Any) -> int:
        result = ctypes.c_uint64()
        self._do(name, ctypes.addressof(result), *arguments)
        return result.value

    def _do(self, name: str, *arguments: Any) -> None:
        self.within(self.calls.do, name, *arguments)

    def begin_capture(self) -> None:
        self._do("cuStreamBeginCapture_v2", self.stream, RELAXED)

    def end_capture(self) -> int:
        graph = ctypes.c_uint64()
        self._do("cuStreamEndCapture", self.stream, ctypes.addressof(graph))
        try:
            return self._made("cuGraphInstantiateWithFlags", graph.value, 0)
        finally:
            self._do("cuGraphDestroy", graph.value)
            self._free_events()

    def abandon_capture(self) -> None:
        graph = ctypes.c_uint64()
        try:
            self._do("cuStreamEndCapture", self.stream, ctypes.addressof(graph))
        except DeviceError:
            return  # the error that made it invalid has been raised already
        self._do("cuGraphDestroy", graph.value)

    def context(self) -> int:
        """The handle of the driver's context."""
        return self._made("cuCtxGetCurrent")

    def launch_graph(self, graph: int) -> None:
        self._do("cuGraphLaunch", graph, self.stream)

    def free_graph(self, graph: int) -> None:
        self._do("cuGraphExecDestroy", graph)
