"""Theano's place of shared variables."""

from __future__ import annotations

from tensordsl.shared import SharedVariable, shared, shared_constructor

__all__ = ["SharedVariable", "shared", "shared_constructor"]
