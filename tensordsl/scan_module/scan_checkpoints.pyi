# Made by tools/alias_stubs.py from tensordsl/base/theano_names.py.
from tensordsl.loops.checkpoints import scan_checkpoints as scan_checkpoints

__all__ = ["scan_checkpoints"]
