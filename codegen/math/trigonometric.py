"""sin, cos, tan for every argument.

|x| < FAST: x = n pi/2 + r + tail with pi/2 in three parts (Cody and Waite); beyond it x is multiplied by the bits of
2/pi that matter at its exponent (Payne and Hanek), in words of 32 bits.  Then the polynomials for |r| <= pi/4, and
n mod 4.
"""

from __future__ import annotations

from collections.abc import Callable

from tensordsl.codegen.math.coefficients import COS, PI_2, SIN, TAN, TWO_OVER_PI
from tensordsl.codegen.math.parts import FORMATS, fast_two_sum, polynomial, round_by_magic, two_product, two_sum
from tensordsl.codegen.scalar import Builder, Val

FAST = {"float64": 2.0**27, "float32": 2.0**17}

Reduced = tuple[Val, Val, Val]  # r, tail, n (an integer; its two low bits count)


def reduce_fast(b: Builder, x: Val) -> Reduced:
    """n p0 leaves an exact rest, n p1 is subtracted with its errors, n p2 goes to the tail."""
    n, bits = round_by_magic(b, x, {"float64": 0.6366197723675814, "float32": 0.6366197466850281}[x.type])
    p0, p1, p2 = PI_2[x.type]
    r0 = b.fma(n, -p0, x)
    w, error = two_product(b, n, b.const(p1, x.type))
    r1 = b.sub(r0, w)
    lost = b.sub(b.sub(r0, r1), w)
    tail = b.fma(n, -p2, b.sub(lost, error))
    r, tail = fast_two_sum(b, r1, tail)
    return r, tail, bits


def reduce_any(b: Builder, x: Val) -> Reduced:
    """Of float64, finite, |x| >= 2^20.  x = m 2^e, m < 2^53: the fraction of m 2^e (2/pi) / 4 to 158 bits, exactly."""
    u = "uint64"
    bits = b.and_(b.bitcast(x, u), 0x7FFFFFFFFFFFFFFF)
    e = b.sub(b.shr(bits, 52), 1075)
    m = b.or_(b.and_(bits, (1 << 52) - 1), 1 << 52)
    words = _window(b, b.maximum(b.bitcast(e, "int64"), -64))
    product = _times_words(b, m, words)
    # product[0] is the top word: two bits of quadrant, then the fraction
    mask = (1 << 32) - 1
    top, second = product[0], product[1]
    quadrant = b.shr(top, 30)
    fraction = b.and_(top, (1 << 30) - 1)
    # the fraction in [0, 1) -> [-1/2, 1/2)
    up = b.shr(fraction, 29)
    quadrant = b.add(quadrant, up)
    first = b.sub(
        b.cast(b.bitcast(fraction, "int64"), "float64"), b.mul(b.cast(b.bitcast(up, "int64"), "float64"), 2.0**30)
    )
    parts = [b.mul(first, 2.0**-30)]
    for i, word in enumerate([second, *product[2:]]):
        parts.append(b.mul(b.cast(b.bitcast(b.and_(word, mask), "int64"), "float64"), 2.0 ** (-62 - 32 * i)))
    high, low = _sum(b, parts)
    r, error = two_product(b, high, b.const(PI_2["float64"][0], "float64"))
    tail = b.add(error, b.fma(high, PI_2["float64"][1], b.mul(low, PI_2["float64"][0])))
    r, tail = fast_two_sum(b, r, tail)
    negative = b.lt(x, 0.0)
    n = b.bitcast(quadrant, "int64")
    return (
        b.select(negative, b.neg(r), r),
        b.select(negative, b.neg(tail), tail),
        b.select(negative, b.neg(n), n),
    )


WINDOW = 7  # words of 2/pi that are multiplied: 53 bits of m are shifted out at the top, 158 stay


def _window(b: Builder, e: Val) -> list[Val]:
    """The words of 2/pi that matter for m 2^e (2/pi), m an integer.

    The bit at position p of 2/pi has weight 2^(e - 1 - p) in 2^e (2/pi).  The window begins at position e - 2, whose
    weight is 2: what is before it, and what m times the window has above its top word, are multiples of 4.
    """
    u = "uint64"
    start = b.bitcast(b.add(e, 64 - 2), u)  # positions count from 64 zero bits put in front
    table: list[Val] = [b.const(w, u) for w in (0, 0, *TWO_OVER_PI)]
    index, shift = b.shr(start, 5), b.and_(start, 31)
    for k in (5, 4, 3, 2, 1, 0):  # a barrel shifter over the table: no memory
        step = 1 << k
        bit = b.ne(b.and_(b.shr(index, k), 1), 0)
        keep = min(WINDOW + 1 + step - 1, len(table))
        zero = b.const(0, u)
        table = [b.select(bit, table[i + step] if i + step < len(table) else zero, table[i]) for i in range(keep)]
    mask = (1 << 32) - 1
    return [b.and_(b.or_(b.shl(table[i], shift), b.shr(table[i + 1], b.sub(32, shift))), mask) for i in range(WINDOW)]


