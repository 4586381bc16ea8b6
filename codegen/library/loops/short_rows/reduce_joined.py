"""Joined reductions: reductions over several axes of short rows with gaps (slices) take several rows as one.

Contract  `joined_rows(context, blocks, axis)`: true, all rows of the axis are done.
When      the kernel adds to one state in all rows, and rows are shorter than a vector (four, if they are packed
          anyway).
Why       copied one behind the other, all rows together leave one partial vector, not each its own.
"""

from __future__ import annotations

from tensordsl.codegen.abi.descriptor import FULL_ROW, VECTOR, BlocksCode, CallCode, Context, Header, Operand
from tensordsl.codegen.library.loops.descriptor import LoopFunction
from tensordsl.codegen.target.tuning import Tuning


def joined_texts(t: Tuning) -> list[str]:
    return [_fits_joined_rows(t), _copy_joined_rows(), _joined_rows(t)]


def _steps(c: LoopFunction, entry: str, lane: str) -> tuple[str, str]:
    """Bytes of an operand from lane to lane, and from row to row."""
    axes = c.get(c.context(Context.DESCRIPTOR), Header.AXES)
    own = c.word(c.context(Context.STRIDES), c.mul(c.get(entry, Operand.NUMBER), axes))
    return c.get(own, lane), c.get(own, "%axis")


def _fits_joined_rows(t: Tuning) -> str:
    """Are rows short, elements along them different ones, and other operands the same for all?"""
    c = LoopFunction("i1", "fits_joined_rows", ["ptr cx", "ptr blocks", "i64 axis"], internal=True)
    extents = c.context(Context.EXTENTS)
    lane = c.get("%blocks", BlocksCode.AXIS)
    call = c.word("%blocks", BlocksCode.WORDS)
    n, rows = c.get(extents, lane), c.get(extents, "%axis")
    width, in_place = c.get("%blocks", BlocksCode.LANES), c.eq(c.context(Context.IS_PACKED), 0)
    is_short = c.lt(n, c.choose(in_place, width, c.mul(width, t.short_rows.max_vectors)))
    with c.loop(c.get(call, CallCode.EXTERNALS), ("i1", is_short)) as loop:
        entry = c.operand(call, loop.index)
        across, along = _steps(c, entry, lane)
        is_vector = c.as_i64(c.is_kind(entry, VECTOR))
        wrong = c.choose(c.ne(is_vector, 0), c.as_i64(c.eq(across, 0)), along)
        loop.next = [c.all(loop.values[0], c.eq(wrong, 0))]
    return c.end("i1", c.all(loop.values[0], c.gt(n, 0), c.gt(rows, 1)))


def _copy_joined_rows() -> str:
    """Some rows of the operands from one on to scratch, with their last element as often as a vector has elements."""
    params = ["ptr cx", "ptr blocks", "ptr pointers", "i64 axis", "i64 first", "i64 some"]
    c = LoopFunction("void", "copy_joined_rows", params, internal=True)
    lane = c.get("%blocks", BlocksCode.AXIS)
    width = c.get("%blocks", BlocksCode.LANES)
    call = c.word("%blocks", BlocksCode.WORDS)
    n = c.get(c.context(Context.EXTENTS), lane)
    with c.loop(c.get(call, CallCode.EXTERNALS)) as loop:
        entry = c.operand(call, loop.index)
        size = c.get(entry, Operand.ELEMENT_BYTES)
        place = c.get(c.context(Context.ADDRESSES), c.get(entry, Operand.NUMBER), "ptr")
        is_vector = c.is_kind(entry, VECTOR)
        area = c.gep(c.context(Context.SCRATCH), c.get(entry, Operand.SCRATCH))
        c.put(c.choose(is_vector, area, place, "ptr"), "%pointers", loop.index, "ptr")
        with c.when(is_vector):
            across, along = _steps(c, entry, lane)
            row = c.mul(n, size)
            source = c.gep(place, c.mul(along, "%first"))
            given = f"ptr {area}", f"i64 {row}", f"ptr {source}", f"i64 {across}", f"i64 {along}", f"i64 {size}"
            c.call("void", "@copy_matrix", *given, f"i64 {n}", "i64 %some", "i1 true")
            behind = c.gep(area, c.mul(row, "%some"))
            last = c.gep(behind, c.sub(0, size))
            given = f"ptr {behind}", f"i64 {size}", f"ptr {last}", "i64 0", f"i64 {size}", f"i64 {width}"
            c.call("void", "@copy_elements", *given)
    return c.end()


def _joined_rows(t: Tuning) -> str:
    """All rows of an axis; 0: nothing is done.  `blocks`: what is done with each."""
    c = LoopFunction("i1", "joined_rows", ["ptr cx", "ptr blocks", "i64 axis"], internal=True)
    with c.when(c.negate(c.call("i1", "@fits_joined_rows", "ptr %cx", "ptr %blocks", "i64 %axis"))):
        c.ret("i1", "false")
    extents = c.context(Context.EXTENTS)
    width = c.get("%blocks", BlocksCode.LANES)
    call = c.word("%blocks", BlocksCode.WORDS)
    n, rows = c.get(extents, c.get("%blocks", BlocksCode.AXIS)), c.get(extents, "%axis")
    pointers = c.word(c.context(Context.POINTERS), c.get(call, CallCode.POINTERS))
    external = c.get(call, CallCode.EXTERNALS)
    kernel = c.get(c.context(Context.KERNELS), c.get(call, CallCode.KERNEL), "ptr")
    most = c.max(c.udiv(c.min(c.get("%blocks", 3), t.short_rows.joined_elements), n), 1)
    with c.loop(rows, step=most) as row:
        some = c.min(c.sub(rows, row.index), most)
        count = c.mul(some, n)
        whole = c.and_(count, c.sub(0, width))
        left = c.sub(count, whole)
        given = "ptr %cx", "ptr %blocks", f"ptr {pointers}", "i64 %axis", f"i64 {row.index}", f"i64 {some}"
        c.call("void", "@copy_joined_rows", *given)
        with c.when(c.gt(whole, 0)):
            c.call("void", kernel, f"ptr {pointers}", f"i64 {whole}", f"i64 {width}", "i64 1", f"i64 {FULL_ROW}")
        with c.when(c.gt(left, 0)):
            with c.loop(external) as loop:
                entry = c.operand(call, loop.index)
                step = c.choose(c.is_kind(entry, VECTOR), c.mul(whole, c.get(entry, Operand.ELEMENT_BYTES)), 0)
                c.put(c.gep(c.get(pointers, loop.index, "ptr"), step), pointers, loop.index, "ptr")
            c.call("void", kernel, f"ptr {pointers}", f"i64 {width}", f"i64 {left}", "i64 1", f"i64 {FULL_ROW}")
    return c.end("i1", "true")
