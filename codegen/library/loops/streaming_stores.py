"""Streaming (non-temporal) stores of results that no cache keeps, and of new values of shared variables.

Contract  `is_streamable` decides; `stream` and `stream_rows` do a launch, or say that they did not.
When      results, or all operands, exceed the caches, results are contiguous, and none of them is an operand.
Why       memory need not be read before it is written; heavy kernels compute short blocks into scratch, copied so.
Ref       LLVM's `!nontemporal`; x86 movnt.  A fence follows, as these stores have no order.
"""

from __future__ import annotations

from tensordsl.codegen.abi.descriptor import (
    NEST_PARAMS,
    READ,
    SCRATCH_PARAMS,
    STREAM,
    VECTOR,
    WRITE,
    BlocksCode,
    CallCode,
    Header,
    Operand,
)
from tensordsl.codegen.library.loops.descriptor import LoopFunction, put_integers
from tensordsl.codegen.library.loops.pack.copy import copy_pieces
from tensordsl.codegen.target.tuning import Tuning

METADATA = "!0 = !{i32 1}\n"


def streaming_texts(t: Tuning) -> list[str]:
    return [_copy_nontemporal(), _stream(t), _stream_rows(t)]


def is_streamable_text(t: Tuning) -> str:
    """Are the results of `points` points, or all operands, larger than the caches, results adjacent, and none an
    operand?"""
    c = LoopFunction("i1", "is_streamable", ["ptr D", *NEST_PARAMS[2:5], "i64 points", "i64 shared"], internal=True)
    with c.when(c.ne(c.header(Header.STREAMABLE), 1)):
        c.ret("i1", "false")
    words, wrong = c.word("%D", c.header(Header.DIRECT_CALL)), c.cell(0)
    with c.loop(c.get(words, CallCode.EXTERNALS), ("i64", "0"), ("i64", "0")) as loop:
        entry, (results, every) = c.operand(words, loop.index), loop.values
        is_vector, size = c.is_kind(entry, VECTOR), c.get(entry, Operand.ELEMENT_BYTES)
        written = c.has_flag(entry, WRITE)
        both = c.eq(c.get(entry, Operand.FLAGS), READ | WRITE)
        c.note(c.all(written, c.any(both, c.negate(is_vector))), wrong)
        moved = c.choose(c.all(is_vector, _is_all(c, c.get(entry, Operand.NUMBER))), size, 0)
        loop.next = [c.add(results, c.choose(written, size, 0)), c.add(every, moved)]
    results, every = (c.mul(bytes_, "%points") for bytes_ in loop.values)
    least = c.choose(c.ne("%shared", 0), c.limit("stream_threads_min_bytes"), c.limit("stream_min_bytes"))
    over = c.all(c.ge(every, least), c.le(c.mul(results, t.memory.stream_min_operand_ratio), every))
    over = c.all(over, c.ne(c.header(Header.STREAMING_STORES), 0))
    large = "true" if t.forces("streaming_results") else c.any(c.ge(results, c.limit("stream_result_min_bytes")), over)
    distinct = c.ne(c.call("i64", "@may_recompute", "ptr %D", "ptr %B"), 0)
    return c.end("i1", c.all(c.all(large, distinct), c.eq(c.get(wrong, 0), 0)))


def _is_all(c: LoopFunction, operand: str) -> str:
    """Does an operand have an element for each point?"""
    axes = c.header(Header.AXES)
    with c.loop(axes, ("i64", "0")) as loop:
        step = c.get("%S", c.add(c.mul(operand, axes), loop.index))
        repeats = c.all(c.eq(step, 0), c.ne(c.get("%E", loop.index), 1))
        loop.next = [c.add(loop.values[0], c.choose(repeats, 1, 0))]
    return c.eq(loop.values[0], 0)


def _copy_nontemporal() -> str:
    """Whole lines without reading them before; what is of a line at the ends as usual."""
    c = LoopFunction("void", "copy_nontemporal", ["ptr to", "ptr from", "i64 bytes"], internal=True)
    address = c.op("ptrtoint ptr %to to i64")
    head = c.min(c.and_(c.sub(0, address), 63), "%bytes")
    with c.when(c.ne(head, 0)):
        copy_pieces(c, "%to", "%from", head)
    lines = c.and_(c.sub("%bytes", head), -64)
    end = c.add(head, lines)
    with c.loop(end, start=head, step=64) as loop:
        line = c.op(f"load <8 x i64>, ptr {c.gep('%from', loop.index)}, align 1")
        c.do(f"store <8 x i64> {line}, ptr {c.gep('%to', loop.index)}, align 64, !nontemporal !0")
    rest = c.sub("%bytes", end)
    with c.when(c.ne(rest, 0)):
        copy_pieces(c, c.gep("%to", end), c.gep("%from", end), rest)
    return c.end()


