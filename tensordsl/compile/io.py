"""Theano's place of In and Out."""

from __future__ import annotations

from tensordsl.io import In, Out

__all__ = ["In", "Out"]
