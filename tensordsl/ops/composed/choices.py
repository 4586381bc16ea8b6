"""Choices among tensors and among intervals: select, piecewise, interpolation, bins."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tensordsl.graph.casting import upcast
from tensordsl.graph.types import COMPLEX, DISCRETE
from tensordsl.graph.variables import OpTypeError, Variable
from tensordsl.ops.array.grids import linspace
from tensordsl.ops.array.index import getitem
from tensordsl.ops.array.masks import flatnonzero
from tensordsl.ops.array.reduce import all, bound, sum
from tensordsl.ops.array.shape import concatenate, dimshuffle, flatten, reshape, shape_i, size
from tensordsl.ops.array.sort import argsort, bincount, searchsorted
from tensordsl.ops.composed.stacks import broadcast_arrays
from tensordsl.ops.control import require
from tensordsl.ops.math.comparisons import and_, eq, ge, gt, invert, isfinite, isnan, le, lt, or_
from tensordsl.ops.math.elementwise import cast, clip, maximum, minimum, mod, second, switch
from tensordsl.ops.operands import as_variable, constant, whole_number


def select(condlist: Sequence[Any], choicelist: Sequence[Any], default: Any = 0) -> Any:
    """At each point the choice of the first condition that is true there, `default` where none is.

    >>> x = as_variable([1, 5, 9])
    >>> select([x < 3, x < 7], [x, 10 * x], -1).eval()
    array([ 1, 50, -1])
    """
    conditions, choices = [as_variable(c) for c in condlist], [as_variable(c) for c in choicelist]
    if len(conditions) != len(choices) or not conditions:
        raise ValueError(
            f"select: {len(conditions)} conditions for {len(choices)} choices; as many of both, at least one"
        )
    for c in conditions:
        if c.type.dtype != "bool":
            raise OpTypeError(f"select: the conditions must be bools, got {c.type}")
    result = as_variable(default)
    dtype = upcast(result.type.dtype, *(c.type.dtype for c in choices))
    result = cast(result, dtype)
    for condition, choice in zip(conditions[::-1], choices[::-1], strict=True):
        result = switch(condition, cast(choice, dtype), result)
    return result


def piecewise(x: Any, condlist: Any, funclist: Sequence[Any], *args: Any, **kw: Any) -> Any:
    """At each point of x the function of the last condition that is true there; where none is, 0 or a function more.

    funclist: numbers, or functions of x and the other arguments, as many as conditions, or one more.  All functions are
    computed at all points; the result has the dtype of x.

    >>> piecewise([-2.0, 3.0], [as_variable([True, False])], [lambda x: -x, lambda x: 2 * x]).eval()
    array([2., 6.])
    """
    x = as_variable(x)
    several = isinstance(condlist, (list, tuple)) and not np.isscalar(condlist[0] if condlist else True)
    conditions = [as_variable(c) for c in (condlist if several else [condlist])]
    conditions = [c if c.type.dtype == "bool" else invert(eq(c, 0)) for c in conditions]
    functions = list(funclist)
    if len(functions) not in (len(conditions), len(conditions) + 1):
        raise ValueError(
            f"piecewise: with {len(conditions)} conditions, wants as many functions or one more, got {len(functions)}"
        )

    def value(f: Any) -> Any:
        return cast(as_variable(f(x, *args, **kw) if callable(f) and not isinstance(f, Variable) else f), x.type.dtype)

    result = value(functions.pop() if len(functions) > len(conditions) else 0)
    for condition, f in zip(conditions, functions, strict=True):
        result = switch(condition, value(f), result)
    return second(x, result)


def extract(condition: Any, arr: Any) -> Any:
    """The elements of the flat arr where the flat condition is not 0.

    >>> extract([True, False, True], [1, 2, 3]).eval()
    array([1, 3])
    """
    condition, x = as_variable(condition), as_variable(arr)
    flat = [flatten(v) if v.type.ndim else dimshuffle(v, ("x",)) for v in (condition, x)]
    return getitem(flat[1], (flatnonzero(flat[0]),))


# -- interpolation ---------------------------------------------------------------------------------------------------
def interp(x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None, period: Any = None) -> Any:
    """The piecewise linear function through the points (xp[k], fp[k]) at x, as `numpy.interp`; float64.

    xp: a vector that increases (not checked, as in NumPy).  left, right: the values outside of it, by default fp[0] and
    fp[-1].  period: xp is taken modulo this, and need not be sorted; left and right are then without effect.
    Gradients flow to x, xp and fp.

    >>> interp([0.0, 1.5, 9.0], [1.0, 2.0, 3.0], [10.0, 20.0, 40.0]).eval()
    array([10., 15., 40.])
    """
    x, xp, fp = (as_variable(v) for v in (x, xp, fp))
    if xp.type.ndim != 1 or fp.type.ndim != 1:
        raise ValueError(f"interp: the points must be two vectors, got {xp.type} and {fp.type}")
    if x.type.dtype in COMPLEX or xp.type.dtype in COMPLEX:
        raise OpTypeError("interp: the coordinates must be real")
    values = "complex128" if fp.type.dtype in COMPLEX else "float64"
    x, xp, fp = cast(x, "float64"), cast(xp, "float64"), cast(fp, values)
    if period is not None:
        period = as_variable(period)
        period = cast(switch(lt(period, 0), -period, period), "float64")
        x, xp = mod(x, period), mod(xp, period)
        order = argsort(xp)
        xp, fp = getitem(xp, (order,)), getitem(fp, (order,))
        xp = concatenate([getitem(xp, slice(-1, None)) - period, xp, getitem(xp, slice(0, 1)) + period])
        fp = concatenate([getitem(fp, slice(-1, None)), fp, getitem(fp, slice(0, 1))])
        left = right = None
    n = shape_i(xp, 0)
    k = clip(searchsorted(xp, x, "right") - 1, 0, maximum(n - 2, 0))
    after = minimum(k + 1, n - 1)
    x0, x1, y0, y1 = (getitem(v, (at,)) for v, at in ((xp, k), (xp, after), (fp, k), (fp, after)))
    gap = x1 - x0
    slope = (y1 - y0) / switch(eq(gap, 0), constant(1.0, dtype="float64"), gap)
    inside = switch(eq(x, x1), y1, switch(eq(x, x0), y0, slope * (x - x0) + y0))
    if values == "float64":  # infinite values: from the other end, or the same one
        other = slope * (x - x1) + y1
        inside = switch(isnan(inside), switch(and_(isnan(other), eq(y0, y1)), y0, other), inside)
    low = getitem(fp, 0) if left is None else cast(as_variable(left), values)
    high = getitem(fp, -1) if right is None else cast(as_variable(right), values)
    result = switch(lt(x, getitem(xp, 0)), low, switch(gt(x, getitem(xp, -1)), high, inside))
    return switch(isnan(x), cast(x, values), result)


def interpolate1d(
    x: Any, y: Any, method: str = "linear", left_pad: Any = None, right_pad: Any = None, extrapolate: bool = True
) -> Callable[[Any], Any]:
    """A function that interpolates between the points (x[k], y[k]), sorted here by x.

    method: "linear", "nearest", "first" (the value on the left), "last" (on the right) or "mean" of both.
    extrapolate: the ends' rule goes on outside, unless left_pad and right_pad are given.

    >>> interpolate1d(as_variable([0.0, 1.0]), as_variable([0.0, 10.0]))(as_variable(0.25)).eval()
    array(2.5)
    """
    if method not in ("linear", "nearest", "first", "last", "mean"):
        raise ValueError(
            f"interpolate1d: unknown method {method!r}; use 'linear', 'nearest', 'first', 'last' or 'mean'"
        )
    x, y = as_variable(x), as_variable(y)
    if x.type.ndim != 1 or y.type.ndim != 1:
        raise ValueError(f"interpolate1d: the points must be two vectors, got {x.type} and {y.type}")
    order = argsort(x)
    xs, ys = getitem(x, (order,)), getitem(y, (order,))

    def function(at: Any) -> Any:
        at = as_variable(at)
        n = shape_i(xs, 0)
        k = clip(searchsorted(xs, at, "right") - 1, 0, maximum(n - 2, 0))
        after = minimum(k + 1, n - 1)
        x0, x1, y0, y1 = (getitem(v, (j,)) for v, j in ((xs, k), (xs, after), (ys, k), (ys, after)))
        if method == "linear":
            gap = x1 - x0
            found = y0 + (at - x0) * ((y1 - y0) / switch(eq(gap, 0), 1, gap))
        elif method == "nearest":
            found = switch(le(at - x0, x1 - at), y0, y1)
        else:
            found = {"first": y0, "last": y1, "mean": (y0 + y1) / 2}[method]
        is_left, is_right = lt(at, getitem(xs, 0)), gt(at, getitem(xs, -1))
        low = left_pad if left_pad is not None else None if extrapolate else getitem(ys, 0)
        high = right_pad if right_pad is not None else None if extrapolate else getitem(ys, -1)
        found = found if low is None else switch(is_left, low, found)
        return found if high is None else switch(is_right, high, found)

    return function


# -- bins ------------------------------------------------------------------------------------------------------------
def digitize(x: Any, bins: Any, right: bool = False) -> Any:
    """For each element of x the number of the bin it lies in: bins[k-1] <= x < bins[k] gives k; int64.

    bins: a vector that increases or decreases, else ValueError.  right: the bins' other end is closed.

    >>> digitize([0.5, 1.0, 9.0], [0.0, 1.0, 2.0]).eval()
    array([1, 2, 3])
    """
    x, bins = as_variable(x), as_variable(bins)
    if bins.type.ndim != 1:
        raise ValueError(f"digitize: the bins must be a vector, got {bins.type}")
    if x.type.dtype in COMPLEX or bins.type.dtype in COMPLEX:
        raise OpTypeError("digitize: not defined for complex numbers")
    low, high = getitem(bins, slice(None, -1)), getitem(bins, slice(1, None))
    rises, falls = all(le(low, high)), all(ge(low, high))
    bins = require(bins, or_(rises, falls), "digitize: bins must be monotonically increasing or decreasing")
    down = getitem(bins, slice(None, None, -1))
    up_side, down_side = ("left", "right") if right else ("right", "left")
    backwards = shape_i(bins, 0) - searchsorted(down, x, down_side)
    return switch(rises, searchsorted(bins, x, up_side), backwards)


def histogram_bin_edges(a: Any, bins: Any = 10, range: Any = None, weights: Any = None) -> Any:
    """The edges of the bins that `histogram` counts in.

    >>> histogram_bin_edges([0.0, 4.0], 2).eval()
    array([0., 2., 4.])
    """
    x = as_variable(a)
    if isinstance(bins, str):
        raise NotImplementedError(
            f"histogram: rules for the number of bins ({bins!r}) are not supported; give a number"
        )
    if isinstance(bins, (list, tuple, np.ndarray)) or (isinstance(bins, Variable) and bins.type.ndim):
        edges = as_variable(bins)
        if edges.type.ndim != 1:
            raise ValueError(f"histogram: the edges must be a vector, got {edges.type}")
        rises = all(le(getitem(edges, slice(None, -1)), getitem(edges, slice(1, None))))
        return require(edges, rises, "histogram: the edges must increase")
    if not isinstance(bins, Variable) and whole_number(bins, "histogram", "the number of bins") < 1:
        raise ValueError("histogram: the number of bins must be positive")
    flat = flatten(x) if x.type.ndim else dimshuffle(x, ("x",))
    flat = cast(flat, "int8") if x.type.dtype == "bool" else flat
    if range is None:
        is_empty = eq(size(flat), 0)
        zero, one = (constant(v, dtype="float64") for v in (0.0, 1.0))
        top = cast(dimshuffle(bound(flat, (0,)), ()), "float64")
        least = -cast(dimshuffle(bound(-_signed(flat), (0,)), ()), "float64")
        first, last = switch(is_empty, zero, least), switch(is_empty, one, top)
    else:
        first, last = (cast(as_variable(v), "float64") for v in range)
    is_good = and_(and_(isfinite(first), isfinite(last)), le(first, last))
    first = require(first, is_good, "histogram: the range must be finite, and its end not less than its start")
    is_point = eq(first, last)
    first, last = switch(is_point, first - 0.5, first), switch(is_point, last + 0.5, last)
    return linspace(first, last, as_variable(bins) + constant(1, dtype="int64"))


def _signed(x: Any) -> Any:
    return cast(x, "float64") if x.type.dtype in DISCRETE else x


def histogram(
    a: Any, bins: Any = 10, range: Any = None, density: bool | None = None, weights: Any = None
) -> tuple[Any, Any]:
    """(how many elements of the flat a lie in each bin, the edges of the bins); the last bin contains its right edge.

    bins: their number, at equal widths over `range` (by default from the least to the largest element), or the edges.
    weights: what each element counts.  density: divided by the sum and the widths.  Counts are int64.

    >>> [part.eval().tolist() for part in histogram([1, 2, 1], [0, 1, 2, 3])]
    [[0, 2, 1], [0, 1, 2, 3]]
    """
    x = as_variable(a)
    edges = histogram_bin_edges(x, bins, range)
    flat = flatten(x) if x.type.ndim else dimshuffle(x, ("x",))
    count = shape_i(edges, 0) - 1
    k = searchsorted(edges, flat, "right") - 1
    k = switch(eq(flat, getitem(edges, -1)), count - 1, k)
    is_in = and_(and_(ge(k, 0), lt(k, count)), and_(ge(flat, getitem(edges, 0)), le(flat, getitem(edges, -1))))
    where = flatnonzero(is_in)
    inside = getitem(k, (where,))
    if weights is None:
        found = bincount(inside, minlength=count)
    else:
        weights = as_variable(weights)
        flat_weights = reshape(broadcast_arrays(weights, x)[0], (-1,)) if x.type.ndim else dimshuffle(weights, ("x",))
        found = bincount(inside, getitem(flat_weights, (where,)), minlength=count)
    if density:
        widths = cast(getitem(edges, slice(1, None)) - getitem(edges, slice(None, -1)), "float64")
        found = cast(found, "float64") / widths / cast(sum(found), "float64")
    return found, edges
