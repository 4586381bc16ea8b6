# Made by tools/alias_stubs.py from tensordsl/compat/names.py.
from tensordsl.debugging import detect_nan as detect_nan
from tensordsl.modes import MonitorMode as MonitorMode

__all__ = ["MonitorMode", "detect_nan"]
