# Made by tools/alias_stubs.py from tensordsl/compat/names.py.
from tensordsl.shared import GenericType as Generic
from tensordsl.shared import generic as generic
from tensordsl.types import TensorType as Type

__all__ = ["Generic", "Type", "generic"]
