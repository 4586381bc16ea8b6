"""`T.extra_ops`: functions built of others."""

from __future__ import annotations

from tensordsl.ops.nnet import to_one_hot
from tensordsl.ops.shape import repeat, squeeze

__all__ = ["repeat", "squeeze", "to_one_hot"]
