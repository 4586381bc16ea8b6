# Made by tools/alias_stubs.py from tensordsl/base/theano_names.py.
from tensordsl.base.config import change_flags as change_flags
from tensordsl.base.config import config as config

__all__ = ["change_flags", "config"]
