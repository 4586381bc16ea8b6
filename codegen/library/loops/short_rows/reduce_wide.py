"""Of the nest library: passes along rows that are short and lie one behind the other, several of them as one.

Lanes run along columns.  Of rows of three numbers a vector holds ten and a half: so as many rows as have about
`WIDE_ELEMENTS` numbers are taken for one wide row, whose states are folded in the end, half upon half, until those of
the columns are left.  How many rows a wide one has is a power of 2, or one less where wide rows would share sets of the
caches, and depends on lengths alone, so results do not depend on threads.  A wide row that is no whole number of
vectors is followed by elements that nobody wants, those of the next one, whose state is not used.  Rows behind the last
wide one are copied to scratch, where there are such elements too.  What all rows share, and what scratch knows of
columns, is repeated in scratch.

Passes that store at every point end with the last whole vector again, where that does no harm; elsewhere no element is
done twice.  Those that reduce and store as well store elements of the next wide row twice, the same ones.

What each row has one of, as a weight or its position, is a vector in wide rows: a CALL of a kernel for these stands
behind WIDE, and the library writes a row's number to scratch as often as the row has elements (`short_rows.replicate`).
"""

from __future__ import annotations

from collections.abc import Callable

from tensordsl.codegen.abi.descriptor import (
    AHEAD,
    CALL,
    CALL_WORDS,
    CX_CUR,
    CX_D,
    CX_E,
    CX_K,
    CX_P,
    CX_PACKS,
    CX_POS,
    CX_S,
    CX_SCRATCH,
    CX_TWICE,
    ENTRY,
    FILL,
    FILL_WORDS,
    INTERNAL,
    LOOP_WORDS,
    N_AXES,
    NUMBERS,
    NUMBERS_BEGIN,
    READ,
    ROWS,
    ROWS_WORDS,
    STATE,
    VECTOR,
    WIDE,
    WIDTH,
    WRITE,
)  # fmt: skip
from tensordsl.codegen.library.loops.column_prefetch import in_all_parts
from tensordsl.codegen.library.loops.descriptor import entry_of, put_position, splat
from tensordsl.codegen.library.loops.limits import SPREAD_BYTES, SPREAD_ROW, WIDE_ELEMENTS, WIDE_ROW
from tensordsl.codegen.library.loops.short_rows.replicate import own_texts
from tensordsl.codegen.llvm.function import Function
from tensordsl.codegen.target.tuning import CacheTuning

WIDE_VECTORS = 4  # of a wide row, at least
WIDE_TURNS = 16  # wide rows that a kernel gets at once, and that there should be
FAR_TURNS = 8  # of several operands that no cache keeps: more are more streams than memory follows
FEW_TURNS = 4  # of those of a pass that stores as well, or whose rows have own values
SAME_SETS = 256  # elements: rows as far apart, or a multiple of it, share sets of the caches
FEW_WEIGHED = 1024  # elements of rows, a vector each, that are only stored and have own values: not worth it
FEW_PADDED = 4096  # elements of rows longer than a vector that do not fill vectors
FEW = 8  # rows that are not worth it, as are fewer than columns
OF_CALL = ["ptr cx", "ptr words"]


def wide_texts(caches: CacheTuning) -> list[str]:
    return [
        *(_reduces(), _has_flags(), _spreads(), _is_apart(), _widens(), _clear(), _place(), _rest(), _main(caches)),
        *(_fold(), _stored(), _point(), _stored_once(), _wide_rows(), _stored_rows(), _reduced()),
        *own_texts(),
    ]


def _along(c: Function, entry: str, axis: str) -> str:
    """Bytes from row to row of an operand."""
    first = c.arith("mul", c.get(entry, 1), c.get(c.get("%cx", CX_D, "ptr"), N_AXES))
    return c.get(c.get("%cx", CX_S, "ptr"), c.arith("add", first, axis))


