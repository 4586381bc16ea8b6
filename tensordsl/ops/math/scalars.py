"""Scalar computations of more than one step, and the oracles that NumPy lacks: columns of elementwise rows."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from tensordsl.graph.casting import float_of
from tensordsl.graph.types import FLOATS, SIGNED


# -- scalars of more than one step -----------------------------------------------------------------------------------
def power(b: Any, x: Any, y: Any) -> Any:
    """x ** y.  Small exponents known now, whole or between two whole numbers, are products; integer powers wrap, with
    1 / x truncated for y < 0."""
    n = _known(y)
    if x.type in FLOATS:
        if n is not None and abs(n) in (0.5, 1.5):
            # pow gives +0 for -0 and inf for -inf where sqrt gives -0 and nan.
            root = b.select(b.eq(x, -math.inf), math.inf, b.add(b.sqrt(x), 0.0))
            root = root if abs(n) == 0.5 else b.mul(b.abs(x), root)
            return root if n > 0 else b.div(1.0, root)
        if n is not None and n == int(n if math.isfinite(n) else 0) and abs(n) <= 4:
            result = _product(b, x, abs(int(n)))
            return result if n >= 0 else b.div(1.0, result)
        return b.pow(x, y)
    if n is not None and n >= 0:
        return _product(b, x, int(n))
    bits = np.iinfo(y.type).bits - (y.type in SIGNED)
    one = b.const(1, x.type)
    result, square = one, x
    for k in range(bits):
        is_set = b.ne(b.and_(b.shr(y, k), 1), 0)
        result = b.select(is_set, b.mul(result, square), result)
        square = b.mul(square, square)
    if y.type not in SIGNED:
        return result
    is_odd = b.ne(b.and_(y, 1), 0)
    inverse = b.select(b.eq(x, 1), one, b.select(b.eq(x, -1), b.select(is_odd, x, one), 0))
    return b.select(b.lt(y, 0), inverse, result)


def clipped(b: Any, x: Any, low: Any, high: Any) -> Any:
    """Between the bounds; where these have crossed, the lower one for what is below it, else the upper one."""
    between = b.minimum(b.maximum(x, low), high)
    known = _known(low), _known(high)
    if None not in known and known[0] <= known[1]:
        return between
    return b.select(b.and_(b.lt(x, low), b.gt(low, high)), low, between)


def next_after(b: Any, x: Any, y: Any) -> Any:
    """One step in the order of bits; from a zero to the smallest subnormal number of y's sign."""
    bits = {"float64": "int64", "float32": "int32", "float16": "int16"}[x.type]
    n = b.bitcast(x, bits)
    away = b.eq(b.lt(x, y), b.gt(x, 0.0))  # from 0
    moved = b.bitcast(b.select(away, b.add(n, 1), b.sub(n, 1)), x.type)
    smallest = b.bitcast(b.const(1, bits), x.type)
    moved = b.select(b.eq(x, 0.0), b.copysign(smallest, y), moved)
    moved = b.select(b.eq(x, y), y, moved)
    return b.select(b.or_(b.isnan(x), b.isnan(y)), b.add(x, y), moved)


def _known(y: Any) -> Any:
    """The value of a scalar that is a constant, possibly behind casts that keep it."""
    types = []
    while y.op == "cast":
        types.append(y.type)
        (y,) = y.args
    if y.op != "const":
        return None
    with np.errstate(all="ignore"):
        return y.attr if all(np.asarray(y.attr).astype(t) == y.attr for t in types) else None


def _product(b: Any, x: Any, n: int) -> Any:
    """x multiplied n times with itself."""
    result, square = None, x
    while n:
        if n & 1:
            result = square if result is None else b.mul(result, square)
        n >>= 1
        square = b.mul(square, square) if n else square
    return b.const(1, x.type) if result is None else result


# -- oracles that NumPy lacks ----------------------------------------------------------------------------------------
def numpy_clipped(x: Any, low: Any, high: Any) -> Any:
    return np.where((x < low) & (low > high), low, np.clip(x, low, high))


