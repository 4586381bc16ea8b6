"""The exceptions that are tensordsl's own; all others are Python's (TypeError, ValueError, IndexError, ...)."""

from __future__ import annotations


class MissingInputError(Exception):
    """A function's outputs or updates need a variable that is neither an input nor shared."""


class UnusedInputError(Exception):
    """A function was given an input that its outputs and updates do not need, or one input twice."""


class DebugModeError(Exception):
    """A function compiled with mode="DebugMode" found something wrong."""


class InvalidValueError(DebugModeError):
    """DebugMode: an intermediate value is NaN or infinite, or has the wrong type."""


class BadOptimization(DebugModeError):
    """DebugMode: the compiled function and the reference evaluator disagree."""


class ConcurrentCallError(RuntimeError):
    """A shared variable or function was used while another call that has not finished writes to it."""
