# Made by tools/alias_stubs.py from tensordsl/base/theano_names.py.
from tensordsl.autodiff.gradient import io_connection_pattern as io_connection_pattern
from tensordsl.functions.clone import clone as clone
from tensordsl.compat.walks import ancestors as ancestors
from tensordsl.compat.walks import inputs as inputs
from tensordsl.compat.walks import io_toposort as io_toposort
from tensordsl.compat.walks import is_same_graph as is_same_graph
from tensordsl.custom.op import Apply as Apply
from tensordsl.graph.variables import Constant as Constant
from tensordsl.graph.variables import Variable as Variable

__all__ = ["Apply", "Constant", "Variable", "ancestors", "clone", "inputs", "io_connection_pattern", "io_toposort", "is_same_graph"]
