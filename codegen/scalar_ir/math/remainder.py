"""Remainders and rounded quotients as scalar DAGs: the steps of fmod, and what Python's // and % make of its result.

Used by    the emitters of division, which write the loop around `fmod_step`.
Ref        T. Granlund and P. Montgomery, "Division by invariant integers using multiplication", 1994 (`quotient_by`).
"""

from __future__ import annotations

from tensordsl.codegen.scalar_ir.builder import Builder, Val
from tensordsl.codegen.scalar_ir.math.floating_point import FORMATS


def fmod_start(b: Builder, x: Val, y: Val) -> tuple[tuple[Val, Val], Val]:
    """((|x|, |y|), are both finite and y not 0); where they are not, numbers with which a loop of `fmod_step` ends."""
    a, d = b.abs(x), b.abs(y)
    inf = b.const(float("inf"), x.type)
    valid = b.and_(b.lt(a, inf), b.and_(b.gt(d, 0.0), b.lt(d, inf)))
    return (b.select(valid, a, 0.0), b.select(valid, d, 1.0)), valid


def fmod_step(b: Builder, r: Val, d: Val) -> tuple[Val, Val]:
    """The rest after one step, and whether it is still >= d.

    trunc(r / unit) may be one too large, never too small; it is below 2^52 (2^23), so that the fma is exact.
    """
    f = FORMATS[r.type]
    bits, mantissa, bias = f.integer, f.mantissa, f.bias

    def exponent(v: Val) -> Val:
        e = b.shr(b.bitcast(v, bits), mantissa)
        scaled = b.shr(b.bitcast(b.mul(v, 2.0**mantissa), bits), mantissa)
        return b.select(b.eq(e, 0), b.sub(scaled, mantissa), e)  # of a subnormal number

    k = b.maximum(b.sub(b.sub(exponent(r), exponent(d)), mantissa - 1), 0)
    half = b.shr(k, 1)
    s1, s2 = (b.bitcast(b.shl(b.add(h, bias), mantissa), r.type) for h in (half, b.sub(k, half)))
    unit = b.mul(b.mul(d, s1), s2)  # d 2^k, in two factors since 2^k may overflow
    rest = b.fma(b.neg(b.trunc(b.div(r, unit))), unit, r)
    rest = b.select(b.lt(rest, 0.0), b.add(rest, unit), rest)
    return rest, b.ge(rest, d)


def fmod_special(b: Builder, x: Val, y: Val) -> Val:
    """x where y is infinite and x finite; else nan (x infinite, y zero, a nan)."""
    inf = b.const(float("inf"), x.type)
    keep = b.and_(b.lt(b.abs(x), inf), b.eq(b.abs(y), inf))
    return b.select(keep, x, float("nan"))


def floor_from_truncated(b: Builder, q: Val, x: Val, d: Val) -> Val:
    """The quotient x / d rounded down, from q rounded to zero."""
    rest = b.sub(x, b.mul(q, d))
    wrong = b.and_(b.ne(rest, 0), b.lt(b.xor(rest, d), 0))
    return b.select(wrong, b.sub(q, 1), q)


def quotient_by(b: Builder, x: Val, d: int) -> Val:
    """x // d of uint64 below 2^63, for a constant d that is no power of two: the high half of a product with
    m = 2^(63 + bits) / d, rounded up, and a shift, where d < 2^bits (Granlund and Montgomery, 1994).  m d exceeds
    2^(63 + bits) by at most d, which adds less than 1 / d to the quotient."""
    bits, low = d.bit_length(), (1 << 32) - 1
    m = (1 << (63 + bits)) // d + 1
    x_low, x_high = b.and_(x, low), b.shr(x, 32)
    middle = b.add(b.mul(x_high, m & low), b.shr(b.mul(x_low, m & low), 32))
    other = b.add(b.mul(x_low, m >> 32), b.and_(middle, low))
    high = b.add(b.add(b.mul(x_high, m >> 32), b.shr(middle, 32)), b.shr(other, 32))
    return b.shr(high, bits - 1)


def rest(b: Builder, x: Val, y: Val, q: Val) -> Val:
    """x - q y of integers; 0 for y == 0."""
    return b.select(b.eq(y, 0), 0, b.sub(x, b.mul(q, y)))


def floor_remainder(b: Builder, x: Val, y: Val, r: Val) -> Val:
    """Python's x % y from r = fmod(x, y): the sign of y, also of a zero."""
    other = b.lt(b.mul(b.copysign(b.const(1.0, x.type), r), y), 0.0)
    result = b.select(b.ne(r, 0.0), b.select(other, b.add(r, y), r), b.copysign(r, y))
    return b.select(b.eq(y, 0.0), r, result)


def floor_quotient(b: Builder, x: Val, y: Val, r: Val) -> Val:
    """NumPy's x // y from r = fmod(x, y): the exact quotient is about an integer, to which it is rounded."""
    ratio = b.div(x, y)
    other = b.and_(b.ne(r, 0.0), b.lt(b.mul(b.copysign(b.const(1.0, x.type), r), y), 0.0))
    q = b.div(b.sub(x, r), y)
    q = b.select(other, b.sub(q, 1.0), q)
    low = b.floor(q)
    rounded = b.select(b.gt(b.sub(q, low), 0.5), b.add(low, 1.0), low)
    result = b.select(b.ne(q, 0.0), rounded, b.copysign(b.const(0.0, x.type), ratio))
    return b.select(b.eq(y, 0.0), ratio, result)
