"""The list of passes, and the way of a function from the user's graph to object code."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tensordsl.codegen import target
from tensordsl.codegen.build_program import build_program
from tensordsl.codegen.emit_program import emit_program, kernel_table, libraries
from tensordsl.codegen.kernels import module_text
from tensordsl.codegen.lower import lower
from tensordsl.codegen.program import Program
from tensordsl.codegen.verify_program import verify
from tensordsl.graph import Variable


@dataclass(slots=True)
class Compiled:
    """The objects of a function, what the run time must know of them, and the callables of its host steps."""

    meta: dict[str, Any]
    kernels: bytes
    host: bytes
    hosts: list[Any]
    program: Program


def compile_graph(
    name: str, inputs: Sequence[Variable], shared: Sequence[Variable], outputs: Sequence[Variable],
    updates: Sequence[tuple[Variable, Variable]], single: bool, mode: Any = None,
    kernel_object: Callable[[str], bytes] = target.compile_object,
) -> Compiled:  # fmt: skip
    lowered = lower(inputs, shared, outputs, updates)
    program, _ = build_program(
        name, lowered, [v.type for v in inputs], [v.type for v in shared], single, target.native_width()
    )
    verify(program)
    kernels = kernel_object(module_text(program.plans)) if program.plans else b""
    host = target.compile_object(emit_program(program), 0)
    meta = {
        "name": name,
        "args": [[dtype, list(shape)] for dtype, shape in program.args],
        "outputs": [list(o) for o in program.outputs],
        "kernels": kernel_table(program),
        "libraries": libraries(program),
        "sites": {str(k): v for k, v in program.sites.items()},
    }
    return Compiled(meta, kernels, host, lowered.hosts, program)

