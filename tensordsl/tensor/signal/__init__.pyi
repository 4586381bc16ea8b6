# Made by tools/alias_stubs.py from tensordsl/base/theano_names.py.
from tensordsl.tensor.signal import downsample as downsample
from tensordsl.tensor.signal import pool as pool

__all__ = ["downsample", "pool"]
