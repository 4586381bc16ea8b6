"""Packing of strided operands of one kernel over one axis, block by block.

Contract  `packed_row`: 1, the launch is done, its last elements by the last whole vector again; 0: not handled.
When      every axis but the lanes' has extent 1, some operand is strided, and no output is an input.
Why       blocks are short, so that the core computes one while memory fetches the next.
"""

from __future__ import annotations

from collections.abc import Iterator

from tensordsl.codegen.abi.descriptor import NEST_PARAMS, READ, SCRATCH_PARAMS, VECTOR, WRITE, CallCode, Header, Operand
from tensordsl.codegen.library.loops.descriptor import LoopFunction, put_integers
from tensordsl.codegen.library.loops.pack.deinterleave import (
    ADDRESS,
    AREA,
    COLUMN_BYTES,
    OPERAND_WORDS,
    PACKER,
    ROW_STRIDE,
    STORED_BYTES,
    STRIDE,
    TARGET,
)
from tensordsl.codegen.library.loops.pack.transpose_tiles import block_of
from tensordsl.codegen.llvm.builder import passed
from tensordsl.codegen.target.tuning import Tuning


def packed_row_texts(t: Tuning) -> list[str]:
    return [_packed_operands(), _pack_all(), _unpack_all(), _packed_row(t)]


def _packed_operands() -> str:
    """Words for operands; how many are only read, and packed."""
    c = LoopFunction(
        "i64", "packed_operands", [*NEST_PARAMS[1:4], "ptr words", *SCRATCH_PARAMS, "ptr row"], internal=True
    )
    lane, axes = c.get("%words", CallCode.LANE), c.header(Header.AXES)
    with c.loop(c.get("%words", CallCode.EXTERNALS), ("i64", "0")) as loop:
        entry, own = c.operand("%words", loop.index), c.word("%row", c.mul(loop.index, OPERAND_WORDS))
        number = c.get(entry, Operand.NUMBER)
        size = c.get(entry, Operand.ELEMENT_BYTES)
        flags = c.get(entry, Operand.FLAGS)
        is_vector = c.is_kind(entry, VECTOR)
        stride = c.choose(is_vector, c.get("%S", c.add(c.mul(number, axes), lane)), 0)
        strided = c.all(is_vector, c.ne(stride, size))
        area = c.choose(strided, c.gep("%scratch", c.get(entry, Operand.SCRATCH)), "null", "ptr")
        packer = c.call("ptr", "@packer", f"i64 {size}", f"i64 {stride}")
        is_read, is_written = (c.all(strided, c.ne(c.and_(flags, flag), 0)) for flag in (READ, WRITE))
        c.put(c.get("%B", number), own, ADDRESS)
        c.put(stride, own, STRIDE)
        c.put(area, own, AREA, "ptr")
        c.put(c.choose(is_read, packer, "null", "ptr"), own, PACKER, "ptr")
        c.put(area, own, TARGET, "ptr")
        c.put(c.choose(is_written, size, 0), own, STORED_BYTES)
        is_column = c.all(is_read, c.negate(is_written))
        c.put(c.choose(is_column, size, 0), own, COLUMN_BYTES)
        c.put(0, own, ROW_STRIDE)
        c.put(area, "%P", loop.index, "ptr")
        loop.next = [c.add(loop.values[0], c.as_i64(is_column))]
    return c.end("i64", loop.values[0])


def _each_operand(c: LoopFunction) -> Iterator[tuple[str, str, str]]:
    """(an operand's words, where element `start` is, its number)"""
    with c.loop("%external") as loop:
        own = c.word("%row", c.mul(loop.index, OPERAND_WORDS))
        yield own, c.gep(c.get(own, ADDRESS, "ptr"), c.mul(c.get(own, STRIDE), "%start")), loop.index


_BLOCK = ["ptr row", "i64 external", "i64 start", "i64 count"]