def _is_own(c: Function, entry: str) -> str:
    """Is it what each row has one of?"""
    return c.all(c.test("eq", c.get(entry, 0), VECTOR), c.test("eq", _along(c, entry, c.get("%words", 2)), 0))


def _reduces() -> str:
    """Does the kernel of a CALL have states?"""
    c = Function("i1", "reduces", ["ptr words"], internal=True)
    found = c.cell(0)
    with c.loop(c.get("%words", 4), start=c.get("%words", 3)) as loop:
        c.note(_is_state(c, entry_of(c, "%words", loop.index)), found)
    return c.end("i1", c.test("ne", c.get(found, 0), 0))


def _has_flags() -> str:
    """Is there an operand of a CALL with all of the flags?"""
    c = Function("i1", "has_flags", ["ptr words", "i64 flags"], internal=True)
    found = c.cell(0)
    with c.loop(c.get("%words", 3)) as loop:
        flags = c.arith("and", c.get(entry_of(c, "%words", loop.index), 4), "%flags")
        c.note(c.test("eq", flags, "%flags"), found)
    return c.end("i1", c.test("ne", c.get(found, 0), 0))


def _is_state(c: Function, entry: str) -> str:
    return c.all(c.test("eq", c.get(entry, 0), INTERNAL), c.test("eq", c.get(entry, 4), STATE))


def _spreads() -> str:
    """Is there an operand of a CALL of which each row has one?"""
    c = Function("i1", "spreads", OF_CALL, internal=True)
    found = c.cell(0)
    with c.loop(c.get("%words", 3)) as loop:
        c.note(_is_own(c, entry_of(c, "%words", loop.index)), found)
    return c.end("i1", c.test("ne", c.get(found, 0), 0))


def _for_wide(c: Function, words: str) -> tuple[str, str, str]:
    """(has a CALL another one for wide rows?, where that stands, the one to take)"""
    descriptor, number = c.get("%cx", CX_D, "ptr"), c.get(words, 7)
    has_own, place = c.test("ne", number, 0), c.arith("sub", c.arith("add", c.get(descriptor, WIDE), number), 1)
    return has_own, place, c.choose(has_own, c.word(descriptor, place), words, "ptr")


def _is_apart() -> str:
    """Are there rows of a CALL, of `n` elements, that cannot be taken together?"""
    c = Function("i1", "is_apart", [*OF_CALL, "i64 n"], internal=True)
    row, wrong = c.get("%words", 6), c.cell(0)
    c.note(c.test("slt", c.get(c.get("%cx", CX_E, "ptr"), row), c.max("%n", FEW)), wrong)
    stores = c.call("i1", "@has_flags", "ptr %words", f"i64 {WRITE}")
    overwrites = c.call("i1", "@has_flags", "ptr %words", f"i64 {READ | WRITE}")
    once = c.any(overwrites, c.test("eq", c.get("%cx", CX_TWICE), 0))
    reduces = c.call("i1", "@reduces", "ptr %words")
    c.note(c.all(reduces, stores, once), wrong)
    spreads = c.call("i1", "@spreads", "ptr %cx", "ptr %words")
    width = c.get(c.get("%cx", CX_D, "ptr"), WIDTH)
    total = c.arith("mul", c.get(c.get("%cx", CX_E, "ptr"), row), "%n")
    only_stores = c.all(spreads, c.op(f"xor i1 {reduces}, true"))
    c.note(c.all(only_stores, c.test("slt", total, FEW_WEIGHED), c.test("sge", "%n", width)), wrong)
    with c.loop(c.get("%words", 3)) as loop:
        entry = entry_of(c, "%words", loop.index)
        step = _along(c, entry, row)
        is_vector, size = c.test("eq", c.get(entry, 0), VECTOR), c.arith("mul", c.get(entry, 2), "%n")
        behind = c.any(c.test("eq", step, 0), c.all(is_vector, c.test("eq", step, size)))
        c.note(c.op(f"xor i1 {c.any(behind, _is_own(c, entry))}, true"), wrong)
        c.note(c.all(spreads, is_vector, _is_long(c, entry, width, total)), wrong)
    return c.end("i1", c.test("ne", c.get(wrong, 0), 0))


