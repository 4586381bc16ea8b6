"""Segmented reduction: passes along short contiguous rows take several of them as one wide row.

Contract  `wide_rows(context, call, axis)`: the pass of one CALL; its states are folded, half upon half, in the end.
When      lanes run along at most 255 columns, and many rows lie one behind the other or are the same.
Why       of rows of three elements a vector holds ten and a half; what a wide row reads of the next is not used, and
          how many rows make one depends on extents alone.
"""

from __future__ import annotations

from collections.abc import Callable

from tensordsl.codegen.abi.descriptor import (
    INTERNAL,
    IS_ROW_NUMBERS,
    IS_STATE,
    PREFETCH_NEXT,
    READ,
    ROW_NUMBERS_OFFSET_BYTES,
    VECTOR,
    WRITE,
    Area,
    CallCode,
    Context,
    FillCode,
    Header,
    LoopCode,
    Opcode,
    Operand,
    RowsCode,
)
from tensordsl.codegen.library.loops.column_prefetch import in_all_tasks
from tensordsl.codegen.library.loops.descriptor import LoopFunction, put_position, splat
from tensordsl.codegen.library.loops.short_rows.replicate import replicate_texts
from tensordsl.codegen.target.tuning import Tuning

CALL_PARAMS = ["ptr cx", "ptr words"]


def wide_texts(t: Tuning) -> list[str]:
    return [
        *(
            _has_states(),
            _has_flags(),
            _has_row_values(),
            _is_unfit_for_wide(t),
            _fits_wide_rows(t),
            _reset_states(),
            _set_wide_pointers(),
            _wide_tail(),
            _wide_main(t),
        ),
        *(
            _fold_states(),
            _store_wide(),
            _set_pointers(),
            _store_wide_once(t),
            _wide_rows(),
            _store_rows(t),
            _reduce_rows(t),
        ),
        *replicate_texts(),
    ]


def _row_stride(c: LoopFunction, entry: str, axis: str) -> str:
    """Bytes from row to row of an operand."""
    first = c.mul(c.get(entry, Operand.NUMBER), c.get(c.context(Context.DESCRIPTOR), Header.AXES))
    return c.get(c.context(Context.STRIDES), c.add(first, axis))


def _is_row_value(c: LoopFunction, entry: str) -> str:
    """Is it what each row has one of?"""
    return c.all(c.is_kind(entry, VECTOR), c.eq(_row_stride(c, entry, c.get("%words", CallCode.LANE)), 0))


def _has_states() -> str:
    """Does the kernel of a CALL have states?"""
    c = LoopFunction("i1", "has_states", ["ptr words"], internal=True)
    found = c.cell(0)
    with c.loop(c.get("%words", CallCode.OPERANDS), start=c.get("%words", CallCode.EXTERNALS)) as loop:
        c.note(_is_state(c, c.operand("%words", loop.index)), found)
    return c.end("i1", c.ne(c.get(found, 0), 0))


def _has_flags() -> str:
    """Is there an operand of a CALL with all of the flags?"""
    c = LoopFunction("i1", "has_flags", ["ptr words", "i64 flags"], internal=True)
    found = c.cell(0)
    with c.loop(c.get("%words", CallCode.EXTERNALS)) as loop:
        flags = c.and_(c.get(c.operand("%words", loop.index), Operand.FLAGS), "%flags")
        c.note(c.eq(flags, "%flags"), found)
    return c.end("i1", c.ne(c.get(found, 0), 0))


def _is_state(c: LoopFunction, entry: str) -> str:
    return c.all(c.is_kind(entry, INTERNAL), c.eq(c.get(entry, Area.FLAGS), IS_STATE))


def _has_row_values() -> str:
    """Is there an operand of a CALL of which each row has one?"""
    c = LoopFunction("i1", "has_row_values", CALL_PARAMS, internal=True)
    found = c.cell(0)
    with c.loop(c.get("%words", CallCode.EXTERNALS)) as loop:
        c.note(_is_row_value(c, c.operand("%words", loop.index)), found)
    return c.end("i1", c.ne(c.get(found, 0), 0))


