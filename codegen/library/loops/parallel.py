"""Parallel loops: a launch is cut into tasks along one axis, which threads share out.

Contract  `run_nest` and what it calls: a pool of threads or null, and the tables -> the launch, done.
When      the estimated work is worth waking threads; where all axes are reduced, also for one thread.
Why       tasks depend on extents alone, and states are combined in the tasks' order, so results depend neither on who
          does what nor on the number of threads.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial, reduce

from tensordsl.codegen.abi import layouts
from tensordsl.codegen.abi.descriptor import (
    NEST_PARAMS,
    RUN_NEST_PARAMS,
    TASKS_BACKWARD,
    TASKS_FORWARD,
    Context,
    Header,
    Stage,
)
from tensordsl.codegen.library.loops.alternate_stack import launch_texts, move_to_alternate_stack
from tensordsl.codegen.library.loops.contiguous import return_if_contiguous
from tensordsl.codegen.library.loops.descriptor import LoopFunction, product
from tensordsl.codegen.library.loops.pack.reductions import room_for_copies
from tensordsl.codegen.library.loops.parallel_rows import ceil_div, from_middle, longest_axis, tasks_of
from tensordsl.codegen.library.loops.small_transposed import return_if_small_transposed
from tensordsl.codegen.library.loops.traversal_order import (
    ANY_ORDER,
    BACKWARD,
    BACKWARD_SHARED,
    FORWARD,
    is_cut_at_will,
    traversal_of,
    traversal_text,
)
from tensordsl.codegen.library.parallel import Job, if_worth, named, operands, share
from tensordsl.codegen.library.signals import poll
from tensordsl.codegen.llvm.builder import passed
from tensordsl.codegen.program_ir.gemm_epilogues import TILE
from tensordsl.codegen.target.tuning import Tuning

LANE_MULTIPLE = 128  # elements along the lanes' axis of which a task has a multiple
MAX_POINTS = 1 << 42  # whose work is estimated: the number fits its word
KEPT_OFFSET_BYTES = 64  # in scratch, of what is kept from level to level
# Of a launch: the axis that is cut, elements of a task, how many more the last one may have; the tasks' code, what all
# of them begin with, where their states go; whether axes are merged already; whether one has failed; their order
# (`loops.traversal_order`), how many of them threads share, and whether each of two threads reads all of them.
TASK_WORDS = (
    "i64 axis",
    "i64 size",
    "i64 more",
    "i64 from",
    "i64 to",
    "ptr kept",
    "ptr states",
    "i64 merged",
    "i64 flag",
)
JOB = Job((*NEST_PARAMS, *TASK_WORDS, "i64 order", "i64 count", "i1 both"))


def parallel_texts(t: Tuning) -> list[str]:
    parts = [_task_count(t), _read_task(), _run_task(), _run_task_backward(), _run_like_tasks(), _next_task()]
    stages = [_copy_kept(), _receive(), _send(), _between_passes(), _run_levels()]
    launches = [_run_nest(t), _launch(t), *launch_texts(t), _run_tile()]
    return [*parts, *stages, _run_all_tasks(), _run_in_tasks(t), _is_worth_threads(t), traversal_text(t), *launches]


def reduction_texts(t: Tuning) -> list[str]:
    return [_reduce_columns(t), _run_rows_alone()]


def _work(c: LoopFunction, extents: str) -> str:
    """ns of a launch, as estimated."""
    points = c.min(product(c, extents, c.header(Header.AXES)), MAX_POINTS)
    return c.udiv(c.mul(points, c.header(Header.NS_PER_1000_POINTS)), 1000)


def _length(c: LoopFunction, extents: str, axis: str) -> str:
    """Of an axis; 0 if it is none."""
    return c.choose(c.ge(axis, 0), c.get(extents, c.max(axis, 0)), 0)


def _is_independent(c: LoopFunction) -> str:
    """Is each point or row of a launch computed as if it were alone?"""
    return c.eq(c.header(Header.LEVELS), 0)


def _has_few_rows(c: LoopFunction, t: Tuning, work: str, outer: str, lane: str) -> str:
    """Has a launch too few rows for parts that do not take long?"""
    few = c.lt(_length(c, "%E", outer), c.udiv(work, t.tasks.poll_task_ns))
    return c.all(
        is_cut_at_will(c), few, c.ge(_length(c, "%E", lane), c.max(_length(c, "%E", outer), 2 * t.tasks.lane_elements))
    )


def _exceeds_cache(c: LoopFunction, t: Tuning) -> str:
    """Does a launch read more than a core's largest cache holds?"""
    read = c.mul(longest_axis(c, "%D", "%S", "%E"), c.header(Header.INPUTS))
    return c.ge(read, c.limit("alternate_min_bytes"))


