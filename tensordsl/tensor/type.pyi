# Made by tools/alias_stubs.py from tensordsl/compat/names.py.
from tensordsl.types import TensorType as TensorType

__all__ = ["TensorType"]
