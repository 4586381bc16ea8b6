"""The processor that code is compiled for: the host's, or the level or family that `config.cpu` names.

Contract  `host` -> a `Machine`, its facts.
When      something is compiled.
Why       facts are handed down in a tuning, so that code for another processor can be written anywhere.
"""

from __future__ import annotations

import platform
from functools import cache

from tensordsl.base.config import config
from tensordsl.base.forks import lock
from tensordsl.base.processor import FEATURES, cache_sizes
from tensordsl.base.records import record

CACHE_LINE_BYTES = 64
PAGE_BYTES = 4096
ALIAS_BYTES = 4096  # a load waits for a recent store at the same address modulo this (4K aliasing)


@record
class Machine:
    """A processor that code is compiled for, as facts; `host` has those of the usual one.

    vector_bytes, is_arm    of a vector register; AArch64, else x86-64
    has_panels              registers for our own large matrix products
    has_half                instructions that convert float16
    has_gathers             its gathers take less time than loads lane by lane
    prefers_halves          half registers are faster where a loop loads and stores more than it computes
    prefetches_blocks       prefetching pays where several operands are read a block of each at a time
    shuffled_bytes          of a vector that one instruction puts in any known order, or 0
    has_distant_l3          its third-level cache is one that all cores of a large chip share
    l2_bytes, l3_bytes      of its caches; 0 where they are not known
    """

    vector_bytes: int = 64
    is_arm: bool = False
    has_panels: bool = False
    has_half: bool = False
    has_gathers: bool = False
    prefers_halves: bool = False
    prefetches_blocks: bool = True
    shuffled_bytes: int = 0
    has_distant_l3: bool = False
    l2_bytes: int = 0
    l3_bytes: int = 0

    @property
    def isa(self) -> str:
        """Of its instructions, what the writers of vector code need (`isa` of `llvm.vector_builder.Code`)."""
        vectors = {64: ["avx512"], 32: ["avx2"]}.get(self.vector_bytes, [])
        facts = {"halves": self.prefers_halves, "gathers": self.has_gathers, "half": self.has_half}
        return " ".join([*vectors, *(name for name, holds in facts.items() if holds)])


def host() -> Machine:
    """The processor that `config.cpu` names.  Of the caches of a level or a family nothing is known."""
    is_known = config.cpu == "native"
    l2_bytes, l3_bytes = _cache_sizes() if is_known else (0, 0)
    return Machine(
        vector_bytes=native_width(),
        is_arm=is_arm(),
        has_panels=has_panels(),
        has_half=has_half(),
        has_gathers=has_gathers(),
        prefers_halves=prefers_halves(),
        prefetches_blocks=prefetches_blocks(),
        shuffled_bytes=shuffled_bytes(),
        has_distant_l3=is_known and not is_arm() and prefers_halves(),
        l2_bytes=l2_bytes,
        l3_bytes=l3_bytes,
    )


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


def prefetches_blocks() -> bool:
    """Whether loops that read a block of each operand prefetch the next blocks: Intel's cores follow none of so many
    short streams; AMD's do, and prefetching costs a quarter of the time and, of operands in memory, up to a third."""
    return not is_arm() and not processor()[0].startswith("znver")


def has_half() -> bool:
    """Whether there are instructions that convert float16."""
    return is_arm() or bool(processor()[1].get("f16c"))


def is_arm() -> bool:
    """Whether code is compiled for AArch64."""
    return platform.machine() in ("aarch64", "arm64")


@cache
def host_isa() -> str:
    return host().isa


@cache
def _cache_sizes() -> tuple[int, int]:
    return cache_sizes()


@cache
def processor() -> tuple[str, dict[str, bool]]:
    """LLVM's name of the processor that code is compiled for, and whether it has this or that."""
    with lock:
        import llvmlite.binding as llvm  # type: ignore[import-untyped]

        if config.cpu != "native":
            return config.cpu, dict.fromkeys(FEATURES[config.cpu], True)
        return str(llvm.get_host_cpu_name()), dict(llvm.get_host_cpu_features())
