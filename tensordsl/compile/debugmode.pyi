# Made by tools/alias_stubs.py from tensordsl/base/theano_names.py.
from tensordsl.base.errors import BadOptimization as BadOptimization
from tensordsl.base.errors import DebugModeError as DebugModeError
from tensordsl.base.errors import InvalidValueError as InvalidValueError
from tensordsl.signature.modes import DebugMode as DebugMode

__all__ = ["BadOptimization", "DebugMode", "DebugModeError", "InvalidValueError"]
