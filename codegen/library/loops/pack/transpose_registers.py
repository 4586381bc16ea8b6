"""Transposition in registers: 8 x 8 squares of elements, by log2(8) stages of shuffles.

Contract  `transpose(to, to_row, from, from_row, size, rows, columns)`: to[c, r] = from[r, c], rows in bytes.
When      elements of 1 to 16 bytes; the rest goes by masked strips and a corner.
Why       each cache line is loaded and stored once, as whole vectors.
Ref       Eklundh's transposition: in each stage halves of blocks of 4, 2 and 1 change places between two rows.
"""

from __future__ import annotations

from tensordsl.codegen.library.loops.descriptor import LoopFunction, shuffled
from tensordsl.codegen.llvm.builder import Asm
from tensordsl.codegen.target.tuning import Tuning

SIDE = 8  # of the squares
HALF = 4  # rows or columns of half ones
SIZES = (1, 2, 4, 8)  # bytes of an element
_PARAMS = ["ptr to", "i64 to_row", "ptr from", "i64 from_row", "i64 rows", "i64 columns"]


def transpose_texts(t: Tuning) -> list[str]:
    strips = [strip(size, limit) for size in SIZES for strip in (_right_strip, _bottom_strip) for limit in (HALF, SIDE)]
    return [
        *(_squares(t, size) for size in SIZES),
        *strips,
        *map(_corner, SIZES),
        *map(_declared, SIZES),
        _transpose16(),
        _transpose(),
    ]


def transposed_square(c: Asm, kind: str, rows: list[str]) -> list[str]:
    """The columns of a square, or of two halves in the same vectors: in each stage, halves of blocks of 4, 2 and 1
    change places between two rows."""
    half = len(rows) // 2
    while half:
        following = list(rows)
        for q in range(len(rows)):
            if q & half:
                continue
            low = [k if not k & half else SIDE + k - half for k in range(SIDE)]
            high = [k + half if not k & half else SIDE + k for k in range(SIDE)]
            for at, lanes in ((q, low), (q + half, high)):
                mask = ", ".join(f"i32 {k}" for k in lanes)
                pair = f"{kind} {rows[q]}, {kind} {rows[q + half]}"
                following[at] = c.op(f"shufflevector {pair}, <{SIDE} x i32> <{mask}>")
        rows, half = following, half // 2
    return rows


def _kind(size: int, lanes: int = SIDE) -> str:
    return f"<{lanes} x i{8 * size}>"


def _addresses(c: LoopFunction, base: str, step: str, count: int) -> list[str]:
    return [c.gep(base, c.mul(step, q)) for q in range(count)]


def _squares(t: Tuning, size: int) -> str:
    """to[c, r] = from[r, c] for whole squares; rows of both are contiguous, their distances are in bytes.  What stands
    behind the rows of `from` is prefetched: it is the next tile's, and hardware follows no eight short streams."""
    c, kind = LoopFunction("void", f"transpose_squares{size}", _PARAMS, internal=True), _kind(size)
    with c.loop("%rows", step=SIDE) as r, c.loop("%columns", step=SIDE) as k:
        source = c.gep("%from", c.add(c.mul(r.index, "%from_row"), c.mul(k.index, size)))
        target = c.gep("%to", c.add(c.mul(k.index, "%to_row"), c.mul(r.index, size)))
        behind = c.gep(source, c.mul("%columns", size))
        for place in _addresses(c, behind, "%from_row", SIDE if t.allows("prefetch_blocks") else 0):
            c.do(f"call void @llvm.prefetch.p0(ptr {place}, i32 0, i32 2, i32 1)")
        rows = [c.op(f"load {kind}, ptr {place}, align 1") for place in _addresses(c, source, "%from_row", SIDE)]
        for row, place in zip(transposed_square(c, kind, rows), _addresses(c, target, "%to_row", SIDE), strict=True):
            c.do(f"store {kind} {row}, ptr {place}, align 1")
    return c.end()


def _mask(c: LoopFunction, count: str, lanes: int) -> str:
    """The first `count` lanes."""
    one = c.op(f"insertelement <{lanes} x i64> poison, i64 {count}, i64 0")
    every = c.op(f"shufflevector <{lanes} x i64> {one}, <{lanes} x i64> poison, <{lanes} x i32> zeroinitializer")
    return c.op(f"icmp ult <{lanes} x i64> <{', '.join(f'i64 {k}' for k in range(lanes))}>, {every}")


def _right_strip(size: int, limit: int) -> str:
    """The same of squares with at most `limit` columns: of complete rows what is inside is loaded."""
    c = LoopFunction("void", f"transpose_columns{size}x{limit}", _PARAMS, internal=True)
    kind, part = _kind(size), _kind(size, limit)
    mask, targets = _mask(c, "%columns", limit), _addresses(c, "%to", "%to_row", limit)
    with c.loop("%rows", step=SIDE) as r:
        source, behind = c.gep("%from", c.mul(r.index, "%from_row")), c.mul(r.index, size)
        given = "i32 1", f"<{limit} x i1> {mask}", f"{part} poison"
        rows = [
            c.call(part, f"@llvm.masked.load.v{limit}i{8 * size}.p0", f"ptr {place}", *given)
            for place in _addresses(c, source, "%from_row", SIDE)
        ]
        if limit < SIDE:
            rows = [shuffled(c, part, a, b, range(SIDE)) for a, b in zip(rows[:limit], rows[limit:], strict=True)]
        for q, (row, target) in enumerate(zip(transposed_square(c, kind, rows), targets, strict=True)):
            with c.when(c.gt("%columns", q)):
                c.do(f"store {kind} {row}, ptr {c.gep(target, behind)}, align 1")
    return c.end()


