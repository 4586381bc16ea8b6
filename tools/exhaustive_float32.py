"""Compares every function of one float32 argument with float64 at all 2^32 arguments; prints a table of the results.

Run as `python tools/exhaustive_float32.py [function ...] > table.md` (half a minute each; progress goes to stderr).
The judge is our own float64 function, which `tests/codegen/test_math.py` and `tools/measure_accuracy.py` check against
long double and mpmath: it errs by a few 2^-29 of an ulp of float32.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "codegen"))
from scalar_kernels import Kernel  # noqa: E402

from tensordsl.codegen.math import ACCURACY  # noqa: E402
from tensordsl.codegen.scalar import ARITY, MATH, Builder, Val  # noqa: E402

CHUNK = 1 << 16  # what the caches hold
FUNCTIONS = [name for name in MATH if ARITY[name] == 1]


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


def examine(name: str) -> tuple[float, float, int]:
    """(the largest error, where, arguments whose result is not the nearest float32)"""
    kernel = Kernel(["float32"], lambda b, x: error(b, name, x), 32)
    bits, found = np.arange(CHUNK, dtype="uint32"), np.empty(CHUNK, "float32")
    x, pointers = bits.view("float32"), (found.ctypes.data, bits.ctypes.data)
    worst, where, inexact = -1.0, 0.0, 0
    for _ in range(0, 1 << 32, CHUNK):
        kernel.function(*pointers, CHUNK)
        inexact += int(np.count_nonzero(found > 0.5))
        at = int(found.argmax())
        if found[at] > worst:
            worst, where = float(found[at]), float(x[at])
        bits += CHUNK
    return worst, where, inexact


def main() -> int:
    names, bad = sys.argv[1:] or FUNCTIONS, 0
    print("| function | bound | largest error | at | not the nearest |\n|---|---|---|---|---|")
    with np.errstate(all="ignore"):
        for i, name in enumerate(names):
            start = time.monotonic()
            worst, where, inexact = examine(name)
            bound = ACCURACY[name]["float32"]
            bad += worst > bound
            print(f"| {name} | {bound:g} | {worst:.3f} | {where!r} | {inexact / 2**32:.2%} |", flush=True)
            print(f"{i + 1}/{len(names)} {name} {time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
