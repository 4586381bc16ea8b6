"""Statistics over axes: averages, quantiles, covariances, and the reductions that leave nan out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tensordsl.graph.casting import upcast
from tensordsl.graph.types import COMPLEX, CONTINUOUS, DISCRETE, FLOATS
from tensordsl.graph.variables import OpTypeError
from tensordsl.ops.array.creation import arange
from tensordsl.ops.array.cumulative import cumprod, cumsum
from tensordsl.ops.array.index import diagonal, getitem
from tensordsl.ops.array.reduce import all, any, argmax, argmin, as_one_axis, max, mean, min, prod, size_over, sum
from tensordsl.ops.array.shape import broadcast_to, concatenate, dimshuffle, flatten, shape_i, shape_tuple
from tensordsl.ops.array.sort import sort
from tensordsl.ops.control import require
from tensordsl.ops.linalg.products import dot
from tensordsl.ops.math.comparisons import and_, eq, ge, gt, invert, isnan, le, lt, neq
from tensordsl.ops.math.elementwise import abs_, cast, ceil, clip, floor, maximum, sqr, sqrt, switch
from tensordsl.ops.math.elementwise import round as rint
from tensordsl.ops.operands import as_variable, constant, normalise_axes, whole_number


def _like(value: float, x: Any) -> Any:
    return constant(np.asarray(value).astype(x.type.dtype))


# -- without nan -----------------------------------------------------------------------------------------------------
def _without_nan(x: Any, instead: float) -> Any:
    return switch(isnan(x), _like(instead, x), x) if x.type.dtype in CONTINUOUS else x


def nansum(a: Any, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Any:
    """The sum over `axis` of what is not nan.

    >>> nansum([1.0, np.nan, 2.0]).eval()
    array(3.)
    """
    return sum(_without_nan(as_variable(a), 0), axis, dtype, keepdims)


def nanprod(a: Any, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Any:
    """The product over `axis` of what is not nan.

    >>> nanprod([3.0, np.nan, 2.0]).eval()
    array(6.)
    """
    return prod(_without_nan(as_variable(a), 1), axis, dtype, keepdims)


def nancumsum(a: Any, axis: int | None = None, dtype: Any = None) -> Any:
    """The running sums along an axis, to which nan adds nothing.

    >>> nancumsum([1.0, np.nan, 2.0]).eval()
    array([1., 1., 3.])
    """
    return cumsum(_without_nan(as_variable(a), 0), axis, dtype)


def nancumprod(a: Any, axis: int | None = None, dtype: Any = None) -> Any:
    """The running products along an axis, in which nan counts as 1.

    >>> nancumprod([3.0, np.nan, 2.0]).eval()
    array([3., 3., 6.])
    """
    return cumprod(_without_nan(as_variable(a), 1), axis, dtype)


def nanmax(a: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The largest element over `axis` that is not nan; nan where all are.

    >>> nanmax([1.0, np.nan, 2.0]).eval()
    array(2.)
    """
    return _nan_extreme(max, as_variable(a), axis, keepdims, -np.inf)


