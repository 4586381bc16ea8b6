"""Of the nest library: a launch shared out among threads, as launches over parts of one axis.

Parts depend on extents only, and each point or row is computed as if it were alone, so results do not depend on who
does what, nor on how many threads there are.  Where all axes are reduced, parts are made for one thread as well: of
each pass over the elements every part has states of its own, which are combined in the order of the parts, and what
follows from the results is computed once, before the next pass.  So it is with a few long rows, one by one, and with
the rows of few columns, of which each pass is parted by itself (`loops.parallel_rows`).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial, reduce

from tensordsl.codegen.abi import layouts
from tensordsl.codegen.abi.descriptor import (
    CODE,
    COMPACT,
    CX_COUNT,
    CX_CUR,
    CX_D,
    CX_LIVE,
    CX_ORIGINS,
    CX_ROWS,
    CX_SCRATCH,
    DOWN,
    END,
    FAST,
    HEADER,
    KEPT,
    LANE,
    LAUNCH,
    LEVELS,
    N_AXES,
    N_INPUTS,
    N_MERGES,
    N_OPERANDS,
    N_SWAPS,
    N_TRANSPOSED,
    OUTER,
    PARAMS,
    PARTED,
    PARTED_BACK,
    PLACED,
    ROW_AXES,
    STATES,
    STOPS,
    T_AXIS,
    T_BYTES,
    T_COUNT,
    T_FROM,
    T_JOIN,
    T_JOINED,
    T_KEPT,
    T_MERGED,
    T_OUT,
    T_PARTS,
    T_POINTS,
    T_POOL,
    T_SHARED,
    T_SIZE,
    T_START,
    T_STATES,
    T_TIMES,
    T_TO,
    T_WORDS,
    TAKEN,
    WIDTH,
    WORK,
)  # fmt: skip
from tensordsl.codegen.library.loops.alternate_stack import launch_texts, move_to_alternate_stack
from tensordsl.codegen.library.loops.contiguous import call_if_flat
from tensordsl.codegen.library.loops.descriptor import product
from tensordsl.codegen.library.loops.limits import FOLDED, LONG, SHARE, SHARED_ROWS, WIDE_ROW
from tensordsl.codegen.library.loops.pack.reductions import room_for_copies
from tensordsl.codegen.library.loops.parallel_rows import MOST, from_middle, longest_axis, parts_of, quotient
from tensordsl.codegen.library.loops.small_transposed import call_if_straight
from tensordsl.codegen.library.loops.traversal_order import BACK, BOTH, NEAR, THERE, is_free, way_of, way_text
from tensordsl.codegen.library.parallel import Job, if_worth, named, operands, share
from tensordsl.codegen.library.signals import poll
from tensordsl.codegen.llvm.builder import passed
from tensordsl.codegen.llvm.function import Function
from tensordsl.codegen.program_ir.gemm_epilogues import TILE
from tensordsl.codegen.target.tuning import CacheTuning

WORTH = 60_000  # ns of estimated work from which threads are asked, and there are two parts
EARLY = 16_000  # the same where each point or row is computed as if it were alone, however many parts there are
FINE, SOME = 8_000, 4  # ns of the parts of such a launch, and how many of them, before they have their share
EACH = 4  # of such a launch's parts for each thread, at most: what is near the border of two is read twice
GRAIN, UNIT = 1024, 128  # elements along the lanes' axis: of a part at least, and what it has a multiple of
MANY = 2048  # bytes of each column, at least, of more than twice `COLUMNS`, whose rows are parted
COLUMNS = 256  # of a part at least, of a reduction along rows, though its last one may have fewer: over `WIDE_ROW`
MOST_POINTS = 1 << 42  # whose work is estimated: the number fits its word
FIRST = 64  # bytes of scratch before what is kept from level to level
# Of a launch: the axis that is parted, elements of a part, how many more the last one may have; the code of a part,
# what all of them begin with, where their states go; whether axes are merged already; whether one has failed; which way
# to go through them (`loops.traversal_order`), how many of them threads share, and whether both are to read all of
# them.
PARTS = ("i64 axis", "i64 size", "i64 more", "i64 from", "i64 to", "ptr kept", "ptr states", "i64 merged", "i64 flag")
JOB = Job((*PARAMS, *PARTS, "i64 way", "i64 count", "i1 both"))


def share_texts(caches: CacheTuning) -> list[str]:
    parts = [_parts(caches), _read_part(), _part(), _part_back(), _like_parts(), _next_part()]
    stages = [_copy(), _receive(), _send(), _stage(), _levels()]
    launches = [_run_nest(), _launch(), *launch_texts(), _run_tile()]
    return [*parts, *stages, _all_parts(), _run_parts(), _worth(caches), way_text(caches), *launches]


def reduction_texts(caches: CacheTuning) -> list[str]:
    return [_run_down(caches), _run_rows()]


def _work(c: Function, extents: str) -> str:
    """ns of a launch, as estimated."""
    points = c.min(product(c, extents, c.get("%D", N_AXES)), MOST_POINTS)
    return c.arith("udiv", c.arith("mul", points, c.get("%D", WORK)), 1000)


def _length(c: Function, extents: str, axis: str) -> str:
    """Of an axis; 0 if it is none."""
    return c.choose(c.test("sge", axis, 0), c.get(extents, c.max(axis, 0)), 0)


def _is_apart(c: Function) -> str:
    """Is each point or row of a launch computed as if it were alone?"""
    return c.test("eq", c.get("%D", LEVELS), 0)


def _may_be_long(c: Function, work: str, outer: str, lane: str) -> str:
    """Has a launch too few rows for parts that do not take long?"""
    few = c.test("slt", _length(c, "%E", outer), c.arith("udiv", work, LONG))
    return c.all(is_free(c), few, c.test("sge", _length(c, "%E", lane), c.max(_length(c, "%E", outer), 2 * GRAIN)))


def _is_far(c: Function, caches: CacheTuning) -> str:
    """Does a launch read more than the nearest large cache holds?"""
    read = c.arith("mul", longest_axis(c, "%D", "%S", "%E"), c.get("%D", N_INPUTS))
    return c.test("sge", read, caches.alternate_min_bytes)


def _least(c: Function, far: str) -> str:
    """ns of a launch from which it is shared out.  What is far is near for several threads, each with its part."""
    return c.choose(c.any(_is_apart(c), far), EARLY, WORTH)


def _parts(caches: CacheTuning) -> str:
    """The number of a job's parts along an axis, of `grain` elements or more, multiples of `unit`; their size and how
    much larger the last may be go to the job.  Few columns would be added up as wide rows (`short_rows.reduce_wide`),
    in an order of their own: they are no part."""
    numbers = ["i64 axis", "i64 grain", "i64 unit"]
    c = Function("i64", "parts", ["ptr pool", "ptr D", "ptr E", "ptr S", "ptr job", *numbers], internal=True)
    work, apart = _work(c, "%E"), _is_apart(c)
    far, each = _is_far(c, caches), c.choose(apart, 1, FOLDED)
    with c.when(c.any(c.test("slt", work, _least(c, far)), c.test("slt", "%axis", 0))):
        c.ret("i64", 1)
    extent, more = c.get("%E", "%axis"), c.choose(c.test("eq", "%grain", 1), 0, WIDE_ROW)
    fitting = c.arith("sdiv", extent, "%grain")
    even = c.all(c.test("sgt", fitting, 2), c.test("ne", "%grain", "%unit"))
    fitting = c.choose(even, c.arith("and", fitting, -2), fitting)
    wanted = parts_of(c, c.arith("udiv", work, each), c.choose(far, caches.task_min_ns, SHARE))
    most = c.choose(JOB.get(c, "both"), MOST, _most(c))
    wanted = c.choose(apart, c.min(wanted, most), wanted)
    wanted = c.max(wanted, c.choose(is_free(c), c.arith("udiv", work, LONG), 0))
    some = c.choose(apart, c.min(c.arith("and", c.arith("udiv", work, FINE), -2), SOME), 2)
    count = c.max(c.min(c.max(wanted, some), fitting), 1)
    size = c.arith("mul", quotient(c, quotient(c, extent, "%unit"), count), "%unit")
    for name, value in (("axis", "%axis"), ("size", size), ("more", more)):
        JOB.put(c, "%job", name, value)
    return c.end("i64", quotient(c, c.max(c.arith("sub", extent, more), 1), size))


def _most(c: Function) -> str:
    """The most parts of a launch whose results do not depend on their number."""
    most = c.cell(MOST)
    with c.when(c.not_null("%pool")):
        threads = c.arith("add", c.load("i64", "%pool", layouts.TH_WANTED), 1)
        c.put(c.arith("mul", threads, EACH), most, 0)
    return c.get(most, 0)


def _count(c: Function, extents: str, strides: str, job: str, axis: str, grain: str | int, unit: str | int) -> str:
    numbers = (f"i64 {x}" for x in (axis, grain, unit))
    return c.call("i64", "@parts", "ptr %pool", "ptr %D", f"ptr {extents}", f"ptr {strides}", f"ptr {job}", *numbers)


def _part() -> str:
    """The k-th part of a job; then the one that the other thread has, if both are to read it."""
    c = Function("void", "part", ["ptr job", "i64 k"], internal=True)
    c.call("void", "@like_parts", "ptr %job", "i64 %k", "i64 1")
    with c.when(JOB.get(c, "both")):
        c.call("void", "@read_part", "ptr %job", f"i64 {_from_end(c, JOB.get(c, 'count'), '%k')}")
    return c.end()


def _from_end(c: Function, count: str, k: str) -> str:
    return c.arith("sub", c.arith("sub", count, 1), k)


def _read_part() -> str:
    """Read a byte of each line of the k-th part of what a launch reads, where that is one range of memory."""
    c = Function("void", "read_part", ["ptr job", "i64 k"], internal=True)
    given = JOB.given(c)
    axis, axes = given["axis"], c.get(given["D"], N_AXES)
    start = c.arith("mul", "%k", given["size"])
    length = c.min(c.arith("sub", c.get(given["E"], axis), start), given["size"])
    with c.loop(c.get(given["D"], N_INPUTS)) as loop:
        strides = c.word(given["S"], c.arith("mul", loop.index, axes))
        step = c.get(strides, axis)
        with c.loop(axes, ("i64", "0")) as other:
            along = c.arith("mul", c.get(strides, other.index), c.arith("sub", c.get(given["E"], other.index), 1))
            other.next = [c.arith("add", other.values[0], c.choose(c.test("eq", other.index, axis), 0, along))]
        place = c.gep(c.get(given["B"], loop.index, "ptr"), c.arith("mul", step, start))
        inside = other.values[0]
        is_range = c.all(c.test("sge", inside, 0), c.test("slt", inside, step))
        last = c.arith("add", c.arith("mul", step, c.arith("sub", length, 1)), inside)
        with c.loop(c.choose(is_range, c.arith("add", last, 1), 0), step=64) as line:
            c.op(f"load volatile i8, ptr {c.gep(place, line.index)}, align 1")
    return c.end()


def _part_back() -> str:
    c = Function("void", "part_back", ["ptr job", "i64 k"], internal=True)
    c.call("void", "@part", "ptr %job", f"i64 {from_middle(c, '%k', JOB.get(c, 'count'))}")
    return c.end()


def _like_parts() -> str:
    """`times` parts of a job as large as the k-th, from that one on, as one run: they differ in their places only."""
    c = Function("void", "like_parts", ["ptr job", "i64 k", "i64 times"], internal=True)
    poll(c)
    given = JOB.given(c)
    axis, size = given["axis"], given["size"]
    axes, number = c.get(given["D"], N_AXES), c.get(given["D"], N_OPERANDS)
    bases, extents = (c.op(f"alloca i64, i64 {n}, align 8") for n in (number, axes))
    start = c.arith("mul", "%k", size)
    with c.loop(axes) as loop:
        c.put(c.get(given["E"], loop.index), extents, loop.index)
    left = c.arith("sub", c.get(given["E"], axis), start)
    is_last = c.test("sle", left, c.arith("add", size, given["more"]))
    c.put(c.choose(is_last, left, size), extents, axis)
    _move(c, given["D"], given["S"], axis, start, given["B"], bases)
    bytes_, states = c.get(given["D"], STATES), given["states"]
    out = c.choose(c.is_null(states), "null", c.gep(states, c.arith("mul", "%k", bytes_)), "ptr")
    words = {
        T_FROM: given["from"], T_TO: given["to"], T_AXIS: axis, T_START: start, T_POINTS: product(c, given["E"], axes),
        T_KEPT: given["kept"], T_OUT: out, T_BYTES: bytes_, T_MERGED: given["merged"], T_TIMES: "%times", T_SIZE: size,
        T_SHARED: given["count"],
    }  # fmt: skip
    stage = _stage_of(c, words)
    given |= {"B": bases, "E": extents}
    bad = c.call("i64", "@nest", *operands(PARAMS, given), f"ptr {stage}")
    c.do(f"%old = atomicrmw or ptr {c.word('%job', JOB.words['flag'])}, i64 {bad} seq_cst")
    return c.end()


def _move(c: Function, words: str, strides: str, axis: str, by: str, places: str, moved: str) -> None:
    """All operands' places by so many elements along an axis."""
    axes = c.get(words, N_AXES)
    with c.loop(c.get(words, N_OPERANDS)) as loop:
        step = c.get(strides, c.arith("add", c.arith("mul", loop.index, axes), axis))
        c.put(c.arith("add", c.get(places, loop.index), c.arith("mul", step, by)), moved, loop.index)


