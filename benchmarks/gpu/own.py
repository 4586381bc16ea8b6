"""What `benchmarks.gpu` measures of tensordsl alone: bandwidth, launches, and compiling, which needs no GPU."""

from __future__ import annotations

import itertools
import tempfile
import time
from collections.abc import Callable
from typing import Any

from benchmarks.gpu.peers import WORKLOADS, Workload, workload_function
from benchmarks.gpu_idle import ten_kernels

COPIED = 256 << 20  # bytes of the copy that bandwidths are compared with
TARGET_COLD, TARGET_WARM = 25.0, 2.0  # ms of processor time to PTX


def device_seconds(device: Any, work: Callable[[], None], count: int, rounds: int) -> float:
    """Seconds on the device of `work`, started `count` times in a row without waiting; the best of `rounds`."""
    best = float("inf")
    for _ in range(rounds):
        device.driver.synchronize()
        start = time.perf_counter()
        for _ in range(count):
            work()
        device.driver.synchronize()
        best = min(best, (time.perf_counter() - start) / count)
    return best


def copy_bandwidth(device: Any, is_quick: bool) -> float:
    """Bytes read and written a second by a copy within the device."""
    size = 1 << 16 if is_quick else COPIED
    a, b = device.pool.take(size), device.pool.take(size)

    def work() -> None:
        device.driver.copy(b.address, a.address, size)

    return 2 * size / device_seconds(device, work, 2 if is_quick else 20, 2 if is_quick else 10)


def repeated(f: Any, arguments: list[Any], device: Any) -> tuple[Callable[[], None], int]:
    """(what starts on the device what a recorded call of a function does, without copies of outputs and waiting; how
    many kernels that are)."""
    before = _recordings()
    for _ in range(4):
        f(*arguments)
    replay = next((r for r in _recordings() if not any(r is other for other in before)), None)
    if replay is None:  # it has steps of the host
        return lambda: f(*arguments), 0
    driver, kernels = device.driver, sum(call.name == "launch" for call in replay.calls)
    if replay.graph is not None:
        return lambda: driver.launch_graph(replay.graph), kernels
    return replay.start, kernels


def _recordings() -> list[Any]:
    from tensordsl.functions import devices

    return [r for made in devices._programs.values() for some in made.seen.values() for r in some or ()]


def bandwidth_table(name: str, is_quick: bool) -> list[str]:
    """Rows of the workloads that memory limits: on the device, and their share of the bandwidth of a copy."""
    from tensordsl.functions.devices import get_device

    device = get_device(name)
    copied = copy_bandwidth(device, is_quick)
    lines = [
        "| limited by memory | on the device | bandwidth | of a copy's | wanted |", "| --- | --- | --- | --- | --- |",
        f"| copy of {COPIED >> 20} MiB | | {copied / 1e9:.0f} GB/s | 100 % | |",
    ]  # fmt: skip
    for number, w in enumerate(WORKLOADS):
        if w.traffic:
            lines.append(_bandwidth_row(number, w, device, copied, is_quick))
    return lines


def _bandwidth_row(number: int, w: Workload, device: Any, copied: float, is_quick: bool) -> str:
    operands = w.operands(w.quick if is_quick else w.n)
    f, arguments = workload_function(number, operands, device.name)
    work, _ = repeated(f, arguments, device)
    seconds = device_seconds(device, work, 2 if is_quick else 50, 2 if is_quick else 10)
    bandwidth = w.traffic * operands[0].nbytes / seconds
    wanted = f"{100 * w.floor:.0f} %: {'met' if bandwidth >= w.floor * copied else 'missed'}" if w.floor else ""
    share = f"{100 * bandwidth / copied:.0f} %"
    return (
        f"| {w.name}, {operands[0].shape} | {1e6 * seconds:.1f} us | {bandwidth / 1e9:.0f} GB/s | {share} | {wanted} |"
    )


def launch_rows(name: str, is_quick: bool) -> list[str]:
    """What it costs the host to start a function of ten kernels, and to call it."""
    from tensordsl.functions.devices import get_device, to_device

    device = get_device(name)
    f, [argument] = ten_kernels(name, to_device)
    work, kernels = repeated(f, [argument], device)
    count = 2 if is_quick else 200
    best = called = float("inf")
    for _ in range(2 if is_quick else 20):
        device.driver.synchronize()
        start = time.perf_counter()
        for _ in range(count):
            work()
        best = min(best, (time.perf_counter() - start) / count)
        device.driver.synchronize()
        start = time.perf_counter()
        for _ in range(count):
            f(argument)
        called = min(called, (time.perf_counter() - start) / count)
    return [
        f"Starting the graph of a function of {kernels} kernels takes the host {1e6 * best:.1f} us (from Python), a "
        f"whole call, which waits for it, {1e6 * called:.1f} us (wanted: 3 us to start it)."
    ]


# -- compiling ---------------------------------------------------------------------------------------------------------
def compile_seconds(rounds: int) -> tuple[float, float]:
    """Processor time to make a function of ten operations for sm_90: to its PTX, and where the disk cache has it.

    The driver takes the text and does nothing with it, so no GPU is needed.
    """
    import tensordsl
    from tensordsl.runtime.device.device import use_driver
    from tensordsl.runtime.driver.protocol import DeviceInfo
    from tensordsl.runtime.driver.simulated import SimDriver

    class Silent(SimDriver):
        language = "ptx"

        def load(self, text: str) -> Any:
            assert text.startswith("//") and ".entry" in text
            return None

        def unload(self, module: Any) -> None:
            pass

        def kernel(self, module: Any, name: str) -> Any:
            return None

    driver = Silent()
    driver.name, driver.info = "cuda0", DeviceInfo("none", (9, 0), 132, 1 << 32, 13000)
    undo = use_driver(driver)
    numbers = itertools.count(2)
    try:
        with tempfile.TemporaryDirectory() as folder, tensordsl.config.change_flags(compiledir=folder):
            _ten_operations(1)  # imports
            cold, warm = [], []
            for number in itertools.islice(numbers, rounds):
                cold.append(_ten_operations(number))
                warm.append(_ten_operations(number))
    finally:
        undo()
    return min(cold), min(warm)


def _ten_operations(number: int) -> float:
    """Seconds of processor time; no two numbers give the same kernels."""
    import tensordsl
    import tensordsl.tensor as T

    x, y = T.fmatrix("x"), T.fmatrix("y")
    z = T.tanh(x * y + number) * T.exp(-x) - y / 2
    z = T.maximum(z, x) + T.sqrt(abs(y))
    start = time.process_time()
    tensordsl.function([x, y], z, device="cuda0")
    return time.process_time() - start


def compile_row(is_quick: bool) -> str:
    cold, warm = (1e3 * t for t in compile_seconds(2 if is_quick else 15))
    return (
        f"Ten operations to PTX: {cold:.1f} ms of processor time (wanted: {TARGET_COLD:.0f}); from the disk cache "
        f"{warm:.2f} ms (wanted: {TARGET_WARM:.0f})."
    )
