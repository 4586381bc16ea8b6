"""Theano's place of OpFromGraph."""

from __future__ import annotations

from tensordsl.opfromgraph import OpFromGraph

__all__ = ["OpFromGraph"]