def _next_part() -> str:
    """Behind one of several parts of a run: what others need of it, and the next one's places."""
    c = Function("void", "next_part", ["ptr cx", "ptr S", "ptr stage"], internal=True)
    c.call("void", "@send", f"ptr {c.get('%cx', CX_SCRATCH, 'ptr')}", "ptr %stage")
    out, words = c.get("%stage", T_OUT, "ptr"), c.get("%cx", CX_D, "ptr")
    with c.when(c.not_null(out)):
        c.put(c.gep(out, c.get("%stage", T_BYTES)), "%stage", T_OUT, "ptr")
    axis, size = c.get("%stage", T_AXIS), c.get("%stage", T_SIZE)
    origins, current = (c.get("%cx", k, "ptr") for k in (CX_ORIGINS, CX_CUR))
    c.put(c.arith("add", c.get(origins, axis), size), origins, axis)
    _move(c, words, "%S", axis, size, current, current)
    for k in (CX_COUNT, CX_LIVE, CX_ROWS):
        c.put(1, "%cx", k)
    return c.end()


def _stage_of(c: Function, values: Mapping[int, object]) -> str:
    """A stage on the stack; words without a value are 0."""
    stage = c.op(f"alloca i64, i64 {T_WORDS}, align 8")
    for word in range(T_WORDS):
        kind, none = ("ptr", "null") if word in (T_KEPT, T_STATES, T_OUT, T_POOL) else ("i64", 0)
        c.put(values.get(word, none), stage, word, kind)
    return stage


