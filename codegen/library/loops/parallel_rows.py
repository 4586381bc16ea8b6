"""Of the nest library: a pass along rows, with lanes along columns, in parts of its rows.

Launches of few columns have no parts of those (`loops.parallel`).  Here every part has scratch of its own, with states
that begin at their identity, and these are combined in the order of the parts.  How many rows a part has depends on
lengths alone, so one thread does the same parts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tensordsl.codegen.abi.descriptor import (
    CALL,
    CALL_WORDS,
    CX_COUNT,
    CX_CUR,
    CX_D,
    CX_E,
    CX_FLAG,
    CX_K,
    CX_ORIGINS,
    CX_P,
    CX_PARTS,
    CX_POOL,
    CX_POS,
    CX_S,
    CX_SCRATCH,
    CX_WORDS,
    ENTRY,
    FILL,
    FILL_WORDS,
    INTERNAL,
    LOOP,
    LOOP_WORDS,
    N_AXES,
    N_OPERANDS,
    N_POINTERS,
    PARTED_BACK,
    ROWS,
    ROWS_WORDS,
    SCRATCH,
    STATE,
    WIDE,
    WIDTH,
)  # fmt: skip
from tensordsl.codegen.library.loops.descriptor import entry_of, fill_lines
from tensordsl.codegen.library.loops.limits import FOLDED, SHARE
from tensordsl.codegen.library.parallel import Job, share
from tensordsl.codegen.llvm.function import Function
from tensordsl.codegen.target.tuning import CacheTuning

MOST = 32  # parts
ENOUGH = 8  # of an outer loop's rows; of fewer its inner loop has parts
LINE = 128  # elements: states of a part begin at a multiple of it, whatever a vector has
STATES = 1 << 18  # bytes of the states of all parts, of which there are fewer where they would take more
# Of a loop: its instruction and end; its axis, rows of a part; parts, and one more; where their states are, of how many
# elements; whether one has failed.
JOB = Job(("ptr cx", "i64 pc", "i64 end", "i64 axis", "i64 size", "i64 slots", "ptr states", "i64 pitch", "i64 flag"))
_LOOPS = ((LOOP, LOOP_WORDS), (ROWS, ROWS_WORDS))


def row_part_texts(caches: CacheTuning) -> list[str]:
    return [
        _next_call(),
        _state_size(),
        _own_areas(),
        _move_states(),
        _join(),
        _part(),
        _part_back(),
        _points(),
        _in_parts(caches),
    ]


def _next_call() -> str:
    """The first CALL from `pc` on, or `end`."""
    c = Function("i64", "next_call", ["ptr cx", "i64 pc", "i64 end"], internal=True)
    words, head, body, done = c.get("%cx", CX_D, "ptr"), c.label("head"), c.label("body"), c.label("done")
    c.place(head)
    c.do(f"%at = phi i64 [ %pc, %entry ], [ %next, %{body} ]")
    other = c.label("other")
    c.branch(c.test("slt", "%at", "%end"), other, done)
    c.place(other)
    operation = c.get(words, "%at")
    c.branch(c.test("eq", operation, CALL), done, body)
    c.place(body)
    size = c.choose(c.test("eq", operation, FILL), FILL_WORDS, 0)
    for loop, more in _LOOPS:
        size = c.choose(c.test("eq", operation, loop), more, size)
    c.do(f"%next = add i64 %at, {size}")
    c.jump(head)
    c.place(done)
    return c.end("i64", "%at")


@contextmanager
def _calls(c: Function, pc: str = "%pc", end: str = "%end", context: str = "%cx") -> Iterator[str]:
    """The words of every CALL from `pc` to `end`."""
    at, given = c.cell(pc), f"ptr {context}"
    head, body, done = c.label("head"), c.label("body"), c.label("done")
    c.place(head)
    pc = c.call("i64", "@next_call", given, f"i64 {c.get(at, 0)}", f"i64 {end}")
    c.branch(c.test("slt", pc, end), body, done)
    c.place(body)
    words = c.word(c.get(context, CX_D, "ptr"), pc)
    yield words
    size = c.arith("add", c.arith("mul", c.get(words, 4), ENTRY), CALL_WORDS)
    c.put(c.arith("add", pc, size), at, 0)
    c.jump(head)
    c.place(done)


def _each_state(c: Function, words: str, body: Callable[[str, str, str], None]) -> None:
    """body(its place in P, offset in scratch, bytes of an element) for the states of a CALL."""
    with c.loop(c.get(words, 4), start=c.get(words, 3)) as loop:
        entry = entry_of(c, words, loop.index)
        is_state = c.all(c.test("eq", c.get(entry, 0), INTERNAL), c.test("eq", c.get(entry, 4), STATE))
        with c.when(is_state):
            body(loop.index, c.get(entry, 1), c.get(entry, 3))


def _state_size() -> str:
    """Bytes of a column's states."""
    c = Function("i64", "state_size", ["ptr cx", "i64 pc", "i64 end"], internal=True)
    total = c.cell(0)
    with _calls(c) as words:
        _each_state(c, words, lambda _, __, size: c.put(c.arith("add", c.get(total, 0), size), total, 0))
    return c.end("i64", c.get(total, 0))


