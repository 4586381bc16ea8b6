"""Of the nest library: the body of a loop as a list of steps, for rows that can be read in place.

Interpreting the code again for each row would cost as much as a short row itself.  Where the body is straight (fills,
calls, blocks of calls), each row is one block and at most a last vector that is done again, and no operand needs
packing, the kernels' pointers advance by constants: they are worked out once and then only moved.
"""

from __future__ import annotations

from tensordsl.codegen.nest_words import (
    BLOCKS,
    BLOCKS_WORDS,
    CALL,
    CALL_WORDS,
    CX_CUR,
    CX_D,
    CX_E,
    CX_K,
    CX_P,
    CX_POS,
    CX_S,
    CX_SCRATCH,
    CX_TWICE,
    ENTRY,
    FILL,
    FILL_WORDS,
    N_AXES,
    N_POINTERS,
    VECTOR,
    Function,
    entry_of,
    live,
    splat,
)  # fmt: skip

MANY_ROWS = 6  # from where the list is worth its making
# A step: kernel (NULL: fill), its pointers, count, live, number of moving pointers, their moves, cell of the position,
# position; of a fill: target, bytes, pattern in the places of pointers, count, live.
KERNEL, POINTERS, COUNT, LIVE, MOVING, MOVES, CELL, POSITION_VALUE = range(8)
STEP = 8
# A move: current address, bytes per row, address of bytes to add.
ADDRESS, BYTES, ADD = range(3)
MOVE = 3
# Of the list in the making.
NEXT, NEXT_POINTER, NEXT_MOVE, FAILED = range(4)
_STATE = 4


def row_texts() -> list[str]:
    return [_add_fill(), _add_call(), _add_blocks(), _run(), _rows()]


def _taken(c: Function, state: str, which: int, words: str | int) -> str:
    """The next free place of an array, of which `words` are taken."""
    place = c.get(state, which, "ptr")
    c.put(c.word(place, words), state, which, "ptr")
    return place


def _add_fill() -> str:
    c = Function("void", "add_fill", ["ptr cx", "ptr words", "ptr state"], internal=True)
    step = _taken(c, "%state", NEXT, STEP)
    c.put("null", step, KERNEL, "ptr")
    c.put(c.gep(c.get("%cx", CX_SCRATCH, "ptr"), c.get("%words", 1)), step, POINTERS, "ptr")
    c.put(c.get("%words", 2), step, COUNT)
    c.put(c.get("%words", 4), step, LIVE)
    return c.end()


def _add_call() -> str:
    """A call for `count` elements from `start` on along its lane axis (-1: at one lane)."""
    params = ["ptr cx", "ptr words", "ptr state", "i64 axis", "i64 start", "i64 count", "i64 live"]
    c = Function("void", "add_call", params, internal=True)
    step = _taken(c, "%state", NEXT, STEP)
    lane, external, operands = c.get("%words", 2), c.get("%words", 3), c.get("%words", 4)
    pointers = _taken(c, "%state", NEXT_POINTER, operands)
    moves = _taken(c, "%state", NEXT_MOVE, c.arith("mul", external, MOVE))
    c.put(c.get(c.get("%cx", CX_K, "ptr"), c.get("%words", 1), "ptr"), step, KERNEL, "ptr")
    c.put(pointers, step, POINTERS, "ptr")
    c.put("%count", step, COUNT)
    c.put("%live", step, LIVE)
    c.put(external, step, MOVING)
    c.put(moves, step, MOVES, "ptr")
    counted, along = c.test("sge", lane, 0), c.max(lane, 0)
    c.put(
        c.choose(counted, c.word(c.get("%cx", CX_POS, "ptr"), along), c.word(step, POSITION_VALUE), "ptr"),
        step,
        CELL,
        "ptr",
    )
    c.put("%start", step, POSITION_VALUE)
    axes = c.get(c.get("%cx", CX_D, "ptr"), N_AXES)
    with c.loop(external) as loop:
        entry, move = entry_of(c, "%words", loop.index), c.word(moves, c.arith("mul", loop.index, MOVE))
        number = c.get(entry, 1)
        row = c.word(c.get("%cx", CX_S, "ptr"), c.arith("mul", number, axes))
        stride = c.get(row, along)
        first = c.arith("mul", "%start", c.choose(counted, stride, 0))
        c.put(c.gep(c.get(c.get("%cx", CX_CUR, "ptr"), number, "ptr"), first), move, ADDRESS, "ptr")
        c.put(c.get(row, "%axis"), move, BYTES)
        c.put(c.gep(c.get("%cx", CX_SCRATCH, "ptr"), c.get(entry, 5)), move, ADD, "ptr")
        packs = c.all(c.test("eq", c.get(entry, 0), VECTOR), c.test("ne", stride, c.get(entry, 2)))
        c.note(packs, c.word("%state", FAILED))
    resolved = c.word(c.get("%cx", CX_P, "ptr"), c.get("%words", 5))
    with c.loop(operands, start=external) as loop:
        c.put(c.get(resolved, loop.index, "ptr"), pointers, loop.index, "ptr")
    return c.end()


