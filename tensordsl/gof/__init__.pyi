# Made by tools/alias_stubs.py from tensordsl/compat/names.py.
from tensordsl.errors import MissingInputError as MissingInputError
from tensordsl.fgraph import FunctionGraph as FunctionGraph
from tensordsl.graph import Apply as Apply
from tensordsl.graph import Constant as Constant
from tensordsl.graph import Op as Op
from tensordsl.graph import Variable as Variable
from tensordsl.ops.kinds import hashtype as hashtype
from tensordsl.shared import Container as Container
from tensordsl.shared import GenericType as Generic
from tensordsl.shared import generic as generic
from tensordsl.types import TensorType as Type
from tensordsl.gof import compilelock as compilelock
from tensordsl.gof import fg as fg
from tensordsl.gof import graph as graph
from tensordsl.gof import link as link
from tensordsl.gof import op as op
from tensordsl.gof import type as type
from tensordsl.gof import utils as utils

__all__ = ["Apply", "Constant", "Container", "FunctionGraph", "Generic", "MissingInputError", "Op", "Type", "Variable", "compilelock", "fg", "generic", "graph", "hashtype", "link", "op", "type", "utils"]
