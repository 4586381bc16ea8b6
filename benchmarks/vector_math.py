"""Elementwise mathematics beside peers: `python -m benchmarks.vector_math [--rows all] [--python PEER=PATH]`.

Rows: gauss `exp(-(a-b)**2/2)*c + sin(d)`, exp, sigmoid, tanh, softplus, gelu with erf, and by `--rows` single
functions or all; float32 and float64; 1e4 and 1e6 elements.  Every library runs in a process of its own, on one core;
`--python` names the interpreter of one that is installed elsewhere (tinygrad needs clang, too).  The processes take
turns; a figure is the minimum of all turns, in microseconds of processor time per call, and each result is compared
with NumPy's.  Peer `c` is a loop in C of one call (`baselines/c_kernels.py`); it is left out where there is no
compiler.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import time
import timeit
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.baselines.c_kernels import NAMES as C_NAMES
from benchmarks.peers import XLA_ONE_THREAD

ROWS = ("gauss", "exp", "sigmoid", "tanh", "softplus", "gelu")
# Where single functions' operands are drawn from, if not from a normal distribution.
DOMAINS = {
    **dict.fromkeys(("log", "log2", "log10", "pow", "gammaln", "digamma", "trigamma", "gamma"), (0.1, 20.0)),
    **dict.fromkeys(("arcsin", "arccos", "arctanh", "erfinv"), (-1.0, 1.0)),
    "log1p": (-0.9, 10.0), "arccosh": (1.0, 10.0),
}  # fmt: skip
FUNCTIONS = (
    "exp2", "expm1", "log", "log2", "log10", "log1p", "pow", "sin", "cos", "tan", "arcsin", "arccos", "arctan",
    "arctan2", "sinh", "cosh", "arcsinh", "arccosh", "arctanh", "cbrt", "erf", "erfc", "erfinv", "gammaln", "digamma",
    "trigamma", "gamma",
)  # fmt: skip
DTYPES, SIZES = ("float32", "float64"), (10_000, 1_000_000)
PEERS = ("tensordsl", "numpy", "numexpr", "numba", "jax", "torch", "tinygrad", "c")
Case = tuple[str, str, int]
ROUNDS, SECONDS = 6, 0.03
ROOT_HALF = 0.7071067811865476


def operands(row: str, dtype: str, size: int) -> list[Any]:
    random = np.random.default_rng(0)
    count = {"gauss": 4, "pow": 2, "arctan2": 2}.get(row, 1)
    draws = [random.normal(size=size).astype(dtype) for _ in range(count)]
    if row in DOMAINS:
        draws[0] = random.uniform(*DOMAINS[row], size).astype(dtype)
    return draws


def formulas(m: Any, erf: Any, softplus: Any, sigmoid: Any, kind: Any = float) -> dict[str, Callable[..., Any]]:
    """The rows in the functions of a module like NumPy; `kind` makes constants that keep the operands' dtype."""
    root_half = kind(ROOT_HALF)
    return {
        "gauss": lambda a, b, c, d: m.exp(-((a - b) ** 2) / 2) * c + m.sin(d),
        "exp": m.exp,
        "sigmoid": sigmoid,
        "tanh": m.tanh,
        "softplus": softplus,
        "gelu": lambda x: x * 0.5 * (1 + erf(x * root_half)),
    }


def numpy_row(row: str) -> Callable[..., Any]:
    if row in FUNCTIONS:
        found: Callable[..., Any] = getattr(np, row)
        return found
    erf = np.frompyfunc(math.erf, 1, 1)  # NumPy has none
    return formulas(
        np, lambda x: erf(x).astype(x.dtype), lambda x: np.logaddexp(x, x.dtype.type(0)), lambda x: 1 / (1 + np.exp(-x))
    )[row]


def expected(row: str, arrays: list[Any]) -> Any:
    """The row in float64, of some elements, by NumPy and Python; nan for functions that they lack."""
    wide = [a[:1000].astype("float64") for a in arrays]
    if hasattr(np, row) or row not in FUNCTIONS:
        return numpy_row(row)(*wide)
    function = getattr(math, C_NAMES.get(row, row), lambda x: math.nan)
    return np.frompyfunc(function, 1, 1)(*wide).astype("float64")


def for_tensordsl(row: str, arrays: list[Any]) -> Callable[[], Any]:
    import tensordsl
    import tensordsl.tensor as T

    # A Python float that float32 does not hold would make the expression float64, as in Theano.
    rows = formulas(T, T.erf, T.nnet.softplus, T.nnet.sigmoid, arrays[0].dtype.type)
    inputs = [T.TensorType(str(a.dtype), (False,))() for a in arrays]
    function = tensordsl.function(inputs, (getattr(T, row) if row in FUNCTIONS else rows[row])(*inputs))
    return lambda: function(*arrays)


