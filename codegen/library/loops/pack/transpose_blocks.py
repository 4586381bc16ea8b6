"""Blocked transposition to scratch of groups whose lanes run across short rows.

Contract  `in_transposed_blocks`: a launch, done a block of lanes at a time; -1: not handled.
When      some operand is not contiguous along the lanes, all of a row fits, and blocks of several vectors pay.
Why       in scratch loops along rows are of complete vectors, passes find what earlier ones read, and more axes
          merge; operands without the merging axis, or few lanes, are replicated.
"""

from __future__ import annotations

from tensordsl.base.records import record
from tensordsl.codegen.abi.descriptor import NEST_PARAMS, SCRATCH_PARAMS, Header, Stage
from tensordsl.codegen.library.loops.descriptor import LoopFunction, product
from tensordsl.codegen.llvm.builder import passed
from tensordsl.codegen.target.tuning import Tuning

# Words of a job: the launch's operands and their strides; a block's extents, strides and places in scratch; how many
# elements of each operand lie one behind the other, 0: it is not transposed; the first lane; the axis along which
# operands that are the same there are repeated, or -1; lanes of a block where they are not repeated.
J_BASES, J_STRIDES, J_EXTENTS, J_SCRATCH_STRIDES, J_PLACES, J_RUNS, J_FIRST, J_REPEATED, J_LANES = range(9)
J_WORDS = 9  # of a job


def transpose_block_texts(t: Tuning) -> list[str]:
    sizes = [
        _replicated_axis(t),
        _bytes_per_lane(),
        _replica_count(),
        _operand_bytes_per_lane(),
        _has_contiguous_axis(),
        _scratch_strides(),
    ]
    return [
        *sizes,
        _place_in_scratch(),
        _move_block_operand(),
        _move_block(),
        _transposed_block(t),
        _fills_vector(t),
        _in_transposed_blocks(t),
    ]


def _replicated_axis(t: Tuning) -> str:
    """The axis that merges with the lanes', where these are no whole vector, if all fits then; or -1."""
    c = LoopFunction("i64", "replicated_axis", ["ptr D", "ptr S", "ptr E"], internal=True)
    lane, pairs = (c.header(Header.LANE_AXIS), c.word("%D", c.add(c.shl(c.header(Header.EXCHANGES), 1), Header.WORDS)))
    with c.loop(c.header(Header.MERGES), ("i64", "-1")) as loop:
        pair = c.word(pairs, c.shl(loop.index, 1))
        loop.next = [c.choose(c.eq(c.get(pair, 1), lane), c.get(pair, 0), loop.values[0])]
    (axis,), n = loop.values, c.get("%E", lane)
    with c.when(c.any(c.lt(axis, 0), c.ge(n, c.header(Header.LANES)))):
        c.ret("i64", -1)
    each = c.call("i64", "@bytes_per_lane", "ptr %D", "ptr %S", "ptr %E", f"i64 {axis}")
    return c.end("i64", c.choose(c.le(c.mul(each, n), t.loops.transposed_max_bytes), axis, -1))


def _bytes_per_lane() -> str:
    """Bytes of what one lane has of all operands."""
    c = LoopFunction("i64", "bytes_per_lane", ["ptr D", "ptr S", "ptr E", "i64 repeated"], internal=True)
    job = _new_job(c, "%repeated")
    with c.loop(c.header(Header.TRANSPOSABLE), ("i64", "0")) as loop:
        o = _operand(c, loop.index, job)
        size = c.call("i64", "@operand_bytes_per_lane", o.strides, o.extents, o.lanes, o.repeated)
        loop.next = [c.add(loop.values[0], size)]
    return c.end("i64", loop.values[0])


def _operand_bytes_per_lane() -> str:
    """Bytes of what one lane has of an operand, 0 if its lanes are adjacent.  `s`: its strides."""
    params = ["ptr s", "ptr E", "i64 axes", "i64 lane", "i64 size", "i64 repeated"]
    c = LoopFunction("i64", "operand_bytes_per_lane", params, internal=True)
    with c.loop("%axes", ("i64", "%size")) as loop:
        is_there = c.any(c.ne(c.get("%s", loop.index), 0), c.eq(loop.index, "%repeated"))
        moves = c.all(c.ne(loop.index, "%lane"), is_there)
        loop.next = [c.mul(loop.values[0], c.choose(moves, c.get("%E", loop.index), 1))]
    return c.end("i64", c.choose(c.eq(c.get("%s", "%lane"), "%size"), 0, loop.values[0]))


