"""Of the nest library: rows whose kernels take all of a row at once, in many turns of a few.

What a turn repeats is nothing but calls: there is no interpreter between them, and pointers move in place.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tensordsl.codegen.abi.descriptor import (
    AHEAD,
    ANY_LENGTH,
    BLOCKS,
    BLOCKS_WORDS,
    BY_KERNEL,
    CALL,
    CALL_WORDS,
    COLUMN_ROWS,
    CX_COUNT,
    CX_CUR,
    CX_D,
    CX_E,
    CX_K,
    CX_LIVE,
    CX_P,
    CX_PACKS,
    CX_POS,
    CX_TAIL,
    CX_TWICE,
    ENTRY,
    ROWS_WORDS,
    SHORT_ROWS,
    STREAMS,
    WHOLE,
)  # fmt: skip
from tensordsl.codegen.library.loops.descriptor import entry_of, put_position
from tensordsl.codegen.library.loops.limits import LONG_ROW
from tensordsl.codegen.library.signals import poll_each
from tensordsl.codegen.llvm.function import Function
from tensordsl.codegen.target.tuning import CacheTuning

CODE = ["ptr cx", "i64 first", "i64 end"]
BESIDE = 8  # rows that kernels do side by side, at most
SECOND_LEVEL = 1 << 19  # bytes of an operand, up to which a second-level cache keeps it from call to call


def turn_texts(caches: CacheTuning) -> list[str]:
    return [_together(caches), _at_once(), _start(), _turn(), _turns()]


def _together(caches: CacheTuning) -> str:
    """How many rows kernels get at once, and what turn it is: whether they ask for the rows of the next one."""
    c = Function("void", "rows_together", ["ptr cx", "ptr words", "ptr rows", "ptr turn"], internal=True)
    axis, most, budget, lane, near, *_, at_any = (c.get("%words", k) for k in range(1, ROWS_WORDS))
    extents, asks = c.get("%cx", CX_E, "ptr"), c.cell(0)
    extent, length = c.get(extents, axis), c.max(c.get(extents, lane), 1)
    with c.when(c.test("sle", length, near)):
        size = c.call("i64", "@longest_operand", "ptr %cx", f"i64 {axis}")
        fits = c.any(c.test("ne", at_any, 0), c.test("slt", size, caches.prefetch_reread_max_bytes))
        c.note(c.all(c.test("sgt", size, SECOND_LEVEL), fits), asks)
    ahead = c.test("ne", c.get(asks, 0), 0)
    fitting = c.max(c.op(f"sdiv i64 {c.choose(ahead, near, budget)}, {length}"), 1)
    fitting = c.choose(c.test("sgt", fitting, BESIDE), c.arith("and", fitting, -BESIDE), fitting)
    rows = c.min(most, c.choose(c.test("eq", budget, 0), most, fitting))
    c.put(rows, "%rows", 0)
    c.put(c.choose(ahead, WHOLE | AHEAD, WHOLE), "%turn", 0)
    with c.when(c.all(c.test("eq", most, COLUMN_ROWS), c.test("sgt", extent, rows))):
        c.call("void", "@down_columns", "ptr %cx", f"i64 {axis}", "ptr %rows", "ptr %turn")
    return c.end()


@contextmanager
def walk(c: Function) -> Iterator[tuple[str, str]]:
    """(words, pc's cell) of each instruction from `first` to `end`; the body moves the pc."""
    descriptor, at = c.get("%cx", CX_D, "ptr"), c.cell("%first")
    head, body, done = c.label("head"), c.label("body"), c.label("done")
    c.place(head)
    pc = c.get(at, 0)
    c.branch(c.test("slt", pc, "%end"), body, done)
    c.place(body)
    yield c.word(descriptor, pc), at
    c.jump(head)
    c.place(done)


def move_behind(c: Function, words: str, at: str) -> None:
    size = c.arith("add", c.arith("mul", c.get(words, 4), ENTRY), CALL_WORDS)
    c.put(c.arith("add", c.get(at, 0), size), at, 0)


def _at_once() -> str:
    """Is there nothing but calls, and blocks that are all of a row, read and written in place?"""
    c = Function("i1", "at_once", CODE, internal=True)
    wrong, extents = c.cell(c.arith("or", c.get("%cx", CX_PACKS), c.get("%cx", CX_TAIL))), c.get("%cx", CX_E, "ptr")
    twice = c.test("ne", c.get("%cx", CX_TWICE), 0)
    with walk(c) as (words, at):
        operation = c.get(words, 0)
        is_call, is_block = c.test("eq", operation, CALL), c.test("eq", operation, BLOCKS)
        with c.when(is_call):
            move_behind(c, words, at)
        with c.when(is_block):
            extent, width, block, flags = c.get(extents, c.get(words, 1)), *(c.get(words, k) for k in (2, 3, 4))
            whole = c.test("eq", c.arith("and", extent, c.arith("sub", width, 1)), 0)
            again = c.all(twice, c.test("ne", c.arith("and", flags, BY_KERNEL), 0))
            fits = c.all(c.test("sle", extent, block), c.test("eq", c.arith("and", flags, STREAMS), 0))
            at_once = c.all(c.test("ne", c.arith("and", flags, ANY_LENGTH), 0), c.test("sle", extent, LONG_ROW))
            long = c.any(fits, at_once)
            all_lanes = c.op(f"or i1 {whole}, {again}")
            short = c.all(c.test("ne", c.arith("and", flags, SHORT_ROWS), 0), c.test("sgt", extent, 0))
            taken = c.choose(c.test("sge", extent, width), c.all(long, all_lanes), short, "i1")
            c.note(c.op(f"xor i1 {taken}, true"), wrong)
            c.put(c.arith("add", c.get(at, 0), BLOCKS_WORDS), at, 0)
        other = c.op(f"xor i1 {c.op(f'or i1 {is_call}, {is_block}')}, true")
        c.note(other, wrong)
        with c.when(other):
            c.put("%end", at, 0)
    return c.end("i1", c.test("eq", c.get(wrong, 0), 0))


def _start() -> str:
    """Pointers of the first row."""
    c = Function("void", "start_turns", CODE, internal=True)
    current = c.get("%cx", CX_CUR, "ptr")
    with walk(c) as (words, at):
        is_call = c.test("eq", c.get(words, 0), CALL)
        with c.when(is_call):
            pointers = c.word(c.get("%cx", CX_P, "ptr"), c.get(words, 5))
            with c.loop(c.get(words, 3)) as loop:
                c.put(c.get(current, c.get(entry_of(c, words, loop.index), 1)), pointers, loop.index)
            move_behind(c, words, at)
        with c.when(c.op(f"xor i1 {is_call}, true")):
            c.put(c.arith("add", c.get(at, 0), BLOCKS_WORDS), at, 0)
    return c.end()


def _turn() -> str:
    """All calls for some rows; then their pointers are those of the rows that follow."""
    c = Function("void", "turn", [*CODE, "i64 rows", "i64 turn"], internal=True)
    count, live = c.cell(c.get("%cx", CX_COUNT)), c.cell(c.get("%cx", CX_LIVE))
    extents, kernels = c.get("%cx", CX_E, "ptr"), c.get("%cx", CX_K, "ptr")
    with walk(c) as (words, at):
        is_call = c.test("eq", c.get(words, 0), CALL)
        with c.when(is_call):
            pointers, every = c.word(c.get("%cx", CX_P, "ptr"), c.get(words, 5)), c.get(words, 4)
            counted = c.test("sge", c.get(words, 2), 0)
            n, lanes = (f"i64 {c.choose(counted, c.get(cell, 0), 1)}" for cell in (count, live))
            kernel = c.get(kernels, c.get(words, 1), "ptr")
            c.call("void", kernel, f"ptr {pointers}", n, lanes, "i64 %rows", "i64 %turn")
            steps = c.word(pointers, every)
            with c.loop(c.get(words, 3)) as loop:
                moved = c.arith("mul", c.get(steps, loop.index), "%rows")
                c.put(c.arith("add", c.get(pointers, loop.index), moved), pointers, loop.index)
            move_behind(c, words, at)
        with c.when(c.op(f"xor i1 {is_call}, true")):
            c.put(c.get(extents, c.get(words, 1)), count, 0)
            c.put(c.get(words, 2), live, 0)
            c.put(c.arith("add", c.get(at, 0), BLOCKS_WORDS), at, 0)
    return c.end()


def _turns() -> str:
    c = Function("void", "turns", [*CODE, "i64 axis", "i64 size", "i64 extent", "i64 turn"], internal=True)
    positions, code = c.get("%cx", CX_POS, "ptr"), "ptr %cx, i64 %first, i64 %end"
    c.call("void", "@start_turns", code)
    with c.loop("%extent", ("i64", "0"), step="%size") as loop:
        put_position(c, positions, "%axis", loop.index)
        left = c.arith("sub", "%extent", loop.index)
        rows, behind = c.min(left, "%size"), c.test("sle", left, "%size")
        turn = c.choose(behind, c.arith("and", "%turn", WHOLE), "%turn")
        c.call("void", "@turn", code, f"i64 {rows}", f"i64 {turn}")
        poll_each(c, loop.values[0], 8)
        loop.next = [c.arith("add", loop.values[0], 1)]
    return c.end()
