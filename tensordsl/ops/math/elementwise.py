"""One scalar computation at every point of the broadcast operands: arithmetic, rounding, choices, copies.

Each op is a row and, below the rows, one public function of its name.  Integers wrap, `x // 0 == 0`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tensordsl.base.config import config
from tensordsl.graph.casting import float_of, float_of_all, real_of, true_div_dtype, upcast, upcast_min8
from tensordsl.graph.types import ALL_DTYPES, COMPLEX, CONTINUOUS, DISCRETE
from tensordsl.graph.variables import Constant, Elementwise, Op, apply
from tensordsl.ops.cotangents import ZERO, where
from tensordsl.ops.math.comparisons import and_, eq, ge, gt, le, lt, neq
from tensordsl.ops.math.scalars import clipped, numpy_clipped, numpy_power, power
from tensordsl.ops.operands import as_variable, broadcast, named_dtype
from tensordsl.ops.rows import PIECEWISE, arithmetic, like, row


def _chosen(condition: str, x: str, y: str) -> str:
    return upcast(x, y)


def _by_bits(logical: str, other: str) -> Callable[..., Any]:
    """A scalar that is `logical` on bools, where NumPy's + and * are `or` and `and`."""
    return lambda b, x, y: b.apply(logical if x.type == "bool" else other, x, y)


# -- gradients of more than one line ---------------------------------------------------------------------------------
def _division_gradient(g: Any, out: Any, x: Any, y: Any) -> Sequence[Any]:
    """Without y * y, which overflows and underflows where the quotient does not."""
    gx = g / y
    return gx, -(gx * out)


def _power_gradient(g: Any, out: Any, x: Any, y: Any) -> Sequence[Any]:
    gx = (g * y) * x ** (y - 1)
    if not isinstance(y, Constant) or not y.data.all():
        gx = switch(eq(y, 0), like(0, g), gx)  # x ** 0 is 1 also at 0, where 0 * 0 ** -1 would be nan
    if isinstance(y, Constant) and y.type.dtype in DISCRETE:
        return gx, None
    from tensordsl.ops.math.functions import log

    # d/dy 0 ** y is 0 for y > 0; log(0) would make it nan.
    return gx, switch(eq(x, 0), like(0, g), g * log(x) * out)


def _cast_gradient(g: Any, out: Any, x: Any, dtype: str) -> Sequence[Any]:
    if dtype in DISCRETE:
        return (second(x, like(0, g)),)
    if dtype in COMPLEX and x.type.dtype not in COMPLEX:
        from tensordsl.ops.math.complexes import real

        g = real(g)
    return (cast(g, x.type.dtype) if x.type.dtype in CONTINUOUS else g,)


def _sgn_gradient(g: Any, out: Any, x: Any) -> Sequence[Any]:
    """Nothing of real numbers; of z / |z| what turns it: is Im(conj(s) g) / |z| for s = z / |z|."""
    if x.type.dtype not in COMPLEX:
        return (second(x, like(0, g)),)
    from tensordsl.ops.math.complexes import complex, conj, imag

    turn = imag(conj(out) * g) / abs_(x)
    return (out * complex(like(0, turn), turn),)


def _clip_gradient(g: Any, out: Any, x: Any, low: Any, high: Any) -> Sequence[Any]:
    reaches = ge(x, low)
    return where(and_(reaches, le(x, high)), g), where(lt(x, low), g), where(and_(reaches, gt(x, high)), g)


def _choice(g: Any, out: Any, x: Any, y: Any) -> Sequence[Any]:
    """The gradient of maximum and minimum: to the operand that was chosen, of equal ones the first (as Theano)."""
    return where(eq(out, x), g), where(neq(out, x), g)


