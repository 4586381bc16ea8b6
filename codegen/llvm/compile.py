"""The compiler of LLVM text: `compile_object`, a module's text -> an object file, by llvmlite, imported then.

Levels     of code generation: 1 for kernels, products and loops (instructions as at level 2, but not scheduled a second
           time after registers are allocated: as fast, in less time), 0 for host programs, 2 for the library's others.
Why        there is no pass manager: texts are emitted as they should run.  At level 1 also some passes of code
           generation are left out, which find nothing in such texts (`SKIPPED_PASSES`).
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

from tensordsl.base.forks import lock
from tensordsl.base.limits import require_space
from tensordsl.base.processor import LEVEL_OF
from tensordsl.codegen.target.machine import is_arm, processor

# Multiplications of 52 bits: LLVM 22 takes them for products of small integers before it parts vectors that are longer
# than a register, and ends the process where it has to part one.
UNUSED_FEATURES = frozenset(("avx512ifma", "avxifma"))
# Passes of code generation before and after instruction selection that find nothing in kernels, or what makes no
# difference to their speed.  All of them run by default: a switch is reset to "false".
SKIPPED_PASSES = (
    "disable-lsr", "disable-cgp", "disable-constant-hoisting",
    "disable-machine-sink", "disable-machine-cse", "disable-copyprop",
    "disable-tail-duplicate", "disable-early-taildup", "disable-early-ifcvt",
)  # fmt: skip
SKIPPED_PASSES_X86 = ("disable-x86-domain-reassignment", "disable-x86-lea-opt")
# The default scheduler loads a vector of several registers from its end, which hardware prefetchers do not predict;
# this one from its beginning, but several vectors of one register from the last to the first.  Expensive functions keep
# the default.  ("linearize" is no choice: its sums of float32 are wrong.  For AArch64 "list-ilp" crashes.)
SCHEDULER, FORWARD_SCHEDULER, DEFAULT_SCHEDULER = "pre-RA-sched", "list-ilp", "default"
LOOP_PASSES = ("disable-lsr", SCHEDULER)  # which the library's loops keep: without the first they are slower
LLVM_BASE_BYTES, LLVM_BYTES_PER_CHARACTER = 1 << 24, 60  # what LLVM may allocate for a module, or end the process
NEWEST_KNOWN_LLVM = 22  # version known to have these switches: LLVM ends the process for one that it does not know


def compile_object(text: str, opt: int = 2, kept: Collection[str] = (), forward: bool = False) -> bytes:
    """The object file of a module at level `opt`.  Raises RuntimeError (with LLVM's message) if the text is wrong.

    kept     names of the passes that this text needs, of those which others of its level leave out
    forward  schedule loads of vectors of several registers from their beginning (`FORWARD_SCHEDULER`)
    """
    with lock:
        llvm, triple, layout, machines = _target()
        require_space(LLVM_BASE_BYTES + LLVM_BYTES_PER_CHARACTER * len(text))
        with llvm.parse_assembly(text) as module:
            module.triple, module.data_layout = triple, layout
            is_known = llvm.llvm_version_info[0] <= NEWEST_KNOWN_LLVM
            with _with_switches(_switches(kept, forward) if opt == 1 and is_known else {}):
                result: bytes = machines[opt].emit_object(module)
    return result


def _switches(kept: Collection[str] = (), forward: bool = False) -> dict[str, tuple[str, str]]:
    """LLVM's switches for a module of kernels or loops: (their value for it, the default)."""
    order = FORWARD_SCHEDULER if forward and not is_arm() else DEFAULT_SCHEDULER
    skipped = SKIPPED_PASSES if is_arm() else SKIPPED_PASSES + SKIPPED_PASSES_X86
    switches = {**dict.fromkeys(skipped, ("true", "false")), SCHEDULER: (order, DEFAULT_SCHEDULER)}
    return {name: values for name, values in switches.items() if name not in kept}


@contextmanager
def _with_switches(switches: dict[str, tuple[str, str]]) -> Iterator[None]:
    """Set LLVM's `switches`, which are global to the process, and reset them for its other users."""
    try:
        _set_options([f"-{switch}={value}" for switch, (value, _) in switches.items()])
        yield
    finally:
        _set_options([f"-{switch}={before}" for switch, (_, before) in switches.items()])


def _set_options(options: list[str]) -> None:
    """Give LLVM its options, all in one response file where possible: each call looks through thousands of options."""
    if not options:
        return
    llvm, *_ = _target()
    with _memory_file(options) as file:
        for option in (f"@{file}",) if file else options:
            llvm.set_option("tensordsl", option)


@contextmanager
def _memory_file(lines: list[str]) -> Iterator[str]:
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
    features = features | dict.fromkeys(UNUSED_FEATURES & features.keys(), False)
    options = {
        "cpu": LEVEL_OF.get(cpu, cpu),
        "features": ",".join(("+" if is_there else "-") + name for name, is_there in sorted(features.items())),
        "reloc": "pic",
        "codemodel": "small",
        "jit": True,
    }
    machines = {level: target.create_target_machine(opt=level, **options) for level in (0, 1, 2)}
    return llvm, triple, str(machines[0].target_data), machines
