"""The dialect's text and back: loops, branches, constants of every dtype to the bit; what is not ours is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from mlir_upstream import AVAILABLE, REASON, run, tool
from random_programs import program

import tensordsl
import tensordsl.tensor as T
from tensordsl.codegen.compiler.pipeline import optimise_lowered
from tensordsl.codegen.mlir.dialect import MlirParseError, equal, from_mlir, to_mlir
from tensordsl.codegen.tensor_ir.graph import toposort
from tensordsl.codegen.tensor_ir.lower import lower
from tensordsl.types import DTYPES, FLOATS

needs_upstream = pytest.mark.skipif(not AVAILABLE, reason=REASON)


def roots_of(lowered: Any) -> list[Any]:
    return [*lowered.outputs, *(value for _, value in lowered.updates)]


@pytest.mark.parametrize("optimised", [False, True])
def test_random_programs_come_back_equal(optimised: bool) -> None:
    """Loops, branches, gathers and all the rest."""
    for seed in range(150):
        lowered = program(seed).lowered()
        if optimised:
            optimise_lowered(lowered)
        text = to_mlir(lowered.graph, roots_of(lowered))
        graph, roots = from_mlir(text)
        assert equal(roots, roots_of(lowered)), seed
        assert to_mlir(graph, roots) == text, seed


@needs_upstream
def test_upstream_reads_random_programs() -> None:
    texts = []
    for seed in range(60):
        lowered = program(seed).lowered()
        texts.append(to_mlir(lowered.graph, roots_of(lowered)))
    run([str(tool("mlir-opt")), "-allow-unregistered-dialect", "--split-input-file"], "\n// -----\n".join(texts))


@pytest.mark.parametrize("dtype", DTYPES)
def test_constants_keep_every_bit(dtype: str) -> None:
    if dtype in FLOATS:
        bits = f"uint{8 * np.dtype(dtype).itemsize}"
        quiet = np.array([np.nan, -np.nan], dtype).view(bits)
        data = np.array([0.0, -0.0, np.inf, -np.inf, np.finfo(dtype).smallest_subnormal, 1 / 3], dtype)
        data = np.concatenate([data, (quiet + np.array(5, bits)).view(dtype)])
    else:
        data = np.array([0, 1] if dtype == "bool" else [0, 1, np.iinfo(dtype).min, np.iinfo(dtype).max], dtype)
    lowered = lower([], [], [T.constant(data), T.constant(data[:0]), T.constant(data[1])], [])
    _, roots = from_mlir(to_mlir(lowered.graph, lowered.outputs))
    back = [v.attrs["data"] for v in roots]
    assert [x.dtype.name for x in back] == [dtype] * 3
    assert [x.tobytes() for x in back] == [data.tobytes(), b"", data[1].tobytes()]


def test_strings_with_quotes_come_back() -> None:
    x = T.dvector()
    message = 'not "\\22" in 5C \\ \n { } %v1 <{ }> : ( ) é'
    lowered = lower([x], [], [T.opt.Assert(message)(x, x[0] > 0)], [])
    _, roots = from_mlir(to_mlir(lowered.graph, lowered.outputs))
    assert [v.attrs["message"] for v in toposort(roots) if v.op == "assert"] == [message]


def spoilt() -> list[str]:
    x = T.dvector("x")
    text = tensordsl.function([x], T.exp(x).sum()).mlir("tensordsl")
    lines = text.splitlines(keepends=True)
    return [
        text.replace("'exp'", "'no such row'"),
        text.replace("'row', 'exp'", "'row', __import__('os')"),
        text.replace("(%v0)", "(%v99)"),
        text.replace("tensordsl.map", "arith.map"),
        "".join(lines[:-3]),
        "".join(lines[:4] + lines[-3:]),
        text.replace('"tensordsl.yield"', '"tensordsl.stop"'),
        text[: len(text) // 2],
        text + text,
    ]


@pytest.mark.parametrize("k", range(9))
def test_what_is_spoilt_is_refused(k: int) -> None:
    with pytest.raises(MlirParseError):
        from_mlir(spoilt()[k])


def test_the_level_must_be_one_of_two() -> None:
    x = T.dvector("x")
    f = tensordsl.function([x], x * 2)
    with pytest.raises(ValueError, match="level must be"):
        f.mlir("llvm")
    with pytest.raises(ValueError, match="checks"):
        f.mlir("tensordsl", checks=True)
