# Made by tools/alias_stubs.py from tensordsl/base/theano_names.py.
from tensordsl.ops.conv.functions import conv3d_of_frames as conv3d

__all__ = ["conv3d"]
