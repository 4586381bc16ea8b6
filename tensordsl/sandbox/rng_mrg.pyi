# Made by tools/alias_stubs.py from tensordsl/base/theano_names.py.
from tensordsl.signature.random import MRG_RandomStreams as MRG_RandomStreams
from tensordsl.signature.random import RandomStreams as RandomStreams

__all__ = ["MRG_RandomStreams", "RandomStreams"]
