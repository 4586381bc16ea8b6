"""Hand-written C loops as a peer: compiled at run time by the machine's own compiler, where there is one.

`-ffast-math` lets GCC take glibc's libmvec, of up to 4 units in the last place, for the functions that it has. Only the
compiler may see it: linked with it, a library would make the whole process, NumPy too, take subnormal numbers for 0.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from typing import Any

import numpy as np

FLAGS = ("-O3", "-march=native", "-mprefer-vector-width=512", "-ffast-math", "-fPIC")
NAMES = {
    "arcsin": "asin", "arccos": "acos", "arctan": "atan", "arctan2": "atan2", "arcsinh": "asinh", "arccosh": "acosh",
    "arctanh": "atanh", "gammaln": "lgamma", "gamma": "tgamma",
}  # fmt: skip
# `@` stands for the suffix of a function or constant of the type.
EXPRESSIONS = {
    "gauss": "exp@(-((a - b) * (a - b)) / 2) * c + sin@(d)",
    "sigmoid": "1 / (1 + exp@(-a))",
    "softplus": "(a > 0 ? a : 0) + log1p@(exp@(-fabs@(a)))",
    "gelu": "a * {t}0.5 * (1 + erf@(a * {t}0.7071067811865476))",
}
SOURCE = """#include <math.h>
typedef {t} T;
void kernel(T *restrict out, {parameters}, long n) {{
    for (long i = 0; i < n; i++) {{
        {loads}
        out[i] = {expression};
    }}
}}
"""


def source(row: str, arity: int, dtype: str) -> str:
    names = "abcd"[:arity]
    expression = EXPRESSIONS.get(row, f"{NAMES.get(row, row)}@({', '.join(names)})")
    return SOURCE.format(
        t={"float32": "float", "float64": "double"}[dtype],
        parameters=", ".join(f"const T *restrict p{x}" for x in names),
        loads=" ".join(f"T {x} = p{x}[i];" for x in names),
        expression=expression.replace("@", "f" if dtype == "float32" else "").replace("{t}", "(T)"),
    )


def c_kernel(row: str, arrays: list[Any]) -> Callable[[], Any]:
    """A call that computes the row of the arrays into a fresh one."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        raise NotImplementedError("no C compiler")
    with tempfile.TemporaryDirectory() as folder:
        made, path = os.path.join(folder, "kernel.o"), os.path.join(folder, "kernel.so")
        subprocess.run(
            [compiler, *FLAGS, "-c", "-x", "c", "-", "-o", made],
            input=source(row, len(arrays), str(arrays[0].dtype)), text=True, check=True, capture_output=True,
        )  # fmt: skip
        subprocess.run([compiler, "-shared", made, "-o", path, "-lmvec", "-lm"], check=True, capture_output=True)
        kernel = ctypes.CDLL(path).kernel
    pointers = [ctypes.c_void_p(a.ctypes.data) for a in arrays]
    size = ctypes.c_long(arrays[0].size)

    def call() -> Any:
        out = np.empty_like(arrays[0])
        kernel(ctypes.c_void_p(out.ctypes.data), *pointers, size)
        return out

    return call
