"""LLVM text of the nest library: `run_nest` walks the loops of a scheduled group and calls its flat kernels.

    i64 run_nest(ptr K, ptr D, ptr B, ptr S, ptr E, ptr I)

K kernel addresses, D descriptor, B operands' addresses, S byte strides [operand][axis], E extents per axis, I run-time
integers.  Returns nonzero iff an indexed load was out of range.  Compiled once per machine; nothing in it depends on a
group, so that a kernel is nothing but one loop over whole vectors.

The descriptor (64-bit words) is a header, pairs of axes that may be exchanged and pairs that may be merged at run time,
and code:

    LOOP   axis, straight, words of body                        for each position of the axis: body
    BLOCKS axis, lanes, block, twice, words of body             whole vectors, at most `block` elements; then the tail
    FILL   offset, bytes, bytes per element, pattern            identity states; bytes + count * bytes per element
    CALL   kernel, lane axis or -1, external, all, pointers, operands * ENTRY words
                                                                pack what cannot be read in place, call, unpack

A tail is the last whole vector again where that is possible: where there is one, and doing elements twice is harmless
(no output is an input).  Else operands are copied to scratch and padded by repeating their last element (a valid one:
an index must stay in range).  A kernel's `live` says which lanes hold elements that were not done: lanes below its low
byte, from the second byte on.  All of a block is read before any of it is written, so an output may be an input at the
same points.
"""

from __future__ import annotations

from tensordsl.codegen.nest_rows import MANY_ROWS, row_texts
from tensordsl.codegen.nest_tiles import tile_texts
from tensordsl.codegen.nest_words import (
    BLOCKS,
    BLOCKS_WORDS,
    CALL,
    CALL_WORDS,
    CODE,
    CX_COUNT,
    CX_CUR,
    CX_D,
    CX_E,
    CX_FLAG,
    CX_I,
    CX_K,
    CX_LIVE,
    CX_P,
    CX_POS,
    CX_S,
    CX_SCRATCH,
    CX_TAIL,
    CX_TWICE,
    CX_WORDS,
    END,
    ENTRY,
    FAST,
    FILL,
    FILL_WORDS,
    FLAG,
    HEADER,
    INTEGER,
    INTERNAL,
    LOOP,
    LOOP_WORDS,
    N_AXES,
    N_INPUTS,
    N_MERGES,
    N_OPERANDS,
    N_POINTERS,
    N_SWAPS,
    POSITION,
    READ,
    SCRATCH,
    SPLAT,
    VECTOR,
    WIDTH,
    WRITE,
    Function,
    entry_of,
    move,
    splat,
    strided,
)  # fmt: skip
from tensordsl.codegen.nest_words import live as live_lanes

__all__ = [  # the words of the descriptor are reached through this module
    "BLOCKS", "BLOCKS_WORDS", "CALL", "CALL_WORDS", "CODE", "CX_COUNT", "CX_CUR", "CX_D", "CX_E", "CX_FLAG", "CX_I",
    "CX_K", "CX_LIVE", "CX_P", "CX_POS", "CX_S", "CX_SCRATCH", "CX_TAIL", "CX_TWICE", "CX_WORDS", "END", "ENTRY",
    "FAST", "FILL", "FILL_WORDS", "FLAG", "Function", "HEADER", "INTEGER", "INTERNAL", "LOOP", "LOOP_WORDS",
    "N_AXES", "N_INPUTS", "N_MERGES", "N_OPERANDS", "N_POINTERS", "N_SWAPS", "POSITION", "READ", "SCRATCH", "SPLAT",
    "VECTOR", "WIDTH", "WRITE", "entry_of", "move", "splat", "strided",
    "nest_text",
]  # fmt: skip

_PARAMS = ["ptr K", "ptr D", "ptr B", "ptr S", "ptr E", "ptr I"]
_SPACE = ["ptr P", "ptr scratch"]
_TABLES, _SIZES = ["ptr e", "ptr s"], ["i64 axes", "i64 operands"]  # copies of E and S that may be changed
_INSTRUCTIONS = (("call", CALL), ("fill", FILL), ("blocks", BLOCKS), ("loop", LOOP))


