"""Arguments that another thread writes to while a call that has released the interpreter's lock reads them."""

from __future__ import annotations

import subprocess
import sys

# For each dtype of indices: a number out of range, written and taken back while elements at indices are added up.
PROGRAM = """
import threading, time
import numpy as np, tensordsl, tensordsl.tensor as T

def race(dtype, wrong):
    x, i = T.dvector(), T.TensorType(dtype, (False,))()
    outs = (x[i] * 2).sum(), x[i] * 2, x.reshape((4, -1))[:, i]
    functions = [tensordsl.function([x, i], out) for out in outs]
    good, bad = (np.arange(200_000) % 100).astype(dtype), np.full(200_000, wrong, dtype)
    table, indices, running = np.ones(400), good.copy(), [True]

    def write():
        while running:
            np.copyto(indices, bad)
            np.copyto(indices, good)

    writer = threading.Thread(target=write)
    writer.start()
    end = time.monotonic() + 0.5
    while time.monotonic() < end:
        for f in functions:
            try:
                f(table, indices)
            except IndexError:
                pass
    running.clear()
    writer.join()

race("int64", 1 << 40)
race("int32", 1 << 30)
"""


def test_indices_that_change_after_they_were_checked_reach_no_other_memory() -> None:
    assert subprocess.run([sys.executable, "-c", PROGRAM]).returncode == 0
