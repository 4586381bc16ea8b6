"""Copies of contiguous elements between operands and scratch, tails padded with the last element.

Contract  `copy_in(to, from, size, live, count)`, `copy_out(to, from, bytes)`; scratch is written in whole cache lines.
When      a row's tail goes to scratch.  With AVX-512 by byte masks, elsewhere by pieces of 32 to 1 bytes.
"""

from __future__ import annotations

from tensordsl.codegen.library.loops.descriptor import LoopFunction, move, splat


def copy_texts(vector_bytes: int) -> list[str]:
    """At 64 bytes the target has AVX-512 with byte masks; other targets copy tails in pieces."""
    return [_copy_in(vector_bytes), _copy_out(vector_bytes)]


def _byte_mask(c: LoopFunction, live: str) -> str:
    byte = c.op(f"trunc i64 {c.min(live, 64)} to i8")
    one = c.op(f"insertelement <64 x i8> poison, i8 {byte}, i64 0")
    splat = c.op(f"shufflevector <64 x i8> {one}, <64 x i8> poison, <64 x i32> zeroinitializer")
    return c.op(f"icmp ult <64 x i8> <{', '.join(f'i8 {k}' for k in range(64))}>, {splat}")


def copy_pieces(c: LoopFunction, target: str, source: str, size: str) -> None:
    """Copy `size` bytes by pieces of 32, 16, 8, 4, 2 and 1 bytes."""
    offset = c.and_(size, -32)
    with c.loop(offset, step=32) as loop:
        move(c, "<4 x i64>", c.gep(target, loop.index), c.gep(source, loop.index))
    for count, kind in ((16, "<2 x i64>"), (8, "i64"), (4, "i32"), (2, "i16"), (1, "i8")):
        bit = c.and_(size, count)
        with c.when(c.ne(bit, 0)):
            move(c, kind, c.gep(target, offset), c.gep(source, offset))
        offset = c.add(offset, bit)


def _element_splat(c: LoopFunction, pointer: str, size: str) -> str:
    """<8 x i64> filled with the element of 1, 2, 4 or 8 bytes at `pointer`."""
    cell = c.cell(0)
    for count, factor in ((1, 0x0101010101010101), (2, 0x0001000100010001), (4, 0x0000000100000001), (8, 1)):
        with c.when(c.eq(size, count)):
            value = c.op(f"load i{8 * count}, ptr {pointer}, align 1")
            value = c.op(f"zext i{8 * count} {value} to i64") if count < 8 else value
            c.put(c.mul(value, factor), cell, 0)
    return splat(c, c.get(cell, 0))


def _copy_in(vector_bytes: int) -> str:
    """`live` contiguous elements to scratch, then the last one repeated up to `count`; writes whole 64 bytes."""
    c = LoopFunction("void", "copy_in", ["ptr to", "ptr from", "i64 size", "i64 live", "i64 count"], internal=True)
    live, total = c.mul("%live", "%size"), c.mul("%count", "%size")
    last = c.gep("%from", c.sub(live, "%size"))
    pad = _element_splat(c, last, "%size")
    with c.when(c.eq("%size", 16)):
        pair, lanes = c.op(f"load <2 x i64>, ptr {last}, align 1"), ", ".join(f"i32 {k % 2}" for k in range(8))
        both = c.op(f"shufflevector <2 x i64> {pair}, <2 x i64> poison, <8 x i32> <{lanes}>")
        _copy_padded(c, vector_bytes, both, live, total)
        c.ret()
    _copy_padded(c, vector_bytes, pad, live, total)
    return c.end()


def _copy_padded(c: LoopFunction, vector_bytes: int, pad: str, live: str, total: str) -> None:
    if vector_bytes < 64:
        with c.loop(total, step=64) as loop:
            c.do(f"store <8 x i64> {pad}, ptr {c.gep('%to', loop.index)}, align 64")
        copy_pieces(c, "%to", "%from", live)
        return
    passed = c.op(f"bitcast <8 x i64> {pad} to <64 x i8>")
    with c.loop(total, step=64) as loop:
        mask = _byte_mask(c, c.max(c.sub(live, loop.index), 0))
        operands = f"ptr {c.gep('%from', loop.index)}", "i32 1", f"<64 x i1> {mask}", f"<64 x i8> {passed}"
        value = c.call("<64 x i8>", "@llvm.masked.load.v64i8.p0", *operands)
        c.do(f"store <64 x i8> {value}, ptr {c.gep('%to', loop.index)}, align 64")


def _copy_out(vector_bytes: int) -> str:
    c = LoopFunction("void", "copy_out", ["ptr to", "ptr from", "i64 bytes"], internal=True)
    if vector_bytes < 64:
        copy_pieces(c, "%to", "%from", "%bytes")
        return c.end()
    with c.loop("%bytes", step=64) as loop:
        mask = _byte_mask(c, c.sub("%bytes", loop.index))
        value = c.op(f"load <64 x i8>, ptr {c.gep('%from', loop.index)}, align 64")
        operands = f"<64 x i8> {value}", f"ptr {c.gep('%to', loop.index)}", "i32 1", f"<64 x i1> {mask}"
        c.call("void", "@llvm.masked.store.v64i8.p0", *operands)
    return c.end()
