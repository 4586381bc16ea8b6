"""Shapes as values, and the same elements in another shape: reshape, transpose, broadcast, join and more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tensordsl.graph.casting import upcast
from tensordsl.graph.types import INTEGERS
from tensordsl.graph.variables import (
    STATIC,
    Constant,
    Dims,
    Kernel,
    Movement,
    Op,
    OpShapeError,
    OpTypeError,
    Variable,
    apply,
)
from tensordsl.ops.math.elementwise import SECOND, cast, mul
from tensordsl.ops.operands import as_variable, axis_count, constant, int64, named_dtype, normalise_axis, product


# -- rules -----------------------------------------------------------------------------------------------------------
def _first_dtype(first: str, *dims: str, **attrs: Any) -> str:
    """The dtype of the first operand; the others are dimensions."""
    for t in dims:
        if t not in INTEGERS:
            raise TypeError(f"a dimension must be an integer, got one of dtype {t}")
    return first


def _reshape_shape(d: Dims, x: Any, *dims: Any, ndim: int) -> tuple[Any, ...]:
    """At most one dimension is -1: what is left of the elements."""
    values = [d.value(n) for n in dims]
    rest = [k for k, n in enumerate(values) if isinstance(n, int) and n == -1]
    if len(rest) > 1 or any(isinstance(n, int) and n < -1 for n in values):
        raise ValueError(f"cannot reshape to {tuple(values)}: at most one dimension may be -1, none less")
    total = product(d, d.shape(x))
    if rest:
        known = product(d, (n for k, n in enumerate(values) if k != rest[0]))
        values[rest[0]] = d.floordiv(total, known)
    d.same(total, product(d, values), "cannot reshape: the number of elements changes")
    return tuple(values)


def _broadcast_to_shape(d: Dims, value: Any, *dims: Any) -> tuple[Any, ...]:
    have, want = d.shape(value), [d.value(n) for n in dims]
    if len(have) > len(want):
        raise ValueError(f"a value with {len(have)} axes cannot fill {len(want)} axes")
    if any(isinstance(n, int) and n < 0 for n in want):
        raise ValueError(f"negative dimension in {tuple(want)}")
    for k, n in enumerate(have, len(want) - len(have)):
        want[k] = d.fits(want[k], n, f"the value's length does not fit axis {k}")
    return tuple(want)


def _dimshuffle_shape(d: Dims, x: Any, order: tuple[Any, ...]) -> tuple[Any, ...]:
    shape = d.shape(x)
    return tuple(1 if k == "x" else shape[k] for k in order)


def _dimshuffle_map(ndim: int, order: tuple[Any, ...]) -> tuple[int | None, ...]:
    return tuple(order.index(k) if k in order else None for k in range(ndim))


def _numpy_dimshuffle(x: Any, order: tuple[Any, ...]) -> Any:
    kept = [k for k in order if k != "x"]
    x = np.asarray(x)
    dropped = tuple(k for k in range(x.ndim) if k not in kept)
    moved = x.transpose(*kept, *dropped)
    moved = moved.reshape(moved.shape[: len(kept)]) if dropped else moved
    return moved[tuple(np.newaxis if k == "x" else slice(None) for k in order)]


def _dimshuffle_gradient(g: Any, out: Any, x: Any, order: tuple[Any, ...]) -> Sequence[Any]:
    new = [k for k, axis in enumerate(order) if axis == "x" and g.type.shape[k] != 1]
    g = addbroadcast(g, *new) if new else g
    return (dimshuffle(g, tuple("x" if p is None else p for p in _dimshuffle_map(x.type.ndim, order))),)


def _broadcast_to_gradient(g: Any, out: Any, value: Any, *dims: Any) -> Sequence[Any]:
    from tensordsl.ops.array.reduce import sum_to

    return sum_to(g, value), *(None for _ in dims)


def _concatenate_dtype(*dtypes: str, axis: int) -> str:
    if len(set(dtypes)) != 1:
        raise TypeError(f"wants operands of one dtype, got {', '.join(dtypes)}")
    return dtypes[0]


def _concatenate_shape(d: Dims, *operands: Any, axis: int) -> tuple[Any, ...]:
    shapes = [d.shape(x) for x in operands]
    if len(set(map(len, shapes))) != 1:
        raise ValueError(f"wants operands with one number of axes, got {', '.join(str(len(s)) for s in shapes)}")
    while len(shapes) > 1:  # sums of pairs: one after the other, sums of many lengths would be copied for each
        pairs = zip(shapes[::2], shapes[1::2], strict=False)
        shapes = [*(_joined(d, a, b, axis) for a, b in pairs), *shapes[len(shapes) // 2 * 2 :]]
    return shapes[0]


def _joined(d: Dims, a: Sequence[Any], b: Sequence[Any], axis: int) -> tuple[Any, ...]:
    pairs = enumerate(zip(a, b, strict=True))
    return tuple(d.add(m, n) if k == axis else d.same(m, n, f"the lengths of axis {k} differ") for k, (m, n) in pairs)


def _concatenate_gradient(g: Any, out: Any, *operands: Any, axis: int) -> Sequence[Any]:
    from tensordsl.ops.array.index import getitem

    parts = []
    start: Any = 0
    for x in operands:
        stop = shape_i(x, axis) + start
        parts.append(getitem(g, (slice(None),) * axis + (slice(start, stop),)))
        start = stop
    return parts


def steps(d: Dims, start: Any, stop: Any, step: Any) -> Any:
    """How many of start, start + step, ... lie before stop, for a step of either sign; 0 for step 0."""
    if isinstance(step, int):
        if step == 0:
            raise ValueError("the step must not be zero")
        span = d.sub(stop, start) if step > 0 else d.sub(start, stop)
        return d.floordiv(d.maximum(d.add(span, abs(step) - 1), 0), abs(step))
    size = d.maximum(d.maximum(step, d.sub(0, step)), 1)
    sign = d.minimum(d.maximum(step, -1), 1)
    span = d.mul(sign, d.sub(stop, start))
    return d.add(d.floordiv(d.sub(d.maximum(span, 0), 1), size), 1)  # no sum of span and size: it may not fit


def _numpy_reshape(x: Any, *dims: Any, ndim: int) -> Any:
    return np.reshape(x, tuple(map(int, dims)))


def _numpy_broadcast_to(value: Any, *dims: Any) -> Any:
    return np.broadcast_to(value, tuple(map(int, dims)))


INTEGER_VALUED = "its value is an integer: piecewise constant"
SHAPE_I = Op(
    "shape_i", lambda x, axis: "int64", lambda d, x, axis: (), lambda x, axis: np.asarray(np.shape(x)[axis]),
    Kernel("shape_i"), lambda g, out, x, axis: (None,),
)  # fmt: skip
DIMSHUFFLE = Op(
    "dimshuffle",
    lambda x, order: x,
    _dimshuffle_shape,
    _numpy_dimshuffle,
    Movement(_dimshuffle_map),
    _dimshuffle_gradient,
)
RESHAPE = Op(
    "reshape", _first_dtype, _reshape_shape, _numpy_reshape, Kernel("reshape"),
    lambda g, out, x, *dims, ndim: (reshape(g, shape_tuple(x), x.type.ndim), *(None for _ in dims)),
)  # fmt: skip
BROADCAST_TO = Op(
    "broadcast_to", _first_dtype, _broadcast_to_shape, _numpy_broadcast_to, Kernel("broadcast_to"),
    _broadcast_to_gradient, print_name="alloc",
)  # fmt: skip
CONCATENATE = Op(
    "concatenate", _concatenate_dtype, _concatenate_shape, lambda *x, axis: np.concatenate(x, axis),
    Kernel("concatenate"), _concatenate_gradient, print_name="join",
)  # fmt: skip
ROWS = (SHAPE_I, DIMSHUFFLE, RESHAPE, BROADCAST_TO, CONCATENATE)


# -- scalars ---------------------------------------------------------------------------------------------------------
def scalar_from_tensor(s: Any) -> Any:
    """s, a tensor without axes; here a scalar is one.

    >>> scalar_from_tensor(2).eval()
    array(2, dtype=int8)
    """
    s = as_variable(s)
    if s.type.ndim:
        raise TypeError(f"scalar_from_tensor: wants a tensor without axes, got {s.type}")
    return s


def tensor_from_scalar(s: Any) -> Any:
    """s, a scalar; here it is a tensor without axes already.

    >>> tensor_from_scalar(2).type.ndim
    0
    """
    return scalar_from_tensor(s)


# -- shapes as values ------------------------------------------------------------------------------------------------
def shape_i(x: Any, axis: int) -> Any:
    """The length of one axis, a 0-d int64.

    >>> shape_i([[1, 2, 3]], 1).eval()
    array(3)
    """
    x = as_variable(x)
    return apply(SHAPE_I, x, axis=normalise_axis(axis, x.type.ndim, "shape_i"))


def shape(x: Any) -> Any:
    """The lengths of all axes, an int64 vector.

    >>> shape([[1, 2, 3]]).eval()
    array([1, 3])
    """
    x = as_variable(x)
    if not x.type.ndim:
        return constant(np.zeros(0, "int64")) if isinstance(x, Constant) else apply(BROADCAST_TO, _one_for(x), int64(0))
    return stack([apply(SHAPE_I, x, axis=k) for k in range(x.type.ndim)])


def shape_tuple(x: Any) -> tuple[Any, ...]:
    """The lengths of all axes: ints where they are known, else 0-d variables."""
    x = as_variable(x)
    return tuple(apply(SHAPE_I, x, axis=k) if n is None else n for k, n in enumerate(x.type.shape))


def size(x: Any) -> Any:
    """The number of elements, a 0-d int64.

    >>> size([[1, 2, 3]]).eval()
    array(3)
    """
    x = as_variable(x)
    total = _one_for(x) if not x.type.ndim else shape_i(x, 0)
    for k in range(1, x.type.ndim):
        total = mul(total, shape_i(x, k))
    return total


def _one_for(x: Any) -> Any:
    """The 0-d int64 1, of a scalar that stays a part of the graph: a function of it takes x as an input."""
    return int64(1) if isinstance(x, Constant) else apply(SECOND, x, int64(1))


def vector_parts(v: Any) -> list[Any] | None:
    """The elements of a vector as 0-d variables, if its length is certain (a constant, a stack, a shape), else None."""
    if isinstance(v, Constant):
        return [constant(e) for e in v.data]
    if v.owner is not None and v.owner.row is CONCATENATE and v.type.dtype in INTEGERS:  # see `index._of_stack`
        scalars = [_scalar_of(x) for x in v.owner.inputs]
        if None not in scalars:
            return scalars
    length = v.type.shape[0]
    if length is None:
        return None
    from tensordsl.ops.array.index import getitem

    return [getitem(v, k) for k in range(length)]


def stacked_scalars(v: Any) -> list[Any] | None:
    """The 0-d variables that `stack` made the vector v of, else None."""
    if v.owner is None or v.owner.row is not CONCATENATE or v.type.ndim != 1:
        return None
    scalars = [_scalar_of(x) for x in v.owner.inputs]
    return None if None in scalars else scalars


def _scalar_of(x: Any) -> Any:
    if x.owner is not None and x.owner.row is DIMSHUFFLE and x.owner.inputs[0].type.ndim == 0:
        return x.owner.inputs[0]
    if isinstance(x, Constant) and x.data.size == 1:
        return constant(x.data.reshape(()))
    return None


def as_dim(n: Any) -> Any:
    """A dimension as a 0-d int64 variable; a constant where it is certain."""
    if isinstance(n, (int, np.integer)):
        return int64(int(n))
    n = as_variable(n)
    if n.type.ndim or n.type.dtype not in INTEGERS:
        raise OpTypeError(f"a dimension must be a 0-d integer, got {n!r}: {n.type}")
    if isinstance(n, Constant):
        return int64(int(n.data))
    if n.owner is not None and n.owner.row is SHAPE_I:
        known = n.owner.inputs[0].type.shape[n.owner.attrs["axis"]]
        if known is not None:
            return int64(known)
    return cast(n, "int64")


def as_dims(shape: Any, ndim: int | None = None) -> list[Any]:
    """The dimensions in `shape`: an int, a 0-d or 1-d integer variable, or a sequence of ints and 0-d variables.

    A vector of unknown length needs `ndim`, and must have that length: ValueError in the call.
    """
    if isinstance(shape, (int, np.integer)):
        return [int64(int(shape))]
    if isinstance(shape, (tuple, list)) or (isinstance(shape, np.ndarray) and shape.ndim):
        return [as_dim(n) for n in shape]
    shape = as_variable(shape)
    if shape.type.ndim == 0:
        return [as_dim(shape)]
    if shape.type.ndim != 1 or shape.type.dtype not in INTEGERS:
        raise OpTypeError(f"a shape must be an integer vector, got {shape.type}")
    parts = vector_parts(shape)
    if parts is None:
        if ndim is None:
            raise ValueError(f"the length of the shape {shape!r} must be known: give ndim=, or a tuple of dimensions")
        from tensordsl.ops.array.index import getitem  # late, as the others: they stand on this module
        from tensordsl.ops.control import require
        from tensordsl.ops.math.comparisons import eq

        count = axis_count(ndim, "a shape")
        fits = eq(shape_i(shape, 0), int64(count))
        shape = require(shape, fits, f"the vector of a shape of {count} lengths has another length")
        parts = [getitem(shape, k) for k in range(count)]
    return [as_dim(n) for n in parts]


# -- the same elements -----------------------------------------------------------------------------------------------
def reshape(x: Any, newshape: Any, ndim: int | None = None) -> Any:
    """x with its elements, in row-major order, in another shape; one dimension may be -1.

    ndim: the length of `newshape`, where that is a vector of unknown length.

    >>> reshape([1, 2, 3, 4], (2, -1)).eval()
    array([[1, 2],
           [3, 4]])
    """
    x = as_variable(x)
    dims = as_dims(newshape, ndim)
    if ndim is not None and len(dims) != ndim:
        raise ValueError(f"reshape: ndim is {ndim}, but the shape has {len(dims)} dimensions")
    return apply(RESHAPE, x, *dims, ndim=len(dims))


def flatten(x: Any, ndim: int | None = 1, outdim: int | None = None) -> Any:
    """x with its last axes merged, so that `ndim` axes (None: one) remain; `outdim`: another name for it.

    >>> flatten([[1, 2], [3, 4]]).eval()
    array([1, 2, 3, 4])
    """
    wanted = ndim if outdim is None else outdim
    ndim = 1 if wanted is None else axis_count(wanted, "flatten")
    x = as_variable(x)
    if ndim < 1 or (x.type.ndim and ndim > x.type.ndim):
        raise ValueError(f"flatten: ndim {ndim} is out of range for a tensor with {x.type.ndim} axes")
    if ndim == x.type.ndim:
        return x
    length = product(STATIC, x.type.shape[ndim - 1 :])
    return reshape(x, (*shape_tuple(x)[: ndim - 1], -1 if length is None else length))


def dimshuffle(x: Any, *order: Any) -> Any:
    """Permute, drop and add axes: for each axis of the result the axis of x it is, or "x" for a new one of length 1.

    Only axes of static length 1 can be dropped.  x itself if nothing changes.

    >>> dimshuffle([1, 2], 0, "x").eval()
    array([[1],
           [2]])
    """
    x = as_variable(x)
    if len(order) == 1 and isinstance(order[0], (tuple, list)):
        order = tuple(order[0])
    ndim = x.type.ndim
    order = tuple("x" if isinstance(k, str) and k == "x" else normalise_axis(k, ndim, "dimshuffle") for k in order)
    kept = [k for k in order if k != "x"]
    if len(set(kept)) != len(kept):
        raise ValueError(f"dimshuffle: the order {order} names one axis twice")
    for k in range(ndim):
        if k not in kept and x.type.shape[k] != 1:
            raise ValueError(
                f"dimshuffle: you cannot drop axis {k} of {x.type}, it is not broadcastable (order {order})\n"
                "  hint: take an element with x[..., 0], sum over the axis, or declare its length 1 (addbroadcast)"
            )
    if order == tuple(range(ndim)):
        return x
    return apply(DIMSHUFFLE, x, order=order)


def transpose(x: Any, axes: Any = None) -> Any:
    """x with its axes permuted; by default reversed.

    >>> transpose([[1, 2], [3, 4]]).eval()
    array([[1, 3],
           [2, 4]])
    """
    x = as_variable(x)
    axes = tuple(range(x.type.ndim))[::-1] if axes is None else tuple(axes)
    if len(axes) != x.type.ndim:
        raise ValueError(f"transpose: {len(axes)} axes given for a tensor with {x.type.ndim}")
    return dimshuffle(x, axes)


def swapaxes(y: Any, axis1: int, axis2: int) -> Any:
    """y with two axes exchanged.

    >>> swapaxes([[1, 2, 3]], 0, 1).eval()
    array([[1],
           [2],
           [3]])
    """
    x = as_variable(y)
    order = list(range(x.type.ndim))
    a, b = (normalise_axis(k, x.type.ndim, "swapaxes") for k in (axis1, axis2))
    order[a], order[b] = b, a
    return dimshuffle(x, order)


def squeeze(x: Any, axis: Any = None) -> Any:
    """x without the axes of static length 1, or without those named.

    >>> squeeze([[1, 2]]).eval()
    array([1, 2])
    """
    x = as_variable(x)
    if axis is None:
        return dimshuffle(x, tuple(k for k, n in enumerate(x.type.shape) if n != 1))
    axes = {normalise_axis(k, x.type.ndim, "squeeze") for k in ((axis,) if isinstance(axis, int) else axis)}
    return dimshuffle(addbroadcast(x, *axes), tuple(k for k in range(x.type.ndim) if k not in axes))


def shape_padleft(t: Any, n_ones: int = 1) -> Any:
    """t with `n_ones` new axes of length 1 in front.

    >>> shape_padleft([1, 2]).eval()
    array([[1, 2]])
    """
    x = as_variable(t)
    return dimshuffle(x, ("x",) * axis_count(n_ones, "shape_padleft") + tuple(range(x.type.ndim)))


def shape_padright(t: Any, n_ones: int = 1) -> Any:
    """t with `n_ones` new axes of length 1 at the end.

    >>> shape_padright([1, 2]).eval()
    array([[1],
           [2]])
    """
    x = as_variable(t)
    return dimshuffle(x, tuple(range(x.type.ndim)) + ("x",) * axis_count(n_ones, "shape_padright"))


def shape_padaxis(t: Any, axis: int) -> Any:
    """t with a new axis of length 1 at position `axis` of the result.

    >>> shape_padaxis([1, 2], 1).eval()
    array([[1],
           [2]])
    """
    x = as_variable(t)
    order: list[Any] = list(range(x.type.ndim))
    order.insert(normalise_axis(axis, x.type.ndim + 1, "shape_padaxis"), "x")
    return dimshuffle(x, order)


def addbroadcast(x: Any, *axes: int) -> Any:
    """x with the named axes declared to have length 1 (checked at run time), so that they broadcast.

    >>> from tensordsl.types import TensorType
    >>> addbroadcast(TensorType("float64", (None, None))(), 0).type
    TensorType(float64, row)
    """
    x = as_variable(x)
    axes = tuple(normalise_axis(k, x.type.ndim, "addbroadcast") for k in axes)
    for k in axes:
        if x.type.shape[k] not in (None, 1):
            raise OpShapeError(f"addbroadcast: axis {k} of {x.type} has length {x.type.shape[k]}, not 1")
    if all(x.type.shape[k] == 1 for k in axes):
        return x
    from tensordsl.ops.array.arrange import specify_shape

    return specify_shape(x, [1 if k in axes else None for k in range(x.type.ndim)])


def unbroadcast(x: Any, *axes: int) -> Any:
    """x with the named axes no longer of static length 1: they do not broadcast.

    >>> from tensordsl.types import TensorType
    >>> unbroadcast(TensorType("float64", (1, None))(), 0).type
    TensorType(float64, matrix)
    """
    x = as_variable(x)
    axes = tuple(normalise_axis(k, x.type.ndim, "unbroadcast") for k in axes)
    if not any(x.type.shape[k] == 1 for k in axes):
        return x
    # A shape_i in place of the constant 1: the static rule does not look through it.
    dims = [apply(SHAPE_I, x, axis=k) if n is None or k in axes else int64(n) for k, n in enumerate(x.type.shape)]
    return apply(RESHAPE, x, *dims, ndim=len(dims))


def patternbroadcast(x: Any, broadcastable: Sequence[bool]) -> Any:
    """x with exactly the named pattern of broadcastable axes.

    >>> from tensordsl.types import TensorType
    >>> patternbroadcast(TensorType("float64", (None, None))(), (False, True)).type
    TensorType(float64, col)
    """
    x = as_variable(x)
    if len(broadcastable) != x.type.ndim:
        raise ValueError(f"patternbroadcast: {len(broadcastable)} flags for a tensor with {x.type.ndim} axes")
    x = addbroadcast(x, *(k for k, flag in enumerate(broadcastable) if flag))
    return unbroadcast(x, *(k for k, flag in enumerate(broadcastable) if not flag))


# -- filled tensors --------------------------------------------------------------------------------------------------
def alloc(val: Any, *shape: Any) -> Any:
    """`value` broadcast to the dimensions `shape`.

    >>> alloc(7, 2).eval()
    array([7, 7], dtype=int8)
    """
    dims = as_dims(shape[0]) if len(shape) == 1 else [as_dim(n) for n in shape]
    return apply(BROADCAST_TO, as_variable(val), *dims)


def broadcast_to(x: Any, shape: Any) -> Any:
    """x with its axes of static length 1, and missing ones, repeated to `shape`.

    >>> broadcast_to([1, 2], (2, 2)).eval()
    array([[1, 2],
           [1, 2]])
    """
    return apply(BROADCAST_TO, as_variable(x), *as_dims(shape))


def in_dtype(value: Any, dtype: str) -> Any:
    if isinstance(value, Constant) and value.type.dtype != dtype:
        return constant(value.data.astype(named_dtype(dtype)))
    return cast(value, dtype)


# -- joining ---------------------------------------------------------------------------------------------------------
def concatenate(tensor_list: Sequence[Any], axis: int = 0) -> Any:
    """The tensors one after the other along an axis; dtypes are promoted.

    All have one number of axes, and the same lengths along all axes but this one, else ValueError: when the expression
    is built if it is known, else in the call.

    >>> concatenate([[1, 2], [3]]).eval()
    array([1, 2, 3])
    """
    if isinstance(tensor_list, Variable):
        raise OpTypeError("concatenate: wants a list of tensors, got one variable")
    variables = [as_variable(x) for x in tensor_list]
    if not variables:
        raise ValueError("concatenate: no tensors given")
    if any(not v.type.ndim for v in variables):
        raise OpTypeError("concatenate: scalars have no axis to join along; use stack")
    dtype = upcast(*(v.type.dtype for v in variables))
    variables = [in_dtype(v, dtype) if v.type.dtype != dtype else v for v in variables]
    axis = normalise_axis(axis, variables[0].type.ndim, "concatenate")
    return variables[0] if len(variables) == 1 else apply(CONCATENATE, *variables, axis=axis)


def join(axis: Any, *tensors_list: Any) -> Any:
    """As `concatenate`, with the axis first.

    >>> join(0, [1, 2], [3]).eval()
    array([1, 2, 3])
    """
    return concatenate(tensors_list, int(axis.data) if isinstance(axis, Constant) else axis)


def stack(tensors: Any, *more: Any, axis: int = 0) -> Any:
    """Tensors of one shape along a new axis.  Also `stack(tensors, axis)` and, as in old programs, `stack(a, b, c)`.

    >>> stack([[1, 2], [3, 4]], axis=1).eval()
    array([[1, 3],
           [2, 4]])
    """
    if isinstance(tensors, Variable):
        tensors = [tensors, *more]
    elif more:
        (axis,) = more
    variables = [as_variable(x) for x in tensors]
    if not variables:
        raise ValueError("stack: no tensors given")
    dtype = upcast(*(v.type.dtype for v in variables))
    ranks = {v.type.ndim for v in variables}
    if len(ranks) > 1:
        raise OpTypeError(f"stack: wants tensors with one number of axes, got {sorted(ranks)}")
    padded = [shape_padaxis(in_dtype(v, dtype), axis) for v in variables]
    if len(padded) == 1:
        return padded[0]
    return apply(CONCATENATE, *padded, axis=normalise_axis(axis, padded[0].type.ndim, "stack"))
