"""Theano's names for the parts of a compiled function: `compile.mode.get_default_mode`, `compile.SharedVariable`."""

from __future__ import annotations

from tensordsl import errors as debugmode
from tensordsl import io, modes
from tensordsl.errors import UnusedInputError
from tensordsl.function import function
from tensordsl.io import In, Out
from tensordsl.link import Function
from tensordsl.modes import (
    FAST_COMPILE,
    FAST_RUN,
    REFERENCE,
    DebugMode,
    Mode,
    MonitorMode,
    NanGuardMode,
    get_default_mode,
    get_mode,
)
from tensordsl.shared import SharedVariable, shared

mode = nanguardmode = monitormode = modes

__all__ = [
    "FAST_COMPILE", "FAST_RUN", "REFERENCE", "DebugMode", "Function", "In", "Mode", "MonitorMode", "NanGuardMode",
    "Out", "SharedVariable", "UnusedInputError", "debugmode", "function", "get_default_mode", "get_mode", "io", "mode",
    "monitormode", "nanguardmode", "shared",
]  # fmt: skip