def numpy_power(x: Any, y: Any) -> Any:
    if x.dtype.kind not in "iu":
        # A full array of exponents: for one exponent NumPy takes shortcuts with other results for -0.0 and -inf.
        shape = np.broadcast_shapes(x.shape, y.shape)
        return np.power(np.atleast_1d(x), np.array(np.broadcast_to(y, shape or (1,)))).reshape(shape)
    inverse = np.where(x == 1, 1, np.where(x == -1, np.where(y % 2 == 1, -1, 1), 0)) if x.dtype.kind == "i" else 0
    return np.where(y < 0, np.asarray(inverse).astype(x.dtype), np.power(x, np.where(y < 0, 0, y)))


def vectorised(function: Callable[[float], float]) -> Callable[[Any], Any]:
    wrapped = np.frompyfunc(function, 1, 1)
    return lambda x: np.asarray(wrapped(x)).astype("float64")


def lgamma(x: float) -> float:
    if x == -math.inf or (x <= 0 and x == math.floor(x)):
        return math.inf
    return math.lgamma(x) if abs(x) < 1e305 else abs(x) * math.inf  # math.lgamma raises where the result is too large


def gamma_function(x: float) -> float:
    """Poles give nan, zeros an infinity of their sign, as do numbers whose reciprocal is too large."""
    if not math.isfinite(x):
        return x if x > 0 else math.nan
    if abs(x) < 1 / sys.float_info.max or x >= 171.7:
        return math.copysign(math.inf, x)
    if x <= -180 or x == math.floor(x) < 0:
        return math.nan if x == math.floor(x) else x * 0.0
    return math.gamma(x)


def inverse_erf(x: float) -> float:
    """By Newton's method on erf, beyond 1/2 on the logarithm of erfc."""
    a = abs(x)
    if not a < 1:
        return x * math.inf if a == 1 else math.nan
    y = math.sqrt(-math.log((1 - a) * (1 + a)) * math.pi) / 2
    for _ in range(8):
        slope = 2 / math.sqrt(math.pi) * math.exp(-y * y)
        y += (a - math.erf(y) if a < 0.5 else math.log(math.erfc(y) / (1 - a)) * math.erfc(y)) / slope
    return math.copysign(y, x)


def erfcinv(b: Any, x: Any) -> Any:
    """y with erfc(y) = x.  For t = min(x, 2 - x) below 1/10 from its logarithm."""
    t = b.minimum(x, b.sub(2.0, x))
    y = erfcinv_of_log(b, b.call("log", b.minimum(t, 0.1)))
    y = b.select(b.eq(t, 0), math.inf, y)
    return b.select(b.lt(t, 0.1), b.copysign(y, b.sub(1.0, x)), b.call("erfinv", b.sub(1.0, x)))


def erfcinv_of_log(b: Any, log_t: Any) -> Any:
    """y with log(erfc(y)) = log_t <= log(1/10), by Newton's method on log(erfc(y)) = log(erfcx(y)) - y^2 from the first
    terms of the asymptotic series: each of four steps doubles its two digits."""
    y = b.sqrt(b.sub(b.neg(log_t), b.mul(b.call("log", b.mul(log_t, -math.pi)), 0.5)))
    for _ in range(4):
        e = b.call("erfcx", y)
        miss = b.sub(b.sub(b.call("log", e), b.mul(y, y)), log_t)
        y = b.fma(b.mul(miss, math.sqrt(math.pi) / 2), e, y)
    return y


def inverse_erfc(x: float) -> float:
    """By bisection where erfc is steep; the inverse of erf elsewhere."""
    if not 0 < x < 2:
        return math.inf if x == 0 else -math.inf if x == 2 else math.nan
    if 0.1 < x < 1.9:
        return inverse_erf(1 - x)
    low, high, t = 0.0, 30.0, min(x, 2 - x)
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if math.erfc(middle) > t else (low, middle)
    return math.copysign(low, 1 - x)


def scaled_erfc(x: float) -> float:
    if x < 25:
        return math.exp(x * x) * math.erfc(x) if x > -26.6 else math.inf
    w = 0.5 / x / x  # the asymptotic series
    return (1 - w * (1 - 3 * w * (1 - 5 * w * (1 - 7 * w * (1 - 9 * w))))) / x / math.sqrt(math.pi)


DIGAMMA_ROOT = 1.4616321449683622, 9.549995429965697e-17  # the positive root, in two parts


