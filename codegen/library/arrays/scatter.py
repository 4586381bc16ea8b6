"""Scatter: setting and adding to blocks of an array at positions, in their order (`scatter_*`).

Contract  `program_ir.instructions.Scatter` says what a symbol of `abi.layouts.SCATTERS` computes.
How       axes of a block that are not its row are walked outside of the positions, so that each walk over these writes
          one part of the array; offsets of 512 positions are computed at once, and rows to come are prefetched.
"""

from __future__ import annotations

from collections.abc import Sequence

from tensordsl.codegen.abi import layouts
from tensordsl.codegen.library.arrays.histogram import DECLARATIONS, MAX_COUNT, counted_text, counts_text
from tensordsl.codegen.library.lines import line_loop_text
from tensordsl.codegen.library.loops.descriptor import splat
from tensordsl.codegen.library.signals import POLL, long_loop, poll
from tensordsl.codegen.llvm import float16
from tensordsl.codegen.llvm.builder import METADATA, Asm, passed
from tensordsl.codegen.llvm.vector_builder import Code, llvm_type, memory_type
from tensordsl.codegen.target.machine import ALIAS_BYTES, CACHE_LINE_BYTES
from tensordsl.codegen.target.tuning import Tuning

SIZES = {"i8": 1, "i16": 2, "i32": 4, "i64": 8, "float": 4, "double": 8}
UNROLL = 4  # vectors of a row in one round of the loop
OFFSETS_AT_ONCE, OFFSETS_PER_VECTOR = 512, 8  # positions whose offsets are found at once; in a vector
PREFETCH = "declare void @llvm.prefetch.p0(ptr, i32, i32, i32)\n"
IS_COLUMN = 2  # of `is_row`: what is written at each position are strided elements
PLACES = ("ptr x", "ptr y", "ptr positions", "i64 step", "i64 count", "i64 y_step")


