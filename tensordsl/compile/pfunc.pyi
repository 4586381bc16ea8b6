# Made by tools/alias_stubs.py from tensordsl/base/theano_names.py.
from tensordsl.base.errors import UnusedInputError as UnusedInputError
from tensordsl.functions.function import function as pfunc
from tensordsl.graph.variables import Constant as Constant
from tensordsl.graph.variables import Variable as Variable
from tensordsl.signature.io import In as In
from tensordsl.signature.io import Out as Out
from tensordsl.signature.io import Param as Param
from tensordsl.debugging.profiling import Profile as ProfileStats
from tensordsl.signature.shared import SharedVariable as SharedVariable
from tensordsl.signature.shared import shared as shared

__all__ = ["Constant", "In", "Out", "Param", "ProfileStats", "SharedVariable", "UnusedInputError", "Variable", "pfunc", "shared"]
