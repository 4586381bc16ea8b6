# Made by tools/alias_stubs.py from tensordsl/base/theano_names.py.
from tensordsl.base.errors import MethodNotDefined as MethodNotDefined
from types import SimpleNamespace as scratchpad
from tensordsl.ops.kinds import hashtype as hashtype

__all__ = ["MethodNotDefined", "hashtype", "scratchpad"]
