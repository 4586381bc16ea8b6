"""The micro-kernel of large products: tiles of 8 rows and 3 vectors of C, from packed panels of B and strips of A.

Contract  `block_<type>`: one panel's tiles down the rows; `pack_panel_<type>`, `pack_strips_<type>`.
When      the machine has 32 registers of 64 bytes.
Why       a step of k loads 3 vectors of B and broadcasts 8 elements of A for 24 fused multiply-adds.
Ref       K. Goto and R. van de Geijn, Anatomy of High-Performance Matrix Multiplication, 2008.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from tensordsl.codegen.kernel_ir.ir import Function
from tensordsl.codegen.kernel_ir.language import Kernel, Number, Pointer, kernel
from tensordsl.codegen.kernel_ir.types import Kind, Signature, Type, array, i1, i64, signature
from tensordsl.codegen.library.gemm.signatures import named
from tensordsl.codegen.library.gemm.tiles import Mask, first_lanes, over_vectors
from tensordsl.codegen.target.tuning import Tuning

TILE_ROWS = (8, 4, 2, 1)
# Of tiles whose last vector may be half as long: where registers go as two, it takes half the time.
HALVED_ROWS = TILE_ROWS[:2]
TILE_VECTORS = 3  # of 4 there are two of 2 (`gemm.macro_kernel`), which no other width would leave
LAST_TILE_VECTORS, LAST_TILE_ROWS = 4, (6, 4, 2, 1)  # of a product that packs nothing


def panel_functions(v: Type, t: Tuning) -> list[Function]:
    """`pack_panel_<type>`, `pack_strips_<type>` and `block_<type>`, with what they call."""
    tiles = [_tile(v, t, rows, wide) for rows in TILE_ROWS for wide in range(1, TILE_VECTORS + 1)]
    tiles += [_tile(v, t, rows, wide, halved=True) for rows in HALVED_ROWS for wide in range(1, TILE_VECTORS + 1)]
    tiles += [_tile(v, t, rows, LAST_TILE_VECTORS) for rows in LAST_TILE_ROWS]
    return [*tiles, _pack_panel(v), _pack_strips(v), _block(v)]


def _tile_signature(v: Type, rows: int, wide: int, halved: bool) -> Signature:
    matrix, e = array(v.scalar), v.scalar
    parameters: dict[str, Kind] = dict(k=i64, a=matrix, rsa=i64, csa=i64, b=matrix, rsb=i64, c=matrix, ldc=i64)
    return signature(
        f"{named('tile', v)}_{rows}_{wide}{'h' * halved}", None, parameters, live=i64, alpha=e, add=i1, beta=e
    )


def _tile(v: Type, t: Tuning, rows: int, wide: int, halved: bool = False) -> Function:
    vectors = [v] * (wide - 1) + [v.of(v.lanes // 2) if halved else v]

    @kernel(_tile_signature(v, rows, wide, halved))
    def tile(
        f: Kernel, k: Number, a: Pointer, rsa: Number, csa: Number, b: Pointer, rsb: Number, c: Pointer, ldc: Number,
        live: Number, alpha: Number, add: Number, beta: Number,
    ) -> None:  # fmt: skip
        """`rows` rows and `wide` vectors of C, of the last of which, which may be half as long, `live` lanes: (if add)
        beta C + alpha A B."""
        masks: list[Mask] = [*[None] * (wide - 1), first_lanes(f, live, vectors[-1].lanes)]

        def along(row: Pointer) -> Iterator[Pointer]:
            return (row + j * v.lanes for j in range(wide))

        def prefetch(place: Pointer, *, for_writing: bool = False) -> None:
            if t.allows("prefetch_blocks"):
                f.prefetch(place, for_writing=for_writing)

        rows_of_a = [a + r * rsa for r in range(rows)]
        step_a, step_b = csa * v.scalar.bytes, rsb * v.scalar.bytes
        shared = (step_b & (t.gemm.same_set_bytes - 1)) == 0
        ahead = f.select(shared, 0, step_b * t.gemm.prefetch_steps)
        for r in range(rows):
            for place in along(c + r * ldc):
                prefetch(place, for_writing=True)
        # The next tile's rows of A are prefetched meanwhile, where they are adjacent and follow these.
        below = a + rows * rsa
        along_rows = f.select(csa == 1, rows * v.scalar.bytes, 0)
        at, panel, next_rows = f.variable(0, i64), f.variable(b), f.variable(below)
        sums = [[f.variable(0.0, u) for u in vectors] for _ in range(rows)]
        with f.range(k):
            term, row_of_b, following = at.value, panel.value, next_rows.value
            prefetch(following)
            for place in along(row_of_b.bytes(ahead)):
                prefetch(place)
            loaded = [x.load(u.lanes, m) for x, u, m in zip(along(row_of_b), vectors, masks, strict=True)]
            for row, totals in zip(rows_of_a, sums, strict=True):
                factors = _splats(f, vectors, row.bytes(term)[0])
                for total, factor, x in zip(totals, factors, loaded, strict=True):
                    total.set(f.fma(factor, x, total))
            at.set(term + step_a)
            panel.set(row_of_b.bytes(step_b))
            next_rows.set(following.bytes(along_rows))
        alphas, betas = _splats(f, vectors, alpha), _splats(f, vectors, beta)
        for r, totals in enumerate(sums):
            for j, place in enumerate(along(c + r * ldc)):
                result = f.variable(alphas[j] * totals[j])
                with f.when(add):
                    result.set(betas[j] * place.load(vectors[j].lanes, masks[j]) + result)
                place.store(result, masks[j])

    return tile


def _splats(f: Kernel, vectors: Sequence[Type], scalar: Number) -> list[Number]:
    """In vectors of all types: each by a load, which is a part of the multiplication; of three the last from the
    others'."""
    if len(vectors) < TILE_VECTORS:
        return [f.splat(scalar, u.lanes) for u in vectors]
    first = f.splat(scalar, vectors[0].lanes)
    return [first] * (len(vectors) - 1) + [f.shuffle(first, None, range(vectors[-1].lanes))]