def _wide_call(c: LoopFunction, words: str) -> tuple[str, str, str]:
    """(has a CALL another one for wide rows?, where that stands, the one to take)"""
    descriptor, number = c.context(Context.DESCRIPTOR), c.get(words, CallCode.WIDE)
    has_per_row_values, place = (c.ne(number, 0), c.sub(c.add(c.get(descriptor, Header.WIDE_CALLS), number), 1))
    return has_per_row_values, place, c.choose(has_per_row_values, c.word(descriptor, place), words, "ptr")


def _is_unfit_for_wide(t: Tuning) -> str:
    """Are there rows of a CALL, of `n` elements, that cannot be taken together?"""
    c = LoopFunction("i1", "is_unfit_for_wide", [*CALL_PARAMS, "i64 n"], internal=True)
    row, wrong = c.get("%words", CallCode.ROW), c.cell(0)
    c.note(c.lt(c.get(c.context(Context.EXTENTS), row), c.max("%n", t.short_rows.wide_min_rows)), wrong)
    stores = c.call("i1", "@has_flags", "ptr %words", f"i64 {WRITE}")
    overwrites = c.call("i1", "@has_flags", "ptr %words", f"i64 {READ | WRITE}")
    once = c.any(overwrites, c.eq(c.context(Context.MAY_RECOMPUTE), 0))
    reduces = c.call("i1", "@has_states", "ptr %words")
    c.note(c.all(reduces, stores, once), wrong)
    spreads = c.call("i1", "@has_row_values", "ptr %cx", "ptr %words")
    width = c.get(c.context(Context.DESCRIPTOR), Header.LANES)
    total = c.mul(c.get(c.context(Context.EXTENTS), row), "%n")
    only_stores = c.all(spreads, c.negate(reduces))
    c.note(c.all(only_stores, c.lt(total, t.short_rows.wide_min_stored_elements), c.ge("%n", width)), wrong)
    with c.loop(c.get("%words", CallCode.EXTERNALS)) as loop:
        entry = c.operand("%words", loop.index)
        step = _row_stride(c, entry, row)
        is_vector, size = c.is_kind(entry, VECTOR), c.mul(c.get(entry, Operand.ELEMENT_BYTES), "%n")
        behind = c.any(c.eq(step, 0), c.all(is_vector, c.eq(step, size)))
        c.note(c.negate(c.any(behind, _is_row_value(c, entry))), wrong)
        c.note(c.all(spreads, is_vector, _prefers_rows(c, t, entry, width, total)), wrong)
    return c.end("i1", c.ne(c.get(wrong, 0), 0))


def _prefers_rows(c: LoopFunction, t: Tuning, entry: str, width: str, total: str) -> str:
    """Do rows of an operand do better without a vector of what each has one of?  Where vectors are two registers, as of
    expensive functions, those that fill them, and few that are no shorter."""
    size, whole = c.get(entry, Operand.ELEMENT_BYTES), c.mul(_rounded(c, "%n", width), 4)
    is_cheap = c.le(c.mul(width, size), t.short_rows.replicate_max_row_bytes)
    fills = c.any(c.le(whole, c.mul("%n", 5)), c.lt(total, t.short_rows.wide_min_padded_elements))
    is_full = c.any(is_cheap, c.all(c.ge("%n", width), fills), c.gt("%n", t.short_rows.replicate_max_row_elements))
    return c.all(c.ge(c.mul(size, "%n"), t.short_rows.replicate_max_row_bytes), is_full)


