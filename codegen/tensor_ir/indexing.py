"""Integer indices in tensor IR: wrapped and checked positions of writes, and axes of gathers.

Indices of a write become vectors of positions, checked once; those of a gather move the array's axes as NumPy does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tensordsl.codegen.tensor_ir.construct import SUBTENSOR
from tensordsl.codegen.tensor_ir.extents import Length
from tensordsl.codegen.tensor_ir.graph import Graph, Value
from tensordsl.ops.array.index import index_place


def place_taken(
    rank: int, taken: Sequence[int], index_rank: int, axes: Sequence[Any]
) -> tuple[tuple[Any, ...], dict[int, Any]]:
    """The result's `axes` split as NumPy does: (those of the indices, positions of the array's other axes)."""
    first = index_place(taken)
    rest = [*axes[:first], *axes[first + index_rank :]]
    free = [d for d in range(rank) if d not in taken]
    return tuple(axes[first : first + index_rank]), dict(zip(free, rest, strict=True))


def cut(g: Graph, x: Value, length: Length) -> Value:
    """The first `length` elements along the first axis, which are there."""
    bounds = ((0, length, 1, True), *((0, n, 1, True) for n in x.shape[1:]))
    return g.make(SUBTENSOR, (x,), x.dtype, (length, *x.shape[1:]), bounds=bounds, checks=())
