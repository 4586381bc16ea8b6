"""`gof.compilelock`: the lock of a compile directory.  The disk cache here needs none: writers replace whole files."""

from __future__ import annotations

from typing import Any

__all__ = ["get_lock", "release_lock"]


def get_lock(*arguments: Any, **keywords: Any) -> None:
    """Nothing to wait for."""


def release_lock() -> None:
    """Nothing to give back."""
