"""Running sums and products along an axis, and differences: each element depends on all before it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tensordsl.graph.casting import sum_dtype
from tensordsl.graph.variables import Kernel, Op, apply
from tensordsl.ops.array.index import getitem
from tensordsl.ops.array.shape import flatten
from tensordsl.ops.math.comparisons import and_, eq, neq
from tensordsl.ops.math.elementwise import cast, sub, switch
from tensordsl.ops.operands import as_variable, constant, normalise_axis, shape_of_first, whole_number


def _row(name: str, numpy: Callable[..., Any], gradient: Callable[..., Any]) -> Op:
    def oracle(x: Any, axis: int) -> Any:
        with np.errstate(all="ignore"):
            return numpy(x, axis=axis, dtype=sum_dtype(str(x.dtype)))

    return Op(name, lambda x, axis: sum_dtype(x), shape_of_first, oracle, Kernel("along"), gradient)


def _backwards(x: Any, axis: int) -> Any:
    """The sum of each element and all behind it."""
    turned = (slice(None),) * axis + (slice(None, None, -1),)
    return getitem(apply(CUMSUM, getitem(x, turned), axis=axis), turned)


def _cumsum_gradient(g: Any, out: Any, x: Any, axis: int) -> Sequence[Any]:
    return (_backwards(g, axis),)


def _cumprod_gradient(g: Any, out: Any, x: Any, axis: int) -> Sequence[Any]:
    """Before the first zero the usual quotient; at it the products without it; behind it nothing."""
    zeros = apply(CUMSUM, eq(x, 0), axis=axis)
    is_first = and_(eq(x, 0), eq(zeros, 1))
    without = apply(CUMPROD, switch(is_first, constant(1, dtype=x.type.dtype), x), axis=axis)
    before = eq(zeros, 0)
    quotient = _backwards(g * out, axis) / switch(before, x, constant(1, dtype=x.type.dtype))
    nothing = constant(0, dtype=g.type.dtype)
    return (switch(is_first, _backwards(g * without, axis), switch(before, quotient, nothing)),)


CUMSUM = _row("cumsum", np.cumsum, _cumsum_gradient)
CUMPROD = _row("cumprod", np.cumprod, _cumprod_gradient)
ROWS = (CUMSUM, CUMPROD)


def _running(op: Op, x: Any, axis: int | None, dtype: str | None) -> Any:
    x = as_variable(x)
    if dtype is not None:  # in 64 bits integers are the same, modulo the width
        return cast(_running(op, cast(x, dtype), axis, None), dtype)
    if axis is None:
        return apply(op, x if x.type.ndim == 1 else flatten(x), axis=0)
    return apply(op, x, axis=normalise_axis(axis, x.type.ndim, op.name))


def cumsum(x: Any, axis: int | None = None, dtype: str | None = None) -> Any:
    """The sums of all elements so far along an axis, by default of the flat tensor; integers in 64 bits, as `sum`.

    dtype: of the result, and what x is cast to before.  Elements are added in their order, as NumPy does: every bit of
    the result is NumPy's.

    >>> cumsum([1, 2, 3]).eval()
    array([1, 3, 6])
    """
    return _running(CUMSUM, x, axis, dtype)


def cumprod(x: Any, axis: int | None = None, dtype: str | None = None) -> Any:
    """The products of all elements so far; axis and dtypes as in `cumsum`.

    >>> cumprod([1.0, 2.0, 3.0]).eval()
    array([1., 2., 6.])
    """
    return _running(CUMPROD, x, axis, dtype)


MOST_DIFFERENCES = 1000  # each is an operation


def diff(x: Any, n: int = 1, axis: int = -1) -> Any:
    """The differences of neighbours along an axis, taken n times; of bools: whether neighbours differ.

    >>> diff([1, 4, 9]).eval()
    array([3, 5])
    """
    x = as_variable(x)
    if not 0 <= whole_number(n, "diff", "the order") <= MOST_DIFFERENCES:
        raise ValueError(f"diff: the order must not be negative, nor above {MOST_DIFFERENCES}, got {n}")
    before = (slice(None),) * normalise_axis(axis, x.type.ndim, "diff")
    for _ in range(n):
        step = neq if x.type.dtype == "bool" else sub
        x = step(getitem(x, (*before, slice(1, None))), getitem(x, (*before, slice(None, -1))))
    return x


def bartlett(M: Any) -> Any:
    """The triangular window of M points: rises from 0 to 1 and falls to 0.

    >>> bartlett(5).eval()
    array([0. , 0.5, 1. , 0.5, 0. ])
    """
    from tensordsl.ops.array.creation import arange
    from tensordsl.ops.math.elementwise import abs_

    k = cast(arange(M), "float64")
    n = cast(as_variable(M) - 1, "float64")
    return switch(eq(n, 0), constant(1.0, dtype="float64"), 1 - abs_(2 * k - n) / switch(eq(n, 0), 1, n))
