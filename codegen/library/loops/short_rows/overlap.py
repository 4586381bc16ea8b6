"""Overlapping rows: each row that is shorter than a vector is computed a whole vector long.

Contract  `overlapping_rows`: 1, the launch is done; 0: B, E and the origins are what is left of it.
When      results lie one row behind the other, none is an operand, and the kernel has no functions: rows of these
          would wait for each other, and are packed (`loops.short_rows.pack`).
Why       no copy: the next rows write again what a row wrote into them.  Rows with nothing readable behind are left.
"""

from __future__ import annotations

from tensordsl.codegen.abi.descriptor import (
    NEST_PARAMS,
    POSITION,
    SCRATCH_PARAMS,
    VECTOR,
    WRITE,
    CallCode,
    Header,
    Operand,
)
from tensordsl.codegen.library.loops.descriptor import LoopFunction
from tensordsl.codegen.library.loops.short_rows.collapse import put_line, put_pointer
from tensordsl.codegen.llvm.builder import passed
from tensordsl.codegen.target.tuning import Tuning

# Axes: the lanes', the outermost one that is longer than 1, and the rows', which may be the same.
Axes = tuple[str, str, str]
NEVER, ALL = 1 << 62, 1 << 61  # positions that have to be left
_LEFT = ("outer_left", "rows_left")


def overlap_texts(t: Tuning) -> list[str]:
    return [_outer_left(), _rows_left(), _needs_no_other_position(), _overlapping_rows(t)]


def _steps(c: LoopFunction, entry: str, axes: Axes) -> tuple[str, str, str]:
    """Bytes of an operand from lane to lane, and along both axes of rows."""
    offset = c.mul(c.get(entry, Operand.NUMBER), c.header(Header.AXES))
    across, outer, inner = (c.get("%S", c.add(offset, k)) for k in axes)
    return across, outer, inner


def _is_shared(c: LoopFunction, entry: str, outer: str, inner: str) -> str:
    vector = c.is_kind(entry, VECTOR)
    return c.all(vector, c.eq(outer, 0), c.eq(inner, 0))


def _outer_left() -> str:
    """How many of the outermost axis' positions have to be left: ALL, where an operand is the same in all of them;
    NEVER: some operand cannot be done so at all."""
    params = ["ptr D", "ptr words", "ptr S", "ptr E", "i64 lane", "i64 first", "i64 row"]
    c = LoopFunction("i64", "outer_left", params, internal=True)
    n, rows, width = c.get("%E", "%lane"), c.get("%E", "%row"), c.header(Header.LANES)
    one = c.eq("%first", "%row")
    with c.loop(c.get("%words", CallCode.EXTERNALS), ("i64", "0")) as loop:
        entry = c.operand("%words", loop.index)
        size = c.get(entry, Operand.ELEMENT_BYTES)
        (across, outer, inner) = _steps(c, entry, ("%lane", "%first", "%row"))
        line = c.mul(size, n)
        behind = c.all(c.eq(inner, line), c.any(one, c.eq(outer, c.mul(inner, rows))))
        there = c.all(c.ge(outer, 0), c.ge(inner, 0))
        is_out = c.has_flag(entry, WRITE)
        fits = c.all(c.eq(across, size), c.choose(is_out, behind, there, "i1"))
        shared = c.all(_is_shared(c, entry, outer, inner), c.negate(is_out))
        free = c.any(shared, c.ne(c.get(entry, Operand.KIND), VECTOR))
        step = c.max(outer, 1)
        beyond = c.sub(c.add(c.mul(width, size), step), c.add(line, 1))
        left = c.choose(c.eq(outer, 0), ALL, c.udiv(beyond, step))
        loop.next = [c.max(loop.values[0], c.choose(free, 0, c.choose(fits, left, NEVER)))]
    return c.end("i64", loop.values[0])


