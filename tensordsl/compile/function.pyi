# Made by tools/alias_stubs.py from tensordsl/compat/names.py.
from tensordsl.function import function as function

__all__ = ["function"]
