"""Integer positions in tensor IR: of what is written indices are wrapped and checked once and their axes become one; of
what is taken, where the axes of an array go."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tensordsl.ops.array.index import index_place


def place_taken(
    rank: int, taken: Sequence[int], index_rank: int, axes: Sequence[Any]
) -> tuple[tuple[Any, ...], dict[int, Any]]:
    """The result's `axes` parted as NumPy does: those of the indices, and where the others of the array's axes went."""
    first = index_place(taken)
    rest = [*axes[:first], *axes[first + index_rank :]]
    free = [d for d in range(rank) if d not in taken]
    return tuple(axes[first : first + index_rank]), dict(zip(free, rest, strict=True))
