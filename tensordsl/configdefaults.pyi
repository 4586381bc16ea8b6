# Made by tools/alias_stubs.py from tensordsl/compat/names.py.
from tensordsl.config import config as config

__all__ = ["config"]
