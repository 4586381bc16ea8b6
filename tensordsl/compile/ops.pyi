# Made by tools/alias_stubs.py from tensordsl/base/theano_names.py.
from tensordsl.ops.kinds import Rebroadcast as Rebroadcast
from tensordsl.ops.kinds import Shape as Shape
from tensordsl.ops.kinds import SpecifyShape as SpecifyShape
from tensordsl.ops.array.shape import shape as shape
from tensordsl.ops.array.shape import shape_i as shape_i
from tensordsl.ops.array.arrange import specify_shape as specify_shape
from tensordsl.ops.kinds import Shape_i as Shape_i

__all__ = ["Rebroadcast", "Shape", "Shape_i", "SpecifyShape", "shape", "shape_i", "specify_shape"]
