# Made by tools/alias_stubs.py from tensordsl/base/theano_names.py.
from tensordsl.debugging.profiling import Profile as ProfileStats

__all__ = ["ProfileStats"]
