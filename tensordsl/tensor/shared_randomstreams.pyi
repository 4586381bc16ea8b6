# Made by tools/alias_stubs.py from tensordsl/compat/names.py.
from tensordsl.random import RandomStreams as RandomStreams
from tensordsl.shared import TensorSharedVariable as RandomStateSharedVariable

__all__ = ["RandomStateSharedVariable", "RandomStreams"]