def _lines(c: Function, bytes_: str) -> str:
    return c.arith("and", c.arith("add", bytes_, 63), -64)


def _own_areas() -> str:
    """What a CALL reads of a part's scratch: states := their identity, all else as it is in `from`."""
    c = Function("void", "own_areas", ["ptr cx", "ptr words", "ptr from"], internal=True)
    scratch, count = c.get("%cx", CX_SCRATCH, "ptr"), c.get("%cx", CX_COUNT)
    with c.loop(c.get("%words", 4), start=c.get("%words", 3)) as loop:
        entry = entry_of(c, "%words", loop.index)
        kind, offset, size, flags, identity = (c.get(entry, k) for k in (0, 1, 3, 4, 5))
        bytes_ = c.max(_lines(c, c.arith("mul", count, size)), 64)
        is_state, area = c.test("eq", flags, STATE), c.gep(scratch, offset)
        with c.when(c.test("eq", kind, INTERNAL)):
            with c.when(is_state):
                fill_lines(c, area, bytes_, identity)
            with c.when(c.op(f"xor i1 {is_state}, true")):
                c.call("void", "@copy_kept", f"ptr {area}", f"ptr {c.gep('%from', offset)}", f"i64 {bytes_}")
    return c.end()


def _slots(c: Function, at: str, size: str) -> str:
    """Where the states of all parts of one reduction stand, `at` the first; and `at` to the next one's."""
    place = c.gep(JOB.get(c, "states"), c.get(at, 0))
    every = c.arith("mul", JOB.get(c, "slots"), JOB.get(c, "pitch"))
    c.put(c.arith("add", c.get(at, 0), c.arith("mul", every, size)), at, 0)
    return place


def _move_states() -> str:
    """The states in a context's scratch to the k-th slot of the job, or back."""
    c = Function("void", "move_states", ["ptr cx", "ptr job", "i64 k", "i1 back"], internal=True)
    at, count, scratch = c.cell(0), c.get("%cx", CX_COUNT), c.get("%cx", CX_SCRATCH, "ptr")
    shift = c.arith("mul", "%k", JOB.get(c, "pitch"))

    def moved(_: str, offset: str, size: str) -> None:
        slot, area = c.gep(_slots(c, at, size), c.arith("mul", shift, size)), c.gep(scratch, offset)
        to, source = c.choose("%back", area, slot, "ptr"), c.choose("%back", slot, area, "ptr")
        bytes_ = _lines(c, c.arith("mul", count, size))
        c.call("void", "@copy_kept", f"ptr {to}", f"ptr {source}", f"i64 {bytes_}")

    with _calls(c, JOB.get(c, "pc"), JOB.get(c, "end")) as words:
        _each_state(c, words, moved)
    return c.end()


