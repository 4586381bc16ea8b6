"""Makes docs/accuracy.md: the largest measured error of every function, and its time beside NumPy's in the same run.

Run as `python tools/measure_accuracy.py > docs/accuracy.md` (a minute; needs mpmath).  The arguments are those of
tests/codegen/math_oracles.py, more of them.
"""

from __future__ import annotations

import platform
import sys
import timeit
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm
import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "codegen"))
from math_oracles import LONG_DOUBLE, errors, grid, samples  # noqa: E402
from scalar_kernels import math_kernel  # noqa: E402

from tensordsl.codegen.evaluate import OPERATIONS  # noqa: E402
from tensordsl.codegen.math import ACCURACY  # noqa: E402
from tensordsl.codegen.scalar import ARITY, MATH  # noqa: E402

COUNT = 4096
WIDTHS = {"float64": 16, "float32": 32}
DOMAINS = {
    **dict.fromkeys(("log", "log2", "log10", "pow"), (0.1, 10.0)),
    **dict.fromkeys(("gammaln", "digamma"), (0.1, 20.0)),
    **dict.fromkeys(("arcsin", "arccos", "arctanh"), (-1.0, 1.0)),
    "log1p": (-0.9, 10.0),
    "arccosh": (1.0, 10.0),
}

HEAD = """# Accuracy of the vector mathematics

Made by `tools/measure_accuracy.py` on {cpu} (LLVM {llvm}, NumPy {numpy}; {W64} lanes of float64, {W32} of float32).

`bound` is the contract (`ACCURACY` in `codegen/math`), `max` the largest error found, in units of the result's last
place, over special values, random bit patterns, uniform and geometric arguments, judged by 80-bit or 120-bit
arithmetic.  Special values (nan, infinities, zeros with their signs, overflow) are as C99 Annex F has them.  For
gammaln and digamma a unit is at least eps |x f'(x)|, and for negative arguments eps times the parts of the reflection.

`ns` is the time per element over {count} elements in one thread, `NumPy` that of NumPy's function in the same run
(sigmoid and softplus as expressions; a dash: NumPy has no such function).  Results do not depend on the number of
lanes, and the same operations run on every target with a fused multiply-add.  sin, cos and tan of arguments beyond 2^27
(float32: 2^17) take about 50 ns each.

| function | float64 bound | max | ns | NumPy | float32 bound | max | ns | NumPy |
|---|---|---|---|---|---|---|---|---|"""


def largest_error(name: str, dtype: str) -> float:
    kernel = math_kernel(name, dtype, WIDTHS[dtype])
    sets = [samples(name, dtype, 200_000 if name in LONG_DOUBLE else 3_000, seed=1)]
    if ARITY[name] == 2:
        sets.append(grid(dtype))
    return max(float(errors(name, dtype, x, kernel(*x)).max()) for x in sets)


def nanoseconds(name: str, dtype: str) -> tuple[float, float | None]:
    rng = np.random.default_rng(0)
    low, high = DOMAINS.get(name, (-4.0, 4.0))
    x = [rng.uniform(low, high, COUNT).astype(dtype)] + [rng.uniform(-4, 4, COUNT).astype(dtype)] * (ARITY[name] - 1)
    out = np.empty(COUNT, dtype)
    function = math_kernel(name, dtype, WIDTHS[dtype]).function
    pointers = [a.ctypes.data for a in (out, *x)]
    peer = OPERATIONS[name] if name in LONG_DOUBLE else None
    return best(lambda: function(*pointers, COUNT)), best(lambda: peer(*x)) if peer else None


def best(function: Any) -> float:
    return min(timeit.repeat(function, number=10, repeat=30)) / 10 / COUNT * 1e9


def main() -> None:
    with np.errstate(all="ignore"):
        versions = {"llvm": ".".join(map(str, llvm.llvm_version_info)), "numpy": np.__version__}
        cpu = f"{llvm.get_host_cpu_name()} ({platform.machine()})"
        print(HEAD.format(cpu=cpu, count=COUNT, W64=WIDTHS["float64"], W32=WIDTHS["float32"], **versions))
        for name in MATH:
            cells = [name]
            for dtype in ("float64", "float32"):
                own, peer = nanoseconds(name, dtype)
                error = largest_error(name, dtype)
                cells += [f"{ACCURACY[name][dtype]:g}", f"{error:.2f}", f"{own:.2f}", f"{peer:.2f}" if peer else "-"]
            print("| " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
