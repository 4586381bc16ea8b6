"""Theano's place of NanGuardMode."""

from __future__ import annotations

from tensordsl.modes import NanGuardMode

__all__ = ["NanGuardMode"]