def _min_ns(c: LoopFunction, t: Tuning, exceeds: str) -> str:
    """ns of a launch from which it is cut into tasks.  What exceeds one core's cache may fit several cores'."""
    return c.choose(c.any(_is_independent(c), exceeds), t.tasks.independent_min_ns, t.tasks.parallel_min_ns)


def _task_count(t: Tuning) -> str:
    """The number of a job's parts along an axis, of `grain` elements or more, multiples of `unit`; their size and how
    much larger the last may be go to the job.  Few columns would be added up as wide rows (`short_rows.reduce_wide`),
    in an order of their own: they are no part."""
    numbers = ["i64 axis", "i64 grain", "i64 unit"]
    c = LoopFunction("i64", "task_count", ["ptr pool", "ptr D", "ptr E", "ptr S", "ptr job", *numbers], internal=True)
    work, independent = _work(c, "%E"), _is_independent(c)
    exceeds, each = _exceeds_cache(c, t), c.choose(independent, 1, t.loops.single_thread_task_ratio)
    with c.when(c.any(c.lt(work, _min_ns(c, t, exceeds)), c.lt("%axis", 0))):
        c.ret("i64", 1)
    extent, more = c.get("%E", "%axis"), c.choose(c.eq("%grain", 1), 0, t.loops.wide_max_columns)
    fitting = c.sdiv(extent, "%grain")
    even = c.all(c.gt(fitting, 2), c.ne("%grain", "%unit"))
    fitting = c.choose(even, c.and_(fitting, -2), fitting)
    wanted = tasks_of(c, t, c.udiv(work, each), c.choose(exceeds, c.limit("task_min_ns"), t.loops.task_ns))
    most = c.choose(JOB.get(c, "both"), t.tasks.max_tasks, _max_tasks(c, t))
    wanted = c.choose(independent, c.min(wanted, most), wanted)
    wanted = c.max(wanted, c.choose(is_cut_at_will(c), c.udiv(work, t.tasks.poll_task_ns), 0))
    some = c.choose(independent, c.min(c.and_(c.udiv(work, t.tasks.small_task_ns), -2), t.tasks.small_tasks), 2)
    count = c.max(c.min(c.max(wanted, some), fitting), 1)
    size = c.mul(ceil_div(c, ceil_div(c, extent, "%unit"), count), "%unit")
    for name, value in (("axis", "%axis"), ("size", size), ("more", more)):
        JOB.put(c, "%job", name, value)
    return c.end("i64", ceil_div(c, c.max(c.sub(extent, more), 1), size))


def _max_tasks(c: LoopFunction, t: Tuning) -> str:
    """The most parts of a launch whose results do not depend on their number."""
    most = c.cell(t.tasks.max_tasks)
    with c.when(c.not_null("%pool")):
        threads = c.add(c.load("i64", "%pool", layouts.TH_WANTED), 1)
        c.put(c.mul(threads, t.tasks.tasks_per_thread), most, 0)
    return c.get(most, 0)


def _count(c: LoopFunction, extents: str, strides: str, job: str, axis: str, grain: str | int, unit: str | int) -> str:
    numbers = (f"i64 {x}" for x in (axis, grain, unit))
    return c.call(
        "i64", "@task_count", "ptr %pool", "ptr %D", f"ptr {extents}", f"ptr {strides}", f"ptr {job}", *numbers
    )


def _run_task() -> str:
    """The k-th part of a job; then the one that the other thread has, if both are to read it."""
    c = LoopFunction("void", "run_task", ["ptr job", "i64 k"], internal=True)
    c.call("void", "@run_like_tasks", "ptr %job", "i64 %k", "i64 1")
    with c.when(JOB.get(c, "both")):
        c.call("void", "@read_task", "ptr %job", f"i64 {_from_end(c, JOB.get(c, 'count'), '%k')}")
    return c.end()


def _from_end(c: LoopFunction, count: str, k: str) -> str:
    return c.sub(c.sub(count, 1), k)


