"""`T.type`: the type of tensors."""

from __future__ import annotations

from tensordsl.types import TensorType

__all__ = ["TensorType"]