def _join() -> str:
    """The states of all slots into the first one's, in their order: by kernels, which combine with what is so many
    elements behind."""
    c = Function("void", "join_rows", ["ptr cx", "ptr job"], internal=True)
    at, width = c.cell(0), c.get(c.get("%cx", CX_D, "ptr"), WIDTH)
    count, pitch, slots = c.get("%cx", CX_COUNT), JOB.get(c, "pitch"), JOB.get(c, "slots")
    whole = c.arith("and", c.arith("sub", c.arith("add", count, width), 1), c.arith("sub", 0, width))
    before = c.cell(0)
    with _calls(c, JOB.get(c, "pc"), JOB.get(c, "end")) as words:
        pointers = c.word(c.get("%cx", CX_P, "ptr"), c.get(words, 5))
        kernel = c.get(c.get("%cx", CX_K, "ptr"), c.get(words, 1), "ptr")
        c.put(c.get(at, 0), before, 0)
        _each_state(c, words, lambda k, _, size: c.put(_slots(c, at, size), pointers, k, "ptr"))
        has_states = c.test("ne", c.get(before, 0), c.get(at, 0))
        with c.loop(c.choose(has_states, slots, 0), start=1) as k:
            turn = f"i64 {c.arith('mul', k.index, pitch)}"
            c.call("void", kernel, f"ptr {pointers}", f"i64 {whole}", f"i64 {width}", "i64 0", turn)
        scratch = c.get("%cx", CX_SCRATCH, "ptr")
        _each_state(c, words, lambda k, offset, _: c.put(c.gep(scratch, offset), pointers, k, "ptr"))
    return c.end()


def _part() -> str:
    """The k-th part of a loop, in a context of its own."""
    c = Function("void", "row_part", ["ptr job", "i64 k"], internal=True)
    given = JOB.given(c)
    old, axis = given["cx"], given["axis"]
    words = c.get(old, CX_D, "ptr")
    start, slots = c.arith("mul", "%k", given["size"]), given["slots"]
    cx = c.op(f"alloca [{CX_WORDS} x i64], align 16")
    with c.loop(CX_WORDS) as loop:
        c.put(c.get(old, loop.index), cx, loop.index)
    for place, size in ((CX_E, N_AXES), (CX_POS, N_AXES), (CX_ORIGINS, N_AXES), (CX_CUR, N_OPERANDS)):
        n, source = c.get(words, size), c.get(old, place, "ptr")
        table = c.op(f"alloca i64, i64 {n}, align 8")
        with c.loop(n) as loop:
            c.put(c.get(source, loop.index), table, loop.index)
        c.put(table, cx, place, "ptr")
    scratch = c.op(f"alloca i8, i64 {c.get(words, SCRATCH)}, align 64")
    c.put(0, scratch, 0)
    c.put(scratch, cx, CX_SCRATCH, "ptr")
    c.put(c.op(f"alloca ptr, i64 {c.get(words, N_POINTERS)}, align 16"), cx, CX_P, "ptr")
    c.put(c.arith("sub", slots, 1), cx, CX_PARTS)
    c.put(0, cx, CX_FLAG)
    extents = c.get(cx, CX_E, "ptr")
    c.put(c.min(c.arith("sub", c.get(extents, axis), start), given["size"]), extents, axis)
    _move_to(c, cx, axis, start)
    shared = f"ptr {c.get(old, CX_SCRATCH, 'ptr')}"
    with _calls(c, given["pc"], given["end"], cx) as call:
        c.call("void", "@own_areas", f"ptr {cx}", f"ptr {call}", shared)
        number = c.get(call, 7)
        with c.when(c.test("ne", number, 0)):
            wide = c.word(words, c.arith("sub", c.arith("add", c.get(words, WIDE), number), 1))
            c.call("void", "@own_areas", f"ptr {cx}", f"ptr {wide}", shared)
    code = f"ptr {cx}, i64 {given['pc']}, i64 {given['end']}"
    c.do(f"call void @resolve({code})")
    c.do(f"call void @execute({code})")
    c.call("void", "@move_states", f"ptr {cx}", "ptr %job", f"i64 {c.arith('add', '%k', 1)}", "i1 false")
    c.do(f"%old = atomicrmw or ptr {c.word('%job', JOB.words['flag'])}, i64 {c.get(cx, CX_FLAG)} seq_cst")
    return c.end()


