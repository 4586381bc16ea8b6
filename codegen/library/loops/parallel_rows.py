"""Parallel reduction along rows, with lanes along few columns: a pass in tasks of its rows.

Contract  a loop of a context -> its states, as if it had run at once; false: it is not worth tasks.
When      the columns are too few to be cut into tasks themselves (`loops.parallel`).
Why       each task has scratch of its own, whose states begin at their identity and are combined in the tasks' order;
          how many rows a task has depends on extents alone, so one thread gives the same bits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tensordsl.codegen.abi.descriptor import (
    INTERNAL,
    IS_STATE,
    TASKS_BACKWARD,
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
from tensordsl.codegen.library.loops.descriptor import LoopFunction, fill_lines
from tensordsl.codegen.library.parallel import Job, share
from tensordsl.codegen.target.tuning import Tuning

STATE_ALIGNMENT_ELEMENTS = 128  # states of a task begin at a multiple of it, whatever a vector has
# Of a loop: its instruction and end; its axis, rows of a part; parts, and one more; where their states are, of how many
# elements; whether one has failed.
JOB = Job(("ptr cx", "i64 pc", "i64 end", "i64 axis", "i64 size", "i64 slots", "ptr states", "i64 pitch", "i64 flag"))
_LOOPS = ((Opcode.LOOP, LoopCode.WORDS), (Opcode.ROWS, RowsCode.WORDS))


def parallel_rows_texts(t: Tuning) -> list[str]:
    return [
        _next_call(),
        _state_size(),
        _copy_areas(),
        _move_states(),
        _join_states(),
        _row_task(),
        _row_task_backward(),
        _points_inside(),
        _rows_in_tasks(t),
    ]


def _next_call() -> str:
    """The first CALL from `pc` on, or `end`."""
    c = LoopFunction("i64", "next_call", ["ptr cx", "i64 pc", "i64 end"], internal=True)
    words, head, body, done = c.context(Context.DESCRIPTOR), c.label("head"), c.label("body"), c.label("done")
    c.place(head)
    c.do(f"%at = phi i64 [ %pc, %entry ], [ %next, %{body} ]")
    other = c.label("other")
    c.branch(c.lt("%at", "%end"), other, done)
    c.place(other)
    operation = c.get(words, "%at")
    c.branch(c.eq(operation, Opcode.CALL), done, body)
    c.place(body)
    size = c.choose(c.eq(operation, Opcode.FILL), FillCode.WORDS, 0)
    for loop, more in _LOOPS:
        size = c.choose(c.eq(operation, loop), more, size)
    c.do(f"%next = add i64 %at, {size}")
    c.jump(head)
    c.place(done)
    return c.end("i64", "%at")


@contextmanager
def _calls(c: LoopFunction, pc: str = "%pc", end: str = "%end", context: str = "%cx") -> Iterator[str]:
    """The words of every CALL from `pc` to `end`."""
    at, given = c.cell(pc), f"ptr {context}"
    head, body, done = c.label("head"), c.label("body"), c.label("done")
    c.place(head)
    pc = c.call("i64", "@next_call", given, f"i64 {c.get(at, 0)}", f"i64 {end}")
    c.branch(c.lt(pc, end), body, done)
    c.place(body)
    words = c.word(c.get(context, Context.DESCRIPTOR, "ptr"), pc)
    yield words
    size = c.add(c.mul(c.get(words, CallCode.OPERANDS), Operand.WORDS), CallCode.WORDS)
    c.put(c.add(pc, size), at, 0)
    c.jump(head)
    c.place(done)


def _each_state(c: LoopFunction, words: str, body: Callable[[str, str, str], None]) -> None:
    """body(its place in P, offset in scratch, bytes of an element) for the states of a CALL."""
    with c.loop(c.get(words, CallCode.OPERANDS), start=c.get(words, CallCode.EXTERNALS)) as loop:
        entry = c.operand(words, loop.index)
        is_state = c.all(c.is_kind(entry, INTERNAL), c.eq(c.get(entry, Area.FLAGS), IS_STATE))
        with c.when(is_state):
            body(loop.index, c.get(entry, Area.OFFSET), c.get(entry, Area.ELEMENT_BYTES))


def _state_size() -> str:
    """Bytes of a column's states."""
    c = LoopFunction("i64", "state_size", ["ptr cx", "i64 pc", "i64 end"], internal=True)
    total = c.cell(0)
    with _calls(c) as words:
        _each_state(c, words, lambda _, __, size: c.put(c.add(c.get(total, 0), size), total, 0))
    return c.end("i64", c.get(total, 0))


