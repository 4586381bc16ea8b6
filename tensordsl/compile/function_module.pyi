# Made by tools/alias_stubs.py from tensordsl/base/theano_names.py.
from tensordsl.base.errors import UnusedInputError as UnusedInputError
from tensordsl.functions.link import Function as Function

__all__ = ["Function", "UnusedInputError"]