def for_numpy(row: str, arrays: list[Any]) -> Callable[[], Any]:
    function = numpy_row(row)
    return lambda: function(*arrays)


def for_numexpr(row: str, arrays: list[Any]) -> Callable[[], Any]:
    import numexpr

    numexpr.set_num_threads(1)
    text = {
        **{name: f"{name}(a)" for name in FUNCTIONS}, "pow": "a ** b", "arctan2": "arctan2(a, b)",
        "gauss": "exp(-(a-b)*(a-b)/two)*c + sin(d)", "exp": "exp(a)", "sigmoid": "one/(one + exp(-a))",
        "tanh": "tanh(a)", "softplus": "where(a > zero, a, zero) + log1p(exp(-abs(a)))",
    }[row]  # fmt: skip
    kind = arrays[0].dtype.type
    names = {**dict(zip("abcd", arrays, strict=False)), "one": kind(1), "two": kind(2), "zero": kind(0)}
    return lambda: numexpr.evaluate(text, local_dict=names)


def for_numba(row: str, arrays: list[Any]) -> Callable[[], Any]:
    import numba

    if row in FUNCTIONS:
        python = C_NAMES.get(row, row)
        if not hasattr(math, python):
            raise NotImplementedError(row)
        scope: dict[str, Any] = {"math": math}
        arguments = "x, y" if len(arrays) == 2 else "x"
        exec(f"def body({arguments}): return math.{python}({arguments})", scope)
    bodies: dict[str, Callable[..., Any]] = {
        "gauss": lambda a, b, c, d: math.exp(-((a - b) * (a - b)) / type_(2)) * c + math.sin(d),
        "exp": lambda x: math.exp(x),
        "sigmoid": lambda x: type_(1) / (type_(1) + math.exp(-x)),
        "tanh": lambda x: math.tanh(x),
        "softplus": lambda x: max(x, type_(0)) + math.log1p(math.exp(-abs(x))),
        "gelu": lambda x: x * type_(0.5) * (type_(1) + math.erf(x * type_(ROOT_HALF))),
    }
    type_ = arrays[0].dtype.type
    name = str(arrays[0].dtype)
    body = scope["body"] if row in FUNCTIONS else bodies[row]
    function = numba.vectorize([f"{name}({', '.join([name] * len(arrays))})"])(body)
    return lambda: function(*arrays)


def for_jax(row: str, arrays: list[Any]) -> Callable[[], Any]:
    os.environ["XLA_FLAGS"] = XLA_ONE_THREAD
    import jax

    jax.config.update("jax_enable_x64", True)
    rows = formulas(jax.numpy, jax.scipy.special.erf, jax.nn.softplus, jax.nn.sigmoid)
    if row in FUNCTIONS:
        special = {"trigamma": lambda x: jax.scipy.special.polygamma(1, x), "pow": jax.numpy.power}
        place = jax.numpy if hasattr(jax.numpy, row) else jax.scipy.special
        rows[row] = special.get(row) or getattr(place, row)
    function, on_device = jax.jit(rows[row]), [jax.numpy.asarray(a) for a in arrays]
    return lambda: function(*on_device).block_until_ready()


def for_torch(row: str, arrays: list[Any]) -> Callable[[], Any]:
    import torch

    torch.set_num_threads(1)
    rows = formulas(torch, torch.erf, torch.nn.functional.softplus, torch.sigmoid)
    tensors = [torch.from_numpy(a) for a in arrays]
    if row in FUNCTIONS:
        special = {"gammaln": torch.lgamma, "trigamma": lambda x: torch.polygamma(1, x)}
        rows[row] = special.get(row) or getattr(torch, row)
    return lambda: rows[row](*tensors)


def for_tinygrad(row: str, arrays: list[Any]) -> Callable[[], Any]:
    os.environ |= {"DEV": "CPU", "THREADS": "0"}  # needs clang to compile
    from tinygrad import Device, Tensor, TinyJit

    class Functions:
        """Methods as functions."""

        def __getattr__(self, name: str) -> Any:
            return getattr(Tensor, name)

    if row in FUNCTIONS:
        expression = getattr(Tensor, C_NAMES.get(row, row))
    else:
        expression = formulas(Functions(), Tensor.erf, Tensor.softplus, Tensor.sigmoid)[row]
    function, tensors = TinyJit(lambda *x: expression(*x).realize()), [Tensor(a).realize() for a in arrays]
    for _ in range(3):  # runs, captures, repeats
        function(*tensors)

    def call() -> Any:
        result = function(*tensors)
        Device[Device.DEFAULT].synchronize()
        return result

    return call


def for_c(row: str, arrays: list[Any]) -> Callable[[], Any]:
    from benchmarks.baselines.c_kernels import c_kernel

    return c_kernel(row, arrays)


