"""A triangle of a square matrix becomes the other one, transposed, by squares in registers: `mirror_up`, `mirror_down`.

Contract  matrices in C order.  up: the lower triangle of a to the upper one of l, which may be a; down: the upper one
          of l to its lower one, and zeros above the diagonal.
When      parts of vectors are loaded and stored as fast as complete ones.
Why       LAPACK factors the lower triangle of a matrix in columns faster than the upper one.
"""

from __future__ import annotations

from tensordsl.codegen.library.linalg.small_rows import transposed
from tensordsl.codegen.library.linalg.small_values import Lanes
from tensordsl.codegen.llvm.builder import Asm


def mirror_text(kind: str) -> str:
    return _up_text(kind) + _down_text(kind)


class _Squares:
    """Rows and columns from some place on, of a matrix of n rows."""

    def __init__(self, f: Asm, kind: str, base: str, stride: str) -> None:
        self.f, self.base, self.stride, self.row = f, base, stride, Lanes(kind, Lanes.CHUNK)

    def lines(self, i: str, j: str) -> list[tuple[str, str]]:
        """Where each row of a square is, and which of its numbers there are."""
        f, row = self.f, self.row
        columns, found = row.until(f, f.sub("%n", j)), []
        for r in range(Lanes.CHUNK):
            number = f.add(i, r)
            mask = f.op(f"select i1 {f.lt(number, '%n')}, {row.mask} {columns}, {row.mask} zeroinitializer")
            found.append((f.gep(f.gep(self.base, f.mul(number, self.stride)), j, row.kind), mask))
        return found

    def transpose(self, i: str, j: str) -> list[str]:
        """The columns of a square, as rows."""
        return transposed(self.f, self.row, [self.row.masked_load(self.f, *line) for line in self.lines(i, j)])

    def put(self, i: str, j: str, values: list[str]) -> None:
        for value, line in zip(values, self.lines(i, j), strict=True):
            self.row.masked_store(self.f, value, *line)


def _up_text(kind: str) -> str:
    f = Asm("void", "mirror_up", ("ptr a", "i64 a_row", "ptr l", "i64 l_row", "i64 n"), internal=True)
    source, to = _Squares(f, kind, "%a", "%a_row"), _Squares(f, kind, "%l", "%l_row")
    with f.loop("%n", step=Lanes.CHUNK) as i, f.loop(f.add(i.index, 1), step=Lanes.CHUNK) as j:
        to.put(j.index, i.index, source.transpose(i.index, j.index))
    f.ret()
    return f.text


def _down_text(kind: str) -> str:
    f = Asm("void", "mirror_down", ("ptr l", "i64 l_row", "i64 n"), internal=True)
    squares = _Squares(f, kind, "%l", "%l_row")
    row, zero = squares.row, squares.row.constant("0.0")
    with f.loop("%n", step=Lanes.CHUNK) as i, f.loop(f.add(i.index, 1), step=Lanes.CHUNK) as j:
        values, before = [], f.sub(i.index, j.index)
        for r, value in enumerate(squares.transpose(j.index, i.index)):
            values.append(row.choose(f, row.until(f, f.add(before, r + 1)), value, zero))
        with f.when(f.gt(before, 0)):
            squares.put(j.index, i.index, [zero] * Lanes.CHUNK)
        squares.put(i.index, j.index, values)
    f.ret()
    return f.text
