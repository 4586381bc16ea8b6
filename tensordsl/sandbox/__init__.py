"""Theano's place of what was new; its names that programs still import from there."""

from __future__ import annotations

from tensordsl.sandbox import softsign

__all__ = ["softsign"]