def _copy() -> str:
    """So many bytes, a multiple of 64."""
    c = Function("void", "copy_kept", ["ptr to", "ptr from", "i64 count"], internal=True)
    with c.loop("%count", step=64) as at:
        line = c.op(f"load <8 x i64>, ptr {c.gep('%from', at.index)}, align 8")
        c.do(f"store <8 x i64> {line}, ptr {c.gep('%to', at.index)}, align 8")
    return c.end()


def _receive() -> str:
    """Before a stage: what is kept, and the states of all parts as one."""
    c = Function("void", "receive", ["ptr cx", "ptr stage"], internal=True)
    kept, words = c.get("%stage", T_KEPT, "ptr"), c.get("%cx", CX_D, "ptr")
    first, bytes_ = c.gep(c.get("%cx", CX_SCRATCH, "ptr"), FIRST), c.get(words, STATES)
    with c.when(c.not_null(kept)):
        c.call("void", "@copy_kept", f"ptr {first}", f"ptr {kept}", f"i64 {c.get(words, KEPT)}")
    code = f"i64 {c.get('%stage', T_JOIN)}", f"i64 {c.get('%stage', T_JOINED)}"
    count = c.get("%stage", T_COUNT)
    with c.when(c.test("sgt", count, 1)):
        c.call("void", "@resolve", "ptr %cx", *code)
    with c.loop(count) as k:
        there = c.gep(c.get("%stage", T_STATES, "ptr"), c.arith("mul", k.index, bytes_))
        is_other = c.test("ne", k.index, 0)
        here = c.gep(first, c.choose(is_other, bytes_, 0))
        c.call("void", "@copy_kept", f"ptr {here}", f"ptr {there}", f"i64 {bytes_}")
        with c.when(is_other):
            c.call("void", "@execute", "ptr %cx", *code)
    return c.end()