def _has_contiguous_axis() -> str:
    """Do elements of an operand lie one behind the other along another axis than the lanes'?"""
    c = LoopFunction("i1", "has_contiguous_axis", ["ptr s", "ptr E", "i64 axes", "i64 lane", "i64 size"], internal=True)
    with c.loop("%axes", ("i1", "false")) as loop:
        behind = c.eq(c.get("%s", loop.index), "%size")
        longer = c.all(c.ne(loop.index, "%lane"), c.gt(c.get("%E", loop.index), 1))
        loop.next = [c.any(loop.values[0], c.all(behind, longer))]
    return c.end("i1", loop.values[0])


def _scratch_strides() -> str:
    """Strides `t` in scratch of an operand with strides `s`: of the axis along which it is repeated, of those along
    which its elements lie one behind the other, how many of which is given, then of all others."""
    params = ["ptr s", "ptr t", "ptr e", "i64 axes", "i64 lane", "i64 size", "i64 repeated"]
    c = LoopFunction("i64", "scratch_strides", params, internal=True)
    pitch, run = c.mul(c.get("%e", "%lane"), "%size"), c.cell(1)
    with c.loop("%axes") as loop:
        c.put(0, "%t", loop.index)
    c.put("%size", "%t", "%lane")
    copies = c.call("i64", "@replica_count", "ptr %s", "ptr %e", "i64 %repeated")
    with c.when(c.gt(copies, 1)):
        c.put(pitch, "%t", "%repeated")
    stride = c.mul(pitch, copies)

    def is_new(axis: str) -> str:
        return c.all(c.eq(c.get("%t", axis), 0), c.ne(c.get("%e", axis), 1))

    def put(axis: str) -> None:
        c.put(c.mul(c.get(run, 0), stride), "%t", axis)
        c.put(c.mul(c.get(run, 0), c.get("%e", axis)), run, 0)

    with c.loop("%axes"):
        with c.loop("%axes", ("i64", "-1")) as loop:
            behind = c.eq(c.get("%s", loop.index), c.mul(c.get(run, 0), "%size"))
            loop.next = [c.choose(c.all(is_new(loop.index), behind), loop.index, loop.values[0])]
        with c.when(c.ge(loop.values[0], 0)):
            put(loop.values[0])
    together = c.get(run, 0)
    with c.loop("%axes") as loop:
        with c.when(c.all(is_new(loop.index), c.ne(c.get("%s", loop.index), 0))):
            put(loop.index)
    return c.end("i64", together)


def _replica_count() -> str:
    """How often an operand stands in scratch."""
    c = LoopFunction("i64", "replica_count", ["ptr s", "ptr e", "i64 repeated"], internal=True)
    axis = c.max("%repeated", 0)
    same = c.all(c.ge("%repeated", 0), c.eq(c.get("%s", axis), 0))
    return c.end("i64", c.choose(same, c.get("%e", axis), 1))


def _place_in_scratch() -> str:
    """Places in scratch of all operands that are transposed, for blocks of as many lanes as the job's extents say."""
    c = LoopFunction("void", "place_in_scratch", ["ptr D", "ptr job", "ptr area"], internal=True)
    count = c.get(c.get("%job", J_EXTENTS, "ptr"), c.header(Header.LANE_AXIS))
    with c.loop(c.header(Header.OPERANDS)) as loop:
        c.put(c.get(c.get("%job", J_BASES, "ptr"), loop.index), c.get("%job", J_PLACES, "ptr"), loop.index)
    with c.loop(c.header(Header.TRANSPOSABLE), ("ptr", "%area")) as loop:
        o = _operand(c, loop.index)
        size = c.call("i64", "@operand_bytes_per_lane", o.strides, o.extents, o.lanes, o.repeated)
        c.put(0, c.get("%job", J_RUNS, "ptr"), loop.index)
        with c.when(c.ne(size, 0)):
            run = c.call("i64", "@scratch_strides", o.strides, o.scratch_strides, o.extents, o.lanes, o.repeated)
            c.put(run, c.get("%job", J_RUNS, "ptr"), loop.index)
            c.put(loop.values[0], c.get("%job", J_PLACES, "ptr"), o.number, "ptr")
        bytes_ = c.and_(c.add(c.mul(size, count), 63), -64)
        loop.next = [c.gep(loop.values[0], bytes_)]
    return c.end()