def _is_long(c: Function, entry: str, width: str, total: str) -> str:
    """Do rows of an operand do better without a vector of what each has one of?  Where vectors are two registers, as of
    dear functions, those that fill them, and few that are no shorter."""
    size, whole = c.get(entry, 2), c.arith("mul", _rounded(c, "%n", width), 4)
    is_cheap = c.test("sle", c.arith("mul", width, size), SPREAD_BYTES)
    fills = c.any(c.test("sle", whole, c.arith("mul", "%n", 5)), c.test("slt", total, FEW_PADDED))
    is_full = c.any(is_cheap, c.all(c.test("sge", "%n", width), fills), c.test("sgt", "%n", SPREAD_ROW))
    return c.all(c.test("sge", c.arith("mul", size, "%n"), SPREAD_BYTES), is_full)


def _widens() -> str:
    """Are the rows of each pass in a block's code short, many, and one behind the other or the same?"""
    c = Function("i64", "widens", ["ptr cx", "i64 first", "i64 end", "i64 lane"], internal=True)
    extents, at, wrong = c.get("%cx", CX_E, "ptr"), c.cell("%first"), c.cell(0)
    n = c.get(extents, "%lane")
    c.note(c.any(c.test("sgt", n, WIDE_ROW), c.test("slt", n, 1)), wrong)
    head, body, done = c.label("head"), c.label("body"), c.label("done")
    c.place(head)
    pc = c.get(at, 0)
    c.branch(c.all(c.test("slt", pc, "%end"), c.test("eq", c.get(wrong, 0), 0)), body, done)
    c.place(body)
    words = c.word(c.get("%cx", CX_D, "ptr"), pc)
    operation = c.get(words, 0)
    size = c.choose(c.test("eq", operation, FILL), FILL_WORDS, LOOP_WORDS)
    c.put(c.arith("add", pc, c.choose(c.test("eq", operation, ROWS), ROWS_WORDS, size)), at, 0)
    with c.when(c.test("eq", operation, CALL)):
        c.put(c.arith("add", pc, c.arith("add", c.arith("mul", c.get(words, 4), ENTRY), CALL_WORDS)), at, 0)
        with c.when(c.test("sge", c.get(words, 6), 0)):
            c.note(c.call("i1", "@is_apart", "ptr %cx", f"ptr {_for_wide(c, words)[2]}", f"i64 {n}"), wrong)
    c.jump(head)
    c.place(done)
    return c.end("i64", c.arith("xor", c.get(wrong, 0), 1))


def _kernel(c: Function) -> tuple[str, str]:
    """(kernel of a CALL, its pointers)"""
    pointers = c.word(c.get("%cx", CX_P, "ptr"), c.get("%words", 5))
    return c.get(c.get("%cx", CX_K, "ptr"), c.get("%words", 1), "ptr"), pointers


def _rounded(c: Function, n: str, width: str) -> str:
    """The elements of as many whole vectors as hold n."""
    return c.arith("and", c.arith("sub", c.arith("add", n, width), 1), c.arith("sub", 0, width))


def _clear() -> str:
    """States of the elements from `start` to `end` := their identity."""
    c = Function("void", "clear", [*OF_CALL, "i64 start", "i64 end"], internal=True)
    with c.loop(c.get("%words", 4), start=c.get("%words", 3)) as loop:
        entry = entry_of(c, "%words", loop.index)
        offset, size, pattern = (c.get(entry, k) for k in (1, 3, 5))
        with c.when(_is_state(c, entry)):
            target, value = c.gep(c.get("%cx", CX_SCRATCH, "ptr"), offset), splat(c, pattern)
            first, last = c.arith("mul", "%start", size), c.arith("mul", "%end", size)
            with c.loop(last, start=first, step=64) as at:
                c.do(f"store <8 x i64> {value}, ptr {c.gep(target, at.index)}, align 1")
    return c.end()


