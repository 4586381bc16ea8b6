# Made by tools/alias_stubs.py from tensordsl/base/theano_names.py.
from tensordsl.graph.values import as_array as _asarray

__all__ = ["_asarray"]
