"""What can be wrong with a device, as a user meets it: one class of error each, which says what to do; state is kept."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from fakes import FakeLibrary, compiled_as_llvm, device

import tensordsl
import tensordsl.tensor as T
from tensordsl import errors
from tensordsl.functions import devices
from tensordsl.functions.devices import get_device
from tensordsl.runtime.driver.cuda_ctypes import CtypesDriver


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeLibrary]:
    """NVIDIA's library of a machine with GPUs."""
    compiled_as_llvm(monkeypatch)
    made = FakeLibrary()
    with tensordsl.config.change_flags(cuda_driver="ctypes"), device(CtypesDriver(0, made)):
        yield made


def counting() -> tuple[Any, Any]:
    """(function, its state): adds its argument to the state."""
    x, w = T.fvector("x"), tensordsl.shared(np.zeros(3, "float32"))
    return tensordsl.function([x], w.sum(), updates=[(w, w + T.exp(x))], device="cuda"), w


FAILURES = [
    ("cuMemAlloc_v2", 2, errors.DeviceMemoryError, "smaller batches"),
    ("cuLaunchKernel", 1, errors.LaunchError, "device=sim"),
    ("cuLaunchKernel", 701, errors.LaunchError, "device=sim"),  # too many resources
    ("cuMemcpyHtoDAsync_v2", 1, errors.LaunchError, "State is as before the call"),
    ("cuStreamSynchronize", 700, errors.DeviceLostError, "Start a new process"),
    ("cuStreamSynchronize", 719, errors.DeviceLostError, "Start a new process"),
    ("cuStreamSynchronize", 999, errors.DeviceLostError, "Start a new process"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "code", "kind", "advice"), FAILURES)
@pytest.mark.parametrize("calls", [1, 6])  # walked, and as a graph
def test_a_call_that_fails(
    library: FakeLibrary, calls: int, call: str, code: int, kind: type[Exception], advice: str
) -> None:
    f, w = counting()
    for _ in range(calls):
        f(np.zeros(3, "float32"))
    assert w.get_value().tolist() == [calls] * 3
    real = getattr(library, call)
    n = 3 if call != "cuMemAlloc_v2" else 1 << 20  # what the pool has is not asked for
    if calls > 1 and call in ("cuLaunchKernel", "cuMemcpyHtoDAsync_v2"):
        call, real = "cuGraphLaunch", library.cuGraphLaunch

    def refused(*_: Any) -> int:
        return code

    refused.argtypes = refused.restype = None  # type: ignore[attr-defined]
    functions = get_device("cuda").driver.calls._functions
    functions[call] = refused
    with pytest.raises(kind, match=advice) as caught:
        (f if n == 3 else tensordsl.function([], T.alloc(w[0], n), device="cuda"))(*[np.zeros(3, "float32")] * (n == 3))
    assert type(caught.value) is kind and call.removesuffix("_v2") in str(caught.value)
    functions[call] = real
    assert w.get_value().tolist() == [calls] * 3, "the last good value"
    assert f(np.zeros(3, "float32")) == 3 * calls and w.get_value().tolist() == [calls + 1] * 3


def test_memory_that_is_short_is_asked_for_again_when_all_that_is_kept_has_gone(library: FakeLibrary) -> None:
    f, w = counting()
    for _ in range(6):
        f(np.zeros(3, "float32"))
    before = library.calls.count("cuMemFree_v2")
    real, refusals = library.sim.alloc, [1]

    def short(size: int) -> int:
        if refusals:
            refusals.pop()
            raise errors.DeviceMemoryError("none left")
        return real(size)

    library.sim.alloc = short  # type: ignore[method-assign]
    x = T.fvector("x")
    assert tensordsl.function([x], x * 2, device="cuda")(np.ones(5000, "float32")).sum() == 10000
    assert library.calls.count("cuMemFree_v2") > before and w.get_value().tolist() == [6.0] * 3


def test_a_device_that_is_lost_stays_lost_and_the_process_lives(library: FakeLibrary) -> None:
    f, w = counting()
    f(np.zeros(3, "float32"))
    assert w.get_value().tolist() == [1.0] * 3
    library.lost = 700
    for _ in range(2):
        with pytest.raises(errors.DeviceLostError, match="illegal memory access.*Start a new process"):
            f(np.zeros(3, "float32"))
    assert w.get_value().tolist() == [1.0] * 3, "what has been fetched is known"
    x = T.fvector("x")
    with pytest.raises(errors.DeviceLostError):
        tensordsl.function([x], x * 3, device="cuda")(np.ones(3, "float32"))
    assert tensordsl.function([x], x * 3, device="cpu")(np.ones(3, "float32")).tolist() == [3.0] * 3


def test_a_driver_that_is_too_old_for_the_text(library: FakeLibrary) -> None:
    x, w = T.fvector("x"), tensordsl.shared(np.zeros(3, "float32"))
    real = library.cuModuleLoadDataEx
    library.capability = 9, 0

    def refused(place: int, code: bytes, n: int, keys: int, values: int) -> int:
        library.refused_cuModuleLoadDataEx(place, code, n, keys, values)
        return 222

    functions = get_device("cuda").driver.calls._functions
    functions["cuModuleLoadDataEx"] = refused
    with pytest.raises(
        errors.DriverVersionError, match="unsupported toolchain.*\njit: cannot.* Install a newer driver"
    ):
        tensordsl.function([x], x.sum(), updates=[(w, w + x)], device="cuda")
    functions["cuModuleLoadDataEx"] = real
    assert tensordsl.function([x], x.sum(), updates=[(w, w + x)], device="cuda")(np.ones(3, "float32")) == 3


def test_a_gpu_that_is_too_old(monkeypatch: pytest.MonkeyPatch) -> None:
    library = FakeLibrary()
    library.capability = 7, 0
    x = T.fvector("x")
    with tensordsl.config.change_flags(cuda_driver="ctypes"), device(CtypesDriver(0, library)):
        with pytest.raises(errors.DriverVersionError, match="The device is sm_70, and PTX is made for sm_75 or more"):
            tensordsl.function([x], x + 1, device="cuda")


@pytest.mark.parametrize("name", ["tpu", "cuda-1", "cudax", "sim0", ""])
def test_an_unknown_device(name: str) -> None:
    x = T.fvector("x")
    with pytest.raises(ValueError, match="unknown device.*there are cpu, cuda"):
        tensordsl.function([x], x + 1, device=name)
    with pytest.raises(ValueError, match="unknown device"):
        tensordsl.shared(1.0, target=name)


def test_a_device_that_is_no_string() -> None:
    with pytest.raises(TypeError, match='must be a string such as "cpu"'):
        tensordsl.function([], T.zeros(3), device=3)


def test_what_has_no_kernel_runs_on_the_host_and_says_so(library: FakeLibrary) -> None:
    x = T.fvector("x")
    devices._warned.clear()
    with pytest.warns(UserWarning, match="device cuda0: .* has no kernel; it runs on the host"):
        f = tensordsl.function([x], tensordsl.printing.Print("x")(x) * 2, device="cuda", profile=True)
    assert f(np.ones(2, "float32")).tolist() == [2, 2]
    assert "on the host" in str(f.profile)
