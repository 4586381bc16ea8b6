"""Integer indices in tensor IR: wrapped and checked positions of writes, and axes of gathers.

Indices of a write become vectors of positions, checked once; those of a gather move the array's axes as NumPy does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tensordsl.ops.array.index import index_place


def place_taken(
    rank: int, taken: Sequence[int], index_rank: int, axes: Sequence[Any]
) -> tuple[tuple[Any, ...], dict[int, Any]]:
    """The result's `axes` split as NumPy does: (those of the indices, positions of the array's other axes)."""
    first = index_place(taken)
    rest = [*axes[:first], *axes[first + index_rank :]]
    free = [d for d in range(rank) if d not in taken]
    return tuple(axes[first : first + index_rank]), dict(zip(free, rest, strict=True))