def _add_blocks() -> str:
    """The calls of one block that takes the whole row but its last elements, and for these again."""
    c = Function("void", "add_blocks", ["ptr cx", "ptr words", "ptr state", "i64 axis"], internal=True)
    width, size = c.get("%words", 2), c.get("%words", 5)
    extent = c.get(c.get("%cx", CX_E, "ptr"), c.get("%words", 1))
    whole = c.arith("and", extent, c.arith("sub", 0, width))
    left = c.arith("sub", extent, whole)
    twice = c.arith("and", c.get("%words", 4), c.get("%cx", CX_TWICE))
    failed = c.word("%state", FAILED)
    for wrong in (
        c.test("eq", whole, 0),
        c.test("sgt", whole, c.get("%words", 3)),
        c.all(c.test("ne", left, 0), c.test("eq", twice, 0)),
    ):
        c.note(wrong, failed)
    again = c.op(f"zext i1 {c.test('ne', left, 0)} to i64")
    with c.loop(c.arith("add", again, 1)) as turn:
        is_last = c.test("ne", turn.index, 0)
        start = c.choose(is_last, c.arith("sub", extent, width), 0)
        count = c.choose(is_last, width, whole)
        lanes = c.choose(is_last, live(c, width, c.arith("sub", width, left)), width)
        body = c.word("%words", BLOCKS_WORDS)
        head, more, done = c.label("head"), c.label("more"), c.label("calls")
        before = c.block
        c.place(head)
        offset = f"%offset.{head}"
        following = f"%following.{head}"
        c.do(f"{offset} = phi i64 [ 0, %{before} ], [ {following}, %{more} ]")
        c.branch(c.test("slt", offset, size), more, done)
        c.place(more)
        call = c.word(body, offset)
        given = f"i64 {start}", f"i64 {count}", f"i64 {lanes}"
        c.call("void", "@add_call", "ptr %cx", f"ptr {call}", "ptr %state", "i64 %axis", *given)
        words = c.arith("add", c.arith("mul", c.get(call, 4), ENTRY), CALL_WORDS)
        c.do(f"{following} = add i64 {offset}, {words}")
        c.jump(head)
        c.place(done)
    return c.end()