def _part_back() -> str:
    c = Function("void", "row_part_back", ["ptr job", "i64 k"], internal=True)
    count = c.arith("sub", JOB.get(c, "slots"), 1)
    c.call("void", "@row_part", "ptr %job", f"i64 {from_middle(c, '%k', count)}")
    return c.end()


def from_middle(c: Function, k: str, count: str) -> str:
    """The k-th part from the middle of so many: those before it go to the first, the others to the last."""
    half = c.arith("lshr", count, 1)
    last = c.choose(c.test("slt", k, half), c.arith("sub", half, 1), c.arith("sub", c.arith("add", half, count), 1))
    return c.arith("sub", last, k)


def _move_to(c: Function, cx: str, axis: str, start: str) -> None:
    """To a part's first row: positions along its axis, and operands."""
    origins, current, words = c.get(cx, CX_ORIGINS, "ptr"), c.get(cx, CX_CUR, "ptr"), c.get(cx, CX_D, "ptr")
    c.put(c.arith("add", c.get(origins, axis), start), origins, axis)
    with c.loop(c.get(words, N_OPERANDS)) as loop:
        number = c.arith("add", c.arith("mul", loop.index, c.get(words, N_AXES)), axis)
        step = c.arith("mul", c.get(c.get(cx, CX_S, "ptr"), number), start)
        c.put(c.arith("add", c.get(current, loop.index), step), current, loop.index)


def _points() -> str:
    """Points of one position of a loop with the body from `pc` on: columns, and what loops in it have."""
    c = Function("i64", "points_inside", ["ptr cx", "i64 pc"], internal=True)
    words, extents = c.get("%cx", CX_D, "ptr"), c.get("%cx", CX_E, "ptr")
    head, body, done = c.label("head"), c.label("body"), c.label("done")
    count = c.get("%cx", CX_COUNT)
    c.place(head)
    c.do(f"%at = phi i64 [ %pc, %entry ], [ %next, %{body} ]")
    c.do(f"%points = phi i64 [ {count}, %entry ], [ %more, %{body} ]")
    operation = c.get(words, "%at")
    is_rows = c.test("eq", operation, ROWS)
    c.branch(c.any(is_rows, c.test("eq", operation, LOOP)), body, done)
    c.place(body)
    c.do(f"%more = mul i64 %points, {c.get(extents, c.get(c.word(words, '%at'), 1))}")
    c.do(f"%next = add i64 %at, {c.choose(is_rows, ROWS_WORDS, LOOP_WORDS)}")
    c.jump(head)
    c.place(done)
    return c.end("i64", "%points")


def quotient(c: Function, x: str, y: str | int) -> str:
    """x / y, rounded up."""
    return c.arith("sdiv", c.arith("sub", c.arith("add", x, y), 1), y)


def parts_of(c: Function, work: str, share: str) -> str:
    """How many parts of `share` ns so much work is worth: a number that two threads or four do in equal shares, as an
    odd one leaves some without work at the end."""
    parts = c.arith("udiv", work, share)
    more = c.arith("and", c.arith("add", parts, 3), -4)
    return c.min(c.choose(c.test("sle", parts, 2), parts, more), MOST)