def _read_task() -> str:
    """Read a byte of each line of the k-th part of what a launch reads, where that is one range of memory."""
    c = LoopFunction("void", "read_task", ["ptr job", "i64 k"], internal=True)
    given = JOB.given(c)
    axis, axes = given["axis"], c.get(given["D"], Header.AXES)
    start = c.mul("%k", given["size"])
    length = c.min(c.sub(c.get(given["E"], axis), start), given["size"])
    with c.loop(c.get(given["D"], Header.INPUTS)) as loop:
        strides = c.word(given["S"], c.mul(loop.index, axes))
        step = c.get(strides, axis)
        with c.loop(axes, ("i64", "0")) as other:
            along = c.mul(c.get(strides, other.index), c.sub(c.get(given["E"], other.index), 1))
            other.next = [c.add(other.values[0], c.choose(c.eq(other.index, axis), 0, along))]
        place = c.gep(c.get(given["B"], loop.index, "ptr"), c.mul(step, start))
        inside = other.values[0]
        is_range = c.all(c.ge(inside, 0), c.lt(inside, step))
        last = c.add(c.mul(step, c.sub(length, 1)), inside)
        with c.loop(c.choose(is_range, c.add(last, 1), 0), step=64) as line:
            c.op(f"load volatile i8, ptr {c.gep(place, line.index)}, align 1")
    return c.end()


def _run_task_backward() -> str:
    c = LoopFunction("void", "run_task_backward", ["ptr job", "i64 k"], internal=True)
    c.call("void", "@run_task", "ptr %job", f"i64 {from_middle(c, '%k', JOB.get(c, 'count'))}")
    return c.end()


def _run_like_tasks() -> str:
    """`times` parts of a job as large as the k-th, from that one on, as one run: they differ in their places only."""
    c = LoopFunction("void", "run_like_tasks", ["ptr job", "i64 k", "i64 times"], internal=True)
    poll(c)
    given = JOB.given(c)
    axis, size = given["axis"], given["size"]
    axes, number = c.get(given["D"], Header.AXES), c.get(given["D"], Header.OPERANDS)
    bases, extents = (c.op(f"alloca i64, i64 {n}, align 8") for n in (number, axes))
    start = c.mul("%k", size)
    with c.loop(axes) as loop:
        c.put(c.get(given["E"], loop.index), extents, loop.index)
    left = c.sub(c.get(given["E"], axis), start)
    is_last = c.le(left, c.add(size, given["more"]))
    c.put(c.choose(is_last, left, size), extents, axis)
    _move_addresses(c, given["D"], given["S"], axis, start, given["B"], bases)
    bytes_, states = c.get(given["D"], Header.STATE_BYTES), given["states"]
    out = c.choose(c.is_null(states), "null", c.gep(states, c.mul("%k", bytes_)), "ptr")
    words = {
        Stage.CODE: given["from"],
        Stage.CODE_END: given["to"],
        Stage.AXIS: axis,
        Stage.START: start,
        Stage.POINTS: product(c, given["E"], axes),
        Stage.KEPT: given["kept"],
        Stage.OUT: out,
        Stage.OUT_BYTES: bytes_,
        Stage.IS_MERGED: given["merged"],
        Stage.TIMES: "%times",
        Stage.TASK_SIZE: size,
        Stage.SHARED: given["count"],
    }
    stage = _stage_of(c, words)
    given |= {"B": bases, "E": extents}
    bad = c.call("i64", "@run_stage", *operands(NEST_PARAMS, given), f"ptr {stage}")
    c.do(f"%old = atomicrmw or ptr {c.word('%job', JOB.words['flag'])}, i64 {bad} seq_cst")
    return c.end()


def _move_addresses(c: LoopFunction, words: str, strides: str, axis: str, by: str, places: str, moved: str) -> None:
    """All operands' places by so many elements along an axis."""
    axes = c.get(words, Header.AXES)
    with c.loop(c.get(words, Header.OPERANDS)) as loop:
        step = c.get(strides, c.add(c.mul(loop.index, axes), axis))
        c.put(c.add(c.get(places, loop.index), c.mul(step, by)), moved, loop.index)


def _next_task() -> str:
    """Behind one of several parts of a run: what others need of it, and the next one's places."""
    c = LoopFunction("void", "next_task", ["ptr cx", "ptr S", "ptr stage"], internal=True)
    c.call("void", "@send", f"ptr {c.context(Context.SCRATCH)}", "ptr %stage")
    out, words = c.get("%stage", Stage.OUT, "ptr"), c.context(Context.DESCRIPTOR)
    with c.when(c.not_null(out)):
        c.put(c.gep(out, c.get("%stage", Stage.OUT_BYTES)), "%stage", Stage.OUT, "ptr")
    axis, size = c.get("%stage", Stage.AXIS), c.get("%stage", Stage.TASK_SIZE)
    origins, current = (c.get("%cx", k, "ptr") for k in (Context.ORIGINS, Context.ADDRESSES))
    c.put(c.add(c.get(origins, axis), size), origins, axis)
    _move_addresses(c, words, "%S", axis, size, current, current)
    for k in (Context.COUNT, Context.LIVE, Context.ROWS):
        c.put(1, "%cx", k)
    return c.end()