# -- rows: arithmetic ------------------------------------------------------------------------------------------------
ADD = row("add", _by_bits("or", "add"), np.add, lambda g, out, x, y: (g, g), commutative=True, symbol="+")
SUB = row("sub", lambda b, x, y: b.sub(x, y), np.subtract, lambda g, out, x, y: (g, -g), dtype=arithmetic, symbol="-")
MUL = row("mul", _by_bits("and", "mul"), np.multiply, lambda g, out, x, y: (g * y, g * x), commutative=True, symbol="*")
TRUE_DIV = row(
    "true_div", lambda b, x, y: b.div(x, y), np.true_divide, _division_gradient, dtype=true_div_dtype, symbol="/",
)  # fmt: skip
INT_DIV = row(
    "int_div", lambda b, x, y: b.floordiv(x, y), np.floor_divide, dtype=upcast_min8, no_gradient=PIECEWISE, symbol="//"
)
MOD = row(
    "mod",
    lambda b, x, y: b.mod(x, y),
    np.mod,
    lambda g, out, x, y: (g, -g * int_div(x, y)),
    dtype=upcast_min8,
    symbol="%",
)
POW = row("pow", power, numpy_power, _power_gradient, dtype=upcast_min8, ulp=4, domain=(0.1, 4), symbol="**")
NEG = row("neg", lambda b, x: b.neg(x), np.negative, lambda g, out, x: (-g,), dtype=arithmetic, symbol="-")
ABS = row(
    "abs",
    lambda b, x: x if x.type == "bool" else b.abs(x),
    np.abs,
    lambda g, out, x: (g * sgn(x),),
    dtype=real_of,
    loop=lambda x: (x,),
    print_name="abs_",
)
SGN = row("sgn", lambda b, x: b.sign(x), np.sign, _sgn_gradient, dtype=arithmetic)
SQR = row("sqr", lambda b, x: _by_bits("and", "mul")(b, x, x), lambda x: x * x, lambda g, out, x: (g * x * 2,))
SQRT = row(
    "sqrt", lambda b, x: b.sqrt(x), np.sqrt, lambda g, out, x: (g * 0.5 / out,), dtype=float_of, domain=(0.1, 100)
)
RECIPROCAL = row(
    "reciprocal", lambda b, x: b.div(1.0, x), lambda x: 1 / x, lambda g, out, x: (-g * sqr(out),), dtype=float_of,
    domain=(0.1, 10), print_name="inv",
)  # fmt: skip
FLOOR = row("floor", lambda b, x: b.floor(x), np.floor, dtype=float_of, no_gradient=PIECEWISE)
CEIL = row("ceil", lambda b, x: b.ceil(x), np.ceil, dtype=float_of, no_gradient=PIECEWISE)
TRUNC = row("trunc", lambda b, x: b.trunc(x), np.trunc, dtype=float_of, no_gradient=PIECEWISE)
ROUND = row("round", lambda b, x: b.rint(x), np.rint, dtype=float_of, no_gradient=PIECEWISE)

# -- rows: choices and copies ----------------------------------------------------------------------------------------
MAXIMUM = row(
    "maximum",
    lambda b, x, y: b.apply("or" if x.type == "bool" else "maximum", x, y),
    np.maximum,
    _choice,
    commutative=True,
)
MINIMUM = row(
    "minimum",
    lambda b, x, y: b.apply("and" if x.type == "bool" else "minimum", x, y),
    np.minimum,
    _choice,
    commutative=True,
)
SWITCH = row(
    "switch", lambda b, c, x, y: b.select(c, x, y), np.where,
    lambda g, out, c, x, y: (ZERO, where(c, g), where(c, g, False)),
    dtype=_chosen, loop=lambda c, x, y: ("bool", upcast(x, y), upcast(x, y)),
)  # fmt: skip
CLIP = row(
    "clip", clipped, numpy_clipped, _clip_gradient, dtype=upcast_min8,
)  # fmt: skip
SECOND = row(
    "second", lambda b, x, y: y, lambda x, y: np.broadcast_to(y, np.broadcast_shapes(x.shape, y.shape)),
    lambda g, out, x, y: (None, g), dtype=lambda x, y: y, loop=lambda x, y: (x, y), print_name="fill",
)  # fmt: skip
IDENTITY = row("identity", lambda b, x: x, np.array, lambda g, out, x: (g,), print_name="tensor_copy")
CAST = Op(
    "cast", lambda x, dtype: dtype, broadcast, lambda x, dtype: _numpy_cast(x, dtype),
    Elementwise(lambda b, x, dtype: b.cast(x, dtype), lambda x: (x,)), _cast_gradient,
)  # fmt: skip

