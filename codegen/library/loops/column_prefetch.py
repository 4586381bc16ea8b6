"""Of the nest library: how reductions along rows, with lanes along columns, read memory.

A kernel reads some bytes of each of a few rows, and the next bytes then: so many streams, of which processors do not
read far ahead.  Of what no cache keeps it asks for the rows of the next turn, and takes fewer of several operands, or
where the third-level cache is far and rows are read once.
Rows that begin at the same place of a page share sets of a first-level cache, which has no more than eight lines each
on some processors.
"""

from __future__ import annotations

from tensordsl.codegen.abi.descriptor import (
    AHEAD,
    CX_D,
    CX_E,
    CX_PARTS,
    CX_POINTS,
    CX_S,
    DOWN,
    N_AXES,
    N_OPERANDS,
    WHOLE,
)
from tensordsl.codegen.library.loops.descriptor import product
from tensordsl.codegen.llvm.function import Function
from tensordsl.codegen.target.tuning import CacheTuning

PAGE = 4096
LINES = 8  # of a set of a first-level cache; and rows at once of several operands that memory has


def column_texts(caches: CacheTuning) -> list[str]:
    return [_down_columns(caches), _longest_operand()]


def _down_columns(caches: CacheTuning) -> str:
    c = Function("void", "down_columns", ["ptr cx", "i64 axis", "ptr rows", "ptr turn"], internal=True)
    words, strides = c.get("%cx", CX_D, "ptr"), c.get("%cx", CX_S, "ptr")
    with c.loop(c.get(words, N_OPERANDS), ("i64", "%axis"), ("i64", "0"), ("i64", "0"), ("i64", "0")) as loop:
        at, same, row, streams = loop.values
        step = c.get(strides, at)
        here = c.all(c.test("ne", step, 0), c.test("eq", c.arith("and", step, PAGE - 1), 0))
        row = c.arith("add", row, c.call("i64", "@llvm.abs.i64", f"i64 {step}", "i1 false"))
        streams = c.arith("add", streams, c.choose(c.test("ne", step, 0), 1, 0))
        loop.next = [c.arith("add", at, c.get(words, N_AXES)), c.choose(here, 1, same), row, streams]
    _, same, row, streams = loop.values
    bytes_ = c.arith("mul", row, in_all_parts(c, c.get(c.get("%cx", CX_E, "ptr"), "%axis")))
    far = c.test("sge", bytes_, caches.prefetch_rows_min_bytes)
    few, several = c.min(c.get("%rows", 0), LINES), c.all(far, c.test("sgt", streams, 1))
    rows = c.choose(c.any(c.test("ne", same, 0), several), few, c.get("%rows", 0))
    once = c.all(far, c.test("sle", c.get(words, DOWN), 1))
    c.put(c.choose(once, c.min(rows, caches.max_rows_per_batch), rows), "%rows", 0)
    c.put(c.choose(far, WHOLE | AHEAD, WHOLE), "%turn", 0)
    return c.end()


def _longest_operand() -> str:
    """Bytes of the operand that reaches furthest along an axis, in all parts of it."""
    c = Function("i64", "longest_operand", ["ptr cx", "i64 axis"], internal=True)
    words, strides = c.get("%cx", CX_D, "ptr"), c.get("%cx", CX_S, "ptr")
    with c.loop(c.get(words, N_OPERANDS), ("i64", "%axis"), ("i64", "0")) as loop:
        at, longest = loop.values
        step = c.get(strides, at)
        length = c.max(step, c.arith("sub", 0, step))
        loop.next = [c.arith("add", at, c.get(words, N_AXES)), c.max(longest, length)]
    extents = c.get("%cx", CX_E, "ptr")
    own = product(c, extents, c.get(words, N_AXES))
    parts = c.max(c.arith("udiv", c.get("%cx", CX_POINTS), c.max(own, 1)), 1)  # of the launch
    every = c.arith("mul", in_all_parts(c, c.get(extents, "%axis")), parts)
    return c.end("i64", c.arith("mul", loop.values[1], every))


def in_all_parts(c: Function, count: str) -> str:
    """Of what a part has so many of, how many a launch has."""
    return c.arith("mul", count, c.max(c.get("%cx", CX_PARTS), 1))
