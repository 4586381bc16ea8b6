"""Tiled transposition: one kernel whose operands are contiguous along different axes.

Contract  `transpose_tiles`: all points whose lane is below `whole`, tile by tile.
When      some operand is contiguous along another axis than the lanes' (`transposed_axis`).
Why       packing such an operand row by row reads each cache line as often as it has elements.  A tile of rows is
          transposed to scratch at once (loop tiling), its rows go through the kernel, transposed outputs go back.
"""

from __future__ import annotations

from tensordsl.codegen.abi.descriptor import READ, VECTOR, WRITE, BlocksCode, CallCode, Header, Operand
from tensordsl.codegen.library.loops.descriptor import LoopFunction, product
from tensordsl.codegen.target.machine import CACHE_LINE_BYTES
from tensordsl.codegen.target.tuning import Tuning

SHORT_ROW_ELEMENTS = 64  # room of a row of fewer than a vector, which goes in and out by whole cache lines


def transpose_tile_texts(t: Tuning) -> list[str]:
    return [_transposed_axis(), _tile_rows(t), _tile(t), _tile_addresses(), _transpose_tiles(t)]


def block_of(c: LoopFunction) -> str:
    """Elements of a block, for which scratch has room."""
    return c.get(c.word("%D", c.sub(c.header(Header.DIRECT_CALL), BlocksCode.WORDS)), 3)


def _transposed_axis() -> str:
    """The axis along which most operands are contiguous that are not so along the lane axis, or -1."""
    c = LoopFunction("i64", "transposed_axis", ["ptr D", "ptr e", "ptr s"], internal=True)
    words = c.word("%D", c.header(Header.DIRECT_CALL))
    lane, external, axes = c.get(words, CallCode.LANE), c.get(words, CallCode.EXTERNALS), c.header(Header.AXES)
    best, most = c.cell(-1), c.cell(0)
    with c.loop(axes) as axis, c.when(c.gt(c.get("%e", axis.index), 1)):
        with c.loop(external, ("i64", "0")) as loop:
            entry = c.operand(words, loop.index)
            row, size = c.mul(c.get(entry, Operand.NUMBER), axes), c.get(entry, Operand.ELEMENT_BYTES)
            vector, other = c.is_kind(entry, VECTOR), c.add(row, axis.index)
            strided = c.ne(c.get("%s", c.add(row, lane)), size)
            found = c.all(vector, strided, c.eq(c.get("%s", other), size))
            loop.next = [c.add(loop.values[0], c.as_i64(found))]
        with c.when(c.gt(loop.values[0], c.get(most, 0))):
            c.put(loop.values[0], most, 0)
            c.put(axis.index, best, 0)
    return c.end("i64", c.get(best, 0))


