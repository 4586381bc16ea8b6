"""Of the nest library: one thread goes through what no cache keeps there and back in turn.

What a walk leaves in the caches is its end; another one in the same direction has driven that out before it gets there.
So parts are taken from the last to the first where the last walk over the largest operand went the other way: the pass
before (a variance goes over its operand twice), or a call before (a function of the same data).  Parts are the same,
and so are results.  A word of the run-time table has a bit for the address of each large operand: which way is next.
Two threads gain nothing: they wait for memory, wherever they begin.
"""

from __future__ import annotations

from tensordsl.codegen import abi
from tensordsl.codegen.nest_words import LEVELS, N_AXES, N_OPERANDS, Function, product

FAR = 9 << 23  # bytes of operands: over twice what a third cache has, as such caches keep some of what goes round
LEAST = FAR // 64  # points of a launch that may have so many
LARGE = 1 << 20  # bytes of an operand whose way is kept
NEAR, THERE, BACK = 0, 1, 2
SPREAD = -7046029254386353131  # 2^64 divided by the golden ratio, odd


def way_of(c: Function, rt: str) -> str:
    """Which way to go through the parts of a launch; NEAR if that does not matter, or there is no table."""
    return c.call("i64", "@way", f"ptr {rt}", *(f"ptr %{table}" for table in "DBSE"))


def way_text() -> str:
    c = Function("i64", "way", ["ptr rt", "ptr D", "ptr B", "ptr S", "ptr E"], internal=True)
    axes = c.get("%D", N_AXES)
    with c.when(c.any(c.is_null("%rt"), c.test("slt", product(c, "%E", axes), LEAST))):
        c.ret("i64", NEAR)
    with c.loop(c.get("%D", N_OPERANDS), *(("i64", "0") for _ in range(4))) as loop:
        total, most, largest, large = loop.values
        span, bit = _span(c, loop.index, axes), _bit(c, c.get("%B", loop.index))
        total, large = c.arith("add", total, span), c.arith("or", large, c.choose(c.test("sge", span, LARGE), bit, 0))
        loop.next = [total, c.max(span, most), c.choose(c.test("sgt", span, most), bit, largest), large]
    total, _, largest, large = loop.values
    with c.when(c.test("slt", total, FAR)):
        c.ret("i64", NEAR)
    word = c.gep("%rt", abi.RT["ways"])
    ways = c.op(f"load atomic i64, ptr {word} monotonic, align 8")
    is_back = c.test("ne", c.arith("and", ways, largest), 0)
    is_odd = c.op(f"trunc i64 {c.max(c.get('%D', LEVELS), 1)} to i1")  # passes
    kept = c.arith("and", ways, c.arith("xor", large, -1))
    following = c.arith("or", kept, c.choose(c.op(f"xor i1 {is_back}, {is_odd}"), large, 0))
    c.do(f"store atomic i64 {following}, ptr {word} monotonic, align 8")
    return c.end("i64", c.choose(is_back, BACK, THERE))


def _span(c: Function, operand: str, axes: str) -> str:
    """Bytes from an operand's first element to its last one."""
    strides = c.word("%S", c.arith("mul", operand, axes))
    with c.loop(axes, ("i64", "0")) as loop:
        step, last = c.get(strides, loop.index), c.arith("sub", c.get("%E", loop.index), 1)
        length = c.max(step, c.arith("sub", 0, step))
        loop.next = [c.arith("add", loop.values[0], c.arith("mul", last, length))]
    return loop.values[0]


def _bit(c: Function, address: str) -> str:
    return c.arith("shl", 1, c.arith("lshr", c.arith("mul", address, SPREAD), 58))