# Packing


def pack_panel_signature(v: Type) -> Signature:
    matrix = array(v.scalar)
    return signature(
        named("pack_panel", v), to=matrix, width=i64, b=matrix, k=i64, rsb=i64, csb=i64, live=i64
    )  # fmt: skip


def _pack_panel(v: Type) -> Function:
    @kernel(pack_panel_signature(v))
    def pack_panel(
        f: Kernel, to: Pointer, width: Number, b: Pointer, k: Number, rsb: Number, csb: Number, live: Number
    ) -> None:
        """to[k, width] = the first `live` columns of B; what is beyond them is not read.

        Adjacent rows are copied by vectors, adjacent columns transposed in squares of vectors."""
        with f.when(csb == 1):
            with f.range(k) as p:
                source, target = b + p * rsb, to + p * width

                def copy(i: Number, mask: Mask) -> None:
                    (target + i).store((source + i).load(v.lanes, mask), mask)

                over_vectors(f, v.lanes, live, copy)
            f.ret()
        transposed, complete = rsb == 1, k & -v.lanes
        squares = f.select(transposed, live & -v.lanes, 0)
        with f.range(squares, step=v.lanes) as j, f.range(complete, step=v.lanes) as p:
            store_transposed(v, b + j * csb + p, csb, to + p * width + j, width)
        done = f.select(squares > 0, complete, 0)
        with f.range(live) as j:
            first = f.select(j < squares, done, 0)
            _copy_column(f, (first, k), b + j * csb, rsb, to + j, width)

    return pack_panel


def pack_strips_signature(v: Type) -> Signature:
    matrix = array(v.scalar)
    return signature(named("pack_strips", v), to=matrix, m=i64, k=i64, a=matrix, rsa=i64, csa=i64)