def _stage_of(c: LoopFunction, values: Mapping[int, object]) -> str:
    """A stage on the stack; words without a value are 0."""
    stage = c.op(f"alloca i64, i64 {Stage.WORDS}, align 8")
    for word in range(Stage.WORDS):
        kind, none = ("ptr", "null") if word in (Stage.KEPT, Stage.STATES, Stage.OUT, Stage.POOL) else ("i64", 0)
        c.put(values.get(word, none), stage, word, kind)
    return stage


def _copy_kept() -> str:
    """So many bytes, a multiple of 64."""
    c = LoopFunction("void", "copy_kept", ["ptr to", "ptr from", "i64 count"], internal=True)
    with c.loop("%count", step=64) as at:
        line = c.op(f"load <8 x i64>, ptr {c.gep('%from', at.index)}, align 8")
        c.do(f"store <8 x i64> {line}, ptr {c.gep('%to', at.index)}, align 8")
    return c.end()


def _receive() -> str:
    """Before a stage: what is kept, and the states of all parts as one."""
    c = LoopFunction("void", "receive", ["ptr cx", "ptr stage"], internal=True)
    kept, words = c.get("%stage", Stage.KEPT, "ptr"), c.context(Context.DESCRIPTOR)
    first, bytes_ = c.gep(c.context(Context.SCRATCH), KEPT_OFFSET_BYTES), c.get(words, Header.STATE_BYTES)
    with c.when(c.not_null(kept)):
        c.call("void", "@copy_kept", f"ptr {first}", f"ptr {kept}", f"i64 {c.get(words, Header.KEPT_BYTES)}")
    code = f"i64 {c.get('%stage', Stage.JOIN)}", f"i64 {c.get('%stage', Stage.JOIN_END)}"
    count = c.get("%stage", Stage.STATE_COUNT)
    with c.when(c.gt(count, 1)):
        c.call("void", "@resolve", "ptr %cx", *code)
    with c.loop(count) as k:
        there = c.gep(c.get("%stage", Stage.STATES, "ptr"), c.mul(k.index, bytes_))
        is_other = c.ne(k.index, 0)
        here = c.gep(first, c.choose(is_other, bytes_, 0))
        c.call("void", "@copy_kept", f"ptr {here}", f"ptr {there}", f"i64 {bytes_}")
        with c.when(is_other):
            c.call("void", "@execute", "ptr %cx", *code)
    return c.end()


def _send() -> str:
    """Behind a stage: what others need of it."""
    c = LoopFunction("void", "send", ["ptr scratch", "ptr stage"], internal=True)
    out = c.get("%stage", Stage.OUT, "ptr")
    with c.when(c.not_null(out)):
        bytes_ = c.get("%stage", Stage.OUT_BYTES)
        c.call("void", "@copy_kept", f"ptr {out}", f"ptr {c.gep('%scratch', KEPT_OFFSET_BYTES)}", f"i64 {bytes_}")
    return c.end()


def _between_passes() -> str:
    """What is computed once, from the states of `count` parts; what is kept is changed."""
    code = ["i64 from", "i64 to", "i64 join", "i64 joined"]
    c = LoopFunction("void", "between_passes", ["ptr job", *code, "i64 count"], internal=True)
    given = JOB.given(c)
    kept = given["kept"]
    words = {
        Stage.CODE: "%from",
        Stage.CODE_END: "%to",
        Stage.JOIN: "%join",
        Stage.JOIN_END: "%joined",
        Stage.KEPT: kept,
        Stage.STATES: given["states"],
        Stage.STATE_COUNT: "%count",
        Stage.OUT: kept,
        Stage.OUT_BYTES: c.get(given["D"], Header.KEPT_BYTES),
    }
    stage = _stage_of(c, words)
    bad = c.call("i64", "@run_stage", *operands(NEST_PARAMS, given), f"ptr {stage}")
    JOB.put(c, "%job", "flag", c.or_(bad, given["flag"]))
    return c.end()


