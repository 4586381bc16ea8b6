# Made by tools/alias_stubs.py from tensordsl/compat/names.py.
from tensordsl.ops.control import ifelse as ifelse

__all__ = ["ifelse"]
