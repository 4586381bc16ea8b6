# Made by tools/alias_stubs.py from tensordsl/base/theano_names.py.
from types import SimpleNamespace as scratchpad
from tensordsl.ops.kinds import hashtype as hashtype

__all__ = ["hashtype", "scratchpad"]
