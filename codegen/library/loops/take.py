"""Take along an axis: groups that only copy what stands at indices, of short rows or of columns.

Contract  operands are the indices, what is indexed, and the result; `TakeWords`; -1: not handled.
When      runs of at most 128 bytes are contiguous in both arrays, and there are enough rows.
Why       indices are checked once; then a few columns at a time are copied down a block of rows that stays cached.
"""

from __future__ import annotations

from collections.abc import Callable

from tensordsl.codegen.abi.descriptor import NEST_PARAMS, Header, TakeWords
from tensordsl.codegen.library.loops.descriptor import LoopFunction
from tensordsl.codegen.target.machine import CACHE_LINE_BYTES
from tensordsl.codegen.target.tuning import Tuning

KINDS = {1: "i8", 2: "i16", 4: "i32", 8: "i64", 16: "<2 x i64>"}  # by bytes of a run
HALF_KINDS = {2: "i16", 4: "i32", 8: "i64", 16: "<2 x i64>", 32: "<4 x i64>", 64: "<8 x i64>"}  # by bytes of its halves
MAX_RUN_BYTES = 2 * max(HALF_KINDS)
INDICES_AT_ONCE = 256  # for whose offsets there is room on the stack
UNROLLED_COLUMNS = 4
INDICES, SOURCE, RESULT = range(3)
_COPY = [
    "ptr to", "i64 to_row", "i64 to_step", "ptr from", "i64 from_row", "ptr places", "i64 n", "i64 rows", "i64 rest",
]  # fmt: skip
_PLACES = ["ptr places", "ptr at", "i64 step", "i64 kind", "i64 n", "i64 extent", "i64 item_stride"]


