# Made by tools/alias_stubs.py from tensordsl/compat/names.py.
from tensordsl.opfromgraph import OpFromGraph as OpFromGraph

__all__ = ["OpFromGraph"]
