"""Deinterleaving: up to four operands that are columns of one array of structures are packed in one pass.

Contract  words for each operand of a call (below) -> `deinterleave` gives a bit for each that it will pack with others.
When      operands have equal strides, begin within four elements of each other, and have 4 or 8 bytes.
Why       the rows' memory is read once: loaded whole and transposed in registers, or shuffled where rows are dense.
"""

from __future__ import annotations

from collections.abc import Callable

from tensordsl.codegen.library.loops.descriptor import LoopFunction, shuffled
from tensordsl.codegen.library.loops.pack.strided import (
    PACKER_PARAMS,
    VECTOR_BYTES,
    packer_of_rows,
    read,
    with_repeated_loads,
)
from tensordsl.codegen.target.tuning import Tuning

SIDE = 4  # columns at most
# Bytes from row to row for each size of elements, at least, so that SIDE elements end with the next row's first one, or
# before.
MIN_STRIDE_BYTES = {4: 16, 8: 24}
DENSE = ((4, 2), (4, 3), (8, 2))  # (size, elements of a row), where whole vectors are loaded
REGISTER_BYTES = 32  # longer ones gain nothing
# Four vectors of four elements are transposed in two stages: what each takes from two vectors.
PAIRS, FOURS = ((0, 4, 2, 6), (1, 5, 3, 7)), ((0, 1, 4, 5), (2, 3, 6, 7))
# Words for each operand: its first element, bytes from one to the next (0: it is a scalar), its copy in scratch or
# null; what packs it, or null, and what that is given as its target; an element's bytes if it is written from there,
# and if it may be packed together with others, or 0; bytes from a row to the next; where copies of all these go.
ADDRESS, STRIDE, AREA, PACKER, TARGET, STORED_BYTES, COLUMN_BYTES, ROW_STRIDE, COLUMNS = range(9)
OPERAND_WORDS = COLUMNS + SIDE
ALIKE = (COLUMN_BYTES, STRIDE, ROW_STRIDE)  # what columns of one block have in common

_DECLARED = "declare <16 x i32> @llvm.masked.load.v16i32.p0(ptr, i32, <16 x i1>, <16 x i32>)\n"
Load = Callable[[LoopFunction, str, str], Callable[[int], list[str]]]


def deinterleave_texts(t: Tuning) -> list[str]:
    often_too = [_by_rows(size, loads) for size in MIN_STRIDE_BYTES for loads in (1, t.pack.repeated_loads)]
    best = packer_of_rows(
        t, "packer_of_rows", [f"deinterleave{size}" for size in MIN_STRIDE_BYTES], "strided_packer_of_rows"
    )
    return [*often_too, *(_dense(*kind) for kind in DENSE), best, _deinterleaver(), _deinterleave(), _DECLARED]