def _send() -> str:
    """Behind a stage: what others need of it."""
    c = Function("void", "send", ["ptr scratch", "ptr stage"], internal=True)
    out = c.get("%stage", T_OUT, "ptr")
    with c.when(c.not_null(out)):
        bytes_ = c.get("%stage", T_BYTES)
        c.call("void", "@copy_kept", f"ptr {out}", f"ptr {c.gep('%scratch', FIRST)}", f"i64 {bytes_}")
    return c.end()


def _stage() -> str:
    """What is computed once, from the states of `count` parts; what is kept is changed."""
    code = ["i64 from", "i64 to", "i64 join", "i64 joined"]
    c = Function("void", "stage", ["ptr job", *code, "i64 count"], internal=True)
    given = JOB.given(c)
    kept = given["kept"]
    words = {
        T_FROM: "%from", T_TO: "%to", T_JOIN: "%join", T_JOINED: "%joined", T_KEPT: kept, T_STATES: given["states"],
        T_COUNT: "%count", T_OUT: kept, T_BYTES: c.get(given["D"], KEPT),
    }  # fmt: skip
    stage = _stage_of(c, words)
    bad = c.call("i64", "@nest", *operands(PARAMS, given), f"ptr {stage}")
    JOB.put(c, "%job", "flag", c.arith("or", bad, given["flag"]))
    return c.end()


