# Made by tools/alias_stubs.py from tensordsl/base/theano_names.py.
from tensordsl.signature.io import In as In
from tensordsl.signature.io import Out as Out
from tensordsl.signature.io import Param as Param
from tensordsl.signature.io import In as SymbolicInput
from tensordsl.signature.io import Out as SymbolicOutput

__all__ = ["In", "Out", "Param", "SymbolicInput", "SymbolicOutput"]
