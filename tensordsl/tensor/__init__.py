"""Symbolic tensors: constructors of variables and every function on them, under Theano's names.

>>> import tensordsl.tensor as T
>>> x = T.matrix("x")
>>> T.sum(x**2, axis=0).type
TensorType(float64, vector)
"""

# ruff: noqa: F401  the imports are the namespace
from __future__ import annotations

from typing import Any

from tensordsl.base.aliases import load_aside as _load_aside
from tensordsl.base.config import config
from tensordsl.base.errors import EmptyConstantError, NotScalarConstantError
from tensordsl.base.refusals import name_functions as _name_functions
from tensordsl.base.upper import upper as _upper
from tensordsl.graph.types import (
    ALL_DTYPES,
    COMPLEX,
    CONTINUOUS,
    DISCRETE,
    FLOATS,
    INTEGERS,
    SIGNED,
    UNSIGNED,
    TensorType,
)
from tensordsl.graph.values import are_close as _allclose  # Theano's, of arrays
from tensordsl.graph.variables import Constant, Variable
from tensordsl.ops.array import reduce as _reduce
from tensordsl.ops.array import shape as _shape
from tensordsl.ops.array.arrange import (
    atleast_1d,
    atleast_2d,
    atleast_3d,
    atleast_nd,
    expand_dims,
    flip,
    horizontal_stack,
    inverse_permutation,
    matrix_transpose,
    moveaxis,
    permute_row_elements,
    ravel_multi_index,
    repeat,
    roll,
    specify_shape,
    split,
    stacklists,
    take_along_axis,
    tile,
    unravel_index,
    vertical_stack,
)
from tensordsl.ops.array.arrange import vector_length as get_vector_length
from tensordsl.ops.array.creation import arange, eye, full, full_like, identity_like, ones, ones_like, zeros, zeros_like
from tensordsl.ops.array.cumulative import bartlett, cumprod, cumsum, diff
from tensordsl.ops.array.einsum import einsum
from tensordsl.ops.array.grids import (
    allclose,
    alloc_diag,
    diag,
    fill_diagonal,
    fill_diagonal_offset,
    geomspace,
    isclose,
    largest,
    linspace,
    logspace,
    mgrid,
    ogrid,
    smallest,
    tri,
    tril,
    triu,
    xlogy,
)
from tensordsl.ops.array.index import choose, diagonal, take, trace
from tensordsl.ops.array.masks import compress, flatnonzero, nonzero, nonzero_values
from tensordsl.ops.array.pad import pad
from tensordsl.ops.array.reduce import (
    all,
    any,
    argmax,
    argmin,
    logsumexp,
    max,
    max_and_argmax,
    mean,
    min,
    norm,
    prod,
    ptp,
    std,
    sum,
)
from tensordsl.ops.array.shape import (
    addbroadcast,
    alloc,
    broadcast_to,
    concatenate,
    dimshuffle,
    flatten,
    join,
    patternbroadcast,
    reshape,
    scalar_from_tensor,
    shape,
    shape_i,
    shape_padaxis,
    shape_padleft,
    shape_padright,
    size,
    squeeze,
    stack,
    swapaxes,
    tensor_from_scalar,
    transpose,
    unbroadcast,
)
from tensordsl.ops.array.sort import (
    argsort,
    argtopk,
    bincount,
    median,
    searchsorted,
    sort,
    topk,
    topk_and_argtopk,
    unique,
)
from tensordsl.ops.array.write import inc_subtensor, set_subtensor
from tensordsl.ops.composed.choices import (
    digitize,
    extract,
    histogram,
    histogram_bin_edges,
    interp,
    interpolate1d,
    piecewise,
    select,
)
from tensordsl.ops.composed.contractions import (
    cross,
    inner,
    matvec,
    vdot,
    vecdot,
    vecmat,
)
from tensordsl.ops.composed.coordinates import (
    diag_indices,
    diagflat,
    indices,
    ix_,
    meshgrid,
    tril_indices,
    tril_indices_from,
    triu_indices,
    triu_indices_from,
    vander,
)
from tensordsl.ops.composed.series import (
    convolve,
    convolve1d,
    correlate,
    cumulative_prod,
    cumulative_sum,
    ediff1d,
    gradient,
    poly,
    polyadd,
    polyder,
    polyint,
    polymul,
    polysub,
    polyval,
    trapezoid,
    unwrap,
)
from tensordsl.ops.composed.sets import (
    argwhere,
    intersect1d,
    isin,
    setdiff1d,
    setxor1d,
    union1d,
    unique_all,
    unique_counts,
    unique_inverse,
    unique_values,
)
from tensordsl.ops.composed.stacks import (
    append,
    array_split,
    block,
    broadcast_arrays,
    broadcast_shape,
    column_stack,
    concat_with_broadcast,
    default,
    delete,
    dsplit,
    dstack,
    hsplit,
    hstack,
    insert,
    is_flat,
    join_dims,
    pack,
    resize,
    slice_at_axis,
    split_dims,
    unpack,
    unstack,
    vsplit,
    vstack,
)
from tensordsl.ops.composed.stacks import broadcast_shapes_of as broadcast_shapes
from tensordsl.ops.composed.standard import CONSTANTS as _CONSTANTS
from tensordsl.ops.composed.standard import DTYPES as _DTYPES
from tensordsl.ops.composed.standard import (
    asarray,
    astype,
    can_cast,
    finfo,
    iinfo,
    isdtype,
    result_type,
)
from tensordsl.ops.composed.statistics import (
    average,
    corrcoef,
    count_nonzero,
    cov,
    nanargmax,
    nanargmin,
    nancumprod,
    nancumsum,
    nanmax,
    nanmean,
    nanmedian,
    nanmin,
    nanpercentile,
    nanprod,
    nanquantile,
    nanstd,
    nansum,
    nanvar,
    percentile,
    quantile,
)
from tensordsl.ops.composed.turns import (
    argpartition,
    fliplr,
    flipud,
    lexsort,
    partition,
    rollaxis,
    rot90,
    sort_complex,
)
from tensordsl.ops.control import Assert, assert_op
from tensordsl.ops.kinds import functions_as_ops as _functions_as_ops
from tensordsl.ops.kinds import hashtype
from tensordsl.ops.kinds import kinds_at as _kinds_at
from tensordsl.ops.linalg.products import batched_dot, batched_tensordot, dot, kron, matmul, outer, tensordot
from tensordsl.ops.math import comparisons as _comparisons
from tensordsl.ops.math import complexes as _complexes
from tensordsl.ops.math import elementwise as _elementwise
from tensordsl.ops.math import functions as _functions
from tensordsl.ops.math import gamma as _gamma
from tensordsl.ops.math.comparisons import (
    and_,
    eq,
    ge,
    gt,
    invert,
    isfinite,
    isinf,
    isnan,
    isneginf,
    isposinf,
    le,
    left_shift,
    lt,
    neq,
    or_,
    right_shift,
    xor,
)
from tensordsl.ops.math.complexes import angle, complex, complex_from_polar, conj, imag, real
from tensordsl.ops.math.elementwise import (
    abs_,
    add,
    cast,
    ceil,
    ceil_intdiv,
    clip,
    divmod,
    fill,
    floor,
    int_div,
    iround,
    maximum,
    minimum,
    mod,
    mul,
    neg,
    pow,
    reciprocal,
    round,
    round_half_away_from_zero,
    round_half_to_even,
    second,
    sgn,
    sqr,
    sqrt,
    sub,
    switch,
    tensor_copy,
    true_div,
    trunc,
)
from tensordsl.ops.math.functions import (
    arccos,
    arccosh,
    arcsin,
    arcsinh,
    arctan,
    arctan2,
    arctanh,
    cbrt,
    cos,
    cosh,
    deg2rad,
    erf,
    erfc,
    erfcinv,
    erfcx,
    erfinv,
    exp,
    exp2,
    expm1,
    ldexp,
    log,
    log1mexp,
    log1p,
    log2,
    log10,
    nextafter,
    rad2deg,
    rsqrt,
    sigmoid,
    sin,
    sinh,
    softplus,
    tan,
    tanh,
)
from tensordsl.ops.math.gamma import gamma, gammaln, polygamma, psi, tri_gamma
from tensordsl.ops.math.known_scalars import constant_value as get_scalar_constant_value
from tensordsl.ops.math.known_scalars import extract_constant
from tensordsl.ops.math.ufuncs import (
    around,
    bitwise_count,
    copysign,
    fabs,
    float_power,
    fmax,
    fmin,
    fmod,
    frexp,
    gcd,
    heaviside,
    hypot,
    iscomplex,
    isreal,
    lcm,
    logaddexp2,
    logical_and,
    logical_not,
    logical_or,
    logical_xor,
    modf,
    nan_to_num,
    positive,
    signbit,
    spacing,
)
from tensordsl.ops.nnet import logaddexp, to_one_hot
from tensordsl.ops.operands import constant
from tensordsl.ops.special.bessel import i0, i0e, i1, i1e, j0, j1, k0, k1, y0, y1
from tensordsl.ops.special.bessel_order import iv, ive, jv, kv, kve, yv
from tensordsl.ops.special.beta import beta, betaln, factorial, poch
from tensordsl.ops.special.beta_incomplete import betainc, betaincinv
from tensordsl.ops.special.gamma_incomplete import gammainc, gammaincc
from tensordsl.ops.special.gamma_inverse import chi2sf, gammainccinv, gammaincinv, gammal, gammau
from tensordsl.ops.special.hypergeometric import hyp2f1
from tensordsl.ops.special.integrals import dawsn, exp1, expn, owens_t
from tensordsl.ops.special.lambert import lambertw
from tensordsl.ops.special.logarithms import entr, kl_div, logit, rel_entr, sinc, xlog1py
from tensordsl.ops.special.normal import log_ndtr, ndtr, ndtri, ndtri_exp
from tensordsl.ops.special.zeta import zeta
from tensordsl.ops.vectorize import vectorize, vectorize_graph
from tensordsl.tensor import nnet
from tensordsl.tensor.constructors import CONSTRUCTORS, tensor
from tensordsl.tensor.var import TensorConstant, TensorVariable, as_tensor_variable

