"""Large matrix products: the five loops around the micro-kernel, and their tasks for threads.

Contract  `shared_<type>`: (beta C +) alpha A B, any strides of A and B; then an epilogue on each finished block of C.
When      the machine has 32 registers of 64 bytes (`panels`), and no BLAS is better (`gemm.dispatch`).
Why       each operand is packed for the cache level that it is read from; tasks are products, with the same sums.
Ref       BLIS's five loops: F. Van Zee and R. van de Geijn, BLIS, 2015.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from tensordsl.codegen.abi import layouts
from tensordsl.codegen.kernel_ir.ir import Function
from tensordsl.codegen.kernel_ir.language import Kernel, Number, Pointer, kernel
from tensordsl.codegen.kernel_ir.structs import Fields, Struct
from tensordsl.codegen.kernel_ir.types import Kind, Signature, Type, array, i1, i64, ptr, signature
from tensordsl.codegen.library.blocks import GIVE_BLOCK, TAKE_BLOCK
from tensordsl.codegen.library.gemm.narrow import narrow_signature, plain_signature, widest
from tensordsl.codegen.library.gemm.panels import (
    LAST_TILE_VECTORS,
    TILE_ROWS,
    TILE_VECTORS,
    block_signature,
    pack_panel_signature,
    pack_strips_signature,
)
from tensordsl.codegen.library.gemm.signatures import SIZES, named, product, product_parameters, scale, strided
from tensordsl.codegen.library.gemm.tiles import duration
from tensordsl.codegen.library.polls import DROP, HOLD, POLL
from tensordsl.codegen.library.run_time_table import entry
from tensordsl.codegen.library.tasks import leave_unless_worth, share, task_signature, wanted_threads
from tensordsl.codegen.target.tuning import Tuning

RUN_TILE = signature("run_tile", rt=ptr, then=ptr, row=i64, column=i64, rows=i64, columns=i64)


def share_functions(v: Type, t: Tuning) -> list[Function]:
    """`shared_<type>`: (if add) beta C + alpha A B for any strides of A and B, by several threads if that pays; and
    what follows it."""
    return [_strips(v, t), _product(v, t), _unpacked(v, t), _by_panels(v), _part(v), _shared(v, t)]


def shared_signature(v: Type) -> Signature:
    return signature(named("shared", v), None, product_parameters(v))


def _of_part(v: Type) -> dict[str, Kind]:
    """narrow: may `gemm.narrow` do it; height: rows of the whole product."""
    return {**product_parameters(v), "narrow": i1, "height": i64}


def _job(v: Type) -> Struct:
    """Of a product; rows and columns of a part, parts of a row of parts."""
    return Struct(**_of_part(v), rows=i64, columns=i64, across=i64)


def _quotient(f: Kernel, x: Number, y: Any) -> Number:
    """x / y, rounded up."""
    return f.quotient(x + y - 1, y)


# Packing


def _strip_columns(f: Kernel, t: Tuning) -> Number:
    """Columns of C from which packing A pays."""
    return f.select(f.given["csa"] == 1, t.gemm.strip_min_columns, t.gemm.strip_min_columns_strided)


def _strips_signature(v: Type) -> Signature:
    return signature(named("strips", v), ptr, rt=ptr, m=i64, n=i64, k=i64, a=array(v.scalar), rsa=i64, csa=i64)


def _strips(v: Type, t: Tuning) -> Function:
    @kernel(_strips_signature(v))
    def strips(f: Kernel, rt: Pointer, m: Number, n: Number, k: Number, a: Pointer, rsa: Number, csa: Number) -> None:
        """A block of the pool with packed rows of A for a product of n columns; null: they are read where they are."""
        with f.when(n < _strip_columns(f, t)):
            f.ret(f.null)
        block = f.call(TAKE_BLOCK, rt, m * k * v.scalar.bytes)
        with f.when(block != f.null):
            f.forward(pack_strips_signature(v), to=block.bytes(layouts.BLOCK_HEAD))
        f.ret(block)

    return strips


def _columns_together(f: Kernel, v: Type, t: Tuning) -> Number:
    """How many columns of B are packed at a time: complete panels, about as many each time."""
    n, k, width = f.given["n"], f.given["k"], TILE_VECTORS * v.lanes
    elements = f.number(t.gemm.packed_bytes // (v.scalar.bytes * width), i64)
    panels = f.quotient(elements, f.max(f.min(k, t.gemm.block_terms), 1))
    count = _quotient(f, n, width)
    parts = _quotient(f, count, f.max(panels, 1))
    return _quotient(f, count, parts) * width


def _panel_block(f: Kernel, v: Type, t: Tuning, most: Number) -> tuple[Number, Pointer]:
    """(whether panels of B are packed, the block of the pool for them).  The function ends where there is no memory."""
    m, n, k, csb = (f.given[name] for name in ("m", "n", "k", "csb"))
    bytes_of_b = k * n * v.scalar.bytes
    packs = f.any(csb != 1, f.all(m >= t.gemm.pack_min_rows, bytes_of_b > t.gemm.pack_min_bytes))
    block = f.variable(f.null)
    with f.when(packs):
        width = (f.min(n, most) + (v.lanes - 1)) & -v.lanes
        count = width * f.min(k, t.gemm.block_terms)
        taken = f.call(TAKE_BLOCK, f.given["rt"], count * v.scalar.bytes)
        with f.when(taken == f.null):
            f.ret(False)
        block.set(taken)
    return packs, block.value


# By panels of B


class _Panel(NamedTuple):
    """Its first column, vectors, columns, lanes of the last vector."""

    first: Number
    wide: Number
    columns: Number
    live: Number


def _panel(f: Kernel, v: Type, columns: Number, number: Number) -> _Panel:
    """A panel of so many columns: the last 4 vectors are two panels of 2."""
    vectors, last = _quotient(f, columns, v.lanes), _quotient(f, columns, TILE_VECTORS * v.lanes) - 1
    single = f.remainder(vectors, TILE_VECTORS) == 1
    two = f.all(single, number + 1 >= last, last > 0)
    start = number * TILE_VECTORS - f.all(two, number == last).unsigned(i64)
    wide = f.select(two, 2, f.min(vectors - start, TILE_VECTORS))
    first = start * v.lanes
    some = f.min(columns - first, wide * v.lanes)
    return _Panel(first, wide, some, some - (wide - 1) * v.lanes)


def _unpacked_panel(f: Kernel, v: Type, vectors: Number, number: Number) -> _Panel:
    """The same where nothing is packed: the last 4 vectors are one panel."""
    left = vectors - number * TILE_VECTORS
    wide = f.select(left <= LAST_TILE_VECTORS, left, TILE_VECTORS)
    first = number * (TILE_VECTORS * v.lanes)
    before, columns = (wide - 1) * v.lanes, f.given["n"] - first
    return _Panel(first, wide, columns, f.min(columns - before, v.lanes))


def _product(v: Type, t: Tuning) -> Function:
    g, room = t.gemm, layouts.BLOCK_HEAD

    @kernel(product(v))
    def by_blocks(
        f: Kernel, rt: Pointer, m: Number, n: Number, k: Number, a: Pointer, rsa: Number, csa: Number, b: Pointer,
        rsb: Number, csb: Number, c: Pointer, ldc: Number, alpha: Number, add: Number, beta: Number, *_: Any,
    ) -> None:  # fmt: skip
        most = _columns_together(f, v, t)
        packs, block = _panel_block(f, v, t, most)
        with f.when(packs):
            f.call(HOLD, block)
        panels, together = block.bytes(room).of(v.scalar), _rows_together(f, v, t, f.min(n, most))
        with (
            f.range(n, step=most) as jc,
            f.range(k, step=g.block_terms) as pc,
            f.range(m, step=g.block_rows) as ic,
        ):
            columns, terms, rows = f.min(n - jc, most), f.min(k - pc, g.block_terms), f.min(m - ic, g.block_rows)
            at_a, at_b, at_c = a + pc * csa + ic * rsa, b + pc * rsb + jc * csb, c + jc + ic * ldc
            is_later, is_last = pc > 0, pc + g.block_terms >= k
            adds, factor = add | is_later, f.select(is_later, 1.0, beta)
            strips = f.forward(_strips_signature(v), m=rows, k=terms, a=at_a)
            is_strided = strips == f.null
            rows_of_a = f.select(is_strided, at_a, strips.bytes(room).of(v.scalar))
            # One block of rows over all panels, from the diagonal on if these are `half`; the first one packs a panel.
            with f.range(_quotient(f, columns, TILE_VECTORS * v.lanes)) as number:
                panel = _panel(f, v, columns, number)
                start = _diagonal(f, jc + panel.first)
                above = f.max(start - ic, 0)
                with f.when(above < rows):
                    width = panel.wide * v.lanes
                    source, packed = at_b + panel.first * csb, panels + panel.first * terms
                    with f.when(f.all(packs, start >= ic)):
                        f.forward(
                            pack_panel_signature(v), to=packed, width=width, b=source, k=terms, live=panel.columns
                        )  # fmt: skip
                    f.forward(
                        block_signature(v), m=rows - above, wide=panel.wide, k=terms,
                        a=rows_of_a + above * f.select(is_strided, rsa, terms), b=f.select(packs, packed, source),
                        rsb=f.select(packs, width, rsb), c=at_c + above * ldc + panel.first, live=panel.live, add=adds,
                        beta=factor, strided=is_strided,
                    )  # fmt: skip
            with f.when(strips != f.null):
                f.call(GIVE_BLOCK, rt, strips)
            end = ic + rows
            is_complete = f.any(end == m, f.remainder(end, together) == 0)
            with f.when(f.all(is_last, is_complete)):
                first = f.quotient(ic, together) * together
                _run_epilogue(f, (first, jc), (end - first, columns))
            f.call(POLL)
        with f.when(packs):
            f.call(DROP)
            f.call(GIVE_BLOCK, rt, block)
        f.ret(True)

    return by_blocks


def _diagonal(f: Kernel, column: Number) -> Number:
    """The first row, of complete tiles, that a column of C is needed in."""
    below = column - f.given["row"] + f.given["column"]
    return f.select(f.given["half"], f.max(below & -TILE_ROWS[0], 0), 0)


def _rows_together(f: Kernel, v: Type, t: Tuning, columns: Number) -> Number:
    """How many rows of C what follows is run on at a time."""
    of_column = f.number(t.gemm.epilogue_bytes // (t.gemm.block_rows * v.scalar.bytes), i64)
    return f.max(f.quotient(of_column, columns), 1) * t.gemm.block_rows


def _run_epilogue(f: Kernel, first: tuple[Any, Any], sizes: tuple[Number, Number]) -> None:
    """What follows the product, on a block of C that is complete."""
    rt, then, row, column = (f.given[name] for name in ("rt", "then", "row", "column"))
    with f.when(then != f.null):
        places = row + first[0], column + first[1]
        f.call_at(entry(rt, "run_tile"), RUN_TILE, rt, then, *places, *sizes)


def unpacked_signature(v: Type) -> Signature:
    """Has it done the product, of two vectors of columns and more?  Sums are those of `product`."""
    scales: dict[str, Kind] = dict(alpha=v.scalar, add=i1, beta=v.scalar)
    return signature(named("unpacked", v), i1, dict(rt=ptr, **SIZES, **strided(v), **scales))


def _unpacked(v: Type, t: Tuning) -> Function:
    g = t.gemm

    @kernel(unpacked_signature(v))
    def unpacked(
        f: Kernel, rt: Pointer, m: Number, n: Number, k: Number, a: Pointer, rsa: Number, csa: Number, b: Pointer,
        rsb: Number, csb: Number, c: Pointer, ldc: Number, alpha: Number, add: Number, beta: Number,
    ) -> None:  # fmt: skip
        size, bytes_of_b = m * n * k, k * n * v.scalar.bytes
        packs_nothing = f.any(m < g.pack_min_rows, bytes_of_b <= g.pack_min_bytes)
        is_strided = n < _strip_columns(f, t)
        several = f.all(m > g.unpacked_min_rows, k > g.unpacked_min_rows)
        rest = n & (v.lanes - 1)  # columns that may be a product of their own
        full = f.any(rest == 0, rest > v.lanes // 2, k < g.thin_min_terms)
        little = duration(v, size) < g.parallel_min_ns
        alone = f.any(entry(rt, "threads") == f.null, little)
        small = f.all(size <= g.unpacked_max, k <= g.block_terms, alone)
        with f.when(~f.all(csb == 1, several, full, small, packs_nothing, is_strided)):
            f.ret(False)
        vectors = _quotient(f, n, v.lanes)
        with f.range(f.max(f.quotient(vectors + 1, TILE_VECTORS), 1)) as number:
            panel = _unpacked_panel(f, v, vectors, number)
            f.forward(
                block_signature(v), wide=panel.wide, b=b + panel.first, c=c + panel.first, live=panel.live, strided=True
            )  # fmt: skip
        f.ret(True)

    return unpacked


# Parts for threads


def _by_panels_signature(v: Type) -> Signature:
    return signature(named("by_panels", v), None, _of_part(v))


def _by_panels(v: Type) -> Function:
    @kernel(_by_panels_signature(v))
    def by_panels(f: Kernel, *_: Any) -> None:
        """The product; what lacks memory is done by the plain loop."""
        m, n, add, beta = (f.given[name] for name in ("m", "n", "add", "beta"))
        with f.when(f.given["narrow"]):
            with f.when(f.forward(narrow_signature(v))):
                _run_epilogue(f, (0, 0), (m, n))
                f.ret()
        with f.when(f.forward(product(v))):
            f.ret()
        with f.when(f.all(add, beta != 1.0)):
            f.forward(scale(v))
        f.forward(plain_signature(v))
        _run_epilogue(f, (0, 0), (m, n))

    return by_panels


def _part_signature(v: Type) -> Signature:
    return task_signature(named("part", v))


def _part(v: Type) -> Function:
    @kernel(_part_signature(v))
    def part(f: Kernel, place: Pointer, i: Number) -> None:
        """A part of a job: rows by panels of C."""
        job = Fields(_job(v), place)
        given = {name: getattr(job, name) for name in _job(v).fields}
        across, rows, columns = (given.pop(name) for name in ("across", "rows", "columns"))
        above, left = f.quotient(i, across) * rows, f.remainder(i, across) * columns
        moved = {
            "a": given["a"] + above * given["rsa"],
            "b": given["b"] + left * given["csb"],
            "c": given["c"] + above * given["ldc"] + left,
            "row": given["row"] + above,
            "column": given["column"] + left,
            "m": f.min(given["m"] - above, rows),
            "n": f.min(given["n"] - left, columns),
        }
        f.forward(_by_panels_signature(v), **(given | moved))

    return part


def _shared(v: Type, t: Tuning) -> Function:
    g = t.gemm

    @kernel(shared_signature(v))
    def shared(f: Kernel, rt: Pointer, m: Number, n: Number, k: Number, *_: Any) -> None:
        """Parts are complete panels of some or of all rows."""
        pool, work = entry(rt, "threads"), duration(v, m * n * k)
        narrow = f.all(n <= widest(v, t), ~f.given["half"])
        with f.once():
            leave_unless_worth(f, t, pool, work, g.parallel_min_ns)
            threads = wanted_threads(pool)
            of_thread = f.unsigned("udiv", work, threads * g.task_ns)
            wanted = threads * f.max(f.min(of_thread, g.tasks_per_thread), 1)
            vectors = _quotient(f, n, v.lanes)
            by_rows = f.all(f.given["csa"] != 1, f.quotient(m, g.task_min_rows) >= wanted)
            across = f.select(by_rows, 1, f.min(_quotient(f, vectors, g.task_vectors), wanted))
            columns = _quotient(f, vectors, across) * v.lanes
            across = _quotient(f, n, columns)
            down = f.max(_quotient(f, wanted, across), f.min(f.quotient(m, g.task_high_rows), 2))
            rows = _quotient(f, _quotient(f, m, down), TILE_ROWS[0]) * TILE_ROWS[0]
            rows = f.max(rows, g.task_min_rows)
            parts = {"narrow": narrow, "height": m, "rows": rows, "columns": columns, "across": across}
            job = _job(v).made(f, **f.given, **parts)
            share(f, pool, _part_signature(v), job, across * _quotient(f, m, rows))
            f.ret()
        f.forward(_by_panels_signature(v), narrow=narrow, height=m)

    return shared
