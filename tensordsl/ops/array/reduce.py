"""Reductions over axes: sums, products, extremes and what is composed of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tensordsl.graph.casting import accumulator, float_of, real_of, sum_dtype, upcast
from tensordsl.graph.substitute import OVER_ALL_AXES
from tensordsl.graph.types import COMPLEX, CONTINUOUS, DISCRETE
from tensordsl.graph.variables import Dims, Kernel, Op, Reduction, apply
from tensordsl.ops.array import reducers
from tensordsl.ops.array.shape import broadcast_to, dimshuffle, flatten, reshape, shape_i, shape_tuple
from tensordsl.ops.math.comparisons import eq, lt, neq
from tensordsl.ops.math.elementwise import abs_, as_real, cast, mul, second, sqr, sqrt, switch
from tensordsl.ops.math.elementwise import pow as power
from tensordsl.ops.operands import as_variable, constant, int64, named_dtype, normalise_axes
from tensordsl.ops.rows import PIECEWISE

Axes = tuple[int, ...]


# -- rules -----------------------------------------------------------------------------------------------------------
def _reduced_shape(d: Dims, x: Any, axis: Axes, **attrs: Any) -> tuple[Any, ...]:
    return tuple(n for k, n in enumerate(d.shape(x)) if k not in axis)


def _expand(r: Any, axis: Axes) -> Any:
    """A reduced tensor with its lost axes back, of length 1."""
    kept = iter(range(r.type.ndim))
    return dimshuffle(r, tuple("x" if k in axis else next(kept) for k in range(r.type.ndim + len(axis))))


def _fold_dtype(x: str, *lengths: str, axes: Axes) -> str:
    if set(lengths) - {"int64"}:
        raise TypeError(f"wants int64 lengths, got {', '.join(lengths)}")
    return x


def _fold_shape(d: Dims, x: Any, *lengths: Any, axes: Axes) -> tuple[Any, ...]:
    shape = list(d.shape(x))
    for k, length in zip(axes, lengths, strict=True):
        own = d.value(length)
        d.fits(shape[k], own, f"the length of axis {k} is not that of what was stretched")
        shape[k] = own
    return tuple(shape)


def _numpy_fold(x: Any, *lengths: Any, axes: Axes) -> Any:
    for k, n in zip(axes, lengths, strict=True):
        if x.shape[k] != n:
            if n != 1:
                raise ValueError(f"fold: axis {k} has length {x.shape[k]}, not {n}")
            x = np.sum(x, axis=k, keepdims=True, dtype=accumulator(str(x.dtype))).astype(x.dtype)
    return x


def _fold_gradient(g: Any, out: Any, x: Any, *lengths: Any, axes: Axes) -> Sequence[Any]:
    return broadcast_to(g, shape_tuple(x)), *(None for _ in lengths)


def _sum_row(name: str, reducer: Any, numpy: Callable[..., Any], gradient: Callable[..., Any], **columns: Any) -> Op:
    def oracle(x: Any, axis: Axes, dtype: str, acc_dtype: str) -> Any:
        with np.errstate(all="ignore"):
            return np.asarray(numpy(x, axis=axis, dtype=acc_dtype)).astype(dtype)

    def loop(x: str, axis: Axes, dtype: str, acc_dtype: str) -> tuple[str, ...]:
        own = reducer is reducers.SUM and x == dtype == "float32" and acc_dtype == "float64"  # such a sum's own state
        return (dtype if own else acc_dtype,)

    return Op(
        name,
        lambda x, axis, dtype, acc_dtype: dtype,
        _reduced_shape,
        oracle,
        Reduction(reducer, loop),
        gradient,
        **columns,
    )


def _extremum_row(name: str, reducer: Any, numpy: Callable[..., Any], identity: Callable[[str], Any]) -> Op:
    def oracle(x: Any, axis: Axes, initial: bool = False) -> Any:
        given = {"initial": identity(str(x.dtype))} if initial else {}
        return np.asarray(numpy(np.asarray(x, order="C"), axis=axis, **given))

    def gradient(g: Any, out: Any, x: Any, axis: Axes, **attrs: Any) -> Sequence[Any]:
        """To every element that equals the extremum (as Theano)."""
        g = _expand(g, axis)
        return (switch(eq(_expand(out, axis), x), g, constant(0, dtype=g.type.dtype)),)

    return Op(
        name, lambda x, axis, **attrs: x, _reduced_shape, oracle,
        Reduction(reducer, lambda x, axis, **attrs: (x,), needs_element=True), gradient,
    )  # fmt: skip


def _position_row(name: str, reducer: Any, numpy: Callable[..., Any]) -> Op:
    return Op(
        name, lambda x, axis: "int64", _reduced_shape, lambda x, axis: np.asarray(numpy(x, axis=axis[0])),
        Reduction(reducer, lambda x, axis: (x,), results=(1,), with_index=True, needs_element=True),
        no_gradient=PIECEWISE,
    )  # fmt: skip


def _logical_row(name: str, reducer: Any, numpy: Callable[..., Any]) -> Op:
    return Op(
        name, lambda x, axis: "bool", _reduced_shape, lambda x, axis: np.asarray(numpy(x, axis=axis)),
        Reduction(reducer, lambda x, axis: ("bool",)), no_gradient=PIECEWISE,
    )  # fmt: skip


def _sum_gradient(g: Any, out: Any, x: Any, axis: Axes, **attrs: Any) -> Sequence[Any]:
    return (second(x, _expand(g, axis)),)


def _prod_gradient(g: Any, out: Any, x: Any, axis: Axes, **attrs: Any) -> Sequence[Any]:
    """out / x where no factor is 0; with one zero only its own derivative is not 0: the product of the others."""
    is_zero = eq(x, 0)
    zeros = _expand(sum(is_zero, axis=axis), axis)
    others = _expand(prod(switch(is_zero, constant(1, dtype=x.type.dtype), x), axis=axis), axis)
    zero = constant(0, dtype=g.type.dtype)
    partial = switch(is_zero, switch(eq(zeros, 1), others, zero), switch(eq(zeros, 0), others / x, zero))
    return (_expand(g, axis) * partial,)


SUM = _sum_row("sum", reducers.SUM, np.sum, _sum_gradient, ulp=32, print_name="Sum")
PROD = _sum_row("prod", reducers.PROD, np.prod, _prod_gradient, ulp=32, domain=(-2, 2), print_name="Prod")
MAX = _extremum_row("max", reducers.MAX, np.max, reducers.lowest)
MIN = _extremum_row("min", reducers.MIN, np.min, reducers.highest)
ARGMAX = _position_row("argmax", reducers.ARGMAX, np.argmax)
ARGMIN = _position_row("argmin", reducers.ARGMIN, np.argmin)
# fold(x, n0, ...): the sum over those of the `axes` that are to be of length 1 and are not: back from a broadcast that
# only a call knows of.
FOLD = Op("fold", _fold_dtype, _fold_shape, _numpy_fold, Kernel("fold"), _fold_gradient)
ANY = _logical_row("any", reducers.ANY, np.any)
ALL = _logical_row("all", reducers.ALL, np.all)
ROWS = (SUM, PROD, MAX, MIN, ARGMAX, ARGMIN, ANY, ALL, FOLD)


# -- public functions ------------------------------------------------------------------------------------------------
def _sum_like(op: Op, x: Any, axis: Any, dtype: str | None, keepdims: bool, acc_dtype: str | None) -> Any:
    x = as_variable(x)
    axes = normalise_axes(axis, x.type.ndim, op.name)
    dtype = sum_dtype(x.type.dtype) if dtype is None else named_dtype(dtype, op.name)
    if acc_dtype is not None:
        acc_dtype = _wide_enough(named_dtype(acc_dtype, op.name), x.type.dtype)
    is_wide = accumulator(dtype) == acc_dtype == "float64"
    acc_dtype = accumulator(dtype) if acc_dtype is None else acc_dtype
    result = apply(op, x, axis=axes, dtype=acc_dtype if is_wide else dtype, acc_dtype=acc_dtype)
    if axis is None:
        result.__dict__[OVER_ALL_AXES] = True
    result = cast(result, dtype) if is_wide else result
    return _expand(result, axes) if keepdims else result


def _wide_enough(acc_dtype: str, dtype: str) -> str:
    """The dtype to accumulate in, if it holds the elements (as Theano: any float holds integers)."""
    if upcast(dtype, acc_dtype) != acc_dtype and not (acc_dtype in CONTINUOUS and dtype in DISCRETE):
        raise TypeError(
            f"acc_dtype {acc_dtype} cannot hold the elements, which are {dtype}: precision would be lost; cast them "
            "first, or leave acc_dtype out"
        )
    return acc_dtype


def _reduce(op: Op, x: Any, axis: Any, keepdims: bool, **attrs: Any) -> Any:
    x = as_variable(x)
    axes = normalise_axes(axis, x.type.ndim, op.name)
    result = apply(op, x, axis=axes, **attrs)
    if axis is None and op in (ALL, ANY):  # extremes of a vector are along its axis, in Theano
        result.__dict__[OVER_ALL_AXES] = True
    return _expand(result, axes) if keepdims else result


def sum(
    input: Any, axis: Any = None, dtype: str | None = None, keepdims: bool = False, acc_dtype: str | None = None
) -> Any:
    """The sum over `axis` (None: all, an int or a tuple).

    Integers and bools are summed in 64 bits.  float32 gives float32: blocks of at most 64 elements are added in
    float32, the blocks in float64; with `acc_dtype="float64"` all is added in float64.  float16 is summed as float32.

    >>> sum([[1, 2], [3, 4]], axis=1, keepdims=True).eval()
    array([[3],
           [7]])
    """
    return _sum_like(SUM, input, axis, dtype, keepdims, acc_dtype)


def prod(
    input: Any, axis: Any = None, dtype: str | None = None, keepdims: bool = False, acc_dtype: str | None = None,
    no_zeros_in_input: bool = False,
) -> Any:  # fmt: skip
    """The product over `axis`; dtypes as in `sum`.

    >>> prod([2, 3, 4]).eval()
    array(24)
    """
    return _sum_like(PROD, input, axis, dtype, keepdims, acc_dtype)


def max(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The largest element over `axis`; nan if there is one, and an error if there is no element.

    >>> max([[3, 9], [7, 1]], axis=0).eval()
    array([7, 9])
    """
    return _reduce(MAX, x, axis, keepdims)