# Other names of the same functions, from Theano and NumPy.
abs = absolute = abs_
inv = reciprocal
sign = sgn
square = sqr
where = switch
floor_div = int_div
bitwise_and, bitwise_or, bitwise_xor, bitwise_not = and_, or_, xor, invert
bitwise_left_shift, bitwise_right_shift = left_shift, right_shift
less, less_equal, greater, greater_equal, equal, not_equal = lt, le, gt, ge, eq, neq
digamma = psi
trigamma = tri_gamma
power = pow
expit = sigmoid
log1pexp = softplus
jn, kn = jv, kv  # SciPy's and PyTensor's names for whole orders
specify_broadcastable = addbroadcast
atleast_Nd = atleast_nd
extract_diag = diagonal
rint = round
amax, amin = max, min
empty, empty_like = zeros, zeros_like  # there is no memory that could be left as it is
isinf_, isnan_, join_ = isinf, isnan, join
identity = copy = tensor_copy
conjugate = conj
degrees, radians = rad2deg, deg2rad
fix = trunc
as_tensor = as_tensor_variable
dense_dot = dot
# The array API standard's.
subtract, multiply, divide, true_divide, floor_divide, remainder, negative = (
    sub,
    mul,
    true_div,
    true_div,
    int_div,
    mod,
    neg,
)
acos, acosh, asin, asinh, atan, atan2, atanh = arccos, arccosh, arcsin, arcsinh, arctan, arctan2, arctanh
bitwise_invert, concat, permute_dims = invert, concatenate, transpose
var = _reduce.var  # importing the submodule of that name put the module here

