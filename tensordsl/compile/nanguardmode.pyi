# Made by tools/alias_stubs.py from tensordsl/compat/names.py.
from tensordsl.modes import NanGuardMode as NanGuardMode

__all__ = ["NanGuardMode"]