def nest_text(vector_bytes: int = 64) -> str:
    """The library's module.  At 64 bytes the target has AVX-512 with byte masks; other targets copy tails in pieces."""
    parts = [_copy_in(vector_bytes), _copy_out(vector_bytes), _pack(), _unpack()]
    parts += tile_texts() + row_texts()
    parts += [
        _loop(),
        _blocks(),
        _fill(),
        _call(),
        _execute(),
        _resolve(),
        _may_repeat(),
        _direct(),
        _swap(),
        _merge(),
        _general(),
        _run_nest(),
    ]
    declarations = "".join(f"declare i64 @llvm.{name}.i64(i64, i64)\n" for name in ("smin", "smax"))
    declarations += "declare i64 @llvm.abs.i64(i64, i1)\n"
    if vector_bytes >= 64:
        declarations += (
            "declare <64 x i8> @llvm.masked.load.v64i8.p0(ptr, i32, <64 x i1>, <64 x i8>)\n"
            "declare void @llvm.masked.store.v64i8.p0(<64 x i8>, ptr, i32, <64 x i1>)\n"
        )
    return declarations + "\n".join(parts)


# -- copies -----------------------------------------------------------------------------------------------------------
def _byte_mask(c: Function, live: str) -> str:
    byte = c.op(f"trunc i64 {c.min(live, 64)} to i8")
    one = c.op(f"insertelement <64 x i8> poison, i8 {byte}, i64 0")
    splat = c.op(f"shufflevector <64 x i8> {one}, <64 x i8> poison, <64 x i32> zeroinitializer")
    return c.op(f"icmp ult <64 x i8> <{', '.join(f'i8 {k}' for k in range(64))}>, {splat}")


def _pieces(c: Function, target: str, source: str, size: str) -> None:
    """Copy `size` bytes by pieces of 32, 16, 8, 4, 2 and 1 bytes."""
    offset = c.arith("and", size, -32)
    with c.loop(offset, step=32) as loop:
        move(c, "<4 x i64>", c.gep(target, loop.index), c.gep(source, loop.index))
    for count, kind in ((16, "<2 x i64>"), (8, "i64"), (4, "i32"), (2, "i16"), (1, "i8")):
        bit = c.arith("and", size, count)
        with c.when(c.test("ne", bit, 0)):
            move(c, kind, c.gep(target, offset), c.gep(source, offset))
        offset = c.arith("add", offset, bit)


def _repeated(c: Function, pointer: str, size: str) -> str:
    """<8 x i64> filled with the element of 1, 2, 4 or 8 bytes at `pointer`."""
    cell = c.cell(0)
    for count, factor in ((1, 0x0101010101010101), (2, 0x0001000100010001), (4, 0x0000000100000001), (8, 1)):
        with c.when(c.test("eq", size, count)):
            value = c.op(f"load i{8 * count}, ptr {pointer}, align 1")
            value = c.op(f"zext i{8 * count} {value} to i64") if count < 8 else value
            c.put(c.arith("mul", value, factor), cell, 0)
    return splat(c, c.get(cell, 0))


def _copy_in(vector_bytes: int) -> str:
    """`live` contiguous elements to scratch, then the last one repeated up to `count`; writes whole 64 bytes."""
    c = Function("void", "copy_in", ["ptr to", "ptr from", "i64 size", "i64 live", "i64 count"], internal=True)
    live, total = c.arith("mul", "%live", "%size"), c.arith("mul", "%count", "%size")
    pad = _repeated(c, c.gep("%from", c.arith("sub", live, "%size")), "%size")
    if vector_bytes < 64:
        with c.loop(total, step=64) as loop:
            c.do(f"store <8 x i64> {pad}, ptr {c.gep('%to', loop.index)}, align 64")
        _pieces(c, "%to", "%from", live)
        return c.end()
    passed = c.op(f"bitcast <8 x i64> {pad} to <64 x i8>")
    with c.loop(total, step=64) as loop:
        mask = _byte_mask(c, c.max(c.arith("sub", live, loop.index), 0))
        operands = f"ptr {c.gep('%from', loop.index)}", "i32 1", f"<64 x i1> {mask}", f"<64 x i8> {passed}"
        value = c.call("<64 x i8>", "@llvm.masked.load.v64i8.p0", *operands)
        c.do(f"store <64 x i8> {value}, ptr {c.gep('%to', loop.index)}, align 64")
    return c.end()


