"""One scalar computation at every point of the broadcast operands: arithmetic, comparisons, mathematics, choices.

Each op is a row and, below the rows, one public function of its name.  Integers wrap, `x // 0 == 0`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tensordsl.casting import accumulator, float_of, float_of_all, true_div_dtype, upcast, upcast_min8
from tensordsl.config import config
from tensordsl.graph import Constant, Elementwise, Op, apply
from tensordsl.ops.operands import as_variable, broadcast, constant
from tensordsl.ops.scalars import (
    digamma,
    gamma_function,
    inverse_erf,
    lgamma,
    next_after,
    numpy_log1mexp,
    numpy_power,
    numpy_sigmoid,
    numpy_softplus,
    power,
    scaled_erfc,
    vectorised,
)
from tensordsl.types import DISCRETE, DTYPES, FLOATS

Gradient = Callable[..., Sequence[Any]]
Unary = Callable[[Any], Any]
PIECEWISE = "piecewise constant: zero almost everywhere"


# -- how rows are made -----------------------------------------------------------------------------------------------
def _row(
    name: str,
    scalar: Callable[..., Any],
    numpy: Callable[..., Any],
    gradient: Gradient | None = None,
    dtype: Callable[..., str] = upcast,
    loop: Callable[..., tuple[str, ...]] | None = None,
    wide: bool = False,
    **columns: Any,
) -> Op:
    """A row whose oracle is the NumPy function `numpy` on operands of the loop's dtypes (float64 instead if `wide`)."""

    def same_loop(*dtypes: str) -> tuple[str, ...]:
        return (dtype(*dtypes),) * len(dtypes)

    cast_to = loop or same_loop

    def oracle(*arrays: Any, **attrs: Any) -> Any:
        arrays = tuple(map(np.asarray, arrays))
        dtypes = tuple(str(a.dtype) for a in arrays)
        with np.errstate(all="ignore"):
            to = (accumulator(t) if wide else t for t in cast_to(*dtypes))
            result = numpy(*(a.astype(t) for a, t in zip(arrays, to, strict=True)))
            return np.asarray(result).astype(dtype(*dtypes))

    return Op(name, dtype, broadcast, oracle, Elementwise(scalar, cast_to), gradient, **columns)


def _function(name: str, numpy: Callable[..., Any], gradient: Gradient | None, ulp: float = 4.0, **columns: Any) -> Op:
    """A row for a real function of `scalar.MATH`, judged by NumPy in float64."""
    columns.setdefault("dtype", float_of)
    return _row(name, lambda b, *x: b.call(name, *x), numpy, gradient, wide=True, ulp=ulp, **columns)


def _arithmetic(*dtypes: str) -> str:
    """Promotion, for operations that bools do not have."""
    result = upcast(*dtypes)
    if result == "bool":
        raise TypeError("not defined for bool operands; cast one to an integer, or use ^ | & ~")
    return result


def _bitwise(*dtypes: str) -> str:
    result = upcast(*dtypes)
    if result in FLOATS:
        raise TypeError(f"bitwise operations want integers or bools, got {', '.join(dtypes)}")
    return result


def _bool(*dtypes: str) -> str:
    return "bool"


def _compared(*dtypes: str) -> tuple[str, ...]:
    common = upcast(*dtypes)
    return ("uint8" if common == "bool" else common,) * len(dtypes)


def _float_loop(*dtypes: str) -> tuple[str, ...]:
    return tuple(float_of(t) for t in dtypes)


def _chosen(condition: str, x: str, y: str) -> str:
    return upcast(x, y)


def _like(value: float, g: Any) -> Any:
    """A constant in the dtype of a cotangent, so that it does not widen it."""
    return constant(value, dtype=g.type.dtype if g.type.dtype in FLOATS else "float64")


def _by_bits(logical: str, other: str) -> Callable[..., Any]:
    """A scalar that is `logical` on bools, where NumPy's + and * are `or` and `and`."""
    return lambda b, x, y: b.apply(logical if x.type == "bool" else other, x, y)


# -- gradients of more than one line ---------------------------------------------------------------------------------
def _power_gradient(g: Any, out: Any, x: Any, y: Any) -> Sequence[Any]:
    if isinstance(y, Constant) and not y.data.any():
        gx = second(out, _like(0, g))
    else:
        gx = (g * y) * x ** (y - 1)
    if y.type.dtype in DISCRETE:
        return gx, None
    # d/dy 0 ** y is 0 for y > 0; log(0) would make it nan.
    return gx, switch(eq(x, 0), _like(0, g), g * log(x) * out)


