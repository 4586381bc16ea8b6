"""Packing of short rows with gaps, permuted or reversed: blocks of points are copied to scratch as one long row.

Contract  `packed_short_rows`: 1, the launch is done; 0: not handled.
When      one kernel, rows below four vectors, no operand but scalars that could not be copied: columns of a join, small
          transposed matrices, reversed rows.  Rows of a vector and more only if they are strided, or few lie together.
Why       the kernel runs once over whole vectors; a block is a part of one axis with all axes inside of it.
"""

from __future__ import annotations

from tensordsl.codegen.abi.descriptor import (
    NEST_PARAMS,
    READ,
    SCRATCH_PARAMS,
    SPLAT,
    VECTOR,
    WRITE,
    CallCode,
    Header,
    Operand,
)
from tensordsl.codegen.library.loops.descriptor import LoopFunction, copy_elements, move, put_integers
from tensordsl.codegen.library.loops.pack.strided import VECTOR_BYTES
from tensordsl.codegen.library.loops.pack.transpose_tiles import block_of
from tensordsl.codegen.llvm.builder import passed
from tensordsl.codegen.target.tuning import Tuning

# Rows of at most as many bytes as two of these have are one from their start on, and one up to their end.
HALVES = ((1, "i8"), (2, "i16"), (4, "i32"), (8, "i64"), (16, "<2 x i64>"), (32, "<4 x i64>"))
# How an operand is taken: in place, packed (with elements that are adjacent along an axis, or along none), not at all.
IN_PLACE, PACKED, STEPPED, NEITHER = range(4)
# The axes around the lanes' one that are longer than 1, in their order, and their number; how operands are taken.
ORDER_PARAMS = ["ptr order", "i64 around", "ptr kinds"]
# Of a block: the place in the order of the axis that it is a part of, the points inside of one position along that
# axis, how many positions it has at most.
BLOCK_PARAMS = ["i64 part", "i64 inner", "i64 most"]


def copy_matrix_texts() -> list[str]:
    return [_copy_rows(), _copy_elements(), _copy_matrix(), _copy_strided_matrix()]


def pack_texts(t: Tuning) -> list[str]:
    own = [
        _offset_of_point(),
        _operand_access(),
        _operand_accesses(),
        _longest_of_block(),
        _prefetch_block(t),
        _copy_block(),
        _blocks(),
        _packed_short_rows(t),
    ]
    return [*copy_matrix_texts(), *own]


def _copy_rows() -> str:
    """`rows` rows of at least a byte, which do not overlap."""
    params = ["ptr to", "i64 to_row", "ptr from", "i64 from_row", "i64 bytes", "i64 rows"]
    c = LoopFunction("void", "copy_rows", params, internal=True)
    for half, kind in HALVES:
        with c.when(c.le("%bytes", 2 * half)):
            behind = c.sub("%bytes", half)
            with c.loop("%rows") as row:
                to, source = (c.gep(f"%{x}", c.mul(row.index, f"%{x}_row")) for x in ("to", "from"))
                first, last = (c.op(f"load {kind}, ptr {p}, align 1") for p in (source, c.gep(source, behind)))
                c.do(f"store {kind} {first}, ptr {to}, align 1")
                c.do(f"store {kind} {last}, ptr {c.gep(to, behind)}, align 1")
            c.ret()
    line, last = "<8 x i64>", c.sub("%bytes", 64)
    with c.loop("%rows") as row:
        to, source = (c.gep(f"%{x}", c.mul(row.index, f"%{x}_row")) for x in ("to", "from"))
        with c.loop(last, step=64) as at:
            move(c, line, c.gep(to, at.index), c.gep(source, at.index))
        move(c, line, c.gep(to, last), c.gep(source, last))
    return c.end()


def _copy_elements() -> str:
    """`count` elements, one after the other."""
    params = ["ptr to", "i64 to_step", "ptr from", "i64 from_step", "i64 size", "i64 count"]
    c = LoopFunction("void", "copy_elements", params, internal=True)
    copy_elements(c, "%count", "%to_step", "%from_step")
    return c.end()


_MATRIX = ["ptr area", "i64 pitch", "ptr place", "i64 across", "i64 along", "i64 size", "i64 n", "i64 rows"]


