"""Random bits as a pure function of a counter and a key, and the distributions that are made of them.

The generator is Philox4x32-10 (Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011):
ten rounds of multiplications and exclusive ors that map a counter of 128 bits to 128 bits, for each key of 64 bits
another way.  Element i of draw number `draw` has the counter (i, draw); of the result the first 64 bits are used.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tensordsl.graph.types import DISCRETE, FLOATS
from tensordsl.graph.variables import Elementwise, Op
from tensordsl.ops.math.comparisons import and_, right_shift
from tensordsl.ops.math.elementwise import add, cast, int_div, mul
from tensordsl.ops.operands import as_variable, broadcast, constant, named_dtype
from tensordsl.ops.rows import PIECEWISE

MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
WEYL = (0x9E3779B9, 0xBB67AE85)
ROUNDS = 10
LOW = 0xFFFFFFFF
ATTEMPT_SHIFT = 48  # a counter's bits from here on number the attempts of one draw
MOST_ATTEMPTS = 2**16 - 1
STEPS = {"float16": 10, "float32": 23, "float64": 52}  # the logarithm to base 2 of their number


# -- the row ---------------------------------------------------------------------------------------------------------
def _dtype(*dtypes: str) -> str:
    for t in dtypes:
        if t not in DISCRETE:
            raise TypeError(f"counters and keys are integers, got {', '.join(dtypes)}")
    return "uint64"


def philox_words(b: Any, index: Any, draw: Any, key: Any) -> tuple[Any, Any]:
    """The generator's 128 bits as two words, by a scalar builder.

    All words have 32 bits and are kept in 64, so that a product is one multiplication.
    """
    x = [b.and_(index, LOW), b.shr(index, 32), b.and_(draw, LOW), b.shr(draw, 32)]
    k = [b.and_(key, LOW), b.shr(key, 32)]
    for _ in range(ROUNDS):
        one, two = (b.mul(x[j], m) for j, m in ((0, MULTIPLIERS[0]), (2, MULTIPLIERS[1])))
        x = [
            b.xor(b.xor(b.shr(two, 32), x[1]), k[0]), b.and_(two, LOW),
            b.xor(b.xor(b.shr(one, 32), x[3]), k[1]), b.and_(one, LOW),
        ]  # fmt: skip
        k = [b.and_(b.add(word, weyl), LOW) for word, weyl in zip(k, WEYL, strict=True)]
    return b.or_(x[0], b.shl(x[1], 32)), b.or_(x[2], b.shl(x[3], 32))


def _scalar(b: Any, index: Any, draw: Any, key: Any) -> Any:
    return philox_words(b, index, draw, key)[0]


def numpy_philox(index: Any, draw: Any, key: Any, part: int = 0) -> Any:
    """The generator on arrays of uint64: words 0 and 1 of its result; part 1: words 2 and 3."""
    words = np.broadcast_arrays(*(np.atleast_1d(np.asarray(v).astype("uint64")) for v in (index, draw, key)))
    shape = np.broadcast_shapes(*map(np.shape, (index, draw, key)))
    index, draw, key = words
    half, low = np.uint64(32), np.uint64(LOW)
    c0, c1, c2, c3 = index & low, index >> half, draw & low, draw >> half
    for r in range(ROUNDS):  # sums of arrays wrap in silence
        k0, k1 = (((key >> np.uint64(32 * j)) + np.uint64(r * w)) & low for j, w in enumerate(WEYL))
        p0, p1 = c0 * np.uint64(MULTIPLIERS[0]), c2 * np.uint64(MULTIPLIERS[1])
        c0, c1, c2, c3 = (p1 >> half) ^ c1 ^ k0, p1 & low, (p0 >> half) ^ c3 ^ k1, p0 & low
    return ((c2 | (c3 << half)) if part else (c0 | (c1 << half))).reshape(shape)


PHILOX = Op(
    "philox", _dtype, broadcast, numpy_philox, Elementwise(_scalar, lambda *dtypes: ("uint64",) * 3),
    no_gradient=PIECEWISE,
)  # fmt: skip
ROWS = (PHILOX,)


# -- numbers of words ------------------------------------------------------------------------------------------------
def unit(words: Any, dtype: str) -> Any:
    """Numbers in (0, 1) of `dtype`: the middles of equal steps, as many as the dtype tells apart exactly."""
    size = STEPS[dtype]
    step = constant(2.0**-size, dtype=dtype)
    whole = cast(int_div(words, constant(2 ** (64 - size), dtype="uint64")), dtype)
    return mul(add(whole, constant(0.5, dtype=dtype)), step)


def high_product(words: Any, n: Any) -> Any:
    """The upper 64 bits of words * n, uint64: whole numbers in [0, n), each as likely as others to n in 2^64."""
    half, low = constant(32, dtype="uint64"), constant(LOW, dtype="uint64")
    w, v = ((and_(x, low), right_shift(x, half)) for x in (words, cast(as_variable(n), "uint64")))
    middle = w[1] * v[0] + right_shift(w[0] * v[0], half)
    other = w[0] * v[1] + and_(middle, low)
    return w[1] * v[1] + right_shift(middle, half) + right_shift(other, half)


def float_dtype(dtype: Any, what: str) -> str:
    """The float dtype to draw; TypeError for another."""
    name = named_dtype(dtype, what)
    if name not in FLOATS:
        raise TypeError(f"{what}: draws floats, got dtype={dtype!r}")
    return name
