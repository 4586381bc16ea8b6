# Made by tools/alias_stubs.py from tensordsl/base/theano_names.py.
from tensordsl.compat.walks import ancestors as ancestors
from tensordsl.compat.walks import equal_computations as equal_computations
from tensordsl.custom.op import Apply as Apply
from tensordsl.graph.variables import Constant as Constant
from tensordsl.graph.variables import Variable as Variable
from tensordsl.functions.clone import clone_replace as clone_replace

__all__ = ["Apply", "Constant", "Variable", "ancestors", "clone_replace", "equal_computations"]
