# Made by tools/alias_stubs.py from tensordsl/compat/names.py.
from tensordsl.errors import UnusedInputError as UnusedInputError
from tensordsl.link import Function as Function

__all__ = ["Function", "UnusedInputError"]
