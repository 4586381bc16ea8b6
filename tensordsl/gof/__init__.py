"""Theano's place of the graph's classes."""

from __future__ import annotations

from tensordsl.gof import compilelock, graph, op, type
from tensordsl.graph import Apply, Constant, Op, Variable

__all__ = ["Apply", "Constant", "Op", "Variable", "compilelock", "graph", "op", "type"]