def _place() -> str:
    """Pointers of what is not read row by row; what is `n` elements long is repeated for `count`.  Of rows' own values
    those of the next wide row stand `long` elements behind."""
    c = Function("void", "place_wide", [*OF_CALL, "i64 axis", "i64 n", "i64 count", "i64 long"], internal=True)
    _, pointers = _kernel(c)
    steps, scratch = c.word(pointers, c.get("%words", 4)), c.get("%cx", CX_SCRATCH, "ptr")
    with c.loop(c.get("%words", 3)) as loop:
        entry = entry_of(c, "%words", loop.index)
        size, place = c.get(entry, 2), c.get(c.get("%cx", CX_CUR, "ptr"), c.get(entry, 1), "ptr")
        is_still = c.all(c.test("eq", c.get(entry, 0), VECTOR), c.test("eq", _along(c, entry, "%axis"), 0))
        area, is_own = c.gep(scratch, c.get(entry, 3)), _is_own(c, entry)
        c.put(c.choose(c.any(is_still, is_own), area, place, "ptr"), pointers, loop.index, "ptr")
        c.put(c.choose(is_own, c.arith("mul", "%long", size), 0), steps, loop.index)
        with c.when(c.all(is_still, c.op(f"xor i1 {is_own}, true"))):
            c.call(
                "void", "@repeat", f"ptr {area}", f"ptr {place}", *(f"i64 {x}" for x in (size, size, "%n", "%count"))
            )
    with c.loop(c.get("%words", 4), start=c.get("%words", 3)) as loop:
        entry = entry_of(c, "%words", loop.index)
        kind, size, flags = (c.get(entry, k) for k in (0, 3, 4))
        area = c.gep(scratch, c.get(entry, 1))
        with c.when(c.test("eq", kind, INTERNAL)):
            c.put(area, pointers, loop.index, "ptr")
            with c.when(c.test("eq", flags, NUMBERS)):
                c.put(c.arith("udiv", "%long", "%n"), area, 0)
                c.call("void", "@number", f"ptr {c.gep(area, NUMBERS_BEGIN)}", "i64 %n", "i64 %count")
            with c.when(c.all(c.test("ne", size, 0), c.test("eq", flags, 0))):
                c.call(
                    "void", "@repeat", f"ptr {area}", f"ptr {area}", *(f"i64 {x}" for x in (size, size, "%n", "%count"))
                )
    return c.end()


def _is_read(c: Function, entry: str) -> str:
    """Is the operand read, or written, row by row?"""
    is_moving = c.all(c.test("eq", c.get(entry, 0), VECTOR), c.test("ne", _along(c, entry, "%axis"), 0))
    return c.all(is_moving, c.op(f"xor i1 {_is_own(c, entry)}, true"))


def _own(c: Function, at: str, elements: str, count: str, n: str) -> None:
    """Rows' own values, from the row on that has the element `at`."""
    first, before = c.arith("udiv", at, n), c.arith("urem", at, n)
    elements, count = (c.arith("add", x, before) for x in (elements, count))
    put_position(c, c.get("%cx", CX_POS, "ptr"), "%axis", first)
    with c.loop(c.get("%words", 3)) as loop:
        entry = entry_of(c, "%words", loop.index)
        with c.when(_is_own(c, entry)):
            step, area = _along(c, entry, "%axis"), c.gep(c.get("%cx", CX_SCRATCH, "ptr"), c.get(entry, 3))
            place = c.gep(c.get(c.get("%cx", CX_CUR, "ptr"), c.get(entry, 1), "ptr"), c.arith("mul", step, first))
            sizes = (step, c.get(entry, 2), n, elements, count)
            c.call("void", "@spread", f"ptr {area}", f"ptr {place}", *(f"i64 {x}" for x in sizes))


