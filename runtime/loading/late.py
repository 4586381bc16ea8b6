"""Late kernels: those that a call is the first to need, compiled then and kept for the process's life.

Packed plans (`codegen.bufferise.serialise.pack_plans`) -> addresses.  A thread may be in a kernel at any time, so none
is freed; functions with equal kernels share them.
"""

from __future__ import annotations

import _thread
import ctypes
import os
from collections.abc import Callable, Sequence

from tensordsl.runtime.loading import elf, library
from tensordsl.runtime.loading.layout import bytes_address, immortalise

# The plans' symbols, the libraries that they need (`codegen.abi.layouts.LIBRARY`), their object, their descriptors.
Made = tuple[Sequence[Sequence[str]], Sequence[str], bytes, Sequence[bytes]]
Compile = Callable[[Sequence[bytes]], Made]  # of plans (`codegen.bufferise.serialise.pack_plans`)


class _State:
    plans: dict[bytes, tuple[int, int]] = {}
    lock = _thread.allocate_lock()


def load_late(packed: Sequence[bytes], compile: Compile) -> list[tuple[int, int]]:
    """Of each plan the addresses of its table of kernels and of its descriptor.  Raises what the compiler raises, or
    elf.LoadError."""
    with _State.lock:
        missing = list(dict.fromkeys(part for part in packed if part not in _State.plans))
        if missing:
            symbols, libraries, kernels, descriptors = compile(missing)
            library.require(*libraries)
            code, [found] = elf.load([(kernels, [s for names in symbols for s in names])])
            table = (ctypes.c_int64 * len(found))(*found)
            immortalise((code, table, *descriptors))
            at = ctypes.addressof(table)
            for part, names, words in zip(missing, symbols, descriptors, strict=True):
                _State.plans[part] = at, bytes_address(words)
                at += 8 * len(names)
        return [_State.plans[part] for part in packed]


def forget() -> None:
    """Load the kernels of later functions anew."""
    _State.plans.clear()


def _after_fork() -> None:
    _State.lock = _thread.allocate_lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
