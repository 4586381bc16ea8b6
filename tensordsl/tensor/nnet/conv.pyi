# Made by tools/alias_stubs.py from tensordsl/base/theano_names.py.
from tensordsl.ops.conv.functions import conv2d as conv2d

__all__ = ["conv2d"]
