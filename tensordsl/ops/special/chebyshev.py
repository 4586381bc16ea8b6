"""Sums of Chebyshev polynomials and power series as scalar computations, and the rows of functions made of them.

Contract   scalars get a builder and float64 values; `real_row` makes them of every dtype: float32 is computed in
           float64.
Why        a fit over a wide interval has large coefficients of alternating sign as a power series, small ones here.
Ref        C. Clenshaw, "A note on the summation of Chebyshev series" (1955).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from inspect import signature
from typing import Any

import numpy as np

from tensordsl.graph.casting import float_of, float_of_all
from tensordsl.graph.variables import Op
from tensordsl.ops.rows import Gradient, row
from tensordsl.ops.special.definitions import of_one_dtype

SPLITTER = 134217729.0  # 2^27 + 1: a product with it parts a float in halves (T. Dekker, 1971)


def chebyshev_sum(b: Any, x: Any, table: Sequence[float]) -> Any:
    """The sum of a table (low, high, c_0, c_1, ...) at x in [low, high]."""
    low, high, *coefficients = table
    v = b.fma(x, 2 / (high - low), -(high + low) / (high - low))
    twice = b.add(v, v)
    following, current = b.const(0.0, x.type), b.const(coefficients[-1], x.type)
    for c in coefficients[-2:0:-1]:
        following, current = current, b.fma(twice, current, b.sub(c, following))
    return b.fma(v, current, b.sub(coefficients[0], following))


def power_series(b: Any, x: Any, coefficients: Sequence[float]) -> Any:
    """The polynomial with these coefficients, lowest power first (Horner)."""
    result = b.const(coefficients[-1], x.type)
    for c in coefficients[-2::-1]:
        result = b.fma(result, x, c)
    return result


def widened(scalar: Callable[..., Any]) -> Callable[..., Any]:
    """`scalar` of float64 for operands of any float dtype."""

    def on_one(b: Any, x: Any) -> Any:
        return b.cast(scalar(b, b.cast(x, "float64")), x.type)

    return on_one


def widened_of_two(scalar: Callable[..., Any]) -> Callable[..., Any]:
    def on_two(b: Any, x: Any, y: Any) -> Any:
        return b.cast(scalar(b, b.cast(x, "float64"), b.cast(y, "float64")), x.type)

    return on_two


def real_row(
    name: str, scalar: Callable[..., Any], numpy: Callable[..., Any], gradient: Gradient, **columns: Any
) -> Op:
    """A row of one real operand, whose scalar and oracle see float64."""
    return row(name, widened(scalar), _of_doubles(numpy), gradient, dtype=float_of, wide=True, **columns)


def real_row_of_two(
    name: str, scalar: Callable[..., Any], numpy: Callable[..., Any], gradient: Gradient, **columns: Any
) -> Op:
    """A row of two real operands, whose scalar and oracle see float64."""
    oracle = _of_doubles(numpy)
    return row(name, widened_of_two(scalar), oracle, gradient, dtype=float_of_all, wide=True, **columns)


def loop_row(name: str, loop: str, numpy: Callable[..., Any], gradient: Gradient | None, **columns: Any) -> Op:
    """A row that is a loop of one element, a row of `codegen.scalar_ir.special`, of float64 operands; `numpy`, which
    has as many, is of Python floats."""

    def scalar(b: Any, *operands: Any) -> Any:
        wide = (b.cast(x, "float64") for x in operands)
        return b.cast(b.repeat(loop, b.const(True, "bool"), *wide), operands[0].type)

    def of_one(b: Any, x: Any) -> Any:
        return scalar(b, x)

    def of_two(b: Any, x: Any, y: Any) -> Any:
        return scalar(b, x, y)

    def of_three(b: Any, x: Any, y: Any, z: Any) -> Any:
        return scalar(b, x, y, z)

    scalars: dict[int, Callable[..., Any]] = {1: of_one, 2: of_two, 3: of_three}
    with_names = scalars.get(len(signature(numpy).parameters), scalar)
    derivative = gradient and of_one_dtype(gradient)
    return row(name, with_names, of_floats(numpy), derivative, dtype=float_of_all, wide=True, **columns)


def of_floats(function: Callable[..., float]) -> Callable[..., Any]:
    """A function of Python floats at each point of arrays, in float64."""

    def oracle(*arrays: Any) -> Any:
        each = np.frompyfunc(lambda *x: function(*map(float, x)), len(arrays), 1)
        return np.asarray(each(*arrays)).astype("float64")

    return oracle


def _of_doubles(numpy: Callable[..., Any]) -> Callable[..., Any]:
    def oracle(*arrays: Any) -> Any:
        return numpy(*(np.asarray(x, "float64") for x in arrays))

    return oracle


def exact_product(x: float, y: float) -> tuple[float, float]:
    """x y and its rounding error."""
    p = x * y
    a, b = (v * SPLITTER for v in (x, y))
    x_high, y_high = a - (a - x), b - (b - y)
    x_low, y_low = x - x_high, y - y_high
    return p, ((x_high * y_high - p) + x_high * y_low + x_low * y_high) + x_low * y_low
