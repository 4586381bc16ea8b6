# Made by tools/alias_stubs.py from tensordsl/base/theano_names.py.
from tensordsl.ops.kinds import All as All
from typing import Any as Any
from tensordsl.ops.kinds import CAReduce as CAReduce
from tensordsl.ops.kinds import CAReduceDtype as CAReduceDtype
from tensordsl.ops.kinds import DimShuffle as DimShuffle
from tensordsl.ops.kinds import Elemwise as Elemwise
from tensordsl.ops.kinds import Prod as Prod
from tensordsl.ops.kinds import Sum as Sum

__all__ = ["All", "Any", "CAReduce", "CAReduceDtype", "DimShuffle", "Elemwise", "Prod", "Sum"]