def _move_block() -> str:
    """A job's block number `block`: operands to scratch, and `current` to all of them; or (`out`) results back."""
    c = LoopFunction("void", "move_block", ["ptr D", "ptr job", "ptr current", "i64 block", "i1 out"], internal=True)
    axes, lane = c.header(Header.AXES), c.header(Header.LANE_AXIS)
    count, lanes = c.get(c.get("%job", J_EXTENTS, "ptr"), lane), c.get("%job", J_LANES)
    start = c.add(c.get("%job", J_FIRST), c.mul("%block", lanes))

    def outside(number: str) -> str:
        row = c.word(c.get("%job", J_STRIDES, "ptr"), c.mul(number, axes))
        return c.gep(c.get(c.get("%job", J_BASES, "ptr"), number, "ptr"), c.mul(c.get(row, lane), start))

    with c.loop(c.header(Header.OPERANDS)) as loop:
        c.put(outside(loop.index), "%current", loop.index, "ptr")
    with c.loop(c.header(Header.TRANSPOSABLE)) as loop:
        o, run = _operand(c, loop.index), c.get(c.get("%job", J_RUNS, "ptr"), loop.index)
        is_out = c.ge(o.number, c.header(Header.INPUTS))
        with c.when(c.ne(run, 0)):
            area = c.get(c.get("%job", J_PLACES, "ptr"), o.number, "ptr")
            c.put(area, "%current", o.number, "ptr")
            every = c.choose("%out", lanes, count)
            with c.when(c.compare("eq", "i1", "%out", is_out)), c.loop(every, step=lanes) as at:
                here, some = c.gep(area, c.mul(at.index, o.size)), c.sub(every, at.index)
                given = f"ptr {here}", f"ptr {outside(o.number)}", o.strides, o.scratch_strides, o.extents, o.lanes
                counts = f"i64 {run}", f"i64 {c.min(lanes, some)}"
                c.call("void", "@move_block_operand", *given, o.repeated, *counts, "i1 %out")
    return c.end()


def _move_block_operand() -> str:
    """A block of an operand to its place in scratch or back, by what lies one behind the other."""
    params = [
        "ptr area",
        "ptr base",
        "ptr s",
        "ptr t",
        "ptr e",
        "i64 axes",
        "i64 lane",
        "i64 size",
        "i64 repeated",
        "i64 run",
        "i64 count",
        "i1 out",
    ]
    c = LoopFunction("void", "move_block_operand", params, internal=True)
    stride, row = c.get("%s", "%lane"), c.mul(c.get("%e", "%lane"), "%size")
    copies = c.call("i64", "@replica_count", "ptr %s", "ptr %e", "i64 %repeated")
    pitch = c.mul(row, copies)
    first = c.mul("%run", pitch)
    alone, packer = c.eq("%run", 1), c.call("ptr", "@packer", "i64 %size", f"i64 {stride}")

    def length(axis: str) -> str:
        """Of an axis along which elements do not lie one behind the other."""
        is_other = c.all(c.ne(axis, "%lane"), c.ge(c.get("%t", axis), first))
        return c.choose(is_other, c.get("%e", axis), 1)

    with c.loop("%axes", ("i64", copies)) as loop:
        loop.next = [c.mul(loop.values[0], length(loop.index))]
    with c.loop(loop.values[0]) as line:
        own, copy = c.sdiv(line.index, copies), c.srem(line.index, copies)
        with c.loop("%axes", ("i64", "0"), ("i64", own)) as loop:
            (offset, rest), n = loop.values, length(loop.index)
            step = c.mul(c.srem(rest, n), c.get("%s", loop.index))
            loop.next = [c.add(offset, step), c.sdiv(rest, n)]
        there, start = c.gep("%base", loop.values[0]), c.gep("%area", c.mul(own, first))
        here = c.gep(start, c.mul(copy, row))
        outside, inside = (f"ptr {there}", f"i64 {stride}"), (f"ptr {here}", f"i64 {pitch}")
        with c.when(c.all(alone, c.op("xor i1 %out, true"))):
            c.call("void", packer, f"ptr {here}", f"ptr {there}", f"i64 {stride}", "i64 %count")
        with c.when("%out"):
            c.call("void", "@transpose", *outside, *inside, "i64 %size", "i64 %run", "i64 %count")
        with c.when(c.negate(c.any("%out", alone))):
            c.call("void", "@transpose", *inside, *outside, "i64 %size", "i64 %count", "i64 %run")
    return c.end()


