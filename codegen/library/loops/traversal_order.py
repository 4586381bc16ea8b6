"""Traversal order: passes over large operands alternate direction, so that the end of one is still cached for the next.

Contract  a launch -> `ANY_ORDER`, `FORWARD`, `BACKWARD` or `BACKWARD_SHARED`; a word of the run-time table holds the
          last direction, a bit for a hash of each large operand's address.
When      operands exceed the core's caches, and the launch is a reduction or does little per byte.
Why       a walk in the same direction evicts its own end before it gets there; tasks and results are the same.
"""

from __future__ import annotations

from tensordsl.codegen.abi import layouts
from tensordsl.codegen.abi.descriptor import Header
from tensordsl.codegen.library.loops.descriptor import LoopFunction, product
from tensordsl.codegen.target.tuning import ANY, Tuning

ANY_ORDER, FORWARD, BACKWARD, BACKWARD_SHARED = 0, 1, 2, 3  # the last one is back as well
HASH_FACTOR = -7046029254386353131  # 2^64 divided by the golden ratio, odd


def traversal_of(c: LoopFunction, rt: str, alone: str) -> str:
    """The order of a launch's tasks, for one thread (`alone`) or several: ANY_ORDER if it does not matter, unless one
    task takes long, or there is no table; BACKWARD_SHARED: each of two threads reads the other's tasks as well."""
    return c.call("i64", "@traversal", f"ptr {rt}", *(f"ptr %{table}" for table in "DBSE"), f"i1 {alone}")


def traversal_text(t: Tuning) -> str:
    c = LoopFunction("i64", "traversal", ["ptr rt", "ptr D", "ptr B", "ptr S", "ptr E", "i1 alone"], internal=True)
    axes = c.header(Header.AXES)
    points = product(c, "%E", axes)
    with c.when(
        c.any(
            c.is_null("%rt"),
            c.lt(points, c.udiv(c.limit("alternate_min_bytes"), t.memory.alternate_max_bytes_per_point)),
        )
    ):
        c.ret("i64", ANY_ORDER)
    inputs = c.header(Header.INPUTS)
    with c.loop(c.header(Header.OPERANDS), *(("i64", "0") for _ in range(6))) as loop:
        total, most, largest, large, written, before = loop.values
        span, address = _span(c, loop.index, axes), c.get("%B", loop.index)
        bit, own = _bit(c, address), c.choose(_overlaps(c, address, before, span), 0, span)
        is_large = c.ge(span, c.udiv(c.limit("alternate_min_bytes"), t.memory.alternate_min_share))
        total, large = c.add(total, own), c.or_(large, c.choose(is_large, bit, 0))
        written = c.add(written, c.choose(c.ge(loop.index, inputs), own, 0))
        largest = c.choose(c.gt(span, most), bit, largest)
        loop.next = [total, c.max(span, most), largest, large, written, address]
    total, _, largest, large, written, _ = loop.values
    pays = "true" if t.forces("traversal_order") else _pays(c, t, points, total, written)
    with c.when(c.negate(pays if t.allows("traversal_order") else "false")):
        c.ret("i64", c.choose(_takes_long(c, t, points), FORWARD, ANY_ORDER))
    word = c.gep("%rt", layouts.RT["traversals"])
    orders = c.op(f"load atomic i64, ptr {word} monotonic, align 8")
    is_back = c.ne(c.and_(orders, largest), 0)
    is_odd = c.op(
        f"trunc i64 {c.max(c.max(c.header(Header.LEVELS), c.header(Header.COLUMN_READS)), 1)} to i1"
    )  # passes
    kept = c.and_(orders, c.xor(large, -1))
    following = c.or_(kept, c.choose(c.op(f"xor i1 {is_back}, {is_odd}"), large, 0))
    c.do(f"store atomic i64 {following}, ptr {word} monotonic, align 8")
    back = c.choose(_is_shared_by_two(c, total, t), BACKWARD_SHARED, BACKWARD)
    return c.end("i64", c.choose(is_back, back, FORWARD))


