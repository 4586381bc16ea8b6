"""Of the nest library: groups of one kernel whose rows are shorter than a vector and do not all lie one behind the
other: what is written into some columns of a join, small matrices that are transposed.

Blocks of points are copied to scratch in the order of the loops, computed there as one long row, and copied back.  A
block is a part of one axis and all of those inside.  Elements are adjacent along the lanes' axis or the one around it.
"""

from __future__ import annotations

from tensordsl.codegen.assembly import passed
from tensordsl.codegen.nest_tiles import block_of
from tensordsl.codegen.nest_words import (
    FAST,
    N_AXES,
    PARAMS,
    READ,
    SPACE,
    SPLAT,
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
IN_PLACE, PACKED, NEITHER = range(3)  # how an operand is taken
# The axes around the lanes' one that are longer than 1, in their order, and their number; how operands are taken.
ORDER = ["ptr order", "i64 around", "ptr kinds"]
# Of a block: the place in the order of the axis that it is a part of, the points inside of one position along that
# axis, how many positions it has at most.
BLOCK = ["i64 part", "i64 inner", "i64 most"]


def gap_texts() -> list[str]:
    return [_rows_moved(), _matrix_moved(), _offset(), _kind(), _kinds(), _block_moved(), _blocks(), _gapped()]


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


def _matrix_moved() -> str:
    """Rows between scratch, where they lie one behind the other, and an operand: `across` and `along` are bytes from
    lane to lane and from row to row there, one of which is an element's size."""
    params = ["ptr area", "ptr place", "i64 across", "i64 along", "i64 size", "i64 n", "i64 rows", "i1 in"]
    c = Function("void", "matrix_moved", params, internal=True)
    line = c.arith("mul", "%n", "%size")
    here, by_rows, turned = ("ptr %area", f"i64 {line}"), ("ptr %place", "i64 %along"), ("ptr %place", "i64 %across")
    with c.when(c.test("eq", "%across", "%size")):
        with c.when("%in"):
            c.call("void", "@rows_moved", *here, *by_rows, f"i64 {line}", "i64 %rows")
            c.ret()
        c.call("void", "@rows_moved", *by_rows, *here, f"i64 {line}", "i64 %rows")
        c.ret()
    with c.when("%in"):
        c.call("void", "@transposed", *here, *turned, "i64 %size", "i64 %n", "i64 %rows")
        c.ret()
    c.call("void", "@transposed", *turned, *here, "i64 %size", "i64 %rows", "i64 %n")
    return c.end()


def _steps(c: Function, entry: str) -> str:
    """The byte strides of an operand."""
    return c.word("%S", c.arith("mul", c.get(entry, 1), c.get("%D", N_AXES)))


def _offset() -> str:
    """Bytes from an operand's first point to the one of number q in the order of some of the axes."""
    c = Function("i64", "offset", ["ptr steps", "ptr E", "ptr order", "i64 first", "i64 end", "i64 q"], internal=True)
    with c.loop(c.arith("sub", "%end", "%first"), ("i64", "0"), ("i64", "%q")) as loop:
        axis = c.get("%order", c.arith("sub", c.arith("sub", "%end", 1), loop.index))
        (offset, rest), n = loop.values, c.get("%E", axis)
        step = c.arith("mul", c.arith("urem", rest, n), c.get("%steps", axis))
        loop.next = [c.arith("add", offset, step), c.arith("udiv", rest, n)]
    return c.end("i64", loop.values[0])


def _kind() -> str:
    """How an operand is taken: in place where it is one long row, or the same at all points."""
    params = ["ptr operand", "ptr steps", "ptr E", "ptr order", "i64 around", "i64 lane"]
    c = Function("i64", "kind", params, internal=True)
    kind, size, across = c.get("%operand", 0), c.get("%operand", 2), c.get("%steps", "%lane")
    with c.loop("%around", ("i64", c.arith("mul", size, c.get("%E", "%lane"))), ("i64", "0"), ("i64", "0")) as loop:
        axis = c.get("%order", c.arith("sub", c.arith("sub", "%around", 1), loop.index))
        length, gaps, moves = loop.values
        step = c.get("%steps", axis)
        gaps, moves = c.arith("or", gaps, c.arith("xor", step, length)), c.arith("or", moves, step)
        loop.next = [c.arith("mul", length, c.get("%E", axis)), gaps, moves]
    _, gaps, moves = loop.values
    is_near, is_row = c.test("eq", across, size), c.test("eq", gaps, 0)
    along = c.get("%steps", c.get("%order", c.arith("sub", "%around", 1)))
    packed = c.choose(c.any(is_near, c.test("eq", along, size)), PACKED, NEITHER)
    vector = c.choose(c.all(is_near, is_row), IN_PLACE, packed)
    scalar = c.choose(c.test("eq", moves, 0), IN_PLACE, NEITHER)
    scalar = c.choose(c.test("eq", kind, SPLAT), scalar, NEITHER)
    return c.end("i64", c.choose(c.test("eq", kind, VECTOR), vector, scalar))


def _kinds() -> str:
    """The kinds of a CALL's operands; whether all of them can be taken, and some are packed.  Results that may be
    operands are packed, since elements are computed twice."""
    c = Function("i1", "kinds", [*PARAMS[1:5], "ptr words", "i64 lane", *ORDER], internal=True)
    once = c.test("eq", c.call("i64", "@may_repeat", "ptr %D", "ptr %B"), 0)
    with c.loop(c.get("%words", 3), ("i64", "0"), ("i64", "0")) as loop:
        entry = entry_of(c, "%words", loop.index)
        given = f"ptr {entry}", f"ptr {_steps(c, entry)}", "ptr %E", "ptr %order", "i64 %around", "i64 %lane"
        kind = c.call("i64", "@kind", *given)
        c.put(kind, "%kinds", loop.index)
        is_out = c.test("ne", c.arith("and", c.get(entry, 4), WRITE), 0)
        wrong = c.all(is_out, once, c.test("ne", kind, PACKED))
        packed, least = loop.values
        kind = c.choose(wrong, NEITHER, kind)
        loop.next = [c.arith("or", packed, c.arith("and", kind, PACKED)), c.max(least, kind)]
    packed, worst = loop.values
    return c.end("i1", c.all(c.test("ne", packed, 0), c.test("ne", worst, NEITHER)))


def _block_moved() -> str:
    """A block of an operand at `place` to scratch or back, matrix by matrix."""
    params = ["ptr operand", "ptr steps", "ptr place", "ptr scratch", "ptr E", "i64 lane", *ORDER, *BLOCK]
    c = Function("void", "block_moved", [*params, "i64 some", "i1 in"], internal=True)
    size, area = c.get("%operand", 2), c.gep("%scratch", c.get("%operand", 3))
    last = c.arith("sub", "%around", 1)
    row, n, across = c.get("%order", last), c.get("%E", "%lane"), c.get("%steps", "%lane")
    along, is_one = c.get("%steps", row), c.test("eq", "%part", last)
    rows = c.choose(is_one, "%some", c.get("%E", row))
    points = c.arith("mul", rows, n)
    with c.loop(c.arith("udiv", c.arith("mul", "%some", "%inner"), points)) as q:
        steps = "ptr %steps", "ptr %E", "ptr %order", "i64 %part", f"i64 {last}", f"i64 {q.index}"
        place = c.gep("%place", c.call("i64", "@offset", *steps))
        here = c.gep(area, c.arith("mul", c.arith("mul", q.index, points), size))
        sizes = (across, along, size, n, rows)
        c.call("void", "@matrix_moved", f"ptr {here}", f"ptr {place}", *(f"i64 {x}" for x in sizes), "i1 %in")
    return c.end()


def _blocks() -> str:
    """All blocks at one position of the axes outside of the part's; the last ones are halves, so that each has more
    than a vector."""
    params = [*PARAMS, *SPACE, "i64 lane", *ORDER, *BLOCK, "i64 outer"]
    c = Function("void", "blocks_with_gaps", params, internal=True)
    words, width, axis = c.word("%D", c.get("%D", FAST)), c.get("%D", WIDTH), c.get("%order", "%part")
    external, kernel, extent = c.get(words, 3), c.get("%K", c.get(words, 1), "ptr"), c.get("%E", axis)
    at, more, done = c.cell(0), c.label("more"), c.label("done")

    def move_all(start: str, some: str, flag: int) -> None:
        with c.loop(external) as loop:
            entry = entry_of(c, words, loop.index)
            steps, kind = _steps(c, entry), c.get("%kinds", loop.index)
            before = "ptr %E", "ptr %order", "i64 0", "i64 %part", "i64 %outer"
            offset = c.call("i64", "@offset", f"ptr {steps}", *before)
            offset = c.arith("add", offset, c.arith("mul", c.get(steps, axis), start))
            place, packed = c.gep(c.get("%B", c.get(entry, 1), "ptr"), offset), c.test("eq", kind, PACKED)
            if flag == READ:
                area = c.gep("%scratch", c.get(entry, 3))
                c.put(c.choose(packed, area, place, "ptr"), "%P", loop.index, "ptr")
            with c.when(c.all(packed, c.test("ne", c.arith("and", c.get(entry, 4), flag), 0))):
                given = f"ptr {entry}", f"ptr {steps}", f"ptr {place}", "ptr %scratch", "ptr %E", "i64 %lane"
                rest = *passed((*ORDER, *BLOCK)), f"i64 {some}", f"i1 {str(flag == READ).lower()}"
                c.call("void", "@block_moved", *given, *rest)

    c.place(more)
    start = c.get(at, 0)
    left = c.arith("sub", extent, start)
    half = c.arith("lshr", c.arith("add", left, 1), 1)
    some = c.choose(c.test("sle", left, "%most"), left, c.min(half, "%most"))
    move_all(start, some, READ)
    c.call("void", kernel, "ptr %P", f"i64 {c.arith('mul', some, '%inner')}", f"i64 {width}", "i64 1")
    move_all(start, some, WRITE)
    c.put(c.arith("add", start, some), at, 0)
    c.branch(c.test("slt", c.get(at, 0), extent), more, done)
    c.place(done)
    return c.end()


def _gapped() -> str:
    """1: all is done."""
    c = Function("i64", "gapped", [*PARAMS, *SPACE], internal=True)
    words, width, axes = c.word("%D", c.get("%D", FAST)), c.get("%D", WIDTH), c.get("%D", N_AXES)
    lane, external = c.get(words, 2), c.get(words, 3)
    n, room = c.get("%E", lane), c.arith("sub", block_of(c), width)
    with c.when(c.any(c.test("sge", n, width), c.test("slt", room, c.arith("mul", width, 3)))):
        c.ret("i64", 0)
    order, kinds = (c.op(f"alloca i64, i64 {k}, align 8") for k in (axes, external))
    with c.loop(axes, ("i64", "0"), ("i64", n)) as loop:
        count, total = loop.values
        extent = c.get("%E", loop.index)
        is_around = c.all(c.test("ne", extent, 1), c.test("ne", loop.index, lane))
        c.put(loop.index, order, c.min(count, c.arith("sub", axes, 1)))
        more, times = c.op(f"zext i1 {is_around} to i64"), c.choose(is_around, extent, 1)
        loop.next = [c.arith("add", count, more), c.arith("mul", total, times)]
    around, total = loop.values
    with c.when(c.any(c.test("eq", around, 0), c.test("slt", total, width))):
        c.ret("i64", 0)
    orders = f"ptr {order}", f"i64 {around}", f"ptr {kinds}"
    taken = c.call("i1", "@kinds", *passed(PARAMS[1:5]), f"ptr {words}", f"i64 {lane}", *orders)
    with c.when(c.op(f"xor i1 {taken}, true")):
        c.ret("i64", 0)
    with c.loop(around, ("i64", n), ("i64", around), ("i64", n)) as loop:
        points, part, inner = loop.values
        k = c.arith("sub", c.arith("sub", around, 1), loop.index)
        fits = c.test("sle", points, room)
        extent = c.get("%E", c.get(order, k))
        loop.next = [c.arith("mul", points, extent), c.choose(fits, k, part), c.choose(fits, points, inner)]
    _, part, inner = loop.values
    with c.loop(part, ("i64", "1")) as loop:
        loop.next = [c.arith("mul", loop.values[0], c.get("%E", c.get(order, loop.index)))]
    put_integers(c, words, external, c.get(words, 4))
    block = f"i64 {part}", f"i64 {inner}", f"i64 {c.arith('udiv', room, inner)}"
    with c.loop(loop.values[0]) as outer:
        given = *passed((*PARAMS, *SPACE)), f"i64 {lane}", *orders, *block, f"i64 {outer.index}"
        c.call("void", "@blocks_with_gaps", *given)
    return c.end("i64", 1)
