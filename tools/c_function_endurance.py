"""How a C function bears being called: time, threads, memory.  `python tools/c_function_endurance.py [CALLS] [THREADS]`.

The function is the log-density of eight schools with its gradient, of nutpie's signature; a native loop calls it, without
the interpreter.  Prints processor time of a call, the speed of several threads beside one, and the memory before and after.
Under valgrind: `valgrind --suppressions=tools/valgrind.supp python tools/c_function_endurance.py 1000 2`, with the variables that
`tools/memcheck.sh` sets.
"""

from __future__ import annotations

import ctypes
import resource
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import tensordsl
import tensordsl.tensor as T
from tensordsl.codegen.llvm.compile import compile_object
from tensordsl.functions.c_functions import CFunction
from tensordsl.runtime.calls.c_entry import load_entry

EFFECTS = np.array([28.0, 8, -3, 7, -1, 1, 18, 12])
ERRORS = np.array([15.0, 10, 16, 11, 9, 11, 10, 18])
LOOP = """
define i64 @calls(ptr %f, i64 %n, i64 %dim, ptr %x, ptr %gradient, ptr %value, ptr %handle) {
entry:
  br label %loop
loop:
  %k = phi i64 [0, %entry], [%next, %loop]
  %bad = phi i64 [0, %entry], [%sum, %loop]
  %status = call i64 %f(i64 %dim, ptr %x, ptr %gradient, ptr %value, ptr %handle)
  %sum = or i64 %bad, %status
  %next = add i64 %k, 1
  %more = icmp slt i64 %next, %n
  br i1 %more, label %loop, label %end
end:
  ret i64 %sum
}
"""


def density() -> CFunction:
    """Of mu ~ N(0, 5), log tau of HalfCauchy(5), eight N(0, 1): what PyMC's centred-at-zero model has."""
    x = T.dvector("x")
    mu, log_tau, eta = x[0], x[1], x[2:]
    tau = T.exp(log_tau)
    prior = -((mu / 5) ** 2) / 2 - T.log1p((tau / 5) ** 2) + log_tau - (eta**2).sum() / 2
    logp = prior - (((EFFECTS - mu - tau * eta) / ERRORS) ** 2).sum() / 2
    return tensordsl.function([x], [logp, T.grad(logp, x)], name="eight_schools").c_function("nutpie.logp")


def caller(c: CFunction) -> Callable[[int], int]:
    """A function that makes so many calls, from any thread, and gives the statuses that were."""
    address, code = load_entry(compile_object(LOOP, 2), "calls")
    kinds = (ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, *[ctypes.c_void_p] * 4)
    loop = ctypes.CFUNCTYPE(ctypes.c_int64, *kinds)(address)

    def run(calls: int, keep: object = (c, code)) -> int:
        point, gradient, value = np.full(10, 0.1), np.zeros(10), np.zeros(1)
        places = (v.ctypes.data for v in (point, gradient, value))
        return int(loop(c.address, calls, 10, *places, c.handle))

    return run


def resident_bytes() -> int:
    pages = Path("/proc/self/statm")
    return int(pages.read_text().split()[1]) * 4096 if pages.exists() else 0


def processor_seconds(work: Callable[[], object]) -> float:
    start = time.thread_time()
    work()
    return time.thread_time() - start


def together(run: Callable[[int], int], calls: int, threads: int) -> tuple[float, float, int]:
    """Of so many threads that make so many calls each at once: seconds until all are done, the most processor time of one,
    and how often one waited for anything."""
    seconds, waits = [], []
    gate = threading.Barrier(threads)

    def work() -> None:
        gate.wait()
        start = resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw
        seconds.append(processor_seconds(lambda: run(calls)))
        waits.append(resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw - start)

    workers = [threading.Thread(target=work) for _ in range(threads)]
    start = time.perf_counter()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return time.perf_counter() - start, max(seconds), sum(waits)


def main(calls: int, threads: int) -> None:
    run = caller(density())
    assert run(10) == 0
    part = max(calls // 100, 1)
    best = min(processor_seconds(lambda: run(part)) for _ in range(20)) / part
    print(f"a call, value and gradient: {best * 1e9:.0f} ns of processor time (the least of 20 times {part} calls)")
    alone = [together(run, part, 1) for _ in range(10)]
    at_once = [together(run, part, threads) for _ in range(10)]
    wall, processor = (threads * min(a[k] for a in alone) / min(b[k] for b in at_once) for k in (0, 1))
    print(
        f"{threads} threads on one function, beside one: {processor:.2f} times the calls by their processor time, {wall:.2f} by "
        f"the clock of this machine; {sum(b[2] for b in at_once)} waits in {10 * threads * part} calls"
    )
    before = resident_bytes()
    bad = run(calls)
    grown = resident_bytes() - before
    print(f"{calls} calls: statuses {bad}, memory grows by {grown} bytes of {before}")


if __name__ == "__main__":
    main(*(int(v) for v in (*sys.argv[1:], *("10000000", "2")[len(sys.argv) - 1 :])))
