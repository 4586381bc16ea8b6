"""A triangle of a square matrix becomes the other one, transposed, by squares in registers: `mirror_up`, `mirror_down`.

Contract  matrices in C order.  up: the lower triangle of a to the upper one of l, which may be a; down: the upper one
          of l to its lower one, and zeros above the diagonal.
When      parts of vectors are loaded and stored as fast as complete ones.
Why       LAPACK factors the lower triangle of a matrix in columns faster than the upper one.
"""

from __future__ import annotations

from collections.abc import Sequence

from tensordsl.codegen.kernel_ir.ir import Function
from tensordsl.codegen.kernel_ir.language import Kernel, Number, Pointer, kernel
from tensordsl.codegen.kernel_ir.transposition import SIDE, transposed_square
from tensordsl.codegen.kernel_ir.types import i1, i64, ptr, signature
from tensordsl.codegen.library.linalg.fortran import Element
from tensordsl.codegen.library.linalg.small_values import lanes_until

MIRROR_UP = signature("mirror_up", None, a=ptr, a_row=i64, l=ptr, l_row=i64, n=i64)
MIRROR_DOWN = signature("mirror_down", None, l=ptr, l_row=i64, n=i64)


def mirrors(of: Element) -> list[Function]:
    return [_up(of), _down(of)]


class _Squares:
    """Rows and columns from some place on, of a matrix of n rows."""

    def __init__(self, k: Kernel, of: Element, base: Pointer, stride: Number, n: Number) -> None:
        self.k, self.base, self.stride, self.n = k, base.of(of.part), stride, n

    def lines(self, i: Number, j: Number) -> list[tuple[Pointer, Number]]:
        """Where each row of a square is, and which of its numbers there are."""
        k, columns, found = self.k, lanes_until(self.k, self.n - j, SIDE), []
        for r in range(SIDE):
            number = i + r
            mask = k.select(number < self.n, columns, k.number(False, i1.of(SIDE)))
            found.append((self.base.bytes(number * self.stride) + j, mask))
        return found

    def transpose(self, i: Number, j: Number) -> list[Number]:
        """The columns of a square, as rows."""
        return transposed_square(self.k, [self.k.masked_load(*line, 0.0) for line in self.lines(i, j)])

    def put(self, i: Number, j: Number, values: Sequence[Number]) -> None:
        for value, line in zip(values, self.lines(i, j), strict=True):
            self.k.masked_store(*line, value)


def _up(of: Element) -> Function:
    @kernel(MIRROR_UP)
    def mirror_up(k: Kernel, a: Pointer, a_row: Number, l: Pointer, l_row: Number, n: Number) -> None:
        source, to = _Squares(k, of, a, a_row, n), _Squares(k, of, l, l_row, n)
        with k.range(n, step=SIDE) as i, k.range(i + 1, step=SIDE) as j:
            to.put(j, i, source.transpose(i, j))

    return mirror_up


def _down(of: Element) -> Function:
    @kernel(MIRROR_DOWN)
    def mirror_down(k: Kernel, l: Pointer, l_row: Number, n: Number) -> None:
        squares, zero = _Squares(k, of, l, l_row, n), k.number(0.0, of.part.of(SIDE))
        with k.range(n, step=SIDE) as i, k.range(i + 1, step=SIDE) as j:
            values, before = [], i - j
            for r, value in enumerate(squares.transpose(j, i)):
                values.append(k.select(lanes_until(k, before + (r + 1), SIDE), value, zero))
            with k.when(before > 0):
                squares.put(j, i, [zero] * SIDE)
            squares.put(i, j, values)

    return mirror_down