def _fits_wide_rows(t: Tuning) -> str:
    """Are the rows of each pass in a block's code short, many, and one behind the other or the same?"""
    c = LoopFunction("i64", "fits_wide_rows", ["ptr cx", "i64 first", "i64 end", "i64 lane"], internal=True)
    extents, at, wrong = c.context(Context.EXTENTS), c.cell("%first"), c.cell(0)
    n = c.get(extents, "%lane")
    c.note(c.any(c.gt(n, t.loops.wide_max_columns), c.lt(n, 1)), wrong)
    head, body, done = c.label("head"), c.label("body"), c.label("done")
    c.place(head)
    pc = c.get(at, 0)
    c.branch(c.all(c.lt(pc, "%end"), c.eq(c.get(wrong, 0), 0)), body, done)
    c.place(body)
    words = c.word(c.context(Context.DESCRIPTOR), pc)
    operation = c.get(words, 0)
    size = c.choose(c.eq(operation, Opcode.FILL), FillCode.WORDS, LoopCode.WORDS)
    c.put(c.add(pc, c.choose(c.eq(operation, Opcode.ROWS), RowsCode.WORDS, size)), at, 0)
    with c.when(c.eq(operation, Opcode.CALL)):
        c.put(c.add(pc, c.add(c.mul(c.get(words, CallCode.OPERANDS), Operand.WORDS), CallCode.WORDS)), at, 0)
        with c.when(c.ge(c.get(words, CallCode.ROW), 0)):
            c.note(c.call("i1", "@is_unfit_for_wide", "ptr %cx", f"ptr {_wide_call(c, words)[2]}", f"i64 {n}"), wrong)
    c.jump(head)
    c.place(done)
    return c.end("i64", c.xor(c.get(wrong, 0), 1))


def _kernel(c: LoopFunction) -> tuple[str, str]:
    """(kernel of a CALL, its pointers)"""
    pointers = c.word(c.context(Context.POINTERS), c.get("%words", CallCode.POINTERS))
    return c.get(c.context(Context.KERNELS), c.get("%words", CallCode.KERNEL), "ptr"), pointers


def _rounded(c: LoopFunction, n: str, width: str) -> str:
    """The elements of as many whole vectors as hold n."""
    return c.and_(c.sub(c.add(n, width), 1), c.sub(0, width))


def _reset_states() -> str:
    """States of the elements from `start` to `end` := their identity."""
    c = LoopFunction("void", "reset_states", [*CALL_PARAMS, "i64 start", "i64 end"], internal=True)
    with c.loop(c.get("%words", CallCode.OPERANDS), start=c.get("%words", CallCode.EXTERNALS)) as loop:
        entry = c.operand("%words", loop.index)
        offset, size, pattern = (c.get(entry, k) for k in (Area.OFFSET, Area.ELEMENT_BYTES, Area.IDENTITY))
        with c.when(_is_state(c, entry)):
            target, value = c.gep(c.context(Context.SCRATCH), offset), splat(c, pattern)
            first, last = c.mul("%start", size), c.mul("%end", size)
            with c.loop(last, start=first, step=64) as at:
                c.do(f"store <8 x i64> {value}, ptr {c.gep(target, at.index)}, align 1")
    return c.end()