def _levels() -> str:
    """A job of passes over all elements, each by `count` parts."""
    c = Function("void", "levels", ["ptr pool", "ptr job", "i64 count"], internal=True)
    words = JOB.get(c, "D")
    levels, bytes_ = c.get(words, LEVELS), c.get(words, KEPT)
    kept, states = (
        c.op(f"alloca i8, i64 {n}, align 64") for n in (bytes_, c.arith("mul", "%count", c.get(words, STATES)))
    )
    with c.loop(bytes_, step=8) as at:
        c.do(f"store i64 0, ptr {c.gep(kept, at.index)}, align 8")
    JOB.put(c, "%job", "kept", kept)
    JOB.put(c, "%job", "states", states)
    pairs = c.arith("add", c.get(words, N_SWAPS), c.get(words, N_MERGES))
    table = c.word(words, c.arith("add", c.arith("shl", pairs, 1), HEADER))
    code = f"i64 {c.get(words, CODE)}", f"i64 {c.get(table, 0)}"
    with c.when(c.test("ne", c.get(words, CODE), c.get(table, 0))):
        c.call("void", "@stage", "ptr %job", *code, "i64 0", "i64 0", "i64 0")
    with c.loop(levels) as level:
        row = c.word(table, c.arith("shl", level.index, 2))
        pass_, rows, join, joined, following = (c.get(row, k) for k in range(5))
        JOB.put(c, "%job", "from", pass_)
        JOB.put(c, "%job", "to", rows)
        done = c.call("i64", "@all_parts", "ptr %pool", "ptr %job", "i64 %count")
        is_last = c.test("eq", c.arith("add", level.index, 1), levels)
        to = c.choose(is_last, c.get(words, END), following)
        c.call("void", "@stage", "ptr %job", f"i64 {rows}", f"i64 {to}", f"i64 {join}", f"i64 {joined}", f"i64 {done}")
    return c.end()


def _all_parts() -> str:
    """A job's `count` parts, by threads if there is a pool; gives how many there are up to one that decides all."""
    c = Function("i64", "all_parts", ["ptr pool", "ptr job", "i64 count"], internal=True)
    words, states, way = (JOB.get(c, name) for name in ("D", "states", "way"))
    stops, bytes_ = c.get(words, STOPS), c.get(words, STATES)
    is_back = c.all(c.test("sge", way, BACK), c.test("eq", stops, 0))
    turned = c.arith("sub", THERE + BACK, c.min(way, BACK))
    JOB.put(c, "%job", "way", c.choose(c.test("eq", way, NEAR), NEAR, turned))
    with c.when(c.is_null("%pool")):
        others = (c.get(words, k) for k in (STOPS, FAST, PLACED, TAKEN, N_TRANSPOSED, COMPACT))
        with c.when(c.test("eq", reduce(partial(c.arith, "or"), others, c.op(f"zext i1 {is_back} to i64")), 0)):
            _in_runs(c)
        with c.loop("%count") as k:
            number = c.choose(is_back, _from_end(c, "%count", k.index), k.index)
            c.call("void", "@like_parts", "ptr %job", f"i64 {number}", "i64 1")
            with c.when(c.test("ne", stops, 0)):
                first = c.op(f"load i8, ptr {c.gep(states, c.arith('mul', k.index, bytes_))}, align 1")
                decided = c.arith("add", c.op(f"zext i8 {first} to i64"), 1)
                with c.when(c.test("eq", decided, stops)):
                    c.ret("i64", c.arith("add", k.index, 1))
        c.ret("i64", "%count")
    JOB.put(c, "%job", "count", "%count")
    with c.when(is_back):
        share(c, "%pool", "part_back", "%job", "%count")
        c.ret("i64", "%count")
    share(c, "%pool", "part", "%job", "%count")
    return c.end("i64", "%count")


