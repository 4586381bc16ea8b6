"""The interpreter of a descriptor's code: it walks loop nests and calls kernels.

Contract  `execute(context, first, end)` runs the instructions LOOP, ROWS, BLOCKS, FILL and CALL of `abi.descriptor`.
When      no form for single kernels fits; tails recompute the last complete vector, or go padded through scratch.
Why       one piece of code for all groups; rows whose kernels take all of them go in batches (`row_batches`).
"""

from __future__ import annotations

from tensordsl.codegen.abi.descriptor import (
    ANY_LENGTH,
    FINISHES_ROWS,
    FLAG,
    FULL_ROW,
    HAS_PACKED_ROWS,
    INTEGER,
    INTERNAL,
    JOINS_ROWS,
    MAX_COLUMN_ROWS,
    MAX_PACKED_ROWS,
    POSITION,
    READ,
    RECOMPUTES_AS_BLOCK,
    RECOMPUTES_IN_KERNEL,
    TAKES_SHORT_ROWS,
    USES_NO_SCRATCH,
    VECTOR,
    WIDENS_ROWS,
    WRITE,
    Area,
    BlocksCode,
    CallCode,
    Context,
    FillCode,
    Header,
    LoopCode,
    Opcode,
    Operand,
    RowsCode,
)
from tensordsl.codegen.library.loops.descriptor import LoopFunction, advance, fill_lines, put_position
from tensordsl.codegen.library.loops.pack.deinterleave import (
    ADDRESS,
    AREA,
    COLUMN_BYTES,
    OPERAND_WORDS,
    PACKER,
    ROW_STRIDE,
    SIDE,
    STRIDE,
    TARGET,
)
from tensordsl.codegen.library.loops.short_rows.row_blocks import has_row_blocks
from tensordsl.codegen.library.signals import poll, poll_each
from tensordsl.codegen.target.tuning import Tuning

MAX_CALL_ELEMENTS = 1 << 30  # a kernel may count them in int32
PIECE_ELEMENTS = 1 << 16  # of which pieces of a long row are multiples
_INSTRUCTIONS = (
    ("call", Opcode.CALL),
    ("fill", Opcode.FILL),
    ("blocks", Opcode.BLOCKS),
    ("rows", Opcode.ROWS),
    ("loop", Opcode.LOOP),
)


def interpreter_texts(t: Tuning) -> list[str]:
    return [
        _loop(t),
        _rows(),
        _blocks(t),
        _fill(),
        _is_any_packed(),
        _call(),
        _call_packed(),
        _pack_deinterleaved(t),
        _pack_matrix(),
        _call_packed_rows(t),
        _execute(),
        _resolve(),
    ]


def _instruction(name: str) -> tuple[LoopFunction, str]:
    """An instruction: `i64 name(ptr context, i64 pc)` gives the next pc.  Returns (function, address of its words)."""
    c = LoopFunction("i64", name, ["ptr cx", "i64 pc"], internal=True)
    return c, c.word(c.context(Context.DESCRIPTOR), "%pc")


def _body(c: LoopFunction, words: int, size: str) -> tuple[str, str]:
    """(call operands of `execute` for the body, pc behind it)"""
    first = c.add("%pc", words)
    end = c.add(first, size)
    return f"ptr %cx, i64 {first}, i64 {end}", end


def _in_tasks(c: LoopFunction, axis: str, words: int, unit: int, price: str, end: str) -> None:
    """Return where a loop is done in parts."""
    parts = c.context(Context.TASKS)
    with c.when(c.all(c.ne(parts, 0), c.le(parts, 1), c.ne(price, 0))):
        code = "%pc", c.add("%pc", words), end, axis, unit, price
        with c.when(c.call("i1", "@rows_in_tasks", "ptr %cx", *(f"i64 {x}" for x in code))):
            c.ret("i64", end)


