"""Reductions along rows, with lanes along columns: how many rows a kernel reads at once, and whether it prefetches.

Contract  a context and an axis -> rows of a call, and its flags (`PREFETCH_NEXT`).
When      lanes run along columns; prefetched are rows of operands that no cache keeps.
Why       each row is a stream of its own, more than hardware prefetchers follow.  Rows that begin at one place of a
          page share the sets of a first-level cache, which have eight lines each on some processors.
"""

from __future__ import annotations

from tensordsl.codegen.abi.descriptor import FULL_ROW, PREFETCH_NEXT, Context, Header
from tensordsl.codegen.library.loops.descriptor import LoopFunction, product
from tensordsl.codegen.target.tuning import Tuning


def column_prefetch_texts(t: Tuning) -> list[str]:
    return [_column_rows_per_call(t), _operand_span()]


def _column_rows_per_call(t: Tuning) -> str:
    c = LoopFunction("void", "column_rows_per_call", ["ptr cx", "i64 axis", "ptr rows", "ptr flags"], internal=True)
    words, strides = c.context(Context.DESCRIPTOR), c.context(Context.STRIDES)
    with c.loop(c.get(words, Header.OPERANDS), ("i64", "%axis"), ("i64", "0"), ("i64", "0"), ("i64", "0")) as loop:
        at, same, row, streams = loop.values
        step = c.get(strides, at)
        here = c.all(c.ne(step, 0), c.eq(c.and_(step, t.memory.same_set_bytes - 1), 0))
        row = c.add(row, c.call("i64", "@llvm.abs.i64", f"i64 {step}", "i1 false"))
        streams = c.add(streams, c.choose(c.ne(step, 0), 1, 0))
        loop.next = [c.add(at, c.get(words, Header.AXES)), c.choose(here, 1, same), row, streams]
    _, same, row, streams = loop.values
    bytes_ = c.mul(row, in_all_tasks(c, c.get(c.context(Context.EXTENTS), "%axis")))
    exceeds = c.ge(bytes_, c.limit("prefetch_rows_min_bytes"))
    few, several = c.min(c.get("%rows", 0), t.memory.associativity), c.all(exceeds, c.gt(streams, 1))
    rows = c.choose(c.any(c.ne(same, 0), several), few, c.get("%rows", 0))
    once = c.all(exceeds, c.le(c.get(words, Header.COLUMN_READS), 1))
    c.put(c.choose(once, c.min(rows, c.limit("max_rows_per_batch")), rows), "%rows", 0)
    c.put(c.choose(exceeds, FULL_ROW | PREFETCH_NEXT, FULL_ROW), "%flags", 0)
    return c.end()


def _operand_span() -> str:
    """Bytes of the operand that reaches furthest along an axis, in all parts of it."""
    c = LoopFunction("i64", "operand_span", ["ptr cx", "i64 axis"], internal=True)
    words, strides = c.context(Context.DESCRIPTOR), c.context(Context.STRIDES)
    with c.loop(c.get(words, Header.OPERANDS), ("i64", "%axis"), ("i64", "0")) as loop:
        at, longest = loop.values
        step = c.get(strides, at)
        length = c.max(step, c.sub(0, step))
        loop.next = [c.add(at, c.get(words, Header.AXES)), c.max(longest, length)]
    extents = c.context(Context.EXTENTS)
    own = product(c, extents, c.get(words, Header.AXES))
    parts = c.max(c.udiv(c.context(Context.POINTS), c.max(own, 1)), 1)  # of the launch
    every = c.mul(in_all_tasks(c, c.get(extents, "%axis")), parts)
    return c.end("i64", c.mul(loop.values[1], every))


def in_all_tasks(c: LoopFunction, count: str) -> str:
    """Of what a part has so many of, how many a launch has."""
    return c.mul(count, c.max(c.context(Context.TASKS), 1))