def _set_wide_pointers() -> str:
    """Pointers of what is not read row by row; what is `n` elements long is repeated for `count`.  Of rows' own values
    those of the next wide row stand `long` elements behind."""
    c = LoopFunction(
        "void", "set_wide_pointers", [*CALL_PARAMS, "i64 axis", "i64 n", "i64 count", "i64 long"], internal=True
    )
    _, pointers = _kernel(c)
    steps, scratch = c.word(pointers, c.get("%words", CallCode.OPERANDS)), c.context(Context.SCRATCH)
    with c.loop(c.get("%words", CallCode.EXTERNALS)) as loop:
        entry = c.operand("%words", loop.index)
        size = c.get(entry, Operand.ELEMENT_BYTES)
        place = c.get(c.context(Context.ADDRESSES), c.get(entry, Operand.NUMBER), "ptr")
        is_still = c.all(c.is_kind(entry, VECTOR), c.eq(_row_stride(c, entry, "%axis"), 0))
        area, is_own = c.gep(scratch, c.get(entry, Operand.SCRATCH)), _is_row_value(c, entry)
        c.put(c.choose(c.any(is_still, is_own), area, place, "ptr"), pointers, loop.index, "ptr")
        c.put(c.choose(is_own, c.mul("%long", size), 0), steps, loop.index)
        with c.when(c.all(is_still, c.negate(is_own))):
            c.call(
                "void",
                "@replicate_line",
                f"ptr {area}",
                f"ptr {place}",
                *(f"i64 {x}" for x in (size, size, "%n", "%count")),
            )
    with c.loop(c.get("%words", CallCode.OPERANDS), start=c.get("%words", CallCode.EXTERNALS)) as loop:
        entry = c.operand("%words", loop.index)
        kind, size, flags = (c.get(entry, k) for k in (Operand.KIND, Operand.SCRATCH, Operand.FLAGS))
        area = c.gep(scratch, c.get(entry, Operand.NUMBER))
        with c.when(c.eq(kind, INTERNAL)):
            c.put(area, pointers, loop.index, "ptr")
            with c.when(c.eq(flags, IS_ROW_NUMBERS)):
                c.put(c.udiv("%long", "%n"), area, 0)
                c.call(
                    "void",
                    "@replicate_row_numbers",
                    f"ptr {c.gep(area, ROW_NUMBERS_OFFSET_BYTES)}",
                    "i64 %n",
                    "i64 %count",
                )
            with c.when(c.all(c.ne(size, 0), c.eq(flags, 0))):
                c.call(
                    "void",
                    "@replicate_line",
                    f"ptr {area}",
                    f"ptr {area}",
                    *(f"i64 {x}" for x in (size, size, "%n", "%count")),
                )
    return c.end()


def _is_read(c: LoopFunction, entry: str) -> str:
    """Is the operand read, or written, row by row?"""
    is_moving = c.all(c.is_kind(entry, VECTOR), c.ne(_row_stride(c, entry, "%axis"), 0))
    return c.all(is_moving, c.negate(_is_row_value(c, entry)))


def _replicate_row_values(c: LoopFunction, at: str, elements: str, count: str, n: str) -> None:
    """Rows' own values, from the row on that has the element `at`."""
    first, before = c.udiv(at, n), c.urem(at, n)
    elements, count = (c.add(x, before) for x in (elements, count))
    put_position(c, c.context(Context.POSITIONS), "%axis", first)
    with c.loop(c.get("%words", CallCode.EXTERNALS)) as loop:
        entry = c.operand("%words", loop.index)
        with c.when(_is_row_value(c, entry)):
            step = _row_stride(c, entry, "%axis")
            area = c.gep(c.context(Context.SCRATCH), c.get(entry, Operand.SCRATCH))
            place = c.gep(c.get(c.context(Context.ADDRESSES), c.get(entry, Operand.NUMBER), "ptr"), c.mul(step, first))
            sizes = (step, c.get(entry, Operand.ELEMENT_BYTES), n, elements, count)
            c.call("void", "@replicate_row_values", f"ptr {area}", f"ptr {place}", *(f"i64 {x}" for x in sizes))