def _cast_gradient(g: Any, out: Any, x: Any, dtype: str) -> Sequence[Any]:
    if dtype in DISCRETE:
        return (second(x, _like(0, g)),)
    return (cast(g, x.type.dtype) if x.type.dtype in FLOATS else g,)


def _clip_gradient(g: Any, out: Any, x: Any, low: Any, high: Any) -> Sequence[Any]:
    zero = _like(0, g)
    below, above = lt(x, low), gt(x, high)
    return switch(or_(below, above), zero, g), switch(below, g, zero), switch(above, g, zero)


def _choice(g: Any, out: Any, x: Any, y: Any) -> Sequence[Any]:
    """The gradient of maximum and minimum: to the operand that was chosen, to both where they are equal (as Theano)."""
    zero = _like(0, g)
    return switch(eq(out, x), g, zero), switch(eq(out, y), g, zero)


# -- rows: arithmetic ------------------------------------------------------------------------------------------------
ADD = _row("add", _by_bits("or", "add"), np.add, lambda g, out, x, y: (g, g), commutative=True, symbol="+")
SUB = _row("sub", lambda b, x, y: b.sub(x, y), np.subtract, lambda g, out, x, y: (g, -g), dtype=_arithmetic, symbol="-")
MUL = _row(
    "mul", _by_bits("and", "mul"), np.multiply, lambda g, out, x, y: (g * y, g * x), commutative=True, symbol="*"
)
TRUE_DIV = _row(
    "true_div", lambda b, x, y: b.div(x, y), np.true_divide, lambda g, out, x, y: (g / y, -(g * x) / (y * y)),
    dtype=true_div_dtype, symbol="/",
)  # fmt: skip
INT_DIV = _row(
    "int_div", lambda b, x, y: b.floordiv(x, y), np.floor_divide, dtype=upcast_min8, no_gradient=PIECEWISE, symbol="//"
)
MOD = _row(
    "mod",
    lambda b, x, y: b.mod(x, y),
    np.mod,
    lambda g, out, x, y: (g, -g * int_div(x, y)),
    dtype=upcast_min8,
    symbol="%",
)
POW = _row("pow", power, numpy_power, _power_gradient, dtype=upcast_min8, ulp=4, domain=(0.1, 4), symbol="**")
NEG = _row("neg", lambda b, x: b.neg(x), np.negative, lambda g, out, x: (-g,), dtype=_arithmetic, symbol="-")
ABS = _row(
    "abs", lambda b, x: x if x.type == "bool" else b.abs(x), np.abs, lambda g, out, x: (g * sgn(x),), print_name="abs_"
)
SGN = _row("sgn", lambda b, x: b.sign(x), np.sign, dtype=_arithmetic, no_gradient=PIECEWISE)
SQR = _row("sqr", lambda b, x: _by_bits("and", "mul")(b, x, x), lambda x: x * x, lambda g, out, x: (g * x * 2,))
SQRT = _row(
    "sqrt", lambda b, x: b.sqrt(x), np.sqrt, lambda g, out, x: (g * 0.5 / out,), dtype=float_of, domain=(0.1, 100)
)
RSQRT = _row(
    "rsqrt", lambda b, x: b.div(1.0, b.sqrt(x)), lambda x: 1 / np.sqrt(x), lambda g, out, x: (-g * out / (x * 2),),
    dtype=float_of, ulp=2, domain=(0.1, 100),
)  # fmt: skip
NEXTAFTER = _row("nextafter", next_after, np.nextafter, dtype=float_of_all, no_gradient=PIECEWISE)
RECIPROCAL = _row(
    "reciprocal", lambda b, x: b.div(1.0, x), lambda x: 1 / x, lambda g, out, x: (-g * sqr(out),), dtype=float_of,
    domain=(0.1, 10), print_name="inv",
)  # fmt: skip
FLOOR = _row("floor", lambda b, x: b.floor(x), np.floor, dtype=float_of, no_gradient=PIECEWISE)
CEIL = _row("ceil", lambda b, x: b.ceil(x), np.ceil, dtype=float_of, no_gradient=PIECEWISE)
TRUNC = _row("trunc", lambda b, x: b.trunc(x), np.trunc, dtype=float_of, no_gradient=PIECEWISE)
ROUND = _row("round", lambda b, x: b.rint(x), np.rint, dtype=float_of, no_gradient=PIECEWISE)

