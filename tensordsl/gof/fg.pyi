# Made by tools/alias_stubs.py from tensordsl/base/theano_names.py.
from tensordsl.graph.fgraph import FunctionGraph as FunctionGraph
from tensordsl.base.errors import MissingInputError as MissingInputError

__all__ = ["FunctionGraph", "MissingInputError"]
