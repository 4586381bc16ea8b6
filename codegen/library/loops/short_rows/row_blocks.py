"""Row blocking in cache: rows of a reduction that a loop around them reads again are copied a block at a time.

Contract  `shared_row_blocks`: a loop whose body is rows; false: not handled.  Kernels get the same rows together.
When      many positions of the loop share rows of 64 to 2,048 bytes, as in `((a[:, None] - b[None]) ** 2).sum(2)`.
Why       a block stays in the first-level cache while the loop goes through its positions (loop tiling); each copied
          row begins on a cache line.
"""

from __future__ import annotations

from collections.abc import Sequence

from tensordsl.codegen.abi.descriptor import (
    FINISHES_ROWS,
    FULL_ROW,
    VECTOR,
    WRITE,
    BlocksCode,
    CallCode,
    Context,
    Header,
    Opcode,
    Operand,
    RowsCode,
)
from tensordsl.codegen.library.loops.descriptor import LoopFunction, advance, put_position
from tensordsl.codegen.library.loops.row_batches import CODE_PARAMS, each_instruction, skip_call
from tensordsl.codegen.llvm.builder import passed
from tensordsl.codegen.target.machine import CACHE_LINE_BYTES
from tensordsl.codegen.target.tuning import Tuning

_BLOCK = ["i64 axis", "i64 rows", "i64 size", "ptr sizes", "i64 most", "ptr room"]


def row_block_texts(t: Tuning) -> list[str]:
    return [_shared_row_bytes(), _row_block(), _row_blocks(t), _shared_row_blocks(t)]


def has_row_blocks(c: LoopFunction, t: Tuning, first: str, end: str, extent: str) -> str:
    """Is the body of a loop, from `first` to `end`, rows and nothing else, whose reductions kernels finish?"""
    words = c.word(c.context(Context.DESCRIPTOR), first)
    blocks = c.word(words, RowsCode.WORDS)
    behind = c.add(first, c.add(c.get(words, RowsCode.BODY_WORDS), RowsCode.WORDS))
    finishes = c.has_block_flag(blocks, FINISHES_ROWS)
    is_body = c.all(
        c.eq(c.get(words, 0), Opcode.ROWS), c.eq(behind, end), c.ge(extent, t.short_rows.shared_min_positions)
    )
    return c.all(is_body, c.eq(c.get(blocks, 0), Opcode.BLOCKS), finishes)


def _lines(c: LoopFunction, size: str) -> str:
    """Bytes of as many whole lines as are needed."""
    return c.and_(c.add(size, CACHE_LINE_BYTES - 1), -CACHE_LINE_BYTES)


def _shared_row_bytes() -> str:
    """Bytes of a row of each operand of the calls that all positions along `axis` share, or 0, where there is nothing
    to gain; gives how many all of them need, on lines of their own, or 0, where rows may not go in blocks."""
    c = LoopFunction("i64", "shared_row_bytes", [*CODE_PARAMS, "i64 axis", "i64 rows", "ptr sizes"], internal=True)
    strides, words = (c.get("%cx", k, "ptr") for k in (Context.STRIDES, Context.DESCRIPTOR))
    axes, wrong = c.get(words, Header.AXES), c.cell(0)
    with each_instruction(c) as (call, at):
        is_call = c.eq(c.get(call, 0), Opcode.CALL)
        with c.when(is_call):
            n = c.get(c.context(Context.EXTENTS), c.max(c.get(call, CallCode.LANE), 0))
            with c.loop(c.get(call, CallCode.EXTERNALS)) as loop:
                entry = c.operand(call, loop.index)
                steps = c.word(strides, c.mul(c.get(entry, Operand.NUMBER), axes))
                positions, moves = (c.ne(c.get(steps, axis), 0) for axis in ("%axis", "%rows"))
                is_written = c.has_flag(entry, WRITE)
                is_vector, size = c.is_kind(entry, VECTOR), c.mul(n, c.get(entry, Operand.ELEMENT_BYTES))
                is_own = c.all(is_vector, c.any(is_written, c.all(positions, moves)))
                c.note(c.any(is_own, c.ne(c.get(entry, Operand.ADDED), 0)), wrong)
                with c.when(c.all(is_vector, moves, c.ge(size, CACHE_LINE_BYTES))):
                    c.put(size, "%sizes", c.get(entry, Operand.NUMBER))
            skip_call(c, call, at)
        with c.when(c.negate(is_call)):
            c.put(c.add(c.get(at, 0), BlocksCode.WORDS), at, 0)
    with c.loop(c.get(words, Header.OPERANDS), ("i64", "0")) as loop:
        loop.next = [c.add(loop.values[0], _lines(c, c.get("%sizes", loop.index)))]
    return c.end("i64", c.choose(c.eq(c.get(wrong, 0), 0), loop.values[0], 0))


