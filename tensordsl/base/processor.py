"""The processor that code is compiled for: the one at hand, or the level or family of x86-64 that `config.cpu` names.

Levels are those of the x86-64 psABI; families have LLVM's names, the features of a level and some, and the loops that
they are fastest with.  Code of either runs on every machine that has these features, has the same bits on all of them,
and is shared through one disk cache.
"""

from __future__ import annotations

from tensordsl.base.config import config

_V2 = ("cx16", "popcnt", "sahf", "sse3", "sse4.1", "sse4.2", "ssse3")
_V3 = (*_V2, "avx", "avx2", "bmi", "bmi2", "f16c", "fma", "lzcnt", "movbe", "xsave")
_V4 = (*_V3, "avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl")
LEVELS = {"x86-64-v2": _V2, "x86-64-v3": _V3, "x86-64-v4": _V4}  # config.cpu -> LLVM's names of what it has
_VBMI = (*_V4, "avx512vbmi")
LEVEL_OF = {  # family -> its level
    "haswell": "x86-64-v3", "znver3": "x86-64-v3",
    "skylake-avx512": "x86-64-v4", "icelake-server": "x86-64-v4", "znver4": "x86-64-v4",
}  # fmt: skip
FEATURES = {  # of levels and families
    **LEVELS, "haswell": _V3, "znver3": _V3, "skylake-avx512": _V4, "icelake-server": _VBMI, "znver4": _VBMI,
}  # fmt: skip
_LINUX = {  # Linux's name -> LLVM's, where they differ
    "abm": "lzcnt", "bmi1": "bmi", "lahf_lm": "sahf", "pni": "sse3", "sse4_1": "sse4.1", "sse4_2": "sse4.2",
}  # fmt: skip
_CACHE = "/sys/devices/system/cpu/cpu0/cache/index{}/size"
_IDENTITY = ("vendor_id", "cpu family", "model", "flags", "Features", "CPU part", "CPU implementer")


def settle() -> None:
    """Check `config.cpu` and let it be for the process's life: loaded code and library must fit each other.

    Raises ValueError for features that this machine does not have.
    """
    if config.cpu != "native":
        missing = sorted(set(FEATURES[config.cpu]) - features())
        if missing:
            raise ValueError(f"config.cpu is {config.cpu!r}, but this machine's processor lacks {', '.join(missing)}")
    config.fix("cpu", "functions have been compiled or loaded")


def features() -> frozenset[str]:
    """What this machine's processor has, by LLVM's names; empty where the system does not tell."""
    flags = _first_processor().get("flags", "").split()
    return frozenset(_LINUX.get(flag, flag) for flag in flags)


def identity() -> bytes:
    """Bytes that differ between processors whose code must not be exchanged; needs no compiler."""
    if config.cpu != "native":
        return config.cpu.encode()  # type: ignore[no-any-return]
    facts = _first_processor()
    if facts:
        return repr(([(name, facts[name]) for name in _IDENTITY if name in facts], cache_sizes())).encode()
    import platform

    return repr((platform.machine(), platform.processor(), platform.platform())).encode()


def cache_sizes() -> tuple[int, int]:
    """Bytes of the first processor's second-level and third-level caches; 0 where the system does not tell."""
    return _cache_size(2), _cache_size(3)


def _cache_size(index: int) -> int:
    try:
        with open(_CACHE.format(index), "rb") as file:
            text = file.read(32).strip()
        return int(text.removesuffix(b"K")) << 10
    except (OSError, ValueError):
        return 0


def _first_processor() -> dict[str, str]:
    """What Linux says of the first processor; empty elsewhere."""
    try:
        with open("/proc/cpuinfo", "rb") as file:
            first = file.read(16384).split(b"\n\n")[0].decode("utf-8", "replace")
    except OSError:
        return {}
    pairs = (line.partition(":") for line in first.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}
