"""Of the nest library: a launch shared out among threads, as launches over parts of one parallel axis.

Parts depend on extents only, and each point or row is computed as if it were alone, so results do not depend on who
does what, nor on how many threads there are.
"""

from __future__ import annotations

from tensordsl.codegen import abi
from tensordsl.codegen.nest_words import LANE, N_AXES, N_OPERANDS, OUTER, WORK, Function

PARAMS = ["ptr K", "ptr D", "ptr B", "ptr S", "ptr E", "ptr I"]
WORTH = 60_000  # ns of estimated work from which threads are asked
SHARE = 25_000  # ns of a part: a few per thread, since the system may take a thread's core away
MOST = 32  # parts
ROWS = 16  # from so many on, rows are shared out rather than the lanes' axis
GRAIN = 1024  # elements along the lanes' axis
# Words of a job: the parameters, then these.
J_AXIS, J_SIZE, J_FLAG = range(len(PARAMS), len(PARAMS) + 3)


def share_texts() -> list[str]:
    return [_parts(), _part(), _run_nest()]


def _parts() -> str:
    """The number of parts; their axis and size go to `axis` and `size`."""
    c = Function("i64", "parts", ["ptr D", "ptr E", "ptr axis", "ptr size"], internal=True)
    with c.loop(c.get("%D", N_AXES), ("i64", "1")) as loop:
        loop.next = [c.arith("mul", loop.values[0], c.get("%E", loop.index))]
    work = c.arith("udiv", c.arith("mul", loop.values[0], c.get("%D", WORK)), 1000)
    outer, lane = c.get("%D", OUTER), c.get("%D", LANE)
    with c.when(c.test("slt", work, WORTH)):
        c.ret("i64", 1)
    rows = c.choose(c.test("sge", outer, 0), c.get("%E", c.max(outer, 0)), 0)
    by_rows = c.op(f"or i1 {c.test('sge', rows, ROWS)}, {c.test('slt', lane, 0)}")
    axis, grain = c.choose(by_rows, outer, lane), c.choose(by_rows, 1, GRAIN)
    with c.when(c.test("slt", axis, 0)):
        c.ret("i64", 1)
    extent = c.get("%E", axis)
    units = _quotient(c, extent, grain)
    count = c.min(c.min(c.arith("udiv", work, SHARE), MOST), units)
    size = c.arith("mul", _quotient(c, units, c.max(count, 1)), grain)
    c.put(axis, "%axis", 0)
    c.put(size, "%size", 0)
    return c.end("i64", _quotient(c, extent, size))


def _quotient(c: Function, x: str, y: str) -> str:
    """x / y, rounded up."""
    return c.arith("sdiv", c.arith("sub", c.arith("add", x, y), 1), y)


def _part() -> str:
    """The k-th part of a job."""
    c = Function("void", "part", ["ptr job", "i64 k"], internal=True)
    given = {p[-1]: c.get("%job", k, "ptr") for k, p in enumerate(PARAMS)}
    axis, size = c.get("%job", J_AXIS), c.get("%job", J_SIZE)
    axes, operands = c.get(given["D"], N_AXES), c.get(given["D"], N_OPERANDS)
    bases, extents = (c.op(f"alloca i64, i64 {n}, align 8") for n in (operands, axes))
    start = c.arith("mul", "%k", size)
    with c.loop(axes) as loop:
        c.put(c.get(given["E"], loop.index), extents, loop.index)
    c.put(c.min(c.arith("sub", c.get(given["E"], axis), start), size), extents, axis)
    with c.loop(operands) as loop:
        step = c.get(given["S"], c.arith("add", c.arith("mul", loop.index, axes), axis))
        c.put(c.arith("add", c.get(given["B"], loop.index), c.arith("mul", step, start)), bases, loop.index)
    given |= {"B": bases, "E": extents}
    bad = c.call("i64", "@nest", *(f"ptr {given[p[-1]]}" for p in PARAMS))
    c.do(f"%old = atomicrmw or ptr {c.word('%job', J_FLAG)}, i64 {bad} seq_cst")
    return c.end()


def _run_nest() -> str:
    c = Function("i64", "run_nest", ["ptr rt", *PARAMS])
    alone, ask, pooled, share = (c.label(k) for k in ("alone", "ask", "pooled", "share"))
    c.branch(c.is_null("%rt"), alone, ask)
    c.place(ask)
    pool = c.load("ptr", "%rt", abi.RT["threads"])
    c.branch(c.is_null(pool), alone, pooled)
    c.place(pooled)
    job = c.op(f"alloca i64, i64 {J_FLAG + 1}, align 8")
    places = f"ptr {c.word(job, J_AXIS)}", f"ptr {c.word(job, J_SIZE)}"
    count = c.call("i64", "@parts", "ptr %D", "ptr %E", *places)
    c.branch(c.test("sgt", count, 1), share, alone)
    c.place(share)
    for k, p in enumerate(PARAMS):
        c.put(f"%{p[-1]}", job, k, "ptr")
    c.put(0, job, J_FLAG)
    c.call(
        "void", c.load("ptr", pool, abi.TH["parallel_for"]), f"ptr {pool}", "ptr @part", f"ptr {job}", f"i64 {count}"
    )
    c.ret("i64", c.get(job, J_FLAG))
    c.place(alone)
    return c.end("i64", c.call("i64", "@nest", *(f"ptr %{p[-1]}" for p in PARAMS)))
