# Made by tools/alias_stubs.py from tensordsl/base/theano_names.py.
from tensordsl.ops.array.grids import xlogx as xlogx
from tensordsl.ops.array.grids import xlogy as xlogy0

__all__ = ["xlogx", "xlogy0"]
