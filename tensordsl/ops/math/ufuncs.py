"""NumPy's elementwise functions that Theano has not: extremes that skip nan, signs, remainders, parts of floats, bits.

Most are written with other rows; a row of its own has what these cannot say: the sign bit, the exponent, Euclid's loop.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tensordsl.graph.casting import float_of_all, upcast, upcast_min8
from tensordsl.graph.types import COMPLEX, DISCRETE, FLOATS, INTEGERS, SIGNED
from tensordsl.graph.variables import OpTypeError, apply
from tensordsl.ops.cotangents import ZERO
from tensordsl.ops.math.comparisons import and_, eq, gt, invert, isinf, isnan, lt, neq, or_, right_shift, xor
from tensordsl.ops.math.elementwise import abs_, as_real, cast, maximum, minimum, mod, switch, trunc
from tensordsl.ops.math.elementwise import pow as power
from tensordsl.ops.math.elementwise import round as rint
from tensordsl.ops.math.functions import exp2, ldexp, log1p, nextafter
from tensordsl.ops.operands import as_variable, constant, whole_number
from tensordsl.ops.rows import PIECEWISE, always_bool, float_loop, row


# -- rows ------------------------------------------------------------------------------------------------------------
def _copysign_gradient(g: Any, out: Any, x: Any, y: Any) -> Sequence[Any]:
    return switch(eq(signbit(x), signbit(y)), g, -g), ZERO


def _exponent(b: Any, x: Any) -> Any:
    is_plain = b.and_(b.lt(b.abs(x), math.inf), b.ne(x, 0.0))
    return b.cast(b.select(is_plain, b.add(b.exponent(b.select(is_plain, x, 1.0)), 1.0), 0.0), "int32")


def _numpy_exponent(x: Any) -> Any:
    return np.where(np.isfinite(x), np.frexp(np.where(np.isfinite(x), x, 0))[1], 0)


def _integers_alone(*dtypes: str) -> str:
    result = upcast_min8(*dtypes)
    if result not in INTEGERS:
        raise TypeError(f"wants integers that fit one dtype, got {', '.join(dtypes)}")
    return result


def _gcd_parts(b: Any, x: Any, y: Any) -> tuple[Any, Any, Any]:
    """The magnitudes of both, unsigned, and their greatest common divisor."""
    wide = "int64" if x.type in ("int64", "uint64") else "int32"
    unsigned = f"u{wide}"
    if x.type in SIGNED:
        x, y = (b.bitcast(b.abs(b.cast(v, wide)), unsigned) for v in (x, y))
    x, y = b.cast(x, unsigned), b.cast(y, unsigned)
    return x, y, b.repeat(f"gcd_{unsigned}", b.const(True, "bool"), x, y)


def _gcd(b: Any, x: Any, y: Any) -> Any:
    return b.cast(_gcd_parts(b, x, y)[2], x.type)


def _lcm(b: Any, x: Any, y: Any) -> Any:
    """Where it does not fit its dtype, what is left of it, as NumPy."""
    u, v, divisor = _gcd_parts(b, x, y)
    return b.cast(b.mul(b.floordiv(u, b.select(b.eq(divisor, 0), 1, divisor)), v), x.type)


SIGNBIT = row(
    "signbit",
    lambda b, x: b.lt(b.copysign(b.const(1.0, x.type), x), 0.0),
    np.signbit,
    None,
    always_bool,
    float_loop,
    no_gradient=PIECEWISE,
)
COPYSIGN = row("copysign", lambda b, x, y: b.copysign(x, y), np.copysign, _copysign_gradient, dtype=float_of_all)
# The k with x = m 2^k and 1/2 <= |m| < 1; 0 of zeros, infinities and nan.
EXPONENT = row(
    "exponent", _exponent, _numpy_exponent, None, lambda x: "int32", float_loop,
    no_gradient=PIECEWISE, domain=(0.1, 100),
)  # fmt: skip
GCD, LCM = (
    row(name, scalar, numpy, None, _integers_alone, no_gradient=PIECEWISE, commutative=True)
    for name, scalar, numpy in (("gcd", _gcd, np.gcd), ("lcm", _lcm, np.lcm))
)
ROWS = (SIGNBIT, COPYSIGN, EXPONENT, GCD, LCM)


# -- signs and extremes ----------------------------------------------------------------------------------------------
def signbit(x: Any) -> Any:
    """Whether the sign of x is minus, also of -0.0 and nan.

    >>> signbit([-1.0, -0.0, 0.0]).eval()
    array([ True,  True, False])
    """
    return apply(SIGNBIT, as_variable(x))


def copysign(x1: Any, x2: Any) -> Any:
    """x1 with the sign of x2, a float.

    >>> copysign([1.0, -2.0], -0.0).eval()
    array([-1., -2.])
    """
    return apply(COPYSIGN, as_variable(x1), as_variable(x2))


def positive(x: Any) -> Any:
    """+x: x itself, which must be a number, no bool.

    >>> positive([1, -2]).eval()
    array([ 1, -2])
    """
    x = as_variable(x)
    if x.type.dtype == "bool":
        raise OpTypeError("positive: not defined for bools; cast them to an integer")
    return x


def fabs(x: Any) -> Any:
    """The absolute value as a float.

    >>> fabs([1, -2]).eval()
    array([1., 2.])
    """
    (x,) = _reals("fabs", x)
    return abs_(x)


def _reals(what: str, *operands: Any) -> tuple[Any, ...]:
    """The operands as floats of one dtype each; complex numbers are refused."""
    variables = as_real(*operands)
    if any(v.type.dtype in COMPLEX for v in variables):
        raise OpTypeError(f"{what}: not defined for complex numbers, got {', '.join(str(v.type) for v in variables)}")
    return variables


def fmax(x1: Any, x2: Any) -> Any:
    """The larger of x1 and x2; of a number and nan the number.

    >>> fmax([1.0, np.nan, 5.0], [4.0, 2.0, np.nan]).eval()
    array([4., 2., 5.])
    """
    return _beside_nan(maximum, x1, x2)


def fmin(x1: Any, x2: Any) -> Any:
    """The smaller of x1 and x2; of a number and nan the number.

    >>> fmin([1.0, np.nan, 5.0], [4.0, 2.0, np.nan]).eval()
    array([1., 2., 5.])
    """
    return _beside_nan(minimum, x1, x2)


def _beside_nan(extreme: Callable[[Any, Any], Any], x: Any, y: Any) -> Any:
    x, y = as_variable(x), as_variable(y)
    result = extreme(x, y)
    if result.type.dtype in DISCRETE:
        return result
    x, y = cast(x, result.type.dtype), cast(y, result.type.dtype)
    return switch(isnan(x), y, switch(isnan(y), x, result))


def heaviside(x1: Any, x2: Any) -> Any:
    """0 where x1 < 0, x2 where it is 0, 1 where it is more.

    >>> heaviside([-1.0, 0.0, 2.0], 0.5).eval()
    array([0. , 0.5, 1. ])
    """
    x, y = as_variable(x1), as_variable(x2)
    dtype = float_of_all(x.type.dtype, y.type.dtype)
    if dtype in COMPLEX:
        raise OpTypeError("heaviside: not defined for complex numbers")
    x, y = cast(x, dtype), cast(y, dtype)
    zero, one = constant(0, dtype=dtype), constant(1, dtype=dtype)
    return switch(lt(x, 0), zero, switch(gt(x, 0), one, switch(eq(x, 0), y, x)))


# -- arithmetic ------------------------------------------------------------------------------------------------------
def float_power(x1: Any, x2: Any) -> Any:
    """x1 ** x2 in float64 (complex128 of complex numbers), also of integers.

    >>> float_power([1, 2, 3], -1).eval()
    array([1.        , 0.5       , 0.33333333])
    """
    x, y = as_variable(x1), as_variable(x2)
    dtype = upcast(x.type.dtype, y.type.dtype, "float64")
    return power(cast(x, dtype), cast(y, dtype))


def fmod(x1: Any, x2: Any) -> Any:
    """The remainder of x1 / x2 with the sign of x1, as C's; `mod` has that of x2.  0 for integers and x2 = 0.

    >>> fmod([7, -7], 3).eval()
    array([ 1, -1])
    """
    x, y = as_variable(x1), as_variable(x2)
    dtype = upcast_min8(x.type.dtype, y.type.dtype)
    if dtype in COMPLEX:
        raise OpTypeError("fmod: not defined for complex numbers")
    x, y = cast(x, dtype), cast(y, dtype)
    if dtype in FLOATS:
        return copysign(mod(abs_(x), abs_(y)), x)
    rest = mod(x, y)
    return switch(and_(neq(rest, 0), xor(lt(x, 0), lt(rest, 0))), rest - y, rest)


def modf(x: Any) -> tuple[Any, Any]:
    """(fraction, whole part) of x, both with its sign.

    >>> [part.eval().tolist() for part in modf([1.5, -2.25])]
    [[0.5, -0.25], [1.0, -2.0]]
    """
    (x,) = _reals("modf", x)
    whole = trunc(x)
    return copysign(switch(isinf(x), constant(0, dtype=x.type.dtype), x - whole), x), copysign(whole, x)


def hypot(x1: Any, x2: Any) -> Any:
    """sqrt(x1^2 + x2^2), without overflow; inf beside an infinity.

    >>> hypot([3.0, 1e300], [4.0, 1e300]).eval()
    array([5.00000000e+000, 1.41421356e+300])
    """
    from tensordsl.ops.math.complexes import complex

    x, y = _reals("hypot", x1, x2)
    dtype = float_of_all(x.type.dtype, y.type.dtype)
    return cast(abs_(complex(cast(x, dtype), cast(y, dtype))), dtype)


def logaddexp2(x1: Any, x2: Any) -> Any:
    """log2(2^x1 + 2^x2), without overflow.

    >>> logaddexp2([1000.0], 1000.0).eval()
    array([1001.])
    """
    x, y = _reals("logaddexp2", x1, x2)
    is_left = gt(x, y)
    high, low = switch(is_left, x, y), switch(is_left, y, x)
    is_same_infinity = and_(eq(low, high), isinf(high))
    gap = switch(is_same_infinity, constant(0, dtype=high.type.dtype), low - high)
    return high + log1p(exp2(gap)) * constant(1 / math.log(2), dtype=high.type.dtype)


def around(a: Any, decimals: int = 0) -> Any:
    """a rounded to `decimals` digits behind the point, half to even; before the point where that is negative.

    >>> around([1.25, -3.14159], 1).eval()
    array([ 1.2, -3.1])
    """
    x, n = as_variable(a), whole_number(decimals, "around", "the number of decimals")
    if abs(n) > 400:
        raise ValueError(f"around: the number of decimals must be -400 to 400, got {n}")
    if x.type.dtype in DISCRETE:
        if n >= 0:
            return x
        scale = 10.0**-n
        return cast(rint(cast(x, "float64") / scale) * scale, x.type.dtype)
    if x.type.dtype in COMPLEX:
        from tensordsl.ops.math.complexes import complex, imag, real

        return complex(around(real(x), n), around(imag(x), n))
    if n == 0:
        return rint(x)
    with np.errstate(over="ignore"):
        scale = constant(np.asarray(10.0 ** min(abs(n), 308)).astype(x.type.dtype))
    return rint(x * scale) / scale if n > 0 else rint(x / scale) * scale


def nan_to_num(x: Any, copy: bool = True, nan: Any = 0.0, posinf: Any = None, neginf: Any = None) -> Any:
    """x with `nan` in the place of nan and, by default, the extreme numbers of its dtype in that of infinities.

    copy: accepted as NumPy's; x itself never changes.

    >>> nan_to_num([np.nan, np.inf, 1.0], posinf=9.0).eval()
    array([0., 9., 1.])
    """
    x = as_variable(x)
    dtype = x.type.dtype
    if dtype in DISCRETE:
        return x
    if dtype in COMPLEX:
        from tensordsl.ops.math.complexes import complex, imag, real

        return complex(*(nan_to_num(part(x), copy, nan, posinf, neginf) for part in (real, imag)))
    most = float(np.finfo(dtype).max)
    low, high = (-most if neginf is None else neginf), (most if posinf is None else posinf)
    low, high, none = (cast(as_variable(v), dtype) for v in (low, high, nan))
    return switch(isnan(x), none, switch(eq(x, np.inf), high, switch(eq(x, -np.inf), low, x)))


def gcd(x1: Any, x2: Any) -> Any:
    """The greatest common divisor of integers, not negative.

    >>> gcd([12, -18], 8).eval()
    array([4, 2])
    """
    return apply(GCD, as_variable(x1), as_variable(x2))


def lcm(x1: Any, x2: Any) -> Any:
    """The least common multiple of integers, not negative; 0 if one is 0.

    >>> lcm([4, 0], 6).eval()
    array([12,  0])
    """
    return apply(LCM, as_variable(x1), as_variable(x2))


# -- parts of floats, bits -------------------------------------------------------------------------------------------
def frexp(x: Any) -> tuple[Any, Any]:
    """(m, k), where x = m 2^k and 1/2 <= |m| < 1; k is int32, and 0 for zeros, infinities and nan.

    >>> [part.eval().tolist() for part in frexp([8.0, -0.3])]
    [[0.5, -0.6], [4, -1]]
    """
    (x,) = _reals("frexp", x)
    exponent = apply(EXPONENT, x)
    return ldexp(x, -exponent), exponent


def spacing(x: Any) -> Any:
    """The distance of x to the next float away from 0, with the sign of x; positive at zeros, nan at infinities.

    >>> spacing(1.0).eval() == np.spacing(np.float32(1))
    np.True_
    """
    (x,) = _reals("spacing", x)
    start = switch(eq(x, 0), abs_(x), x)
    outwards = copysign(constant(np.asarray(np.inf, x.type.dtype)), start)
    return nextafter(start, outwards) - start


def bitwise_count(x: Any) -> Any:
    """How many bits of |x| are 1: uint8.

    >>> bitwise_count([7, -8]).eval()
    array([3, 1], dtype=uint8)
    """
    x = as_variable(x)
    if x.type.dtype not in DISCRETE:
        raise OpTypeError(f"bitwise_count: wants integers, got {x.type}")
    n = cast(x, "uint64")
    if x.type.dtype in SIGNED:
        n = switch(lt(x, 0), constant(0, dtype="uint64") - n, n)

    def word(value: int) -> Any:
        return constant(value, dtype="uint64")

    # Counts of pairs, of fours, of bytes; the product adds the bytes up in the highest one.
    n = n - and_(right_shift(n, 1), word(0x5555555555555555))
    n = and_(n, word(0x3333333333333333)) + and_(right_shift(n, 2), word(0x3333333333333333))
    n = and_(n + right_shift(n, 4), word(0x0F0F0F0F0F0F0F0F))
    return cast(right_shift(n * word(0x0101010101010101), 56), "uint8")


# -- logic -----------------------------------------------------------------------------------------------------------
def _truth(x: Any) -> Any:
    x = as_variable(x)
    return x if x.type.dtype == "bool" else neq(x, 0)


def logical_and(x1: Any, x2: Any) -> Any:
    """Whether both are not 0.

    >>> logical_and([2, 0], 1).eval()
    array([ True, False])
    """
    return and_(_truth(x1), _truth(x2))


def logical_or(x1: Any, x2: Any) -> Any:
    """Whether one is not 0.

    >>> logical_or([2, 0], 0).eval()
    array([ True, False])
    """
    return or_(_truth(x1), _truth(x2))


def logical_xor(x1: Any, x2: Any) -> Any:
    """Whether just one is not 0.

    >>> logical_xor([2, 0], 1).eval()
    array([False,  True])
    """
    return xor(_truth(x1), _truth(x2))


def logical_not(x: Any) -> Any:
    """Whether x is 0.

    >>> logical_not([2, 0]).eval()
    array([False,  True])
    """
    return invert(_truth(x))


def isreal(x: Any) -> Any:
    """Whether the imaginary part is 0.

    >>> isreal([1 + 0j, 2j]).eval()
    array([ True, False])
    """
    from tensordsl.ops.math.complexes import imag
    from tensordsl.ops.math.elementwise import second

    x = as_variable(x)
    return eq(imag(x), 0) if x.type.dtype in COMPLEX else second(x, constant(True))


def iscomplex(x: Any) -> Any:
    """Whether the imaginary part is not 0.

    >>> iscomplex([1 + 0j, 2j]).eval()
    array([False,  True])
    """
    return invert(isreal(x))