def _loop(t: Tuning) -> str:
    c, words = _instruction("loop")
    axis = c.get(words, LoopCode.AXIS)
    body, end = _body(c, LoopCode.WORDS, c.get(words, LoopCode.BODY_WORDS))
    _in_tasks(c, axis, LoopCode.WORDS, 1, c.get(words, LoopCode.TASK_NS), end)
    positions, extent = c.context(Context.POSITIONS), c.get(c.context(Context.EXTENTS), axis)
    with c.when(has_row_blocks(c, t, c.add("%pc", LoopCode.WORDS), end, extent)):
        with c.when(c.call("i1", "@shared_row_blocks", body, f"i64 {axis}")):
            c.ret("i64", end)
    last = c.sub(extent, 1)
    with c.loop(extent) as loop:
        put_position(c, positions, axis, loop.index)
        c.do(f"call void @execute({body})")
        poll_each(c, loop.index, 16)
        with c.when(c.lt(loop.index, last)):
            advance(c, axis, "1")
    with c.when(c.gt(last, 0)):
        advance(c, axis, c.sub(0, last))
    return c.end("i64", end)


def _rows() -> str:
    c, words = _instruction("rows")
    axis = c.get(words, RowsCode.AXIS)
    body, end = _body(c, RowsCode.WORDS, c.get(words, RowsCode.BODY_WORDS))
    _in_tasks(c, axis, RowsCode.WORDS, MAX_COLUMN_ROWS, c.get(words, RowsCode.TASK_NS), end)
    positions, extents = c.context(Context.POSITIONS), c.context(Context.EXTENTS)
    extent = c.get(extents, axis)
    blocks = c.word(words, RowsCode.WORDS)
    alone = c.eq(c.get(words, RowsCode.BODY_WORDS), c.add(c.get(blocks, BlocksCode.BODY_WORDS), BlocksCode.WORDS))
    joins = c.has_block_flag(blocks, JOINS_ROWS)
    with c.when(c.all(c.eq(c.get(blocks, 0), Opcode.BLOCKS), alone, joins)):
        with c.when(c.call("i1", "@joined_rows", "ptr %cx", f"ptr {blocks}", f"i64 {axis}")):
            c.ret("i64", end)
    with c.when(c.ne(c.context(Context.IS_WIDE), 0)):
        c.call("void", "@wide_rows", "ptr %cx", f"ptr {c.word(words, RowsCode.WORDS)}", f"i64 {axis}")
        c.ret("i64", end)
    together = c.cell(1), c.cell(FULL_ROW)
    c.call("void", "@rows_per_call", "ptr %cx", f"ptr {words}", *(f"ptr {cell}" for cell in together))
    size, row_index = (c.get(cell, 0) for cell in together)
    with c.when(c.gt(extent, size)):
        with c.when(c.call("i1", "@fits_row_batches", body)):
            c.call("void", "@row_batches", body, f"i64 {axis}", f"i64 {size}", f"i64 {extent}", f"i64 {row_index}")
            c.ret("i64", end)
    with c.loop(extent, ("i64", "0"), step=size) as loop:
        left = c.sub(extent, loop.index)
        c.put(c.min(left, size), "%cx", Context.ROWS)
        put_position(c, positions, axis, loop.index)
        c.do(f"call void @execute({body})")
        poll_each(c, loop.values[0], 4)
        loop.next = [c.add(loop.values[0], 1)]
        with c.when(c.gt(left, size)):
            advance(c, axis, size)
        with c.when(c.le(left, size)):
            advance(c, axis, c.sub(0, loop.index))
    c.put(1, "%cx", Context.ROWS)
    return c.end("i64", end)


