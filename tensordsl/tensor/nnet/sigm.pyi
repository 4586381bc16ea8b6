# Made by tools/alias_stubs.py from tensordsl/base/theano_names.py.
from tensordsl.compat.scalars import ScalarSigmoid as ScalarSigmoid
from tensordsl.compat.scalars import ScalarSoftplus as ScalarSoftplus
from tensordsl.ops.math.functions import SIGMOID as scalar_sigmoid
from tensordsl.ops.math.functions import SOFTPLUS as scalar_softplus
from tensordsl.ops.nnet import hard_sigmoid as hard_sigmoid
from tensordsl.ops.math.functions import sigmoid as sigmoid
from tensordsl.ops.math.functions import softplus as softplus
from tensordsl.ops.nnet import ultra_fast_sigmoid as ultra_fast_sigmoid

__all__ = ["ScalarSigmoid", "ScalarSoftplus", "hard_sigmoid", "scalar_sigmoid", "scalar_softplus", "sigmoid", "softplus", "ultra_fast_sigmoid"]
