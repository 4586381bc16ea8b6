"""The last writes of `set_subtensor` at integer positions: of several at one position, the value that stays."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from tensordsl.graph.variables import Constant, apply
from tensordsl.ops.array.creation import ARANGE, arange
from tensordsl.ops.array.masks import mask_of
from tensordsl.ops.array.shape import SHAPE_I, broadcast_to, reshape, shape_i, shape_tuple
from tensordsl.ops.math.comparisons import eq
from tensordsl.ops.math.elementwise import CAST, mul
from tensordsl.ops.operands import constant


def last_writes(x: Any, indices: Sequence[Any], axes: Sequence[int]) -> Any:
    """Whether each value stays, over the axes that the indices have together; None if every one does for sure."""
    from tensordsl.ops.array.index import INC_TAKE, TAKE  # late: that table's gradients are made with this

    if _all_differ(indices):
        return None
    places = broadcast_to(constant(0, dtype="int64"), tuple(shape_i(x, axis) for axis in axes))
    every = tuple(range(len(axes)))
    dims = shape_tuple(indices[0] if len(indices) == 1 else apply(TAKE, places, *indices, axes=every))
    order = reshape(arange(functools.reduce(mul, dims)), dims)
    written = apply(INC_TAKE, places, order, *indices, axes=every, set=True)
    return eq(apply(TAKE, written, *indices, axes=every), order)


def _all_differ(indices: Sequence[Any]) -> bool:
    """Whether no position occurs twice, as far as that can be seen before there are values."""
    if all(n == 1 for i in indices for n in i.type.shape) or mask_of(indices) is not None:
        return True
    rank = max(i.type.ndim for i in indices)
    return rank == 1 and any(i.type.ndim == 1 and _counts_up(i) and _is_longest(i, indices) for i in indices)


def _is_longest(i: Any, indices: Sequence[Any]) -> bool:
    """Whether no other index can be longer than the vector i, of which a length of 1 would stretch."""
    if i.type.shape[0] not in (None, 1):
        return True
    counted = i.owner.inputs[1].owner if i.owner is not None else None
    own = counted.inputs[0] if counted is not None and counted.row is SHAPE_I else None
    others = [j for j in indices if j is not i and j.type.ndim and j.type.shape[0] != 1]
    return all(own is j or (j.owner is not None and j.owner.row is CAST and own is j.owner.inputs[0]) for j in others)


def _counts_up(i: Any) -> bool:
    """Whether a vector has no element twice and none that counts from the end."""
    if isinstance(i, Constant):
        return bool((i.data >= 0).all()) and len(np.unique(i.data)) == len(i.data)
    if i.owner is None or i.owner.row is not ARANGE:
        return False
    start, _, step = i.owner.inputs
    return isinstance(start, Constant) and isinstance(step, Constant) and start.data >= 0 and step.data > 0