def _run_levels() -> str:
    """A job of passes over all elements, each by `count` parts."""
    c = LoopFunction("void", "run_levels", ["ptr pool", "ptr job", "i64 count"], internal=True)
    words = JOB.get(c, "D")
    levels, bytes_ = c.get(words, Header.LEVELS), c.get(words, Header.KEPT_BYTES)
    kept, states = (
        c.op(f"alloca i8, i64 {n}, align 64") for n in (bytes_, c.mul("%count", c.get(words, Header.STATE_BYTES)))
    )
    with c.loop(bytes_, step=8) as at:
        c.do(f"store i64 0, ptr {c.gep(kept, at.index)}, align 8")
    JOB.put(c, "%job", "kept", kept)
    JOB.put(c, "%job", "states", states)
    pairs = c.add(c.get(words, Header.EXCHANGES), c.get(words, Header.MERGES))
    table = c.word(words, c.add(c.shl(pairs, 1), Header.WORDS))
    code = f"i64 {c.get(words, Header.CODE)}", f"i64 {c.get(table, 0)}"
    with c.when(c.ne(c.get(words, Header.CODE), c.get(table, 0))):
        c.call("void", "@between_passes", "ptr %job", *code, "i64 0", "i64 0", "i64 0")
    with c.loop(levels) as level:
        row = c.word(table, c.shl(level.index, 2))
        pass_, rows, join, joined, following = (c.get(row, k) for k in range(5))
        JOB.put(c, "%job", "from", pass_)
        JOB.put(c, "%job", "to", rows)
        done = c.call("i64", "@run_all_tasks", "ptr %pool", "ptr %job", "i64 %count")
        is_last = c.eq(c.add(level.index, 1), levels)
        to = c.choose(is_last, c.get(words, Header.CODE_END), following)
        c.call(
            "void",
            "@between_passes",
            "ptr %job",
            f"i64 {rows}",
            f"i64 {to}",
            f"i64 {join}",
            f"i64 {joined}",
            f"i64 {done}",
        )
    return c.end()


def _run_all_tasks() -> str:
    """A job's `count` parts, by threads if there is a pool; gives how many there are up to one that decides all."""
    c = LoopFunction("i64", "run_all_tasks", ["ptr pool", "ptr job", "i64 count"], internal=True)
    words, states, traversal = (JOB.get(c, name) for name in ("D", "states", "order"))
    stops, bytes_ = c.get(words, Header.DECIDING_ELEMENT), c.get(words, Header.STATE_BYTES)
    is_back = c.all(c.ge(traversal, BACKWARD), c.eq(stops, 0))
    opposite = c.sub(FORWARD + BACKWARD, c.min(traversal, BACKWARD))
    JOB.put(c, "%job", "order", c.choose(c.eq(traversal, ANY_ORDER), ANY_ORDER, opposite))
    with c.when(c.is_null("%pool")):
        others = (
            c.get(words, k)
            for k in (
                Header.DECIDING_ELEMENT,
                Header.DIRECT_CALL,
                Header.POSITION_CALL,
                Header.TAKE,
                Header.TRANSPOSABLE,
                Header.COPIED_OPERANDS,
            )
        )
        with c.when(c.eq(reduce(partial(c.arith, "or"), others, c.as_i64(is_back)), 0)):
            _run_all(c)
        with c.loop("%count") as k:
            number = c.choose(is_back, _from_end(c, "%count", k.index), k.index)
            c.call("void", "@run_like_tasks", "ptr %job", f"i64 {number}", "i64 1")
            with c.when(c.ne(stops, 0)):
                first = c.op(f"load i8, ptr {c.gep(states, c.mul(k.index, bytes_))}, align 1")
                decided = c.add(c.op(f"zext i8 {first} to i64"), 1)
                with c.when(c.eq(decided, stops)):
                    c.ret("i64", c.add(k.index, 1))
        c.ret("i64", "%count")
    JOB.put(c, "%job", "count", "%count")
    with c.when(is_back):
        share(c, "%pool", "run_task_backward", "%job", "%count")
        c.ret("i64", "%count")
    share(c, "%pool", "run_task", "%job", "%count")
    return c.end("i64", "%count")


def _run_all(c: LoopFunction) -> None:
    """All parts, those as large as the first as one run."""
    all_of, size = c.get(JOB.get(c, "E"), JOB.get(c, "axis")), JOB.get(c, "size")
    is_even = c.eq(all_of, c.mul("%count", size))
    like = c.choose(is_even, "%count", c.sub("%count", 1))
    c.call("void", "@run_like_tasks", "ptr %job", "i64 0", f"i64 {like}")
    with c.when(c.ne(like, "%count")):
        c.call("void", "@run_like_tasks", "ptr %job", f"i64 {like}", "i64 1")
    c.ret("i64", "%count")