def _wide_tail() -> str:
    """The last `live` elements, which `skipped` others precede, as one row of `count` in scratch."""
    params = [*CALL_PARAMS, "i64 axis", "i64 n", "i64 skipped", "i64 live", "i64 count", "i64 width"]
    c = LoopFunction("void", "wide_tail", params, internal=True)
    kernel, pointers = _kernel(c)

    def copied(flag: int, body: Callable[[str, str, str], None]) -> None:
        """`body(area, place, size)` for what is read, or written."""
        with c.loop(c.get("%words", CallCode.EXTERNALS)) as loop:
            entry = c.operand("%words", loop.index)
            has_flag = c.has_flag(entry, flag)
            with c.when(c.all(_is_read(c, entry), has_flag)):
                number, size, offset = (
                    c.get(entry, k) for k in (Operand.NUMBER, Operand.ELEMENT_BYTES, Operand.SCRATCH)
                )
                area = c.gep(c.context(Context.SCRATCH), offset)
                place = c.gep(c.get(c.context(Context.ADDRESSES), number, "ptr"), c.mul("%skipped", size))
                c.put(area, pointers, loop.index, "ptr")
                body(f"ptr {area}", f"ptr {place}", size)

    def copy_in(area: str, place: str, size: str) -> None:
        c.call("void", "@copy_in", area, place, f"i64 {size}", "i64 %live", "i64 %count")

    def copy_out(area: str, place: str, size: str) -> None:
        c.call("void", "@copy_out", place, area, f"i64 {c.mul('%live', size)}")

    _replicate_row_values(c, "%skipped", "%live", "%count", "%n")
    copied(WRITE, lambda *_: None)
    copied(READ, copy_in)
    c.call("void", kernel, f"ptr {pointers}", "i64 %count", "i64 %width", "i64 1", "i64 0")
    copied(WRITE, copy_out)
    return c.end()


def _wide_main(t: Tuning) -> str:
    """`rows` rows of `long` elements, each done as `count`."""
    params = [*CALL_PARAMS, "i64 axis", "i64 n", "i64 rows", "i64 long", "i64 count", "i64 width", "i64 at_once"]
    c = LoopFunction("void", "wide_main", params, internal=True)
    kernel, pointers = _kernel(c)
    external = c.get("%words", CallCode.EXTERNALS)
    steps = c.word(pointers, c.get("%words", CallCode.OPERANDS))
    with c.loop(external, ("i64", "0"), ("i64", "0")) as loop:
        entry = c.operand("%words", loop.index)
        number, size, is_read = c.get(entry, Operand.NUMBER), c.get(entry, Operand.ELEMENT_BYTES), _is_read(c, entry)
        with c.when(is_read):
            c.put(c.get(c.context(Context.ADDRESSES), number, "ptr"), pointers, loop.index, "ptr")
            c.put(c.mul("%long", size), steps, loop.index)
        loop.next = [c.add(x, c.choose(is_read, y, 0)) for x, y in zip(loop.values, (size, 1), strict=True)]
    each, streams = loop.values
    bytes_ = c.mul(each, in_all_tasks(c, c.mul("%rows", "%long")))
    exceeds = c.ge(bytes_, c.limit("prefetch_rows_min_bytes"))
    several = c.all(exceeds, c.gt(streams, 1))
    flags = c.choose(exceeds, PREFETCH_NEXT, 0)
    at_once = c.choose(several, c.min("%at_once", t.short_rows.wide_streams_per_call), "%at_once")
    with c.loop("%rows", step=at_once) as at:
        some = c.min(c.sub("%rows", at.index), at_once)
        elements = c.add(c.mul(c.sub(some, 1), "%long"), "%count")
        _replicate_row_values(c, c.mul(at.index, "%long"), elements, elements, "%n")
        c.call("void", kernel, f"ptr {pointers}", "i64 %count", "i64 %width", f"i64 {some}", f"i64 {flags}")
        with c.loop(external) as loop:
            entry = c.operand("%words", loop.index)
            moved = c.choose(_is_row_value(c, entry), 0, c.mul(c.get(steps, loop.index), at_once))
            c.put(c.add(c.get(pointers, loop.index), moved), pointers, loop.index)
    return c.end()