# -- rows: comparisons and logic -------------------------------------------------------------------------------------
EQ = _row(
    "eq",
    lambda b, x, y: b.eq(x, y),
    np.equal,
    None,
    _bool,
    _compared,
    no_gradient=PIECEWISE,
    commutative=True,
    symbol="==",
)
NEQ = _row(
    "neq",
    lambda b, x, y: b.ne(x, y),
    np.not_equal,
    None,
    _bool,
    _compared,
    no_gradient=PIECEWISE,
    commutative=True,
    symbol="!=",
)
LT = _row("lt", lambda b, x, y: b.lt(x, y), np.less, None, _bool, _compared, no_gradient=PIECEWISE, symbol="<")
LE = _row("le", lambda b, x, y: b.le(x, y), np.less_equal, None, _bool, _compared, no_gradient=PIECEWISE, symbol="<=")
GT = _row("gt", lambda b, x, y: b.gt(x, y), np.greater, None, _bool, _compared, no_gradient=PIECEWISE, symbol=">")
GE = _row(
    "ge", lambda b, x, y: b.ge(x, y), np.greater_equal, None, _bool, _compared, no_gradient=PIECEWISE, symbol=">="
)
ISNAN = _row("isnan", lambda b, x: b.isnan(x), np.isnan, None, _bool, _float_loop, no_gradient=PIECEWISE)
ISINF = _row("isinf", lambda b, x: b.eq(b.abs(x), math.inf), np.isinf, None, _bool, _float_loop, no_gradient=PIECEWISE)
AND = _row(
    "and_",
    lambda b, x, y: b.and_(x, y),
    np.bitwise_and,
    dtype=_bitwise,
    no_gradient=PIECEWISE,
    commutative=True,
    symbol="&",
)
OR = _row(
    "or_",
    lambda b, x, y: b.or_(x, y),
    np.bitwise_or,
    dtype=_bitwise,
    no_gradient=PIECEWISE,
    commutative=True,
    symbol="|",
)
XOR = _row(
    "xor",
    lambda b, x, y: b.xor(x, y),
    np.bitwise_xor,
    dtype=_bitwise,
    no_gradient=PIECEWISE,
    commutative=True,
    symbol="^",
)
INVERT = _row("invert", lambda b, x: b.not_(x), np.invert, dtype=_bitwise, no_gradient=PIECEWISE, symbol="~")

# -- rows: choices and copies ----------------------------------------------------------------------------------------
MAXIMUM = _row(
    "maximum",
    lambda b, x, y: b.apply("or" if x.type == "bool" else "maximum", x, y),
    np.maximum,
    _choice,
    commutative=True,
)
MINIMUM = _row(
    "minimum",
    lambda b, x, y: b.apply("and" if x.type == "bool" else "minimum", x, y),
    np.minimum,
    _choice,
    commutative=True,
)
SWITCH = _row(
    "switch", lambda b, c, x, y: b.select(c, x, y), np.where,
    lambda g, out, c, x, y: (None, switch(c, g, _like(0, g)), switch(c, _like(0, g), g)),
    dtype=_chosen, loop=lambda c, x, y: ("bool", upcast(x, y), upcast(x, y)),
)  # fmt: skip
CLIP = _row(
    "clip", lambda b, x, low, high: b.minimum(b.maximum(x, low), high),
    lambda x, low, high: np.minimum(np.maximum(x, low), high),
    _clip_gradient, dtype=upcast_min8,
)  # fmt: skip
SECOND = _row(
    "second", lambda b, x, y: y, lambda x, y: np.broadcast_to(y, np.broadcast_shapes(x.shape, y.shape)),
    lambda g, out, x, y: (None, g), dtype=lambda x, y: y, loop=lambda x, y: (x, y), print_name="fill",
)  # fmt: skip
IDENTITY = _row("identity", lambda b, x: x, np.array, lambda g, out, x: (g,), print_name="tensor_copy")
CAST = Op(
    "cast", lambda x, dtype: dtype, broadcast, lambda x, dtype: _numpy_cast(x, dtype),
    Elementwise(lambda b, x, dtype: b.cast(x, dtype), lambda x: (x,)), _cast_gradient,
)  # fmt: skip

