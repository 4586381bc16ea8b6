# Made by tools/alias_stubs.py from tensordsl/base/theano_names.py.
from tensordsl.ops.kinds import Pool as DownsampleFactorMax
from tensordsl.ops.pool import pool_2d as max_pool_2d
from tensordsl.ops.pool import max_pool_2d_same_size as max_pool_2d_same_size

__all__ = ["DownsampleFactorMax", "max_pool_2d", "max_pool_2d_same_size"]
