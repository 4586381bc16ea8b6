"""The memory order of a new array's axes, from those of the operands that it is computed from.

The interpreter's counterpart of the library's `array_order`.
"""

from __future__ import annotations

from collections.abc import Sequence


def kept_order(shape: Sequence[int], rows: Sequence[Sequence[int]]) -> list[int]:
    """The axes from the largest to the smallest stride, as NumPy sorts them by `rows` of strides: C order where these
    differ or repeat elements along all axes.

    >>> kept_order((3, 4), [(8, 24), (-16, 48), (0, 8)]), kept_order((3, 4), [(8, 24), (32, 8)])
    ([1, 0], [0, 1])
    """
    order: list[int] = []  # smallest strides first
    for axis in reversed(range(len(shape))):
        place = len(order)
        for k in reversed(range(len(order))):
            pair = axis, order[k]
            steps = [(abs(row[axis]), abs(row[order[k]])) for row in rows if 1 not in (shape[a] for a in pair)]
            nearer = [near < far for near, far in steps if near and far]
            if nearer and not all(nearer):
                break
            place = k if nearer else place
        order.insert(place, axis)
    return order[::-1]
