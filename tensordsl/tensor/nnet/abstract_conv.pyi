# Made by tools/alias_stubs.py from tensordsl/base/theano_names.py.
from tensordsl.ops.conv.functions import conv2d as abstract_conv2d
from tensordsl.ops.conv.functions import causal_conv1d as causal_conv1d
from tensordsl.ops.conv.functions import conv2d as conv2d
from tensordsl.ops.conv.functions import conv2d_grad_wrt_inputs as conv2d_grad_wrt_inputs
from tensordsl.ops.conv.functions import conv2d_grad_wrt_weights as conv2d_grad_wrt_weights
from tensordsl.ops.conv.functions import conv3d as conv3d
from tensordsl.ops.conv.functions import conv3d_grad_wrt_inputs as conv3d_grad_wrt_inputs
from tensordsl.ops.conv.functions import conv3d_grad_wrt_weights as conv3d_grad_wrt_weights
from tensordsl.ops.conv.functions import separable_conv2d as separable_conv2d
from tensordsl.ops.conv.functions import separable_conv3d as separable_conv3d
from tensordsl.ops.conv.shapes import border_mode_to_pad as border_mode_to_pad
from tensordsl.ops.conv.shapes import check_conv_gradinputs_shape as check_conv_gradinputs_shape
from tensordsl.ops.conv.shapes import get_conv_gradinputs_shape as get_conv_gradinputs_shape
from tensordsl.ops.conv.shapes import get_conv_gradinputs_shape_1axis as get_conv_gradinputs_shape_1axis
from tensordsl.ops.conv.shapes import get_conv_gradweights_shape as get_conv_gradweights_shape
from tensordsl.ops.conv.shapes import get_conv_gradweights_shape_1axis as get_conv_gradweights_shape_1axis
from tensordsl.ops.conv.shapes import get_conv_output_shape as get_conv_output_shape
from tensordsl.ops.conv.shapes import get_conv_shape_1axis as get_conv_shape_1axis

__all__ = ["abstract_conv2d", "border_mode_to_pad", "causal_conv1d", "check_conv_gradinputs_shape", "conv2d", "conv2d_grad_wrt_inputs", "conv2d_grad_wrt_weights", "conv3d", "conv3d_grad_wrt_inputs", "conv3d_grad_wrt_weights", "get_conv_gradinputs_shape", "get_conv_gradinputs_shape_1axis", "get_conv_gradweights_shape", "get_conv_gradweights_shape_1axis", "get_conv_output_shape", "get_conv_shape_1axis", "separable_conv2d", "separable_conv3d"]