# -- rows: real functions --------------------------------------------------------------------------------------------
_PER_LN2, _PER_LN10 = 1 / math.log(2), 1 / math.log(10)
EXP = _function("exp", np.exp, lambda g, out, x: (g * out,))
EXP2 = _function("exp2", np.exp2, lambda g, out, x: (g * out * _like(math.log(2), g),))
EXPM1 = _function("expm1", np.expm1, lambda g, out, x: (g * (out + 1),))
LOG = _function("log", np.log, lambda g, out, x: (g / x,), domain=(0.01, 100))
LOG2 = _function("log2", np.log2, lambda g, out, x: (g / x * _like(_PER_LN2, g),), domain=(0.01, 100))
LOG10 = _function("log10", np.log10, lambda g, out, x: (g / x * _like(_PER_LN10, g),), domain=(0.01, 100))
LOG1P = _function("log1p", np.log1p, lambda g, out, x: (g / (x + 1),), domain=(-0.9, 100))
SIN = _function("sin", np.sin, lambda g, out, x: (g * cos(x),))
COS = _function("cos", np.cos, lambda g, out, x: (-g * sin(x),))
TAN = _function("tan", np.tan, lambda g, out, x: (g * (sqr(out) + 1),), domain=(-1.4, 1.4))
ARCSIN = _function("arcsin", np.arcsin, lambda g, out, x: (g / sqrt(1 - sqr(x)),), domain=(-0.9, 0.9))
ARCCOS = _function("arccos", np.arccos, lambda g, out, x: (-g / sqrt(1 - sqr(x)),), domain=(-0.9, 0.9))
ARCTAN = _function("arctan", np.arctan, lambda g, out, x: (g / (sqr(x) + 1),))
ARCTAN2 = _function(
    "arctan2",
    np.arctan2,
    lambda g, out, y, x: (g * x / (sqr(x) + sqr(y)), -g * y / (sqr(x) + sqr(y))),
    dtype=float_of_all,
)
SINH = _function("sinh", np.sinh, lambda g, out, x: (g * cosh(x),))
COSH = _function("cosh", np.cosh, lambda g, out, x: (g * sinh(x),))
TANH = _function("tanh", np.tanh, lambda g, out, x: (g * (1 - sqr(out)),))
ARCSINH = _function("arcsinh", np.arcsinh, lambda g, out, x: (g / sqrt(sqr(x) + 1),))
ARCCOSH = _function("arccosh", np.arccosh, lambda g, out, x: (g / sqrt(sqr(x) - 1),), domain=(1.1, 10))
ARCTANH = _function("arctanh", np.arctanh, lambda g, out, x: (g / (1 - sqr(x)),), domain=(-0.9, 0.9))
CBRT = _function("cbrt", np.cbrt, lambda g, out, x: (g / (3 * sqr(out)),), domain=(0.1, 10))
SIGMOID = _function("sigmoid", numpy_sigmoid, lambda g, out, x: (g * out * (1 - out),))
SOFTPLUS = _function("softplus", numpy_softplus, lambda g, out, x: (g * sigmoid(x),))
_TWO_PER_ROOT_PI = 2 / math.sqrt(math.pi)
ERF = _function(
    "erf", vectorised(math.erf), lambda g, out, x: (g * exp(-sqr(x)) * _like(_TWO_PER_ROOT_PI, g),), domain=(-3, 3)
)
ERFC = _function(
    "erfc", vectorised(math.erfc), lambda g, out, x: (g * exp(-sqr(x)) * _like(-_TWO_PER_ROOT_PI, g),), domain=(-3, 3)
)
GAMMALN = _function("gammaln", vectorised(lgamma), lambda g, out, x: (g * psi(x),), ulp=16, domain=(0.1, 20))
ERFINV = _function(
    "erfinv", vectorised(inverse_erf), lambda g, out, x: (g * exp(sqr(out)) * _like(math.sqrt(math.pi) / 2, g),),
    ulp=16, domain=(-0.9, 0.9),
)  # fmt: skip
ERFCX = _function(
    "erfcx", vectorised(scaled_erfc), lambda g, out, x: (g * (x * out * 2 - _like(_TWO_PER_ROOT_PI, g)),), ulp=16,
    domain=(-3, 3),
)  # fmt: skip
LOG1MEXP = _function(
    "log1mexp", numpy_log1mexp, lambda g, out, x: (g / (1 - exp(-x)),), ulp=8, domain=(-5, -0.1)
)  # fmt: skip
GAMMA = _function("gamma", vectorised(gamma_function), lambda g, out, x: (g * out * psi(x),), ulp=16, domain=(0.5, 5))
DIGAMMA = _function(
    "digamma", vectorised(digamma), None, ulp=64, domain=(0.1, 20),
    no_gradient="the trigamma function is not available", print_name="psi",
)  # fmt: skip

