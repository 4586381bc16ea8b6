"""`T.xlogx`: x * log(x) and x * log(y) that are 0 for x == 0."""

from __future__ import annotations

from tensordsl.ops.grids import xlogx
from tensordsl.ops.grids import xlogy as xlogy0

__all__ = ["xlogx", "xlogy0"]
