# Made by tools/alias_stubs.py from tensordsl/compat/names.py.
from tensordsl.profiling import Profile as ProfileStats

__all__ = ["ProfileStats"]
