"""Copied operands of reductions, and of elementwise work on rows that have one value each.

Contract  a launch -> the same on contiguous copies in scratch, block by block; -1: not handled.  Words in the
          descriptor: the lanes' axis, and of each input the bytes of an element, or 0.
When      an input is strided along the lanes, and its rows are short or read several times.
Why       the interpreter packs a row once more for each reader, with a call for each row however short.
"""

from __future__ import annotations

from tensordsl.codegen.abi.descriptor import NEST_PARAMS, SCRATCH_PARAMS, Header
from tensordsl.codegen.library.loops.descriptor import LoopFunction
from tensordsl.codegen.llvm.builder import passed
from tensordsl.codegen.target.machine import CACHE_LINE_BYTES
from tensordsl.codegen.target.tuning import Tuning


def copied_operand_texts(t: Tuning) -> list[str]:
    return [
        _times_read(t),
        _copy_bytes(t),
        _copy_operand(),
        _copied_block(t),
        _with_copied_operands(),
        _run_with_copies(t),
    ]


def _times_read(t: Tuning) -> str:
    """How often each element of an operand with strides `s` is read.  Of the axis that threads share a part may have
    any length, and is done as all of a launch."""
    c = LoopFunction("i64", "times_read", ["ptr D", "ptr s", "ptr E"], internal=True)
    outer = c.header(Header.OUTER_AXIS)
    with c.loop(c.header(Header.AXES), ("i64", "1")) as loop:
        times = c.choose(c.eq(loop.index, outer), t.pack.copies_min_reads, c.get("%E", loop.index))
        times = c.choose(c.eq(c.get("%s", loop.index), 0), times, 1)
        loop.next = [c.mul(loop.values[0], times)]
    return c.end("i64", loop.values[0])


def _copy_bytes(t: Tuning) -> str:
    """Of the copy of an operand with strides `s`, which go to `t`; 0 where it is read in its place."""
    c = LoopFunction("i64", "copy_bytes", ["ptr D", "ptr s", "ptr t", "ptr E", "i64 lane", "i64 size"], internal=True)
    step, n, axes = c.get("%s", "%lane"), c.get("%E", "%lane"), c.header(Header.AXES)
    with c.when(c.negate(_is_strided(c, "%size", step))):
        c.ret("i64", 0)
    by_tiles = c.all(c.ne(c.header(Header.DIRECT_CALL), 0), c.ge(n, c.header(Header.LANES)))
    exchanged = c.ne(c.header(Header.EXCHANGES), 0)
    with c.loop(axes, ("i1", "false")) as loop:
        behind = c.eq(c.get("%s", loop.index), "%size")
        is_outer = c.eq(loop.index, c.header(Header.OUTER_AXIS))  # of any length, as above
        is_long = c.any(is_outer, c.gt(c.get("%E", loop.index), t.pack.copies_short_row_elements))
        loop.next = [c.any(loop.values[0], c.all(behind, is_long))]
    with c.when(c.all(c.any(by_tiles, exchanged), loop.values[0])):
        c.ret("i64", 0)
    times = c.call("i64", "@times_read", "ptr %D", "ptr %s", "ptr %E")
    once = c.any(c.ne(c.header(Header.COLUMN_READS), 0), c.lt(times, t.pack.copies_min_reads))
    with c.when(c.all(c.gt(n, t.pack.copies_short_row_elements), once)):
        c.ret("i64", 0)
    c.put("%size", "%t", "%lane")
    with c.loop(axes, ("i64", c.mul(n, "%size"))) as loop:
        axis, total = c.sub(c.sub(axes, 1), loop.index), loop.values[0]
        moves = c.all(c.ne(axis, "%lane"), c.ne(c.get("%s", axis), 0))
        with c.when(c.ne(axis, "%lane")):
            c.put(c.choose(moves, total, 0), "%t", axis)
        loop.next = [c.choose(moves, c.mul(total, c.get("%E", axis)), total)]
    return c.end("i64", loop.values[0])