def _reduce_columns(t: Tuning) -> str:
    """A launch that reduces along rows, with lanes along columns: parts of columns, of an outer axis, or of the rows.
    Its axes are merged first, as how many columns are adjacent decides on the order in which rows are added up."""
    c = LoopFunction("i64", "reduce_columns", ["ptr pool", *NEST_PARAMS, "i64 order"], internal=True)
    outer, lane, width = (c.get("%D", k) for k in (Header.OUTER_AXIS, Header.LANE_AXIS, Header.LANES))
    job, bytes_, alone = (JOB.made(c, {"both": "false"}), c.cell(0), c.lt(_work(c, "%E"), t.tasks.independent_min_ns))
    with c.when(c.all(c.ne(c.header(Header.TRANSPOSABLE), 0), c.negate(alone))):
        block = c.call("i64", "@transposed_block", "ptr %D", "ptr %S", "ptr %E", f"ptr {bytes_}")
        with c.when(c.ne(block, 0)):
            _return_in_tasks(c, job, named(NEST_PARAMS), _count(c, "%E", "%S", job, lane, t.tasks.columns, width), 0)
    strides, extents = room_for_copies(c)
    alone = c.any(alone, _is_copied(c, strides, extents))
    with c.when(alone):
        c.ret("i64", c.call("i64", "@run_stage", *passed(NEST_PARAMS), "ptr null"))
    c.call("void", "@canonicalise_axes", "ptr %D", "ptr %E", "ptr %S", f"ptr {extents}", f"ptr {strides}")
    rows, n = (_length(c, extents, k) for k in (outer, lane))
    least = c.max(
        c.mul(n, t.tasks.split_rows_column_bytes), c.mul(c.header(Header.COLUMN_READS), c.limit("split_rows_min_bytes"))
    )
    longest = longest_axis(c, "%D", strides, extents)
    is_worth = c.any(
        c.gt(c.header(Header.COLUMN_READS), 1), c.lt(c.mul(longest, n), c.limit("split_rows_max_state_bytes"))
    )
    exceeds = c.all(c.ge(longest, least), is_worth)
    few = c.lt(n, c.choose(exceeds, c.limit("split_rows_max_columns"), 2 * t.tasks.columns))
    many = c.ge(rows, t.loops.shared_rows)
    long = c.ge(c.udiv(_work(c, extents), c.max(rows, 1)), 2 * t.loops.single_thread_task_ratio * t.loops.task_ns)
    by_rows = c.any(many, few)
    with c.when(c.all(few, c.gt(n, 0), c.negate(many), c.any(long, c.lt(rows, 2)))):
        tasks = c.choose(c.ge("%order", BACKWARD), TASKS_BACKWARD, TASKS_FORWARD)
        words = {
            Stage.CODE: c.header(Header.CODE),
            Stage.CODE_END: c.header(Header.CODE_END),
            Stage.TASKS: tasks,
            Stage.POOL: "%pool",
            Stage.IS_MERGED: 1,
        }
        c.ret("i64", c.call("i64", "@run_stage", *passed(NEST_PARAMS), f"ptr {_stage_of(c, words)}"))
    grain, unit = (c.choose(by_rows, 1, k) for k in (t.tasks.columns, width))
    count = _count(c, extents, strides, job, c.choose(by_rows, outer, lane), grain, unit)
    _return_in_tasks(c, job, {**named(NEST_PARAMS), "E": extents, "S": strides}, count, 1)
    return c.text


def _is_copied(c: LoopFunction, strides: str, extents: str) -> str:
    """Does the launch go by copies of its operands?  How its rows are added up then depends on all of it."""
    place = c.cell(0)
    with c.when(c.ne(c.header(Header.COPIED_OPERANDS), 0)):
        tables = f"ptr {strides}", f"ptr {extents}"
        c.put(c.call("i64", "@copied_block", "ptr %D", "ptr %S", "ptr %E", *tables), place, 0)
    return c.ne(c.get(place, 0), 0)


def _return_in_tasks(c: LoopFunction, job: str, tables: dict[str, str], count: str, merged: int) -> None:
    """All of a launch, in so many parts if there is a pool for them."""
    with c.when(c.any(c.is_null("%pool"), c.lt(count, 2))):
        c.ret("i64", c.call("i64", "@run_stage", *passed(NEST_PARAMS), "ptr null"))
    _fill(c, job, tables, merged)
    c.call("i64", "@run_all_tasks", "ptr %pool", f"ptr {job}", f"i64 {count}")
    c.ret("i64", c.get(job, JOB.words["flag"]))


