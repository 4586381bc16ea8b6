"""The micro-kernel of convolutions: a product whose second factor is read through a table of offsets.

Contract  `strip_<type>_<rows>`: C[r, q] = (C[r, q] +) sum over k of A[k, r] X[offsets[k] + q], of so many rows r.
When      fewer rows take more vectors of q, so that as many sums are added up independently.
Why       nothing is copied for each tap, as im2col does: all taps of a plane read the same memory.
"""

from __future__ import annotations

from tensordsl.base.records import record
from tensordsl.codegen.kernel_ir.ir import Function
from tensordsl.codegen.kernel_ir.language import Kernel, Number, Pointer, kernel
from tensordsl.codegen.kernel_ir.types import Kind, Signature, Type, array, i1, i64, signature
from tensordsl.codegen.library.gemm.signatures import named


@record
class Shape:
    """Of tiles: rows of the highest, its vectors; a row of the buffer has `columns` vectors."""

    rows: int
    vectors: int
    columns: int

    @staticmethod
    def of(v: Type) -> Shape:
        """For 32 registers of 64 bytes, or 16 smaller ones."""
        return Shape(8, 3, 12) if v.bytes == 64 else Shape(6, 2, 16)

    def wide(self, rows: int) -> int:
        """The vectors of a tile of so many rows."""
        return self.vectors if 2 * rows > self.rows else 2 * self.vectors


def _of_product(v: Type) -> dict[str, Kind]:
    matrix = array(v.scalar)
    return dict(k=i64, a=matrix, x=matrix, offsets=array(i64), c=matrix, ldc=i64, count=i64, add=i1)


def strip_signature(v: Type, rows: int) -> Signature:
    return signature(f"{named('strip', v)}_{rows}", None, _of_product(v))


def strip_functions(v: Type) -> list[Function]:
    """Of all heights: `count` columns, and what is left of the last tile."""
    return [_strip(v, rows) for rows in range(1, Shape.of(v).rows + 1)]


def _strip(v: Type, rows: int) -> Function:
    wide, size = Shape.of(v).wide(rows), v.scalar.bytes

    @kernel(strip_signature(v, rows))
    def strip(
        f: Kernel, k: Number, a: Pointer, x: Pointer, offsets: Pointer, c: Pointer, ldc: Number, count: Number,
        add: Number,
    ) -> None:  # fmt: skip
        with f.range(count, step=wide * v.lanes) as q:
            at_x, at_a, at_offset = x + q, f.variable(a), f.variable(offsets)
            sums = [[f.variable(0.0, v) for _ in range(wide)] for _ in range(rows)]
            with f.range(k):
                factors, place = at_a.value, at_offset.value
                columns = at_x.bytes(place[0])
                loaded = [(columns + j * v.lanes).load(v.lanes) for j in range(wide)]
                for r, totals in enumerate(sums):
                    factor = f.splat(factors[r], v.lanes)
                    for total, here in zip(totals, loaded, strict=True):
                        total.set(f.fma(factor, here, total))
                at_a.set(factors.bytes(rows * size))
                at_offset.set(place.bytes(i64.bytes))
            for r, totals in enumerate(sums):
                for j, total in enumerate(totals):
                    place = c + r * ldc + q + j * v.lanes
                    result = f.variable(total.value)
                    with f.when(add):
                        result.set(place.load(v.lanes) + result)
                    place.store(result)

    return strip


def panels_signature(v: Type) -> Signature:
    """All rows; A in panels of about equal height (`heights`)."""
    return signature(named("panels", v), None, {"rows": i64, **_of_product(v)})


def heights(f: Kernel, v: Type, rows: Number) -> tuple[Number, Number, Number]:
    """How many panels there are, the height of the lower ones, and how many are a row higher: the first ones."""
    most = Shape.of(v).rows
    panels = f.quotient(rows + (most - 1), most)
    low = f.quotient(rows, f.max(panels, 1))
    return panels, low, rows - panels * low


def panels(v: Type) -> Function:
    @kernel(panels_signature(v))
    def panels(
        f: Kernel, rows: Number, k: Number, a: Pointer, x: Pointer, offsets: Pointer, c: Pointer, ldc: Number,
        count: Number, add: Number,
    ) -> None:  # fmt: skip
        many, low, higher = heights(f, v, rows)
        at_a, at_c = f.variable(a), f.variable(c)
        with f.range(many) as number:
            height = low + (number < higher).unsigned(i64)
            factors, sums = at_a.value, at_c.value
            with f.switch(height) as cases:
                for each in range(1, Shape.of(v).rows + 1):
                    with cases.case(each):
                        f.forward(strip_signature(v, each), a=factors, c=sums)
            at_a.set(factors + height * k)
            at_c.set(sums + height * ldc)

    return panels
