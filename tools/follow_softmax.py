"""One softmax on every floor of the compiler, as the page docs/softmax.md.

    python tools/follow_softmax.py > docs/softmax.md

Code is made for x86-64 with AVX2, so that the page does not depend on the machine, but for sizes of its caches.
"""

from __future__ import annotations

import io
import os
import re
import sys
from pathlib import Path

os.environ["TENSORDSL_FLAGS"] = ",".join(filter(None, (os.environ.get("TENSORDSL_FLAGS", ""), "cpu=x86-64-v3")))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import llvmlite.binding as llvm

import tensordsl
import tensordsl.tensor as T
from tensordsl.codegen.compiler.modules import module_text
from tensordsl.codegen.compiler.pipeline import make_program
from tensordsl.codegen.fusion.group import Schedule
from tensordsl.codegen.fusion.printer import show_group
from tensordsl.codegen.llvm.compile import compile_object
from tensordsl.codegen.program_ir.printer import show as show_program
from tensordsl.codegen.tensor_ir.graph import show
from tensordsl.codegen.tensor_ir.lower import lower

HEAD = """\
# One softmax on every floor

Made by `python tools/follow_softmax.py > docs/softmax.md`, for x86-64 with AVX2. [Architecture](architecture.md) says what
each floor is for. The same for a program of yours: `TENSORDSL_DEBUG=5 python program.py` prints all of it, and
`TENSORDSL_DUMP=folder python program.py` writes it to files ([debugging](debugging.md)). Functions that come from a cache are
not compiled: add `TENSORDSL_FLAGS=compiledir=/tmp/empty`.
"""
PROGRAM = """\
import tensordsl
import tensordsl.tensor as T

x = T.dmatrix("x")
y = T.nnet.softmax(x)
f = tensordsl.function([x], y, name="softmax")
tensordsl.debugprint(y)
"""


def floor(title: str, text: str, command: str, shown: str, language: str = "text") -> str:
    return f"## {title}\n\n{text} Printed by {command}.\n\n{fenced(shown, language)}"


def fenced(text: str, language: str = "text") -> str:
    return f"```{language}\n{text.rstrip()}\n```\n"


def schedule_text(schedule: Schedule) -> str:
    kept = "one value for each element" if schedule.keep else "nothing"
    return f"lanes along {schedule.lane}\nlanes of each pass: {schedule.width}\nstored for a later pass: {kept}"


def excerpt(text: str, first: int, last: int = 0) -> str:
    lines = text.strip().splitlines()
    if len(lines) <= first + last:
        return text
    return "\n".join([*lines[:first], f"... {len(lines) - first - last} lines ...", *lines[len(lines) - last :]])


def loop_of(assembly: str, instruction: str) -> str:
    """The shortest loop of an assembly text in which an instruction stands."""
    lines = assembly.splitlines()
    labels = {match[1]: k for k, line in enumerate(lines) if (match := re.match(r"(\.L\w+):", line))}
    loops = []
    for k, line in enumerate(lines):
        jump = re.match(r"\s+j\w+\s+(\.L\w+)", line)
        begin = labels.get(jump[1], k) if jump else k
        if begin < k and any(instruction in inside for inside in lines[begin:k]):
            loops.append(lines[begin : k + 1])
    return "\n".join(line for line in min(loops, key=len) if not line.strip().startswith("#"))


def assembly_of(text: str) -> str:
    compile_object(text, 1)  # which initialises LLVM
    machine = llvm.Target.from_triple(llvm.get_process_triple()).create_target_machine(
        cpu="x86-64-v3", opt=1, reloc="static", codemodel="default"
    )
    assembly: str = machine.emit_assembly(llvm.parse_assembly(text))
    return assembly


def page() -> str:
    x = T.dmatrix("x")
    y = T.nnet.softmax(x)
    graph = io.StringIO()
    tensordsl.printing.debugprint(y, file=graph)
    before = lower([x], [], [y], [])
    lowered, program, trace = make_program("softmax", [x], [], [y], [], True)
    plan = program.plans[0]
    changed = ", ".join(f"`{p.name}` ({', '.join(p.hits)})" for p in trace.passes if p.changed)
    kernels = plan.kernels.texts
    loop = loop_of(assembly_of(module_text([plan.kernels])), "vmaxpd")
    debug = "`TENSORDSL_DEBUG={}`".format
    return "\n".join(
        [
            HEAD,
            floor("Expression", "What the user wrote, as applications of rows.", "`debugprint`", PROGRAM, "python"),
            fenced(graph.getvalue()),
            floor(
                "Tensor IR",
                "The row `softmax` is made of others; casts and broadcasts are explicit, lengths are symbols "
                "(`codegen/tensor_ir/lower.py`).",
                debug(3),
                show(before.outputs),
            ),
            floor(
                "After the passes",
                f"Of `PIPELINE` in `codegen/compiler/pipeline.py` one changed something: {changed}.",
                debug(2) + " and " + debug(3),
                show(lowered.outputs),
            ),
            floor(
                "Fusion group",
                "All of it is one group: a DAG of scalars over named axes. Broadcasting is having fewer axes. What needs a "
                "reduction's result stands in a later pass (`codegen/fusion/group.py`).",
                debug(4),
                show_group(plan.group),
            ),
            floor(
                "Schedule",
                f"The group has {len(program.plans)} of them, between which a call chooses. This one is for rows that are "
                "adjacent (`codegen/cpu/schedule.py`).",
                "this tool",
                schedule_text(plan.schedule),
            ),
            floor(
                "Program",
                "What a call does on the host: lengths and conditions, the output's memory, the launch. `!` marks what "
                "may fail, all of it before state changes (`codegen/program_ir/instructions.py`).",
                debug(4),
                excerpt(show_program(program), 5, 9),
            ),
            floor(
                "Kernels",
                f"{len(kernels)} kernels, as LLVM text that is vectorised already (`codegen/cpu/kernel.py`). No pass "
                "manager of LLVM runs. The beginning of the first:",
                debug(5),
                excerpt(kernels[0], 24),
                "llvm",
            ),
            floor(
                "Assembly",
                "Its loop over the vectors of a row, which finds the row's largest element.",
                "this tool",
                loop,
                "asm",
            ),
        ]
    )


def main() -> None:
    print(page().strip())


if __name__ == "__main__":
    main()