ROWS = (
    ADD, SUB, MUL, TRUE_DIV, INT_DIV, MOD, POW, NEG, ABS, SGN, SQR, SQRT, RECIPROCAL, FLOOR, CEIL, TRUNC, ROUND,
    EQ, NEQ, LT, LE, GT, GE, ISNAN, ISINF, AND, OR, XOR, INVERT, MAXIMUM, MINIMUM, SWITCH, CLIP, SECOND, IDENTITY, CAST,
    EXP, EXP2, EXPM1, LOG, LOG2, LOG10, LOG1P, SIN, COS, TAN, ARCSIN, ARCCOS, ARCTAN, ARCTAN2, SINH, COSH, TANH,
    ARCSINH, ARCCOSH, ARCTANH, CBRT, SIGMOID, SOFTPLUS, ERF, ERFC, GAMMALN, DIGAMMA,
    ERFINV, ERFCX, LOG1MEXP, GAMMA, RSQRT, NEXTAFTER,
)  # fmt: skip


def _numpy_cast(x: Any, dtype: str) -> Any:
    with np.errstate(all="ignore"):
        return np.asarray(x).astype(dtype)


# -- public functions ------------------------------------------------------------------------------------------------
def add(x: Any, y: Any, *more: Any) -> Any:
    """x + y (+ ...); `or` on bools.

    >>> add([1, 2], [10, 20], 100).eval()
    array([111, 122])
    """
    result = apply(ADD, as_variable(x), as_variable(y))
    for z in more:
        result = apply(ADD, result, as_variable(z))
    return result


def mul(x: Any, y: Any, *more: Any) -> Any:
    """x * y (* ...); `and` on bools.

    >>> mul([1, 2], [10, 20]).eval()
    array([10, 40])
    """
    result = apply(MUL, as_variable(x), as_variable(y))
    for z in more:
        result = apply(MUL, result, as_variable(z))
    return result


def true_div(x: Any, y: Any) -> Any:
    """x / y; of two integers: in `config.floatX`, or as `config.int_division` says.

    >>> true_div([1, 3], 2).eval()
    array([0.5, 1.5])
    """
    x, y = as_variable(x), as_variable(y)
    if x.type.dtype in DISCRETE and y.type.dtype in DISCRETE:
        if config.int_division == "int":
            return int_div(x, y)
        if config.int_division == "raise":
            raise TypeError(
                f"x / y of two integers ({x.type} / {y.type}) is forbidden by int_division='raise'. Use x // y for "
                "an integer division, or cast one of them: x.astype(tensordsl.config.floatX) / y"
            )
        if config.floatX != "float64":
            x, y = cast(x, config.floatX), cast(y, config.floatX)
    return apply(TRUE_DIV, x, y)


def sub(x: Any, y: Any) -> Any:
    """x - y.

    >>> sub([5, 3], 1).eval()
    array([4, 2])
    """
    return apply(SUB, as_variable(x), as_variable(y))


def int_div(x: Any, y: Any) -> Any:
    """The floor of x / y in the operands' common dtype; 0 for integers divided by 0.

    >>> int_div([7, -7, 7], [2, 2, 0]).eval()
    array([ 3, -4,  0])
    """
    return apply(INT_DIV, as_variable(x), as_variable(y))


def mod(x: Any, y: Any) -> Any:
    """x - y * floor(x / y): the remainder with the sign of y.

    >>> mod([7, -7], 3).eval()
    array([1, 2])
    """
    return apply(MOD, as_variable(x), as_variable(y))


def divmod(x: Any, y: Any) -> tuple[Any, Any]:
    """(x // y, x % y).

    >>> [part.eval().tolist() for part in divmod([7, -7], 2)]
    [[3, -4], [1, 1]]
    """
    x, y = as_variable(x), as_variable(y)
    return int_div(x, y), mod(x, y)


def pow(x: Any, y: Any) -> Any:
    """x ** y.  Integers to integers stay integers and wrap; for y < 0 they give 1 / x truncated (0 for x == 0).

    >>> pow([2, -3], 3).eval()
    array([  8, -27])
    """
    return apply(POW, as_variable(x), as_variable(y))


def neg(x: Any) -> Any:
    """-x.

    >>> neg([1, -2]).eval()
    array([-1,  2])
    """
    return apply(NEG, as_variable(x))


def abs_(x: Any) -> Any:
    """The absolute value.

    >>> abs_([1, -2]).eval()
    array([1, 2])
    """
    return apply(ABS, as_variable(x))


