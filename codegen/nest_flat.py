"""Of the nest library: launches whose operands all lie as one row, as small calls have them, without any tables.

The operands' addresses are what their kernel takes.  FLAT leads to its number, and to each operand's step from element
to element; scalars have none.
"""

from __future__ import annotations

from tensordsl.codegen.nest_words import FLAT, N_AXES, N_OPERANDS, WIDTH, WORK, Function

SMALL = 1 << 16  # points, and ns of estimated work: below, no threads are asked and no result is larger than the caches


def call_if_flat(c: Function) -> None:
    """Return from `run_nest` if one call does it.  Elements behind the last whole vector are done by the last one
    again, so that nothing may be in place then."""
    no, some, small, fits, apart, yes = (c.label(x) for x in ("no", "some", "small", "fits", "apart", "yes"))
    place = c.get("%D", FLAT)
    c.branch(c.test("eq", place, 0), no, some)
    c.place(some)
    words = c.word("%D", place)
    n, wrong = _row(c, c.word(words, 1))
    small_work = c.test("ult", c.arith("mul", n, c.arith("add", c.get("%D", WORK), 1000)), 1000 * SMALL)
    c.branch(c.all(c.test("eq", wrong, 0), small_work), small, no)
    c.place(small)
    width = c.get("%D", WIDTH)
    c.branch(c.test("slt", n, width), no, fits)
    c.place(fits)
    c.branch(c.test("eq", c.arith("and", n, c.arith("sub", width, 1)), 0), yes, apart)
    c.place(apart)
    c.branch(c.test("ne", c.call("i64", "@may_repeat", "ptr %D", "ptr %B"), 0), yes, no)
    c.place(yes)
    c.call("void", c.get("%K", c.get(words, 0), "ptr"), "ptr %B", f"i64 {n}", f"i64 {width}", "i64 1")
    c.ret("i64", 0)
    c.place(no)


def _row(c: Function, units: str) -> tuple[str, str]:
    """(points; 0 if all operands are rows of as many)"""
    axes, operands = c.get("%D", N_AXES), c.get("%D", N_OPERANDS)
    with c.loop(axes, ("i64", "1"), ("i64", "0")) as loop:
        axis = c.arith("sub", c.arith("sub", axes, 1), loop.index)
        with c.loop(operands, ("i64", loop.values[1]), ("i64", axis)) as each:
            unit, step = c.get(units, each.index), c.get("%S", each.values[1])
            differs = c.arith("xor", c.arith("mul", unit, loop.values[0]), step)
            each.next = [c.arith("or", each.values[0], differs), c.arith("add", each.values[1], axes)]
        loop.next = [c.arith("mul", loop.values[0], c.get("%E", axis)), each.values[0]]
    return loop.values[0], loop.values[1]