def _lines(c: LoopFunction, bytes_: str) -> str:
    return c.and_(c.add(bytes_, 63), -64)


def _copy_areas() -> str:
    """What a CALL reads of a part's scratch: states := their identity, all else as it is in `from`."""
    c = LoopFunction("void", "copy_areas", ["ptr cx", "ptr words", "ptr from"], internal=True)
    scratch, count = c.context(Context.SCRATCH), c.context(Context.COUNT)
    with c.loop(c.get("%words", CallCode.OPERANDS), start=c.get("%words", CallCode.EXTERNALS)) as loop:
        entry = c.operand("%words", loop.index)
        kind, offset, size, flags, identity = (
            c.get(entry, k) for k in (Area.KIND, Area.OFFSET, Area.ELEMENT_BYTES, Area.FLAGS, Area.IDENTITY)
        )
        bytes_ = c.max(_lines(c, c.mul(count, size)), 64)
        is_state, area = c.eq(flags, IS_STATE), c.gep(scratch, offset)
        with c.when(c.eq(kind, INTERNAL)):
            with c.when(is_state):
                fill_lines(c, area, bytes_, identity)
            with c.when(c.negate(is_state)):
                c.call("void", "@copy_kept", f"ptr {area}", f"ptr {c.gep('%from', offset)}", f"i64 {bytes_}")
    return c.end()


def _slots(c: LoopFunction, at: str, size: str) -> str:
    """Where the states of all parts of one reduction stand, `at` the first; and `at` to the next one's."""
    place = c.gep(JOB.get(c, "states"), c.get(at, 0))
    every = c.mul(JOB.get(c, "slots"), JOB.get(c, "pitch"))
    c.put(c.add(c.get(at, 0), c.mul(every, size)), at, 0)
    return place


def _move_states() -> str:
    """The states in a context's scratch to the k-th slot of the job, or back."""
    c = LoopFunction("void", "move_states", ["ptr cx", "ptr job", "i64 k", "i1 back"], internal=True)
    at, count, scratch = c.cell(0), c.context(Context.COUNT), c.context(Context.SCRATCH)
    shift = c.mul("%k", JOB.get(c, "pitch"))

    def moved(_: str, offset: str, size: str) -> None:
        slot, area = c.gep(_slots(c, at, size), c.mul(shift, size)), c.gep(scratch, offset)
        to, source = c.choose("%back", area, slot, "ptr"), c.choose("%back", slot, area, "ptr")
        bytes_ = _lines(c, c.mul(count, size))
        c.call("void", "@copy_kept", f"ptr {to}", f"ptr {source}", f"i64 {bytes_}")

    with _calls(c, JOB.get(c, "pc"), JOB.get(c, "end")) as words:
        _each_state(c, words, moved)
    return c.end()


