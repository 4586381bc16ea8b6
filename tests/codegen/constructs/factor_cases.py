"""What the tests of factorisations share: dtypes, layouts, random matrices, and ways to run the same functions."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from hand_programs import build, kernels_of

import tensordsl
import tensordsl.tensor as T
from tensordsl.codegen.compiler.pipeline import make_program
from tensordsl.codegen.program_ir import instructions as p
from tensordsl.codegen.tensor_ir.construct import interpret
from tensordsl.graph.casting import real_of
from tensordsl.runtime.interpreter import runner

REAL = ("float64", "float32")
DTYPES = (*REAL, "complex128", "complex64")
LAYOUTS: dict[str, Callable[[Any], Any]] = {
    "C order": lambda v: v,
    "transposed": lambda v: np.ascontiguousarray(v.swapaxes(-1, -2)).swapaxes(-1, -2),
    "reversed": lambda v: np.ascontiguousarray(v[..., ::-1, ::-1])[..., ::-1, ::-1],
    "strided": lambda v: np.repeat(np.repeat(v, 2, -1), 3, -2)[..., ::3, ::2],
    "batch reversed": lambda v: np.ascontiguousarray(v[::-1])[::-1],
}


def wide(dtype: str) -> str:
    """In which results are computed that judge those of a dtype."""
    return "complex128" if dtype.startswith("complex") else "float64"


def batches(dtype: str) -> Any:
    return T.TensorType(dtype, (None,) * 3)()


def numbers(rng: Any, dtype: str, *shape: int) -> np.ndarray:
    """Normal ones, with imaginary parts where the dtype has them."""
    found: np.ndarray = rng.normal(size=shape)
    return (found + 1j * rng.normal(size=shape) if wide(dtype) == "complex128" else found).astype(dtype)


def adjoint(a: np.ndarray) -> np.ndarray:
    return a.conj().swapaxes(-1, -2)


def positive(rng: Any, dtype: str, *shape: int) -> np.ndarray:
    a = numbers(rng, wide(dtype), *shape)
    made: np.ndarray = (a @ adjoint(a) + shape[-1] * np.eye(shape[-1])).astype(dtype)
    return made


def close(got: Any, want: Any, dtype: str, float64: float = 1e-9, float32: float = 2e-3) -> None:
    """float64, float32: tolerances of numbers of such parts."""
    assert got.shape == want.shape and got.dtype == dtype
    scale = max(1.0, float(np.abs(want).max(initial=0)))
    tolerance = {"float64": float64, "float32": float32}[real_of(dtype)]
    np.testing.assert_allclose(got, want, rtol=0, atol=tolerance * scale)


def listed(x: Any) -> list[Any]:
    return list(x) if isinstance(x, list | tuple) else [x]


def kinds(inputs: list[Any], outputs: list[Any]) -> list[str]:
    program = make_program("f", inputs, [], outputs, [], len(outputs) == 1)[1]
    return [type(i).__name__ for i in p.walk_program(program.code)]


def in_threads(f: Callable[..., Any], calls: Sequence[Sequence[Any]]) -> list[Any]:
    """The results of the calls, made by four threads with small stacks."""
    found: dict[int, Any] = {}

    def work(first: int) -> None:
        for k in range(first, len(calls), 4):
            found[k] = f(*calls[k])

    size = threading.stack_size(1 << 16)
    try:
        threads = [threading.Thread(target=work, args=(first,)) for first in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        threading.stack_size(size)
    return [found[k] for k in range(len(calls))]


def by_the_plan_runner(inputs: list[Any], outputs: list[Any], given: list[Any]) -> None:
    """It gives what a compiled function gives."""
    program = make_program("f", inputs, [], outputs, [], False)[1]
    executable = build(program)
    code = executable.load()
    kernels = kernels_of(program, executable)
    got = runner.run(program, given, (), kernels, library=interpret)
    for one, other in zip(got, tensordsl.function(inputs, outputs)(*given), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)
    assert code is not None  # it must live as long
