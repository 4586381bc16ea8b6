"""Transposition in registers: the columns of a square of 8 x 8 elements, by log2(8) stages of shuffles.

Ref       J. O. Eklundh, "A Fast Computer Method for Matrix Transposing", 1972: in each stage halves of blocks of 4, 2
          and 1 change places between two rows.
"""

from __future__ import annotations

from collections.abc import Sequence

from tensordsl.codegen.kernel_ir.language import Kernel, Number

SIDE = 8  # of the square


def transposed_square(k: Kernel, rows: Sequence[Number]) -> list[Number]:
    """The columns of a square, or of two halves in the same vectors."""
    rows, half = list(rows), len(rows) // 2
    while half:
        low = [n if not n & half else SIDE + n - half for n in range(SIDE)]
        high = [n + half if not n & half else SIDE + n for n in range(SIDE)]
        following = list(rows)
        for q in range(len(rows)):
            if not q & half:
                a, b = rows[q], rows[q + half]
                following[q], following[q + half] = k.shuffle(a, b, low), k.shuffle(a, b, high)
        rows, half = following, half // 2
    return rows
