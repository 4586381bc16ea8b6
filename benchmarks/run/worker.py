"""One library in a process of its own: reads commands as JSON lines, answers each with one JSON line.

`python -m benchmarks.run.worker PEER`. Commands: probe, check, time, compile, memory; see `COMMANDS`.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
import timeit
from collections.abc import Callable
from importlib import metadata
from types import ModuleType
from typing import Any

import numpy as np

from benchmarks.peers import THREADS
from benchmarks.workloads.foundation import Call
from benchmarks.workloads.suites import BY_NAME

CALLS: dict[str, Call] = {}
BATCHES = 5
SHORT = 0.001  # seconds of a batch of processor time
UNBOUNDED = ("jax",)  # peers that take a thread for each core whatever they are told: they get as many cores
SAMPLE = 2000  # numbers of one array that are compared one by one


def flat(value: Any) -> list[float]:
    """The numbers of a result, of one array or of several; of a large array a sample and the mean."""
    numbers: list[float] = []
    for part in value if isinstance(value, list | tuple) else [value]:
        array = np.asarray(part).ravel()
        step = -(-array.size // SAMPLE)
        if step > 1:
            numbers.append(float(array.mean(dtype=np.float64)))
        numbers += map(float, array[:: max(step, 1)])
    return numbers


def build(peer: ModuleType, workload: str) -> Call:
    call: Call = peer.BUILD[BY_NAME[workload].built](BY_NAME[workload].make())
    return call


def probe(peer: ModuleType) -> dict[str, Any]:
    """Which workloads the adapter has, and the versions of what it uses."""
    versions = {}
    for package in peer.PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = "unknown"
    return {"workloads": sorted(peer.BUILD), "versions": versions}


def check(peer: ModuleType, workload: str) -> dict[str, Any]:
    """The result of the first call, or None if there is nothing to compare; the built call is kept for `time`."""
    call = CALLS[workload] = build(peer, workload)
    value = call.evaluate()
    return {"result": flat(value) if call.is_compared else None}


def measure(peer: ModuleType, workload: str, seconds: float, processor: bool = False) -> dict[str, Any]:
    """Seconds per call, the minimum of batches that take about `seconds` together: a few or, of processor time, many
    short ones, some of which nobody disturbs."""
    call, batches = CALLS[workload], int(seconds / SHORT) if processor else BATCHES
    clock = time.process_time if processor else time.perf_counter
    timer = timeit.Timer(call.statement, timer=clock, globals=dict(call.names))
    number = 1
    while (taken := timer.timeit(number)) < seconds / batches / 4:
        number *= 2
    number = max(1, int(number * seconds / batches / taken))
    return {"value": min(timer.repeat(batches, number)) / number}


def compile_once(peer: ModuleType, workload: str, state: str = "cold") -> dict[str, Any]:
    """CPU seconds (all threads of the process) from the first symbol to the first result.

    warm: of the second time in this process, which finds the code on disk: the adapter's `forget`, if it has one,
    drops what the process itself kept.
    """
    make, data = peer.BUILD[BY_NAME[workload].built], BY_NAME[workload].make()
    peer.warm_up()
    if state == "warm":
        make(data).evaluate()
        getattr(peer, "forget", lambda: None)()
    wall, start = time.perf_counter(), time.process_time()
    value = make(data).evaluate()
    seconds, wall = time.process_time() - start, time.perf_counter() - wall
    return {"value": seconds, "wall": wall, "result": flat(value)}


def resident(field: str) -> int:
    """`VmRSS` (memory now) or `VmHWM` (its maximum) in bytes."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith(field))


def memory(peer: ModuleType, workload: str) -> dict[str, Any]:
    """Peak growth during the first call on the workload's large operands, less the result, in its unit.

    An adapter whose arrays are not NumPy's names the conversion `put` in its `Call`. The function's own figure for its
    scratch memory is taken where it reports a larger one (`arena_bytes`): it may have been there before.
    """
    call = build(peer, workload)
    call.evaluate()
    put = call.names.get("put", lambda value: value)
    call.names.update({name: put(value) for name, value in BY_NAME[workload].large().items()})
    with open("/proc/self/clear_refs", "w") as reset:
        reset.write("5")
    before = resident("VmRSS")
    value = call.evaluate()
    results = value if isinstance(value, list | tuple) else [value]
    growth = resident("VmHWM") - before - sum(np.asarray(result).nbytes for result in results)
    arena = getattr(call.names.get("f"), "arena_bytes", None)
    return {
        "value": max(growth, arena or 0, 0) / BY_NAME[workload].unit,
        "arena_bytes": arena,
        "result": flat(value)[:1000],
    }


def triad(peer: ModuleType, processor: bool = False) -> dict[str, Any]:
    """The machine's bandwidth, whatever the peer: bytes touched -> bytes per second."""
    from benchmarks.baselines.triad import bandwidth

    return {"bandwidth": bandwidth(time.process_time if processor else time.perf_counter)}


COMMANDS: dict[str, Callable[..., dict[str, Any]]] = {
    "probe": probe,
    "check": check,
    "time": measure,
    "compile": compile_once,
    "memory": memory,
    "triad": triad,
}


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints must not mix with the answers
    if sys.argv[1] in UNBOUNDED and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-THREADS:])
    peer: ModuleType | None = None
    for line in sys.stdin:
        command = json.loads(line)
        try:
            peer = peer or importlib.import_module(f"benchmarks.peers.{sys.argv[1]}")
            answer = COMMANDS[command.pop("do")](peer, **command)
        except Exception as error:  # any failure of a library is a finding to report, not the end of the run
            answer = {"error": f"{type(error).__name__}: {error}".splitlines()[0][:300]}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