def _times_words(b: Builder, m: Val, words: list[Val]) -> list[Val]:
    """(m times the fraction of `words`) mod 1, as the same number of words; m has 53 bits in two words."""
    mask = (1 << 32) - 1
    m0, m1 = b.and_(m, mask), b.shr(m, 32)
    zero = b.const(0, m.type)
    result: list[Val] = []
    carry = zero
    for i in reversed(range(len(words))):
        # words[i] m0 goes to word i and i - 1, words[i + 1] m1 to word i and i - 1
        p = b.mul(words[i], m0)
        q = b.mul(words[i + 1], m1) if i + 1 < len(words) else zero
        low = b.add(b.add(b.and_(p, mask), b.and_(q, mask)), carry)
        carry = b.add(b.add(b.shr(p, 32), b.shr(q, 32)), b.shr(low, 32))
        result.append(b.and_(low, mask))
    return result[::-1][:5]


def _sum(b: Builder, parts: list[Val]) -> tuple[Val, Val]:
    """The sum of parts of falling size as head and tail."""
    high, tails = parts[-1], []
    for p in reversed(parts[:-1]):
        high, low = two_sum(b, p, high)
        tails.append(low)
    low = tails[0]
    for t in tails[1:]:
        low = b.add(low, t)
    return fast_two_sum(b, high, low)


def sine_rest(b: Builder, r: Val, tail: Val) -> Val:
    """sin(r + tail) - r"""
    z = b.mul(r, r)
    return b.fma(b.mul(r, z), polynomial(b, z, SIN[r.type]), tail)


def cosine_parts(b: Builder, r: Val, tail: Val) -> tuple[Val, Val]:
    """1 - r^2/2 rounded, and the rest of cos(r + tail)."""
    z = b.mul(r, r)
    h = b.mul(z, 0.5)
    w = b.sub(1.0, h)
    error = b.sub(b.sub(1.0, w), h)
    rest = b.fma(b.neg(r), tail, b.mul(b.mul(z, z), polynomial(b, z, COS[r.type])))
    return w, b.add(error, rest)


def sine(b: Builder, r: Val, tail: Val) -> Val:
    return b.add(r, sine_rest(b, r, tail))


def cosine(b: Builder, r: Val, tail: Val) -> Val:
    return b.add(*cosine_parts(b, r, tail))


def _odd(b: Builder, n: Val) -> Val:
    return b.ne(b.and_(n, 1), 0)


def _sine_of(b: Builder, reduced: Reduced) -> Val:
    r, tail, n = reduced
    f = FORMATS[r.type]
    y = b.select(_odd(b, n), cosine(b, r, tail), sine(b, r, tail))
    sign = b.shl(b.and_(n, 2), f.bits - 2)
    return b.bitcast(b.xor(b.bitcast(y, f.integer), sign), r.type)


def _cosine_of(b: Builder, reduced: Reduced) -> Val:
    r, tail, n = reduced
    return _sine_of(b, (r, tail, b.add(n, 1)))


def _tangent_of(b: Builder, reduced: Reduced) -> Val:
    """tan(r), or -1/tan(r) where n is odd."""
    r, tail, n = reduced
    z = b.mul(r, r)
    tangent = b.add(r, b.fma(b.mul(r, z), polynomial(b, z, TAN[r.type]), tail))
    return b.select(_odd(b, n), b.div(-1.0, tangent), tangent)


def _fast(of: Callable[[Builder, Reduced], Val], odd: bool) -> Callable[[Builder, Val], Val]:
    def expansion(b: Builder, x: Val) -> Val:
        y = of(b, reduce_fast(b, x))
        return b.select(b.eq(x, 0.0), x, y) if odd else y  # sin(-0.0) is -0.0

    return expansion


def _guard(b: Builder, x: Val) -> Val:
    return b.ge(b.abs(x), FAST[x.type])


def _slow(of: Callable[[Builder, Reduced], Val]) -> Callable[[Builder, Val], Val]:
    """Right where the guard is true."""

    def expansion(b: Builder, x: Val) -> Val:
        wide = b.cast(x, "float64")
        finite = b.lt(b.abs(wide), float("inf"))
        y = of(b, reduce_any(b, b.select(finite, wide, 1e10)))
        return b.cast(b.select(finite, y, float("nan")), x.type)

    return expansion


_ROWS = {"sin": (_sine_of, True), "cos": (_cosine_of, False), "tan": (_tangent_of, True)}
FAST_TIER: dict[str, Callable[..., Val]] = {name: _fast(*row) for name, row in _ROWS.items()}
GUARDS: dict[str, Callable[..., Val]] = dict.fromkeys(_ROWS, _guard)
SLOW_TIER: dict[str, Callable[..., Val]] = {name: _slow(row[0]) for name, row in _ROWS.items()}