def _copy_matrix() -> str:
    """Rows between scratch, where their pitch is `pitch` bytes, and an operand: `across` and `along` are bytes from
    lane to lane and from row to row there."""
    c = LoopFunction("void", "copy_matrix", [*_MATRIX, "i1 in"], internal=True)
    line = c.mul("%n", "%size")
    here, by_rows, transposes = ("ptr %area", "i64 %pitch"), ("ptr %place", "i64 %along"), ("ptr %place", "i64 %across")
    with c.when(c.eq("%across", "%size")):
        with c.when("%in"):
            c.call("void", "@copy_rows", *here, *by_rows, f"i64 {line}", "i64 %rows")
            c.ret()
        c.call("void", "@copy_rows", *by_rows, *here, f"i64 {line}", "i64 %rows")
        c.ret()
    with c.when(c.ne("%along", "%size")):
        c.call("void", "@copy_strided_matrix", *passed(_MATRIX), "i1 %in")
        c.ret()
    with c.when("%in"):
        c.call("void", "@transpose", *here, *transposes, "i64 %size", "i64 %n", "i64 %rows")
        c.ret()
    c.call("void", "@transpose", *transposes, *here, "i64 %size", "i64 %rows", "i64 %n")
    return c.end()


def _copy_strided_matrix() -> str:
    """The same where elements are strided along both axes: long rows one by one, short ones lane by lane."""
    c = LoopFunction("void", "copy_strided_matrix", [*_MATRIX, "i1 in"], internal=True)
    line = c.mul("%n", "%size")
    one = c.all(c.eq("%pitch", line), c.eq("%along", c.mul("%n", "%across")))
    n, rows = c.choose(one, c.mul("%n", "%rows"), "%n"), c.choose(one, 1, "%rows")
    is_long = c.ge(c.mul(n, "%size"), VECTOR_BYTES)
    packer = c.call("ptr", "@packer", "i64 %size", "i64 %across")
    out = c.op("xor i1 %in, true")
    with c.when(is_long):
        with c.loop(rows) as row:
            here = c.gep("%area", c.mul(row.index, "%pitch"))
            there = c.gep("%place", c.mul(row.index, "%along"))
            with c.when("%in"):
                c.call("void", packer, f"ptr {here}", f"ptr {there}", "i64 %across", f"i64 {n}")
            with c.when(out):
                c.call("void", "@unpack", f"ptr {there}", f"ptr {here}", "i64 %across", "i64 %size", f"i64 {n}")
        c.ret()
    with c.loop("%n") as lane:
        here = c.gep("%area", c.mul(lane.index, "%size"))
        there = c.gep("%place", c.mul(lane.index, "%across"))
        inside, outside = (f"ptr {here}", "i64 %pitch"), (f"ptr {there}", "i64 %along")
        with c.when("%in"):
            c.call("void", "@copy_elements", *inside, *outside, "i64 %size", "i64 %rows")
        with c.when(out):
            c.call("void", "@copy_elements", *outside, *inside, "i64 %size", "i64 %rows")
    return c.end()


def _steps(c: LoopFunction, entry: str) -> str:
    """The byte strides of an operand."""
    return c.word("%S", c.mul(c.get(entry, Operand.NUMBER), c.header(Header.AXES)))


def _offset_of_point() -> str:
    """Bytes from an operand's first point to the one of number q in the order of some of the axes."""
    c = LoopFunction(
        "i64", "offset_of_point", ["ptr steps", "ptr E", "ptr order", "i64 first", "i64 end", "i64 q"], internal=True
    )
    with c.loop(c.sub("%end", "%first"), ("i64", "0"), ("i64", "%q")) as loop:
        axis = c.get("%order", c.sub(c.sub("%end", 1), loop.index))
        (offset, rest), n = loop.values, c.get("%E", axis)
        step = c.mul(c.urem(rest, n), c.get("%steps", axis))
        loop.next = [c.add(offset, step), c.udiv(rest, n)]
    return c.end("i64", loop.values[0])


