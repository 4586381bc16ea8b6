# Made by tools/alias_stubs.py from tensordsl/compat/names.py.
from tensordsl.io import In as In
from tensordsl.io import Out as Out
from tensordsl.io import Param as Param
from tensordsl.io import In as SymbolicInput
from tensordsl.io import Out as SymbolicOutput

__all__ = ["In", "Out", "Param", "SymbolicInput", "SymbolicOutput"]
