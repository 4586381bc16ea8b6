"""`T.elemwise`: kinds of ops that move or compute elements."""

from __future__ import annotations

from tensordsl.ops.kinds import DimShuffle, Elemwise

__all__ = ["DimShuffle", "Elemwise"]
