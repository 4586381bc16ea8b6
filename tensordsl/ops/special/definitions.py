"""Rows that are defined by other operations in float64, and integrals as sums over nodes.

Contract   `defined_row` hands float64 operands of one shape to the definition and casts its result; `by_nodes` gives
           an axis of nodes behind the operands' axes, over which a definition sums.
Why        a sum over a constant axis is a reduction that is fused with what it adds: native code without a loop over
           arrays.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache, wraps
from typing import Any

import numpy as np

from tensordsl.graph.casting import float_of_all
from tensordsl.graph.variables import Expand, Op
from tensordsl.ops.math.elementwise import cast, second
from tensordsl.ops.operands import broadcast, constant


def float_of_operands(*dtypes: str, **attrs: Any) -> str:
    return float_of_all(*dtypes)


def as_doubles(*operands: Any) -> list[Any]:
    """The operands in float64, each in the shape of all."""
    wide = [cast(x, "float64") for x in operands]
    return [_in_shape_of(x, [y for y in wide if y is not x]) for x in wide]


def _in_shape_of(x: Any, others: Sequence[Any]) -> Any:
    for y in others:
        if not (y.type.ndim == 0 or (y.type.shape == x.type.shape and None not in y.type.shape)):
            x = second(y, x)
    return x


def defined_row(
    name: str, build: Callable[..., Any], oracle: Callable[..., float], gradient: Any, **columns: Any
) -> Op:
    """A row that is `build` of float64 operands; `oracle` is a function of Python floats."""

    def cast_build(*operands: Any, **attrs: Any) -> Any:
        dtype = float_of_operands(*(x.type.dtype for x in operands))
        return cast(build(*as_doubles(*operands), **attrs), dtype)

    def numpy(*arrays: Any, **attrs: Any) -> Any:
        arrays = tuple(map(np.asarray, arrays))
        wrapped = np.frompyfunc(lambda *x: oracle(*map(float, x), **attrs), len(arrays), 1)
        with np.errstate(all="ignore"):
            values = np.asarray(wrapped(*(a.astype("float64") for a in arrays))).astype("float64")
            return values.astype(float_of_operands(*(str(a.dtype) for a in arrays)))

    return Op(name, float_of_operands, broadcast, numpy, Expand(cast_build), of_one_dtype(gradient), **columns)


def of_one_dtype(gradient: Callable[..., Any]) -> Callable[..., Any]:
    """The gradient of operands in the result's dtype: of numbers beside a float64, which are small floats, functions
    would be computed in float32."""

    @wraps(gradient)
    def of_cast_operands(g: Any, out: Any, *operands: Any, **attrs: Any) -> Any:
        dtype = float_of_operands(*(x.type.dtype for x in operands))
        return gradient(g, out, *(cast(x, dtype) for x in operands), **attrs)

    return of_cast_operands


def central_moment(j: int, k: int, cumulant: Callable[[int, int], Any]) -> Any:
    """The mean of (X - EX)^j (Y - EY)^k from the joint cumulants of X and Y, by the recurrence that gives derivatives
    of a function from those of its logarithm."""
    if (j, k) == (0, 0):
        return 1.0
    if j == 0:
        return central_moment(k, 0, lambda p, q: cumulant(q, p))
    total: Any = 0.0
    for p in range(j):
        for q in range(k + 1):
            if (p, q) == (0, 0) or (j - 1 - p) + (k - q) == 1:  # a first cumulant or moment, which is 0
                continue
            count = float(math.comb(j - 1, p) * math.comb(k, q))
            total = total + count * cumulant(p + 1, q) * central_moment(j - 1 - p, k - q, cumulant)
    return total


def constant_like(value: Any, x: Any) -> Any:
    """A number, or what is a variable already, in float64 and in the shape of x."""
    return second(x, constant(float(value), dtype="float64") if isinstance(value, int | float) else value)


def by_nodes(*operands: Any) -> list[Any]:
    """The operands with an axis of length 1 behind all others."""
    return [x.dimshuffle(*range(x.type.ndim), "x") for x in operands]


def nodes(values: Any) -> Any:
    return constant(np.asarray(values, "float64"))


@cache
def legendre(count: int) -> tuple[Any, Any]:
    """Nodes and weights of Gauss and Legendre on [0, 1]."""
    places, weights = np.polynomial.legendre.leggauss(count)
    return (places + 1) / 2, weights / 2


@cache
def exp_sinh(end: float, count: int) -> tuple[Any, Any]:
    """Nodes and weights of exp(pi/2 sinh(u)), |u| <= end, on (0, inf)."""
    u = np.linspace(-end, end, count)
    places = np.exp(np.pi / 2 * np.sinh(u))
    return places, places * np.pi / 2 * np.cosh(u) * (u[1] - u[0])
