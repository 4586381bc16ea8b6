"""Line alignment of a broadcast operand: what all rows of a launch share is copied to the start of a cache line.

Contract  addresses, strides and extents of one kernel's operands -> the same with addresses of aligned copies.
When      a contiguous operand has stride 0 along all axes but the lanes', and enough rows read it.
Why       a vector that straddles two lines takes two loads.  The copy starts at the result's place in its page, since a
          load whose last 12 address bits lie a little below a recent store's waits for it (4K aliasing).
"""

from __future__ import annotations

from tensordsl.codegen.abi.descriptor import VECTOR, WRITE, CallCode, Header, Operand
from tensordsl.codegen.library.loops.descriptor import LoopFunction
from tensordsl.codegen.target.machine import ALIAS_BYTES, CACHE_LINE_BYTES
from tensordsl.codegen.target.tuning import Tuning


def align_broadcast(c: LoopFunction, t: Tuning, axes: str, extents: str, strides: str, current: str) -> None:
    """Let operands of a group of one kernel that are the same in many rows be copies."""
    words = c.word("%D", c.header(Header.DIRECT_CALL))
    lane, out = c.get(words, CallCode.LANE), c.get(current, c.header(Header.INPUTS), "ptr")
    n = c.get(extents, lane)
    with c.loop(axes, ("i64", "1")) as axis:
        axis.next = [c.mul(axis.values[0], c.get(extents, axis.index))]
    rows = c.udiv(axis.values[0], n)
    min_rows = 2 if t.forces("align_broadcast") else t.memory.align_min_rows
    with c.when(c.ge(rows, min_rows)), c.loop(c.get(words, CallCode.EXTERNALS)) as loop:
        entry = c.operand(words, loop.index)
        number, size = c.get(entry, Operand.NUMBER), c.get(entry, Operand.ELEMENT_BYTES)
        bytes, steps = c.mul(n, size), c.word(strides, c.mul(number, axes))
        with c.loop(axes, ("i64", "0")) as axis:
            is_still = c.any(c.eq(axis.index, lane), c.eq(c.get(extents, axis.index), 1))
            step = c.choose(is_still, 0, c.get(steps, axis.index))
            axis.next = [c.or_(axis.values[0], step)]
        is_row = c.all(c.is_kind(entry, VECTOR), c.eq(c.get(steps, lane), size))
        is_read = c.eq(c.and_(c.get(entry, Operand.FLAGS), WRITE), 0)
        pays = c.all(
            c.le(bytes, t.memory.align_max_row_bytes),
            c.ge(c.mul(bytes, rows), 0 if t.forces("align_broadcast") else t.memory.align_min_read_bytes),
        )
        with c.when(c.all(is_row, is_read, c.eq(axis.values[0], 0), pays)):
            base, room = (c.get(current, number, "ptr"), c.op(f"alloca i8, i64 {c.add(bytes, ALIAS_BYTES)}, align 64"))
            place = c.and_(c.sub(_address(c, out), _address(c, room)), ALIAS_BYTES - CACHE_LINE_BYTES)
            room = c.gep(room, place)
            c.call("void", "@copy_strided", f"ptr {room}", f"ptr {base}", f"i64 {size}", f"i64 {n}", f"i64 {size}")
            c.put(room, current, number, "ptr")


def _address(c: LoopFunction, pointer: str) -> str:
    return c.op(f"ptrtoint ptr {pointer} to i64")