def _rest() -> str:
    """The last `live` elements, which `skipped` others precede, as one row of `count` in scratch."""
    params = [*OF_CALL, "i64 axis", "i64 n", "i64 skipped", "i64 live", "i64 count", "i64 width"]
    c = Function("void", "rest_of_wide", params, internal=True)
    kernel, pointers = _kernel(c)

    def copied(flag: int, body: Callable[[str, str, str], None]) -> None:
        """`body(area, place, size)` for what is read, or written."""
        with c.loop(c.get("%words", 3)) as loop:
            entry = entry_of(c, "%words", loop.index)
            has_flag = c.test("ne", c.arith("and", c.get(entry, 4), flag), 0)
            with c.when(c.all(_is_read(c, entry), has_flag)):
                number, size, offset = (c.get(entry, k) for k in (1, 2, 3))
                area = c.gep(c.get("%cx", CX_SCRATCH, "ptr"), offset)
                place = c.gep(c.get(c.get("%cx", CX_CUR, "ptr"), number, "ptr"), c.arith("mul", "%skipped", size))
                c.put(area, pointers, loop.index, "ptr")
                body(f"ptr {area}", f"ptr {place}", size)

    def copy_in(area: str, place: str, size: str) -> None:
        c.call("void", "@copy_in", area, place, f"i64 {size}", "i64 %live", "i64 %count")

    def copy_out(area: str, place: str, size: str) -> None:
        c.call("void", "@copy_out", place, area, f"i64 {c.arith('mul', '%live', size)}")

    _own(c, "%skipped", "%live", "%count", "%n")
    copied(WRITE, lambda *_: None)
    copied(READ, copy_in)
    c.call("void", kernel, f"ptr {pointers}", "i64 %count", "i64 %width", "i64 1", "i64 0")
    copied(WRITE, copy_out)
    return c.end()


def _main(caches: CacheTuning) -> str:
    """`rows` rows of `long` elements, each done as `count`."""
    params = [*OF_CALL, "i64 axis", "i64 n", "i64 rows", "i64 long", "i64 count", "i64 width", "i64 turns"]
    c = Function("void", "main_of_wide", params, internal=True)
    kernel, pointers = _kernel(c)
    external = c.get("%words", 3)
    steps = c.word(pointers, c.get("%words", 4))
    with c.loop(external, ("i64", "0"), ("i64", "0")) as loop:
        entry = entry_of(c, "%words", loop.index)
        number, size, is_read = c.get(entry, 1), c.get(entry, 2), _is_read(c, entry)
        with c.when(is_read):
            c.put(c.get(c.get("%cx", CX_CUR, "ptr"), number, "ptr"), pointers, loop.index, "ptr")
            c.put(c.arith("mul", "%long", size), steps, loop.index)
        loop.next = [c.arith("add", x, c.choose(is_read, y, 0)) for x, y in zip(loop.values, (size, 1), strict=True)]
    each, streams = loop.values
    bytes_ = c.arith("mul", each, in_all_parts(c, c.arith("mul", "%rows", "%long")))
    far = c.test("sge", bytes_, caches.prefetch_rows_min_bytes)
    several = c.all(far, c.test("sgt", streams, 1))
    turn, turns = c.choose(far, AHEAD, 0), c.choose(several, c.min("%turns", FAR_TURNS), "%turns")
    with c.loop("%rows", step=turns) as at:
        some = c.min(c.arith("sub", "%rows", at.index), turns)
        elements = c.arith("add", c.arith("mul", c.arith("sub", some, 1), "%long"), "%count")
        _own(c, c.arith("mul", at.index, "%long"), elements, elements, "%n")
        c.call("void", kernel, f"ptr {pointers}", "i64 %count", "i64 %width", f"i64 {some}", f"i64 {turn}")
        with c.loop(external) as loop:
            entry = entry_of(c, "%words", loop.index)
            moved = c.choose(_is_own(c, entry), 0, c.arith("mul", c.get(steps, loop.index), turns))
            c.put(c.arith("add", c.get(pointers, loop.index), moved), pointers, loop.index)
    return c.end()


