"""Kernels that many programs have, for the library: each machine compiles them once, and programs name them.

Which ones: what several of the examples' and benchmarks' programs share.  They are made as any program's are, so a
kernel is found wherever the compiler comes to the same text (`modules.common_name`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tensordsl.codegen.modules import common_name
from tensordsl.codegen.pipeline import make_program
from tensordsl.codegen.program import Kernels
from tensordsl.graph import unwatched
from tensordsl.ops import reduce
from tensordsl.ops.elementwise import ADD, MUL, SUB
from tensordsl.ops.functions import SIGMOID, TANH
from tensordsl.types import tensor_type

Function = Callable[..., Any]
DTYPES, VECTOR, MATRIX, COLUMN = ("float64", "float32"), (None,), (None, None), (None, 1)


def _layer(activation: Function) -> Function:
    return lambda x, bias: activation(ADD(x, bias))


# library of `abi.COMMON` -> (function, the shapes of its operands)
FUNCTIONS: dict[str, list[tuple[Function, Sequence[tuple[int | None, ...]]]]] = {
    "common_totals": [
        *((f, (shape,)) for f in (reduce.sum, reduce.mean) for shape in (VECTOR, MATRIX)),
        *((f, (VECTOR,)) for f in (reduce.max, reduce.min)),
    ],
    "common_maps": [
        *((f, (shape, shape)) for f in (ADD, SUB, MUL) for shape in (VECTOR, MATRIX)),
        *((ADD, (MATRIX, bias)) for bias in (VECTOR, COLUMN)),
    ],
    "common_layers": [(_layer(f), (MATRIX, bias)) for f in (SIGMOID, TANH) for bias in (VECTOR, COLUMN)],
}


def common_text(library: str) -> str:
    """The module of a library of kernels, each once and under the name by which programs know it."""
    plans = [k for f, shapes in FUNCTIONS[library] for dtype in DTYPES for k in _kernels(f, dtype, shapes)]
    texts = {}
    for p in plans:
        for symbol, text in zip(p.symbols, p.texts, strict=True):
            name = common_name(symbol, text)
            texts[name] = text.replace(f"@{symbol}(", f"@{name}(", 1)
    return "\n".join([*sorted({d for p in plans for d in p.declarations}), *texts.values()])


def _kernels(function: Function, dtype: str, shapes: Sequence[tuple[int | None, ...]]) -> list[Kernels]:
    with unwatched():
        operands = [tensor_type(dtype, shape)() for shape in shapes]
        result = function(*operands)
    _, program, _ = make_program("common", operands, [], [result], [], True)
    return [plan.kernels for plan in program.plans]
