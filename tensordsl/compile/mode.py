"""Theano's place of the modes."""

from __future__ import annotations

from tensordsl.modes import FAST_COMPILE, FAST_RUN, Mode, get_default_mode, get_mode

__all__ = ["FAST_COMPILE", "FAST_RUN", "Mode", "get_default_mode", "get_mode"]
