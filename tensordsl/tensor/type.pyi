# Made by tools/alias_stubs.py from tensordsl/base/theano_names.py.
from tensordsl.graph.types import TensorType as TensorType

__all__ = ["TensorType"]
