"""PTX from LLVM text by llvmlite's NVPTX backend, in memory: neither a GPU nor a CUDA toolkit is needed.

Raises ValueError for what has no instruction: LLVM ends the process where it has none for an intrinsic, so texts are
checked against a list first.
"""

from __future__ import annotations

import re
from typing import Any

from tensordsl.base.forks import lock
from tensordsl.codegen.fusion.group import Group
from tensordsl.codegen.gpu.fastmath import INSTRUCTIONS
from tensordsl.codegen.gpu.schedule import plan

# Architecture -> the lowest PTX version that knows it (what LLVM chooses): the older, the more drivers load it.
TARGETS = {
    "sm_75": 63, "sm_80": 70, "sm_86": 71, "sm_89": 78, "sm_90": 78, "sm_100": 86, "sm_103": 88, "sm_110": 90,
    "sm_120": 87, "sm_121": 88,
}  # fmt: skip
# LLVM takes an architecture that it does not know for an ancient one, where it lacks instructions and ends the process.
NEEDS_LLVM = {"sm_103": 21, "sm_121": 21, "sm_110": 22}
TRIPLE = "nvptx64-nvidia-cuda"

_FLOATS, _INTEGERS = ("f32", "f64"), ("i8", "i16", "i32", "i64")
ROUNDED = ("fma", "sqrt", "floor", "ceil", "trunc", "roundeven", "fabs", "copysign")
INTRINSICS = frozenset(
    [f"llvm.{name}.{t}" for name in ROUNDED for t in _FLOATS]
    + [f"llvm.{name}.{t}" for name in ("smin", "smax", "umin", "umax") for t in _INTEGERS]
    + ["llvm.ctpop.i32"]
    + [f"llvm.nvvm.read.ptx.sreg.{name}.x" for name in ("tid", "ntid", "ctaid", "nctaid")]
    + ["llvm.nvvm.barrier0", "llvm.nvvm.shfl.sync.bfly.i32"]
    + [f"llvm.nvvm.{name}" for name in INSTRUCTIONS]
)
MAX_PARAMETERS_BEFORE_PTX_81, MAX_PARAMETERS, PTX_81 = 512, 4095, 81
"""8-byte parameters of a kernel, at most; the PTX version (8.1, of CUDA 12.1) that allows the larger number."""
_KERNEL = re.compile(r"^define ptx_kernel void @\w+\((.*)\)[^()]*\{$", re.MULTILINE)
_CALLED = re.compile(r"@(llvm\.[\w.]+)")


def compile_group(group: Group, target: str = "sm_80", fastmath: bool = False) -> str:
    """The PTX of a group's kernels (`gpu.schedule.plan` names and orders them; `fastmath` as there).

    Raises ValueError for a target that is not in `TARGETS`, and for operations that have no GPU form.
    """
    return compile_text(plan(group, fastmath=fastmath).text, target)


def compile_text(text: str, target: str = "sm_80") -> str:
    """The PTX of a module of LLVM text.  Raises ValueError as `compile_group` does, RuntimeError for wrong text."""
    if target not in TARGETS:
        raise ValueError(f"unknown GPU architecture {target!r}: there are {', '.join(TARGETS)}")
    check_intrinsics(text)
    check_parameters(text)
    version = max(TARGETS[target], PTX_81) if parameters(text) > MAX_PARAMETERS_BEFORE_PTX_81 else TARGETS[target]
    with lock:
        llvm, machine, layout = _machine(target, version)  # no pass manager: texts are emitted as they should run
        with llvm.parse_assembly(text) as module:
            module.triple, module.data_layout = TRIPLE, layout
            result: str = machine.emit_assembly(module)
    return result


def check_intrinsics(text: str) -> None:
    """Raises ValueError unless LLVM has instructions for all that the text calls."""
    unknown = sorted(set(_CALLED.findall(text)) - INTRINSICS)
    if unknown:
        raise ValueError(f"no GPU instruction for {', '.join(unknown)}")
    if " frem " in text:
        raise ValueError("no GPU instruction for frem")


def parameters(text: str) -> int:
    """The most parameters that a kernel of the text has."""
    return max((params.count(",") + 1 for params in _KERNEL.findall(text)), default=0)


def check_parameters(text: str) -> None:
    """Raises ValueError for a kernel with more parameters than a GPU takes."""
    if parameters(text) > MAX_PARAMETERS:
        raise ValueError(f"a kernel of {parameters(text)} parameters; GPUs take {MAX_PARAMETERS}")


_machines: dict[tuple[str, int], tuple[Any, Any, str]] = {}


def _machine(target: str, version: int) -> tuple[Any, Any, str]:
    key = target, version
    if key not in _machines:
        import llvmlite.binding as llvm  # type: ignore[import-untyped]

        if llvm.llvm_version_info[0] < NEEDS_LLVM.get(target, 20):
            raise ValueError(f"{target} needs an llvmlite with LLVM {NEEDS_LLVM.get(target, 20)} or newer")
        if not _machines:
            llvm.initialize_all_targets()
            llvm.initialize_all_asmprinters()
        made = llvm.Target.from_triple(TRIPLE).create_target_machine(cpu=target, features=f"+ptx{version}", opt=3)
        _machines[key] = llvm, made, str(made.target_data)
    return _machines[key]
