"""Theano's names for the parts of a compiled function: `compile.mode.get_default_mode`, `compile.SharedVariable`."""

from __future__ import annotations

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
from tensordsl.opfromgraph import OpFromGraph
from tensordsl.profiling import Profile as ProfileStats
from tensordsl.shared import SharedVariable, shared

# The modules of Theano's names; after the names above, which some of them share.
from tensordsl.compile import builders, debugmode, io, mode, monitormode, nanguardmode, profiling, sharedvalue  # isort: skip

__all__ = [
    "FAST_COMPILE", "FAST_RUN", "REFERENCE", "DebugMode", "Function", "In", "Mode", "MonitorMode", "NanGuardMode",
    "OpFromGraph", "Out", "ProfileStats", "SharedVariable", "UnusedInputError", "builders", "debugmode", "function",
    "get_default_mode", "get_mode", "io", "mode", "monitormode", "nanguardmode", "profiling", "shared", "sharedvalue",
]  # fmt: skip
