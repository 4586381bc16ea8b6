"""What the processor that code is compiled for has and prefers: the host's, or the level that `config.cpu` names."""

from __future__ import annotations

import platform
from functools import cache

from tensordsl.base.config import config
from tensordsl.base.forks import lock
from tensordsl.base.processor import LEVELS, cache_sizes
from tensordsl.codegen.target.cache_model import LEVEL_2, LEVEL_3, Caches, far_third, near_third


def native_width() -> int:
    """Bytes of a vector register of the processor that code is compiled for."""
    _, features = processor()
    return 64 if features.get("avx512f") else 32 if features.get("avx2") else 16


def has_panels() -> bool:
    """Whether this machine has the 32 registers of 64 bytes that our own large matrix products are made for: on AMD's
    and Intel's cores that have them they are as fast as one thread of OpenBLAS or faster."""
    return native_width() == 64


def prefers_halves() -> bool:
    """Whether loops that load and store more than they compute are faster with half registers: with AVX-512, but not on
    AMD's cores.  On Intel's, vectors of 64 bytes that straddle lines take a quarter longer from the second cache on;
    what is only read begins on lines instead."""
    name, _ = processor()
    return native_width() == 64 and not name.startswith("znver")


def has_gathers() -> bool:
    """Whether the instruction that gathers takes less time than loading lane by lane: on Intel's cores since they have
    arithmetic of float16.  On those before them their firmware was mended, which made it slow, and on AMD's it is."""
    return prefers_halves() and bool(processor()[1].get("avx512fp16"))


def shuffled_bytes() -> int:
    """Bytes of a vector that one instruction puts in any order (of those that are known), or 0."""
    _, features = processor()
    if is_arm():
        return 0
    return 64 if features.get("avx512vbmi") else 16 if features.get("ssse3") else 0


def fetches_turns() -> bool:
    """Whether loops that read a block of each operand in turn ask for the next blocks: Intel's cores follow none of so
    many short streams; AMD's do, and asking costs a quarter of the time and, of operands in memory, up to a third."""
    return not is_arm() and not processor()[0].startswith("znver")


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
    return is_arm() or bool(processor()[1].get("f16c"))


def is_arm() -> bool:
    """Whether code is compiled for AArch64."""
    return platform.machine() in ("aarch64", "arm64")


@cache
def host_isa() -> str:
    """Of its instructions, what the writers of vector code ask for (`isa` of `llvm.vector_builder.Code`)."""
    vectors = {64: ["avx512"], 32: ["avx2"]}.get(native_width(), [])
    return " ".join([*vectors, *["halves"] * prefers_halves(), *["gathers"] * has_gathers(), *["half"] * has_half()])


@cache
def _cache_sizes() -> tuple[int, int]:
    return cache_sizes()


@cache
def processor() -> tuple[str, dict[str, bool]]:
    """LLVM's name of the processor that code is compiled for, and whether it has this or that."""
    with lock:
        import llvmlite.binding as llvm  # type: ignore[import-untyped]

        if config.cpu != "native":
            return config.cpu, dict.fromkeys(LEVELS[config.cpu], True)
        return str(llvm.get_host_cpu_name()), dict(llvm.get_host_cpu_features())
