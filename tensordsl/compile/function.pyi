# Made by tools/alias_stubs.py from tensordsl/base/theano_names.py.
from tensordsl.functions.function import function as function
from tensordsl.functions.function import function_dump as function_dump

__all__ = ["function", "function_dump"]