def digamma(x: float) -> float:
    """Digamma by reflection, recurrence to x >= 10, then the asymptotic series (Abramowitz & Stegun 6.3.18); between 1
    and 2 `_digamma_near_root`."""
    if not math.isfinite(x):
        return math.nan if x < 0 else x
    if x == 0:
        return -math.copysign(math.inf, x)
    if x < 0:
        if x == math.floor(x):
            return math.nan
        return digamma(1 - x) - math.pi / math.tan(math.pi * (x - round(x)))
    if 1 < x < 2:
        return _digamma_near_root(x)
    shift = 0.0
    while x < 10:
        shift -= 1 / x
        x += 1
    t = 1 / (x * x)
    series = t * (1 / 12 - t * (1 / 120 - t * (1 / 252 - t * (1 / 240 - t * (1 / 132 - t * (691 / 32760 - t / 12))))))
    return shift + math.log(x) - 0.5 / x - series


def _digamma_near_root(x: float) -> float:
    """digamma(x) - digamma(r) for the root r, where the other way would cancel: of the recurrence and of each term of
    the series the difference is a multiple of x - r (t - u of the series' 1 / x^2)."""
    r, low = DIGAMMA_ROOT
    d, sums = (x - r) - low, 0.0
    while r < 20:
        sums += 1 / (x * r)
        x, r = x + 1, r + 1
    t, u = 1 / (x * x), 1 / (r * r)
    series = 1 / 12 - (t + u) / 120 + (t * t + t * u + u * u) / 252 - (t + u) * (t * t + u * u) / 240
    return d * (sums + 0.5 / (x * r) + series * (x + r) * t * u) + math.log1p(d / r)


# B_2k / (2k), k = 1..7
BERNOULLI = (1 / 12, -1 / 120, 1 / 252, -1 / 240, 1 / 132, -691 / 32760, 1 / 12)


ALONE = 1e-20  # so near to 0 the pole's term is all that counts, and the reflection formula would overflow


def polygamma(n: int, x: float) -> float:
    """The n-th derivative of digamma, n >= 1, by reflection, recurrence to x >= 12 + n, then the asymptotic series
    (Abramowitz & Stegun 6.4.11).  Poles below 0 give inf, or nan where the sides differ."""
    sign = 1.0 if n % 2 else -1.0
    if not math.isfinite(x):
        return sign * 0.0 if x > 0 else math.nan
    if x <= 0 and x == math.floor(x):
        return sign * math.inf if x == 0 or n % 2 else math.nan
    if -ALONE < x < 0:
        return sign * math.factorial(n) * (1 / x) ** (n + 1)
    if x < 0:
        cotangent = 1 / math.tan(math.pi * (x - round(x)))
        slope: float = cotangent_derivative(n, cotangent)
        return -sign * polygamma(n, 1 - x) - math.pi ** (n + 1) * slope
    below = 0.0
    while x < 12 + n:
        below += x ** -(n + 1)
        x += 1
    w, series = 1 / x / x, 0.0
    for k, c in reversed(list(enumerate(BERNOULLI, 1))):
        series = (series + c * math.perm(2 * k + n - 1, n - 1) * 2 * k) * w
    return sign * (math.factorial(n) * below + x**-n * (math.factorial(n - 1) * (1 + n / x / 2) + series))


def cotangent_derivative(n: int, c: Any) -> Any:
    """The n-th derivative of cot where it is `c`: polynomials D with D_0 = c, D_(k+1) = -(1 + c^2) D_k'."""
    d = [0, 1]
    for _ in range(n):
        slope = [k * a for k, a in enumerate(d)][1:]
        d = [-(a + b) for a, b in zip([*slope, 0, 0], [0, 0, *slope], strict=True)]
    result = 0.0
    for a in reversed(d):
        result = result * c + float(a)
    return result


def numpy_polygamma(x: Any, n: int) -> Any:
    values = [_finite_or_inf(n, v) for v in np.asarray(x, "float64").ravel().tolist()]
    return np.array(values, "float64").reshape(np.shape(x)).astype(float_of(str(np.asarray(x).dtype)))


def _finite_or_inf(n: int, x: float) -> float:
    try:
        return polygamma(n, x)
    except OverflowError:
        return math.inf if n % 2 or x < 0 and x > math.floor(x) + 0.5 else -math.inf


def numpy_log1mexp(x: Any) -> Any:
    return np.where(x > -math.log(2), np.log(-np.expm1(x)), np.log1p(-np.exp(x)))


def numpy_sigmoid(x: Any) -> Any:
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, e) / (1 + e)


def numpy_softplus(x: Any) -> Any:
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))
