# Made by tools/alias_stubs.py from tensordsl/base/theano_names.py.
from tensordsl.base.errors import MissingInputError as MissingInputError
from tensordsl.graph.fgraph import FunctionGraph as FunctionGraph
from tensordsl.custom.op import Apply as Apply
from tensordsl.custom.op import Op as Op
from tensordsl.custom.op import Op as PureOp
from tensordsl.graph.variables import Constant as Constant
from tensordsl.graph.variables import Variable as Variable
from tensordsl.ops.kinds import hashtype as hashtype
from tensordsl.signature.shared import Container as Container
from tensordsl.signature.shared import GenericType as Generic
from tensordsl.signature.shared import generic as generic
from tensordsl.graph.types import TensorType as Type
from tensordsl.gof import compilelock as compilelock
from tensordsl.gof import fg as fg
from tensordsl.gof import graph as graph
from tensordsl.gof import link as link
from tensordsl.gof import null_type as null_type
from tensordsl.gof import op as op
from tensordsl.gof import type as type
from tensordsl.gof import utils as utils

__all__ = ["Apply", "Constant", "Container", "FunctionGraph", "Generic", "MissingInputError", "Op", "PureOp", "Type", "Variable", "compilelock", "fg", "generic", "graph", "hashtype", "link", "null_type", "op", "type", "utils"]