def _run() -> str:
    """The steps for each row."""
    params = ["ptr first", "ptr end", "i64 rows", "ptr position"]
    c = Function("void", "run_rows", params, internal=True)
    size = c.arith("sub", c.op("ptrtoint ptr %end to i64"), c.op("ptrtoint ptr %first to i64"))
    with c.loop("%rows") as row:
        c.put(row.index, "%position", 0)
        with c.loop(size, step=8 * STEP) as loop:
            step = c.gep("%first", loop.index)
            kernel, pointers, count, lanes = (
                c.get(step, k, "i64" if k in (COUNT, LIVE) else "ptr") for k in (KERNEL, POINTERS, COUNT, LIVE)
            )
            filling, calling, done = c.label("fill"), c.label("call"), c.label("next")
            c.branch(c.is_null(kernel), filling, calling)
            c.place(filling)
            value = splat(c, lanes)
            with c.loop(count, step=64) as words:
                c.do(f"store <8 x i64> {value}, ptr {c.gep(pointers, words.index)}, align 64")
            c.jump(done)
            c.place(calling)
            moves = c.get(step, MOVES, "ptr")
            c.put(c.get(step, POSITION_VALUE), c.get(step, CELL, "ptr"), 0)
            with c.loop(c.get(step, MOVING)) as k:
                move = c.word(moves, c.arith("mul", k.index, MOVE))
                address, add = c.get(move, ADDRESS, "ptr"), c.get(c.get(move, ADD, "ptr"), 0)
                c.put(c.gep(address, add), pointers, k.index, "ptr")
                c.put(c.gep(address, c.get(move, BYTES)), move, ADDRESS, "ptr")
            c.call("void", kernel, f"ptr {pointers}", f"i64 {count}", f"i64 {lanes}")
            c.jump(done)
            c.place(done)
    return c.end()


def _rows() -> str:
    """The body of a loop along `axis` by steps; 0 if that can't be."""
    c = Function("i64", "rows", ["ptr cx", "i64 first", "i64 end", "i64 axis"], internal=True)
    descriptor = c.get("%cx", CX_D, "ptr")
    pointers = c.arith("mul", c.get(descriptor, N_POINTERS), 2)
    most = c.arith("sub", "%end", "%first")  # an instruction has 5 words and more, and gives up to two steps
    steps = c.op(f"alloca i64, i64 {c.arith('mul', most, STEP)}, align 8")
    places = c.op(f"alloca i64, i64 {pointers}, align 8")
    moves = c.op(f"alloca i64, i64 {c.arith('mul', pointers, MOVE)}, align 8")
    state = c.op(f"alloca [{_STATE} x i64], align 8")
    for which, start in ((NEXT, steps), (NEXT_POINTER, places), (NEXT_MOVE, moves)):
        c.put(start, state, which, "ptr")
    c.put(0, state, FAILED)
    head, body, done, following = c.label("head"), c.label("body"), c.label("done"), c.label("following")
    c.place(head)
    c.do(f"%pc = phi i64 [ %first, %entry ], [ %pc.next, %{following} ]")
    c.branch(c.test("slt", "%pc", "%end"), body, done)
    c.place(body)
    words = c.word(descriptor, "%pc")
    operation = c.get(words, 0)
    call_size = c.arith("add", c.arith("mul", c.get(words, 4), ENTRY), CALL_WORDS)
    block_size = c.arith("add", c.get(words, 5), BLOCKS_WORDS)
    size = c.choose(c.test("eq", operation, CALL), call_size, block_size)
    size = c.choose(c.test("eq", operation, FILL), FILL_WORDS, size)
    given = "ptr %cx", f"ptr {words}", f"ptr {state}"
    with c.when(c.test("eq", operation, FILL)):
        c.call("void", "@add_fill", *given)
    with c.when(c.test("eq", operation, CALL)):
        c.call("void", "@add_call", *given, "i64 %axis", "i64 0", "i64 1", "i64 1")
    with c.when(c.test("eq", operation, BLOCKS)):
        c.call("void", "@add_blocks", *given, "i64 %axis")
    c.place(following)
    c.do(f"%pc.next = add i64 %pc, {size}")
    c.jump(head)
    c.place(done)
    with c.when(c.test("ne", c.get(state, FAILED), 0)):
        c.ret("i64", 0)
    extent, position = c.get(c.get("%cx", CX_E, "ptr"), "%axis"), c.word(c.get("%cx", CX_POS, "ptr"), "%axis")
    end = c.get(state, NEXT, "ptr")
    c.call("void", "@run_rows", f"ptr {steps}", f"ptr {end}", f"i64 {extent}", f"ptr {position}")
    return c.end("i64", 1)
