"""Positions that depend on data: where a mask is true, and each position as often as a count says.

The number of positions is an operand of its own, computed before (a sum), so that every extent is known when storage is
made.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tensordsl.graph.types import INTEGERS
from tensordsl.graph.variables import Constant, Dims, Elementwise, Kernel, Op, OpTypeError, Variable, apply
from tensordsl.ops.array.reduce import all, sum
from tensordsl.ops.array.shape import INTEGER_VALUED, SHAPE_I, as_dim, flatten, shape_i
from tensordsl.ops.control import require
from tensordsl.ops.math.comparisons import and_, eq, ge, lt, neq, or_
from tensordsl.ops.math.elementwise import INT_DIV, MOD, cast, int_div, mod
from tensordsl.ops.operands import as_variable, constant


# -- rows ------------------------------------------------------------------------------------------------------------
def _true_dtype(mask: str, count: str, *lengths: str) -> str:
    if mask != "bool" or {count, *lengths} != {"int64"}:
        raise TypeError(f"wants a bool mask and int64 numbers, got {', '.join((mask, count, *lengths))}")
    return "int64"


def _true_shape(d: Dims, mask: Any, count: Any, *lengths: Any) -> tuple[Any, ...]:
    return (d.value(count),)


def _numpy_true(mask: Any, count: Any, *lengths: Any) -> Any:
    for axis, (n, wanted) in enumerate(zip(mask.shape, lengths, strict=bool(lengths))):
        check_mask_length(n, int(wanted), axis)
    return np.flatnonzero(mask).astype("int64")


def check_mask_length(n: int, wanted: int, axis: int) -> None:
    if n != wanted:
        raise IndexError(
            f"boolean index did not match the indexed tensor: its axis {axis} has length {n}, the axis of the tensor "
            f"{wanted}"
        )


def _repeated_dtype(counts: str, total: str) -> str:
    if {counts, total} != {"int64"}:
        raise TypeError(f"wants int64 counts, got {counts} and {total}")
    return "int64"


def _numpy_repeated(counts: Any, total: Any) -> Any:
    return np.repeat(np.arange(len(counts)), counts).astype("int64")


# true_positions(mask, count, n0, ...): where the flat mask is true; `count`: how often; the mask's axes must be n0, ...
TRUE_POSITIONS = Op(
    "true_positions",
    _true_dtype,
    _true_shape,
    _numpy_true,
    Kernel("true_positions", takes_complex=False),
    no_gradient=INTEGER_VALUED,
)
# repeated_positions(counts, total): k, counts[k] times, for every k; `total`: the sum of the counts.
REPEATED_POSITIONS = Op(
    "repeated_positions", _repeated_dtype, lambda d, counts, total: (d.value(total),), _numpy_repeated,
    Kernel("repeated_positions", takes_complex=False), no_gradient=INTEGER_VALUED,
)  # fmt: skip
ROWS = (TRUE_POSITIONS, REPEATED_POSITIONS)


def required(positions: Any, n: Any, message: str, lengths: Sequence[Any] = ()) -> Any:
    """Integer positions as int64; ValueError with `message` at run time if one is not in [0, n), unless one of the
    `lengths` is 0."""
    positions = cast(as_variable(positions), "int64")
    good = all(and_(ge(positions, 0), lt(positions, n)))
    for length in lengths:
        good = or_(good, eq(length, 0))
    return require(positions, good, message)


# -- public functions ------------------------------------------------------------------------------------------------
def as_mask(x: Any) -> Any:
    """x as bools: where it is not 0."""
    x = as_variable(x)
    return x if x.type.dtype == "bool" else neq(x, 0)


def mask_positions(mask: Any, lengths: Any = ()) -> tuple[Any, ...]:
    """For each axis of the mask the positions of its true elements, in row-major order: int64 vectors of one length.

    lengths: what the mask's axes must measure (those of the tensor it selects from); IndexError if they do not.
    """
    mask = as_mask(mask)
    if not mask.type.ndim:
        raise OpTypeError("nonzero: a scalar has no positions; use switch")
    for axis, (n, wanted) in enumerate(zip(mask.type.shape, map(_known, lengths), strict=bool(lengths))):
        if n is not None and wanted is not None:
            check_mask_length(n, wanted, axis)
    if isinstance(mask, Constant) and None not in map(_known, lengths):
        return tuple(constant(p.astype("int64")) for p in np.nonzero(mask.data))
    count = sum(cast(mask, "int64"))
    flat = apply(TRUE_POSITIONS, mask, count, *map(as_dim, lengths))
    return _unravelled(flat, mask)


def _known(n: Any) -> int | None:
    if isinstance(n, Variable):
        n = as_dim(n)
        return int(n.data) if isinstance(n, Constant) else None
    return int(n)


def _unravelled(flat: Any, mask: Any) -> tuple[Any, ...]:
    """The positions on each axis of flat positions in a tensor of the mask's shape."""
    ndim = mask.type.ndim
    if ndim == 1:
        return (flat,)
    found = []
    for axis in reversed(range(1, ndim)):
        n = shape_i(mask, axis)
        found.append(mod(flat, n))
        flat = int_div(flat, n)
    return flat, *reversed(found)