def _fold() -> str:
    """The states of `rows` rows of `n` elements into those of the first: the second half's into the first half's; of an
    odd number the last one's into those before it, since vectors write beyond what they are asked for."""
    c = Function("void", "fold", [*OF_CALL, "i64 n", "i64 rows", "i64 width"], internal=True)
    kernel, pointers = _kernel(c)
    rows_left = c.cell("%rows")
    head, body, done = c.label("head"), c.label("body"), c.label("done")
    c.place(head)
    rows = c.get(rows_left, 0)
    c.branch(c.test("sgt", rows, 1), body, done)
    c.place(body)
    is_odd, half = c.test("ne", c.arith("and", rows, 1), 0), c.arith("lshr", rows, 1)
    first = c.arith("mul", c.choose(is_odd, c.arith("sub", rows, 2), 0), "%n")
    count = c.arith("mul", c.choose(is_odd, 1, half), "%n")
    c.put(c.choose(is_odd, c.arith("sub", rows, 1), half), rows_left, 0)
    with c.loop(c.get("%words", 4), start=c.get("%words", 3)) as loop:
        entry = entry_of(c, "%words", loop.index)
        with c.when(_is_state(c, entry)):
            area = c.gep(c.get("%cx", CX_SCRATCH, "ptr"), c.get(entry, 1))
            c.put(c.gep(area, c.arith("mul", first, c.get(entry, 3))), pointers, loop.index, "ptr")
    given = f"i64 {_rounded(c, count, '%width')}", "i64 %width", "i64 0", f"i64 {count}"
    c.call("void", kernel, f"ptr {pointers}", *given)
    c.jump(head)
    c.place(done)
    return c.end()


def _stored() -> str:
    """All `total` elements of a pass without states, as rows of `long` elements, and the last ones as one more."""
    params = [*OF_CALL, "i64 axis", "i64 n", "i64 total", "i64 long", "i64 width", "i64 turns"]
    c = Function("void", "stored", params, internal=True)
    kernel, pointers = _kernel(c)
    whole = c.arith("sdiv", c.max(c.arith("sub", "%total", "%width"), 0), "%long")
    done = c.arith("mul", whole, "%long")
    of_call = "ptr %cx", "ptr %words", "i64 %axis"
    c.call("void", "@place_wide", *of_call, "i64 %n", f"i64 {c.arith('add', '%long', '%width')}", "i64 %long")
    with c.when(c.test("sgt", whole, 0)):
        sizes = ("%n", whole, "%long", "%long", "%width", "%turns")
        c.call("void", "@main_of_wide", *of_call, *(f"i64 {x}" for x in sizes))
    with c.loop(c.get("%words", 3)) as loop:
        entry = entry_of(c, "%words", loop.index)
        with c.when(_is_read(c, entry)):
            place = c.get(c.get("%cx", CX_CUR, "ptr"), c.get(entry, 1), "ptr")
            c.put(c.gep(place, c.arith("mul", done, c.get(entry, 2))), pointers, loop.index, "ptr")
    left = c.arith("sub", "%total", done)
    _own(c, done, left, left, "%n")
    c.call("void", kernel, f"ptr {pointers}", f"i64 {left}", "i64 %width", "i64 1", "i64 0")
    return c.end()


