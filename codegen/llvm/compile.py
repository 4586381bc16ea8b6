"""The compiler of LLVM text: llvmlite behind two functions, imported at the first compile.

There is no pass manager: texts are emitted as they should run.  Three levels of code generation: 1 for kernels,
products and loops (the same instructions as at level 2, not ordered a second time after registers are known: as fast,
and an eighth of the time less), 0 for host programs, 2 for the rest of the library.  At level 1 texts also do without
some of LLVM's passes (`NEEDLESS`).
"""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from tensordsl.codegen.target.cache_model import LEVEL_2, LEVEL_3, Caches, far_third, near_third
from tensordsl.config import config
from tensordsl.forks import lock
from tensordsl.limits import require_space
from tensordsl.processor import LEVELS, cache_sizes

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


def native_width() -> int:
    """Bytes of a vector register of the processor that code is compiled for."""
    _, features = _processor()
    return 64 if features.get("avx512f") else 32 if features.get("avx2") else 16


def has_panels() -> bool:
    """Whether this machine has the 32 registers of 64 bytes that our own large matrix products are made for: on AMD's
    and Intel's cores that have them they are as fast as one thread of OpenBLAS or faster."""
    return native_width() == 64


def prefers_halves() -> bool:
    """Whether loops that load and store more than they compute are faster with half registers: with AVX-512, but not on
    AMD's cores.  On Intel's, vectors of 64 bytes that straddle lines take a quarter longer from the second cache on;
    what is only read begins on lines instead."""
    name, _ = _processor()
    return native_width() == 64 and not name.startswith("znver")


def has_gathers() -> bool:
    """Whether the instruction that gathers takes less time than loading lane by lane: on Intel's cores since they have
    arithmetic of float16.  On those before them their firmware was mended, which made it slow, and on AMD's it is."""
    return prefers_halves() and bool(_processor()[1].get("avx512fp16"))


def shuffled_bytes() -> int:
    """Bytes of a vector that one instruction puts in any order (of those that are known), or 0."""
    _, features = _processor()
    if is_arm():
        return 0
    return 64 if features.get("avx512vbmi") else 16 if features.get("ssse3") else 0


def fetches_turns() -> bool:
    """Whether loops that read a block of each operand in turn ask for the next blocks: Intel's cores follow none of so
    many short streams; AMD's do, and asking costs a quarter of the time and, of operands in memory, up to a third."""
    return not is_arm() and not _processor()[0].startswith("znver")


def caches() -> Caches:
    """From how many bytes on launches mind caches.  Intel's cores with AVX-512 share a third-level one that is far from
    them."""
    if config.cpu != "native":
        return near_third()
    level2, level3 = _cache_sizes()
    if is_arm() or not prefers_halves():
        return near_third(level3 or LEVEL_3)
    return far_third(level2 or LEVEL_2, level3 or LEVEL_3)


def has_half() -> bool:
    """Whether there are instructions that convert float16."""
    return is_arm() or bool(_processor()[1].get("f16c"))


def is_arm() -> bool:
    """Whether code is compiled for AArch64."""
    return platform.machine() in ("aarch64", "arm64")


def library_objects(name: str) -> bytes:
    """The object of `codegen.abi.layouts.LIBRARY[name]`."""
    from tensordsl.codegen.abi.layouts import LIBRARY, NEST_PARTS
    from tensordsl.codegen.llvm.modules import only

    if name.startswith("common_"):
        from tensordsl.codegen.library.precompiled_kernels import common_text

        return compile_object(common_text(name.removeprefix("common_")), 1)
    text = _library_text(name)
    if name == "nest" or name in NEST_PARTS:  # which need all their functions
        return compile_object(text, 1, LOOPS)
    text = only(text, LIBRARY[name])
    if name == "native":
        return compile_object(text, 1, LOOPS)
    return compile_object(text, 1 if name.startswith("gemm_") else 2)


def _library_text(name: str) -> str:
    """A module that has the functions of a library, and perhaps those of others."""
    kind, _, rest = name.partition("_")
    if kind == "native":
        from tensordsl.codegen.library.python.module import native_text

        return native_text(is_arm())
    if kind == "gemm":
        from tensordsl.codegen.library.gemm.dispatch import gemm_text

        return gemm_text(rest, native_width(), has_panels(), prefers_halves())
    if kind == "threads":
        from tensordsl.codegen.library.python.thread_pool import thread_text

        return thread_text(is_arm())
    if kind == "scatter":
        from tensordsl.codegen.library.arrays.scatter import scatter_text

        return scatter_text(native_width(), "half" if has_half() else "")
    if kind in ("cumsum", "cumprod"):
        from tensordsl.codegen.library.arrays.scan import cumulate_text
        from tensordsl.codegen.llvm.vector_builder import host_isa

        return cumulate_text(rest, native_width(), host_isa())
    if kind in ("sort", "argsort", "searchsorted"):
        from tensordsl.codegen.library.sort.driver import sort_text

        return sort_text(rest, native_width())
    if kind == "select":
        from tensordsl.codegen.library.sort.argselect import select_text

        return select_text(rest, native_width())
    if kind == "positions":
        from tensordsl.codegen.library.arrays.nonzero import positions_text

        return positions_text(native_width())
    if kind == "replay":
        from tensordsl.codegen.library.python.gpu_replay import replay_text

        return replay_text()
    assert kind == "nest", name
    from tensordsl.codegen.library.loops.entry import part_text

    return part_text(name, native_width(), fetches_turns(), shuffled_bytes(), caches())


_made: list[Any] = []


def _target() -> tuple[Any, str, str, dict[int, Any]]:
    """(llvmlite.binding, triple, data layout, {level: TargetMachine}), made once."""
    if not _made:
        with lock:
            if not _made:
                _made.append(_make_target())
    result: tuple[Any, str, str, dict[int, Any]] = _made[0]
    return result


@cache
def _cache_sizes() -> tuple[int, int]:
    return cache_sizes()


@cache
def _processor() -> tuple[str, dict[str, bool]]:
    """LLVM's name of the processor that code is compiled for, and whether it has this or that."""
    with lock:
        import llvmlite.binding as llvm  # type: ignore[import-untyped]

        if config.cpu != "native":
            return config.cpu, dict.fromkeys(LEVELS[config.cpu], True)
        return str(llvm.get_host_cpu_name()), dict(llvm.get_host_cpu_features())


def _make_target() -> tuple[Any, str, str, dict[int, Any]]:
    import llvmlite.binding as llvm

    try:  # needed up to llvmlite 0.44, an error afterwards
        llvm.initialize()
    except RuntimeError:
        pass
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    triple = llvm.get_process_triple()
    target = llvm.Target.from_triple(triple)
    cpu, features = _processor()
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
