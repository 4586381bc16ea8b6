"""Gauss' hypergeometric function of real parameters and a real argument, a step of the host.

Method     Polynomials as sums; z < 0 by Pfaff's transformation, c < a + b by Euler's; to 1/2 the power series, from
           there towards 1 Taylor series of the differential equation, each half as far as the distance from 1.
Derivative by z: a b / c times the function of a + 1, b + 1, c + 1; by a parameter: the same steps with an imaginary
           part of 1e-40 in it, whose effect is the derivative without a difference.
Ref        NIST DLMF 15.2.1, 15.8.1, 15.4.20, 15.10.1; W. Squire and G. Trapp, "Using complex variables to estimate
           derivatives of real functions" (1998).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tensordsl.graph.variables import HOST_OF_REAL, Op, apply
from tensordsl.ops.cotangents import Undefined
from tensordsl.ops.operands import as_variable, broadcast
from tensordsl.ops.special.definitions import float_of_operands, of_one_dtype

TINY_PART = 1e-40
MOST_TERMS = 4000


def _is_pole(x: Any) -> bool:
    real = x.real
    return bool(real <= 0 and real == math.floor(real))


def hypergeometric(a: Any, b: Any, c: Any, z: float) -> Any:
    """2F1(a, b; c; z), of complex numbers next to the real axis for derivatives."""
    if any(math.isnan(v.real) or math.isinf(v.real) for v in (a, b, c)) or math.isnan(z):
        return math.nan
    if z == 0:
        return 1.0
    ends = [-v.real for v in (a, b) if _is_pole(v)]
    if _is_pole(c) and not (ends and min(ends) <= -c.real):
        return math.inf
    if ends and not any(v.imag for v in (a, b) if _is_pole(v)):
        return _polynomial(a, b, c, z, int(min(ends)))
    if z > 1:
        return math.inf
    if z == 1:
        return _at_one(a, b, c)
    if z < 0:
        if a.real > b.real:
            a, b = b, a
        return (1 - z) ** -a * _towards_one(a, c - b, c, z / (z - 1), 1 / (1 - z))
    return _towards_one(a, b, c, z, 1 - z)


def _polynomial(a: Any, b: Any, c: Any, z: float, degree: int) -> Any:
    term = total = 1.0 + 0 * c
    for k in range(degree):
        term = term * ((a + k) * (b + k) / ((c + k) * (k + 1)) * z)
        total = total + term
    return total


def _at_one(a: Any, b: Any, c: Any) -> Any:
    if any(v.imag for v in (a, b, c)):
        return complex(math.nan, math.nan)
    rest = c - a - b
    if rest <= 0:
        return math.inf
    if _is_pole(c - a) or _is_pole(c - b):
        return 0.0
    sign = 1.0
    for v in (c, rest, c - a, c - b):
        sign *= 1.0 if v > 0 or math.floor(v) % 2 == 0 else -1.0
    exponent = math.lgamma(c) + math.lgamma(rest) - math.lgamma(c - a) - math.lgamma(c - b)
    return sign * math.exp(exponent) if exponent < 709 else sign * math.inf


def _towards_one(a: Any, b: Any, c: Any, z: float, rest: float) -> Any:
    """0 < z < 1, rest = 1 - z."""
    if (c - a - b).real < 0:
        return rest ** (c - a - b) * _from_half(c - a, c - b, c, z, rest)
    return _from_half(a, b, c, z, rest)


def _from_half(a: Any, b: Any, c: Any, z: float, rest: float) -> Any:
    at, least = min(z, 0.5), _least(a, b, c)
    term, value, slope = 1.0 + 0 * c, 1.0 + 0 * c, 0.0 * c
    for k in range(MOST_TERMS):
        factor = (a + k) * (b + k) / ((c + k) * (k + 1))
        slope = slope + term * factor * (k + 1)
        term = term * factor * at
        value = value + term
        if k > least and abs(term) * (k + 1) < 1e-18 * abs(value) and abs(factor) < 2:
            break
    distance = 0.5
    while at < z:
        following = max(distance / 2, rest)
        h = distance - following
        value, slope = _taylor(a, b, c, 1 - distance, distance, h, value, slope)
        at = 1 - following if following > rest else z
        distance = following
    return value


def _least(*parameters: Any) -> float:
    """Beyond this index no factor of a term changes its sign."""
    return 4.0 + max(0.0, *(-float(v.real) for v in parameters))


def _taylor(a: Any, b: Any, c: Any, z: float, rest: float, h: float, value: Any, slope: Any) -> tuple[Any, Any]:
    """(F, F') at z + h from those at z = 1 - rest."""
    scale, middle, first = z * rest, 1 - 2 * z, c - (a + b + 1) * z
    u, v = value, slope
    power, total, total_slope, least = h, value + slope * h, slope, _least(a, b, c)
    for n in range(MOST_TERMS):
        w = ((n + a) * (n + b) * u - (n + 1) * (middle * n + first) * v) / (scale * (n + 2) * (n + 1))
        total_slope = total_slope + w * (n + 2) * power
        power *= h
        total = total + w * power
        u, v = v, w
        if n > least and abs(w * power) * (n + 2) < 1e-18 * abs(total):
            break
    return total, total_slope


def _safely(a: float, b: float, c: float, z: float, by: int | None) -> float:
    try:
        if by is None:
            return float(np.real(hypergeometric(a, b, c, z)))
        parameters: list[Any] = [a, b, c]
        parameters[by] = complex(parameters[by], TINY_PART)
        value = hypergeometric(parameters[0], parameters[1], parameters[2], z)
        return float(np.imag(value)) / TINY_PART
    except (OverflowError, ZeroDivisionError):
        return math.inf if by is None else math.nan


def _oracle(by: int | None, *arrays: Any) -> Any:
    arrays = tuple(map(np.asarray, arrays))
    wrapped = np.frompyfunc(lambda a, b, c, z: _safely(float(a), float(b), float(c), float(z), by), 4, 1)
    values = np.asarray(wrapped(*(x.astype("float64") for x in arrays))).astype("float64")
    with np.errstate(all="ignore"):
        return values.astype(float_of_operands(*(str(x.dtype) for x in arrays)))


def _gradient(g: Any, out: Any, a: Any, b: Any, c: Any, z: Any) -> Sequence[Any]:
    slopes = [g * apply(HYP2F1_BY_PARAMETER, a, b, c, z, by=k) for k in range(3)]
    return [*slopes, g * a * b / c * hyp2f1(a + 1, b + 1, c + 1, z)]


def _gradient_by_parameter(g: Any, out: Any, a: Any, b: Any, c: Any, z: Any, by: int) -> Sequence[Any]:
    """By z: the derivative of a b / c F(a + 1, b + 1; c + 1; z) by the parameter."""
    above = a + 1, b + 1, c + 1, z
    slope = a * b / c * apply(HYP2F1_BY_PARAMETER, *above, by=by)
    slope = slope + (b / c, a / c, -a * b / (c * c))[by] * hyp2f1(*above)
    reason = Undefined("hyp2f1 has no second derivative with respect to its parameters")
    return reason, reason, reason, g * slope


HYP2F1 = Op(
    "hyp2f1", float_of_operands, broadcast, lambda a, b, c, z: _oracle(None, a, b, c, z),
    HOST_OF_REAL, of_one_dtype(_gradient), ulp=64, domain=(0.1, 0.9),
)  # fmt: skip
HYP2F1_BY_PARAMETER = Op(
    "hyp2f1_by_parameter", float_of_operands, broadcast, lambda a, b, c, z, by: _oracle(by, a, b, c, z),
    HOST_OF_REAL, of_one_dtype(_gradient_by_parameter), ulp=64,
    domain=(0.1, 0.9),
)  # fmt: skip
ROWS = (HYP2F1, HYP2F1_BY_PARAMETER)


def hyp2f1(a: Any, b: Any, c: Any, z: Any) -> Any:
    """Gauss' hypergeometric function 2F1(a, b; c; z) of real numbers; inf for z > 1 unless it is a polynomial, and
    where c is 0, -1, ...  Computed in Python, about 50 us for each element; the parameters should be below 100.

    >>> hyp2f1(1.0, 1.0, 2.0, [0.5, -1.0]).eval().round(6)
    array([1.386294, 0.693147])
    """
    return apply(HYP2F1, *map(as_variable, (a, b, c, z)))
