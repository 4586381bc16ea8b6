"""The least that the machine takes, beside which ours can be seen: a hand-written triad for one that is given its
result, and of a step of training the matrix products alone, by NumPy's BLAS."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from benchmarks.baselines.triad import aligned, triads
from benchmarks.workloads.foundation import Call, Data
from benchmarks.workloads.peers import CASES

PACKAGES = ("numpy",)


def warm_up() -> None:
    np.ones((2, 2)) @ np.ones((2, 2))


def triad(data: Data) -> Call:
    """With the kind of stores that is faster at this size, on arrays that begin with a cache line."""
    arrays = [aligned(len(x)) for x in data]
    for mine, given in zip(arrays, data, strict=True):
        mine[:] = given
    arguments = (*(x.ctypes.data for x in arrays), len(arrays[0]), 1)

    def seconds(kernel: Any) -> float:
        start = time.perf_counter()
        kernel(*arguments)
        return time.perf_counter() - start

    kernels = triads()
    taken = [min(seconds(kernel) for _ in range(10)) for kernel in kernels]
    best = kernels[taken.index(min(taken))]
    return Call("f(*arguments)", {"f": best, "arguments": arguments}, lambda: arrays[0])


def products(data: Data) -> Call:
    """Of the step of `mlp`: forward, and by its weights and hidden values."""
    w1, _, w2, _, x, y = data
    hidden, scores, inner = x @ w1, np.empty((len(x), w2.shape[1]), x.dtype), np.empty((len(x), len(w2)), x.dtype)
    by_w1, by_w2 = np.empty_like(w1), np.empty_like(w2)

    def step() -> None:
        np.dot(x, w1, hidden)
        np.dot(hidden, w2, scores)
        np.dot(scores, w2.T, inner)
        np.dot(x.T, inner, by_w1)
        np.dot(hidden.T, scores, by_w2)

    return Call("step()", {"step": step}, is_compared=False)


BUILD = {
    case.name: triad if case.name.startswith("b.triad_out") else products
    for case in CASES
    if case.name.startswith(("b.triad_out", "g.mlp"))
}