def _copy_operand() -> str:
    """The elements of an operand to where its strides `t` in scratch say, matrix by matrix: of the lanes and the axis
    next to them there."""
    params = ["ptr to", "ptr from", "ptr s", "ptr t", "ptr E", "i64 axes", "i64 lane", "i64 size"]
    c = LoopFunction("void", "copy_operand", params, internal=True)
    n = c.get("%E", "%lane")
    row = c.mul(n, "%size")
    with c.loop("%axes", ("i64", "-1")) as loop:
        moves = c.all(c.eq(c.get("%t", loop.index), row), c.ne(loop.index, "%lane"))
        longer = c.all(moves, c.ne(c.get("%E", loop.index), 1))
        loop.next = [c.choose(longer, loop.index, loop.values[0])]
    near = loop.values[0]
    is_matrix, at = c.ge(near, 0), c.max(near, 0)
    rows = c.choose(is_matrix, c.get("%E", at), 1)
    matrix = c.mul(row, rows)

    def length(axis: str) -> str:
        outside = c.all(c.ne(axis, near), c.ge(c.get("%t", axis), matrix))
        return c.choose(outside, c.get("%E", axis), 1)

    with c.loop("%axes", ("i64", "1")) as loop:
        loop.next = [c.mul(loop.values[0], length(loop.index))]
    sizes = c.get("%s", "%lane"), c.choose(is_matrix, c.get("%s", at), 0), "%size", n, rows
    with c.loop(loop.values[0]) as line:
        with c.loop("%axes", ("i64", "0"), ("i64", "0"), ("i64", line.index)) as loop:
            (source, target, rest), axis = loop.values, c.sub(c.sub("%axes", 1), loop.index)
            extent = length(axis)
            index = c.urem(rest, extent)
            moved = (c.mul(index, c.get(table, axis)) for table in ("%s", "%t"))
            source, target = (c.add(x, y) for x, y in zip((source, target), moved, strict=True))
            loop.next = [source, target, c.udiv(rest, extent)]
        there, here = c.gep("%from", loop.values[0]), c.gep("%to", loop.values[1])
        given = f"ptr {here}", f"i64 {row}", f"ptr {there}", *(f"i64 {x}" for x in sizes)
        c.call("void", "@copy_matrix", *given, "i1 true")
    return c.end()


def _copied_block(t: Tuning) -> str:
    """Positions of a block of the axis that threads share, or of any other; 0: nothing is copied.  To `T` and `e` go
    strides and extents of one position."""
    c = LoopFunction("i64", "copied_block", ["ptr D", "ptr S", "ptr E", "ptr T", "ptr e"], internal=True)
    axes, outer = c.header(Header.AXES), c.header(Header.OUTER_AXIS)
    with c.when(c.negate(_is_any_strided(c, axes))):
        c.ret("i64", 0)
    for count, source, target in ((axes, "%E", "%e"), (c.mul(axes, c.header(Header.OPERANDS)), "%S", "%T")):
        with c.loop(count) as loop:
            c.put(c.get(source, loop.index), target, loop.index)
    is_cut, at = c.ge(outer, 0), c.max(outer, 0)
    many = c.choose(is_cut, c.get("%E", at), 1)
    with c.when(is_cut):
        c.put(1, "%e", outer)
    fixed, each = _sizes(c, "%T", "%e", is_cut, at)
    least = c.min(c.mul(each, t.pack.copies_min_positions), c.max(each, t.pack.copies_min_bytes))
    fits = c.le(c.add(fixed, least), t.pack.copies_bytes)
    some = c.all(c.ne(c.or_(fixed, each), 0), c.gt(many, 0), fits)
    block = c.min(c.udiv(c.sub(t.pack.copies_bytes, fixed), c.max(each, 1)), many)
    return c.end("i64", c.choose(some, c.choose(c.eq(each, 0), many, block), 0))


def _with_copied_operands() -> str:
    """All of a launch; or -1: nothing is copied."""
    c = LoopFunction("i64", "with_copied_operands", [*NEST_PARAMS, *SCRATCH_PARAMS, "ptr stage"], internal=True)
    outer, (strides, extents) = c.header(Header.OUTER_AXIS), room_for_copies(c)
    block = c.call("i64", "@copied_block", "ptr %D", "ptr %S", "ptr %E", f"ptr {strides}", f"ptr {extents}")
    with c.when(c.eq(block, 0)):
        c.ret("i64", -1)
    many = c.choose(c.ge(outer, 0), c.get("%E", c.max(outer, 0)), 1)
    tables = f"ptr {strides}", f"ptr {extents}", f"i64 {many}", f"i64 {block}"
    return c.end(
        "i64", c.call("i64", "@run_with_copies", *passed((*NEST_PARAMS, *SCRATCH_PARAMS)), "ptr %stage", *tables)
    )


def room_for_copies(c: LoopFunction) -> tuple[str, str]:
    """Tables of strides and extents."""
    axes, operands = c.header(Header.AXES), c.header(Header.OPERANDS)
    strides, extents = (c.op(f"alloca i64, i64 {k}, align 8") for k in (c.mul(axes, operands), axes))
    return strides, extents


def _is_any_strided(c: LoopFunction, axes: str) -> str:
    words = c.word("%D", c.header(Header.COPIED_OPERANDS))
    with c.loop(c.header(Header.INPUTS), ("i1", "false")) as loop:
        size = c.get(words, c.add(loop.index, 1))
        step = c.get("%S", c.add(c.mul(loop.index, axes), c.get(words, 0)))
        loop.next = [c.any(loop.values[0], _is_strided(c, size, step))]
    return loop.values[0]


