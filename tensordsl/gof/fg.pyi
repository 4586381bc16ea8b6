# Made by tools/alias_stubs.py from tensordsl/compat/names.py.
from tensordsl.fgraph import FunctionGraph as FunctionGraph
from tensordsl.errors import MissingInputError as MissingInputError

__all__ = ["FunctionGraph", "MissingInputError"]