def sgn(x: Any) -> Any:
    """-1, 0 or 1 with the sign of x.

    >>> sgn([-2.5, 0.0, 4.0]).eval()
    array([-1.,  0.,  1.])
    """
    return apply(SGN, as_variable(x))


def sqr(x: Any) -> Any:
    """x * x.

    >>> sqr([2, -3]).eval()
    array([4, 9])
    """
    return apply(SQR, as_variable(x))


def sqrt(x: Any) -> Any:
    """The square root, nan below 0.

    >>> sqrt([4.0, 9.0]).eval()
    array([2., 3.])
    """
    return apply(SQRT, as_variable(x))


def reciprocal(x: Any) -> Any:
    """1 / x.

    >>> reciprocal([2.0, 4.0]).eval()
    array([0.5 , 0.25])
    """
    return apply(RECIPROCAL, as_variable(x))


def floor(x: Any) -> Any:
    """The largest whole number <= x, as a float.

    >>> floor([1.5, -1.5]).eval()
    array([ 1., -2.])
    """
    return apply(FLOOR, as_variable(x))


def ceil(x: Any) -> Any:
    """The smallest whole number >= x, as a float.

    >>> ceil([1.5, -1.5]).eval()
    array([ 2., -1.])
    """
    return apply(CEIL, as_variable(x))


def trunc(x: Any) -> Any:
    """x without its fraction, as a float.

    >>> trunc([1.5, -1.5]).eval()
    array([ 1., -1.])
    """
    return apply(TRUNC, as_variable(x))


def round(x: Any, mode: str = "half_to_even") -> Any:
    """The nearest whole number, as a float.  mode: "half_to_even" or "half_away_from_zero".

    >>> round([0.5, 1.5, 2.6]).eval()
    array([0., 2., 3.])
    """
    x = as_variable(x)
    if mode == "half_to_even":
        return apply(ROUND, x)
    if mode == "half_away_from_zero":
        # Adding 0.5 would round up the largest number below 0.5: compare the exact fraction instead.
        whole = trunc(x)
        return switch(ge(abs_(x - whole), 0.5), whole + sgn(x), whole)
    raise ValueError(f"round: unknown mode {mode!r}; use 'half_to_even' or 'half_away_from_zero'")


def eq(x: Any, y: Any) -> Any:
    """Whether x == y at each point.

    >>> eq([1, 2], 2).eval()
    array([False,  True])
    """
    return apply(EQ, as_variable(x), as_variable(y))


def neq(x: Any, y: Any) -> Any:
    """Whether x != y at each point.

    >>> neq([1, 2], 2).eval()
    array([ True, False])
    """
    return apply(NEQ, as_variable(x), as_variable(y))


def lt(x: Any, y: Any) -> Any:
    """Whether x < y at each point.

    >>> lt([1, 2, 3], 2).eval()
    array([ True, False, False])
    """
    return apply(LT, as_variable(x), as_variable(y))


def le(x: Any, y: Any) -> Any:
    """Whether x <= y at each point.

    >>> le([1, 2, 3], 2).eval()
    array([ True,  True, False])
    """
    return apply(LE, as_variable(x), as_variable(y))


def gt(x: Any, y: Any) -> Any:
    """Whether x > y at each point.

    >>> gt([1, 2, 3], 2).eval()
    array([False, False,  True])
    """
    return apply(GT, as_variable(x), as_variable(y))


def ge(x: Any, y: Any) -> Any:
    """Whether x >= y at each point.

    >>> ge([1, 2, 3], 2).eval()
    array([False,  True,  True])
    """
    return apply(GE, as_variable(x), as_variable(y))


def isnan(x: Any) -> Any:
    """Whether x is not a number.

    >>> isnan([1.0, np.nan]).eval()
    array([False,  True])
    """
    return apply(ISNAN, as_variable(x))


def isinf(x: Any) -> Any:
    """Whether x is inf or -inf.

    >>> isinf([1.0, -np.inf]).eval()
    array([False,  True])
    """
    return apply(ISINF, as_variable(x))


def isfinite(x: Any) -> Any:
    """Whether x is neither nan nor infinite.

    >>> isfinite([1.0, np.inf, np.nan]).eval()
    array([ True, False, False])
    """
    x = as_variable(x)
    return invert(or_(isnan(x), isinf(x)))


def and_(x: Any, y: Any) -> Any:
    """Bitwise and; logical on bools.

    >>> and_([6, 5], 3).eval()
    array([2, 1])
    """
    return apply(AND, as_variable(x), as_variable(y))