def _fill(c: LoopFunction, job: str, tables: dict[str, str], merged: int = 0, traversal: str | int = ANY_ORDER) -> None:
    """A job of all of a launch."""
    code = {"from": c.header(Header.CODE), "to": c.header(Header.CODE_END), "merged": merged, "order": traversal}
    for name, value in {**tables, **code, "kept": "null", "states": "null", "flag": "0", "count": 0}.items():
        JOB.put(c, job, name, value)


def _run_nest(t: Tuning) -> str:
    c = _of_plan("run_nest", internal=False)
    place = c.op("alloca ptr, align 8")
    pool = _pool(c, place)
    return_if_contiguous(c, t, c.not_null(pool), lambda: move_to_alternate_stack(c, place))
    move_to_alternate_stack(c, place, always=True)
    _run(c, pool)
    return c.text


def _launch(t: Tuning) -> str:
    """The same, on whichever stack it is called."""
    c = _of_plan("launch", internal=True)
    pool = _pool(c, c.op("alloca ptr, align 8"))
    return_if_contiguous(c, t, c.not_null(pool))
    _run(c, pool)
    return c.text


def _of_plan(name: str, internal: bool) -> LoopFunction:
    c = LoopFunction("i64", name, ["ptr rt", *RUN_NEST_PARAMS], internal=internal)
    for name, at in (("K", layouts.PLAN_KERNELS), ("D", layouts.PLAN_DESCRIPTOR)):
        c.do(f"%{name} = load ptr, ptr {c.gep('%plan', at)}")
    return c


def _pool(c: LoopFunction, place: str) -> str:
    """The pool, if a launch is worth threads, or null."""
    c.put("null", place, 0, "ptr")
    with c.when(c.not_null("%rt")):
        there = c.load("ptr", "%rt", layouts.RT["threads"])
        with c.when(c.not_null(there)):
            worth = c.call("i1", "@is_worth_threads", f"ptr {there}", "ptr %D", "ptr %S", "ptr %E")
            c.put(c.choose(worth, there, "null", "ptr"), place, 0, "ptr")
    return c.get(place, 0, "ptr")


def _run(c: LoopFunction, pool: str) -> None:
    return_if_small_transposed(c)
    alone, shared_out = c.label("alone"), c.label("ask")
    levels, down = c.header(Header.LEVELS), c.header(Header.COLUMN_READS)
    traversal = traversal_of(c, "%rt", c.is_null(pool))
    is_one = c.eq(c.or_(c.or_(levels, down), traversal), 0)
    c.branch(c.all(c.is_null(pool), is_one), alone, shared_out)
    c.place(alone)
    c.ret("i64", c.call("i64", "@run_stage", *passed(NEST_PARAMS), "ptr null"))
    c.place(shared_out)
    given = f"ptr {pool}", *passed(NEST_PARAMS)
    with c.when(c.ne(down, 0)):
        c.ret("i64", c.call("i64", "@reduce_columns", *given, f"i64 {traversal}"))
    with c.when(c.ne(c.header(Header.ROW_AXES), 0)):
        c.ret("i64", c.call("i64", "@run_rows_alone", *given))
    c.ret("i64", c.call("i64", "@run_in_tasks", *given, f"i64 {traversal}"))


def _is_worth_threads(t: Tuning) -> str:
    """Is a launch worth threads, as they are now?"""
    c = LoopFunction("i1", "is_worth_threads", ["ptr pool", "ptr D", "ptr S", "ptr E"], internal=True)
    work, shared, alone = _work(c, "%E"), c.label("share"), c.label("alone")
    with c.when(c.lt(work, t.tasks.independent_min_ns)):
        c.ret("i1", "false")
    if_worth(c, t, "%pool", work, _min_ns(c, t, _exceeds_cache(c, t)), shared, alone)
    c.place(shared)
    c.ret("i1", "true")
    c.place(alone)
    return c.end("i1", "false")


