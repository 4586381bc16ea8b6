# Made by tools/alias_stubs.py from tensordsl/base/theano_names.py.
from tensordsl.ops.kinds import AveragePoolGrad as AveragePoolGrad
from tensordsl.ops.kinds import MaxPoolGrad as MaxPoolGrad
from tensordsl.ops.kinds import Pool as Pool
from tensordsl.ops.pool import max_pool_2d_same_size as max_pool_2d_same_size
from tensordsl.ops.pool import pool_2d as pool_2d
from tensordsl.ops.pool import pool_3d as pool_3d

__all__ = ["AveragePoolGrad", "MaxPoolGrad", "Pool", "max_pool_2d_same_size", "pool_2d", "pool_3d"]
