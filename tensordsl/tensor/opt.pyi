# Made by tools/alias_stubs.py from tensordsl/base/theano_names.py.
from tensordsl.ops.kinds import Alloc as Alloc
from tensordsl.ops.kinds import DimShuffle as DimShuffle
from tensordsl.ops.kinds import Elemwise as Elemwise
from tensordsl.ops.kinds import IncSubtensor as IncSubtensor
from tensordsl.ops.kinds import MakeVector as MakeVector
from tensordsl.ops.kinds import Reshape as Reshape
from tensordsl.ops.kinds import Shape as Shape
from tensordsl.ops.kinds import Shape_i as Shape_i
from tensordsl.ops.kinds import Subtensor as Subtensor
from tensordsl.ops.kinds import TopKOp as TopKOp
from tensordsl.ops.control import Assert as Assert
from tensordsl.ops.control import assert_op as assert_
from tensordsl.ops.control import assert_op as assert_op

__all__ = ["Alloc", "Assert", "DimShuffle", "Elemwise", "IncSubtensor", "MakeVector", "Reshape", "Shape", "Shape_i", "Subtensor", "TopKOp", "assert_", "assert_op"]
