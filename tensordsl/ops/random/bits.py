"""Random bits as a pure function of a counter and a key, and the distributions that are made of them.

The generator is Philox4x32-10 (Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011):
ten rounds of multiplications and exclusive ors that map a counter of 128 bits to 128 bits, for each key of 64 bits
another way.  Element i of draw number `draw` has the counter (i, draw); of the result the first 64 bits are used.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tensordsl.graph.types import DISCRETE, FLOATS
from tensordsl.graph.variables import Elementwise, Op, apply
from tensordsl.ops.array.creation import arange
from tensordsl.ops.array.shape import as_dim, as_dims, reshape
from tensordsl.ops.math.comparisons import lt
from tensordsl.ops.math.elementwise import add, cast, int_div, mul
from tensordsl.ops.math.functions import erfinv
from tensordsl.ops.operands import as_variable, broadcast, constant, known_int, named_dtype
from tensordsl.ops.rows import PIECEWISE

MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
WEYL = (0x9E3779B9, 0xBB67AE85)
ROUNDS = 10
LOW = 0xFFFFFFFF
STEPS = {"float16": 10, "float32": 23, "float64": 52}  # the logarithm to base 2 of their number


# -- the row ---------------------------------------------------------------------------------------------------------
def _dtype(*dtypes: str) -> str:
    for t in dtypes:
        if t not in DISCRETE:
            raise TypeError(f"counters and keys are integers, got {', '.join(dtypes)}")
    return "uint64"


def _scalar(b: Any, index: Any, draw: Any, key: Any) -> Any:
    """All words have 32 bits and are kept in 64, so that a product is one multiplication."""
    x = [b.and_(index, LOW), b.shr(index, 32), b.and_(draw, LOW), b.shr(draw, 32)]
    k = [b.and_(key, LOW), b.shr(key, 32)]
    for _ in range(ROUNDS):
        one, two = (b.mul(x[j], m) for j, m in ((0, MULTIPLIERS[0]), (2, MULTIPLIERS[1])))
        x = [
            b.xor(b.xor(b.shr(two, 32), x[1]), k[0]), b.and_(two, LOW),
            b.xor(b.xor(b.shr(one, 32), x[3]), k[1]), b.and_(one, LOW),
        ]  # fmt: skip
        k = [b.and_(b.add(word, weyl), LOW) for word, weyl in zip(k, WEYL, strict=True)]
    return b.or_(x[0], b.shl(x[1], 32))


def numpy_philox(index: Any, draw: Any, key: Any) -> Any:
    """The generator on arrays of uint64: words 0 and 1 of its result."""
    words = np.broadcast_arrays(*(np.atleast_1d(np.asarray(v).astype("uint64")) for v in (index, draw, key)))
    shape = np.broadcast_shapes(*map(np.shape, (index, draw, key)))
    index, draw, key = words
    half, low = np.uint64(32), np.uint64(LOW)
    c0, c1, c2, c3 = index & low, index >> half, draw & low, draw >> half
    for r in range(ROUNDS):  # sums of arrays wrap in silence
        k0, k1 = (((key >> np.uint64(32 * j)) + np.uint64(r * w)) & low for j, w in enumerate(WEYL))
        p0, p1 = c0 * np.uint64(MULTIPLIERS[0]), c2 * np.uint64(MULTIPLIERS[1])
        c0, c1, c2, c3 = (p1 >> half) ^ c1 ^ k0, p1 & low, (p0 >> half) ^ c3 ^ k1, p0 & low
    return (c0 | (c1 << half)).reshape(shape)


PHILOX = Op(
    "philox", _dtype, broadcast, numpy_philox, Elementwise(_scalar, lambda *dtypes: ("uint64",) * 3),
    no_gradient=PIECEWISE,
)  # fmt: skip
ROWS = (PHILOX,)


# -- distributions ---------------------------------------------------------------------------------------------------
def bits(state: Any, shape: Any) -> Any:
    """64 random bits for each element of `shape`; state: (key, number of the draw), uint64."""
    dims = as_dims(shape)
    total: Any = as_dim(1)
    for n in dims:
        if (known_int(n) or 0) < 0:
            raise ValueError(f"random numbers: a length must be 0 or more, got {known_int(n)}")
        total = mul(total, n)
    index = reshape(arange(total, dtype="uint64"), dims, ndim=len(dims))
    return apply(PHILOX, index, state[1], state[0])


def unit(words: Any, dtype: str) -> Any:
    """Numbers in (0, 1) of `dtype`: the middles of equal steps, as many as the dtype tells apart exactly."""
    size = STEPS[dtype]
    step = constant(2.0**-size, dtype=dtype)
    whole = cast(int_div(words, constant(2 ** (64 - size), dtype="uint64")), dtype)
    return mul(add(whole, constant(0.5, dtype=dtype)), step)


def uniform(words: Any, low: Any, high: Any, dtype: str) -> Any:
    """low + (high - low) * u."""
    low, high = (cast(as_variable(v), dtype) for v in (low, high))
    return low + (high - low) * unit(words, dtype)


def normal(words: Any, avg: Any, std: Any, dtype: str) -> Any:
    """avg + std * z with z the inverse of the normal distribution function at u: sqrt(2) * erfinv(2 u - 1)."""
    avg, std = (cast(as_variable(v), dtype) for v in (avg, std))
    u = unit(words, dtype)
    return avg + std * (erfinv(u * 2 - 1) * constant(np.sqrt(2.0), dtype=dtype))


def bernoulli(words: Any, p: Any) -> Any:
    """Whether u < p."""
    return lt(unit(words, "float64"), as_variable(p))


def below(words: Any, n: Any) -> Any:
    """Whole numbers in [0, n), int64: the floor of n * u, for n up to 2^52."""
    return cast(mul(unit(words, "float64"), cast(as_variable(n), "float64")), "int64")


def float_dtype(dtype: Any, what: str) -> str:
    """The float dtype to draw; TypeError for another."""
    name = named_dtype(dtype, what)
    if name not in FLOATS:
        raise TypeError(f"{what}: draws floats, got dtype={dtype!r}")
    return name
