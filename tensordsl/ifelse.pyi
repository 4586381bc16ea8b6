# Made by tools/alias_stubs.py from tensordsl/base/theano_names.py.
from tensordsl.ops.control import ifelse as ifelse
from tensordsl.ops.kinds import IfElse as IfElse

__all__ = ["IfElse", "ifelse"]