def _copy_out(vector_bytes: int) -> str:
    c = Function("void", "copy_out", ["ptr to", "ptr from", "i64 bytes"], internal=True)
    if vector_bytes < 64:
        _pieces(c, "%to", "%from", "%bytes")
        return c.end()
    with c.loop("%bytes", step=64) as loop:
        mask = _byte_mask(c, c.arith("sub", "%bytes", loop.index))
        value = c.op(f"load <64 x i8>, ptr {c.gep('%from', loop.index)}, align 64")
        operands = f"<64 x i8> {value}", f"ptr {c.gep('%to', loop.index)}", "i32 1", f"<64 x i1> {mask}"
        c.call("void", "@llvm.masked.store.v64i8.p0", *operands)
    return c.end()


def _pack() -> str:
    """`live` elements to scratch, then the last one repeated up to `count`."""
    params = ["ptr to", "ptr from", "i64 stride", "i64 size", "i64 live", "i64 count"]
    c = Function("void", "pack", params, internal=True)
    with c.when(c.test("eq", "%stride", "%size")):
        c.call("void", "@copy_in", "ptr %to", "ptr %from", "i64 %size", "i64 %live", "i64 %count")
        c.ret()
    strided(c, "%live", "%size", "%stride")
    rest = c.arith("sub", "%count", "%live")
    with c.when(c.test("sgt", rest, 0)):
        last = c.gep("%to", c.arith("mul", c.arith("sub", "%live", 1), "%size"))
        target = c.gep("%to", c.arith("mul", "%live", "%size"))
        operands = f"ptr {target}", f"ptr {last}", "i64 0", "i64 %size", f"i64 {rest}", f"i64 {rest}"
        c.call("void", "@pack", *operands)
    return c.end()


def _unpack() -> str:
    c = Function("void", "unpack", ["ptr to", "ptr from", "i64 stride", "i64 size", "i64 live"], internal=True)
    with c.when(c.test("eq", "%stride", "%size")):
        c.call("void", "@copy_out", "ptr %to", "ptr %from", f"i64 {c.arith('mul', '%live', '%size')}")
        c.ret()
    strided(c, "%live", "%stride", "%size")
    return c.end()


# -- the interpreter --------------------------------------------------------------------------------------------------
def _advance(c: Function, axis: str, steps: str) -> None:
    """Move the current address of every operand along an axis."""
    n, axes = c.get(c.get("%cx", CX_D, "ptr"), N_OPERANDS), c.get(c.get("%cx", CX_D, "ptr"), N_AXES)
    strides, current = c.get("%cx", CX_S, "ptr"), c.get("%cx", CX_CUR, "ptr")
    with c.loop(n) as loop:
        step = c.get(strides, c.arith("add", c.arith("mul", loop.index, axes), axis))
        c.put(c.arith("add", c.get(current, loop.index), c.arith("mul", step, steps)), current, loop.index)


def _instruction(name: str) -> tuple[Function, str]:
    """An instruction: `i64 name(ptr context, i64 pc)` gives the next pc.  Returns (function, address of its words)."""
    c = Function("i64", name, ["ptr cx", "i64 pc"], internal=True)
    return c, c.word(c.get("%cx", CX_D, "ptr"), "%pc")


def _body(c: Function, words: int, size: str) -> tuple[str, str]:
    """(call operands of `execute` for the body, pc behind it)"""
    first = c.arith("add", "%pc", words)
    end = c.arith("add", first, size)
    return f"ptr %cx, i64 {first}, i64 {end}", end


def _loop() -> str:
    c, words = _instruction("loop")
    axis = c.get(words, 1)
    body, end = _body(c, LOOP_WORDS, c.get(words, 3))
    positions, extent = c.get("%cx", CX_POS, "ptr"), c.get(c.get("%cx", CX_E, "ptr"), axis)
    last = c.arith("sub", extent, 1)
    with c.when(c.all(c.test("ne", c.get(words, 2), 0), c.test("sge", extent, MANY_ROWS))):
        done = c.call("i64", "@rows", f"{body}, i64 {axis}")
        with c.when(c.test("ne", done, 0)):
            c.ret("i64", end)
    with c.loop(extent) as loop:
        c.put(loop.index, positions, axis)
        c.do(f"call void @execute({body})")
        with c.when(c.test("slt", loop.index, last)):
            _advance(c, axis, "1")
    with c.when(c.test("sgt", last, 0)):
        _advance(c, axis, c.arith("sub", 0, last))
    return c.end("i64", end)


