"""Of the nest library: groups of one kernel whose rows are shorter than a vector and have gaps between them, as what is
written into some columns of a join.

Blocks of rows are copied to scratch without the gaps, computed there as one long row, and copied back.
"""

from __future__ import annotations

from tensordsl.codegen.assembly import passed
from tensordsl.codegen.nest_periods import put_pointer
from tensordsl.codegen.nest_tiles import block_of
from tensordsl.codegen.nest_words import (
    FAST,
    N_AXES,
    PARAMS,
    READ,
    SPACE,
    VECTOR,
    WIDTH,
    WRITE,
    Function,
    entry_of,
    move,
    put_integers,
)  # fmt: skip

# Rows of at most as many bytes as two of these have are one from their start on, and one up to their end.
HALVES = ((1, "i8"), (2, "i16"), (4, "i32"), (8, "i64"), (16, "<2 x i64>"), (32, "<4 x i64>"))


def gap_texts() -> list[str]:
    return [_rows_moved(), _has_gaps(), _rows_with_gaps(), _gapped()]


def _rows_moved() -> str:
    """`rows` rows of at least a byte, which do not overlap."""
    params = ["ptr to", "i64 to_row", "ptr from", "i64 from_row", "i64 bytes", "i64 rows"]
    c = Function("void", "rows_moved", params, internal=True)
    for half, kind in HALVES:
        with c.when(c.test("sle", "%bytes", 2 * half)):
            behind = c.arith("sub", "%bytes", half)
            with c.loop("%rows") as row:
                to, source = (c.gep(f"%{x}", c.arith("mul", row.index, f"%{x}_row")) for x in ("to", "from"))
                first, last = (c.op(f"load {kind}, ptr {p}, align 1") for p in (source, c.gep(source, behind)))
                c.do(f"store {kind} {first}, ptr {to}, align 1")
                c.do(f"store {kind} {last}, ptr {c.gep(to, behind)}, align 1")
            c.ret()
    line, last = "<8 x i64>", c.arith("sub", "%bytes", 64)
    with c.loop("%rows") as row:
        to, source = (c.gep(f"%{x}", c.arith("mul", row.index, f"%{x}_row")) for x in ("to", "from"))
        with c.loop(last, step=64) as at:
            move(c, line, c.gep(to, at.index), c.gep(source, at.index))
        move(c, line, c.gep(to, last), c.gep(source, last))
    return c.end()


def _strides(c: Function, entry: str) -> tuple[str, str]:
    """Bytes from lane to lane and from row to row of an operand."""
    first = c.arith("mul", c.get(entry, 1), c.get("%D", N_AXES))
    return c.get("%S", c.arith("add", first, "%lane")), c.get("%S", c.arith("add", first, "%row"))


def _has_gap(c: Function, entry: str, along: str) -> str:
    flat = c.test("eq", along, c.arith("mul", c.get(entry, 2), "%n"))
    return c.all(c.test("eq", c.get(entry, 0), VECTOR), c.test("ne", along, 0), c.op(f"xor i1 {flat}, true"))


def _has_gaps() -> str:
    """Have some operands' rows gaps, and all others none, or are the same?  What is both read and written has gaps,
    since elements are computed twice."""
    params = ["ptr D", "ptr words", "ptr B", "ptr S", "i64 lane", "i64 row", "i64 n"]
    c = Function("i1", "has_gaps", params, internal=True)
    found, wrong, again = c.cell(0), c.cell(0), c.call("i64", "@may_repeat", "ptr %D", "ptr %B")
    once = c.test("eq", again, 0)
    with c.loop(c.get("%words", 3)) as loop:
        entry = entry_of(c, "%words", loop.index)
        across, along = _strides(c, entry)
        gap = _has_gap(c, entry, along)
        near = c.all(c.test("eq", c.get(entry, 0), VECTOR), c.test("eq", across, c.get(entry, 2)))
        is_out = c.test("ne", c.arith("and", c.get(entry, 4), WRITE), 0)
        wants_gap = c.all(is_out, once)
        fits = c.choose(is_out, near, c.any(near, c.test("eq", along, 0)), "i1")
        c.note(gap, found)
        c.note(c.op(f"xor i1 {fits}, true"), wrong)
        c.note(c.all(wants_gap, c.op(f"xor i1 {gap}, true")), wrong)
    return c.end("i1", c.all(c.test("ne", c.get(found, 0), 0), c.test("eq", c.get(wrong, 0), 0)))