def scatter_text(t: Tuning) -> str:
    """The whole module."""
    vector_bytes, isa = t.machine.vector_bytes, "half" if t.machine.has_half else ""
    bodies = [_offsets(), _sum_of_halves(1, isa), _sum_of_halves(vector_bytes // 2, isa)]
    for name in layouts.SCATTERS:
        kind = name.rpartition("_")[2]
        lanes = vector_bytes // SIZES[kind]
        bodies += [
            _elements(name, kind),
            _columns(t, name, kind),
            _rows(t, name, kind, lanes),
            _loop_text(name),
            _entry(t, name),
        ]
        bodies += [counted_text(name, kind)] if counts(t, name) else []
    return PREFETCH + POLL + DECLARATIONS + "".join([counts_text(), *bodies]) + METADATA


def counts(t: Tuning, name: str) -> bool:
    return name.startswith("add_") and t.allows("histogram_scatter")


def _offsets() -> str:
    """The byte offsets of `count` positions from number `start` on, of integers of `sizes` bytes in several arrays."""
    params = ("ptr positions", "ptr sizes", "ptr steps", "i64 k", "i64 start", "i64 count", "ptr room")
    f = Asm("void", "offsets", params, internal=True)
    with f.loop("%count", step=OFFSETS_PER_VECTOR) as loop:
        f.do(f"store <{OFFSETS_PER_VECTOR} x i64> zeroinitializer, ptr {f.gep('%room', loop.index, 'i64')}, align 8")
    with f.loop("%k") as loop:
        array = f.load("ptr", f.gep("%positions", loop.index, "ptr"))
        size, step = (f.load("i64", f.gep(a, loop.index, "i64")) for a in ("%sizes", "%steps"))
        source = f.gep(array, f.mul(size, "%start"))
        for bytes in (1, 2, 8):
            with f.when(f.eq(size, bytes)):
                _add_offsets(f, f"i{8 * bytes}", source, step)
    f.ret()
    return f.text


def _add_offsets(f: Asm, kind: str, source: str, step: str) -> None:
    whole = f.and_("%count", -OFFSETS_PER_VECTOR)

    def add(i: str, t: str, narrow: str, by: str) -> None:
        value = f.op(f"load {narrow}, ptr {f.gep(source, i, kind)}, align 1")
        value = value if kind == "i64" else f.op(f"zext {narrow} {value} to {t}")
        place = f.gep("%room", i, "i64")
        others = f.op(f"load {t}, ptr {place}, align 8")
        total = f.op(f"add {t} {others}, {f.op(f'mul {t} {value}, {by}')}")
        f.do(f"store {t} {total}, ptr {place}, align 8")

    steps = splat(f, step)
    with f.loop(whole, step=OFFSETS_PER_VECTOR) as loop:
        add(loop.index, f"<{OFFSETS_PER_VECTOR} x i64>", f"<{OFFSETS_PER_VECTOR} x {kind}>", steps)
    with f.loop("%count", start=whole) as loop:
        add(loop.index, "i64", kind, step)


def _target(f: Asm, i: str) -> str:
    at = f.load("i64", f.gep("%positions", i, "i64"))
    return f.gep("%x", f.mul(at, "%step"))


def _fetch(f: Asm, t: Tuning, i: str, last: str, lines: Sequence[str]) -> None:
    """Some of what is written a few positions later, which is no more than the last one's."""
    if not t.allows("prefetch_blocks"):
        return
    later = f.add(i, t.arrays.scatter_prefetch_rows)
    place = _target(f, f.choose(f.lt(later, last), later, last))
    for at in lines:
        f.call("void", "@llvm.prefetch.p0", f"ptr {f.gep(place, at)}", "i32 1", "i32 3", "i32 1")


def _source(f: Asm, i: str) -> str:
    return f.gep("%y", f.mul(i, "%y_step"))


def _put(f: Asm, name: str, kind: str, target: str, source: str) -> None:
    """One element, or one vector, of x from one of y."""
    align = SIZES[kind.strip("<>").rpartition(" ")[2]]
    value = f.op(f"load {kind}, ptr {source}, align {align}")
    operation = name.partition("_")[0]
    if operation != "set":
        old = f.op(f"load {kind}, ptr {target}, align {align}")
        if operation == "half":
            value = f.call(kind, _halves(kind), f"{kind} {old}", f"{kind} {value}")
        else:
            word = "fadd" if kind.strip(">").endswith(("float", "double")) else operation
            value = f.op(f"{word} {kind} {old}, {value}")
    f.do(f"store {kind} {value}, ptr {target}, align {align}")


def _halves(kind: str) -> str:
    return "@sum_of_halves" if kind == "i16" else "@sums_of_halves"


def _sum_of_halves(lanes: int, isa: str) -> str:
    """x + y of float16, rounded once."""
    code, kind = Code(isa=isa), memory_type("float16", lanes)
    x, y = (float16.widened(code, v, lanes) for v in ("%x", "%y"))
    total = code.op(f"fadd {llvm_type('float32', lanes)} {x}, {y}")
    result = float16.narrowed(code, float16.rounded(code, total, lanes), lanes)
    head = f"define internal {kind} {_halves(kind)}({kind} %x, {kind} %y) nounwind {{"
    return f"{head}\n{code.text}\n  ret {kind} {result}\n}}\n"


def _elements(name: str, kind: str) -> str:
    """One element at each position."""
    f = Asm("void", f"elements_{name}", PLACES, internal=True)
    whole = f.and_("%count", -UNROLL)
    with long_loop(f, whole, step=UNROLL) as loop:
        each = [f.add(loop.index, k) for k in range(UNROLL)]
        pairs = [(_target(f, i), _source(f, i)) for i in each]
        for target, source in pairs:  # in order: they may be one element
            _put(f, name, kind, target, source)
    with f.loop("%count", start=whole) as loop:
        _put(f, name, kind, _target(f, loop.index), _source(f, loop.index))
    f.ret()
    return f.text


def _columns(t: Tuning, name: str, kind: str) -> str:
    """At each position `width` strided elements."""
    f = Asm("void", f"columns_{name}", (*PLACES, "i64 width", "i64 x_unit", "i64 y_unit"), internal=True)
    with f.loop("%width", step=t.arrays.scatter_block_rows) as block:
        left = f.sub("%width", block.index)
        is_last = f.lt(left, t.arrays.scatter_block_rows)
        some = f.choose(is_last, left, t.arrays.scatter_block_rows)
        x, y = (f.mul(block.index, f"%{unit}") for unit in ("x_unit", "y_unit"))
        with long_loop(f, "%count") as loop:
            target, source = f.gep(_target(f, loop.index), x), f.gep(_source(f, loop.index), y)
            with f.loop(some, ("ptr", target), ("ptr", source)) as row:
                _put(f, name, kind, *row.values)
                row.next = [f.gep(row.values[0], "%x_unit"), f.gep(row.values[1], "%y_unit")]
    f.ret()
    return f.text


def _rows(t: Tuning, name: str, kind: str, lanes: int) -> str:
    """A row of `width` adjacent elements at each position; y's stride is `y_unit` bytes.  Rows shorter than a vector
    have a loop of their own."""
    f = Asm("void", f"rows_{name}", (*PLACES, "i64 width", "i64 y_unit"), internal=True)
    last, end = f.sub("%count", 1), f.sub(f.mul("%width", SIZES[kind]), 1)
    lines = [
        f.choose(f.lt(end, at), end, at)
        for at in range(0, t.arrays.scatter_prefetch_lines * CACHE_LINE_BYTES, CACHE_LINE_BYTES)
    ]
    adjacent, complete = f.eq("%y_unit", SIZES[kind]), f.and_("%width", -lanes)

    def each(prefetched: Sequence[str], complete: str) -> None:
        with long_loop(f, "%count") as loop:
            _fetch(f, t, loop.index, last, prefetched)
            _row(f, (name, kind, lanes), _target(f, loop.index), _source(f, loop.index), complete)
        f.ret()

    with f.when(adjacent):
        with f.when(f.eq(complete, 0)):
            each(["0"], "0")
        each(lines, complete)
    with long_loop(f, "%count") as loop:
        row, source = _target(f, loop.index), _source(f, loop.index)
        _fetch(f, t, loop.index, last, lines)
        with f.loop("%width", ("ptr", row), ("ptr", source)) as column:
            _put(f, name, kind, *column.values)
            column.next = [f.gep(column.values[0], SIZES[kind]), f.gep(column.values[1], "%y_unit")]
    f.ret()
    return f.text


def _vectors(f: Asm, operation: tuple[str, str, int], row: str, source: str, complete: str) -> None:
    name, kind, lanes = operation
    with f.loop(complete, step=lanes) as column:
        _put(f, name, f"<{lanes} x {kind}>", f.gep(row, column.index, kind), f.gep(source, column.index, kind))


def _row(f: Asm, operation: tuple[str, str, int], row: str, source: str, complete: str) -> None:
    """Whole vectors, and what is left by halves, quarters and so on; of float16 one by one, as sums are functions."""
    name, kind, lanes = operation
    if complete != "0":
        _vectors(f, operation, row, source, complete)
    if name.startswith("half"):
        with f.loop("%width", start=complete) as column:
            _put(f, name, kind, f.gep(row, column.index, kind), f.gep(source, column.index, kind))
        return
    count = lanes // 2
    while count:
        with f.when(f.ne(f.and_("%width", count), 0)):
            at, some = f.and_("%width", -2 * count), kind if count == 1 else f"<{count} x {kind}>"
            _put(f, name, some, f.gep(row, at, kind), f.gep(source, at, kind))
        count //= 2


def _loop_text(name: str) -> str:
    """The axes of the block that are not its row one by one, and for each all positions."""

    def end(f: Asm) -> None:
        with f.when(f.eq("%is_row", 0)):
            f.call("void", f"@elements_{name}", *passed(PLACES))
            f.ret()
        width, x_unit, y_unit = (f"i64 {f.load('i64', f.gep(a, '%last', 'i64'))}" for a in ("%dims", "%xs", "%ys"))
        with f.when(f.eq("%is_row", IS_COLUMN)):
            f.call("void", f"@columns_{name}", *passed(PLACES), width, x_unit, y_unit)
            f.ret()
        f.call("void", f"@rows_{name}", *passed(PLACES), width, y_unit)

    return line_loop_text(name, (*PLACES, "i64 is_row"), end)


def _entry(t: Tuning, name: str) -> str:
    """bases: x, y, positions; words: count, y_step, steps, dims, strides of x, strides of y, bytes of positions."""
    f = Asm("void", name, ("ptr bases", "ptr words", "i64 k", "i64 rank", "i64 is_row"))
    x, y, positions = f.load("ptr", "%bases"), f.load("ptr", "%bases", 8), f.gep("%bases", 16)
    count, y_step, steps = f.load("i64", "%words"), f.load("i64", "%words", 8), f.gep("%words", 16)
    dims = f.gep(steps, "%k", "i64")
    xs = f.gep(dims, "%rank", "i64")
    ys = f.gep(xs, "%rank", "i64")
    step = f.load("i64", f.gep(xs, f.sub("%rank", 1), "i64"))
    aliased = f.and_(step, ALIAS_BYTES // 2 - 1)
    by_rows = (f.eq("%is_row", 0), f.gt("%rank", 0), f.ne(aliased, 0))
    few = f.all(*by_rows, f.le(count, t.arrays.scatter_few_positions))
    kind = f.choose(few, IS_COLUMN, "%is_row")
    outer = f.sub("%rank", f.op(f"zext i1 {few} to i64"))
    outer = f.sub(outer, "%is_row")
    sizes = f.gep(ys, "%rank", "i64")
    given = f"i64 {y_step}", f"i64 {kind}", f"ptr {dims}", f"ptr {xs}", f"ptr {ys}", "i64 0", f"i64 {outer}"
    as_given = f.all(f.eq("%k", 1), f.eq(f.load("i64", sizes), 8))
    with f.when(as_given):
        with f.when(f.gt(count, 0)):
            places = f"ptr {f.load('ptr', positions)}", f"i64 {f.load('i64', steps)}", f"i64 {count}"
            f.call("void", f"@{name}.walk", f"ptr {x}", f"ptr {y}", *places, *given)
        f.ret()
    if counts(t, name):
        _or_counts(f, t, name, count, y_step, (f"ptr {x}", f"ptr {y}"), positions, steps, sizes)
    room = f.op(f"alloca [{OFFSETS_AT_ONCE} x i64], align 64")
    with f.loop(count, step=OFFSETS_AT_ONCE) as block:
        left = f.sub(count, block.index)
        some = f.choose(f.lt(left, OFFSETS_AT_ONCE), left, OFFSETS_AT_ONCE)
        arrays = f"ptr {positions}", f"ptr {sizes}", f"ptr {steps}", "i64 %k"
        f.call("void", "@offsets", *arrays, f"i64 {block.index}", f"i64 {some}", f"ptr {room}")
        source = f.gep(y, f.mul(y_step, block.index))
        places = f"ptr {room}", "i64 1", f"i64 {some}"
        f.call("void", f"@{name}.walk", f"ptr {x}", f"ptr {source}", *places, *given)
        poll(f)
    f.ret()
    return f.text


def _or_counts(
    f: Asm,
    t: Tuning,
    name: str,
    count: str,
    y_step: str,
    arrays: tuple[str, str],
    positions: str,
    steps: str,
    sizes: str,
) -> None:
    """One number at positions of one byte, of which there are many."""
    one = (f.eq(x, n) for x, n in (("%k", 1), ("%rank", 0), (y_step, 0), (f.load("i64", sizes), 1)))
    many = f.ge(count, t.arrays.histogram_min_positions), f.lt(count, MAX_COUNT)
    with f.when(f.all(*one, *many)):
        places = f"ptr {f.load('ptr', positions)}", f"i64 {f.load('i64', steps)}", f"i64 {count}"
        with f.when(f.call("i1", f"@counted_{name}", *arrays, *places)):
            f.ret()
