"""What a call of a function on a GPU costs the host: over a driver library that does nothing, so no GPU is needed."""

from __future__ import annotations

import ctypes
import itertools
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

ATTRIBUTES = {75: 9, 76: 0, 16: 132}  # CUdevice_attribute -> value: sm_90
NOTHING = "define i32 @nothing() nounwind {\n  ret i32 0\n}\n"


class IdleLibrary:
    """libcuda.so.1: everything succeeds and nothing happens.  What native code calls is machine code."""

    def __init__(self) -> None:
        from tensordsl.codegen.abi.layouts import DRIVER_CALLS
        from tensordsl.codegen.llvm.compile import compile_object
        from tensordsl.runtime.driver.cuda_library import FUNCTIONS
        from tensordsl.runtime.loading import elf

        self._code, [[address]] = elf.load([(compile_object(NOTHING), ["nothing"])])
        self._addresses, self._rooms = itertools.count(1 << 40, 1 << 30), []  # type: ignore[var-annotated]
        for name, types in FUNCTIONS.items():
            native = ctypes.CFUNCTYPE(ctypes.c_int, *types)(address)
            setattr(self, name, native if name in DRIVER_CALLS else partial(getattr(self, f"_{name}", self._nothing)))

    def _nothing(self, *arguments: Any) -> int:
        return 0

    def _cuDeviceGetCount(self, place: int) -> int:
        return _put(place, 1, ctypes.c_int)

    def _cuDriverGetVersion(self, place: int) -> int:
        return _put(place, 13000, ctypes.c_int)

    def _cuDeviceGetAttribute(self, place: int, what: int, device: int) -> int:
        return _put(place, ATTRIBUTES.get(what, 0), ctypes.c_int)

    def _cuMemAlloc_v2(self, place: int, size: int) -> int:
        return _put(place, next(self._addresses))

    def _cuMemAllocHost_v2(self, place: int, size: int) -> int:
        self._rooms.append(np.zeros(size, np.uint8))
        return _put(place, self._rooms[-1].ctypes.data)

    def _cuStreamEndCapture(self, stream: int, place: int) -> int:
        return _put(place, 1)

    def _cuGraphInstantiateWithFlags(self, place: int, graph: int, flags: int) -> int:
        return _put(place, 1)


def _put(place: int, value: int, kind: Any = ctypes.c_uint64) -> int:
    kind.from_address(place).value = value
    return 0


def ten_kernels(name: str, to_device: Callable[..., Any]) -> tuple[Any, list[Any]]:
    """A function of ten kernels whose argument and output are on the device."""
    import tensordsl
    import tensordsl.tensor as T

    x = T.fmatrix("x")
    h = x
    for k in range(9):  # sums along one axis need those along the other
        h = h * 0.5 + T.tanh(h).sum(axis=k % 2, keepdims=True)
    f = tensordsl.function([x], tensordsl.Out(h.sum(axis=0), target="device"), device=name)
    return f, [to_device(np.ones((32, 32), "float32"), name)]


def training_step(name: str) -> tuple[Any, list[Any]]:
    """A step of a network of two layers with momentum, whose examples come from the host."""
    import tensordsl
    import tensordsl.tensor as T

    x, t = T.fmatrix("x"), T.fmatrix("t")
    sizes = ((784, 64), (64,), (64, 10), (10,))
    weights = [tensordsl.shared(np.zeros(s, "float32"), name=f"w{k}") for k, s in enumerate(sizes)]
    speeds = [tensordsl.shared(np.zeros(s, "float32"), name=f"v{k}") for k, s in enumerate(sizes)]
    a, b, c, d = weights
    y = T.nnet.sigmoid(T.dot(T.nnet.sigmoid(T.dot(x, a) + b), c) + d)
    cost = ((y - t) ** 2).mean()
    half, rate = np.float32(0.9), np.float32(0.1)
    updates = []
    for w, v, g in zip(weights, speeds, T.grad(cost, weights), strict=True):
        new = half * v - rate * g
        updates += [(v, new), (w, w + new)]
    f = tensordsl.function([x, t], cost, updates=updates, device=name)
    return f, [np.zeros((16, 784), "float32"), np.zeros((16, 10), "float32")]


def call_rows(is_quick: bool) -> list[str]:
    """The rows of the report."""
    import tensordsl
    from tensordsl.runtime.device.array import to_device
    from tensordsl.runtime.device.device import use_driver
    from tensordsl.runtime.driver.cuda_ctypes import CtypesDriver

    with tensordsl.config.change_flags(cuda_driver="ctypes", cublas=False):
        undo = use_driver(CtypesDriver(0, IdleLibrary()))
        try:
            rows = []
            for what, (f, arguments) in (
                ("ten kernels, operands on the device", ten_kernels("cuda0", to_device)),
                ("a training step with 8 updates, 50 kB from the host", training_step("cuda0")),
            ):
                call = lambda f=f, arguments=arguments: f(*arguments)  # noqa: E731
                rows.append(f"A repeated call of {what}: {1e6 * seconds(call, is_quick):.2f} us of the host.")
        finally:
            undo()
    return rows


def seconds(call: Callable[[], Any], is_quick: bool) -> float:
    """Processor time of a call: the least of rounds."""
    for _ in range(12):  # recorded, repeated
        call()
    best, count = float("inf"), 100 if is_quick else 2000
    for _ in range(2 if is_quick else 20):
        start = time.process_time()
        for _ in range(count):
            call()
        best = min(best, (time.process_time() - start) / count)
    return best


if __name__ == "__main__":
    print("\n".join(call_rows(False)))