def _blocks() -> str:
    c, words = _instruction("blocks")
    axis, width, block = (c.get(words, k) for k in (1, 2, 3))
    body, end = _body(c, BLOCKS_WORDS, c.get(words, 5))
    positions, extent = c.get("%cx", CX_POS, "ptr"), c.get(c.get("%cx", CX_E, "ptr"), axis)
    twice = c.test("ne", c.arith("and", c.get(words, 4), c.get("%cx", CX_TWICE)), 0)
    vectors, at, done_before = c.arith("sub", 0, width), c.cell(0), c.cell(0)
    more, done = c.label("more"), c.label("done")
    with c.when(c.test("sgt", extent, 0)):
        c.place(more)
        start = c.get(at, 0)
        left = c.arith("sub", extent, start)
        tail = c.test("slt", left, width)
        whole = c.min(c.arith("and", left, vectors), block)
        c.put(c.choose(tail, width, whole), "%cx", CX_COUNT)
        c.put(c.choose(tail, left, live_lanes(c, width, c.get(done_before, 0))), "%cx", CX_LIVE)
        c.put(c.op(f"zext i1 {tail} to i64"), "%cx", CX_TAIL)
        c.put(start, positions, axis)
        c.do(f"call void @execute({body})")
        step = c.choose(tail, left, whole)
        following = c.arith("add", start, step)
        with c.when(c.test("slt", following, extent)):
            lacking = c.max(c.arith("sub", width, c.arith("sub", extent, following)), 0)
            back = c.choose(twice, lacking, 0)
            _advance(c, axis, c.arith("sub", step, back))
            c.put(c.arith("sub", following, back), at, 0)
            c.put(back, done_before, 0)
            c.jump(more)
        with c.when(c.test("sgt", start, 0)):
            _advance(c, axis, c.arith("sub", 0, start))
        c.jump(done)
    c.place(done)
    c.put(0, "%cx", CX_TAIL)
    return c.end("i64", end)


def _fill() -> str:
    c, words = _instruction("fill")
    offset, constant, each, pattern = (c.get(words, k) for k in (1, 2, 3, 4))
    size = c.arith("add", constant, c.arith("mul", c.get("%cx", CX_COUNT), each))
    target, value = c.gep(c.get("%cx", CX_SCRATCH, "ptr"), offset), splat(c, pattern)
    with c.loop(size, step=64) as loop:
        c.do(f"store <8 x i64> {value}, ptr {c.gep(target, loop.index)}, align 64")
    return c.end("i64", c.arith("add", "%pc", FILL_WORDS))


def _behind(c: Function, words: str, pc: str) -> str:
    """The pc behind a CALL."""
    return c.arith("add", c.arith("mul", c.get(words, 4), ENTRY), c.arith("add", pc, CALL_WORDS))


def _call() -> str:
    c, words = _instruction("call")
    kernel, lane, external = c.get(c.get("%cx", CX_K, "ptr"), c.get(words, 1), "ptr"), c.get(words, 2), c.get(words, 3)
    counted = c.test("sge", lane, 0)
    count, live = (c.choose(counted, c.get("%cx", k), 1) for k in (CX_COUNT, CX_LIVE))
    pointers, packed = c.word(c.get("%cx", CX_P, "ptr"), c.get(words, 5)), c.cell(0)
    with c.loop(external) as loop:
        _pointer(c, words, pointers, loop.index, lane, packed)
    c.call("void", kernel, f"ptr {pointers}", f"i64 {count}", f"i64 {live}")
    with c.when(c.test("ne", c.get(packed, 0), 0)), c.loop(external) as loop:
        entry = entry_of(c, words, loop.index)
        area = c.gep(c.get("%cx", CX_SCRATCH, "ptr"), c.get(entry, 3))
        writes = c.test("ne", c.arith("and", c.get(entry, 4), WRITE), 0)
        vector = c.test("eq", c.get(entry, 0), VECTOR)
        used = c.compare("eq", "ptr", area, c.get(pointers, loop.index, "ptr"))
        with c.when(c.all(writes, vector, used)):
            address, stride = _address(c, entry, lane)
            taken = c.choose(c.test("ne", c.get("%cx", CX_TAIL), 0), live, count)
            operands = f"ptr {address}", f"ptr {area}", f"i64 {stride}", f"i64 {c.get(entry, 2)}", f"i64 {taken}"
            c.call("void", "@unpack", *operands)
    return c.end("i64", _behind(c, words, "%pc"))