def _join_states() -> str:
    """The states of all slots into the first one's, in their order: by kernels, which combine with what is so many
    elements behind."""
    c = LoopFunction("void", "join_states", ["ptr cx", "ptr job"], internal=True)
    at, width = c.cell(0), c.get(c.context(Context.DESCRIPTOR), Header.LANES)
    count, pitch, slots = c.context(Context.COUNT), JOB.get(c, "pitch"), JOB.get(c, "slots")
    whole = c.and_(c.sub(c.add(count, width), 1), c.sub(0, width))
    before = c.cell(0)
    with _calls(c, JOB.get(c, "pc"), JOB.get(c, "end")) as words:
        pointers = c.word(c.context(Context.POINTERS), c.get(words, CallCode.POINTERS))
        kernel = c.get(c.context(Context.KERNELS), c.get(words, CallCode.KERNEL), "ptr")
        c.put(c.get(at, 0), before, 0)
        _each_state(c, words, lambda k, _, size: c.put(_slots(c, at, size), pointers, k, "ptr"))
        has_states = c.ne(c.get(before, 0), c.get(at, 0))
        with c.loop(c.choose(has_states, slots, 0), start=1) as k:
            turn = f"i64 {c.mul(k.index, pitch)}"
            c.call("void", kernel, f"ptr {pointers}", f"i64 {whole}", f"i64 {width}", "i64 0", turn)
        scratch = c.context(Context.SCRATCH)
        _each_state(c, words, lambda k, offset, _: c.put(c.gep(scratch, offset), pointers, k, "ptr"))
    return c.end()


def _row_task() -> str:
    """The k-th part of a loop, in a context of its own."""
    c = LoopFunction("void", "row_task", ["ptr job", "i64 k"], internal=True)
    given = JOB.given(c)
    old, axis = given["cx"], given["axis"]
    words = c.get(old, Context.DESCRIPTOR, "ptr")
    start, slots = c.mul("%k", given["size"]), given["slots"]
    cx = c.op(f"alloca [{Context.WORDS} x i64], align 16")
    with c.loop(Context.WORDS) as loop:
        c.put(c.get(old, loop.index), cx, loop.index)
    for place, size in (
        (Context.EXTENTS, Header.AXES),
        (Context.POSITIONS, Header.AXES),
        (Context.ORIGINS, Header.AXES),
        (Context.ADDRESSES, Header.OPERANDS),
    ):
        n, source = c.get(words, size), c.get(old, place, "ptr")
        table = c.op(f"alloca i64, i64 {n}, align 8")
        with c.loop(n) as loop:
            c.put(c.get(source, loop.index), table, loop.index)
        c.put(table, cx, place, "ptr")
    scratch = c.op(f"alloca i8, i64 {c.get(words, Header.SCRATCH_BYTES)}, align 64")
    c.put(0, scratch, 0)
    c.put(scratch, cx, Context.SCRATCH, "ptr")
    c.put(c.op(f"alloca ptr, i64 {c.get(words, Header.POINTERS)}, align 16"), cx, Context.POINTERS, "ptr")
    c.put(c.sub(slots, 1), cx, Context.TASKS)
    c.put(0, cx, Context.BAD_INDEX)
    extents = c.get(cx, Context.EXTENTS, "ptr")
    c.put(c.min(c.sub(c.get(extents, axis), start), given["size"]), extents, axis)
    _move_to(c, cx, axis, start)
    shared = f"ptr {c.get(old, Context.SCRATCH, 'ptr')}"
    with _calls(c, given["pc"], given["end"], cx) as call:
        c.call("void", "@copy_areas", f"ptr {cx}", f"ptr {call}", shared)
        number = c.get(call, CallCode.WIDE)
        with c.when(c.ne(number, 0)):
            wide = c.word(words, c.sub(c.add(c.get(words, Header.WIDE_CALLS), number), 1))
            c.call("void", "@copy_areas", f"ptr {cx}", f"ptr {wide}", shared)
    code = f"ptr {cx}, i64 {given['pc']}, i64 {given['end']}"
    c.do(f"call void @resolve({code})")
    c.do(f"call void @execute({code})")
    c.call("void", "@move_states", f"ptr {cx}", "ptr %job", f"i64 {c.add('%k', 1)}", "i1 false")
    c.do(f"%old = atomicrmw or ptr {c.word('%job', JOB.words['flag'])}, i64 {c.get(cx, Context.BAD_INDEX)} seq_cst")
    return c.end()


