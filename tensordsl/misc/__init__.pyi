# Made by tools/alias_stubs.py from tensordsl/base/theano_names.py.
from tensordsl.misc import safe_asarray as safe_asarray

__all__ = ["safe_asarray"]
