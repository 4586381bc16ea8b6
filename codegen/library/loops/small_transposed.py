"""Small launches over two axes with lanes across short rows: transposed to scratch and run there, without a context.

Contract  `return_if_small_transposed` writes the call into `run_nest`; `SmallTransposedWords`.
When      two axes, and all operands together fit the first-level cache.
Why       strided operands are transposed once, instructions follow each other on scratch; few lanes are padded.
"""

from __future__ import annotations

from tensordsl.codegen.abi.descriptor import (
    FLAG,
    INTEGER,
    INTERNAL,
    NEST_PARAMS,
    POSITION,
    SCRATCH_PARAMS,
    CallCode,
    Header,
    Opcode,
    Operand,
    SmallTransposedWords,
)
from tensordsl.codegen.library.loops.descriptor import LoopFunction, fill_lines
from tensordsl.codegen.llvm.builder import passed
from tensordsl.codegen.target.tuning import Tuning

TABLES = [*NEST_PARAMS, *SCRATCH_PARAMS]
_PART = ["ptr own", "i64 start", "i64 count", "i64 live"]  # `own`: the flag, then the positions along both axes
_MOVE = ["ptr area", "ptr base", "i64 pitch", "i64 step", "i64 row", "i64 size", "i64 n", "i64 rows"]


def small_transposed_texts(t: Tuning) -> list[str]:
    return [
        _small_transposed(t),
        _small_in_scratch(t),
        _pack_rows(),
        _unpack_rows(),
        _small_lanes(),
        _call(),
        _operand(),
    ]


def return_if_small_transposed(c: LoopFunction) -> None:
    """Return from `run_nest` if this does it all."""
    with c.when(c.ne(c.header(Header.SMALL_TRANSPOSED), 0)):
        bad = c.call("i64", "@small_transposed", *passed(NEST_PARAMS))
        with c.when(c.ge(bad, 0)):
            c.ret("i64", bad)


def _small_transposed(t: Tuning) -> str:
    """All of a launch; or -1: there is too much of it, or all lanes are adjacent and fill a vector."""
    c = LoopFunction("i64", "small_transposed", NEST_PARAMS, internal=True)
    words = c.word("%D", c.header(Header.SMALL_TRANSPOSED))
    lane = c.header(Header.LANE_AXIS)
    width = c.header(Header.LANES)
    n, rows = c.get("%E", lane), c.get("%E", c.sub(1, lane))
    none, is_short = c.any(c.lt(n, 1), c.lt(rows, 1)), c.lt(n, width)
    many = c.gt(c.mul(n, rows), c.get(words, SmallTransposedWords.MAX_POINTS))
    with c.when(c.any(none, many)):
        c.ret("i64", -1)
    mask, operands = c.sub(width, 1), c.header(Header.TRANSPOSABLE)
    room = c.and_(c.add(n, mask), c.sub(0, width))
    few = c.as_i64(c.all(is_short, c.le(rows, t.pack.small_max_rows)))
    with c.loop(operands, ("i64", "0"), ("i64", few)) as loop:
        o = _Operand(c, loop.index, lane, rows, room)
        loop.next = [c.add(loop.values[0], o.bytes), c.or_(loop.values[1], o.is_strided)]
    total, some = loop.values
    with c.when(c.any(c.eq(some, 0), c.gt(total, t.pack.small_bytes))):
        c.ret("i64", -1)
    every = c.cell(c.as_i64(is_short))
    with c.when(c.all(c.gt(n, width), c.ne(c.and_(n, mask), 0))):
        c.put(c.xor(c.call("i64", "@may_recompute", "ptr %D", "ptr %B"), 1), every, 0)
    given = f"i64 {n}", f"i64 {rows}", f"i64 {room}", f"i64 {c.get(every, 0)}"
    return c.end("i64", c.call("i64", "@small_in_scratch", *passed(NEST_PARAMS), *given))


