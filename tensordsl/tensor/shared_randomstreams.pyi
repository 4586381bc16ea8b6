# Made by tools/alias_stubs.py from tensordsl/base/theano_names.py.
from tensordsl.signature.random import RandomStreams as RandomStreams
from tensordsl.signature.shared import TensorSharedVariable as RandomStateSharedVariable

__all__ = ["RandomStateSharedVariable", "RandomStreams"]
