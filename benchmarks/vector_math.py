"""Elementwise mathematics beside peers in one thread: `python -m benchmarks.vector_math [--python PEER=PATH]`.

Rows: gauss `exp(-(a-b)**2/2)*c + sin(d)`, exp, sigmoid, tanh, softplus, gelu with erf; float32 and float64; 1e4 and
1e6 elements.  Every library runs in a process of its own, `--python` names the interpreter of one that is installed
elsewhere.  The processes take turns; a figure is the minimum of all turns, in microseconds per call, and each result
is compared with NumPy's.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import timeit
from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

ROWS = ("gauss", "exp", "sigmoid", "tanh", "softplus", "gelu")
DTYPES, SIZES = ("float32", "float64"), (10_000, 1_000_000)
CASES = [(row, dtype, size) for row in ROWS for dtype in DTYPES for size in SIZES]
PEERS = ("tensordsl", "numpy", "numexpr", "numba", "jax", "torch")
ROUNDS, SECONDS = 3, 0.04
ROOT_HALF = 0.7071067811865476


def operands(row: str, dtype: str, size: int) -> list[Any]:
    random = np.random.default_rng(0)
    return [random.normal(size=size).astype(dtype) for _ in range(4 if row == "gauss" else 1)]


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


def numpy_rows() -> dict[str, Callable[..., Any]]:
    import math

    erf = np.frompyfunc(math.erf, 1, 1)  # NumPy has none
    return formulas(
        np, lambda x: erf(x).astype(x.dtype), lambda x: np.logaddexp(x, x.dtype.type(0)), lambda x: 1 / (1 + np.exp(-x))
    )


def for_tensordsl(row: str, arrays: list[Any]) -> Callable[[], Any]:
    import tensordsl
    import tensordsl.tensor as T

    # A Python float that float32 does not hold would make the expression float64, as in Theano.
    rows = formulas(T, T.erf, T.nnet.softplus, T.nnet.sigmoid, arrays[0].dtype.type)
    inputs = [T.TensorType(str(a.dtype), (False,))() for a in arrays]
    function = tensordsl.function(inputs, rows[row](*inputs))
    return lambda: function(*arrays)


def for_numpy(row: str, arrays: list[Any]) -> Callable[[], Any]:
    function = numpy_rows()[row]
    return lambda: function(*arrays)


def for_numexpr(row: str, arrays: list[Any]) -> Callable[[], Any]:
    import numexpr

    numexpr.set_num_threads(1)
    text = {
        "gauss": "exp(-(a-b)*(a-b)/two)*c + sin(d)", "exp": "exp(a)", "sigmoid": "one/(one + exp(-a))",
        "tanh": "tanh(a)", "softplus": "where(a > zero, a, zero) + log1p(exp(-abs(a)))",
    }[row]  # fmt: skip
    kind = arrays[0].dtype.type
    names = {**dict(zip("abcd", arrays, strict=False)), "one": kind(1), "two": kind(2), "zero": kind(0)}
    return lambda: numexpr.evaluate(text, local_dict=names)


def for_numba(row: str, arrays: list[Any]) -> Callable[[], Any]:
    import math

    import numba

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
    function = numba.vectorize([f"{name}({', '.join([name] * len(arrays))})"])(bodies[row])
    return lambda: function(*arrays)


def for_jax(row: str, arrays: list[Any]) -> Callable[[], Any]:
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    import jax

    jax.config.update("jax_enable_x64", True)
    rows = formulas(jax.numpy, jax.scipy.special.erf, jax.nn.softplus, jax.nn.sigmoid)
    function, on_device = jax.jit(rows[row]), [jax.numpy.asarray(a) for a in arrays]
    return lambda: function(*on_device).block_until_ready()


def for_torch(row: str, arrays: list[Any]) -> Callable[[], Any]:
    import torch

    torch.set_num_threads(1)
    rows = formulas(torch, torch.erf, torch.nn.functional.softplus, torch.sigmoid)
    tensors = [torch.from_numpy(a) for a in arrays]
    return lambda: rows[row](*tensors)


BUILD = {
    "tensordsl": for_tensordsl, "numpy": for_numpy, "numexpr": for_numexpr, "numba": for_numba, "jax": for_jax,
    "torch": for_torch,
}  # fmt: skip


def serve(peer: str) -> None:
    """Answers `row dtype size` lines with microseconds and the largest relative difference to NumPy."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    calls: dict[str, tuple[Callable[[], Any], float]] = {}
    for line in sys.stdin:
        row, dtype, size = line.split()
        try:
            if line not in calls:
                arrays = operands(row, dtype, int(size))
                call = BUILD[peer](row, arrays)
                wanted = numpy_rows()[row](*(a.astype("float64") for a in arrays))
                difference = float(np.max(np.abs(np.asarray(call()) - wanted) / (np.abs(wanted) + 1)))
                calls[line] = call, difference
            call, difference = calls[line]
            once = min(timeit.repeat(call, number=1, repeat=3))
            number = max(1, int(SECONDS / 5 / once))
            result = {"us": min(timeit.repeat(call, number=number, repeat=5)) / number * 1e6, "off": difference}
        except Exception as error:  # a peer without the function or not installed: a dash in the table
            result = {"error": f"{type(error).__name__}: {error}"[:200]}
        answers.write(json.dumps(result) + "\n")
        answers.flush()


def measure(peers: list[str], pythons: dict[str, str]) -> dict[tuple[str, str, str, int], float]:
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
    for case in CASES:
        for _ in range(ROUNDS):
            for peer, process in processes.items():
                assert process.stdin is not None and process.stdout is not None
                process.stdin.write(" ".join(map(str, case)) + "\n")
                process.stdin.flush()
                answer = json.loads(process.stdout.readline())
                if "us" not in answer:
                    continue
                tolerance = 1e-5 if case[1] == "float32" else 1e-11
                assert answer["off"] < tolerance, (peer, case, answer)
                key = (peer, *case)
                best[key] = min(best.get(key, np.inf), answer["us"])
    for process in processes.values():
        assert process.stdin is not None
        process.stdin.close()
        process.wait()
    return best


def table(best: dict[tuple[str, str, str, int], float], peers: list[str]) -> str:
    lines = ["| case | " + " | ".join(peers) + " | ours / best peer |", "|---" * (len(peers) + 2) + "|"]
    ratios = []
    for case in CASES:
        found = {peer: best[(peer, *case)] for peer in peers if (peer, *case) in best}
        others = [us for peer, us in found.items() if peer != "tensordsl"]
        ratio = found["tensordsl"] / min(others) if others and "tensordsl" in found else None
        ratios += [ratio] if ratio else []
        cells = [f"{found[peer]:.4g}" if peer in found else "-" for peer in peers]
        name = f"{case[0]} {case[1]} {case[2]:.0e}"
        lines.append(f"| {name} | " + " | ".join(cells) + f" | {f'{ratio:.2f}' if ratio else '-'} |")
    if ratios:
        lines.append(f"\nGeometric mean of the ratios: {prod(ratios) ** (1 / len(ratios)):.2f}")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.vector_math", description=__doc__)
    parser.add_argument("--peers", default=",".join(PEERS))
    parser.add_argument("--python", action="append", default=[], metavar="PEER=PATH")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve)
        return
    peers = options.peers.split(",")
    print(table(measure(peers, dict(pair.split("=", 1) for pair in options.python)), peers))


if __name__ == "__main__":
    main()