def _gapped() -> str:
    """1: all is done."""
    c = Function("i64", "gapped", [*PARAMS, *SPACE], internal=True)
    words, width = c.word("%D", c.get("%D", FAST)), c.get("%D", WIDTH)
    lane = c.get(words, 2)
    n = c.get("%E", lane)
    row = c.call("i64", "@rows_axis", "ptr %D", "ptr %E", f"i64 {lane}")
    rows = c.choose(c.test("sge", row, 0), c.get("%E", c.max(row, 0)), 0)
    room = c.arith("sub", block_of(c), width)
    few = c.any(c.test("slt", c.arith("mul", rows, n), width), c.test("slt", room, c.arith("mul", width, 3)))
    with c.when(c.any(c.test("sge", n, width), few)):
        c.ret("i64", 0)
    given = "ptr %D", f"ptr {words}", "ptr %B", "ptr %S", f"i64 {lane}", f"i64 {row}", f"i64 {n}"
    with c.when(c.call("i1", "@has_gaps", *given)):
        c.call("void", "@rows_with_gaps", *passed((*PARAMS, *SPACE)), *given[4:], f"i64 {c.arith('udiv', room, n)}")
        c.ret("i64", 1)
    return c.end("i64", 0)


def _rows_with_gaps() -> str:
    """`most` rows at a time, and the last ones in halves, so that there is always more than a vector."""
    params = [*PARAMS, *SPACE, "i64 lane", "i64 row", "i64 n", "i64 most"]
    c = Function("void", "rows_with_gaps", params, internal=True)
    words, width, rows = c.word("%D", c.get("%D", FAST)), c.get("%D", WIDTH), c.get("%E", "%row")
    external, every = c.get(words, 3), c.get(words, 4)
    put_integers(c, words, external, every)
    room, kernel = c.arith("mul", "%most", "%n"), c.get("%K", c.get(words, 1), "ptr")
    with c.loop(external) as loop:
        entry = entry_of(c, words, loop.index)
        across, along = _strides(c, entry)
        shared = c.all(c.test("eq", c.get(entry, 0), VECTOR), c.test("eq", along, 0))
        put_pointer(c, entry, loop.index, shared, (across, "%n", room))
    at, more, done = c.cell(0), c.label("more"), c.label("done")
    c.place(more)
    start = c.get(at, 0)
    left = c.arith("sub", rows, start)
    half = c.arith("lshr", c.arith("add", left, 1), 1)
    some = c.choose(c.test("sle", left, "%most"), left, c.min(half, "%most"))
    _move_rows(c, words, external, start, some, is_in=True)
    c.call("void", kernel, "ptr %P", f"i64 {c.arith('mul', some, '%n')}", f"i64 {width}", "i64 1")
    _move_rows(c, words, external, start, some, is_in=False)
    c.put(c.arith("add", start, some), at, 0)
    c.branch(c.test("slt", c.get(at, 0), rows), more, done)
    c.place(done)
    return c.end()


def _move_rows(c: Function, words: str, external: str, start: str, some: str, *, is_in: bool) -> None:
    """Rows with gaps to scratch or back; the pointers of others go along."""
    with c.loop(external) as loop:
        entry = entry_of(c, words, loop.index)
        (_, along), size = _strides(c, entry), c.get(entry, 2)
        place = c.gep(c.get("%B", c.get(entry, 1), "ptr"), c.arith("mul", along, start))
        area, gap = c.gep("%scratch", c.get(entry, 3)), _has_gap(c, entry, along)
        if is_in:
            with c.when(c.test("ne", along, 0)):
                c.put(c.choose(gap, area, place, "ptr"), "%P", loop.index, "ptr")
        wanted = c.test("ne", c.arith("and", c.get(entry, 4), READ if is_in else WRITE), 0)
        with c.when(c.all(gap, wanted)):
            bytes_ = c.arith("mul", size, "%n")
            here, there = (f"ptr {area}", f"i64 {bytes_}"), (f"ptr {place}", f"i64 {along}")
            both = (*here, *there) if is_in else (*there, *here)
            c.call("void", "@rows_moved", *both, f"i64 {bytes_}", f"i64 {some}")
