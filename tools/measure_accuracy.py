"""Makes docs/accuracy.md: the largest measured error of every function, and its time beside its peers' in one run.

Run as `python tools/measure_accuracy.py [--jax PYTHON] [--exhaustive TABLE]` (minutes; needs mpmath).  The page is
written when all is measured, in one step: who reads it meanwhile finds the old one.
The arguments are those of tests/support/math_oracles.py, more of them.  PYTHON is an interpreter that has JAX, TABLE
the output of tools/exhaustive_float32.py, which is appended.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
import timeit
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm
import numpy as np

sys.path[:0] = [str(Path(__file__).parent.parent), str(Path(__file__).parent.parent / "tests" / "support")]
from math_oracles import errors, grid, samples  # noqa: E402
from scalar_kernels import math_kernel  # noqa: E402

from benchmarks.baselines.libmvec import libmvec_loop  # noqa: E402
from tensordsl.codegen.scalar_ir.math import FUNCTIONS  # noqa: E402
from tensordsl.ops.table import OPS  # noqa: E402

COUNT = 8192
PAGE = Path(__file__).parent.parent / "docs" / "accuracy.md"
WIDTHS = {"float64": 16, "float32": 32}
HEAD = """# Accuracy of the vector mathematics

Made by `tools/measure_accuracy.py` on {cpu} (LLVM {llvm}, NumPy {numpy}, JAX {jax}; {W64} lanes of float64, {W32} of
float32).

`bound` is the contract (`accuracy` of a `Function`, `codegen/scalar_ir/math`), `max` the largest error found, in units
of the result's last place, over special values, random bit patterns, uniform and geometric arguments, judged by 80-bit or 120-bit
arithmetic.  Special values (nan, infinities, zeros with their signs, overflow) are as C99 Annex F has them.  For
gammaln and digamma a unit is at least eps |x f'(x)|.  Which of -0 and 0 `maximum`, `minimum`, `max` and `min` take is
open, as in NumPy.

`ns` is the processor time per element over {count} elements of its op row's domain in one thread; then that of NumPy's function (sigmoid and
softplus as expressions), of glibc's libmvec in a loop like ours, and of JAX's jitted function over {jax_count} elements in one
thread (its call takes some microseconds of it), all in the same run; a dash: no such function.  Results depend neither
on the number of lanes nor on the target: instructions that only some have (tables in registers, scaling by 2^n) are
replaced by sequences with the same results.  A vector with an argument of sin, cos or tan beyond 2^40 (float32: 2^17)
takes 5 to 8 ns for each of its elements, on a machine with AVX-512.

| function | float64 bound | max | ns | NumPy | libmvec | JAX | float32 bound | max | ns | NumPy | libmvec | JAX |
|---|---|---|---|---|---|---|---|---|---|---|---|---|"""

JAX_COUNT = 65536
JAX_PROGRAM = """
import json, os, sys, time, timeit
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
import jax, jax.numpy as jnp, numpy as np
jax.config.update("jax_enable_x64", True)
names = {"pow": jnp.power, "sigmoid": jax.nn.sigmoid, "softplus": jax.nn.softplus, "erf": jax.scipy.special.erf,
         "erfc": jax.scipy.special.erfc, "gammaln": jax.scipy.special.gammaln, "digamma": jax.scipy.special.digamma,
         "erfinv": jax.scipy.special.erfinv, "trigamma": lambda x: jax.scipy.special.polygamma(1, x), "gamma": jax.scipy.special.gamma}
result = {"version": jax.__version__}
for name, arity, low, high in json.loads(sys.argv[1]):
    f = names.get(name) or getattr(jnp, name, None)
    for dtype in ("float64", "float32") if f else ():
        rng = np.random.default_rng(0)
        x = [jnp.asarray(rng.uniform(low, high, COUNT).astype(dtype))
             for i in range(arity)]
        g = jax.jit(f)
        g(*x).block_until_ready()
        result[name + dtype] = min(timeit.repeat(lambda: g(*x).block_until_ready(), number=5, repeat=12, timer=time.process_time)) / 5
print(json.dumps(result))
"""


def jax_times(python: str | None) -> dict[str, Any]:
    """name + dtype -> nanoseconds per element, and "version"; empty without an interpreter."""
    if python is None:
        return {}
    rows = [(name, f.arity, *OPS[name].domain) for name, f in FUNCTIONS.items()]
    program = JAX_PROGRAM.replace("COUNT", str(JAX_COUNT))
    done = subprocess.run([python, "-c", program, json.dumps(rows)], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    return {k: v if k == "version" else v / JAX_COUNT * 1e9 for k, v in found.items()}


def largest_error(name: str, dtype: str) -> float:
    kernel = math_kernel(name, dtype, WIDTHS[dtype])
    sets = [samples(name, dtype, 200_000 if FUNCTIONS[name].oracle is None else 3_000, seed=1)]
    if FUNCTIONS[name].arity == 2:
        sets.append(grid(dtype))
    return max(float(errors(name, dtype, x, kernel(*x)).max()) for x in sets)


def arguments(name: str, dtype: str) -> list[Any]:
    rng = np.random.default_rng(0)
    low, high = OPS[name].domain
    return [rng.uniform(low, high, COUNT).astype(dtype) for _ in range(FUNCTIONS[name].arity)]


def nanoseconds(name: str, dtype: str, avx512: bool = True) -> list[float | None]:
    """Ours, NumPy's, libmvec's."""
    x = arguments(name, dtype)
    out = np.empty(COUNT, dtype)
    if avx512:
        function = math_kernel(name, dtype, WIDTHS[dtype]).function
    else:
        function = math_kernel(name, dtype, WIDTHS[dtype] // 2, isa="avx2", cpu="haswell").function
    pointers = [a.ctypes.data for a in (out, *x)]
    peer = FUNCTIONS[name].interpret if FUNCTIONS[name].oracle is None else None
    glibc = libmvec_loop(name, dtype, avx512)
    calls = [
        lambda: function(*pointers, COUNT),
        (lambda: peer(*x)) if peer else None,
        (lambda: glibc[0](*pointers, COUNT)) if glibc else None,
    ]
    rounds = [[best(call) if call else None for call in calls] for _ in range(5)]
    return [min(column) if column[0] is not None else None for column in zip(*rounds, strict=True)]


def best(function: Any) -> float:
    return min(timeit.repeat(function, number=10, repeat=6, timer=time.process_time)) / 10 / COUNT * 1e9


AVX2 = """
## AVX2