def is_cut_at_will(c: LoopFunction) -> str:
    """May a launch be cut at will, since each point or row is computed as if it were alone?"""
    return c.eq(c.or_(c.header(Header.LEVELS), c.header(Header.COLUMN_READS)), 0)


def _takes_long(c: LoopFunction, t: Tuning, points: str) -> str:
    """Does a launch of one piece take so long that signals have to be looked for?"""
    least = c.udiv(
        2 * t.tasks.poll_task_ns * 1000, c.max(c.header(Header.NS_PER_1000_POINTS), t.tasks.poll_min_ns_per_1000)
    )
    return c.all(is_cut_at_will(c), c.ge(points, least))


def _is_shared_by_two(c: LoopFunction, total: str, t: Tuning) -> str:
    """Are both of two threads to read all of a launch's operands?  In one of `SELDOM` launches, also of those at one
    place of a program that repeats itself."""
    both = c.cell(0)
    is_between = c.all(c.ge(total, c.limit("mixed_read_min_bytes")), c.lt(total, c.limit("mixed_read_max_bytes")))
    with c.when(c.all(c.op("xor i1 %alone, true"), is_between)):
        pool = c.load("ptr", "%rt", layouts.RT["threads"])
        number = c.op(f"load atomic i64, ptr {c.gep(pool, layouts.TH_GENERATION)} monotonic, align 8")
        share = c.lshr(c.mul(number, HASH_FACTOR), 65 - t.memory.mixed_read_period.bit_length())
        c.note(c.all(c.eq(share, 0), c.eq(c.load("i64", pool, layouts.TH_WANTED), 1)), both)
    return c.ne(c.get(both, 0), 0)


def _pays(c: LoopFunction, t: Tuning, points: str, total: str, written: str) -> str:
    """Is what a walk leaves in the caches worth parts?  All reductions have them; others, of few operations."""
    work = c.udiv(c.mul(points, c.header(Header.NS_PER_1000_POINTS)), 1000)
    is_light = c.le(c.mul(work, t.memory.alternate_min_bytes_per_ns), total)
    is_read = c.lt(c.mul(written, 16), total)
    least = c.choose(is_read, c.limit("alternate_large_read_min_bytes"), c.limit("alternate_large_min_bytes"))
    least = c.choose("%alone", least, c.max(least, c.limit("alternate_large_threads_min_bytes")))
    most = c.choose(is_read, ANY, c.limit("alternate_large_max_bytes"))
    far = c.all(c.ge(total, least), c.lt(total, most))
    some = c.all(is_read, c.ge(total, c.limit("alternate_min_bytes")), c.lt(total, c.limit("alternate_max_bytes")))
    in_parts = c.ne(c.header(Header.LEVELS), 0)
    return c.all(c.any(in_parts, is_light, c.ge(total, c.limit("alternate_large_min_bytes"))), c.any(some, far))


def _overlaps(c: LoopFunction, address: str, before: str, span: str) -> str:
    """Is an operand a part of what the one before it is a part of, as in stencils?"""
    distance = c.sub(address, before)
    return c.lt(c.max(distance, c.sub(0, distance)), span)


def _span(c: LoopFunction, operand: str, axes: str) -> str:
    """Bytes from an operand's first element to its last one."""
    strides = c.word("%S", c.mul(operand, axes))
    with c.loop(axes, ("i64", "0")) as loop:
        step, last = c.get(strides, loop.index), c.sub(c.get("%E", loop.index), 1)
        length = c.max(step, c.sub(0, step))
        loop.next = [c.add(loop.values[0], c.mul(last, length))]
    return loop.values[0]


def _bit(c: LoopFunction, address: str) -> str:
    return c.shl(1, c.lshr(c.mul(address, HASH_FACTOR), 58))
