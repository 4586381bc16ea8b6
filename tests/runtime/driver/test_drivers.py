"""Drivers: the simulator, and those of real GPUs over stand-ins for pycuda and NVIDIA's library."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from fakes import FakeLibrary, FakePycuda, compiled_as_llvm, device

import tensordsl
import tensordsl.tensor as T
from tensordsl import errors
from tensordsl.functions.devices import get_device, to_device
from tensordsl.runtime.device.pool import Pool, bin_size
from tensordsl.runtime.driver import cuda_library, cuda_pycuda
from tensordsl.runtime.driver.cuda_ctypes import CtypesDriver
from tensordsl.runtime.driver.cuda_pycuda import PycudaDriver
from tensordsl.runtime.driver.protocol import Driver, error_of
from tensordsl.runtime.driver.registry import device_name, open_driver
from tensordsl.runtime.driver.simulated import SimDriver
from tensordsl.runtime.driver.simulator import SimulationError


def fake_ctypes() -> tuple[Driver, Any]:
    library = FakeLibrary()
    return CtypesDriver(0, library), library


def fake_pycuda() -> tuple[Driver, Any]:
    cuda = FakePycuda()
    return PycudaDriver(0, cuda, cuda.library), cuda


def simulator() -> tuple[Driver, Any]:
    driver = SimDriver()
    return driver, driver


FAKES = [fake_ctypes, fake_pycuda]
ALL = [simulator, *FAKES]
KERNEL = """
define ptx_kernel void @twice(ptr addrspace(1) noalias %x, i64 %n, ptr addrspace(1) noalias %status) nounwind {
entry:
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %at = getelementptr i32, ptr addrspace(1) %x, i32 %t
  %old = load i32, ptr addrspace(1) %at
  %by = trunc i64 %n to i32
  %new = mul i32 %old, %by
  store i32 %new, ptr addrspace(1) %at
  ret void
}
declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()
"""


@pytest.mark.parametrize("make", ALL)
def test_memory_kernels_and_their_order(make: Callable[[], Any]) -> None:
    driver, _ = make()
    a, b = driver.alloc(256), driver.alloc(256)
    assert a % 256 == b % 256 == 0 and a != b
    source = np.arange(64, dtype=np.int32)
    driver.upload(a, source.view(np.uint8))
    kernel = driver.kernel(driver.load(KERNEL), "twice")
    driver.launch(kernel, 1, 64, (a, -3, b))
    driver.copy(b, a, 256)
    driver.fill(a, 7, 8)
    driver.store(a + 8, (-5).to_bytes(8, "little", signed=True))
    driver.store(a + 16, b"\x01")
    driver.store(a + 18, b"\x02\x03")
    driver.synchronize()
    got = np.zeros(32, np.uint8)
    driver.download(got, a)
    assert got[:8].tolist() == [7] * 8 and got[8:16].view(np.int64)[0] == -5
    assert (got[16], got[18], got[19]) == (1, 2, 3)
    back = np.zeros(64, np.int32)
    driver.download(back.view(np.uint8), b)
    assert np.array_equal(back, source * -3)
    free, total = driver.memory()
    assert 0 < free < total and driver.pinned(100).nbytes == 100
    driver.free(a)
    driver.free(b)
    assert driver.memory()[0] > free


@pytest.mark.parametrize("make", FAKES)
def test_what_the_drivers_say_of_the_device(make: Callable[[], Any]) -> None:
    driver, fake = make()
    assert (driver.name, driver.language, driver.stream) == ("cuda0", "ptx", 55)
    assert driver.info.name == "Fake GPU" and driver.info.multiprocessors == 4 and driver.info.memory == 1 << 32
    assert driver.info.capability in ((8, 0), (9, 0)) and driver.info.version >= 12040
    assert fake.depth == 0, "the context of the thread is what it was"


ERRORS = {
    2: errors.DeviceMemoryError, 100: errors.NoDeviceError, 222: errors.DriverVersionError, 700: errors.DeviceLostError,
    1: errors.LaunchError,
}  # fmt: skip


@pytest.mark.parametrize("code", ERRORS)
@pytest.mark.parametrize("make", FAKES)
def test_errors_of_the_driver_are_classes_of_their_own(make: Callable[[], Any], code: int) -> None:
    driver, fake = make()
    fake.refuse(0 if isinstance(driver, PycudaDriver) else 1, code)  # the call after the context's
    with pytest.raises(ERRORS[code]) as caught:
        driver.alloc(256)
    assert type(caught.value) is ERRORS[code] and caught.value.advice in str(caught.value)
    assert isinstance(caught.value, errors.DeviceError) and fake.depth == 0


def test_every_class_of_error_says_what_to_do() -> None:
    classes = [getattr(errors, name) for name in dir(errors)]
    found = [c for c in classes if isinstance(c, type) and issubclass(c, errors.DeviceError)]
    assert len(found) == 8 and all(c.advice for c in found if c is not errors.DeviceError)
    assert len({c.advice for c in found}) == 8
    assert type(error_of(12345, "cuFoo failed")) is errors.LaunchError
    assert issubclass(errors.DeviceMemoryError, MemoryError)


def test_a_machine_without_pycuda_or_driver_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pycuda", None)
    with pytest.raises(errors.MissingDriverPackageError, match=r"pip install 'tensordsl\[gpu\]'.*cuda_driver=ctypes"):
        cuda_pycuda.load_pycuda()
    monkeypatch.setattr(cuda_library, "LIBRARY", "libnosuchcuda.so.1")
    with pytest.raises(errors.MissingDriverLibraryError, match="cannot be loaded.*device=cpu"):
        open_driver("cuda0", "ctypes")


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("libcuda.so.1: cannot open shared object file: No such file or directory", errors.MissingDriverLibraryError),
        ("_driver.so: undefined symbol: cuCtxCreate_v4", errors.DriverVersionError),
        ("libstdc++.so.6: version `GLIBCXX_3.4.29' not found", errors.MissingDriverPackageError),
    ],
)
def test_a_pycuda_that_does_not_load_says_why(monkeypatch: pytest.MonkeyPatch, words: str, kind: Any) -> None:
    class Finder:
        def find_spec(self, name: str, *_: Any) -> None:
            if name.startswith("pycuda"):
                raise ImportError(words)

    monkeypatch.setattr(sys, "meta_path", [Finder(), *sys.meta_path])
    with pytest.raises(kind) as caught:
        cuda_pycuda.load_pycuda()
    assert words in str(caught.value) and caught.value.advice in str(caught.value)


def test_a_driver_without_graphs_repeats_the_calls_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled_as_llvm(monkeypatch)
    library = FakeLibrary()
    del library.cuGraphInstantiateWithFlags
    driver = CtypesDriver(0, library)
    assert not driver.has_graphs()
    with tensordsl.config.change_flags(cuda_driver="ctypes"), device(driver):
        x = T.fvector("x")
        f = tensordsl.function([x], x * 2, device="cuda")
        assert [f(np.full(3, k, "float32")).tolist() for k in range(5)] == [[2.0 * k] * 3 for k in range(5)]
    assert "cuGraphLaunch" not in library.calls


def test_a_function_for_a_missing_gpu_is_refused_and_nothing_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda_library, "LIBRARY", "libnosuchcuda.so.1")
    x = T.vector("x")
    with tensordsl.config.change_flags(cuda_driver="ctypes"):
        with pytest.raises(errors.MissingDriverLibraryError):
            tensordsl.function([x], x + 1, device="cuda3")
        with pytest.raises(errors.MissingDriverLibraryError):
            tensordsl.shared(1.0, target="cuda3")


@pytest.mark.parametrize("make", [CtypesDriver, PycudaDriver])
def test_a_device_that_is_not_there(make: Any) -> None:
    with pytest.raises(errors.NoDeviceError, match="There is no cuda2: the driver sees 2 devices"):
        make(2, *((FakeLibrary(),) if make is CtypesDriver else (fake := FakePycuda(), fake.library)))


def test_names_of_devices() -> None:
    assert [device_name(n) for n in ("cuda", "gpu", "cuda0", "gpu1", "cuda12", "sim", "cpu")] == [
        "cuda0", "cuda0", "cuda0", "cuda1", "cuda12", "sim", "cpu",
    ]  # fmt: skip
    with pytest.raises(ValueError, match="unknown device 'tpu': there are cpu, cuda"):
        device_name("tpu")


@pytest.mark.parametrize("make", FAKES)
def test_functions_run_through_the_drivers_of_gpus(make: Callable[[], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole calls over the stand-ins: what they are asked for gives the right results."""
    compiled_as_llvm(monkeypatch)
    driver, fake = make()
    package = "ctypes" if isinstance(driver, CtypesDriver) else "pycuda"
    with tensordsl.config.change_flags(cuda_driver=package), device(driver):
        x, w = T.fmatrix("x"), tensordsl.shared(np.ones(3, "float32"), target="cuda")
        f = tensordsl.function([x], [T.exp(x).sum(axis=1), w * 2], updates=[(w, w + x.sum(axis=0))], device="gpu")
        data = np.random.default_rng(0).standard_normal((4, 3)).astype("float32")
        expected = np.ones(3, "float32")
        for _ in range(8):
            total, double = f(data)
            np.testing.assert_allclose(total, np.exp(data).sum(1), rtol=1e-6)
            np.testing.assert_allclose(double, 2 * expected, rtol=1e-6)
            expected = expected + data.sum(0)
            np.testing.assert_allclose(w.get_value(), expected, rtol=1e-5)
        assert isinstance(w.get_value(return_internal_type=True).__cuda_array_interface__, dict)
    assert fake.depth == 0 and fake.calls.count("cuGraphLaunch") == 3
    fake.sim.check()