def longest_axis(c: Function, words: str, strides: str, extents: str) -> str:
    """Bytes that an operand spans along an axis, at most."""
    axes = c.get(words, N_AXES)
    with c.loop(c.arith("mul", c.get(words, N_OPERANDS), axes), ("i64", "0")) as loop:
        step = c.call("i64", "@llvm.abs.i64", f"i64 {c.get(strides, loop.index)}", "i1 false")
        span = c.arith("mul", step, c.get(extents, c.arith("urem", loop.index, axes)))
        loop.next = [c.max(span, loop.values[0])]
    return loop.values[0]


def _in_parts(caches: CacheTuning) -> str:
    """The loop at `pc` with the body from `first` to `end`, in parts if that is worth it; was it?  `unit`: rows that a
    part has at least, and a multiple of which it has; `price`: ns of 1,000 points."""
    code = ["i64 pc", "i64 first", "i64 end", "i64 axis", "i64 unit", "i64 price"]
    c = Function("i1", "in_parts", ["ptr cx", *code], internal=True)
    extent, count = c.get(c.get("%cx", CX_E, "ptr"), "%axis"), c.get("%cx", CX_COUNT)
    inside = c.call("i64", "@points_inside", "ptr %cx", "i64 %first")
    work = c.arith("udiv", c.arith("mul", c.arith("mul", inside, extent), "%price"), 1000)
    tables = (c.get("%cx", place, "ptr") for place in (CX_D, CX_S, CX_E))
    far = c.test("sge", longest_axis(c, *tables), caches.split_rows_min_bytes)
    wanted = c.min(parts_of(c, c.arith("udiv", work, FOLDED), c.choose(far, caches.task_min_ns, SHARE)), MOST // FOLDED)
    units = quotient(c, extent, "%unit")
    pitch = c.arith("and", c.arith("add", count, LINE - 1), -LINE)
    bytes_ = c.arith("mul", pitch, c.call("i64", "@state_size", "ptr %cx", "i64 %first", "i64 %end"))
    parts = c.min(c.min(wanted, units), c.arith("udiv", STATES, c.max(bytes_, 1)))
    few = c.all(c.test("ne", inside, count), c.test("slt", parts, c.min(wanted, ENOUGH)))
    with c.when(c.any(few, c.test("slt", parts, 2))):
        c.ret("i1", "false")
    size = c.arith("mul", quotient(c, units, parts), "%unit")
    parts = quotient(c, extent, size)
    slots = c.arith("add", parts, 1)
    states = c.op(f"alloca i8, i64 {c.arith('mul', slots, bytes_)}, align 64")
    places = {"cx": "%cx", "pc": "%pc", "end": "%end", "axis": "%axis", "states": states}
    job = JOB.made(c, {**places, "size": size, "slots": slots, "pitch": pitch, "flag": 0})
    of_job = "ptr %cx", f"ptr {job}"
    c.call("void", "@move_states", *of_job, "i64 0", "i1 false")
    is_back, last = c.test("eq", c.get("%cx", CX_PARTS), PARTED_BACK), c.arith("sub", parts, 1)
    pool, (alone, shared, done) = c.get("%cx", CX_POOL, "ptr"), map(c.label, ("alone", "shared", "done"))
    c.branch(c.is_null(pool), alone, shared)
    c.place(alone)
    with c.loop(parts) as k:
        c.call("void", "@row_part", f"ptr {job}", f"i64 {c.choose(is_back, c.arith('sub', last, k.index), k.index)}")
    c.jump(done)
    c.place(shared)
    with c.when(is_back):
        share(c, pool, "row_part_back", job, parts)
        c.jump(done)
    share(c, pool, "row_part", job, parts)
    c.jump(done)
    c.place(done)
    c.put(c.arith("sub", 0, c.get("%cx", CX_PARTS)), "%cx", CX_PARTS)
    c.call("void", "@join_rows", *of_job)
    c.call("void", "@move_states", *of_job, "i64 0", "i1 true")
    c.put(c.arith("or", c.get("%cx", CX_FLAG), c.get(job, JOB.words["flag"])), "%cx", CX_FLAG)
    return c.end("i1", "true")
