"""The compiler of LLVM text: llvmlite behind two functions, imported at the first compile.

There is no pass manager: texts are emitted as they should run.  Three levels of code generation: 1 for kernels,
products and loops (the same instructions as at level 2, not ordered a second time after registers are known: as fast,
and an eighth of the time less), 0 for host programs, 2 for the rest of the library.  At level 1 texts also do without
some of LLVM's passes (`NEEDLESS`).
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

from tensordsl.base.forks import lock
from tensordsl.base.limits import require_space
from tensordsl.codegen.target.machine import is_arm, native_width, processor

# Multiplications of 52 bits: LLVM 22 takes them for products of small integers before it parts vectors that are longer
# than a register, and ends the process where it has to part one.
UNUSED = frozenset(("avx512ifma", "avxifma"))
# What code generation does to texts before it selects instructions, and finds between these: a quarter of the time, and
# kernels run the same.  The last ones find nothing in kernels.
NEEDLESS = (
    "disable-lsr", "disable-cgp", "disable-select-optimize", "disable-constant-hoisting",
    "disable-machine-sink", "disable-machine-cse", "disable-copyprop",
    "disable-tail-duplicate", "disable-early-taildup", "disable-early-ifcvt",
)  # fmt: skip
NEEDLESS_X86 = ("disable-x86-domain-reassignment", "disable-x86-lea-opt")
# The usual scheduler loads a vector of several registers from its end, which memory does not foresee; this one from its
# beginning, but several vectors of one register from the last to the first.  Dear functions keep the usual one.
# ("linearize" is no choice: its sums of float32 are wrong.  LLVM's code generator for AArch64 crashes with "list-ilp".)
ORDER, FORWARD, USUAL = "pre-RA-sched", "list-ilp", "default"
LOOPS = ("disable-lsr", ORDER)  # what the library's loops have as ever: without the first up to 1.4 of the time
_LOADS = re.compile(r" = load <(\d+) x (i8|i16|i32|i64|half|float|double)>")
_SIZES = {"i8": 1, "i16": 2, "i32": 4, "i64": 8, "half": 2, "float": 4, "double": 8}
SPACE, PER_CHARACTER = 1 << 24, 60  # bytes that LLVM may want for a module; without them it ends the process
NEWEST = 22  # LLVM that is known to have these switches: it ends the process for one that it does not know


def compile_object(text: str, opt: int = 2, kept: Collection[str] = ()) -> bytes:
    """The object file of a module at level `opt`.  Raises RuntimeError (with LLVM's words) if the text is wrong.
    kept: switches of passes that this text needs, of those which others of its level do without."""
    with lock:
        llvm, triple, layout, machines = _target()
        require_space(SPACE + PER_CHARACTER * len(text))
        with llvm.parse_assembly(text) as module:
            module.triple, module.data_layout = triple, layout
            with _under(_switches(text, kept) if opt == 1 and llvm.llvm_version_info[0] <= NEWEST else {}):
                result: bytes = machines[opt].emit_object(module)
    return result


def _switches(text: str, kept: Collection[str] = ()) -> dict[str, tuple[str, str]]:
    """LLVM's switches for a module of kernels or loops: what each is for it, and for others."""
    lengths = (int(n) * _SIZES[kind] for n, kind in _LOADS.findall(text))
    is_long = max(lengths, default=0) > native_width() and "@llvm.fma." not in text
    order = FORWARD if is_long and not is_arm() else USUAL
    needless = NEEDLESS if is_arm() else NEEDLESS + NEEDLESS_X86
    switches = {**dict.fromkeys(needless, ("true", "false")), ORDER: (order, USUAL)}
    return {name: values for name, values in switches.items() if name not in kept}


@contextmanager
def _under(switches: dict[str, tuple[str, str]]) -> Iterator[None]:
    """Have code generated under LLVM's `switches`, which are the process's: as before for its other users."""
    try:
        _set([f"-{switch}={value}" for switch, (value, _) in switches.items()])
        yield
    finally:
        _set([f"-{switch}={before}" for switch, (_, before) in switches.items()])


def _set(options: list[str]) -> None:
    """Give LLVM its options, all in one file where that can be: it looks through the thousands it has each time."""
    if not options:
        return
    llvm, *_ = _target()
    with _in_a_file(options) as file:
        for option in (f"@{file}",) if file else options:
            llvm.set_option("tensordsl", option)


@contextmanager
def _in_a_file(lines: list[str]) -> Iterator[str]:
    """The name of a file in memory, or "" where there are none.  (A name that LLVM can't open ends the process.)"""
    try:
        number = os.memfd_create("options")
    except (AttributeError, OSError):  # another system, or no more files
        yield ""
        return
    try:
        os.write(number, "\n".join(lines).encode())
        name = f"/proc/self/fd/{number}"
        yield name if os.path.exists(name) else ""
    finally:
        os.close(number)


_made: list[Any] = []


def _target() -> tuple[Any, str, str, dict[int, Any]]:
    """(llvmlite.binding, triple, data layout, {level: TargetMachine}), made once."""
    if not _made:
        with lock:
            if not _made:
                _made.append(_make_target())
    result: tuple[Any, str, str, dict[int, Any]] = _made[0]
    return result


def _make_target() -> tuple[Any, str, str, dict[int, Any]]:
    import llvmlite.binding as llvm  # type: ignore[import-untyped]

    try:  # needed up to llvmlite 0.44, an error afterwards
        llvm.initialize()
    except RuntimeError:
        pass
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    triple = llvm.get_process_triple()
    target = llvm.Target.from_triple(triple)
    cpu, features = processor()
    features = features | dict.fromkeys(UNUSED & features.keys(), False)
    options = {
        "cpu": cpu,
        "features": ",".join(("+" if is_there else "-") + name for name, is_there in sorted(features.items())),
        "reloc": "pic",
        "codemodel": "small",
        "jit": True,
    }
    machines = {level: target.create_target_machine(opt=level, **options) for level in (0, 1, 2)}
    return llvm, triple, str(machines[0].target_data), machines
