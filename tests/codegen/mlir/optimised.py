"""What exports are made from: functions as the compiler's passes leave them."""

from __future__ import annotations

from tensordsl.codegen.compiler.pipeline import optimise_lowered
from tensordsl.codegen.tensor_ir.lower import Lowered


def optimised(lowered: Lowered) -> Lowered:
    optimise_lowered(lowered)
    return lowered
