"""Floating-point arithmetic that expansions share: formats, polynomials, error-free sums and products, exponents.

`exponent`, `significand` and `ldexp` stand for instructions that only some targets have, with the same results.
Ref        T. Dekker, "A floating-point technique for extending the available precision", 1971; D. Knuth (two_sum).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tensordsl.base.records import record
from tensordsl.codegen.scalar_ir.builder import Builder, Val

Evaluation = Callable[[Builder, Val, Sequence[Val]], Val]


@record
class Format:
    """A float type as its bits: `magic` + n holds the integer n in its low bits, for |n| < 2^(mantissa - 2)."""

    integer: str
    bits: int
    mantissa: int
    bias: int
    magic: float
    tiny: float  # the smallest normal number

    @property
    def scale_up(self) -> int:
        """Subnormal numbers times 2^scale_up are normal."""
        return self.mantissa + 2


FORMATS = {
    "float64": Format("int64", 64, 52, 1023, 1.5 * 2.0**52, 2.0**-1022),
    "float32": Format("int32", 32, 23, 127, 1.5 * 2.0**23, 2.0**-126),
}


def polynomial(b: Builder, x: Val, coefficients: Sequence[float | Val]) -> Val:
    """sum c_i x^i (lowest first): Horner's form in x^2 over pairs, half the chain at the price of one operation."""
    c = list(coefficients)
    pairs: list[Val | float] = [*(b.fma(c[i + 1], x, c[i]) for i in range(0, len(c) - 1, 2)), *c[len(c) & ~1 :]]
    square = b.mul(x, x)
    result = pairs[-1]
    for pair in reversed(pairs[:-1]):
        result = b.fma(result, square, pair)
    return result if isinstance(result, Val) else b.const(result, x.type)


def horner(b: Builder, x: Val, coefficients: Sequence[Val]) -> Val:
    """The same, one operation less and twice the chain: for where vectors enough are computed at a time."""
    *others, result = coefficients
    for c in reversed(others):
        result = b.fma(x, result, c)
    return result


def by_pieces(
    b: Builder, x: Val, index: Val, behind: Val, columns: Sequence[Sequence[float]], sum_up: Evaluation = polynomial
) -> Val:
    """y + h P(h), h = x - c, with c, y = f(c) and P's coefficients from tables `behind` the first piece; in that, where
    c is 0, x + x P(x)."""
    center, value, *coefficients = (b.lookup(column, index) for column in columns)
    h = b.sub(x, center)
    return b.fma(h, sum_up(b, h, coefficients), b.select(behind, value, x))


def two_sum(b: Builder, x: Val, y: Val) -> tuple[Val, Val]:
    """x + y = s + e exactly (Knuth)."""
    s = b.add(x, y)
    t = b.sub(s, x)
    return s, b.add(b.sub(x, b.sub(s, t)), b.sub(y, t))


def fast_two_sum(b: Builder, x: Val, y: Val) -> tuple[Val, Val]:
    """x + y = s + e exactly if |x| >= |y| or x == 0 (Dekker)."""
    s = b.add(x, y)
    return s, b.sub(y, b.sub(s, x))


def two_product(b: Builder, x: Val, y: Val) -> tuple[Val, Val]:
    p = b.mul(x, y)
    return p, b.fma(x, y, b.neg(p))


def round_by_magic(b: Builder, x: Val, factor: float) -> tuple[Val, Val]:
    """n = x * factor rounded to an integer, as a float and as `magic` bits."""
    f = FORMATS[x.type]
    shifted = b.fma(x, b.const(factor, x.type), b.const(f.magic, x.type))
    return b.sub(shifted, f.magic), b.bitcast(shifted, f.integer)


def round_to_multiple(b: Builder, x: Val, factor: float) -> Val:
    """x * factor rounded to an integer, as a float."""
    return round_by_magic(b, x, factor)[0]


def reciprocal_of_double(b: Builder, x: Val) -> Val:
    """1/(2 x) within 7 per cent, of normal positive x; finite for 0: the exponent is negated, which makes
    (2 - m)/2 of the significand m - 1."""
    f = FORMATS[x.type]
    one = f.bias << f.mantissa
    return b.bitcast(b.sub(2 * one - (1 << f.mantissa) - (1 << (f.mantissa - 4)), b.bitcast(x, f.integer)), x.type)


def add_to_exponent(b: Builder, x: Val, bits: Val) -> Val:
    """x 2^n, n in `magic` bits, of normal x with a normal result."""
    f = FORMATS[x.type]
    return b.bitcast(b.add(b.bitcast(x, f.integer), b.shl(bits, f.mantissa)), x.type)


# `exponent`, `significand` and `ldexp` for targets that have no instruction for them.


def _normal(b: Builder, a: Val) -> tuple[Val, Val]:
    """(whether |x| is subnormal, the bits of |x|, times 2^scale_up where it is)"""
    f = FORMATS[a.type]
    subnormal = b.lt(a, f.tiny)
    return subnormal, b.bitcast(b.select(subnormal, b.mul(a, 2.0**f.scale_up), a), f.integer)


def exponent(b: Builder, x: Val) -> Val:
    f, a = FORMATS[x.type], b.abs(x)
    subnormal, bits = _normal(b, a)
    biased = b.bitcast(b.shr(b.bitcast(bits, f"u{f.integer}"), f.mantissa), f.integer)
    if x.type == "float32":
        biased, bias = b.cast(biased, x.type), float(f.bias)
    else:  # no conversion instruction
        biased, bias = b.bitcast(b.add(biased, 0x4338000000000000), x.type), f.magic + f.bias
    k = b.sub(biased, b.select(subnormal, bias + f.scale_up, b.const(bias, x.type)))
    k = b.select(b.eq(a, 0.0), float("-inf"), k)
    return b.select(b.lt(a, float("inf")), k, a)


def significand(b: Builder, x: Val) -> Val:
    f = FORMATS[x.type]
    _, bits = _normal(b, b.abs(x))
    m = b.bitcast(b.or_(b.and_(bits, (1 << f.mantissa) - 1), f.bias << f.mantissa), x.type)
    return b.select(b.ge(x, 0.0), m, float("nan"))


def ldexp(b: Builder, x: Val, n: Val) -> Val:
    """In two factors: n may be outside the range of exponents.  Each is the low bits of a magic number as an exponent:
    AVX2 has no shift that keeps the sign of 64 bits."""
    f = FORMATS[x.type]
    origin = b.const(f.magic + f.bias, x.type)
    half = b.fma(n, 0.5, origin)
    rest = b.add(b.sub(n, b.sub(half, origin)), origin)
    first, second = (b.bitcast(b.shl(b.bitcast(v, f.integer), f.mantissa), x.type) for v in (half, rest))
    return b.mul(b.mul(x, first), second)


def clamp(b: Builder, x: Val, low: float, high: float) -> Val:
    """x in [low, high]; a nan stays."""
    x = b.select(b.lt(x, low), low, x)
    return b.select(b.gt(x, high), high, x)