def _rows_left() -> str:
    """How many of the last rows have to be left of each position, if what they share is in scratch."""
    params = ["ptr D", "ptr words", "ptr S", "ptr E", "i64 lane", "i64 first", "i64 row"]
    c = LoopFunction("i64", "rows_left", params, internal=True)
    n, width = c.get("%E", "%lane"), c.header(Header.LANES)
    with c.loop(c.get("%words", CallCode.EXTERNALS), ("i64", "0")) as loop:
        entry = c.operand("%words", loop.index)
        size, (_, _, inner) = c.get(entry, Operand.ELEMENT_BYTES), _steps(c, entry, ("%lane", "%first", "%row"))
        step = c.max(inner, 1)
        beyond = c.mul(c.sub(width, n), size)
        moves = c.all(c.is_kind(entry, VECTOR), c.ne(inner, 0))
        left = c.udiv(c.sub(c.add(beyond, step), 1), step)
        loop.next = [c.max(loop.values[0], c.choose(moves, left, 0))]
    return c.end("i64", loop.values[0])


def _needs_no_other_position() -> str:
    """Does the kernel need no positions but the lanes' and those of rows, which it counts itself?"""
    c = LoopFunction("i1", "needs_no_other_position", ["ptr words", "i64 lane", "i64 row"], internal=True)
    counted = c.choose(c.eq(c.get("%words", CallCode.ROW), "%row"), "%row", "%lane")
    with c.loop(c.get("%words", CallCode.OPERANDS), ("i1", "true"), start=c.get("%words", CallCode.EXTERNALS)) as loop:
        entry = c.operand("%words", loop.index)
        axis, other = c.get(entry, Operand.NUMBER), c.ne(c.get(entry, Operand.KIND), POSITION)
        fits = c.any(other, c.eq(axis, "%lane"), c.eq(axis, counted))
        loop.next = [c.all(loop.values[0], fits)]
    return c.end("i1", loop.values[0])


def _overlapping_rows(t: Tuning) -> str:
    """1: all is done; or what can be is: what is left are the last positions of the outermost axis, or the last rows of
    these, to which B and E are set, and the `origins` of positions."""
    c = LoopFunction("i64", "overlapping_rows", [*NEST_PARAMS, *SCRATCH_PARAMS, "ptr origins"], internal=True)
    fast = c.header(Header.DIRECT_CALL)
    words, width = c.word("%D", c.max(fast, c.header(Header.POSITION_CALL))), c.header(Header.LANES)
    lane, external, every = (c.get(words, k) for k in (CallCode.LANE, CallCode.EXTERNALS, CallCode.OPERANDS))
    with c.loop(c.header(Header.AXES), ("i64", "-1"), ("i64", "-1"), ("i64", "0")) as loop:
        longer = c.all(c.ne(loop.index, lane), c.ne(c.get("%E", loop.index), 1))
        first, row, count = loop.values
        new = c.choose(c.lt(first, 0), loop.index, first)
        more = c.add(count, c.as_i64(longer))
        loop.next = [c.choose(longer, new, first), c.choose(longer, loop.index, row), more]
    first, row, count = loop.values
    n, again = c.get("%E", lane), c.ne(c.call("i64", "@may_recompute", "ptr %D", "ptr %B"), 0)
    few = c.op(f"icmp ult i64 {c.sub(count, 1)}, 2")
    with c.when(c.negate(c.all(c.lt(n, width), c.gt(n, 0), few, again))):
        c.ret("i64", 0)
    with c.when(c.negate(c.call("i1", "@needs_no_other_position", f"ptr {words}", f"i64 {lane}", f"i64 {row}"))):
        c.ret("i64", 0)
    few = c.lt(c.get("%E", row), t.short_rows.overlap_min_rows)
    near = c.lt(c.mul(c.get("%E", row), n), c.mul(width, t.short_rows.overlap_min_vectors))
    costly = c.ge(c.header(Header.NS_PER_1000_POINTS), t.short_rows.overlap_max_ns_per_1000)
    with c.when(c.all(c.ne(fast, 0), c.any(costly, c.all(c.ne(first, row), few, near)))):
        with c.when(c.ne(c.call("i64", "@packed_short_rows", *passed((*NEST_PARAMS, *SCRATCH_PARAMS))), 0)):
            c.ret("i64", 1)
    axes = f"i64 {lane}", f"i64 {first}", f"i64 {row}"
    left, behind = (c.call("i64", f"@{name}", "ptr %D", f"ptr {words}", "ptr %S", "ptr %E", *axes) for name in _LEFT)
    done, rows = c.sub(c.get("%E", first), left), c.max(c.sub(c.get("%E", row), behind), 0)
    rows = c.choose(c.all(c.ne(first, row), c.lt(left, NEVER)), rows, 0)
    with c.when(c.le(c.max(done, rows), 0)):
        c.ret("i64", 0)
    done = c.max(done, 0)
    _run_rows(c, words, (lane, first, row), (external, every), (n, done, width))
    with c.when(c.gt(rows, 0)):
        _run_first_rows(c, words, (lane, first, row), external, (n, done, rows, width))
    _leave_from(c, row, rows)
    _leave_from(c, first, done)
    return c.end("i64", 0)