def _fold_states() -> str:
    """The states of `rows` rows of `n` elements into those of the first: the second half's into the first half's; of an
    odd number the last one's into those before it, since whole vectors write beyond the elements."""
    c = LoopFunction("void", "fold_states", [*CALL_PARAMS, "i64 n", "i64 rows", "i64 width"], internal=True)
    kernel, pointers = _kernel(c)
    rows_left = c.cell("%rows")
    head, body, done = c.label("head"), c.label("body"), c.label("done")
    c.place(head)
    rows = c.get(rows_left, 0)
    c.branch(c.gt(rows, 1), body, done)
    c.place(body)
    is_odd, half = c.ne(c.and_(rows, 1), 0), c.lshr(rows, 1)
    first = c.mul(c.choose(is_odd, c.sub(rows, 2), 0), "%n")
    count = c.mul(c.choose(is_odd, 1, half), "%n")
    c.put(c.choose(is_odd, c.sub(rows, 1), half), rows_left, 0)
    with c.loop(c.get("%words", CallCode.OPERANDS), start=c.get("%words", CallCode.EXTERNALS)) as loop:
        entry = c.operand("%words", loop.index)
        with c.when(_is_state(c, entry)):
            area = c.gep(c.context(Context.SCRATCH), c.get(entry, Area.OFFSET))
            c.put(c.gep(area, c.mul(first, c.get(entry, Area.ELEMENT_BYTES))), pointers, loop.index, "ptr")
    given = f"i64 {_rounded(c, count, '%width')}", "i64 %width", "i64 0", f"i64 {count}"
    c.call("void", kernel, f"ptr {pointers}", *given)
    c.jump(head)
    c.place(done)
    return c.end()


def _store_wide() -> str:
    """All `total` elements of a pass without states, as rows of `long` elements, and the last ones as one more."""
    params = [*CALL_PARAMS, "i64 axis", "i64 n", "i64 total", "i64 long", "i64 width", "i64 at_once"]
    c = LoopFunction("void", "store_wide", params, internal=True)
    kernel, pointers = _kernel(c)
    whole = c.sdiv(c.max(c.sub("%total", "%width"), 0), "%long")
    done = c.mul(whole, "%long")
    of_call = "ptr %cx", "ptr %words", "i64 %axis"
    c.call("void", "@set_wide_pointers", *of_call, "i64 %n", f"i64 {c.add('%long', '%width')}", "i64 %long")
    with c.when(c.gt(whole, 0)):
        sizes = ("%n", whole, "%long", "%long", "%width", "%at_once")
        c.call("void", "@wide_main", *of_call, *(f"i64 {x}" for x in sizes))
    with c.loop(c.get("%words", CallCode.EXTERNALS)) as loop:
        entry = c.operand("%words", loop.index)
        with c.when(_is_read(c, entry)):
            place = c.get(c.context(Context.ADDRESSES), c.get(entry, Operand.NUMBER), "ptr")
            c.put(c.gep(place, c.mul(done, c.get(entry, Operand.ELEMENT_BYTES))), pointers, loop.index, "ptr")
    left = c.sub("%total", done)
    _replicate_row_values(c, done, left, left, "%n")
    c.call("void", kernel, f"ptr {pointers}", f"i64 {left}", "i64 %width", "i64 1", "i64 0")
    return c.end()


def _set_pointers() -> str:
    """Pointers of a pass without states to the element `at`."""
    c = LoopFunction("void", "set_pointers", [*CALL_PARAMS, "i64 axis", "i64 n", "i64 at"], internal=True)
    _, pointers = _kernel(c)
    scratch, place = c.context(Context.SCRATCH), c.urem("%at", "%n")
    with c.loop(c.get("%words", CallCode.EXTERNALS)) as loop:
        entry = c.operand("%words", loop.index)
        number, size, offset = (c.get(entry, k) for k in (Operand.NUMBER, Operand.ELEMENT_BYTES, Operand.SCRATCH))
        here = c.gep(c.get(c.context(Context.ADDRESSES), number, "ptr"), c.mul("%at", size))
        repeated = c.gep(c.gep(scratch, offset), c.mul(place, size))
        with c.when(c.is_kind(entry, VECTOR)):
            c.put(c.choose(_is_read(c, entry), here, repeated, "ptr"), pointers, loop.index, "ptr")
    with c.loop(c.get("%words", CallCode.OPERANDS), start=c.get("%words", CallCode.EXTERNALS)) as loop:
        entry = c.operand("%words", loop.index)
        with c.when(c.is_kind(entry, INTERNAL)):
            area, moved = (c.gep(scratch, c.get(entry, Operand.NUMBER)), c.mul(place, c.get(entry, Operand.SCRATCH)))
            c.put(c.gep(area, moved), pointers, loop.index, "ptr")
    return c.end()


