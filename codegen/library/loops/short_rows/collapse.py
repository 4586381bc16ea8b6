"""Axis collapse: short rows that lie one behind the other are one long row.

Contract  `collapsed_rows`: 1, the launch is done; 0: not handled.
When      one kernel; each operand is contiguous over all rows, or the same in every row; no output is an input.
Why       a row of three elements leaves most lanes empty.  Operands without the rows' axis (a bias) are replicated in
          scratch so often that a block is both whole rows and whole vectors.
"""

from __future__ import annotations

from tensordsl.codegen.abi.descriptor import NEST_PARAMS, SCRATCH_PARAMS, VECTOR, BlocksCode, CallCode, Header, Operand
from tensordsl.codegen.library.loops.descriptor import LoopFunction, put_integers
from tensordsl.codegen.target.tuning import Tuning


def collapse_texts(t: Tuning) -> list[str]:
    return [_rows_axis(), _fits_collapse(), replicate_line_text(), _collapsed_rows(t)]


def _rows_axis() -> str:
    """The one axis but the lanes' that is longer than 1, or -1."""
    c = LoopFunction("i64", "rows_axis", ["ptr D", "ptr E", "i64 lane"], internal=True)
    with c.loop(c.header(Header.AXES), ("i64", "-1"), ("i64", "0")) as loop:
        longer = c.all(c.ne(loop.index, "%lane"), c.ne(c.get("%E", loop.index), 1))
        axis, count = loop.values
        loop.next = [c.choose(longer, loop.index, axis), c.add(count, c.as_i64(longer))]
    return c.end("i64", c.choose(c.eq(loop.values[1], 1), loop.values[0], -1))


def _steps(c: LoopFunction, entry: str, lane: str, row: str) -> tuple[str, str]:
    """Bytes from lane to lane and from row to row of an operand."""
    first = c.mul(c.get(entry, Operand.NUMBER), c.header(Header.AXES))
    return c.get("%S", c.add(first, lane)), c.get("%S", c.add(first, row))


def _fits_collapse() -> str:
    """Is each operand one long row, or the same in all rows?"""
    params = ["ptr D", "ptr words", "ptr S", "i64 lane", "i64 row", "i64 n"]
    c = LoopFunction("i1", "fits_collapse", params, internal=True)
    wrong = c.cell(0)
    with c.loop(c.get("%words", CallCode.EXTERNALS)) as loop:
        entry = c.operand("%words", loop.index)
        size, (across, along) = c.get(entry, Operand.ELEMENT_BYTES), _steps(c, entry, "%lane", "%row")
        flat = c.all(c.is_kind(entry, VECTOR), c.eq(across, size), c.eq(along, c.mul(size, "%n")))
        fits = c.any(flat, c.eq(along, 0))
        c.note(c.negate(fits), wrong)
    return c.end("i1", c.eq(c.get(wrong, 0), 0))


def replicate_line_text() -> str:
    """`count` elements at `to`: `n` elements at a stride, again and again."""
    params = ["ptr to", "ptr from", "i64 stride", "i64 size", "i64 n", "i64 count"]
    c = LoopFunction("void", "replicate_line", params, internal=True)
    c.call("void", "@copy_strided", "ptr %to", "ptr %from", "i64 %stride", "i64 %n", "i64 %size")
    behind, left = c.gep("%to", c.mul("%n", "%size")), c.sub("%count", "%n")
    c.call("void", "@copy_strided", f"ptr {behind}", "ptr %to", "i64 %size", f"i64 {left}", "i64 %size")
    return c.end()