def or_(x: Any, y: Any) -> Any:
    """Bitwise or; logical on bools.

    >>> or_([6, 5], 3).eval()
    array([7, 7])
    """
    return apply(OR, as_variable(x), as_variable(y))


def xor(x: Any, y: Any) -> Any:
    """Bitwise exclusive or.

    >>> xor([6, 5], 3).eval()
    array([5, 6])
    """
    return apply(XOR, as_variable(x), as_variable(y))


def invert(x: Any) -> Any:
    """Bitwise not; logical on bools.

    >>> invert([True, False]).eval()
    array([False,  True])
    """
    return apply(INVERT, as_variable(x))


def maximum(x: Any, y: Any) -> Any:
    """The larger of x and y; nan if one is nan.

    >>> maximum([1, 5], [4, 2]).eval()
    array([4, 5])
    """
    return apply(MAXIMUM, as_variable(x), as_variable(y))


def minimum(x: Any, y: Any) -> Any:
    """The smaller of x and y; nan if one is nan.

    >>> minimum([1, 5], [4, 2]).eval()
    array([1, 2])
    """
    return apply(MINIMUM, as_variable(x), as_variable(y))


def switch(condition: Any, x: Any, y: Any) -> Any:
    """x where the condition is not 0, else y; both are computed (see `ifelse` for one of two).

    >>> switch([True, False], [1, 2], 0).eval()
    array([1, 0])
    """
    return apply(SWITCH, as_variable(condition), as_variable(x), as_variable(y))


def clip(x: Any, min: Any, max: Any) -> Any:
    """x limited to [min, max]; max where min > max.

    >>> clip([1, 5, 9], 2, 6).eval()
    array([2, 5, 6])
    """
    return apply(CLIP, as_variable(x), as_variable(min), as_variable(max))


def second(x: Any, y: Any) -> Any:
    """y, broadcast to the common shape of x and y.

    >>> second([1, 2], 0.5).eval()
    array([0.5, 0.5], dtype=float32)
    """
    return apply(SECOND, as_variable(x), as_variable(y))


def fill(x: Any, value: Any) -> Any:
    """A tensor of the shape and dtype of x, filled with `value`.

    >>> fill([1, 2], 7).eval()
    array([7, 7], dtype=int8)
    """
    x, value = as_variable(x), as_variable(value)
    return apply(SECOND, x, value)


def tensor_copy(x: Any) -> Any:
    """A copy of x: the same values as another variable.

    >>> tensor_copy([1, 2]).eval()
    array([1, 2])
    """
    return apply(IDENTITY, as_variable(x))


def cast(x: Any, dtype: str) -> Any:
    """x in another dtype; "floatX" means `config.floatX`.

    Floats to integers truncate; what does not fit wraps or is NumPy's result on x86-64.  x itself if it has the dtype.

    >>> cast([1.5, -2.5], "int32").eval()
    array([ 1, -2], dtype=int32)
    """
    dtype = config.floatX if dtype == "floatX" else str(np.dtype(dtype))
    if dtype not in DTYPES:
        raise TypeError(f"cast: unsupported dtype {dtype!r}; supported: {', '.join(DTYPES)}")
    x = as_variable(x)
    return x if x.type.dtype == dtype else apply(CAST, x, dtype=dtype)


def _public(op: Op, text: str) -> Callable[[Any], Any]:
    """The public function of a real function of one variable."""

    def function(x: Any) -> Any:
        return apply(op, as_variable(x))

    function.__name__ = function.__qualname__ = op.name
    function.__doc__ = f"""{text}  Small integers are computed in float32, others in float64.

    >>> {op.print_name or op.name}(np.ones(3, "float32")).dtype, {op.print_name or op.name}(np.ones(3, "int64")).dtype
    ('float32', 'float64')
    """
    return function


