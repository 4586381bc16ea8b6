# Made by tools/alias_stubs.py from tensordsl/compat/names.py.
from tensordsl.modes import MonitorMode as MonitorMode

__all__ = ["MonitorMode"]
