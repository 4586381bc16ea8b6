"""Kernels that a call requires before they are compiled.

They stay for the process's life, as the library does: a thread may be in them at any time, and functions with equal
kernels share them.
"""

from __future__ import annotations

import _thread
import os
from collections.abc import Callable, Sequence

from tensordsl.codegen import abi
from tensordsl.runtime import elf
from tensordsl.runtime.layout import immortalise

Compile = Callable[[Sequence[bytes]], bytes]  # of plans (`codegen.modules.late_part`) the object


class _State:
    addresses: dict[bytes, list[int]] = {}  # of a plan's kernels
    lock = _thread.allocate_lock()


def load_late(parts: Sequence[bytes], counts: Sequence[int], compile: Compile) -> list[list[int]]:
    """The addresses of the plans' kernels, `counts` of each.  Raises what the compiler raises, or elf.LoadError."""
    with _State.lock:
        missing = {p: n for p, n in zip(parts, counts, strict=True) if p not in _State.addresses}
        if missing:
            wanted = [abi.late_symbol(k, j) for k, n in enumerate(missing.values()) for j in range(n)]
            code, [found] = elf.load([(compile(list(missing)), wanted)])
            immortalise(code)
            for part, n in missing.items():
                _State.addresses[part], found = found[:n], found[n:]
        return [_State.addresses[part] for part in parts]


def forget() -> None:
    """Load them anew for functions to come."""
    _State.addresses.clear()


def _after_fork() -> None:
    _State.lock = _thread.allocate_lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