def _address(c: Function, entry: str, lane: str) -> tuple[str, str]:
    """(address, stride along the lane axis) of a kernel's external operand at the current position."""
    number = c.get(entry, 1)
    extra = c.op(f"load i64, ptr {c.gep(c.get('%cx', CX_SCRATCH, 'ptr'), c.get(entry, 5))}, align 8")
    address = c.gep(c.get(c.get("%cx", CX_CUR, "ptr"), number, "ptr"), extra)
    axes = c.get(c.get("%cx", CX_D, "ptr"), N_AXES)
    return address, c.get(c.get("%cx", CX_S, "ptr"), c.arith("add", c.arith("mul", number, axes), c.max(lane, 0)))


def _pointer(c: Function, words: str, pointers: str, k: str, lane: str, packed: str) -> None:
    """The pointer of one external operand: in place, or to its packed copy."""
    entry = entry_of(c, words, k)
    address, stride = _address(c, entry, lane)
    c.put(address, pointers, k, "ptr")
    size, tail = c.get(entry, 2), c.test("ne", c.get("%cx", CX_TAIL), 0)
    indirect = c.op(f"or i1 {tail}, {c.test('ne', stride, size)}")
    with c.when(c.all(c.test("eq", c.get(entry, 0), VECTOR), indirect)):
        area = c.gep(c.get("%cx", CX_SCRATCH, "ptr"), c.get(entry, 3))
        c.put(area, pointers, k, "ptr")
        c.put(1, packed, 0)
        with c.when(c.test("ne", c.arith("and", c.get(entry, 4), READ), 0)):
            count = c.get("%cx", CX_COUNT)
            taken = c.choose(tail, c.get("%cx", CX_LIVE), count)
            operands = f"ptr {area}", f"ptr {address}", f"i64 {stride}", f"i64 {size}", f"i64 {taken}", f"i64 {count}"
            c.call("void", "@pack", *operands)


def _execute() -> str:
    c = Function("void", "execute", ["ptr cx", "i64 first", "i64 end"], internal=True)
    head, done = c.label("head"), c.label("done")
    phi = ", ".join(f"[ %next.{name}, %at.{name} ]" for name, _ in _INSTRUCTIONS)
    c.place(head)
    c.do(f"%pc = phi i64 [ %first, %entry ], {phi}")
    body = c.label("body")
    c.branch(c.test("slt", "%pc", "%end"), body, done)
    c.place(body)
    operation = c.get(c.get("%cx", CX_D, "ptr"), "%pc")
    for name, number in _INSTRUCTIONS:
        other = c.label("other")
        c.branch(c.test("eq", operation, number), f"at.{name}", other)
        c.place(f"at.{name}")
        c.do(f"%next.{name} = call i64 @{name}(ptr %cx, i64 %pc)")
        c.jump(head)
        c.place(other)
    c.place(done)
    return c.end()


def _resolve() -> str:
    """Fill in the pointers of all calls that do not change during a run."""
    c = Function("void", "resolve", ["ptr cx", "i64 first", "i64 end"], internal=True)
    descriptor, at = c.get("%cx", CX_D, "ptr"), c.cell("%first")
    head, body, done = c.label("head"), c.label("body"), c.label("done")
    c.place(head)
    pc = c.get(at, 0)
    c.branch(c.test("slt", pc, "%end"), body, done)
    c.place(body)
    words = c.word(descriptor, pc)
    operation = c.get(words, 0)
    size = c.choose(c.test("eq", operation, LOOP), LOOP_WORDS, BLOCKS_WORDS)
    size = c.choose(c.test("eq", operation, FILL), FILL_WORDS, size)
    c.put(c.arith("add", pc, size), at, 0)
    with c.when(c.test("eq", operation, CALL)):
        pointers = c.word(c.get("%cx", CX_P, "ptr"), c.get(words, 5))
        external = c.get(words, 3)
        with c.loop(c.arith("sub", c.get(words, 4), external)) as loop:
            k = c.arith("add", loop.index, external)
            c.put(_fixed(c, entry_of(c, words, k)), pointers, k, "ptr")
        c.put(_behind(c, words, pc), at, 0)
    c.jump(head)
    c.place(done)
    return c.end()


