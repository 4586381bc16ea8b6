# Made by tools/alias_stubs.py from tensordsl/base/theano_names.py.
from typing import Any
from tensordsl.ops.math.elementwise import abs_ as abs__inplace
from tensordsl.ops.math.elementwise import add as add_inplace
from tensordsl.ops.math.comparisons import and_ as and__inplace
from tensordsl.ops.math.functions import arccos as arccos_inplace
from tensordsl.ops.math.functions import arccosh as arccosh_inplace
from tensordsl.ops.math.functions import arcsin as arcsin_inplace
from tensordsl.ops.math.functions import arcsinh as arcsinh_inplace
from tensordsl.ops.math.functions import arctan2 as arctan2_inplace
from tensordsl.ops.math.functions import arctan as arctan_inplace
from tensordsl.ops.math.functions import arctanh as arctanh_inplace
from tensordsl.ops.math.elementwise import ceil as ceil_inplace
from tensordsl.ops.math.complexes import conj as conj_inplace
from tensordsl.ops.math.functions import cos as cos_inplace
from tensordsl.ops.math.functions import cosh as cosh_inplace
from tensordsl.ops.math.functions import deg2rad as deg2rad_inplace
from tensordsl.ops.math.comparisons import eq as eq_inplace
from tensordsl.ops.math.functions import erf as erf_inplace
from tensordsl.ops.math.functions import erfc as erfc_inplace
from tensordsl.ops.math.functions import erfcx as erfcx_inplace
from tensordsl.ops.math.functions import exp2 as exp2_inplace
from tensordsl.ops.math.functions import exp as exp_inplace
from tensordsl.ops.math.functions import expm1 as expm1_inplace
from tensordsl.ops.math.elementwise import fill as fill_inplace
from tensordsl.ops.math.elementwise import floor as floor_inplace
gamma_inplace: Any
gammaln_inplace: Any
from tensordsl.ops.math.comparisons import ge as ge_inplace
from tensordsl.ops.math.comparisons import gt as gt_inplace
from tensordsl.ops.math.elementwise import int_div as int_div_inplace
from tensordsl.ops.math.elementwise import reciprocal as inv_inplace
from tensordsl.ops.math.comparisons import invert as invert_inplace
from tensordsl.ops.math.comparisons import le as le_inplace
from tensordsl.ops.math.functions import log10 as log10_inplace
from tensordsl.ops.math.functions import log1p as log1p_inplace
from tensordsl.ops.math.functions import log2 as log2_inplace
from tensordsl.ops.math.functions import log as log_inplace
from tensordsl.ops.math.comparisons import lt as lt_inplace
from tensordsl.ops.math.elementwise import maximum as maximum_inplace
from tensordsl.ops.math.elementwise import minimum as minimum_inplace
from tensordsl.ops.math.elementwise import mod as mod_inplace
from tensordsl.ops.math.elementwise import mul as mul_inplace
from tensordsl.ops.math.elementwise import neg as neg_inplace
from tensordsl.ops.math.comparisons import neq as neq_inplace
from tensordsl.ops.math.comparisons import or_ as or__inplace
from tensordsl.ops.math.elementwise import pow as pow_inplace
psi_inplace: Any
from tensordsl.ops.math.functions import rad2deg as rad2deg_inplace
from tensordsl.ops.math.elementwise import round_half_away_from_zero as round_half_away_from_zero_inplace
from tensordsl.ops.math.elementwise import round_half_to_even as round_half_to_even_inplace
from tensordsl.ops.math.elementwise import second as second_inplace
from tensordsl.ops.math.elementwise import sgn as sgn_inplace
from tensordsl.ops.math.functions import sigmoid as sigmoid_inplace
from tensordsl.ops.math.functions import sin as sin_inplace
from tensordsl.ops.math.functions import sinh as sinh_inplace
from tensordsl.ops.math.elementwise import sqr as sqr_inplace
from tensordsl.ops.math.elementwise import sqrt as sqrt_inplace
from tensordsl.ops.math.elementwise import sub as sub_inplace
from tensordsl.ops.math.functions import tan as tan_inplace
from tensordsl.ops.math.functions import tanh as tanh_inplace
from tensordsl.ops.array.shape import transpose as transpose_inplace
tri_gamma_inplace: Any
from tensordsl.ops.math.elementwise import true_div as true_div_inplace
from tensordsl.ops.math.elementwise import trunc as trunc_inplace
from tensordsl.ops.math.comparisons import xor as xor_inplace

__all__ = ["abs__inplace", "add_inplace", "and__inplace", "arccos_inplace", "arccosh_inplace", "arcsin_inplace", "arcsinh_inplace", "arctan2_inplace", "arctan_inplace", "arctanh_inplace", "ceil_inplace", "conj_inplace", "cos_inplace", "cosh_inplace", "deg2rad_inplace", "eq_inplace", "erf_inplace", "erfc_inplace", "erfcx_inplace", "exp2_inplace", "exp_inplace", "expm1_inplace", "fill_inplace", "floor_inplace", "gamma_inplace", "gammaln_inplace", "ge_inplace", "gt_inplace", "int_div_inplace", "inv_inplace", "invert_inplace", "le_inplace", "log10_inplace", "log1p_inplace", "log2_inplace", "log_inplace", "lt_inplace", "maximum_inplace", "minimum_inplace", "mod_inplace", "mul_inplace", "neg_inplace", "neq_inplace", "or__inplace", "pow_inplace", "psi_inplace", "rad2deg_inplace", "round_half_away_from_zero_inplace", "round_half_to_even_inplace", "second_inplace", "sgn_inplace", "sigmoid_inplace", "sin_inplace", "sinh_inplace", "sqr_inplace", "sqrt_inplace", "sub_inplace", "tan_inplace", "tanh_inplace", "transpose_inplace", "tri_gamma_inplace", "true_div_inplace", "trunc_inplace", "xor_inplace"]