def bound(x: Any, axis: Any) -> Any:
    """The largest element over `axis`, which stays with length 1; the least number where there is none."""
    return _reduce(MAX, x, axis, keepdims=True, initial=True)


def largest(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The largest of numbers that are 0 or more, nan if there is one; 0 where there is none."""
    x = as_variable(x)
    axes = normalise_axes(axis, x.type.ndim, "largest")
    top = bound(x, axes)
    top = switch(lt(top, 0), constant(0, dtype=top.type.dtype), top)
    return top if keepdims else dimshuffle(top, tuple(k for k in range(x.type.ndim) if k not in axes))


def min(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The smallest element over `axis`; nan if there is one, and an error if there is no element.

    >>> min([[3, 9], [7, 1]], axis=0).eval()
    array([3, 1])
    """
    return _reduce(MIN, x, axis, keepdims)


def any(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Whether some element over `axis` is not 0.

    >>> any([[0, 0], [2, 0]], axis=1).eval()
    array([False,  True])
    """
    return _reduce(ANY, _real(x), axis, keepdims)


def all(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Whether no element over `axis` is 0.

    >>> all([[1, 0], [2, 3]], axis=1).eval()
    array([False,  True])
    """
    return _reduce(ALL, _real(x), axis, keepdims)


def _real(x: Any) -> Any:
    """x, or where it is not 0 if it is complex."""
    x = as_variable(x)
    return neq(x, 0) if x.type.dtype in COMPLEX else x


def argmax(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The position of the first largest element (the first nan, if any) along `axis`, by default of the flat tensor; an
    error if there is no element.

    >>> argmax([[3, 9], [7, 1]], axis=1).eval()
    array([1, 0])
    """
    return _position(ARGMAX, x, axis, keepdims)


def argmin(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """As `argmax`, for the smallest element.

    >>> argmin([4, 2, 2]).eval()
    array(1)
    """
    return _position(ARGMIN, x, axis, keepdims)


def _position(op: Op, x: Any, axis: Any, keepdims: bool) -> Any:
    x = as_variable(x)
    axes = normalise_axes(axis, x.type.ndim, op.name)
    if len(axes) == 1:
        result = apply(op, x, axis=axes)
    elif len(axes) == x.type.ndim:
        result = apply(op, flatten(x), axis=(0,))
    else:
        result = apply(op, as_one_axis(x, axes), axis=(x.type.ndim - len(axes),))
    return _expand(result, axes) if keepdims else result


def as_one_axis(x: Any, axes: Axes) -> Any:
    """x with the named axes merged, in row-major order, into one at the end."""
    kept = [k for k in range(x.type.ndim) if k not in axes]
    if len(axes) == 1:
        return dimshuffle(x, (*kept, *axes))
    dims = shape_tuple(x)
    length: Any = int64(1)
    for k in axes:
        length = mul(length, dims[k])
    return reshape(dimshuffle(x, (*kept, *axes)), (*(dims[k] for k in kept), length), ndim=len(kept) + 1)


def max_and_argmax(a: Any, axis: Any = None, keepdims: bool = False) -> tuple[Any, Any]:
    """(max, argmax) over `axis`.

    >>> [part.eval().tolist() for part in max_and_argmax([4, 9, 2])]
    [9, 1]
    """
    x = as_variable(a)
    return max(x, axis, keepdims), argmax(x, axis, keepdims)


def mean(
    input: Any, axis: Any = None, dtype: str | None = None, keepdims: bool = False, acc_dtype: str | None = None
) -> Any:
    """The arithmetic mean over `axis`; of integers in float64.  nan where there is no element.

    >>> mean([[1, 2], [3, 6]], axis=0).eval()
    array([2., 4.])
    """
    x = as_variable(input)
    if dtype is None:
        dtype = "float64" if x.type.dtype in DISCRETE else x.type.dtype
    # A sum of float16 overflows where the mean does not.
    total = sum(x, axis, "float32" if dtype == "float16" else dtype, keepdims, acc_dtype)
    axes = normalise_axes(axis, x.type.ndim, "mean")
    result = total / cast(
        size_over(x, axes), real_of(total.type.dtype) if total.type.dtype in CONTINUOUS else "float64"
    )
    return cast(result, dtype) if dtype == "float16" else result


def size_over(x: Any, axes: Axes) -> Any:
    """The number of elements over `axes`."""
    result: Any = int64(1) if not axes else None
    for k in axes:
        result = shape_i(x, k) if result is None else mul(result, shape_i(x, k))
    return result


def var(input: Any, axis: Any = None, ddof: int = 0, keepdims: bool = False, corrected: bool = False) -> Any:
    """The variance over `axis`: the sum of (input - mean)^2 divided by the number of elements less `ddof`.

    >>> var([1.0, 3.0, 5.0], ddof=1).eval()
    array(4.)
    """
    x = as_variable(input)
    axes = normalise_axes(axis, x.type.ndim, "var")
    if x.type.dtype == "float16":  # squares overflow early; as NumPy
        return cast(var(cast(x, "float32"), axes, ddof, keepdims), "float16")
    centred = x - mean(x, axes, keepdims=True)
    if not ddof:
        return mean(_squares(centred), axes, keepdims=keepdims)
    total = sum(_squares(centred), axes, keepdims=keepdims)
    return total / cast(size_over(x, axes) - ddof, total.type.dtype)


def _squares(x: Any) -> Any:
    """|x|^2."""
    if x.type.dtype not in COMPLEX:
        return sqr(x)
    from tensordsl.ops.math.complexes import imag, real

    return sqr(real(x)) + sqr(imag(x))


def std(input: Any, axis: Any = None, ddof: int = 0, keepdims: bool = False, corrected: bool = False) -> Any:
    """The square root of the variance.

    >>> std([1.0, 3.0]).eval()
    array(1.)
    """
    return sqrt(var(input, axis, ddof, keepdims))


def ptp(a: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The largest minus the smallest element.

    >>> ptp([3, 9, 4]).eval()
    array(6)
    """
    x = as_variable(a)
    return max(x, axis, keepdims) - min(x, axis, keepdims)


def norm(x: Any, ord: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The vector norm over `axis`: (sum |x|^ord)^(1/ord); ord may be inf, -inf or 0 (the number of elements not 0).

    No elements have the norm 0, and with a negative ord none: that is an error.

    >>> norm([3.0, 4.0], 2).eval()
    array(5.)
    """
    if not isinstance(ord, int | float | np.integer | np.floating):
        raise TypeError(f"norm: ord must be a number, got {ord!r}")
    x = as_variable(x)
    if ord == 0:
        return sum(cast(neq(x, 0), "int8"), axis, keepdims=keepdims)
    if x.type.dtype in DISCRETE:  # whose squares and least number's size may not fit; as NumPy
        x = cast(x, "float64")
    size = abs_(x)
    if ord == np.inf:
        return largest(size, axis, keepdims)
    if ord == -np.inf:
        return min(size, axis, keepdims)
    if ord == 1:
        return sum(size, axis, keepdims=keepdims)
    if ord == 2:
        return sqrt(sum(_squares(x), axis, keepdims=keepdims))
    t = constant(1.0 / ord, dtype=float_of(size.type.dtype))
    return power(sum(power(size, ord), axis, keepdims=keepdims), t)


def logsumexp(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """log(sum(exp(x))) over `axis`, without overflow.

    >>> logsumexp([0.0, 0.0]).eval()
    array(0.69314718)
    """
    from tensordsl.ops.control import DISCONNECTED_GRAD
    from tensordsl.ops.math.functions import exp, log

    (x,) = as_real(x)
    axes = normalise_axes(axis, x.type.ndim, "logsumexp")
    # The result does not depend on what is subtracted, so neither does its gradient.
    top = apply(DISCONNECTED_GRAD, bound(x, axes))
    # An infinite maximum would give inf - inf.
    top = switch(lt(abs_(top), np.inf), top, constant(0, dtype=top.type.dtype))
    result = log(sum(exp(x - top), axes, keepdims=True)) + top
    return result if keepdims else dimshuffle(result, tuple(k for k in range(x.type.ndim) if k not in axes))


def sum_to(g: Any, like: Any) -> Any:
    """g summed over the axes along which `like` was broadcast to g's shape."""
    extra = g.type.ndim - like.type.ndim
    wide = {extra + k for k, n in enumerate(like.type.shape) if n == 1 and g.type.shape[extra + k] != 1}
    if wide:
        g = sum(g, axis=tuple(wide), keepdims=True)
    g = sum(g, axis=tuple(range(extra))) if extra else g
    unknown = tuple(k for k, n in enumerate(like.type.shape) if n is None and g.type.shape[k] != 1)
    return apply(FOLD, g, *(shape_i(like, k) for k in unknown), axes=unknown) if unknown else g
