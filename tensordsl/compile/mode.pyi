# Made by tools/alias_stubs.py from tensordsl/base/theano_names.py.
from tensordsl.signature.modes import FAST_COMPILE as FAST_COMPILE
from tensordsl.signature.modes import FAST_RUN as FAST_RUN
from tensordsl.signature.modes import Mode as Mode
from tensordsl.signature.modes import OPT_FAST_COMPILE as OPT_FAST_COMPILE
from tensordsl.signature.modes import OPT_FAST_RUN as OPT_FAST_RUN
from tensordsl.signature.modes import OPT_MERGE as OPT_MERGE
from tensordsl.signature.modes import OPT_NONE as OPT_NONE
from tensordsl.signature.modes import OPT_O2 as OPT_O2
from tensordsl.signature.modes import OPT_O3 as OPT_O3
from tensordsl.signature.modes import OPT_STABILIZE as OPT_STABILIZE
from tensordsl.signature.modes import OPT_UNSAFE as OPT_UNSAFE
from tensordsl.signature.modes import get_default_mode as get_default_mode
from tensordsl.signature.modes import get_mode as get_mode
from tensordsl.signature.modes import predefined_modes as predefined_modes
from tensordsl.signature.modes import OPTIMIZERS as predefined_optimizers
from tensordsl.signature.modes import register_mode as register_mode

__all__ = ["FAST_COMPILE", "FAST_RUN", "Mode", "OPT_FAST_COMPILE", "OPT_FAST_RUN", "OPT_MERGE", "OPT_NONE", "OPT_O2", "OPT_O3", "OPT_STABILIZE", "OPT_UNSAFE", "get_default_mode", "get_mode", "predefined_modes", "predefined_optimizers", "register_mode"]
