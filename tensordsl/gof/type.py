"""Theano's place of the base of all types; here there is one type, the tensor's."""

from __future__ import annotations

from tensordsl.types import TensorType as Type

__all__ = ["Type"]
