"""Canonicalisation of a launch's axes: exchanged so that the lanes' is contiguous, and merged where strides allow.

Contract  D, E, S -> copies of the extents and strides; an axis that is merged into another has extent 1.
When      for the pairs of axes that the descriptor names: which axes may change places is the plan's knowledge.
Why       one long contiguous loop takes less than a nest of short ones (loop interchange and loop collapsing).
"""

from __future__ import annotations

from tensordsl.codegen.abi.descriptor import POSITION, CallCode, Header, Operand
from tensordsl.codegen.library.loops.descriptor import LoopFunction
from tensordsl.codegen.llvm.builder import passed
from tensordsl.codegen.target.machine import CACHE_LINE_BYTES
from tensordsl.codegen.target.tuning import Tuning

TABLES, SIZES = ["ptr e", "ptr s"], ["i64 axes", "i64 operands"]  # copies of E and S that are changed


def axes_texts(t: Tuning) -> list[str]:
    return [_exchange_axes(), _use_longest_rows(t), _exchange_for_locality(), _merge_axes(), _canonicalise_axes(t)]


def _canonicalise_axes(t: Tuning) -> str:
    """Copies of the extents and strides, whose axes are exchanged and merged where that may be."""
    c = LoopFunction("void", "canonicalise_axes", ["ptr D", "ptr E", "ptr S", *TABLES], internal=True)
    axes, operands, pairs = c.header(Header.AXES), c.header(Header.OPERANDS), c.word("%D", Header.WORDS)
    for n, source, target in ((axes, "%E", "%e"), (c.mul(axes, operands), "%S", "%s")):
        with c.loop(n) as loop:
            c.put(c.get(source, loop.index), target, loop.index)
    for name, count in (("exchange_for_locality", Header.EXCHANGES), ("merge_axes", Header.MERGES)):
        with c.loop(c.get("%D", count)) as loop:
            pair = c.word(pairs, c.mul(loop.index, 2))
            given = [f"i64 {x}" for x in (c.get(pair, 0), c.get(pair, 1), axes, operands)]
            if name == "exchange_for_locality":  # a single kernel has the forms for short rows
                given.append(f"i64 {c.choose(c.ne(c.header(Header.DIRECT_CALL), 0), 0, t.short_rows.overlap_min_rows)}")
            else:
                given.append(f"i64 {c.header(Header.MIN_UNMERGED_ELEMENTS)}")
            c.call("void", f"@{name}", "ptr %e", "ptr %s", *given)
        pairs = c.word(pairs, c.mul(c.get("%D", count), 2))
    return c.end()


def _use_longest_rows(t: Tuning) -> str:
    """Few rows take less time than the loops around them: the longest axis takes the rows' place."""
    c = LoopFunction("void", "use_longest_rows", [*TABLES, "ptr D"], internal=True)
    words, axes = c.word("%D", c.header(Header.DIRECT_CALL)), c.header(Header.AXES)
    lane, row = c.get(words, CallCode.LANE), c.get(words, CallCode.ROW)
    with c.loop(c.get(words, CallCode.OPERANDS), ("i64", "0")) as loop:
        is_placed = c.eq(c.get(c.operand(words, loop.index), Operand.KIND), POSITION)
        loop.next = [c.choose(is_placed, 1, loop.values[0])]
    with c.when(c.any(c.lt(row, 0), c.ne(loop.values[0], 0))):
        c.ret()
    with c.when(c.ge(c.get("%e", row), t.short_rows.overlap_min_rows)):
        c.ret()
    with c.loop(axes, ("i64", row)) as loop:
        best = loop.values[0]
        longer = c.gt(c.get("%e", loop.index), c.get("%e", best))
        loop.next = [c.choose(c.all(longer, c.ne(loop.index, lane)), loop.index, best)]
    given = f"i64 {row}", f"i64 {loop.values[0]}", f"i64 {axes}", f"i64 {c.header(Header.OPERANDS)}"
    c.call("void", "@exchange_axes", "ptr %e", "ptr %s", *given)
    return c.end()


def _exchange_axes() -> str:
    c = LoopFunction("void", "exchange_axes", [*TABLES, "i64 a", "i64 b", *SIZES], internal=True)

    def exchange(row: str) -> None:
        first, second = c.get(row, "%a"), c.get(row, "%b")
        c.put(second, row, "%a")
        c.put(first, row, "%b")

    exchange("%e")
    with c.loop("%operands") as loop:
        exchange(c.word("%s", c.mul(loop.index, "%axes")))
    return c.end()


def _exchange_for_locality() -> str:
    """Exchange an axis with one behind it, as the lane axis, if strides are smaller along it: all arrays in Fortran's
    order.  Lines that elements share count first, so an axis along which some are adjacent stays if the other has
    none.  So does one of less than `least` elements, which would be a row, if the two don't become one."""
    pair = [*TABLES, "i64 a", "i64 b", *SIZES]
    c = LoopFunction("void", "exchange_for_locality", [*pair, "i64 least"], internal=True)
    extent = c.get("%e", "%a")
    with c.loop("%operands", ("i64", "0"), ("i64", "0")) as loop:
        row = c.word("%s", c.mul(loop.index, "%axes"))
        near, second = c.get(row, "%a"), c.get(row, "%b")
        sizes = [c.call("i64", "@llvm.abs.i64", f"i64 {x}", "i1 false") for x in (near, second)]
        sizes = [c.add(c.shl(c.min(x, CACHE_LINE_BYTES), 40), c.min(x, 1 << 32)) for x in sizes]
        differs = c.or_(loop.values[1], c.xor(second, c.mul(near, extent)))
        loop.next = [c.add(loop.values[0], c.sub(*sizes)), differs]
    fits = c.any(c.ge(extent, "%least"), c.eq(loop.values[1], 0))
    with c.when(c.all(c.lt(loop.values[0], 0), fits)):
        c.call("void", "@exchange_axes", *passed(pair))
    return c.end()


def _merge_axes() -> str:
    """Make one axis of two neighbours in loop order where the strides of all operands allow it; the outer becomes 1.
    Not if that has `together` elements and more, which kernels take as rows (0: they take none)."""
    c = LoopFunction("void", "merge_axes", [*TABLES, "i64 a", "i64 b", *SIZES, "i64 together"], internal=True)
    extent_a, extent_b = c.get("%e", "%a"), c.get("%e", "%b")
    wrong, one = c.cell(0), c.eq(extent_b, 1)
    with c.loop("%operands") as loop:
        row = c.word("%s", c.mul(loop.index, "%axes"))
        c.note(c.ne(c.get(row, "%a"), c.mul(c.get(row, "%b"), extent_b)), wrong)
    fits = c.any(one, c.eq(c.get(wrong, 0), 0))
    short = c.any(c.eq("%together", 0), c.lt(extent_b, "%together"))
    with c.when(c.all(fits, short, c.ne(extent_a, 1))):
        c.put(c.mul(extent_a, extent_b), "%e", "%b")
        c.put(1, "%e", "%a")
        with c.when(one), c.loop("%operands") as loop:
            row = c.word("%s", c.mul(loop.index, "%axes"))
            c.put(c.get(row, "%a"), row, "%b")
    return c.end()
