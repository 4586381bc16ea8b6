# Made by tools/alias_stubs.py from tensordsl/base/theano_names.py.
from tensordsl.functions.function import function as function

__all__ = ["function"]
