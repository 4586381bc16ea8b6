"""Batches of rows: kernels that take whole rows are called for a few rows at a time, with nothing between the calls.

Contract  a context, code of calls and whole-row blocks -> all rows of an axis.
When      every block of the code is all of a row, read and written in place (`fits_row_batches`).
Why       the interpreter's dispatch costs as much as a short row; here pointers advance in place.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tensordsl.codegen.abi.descriptor import (
    ANY_LENGTH,
    FULL_ROW,
    MAX_COLUMN_ROWS,
    PREFETCH_NEXT,
    RECOMPUTES_IN_KERNEL,
    TAKES_SHORT_ROWS,
    USES_NO_SCRATCH,
    BlocksCode,
    CallCode,
    Context,
    Opcode,
    Operand,
    RowsCode,
)
from tensordsl.codegen.library.loops.descriptor import LoopFunction, put_position
from tensordsl.codegen.library.signals import poll_each
from tensordsl.codegen.target.tuning import Tuning

CODE_PARAMS = ["ptr cx", "i64 first", "i64 end"]


def row_batch_texts(t: Tuning) -> list[str]:
    return [_rows_per_call(t), _fits_row_batches(t), _first_batch(), _row_batch(), _row_batches()]


def _rows_per_call(t: Tuning) -> str:
    """How many rows kernels get at once, and the flags of the call: whether they prefetch the next rows."""
    c = LoopFunction("void", "rows_per_call", ["ptr cx", "ptr words", "ptr rows", "ptr flags"], internal=True)
    axis, most, budget, lane, near, *_, at_any = (c.get("%words", k) for k in range(1, RowsCode.WORDS))
    extents, prefetches = c.context(Context.EXTENTS), c.cell(0)
    extent, length = c.get(extents, axis), c.max(c.get(extents, lane), 1)
    with c.when(c.le(length, near)):
        size = c.call("i64", "@operand_span", "ptr %cx", f"i64 {axis}")
        fits = c.any(c.ne(at_any, 0), c.lt(size, c.limit("prefetch_reread_max_bytes")))
        c.note(c.all(c.gt(size, t.memory.prefetch_operand_min_bytes), fits), prefetches)
    ahead = c.ne(c.get(prefetches, 0), 0)
    fitting = c.max(c.sdiv(c.choose(ahead, near, budget), length), 1)
    fitting = c.choose(c.gt(fitting, t.memory.unrolled_rows), c.and_(fitting, -t.memory.unrolled_rows), fitting)
    rows = c.min(most, c.choose(c.eq(budget, 0), most, fitting))
    c.put(rows, "%rows", 0)
    c.put(c.choose(ahead, FULL_ROW | PREFETCH_NEXT, FULL_ROW), "%flags", 0)
    with c.when(c.all(c.eq(most, MAX_COLUMN_ROWS), c.gt(extent, rows))):
        c.call("void", "@column_rows_per_call", "ptr %cx", f"i64 {axis}", "ptr %rows", "ptr %flags")
    return c.end()


@contextmanager
def each_instruction(c: LoopFunction) -> Iterator[tuple[str, str]]:
    """(words, pc's cell) of each instruction from `first` to `end`; the body moves the pc."""
    descriptor, at = c.context(Context.DESCRIPTOR), c.cell("%first")
    head, body, done = c.label("head"), c.label("body"), c.label("done")
    c.place(head)
    pc = c.get(at, 0)
    c.branch(c.lt(pc, "%end"), body, done)
    c.place(body)
    yield c.word(descriptor, pc), at
    c.jump(head)
    c.place(done)


def skip_call(c: LoopFunction, words: str, at: str) -> None:
    size = c.add(c.mul(c.get(words, CallCode.OPERANDS), Operand.WORDS), CallCode.WORDS)
    c.put(c.add(c.get(at, 0), size), at, 0)


def _fits_row_batches(t: Tuning) -> str:
    """Is there nothing but calls, and blocks that are all of a row, read and written in place?"""
    c = LoopFunction("i1", "fits_row_batches", CODE_PARAMS, internal=True)
    wrong = c.cell(c.or_(c.context(Context.IS_PACKED), c.context(Context.IS_TAIL)))
    extents = c.context(Context.EXTENTS)
    twice = c.ne(c.context(Context.MAY_RECOMPUTE), 0)
    with each_instruction(c) as (words, at):
        operation = c.get(words, 0)
        is_call, is_block = c.eq(operation, Opcode.CALL), c.eq(operation, Opcode.BLOCKS)
        with c.when(is_call):
            skip_call(c, words, at)
        with c.when(is_block):
            extent, width, block, flags = (
                c.get(extents, c.get(words, CallCode.KERNEL)),
                *(c.get(words, k) for k in (CallCode.LANE, CallCode.EXTERNALS, CallCode.OPERANDS)),
            )
            whole = c.eq(c.and_(extent, c.sub(width, 1)), 0)
            again = c.all(twice, c.ne(c.and_(flags, RECOMPUTES_IN_KERNEL), 0))
            fits = c.all(c.le(extent, block), c.eq(c.and_(flags, USES_NO_SCRATCH), 0))
            at_once = c.all(c.ne(c.and_(flags, ANY_LENGTH), 0), c.le(extent, t.tasks.poll_row_elements))
            long = c.any(fits, at_once)
            all_lanes = c.any(whole, again)
            short = c.all(c.ne(c.and_(flags, TAKES_SHORT_ROWS), 0), c.gt(extent, 0))
            taken = c.choose(c.ge(extent, width), c.all(long, all_lanes), short, "i1")
            c.note(c.negate(taken), wrong)
            c.put(c.add(c.get(at, 0), BlocksCode.WORDS), at, 0)
        other = c.negate(c.any(is_call, is_block))
        c.note(other, wrong)
        with c.when(other):
            c.put("%end", at, 0)
    return c.end("i1", c.eq(c.get(wrong, 0), 0))


def _first_batch() -> str:
    """Pointers of the first row."""
    c = LoopFunction("void", "first_batch", CODE_PARAMS, internal=True)
    current = c.context(Context.ADDRESSES)
    with each_instruction(c) as (words, at):
        is_call = c.eq(c.get(words, 0), Opcode.CALL)
        with c.when(is_call):
            pointers = c.word(c.context(Context.POINTERS), c.get(words, CallCode.POINTERS))
            with c.loop(c.get(words, CallCode.EXTERNALS)) as loop:
                c.put(c.get(current, c.get(c.operand(words, loop.index), Operand.NUMBER)), pointers, loop.index)
            skip_call(c, words, at)
        with c.when(c.negate(is_call)):
            c.put(c.add(c.get(at, 0), BlocksCode.WORDS), at, 0)
    return c.end()


def _row_batch() -> str:
    """All calls for some rows; then their pointers are those of the rows that follow."""
    c = LoopFunction("void", "row_batch", [*CODE_PARAMS, "i64 rows", "i64 flags"], internal=True)
    count, live = c.cell(c.context(Context.COUNT)), c.cell(c.context(Context.LIVE))
    extents, kernels = c.context(Context.EXTENTS), c.context(Context.KERNELS)
    with each_instruction(c) as (words, at):
        is_call = c.eq(c.get(words, 0), Opcode.CALL)
        with c.when(is_call):
            pointers = c.word(c.context(Context.POINTERS), c.get(words, CallCode.POINTERS))
            every = c.get(words, CallCode.OPERANDS)
            counted = c.ge(c.get(words, CallCode.LANE), 0)
            n, lanes = (f"i64 {c.choose(counted, c.get(cell, 0), 1)}" for cell in (count, live))
            kernel = c.get(kernels, c.get(words, CallCode.KERNEL), "ptr")
            c.call("void", kernel, f"ptr {pointers}", n, lanes, "i64 %rows", "i64 %flags")
            steps = c.word(pointers, every)
            with c.loop(c.get(words, CallCode.EXTERNALS)) as loop:
                moved = c.mul(c.get(steps, loop.index), "%rows")
                c.put(c.add(c.get(pointers, loop.index), moved), pointers, loop.index)
            skip_call(c, words, at)
        with c.when(c.negate(is_call)):
            c.put(c.get(extents, c.get(words, CallCode.KERNEL)), count, 0)
            c.put(c.get(words, CallCode.LANE), live, 0)
            c.put(c.add(c.get(at, 0), BlocksCode.WORDS), at, 0)
    return c.end()


def _row_batches() -> str:
    c = LoopFunction(
        "void", "row_batches", [*CODE_PARAMS, "i64 axis", "i64 size", "i64 extent", "i64 flags"], internal=True
    )
    positions, code = c.context(Context.POSITIONS), "ptr %cx, i64 %first, i64 %end"
    c.call("void", "@first_batch", code)
    with c.loop("%extent", ("i64", "0"), step="%size") as loop:
        put_position(c, positions, "%axis", loop.index)
        left = c.sub("%extent", loop.index)
        rows, behind = c.min(left, "%size"), c.le(left, "%size")
        flags = c.choose(behind, c.and_("%flags", FULL_ROW), "%flags")
        c.call("void", "@row_batch", code, f"i64 {rows}", f"i64 {flags}")
        poll_each(c, loop.values[0], 8)
        loop.next = [c.add(loop.values[0], 1)]
    return c.end()
