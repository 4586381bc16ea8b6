# Made by tools/alias_stubs.py from tensordsl/base/theano_names.py.
from tensordsl.signature.modes import NanGuardMode as NanGuardMode

__all__ = ["NanGuardMode"]
