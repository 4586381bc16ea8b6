# Made by tools/alias_stubs.py from tensordsl/base/theano_names.py.
from tensordsl.ops.kinds import Rebroadcast as Rebroadcast
from tensordsl.ops.kinds import Shape as Shape
from tensordsl.ops.kinds import SpecifyShape as SpecifyShape
from tensordsl.ops.array.shape import shape as shape
from tensordsl.ops.array.shape import shape_i as shape_i
from tensordsl.ops.array.arrange import specify_shape as specify_shape
from tensordsl.ops.kinds import Shape_i as Shape_i
from tensordsl.custom.callbacks import FromFunctionOp as FromFunctionOp
from tensordsl.custom.callbacks import as_op as as_op
from tensordsl.custom.callbacks import as_op as wrap_py

__all__ = ["FromFunctionOp", "Rebroadcast", "Shape", "Shape_i", "SpecifyShape", "as_op", "shape", "shape_i", "specify_shape", "wrap_py"]