def test_arrays_of_other_libraries_are_read_where_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled_as_llvm(monkeypatch)
    driver, fake = fake_ctypes()
    with tensordsl.config.change_flags(cuda_driver="ctypes"), device(driver):
        data = np.arange(6, dtype="float32").reshape(2, 3)
        held = to_device(data, "cuda")

        class Foreign:
            __cuda_array_interface__ = {
                **held.__cuda_array_interface__,
                "strides": (4, 8),
                "shape": (2, 3),
                "stream": 9,
            }

        x = T.fmatrix("x")
        f = tensordsl.function([x], x * 2, device="cuda")
        fake.calls.clear()
        assert f(Foreign()).tolist() == (2 * data.reshape(3, 2).T).tolist()
        assert "cuMemcpyHtoDAsync_v2" not in fake.calls and "cuStreamSynchronize" in fake.calls
        assert f(held).tolist() == (2 * data).tolist()
        assert held.__dlpack_device__() == (2, 0)


def test_a_gpu_is_not_used_in_a_forked_process(monkeypatch: pytest.MonkeyPatch) -> None:
    driver, _ = fake_ctypes()
    with tensordsl.config.change_flags(cuda_driver="ctypes"), device(driver):
        monkeypatch.setattr(get_device("cuda"), "_process", -1)
        with pytest.raises(errors.DeviceLostError, match="start method `spawn`"):
            tensordsl.function([], T.zeros(3), device="cuda")