BUILD = {
    "tensordsl": for_tensordsl, "numpy": for_numpy, "numexpr": for_numexpr, "numba": for_numba, "jax": for_jax,
    "torch": for_torch, "tinygrad": for_tinygrad, "c": for_c,
}  # fmt: skip


def serve(peer: str) -> None:
    """Answers `row dtype size` lines with microseconds and the largest relative difference to NumPy."""
    if hasattr(os, "sched_setaffinity"):  # JAX shares long loops out, whatever its flags say
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    calls: dict[str, tuple[Callable[[], Any], float]] = {}
    for line in sys.stdin:
        row, dtype, size = line.split()
        try:
            if line not in calls:
                arrays = operands(row, dtype, int(size))
                call = BUILD[peer](row, arrays)
                wanted = expected(row, arrays)
                result = call()
                found = np.asarray(result.numpy() if hasattr(result, "numpy") else result)[: wanted.size]
                difference = float(np.nanmax(np.abs(found - wanted) / (np.abs(wanted) + 1), initial=0.0))
                calls[line] = call, difference
            call, difference = calls[line]
            once = min(timeit.repeat(call, number=1, repeat=3, timer=time.process_time))
            number = max(1, int(SECONDS / 5 / max(once, 1e-6)))
            best = min(timeit.repeat(call, number=number, repeat=5, timer=time.process_time))
            result = {"us": best / number * 1e6, "off": difference}
        except Exception as error:  # a peer without the function or not installed: a dash in the table
            result = {"error": f"{type(error).__name__}: {error}"[:200]}
        answers.write(json.dumps(result) + "\n")
        answers.flush()


def measure(cases: list[Case], peers: list[str], pythons: dict[str, str]) -> dict[tuple[str, str, str, int], float]:
    """(peer, row, dtype, size) -> the least microseconds."""
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    processes = {
        peer: subprocess.Popen(
            [pythons.get(peer, sys.executable), "-m", "benchmarks.vector_math", "--serve", peer],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=root, stderr=subprocess.DEVNULL,
        )
        for peer in peers
    }  # fmt: skip
    best: dict[tuple[str, str, str, int], float] = {}
    for case in cases:
        for _ in range(ROUNDS):
            for peer, process in processes.items():
                assert process.stdin is not None and process.stdout is not None
                process.stdin.write(" ".join(map(str, case)) + "\n")
                process.stdin.flush()
                answer = json.loads(process.stdout.readline())
                if "us" not in answer:
                    continue
                tolerance = (1e-5 if case[1] == "float32" else 1e-11) * (1 if peer == "tensordsl" else 100)
                if answer["off"] >= tolerance:
                    assert peer != "tensordsl", (case, answer)
                    print(f"{peer} is {answer['off']:.1e} off in {case}", file=sys.stderr)
                    continue
                key = (peer, *case)
                best[key] = min(best.get(key, np.inf), answer["us"])
    for process in processes.values():
        assert process.stdin is not None
        process.stdin.close()
        process.wait()
    return best


def table(cases: list[Case], best: dict[tuple[str, str, str, int], float], peers: list[str]) -> str:
    lines = ["| case | " + " | ".join(peers) + " | ours / best peer |", "|---" * (len(peers) + 2) + "|"]
    ratios = []
    for case in cases:
        found = {peer: best[(peer, *case)] for peer in peers if (peer, *case) in best}
        others = [us for peer, us in found.items() if peer != "tensordsl"]
        ratio = found["tensordsl"] / min(others) if others and "tensordsl" in found else None
        ratios += [ratio] if ratio else []
        cells = [f"{found[peer]:.4g}" if peer in found else "-" for peer in peers]
        name = f"{case[0]} {case[1]} {case[2]:.0e}"
        lines.append(f"| {name} | " + " | ".join(cells) + f" | {f'{ratio:.2f}' if ratio else '-'} |")
    if ratios:
        lines.append(f"\nGeometric mean of the ratios: {math.prod(ratios) ** (1 / len(ratios)):.2f}")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.vector_math", description=__doc__)
    parser.add_argument("--peers", default=",".join(PEERS))
    parser.add_argument("--rows", default=",".join(ROWS), help="names of rows and functions, or all")
    parser.add_argument("--python", action="append", default=[], metavar="PEER=PATH")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve)
        return
    peers = options.peers.split(",")
    rows = [*ROWS, *FUNCTIONS] if options.rows == "all" else options.rows.split(",")
    cases = [(row, dtype, size) for row in rows for dtype in DTYPES for size in SIZES]
    print(table(cases, measure(cases, peers, dict(pair.split("=", 1) for pair in options.python)), peers))


if __name__ == "__main__":
    main()