def _blocks(t: Tuning) -> str:
    c, words = _instruction("blocks")
    axis, width, block, tails = (
        c.get(words, k) for k in (BlocksCode.AXIS, BlocksCode.LANES, BlocksCode.ELEMENTS, BlocksCode.FLAGS)
    )
    body, end = _body(c, BlocksCode.WORDS, c.get(words, BlocksCode.BODY_WORDS))
    positions, extent = c.context(Context.POSITIONS), c.get(c.context(Context.EXTENTS), axis)
    twice = c.ne(c.context(Context.MAY_RECOMPUTE), 0)
    in_place = c.eq(c.context(Context.IS_PACKED), 0)
    as_block, by_kernel, any_length, streams, finishes, short = (
        c.ne(c.and_(tails, k), 0)
        for k in (
            RECOMPUTES_AS_BLOCK,
            RECOMPUTES_IN_KERNEL,
            ANY_LENGTH,
            USES_NO_SCRATCH,
            FINISHES_ROWS,
            TAKES_SHORT_ROWS,
        )
    )
    short = c.all(short, in_place, c.lt(extent, width))
    wide = c.cell(0)
    own_rows = c.eq(c.context(Context.IS_TRANSPOSED), 0)  # in scratch their number is the library's choice
    with c.when(c.all(c.ne(c.and_(tails, WIDENS_ROWS), 0), in_place, own_rows)):
        c.put(c.call("i64", "@fits_wide_rows", body, f"i64 {axis}"), wide, 0)
    is_wide = c.all(c.ne(c.get(wide, 0), 0), c.any(twice, c.lt(extent, width)))
    c.put(c.as_i64(is_wide), "%cx", Context.IS_WIDE)
    by_kernel = c.any(short, is_wide, c.all(by_kernel, twice))
    as_block = c.all(as_block, twice)
    block = c.choose(streams, c.max(c.min(block, t.pack.block_elements), width), block)
    block = c.choose(
        c.any(is_wide, c.all(any_length, in_place)), MAX_CALL_ELEMENTS, block
    )  # wide rows are done once, all columns
    packs_down = c.all(c.ne(c.get(c.context(Context.DESCRIPTOR), Header.COLUMN_READS), 0), c.negate(in_place))
    block = c.choose(packs_down, c.min(block, (t.loops.packed_elements // MAX_PACKED_ROWS)), block)
    block = c.min(block, _max_block_elements(c, t, extent))
    vectors, at, more, done = c.sub(0, width), c.cell(0), c.label("more"), c.label("done")
    with c.when(c.any(c.gt(extent, 0), finishes)):
        c.place(more)
        start = c.get(at, 0)
        left = c.sub(extent, start)
        tail = c.all(c.lt(left, width), c.gt(left, 0), c.negate(short))
        whole = c.min(c.and_(left, vectors), block)
        whole = c.choose(c.all(by_kernel, c.le(left, block)), left, whole)
        c.put(c.choose(tail, width, whole), "%cx", Context.COUNT)
        c.put(c.choose(tail, left, width), "%cx", Context.LIVE)
        c.put(c.as_i64(tail), "%cx", Context.IS_TAIL)
        put_position(c, positions, axis, start)
        step = c.choose(tail, left, whole)
        following = c.add(start, step)
        first, last = c.choose(c.eq(start, 0), 1, 0), c.choose(c.ge(following, extent), 2, 0)
        c.put(c.or_(first, last), "%cx", Context.CALL_FLAGS)
        c.do(f"call void @execute({body})")
        with c.when(c.ne(c.lshr(c.xor(start, following), 14), 0)):
            poll(c)
        with c.when(c.lt(following, extent)):
            lacking = c.max(c.sub(width, c.sub(extent, following)), 0)
            back = c.choose(as_block, lacking, 0)
            advance(c, axis, c.sub(step, back))
            c.put(c.sub(following, back), at, 0)
            c.jump(more)
        with c.when(c.gt(start, 0)):
            advance(c, axis, c.sub(0, start))
        c.jump(done)
    c.place(done)
    c.put(0, "%cx", Context.IS_TAIL)
    c.put(0, "%cx", Context.IS_WIDE)
    return c.end("i64", end)


def _max_block_elements(c: LoopFunction, t: Tuning, extent: str) -> str:
    """How many elements of a row kernels get at once, so that they do not take long."""
    most = c.cell(MAX_CALL_ELEMENTS)
    with c.when(c.gt(extent, t.tasks.poll_row_elements)):
        work = c.max(c.get(c.context(Context.DESCRIPTOR), Header.NS_PER_1000_POINTS), t.tasks.poll_min_ns_per_1000)
        c.put(c.max(c.and_(c.udiv(t.tasks.poll_piece_ns * 1000, work), -PIECE_ELEMENTS), PIECE_ELEMENTS), most, 0)
    return c.get(most, 0)


def _fill() -> str:
    c, words = _instruction("fill")
    offset, each_row, each, pattern = (
        c.get(words, k) for k in (FillCode.OFFSET, FillCode.ROW_BYTES, FillCode.ELEMENT_BYTES, FillCode.PATTERN)
    )
    rows, elements = c.mul(c.context(Context.ROWS), each_row), c.mul(c.context(Context.COUNT), each)
    fill_lines(c, c.gep(c.context(Context.SCRATCH), offset), c.add(rows, elements), pattern)
    return c.end("i64", c.add("%pc", FillCode.WORDS))


# -- calls ------------------------------------------------------------------------------------------------------------
def _next_pc(c: LoopFunction, words: str, pc: str) -> str:
    """The pc behind a CALL."""
    return c.add(c.mul(c.get(words, CallCode.OPERANDS), Operand.WORDS), c.add(pc, CallCode.WORDS))


def _is_packed(c: LoopFunction, entry: str, lane: str) -> tuple[str, str]:
    """(Is the operand packed, at a tail or since its elements are not adjacent?; its stride along the lanes)"""
    axes = c.get(c.context(Context.DESCRIPTOR), Header.AXES)
    stride = c.get(c.context(Context.STRIDES), c.add(c.mul(c.get(entry, Operand.NUMBER), axes), c.max(lane, 0)))
    tail, strided = (c.ne(c.context(Context.IS_TAIL), 0), c.ne(stride, c.get(entry, Operand.ELEMENT_BYTES)))
    return c.all(c.is_kind(entry, VECTOR), c.any(tail, strided)), stride


def _is_any_packed() -> str:
    """Is any operand of a CALL packed?"""
    c = LoopFunction("i64", "is_any_packed", ["ptr cx", "ptr words"], internal=True)
    lane, found = c.get("%words", CallCode.LANE), c.cell(0)
    with c.loop(c.get("%words", CallCode.EXTERNALS)) as loop:
        c.note(_is_packed(c, c.operand("%words", loop.index), lane)[0], found)
    return c.end("i64", c.get(found, 0))


def _counts(c: LoopFunction, words: str) -> tuple[str, str]:
    """(elements, live lanes) of a CALL."""
    is_counted = c.ge(c.get(words, CallCode.LANE), 0)
    return c.choose(is_counted, c.context(Context.COUNT), 1), c.choose(is_counted, c.context(Context.LIVE), 1)


def _call() -> str:
    c, words = _instruction("call")
    with c.when(c.ne(c.or_(c.context(Context.IS_PACKED), c.context(Context.IS_TAIL)), 0)):
        with c.when(c.ne(c.call("i64", "@is_any_packed", "ptr %cx", f"ptr {words}"), 0)):
            done = c.call("i64", "@call_packed_rows", "ptr %cx", f"ptr {words}")
            with c.loop(c.context(Context.ROWS), start=done) as row:
                c.call("void", "@call_packed", "ptr %cx", f"ptr {words}", f"i64 {row.index}")
            c.ret("i64", _next_pc(c, words, "%pc"))
    pointers = c.word(c.context(Context.POINTERS), c.get(words, CallCode.POINTERS))
    current = c.context(Context.ADDRESSES)
    with c.loop(c.get(words, CallCode.EXTERNALS)) as loop:
        number = c.get(c.operand(words, loop.index), Operand.NUMBER)
        c.put(c.get(current, number), pointers, loop.index)
    count, live = _counts(c, words)
    kernel = c.get(c.context(Context.KERNELS), c.get(words, CallCode.KERNEL), "ptr")
    rows, row_index = (f"i64 {c.get('%cx', k)}" for k in (Context.ROWS, Context.CALL_FLAGS))
    c.call("void", kernel, f"ptr {pointers}", f"i64 {count}", f"i64 {live}", rows, row_index)
    return c.end("i64", _next_pc(c, words, "%pc"))


def _call_packed() -> str:
    """A CALL for one of the rows; places of all rows are as before afterwards."""
    c = LoopFunction("void", "call_packed", ["ptr cx", "ptr words", "i64 row"], internal=True)
    lane = c.get("%words", CallCode.LANE)
    external = c.get("%words", CallCode.EXTERNALS)
    row = c.get("%words", CallCode.ROW)
    pointers, count_live = c.word(c.context(Context.POINTERS), c.get("%words", CallCode.POINTERS)), _counts(c, "%words")
    rows, position = c.ge(row, 0), c.word(c.context(Context.POSITIONS), c.max(row, 0))
    taken = c.choose(c.ne(c.context(Context.IS_TAIL), 0), count_live[1], count_live[0])
    columns = c.call("i64", "@pack_deinterleaved", "ptr %cx", "ptr %words", "i64 %row", f"i64 {taken}", "i64 1")
    with c.loop(external) as loop:
        is_in = _bit(c, columns, loop.index)
        _operand_in(c, c.operand("%words", loop.index), pointers, loop.index, lane, row, count_live[0], taken, is_in)
    _move_areas(c, external, pointers, "add")
    here = c.choose(rows, "%row", 0)
    c.put(c.add(c.get(position, 0), here), position, 0)
    kernel = c.get(c.context(Context.KERNELS), c.get("%words", CallCode.KERNEL), "ptr")
    row_index = f"i64 {c.context(Context.CALL_FLAGS)}"
    c.call("void", kernel, f"ptr {pointers}", f"i64 {count_live[0]}", f"i64 {count_live[1]}", "i64 1", row_index)
    c.put(c.sub(c.get(position, 0), here), position, 0)
    _move_areas(c, external, pointers, "sub")
    with c.loop(external) as loop:
        entry = c.operand("%words", loop.index)
        copied, stride = _is_packed(c, entry, lane)
        with c.when(c.all(copied, c.has_flag(entry, WRITE))):
            address, _ = _address(c, entry, row)
            area = c.gep(c.context(Context.SCRATCH), c.get(entry, Operand.SCRATCH))
            given = (
                f"ptr {address}",
                f"ptr {area}",
                f"i64 {stride}",
                f"i64 {c.get(entry, Operand.ELEMENT_BYTES)}",
                f"i64 {taken}",
            )
            c.call("void", "@unpack", *given)
    return c.end()


def _bit(c: LoopFunction, bits: str, k: str) -> str:
    return c.op(f"trunc i64 {c.lshr(bits, k)} to i1")


def _pack_deinterleaved(t: Tuning) -> str:
    """Pack columns of a CALL that can be deinterleaved, of `rows` rows from number `row` on; a bit for each."""
    params = ["ptr cx", "ptr words", "i64 row", "i64 taken", "i64 rows"]
    c = LoopFunction("i64", "pack_deinterleaved", params, internal=True)
    external = c.get("%words", CallCode.EXTERNALS)
    short = c.lt(c.mul("%taken", "%rows"), t.pack.deinterleave_min_elements)
    with c.when(c.any(c.ne(c.context(Context.IS_TAIL), 0), short)):
        c.ret("i64", 0)
    row = c.op(f"alloca i64, i64 {c.mul(external, OPERAND_WORDS)}, align 8")
    with c.loop(external, ("i64", "0")) as loop:
        is_column = _deinterleavable(c, loop.index, c.word(row, c.mul(loop.index, OPERAND_WORDS)))
        loop.next = [c.add(loop.values[0], c.as_i64(is_column))]
    with c.when(c.lt(loop.values[0], 2)):
        c.ret("i64", 0)
    done = c.call("i64", "@deinterleave", f"ptr {row}", f"i64 {external}")
    with c.loop("%rows") as row_index, c.loop(external) as loop:
        own = c.word(row, c.mul(loop.index, OPERAND_WORDS))
        packer, target = c.get(own, PACKER, "ptr"), c.get(own, TARGET, "ptr")
        pitch = c.mul(c.get(c.operand("%words", loop.index), Operand.ELEMENT_BYTES), "%taken")
        with c.when(c.not_null(packer)):
            place = c.gep(c.get(own, ADDRESS, "ptr"), c.mul(row_index.index, c.get(own, ROW_STRIDE)))
            stride, points = (f"i64 {x}" for x in (c.get(own, STRIDE), c.context(Context.POINTS)))
            best = c.call("ptr", "@packer_of_rows", f"ptr {packer}", stride, points)
            c.call("void", best, f"ptr {target}", f"ptr {place}", stride, "i64 %taken")
            with c.loop(c.choose(c.ne("%rows", 1), SIDE, 0)) as column:
                area = c.get(target, column.index)
                c.put(c.choose(c.ne(area, 0), c.add(area, pitch), 0), target, column.index)
    return c.end("i64", done)


def _deinterleavable(c: LoopFunction, k: str, words: str) -> str:
    """Words for an operand of a CALL; may it be packed together with others?"""
    entry, row = c.operand("%words", k), c.get("%words", CallCode.ROW)
    copied, stride = _is_packed(c, entry, c.get("%words", CallCode.LANE))
    along, size = _row_stride(c, entry, row), c.get(entry, Operand.ELEMENT_BYTES)
    once = c.any(c.eq(along, size), c.eq(along, 0))  # adjacent from row to row, or the same
    transposes = c.all(c.ne("%rows", 1), once)
    is_read = c.eq(c.and_(c.get(entry, Operand.FLAGS), READ | WRITE), READ)
    is_column = c.all(copied, is_read, c.negate(transposes))
    with c.when(is_column):
        c.put(_address(c, entry, row)[0], words, ADDRESS, "ptr")
        c.put(stride, words, STRIDE)
        c.put(along, words, ROW_STRIDE)
        c.put(c.gep(c.context(Context.SCRATCH), c.get(entry, Operand.SCRATCH)), words, AREA, "ptr")
    c.put("null", words, PACKER, "ptr")
    c.put(c.choose(is_column, size, 0), words, COLUMN_BYTES)
    return is_column


def _row_stride(c: LoopFunction, entry: str, row: str) -> str:
    """An operand's bytes from row to row."""
    axes = c.get(c.context(Context.DESCRIPTOR), Header.AXES)
    return c.get(c.context(Context.STRIDES), c.add(c.mul(c.get(entry, Operand.NUMBER), axes), c.max(row, 0)))


def _call_packed_rows(t: Tuning) -> str:
    """A CALL for as many rows as can be packed at once; their number."""
    c = LoopFunction("i64", "call_packed_rows", ["ptr cx", "ptr words"], internal=True)
    lane = c.get("%words", CallCode.LANE)
    external = c.get("%words", CallCode.EXTERNALS)
    row = c.get("%words", CallCode.ROW)
    rows, found, transposes = c.context(Context.ROWS), c.cell(0), c.cell(0)
    with c.loop(external) as loop:
        entry = c.operand("%words", loop.index)
        alone = c.eq(c.and_(c.get(entry, Operand.FLAGS), HAS_PACKED_ROWS), 0)
        copied = _is_packed(c, entry, lane)[0]
        c.note(c.all(copied, alone), found)
        c.note(c.all(copied, c.eq(_row_stride(c, entry, row), c.get(entry, Operand.ELEMENT_BYTES))), transposes)
    tail, alone = c.ne(c.context(Context.IS_TAIL), 0), c.lt(row, 0)
    c.note(c.any(c.any(tail, alone), c.lt(rows, 2)), found)
    with c.when(c.ne(c.get(found, 0), 0)):
        c.ret("i64", 0)
    pointers = c.word(c.context(Context.POINTERS), c.get("%words", CallCode.POINTERS))
    (count, live) = _counts(c, "%words")
    steps, position = c.word(pointers, c.get("%words", CallCode.OPERANDS)), c.word(c.context(Context.POSITIONS), row)
    kernel = c.get(c.context(Context.KERNELS), c.get("%words", CallCode.KERNEL), "ptr")
    row_index = f"i64 {c.context(Context.CALL_FLAGS)}"
    first = c.get(position, 0)
    most = c.max(c.min(c.udiv(t.loops.packed_elements, c.max(count, 1)), MAX_PACKED_ROWS), 1)
    every = c.any(c.ne(c.get(transposes, 0), 0), c.ne(c.get(c.context(Context.DESCRIPTOR), Header.COLUMN_READS), 0))
    most = c.choose(every, MAX_PACKED_ROWS, most)
    with c.loop(rows, step=most) as at:
        some = c.min(c.sub(rows, at.index), most)
        given = f"i64 {at.index}", f"i64 {count}", f"i64 {some}"
        columns = c.call("i64", "@pack_deinterleaved", "ptr %cx", "ptr %words", *given)
        with c.loop(external) as loop:
            entry = c.operand("%words", loop.index)
            copied, stride = _is_packed(c, entry, lane)
            size = c.get(entry, Operand.ELEMENT_BYTES)
            unit = _row_stride(c, entry, row)
            base = c.context(Context.ADDRESSES)
            address = c.gep(c.get(base, c.get(entry, Operand.NUMBER), "ptr"), c.mul(unit, at.index))
            area, pitch = c.gep(c.context(Context.SCRATCH), c.get(entry, Operand.SCRATCH)), c.mul(size, count)
            moves, is_first = c.ne(unit, 0), c.eq(at.index, 0)
            c.put(c.choose(copied, area, address, "ptr"), pointers, loop.index, "ptr")
            c.put(c.choose(c.all(copied, moves), pitch, unit), steps, loop.index)
            is_new = c.all(c.any(moves, is_first), c.negate(_bit(c, columns, loop.index)))
            with c.when(c.all(copied, is_new)):
                steps_of = (stride, unit, size, count, c.choose(moves, some, 1))
                c.call("void", "@pack_matrix", f"ptr {area}", f"ptr {address}", *(f"i64 {x}" for x in steps_of))
        _move_areas(c, external, pointers, "add", at.index)
        c.put(c.add(first, at.index), position, 0)
        c.call("void", kernel, f"ptr {pointers}", f"i64 {count}", f"i64 {live}", f"i64 {some}", row_index)
        _move_areas(c, external, pointers, "sub", at.index)
    c.put(first, position, 0)
    with c.loop(external) as loop:
        c.put(_row_stride(c, c.operand("%words", loop.index), row), steps, loop.index)
    return c.end("i64", rows)


def _pack_matrix() -> str:
    """Rows of elements with stride `across` to scratch: transposed, where elements are adjacent from row to row."""
    params = ["ptr to", "ptr from", "i64 across", "i64 along", "i64 size", "i64 n", "i64 rows"]
    c = LoopFunction("void", "pack_matrix", params, internal=True)
    pitch = c.mul("%n", "%size")
    with c.when(c.eq("%along", "%size")):
        given = "ptr %to", f"i64 {pitch}", "ptr %from", "i64 %across", "i64 %size", "i64 %n", "i64 %rows"
        c.call("void", "@transpose", *given)
        c.ret()
    packer = c.call("ptr", "@packer", "i64 %size", "i64 %across")
    with c.loop("%rows") as row:
        to, source = (c.gep(x, c.mul(row.index, step)) for x, step in (("%to", pitch), ("%from", "%along")))
        c.call("void", packer, f"ptr {to}", f"ptr {source}", "i64 %across", "i64 %n")
    return c.end()


def _move_areas(c: LoopFunction, external: str, pointers: str, sign: str, row_index: str = "%row") -> None:
    """Point to the row's place in scratch areas, from that of the first row; or back."""
    with c.loop(c.get("%words", CallCode.OPERANDS), start=external) as loop:
        entry = c.operand("%words", loop.index)
        with c.when(c.is_kind(entry, INTERNAL)):
            offset = c.mul(row_index, c.get(entry, Area.ROW_BYTES))
            c.put(c.arith(sign, c.get(pointers, loop.index), offset), pointers, loop.index)


def _address(c: LoopFunction, entry: str, row: str) -> tuple[str, str]:
    """(address of an operand in the current row, bytes of it that the kernel adds itself)"""
    number, add = c.get(entry, Operand.NUMBER), c.get(entry, Operand.ADDED)
    row_index = c.choose(c.ge(row, 0), "%row", 0)
    place = c.add(add, c.choose(c.ne(add, 0), c.shl(row_index, 3), 0))
    extra = c.op(f"load i64, ptr {c.gep(c.context(Context.SCRATCH), place)}, align 8")
    axes = c.get(c.context(Context.DESCRIPTOR), Header.AXES)
    step = c.get(c.context(Context.STRIDES), c.add(c.mul(number, axes), c.max(row, 0)))
    offset = c.add(c.mul(step, row_index), extra)
    return c.gep(c.get(c.context(Context.ADDRESSES), number, "ptr"), offset), extra


def _operand_in(
    c: LoopFunction, entry: str, pointers: str, k: str, lane: str, row: str, count: str, taken: str, is_in: str
) -> None:
    """The pointer of one external operand: in place, or to its packed copy, which may be there."""
    address, extra = _address(c, entry, row)
    less = c.sub(0, extra)
    copied, stride = _is_packed(c, entry, lane)
    area = c.gep(c.context(Context.SCRATCH), c.get(entry, Operand.SCRATCH))
    c.put(c.gep(c.choose(copied, area, address, "ptr"), less), pointers, k, "ptr")
    is_read = c.all(c.has_flag(entry, READ), c.gt(taken, 0))
    with c.when(c.all(copied, is_read, c.negate(is_in))):
        size = f"i64 {c.get(entry, Operand.ELEMENT_BYTES)}"
        operands = f"ptr {area}", f"ptr {address}", f"i64 {stride}", size, f"i64 {taken}", f"i64 {count}"
        c.call("void", "@pack", *operands, f"i64 {c.context(Context.POINTS)}")


# -- code -------------------------------------------------------------------------------------------------------------
def _execute() -> str:
    c = LoopFunction("void", "execute", ["ptr cx", "i64 first", "i64 end"], internal=True)
    head, done = c.label("head"), c.label("done")
    phi = ", ".join(f"[ %next.{name}, %at.{name} ]" for name, _ in _INSTRUCTIONS)
    c.place(head)
    c.do(f"%pc = phi i64 [ %first, %entry ], {phi}")
    body = c.label("body")
    c.branch(c.lt("%pc", "%end"), body, done)
    c.place(body)
    operation = c.get(c.context(Context.DESCRIPTOR), "%pc")
    for name, number in _INSTRUCTIONS:
        other = c.label("other")
        c.branch(c.eq(operation, number), f"at.{name}", other)
        c.place(f"at.{name}")
        c.do(f"%next.{name} = call i64 @{name}(ptr %cx, i64 %pc)")
        c.jump(head)
        c.place(other)
    c.place(done)
    return c.end()


def _resolve() -> str:
    """Fill in what does not change during a run: pointers of all calls, their steps from row to row, and whether
    operands are packed."""
    c = LoopFunction("void", "resolve", ["ptr cx", "i64 first", "i64 end"], internal=True)
    descriptor, at = c.context(Context.DESCRIPTOR), c.cell("%first")
    head, body, done = c.label("head"), c.label("body"), c.label("done")
    c.place(head)
    pc = c.get(at, 0)
    c.branch(c.lt(pc, "%end"), body, done)
    c.place(body)
    words = c.word(descriptor, pc)
    operation = c.get(words, 0)
    size = c.choose(c.eq(operation, Opcode.LOOP), LoopCode.WORDS, BlocksCode.WORDS)
    size = c.choose(c.eq(operation, Opcode.FILL), FillCode.WORDS, size)
    size = c.choose(c.eq(operation, Opcode.ROWS), RowsCode.WORDS, size)
    c.put(c.add(pc, size), at, 0)
    with c.when(c.eq(operation, Opcode.CALL)):
        packs = c.call("i64", "@is_any_packed", "ptr %cx", f"ptr {words}")
        c.put(c.or_(c.context(Context.IS_PACKED), packs), "%cx", Context.IS_PACKED)
        pointers, row = c.word(c.context(Context.POINTERS), c.get(words, CallCode.POINTERS)), c.get(words, CallCode.ROW)
        external, every = c.get(words, CallCode.EXTERNALS), c.get(words, CallCode.OPERANDS)
        steps, axes = c.word(pointers, every), c.get(descriptor, Header.AXES)
        with c.loop(every) as loop:
            entry = c.operand(words, loop.index)
            own = c.mul(c.choose(c.lt(loop.index, external), c.get(entry, Operand.NUMBER), 0), axes)
            step = c.get(c.context(Context.STRIDES), c.add(own, c.max(row, 0)))
            step = c.choose(c.lt(loop.index, external), step, c.get(entry, Operand.ELEMENT_BYTES))
            c.put(step, steps, loop.index)
        with c.loop(every, start=external) as loop:
            c.put(_constant_pointer(c, c.operand(words, loop.index)), pointers, loop.index, "ptr")
        c.put(_next_pc(c, words, pc), at, 0)
    c.jump(head)
    c.place(done)
    return c.end()


def _constant_pointer(c: LoopFunction, entry: str) -> str:
    kind, number = c.get(entry, Operand.KIND), c.get(entry, Operand.NUMBER)
    value = c.gep(c.context(Context.SCRATCH), number)
    for other, base in ((INTEGER, c.context(Context.INTEGERS)), (POSITION, c.context(Context.POSITIONS))):
        value = c.choose(c.eq(kind, other), c.word(base, number), value, "ptr")
    return c.choose(c.eq(kind, FLAG), c.word("%cx", Context.BAD_INDEX), value, "ptr")
