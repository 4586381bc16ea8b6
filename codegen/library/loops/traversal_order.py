"""Of the nest library: what no near cache keeps, or only in part, is gone through there and back in turn.

What a walk leaves in the caches is its end; another one in the same direction has driven that out before it gets there.
So parts are taken from the last to the first where the last walk over the largest operand went the other way: the pass
before (a variance goes over its operand twice), or a call before (a function of the same data).  Parts are the same,
and so are results.  A word of the run-time table has a bit for the address of each large operand: which way is next.
Threads go from both ends to the middle, or from there to the ends; but where they wait for memory it does not matter
where they begin.

Where a core's second cache takes lines out of the third one and puts them back (Intel's server cores), lines that two
cores hold stay there, and are read faster (`CacheTuning.mixed_read_min_bytes`).  So seldom, on the way back, each of
two threads reads the other's part too, just behind it.
"""

from __future__ import annotations

from tensordsl.codegen.abi import layouts
from tensordsl.codegen.abi.descriptor import DOWN, LEVELS, N_AXES, N_INPUTS, N_OPERANDS, WORK
from tensordsl.codegen.library.loops.descriptor import product
from tensordsl.codegen.library.loops.limits import LEAST_WORK, LONG
from tensordsl.codegen.llvm.function import Function
from tensordsl.codegen.target.tuning import ANY, CacheTuning

MOST = 64  # bytes of operands for each point, in launches that this is for
LIGHT = 40  # bytes for each ns of estimated work, at least, where walking is all there is to do
LEAST_SHARE = 12  # of what is far an operand has a twelfth at least, or no way of its own
NEAR, THERE, BACK, BOTH = 0, 1, 2, 3  # the last one is back as well
SELDOM = 16  # a power of two
SPREAD = -7046029254386353131  # 2^64 divided by the golden ratio, odd


def way_of(c: Function, rt: str, alone: str) -> str:
    """Which way to go through the parts of a launch of one thread or several; NEAR if that does not matter, unless all
    at once takes long, or there is no table.  BOTH: back, and each of two threads reads what the other has as well."""
    return c.call("i64", "@way", f"ptr {rt}", *(f"ptr %{table}" for table in "DBSE"), f"i1 {alone}")


def way_text(caches: CacheTuning) -> str:
    c = Function("i64", "way", ["ptr rt", "ptr D", "ptr B", "ptr S", "ptr E", "i1 alone"], internal=True)
    axes = c.get("%D", N_AXES)
    points = product(c, "%E", axes)
    with c.when(c.any(c.is_null("%rt"), c.test("slt", points, caches.alternate_min_bytes // MOST))):
        c.ret("i64", NEAR)
    inputs = c.get("%D", N_INPUTS)
    with c.loop(c.get("%D", N_OPERANDS), *(("i64", "0") for _ in range(6))) as loop:
        total, most, largest, large, written, before = loop.values
        span, address = _span(c, loop.index, axes), c.get("%B", loop.index)
        bit, own = _bit(c, address), c.choose(_overlaps(c, address, before, span), 0, span)
        is_large = c.test("sge", span, caches.alternate_min_bytes // LEAST_SHARE)
        total, large = c.arith("add", total, own), c.arith("or", large, c.choose(is_large, bit, 0))
        written = c.arith("add", written, c.choose(c.test("sge", loop.index, inputs), own, 0))
        largest = c.choose(c.test("sgt", span, most), bit, largest)
        loop.next = [total, c.max(span, most), largest, large, written, address]
    total, _, largest, large, written, _ = loop.values
    with c.when(c.op(f"xor i1 {_matters(c, caches, points, total, written)}, true")):
        c.ret("i64", c.choose(_is_long(c, points), THERE, NEAR))
    word = c.gep("%rt", layouts.RT["ways"])
    ways = c.op(f"load atomic i64, ptr {word} monotonic, align 8")
    is_back = c.test("ne", c.arith("and", ways, largest), 0)
    is_odd = c.op(f"trunc i64 {c.max(c.max(c.get('%D', LEVELS), c.get('%D', DOWN)), 1)} to i1")  # passes
    kept = c.arith("and", ways, c.arith("xor", large, -1))
    following = c.arith("or", kept, c.choose(c.op(f"xor i1 {is_back}, {is_odd}"), large, 0))
    c.do(f"store atomic i64 {following}, ptr {word} monotonic, align 8")
    back = BACK if caches.mixed_read_min_bytes == ANY else c.choose(_of_both(c, total, caches), BOTH, BACK)
    return c.end("i64", c.choose(is_back, back, THERE))


def is_free(c: Function) -> str:
    """May a launch be parted at will, since each point or row is computed as if it were alone?"""
    return c.test("eq", c.arith("or", c.get("%D", LEVELS), c.get("%D", DOWN)), 0)


def _is_long(c: Function, points: str) -> str:
    """Does a launch of one piece take so long that signals have to be looked for?"""
    least = c.arith("udiv", 2 * LONG * 1000, c.max(c.get("%D", WORK), LEAST_WORK))
    return c.all(is_free(c), c.test("sge", points, least))


def _of_both(c: Function, total: str, caches: CacheTuning) -> str:
    """Are both of two threads to read all of a launch's operands?  In one of `SELDOM` launches, also of those at one
    place of a program that repeats itself."""
    both, is_between = (
        c.cell(0),
        c.all(c.test("sge", total, caches.mixed_read_min_bytes), c.test("slt", total, caches.mixed_read_max_bytes)),
    )
    with c.when(c.all(c.op("xor i1 %alone, true"), is_between)):
        pool = c.load("ptr", "%rt", layouts.RT["threads"])
        number = c.op(f"load atomic i64, ptr {c.gep(pool, layouts.TH_GENERATION)} monotonic, align 8")
        share = c.arith("lshr", c.arith("mul", number, SPREAD), 65 - SELDOM.bit_length())
        c.note(c.all(c.test("eq", share, 0), c.test("eq", c.load("i64", pool, layouts.TH_WANTED), 1)), both)
    return c.test("ne", c.get(both, 0), 0)


def _matters(c: Function, caches: CacheTuning, points: str, total: str, written: str) -> str:
    """Is what a walk leaves in the caches worth parts?  All reductions have them; others, of few operations."""
    work = c.arith("udiv", c.arith("mul", points, c.get("%D", WORK)), 1000)
    is_light = c.test("sle", c.arith("mul", work, LIGHT), total)
    is_read = c.test("slt", c.arith("mul", written, 16), total)
    least = c.choose(is_read, caches.alternate_far_read_min_bytes, caches.alternate_far_min_bytes)
    least = c.choose("%alone", least, c.max(least, caches.alternate_far_threads_min_bytes))
    most = c.choose(is_read, ANY, caches.alternate_far_max_bytes)
    far = c.all(c.test("sge", total, least), c.test("slt", total, most))
    some = c.all(
        is_read, c.test("sge", total, caches.alternate_min_bytes), c.test("slt", total, caches.alternate_max_bytes)
    )
    in_parts = c.test("ne", c.get("%D", LEVELS), 0)
    return c.all(c.any(in_parts, is_light, c.test("sge", total, caches.alternate_far_min_bytes)), c.any(some, far))


def _overlaps(c: Function, address: str, before: str, span: str) -> str:
    """Is an operand a part of what the one before it is a part of, as in stencils?"""
    apart = c.arith("sub", address, before)
    return c.test("slt", c.max(apart, c.arith("sub", 0, apart)), span)


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