def _store_wide_once(t: Tuning) -> str:
    """All `total` elements of a pass without states, none of them twice: whole vectors, then the others in scratch."""
    params = [*CALL_PARAMS, "i64 axis", "i64 n", "i64 total", "i64 width"]
    c = LoopFunction("void", "store_wide_once", params, internal=True)
    kernel, pointers = _kernel(c)
    whole = c.and_("%total", c.sub(0, "%width"))
    of_call = "ptr %cx", "ptr %words", "i64 %axis"
    longest = c.add(c.min(c.max("%total", "%width"), t.loops.wide_elements), "%n")
    c.call("void", "@set_wide_pointers", *of_call, "i64 %n", f"i64 {longest}", "i64 0")
    with c.loop(whole, step=t.loops.wide_elements) as at:
        some = c.min(c.sub(whole, at.index), t.loops.wide_elements)
        c.call("void", "@set_pointers", *of_call, "i64 %n", f"i64 {at.index}")
        _replicate_row_values(c, at.index, some, some, "%n")
        c.call("void", kernel, f"ptr {pointers}", f"i64 {some}", "i64 %width", "i64 1", "i64 0")
    left = c.sub("%total", whole)
    with c.when(c.gt(left, 0)):
        c.call("void", "@set_pointers", *of_call, "i64 %n", f"i64 {whole}")
        c.call("void", "@wide_tail", *of_call, *(f"i64 {x}" for x in ("%n", whole, left, "%width", "%width")))
    return c.end()


