"""Compares every function of one float32 argument with float64 at all 2^32 arguments; prints a table of the results.

Run as `python tools/exhaustive_float32.py [function ...] > table.md` (half a minute each; progress goes to stderr).
Monotonic functions are also searched for neighbouring arguments whose results are in the wrong order.
The judge is our own float64 function, which `tests/codegen/scalar_ir/test_math.py` and `tools/measure_accuracy.py` check against
long double and mpmath: it errs by a few 2^-29 of an ulp of float32.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "support"))
from scalar_kernels import Kernel  # noqa: E402

from tensordsl.codegen.scalar_ir.builder import Builder, Val  # noqa: E402
from tensordsl.codegen.scalar_ir.math import FUNCTIONS  # noqa: E402
from tensordsl.codegen.scalar_ir.math.function import FALLING  # noqa: E402

CHUNK = 1 << 16  # what the caches hold
UNARY = [name for name, f in FUNCTIONS.items() if f.arity == 1]


def error(b: Builder, name: str, x: Val) -> Val:
    """|y - exact| in units of float32's last place at `exact`; infinite where special results differ."""
    y, exact = b.cast(b.call(name, x), "float64"), b.call(name, b.cast(x, "float64"))
    binade = b.bitcast(b.and_(b.bitcast(exact, "int64"), 0x7FF << 52), "float64")
    binade = b.minimum(b.maximum(binade, 2.0**-126), 2.0**1000)
    reciprocal = b.bitcast(b.sub(2046 << 52, b.bitcast(binade, "int64")), "float64")
    result = b.mul(b.mul(b.abs(b.sub(y, exact)), 2.0**23), reciprocal)
    rounded = b.cast(b.cast(exact, "float32"), "float64")
    same = b.or_(b.eq(y, rounded), b.and_(b.isnan(y), b.isnan(exact)))  # nan, infinities, overflow
    special = b.select(same, b.const(0.0, "float64"), b.const(float("inf"), "float64"))
    return b.cast(b.select(b.lt(result, float("inf")), result, special), "float32")


def step_back(b: Builder, name: str, x: Val) -> Val:
    """By how many floats the results at x and at its neighbour are in the wrong order; 0 where one is a nan."""

    def place(y: Val) -> Val:  # the order of floats as that of integers
        bits = b.bitcast(y, "int32")
        return b.cast(b.select(b.lt(bits, 0), b.sub(-(1 << 31), bits), bits), "int64")

    y = b.call(name, x)
    neighbour = b.call(name, b.bitcast(b.add(b.bitcast(x, "int32"), 1), "float32"))  # farther from 0
    back = b.cast(b.sub(place(y), place(neighbour)), "float32")
    is_falling = FUNCTIONS[name].monotonic == FALLING
    rising = b.lt(b.bitcast(x, "int32"), 0) if is_falling else b.ge(b.bitcast(x, "int32"), 0)
    back = b.select(rising, back, b.neg(back))
    return b.select(b.or_(b.isnan(y), b.isnan(neighbour)), 0.0, back)


def examine(name: str, make: Callable[[Builder, str, Val], Val]) -> tuple[float, float, int]:
    """(the largest value, where, arguments with a value above a half)"""
    kernel = Kernel(["float32"], lambda b, x: make(b, name, x), 32)
    bits, found = np.arange(CHUNK, dtype="uint32"), np.empty(CHUNK, "float32")
    x, pointers = bits.view("float32"), (found.ctypes.data, bits.ctypes.data)
    worst, where, above = -1.0, 0.0, 0
    for _ in range(0, 1 << 32, CHUNK):
        kernel.function(*pointers, CHUNK)
        above += int(np.count_nonzero(found > 0.5))
        at = int(found.argmax())
        if found[at] > worst:
            worst, where = float(found[at]), float(x[at])
        bits += CHUNK
    return worst, where, above


def steps_back(name: str) -> str:
    """Of a monotonic function: how many neighbours' results are in the wrong order, and by how many floats at most."""
    if not FUNCTIONS[name].monotonic:
        return "-"
    worst, _, count = examine(name, step_back)
    return f"{count}, by {worst:.0f}" if count else "none"


def main() -> int:
    names, bad = sys.argv[1:] or UNARY, 0
    print("| function | bound | largest error | at | not the nearest | steps back |\n|---|---|---|---|---|---|")
    with np.errstate(all="ignore"):
        for i, name in enumerate(names):
            start = time.monotonic()
            worst, where, inexact = examine(name, error)
            bound = FUNCTIONS[name].accuracy["float32"]
            back = steps_back(name)
            bad += worst > bound or (not FUNCTIONS[name].steps_back and back not in ("-", "none"))
            cells = [name, f"{bound:g}", f"{worst:.3f}", repr(where), f"{inexact / 2**32:.2%}", back]
            print(f"| {' | '.join(cells)} |", flush=True)
            print(f"{i + 1}/{len(names)} {name} {time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
