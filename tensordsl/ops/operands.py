"""Operands of rows: arguments as variables, constants, and the shape rule of broadcasting."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from tensordsl.base.config import config
from tensordsl.base.upper import upper
from tensordsl.graph.casting import dtype_name, to_array
from tensordsl.graph.equality import check_bool
from tensordsl.graph.types import ALL_DTYPES, MOST_AXES, numpys_name, tensor_type
from tensordsl.graph.variables import Constant, Dims, Variable


def as_variable(value: Any, name: str | None = None, ndim: int | None = None) -> Any:
    """`value` as a variable: itself if it is one, else a constant; a list that holds variables is stacked.

    `ndim`: the wanted rank; axes of length 1 are added in front, or dropped there.  Raises TypeError for no tensor.
    """
    if isinstance(value, Variable):
        return value if ndim is None or value.type.ndim == ndim else _with_rank(value, ndim)
    if isinstance(value, (list, tuple)) and any(isinstance(v, Variable) for v in _leaves(value)):
        from tensordsl.ops.array.shape import stack

        variable = stack([as_variable(v) for v in value])
        return variable if ndim is None else _with_rank(variable, ndim)
    if value.__class__ is bool:
        check_bool(value)
    variable = constant(value, name)
    return variable if ndim is None or variable.type.ndim == ndim else _with_rank(variable, ndim)


def _with_rank(variable: Any, ndim: int) -> Any:
    from tensordsl.ops.array.shape import dimshuffle

    have, ndim = variable.type.ndim, axis_count(ndim, "as_tensor_variable")
    if have < ndim:
        return dimshuffle(variable, ("x",) * (ndim - have) + tuple(range(have)))
    if all(d == 1 for d in variable.type.shape[: have - ndim]):
        return dimshuffle(variable, tuple(range(have - ndim, have)))
    raise ValueError(f"wanted a tensor with {ndim} axes, got {variable!r} with {have}")


def constant(x: Any, name: str | None = None, ndim: int | None = None, dtype: str | None = None) -> Any:
    """A constant.  Python numbers take the smallest dtype that holds them (`casting.literal_dtype`).

    >>> constant(2), constant([2, 2]), constant(1.1).dtype
    (TensorConstant{2}, TensorConstant{(2,) of 2}, 'float64')
    """
    if isinstance(x, Constant):
        x = x.data
    data = to_array(_integers_of(x), dtype if dtype is None else named_dtype(dtype, "constant"))
    if ndim is not None:
        ndim = axis_count(ndim, "constant")
        if ndim < data.ndim:
            raise ValueError(f"ndim is {ndim}, but the value has {data.ndim} axes")
        data = data.reshape((1,) * (ndim - data.ndim) + data.shape)
    return upper("TensorConstant")(tensor_type(dtype_name(data), data.shape), data, name)


def _integers_of(value: Any) -> Any:
    """Objects that stand for an integer (`__index__`) and are neither numbers nor arrays."""
    if not isinstance(value, (bool, int, float, list, tuple, np.ndarray, np.generic)) and hasattr(value, "__index__"):
        return value.__index__()
    return value


def _leaves(value: Any) -> Iterable[Any]:
    for v in value:
        if isinstance(v, (list, tuple)):
            yield from _leaves(v)
        else:
            yield v


def int64(value: int) -> Any:
    """An int64 constant: a dimension or an index."""
    return constant(value, dtype="int64")


def known_int(variable: Any) -> int | None:
    """The value of a 0-d integer that is already certain, else None."""
    if isinstance(variable, Constant):
        return int(variable.data)
    return None


# -- shape rules -----------------------------------------------------------------------------------------------------
def broadcast(d: Dims, *operands: Any, **attrs: Any) -> tuple[Any, ...]:
    """The common shape of right-aligned operands: axes of static length 1 and missing ones give way."""
    if len(operands) == 1:
        return d.shape(operands[0])
    return broadcast_shapes(d, [d.shape(o) for o in operands])


def broadcast_shapes(d: Dims, shapes: Sequence[tuple[Any, ...]], stretch: bool = False) -> tuple[Any, ...]:
    """stretch: also a 1 that is known at run time gives way."""
    first = shapes[0]
    for shape in shapes:
        if shape and shape != first:
            break
    else:  # equal shapes and scalars: by far the most
        return first
    rank = max(map(len, shapes))
    join = d.stretch if stretch else d.broadcast
    return tuple(join([s[k - rank] for s in shapes if len(s) >= rank - k]) for k in range(rank))


def shape_of_first(d: Dims, *operands: Any, **attrs: Any) -> tuple[Any, ...]:
    return d.shape(operands[0])


def product(d: Dims, dims: Iterable[Any]) -> Any:
    total: Any = 1
    for n in dims:
        total = d.mul(total, n)
    return total


# -- numbers that are known when the graph is built ------------------------------------------------------------------
def whole_number(n: Any, what: str, meaning: str) -> int:
    """The integer n, which may be a constant; TypeError for anything else."""
    if isinstance(n, Constant):
        n = n.data
    if isinstance(n, np.ndarray) and n.ndim == 0:
        n = n[()]
    if isinstance(n, bool) or not hasattr(n, "__index__"):
        raise TypeError(f"{what}: {meaning} must be an integer, got {n!r}")
    try:
        return operator.index(n)
    except TypeError:
        raise TypeError(f"{what}: {meaning} must be an integer, got {n!r}") from None


def axis_count(n: Any, what: str) -> int:
    """n as a number of axes.  Raises ValueError if it is negative or more than a tensor can have."""
    count = whole_number(n, what, "a number of axes")
    if not 0 <= count <= MOST_AXES:
        raise ValueError(f"{what}: a tensor has 0 to {MOST_AXES} axes, so the number must be one of these, got {count}")
    return count


# -- axes ------------------------------------------------------------------------------------------------------------
def normalise_axis(axis: Any, ndim: int, what: str) -> int:
    """`axis` counted from the front.  Raises ValueError if there is no such axis, TypeError for no integer."""
    k = whole_number(axis, what, "an axis")
    if not -ndim <= k < ndim:
        raise ValueError(f"{what}: axis {axis} is out of bounds for a tensor with {ndim} axes")
    return k % ndim


def normalise_axes(axis: Any, ndim: int, what: str) -> tuple[int, ...]:
    """The axes named by None (all), an int or a sequence, sorted and counted from the front."""
    if axis is None:
        return tuple(range(ndim))
    if isinstance(axis, Constant):
        axis = axis.data
    if isinstance(axis, Variable):
        raise TypeError(f"{what}: the axis must be known when the graph is built, got {axis!r}")
    if isinstance(axis, (int, np.integer)) or (isinstance(axis, np.ndarray) and axis.ndim == 0):
        return (normalise_axis(axis, ndim, what),)
    if not isinstance(axis, Iterable):
        raise TypeError(f"{what}: axis must be None, an integer or a sequence of integers, got {axis!r}")
    axis = tuple(axis)
    axes = sorted(normalise_axis(a, ndim, what) for a in axis)
    if len(set(axes)) != len(axes):
        raise ValueError(f"{what}: the axes {tuple(axis)} name one axis twice")
    return tuple(axes)


def named_dtype(dtype: Any, what: str = "") -> str:
    """The dtype's name; `config.floatX` for None and "floatX".  Raises TypeError for what is none of ours."""
    if dtype is None or (isinstance(dtype, str) and dtype == "floatX"):
        return str(config.floatX)
    name = numpys_name(dtype)
    if name not in ALL_DTYPES:
        start = f"{what}: " if what else ""
        raise TypeError(f"{start}unsupported dtype {dtype!r}; supported: {', '.join(ALL_DTYPES)}")
    return name