def _small_in_scratch(t: Tuning) -> str:
    """`every`: all operands go to scratch, not only strided ones."""
    c = LoopFunction(
        "i64", "small_in_scratch", [*NEST_PARAMS, "i64 n", "i64 rows", "i64 room", "i64 every"], internal=True
    )
    c.do(f"%scratch = alloca i8, i64 {c.header(Header.SCRATCH_BYTES)}, align 64")
    c.do(f"%P = alloca ptr, i64 {c.header(Header.POINTERS)}, align 16")
    many, number, inputs = (c.get("%D", k) for k in (Header.TRANSPOSABLE, Header.OPERANDS, Header.INPUTS))
    area = c.op(f"alloca i8, i64 {t.pack.small_bytes}, align 64")
    lane, own = c.header(Header.LANE_AXIS), c.op("alloca [3 x i64], align 8")
    bases, strides, starts = (c.op(f"alloca i64, i64 {k}, align 8") for k in (number, c.shl(number, 1), many))
    for k in range(3):
        c.put(0, own, k)
    with c.loop(number) as loop:
        c.put(c.get("%B", loop.index), bases, loop.index)
        for k in range(2):
            place = c.add(c.shl(loop.index, 1), k)
            c.put(c.get("%S", place), strides, place)
    there = c.max("%n", c.header(Header.LANES))
    with c.loop(many, ("ptr", area)) as loop:
        o, place = _Operand(c, loop.index, lane, "%rows", "%room"), loop.values[0]
        is_copied = c.ne(c.or_(o.is_strided, "%every"), 0)
        following = c.gep(place, o.bytes)
        c.put(c.choose(is_copied, place, "null", "ptr"), starts, loop.index, "ptr")
        with c.when(is_copied):
            c.put(place, bases, o.number, "ptr")
            row = c.word(strides, c.shl(o.number, 1))
            c.put(o.size, row, lane)
            c.put(c.choose(o.moves, o.pitch, 0), row, c.sub(1, lane))
            with c.when(c.lt(o.number, inputs)):
                c.call("void", "@pack_rows", *o.moved(c, place), f"i64 {there}")
        loop.next = [c.choose(is_copied, following, place, "ptr")]
    _every_lane(c, bases, strides, own)
    with c.loop(many) as loop:
        o, place = _Operand(c, loop.index, lane, "%rows", "%room"), c.get(starts, loop.index, "ptr")
        with c.when(c.all(c.ge(o.number, inputs), c.not_null(place))):
            c.call("void", "@unpack_rows", *o.moved(c, place))
    return c.end("i64", c.get(own, 0))


def _every_lane(c: LoopFunction, bases: str, strides: str, flags: str) -> None:
    """Whole vectors, or one that is not; then the last whole one for what is left."""
    width = c.header(Header.LANES)
    whole = c.max(c.and_("%n", c.sub(0, width)), width)
    tables = "ptr %K", "ptr %D", f"ptr {bases}", f"ptr {strides}", "ptr %E", "ptr %I", "ptr %P", "ptr %scratch"
    live, most = (
        c.min("%n", width),
        c.get(c.word("%D", c.header(Header.SMALL_TRANSPOSED)), SmallTransposedWords.MAX_LANES),
    )
    with c.loop(whole, step=most) as at:
        count = c.min(c.sub(whole, at.index), most)
        c.call("void", "@small_lanes", *tables, f"ptr {flags}", f"i64 {at.index}", f"i64 {count}", f"i64 {live}")
    with c.when(c.gt("%n", whole)):
        start = c.sub("%n", width)
        c.call("void", "@small_lanes", *tables, f"ptr {flags}", f"i64 {start}", f"i64 {width}", f"i64 {width}")


class _Operand:
    """One that may be transposed: its number, bytes of an element, steps along the lanes and the rows, whether lanes
    are strided; and how many rows it has in scratch, their pitch, and bytes of all."""

    def __init__(self, c: LoopFunction, k: str, lane: str, rows: str, room: str) -> None:
        pairs = c.add(c.header(Header.EXCHANGES), c.header(Header.MERGES))
        pair = c.word("%D", c.add(c.shl(c.add(pairs, k), 1), Header.WORDS))
        self.number, self.size = c.get(pair, 0), c.get(pair, 1)
        strides = c.word("%S", c.shl(self.number, 1))
        self.step, self.row = c.get(strides, lane), c.get(strides, c.sub(1, lane))
        self.is_strided = c.as_i64(c.ne(self.step, self.size))
        self.moves = c.ne(self.row, 0)
        self.rows = c.choose(self.moves, rows, 1)
        self.pitch = c.and_(c.add(c.mul(room, self.size), 63), -64)
        self.bytes = c.mul(self.rows, self.pitch)

    def moved(self, c: LoopFunction, place: str) -> list[str]:
        """What `into_scratch` and `out_of_scratch` take."""
        numbers = self.pitch, self.step, self.row, self.size, "%n", self.rows
        return [f"ptr {place}", f"ptr {c.get('%B', self.number, 'ptr')}", *(f"i64 {k}" for k in numbers)]


def _pack_rows() -> str:
    """n elements of each row, and valid ones behind them, up to `there`."""
    c = LoopFunction("void", "pack_rows", [*_MOVE, "i64 there"], internal=True)
    with c.when(_is_transposed(c)):
        with c.when(c.lt("%n", "%there")):
            fill_lines(c, "%area", c.mul("%rows", "%pitch"), "0")
        numbers = "ptr %area", "i64 %pitch", "ptr %base", "i64 %step", "i64 %size", "i64 %n", "i64 %rows"
        c.call("void", "@transpose", *numbers)
        c.ret()
    with c.loop("%rows") as loop:
        here, there = _row_of(c, loop.index)
        c.call(
            "void", "@pack", f"ptr {here}", f"ptr {there}", "i64 %step", "i64 %size", "i64 %n", "i64 %there", "i64 0"
        )
    return c.end()