def mask_of(positions: Sequence[Any], x: Any = None) -> Any:
    """The mask if `positions` are just what `mask_positions` gave for it, else None; with x only if the mask's axes are
    known, or checked, to measure what the first ones of x do."""
    ndim = len(positions)
    chain = [positions[0]]  # what remains of the flat positions without the last axes
    while len(chain) < ndim and chain[-1].owner is not None and chain[-1].owner.row is INT_DIV:
        chain.append(chain[-1].owner.inputs[0])
    flat = chain[-1].owner
    if len(chain) != ndim or flat is None or flat.row is not TRUE_POSITIONS or flat.inputs[0].type.ndim != ndim:
        return None
    for axis in range(1, ndim):
        node = positions[axis].owner
        if node is None or node.row is not MOD or node.inputs[0] is not chain[axis]:
            return None
        for divisor in (node.inputs[1].owner, chain[axis - 1].owner.inputs[1].owner):
            is_length = divisor is not None and divisor.row is SHAPE_I and divisor.attrs["axis"] == axis
            if not is_length or divisor.inputs[0] is not flat.inputs[0]:
                return None
    mask = flat.inputs[0]
    is_checked = len(flat.inputs) > 2
    return mask if x is None or is_checked or _is_elementwise_of(mask, x) else None


def _is_elementwise_of(v: Variable, x: Variable) -> bool:
    """Whether v is computed from x element by element, no axis of x being stretched: then it has the lengths of x."""
    if x.type.ndim != v.type.ndim or 1 in x.type.shape:
        return v is x
    pending, seen = [v], set()
    while pending:
        v = pending.pop()
        if v is x:
            return True
        if v not in seen and v.owner is not None and isinstance(v.owner.row.meaning, Elementwise):
            pending.extend(v.owner.inputs)
        seen.add(v)
    return False


def nonzero(a: Any, return_matrix: bool = False) -> Any:
    """Where a is not 0: for each axis the positions, int64 vectors of one length; stacked as rows if `return_matrix`.

    >>> x = as_variable([[0, 3], [4, 0]])
    >>> [p.eval().tolist() for p in nonzero(x)]
    [[0, 1], [1, 0]]
    """
    from tensordsl.ops.array.shape import stack

    positions = mask_positions(a)
    return stack(list(positions)) if return_matrix else positions


def flatnonzero(a: Any) -> Any:
    """Where the flat tensor a is not 0: an int64 vector of positions.

    >>> flatnonzero([[0, 3], [4, 0]]).eval()
    array([1, 2])
    """
    x = as_variable(a)
    if not x.type.ndim:
        raise OpTypeError("flatnonzero: a scalar has no positions; use switch")
    return mask_positions(flatten(x))[0]


def nonzero_values(a: Any) -> Any:
    """The elements of a that are not 0, a vector in row-major order.

    >>> nonzero_values([[0, 3], [4, 0]]).eval()
    array([3, 4])
    """
    from tensordsl.ops.array.index import getitem

    x = as_variable(a)
    return getitem(x, nonzero(x))


def compress(condition: Any, x: Any, axis: int | None = None) -> Any:
    """The slices of x along an axis (by default: the elements of the flat tensor) where the vector `condition` is true.

    The condition may be shorter than the axis; IndexError if it is true beyond its end.

    >>> compress([True, False, True], [1, 2, 3]).eval()
    array([1, 3])
    """
    from tensordsl.ops.array.index import take

    condition = as_variable(condition)
    if condition.type.ndim != 1:
        raise OpTypeError(f"compress: the condition must be a vector, got {condition.type}")
    return take(x, flatnonzero(condition), axis)


def repeated(counts: Any) -> Any:
    """Each position k of the integer vector `counts` as often as counts[k] says, in order; ValueError below 0."""
    counts = as_variable(counts)
    if counts.type.ndim != 1 or counts.type.dtype not in INTEGERS:
        raise OpTypeError(f"repeat: the counts must be integers, a scalar or a vector, got {counts.type}")
    counts = cast(counts, "int64")
    return apply(REPEATED_POSITIONS, counts, sum(counts))
