"""The reducers of the op table, for code generation: sum, prod, max, min, argmax, argmin, any and all."""

from __future__ import annotations

from tensordsl.ops.reducers import ALL, ANY, ARGMAX, ARGMIN, MAX, MIN, PROD, REDUCERS, SUM, Reducer

__all__ = ["ALL", "ANY", "ARGMAX", "ARGMIN", "MAX", "MIN", "PROD", "REDUCERS", "SUM", "Reducer"]
