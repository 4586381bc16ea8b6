# Made by tools/alias_stubs.py from tensordsl/base/theano_names.py.
from tensordsl.signature.shared import GenericType as Generic
from tensordsl.signature.shared import generic as generic
from tensordsl.graph.types import TensorType as Type

__all__ = ["Generic", "Type", "generic"]
