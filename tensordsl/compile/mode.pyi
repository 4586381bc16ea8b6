# Made by tools/alias_stubs.py from tensordsl/compat/names.py.
from tensordsl.modes import FAST_COMPILE as FAST_COMPILE
from tensordsl.modes import FAST_RUN as FAST_RUN
from tensordsl.modes import Mode as Mode
from tensordsl.modes import get_default_mode as get_default_mode
from tensordsl.modes import get_mode as get_mode

__all__ = ["FAST_COMPILE", "FAST_RUN", "Mode", "get_default_mode", "get_mode"]