def take_texts(t: Tuning) -> list[str]:
    copies = [_copy(f"take{size}", kind, UNROLLED_COLUMNS, False) for size, kind in KINDS.items()]
    copies += [_copy(f"take_halves{size}", kind, UNROLLED_COLUMNS // 2, True) for size, kind in HALF_KINDS.items()]
    return [_index_at(), _places(), *copies, _offset_of_line(), _contiguous_run(), _take(t)]


def _index_at() -> str:
    """An index of 1, 2 or 4 bytes as an int64."""
    c = LoopFunction("i64", "index_at", ["ptr at", "i64 kind"], internal=True)
    for size, kind in list(KINDS.items())[:3]:
        for sign, extend in enumerate(("zext", "sext")):
            with c.when(c.eq("%kind", 2 * size + sign)):
                c.ret("i64", c.op(f"{extend} {kind} {c.op(f'load {kind}, ptr %at, align 1')} to i64"))
    return c.end("i64", 0)


def _places() -> str:
    """Where elements at `n` indices stand, in bytes; whether an index was out of range, which gives the first one."""
    c = LoopFunction("i64", "take_offsets", _PLACES, internal=True)

    def each(load: Callable[[str], str]) -> str:
        with c.loop("%n", ("i1", "false")) as loop:
            index = load(c.gep("%at", c.mul(loop.index, "%step")))
            index = c.choose(c.lt(index, 0), c.add(index, "%extent"), index)
            wrong = c.test("uge", index, "%extent")
            c.put(c.mul(c.choose(wrong, 0, index), "%item_stride"), "%places", loop.index)
            loop.next = [c.any(loop.values[0], wrong)]
        return c.as_i64(loop.values[0])

    with c.when(c.ge("%kind", 16)):
        c.ret("i64", each(lambda at: c.op(f"load i64, ptr {at}, align 1")))
    return c.end("i64", each(lambda at: c.call("i64", "@index_at", f"ptr {at}", "i64 %kind")))


def _copy(name: str, kind: str, unroll: int, ends: bool) -> str:
    """Runs of `rows` rows at `n` places: one element of `kind`, or (`ends`) one from their start on and one up to their
    end, `rest` bytes behind."""
    c = LoopFunction("void", name, _COPY, internal=True)
    whole = c.and_("%n", -unroll)
    for first, stop, count in (("0", whole, unroll), (whole, "%n", 1)):
        with c.loop(stop, start=first, step=count) as column:
            places = [c.get("%places", c.add(column.index, k)) for k in range(count)]
            steps = [c.mul("%to_step", k) for k in range(count)]
            if ends:
                places, steps = ([x for p in table for x in (p, c.add(p, "%rest"))] for table in (places, steps))
            to = c.gep("%to", c.mul(column.index, "%to_step"))
            with c.loop("%rows", ("ptr", to), ("ptr", "%from")) as row:
                target, source = row.values
                values = [c.op(f"load {kind}, ptr {c.gep(source, p)}, align 1") for p in places]
                for value, step in zip(values, steps, strict=True):
                    c.do(f"store {kind} {value}, ptr {c.gep(target, step)}, align 1")
                row.next = [c.gep(target, "%to_row"), c.gep(source, "%from_row")]
    return c.end()


def _copier(c: LoopFunction, run: str) -> tuple[str, str]:
    """(what copies runs of so many bytes, where their second half begins)"""
    copy, half = f"@take_halves{MAX_RUN_BYTES // 2}", str(MAX_RUN_BYTES // 2)
    for size in reversed(list(HALF_KINDS)):
        fits = c.le(run, 2 * size)
        copy, half = c.choose(fits, f"@take_halves{size}", copy, "ptr"), c.choose(fits, size, half)
    for size in KINDS:
        copy = c.choose(c.eq(run, size), f"@take{size}", copy, "ptr")
    return copy, c.sub(run, half)


def _offset_of_line() -> str:
    """Bytes from an operand's first element to that of the q-th position along the first `count` axes."""
    c = LoopFunction("i64", "offset_of_line", ["ptr s", "ptr E", "i64 count", "i64 q"], internal=True)
    with c.loop("%count", ("i64", "0"), ("i64", "%q")) as loop:
        axis = c.sub(c.sub("%count", 1), loop.index)
        (offset, rest), n = loop.values, c.get("%E", axis)
        step = c.mul(c.urem(rest, n), c.get("%s", axis))
        loop.next = [c.add(offset, step), c.udiv(rest, n)]
    return c.end("i64", loop.values[0])


def _rows(c: LoopFunction, along: str, source: str, result: str) -> tuple[str, str, str]:
    """(axis of the rows, or -1; how many there are; axes around them): axes before `along` that are one in both."""
    with c.loop(along, ("i64", "-1"), ("i64", "1"), ("i64", along), ("i1", "true")) as loop:
        row, rows, around, merges = loop.values
        axis = c.sub(c.sub(along, 1), loop.index)
        none, extent, some = c.lt(row, 0), c.get("%E", axis), c.max(row, 0)
        strided = [c.xor(c.get(s, axis), c.mul(c.get(s, some), rows)) for s in (source, result)]
        is_one = c.any(c.eq(extent, 1), none, c.eq(c.or_(*strided), 0))
        takes = c.all(merges, is_one)
        starts = c.all(none, c.ne(extent, 1))
        rows = c.choose(takes, c.mul(rows, extent), rows)
        loop.next = [c.choose(starts, axis, row), rows, c.choose(takes, axis, around), takes]
    return loop.values[0], loop.values[1], loop.values[2]


def _contiguous_run() -> str:
    """Bytes that stand one behind the other in source and result, along all axes behind; 0 if not all do."""
    c = LoopFunction(
        "i64", "contiguous_run", ["ptr s", "ptr t", "ptr E", "i64 along", "i64 axes", "i64 size"], internal=True
    )
    with c.loop(c.sub(c.sub("%axes", 1), "%along"), ("i64", "%size")) as loop:
        axis, run = c.sub(c.sub("%axes", 1), loop.index), loop.values[0]
        extent = c.get("%E", axis)
        strided = c.or_(*(c.xor(c.get(s, axis), run) for s in ("%s", "%t")))
        follows = c.any(c.eq(extent, 1), c.eq(strided, 0))
        loop.next = [c.choose(follows, c.mul(run, extent), 0)]
    return c.end("i64", loop.values[0])


class _Launch:
    """What the words say, and how the axes around the indices' are walked: rows, and lines of them."""

    def __init__(self, c: LoopFunction, t: Tuning) -> None:
        words, axes = c.word("%D", c.header(Header.TAKE)), c.header(Header.AXES)
        self.size = c.get(words, TakeWords.ELEMENT_BYTES)
        self.kind, along = c.get(words, TakeWords.INDEX_KIND), c.get(words, TakeWords.AXIS)
        self.extent, self.item_stride = (c.get("%I", c.get(words, k)) for k in (TakeWords.LENGTH, TakeWords.STRIDE))
        indices, self.source, self.result = (c.word("%S", c.mul(axes, k)) for k in range(3))
        self.step, self.to_step, self.n = c.get(indices, along), c.get(self.result, along), c.get("%E", along)
        strides = f"ptr {self.source}", f"ptr {self.result}"
        self.run = c.call(
            "i64", "@contiguous_run", *strides, "ptr %E", f"i64 {along}", f"i64 {axes}", f"i64 {self.size}"
        )
        row, self.rows, self.around = _rows(c, along, self.source, self.result)
        with c.loop(self.around, ("i64", "1")) as loop:
            loop.next = [c.mul(loop.values[0], c.get("%E", loop.index))]
        self.lines = loop.values[0]
        self.from_row, self.to_row = (c.get(s, c.max(row, 0)) for s in (self.source, self.result))
        here, there = (c.call("i64", "@llvm.abs.i64", f"i64 {x}", "i1 false") for x in (self.from_row, self.to_row))
        self.all_rows = c.mul(self.rows, self.lines)
        self.reach = c.mul(self.all_rows, c.max(here, c.mul(self.n, self.run)))
        self.block = c.min(
            c.max(c.udiv(t.pack.take_block_bytes, c.max(c.max(here, there), 1)), 1), t.pack.take_block_rows
        )


def _take(t: Tuning) -> str:
    """All of a launch; or -1: rows are too few, too long, strided, or too much for the caches; rows at indices are too
    few, or have two elements or a whole line."""
    c = LoopFunction("i64", "take", NEST_PARAMS, internal=True)
    along = c.get(c.word("%D", c.header(Header.TAKE)), TakeWords.AXIS)
    with c.when(c.all(c.eq(along, 0), c.lt(c.get("%E", 0), t.pack.take_min_indices))):
        c.ret("i64", -1)
    at = _Launch(c, t)
    far = c.all(c.eq(at.run, at.size), c.ge(at.n, c.header(Header.LANES)), c.gt(at.reach, t.pack.take_max_reach_bytes))
    strided = c.any(c.eq(at.run, 0), c.gt(at.run, MAX_RUN_BYTES))
    short = c.gt(at.run, c.mul(at.size, 2)), c.lt(at.run, CACHE_LINE_BYTES)
    alone = c.all(c.eq(along, 0), *short)
    with c.when(c.any(c.negate(c.any(alone, c.ge(at.all_rows, t.pack.take_min_rows))), far, strided)):
        c.ret("i64", -1)
    copier, places = _copier(c, at.run), c.op(f"alloca i64, i64 {INDICES_AT_ONCE}, align 64")
    with c.loop(at.n, ("i64", "0"), step=INDICES_AT_ONCE) as part:
        some = c.min(c.sub(at.n, part.index), INDICES_AT_ONCE)
        first = c.gep(c.get("%B", INDICES, "ptr"), c.mul(part.index, at.step))
        numbers = (at.step, at.kind, some, at.extent, at.item_stride)
        bad = c.call("i64", "@take_offsets", f"ptr {places}", f"ptr {first}", *(f"i64 {x}" for x in numbers))
        part.next = [c.or_(part.values[0], bad)]
        to = c.gep(c.get("%B", RESULT, "ptr"), c.mul(part.index, at.to_step))
        with c.loop(at.lines) as line:
            _copy_line(c, at, copier, to, line.index, f"ptr {places}", f"i64 {some}")
    return c.end("i64", part.values[0])


def _copy_line(c: LoopFunction, at: _Launch, copier: tuple[str, str], to: str, line: str, *places: str) -> None:
    """All rows of a line, a block of them at a time."""
    copy, rest = copier
    starts = []
    for s, base in ((at.result, to), (at.source, c.get("%B", SOURCE, "ptr"))):
        offset = c.call("i64", "@offset_of_line", f"ptr {s}", "ptr %E", f"i64 {at.around}", f"i64 {line}")
        starts.append(("ptr", c.gep(base, offset)))
    with c.loop(at.rows, *starts, step=at.block) as row:
        to, source = row.values
        live = c.min(c.sub(at.rows, row.index), at.block)
        given = f"ptr {to}", f"i64 {at.to_row}", f"i64 {at.to_step}", f"ptr {source}", f"i64 {at.from_row}"
        c.call("void", copy, *given, *places, f"i64 {live}", f"i64 {rest}")
        row.next = [c.gep(p, c.mul(step, at.block)) for p, step in ((to, at.to_row), (source, at.from_row))]