def _pack_strips(v: Type) -> Function:
    rows, square = TILE_ROWS[0], v.of(TILE_ROWS[0])

    @kernel(pack_strips_signature(v))
    def pack_strips(f: Kernel, to: Pointer, m: Number, k: Number, a: Pointer, rsa: Number, csa: Number) -> None:
        """Strips of A: to[i k:] holds rows i to i + r of A as [k, r], for each r of `TILE_ROWS` as often as it fits."""

        def strip(source: Pointer, target: Pointer, many: int, start: Any) -> None:
            with f.range(many) as r:
                _copy_column(f, (start, k), source + r * rsa, csa, target + r, many)

        eights, complete = m & -rows, k & -rows
        adjacent, transposed = rsa == 1, csa == 1
        copied, along = f.select(adjacent, eights, 0), f.select(adjacent, k, 0)
        with f.range(along) as p:  # a row of A' after the other, as they lie in memory
            source, first = a + p * csa, to + p * rows
            with f.range(copied, step=rows) as i:
                copied_rows = (source + i).load(square.lanes)
                (first + i * k).store(copied_rows)
        squares, done = f.select(~adjacent, eights, 0), f.select(transposed, complete, 0)
        with f.range(squares, step=rows) as i:
            source, target = a + i * rsa, to + i * k
            with f.range(done, step=rows) as p:
                store_transposed(square, source + p, rsa, target + p * rows, rows)
            strip(source, target, rows, done)
        for many in TILE_ROWS[1:]:
            with f.when((m & many) != 0):
                above = m & -2 * many
                strip(a + above * rsa, to + above * k, many, 0)

    return pack_strips


def _copy_column(
    f: Kernel, terms: tuple[Any, Number], source: Pointer, step: Number, target: Pointer, width: Any
) -> None:
    """target[p width] = source[p step] for p from the first of `terms` to before the last."""
    with f.range(terms[1], start=terms[0]) as p:
        (target + p * width)[0] = (source + p * step)[0]


def store_transposed(v: Type, source: Pointer, row: Number, target: Pointer, width: Any) -> None:
    """A square of vectors with leading dimension `row` is stored transposed, with `width`: as often as lanes can be
    halved, row i is interleaved with row i + half."""
    f, n = source.k, v.lanes
    rows = [(source + r * row).load(n) for r in range(n)]
    interleaved = [lane for i in range(n) for lane in (i, n + i)]
    for _ in range(n.bit_length() - 1):
        pairs = zip(rows[: n // 2], rows[n // 2 :], strict=True)
        rows = [f.shuffle(x, y, lanes) for x, y in pairs for lanes in (interleaved[:n], interleaved[n:])]
    for r, x in enumerate(rows):
        (target + r * width).store(x)


# A panel


def block_signature(v: Type) -> Signature:
    matrix, e = array(v.scalar), v.scalar
    parameters: dict[str, Kind] = dict(
        m=i64, wide=i64, k=i64, a=matrix, rsa=i64, csa=i64, b=matrix, rsb=i64, c=matrix, ldc=i64
    )
    return signature(named("block", v), None, parameters, live=i64, alpha=e, add=i1, beta=e, strided=i1)


def _block(v: Type) -> Function:
    @kernel(block_signature(v))
    def block(
        f: Kernel, m: Number, wide: Number, k: Number, a: Pointer, rsa: Number, csa: Number, b: Pointer, rsb: Number,
        c: Pointer, ldc: Number, live: Number, alpha: Number, add: Number, beta: Number, strided: Number,
    ) -> None:  # fmt: skip
        """(If add) beta C + alpha A B for one panel of B, of `wide` vectors: a tile after the other down the rows.  A
        is strided, or in strips."""
        down, to_next_row = f.select(strided, rsa, k), f.select(strided, rsa, 1)
        to_next_term = {rows: f.select(strided, csa, rows) for rows in sorted({*TILE_ROWS, *LAST_TILE_ROWS})}

        def tiles(vectors: int, halved: bool) -> None:
            start: Any = 0
            for rows in LAST_TILE_ROWS if vectors == LAST_TILE_VECTORS else TILE_ROWS:
                left = m - start
                end = m - f.unsigned("urem", left, rows)
                s = _tile_signature(v, rows, vectors, halved and rows in HALVED_ROWS)
                with f.range(end, start=start, step=rows) as i:
                    f.forward(s, a=a + i * down, c=c + i * ldc, rsa=to_next_row, csa=to_next_term[rows])
                start = end

        few = (live <= v.lanes // 2).unsigned(i64)
        with f.switch(wide * 2 + few) as cases:
            for vectors in range(1, TILE_VECTORS + 1):
                for halved in (False, True):
                    is_usual = vectors == TILE_VECTORS and not halved
                    with cases.default() if is_usual else cases.case(2 * vectors + halved):
                        tiles(vectors, halved)
            with cases.case(2 * LAST_TILE_VECTORS, 2 * LAST_TILE_VECTORS + 1):
                tiles(LAST_TILE_VECTORS, False)

    return block
