"""Theano's place of DebugMode and its errors."""

from __future__ import annotations

from tensordsl.errors import BadOptimization, DebugModeError, InvalidValueError
from tensordsl.modes import DebugMode

__all__ = ["BadOptimization", "DebugMode", "DebugModeError", "InvalidValueError"]
