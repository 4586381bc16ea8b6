"""Of the nest library: groups of one kernel over one axis, some of whose operands have elements apart, block by block.

Blocks of what comes from memory are short: so the core still computes one while it asks for the next.
"""

from __future__ import annotations

from tensordsl.codegen.nest_tiles import block_of
from tensordsl.codegen.nest_words import (
    FAST,
    N_AXES,
    PARAMS,
    READ,
    SPACE,
    VECTOR,
    WIDTH,
    WRITE,
    Function,
    entry_of,
    put_integers,
)  # fmt: skip

FAR = 1 << 13  # vectors of an operand that is in no near cache
SHORT, LONG = 16, 64  # vectors of a block then, and of others


def packed_texts() -> list[str]:
    return [_pack_all(), _packed_row()]


def _pack_all() -> str:
    """Pointers of `count` elements from the one of number `start` on, and copies of those that are apart; or back."""
    params = [*PARAMS[1:4], "ptr words", *SPACE, "i64 start", "i64 count", "i1 in"]
    c = Function("void", "pack_all", params, internal=True)
    lane, axes = c.get("%words", 2), c.get("%D", N_AXES)
    flag = c.choose("%in", READ, WRITE)
    with c.loop(c.get("%words", 3)) as loop:
        entry = entry_of(c, "%words", loop.index)
        number, size = c.get(entry, 1), c.get(entry, 2)
        stride = c.get("%S", c.arith("add", c.arith("mul", number, axes), lane))
        is_vector = c.test("eq", c.get(entry, 0), VECTOR)
        offset = c.choose(is_vector, c.arith("mul", stride, "%start"), 0)
        place, area = c.gep(c.get("%B", number, "ptr"), offset), c.gep("%scratch", c.get(entry, 3))
        apart = c.all(is_vector, c.test("ne", stride, size))
        with c.when("%in"):
            c.put(c.choose(apart, area, place, "ptr"), "%P", loop.index, "ptr")
        with c.when(c.all(apart, c.test("ne", c.arith("and", c.get(entry, 4), flag), 0))):
            there, rest = (f"ptr {area}", f"ptr {place}"), (f"i64 {stride}", f"i64 {size}", "i64 %count")
            with c.when("%in"):
                c.call("void", "@pack", *there, *rest, "i64 %count")
            with c.when(c.op("xor i1 %in, true")):
                c.call("void", "@unpack", *there[::-1], *rest)
    return c.end()


def _packed_row() -> str:
    """1: all is done, the last elements by a whole vector again."""
    c = Function("i64", "packed_row", [*PARAMS, *SPACE], internal=True)
    words, width = c.word("%D", c.get("%D", FAST)), c.get("%D", WIDTH)
    n, kernel = c.get("%E", c.get(words, 2)), c.get("%K", c.get(words, 1), "ptr")
    again = c.test("ne", c.call("i64", "@may_repeat", "ptr %D", "ptr %B"), 0)
    with c.when(c.op(f"xor i1 {c.all(again, c.test('sge', n, width))}, true")):
        c.ret("i64", 0)
    put_integers(c, words, c.get(words, 3), c.get(words, 4))
    vectors = c.choose(c.test("sge", n, c.arith("mul", width, FAR)), SHORT, LONG)
    block = c.max(c.min(block_of(c), c.arith("mul", width, vectors)), width)
    with c.loop(n, step=block) as at:
        start = c.min(at.index, c.arith("sub", n, width))
        count = c.min(c.arith("sub", n, start), block)
        given = "ptr %D", "ptr %B", "ptr %S", f"ptr {words}", "ptr %P", "ptr %scratch", f"i64 {start}", f"i64 {count}"
        c.call("void", "@pack_all", *given, "i1 true")
        c.call("void", kernel, "ptr %P", f"i64 {count}", f"i64 {width}", "i64 1")
        c.call("void", "@pack_all", *given, "i1 false")
    return c.end("i64", 1)