def _in_runs(c: Function) -> None:
    """All parts, those as large as the first as one run."""
    all_of, size = c.get(JOB.get(c, "E"), JOB.get(c, "axis")), JOB.get(c, "size")
    is_even = c.test("eq", all_of, c.arith("mul", "%count", size))
    like = c.choose(is_even, "%count", c.arith("sub", "%count", 1))
    c.call("void", "@like_parts", "ptr %job", "i64 0", f"i64 {like}")
    with c.when(c.test("ne", like, "%count")):
        c.call("void", "@like_parts", "ptr %job", f"i64 {like}", "i64 1")
    c.ret("i64", "%count")


def _run_down(caches: CacheTuning) -> str:
    """A launch that reduces along rows, with lanes along columns: parts of columns, of an outer axis, or of the rows.
    Its axes are merged first, as how many columns are adjacent decides on the order in which rows are added up."""
    c = Function("i64", "run_down", ["ptr pool", *PARAMS, "i64 way"], internal=True)
    outer, lane, width = (c.get("%D", k) for k in (OUTER, LANE, WIDTH))
    job, bytes_, alone = JOB.made(c, {"both": "false"}), c.cell(0), c.test("slt", _work(c, "%E"), EARLY)
    with c.when(c.all(c.test("ne", c.get("%D", N_TRANSPOSED), 0), c.op(f"xor i1 {alone}, true"))):
        block = c.call("i64", "@in_block", "ptr %D", "ptr %S", "ptr %E", f"ptr {bytes_}")
        with c.when(c.test("ne", block, 0)):
            _return_parts(c, job, named(PARAMS), _count(c, "%E", "%S", job, lane, COLUMNS, width), 0)
    strides, extents = room_for_copies(c)
    alone = c.any(alone, _is_copied(c, strides, extents))
    with c.when(alone):
        c.ret("i64", c.call("i64", "@nest", *passed(PARAMS), "ptr null"))
    c.call("void", "@arrange", "ptr %D", "ptr %E", "ptr %S", f"ptr {extents}", f"ptr {strides}")
    rows, n = (_length(c, extents, k) for k in (outer, lane))
    least = c.max(c.arith("mul", n, MANY), c.arith("mul", c.get("%D", DOWN), caches.split_rows_min_bytes))
    longest = longest_axis(c, "%D", strides, extents)
    is_worth = c.any(
        c.test("sgt", c.get("%D", DOWN), 1),
        c.test("slt", c.arith("mul", longest, n), caches.split_rows_max_state_bytes),
    )
    far = c.all(c.test("sge", longest, least), is_worth)
    few, many = (
        c.test("slt", n, c.choose(far, caches.split_rows_max_columns, 2 * COLUMNS)),
        c.test("sge", rows, SHARED_ROWS),
    )
    long = c.test("sge", c.arith("udiv", _work(c, extents), c.max(rows, 1)), 2 * FOLDED * SHARE)
    by_rows = c.any(many, few)
    with c.when(c.all(few, c.test("sgt", n, 0), c.op(f"xor i1 {many}, true"), c.any(long, c.test("slt", rows, 2)))):
        turn = c.choose(c.test("sge", "%way", BACK), PARTED_BACK, PARTED)
        words = {T_FROM: c.get("%D", CODE), T_TO: c.get("%D", END), T_PARTS: turn, T_POOL: "%pool", T_MERGED: 1}
        c.ret("i64", c.call("i64", "@nest", *passed(PARAMS), f"ptr {_stage_of(c, words)}"))
    grain, unit = (c.choose(by_rows, 1, k) for k in (COLUMNS, width))
    count = _count(c, extents, strides, job, c.choose(by_rows, outer, lane), grain, unit)
    _return_parts(c, job, {**named(PARAMS), "E": extents, "S": strides}, count, 1)
    return c.text


def _is_copied(c: Function, strides: str, extents: str) -> str:
    """Does the launch go by copies of its operands?  How its rows are added up then depends on all of it."""
    place = c.cell(0)
    with c.when(c.test("ne", c.get("%D", COMPACT), 0)):
        tables = f"ptr {strides}", f"ptr {extents}"
        c.put(c.call("i64", "@in_copy", "ptr %D", "ptr %S", "ptr %E", *tables), place, 0)
    return c.test("ne", c.get(place, 0), 0)