def _bottom_strip(size: int, limit: int) -> str:
    """The same of squares with at most `limit` rows; the last one stands for those that are not."""
    c = LoopFunction("void", f"transpose_rows{size}x{limit}", _PARAMS, internal=True)
    kind, part, last = _kind(size), _kind(size, limit), c.sub("%rows", 1)
    mask = _mask(c, "%rows", limit)
    sources = [c.gep("%from", c.mul(c.min(last, q), "%from_row")) for q in range(limit)]
    with c.loop("%columns", step=SIDE) as k:
        behind = c.mul(k.index, size)
        columns = transposed_square(c, kind, [c.op(f"load {kind}, ptr {c.gep(s, behind)}, align 1") for s in sources])
        if limit < SIDE:
            columns = [shuffled(c, kind, x, x, range(first, first + limit)) for first in (0, limit) for x in columns]
        target = c.gep("%to", c.mul(k.index, "%to_row"))
        for column, place in zip(columns, _addresses(c, target, "%to_row", SIDE), strict=True):
            given = f"{part} {column}", f"ptr {place}", "i32 1", f"<{limit} x i1> {mask}"
            c.call("void", f"@llvm.masked.store.v{limit}i{8 * size}.p0", *given)
    return c.end()


def _corner(size: int) -> str:
    """The same of one square with fewer rows and columns."""
    c, kind = LoopFunction("void", f"transpose_corner{size}", _PARAMS, internal=True), _kind(size)
    limit, wanted, last = _mask(c, "%columns", SIDE), _mask(c, "%rows", SIDE), c.sub("%rows", 1)
    name, rows = f"v{SIDE}i{8 * size}.p0", []
    for q in range(SIDE):
        place = c.gep("%from", c.mul(c.min(last, q), "%from_row"))
        given = f"ptr {place}", "i32 1", f"<{SIDE} x i1> {limit}", f"{kind} poison"
        rows.append(c.call(kind, f"@llvm.masked.load.{name}", *given))
    for q, (column, target) in enumerate(
        zip(transposed_square(c, kind, rows), _addresses(c, "%to", "%to_row", SIDE), strict=True)
    ):
        with c.when(c.gt("%columns", q)):
            given = f"{kind} {column}", f"ptr {target}", "i32 1", f"<{SIDE} x i1> {wanted}"
            c.call("void", f"@llvm.masked.store.{name}", *given)
    return c.end()


def _declared(size: int) -> str:
    kinds = ((f"v{n}i{8 * size}", _kind(size, n), n) for n in (HALF, SIDE))
    return "".join(
        f"declare {kind} @llvm.masked.load.{name}.p0(ptr, i32, <{n} x i1>, {kind})\n"
        f"declare void @llvm.masked.store.{name}.p0({kind}, ptr, i32, <{n} x i1>)\n"
        for name, kind, n in kinds
    )


def _transpose() -> str:
    """to[c, r] = from[r, c], of any element size and numbers: squares, what is right of them and below, the corner."""
    params = ["ptr to", "i64 to_row", "ptr from", "i64 from_row", "i64 size", "i64 rows", "i64 columns"]
    c = LoopFunction("void", "transpose", params, internal=True)
    with c.when(c.eq("%size", 16)):
        c.call("void", "@transpose16", *(p.replace(" ", " %") for p in params if p != "i64 size"))
        c.ret()
    rows, columns = c.and_("%rows", -SIDE), c.and_("%columns", -SIDE)
    below, right = c.sub("%rows", rows), c.sub("%columns", columns)

    def at(row: str, column: str) -> list[str]:
        """Where `to` and `from` are from a row and a column on."""
        limit = c.add(c.mul(column, "%to_row"), c.mul(row, "%size"))
        here = c.add(c.mul(row, "%from_row"), c.mul(column, "%size"))
        return [f"ptr {c.gep('%to', limit)}", "i64 %to_row", f"ptr {c.gep('%from', here)}", "i64 %from_row"]

    strips = (
        ("transpose_columns", right, at("0", columns), rows, right),
        ("transpose_rows", below, at(rows, "0"), below, columns),
    )
    for size in SIZES:
        with c.when(c.eq("%size", size)):
            with c.when(c.all(c.gt(rows, 0), c.gt(columns, 0))):
                c.call("void", f"@transpose_squares{size}", *at("0", "0"), f"i64 {rows}", f"i64 {columns}")
            for strip, left, places, m, n in strips:
                for limit, least in ((HALF, 0), (SIDE, HALF)):
                    with c.when(c.all(c.gt(left, least), c.le(left, limit))):
                        c.call("void", f"@{strip}{size}x{limit}", *places, f"i64 {m}", f"i64 {n}")
            with c.when(c.all(c.gt(below, 0), c.gt(right, 0))):
                c.call("void", f"@transpose_corner{size}", *at(rows, columns), f"i64 {below}", f"i64 {right}")
    return c.end()


def _transpose16() -> str:
    """The same of elements of 16 bytes, one by one."""
    c = LoopFunction("void", "transpose16", _PARAMS, internal=True)
    with c.loop("%columns") as k:
        to, source = c.gep("%to", c.mul(k.index, "%to_row")), c.gep("%from", c.shl(k.index, 4))
        c.call("void", "@strided16", f"ptr {to}", f"ptr {source}", "i64 %from_row", "i64 %rows")
    return c.end()