def _by_rows(size: int, loads: int) -> str:
    """SIDE elements of each row are loaded at once, in order (see `pack.strided`), and transposed in registers."""
    lanes, rows = VECTOR_BYTES // size, REGISTER_BYTES // size
    kind, part = f"<{rows} x i{8 * size}>", f"<{SIDE} x i{8 * size}>"

    def load(c: LoopFunction, source: str, used: str) -> Callable[[int], list[str]]:
        *places, last = [c.gep(source, c.mul("%stride", k) if k else 0) for k in range(lanes)]
        values = [read(c, part, place, loads) for place in places]
        values.append(_masked(c, part, last, used))
        pairs = [_pairs(c, size, values[k : k + rows]) for k in range(0, lanes, rows)]
        return lambda k: [shuffled(c, kind, *pair[k % 2], _lanes(FOURS[k // 2], rows)) for pair in pairs]

    name = f"deinterleave{size}"
    return _packer(name if loads == 1 else with_repeated_loads(name), size, SIDE, kind, load)


def _dense(size: int, step: int) -> str:
    """Rows of `step` elements, one behind the other."""
    lanes = VECTOR_BYTES // size
    kind = f"<{lanes} x i{8 * size}>"

    def load(c: LoopFunction, source: str, used: str) -> Callable[[int], list[str]]:
        *places, last = [c.gep(source, k * VECTOR_BYTES) for k in range(step)]
        loaded = [c.op(f"load {kind}, ptr {place}, align 1") for place in places]
        every = f"<{SIDE} x i1> <{', '.join(['i1 true'] * SIDE)}>"
        chosen = ", ".join(f"i32 {max(k - lanes + step, -1) % (2 * SIDE)}" for k in range(lanes))
        mask = c.op(f"shufflevector <{SIDE} x i1> {used}, {every}, <{lanes} x i32> <{chosen}>")
        loaded.append(_masked(c, kind, last, mask))

        def column(k: int) -> list[str]:
            places, value = [divmod(e * step + k, lanes) for e in range(lanes)], "poison"
            for q, register in enumerate(loaded):
                mixed = [lanes + lane if j == q else e for e, (j, lane) in enumerate(places)]
                value = shuffled(c, kind, value, register, mixed)
            return [value]

        return column

    return _packer(f"dense{size}x{step}", size, step, kind, load)


def _packer(name: str, size: int, count: int, kind: str, load: Load) -> str:
    """A packer of `count` columns: `to` has where their copies go, or null, `from` is the first."""
    c, lanes = LoopFunction("void", name, PACKER_PARAMS, internal=True), VECTOR_BYTES // size
    targets = [c.get("%to", k, "ptr") for k in range(count)]
    with c.when(c.lt("%count", lanes)):
        for k, target in enumerate(targets):
            with c.when(c.not_null(target)):
                given = f"ptr {target}", f"ptr {c.gep('%from', k * size)}", "i64 %stride", "i64 %count", f"i64 {size}"
                c.call("void", "@copy_strided", *given)
        c.ret()
    used = c.op(f"icmp ne <{SIDE} x i64> {c.op(f'load <{SIDE} x i64>, ptr %to, align 8')}, zeroinitializer")
    last = c.sub("%count", lanes)
    with c.loop("%count", step=lanes) as loop:
        first = c.min(loop.index, last)
        column = load(c, c.gep("%from", c.mul(first, "%stride")), used)
        for k, target in enumerate(targets):
            with c.when(c.not_null(target)):
                place = c.gep(target, c.mul(first, size))
                for j, value in enumerate(values := column(k)):
                    c.do(f"store {kind} {value}, ptr {c.gep(place, j * VECTOR_BYTES // len(values))}, align 1")
    return c.end()


def _masked(c: LoopFunction, kind: str, place: str, used: str) -> str:
    """What is used of the last row: there may be nothing else behind it."""
    lanes, bits = kind[1:-1].split(" x i")
    given = f"ptr {place}", "i32 1", f"<{lanes} x i1> {used}", f"{kind} poison"
    return c.call(kind, f"@llvm.masked.load.v{lanes}i{bits}.p0", *given)


def _pairs(c: LoopFunction, size: int, rows: list[str]) -> list[tuple[str, str]]:
    """Of as many rows as a register has lanes, (what PAIRS[k] takes from the first two, and from the next) for each k;
    behind rows q of SIDE stand rows SIDE + q."""
    count, kind = len(rows), f"<{len(rows)} x i{8 * size}>"
    if count > SIDE:
        part = f"<{SIDE} x i{8 * size}>"
        rows = [shuffled(c, part, rows[q], rows[SIDE + q], range(count)) for q in range(SIDE)]
    p, q, r, s = rows
    lanes = [_lanes(places, count) for places in PAIRS]
    return [(shuffled(c, kind, p, q, chosen), shuffled(c, kind, r, s, chosen)) for chosen in lanes]


def _lanes(places: tuple[int, ...], count: int) -> list[int]:
    """The same places of SIDE lanes of two vectors, for each SIDE of `count`."""
    return [p % SIDE + first + count * (p >= SIDE) for first in range(0, count, SIDE) for p in places]


def _deinterleaver() -> str:
    """What packs columns of elements of such a size, and bytes from row to row, together, or null."""
    c, found = LoopFunction("ptr", "deinterleaver", ["i64 size", "i64 stride"], internal=True), "null"
    for size, least in MIN_STRIDE_BYTES.items():
        is_wide = c.all(c.eq("%size", size), c.ge("%stride", least))
        found = c.choose(is_wide, f"@deinterleave{size}", found, "ptr")
    for size, step in DENSE:
        is_dense = c.all(c.eq("%size", size), c.eq("%stride", size * step))
        found = c.choose(is_dense, f"@dense{size}x{step}", found, "ptr")
    return c.end("ptr", found)


def _deinterleave() -> str:
    """Have columns of one block, of those that are within SIDE elements, packed together; a bit for each of them."""
    c = LoopFunction("i64", "deinterleave", ["ptr row", "i64 external"], internal=True)
    found = c.cell(0)
    with c.loop("%external") as each:
        own = c.word("%row", c.mul(each.index, OPERAND_WORDS))
        place, packer, columns = c.get(own, ADDRESS), c.get(own, PACKER, "ptr"), c.word(own, COLUMNS)
        unit, stride, along = (c.get(own, k) for k in ALIKE)
        joint = c.call("ptr", "@deinterleaver", f"i64 {unit}", f"i64 {stride}")
        with c.when(c.not_null(joint)):
            for k in range(SIDE):
                c.put("null", columns, k, "ptr")
            with c.loop("%external", ("i64", place)) as loop:
                lowest = c.sub(place, c.sub(_span(c, unit, stride), unit))
                other, is_near, _ = _of_same_block(c, loop.index, lowest, unit, stride, along)
                loop.next = [c.choose(is_near, c.min(c.get(other, ADDRESS), loop.values[0]), loop.values[0])]
            first = loop.values[0]
            with c.loop("%external", ("i64", "0")) as loop:
                other, is_near, column = _of_same_block(c, loop.index, first, unit, stride, along)
                cell = c.gep(columns, c.choose(is_near, column, 0))
                is_taken = c.all(is_near, c.is_null(c.get(cell, 0, "ptr")))
                with c.when(is_taken):
                    c.put(c.get(other, AREA), cell, 0)
                    c.put("null", other, PACKER, "ptr")
                    c.put(0, other, COLUMN_BYTES)
                loop.next = [c.or_(loop.values[0], c.choose(is_taken, c.shl(1, loop.index), 0))]
            several = c.any(*(c.not_null(c.get(columns, k, "ptr")) for k in range(1, SIDE)))
            c.put(c.choose(several, joint, packer, "ptr"), own, PACKER, "ptr")
            c.put(c.choose(several, columns, c.get(own, AREA, "ptr"), "ptr"), own, TARGET, "ptr")
            c.put(first, own, ADDRESS)
            c.put(c.or_(c.get(found, 0), c.choose(several, loop.values[0], 0)), found, 0)
    return c.end("i64", c.get(found, 0))


def _of_same_block(c: LoopFunction, k: str, first: str, unit: str, stride: str, along: str) -> tuple[str, str, str]:
    """(an operand's words; is it a column of the same block, up to SIDE elements from `first` on?; bytes of pointers
    before its own)"""
    other = c.word("%row", c.mul(k, OPERAND_WORDS))
    distance = c.sub(c.get(other, ADDRESS), first)
    is_near = c.test("ult", distance, _span(c, unit, stride))
    is_whole = c.eq(c.and_(distance, c.sub(unit, 1)), 0)
    alike = [c.eq(c.get(other, k), value) for k, value in zip(ALIKE, (unit, stride, along), strict=True)]
    return other, c.all(is_near, is_whole, *alike), c.udiv(c.shl(distance, 3), unit)


def _span(c: LoopFunction, unit: str, stride: str) -> str:
    """Bytes of a row that are loaded."""
    return c.min(c.mul(unit, SIDE), stride)