def _sizes(c: LoopFunction, strides: str, extents: str, is_cut: str, outer: str) -> tuple[str, str]:
    """(bytes of what is copied for all blocks, of each position along the outer axis), in whole lines."""
    with c.loop(c.header(Header.INPUTS), ("i64", "0"), ("i64", "0")) as loop:
        (fixed, each), o = loop.values, _Input(c, loop.index, strides, extents)
        bytes_ = _aligned(c, o.bytes)
        moves = c.all(is_cut, c.ne(c.get(o.strides, outer), 0))
        still, moving = c.choose(moves, 0, bytes_), c.choose(moves, bytes_, 0)
        loop.next = [c.add(fixed, still), c.add(each, moving)]
    return loop.values[0], loop.values[1]


def _run_with_copies(t: Tuning) -> str:
    """The launch, `block` of `many` positions of its outer axis at a time; `T`, `e`: strides and extents of a block."""
    tables = ["ptr stage", "ptr T", "ptr e", "i64 many", "i64 block"]
    c = LoopFunction("i64", "run_with_copies", [*NEST_PARAMS, *SCRATCH_PARAMS, *tables], internal=True)
    outer, operands, inputs = c.header(Header.OUTER_AXIS), c.header(Header.OPERANDS), c.header(Header.INPUTS)
    area = c.op(f"alloca i8, i64 {t.pack.copies_bytes}, align {CACHE_LINE_BYTES}")
    bases, places = (c.op(f"alloca i64, i64 {k}, align 8") for k in (operands, inputs))
    is_cut, at = c.ge(outer, 0), c.max(outer, 0)
    with c.when(is_cut):
        c.put("%block", "%e", outer)
    with c.loop(inputs, ("ptr", area)) as loop:
        bytes_ = _Input(c, loop.index, "%T", "%e").bytes
        c.put(c.choose(c.eq(bytes_, 0), "null", loop.values[0], "ptr"), places, loop.index, "ptr")
        loop.next = [c.gep(loop.values[0], _aligned(c, bytes_))]
    with c.loop("%many", ("i64", "0"), step="%block") as part:
        with c.when(is_cut):
            c.put(c.min(c.sub("%many", part.index), "%block"), "%e", outer)
        with c.loop(operands) as loop:
            own = c.word("%S", c.mul(loop.index, c.header(Header.AXES)))
            step = c.choose(is_cut, c.get(own, at), 0)
            c.put(c.gep(c.get("%B", loop.index, "ptr"), c.mul(step, part.index)), bases, loop.index, "ptr")
        with c.loop(inputs) as loop:
            place = c.get(places, loop.index, "ptr")
            with c.when(c.not_null(place)):
                _copy(c, loop.index, place, bases, c.eq(part.index, 0), at)
        given = "ptr %K", "ptr %D", f"ptr {bases}", "ptr %T", "ptr %e", "ptr %I", *passed(SCRATCH_PARAMS)
        bad = c.call("i64", "@run_general", *given, "ptr %stage", "ptr null", "i64 1")
        part.next = [c.or_(part.values[0], bad)]
    return c.end("i64", part.values[0])


def _copy(c: LoopFunction, k: str, place: str, bases: str, is_first: str, outer: str) -> None:
    """Of a block; what is the same in all of them is there from the first one on."""
    axes = c.header(Header.AXES)
    own, there = (c.word(table, c.mul(k, axes)) for table in ("%S", "%T"))
    with c.when(c.any(is_first, c.ne(c.get(own, outer), 0))):
        words = c.word("%D", c.header(Header.COPIED_OPERANDS))
        tables = f"ptr {own}", f"ptr {there}", "ptr %e", f"i64 {axes}", f"i64 {c.get(words, 0)}"
        size = c.get(words, c.add(k, 1))
        c.call("void", "@copy_operand", f"ptr {place}", f"ptr {c.get(bases, k, 'ptr')}", *tables, f"i64 {size}")
    c.put(place, bases, k, "ptr")


class _Input:
    """An input: its strides, and bytes of its copy, whose strides go to those of the block."""

    def __init__(self, c: LoopFunction, k: str, strides: str, extents: str) -> None:
        words, row = c.word("%D", c.header(Header.COPIED_OPERANDS)), c.mul(k, c.header(Header.AXES))
        self.strides = c.word("%S", row)
        tables = f"ptr {self.strides}", f"ptr {c.word(strides, row)}", f"ptr {extents}"
        numbers = f"i64 {c.get(words, 0)}", f"i64 {c.get(words, c.add(k, 1))}"
        self.bytes = c.call("i64", "@copy_bytes", "ptr %D", *tables, *numbers)


def _aligned(c: LoopFunction, size: str) -> str:
    return c.and_(c.add(size, CACHE_LINE_BYTES - 1), -CACHE_LINE_BYTES)


def _is_strided(c: LoopFunction, size: str, step: str) -> str:
    """Are an operand's elements, `step` bytes from lane to lane, neither adjacent nor the same?"""
    return c.all(*(c.ne(x, y) for x, y in ((size, 0), (step, size), (step, 0))))
