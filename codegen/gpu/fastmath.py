"""Fast math on the GPU: float32 functions by approximate instructions, within the error bounds of `BOUNDS`.

Applies only where a compile requests it; float64, and functions without a row in `FAST`, are unchanged.
Ref: PTX ISA, "Floating Point Instructions"; CUDA C++ Programming Guide, "Intrinsic Functions".
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from tensordsl.codegen.llvm.vector_builder import constant
from tensordsl.codegen.scalar_ir.builder import Val

if TYPE_CHECKING:
    from tensordsl.codegen.gpu.builder import GpuCode

Row = Callable[..., str]
INSTRUCTIONS = {
    "ex2.approx.f": 1, "lg2.approx.f": 1, "sin.approx.f": 1, "cos.approx.f": 1, "sqrt.approx.f": 1, "rsqrt.approx.f": 1,
    "div.full": 2,
}  # fmt: skip
BOUNDS = {
    "exp": "2 + 1.173 |x| units in the last place",
    "exp2": "2 units",
    "log": "3 units; between 1/2 and 2 an absolute error of 2^-21.4",
    "log2": "2 units; between 1/2 and 2 an absolute error of 2^-22",
    "log10": "3 units; between 1/2 and 2 an absolute error of 2^-24",
    "sin": "an absolute error of 2^-21.4 for |x| <= pi, and far larger ones outside",
    "cos": "an absolute error of 2^-21.1 for |x| <= pi, and far larger ones outside",
    "tanh": "8 units",
    "sigmoid": "5 + 1.173 |x| units",
    "div": "2 units",
    "sqrt": "1 unit",
}
"""Row -> its largest error.  1 / sqrt(x) is one instruction, of 2 units."""


def approximate(c: GpuCode, v: Val, operands: list[str]) -> str | None:
    """The value by approximate instructions, or None where it has no such form."""
    if v.type != "float32" or v.op not in FAST:
        return None
    return FAST[v.op](c, *operands)


def is_reciprocal_root(v: Val) -> bool:
    """Whether v is 1 / sqrt(x)."""
    return v.op == "div" and v.args[1].op == "sqrt" and v.args[0].op == "const" and v.args[0].attr == 1.0


def reciprocal_root(c: GpuCode, x: str) -> str:
    return _call(c, "rsqrt.approx.f", x)


def _call(c: GpuCode, name: str, *operands: str) -> str:
    symbol = f"llvm.nvvm.{name}"
    c.declarations.setdefault(symbol, f"declare float @{symbol}({', '.join(['float'] * len(operands))})")
    return c.call(symbol, "float", *(f"float {x}" for x in operands))


def _instruction(name: str) -> Row:
    return lambda c, *x: _call(c, name, *x)


def _two(c: GpuCode, op: str, x: str, y: str | float) -> str:
    return c.op(f"{op} float {x}, {y if isinstance(y, str) else constant(y, 'float32')}")


def _exp(c: GpuCode, x: str) -> str:
    return _call(c, "ex2.approx.f", _two(c, "fmul", x, math.log2(math.e)))


def _logarithm(unit: float) -> Row:
    return lambda c, x: _two(c, "fmul", _call(c, "lg2.approx.f", x), unit)


def _sigmoid(c: GpuCode, x: str) -> str:
    """1 / (1 + exp(-x))"""
    return _call(c, "div.full", constant(1.0, "float32"), _two(c, "fadd", _exp(c, c.op(f"fneg float {x}")), 1.0))


def _tanh(c: GpuCode, x: str) -> str:
    """1 - 2 / (1 + exp(2 x)); close to 0, where that has few digits, the series up to x^7."""
    plus = _two(c, "fadd", _exp(c, _two(c, "fadd", x, x)), 1.0)
    far = c.op(f"fsub float {constant(1.0, 'float32')}, {_call(c, 'div.full', constant(2.0, 'float32'), plus)}")
    square, series = _two(c, "fmul", x, x), constant(-17 / 315, "float32")
    for factor in (2 / 15, -1 / 3):
        series = c.intrinsic("fma", "float32", 1, series, square, constant(factor, "float32"))
    near = c.intrinsic("fma", "float32", 1, _two(c, "fmul", series, square), x, x)
    is_near = c.op(f"fcmp olt float {c.intrinsic('fabs', 'float32', 1, x)}, {constant(0.25, 'float32')}")
    return c.op(f"select i1 {is_near}, float {near}, float {far}")


FAST: dict[str, Row] = {
    "exp": _exp, "exp2": _instruction("ex2.approx.f"), "log": _logarithm(math.log(2)), "sigmoid": _sigmoid,
    "log2": _instruction("lg2.approx.f"), "log10": _logarithm(math.log10(2)), "sin": _instruction("sin.approx.f"),
    "cos": _instruction("cos.approx.f"), "tanh": _tanh, "div": _instruction("div.full"),
    "sqrt": _instruction("sqrt.approx.f"),
}  # fmt: skip
