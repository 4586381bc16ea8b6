# Made by tools/alias_stubs.py from tensordsl/base/theano_names.py.
from tensordsl.autodiff.gradient import NullType as NullType
from tensordsl.autodiff.gradient import null_type as null_type

__all__ = ["NullType", "null_type"]
