# Made by tools/alias_stubs.py from tensordsl/base/theano_names.py.
from tensordsl.ops.kinds import Scan as Scan

__all__ = ["Scan"]
