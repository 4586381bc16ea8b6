"""Theano's place of MonitorMode."""

from __future__ import annotations

from tensordsl.modes import MonitorMode

__all__ = ["MonitorMode"]