globals().update(CONSTRUCTORS)
globals().update(_CONSTANTS)
_name_functions(globals(), [name for name in globals() if not name.startswith("_")], f"{__name__}.basic")
_functions_as_ops(globals(), _comparisons, _complexes, _elementwise, _functions, _gamma, _shape)
globals().update(_kinds_at("tensor"))

int_dtypes, uint_dtypes, float_dtypes = list(SIGNED), list(UNSIGNED), list(FLOATS)
integer_dtypes, discrete_dtypes, continuous_dtypes = list(INTEGERS), list(DISCRETE), list(CONTINUOUS)
globals().update(_DTYPES)
all_dtypes, complex_dtypes = list(ALL_DTYPES), list(COMPLEX)
_load_aside(f"{__name__}.sort")

# Names that are looked up when first used.
_LATE = {
    **dict.fromkeys(
        ("DisconnectedType", "Lop", "Rop", "consider_constant", "grad", "grad_not_implemented", "grad_undefined")
        + ("hessian", "jacobian", "numeric_grad", "verify_grad"),
        "tensordsl.autodiff.gradient",
    ),
    **dict.fromkeys(("Apply", "Op"), "tensordsl.custom.op"),
    "transfer": "tensordsl.base.no_effect",
    **dict.fromkeys(("min_informative_str", "pprint"), "tensordsl.graph.printing"),
}


def __getattr__(name: str) -> Any:
    if name in _LATE:
        from importlib import import_module

        return getattr(import_module(_LATE[name]), name)
    if name == "shared":
        return _upper(name)
    from tensordsl.base.aliases import module_below  # late: the table is loaded at the first name that is not here

    return module_below(__name__, name, (*globals(), *_LATE, "shared"))


def __dir__() -> list[str]:
    """The names that are for users, those included that are loaded at first use."""
    from tensordsl.base.theano_names import submodules  # late, as above

    here = (name for name in globals() if not name.startswith("_") or name.startswith("__"))
    return sorted({*here, *_LATE, *submodules("tensor"), "shared"} - {"Any", "CONSTRUCTORS", "annotations"})
