"""Precompiled kernels: those that many programs share, compiled once per machine with the library.

Those of several examples and benchmarks; made as any program's are, so a plan is found wherever the compiler meets the
same group and schedule (`modules.plan_name`), and a kernel of another plan by its text (`modules.common_name`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from tensordsl.codegen.compiler.modules import common_name, plan_name, under
from tensordsl.codegen.compiler.pipeline import make_program
from tensordsl.codegen.program_ir.instructions import LaunchPlan
from tensordsl.codegen.target.tuning import Tuning
from tensordsl.graph.types import tensor_type
from tensordsl.graph.variables import unwatched
from tensordsl.ops.array import reduce
from tensordsl.ops.math.elementwise import ADD, MUL, SUB
from tensordsl.ops.math.functions import SIGMOID, TANH

Function = Callable[..., Any]
VECTOR, MATRIX, COLUMN = (None,), (None, None), (None, 1)


def _layer(activation: Function) -> Function:
    return lambda x, bias: activation(ADD(x, bias))


def _product(x: Any, y: Any) -> Any:
    return reduce.sum(MUL(x, y))


def _square(x: Any) -> Any:
    return reduce.sum(MUL(x, x))


# (function, the shapes of its operands)
FUNCTIONS: Sequence[tuple[Function, Sequence[tuple[int | None, ...]]]] = (
    *((f, (shape,)) for f in (reduce.sum, reduce.mean) for shape in (VECTOR, MATRIX)),
    *((_square, (shape,)) for shape in (VECTOR, MATRIX)),
    *((_product, (shape, shape)) for shape in (VECTOR, MATRIX)),
    *((f, (VECTOR,)) for f in (reduce.max, reduce.min)),
    *((f, (shape, shape)) for f in (ADD, SUB, MUL) for shape in (VECTOR, MATRIX)),
    *((ADD, (MATRIX, bias)) for bias in (VECTOR, COLUMN)),
    *((_layer(f), (MATRIX, bias)) for f in (SIGMOID, TANH) for bias in (VECTOR, COLUMN)),
)


def common_text(dtype: str, tuning: Tuning) -> str:
    """The module of the library's kernels of a dtype, each once and under the name by which programs know it; and of
    its plans, as texts of JSON: the names of their kernels and the descriptor."""
    plans = [p for f, shapes in FUNCTIONS for p in _plans(f, dtype, shapes, tuning)]
    parts = sorted({d for p in plans for d in p.kernels.declarations})
    for p in plans:
        made, names = p.kernels, []
        for symbol, text in zip(made.symbols, made.texts, strict=True):
            names.append(common_name(symbol, text))
            parts.append(under(text, symbol, names[-1]))
        said = json.dumps([names, made.descriptor])
        parts.append(f"@{plan_name(p)} = constant [{len(said) + 1} x i8] c{_literal(said)}")
    return "\n".join(dict.fromkeys(parts))


def _literal(text: str) -> str:
    """A string of LLVM that ends as C's do."""
    return '"' + text.replace('"', "\\22") + '\\00"'


def _plans(
    function: Function, dtype: str, shapes: Sequence[tuple[int | None, ...]], tuning: Tuning
) -> list[LaunchPlan]:
    with unwatched():
        operands = [tensor_type(dtype, shape)() for shape in shapes]
        result = function(*operands)
    _, program, _ = make_program("common", operands, [], [result], [], True, tuning=tuning)
    return [replace(plan, streams=False) for plan in program.plans]
