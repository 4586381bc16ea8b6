"""Of the nest library: columns of one block, packed together.

Of each row the elements from the first of up to four columns on are loaded at once, and transposed in registers.
"""

from __future__ import annotations

from tensordsl.codegen.nest_apart import LINE, PACKER
from tensordsl.codegen.nest_words import Function, shuffled

SIDE = 4  # elements of a row
# Bytes from row to row for each size of elements, at least: what is loaded ends with the next row's first one, or
# before, and three of 4 bytes are packed as fast one by one.
LEAST = {4: 16, 8: 24}
REGISTER = 32  # bytes; longer ones gain nothing
# Four vectors of four elements are transposed by pairs, and pairs of pairs: what each takes from two vectors.
PAIRS, FOURS = ((0, 4, 2, 6), (1, 5, 3, 7)), ((0, 1, 4, 5), (2, 3, 6, 7))


def interleaved_texts() -> list[str]:
    return [*map(_interleaved, LEAST), _is_column()]


def _interleaved(size: int) -> str:
    """A packer of columns: `to` is where their SIDE copies go, null where there is none; `from` is the first one's."""
    c, lanes, rows = Function("void", f"interleaved{size}", PACKER, internal=True), LINE // size, REGISTER // size
    targets, kind = [c.get("%to", k, "ptr") for k in range(SIDE)], f"<{rows} x i{8 * size}>"
    with c.when(c.test("slt", "%count", lanes)):
        for k, target in enumerate(targets):
            with c.when(c.not_null(target)):
                given = f"ptr {target}", f"ptr {c.gep('%from', k * size)}", "i64 %stride", "i64 %count", f"i64 {size}"
                c.call("void", "@column", *given)
        c.ret()
    used = c.op(f"icmp ne <{SIDE} x i64> {c.op(f'load <{SIDE} x i64>, ptr %to, align 8')}, zeroinitializer")
    steps, last = [c.arith("mul", "%stride", k) if k else 0 for k in range(lanes)], c.arith("sub", "%count", lanes)
    with c.loop("%count", step=lanes) as loop:
        first = c.min(loop.index, last)
        source = c.gep("%from", c.arith("mul", first, "%stride"))
        loaded = _rows(c, size, [c.gep(source, step) for step in steps], used)
        pairs = [_pairs(c, size, loaded[k : k + rows]) for k in range(0, lanes, rows)]
        for k, target in enumerate(targets):
            with c.when(c.not_null(target)):
                place = c.gep(target, c.arith("mul", first, size))
                for j, pair in enumerate(pairs):
                    value = shuffled(c, kind, *pair[k % 2], _lanes(FOURS[k // 2], rows))
                    c.do(f"store {kind} {value}, ptr {c.gep(place, j * REGISTER)}, align 1")
    return c.end()


def _rows(c: Function, size: int, places: list[str], used: str) -> list[str]:
    """SIDE elements of each row, of the last one only those that are used: there may be no others behind it."""
    kind, (*before, last) = f"<{SIDE} x i{8 * size}>", places
    masked = f"ptr {last}", "i32 1", f"<{SIDE} x i1> {used}", f"{kind} poison"
    loaded = [c.op(f"load {kind}, ptr {place}, align 1") for place in before]
    return [*loaded, c.call(kind, f"@llvm.masked.load.v{SIDE}i{8 * size}.p0", *masked)]


def _pairs(c: Function, size: int, rows: list[str]) -> list[tuple[str, str]]:
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


def _is_column() -> str:
    """May an operand be packed together with others?"""
    c = Function("i1", "is_column", ["i64 size", "i64 stride"], internal=True)
    return c.end("i1", c.any(*(c.all(c.test("eq", "%size", k), c.test("sge", "%stride", n)) for k, n in LEAST.items())))