def _run_rows_alone() -> str:
    """A launch of few long rows, one by one."""
    c = LoopFunction("i64", "run_rows_alone", ["ptr pool", *NEST_PARAMS], internal=True)
    axes, number = c.header(Header.AXES), c.header(Header.OPERANDS)
    bases, extents = (c.op(f"alloca i64, i64 {n}, align 8") for n in (number, axes))
    bad, row_axes = c.cell(0), c.header(Header.ROW_AXES)
    with c.loop(axes, ("i64", "1")) as axis:
        is_of_rows = c.ne(c.and_(row_axes, c.shl(1, axis.index)), 0)
        own = c.choose(is_of_rows, c.get("%E", axis.index), 1)
        c.put(c.choose(is_of_rows, 1, c.get("%E", axis.index)), extents, axis.index)
        axis.next = [c.mul(axis.values[0], own)]
    with c.loop(axis.values[0]) as row:
        _place_row(c, row.index, bases, extents)
        given = {**named(NEST_PARAMS), "B": bases, "E": extents}
        c.note(
            c.ne(c.call("i64", "@run_in_tasks", "ptr %pool", *operands(NEST_PARAMS, given), f"i64 {ANY_ORDER}"), 0), bad
        )
    return c.end("i64", c.get(bad, 0))


def _place_row(c: LoopFunction, row: str, bases: str, extents: str) -> None:
    """The operands' addresses of a row, by its number: axes that are of one element now and were not are of rows."""
    axes, number = c.header(Header.AXES), c.header(Header.OPERANDS)
    with c.loop(number) as loop:
        strides = c.word("%S", c.mul(loop.index, axes))
        with c.loop(axes, ("i64", row), ("i64", c.get("%B", loop.index))) as tasks:
            axis = c.sub(c.sub(axes, 1), tasks.index)
            left, place = tasks.values
            extent = c.choose(c.eq(c.get(extents, axis), 1), c.get("%E", axis), 1)
            offset = c.mul(c.urem(left, extent), c.get(strides, axis))
            tasks.next = [c.udiv(left, extent), c.add(place, offset)]
        c.put(tasks.values[1], bases, loop.index)


def _run_in_tasks(t: Tuning) -> str:
    """All of a launch, by parts of one axis where that is worth it."""
    c = LoopFunction("i64", "run_in_tasks", ["ptr pool", *NEST_PARAMS, "i64 order"], internal=True)
    levels = c.header(Header.LEVELS)
    job = JOB.made(c, {"both": c.eq("%order", BACKWARD_SHARED)})
    outer, lane = c.header(Header.OUTER_AXIS), c.header(Header.LANE_AXIS)
    by_rows = c.any(c.ge(_length(c, "%E", outer), t.loops.shared_rows), c.lt(lane, 0))
    by_rows = c.all(by_rows, c.negate(_has_few_rows(c, t, _work(c, "%E"), outer, lane)))
    grain, unit = (c.choose(by_rows, 1, k) for k in (t.tasks.lane_elements, LANE_MULTIPLE))
    count = _count(c, "%E", "%S", job, c.choose(by_rows, outer, lane), grain, unit)
    with c.when(c.lt(count, 2)):
        c.ret("i64", c.call("i64", "@run_stage", *passed(NEST_PARAMS), "ptr null"))
    _fill(c, job, named(NEST_PARAMS), traversal="%order")
    given = "ptr %pool", f"ptr {job}", f"i64 {count}"
    with c.when(c.eq(levels, 0)):
        c.call("i64", "@run_all_tasks", *given)
        c.ret("i64", c.get(job, JOB.words["flag"]))
    c.call("void", "@run_levels", *given)
    return c.end("i64", c.get(job, JOB.words["flag"]))


def _run_tile() -> str:
    """A launch on some rows and columns of the matrix that it follows, by an environment
    (`program_ir.gemm_epilogues.TILE`)."""
    c = LoopFunction("void", "run_tile", ["ptr rt", "ptr job", "i64 row", "i64 column", "i64 rows", "i64 columns"])
    given = Job(TILE).given(c)
    axes, down, across = (given[name] for name in ("axes", "down", "across"))
    bases = c.op(f"alloca ptr, i64 {c.mul(given['operands'], 2)}, align 8")
    extents = c.op(f"alloca i64, i64 {axes}, align 8")
    with c.loop(given["operands"]) as o:
        steps = c.word(given["S"], c.mul(o.index, axes))
        below = c.mul(c.get(steps, down), "%row")
        right = c.mul(c.get(steps, across), "%column")
        moved = c.gep(c.get(given["B"], o.index, "ptr"), c.add(below, right))
        c.put(moved, bases, o.index, "ptr")
    c.put("%rows", extents, down)
    c.put("%columns", extents, across)
    c.call("i64", "@run_nest", "ptr %rt", *operands(RUN_NEST_PARAMS, given | {"B": bases, "E": extents}))
    return c.end()