exp: Unary = _public(EXP, "e ** x.")
exp2: Unary = _public(EXP2, "2 ** x.")
expm1: Unary = _public(EXPM1, "exp(x) - 1, accurate near 0.")
log: Unary = _public(LOG, "The natural logarithm.")
log2: Unary = _public(LOG2, "The logarithm to base 2.")
log10: Unary = _public(LOG10, "The logarithm to base 10.")
log1p: Unary = _public(LOG1P, "log(1 + x), accurate near 0.")
sin: Unary = _public(SIN, "The sine of x radians.")
cos: Unary = _public(COS, "The cosine of x radians.")
tan: Unary = _public(TAN, "The tangent of x radians.")
arcsin: Unary = _public(ARCSIN, "The inverse sine, in radians.")
arccos: Unary = _public(ARCCOS, "The inverse cosine, in radians.")
arctan: Unary = _public(ARCTAN, "The inverse tangent, in radians.")
sinh: Unary = _public(SINH, "The hyperbolic sine.")
cosh: Unary = _public(COSH, "The hyperbolic cosine.")
tanh: Unary = _public(TANH, "The hyperbolic tangent.")
arcsinh: Unary = _public(ARCSINH, "The inverse hyperbolic sine.")
arccosh: Unary = _public(ARCCOSH, "The inverse hyperbolic cosine.")
arctanh: Unary = _public(ARCTANH, "The inverse hyperbolic tangent.")
cbrt: Unary = _public(CBRT, "The cube root.")
sigmoid: Unary = _public(SIGMOID, "1 / (1 + exp(-x)).")
softplus: Unary = _public(SOFTPLUS, "log(1 + exp(x)), without overflow.")
erf: Unary = _public(ERF, "The error function.")
erfc: Unary = _public(ERFC, "1 - erf(x), accurate where that is small.")
gammaln: Unary = _public(GAMMALN, "The logarithm of the absolute value of the gamma function.")
psi: Unary = _public(DIGAMMA, "The derivative of gammaln (digamma).")


erfinv: Unary = _public(ERFINV, "The inverse of erf; nan beyond -1 and 1.")
erfcx: Unary = _public(ERFCX, "exp(x ** 2) * erfc(x).")
gamma: Unary = _public(GAMMA, "The gamma function.")
log1mexp: Unary = _public(LOG1MEXP, "log(1 - exp(x)) for x <= 0, accurate near 0.")
rsqrt: Unary = _public(RSQRT, "1 / sqrt(x).")


def nextafter(x: Any, y: Any) -> Any:
    """The float that follows x in the direction of y.

    >>> bool(nextafter(np.float64(0), 1.0).eval() == np.nextafter(0.0, 1.0))
    True
    """
    return apply(NEXTAFTER, as_variable(x), as_variable(y))


def ldexp(x: Any, n: Any) -> Any:
    """x * 2 ** n for whole n, exact where the result is a normal number and so is 2 ** n.

    >>> ldexp([1.0, 3.0], 4).eval()
    array([16., 48.])
    """
    x, n = as_variable(x), as_variable(n)
    half = floor(n * constant(0.5, dtype="float64"))
    dtype = float_of(x.type.dtype)
    return cast(x, dtype) * cast(exp2(half), dtype) * cast(exp2(n - half), dtype)


def arctan2(y: Any, x: Any) -> Any:
    """The angle of the point (x, y), in radians, in [-pi, pi].

    >>> arctan2([0.0, 1.0], [1.0, 0.0]).eval()
    array([0.        , 1.57079633])
    """
    return apply(ARCTAN2, as_variable(y), as_variable(x))


def deg2rad(x: Any) -> Any:
    """x degrees in radians.

    >>> deg2rad([0.0, 180.0]).eval()
    array([0.        , 3.14159265])
    """
    x = as_variable(x)
    return x * constant(math.pi / 180, dtype=float_of(x.type.dtype))


def rad2deg(x: Any) -> Any:
    """x radians in degrees.

    >>> rad2deg([0.0, np.pi]).eval()
    array([  0., 180.])
    """
    x = as_variable(x)
    return x * constant(180 / math.pi, dtype=float_of(x.type.dtype))


def round_half_to_even(x: Any) -> Any:
    """`round` with its default mode.

    >>> round_half_to_even([0.5, 1.5, -2.5]).eval()
    array([ 0.,  2., -2.])
    """
    return round(x)


def round_half_away_from_zero(x: Any) -> Any:
    """`round` with mode "half_away_from_zero".

    >>> round_half_away_from_zero([0.5, 1.5, -2.5]).eval()
    array([ 1.,  2., -3.])
    """
    return round(x, "half_away_from_zero")


def iround(x: Any, mode: str = "half_to_even") -> Any:
    """The nearest whole number as int64.

    >>> iround([0.4, 1.6]).eval()
    array([0, 2])
    """
    return cast(round(x, mode), "int64")


def ceil_intdiv(x: Any, y: Any) -> Any:
    """The ceiling of x / y for integers, in their common dtype.

    >>> ceil_intdiv(7, 2).eval()
    array(4, dtype=int8)
    """
    x, y = as_variable(x), as_variable(y)
    return int_div(x, y) + cast(neq(mod(x, y), 0), upcast_min8(x.type.dtype, y.type.dtype))
