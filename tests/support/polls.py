"""What library objects call of others, for tests that load one alone: functions that do nothing."""

from __future__ import annotations

import ctypes

from tensordsl.codegen.abi import layouts
from tensordsl.runtime.loading import elf

NAMES = (layouts.POLL, layouts.HOLD, layouts.DROP, layouts.GIVE_BACK)
nothing = ctypes.CFUNCTYPE(None)(lambda: None)
_cell = ctypes.c_void_p(ctypes.cast(nothing, ctypes.c_void_p).value)
KNOWN = dict.fromkeys(NAMES, elf.jump(ctypes.addressof(_cell)))


def add_to_llvm() -> None:
    """The same for engines of LLVM."""
    import llvmlite.binding as llvm

    for name in NAMES:
        llvm.add_symbol(name, _cell.value)