def _fixed(c: Function, entry: str) -> str:
    kind, number = c.get(entry, 0), c.get(entry, 1)
    value = c.gep(c.get("%cx", CX_SCRATCH, "ptr"), number)
    for other, base in ((INTEGER, c.get("%cx", CX_I, "ptr")), (POSITION, c.get("%cx", CX_POS, "ptr"))):
        value = c.choose(c.test("eq", kind, other), c.word(base, number), value, "ptr")
    return c.choose(c.test("eq", kind, FLAG), c.word("%cx", CX_FLAG), value, "ptr")


# -- entry ------------------------------------------------------------------------------------------------------------
def _direct() -> str:
    """One kernel over one axis, everything readable in place: no context at all.  Gives 0 if that is not so."""
    c = Function("i64", "direct", [*_PARAMS, *_SPACE], internal=True)
    words = c.word("%D", c.get("%D", FAST))
    lane, operands, axes, width = c.get(words, 2), c.get(words, 4), c.get("%D", N_AXES), c.get("%D", WIDTH)
    wrong = c.cell(0)
    with c.loop(operands) as loop:
        entry = entry_of(c, words, loop.index)
        kind, number = c.get(entry, 0), c.get(entry, 1)
        with c.when(c.test("eq", kind, INTEGER)):
            c.put(c.word("%I", number), "%P", loop.index, "ptr")
        with c.when(c.test("ne", kind, INTEGER)):
            c.put(c.get("%B", number, "ptr"), "%P", loop.index, "ptr")
            stride = c.get("%S", c.arith("add", c.arith("mul", number, axes), lane))
            c.note(c.all(c.test("eq", kind, VECTOR), c.test("ne", stride, c.get(entry, 2))), wrong)
    with c.when(c.test("ne", c.get(wrong, 0), 0)):
        c.ret("i64", 0)
    n, kernel = c.get("%E", lane), c.get("%K", c.get(words, 1), "ptr")
    whole = c.arith("and", n, c.arith("sub", 0, width))
    with c.when(c.test("sgt", whole, 0)):
        c.call("void", kernel, "ptr %P", f"i64 {whole}", f"i64 {width}")
    left = c.arith("sub", n, whole)
    with c.when(c.test("sgt", left, 0)):
        apart = c.test("ne", c.call("i64", "@may_repeat", "ptr %D", "ptr %B"), 0)
        with c.when(c.all(apart, c.test("sgt", whole, 0))):
            _direct_again(c, words, kernel, left, width, n)
            c.ret("i64", 1)
        _direct_tail(c, words, kernel, whole, left, width)
    return c.end("i64", 1)


def _direct_again(c: Function, words: str, kernel: str, left: str, width: str, n: str) -> None:
    """The last whole vector, part of which was done before."""
    start = c.arith("sub", n, width)
    with c.loop(c.get(words, 3)) as loop:
        entry = entry_of(c, words, loop.index)
        with c.when(c.test("eq", c.get(entry, 0), VECTOR)):
            first = c.gep(c.get("%P", loop.index, "ptr"), c.arith("mul", start, c.get(entry, 2)))
            c.put(first, "%P", loop.index, "ptr")
    c.call("void", kernel, "ptr %P", f"i64 {width}", f"i64 {live_lanes(c, width, c.arith('sub', width, left))}")


def _may_repeat() -> str:
    """May elements be computed twice: is no output an input?"""
    c = Function("i64", "may_repeat", ["ptr D", "ptr B"], internal=True)
    inputs, operands = c.get("%D", N_INPUTS), c.get("%D", N_OPERANDS)
    same = c.cell(0)
    with c.loop(operands, start=inputs) as out:
        target = c.get("%B", out.index, "ptr")
        with c.loop(inputs) as loop:
            c.note(c.compare("eq", "ptr", target, c.get("%B", loop.index, "ptr")), same)
    return c.end("i64", c.arith("xor", c.get(same, 0), 1))


