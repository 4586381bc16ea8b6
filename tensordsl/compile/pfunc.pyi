# Made by tools/alias_stubs.py from tensordsl/compat/names.py.
from tensordsl.errors import UnusedInputError as UnusedInputError
from tensordsl.function import function as pfunc
from tensordsl.graph import Constant as Constant
from tensordsl.graph import Variable as Variable
from tensordsl.io import In as In
from tensordsl.io import Out as Out
from tensordsl.io import Param as Param
from tensordsl.profiling import Profile as ProfileStats
from tensordsl.shared import SharedVariable as SharedVariable
from tensordsl.shared import shared as shared

__all__ = ["Constant", "In", "Out", "Param", "ProfileStats", "SharedVariable", "UnusedInputError", "Variable", "pfunc", "shared"]
