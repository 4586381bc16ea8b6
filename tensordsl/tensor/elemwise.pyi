# Made by tools/alias_stubs.py from tensordsl/compat/names.py.
from tensordsl.ops.kinds import DimShuffle as DimShuffle
from tensordsl.ops.kinds import Elemwise as Elemwise

__all__ = ["DimShuffle", "Elemwise"]