ROWS = (
    ADD, SUB, MUL, TRUE_DIV, INT_DIV, MOD, POW, NEG, ABS, SGN, SQR, SQRT, RECIPROCAL, FLOOR, CEIL, TRUNC, ROUND,
    MAXIMUM, MINIMUM, SWITCH, CLIP, SECOND, IDENTITY, CAST,
)  # fmt: skip


def _numpy_cast(x: Any, dtype: str) -> Any:
    with np.errstate(all="ignore"):
        return np.asarray(x).astype(dtype)


# -- public functions ------------------------------------------------------------------------------------------------
def add(x: Any, *more: Any) -> Any:
    """x + y (+ ...); `or` on bools.  Of one operand: itself.

    >>> add([1, 2], [10, 20], 100).eval()
    array([111, 122])
    >>> add(*[[1, 2]]).eval()
    array([1, 2])
    """
    result = as_variable(x)
    for y in more:
        result = apply(ADD, result, as_variable(y))
    return result


def mul(x: Any, *more: Any) -> Any:
    """x * y (* ...); `and` on bools.  Of one operand: itself.

    >>> mul([1, 2], [10, 20]).eval()
    array([10, 40])
    """
    result = as_variable(x)
    for y in more:
        result = apply(MUL, result, as_variable(y))
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


def sgn(a: Any) -> Any:
    """-1, 0 or 1 with the sign of a.

    >>> sgn([-2.5, 0.0, 4.0]).eval()
    array([-1.,  0.,  1.])
    """
    return apply(SGN, as_variable(a))


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


def round(a: Any, mode: str = "half_to_even") -> Any:
    """The nearest whole number, as a float.  mode: "half_to_even" or "half_away_from_zero".

    >>> round([0.5, 1.5, 2.6]).eval()
    array([0., 2., 3.])
    """
    x = as_variable(a)
    if mode == "half_to_even":
        return apply(ROUND, x)
    if mode == "half_away_from_zero":
        # Adding 0.5 would round up the largest number below 0.5: compare the exact fraction instead.
        whole = trunc(x)
        return switch(ge(abs_(x - whole), 0.5), whole + sgn(x), whole)
    raise ValueError(f"round: unknown mode {mode!r}; use 'half_to_even' or 'half_away_from_zero'")


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


def switch(cond: Any, ift: Any, iff: Any) -> Any:
    """ift where cond is not 0, else iff; both are computed (see `ifelse` for one of two).

    >>> switch([True, False], [1, 2], 0).eval()
    array([1, 0])
    """
    return apply(SWITCH, as_variable(cond), as_variable(ift), as_variable(iff))


def clip(x: Any, min: Any, max: Any) -> Any:
    """x limited to [min, max]; where min > max: min for x < min, else max.

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
    if type(dtype) is not str or dtype not in ALL_DTYPES:
        if dtype is None:
            raise TypeError("cast: wants a dtype, got None")
        dtype = named_dtype(dtype, "cast")
    x = as_variable(x)
    return x if x.type.dtype == dtype else apply(CAST, x, dtype=dtype)


def as_real(*operands: Any) -> tuple[Any, ...]:
    """The operands as variables, integers and bools among them cast to the float of their common dtype.

    What is subtracted, negated or squared on the way to a float may not wrap.
    """
    variables = tuple(as_variable(v) for v in operands)
    dtype = float_of_all(*(v.type.dtype for v in variables))
    return tuple(cast(v, dtype) if v.type.dtype in DISCRETE else v for v in variables)


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


def iround(a: Any, mode: str = "half_to_even") -> Any:
    """The nearest whole number as int64.

    >>> iround([0.4, 1.6]).eval()
    array([0, 2])
    """
    return cast(round(a, mode), "int64")


def ceil_intdiv(a: Any, b: Any) -> Any:
    """The ceiling of a / b for integers, in their common dtype.

    >>> ceil_intdiv(7, 2).eval()
    array(4, dtype=int8)
    """
    x, y = as_variable(a), as_variable(b)
    return int_div(x, y) + cast(neq(mod(x, y), 0), upcast_min8(x.type.dtype, y.type.dtype))
