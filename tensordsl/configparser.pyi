# Made by tools/alias_stubs.py from tensordsl/compat/names.py.
from tensordsl.config import change_flags as change_flags
from tensordsl.config import config as config

__all__ = ["change_flags", "config"]
