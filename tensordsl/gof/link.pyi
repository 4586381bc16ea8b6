# Made by tools/alias_stubs.py from tensordsl/base/theano_names.py.
from tensordsl.graph.pickling import SavedContainer as Container

__all__ = ["Container"]