def _return_parts(c: Function, job: str, tables: dict[str, str], count: str, merged: int) -> None:
    """All of a launch, in so many parts if there is a pool for them."""
    with c.when(c.any(c.is_null("%pool"), c.test("slt", count, 2))):
        c.ret("i64", c.call("i64", "@nest", *passed(PARAMS), "ptr null"))
    _fill(c, job, tables, merged)
    c.call("i64", "@all_parts", "ptr %pool", f"ptr {job}", f"i64 {count}")
    c.ret("i64", c.get(job, JOB.words["flag"]))


def _fill(c: Function, job: str, tables: dict[str, str], merged: int = 0, way: str | int = NEAR) -> None:
    """A job of all of a launch."""
    code = {"from": c.get("%D", CODE), "to": c.get("%D", END), "merged": merged, "way": way}
    for name, value in {**tables, **code, "kept": "null", "states": "null", "flag": "0", "count": 0}.items():
        JOB.put(c, job, name, value)


def _run_nest() -> str:
    c = _of_plan("run_nest", internal=False)
    place = c.op("alloca ptr, align 8")
    pool = _pool(c, place)
    call_if_flat(c, c.not_null(pool), lambda: move_to_alternate_stack(c, place))
    move_to_alternate_stack(c, place, always=True)
    _large(c, pool)
    return c.text


def _launch() -> str:
    """The same, on whichever stack it is called."""
    c = _of_plan("launch", internal=True)
    pool = _pool(c, c.op("alloca ptr, align 8"))
    call_if_flat(c, c.not_null(pool))
    _large(c, pool)
    return c.text


def _of_plan(name: str, internal: bool) -> Function:
    c = Function("i64", name, ["ptr rt", *LAUNCH], internal=internal)
    for name, at in (("K", layouts.PLAN_KERNELS), ("D", layouts.PLAN_DESCRIPTOR)):
        c.do(f"%{name} = load ptr, ptr {c.gep('%plan', at)}")
    return c


def _pool(c: Function, place: str) -> str:
    """The pool, if a launch is worth threads, or null."""
    c.put("null", place, 0, "ptr")
    with c.when(c.not_null("%rt")):
        there = c.load("ptr", "%rt", layouts.RT["threads"])
        with c.when(c.not_null(there)):
            worth = c.call("i1", "@worth", f"ptr {there}", "ptr %D", "ptr %S", "ptr %E")
            c.put(c.choose(worth, there, "null", "ptr"), place, 0, "ptr")
    return c.get(place, 0, "ptr")


def _large(c: Function, pool: str) -> None:
    call_if_straight(c)
    alone, ask = c.label("alone"), c.label("ask")
    levels, down = c.get("%D", LEVELS), c.get("%D", DOWN)
    way = way_of(c, "%rt", c.is_null(pool))
    is_one = c.test("eq", c.arith("or", c.arith("or", levels, down), way), 0)
    c.branch(c.all(c.is_null(pool), is_one), alone, ask)
    c.place(alone)
    c.ret("i64", c.call("i64", "@nest", *passed(PARAMS), "ptr null"))
    c.place(ask)
    given = f"ptr {pool}", *passed(PARAMS)
    with c.when(c.test("ne", down, 0)):
        c.ret("i64", c.call("i64", "@run_down", *given, f"i64 {way}"))
    with c.when(c.test("ne", c.get("%D", ROW_AXES), 0)):
        c.ret("i64", c.call("i64", "@run_rows", *given))
    c.ret("i64", c.call("i64", "@run_parts", *given, f"i64 {way}"))


def _worth(caches: CacheTuning) -> str:
    """Is a launch worth threads, as they are now?"""
    c = Function("i1", "worth", ["ptr pool", "ptr D", "ptr S", "ptr E"], internal=True)
    work, shared, alone = _work(c, "%E"), c.label("share"), c.label("alone")
    with c.when(c.test("slt", work, EARLY)):
        c.ret("i1", "false")
    if_worth(c, "%pool", work, _least(c, _is_far(c, caches)), shared, alone)
    c.place(shared)
    c.ret("i1", "true")
    c.place(alone)
    return c.end("i1", "false")


