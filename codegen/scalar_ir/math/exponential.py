"""exp, exp2, expm1, sinh, cosh, tanh, sigmoid, softplus, log1mexp.

Method     x = n ln2 + r with |r| <= ln2 / 2;  exp(r) = 1 + r + r^2 EXP(r), r as head and tail.
Why        n is rounded in the low bits of a magic number, so that no conversion instruction is needed.
Ref        P. Tang, "Table-driven implementation of the exponential function", 1989, for the reduction.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tensordsl.codegen.scalar_ir.builder import Builder, Val
from tensordsl.codegen.scalar_ir.math.coefficients import (
    COSH,
    EXP,
    EXPM1,
    LN2,
    LN2_FULL,
    LOG2E,
    SINH,
    TANH_OFFSET,
    TANH_PIECES,
)
from tensordsl.codegen.scalar_ir.math.floating_point import (
    FORMATS,
    add_to_exponent,
    by_pieces,
    clamp,
    fast_two_sum,
    horner,
    polynomial,
    round_by_magic,
    round_to_multiple,
    two_product,
)
from tensordsl.codegen.scalar_ir.math.function import FALLING, RISING, Function, ulps
from tensordsl.codegen.scalar_ir.math.logarithm import log1p_up_to_1, log_of_two
from tensordsl.ops.math.scalars import numpy_log1mexp, numpy_sigmoid, numpy_softplus

# Beyond these arguments exp is 0 or infinite; between them n stays within what `scale` takes.
EXP_LIMITS = {"float64": (-746.0, 710.0), "float32": (-105.0, 89.5)}
EXP2_LIMITS = {"float64": (-1076.0, 1025.0), "float32": (-151.0, 129.0)}
# Below these |x| expm1(x) and sinh(x) are x.
MAX_LINEAR_ARGUMENT = {"float64": 2.0**-54, "float32": 2.0**-25}
# Beyond these |x| expm1(-|x|) is -1.
SATURATED_ARGUMENT = {"float64": 40.0, "float32": 18.0}


def exp_remainder(b: Builder, r: Val, tail: Val) -> Val:
    """exp(r + tail) - 1 - r."""
    s = b.add(r, tail)
    return b.fma(polynomial(b, s, EXP[r.type]), b.mul(s, s), tail)


def reduce_by_ln2(b: Builder, x: Val) -> tuple[Val, Val, Val]:
    """(r, tail, n): x = n ln2 + r + tail, n a float."""
    n = round_to_multiple(b, x, LOG2E[x.type][0])
    high, low = LN2[x.type]
    return b.fma(n, -high, x), b.mul(n, -low), n


def exp_parts(b: Builder, x: Val, low: Val | None = None) -> tuple[Val, Val, Val]:
    """(head, tail, n): exp(x + low) = (head + tail) 2^n for |low| much less than |x|, head in [0.6, 1.5]."""
    r, tail, n = reduce_by_ln2(b, x)
    if low is not None:
        tail = b.add(tail, low)
    head, error = fast_two_sum(b, b.const(1.0, r.type), r)
    return head, b.add(error, exp_remainder(b, r, tail)), n


def exp_of_sum(b: Builder, x: Val, low: Val) -> Val:
    """exp(x + low) for x within EXP_LIMITS, |low| < 0.1."""
    n = round_to_multiple(b, b.add(x, low), LOG2E[x.type][0])
    return b.ldexp(_exp_of_rest(b, x, low, n), n)


def moderate_exp_of_sum(b: Builder, x: Val, low: Val) -> Val:
    """The same where neither the result nor 2^n is subnormal or overflows."""
    n, bits = round_by_magic(b, b.add(x, low), LOG2E[x.type][0])
    return add_to_exponent(b, _exp_of_rest(b, x, low, n), bits)


def _exp_of_rest(b: Builder, x: Val, low: Val, n: Val) -> Val:
    """exp(x + low) / 2^n"""
    ln2, rest = LN2[x.type]
    r = b.fma(n, -ln2, x)
    return b.add(b.add(r, exp_remainder(b, r, b.fma(n, -rest, low))), 1.0)


def exp(b: Builder, x: Val) -> Val:
    r, tail, n = reduce_by_ln2(b, clamp(b, x, *EXP_LIMITS[x.type]))
    # The last two sums err by a quarter and a half of an ulp.
    return b.ldexp(b.add(b.add(r, exp_remainder(b, r, tail)), 1.0), n)


def _exp_of_negative(b: Builder, x: Val) -> Val:
    """exp(x) of x <= 0, to 1.2 ulp or so."""
    lowest = EXP_LIMITS[x.type][0]
    x = b.select(b.lt(x, lowest), lowest, x)
    n = round_to_multiple(b, x, LOG2E[x.type][0])
    high, low = LN2[x.type]
    r = b.fma(n, -low, b.fma(n, -high, x))
    return b.ldexp(b.add(b.fma(b.mul(r, r), polynomial(b, r, EXP[x.type]), r), 1.0), n)


def exp2(b: Builder, x: Val) -> Val:
    x = clamp(b, x, *EXP2_LIMITS[x.type])
    n = b.rint(x)
    f = b.sub(x, n)  # exact
    high, low = LN2_FULL[x.type]
    r, error = two_product(b, f, b.const(high, x.type))
    tail = b.fma(f, low, error)
    return b.ldexp(b.add(b.add(r, exp_remainder(b, r, tail)), 1.0), n)


def expm1(b: Builder, x: Val) -> Val:
    t = x.type
    high = {"float64": 709.8, "float32": 88.8}[t]  # there the result overflows
    c = clamp(b, x, -SATURATED_ARGUMENT[t] - 5.0, high)
    n, bits = round_by_magic(b, c, LOG2E[t][0])
    ln2, low = LN2[t]
    r, tail = fast_two_sum(b, b.fma(n, -ln2, c), b.mul(n, -low))
    # exp(r + tail) - 1 - r; at float64 an error of r^2/2 would show too much where 2^n is 2.
    square = b.mul(r, r)
    if t == "float64":
        rest = b.fma(r, b.mul(r, 0.5), b.fma(b.mul(square, r), polynomial(b, r, EXPM1[t]), tail))
    else:
        rest = b.fma(square, polynomial(b, r, (0.5, *EXPM1[t])), tail)
    # Half of everything, doubled at the end: 2^n itself may overflow.
    f = FORMATS[t]
    s = b.bitcast(b.add(b.shl(bits, f.mantissa), (f.bias - 1) << f.mantissa), t)
    base, lost = fast_two_sum(b, s, b.const(-0.5, t))
    y = b.fma(s, r, base)
    error = b.fma(s, r, b.sub(base, y))
    result = b.mul(b.add(y, b.fma(s, rest, b.add(error, lost))), 2.0)
    return b.select(b.lt(b.abs(x), MAX_LINEAR_ARGUMENT[t]), x, result)


def tanh(b: Builder, x: Val) -> Val:
    """float64: u / (1 + u), u = (exp(2 |x|) - 1)/2, as h - h h' with h = min(u, 1), h' = h / (1 + u): the roundings of
    divisor and quotient count half or less.  float32: by eight pieces, between powers of 2 of x^2 + TANH_OFFSET."""
    t, a = x.type, b.abs(x)
    limit = {"float64": 21.0, "float32": 9.05}[t]  # there it is 1
    c = b.select(b.gt(a, limit), limit, a)
    if t == "float64":
        u = _half_expm1_of_double(b, c)
        h = b.select(b.gt(u, 1.0), 1.0, u)
        return b.copysign(b.fma(b.neg(h), b.div(h, b.add(u, 1.0)), h), x)
    place = b.fma(a, a, TANH_OFFSET[t][0])
    place = b.select(b.gt(place, 63.0), 63.0, place)  # in the last piece
    index = b.shr(b.bitcast(place, "int32"), 23)
    return b.copysign(by_pieces(b, c, index, b.ge(place, 0.5), TANH_PIECES[t], horner), x)


def _half_expm1_of_double(b: Builder, x: Val) -> Val:
    """(exp(2 x) - 1)/2 of float64 x in [0, 22], to 1.2 ulp or so: 2^n/2 - 1/2 + 2^n/2 (exp(r) - 1) of 2 x = n ln2 + r,
    the greatest terms first."""
    t, f = x.type, FORMATS[x.type]
    n, bits = round_by_magic(b, x, 2 * LOG2E[t][0])
    high, low = LN2[t]
    head, tail = b.fma(n, -high, b.add(x, x)), b.mul(n, -low)
    half_power = b.bitcast(b.add(b.shl(bits, f.mantissa), (f.bias - 1) << f.mantissa), t)
    return b.fma(half_power, exp_remainder(b, head, tail), b.fma(half_power, head, b.sub(half_power, 0.5)))


def sinh(b: Builder, x: Val) -> Val:
    """(2^n - 2^-n)/2 cosh(r) + (2^n + 2^-n)/2 sinh(r) of |x| = n ln2 + r, which is sinh(r) where n is 0: r is in
    [-0.21, 0.49] or, where 2^n/2 would overflow with the next n, beyond."""
    t, f, a = x.type, FORMATS[x.type], b.abs(x)
    limit, last = EXP_LIMITS[t][1] + 1.0, f.magic + f.bias + 1
    c = b.select(b.gt(a, limit), limit, a)
    shifted = b.add(b.fma(c, LOG2E[t][0], -0.2), f.magic)
    shifted = b.select(b.gt(shifted, last), last, shifted)
    n = b.sub(shifted, f.magic)
    high, low = LN2[t]
    r = b.fma(n, -low, b.fma(n, -high, c))
    half = (f.bias - 1) << f.mantissa
    up = b.add(b.shl(b.bitcast(shifted, f.integer), f.mantissa), half)
    down = b.sub(2 * half, up)
    down = b.bitcast(b.select(b.lt(down, 0), 0, down), t)
    up, z = b.bitcast(up, t), b.mul(r, r)
    base = b.sub(up, down)
    sinh_r = b.fma(b.mul(r, z), polynomial(b, z, SINH[t]), r)
    rest = b.fma(b.add(up, down), sinh_r, b.mul(base, b.mul(z, polynomial(b, z, COSH[t]))))
    return b.copysign(b.add(base, rest), x)


def cosh(b: Builder, x: Val) -> Val:
    """E + 1/(4 E) with E = exp(|x|)/2, halved before it overflows."""
    limit, a = EXP_LIMITS[x.type][1] + 1.0, b.abs(x)
    r, tail, n = reduce_by_ln2(b, b.select(b.gt(a, limit), limit, a))
    head, error = fast_two_sum(b, b.const(1.0, x.type), r)
    e = b.ldexp(b.add(head, b.add(error, exp_remainder(b, r, tail))), b.sub(n, 1.0))
    return b.add(e, b.div(0.25, e))


def sigmoid(b: Builder, x: Val) -> Val:
    """1 / (1 + exp(-x)): with E = exp(-|x|) and t = E / (1 + E), 1 - t or, for x < 0, E - E t, where neither the
    divisor's rounding nor the quotient's counts where E is small."""
    e = _exp_of_negative(b, b.neg(b.abs(x)))
    t = b.div(e, b.add(e, 1.0))
    first = b.select(b.lt(x, 0.0), e, 1.0)
    return b.fma(b.neg(first), t, first)


def softplus(b: Builder, x: Val) -> Val:
    """log(1 + exp(x)) = max(x, 0) + log(1 + E), E = exp(-|x|)"""
    e = _exp_of_negative(b, b.neg(b.abs(x)))
    return b.add(b.select(b.lt(x, 0.0), 0.0, x), log1p_up_to_1(b, e))


def log1mexp(b: Builder, x: Val) -> Val:
    """log(1 - exp(x)): of -expm1(x) for x > -ln 2, else of 1 - exp(x) with its error; nan for x > 0."""
    near = b.gt(x, -0.6931471805599453)
    e = exp(b, x)
    u = b.sub(1.0, e)
    error = b.sub(b.sub(1.0, u), e)
    return log_of_two(b, b.select(near, b.sub(0.0, expm1(b, x)), u), b.select(near, 0.0, error))


def _exact_log1mexp(mp: Any, x: float) -> Any:
    if x > 0:
        return mp.nan
    return mp.log(-mp.expm1(x)) if x > -1 else mp.log1p(-mp.exp(x))


FUNCTIONS = (
    Function("exp", exp, ulps(1), np.exp, ((-1, 1), (-750, 712)), monotonic=RISING),
    Function("exp2", exp2, ulps(1), np.exp2, ((-1, 1), (-1080, 1026)), monotonic=RISING),
    Function("expm1", expm1, ulps(1), np.expm1, ((-1, 1), (-50, 712)), monotonic=RISING),
    Function("sinh", sinh, ulps(2), np.sinh, ((-2, 2), (-720, 720)), monotonic=RISING),
    Function("cosh", cosh, ulps(1.5), np.cosh, ((-2, 2), (-720, 720))),
    Function("tanh", tanh, ulps(2), np.tanh, ((-1, 1), (0.17, 0.35), (-25, 25)), monotonic=RISING),
    Function("sigmoid", sigmoid, ulps(2), numpy_sigmoid, ((-5, 5), (-750, 40)), monotonic=RISING, steps_back=1),
    Function("softplus", softplus, ulps(2), numpy_softplus, ((-5, 5), (-750, 40)), monotonic=RISING, steps_back=2),
    Function(
        "log1mexp", log1mexp, ulps(2), numpy_log1mexp, ((-1, 0), (-800, 0)), _exact_log1mexp, monotonic=FALLING
    ),
)  # fmt: skip