The same functions compiled for AVX2 ({W64} lanes of float64, {W32} of float32) beside NumPy without its AVX-512 code and
libmvec's functions of 256 bits, ns per element in one run.

| function | float64 ns | NumPy | libmvec | float32 ns | NumPy | libmvec |
|---|---|---|---|---|---|---|"""
# NumPy's names of the groups beyond AVX2: of 2.4 and later, and before.
WITHOUT_AVX512 = (
    "X86_V4 AVX512_ICL AVX512_SPR",
    "AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL AVX512_SPR",
)
DISPATCHED = "X86_V4", "AVX512_SKX", "AVX512_ICL", "AVX512_SPR"


def avx2_table() -> str:
    """By a process of our own: NumPy chooses its code when it is imported."""
    for names in WITHOUT_AVX512:
        environment = os.environ | {"NPY_DISABLE_CPU_FEATURES": names}
        command = [sys.executable, "-W", "ignore", __file__, "--avx2-rows"]
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True)
        if done.returncode == 0:
            return AVX2.format(W64=WIDTHS["float64"] // 2, W32=WIDTHS["float32"] // 2) + "\n" + done.stdout.rstrip()
    raise RuntimeError("NumPy could not be kept from AVX-512")


def print_avx2_rows() -> None:
    from numpy._core._multiarray_umath import __cpu_features__  # type: ignore[attr-defined]

    beyond = [name for name in DISPATCHED if __cpu_features__.get(name)]
    if beyond:
        sys.exit(f"NumPy uses {beyond}")
    for name in FUNCTIONS:
        times = [t for dtype in ("float64", "float32") for t in nanoseconds(name, dtype, avx512=False)]
        print(f"| {name} | " + " | ".join(f"{t:.2f}" if t else "-" for t in times) + " |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--jax", help="an interpreter that has JAX")
    parser.add_argument("--avx2-rows", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--exhaustive", type=Path, help="the table made by tools/exhaustive_float32.py")
    options = parser.parse_args()
    if options.avx2_rows:
        with np.errstate(all="ignore"):
            print_avx2_rows()
        return
    jax = jax_times(options.jax)
    with np.errstate(all="ignore"):
        versions = {"llvm": ".".join(map(str, llvm.llvm_version_info)), "numpy": np.__version__}
        facts = {"cpu": f"{llvm.get_host_cpu_name()} ({platform.machine()})", "jax": jax.get("version", "not measured")}
        widths = {"W64": WIDTHS["float64"], "W32": WIDTHS["float32"]}
        lines = [HEAD.format(count=COUNT, jax_count=JAX_COUNT, **widths, **facts, **versions)]
        for name in FUNCTIONS:
            cells = [name]
            for dtype in ("float64", "float32"):
                times = [*nanoseconds(name, dtype), jax.get(name + dtype)]
                error = largest_error(name, dtype)
                cells += [
                    f"{FUNCTIONS[name].accuracy[dtype]:g}",
                    f"{error:.2f}",
                    *(f"{t:.2f}" if t else "-" for t in times),
                ]
            lines.append("| " + " | ".join(cells) + " |")
            print(lines[-1], file=sys.stderr, flush=True)
    lines.append(avx2_table())
    if options.exhaustive:
        text = options.exhaustive.read_text()
        missing = [name for name, f in FUNCTIONS.items() if f.arity == 1 and f"| {name} |" not in text]
        lines.append(f"{EXHAUSTIVE}{text}\nNot run since their last change: {', '.join(missing) or 'none'}.")
    written = PAGE.with_suffix(".tmp")
    written.write_text("\n".join(lines) + "\n" + other_sections())
    written.replace(PAGE)


EXHAUSTIVE = """
## float32 at all 2^32 arguments

Made by `tools/exhaustive_float32.py`: the largest error against our float64 functions, in units of the last place, the
share of results that are not the nearest float32, and, of monotonic functions, how many pairs of neighbouring arguments
have results in the wrong order, and by how many float32s.  That there are none is promised of monotonic functions
whose `steps_back` is 0.

"""


def other_sections() -> str:
    """What other tools have written into the page, behind the markers of `measure_backward_errors`."""
    _, begin, rest = PAGE.read_text().partition("<!-- backward errors: begin -->")
    return f"\n{begin}{rest}" if begin else ""


if __name__ == "__main__":
    main()