def _point() -> str:
    """Pointers of a pass without states to the element `at`."""
    c = Function("void", "point", [*OF_CALL, "i64 axis", "i64 n", "i64 at"], internal=True)
    _, pointers = _kernel(c)
    scratch, place = c.get("%cx", CX_SCRATCH, "ptr"), c.arith("urem", "%at", "%n")
    with c.loop(c.get("%words", 3)) as loop:
        entry = entry_of(c, "%words", loop.index)
        number, size, offset = (c.get(entry, k) for k in (1, 2, 3))
        here = c.gep(c.get(c.get("%cx", CX_CUR, "ptr"), number, "ptr"), c.arith("mul", "%at", size))
        repeated = c.gep(c.gep(scratch, offset), c.arith("mul", place, size))
        with c.when(c.test("eq", c.get(entry, 0), VECTOR)):
            c.put(c.choose(_is_read(c, entry), here, repeated, "ptr"), pointers, loop.index, "ptr")
    with c.loop(c.get("%words", 4), start=c.get("%words", 3)) as loop:
        entry = entry_of(c, "%words", loop.index)
        with c.when(c.test("eq", c.get(entry, 0), INTERNAL)):
            area, moved = c.gep(scratch, c.get(entry, 1)), c.arith("mul", place, c.get(entry, 3))
            c.put(c.gep(area, moved), pointers, loop.index, "ptr")
    return c.end()


def _stored_once() -> str:
    """All `total` elements of a pass without states, none of them twice: whole vectors, then the others in scratch."""
    params = [*OF_CALL, "i64 axis", "i64 n", "i64 total", "i64 width"]
    c = Function("void", "stored_once", params, internal=True)
    kernel, pointers = _kernel(c)
    whole = c.arith("and", "%total", c.arith("sub", 0, "%width"))
    of_call = "ptr %cx", "ptr %words", "i64 %axis"
    longest = c.arith("add", c.min(c.max("%total", "%width"), WIDE_ELEMENTS), "%n")
    c.call("void", "@place_wide", *of_call, "i64 %n", f"i64 {longest}", "i64 0")
    with c.loop(whole, step=WIDE_ELEMENTS) as at:
        some = c.min(c.arith("sub", whole, at.index), WIDE_ELEMENTS)
        c.call("void", "@point", *of_call, "i64 %n", f"i64 {at.index}")
        _own(c, at.index, some, some, "%n")
        c.call("void", kernel, f"ptr {pointers}", f"i64 {some}", "i64 %width", "i64 1", "i64 0")
    left = c.arith("sub", "%total", whole)
    with c.when(c.test("sgt", left, 0)):
        c.call("void", "@point", *of_call, "i64 %n", f"i64 {whole}")
        c.call("void", "@rest_of_wide", *of_call, *(f"i64 {x}" for x in ("%n", whole, left, "%width", "%width")))
    return c.end()