def _tile_rows(t: Tuning) -> str:
    """(rows of a tile, those that its first one lacks), by the first transposed operand whose rows all begin at one
    place of a cache line: there tiles begin with lines, and whole ones are as good as longer pieces."""
    c = LoopFunction("void", "tile_rows", ["ptr D", "ptr B", "ptr S", "i64 axis", "ptr to"], internal=True)
    words = c.word("%D", c.header(Header.DIRECT_CALL))
    lane, external, axes = c.get(words, CallCode.LANE), c.get(words, CallCode.EXTERNALS), c.header(Header.AXES)
    with c.loop(external) as loop:
        entry = c.operand(words, loop.index)
        row, size = c.mul(c.get(entry, Operand.NUMBER), axes), c.get(entry, Operand.ELEMENT_BYTES)
        across, along = (c.get("%S", c.add(row, axis)) for axis in (lane, "%axis"))
        behind = c.and_(
            c.op(f"ptrtoint ptr {c.get('%B', c.get(entry, Operand.NUMBER), 'ptr')} to i64"), CACHE_LINE_BYTES - 1
        )
        is_transposed = c.all(c.is_kind(entry, VECTOR), c.eq(along, size), c.ne(across, 0))
        with c.when(c.all(is_transposed, c.eq(c.and_(across, CACHE_LINE_BYTES - 1), 0))):
            c.put(c.min(c.max(c.sdiv(CACHE_LINE_BYTES, size), t.pack.tile_rows // 2), t.pack.tile_rows), "%to", 0)
            c.put(c.sdiv(behind, size), "%to", 1)
            c.ret()
    c.put(t.pack.tile_rows, "%to", 0)
    c.put(0, "%to", 1)
    return c.end()


_TILE = [
    "ptr K",
    "ptr D",
    "ptr B",
    "ptr S",
    "ptr I",
    "ptr P",
    "ptr scratch",
    "i64 axis",
    "i64 lanes",
    "i64 rows",
    "i64 room",
    "i64 points",
]


def _operand(c: LoopFunction, words: str, k: str) -> tuple[str, str, str, str, str, str]:
    """(entry, element size, address, stride along the lanes, along the rows, scratch) of an external operand."""
    entry = c.operand(words, k)
    number, lane = c.get(entry, Operand.NUMBER), c.get(words, CallCode.LANE)
    row = c.mul(number, c.header(Header.AXES))
    across, along = c.get("%S", c.add(row, lane)), c.get("%S", c.add(row, "%axis"))
    area = c.gep("%scratch", c.get(entry, Operand.SCRATCH))
    return entry, c.get(entry, Operand.ELEMENT_BYTES), c.get("%B", number, "ptr"), across, along, area


def _tile(t: Tuning) -> str:
    """rows x lanes points, of so many in all, at the addresses B; scratch holds rows of `room` elements of each
    operand."""
    c = LoopFunction("void", "tile", _TILE, internal=True)
    words = c.word("%D", c.header(Header.DIRECT_CALL))
    external, operands = c.get(words, CallCode.EXTERNALS), c.get(words, CallCode.OPERANDS)
    kernel = c.get("%K", c.get(words, CallCode.KERNEL), "ptr")
    steps, width = c.word("%P", operands), c.header(Header.LANES)
    is_short = c.lt("%lanes", width)
    with c.loop(external) as loop:
        entry, size, address, across, along, area = _operand(c, words, loop.index)
        packed = _is_packed(c, entry, across, size, is_short)
        pitch = c.mul("%room", size)
        c.put(c.choose(packed, area, address, "ptr"), "%P", loop.index, "ptr")
        c.put(c.choose(packed, pitch, along), steps, loop.index)
        _prefetch_next(c, t, entry, size, address, packed, across, along)
        with c.when(c.all(packed, c.has_flag(entry, READ))):
            _move_tile(c, area, pitch, size, address, across, along, is_in=True)
            with c.when(is_short):
                _pad(c, area, pitch, size, width)
    with c.loop(c.sub(operands, external)) as loop:
        k = c.add(loop.index, external)
        entry = c.operand(words, k)
        c.put(c.word("%I", c.get(entry, Operand.NUMBER)), "%P", k, "ptr")
    lanes, live = c.max("%lanes", width), c.min("%lanes", width)
    c.call("void", kernel, "ptr %P", f"i64 {lanes}", f"i64 {live}", "i64 %rows")
    with c.loop(external) as loop:
        entry, size, address, across, along, area = _operand(c, words, loop.index)
        packed = _is_packed(c, entry, across, size, is_short)
        with c.when(c.all(packed, c.has_flag(entry, WRITE))):
            _move_tile(c, area, c.mul("%room", size), size, address, across, along, is_in=False)
    return c.end()


def _prefetch_next(
    c: LoopFunction, t: Tuning, entry: str, size: str, address: str, packed: str, across: str, along: str
) -> None:
    """Prefetch what the next tile along the rows' axis reads and writes of an operand: short pieces of lines
    at large strides, which no hardware prefetcher follows."""
    if not t.allows("prefetch_blocks"):
        return
    is_large = c.ge(c.mul(size, "%points"), t.pack.tile_prefetch_min_bytes)
    adjacent = c.any(c.negate(packed), c.eq(along, size))
    with c.when(c.all(is_large, adjacent, c.is_kind(entry, VECTOR))):
        count, step = c.choose(packed, "%lanes", "%rows"), c.choose(packed, across, along)
        length = c.mul(c.choose(packed, "%rows", "%lanes"), size)
        ahead = c.gep(address, c.mul(along, "%rows"))
        with c.loop(count) as piece:
            first = c.gep(ahead, c.mul(piece.index, step))
            with c.loop(length, step=CACHE_LINE_BYTES) as at:
                c.call("void", "@llvm.prefetch.p0", f"ptr {c.gep(first, at.index)}", "i32 0", "i32 2", "i32 1")


def _is_packed(c: LoopFunction, entry: str, across: str, size: str, is_short: str) -> str:
    """Whether the operand's rows are in scratch: its lanes are strided, or fewer than a vector has."""
    strided = c.any(c.ne(across, size), is_short)
    return c.all(c.is_kind(entry, VECTOR), strided)


def _pad(c: LoopFunction, area: str, pitch: str, size: str, width: str) -> None:
    """Behind a short row's lanes their last one stands, up to a vector."""
    dead, last = c.sub(width, "%lanes"), c.mul(c.sub("%lanes", 1), size)
    with c.loop("%rows") as row:
        source = c.gep(c.gep(area, c.mul(row.index, pitch)), last)
        given = f"ptr {c.gep(source, size)}", f"ptr {source}", "i64 0", f"i64 {size}", f"i64 {dead}", f"i64 {dead}"
        c.call("void", "@pack", *given, "i64 0")


def _move_tile(
    c: LoopFunction, area: str, pitch: str, size: str, address: str, across: str, along: str, *, is_in: bool
) -> None:
    """Between an operand and its rows in scratch: transposed if it is contiguous along the rows' axis, else by rows."""
    adjacent, other, done = c.label("adjacent"), c.label("other"), c.label("moved")
    c.branch(c.eq(along, size), adjacent, other)
    c.place(adjacent)
    here, there = (f"ptr {area}", f"i64 {pitch}"), (f"ptr {address}", f"i64 {across}")
    counts = ("i64 %lanes", "i64 %rows") if is_in else ("i64 %rows", "i64 %lanes")
    c.call("void", "@transpose", *(here if is_in else there), *(there if is_in else here), f"i64 {size}", *counts)
    c.jump(done)
    c.place(other)
    with c.loop("%rows") as row:
        inside, outside = (c.gep(area, c.mul(row.index, pitch)), c.gep(address, c.mul(row.index, along)))
        rest = f"i64 {across}", f"i64 {size}", "i64 %lanes"
        if is_in:
            c.call("void", "@pack", f"ptr {inside}", f"ptr {outside}", *rest, "i64 %lanes", "i64 0")
        else:
            c.call("void", "@unpack", f"ptr {outside}", f"ptr {inside}", *rest)
    c.jump(done)
    c.place(done)


def _transpose_tiles(t: Tuning) -> str:
    """All points whose lane is below `whole`: fewer than a vector has, or whole vectors, or some whose last points may
    be computed twice.  Tiles go along `axis` within the lanes of a tile, which stay in the cache."""
    params = ["ptr K", "ptr D", "ptr B", "ptr S", "ptr E", "ptr I", "ptr P", "ptr scratch", "i64 axis", "i64 whole"]
    c = LoopFunction("void", "transpose_tiles", params, internal=True)
    fast = c.header(Header.DIRECT_CALL)
    words = c.word("%D", fast)
    lane = c.get(words, CallCode.LANE)
    width = c.header(Header.LANES)
    axes = c.header(Header.AXES)
    operands = c.header(Header.OPERANDS)
    block, on_lines = block_of(c), c.op("alloca i64, i64 2, align 8")
    c.call("void", "@tile_rows", "ptr %D", "ptr %B", "ptr %S", "i64 %axis", f"ptr {on_lines}")
    most, less = c.get(on_lines, 0), c.get(on_lines, 1)
    lanes = c.sdiv(c.min(block, t.pack.tile_points), most)
    room = c.max(c.and_(lanes, c.sub(0, width)), width)
    room = c.choose(c.lt("%whole", width), SHORT_ROW_ELEMENTS, room)
    height, length = c.min(c.sdiv(block, room), most), c.get("%E", "%axis")
    here, points = c.op(f"alloca ptr, i64 {operands}, align 8"), product(c, "%E", axes)
    with c.loop(axes, ("i64", "1")) as loop:
        fixed = c.any(c.eq(loop.index, lane), c.eq(loop.index, "%axis"))
        loop.next = [c.mul(loop.values[0], c.choose(fixed, 1, c.get("%E", loop.index)))]
    start = c.choose(c.gt(length, height), c.sub(0, less), 0)
    tiles = c.loop(loop.values[0]), c.loop("%whole", step=room), c.loop(length, start=start, step=height)
    with tiles[0] as outer, tiles[1] as j, tiles[2] as i:
        first, row = c.max(c.min(j.index, c.sub("%whole", width)), 0), c.max(i.index, 0)
        lanes = c.min(c.sub("%whole", first), room)
        rows = c.sub(c.min(length, c.add(i.index, height)), row)
        where = f"i64 {outer.index}", "i64 %axis", f"i64 {row}", f"i64 {lane}", f"i64 {first}"
        c.call("void", "@tile_addresses", "ptr %D", "ptr %B", "ptr %S", "ptr %E", f"ptr {here}", *where)
        given = "ptr %K", "ptr %D", f"ptr {here}", "ptr %S", "ptr %I", "ptr %P", "ptr %scratch", "i64 %axis"
        c.call("void", "@tile", *given, f"i64 {lanes}", f"i64 {rows}", f"i64 {room}", f"i64 {points}")
    return c.end()


def _tile_addresses() -> str:
    """The addresses of all operands at point i, j of the tiles' axes, and at a point of the others counted together."""
    params = ["ptr D", "ptr B", "ptr S", "ptr E", "ptr to", "i64 outer", "i64 axis", "i64 i", "i64 lane", "i64 j"]
    c = LoopFunction("void", "tile_addresses", params, internal=True)
    axes = c.header(Header.AXES)
    with c.loop(c.header(Header.OPERANDS)) as k:
        row = c.word("%S", c.mul(k.index, axes))
        first = c.mul(c.get(row, "%axis"), "%i")
        first = c.add(first, c.mul(c.get(row, "%lane"), "%j"))
        with c.loop(axes, ("i64", first), ("i64", "%outer")) as loop:
            offset, rest = loop.values
            among = c.all(c.ne(loop.index, "%axis"), c.ne(loop.index, "%lane"))
            extent = c.choose(among, c.get("%E", loop.index), 1)
            step = c.mul(c.srem(rest, extent), c.get(row, loop.index))
            loop.next = [c.add(offset, step), c.sdiv(rest, extent)]
        c.put(c.gep(c.get("%B", k.index, "ptr"), loop.values[0]), "%to", k.index, "ptr")
    return c.end()
