# Made by tools/alias_stubs.py from tensordsl/compat/names.py.
from tensordsl.ops.grids import xlogx as xlogx
from tensordsl.ops.grids import xlogy as xlogy0

__all__ = ["xlogx", "xlogy0"]
