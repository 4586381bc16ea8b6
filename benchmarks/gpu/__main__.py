"""GPU workloads beside cupy, torch and jax: `python -m benchmarks.gpu [--device cuda] [--quick] [--markdown FILE]`.

Every peer that can be imported and sees the GPU takes part; results are checked against NumPy.  Times are wall clock of
one call with its synchronisation, the minimum over interleaved rounds; operands are on the device before.  What memory
limits is also timed on the device alone, against a copy.  Compiling is measured without a GPU as well.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import gpu_idle
from benchmarks.gpu import own
from benchmarks.gpu.peers import NETWORKS, PEERS, WORKLOADS, Call, Peer, data_of, first_cost

ROUNDS, CALLS = 20, 20
TOLERANCE = 2e-3  # float32, sums of 4096 terms in any order


def as_numpy(result: Any) -> np.ndarray:
    """The result of any peer on the host."""
    for name in ("get", "cpu"):
        if hasattr(result, name):
            return np.asarray(getattr(result, name)())
    return np.asarray(result)


def measure(calls: dict[str, Call], rounds: int, count: int) -> dict[str, float]:
    """Seconds of a call: the minimum over interleaved rounds of the mean of `count` calls."""
    best = dict.fromkeys(calls, float("inf"))
    for _ in range(rounds):
        for name, call in calls.items():
            start = time.perf_counter()
            for _ in range(count):
                call()
            best[name] = min(best[name], (time.perf_counter() - start) / count)
    return best


def peers_on(device: str) -> tuple[dict[str, Peer], dict[str, str]]:
    """(what takes part, why the others do not)."""
    present, absent = {}, {}
    for name, make in PEERS.items():
        try:
            present[name] = make(device)
        except Exception as error:  # whatever keeps a library from a GPU is a line of the report
            absent[name] = _words(error)
    return present, absent


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"


def ready(
    present: dict[str, Peer], make: Callable[[Peer], Call], expected: np.ndarray, notes: list[str], what: str
) -> dict[str, Call]:
    """What each peer calls, once its first result is right; a peer that fails is a note, and ours an error."""
    calls = {}
    for name, peer in present.items():
        try:
            call = make(peer)
            first = as_numpy(call())
            for _ in range(4):  # compile, record
                call()
        except NotImplementedError:
            continue
        except Exception as error:
            if name == "tensordsl":
                raise
            notes.append(f"{name} fails in {what}: {_words(error)}")
            continue
        np.testing.assert_allclose(first, expected, rtol=TOLERANCE, atol=TOLERANCE, err_msg=f"{name}, {what}")
        calls[name] = call
    return calls


def table(present: dict[str, Peer], is_quick: bool, notes: list[str]) -> list[str]:
    """A row per workload and network."""
    lines = ["| | " + " | ".join(present) + " |", "|" + " --- |" * (len(present) + 1)]

    def row(what: str, make: Callable[[Peer], Call], expected: np.ndarray) -> None:
        calls = ready(present, make, expected, notes, what)
        times = measure(calls, 2 if is_quick else ROUNDS, 2 if is_quick else CALLS)
        cells = [f"{1e6 * times[name]:.1f} us" if name in times else "" for name in present]
        lines.append(f"| {what} | " + " | ".join(cells) + " |")

    for number, w in enumerate(WORKLOADS):
        operands = w.operands(w.quick if is_quick else w.n)
        row(
            f"{w.name}, {operands[0].shape}",
            lambda peer, number=number, operands=operands: peer.workload(number, operands),  # type: ignore[misc]
            w.numpy(*operands),
        )
    for network in NETWORKS:
        data = data_of(*((network.quick, 8) if is_quick else (network.sizes, network.batch)))
        row(network.name, lambda peer, data=data: peer.network(*data), np.asarray(first_cost(*data)))  # type: ignore[misc]
    return lines


def report(device: str, is_quick: bool) -> list[str]:
    """The page's lines; without the device: what can be said all the same."""
    present, absent = peers_on(device)
    notes = [f"{name} is left out: {why}" for name, why in absent.items()]
    lines = [own.compile_row(is_quick), *gpu_idle.call_rows(is_quick)]
    if "tensordsl" not in present:
        return [*notes, f"nothing is measured on it: there is no device {device}", *lines]
    from tensordsl.config import config
    from tensordsl.functions.devices import get_device

    info = get_device(device).driver.info
    major, minor = info.capability
    head = (
        f"Measured on one {info.name} (sm_{major}{minor}, {info.multiprocessors} multiprocessors, "
        f"{info.memory / 2**30:.0f} GiB, CUDA {info.version // 1000}.{info.version % 1000 // 10} of the driver, "
        f"cuda_driver={config.cuda_driver}) by `python -m benchmarks.gpu --device {device}`; times of a call with its "
        "wait, float32."
    )
    tables = table(present, is_quick, notes)
    bandwidth = own.bandwidth_table(device, is_quick)
    return [head, "", *tables, "", *bandwidth, "", *own.launch_rows(device, is_quick), "", *lines, "", *notes]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    parser.add_argument("--device", default="cuda", help="ours: cuda, cuda1, ..., or sim (which says nothing of speed)")
    parser.add_argument("--quick", action="store_true", help="small operands, few rounds")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write it there, between the markers of a page")
    chosen = parser.parse_args(arguments)
    lines = report(chosen.device, chosen.quick)
    print("\n".join(lines))
    if chosen.markdown and any(line.startswith("Measured on") for line in lines):
        from benchmarks.__main__ import write_table

        write_table(chosen.markdown, "\n".join(lines).rstrip() + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