def _row_task_backward() -> str:
    c = LoopFunction("void", "row_task_backward", ["ptr job", "i64 k"], internal=True)
    count = c.sub(JOB.get(c, "slots"), 1)
    c.call("void", "@row_task", "ptr %job", f"i64 {from_middle(c, '%k', count)}")
    return c.end()


def from_middle(c: LoopFunction, k: str, count: str) -> str:
    """The k-th part from the middle of so many: those before it go to the first, the others to the last."""
    half = c.lshr(count, 1)
    last = c.choose(c.lt(k, half), c.sub(half, 1), c.sub(c.add(half, count), 1))
    return c.sub(last, k)


def _move_to(c: LoopFunction, cx: str, axis: str, start: str) -> None:
    """To a part's first row: positions along its axis, and operands."""
    origins = c.get(cx, Context.ORIGINS, "ptr")
    current = c.get(cx, Context.ADDRESSES, "ptr")
    words = c.get(cx, Context.DESCRIPTOR, "ptr")
    c.put(c.add(c.get(origins, axis), start), origins, axis)
    with c.loop(c.get(words, Header.OPERANDS)) as loop:
        number = c.add(c.mul(loop.index, c.get(words, Header.AXES)), axis)
        step = c.mul(c.get(c.get(cx, Context.STRIDES, "ptr"), number), start)
        c.put(c.add(c.get(current, loop.index), step), current, loop.index)


def _points_inside() -> str:
    """Points of one position of a loop with the body from `pc` on: columns, and what loops in it have."""
    c = LoopFunction("i64", "points_inside", ["ptr cx", "i64 pc"], internal=True)
    words, extents = c.context(Context.DESCRIPTOR), c.context(Context.EXTENTS)
    head, body, done = c.label("head"), c.label("body"), c.label("done")
    count = c.context(Context.COUNT)
    c.place(head)
    c.do(f"%at = phi i64 [ %pc, %entry ], [ %next, %{body} ]")
    c.do(f"%points = phi i64 [ {count}, %entry ], [ %more, %{body} ]")
    operation = c.get(words, "%at")
    is_rows = c.eq(operation, Opcode.ROWS)
    c.branch(c.any(is_rows, c.eq(operation, Opcode.LOOP)), body, done)
    c.place(body)
    c.do(f"%more = mul i64 %points, {c.get(extents, c.get(c.word(words, '%at'), 1))}")
    c.do(f"%next = add i64 %at, {c.choose(is_rows, RowsCode.WORDS, LoopCode.WORDS)}")
    c.jump(head)
    c.place(done)
    return c.end("i64", "%points")


def ceil_div(c: LoopFunction, x: str, y: str | int) -> str:
    """x / y, rounded up."""
    return c.sdiv(c.sub(c.add(x, y), 1), y)


def tasks_of(c: LoopFunction, t: Tuning, work: str, share: str) -> str:
    """How many parts of `share` ns so much work is worth: a number that two threads or four do in equal shares, as an
    odd one leaves some without work at the end."""
    parts = c.udiv(work, share)
    more = c.and_(c.add(parts, 3), -4)
    return c.min(c.choose(c.le(parts, 2), parts, more), t.tasks.max_tasks)


def longest_axis(c: LoopFunction, words: str, strides: str, extents: str) -> str:
    """Bytes that an operand spans along an axis, at most."""
    axes = c.get(words, Header.AXES)
    with c.loop(c.mul(c.get(words, Header.OPERANDS), axes), ("i64", "0")) as loop:
        step = c.call("i64", "@llvm.abs.i64", f"i64 {c.get(strides, loop.index)}", "i1 false")
        span = c.mul(step, c.get(extents, c.urem(loop.index, axes)))
        loop.next = [c.max(span, loop.values[0])]
    return loop.values[0]