def _new_job(c: LoopFunction, repeated: str) -> str:
    """A job of blocks that has no places yet."""
    job = c.op(f"alloca i64, i64 {J_WORDS}, align 8")
    c.put(repeated, job, J_REPEATED)
    for k, table in {J_STRIDES: "%S", J_EXTENTS: "%E"}.items():
        c.put(table, job, k, "ptr")
    return job


def _transposed_block(t: Tuning) -> str:
    """Lanes of a block, and bytes of what a lane has of all operands; 0 if rows are too long, or all lanes adjacent."""
    c = LoopFunction("i64", "transposed_block", ["ptr D", "ptr S", "ptr E", "ptr bytes"], internal=True)
    given = "ptr %D", "ptr %S", "ptr %E"
    repeated = c.call("i64", "@replicated_axis", *given)
    job, width, n = _new_job(c, repeated), c.header(Header.LANES), c.get("%E", c.header(Header.LANE_AXIS))
    each = c.call("i64", "@bytes_per_lane", *given, f"i64 {repeated}")
    c.put(each, "%bytes", 0)
    with c.loop(c.header(Header.TRANSPOSABLE), ("i1", "false")) as loop:
        o = _operand(c, loop.index, job)
        loop.next = [c.any(loop.values[0], c.call("i1", "@has_contiguous_axis", o.strides, o.extents, o.lanes))]
    (has_runs,) = loop.values
    block = c.and_(c.sdiv(t.loops.transposed_bytes, c.max(each, 1)), c.sub(0, width))
    enough, many = (
        c.mul(width, t.pack.transpose_min_vectors),
        c.gt(n, t.pack.transpose_many_lanes),
    )  # all parts of many are many
    pays = c.all(c.ge(block, enough), c.any(many, c.ge(n, enough)))
    pays = c.any(has_runs, pays)
    block = c.min(c.max(block, width), c.choose(many, c.and_(n, c.sub(0, width)), n))
    few = c.le(c.mul(each, block), t.loops.transposed_max_bytes)
    fits = c.all(c.gt(each, 0), few, c.gt(n, 0), pays)
    return c.end("i64", c.choose(fits, block, 0))


def _fills_vector(t: Tuning) -> str:
    """May lanes be repeated until they fill a vector, as all are in scratch, and no other axis merges with theirs?"""
    c = LoopFunction("i1", "fills_vector", ["ptr D", "ptr job", "i64 bytes"], internal=True)
    n, width = c.get(c.get("%job", J_EXTENTS, "ptr"), c.header(Header.LANE_AXIS)), c.header(Header.LANES)
    few, most = c.all(c.gt(n, 0), c.lt(n, width)), c.mul("%bytes", width)
    fits = c.all(few, c.lt(c.get("%job", J_REPEATED), 0), c.le(most, t.loops.transposed_max_bytes))
    with c.loop(c.choose(fits, c.header(Header.TRANSPOSABLE), 0), ("i1", fits)) as loop:
        o = _operand(c, loop.index)
        size = c.call("i64", "@operand_bytes_per_lane", o.strides, o.extents, o.lanes, o.repeated)
        loop.next = [c.all(loop.values[0], c.ne(size, 0))]
    return c.end("i1", loop.values[0])


def _lanes_from_memory(c: LoopFunction, t: Tuning, block: str, each: str, n: str) -> str:
    """Lanes of a block of a launch, or of a part of one, of `n` lanes with `each` bytes of all operands."""
    whole = c.is_null("%stage")
    points = c.get(c.choose(whole, "%D", "%stage", "ptr"), Stage.POINTS)
    own = product(c, "%E", c.header(Header.AXES))
    parts = c.choose(whole, 1, c.max(c.udiv(points, c.max(own, 1)), 1))
    every = c.mul(c.mul(each, n), parts)
    large = t.pack.transpose_large_min_bytes, t.pack.transpose_large_block_bytes
    huge = t.pack.transpose_huge_min_bytes, t.pack.transpose_huge_block_bytes
    for least, room in (large, huge):
        lanes = c.and_(c.sdiv(room, each), c.sub(0, c.header(Header.LANES)))
        block = c.choose(c.ge(every, least), c.min(block, c.max(lanes, t.pack.transpose_many_lanes)), block)
    return block