def _stream(t: Tuning) -> str:
    """Done (or not): as `run_direct`, by the kernel's own streaming stores or block by block; it gets the rest."""
    c = LoopFunction("i1", "stream", [*NEST_PARAMS, *SCRATCH_PARAMS], internal=True)
    fast, axes, width = c.header(Header.DIRECT_CALL), c.header(Header.AXES), c.header(Header.LANES)
    words = c.word("%D", fast)
    lane, external, every = (c.get(words, k) for k in (CallCode.LANE, CallCode.EXTERNALS, CallCode.OPERANDS))
    kernel, n = c.get("%K", c.get(words, CallCode.KERNEL), "ptr"), c.get("%E", lane)
    most = c.get(c.word("%D", c.sub(fast, BlocksCode.WORDS)), 3)
    put_integers(c, words, external, every)
    first, size, on_lines = _first_line(c, words, external, kernel, width)
    passes = c.all(on_lines, c.ne(c.header(Header.STREAMING_STORES), 0))
    block = c.max(c.min(most, c.udiv(t.memory.stream_block_bytes, size)), width)
    rest = c.urem(c.sub(n, first), block)
    rest = c.choose(c.lt(rest, width), c.add(rest, block), rest)  # at least a vector
    whole = c.and_(c.sub(c.sub(n, first), 1), c.sub(0, width))
    done = c.choose(passes, c.add(first, whole), c.sub(n, rest))
    with c.when(passes):
        c.call("void", kernel, "ptr %P", f"i64 {whole}", f"i64 {STREAM}", "i64 1")
    with c.loop(c.choose(passes, 0, done), start=first, step=block) as at:
        with c.loop(external) as loop:
            address, area, size, is_out = _operand(c, words, loop.index, at.index)
            c.put(c.choose(is_out, area, address, "ptr"), "%P", loop.index, "ptr")
        c.call("void", kernel, "ptr %P", f"i64 {block}", f"i64 {width}", "i64 1")
        with c.loop(external) as loop:
            address, area, size, is_out = _operand(c, words, loop.index, at.index)
            with c.when(is_out):
                c.call("void", "@copy_nontemporal", f"ptr {address}", f"ptr {area}", f"i64 {c.mul(block, size)}")
    c.do("fence seq_cst")  # non-temporal stores are in no order
    bases, extents = (c.op(f"alloca i64, i64 {k}, align 8") for k in (c.header(Header.OPERANDS), axes))
    with c.loop(axes) as loop:
        c.put(c.get("%E", loop.index), extents, loop.index)
    c.put(c.sub(n, done), extents, lane)
    with c.loop(c.header(Header.OPERANDS)) as loop:
        step = c.get("%S", c.add(c.mul(loop.index, axes), lane))
        c.put(c.add(c.get("%B", loop.index), c.mul(step, done)), bases, loop.index)
    tables = f"ptr {bases}", "ptr %S", f"ptr {extents}", "ptr %I", "ptr %P", "ptr %scratch"
    c.call("i64", "@run_direct", "ptr %K", "ptr %D", *tables, "i64 0", "i64 0")
    return c.end("i1", "true")


