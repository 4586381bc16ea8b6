# Made by tools/alias_stubs.py from tensordsl/base/theano_names.py.
from tensordsl.loops.scan import scan as scan

__all__ = ["scan"]