def _rows_per_wide_row(c: LoopFunction, t: Tuning, n: str, total: str, width: str, spreads: str) -> str:
    """How many of the rows a wide one has."""
    most = c.choose(spreads, t.loops.wide_elements // t.short_rows.wide_stores_per_call, t.loops.wide_elements)
    wanted = c.min(c.udiv(total, t.short_rows.wide_rows_per_call), most)
    wanted = c.max(c.udiv(c.max(wanted, c.mul(width, t.short_rows.wide_min_vectors)), n), 1)
    zeros = c.call("i64", "@llvm.ctlz.i64", f"i64 {wanted}", "i1 true")
    power = c.shl(1, c.sub(63, zeros))
    same_sets = c.eq(c.and_(c.mul(power, n), t.short_rows.wide_same_set_elements - 1), 0)
    return c.max(c.choose(same_sets, c.sub(power, 1), power), 1)


def _wide_rows() -> str:
    """All rows, along `axis`, of a CALL, or of the one that it has for wide rows."""
    c = LoopFunction("void", "wide_rows", [*CALL_PARAMS, "i64 axis"], internal=True)
    has_per_row_values, place, words = _wide_call(c, "%words")
    with c.when(has_per_row_values):
        end = c.add(place, c.add(c.mul(c.get(words, CallCode.OPERANDS), Operand.WORDS), CallCode.WORDS))
        c.call("void", "@resolve", "ptr %cx", f"i64 {place}", f"i64 {end}")
        c.put(0, "%cx", Context.IS_PACKED)  # what rows have one of is none of the operands that are packed
    reduces = c.call("i1", "@has_states", f"ptr {words}")
    given = "ptr %cx", f"ptr {words}", "i64 %axis"
    with c.when(reduces):
        c.call("void", "@reduce_rows", *given)
        c.ret()
    c.call("void", "@store_rows", *given)
    return c.end()


def _sizes(c: LoopFunction, t: Tuning, spreads: str = "false") -> tuple[str, str, str, str, str]:
    """(columns, elements of all rows, rows of a wide one, its elements, elements of a vector)"""
    extents, width = c.context(Context.EXTENTS), c.get(c.context(Context.DESCRIPTOR), Header.LANES)
    n = c.get(extents, c.get("%words", CallCode.LANE))
    total = c.mul(n, c.get(extents, "%axis"))
    together = _rows_per_wide_row(c, t, n, total, width, spreads)
    return n, total, together, c.mul(together, n), width


def _store_rows(t: Tuning) -> str:
    """All rows of a pass without states."""
    c = LoopFunction("void", "store_rows", [*CALL_PARAMS, "i64 axis"], internal=True)
    spreads = c.call("i1", "@has_row_values", "ptr %cx", "ptr %words")
    n, total, _, long, width = _sizes(c, t, spreads)
    overwrites = c.call("i1", "@has_flags", "ptr %words", f"i64 {READ | WRITE}")
    once = c.any(overwrites, c.eq(c.context(Context.MAY_RECOMPUTE), 0), c.lt(total, width))
    of_call = "ptr %cx", "ptr %words", "i64 %axis"
    with c.when(once):
        c.call("void", "@store_wide_once", *of_call, *(f"i64 {x}" for x in (n, total, width)))
        c.ret()
    at_once = c.choose(spreads, t.short_rows.wide_stores_per_call, t.short_rows.wide_rows_per_call)
    c.call("void", "@store_wide", *of_call, *(f"i64 {x}" for x in (n, total, long, width, at_once)))
    return c.end()


def _reduce_rows(t: Tuning) -> str:
    """All rows of a pass with states."""
    c = LoopFunction("void", "reduce_rows", [*CALL_PARAMS, "i64 axis"], internal=True)
    spreads = c.call("i1", "@has_row_values", "ptr %cx", "ptr %words")
    n, total, together, long, width = _sizes(c, t, spreads)
    span = _rounded(c, long, width)
    whole = c.sdiv(c.max(c.sub(total, c.sub(span, long)), 0), long)
    done = c.mul(whole, long)
    left, some = c.sub(total, done), c.gt(whole, 0)
    stores = c.call("i1", "@has_flags", "ptr %words", f"i64 {WRITE}")
    at_once = c.choose(c.any(stores, spreads), t.short_rows.wide_stores_per_call, t.short_rows.wide_rows_per_call)
    at_once = c.choose(spreads, c.max(c.min(c.udiv(t.loops.wide_elements, long), at_once), 1), at_once)
    of_call = "ptr %cx", "ptr %words"
    c.call("void", "@set_wide_pointers", *of_call, "i64 %axis", *(f"i64 {x}" for x in (n, span, long)))
    c.call("void", "@reset_states", *of_call, f"i64 {n}", f"i64 {span}")
    with c.when(c.gt(left, 0)):
        rest = (n, done, left, _rounded(c, left, width), width)
        c.call("void", "@wide_tail", *of_call, "i64 %axis", *(f"i64 {x}" for x in rest))
        more = c.gt(left, long)  # rows than a wide one has: they go where elements are that nobody wants
        with c.when(c.all(some, more)):
            c.call("void", "@fold_states", *of_call, f"i64 {n}", f"i64 {c.udiv(left, n)}", f"i64 {width}")
        with c.when(some):
            c.call("void", "@reset_states", *of_call, f"i64 {c.choose(more, n, left)}", f"i64 {span}")
    with c.when(some):
        sizes = (n, whole, long, span, width, at_once)
        c.call("void", "@wide_main", *of_call, "i64 %axis", *(f"i64 {x}" for x in sizes))
    folded = c.choose(some, together, c.udiv(left, n))
    c.call("void", "@fold_states", *of_call, f"i64 {n}", f"i64 {folded}", f"i64 {width}")
    return c.end()
