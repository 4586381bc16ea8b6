"""Theano's place of profiles."""

from __future__ import annotations

from tensordsl.profiling import Profile as ProfileStats

__all__ = ["ProfileStats"]
