"""The order of axes in memory that a new array takes from those that it is computed from."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations


def kept_order(shape: Sequence[int], rows: Sequence[Sequence[int]]) -> list[int] | None:
    """The axes from the farthest elements to the nearest ones, as all `rows` of strides have them; None: C order.

    >>> kept_order((3, 4), [(8, 24), (-16, 48)]), kept_order((3, 4), [(8, 24), (32, 8)])
    ([1, 0], None)
    """
    long = [axis for axis, n in enumerate(shape) if n > 1]
    behind = dict.fromkeys(long, 0)  # how many axes are farther
    for a, b in combinations(long, 2):
        nearer = {abs(row[a]) < abs(row[b]) for row in rows}
        if len(nearer) == 2 or not all(row[a] and row[b] for row in rows):
            return None
        behind[a if True in nearer else b] += 1
    return [*(axis for axis in range(len(shape)) if axis not in behind), *sorted(long, key=behind.__getitem__)]