def _direct_tail(c: Function, words: str, kernel: str, whole: str, left: str, width: str) -> None:
    external = c.get(words, 3)
    with c.loop(external) as loop:
        entry = entry_of(c, words, loop.index)
        size, area = c.get(entry, 2), c.gep("%scratch", c.get(entry, 3))
        with c.when(c.test("eq", c.get(entry, 0), VECTOR)):
            source = c.gep(c.get("%P", loop.index, "ptr"), c.arith("mul", whole, size))
            c.put(area, "%P", loop.index, "ptr")
            with c.when(c.test("ne", c.arith("and", c.get(entry, 4), READ), 0)):
                operands = f"ptr {area}", f"ptr {source}", f"i64 {size}", f"i64 {left}", f"i64 {width}"
                c.call("void", "@copy_in", *operands)
    c.call("void", kernel, "ptr %P", f"i64 {width}", f"i64 {left}")
    with c.loop(external) as loop:
        entry = entry_of(c, words, loop.index)
        size, area = c.get(entry, 2), c.gep("%scratch", c.get(entry, 3))
        with c.when(c.test("ne", c.arith("and", c.get(entry, 4), WRITE), 0)):
            target = c.gep(c.get("%B", c.get(entry, 1), "ptr"), c.arith("mul", whole, size))
            c.call("void", "@copy_out", f"ptr {target}", f"ptr {area}", f"i64 {c.arith('mul', left, size)}")


def _swap() -> str:
    """Exchange an axis with the lane axis if elements are nearer along it: all arrays in Fortran's order."""
    c = Function("void", "swap", [*_TABLES, "i64 a", "i64 b", *_SIZES], internal=True)
    with c.loop("%operands", ("i64", "0")) as loop:
        row = c.word("%s", c.arith("mul", loop.index, "%axes"))
        sizes = [c.call("i64", "@llvm.abs.i64", f"i64 {c.get(row, x)}", "i1 false") for x in ("%a", "%b")]
        loop.next = [c.arith("add", loop.values[0], c.arith("sub", *sizes))]
    with c.when(c.test("slt", loop.values[0], 0)):
        first, second = c.get("%e", "%a"), c.get("%e", "%b")
        c.put(second, "%e", "%a")
        c.put(first, "%e", "%b")
        with c.loop("%operands") as loop:
            row = c.word("%s", c.arith("mul", loop.index, "%axes"))
            first, second = c.get(row, "%a"), c.get(row, "%b")
            c.put(second, row, "%a")
            c.put(first, row, "%b")
    return c.end()


def _merge() -> str:
    """Make one axis of two neighbours in loop order where the strides of all operands allow it; the outer becomes 1."""
    c = Function("void", "merge", [*_TABLES, "i64 a", "i64 b", *_SIZES], internal=True)
    extent_a, extent_b = c.get("%e", "%a"), c.get("%e", "%b")
    wrong, one = c.cell(0), c.test("eq", extent_b, 1)
    with c.loop("%operands") as loop:
        row = c.word("%s", c.arith("mul", loop.index, "%axes"))
        c.note(c.test("ne", c.get(row, "%a"), c.arith("mul", c.get(row, "%b"), extent_b)), wrong)
    fits = c.op(f"or i1 {one}, {c.test('eq', c.get(wrong, 0), 0)}")
    with c.when(c.all(fits, c.test("ne", extent_a, 1))):
        c.put(c.arith("mul", extent_a, extent_b), "%e", "%b")
        c.put(1, "%e", "%a")
        with c.when(one), c.loop("%operands") as loop:
            row = c.word("%s", c.arith("mul", loop.index, "%axes"))
            c.put(c.get(row, "%a"), row, "%b")
    return c.end()


