# Made by tools/alias_stubs.py from tensordsl/compat/names.py.
from tensordsl.errors import BadOptimization as BadOptimization
from tensordsl.errors import DebugModeError as DebugModeError
from tensordsl.errors import InvalidValueError as InvalidValueError
from tensordsl.modes import DebugMode as DebugMode

__all__ = ["BadOptimization", "DebugMode", "DebugModeError", "InvalidValueError"]
