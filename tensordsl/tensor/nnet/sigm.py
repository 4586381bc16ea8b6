"""`T.nnet.sigm`: functions of the shape of an S."""

from __future__ import annotations

from tensordsl.ops.functions import sigmoid, softplus
from tensordsl.ops.kinds import ScalarSigmoid, ScalarSoftplus
from tensordsl.ops.nnet import hard_sigmoid, ultra_fast_sigmoid

__all__ = ["ScalarSigmoid", "ScalarSoftplus", "hard_sigmoid", "sigmoid", "softplus", "ultra_fast_sigmoid"]