def _leave_from(c: LoopFunction, axis: str, done: str) -> None:
    """What is left are the positions of an axis from `done` on."""
    c.put(c.sub(c.get("%E", axis), done), "%E", axis)
    c.put(c.add(c.get("%origins", axis), done), "%origins", axis)
    with c.loop(c.header(Header.OPERANDS)) as loop:
        step = c.get("%S", c.add(c.mul(loop.index, c.header(Header.AXES)), axis))
        c.put(c.gep(c.get("%B", loop.index, "ptr"), c.mul(step, done)), "%B", loop.index, "ptr")


def _run_first_rows(c: LoopFunction, words: str, axes: Axes, external: str, sizes: tuple[str, str, str, str]) -> None:
    """The first rows of each of the last positions: what these share is copied to scratch, where its line is longer."""
    n, done, rows, width = sizes
    kernel = c.get("%K", c.get(words, CallCode.KERNEL), "ptr")
    with c.loop(c.get("%E", axes[1]), start=done) as at:
        with c.loop(external) as loop:
            entry = c.operand(words, loop.index)
            across, outer, inner = _steps(c, entry, axes)
            shared = c.all(c.is_kind(entry, VECTOR), c.eq(inner, 0))
            place = c.gep(c.get("%B", c.get(entry, Operand.NUMBER), "ptr"), c.mul(outer, at.index))
            put_line(c, entry, loop.index, place, shared, (across, n, width))
        c.call("void", kernel, "ptr %P", f"i64 {width}", f"i64 {width}", f"i64 {rows}")


def _run_rows(c: LoopFunction, words: str, axes: Axes, operands: tuple[str, str], sizes: tuple[str, str, str]) -> None:
    (_, first, row), (external, every), (n, done, width) = axes, operands, sizes
    steps = c.word("%P", every)
    with c.loop(external) as loop:
        entry = c.operand(words, loop.index)
        across, outer, inner = _steps(c, entry, axes)
        c.put(inner, steps, loop.index)
        put_pointer(c, entry, loop.index, _is_shared(c, entry, outer, inner), (across, n, width))
    with c.loop(every, start=external) as loop:
        entry = c.operand(words, loop.index)
        number, placed = c.get(entry, Operand.NUMBER), c.is_kind(entry, POSITION)
        place = c.choose(placed, c.word("%origins", number), c.word("%I", number), "ptr")
        c.put(place, "%P", loop.index, "ptr")
    kernel, one = c.get("%K", c.get(words, CallCode.KERNEL), "ptr"), c.eq(first, row)
    rows = c.choose(one, done, c.get("%E", row))
    with c.loop(c.choose(one, 1, done)):
        c.call("void", kernel, "ptr %P", f"i64 {width}", f"i64 {width}", f"i64 {rows}")
        with c.loop(external) as loop:
            _, outer, _ = _steps(c, c.operand(words, loop.index), axes)
            c.put(c.gep(c.get("%P", loop.index, "ptr"), outer), "%P", loop.index, "ptr")
