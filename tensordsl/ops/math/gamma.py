"""The gamma function, its logarithm, and the derivatives of that of every order."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any

from tensordsl.graph.casting import float_of
from tensordsl.graph.variables import Expand, Op, OpTypeError, apply
from tensordsl.ops.math.comparisons import and_, eq, gt, lt
from tensordsl.ops.math.elementwise import cast, round, sqr, switch
from tensordsl.ops.math.functions import Unary, tan, unary
from tensordsl.ops.math.scalars import (
    ALONE,
    BERNOULLI,
    cotangent_derivative,
    digamma,
    gamma_function,
    lgamma,
    numpy_polygamma,
    vectorised,
)
from tensordsl.ops.operands import as_variable, broadcast
from tensordsl.ops.rows import real_function


# -- polygamma -------------------------------------------------------------------------------------------------------
def _float_dtype(x: str, n: int) -> str:
    return float_of(x)


def _build_polygamma(x: Any, n: int) -> Any:
    """In float64.  With y = x, or 1 - x for x < 0: N terms of the sum n! / (y + k)^(n+1), then the asymptotic series at
    y + N; from y to x by the reflection formula (Abramowitz and Stegun 6.4.6, 6.4.7, 6.4.11)."""
    dtype, x = float_of(x.type.dtype), cast(x, "float64")
    negative, terms, sign = lt(x, 0), 12 + n, (-1.0) ** (n + 1)
    y = switch(negative, 1 - x, x)
    total: Any = 0.0
    for k in reversed(range(terms)):
        total = total + (1 / (y + float(k))) ** (n + 1)
    inverse = 1 / (y + float(terms))
    w, series = sqr(inverse), 0.0
    for k, c in reversed(list(enumerate(BERNOULLI, 1))):
        series = (series + c * 2 * k * float(math.perm(2 * k + n - 1, n - 1))) * w
    head = float(math.factorial(n - 1)) * (1 + inverse * (n / 2)) + series
    positive = sign * (total * float(math.factorial(n)) + head * inverse**n)
    fraction = x - round(x)
    reflected = -sign * positive - math.pi ** (n + 1) * cotangent_derivative(n, 1 / tan(fraction * math.pi))
    reflected = switch(eq(fraction, 0), math.inf if n % 2 else math.nan, reflected)
    pole = sign * float(math.factorial(n)) * (1 / x) ** (n + 1)
    reflected = switch(and_(gt(x, -ALONE), lt(x, 0)), pole, reflected)
    return cast(switch(negative, reflected, positive), dtype)


def _polygamma_gradient(g: Any, out: Any, x: Any, n: int) -> Sequence[Any]:
    return (g * polygamma(n + 1, x),)


# -- rows ------------------------------------------------------------------------------------------------------------
GAMMA = real_function(
    "gamma", vectorised(gamma_function), lambda g, out, x: (g * out * psi(x),), ulp=16, domain=(0.5, 5)
)
GAMMALN = real_function("gammaln", vectorised(lgamma), lambda g, out, x: (g * psi(x),), ulp=16, domain=(0.1, 20))
DIGAMMA = real_function(
    "digamma", vectorised(digamma), lambda g, out, x: (g * tri_gamma(x),), ulp=64, domain=(0.1, 20), print_name="psi"
)
TRIGAMMA = real_function(
    "trigamma", lambda x: numpy_polygamma(x, 1), lambda g, out, x: (g * polygamma(2, x),), ulp=16, domain=(0.1, 20),
    print_name="tri_gamma",
)  # fmt: skip
POLYGAMMA = Op(
    "polygamma", _float_dtype, broadcast, numpy_polygamma, Expand(_build_polygamma), _polygamma_gradient, ulp=256,
    domain=(0.1, 20),
)  # fmt: skip
ROWS = (GAMMA, GAMMALN, DIGAMMA, TRIGAMMA, POLYGAMMA)

gamma: Unary = unary(GAMMA, "The gamma function.")
gammaln: Unary = unary(GAMMALN, "The logarithm of the absolute value of the gamma function.")
psi: Unary = unary(DIGAMMA, "The derivative of gammaln (digamma).")
tri_gamma: Unary = unary(TRIGAMMA, "The derivative of psi (trigamma).")


MOST_DERIVATIVES = 100  # beyond, numbers of the reflection formula leave the range of float64


def polygamma(n: int, x: Any) -> Any:
    """The n-th derivative of `psi`; `n` is a Python int, not negative.  Small integers x are computed in float32.

    Raises OpTypeError if `n` is a variable, negative or above 100.

    >>> polygamma(2, [1.0, 2.0]).eval().round(6)
    array([-2.404114, -0.404114])
    """
    try:
        n = operator.index(n)
    except TypeError:
        raise OpTypeError(f"polygamma: the order must be a Python int, got {n!r}") from None
    if n < 0:
        raise OpTypeError(f"polygamma: the order must not be negative, got {n}")
    if n > MOST_DERIVATIVES:
        raise OpTypeError(f"polygamma: the order must not be above {MOST_DERIVATIVES}, got {n}")
    if n < 2:
        return (psi, tri_gamma)[n](x)
    return apply(POLYGAMMA, as_variable(x), n=n)