def _unpack_rows() -> str:
    c = LoopFunction("void", "unpack_rows", _MOVE, internal=True)
    with c.when(_is_transposed(c)):
        numbers = "ptr %base", "i64 %step", "ptr %area", "i64 %pitch", "i64 %size", "i64 %rows", "i64 %n"
        c.call("void", "@transpose", *numbers)
        c.ret()
    with c.loop("%rows") as loop:
        here, there = _row_of(c, loop.index)
        c.call("void", "@unpack", f"ptr {there}", f"ptr {here}", "i64 %step", "i64 %size", "i64 %n")
    return c.end()


def _is_transposed(c: LoopFunction) -> str:
    return c.all(c.eq("%row", "%size"), c.ne("%step", "%size"))


def _row_of(c: LoopFunction, k: str) -> tuple[str, str]:
    """(place in scratch, place) of a row."""
    return c.gep("%area", c.mul(k, "%pitch")), c.gep("%base", c.mul(k, "%row"))


def _small_lanes() -> str:
    """The instructions for `count` lanes."""
    c = LoopFunction("void", "small_lanes", [*TABLES, *_PART], internal=True)
    code = c.word("%D", c.header(Header.SMALL_TRANSPOSED))
    with c.loop(c.get(code, SmallTransposedWords.INSTRUCTIONS)) as loop:
        pair = c.word(code, c.add(c.shl(loop.index, 1), SmallTransposedWords.PAIRS))
        words, most = c.word("%D", c.get(pair, 0)), c.get(pair, 1)
        fill, call, done = c.label("fill"), c.label("call"), c.label("done")
        c.branch(c.eq(c.get(words, 0), Opcode.FILL), fill, call)
        c.place(fill)
        size = c.add(c.get(words, CallCode.LANE), c.mul(c.get(words, CallCode.EXTERNALS), "%count"))
        fill_lines(c, c.gep("%scratch", c.get(words, CallCode.KERNEL)), size, c.get(words, CallCode.OPERANDS))
        c.jump(done)
        c.place(call)
        c.call("void", "@small_call", *passed((*TABLES, *_PART)), f"ptr {words}", f"i64 {most}")
        c.jump(done)
        c.place(done)
    return c.end()


def _call() -> str:
    """A CALL, for all of its rows."""
    c = LoopFunction("void", "small_call", [*TABLES, *_PART, "ptr words", "i64 most"], internal=True)
    external = c.get("%words", CallCode.EXTERNALS)
    every = c.get("%words", CallCode.OPERANDS)
    row = c.get("%words", CallCode.ROW)
    pointers, axis = c.word("%P", c.get("%words", CallCode.POINTERS)), c.max(row, 0)
    steps, has_rows = c.word(pointers, every), c.ge(row, 0)
    with c.loop(external) as loop:
        number = c.mul(c.get(c.operand("%words", loop.index), Operand.NUMBER), c.header(Header.AXES))
        strides, base = c.word("%S", number), c.get("%B", c.get(c.operand("%words", loop.index), Operand.NUMBER), "ptr")
        first = c.gep(base, c.mul(c.get(strides, c.header(Header.LANE_AXIS)), "%start"))
        c.put(first, pointers, loop.index, "ptr")
        c.put(c.get(strides, axis), steps, loop.index)
    with c.loop(every, start=external) as loop:
        entry = c.operand("%words", loop.index)
        address = c.call("ptr", "@small_operand", "ptr %I", "ptr %scratch", "ptr %own", f"ptr {entry}")
        c.put(address, pointers, loop.index, "ptr")
        c.put(c.get(entry, Operand.ELEMENT_BYTES), steps, loop.index)
    looped = c.ge(c.get("%words", CallCode.LANE), 0)
    n, live = c.choose(looped, "%count", 1), c.choose(looped, "%live", 1)
    rows, position = c.choose(has_rows, c.get("%E", axis), 1), c.word("%own", c.add(axis, 1))
    kernel = c.get("%K", c.get("%words", CallCode.KERNEL), "ptr")
    with c.loop(rows, step="%most") as at:
        some = c.min(c.sub(rows, at.index), "%most")
        c.put(at.index, position, 0)
        c.call("void", kernel, f"ptr {pointers}", f"i64 {n}", f"i64 {live}", f"i64 {some}", "i64 3")
        with c.when(c.gt(c.sub(rows, at.index), "%most")), c.loop(external) as loop:
            moved = c.mul(c.get(steps, loop.index), "%most")
            c.put(c.add(c.get(pointers, loop.index), moved), pointers, loop.index)
    c.put(0, position, 0)
    return c.end()


def _operand() -> str:
    """The address of what is no operand of the launch."""
    c = LoopFunction("ptr", "small_operand", ["ptr I", "ptr scratch", "ptr own", "ptr operand"], internal=True)
    kind, number = c.get("%operand", Operand.KIND), c.get("%operand", Operand.NUMBER)
    address = c.choose(c.eq(kind, INTERNAL), c.gep("%scratch", number), "%own", "ptr")
    position = c.word("%own", c.add(number, 1))
    for other, place in ((INTEGER, c.word("%I", number)), (POSITION, position), (FLAG, "%own")):
        address = c.choose(c.eq(kind, other), place, address, "ptr")
    return c.end("ptr", address)