def _pack_all() -> str:
    """Pointers of `count` elements from the one of number `start` on, or copies of those that are strided."""
    c = LoopFunction("void", "pack_all", [*_BLOCK, "ptr P"], internal=True)
    for own, place, k in _each_operand(c):
        area, packer = c.get(own, AREA, "ptr"), c.get(own, PACKER, "ptr")
        with c.when(c.is_null(area)):
            c.put(place, "%P", k, "ptr")
        with c.when(c.not_null(packer)):
            given = f"ptr {c.get(own, TARGET, 'ptr')}", f"ptr {place}", f"i64 {c.get(own, STRIDE)}", "i64 %count"
            c.call("void", packer, *given)
    return c.end()


def _unpack_all() -> str:
    """Copies of what is written to where it belongs."""
    c = LoopFunction("void", "unpack_all", _BLOCK, internal=True)
    for own, place, _ in _each_operand(c):
        size = c.get(own, STORED_BYTES)
        with c.when(c.ne(size, 0)):
            given = f"ptr {place}", f"ptr {c.get(own, AREA, 'ptr')}", f"i64 {c.get(own, STRIDE)}", f"i64 {size}"
            c.call("void", "@unpack", *given, "i64 %count")
    return c.end()


def _packed_row(t: Tuning) -> str:
    """1: all is done, the last elements by a whole vector again."""
    c = LoopFunction("i64", "packed_row", [*NEST_PARAMS, *SCRATCH_PARAMS], internal=True)
    words, width = c.word("%D", c.header(Header.DIRECT_CALL)), c.header(Header.LANES)
    n = c.get("%E", c.get(words, CallCode.LANE))
    external = c.get(words, CallCode.EXTERNALS)
    kernel = c.get("%K", c.get(words, CallCode.KERNEL), "ptr")
    again = c.ne(c.call("i64", "@may_recompute", "ptr %D", "ptr %B"), 0)
    with c.when(c.negate(c.all(again, c.ge(n, width)))):
        c.ret("i64", 0)
    put_integers(c, words, external, c.get(words, CallCode.OPERANDS))
    row = c.op(f"alloca i64, i64 {c.mul(external, OPERAND_WORDS)}, align 8")
    columns = c.call(
        "i64", "@packed_operands", *passed(NEST_PARAMS[1:4]), f"ptr {words}", *passed(SCRATCH_PARAMS), f"ptr {row}"
    )
    with c.loop(external, ("i64", "0")) as loop:
        size = c.get(row, c.add(c.mul(loop.index, OPERAND_WORDS), STORED_BYTES))
        loop.next = [c.or_(loop.values[0], size)]
    stores = c.ne(loop.values[0], 0)
    block = c.max(c.min(block_of(c), c.mul(width, t.pack.row_block_vectors)), width)
    is_long = c.gt(n, block)  # else finding columns takes longer than packing them together saves
    with c.when(c.all(c.gt(columns, 1), is_long)):
        c.call("i64", "@deinterleave", f"ptr {row}", f"i64 {external}")
    with c.loop(external) as loop:
        own = c.word(row, c.mul(loop.index, OPERAND_WORDS))
        packer, stride = f"ptr {c.get(own, PACKER, 'ptr')}", f"i64 {c.get(own, STRIDE)}"
        c.put(c.call("ptr", "@packer_of_rows", packer, stride, f"i64 {n}"), own, PACKER, "ptr")
    with c.loop(n, step=block) as at:
        start = c.min(at.index, c.sub(n, width))
        count = c.min(c.sub(n, start), block)
        given = f"ptr {row}", f"i64 {external}", f"i64 {start}", f"i64 {count}"
        c.call("void", "@pack_all", *given, "ptr %P")
        c.call("void", kernel, "ptr %P", f"i64 {count}", f"i64 {width}", "i64 1")
        with c.when(stores):
            c.call("void", "@unpack_all", *given)
    return c.end("i64", 1)