def _operand_access() -> str:
    """How an operand is taken: in place where it is one long row, or the same at all points."""
    params = ["ptr operand", "ptr steps", "ptr E", "ptr order", "i64 around", "i64 lane"]
    c = LoopFunction("i64", "operand_access", params, internal=True)
    kind = c.get("%operand", Operand.KIND)
    size = c.get("%operand", Operand.ELEMENT_BYTES)
    across = c.get("%steps", "%lane")
    line = c.mul(size, c.get("%E", "%lane"))
    with c.loop("%around", ("i64", line), ("i64", "0"), ("i64", "0"), ("i64", str(STEPPED))) as loop:
        axis = c.get("%order", c.sub(c.sub("%around", 1), loop.index))
        length, differences, moves, packed = loop.values
        step = c.get("%steps", axis)
        differences, moves = c.or_(differences, c.xor(step, length)), c.or_(moves, step)
        packed = c.choose(c.eq(step, size), PACKED, packed)
        loop.next = [c.mul(length, c.get("%E", axis)), differences, moves, packed]
    _, differences, moves, packed = loop.values
    is_near, is_row = c.eq(across, size), c.eq(differences, 0)
    packed = c.choose(is_near, PACKED, packed)
    vector = c.choose(c.all(is_near, is_row), IN_PLACE, packed)
    scalar = c.choose(c.eq(moves, 0), IN_PLACE, NEITHER)
    scalar = c.choose(c.eq(kind, SPLAT), scalar, NEITHER)
    return c.end("i64", c.choose(c.eq(kind, VECTOR), vector, scalar))


def _operand_accesses() -> str:
    """The kinds of a CALL's operands, and the last of them.  Results that may be operands are packed, since elements
    are computed twice."""
    c = LoopFunction(
        "i64", "operand_accesses", [*NEST_PARAMS[1:5], "ptr words", "i64 lane", *ORDER_PARAMS], internal=True
    )
    once = c.eq(c.call("i64", "@may_recompute", "ptr %D", "ptr %B"), 0)
    with c.loop(c.get("%words", CallCode.EXTERNALS), ("i64", "0")) as loop:
        entry = c.operand("%words", loop.index)
        given = f"ptr {entry}", f"ptr {_steps(c, entry)}", "ptr %E", "ptr %order", "i64 %around", "i64 %lane"
        kind = c.call("i64", "@operand_access", *given)
        c.put(kind, "%kinds", loop.index)
        is_out = c.has_flag(entry, WRITE)
        wrong = c.all(is_out, once, c.eq(kind, IN_PLACE))
        loop.next = [c.max(loop.values[0], c.choose(wrong, NEITHER, kind))]
    return c.end("i64", loop.values[0])


def _longest_of_block() -> str:
    """The place in the order of a block's longest axis."""
    c = LoopFunction("i64", "longest_of_block", ["ptr E", *ORDER_PARAMS[:2], "i64 part", "i64 some"], internal=True)
    first = c.add("%part", 1)
    with c.loop("%around", ("i64", "%part"), ("i64", "%some"), start=first) as loop:
        place, most = loop.values
        extent = c.get("%E", c.get("%order", loop.index))
        loop.next = [c.choose(c.ge(extent, most), loop.index, place), c.max(extent, most)]
    return c.end("i64", loop.values[0])


def _prefetch_block(t: Tuning) -> str:
    """Prefetch the next block of a large operand: hardware does not follow the order in which this one is read."""
    params = ["ptr steps", "ptr E", "ptr order", "ptr place", "i64 part", "i64 some"]
    c = LoopFunction("void", "prefetch_block", params, internal=True)
    if not t.allows("prefetch_blocks"):
        return c.end()
    outer, axis = c.get("%order", 0), c.get("%order", "%part")
    whole, block = (
        c.call("i64", "@llvm.abs.i64", f"i64 {c.mul(c.get('%steps', a), n)}", "i1 false")
        for a, n in ((outer, c.get("%E", outer)), (axis, "%some"))
    )
    with c.when(
        c.any(c.lt(whole, t.short_rows.prefetch_min_bytes), c.gt(block, t.short_rows.prefetch_max_block_bytes))
    ):
        c.ret()
    step = c.get("%steps", axis)
    behind = c.gep("%place", c.choose(c.lt(step, 0), c.mul(block, -2), block))
    with c.loop(block, step=VECTOR_BYTES) as line:
        c.do(f"call void @llvm.prefetch.p0(ptr {c.gep(behind, line.index)}, i32 0, i32 3, i32 1)")
    return c.end()


