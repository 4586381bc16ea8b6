# Made by tools/alias_stubs.py from tensordsl/compat/names.py.
from tensordsl.random import RandomStreams as RandomStreams
from tensordsl.random import RandomStreams as MRG_RandomStreams

__all__ = ["MRG_RandomStreams", "RandomStreams"]