def _stream_rows(t: Tuning) -> str:
    """Done (or not): rows with gaps, of whole cache lines (or parts would be written twice), by the kernel's own
    streaming stores."""
    c = LoopFunction("i1", "stream_rows", [*NEST_PARAMS, *SCRATCH_PARAMS], internal=True)
    words, axes, width = c.word("%D", c.header(Header.DIRECT_CALL)), c.header(Header.AXES), c.header(Header.LANES)
    lane, external, every = (c.get(words, k) for k in (CallCode.LANE, CallCode.EXTERNALS, CallCode.OPERANDS))
    with c.loop(axes, ("i64", "0"), ("i64", "0")) as axis:
        is_other = c.all(c.ne(axis.index, lane), c.ne(c.get("%E", axis.index), 1))
        many, last = axis.values
        axis.next = [c.add(many, c.choose(is_other, 1, 0)), c.choose(is_other, axis.index, last)]
    many, rows = axis.values
    n, kernel = c.get("%E", lane), c.get("%K", c.get(words, CallCode.KERNEL), "ptr")
    wrong = c.cell(0)
    odd = c.and_(n, c.sub(width, 1))
    fits = c.all(c.eq(many, 1), c.eq(odd, 0), c.ne(c.header(Header.STREAMING_STORES), 0))
    c.note(c.negate(c.all(fits, c.ge(n, t.memory.stream_row_min_elements))), wrong)
    with c.loop(external) as loop:
        address, _, size, is_out = _operand(c, words, loop.index, "0")
        strides = c.word("%S", c.mul(c.get(c.operand(words, loop.index), Operand.NUMBER), axes))
        is_vector = c.eq(c.get(c.operand(words, loop.index), Operand.KIND), VECTOR)
        begins = c.or_(c.op(f"ptrtoint ptr {address} to i64"), c.get(strides, rows))
        c.note(c.all(is_out, c.ne(c.and_(begins, 63), 0)), wrong)
        c.note(c.all(is_vector, c.ne(c.get(strides, lane), size)), wrong)
    with c.when(c.ne(c.get(wrong, 0), 0)):
        c.ret("i1", "false")
    put_integers(c, words, external, every)
    with c.loop(c.get("%E", rows)) as row:
        with c.loop(external) as loop:
            number = c.get(c.operand(words, loop.index), Operand.NUMBER)
            (address, *_) = _operand(c, words, loop.index, "0")
            step = c.get("%S", c.add(c.mul(number, axes), rows))
            c.put(c.gep(address, c.mul(step, row.index)), "%P", loop.index, "ptr")
        c.call("void", kernel, "ptr %P", f"i64 {n}", f"i64 {STREAM}", "i64 1")
    c.do("fence seq_cst")
    return c.end("i1", "true")


def _first_line(c: LoopFunction, words: str, external: str, kernel: str, width: str) -> tuple[str, str, str]:
    """Elements before a result's first whole line, which are computed as usual, and the size of one; of several results
    the last one's.  Do all of them begin a line there?  The operands' pointers are those of what follows."""
    with c.loop(external, ("i64", "0"), ("i64", "1")) as loop:
        address, _, size, is_out = _operand(c, words, loop.index, "0")
        c.put(address, "%P", loop.index, "ptr")
        lacking = c.and_(c.sub(0, c.op(f"ptrtoint ptr {address} to i64")), 63)
        first, one = loop.values
        loop.next = [c.choose(is_out, c.udiv(lacking, size), first), c.choose(is_out, size, one)]
    first, one = loop.values
    with c.when(c.ne(first, 0)), c.loop(first, step=width) as at:
        c.call("void", kernel, "ptr %P", f"i64 {width}", f"i64 {width}", "i64 1")
        with c.loop(external) as loop:
            address, _, _, _ = _operand(c, words, loop.index, c.add(at.index, width))
            c.put(address, "%P", loop.index, "ptr")
    with c.loop(external, ("i64", "0")) as loop:
        address, _, _, is_out = _operand(c, words, loop.index, first)
        c.put(address, "%P", loop.index, "ptr")
        behind = c.and_(c.op(f"ptrtoint ptr {address} to i64"), 63)
        loop.next = [c.or_(loop.values[0], c.choose(is_out, behind, 0))]
    return first, one, c.eq(loop.values[0], 0)


def _operand(c: LoopFunction, words: str, k: str, at: str) -> tuple[str, str, str, str]:
    """(address at an element, scratch, element size, is it a result?) of an external operand, which may be a scalar."""
    entry = c.operand(words, k)
    size, vector = c.get(entry, Operand.ELEMENT_BYTES), c.is_kind(entry, VECTOR)
    offset = c.choose(vector, c.mul(at, size), 0)
    address = c.gep(c.get("%B", c.get(entry, Operand.NUMBER), "ptr"), offset)
    is_out = c.has_flag(entry, WRITE)
    return address, c.gep("%scratch", c.get(entry, Operand.SCRATCH)), size, is_out