def _copy_block() -> str:
    """A block of an operand at `place` to scratch or back, matrix by matrix, whose rows are along the longest axis, or
    along the last one if they are backwards there."""
    params = ["ptr operand", "ptr steps", "ptr place", "ptr scratch", "ptr E", "i64 lane", *ORDER_PARAMS, *BLOCK_PARAMS]
    c = LoopFunction("void", "copy_block", [*params, "i64 some", "i1 in"], internal=True)
    size, area = c.get("%operand", Operand.ELEMENT_BYTES), c.gep("%scratch", c.get("%operand", Operand.SCRATCH))
    n, across, last = c.get("%E", "%lane"), c.get("%steps", "%lane"), c.sub("%around", 1)
    shape = [f"i64 {x}" for x in (across, c.get("%steps", c.get("%order", last)), size, n)]
    count = c.choose(c.eq(last, "%part"), "%some", c.get("%E", c.get("%order", last)))
    backwards = c.all("%in", c.call("i1", "@are_reversed", *shape, f"i64 {count}"))
    lanes = c.op(f"alloca [{VECTOR_BYTES} x i8], align {VECTOR_BYTES}")
    with c.when(backwards):
        c.call("void", "@reversal_shuffle", f"ptr {lanes}", *shape)
    row = c.call("i64", "@longest_of_block", "ptr %E", *passed(ORDER_PARAMS[:2]), "i64 %part", "i64 %some")
    row = c.choose(backwards, last, row)
    axis = c.get("%order", row)
    rows, behind = c.choose(c.eq(row, "%part"), "%some", c.get("%E", axis)), c.add(row, 1)
    with c.loop("%around", ("i64", "1"), start=behind) as loop:
        loop.next = [c.mul(loop.values[0], c.get("%E", c.get("%order", loop.index)))]
    inside, line = loop.values[0], c.mul(n, size)
    pitch = c.mul(line, inside)
    points = c.udiv(c.mul("%some", "%inner"), n)
    with c.when(c.all("%in", c.ne(across, size))):
        c.call("void", "@prefetch_block", "ptr %steps", "ptr %E", "ptr %order", "ptr %place", "i64 %part", "i64 %some")
    with c.loop(c.udiv(points, rows)) as q:
        before, after = c.udiv(q.index, inside), c.urem(q.index, inside)
        place = "%place"
        for first, end, number in (("%part", row, before), (behind, "%around", after)):
            steps = "ptr %steps", "ptr %E", "ptr %order", f"i64 {first}", f"i64 {end}", f"i64 {number}"
            place = c.gep(place, c.call("i64", "@offset_of_point", *steps))
        turn = c.add(c.mul(c.mul(before, rows), inside), after)
        here = c.gep(area, c.mul(turn, line))
        sizes = (across, c.get("%steps", axis), size, n, rows)
        done = c.cell(0)
        with c.when(backwards):
            given = f"ptr {here}", f"i64 {pitch}", f"ptr {place}", *(f"i64 {x}" for x in sizes), f"ptr {lanes}"
            c.put(c.call("i64", "@copy_reversed", *given), done, 0)
        moved = c.get(done, 0)
        here, place = c.gep(here, c.mul(moved, pitch)), c.gep(place, c.mul(moved, sizes[1]))
        rest = *(f"i64 {x}" for x in sizes[:-1]), f"i64 {c.sub(rows, moved)}"
        c.call("void", "@copy_matrix", f"ptr {here}", f"i64 {pitch}", f"ptr {place}", *rest, "i1 %in")
    return c.end()


def _blocks() -> str:
    """All blocks at one position of the axes outside of the part's; the last ones are halves, so that each has more
    than a vector."""
    params = [*NEST_PARAMS, *SCRATCH_PARAMS, "i64 lane", *ORDER_PARAMS, *BLOCK_PARAMS, "i64 outer"]
    c = LoopFunction("void", "packed_blocks", params, internal=True)
    words, width, axis = c.word("%D", c.header(Header.DIRECT_CALL)), c.header(Header.LANES), c.get("%order", "%part")
    external = c.get(words, CallCode.EXTERNALS)
    kernel = c.get("%K", c.get(words, CallCode.KERNEL), "ptr")
    extent = c.get("%E", axis)
    at, more, done = c.cell(0), c.label("more"), c.label("done")

    def move_all(start: str, some: str, flag: int) -> None:
        with c.loop(external) as loop:
            entry = c.operand(words, loop.index)
            steps, kind = _steps(c, entry), c.get("%kinds", loop.index)
            before = "ptr %E", "ptr %order", "i64 0", "i64 %part", "i64 %outer"
            offset = c.call("i64", "@offset_of_point", f"ptr {steps}", *before)
            offset = c.add(offset, c.mul(c.get(steps, axis), start))
            place, packed = (c.gep(c.get("%B", c.get(entry, Operand.NUMBER), "ptr"), offset), c.ne(kind, IN_PLACE))
            if flag == READ:
                area = c.gep("%scratch", c.get(entry, Operand.SCRATCH))
                c.put(c.choose(packed, area, place, "ptr"), "%P", loop.index, "ptr")
            with c.when(c.all(packed, c.has_flag(entry, flag))):
                given = f"ptr {entry}", f"ptr {steps}", f"ptr {place}", "ptr %scratch", "ptr %E", "i64 %lane"
                rest = *passed((*ORDER_PARAMS, *BLOCK_PARAMS)), f"i64 {some}", f"i1 {str(flag == READ).lower()}"
                c.call("void", "@copy_block", *given, *rest)

    c.place(more)
    start = c.get(at, 0)
    left = c.sub(extent, start)
    half = c.lshr(c.add(left, 1), 1)
    some = c.choose(c.le(left, "%most"), left, c.min(half, "%most"))
    move_all(start, some, READ)
    c.call("void", kernel, "ptr %P", f"i64 {c.mul(some, '%inner')}", f"i64 {width}", "i64 1")
    move_all(start, some, WRITE)
    c.put(c.add(start, some), at, 0)
    c.branch(c.lt(c.get(at, 0), extent), more, done)
    c.place(done)
    return c.end()


