# Made by tools/alias_stubs.py from tensordsl/compat/names.py.
from tensordsl.types import TensorType as Type

__all__ = ["Type"]