def _shared_row_blocks(t: Tuning) -> str:
    """A loop along `axis`, whose body from `first` to `end` is rows; false: nothing is done."""
    c = LoopFunction("i1", "shared_row_blocks", [*CODE_PARAMS, "i64 axis"], internal=True)
    words, extents = (c.get("%cx", k, "ptr") for k in (Context.DESCRIPTOR, Context.EXTENTS))
    body, operands = c.word(words, "%first"), c.get(words, Header.OPERANDS)
    rows = c.get(body, RowsCode.AXIS)
    code = "ptr %cx", f"i64 {c.add('%first', RowsCode.WORDS)}", "i64 %end"
    unfit, extent = c.or_(c.context(Context.IS_WIDE), c.get(words, Header.STRIDED)), c.get(extents, rows)
    ready = c.all(c.eq(unfit, 0), c.ne(c.context(Context.MAY_RECOMPUTE), 0), c.ne(extent, 0))
    with c.when(c.negate(c.all(ready, c.call("i1", "@fits_row_batches", *code)))):
        c.ret("i1", "false")
    sizes = c.op(f"alloca i64, i64 {operands}, align 8")
    with c.loop(operands) as loop:
        c.put(0, sizes, loop.index)
    pitch = c.call("i64", "@shared_row_bytes", *code, "i64 %axis", f"i64 {rows}", f"ptr {sizes}")
    about = c.add(c.udiv(t.short_rows.shared_block_bytes, c.max(pitch, 1)), t.memory.unrolled_rows // 2)
    most = c.max(c.and_(about, -t.memory.unrolled_rows), t.memory.unrolled_rows)
    many = c.ge(c.mul(extent, c.get(extents, "%axis")), t.short_rows.shared_many_results)
    in_parts = c.all(c.gt(extent, most), c.lt(pitch, t.short_rows.shared_short_row_bytes), many)
    with c.when(c.any(c.eq(pitch, 0), c.gt(pitch, t.short_rows.shared_max_row_bytes), in_parts)):
        c.ret("i1", "false")
    size, position = c.cell(1), c.cell(FULL_ROW)
    c.call("void", "@rows_per_call", "ptr %cx", f"ptr {body}", f"ptr {size}", f"ptr {position}")
    most = c.min(most, extent)
    room = c.op(f"alloca i8, i64 {c.mul(pitch, most)}, align {CACHE_LINE_BYTES}")
    block = f"i64 {rows}", f"i64 {c.get(size, 0)}", f"ptr {sizes}", f"i64 {most}", f"ptr {room}"
    c.call("void", "@row_blocks", *code, "i64 %axis", *block)
    return c.end("i1", "true")


def _row_blocks(t: Tuning) -> str:
    """The same, `size` rows at once, in blocks of `most`."""
    c = LoopFunction("void", "row_blocks", [*CODE_PARAMS, *_BLOCK], internal=True)
    words, extents = (c.get("%cx", k, "ptr") for k in (Context.DESCRIPTOR, Context.EXTENTS))
    given, axes = [c.get("%cx", k, "ptr") for k in (Context.ADDRESSES, Context.STRIDES)], c.get(words, Header.AXES)
    operands = c.get(words, Header.OPERANDS)
    every, (positions, rows) = c.mul(operands, axes), (c.get(extents, axis) for axis in ("%axis", "%rows"))
    tables = [c.op(f"alloca i64, i64 {n}, align 8") for n in (operands, every)]
    with c.loop(every) as loop:
        c.put(c.get(given[1], loop.index), tables[1], loop.index)
    with c.loop(operands, ("i64", "%rows")) as loop:
        (place,), bytes_ = loop.values, c.get("%sizes", loop.index)
        step = c.choose(c.ne(bytes_, 0), _lines(c, bytes_), c.get(given[1], place))
        c.put(step, tables[1], place)
        loop.next = [c.add(place, axes)]
    _set_tables(c, tables)
    some = c.max(c.udiv(t.short_rows.shared_results, rows), t.short_rows.shared_min_positions)
    with c.loop(positions, step=some) as position, c.loop(rows, step="%most") as row:
        here = *(f"ptr {table}" for table in given), f"i64 {position.index}", f"i64 {row.index}"
        counts = c.min(c.sub(positions, position.index), some), c.min(c.sub(rows, row.index), "%most")
        c.call("void", "@row_block", *passed([*CODE_PARAMS, *_BLOCK]), *here, *(f"i64 {n}" for n in counts))
    _set_tables(c, given)
    return c.end()


def _set_tables(c: LoopFunction, tables: Sequence[str]) -> None:
    """Let the context have these addresses and strides."""
    for word, table in zip((Context.ADDRESSES, Context.STRIDES), tables, strict=True):
        c.put(table, "%cx", word, "ptr")
    c.do("call void @resolve(ptr %cx, i64 %first, i64 %end)")


def _row_block() -> str:
    """`some` rows at `positions` positions of the loop, from one on, of operands at B with strides S, or copies."""
    here = ["ptr B", "ptr S", "i64 position", "i64 row", "i64 positions", "i64 some"]
    c = LoopFunction("void", "row_block", [*CODE_PARAMS, *_BLOCK, *here], internal=True)
    words, current, positions, origins = (
        c.get("%cx", k, "ptr") for k in (Context.DESCRIPTOR, Context.ADDRESSES, Context.POSITIONS, Context.ORIGINS)
    )
    with c.loop(c.get(words, Header.OPERANDS), ("ptr", "%room")) as loop:
        (room,), size = loop.values, c.get("%sizes", loop.index)
        steps = c.word("%S", c.mul(loop.index, c.get(words, Header.AXES)))
        across, along = c.get(steps, "%axis"), c.get(steps, "%rows")
        offset = c.add(c.mul(across, "%position"), c.mul(along, "%row"))
        place, is_copied = c.gep(c.get("%B", loop.index, "ptr"), offset), c.ne(size, 0)
        c.put(c.choose(is_copied, room, place, "ptr"), current, loop.index, "ptr")
        with c.when(is_copied):
            moved = f"ptr {room}", f"i64 {_lines(c, size)}", f"ptr {place}", f"i64 {along}", f"i64 {size}"
            c.call("void", "@copy_rows", *moved, "i64 %some")
        loop.next = [c.gep(room, c.mul(_lines(c, size), "%most"))]
    origin = c.word(origins, "%rows")
    first = c.get(origin, 0)
    c.put(c.add(first, "%row"), origin, 0)
    with c.loop("%positions") as loop:
        put_position(c, positions, "%axis", c.add(loop.index, "%position"))
        c.call("void", "@row_batches", *passed([*CODE_PARAMS, "i64 rows", "i64 size", "i64 some"]), f"i64 {FULL_ROW}")
        advance(c, "%axis", "1")
    c.put(first, origin, 0)
    return c.end()