def _rows_in_tasks(t: Tuning) -> str:
    """The loop at `pc` with the body from `first` to `end`, in parts if that is worth it; was it?  `unit`: rows that a
    part has at least, and a multiple of which it has; `price`: ns of 1,000 points."""
    code = ["i64 pc", "i64 first", "i64 end", "i64 axis", "i64 unit", "i64 price"]
    c = LoopFunction("i1", "rows_in_tasks", ["ptr cx", *code], internal=True)
    extent, count = c.get(c.context(Context.EXTENTS), "%axis"), c.context(Context.COUNT)
    inside = c.call("i64", "@points_inside", "ptr %cx", "i64 %first")
    work = c.udiv(c.mul(c.mul(inside, extent), "%price"), 1000)
    tables = (c.get("%cx", place, "ptr") for place in (Context.DESCRIPTOR, Context.STRIDES, Context.EXTENTS))
    exceeds = c.ge(longest_axis(c, *tables), c.limit("split_rows_min_bytes"))
    wanted = c.min(
        tasks_of(
            c,
            t,
            c.udiv(work, t.loops.single_thread_task_ratio),
            c.choose(exceeds, c.limit("task_min_ns"), t.loops.task_ns),
        ),
        t.tasks.max_tasks // t.loops.single_thread_task_ratio,
    )
    units = ceil_div(c, extent, "%unit")
    pitch = c.and_(c.add(count, STATE_ALIGNMENT_ELEMENTS - 1), -STATE_ALIGNMENT_ELEMENTS)
    bytes_ = c.mul(pitch, c.call("i64", "@state_size", "ptr %cx", "i64 %first", "i64 %end"))
    parts = c.min(c.min(wanted, units), c.udiv(t.tasks.max_state_bytes, c.max(bytes_, 1)))
    few = c.all(c.ne(inside, count), c.lt(parts, c.min(wanted, t.tasks.min_outer_tasks)))
    with c.when(c.any(few, c.lt(parts, 2))):
        c.ret("i1", "false")
    size = c.mul(ceil_div(c, units, parts), "%unit")
    parts = ceil_div(c, extent, size)
    slots = c.add(parts, 1)
    states = c.op(f"alloca i8, i64 {c.mul(slots, bytes_)}, align 64")
    places = {"cx": "%cx", "pc": "%pc", "end": "%end", "axis": "%axis", "states": states}
    job = JOB.made(c, {**places, "size": size, "slots": slots, "pitch": pitch, "flag": 0})
    of_job = "ptr %cx", f"ptr {job}"
    c.call("void", "@move_states", *of_job, "i64 0", "i1 false")
    is_back, last = c.eq(c.context(Context.TASKS), TASKS_BACKWARD), c.sub(parts, 1)
    pool, (alone, shared, done) = c.context(Context.POOL), map(c.label, ("alone", "shared", "done"))
    c.branch(c.is_null(pool), alone, shared)
    c.place(alone)
    with c.loop(parts) as k:
        c.call("void", "@row_task", f"ptr {job}", f"i64 {c.choose(is_back, c.sub(last, k.index), k.index)}")
    c.jump(done)
    c.place(shared)
    with c.when(is_back):
        share(c, pool, "row_task_backward", job, parts)
        c.jump(done)
    share(c, pool, "row_task", job, parts)
    c.jump(done)
    c.place(done)
    c.put(c.sub(0, c.context(Context.TASKS)), "%cx", Context.TASKS)
    c.call("void", "@join_states", *of_job)
    c.call("void", "@move_states", *of_job, "i64 0", "i1 true")
    c.put(c.or_(c.context(Context.BAD_INDEX), c.get(job, JOB.words["flag"])), "%cx", Context.BAD_INDEX)
    return c.end("i1", "true")