def _general() -> str:
    c = Function("i64", "general", [*_PARAMS, *_SPACE], internal=True)
    axes, operands = c.get("%D", N_AXES), c.get("%D", N_OPERANDS)
    total = c.arith("mul", axes, operands)
    extents, strides, positions, current = (
        c.op(f"alloca i64, i64 {n}, align 8") for n in (axes, total, axes, operands)
    )
    context = c.op(f"alloca [{CX_WORDS} x i64], align 16")
    for n, source, target in ((axes, "%E", extents), (total, "%S", strides), (operands, "%B", current)):
        with c.loop(n) as loop:
            c.put(c.get(source, loop.index), target, loop.index)
    with c.loop(axes) as loop:
        c.put(0, positions, loop.index)
    pairs = c.word("%D", HEADER)
    for name, count in (("swap", N_SWAPS), ("merge", N_MERGES)):
        with c.loop(c.get("%D", count)) as loop:
            pair = c.word(pairs, c.arith("mul", loop.index, 2))
            tables, two = (f"ptr {extents}", f"ptr {strides}"), (f"i64 {c.get(pair, 0)}", f"i64 {c.get(pair, 1)}")
            c.call("void", f"@{name}", *tables, *two, f"i64 {axes}", f"i64 {operands}")
        pairs = c.word(pairs, c.arith("mul", c.get("%D", count), 2))
    with c.when(c.test("ne", c.get("%D", FAST), 0)):
        _direct_if_flat(c, axes, extents, strides)
        _tiles(c, axes, operands, extents, strides, current)
    c.put(0, "%scratch", 0)
    pointers = {
        CX_K: "%K", CX_D: "%D", CX_E: extents, CX_S: strides, CX_I: "%I", CX_POS: positions, CX_CUR: current,
        CX_SCRATCH: "%scratch",
        CX_P: "%P",
    }  # fmt: skip
    for k, value in pointers.items():
        c.put(value, context, k, "ptr")
    for k, number in ((CX_FLAG, 0), (CX_COUNT, 1), (CX_LIVE, 1), (CX_TAIL, 0)):
        c.put(number, context, k)
    c.put(c.call("i64", "@may_repeat", "ptr %D", "ptr %B"), context, CX_TWICE)
    arguments = f"ptr {context}", f"i64 {c.get('%D', CODE)}", f"i64 {c.get('%D', END)}"
    c.call("void", "@resolve", *arguments)
    c.call("void", "@execute", *arguments)
    return c.end("i64", c.get(context, CX_FLAG))


def _direct_if_flat(c: Function, axes: str, extents: str, strides: str) -> None:
    """Return by `direct` if every axis but the lane's has become 1."""
    lane, others = c.get(c.word("%D", c.get("%D", FAST)), 2), c.cell(0)
    with c.loop(axes) as loop:
        longer = c.test("ne", c.get(extents, loop.index), 1)
        c.note(c.all(c.test("ne", loop.index, lane), longer), others)
    with c.when(c.test("eq", c.get(others, 0), 0)):
        tables = "ptr %B", f"ptr {strides}", f"ptr {extents}", "ptr %I", "ptr %P", "ptr %scratch"
        done = c.call("i64", "@direct", "ptr %K", "ptr %D", *tables)
        with c.when(c.test("ne", done, 0)):
            c.ret("i64", 0)


def _tiles(c: Function, axes: str, operands: str, extents: str, strides: str, current: str) -> None:
    """Whole vectors along the lane axis by tiles if some operand is contiguous along another axis only; what is left
    for the rest of `general` are the lanes behind them."""
    lane = c.get(c.word("%D", c.get("%D", FAST)), 2)
    tables = f"ptr {extents}", f"ptr {strides}"
    axis = c.call("i64", "@other_axis", "ptr %D", *tables)
    length = c.get(extents, lane)
    whole = c.arith("and", length, c.arith("sub", 0, c.get("%D", WIDTH)))
    with c.when(c.all(c.test("sge", axis, 0), c.test("sgt", whole, 0))):
        given = "ptr %K", "ptr %D", f"ptr {current}", f"ptr {strides}", f"ptr {extents}"
        c.call("void", "@tiled", *given, "ptr %I", "ptr %P", "ptr %scratch", f"i64 {axis}", f"i64 {whole}")
        with c.when(c.test("eq", length, whole)):
            c.ret("i64", 0)
        c.put(c.arith("sub", length, whole), extents, lane)
        with c.loop(operands) as loop:
            step = c.get(strides, c.arith("add", c.arith("mul", loop.index, axes), lane))
            moved = c.gep(c.get(current, loop.index, "ptr"), c.arith("mul", step, whole))
            c.put(moved, current, loop.index, "ptr")


def _run_nest() -> str:
    c = Function("i64", "run_nest", _PARAMS)
    c.do(f"%scratch = alloca i8, i64 {c.get('%D', SCRATCH)}, align 64")
    c.do(f"%P = alloca ptr, i64 {c.get('%D', N_POINTERS)}, align 16")
    arguments = [f"ptr %{p.split()[1]}" for p in (*_PARAMS, *_SPACE)]
    with c.when(c.all(c.test("eq", c.get("%D", N_AXES), 1), c.test("ne", c.get("%D", FAST), 0))):
        done = c.call("i64", "@direct", *arguments)
        with c.when(c.test("ne", done, 0)):
            c.ret("i64", 0)
    return c.end("i64", c.call("i64", "@general", *arguments))
