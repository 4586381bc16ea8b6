"""Export to MLIR: a lowered function becomes one `func.func` of linalg generics on tensors.

A group is one generic per reduction (a fill with the identity, then a generic in step form) and per store; broadcasts
and transpositions are indexing maps, loops `scf.for`, branches `scf.if`, updates of shared variables extra results.
Callbacks into Python are calls of declared private functions.
"""

from __future__ import annotations

from collections.abc import Mapping

from tensordsl.codegen.fusion.placement import Step
from tensordsl.codegen.mlir.groups import GroupWriter
from tensordsl.codegen.mlir.writer import MlirError, Writer
from tensordsl.codegen.tensor_ir.graph import toposort
from tensordsl.codegen.tensor_ir.lower import Lowered
from tensordsl.graph.types import COMPLEX


def export(lowered: Lowered, name: str = "main", checks: bool = False) -> str:
    """The function `lowered`, as the compiler's passes left it or as it was lowered, as the text of an MLIR module.

    Arguments of the MLIR function: the function's inputs, then its shared variables; results: its outputs, then the new
    values of updated shared variables.

    checks: assert (cf.assert) what the function checks about shapes and integers; without, they are preconditions.
    Raises MlirError where the function has no MLIR form.
    """
    return export_all({name: lowered}, checks)


def export_all(functions: Mapping[str, Lowered], checks: bool = False) -> str:
    """Several functions as one module; see `export`."""
    bodies: list[str] = []
    private: dict[str, str] = {}
    for name, lowered in functions.items():
        used = toposort([*lowered.outputs, *(value for _, value in lowered.updates)])
        if any(v.dtype in COMPLEX for v in (*lowered.sources, *used)):
            raise MlirError("complex values have no MLIR form yet: export a function of their real and imaginary parts")
        writer = Writer(lowered, run_step, checks)
        bodies.append(writer.function(name))
        private |= writer.private
    return "\n".join(["module {", *(f"  {text}" for text in private.values()), *bodies, "}", ""])


def run_step(writer: Writer, step: Step) -> None:
    if step.fused is not None:
        GroupWriter(writer, step.fused.group).run()
        return
    assert step.value is not None
    step.value.construct.mlir(writer, step.value)


__all__ = ["MlirError", "export", "export_all"]
