# Made by tools/alias_stubs.py from tensordsl/compat/names.py.
from tensordsl.values import as_array as _asarray

__all__ = ["_asarray"]
