"""Debugging: what looks into functions while they run, and what errors tell.

Comes in   a `FunctionSpec` and a mode (`signature`); an error of a compiled function.
Goes out   a run that checks or reports each application; errors that name the user's op, values, file and line.
Modules    checks       DebugMode, NanGuardMode, MonitorMode; which application failed
           late_rounds  values in rounds that the reference evaluator takes long to get to
           testvalues   values that travel with the graph while it is built (`compute_test_value`)
           reports      the text of errors: op, operands, the user's line
           trace        where in the user's program a variable was made
           profiling    times of calls
Uses       `graph`, `ops`, `signature`.
Used by    `functions`.
Begin with `checks.link`.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any


def __getattr__(name: str) -> Any:
    """The names of `checks`, which stood here when the room was one module; loaded at first use."""
    if name.startswith("__"):
        raise AttributeError(name)
    return getattr(import_module("tensordsl.debugging.checks"), name)