def _collapsed_rows(t: Tuning) -> str:
    """1: all is done."""
    c = LoopFunction("i64", "collapsed_rows", [*NEST_PARAMS, *SCRATCH_PARAMS], internal=True)
    fast = c.header(Header.DIRECT_CALL)
    words, width = c.word("%D", fast), c.header(Header.LANES)
    lane, external, every = (c.get(words, k) for k in (CallCode.LANE, CallCode.EXTERNALS, CallCode.OPERANDS))
    n = c.get("%E", lane)
    with c.when(c.ge(n, c.mul(width, t.short_rows.max_vectors))):
        c.ret("i64", 0)
    row = c.call("i64", "@rows_axis", "ptr %D", "ptr %E", f"i64 {lane}")
    total = c.mul(n, c.choose(c.ge(row, 0), c.get("%E", c.max(row, 0)), 0))
    # A period of whole rows and vectors: n times width, by their greatest common divisor, a power of 2.
    period = c.mul(n, c.udiv(width, c.min(c.max(c.and_(n, c.sub(0, n)), 1), width)))
    block = c.min(c.get(c.word("%D", c.sub(fast, BlocksCode.WORDS)), 3), t.short_rows.collapse_max_elements)
    block = c.sub(block, width)
    with c.when(c.any(c.lt(total, width), c.gt(period, block))):
        c.ret("i64", 0)
    given = "ptr %D", f"ptr {words}", "ptr %S", f"i64 {lane}", f"i64 {row}", f"i64 {n}"
    periodic = c.call("i1", "@fits_collapse", *given)
    again = c.ne(c.call("i64", "@may_recompute", "ptr %D", "ptr %B"), 0)
    with c.when(c.negate(c.all(periodic, again))):
        c.ret("i64", 0)
    times = c.max(c.min(c.udiv(block, period), c.udiv(total, period)), 1)
    _run_blocks(c, words, (lane, row, external, every), (n, total, c.mul(period, times)), width)
    return c.end("i64", 1)


def _run_blocks(
    c: LoopFunction, words: str, axes: tuple[str, str, str, str], sizes: tuple[str, str, str], width: str
) -> None:
    (_, _, external, every), (n, total, period) = axes, sizes
    room, steps = c.min(c.add(period, width), total), c.word("%P", every)
    _set_pointers(c, words, axes, n, room)
    with c.loop(external) as loop:
        entry = c.operand(words, loop.index)
        along = c.get(steps, loop.index)
        c.put(c.choose(c.eq(along, 0), 0, c.get(entry, Operand.ELEMENT_BYTES)), steps, loop.index)
    kernel, stop = c.get("%K", c.get(words, CallCode.KERNEL), "ptr"), c.sub(total, width)
    with c.loop(c.max(stop, 1), step=period) as block:
        left = c.sub(total, block.index)
        count = c.choose(c.le(left, c.add(period, width)), left, period)
        c.call("void", kernel, "ptr %P", f"i64 {count}", f"i64 {width}", "i64 1")
        with c.loop(external) as loop:
            moved = c.mul(c.get(steps, loop.index), count)
            c.put(c.gep(c.get("%P", loop.index, "ptr"), moved), "%P", loop.index, "ptr")


def _set_pointers(c: LoopFunction, words: str, axes: tuple[str, str, str, str], n: str, room: str) -> None:
    """Pointers of the first row, and steps from row to row; `room` elements in scratch of what all rows share."""
    lane, row, external, every = axes
    steps = c.word("%P", every)
    with c.loop(external) as loop:
        entry = c.operand(words, loop.index)
        across, along = _steps(c, entry, lane, row)
        repeats = c.all(c.is_kind(entry, VECTOR), c.eq(along, 0))
        c.put(along, steps, loop.index)
        put_pointer(c, entry, loop.index, repeats, (across, n, room))
    put_integers(c, words, external, every)


def put_pointer(c: LoopFunction, entry: str, k: str, shared: str, line: tuple[str, str, str]) -> None:
    """Of an operand; where all rows share it, to scratch, in which its line (stride, elements) is repeated for `room`
    elements."""
    put_line(c, entry, k, c.get("%B", c.get(entry, Operand.NUMBER), "ptr"), shared, line)


def put_line(c: LoopFunction, entry: str, k: str, place: str, shared: str, line: tuple[str, str, str]) -> None:
    """The same of the operand's line at a place."""
    size, (across, n, room) = c.get(entry, Operand.ELEMENT_BYTES), line
    area = c.gep("%scratch", c.get(entry, Operand.SCRATCH))
    c.put(c.choose(shared, area, place, "ptr"), "%P", k, "ptr")
    with c.when(shared):
        given = f"ptr {area}", f"ptr {place}", f"i64 {across}", f"i64 {size}", f"i64 {n}", f"i64 {room}"
        c.call("void", "@replicate_line", *given)
