# Made by tools/alias_stubs.py from tensordsl/base/theano_names.py.
from tensordsl.debugging.checks import detect_nan as detect_nan
from tensordsl.signature.modes import MonitorMode as MonitorMode

__all__ = ["MonitorMode", "detect_nan"]
