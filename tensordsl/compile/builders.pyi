# Made by tools/alias_stubs.py from tensordsl/base/theano_names.py.
from tensordsl.functions.opfromgraph import OpFromGraph as OpFromGraph

__all__ = ["OpFromGraph"]
