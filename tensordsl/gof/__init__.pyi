# Made by tools/alias_stubs.py from tensordsl/compat/names.py.
from tensordsl.graph import Apply as Apply
from tensordsl.graph import Constant as Constant
from tensordsl.graph import Op as Op
from tensordsl.graph import Variable as Variable
from tensordsl.gof import compilelock as compilelock
from tensordsl.gof import graph as graph
from tensordsl.gof import link as link
from tensordsl.gof import op as op
from tensordsl.gof import type as type
from tensordsl.gof import utils as utils

__all__ = ["Apply", "Constant", "Op", "Variable", "compilelock", "graph", "link", "op", "type", "utils"]