def _together(c: Function, n: str, total: str, width: str, spreads: str) -> str:
    """How many of the rows a wide one has."""
    most = c.choose(spreads, WIDE_ELEMENTS // FEW_TURNS, WIDE_ELEMENTS)
    wanted = c.min(c.arith("udiv", total, WIDE_TURNS), most)
    wanted = c.max(c.arith("udiv", c.max(wanted, c.arith("mul", width, WIDE_VECTORS)), n), 1)
    zeros = c.call("i64", "@llvm.ctlz.i64", f"i64 {wanted}", "i1 true")
    power = c.arith("shl", 1, c.arith("sub", 63, zeros))
    same_sets = c.test("eq", c.arith("and", c.arith("mul", power, n), SAME_SETS - 1), 0)
    return c.max(c.choose(same_sets, c.arith("sub", power, 1), power), 1)


def _wide_rows() -> str:
    """All rows, along `axis`, of a CALL, or of the one that it has for wide rows."""
    c = Function("void", "wide_rows", [*OF_CALL, "i64 axis"], internal=True)
    has_own, place, words = _for_wide(c, "%words")
    with c.when(has_own):
        end = c.arith("add", place, c.arith("add", c.arith("mul", c.get(words, 4), ENTRY), CALL_WORDS))
        c.call("void", "@resolve", "ptr %cx", f"i64 {place}", f"i64 {end}")
        c.put(0, "%cx", CX_PACKS)  # what rows have one of is none of the operands that are packed
    reduces = c.call("i1", "@reduces", f"ptr {words}")
    given = "ptr %cx", f"ptr {words}", "i64 %axis"
    with c.when(reduces):
        c.call("void", "@reduced", *given)
        c.ret()
    c.call("void", "@stored_rows", *given)
    return c.end()


def _sizes(c: Function, spreads: str = "false") -> tuple[str, str, str, str, str]:
    """(columns, elements of all rows, rows of a wide one, its elements, elements of a vector)"""
    extents, width = c.get("%cx", CX_E, "ptr"), c.get(c.get("%cx", CX_D, "ptr"), WIDTH)
    n = c.get(extents, c.get("%words", 2))
    total = c.arith("mul", n, c.get(extents, "%axis"))
    together = _together(c, n, total, width, spreads)
    return n, total, together, c.arith("mul", together, n), width


def _stored_rows() -> str:
    """All rows of a pass without states."""
    c = Function("void", "stored_rows", [*OF_CALL, "i64 axis"], internal=True)
    spreads = c.call("i1", "@spreads", "ptr %cx", "ptr %words")
    n, total, _, long, width = _sizes(c, spreads)
    overwrites = c.call("i1", "@has_flags", "ptr %words", f"i64 {READ | WRITE}")
    once = c.any(overwrites, c.test("eq", c.get("%cx", CX_TWICE), 0), c.test("slt", total, width))
    of_call = "ptr %cx", "ptr %words", "i64 %axis"
    with c.when(once):
        c.call("void", "@stored_once", *of_call, *(f"i64 {x}" for x in (n, total, width)))
        c.ret()
    turns = c.choose(spreads, FEW_TURNS, WIDE_TURNS)
    c.call("void", "@stored", *of_call, *(f"i64 {x}" for x in (n, total, long, width, turns)))
    return c.end()


def _reduced() -> str:
    """All rows of a pass with states."""
    c = Function("void", "reduced", [*OF_CALL, "i64 axis"], internal=True)
    spreads = c.call("i1", "@spreads", "ptr %cx", "ptr %words")
    n, total, together, long, width = _sizes(c, spreads)
    span = _rounded(c, long, width)
    whole = c.arith("sdiv", c.max(c.arith("sub", total, c.arith("sub", span, long)), 0), long)
    done = c.arith("mul", whole, long)
    left, some = c.arith("sub", total, done), c.test("sgt", whole, 0)
    stores = c.call("i1", "@has_flags", "ptr %words", f"i64 {WRITE}")
    turns = c.choose(c.any(stores, spreads), FEW_TURNS, WIDE_TURNS)
    turns = c.choose(spreads, c.max(c.min(c.arith("udiv", WIDE_ELEMENTS, long), turns), 1), turns)
    of_call = "ptr %cx", "ptr %words"
    c.call("void", "@place_wide", *of_call, "i64 %axis", *(f"i64 {x}" for x in (n, span, long)))
    c.call("void", "@clear", *of_call, f"i64 {n}", f"i64 {span}")
    with c.when(c.test("sgt", left, 0)):
        rest = (n, done, left, _rounded(c, left, width), width)
        c.call("void", "@rest_of_wide", *of_call, "i64 %axis", *(f"i64 {x}" for x in rest))
        more = c.test("sgt", left, long)  # rows than a wide one has: they go where elements are that nobody wants
        with c.when(c.all(some, more)):
            c.call("void", "@fold", *of_call, f"i64 {n}", f"i64 {c.arith('udiv', left, n)}", f"i64 {width}")
        with c.when(some):
            c.call("void", "@clear", *of_call, f"i64 {c.choose(more, n, left)}", f"i64 {span}")
    with c.when(some):
        sizes = (n, whole, long, span, width, turns)
        c.call("void", "@main_of_wide", *of_call, "i64 %axis", *(f"i64 {x}" for x in sizes))
    folded = c.choose(some, together, c.arith("udiv", left, n))
    c.call("void", "@fold", *of_call, f"i64 {n}", f"i64 {folded}", f"i64 {width}")
    return c.end()