def _in_transposed_blocks(t: Tuning) -> str:
    """All of a launch; or -1 if it is not done in blocks."""
    c = LoopFunction("i64", "in_transposed_blocks", [*NEST_PARAMS, *SCRATCH_PARAMS, "ptr stage"], internal=True)
    lane, axes, operands, many = (
        c.get("%D", k) for k in (Header.LANE_AXIS, Header.AXES, Header.OPERANDS, Header.TRANSPOSABLE)
    )
    bytes_, width, n = c.cell(0), c.header(Header.LANES), c.get("%E", lane)
    block = c.call("i64", "@transposed_block", "ptr %D", "ptr %S", "ptr %E", f"ptr {bytes_}")
    with c.when(c.eq(block, 0)):
        c.ret("i64", -1)
    block = _lanes_from_memory(c, t, block, c.get(bytes_, 0), n)
    job = _new_job(c, c.call("i64", "@replicated_axis", "ptr %D", "ptr %S", "ptr %E"))
    fills = c.call("i1", "@fills_vector", "ptr %D", f"ptr {job}", f"i64 {c.get(bytes_, 0)}")
    room = c.mul(c.get(bytes_, 0), c.choose(fills, c.max(block, width), block))
    c.put("%B", job, J_BASES, "ptr")
    total = c.mul(axes, operands)
    tables = (c.op(f"alloca i64, i64 {k}, align 8") for k in (axes, total, operands, many))
    extents, strides, places, runs = tables
    for k, table in {J_EXTENTS: extents, J_SCRATCH_STRIDES: strides, J_PLACES: places, J_RUNS: runs}.items():
        c.put(table, job, k, "ptr")
    for size, source, target in ((axes, "%E", extents), (total, "%S", strides)):
        with c.loop(size) as loop:
            c.put(c.get(source, loop.index), target, loop.index)
    area = c.op(f"alloca i8, i64 {c.add(c.shl(many, 6), room)}, align 64")
    times = c.sdiv(n, block)
    whole, flag = c.mul(times, block), "0"
    rest = c.sub(n, whole)
    again = c.all(c.gt(rest, 0), c.ne(c.call("i64", "@may_recompute", "ptr %D", "ptr %B"), 0))
    up = c.and_(c.sub(c.add(rest, width), 1), c.sub(0, width))
    last = c.choose(again, c.min(up, n), rest)
    for first, count, has_runs in (("0", block, times), (c.sub(n, last), last, "1")):
        c.put(first, job, J_FIRST)
        c.put(count, job, J_LANES)
        c.put(c.choose(fills, width, count), extents, lane)
        c.call("void", "@place_in_scratch", "ptr %D", f"ptr {job}", f"ptr {area}")
        given = (
            "ptr %K",
            "ptr %D",
            f"ptr {places}",
            f"ptr {strides}",
            f"ptr {extents}",
            "ptr %I",
            *passed(SCRATCH_PARAMS),
        )
        has_runs = c.choose(c.gt(count, 0), has_runs, 0)
        bad = c.call("i64", "@run_general", *given, "ptr %stage", f"ptr {job}", f"i64 {has_runs}")
        flag = c.or_(flag, bad)
    return c.end("i64", flag)


@record
class _Operand:
    """One that may be transposed: its number, bytes of an element, its strides, those in scratch, the extents, (axes,
    the lanes', bytes of an element), and the axis along which it is repeated."""

    number: str
    size: str
    strides: str
    scratch_strides: str
    extents: str
    lanes: str
    repeated: str


def _operand(c: LoopFunction, k: str, job: str = "%job") -> _Operand:
    pairs = c.add(c.header(Header.EXCHANGES), c.header(Header.MERGES))
    pair = c.word("%D", c.add(c.shl(c.add(pairs, k), 1), Header.WORDS))
    number, axes = c.get(pair, 0), c.header(Header.AXES)
    row = c.mul(number, axes)
    own, there = (f"ptr {c.word(c.get(job, k, 'ptr'), row)}" for k in (J_STRIDES, J_SCRATCH_STRIDES))
    size = c.get(pair, 1)
    lanes, extents = f"i64 {axes}, i64 {c.header(Header.LANE_AXIS)}, i64 {size}", f"ptr {c.get(job, J_EXTENTS, 'ptr')}"
    return _Operand(number, size, own, there, extents, lanes, f"i64 {c.get(job, J_REPEATED)}")