def _run_rows() -> str:
    """A launch of few long rows, one by one."""
    c = Function("i64", "run_rows", ["ptr pool", *PARAMS], internal=True)
    axes, number = c.get("%D", N_AXES), c.get("%D", N_OPERANDS)
    bases, extents = (c.op(f"alloca i64, i64 {n}, align 8") for n in (number, axes))
    bad, row_axes = c.cell(0), c.get("%D", ROW_AXES)
    with c.loop(axes, ("i64", "1")) as axis:
        is_of_rows = c.test("ne", c.arith("and", row_axes, c.arith("shl", 1, axis.index)), 0)
        own = c.choose(is_of_rows, c.get("%E", axis.index), 1)
        c.put(c.choose(is_of_rows, 1, c.get("%E", axis.index)), extents, axis.index)
        axis.next = [c.arith("mul", axis.values[0], own)]
    with c.loop(axis.values[0]) as row:
        _place_row(c, row.index, bases, extents)
        given = {**named(PARAMS), "B": bases, "E": extents}
        c.note(c.test("ne", c.call("i64", "@run_parts", "ptr %pool", *operands(PARAMS, given), f"i64 {NEAR}"), 0), bad)
    return c.end("i64", c.get(bad, 0))


def _place_row(c: Function, row: str, bases: str, extents: str) -> None:
    """The operands' addresses of a row, by its number: axes that are of one element now and were not are of rows."""
    axes, number = c.get("%D", N_AXES), c.get("%D", N_OPERANDS)
    with c.loop(number) as loop:
        strides = c.word("%S", c.arith("mul", loop.index, axes))
        with c.loop(axes, ("i64", row), ("i64", c.get("%B", loop.index))) as turn:
            axis = c.arith("sub", c.arith("sub", axes, 1), turn.index)
            left, place = turn.values
            extent = c.choose(c.test("eq", c.get(extents, axis), 1), c.get("%E", axis), 1)
            offset = c.arith("mul", c.arith("urem", left, extent), c.get(strides, axis))
            turn.next = [c.arith("udiv", left, extent), c.arith("add", place, offset)]
        c.put(turn.values[1], bases, loop.index)


def _run_parts() -> str:
    """All of a launch, by parts of one axis where that is worth it."""
    c = Function("i64", "run_parts", ["ptr pool", *PARAMS, "i64 way"], internal=True)
    levels = c.get("%D", LEVELS)
    job = JOB.made(c, {"both": c.test("eq", "%way", BOTH)})
    outer, lane = c.get("%D", OUTER), c.get("%D", LANE)
    by_rows = c.any(c.test("sge", _length(c, "%E", outer), SHARED_ROWS), c.test("slt", lane, 0))
    by_rows = c.all(by_rows, c.op(f"xor i1 {_may_be_long(c, _work(c, '%E'), outer, lane)}, true"))
    grain, unit = (c.choose(by_rows, 1, k) for k in (GRAIN, UNIT))
    count = _count(c, "%E", "%S", job, c.choose(by_rows, outer, lane), grain, unit)
    with c.when(c.test("slt", count, 2)):
        c.ret("i64", c.call("i64", "@nest", *passed(PARAMS), "ptr null"))
    _fill(c, job, named(PARAMS), way="%way")
    given = "ptr %pool", f"ptr {job}", f"i64 {count}"
    with c.when(c.test("eq", levels, 0)):
        c.call("i64", "@all_parts", *given)
        c.ret("i64", c.get(job, JOB.words["flag"]))
    c.call("void", "@levels", *given)
    return c.end("i64", c.get(job, JOB.words["flag"]))


def _run_tile() -> str:
    """A launch on some rows and columns of the matrix that it follows, by an environment
    (`program_ir.gemm_epilogues.TILE`)."""
    c = Function("void", "run_tile", ["ptr rt", "ptr job", "i64 row", "i64 column", "i64 rows", "i64 columns"])
    given = Job(TILE).given(c)
    axes, down, across = (given[name] for name in ("axes", "down", "across"))
    bases = c.op(f"alloca ptr, i64 {c.arith('mul', given['operands'], 2)}, align 8")
    extents = c.op(f"alloca i64, i64 {axes}, align 8")
    with c.loop(given["operands"]) as o:
        steps = c.word(given["S"], c.arith("mul", o.index, axes))
        below = c.arith("mul", c.get(steps, down), "%row")
        right = c.arith("mul", c.get(steps, across), "%column")
        moved = c.gep(c.get(given["B"], o.index, "ptr"), c.arith("add", below, right))
        c.put(moved, bases, o.index, "ptr")
    c.put("%rows", extents, down)
    c.put("%columns", extents, across)
    c.call("i64", "@run_nest", "ptr %rt", *operands(LAUNCH, given | {"B": bases, "E": extents}))
    return c.end()