def nanmin(a: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The smallest element over `axis` that is not nan; nan where all are.

    >>> nanmin([1.0, np.nan, 2.0]).eval()
    array(1.)
    """
    return _nan_extreme(min, as_variable(a), axis, keepdims, np.inf)


def _nan_extreme(extreme: Callable[..., Any], x: Any, axis: Any, keepdims: bool, instead: float) -> Any:
    if x.type.dtype in DISCRETE:
        return extreme(x, axis, keepdims)
    result = extreme(_without_nan(x, instead), axis, keepdims)
    return switch(all(isnan(x), axis, keepdims), _like(np.nan, x), result)


def nanargmax(a: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The position of the largest element that is not nan; ValueError at run time where all are.

    >>> nanargmax([1.0, np.nan, 2.0]).eval()
    array(2)
    """
    return _nan_position(argmax, as_variable(a), axis, keepdims, -np.inf)


def nanargmin(a: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The position of the smallest element that is not nan; ValueError at run time where all are.

    >>> nanargmin([np.nan, 1.0, 2.0]).eval()
    array(1)
    """
    return _nan_position(argmin, as_variable(a), axis, keepdims, np.inf)


def _nan_position(position: Callable[..., Any], x: Any, axis: Any, keepdims: bool, instead: float) -> Any:
    if x.type.dtype in DISCRETE:
        return position(x, axis, keepdims)
    # The first of equal ones: infinities that stand for nan must not come before those that are there.
    plain = _without_nan(x, instead)
    best = {argmax: max, argmin: min}[position](plain, axis, keepdims=True)
    chosen = argmax(and_(eq(plain, best), invert(isnan(x))), axis, keepdims)
    message = f"nan{position.__name__}: All-NaN slice encountered"
    return require(chosen, invert(any(all(isnan(x), axis))), message)


def _numbers(x: Any, axis: Any) -> Any:
    """How many elements over `axis` are not nan, the axes kept."""
    return sum(cast(invert(isnan(x)), "int64"), axis, keepdims=True)


def nanmean(a: Any, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Any:
    """The mean over `axis` of what is not nan; nan where all are.

    >>> nanmean([1.0, np.nan, 2.0]).eval()
    array(1.5)
    """
    x = as_variable(a)
    if x.type.dtype in DISCRETE:
        return mean(x, axis, dtype, keepdims)
    x = x if dtype is None else cast(x, dtype)
    own = x.type.dtype
    x = cast(x, "float32") if own == "float16" else x
    axes = normalise_axes(axis, x.type.ndim, "nanmean")
    count = cast(_numbers(x, axes), "float64" if own not in ("float16", "float32", "complex64") else "float32")
    result = cast(sum(_without_nan(x, 0), axes, keepdims=True) / count, own)
    return result if keepdims else _dropped(result, axes)


def _dropped(x: Any, axes: tuple[int, ...]) -> Any:
    return dimshuffle(x, tuple(k for k in range(x.type.ndim) if k not in axes))


def nanvar(a: Any, axis: Any = None, dtype: Any = None, ddof: int = 0, keepdims: bool = False) -> Any:
    """The variance over `axis` of what is not nan; nan where there are not more than `ddof` elements.

    >>> nanvar([1.0, np.nan, 3.0]).eval()
    array(1.)
    """
    x = as_variable(a)
    x = cast(x, "float64") if x.type.dtype in DISCRETE else x
    x = x if dtype is None else cast(x, dtype)
    own = x.type.dtype
    x = cast(x, "float32") if own == "float16" else x
    axes = normalise_axes(axis, x.type.ndim, "nanvar")
    count = _numbers(x, axes)
    centred = x - nanmean(x, axes, keepdims=True)
    squares = sqr(abs_(centred)) if own in COMPLEX else sqr(centred)
    total = sum(switch(isnan(x), _like(0, squares), squares), axes, keepdims=True)
    rest = count - ddof
    result = switch(gt(rest, 0), total / cast(rest, total.type.dtype), _like(np.nan, total))
    result = cast(result, own) if own not in COMPLEX else result
    return result if keepdims else _dropped(result, axes)


def nanstd(a: Any, axis: Any = None, dtype: Any = None, ddof: int = 0, keepdims: bool = False) -> Any:
    """The square root of `nanvar`.

    >>> nanstd([1.0, np.nan, 3.0]).eval()
    array(1.)
    """
    return sqrt(nanvar(a, axis, dtype, ddof, keepdims))


def nanmedian(a: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The median over `axis` of what is not nan; nan where all are.

    >>> nanmedian([1.0, np.nan, 3.0]).eval()
    array(2.)
    """
    return nanquantile(a, 0.5, axis, keepdims=keepdims)


# -- quantiles -------------------------------------------------------------------------------------------------------
def _linear_places(alpha: float, beta: float) -> Callable[[Any, Any], Any]:
    """Hyndman and Fan's family (The American Statistician 50, 1996): where a quantile lies among n sorted elements."""
    return lambda n, q: n * q + (alpha + q * (1 - alpha - beta)) - 1


_METHODS: dict[str, Callable[[Any, Any], Any]] = {
    "linear": lambda n, q: (n - 1) * q,
    "lower": lambda n, q: floor((n - 1) * q),
    "higher": lambda n, q: ceil((n - 1) * q),
    "midpoint": lambda n, q: (floor((n - 1) * q) + ceil((n - 1) * q)) * 0.5,
    "nearest": lambda n, q: rint((n - 1) * q),
    "inverted_cdf": lambda n, q: ceil(n * q - 1),
    "interpolated_inverted_cdf": _linear_places(0, 1),
    "hazen": _linear_places(0.5, 0.5),
    "weibull": _linear_places(0, 0),
    "median_unbiased": _linear_places(1 / 3, 1 / 3),
    "normal_unbiased": _linear_places(3 / 8, 3 / 8),
}


def quantile(a: Any, q: Any, axis: Any = None, method: str = "linear", keepdims: bool = False) -> Any:
    """The q-quantile over `axis`: what a fraction q of the elements lies below; nan if there is one.

    q: a number or a tensor of numbers in [0, 1] (else ValueError), whose axes stand first in the result; may be
    symbolic.  method: "linear", "lower", "higher", "midpoint", "nearest", "inverted_cdf",
    "interpolated_inverted_cdf", "hazen", "weibull", "median_unbiased" or "normal_unbiased", as `numpy.quantile`.
    Integers give float64.  The gradient goes to the elements that the quantile lies between.

    >>> quantile([1.0, 2.0, 4.0], [0.5, 0.75]).eval()
    array([2., 3.])
    """
    return _quantile(a, q, axis, method, keepdims, "quantile", 1, skips_nan=False)


def percentile(a: Any, q: Any, axis: Any = None, method: str = "linear", keepdims: bool = False) -> Any:
    """`quantile` with q in percent.

    >>> percentile([1.0, 2.0, 4.0], 75).eval()
    array(3.)
    """
    return _quantile(a, q, axis, method, keepdims, "percentile", 100, skips_nan=False)


def nanquantile(a: Any, q: Any, axis: Any = None, method: str = "linear", keepdims: bool = False) -> Any:
    """`quantile` of what is not nan; nan where all are.

    >>> nanquantile([1.0, np.nan, 2.0, 4.0], 0.75).eval()
    array(3.)
    """
    return _quantile(a, q, axis, method, keepdims, "nanquantile", 1, skips_nan=True)


def nanpercentile(a: Any, q: Any, axis: Any = None, method: str = "linear", keepdims: bool = False) -> Any:
    """`percentile` of what is not nan; nan where all are.

    >>> nanpercentile([1.0, np.nan, 2.0, 4.0], 75).eval()
    array(3.)
    """
    return _quantile(a, q, axis, method, keepdims, "nanpercentile", 100, skips_nan=True)


def _quantile(
    a: Any, q: Any, axis: Any, method: str, keepdims: bool, what: str, scale: int, skips_nan: bool
) -> Any:  # fmt: skip
    if not isinstance(method, str) or method not in _METHODS:
        raise ValueError(f"{what}: unknown method {method!r}; use one of {', '.join(map(repr, _METHODS))}")
    x, q = as_variable(a), as_variable(q)
    if x.type.dtype in COMPLEX or q.type.dtype in COMPLEX:
        raise OpTypeError(f"{what}: not defined for complex numbers")
    picks = method in ("lower", "higher", "nearest", "inverted_cdf")
    if x.type.dtype in DISCRETE and not picks:
        x = cast(x, "float64")
    q = cast(q, "float64") / scale if scale != 1 else cast(q, "float64")
    message = f"{what}: q must be in the range [0, {scale}]"
    q = require(q, all(and_(ge(q, 0), le(q, 1))), message)
    axes = normalise_axes(axis, x.type.ndim, what)
    line = sort(as_one_axis(x, axes) if axes else dimshuffle(x, (*range(x.type.ndim), "x")), -1)
    rank = line.type.ndim - 1
    n = shape_i(line, rank)
    numbers = line.type.dtype in CONTINUOUS
    count = sum(cast(invert(isnan(line)), "int64"), rank) if skips_nan and numbers else n
    outer = dimshuffle(q, (*range(q.type.ndim), *("x",) * rank))  # q's axes, then the others
    most = cast(count, "float64") - 1
    place = clip(_METHODS[method](cast(count, "float64"), outer), 0, maximum(most, 0))
    low = floor(place)
    lower, upper = _elements(line, low), _elements(line, ceil(place))
    if picks:
        result = lower
    else:
        t = cast(place - low, line.type.dtype)
        gap = upper - lower
        result = switch(lt(t, 0.5), lower + gap * t, upper - gap * (1 - t))
        result = switch(eq(lower, upper), lower, result)
    if numbers:
        is_none = eq(count, 0) if skips_nan else any(isnan(line), rank)
        result = switch(is_none, _like(np.nan, line), result)
    if not keepdims:
        return result
    kept = iter(range(q.type.ndim, q.type.ndim + rank))
    return dimshuffle(result, (*range(q.type.ndim), *("x" if k in axes else next(kept) for k in range(x.type.ndim))))


def _elements(line: Any, place: Any) -> Any:
    """The elements at `place` (with the axes of `line` but the last as its last ones) along the last axis."""
    rank = line.type.ndim - 1
    others = [dimshuffle(arange(shape_i(line, k)), (0, *("x",) * (rank - 1 - k))) for k in range(rank)]
    return getitem(line, (*others, cast(place, "int64")))


# -- averages and covariances ----------------------------------------------------------------------------------------
def average(
    a: Any, axis: Any = None, weights: Any = None, returned: bool = False, keepdims: bool = False
) -> Any:  # fmt: skip
    """The weighted mean over `axis`.

    weights: of the shape of a, or of its axes `axis`; all 1 if not given.  returned: also the sum of the weights.
    ZeroDivisionError is not raised for weights that add up to 0: the result is then nan or infinite.

    >>> average([1.0, 2.0, 3.0], weights=[3, 1, 0]).eval()
    array(1.25)
    """
    x = as_variable(a)
    axes = normalise_axes(axis, x.type.ndim, "average")
    if weights is None:
        result = mean(x, axes, keepdims=keepdims)
        scale: Any = broadcast_to(cast(size_over(x, axes), result.type.dtype), shape_tuple(result))
    else:
        w = as_variable(weights)
        if w.type.ndim != x.type.ndim:
            if w.type.ndim != len(axes):
                raise TypeError(
                    f"average: the weights must have the shape of a ({x.type}) or of its axes {axes}, got {w.type}"
                )
            w = dimshuffle(w, tuple(axes.index(k) if k in axes else "x" for k in range(x.type.ndim)))
        dtype = upcast(x.type.dtype, w.type.dtype)
        dtype = "float64" if dtype in DISCRETE else dtype
        x, w = cast(x, dtype), broadcast_to(cast(w, dtype), shape_tuple(x))
        scale = sum(w, axes, keepdims=keepdims)
        result = sum(x * w, axes, keepdims=keepdims) / scale
    return (result, scale) if returned else result


def cov(
    m: Any, y: Any = None, rowvar: bool = True, bias: bool = False, ddof: int | None = None, fweights: Any = None,
    aweights: Any = None, dtype: Any = None,
) -> Any:  # fmt: skip
    """The covariance matrix of variables, one a row (or, `rowvar` false, a column), over their observations.

    y: more variables.  Divided by the number of observations less `ddof` (1; 0 if `bias`).  fweights: how often each
    observation is counted; aweights: weights of observations.

    >>> cov([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]]).eval()
    array([[ 1., -1.],
           [-1.,  1.]])
    """
    x = _observations(m, rowvar, "cov")
    parts = [x] if y is None else [x, _observations(y, rowvar, "cov")]
    common = upcast("float64", *(p.type.dtype for p in parts)) if dtype is None else dtype
    x = concatenate([cast(p, common) for p in parts], 0)
    if ddof is None:
        ddof = 0 if bias else 1
    elif whole_number(ddof, "cov", "ddof") != ddof:
        raise ValueError("cov: ddof must be an integer")
    w = None
    for given in (fweights, aweights):
        if given is not None:
            given = as_variable(given)
            if given.type.ndim != 1:
                raise ValueError(f"cov: weights must be a vector, got {given.type}")
            given = cast(given, "float64")
            w = given if w is None else w * given
    n = cast(shape_i(x, 1), "float64") if w is None else sum(w)
    if w is None:
        centre, factor = mean(x, 1, keepdims=True), n - ddof
    else:
        w = dimshuffle(cast(w, x.type.dtype), ("x", 0))
        centre = sum(x * w, 1, keepdims=True) / cast(n, x.type.dtype)
        if ddof == 0 or aweights is None:
            factor = n - ddof
        else:
            again = sum(cast(flatten(w), "float64") * cast(as_variable(aweights), "float64"))
            factor = n - ddof * again / n
    factor = maximum(factor, 0.0)
    centred = x - centre
    other = dimshuffle(centred if w is None else centred * w, (1, 0))
    if x.type.dtype in COMPLEX:
        from tensordsl.ops.math.complexes import conj

        other = conj(other)
    result = dot(centred, other) / cast(factor, x.type.dtype if x.type.dtype in FLOATS else "float64")
    return _scalar_of_one(result, m, y)


def _observations(m: Any, rowvar: bool, what: str) -> Any:
    x = as_variable(m)
    if x.type.ndim > 2:
        raise ValueError(f"{what}: wants a vector or a matrix, got {x.type}")
    if x.type.ndim < 2:
        return dimshuffle(x, ("x", *range(x.type.ndim)) if x.type.ndim else ("x", "x"))
    return x if rowvar else dimshuffle(x, (1, 0))


def _scalar_of_one(result: Any, m: Any, y: Any) -> Any:
    """As NumPy squeezes: a matrix of one variable, which a vector is, is a scalar."""
    is_one = y is None and as_variable(m).type.ndim < 2
    return getitem(result, (0, 0)) if is_one else result


def corrcoef(x: Any, y: Any = None, rowvar: bool = True, dtype: Any = None) -> Any:
    """The matrix of Pearson's correlation coefficients; see `cov`.

    >>> corrcoef([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]]).eval()
    array([[ 1., -1.],
           [-1.,  1.]])
    """
    c = cov(x, y, rowvar, dtype=dtype)
    if not c.type.ndim:
        return c / c
    scale = diagonal(c)
    if c.type.dtype in COMPLEX:
        from tensordsl.ops.math.complexes import complex, imag, real

        scale = sqrt(real(scale))
        r = c / dimshuffle(scale, (0, "x")) / dimshuffle(scale, ("x", 0))
        return complex(clip(real(r), -1, 1), clip(imag(r), -1, 1))
    scale = sqrt(scale)
    return clip(c / dimshuffle(scale, (0, "x")) / dimshuffle(scale, ("x", 0)), -1, 1)


def count_nonzero(a: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """How many elements over `axis` are not 0, int64.

    >>> count_nonzero([[0, 3], [4, 5]], axis=0).eval()
    array([1, 2])
    """
    return sum(cast(neq(as_variable(a), 0), "int64"), axis, keepdims=keepdims)