def test_importing_and_asking_touches_no_cuda() -> None:
    program = """
import sys, ctypes
real = ctypes.CDLL.__init__
def init(self, name, *args, **kwargs):
    assert "cuda" not in str(name), name
    real(self, name, *args, **kwargs)
ctypes.CDLL.__init__ = init
import tensordsl, tensordsl.tensor as T
tensordsl.config.device = "cuda"
x = T.vector("x")
y = x + 1
tensordsl.config.device = "cpu"
tensordsl.function([x], y)([1.0])
assert not any(name.startswith(("pycuda", "tensordsl.runtime.driver")) for name in sys.modules), sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True)


# -- the pool
def test_bins_waste_at_most_a_quarter() -> None:
    for size in [*range(1, 3000), 10**6, 10**9 + 7]:
        room = bin_size(size)
        assert room >= size and (room - size <= room / 4 or room == 256) and bin_size(room) == room, size


def test_blocks_are_used_again_and_counted() -> None:
    pool = Pool(SimDriver())
    a, b = pool.take(1000), pool.take(1000)
    place = a.address
    del a
    assert pool.take(1010).address == place and pool.take(2000).address != place
    s = pool.statistics()
    assert (s.hits, s.misses, s.used, s.kept, s.peak) == (1, 3, 1024, 3072, 4096)
    pool.trim()
    assert pool.statistics().kept == 0 and pool.driver.memory()[0] == (1 << 32) - 1024
    del b


def test_memory_that_runs_out_is_asked_for_once_more() -> None:
    released: list[int] = []
    pool = Pool(SimDriver(memory=4096), lambda: released.append(1))
    kept = pool.take(2048)
    del kept
    big = pool.take(4000)
    assert released == [1] and pool.statistics().kept == 0
    with pytest.raises(errors.DeviceMemoryError, match="512 bytes wanted, 4096 in use"):
        pool.take(512)
    del big
    assert pool.take(512).size == 512


# -- the simulator as a device
def test_the_simulated_device_checks_every_access() -> None:
    driver = SimDriver()
    a = driver.alloc(256)
    assert (driver.view(a, 256) == 0xFF).all(), "fresh memory is poisoned"
    for wrong in (a - 1, a + 1, a + 256):
        with pytest.raises(errors.LaunchError, match="not in the simulated device's memory"):
            driver.fill(wrong, 0, 256)
    kernel = driver.kernel(driver.load(KERNEL), "twice")
    driver.launch(kernel, 1, 65, (a, 2, a))
    with pytest.raises(SimulationError, match="outside of a block of 256 bytes"):
        driver.check()
    with pytest.raises(SimulationError):
        driver.free(a)