def _packed_short_rows(t: Tuning) -> str:
    """1: all is done."""
    c = LoopFunction("i64", "packed_short_rows", [*NEST_PARAMS, *SCRATCH_PARAMS], internal=True)
    words, width, axes = c.word("%D", c.header(Header.DIRECT_CALL)), c.header(Header.LANES), c.header(Header.AXES)
    lane, external = c.get(words, CallCode.LANE), c.get(words, CallCode.EXTERNALS)
    n, room = c.get("%E", lane), c.sub(block_of(c), width)
    limit = c.min(c.mul(width, t.short_rows.max_vectors), c.udiv(room, 3))
    with c.when(c.any(c.ge(n, limit), c.lt(room, c.mul(width, 3)))):
        c.ret("i64", 0)
    order, kinds = (c.op(f"alloca i64, i64 {k}, align 8") for k in (axes, external))
    with c.loop(axes, ("i64", "0"), ("i64", n)) as loop:
        count, total = loop.values
        extent = c.get("%E", loop.index)
        is_around = c.all(c.ne(extent, 1), c.ne(loop.index, lane))
        c.put(loop.index, order, c.min(count, c.sub(axes, 1)))
        more, times = c.as_i64(is_around), c.choose(is_around, extent, 1)
        loop.next = [c.add(count, more), c.mul(total, times)]
    around, total = loop.values
    with c.when(c.any(c.eq(around, 0), c.lt(total, width))):
        c.ret("i64", 0)
    orders = f"ptr {order}", f"i64 {around}", f"ptr {kinds}"
    kind = c.call("i64", "@operand_accesses", *passed(NEST_PARAMS[1:5]), f"ptr {words}", f"i64 {lane}", *orders)
    last = c.get("%E", c.get(order, c.sub(around, 1)))
    few = c.all(c.ge(around, 2), c.lt(last, t.short_rows.overlap_min_rows))
    by_rows = c.all(c.eq(kind, PACKED), c.ge(n, width), c.negate(few))
    with c.when(c.any(c.eq(kind, IN_PLACE), c.eq(kind, NEITHER), by_rows)):
        c.ret("i64", 0)
    with c.loop(around, ("i64", n), ("i64", around), ("i64", n)) as loop:
        points, part, inner = loop.values
        k = c.sub(c.sub(around, 1), loop.index)
        fits = c.le(points, room)
        extent = c.get("%E", c.get(order, k))
        loop.next = [c.mul(points, extent), c.choose(fits, k, part), c.choose(fits, points, inner)]
    _, part, inner = loop.values
    with c.loop(part, ("i64", "1")) as loop:
        loop.next = [c.mul(loop.values[0], c.get("%E", c.get(order, loop.index)))]
    put_integers(c, words, external, c.get(words, CallCode.OPERANDS))
    block = f"i64 {part}", f"i64 {inner}", f"i64 {c.udiv(room, inner)}"
    with c.loop(loop.values[0]) as outer:
        given = *passed((*NEST_PARAMS, *SCRATCH_PARAMS)), f"i64 {lane}", *orders, *block, f"i64 {outer.index}"
        c.call("void", "@packed_blocks", *given)
    return c.end("i64", 1)
